//! How good a point is on the test set, and on the validation set if there is one, off the critical path.

use std::{ops::Range, sync::Arc};

use phalanx_actors::learner::{Evaluation, LearnerError};
use phalanx_robust::{Dtype, Vector, to_device};
use rayon::prelude::*;
use tch::{Device, Kind, TchError, Tensor};

use super::{
    Model, Pass,
    alone::{Ready, Spares},
    convert,
    inputs::Inputs,
    learner::{failed, on_one_thread},
    pass,
    running::Running,
};

/// Samples of one pass: large enough to fill the vector units, small enough that activations stay in the cache.
const KERNEL_BATCH: usize = 16;
const CPU_BATCH: usize = 128;
const DEVICE_BATCH: usize = 1024;

/// All that an evaluation needs.
pub(super) struct Snapshot {
    pub round: u64,
    pub model: Arc<Model>,
    pub point: Point,
    pub running: Running,
    pub test: Arc<Inputs>,
    pub validation: Option<Arc<Inputs>>,
    pub spares: Arc<Spares>,
}

/// The point, for what computes there.
pub(super) enum Point {
    Kernels(Vector, Dtype),
    Torch(Tensor),
}

/// One batch of held-out samples, for libtorch.
struct Part {
    point: Tensor,
    running: Running,
    samples: Range<usize>,
}

/// Sum of losses, and number classified rightly.
type Sums = (f64, f64);

impl Snapshot {
    /// Mean cross-entropy and accuracy over the test set and the validation set.
    pub fn evaluate(self) -> Result<Evaluation, LearnerError> {
        let (loss, accuracy) = self.score(&self.test)?;
        let validation = self.validation.as_ref().map(|held| self.score(held)).transpose()?;
        let (validation_loss, validation_accuracy) = validation.unwrap_or((f64::NAN, f64::NAN));
        let unknown = Evaluation::unknown(self.round);
        Ok(Evaluation { loss, accuracy, validation_loss, validation_accuracy, ..unknown })
    }

    /// Mean cross-entropy and accuracy over `held`. The batches are spread over the current rayon pool; the sums are
    /// taken in their order.
    fn score(&self, held: &Inputs) -> Result<(f64, f64), LearnerError> {
        let sums = match &self.point {
            Point::Kernels(point, precision) => self.kernels(held, point, *precision),
            Point::Torch(point) => self.torch(held, point).map_err(failed)?,
        };
        let (loss, right) = sums.iter().fold((0.0, 0.0), |all, part| (all.0 + part.0, all.1 + part.1));
        let n = held.images.len() as f64;
        Ok((loss / n, right / n))
    }

    fn kernels(&self, held: &Inputs, point: &Vector, precision: Dtype) -> Vec<Sums> {
        let Some(network) = self.model.network() else { return Vec::new() };
        let ready = Ready::new(network, point, precision);
        let (running, spares) = (self.running.values(), &*self.spares);
        let score = |samples| ready.score(held, &Inputs::plain(samples), &running, spares);
        batches(held, KERNEL_BATCH).into_par_iter().with_max_len(1).map(score).collect()
    }

    fn torch(&self, held: &Inputs, point: &Tensor) -> Result<Vec<Sums>, TchError> {
        let batch = if point.device() == Device::Cpu { CPU_BATCH } else { DEVICE_BATCH };
        let part = |samples| Part { point: point.shallow_clone(), running: self.running.clone(), samples };
        let parts: Vec<Part> = batches(held, batch).into_iter().map(part).collect();
        let model = &*self.model;
        let sums = |part: Part| on_one_thread(|| tch::no_grad(|| part.sums(model, held)));
        if point.device() != Device::Cpu {
            return parts.into_iter().map(sums).collect(); // one batch fills the device
        }
        parts.into_par_iter().with_max_len(1).map(sums).collect()
    }
}

fn batches(held: &Inputs, batch: usize) -> Vec<Range<usize>> {
    let samples = held.images.len();
    (0..samples).step_by(batch).map(|start| start..samples.min(start + batch)).collect()
}

impl Part {
    fn sums(self, model: &Model, held: &Inputs) -> Result<Sums, TchError> {
        let parameters = pass::parameters(model, &self.point.f_unsqueeze(0)?, 1)?;
        let picks = Inputs::plain(self.samples);
        let labels = Tensor::f_from_slice(&held.labels(&picks))?;
        let x = held.gather(&[picks])?;
        let mut pass = Pass::evaluate(&parameters, &self.running, x.kind());
        let logits = model.forward(x, &mut pass)?.to_kind(self.point.kind());
        let labels = to_device(&labels, logits.device()).f_unsqueeze(0)?;
        let losses = pass::losses(&logits, &labels)?.f_sum(Kind::Double)?;
        let right = logits.f_argmax(2, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Double)?;
        Ok((convert::values(&losses)[0], convert::values(&right)[0]))
    }
}
