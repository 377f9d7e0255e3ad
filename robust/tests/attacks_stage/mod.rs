//! What the tests of attacks share: honest vectors, a stage to play an attack
//! on, and the naive arithmetic that oracles are written with.

#![allow(
    dead_code,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it"
)]

use std::sync::Arc;

use phalanx_robust::{
    Batch, Size, Vector, Watch,
    aggregation::{Cwmed, Defence},
    attack::{Attack, AttackError, AttackRule, Probe, Scene},
    random::Seed,
};
use rand_distr::{Distribution, StandardNormal};

/// Vectors as plain numbers.
pub type Rows = Vec<Vec<f64>>;

/// Where the vectors of a stage live.
#[derive(Clone, Copy, PartialEq)]
pub enum Place {
    Host,
    #[cfg(feature = "torch")]
    Torch,
}

/// Everything around an attack.
pub struct Stage {
    pub honest: Rows,
    pub own: Rows,
    pub members: Vec<usize>,
    pub size: Size,
    pub last: Vec<f64>,
    pub point: Vec<f64>,
    pub defence: Defence,
    pub single: bool,
    pub place: Place,
    pub seed: u64,
    /// Who is told of passes over the honest vectors.
    pub watch: Option<Arc<dyn Watch>>,
}

impl Stage {
    /// Honest workers 0 .. n-1 with these vectors, and f attackers after them with own vectors of their own.
    pub fn new(honest: Rows, f: usize) -> Self {
        let (n, d) = (honest.len(), honest[0].len());
        Self {
            own: normal(77, f, d, 1.0, 0.5),
            members: (n..n + f).collect(),
            size: Size::new(n + f, f),
            last: vec![0.0; d],
            point: normal(78, 1, d, 1.0, 0.0).remove(0),
            defence: Defence::base(Cwmed::default()),
            single: false,
            place: Place::Host,
            seed: 5,
            watch: None,
            honest,
        }
    }

    pub fn vectors(&self, rows: &Rows) -> Vec<Vector> {
        rows.iter().map(|row| self.vector(row)).collect()
    }

    pub fn vector(&self, row: &[f64]) -> Vector {
        if self.single {
            row.iter().map(|&v| v as f32).collect::<Vec<_>>().into()
        } else {
            row.to_vec().into()
        }
    }

    /// What `attack` makes in `round`, seeing what it declares.
    pub fn try_play(&self, attack: &mut dyn Attack, round: u64) -> Result<Rows, AttackError> {
        let honest = self.vectors(&self.honest);
        let own = self.vectors(&self.own);
        let batch = Batch::new(&honest).unwrap().watched(self.watch.clone());
        let ids: Vec<usize> =
            (0..self.size.m).filter(|id| !self.members.contains(id)).take(honest.len()).collect();
        let point = self.vector(&self.point);
        let probe = Probe {
            defence: &self.defence,
            rng: Seed(self.seed).stream("rule", 0, "round", round),
            f: self.size.f,
            honest: &honest,
            honest_ids: &ids,
            standing_in: &[],
            reference: None,
            point: Some(&point),
            judge: None,
        };
        let (last, shape) = (self.vector(&self.last), honest[0].zeros_like());
        let size = self.size;
        let scene =
            Scene { round, size, honest: &batch, last_aggregate: &last, shape: &shape, probe: &probe };
        let seen = attack.follows_protocol().then_some(own.as_slice());
        let rng = Seed(self.seed).stream("attack", 0, "forge", round);
        let view = scene.view(attack.knowledge(), &self.members, seen, rng);
        Ok(attack.forge(&view)?.iter().map(Vector::to_f64).collect())
    }

    pub fn play(&self, attack: &mut dyn Attack, round: u64) -> Rows {
        self.try_play(attack, round).unwrap()
    }

    pub fn build(&self, rule: &impl AttackRule) -> Box<dyn Attack> {
        rule.build(self.size).unwrap()
    }

    /// The one vector that all attackers send in round 1.
    pub fn common(&self, rule: &impl AttackRule) -> Vec<f64> {
        let sent = self.play(self.build(rule).as_mut(), 1);
        assert_eq!(sent.len(), self.members.len());
        assert!(sent.iter().all(|v| *v == sent[0]), "all send the same");
        sent[0].clone()
    }

    /// ‖aggregate - honest mean‖ if all attackers send `vector`.
    pub fn damage(&self, vector: &[f64]) -> f64 {
        let mut rows = self.vectors(&self.honest);
        rows.extend(self.members.iter().map(|_| self.vector(vector)));
        let rng = Seed(self.seed).stream("rule", 0, "round", 1);
        let output = self.defence.clone().aggregate(&rows, self.size.f, rng).unwrap().output.to_f64();
        distance2(&output, &mean(&self.honest)).sqrt()
    }
}

/// `n` vectors of length `d` around (centre, …, centre) with standard deviation `sigma`.
pub fn normal(seed: u64, n: usize, d: usize, sigma: f64, centre: f64) -> Rows {
    let mut rng = Seed(seed).stream("test", 0, "rows", 0);
    let mut draw = || -> f64 { StandardNormal.sample(&mut rng) };
    (0..n).map(|_| (0..d).map(|_| f64::from((centre + sigma * draw()) as f32)).collect()).collect()
}

pub fn mean(rows: &Rows) -> Vec<f64> {
    (0..rows[0].len()).map(|j| rows.iter().map(|r| r[j]).sum::<f64>() / rows.len() as f64).collect()
}

/// Two passes: the mean first, then the deviations.
pub fn deviation(rows: &Rows, ddof: usize) -> Vec<f64> {
    let mu = mean(rows);
    let divisor = rows.len() as f64 - ddof as f64;
    (0..mu.len())
        .map(|j| (rows.iter().map(|r| (r[j] - mu[j]).powi(2)).sum::<f64>() / divisor).sqrt())
        .collect()
}

pub fn plus(a: &[f64], c: f64, b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(x, y)| x + c * y).collect()
}

pub fn scaled(c: f64, a: &[f64]) -> Vec<f64> {
    a.iter().map(|x| c * x).collect()
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

pub fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

pub fn distance2(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum()
}

#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let scale = 1.0 + norm(expected) / (expected.len() as f64).sqrt();
    for (j, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "coordinate {j}: {a} instead of {b}");
    }
}

/// Calls `check` on stages of many sizes, with f32 and f64 vectors and the tolerance that these allow.
pub fn everywhere(check: impl Fn(&Stage, f64)) {
    for (n, f) in [(9, 8), (13, 4), (4, 1), (7, 3)] {
        for d in [1, 7, 513] {
            for (sigma, centre) in [(1.0, 0.3), (0.01, 100.0)] {
                for single in [false, true] {
                    let honest = normal((n * d) as u64, n, d, sigma, centre);
                    check(&Stage { single, ..Stage::new(honest, f) }, if single { 2e-6 } else { 1e-11 });
                }
            }
        }
    }
}
