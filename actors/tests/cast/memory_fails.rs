//! Components whose own code panics between rounds: as they are asked what they remember, given it back, cloned, as a run
//! begins, as the server draws, as a snapshot is kept. Whoever it is, is named, with the round and its words.

use phalanx_actors::{
    Cast, Job, Keeper, Learned, Learner, LearnerError, Observer, Policy, Query, RoundReport, RunError,
    Snapshot, Workers,
    error::Part,
    learner::{Draw, EvaluationTask, Sampler},
    messages::Reply,
};
use phalanx_robust::{
    Batch, Size, Vector,
    aggregation::{Aggregate, Aggregator, Context, Defence, RuleError},
    attack::Knowledge,
    state::{State, StateError, Stateful},
    step::Step,
};

use crate::{resuming::Shelf, stage::*};

/// What a component is about when it panics.
#[derive(Clone, Copy, PartialEq)]
enum At {
    Never,
    Start,
    State,
    Restore,
    Clone,
    Effort,
}

/// Counts its rounds, as whatever it is used, and panics from the third on.
struct Brittle {
    at: At,
    rounds: u64,
}

impl Brittle {
    fn new(at: At) -> Self {
        Self { at, rounds: 0 }
    }

    fn breaks(&self, at: At) {
        assert!(self.at != at || self.rounds < 3, "too much");
    }
}

impl Clone for Brittle {
    fn clone(&self) -> Self {
        self.breaks(At::Clone);
        Self { ..*self }
    }
}

impl Stateful for Brittle {
    fn state(&self) -> State {
        self.breaks(At::State);
        State { values: [("rounds".to_owned(), self.rounds.into())].into(), ..State::default() }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.rounds = state.value("a test", "rounds")?;
        self.breaks(At::Restore);
        Ok(())
    }
}

impl Aggregator for Brittle {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        self.rounds += 1;
        Ok(Aggregate::vector(batch.mean()))
    }
}

impl Step for Brittle {
    fn step(&mut self, _: u64, x: &mut Vector, aggregate: &Vector) {
        self.rounds += 1;
        x.axpy(-0.1, aggregate);
    }
}

impl Learner for Brittle {
    fn start(&self) -> Vector {
        assert!(self.at != At::Start, "too much");
        Quadratic { d: D }.start()
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        self.rounds += 1;
        Quadratic { d: D }.gradients(query, jobs)
    }

    fn effort(&self) -> u64 {
        self.breaks(At::Effort);
        1
    }

    fn evaluation(&mut self, round: u64, point: &Vector) -> EvaluationTask {
        Quadratic { d: D }.evaluation(round, point)
    }
}

impl Observer for Brittle {
    fn round(&mut self, _: &RoundReport) -> Result<(), String> {
        self.rounds += 1;
        Ok(())
    }

    fn state(&self) -> Option<(&'static str, State)> {
        Some(("watch", Stateful::state(self)))
    }
}

/// Four honest workers who meet these.
fn cast(learner: At, rule: At, step: At) -> Cast {
    let (learner, step) = (Box::new(Brittle::new(learner)), Box::new(Brittle::new(step)));
    let defence = Defence::base(Brittle::new(rule));
    Cast::new(settings(Policy::Drop), learner, defence, step).seat(0..4, Workers(members(0..4)))
}

/// The cast in which one of these breaks.
fn learner(at: At) -> Cast {
    cast(at, At::Never, At::Never)
}

fn rule(at: At) -> Cast {
    cast(At::Never, at, At::Never)
}

fn step(at: At) -> Cast {
    cast(At::Never, At::Never, at)
}

fn died(round: u64, part: Part) -> RunError {
    RunError::Died { round, part, message: "too much".to_owned() }
}

fn broke(round: u64) -> RunError {
    RunError::Learner { round, error: LearnerError::Panicked("too much".to_owned()) }
}

/// The run of `cast` ends with this error, and all `rounds` before are told.
fn ends(cast: Cast, rounds: usize, error: &RunError) {
    let played = play(cast);
    assert_eq!(played.end.unwrap_err(), *error);
    assert_eq!(played.rounds.len(), rounds, "{error}");
}

#[test]
fn who_panics_as_it_is_asked_what_it_remembers_is_named() {
    ends(rule(At::State).keep(Shelf::default()), 3, &died(3, Part::Rule));
    ends(step(At::State).keep(Shelf::default()), 3, &died(3, Part::Step));
    ends(learner(At::State).keep(Shelf::default()), 3, &broke(3));
    let watched = rule(At::Never).observe(Brittle::new(At::State)).keep(Shelf::default());
    ends(watched, 3, &died(3, Part::Observer));
    // Without anybody who keeps snapshots, the learner alone is asked, at the end.
    for cast in [rule(At::State), step(At::State)] {
        assert_eq!(play(cast).end.unwrap().rounds, 5);
    }
    ends(learner(At::State), 5, &broke(5));
}

#[test]
fn who_panics_as_it_is_given_back_what_it_remembered_is_named() {
    let shelf = Shelf::default();
    play(rule(At::Never).keep(shelf.clone()));
    let fourth = shelf.snapshots.lock().unwrap()[3].clone();
    assert_eq!(fourth.round, 4);
    ends(rule(At::Restore).resume(fourth.clone()), 0, &died(4, Part::Rule));
    ends(step(At::Restore).resume(fourth.clone()), 0, &died(4, Part::Step));
    ends(learner(At::Restore).resume(fourth.clone()), 0, &died(4, Part::Learner));
    assert_eq!(play(rule(At::Never).resume(fourth)).rounds.len(), 1);
}

#[test]
fn a_learner_that_panics_beside_its_gradients_is_named() {
    ends(learner(At::Start), 0, &died(0, Part::Learner));
    ends(learner(At::Effort), 2, &broke(3));
}

/// It is cloned in every round anyway, where it aggregates; here it is before.
#[test]
fn a_rule_that_cannot_be_shown_to_an_attacker_is_named() {
    let attacker = |knowledge| {
        Scripted::attacker(knowledge, |id, reveal| {
            let reply = Reply::Submitted(zero(id, reveal.exposed.round));
            Box::pin(async { Ok(reply) })
        })
    };
    ends(rule(At::Clone).seat(4..5, attacker(Knowledge::Defence)), 3, &died(4, Part::Rule));
    ends(rule(At::Clone).seat(4..5, attacker(Knowledge::Honest)), 3, &died(4, Part::Rule));
}

/// Panics at its third batch.
struct Fatal(Noise);

impl Sampler for Fatal {
    fn draw(&mut self, round: u64) -> Draw {
        assert!(round < 3, "too much");
        self.0.draw(round)
    }
}

#[test]
fn a_server_that_cannot_draw_is_named() {
    ends(rule(At::Never).root(Box::new(Fatal(Noise(9)))), 2, &died(3, Part::Root));
}

/// Panics at what is named.
struct Careless(&'static str);

impl Keeper for Careless {
    fn wants(&mut self, round: u64) -> bool {
        assert!(self.0 != "wants" || round < 2, "too much");
        round > 2
    }

    fn keep(&mut self, _: Snapshot) {
        assert!(self.0 != "keep", "too much");
    }

    fn cannot(&mut self, _: u64, _: &str) {
        assert!(self.0 != "cannot", "too much");
    }
}

#[test]
fn a_keeper_that_panics_is_named() {
    ends(rule(At::Never).keep(Careless("wants")), 2, &died(2, Part::Keeper));
    ends(rule(At::Never).keep(Careless("keep")), 3, &died(3, Part::Keeper));
    let untold = || Scripted::answering(|id, query| Ok(Reply::Submitted(zero(id, query.round))));
    ends(rule(At::Never).seat(4..5, untold()).keep(Careless("cannot")), 3, &died(3, Part::Keeper));
    assert!(play(rule(At::Never).keep(Careless("nothing"))).end.is_ok());
}
