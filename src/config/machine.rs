//! The machine: nothing here changes a result but the device.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::number;
use crate::machine;

/// Most threads: more than this are a slip of the finger, and could stop the machine.
const MOST_THREADS: usize = 1024;

/// The machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Number of threads; 0 takes all cores, or those that Slurm or HyperQueue gave the task.
    pub threads: usize,
    /// Gigabytes (10^9 bytes) that the vectors of a run, and its objective or the passes of its model, may take; 0: what
    /// the machine has available, or the GPU has in all. A run that needs more is refused.
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

impl Machine {
    /// The number of the GPU, once that is resolved; None on the CPU.
    pub fn gpu(&self) -> Option<usize> {
        self.device.strip_prefix("cuda:").and_then(|number| number.parse().ok())
    }

    /// Number of threads that compute.
    pub fn threads(&self) -> usize {
        match self.threads {
            0 => machine::cores(),
            threads => threads,
        }
    }

    /// The first key whose value cannot be used, and why.
    pub fn complaint(&self) -> Option<(&'static str, String)> {
        let (memory, threads, device) = (self.memory_gb, self.threads, self.device.as_str());
        let checks = [
            (
                memory >= 0.0,
                "machine.memory_gb",
                format!(
                    "{} is given; 0 (what is available) or a positive number is accepted",
                    number(memory)
                ),
            ),
            (
                threads <= MOST_THREADS,
                "machine.threads",
                format!("{threads} is given; at most {MOST_THREADS} are accepted"),
            ),
            (
                self.gpu().is_some() || ["cpu", "auto"].contains(&device),
                "machine.device",
                format!("`{device}` is no device; cpu, cuda:N and auto are accepted"),
            ),
            (
                !self.out.as_os_str().is_empty(),
                "machine.out",
                "a folder is needed; `.` is the one that this is called from".to_owned(),
            ),
        ];
        checks.into_iter().find(|(holds, ..)| !holds).map(|(_, key, message)| (key, message))
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
