//! Rules that fail, panic or hang.

use phalanx_actors::{Cast, Deadlines, Policy, RunError, Settings, Workers, error::Part};
use phalanx_robust::{
    Batch, Size, Vector,
    aggregation::{Aggregate, Aggregator, Context, Defence, RuleError},
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

#[test]
fn a_cast_without_workers_is_an_error() {
    let error = play(cast(settings(Policy::Drop))).error();
    assert_eq!(error, "round 1: the batch is empty; 0 of 0 workers submitted");
}
