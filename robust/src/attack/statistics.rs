//! What attacks want to know of the honest vectors, coordinate by coordinate.
//! One pass over memory each; sums are in f64 and relative to the first
//! vector, so that they survive nearly equal vectors of large norm.

#[cfg(feature = "torch")]
use tch::Tensor;

use super::AttackError;
use crate::{Batch, Gram, Vector};

/// Mean and standard deviation at every coordinate.
pub(super) struct Moments {
    /// The mean.
    pub mean: Vector,
    /// The standard deviation.
    pub deviation: Vector,
}

/// The vectors of `batch`, those under a map computed.
pub(super) fn rows(batch: &Batch<'_>) -> Vec<Vector> {
    (0..batch.m()).map(|i| batch.row(i)).collect()
}

/// The geometry of the honest vectors.
///
/// # Errors
/// [`AttackError::Failed`] if some of them are not finite.
pub(super) fn gram<'b>(honest: &'b Batch<'_>) -> Result<&'b Gram, AttackError> {
    honest.gram().map_err(|error| AttackError::Failed(format!("honest vectors: {error}")))
}

/// Mean and standard deviation of the vectors of `batch` at every coordinate, with the divisor n -
/// `ddof`; the deviation of n <= `ddof` vectors is zero.
pub(super) fn moments(batch: &Batch<'_>, ddof: usize) -> Moments {
    let rows = rows(batch);
    let divisor = rows.len().saturating_sub(ddof) as f64;
    let deviation = move |spread: f64| if divisor > 0.0 { (spread.max(0.0) / divisor).sqrt() } else { 0.0 };
    #[cfg(feature = "torch")]
    if let Some(rows) = tensors(&rows) {
        return torch_moments(&rows, divisor);
    }
    let n = rows.len() as f64;
    let (first, sums, squares) = sums(&rows);
    let mean: Vec<f64> = first.iter().zip(&sums).map(|(x, s)| x + s / n).collect();
    let spread: Vec<f64> = sums.iter().zip(&squares).map(|(s, q)| deviation(q - s * s / n)).collect();
    Moments { mean: rows[0].like(&mean), deviation: rows[0].like(&spread) }
}

/// The first row, and Σ (x_i - x_0) and Σ (x_i - x_0)² at every coordinate.
fn sums(rows: &[Vector]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let first = rows[0].to_f64();
    let (mut sums, mut squares) = (vec![0.0; first.len()], vec![0.0; first.len()]);
    for row in &rows[1..] {
        each(row, |j, value| {
            let y = value - first[j];
            sums[j] += y;
            squares[j] += y * y;
        });
    }
    (first, sums, squares)
}

/// Visits the coordinates of a vector on the host, as f64; a tensor is copied to it.
fn each(row: &Vector, mut visit: impl FnMut(usize, f64)) {
    match (row.as_f32(), row.as_f64()) {
        (Some(x), _) => x.iter().enumerate().for_each(|(j, &v)| visit(j, f64::from(v))),
        (_, Some(x)) => x.iter().enumerate().for_each(|(j, &v)| visit(j, v)),
        _ => row.to_f64().into_iter().enumerate().for_each(|(j, v)| visit(j, v)),
    }
}

/// The tensors of these rows, if that is what they are.
#[cfg(feature = "torch")]
fn tensors(rows: &[Vector]) -> Option<Vec<&Tensor>> {
    rows.iter().map(|row| if let Vector::Torch(t) = row { Some(t.tensor()) } else { None }).collect()
}

#[cfg(feature = "torch")]
fn torch_moments(rows: &[&Tensor], divisor: f64) -> Moments {
    tch::no_grad(|| {
        let kind = rows[0].kind();
        let first = rows[0].to_kind(tch::Kind::Double);
        let (mut sums, mut squares) = (first.zeros_like(), first.zeros_like());
        for row in &rows[1..] {
            let y = row.to_kind(tch::Kind::Double) - &first;
            sums += &y;
            squares += &y * &y;
        }
        let n = rows.len() as f64;
        let spread = (squares - &sums * &sums / n).clamp_min(0.0);
        let deviation = if divisor > 0.0 { (spread / divisor).sqrt() } else { spread.zeros_like() };
        let mean = first + sums / n;
        Moments { mean: Vector::from(mean.to_kind(kind)), deviation: Vector::from(deviation.to_kind(kind)) }
    })
}

/// The least and the largest value at every coordinate.
pub(super) fn extremes(rows: &[Vector]) -> (Vec<f64>, Vec<f64>) {
    let (mut least, mut largest) = (rows[0].to_f64(), rows[0].to_f64());
    for row in &rows[1..] {
        each(row, |j, value| {
            least[j] = least[j].min(value);
            largest[j] = largest[j].max(value);
        });
    }
    (least, largest)
}

/// The root mean square distance of the vectors of `batch` to their mean.
pub(super) fn spread(batch: &Batch<'_>, mean: &Vector) -> f64 {
    (batch.distances(mean).iter().sum::<f64>() / batch.m() as f64).sqrt()
}
