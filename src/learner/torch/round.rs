//! The passes of one round: every tile of jobs at every point it asks for, in the kernels or in libtorch.

use phalanx_actors::learner::Job;
use phalanx_robust::Vector;
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

/// One tile at one point.
pub(super) struct Task<'a> {
    tile: &'a Tile,
    previous: bool,
    at: At<'a>,
}

enum At<'a> {
    Kernels(&'a Ready<'a>),
    Torch(Tensor),
}

/// What a task found, in the order of the tile's jobs.
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
    fn at(&self, previous: bool) -> Option<At<'_>> {
        match self {
            Self::Kernels(_, there) if previous => there.as_ref().map(At::Kernels),
            Self::Kernels(here, _) => Some(At::Kernels(here)),
            Self::Torch(_, there) if previous => there.as_ref().map(|t| At::Torch(t.shallow_clone())),
            Self::Torch(here, _) => Some(At::Torch(here.shallow_clone())),
        }
    }

    /// One task for each tile and point, the previous point first.
    pub fn tasks<'a>(&'a self, tiles: &'a [Tile]) -> Vec<Task<'a>> {
        let mut tasks = Vec::new();
        for tile in tiles {
            for previous in [true, false].into_iter().filter(|&p| tile.previous || !p) {
                tasks.extend(self.at(previous).map(|at| Task { tile, previous, at }));
            }
        }
        tasks
    }
}

impl Round<'_> {
    pub fn run<'t>(&self, task: Task<'t>) -> Result<Done<'t>, TchError> {
        let Task { tile, previous, at } = task;
        match at {
            At::Kernels(ready) => self.kernels(tile, previous, ready),
            At::Torch(point) => self.torch(tile, previous, &point),
        }
    }

    /// The tile's gradients, each job's at its own point of `points`.
    pub fn run_at<'t>(&self, tile: &'t Tile, points: &[Vector]) -> Result<Done<'t>, TchError> {
        let Settings { precision, device, .. } = self.settings;
        let vectors = precision.vectors();
        match self.network.zip(tile.first()) {
            Some((network, &job)) => self.kernels(tile, false, &Ready::new(network, &points[job], vectors)),
            None => {
                let tensor = |&job: &usize| convert::tensor(&points[job], convert::kind(vectors), device);
                let points: Vec<Tensor> = tile.iter().map(tensor).collect::<Result<_, _>>()?;
                self.torch(tile, false, &Tensor::f_stack(&points, 0)?)
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

    fn torch<'t>(&self, tile: &'t Tile, previous: bool, point: &Tensor) -> Result<Done<'t>, TchError> {
        let draws = || tile.iter().map(|&job| &self.jobs[job].draw);
        let picks: Vec<_> = draws().map(|draw| self.train.picks(draw)).collect();
        let x = self.train.gather(&picks)?;
        let labels: Vec<i64> = draws().flat_map(|draw| draw.labels.iter().copied()).collect();
        let labels =
            Tensor::f_from_slice(&labels)?.to_device(x.device()).f_reshape([tile.len() as i64, -1])?;
        let found = pass::learn(self.model, point, x, &labels)?;
        Ok(Done {
            tile,
            previous,
            rows: convert::rows(&found.gradients, self.model.dim(), self.settings.clip)?,
            losses: found.losses,
            accuracies: found.accuracies,
            statistics: found.statistics,
        })
    }
}
