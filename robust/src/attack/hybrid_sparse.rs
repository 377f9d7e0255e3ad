//! A little at most coordinates, and much at the few that pruning would keep.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attack, AttackError, AttackRule, Knowledge, View,
    alie::{Share, quantile, remark},
    statistics::{Moments, moments},
};
use crate::{
    Batch, Layout, Size, Vector,
    aggregation::smallest,
    describe::{Described, ParameterError},
    state::{State, StateError, Stateful},
};

/// What a coordinate is worth to the model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Saliency {
    /// |w_j · mu_j| of the point w and the honest mean mu: SNIP (Lee, Ajanthan & Torr, 2019).
    #[default]
    Snip,
    /// |w_j|.
    Magnitude,
    /// A number drawn for each.
    Random,
}

/// Among which coordinates those of the largest saliency are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Of each parameter tensor.
    #[default]
    Tensor,
    /// Of all.
    Global,
}

/// On which side of the honest mean the attackers stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Towards {
    /// Below it at every coordinate, as `alie`.
    #[default]
    Minus,
    /// On that of zero, and beyond: against the sign of the mean.
    Zero,
}

/// The hybrid sparse attack: all send mu - (z + (scale - z) · M) · sigma, with the mean mu and the standard deviation sigma of
/// the honest vectors of this round at every coordinate, and M = 1 at the few coordinates that pruning would keep, 0 at others.
///
/// Which they are is decided in the first round of the group and stays: the `part` of the largest saliency, of equal ones the
/// first; their number is rounded. A z that is not given is that of `alie`. The authors prune before training, by FORCE and
/// others, in many steps that each ask for gradients of a thinner network; here one look at the round is enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HybridSparse {
    /// The number of standard deviations at most coordinates; without it, that of `alie`.
    pub z: Option<f64>,
    /// Whether z is found anew in every round: the largest with which what is sent is no farther from mu than the nearest
    /// honest vector, or 0.
    pub hidden: bool,
    /// The number of standard deviations at the chosen ones.
    pub scale: f64,
    /// The part of the coordinates that is chosen.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub part: f64,
    /// What chooses them: |w_j · mu_j| of the point w, |w_j|, or chance.
    pub saliency: Saliency,
    /// Whether they are chosen among those of each parameter tensor, or of all.
    pub scope: Scope,
    /// On which side of the honest mean the attackers stand: below it, or on that of zero, against its sign.
    pub towards: Towards,
}

impl Default for HybridSparse {
    fn default() -> Self {
        Self {
            z: None,
            hidden: false,
            scale: 1.5,
            part: 0.005,
            saliency: Saliency::default(),
            scope: Scope::default(),
            towards: Towards::default(),
        }
    }
}

impl Described for HybridSparse {
    const NAME: &'static str = "hybrid-sparse";
    const SOURCE: &'static str = "Özfatura, Özfatura, Küpçü & Gündüz, 2024";
}

impl AttackRule for HybridSparse {
    fn build(&self, size: Size) -> Result<Box<dyn Attack>, ParameterError> {
        ParameterError::finite("scale", self.scale)?;
        ParameterError::fraction("part", self.part)?;
        let z = match (self.hidden, self.z) {
            (true, Some(z)) => return Err(ParameterError::new("z", z, "none, for `hidden` finds it")),
            (true, None) => None,
            (false, Some(z)) => Some(z),
            (false, None) => Some(quantile(Share::Honest, size)?),
        };
        z.map_or(Ok(()), |z| ParameterError::finite("z", z))?;
        let nothing = "nothing is added but at the chosen coordinates";
        let remark = z.and_then(|z| remark(self.z, z, size, nothing));
        Ok(Box::new(Hybrid { rule: self.clone(), z, remark, layout: None, mask: None }))
    }
}

#[derive(Clone)]
struct Hybrid {
    rule: HybridSparse,
    /// None where every round has its own.
    z: Option<f64>,
    remark: Option<String>,
    /// Where tensors lie; None takes a vector as one.
    layout: Option<Layout>,
    /// M, once it is decided.
    mask: Option<Vector>,
}

impl Hybrid {
    /// M of this round.
    fn chosen(&self, view: &View<'_>, mean: &Vector) -> Result<Vector, AttackError> {
        let saliency = self.saliency(view, mean)?;
        let whole = Layout::whole(saliency.len());
        let layout = self.layout.as_ref().filter(|_| self.rule.scope == Scope::Tensor).unwrap_or(&whole);
        let mut mask = vec![0.0; saliency.len()];
        for block in layout.blocks() {
            let start = block.range.start;
            let idle: Vec<f64> = saliency[block.range.clone()].iter().map(|saliency| -saliency).collect();
            let count = (self.rule.part * idle.len() as f64).round() as usize;
            smallest(&idle, count).into_iter().for_each(|j| mask[start + j] = 1.0);
        }
        Ok(mean.like(&mask))
    }

    /// The largest z with which what is sent is as near to the mean as an honest vector. The same z lets the sum of its squared
    /// distances to the honest vectors be that of the honest vector of the least, for around a mean both are one.
    fn hidden(&self, honest: &Batch<'_>, moments: &Moments, mask: &Vector) -> f64 {
        let nearest2 = honest.distances(&moments.mean).into_iter().fold(f64::INFINITY, f64::min);
        let chosen = moments.deviation.times_each(mask);
        let others = moments.deviation.minus(&chosen);
        let left = nearest2 - self.rule.scale.powi(2) * chosen.dot(&chosen);
        let others2 = others.dot(&others);
        if left > 0.0 && others2 > 0.0 { (left / others2).sqrt() } else { 0.0 }
    }

    fn saliency(&self, view: &View<'_>, mean: &Vector) -> Result<Vec<f64>, AttackError> {
        let lengths = |of: &Vector| of.to_f64().into_iter().map(f64::abs).collect();
        Ok(match self.rule.saliency {
            Saliency::Snip => lengths(&view.point()?.times_each(mean)),
            Saliency::Magnitude => lengths(view.point()?),
            Saliency::Random => {
                let mut rng = view.rng.clone();
                (0..mean.len()).map(|_| rng.random()).collect()
            }
        })
    }
}

impl Stateful for Hybrid {
    fn state(&self) -> State {
        let mut state = State::default();
        state.vectors.extend(self.mask.clone().map(|mask| ("mask".to_owned(), mask)));
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.mask = state.vectors.get("mask").cloned();
        Ok(())
    }

    fn holds(&self, _: usize, _: u64) -> u64 {
        1
    }
}

impl Attack for Hybrid {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn know_layout(&mut self, layout: &Layout) {
        self.layout = Some(layout.clone());
    }

    fn remark(&self) -> Option<String> {
        self.remark.clone()
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let honest = view.honest()?;
        let moments = moments(honest, 1);
        let mask = match self.mask.take() {
            Some(mask) => mask,
            None => self.chosen(view, &moments.mean)?,
        };
        let z = self.z.unwrap_or_else(|| self.hidden(honest, &moments, &mask));
        let mut aside = moments.deviation.scaled(z);
        aside.axpy(self.rule.scale - z, &moments.deviation.times_each(&mask));
        let mut vector = moments.mean;
        if self.rule.towards == Towards::Zero {
            aside = aside.times_each(&vector.signum());
        }
        vector.axpy(-1.0, &aside);
        self.mask = Some(mask);
        Ok(view.everyone(&vector))
    }
}
