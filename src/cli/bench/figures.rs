//! What was measured, as numbers: `--json` prints them, `text` shows them.

use std::time::{Duration, Instant};

use phalanx_actors::{LearnerError, learner::EvaluationTask, report::Phases};
use rayon::ThreadPoolBuilder;
use serde::Serialize;

use super::recorder::{Note, Sample};
use crate::{
    experiment::{Arithmetic, Plan},
    machine,
    results::Computation,
};

/// What is known of the experiment before it runs.
#[derive(Clone, Debug, Serialize)]
pub struct About {
    /// Name of the experiment.
    pub name: String,
    /// Cast and task in a line.
    pub summary: String,
    /// Number of threads.
    pub threads: usize,
    /// What computes the gradients; the summary says it too.
    pub computation: Computation,
    /// Rounds between evaluations; 0 for none.
    pub evaluate_every: u64,
}

/// Everything that `phalanx bench` found. Times are in seconds, sizes in bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    #[serde(flatten)]
    pub about: About,
    /// Rounds measured.
    pub rounds: usize,
    /// A whole round, from the end of one to the end of the next.
    pub round: Spread,
    /// Where the time of a round goes; the last phase is what is between rounds.
    pub phases: Vec<Phase>,
    pub rounds_per_second: f64,
    /// Of the learner, over the whole round.
    pub gradients_per_second: f64,
    pub arithmetic: Option<Speed>,
    pub aggregation: Speed,
    /// One evaluation on one thread.
    pub evaluation_seconds: f64,
    /// The evaluations' share of the time of one core.
    pub evaluation_share: f64,
    pub peak_memory_bytes: Option<u64>,
    /// That the process was given by the system in a round: memory that was not kept from the round before.
    pub pages_per_round: Option<f64>,
    /// From the start of the process to the end of the first round.
    pub first_round_seconds: Option<f64>,
}

/// A median, and between what nine of ten rounds lie above and below.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median_seconds: f64,
    pub p10_seconds: f64,
    pub p90_seconds: f64,
}

/// A part of the round.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    pub name: &'static str,
    #[serde(flatten)]
    pub spread: Spread,
    /// Of the whole round: the median over rounds.
    pub share: f64,
}

/// Work done in a second, beside what the machine was measured to do at best.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Speed {
    /// In a round: floating-point operations, or bytes.
    pub work: f64,
    /// In a second of the phase.
    pub per_second: f64,
    /// The machine's best.
    pub peak_per_second: Option<f64>,
    /// The one over the other.
    pub share: Option<f64>,
}

impl About {
    /// What the plan says.
    pub fn of(plan: &Plan) -> Self {
        Self {
            name: plan.name().to_owned(),
            summary: plan.describe(),
            threads: plan.threads(),
            computation: plan.computation().clone(),
            evaluate_every: plan.evaluate_every(),
        }
    }
}

impl Figures {
    /// The figures of these notes. Measures the evaluation and the machine now, after the rounds.
    ///
    /// # Errors
    /// The learner's, if it cannot evaluate.
    pub fn new(
        about: About,
        notes: &[Note],
        evaluation: EvaluationTask,
        arithmetic: Option<Arithmetic>,
    ) -> Result<Self, LearnerError> {
        let peak_memory_bytes = machine::peak_memory();
        let evaluation_seconds = timed(evaluation)?;
        let samples: Vec<Sample> = notes.iter().filter_map(Note::round).collect();
        let round = spread(samples.iter().map(|s| s.interval.as_secs_f64()));
        let gradients = median(samples.iter().map(|s| s.gradients as f64));
        let every = about.evaluate_every as f64;
        let evaluations = if every > 0.0 { 1.0 / (every * round.median_seconds) } else { 0.0 };
        Ok(Self {
            rounds: samples.len(),
            phases: phases(&samples),
            rounds_per_second: 1.0 / round.median_seconds,
            gradients_per_second: gradients / round.median_seconds,
            arithmetic: arithmetic.map(|arithmetic| multiplying(&arithmetic, &samples, about.threads)),
            aggregation: reading(&samples, about.threads),
            evaluation_seconds,
            evaluation_share: evaluation_seconds * evaluations,
            peak_memory_bytes,
            pages_per_round: pages(&samples),
            first_round_seconds: notes.iter().find_map(Note::first).map(|age| age.as_secs_f64()),
            round,
            about,
        })
    }

    /// As JSON.
    pub fn json(&self) -> String {
        let text = serde_json::to_string_pretty(self).unwrap_or_else(|error| error.to_string());
        text + "\n"
    }
}

impl Note {
    fn round(&self) -> Option<Sample> {
        match self {
            Self::Round(sample) => Some(*sample),
            Self::First(_) => None,
        }
    }

    fn first(&self) -> Option<Duration> {
        match self {
            Self::First(age) => *age,
            Self::Round(_) => None,
        }
    }
}

/// Seconds of one evaluation on one thread.
fn timed(evaluation: EvaluationTask) -> Result<f64, LearnerError> {
    let pool =
        ThreadPoolBuilder::new().num_threads(1).build().map_err(|e| LearnerError::Model(e.to_string()))?;
    let began = Instant::now();
    pool.install(evaluation)?;
    Ok(began.elapsed().as_secs_f64())
}

/// The phases in their order, and what of the interval is none of them.
fn phases(samples: &[Sample]) -> Vec<Phase> {
    let phase = |name, of: &dyn Fn(&Sample) -> Duration| Phase {
        name,
        spread: spread(samples.iter().map(|s| of(s).as_secs_f64())),
        share: median(samples.iter().map(|s| of(s).as_secs_f64() / s.interval.as_secs_f64())),
    };
    let other = |s: &Sample| s.interval.saturating_sub(s.phases.times().iter().sum());
    let parts = Phases::ALL.iter().map(|part| phase(part.key, &|s| (part.time)(&s.phases)));
    parts.chain([phase("other", &other)]).collect()
}

/// Pages that the system gave in a round; none where it does not say.
fn pages(samples: &[Sample]) -> Option<f64> {
    let pages: Option<Vec<f64>> = samples.iter().map(|s| s.pages.map(|pages| pages as f64)).collect();
    pages.map(|pages| median(pages.into_iter()))
}

/// The learner's arithmetic in its own time, beside the product of two large matrices.
fn multiplying(arithmetic: &Arithmetic, samples: &[Sample], threads: usize) -> Speed {
    let flops = |s: &Sample| s.samples * arithmetic.flops as f64;
    let work = median(samples.iter().map(flops));
    let per_second = median(samples.iter().map(|s| flops(s) / s.phases.gradient.as_secs_f64()));
    Speed::beside(work, per_second, (arithmetic.peak)(threads))
}

/// One read of the submitted vectors in the rule's time, beside plain reads of memory.
fn reading(samples: &[Sample], threads: usize) -> Speed {
    let work = median(samples.iter().map(|s| s.bytes as f64));
    let per_second = median(samples.iter().map(|s| s.bytes as f64 / s.phases.aggregate.as_secs_f64()));
    Speed::beside(work, per_second, machine::read_bandwidth(threads))
}

impl Speed {
    fn beside(work: f64, per_second: f64, peak_per_second: Option<f64>) -> Self {
        Self { work, per_second, peak_per_second, share: peak_per_second.map(|peak| per_second / peak) }
    }
}

fn spread(values: impl Iterator<Item = f64>) -> Spread {
    let sorted = sorted(values);
    let [p10_seconds, median_seconds, p90_seconds] = [0.1, 0.5, 0.9].map(|share| quantile(&sorted, share));
    Spread { median_seconds, p10_seconds, p90_seconds }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    quantile(&sorted(values), 0.5)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

/// The value below which this share of the sorted ones lies, by linear interpolation; NaN of none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let at = share * last as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}

#[cfg(test)]
mod tests {
    use super::{Duration, Phases, Sample, Speed, median, phases, quantile, spread};

    #[test]
    fn quantiles_by_hand() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert_eq!(quantile(&[0.0, 10.0], 0.1), 1.0);
        assert!(median(std::iter::empty()).is_nan());
        let ten = spread((0..=10).map(f64::from));
        assert_eq!((ten.p10_seconds, ten.median_seconds, ten.p90_seconds), (1.0, 5.0, 9.0));
    }

    #[test]
    fn the_shares_of_one_round_sum_to_one() {
        let ms = Duration::from_millis;
        let times =
            Phases { gradient: ms(50), wait: ms(10), attack: ms(5), aggregate: ms(20), ..Phases::default() };
        let sample =
            Sample { interval: ms(100), phases: times, gradients: 1, samples: 1.0, bytes: 1, pages: None };
        let parts = phases(&[sample]);
        assert!((parts.iter().map(|p| p.share).sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(parts.iter().map(|p| p.name).next_back(), Some("other"));
        assert!((parts[5].share - 0.15).abs() < 1e-12);
    }

    #[test]
    fn a_share_needs_a_yardstick() {
        assert_eq!(Speed::beside(1.0, 5.0, Some(10.0)).share, Some(0.5));
        assert_eq!(Speed::beside(1.0, 5.0, None).share, None);
    }
}
