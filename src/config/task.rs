//! The task: what is learned, and of what.

use phalanx_robust::{describe::sole, step::Schedule};
use serde::{Deserialize, Serialize};

use super::{MOST_WORKERS, Named, number, one};
use crate::store::Format;

/// The most local steps in a round; what is beyond is a slip of the pen.
const MOST_STEPS: usize = 100_000;

/// What is learned: a model on a data set, or a convex objective.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<Named>,
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Named>,
    /// A convex objective, in place of a data set and a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<Named>,
    /// How the training data is dealt to the workers.
    pub partition: Named,
    /// To whom it is dealt.
    pub holders: Holders,
    /// How many training samples are held out before dealing, to choose parameters by.
    pub validation: usize,
    /// How many training samples the server keeps to itself, its root set, for rules that need data of its
    /// own.
    pub root: usize,
    /// How many of them make its batch in a round, all local steps together; 0: all.
    pub root_batch: usize,
    /// Largest norm of one worker's gradient; longer ones are scaled down. 0 turns clipping off.
    pub clip: f64,
    /// Steps of SGD that a worker walks on its own data in a round, a batch each; the difference that they make stands
    /// for the gradient. 1 is off, unless `local_lr` is given: then `local_lr` times the gradient stands for it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub local_steps: usize,
    /// Length of a local step in gradients. Without it a worker sends the gradient itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_lr: Option<f64>,
    /// What `local_lr` is multiplied by over the rounds.
    #[serde(default, deserialize_with = "sole", skip_serializing_if = "Schedule::is_constant")]
    pub local_schedule: Schedule,
    /// Weight of the proximal term that holds a worker to the point of the round while it walks, as in FedProx; 0: none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub local_proximal: f64,
    /// Number format of parameters and gradients, and of what a model computes in.
    pub precision: Precision,
    /// Number format in which workers keep what their estimators remember between rounds.
    pub state: Format,
    /// What becomes of batch normalisation's running statistics.
    pub batch_norm: BatchNorm,
    /// The most workers that one pass of libtorch answers; 0 chooses by the model's cost. The kernels take one.
    pub tile: usize,
    /// What computes the gradients. Results of the two ways differ by rounding alone.
    pub way: Way,
}

impl Task {
    /// Samples that make the server's batch in a round, all local steps together; 0 without a root set.
    pub fn server_batch(&self) -> usize {
        if self.root_batch == 0 { self.root } else { self.root_batch }
    }

    /// Samples that the server draws for each of the local steps.
    pub fn server_draw(&self) -> usize {
        self.server_batch() / self.local_steps
    }

    /// The first key whose value cannot be used, and why.
    pub fn complaint(&self) -> Option<(&'static str, String)> {
        let server = self.server_batch();
        let checks = [
            (
                self.clip >= 0.0 && self.clip.is_finite(),
                "task.clip",
                format!("{} is given; 0 (off) or a positive norm is accepted", number(self.clip)),
            ),
            (
                self.root_batch <= self.root,
                "task.root_batch",
                format!("a batch of {} from the {} samples of task.root", self.root_batch, self.root),
            ),
            (
                server.is_multiple_of(self.local_steps.max(1)),
                "task.root_batch",
                format!(
                    "the server walks too: its {server} samples must make {} batches of one size",
                    self.local_steps
                ),
            ),
            (
                self.tile <= MOST_WORKERS,
                "task.tile",
                format!("{} is given; 0 (by the model's cost) to {MOST_WORKERS} are accepted", self.tile),
            ),
        ];
        let wrong = checks.into_iter().find(|(holds, ..)| !holds).map(|(_, key, message)| (key, message));
        wrong.or_else(|| self.local_complaint())
    }

    /// The same of local steps.
    fn local_complaint(&self) -> Option<(&'static str, String)> {
        let Self { local_steps: steps, local_lr: lr, local_schedule, local_proximal: proximal, .. } = self;
        if !(1..=MOST_STEPS).contains(steps) {
            let message = format!("{steps} is given; 1 (off) to {MOST_STEPS} steps are accepted");
            return Some(("task.local_steps", message));
        }
        match lr {
            Some(lr) if !(lr.is_finite() && *lr > 0.0) => {
                let message = format!("{} is given; a positive number is accepted", number(*lr));
                return Some(("task.local_lr", message));
            }
            None if *steps > 1 => {
                return Some(("task.local_lr", format!("{steps} local steps need the length of one")));
            }
            None if !local_schedule.is_constant() => {
                let message = "without `task.local_lr` there is nothing to change";
                return Some(("task.local_schedule", message.to_owned()));
            }
            _ => {}
        }
        if !(proximal.is_finite() && *proximal >= 0.0) {
            let message = format!("{} is given; 0 (off) or a positive number is accepted", number(*proximal));
            return Some(("task.local_proximal", message));
        }
        (*steps == 1 && *proximal != 0.0).then(|| {
            let message = "it acts from the second local step on, and `task.local_steps` is 1";
            ("task.local_proximal", message.to_owned())
        })
    }
}

/// What computes the gradients of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// The kernels on the CPU for models whose layers all have one, else libtorch.
    Auto,
    /// Our own kernels, worker by worker.
    Kernels,
    /// libtorch, in tiles of workers.
    Torch,
}

impl Way {
    /// The word in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Kernels => "kernels",
            Self::Torch => "torch",
        }
    }
}

/// To whom the training data is dealt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holders {
    /// To every worker and every attacker.
    All,
    /// To the honest workers; an attacker that follows the protocol draws from the shard of one of them.
    Honest,
}

/// Number format of parameters and gradients, and of what a model computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 64-bit floats.
    F64,
    /// Mixed, as PyTorch's autocast, for models in libtorch: activations and the weights that multiply them are bf16,
    /// forward and back; parameters, gradients, batch normalisation's scales and statistics, the loss and all that
    /// workers and server do are f32.
    Bf16,
}

impl Precision {
    /// The word in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bf16 => "bf16",
        }
    }
}

/// What becomes of batch normalisation's running statistics; neither way is attacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchNorm {
    /// One update by every worker's forward pass, in the order of their ids.
    Tracked,
    /// One update by the coordinate-wise median of the workers' statistics.
    Cwmed,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_one(number: &usize) -> bool {
    *number == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}
