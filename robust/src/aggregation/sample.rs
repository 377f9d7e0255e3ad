//! A batch of some of the coordinates, drawn at random.

use rand::seq::index;

use super::RuleError;
use crate::{Batch, Vector, random::Stream};

/// The (mapped) rows of `batch` at `count` coordinates drawn without replacement, or all if there are no more.
pub(super) fn sampled(batch: &Batch<'_>, count: usize, rng: &mut Stream) -> Result<Vec<Vector>, RuleError> {
    rows_at(batch, &drawn(batch.d(), count, rng))
}

/// `count` of d places, ascending, drawn without replacement, or all if there are no more.
fn drawn(d: usize, count: usize, rng: &mut Stream) -> Vec<usize> {
    if count >= d {
        return (0..d).collect();
    }
    let mut taken = vec![0u64; d.div_ceil(64)];
    index::sample(rng, d, count).into_iter().for_each(|at| taken[at / 64] |= 1 << (at % 64));
    let mut places = Vec::with_capacity(count);
    for (word, mut bits) in taken.into_iter().enumerate() {
        while bits != 0 {
            places.push(64 * word + bits.trailing_zeros() as usize);
            bits &= bits - 1;
        }
    }
    places
}

/// Places that are looked up in one row after the other before moving on: they stay in a first-level cache.
const PLACES: usize = 1024;

/// The (mapped) rows of `batch` at these places.
fn rows_at(batch: &Batch<'_>, places: &[usize]) -> Result<Vec<Vector>, RuleError> {
    let f32s: Option<Vec<&[f32]>> = batch.raw().iter().map(Vector::as_f32).collect();
    let raw: Vec<Vector> = match f32s {
        Some(rows) => picked(&rows, places).into_iter().map(Vector::from).collect(),
        None => batch.raw().iter().map(|row| row.at(places).into()).collect(),
    };
    let rows = Batch::new(&raw)?;
    Ok(match batch.map() {
        None => raw,
        Some(w) => {
            let mapped = rows.mapped(w.clone());
            (0..mapped.m()).map(|i| mapped.row(i)).collect()
        }
    })
}

fn picked(rows: &[&[f32]], places: &[usize]) -> Vec<Vec<f32>> {
    let mut all: Vec<Vec<f32>> = rows.iter().map(|_| Vec::with_capacity(places.len())).collect();
    for places in places.chunks(PLACES) {
        for (picked, row) in all.iter_mut().zip(rows) {
            picked.extend(places.iter().map(|&at| row[at]));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::drawn;
    use crate::random::Seed;

    #[test]
    fn places_are_distinct_ascending_and_equally_likely() {
        let mut rng = Seed(1).stream("test", 0, "places", 1);
        let mut often = [0; 130];
        for _ in 0..4000 {
            let places = drawn(130, 40, &mut rng);
            assert!(places.len() == 40 && places.is_sorted_by(|a, b| a < b));
            places.into_iter().for_each(|at| often[at] += 1);
        }
        // 1231 expected, with a standard deviation of 29
        assert!(often.iter().all(|&count| (1080..1380).contains(&count)), "{often:?}");
        assert_eq!(drawn(3, 5, &mut rng), [0, 1, 2]);
    }
}
