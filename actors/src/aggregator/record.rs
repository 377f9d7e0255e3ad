//! What is told of a round: the report, from what came in and what the server found.

use phalanx_robust::aggregation::Aggregation;

use super::server::Verdict;
use crate::{
    barrier::Outcome,
    messages::{Seat, Submission},
    report::{RoundReport, WorkerReport},
};

/// Tells of workers, asked in the order of their ids, whether they are honest.
pub(super) fn honesty(seats: &[Seat]) -> impl FnMut(usize) -> bool {
    let mut seats = seats.iter().peekable();
    move |worker| {
        while seats.next_if(|seat| seat.ids.end <= worker).is_some() {}
        seats.peek().is_some_and(|seat| seat.ids.contains(&worker) && seat.attacker.is_none())
    }
}

/// The submissions of honest workers. Both seats and submissions are ordered by worker id.
pub(super) fn honest<'a>(
    seats: &[Seat],
    submissions: impl Iterator<Item = &'a Submission>,
) -> impl Iterator<Item = &'a Submission> {
    let mut is_honest = honesty(seats);
    submissions.filter(move |submission| is_honest(submission.worker))
}

/// Writes the round of these workers into `report`, over the round before.
pub(super) fn record(
    report: &mut RoundReport,
    seats: &[Seat],
    workers: &[usize],
    outcome: &Outcome,
    verdict: &Verdict,
) {
    report.round = outcome.round;
    report.honest_loss = mean(honest(seats, outcome.submissions.iter()).filter_map(|s| s.loss));
    report.honest_accuracy = mean(honest(seats, outcome.submissions.iter()).filter_map(|s| s.accuracy));
    report.aggregate_norm = verdict.norm;
    report.honest_distance = verdict.honest_distance;
    report.honest_variance = verdict.honest_variance;
    let fresh = outcome.submissions.iter().filter(|s| s.round == outcome.round);
    report.bytes = fresh.map(|s| s.vector.bytes()).sum();
    report.f = verdict.aggregation.f;
    report.skipped = verdict.skipped;
    report.workers.clear();
    let mut submissions = outcome.submissions.iter().enumerate().peekable();
    let mut absences = outcome.absences.iter().peekable();
    let mut is_honest = honesty(seats);
    for &worker in workers {
        let submission = submissions.next_if(|(_, s)| s.worker == worker);
        let absence = absences.next_if(|(id, _)| *id == worker);
        report.workers.push(WorkerReport {
            worker,
            honest: is_honest(worker),
            loss: submission.and_then(|(_, s)| s.loss),
            absence: absence.map(|(_, reason)| reason.clone()),
            stood_in: submission.filter(|(_, s)| s.round != outcome.round).map(|(_, s)| s.round),
            ..fate(submission.map(|(row, _)| row), &verdict.aggregation)
        });
    }
    for &row in &verdict.aggregation.set_aside {
        let worker = outcome.submissions[row].worker;
        if let Ok(at) = report.workers.binary_search_by_key(&worker, |report| report.worker) {
            report.workers[at].set_aside = true;
        }
    }
}

/// What became of the vector in this row.
fn fate(row: Option<usize>, aggregation: &Aggregation) -> WorkerReport {
    let at = |values: &Option<Vec<f64>>| Some(*values.as_ref()?.get(row?)?);
    WorkerReport {
        weight: at(&aggregation.weights),
        distance: at(&aggregation.distances),
        ..WorkerReport::default()
    }
}

/// The mean; NaN of nothing.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0u64, 0.0), |(count, sum), value| (count + 1, sum + value));
    sum / count as f64
}
