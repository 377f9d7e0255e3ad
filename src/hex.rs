//! Digests of files, and digests as text.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Two hexadecimal digits in lower case for every byte.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The SHA-256 of all that comes, to which more may be added.
///
/// # Errors
/// Those of reading.
pub fn sha256(mut from: impl Read) -> io::Result<Sha256> {
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(digest),
            n => digest.update(&piece[..n]),
        }
    }
}
