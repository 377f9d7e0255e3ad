//! Registers from slices and back.

use pulp::Simd;

use super::{Real, SLACK};

/// Values in a register.
#[inline(always)]
pub(super) fn lanes<T: Real, S: Simd>() -> usize {
    size_of::<T::Lanes<S>>() / size_of::<T>()
}

/// The first values of a slice, which has enough of them.
#[inline(always)]
pub(super) fn load<T: Real, S: Simd>(values: &[T]) -> T::Lanes<S> {
    assert!(size_of_val(values) >= size_of::<T::Lanes<S>>());
    // SAFETY: the slice is long enough, and lanes hold any bits.
    unsafe { values.as_ptr().cast::<T::Lanes<S>>().read_unaligned() }
}

/// As [`load`], with zeros behind a slice that is too short.
#[inline(always)]
pub(super) fn load_some<T: Real, S: Simd>(values: &[T]) -> T::Lanes<S> {
    if values.len() >= lanes::<T, S>() {
        return load::<T, S>(values);
    }
    let mut padded = [T::default(); SLACK];
    padded[..values.len()].copy_from_slice(values);
    load::<T, S>(&padded)
}

/// Writes a register over the first values of a slice, or as much of it as there is room for.
#[inline(always)]
pub(super) fn save<T: Real, S: Simd>(register: T::Lanes<S>, values: &mut [T]) {
    if size_of_val(values) >= size_of::<T::Lanes<S>>() {
        // SAFETY: the slice is long enough, and every lane is a value.
        unsafe { values.as_mut_ptr().cast::<T::Lanes<S>>().write_unaligned(register) }
    } else {
        let all = unpacked::<T, S>(register);
        values.copy_from_slice(&all[..values.len()]);
    }
}

/// The values of a register, zeros behind them.
#[inline(always)]
pub(super) fn unpacked<T: Real, S: Simd>(register: T::Lanes<S>) -> [T; SLACK] {
    let mut values = [T::default(); SLACK];
    save::<T, S>(register, &mut values);
    values
}
