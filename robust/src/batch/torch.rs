//! Batches of tensors: the operations of `Batch` by libtorch, on the device of
//! the tensors. The batch never leaves it; m×m results and one number per row do.
//!
//! The rows are stacked once per batch. Passes go by blocks of columns, so that
//! copies in f64 and sorted copies stay small beside the batch.

use std::ops::Range;

use tch::{Kind, Tensor, no_grad};

use super::{
    BatchError, ColumnRule, Columns, Elector, Gram, Groups, Left, Map, Matrix, Median, Places,
    measure::{self, Rows, Trust},
    rounding,
};
use crate::{
    Vector,
    vector::{Shared, count, to_device},
};

/// Values in a block of columns.
const VALUES: usize = 1 << 23;

/// The m×d matrix of rows that are all torch vectors.
pub(super) fn stack(rows: &[Vector]) -> Shared {
    let tensors: Vec<&Tensor> = rows
        .iter()
        .filter_map(|row| match row {
            Vector::Torch(shared) => Some(shared.tensor()),
            _ => None,
        })
        .collect();
    Shared::from(no_grad(|| Tensor::stack(&tensors, 0)))
}

pub(super) fn gram(rows: &[Vector], stack: &Shared) -> Result<Gram, BatchError> {
    no_grad(|| {
        let all = |kept: Vec<usize>| vec![Device(select(stack.tensor(), &kept).into())];
        Ok(measure::grams(rows, all)?.remove(0))
    })
}

/// The geometry of the rows' coordinates at each of these sets of places.
pub(super) fn grams_at(rows: &[Vector], stack: &Shared, samples: &[Places]) -> Result<Vec<Gram>, BatchError> {
    no_grad(|| {
        measure::grams(rows, |kept| {
            let rows = select(stack.tensor(), &kept);
            let at = |sample: &Places| places(&sample.iter().collect::<Vec<_>>(), &rows);
            samples.iter().map(|sample| Device(rows.index_select(1, &at(sample)).into())).collect()
        })
    })
}

/// The rows at these places alone.
pub(super) fn at(stack: &Shared, at: &[usize]) -> Vec<Vector> {
    let rows = stack.tensor();
    no_grad(|| rows.index_select(1, &places(at, rows)).unbind(0).into_iter().map(Vector::from).collect())
}

/// Whether the coordinates of a row are finite, for every row.
pub(super) fn finite(stack: &Shared) -> Vec<bool> {
    let finite = no_grad(|| stack.tensor().isfinite().all_dim(1, false).to_kind(Kind::Double));
    to_host(&finite).iter().map(|&finite| finite != 0.0).collect()
}

pub(super) fn columns(
    stack: &Shared,
    map: Option<&Map>,
    rule: &ColumnRule,
    distances: bool,
) -> Result<Columns, BatchError> {
    by_block(stack, map, distances, |block| apply(rule, block))
}

pub(super) fn weighted_median(
    stack: &Shared,
    map: Option<&Map>,
    weights: &[f64],
    median: Median,
) -> Result<Vector, BatchError> {
    let all = to_device(&Tensor::from_slice(weights), stack.tensor().device());
    let total = weights.iter().sum();
    let columns = by_block(stack, map, false, |block| weighted(block, &all, total, median))?;
    Ok(columns.output)
}

/// Applies `rule` to the columns of every block.
fn by_block(
    stack: &Shared,
    map: Option<&Map>,
    distances: bool,
    rule: impl Fn(&Tensor) -> Tensor,
) -> Result<Columns, BatchError> {
    no_grad(|| {
        let rows = stack.tensor();
        let weights = map.map(|map| matrix_like(map, rows));
        let (mut output, mut finite, mut squares) = (Vec::new(), Vec::new(), Vec::new());
        for raw in blocks(rows) {
            finite.push(raw.isfinite().all_dim(1, false));
            let mapped = weights.as_ref().map_or_else(|| raw.shallow_clone(), |w| w.matmul(&raw));
            let value = rule(&mapped);
            if distances {
                squares.push(norms2(&(&raw - &value)));
            }
            output.push(value);
        }
        // In one copy, which waits for the device: whether each row is finite, and its squared distance.
        let mut told = vec![Tensor::stack(&finite, 0).all_dim(0, false).to_kind(Kind::Double)];
        told.extend(distances.then(|| sum(&squares)));
        let told = to_host(&Tensor::cat(&told, 0));
        let (finite, squares) = told.split_at(rows.size()[0] as usize);
        let bad: Vec<usize> = (0..finite.len()).filter(|&i| finite[i] == 0.0).collect();
        if !bad.is_empty() {
            return Err(BatchError::NonFinite(bad));
        }
        let distances = distances.then(|| squares.to_vec());
        Ok(Columns { output: Tensor::cat(&output, 0).into(), distances })
    })
}

pub(super) fn combine(stack: &Shared, coefficients: &[f64]) -> Vector {
    no_grad(|| {
        let rows = stack.tensor();
        let kept: Vec<usize> = (0..coefficients.len()).filter(|&i| coefficients[i] != 0.0).collect();
        let c: Vec<f64> = kept.iter().map(|&i| coefficients[i]).collect();
        let c = to_device(&Tensor::from_slice(&c).to_kind(rows.kind()), rows.device());
        c.matmul(&select(rows, &kept)).into()
    })
}

/// For every row its squared distances from `point` over each of these groups of coordinates, which are brought together,
/// of some groups at a time.
pub(super) fn distances_within(stack: &Shared, groups: &Groups, point: &Vector) -> Vec<Vec<f64>> {
    let Vector::Torch(point) = point else { return Vec::new() };
    no_grad(|| {
        let (rows, point, members) = (stack.tensor(), point.tensor(), groups.members());
        let largest = members.iter().map(Vec::len).max().unwrap_or(1);
        let sums = |groups: &[Vec<usize>]| {
            let at = places(&groups.concat(), rows);
            let squares =
                (rows.index_select(1, &at) - point.index_select(0, &at)).to_kind(Kind::Double).square();
            let sizes: Vec<i64> = groups.iter().map(|group| group.len() as i64).collect();
            let sums: Vec<Tensor> = squares
                .split_with_sizes(&sizes, 1)
                .iter()
                .map(|part| part.sum_dim_intlist(1, false, Kind::Double))
                .collect();
            Tensor::stack(&sums, 1)
        };
        let together = (VALUES / (rows.size()[0] as usize * largest)).max(1);
        let sums: Vec<Tensor> = members.chunks(together).map(sums).collect();
        to_host(&Tensor::cat(&sums, 1)).chunks(groups.count()).map(<[f64]>::to_vec).collect()
    })
}

pub(super) fn distances(stack: &Shared, map: Option<&Map>, point: &Vector) -> Vec<f64> {
    let Vector::Torch(point) = point else { return Vec::new() };
    no_grad(|| {
        let rows = stack.tensor();
        let weights = map.map(|map| matrix_like(map, rows));
        let mut at = 0;
        let parts: Vec<Tensor> = blocks(rows)
            .map(|raw| {
                let width = raw.size()[1];
                let point = point.tensor().narrow(0, at, width);
                at += width;
                norms2(&(weights.as_ref().map_or_else(|| raw.shallow_clone(), |w| w.matmul(&raw)) - point))
            })
            .collect();
        to_host(&sum(&parts))
    })
}

/// The inner products of the signs of the rows.
pub(super) fn sign_products(stack: &Shared) -> Matrix {
    let m = stack.tensor().size()[0] as usize;
    let part = |block: Tensor| {
        let signs = block.sign().to_kind(Kind::Double);
        signs.matmul(&signs.tr())
    };
    let products = no_grad(|| to_host(&sum(&blocks(stack.tensor()).map(part).collect::<Vec<_>>())));
    Matrix::from_fn(m, m, |i, j| products[i * m + j])
}

/// The k-th smallest absolute value of every row, one row after the other.
pub(super) fn ranked_lengths(stack: &Shared, k: usize) -> Vec<f64> {
    let one = |row: Tensor| row.abs().kthvalue(k as i64 + 1, 0, false).0;
    no_grad(|| to_host(&Tensor::stack(&stack.tensor().unbind(0).into_iter().map(one).collect::<Vec<_>>(), 0)))
}

/// The mean of what has the elected sign.
pub(super) fn elected_mean(stack: &Shared, electors: &[Elector]) -> Vector {
    let rows = stack.tensor();
    let of =
        |of: fn(&Elector) -> f64| column(&electors.iter().map(of).collect::<Vec<_>>(), Kind::Double, rows);
    no_grad(|| {
        let [votes, factors, thresholds] = [of(|e| e.votes), of(|e| e.factor), of(|e| e.threshold)];
        let mean = |block: Tensor| {
            let block = block.to_kind(Kind::Double);
            let elected = (&votes * block.sign()).sum_dim_intlist(0, false, Kind::Double).sign();
            let clamp = apply(&ColumnRule::Median(Median::Midpoint), &(block.abs() * &factors));
            let along = block * &elected;
            let is_long = along.gt_tensor(&thresholds).to_kind(Kind::Double);
            let values = (&along * &factors).minimum(&clamp) * is_long;
            let count = values.gt(0.0).sum_dim_intlist(0, false, Kind::Double).clamp_min(1.0);
            (elected * values.sum_dim_intlist(0, false, Kind::Double) / count).to_kind(rows.kind())
        };
        // several copies of a block are there at once
        let means: Vec<Tensor> = blocks_for(rows, 4 * electors.len()).map(mean).collect();
        Tensor::cat(&means, 0).into()
    })
}

/// What is left of every row in every block without its short coordinates. A device is waited for once.
pub(super) fn left(stack: &Shared, blocks: &[Range<usize>], least: &[f64]) -> Vec<Vec<Left>> {
    no_grad(|| {
        let rows = stack.tensor();
        let least = column(least, Kind::Double, rows);
        let told: Vec<Tensor> = blocks.iter().map(|block| told_of(rows, block, &least)).collect();
        let told = to_host(&Tensor::stack(&told, 0)); // of each block, three numbers of every row
        let m = rows.size()[0] as usize;
        let of = |i: usize, block: &[f64]| Left {
            norm2: block[i],
            up: block[m + i] as usize,
            down: block[2 * m + i] as usize,
        };
        (0..m).map(|i| told.chunks(3 * m).map(|block| of(i, block)).collect()).collect()
    })
}

/// The squared norm and the numbers of both signs of every row in a block without its short coordinates, 3×m.
fn told_of(rows: &Tensor, block: &Range<usize>, least: &Tensor) -> Tensor {
    let told = |part: &Tensor| {
        let long = long(part, least);
        let count = |is: Tensor| is.sum_dim_intlist(1, false, Kind::Double);
        Tensor::stack(&[norms2(&long), count(long.gt(0.0)), count(long.lt(0.0))], 0)
    };
    sum(&pieces(rows, block).iter().map(told).collect::<Vec<_>>())
}

/// In every block the combination of the rows without their short coordinates.
pub(super) fn combine_left(
    stack: &Shared,
    blocks: &[Range<usize>],
    least: &[f64],
    coefficients: &[Vec<f64>],
) -> Vector {
    no_grad(|| {
        let rows = stack.tensor();
        let least = column(least, Kind::Double, rows);
        let of = |(block, coefficients): (&Range<usize>, &Vec<f64>)| {
            let c = column(coefficients, rows.kind(), rows).squeeze_dim(1);
            pieces(rows, block).iter().map(|part| c.matmul(&long(part, &least))).collect::<Vec<_>>()
        };
        let parts: Vec<Tensor> = blocks.iter().zip(coefficients).flat_map(of).collect();
        Tensor::cat(&parts, 0).into()
    })
}

/// The rows at the coordinates of a block, in pieces.
fn pieces(rows: &Tensor, block: &Range<usize>) -> Vec<Tensor> {
    blocks(&rows.narrow(1, block.start as i64, block.len() as i64)).collect()
}

/// The rows with 0 in place of coordinates shorter than `least` of the row, m×1.
fn long(rows: &Tensor, least: &Tensor) -> Tensor {
    rows * rows.abs().ge_tensor(least)
}

/// One number for each row beside them, m×1.
fn column(values: &[f64], kind: Kind, rows: &Tensor) -> Tensor {
    to_device(&Tensor::from_slice(values).to_kind(kind), rows.device()).unsqueeze(1)
}

/// The inner product of every row and `point`.
pub(super) fn dots(stack: &Shared, point: &Vector) -> Vec<f64> {
    let Vector::Torch(point) = point else { return Vec::new() };
    no_grad(|| {
        let mut at = 0;
        let parts: Vec<Tensor> = blocks(stack.tensor())
            .map(|raw| {
                let width = raw.size()[1];
                let point = point.tensor().narrow(0, at, width);
                at += width;
                raw.to_kind(Kind::Double).mv(&point.to_kind(Kind::Double))
            })
            .collect();
        to_host(&sum(&parts))
    })
}

/// The squared distances of these pairs of rows, where row m is the origin.
pub(super) fn distances_between(stack: &Shared, pairs: &[(usize, Option<usize>)]) -> Vec<f64> {
    let rows = stack.tensor();
    let m = rows.size()[0] as usize;
    let places = |all: Vec<usize>| places(&all, rows);
    no_grad(|| {
        let left = places(pairs.iter().map(|&(i, _)| i).collect());
        let right = places(pairs.iter().map(|&(_, j)| j.unwrap_or(m)).collect());
        let part = |block: Tensor| {
            let block = Tensor::cat(&[&block, &block.narrow(0, 0, 1).zeros_like()], 0).to_kind(Kind::Double);
            norms2(&(block.index_select(0, &left) - block.index_select(0, &right)))
        };
        to_host(&sum(&blocks_for(rows, m + 1 + 2 * pairs.len()).map(part).collect::<Vec<_>>()))
    })
}

/// Blocks of columns of an m×d matrix, left to right.
fn blocks(rows: &Tensor) -> impl Iterator<Item = Tensor> {
    blocks_for(rows, rows.size()[0] as usize)
}

/// Such blocks for work that keeps `height` rows of them.
fn blocks_for(rows: &Tensor, height: usize) -> impl Iterator<Item = Tensor> {
    let d = rows.size()[1];
    let width = (VALUES as i64 / height as i64).max(1);
    (0..d).step_by(width as usize).map(move |at| rows.narrow(1, at, width.min(d - at)))
}

/// These rows of a matrix; no copy if they are all.
fn select(rows: &Tensor, kept: &[usize]) -> Tensor {
    if kept.len() as i64 == rows.size()[0] {
        return rows.shallow_clone();
    }
    rows.index_select(0, &places(kept, rows))
}

/// Indices of rows as a tensor beside them.
fn places(indices: &[usize], rows: &Tensor) -> Tensor {
    let indices: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
    to_device(&Tensor::from_slice(&indices), rows.device())
}

fn matrix_like(map: &Map, like: &Tensor) -> Tensor {
    let shape = [map.rows() as i64, map.columns() as i64];
    let values = Tensor::from_slice(map.to_matrix().values()).view(shape).to_kind(like.kind());
    to_device(&values, like.device())
}

/// The squared norm of every row, in f64.
fn norms2(rows: &Tensor) -> Tensor {
    rows.to_kind(Kind::Double).square().sum_dim_intlist(1, false, Kind::Double)
}

fn sum(parts: &[Tensor]) -> Tensor {
    Tensor::stack(parts, 0).sum_dim_intlist(0, false, Kind::Double)
}

fn to_host(values: &Tensor) -> Vec<f64> {
    Shared::from(values.to_kind(Kind::Double).flatten(0, -1)).to_f64()
}

/// The rule's value of every column of an n×w block.
fn apply(rule: &ColumnRule, block: &Tensor) -> Tensor {
    let n = block.size()[0];
    let mean = |x: &Tensor| {
        let count = x.size()[0] as u64;
        let share = 1.0 / count.next_power_of_two() as f64; // exact, and no sum overflows
        (x.to_kind(Kind::Double) * share).sum_dim_intlist(0, false, Kind::Double) / (share * count as f64)
    };
    let signs = || block.sign().sum_dim_intlist(0, false, block.kind());
    match *rule {
        ColumnRule::SignMajority => return signs().sign(),
        ColumnRule::TurnedMean { votes } => {
            let mean = mean(block);
            let turned = mean.neg().where_self(&signs().abs().lt(votes as f64), &mean);
            return turned.to_kind(block.kind());
        }
        _ => {}
    }
    let sorted = block.sort(0, false).0;
    let at = |i: usize| sorted.get(i as i64).to_kind(Kind::Double);
    let middle = |median: Median| match median.places(n as usize) {
        (low, high) if low == high => at(low),
        (low, high) => at(low) * 0.5 + at(high) * 0.5,
    };
    let trimmed = |f: usize| mean(&sorted.narrow(0, f as i64, n - 2 * f as i64));
    let value = match *rule {
        ColumnRule::Median(median) => middle(median),
        ColumnRule::TrimmedMean { f } => trimmed(f),
        ColumnRule::Minimum => at(0),
        ColumnRule::Maximum => at(n as usize - 1),
        ColumnRule::MeanAroundMedian { keep, median } => {
            mean(&nearest(&sorted, &middle(median), keep as i64))
        }
        ColumnRule::MeanAroundTrimmedMean { keep, f } => mean(&nearest(&sorted, &trimmed(f), keep as i64)),
        ColumnRule::SignMajority | ColumnRule::TurnedMean { .. } => unreachable!("they need no order"),
    };
    value.to_kind(block.kind())
}

/// The weighted median of every column of an n×w block; the weights are n of f64.
fn weighted(block: &Tensor, weights: &Tensor, total: f64, which: Median) -> Tensor {
    let (sorted, order) = block.sort(0, false);
    let twice = weights.take(&order).cumsum(0, Kind::Double) * 2.0;
    let rounding = rounding(block.size()[0] as usize);
    let at = twice.lt(total * (1.0 - rounding)).sum_dim_intlist(0, true, Kind::Int64);
    let value = |at: &Tensor| sorted.gather(0, at, false).to_kind(Kind::Double);
    let (this, next) = which.parts();
    let between = value(&at) * this + value(&(&at + 1).clamp_max(block.size()[0] - 1)) * next;
    let median = between.where_self(&twice.gather(0, &at, false).le(total * (1.0 + rounding)), &value(&at));
    median.squeeze_dim(0).to_kind(block.kind())
}

/// The `keep` values of every sorted column nearest to `centre`; on a tie the lower one. They are a window,
/// which moves on while the value that enters is nearer than the one that leaves.
fn nearest(sorted: &Tensor, centre: &Tensor, keep: i64) -> Tensor {
    let moves = sorted.size()[0] - keep;
    let part = |at: i64| sorted.narrow(0, at, moves).to_kind(Kind::Double);
    let nearer = (part(0) + part(keep)).less_tensor(&(centre * 2.0));
    let start = nearer.sum_dim_intlist(0, true, Kind::Int64);
    let window = Tensor::arange(keep, (Kind::Int64, sorted.device())).unsqueeze(1);
    sorted.gather(0, &(start + window), false)
}

/// Rows on the device of their tensors, m×d.
struct Device(Shared);

impl Rows for Device {
    fn count(&self) -> usize {
        self.0.tensor().size()[0] as usize
    }

    fn products(&self, centre: usize, _exact: bool) -> Matrix {
        let m = self.count();
        let part = |block: Tensor| {
            let x = block.to_kind(Kind::Double);
            let c = x.narrow(0, centre as i64, 1);
            let y = Tensor::cat(&[&x - &c, c], 0);
            y.matmul(&y.tr())
        };
        let products = to_host(&sum(&blocks(self.0.tensor()).map(part).collect::<Vec<_>>()));
        Matrix::from_fn(m + 1, m + 1, |i, j| products[i * (m + 1) + j])
    }

    fn trust(&self, _exact: bool) -> Trust {
        Trust::OF_F64
    }

    fn differences(&self, pairs: &[(usize, Option<usize>)]) -> Vec<f64> {
        distances_between(&self.0, pairs)
    }

    fn is_finite(&self, i: usize) -> bool {
        self.differences(&[(i, None)])[0].is_finite()
    }

    fn same(&self, i: usize, j: usize) -> bool {
        count(1);
        self.0.tensor().get(i as i64).equal(&self.0.tensor().get(j as i64))
    }
}
