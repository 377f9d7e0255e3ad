//! SkyMask against its definition: masks by differences of the loss, principal components by Jacobi's rotations, and
//! densities by their formula.

use std::sync::Arc;

use phalanx_robust::{
    Dtype, Vector,
    aggregation::{Aggregation, Context, RuleError},
};
use serde_json::{Value, json};

use crate::{
    judging::{Cubic, part},
    naive::{mean_all, minus},
    naive_spectral::eigen,
    stage::{Rows, assert_close, chain, gaussian, plain, rounded, stream, vectors},
};

/// Parameters, with the defaults of the rule.
#[derive(Clone, Copy)]
struct Parameters {
    gamma: f64,
    steps: usize,
    rate: Option<f64>,
    reach: f64,
    threshold: f64,
}

const DEFAULT: Parameters = Parameters { gamma: 0.1, steps: 20, rate: None, reach: 1.0, threshold: 0.5 };
/// As in the code of the authors.
const AUTHORS: Parameters = Parameters { rate: Some(1e7), ..DEFAULT };

impl Parameters {
    fn json(self) -> Value {
        let Self { gamma, steps, rate, reach, threshold } = self;
        json!({ "gamma": gamma, "steps": steps, "rate": rate, "reach": reach, "threshold": threshold })
    }
}

/// The binary masks of the rows of x for the point w, once they are learned.
fn masks(x: &Rows, w: &[f64], of: Parameters) -> Rows {
    let (n, d) = (x.len(), w.len());
    let open = |value: f64| 1.0 / (1.0 + (-value).exp());
    let mut values = vec![vec![1.0; d]; n];
    let mut rate = of.rate;
    for _ in 0..of.steps {
        let loss = |i: usize, j: usize, moved: f64| {
            let s = |k: usize| open(values[k][j] + if k == i { moved } else { 0.0 });
            let mean = (0..n).map(|k| s(k) * x[k][j]).sum::<f64>() / (0..n).map(s).sum::<f64>();
            part(j, w[j] - of.gamma * mean, d)
        };
        let slope = |i: usize, j: usize| (loss(i, j, 1e-4) - loss(i, j, -1e-4)) / 2e-4;
        let slopes: Rows = (0..n).map(|i| (0..d).map(|j| slope(i, j)).collect()).collect();
        let squares: f64 = slopes.iter().flatten().map(|slope| slope * slope).sum();
        let rate = *rate.get_or_insert(0.1 / (squares / (n * d) as f64).sqrt());
        for (mask, slope) in values.iter_mut().flatten().zip(slopes.iter().flatten()) {
            *mask -= (rate * slope).clamp(-of.reach, of.reach);
        }
    }
    let one = |value: &f64| f64::from(u8::from(open(*value) > of.threshold));
    values.iter().map(|row| row.iter().map(one).collect()).collect()
}

/// Two principal components of each row.
fn components(rows: &Rows) -> Vec<[f64; 2]> {
    let centre = mean_all(rows);
    let y: Rows = rows.iter().map(|row| minus(row, &centre)).collect();
    let dot = |a: &Vec<f64>, b: &Vec<f64>| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let products: Rows = y.iter().map(|a| y.iter().map(|b| dot(a, b)).collect()).collect();
    let mut found = eigen(products);
    found.sort_by(|a, b| b.0.total_cmp(&a.0));
    let at = |i: usize, k: usize| found.get(k).map_or(0.0, |(value, v)| v[i] * value.max(0.0).sqrt());
    (0..rows.len()).map(|i| [at(i, 0), at(i, 1)]).collect()
}

fn apart(p: &[f64; 2], q: &[f64; 2]) -> f64 {
    (p[0] - q[0]).hypot(p[1] - q[1])
}

/// In which half each point is: the first points of two means are the two farthest apart.
fn halves(points: &[[f64; 2]]) -> Vec<usize> {
    let pairs = (0..points.len()).flat_map(|i| (i + 1..points.len()).map(move |j| (i, j)));
    let far = pairs.fold((0, 0), |best, (i, j)| {
        let longer = apart(&points[i], &points[j]) > apart(&points[best.0], &points[best.1]);
        if longer { (i, j) } else { best }
    });
    let mut means = [points[far.0], points[far.1]];
    for _ in 0..100 {
        let nearest = |p: &[f64; 2]| usize::from(apart(p, &means[1]) < apart(p, &means[0]));
        let found: Vec<usize> = points.iter().map(nearest).collect();
        let mean = |k: usize, c: usize| {
            let own: Vec<f64> =
                points.iter().zip(&found).filter(|(_, half)| **half == k).map(|(p, _)| p[c]).collect();
            own.iter().sum::<f64>() / own.len() as f64
        };
        if found.contains(&1) {
            means = [0, 1].map(|k| [mean(k, 0), mean(k, 1)]);
        }
    }
    points.iter().map(|p| usize::from(apart(p, &means[1]) < apart(p, &means[0]))).collect()
}

/// The likelier of two Gaussians for each point, by expectation and maximisation.
fn gaussians(points: &[[f64; 2]]) -> Vec<usize> {
    let n = points.len() as f64;
    let mut shares: Vec<[f64; 2]> =
        halves(points).iter().map(|&half| if half == 1 { [0.0, 1.0] } else { [1.0, 0.0] }).collect();
    let (mut before, mut last) = (f64::NEG_INFINITY, false);
    for step in 0..=100 {
        let mut density = vec![[0.0; 2]; points.len()];
        for k in 0..2 {
            let own = shares.iter().map(|share| share[k]).sum::<f64>() + 10.0 * f64::EPSILON;
            let mean = |of: &dyn Fn(&[f64; 2]) -> f64| {
                points.iter().zip(&shares).map(|(p, share)| share[k] * of(p)).sum::<f64>() / own
            };
            let (mx, my) = (mean(&|p| p[0]), mean(&|p| p[1]));
            let xx = mean(&|p| (p[0] - mx).powi(2)) + 1e-6;
            let yy = mean(&|p| (p[1] - my).powi(2)) + 1e-6;
            let xy = mean(&|p| (p[0] - mx) * (p[1] - my));
            let determinant = xx * yy - xy * xy;
            for (p, density) in points.iter().zip(&mut density) {
                let (x, y) = (p[0] - mx, p[1] - my);
                let form = (yy * x * x - 2.0 * xy * x * y + xx * y * y) / determinant;
                density[k] = own / n * (-form / 2.0).exp() / (std::f64::consts::TAU * determinant.sqrt());
            }
        }
        let likelihood = density.iter().map(|d| (d[0] + d[1]).ln()).sum::<f64>() / n;
        shares = density.iter().map(|d| d.map(|one| one / (d[0] + d[1]))).collect();
        if last || step == 100 {
            break;
        }
        last = (likelihood - before).abs() < 1e-3;
        before = likelihood;
    }
    shares.iter().map(|share| usize::from(share[1] > share[0])).collect()
}

/// Which rows are averaged beside the server's own vector g.
fn kept(x: &Rows, g: &[f64], w: &[f64], of: Parameters) -> Vec<usize> {
    let all: Rows = x.iter().cloned().chain([g.to_vec()]).collect();
    let found = gaussians(&components(&masks(&all, w, of)));
    (0..x.len()).filter(|&i| found[i] == found[x.len()]).collect()
}

fn context(g: Vector, w: Vector, f: usize) -> Context {
    let judge = Arc::new(Cubic(None));
    Context { reference: Some(g), point: Some(w), judge: Some(judge), ..Context::new(f, stream(1)) }
}

fn run(x: &Rows, g: &[f64], w: &[f64], of: Parameters, dtype: Dtype) -> Aggregation {
    let rows = vectors(x, dtype);
    let context = context(rows[0].like(g), rows[0].like(w), x.len() / 3);
    chain(&[("skymask", of.json())]).aggregate_in(&rows, context).unwrap()
}

/// The slope of the loss at w = (1, …, 1) and noise, turned round for the last `bad` rows.
fn noisy(m: usize, d: usize, bad: usize, seed: u64) -> Rows {
    let mut x = gaussian(m, d, seed);
    for (i, row) in x.iter_mut().enumerate() {
        let sign = if i >= m - bad { -1.0 } else { 1.0 };
        for (j, v) in row.iter_mut().enumerate() {
            *v = sign * (3.0 * (j + 1) as f64 / d as f64 + 0.5 * *v);
        }
    }
    x
}

#[track_caller]
fn compare(x: &Rows, g: &[f64], w: &[f64], of: Parameters, dtype: Dtype, what: &str) {
    let found = run(x, g, w, of, dtype);
    let kept = kept(x, g, w, of);
    let weights = found.weights.unwrap();
    let told: Vec<usize> = (0..x.len()).filter(|&i| weights[i] != 0.0).collect();
    assert_eq!(told, kept, "{what}");
    if !kept.is_empty() {
        let mean = mean_all(&kept.iter().map(|&i| x[i].clone()).collect());
        assert_close(&found.output.to_f64(), &mean, 1.0, 1e-6, what);
    }
}

#[test]
fn skymask_averages_the_cluster_of_the_servers_own_mask() {
    let other = Parameters { steps: 7, gamma: 0.3, threshold: 0.7, rate: Some(40.0), reach: 1e3 };
    for (seed, (m, d)) in
        [(1, 1), (2, 3), (5, 1), (7, 40), (20, 33), (9, 100), (12, 2600)].into_iter().enumerate()
    {
        for (of, dtype) in
            [(DEFAULT, Dtype::F64), (AUTHORS, Dtype::F64), (other, Dtype::F64), (DEFAULT, Dtype::F32)]
        {
            let seed = seed as u64;
            for x in [gaussian(m, d, seed), noisy(m, d, m / 3, seed)] {
                let x = rounded(&x, dtype);
                let g = rounded(&noisy(1, d, 0, 50 + seed), dtype).remove(0);
                compare(&x, &g, &vec![1.0; d], of, dtype, &format!("{m} x {d} {dtype}, {} steps", of.steps));
            }
        }
    }
}

/// It needs no majority of honest workers, and nothing of f.
#[test]
fn skymask_withstands_a_majority_that_turns_round() {
    for (seed, bad) in (0..8).zip([0, 1, 3, 6, 8].into_iter().cycle()) {
        let (x, g) = (noisy(9, 60, bad, seed), noisy(1, 60, 0, 90 + seed).remove(0));
        let weights = run(&x, &g, &[1.0; 60], DEFAULT, Dtype::F64).weights.unwrap();
        assert_eq!(weights[9 - bad..], vec![0.0; bad], "seed {seed}");
        assert!(
            weights[..9 - bad].iter().filter(|w| **w > 0.0).count() * 2 >= 9 - bad,
            "seed {seed}: {weights:?}"
        );
    }
}

#[test]
fn inputs_that_leave_masks_nothing_to_tell() {
    let (x, w) = (vec![vec![1.0, 2.0]; 5], [0.5; 2]);
    let weights = |x: &Rows, g: &[f64]| run(x, g, &w, DEFAULT, Dtype::F64).weights.unwrap();
    assert_eq!(weights(&x, &[1.0, 2.0]), [0.2; 5], "all the same");
    assert_eq!(weights(&x, &[-1.0, -2.0]), [0.0; 5], "the server's mask is alone");
    let mut spoiled = x.clone();
    spoiled[0][0] = f64::NAN;
    assert_eq!(weights(&spoiled, &[1.0, 2.0]), [0.0, 0.25, 0.25, 0.25, 0.25]);
    spoiled[0] = vec![1e300, -1e300];
    assert_eq!(weights(&spoiled, &[1.0, 2.0]), [0.0, 0.25, 0.25, 0.25, 0.25], "infinite slopes have a sign");
    let wide = Parameters { rate: Some(1e300), reach: 1e300, ..DEFAULT };
    assert!(run(&gaussian(6, 9, 1), &[1.0; 9], &[1.0; 9], wide, Dtype::F32).output.is_finite());
}

#[test]
fn threads_change_nothing() {
    let (x, g, w) = (gaussian(9, 5000, 3), noisy(1, 5000, 0, 4).remove(0), vec![1.0; 5000]);
    let found = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&x, &g, &w, DEFAULT, Dtype::F64).output.to_f64())
    };
    assert_eq!(found(1), found(3));
}

#[test]
fn skymask_says_what_it_lacks() {
    let rows = vectors(&gaussian(5, 6, 1), Dtype::F64);
    let mut rule = plain(&["nnm", "skymask"]);
    assert!(rule.needs_judge() && rule.needs_point() && rule.needs_reference());
    let whole = context(vec![1.0; 6].into(), vec![0.0; 6].into(), 1);
    rule.aggregate_in(&rows, whole.clone()).unwrap();
    let rule_is = "skymask";
    for (context, expected) in [
        (Context { judge: None, ..whole.clone() }, RuleError::NoJudge { rule: rule_is }),
        (Context { point: None, ..whole.clone() }, RuleError::NoPoint { rule: rule_is }),
        (Context { reference: None, ..whole.clone() }, RuleError::NoReference { rule: rule_is }),
    ] {
        assert_eq!(rule.aggregate_in(&rows, context).unwrap_err(), expected);
    }
    let broken = Context { judge: Some(Arc::new(Cubic(Some("no data".into())))), ..whole.clone() };
    assert_eq!(rule.aggregate_in(&rows, broken).unwrap_err().to_string(), "skymask: no data");
    let nan = Context { reference: Some(vec![f64::NAN; 6].into()), ..whole };
    let said = rule.aggregate_in(&rows, nan).unwrap_err().to_string();
    assert_eq!(said, "skymask: the server's own vector is not finite");
}
