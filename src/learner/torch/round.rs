//! The passes of one round: every tile of jobs at every point it asks for, in the kernels or in libtorch.

use phalanx_actors::learner::Job;
use phalanx_robust::{Vector, to_device};
use tch::{TchError, Tensor};

use super::{
    Model,
    alone::{Ready, Spares},
    chance::Chance,
    convert,
    inputs::Inputs,
    kernels::Network,
    learner::Settings,
    pass,
    tiles::Tile,
};

/// What all passes of a round share.
pub(super) struct Round<'a> {
    pub model: &'a Model,
    /// The model's kernels, if they are what computes; tiles are then of one job.
    pub network: Option<&'a Network>,
    pub train: &'a Inputs,
    pub spares: &'a Spares,
    pub jobs: &'a [Job],
    pub settings: Settings,
}

/// The model at the points of a round, for what computes there; there may be no x_{t-1}.
pub(super) enum Points<'a> {
    Kernels(Ready<'a>, Option<Ready<'a>>),
    Torch(Tensor, Option<Tensor>),
}

/// One tile at one point, or in libtorch at both of them.
pub(super) struct Task<'a> {
    tile: &'a Tile,
    at: At<'a>,
}

enum At<'a> {
    Kernels(&'a Ready<'a>, bool),
    /// `[p, d]`, and of each point whether it is the previous one.
    Torch(Tensor, &'static [bool]),
}

/// What a task found at one point, in the order of the tile's jobs.
pub(super) struct Done<'a> {
    pub tile: &'a Tile,
    /// Whether it was at x_{t-1}.
    pub previous: bool,
    /// Gradients, clipped.
    pub rows: Vec<Vector>,
    /// Mean losses, `[g]`.
    pub losses: Tensor,
    /// Fractions classified as labelled, `[g]`.
    pub accuracies: Tensor,
    /// Mean and unbiased variance of every tracked channel, `[g, channels]` each; none without such channels.
    pub statistics: Option<(Tensor, Tensor)>,
}

impl Points<'_> {
    /// The tasks of all tiles, the previous point first. A device takes a tile's two points `together`.
    pub fn tasks<'a>(&'a self, tiles: &'a [Tile], together: bool) -> Result<Vec<Task<'a>>, TchError> {
        let mut tasks = Vec::new();
        for tile in tiles {
            tasks.extend(self.at(tile.previous, together)?.into_iter().map(|at| Task { tile, at }));
        }
        Ok(tasks)
    }

    /// What is to be computed at.
    fn at(&self, previous: bool, together: bool) -> Result<Vec<At<'_>>, TchError> {
        let row = |point: &Tensor| point.f_unsqueeze(0);
        Ok(match self {
            Self::Kernels(here, there) => {
                let there = there.iter().filter(|_| previous).map(|point| At::Kernels(point, true));
                there.chain([At::Kernels(here, false)]).collect()
            }
            Self::Torch(here, Some(there)) if previous && together => {
                vec![At::Torch(Tensor::f_stack(&[there, here], 0)?, &[true, false])]
            }
            Self::Torch(here, Some(there)) if previous => {
                vec![At::Torch(row(there)?, &[true]), At::Torch(row(here)?, &[false])]
            }
            Self::Torch(here, _) => vec![At::Torch(row(here)?, &[false])],
        })
    }
}

impl Round<'_> {
    /// What the task finds at each of its points.
    pub fn run<'t>(&self, task: Task<'t>) -> Result<Vec<Done<'t>>, TchError> {
        let Task { tile, at } = task;
        match at {
            At::Kernels(ready, previous) => Ok(vec![self.kernels(tile, previous, ready)?]),
            At::Torch(points, previous) => self.torch(tile, previous, &points),
        }
    }

    /// The tile's gradients, each job's at its own point of `points`.
    pub fn run_at<'t>(&self, tile: &'t Tile, points: &[Vector]) -> Result<Vec<Done<'t>>, TchError> {
        let Settings { precision, device, .. } = self.settings;
        let vectors = precision.vectors();
        match self.network.zip(tile.first()) {
            Some((network, &job)) => {
                Ok(vec![self.kernels(tile, false, &Ready::new(network, &points[job], vectors))?])
            }
            None => {
                let tensor = |&job: &usize| convert::tensor(&points[job], convert::kind(vectors), device);
                let points: Vec<Tensor> = tile.iter().map(tensor).collect::<Result<_, _>>()?;
                self.torch(tile, &[false], &Tensor::f_stack(&points, 0)?)
            }
        }
    }

    fn kernels<'t>(&self, tile: &'t Tile, previous: bool, ready: &Ready<'_>) -> Result<Done<'t>, TchError> {
        let least = self.network.map_or(1, |network| network.least_batch());
        if tile.iter().any(|&job| self.jobs[job].draw.indices.len() < least) {
            return Err(pass::single_value());
        }
        let learn = |&job: &usize| ready.learn(self.train, &self.jobs[job], self.settings.clip, self.spares);
        let answers: Vec<_> = tile.iter().map(learn).collect();
        let values = |of: fn(&super::alone::Answer) -> f64| -> Vec<f64> { answers.iter().map(of).collect() };
        let channels = answers.first().map_or(0, |answer| answer.mean.len());
        let table = |of: fn(&super::alone::Answer) -> &[f64]| {
            let all: Vec<f64> = answers.iter().flat_map(of).copied().collect();
            Tensor::f_from_slice(&all)?.f_reshape([-1, channels as i64])
        };
        let statistics = match channels {
            0 => None,
            _ => Some((table(|answer| &answer.mean)?, table(|answer| &answer.var)?)),
        };
        Ok(Done {
            tile,
            previous,
            losses: Tensor::f_from_slice(&values(|answer| answer.loss))?,
            accuracies: Tensor::f_from_slice(&values(|answer| answer.accuracy))?,
            statistics,
            rows: answers.into_iter().map(|answer| answer.row).collect(),
        })
    }

    /// One pass, in which the tile's workers come once for each of `previous`; `points` are `[p, d]`.
    fn torch<'t>(
        &self,
        tile: &'t Tile,
        previous: &[bool],
        points: &Tensor,
    ) -> Result<Vec<Done<'t>>, TchError> {
        let draws = || tile.iter().map(|&job| &self.jobs[job].draw);
        let picks: Vec<_> = draws().map(|draw| self.train.picks(draw)).collect();
        let x = self.train.gather(&picks)?;
        let labels: Vec<i64> = draws().flat_map(|draw| draw.labels.iter().copied()).collect();
        let groups = tile.len() as i64;
        let labels = to_device(&Tensor::f_from_slice(&labels)?, x.device()).f_reshape([groups, -1])?;
        let chances = previous.iter().flat_map(|_| draws().map(|draw| Chance::of(&draw.rng))).collect();
        let found = match previous.len() as i64 {
            1 => pass::learn(self.model, points, x, &labels, chances)?,
            n => {
                let (x, labels) = (x.f_repeat([1, n, 1, 1])?, labels.f_repeat([n, 1])?);
                pass::learn(self.model, points, x, &labels, chances)?
            }
        };
        let mut rows = convert::rows(&found.gradients, self.model.dim(), self.settings.clip)?.into_iter();
        let done = |(at, &previous): (usize, &bool)| {
            let part = |all: &Tensor| all.f_narrow(0, at as i64 * groups, groups);
            let statistics = |(mean, var): &(Tensor, Tensor)| Ok::<_, TchError>((part(mean)?, part(var)?));
            Ok(Done {
                tile,
                previous,
                rows: rows.by_ref().take(tile.len()).collect(),
                losses: part(&found.losses)?,
                accuracies: part(&found.accuracies)?,
                statistics: found.statistics.as_ref().map(statistics).transpose()?,
            })
        };
        previous.iter().enumerate().map(done).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use phalanx_actors::learner::Draw;
    use phalanx_robust::{estimator, random::Seed};
    use tch::{Device, Kind};

    use super::*;
    use crate::{
        data::{Augmentation, Images, Normalisation},
        learner::torch::{ModelRule, Precision, model::SimpleCnn},
    };

    fn job(worker: usize) -> Job {
        let (indices, labels) = (vec![worker, worker + 1], vec![worker as i64, 9 - worker as i64]);
        let rng = Seed(1).stream("worker", worker as u64, "batch", 1);
        Job {
            worker,
            draw: Draw { indices, labels, rng },
            points: estimator::Points::CurrentAndPrevious,
            root: false,
        }
    }

    /// A device takes both points in one pass; the CPU does here what it does.
    #[test]
    fn two_points_together_give_what_they_give_apart() {
        let model = SimpleCnn {}.build([1, 28, 28], 10).unwrap();
        let images = Images {
            channels: 1,
            height: 28,
            width: 28,
            classes: 10,
            pixels: Arc::new((0..5 * 784).map(|i| (i * i % 251) as u8).collect()),
            labels: Arc::new(vec![0; 5]),
        };
        let normalisation = Normalisation { mean: vec![0.1], std: vec![0.3] };
        let train =
            Inputs::new(images, &normalisation, Augmentation::None, Kind::Double, Device::Cpu).unwrap();
        let start = model.start(&mut Seed(2).stream("model", 0, "init", 0));
        let here = Tensor::from_slice(&start);
        let points = Points::Torch(here.shallow_clone(), Some(&here * 1.5));
        let jobs: Vec<Job> = (0..4).map(job).collect();
        let tiles =
            vec![Tile { jobs: vec![3, 0, 2], previous: true }, Tile { jobs: vec![1], previous: true }];
        let settings = Settings { precision: Precision::F64, clip: Some(1.0), ..Settings::default() };
        let spares = Spares::default();
        let round =
            Round { model: &model, network: None, train: &train, spares: &spares, jobs: &jobs, settings };
        let found = |together| -> Vec<Done<'_>> {
            let tasks = points.tasks(&tiles, together).unwrap();
            assert_eq!(tasks.len(), if together { 2 } else { 4 });
            tasks.into_iter().flat_map(|task| round.run(task).unwrap()).collect()
        };
        let (apart, together) = (found(false), found(true));
        assert_eq!(apart.len(), together.len());
        let near =
            |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-9);
        let numbers = |done: &Done<'_>| -> Vec<Vec<f64>> {
            let (mean, var) = done.statistics.as_ref().unwrap();
            let told =
                [&done.losses, &done.accuracies, mean, var].map(|t| convert::values(&t.flatten(0, -1)));
            told.into_iter().chain(done.rows.iter().map(Vector::to_f64)).collect()
        };
        for (a, b) in apart.iter().zip(&together) {
            assert_eq!((a.tile, a.previous), (b.tile, b.previous));
            assert!(numbers(a).iter().zip(numbers(b)).all(|(a, b)| near(a, &b)));
        }
        assert!(!near(&numbers(&apart[0])[0], &numbers(&apart[1])[0]), "the points differ");
    }
}
