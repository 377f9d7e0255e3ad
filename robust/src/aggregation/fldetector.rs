//! FLDetector: whoever does not send what its last vector foretells is left out.

use std::collections::{BTreeMap, VecDeque};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Aggregate, Aggregator, Context, Layer, MetaAggregator, Output, Rule, RuleError, beside,
    curvature::Curvature,
    gap,
    sums::{Sums, entries, taken_back},
};
use crate::{
    Batch, Map, Size, Vector,
    describe::{Described, ParameterError},
    state::{State, StateError, Stateful},
};

/// FLDetector: what the rule inside makes of the vectors without those of workers whose vectors, over `window` rounds, their
/// last ones do not foretell.
///
/// At the server's point w_t worker i is expected to send what it sent in round t - 1, plus B (w_t - w_{t-1}): B is the
/// Hessian that L-BFGS makes of the `window` differences before of points, and of the results that the rule inside gave
/// there. The error of a worker is the distance of what it sends from that, over the mean of all these distances, and its
/// score the mean of its errors in the last `window` rounds. If the gap statistic, with `references` sets of uniform
/// numbers, finds more than one cluster of scores, those in the upper of two clusters are left out of this round. In the
/// next round all are judged anew, as their vectors are foretold whether they count or not; the paper detects once, and
/// trains anew without those found.
///
/// In the first 2 `window` rounds nobody is left out. Whoever missed a round has no error in the next. A round in which L-BFGS
/// has no solution, or all are as foretold, is not counted. Where the rule inside could not stand those left (f shrinks by
/// the number of those who are not), nobody is left out. Nothing else depends on f: whoever is easiest to foretell is
/// believed, however few they are, as Byzantine workers are that send the same always beside honest ones whose batches are
/// small. The gap statistic sees two clusters in one of 5 sets of 17 uniform numbers, and in one of 28 sets of normal ones.
///
/// Remembers a vector for every worker and two for every round of the window, and cannot stand under bucketing or where
/// rounds call a part of the workers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fldetector {
    /// Rounds whose differences make the Hessian, and rounds whose errors make a score: N in the paper.
    #[schemars(range(min = 1))]
    pub window: usize,
    /// Sets of uniform numbers that the scores are compared with, for each number of clusters.
    #[schemars(range(min = 1))]
    pub references: usize,
}

impl Default for Fldetector {
    fn default() -> Self {
        Self { window: 10, references: 10 }
    }
}

impl Described for Fldetector {
    const NAME: &'static str = "fldetector";
    const SOURCE: &'static str = "Zhang et al., 2022";
}

impl Rule for Fldetector {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::at_least_one("window", self.window)?;
        ParameterError::at_least_one("references", self.references)?;
        Ok(Layer::Meta(Box::new(Detector { rule: self.clone(), ..Detector::default() })))
    }

    fn condition() -> &'static str {
        "m > 0, the server's point, and rounds that call all workers; not under `bucketing`"
    }
}

/// The rule with its memory.
#[derive(Clone, Debug, Default)]
struct Detector {
    rule: Fldetector,
    /// The point of the last round, and what the rule inside made there.
    last: Option<(Vector, Vector)>,
    /// What each worker sent in the last round.
    sent: Sums,
    curvature: Curvature,
    /// The errors by worker in the last rounds, oldest first.
    errors: VecDeque<BTreeMap<usize, f64>>,
}

const SENT: &str = "sent";

impl Stateful for Detector {
    fn state(&self) -> State {
        let Curvature { steps, changes, of_steps, of_both } = &self.curvature;
        let mut state = State { vectors: entries(SENT, &self.sent).collect(), ..State::default() };
        let numbered = |name: &'static str, all: &[Vector]| {
            let named =
                all.iter().enumerate().map(move |(at, vector)| (format!("{name}.{at}"), vector.clone()));
            named.collect::<Vec<_>>()
        };
        state.vectors.extend(numbered("step", steps));
        state.vectors.extend(numbered("change", changes));
        if let Some((point, result)) = &self.last {
            state
                .vectors
                .extend([("point".to_owned(), point.clone()), ("result".to_owned(), result.clone())]);
        }
        state.values.insert("products".into(), json!([of_steps, of_both]));
        state.values.insert("errors".into(), json!(self.errors));
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        let [of_steps, of_both]: [Vec<Vec<f64>>; 2] = state.value(Fldetector::NAME, "products")?;
        let [steps, changes] =
            ["step", "change"].map(|name| taken_back(state, name).into_values().collect::<Vec<_>>());
        let n = steps.len();
        let fits =
            |products: &Vec<Vec<f64>>| products.len() == n && products.iter().all(|row| row.len() == n);
        if changes.len() != n || !fits(&of_steps) || !fits(&of_both) {
            return Err(StateError::Unusable { component: Fldetector::NAME, entry: "products".into() });
        }
        self.errors = state.value(Fldetector::NAME, "errors")?;
        self.curvature = Curvature { steps, changes, of_steps, of_both };
        self.sent = taken_back(state, SENT);
        let [point, result] = ["point", "result"].map(|name| state.vectors.get(name).cloned());
        self.last = point.zip(result); // there are none before round 1
        Ok(())
    }

    /// What all sent in the last round and send in this one, steps and changes with those of this round, points and results of
    /// both, and what is foretold.
    fn holds(&self, workers: usize, _: u64) -> u64 {
        2 * workers as u64 + 2 * self.rule.window as u64 + 7
    }
}

impl MetaAggregator for Detector {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::unless(size.m > 0, Fldetector::NAME, "m > 0", size)
    }

    fn check_workers(&self, workers: usize, size: Size) -> Result<(), RuleError> {
        if size.m >= workers {
            return Ok(());
        }
        let message = format!(
            "it foretells vectors from those of the round before, and a round calls {} of {workers} workers",
            size.m
        );
        Err(RuleError::Failed { rule: Fldetector::NAME.into(), message })
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn knows_workers(&self) -> bool {
        true
    }

    fn needs_pairs(&self) -> bool {
        false
    }

    fn aggregate(
        &mut self,
        inner: &mut dyn Aggregator,
        batch: &Batch<'_>,
        context: &mut Context,
    ) -> Result<Aggregate, RuleError> {
        batch.norms2()?; // a row that is not finite must not be remembered
        let point = context.point.clone().ok_or(RuleError::NoPoint { rule: Fldetector::NAME })?;
        let remembered =
            self.last.iter().flat_map(|(point, result)| [point, result]).chain(self.sent.values());
        [&point]
            .into_iter()
            .chain(remembered)
            .try_for_each(|own| beside::check(batch, own, Fldetector::NAME))?;
        let workers: Vec<usize> = (0..batch.m()).map(|i| context.worker(i)).collect();
        let sent: Sums = workers.iter().copied().zip(batch.to_rows()).collect();
        let mut next = self.clone();
        let step = self.last.as_ref().map(|(last, _)| self.curvature.beside(batch, point.minus(last)));
        let step = step.transpose()?;
        if let Some(change) =
            step.as_ref().filter(|_| self.is_curved()).map(|s| self.curvature.times(batch, s))
        {
            next.errors.extend(change?.map_or(Ok(None), |change| self.errors(batch, &sent, &change))?);
            next.errors.drain(..next.errors.len().saturating_sub(self.rule.window));
        }
        let kept = next.believed(&workers, context);
        let found = of_believed(&kept, inner, batch, context)?;
        let result = match &found.output {
            Output::Span(coefficients) => batch.combine(coefficients),
            Output::Vector(result) => result.clone(),
        };
        if let Some((step, (_, last))) = step.zip(self.last.as_ref()) {
            next.curvature.remember(batch, step, result.minus(last), self.rule.window)?;
        }
        *self = Self { last: Some((point, result)), sent, ..next };
        Ok(found)
    }
}

impl Detector {
    /// Whether there are as many differences as make the Hessian.
    fn is_curved(&self) -> bool {
        self.curvature.steps.len() == self.rule.window
    }

    /// The errors of what was `sent` by those who sent in the last round too, where vectors are foretold to change by
    /// `change`; none if there is no mean to compare them with.
    fn errors(
        &self,
        batch: &Batch<'_>,
        sent: &Sums,
        change: &Vector,
    ) -> Result<Option<BTreeMap<usize, f64>>, RuleError> {
        let both: Vec<_> =
            sent.iter().filter_map(|(worker, now)| Some((*worker, self.sent.get(worker)?, now))).collect();
        if both.is_empty() {
            return Ok(None);
        }
        let rows: Vec<Vector> = both.iter().flat_map(|(_, last, now)| [*last, *now]).cloned().collect();
        let steps = (0..both.len()).map(|i| [(2 * i, -1.0), (2 * i + 1, 1.0)]);
        let changes = batch.alike(&rows)?.mapped(Map::from_rows(rows.len(), steps));
        let distances: Vec<f64> = changes.distances(change).into_iter().map(f64::sqrt).collect();
        let mean = distances.iter().sum::<f64>() / distances.len() as f64;
        let errors = both.iter().zip(distances).map(|((worker, ..), distance)| (*worker, distance / mean));
        Ok((mean > 0.0 && mean.is_finite()).then(|| errors.collect()))
    }

    /// The rows that are not left out.
    fn believed(&self, workers: &[usize], context: &mut Context) -> Vec<usize> {
        let all = || (0..workers.len()).collect();
        if self.errors.len() < self.rule.window {
            return all();
        }
        let judged: Vec<(usize, f64)> = workers
            .iter()
            .enumerate()
            .filter_map(|(row, worker)| Some((row, self.score(*worker)?)))
            .collect();
        let scores: Vec<f64> = judged.iter().map(|(_, score)| *score).collect();
        if !gap::is_there(&scores, self.rule.references, &mut context.rng) {
            return all();
        }
        let out: Vec<usize> = gap::upper(&scores).into_iter().map(|at| judged[at].0).collect();
        (0..workers.len()).filter(|row| out.binary_search(row).is_err()).collect()
    }

    /// The mean error of a worker that has any.
    fn score(&self, worker: usize) -> Option<f64> {
        let errors: Vec<f64> = self.errors.iter().filter_map(|round| round.get(&worker)).copied().collect();
        (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64)
    }
}

/// What `inner` makes of the rows that are `kept`, if it can stand so few, else of all.
fn of_believed(
    kept: &[usize],
    inner: &mut dyn Aggregator,
    batch: &Batch<'_>,
    context: &mut Context,
) -> Result<Aggregate, RuleError> {
    let m = batch.m();
    let f = context.f.saturating_sub(m - kept.len());
    if kept.len() == m || inner.check(Size::new(kept.len(), f)).is_err() {
        return inner.aggregate(batch, context)?.checked(batch);
    }
    let map = Map::picking(kept, m);
    let workers = kept.iter().map(|&row| context.worker(row)).collect();
    let mut told = Context { f, workers, ..context.clone() };
    let rest = batch.mapped(map.clone());
    let mut found = inner.aggregate(&rest, &mut told)?.checked(&rest)?;
    context.rng = told.rng;
    if let Output::Span(coefficients) = &found.output {
        found.output = Output::Span(map.transposed_times(coefficients));
    }
    Ok(found)
}
