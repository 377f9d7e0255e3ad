//! `phalanx certify`: searches for the input that moves a rule furthest.
//!
//! The number found is a lower bound on the coefficient kappa of the rule: an
//! input exists that does this. A small number proves nothing, for the search
//! may have missed a worse input.

use std::{path::PathBuf, process::ExitCode};

use phalanx_robust::{
    Size, Vector,
    aggregation::{Bound, Defence, Meaning, robustness_coefficient},
    describe::Preset,
    random::{Seed, Stream},
};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::{
    attack::first_round,
    matrices::{Chain, Failure, preset},
};
use crate::{config::Named, interop::write_matrix, registry::Registry};

/// Honest batches that are tried.
const BATCHES: u64 = 3;

/// What can be typed.
#[derive(clap::Args)]
pub struct Arguments {
    /// The rule, as for `aggregate`; it must have a base rule at its end.
    #[arg(long, value_name = "RULE")]
    rule: String,
    /// Number of vectors.
    #[arg(long, value_name = "M")]
    m: usize,
    /// How many of them are Byzantine; the rule is told this number.
    #[arg(long, value_name = "F")]
    f: usize,
    /// Length of a vector.
    #[arg(long, value_name = "D", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    d: u32,
    /// How often the rule is applied.
    #[arg(long, value_name = "N", default_value_t = 2000)]
    budget: u32,
    /// Whose meaning the names take: paper, dahan or byzfl.
    #[arg(long, value_name = "PRESET", default_value = "paper", value_parser = preset)]
    preset: Preset,
    /// Seed of the search.
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
    /// Where the worst input goes: an m x d matrix of float64, the honest rows first.
    #[arg(long, short, value_name = "WORST.npy", default_value = "worst.npy")]
    out: PathBuf,
}

/// Searches, and prints what was found beside what is proved.
pub fn main(registry: &Registry, arguments: &Arguments) -> ExitCode {
    match certify(registry, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit(),
    }
}

fn certify(registry: &Registry, arguments: &Arguments) -> Result<(), Failure> {
    let (defence, _) = Chain::defence(registry, &arguments.rule, arguments.preset)?;
    let &Arguments { m, f, d, .. } = arguments;
    if f == 0 || 2 * f >= m {
        return Err(Failure::flag("--f", format!("f = {f} of m = {m} vectors; 0 < f < m/2 is needed")));
    }
    let size = Size::new(m, f);
    defence.check(size).map_err(|error| Failure::flag("--rule", error))?;
    if defence.needs_reference() {
        return Err(Failure::flag(
            "--rule",
            "it needs a vector of the server's own, which there is none of here",
        ));
    }
    let bound = defence.bound(size);
    let mut search = Search::new(defence, size, d as usize, arguments);
    (0..BATCHES).for_each(|batch| search.try_attacks(registry, batch, arguments));
    search.climb();
    let Some(worst) = search.worst else {
        return Err(Failure::flag("--rule", "no input was found on which it gives a finite result"));
    };
    write_matrix(&arguments.out, &worst.rows)?;
    super::print(&tell(&worst, search.left, bound, arguments));
    Ok(())
}

fn tell(worst: &Case, left: u32, bound: Option<Bound>, arguments: &Arguments) -> String {
    let bound = bound.map_or_else(
        || "none known".to_owned(),
        |bound| {
            let meaning = match bound.meaning {
                Meaning::Kappa => "kappa",
                Meaning::C => "c, in expectation, against the squared distance of two honest rows",
            };
            format!("{} = {} ({meaning}; {})", number(bound.coefficient), bound.formula, bound.source)
        },
    );
    format!(
        "forced:    {} = |output - honest mean|^2 / honest variance\n\
         published: {bound}\n\
         start:     {}\n\
         tried:     {} inputs\n\
         worst:     {}\n\
         The forced number is a lower bound on kappa: this input does it. That no worse one was found proves nothing.\n",
        number(worst.coefficient),
        worst.start,
        arguments.budget - left,
        arguments.out.display()
    )
}

/// A coefficient in as many digits as say something.
fn number(value: f64) -> String {
    if value < 1e6 { format!("{value:.6}") } else { format!("{value:.3e}") }
}

/// An input, the honest rows first.
#[derive(Clone)]
struct Case {
    rows: Vec<Vector>,
    coefficient: f64,
    /// The attack that it was found from.
    start: String,
}

struct Search {
    defence: Defence,
    size: Size,
    d: usize,
    seed: Seed,
    rng: Stream,
    /// How often the rule may still be applied.
    left: u32,
    worst: Option<Case>,
}

impl Search {
    fn new(defence: Defence, size: Size, d: usize, arguments: &Arguments) -> Self {
        let seed = Seed(arguments.seed);
        let rng = seed.stream("certify", 0, "climb", 0);
        Self { defence, size, d, seed, rng, left: arguments.budget, worst: None }
    }

    /// Every attack with default parameters on a batch of standard Gaussian rows.
    fn try_attacks(&mut self, registry: &Registry, batch: u64, arguments: &Arguments) {
        let mut rng = self.seed.stream("certify", batch, "honest", 0);
        let all: Vec<Vector> = (0..self.size.m).map(|_| gaussian(self.d, &mut rng)).collect();
        let (honest, own) = all.split_at(self.size.honest());
        let names: Vec<String> = registry.attacks.cards().map(|card| card.name.clone()).collect();
        for name in names {
            let Ok(made) = registry.attacks.make(&Named::plain(&name), arguments.preset) else { continue };
            let Ok(mut attack) = (made.component)(self.size) else { continue };
            let forged = first_round(attack.as_mut(), &self.defence, honest, Some(own), self.size, self.seed);
            if let Ok(forged) = forged {
                self.consider([honest, &forged].concat(), &name);
            }
        }
    }

    /// Keeps the input if it is worse than all before; says whether it is.
    fn consider(&mut self, rows: Vec<Vector>, start: &str) -> bool {
        if self.left == 0 || rows.len() != self.size.m {
            return false;
        }
        self.left -= 1;
        let rng = self.seed.stream("rule", 0, "aggregate", 1);
        let Ok(found) = self.defence.clone().aggregate(&rows, self.size.f, rng) else { return false };
        let honest: Vec<usize> = (0..self.size.honest()).collect();
        let coefficient = robustness_coefficient(&rows, &honest, &found.output);
        let before = self.worst.as_ref().map_or(f64::NEG_INFINITY, |worst| worst.coefficient);
        let worse = coefficient.is_finite() && coefficient > before;
        if worse {
            self.worst = Some(Case { rows, coefficient, start: start.to_owned() });
        }
        worse
    }

    /// Moves the Byzantine rows of the worst input at random, in steps that grow while they help.
    fn climb(&mut self) {
        let mut step = 1.0;
        while self.left > 0 {
            let Some(worst) = self.worst.clone() else { return };
            let rows = self.moved(&worst.rows, step);
            step *= if self.consider(rows, &worst.start) { 1.5 } else { 0.97 };
            step = f64::clamp(step, 1e-4, 1e3);
        }
    }

    /// One of four moves: all Byzantine rows by a common vector, one of them, one of its coordinates, or
    /// all towards or away from the first honest row.
    fn moved(&mut self, rows: &[Vector], step: f64) -> Vec<Vector> {
        let mut rows = rows.to_vec();
        let (honest, m) = (self.size.honest(), self.size.m);
        let one = self.rng.random_range(honest..m);
        match self.rng.random_range(0..4) {
            0 => {
                let common = gaussian(self.d, &mut self.rng);
                rows[honest..].iter_mut().for_each(|row| row.axpy(step, &common));
            }
            1 => rows[one].axpy(step, &gaussian(self.d, &mut self.rng)),
            2 => {
                let mut values = rows[one].to_f64();
                let at = self.rng.random_range(0..self.d);
                let by: f64 = StandardNormal.sample(&mut self.rng);
                values[at] += step * by;
                rows[one] = Vector::from(values);
            }
            _ => {
                let by: f64 = StandardNormal.sample(&mut self.rng);
                let towards = rows[0].clone();
                rows[honest..].iter_mut().for_each(|row| row.lerp(step.min(1.0) * by, &towards));
            }
        }
        rows
    }
}

fn gaussian(d: usize, rng: &mut Stream) -> Vector {
    StandardNormal.sample_iter(rng).take(d).collect::<Vec<f64>>().into()
}
