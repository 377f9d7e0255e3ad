//! Sweeps on clusters: Slurm array jobs with a task for every cell, or the
//! line that gives them to HyperQueue. A task is `phalanx sweep FILE --only K`,
//! so all that the tasks share is the folder of the sweep.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Size of the largest array that Slurm takes unless its administrator says otherwise (`MaxArraySize`).
const ARRAY: usize = 1001;

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

/// The cells of one array job. The number of a cell is the index of its task and `first` together.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    first: usize,
    cells: &'a [usize],
}

impl Tasks {
    /// The cells in blocks, for arrays whose indices are below `size`.
    pub fn blocks(&self, size: usize) -> Vec<Block<'_>> {
        let blocks = self.cells.chunk_by(|a, b| a / size == b / size);
        blocks.map(|cells| Block { first: cells[0] / size * size, cells }).collect()
    }

    /// The script of the array job of `block`; `options` are further options of sbatch.
    pub fn script(&self, block: &Block, options: &[String]) -> String {
        let at_a_time = self.jobs.map_or(String::new(), |jobs| format!("%{jobs}"));
        let indices: Vec<usize> = block.cells.iter().map(|cell| cell - block.first).collect();
        let log = self.sweep.join("slurm-%A_%a.log");
        let mut lines = vec![
            "#!/bin/sh".to_owned(),
            format!("#SBATCH --job-name={}", self.name),
            format!("#SBATCH --array={}{at_a_time}", ranges(&indices)),
            format!("#SBATCH --cpus-per-task={}", self.cores),
            format!("#SBATCH --output={}", quoted(log.as_os_str())),
            APPEND.to_owned(),
        ];
        lines.extend(options.iter().map(directive));
        lines.push(format!("cd {} || exit 2", quoted(self.directory.as_os_str())));
        lines.push(format!("exec {} --only $((SLURM_ARRAY_TASK_ID + {}))", self.command(), block.first));
        lines.join("\n") + "\n"
    }

    /// The script of the job that follows: the report of all cells. It is asked for with the same `options`, so that it
    /// is taken wherever the cells are; of those that are named here too, these count.
    pub fn report_script(&self, options: &[String]) -> String {
        let log = self.sweep.join("slurm-%j.log");
        let mut lines = vec!["#!/bin/sh".to_owned()];
        lines.extend(options.iter().map(directive));
        lines.extend([
            format!("#SBATCH --job-name={}-report", self.name),
            format!("#SBATCH --output={}", quoted(log.as_os_str())),
            APPEND.to_owned(),
            format!("cd {} || exit 2", quoted(self.directory.as_os_str())),
            format!("exec {}", self.report_command()),
        ]);
        lines.join("\n") + "\n"
    }

    /// The line that makes the report of all cells.
    pub fn report_command(&self) -> String {
        let [program, sweep] = [&self.program, &self.sweep].map(|path| quoted(path.as_os_str()));
        format!("{program} report {sweep} -o {}", quoted(self.sweep.join("report").as_os_str()))
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

/// A task that runs once more keeps what it said before.
const APPEND: &str = "#SBATCH --open-mode=append";

fn directive(option: &String) -> String {
    format!("#SBATCH {option}")
}

/// Size of the largest array that this cluster takes, as Slurm says.
pub fn largest_array() -> usize {
    let said = Command::new("scontrol").args(["show", "config"]).output();
    let said = said.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default();
    array_size(&said).unwrap_or(ARRAY)
}

/// The size in the line `MaxArraySize = 1001`.
fn array_size(config: &str) -> Option<usize> {
    let line = config.lines().find_map(|line| line.strip_prefix("MaxArraySize"))?;
    line.trim_start().strip_prefix('=')?.trim().parse().ok().filter(|&size| size > 0)
}

/// Submits `script`, after the jobs `after` have ended in whatever way, and returns the job's number.
///
/// # Errors
/// [`SubmitError`].
pub fn submit(script: &Path, after: &[String]) -> Result<String, SubmitError> {
    let mut sbatch = Command::new("sbatch");
    sbatch.arg("--parsable");
    if !after.is_empty() {
        sbatch.arg(format!("--dependency=afterany:{}", after.join(":")));
    }
    sbatch.arg(script);
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

    use super::{Tasks, array_size, quoted, ranges};

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
        let tasks = tasks();
        let scripts: Vec<String> =
            tasks.blocks(1001).iter().map(|block| tasks.script(block, &["--time=1:00:00".into()])).collect();
        assert_eq!(scripts.len(), 1);
        for line in [
            "#SBATCH --array=0-2,5%2",
            "#SBATCH --cpus-per-task=4",
            "#SBATCH --open-mode=append",
            "#SBATCH --time=1:00:00",
            "exec /opt/phalanx sweep 'my sweep.toml' --set 'a.b=['\\''c'\\'']' --only $((SLURM_ARRAY_TASK_ID + 0))",
        ] {
            assert!(scripts[0].lines().any(|l| l == line), "no {line} in {}", scripts[0]);
        }
    }

    #[test]
    fn every_cell_is_in_one_block_and_its_task_finds_its_number() {
        let tasks = Tasks { cells: vec![0, 2, 3, 7, 8, 11], ..tasks() };
        for size in [1, 2, 4, 5, 12, 1001] {
            let mut cells = Vec::new();
            for block in tasks.blocks(size) {
                let script = tasks.script(&block, &[]);
                let last = script.lines().last().unwrap().replace("/opt/phalanx sweep", "echo");
                for cell in block.cells {
                    let index = cell - block.first;
                    assert!(index < size, "{index} in an array of {size}");
                    let script = format!("SLURM_ARRAY_TASK_ID={index}; {last}");
                    let said = Command::new("sh").args(["-c", &script]).output().unwrap();
                    let said = String::from_utf8(said.stdout).unwrap();
                    assert!(said.trim_end().ends_with(&format!("--only {cell}")), "{said}");
                    cells.push(*cell);
                }
            }
            assert_eq!(cells, tasks.cells, "{size}");
        }
    }

    #[test]
    fn the_size_of_arrays_is_read() {
        let config =
            "MaxArrayTasks = 7\nMailProg                = /bin/mail\nMaxArraySize            = 1001\n";
        assert_eq!(array_size(config), Some(1001));
        assert_eq!(array_size("MaxArraySize = 0\n"), None);
        assert_eq!(array_size(""), None);
    }

    #[test]
    fn the_report_is_asked_for_with_the_options_of_the_cells() {
        let script = tasks().report_script(&["--partition=long".into(), "--job-name=other".into()]);
        let at = |line: &str| script.lines().position(|l| l == line);
        assert!(at("#SBATCH --partition=long").is_some(), "{script}");
        assert!(
            at("#SBATCH --job-name=study-report") > at("#SBATCH --job-name=other"),
            "the last counts: {script}"
        );
        assert!(
            script.ends_with("exec /opt/phalanx report /data/runs/study -o /data/runs/study/report\n"),
            "{script}"
        );
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
