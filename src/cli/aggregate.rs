//! `phalanx aggregate`: a rule on a matrix in a file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Instant,
};

use phalanx_robust::{
    Dtype, Map, Size, Vector,
    aggregation::{Context, RuleError},
    describe::Preset,
    random::Seed,
};
use serde::Serialize;

use super::{
    at_least,
    matrices::{Chain, Failure, ended, housed, layout, npy, point, preset, reference, spare},
    stopwatch::{Lap, Stopwatch},
};
use crate::{
    config::Named,
    interop::{MatrixFile, write_json, write_matrix, write_vector},
    registry::Registry,
};

/// What can be typed.
#[derive(clap::Args)]
pub struct Arguments {
    /// The m vectors: an m x d matrix of float32 or float64, .npy or .safetensors with one tensor.
    #[arg(value_name = "IN.npy")]
    input: PathBuf,
    /// The rule, outermost first: ctma,nnm,cwmed or '["ctma", { krum = { power = 1 } }]'. Pre-aggregators
    /// alone return their k x d matrix.
    #[arg(long, value_name = "RULE")]
    rule: String,
    /// How many of the vectors the rule must withstand. Without it the rule is told 0.
    #[arg(long, value_name = "F", allow_negative_numbers = true, value_parser = at_least(0_usize))]
    f: Option<usize>,
    /// Whose meaning the names take: paper, dahan or byzfl.
    #[arg(long, value_name = "PRESET", default_value = "paper", value_parser = preset)]
    preset: Preset,
    /// Seed of rules that draw random numbers; they draw those of round 1 of a run with this seed.
    #[arg(long, value_name = "SEED", default_value_t = 1, allow_negative_numbers = true, value_parser = at_least(0_u64))]
    seed: u64,
    /// The server's own vector, which rules such as `fltrust` need: of length d, or a 1 x d matrix.
    #[arg(long, value_name = "REFERENCE.npy")]
    reference: Option<PathBuf>,
    /// Coordinates of every layer, for rules that go by layers, such as `lasa`: 100,20. Without it a vector is one layer.
    #[arg(long, value_name = "D1,D2", value_delimiter = ',', allow_negative_numbers = true, value_parser = at_least(1_usize))]
    layers: Vec<usize>,
    /// The server's point at which the vectors were computed, which rules such as `fldetector` need: shaped as REFERENCE.
    #[arg(long, value_name = "POINT.npy")]
    point: Option<PathBuf>,
    /// Where the result goes: a .npy file of the same number format.
    #[arg(long, short, value_name = "OUT.npy")]
    out: PathBuf,
    /// Where weights, distances, rows set aside and the time of every pass go, as JSON.
    #[arg(long, value_name = "R.json")]
    report: Option<PathBuf>,
}

/// Applies the rule.
pub fn main(registry: &Registry, arguments: &Arguments) -> ExitCode {
    ended("--rule", || aggregate(registry, arguments))
}

fn aggregate(registry: &Registry, arguments: &Arguments) -> Result<(), Failure> {
    check_files(arguments)?;
    let (mut chain, rule) = Chain::parse(registry, &arguments.rule, arguments.preset)?;
    chain.in_files()?;
    let file = MatrixFile::open(&arguments.input)?;
    let size = size(file.m(), arguments.f)?;
    chain.know_layout(&layout(&arguments.layers, file.d())?)?;
    chain.check(size).map_err(Failure::rule(&arguments.input))?;
    let reference = reference(arguments.reference.as_deref(), chain.needs_reference(), &file)?;
    let point = point(arguments.point.as_deref(), chain.needs_point(), &file)?;
    let (d, dtype) = (file.d(), file.dtype());
    let (rows, read) = timed(|| file.read())?;
    let watch = Arc::new(Stopwatch::default());
    let rng = Seed(arguments.seed).stream("rule", 0, "aggregate", 1);
    let context = Context { watch: Some(watch.clone()), reference, point, ..Context::new(size.f, rng) };
    let applied = || Found::by(chain, rows, context).map_err(Failure::rule(&arguments.input));
    let (found, aggregate) = timed(applied)?;
    if !found.set_aside.is_empty() {
        let (rows, f) = (&found.set_aside, found.f);
        let left = size.m - rows.len();
        say!(
            "note: rows {rows:?} are not finite, or have a squared norm that is not, and were set aside; f = {f} of the \
             other {left}"
        );
    }
    let ((), write) = timed(|| found.write(&arguments.out))?;
    let Some(path) = &arguments.report else { return Ok(()) };
    let report = Report {
        rule,
        preset: arguments.preset,
        seed: arguments.seed,
        m: size.m,
        d,
        f: size.f,
        f_left: found.f,
        dtype: name(dtype),
        out: found.shape(),
        weights: found.weights,
        distances: found.distances,
        set_aside: found.set_aside,
        seconds: Seconds { read, aggregate, write },
        passes: watch.laps(),
    };
    Ok(write_json(path, &report)?)
}

/// An error if a result would take the place of an input or of another result.
fn check_files(arguments: &Arguments) -> Result<(), Failure> {
    let inputs = || [&arguments.input].into_iter().chain(&arguments.reference).chain(&arguments.point);
    npy(&arguments.out)?;
    spare("--out", &arguments.out, inputs())?;
    let Some(report) = &arguments.report else { return Ok(()) };
    housed("--report", report)?;
    spare("--report", report, inputs())?;
    apart(&arguments.out, report)
}

/// What the rule is told of `m` vectors of which it must withstand `f`.
fn size(m: usize, f: Option<usize>) -> Result<Size, Failure> {
    let size = Size::new(m, f.unwrap_or(0));
    if size.f >= m {
        return Err(Failure::flag("--f", format!("f = {} of m = {m} vectors; f < m is needed", size.f)));
    }
    if f.is_none() {
        say!("note: without --f the rule is told f = 0");
    }
    Ok(size)
}

/// What `work` makes, and the seconds that it took.
fn timed<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<(T, f64), E> {
    let start = Instant::now();
    Ok((work()?, start.elapsed().as_secs_f64()))
}

/// An error if the report would take the place of the result. A device takes both.
fn apart(out: &Path, report: &Path) -> Result<(), Failure> {
    let device = fs::metadata(out).is_ok_and(|found| !found.is_file());
    if device || place(out) != place(report) {
        return Ok(());
    }
    Err(Failure::flag(
        "--report",
        format!("{} is where --out goes; it needs a file of its own", report.display()),
    ))
}

/// The path of a file by its folder's real name, and by its own if it is there.
fn place(path: &Path) -> PathBuf {
    let beside = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Some(folder.unwrap_or(Path::new(".")).canonicalize().ok()?.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(beside).unwrap_or_else(|| path.to_owned())
}

/// What a chain made of the rows.
struct Found {
    result: Made,
    weights: Option<Weights>,
    distances: Option<Vec<f64>>,
    set_aside: Vec<usize>,
    /// How many of those that took part may be Byzantine.
    f: usize,
}

enum Made {
    One(Vector),
    Many(Vec<Vector>),
}

impl Found {
    fn by(chain: Chain, rows: Vec<Vector>, context: Context) -> Result<Self, RuleError> {
        match chain {
            Chain::Defence(mut defence) => match defence.aggregate_in(&rows, context)? {
                found if !found.output.is_finite() => Err(RuleError::NotFinite),
                found => Ok(Self {
                    result: Made::One(found.output),
                    weights: found.weights.map(Weights::OfOne),
                    distances: found.distances,
                    set_aside: found.set_aside,
                    f: found.f,
                }),
            },
            Chain::Mixer(mut mixer) => mixer.mix_owned(rows, context).map(|mixed| Self {
                result: Made::Many(mixed.rows),
                weights: Some(Weights::of(&mixed.weights)),
                distances: None,
                set_aside: mixed.set_aside,
                f: mixed.size.f,
            }),
        }
    }

    fn write(&self, path: &Path) -> Result<(), Failure> {
        match &self.result {
            Made::One(vector) => write_vector(path, vector)?,
            Made::Many(rows) => write_matrix(path, rows)?,
        }
        Ok(())
    }

    fn shape(&self) -> Vec<usize> {
        match &self.result {
            Made::One(vector) => vec![vector.len()],
            Made::Many(rows) => vec![rows.len(), rows.first().map_or(0, Vector::len)],
        }
    }
}

/// The report.
#[derive(Serialize)]
struct Report {
    /// The rule with every parameter written out.
    rule: Vec<Named>,
    preset: Preset,
    seed: u64,
    m: usize,
    d: usize,
    f: usize,
    /// What is left of f once rows were set aside.
    f_left: usize,
    dtype: &'static str,
    /// The shape of the result.
    out: Vec<usize>,
    /// What the result is of the vectors, if it is a combination of them.
    weights: Option<Weights>,
    /// From each vector to the result; null for those set aside.
    distances: Option<Vec<f64>>,
    set_aside: Vec<usize>,
    seconds: Seconds,
    /// The passes over the vectors, which `seconds.aggregate` includes; the rest of it went into decisions.
    passes: Vec<Lap>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Weights {
    OfOne(Vec<f64>),
    OfEach(Vec<Vec<f64>>),
}

impl Weights {
    fn of(map: &Map) -> Self {
        Self::OfEach((0..map.rows()).map(|k| map.weights(k)).collect())
    }
}

#[derive(Serialize)]
struct Seconds {
    read: f64,
    aggregate: f64,
    write: f64,
}

/// NumPy's name of the number format.
fn name(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 => "float32",
        Dtype::F64 => "float64",
    }
}
