//! `phalanx certify`: searches for the input that moves a rule furthest.
//!
//! The number found is a lower bound on the coefficient kappa of the rule: an
//! input exists that does this. A small number proves nothing, for the search
//! may have missed a worse input.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use phalanx_robust::{
    Layout, Size,
    aggregation::{Bound, Meaning},
    attack::Attack,
    certify::{Certify, Worst},
    contained,
    describe::Preset,
    random::Seed,
};

use super::{
    at_least,
    matrices::{Chain, Failure, ended, fit, layout, no_judge, npy, preset, tell_layout},
};
use crate::{config::Named, interop::write_matrix, registry::Registry};

/// What can be typed.
#[derive(clap::Args)]
pub struct Arguments {
    /// The rule, as for `aggregate`; it must have a base rule at its end.
    #[arg(long, value_name = "RULE")]
    rule: String,
    /// Number of vectors.
    #[arg(long, value_name = "M", allow_negative_numbers = true, value_parser = at_least(0_usize))]
    m: usize,
    /// How many of them are Byzantine; the rule is told this number.
    #[arg(long, value_name = "F", allow_negative_numbers = true, value_parser = at_least(0_usize))]
    f: usize,
    /// Length of a vector.
    #[arg(long, value_name = "D", default_value_t = 8, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    d: u32,
    /// Coordinates of every layer, for rules and attacks that go by them, as `lasa` and `hybrid-sparse` do: 100,20. Without it a
    /// vector is one layer.
    #[arg(long, value_name = "D1,D2", value_delimiter = ',', allow_negative_numbers = true, value_parser = at_least(1_usize))]
    layers: Vec<usize>,
    /// How often the rule is applied, beside what attacks probe.
    #[arg(long, value_name = "N", default_value_t = 2000, allow_negative_numbers = true, value_parser = at_least(1_u32))]
    budget: u32,
    /// Whose meaning the names take: paper, dahan or byzfl.
    #[arg(long, value_name = "PRESET", default_value = "paper", value_parser = preset)]
    preset: Preset,
    /// Seed of the search.
    #[arg(long, value_name = "SEED", default_value_t = 1, allow_negative_numbers = true, value_parser = at_least(0_u64))]
    seed: u64,
    /// Where the worst input goes: an m x d matrix of float64, the honest rows first. The server's own vector, for a
    /// rule that needs one, goes beside it to WORST.reference.npy. The server's point is the origin.
    #[arg(long, short, value_name = "WORST.npy", default_value = "worst.npy")]
    out: PathBuf,
}

/// Searches, and prints what was found beside what is proved.
pub fn main(registry: &Registry, arguments: &Arguments) -> ExitCode {
    ended("--rule", || certify(registry, arguments))
}

fn certify(registry: &Registry, arguments: &Arguments) -> Result<(), Failure> {
    npy(&arguments.out)?;
    let (mut defence, _) = Chain::defence(registry, &arguments.rule, arguments.preset)?;
    if defence.needs_judge() {
        return Err(no_judge());
    }
    let &Arguments { m, f, d, budget, seed, .. } = arguments;
    let layout = layout(&arguments.layers, d as usize)?;
    tell_layout(&mut defence, &layout)?;
    if f == 0 || f >= m.div_ceil(2) {
        return Err(Failure::flag("--f", format!("f = {f} of m = {m} vectors; 0 < f < m/2 is needed")));
    }
    fit("--m", (m, d as usize), need(m as u64, d.into()))?;
    let size = Size::new(m, f);
    defence.check(size).map_err(|error| Failure::flag("--rule", error))?;
    let bound = defence.bound(size);
    let meaning = bound.as_ref().map_or(Meaning::Kappa, |bound| bound.meaning);
    let search = Certify { defence, size, d: d as usize, budget, meaning, seed: Seed(seed) };
    let worst = search.search(&attacks(registry, size, arguments.preset, &layout)).map_err(|failure| {
        let why = failure.map_or_else(String::new, |error| format!(": {error}"));
        Failure::flag("--rule", format!("no input was found on which it gives a finite result{why}"))
    })?;
    worst.panicked.iter().for_each(|(name, message)| left_out(name, message));
    write_matrix(&arguments.out, &worst.rows)?;
    if let Some(reference) = &worst.reference {
        write_matrix(&beside(&arguments.out), std::slice::from_ref(reference))?;
    }
    super::print(&tell(&worst, meaning, bound, arguments));
    Ok(())
}

/// Bytes of the vectors of f64, as many tried beside them, and their Gram matrix.
fn need(m: u64, d: u64) -> u64 {
    m.saturating_mul(2 * d).saturating_add(m.saturating_mul(m)).saturating_mul(size_of::<f64>() as u64)
}

/// Says that an attack from outside went wrong; the rule is not to blame for it.
fn left_out(name: &str, message: &str) {
    say!("warning: the attack `{name}` panicked, and was left out: {message}");
}

/// Every attack that works at this size without being given parameters.
fn attacks(
    registry: &Registry,
    size: Size,
    preset: Preset,
    layout: &Layout,
) -> Vec<(String, Box<dyn Attack>)> {
    let make = |name: &String| {
        let made = registry.attacks.make(&Named::plain(name), preset).ok()?;
        let mut attack = (made.component)(size).ok()?;
        attack.know_layout(layout);
        Some((name.clone(), attack))
    };
    let names: Vec<String> = registry.attacks.cards().map(|card| card.name.clone()).collect();
    let whole = |name: &String| {
        contained(|| make(name)).unwrap_or_else(|message| {
            left_out(name, &message);
            None
        })
    };
    names.iter().filter_map(whole).collect()
}

/// Where the server's own vector goes.
fn beside(worst: &Path) -> PathBuf {
    worst.with_extension("reference.npy")
}

fn tell(worst: &Worst, meaning: Meaning, bound: Option<Bound>, arguments: &Arguments) -> String {
    let (name, spread) = match meaning {
        Meaning::Kappa => ("kappa", "honest variance"),
        Meaning::C => ("c", "largest squared distance of two honest vectors"),
    };
    let forced = worst.coefficient;
    let published = bound.map_or_else(
        || "none known".to_owned(),
        |bound| {
            let Bound { coefficient, formula, source, .. } = bound;
            let share = 100.0 * forced / coefficient;
            format!("{name} <= {} = {formula} ({source}); {share:.1} % of it was forced", number(coefficient))
        },
    );
    let reference = worst.reference.as_ref().map_or_else(String::new, |_| {
        let file = beside(&arguments.out);
        format!(
            "reference: {} (the honest mean plus Gaussian noise, which deviates from it as an honest vector does)\n",
            file.display()
        )
    });
    let failures = worst.failure.as_ref().map_or_else(String::new, |error| {
        let Worst { tried, failed, .. } = worst;
        format!(
            "failed:    on {failed} of {tried} inputs, which no coefficient measures; on the first: {error}\n\
             \x20          An attacker that can make a rule fail ends the round.\n"
        )
    });
    format!(
        "forced:    {name} >= {} = |output - honest mean|^2 / {spread}\n\
         published: {published}\n\
         start:     {}\n\
         tried:     {} inputs\n\
         {failures}\
         worst:     {} ({} honest rows first)\n\
         {reference}\
         What was forced is a lower bound on {name}: this input does it. It is no upper bound: that the search found\n\
         nothing worse proves nothing. Rules with memory were in their first round.\n",
        number(forced),
        worst.start,
        worst.tried,
        arguments.out.display(),
        arguments.m - arguments.f
    )
}

/// A coefficient in as many digits as say something.
fn number(value: f64) -> String {
    if value < 1e6 { format!("{value:.6}") } else { format!("{value:.3e}") }
}
