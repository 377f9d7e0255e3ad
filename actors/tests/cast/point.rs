//! The server's point reaches the rule that needs it, and the attacks that probe it.

use std::sync::{Arc, Mutex};

use phalanx_actors::{Cast, Policy, Workers};
use phalanx_robust::{
    Batch, Dtype, Size, Vector,
    aggregation::{Aggregate, Aggregator, Context, Defence, RuleError},
    attack::{Attack, AttackError, Knowledge, View},
    state::Stateful,
    step::{Domain, Sgd, StepRule},
};

use crate::{root::Foretell, stage::*};

/// Whatever the workers send, the way back from a point where 2 stands everywhere.
#[derive(Clone)]
struct Homing;

impl Stateful for Homing {}

impl Aggregator for Homing {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        batch.require_finite()?;
        let point = context.point.as_ref().ok_or(RuleError::NoPoint { rule: "homing" })?;
        Ok(Aggregate::vector(point.minus(&point.like(&[2.0; D]))))
    }

    fn needs_point(&self) -> bool {
        true
    }
}

fn homing() -> Cast {
    let step = Sgd { lr: 0.5, ..Sgd::default() };
    let step = step.build(&Vector::zeros(D, Dtype::F32), Domain::Everywhere).unwrap();
    let cast = Cast::new(settings(Policy::Fail), Box::new(Quadratic { d: D }), Defence::base(Homing), step);
    cast.seat(0..4, Workers(members(0..4)))
}

#[test]
fn a_rule_is_told_where_the_vectors_were_computed() {
    let played = play(homing());
    assert!(played.end.is_ok());
    assert_eq!(played.point(), [2.0 - 2.0 * 0.5_f64.powi(5); D], "half of the way in each of five rounds");
}

/// Looks at nothing but the point, and sends nothing.
#[derive(Clone, Default)]
struct Onlooker(Arc<Mutex<Vec<Vec<f64>>>>);

impl Stateful for Onlooker {}

impl Attack for Onlooker {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        self.0.lock().unwrap().push(view.point()?.to_f64());
        Ok(view.everyone(view.shape))
    }
}

#[test]
fn a_blind_attack_sees_the_point() {
    let onlooker = Onlooker::default();
    assert!(play(homing().seat(4..5, attackers(4..5, "onlooker", Box::new(onlooker.clone())))).end.is_ok());
    let expected: Vec<Vec<f64>> = (0..5).map(|t| vec![2.0 - 2.0 * 0.5_f64.powi(t); D]).collect();
    assert_eq!(*onlooker.0.lock().unwrap(), expected);
}

#[test]
fn an_attack_that_probes_the_defence_tells_it_the_point() {
    let foretell = Foretell::default();
    assert!(play(homing().seat(4..5, attackers(4..5, "foretell", Box::new(foretell.clone())))).end.is_ok());
    let told = foretell.0.lock().unwrap().clone();
    assert_eq!(told.len(), 5);
    assert!(told.windows(2).all(|pair| pair[1][0] == pair[0][1]), "{told:?}");
}
