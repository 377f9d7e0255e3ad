//! A batch of some of the coordinates, drawn at random.

use rand::seq::index;
use rayon::prelude::*;

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

/// The (mapped) rows of `batch` at these places.
fn rows_at(batch: &Batch<'_>, places: &[usize]) -> Result<Vec<Vector>, RuleError> {
    let picked = |row: &Vector| match row.as_f32() {
        Some(row) => places.iter().map(|&at| row[at]).collect::<Vec<f32>>().into(),
        None => row.at(places).into(),
    };
    let raw: Vec<Vector> = batch.raw().par_iter().map(picked).collect();
    Ok(match batch.map() {
        None => raw,
        Some(w) => Batch::new(&raw)?.mapped(w.clone()).to_rows(),
    })
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
