//! Coordinates in cells: a cell holds those that are in the same ones of several sets. What is computed of a cell
//! counts for each of its sets, so that nothing is computed twice where sets overlap.

use std::ops::Range;

use super::tile::GROUP;
use crate::batch::Places;

/// The coordinates of a range that are in some of the sets, by cells.
pub(super) struct Cells {
    /// Each below `range`.
    listed: Vec<u32>,
    range: usize,
    /// Where in `listed` each cell begins, and the last one ends. The bits of its index say which sets it is in.
    starts: [usize; Cells::COUNT + 1],
}

impl Cells {
    /// Most sets.
    pub const MOST: usize = 5;
    const COUNT: usize = 1 << Self::MOST;

    /// Coordinates in the longest range.
    pub const LONGEST: usize = 1 << 31;

    /// The cells of at most [`MOST`](Self::MOST) sets within `range`, which begins at a multiple of 64 and ends at one
    /// or at d.
    pub fn new(sets: &[&Places], range: Range<usize>) -> Self {
        let words: Vec<&[u64]> = sets.iter().map(|places| places.words(range.clone())).collect();
        let members = |i: usize| Members::new(64 * i, words.iter().map(move |words| words[i]));
        let all: Vec<Members> = (0..range.len().div_ceil(64)).filter_map(members).collect();
        let mut starts = [0; Self::COUNT + 1];
        all.iter().flat_map(Members::iter).for_each(|(_, cell)| starts[cell + 1] += 1);
        for cell in 0..Self::COUNT {
            starts[cell + 1] += starts[cell];
        }
        let (mut listed, mut next) = (vec![0; starts[Self::COUNT]], starts);
        for (at, cell) in all.iter().flat_map(Members::iter) {
            listed[next[cell]] = at;
            next[cell] += 1;
        }
        let beyond = listed.iter().max().is_some_and(|&last: &u32| last as usize >= range.len());
        assert!(!beyond, "places beyond the range");
        Self { listed, range: range.len(), starts }
    }

    /// The length of the range, below which every listed place is.
    pub fn range(&self) -> usize {
        self.range
    }

    /// Those that are not empty.
    pub fn iter(&self) -> impl Iterator<Item = Cell<'_>> {
        let mut end = 0;
        (1..Self::COUNT).filter_map(move |sets| {
            let listed = &self.listed[self.starts[sets]..self.starts[sets + 1]];
            let columns = end..end + listed.len().next_multiple_of(GROUP);
            end = columns.end;
            (!listed.is_empty()).then_some(Cell { sets, listed, columns })
        })
    }

    /// Columns that hold all cells.
    pub fn width(&self) -> usize {
        self.iter().last().map_or(0, |cell| cell.columns.end)
    }
}

/// The coordinates that are in the same sets.
pub(super) struct Cell<'a> {
    /// Those sets, as bits.
    pub sets: usize,
    /// The coordinates, ascending, from the start of the range on.
    pub listed: &'a [u32],
    /// Whole [`GROUP`]s of columns for them, side by side with those of other cells.
    pub columns: Range<usize>,
}

/// Which of 64 coordinates are in which sets.
struct Members {
    /// The first of them.
    start: usize,
    /// Those that are in any.
    any: u64,
    /// The cell of each.
    cells: [u8; 64],
}

impl Members {
    /// Those from `start` on, if one is in a set; `words` has a word of each set.
    #[inline]
    fn new(start: usize, words: impl Iterator<Item = u64>) -> Option<Self> {
        let (mut any, mut spread) = (0, [0; 8]);
        for (set, word) in words.enumerate() {
            any |= word;
            for (spread, byte) in spread.iter_mut().zip(word.to_le_bytes()) {
                *spread |= SPREAD[usize::from(byte)] << set;
            }
        }
        let mut cells = [0; 64];
        cells
            .as_chunks_mut()
            .0
            .iter_mut()
            .zip(spread)
            .for_each(|(cells, spread)| *cells = spread.to_le_bytes());
        (any != 0).then_some(Self { start, any, cells })
    }

    /// Each that is in a set, ascending, and the index of its cell.
    #[inline]
    fn iter(&self) -> impl Iterator<Item = (u32, usize)> {
        let mut left = self.any;
        std::iter::from_fn(move || {
            let at = left.trailing_zeros() as usize;
            let cell = *self.cells.get(at)?;
            left &= left - 1;
            Some(((self.start + at) as u32, usize::from(cell)))
        })
    }
}

/// The bits of a byte in bytes of their own.
const SPREAD: [u64; 256] = {
    let mut spread = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut bit = 0;
        while bit < 8 {
            spread[byte] |= ((byte as u64 >> bit) & 1) << (8 * bit);
            bit += 1;
        }
        byte += 1;
    }
    spread
};

#[cfg(test)]
mod tests {
    use super::{Cells, GROUP, Places};

    /// Five sets of every density, and fewer, within ranges that begin and end where words do, or at d.
    #[test]
    fn every_coordinate_is_in_the_cell_of_its_sets() {
        let d = 1000;
        let held = |set: usize, at: usize| (at * at + 7 * set) % 5 <= set && at.is_multiple_of(set + 1);
        let places = [0, 1, 2, 3, 4].map(|set| {
            let mut places = Places::none(d);
            (0..d).filter(|&at| held(set, at)).for_each(|at| places.insert(at));
            places
        });
        for (sets, range) in [(5, 0..1000), (4, 128..640), (3, 960..1000), (1, 0..64)] {
            let cells = Cells::new(&places[..sets].iter().collect::<Vec<_>>(), range.clone());
            let of = |at: usize| (0..sets).filter(|&set| held(set, at)).map(|set| 1 << set).sum::<usize>();
            let mut columns = 0;
            let mut found = vec![0; range.len()];
            for cell in cells.iter() {
                assert!(cell.listed.is_sorted_by(|a, b| a < b));
                cell.listed.iter().for_each(|&at| found[at as usize] = cell.sets);
                assert_eq!(cell.columns, columns..columns + cell.listed.len().next_multiple_of(GROUP));
                columns = cell.columns.end;
            }
            assert_eq!(found, range.map(of).collect::<Vec<_>>());
            assert_eq!(cells.width(), columns);
        }
    }
}
