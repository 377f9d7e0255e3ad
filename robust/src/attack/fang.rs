//! Local model poisoning, made for one rule.

use rand::RngExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Attack, AttackError, AttackRule, Knowledge, View, statistics};
use crate::{
    Batch, Gram, Size, Vector,
    describe::{Described, ParameterError},
    random::Stream,
    state::Stateful,
};

/// The rule that the attack is made for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Krum.
    Krum,
    /// The coordinate-wise trimmed mean.
    #[default]
    Cwtm,
    /// The coordinate-wise median; the paper's attack on it is the one on the trimmed mean.
    Cwmed,
}

/// Local model poisoning with full knowledge. Against cwtm and cwmed every worker draws each
/// coordinate uniformly from just beyond the honest values, on the side against the sign of their
/// mean: where that is positive from [l / b, l] ([b l, l] if the least value l is negative), where it
/// is negative from [u, b u] ([u, u / b] if the largest value u is negative), where it is zero it
/// stays zero. Against Krum all send -lambda · sign(mu), with lambda halved from the paper's upper
/// bound until Krum (squared distances, m - f - 2 neighbours) would choose it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fang {
    /// The rule that the attack is made for.
    pub target: Target,
    /// Against cwtm and cwmed: how far beyond the honest values, as a factor.
    #[schemars(extend("exclusiveMinimum" = 1.0))]
    pub b: f64,
    /// Against Krum: the lambda at which halving ends, chosen or not.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub threshold: f64,
}

impl Default for Fang {
    fn default() -> Self {
        Self { target: Target::Cwtm, b: 2.0, threshold: 1e-5 }
    }
}

impl Described for Fang {
    const NAME: &'static str = "fang";
    const SOURCE: &'static str = "Fang, Cao, Jia & Gong, 2020";
}

impl AttackRule for Fang {
    fn build(&self, _: Size) -> Result<Box<dyn Attack>, ParameterError> {
        ParameterError::unless(self.b > 1.0 && self.b.is_finite(), "b", self.b, "a factor above 1")?;
        ParameterError::positive("threshold", self.threshold)?;
        Ok(Box::new(self.clone()))
    }
}

impl Stateful for Fang {}

impl Attack for Fang {
    fn knowledge(&self) -> Knowledge {
        Knowledge::Honest
    }

    fn needs_pairs(&self) -> bool {
        self.target == Target::Krum
    }

    fn forge(&mut self, view: &View<'_>) -> Result<Vec<Vector>, AttackError> {
        let honest = view.honest()?;
        match self.target {
            Target::Krum => Ok(view.everyone(&against_krum(honest, view.members.len(), self.threshold)?)),
            Target::Cwtm | Target::Cwmed => {
                let sides = beyond(honest, self.b);
                let mut rng = view.rng.clone();
                Ok(view.members.iter().map(|_| view.shape.like(&drawn(&sides, &mut rng))).collect())
            }
        }
    }
}

/// At every coordinate the interval (from, to) beyond the honest values, against the sign of their mean.
fn beyond(honest: &Batch<'_>, b: f64) -> Vec<(f64, f64)> {
    let rows = statistics::rows(honest);
    let (least, largest) = statistics::extremes(&rows);
    let interval = |(&mean, (&l, &u)): (&f64, (&f64, &f64))| match mean {
        _ if mean > 0.0 => (if l > 0.0 { l / b } else { b * l }, l),
        _ if mean < 0.0 => (u, if u > 0.0 { b * u } else { u / b }),
        _ => (0.0, 0.0),
    };
    honest.mean().to_f64().iter().zip(least.iter().zip(&largest)).map(interval).collect()
}

fn drawn(intervals: &[(f64, f64)], rng: &mut Stream) -> Vec<f64> {
    intervals.iter().map(|(from, to)| from + (to - from) * rng.random::<f64>()).collect()
}

/// -lambda · sign(mu), for the first lambda on the way down that Krum chooses.
fn against_krum(honest: &Batch<'_>, attackers: usize, threshold: f64) -> Result<Vector, AttackError> {
    let gram = statistics::gram(honest)?;
    let direction = honest.mean().signum().scaled(-1.0);
    let along: Vec<f64> = (0..gram.m()).map(|i| honest.row(i).dot(&direction)).collect();
    let square = direction.dot(&direction);
    let mut lambda = upper_bound(gram, honest.d(), attackers);
    let distances = |lambda: f64| -> Vec<f64> {
        (0..gram.m())
            .map(|i| gram.row_norm2(i) - 2.0 * lambda * along[i] + lambda * lambda * square)
            .collect()
    };
    while lambda >= threshold && !is_chosen(gram, &distances(lambda), attackers) {
        lambda /= 2.0;
    }
    Ok(direction.scaled(lambda))
}

/// The largest lambda that Krum can choose, by the paper's theorem 1 with the origin as the model
/// before the round.
fn upper_bound(gram: &Gram, d: usize, attackers: usize) -> f64 {
    let n = gram.m();
    let smallest = (0..n).map(|i| nearest(gram, i, n.saturating_sub(2))).fold(f64::INFINITY, f64::min);
    let room = (n as f64 - attackers as f64 - 1.0).max(1.0);
    let farthest = (0..n).map(|i| gram.row_norm2(i)).fold(0.0, f64::max);
    (smallest / (room * d as f64)).sqrt() + (farthest / d as f64).sqrt()
}

/// Sum of the squared distances of honest vector i to its `count` nearest honest ones.
fn nearest(gram: &Gram, i: usize, count: usize) -> f64 {
    least((0..gram.m()).filter(|&j| j != i).map(|j| gram.distance2(i, j)).collect(), count)
}

/// Sum of the `count` least values.
fn least(mut values: Vec<f64>, count: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.iter().take(count).sum()
}

/// Whether Krum prefers one of `attackers` equal vectors at these squared distances to every honest
/// vector.
fn is_chosen(gram: &Gram, distances: &[f64], attackers: usize) -> bool {
    let (n, neighbours) = (gram.m(), (gram.m()).saturating_sub(2));
    let own = least(distances.to_vec(), neighbours.saturating_sub(attackers.saturating_sub(1)));
    (0..n).all(|i| {
        let others = (0..n).filter(|&j| j != i).map(|j| gram.distance2(i, j));
        own < least(others.chain(std::iter::repeat_n(distances[i], attackers)).collect(), neighbours)
    })
}
