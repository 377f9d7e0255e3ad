//! What is seen of rows around one of them: a range of their coordinates, or of these the ones at some places, brought
//! together.

use std::{cell::OnceCell, ops::Range};

#[cfg(target_arch = "x86_64")]
use pulp::x86::V4;

#[cfg(target_arch = "x86_64")]
use crate::simd::as_format;
use crate::{batch::Places, simd::Real};

/// Room wanted behind the values brought together: registers are written whole.
pub(super) const SPARE: usize = 16;

/// Coordinates of rows, less those of the row in the centre.
pub(super) struct Seen<'a, R> {
    centre: &'a [R],
    range: Range<usize>,
    places: Option<&'a Places>,
    /// Set if places are dense enough to go through registers full of coordinates.
    #[cfg(target_arch = "x86_64")]
    dense: Option<V4>,
    /// The places in the range and the centre there, for looking up one by one.
    listed: OnceCell<(Vec<usize>, Vec<R>)>,
}

impl<'a, R: Real> Seen<'a, R> {
    /// Coordinates `range`, or those of them at `places`; the range then begins at a multiple of 64.
    pub fn new(centre: &'a [R], range: Range<usize>, places: Option<&'a Places>) -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            dense: V4::try_new().filter(|_| places.is_some_and(|places| places.are_dense(range.clone()))),
            centre,
            range,
            places,
            listed: OnceCell::new(),
        }
    }

    /// Writes x - c, or c without a row x, to `out`, computed as A, and says how many values these are. Behind them
    /// there may be anything.
    #[inline(always)]
    pub fn write<A: Real>(&self, row: Option<&[R]>, out: &mut [A]) -> usize {
        let range = self.range.clone();
        let Some(places) = self.places else {
            return differences(row.map(|row| &row[range.clone()]), &self.centre[range], out);
        };
        #[cfg(target_arch = "x86_64")]
        if let Some((v4, out)) = self.dense.zip(as_format::<A, R>(out)) {
            let row = row.map(|row| &row[range.start..]);
            return avx512::compress(v4, row, &self.centre[range.start..], places.words(range), out);
        }
        let (listed, centre) = self.listed.get_or_init(|| {
            let listed: Vec<usize> = places.within(range).collect();
            let centre = listed.iter().map(|&at| self.centre[at]).collect();
            (listed, centre)
        });
        let Some(row) = row else { return differences(None, centre, out) };
        for ((y, &at), &c) in out.iter_mut().zip(listed).zip(centre) {
            *y = widened::<R, A>(row[at]) - widened(c);
        }
        listed.len()
    }
}

#[inline(always)]
fn differences<R: Real, A: Real>(x: Option<&[R]>, c: &[R], out: &mut [A]) -> usize {
    match x {
        Some(x) => {
            for ((y, &x), &c) in out.iter_mut().zip(x).zip(c) {
                *y = widened::<R, A>(x) - widened(c);
            }
        }
        None => out.iter_mut().zip(c).for_each(|(y, &c)| *y = widened(c)),
    }
    c.len()
}

#[inline(always)]
fn widened<R: Real, A: Real>(x: R) -> A {
    A::from_f64(x.to_f64())
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use pulp::{NullaryFnOnce, x86::V4};

    use crate::simd::Real;

    /// Brings x - c, or c, at the bits that are set to the front of `out` and says how many they are.
    pub fn compress<T: Real>(v4: V4, x: Option<&[T]>, c: &[T], words: &[u64], out: &mut [T]) -> usize {
        v4.vectorize(Compress { v4, x, c, words, out })
    }

    struct Compress<'a, T> {
        v4: V4,
        x: Option<&'a [T]>,
        c: &'a [T],
        words: &'a [u64],
        out: &'a mut [T],
    }

    impl<T: Real> NullaryFnOnce for Compress<'_, T> {
        type Output = usize;

        #[inline(always)]
        fn call(self) -> usize {
            let Self { v4, x, c, words, out } = self;
            let lanes = size_of::<T::Lanes<V4>>() / size_of::<T>();
            let mut count = 0;
            for (c, (at, &word)) in c.chunks(64).zip((0..).step_by(64).zip(words)) {
                let x = x.map(|x| T::split::<V4>(&x[at..at + c.len()]));
                let (c, rest) = T::split::<V4>(c);
                let mut bits = word;
                for (i, &c) in c.iter().enumerate() {
                    let y = x.map_or(c, |(x, _)| T::minus(v4, x[i], c));
                    T::split_mut::<V4>(&mut out[count..count + lanes]).0[0] = T::compress(v4, bits, y);
                    count += (bits & ((1 << lanes) - 1)).count_ones() as usize;
                    bits >>= lanes;
                }
                for (i, &c) in rest.iter().enumerate() {
                    out[count] = x.map_or(c, |(_, x)| x[i] - c);
                    count += (bits & 1) as usize;
                    bits >>= 1;
                }
            }
            count
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Places, Real, SPARE, Seen};

    /// Both ways, where there are both: f32 is brought together in registers, f64 made of f32 looked up.
    #[test]
    fn what_is_written_is_what_is_seen() {
        let d = 333;
        let row = |scale: f32| (0..d).map(|t| scale * (t * t % 101) as f32).collect::<Vec<f32>>();
        let (x, c) = (row(1.5), row(-0.25));
        for step in [1, 2, 7, 400] {
            let mut places = Places::none(d);
            (3..d).step_by(step).for_each(|at| places.insert(at));
            for range in [0..64, 64..256, 128..d, 0..d] {
                let seen: Vec<usize> = places.within(range.clone()).collect();
                let all: Vec<usize> = range.clone().collect();
                for (places, expected) in [(Some(&places), &seen), (None, &all)] {
                    let seen = Seen::new(&c, range.clone(), places);
                    let at = |x: Option<&[f32]>| {
                        expected.iter().map(|&at| x.map_or(c[at], |x| x[at] - c[at])).collect()
                    };
                    for x in [Some(&x[..]), None] {
                        let expected: Vec<f32> = at(x);
                        assert_eq!(written::<f32>(&seen, x), expected);
                        assert_eq!(written::<f64>(&seen, x), expected);
                    }
                }
            }
        }
    }

    fn written<A: Real>(seen: &Seen<'_, f32>, row: Option<&[f32]>) -> Vec<f32> {
        let mut out = vec![A::default(); 333 + SPARE];
        let count = seen.write(row, &mut out);
        out[..count].iter().map(|y| y.to_f64() as f32).collect()
    }
}
