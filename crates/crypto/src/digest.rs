//! Message digests: one enum over the `sha1` and `sha2` crates, because PKCS#11 names them by number at run time.
//!
//! Both crates choose their code by CPU feature at run time (SHA-NI, ARMv8 SHA) and zero a running state on drop.

use digest::{Digest as _, FixedOutput};
use sha1::Sha1;
use sha2::digest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

/// The longest digest there is, SHA-512's.
pub const MAX_DIGEST: usize = 64;

/// A hash function of FIPS 180-4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hash {
    /// SHA-1: legacy signatures, HMAC and OAEP only.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// Every hash function, for tables and tests.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// Length of the digest in bytes.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Length of the block that the compression function takes, in bytes (HMAC pads its key to it).
    #[must_use]
    pub const fn block_length(self) -> usize {
        match self {
            Self::Sha1 | Self::Sha224 | Self::Sha256 => 64,
            Self::Sha384 | Self::Sha512 => 128,
        }
    }

    /// What stands before the digest in PKCS#1 v1.5's `DigestInfo`, in DER (RFC 8017 section 9.2, note 1).
    #[must_use]
    pub const fn digest_info_prefix(self) -> &'static [u8] {
        match self {
            Self::Sha1 => &[0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14],
            Self::Sha224 => &[
                0x30, 0x2d, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x04, 0x05, 0x00,
                0x04, 0x1c,
            ],
            Self::Sha256 => &[
                0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
                0x04, 0x20,
            ],
            Self::Sha384 => &[
                0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
                0x04, 0x30,
            ],
            Self::Sha512 => &[
                0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00,
                0x04, 0x40,
            ],
        }
    }

    /// Writes the digest of `data` to the front of `out` and returns its length. If `out` is shorter than the digest,
    /// writes nothing and returns 0.
    #[inline]
    pub fn digest(self, data: &[u8], out: &mut [u8]) -> usize {
        match self {
            Self::Sha1 => once::<Sha1>(data, out),
            Self::Sha224 => once::<Sha224>(data, out),
            Self::Sha256 => once::<Sha256>(data, out),
            Self::Sha384 => once::<Sha384>(data, out),
            Self::Sha512 => once::<Sha512>(data, out),
        }
    }

    /// The digest of `data` as a value.
    #[must_use]
    #[inline]
    pub fn value(self, data: &[u8]) -> DigestValue {
        let mut bytes = [0; MAX_DIGEST];
        let length = self.digest(data, &mut bytes);
        DigestValue { bytes, length }
    }
}

#[inline]
fn once<D: digest::Digest + FixedOutput>(data: &[u8], out: &mut [u8]) -> usize {
    let mut state = D::new();
    digest::Digest::update(&mut state, data);
    finish(state, out)
}

/// Ends `state` into the front of `out`: the length written, 0 if `out` is too short.
#[inline]
pub(super) fn finish<D: FixedOutput>(state: D, out: &mut [u8]) -> usize {
    let length = D::output_size();
    let Some(Ok(place)) = out.get_mut(..length).map(TryInto::try_into) else { return 0 };
    state.finalize_into(place);
    length
}

/// A digest on the stack: what a signature is made over.
#[derive(Clone, Copy)]
pub struct DigestValue {
    bytes: [u8; MAX_DIGEST],
    length: usize,
}

impl DigestValue {
    /// The digest's bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// A digest being computed over data that comes in parts.
pub struct Digest(State);

enum State {
    Sha1(Sha1),
    Sha224(Sha224),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Digest {
    /// An empty message.
    #[must_use]
    pub fn new(hash: Hash) -> Self {
        Self(match hash {
            Hash::Sha1 => State::Sha1(Sha1::new()),
            Hash::Sha224 => State::Sha224(Sha224::new()),
            Hash::Sha256 => State::Sha256(Sha256::new()),
            Hash::Sha384 => State::Sha384(Sha384::new()),
            Hash::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// Which hash function this is.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        match self.0 {
            State::Sha1(_) => Hash::Sha1,
            State::Sha224(_) => Hash::Sha224,
            State::Sha256(_) => Hash::Sha256,
            State::Sha384(_) => Hash::Sha384,
            State::Sha512(_) => Hash::Sha512,
        }
    }

    /// Appends `data` to the message.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            State::Sha1(state) => state.update(data),
            State::Sha224(state) => state.update(data),
            State::Sha256(state) => state.update(data),
            State::Sha384(state) => state.update(data),
            State::Sha512(state) => state.update(data),
        }
    }

    /// Writes the digest to the front of `out`, as [`Hash::digest`] does.
    pub fn finish(self, out: &mut [u8]) -> usize {
        match self.0 {
            State::Sha1(state) => finish(state, out),
            State::Sha224(state) => finish(state, out),
            State::Sha256(state) => finish(state, out),
            State::Sha384(state) => finish(state, out),
            State::Sha512(state) => finish(state, out),
        }
    }

    /// The digest of the message so far, which may go on.
    pub fn finish_copy(&self, out: &mut [u8]) -> usize {
        match &self.0 {
            State::Sha1(state) => finish(state.clone(), out),
            State::Sha224(state) => finish(state.clone(), out),
            State::Sha256(state) => finish(state.clone(), out),
            State::Sha384(state) => finish(state.clone(), out),
            State::Sha512(state) => finish(state.clone(), out),
        }
    }
}

#[cfg(test)]
#[path = "digest_tests.rs"]
mod tests;
