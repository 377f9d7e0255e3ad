//! Means over seeds and what they are worth: intervals by Student's t
//! (Student, 1908), alone and of paired differences.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean with a 95 % confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half the interval's width; none for a single value, or if the mean is not finite.
    pub half: Option<f64>,
    /// Number of values.
    pub n: usize,
}

impl Estimate {
    /// Of independent `values`: mean ± t(0.975, n − 1) s / √n, s with divisor n − 1; none if there is no value.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        // the root of the sum of squares, whose squares may be beyond the range of numbers
        let deviation = values.iter().map(|value| value - mean).fold(0.0, f64::hypot);
        let half = (n > 1).then(|| t_quantile(n - 1) * deviation / (((n - 1) * n) as f64).sqrt());
        Some(Self { mean, half: half.filter(|half| half.is_finite()), n })
    }

    /// The same of values that are `factor` times as large.
    pub fn scaled(self, factor: f64) -> Self {
        Self { mean: factor * self.mean, half: self.half.map(|half| factor * half), ..self }
    }

    /// None if the mean is not finite.
    pub fn finite(self) -> Option<Self> {
        Some(self).filter(|estimate| estimate.mean.is_finite())
    }

    /// The interval, or the mean alone.
    pub fn range(&self) -> (f64, f64) {
        let half = self.half.unwrap_or(0.0);
        (self.mean - half, self.mean + half)
    }

    /// Whether the interval leaves zero out.
    pub fn excludes_zero(&self) -> bool {
        self.half.is_some_and(|half| self.mean.abs() > half)
    }
}

/// A mean in words, with its interval if there are several values; `show` writes a number.
pub fn interval(estimate: Option<Estimate>, show: impl Fn(f64) -> String) -> String {
    match estimate {
        Some(Estimate { mean, half: Some(half), .. }) => format!("{} ± {}", show(mean), show(half)),
        Some(Estimate { mean, half: None, .. }) => show(mean),
        None => "–".to_owned(),
    }
}

/// The 0.975 quantile of Student's t with `freedom` degrees of freedom.
fn t_quantile(freedom: usize) -> f64 {
    StudentsT::new(0.0, 1.0, freedom as f64).map_or(f64::NAN, |t| t.inverse_cdf(0.975))
}

/// The median; none without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().saturating_sub(1) / 2)?, sorted.get(sorted.len() / 2)?);
    Some((low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::{Estimate, median, t_quantile};

    #[test]
    fn quantiles_are_those_of_the_printed_tables() {
        for (freedom, table) in [(1, 12.706), (2, 4.303), (4, 2.776), (9, 2.262), (30, 2.042), (120, 1.980)] {
            let quantile = t_quantile(freedom);
            assert!((quantile - table).abs() < 5e-4, "{freedom}: {quantile}, the table says {table}");
        }
    }

    #[test]
    fn an_interval_computed_by_hand() {
        // 1, 2, 6: mean 3, s² = (4 + 1 + 9)/2 = 7, half = 4.3027 √(7/3) = 6.5724
        let estimate = Estimate::of(&[1.0, 2.0, 6.0]).unwrap();
        assert_eq!((estimate.mean, estimate.n), (3.0, 3));
        assert!((estimate.half.unwrap() - 6.5724).abs() < 1e-3);
        assert!(!estimate.excludes_zero());
        assert!(Estimate::of(&[1.0, 1.1, 1.2]).unwrap().excludes_zero());
    }

    #[test]
    fn what_is_not_finite_has_no_interval() {
        let diverged = Estimate::of(&[1.0, f64::INFINITY, 2.0]).unwrap();
        assert_eq!((diverged.mean, diverged.half, diverged.finite()), (f64::INFINITY, None, None));
        let large = Estimate::of(&[1e200, 3e200]).unwrap();
        // half = 12.706 · √2e200 / √2
        assert!((large.half.unwrap() / 1e200 - 12.706).abs() < 1e-3, "{large:?}");
    }

    #[test]
    fn one_value_has_no_interval_and_none_no_mean() {
        assert_eq!(Estimate::of(&[0.5]), Some(Estimate { mean: 0.5, half: None, n: 1 }));
        assert_eq!(Estimate::of(&[]), None);
    }

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0, f64::NAN]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
