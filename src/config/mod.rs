//! The experiment file: what a user writes, before anything is checked that
//! spans more than one key. [`load`] reads the layers; the experiment's plan
//! turns a [`Config`] into something that can run.

mod assign;
mod checkpoint;
mod checks;
mod document;
mod environment;
mod error;
mod faults;
mod layers;
mod machine;
mod named;
mod suggest;
mod task;
mod telemetry;
mod values;
mod written;

use std::{borrow::Cow, io};

use phalanx_actors::Policy;
use phalanx_robust::describe::Preset;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use checkpoint::Checkpoint;
pub use document::Document;
pub use error::ConfigError;
pub(crate) use error::message_of;
pub use faults::FaultTable;
pub use layers::{DEFAULTS, Layers, load, read_back};
pub use machine::{Machine, StatePlace};
pub use named::Named;
pub(crate) use phalanx_robust::describe::number;
pub(crate) use suggest::{nearest, unknown};
pub use task::{BatchNorm, Holders, Precision, Task, Way};
pub use telemetry::{PortInUse, Telemetry};
pub(crate) use written::value;

use self::suggest::unknown_key;
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
    /// What is written of a run beyond what always is; nothing here changes a result.
    pub record: Record,
    /// When checkpoints are written; nothing here changes a result.
    pub checkpoint: Checkpoint,
    /// Where metrics are shown; nothing here changes a result.
    pub telemetry: Telemetry,
}

impl Config {
    /// As TOML; read back, it is the same configuration.
    ///
    /// # Errors
    /// If a parameter of a component has no form in TOML.
    pub fn text(&self) -> io::Result<String> {
        toml::to_string(self).map(written::document).map_err(io::Error::other)
    }

    /// The attack or actor of every group of attackers that has members.
    pub fn adversaries(&self) -> impl Iterator<Item = &Named> + Clone {
        let groups = self.attackers.iter().filter(|group| group.count > 0);
        groups.filter_map(|group| group.attack.as_ref().or(group.actor.as_ref()))
    }

    /// Whether anyone attacks: the attack `none` is none.
    pub fn is_attacked(&self) -> bool {
        self.adversaries().any(|named| named.name != "none")
    }

    /// The SHA-256 digest of all that a result depends on.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.essence().to_string().as_bytes()).into()
    }

    /// The digest's first eight digits: a name, which two of many configurations may share.
    pub fn hash(&self) -> String {
        hash_of(&self.digest())
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
        // Whatever they would do: f = 0 is one experiment. Where a fault counts the groups, all of them stay.
        let counts =
            |table: &FaultTable| table.group.as_deref().is_some_and(|group| group.starts_with("attackers."));
        if !config.faults.iter().any(counts) {
            config.attackers.retain(|group| group.count > 0);
        }
        // The digest says what is in it, wherever it lies.
        if let Some(folder) =
            config.task.dataset.as_mut().filter(|data| data.parameters.contains_key("sha256"))
        {
            folder.parameters.remove("path");
        }
        let mut essence = serde_json::to_value(&config).unwrap_or_default();
        if let Some(keys) = essence.as_object_mut() {
            keys.shift_remove("checkpoint");
            keys.shift_remove("record");
            // They came when there were runs already, whose names hold.
            let mut without = |table: &str, key: &str| {
                let table = keys.get_mut(table).and_then(|table| table.as_object_mut());
                table.into_iter().for_each(|table| drop(table.shift_remove(key)));
            };
            without("telemetry", "linger_seconds");
            if !config.evaluation.per_class {
                without("evaluation", "per_class");
            }
        }
        essence
    }
}

/// What a configuration with this digest is called.
pub(crate) fn hash_of(digest: &[u8; 32]) -> String {
    hex(&digest[..4])
}

/// Most members of a cast.
pub(crate) const MOST_WORKERS: usize = 1_000_000;

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

/// The server.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregator {
    /// The rule as a chain, outermost first: a list, names with `>` or commas between them, or a single table of a name
    /// and its parameters.
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
    /// How many; with 0 it is as if the group was not there.
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
    /// Whether it is counted what of the test set is taken for what; of an objective's samples, what x takes them for.
    pub per_class: bool,
}

/// What is written of a run beyond what always is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Rounds from one in which every worker has a row in `workers.csv` to the next; 0: none.
    pub workers_every: u64,
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
        Some((
            wrong.0,
            format!("{} is given; a positive number of seconds below 1e9 is accepted", number(wrong.1)),
        ))
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

impl From<Absence> for Policy {
    fn from(absence: Absence) -> Self {
        match absence {
            Absence::Fail => Self::Fail,
            Absence::Drop => Self::Drop,
            Absence::Recompute => Self::Recompute,
            Absence::Reuse => Self::Reuse,
        }
    }
}

fn one() -> usize {
    1
}

fn sgd() -> Named {
    Named::plain("sgd")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use figment::value::Value;

    use super::read_back;

    /// f = 0 is one experiment, but a fault that counts the groups means another one behind a group of nobody.
    #[test]
    fn groups_of_nobody_have_no_part_in_the_hash_unless_they_are_counted() {
        let group =
            |count: u32, attack: &str| format!("[[attackers]]\ncount = {count}\nattack = '{attack}'\n");
        let silent = "[[faults]]\nfault = 'silence'\ngroup = 'attackers.0'\n";
        let hash = |rest: &[&str]| {
            let text = format!("[task]\ndataset = 'digits'\n[[workers]]\ncount = 9\n{}", rest.concat());
            read_back(Path::new("c.toml"), &text).unwrap().hash()
        };
        let (empty, other, ipm) = (group(0, "foe"), group(0, "alie"), group(2, "ipm"));
        assert_eq!(hash(&[&empty, &ipm]), hash(&[&ipm]));
        assert_eq!(hash(&[&empty]), hash(&[&other]));
        assert_ne!(hash(&[&empty, &ipm, silent]), hash(&[&ipm, silent]));
    }

    /// Another key would give every run another name, and leave it no checkpoint to go on from.
    #[test]
    fn keys_that_came_later_have_no_part_in_the_hash() {
        let text = "[task]\ndataset = 'digits'\n[[workers]]\ncount = 9\n";
        let essence = read_back(Path::new("c.toml"), text).unwrap().essence();
        let keys = |table: &str| essence[table].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys("telemetry"), ["listen", "port_in_use", "push", "push_seconds", "worker_series"]);
        assert_eq!(keys("evaluation"), ["every"]);
    }

    /// A sweep that is to count them is not done with the cells that did not.
    #[test]
    fn a_run_that_counts_classes_has_a_hash_of_its_own() {
        let hash = |more: &str| {
            let text = format!("[task]\ndataset = 'digits'\n[[workers]]\ncount = 9\n{more}");
            read_back(Path::new("c.toml"), &text).unwrap().hash()
        };
        assert_eq!(hash("[evaluation]\nper_class = false\n"), hash(""));
        assert_ne!(hash("[evaluation]\nper_class = true\n"), hash(""));
    }

    /// TOML has no null.
    #[test]
    fn a_parameter_that_has_no_form_in_toml_is_an_error_and_no_text() {
        let text = "[task]\ndataset = 'digits'\n[[workers]]\ncount = 9\n";
        let mut config = read_back(Path::new("c.toml"), text).unwrap();
        assert!(read_back(Path::new("c.toml"), &config.text().unwrap()).is_ok());
        let nothing = Value::serialize(()).unwrap();
        config.aggregator.rule[0].parameters.insert("layers".to_owned(), vec![nothing].into());
        assert!(config.text().is_err());
    }

    /// The digest, which names the folders of cells, does not depend on how numbers are written.
    #[test]
    fn long_numbers_are_short_in_the_text_and_the_same_when_read_back() {
        let text = "[task]\ndataset = 'digits'\nclip = 1e300\n[[workers]]\ncount = 9\n\
                    [aggregator]\nrule = { geometric-median = { tolerance = 0.00000000001 } }\nstep = 'sgd'\n";
        let config = read_back(Path::new("c.toml"), text).unwrap();
        let written = config.text().unwrap();
        assert!(written.contains("clip = 1e300\n"), "{written}");
        assert!(written.contains("tolerance = 1e-11\n"), "{written}");
        assert_eq!(read_back(Path::new("c.toml"), &written).unwrap().digest(), config.digest());
    }

    #[test]
    fn adversaries_are_those_who_are_there() {
        let text = "[task]\ndataset = 'digits'\n[[workers]]\ncount = 9\n[[attackers]]\ncount = 0\nattack = 'foe'\n\
                    [[attackers]]\ncount = 1\nattack = 'ipm'\n[[attackers]]\ncount = 2\nactor = 'spy'\n";
        let config = read_back(Path::new("c.toml"), text).unwrap();
        assert_eq!(config.adversaries().map(|named| &*named.name).collect::<Vec<_>>(), ["ipm", "spy"]);
        assert!(config.is_attacked());
        let peaceful = text.replace("'ipm'", "'none'").replace("count = 2\nactor", "count = 0\nactor");
        assert!(!read_back(Path::new("c.toml"), &peaceful).unwrap().is_attacked());
    }
}
