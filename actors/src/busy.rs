//! Whose own code runs at this moment. Workers share threads, so that one who never ends keeps others silent: this says
//! which of them it is.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// A flag for each worker of a run.
#[derive(Clone, Debug)]
pub struct Busy(Arc<[AtomicBool]>);

impl Busy {
    /// Workers below `end`, all idle.
    pub fn new(end: usize) -> Self {
        Self((0..end).map(|_| AtomicBool::new(false)).collect())
    }

    /// What `work` makes, which is code of `worker`. It must contain its panics.
    pub fn with<T>(&self, worker: usize, work: impl FnOnce() -> T) -> T {
        self.set(worker, true);
        let made = work();
        self.set(worker, false);
        made
    }

    /// Whether code of `worker` is running.
    pub fn is(&self, worker: usize) -> bool {
        self.0.get(worker).is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    fn set(&self, worker: usize, busy: bool) {
        if let Some(flag) = self.0.get(worker) {
            flag.store(busy, Ordering::Relaxed);
        }
    }
}
