//! The public keys that users register: one that answers for a second factor, one that approves quorum tokens.
//!
//! Both are RSA of 2048 bits and sign a SHA-256 digest with PKCS#1 v1.5 (User Guide, reference-mfa-cloudhsm-cli).

use base::ck;
use base::error::{Error, Result};
use crypto::digest::Hash;
use crypto::key_file::{self, Public, RsaUse};
use crypto::{rsa, rsa_material};

/// A public key as it is kept: SubjectPublicKeyInfo in DER.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RegisteredKey(Vec<u8>);

const BITS: u32 = 2048;

impl RegisteredKey {
    /// A key from PEM.
    ///
    /// # Errors
    /// CKR_ARGUMENTS_BAD for anything but an RSA public key of 2048 bits.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self> {
        const OTHER: Error = Error::new(ck::CKR_ARGUMENTS_BAD, "The public key must be RSA of 2048 bits");
        let (modulus, exponent) = match key_file::read_public(pem)? {
            Public::Rsa(modulus, exponent, RsaUse::Any) => (modulus, exponent),
            // It may not make the signatures that are asked for.
            Public::Rsa(_, _, RsaUse::Pss) => {
                return Err(Error::new(
                    ck::CKR_ARGUMENTS_BAD,
                    "The public key is for RSA-PSS alone; signatures are PKCS#1 v1.5",
                ));
            }
            Public::Ec(..) | Public::Ed25519(_) => return Err(OTHER),
        };
        if rsa::PublicKey::from_components(&modulus, &exponent)?.modulus_bits() != BITS {
            return Err(OTHER);
        }
        Ok(Self(rsa_material::encode_spki(&modulus, &exponent)?))
    }

    /// A key from a record; whether it is one shows when it is used.
    pub(super) const fn from_record(encoded: Vec<u8>) -> Self {
        Self(encoded)
    }

    /// Refuses what is no key.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<()> {
        let (modulus, exponent) = rsa_material::decode_spki(&self.0)?;
        rsa::PublicKey::from_components(&modulus, &exponent).map(drop)
    }

    pub(super) fn encoded(&self) -> &[u8] {
        &self.0
    }

    /// Tells this key from another.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        Hash::Sha256.value(&self.0).as_slice().first_chunk().copied().unwrap_or_default()
    }

    /// Whether whoever holds the private key of the one holds that of the other: the modulus is the same, whatever the exponent.
    pub(super) fn is_of_one_holder_with(&self, other: &Self) -> bool {
        let modulus = |key: &Self| rsa_material::decode_spki(&key.0).ok().map(|(modulus, _)| modulus);
        self == other || modulus(self).is_some_and(|own| modulus(other) == Some(own))
    }

    /// Whether the signature of a digest is this key's.
    pub(super) fn verifies(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
        let mut info = Hash::Sha256.digest_info_prefix().to_vec();
        info.extend_from_slice(digest);
        let verify = || {
            let (modulus, exponent) = rsa_material::decode_spki(&self.0)?;
            rsa::PublicKey::from_components(&modulus, &exponent)?.verify_pkcs1(&info, signature)
        };
        verify().is_ok()
    }
}
