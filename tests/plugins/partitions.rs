//! Partitions from outside: one that deals, also samples that several hold, and those that deal what cannot be.

use std::sync::Arc;

use phalanx::{
    Program,
    data::{
        partition::{Deal, PartitionError, PartitionRule, Shards},
        sampler::Order,
    },
    experiment::Holdings,
    results::Status,
};
use phalanx_robust::{
    describe::{Described, ParameterError},
    random::Seed,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{refusal, run};

/// Deals the first 30 samples in turn, and all others to nobody.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Dealer {
    /// What it does instead.
    trick: Trick,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Trick {
    #[default]
    None,
    Twice,
    Stream,
    Few,
    Many,
    Empty,
    Beyond,
    Panic,
    Words,
    Parameter,
}

impl Described for Dealer {
    const NAME: &'static str = "dealer";
    const SOURCE: &'static str = "a test";
}

impl PartitionRule for Dealer {
    fn deal(&self, labels: &[u8], workers: usize, _: Seed) -> Result<Deal, PartitionError> {
        let mut shards: Vec<Vec<u32>> =
            (0..workers).map(|worker| (worker as u32..30).step_by(workers).collect()).collect();
        match self.trick {
            Trick::None => {}
            Trick::Twice => shards[0].extend(1..30),
            Trick::Stream => return Ok(Deal::Stream),
            Trick::Few => drop(shards.pop()),
            Trick::Many => shards.push(vec![0]),
            Trick::Empty => shards[1].clear(),
            Trick::Beyond => shards[2].push(labels.len() as u32),
            Trick::Panic => panic!("sabotage"),
            Trick::Words => return Err(PartitionError::Other("there are no writers".to_owned())),
            Trick::Parameter => Err(ParameterError::new("trick", "parameter", "another one"))?,
        }
        Ok(Deal::Shards(Shards::new(shards, Order::Epochs)))
    }
}

const EXPERIMENT: &str = r#"
name = "dealt"
rounds = 3

[task]
objective = { logistic-regression = { dim = 3, samples = 40 } }

[[workers]]
count = 4

[[attackers]]
count = 1
attack = "ipm"

[machine]
threads = 2
"#;

fn sets(trick: &str, holders: &str) -> Vec<String> {
    vec![format!("task.partition={{dealer={{trick=\"{trick}\"}}}}"), format!("task.holders={holders}")]
}

/// What the workers hold under the trick, and how many samples nobody does.
fn dealt(trick: &str, holders: &str) -> (Vec<usize>, usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dealt.toml");
    std::fs::write(&file, EXPERIMENT).unwrap();
    let program = Program::new().partition::<Dealer>();
    let holdings = Holdings::read(program.registry(), &file, &sets(trick, holders), None).unwrap();
    assert_eq!(holdings.title, "logistic-regression dealt by dealer, seed 1");
    let held = holdings.workers.iter().map(|worker| worker.counts.iter().sum());
    (held.collect(), holdings.unused)
}

#[test]
fn a_partition_from_outside_deals() {
    for (trick, holders) in [("none", "all"), ("none", "honest"), ("twice", "all"), ("stream", "all")] {
        let out = tempfile::tempdir().unwrap();
        let program = Program::new().partition::<Dealer>();
        let outcome = run(&program, EXPERIMENT, out.path(), sets(trick, holders));
        assert_eq!((outcome.summary.status, outcome.summary.rounds), (Status::Completed, 3), "{trick}");
    }
    assert_eq!(dealt("none", "all"), (vec![6; 5], 10));
    assert_eq!(dealt("none", "honest"), (vec![8, 8, 7, 7, 8], 10));
    // The first holds what the others hold too.
    assert_eq!(dealt("twice", "all"), (vec![35, 6, 6, 6, 6], 10));
}

#[test]
fn a_deal_that_cannot_be_names_its_partition() {
    let program = Program::new().partition::<Dealer>();
    for (trick, holders, told) in [
        ("few", "all", "dealer: it deals 4 shards to 5 workers"),
        ("few", "honest", "dealer: it deals 3 shards to 4 workers"),
        ("many", "all", "dealer: it deals 6 shards to 5 workers"),
        ("empty", "all", "dealer: worker 1 holds no sample"),
        ("beyond", "all", "dealer: worker 2 is dealt sample 40 of 40"),
        ("panic", "all", "dealer: it panicked: sabotage"),
        ("words", "all", "dealer: there are no writers"),
        ("parameter", "all", "dealer.trick: parameter is given; another one"),
        ("nothing", "all", "dealer.trick: "),
    ] {
        let said = refusal(&program, EXPERIMENT, &sets(trick, holders));
        assert!(said.contains(&format!("task.partition.{told}")), "{trick}: {said}");
    }
    let said = refusal(&program, EXPERIMENT, &sets("stream", "honest"));
    assert!(said.contains("task.holders: all workers draw from one stream"), "{said}");
}

#[test]
fn a_deal_is_checked_by_the_number_of_workers_and_of_samples() {
    let deal = |shards: &[&[u32]]| {
        let shards = shards.iter().map(|shard| Arc::from(*shard)).collect();
        Deal::Shards(Shards { shards, order: Order::Replacement, moved: 0 })
    };
    let wrong = |shards: &[&[u32]], samples, workers| deal(shards).checked(samples, workers).unwrap_err();
    assert!(deal(&[&[0, 3], &[3]]).checked(4, 2).is_ok() && Deal::Stream.checked(0, 9).is_ok());
    assert_eq!(wrong(&[&[0]], 4, 2), PartitionError::Shards { shards: 1, workers: 2 });
    assert_eq!(wrong(&[&[0]], 4, 2).to_string(), "it deals 1 shard to 2 workers");
    assert!(deal(&[&[], &[3]]).checked(4, 2).is_ok(), "it can be shown, though nobody can run it");
    assert_eq!(
        wrong(&[&[0], &[u32::MAX]], 4, 2),
        PartitionError::Sample { worker: 1, index: u32::MAX, samples: 4 }
    );
}
