//! What a header says of the data behind it, checked against the file.

use phalanx_robust::Dtype;

use super::Problem;

/// A matrix in row order that fills its file to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Number format.
    pub dtype: Dtype,
    /// Number of rows.
    pub m: usize,
    /// Number of columns.
    pub d: usize,
    /// Where the data starts.
    pub offset: u64,
    /// Whether the header speaks of a vector; it is the one row.
    pub vector: bool,
}

impl Layout {
    /// The layout of `shape` numbers from `offset` to the end of a file of `length` bytes.
    ///
    /// # Errors
    /// [`Problem::Dimensions`], [`Problem::Empty`] or [`Problem::Length`].
    pub fn new(shape: &[u64], dtype: Dtype, offset: u64, length: u64) -> Result<Self, Problem> {
        let (m, d) = match *shape {
            [m, d] => (m, d),
            [d] => (1, d),
            _ => return Err(Problem::Dimensions(shape.to_vec())),
        };
        if m == 0 || d == 0 {
            return Err(Problem::Empty { m, d });
        }
        let data =
            u128::from(m).checked_mul(u128::from(d)).and_then(|n| n.checked_mul(size_of_one(dtype).into()));
        let expected = data.map_or(u128::MAX, |data| data.saturating_add(offset.into()));
        let wrong = Problem::Length { expected, found: length, m, d };
        if expected != u128::from(length) {
            return Err(wrong);
        }
        match (usize::try_from(m), usize::try_from(d)) {
            (Ok(m), Ok(d)) => Ok(Self { dtype, m, d, offset, vector: shape.len() == 1 }),
            _ => Err(wrong),
        }
    }

    /// Bytes of the data.
    pub fn bytes(&self) -> u64 {
        self.m as u64 * self.d as u64 * size_of_one(self.dtype)
    }
}

fn size_of_one(dtype: Dtype) -> u64 {
    match dtype {
        Dtype::F32 => 4,
        Dtype::F64 => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::{Dtype, Layout, Problem};

    #[test]
    fn a_matrix_must_fill_its_file() {
        let layout = Layout::new(&[3, 5], Dtype::F32, 128, 188).unwrap();
        assert_eq!((layout.m, layout.d, layout.bytes()), (3, 5, 60));
        for length in [0, 128, 187, 189] {
            let error = Layout::new(&[3, 5], Dtype::F32, 128, length);
            assert!(matches!(error, Err(Problem::Length { expected: 188, .. })), "{length}");
        }
    }

    #[test]
    fn a_vector_is_one_row_and_known_as_such() {
        let of = |shape: &[u64]| Layout::new(shape, Dtype::F64, 128, 168).unwrap();
        let (vector, row) = (of(&[5]), of(&[1, 5]));
        assert_eq!((vector.m, vector.d, vector.vector), (1, 5, true));
        assert_eq!(Layout { vector: true, ..row }, vector);
        assert!(!row.vector);
        assert!(matches!(Layout::new(&[], Dtype::F64, 128, 136), Err(Problem::Dimensions(_))));
    }

    #[test]
    fn sizes_that_overflow_are_no_lengths() {
        for shape in [[u64::MAX, u64::MAX], [1 << 62, 4], [u64::MAX, 1], [1 << 32, 1 << 32]] {
            assert!(
                matches!(Layout::new(&shape, Dtype::F64, 64, 64), Err(Problem::Length { .. })),
                "{shape:?}"
            );
        }
        assert!(matches!(Layout::new(&[u64::MAX, 0], Dtype::F64, 64, 64), Err(Problem::Empty { .. })));
    }
}
