//! What is seen of rows around one of them: a range of their coordinates, or some of them.

use std::ops::Range;

use crate::simd::Real;

/// Coordinates of rows.
pub(super) enum Seen<'a> {
    Range(Range<usize>),
    Listed(&'a [usize]),
}

impl Seen<'_> {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Range(range) => range.len(),
            Self::Listed(listed) => listed.len(),
        }
    }

    /// Writes this of a row, computed as A.
    #[inline(always)]
    pub fn write<R: Real, A: Real>(&self, row: &[R], out: &mut [A]) {
        match self {
            Self::Range(range) => {
                out.iter_mut().zip(&row[range.clone()]).for_each(|(y, &x)| *y = A::nearest(x));
            }
            Self::Listed(listed) => out.iter_mut().zip(*listed).for_each(|(y, &at)| *y = A::nearest(row[at])),
        }
    }

    /// Writes the signs of this of a row: -1, 0 or 1.
    #[inline(always)]
    pub fn write_signs<R: Real, A: Real>(&self, row: &[R], out: &mut [A]) {
        self.write(row, out);
        out.iter_mut().for_each(|y| *y = y.sign());
    }

    /// Writes this of a row less `centre`, which is this of another.
    #[inline(always)]
    pub fn write_around<R: Real, A: Real>(&self, row: &[R], centre: &[A], out: &mut [A]) {
        match self {
            Self::Range(range) => {
                let both = row[range.clone()].iter().zip(centre);
                out.iter_mut().zip(both).for_each(|(y, (&x, &c))| *y = A::nearest(x) - c);
            }
            Self::Listed(listed) => {
                let both = listed.iter().zip(centre);
                out.iter_mut().zip(both).for_each(|(y, (&at, &c))| *y = A::nearest(row[at]) - c);
            }
        }
    }
}
