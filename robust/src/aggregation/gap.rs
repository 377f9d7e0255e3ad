//! Whether numbers fall in two clusters, and which are in the upper one. Called by `fldetector`; knows nothing of vectors.

use rand::RngExt;

use super::order::ascending;
use crate::random::Stream;

/// Fewer numbers lie in two clusters however they lie.
const FEWEST: usize = 3;

/// Whether the gap statistic finds more than one cluster: Gap(1) < Gap(2) - s_2, where Gap(k) is the mean of ln V* less ln V_k,
/// V_k the sum of squares within the best k clusters, V* that of as many uniform numbers, drawn `references` times for each
/// k, and s_2 = √(1 + 1/`references`) times the standard deviation of ln V* for k = 2 (Tibshirani, Walther & Hastie, 2001).
/// More clusters than two need not be tried, and scale and place of the numbers change nothing.
pub(super) fn is_there(numbers: &[f64], references: usize, rng: &mut Stream) -> bool {
    if numbers.len() < FEWEST {
        return false;
    }
    let [one, two] = within(numbers);
    let mut drawn = |k: usize| -> Vec<f64> {
        let uniform = |rng: &mut Stream| (0..numbers.len()).map(|_| rng.random()).collect::<Vec<f64>>();
        (0..references).map(|_| within(&uniform(rng))[k].ln()).collect()
    };
    let ([first, _], [second, deviation]) = (moments(&drawn(0)), moments(&drawn(1)));
    let error = (1.0 + 1.0 / references as f64).sqrt() * deviation;
    one > 0.0 && one.ln() - two.ln() > first - second + error
}

/// The numbers, by index, of the upper one of the two clusters of least sum of squares; of equal sums, the smaller.
pub(super) fn upper(numbers: &[f64]) -> Vec<usize> {
    let order = ascending(numbers);
    let (_, at) = split(&sorted(numbers, &order));
    let mut upper = order[at..].to_vec();
    upper.sort_unstable();
    upper
}

/// The sums of squares within one cluster, and within the best two.
fn within(numbers: &[f64]) -> [f64; 2] {
    let sorted = sorted(numbers, &ascending(numbers));
    [squares(sorted.iter()).last().copied().unwrap_or(0.0), split(&sorted).0]
}

fn sorted(numbers: &[f64], order: &[usize]) -> Vec<f64> {
    order.iter().map(|&i| numbers[i]).collect()
}

/// The least sum of squares within two clusters of ascending numbers, and how many are in the lower one.
fn split(sorted: &[f64]) -> (f64, usize) {
    let n = sorted.len();
    let (lower, upper) = (squares(sorted.iter()), squares(sorted.iter().rev()));
    let cuts = (1..n).filter(|&at| sorted[at - 1] < sorted[at]);
    let sums = cuts.map(|at| (lower[at - 1] + upper[n - at - 1], at));
    sums.fold((f64::INFINITY, n), |best, next| if next.0 <= best.0 { next } else { best })
}

/// For each of the numbers, the sum of squares about their mean of those up to it.
fn squares<'a>(numbers: impl Iterator<Item = &'a f64>) -> Vec<f64> {
    let (mut mean, mut sum) = (0.0, 0.0);
    let grown = numbers.enumerate().map(|(i, x)| {
        let from = x - mean;
        mean += from / (i + 1) as f64;
        sum += from * (x - mean);
        sum
    });
    grown.collect()
}

/// The mean, and the standard deviation over all.
fn moments(values: &[f64]) -> [f64; 2] {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    [mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt()]
}

#[cfg(test)]
mod tests {
    use rand::RngExt;
    use rand_distr::StandardNormal;

    use super::{is_there, upper, within};
    use crate::random::Seed;

    /// By trying every set of numbers for one of the two clusters.
    fn of_all_sets(numbers: &[f64]) -> (f64, Vec<usize>) {
        let about = |members: &[usize]| {
            let mean = members.iter().map(|&i| numbers[i]).sum::<f64>() / members.len() as f64;
            (members.iter().map(|&i| (numbers[i] - mean).powi(2)).sum::<f64>(), mean)
        };
        let mut best = (f64::INFINITY, Vec::new());
        for set in 1..(1_usize << numbers.len()) - 1 {
            let (one, two): (Vec<usize>, Vec<usize>) = (0..numbers.len()).partition(|i| set >> i & 1 == 1);
            let ((a, at), (b, bt)) = (about(&one), about(&two));
            if a + b < best.0 {
                best = (a + b, if at > bt { one } else { two });
            }
        }
        best
    }

    #[test]
    fn no_two_sets_are_closer_together() {
        let mut rng = Seed(1).stream("test", 0, "gap", 0);
        for n in 2..11 {
            for _ in 0..20 {
                let numbers: Vec<f64> = (0..n).map(|_| rng.random_range(-3.0..3.0)).collect();
                let (sum, members) = of_all_sets(&numbers);
                assert!((within(&numbers)[1] - sum).abs() < 1e-12, "{numbers:?}");
                assert_eq!(upper(&numbers), members, "{numbers:?}");
            }
        }
    }

    #[test]
    fn ties_are_not_parted() {
        assert_eq!(upper(&[0.0, 1.0, 2.0]), [2], "either sum is the same");
        assert_eq!(upper(&[1.0, 0.0, 1.0, 0.0, 0.0]), [0, 2]);
        assert_eq!(upper(&[5.0; 4]), [0; 0]);
        assert_eq!(upper(&[5.0]), [0; 0]);
    }

    #[test]
    fn two_clusters_are_told_from_one() {
        let mut rng = Seed(2).stream("test", 0, "gap", 0);
        let (mut found, mut mistaken) = (0, [0; 2]);
        for _ in 0..200 {
            let uniform: Vec<f64> = (0..20).map(|_| rng.random()).collect();
            let normal: Vec<f64> = (0..20).map(|_| rng.sample(StandardNormal)).collect();
            let two: Vec<f64> =
                uniform.iter().enumerate().map(|(i, x)| x + 3.0 * f64::from(i >= 14)).collect();
            let moved: Vec<f64> = two.iter().map(|x| 1e-9 * x + 7.0).collect();
            let mut is_there = |numbers: &[f64]| i32::from(is_there(numbers, 10, &mut rng));
            found += is_there(&two) + is_there(&moved);
            mistaken[0] += is_there(&normal);
            mistaken[1] += is_there(&uniform);
        }
        assert_eq!(found, 400);
        // the method's own: it asks for no more than one standard deviation
        assert!(mistaken[0] < 20 && mistaken[1] < 60, "{mistaken:?}");
        assert!(!is_there(&[1.0; 9], 10, &mut rng) && !is_there(&[0.0, 1.0], 10, &mut rng));
        assert!(is_there(&[0.0, 0.0, 1.0], 10, &mut rng), "nothing is within two clusters");
    }
}
