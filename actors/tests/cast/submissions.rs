//! Submissions that the barrier does not take.

use phalanx_actors::{
    Policy,
    messages::{Reply, Submission},
};
use phalanx_robust::Vector;

use crate::stage::*;

/// A run in which worker 4 submits what `odd` makes in round 2, and the absences of all workers in it.
fn odd(policy: Policy, odd: impl Fn(Submission) -> Submission + Send + 'static) -> Played {
    let worker = Scripted::answering(move |id, query| {
        let proper = zero(id, query.round);
        Ok(Reply::Submitted(if query.round == 2 { odd(proper) } else { proper }))
    });
    play(four_honest(settings(policy)).seat(4..5, worker))
}

/// Under both policies, the reason is `reason`, and the worker is asked again.
fn is_rejected(reason: &str, change: impl Fn(Submission) -> Submission + Send + Clone + 'static) {
    assert_eq!(odd(Policy::Fail, change.clone()).error(), format!("round 2: worker 4 {reason}"));
    let played = odd(Policy::Drop, change);
    assert_eq!(played.absences(4), ["", reason, "", "", ""]);
    for others in 0..4 {
        assert!(played.absences(others).iter().all(String::is_empty));
    }
}

#[test]
fn a_wrong_length_is_an_absence() {
    is_rejected(
        "was rejected: it submits 6 coordinates of f32, but 5 coordinates of f32 are wanted",
        |proper| Submission { vector: Vector::from(vec![0f32; D + 1]), ..proper },
    );
}

#[test]
fn a_wrong_format_is_an_absence() {
    is_rejected(
        "was rejected: it submits 5 coordinates of f64, but 5 coordinates of f32 are wanted",
        |proper| Submission { vector: Vector::from(vec![0f64; D]), ..proper },
    );
}

#[test]
fn a_wrong_round_is_an_absence() {
    is_rejected("was rejected: it submits to round 1, but round 2 is open", |proper| Submission {
        round: 1,
        ..proper
    });
}

#[test]
fn a_submission_in_another_name_is_an_absence_of_its_sender_alone() {
    is_rejected("submitted in the name of worker 0", |proper| Submission { worker: 0, ..proper });
}

#[test]
fn an_honest_worker_cannot_wait_for_phase_two() {
    let waits = |policy| {
        let worker = Scripted::answering(|_, _| Ok(Reply::Waiting));
        play(four_honest(settings(policy)).seat(4..5, worker))
    };
    assert_eq!(waits(Policy::Fail).error(), "round 1: worker 4 waits for phase two, but is no attacker");
    assert!(waits(Policy::Drop).absences(4).iter().all(|a| a == "waits for phase two, but is no attacker"));
}

#[test]
fn a_vector_that_is_not_finite_is_set_aside_and_reported() {
    let played = odd(Policy::Fail, |proper| Submission { vector: Vector::from(vec![f32::NAN; D]), ..proper });
    let set_aside: Vec<bool> = played.rounds.iter().map(|round| round.workers[4].set_aside).collect();
    assert_eq!(set_aside, [false, true, false, false, false]);
    assert!(played.point().iter().all(|x| x.is_finite()));
}
