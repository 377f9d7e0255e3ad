//! Sweeps on clusters: a Slurm array job with a task for every cell, or the
//! line that gives them to HyperQueue. A task is `phalanx sweep FILE --only K`,
//! so all that the tasks share is the folder of the sweep.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What every task runs.
#[derive(Clone, Debug)]
pub struct Tasks {
    /// Name of the sweep.
    pub name: String,
    /// This program.
    pub program: PathBuf,
    /// Arguments before `--only K`.
    pub arguments: Vec<String>,
    /// Folder of the sweep.
    pub sweep: PathBuf,
    /// Where relative paths start.
    pub directory: PathBuf,
    /// Numbers of the cells.
    pub cells: Vec<usize>,
    /// Cells at a time; without it, what the cluster allows.
    pub jobs: Option<usize>,
    /// Cores of each.
    pub cores: usize,
}

/// Work that could not be handed over.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The program that takes it is not there.
    #[error("sbatch cannot be started: {0}; is this a node of a Slurm cluster?")]
    Missing(io::Error),
    /// It was refused.
    #[error("sbatch: {0}")]
    Refused(String),
}

impl Tasks {
    /// The script of the array job; `options` are further options of sbatch.
    pub fn script(&self, options: &[String]) -> String {
        let at_a_time = self.jobs.map_or(String::new(), |jobs| format!("%{jobs}"));
        let log = self.sweep.join("slurm-%A_%a.log");
        let mut lines = vec![
            "#!/bin/sh".to_owned(),
            format!("#SBATCH --job-name={}", self.name),
            format!("#SBATCH --array={}{at_a_time}", ranges(&self.cells)),
            format!("#SBATCH --cpus-per-task={}", self.cores),
            format!("#SBATCH --output={}", quoted(log.as_os_str())),
        ];
        lines.extend(options.iter().map(|option| format!("#SBATCH {option}")));
        lines.push(format!("cd {} || exit 2", quoted(self.directory.as_os_str())));
        lines.push(format!("exec {} --only \"$SLURM_ARRAY_TASK_ID\"", self.command()));
        lines.join("\n") + "\n"
    }

    /// The script of the job that follows: the report of all cells.
    pub fn report_script(&self) -> String {
        let log = self.sweep.join("slurm-%j.log");
        let lines = [
            "#!/bin/sh".to_owned(),
            format!("#SBATCH --job-name={}-report", self.name),
            format!("#SBATCH --output={}", quoted(log.as_os_str())),
            format!("cd {} || exit 2", quoted(self.directory.as_os_str())),
            format!(
                "exec {} report {} -o {}",
                quoted(self.program.as_os_str()),
                quoted(self.sweep.as_os_str()),
                quoted(self.sweep.join("report").as_os_str())
            ),
        ];
        lines.join("\n") + "\n"
    }

    /// The line that hands the cells to a HyperQueue server, in the options of its manual (pages Jobs, Task Arrays, CPU
    /// Resource Management, CLI Shortcuts). What a task says goes to a log of its own in the sweep's folder.
    pub fn hq_line(&self) -> String {
        let task = format!("{} --only \"$HQ_TASK_ID\"", self.command());
        let log = self.sweep.join("hq-%{JOB_ID}_%{TASK_ID}.log");
        format!(
            "hq submit --name {} --array {} --cpus {} --cwd {} --stdout none --stderr {} -- sh -c {}",
            self.name,
            ranges(&self.cells),
            self.cores,
            quoted(self.directory.as_os_str()),
            quoted(log.as_os_str()),
            quoted(OsStr::new(&task))
        )
    }

    fn command(&self) -> String {
        let arguments = self.arguments.iter().map(|argument| quoted(OsStr::new(argument)));
        std::iter::once(quoted(self.program.as_os_str())).chain(arguments).collect::<Vec<_>>().join(" ")
    }
}

/// Submits `script`, after the job `after` has ended in whatever way, and returns the job's number.
///
/// # Errors
/// [`SubmitError`].
pub fn submit(script: &Path, after: Option<&str>) -> Result<String, SubmitError> {
    let mut sbatch = Command::new("sbatch");
    sbatch.arg("--parsable").args(after.map(|job| format!("--dependency=afterany:{job}"))).arg(script);
    let Output { status, stdout, stderr } = sbatch.output().map_err(SubmitError::Missing)?;
    if !status.success() {
        return Err(SubmitError::Refused(String::from_utf8_lossy(&stderr).trim().to_owned()));
    }
    // The number, and behind a semicolon the cluster's name where there are several.
    let answer = String::from_utf8_lossy(&stdout).trim().to_owned();
    Ok(answer.split(';').next().unwrap_or_default().to_owned())
}

/// Ascending numbers as an array job writes them: `0-3,7`.
fn ranges(numbers: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => parts.push((number, number)),
        }
    }
    let part = |(first, last): &(usize, usize)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

/// A word of a shell's command line.
fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=%,:".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::{ffi::OsStr, process::Command};

    use super::{Tasks, quoted, ranges};

    fn tasks() -> Tasks {
        Tasks {
            name: "study".into(),
            program: "/opt/phalanx".into(),
            arguments: ["sweep", "my sweep.toml", "--set", "a.b=['c']"].map(str::to_owned).into(),
            sweep: "/data/runs/study".into(),
            directory: "/data".into(),
            cells: vec![0, 1, 2, 5],
            jobs: Some(2),
            cores: 4,
        }
    }

    #[test]
    fn neighbours_become_ranges() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(ranges(&[4]), "4");
    }

    #[test]
    fn a_shell_reads_back_what_was_quoted() {
        for word in ["plain", "two words", "it's", "", "$HOME `id` \"x\" \\ *", "a.b=['c']"] {
            let script = format!("printf %s {}", quoted(OsStr::new(word)));
            let said = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word);
        }
    }

    #[test]
    fn the_script_says_which_cells_and_how_many_at_a_time() {
        let script = tasks().script(&["--time=1:00:00".into()]);
        for line in [
            "#SBATCH --array=0-2,5%2",
            "#SBATCH --cpus-per-task=4",
            "#SBATCH --time=1:00:00",
            "exec /opt/phalanx sweep 'my sweep.toml' --set 'a.b=['\\''c'\\'']' --only \"$SLURM_ARRAY_TASK_ID\"",
        ] {
            assert!(script.lines().any(|l| l == line), "no {line} in {script}");
        }
    }

    #[test]
    fn the_line_for_hyperqueue_lets_the_task_read_its_own_number() {
        let line = tasks().hq_line();
        let options = "hq submit --name study --array 0-2,5 --cpus 4 --cwd /data --stdout none \
                       --stderr '/data/runs/study/hq-%{JOB_ID}_%{TASK_ID}.log' -- sh -c '";
        assert!(line.starts_with(options), "{line}");
        assert!(line.ends_with("--only \"$HQ_TASK_ID\"'"), "{line}");
    }
}
