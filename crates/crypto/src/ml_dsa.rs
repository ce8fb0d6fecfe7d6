//! ML-DSA keys ready for use (FIPS 204): signatures over messages and over message representatives, generation and
//! import.
//!
//! AWS-LC does all of it. It signs hedged (FIPS 204 section 3.4), always: none of its public functions takes the
//! randomness from the caller, so deterministic signatures are not to be had. Signing and verifying allocate, a few
//! hundred bytes for AWS-LC's operation, and need much stack: ML-DSA-87 signs in 128 KiB and not in 112.

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
use p256::elliptic_curve::pkcs8::der::asn1::BitStringRef;
use p256::elliptic_curve::pkcs8::der::{self, Encode};
use p256::elliptic_curve::pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef};

use super::ffi::ml_dsa::{MlDsa, Shake256};
use super::ffi::{Checked, Refused};
use super::random;

/// The length of the seed that a private key is expanded from (FIPS 204 algorithm 1).
pub const SEED_LENGTH: usize = 32;
/// The length of a message representative (FIPS 204 algorithm 7, line 6).
pub const MU_LENGTH: usize = 64;

/// The length of the hash of a public key that every message representative begins with (FIPS 204 algorithm 6).
const PUBLIC_HASH_LENGTH: usize = 64;
/// The longest signature, ML-DSA-87's.
const MAX_SIGNATURE: usize = 4627;
/// What the self-made signature of a pairwise test is made over: any message does (FIPS 140-3 IG 10.3.A).
const TEST_MESSAGE: [u8; 32] = [0x5a; 32];

/// A parameter set of FIPS 204 section 4.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParameterSet {
    /// ML-DSA-44, of security category 2.
    MlDsa44,
    /// ML-DSA-65, of security category 3.
    MlDsa65,
    /// ML-DSA-87, of security category 5.
    MlDsa87,
}

impl ParameterSet {
    /// Every parameter set.
    pub const ALL: [Self; 3] = [Self::MlDsa44, Self::MlDsa65, Self::MlDsa87];

    /// FIPS 204's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// id-ml-dsa-44, -65, -87 (RFC 9881 section 2).
    const fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Self::MlDsa44 => "2.16.840.1.101.3.4.3.17",
            Self::MlDsa65 => "2.16.840.1.101.3.4.3.18",
            Self::MlDsa87 => "2.16.840.1.101.3.4.3.19",
        })
    }

    /// The length of a public key in bytes (FIPS 204 table 2, as the two below).
    #[must_use]
    pub const fn public_length(self) -> usize {
        match self {
            Self::MlDsa44 => 1312,
            Self::MlDsa65 => 1952,
            Self::MlDsa87 => 2592,
        }
    }

    /// The length of an expanded private key in bytes.
    #[must_use]
    pub const fn private_length(self) -> usize {
        match self {
            Self::MlDsa44 => 2560,
            Self::MlDsa65 => 4032,
            Self::MlDsa87 => 4896,
        }
    }

    /// The length of a signature in bytes.
    #[must_use]
    pub const fn signature_length(self) -> usize {
        match self {
            Self::MlDsa44 => 2420,
            Self::MlDsa65 => 3309,
            Self::MlDsa87 => MAX_SIGNATURE,
        }
    }
}

/// A public key as SubjectPublicKeyInfo (RFC 9881 section 4).
///
/// # Errors
/// CKR_GENERAL_ERROR: a key that exists can be encoded.
pub fn encode_spki(set: ParameterSet, public: &[u8]) -> Result<Vec<u8>> {
    let encode = || {
        let algorithm = AlgorithmIdentifierRef { oid: set.oid(), parameters: None };
        SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(public)? }.to_der()
    };
    encode().map_err(|_: der::Error| Error::internal("an ML-DSA public key that cannot be encoded"))
}

/// A prepared private key, with its public half.
pub struct PrivateKey {
    key: MlDsa,
    set: ParameterSet,
    seed: Option<Secret>,
}

impl PrivateKey {
    /// A new key, from a seed of random bytes (FIPS 204 algorithm 1).
    ///
    /// # Errors
    /// CKR_DEVICE_ERROR when the random generator fails; CKR_GENERAL_ERROR when AWS-LC does.
    pub fn generate(set: ParameterSet) -> Result<Self> {
        let seed = Secret::made(SEED_LENGTH, random::fill)?;
        let key = MlDsa::private(set, seed.expose()).map_err(|_| Error::internal("ML-DSA key generation failed"))?;
        Ok(Self { key, set, seed: Some(seed) })
    }

    /// The key that the seed expands to. Costs as much as generation: to be kept.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID unless the seed has 32 bytes.
    pub fn from_seed(set: ParameterSet, seed: &[u8]) -> Result<Self> {
        const REFUSED: Error = Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "an ML-DSA seed has 32 bytes");
        // AWS-LC would take the expanded form for one.
        if seed.len() != SEED_LENGTH {
            return Err(REFUSED);
        }
        let key = MlDsa::private(set, seed).map_err(|_| REFUSED)?;
        Ok(Self { key, set, seed: Some(Secret::copy(seed)) })
    }

    /// The key with this expanded form (FIPS 204 algorithm 24), which has no seed any more; its public half is computed
    /// and compared with what the form says of it.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID for a wrong length, a coefficient out of range, or parts that do not fit.
    pub fn from_expanded(set: ParameterSet, expanded: &[u8]) -> Result<Self> {
        const REFUSED: Error = Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "no expanded ML-DSA private key");
        if expanded.len() != set.private_length() {
            return Err(REFUSED);
        }
        let key = MlDsa::private(set, expanded).map_err(|_| REFUSED)?;
        Ok(Self { key, set, seed: None })
    }

    /// The parameter set.
    #[must_use]
    pub const fn parameter_set(&self) -> ParameterSet {
        self.set
    }

    /// The expanded form, [`ParameterSet::private_length`] long.
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR: a private key always has one.
    pub fn expanded(&self) -> Result<Secret> {
        Secret::made(self.set.private_length(), |out| self.key.write_private(out))
            .map_err(|_| Error::internal("an ML-DSA private key without its expanded form"))
    }

    /// The seed, unless the key came without.
    #[must_use]
    pub const fn seed(&self) -> Option<&Secret> {
        self.seed.as_ref()
    }

    /// The public key, [`ParameterSet::public_length`] long.
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR: a private key always has one.
    pub fn public(&self) -> Result<Vec<u8>> {
        let mut public = vec![0; self.set.public_length()];
        let written = self.key.write_public(&mut public);
        written.map_err(|_| Error::internal("an ML-DSA private key without its public half"))?;
        Ok(public)
    }

    /// Signs a message (FIPS 204 algorithm 2); returns the length, [`ParameterSet::signature_length`].
    ///
    /// # Errors
    /// CKR_MECHANISM_PARAM_INVALID for a context of more than 255 bytes; CKR_BUFFER_TOO_SMALL; CKR_GENERAL_ERROR when
    /// AWS-LC fails.
    pub fn sign(&self, context: &[u8], message: &[u8], out: &mut [u8]) -> Result<usize> {
        check_context(context)?;
        self.write(out, |signature| self.key.sign(context, message, signature))
    }

    /// Signs a message whose representative is known, see [`Representative`]; returns the length.
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE unless mu has 64 bytes; CKR_BUFFER_TOO_SMALL; CKR_GENERAL_ERROR when AWS-LC fails.
    pub fn sign_mu(&self, mu: &[u8], out: &mut [u8]) -> Result<usize> {
        check_mu(mu)?;
        self.write(out, |signature| self.key.sign_mu(mu, signature))
    }

    fn write(&self, out: &mut [u8], make: impl FnOnce(&mut [u8]) -> Checked<usize>) -> Result<usize> {
        let signature = out
            .get_mut(..self.set.signature_length())
            .ok_or(Error::new(ck::CKR_BUFFER_TOO_SMALL, "no room for an ML-DSA signature"))?;
        make(signature).map_err(|_| Error::internal("ML-DSA signing failed"))
    }

    /// Expands the seed again, or checks the expanded form again if there is none; costs as much as generation.
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when another key comes of it.
    pub fn check_pair_cheap(&self) -> Result<()> {
        let expanded = self.expanded()?;
        let fresh = match &self.seed {
            Some(seed) => Self::from_seed(self.set, seed.expose()),
            None => Self::from_expanded(self.set, expanded.expose()),
        };
        let same = |fresh: Self| Ok(fresh.expanded()?.ct_eq(expanded.expose()) && fresh.public()? == self.public()?);
        match fresh.and_then(same) {
            Ok(true) => Ok(()),
            _ => Err(Error::internal("the ML-DSA key pair is inconsistent")),
        }
    }

    /// Signs and verifies (FIPS 140-3 IG 10.3.A).
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when the public half does not verify what the private half signed.
    pub fn check_pair_by_signature(&self) -> Result<()> {
        let public = PublicKey::from_bytes(self.set, &self.public()?)?;
        let mut signature = [0; MAX_SIGNATURE];
        let length = self.sign(&[], &TEST_MESSAGE, &mut signature)?;
        public
            .verify(&[], &TEST_MESSAGE, signature.get(..length).unwrap_or_default())
            .map_err(|_| Error::internal("the ML-DSA key pair failed its pairwise test"))
    }
}

/// A prepared public key.
pub struct PublicKey {
    key: MlDsa,
    set: ParameterSet,
    bytes: Box<[u8]>,
}

impl PublicKey {
    /// The key with these bytes (FIPS 204 algorithm 23): any of the right number are one.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID for another number.
    pub fn from_bytes(set: ParameterSet, bytes: &[u8]) -> Result<Self> {
        let key = MlDsa::public(set, bytes)
            .map_err(|_| Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "no ML-DSA public key of the parameter set"))?;
        Ok(Self { key, set, bytes: bytes.into() })
    }

    /// The parameter set.
    #[must_use]
    pub const fn parameter_set(&self) -> ParameterSet {
        self.set
    }

    /// The key's bytes, [`ParameterSet::public_length`] of them.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Verifies the signature of a message (FIPS 204 algorithm 3).
    ///
    /// # Errors
    /// CKR_SIGNATURE_LEN_RANGE for a wrong length, CKR_SIGNATURE_INVALID for a wrong signature;
    /// CKR_MECHANISM_PARAM_INVALID for a context of more than 255 bytes.
    pub fn verify(&self, context: &[u8], message: &[u8], signature: &[u8]) -> Result<()> {
        check_context(context)?;
        self.check_length(signature)?;
        self.key.verify(context, message, signature).map_err(bad_signature)
    }

    /// Verifies the signature of a message whose representative is known, see [`Representative`].
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE unless mu has 64 bytes; CKR_SIGNATURE_LEN_RANGE, CKR_SIGNATURE_INVALID.
    pub fn verify_mu(&self, mu: &[u8], signature: &[u8]) -> Result<()> {
        check_mu(mu)?;
        self.check_length(signature)?;
        self.key.verify_mu(mu, signature).map_err(bad_signature)
    }

    fn check_length(&self, signature: &[u8]) -> Result<()> {
        if signature.len() == self.set.signature_length() {
            return Ok(());
        }
        Err(Error::new(ck::CKR_SIGNATURE_LEN_RANGE, "an ML-DSA signature of the wrong length"))
    }
}

/// The representative mu of a message that comes in parts (FIPS 204 algorithm 7 line 6, with M' of algorithm 2).
pub struct Representative(Shake256);

impl Representative {
    /// An empty message under this public key and context.
    ///
    /// # Errors
    /// CKR_MECHANISM_PARAM_INVALID for a context of more than 255 bytes; CKR_GENERAL_ERROR when AWS-LC fails.
    pub fn new(public: &[u8], context: &[u8]) -> Result<Self> {
        let length = check_context(context)?;
        let start = || {
            let mut hash = [0; PUBLIC_HASH_LENGTH];
            let mut state = Shake256::new()?;
            state.update(public)?;
            state.finish(&mut hash)?;
            let mut state = Shake256::new()?;
            // The zero says that the message itself is signed, and not a digest of it (FIPS 204 section 5.4).
            for part in [&hash[..], &[0, length], context] {
                state.update(part)?;
            }
            Ok(Self(state))
        };
        start().map_err(failed)
    }

    /// Appends `data` to the message.
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when AWS-LC fails.
    pub fn update(&mut self, data: &[u8]) -> Result<()> {
        self.0.update(data).map_err(failed)
    }

    /// The representative.
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when AWS-LC fails.
    pub fn finish(self) -> Result<[u8; MU_LENGTH]> {
        let mut mu = [0; MU_LENGTH];
        self.0.finish(&mut mu).map_err(failed)?;
        Ok(mu)
    }
}

/// The context's length as the byte that is hashed: more than 255 are refused (FIPS 204 algorithm 2, line 1).
fn check_context(context: &[u8]) -> Result<u8> {
    u8::try_from(context.len())
        .map_err(|_| Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "an ML-DSA context has at most 255 bytes"))
}

fn check_mu(mu: &[u8]) -> Result<()> {
    if mu.len() == MU_LENGTH {
        return Ok(());
    }
    Err(Error::new(ck::CKR_DATA_LEN_RANGE, "an ML-DSA message representative has 64 bytes"))
}

#[cold]
fn bad_signature(_: Refused) -> Error {
    Error::new(ck::CKR_SIGNATURE_INVALID, "the ML-DSA signature does not verify")
}

#[cold]
fn failed(_: Refused) -> Error {
    Error::internal("AWS-LC failed in SHAKE256")
}

#[cfg(test)]
#[path = "ml_dsa_tests.rs"]
mod tests;
