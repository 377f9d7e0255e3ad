//! Published digests of the files' content.

use md5::Digest as _;

use crate::hex::hex;

/// The published digest of a file's decompressed content, in lower-case hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digest {
    /// MD5, 32 digits.
    Md5(&'static str),
    /// SHA-1, 40 digits.
    Sha1(&'static str),
}

impl Digest {
    /// Name of the digest.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Md5(_) => "md5",
            Self::Sha1(_) => "SHA-1",
        }
    }

    /// The published value.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Md5(value) | Self::Sha1(value) => value,
        }
    }

    /// The digest of `content`, in the same form.
    pub fn of(self, content: &[u8]) -> String {
        match self {
            Self::Md5(_) => hex(md5::Md5::digest(content)),
            Self::Sha1(_) => hex(sha1::Sha1::digest(content)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn known_digests_of_abc() {
        // RFC 1321, appendix A.5, and FIPS 180-1, appendix A.
        assert_eq!(Digest::Md5("").of(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(Digest::Sha1("").of(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
