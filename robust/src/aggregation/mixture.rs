//! Two clusters of points in the plane: a mixture of two Gaussians by expectation and maximisation (Dempster, Laird &
//! Rubin, 1977). Nothing here is drawn.

/// Added to the variances, so that points that coincide have a density.
const FLOOR: f64 = 1e-6;
/// The steps end when the mean log-likelihood changes by less.
const TOLERANCE: f64 = 1e-3;
/// The largest number of steps, of means and of the mixture.
const STEPS: usize = 100;

type Point = [f64; 2];

/// A weighted Gaussian with a full covariance matrix.
struct Component {
    weight: f64,
    mean: Point,
    /// Variances of both coordinates, and their covariance.
    spread: [f64; 3],
}

/// Which of the points are likelier of the second of two Gaussians than of the first. They start as what two means make of the
/// points, of which each is at first one of the two points farthest apart; equal distances go by index.
pub(super) fn second(points: &[Point]) -> Vec<bool> {
    let halves = two_means(points);
    let mut shares: Vec<f64> = halves.iter().map(|&second| f64::from(u8::from(second))).collect();
    let mut before = f64::NEG_INFINITY;
    for _ in 0..STEPS {
        let (found, likelihood) = expected(points, &maximal(points, &shares));
        shares = found;
        if (likelihood - before).abs() < TOLERANCE {
            break;
        }
        before = likelihood;
    }
    expected(points, &maximal(points, &shares)).0.into_iter().map(|share| share > 0.5).collect()
}

/// Which points are nearer to the second of two means, once that changes nothing.
fn two_means(points: &[Point]) -> Vec<bool> {
    let mut means = farthest(points).map(|i| points[i]);
    let mut found = Vec::new();
    for _ in 0..STEPS {
        let nearer: Vec<bool> = points.iter().map(|&p| squared(p, means[1]) < squared(p, means[0])).collect();
        if nearer == found {
            break;
        }
        for (half, mean) in means.iter_mut().enumerate() {
            let all: Vec<Point> = points
                .iter()
                .zip(&nearer)
                .filter(|(_, second)| **second == (half == 1))
                .map(|(p, _)| *p)
                .collect();
            if !all.is_empty() {
                *mean = [0, 1].map(|at| all.iter().map(|p| p[at]).sum::<f64>() / all.len() as f64);
            }
        }
        found = nearer;
    }
    found
}

/// The two points farthest apart.
fn farthest(points: &[Point]) -> [usize; 2] {
    let (mut pair, mut most) = ([0, 0], 0.0);
    for (i, &p) in points.iter().enumerate() {
        for (j, &q) in points.iter().enumerate().skip(i + 1) {
            if squared(p, q) > most {
                (pair, most) = ([i, j], squared(p, q));
            }
        }
    }
    pair
}

fn squared(p: Point, q: Point) -> f64 {
    (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2)
}

/// The likeliest Gaussians if the second has these shares of the points, and the first the rest.
fn maximal(points: &[Point], shares: &[f64]) -> [Component; 2] {
    [false, true].map(|second| {
        let own = |share: &f64| if second { *share } else { 1.0 - share };
        let whole = shares.iter().map(own).sum::<f64>() + 10.0 * f64::EPSILON; // there may be none
        let mean_of = |value: &dyn Fn(&Point) -> f64| {
            points.iter().zip(shares).map(|(p, share)| own(share) * value(p)).sum::<f64>() / whole
        };
        let mean = [0, 1].map(|at| mean_of(&|p| p[at]));
        let moment = |a: usize, b: usize| mean_of(&|p| (p[a] - mean[a]) * (p[b] - mean[b]));
        let spread = [moment(0, 0) + FLOOR, moment(1, 1) + FLOOR, moment(0, 1)];
        Component { weight: whole / points.len() as f64, mean, spread }
    })
}

/// The second's share of every point, and the mean log-likelihood of the points.
fn expected(points: &[Point], components: &[Component; 2]) -> (Vec<f64>, f64) {
    let mut likelihood = 0.0;
    let share = |p: &Point| {
        let [first, second] = components.each_ref().map(|component| component.log_density(*p));
        let larger = first.max(second);
        let sum = (first - larger).exp() + (second - larger).exp();
        likelihood += larger + sum.ln();
        (second - larger).exp() / sum
    };
    let shares = points.iter().map(share).collect();
    (shares, likelihood / points.len() as f64)
}

impl Component {
    /// ln of weight · density.
    fn log_density(&self, point: Point) -> f64 {
        let [a, b] = [0, 1].map(|at| point[at] - self.mean[at]);
        let [across, up, both] = self.spread;
        // by the Cholesky factor, whose second pivot is what is left of the second variance
        let left = (up - both * both / across).max(FLOOR / 2.0);
        let rest = b - both / across * a;
        let distance2 = a * a / across + rest * rest / left;
        self.weight.ln() - std::f64::consts::TAU.ln() - ((across * left).ln() + distance2) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use rand_distr::StandardNormal;

    use super::*;
    use crate::random::Seed;

    /// As many points as asked for around each of two places.
    fn around(places: [Point; 2], counts: [usize; 2], spread: f64, seed: u64) -> Vec<Point> {
        let mut rng = Seed(seed).stream("test", 0, "mixture", 0);
        let mut near = |place: Point| place.map(|at| at + spread * rng.sample::<f64, _>(StandardNormal));
        (0..2).flat_map(|half| vec![places[half]; counts[half]]).map(&mut near).collect()
    }

    /// Expectation and maximisation in the textbook's words: densities themselves, inverse and determinant by their formulas,
    /// hundreds of steps.
    fn naive(points: &[Point], start: &[bool]) -> Vec<bool> {
        let n = points.len() as f64;
        let mut gamma: Vec<[f64; 2]> =
            start.iter().map(|&s| if s { [0.0, 1.0] } else { [1.0, 0.0] }).collect();
        for _ in 0..100 {
            let mut density = vec![[0.0; 2]; points.len()];
            for k in 0..2 {
                let nk: f64 = gamma.iter().map(|g| g[k]).sum();
                let mu =
                    [0, 1].map(|c| points.iter().zip(&gamma).map(|(p, g)| g[k] * p[c]).sum::<f64>() / nk);
                let cov = |c: usize, e: usize| {
                    let all = points.iter().zip(&gamma).map(|(p, g)| g[k] * (p[c] - mu[c]) * (p[e] - mu[e]));
                    all.sum::<f64>() / nk + if c == e { 1e-6 } else { 0.0 }
                };
                let (a, b, c) = (cov(0, 0), cov(0, 1), cov(1, 1));
                let det = a * c - b * b;
                for (p, density) in points.iter().zip(&mut density) {
                    let (x, y) = (p[0] - mu[0], p[1] - mu[1]);
                    let form = (c * x * x - 2.0 * b * x * y + a * y * y) / det;
                    density[k] = nk / n * (-form / 2.0).exp() / (2.0 * std::f64::consts::PI * det.sqrt());
                }
            }
            gamma = density.iter().map(|d| d.map(|one| one / (d[0] + d[1]))).collect();
        }
        gamma.iter().map(|g| g[1] > g[0]).collect()
    }

    #[test]
    fn it_finds_what_the_textbook_finds() {
        for seed in 0..40 {
            let counts = [4 + (seed % 9) as usize, 5 + (seed % 4) as usize];
            let points = around([[0.0, 1.0], [6.0, 3.0]], counts, 1.0, seed);
            assert_eq!(second(&points), naive(&points, &two_means(&points)), "seed {seed}");
        }
    }

    /// Means are nearest to what they have, and have what is nearest.
    #[test]
    fn two_means_stand_still() {
        for seed in 0..20 {
            let points = around([[0.0, 0.0], [2.0, 1.0]], [7, 5], 1.0, seed);
            let found = two_means(&points);
            let mean = |second: bool| {
                let own: Vec<&Point> =
                    points.iter().zip(&found).filter(|(_, s)| **s == second).map(|(p, _)| p).collect();
                assert!(!own.is_empty());
                [0, 1].map(|c| own.iter().map(|p| p[c]).sum::<f64>() / own.len() as f64)
            };
            let means = [mean(false), mean(true)];
            for (p, second) in points.iter().zip(&found) {
                assert_eq!(squared(*p, means[1]) < squared(*p, means[0]), *second);
            }
        }
    }

    #[test]
    fn points_far_apart_are_parted_wherever_they_stand() {
        for seed in 0..20 {
            let mut points = around([[-50.0, 3.0], [70.0, 4.0]], [9, 3], 2.0, seed);
            points.rotate_left(seed as usize % 12);
            let found = second(&points);
            assert!(
                points.iter().zip(&found).all(|(p, s)| (p[0] > 0.0) == (*s == found[far_right(&points)]))
            );
            assert_eq!(found.iter().filter(|s| **s == found[far_right(&points)]).count(), 3);
        }
    }

    fn far_right(points: &[Point]) -> usize {
        (0..points.len()).max_by(|&i, &j| points[i][0].total_cmp(&points[j][0])).unwrap()
    }

    #[test]
    fn points_that_coincide_and_points_on_a_line() {
        assert_eq!(second(&[[2.0, 1.0]; 5]), [false; 5]);
        assert_eq!(second(&[[2.0, 1.0]]), [false]);
        assert_eq!(second(&[[0.0, 0.0], [3.0, 0.0]]), [false, true]);
        let line = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [9.0, 0.0], [9.0, 0.0]];
        assert_eq!(second(&line), [false, false, false, true, true]);
        let apart = second(&[[1e5, 1e5], [1e5, 1e5], [-1e5, -1e5], [-1e5, -1e5 + 1.0]]);
        assert_eq!(apart, [false, false, true, true]);
    }
}
