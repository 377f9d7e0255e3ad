//! How long a submission is on its way, in virtual seconds. Distributions are
//! made once, by the plan, and sampled by the fault layer from named streams.

use phalanx_robust::{describe::ParameterError, random::Stream};
use rand::RngExt;
use rand_distr::{Distribution, Exp, LogNormal, Pareto};

/// The longest delay that may be a parameter: some thirty years.
const LONGEST: f64 = 1e9;

/// A distribution of delays in seconds. Delays of several faults add up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delay(Law);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Law {
    Constant(f64),
    Uniform(f64, f64),
    Exponential(f64, Exp<f64>),
    Lognormal(LogNormal<f64>),
    Pareto(Pareto<f64>),
}

impl Delay {
    /// Always so many seconds.
    ///
    /// # Errors
    /// [`ParameterError`] for a value out of range; so in all that follow.
    pub fn constant(seconds: f64) -> Result<Self, ParameterError> {
        checked("seconds", seconds).map(|seconds| Self(Law::Constant(seconds)))
    }

    /// Uniform between `min` and `max`.
    ///
    /// # Errors
    /// [`ParameterError`].
    pub fn uniform(min: f64, max: f64) -> Result<Self, ParameterError> {
        let (min, max) = (checked("min", min)?, checked("max", max)?);
        if min > max {
            return Err(ParameterError::new("max", max, "max >= min"));
        }
        Ok(Self(Law::Uniform(min, max)))
    }

    /// `min` and an exponentially distributed time of this mean behind it: P(X > min + x) = exp(-x/mean).
    ///
    /// # Errors
    /// [`ParameterError`].
    pub fn exponential(min: f64, mean: f64) -> Result<Self, ParameterError> {
        let (min, mean) = (checked("min", min)?, positive("mean", mean)?);
        let law = Exp::new(1.0 / mean).map_err(|_| out_of_range("mean", mean))?;
        Ok(Self(Law::Exponential(min, law)))
    }

    /// Its logarithm is normal around ln(median) with standard deviation `sigma`.
    ///
    /// # Errors
    /// [`ParameterError`].
    pub fn lognormal(median: f64, sigma: f64) -> Result<Self, ParameterError> {
        let median = positive("median", median)?;
        let bad = || ParameterError::new("sigma", sigma, "a number from 0 to 10");
        if !(0.0..=10.0).contains(&sigma) {
            return Err(bad());
        }
        LogNormal::new(median.ln(), sigma).map(|law| Self(Law::Lognormal(law))).map_err(|_| bad())
    }

    /// P(X > x) = (min/x)^shape from `min` on; small shapes have heavy tails, and up to 1 no mean.
    ///
    /// # Errors
    /// [`ParameterError`].
    pub fn pareto(min: f64, shape: f64) -> Result<Self, ParameterError> {
        let min = positive("min", min)?;
        let bad = |_| ParameterError::new("shape", shape, "a number above 0");
        let shape = if shape.is_finite() { shape } else { 0.0 };
        Pareto::new(min, shape).map(|law| Self(Law::Pareto(law))).map_err(bad)
    }

    /// The name of the fault.
    pub fn name(&self) -> &'static str {
        match self.0 {
            Law::Constant(_) => "constant-delay",
            Law::Uniform(..) => "uniform-delay",
            Law::Exponential(..) => "exponential-delay",
            Law::Lognormal(_) => "lognormal-delay",
            Law::Pareto(_) => "pareto-delay",
        }
    }

    /// A delay in seconds, never negative.
    pub fn sample(&self, rng: &mut Stream) -> f64 {
        match self.0 {
            Law::Constant(seconds) => seconds,
            Law::Uniform(min, max) => min + (max - min) * rng.random::<f64>(),
            Law::Exponential(min, law) => min + law.sample(rng),
            Law::Lognormal(law) => law.sample(rng),
            Law::Pareto(law) => law.sample(rng),
        }
    }
}

fn checked(parameter: &'static str, seconds: f64) -> Result<f64, ParameterError> {
    let fits = (0.0..=LONGEST).contains(&seconds);
    if fits { Ok(seconds) } else { Err(ParameterError::new(parameter, seconds, "0 to 1e9 seconds")) }
}

fn positive(parameter: &'static str, seconds: f64) -> Result<f64, ParameterError> {
    let fits = seconds > 0.0 && seconds <= LONGEST;
    if fits { Ok(seconds) } else { Err(out_of_range(parameter, seconds)) }
}

fn out_of_range(parameter: &'static str, seconds: f64) -> ParameterError {
    ParameterError::new(parameter, seconds, "more than 0, up to 1e9 seconds")
}

#[cfg(test)]
mod tests {
    use phalanx_robust::random::Seed;

    use super::*;

    /// The fraction of 20,000 delays above each of `bounds`.
    fn above(delay: Delay, bounds: [f64; 3]) -> [f64; 3] {
        let mut rng = Seed(5).stream("fault", 0, "delay", 1);
        let sample: Vec<f64> = (0..20_000).map(|_| delay.sample(&mut rng)).collect();
        bounds.map(|bound| sample.iter().filter(|x| **x > bound).count() as f64 / sample.len() as f64)
    }

    /// Five standard deviations of a fraction of 20,000.
    fn near(found: [f64; 3], expected: [f64; 3]) {
        for (found, p) in found.into_iter().zip(expected) {
            let allowed = 5.0 * (p * (1.0 - p) / 20_000.0).sqrt();
            assert!((found - p).abs() <= allowed, "{found} where {p} is expected");
        }
    }

    #[test]
    fn the_tails_are_those_of_the_formulas() {
        near(above(Delay::constant(0.5).unwrap(), [0.4, 0.5, 0.6]), [1.0, 0.0, 0.0]);
        near(above(Delay::uniform(1.0, 3.0).unwrap(), [1.0, 1.5, 3.0]), [1.0, 0.75, 0.0]);
        let exponential = Delay::exponential(1.0, 0.5).unwrap();
        near(above(exponential, [1.0, 1.5, 2.5]), [1.0, (-1f64).exp(), (-3f64).exp()]);
        // ln(x) is normal: a tail of one half at the median, of 0.1587 one sigma above it.
        let lognormal = Delay::lognormal(0.2, 0.7).unwrap();
        near(above(lognormal, [0.2 * (-0.7f64).exp(), 0.2, 0.2 * 0.7f64.exp()]), [0.8413, 0.5, 0.1587]);
        near(above(Delay::pareto(0.1, 2.0).unwrap(), [0.1, 0.2, 0.4]), [1.0, 0.25, 0.0625]);
    }

    #[test]
    fn what_is_no_distribution_is_refused_by_its_parameter() {
        let parameter = |made: Result<Delay, ParameterError>| made.unwrap_err().parameter;
        assert_eq!(parameter(Delay::constant(-1.0)), "seconds");
        assert_eq!(parameter(Delay::constant(f64::NAN)), "seconds");
        assert_eq!(parameter(Delay::uniform(2.0, 1.0)), "max");
        assert_eq!(parameter(Delay::exponential(0.0, 0.0)), "mean");
        assert_eq!(parameter(Delay::lognormal(1.0, f64::INFINITY)), "sigma");
        assert_eq!(parameter(Delay::lognormal(0.0, 1.0)), "median");
        assert_eq!(parameter(Delay::pareto(1.0, f64::NAN)), "shape");
        assert_eq!(parameter(Delay::pareto(0.0, 1.0)), "min");
    }
}
