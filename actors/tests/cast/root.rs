//! A server with data of its own: the gradient of its batch reaches the rule, and the attacks that probe it.

use std::sync::{Arc, Mutex};

use phalanx_actors::{
    Attackers, Cast, Job, LearnerError, Member, Policy, Query, Settings, Workers, learner::Sampler,
    messages::Reply,
};
use phalanx_robust::{
    Dtype, Vector,
    aggregation::{Defence, Fltrust, Skymask, Zeno},
    attack::{Attack, AttackError, Knowledge, View},
    estimator::{EstimatorRule, Points, Sgd as Plain},
    state::Stateful,
    step::{Domain, Sgd, StepRule},
};

use crate::stage::*;

const LR: f64 = 0.2;

/// A server that trusts nobody else, with four honest workers who send plain gradients.
fn trusting(settings: Settings) -> Cast {
    by(Defence::base(Fltrust::default()), settings)
}

/// A server with data of its own and this rule.
fn by(defence: Defence, settings: Settings) -> Cast {
    let step = Sgd { lr: LR, ..Sgd::default() };
    let step = step.build(&Vector::zeros(D, Dtype::F32), Domain::Everywhere).unwrap();
    Cast::new(settings, Box::new(Quadratic { d: D }), defence, step).root(Box::new(Noise(99)))
}

fn plain(ids: std::ops::Range<usize>) -> Vec<Member> {
    ids.map(|id| Member { sampler: Box::new(Noise(id)), estimator: Plain::default().build().unwrap() })
        .collect()
}

/// What the worker whose batches have this name computes at `point`.
fn gradient(name: usize, round: u64, point: &[f64]) -> Vec<f64> {
    let current = Vector::from(point.iter().map(|&x| x as f32).collect::<Vec<f32>>());
    let query = Query { round, current, previous: None };
    let job = Job { worker: 0, draw: Noise(name).draw(round), points: Points::Current, root: false };
    learned(&query, &job).gradients.current.to_f64()
}

/// Cao et al. (2021): Σ max(0, cos(g_i, g_0)) · ‖g_0‖ g_i/‖g_i‖ over the sum of the weights.
fn fltrust(vectors: &[Vec<f64>], own: &[f64]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let norm = |a: &[f64]| dot(a, a).sqrt();
    let trust: Vec<f64> = vectors.iter().map(|v| (dot(v, own) / norm(v) / norm(own)).max(0.0)).collect();
    let mut sum = vec![0.0; own.len()];
    for (v, t) in vectors.iter().zip(&trust) {
        sum.iter_mut().zip(v).for_each(|(s, x)| *s += t * norm(own) / norm(v) * x);
    }
    let total: f64 = trust.iter().sum();
    sum.iter().map(|s| s / total).collect()
}

#[test]
fn fltrust_takes_the_steps_of_its_equation() {
    let played = play(trusting(settings(Policy::Fail)).seat(0..4, Workers(plain(0..4))));
    assert!(played.rounds.iter().all(|round| round.gradients == 4 && round.workers.len() == 4));
    let mut point = vec![0.0; D];
    for round in 1..=5 {
        let vectors: Vec<Vec<f64>> = (0..4).map(|id| gradient(id, round, &point)).collect();
        let aggregate = fltrust(&vectors, &gradient(99, round, &point));
        point.iter_mut().zip(aggregate).for_each(|(x, g)| *x -= LR * g);
    }
    let worst = played.point().iter().zip(&point).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst < 1e-5, "{worst}");
}

/// Xie, Koyejo & Gupta (2019): the mean of all but the one of the lowest score.
#[test]
fn zeno_takes_the_steps_of_its_equation() {
    let rule = Zeno { gamma: 0.5, rho: 0.1, trimmed: None };
    let cast = by(Defence::base(rule.clone()), settings(Policy::Fail)).seat(0..4, Workers(plain(0..4)));
    let played = play(cast);
    assert!(played.rounds.iter().all(|round| round.gradients == 4));
    let mut point = vec![0.0; D];
    for round in 1..=5 {
        let vectors: Vec<Vec<f64>> = (0..4).map(|id| gradient(id, round, &point)).collect();
        let cost = |v: &Vec<f64>| {
            let there: Vec<f64> = point.iter().zip(v).map(|(x, g)| x - 0.5 * g).collect();
            loss(&there.into()) + 0.1 * v.iter().map(|g| g * g).sum::<f64>()
        };
        let worst = vectors.iter().map(cost).enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
        let told: Vec<bool> =
            played.rounds[round as usize - 1].workers.iter().map(|w| w.weight == Some(0.0)).collect();
        assert_eq!(told.iter().position(|out| *out), Some(worst), "round {round}");
        let rest = vectors.iter().enumerate().filter(|(at, _)| *at != worst);
        rest.for_each(|(_, v)| point.iter_mut().zip(v).for_each(|(x, g)| *x -= LR * g / 3.0));
    }
    let error = played.point().iter().zip(&point).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error < 1e-5, "{error}");
}

/// The rule is given the server's gradient, its point and who tells slopes, in every round.
#[test]
fn skymask_averages_some_of_the_vectors_in_every_round() {
    let cast = by(Defence::base(Skymask::default()), settings(Policy::Fail));
    let played = play(cast.seat(0..4, Workers(plain(0..4))));
    let mut point = vec![0.0; D];
    for round in 1..=5 {
        let weights: Vec<f64> =
            played.rounds[round as usize - 1].workers.iter().map(|w| w.weight.unwrap()).collect();
        let sum = weights.iter().sum::<f64>();
        assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-9, "round {round}: {weights:?}");
        let vectors: Vec<Vec<f64>> = (0..4).map(|id| gradient(id, round, &point)).collect();
        for (v, weight) in vectors.iter().zip(weights) {
            point.iter_mut().zip(v).for_each(|(x, g)| *x -= LR * weight * g);
        }
    }
    let error = played.point().iter().zip(&point).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error < 1e-5 && played.point()[0] > 0.1, "{error}: {:?}", played.point());
}

#[test]
fn the_server_computes_its_gradient_when_no_worker_asks() {
    let sent = |id, query: &Query| {
        let vector = query.current.like(&gradient(id, query.round, &query.current.to_f64()));
        Ok(Reply::Submitted(phalanx_actors::messages::Submission { vector, ..zero(id, query.round) }))
    };
    let cast = trusting(settings(Policy::Fail)).seat(0..1, Scripted::answering(sent));
    let played = play(cast.seat(1..2, Scripted::answering(sent)));
    assert!(played.rounds.iter().all(|round| round.gradients == 0), "no worker's");
    assert!(played.point().iter().all(|x| *x > 0.4), "five steps of 0.2 towards 1: {:?}", played.point());
}

#[test]
fn threads_and_actors_change_no_bit() {
    let points = |threads, block| {
        let settings = Settings { threads, block, ..settings(Policy::Fail) };
        let played = play(trusting(settings).seat(0..4, Workers(plain(0..4))));
        played.point().into_iter().map(f64::to_bits).collect::<Vec<u64>>()
    };
    assert_eq!(points(1, 1), points(2, 3));
}

#[test]
fn a_learner_that_fails_for_the_server_fails_the_run() {
    /// Answers all jobs but those of worker 4 or above.
    struct Partial(Quadratic);
    impl Stateful for Partial {}
    impl phalanx_actors::Learner for Partial {
        fn start(&self) -> Vector {
            self.0.start()
        }

        fn gradients(
            &mut self,
            query: &Query,
            jobs: &[Job],
        ) -> Result<Vec<phalanx_actors::Learned>, LearnerError> {
            match jobs.iter().find(|job| job.worker >= 4) {
                Some(job) => Err(LearnerError::Sample { worker: job.worker, index: 7, len: 5 }),
                None => self.0.gradients(query, jobs),
            }
        }

        fn evaluation(&mut self, round: u64, point: &Vector) -> phalanx_actors::learner::EvaluationTask {
            self.0.evaluation(round, point)
        }
    }
    let cast = |root: bool, defence: Defence| {
        let partial = Box::new(Partial(Quadratic { d: D }));
        let cast = Cast::new(settings(Policy::Fail), partial, defence, descent());
        let cast = cast.seat(0..4, Workers(plain(0..4)));
        play(if root { cast.root(Box::new(Noise(99))) } else { cast })
    };
    assert!(cast(false, median()).end.is_ok());
    let said = cast(true, Defence::base(Zeno::default())).error();
    assert!(said.contains("round 1") && said.contains("tells no losses"), "{said}");
    let said = cast(true, median()).error();
    assert!(said.contains("round 1") && said.contains("worker 4 asks for sample 7 of 5"), "{said}");
}

/// Sends the honest mean thrice over, and notes what the server will make of it beside what it made the round before.
#[derive(Clone, Default)]
pub struct Foretell(pub Arc<Mutex<Vec<[Vec<f64>; 2]>>>);

impl Stateful for Foretell {}

impl Attack for Foretell {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Defence
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let vectors = view.everyone(&view.honest()?.mean().scaled(3.0));
        let next = view.outcome(&vectors)?.to_f64();
        self.0.lock().unwrap().push([view.last_aggregate.to_f64(), next]);
        Ok(vectors)
    }
}

#[test]
fn an_attack_that_probes_the_defence_meets_the_servers_own_vector() {
    for defence in [Defence::base(Fltrust::default()), Defence::base(Zeno::default())] {
        let foretell = Foretell::default();
        let group: Attackers = attackers(4..5, "foretell", Box::new(foretell.clone()));
        let cast = by(defence, settings(Policy::Fail)).seat(0..4, Workers(plain(0..4))).seat(4..5, group);
        assert!(play(cast).end.is_ok());
        let told = foretell.0.lock().unwrap().clone();
        assert_eq!(told.len(), 5);
        for pair in told.windows(2) {
            assert_eq!(pair[1][0], pair[0][1], "what was foretold came true, bit for bit");
        }
    }
}
