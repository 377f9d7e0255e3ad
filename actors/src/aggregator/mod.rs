//! The aggregator: the actor that runs the rounds. It hosts the barrier, and
//! owns the server and those who watch.
//!
//! A round: phase one (workers), phase two (attackers), the rule and the step,
//! the report. Who is asked and for how long is in `floor`, what the server
//! computes in `server`, what is told of it in `record`.

mod evaluations;
mod floor;
mod record;
mod server;
mod snapshots;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use phalanx_robust::{
    Size, Vector, aggregation::Defence, attack::Knowledge, random::Stream, state::State, step::Step,
};
use rayon::ThreadPool;
use tokio::time::sleep;

use self::{
    evaluations::Evaluations,
    floor::{Floor, Own},
    record::{honesty, record},
    server::{Input, Insight, Server, Verdict},
};
use crate::{
    barrier::Outcome,
    busy::Busy,
    contain::{Trouble, computed, of_part},
    error::{Part, RunError},
    learner::{Evaluation, Query, Sampler},
    messages::{Exposed, ExposedDefence, Honest, LearnerSeat, Seat, Submission},
    probed::Probes,
    report::{Observer, Phases, RoundReport, RunEnd},
    settings::Settings,
    snapshot::{Keeper, Snapshot, Unfit},
};

/// Asks a run to end after the round in hand. Clones ask the same run.
#[derive(Clone, Debug, Default)]
pub struct Stopper(Arc<AtomicBool>);

impl Stopper {
    /// Asks, from any thread, before the run or during it.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits until it is asked; looks every now and then.
    async fn stopped(&self) {
        while !self.is_stopped() {
            sleep(LOOK).await;
        }
    }
}

/// How often a wait looks whether the run is to end.
const LOOK: Duration = Duration::from_millis(50);

/// To the aggregator: run all rounds. It can be asked once.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<RunEnd, RunError>")]
pub struct Begin;

/// What an aggregator is made of.
pub struct Company {
    /// The actors of the workers, in any order; ids are unique.
    pub seats: Vec<Seat>,
    /// Whose own code runs.
    pub busy: Busy,
    /// The learner.
    pub learner: LearnerSeat,
    /// The server's rule.
    pub defence: Defence,
    /// The server's optimiser.
    pub step: Box<dyn Step>,
    /// The initial point x_1.
    pub start: Vector,
    /// Where the server's own batches come from, for a rule that needs a gradient which it computed itself.
    pub root: Option<Box<dyn Sampler>>,
    /// Those who watch.
    pub observers: Vec<Box<dyn Observer>>,
    /// Where the rule and the step compute.
    pub pool: Arc<ThreadPool>,
    /// Asks the run to end.
    pub stopper: Stopper,
    /// Who keeps snapshots, if anybody does.
    pub keeper: Option<Box<dyn Keeper>>,
}

impl fmt::Debug for Company {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seats, observers) = (&self.seats, self.observers.len());
        let mut company = f.debug_struct("Company");
        company.field("seats", seats).field("start", &self.start).field("observers", &observers);
        company.finish_non_exhaustive()
    }
}

/// The aggregator actor.
pub struct Aggregator {
    rounds: Option<Rounds>,
}

impl fmt::Debug for Aggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregator").field("begun", &self.rounds.is_none()).finish_non_exhaustive()
    }
}

impl Aggregator {
    /// An aggregator that has not begun. It will begin with the round after `snapshot`, if there is one.
    ///
    /// # Errors
    /// [`Unfit`] if the snapshot is of another cast.
    pub fn new(company: Company, settings: Settings, snapshot: Option<&Snapshot>) -> Result<Self, Unfit> {
        let mut rounds = Rounds::new(company, settings);
        snapshot.map_or(Ok(()), |snapshot| rounds.resume(snapshot))?;
        Ok(Self { rounds: Some(rounds) })
    }
}

impl Actor for Aggregator {
    type Context = Context<Self>;
}

impl Handler<Begin> for Aggregator {
    type Result = ResponseFuture<Result<RunEnd, RunError>>;

    fn handle(&mut self, _: Begin, _: &mut Self::Context) -> Self::Result {
        let rounds = self.rounds.take();
        Box::pin(async move {
            match rounds {
                Some(rounds) => rounds.run().await,
                None => {
                    let message = "it has begun already".to_owned();
                    Err(RunError::Died { round: 0, part: Part::Aggregator, message })
                }
            }
        })
    }
}

/// The rounds of a run.
struct Rounds {
    settings: Settings,
    floor: Floor,
    evaluations: Evaluations,
    observers: Vec<Box<dyn Observer>>,
    pool: Arc<ThreadPool>,
    stopper: Stopper,
    /// Lent to the pool while it computes.
    server: Option<Server>,
    point: Vector,
    previous: Option<Vector>,
    shape: Vector,
    last_aggregate: Vector,
    evaluation: Option<Evaluation>,
    report: RoundReport,
    keeper: Option<Box<dyn Keeper>>,
    /// The last round that is over.
    done: u64,
}

impl Rounds {
    fn new(company: Company, settings: Settings) -> Self {
        let Company { mut seats, defence, step, start: point, .. } = company;
        seats.sort_by_key(|seat| seat.ids.start);
        let shape = point.zeros_like();
        let learner = company.learner;
        let root = company.root.map(|sampler| {
            let judge = defence.needs_judge();
            Own { sampler, gradient: !judge || defence.needs_reference(), judge }
        });
        Self {
            evaluations: Evaluations::new(learner.clone(), settings.deadlines.evaluation),
            floor: Floor::new(seats, company.busy, learner, root, &settings, shape.clone()),
            settings,
            observers: company.observers,
            pool: company.pool,
            stopper: company.stopper,
            server: Some(Server { defence, step, point: point.clone(), stepping: Arc::default() }),
            point,
            previous: None,
            last_aggregate: shape.clone(),
            shape,
            evaluation: None,
            report: RoundReport::default(),
            keeper: company.keeper,
            done: 0,
        }
    }

    async fn run(mut self) -> Result<RunEnd, RunError> {
        match self.play().await {
            Ok((round, learner)) => {
                let interrupted = round < self.settings.rounds;
                let Self { point, evaluation, .. } = self;
                Ok(RunEnd { rounds: round, interrupted, point, evaluation, learner })
            }
            Err(error) => {
                self.tell_what_is_left(&error).await;
                Err(error)
            }
        }
    }

    /// Waits for the evaluations that were under way when the run failed, unless it is somebody's hanging that ended it.
    async fn tell_what_is_left(&mut self, error: &RunError) {
        if matches!(error, RunError::Stuck { .. }) {
            return;
        }
        while let Ok(Some(evaluation)) = self.evaluations.oldest().await {
            if self.evaluated(evaluation).is_err() {
                return;
            }
        }
    }

    /// Runs all rounds, or until somebody asks for the end: the last one, and what the learner remembers.
    async fn play(&mut self) -> Result<(u64, State), RunError> {
        let mut round = self.done;
        notify(&mut self.observers, round, |observer| observer.begin())?;
        if round == 0 {
            self.evaluate(0).await?;
        }
        while round < self.settings.rounds && !self.stopper.is_stopped() {
            round += 1;
            self.round(round).await?;
            let report = &self.report;
            notify(&mut self.observers, round, |observer| observer.round(report))?;
            let every = self.settings.evaluate_every;
            if every > 0 && round.is_multiple_of(every) {
                self.evaluate(round).await?;
            }
            while let Some(evaluation) = self.evaluations.ready()? {
                self.evaluated(evaluation)?;
            }
            self.done = round;
            if round < self.settings.rounds && self.wants_snapshot(round)? {
                self.keep().await?;
            }
        }
        if round < self.settings.rounds {
            // Before the evaluation that only a run that ends here makes.
            self.keep().await?;
        }
        self.evaluate(round).await?;
        while let Some(evaluation) = self.evaluations.oldest().await? {
            self.evaluated(evaluation)?;
        }
        Ok((round, self.floor.remember().await?))
    }

    /// Whether the keeper, if there is one, wants a snapshot after `round`.
    fn wants_snapshot(&mut self, round: u64) -> Result<bool, RunError> {
        let Some(keeper) = &mut self.keeper else { return Ok(false) };
        of_part(round, Part::Keeper, || keeper.wants(round))
    }

    async fn round(&mut self, round: u64) -> Result<(), RunError> {
        let started = Instant::now();
        let previous = self.previous.replace(self.point.clone());
        let query = Arc::new(Query { round, current: self.point.clone(), previous });
        let one = self.floor.phase_one(&query).await?;
        let insight = Insight { reference: one.tally.reference, judge: one.tally.judge };
        drop(query);
        let rng = self.settings.seed.stream("rule", 0, "aggregate", round);
        let attack = self.phase_two(round, &insight).await?;
        let (mut outcome, bill) = self.floor.close();
        let overtaken = bill.traffic.late > 0;
        let struck = overtaken || bill.incidents.iter().any(|incident| !incident.faults.is_empty());
        let verdict = self.settle(&mut outcome, rng, insight, struck).await?;
        self.pass(bill.seconds.unwrap_or(0.0)).await;
        let phases = Phases {
            gradient: one.tally.computing,
            wait: one.elapsed.saturating_sub(one.tally.computing),
            attack,
            aggregate: verdict.aggregating,
            step: verdict.stepping,
            round: started.elapsed(),
        };
        if !verdict.skipped {
            self.last_aggregate = verdict.aggregation.output.clone();
        }
        record(&mut self.report, self.floor.seats(), self.floor.workers(), &outcome, &verdict);
        self.report.traffic = bill.traffic;
        self.report.sent_bytes = bill.traffic.sent * self.point.bytes();
        self.report.incidents = bill.incidents;
        self.report.virtual_seconds = bill.seconds;
        self.report.gradients = one.tally.gradients;
        self.report.phases = phases;
        Ok(())
    }

    /// Phase two, and how long it took.
    async fn phase_two(&mut self, round: u64, insight: &Insight) -> Result<Duration, RunError> {
        if !self.floor.awaits_phase_two() {
            return Ok(Duration::ZERO);
        }
        let started = Instant::now();
        let (highest, present) = (self.floor.knowledge(), self.floor.present());
        let blind = Exposed {
            round,
            size: Size::new(present, self.floor.byzantine(present)),
            shape: self.shape.clone(),
            last_aggregate: self.last_aggregate.clone(),
            point: self.point.clone(),
            honest: None,
            defence: None,
        };
        let honest = (highest >= Knowledge::Honest).then(|| {
            let (ids, vectors) = self.floor.honest();
            Arc::new(Exposed { honest: Some(Honest { ids, vectors }), ..blind.clone() })
        });
        let probes = Probes::default();
        let defence = self.server.as_ref().filter(|_| highest >= Knowledge::Defence).zip(honest.as_ref());
        let expose = |(server, honest): (&Server, &Arc<Exposed>)| {
            let defence = probes.of(of_part(round, Part::Rule, || server.defence.clone())?);
            let rng = self.settings.seed.stream("rule", 0, "probe", round);
            let Insight { reference, judge } = insight.clone();
            let standing_in = self.floor.standing_in();
            let open = ExposedDefence { defence, rng, standing_in, reference, judge };
            Ok::<_, RunError>(Arc::new(Exposed { defence: Some(open), ..Exposed::clone(honest) }))
        };
        let defence = defence.map(expose).transpose()?;
        let blind = Arc::new(blind);
        let shown = |knowledge| match (knowledge, &honest, &defence) {
            (Knowledge::Defence, _, Some(all)) => all.clone(),
            (Knowledge::Honest, Some(vectors), _) => vectors.clone(),
            _ => blind.clone(),
        };
        self.floor.phase_two(shown, &probes).await?;
        Ok(started.elapsed())
    }

    /// Really lets the virtual time of a round pass, if that is wanted; a run that is asked to stop does not wait.
    async fn pass(&self, seconds: f64) {
        const SLICE: Duration = Duration::from_millis(50);
        let mut left = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        while self.settings.real_time && !left.is_zero() && !self.stopper.is_stopped() {
            sleep(left.min(SLICE)).await;
            left = left.saturating_sub(SLICE);
        }
    }

    /// The rule and the step, in the pool. A round that was `struck` by faults of the experiment so hard that
    /// the rule cannot stand what is left is skipped: no step is made. So is one that attackers alone spoil.
    async fn settle(
        &mut self,
        outcome: &mut Outcome,
        rng: Stream,
        insight: Insight,
        struck: bool,
    ) -> Result<Verdict, RunError> {
        let (round, workers) = (outcome.round, self.floor.workers().len());
        let gone = |part, message: String| RunError::Died { round, part, message };
        let mut server = self.server.take().ok_or_else(|| gone(Part::Rule, String::new()))?;
        let stepping = server.stepping.clone();
        let part = || if stepping.load(Ordering::Relaxed) { Part::Step } else { Part::Rule };
        let mut is_honest = honesty(self.floor.seats());
        let rows = outcome.submissions.iter().enumerate().filter(|(_, s)| is_honest(s.worker));
        let honest = self.settings.measure_honest.then(|| rows.map(|(row, _)| row).collect());
        let struck = struck || self.attackers_alone(&outcome.submissions);
        let vectors: Vec<Vector> = outcome.submissions.iter().map(|s| s.vector.clone()).collect();
        let ids = outcome.submissions.iter().map(|s| s.worker).collect();
        let submitted = vectors.len();
        let f = self.floor.byzantine(submitted);
        let input = Input { round, f, rng, vectors, workers: ids, insight, honest };
        let deadline = self.settings.deadlines.rule;
        let (server, verdict) = computed(&self.pool, deadline, move || {
            let verdict = server.settle(input);
            (server, verdict)
        })
        .await
        .map_err(|trouble| match trouble {
            Trouble::Stuck => RunError::Stuck { round, part: part(), deadline },
            Trouble::Panicked(message) => gone(part(), message),
        })?;
        self.point = server.point.clone();
        self.server = Some(server);
        match verdict {
            Err(error) if struck && error.is_turnout() => Ok(Verdict::skipped(&self.shape, f)),
            Err(error) => Err(RunError::Rule { round, error: Box::new(error), submitted, workers }),
            Ok(verdict) => self.check_step(round, verdict.finite).map(|()| verdict),
        }
    }

    /// Whether the cohort of a round holds attackers alone.
    fn attackers_alone(&self, submissions: &[Submission]) -> bool {
        let mut is_honest = honesty(self.floor.seats());
        let is_cohort = self.settings.cohort.is_some() && !submissions.is_empty();
        is_cohort && !submissions.iter().any(|submission| is_honest(submission.worker))
    }

    /// Refuses a point that is not like x_1, or not finite.
    fn check_step(&self, round: u64, finite: bool) -> Result<(), RunError> {
        let (found, expected) = match self.point.is_like(&self.shape) {
            true if finite => return Ok(()),
            true => ("a point that is not finite".to_owned(), None),
            false => (self.point.kind(), Some(self.shape.kind())),
        };
        Err(RunError::Step { round, found, expected })
    }

    /// Asks for the evaluation of the point that stands after `round`, unless that was done already. Where many are under
    /// way it waits for the oldest, but not once the run is to end.
    async fn evaluate(&mut self, round: u64) -> Result<(), RunError> {
        if self.evaluations.asked() == Some(round) {
            return Ok(());
        }
        while self.evaluations.are_many() {
            let Some(evaluation) = self.evaluations.oldest_until(self.stopper.stopped()).await? else {
                break;
            };
            self.evaluated(evaluation)?;
        }
        self.evaluations.ask(round, self.point.clone());
        Ok(())
    }

    fn evaluated(&mut self, evaluation: Evaluation) -> Result<(), RunError> {
        let evaluation = self.evaluation.insert(evaluation);
        notify(&mut self.observers, evaluation.round, |observer| observer.evaluation(evaluation))
    }
}

/// Tells every observer.
fn notify(
    observers: &mut [Box<dyn Observer>],
    round: u64,
    mut tell: impl FnMut(&mut dyn Observer) -> Result<(), String>,
) -> Result<(), RunError> {
    for observer in observers {
        let told = of_part(round, Part::Observer, || tell(observer.as_mut()))?;
        told.map_err(|message| RunError::Observer { round, message })?;
    }
    Ok(())
}
