//! The number formats in which vectors are put away.

use std::{borrow::Cow, io};

use half::{bf16, slice::HalfFloatSliceExt};
use phalanx_robust::{Dtype, Vector};
use serde::{Deserialize, Serialize};

/// A number format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// That of the vector: bits do not change.
    Full,
    /// bf16: the range of f32 in 2 bytes, 8 significant bits, rounded to nearest, ties to even; of an f64 the upper 32
    /// bits are rounded, so that one just above a tie counts as the tie. A number whose size is 2^-126 or above changes by
    /// at most 2^-8 of it.
    Bf16,
}

impl Format {
    /// The vector's numbers one behind the other; none if it is not on the host.
    pub(super) fn bytes(self, vector: &Vector) -> Option<Cow<'_, [u8]>> {
        let (single, double) = (vector.as_f32(), vector.as_f64());
        if self == Self::Full {
            let single = single.map(bytemuck::cast_slice);
            return single.or_else(|| double.map(bytemuck::cast_slice)).map(Cow::Borrowed);
        }
        let mut rounded = vec![bf16::ZERO; vector.len()];
        match (single, double) {
            (Some(single), _) => rounded.convert_from_f32_slice(single),
            (_, Some(double)) => rounded.convert_from_f64_slice(double),
            _ => return None,
        }
        Some(Cow::Owned(bytemuck::cast_slice(&rounded).to_vec()))
    }

    /// The vector of `len` numbers whose bytes `fill` writes.
    pub(super) fn vector(
        self,
        dtype: Dtype,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> io::Result<()>,
    ) -> io::Result<Vector> {
        match (self, dtype) {
            (Self::Full, Dtype::F32) => Ok(filled::<f32>(len, fill)?.into()),
            (Self::Full, Dtype::F64) => Ok(filled::<f64>(len, fill)?.into()),
            (Self::Bf16, Dtype::F32) => Ok(filled::<bf16>(len, fill)?.to_f32_vec().into()),
            (Self::Bf16, Dtype::F64) => Ok(filled::<bf16>(len, fill)?.to_f64_vec().into()),
        }
    }
}

/// So many numbers, whose bytes `fill` writes.
fn filled<T: bytemuck::Pod>(
    len: usize,
    fill: impl FnOnce(&mut [u8]) -> io::Result<()>,
) -> io::Result<Vec<T>> {
    let mut numbers = vec![T::zeroed(); len];
    fill(bytemuck::cast_slice_mut(&mut numbers))?;
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::{Format, Vector};

    fn round_trip(format: Format, vector: &Vector) -> Vector {
        let bytes = format.bytes(vector).unwrap().into_owned();
        let fill = |to: &mut [u8]| {
            to.copy_from_slice(&bytes);
            Ok(())
        };
        format.vector(vector.dtype(), vector.len(), fill).unwrap()
    }

    const VALUES: [f64; 7] = [0.0, -1.0, 0.1, 3.0e38, -1.0e-30, 257.0, std::f64::consts::PI];

    #[test]
    fn full_changes_no_bit() {
        for vector in [VALUES.to_vec().into(), VALUES.map(|v| v as f32).to_vec().into()] as [Vector; 2] {
            let back = round_trip(Format::Full, &vector);
            assert!(back.is_like(&vector));
            assert_eq!(back.to_f64(), vector.to_f64());
        }
    }

    #[test]
    fn bf16_changes_a_number_by_a_256th_at_most() {
        for vector in [VALUES.to_vec().into(), VALUES.map(|v| v as f32).to_vec().into()] as [Vector; 2] {
            assert_eq!(Format::Bf16.bytes(&vector).unwrap().len(), 2 * VALUES.len());
            let back = round_trip(Format::Bf16, &vector);
            assert_eq!(back.dtype(), vector.dtype());
            for (got, value) in back.to_f64().into_iter().zip(vector.to_f64()) {
                assert!((got - value).abs() <= value.abs() / 256.0, "{value} becomes {got}");
            }
        }
        // Between the neighbours 256 and 258 to the even one; 0.1 is 1.6 * 2^-4, which becomes 1.6015625 * 2^-4.
        let some = round_trip(Format::Bf16, &Vector::from(vec![257f32, 0.1])).to_f64();
        assert_eq!(some, [256.0, 0.100_097_656_25]);
    }
}
