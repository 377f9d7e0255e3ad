//! Rules that fail, panic or hang.

use phalanx_actors::{Cast, Deadlines, Policy, RunError, Settings, Workers, error::Part};
use phalanx_robust::{
    Batch, Size, Vector,
    aggregation::{Aggregate, Aggregator, Context, Cwmed, Defence, RuleError},
    attack::{Attack, AttackError, AttackRule, Knowledge, OptIpm, View},
    state::Stateful,
};

use crate::stage::*;

#[derive(Clone)]
struct Broken(fn() -> RuleError);

impl Stateful for Broken {}

impl Aggregator for Broken {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, _: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        Err((self.0)())
    }
}

/// Aggregates to what the function makes.
#[derive(Clone)]
struct Odd(fn() -> Vector);

impl Stateful for Odd {}

impl Aggregator for Odd {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, _: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        Ok(Aggregate::vector((self.0)()))
    }
}

fn with(rule: fn() -> RuleError, settings: Settings) -> RunError {
    let cast = Cast::new(settings, Box::new(Quadratic { d: D }), Defence::base(Broken(rule)), descent());
    play(cast.seat(0..3, Workers(members(0..3)))).end.unwrap_err()
}

#[test]
fn a_rule_that_fails_ends_the_run_with_its_words() {
    let error = with(
        || RuleError::Failed { rule: "broken".to_owned(), message: "no root".to_owned() },
        settings(Policy::Drop),
    );
    assert_eq!(error.to_string(), "round 1: broken: no root; 3 of 3 workers submitted");
}

#[test]
fn a_rule_that_panics_ends_the_run_with_its_words() {
    let error = with(|| panic!("index out of bounds"), settings(Policy::Drop));
    let expected = RunError::Died { round: 1, part: Part::Rule, message: "index out of bounds".to_owned() };
    assert_eq!(error, expected);
}

#[test]
fn a_rule_that_makes_no_vector_like_those_submitted_ends_the_run_in_its_round() {
    let with = |make: fn() -> Vector| {
        let defence = Defence::base(Odd(make));
        let cast = Cast::new(settings(Policy::Drop), Box::new(Quadratic { d: D }), defence, descent());
        play(cast.seat(0..3, Workers(members(0..3)))).error()
    };
    assert!(with(|| Vector::from(vec![0f64; D + 2])).starts_with("round 1: the rule makes a vector of"));
    assert!(with(|| Vector::from(vec![f32::NAN; D])).contains("not finite from vectors that are"));
}

#[test]
fn a_rule_that_hangs_ends_the_run() {
    let deadlines = Deadlines { rule: SHORT, ..Deadlines::default() };
    let error = with(
        || loop {
            std::thread::park();
        },
        Settings { deadlines, ..settings(Policy::Drop) },
    );
    assert_eq!(error, RunError::Stuck { round: 1, part: Part::Rule, deadline: SHORT });
}

/// Goes wrong when it is given the vectors of six workers, as attackers do that try it, and answers four.
#[derive(Clone)]
struct Shy(fn());

impl Stateful for Shy {}

impl Aggregator for Shy {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        if batch.m() == 6 {
            (self.0)();
        }
        Ok(Aggregate::vector(batch.mean()))
    }
}

/// Four honest workers and two that try the rule.
fn tried(rule: impl Aggregator + 'static, attack: Box<dyn Attack>, settings: Settings) -> Played {
    let settings = Settings { threads: 2, ..settings };
    let cast = Cast::new(settings, Box::new(Quadratic { d: D }), Defence::base(rule), descent());
    play(cast.seat(0..4, Workers(members(0..4))).seat(4..6, attackers(4..6, "made", attack)))
}

fn search() -> Box<dyn Attack> {
    OptIpm::default().build(Size::new(6, 2)).unwrap()
}

#[test]
fn a_panic_of_the_rule_is_not_the_attack_that_tries_it() {
    let panics = || Shy(|| panic!("six is too many"));
    let words = "failed: the attack made: probing the defence: the rule panicked: six is too many";
    let error = tried(panics(), search(), settings(Policy::Fail)).error();
    assert_eq!(error, format!("round 1: worker 4 {words}"));
    // The attack is alive: it tries the rule anew in every round.
    let played = tried(panics(), search(), settings(Policy::Drop));
    assert_eq!(
        (played.absences(4), played.absences(5)),
        (vec![words.to_owned(); 5], vec![words.to_owned(); 5])
    );
    assert_eq!(played.end.unwrap().rounds, 5);
}

#[test]
fn a_rule_that_hangs_as_an_attack_tries_it_ends_the_run() {
    let hangs = Shy(|| {
        loop {
            std::thread::park();
        }
    });
    for policy in [Policy::Fail, Policy::Drop] {
        let deadlines = Deadlines { rule: SHORT, ..impatient(policy).deadlines };
        let played = tried(hangs.clone(), search(), Settings { deadlines, ..settings(policy) });
        assert_eq!(played.end.unwrap_err(), RunError::Stuck { round: 1, part: Part::Rule, deadline: SHORT });
    }
}

/// Tries the rule on and on.
#[derive(Clone)]
struct Endless;

impl Stateful for Endless {}

impl Attack for Endless {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Defence
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        loop {
            view.outcome(&view.filled(1.0))?;
        }
    }
}

#[test]
fn an_attack_that_tries_the_rule_without_end_is_not_the_rule() {
    let error = tried(Cwmed::default(), Box::new(Endless), impatient(Policy::Fail)).error();
    assert_eq!(error, "round 1: workers 4, 5 stayed silent for 200ms");
}

#[test]
fn a_cast_without_workers_is_an_error() {
    let error = play(cast(settings(Policy::Drop))).error();
    assert_eq!(error, "round 1: the batch is empty; 0 of 0 workers submitted");
}
