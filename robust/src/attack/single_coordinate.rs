//! The hidden vulnerability: all the damage on one coordinate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attack, AttackError, AttackRule, Knowledge, Misfit, Setting, View, line_search::LineSearch,
    statistics::spread,
};
use crate::{
    Size, Vector,
    describe::{Described, ParameterError},
    state::Stateful,
};

/// Hidden vulnerability, the attack that Bulyan answers: all send mu + gamma · s · e, with the mean
/// mu of the honest vectors, their root mean square distance s to it, and e the unit vector of one
/// coordinate: what a distance lets through, all in one place. Without `gamma`, a line search through
/// the whole defence finds the one that does most damage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SingleCoordinate {
    /// The coordinate, counted from 0.
    pub coordinate: usize,
    /// The shift in units of s; without it, it is searched for, which needs `defence` knowledge.
    pub gamma: Option<f64>,
    /// The first gamma tried by the search; its first step is as long.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub start: f64,
    /// How often the search probes the defence in a round.
    #[schemars(range(min = 1))]
    pub evaluations: u32,
}

impl Default for SingleCoordinate {
    fn default() -> Self {
        Self { coordinate: 0, gamma: None, start: 1.0, evaluations: 20 }
    }
}

impl Described for SingleCoordinate {
    const NAME: &'static str = "single-coordinate";
    const SOURCE: &'static str = "El-Mhamdi, Guerraoui & Rouault, 2018";
}

impl AttackRule for SingleCoordinate {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        self.gamma.map_or(Ok(()), |gamma| ParameterError::finite("gamma", gamma))?;
        ParameterError::positive("start", self.start)?;
        let &Self { start, evaluations, coordinate, gamma } = self;
        let search = LineSearch { start, step: start, ratio: 0.5, evaluations }.checked()?;
        Ok(Box::new(Spike { coordinate, gamma, search }))
    }
}

#[derive(Clone)]
struct Spike {
    coordinate: usize,
    gamma: Option<f64>,
    search: LineSearch,
}

impl Spike {
    /// That vectors of length d have the coordinate.
    fn check_coordinate(&self, d: usize) -> Result<(), Misfit> {
        if self.coordinate < d {
            return Ok(());
        }
        let message = format!("coordinate = {}: vectors have {d} of them", self.coordinate);
        Err(Misfit { path: format!("{}.coordinate", SingleCoordinate::NAME), message })
    }
}

impl Stateful for Spike {}

impl Attack for Spike {
    fn knowledge(&self) -> Knowledge {
        if self.gamma.is_some() { Knowledge::Honest } else { Knowledge::Defence }
    }

    fn check(&self, setting: &Setting) -> Result<(), Misfit> {
        self.check_coordinate(setting.d)
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let (honest, d) = (view.honest()?, view.shape.len());
        self.check_coordinate(d)?;
        let mean = honest.mean();
        let mut spike = vec![0.0; d];
        spike[self.coordinate] = spread(honest, &mean);
        let spike = view.shape.like(&spike);
        let vector = match self.gamma {
            Some(gamma) => {
                let mut vector = mean.clone();
                vector.axpy(gamma, &spike);
                vector
            }
            None => self.search.strongest(view, &mean, &mean, &spike)?,
        };
        Ok(view.everyone(&vector))
    }
}
