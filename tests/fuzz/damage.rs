//! Damage to a good file.

use proptest::{collection::vec, prelude::Strategy, prop_oneof, sample::Index};

/// One change.
#[derive(Clone, Debug)]
pub enum Damage {
    /// Bits of one byte are flipped.
    Flip(Index, u8),
    /// All behind this place is gone.
    Cut(Index),
    /// All before it is gone.
    Behead(Index),
    /// Bytes are put in.
    Splice(Index, Vec<u8>),
    /// A part stands where another one stood.
    Copy(Index, Index, usize),
    /// A number of four or eight bytes is huge, in either byte order.
    Huge(Index, u64, bool),
}

/// Some changes, one after the other.
pub fn damages() -> impl Strategy<Value = Vec<Damage>> {
    use proptest::prelude::any;
    let at = any::<Index>;
    let huge = prop_oneof![
        proptest::strategy::Just(u64::MAX),
        proptest::strategy::Just(1 << 63),
        proptest::strategy::Just(u64::from(u32::MAX)),
        proptest::strategy::Just(1 << 31),
        1u64 << 24..1 << 44,
    ];
    let one = prop_oneof![
        (at(), 1u8..).prop_map(|(at, bits)| Damage::Flip(at, bits)),
        at().prop_map(Damage::Cut),
        at().prop_map(Damage::Behead),
        (at(), vec(any::<u8>(), 1..40)).prop_map(|(at, bytes)| Damage::Splice(at, bytes)),
        (at(), at(), 1usize..200).prop_map(|(from, to, length)| Damage::Copy(from, to, length)),
        (at(), huge, any::<bool>()).prop_map(|(at, number, big)| Damage::Huge(at, number, big)),
    ];
    vec(one, 1..6)
}

/// `good`, changed.
pub fn damaged(good: &[u8], damages: &[Damage]) -> Vec<u8> {
    damages
        .iter()
        .fold(good.to_vec(), |bytes, damage| if bytes.is_empty() { bytes } else { damage.to(bytes) })
}

impl Damage {
    fn to(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let place = |at: &Index| at.index(bytes.len());
        match self {
            Self::Flip(at, bits) => {
                let at = place(at);
                bytes[at] ^= bits;
            }
            Self::Cut(at) => {
                let at = place(at);
                bytes.truncate(at);
            }
            Self::Behead(at) => drop(bytes.drain(..place(at))),
            Self::Splice(at, new) => {
                let at = place(at);
                bytes.splice(at..at, new.iter().copied()).for_each(drop);
            }
            Self::Copy(from, to, length) => {
                let (from, to) = (place(from), place(to));
                let part: Vec<u8> = bytes[from..].iter().take(*length).copied().collect();
                let end = (to + part.len()).min(bytes.len());
                bytes.splice(to..end, part).for_each(drop);
            }
            Self::Huge(at, number, big) => {
                let at = place(at);
                let number = if *big { number.to_be_bytes() } else { number.to_le_bytes() };
                bytes[at..].iter_mut().zip(number).for_each(|(byte, new)| *byte = new);
            }
        }
        bytes
    }
}
