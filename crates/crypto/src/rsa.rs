//! RSA keys ready for use: signing, verification, encryption and decryption in every padding of PKCS#11.
//!
//! AWS-LC does all of it, with CRT, blinding, and a check of each private result against faults. What is here is what
//! PKCS#11 adds: which input gives which return value, and the answer to a bad PKCS#1 v1.5 padding
//! (`rsa_rejection`).

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
use zeroize::Zeroizing;

use super::digest::Hash;
use super::ffi::Refused;
use super::ffi::bignum::BigNum;
use super::ffi::rsa::Rsa;
use super::ffi::rsa_padding::pad_oaep;
use super::rsa_material::{self, MAX_BITS};

mod block;
mod private;

use block::{BAD_SIGNATURE, Prepared};
pub use private::PrivateKey;

/// The longest modulus in bytes.
pub const MAX_BYTES: usize = MAX_BITS as usize / 8;
/// What PKCS#1 v1.5 needs beside the message: 00, type, eight bytes of padding, 00 (RFC 8017 sections 7.2.1, 9.2).
pub const PKCS1_OVERHEAD: usize = 11;
/// The integers of a private key, big-endian and without leading zeros (RFC 8017 A.1.2).
pub struct Components {
    /// n
    pub modulus: Vec<u8>,
    /// e
    pub public_exponent: Vec<u8>,
    /// d
    pub private_exponent: Secret,
    /// p
    pub prime_1: Secret,
    /// q
    pub prime_2: Secret,
    /// d mod (p - 1)
    pub exponent_1: Secret,
    /// d mod (q - 1)
    pub exponent_2: Secret,
    /// q^-1 mod p
    pub coefficient: Secret,
}

impl Components {
    /// The modulus' length in bits.
    #[must_use]
    pub fn modulus_bits(&self) -> usize {
        let zeros = self.modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        (self.modulus.len() * 8).saturating_sub(zeros)
    }
}

/// A prepared public key.
pub struct PublicKey(Prepared);

impl PublicKey {
    /// The key with this modulus and exponent, big-endian, with or without leading zeros.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID unless the modulus is odd and has 512 to 16384 bits, and the exponent is odd, at
    /// least 3 and at most 256 bits long.
    pub fn from_components(modulus: &[u8], exponent: &[u8]) -> Result<Self> {
        rsa_material::check_public(modulus, exponent)?;
        let make = || Rsa::public(&BigNum::from_bytes(modulus)?, &BigNum::from_bytes(exponent)?);
        let key = make().map_err(|_| Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "no RSA public key"))?;
        Ok(Self(Prepared::new(key, modulus)))
    }

    /// The modulus' length in bytes: that of every block, signature and ciphertext.
    #[must_use]
    pub fn modulus_bytes(&self) -> usize {
        self.0.size()
    }

    /// The modulus' length in bits.
    #[must_use]
    pub fn modulus_bits(&self) -> u32 {
        self.0.key.bits()
    }

    /// Verifies an RSASSA-PKCS1-v1_5 signature. `digest_info` is the T of RFC 8017 section 9.2, or what CKM_RSA_PKCS
    /// was given in its place.
    ///
    /// # Errors
    /// CKR_SIGNATURE_LEN_RANGE, CKR_SIGNATURE_INVALID.
    pub fn verify_pkcs1(&self, digest_info: &[u8], signature: &[u8]) -> Result<()> {
        self.0.verify_pkcs1(digest_info, signature)
    }

    /// Verifies an RSASSA-PSS signature with a salt of exactly `salt_length`.
    ///
    /// # Errors
    /// CKR_SIGNATURE_LEN_RANGE, CKR_SIGNATURE_INVALID; CKR_DATA_LEN_RANGE for a digest that is not the hash's;
    /// CKR_MECHANISM_PARAM_INVALID for a salt that cannot fit.
    pub fn verify_pss(&self, hash: Hash, mgf: Hash, salt_length: usize, digest: &[u8], signature: &[u8]) -> Result<()> {
        self.0.check_pss(hash, salt_length, digest)?;
        self.0.check_signature_length(signature)?;
        self.0.key.verify_pss(hash, mgf, salt_length, digest, signature).map_err(|_| BAD_SIGNATURE)
    }

    /// Verifies a CKM_RSA_X_509 signature: the recovered block is `data` behind zeros.
    ///
    /// # Errors
    /// CKR_SIGNATURE_LEN_RANGE, CKR_SIGNATURE_INVALID; CKR_DATA_LEN_RANGE and CKR_DATA_INVALID as for [`Self::raw`].
    pub fn verify_raw(&self, data: &[u8], signature: &[u8]) -> Result<()> {
        let (mut expected, mut recovered) = ([0; MAX_BYTES], [0; MAX_BYTES]);
        let expected = self.0.block(data, &mut expected)?;
        if self.0.recover(signature, &mut recovered)? == expected { Ok(()) } else { Err(BAD_SIGNATURE) }
    }

    /// RSAES-PKCS1-v1_5 encryption; returns the length, which is the modulus'.
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE, CKR_BUFFER_TOO_SMALL; CKR_GENERAL_ERROR when AWS-LC fails.
    pub fn encrypt_pkcs1(&self, message: &[u8], out: &mut [u8]) -> Result<usize> {
        self.0.check_message_length(message.len(), PKCS1_OVERHEAD)?;
        self.0.key.encrypt_pkcs1(message, self.0.room(out)?).map_err(failed)
    }

    /// RSAES-OAEP encryption (RFC 8017 section 7.1.1); returns the length, which is the modulus'.
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE, CKR_KEY_SIZE_RANGE for a modulus shorter than two hashes, CKR_BUFFER_TOO_SMALL;
    /// CKR_GENERAL_ERROR when AWS-LC fails.
    pub fn encrypt_oaep(&self, hash: Hash, mgf: Hash, label: &[u8], message: &[u8], out: &mut [u8]) -> Result<usize> {
        self.0.check_message_length(message.len(), 2 * hash.length() + 2)?;
        let out = self.0.room(out)?;
        let mut buffer = Zeroizing::new([0; MAX_BYTES]);
        let encoded = self.0.room(buffer.as_mut_slice())?;
        pad_oaep(hash, mgf, label, message, encoded).map_err(failed)?;
        self.0.key.public_raw(encoded, out).map_err(failed)?;
        Ok(out.len())
    }

    /// The public operation alone, on data of at most the modulus' length, filled up with zeros on the left.
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE for more, CKR_DATA_INVALID for data not less than the modulus, CKR_BUFFER_TOO_SMALL.
    pub fn raw(&self, data: &[u8], out: &mut [u8]) -> Result<usize> {
        let mut buffer = Zeroizing::new([0; MAX_BYTES]);
        let block = self.0.block(data, &mut buffer)?;
        let out = self.0.room(out)?;
        self.0.key.public_raw(block, out).map_err(failed)?;
        Ok(out.len())
    }
}

#[cold]
fn failed(_: Refused) -> Error {
    Error::internal("AWS-LC failed in an RSA operation")
}

#[cfg(test)]
mod tests;
