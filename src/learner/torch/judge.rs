//! How good points are on a batch of the server's own, for rules that ask.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use phalanx_actors::learner::Draw;
use phalanx_robust::{Vector, aggregation::Judge};

use super::{
    Settings, Way,
    evaluate::{Point, Scorer},
    inputs::{Inputs, Pick},
};

/// The model as an evaluation takes it, on some training samples as they are: neither shifted nor mirrored, nothing dropped,
/// and normalised by the running statistics.
pub(super) struct OnRoot {
    /// Its tensors may be cloned by one thread at a time.
    scorer: Mutex<Scorer>,
    train: Arc<Inputs>,
    samples: Vec<Pick>,
    way: Way,
    settings: Settings,
}

impl OnRoot {
    /// On the samples of `draw`, whose labels are those of the data set.
    pub fn new(scorer: Scorer, train: Arc<Inputs>, draw: &Draw, way: Way, settings: Settings) -> Self {
        let samples = draw.indices.iter().map(|&index| Pick { index, ..Pick::default() }).collect();
        Self { scorer: Mutex::new(scorer), train, samples, way, settings }
    }

    fn scorer(&self) -> Result<Scorer, String> {
        let scorer = self.scorer.lock().map_err(|_| "an earlier question ended in a panic")?;
        Ok(scorer.clone())
    }
}

impl Judge for OnRoot {
    fn loss(&self, point: &Vector) -> Result<f64, String> {
        let scorer = self.scorer()?;
        let score = Point::of(point, self.way, &self.settings)
            .and_then(|point| scorer.score(&point, &self.train, &self.samples, false));
        score.map(|score| score.loss).map_err(|error| error.to_string())
    }

    fn gradient(&self, point: &Vector) -> Result<Vector, String> {
        let scorer = self.scorer()?;
        let gradient = Point::tensor(point, &self.settings)
            .and_then(|point| scorer.gradient(&point, &self.train, &self.samples));
        gradient.map_err(|error| error.to_string())
    }
}

impl fmt::Debug for OnRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnRoot").field("samples", &self.samples.len()).finish_non_exhaustive()
    }
}
