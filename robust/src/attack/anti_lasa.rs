//! The attack on layer-adaptive sparsified aggregation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::{Attack, AttackError, AttackRule, Knowledge, View, statistics};
use crate::{
    Layout, Size, Vector,
    aggregation::smallest,
    describe::{Described, ParameterError},
    state::Stateful,
    vector::dot::dot,
};

/// Anti-LASA: all send, in every parameter tensor, -r · p / ‖p‖ with the median r of the honest norms there and p = 0 but where
/// few honest vectors are sparsified: there it has the sign of the honest mean.
///
/// A server that works as `lasa` drops the `sparsity` of the shortest coordinates of a vector, wherever they lie. Of all
/// coordinates the `wide` part that fewest honest vectors have among theirs has the length z in p, and of these the `narrow`
/// part has `scale`; equal numbers go by index, and parts are rounded down. So the vector keeps its coordinates, has a norm
/// like others in every tensor, and is opposed to the mean. Of an even number of norms the lower middle one is the median.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AntiLasa {
    /// The part of the coordinates of a vector that the server drops.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sparsity: f64,
    /// The part of all coordinates that is not zero.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub wide: f64,
    /// The part that is longest.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub narrow: f64,
    /// The length of most coordinates; without it, Phi^-1(1 - f / 2m).
    pub z: Option<f64>,
    /// The length of the longest.
    pub scale: f64,
}

impl Default for AntiLasa {
    fn default() -> Self {
        Self { sparsity: 0.3, wide: 0.7, narrow: 0.01, z: None, scale: 1.5 }
    }
}

impl Described for AntiLasa {
    const NAME: &'static str = "anti-lasa";
    const SOURCE: &'static str = "after FL-Byzantine-Library (CRYPTO-KU)";
}

impl AttackRule for AntiLasa {
    fn build(&self, Size { m, f }: Size) -> Result<Box<dyn Attack>, ParameterError> {
        ParameterError::fraction("sparsity", self.sparsity)?;
        ParameterError::fraction("wide", self.wide)?;
        ParameterError::fraction("narrow", self.narrow)?;
        let z = self.z.unwrap_or_else(|| Normal::standard().inverse_cdf(1.0 - f as f64 / (2.0 * m as f64)));
        ParameterError::finite("z", z)?;
        ParameterError::finite("scale", self.scale)?;
        Ok(Box::new(Against { rule: self.clone(), z, layout: None }))
    }
}

#[derive(Clone)]
struct Against {
    rule: AntiLasa,
    z: f64,
    /// Where tensors lie; None takes a vector as one.
    layout: Option<Layout>,
}

impl Stateful for Against {}

impl Against {
    /// How long p is at every coordinate.
    fn lengths(&self, honest: &[Vec<f64>]) -> Vec<f64> {
        let d = honest[0].len();
        let part = |part: f64| (part * d as f64) as usize;
        let mut dropped = vec![0.0; d];
        for row in honest {
            let short: Vec<f64> = row.iter().map(|x| x.abs()).collect();
            smallest(&short, part(self.rule.sparsity)).into_iter().for_each(|j| dropped[j] += 1.0);
        }
        let mut lengths = vec![0.0; d];
        smallest(&dropped, part(self.rule.wide)).into_iter().for_each(|j| lengths[j] = self.z);
        smallest(&dropped, part(self.rule.narrow)).into_iter().for_each(|j| lengths[j] = self.rule.scale);
        lengths
    }
}

impl Attack for Against {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn know_layout(&mut self, layout: &Layout) {
        self.layout = Some(layout.clone());
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let batch = view.honest()?;
        let honest: Vec<Vec<f64>> = statistics::rows(batch).iter().map(Vector::to_f64).collect();
        let (lengths, signs) = (self.lengths(&honest), batch.mean().signum().to_f64());
        let mut vector: Vec<f64> = lengths.iter().zip(signs).map(|(length, sign)| -length * sign).collect();
        let norm = |values: &[f64]| dot(values, values).sqrt();
        let layout = self.layout.clone().unwrap_or_else(|| Layout::whole(vector.len()));
        for block in layout.blocks() {
            let mut norms: Vec<f64> = honest.iter().map(|row| norm(&row[block.range.clone()])).collect();
            norms.sort_by(f64::total_cmp);
            let part = &mut vector[block.range.clone()];
            let length = norm(part);
            let scale = if length > 0.0 { norms[(norms.len() - 1) / 2] / length } else { 0.0 };
            part.iter_mut().for_each(|x| *x *= scale);
        }
        Ok(view.everyone(&view.shape.like(&vector)))
    }
}
