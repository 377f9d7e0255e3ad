//! `phalanx sweep --slurm` and `--hq`: hands the cells that are left to a cluster.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{Arguments, wanted};
use crate::{
    cli::print,
    report::count,
    sweep::{
        folder::SweepFolder,
        manifest::Standing,
        pool::Task,
        slurm::{SubmitError, Tasks, largest_array, submit},
    },
};

const NONE_LEFT: &str = "no cell is left to run";

/// Where cells are handed to.
#[derive(clap::Args)]
pub struct Cluster {
    /// Submit the cells as a Slurm array job, --jobs of them at a time, and a job for the report behind it;
    /// with --dry-run, print the script. More cells than an array of the cluster may have are several jobs.
    #[arg(long, conflicts_with_all = ["hq", "only"])]
    slurm: bool,
    /// An option of sbatch for --slurm, such as --sbatch=--time=1:00:00, of cells and report; may be repeated.
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
        if !self.slurm {
            return print(&(tasks.hq_line() + "\n"));
        }
        let scripts = self.scripts(tasks);
        if scripts.len() > 1 {
            say!("note: {} scripts, each for an array job of its own", scripts.len());
        }
        print(&scripts.join("\n"));
    }

    /// Hands the cells over: to Slurm itself, to HyperQueue by a line that the user runs.
    /// The folder is let go before, for the tasks may begin at once.
    pub fn hand_over(&self, tasks: &Tasks, folder: SweepFolder) -> anyhow::Result<ExitCode> {
        if self.slurm && !tasks.cells.is_empty() {
            return self.submit(tasks, folder);
        }
        self.show(tasks);
        Ok(ExitCode::SUCCESS)
    }

    /// The scripts of the array jobs, as many as the cluster needs for so many cells.
    fn scripts(&self, tasks: &Tasks) -> Vec<String> {
        tasks.blocks(largest_array()).iter().map(|block| tasks.script(block, &self.sbatch)).collect()
    }

    /// Submits the cells and their report. What is submitted is said, whatever is refused behind it.
    fn submit(&self, tasks: &Tasks, folder: SweepFolder) -> anyhow::Result<ExitCode> {
        let write = |(number, text): (usize, &String)| folder.write(&script_name(number), text);
        let scripts = self.scripts(tasks).iter().enumerate().map(write).collect::<Result<Vec<_>, _>>()?;
        let report = folder.write("slurm-report.sh", &tasks.report_script(&self.sbatch))?;
        drop(folder);
        let (jobs, refused) = submit_all(&scripts, tasks.jobs.is_some());
        let code = match refused {
            Some(error) if jobs.is_empty() => return Err(error.into()),
            Some(error) => {
                let (taken, all, numbers) = (jobs.len(), scripts.len(), jobs.join(", "));
                say!(
                    "{taken} of {all} array jobs submitted, as {numbers}; a call after them submits the rest"
                );
                say!("error: {}: {error}", scripts[taken].display());
                ExitCode::FAILURE
            }
            None => {
                submit_report(tasks, &report, &jobs);
                ExitCode::SUCCESS
            }
        };
        super::super::print_line(tasks.sweep.display());
        Ok(code)
    }
}

/// Submits the report behind the `jobs` of the cells.
fn submit_report(tasks: &Tasks, script: &Path, jobs: &[String]) {
    let cells = format!("{} submitted as job {}", count(tasks.cells.len(), "cell"), jobs.join(", "));
    match submit(script, jobs) {
        Ok(report) => say!("{cells}, their report as job {report}"),
        Err(error) => {
            say!("{cells}");
            say!("warning: their report is not: {error}; `{}` makes it", tasks.report_command());
        }
    }
}

fn script_name(number: usize) -> String {
    if number == 0 { "slurm.sh".to_owned() } else { format!("slurm-{}.sh", number + 1) }
}

/// Submits array jobs until one is refused. With `in_turn` each begins when the one before has ended, so that no more
/// tasks are at work at a time than one of them allows.
fn submit_all(scripts: &[PathBuf], in_turn: bool) -> (Vec<String>, Option<SubmitError>) {
    let mut jobs: Vec<String> = Vec::new();
    for script in scripts {
        let before = jobs.len().saturating_sub(usize::from(in_turn));
        match submit(script, &jobs[before..]) {
            Ok(job) => jobs.push(job),
            Err(error) => return (jobs, Some(error)),
        }
    }
    (jobs, None)
}

/// The tasks that run the cells of `queue`, but for those at work elsewhere, which are said.
pub fn tasks(
    name: &str,
    sweep: PathBuf,
    queue: &VecDeque<Task>,
    arguments: &Arguments,
) -> anyhow::Result<Tasks> {
    let directory = std::env::current_dir()?;
    let (busy, idle): (Vec<&Task>, Vec<&Task>) =
        queue.iter().partition(|task| task.record.status == Standing::Running);
    if !busy.is_empty() {
        let cells = count(busy.len(), "cell");
        say!("{cells} at work already, and left out; the report does not wait for them");
    }
    Ok(Tasks {
        name: name.to_owned(),
        program: std::env::current_exe()?,
        arguments: arguments.for_tasks(),
        sweep: directory.join(sweep),
        directory,
        cells: idle.iter().map(|task| task.record.index).collect(),
        jobs: arguments.jobs,
        cores: wanted(queue).max(1),
    })
}
