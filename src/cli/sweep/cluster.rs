//! `phalanx sweep --slurm` and `--hq`: hands the cells that are left to a cluster.

use std::{collections::VecDeque, path::PathBuf, process::ExitCode};

use super::{Arguments, wanted};
use crate::{
    cli::print,
    sweep::{
        folder::SweepFolder,
        pool::Task,
        slurm::{Tasks, submit},
    },
};

const NONE_LEFT: &str = "no cell is left to run";

/// Where cells are handed to.
#[derive(clap::Args)]
pub struct Cluster {
    /// Submit the cells as a Slurm array job, --jobs of them at a time, and a job for the report behind it;
    /// with --dry-run, print the script.
    #[arg(long, conflicts_with_all = ["hq", "only"])]
    slurm: bool,
    /// An option of sbatch for --slurm, such as --sbatch=--time=1:00:00; may be repeated.
    #[arg(long, value_name = "OPTION", requires = "slurm", allow_hyphen_values = true)]
    sbatch: Vec<String>,
    /// Print the line that hands the cells to a HyperQueue server.
    #[arg(long, conflicts_with = "only")]
    hq: bool,
}

impl Cluster {
    /// Whether the cells are for a cluster.
    pub fn is_wanted(&self) -> bool {
        self.slurm || self.hq
    }

    /// Prints what a cluster would be handed, if a cell is left.
    pub fn show(&self, tasks: &Tasks) {
        if tasks.cells.is_empty() {
            return say!("{NONE_LEFT}");
        }
        print(&if self.slurm { tasks.script(&self.sbatch) } else { tasks.hq_line() + "\n" });
    }

    /// Hands the cells over: to Slurm itself, to HyperQueue by a line that the user runs.
    /// The folder is let go before, for the tasks may begin at once.
    pub fn hand_over(&self, tasks: &Tasks, folder: SweepFolder) -> anyhow::Result<ExitCode> {
        if tasks.cells.is_empty() {
            say!("{NONE_LEFT}");
        } else if self.slurm {
            let script = folder.write("slurm.sh", &tasks.script(&self.sbatch))?;
            let report = folder.write("slurm-report.sh", &tasks.report_script())?;
            drop(folder);
            let job = submit(&script, None)?;
            let after = submit(&report, Some(&job))?;
            say!("{} cells submitted as job {job}, their report as job {after}", tasks.cells.len());
            super::super::print_line(tasks.sweep.display());
        } else {
            self.show(tasks);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The tasks that run the cells of `queue`.
pub fn tasks(
    name: &str,
    sweep: PathBuf,
    queue: &VecDeque<Task>,
    arguments: &Arguments,
) -> anyhow::Result<Tasks> {
    let directory = std::env::current_dir()?;
    Ok(Tasks {
        name: name.to_owned(),
        program: std::env::current_exe()?,
        arguments: arguments.for_tasks(),
        sweep: directory.join(sweep),
        directory,
        cells: queue.iter().map(|task| task.record.index).collect(),
        jobs: arguments.jobs,
        cores: wanted(queue).max(1),
    })
}
