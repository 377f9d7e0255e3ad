//! What a round costs beyond its arithmetic: workers that ask, a learner that
//! answers the same vector at once, a rule that answers the first vector, two
//! threads. `cargo bench -p phalanx-actors --bench round` prints a table: the
//! median time of a round, what that is for one worker, the memory that one
//! worker holds between rounds, and the allocations of a round.

#[path = "../tests/null_cast/mod.rs"]
mod null_cast;

use null_cast::{Counting, Mark, Marks, members};
use phalanx_actors::{Settings, Workers};
use phalanx_robust::estimator::Sgd;

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

const D: usize = 1_000;
/// Rounds that are not measured: they start everything.
const WARM: usize = 3;

fn played(workers: usize, rounds: u64) -> Vec<Mark> {
    let settings = Settings { rounds, threads: 2, measure_honest: false, ..Settings::default() };
    let marks = Marks::of(&ALLOCATOR, rounds);
    let cast = null_cast::cast(D, settings).seat(0..workers, Workers(members(workers, &Sgd::default())));
    cast.observe(marks.clone()).run().expect("a run");
    marks.take()
}

fn main() {
    println!("| m | actors | ms/round | µs/worker | bytes/worker | allocations/round |");
    println!("|---:|---:|---:|---:|---:|---:|");
    for (m, rounds) in [(17, 2_000), (100, 1_000), (1_000, 500), (10_000, 100), (100_000, 30)] {
        let before = ALLOCATOR.now().1;
        let marks = played(m, rounds + WARM as u64);
        let (seconds, allocations) = null_cast::rounds(&marks[WARM - 1..]);
        let bytes = (marks[WARM].live - before) as f64 / m as f64;
        let actors = m.div_ceil(Settings::default().hosted(m));
        let (round, worker) = (seconds * 1e3, seconds * 1e6 / m as f64);
        println!("| {m} | {actors} | {round:.3} | {worker:.2} | {bytes:.0} | {allocations:.0} |");
    }
}
