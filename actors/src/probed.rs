//! The server's defence as attackers are shown it, to be probed. They call the rule before the server does, and if it
//! does not end that is not their fault: whoever waits for attackers can tell whether they wait for the rule.

use std::sync::Arc;

use phalanx_robust::{
    Batch, BatchError, Layout, Size,
    aggregation::{Aggregate, Aggregation, Aggregator, Bound, Context, Defence, Output, RuleError},
    state::{State, StateError, Stateful},
};
use tokio::sync::RwLock;

/// The calls of the rule by attackers that are under way: each of them holds the lock for reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probes(Arc<RwLock<()>>);

impl Probes {
    /// `defence`, whose calls are watched. Everything else is as it was.
    pub fn of(&self, defence: Defence) -> Defence {
        Defence::base(Probed { defence: Arc::new(defence), probes: self.clone() })
    }

    /// Waits until those under way have ended, and not for any that begins meanwhile: attackers may go on for ever.
    pub async fn end(&self) {
        drop(self.0.write().await);
    }
}

#[derive(Clone)]
struct Probed {
    /// Shared, so that a rule that panics as it is cloned does so within a call.
    defence: Arc<Defence>,
    probes: Probes,
}

impl Probed {
    /// What the rule answers to `call`.
    fn ask<T>(&self, call: impl FnOnce() -> Result<T, RuleError>) -> Result<T, RuleError> {
        // There is no place while somebody waits for the end of others, who are not to wait for this one.
        let _under_way = self.probes.0.try_read();
        call()
    }
}

impl Aggregator for Probed {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        self.ask(|| self.defence.check(size))
    }

    fn check_workers(&self, workers: usize, size: Size) -> Result<(), RuleError> {
        self.ask(|| self.defence.check_workers(workers, size))
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let rows = batch.to_rows();
        let (defence, made) = self.ask(|| {
            let mut defence = Defence::clone(&self.defence);
            let made = defence.aggregate_in(&rows, context.clone())?;
            Ok((defence, made))
        })?;
        let Aggregation { output, weights, distances, set_aside, .. } = made;
        if !set_aside.is_empty() {
            // Whoever called tries again without them, and can say which they were.
            return Err(BatchError::NonFinite(set_aside).into());
        }
        self.defence = Arc::new(defence);
        // To combine the rows once more takes a pass over them, and is spared to those who want no more than the output.
        let weights = weights.filter(|_| context.wants_distances);
        let output = weights.map_or(Output::Vector(output), Output::Span);
        let distances = distances.map(|all| all.into_iter().map(|distance| distance * distance).collect());
        Ok(Aggregate { output, distances })
    }

    fn bound(&self, size: Size) -> Option<Bound> {
        self.defence.bound(size)
    }

    fn needs_reference(&self) -> bool {
        self.defence.needs_reference()
    }

    fn needs_point(&self) -> bool {
        self.defence.needs_point()
    }

    fn needs_judge(&self) -> bool {
        self.defence.needs_judge()
    }

    fn needs_pairs(&self) -> bool {
        self.defence.needs_pairs()
    }

    fn count_samples(&mut self, held: Option<&[usize]>) -> Result<(), RuleError> {
        Arc::make_mut(&mut self.defence).count_samples(held)
    }

    fn needs_layout(&self) -> bool {
        self.defence.needs_layout()
    }

    fn know_layout(&mut self, layout: &Layout) -> Result<(), RuleError> {
        Arc::make_mut(&mut self.defence).know_layout(layout)
    }
}

impl Stateful for Probed {
    fn state(&self) -> State {
        self.defence.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        Arc::make_mut(&mut self.defence).restore(state)
    }

    fn holds(&self, workers: usize, rounds: u64) -> u64 {
        self.defence.holds(workers, rounds)
    }
}

#[cfg(test)]
mod tests {
    use phalanx_robust::{
        Vector,
        aggregation::{Bucketing, CenteredClipping, Ctma, Cwmed, Krum, Layer, Mean, Rule},
        describe::ParameterError,
        random::Seed,
    };

    use super::*;

    fn rows(round: u64, broken: Option<usize>) -> Vec<Vector> {
        let value = |worker: usize, at: usize| (worker * worker + at) as f32 * 0.1 + round as f32;
        let row = |worker| match broken {
            Some(broken) if broken == worker => vec![f32::NAN; 7],
            _ => (0..7).map(|at| value(worker, at)).collect(),
        };
        (0..6).map(|worker| Vector::from(row(worker))).collect()
    }

    fn chains() -> [Defence; 4] {
        let chain = |layers: [Result<Layer, ParameterError>; 2]| {
            Defence::new(layers.into_iter().map(Result::unwrap).collect()).unwrap()
        };
        let stateful = CenteredClipping { stateful: true, ..CenteredClipping::default() };
        [
            Defence::base(Mean::default()),
            chain([Ctma::default().build(), Krum::default().build()]),
            chain([Bucketing::default().build(), Cwmed::default().build()]),
            Defence::new(vec![stateful.build().unwrap()]).unwrap(),
        ]
    }

    /// Outputs, weights and distances to the bit, over two rounds of a rule that may remember the first.
    #[test]
    fn a_watched_rule_tells_what_the_rule_itself_does() {
        let bits =
            |values: Option<Vec<f64>>| values.map(|v| v.into_iter().map(f64::to_bits).collect::<Vec<_>>());
        let both =
            |(chain, defence): (usize, Defence)| [(chain, defence.clone(), None), (chain, defence, Some(2))];
        for (chain, mut plain, broken) in chains().into_iter().enumerate().flat_map(both) {
            let mut watched = Probes::default().of(plain.clone());
            for round in 1..3 {
                let told = |defence: &mut Defence| {
                    let rng = Seed(1).stream("rule", 0, "aggregate", round);
                    let made = defence.aggregate(&rows(round, broken), 1, rng).unwrap();
                    let output = made.output.to_f64().into_iter().map(f64::to_bits).collect::<Vec<_>>();
                    (output, bits(made.weights), bits(made.distances), made.f, made.set_aside)
                };
                assert_eq!(told(&mut watched), told(&mut plain), "chain {chain}, round {round}, {broken:?}");
            }
        }
    }
}
