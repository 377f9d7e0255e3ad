//! How good a point is on the test set, off the critical path.

use std::{sync::Arc, time::Duration};

use phalanx_actors::learner::{Evaluation, LearnerError};
use rayon::prelude::*;
use tch::{Device, Kind, TchError, Tensor};

use super::{Model, Pass, convert, inputs::Inputs, learner::failed, pass, running::Running};

/// Samples of one pass: large enough to fill the vector units, small enough that activations stay in the cache.
const CPU_BATCH: usize = 128;
const DEVICE_BATCH: usize = 1024;

/// All that an evaluation needs.
pub(super) struct Snapshot {
    pub round: u64,
    pub model: Arc<Model>,
    pub point: Tensor,
    pub running: Running,
    pub test: Arc<Inputs>,
}

/// One batch of the test set.
struct Part {
    point: Tensor,
    running: Running,
    start: usize,
    len: usize,
}

impl Snapshot {
    /// Mean cross-entropy and accuracy over the test set. The batches are spread over the current rayon pool; the
    /// sums are taken in their order.
    pub fn evaluate(self) -> Result<Evaluation, LearnerError> {
        let samples = self.test.images.len();
        let batch = if self.point.device() == Device::Cpu { CPU_BATCH } else { DEVICE_BATCH };
        let parts: Vec<Part> = (0..samples)
            .step_by(batch)
            .map(|start| Part {
                point: self.point.shallow_clone(),
                running: self.running.clone(),
                start,
                len: batch.min(samples - start),
            })
            .collect();
        let (model, test) = (&self.model, &self.test);
        let sums: Vec<(f64, f64)> = parts
            .into_par_iter()
            .with_max_len(1)
            .map(|part| super::learner::on_one_thread(|| tch::no_grad(|| part.sums(model, test))))
            .collect::<Result<_, TchError>>()
            .map_err(failed)?;
        let (loss, right) = sums.iter().fold((0.0, 0.0), |all, part| (all.0 + part.0, all.1 + part.1));
        let n = samples as f64;
        Ok(Evaluation {
            round: self.round,
            loss: loss / n,
            accuracy: right / n,
            gap: f64::NAN,
            took: Duration::ZERO,
        })
    }
}

impl Part {
    /// Sum of losses, and number classified rightly.
    fn sums(&self, model: &Model, test: &Inputs) -> Result<(f64, f64), TchError> {
        let parameters = pass::parameters(model, &self.point, 1)?;
        let mut pass = Pass::evaluate(&parameters, &self.running);
        let x = test.gather(&[Inputs::plain(self.start, self.len)])?;
        let logits = model.forward(x, &mut pass)?;
        let labels: Vec<i64> =
            test.images.labels[self.start..][..self.len].iter().map(|&y| i64::from(y)).collect();
        let labels = Tensor::f_from_slice(&labels)?.to_device(logits.device()).f_unsqueeze(0)?;
        let losses = pass::losses(&logits, &labels)?.f_sum(Kind::Double)?;
        let right = logits.f_argmax(2, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Double)?;
        Ok((convert::values(&losses)[0], convert::values(&right)[0]))
    }
}
