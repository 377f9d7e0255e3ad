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
    aggregation::{Aggregation, Context, Defence, Judge, RuleError},
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

/// What the server found on data of its own in a round.
#[derive(Clone, Default)]
pub(super) struct Insight {
    /// Its gradient.
    pub reference: Option<Vector>,
    /// Who tells its loss at other points.
    pub judge: Option<Arc<dyn Judge>>,
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
    pub insight: Insight,
    /// Which of the vectors are of honest workers, if those are to be measured.
    pub honest: Option<Vec<usize>>,
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
    /// That of a round without a step, in which the rule was to withstand `f`.
    pub fn skipped(shape: &Vector, f: usize) -> Self {
        Self {
            aggregation: Aggregation {
                output: shape.clone(),
                weights: None,
                distances: None,
                f,
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
        let Input { round, f, rng, vectors, workers, insight, honest } = input;
        let Insight { reference, judge } = insight;
        let started = Instant::now();
        // A device is asked later how far the vectors are from the aggregate, together with all the rest.
        let wants_distances = vectors.first().is_none_or(Vector::is_on_host);
        let point = Some(self.point.clone());
        let context = Context { workers, reference, point, judge, wants_distances, ..Context::new(f, rng) };
        self.stepping.store(false, Ordering::Relaxed);
        let mut aggregation = self.defence.aggregate_in(&vectors, context)?;
        let aggregating = started.elapsed();
        let started = Instant::now();
        self.stepping.store(true, Ordering::Relaxed);
        self.step.step(round, &mut self.point, &aggregation.output);
        let stepping = started.elapsed();
        let mut honest = honest.unwrap_or_default();
        honest.retain(|row| aggregation.set_aside.binary_search(row).is_err());
        let lengths = Lengths::of(vectors, &honest, !wants_distances, &aggregation.output, &self.point);
        if !is_finite(lengths.aggregate, &aggregation.output) {
            return Err(RuleError::NotFinite);
        }
        if let Some(mut distances) = lengths.distances {
            aggregation.set_aside.iter().for_each(|&row| distances[row] = f64::NAN);
            aggregation.distances = Some(distances);
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
    /// Distance of every vector to the aggregate, if it is asked for.
    distances: Option<Vec<f64>>,
}

impl Lengths {
    fn of(mut rows: Vec<Vector>, honest: &[usize], distances: bool, output: &Vector, point: &Vector) -> Self {
        let (m, share) = (rows.len(), 1.0 / honest.len() as f64);
        let mut shares = vec![0.0; m];
        honest.iter().for_each(|&row| shares[row] = share);
        let batch = Batch::new(&rows).ok().filter(|_| !honest.is_empty());
        let mean = batch.map(|batch| batch.combine(&shares));
        let (aggregate, at, centre) = (m, m + 1, m + 2);
        let mut pairs = vec![(aggregate, None), (at, None)];
        if mean.is_some() {
            pairs.push((aggregate, Some(centre)));
            pairs.extend(honest.iter().map(|&row| (row, Some(centre))));
        }
        let told = pairs.len();
        pairs.extend((0..m).filter(|_| distances).map(|row| (row, Some(aggregate))));
        rows.extend([output.clone(), point.clone()].into_iter().chain(mean));
        let Ok(batch) = Batch::new(&rows) else { return Self::apart(output, point) };
        let lengths2 = batch.distances_between(&pairs);
        let (lengths2, to_aggregate) = lengths2.split_at(told);
        Self {
            aggregate: lengths2[0].sqrt(),
            point: lengths2[1].sqrt(),
            honest_distance: lengths2.get(2).map_or(f64::NAN, |length2| length2.sqrt()),
            honest_variance: lengths2.iter().skip(3).sum::<f64>() / honest.len() as f64,
            distances: distances.then(|| to_aggregate.iter().map(|length2| length2.sqrt()).collect()),
        }
    }

    /// Of vectors that are not alike.
    fn apart(output: &Vector, point: &Vector) -> Self {
        Self {
            aggregate: output.norm(),
            point: point.norm(),
            honest_distance: f64::NAN,
            honest_variance: f64::NAN,
            distances: None,
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
        let step = Sgd { lr: 0.5, ..Sgd::default() }.build(&point, Domain::Everywhere).unwrap();
        let stepping = Arc::default();
        let mut server = Server { defence: Defence::base(Mean::default()), step, point, stepping };
        let vectors: Vec<Vector> =
            [[0.0, 2.0], [2.0, 2.0], [10.0, -1.0], [4.0, 1.0]].map(|v| Vector::from(v.to_vec())).to_vec();
        let honest = Some(vec![0, 1]);
        let rng = Seed(1).stream("rule", 0, "aggregate", 1);
        let workers = vec![0, 1, 2, 3];
        let input = Input { round: 1, f: 1, rng, vectors, workers, insight: Insight::default(), honest };
        let verdict = server.settle(input).unwrap();
        assert_eq!(verdict.aggregation.output.to_f64(), [4.0, 1.0]);
        assert_eq!(server.point.to_f64(), [-1.0, 0.5]);
        assert!((verdict.norm - 17f64.sqrt()).abs() < 1e-12);
        assert!((verdict.honest_distance - 10f64.sqrt()).abs() < 1e-12, "the honest mean is (1, 2)");
        assert!((verdict.honest_variance - 1.0).abs() < 1e-12);
        let distances = verdict.aggregation.distances.unwrap();
        assert_eq!(distances, [17f64, 5.0, 40.0, 0.0].map(f64::sqrt));
    }

    #[test]
    fn distances_are_told_with_the_rest_if_the_rule_did_not() {
        let rows = [[0.0, 2.0], [2.0, 2.0], [10.0, -1.0], [4.0, 1.0]];
        let rows = rows.map(|v| Vector::from(v.to_vec())).to_vec();
        let (output, point) = (Vector::from(vec![4.0, 1.0]), Vector::from(vec![3.0, 4.0]));
        for honest in [vec![0, 1], vec![]] {
            let lengths = Lengths::of(rows.clone(), &honest, true, &output, &point);
            assert_eq!(lengths.distances.unwrap(), [17f64, 5.0, 40.0, 0.0].map(f64::sqrt));
            assert_eq!((lengths.aggregate, lengths.point), (17f64.sqrt(), 5.0));
            assert_eq!(lengths.honest_variance.is_nan(), honest.is_empty());
            assert_eq!(lengths.honest_distance.is_nan(), honest.is_empty());
        }
    }
}
