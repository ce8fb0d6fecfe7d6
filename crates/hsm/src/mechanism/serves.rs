//! The functions behind a row of the mechanism table, by the C function that they serve.

use std::ops::RangeInclusive;

use base::ck::{self, CK_KEY_TYPE, CK_OBJECT_CLASS};
use base::error::Result;
use base::exchange::Exchange;
use base::secret::Secret;

use super::{Accumulator, Stream, Work};
use crate::config::Mode;
use crate::object::KeyMaterial;
use crate::object::attributes::Draft;
use crate::object::form::Lengths;

/// The functions behind a row; what is there is what the mechanism can do.
pub(crate) struct Serves {
    /// C_Digest and its parts.
    pub digest: bool,
    /// C_Sign, C_Verify and their parts.
    pub sign: Option<Signing>,
    /// C_Encrypt and its parts.
    pub encrypt: Option<Ciphering>,
    /// C_Decrypt and its parts.
    pub decrypt: Option<Ciphering>,
    /// C_GenerateKey.
    pub generate: Option<GenerateKey>,
    /// C_GenerateKeyPair.
    pub generate_pair: Option<GeneratePair>,
    /// C_WrapKey and C_UnwrapKey.
    pub wrap: Option<Wrapping>,
    /// C_DeriveKey.
    pub derive: Option<Deriving>,
}

impl Serves {
    /// Nothing, for families to add to.
    pub(super) const NOTHING: Self = Self {
        digest: false,
        sign: None,
        encrypt: None,
        decrypt: None,
        generate: None,
        generate_pair: None,
        wrap: None,
        derive: None,
    };
}

/// Signing and verifying, in one call or in parts.
#[derive(Clone, Copy)]
pub(crate) struct Signing {
    /// The length of a signature, in bytes.
    pub length: fn(&Work<'_>) -> Result<usize>,
    /// Signs `data` into a buffer of at least that length.
    pub sign: fn(&Work<'_>, &[u8], &mut [u8]) -> Result<usize>,
    /// Verifies a signature of `data`.
    pub verify: fn(&Work<'_>, &[u8], &[u8]) -> Result<()>,
    /// Begins an operation in parts.
    pub start: fn(&Work<'_>) -> Result<Accumulator>,
    /// Signs what has been accumulated.
    pub sign_end: fn(&Work<'_>, Accumulator, &mut [u8]) -> Result<usize>,
    /// Verifies a signature of what has been accumulated.
    pub verify_end: fn(&Work<'_>, Accumulator, &[u8]) -> Result<()>,
}

/// One direction of a cipher.
#[derive(Clone, Copy)]
pub(crate) struct Ciphering {
    /// The most bytes that come out of so many bytes of input.
    pub most: fn(&Work<'_>, usize) -> Result<usize>,
    /// The whole operation; the room is at least `most`. Returns the bytes written.
    pub once: fn(&Work<'_>, Exchange<'_>) -> Result<usize>,
    /// Begins an operation in parts.
    pub start: fn(&Work<'_>) -> Result<Box<dyn Stream>>,
}

/// Wrapping and unwrapping keys; what is wrapped are the bytes that `object::form` makes of a key.
pub(crate) struct Wrapping {
    /// The keys that it wraps.
    pub payload: Payload,
    /// The length of a wrapped key whose bytes are so many.
    pub length: fn(&Work<'_>, usize) -> Result<usize>,
    /// The lengths of the bytes that a wrapped key of this length can hold, as far as its length tells.
    pub holds: fn(&Work<'_>, usize) -> Result<RangeInclusive<usize>>,
    /// Wraps the bytes of a key into a buffer of at least that length.
    pub wrap: fn(&Work<'_>, &[u8], &mut [u8]) -> Result<usize>,
    /// The bytes of a wrapped key; `Lengths` are those that they can have, if the key is a secret one.
    pub unwrap: fn(&Work<'_>, &[u8], Lengths) -> Result<Secret>,
}

/// The keys that a mechanism wraps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Payload {
    /// Secret and private keys.
    Any,
    /// Secret keys.
    SecretKeys,
    /// Keys of block ciphers, whose length is a multiple of eight bytes.
    Cipher,
}

impl Payload {
    /// Whether keys of this class and type are wrapped.
    #[must_use]
    pub(crate) const fn includes(self, class: CK_OBJECT_CLASS, key_type: CK_KEY_TYPE) -> bool {
        match (self, class) {
            (Self::Any, ck::CKO_SECRET_KEY | ck::CKO_PRIVATE_KEY) | (Self::SecretKeys, ck::CKO_SECRET_KEY) => true,
            (Self::Cipher, ck::CKO_SECRET_KEY) => matches!(key_type, ck::CKK_AES | ck::CKK_DES3),
            _ => false,
        }
    }
}

/// Deriving a secret key from a key.
pub(crate) struct Deriving {
    /// The bytes of the derived key: so many, or as many as the mechanism gives.
    pub derive: fn(&Work<'_>, Option<usize>) -> Result<Secret>,
    /// Whether the derived key may be no less protected than the base key. Not so for an agreement: what comes out is
    /// the peer's as well.
    pub inherits: bool,
}

/// Making a secret key.
pub(crate) struct GenerateKey {
    /// The key type that it makes.
    pub key_type: CK_KEY_TYPE,
    /// Makes the material for the drafted attributes.
    pub make: fn(&mut Draft) -> Result<KeyMaterial>,
}

/// Making a key pair.
pub(crate) struct GeneratePair {
    /// The key type that it makes.
    pub key_type: CK_KEY_TYPE,
    /// Makes both materials for the drafted attributes of the public and the private key.
    pub make: MakePair,
}

/// Makes the materials of a public and a private key.
pub(crate) type MakePair = fn(&mut Draft, &mut Draft, &Mode) -> Result<(KeyMaterial, KeyMaterial)>;
