//! One worker's job, or a part of the test set, through the kernels.

use phalanx_actors::learner::Job;
use phalanx_robust::{Dtype, Vector};

use super::{
    chance::Chance,
    convert::clipped,
    inputs::{Inputs, Pick},
    kernels::{Network, Prepared, Real, Spare},
};

/// Memory of passes in both number formats, taken up again by the next one; one format stays empty.
#[derive(Debug, Default)]
pub(super) struct Spares {
    single: Spare<f32>,
    double: Spare<f64>,
}

/// A model at a point, in the run's number format.
pub(super) enum Ready<'a> {
    Single(Prepared<'a, f32>),
    Double(Prepared<'a, f64>),
}

/// What one worker's batch gives.
pub(super) struct Answer {
    /// The gradient, clipped.
    pub row: Vector,
    pub loss: f64,
    pub accuracy: f64,
    /// Means and unbiased variances of the tracked channels.
    pub mean: Vec<f64>,
    pub var: Vec<f64>,
}

impl<'a> Ready<'a> {
    pub fn new(network: &'a Network, point: &Vector, precision: Dtype) -> Self {
        match precision {
            Dtype::F32 => Self::Single(prepared(network, point)),
            Dtype::F64 => Self::Double(prepared(network, point)),
        }
    }

    /// The job's gradient.
    pub fn learn(&self, train: &Inputs, job: &Job, clip: Option<f64>, spares: &Spares) -> Answer {
        match self {
            Self::Single(at) => learn(at, train, job, clip, &spares.single),
            Self::Double(at) => learn(at, train, job, clip, &spares.double),
        }
    }

    /// Sum of losses and number of right answers for samples of the test set, with running means and variances; `predicted`
    /// is told the class of every sample.
    pub fn score(
        &self,
        test: &Inputs,
        picks: &[Pick],
        running: &(Vec<f64>, Vec<f64>),
        spares: &Spares,
        predicted: impl FnMut(usize),
    ) -> (f64, f64) {
        match self {
            Self::Single(at) => score(at, test, picks, running, &spares.single, predicted),
            Self::Double(at) => score(at, test, picks, running, &spares.double, predicted),
        }
    }
}

fn prepared<'a, T: Real>(network: &'a Network, point: &Vector) -> Prepared<'a, T> {
    match T::view(point) {
        Some(values) => network.at(values),
        None => network.at(&point.to_f64().into_iter().map(T::from_f64).collect::<Vec<T>>()),
    }
}

fn learn<T: Real>(
    at: &Prepared<'_, T>,
    train: &Inputs,
    job: &Job,
    clip: Option<f64>,
    spare: &Spare<T>,
) -> Answer {
    let x = train.gather_one(&train.picks(&job.draw));
    let found = at.learn(&x, &job.draw.labels, Chance::of(&job.draw.rng), spare);
    Answer {
        row: clipped(T::vector(found.gradient), clip),
        loss: found.loss,
        accuracy: found.accuracy,
        mean: found.mean,
        var: found.var,
    }
}

fn score<T: Real>(
    at: &Prepared<'_, T>,
    test: &Inputs,
    picks: &[Pick],
    (mean, var): &(Vec<f64>, Vec<f64>),
    spare: &Spare<T>,
    predicted: impl FnMut(usize),
) -> (f64, f64) {
    let x = test.gather_one(picks);
    at.evaluate(&x, &test.labels(picks), mean, var, spare, predicted)
}
