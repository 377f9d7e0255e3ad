//! A run that goes on from a snapshot: the same bits as if it had never stopped.

use std::sync::{Arc, Mutex};

use actix::{Actor, Context, Handler};
use phalanx_actors::{
    Cast, Keeper, Member, Place, Policy, RunError, Seating, Settings, Snapshot, Workers,
    learner::{Draw, Sampler},
    messages::{Fault, Memory, Open, Recall, Reply, Seat, Submission},
    snapshot,
};
use phalanx_robust::{
    Batch, Layout, Size, Vector,
    aggregation::{
        Aggregate, Aggregator, CenteredClipping, ClippedClustering, Context as Round, Ctma, Cwmed, Defence,
        FlDefender, Fldetector, FoolsGold, Rule, RuleError, Safeguard,
    },
    attack::{
        Alie, Attack, AttackError, AttackRule, Drift, Knowledge, LabelFlip, Mimic, OptIpm, Stale, View,
    },
    estimator::{Estimator, Gradients, Points},
    state::{State, StateError, Stateful},
    step::Step,
};

use crate::{determinism::bits, stage::*};

/// Wants a snapshot after every round, and keeps all of them.
#[derive(Clone, Default)]
pub struct Shelf {
    pub snapshots: Arc<Mutex<Vec<Snapshot>>>,
    reasons: Arc<Mutex<Vec<(u64, String)>>>,
}

impl Keeper for Shelf {
    fn wants(&mut self, _: u64) -> bool {
        true
    }

    fn keep(&mut self, snapshot: Snapshot) {
        self.snapshots.lock().unwrap().push(snapshot);
    }

    fn cannot(&mut self, round: u64, reason: &str) {
        self.reasons.lock().unwrap().push((round, reason.to_owned()));
    }
}

/// Plays the cast that `make` makes; then again from every snapshot that was taken on the way, with other
/// numbers of threads and actors. What comes after the snapshot must have the same bits.
fn resumes_anywhere(make: impl Fn(Settings) -> Cast) {
    let settings = Settings { rounds: 9, evaluate_every: 2, ..settings(Policy::Drop) };
    let undisturbed = play(make(settings.clone()));
    let shelf = Shelf::default();
    let whole = play(make(settings.clone()).keep(shelf.clone()));
    assert_eq!(bits(&undisturbed), bits(&whole), "taking snapshots changes the run");
    let snapshots = shelf.snapshots.lock().unwrap().clone();
    assert_eq!(snapshots.iter().map(|s| s.round).collect::<Vec<_>>(), (1..9).collect::<Vec<_>>());
    for snapshot in snapshots {
        let at = snapshot.round;
        let owed: Vec<u64> = snapshot.parts["server"].value("the server", "under_way").unwrap();
        let settings = Settings { threads: 2, block: at as usize % 4, ..settings.clone() };
        let mut rest = play(make(settings).resume(snapshot));
        assert_eq!(rest.rounds.len(), 9 - at as usize);
        rest.rounds.splice(..0, whole.rounds[..at as usize].iter().cloned());
        let again = rest.evaluations[0].round;
        assert_eq!(again, owed.first().copied().unwrap_or(((at / 2 + 1) * 2).min(9)), "from round {at}");
        rest.evaluations.splice(..0, whole.evaluations.iter().filter(|e| e.round < again).cloned());
        assert_eq!(bits(&rest), bits(&whole), "from round {at}");
    }
}

fn size() -> Size {
    Size::new(12, 3)
}

/// Nine honest workers and three attackers.
fn twelve(settings: Settings, layers: Vec<Box<dyn RuleLayer>>, attack: impl AttackRule, storm: bool) -> Cast {
    let layers = layers.into_iter().map(|layer| layer.layer()).collect();
    twelve_under(settings, Defence::new(layers).unwrap(), attack, storm)
}

/// The same under a defence that was told all that it is to know.
fn twelve_under(settings: Settings, defence: Defence, attack: impl AttackRule, storm: bool) -> Cast {
    let settings = Settings { f: 3, ..settings };
    let cast = Cast::new(settings, Box::new(Quadratic { d: D }), defence, anytime());
    let honest = if storm { storm_members(0..9) } else { members(0..9) };
    cast.seat(0..9, Workers(honest)).seat(9..12, attackers(9..12, "attack", attack.build(size()).unwrap()))
}

/// A rule, whatever its type.
trait RuleLayer {
    fn layer(&self) -> phalanx_robust::aggregation::Layer;
}

impl<R: Rule> RuleLayer for R {
    fn layer(&self) -> phalanx_robust::aggregation::Layer {
        self.build().unwrap()
    }
}

#[test]
fn double_momentum_under_alie_and_flipped_labels() {
    resumes_anywhere(|s| {
        twelve(s, vec![Box::new(Ctma::default()), Box::new(Cwmed::default())], LabelFlip::default(), true)
    });
    resumes_anywhere(|s| {
        twelve(s, vec![Box::new(Cwmed::default())], Alie { z: Some(1.0), ..Alie::default() }, true)
    });
}

#[test]
fn a_clipping_centre_and_a_drift() {
    let rule = || CenteredClipping { stateful: true, ..CenteredClipping::default() };
    resumes_anywhere(|s| twelve(s, vec![Box::new(rule())], Drift::default(), false));
    resumes_anywhere(|s| {
        twelve(s, vec![Box::new(Ctma::default()), Box::new(rule())], Drift::default(), true)
    });
}

#[test]
fn safeguard_sums_and_a_mimic_that_warms_up() {
    let mimic = Mimic { warm_up: 5, ..Mimic::default() };
    resumes_anywhere(|s| twelve(s, vec![Box::new(Safeguard::default())], mimic.clone(), false));
}

#[test]
fn the_sums_of_fools_gold() {
    resumes_anywhere(|s| twelve(s, vec![Box::new(FoolsGold::default())], Drift::default(), true));
}

#[test]
fn trust_by_the_last_layer_of_which_attackers_know_too() {
    resumes_anywhere(|s| {
        let mut defence = Defence::new(vec![FlDefender::default().build().unwrap()]).unwrap();
        defence.know_layout(&Layout::new([("0.weight", D - 2), ("1.weight", 2)])).unwrap();
        twelve_under(s, defence, OptIpm::default(), false)
    });
}

#[test]
fn what_fldetector_foretells() {
    let rule = || Fldetector { window: 2, ..Fldetector::default() };
    resumes_anywhere(|s| {
        twelve(s, vec![Box::new(rule()), Box::new(Cwmed::default())], Drift::default(), true)
    });
}

#[test]
fn every_part_of_a_snapshot_is_needed() {
    let settings = Settings { rounds: 9, ..settings(Policy::Fail) };
    let make = |s| twelve(s, vec![Box::new(Safeguard::default())], Drift::default(), false);
    let shelf = Shelf::default();
    let whole = play(make(settings.clone()).keep(shelf.clone()));
    let snapshot = shelf.snapshots.lock().unwrap()[3].clone();
    let names: Vec<&str> =
        snapshot.parts.keys().map(String::as_str).filter(|name| *name != "server").collect();
    // A drift follows no protocol, so that its workers have nothing to remember.
    let workers: Vec<String> = (0..9).map(snapshot::worker).collect();
    let expected = ["group.0", "rule", "step"].into_iter().chain(workers.iter().map(String::as_str));
    assert_eq!(names, expected.collect::<Vec<_>>());
    for name in names {
        let mut less = snapshot.clone();
        less.parts.remove(name);
        let rest = play(make(settings.clone()).resume(less));
        assert!(rest.end.is_err() || rest.point() != whole.point(), "nothing is lost without {name}");
    }
}

#[test]
fn norms_of_the_past_and_stale_vectors() {
    let stale = Stale { rounds: 3, ..Stale::default() };
    resumes_anywhere(|s| twelve(s, vec![Box::new(ClippedClustering::default())], stale.clone(), true));
}

#[test]
fn cohorts_are_drawn_as_before() {
    resumes_anywhere(|s| {
        let settings = Settings { cohort: Some(7), ..s };
        twelve(settings, vec![Box::new(Cwmed::default())], Drift::default(), true)
    });
}

/// Panics when it draws its third batch.
struct Fatal(Noise);

impl Sampler for Fatal {
    fn draw(&mut self, round: u64) -> Draw {
        assert_ne!(round, 3, "no third batch");
        self.0.draw(round)
    }
}

#[test]
fn workers_that_are_gone_stay_gone() {
    resumes_anywhere(|s| {
        let mut members = members(4..6);
        members[0].sampler = Box::new(Fatal(Noise(4)));
        cast(s).seat(0..4, Workers(super::stage::members(0..4))).seat(4..6, Workers(members))
    });
}

/// A worker from outside that counts its rounds.
struct Counting;

#[derive(Default)]
struct Count {
    id: usize,
    rounds: u64,
}

impl Stateful for Count {
    fn state(&self) -> State {
        State { values: [("rounds".to_owned(), self.rounds.into())].into(), ..State::default() }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.rounds = state.value("count", "rounds")?;
        Ok(())
    }
}

impl Actor for Count {
    type Context = Context<Self>;
}

impl Handler<Open> for Count {
    type Result = Result<Reply, Fault>;

    fn handle(&mut self, Open { query, .. }: Open, _: &mut Self::Context) -> Self::Result {
        self.rounds += 1;
        let vector = Vector::from(vec![self.rounds as f32; D]);
        let (worker, round) = (self.id, query.round);
        Ok(Reply::Submitted(Submission { worker, round, vector, loss: None, accuracy: None }))
    }
}

impl Handler<Recall> for Count {
    type Result = Result<Vec<(String, State)>, Fault>;

    fn handle(&mut self, _: Recall, _: &mut Self::Context) -> Self::Result {
        Ok(vec![(snapshot::worker(self.id), self.state())])
    }
}

impl Seating for Counting {
    fn seat(self: Box<Self>, place: &Place) -> Result<Vec<Seat>, String> {
        let id = place.ids.start;
        let mut count = Count { id, rounds: 0 };
        place.restore(&snapshot::worker(id), &mut count)?;
        let actor = Count::start_in_arbiter(&place.arbiter(id), move |_| count);
        let memory = Memory::Told(actor.clone().recipient());
        Ok(vec![Seat {
            ids: place.ids.clone(),
            open: actor.recipient(),
            attacker: None,
            learns: false,
            memory,
        }])
    }
}

#[test]
fn a_custom_actor_gets_its_memory_back() {
    resumes_anywhere(|s| four_honest(s).seat(4..5, Counting));
}

#[test]
fn a_cast_that_cannot_be_told_runs_without_snapshots() {
    let shelf = Shelf::default();
    let scripted = Scripted::answering(|id, query| Ok(Reply::Submitted(zero(id, query.round))));
    let played = play(four_honest(settings(Policy::Fail)).seat(4..5, scripted).keep(shelf.clone()));
    assert_eq!(played.end.unwrap().rounds, 5);
    assert!(shelf.snapshots.lock().unwrap().is_empty());
    let reasons = shelf.reasons.lock().unwrap().clone();
    assert_eq!(reasons, [(1, "the actor of worker 4 cannot tell what it remembers".to_owned())]);
}

/// Follows a number that is NaN, or with a word for it in JSON, as whatever it is used.
#[derive(Clone)]
struct Lost {
    number: Option<f64>,
    optional: bool,
}

impl Stateful for Lost {
    fn state(&self) -> State {
        let number = self.number.unwrap_or(f64::NAN).into();
        State { values: [("number".to_owned(), number)].into(), ..State::default() }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.number = match self.optional {
            true => state.value("lost", "number")?,
            false => Some(state.value("lost", "number")?),
        };
        Ok(())
    }
}

impl Aggregator for Lost {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Round) -> Result<Aggregate, RuleError> {
        Ok(Aggregate::vector(batch.mean()))
    }
}

impl Step for Lost {
    fn step(&mut self, _: u64, _: &mut Vector, _: &Vector) {}
}

impl Estimator for Lost {
    fn points(&self, _: u64) -> Points {
        Points::Current
    }

    fn update(&mut self, _: u64, gradients: Gradients) -> Vector {
        gradients.current
    }
}

impl Attack for Lost {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Blind
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        Ok(view.filled(0.0))
    }
}

/// What would only come out where the run is to go on is said as the snapshot is taken.
#[test]
fn a_memory_that_would_not_be_taken_back_is_refused_by_the_name_of_its_component() {
    let casts = |lost: &Lost| {
        let (lost, settings) = (lost.clone(), settings(Policy::Fail));
        let learner = || Box::new(Quadratic { d: D });
        let of = |defence, step| {
            Cast::new(settings.clone(), learner(), defence, step).seat(0..4, Workers(members(0..4)))
        };
        let member = Member { sampler: Box::new(Noise(4)), estimator: Box::new(lost.clone()) };
        [
            of(Defence::base(lost.clone()), descent()),
            of(median(), Box::new(lost.clone())),
            four_honest(settings.clone()).seat(4..5, Workers(vec![member])),
            four_honest(settings.clone()).seat(4..5, attackers(4..5, "lost", Box::new(lost))),
        ]
    };
    let why = "the saved state of lost has an unusable `number`";
    let refused = [
        format!("the rule would not take it back: {why}"),
        format!("the step would not take it back: {why}"),
        format!("the actor of worker 4: worker 4 would not take it back: {why}"),
        format!("the actor of worker 4: the attack lost: it would not take back what it remembers: {why}"),
    ];
    for (cast, refused) in casts(&Lost { number: None, optional: false }).into_iter().zip(refused) {
        let shelf = Shelf::default();
        assert_eq!(play(cast.keep(shelf.clone())).end.unwrap().rounds, 5);
        assert_eq!(*shelf.reasons.lock().unwrap(), [(1, refused)]);
    }
    let fine = [Lost { number: None, optional: true }, Lost { number: Some(2.0), optional: false }];
    for cast in fine.iter().flat_map(casts) {
        let shelf = Shelf::default();
        play(cast.keep(shelf.clone())).end.unwrap();
        assert_eq!(shelf.snapshots.lock().unwrap().len(), 4);
        assert_eq!(*shelf.reasons.lock().unwrap(), []);
    }
}

#[test]
fn a_run_that_is_stopped_leaves_a_snapshot_and_goes_on() {
    let settings = settings(Policy::Fail);
    let whole = play(four_honest(settings.clone()));
    let shelf = Shelf::default();
    let cast = four_honest(settings.clone()).keep(shelf.clone());
    cast.stopper().stop();
    let stopped = play(cast);
    assert!(stopped.end.unwrap().interrupted);
    let snapshot = shelf.snapshots.lock().unwrap().pop().unwrap();
    assert_eq!(snapshot.round, 0);
    let rest = play(four_honest(settings).resume(snapshot));
    assert_eq!(stopped.evaluations[0].round, 0);
    assert_eq!(bits(&rest), bits(&whole));
}

#[test]
fn a_snapshot_of_another_cast_is_refused() {
    let shelf = Shelf::default();
    play(four_honest(settings(Policy::Fail)).keep(shelf.clone()));
    let snapshot = shelf.snapshots.lock().unwrap().pop().unwrap();
    let mut other = snapshot.clone();
    other
        .parts
        .get_mut("server")
        .unwrap()
        .vectors
        .insert("point".to_owned(), Vector::from(vec![0f32; D + 1]));
    let error = play(four_honest(settings(Policy::Fail)).resume(other)).error();
    assert_eq!(error, "part `server` of the snapshot: the saved state of server has an unusable `point`");
    let mut other = snapshot;
    other.parts.get_mut("server").unwrap().vectors.remove("last_aggregate");
    let end = play(four_honest(settings(Policy::Fail)).resume(other)).end;
    assert!(matches!(end, Err(RunError::Snapshot(_))), "{end:?}");
}
