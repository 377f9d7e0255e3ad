//! Vectors that are tensors stay on their device from gradient to step: what a
//! round copies to the host does not depend on d, and it waits for the device
//! when the rule decides and once more. Shown on libtorch's CPU, where the same
//! code runs as on a GPU.

#![cfg(feature = "torch")]
#![expect(clippy::unwrap_used, reason = "a test may unwrap, and so may what it calls")]

use std::sync::{Arc, Mutex, PoisonError};

use phalanx::data::sampler::NoiseSampler;
use phalanx_actors::{
    Attackers, Cast, Evaluation, Job, Learned, Learner, LearnerError, Member, Observer, Query, RoundReport,
    Scheme, Settings, Workers,
    learner::{EvaluationTask, Sampler},
};
use phalanx_robust::{
    Copied, Size, Vector,
    aggregation::{Ctma, Cwmed, Cwtm, Defence, GeometricMedian, Krum, Layer, Nnm, Rule},
    attack::{Alie, Attack, AttackRule, Inf, Ipm, SignFlip},
    copied_to_host,
    estimator::{EstimatorRule, Gradients, Points, Storm},
    random::Seed,
    state::Stateful,
    step::{AnytimeSgd, Domain, StepRule},
};
use tch::{Device, Kind, Tensor};

type MakeLayers = fn() -> Vec<Layer>;
type MakeAttack = fn(Size) -> Box<dyn Attack>;

const HONEST: usize = 5;
const ATTACKERS: usize = 2;

/// f(x) = ‖x - 1‖²/2 on tensors, with a little of the worker's number in every gradient.
struct OnTensors(usize);

impl Stateful for OnTensors {}

impl Learner for OnTensors {
    fn start(&self) -> Vector {
        Tensor::zeros([self.0 as i64], (Kind::Float, Device::Cpu)).into()
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Result<Vec<Learned>, LearnerError> {
        let at = |point: &Vector, worker: usize| -> Vector {
            let Vector::Torch(point) = point else { panic!("a host vector") };
            (point.tensor() - (1.0 + worker as f64 / 10.0)).into()
        };
        let answer = |job: &Job| {
            let wanted = query.previous.as_ref().filter(|_| job.points == Points::CurrentAndPrevious);
            let previous = wanted.map(|point| at(point, job.worker));
            let gradients = Gradients { current: at(&query.current, job.worker), previous };
            Learned { gradients, loss: 0.0, accuracy: f64::NAN }
        };
        Ok(jobs.iter().map(answer).collect())
    }

    fn evaluation(&mut self, round: u64, _: &Vector) -> EvaluationTask {
        Box::new(move || Ok(Evaluation::unknown(round)))
    }
}

/// Notes what has been copied after every round.
#[derive(Clone, Default)]
struct Copies(Arc<Mutex<Vec<Copied>>>);

impl Observer for Copies {
    fn round(&mut self, _: &RoundReport) -> Result<(), String> {
        self.0.lock().unwrap().push(copied_to_host());
        Ok(())
    }
}

fn members(ids: std::ops::Range<usize>) -> Vec<Member> {
    let sampler = |id| -> Box<dyn Sampler> { Box::new(NoiseSampler::new(id, Seed(1))) };
    ids.map(|id| Member { sampler: sampler(id), estimator: Storm::default().build().unwrap() }).collect()
}

/// Copies are counted for the whole process, so that one run goes at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs four rounds of d numbers before `observer`.
fn run(
    d: usize,
    layers: Vec<Layer>,
    attack: &dyn Fn(Size) -> Box<dyn Attack>,
    observer: impl Observer + 'static,
) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let all = HONEST + ATTACKERS;
    let settings = Settings { rounds: 4, f: ATTACKERS, ..Settings::default() };
    let learner = OnTensors(d);
    let step = AnytimeSgd::default().build(&learner.start(), Domain::Everywhere).unwrap();
    let attack = attack(Size::new(all, ATTACKERS));
    let scheme = Scheme { name: "attack".into(), group: 0, attack, classes: 0 };
    Cast::new(settings, Box::new(learner), Defence::new(layers).unwrap(), step)
        .seat(0..HONEST, Workers(members(0..HONEST)))
        .seat(HONEST..all, Attackers { scheme, members: members(HONEST..all) })
        .observe(observer)
        .run()
        .unwrap();
}

/// Copies of each round after the first, and the numbers in them.
fn copies(d: usize, layers: Vec<Layer>, attack: &dyn Fn(Size) -> Box<dyn Attack>) -> Vec<(u64, u64)> {
    let noted = Copies::default();
    run(d, layers, attack, noted.clone());
    let noted = noted.0.lock().unwrap();
    let more = |pair: &[Copied]| (pair[1].copies - pair[0].copies, pair[1].numbers - pair[0].numbers);
    noted.windows(2).map(more).collect()
}

#[test]
fn what_a_round_copies_to_the_host_does_not_depend_on_d() {
    let rules: [(&str, MakeLayers); 5] = [
        ("ctma nnm cwmed", || {
            let layers = [Ctma::default().build(), Nnm::default().build(), Cwmed::default().build()];
            layers.map(Result::unwrap).into()
        }),
        ("geometric-median", || vec![GeometricMedian::default().build().unwrap()]),
        ("ctma cwmed", || [Ctma::default().build(), Cwmed::default().build()].map(Result::unwrap).into()),
        ("krum", || vec![Krum::default().build().unwrap()]),
        ("cwtm", || vec![Cwtm::default().build().unwrap()]),
    ];
    let attacks: [(&str, MakeAttack); 3] = [
        ("sign-flip", |size| SignFlip::default().build(size).unwrap()),
        ("ipm", |size| Ipm::default().build(size).unwrap()),
        ("alie", |size| Alie { z: Some(1.0), ..Alie::default() }.build(size).unwrap()),
    ];
    for (rule, layers) in rules {
        for (attack, make) in &attacks {
            let (short, long) = (copies(100, layers(), make), copies(10_000, layers(), make));
            assert_eq!(short, long, "{rule} under {attack}: copies in each round");
            println!("{rule} under {attack}: {:?} copies and numbers", long[0]);
            // one for each decision of the rule, and one for all that is told of the round
            let decisions = if rule == "ctma nnm cwmed" { 2 } else { 1 };
            let few = |&(copies, numbers): &(u64, u64)| copies <= decisions + 1 && numbers < 100;
            assert!(long.iter().all(few), "{rule} under {attack}: {long:?}");
        }
    }
}

/// Checks what is told of every worker.
struct Distances;

impl Observer for Distances {
    fn round(&mut self, report: &RoundReport) -> Result<(), String> {
        for worker in &report.workers {
            let distance = worker.distance.unwrap();
            assert_eq!(worker.set_aside, !worker.honest);
            assert_eq!(distance.is_nan(), worker.set_aside, "{distance}");
            assert!(worker.set_aside || distance < 10.0, "{distance}");
        }
        Ok(())
    }
}

#[test]
fn distances_of_workers_are_told_and_those_set_aside_have_none() {
    run(100, vec![Cwmed::default().build().unwrap()], &|size| Inf::default().build(size).unwrap(), Distances);
}
