//! A batch of some of the coordinates, drawn at random.

use rand::RngExt;
use rayon::prelude::*;

use super::RuleError;
use crate::{Batch, Vector, batch::Places, random::Stream};

/// Below this probability, as a part of 256, places are drawn faster one by one than with random bits for all of them.
const FEW: f64 = 16.0;

/// The (mapped) rows of `batch` at `count` coordinates drawn without replacement, or all if there are no more.
pub(super) fn sampled(batch: &Batch<'_>, count: usize, rng: &mut Stream) -> Result<Vec<Vector>, RuleError> {
    let places: Vec<usize> = drawn(batch.d(), count, rng).iter().collect();
    let raw: Vec<Vector> = batch.raw().par_iter().map(|row| row.at(&places).into()).collect();
    Ok(match batch.map() {
        None => raw,
        Some(w) => Batch::new(&raw)?.mapped(w.clone()).to_rows(),
    })
}

/// `count` of d places drawn without replacement, or all if there are no more.
pub(super) fn drawn(d: usize, count: usize, rng: &mut Stream) -> Places {
    let (count, left) = (count.min(d), d.saturating_sub(count));
    if count <= left { few(d, count, rng) } else { few(d, left, rng).complement() }
}

/// `count` of d places, at most half of them.
///
/// Places of which each is taken with the same probability, a little less than count/d, are equally likely given
/// their number; then places are added one by one. So where there are many, most of them cost a few random bits each.
fn few(d: usize, count: usize, rng: &mut Stream) -> Places {
    let level = 256.0 * count as f64 / d as f64 - 512.0 / (d as f64).sqrt(); // less four times the largest standard deviation
    let level = if level < FEW { 0 } else { level as u8 };
    let mut places = loop {
        let places = Places::random(d, level, rng);
        if places.len() <= count {
            break places;
        }
    };
    while places.len() < count {
        places.insert(rng.random_range(0..d));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::drawn;
    use crate::random::Seed;

    #[test]
    fn places_are_distinct_ascending_and_equally_likely() {
        let mut rng = Seed(1).stream("test", 0, "places", 1);
        // one by one, with random bits first, and as those left: 4000 draws, five standard deviations either way
        for (count, expected) in [(5, 94..214), (40, 1084..1377), (120, 3605..3780)] {
            let mut often = [0; 130];
            for _ in 0..4000 {
                let places: Vec<usize> = drawn(130, count, &mut rng).iter().collect();
                assert!(places.len() == count && places.is_sorted_by(|a, b| a < b));
                places.into_iter().for_each(|at| often[at] += 1);
            }
            assert!(often.iter().all(|count| expected.contains(count)), "{often:?}");
        }
        assert!(drawn(3, 5, &mut rng).iter().eq(0..3));
    }
}
