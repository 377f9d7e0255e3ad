//! A convex objective behind the cast's learner contract.

use std::sync::Arc;

use phalanx_actors::{
    Confusion,
    learner::{Evaluation, EvaluationTask, Job, Learned, Learner, LearnerError, Query},
};
use phalanx_robust::{
    Dtype, Vector,
    estimator::{Gradients, Points},
    state::Stateful,
    step::Domain,
};
use rayon::prelude::*;

use super::{Objective, Sampled, fraction, norm};
use crate::learner::local::LocalLearner;

/// Learns a convex objective. Gradients are computed in f64 and handed out in the chosen format; each job is one
/// task of the thread pool, so the number of threads changes no bit. It remembers nothing.
#[derive(Clone)]
pub struct ConvexLearner {
    objective: Arc<dyn Objective>,
    dtype: Dtype,
    clip: f64,
    /// Of how many classes evaluations count what is taken for what, if they do.
    counted: Option<usize>,
}

impl ConvexLearner {
    /// A learner of `objective`, with vectors in the format `dtype`; a gradient longer than `clip` is scaled down to
    /// that norm, and 0 turns clipping off.
    pub fn new(objective: Arc<dyn Objective>, dtype: Dtype, clip: f64) -> Self {
        Self { objective, dtype, clip, counted: None }
    }

    /// The same, whose evaluations count what is taken for what among so many classes: those of the objective, which tells
    /// predictions.
    pub fn per_class(self, classes: usize) -> Self {
        Self { counted: Some(classes), ..self }
    }

    /// What is learned.
    pub fn objective(&self) -> &Arc<dyn Objective> {
        &self.objective
    }

    /// The convex set that the server's step projects to.
    pub fn domain(&self) -> Domain {
        self.objective.domain()
    }

    fn vector(&self, values: Vec<f64>) -> Vector {
        match self.dtype {
            Dtype::F32 => values.iter().map(|&value| value as f32).collect::<Vec<_>>().into(),
            Dtype::F64 => values.into(),
        }
    }

    fn coordinates(&self, point: &Vector) -> Result<Vec<f64>, LearnerError> {
        self.check("point", point.len())?;
        Ok(point.to_f64())
    }

    /// Whether a vector of this length is one of the task.
    fn check(&self, what: &str, given: usize) -> Result<(), LearnerError> {
        let dim = self.objective.start().len();
        if given != dim {
            return Err(LearnerError::Model(format!("a {what} of {given} coordinates, expected {dim}")));
        }
        Ok(())
    }

    /// What `job` asks for at `x`.
    fn sampled(&self, x: &[f64], job: &Job) -> Result<Sampled, LearnerError> {
        let sampled = self.objective.sampled(x, job.worker, &job.draw)?;
        self.check("gradient", sampled.gradient.len())?;
        Ok(sampled)
    }

    fn clipped(&self, mut gradient: Vec<f64>) -> Vector {
        let length = norm(&gradient);
        if self.clip > 0.0 && length > self.clip {
            let scale = self.clip / length;
            gradient.iter_mut().for_each(|value| *value *= scale);
        }
        self.vector(gradient)
    }

    fn answer(&self, current: &[f64], previous: Option<&[f64]>, job: &Job) -> Result<Learned, LearnerError> {
        let here = self.sampled(current, job)?;
        let previous = previous.filter(|_| job.points == Points::CurrentAndPrevious);
        let previous = previous.map(|x| self.sampled(x, job)).transpose()?;
        let gradients = Gradients {
            current: self.clipped(here.gradient),
            previous: previous.map(|there| self.clipped(there.gradient)),
        };
        Ok(Learned { gradients, loss: here.loss, accuracy: here.accuracy })
    }
}

impl Stateful for ConvexLearner {}

impl Learner for ConvexLearner {
    fn start(&self) -> Vector {
        self.vector(self.objective.start().to_vec())
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        let current = self.coordinates(&query.current)?;
        let previous = query.previous.as_ref().map(|point| self.coordinates(point)).transpose()?;
        jobs.par_iter().map(|job| self.answer(&current, previous.as_deref(), job)).collect()
    }

    fn evaluation(&mut self, round: u64, point: &Vector) -> EvaluationTask {
        let (objective, x, classes) = (self.objective.clone(), point.to_f64(), self.counted);
        Box::new(move || {
            let (loss, gap) = (objective.value(&x), objective.gap(&x));
            let confusion = classes.map(|classes| confusion(objective.as_ref(), &x, classes)).transpose()?;
            let accuracy = confusion.as_ref().map_or_else(
                || objective.accuracy(&x),
                |confusion| fraction(confusion.right(), confusion.samples()),
            );
            let confusion = confusion.map(Arc::new);
            Ok(Evaluation { loss, accuracy, gap, confusion, ..Evaluation::unknown(round) })
        })
    }
}

impl LocalLearner for ConvexLearner {
    fn gradients_at(&mut self, points: &[Vector], jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        let answer = |(job, point)| self.answer(&self.coordinates(point)?, None, job);
        jobs.par_iter().zip(points).map(answer).collect()
    }
}

/// What x takes for what, among so many classes.
fn confusion(objective: &dyn Objective, x: &[f64], classes: usize) -> Result<Confusion, LearnerError> {
    let (labels, predictions) = objective.labels().zip(objective.predictions(x)).unzip();
    let (labels, predictions) = (labels.map_or(&[][..], |labels| labels), predictions.unwrap_or_default());
    if labels.len() != predictions.len() {
        let told = format!("{} predictions for {} labels", predictions.len(), labels.len());
        return Err(LearnerError::Model(told));
    }
    if let Some(strange) = predictions.iter().find(|class| usize::from(**class) >= classes) {
        return Err(LearnerError::Model(format!("it predicts class {strange} of {classes}")));
    }
    let mut confusion = Confusion::new(classes);
    labels.iter().zip(predictions).for_each(|(label, class)| confusion.count((*label).into(), class.into()));
    Ok(confusion)
}
