//! Cores: those that this process may compute with.

use std::{env, thread};

/// The cores that Slurm (a number) or HyperQueue (a list) gave the task that this process is, whether or not they keep it
/// on them; without either those that the system lets it use, by affinity and by the quotas of its control groups.
pub fn cores() -> usize {
    let slurm = env::var("SLURM_CPUS_PER_TASK").ok().and_then(|text| text.parse().ok());
    let hyperqueue = env::var("HQ_CPUS").ok().map(|list| list.split(',').count());
    let given = slurm.or(hyperqueue).filter(|&cores| cores > 0);
    given.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from))
}
