//! Buckets by the likeness of vectors to the last aggregate, as the rule inside sees them.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use phalanx_robust::{
    Batch, Dtype, Size, Vector,
    aggregation::{Aggregate, Aggregator, Context, Defence, Layer, RuleError},
    state::Stateful,
};
use serde_json::{Value, json};

use crate::{
    naive::{distance, norm},
    naive_selection::order_by,
    stage::{Rows, aggregate, chain, gaussian, layer, plain, rounded, stream, vectors},
};

/// Who was in each bucket of the last round; finds what it is told.
#[derive(Clone)]
struct Shown {
    buckets: Arc<Mutex<Vec<Vec<usize>>>>,
    finds: Vector,
}

impl Stateful for Shown {}

impl Aggregator for Shown {
    fn check(&self, _: Size) -> Result<(), RuleError> {
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, _: &mut Context) -> Result<Aggregate, RuleError> {
        let map = batch.map().unwrap();
        *self.buckets.lock().unwrap() =
            (0..map.rows()).map(|b| map.row(b).iter().map(|&(i, _)| i).collect()).collect();
        Ok(Aggregate::vector(self.finds.clone()))
    }
}

impl Shown {
    fn new(finds: &[f64], dtype: Dtype) -> Self {
        Self { buckets: Arc::default(), finds: vectors(&vec![finds.to_vec()], dtype).remove(0) }
    }

    fn under(&self, bucketing: &Value) -> Defence {
        Defence::new(vec![layer("bucketing", bucketing), Layer::Base(Box::new(self.clone()))]).unwrap()
    }

    fn buckets(&self) -> Vec<Vec<usize>> {
        self.buckets.lock().unwrap().clone()
    }
}

/// The vectors by their likeness to v, in `size` runs.
fn runs(x: &Rows, v: &[f64], by: &str, size: usize) -> Vec<BTreeSet<usize>> {
    let cosine = |i: usize| x[i].iter().zip(v).map(|(a, b)| a * b).sum::<f64>() / norm(&x[i]) / norm(v);
    let order = order_by(x.len(), |i| if by == "cosine" { cosine(i) } else { distance(&x[i], v) });
    let (short, longer) = (x.len() / size, x.len() % size);
    let mut rest = order.as_slice();
    let mut next = |run: usize| {
        let (now, later) = rest.split_at(short + usize::from(run < longer));
        rest = later;
        now.iter().copied().collect()
    };
    (0..size).map(&mut next).collect()
}

#[test]
fn a_bucket_takes_one_of_each_run_of_those_that_are_alike() {
    for (m, size, dtype) in [(9, 3, Dtype::F64), (10, 3, Dtype::F32), (11, 4, Dtype::F64), (5, 2, Dtype::F32)]
    {
        let [x, y] = [1, 2].map(|seed| rounded(&gaussian(m, 20, seed), dtype));
        let v = rounded(&gaussian(1, 20, 3), dtype).remove(0);
        for by in ["cosine", "distance"] {
            let runs = runs(&x, &v, by, size);
            let (mut first, mut second) = (BTreeSet::new(), BTreeSet::new());
            for seed in 0..60 {
                let shown = Shown::new(&v, dtype);
                let mut defence = shown.under(&json!({ "size": size, "by": by }));
                defence.aggregate(&vectors(&y, dtype), 0, stream(seed)).unwrap();
                first.insert(shown.buckets());
                defence.aggregate(&vectors(&x, dtype), 0, stream(seed)).unwrap();
                let buckets = shown.buckets();
                assert_eq!(buckets.len(), m.div_ceil(size));
                assert!(buckets.concat().into_iter().collect::<BTreeSet<_>>().len() == m, "{buckets:?}");
                for (at, bucket) in buckets.iter().enumerate() {
                    let of = |run: &BTreeSet<usize>| bucket.iter().filter(|i| run.contains(i)).count();
                    let held: Vec<usize> = runs.iter().map(of).collect();
                    let due: Vec<usize> = runs.iter().map(|run| usize::from(run.len() > at)).collect();
                    assert_eq!(held, due, "{m} in buckets of {size} by {by}: {bucket:?} of {runs:?}");
                }
                second.insert(buckets);
            }
            let mixed = |buckets: &Vec<Vec<usize>>| {
                buckets
                    .iter()
                    .any(|b| runs.iter().any(|run| b.iter().filter(|i| run.contains(i)).count() > 1))
            };
            assert!(first.iter().any(mixed), "the first round is random");
            assert!(second.len() > 5, "{m} in buckets of {size} by {by}: {} draws", second.len());
        }
    }
}

/// Whoever takes the memory back sees the same buckets; a round that fails is none.
#[test]
fn the_last_aggregate_is_the_memory_of_the_defence() {
    let [x, y] = [4, 5].map(|seed| gaussian(9, 6, seed));
    let rules = [("bucketing", json!({ "size": 2, "by": "cosine" })), ("cwmed", json!({}))];
    let mut defence = chain(&rules);
    assert_eq!((defence.holds(9, 10), defence.state().is_empty()), (1, true));
    let found = aggregate(&mut defence, &x, 1).unwrap().output;
    let state = defence.state();
    assert!(state.vectors.values().any(|vector| vector.to_f64() == found.to_f64()));
    aggregate(&mut defence, &y, 5).unwrap_err();
    let mut other = chain(&rules);
    other.restore(&state).unwrap();
    let next = |defence: &mut Defence| {
        (0..20u64)
            .map(|seed| {
                defence.clone().aggregate(&vectors(&y, Dtype::F64), 1, stream(seed)).unwrap().output.to_f64()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(next(&mut other), next(&mut defence));
    assert_ne!(next(&mut chain(&rules)), next(&mut defence));
    let said =
        defence.aggregate(&vectors(&gaussian(9, 7, 1), Dtype::F64), 1, stream(1)).unwrap_err().to_string();
    assert_eq!(
        said,
        "bucketing: the server's vector has 6 coordinates of f64, the rows have 7 coordinates of f64"
    );
    let plain = plain(&["bucketing", "cwmed"]);
    assert_eq!(plain.holds(9, 10), 0);
}

/// The memory of the rule inside is kept beside it, and groups of coordinates see their piece of the aggregate.
#[test]
fn buckets_by_likeness_stand_among_other_layers() {
    let by = json!({ "size": 2, "by": "distance" });
    let mut remembering = chain(&[("bucketing", by.clone()), ("centered-clipping", json!({}))]);
    assert_eq!(remembering.holds(9, 10), 2);
    let mut grouped = chain(&[("gas", json!({ "groups": 3 })), ("bucketing", by), ("cwmed", json!({}))]);
    for round in 0..3 {
        let x = gaussian(9, 10, round);
        aggregate(&mut remembering, &x, 1).unwrap();
        aggregate(&mut grouped, &x, 1).unwrap();
    }
    let mut other =
        chain(&[("bucketing", json!({ "size": 2, "by": "distance" })), ("centered-clipping", json!({}))]);
    other.restore(&remembering.state()).unwrap();
    let x = gaussian(9, 10, 9);
    let [a, b] = [&mut other, &mut remembering].map(|one| aggregate(one, &x, 1).unwrap().output.to_f64());
    assert_eq!(a, b);
}
