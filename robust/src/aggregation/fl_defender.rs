//! FL-Defender: workers are trusted by how their likeness to others in the last layer goes along with that of most.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Aggregate, Aggregator, Context, Layer, Rule, RuleError,
    order::{cosine_distances, each, median},
    spectrum::top,
    tensors::layout,
};
use crate::{
    Batch, Layout, Matrix, Size, Vector,
    describe::{Described, ParameterError},
    state::{State, StateError, Stateful},
    vector::dot::dot,
};

/// What rounding may leave where there is nothing, as a part of the largest.
const ROUNDING: f64 = 1e-12;

/// FL-Defender: the mean of the vectors, each weighted by how much more its worker is trusted than a quarter of them, by how
/// its likeness to others in the last layer has gone along with that of most.
///
/// Row i of a matrix holds the cosines of worker i's coordinates in the last layer with those of the others, and 0 for itself.
/// Its columns are brought to mean 0 and standard deviation 1, and its rows to their first two principal components. The
/// score of worker i is the cosine between its row and the coordinate-wise median of the rows (midpoint), 0 where one of
/// them is 0, and its trust t_i is the sum of its scores. The weight is max(0, t_i - q), with the first quartile q of the
/// trust in all workers who have sent vectors so far (interpolated), over the sum of the weights; equal for all if all are 0.
///
/// The last layer is that of the task's model, weights and biases. A convex task has one, which is the whole vector.
/// Remembers a number for every worker, and cannot stand under bucketing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FlDefender {}

impl Described for FlDefender {
    const NAME: &'static str = "fl-defender";
    const SOURCE: &'static str = "Jebreel & Domingo-Ferrer, 2023";
}

impl Rule for FlDefender {
    fn build(&self) -> Result<Layer, ParameterError> {
        Ok(Layer::Base(Box::<Defender>::default()))
    }

    fn condition() -> &'static str {
        "m > 2f; not under `bucketing` or `gas`"
    }
}

/// The rule with its memory, and with what it was told.
#[derive(Clone, Debug, Default)]
struct Defender {
    /// The sum of the scores of each worker.
    trust: BTreeMap<usize, f64>,
    layout: Option<Layout>,
}

const TRUST: &str = "trust";

impl Stateful for Defender {
    fn state(&self) -> State {
        let mut state = State::default();
        state.values.insert(TRUST.into(), json!(self.trust));
        state
    }

    fn restore(&mut self, state: &State) -> Result<(), StateError> {
        self.trust = state.value(FlDefender::NAME, TRUST)?;
        Ok(())
    }
}

impl Aggregator for Defender {
    fn check(&self, size: Size) -> Result<(), RuleError> {
        RuleError::minority(FlDefender::NAME, size)
    }

    fn knows_workers(&self) -> bool {
        true
    }

    fn needs_layout(&self) -> bool {
        true
    }

    fn know_layout(&mut self, layout: &Layout) -> Result<(), RuleError> {
        self.layout = Some(layout.clone());
        Ok(())
    }

    fn aggregate(&mut self, batch: &Batch<'_>, context: &mut Context) -> Result<Aggregate, RuleError> {
        let layout = layout(self.layout.as_ref(), batch.d(), FlDefender::NAME)?;
        let scores = scores(&likeness(batch, &layout)?);
        let workers: Vec<usize> = (0..batch.m()).map(|i| context.worker(i)).collect();
        for (worker, score) in workers.iter().zip(scores) {
            *self.trust.entry(*worker).or_default() += score;
        }
        let quartile = quartile(self.trust.values().copied().collect());
        let above = workers.iter().map(|worker| (self.trust[worker] - quartile).max(0.0));
        Ok(Aggregate::span(shares(above.collect())))
    }
}

/// The cosines between the vectors in the last layer, with 0 on the diagonal.
fn likeness(batch: &Batch<'_>, layout: &Layout) -> Result<Matrix, RuleError> {
    let last = layout.last_layer();
    let distances = if last.len() == batch.d() {
        cosine_distances(batch.gram()?)
    } else {
        batch.check_finite()?; // a row that is not finite elsewhere is none of the last layer's
        let rows: Vec<Vector> = batch.raw_at(&last.collect::<Vec<_>>());
        cosine_distances(batch.over(&rows)?.gram()?)
    };
    let cosine = |i: usize, j: usize| if i == j { 0.0 } else { 1.0 - distances[(i, j)] };
    Ok(Matrix::from_fn(batch.m(), batch.m(), cosine))
}

/// How the rows of this matrix go along with their median, in two dimensions.
fn scores(likeness: &Matrix) -> Vec<f64> {
    let [x, y] = principal(&standardised(likeness));
    let (across, up) = (median(&x), median(&y));
    let lengths: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x.hypot(*y)).collect();
    let least = ROUNDING * lengths.iter().copied().fold(0.0, f64::max);
    let centre = across.hypot(up);
    let cosine = |i: usize| match lengths[i].min(centre) {
        short if short <= least => 0.0,
        _ => (x[i] * across + y[i] * up) / (lengths[i] * centre),
    };
    (0..lengths.len()).map(cosine).collect()
}

/// The matrix with columns of mean 0 and standard deviation 1, or of zeros where all values of one are equal.
fn standardised(matrix: &Matrix) -> Matrix {
    let m = matrix.rows();
    let mut columns = matrix.transposed();
    for j in 0..m {
        let column = columns.row_mut(j);
        let mean = column.iter().sum::<f64>() / m as f64;
        let deviation = (column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / m as f64).sqrt();
        let scale = if deviation <= ROUNDING { 0.0 } else { 1.0 / deviation };
        column.iter_mut().for_each(|v| *v = scale * (*v - mean));
    }
    columns.transposed()
}

/// The first two principal components of each row of a matrix whose columns have mean 0.
fn principal(matrix: &Matrix) -> [Vec<f64>; 2] {
    let m = matrix.rows();
    let products = each(m, |i| (0..m).map(|j| dot(matrix.row(i), matrix.row(j))).collect::<Vec<_>>());
    let products = Matrix::from_fn(m, m, |i, j| products[i][j]);
    let (first, u) = top(&products);
    let rest = Matrix::from_fn(m, m, |i, j| products[(i, j)] - first * u[i] * u[j]);
    let (second, v) = top(&rest);
    let second = if second <= ROUNDING * first { 0.0 } else { second };
    let along = |value: f64, vector: Vec<f64>| vector.iter().map(|x| value.sqrt() * x).collect();
    [along(first, u), along(second, v)]
}

/// The value a quarter of the way through these, in order.
fn quartile(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let place = (values.len() - 1) as f64 / 4.0;
    let (lower, upper) = (values[place.floor() as usize], values[place.ceil() as usize]);
    lower + (upper - lower) * place.fract()
}

/// The weights as parts of their sum; equal ones if all are 0.
fn shares(weights: Vec<f64>) -> Vec<f64> {
    match weights.iter().sum::<f64>() {
        0.0 => vec![1.0 / weights.len() as f64; weights.len()],
        total => weights.iter().map(|weight| weight / total).collect(),
    }
}
