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
        let norm = aggregation.output.norm();
        // The square of a finite coordinate may overflow.
        if !norm.is_finite() && !aggregation.output.is_finite() {
            return Err(RuleError::NotFinite);
        }
        let started = Instant::now();
        self.stepping.store(true, Ordering::Relaxed);
        self.step.step(round, &mut self.point, &aggregation.output);
        let stepping = started.elapsed();
        let (honest_distance, honest_variance) =
            honest.map_or((f64::NAN, f64::NAN), |honest| spread(honest, &aggregation.output));
        Ok(Verdict {
            aggregation,
            norm,
            honest_distance,
            honest_variance,
            aggregating,
            stepping,
            finite: self.point.is_finite(),
            skipped: false,
        })
    }
}

/// Distance of `output` to the mean of the honest vectors, and their variance; NaN without any. All distances come from
/// one pass, which waits for a device once.
fn spread(mut rows: Vec<Vector>, output: &Vector) -> (f64, f64) {
    let honest = rows.len();
    if honest == 0 {
        return (f64::NAN, f64::NAN);
    }
    rows.push(output.clone());
    let Ok(batch) = Batch::new(&rows) else { return (f64::NAN, f64::NAN) };
    let mut mean = vec![1.0 / honest as f64; honest];
    mean.push(0.0);
    let distances2 = batch.distances(&batch.combine(&mean));
    (distances2[honest].sqrt(), distances2[..honest].iter().sum::<f64>() / honest as f64)
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
