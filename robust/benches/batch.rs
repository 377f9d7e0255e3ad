//! What a pass over a batch costs, beside one plain read of it.
//!
//! `cargo bench -p phalanx-robust --bench batch` uses all cores; `RAYON_NUM_THREADS=2` for two.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use phalanx_robust::{Batch, ColumnRule, Median, Vector, random::Seed};
use rand::RngExt;
use rayon::prelude::*;

/// m rows of d f32 coordinates, uniform in -1 … 1.
fn rows(m: usize, d: usize) -> Vec<Vector> {
    let row = |i| {
        let mut rng = Seed(1).stream("bench", i, "row", 0);
        (0..d).map(|_| rng.random_range(-1f32..1.0)).collect::<Vec<_>>().into()
    };
    (0..m as u64).map(row).collect()
}

/// The yardstick: every value is read once, and summed.
fn read(rows: &[Vector]) -> f32 {
    let sum = |part: &[f32]| {
        let mut lanes = [0f32; 32];
        part.as_chunks::<32>().0.iter().for_each(|x| lanes.iter_mut().zip(x).for_each(|(l, x)| *l += x));
        lanes.iter().sum::<f32>()
    };
    rows.par_iter().flat_map(|row| row.as_f32().unwrap_or_default().par_chunks(1 << 16)).map(sum).sum()
}

fn passes(criterion: &mut Criterion) {
    for (m, d) in [(17, 1_000_000), (17, 29_034), (100, 100_000), (256, 65_536), (1000, 10_000)] {
        let rows = rows(m, d);
        let f = m / 4;
        let keep = m - f;
        let middle = vec![1.0 / m as f64; m];
        let batch = Batch::new(&rows).expect("rows that are alike");
        let point = batch.mean();
        let mut group = criterion.benchmark_group(format!("{m}x{d}"));
        group.throughput(Throughput::Bytes((m * d * size_of::<f32>()) as u64)).sample_size(10);
        group.bench_function("read", |b| b.iter(|| read(black_box(&rows))));
        group.bench_function("gram", |b| {
            b.iter(|| Batch::new(&rows).map(|batch| batch.gram().map(|g| g.m())))
        });
        group.bench_function("combine", |b| b.iter(|| batch.combine(&middle)));
        group.bench_function("distances", |b| b.iter(|| batch.distances(&point)));
        let columns = [
            ("median", ColumnRule::Median(Median::Midpoint)),
            ("trimmed-mean", ColumnRule::TrimmedMean { f }),
            ("meamed", ColumnRule::MeanAroundMedian { keep, median: Median::Midpoint }),
            ("phocas", ColumnRule::MeanAroundTrimmedMean { keep, f }),
            ("sign-majority", ColumnRule::SignMajority),
        ];
        for (name, rule) in columns {
            group.bench_function(name, |b| b.iter(|| batch.columns(&rule, false)));
            if name == "median" {
                let id = BenchmarkId::new(name, "distances");
                group.bench_function(id, |b| b.iter(|| batch.columns(&rule, true)));
            }
        }
        group.finish();
    }
}

criterion_group!(benches, passes);
criterion_main!(benches);
