//! SkyMask: the vectors whose masks, learned on the server's own data, are like that of the server's own vector.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, Aggregator, Context, Judge, Layer, Rule, RuleError, beside,
    masks::{Masks, Pace},
    mixture,
    order::mean_of,
    spectrum::plane,
};
use crate::{
    Batch, Dtype, Matrix, Size, Vector,
    describe::{Described, ParameterError},
    simd::Real,
    state::Stateful,
};

/// How far a mask of typical slope moves in the first step, by default.
const TYPICAL: f64 = 0.1;

/// SkyMask: the mean of the vectors whose masks fall into one cluster with that of the server's own vector, of two clusters;
/// the masks are learned, so that the masked mean of all vectors lowers the loss on data of the server's own.
///
/// With g = x_(m+1) the server's own vector, w its point and s the logistic function of the masks, which are 1 at first, the
/// masked mean has the coordinates a_j = Σ_i s_ij x_ij / Σ_i s_ij. `steps` times every mask moves by -`rate` times its
/// slope of the loss at w - gamma a, but no farther than `reach`. A mask is then open where s is above `threshold`, and the
/// m + 1 patterns of open and closed, as 1 and 0 and along their two first principal components, are parted by a mixture of
/// two Gaussians: full covariances plus 1e-6 on their diagonals, at most 100 steps until the mean log-likelihood changes by
/// less than 1e-3, from the clusters of two means that start at the two farthest apart. Nothing is drawn.
///
/// If the server's mask is alone, the result is zero. Masks stand still where slopes are no numbers, so that vectors so long
/// that the loss has none pass: put `clipping` before. Two clusters are always looked for, so that without attackers some
/// honest vectors are left out. Each round takes `steps` gradients, one after the other, as does every probe of an attacker,
/// and 4 (m + 1) d bytes for the masks, which no plan of a run counts. What lies on a device comes to the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Skymask {
    /// Length of the step that is tried, in vectors; the authors take the local learning rate.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub gamma: f64,
    /// How many steps the masks take.
    #[schemars(range(min = 1))]
    pub steps: usize,
    /// What slopes of masks are multiplied by; by default 0.1 over the root mean square of those of the first step.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub rate: Option<f64>,
    /// The farthest that a mask moves in a step.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub reach: f64,
    /// Above what share of a coordinate a mask is open there.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub threshold: f64,
}

impl Default for Skymask {
    fn default() -> Self {
        Self { gamma: 0.1, steps: 20, rate: None, reach: 1.0, threshold: 0.5 }
    }
}

impl Described for Skymask {
    const NAME: &'static str = "skymask";
    const SOURCE: &'static str = "Yan et al., 2024";
}

impl Rule for Skymask {
    fn build(&self) -> Result<Layer, ParameterError> {
        ParameterError::positive("gamma", self.gamma)?;
        ParameterError::at_least_one("steps", self.steps)?;
        self.rate.map_or(Ok(()), |rate| ParameterError::positive("rate", rate))?;
        ParameterError::positive("reach", self.reach)?;
        ParameterError::below_one("threshold", self.threshold)?;
        Ok(Layer::Base(Box::new(self.clone())))
    }

    fn condition() -> &'static str {
        "m > 0, and data of the server's own, which only a run has; not under `gas`"
    }
}

impl Stateful for Skymask {}

impl Aggregator for Skymask {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::unless(size.m > 0, Self::NAME, "m > 0", size)
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let judge = context.judge.as_ref().ok_or(RuleError::NoJudge { rule: Self::NAME })?;
        let point = context.point.as_ref().ok_or(RuleError::NoPoint { rule: Self::NAME })?;
        beside::check(batch, point, Self::NAME)?;
        let reference = beside::reference(batch, context, Self::NAME)?;
        batch.require_finite()?;
        let all = batch.to_rows().into_iter().chain([reference.clone()]);
        let rows: Vec<Vector> = all.map(on_host).collect();
        let ground = Ground { judge: judge.as_ref(), point, origin: point.to_f64() };
        let differences = match rows[0].dtype() {
            Dtype::F32 => self.learned::<f32>(&rows, &ground),
            Dtype::F64 => self.learned::<f64>(&rows, &ground),
        }
        .map_err(|message| RuleError::Failed { rule: Self::NAME.to_owned(), message })?;
        let second = mixture::second(&plane(&differences));
        let m = batch.m();
        let kept: Vec<usize> = (0..m).filter(|&i| second[i] == second[m]).collect();
        Ok(Aggregate::span(mean_of(&kept, m)))
    }

    fn needs_point(&self) -> bool {
        true
    }

    fn needs_reference(&self) -> bool {
        true
    }

    fn needs_judge(&self) -> bool {
        true
    }
}

/// Where the masked mean is tried.
struct Ground<'a> {
    judge: &'a dyn Judge,
    /// The server's point.
    point: &'a Vector,
    /// Its coordinates.
    origin: Vec<f64>,
}

impl Skymask {
    /// At how many coordinates every two of the learned masks differ.
    fn learned<T: Real>(&self, rows: &[Vector], ground: &Ground<'_>) -> Result<Matrix, String> {
        let rows: Vec<&[T]> = rows.iter().filter_map(T::view).collect();
        let mut masks = Masks::new(rows.len(), ground.origin.len());
        let mut rate = self.rate;
        for _ in 0..self.steps {
            let mut slopes = ground.gradient_after(self.gamma, &masks.mean(&rows))?;
            slopes.iter_mut().for_each(|slope| *slope *= -self.gamma);
            let rate = *rate.get_or_insert_with(|| TYPICAL / masks.typical_slope(&rows, &slopes));
            masks.descend(&rows, &slopes, Pace { rate, reach: self.reach });
        }
        Ok(masks.differences(self.threshold))
    }
}

impl Ground<'_> {
    /// The gradient of the loss after a step of `gamma` times `vector`.
    fn gradient_after(&self, gamma: f64, vector: &[f64]) -> Result<Vec<f64>, String> {
        let there: Vec<f64> = self.origin.iter().zip(vector).map(|(w, a)| w - gamma * a).collect();
        let gradient = self.judge.gradient(&self.point.like(&there))?;
        if gradient.is_like(self.point) {
            return Ok(gradient.to_f64());
        }
        Err(format!("the judge's gradient has {}, the point has {}", gradient.kind(), self.point.kind()))
    }
}

/// The vector in the host's memory.
fn on_host(vector: Vector) -> Vector {
    if vector.is_on_host() { vector } else { vector.to_f64().into() }
}
