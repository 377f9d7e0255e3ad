//! Krum and Multi-Krum: the vectors with the nearest neighbours.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Bound, Context, Layer, Rule, RuleError,
    order::{each, mean_of, smallest},
    theory::ratio,
};
use crate::{
    Batch, Gram, Size,
    describe::{Described, ParameterError, Preset, sole},
    state::Stateful,
};

/// How many nearest neighbours, itself left out, enter the score of a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Neighbours {
    /// m - f - 2, as published.
    #[default]
    #[serde(rename = "m-f-2")]
    Published,
    /// m - f - 1, for which (f, kappa)-robustness is proved.
    #[serde(rename = "m-f-1")]
    OneMore,
}

/// How many vectors of the least score are averaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Select {
    /// m - f.
    #[serde(rename = "m-f")]
    Honest,
    /// m - f - 2.
    #[default]
    #[serde(rename = "m-f-2")]
    Neighbours,
    /// This many.
    #[serde(rename = "exactly")]
    Exactly(usize),
}

/// The vector whose nearest neighbours are nearest: the x_i of the least score Σ_j ‖x_i - x_j‖^power over
/// its m - f - 2 nearest neighbours x_j; equal scores go by index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Krum {
    /// To which power a distance enters the score: published is 2; 4 is what some libraries compute by squaring twice.
    #[schemars(extend("enum" = [1, 2, 4]))]
    pub power: u32,
    /// How many nearest neighbours enter the score: "m-f-2", which needs m > 2f + 2, or "m-f-1".
    pub neighbours: Neighbours,
}

/// The mean of the vectors of the least Krum scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MultiKrum {
    /// To which power a distance enters the score: published is 2; 4 is what some libraries compute by squaring twice.
    #[schemars(extend("enum" = [1, 2, 4]))]
    pub power: u32,
    /// How many nearest neighbours enter the score: "m-f-2", which needs m > 2f + 2, or "m-f-1".
    pub neighbours: Neighbours,
    /// How many vectors are averaged: "m-f-2", "m-f" or `{ exactly = 3 }`.
    #[serde(deserialize_with = "sole")]
    pub select: Select,
}

impl Default for Krum {
    fn default() -> Self {
        Self { power: 2, neighbours: Neighbours::default() }
    }
}

impl Default for MultiKrum {
    fn default() -> Self {
        Self { power: 2, neighbours: Neighbours::default(), select: Select::default() }
    }
}

impl Described for Krum {
    const NAME: &'static str = "krum";
    const SOURCE: &'static str = "Blanchard et al., 2017";

    fn preset(preset: Preset) -> Self {
        Self { power: 2, neighbours: neighbours_of(preset) }
    }
}

impl Described for MultiKrum {
    const NAME: &'static str = "multi-krum";
    const SOURCE: &'static str = "Blanchard et al., 2017";

    fn preset(preset: Preset) -> Self {
        let select = match preset {
            Preset::Paper | Preset::Dahan => Select::Neighbours,
            Preset::Byzfl => Select::Honest,
        };
        Self { power: 2, neighbours: neighbours_of(preset), select }
    }
}

fn check_power(power: u32) -> Result<(), ParameterError> {
    ParameterError::unless([1, 2, 4].contains(&power), "power", power, "1, 2 or 4")
}

fn neighbours_of(preset: Preset) -> Neighbours {
    match preset {
        Preset::Paper | Preset::Dahan => Neighbours::Published,
        Preset::Byzfl => Neighbours::OneMore,
    }
}

impl Rule for Krum {
    fn build(&self) -> Result<Layer, ParameterError> {
        check_power(self.power)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 2f + 2; m > 2f with m-f-1 neighbours"
    }

    fn guarantee() -> Option<&'static str> {
        Some("kappa = 6 (1 + r) with power 2 and m-f-1 neighbours, Allouah et al., 2023")
    }
}

impl Rule for MultiKrum {
    fn build(&self) -> Result<Layer, ParameterError> {
        check_power(self.power)?;
        if let Select::Exactly(n) = self.select {
            ParameterError::at_least_one("select", n)?;
        }
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 2f + 2; m > 2f with m-f-1 neighbours"
    }
}

impl Stateful for Krum {}
impl Stateful for MultiKrum {}

impl Aggregator for Krum {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        self.neighbours.check(Self::NAME, size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let scores = scores(batch.gram()?, self.neighbours.count(batch.m(), context.f), self.power);
        Ok(Aggregate::span(mean_of(&smallest(&scores, 1), batch.m())))
    }

    fn bound(&self, size: Size) -> Option<Bound> {
        let proved = (self.power, self.neighbours) == (2, Neighbours::OneMore);
        proved.then(|| Bound::kappa(6.0 * (1.0 + ratio(size)), "6 (1 + r)", "Allouah et al., 2023"))
    }
}

impl Aggregator for MultiKrum {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        self.neighbours.check(Self::NAME, size)?;
        match self.select {
            Select::Exactly(n) if n > size.m => Err(RuleError::Parameter {
                rule: Self::NAME,
                error: ParameterError::new("select", n, "at most the number of vectors, m"),
            }),
            Select::Neighbours => RuleError::unless(size.honest() > 2, Self::NAME, "m > f + 2", size),
            _ => Ok(()),
        }
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let m = batch.m();
        let scores = scores(batch.gram()?, self.neighbours.count(m, context.f), self.power);
        let keep = match self.select {
            Select::Honest => m - context.f,
            Select::Neighbours => m - context.f - 2,
            Select::Exactly(n) => n,
        };
        Ok(Aggregate::span(mean_of(&smallest(&scores, keep), m)))
    }
}

impl Neighbours {
    pub(super) fn check(self, rule: &'static str, size: Size) -> Result<(), RuleError> {
        match self {
            Self::Published => {
                let most = size.f.saturating_mul(2).saturating_add(2);
                RuleError::unless(size.m > most, rule, "m > 2f + 2", size)
            }
            Self::OneMore => RuleError::minority(rule, size),
        }
    }

    pub(super) fn count(self, m: usize, f: usize) -> usize {
        match self {
            Self::Published => m.saturating_sub(f + 2),
            Self::OneMore => m.saturating_sub(f + 1),
        }
    }
}

/// For every row, the sum over its `neighbours` nearest of the distances to the `power`.
fn scores(gram: &Gram, neighbours: usize, power: u32) -> Vec<f64> {
    let measure = |d2: f64| match power {
        1 => d2.sqrt(),
        4 => d2 * d2,
        _ => d2,
    };
    each(gram.m(), |i| {
        let (before, after) = gram.distances2_from(i).split_at(i);
        let mut others = [before, &after[1..]].concat();
        if neighbours < others.len() {
            others.select_nth_unstable_by(neighbours, f64::total_cmp);
            others.truncate(neighbours);
        }
        others.sort_unstable_by(f64::total_cmp); // so that the sum does not depend on the order of the rows
        others.into_iter().map(measure).sum()
    })
}
