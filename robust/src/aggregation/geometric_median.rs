//! The geometric median by Weiszfeld's iteration, also known as RFA.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Bound, Context, Layer, Rule, RuleError,
    order::{ascending, median},
    theory::ratio,
};
use crate::{
    Batch, ColumnRule, Gram, Median, Size,
    describe::{Described, ParameterError, Preset},
    state::Stateful,
};

/// Where the iteration starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// At the origin.
    Zero,
    /// At the mean of the vectors, which one of them can put anywhere: the steps then need about log(distance) /
    /// log((m - f)/f) to come back, many where f is near m/2.
    Mean,
    /// At their coordinate-wise median (midpoint), which costs one more pass over memory.
    Median,
    /// At the mean of the majority around the vector of least Σ ‖x_i - x_j‖: of so many nearest to it that they are
    /// more than half. It is near the honest vectors wherever the others are, and costs no pass.
    #[default]
    Majority,
}

impl Start {
    /// Whether fewer than half of the vectors cannot put it anywhere.
    fn is_robust(self) -> bool {
        matches!(self, Self::Median | Self::Majority)
    }
}

/// The least distance that a vector counts with unless it is given, as a part of the median distance.
const SMOOTHING: f64 = 1e-6;

/// Geometric median, the point of least Σ ‖x_i - z‖, by smoothed Weiszfeld steps; known as RFA in federated learning.
///
/// A step takes z to Σ w_i x_i / Σ w_i with w_i = 1 / max(‖x_i - z‖, nu). Without smoothing, from a z that is one of the
/// vectors, it goes to the weighted mean of the others only so far as these outweigh it (Vardi & Zhang, 2000), and stays
/// if that vector is the median. By default the steps begin near the honest vectors and go on until z stands still, but
/// for no more than `steps`. Where the sum is flat around its least point, as with an even number of nearly collinear
/// vectors, they become short before they are there: 0.2 of the median distance away was seen, with a sum of 5e-5 more
/// than the least; `tolerance = 0.0` and more `steps` come nearer. Pillutla et al. themselves stop after three of them, and so
/// do the presets `dahan` and `byzfl`, whose three steps start at zero: that result depends on the origin and is no more than
/// an approximation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GeometricMedian {
    /// Where the steps start.
    pub start: Start,
    /// The least distance that a vector counts with (smoothing), in the unit of the vectors; by default a millionth of
    /// the median distance to the vectors.
    #[schemars(range(min = 0.0))]
    pub nu: Option<f64>,
    /// The largest number of steps.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// The steps end when z moves by less than this fraction of the median distance to the vectors; 0 takes all steps.
    #[schemars(range(min = 0.0))]
    pub tolerance: f64,
}

impl Default for GeometricMedian {
    fn default() -> Self {
        Self { start: Start::default(), nu: None, steps: 100, tolerance: 1e-6 }
    }
}

impl Described for GeometricMedian {
    const NAME: &'static str = "geometric-median";
    const SOURCE: &'static str = "Chen et al., 2017; Pillutla et al., 2022";

    fn preset(preset: Preset) -> Self {
        match preset {
            Preset::Paper => Self::default(),
            Preset::Dahan | Preset::Byzfl => {
                Self { start: Start::Zero, nu: Some(0.1), steps: 3, tolerance: 0.0 }
            }
        }
    }
}

impl Rule for GeometricMedian {
    fn build(&self) -> Result<Layer, ParameterError> {
        self.nu.map_or(Ok(()), |nu| ParameterError::not_negative("nu", nu))?;
        ParameterError::not_negative("tolerance", self.tolerance)?;
        ParameterError::at_least_one("steps", self.steps)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn guarantee() -> Option<&'static str> {
        Some(
            "kappa = 4 (1 + r)^2 of the exact point (from median or majority, without nu), Allouah et al., 2023",
        )
    }
}

impl Stateful for GeometricMedian {}

impl Aggregator for GeometricMedian {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        let ones = vec![1.0; batch.m()];
        Ok(Aggregate::span(self.solve(batch, &ones)?))
    }

    fn bound(&self, size: Size) -> Option<Bound> {
        let smoothed = self.nu.is_some_and(|nu| nu > 0.0);
        let solved = self.tolerance > 0.0 && self.tolerance <= 1e-3 && self.steps >= 50;
        let exact = self.start.is_robust() && solved && !smoothed;
        let kappa = 4.0 * (1.0 + ratio(size)).powi(2);
        exact.then(|| Bound::kappa(kappa, "4 (1 + r)^2", "Allouah et al., 2023, for the exact point"))
    }
}

impl GeometricMedian {
    /// The coefficients of the point over the rows, each of which counts `weights[i]` times.
    pub(super) fn solve(&self, batch: &Batch<'_>, weights: &[f64]) -> Result<Vec<f64>, RuleError> {
        let gram = batch.gram()?;
        let m = batch.m();
        let z = match self.start {
            Start::Zero => vec![0.0; m],
            Start::Mean => normalised(weights.to_vec()),
            Start::Majority => majority(gram, weights),
            Start::Median => {
                let median = batch.columns(&ColumnRule::Median(Median::Midpoint), false)?.output;
                self.step(gram, &batch.distances(&median), weights)
            }
        };
        let taken = usize::from(self.start == Start::Median);
        Ok(self.descend(gram, z, weights, self.steps - taken))
    }

    /// As [`solve`](Self::solve), from a given point.
    pub(super) fn descend(&self, gram: &Gram, mut z: Vec<f64>, weights: &[f64], steps: usize) -> Vec<f64> {
        for _ in 0..steps {
            let distances2 = gram.distances2_to(&z);
            let next = self.step(gram, &distances2, weights);
            let moved: Vec<f64> = next.iter().zip(&z).map(|(a, b)| a - b).collect();
            z = next;
            // the median, because a mean would let one far vector end the steps early
            let scale = median(&distances2).sqrt();
            if self.tolerance > 0.0 && gram.norm2(&moved).sqrt() <= self.tolerance * scale {
                break;
            }
        }
        z
    }

    /// One step from a point at these squared distances. From a point x_k that is one of the vectors, with nothing to
    /// smooth it, that of Vardi & Zhang (2000): a part s_k / ‖Σ s_i (x_i - x_k) / ‖x_i - x_k‖‖ of the result, the sum
    /// over the others, is x_k itself; all of it if that is 1 or more, for then x_k is the median.
    fn step(&self, gram: &Gram, distances2: &[f64], weights: &[f64]) -> Vec<f64> {
        let nu = self.nu.unwrap_or_else(|| SMOOTHING * median(distances2).sqrt());
        let reach = distances2.iter().map(|d2| d2.sqrt().max(nu));
        let (met, pulls): (Vec<f64>, Vec<f64>) = reach
            .zip(weights)
            .map(|(reach, w)| if reach == 0.0 { (*w, 0.0) } else { (0.0, w / reach) })
            .unzip();
        let (weight, pull) = (met.iter().sum::<f64>(), pulls.iter().sum::<f64>());
        if weight == 0.0 {
            return normalised(pulls);
        }
        let met = normalised(met);
        let others: Vec<f64> = pulls.iter().zip(&met).map(|(p, own)| p - pull * own).collect();
        let part = weight / gram.norm2(&others).sqrt();
        if part >= 1.0 {
            return met;
        }
        met.iter().zip(&pulls).map(|(own, p)| part * own + (1.0 - part) * p / pull).collect()
    }
}

/// The mean of the vectors nearest to the one of least Σ s_j ‖x_i - x_j‖, of so many that they weigh more than half.
///
/// The centre's sum is at most twice that of the geometric median (the triangle inequality), so that it is near the
/// honest majority, and with it is a majority around it.
fn majority(gram: &Gram, weights: &[f64]) -> Vec<f64> {
    let m = gram.m();
    let distances = |i: usize| (0..m).map(move |j| gram.distance2(i, j).sqrt());
    let sums: Vec<f64> = (0..m).map(|i| distances(i).zip(weights).map(|(d, w)| w * d).sum()).collect();
    let from_centre: Vec<f64> = distances(ascending(&sums)[0]).collect();
    let half = weights.iter().sum::<f64>() / 2.0;
    let (mut kept, mut weight) = (vec![0.0; m], 0.0);
    for i in ascending(&from_centre) {
        if weight > half {
            break;
        }
        kept[i] = weights[i];
        weight += weights[i];
    }
    normalised(kept)
}

fn normalised(mut weights: Vec<f64>) -> Vec<f64> {
    let total: f64 = weights.iter().sum();
    weights.iter_mut().for_each(|w| *w /= total);
    weights
}
