//! Watches a rehearsal: keeps what every measured round took, and stops the
//! run after the last of them.

use std::{
    sync::mpsc::Sender,
    time::{Duration, Instant},
};

use phalanx_actors::{Evaluation, Observer, RoundReport, Stopper, report::Phases};

use crate::machine;

/// What the recorder tells.
pub enum Note {
    /// The first round is over, so long after the process was started.
    First(Option<Duration>),
    /// A measured round.
    Round(Sample),
}

/// One round.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// From the end of the round before to the end of this one.
    pub interval: Duration,
    /// Where the round's own time went.
    pub phases: Phases,
    /// Gradients computed.
    pub gradients: u64,
    /// Samples that went into them, each counted once for every gradient.
    pub samples: f64,
    /// Bytes of the vectors that the rule was given.
    pub bytes: u64,
    /// Pages that the process was given by the system meanwhile, if it says so.
    pub pages: Option<u64>,
}

/// The end of a round.
#[derive(Clone, Copy, Debug)]
struct End {
    at: Instant,
    /// Pages that the process was given until then.
    pages: Option<u64>,
}

impl End {
    fn now() -> Self {
        Self { at: Instant::now(), pages: machine::pages_mapped() }
    }
}

/// The observer.
pub struct Recorder {
    batches: Vec<usize>,
    warm_up: u64,
    left: u32,
    stopper: Stopper,
    notes: Sender<Note>,
    last: Option<End>,
    evaluated: bool,
}

impl Recorder {
    /// Measures so many `rounds` after `warm_up` of them, and not before the initial point was evaluated. `batches`
    /// are the workers' batch sizes, by id.
    pub fn new(
        batches: Vec<usize>,
        warm_up: u32,
        rounds: u32,
        stopper: Stopper,
        notes: Sender<Note>,
    ) -> Self {
        Self { batches, warm_up: warm_up.into(), left: rounds, stopper, notes, last: None, evaluated: false }
    }

    fn sample(&self, report: &RoundReport, last: End, now: End) -> Sample {
        let interval = now.at - last.at;
        let pages = now.pages.zip(last.pages).map(|(now, last)| now - last);
        let learned = report.workers.iter().filter(|worker| worker.loss.is_some());
        let sizes = learned.map(|worker| self.batches.get(worker.worker).copied().unwrap_or(0) as f64);
        let (count, sum) = sizes.fold((0u64, 0.0), |(count, sum), size| (count + 1, sum + size));
        let mean = if count == 0 { 0.0 } else { sum / count as f64 };
        let (gradients, bytes, phases) = (report.gradients, report.bytes, report.phases);
        Sample { interval, phases, gradients, samples: gradients as f64 * mean, bytes, pages }
    }

    fn tell(&self, note: Note) -> Result<(), String> {
        self.notes.send(note).map_err(|error| error.to_string())
    }
}

impl Observer for Recorder {
    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        let now = End::now();
        let Some(last) = self.last.replace(now) else { return self.tell(Note::First(machine::age())) };
        if report.round <= self.warm_up || !self.evaluated || self.left == 0 {
            return Ok(());
        }
        self.tell(Note::Round(self.sample(report, last, now)))?;
        self.left -= 1;
        if self.left == 0 {
            self.stopper.stop();
        }
        Ok(())
    }

    fn evaluation(&mut self, _: &Evaluation) -> Result<(), String> {
        self.evaluated = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use phalanx_actors::WorkerReport;

    use super::{Evaluation, Note, Observer, Recorder, RoundReport, Stopper};

    const EVALUATION: Evaluation = Evaluation::unknown(0);

    fn report(round: u64) -> RoundReport {
        let learned = |worker, loss| WorkerReport { worker, loss, honest: true, ..WorkerReport::default() };
        let workers = vec![learned(0, Some(1.0)), learned(1, Some(1.0)), learned(2, None)];
        RoundReport { round, gradients: 4, workers, ..RoundReport::default() }
    }

    #[test]
    fn rounds_count_after_the_warm_up_and_the_first_evaluation() {
        let (sender, receiver) = mpsc::channel();
        let stopper = Stopper::default();
        let mut recorder = Recorder::new(vec![2, 6, 100], 2, 2, stopper.clone(), sender);
        for round in 1..=4 {
            recorder.round(&report(round)).unwrap();
        }
        recorder.evaluation(&EVALUATION).unwrap();
        recorder.round(&report(5)).unwrap();
        assert!(!stopper.is_stopped());
        recorder.round(&report(6)).unwrap();
        recorder.round(&report(7)).unwrap();
        assert!(stopper.is_stopped());
        drop(recorder);
        let notes: Vec<Note> = receiver.iter().collect();
        let [Note::First(_), Note::Round(one), Note::Round(_)] = notes.as_slice() else { panic!() };
        // Workers 0 and 1 learned, from 2 and 6 samples, at two points each.
        assert_eq!(one.samples, 16.0);
    }
}
