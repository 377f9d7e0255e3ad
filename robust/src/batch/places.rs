//! Some of d coordinates.

use std::ops::Range;

use rand::RngExt;

use crate::random::Stream;

/// A set of places among d, one bit for each.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    words: Vec<u64>,
    d: usize,
    count: usize,
}

impl Places {
    /// None of d.
    pub fn none(d: usize) -> Self {
        Self { words: vec![0; d.div_ceil(64)], d, count: 0 }
    }

    /// Each of d with probability `level` / 256: from the lowest digit of the level on, fair bits are the next digit of
    /// numbers that are compared with it.
    pub fn random(d: usize, level: u8, rng: &mut Stream) -> Self {
        let mut places = Self::none(d);
        let mut fair = vec![0u64; places.words.len()];
        for digit in level.trailing_zeros()..8 {
            rng.fill(&mut fair[..]);
            let all = places.words.iter_mut().zip(&fair);
            if level >> digit & 1 == 1 {
                all.for_each(|(word, fair)| *word |= fair);
            } else {
                all.for_each(|(word, fair)| *word &= fair);
            }
        }
        places.trim();
        places
    }

    /// Number of places in the set.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Takes a place in, below d.
    #[inline]
    pub fn insert(&mut self, at: usize) {
        let (word, bit) = (&mut self.words[at / 64], 1 << (at % 64));
        self.count += usize::from(*word & bit == 0);
        *word |= bit;
    }

    /// Those of d that are not in the set.
    pub fn complement(mut self) -> Self {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.trim();
        self
    }

    /// Leaves out what is not below d, and counts.
    fn trim(&mut self) {
        if let Some(last) = self.words.last_mut().filter(|_| !self.d.is_multiple_of(64)) {
            *last &= (1 << (self.d % 64)) - 1;
        }
        self.count = self.words.iter().map(|word| word.count_ones() as usize).sum();
    }

    /// The places, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().zip((0..).step_by(64)).flat_map(|(&word, start)| {
            let next = |bits: &u64| Some(bits & bits.wrapping_sub(1));
            let left = std::iter::successors(Some(word), next).take_while(|&bits| bits != 0);
            left.map(move |bits| start + bits.trailing_zeros() as usize)
        })
    }

    /// The bits of `range`, which begins at a multiple of 64 and ends at one or at d.
    pub fn words(&self, range: Range<usize>) -> &[u64] {
        &self.words[range.start / 64..range.end.div_ceil(64)]
    }
}

#[cfg(test)]
mod tests {
    use super::Places;
    use crate::{Batch, BatchError, Gram, Vector, random::Seed};

    fn of(d: usize, all: impl IntoIterator<Item = usize>) -> Places {
        let mut places = Places::none(d);
        all.into_iter().for_each(|at| places.insert(at));
        places
    }

    #[test]
    fn a_set_holds_what_was_taken_in_once() {
        for d in [1, 63, 64, 65, 200] {
            let all: Vec<usize> = (0..d).filter(|at| at * at % 7 < 3).collect();
            let places = of(d, all.iter().chain(&all).copied());
            assert_eq!((places.len(), places.iter().collect::<Vec<_>>()), (all.len(), all.clone()));
            let others: Vec<usize> = (0..d).filter(|at| !all.contains(at)).collect();
            let complement = places.complement();
            assert_eq!((complement.len(), complement.iter().collect::<Vec<_>>()), (others.len(), others));
        }
    }

    /// A share of 64,000 has a standard deviation of at most 0.002.
    #[test]
    fn places_are_as_likely_as_asked() {
        let mut rng = Seed(1).stream("test", 0, "bits", 1);
        for level in [1u8, 2, 77, 128, 255] {
            let places = Places::random(64_000, level, &mut rng);
            let share = places.len() as f64 / 64_000.0;
            assert!((share - f64::from(level) / 256.0).abs() < 0.01, "{level}: {share}");
        }
        assert_eq!(Places::random(100, 0, &mut rng).len(), 0);
    }

    /// Two groups of rows far from the origin, close together within a group: distances cancel in the products. The
    /// first row is `first` times as long: far from all others it is no centre.
    fn rows(m: usize, d: usize, first: f64) -> Vec<Vec<f64>> {
        let value = |i: usize, t: usize| ((i * 31 + t * 17) as f64 * 0.37).sin();
        let scale = |i: usize| if i == 0 { first } else { 1.0 };
        let row =
            |i: usize| (0..d).map(|t| scale(i) * (100.0 * value(i % 2, t) + 0.1 * value(i + 2, t))).collect();
        (0..m).map(row).collect()
    }

    /// Holds the geometry at `places` against that of vectors that have no other coordinates.
    fn check(rows: &[Vec<f64>], places: &Places, gram: &Gram, tolerance: f64) {
        let picked = |row: &Vec<f64>| Vector::from(places.iter().map(|at| row[at]).collect::<Vec<f64>>());
        let picked: Vec<Vector> = rows.iter().map(picked).collect();
        let batch = Batch::new(&picked).unwrap();
        let expected = batch.gram().unwrap();
        let near = |a: f64, b: f64| (a - b).abs() <= tolerance * b.abs();
        for i in 0..rows.len() {
            let (found, exact) = (gram.row_norm2(i), expected.row_norm2(i));
            assert!(
                near(found, exact),
                "row {i} of {}: {found} {exact} at {} places",
                rows.len(),
                places.len()
            );
            for j in 0..i {
                let (found, expected) = (gram.distance2(i, j), expected.distance2(i, j));
                assert!(near(found, expected), "rows {i} {j} of {}: {found} {expected}", rows.len());
            }
        }
    }

    type Form = (fn(&Vec<f64>) -> Vector, f64);

    #[test]
    fn the_geometry_at_places_is_that_of_no_other_coordinates() {
        let forms: &[Form] = &[
            (|row| row.iter().map(|&x| x as f32).collect::<Vec<f32>>().into(), 1e-4),
            (|row| row.clone().into(), 1e-7),
            #[cfg(feature = "torch")]
            (|row| tch::Tensor::from_slice(row).into(), 1e-6),
        ];
        let sizes =
            if cfg!(miri) { vec![(4, 100)] } else { vec![(3, 500_000), (4, 20_003), (17, 5003), (150, 333)] };
        for ((m, d), first) in sizes.into_iter().flat_map(|size| [(size, 1.0), (size, 1e4)]) {
            // values that f32 holds, so that the forms have the same
            let exact = |row: Vec<f64>| row.into_iter().map(|x| f64::from(x as f32)).collect();
            let rows: Vec<Vec<f64>> = rows(m, d, first).into_iter().map(exact).collect();
            let steps = [(d - 1, 1), (0, 3), (10, 1), (5, 2), (0, 2), (1, 7)]; // more sets than are handled at once
            let samples = steps.map(|(start, step)| of(d, (start..d).step_by(step)));
            // libtorch adds up half a million products less exactly than these tolerances, which are for cancelled ones
            let forms = if d > 100_000 { &forms[..2] } else { forms };
            for (form, tolerance) in forms {
                let vectors: Vec<Vector> = rows.iter().map(form).collect();
                let batch = Batch::new(&vectors).unwrap();
                for (places, gram) in samples.iter().zip(batch.grams_at(&samples).unwrap()) {
                    check(&rows, places, &gram, *tolerance);
                }
                let means: Vec<Vec<(usize, f64)>> =
                    (0..m / 2).map(|i| vec![(i, 0.5), (i + 1, 0.5)]).collect();
                let mapped = batch.mapped(crate::batch::Map::from_rows(m, means));
                let means: Vec<Vec<f64>> = mapped.to_rows().iter().map(Vector::to_f64).collect();
                // of mixtures nothing is computed from the difference: twice as many roundings in registers of eight as of
                // sixteen are seen
                check(&means, &samples[1], &mapped.grams_at(&samples).unwrap()[1], 20.0 * tolerance);
            }
        }
    }

    #[test]
    fn what_is_not_finite_counts_where_it_is_seen() {
        let mut rows: Vec<Vec<f32>> = vec![vec![1.0; 100]; 3];
        rows[2][70] = f32::NAN;
        let rows: Vec<Vector> = rows.into_iter().map(Vector::from).collect();
        let batch = Batch::new(&rows).unwrap();
        assert!(batch.grams_at(&[of(100, 0..70)]).is_ok());
        let error = batch.grams_at(&[of(100, 0..70), of(100, 65..75)]).unwrap_err();
        assert_eq!(error, BatchError::NonFinite(vec![2]));
    }
}
