//! What the subcommands that work on matrices share: rules and attacks as they
//! are typed, and what is said when something cannot be used.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use phalanx_robust::{
    BatchError, Layout, Size, Vector,
    aggregation::{Defence, Layer, Mixer, RuleError},
    attack::AttackError,
    contained,
    describe::{ParameterError, Preset, counted},
};
use serde::{Deserialize, de::value::StrDeserializer};

use crate::{
    config::Named,
    exit::UNUSABLE,
    interop::{InteropError, MatrixFile, Problem, require_memory},
    registry::{ComponentError, Kind, Registry, Resolved},
};

/// A subcommand that has no result.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// An argument cannot be used.
    #[error("{flag}: {message}")]
    Flag {
        /// The argument, with the path to the parameter in it.
        flag: String,
        /// Why.
        message: String,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] InteropError),
    /// The rule does not apply to the file.
    #[error("{}: {error}", file.display())]
    Rule {
        /// The file.
        file: PathBuf,
        /// Why.
        error: RuleError,
    },
    /// The attack made nothing of the file.
    #[error("{}: {error}", file.display())]
    Attack {
        /// The file.
        file: PathBuf,
        /// Why.
        error: AttackError,
    },
}

impl Failure {
    /// The argument `flag` cannot be used.
    pub fn flag(flag: &str, message: impl ToString) -> Self {
        Self::Flag { flag: flag.to_owned(), message: message.to_string() }
    }

    /// For use with `map_err`: the rule does not apply to `file`, or is to blame itself.
    pub fn rule(file: &Path) -> impl Fn(RuleError) -> Self {
        move |error| match error.is_own() {
            true => Self::flag("--rule", error),
            false => Self::Rule { file: file.to_owned(), error },
        }
    }

    /// For use with `map_err`: the attack made nothing of `file`, or is to blame itself.
    pub fn attack(file: &Path) -> impl Fn(AttackError) -> Self {
        move |error| match error {
            AttackError::Knowledge { .. } | AttackError::NoOwnVectors => Self::flag("--attack", error),
            AttackError::NoPoint => Self::flag("--point", error),
            error => Self::Attack { file: file.to_owned(), error },
        }
    }

    /// Says what is wrong on stderr: status 1 if a result could not be written, 2 if there is none.
    pub fn exit(&self) -> ExitCode {
        say!("error: {self}");
        match self {
            Self::File(InteropError { problem: Problem::Write(_), .. }) => ExitCode::FAILURE,
            _ => ExitCode::from(UNUSABLE),
        }
    }
}

/// How the process ends after `work`. A panic is one of the rule or attack that was given as `flag`: it may be anybody's.
pub fn ended(flag: &str, work: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    let panicked = |message| Err(Failure::flag(flag, format!("it panicked: {message}")));
    match contained(work).unwrap_or_else(panicked) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}

/// A preset as typed.
///
/// # Errors
/// What is accepted.
pub fn preset(text: &str) -> Result<Preset, String> {
    let text: StrDeserializer<'_, serde::de::value::Error> = StrDeserializer::new(text);
    Preset::deserialize(text).map_err(|error| error.to_string())
}

/// A chain of rules.
pub enum Chain {
    /// With a base rule at its end: m vectors in, one out.
    Defence(Defence),
    /// Pre-aggregators alone: m vectors in, k out.
    Mixer(Mixer),
}

impl Chain {
    /// The chain typed after `--rule`, and its elements with every parameter written out.
    ///
    /// # Errors
    /// [`Failure::Flag`].
    pub fn parse(registry: &Registry, text: &str, preset: Preset) -> Result<(Self, Vec<Named>), Failure> {
        let chain = elements("--rule", text)?;
        let made = chain
            .iter()
            .map(|named| make(&registry.rules, "--rule", named, preset))
            .collect::<Result<Vec<_>, _>>()?;
        let (layers, names): (Vec<Layer>, _) =
            made.into_iter().map(|made| (made.component, made.named)).unzip();
        let chain = if layers.iter().all(|layer| matches!(layer, Layer::Pre(_))) {
            Mixer::new(layers).map(Self::Mixer)
        } else {
            Defence::new(layers).and_then(|mut defence| {
                defence.count_samples(None)?;
                Ok(Self::Defence(defence))
            })
        };
        chain.map(|chain| (chain, names)).map_err(|error| Failure::flag("--rule", error))
    }

    /// The chain typed after `--rule`, which must have a base rule at its end.
    ///
    /// # Errors
    /// [`Failure::Flag`].
    pub fn defence(
        registry: &Registry,
        text: &str,
        preset: Preset,
    ) -> Result<(Defence, Vec<Named>), Failure> {
        match Self::parse(registry, text, preset)? {
            (Self::Defence(defence), names) => Ok((defence, names)),
            (Self::Mixer(_), _) => {
                Err(Failure::flag("--rule", "the last element must be a base rule, such as `cwmed`"))
            }
        }
    }

    /// Tells the chain where the tensors lie; pre-aggregators alone do not ask.
    ///
    /// # Errors
    /// [`Failure::Flag`].
    pub fn know_layout(&mut self, layout: &Layout) -> Result<(), Failure> {
        match self {
            Self::Defence(defence) => tell_layout(defence, layout),
            Self::Mixer(_) => Ok(()),
        }
    }

    /// The condition on (m, f) under which every layer is defined.
    ///
    /// # Errors
    /// [`RuleError`] of the first layer that is not.
    pub fn check(&self, size: Size) -> Result<(), RuleError> {
        match self {
            Self::Defence(defence) => defence.check(size),
            Self::Mixer(mixer) => mixer.inner_size(size).map(|_| ()),
        }
    }

    /// Whether a layer needs a vector of the server's own.
    pub fn needs_reference(&self) -> bool {
        matches!(self, Self::Defence(defence) if defence.needs_reference())
    }

    /// An error if a layer needs what only a run has.
    ///
    /// # Errors
    /// [`Failure::Flag`].
    pub fn in_files(&self) -> Result<(), Failure> {
        match self {
            Self::Defence(defence) if defence.needs_judge() => Err(no_judge()),
            _ => Ok(()),
        }
    }

    /// Whether a layer needs the point at which the vectors were computed.
    pub fn needs_point(&self) -> bool {
        matches!(self, Self::Defence(defence) if defence.needs_point())
    }
}

/// Tells `defence`, after `--rule`, where the tensors lie.
///
/// # Errors
/// [`Failure::Flag`].
pub fn tell_layout(defence: &mut Defence, layout: &Layout) -> Result<(), Failure> {
    defence.know_layout(layout).map_err(|error| Failure::flag("--rule", error))
}

/// Tensors of these lengths, after `--layers`, in vectors of length `d`; one of all coordinates where none are given.
///
/// # Errors
/// [`Failure::Flag`] if they are not of that length together.
pub fn layout(lengths: &[usize], d: usize) -> Result<Layout, Failure> {
    if lengths.is_empty() {
        return Ok(Layout::whole(d));
    }
    let sum = lengths.iter().fold(0, |sum: usize, length| sum.saturating_add(*length));
    if sum == d {
        return Ok(Layout::new((1..).map(|at: usize| at.to_string()).zip(lengths.iter().copied())));
    }
    let given = counted(lengths.len(), "layer");
    let message = format!("{given} of {sum} coordinates together; the vectors have {d}");
    Err(Failure::flag("--layers", message))
}

/// That a rule needs losses, which files do not have.
pub fn no_judge() -> Failure {
    Failure::flag("--rule", "the rule needs losses on data of the server's own, which only a run has")
}

/// Makes the component `named` after `flag`.
///
/// # Errors
/// [`Failure::Flag`].
pub fn make<T>(kind: &Kind<T>, flag: &str, named: &Named, preset: Preset) -> Result<Resolved<T>, Failure> {
    kind.make(named, preset).map_err(|error| component(flag, &named.name, &error))
}

/// An error about the component `name` after `flag`.
pub fn component(flag: &str, name: &str, error: &ComponentError) -> Failure {
    let flag = match error.parameter.as_str() {
        "" => flag.to_owned(),
        parameter => format!("{flag}: {name}.{parameter}"),
    };
    Failure::flag(&flag, &error.message)
}

/// A value out of range that shows once the numbers of workers are known.
pub fn parameter(flag: &str, name: &str, error: &ParameterError) -> Failure {
    component(flag, name, &ComponentError::parameter(error))
}

/// Elements as typed after `flag`, in any way that [`Named::chain`] takes.
///
/// # Errors
/// [`Failure::Flag`].
pub fn elements(flag: &str, text: &str) -> Result<Vec<Named>, Failure> {
    Named::chain(text).map_err(|message| Failure::flag(flag, message))
}

/// An error if `needed` bytes, for so many vectors of such a length, are more than there are; `flag` says how many.
pub fn fit(flag: &str, (count, d): (usize, usize), needed: u64) -> Result<(), Failure> {
    require_memory(needed)
        .map_err(|problem| Failure::flag(flag, format!("{count} vectors of length {d}: {problem}")))
}

/// An error if the result that goes to `out`, after `flag`, would replace one of the `inputs`, by whatever name. A device
/// is no file to lose.
///
/// # Errors
/// [`Failure::Flag`].
pub fn spare<'a>(
    flag: &str,
    out: &Path,
    inputs: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<(), Failure> {
    let identity = |path: &Path| {
        fs::metadata(path).ok().filter(Metadata::is_file).map(|found| (found.dev(), found.ino()))
    };
    let Some(target) = identity(out) else { return Ok(()) };
    match inputs.into_iter().find(|input| identity(input) == Some(target)) {
        None => Ok(()),
        Some(input) => {
            let (out, input) = (out.display(), input.display());
            Err(Failure::flag(flag, format!("{out} is the input {input}; it needs a file of its own")))
        }
    }
}

/// An error if `out`, after `--out`, has the name of a format that it would not be written in, or no folder to lie in.
///
/// # Errors
/// [`Failure::Flag`].
pub fn npy(out: &Path) -> Result<(), Failure> {
    if out.extension().is_none_or(|ending| ending != "safetensors") {
        return housed("--out", out);
    }
    Err(Failure::flag("--out", format!("{}: results are written as .npy, which this is not", out.display())))
}

/// An error if there is no folder that `out`, after `flag`, could lie in: it is better said before anything is computed.
///
/// # Errors
/// [`Failure::Flag`].
pub fn housed(flag: &str, out: &Path) -> Result<(), Failure> {
    match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => {
            let (folder, out) = (folder.display(), out.display());
            Err(Failure::flag(flag, format!("{out} would lie in {folder}, which is no folder")))
        }
        _ => Ok(()),
    }
}

/// The rows of `file`, none of which may have a coordinate that is NaN or infinite.
///
/// # Errors
/// [`Failure::File`], or [`Failure::Rule`] naming the rows that are not finite.
pub fn finite(path: &Path, file: MatrixFile) -> Result<Vec<Vector>, Failure> {
    let rows = file.read()?;
    let bad: Vec<usize> = (0..rows.len()).filter(|&i| !rows[i].is_finite()).collect();
    if bad.is_empty() { Ok(rows) } else { Err(Failure::rule(path)(BatchError::NonFinite(bad).into())) }
}

/// The matrix in the file after `flag`, which goes beside `matrix`: `rows` rows of its length and number format; a vector
/// is one row.
///
/// # Errors
/// [`Failure::Flag`] for another shape; as [`finite`].
pub fn beside(flag: &str, path: &Path, rows: usize, matrix: &MatrixFile) -> Result<Vec<Vector>, Failure> {
    let file = MatrixFile::open_any(path)?;
    let (found, wanted) = ((file.m(), file.d(), file.dtype()), (rows, matrix.d(), matrix.dtype()));
    if found != wanted {
        let say = |(m, d, dtype)| format!("{m} x {d} of {dtype}");
        let message = format!("{} is {}; {} is needed", path.display(), say(found), say(wanted));
        return Err(Failure::flag(flag, message));
    }
    finite(path, file)
}

/// The server's own vector in the file after `--reference`, where the rule `needs` one.
///
/// # Errors
/// [`Failure::Flag`] if it is missing; as [`beside`].
pub fn reference(path: Option<&Path>, needs: bool, matrix: &MatrixFile) -> Result<Option<Vector>, Failure> {
    let reference = of_server(("--reference", "a vector of the server's own"), path, needs, matrix)?;
    if reference.as_ref().is_some_and(|own| own.to_f64().iter().all(|x| *x == 0.0)) {
        say!(
            "note: the vector after --reference is all zeros, and has no direction that others could agree with"
        );
    }
    Ok(reference)
}

/// The server's point in the file after `--point`, where the rule `needs` it.
///
/// # Errors
/// As [`reference`].
pub fn point(path: Option<&Path>, needs: bool, matrix: &MatrixFile) -> Result<Option<Vector>, Failure> {
    of_server(("--point", "the point at which the vectors were computed"), path, needs, matrix)
}

fn of_server(
    (flag, what): (&str, &str),
    path: Option<&Path>,
    needs: bool,
    matrix: &MatrixFile,
) -> Result<Option<Vector>, Failure> {
    match path {
        Some(path) => Ok(beside(flag, path, 1, matrix)?.pop()),
        None if needs => {
            let d = matrix.d();
            Err(Failure::flag(flag, format!("the rule needs {what}, which must be given: of length {d}")))
        }
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::process::ExitCode;

    use super::ended;

    #[test]
    fn a_rule_from_outside_that_panics_is_an_error() {
        let code = ended("--rule", || panic!("sabotage"));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
    }
}
