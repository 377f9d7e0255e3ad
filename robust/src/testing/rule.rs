//! The promises of rules.

use std::sync::Arc;

use super::{
    Bowl, Broken, Promise,
    memory::{ROUNDS, hand_over, requires_room},
    trial::{D, Pairs, Same, Trial, stream, two_layers},
};
use crate::{
    Dtype, Size, Vector, Watch,
    aggregation::{Aggregation, Context, Defence, Judge, Layer, Mean, RuleError},
};

/// What rounding may move, of the largest coordinate, where rows come in another order or in pieces.
const ROUNDING: f64 = 1e-9;
/// Vectors of the many sizes at which nothing but a panic is looked for.
const SHORT: usize = 5;
/// Of few vectors a table of all pairs costs nothing, and is made where nobody asks for it.
const MANY: usize = 40;

/// Holds a rule against what runs rely on, at `size` and below. A layer that is no base rule stands over the mean.
///
/// # Errors
/// The first [`Promise`] that is broken.
pub fn conform_rule(make: impl Fn() -> Layer + Sync, size: Size) -> Result<(), Broken> {
    let subject = Subject { make: &make, size };
    subject.never_panics()?;
    for dtype in [Dtype::F32, Dtype::F64] {
        let trial = subject.trial(dtype, 1);
        subject.repeats(&trial)?;
        subject.goes_on_from_memory(dtype)?;
        subject.sets_aside(&trial)?;
    }
    subject.asks_for_pairs_as_told()?;
    subject.comes_in_pieces_as_told()?;
    subject.knows_no_order()
}

struct Subject<'a> {
    make: &'a (dyn Fn() -> Layer + Sync),
    size: Size,
}

impl Subject<'_> {
    fn trial(&self, dtype: Dtype, round: u64) -> Trial {
        Trial::drawn(self.size.m, self.size.f, D, dtype, round)
    }

    /// The rule without memory, told that all workers hold as many samples, and of two layers in the vectors of the input.
    fn fresh(&self, trial: &Trial) -> Result<Defence, Broken> {
        let layer = trial.calm(self.make)?;
        let layers = match layer {
            Layer::Base(_) => vec![layer],
            Layer::Pre(_) | Layer::Meta(_) => vec![layer, Layer::Base(Box::new(Mean {}))],
        };
        let counted = trial.calm(|| {
            let mut defence = Defence::new(layers)?;
            defence.count_samples(Some(&vec![1; self.size.m.max(MANY)]))?;
            if let Some(vector) = trial.vectors.first() {
                defence.know_layout(&two_layers(vector.len()))?;
            }
            Ok(defence)
        })?;
        counted.map_err(|error: RuleError| trial.breaks(Promise::Works, error.to_string()))
    }

    /// What `defence` finds on the input, in any case without a panic.
    fn tried(
        &self,
        defence: &mut Defence,
        trial: &Trial,
        context: Context,
    ) -> Result<Result<Aggregation, RuleError>, Broken> {
        let like = &trial.vectors[0];
        let own = |round| Trial::drawn(1, 0, like.len(), like.dtype(), round).vectors.remove(0);
        let reference = trial.calm(|| defence.needs_reference())?.then(|| own(1000 + trial.round));
        let point = trial.calm(|| defence.needs_point())?.then(|| own(2000 + trial.round));
        let judge =
            trial.calm(|| defence.needs_judge())?.then(|| Arc::new(Bowl(own(3000))) as Arc<dyn Judge>);
        trial.calm(|| defence.aggregate_in(&trial.vectors, Context { reference, point, judge, ..context }))
    }

    /// What `defence` finds on the input, which it must.
    fn found(&self, defence: &mut Defence, trial: &Trial, context: Context) -> Result<Aggregation, Broken> {
        let found = self.tried(defence, trial, context)?.map_err(|error| {
            let promise = if error.is_own() { Promise::Fits } else { Promise::Works };
            trial.breaks(promise, error.to_string())
        })?;
        trial.require(Promise::Finite, found.output.is_finite(), || "an output that is not".to_owned())?;
        Ok(found)
    }

    fn plain(&self, trial: &Trial) -> Result<Aggregation, Broken> {
        self.found(&mut self.fresh(trial)?, trial, context(trial))
    }

    fn never_panics(&self) -> Result<(), Broken> {
        for size in [Size::new(0, 0), Size::new(5, 1 << 63), Size::new(self.size.m, usize::MAX)] {
            let none = Trial { vectors: Vec::new(), f: size.f, round: 1 };
            let _refused_or_not = none.calm(|| self.fresh(&none).map(|rule| rule.check(size).is_ok()))?;
        }
        for m in 1..=self.size.m {
            let trial = Trial::drawn(m, 0, SHORT, Dtype::F64, 1);
            let rule = self.fresh(&trial)?;
            let stands = |f: &usize| trial.calm(|| rule.check(Size::new(m, *f)).is_ok());
            let all: Vec<usize> = (0..=m + 1)
                .filter_map(|f| stands(&f).map(|ok| ok.then_some(f)).transpose())
                .collect::<Result<_, _>>()?;
            for f in all.first().into_iter().chain(all.last()) {
                let trial = Trial { f: *f, ..trial.clone() };
                let _found_or_not = self.tried(&mut rule.clone(), &trial, context(&trial))?;
            }
        }
        Ok(())
    }

    /// The same bits again, which are those of a result that is what it says.
    fn repeats(&self, trial: &Trial) -> Result<(), Broken> {
        let found = trial.repeated(|| self.plain(trial))?;
        let Some(told) = found.distances else { return Ok(()) };
        let output = found.output.to_f64();
        let size = scale(trial) * (D as f64).sqrt();
        for (i, (row, told)) in trial.vectors.iter().zip(told).enumerate() {
            let squares = row.to_f64().iter().zip(&output).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
            let is = squares.sqrt();
            let close = (told - is).abs() <= 1e-4 * size;
            trial.require(Promise::Distances, close, || {
                format!("{told} for row {i}, whose distance is {is}")
            })?;
        }
        Ok(())
    }

    fn goes_on_from_memory(&self, dtype: Dtype) -> Result<(), Broken> {
        let first = self.trial(dtype, 1);
        let (mut rule, mut other) = (self.fresh(&first)?, self.fresh(&first)?);
        let [before, after] = ROUNDS;
        for round in before {
            let trial = self.trial(dtype, round);
            self.found(&mut rule, &trial, context(&trial))?;
            requires_room(&rule, &trial, self.size.m)?;
        }
        hand_over(&rule, &mut other, &first)?;
        for round in after {
            let trial = self.trial(dtype, round);
            let found = |rule| self.found(rule, &trial, context(&trial));
            let is_same = found(&mut rule)?.is_same(&found(&mut other)?);
            trial
                .require(Promise::Memory, is_same, || "other bits after memory was given back".to_owned())?;
        }
        Ok(())
    }

    /// The row in the middle is not finite, and might as well not be there.
    fn sets_aside(&self, trial: &Trial) -> Result<(), Broken> {
        let bad = self.size.m / 2;
        for value in [f64::NAN, f64::INFINITY] {
            let mut spoiled = trial.clone();
            let mut row = spoiled.vectors[bad].to_f64();
            row[D / 2] = value;
            spoiled.vectors[bad] = spoiled.vectors[bad].like(&row);
            let mut rest = trial.clone();
            rest.vectors.remove(bad);
            let workers = (0..self.size.m).filter(|worker| *worker != bad).collect();
            let found = match self.tried(&mut self.fresh(trial)?, &spoiled, context(&spoiled))? {
                // one row fewer may be too few
                Err(error) if error.is_turnout() => continue,
                Err(error) => return Err(spoiled.breaks(Promise::SetAside, error.to_string())),
                Ok(found) => found,
            };
            rest.f = found.f;
            let without =
                self.tried(&mut self.fresh(trial)?, &rest, Context { workers, ..context(&rest) })?;
            let is_so = without.is_ok_and(|without| without.output.is_same(&found.output))
                && found.weights.is_none_or(|weights| weights[bad] == 0.0);
            spoiled.require(Promise::SetAside, is_so, || {
                format!("row {bad}, with a coordinate of {value}, matters")
            })?;
        }
        Ok(())
    }

    fn asks_for_pairs_as_told(&self) -> Result<(), Broken> {
        let trial = Trial::drawn(self.size.m.max(MANY), self.size.f, SHORT, Dtype::F32, 1);
        let mut rule = self.fresh(&trial)?;
        let pairs = Arc::<Pairs>::default();
        let watch: Arc<dyn Watch> = pairs.clone();
        // A rule may be for fewer workers.
        let _found_or_not =
            self.tried(&mut rule, &trial, Context { watch: Some(watch), ..context(&trial) })?;
        let is_told = rule.needs_pairs() || !pairs.were_asked_for();
        trial.require(Promise::Pairs, is_told, || "it did, and `needs_pairs` denies it".to_owned())
    }

    fn comes_in_pieces_as_told(&self) -> Result<(), Broken> {
        let trial = self.trial(Dtype::F64, 1);
        let layer = trial.calm(self.make)?;
        if !trial.calm(|| matches!(&layer, Layer::Base(rule) if rule.is_coordinate_wise()))? {
            return Ok(());
        }
        let places: Vec<usize> = (0..D).step_by(3).collect();
        let pieces =
            Trial { vectors: trial.vectors.iter().map(|v| v.picked(&places)).collect(), ..trial.clone() };
        let others = Context::new(trial.f, stream("others", trial.round));
        let of_pieces = self.found(&mut self.fresh(&pieces)?, &pieces, others)?.output.to_f64();
        let of_all = self.plain(&trial)?.output.picked(&places).to_f64();
        pieces.require(Promise::Pieces, close(&of_pieces, &of_all, scale(&trial)), || {
            "an output that is no piece of that of the whole vectors".to_owned()
        })
    }

    fn knows_no_order(&self) -> Result<(), Broken> {
        let trial = self.trial(Dtype::F64, 1);
        let straight = self.plain(&trial)?;
        if self.goes_by_workers(&trial)? || self.draws(&trial, &straight)? {
            return Ok(());
        }
        let turned = Trial { vectors: trial.vectors.iter().rev().cloned().collect(), ..trial.clone() };
        let found = self.plain(&turned)?;
        let weights = match (straight.weights, found.weights) {
            (Some(straight), Some(mut found)) => {
                found.reverse();
                close(&straight, &found, 1.0)
            }
            (straight, found) => straight.is_none() == found.is_none(),
        };
        let same = close(&straight.output.to_f64(), &found.output.to_f64(), scale(&trial));
        trial.require(Promise::Order, same, || "another output with the rows turned round".to_owned())?;
        trial.require(Promise::Order, weights, || {
            "weights that do not follow the rows turned round".to_owned()
        })
    }

    fn goes_by_workers(&self, trial: &Trial) -> Result<bool, Broken> {
        let layer = trial.calm(self.make)?;
        trial.calm(|| match &layer {
            Layer::Base(rule) => rule.knows_workers(),
            Layer::Meta(rule) => rule.knows_workers(),
            Layer::Pre(_) => false,
        })
    }

    /// Whether the result is another one where the draws are.
    fn draws(&self, trial: &Trial, found: &Aggregation) -> Result<bool, Broken> {
        let other = Context::new(trial.f, stream("others", trial.round));
        Ok(!self.found(&mut self.fresh(trial)?, trial, other)?.is_same(found))
    }
}

/// What a rule is told of the round of an input.
fn context(trial: &Trial) -> Context {
    Context::new(trial.f, stream("rule", trial.round))
}

/// Whether no more than rounding lies between numbers of this size.
fn close(a: &[f64], b: &[f64], size: f64) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= ROUNDING * size)
}

/// The largest coordinate.
fn scale(trial: &Trial) -> f64 {
    trial.vectors.iter().flat_map(Vector::to_f64).fold(0.0, |all, value| all.max(value.abs()))
}

impl Same for Aggregation {
    fn is_same(&self, other: &Self) -> bool {
        self.output.is_same(&other.output)
            && self.weights.is_same(&other.weights)
            && self.distances.is_same(&other.distances)
    }
}
