//! A search for the input that moves a rule furthest, called by `phalanx certify`.
//!
//! What it finds is a *lower* bound on the robustness coefficient of the
//! rule: the input is there, and does what it does. A small number proves
//! nothing, for the search may have missed a worse input. A rule with memory
//! is in its first round, and one that draws random numbers draws those of
//! the given seed. A rule that needs a vector of the server's own is given one
//! that lies around the honest mean as an honest vector does: their mean plus
//! Gaussian noise whose expected squared norm is their variance. The server's point is the origin.
//!
//! Inputs that the rule fails on have no coefficient. They are counted, for a
//! rule that an attacker can make fail withstands nothing.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use crate::{
    Batch, Size, Vector,
    aggregation::{Context, Defence, Meaning, RuleError, pairwise_coefficient, robustness_coefficient},
    attack::{Attack, FirstRound},
    contained,
    random::{Seed, Stream},
};

/// A rule and how long to look for its worst input.
#[derive(Clone)]
pub struct Certify {
    /// The rule.
    pub defence: Defence,
    /// How many vectors there are, and how many of them are Byzantine; the rule is told both.
    pub size: Size,
    /// Length of a vector.
    pub d: usize,
    /// How often the rule may be applied, beside what attacks probe.
    pub budget: u32,
    /// Which coefficient is to be forced.
    pub meaning: Meaning,
    /// Of all that is drawn.
    pub seed: Seed,
}

/// How long the rows of the start are that no attack makes, where honest ones are of the order of 1 to 100, and how far
/// honest rows lie from the origin where it is to be seen whether a rule goes by it.
const FAR: f64 = 1e6;

/// The least squared distance of honest rows that is looked at, as a part of the largest squared norm.
const LEAST_SPREAD: f64 = 1e-20;

/// Moves are no shorter and no longer than this, where honest rows are of the order of 1.
const SHORTEST: f64 = 1e-4;
const LONGEST: f64 = 1e3;

/// Most moves for each time that the rule may be applied: one to rows that are not apart costs nothing.
const MOVES: usize = 4;

/// The worst input found.
#[derive(Clone, Debug)]
pub struct Worst {
    /// The m vectors, the honest ones first.
    pub rows: Vec<Vector>,
    /// The server's own vector, if the rule needs one.
    pub reference: Option<Vector>,
    /// ‖output - honest mean‖² over the variance of the honest rows (kappa), or over the largest squared distance
    /// of two of them (c).
    pub coefficient: f64,
    /// What it was found from.
    pub start: String,
    /// How often the rule was applied.
    pub tried: u32,
    /// On how many of these inputs it failed or made a vector that is not finite, which no coefficient measures.
    pub failed: u32,
    /// How it failed first.
    pub failure: Option<RuleError>,
    /// Attacks that panicked, by name, and what they said. What such an attack might have found is not among the inputs.
    pub panicked: BTreeMap<String, String>,
}

/// How the honest rows lie.
#[derive(Clone, Copy, Debug)]
enum Honest {
    /// Standard Gaussian.
    Gaussian,
    /// In two crowds, of which the second has f rows.
    Outvoted,
    /// In two crowds of equal size.
    Halves,
    /// Gaussian directions, lengths of very different size.
    Tailed,
    /// All equal but one.
    Lone,
    /// Standard Gaussian around a point that is far from the origin.
    Displaced,
}

impl Honest {
    const ALL: [Self; 6] =
        [Self::Gaussian, Self::Outvoted, Self::Halves, Self::Tailed, Self::Lone, Self::Displaced];
}

impl Certify {
    /// Tries `attacks`, and rows that lie far away, on honest rows of several shapes, and then moves the rows of the worst
    /// input of each shape, honest ones too, as long as the budget lasts.
    ///
    /// # Errors
    /// How the rule failed first, if it gave a finite result on no input; none if there was no input.
    pub fn search(&self, attacks: &[(String, Box<dyn Attack>)]) -> Result<Worst, Option<RuleError>> {
        let mut search =
            Search { task: self, left: self.budget, failed: 0, failure: None, panicked: BTreeMap::new() };
        let starts: Vec<Worst> =
            Honest::ALL.iter().filter_map(|&shape| search.try_attacks(shape, attacks)).collect();
        let worst = search.climb(starts);
        let tried = self.budget - search.left;
        let Search { failed, failure, panicked, .. } = search;
        match worst {
            Some(worst) => Ok(Worst { tried, failed, failure, panicked, ..worst }),
            None => Err(failure),
        }
    }

    fn honest(&self, shape: Honest) -> Vec<Vector> {
        let mut rng = self.seed.stream("certify", shape as u64, "honest", 0);
        let (n, f) = (self.size.honest(), self.size.f);
        let apart = gaussian(self.d, &mut rng).scaled(5.0);
        let row = |i: usize| {
            let mut row = gaussian(self.d, &mut rng);
            match shape {
                Honest::Outvoted if i >= n.saturating_sub(f) => row.axpy(1.0, &apart),
                Honest::Halves if i >= n / 2 => row.axpy(1.0, &apart),
                Honest::Tailed => row = row.scaled(0.5 / rng.random_range(0.01..1.0f64)),
                Honest::Lone if i > 0 => row = apart.clone(),
                Honest::Displaced => row.axpy(FAR, &apart),
                _ => {}
            }
            row
        };
        (0..n).map(row).collect()
    }

    /// The server's own vector beside these honest ones, for a rule that needs one.
    fn reference(&self, honest: &[Vector]) -> Option<Vector> {
        let batch = Batch::new(honest).ok().filter(|_| self.defence.needs_reference())?;
        let mut reference = batch.mean();
        let variance = batch.distances(&reference).iter().sum::<f64>() / honest.len() as f64;
        let noise = gaussian(self.d, &mut self.seed.stream("certify", 0, "reference", 0));
        reference.axpy((variance / self.d as f64).sqrt(), &noise);
        Some(reference)
    }

    /// The server's point.
    fn point(&self) -> Vector {
        vec![0.0; self.d].into()
    }
}

struct Search<'a> {
    task: &'a Certify,
    /// How often the rule may still be applied.
    left: u32,
    /// How many inputs the rule failed on, and how first.
    failed: u32,
    failure: Option<RuleError>,
    /// The attacks that panicked, and what they said.
    panicked: BTreeMap<String, String>,
}

/// What is climbed: an input that gives way to worse ones.
struct Hill {
    worst: Worst,
    /// The length of the next move.
    step: f64,
}

impl Search<'_> {
    /// The worst input with honest rows of this shape.
    fn try_attacks(&mut self, shape: Honest, attacks: &[(String, Box<dyn Attack>)]) -> Option<Worst> {
        let Certify { defence, size, d, seed, .. } = self.task;
        let honest = self.task.honest(shape);
        let mut rng = seed.stream("certify", shape as u64, "own", 0);
        let own: Vec<Vector> = (0..size.f).map(|_| gaussian(*d, &mut rng)).collect();
        let (reference, point) = (self.task.reference(&honest), self.task.point());
        let stage = FirstRound {
            defence,
            honest: &honest,
            own: Some(&own),
            reference: reference.as_ref(),
            point: Some(&point),
            size: *size,
            seed: *seed,
        };
        let mut found = Vec::new();
        for (name, attack) in attacks {
            match contained(|| stage.forge(attack.clone().as_mut())) {
                Ok(Ok(forged)) => {
                    let start = format!("{name} on {shape:?} rows").to_lowercase();
                    found.extend(self.consider([&honest[..], &forged].concat(), &start));
                }
                Ok(Err(_)) => {} // it has nothing to say here
                Err(message) => drop(self.panicked.insert(name.clone(), message)),
            }
        }
        let away = gaussian(*d, &mut seed.stream("certify", shape as u64, "far", 0)).scaled(FAR);
        let start = format!("rows far away from {shape:?} rows").to_lowercase();
        found.extend(self.consider([&honest[..], &vec![away; size.f]].concat(), &start));
        found.into_iter().reduce(|a, b| if b.coefficient > a.coefficient { b } else { a })
    }

    /// What the rule makes of an input, if that has a coefficient.
    fn consider(&mut self, rows: Vec<Vector>, start: &str) -> Option<Worst> {
        let Certify { defence, size, meaning, seed, .. } = self.task;
        if self.left == 0 || rows.len() != size.m || !is_spread(&rows[..size.honest()]) {
            return None;
        }
        self.left -= 1;
        let reference = self.task.reference(&rows[..size.honest()]);
        let rng = seed.stream("rule", 0, "aggregate", 1);
        let (own, point) = (reference.clone(), Some(self.task.point()));
        let context = Context { reference: own, point, ..Context::new(size.f, rng) };
        let output = match defence.clone().aggregate_in(&rows, context) {
            Ok(found) if found.output.is_finite() => found.output,
            Ok(_) => return self.fails(RuleError::NotFinite),
            Err(error) => return self.fails(error),
        };
        let honest: Vec<usize> = (0..size.honest()).collect();
        let coefficient = match meaning {
            Meaning::Kappa => robustness_coefficient(&rows, &honest, &output),
            Meaning::C => pairwise_coefficient(&rows, &honest, &output),
        };
        coefficient.is_finite().then(|| Worst {
            rows,
            reference,
            coefficient,
            start: start.to_owned(),
            tried: 0,
            failed: 0,
            failure: None,
            panicked: BTreeMap::new(),
        })
    }

    /// Counts an input that the rule fails on; it is not kept.
    fn fails(&mut self, error: RuleError) -> Option<Worst> {
        self.failed += 1;
        self.failure.get_or_insert(error);
        None
    }

    /// The worst input that is come to from these, if there are Byzantine rows, by moves at random, in steps that grow while
    /// they help. Every other move is one from the worst input of all, and of the others each start has its turn, for the
    /// highest hill may begin low.
    fn climb(&mut self, starts: Vec<Worst>) -> Option<Worst> {
        let mut hills: Vec<Hill> = starts.into_iter().map(|worst| Hill { worst, step: 1.0 }).collect();
        let mut rng = self.task.seed.stream("certify", 0, "climb", 0);
        let moves = if self.task.size.f == 0 { 0 } else { MOVES * self.task.budget as usize };
        for turn in 0..moves {
            let highest = highest(&hills)?;
            if self.left == 0 {
                break;
            }
            let at = if turn % 2 == 0 { highest } else { turn / 2 % hills.len() };
            let Hill { worst, step } = &mut hills[at];
            let rows = self.moved(&worst.rows, *step, &mut rng);
            let found =
                self.consider(rows, &worst.start).filter(|found| found.coefficient > worst.coefficient);
            *step = match found {
                Some(_) => (1.5 * *step).min(LONGEST),
                None if *step > SHORTEST => 0.97 * *step,
                None => 1.0, // nothing near is worse: farther ones once more
            };
            *worst = found.unwrap_or_else(|| worst.clone());
        }
        highest(&hills).map(|at| hills.swap_remove(at).worst)
    }

    /// One of five moves: all Byzantine rows by a common vector, all of them towards or away from the first honest row, any
    /// row, one of its coordinates, or an honest row to where another is.
    fn moved(&self, rows: &[Vector], step: f64, rng: &mut Stream) -> Vec<Vector> {
        let mut rows = rows.to_vec();
        let (honest, m, d) = (self.task.size.honest(), self.task.size.m, self.task.d);
        let one = rng.random_range(0..m);
        match rng.random_range(0..5) {
            0 => {
                let common = gaussian(d, rng);
                rows[honest..].iter_mut().for_each(|row| row.axpy(step, &common));
            }
            1 => {
                let by: f64 = StandardNormal.sample(rng);
                let towards = rows[0].clone();
                rows[honest..].iter_mut().for_each(|row| row.lerp(step.min(1.0) * by, &towards));
            }
            2 => rows[one].axpy(step, &gaussian(d, rng)),
            3 => {
                let mut values = rows[one].to_f64();
                let by: f64 = StandardNormal.sample(rng);
                values[rng.random_range(0..d)] += step * by;
                rows[one] = Vector::from(values);
            }
            _ => rows[rng.random_range(0..honest)] = rows[rng.random_range(0..honest)].clone(),
        }
        rows
    }
}

/// Which hill is the highest.
fn highest(hills: &[Hill]) -> Option<usize> {
    let height = |at: &usize| hills[*at].worst.coefficient;
    (0..hills.len()).max_by(|a, b| height(a).total_cmp(&height(b)))
}

/// Whether the rows differ by more than rounding moves them: else a coefficient would be one of rounding.
fn is_spread(rows: &[Vector]) -> bool {
    let longest = rows.iter().map(|row| row.dot(row)).fold(0.0, f64::max);
    let apart = |row: &Vector| {
        let from = row.minus(&rows[0]);
        from.dot(&from)
    };
    rows.iter().map(apart).fold(0.0, f64::max) > LEAST_SPREAD * longest
}

fn gaussian(d: usize, rng: &mut Stream) -> Vector {
    StandardNormal.sample_iter(rng).take(d).collect::<Vec<f64>>().into()
}
