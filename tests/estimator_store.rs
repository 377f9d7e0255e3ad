//! What workers remember, kept in a file or in half precision.

#![expect(clippy::unwrap_used, reason = "a test may unwrap, and so may what it calls")]

use std::{fs, sync::Arc};

use phalanx::store::{Format, SpillFile, Store};
use phalanx_robust::{
    Dtype, Vector,
    estimator::{Estimator, EstimatorRule, Gradients, Momentum, Points, Sgd, Storm},
    random::Seed,
    state::{State, StateError, Stateful},
};
use rand::RngExt;

fn file() -> Store {
    let file = SpillFile::new(&std::env::temp_dir(), 0).unwrap();
    Store { format: Format::Full, file: Some(Arc::new(file)) }
}

fn half() -> Store {
    Store { format: Format::Bf16, file: None }
}

fn estimators() -> Vec<Box<dyn Estimator>> {
    vec![
        Sgd::default().build().unwrap(),
        Momentum::default().build().unwrap(),
        Storm::default().build().unwrap(),
    ]
}

fn gradient(worker: u64, round: u64, purpose: &'static str, dtype: Dtype) -> Vector {
    let mut rng = Seed(5).stream("worker", worker, purpose, round);
    let values: Vec<f64> = (0..37).map(|_| rng.random_range(-1.0..1.0)).collect();
    Vector::zeros(37, dtype).like(&values)
}

fn update(estimator: &mut dyn Estimator, worker: u64, round: u64, dtype: Dtype) -> Vector {
    let both = estimator.points(round) == Points::CurrentAndPrevious;
    let previous = both.then(|| gradient(worker, round, "previous", dtype));
    estimator.update(round, Gradients { current: gradient(worker, round, "current", dtype), previous })
}

fn bits(vector: &Vector) -> Vec<u64> {
    vector.to_f64().into_iter().map(f64::to_bits).collect()
}

fn all_bits(state: &State) -> Vec<(String, Vec<u64>)> {
    state.vectors.iter().map(|(name, vector)| (name.clone(), bits(vector))).collect()
}

#[test]
fn a_file_gives_the_same_bits() {
    let store = file();
    for dtype in [Dtype::F32, Dtype::F64] {
        let mut plain: Vec<_> = (0..3).flat_map(|_| estimators()).collect();
        let mut kept: Vec<_> = plain.iter().map(|estimator| store.wrap(estimator.clone())).collect();
        for round in [1, 2, 3, 7, 8, 9, 10] {
            for (worker, (plain, kept)) in plain.iter_mut().zip(&mut kept).enumerate() {
                let worker = worker as u64;
                if (worker + round).is_multiple_of(4) {
                    continue; // it takes no part
                }
                assert_eq!(plain.points(round), kept.points(round));
                let [a, b] = [plain, kept].map(|e| update(e.as_mut(), worker, round, dtype));
                assert!(a.is_like(&b));
                assert_eq!(bits(&a), bits(&b), "worker {worker} in round {round}");
            }
        }
        for (plain, kept) in plain.iter().zip(&kept) {
            assert_eq!(all_bits(&plain.state()), all_bits(&kept.state()));
            assert_eq!(plain.state().values, kept.state().values);
        }
    }
}

/// Adds gradients up, and counts them; without the sum it has counted nothing.
#[derive(Clone, Default)]
struct Counted {
    count: u64,
    sum: Option<Vector>,
}

impl Stateful for Counted {
    fn state(&self) -> State {
        let mut state = State::default();
        if let Some(sum) = &self.sum {
            state.vectors.insert("sum".to_owned(), sum.clone());
            state.values.insert("count".to_owned(), self.count.into());
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        *self = Self::default();
        if let Ok(sum) = state.vector("counted", "sum") {
            *self = Self { count: state.value("counted", "count")?, sum: Some(sum.clone()) };
        }
        Ok(())
    }
}

impl Estimator for Counted {
    fn points(&self, _: u64) -> Points {
        Points::Current
    }

    fn update(&mut self, _: u64, gradients: Gradients) -> Vector {
        self.count += 1;
        let mut sum = self.sum.take().unwrap_or_else(|| gradients.current.scaled(0.0));
        sum.axpy(1.0, &gradients.current);
        self.sum.insert(sum).scaled(1.0 / self.count as f64)
    }
}

#[test]
fn one_that_cannot_be_without_its_vectors_keeps_them() {
    for store in [file(), half()] {
        let (mut plain, mut kept) = (Counted::default(), store.wrap(Box::new(Counted::default())));
        for round in 1..=4 {
            let [a, b] = [&mut plain, kept.as_mut() as &mut dyn Estimator]
                .map(|estimator| update(estimator, 0, round, Dtype::F32));
            assert_eq!(bits(&a), bits(&b), "round {round}");
            kept = kept.clone();
        }
        assert_eq!(plain.state().values, kept.state().values);
        assert_eq!(all_bits(&plain.state()), all_bits(&kept.state()));
    }
}

#[test]
fn a_state_goes_from_memory_into_a_file_and_back() {
    for mut plain in estimators() {
        (1..4).for_each(|round| drop(update(plain.as_mut(), 0, round, Dtype::F32)));
        let mut kept = file().wrap(plain.clone());
        let mut back = plain.clone();
        back.restore(&kept.state()).unwrap();
        let mut again = file().wrap(plain.clone());
        again.restore(&kept.state()).unwrap();
        let next = update(plain.as_mut(), 0, 4, Dtype::F32);
        for other in [&mut kept, &mut back, &mut again] {
            assert_eq!(bits(&update(other.as_mut(), 0, 4, Dtype::F32)), bits(&next));
        }
    }
}

#[test]
fn a_kept_estimator_says_itself_what_it_holds() {
    for plain in estimators() {
        for store in [file(), half()] {
            for (workers, rounds) in [(1, 10), (7, 2)] {
                assert_eq!(store.wrap(plain.clone()).holds(workers, rounds), plain.holds(workers, rounds));
            }
        }
    }
    assert_eq!(half().wrap(Momentum::default().build().unwrap()).holds(7, 2), 7, "one vector a worker");
}

#[test]
fn a_clone_has_a_memory_of_its_own() {
    let mut first = file().wrap(Momentum::default().build().unwrap());
    update(first.as_mut(), 0, 1, Dtype::F32);
    let before = all_bits(&first.state());
    let mut second = first.clone();
    update(second.as_mut(), 0, 2, Dtype::F32);
    assert_eq!(all_bits(&first.state()), before);
    assert_ne!(all_bits(&second.state()), before);
}

/// Workers that begin anew, after a crash or a panic, take no more room.
#[test]
fn a_file_does_not_grow_by_what_is_forgotten() {
    let store = file();
    let mut kept = store.wrap(Momentum::default().build().unwrap());
    let state = {
        update(kept.as_mut(), 0, 1, Dtype::F32);
        kept.state()
    };
    let used = || store.file.as_ref().unwrap().used();
    let before = used();
    assert_eq!(before, 4 * 37);
    for round in 2..100 {
        kept.forget().unwrap();
        assert!(kept.state().vectors.is_empty(), "a forgotten memory came back");
        update(kept.as_mut(), 0, round, Dtype::F32);
        kept.restore(&state).unwrap();
        update(kept.as_mut(), 0, round, Dtype::F32);
    }
    assert_eq!(used(), before);
}

/// Momentum that begins anew in every third round.
#[derive(Clone)]
struct Restarting(Box<dyn Estimator>);

impl Stateful for Restarting {
    fn state(&self) -> State {
        self.0.state()
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.0.restore(state)
    }
}

impl Estimator for Restarting {
    fn points(&self, round: u64) -> Points {
        self.0.points(round)
    }

    fn update(&mut self, round: u64, gradients: Gradients) -> Vector {
        let vector = self.0.update(round, gradients);
        if round.is_multiple_of(3) {
            self.0.forget().unwrap();
        }
        vector
    }
}

#[test]
fn what_an_estimator_drops_stays_dropped() {
    let made = || Box::new(Restarting(Momentum::default().build().unwrap()));
    let (mut plain, mut kept) = (made(), file().wrap(made()));
    for round in 1..=10 {
        let [a, b] = [plain.as_mut() as &mut dyn Estimator, kept.as_mut()]
            .map(|estimator| update(estimator, 0, round, Dtype::F64));
        assert_eq!(bits(&a), bits(&b), "round {round}");
        assert_eq!(all_bits(&plain.state()), all_bits(&kept.state()), "round {round}");
    }
}

/// A gradient is below 1, and so is a momentum m. Storing m changes it by 2^-8 of its size at most; a change of m
/// counts 0.9 times in the next round, and so on: together less than 10 · 2^-8.
#[test]
fn half_precision_stays_within_what_its_rounding_adds_up_to() {
    let (mut plain, mut worst) = (Momentum::default().build().unwrap(), 0f64);
    let mut kept = half().wrap(plain.clone());
    for round in 1..=200 {
        let [a, b] = [&mut plain, &mut kept].map(|e| update(e.as_mut(), 0, round, Dtype::F32).to_f64());
        worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(worst, f64::max);
    }
    assert!(worst > 0.0 && worst < 10.0 / 256.0, "{worst}");
}

/// Needs its vector in order to be restored.
#[derive(Clone, Default)]
struct Clingy(Option<Vector>);

impl Stateful for Clingy {
    fn state(&self) -> State {
        let vectors = self.0.clone().map(|last| ("last".to_owned(), last));
        State { vectors: vectors.into_iter().collect(), ..State::default() }
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.0 = Some(state.vector("clingy", "last")?.clone());
        Ok(())
    }
}

impl Estimator for Clingy {
    fn points(&self, _: u64) -> Points {
        Points::Current
    }

    fn update(&mut self, _: u64, gradients: Gradients) -> Vector {
        let last = self.0.replace(gradients.current.clone());
        last.unwrap_or(gradients.current)
    }
}

#[test]
fn an_estimator_that_cannot_be_without_its_vectors_keeps_them() {
    let store = file();
    let (mut plain, mut kept) = (Clingy::default(), store.wrap(Box::new(Clingy::default())));
    for round in 1..5 {
        let [a, b] =
            [&mut plain as &mut dyn Estimator, kept.as_mut()].map(|e| update(e, 0, round, Dtype::F64));
        assert_eq!(bits(&a), bits(&b));
    }
    assert_eq!(store.file.unwrap().used(), 8 * 37, "what could not be put away took a place each time");
}

#[test]
fn a_folder_that_cannot_be_had_is_named_with_the_size() {
    let error = SpillFile::new("/proc/nowhere".as_ref(), 123).unwrap_err().to_string();
    assert!(error.contains("/proc/nowhere: 123 bytes"), "{error}");
    let error = SpillFile::new(&std::env::temp_dir(), 1 << 55).unwrap_err().to_string();
    assert!(error.contains("36028797018963968 bytes"), "{error}");
}

/// Bytes of the resident set.
fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// The momenta are 232 MB.
#[cfg(target_os = "linux")]
#[test]
fn two_thousand_momenta_take_the_memory_of_none() {
    const D: usize = 29_034;
    let store = file();
    let mut workers: Vec<_> = (0..2000).map(|_| store.wrap(Momentum::default().build().unwrap())).collect();
    let before = resident();
    for round in 1..=2 {
        for worker in &mut workers {
            let current = Vector::from(vec![round as f32; D]);
            worker.update(round, Gradients { current, previous: None });
        }
    }
    let more = resident().saturating_sub(before);
    assert!(more < 50_000_000, "{more} bytes");
    assert_eq!(workers[1999].state().vectors["mean"].len(), D);
}
