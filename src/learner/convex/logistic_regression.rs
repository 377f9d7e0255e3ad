//! Logistic regression on synthetic data.

use std::sync::Arc;

use phalanx_actors::learner::{Draw, LearnerError};
use phalanx_robust::{
    describe::{Described, ParameterError},
    random::Seed,
    step::Domain,
};
use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Objective, ObjectiveError, ObjectiveRule, Sampled, axpy, dot, fraction, geometry,
    newton::{self, Newton},
    norm, vectors,
};

/// Most samples.
const MOST_SAMPLES: usize = 10_000_000;
/// Most numbers in all samples, 1.6 GB.
const MOST_FEATURES: usize = 200_000_000;

/// Regularised logistic regression of two classes, f(x) = mean of ln(1 + exp(-y aᵀx)) + l2/2 ‖x‖², on synthetic data.
///
/// The features a are normal, scaled so that the longest one makes its own loss exactly `smoothness`-smooth:
/// max ‖a‖²/4 + l2 = smoothness. The labels y = ±1 tell on which side of a random plane through the origin a lies,
/// but a fraction `label_noise` of them, drawn at random, is wrong. f is the mean over all samples, whoever holds them;
/// the minimiser is found by Newton's method to machine precision. What honest workers hold has a minimum of its own where
/// that is not all samples (attackers hold some with `task.holders = "all"`, and `iid` leaves some over), or where their
/// shards are not of one size: f(x) - f(x*) then has a floor, which is no fault of the rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticRegression {
    /// Number of parameters, d.
    #[schemars(range(min = 1, max = 2000))]
    pub dim: usize,
    /// Number of samples.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub samples: usize,
    /// Smoothness L of each sample's loss; above `l2`.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub smoothness: f64,
    /// Weight of the regularisation, by which f is strongly convex.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub l2: f64,
    /// Probability that a label is wrong.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub label_noise: f64,
    /// ‖x_1 - x*‖; the direction is random.
    #[schemars(range(min = 0.0))]
    pub distance: f64,
    /// Radius of the ball around the origin to which iterates are projected; without it, no projection.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub radius: Option<f64>,
}

impl Default for LogisticRegression {
    fn default() -> Self {
        Self {
            dim: 20,
            samples: 2000,
            smoothness: 1.0,
            l2: 0.01,
            label_noise: 0.1,
            distance: 1.0,
            radius: None,
        }
    }
}

impl Described for LogisticRegression {
    const NAME: &'static str = "logistic-regression";
    const SOURCE: &'static str = "folklore";
}

impl ObjectiveRule for LogisticRegression {
    fn check(&self) -> Result<(), ParameterError> {
        ParameterError::unless((1..=2000).contains(&self.dim), "dim", self.dim, "1 <= dim <= 2000")?;
        let fits = (1..=MOST_SAMPLES).contains(&self.samples) && self.samples * self.dim <= MOST_FEATURES;
        let needs = "1 <= samples <= 10,000,000 and samples * dim <= 200,000,000";
        ParameterError::unless(fits, "samples", self.samples, needs)?;
        ParameterError::positive("l2", self.l2)?; // else the optimum is not finite
        let curved = self.smoothness.is_finite() && self.smoothness > self.l2;
        ParameterError::unless(curved, "smoothness", self.smoothness, "a finite number above l2")?;
        let fair = (0.0..=0.5).contains(&self.label_noise);
        ParameterError::unless(fair, "label_noise", self.label_noise, "0 <= label_noise <= 0.5")?;
        ParameterError::not_negative("distance", self.distance)?;
        geometry::check_radius(self.radius)
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn classes(&self) -> usize {
        2
    }

    /// Features and labels, optimum and start, and while the optimum is looked for a Hessian.
    fn holds(&self) -> u64 {
        vectors((self.samples + self.dim + 2) as u64, self.dim) + self.samples as u64
    }

    fn build(&self, seed: Seed) -> Result<Arc<dyn Objective>, ObjectiveError> {
        self.check()?;
        let data = Data::draw(self, seed);
        let optimum = newton::minimise(&data, vec![0.0; self.dim])?;
        let start = geometry::start(&optimum, self.distance, &mut seed.stream("task", 0, "start", 0));
        let domain = geometry::domain(self.radius, &optimum, &start)?;
        Ok(Arc::new(Logistic { data, optimum, start, domain }))
    }
}

struct Data {
    dim: usize,
    l2: f64,
    /// samples x d, row by row.
    features: Vec<f64>,
    /// 1 for y = 1, 0 for y = -1.
    labels: Arc<Vec<u8>>,
}

impl Data {
    fn draw(rule: &LogisticRegression, seed: Seed) -> Self {
        let mut rng = seed.stream("task", 0, "data", 0);
        let mut features = geometry::normal(rule.samples * rule.dim, &mut rng);
        let longest = features.chunks_exact(rule.dim).map(norm).fold(0.0, f64::max);
        let scale = 2.0 * (rule.smoothness - rule.l2).sqrt() / longest;
        features.iter_mut().for_each(|value| *value *= scale);
        let plane = geometry::direction(rule.dim, 1.0, &mut rng);
        let label = |a: &[f64]| {
            let is_wrong = rng.random::<f64>() < rule.label_noise;
            u8::from((dot(a, &plane) > 0.0) != is_wrong)
        };
        let labels = features.chunks_exact(rule.dim).map(label).collect();
        Self { dim: rule.dim, l2: rule.l2, features, labels: Arc::new(labels) }
    }

    fn len(&self) -> usize {
        self.labels.len()
    }

    fn features(&self, index: usize) -> &[f64] {
        &self.features[index * self.dim..][..self.dim]
    }

    /// All samples with their labels.
    fn all(&self) -> impl Iterator<Item = (&[f64], f64)> {
        self.features.chunks_exact(self.dim).zip(self.labels.iter().map(|&label| sign(i64::from(label))))
    }

    /// Mean gradient, loss and accuracy over samples, with the regularisation.
    fn mean<'a>(&self, x: &[f64], samples: impl ExactSizeIterator<Item = (&'a [f64], f64)>) -> Sampled {
        let count = samples.len();
        let share = 1.0 / count as f64;
        let mut gradient: Vec<f64> = x.iter().map(|value| self.l2 * value).collect();
        let (mut loss, mut right) = (0.0, 0);
        for (a, y) in samples {
            let margin = y * dot(a, x);
            loss += softplus(-margin);
            right += u64::from(margin > 0.0);
            axpy(&mut gradient, -share * y * sigmoid(-margin), a);
        }
        let loss = loss * share + 0.5 * self.l2 * dot(x, x);
        Sampled { gradient, loss, accuracy: fraction(right, count as u64) }
    }

    fn whole(&self, x: &[f64]) -> Sampled {
        let samples = (0..self.len()).map(|i| (self.features(i), sign(i64::from(self.labels[i]))));
        self.mean(x, samples)
    }
}

impl Newton for Data {
    fn value(&self, x: &[f64]) -> f64 {
        let sum: f64 = self.all().map(|(a, y)| softplus(-y * dot(a, x))).sum();
        sum / self.len() as f64 + 0.5 * self.l2 * dot(x, x)
    }

    fn gradient(&self, x: &[f64]) -> Vec<f64> {
        self.whole(x).gradient
    }

    fn hessian(&self, x: &[f64]) -> Vec<f64> {
        let mut hessian = vec![0.0; self.dim * self.dim];
        for (a, _) in self.all() {
            let p = sigmoid(dot(a, x));
            let weight = p * (1.0 - p) / self.len() as f64;
            for (i, &value) in a.iter().enumerate() {
                axpy(&mut hessian[i * self.dim..][..=i], weight * value, &a[..=i]);
            }
        }
        hessian.iter_mut().step_by(self.dim + 1).for_each(|diagonal| *diagonal += self.l2);
        hessian
    }
}

/// Label 1 is y = 1, every other label y = -1.
fn sign(label: i64) -> f64 {
    if label == 1 { 1.0 } else { -1.0 }
}

/// 1 / (1 + exp(-t)).
fn sigmoid(t: f64) -> f64 {
    if t >= 0.0 { 1.0 / (1.0 + (-t).exp()) } else { t.exp() / (1.0 + t.exp()) }
}

/// ln(1 + exp(t)), without overflow.
fn softplus(t: f64) -> f64 {
    t.max(0.0) + (-t.abs()).exp().ln_1p()
}

struct Logistic {
    data: Data,
    optimum: Vec<f64>,
    start: Vec<f64>,
    domain: Domain,
}

impl Objective for Logistic {
    fn start(&self) -> &[f64] {
        &self.start
    }

    fn optimum(&self) -> &[f64] {
        &self.optimum
    }

    fn domain(&self) -> Domain {
        self.domain
    }

    fn value(&self, x: &[f64]) -> f64 {
        Newton::value(&self.data, x)
    }

    fn gradient(&self, x: &[f64]) -> Vec<f64> {
        Newton::gradient(&self.data, x)
    }

    fn sampled(&self, x: &[f64], worker: usize, draw: &Draw) -> Result<Sampled, LearnerError> {
        let len = self.data.len();
        if let Some(&index) = draw.indices.iter().find(|&&index| index >= len) {
            return Err(LearnerError::Sample { worker, index, len });
        }
        if draw.indices.is_empty() || draw.labels.len() != draw.indices.len() {
            let told = format!(
                "worker {worker} sent {} samples and {} labels",
                draw.indices.len(),
                draw.labels.len()
            );
            return Err(LearnerError::Model(told));
        }
        let samples =
            draw.indices.iter().zip(&draw.labels).map(|(&i, &label)| (self.data.features(i), sign(label)));
        Ok(self.data.mean(x, samples))
    }

    fn labels(&self) -> Option<&Arc<Vec<u8>>> {
        Some(&self.data.labels)
    }

    /// What lies on the plane itself, or nowhere, is taken for the other class.
    fn predictions(&self, x: &[f64]) -> Option<Vec<u8>> {
        let class =
            |(label, (a, y)): (&u8, (&[f64], f64))| if y * dot(a, x) > 0.0 { *label } else { 1 - label };
        Some(self.data.labels.iter().zip(self.data.all()).map(class).collect())
    }
}
