//! Ed25519 keys ready for use: the three forms of RFC 8032 section 5.1, generation and import.
//!
//! AWS-LC signs and verifies. It decodes a public point only when it verifies, so a key that is no point would be
//! taken and then fail for ever; the check at import is ours (`material`): y below p, none of the points of small
//! order, under which anybody can sign, and y on the curve by Euler's criterion over AWS-LC's integers. That is one
//! exponentiation of public numbers, which is why no second curve library stands beside AWS-LC here, as it does for
//! the other curves.

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;

use super::digest::Hash;
use super::ffi::Checked;
use super::ffi::ed25519::{self as ffi, Pair};
use super::random;

mod material;

pub use material::{NAME, PARAMETERS, decode_point, decode_spki, encode_spki, from_pkcs8, is_parameters, to_pkcs8};

/// The length of a seed, which is the private key, and of a public key.
pub const KEY_LENGTH: usize = 32;
/// The length of a signature: the point R and the scalar S.
pub const SIGNATURE_LENGTH: usize = 64;

/// The longest context (RFC 8032 section 5.1: its length is one byte).
const MAX_CONTEXT: usize = 255;
/// What the self-made signature of a pairwise test is made over: any message does (FIPS 140-3 IG 10.3.A).
const TEST_MESSAGE: [u8; 32] = [0x5a; 32];

/// Which of the three signatures of RFC 8032 section 5.1 it is; one is never valid as another.
#[derive(Clone, Copy)]
pub enum Variant<'a> {
    /// Ed25519.
    Pure,
    /// Ed25519ctx, with a context of 1 to 255 bytes: AWS-LC refuses the empty one, which the RFC says not to use.
    Context(&'a [u8]),
    /// Ed25519ph, with a context of 0 to 255 bytes.
    Prehashed(&'a [u8]),
}

impl Variant<'_> {
    /// Whether AWS-LC will take the context, asked first so that a refusal later can mean one thing only.
    fn check(self) -> Result<()> {
        let fits = match self {
            Self::Pure => true,
            Self::Context(context) => (1..=MAX_CONTEXT).contains(&context.len()),
            Self::Prehashed(context) => context.len() <= MAX_CONTEXT,
        };
        if fits {
            Ok(())
        } else {
            Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "an Ed25519 context of that length"))
        }
    }
}

/// What Ed25519ph signs in place of the message.
fn prehash(message: &[u8]) -> [u8; 64] {
    let mut digest = [0; 64];
    Hash::Sha512.digest(message, &mut digest);
    digest
}

fn whole_digest(digest: &[u8]) -> Result<&[u8; 64]> {
    digest.try_into().map_err(|_| Error::new(ck::CKR_DATA_LEN_RANGE, "Ed25519ph takes a SHA-512 digest"))
}

/// A prepared private key, with its public half.
///
/// The public half always comes from the seed: whoever signs one message under two of them gives the key away.
pub struct PrivateKey {
    pair: Pair,
    seed: Secret,
    public: [u8; KEY_LENGTH],
}

impl PrivateKey {
    /// A new key: 32 random bytes (RFC 8032 section 5.1.5).
    ///
    /// # Errors
    /// CKR_DEVICE_ERROR when the random generator fails.
    pub fn generate() -> Result<Self> {
        Self::from_seed(Secret::made(KEY_LENGTH, random::fill)?.expose())
    }

    /// The key with this seed; its public half is computed.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID unless it has 32 bytes.
    pub fn from_seed(seed: &[u8]) -> Result<Self> {
        let bytes = seed
            .try_into()
            .map_err(|_| Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "an Ed25519 private key has 32 bytes"))?;
        let (pair, public) = Pair::from_seed(bytes);
        Ok(Self { pair, seed: Secret::copy(seed), public })
    }

    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> &Secret {
        &self.seed
    }

    /// The encoded public point.
    #[must_use]
    pub const fn public(&self) -> &[u8; KEY_LENGTH] {
        &self.public
    }

    /// Signs a message; returns the length, [`SIGNATURE_LENGTH`].
    ///
    /// # Errors
    /// CKR_MECHANISM_PARAM_INVALID for a context of a wrong length; CKR_BUFFER_TOO_SMALL; CKR_GENERAL_ERROR when
    /// AWS-LC fails.
    pub fn sign(&self, variant: Variant<'_>, message: &[u8], out: &mut [u8]) -> Result<usize> {
        variant.check()?;
        Self::write(out, |signature| match variant {
            Variant::Pure => self.pair.sign(message, signature),
            Variant::Context(context) => self.pair.sign_in_context(context, message, signature),
            Variant::Prehashed(context) => self.pair.sign_digest(context, &prehash(message), signature),
        })
    }

    /// Signs as Ed25519ph a message whose SHA-512 digest is known, so one that came in parts; returns the length.
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE for a digest of another length; otherwise as for [`Self::sign`].
    pub fn sign_digest(&self, context: &[u8], digest: &[u8], out: &mut [u8]) -> Result<usize> {
        Variant::Prehashed(context).check()?;
        let digest = whole_digest(digest)?;
        Self::write(out, |signature| self.pair.sign_digest(context, digest, signature))
    }

    fn write(out: &mut [u8], make: impl FnOnce(&mut [u8; SIGNATURE_LENGTH]) -> Checked<()>) -> Result<usize> {
        let signature =
            out.first_chunk_mut().ok_or(Error::new(ck::CKR_BUFFER_TOO_SMALL, "no room for an Ed25519 signature"))?;
        make(signature).map_err(|_| Error::internal("Ed25519 signing failed"))?;
        Ok(SIGNATURE_LENGTH)
    }

    /// Recomputes the public half from the seed.
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when it is not the one that is stored.
    pub fn check_pair_cheap(&self) -> Result<()> {
        let fresh = Self::from_seed(self.seed.expose())?;
        if fresh.public == self.public { Ok(()) } else { Err(Error::internal("the Ed25519 key pair is inconsistent")) }
    }

    /// Signs and verifies (FIPS 140-3 IG 10.3.A).
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when the public half does not verify what the private half signed.
    pub fn check_pair_by_signature(&self) -> Result<()> {
        let mut signature = [0; SIGNATURE_LENGTH];
        self.sign(Variant::Pure, &TEST_MESSAGE, &mut signature)?;
        ffi::verify(&self.public, &TEST_MESSAGE, &signature)
            .map_err(|_| Error::internal("the Ed25519 key pair failed its pairwise test"))
    }
}

/// A checked public key.
pub struct PublicKey([u8; KEY_LENGTH]);

impl PublicKey {
    /// The key with this encoded point (RFC 8032 section 5.1.2). Costs an exponentiation: to be kept.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID unless it has 32 bytes, which are the one encoding of a point of the curve whose
    /// order is more than 8.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        const REFUSED: Error = Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "no Ed25519 public key");
        let point = bytes.try_into().map_err(|_| REFUSED)?;
        if material::is_public_point(&point) { Ok(Self(point)) } else { Err(REFUSED) }
    }

    /// The encoded point.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; KEY_LENGTH] {
        &self.0
    }

    /// Verifies the signature of a message.
    ///
    /// # Errors
    /// CKR_SIGNATURE_LEN_RANGE for a wrong length, CKR_SIGNATURE_INVALID for a wrong signature, an S that is not below
    /// the order included (RFC 8032 section 5.1.7); CKR_MECHANISM_PARAM_INVALID for a context of a wrong length.
    pub fn verify(&self, variant: Variant<'_>, message: &[u8], signature: &[u8]) -> Result<()> {
        variant.check()?;
        self.judge(signature, |signature| match variant {
            Variant::Pure => ffi::verify(&self.0, message, signature),
            Variant::Context(context) => ffi::verify_in_context(&self.0, context, message, signature),
            Variant::Prehashed(context) => ffi::verify_digest(&self.0, context, &prehash(message), signature),
        })
    }

    /// Verifies an Ed25519ph signature over the SHA-512 digest of its message.
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE for a digest of another length; otherwise as for [`Self::verify`].
    pub fn verify_digest(&self, context: &[u8], digest: &[u8], signature: &[u8]) -> Result<()> {
        Variant::Prehashed(context).check()?;
        let digest = whole_digest(digest)?;
        self.judge(signature, |signature| ffi::verify_digest(&self.0, context, digest, signature))
    }

    fn judge(&self, signature: &[u8], ask: impl FnOnce(&[u8; SIGNATURE_LENGTH]) -> Checked<()>) -> Result<()> {
        let signature = signature
            .try_into()
            .map_err(|_| Error::new(ck::CKR_SIGNATURE_LEN_RANGE, "an Ed25519 signature of the wrong length"))?;
        ask(signature).map_err(|_| Error::new(ck::CKR_SIGNATURE_INVALID, "the Ed25519 signature does not verify"))
    }
}

#[cfg(test)]
#[path = "ed25519_tests.rs"]
mod tests;
