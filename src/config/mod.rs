//! The experiment file: what a user writes, before anything is checked that
//! spans more than one key. [`load`] reads the layers; the experiment's plan
//! turns a [`Config`] into something that can run.

mod checkpoint;
mod document;
mod faults;
mod layers;
mod named;
mod suggest;
mod telemetry;

use std::{borrow::Cow, path::PathBuf};

use phalanx_robust::{
    describe::{Preset, sole},
    step::Schedule,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use checkpoint::Checkpoint;
pub use document::Document;
pub use faults::FaultTable;
pub(crate) use layers::message_of;
pub use layers::{ConfigError, DEFAULTS, Layers, load, read_back};
pub use named::Named;
pub(crate) use suggest::{nearest, unknown};
pub use telemetry::{PortInUse, Telemetry};

use crate::hex::hex;

/// One experiment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name of the experiment; its results go to a folder of that name.
    pub name: String,
    /// Seed of every random stream.
    pub seed: u64,
    /// Number of rounds.
    pub rounds: u64,
    /// Whose meaning the names of rules, attacks, estimators and steps take: paper, dahan or byzfl.
    pub preset: Preset,
    /// What is learned.
    pub task: Task,
    /// The server.
    pub aggregator: Aggregator,
    /// Groups of identical honest workers.
    #[serde(default)]
    pub workers: Vec<Workers>,
    /// Groups of colluding attackers.
    #[serde(default)]
    pub attackers: Vec<Attackers>,
    /// What befalls them by the experiment's will.
    #[serde(default)]
    pub faults: Vec<FaultTable>,
    /// Who takes part in a round.
    pub participation: Participation,
    /// When the model is evaluated.
    pub evaluation: Evaluation,
    /// How long the barrier waits, and what then.
    pub barrier: Barrier,
    /// The machine; nothing here changes a result but `device`.
    pub machine: Machine,
    /// When checkpoints are written; nothing here changes a result.
    pub checkpoint: Checkpoint,
    /// Where metrics are shown; nothing here changes a result.
    pub telemetry: Telemetry,
}

impl Config {
    /// As TOML; read back, it is the same configuration.
    pub fn text(&self) -> String {
        toml::to_string(self).unwrap_or_else(|error| format!("# {error}\n"))
    }

    /// The first eight digits of the SHA-256 digest of all that a result depends on.
    pub fn hash(&self) -> String {
        let text = self.essence().to_string();
        hex(&Sha256::digest(text.as_bytes())[..4])
    }

    /// All that a result depends on, as JSON; what it does not depend on has a value of no meaning, or is not there.
    pub fn essence(&self) -> serde_json::Value {
        let mut config = self.clone();
        config.machine.threads = 0;
        config.machine.out.clear();
        config.telemetry = Telemetry::off();
        config.machine.memory_gb = 0.0;
        config.machine.state = StatePlace::Memory;
        config.machine.scratch.clear();
        // The digest says what is in it, wherever it lies.
        if let Some(folder) =
            config.task.dataset.as_mut().filter(|data| data.parameters.contains_key("sha256"))
        {
            folder.parameters.remove("path");
        }
        let mut essence = serde_json::to_value(&config).unwrap_or_default();
        if let Some(keys) = essence.as_object_mut() {
            keys.shift_remove("checkpoint");
        }
        essence
    }
}

/// Longest name of an experiment: file systems take 255 bytes for the name of a folder.
const LONGEST_NAME: usize = 120;

/// What is wrong with the name of an experiment, which names a folder inside that for results.
pub fn name_complaint(name: &str) -> Option<String> {
    let plain = |ch: char| ch.is_alphanumeric() || "-_.".contains(ch);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        let accepted = "letters, digits, `-`, `_` and `.` are accepted, and no `.` in front";
        return Some(format!("{} is no name for a folder: {accepted}", shorten(&format!("{name:?}"))));
    }
    let length = name.len();
    (length > LONGEST_NAME)
        .then(|| format!("it has {length} bytes, and names a folder; at most {LONGEST_NAME} are accepted"))
}

/// `text`, or its beginning where it is too long to be shown.
pub(crate) fn shorten(text: &str) -> Cow<'_, str> {
    const SHOWN: usize = 200;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} …", &text[..end]).into(),
        None => text.into(),
    }
}

/// A number as it is shown in messages: with an exponent where it would be long.
pub(crate) fn number(x: f64) -> String {
    let plain = x.to_string();
    if plain.len() > 20 { format!("{x:e}") } else { plain }
}

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
    /// How many training samples the server keeps to itself, its root set, for rules that need a gradient of its own.
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
    pub state: StateFormat,
    /// What becomes of batch normalisation's running statistics.
    pub batch_norm: BatchNorm,
    /// The most workers that one pass of libtorch answers; 0 chooses by the model's cost. The kernels take one.
    pub tile: usize,
    /// What computes the gradients. Results of the two ways differ by rounding alone.
    pub way: Way,
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

/// Number format in which workers keep what their estimators remember between rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StateFormat {
    /// That of the gradients.
    Full,
    /// bf16: 2 bytes a number, rounded to 8 significant bits in every round.
    Bf16,
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

/// The server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregator {
    /// The rule as a chain, outermost first: a list, or names with commas between them.
    #[serde(deserialize_with = "named::chain")]
    pub rule: Vec<Named>,
    /// What the server does with the aggregate.
    pub step: Named,
    /// How many Byzantine workers the rule is told to withstand; without it, the number of attackers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f: Option<usize>,
}

/// A group of identical honest workers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workers {
    /// How many.
    pub count: usize,
    /// Samples in a batch.
    #[serde(default = "one")]
    pub batch_size: usize,
    /// What a worker makes of its gradients.
    #[serde(default = "sgd")]
    pub estimator: Named,
}

/// A group of colluding attackers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attackers {
    /// How many.
    pub count: usize,
    /// What they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attack: Option<Named>,
    /// An actor from outside, in place of an attack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Named>,
    /// Samples in a batch, for attacks that follow the protocol; without it, that of the first group of workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// The estimator of attacks that follow the protocol; without it, that of the first group of workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimator: Option<Named>,
}

/// Who takes part in a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participation {
    /// How many workers are drawn for a round, uniformly without replacement, attackers among them; 0: all take part.
    pub cohort: usize,
    /// How many Byzantine workers the rule is told to withstand in a cohort; without it, its share of the f of the
    /// whole cast, f · cohort / workers, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f: Option<usize>,
}

/// When the model is evaluated.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Rounds between evaluations, the first of which is that of the initial point; one more follows the last round. 0:
    /// these two alone.
    pub every: u64,
}

/// How long the barrier waits, and what then.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Barrier {
    /// Seconds of real time after which a silent actor counts as absent, and is not asked again.
    pub deadline_seconds: f64,
    /// Seconds of virtual time after which a round closes without those who have not arrived; without it,
    /// `deadline_seconds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_deadline_seconds: Option<f64>,
    /// Seconds of real time that the attacks of a round may take.
    pub attack_seconds: f64,
    /// Seconds of real time that the model's gradients of a round may take once all have asked, and an evaluation.
    pub learner_seconds: f64,
    /// Seconds of real time that the rule and the server's step may take in a round.
    pub rule_seconds: f64,
    /// A round closes with so many vectors, the first by virtual time; 0: with all.
    pub quorum: usize,
    /// What happens when a worker is absent.
    pub absence: Absence,
    /// How often a worker or an attack whose own code panics begins anew, in the round after.
    pub restarts: u64,
    /// What a round's virtual time is.
    pub time: Time,
}

impl Barrier {
    /// A deadline that cannot be used: its key, and why.
    pub fn complaint(&self) -> Option<(&'static str, String)> {
        let deadlines = [
            ("barrier.deadline_seconds", self.deadline_seconds),
            ("barrier.attack_seconds", self.attack_seconds),
            ("barrier.learner_seconds", self.learner_seconds),
            ("barrier.rule_seconds", self.rule_seconds),
        ];
        let wrong = deadlines.into_iter().find(|(_, seconds)| !(*seconds > 0.0 && *seconds < 1e9))?;
        Some((wrong.0, format!("{} is given; a positive number of seconds is accepted", number(wrong.1))))
    }
}

/// What a round's virtual time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Time {
    /// A number in the results.
    Virtual,
    /// The round really takes so long.
    Real,
}

/// What happens when a worker is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Absence {
    /// The run ends with an error that names the worker and the round.
    Fail,
    /// The round goes on without it, and reports it.
    Drop,
    /// The same, and the rule is told the share of f that falls to those present, rounded up.
    Recompute,
    /// Its last submission stands in for it.
    Reuse,
}

/// The machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Number of threads; 0 takes all cores.
    pub threads: usize,
    /// Gigabytes (10^9 bytes) that the vectors of a run and the passes of its model may take; 0: what the machine has
    /// available, or the GPU has in all. A run that needs more is refused.
    pub memory_gb: f64,
    /// Where workers keep what their estimators remember between rounds.
    pub state: StatePlace,
    /// Folder of the file for that; empty: that of results.
    pub scratch: PathBuf,
    /// `cpu`, `cuda:N`, or `auto`: the first GPU if there is one.
    pub device: String,
    /// Folder for results.
    pub out: PathBuf,
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
}

impl Machine {
    /// The number of the GPU, once that is resolved; None on the CPU.
    pub fn gpu(&self) -> Option<usize> {
        self.device.strip_prefix("cuda:").and_then(|number| number.parse().ok())
    }

    /// Number of threads that compute.
    pub fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

/// Where workers keep what their estimators remember between rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StatePlace {
    /// In memory.
    Memory,
    /// In one temporary file, which no longer has a name when it is used.
    File,
    /// In a file if the run would not fit into memory, or into `memory_gb`.
    Auto,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_one(number: &usize) -> bool {
    *number == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

fn sgd() -> Named {
    Named::plain("sgd")
}
