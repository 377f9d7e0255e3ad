//! How good a point is on the test set, and on the validation set if there is one, off the critical path.

use std::sync::Arc;

use phalanx_actors::{
    Confusion,
    learner::{Evaluation, LearnerError},
};
use phalanx_robust::{Dtype, Vector, to_device};
use rayon::prelude::*;
use tch::{Device, Kind, TchError, Tensor};

use super::{
    Model, Pass,
    alone::{Ready, Spares},
    convert,
    inputs::{Inputs, Pick},
    learner::{Settings, Way, failed, on_one_thread},
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
    pub scorer: Scorer,
    pub point: Point,
    pub test: Arc<Inputs>,
    pub validation: Option<Arc<Inputs>>,
    /// Whether it is counted what of the test set is taken for what.
    pub per_class: bool,
}

/// A model that is asked how good points are.
#[derive(Clone)]
pub(super) struct Scorer {
    pub model: Arc<Model>,
    pub running: Running,
    pub spares: Arc<Spares>,
}

/// The point, for what computes there.
pub(super) enum Point {
    Kernels(Vector, Dtype),
    Torch(Tensor),
}

impl Point {
    /// The point for what computes in this way.
    pub fn of(point: &Vector, way: Way, settings: &Settings) -> Result<Self, LearnerError> {
        Ok(match way {
            Way::Kernels => Self::Kernels(point.clone(), settings.precision.vectors()),
            Way::Torch => Self::Torch(Self::tensor(point, settings)?),
        })
    }

    /// The point for libtorch.
    pub fn tensor(point: &Vector, settings: &Settings) -> Result<Tensor, LearnerError> {
        let kind = convert::kind(settings.precision.vectors());
        convert::tensor(point, kind, settings.device).map_err(failed)
    }
}

/// One batch of samples, for libtorch.
struct Part {
    point: Tensor,
    running: Running,
    samples: Vec<Pick>,
}

/// What a batch adds to the sums, in the order of the samples.
struct Sums {
    loss: f64,
    /// How many were classified rightly.
    right: f64,
    /// As what each was classified, if that is asked for.
    predicted: Vec<usize>,
}

/// What is known of some samples.
pub(super) struct Score {
    /// Mean cross-entropy.
    pub loss: f64,
    accuracy: f64,
    /// As what each was classified, if that was asked for.
    predicted: Vec<usize>,
}

impl Snapshot {
    /// Mean cross-entropy and accuracy over the test set and the validation set.
    pub fn evaluate(self) -> Result<Evaluation, LearnerError> {
        let Score { loss, accuracy, predicted } = self.score(&self.test, self.per_class)?;
        let confusion = self.per_class.then(|| Arc::new(confusion(&self.test, &predicted)));
        let mut evaluation = Evaluation { loss, accuracy, confusion, ..Evaluation::unknown(self.round) };
        if let Some(held) = &self.validation {
            let Score { loss, accuracy, .. } = self.score(held, false)?;
            (evaluation.validation_loss, evaluation.validation_accuracy) = (loss, accuracy);
        }
        Ok(evaluation)
    }

    fn score(&self, held: &Inputs, asked: bool) -> Result<Score, LearnerError> {
        self.scorer.score(&self.point, held, &Inputs::plain(0..held.images.len()), asked)
    }
}

impl Scorer {
    /// Mean cross-entropy and accuracy over these samples of `held`, and each prediction if they are `asked` for. The
    /// batches are spread over the current rayon pool; the sums are taken in their order.
    pub fn score(
        &self,
        point: &Point,
        held: &Inputs,
        samples: &[Pick],
        asked: bool,
    ) -> Result<Score, LearnerError> {
        let sums = match point {
            Point::Kernels(point, precision) => self.kernels(held, samples, asked, point, *precision),
            Point::Torch(point) => self.torch(held, samples, asked, point).map_err(failed)?,
        };
        let (loss, right) = sums.iter().fold((0.0, 0.0), |all, part| (all.0 + part.loss, all.1 + part.right));
        let n = samples.len() as f64;
        let predicted = sums.into_iter().flat_map(|part| part.predicted).collect();
        Ok(Score { loss: loss / n, accuracy: right / n, predicted })
    }

    fn kernels(
        &self,
        held: &Inputs,
        samples: &[Pick],
        asked: bool,
        point: &Vector,
        precision: Dtype,
    ) -> Vec<Sums> {
        let Some(network) = self.model.network() else { return Vec::new() };
        let ready = Ready::new(network, point, precision);
        let (running, spares) = (self.running.values(), &*self.spares);
        let score = |samples: &[Pick]| {
            let mut predicted = Vec::new();
            let tell = |class| {
                if asked {
                    predicted.push(class)
                }
            };
            let (loss, right) = ready.score(held, samples, &running, spares, tell);
            Sums { loss, right, predicted }
        };
        samples.par_chunks(KERNEL_BATCH).with_max_len(1).map(score).collect()
    }

    fn torch(
        &self,
        held: &Inputs,
        samples: &[Pick],
        asked: bool,
        point: &Tensor,
    ) -> Result<Vec<Sums>, TchError> {
        let model = &*self.model;
        self.each(samples, point, |part| tch::no_grad(|| part.sums(model, held, asked)))
    }

    /// The gradient of the mean cross-entropy over these samples of `held`, by libtorch whatever tells the loss: kernels go
    /// backward by the statistics of a batch alone.
    pub fn gradient(&self, point: &Tensor, held: &Inputs, samples: &[Pick]) -> Result<Vector, LearnerError> {
        self.slope(point, held, samples).map_err(failed)
    }

    fn slope(&self, point: &Tensor, held: &Inputs, samples: &[Pick]) -> Result<Vector, TchError> {
        let (model, n) = (&*self.model, samples.len() as f64);
        let parts = self.each(samples, point, |part| tch::with_grad(|| part.gradient(model, held)))?;
        let sum = parts.into_iter().try_fold(point.f_zeros_like()?, |sum, part| sum.f_add(&part))?;
        let mean = sum.f_div_scalar(n)?.f_unsqueeze(0)?;
        convert::rows(&[mean], model.dim(), None)?.pop().ok_or_else(|| TchError::Shape("no gradient".into()))
    }

    /// What `work` makes of every batch of the samples, in their order.
    fn each<T: Send>(
        &self,
        samples: &[Pick],
        point: &Tensor,
        work: impl Fn(Part) -> Result<T, TchError> + Send + Sync,
    ) -> Result<Vec<T>, TchError> {
        let batch = if point.device() == Device::Cpu { CPU_BATCH } else { DEVICE_BATCH };
        let part = |samples: &[Pick]| Part {
            point: point.shallow_clone(),
            running: self.running.clone(),
            samples: samples.to_vec(),
        };
        let parts: Vec<Part> = samples.chunks(batch).map(part).collect();
        let work = |part: Part| on_one_thread(|| work(part));
        if point.device() != Device::Cpu {
            return parts.into_iter().map(work).collect(); // one batch fills the device
        }
        parts.into_par_iter().with_max_len(1).map(work).collect()
    }
}

/// What is taken for what, by the predictions of all samples.
fn confusion(held: &Inputs, predicted: &[usize]) -> Confusion {
    let mut confusion = Confusion::new(held.images.classes);
    let labels = held.images.labels.iter().map(|&label| label.into());
    labels.zip(predicted).for_each(|(label, &class)| confusion.count(label, class));
    confusion
}

impl Part {
    /// The gradient of the sum of losses, `[d]`.
    fn gradient(self, model: &Model, held: &Inputs) -> Result<Tensor, TchError> {
        let leaves = pass::leaves(model, &self.point.f_unsqueeze(0)?, 1)?;
        let (logits, labels) = self.forward(model, held, &leaves)?;
        let losses = pass::losses(&logits, &labels)?.f_sum(self.point.kind())?;
        let gradients = Tensor::f_run_backward(&[losses], &leaves, false, false)?;
        Tensor::f_cat(&gradients, 1)?.f_squeeze_dim(0)
    }

    /// Logits of the samples and their labels, `[1, b]`.
    fn forward(
        &self,
        model: &Model,
        held: &Inputs,
        parameters: &[Tensor],
    ) -> Result<(Tensor, Tensor), TchError> {
        let labels = Tensor::f_from_slice(&held.labels(&self.samples))?;
        let x = held.gather(std::slice::from_ref(&self.samples))?;
        let mut pass = Pass::evaluate(parameters, &self.running, x.kind());
        let logits = model.forward(x, &mut pass)?.to_kind(self.point.kind());
        let labels = to_device(&labels, logits.device()).f_unsqueeze(0)?;
        Ok((logits, labels))
    }

    /// A device is waited for once.
    fn sums(self, model: &Model, held: &Inputs, asked: bool) -> Result<Sums, TchError> {
        let parameters = pass::parameters(model, &self.point.f_unsqueeze(0)?, 1)?;
        let (logits, labels) = self.forward(model, held, &parameters)?;
        let losses = pass::losses(&logits, &labels)?.f_sum(Kind::Double)?;
        let predicted = logits.f_argmax(2, false)?;
        let right = predicted.f_eq_tensor(&labels)?.f_sum(Kind::Double)?;
        let mut told = vec![losses.f_view(1)?, right.f_view(1)?];
        if asked {
            told.push(predicted.to_kind(Kind::Double).f_view(-1)?);
        }
        let told = convert::values(&Tensor::f_cat(&told, 0)?);
        let predicted = told[2..].iter().map(|&class| class as usize).collect();
        Ok(Sums { loss: told[0], right: told[1], predicted })
    }
}
