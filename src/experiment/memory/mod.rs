//! How much memory a run will need, before it is needed: a run that cannot fit
//! is refused by the plan, not ended by the system.
//!
//! Counted are the vectors of a round, what estimators, the rule, the step and attacks remember, an objective, the passes of
//! a model, and tables of all pairs of vectors where the rule or an attack may ask for distances.

use std::{cmp::Reverse, collections::BTreeMap, fmt};

use phalanx_robust::{
    Dtype, Size, Vector,
    attack::Attack,
    describe::ParameterError,
    estimator::{Estimator, Gradients, Points},
    random::Seed,
    state::Stateful,
    step::Domain,
};

use super::{
    Plan,
    cast::{Group, Part},
    plan::{Found, PlanError, Planner, trial},
    workload::dtype,
};
use crate::{
    config::{Absence, Config, StatePlace},
    machine,
    store::Format,
};

/// Vectors that the server holds, whatever the number of workers: query points, aggregate, the honest mean ...
const SERVER: u64 = 8;
/// Vectors that a worker under way holds beside the difference it has made.
const WALKING: u64 = 2;
/// Numbers that a chain of rules may hold for every pair of vectors: the Gram matrix, distances, weights.
const PAIRS: u64 = 3;

/// What a run needs beyond a data set, which is in memory by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// Number of workers in a round.
    m: usize,
    /// Number of parameters.
    d: usize,
    /// Bytes of a number.
    number: u64,
    /// Vectors of d numbers alive at once, beside what estimators remember.
    vectors: u64,
    /// Vectors that the estimators of all workers remember.
    remembered: u64,
    /// Of these, those of the workers in a round.
    in_use: u64,
    /// How they are kept.
    kept: Kept,
    /// Bytes of tables of all pairs of vectors.
    tables: u64,
    /// Bytes that the objective will hold.
    objective: u64,
    /// Bytes that passes of the model hold at once.
    passes: u64,
}

/// How vectors that estimators remember are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// On a GPU, where they stay.
    pub gpu: bool,
    /// In 2 bytes a number.
    pub half: bool,
    /// In a file.
    pub file: bool,
}

/// What of a run its need depends on, beside who takes part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    /// Number of rounds.
    pub rounds: u64,
    /// Workers called in a round.
    pub called: usize,
    /// For which attacks are made.
    pub attack: Size,
    /// Number of parameters.
    pub d: usize,
    /// Their format.
    pub dtype: Dtype,
    /// How what estimators remember is kept.
    pub kept: Kept,
    /// Whether workers walk several local steps.
    pub walking: bool,
}

impl Planner<'_> {
    /// What a run of all that was found needs, but for the passes of the model. On a GPU it is the device's memory that
    /// must hold it. Rules, the step, attacks and estimators are asked; an estimator is also tried out.
    pub fn need(&self, found: &Found) -> Result<Need, PlanError> {
        let Found { size, groups, defence, step, subject, .. } = found;
        let Config { task, machine, barrier, rounds, .. } = &self.config;
        let (half, file) = (task.state == Format::Bf16, machine.state == StatePlace::File);
        let gpu = machine.gpu().is_some();
        if gpu && (half || file) {
            let key = if half { "task.state" } else { "machine.state" };
            return Err(self.error(key, "what workers remember stays on the GPU as it is").into());
        }
        let scale = Scale {
            rounds: *rounds,
            called: size.round.m,
            attack: size.attack(),
            d: subject.dim(),
            dtype: dtype(task.precision),
            kept: Kept { gpu, half, file },
            walking: task.local_steps > 1,
        };
        let claim = |group: &Group| {
            // Of an honest group it can be the estimator alone.
            let of = if group.is_honest() { ".estimator" } else { "" };
            Ok::<_, PlanError>(self.guarded(&format!("{}{of}", group.key), || Claim::of(group, scale))??)
        };
        let workers = workers(groups);
        let need = Need::of(groups.iter().map(claim).collect::<Result<_, _>>()?, workers, scale);
        let ruled = self.guarded("aggregator.rule", || defence.holds(workers, *rounds))?;
        let stepped = self.guarded("aggregator.step", || {
            let mut step = step(&trial(scale.d, scale.dtype), Domain::Everywhere)?;
            step.place(Seed(0));
            Ok::<_, ParameterError>(step.holds(workers, *rounds))
        })??;
        let served = ruled.saturating_add(stepped);
        let reused = if barrier.absence == Absence::Reuse { workers } else { 0 };
        // libtorch takes the vectors of a round as one matrix.
        let stacked = if gpu { size.round.m } else { 0 };
        let need = need.and_vectors(served.saturating_add((reused + stacked) as u64));
        let need = need.and_objective(subject.holds());
        let pairs = self.guarded("aggregator.rule", || defence.needs_pairs())?;
        Ok(if pairs { need.and_pairs() } else { need })
    }

    /// A need that fits: as it is, or with what estimators remember in a file where that is left to the plan.
    pub fn fitting(&self, need: Need) -> Result<Need, MemoryError> {
        let machine = &self.config.machine;
        let limit = Limit::find(machine.memory_gb, machine.gpu());
        let may_spill = machine.gpu().is_none() && machine.state == StatePlace::Auto;
        let need = if may_spill && need.check(limit).is_err() { need.in_file() } else { need };
        need.check(limit)?;
        Ok(need)
    }
}

/// Members of all groups.
fn workers(groups: &[Group]) -> usize {
    groups.iter().map(|group| group.ids.len()).sum()
}

/// A run for which the memory does not suffice.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the run needs about {}, {} {}: {need}", size(.need.bytes()), size(.limit.bytes), .limit.what)]
pub struct MemoryError {
    need: Need,
    limit: Limit,
}

/// Runs for which the memory does not suffice when they are at work at the same time.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{jobs} runs at the same time may need about {}, {} {}", size(*.bytes), size(.limit.bytes), .limit.what)]
pub struct TogetherError {
    jobs: usize,
    bytes: u64,
    limit: Limit,
}

/// What runs need that may be at work at the same time, by GPU (None: the CPU). A run with a limit of its own,
/// `machine.memory_gb`, answers for itself.
#[derive(Debug, Default)]
pub struct Demands(BTreeMap<Option<usize>, Vec<u64>>);

impl Demands {
    /// Adds what the run of `plan` needs.
    pub fn add(&mut self, plan: &Plan) {
        let machine = &plan.config.machine;
        if machine.memory_gb == 0.0 {
            self.0.entry(machine.gpu()).or_default().push(plan.need.bytes());
        }
    }

    /// Whether any `jobs` of the runs fit beside one another.
    ///
    /// # Errors
    /// [`TogetherError`].
    pub fn check(mut self, jobs: usize) -> Result<(), TogetherError> {
        self.0.iter_mut().try_for_each(|(gpu, needs)| together(needs, jobs, Limit::find(0.0, *gpu)))
    }
}

/// Whether the `jobs` largest of `needs` fit together. One alone does: its plan has looked.
fn together(needs: &mut [u64], jobs: usize, limit: Option<Limit>) -> Result<(), TogetherError> {
    needs.sort_unstable_by_key(|&bytes| Reverse(bytes));
    let jobs = jobs.min(needs.len());
    let bytes = needs[..jobs].iter().fold(0, |sum: u64, &bytes| sum.saturating_add(bytes));
    match limit {
        Some(limit) if jobs > 1 && bytes > limit.bytes => Err(TogetherError { jobs, bytes, limit }),
        _ => Ok(()),
    }
}

/// How much memory a run may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limit {
    bytes: u64,
    /// The rest of the sentence "so much ...".
    what: &'static str,
}

impl Limit {
    /// `asked` gigabytes, or if these are 0 what there is: all memory of GPU number `gpu`, or without a GPU what the
    /// machine has available. None if that is not known.
    pub fn find(asked: f64, gpu: Option<usize>) -> Option<Self> {
        if asked > 0.0 {
            return Some(Self { bytes: (asked * 1e9) as u64, what: "are allowed by machine.memory_gb" });
        }
        match gpu {
            Some(number) => Some(Self { bytes: machine::gpu_memory(number)?, what: "are on the GPU" }),
            None => Some(Self { bytes: machine::available_memory()?, what: "are available" }),
        }
    }
}

/// What the members of a group want together, in vectors.
#[derive(Clone, Copy, Default)]
struct Claim {
    /// Those that each of their rounds takes.
    asked: u64,
    /// What their estimators remember.
    remembered: u64,
    /// What their attack keeps and sends.
    others: u64,
    /// Whether it may want tables of all pairs.
    pairs: bool,
}

impl Claim {
    /// That of `group` in a run of this scale: who learns holds gradients, and where workers walk local steps the point they
    /// have come to and the gradient there.
    ///
    /// # Errors
    /// That of an estimator or an attack that cannot be made.
    fn of(group: &Group, scale: Scale) -> Result<Self, ParameterError> {
        let Scale { rounds, attack: size, d, dtype, walking, .. } = scale;
        let (members, attack) = (group.ids.len(), attack(group, size)?);
        let pairs = attack.as_ref().is_some_and(|attack| attack.needs_pairs());
        let held = attack.as_ref().map_or(0, |attack| attack.holds(members, rounds));
        if attack.is_some_and(|attack| !attack.follows_protocol()) {
            // Colluders who do not learn send one common vector.
            return Ok(Self { others: held.saturating_add(1), pairs, ..Self::default() });
        }
        let (gradients, memory) = appetite((group.estimator)()?.as_mut(), rounds, &trial(d, dtype));
        let each = gradients + if walking { WALKING } else { 0 };
        let (asked, remembered) = (each * members as u64, memory * members as u64);
        Ok(Self { asked, remembered, others: held, pairs })
    }
}

impl Need {
    /// The need of groups of `m` members in all with these `claims`, in a run of this scale: every worker keeps what its
    /// estimator remembers, those called hold what a round takes.
    fn of(claims: Vec<Claim>, m: usize, scale: Scale) -> Self {
        let Scale { called, d, dtype, kept, .. } = scale;
        let sum = |part: fn(&Claim) -> u64| claims.iter().map(part).fold(0, u64::saturating_add);
        let share = |all: u64| (u128::from(all) * called as u128).div_ceil(m.max(1) as u128) as u64;
        let others = sum(|claim| claim.others).saturating_add(SERVER);
        let vectors = share(sum(|claim| claim.asked)).saturating_add(others);
        let (remembered, in_use) = (sum(|claim| claim.remembered), share(sum(|claim| claim.remembered)));
        let pairs = claims.iter().any(|claim| claim.pairs);
        let number = dtype.size() as u64;
        let need = Self {
            m: called,
            d,
            number,
            vectors,
            remembered,
            in_use,
            kept,
            tables: 0,
            objective: 0,
            passes: 0,
        };
        if pairs { need.and_pairs() } else { need }
    }

    /// The same, and so many vectors more.
    pub fn and_vectors(self, more: u64) -> Self {
        Self { vectors: self.vectors.saturating_add(more), ..self }
    }

    /// The same, and tables of all pairs of vectors.
    pub fn and_pairs(self) -> Self {
        let m = self.m as u64;
        Self { tables: product(&[PAIRS, m, m, size_of::<f64>() as u64]), ..self }
    }

    /// The same, and so many bytes that an objective will hold.
    pub fn and_objective(self, objective: u64) -> Self {
        Self { objective, ..self }
    }

    /// The same, and so many bytes that passes of the model hold at once.
    pub fn and_passes(self, passes: u64) -> Self {
        Self { passes, ..self }
    }

    /// All of it; the largest number for more than that.
    pub fn bytes(&self) -> u64 {
        let d = self.d as u64;
        let held = match self.kept {
            Kept { half: false, file: false, .. } => product(&[self.remembered, d, self.number]),
            // What was put away comes back as it was, for the workers in a round.
            Kept { file, .. } => {
                let packed = if file { 0 } else { self.stored() };
                packed.saturating_add(product(&[self.in_use, d, self.number]))
            }
        };
        [held, self.tables, self.objective, self.passes]
            .into_iter()
            .fold(product(&[self.vectors, d, self.number]), u64::saturating_add)
    }

    /// Bytes of what all estimators remember, as it is kept.
    pub fn stored(&self) -> u64 {
        product(&[self.remembered, self.d as u64, if self.kept.half { 2 } else { self.number }])
    }

    /// The same if a file holds it.
    pub fn spilled(&self) -> Option<u64> {
        self.kept.file.then(|| self.stored())
    }

    /// The same run with what estimators remember in a file.
    pub fn in_file(self) -> Self {
        Self { kept: Kept { file: true, ..self.kept }, ..self }
    }

    /// `Ok` if it fits, or if there is no limit.
    ///
    /// # Errors
    /// [`MemoryError`].
    pub fn check(self, limit: Option<Limit>) -> Result<(), MemoryError> {
        match limit {
            Some(limit) if self.bytes() > limit.bytes => Err(MemoryError { need: self, limit }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { m, d, number, vectors, remembered, in_use, kept, tables, objective, passes } = self;
        let held = vectors.saturating_add(if !kept.half && !kept.file { *remembered } else { *in_use });
        write!(f, "{m} workers hold {held} vectors of {d} numbers of {number} bytes")?;
        if kept.half && !kept.file {
            write!(f, ", and {remembered} in 2 bytes a number")?;
        }
        if *tables > 0 {
            write!(f, ", tables of {m} x {m} numbers {}", size(*tables))?;
        }
        if *objective > 0 {
            write!(f, ", the objective {}", size(*objective))?;
        }
        if *passes > 0 {
            let tile = if kept.gpu { " or a smaller task.tile" } else { "" };
            write!(f, ", passes of the model {} (less with smaller batches{tile})", size(*passes))?;
        }
        let filed = self.in_file();
        if !kept.gpu && !kept.file && filed.bytes() < self.bytes() {
            let (disk, left) = (size(filed.stored()), size(filed.bytes()));
            write!(f, "; machine.state = \"file\" puts {disk} on disk and needs {left}")?;
        }
        Ok(())
    }
}

fn product(factors: &[u64]) -> u64 {
    factors.iter().fold(1u64, |product, &factor| product.saturating_mul(factor))
}

/// The attack of the group for rounds of `size`, if that is what its members do.
fn attack(group: &Group, size: Size) -> Result<Option<Box<dyn Attack>>, ParameterError> {
    match &group.part {
        Part::Honest | Part::Actor(_) => Ok(None),
        Part::Attack { make, .. } => make(size).map(Some),
    }
}

/// Vectors that one worker has alive at once: the gradients it asked for, and beside them what its estimator keeps
/// from round to round. That is what it says to hold, or more if it does after two rounds with this `gradient`.
fn appetite(estimator: &mut dyn Estimator, rounds: u64, gradient: &Vector) -> (u64, u64) {
    let mut gradients = 1;
    estimator.place(0, Seed(0));
    for round in 1..=2 {
        let both = estimator.points(round) == Points::CurrentAndPrevious;
        gradients = 1 + u64::from(both);
        let previous = Some(gradient.clone()).filter(|_| both && round > 1);
        estimator.update(round, Gradients { current: gradient.clone(), previous });
    }
    (gradients, estimator.holds(1, rounds).max(estimator.state().vectors.len() as u64))
}

/// In gigabytes, and what is small in what shows it.
fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        ..100_000 => (1e3, "kB"),
        100_000..100_000_000 => (1e6, "MB"),
        _ => (1e9, "GB"),
    };
    format!("{:.1} {name}", bytes as f64 / unit)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use phalanx_robust::{
        attack::{AttackRule, Ipm},
        estimator::{Estimator, EstimatorRule, Gradients, Momentum, Points, Sgd, Storm},
    };

    use super::{
        Claim, Dtype, Group, Kept, Limit, Need, Part, Scale, Size, Stateful, Vector, appetite, together,
    };

    const PLAIN: Kept = Kept { gpu: false, half: false, file: false };

    fn bytes(bytes: u64) -> Option<Limit> {
        Some(Limit { bytes, what: "are enough" })
    }

    /// two gradients and what is remembered of each worker.
    fn need(m: usize, d: usize) -> Need {
        let all = m as u64;
        let vectors = 2 * all + 8;
        let need = Need {
            m,
            d,
            number: 4,
            vectors,
            remembered: all,
            in_use: all,
            kept: PLAIN,
            tables: 0,
            objective: 0,
            passes: 0,
        };
        need.and_pairs()
    }

    #[test]
    fn what_is_put_away_counts_for_those_in_the_round() {
        // 100 of 100,000 workers with momentum: each of the 100 holds a gradient and its momentum.
        let need = Need {
            m: 100,
            d: 1000,
            number: 4,
            vectors: 108,
            remembered: 100_000,
            in_use: 100,
            kept: PLAIN,
            tables: 0,
            objective: 0,
            passes: 0,
        }
        .and_pairs();
        let pairs = 3 * 100 * 100 * 8;
        assert_eq!(need.bytes(), 100_108 * 4000 + pairs);
        let half = Need { kept: Kept { half: true, ..PLAIN }, ..need };
        assert_eq!(half.bytes(), 208 * 4000 + 100_000 * 2000 + pairs);
        assert_eq!((need.in_file().bytes(), need.in_file().stored()), (208 * 4000 + pairs, 400_000_000));
        assert_eq!(half.in_file().stored(), 200_000_000);
        let error = need.check(bytes(1_000_000)).unwrap_err().to_string();
        assert!(error.contains("machine.state = \"file\" puts 0.4 GB on disk"), "{error}");
        assert!(!need.in_file().check(bytes(1)).unwrap_err().to_string().contains("machine.state"));
        let gpu = Need { kept: Kept { gpu: true, ..PLAIN }, ..need };
        assert_eq!(gpu.bytes(), need.bytes());
        assert!(
            !gpu.check(bytes(1)).unwrap_err().to_string().contains("machine.state"),
            "vectors stay there"
        );
    }

    fn gradient() -> Vector {
        Vector::zeros(3, Dtype::F32)
    }

    #[test]
    fn estimators_are_known_by_what_they_keep() {
        let of = |rule: &dyn Fn() -> Box<dyn Estimator>| appetite(rule().as_mut(), 100, &gradient());
        assert_eq!(of(&|| Sgd::default().build().unwrap()), (1, 0));
        assert_eq!(of(&|| Momentum::default().build().unwrap()), (1, 1));
        assert_eq!(of(&|| Storm::default().build().unwrap()), (2, 1));
    }

    /// Says that it keeps a window of ten gradients, and has begun it.
    #[derive(Clone)]
    struct Window(Vec<Vector>);

    impl Stateful for Window {
        fn holds(&self, workers: usize, rounds: u64) -> u64 {
            workers as u64 * rounds.min(10)
        }
    }

    impl Estimator for Window {
        fn points(&self, _: u64) -> Points {
            Points::Current
        }

        fn update(&mut self, _: u64, gradients: Gradients) -> Vector {
            self.0.push(gradients.current.clone());
            gradients.current
        }
    }

    #[test]
    fn estimators_are_believed() {
        assert_eq!(appetite(&mut Window(Vec::new()), 100, &gradient()), (1, 10));
        assert_eq!(appetite(&mut Window(Vec::new()), 3, &gradient()), (1, 3));
    }

    /// Not at that of a group, of which there may be several, nor of the whole cast.
    #[test]
    fn attacks_are_made_at_the_size_of_the_rounds() {
        let attack = Size::new(10, 4);
        let make = move |size| {
            assert_eq!(size, attack);
            Ipm::default().build(size)
        };
        let group = |ids, part| Group {
            key: String::new(),
            ids,
            part,
            batch_size: 1,
            estimator: Arc::new(|| Sgd::default().build()),
        };
        let forged = || Part::Attack { name: "ipm".to_owned(), make: Arc::new(make) };
        let groups = [group(0..12, Part::Honest), group(12..16, forged()), group(16..20, forged())];
        let scale =
            Scale { rounds: 1, called: 10, attack, d: 3, dtype: Dtype::F32, kept: PLAIN, walking: false };
        // of ten of the twenty, and of attackers the vector that a group sends
        let claims = groups.iter().map(|group| Claim::of(group, scale).unwrap()).collect();
        assert_eq!(Need::of(claims, 20, scale).vectors, 6 + super::SERVER + 2);
    }

    #[test]
    fn ten_thousand_workers_of_ten_million_parameters_are_refused() {
        let error = need(10_000, 10_000_000).check(Limit::find(0.0, None)).unwrap_err().to_string();
        assert!(error.contains("1202.7 GB") && error.contains("GB are available"), "{error}");
        assert!(error.contains("10000 workers hold 30008 vectors of 10000000 numbers of 4 bytes"), "{error}");
    }

    #[test]
    fn a_limit_of_ones_own_holds_in_place_of_the_machines() {
        let small = need(17, 1000);
        assert_eq!(small.bytes(), 59 * 4000 + 3 * 17 * 17 * 8);
        assert!(small.check(None).is_ok() && small.check(Limit::find(0.0, None)).is_ok());
        assert!(small.check(bytes(small.bytes())).is_ok() && small.check(bytes(small.bytes() - 1)).is_err());
        for gpu in [None, Some(0)] {
            let error = small.check(Limit::find(1e-6, gpu)).unwrap_err().to_string();
            assert!(error.contains("about 0.2 MB"), "{error}");
            assert!(error.contains("1.0 kB are allowed by machine.memory_gb"), "{error}");
        }
    }

    #[test]
    fn what_passes_hold_counts_too() {
        let need = need(17, 1000);
        let more = need.and_passes(3_000_000_000);
        assert_eq!(more.bytes(), need.bytes() + 3_000_000_000);
        let error = more.check(bytes(1_000_000)).unwrap_err().to_string();
        assert!(
            error.ends_with(
                "of 4 bytes, tables of 17 x 17 numbers 6.9 kB, passes of the model 3.0 GB (less with \
                 smaller batches)"
            ),
            "{error}"
        );
    }

    #[test]
    fn what_an_objective_holds_counts_too() {
        let need = need(17, 1000);
        let more = need.and_objective(56_000_000);
        assert_eq!(more.bytes(), need.bytes() + 56_000_000);
        let error = more.check(bytes(1_000_000)).unwrap_err().to_string();
        assert!(error.ends_with("6.9 kB, the objective 56.0 MB"), "{error}");
    }

    #[test]
    fn tables_of_pairs_are_named_with_what_they_take() {
        // 40,000 workers of one parameter: what is large is the tables, 3 x 40,000^2 numbers of 8 bytes.
        let need = need(40_000, 1);
        assert!(Need { tables: 0, ..need }.check(bytes(1_000_000)).is_ok());
        let error = need.check(bytes(1_000_000_000)).unwrap_err().to_string();
        assert!(error.contains("the run needs about 38.4 GB"), "{error}");
        assert!(error.ends_with("tables of 40000 x 40000 numbers 38.4 GB"), "{error}");
    }

    #[test]
    fn the_largest_that_may_meet_must_fit_together() {
        let limit = bytes(1_000_000);
        for (needs, jobs, fits) in [
            (vec![600_000, 300_000, 400_000], 2, true),
            (vec![300_000, 600_001, 400_000], 2, false),
            (vec![1_000_001, 600_001], 1, true),
            (vec![1_000_001], 2, true),
            (vec![1, 2], 9, true),
            (vec![], 2, true),
            (vec![u64::MAX, u64::MAX], 2, false),
        ] {
            assert_eq!(
                together(&mut needs.clone(), jobs, limit).is_ok(),
                fits,
                "{needs:?}, {jobs} at a time"
            );
            assert!(together(&mut needs.clone(), jobs, None).is_ok());
        }
        let error = together(&mut [300_000, 600_001, 400_000], 2, limit).unwrap_err().to_string();
        assert_eq!(error, "2 runs at the same time may need about 1.0 MB, 1.0 MB are enough");
    }

    #[test]
    fn no_size_overflows() {
        assert_eq!(need(usize::MAX / 4, usize::MAX).bytes(), u64::MAX);
    }
}
