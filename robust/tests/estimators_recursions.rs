//! Estimators against their recursions, their schedules and their theory.

#![expect(clippy::unwrap_used, reason = "a test")]

use phalanx_robust::{
    Vector,
    describe::{Described, Preset},
    estimator::{Estimator, EstimatorRule, First, Gradients, Momentum, Points, Sgd, Storm},
    random::Seed,
};
use rand_distr::{Distribution, StandardNormal};

/// (thousandths, first t) of Python's round(1/t, 3) for t to 2000, made by
/// ```python
/// last = None
/// for t in range(1, 2001):
///     v = round(round(1 / t, 3) * 1000)
///     if v != last: print((v, t), end=", ")
///     last = v
/// ```
const ROUNDED: &[(u32, u64)] = &[
    (1000, 1),
    (500, 2),
    (333, 3),
    (250, 4),
    (200, 5),
    (167, 6),
    (143, 7),
    (125, 8),
    (111, 9),
    (100, 10),
    (91, 11),
    (83, 12),
    (77, 13),
    (71, 14),
    (67, 15),
    (62, 16),
    (59, 17),
    (56, 18),
    (53, 19),
    (50, 20),
    (48, 21),
    (45, 22),
    (43, 23),
    (42, 24),
    (40, 25),
    (38, 26),
    (37, 27),
    (36, 28),
    (34, 29),
    (33, 30),
    (32, 31),
    (31, 32),
    (30, 33),
    (29, 34),
    (28, 36),
    (27, 37),
    (26, 38),
    (25, 40),
    (24, 41),
    (23, 43),
    (22, 45),
    (21, 47),
    (20, 49),
    (19, 52),
    (18, 55),
    (17, 58),
    (16, 61),
    (15, 65),
    (14, 69),
    (13, 75),
    (12, 81),
    (11, 87),
    (10, 96),
    (9, 106),
    (8, 118),
    (7, 134),
    (6, 154),
    (5, 182),
    (4, 223),
    (3, 286),
    (2, 401),
    (1, 667),
];

/// The thousandths at t.
fn thousandths(golden: &[(u32, u64)], t: u64) -> u32 {
    golden.iter().rev().find(|(_, first)| *first <= t).unwrap().0
}

/// Runs through `f(t)` for t to 2000 and the thousandths that are expected, kept at `floor` or above.
fn assert_schedule(golden: &[(u32, u64)], floor: u32, f: impl Fn(u64) -> f64) {
    for t in 1..=2000 {
        assert_eq!(f(t), f64::from(thousandths(golden, t).max(floor)) / 1000.0, "t = {t}");
    }
}

#[test]
fn the_weights_of_storm() {
    let paper = Storm::preset(Preset::Paper);
    (1..=2000).for_each(|t| assert_eq!(paper.weight(t), 1.0 / t as f64));
    assert_schedule(ROUNDED, 0, |t| Storm { decimals: Some(3), ..Storm::default() }.weight(t));
    let dahan = Storm::preset(Preset::Dahan);
    assert_schedule(ROUNDED, 10, |t| dahan.weight(t));
    assert!(dahan.weight(95) > 0.01 && dahan.weight(96) == 0.01);
    let fixed = Storm { beta: Some(0.2501), floor: 0.3, decimals: Some(3) };
    assert_eq!(fixed.weight(7), 0.2501, "a fixed weight is used as it is");
}

/// (gradient at x_t, gradient at x_{t-1}) of one batch for each round, drawn at random.
fn rounds(n: u64, d: usize) -> Vec<(Vec<f64>, Vec<f64>)> {
    let mut rng = Seed(3).stream("test", 0, "gradients", 0);
    let mut draw = || -> Vec<f64> { (0..d).map(|_| StandardNormal.sample(&mut rng)).collect() };
    (0..n).map(|_| (draw(), draw())).collect()
}

/// Feeds an estimator as a worker does: the second gradient only if it is asked for.
fn run(estimator: &mut dyn Estimator, rounds: &[(Vec<f64>, Vec<f64>)], first: u64) -> Vec<Vec<f64>> {
    let feed = |(t, (current, previous)): (u64, &(Vec<f64>, Vec<f64>))| {
        let previous = match estimator.points(t) {
            Points::Current => None,
            Points::CurrentAndPrevious => Some(Vector::from(previous.clone())),
        };
        estimator.update(t, Gradients { current: current.clone().into(), previous }).to_f64()
    };
    (first..).zip(rounds).map(feed).collect()
}

fn assert_close(found: &[Vec<f64>], expected: &[Vec<f64>]) {
    assert_eq!(found.len(), expected.len());
    for (t, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-12), "round {}: {a:?} {b:?}", t + 1);
    }
}

#[test]
fn storm_is_its_recursion() {
    let gradients = rounds(200, 5);
    for preset in [Preset::Paper, Preset::Dahan] {
        let mut expected: Vec<Vec<f64>> = Vec::new();
        for (i, (g, old)) in gradients.iter().enumerate() {
            // Round 80 is left out as if the worker had been away: it begins anew, with d = g and the weights of
            // its first rounds.
            let t = if i < 79 { i + 1 } else { i.saturating_sub(79) };
            // The counter of the released code is 1 when d_1 is made, so d_2 is made with 1/2 under both presets.
            let beta = match preset {
                Preset::Dahan => f64::from(thousandths(ROUNDED, t.max(1) as u64).max(10)) / 1000.0,
                _ => 1.0 / t as f64,
            };
            match (t, expected.last().cloned()) {
                (0, _) => {}
                (1, _) | (_, None) => expected.push(g.clone()),
                (_, Some(last)) => {
                    expected.push((0..5).map(|j| g[j] + (1.0 - beta) * (last[j] - old[j])).collect());
                }
            }
        }
        let mut estimator = Storm::preset(preset).build().unwrap();
        let mut found = run(estimator.as_mut(), &gradients[..79], 1);
        found.extend(run(estimator.as_mut(), &gradients[80..], 81));
        assert_close(&found, &expected);
    }
}

#[test]
fn storm_with_weight_one_is_sgd() {
    let gradients = rounds(20, 4);
    let mut storm = Storm { beta: Some(1.0), ..Storm::default() }.build().unwrap();
    let mut sgd = Sgd::default().build().unwrap();
    let plain: Vec<Vec<f64>> = gradients.iter().map(|(g, _)| g.clone()).collect();
    assert_close(&run(storm.as_mut(), &gradients, 1), &plain);
    assert_close(&run(sgd.as_mut(), &gradients, 1), &plain);
}

#[test]
fn momentum_is_its_recursion() {
    let gradients = rounds(30, 4);
    for (beta, first) in [(0.0, First::Gradient), (0.9, First::Gradient), (0.9, First::Damped)] {
        // Unrolled: beta^{t-1} m_1 + (1 - beta) Σ_{s=2..t} beta^{t-s} g_s.
        let unrolled = |t: usize| -> Vec<f64> {
            let whole = |s: usize| s == 0 && first == First::Gradient;
            let weight = |s: usize| f64::powi(beta, (t - s) as i32) * if whole(s) { 1.0 } else { 1.0 - beta };
            (0..4).map(|j| (0..=t).map(|s| weight(s) * gradients[s].0[j]).sum()).collect()
        };
        let expected: Vec<Vec<f64>> = (0..30).map(unrolled).collect();
        let mut momentum = Momentum { beta, first }.build().unwrap();
        assert_close(&run(momentum.as_mut(), &gradients, 1), &expected);
    }
    assert_eq!(Momentum::preset(Preset::Byzfl).first, First::Damped);
}

#[test]
fn values_out_of_range_are_refused_by_name() {
    fn refused(rule: impl EstimatorRule) -> String {
        rule.build().map(|_| ()).unwrap_err().parameter.into_owned()
    }
    assert_eq!(refused(Momentum { beta: 1.0, ..Momentum::default() }), "beta");
    assert_eq!(refused(Momentum { beta: f64::NAN, ..Momentum::default() }), "beta");
    assert_eq!(refused(Storm { beta: Some(-0.1), ..Storm::default() }), "beta");
    assert_eq!(refused(Storm { floor: 1.1, ..Storm::default() }), "floor");
    assert_eq!(refused(Storm { decimals: Some(16), ..Storm::default() }), "decimals");
}

/// The mean over `runs` of ‖d_t - ∇f(x_t)‖² for t = 1 .. rounds, on f(x; z) = ‖x‖²/2 + ⟨noise, x⟩ + spread ⟨a, x⟩²/2 with
/// E‖noise‖² = 1 and a random direction a = ±1 at every coordinate, centred; x moves by steps of length at most 2/(t + 2).
fn errors(rule: &impl EstimatorRule, runs: u64, rounds: u64, spread: f64) -> Vec<f64> {
    const D: usize = 8;
    let mut all = vec![0.0; rounds as usize];
    for seed in 0..runs {
        let mut rng = Seed(seed).stream("test", 0, "theorem", 0);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let mut estimator = rule.build().unwrap();
        let (mut x, mut last) = ([0.5; D], [0.5; D]);
        for t in 1..=rounds {
            let noise: [f64; D] = std::array::from_fn(|_| normal() / (D as f64).sqrt());
            let scale: [f64; D] = std::array::from_fn(|_| spread * normal().signum());
            let at = |x: &[f64; D]| -> Vector {
                (0..D).map(|j| (1.0 + scale[j]) * x[j] + noise[j]).collect::<Vec<_>>().into()
            };
            let previous = matches!(estimator.points(t), Points::CurrentAndPrevious).then(|| at(&last));
            let d = estimator.update(t, Gradients { current: at(&x), previous }).to_f64();
            all[t as usize - 1] += (0..D).map(|j| (d[j] - x[j]).powi(2)).sum::<f64>() / runs as f64;
            last = x;
            let pull = 2.0 / (t as f64 + 2.0);
            x = std::array::from_fn(|j| (1.0 - pull) * x[j] + pull * 0.5 * normal().clamp(-1.0, 1.0));
        }
    }
    all
}

/// Theorem 4.1 of Dahan & Levy, 2024: E‖d_t - ∇f(x_t)‖² <= sigma~²/t. With additive noise (every ∇f(.; z) - ∇f the same at all
/// points) the error is exactly the mean of t independent noises, so t · E = sigma² = 1. A mean over 400 runs of
/// a chi-square with 8 degrees has a standard error of √(2/8/400) = 0.025; five of them are allowed.
#[test]
fn the_error_of_storm_decays_as_one_over_t() {
    for (t, error) in (1..).zip(errors(&Storm::default(), 400, 300, 0.0)) {
        let scaled = f64::from(t) * error;
        assert!((scaled - 1.0).abs() < 0.125, "t E = {scaled} at t = {t}");
    }
    for (t, error) in (1..).zip(errors(&Sgd::default(), 400, 300, 0.0)) {
        assert!((error - 1.0).abs() < 0.125, "the error of sgd is {error} at t = {t}");
    }
    let momentum = errors(&Momentum::default(), 400, 300, 0.0);
    assert!(momentum[299] > 10.0 / 300.0, "momentum's error stays, at (1 - beta)/(1 + beta) and its lag");
}

/// With noise that depends on the point (sigma_L = spread) and ‖x_{t+1} - x_t‖ <= 2D/(t + 2), the product t · E stays bounded.
#[test]
fn the_error_of_storm_decays_where_the_noise_moves_too() {
    let errors = errors(&Storm::default(), 400, 300, 0.5);
    // sigma² = 1 + spread² ‖x‖² <= 1 + 0.25 · 8; D² <= 4 · 8; the bound is 2 sigma² + 8 D² sigma_L².
    let bound = 2.0 * (1.0 + 0.25 * 8.0) + 8.0 * 32.0 * 0.25;
    let scaled: Vec<f64> = (1..).zip(&errors).map(|(t, e)| f64::from(t) * e).collect();
    assert!(scaled.iter().all(|s| *s <= bound));
    assert!(scaled[299] < 1.5 * scaled[99], "{} {}", scaled[299], scaled[99]);
    assert!(errors[299] < errors[2] / 20.0);
}
