//! The command line: what can be typed, and a match over it. Results go to
//! stdout, talk to stderr.

mod aggregate;
mod attack;
mod bench;
mod cell;
mod certify;
mod check;
mod compare;
mod data;
mod jobs;
mod list;
mod matrices;
mod progress;
mod report;
mod resume;
mod run;
mod select;
mod show;
mod stopwatch;
mod sweep;
mod table;
mod watch;

use std::{
    fmt::Display,
    io::{self, Write},
    net::SocketAddr,
    num::{IntErrorKind, ParseIntError},
    path::PathBuf,
    process::ExitCode,
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
};

use clap::{Parser, Subcommand};

use crate::{called, exit::UNUSABLE, experiment::Plan, registry::Registry};

const EXAMPLES: &str = "Examples:
  phalanx run experiments/quickstart.toml
  phalanx run experiments/mnist.toml --set aggregator.rule=ctma,nnm,cwmed
  phalanx resume runs/quickstart/20260101T000000Z-0a1b2c3d --threads 4
  phalanx sweep experiments/sweep.toml
  phalanx run experiments/quickstart.toml experiments/convex.toml --jobs 2
  phalanx check experiments/*.toml
  phalanx report runs/mnist
  phalanx list rules
  phalanx data get mnist
  phalanx data show experiments/mnist.toml --set task.partition=dirichlet
  phalanx aggregate --rule ctma,nnm,cwmed --f 4 gradients.npy -o aggregate.npy

Exit status:
  0    success
  1    the run failed
  2    the command line, configuration or data cannot be used, and nothing ran
  130  the run was interrupted, and its results so far are written";

/// [`EXAMPLES`] as they are typed here.
fn examples() -> String {
    EXAMPLES.replace("\n  phalanx ", &format!("\n  {} ", called::name()))
}

/// Simulates distributed machine learning under Byzantine faults.
#[derive(Parser)]
#[command(name = "phalanx", version, after_help = examples())]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run experiments; the path of each run folder goes to stdout.
    Run(RunArguments),
    /// Go on with an interrupted run from its newest checkpoint, to the same results as if it had never stopped.
    Resume(resume::Arguments),
    /// Measure rounds of an experiment, beside what the machine can do. Writes nothing.
    Bench(bench::Arguments),
    /// Run every cell of a sweep; the path of its folder goes to stdout.
    Sweep(sweep::Arguments),
    /// Choose hyper-parameters from a sweep: the values whose worst attack has the best validation accuracy.
    Select(select::Arguments),
    /// One cell of a sweep.
    #[command(hide = true)]
    Cell(cell::Arguments),
    /// Watch a run while it runs: curves, where its time goes, what the attack does.
    Watch(watch::Arguments),
    /// Check experiments and sweeps without running them.
    Check(CheckArguments),
    /// Show what is built in: names, parameters with defaults and ranges, sources.
    List(ListArguments),
    /// Make a page with figures and tables of runs.
    Report(report::Arguments),
    /// Say what differs between two runs, or two sets of runs, in configuration and result.
    Compare(compare::Arguments),
    /// List data sets, get one, show where they are looked for, or which worker holds what.
    Data(DataArguments),
    /// Apply a rule to a matrix in a file.
    Aggregate(aggregate::Arguments),
    /// Make the vectors that an attack would send beside the honest ones in a file.
    Attack(attack::Arguments),
    /// Search for the input that moves a rule furthest: a lower bound on its robustness coefficient.
    Certify(certify::Arguments),
}

/// The arguments of `phalanx run`.
#[derive(clap::Args)]
// Written out, as for all with --data: clap would call a flag required that the environment gives.
#[command(override_usage = called::with("run [OPTIONS] <FILES>..."))]
struct RunArguments {
    /// The experiments, TOML files. Of several, all are checked before the first runs.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    common: CommonArguments,
    /// Experiments that run at the same time; they share the cores. Results do not depend on it.
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true, value_parser = at_least(1_usize))]
    jobs: usize,
    /// Folder for results [default: the experiment's machine.out, "runs"].
    #[arg(long, value_name = "DIR")]
    out: Option<String>,
    /// Show metrics to Prometheus while it runs [default address: 127.0.0.1:9464].
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true,
        default_missing_value = "127.0.0.1:9464", value_parser = address)]
    metrics: Option<String>,
    /// No progress bar and no summary.
    #[arg(long, short)]
    quiet: bool,
}

/// What `run` and `check` share.
#[derive(clap::Args)]
struct CommonArguments {
    /// Set a key over the experiment's, e.g. task.clip=2.0 or workers.0.count=9; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Number of threads; 0 takes all cores, or those that Slurm or HyperQueue gave the task. Results do not depend on it [default: the experiment's machine.threads, else 0].
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least(0_usize))]
    threads: Option<usize>,
    /// cpu, cuda:N or auto [default: the experiment's machine.device, else cpu].
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,
    /// Folder with data sets, searched first.
    #[arg(long, value_name = "DIR", env = "PHALANX_DATA")]
    data: Option<PathBuf>,
}

#[derive(clap::Args)]
#[command(override_usage = called::with("check [OPTIONS] <FILES>..."))]
struct CheckArguments {
    /// The experiments and sweeps, TOML files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    common: CommonArguments,
    /// Print each experiment as resolved, with all defaults and parameters, as its run folder would have it; not for sweeps.
    #[arg(long)]
    print: bool,
}

#[derive(clap::Args)]
struct ListArguments {
    /// A kind, such as rules or attacks, or the name of one component [default: all].
    #[arg(value_name = "KIND|NAME")]
    what: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[command(arg_required_else_help = false, override_usage = called::with("data [OPTIONS] <COMMAND>"))]
struct DataArguments {
    #[command(subcommand)]
    command: data::Command,
    /// Folder with data sets, searched first.
    #[arg(long, value_name = "DIR", env = "PHALANX_DATA", global = true)]
    data: Option<PathBuf>,
}

/// Reads the command line and does what it says.
pub fn main(registry: &Registry) -> ExitCode {
    called::as_started();
    let code = obey(registry, Arguments::parse().command);
    if SPEECHLESS.load(Ordering::Relaxed) { ExitCode::FAILURE } else { code }
}

fn obey(registry: &Registry, command: Command) -> ExitCode {
    match command {
        Command::Run(arguments) => run::main(registry, &arguments),
        Command::Resume(arguments) => resume::main(registry, &arguments),
        Command::Bench(arguments) => bench::main(registry, &arguments),
        Command::Sweep(arguments) => sweep::main(registry, &arguments),
        Command::Select(arguments) => select::main(&arguments),
        Command::Cell(arguments) => cell::main(registry, &arguments),
        Command::Watch(arguments) => watch::main(&arguments),
        Command::Check(arguments) => check::main(registry, &arguments),
        Command::List(arguments) => list::main(registry, &arguments),
        Command::Report(arguments) => report::main(&arguments),
        Command::Compare(arguments) => compare::main(&arguments),
        Command::Data(arguments) => data::main(registry, &arguments),
        Command::Aggregate(arguments) => aggregate::main(registry, &arguments),
        Command::Attack(arguments) => attack::main(registry, &arguments),
        Command::Certify(arguments) => certify::main(registry, &arguments),
    }
}

/// Whether something could not be written to stdout.
static SPEECHLESS: AtomicBool = AtomicBool::new(false);

/// Writes to stdout; a reader who has seen enough (`| head`) is no error. Anything else that goes wrong is said,
/// and the program will end with status 1.
fn print(text: &str) {
    let mut stdout = io::stdout();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error)
            if error.kind() != io::ErrorKind::BrokenPipe && !SPEECHLESS.swap(true, Ordering::Relaxed) =>
        {
            say!("error: stdout: failed to write: {error}");
        }
        _ => {}
    }
}

/// The same with the end of the line.
fn print_line(line: impl Display) {
    print(&format!("{line}\n"));
}

/// Says on stderr what cannot be used; nothing ran.
fn unusable(error: impl Display) -> ExitCode {
    say!("error: {error}");
    ExitCode::from(UNUSABLE)
}

/// Says on stderr what whoever runs `plan` should know of it.
fn warn(plan: &Plan) {
    plan.remarks().iter().for_each(|remark| say!("warning: {remark}"));
}

/// Takes whole numbers from `least` on.
fn at_least<T>(least: T) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr<Err = ParseIntError> + PartialOrd + Display + Copy,
{
    move |text| match text.parse() {
        Ok(number) if number >= least => Ok(number),
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => Err("it is too large".to_owned()),
        _ => Err(format!("a whole number of at least {least} is needed")),
    }
}

/// Takes an address with a port, or nothing, which is none.
fn address(text: &str) -> Result<String, String> {
    let listen = text.is_empty() || text.parse::<SocketAddr>().is_ok();
    let needed = || "an address with a port is needed, such as 127.0.0.1:9464".to_owned();
    listen.then(|| text.to_owned()).ok_or_else(needed)
}

impl CommonArguments {
    /// The assignments: those of `--set`, and the flags that stand for a key.
    fn assignments(&self) -> Vec<String> {
        let threads = self.threads.map(|n| format!("machine.threads={n}"));
        let device = self.device.as_ref().map(|device| assignment("machine.device", device));
        self.sets.iter().cloned().chain(threads).chain(device).collect()
    }
}

/// `key = "text"`, so that no text is taken for a number, a list or a table.
fn assignment(key: &str, text: &str) -> String {
    format!("{key}={}", toml::Value::from(text))
}
