//! Whole runs of small casts: one module for each way things go, right or wrong.

#![expect(clippy::unwrap_used, reason = "a test may unwrap, and so may what it calls")]

mod stage;

mod absence;
mod attacks;
mod cohorts;
mod custom_attackers;
mod determinism;
mod evaluations;
mod fault_order;
mod faults;
mod learner_fails;
mod memory_fails;
mod observers;
mod point;
mod restarts;
mod resuming;
mod root;
mod rule_fails;
mod seating;
mod stopping;
mod submissions;
