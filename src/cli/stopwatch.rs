//! Times the passes over a batch, for the report of `phalanx aggregate`.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

use phalanx_robust::{Pass, Watch};
use serde::Serialize;

/// A pass and how long it took.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Lap {
    /// What kind of pass.
    pub pass: Pass,
    /// Its time.
    pub seconds: f64,
}

/// Remembers every pass in the order of their ends.
#[derive(Debug, Default)]
pub struct Stopwatch(Mutex<Times>);

#[derive(Debug, Default)]
struct Times {
    began: Vec<Instant>,
    laps: Vec<Lap>,
}

impl Stopwatch {
    /// The passes so far.
    pub fn laps(&self) -> Vec<Lap> {
        self.with(|times| times.laps.clone())
    }

    fn with<T>(&self, work: impl FnOnce(&mut Times) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watch for Stopwatch {
    fn began(&self, _: Pass) {
        self.with(|times| times.began.push(Instant::now()));
    }

    fn ended(&self, pass: Pass) {
        self.with(|times| {
            let lap = |began: Instant| Lap { pass, seconds: began.elapsed().as_secs_f64() };
            times.laps.extend(times.began.pop().map(lap));
        });
    }
}
