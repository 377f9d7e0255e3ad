//! The oracle of FLDetector, by the recursions of its equations.

use std::collections::BTreeMap;

use phalanx_robust::random::Stream;
use rand::RngExt;

use crate::{
    naive::{distance, mean_all},
    stage::Rows,
};

/// The point of a round, what each worker sent, and the result.
type Past = (Vec<f64>, BTreeMap<usize, Vec<f64>>, Vec<f64>);

/// What is known after some rounds, each of which is kept whole.
pub struct Detection {
    pub window: usize,
    pub references: usize,
    past: Vec<Past>,
    errors: Vec<BTreeMap<usize, f64>>,
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn times(matrix: &Rows, v: &[f64]) -> Vec<f64> {
    matrix.iter().map(|row| dot(row, v)).collect()
}

/// The matrix of BFGS after these steps and changes, from the identity times σ, with all its d × d numbers.
fn bfgs(steps: &Rows, changes: &Rows) -> Rows {
    let d = steps[0].len();
    let (last, change) = (&steps[steps.len() - 1], &changes[changes.len() - 1]);
    let sigma = dot(change, last) / dot(last, last);
    let mut b: Rows = (0..d).map(|i| (0..d).map(|j| if i == j { sigma } else { 0.0 }).collect()).collect();
    for (s, y) in steps.iter().zip(changes) {
        let bs = times(&b, s);
        let (sbs, ys) = (dot(s, &bs), dot(y, s));
        for i in 0..d {
            for j in 0..d {
                b[i][j] += y[i] * y[j] / ys - bs[i] * bs[j] / sbs;
            }
        }
    }
    b
}

impl Detection {
    pub fn new(window: usize, references: usize) -> Self {
        Self { window, references, past: Vec::new(), errors: Vec::new() }
    }

    /// The rows that are left out of a round.
    pub fn left_out(
        &mut self,
        point: &[f64],
        workers: &[usize],
        rows: &Rows,
        rng: &mut Stream,
    ) -> Vec<usize> {
        let n = self.past.len();
        if n > self.window {
            let pairs = n - 1 - self.window..n - 1;
            let steps: Rows = pairs.clone().map(|t| minus(&self.past[t + 1].0, &self.past[t].0)).collect();
            let changes: Rows = pairs.map(|t| minus(&self.past[t + 1].2, &self.past[t].2)).collect();
            let (last, sent, _) = &self.past[n - 1];
            let expected = times(&bfgs(&steps, &changes), &minus(point, last));
            let apart = |(worker, row): (&usize, &Vec<f64>)| {
                Some((*worker, distance(&minus(row, sent.get(worker)?), &expected)))
            };
            let apart: BTreeMap<usize, f64> = workers.iter().zip(rows).filter_map(apart).collect();
            let mean = apart.values().sum::<f64>() / apart.len() as f64;
            self.errors.push(apart.into_iter().map(|(worker, apart)| (worker, apart / mean)).collect());
        }
        if self.errors.len() < self.window {
            return Vec::new();
        }
        let window = &self.errors[self.errors.len() - self.window..];
        let score = |worker: &usize| {
            let own: Vec<f64> = window.iter().filter_map(|round| round.get(worker).copied()).collect();
            (!own.is_empty()).then(|| own.iter().sum::<f64>() / own.len() as f64)
        };
        let scores: Vec<Option<f64>> = workers.iter().map(score).collect();
        let known: Vec<f64> = scores.iter().copied().flatten().collect();
        if !self.is_attacked(&known, rng) {
            return Vec::new();
        }
        let above = clusters(&known, 2)[1].iter().copied().fold(f64::INFINITY, f64::min);
        (0..rows.len()).filter(|&row| scores[row].is_some_and(|score| score >= above)).collect()
    }

    /// What the rule inside made of those who were not left out.
    pub fn learn(&mut self, point: &[f64], workers: &[usize], rows: &Rows, result: &[f64]) {
        let sent = workers.iter().copied().zip(rows.iter().cloned()).collect();
        self.past.push((point.to_vec(), sent, result.to_vec()));
    }

    fn is_attacked(&self, scores: &[f64], rng: &mut Stream) -> bool {
        if scores.len() < 3 {
            return false;
        }
        let (least, most) = scores.iter().fold((f64::MAX, f64::MIN), |(a, b), s| (a.min(*s), b.max(*s)));
        let scaled: Vec<f64> = scores.iter().map(|s| (s - least) / (most - least)).collect();
        let mut gap = |k: usize| {
            let sets: Rows = (0..self.references)
                .map(|_| (0..scores.len()).map(|_| rng.random::<f64>()).collect())
                .collect();
            let logs: Vec<f64> = sets.iter().map(|set| within(set, k).ln()).collect();
            let mean = logs.iter().sum::<f64>() / logs.len() as f64;
            let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / logs.len() as f64;
            (mean - within(&scaled, k).ln(), ((1.0 + 1.0 / logs.len() as f64) * variance).sqrt())
        };
        let ((one, _), (two, error)) = (gap(1), gap(2));
        one < two - error
    }
}

/// The best one or two clusters of numbers, by trying every cut.
fn clusters(numbers: &[f64], k: usize) -> Rows {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    if k == 1 {
        return vec![sorted];
    }
    let cut = |at: usize| [&sorted[..at], &sorted[at..]].map(<[f64]>::to_vec).to_vec();
    let all: Vec<Rows> = (1..sorted.len()).map(cut).collect();
    all.into_iter().min_by(|a, b| squares(a).total_cmp(&squares(b))).unwrap()
}

fn squares(clusters: &Rows) -> f64 {
    let of = |cluster: &Vec<f64>| {
        let mean = mean_all(&cluster.iter().map(|x| vec![*x]).collect())[0];
        cluster.iter().map(|x| (x - mean).powi(2)).sum::<f64>()
    };
    clusters.iter().map(of).sum()
}

fn within(numbers: &[f64], k: usize) -> f64 {
    squares(&clusters(numbers, k))
}
