//! A cache-sized window on the rows: a few coordinates of all of them, packed.

use std::{any::Any, cell::Cell, ops::Range};

use pulp::{Simd, WithSimd};

use crate::simd::{Finite, Real};

/// Coordinates are handled in groups of this many, one AVX-512 register of f32.
pub(super) const GROUP: usize = 16;
/// Bytes of a cache line.
pub(super) const LINE: usize = 64;
/// Bytes of a tile that leave room beside it in a first-level cache.
const BYTES: usize = 24 * 1024;
/// Fewest coordinates in a tile, however many rows there are: with less, going from row to row takes longer than the
/// work, even where only a third-level cache holds the tile, as with 10,000 rows. Fewer where Miri interprets every step.
const NARROWEST: usize = if cfg!(miri) { 4 * GROUP } else { 8 * GROUP };
/// Most coordinates in a tile; few where Miri interprets every step.
const WIDEST: usize = if cfg!(miri) { 64 } else { 512 };

/// Coordinates in a tile of `m` rows: a multiple of [`GROUP`].
pub(super) fn width<T>(m: usize) -> usize {
    width_in::<T>(m, GROUP)
}

/// The same, a multiple of so many coordinates, themselves [`GROUP`]s.
pub(super) fn width_in<T>(m: usize, coordinates: usize) -> usize {
    (BYTES / (m * size_of::<T>())).clamp(NARROWEST, WIDEST) / coordinates * coordinates
}

/// Coordinates in a pair of tiles of `m` rows together, of which one is a product with the other: a multiple of two
/// [`GROUP`]s, which is what the product is made of.
pub(super) fn mixed_width<T>(m: usize) -> usize {
    width_in::<T>(m, 2 * GROUP)
}

/// `rows` rows of `width` values, each row beginning on a cache line.
pub(super) struct Tile<T> {
    values: Vec<T>,
    start: usize,
    rows: usize,
    width: usize,
}

impl<T: Real> Tile<T> {
    /// A tile of zeros; `width` is a multiple of [`GROUP`].
    pub(super) fn new(rows: usize, width: usize) -> Self {
        let mut tile = Self { values: Vec::new(), start: 0, rows: 0, width: 0 };
        tile.shape(rows, width);
        tile
    }

    /// Gives it another form, of any values; `width` is a multiple of [`GROUP`].
    pub(super) fn shape(&mut self, rows: usize, width: usize) {
        let spare = LINE / size_of::<T>();
        let length = rows * width + spare;
        if self.values.len() < length {
            self.values = vec![T::default(); length];
            self.start = self.values.as_ptr().align_offset(LINE).min(spare);
        }
        (self.rows, self.width) = (rows, width);
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn all(&self) -> &[T] {
        &self.values[self.start..self.start + self.rows * self.width]
    }

    pub(super) fn all_mut(&mut self) -> &mut [T] {
        &mut self.values[self.start..self.start + self.rows * self.width]
    }

    pub(super) fn row(&self, i: usize) -> &[T] {
        &self.all()[i * self.width..(i + 1) * self.width]
    }

    pub(super) fn row_mut(&mut self, i: usize) -> &mut [T] {
        let width = self.width;
        &mut self.all_mut()[i * width..(i + 1) * width]
    }
}

/// Columns of one group of a row: what is made of them stays in registers while all rows are read.
#[inline(always)]
pub(super) fn group<T>(row: &[T], at: usize) -> &[T; GROUP] {
    &row.as_chunks().0[at]
}

/// Lends `work` a tile of any form and values that the thread keeps: one that is too large for an allocator to keep would
/// be mapped anew, page by page, in every pass.
pub(super) fn with_kept<T: Real, R>(work: impl FnOnce(&mut Tile<T>) -> R) -> R {
    thread_local! {
        static KEPT: Cell<Option<Box<dyn Any>>> = const { Cell::new(None) };
    }
    let kept = KEPT.take().and_then(|kept| kept.downcast().ok());
    let mut tile = kept.unwrap_or_else(|| Box::new(Tile::new(0, 0)));
    let result = work(&mut tile);
    KEPT.set(Some(tile));
    result
}

/// Asks for the cache lines of the next tile, bit by bit, while there is work on this one: else memory would
/// rest whenever the processor works.
pub(super) struct Ahead<'a, T> {
    rows: &'a [&'a [T]],
    from: usize,
    to: usize,
    row: usize,
    at: usize,
}

impl<'a, T> Ahead<'a, T> {
    /// Values in a cache line.
    const LINE: usize = LINE / size_of::<T>();

    /// Coordinates `range` of every row, as far as there are any.
    pub(super) fn new(rows: &'a [&'a [T]], range: Range<usize>) -> Self {
        Self { rows, from: range.start, to: range.end, row: 0, at: range.start }
    }

    /// How many lines to ask for in each of `count` steps, to have all in the end.
    pub(super) fn share(&self, count: usize) -> usize {
        (self.rows.len() * (self.to.saturating_sub(self.from) / Self::LINE + 1)).div_ceil(count.max(1))
    }

    /// Asks for the next `lines` cache lines.
    #[inline(always)]
    pub(super) fn step(&mut self, lines: usize) {
        for _ in 0..lines {
            if self.at >= self.to {
                (self.row, self.at) = (self.row + 1, self.from);
            }
            let Some(value) = self.rows.get(self.row).and_then(|row| row.get(self.at)) else { return };
            prefetch(value);
            self.at += Self::LINE;
        }
    }
}

/// Asks for the cache line of a value.
#[inline(always)]
pub(super) fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the address is that of a live reference, and asking for a cache line changes no value.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// Copies coordinates `at ..` of every row into a tile, zeros past the end,
/// and sets `bad[i]` if one of those of row i is not finite.
pub(super) struct Load<'a, T> {
    pub rows: &'a [&'a [T]],
    pub at: usize,
    pub tile: &'a mut Tile<T>,
    pub bad: &'a mut [bool],
}

impl<T: Real> WithSimd for Load<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (i, (row, bad)) in self.rows.iter().zip(self.bad).enumerate() {
            let target = self.tile.row_mut(i);
            let source = &row[self.at..row.len().min(self.at + target.len())];
            let (head, tail) = target.split_at_mut(source.len());
            tail.fill(T::default());
            *bad |= !copy(simd, source, head);
        }
    }
}

/// Copies, and says whether all values are finite.
#[inline(always)]
fn copy<S: Simd, T: Real>(simd: S, source: &[T], target: &mut [T]) -> bool {
    let (from, from_rest) = T::split::<S>(source);
    let (to, to_rest) = T::split_mut::<S>(target);
    let mut finite = Finite::<S, T>::new(simd);
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
        finite.see(simd, from);
    }
    to_rest.copy_from_slice(from_rest);
    finite.all(simd, from_rest)
}
