//! `phalanx attack`: what an attack would send beside the honest vectors in a file.

use std::{path::PathBuf, process::ExitCode};

use phalanx_robust::{
    Size, Vector,
    aggregation::{Defence, Mean},
    attack::{Attack, FirstRound, Knowledge},
    describe::{Preset, counted},
    random::Seed,
};

use super::{
    at_least,
    matrices::{
        Chain, Failure, beside, elements, ended, finite, fit, layout, make, no_judge, npy, parameter, point,
        preset, reference, spare, tell_layout,
    },
};
use crate::{
    interop::{MatrixFile, write_matrix},
    registry::Registry,
};

/// What can be typed.
#[derive(clap::Args)]
pub struct Arguments {
    /// What the honest workers send: a matrix of float32 or float64, .npy or .safetensors with one tensor.
    #[arg(value_name = "HONEST.npy")]
    honest: PathBuf,
    /// The attack: alie, or '{ alie = { z = 1.5 } }'. It is in its first round: the last aggregate is zero.
    #[arg(long, value_name = "ATTACK")]
    attack: String,
    /// How many workers attack, beside the honest ones; the rule is told this number.
    #[arg(long, value_name = "F", allow_negative_numbers = true, value_parser = at_least(0_usize))]
    f: usize,
    /// The server's rule, which attacks that probe the defence need, as for `aggregate`.
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// What the attackers computed by the honest protocol, which attacks that follow it need: an f x d matrix.
    #[arg(long, value_name = "OWN.npy")]
    own: Option<PathBuf>,
    /// The server's own vector, which rules such as `fltrust` need when they are probed: of length d, or a 1 x d matrix.
    #[arg(long, value_name = "REFERENCE.npy")]
    reference: Option<PathBuf>,
    /// Coordinates of every layer, for rules and attacks that go by them, as `lasa` and `hybrid-sparse` do: 100,20. Without it a
    /// vector is one layer.
    #[arg(long, value_name = "D1,D2", value_delimiter = ',', allow_negative_numbers = true, value_parser = at_least(1_usize))]
    layers: Vec<usize>,
    /// The server's point, which attacks such as `hybrid-sparse` look at, and rules such as `fldetector` need when they are
    /// probed: shaped as REFERENCE.
    #[arg(long, value_name = "POINT.npy")]
    point: Option<PathBuf>,
    /// Whose meaning the names take: paper, dahan or byzfl.
    #[arg(long, value_name = "PRESET", default_value = "paper", value_parser = preset)]
    preset: Preset,
    /// Seed of attacks and rules that draw random numbers.
    #[arg(long, value_name = "SEED", default_value_t = 1, allow_negative_numbers = true, value_parser = at_least(0_u64))]
    seed: u64,
    /// Where the f x d matrix goes: a .npy file of the same number format.
    #[arg(long, short, value_name = "BYZ.npy")]
    out: PathBuf,
}

/// Makes the vectors.
pub fn main(registry: &Registry, arguments: &Arguments) -> ExitCode {
    ended("--attack", || forge(registry, arguments))
}

fn forge(registry: &Registry, arguments: &Arguments) -> Result<(), Failure> {
    let inputs = [&arguments.honest].into_iter().chain(&arguments.own);
    let inputs = inputs.chain(&arguments.reference).chain(&arguments.point);
    npy(&arguments.out)?;
    spare("--out", &arguments.out, inputs)?;
    let file = MatrixFile::open(&arguments.honest)?;
    let size = size(&file, arguments.f)?;
    let mut attack = attack(registry, arguments, size)?;
    let mut defence = defence(registry, arguments, attack.as_ref(), size)?;
    let layout = layout(&arguments.layers, file.d())?;
    attack.know_layout(&layout);
    tell_layout(&mut defence, &layout)?;
    let own = own(arguments, attack.as_ref(), &file)?;
    let probes = attack.knowledge() == Knowledge::Defence;
    if probes && defence.needs_judge() {
        return Err(no_judge());
    }
    let reference = reference(arguments.reference.as_deref(), probes && defence.needs_reference(), &file)?;
    let point = point(arguments.point.as_deref(), probes && defence.needs_point(), &file)?;
    let honest = finite(&arguments.honest, file)?;
    let stage = FirstRound {
        defence: &defence,
        honest: &honest,
        own: own.as_deref(),
        reference: reference.as_ref(),
        point: point.as_ref(),
        size,
        seed: Seed(arguments.seed),
    };
    let vectors = stage.forge(attack.as_mut()).map_err(Failure::attack(&arguments.honest))?;
    if vectors.len() != size.f {
        let (made, wanted) = (counted(vectors.len(), "vector"), counted(size.f, "attacker"));
        return Err(Failure::flag("--attack", format!("it made {made} for {wanted}")));
    }
    if let Some(odd) = vectors.iter().find(|v| !v.is_like(&honest[0])) {
        let (found, expected) = (odd.kind(), honest[0].kind());
        let message = format!("it made a vector of {found}, where the honest ones have {expected}");
        return Err(Failure::flag("--attack", message));
    }
    Ok(write_matrix(&arguments.out, &vectors)?)
}

/// The number of all vectors, and of those that the attack makes.
fn size(honest: &MatrixFile, f: usize) -> Result<Size, Failure> {
    if f == 0 {
        return Err(Failure::flag("--f", "0 is given; at least one worker must attack"));
    }
    let made = (f as u64).saturating_mul(honest.d() as u64).saturating_mul(honest.dtype().size() as u64);
    fit("--f", (f, honest.d()), made)?;
    Ok(Size::new(honest.m() + f, f))
}

fn attack(registry: &Registry, arguments: &Arguments, size: Size) -> Result<Box<dyn Attack>, Failure> {
    let mut all = elements("--attack", &arguments.attack)?.into_iter();
    let (Some(named), None) = (all.next(), all.next()) else {
        return Err(Failure::flag("--attack", "one attack is expected"));
    };
    let factory = make(&registry.attacks, "--attack", &named, arguments.preset)?.component;
    factory(size).map_err(|error| parameter("--attack", &named.name, &error))
}

/// The server's rule; the mean for attacks that do not look at it.
fn defence(
    registry: &Registry,
    arguments: &Arguments,
    attack: &dyn Attack,
    size: Size,
) -> Result<Defence, Failure> {
    match &arguments.rule {
        Some(rule) => {
            let (defence, _) = Chain::defence(registry, rule, arguments.preset)?;
            defence.check(size).map_err(|error| Failure::flag("--rule", error))?;
            Ok(defence)
        }
        None if attack.knowledge() == Knowledge::Defence => Err(Failure::flag(
            "--rule",
            format!("`{}` probes the server's rule, which must be given", arguments.attack),
        )),
        None => Ok(Defence::base(Mean {})),
    }
}

/// The attackers' own vectors, which an attack that follows the protocol needs.
fn own(
    arguments: &Arguments,
    attack: &dyn Attack,
    honest: &MatrixFile,
) -> Result<Option<Vec<Vector>>, Failure> {
    let needed = attack.follows_protocol();
    match &arguments.own {
        // A file that is of no use must be right all the same, but stays out of the attack's sight.
        Some(path) => {
            beside("--own", path, arguments.f, honest).map(|vectors| Some(vectors).filter(|_| needed))
        }
        None if needed => {
            let message = format!(
                "`{}` starts from what the attackers computed themselves, which must be given: a {} x {} matrix",
                arguments.attack,
                arguments.f,
                honest.d()
            );
            Err(Failure::flag("--own", message))
        }
        None => Ok(None),
    }
}
