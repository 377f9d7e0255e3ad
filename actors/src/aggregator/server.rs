//! What the server computes in a round once the barrier is closed: plain
//! functions of the vectors, without actors.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use phalanx_robust::{
    Batch, Vector,
    aggregation::{Aggregation, Context, Defence, RuleError},
    random::Stream,
    step::Step,
};

/// The server: its defence, its optimiser, its query point.
pub(super) struct Server {
    pub defence: Defence,
    pub step: Box<dyn Step>,
    /// x_t.
    pub point: Vector,
    /// Whether it has left the rule behind in this round, and steps: who is to blame for what happens.
    pub stepping: Arc<AtomicBool>,
}

/// What the server is given in a round.
pub(super) struct Input {
    pub round: u64,
    pub f: usize,
    pub rng: Stream,
    /// All vectors, by worker id.
    pub vectors: Vec<Vector>,
    /// Who sent each of them.
    pub workers: Vec<usize>,
    /// What the server computed itself.
    pub reference: Option<Vector>,
    /// The vectors of the honest workers, if they are to be measured.
    pub honest: Option<Vec<Vector>>,
}

/// What the server found in a round.
pub(super) struct Verdict {
    pub aggregation: Aggregation,
    /// Norm of the aggregate.
    pub norm: f64,
    /// Distance of the aggregate to the mean of the honest vectors.
    pub honest_distance: f64,
    /// (1/|G|) Σ ‖x_i - mean‖² over the honest vectors.
    pub honest_variance: f64,
    /// Time of the rule.
    pub aggregating: Duration,
    /// Time of the step.
    pub stepping: Duration,
    /// Whether x_{t+1} is finite.
    pub finite: bool,
    /// Whether the round made no step; then the numbers are NaN.
    pub skipped: bool,
}

impl Verdict {
    /// That of a round without a step.
    pub fn skipped(shape: &Vector) -> Self {
        Self {
            aggregation: Aggregation {
                output: shape.clone(),
                weights: None,
                distances: None,
                set_aside: Vec::new(),
            },
            norm: f64::NAN,
            honest_distance: f64::NAN,
            honest_variance: f64::NAN,
            aggregating: Duration::ZERO,
            stepping: Duration::ZERO,
            finite: true,
            skipped: true,
        }
    }
}

impl Server {
    /// Aggregates the vectors and moves the query point.
    pub fn settle(&mut self, input: Input) -> Result<Verdict, RuleError> {
        let Input { round, f, rng, vectors, workers, reference, honest } = input;
        let started = Instant::now();
        let context = Context { workers, reference, ..Context::new(f, rng) };
        self.stepping.store(false, Ordering::Relaxed);
        let aggregation = self.defence.aggregate_in(&vectors, context)?;
        let aggregating = started.elapsed();
        let started = Instant::now();
        self.stepping.store(true, Ordering::Relaxed);
        self.step.step(round, &mut self.point, &aggregation.output);
        let stepping = started.elapsed();
        let lengths = Lengths::of(honest.unwrap_or_default(), &aggregation.output, &self.point);
        if !is_finite(lengths.aggregate, &aggregation.output) {
            return Err(RuleError::NotFinite);
        }
        Ok(Verdict {
            aggregation,
            norm: lengths.aggregate,
            honest_distance: lengths.honest_distance,
            honest_variance: lengths.honest_variance,
            aggregating,
            stepping,
            finite: is_finite(lengths.point, &self.point),
            skipped: false,
        })
    }
}

/// Whether a vector of this norm is finite. The square of a finite coordinate may overflow.
fn is_finite(norm: f64, vector: &Vector) -> bool {
    norm.is_finite() || vector.is_finite()
}

/// What is to be known of a round's vectors. A device is waited for once for all of it, which is why the aggregate is
/// looked at after the step only.
struct Lengths {
    /// Norm of the aggregate.
    aggregate: f64,
    /// Norm of the point.
    point: f64,
    /// Distance of the aggregate to the mean of the honest vectors; NaN without any.
    honest_distance: f64,
    /// Their variance; NaN without any.
    honest_variance: f64,
}

impl Lengths {
    fn of(mut rows: Vec<Vector>, output: &Vector, point: &Vector) -> Self {
        let honest = rows.len();
        let mean = Batch::new(&rows).map(|batch| batch.mean()).ok();
        let (aggregate, at, centre) = (honest, honest + 1, honest + 2);
        let mut pairs = vec![(aggregate, None), (at, None)];
        if mean.is_some() {
            pairs.extend((0..=aggregate).map(|i| (i, Some(centre))));
        }
        rows.extend([output.clone(), point.clone()].into_iter().chain(mean));
        let Ok(batch) = Batch::new(&rows) else { return Self::apart(output, point) };
        let lengths2 = batch.distances_between(&pairs);
        let around = &lengths2[2..];
        Self {
            aggregate: lengths2[0].sqrt(),
            point: lengths2[1].sqrt(),
            honest_distance: around.last().map_or(f64::NAN, |length2| length2.sqrt()),
            honest_variance: around.iter().take(honest).sum::<f64>() / honest as f64,
        }
    }

    /// Of vectors that are not alike.
    fn apart(output: &Vector, point: &Vector) -> Self {
        Self {
            aggregate: output.norm(),
            point: point.norm(),
            honest_distance: f64::NAN,
            honest_variance: f64::NAN,
        }
    }
}

#[cfg(test)]
mod tests {
    use phalanx_robust::{
        aggregation::Mean,
        random::Seed,
        step::{Domain, Sgd, StepRule},
    };

    use super::*;

    #[test]
    fn a_round_by_hand() {
        let point = Vector::from(vec![1f64, 1.0]);
        let step = Sgd { lr: 0.5, weight_decay: 0.0 }.build(&point, Domain::Everywhere).unwrap();
        let stepping = Arc::default();
        let mut server = Server { defence: Defence::base(Mean::default()), step, point, stepping };
        let vectors: Vec<Vector> =
            [[0.0, 2.0], [2.0, 2.0], [10.0, -1.0], [4.0, 1.0]].map(|v| Vector::from(v.to_vec())).to_vec();
        let honest = Some(vectors[..2].to_vec());
        let rng = Seed(1).stream("rule", 0, "aggregate", 1);
        let workers = vec![0, 1, 2, 3];
        let input = Input { round: 1, f: 1, rng, vectors, workers, reference: None, honest };
        let verdict = server.settle(input).unwrap();
        assert_eq!(verdict.aggregation.output.to_f64(), [4.0, 1.0]);
        assert_eq!(server.point.to_f64(), [-1.0, 0.5]);
        assert!((verdict.norm - 17f64.sqrt()).abs() < 1e-12);
        assert!((verdict.honest_distance - 10f64.sqrt()).abs() < 1e-12, "the honest mean is (1, 2)");
        assert!((verdict.honest_variance - 1.0).abs() < 1e-12);
    }
}
