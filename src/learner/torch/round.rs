//! The passes of one round: every tile of jobs at every point it asks for, in the kernels or in libtorch.

use phalanx_actors::learner::Job;
use phalanx_robust::{Vector, to_device};
use tch::{TchError, Tensor};

use super::{
    Model,
    alone::{Ready, Spares},
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
        let found = match previous.len() as i64 {
            1 => pass::learn(self.model, points, x, &labels)?,
            n => pass::learn(self.model, points, x.f_repeat([1, n, 1, 1])?, &labels.f_repeat([n, 1])?)?,
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
