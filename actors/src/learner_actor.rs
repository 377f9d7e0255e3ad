//! The learner as an actor. It holds the workers' jobs until all expected ones
//! are in, answers them in one call of [`Learner::gradients`] inside the run's
//! thread pool, and hands evaluations to the [`Evaluator`](crate::evaluator::Evaluator).
//!
//! Jobs are answered through the very channel they came by, so that a waiting
//! sender costs one entry of the desk and no future of its own.

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Instant};

use actix::{
    Actor, Addr, Context, Handler, MessageResult, Recipient, ResponseFuture,
    dev::{MessageResponse, OneshotSender},
};
use rayon::ThreadPool;

use crate::{
    desk::Desk,
    evaluator::Run,
    learner::{Evaluation, Job, Learned, Learner, LearnerError, Query},
    messages::{Ask, Close, Evaluate, Expect, LearnerSeat, Remember, Root, Tally, Withdraw},
};
use phalanx_robust::{contained, state::State};

type Answer = Result<Vec<Learned>, LearnerError>;

/// The learner actor.
pub struct LearnerActor {
    bureau: Rc<RefCell<Bureau>>,
    evaluator: Recipient<Run>,
    workers: usize,
}

impl LearnerActor {
    /// The actor of `learner`, which computes in `pool`, for so many workers.
    pub fn new(
        learner: Box<dyn Learner>,
        pool: Arc<ThreadPool>,
        evaluator: Recipient<Run>,
        workers: usize,
    ) -> Self {
        let (desk, tally) = (Desk::new(), Tally::default());
        let bureau = Bureau { learner, pool, desk, root: None, tally, broken: None };
        Self { bureau: Rc::new(RefCell::new(bureau)), evaluator, workers }
    }
}

impl From<Addr<LearnerActor>> for LearnerSeat {
    fn from(actor: Addr<LearnerActor>) -> Self {
        Self {
            expect: actor.clone().recipient(),
            withdraw: actor.clone().recipient(),
            close: actor.clone().recipient(),
            evaluate: actor.clone().recipient(),
            remember: actor.recipient(),
        }
    }
}

impl Actor for LearnerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // A round brings one `Ask` of each actor's block at once, no more than there are workers; a full mailbox would
        // park their senders one by one.
        ctx.set_mailbox_capacity(self.workers + 16);
    }
}

/// The learner and the jobs it was given.
struct Bureau {
    learner: Box<dyn Learner>,
    pool: Arc<ThreadPool>,
    desk: Desk<Option<OneshotSender<Answer>>>,
    /// The server's own job of the open round, until it is computed: with the first jobs that are, or alone.
    root: Option<(Arc<Query>, Job)>,
    tally: Tally,
    /// Its panic; it is not called again.
    broken: Option<LearnerError>,
}

impl Bureau {
    fn ask(&mut self, ask: Ask, reply: Option<OneshotSender<Answer>>) {
        match self.desk.ask(ask.round, ask.jobs, &ask.without, reply) {
            Ok(true) => self.answer(),
            Ok(false) => {}
            Err((refusal, reply)) => send(reply, Err(refusal.into())),
        }
    }

    /// Answers the jobs that are in, and computes the server's own with the first of them.
    fn answer(&mut self) {
        let Some(mut order) = self.desk.take() else { return };
        let root = self.root.take();
        let has_root = root.is_some();
        order.jobs.extend(root.map(|(_, job)| job));
        match self.computed(&order.query, &order.jobs) {
            Ok(mut answers) => {
                self.tally.reference = answers.pop_if(|_| has_root).map(|root| root.gradients.current);
                order.deal(answers).for_each(|(reply, learned)| send(reply, Ok(learned)));
            }
            Err(error) => order.tokens().for_each(|reply| send(reply, Err(error.clone()))),
        }
    }

    /// Computes the server's own job, if no worker has asked.
    fn answer_root(&mut self) {
        let Some((query, job)) = self.root.take() else { return };
        if let Ok(mut answers) = self.computed(&query, &[job]) {
            self.tally.reference = answers.pop().map(|root| root.gradients.current);
        }
    }

    /// Makes the judge of the round; the tally is told.
    fn appoint(&mut self, job: &Job) {
        match self.contained(|learner| learner.judge(job)).flatten() {
            Ok(judge) => self.tally.judge = Some(judge),
            Err(error) => self.tally.error = Some(error),
        }
    }

    /// The answers to `jobs`, or the error; the tally is told.
    fn computed(&mut self, query: &Query, jobs: &[Job]) -> Answer {
        let started = Instant::now();
        let answers = self.gradients(query, jobs);
        self.tally.computing += started.elapsed();
        if let Err(error) = &answers {
            self.tally.error = Some(error.clone());
        }
        answers
    }

    fn gradients(&mut self, query: &Query, jobs: &[Job]) -> Answer {
        let pool = self.pool.clone();
        let work = |learner: &mut dyn Learner| {
            let answers = pool.install(|| learner.gradients(query, jobs));
            (answers, learner.effort())
        };
        let (answers, effort) = self.contained(work)?;
        let answers = answers?;
        if answers.len() != jobs.len() {
            return Err(LearnerError::Count { jobs: jobs.len(), answers: answers.len() });
        }
        let count = |learned: &Learned| 1 + u64::from(learned.gradients.previous.is_some());
        let of_workers = answers.iter().zip(jobs).filter(|(_, job)| !job.root);
        self.tally.gradients += effort * of_workers.map(|(learned, _)| count(learned)).sum::<u64>();
        Ok(answers)
    }

    /// What the learner's own code makes, unless it panics or has done so before.
    fn contained<T>(&mut self, work: impl FnOnce(&mut dyn Learner) -> T) -> Result<T, LearnerError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        contained(|| work(self.learner.as_mut())).map_err(|message| {
            let error = LearnerError::Panicked(message);
            self.broken = Some(error.clone());
            error
        })
    }
}

/// Answers one sender. An actor that is gone cannot hear its answer; the aggregator notices that by itself.
fn send(reply: Option<OneshotSender<Answer>>, answer: Answer) {
    if let Some(reply) = reply {
        let _ = reply.send(answer);
    }
}

/// Jobs that are answered later, by whoever completes the round.
pub struct Deferred {
    ask: Ask,
    bureau: Rc<RefCell<Bureau>>,
}

impl MessageResponse<LearnerActor, Ask> for Deferred {
    fn handle(self, _: &mut Context<LearnerActor>, reply: Option<OneshotSender<Answer>>) {
        self.bureau.borrow_mut().ask(self.ask, reply);
    }
}

impl Handler<Ask> for LearnerActor {
    type Result = Deferred;

    fn handle(&mut self, ask: Ask, _: &mut Self::Context) -> Deferred {
        Deferred { ask, bureau: self.bureau.clone() }
    }
}

impl Handler<Expect> for LearnerActor {
    type Result = ();

    fn handle(&mut self, Expect { query, workers, root }: Expect, _: &mut Self::Context) {
        let mut bureau = self.bureau.borrow_mut();
        bureau.tally = Tally::default();
        bureau.root = None;
        if let Some(Root { job, gradient, judge }) = root {
            if judge {
                bureau.appoint(&job);
            }
            bureau.root = gradient.then(|| (query.clone(), job));
        }
        bureau.desk.expect(query, workers);
    }
}

impl Handler<Withdraw> for LearnerActor {
    type Result = ();

    fn handle(&mut self, Withdraw { round, workers }: Withdraw, _: &mut Self::Context) {
        let mut bureau = self.bureau.borrow_mut();
        if bureau.desk.withdraw(round, &workers) {
            bureau.answer();
        }
    }
}

impl Handler<Close> for LearnerActor {
    type Result = MessageResult<Close>;

    fn handle(&mut self, Close { round }: Close, _: &mut Self::Context) -> Self::Result {
        let mut bureau = self.bureau.borrow_mut();
        let missing = bureau.desk.close(round);
        bureau.answer();
        bureau.answer_root();
        MessageResult(Tally { missing, ..std::mem::take(&mut bureau.tally) })
    }
}

impl Handler<Evaluate> for LearnerActor {
    type Result = ResponseFuture<Result<Evaluation, LearnerError>>;

    fn handle(&mut self, Evaluate { round, point }: Evaluate, _: &mut Self::Context) -> Self::Result {
        let task = self.bureau.borrow_mut().contained(|learner| learner.evaluation(round, &point));
        let evaluator = self.evaluator.clone();
        Box::pin(async move {
            let task = task?;
            let gone = |_| LearnerError::Model("the evaluator is gone".to_owned());
            evaluator.send(Run(task)).await.map_err(gone)?
        })
    }
}

impl Handler<Remember> for LearnerActor {
    type Result = Result<State, LearnerError>;

    fn handle(&mut self, _: Remember, _: &mut Self::Context) -> Self::Result {
        self.bureau.borrow_mut().contained(|learner| learner.state())
    }
}
