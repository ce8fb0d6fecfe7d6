//! RSA private keys: generation, preparation, signing, decryption, and the pairwise tests.

use base::ck;
use base::error::{Error, Result};
use zeroize::Zeroizing;

use super::block::Prepared;
use super::{Components, MAX_BYTES, PKCS1_OVERHEAD, failed};
use crate::digest::Hash;
use crate::ffi::bignum::BigNum;
use crate::ffi::rsa::{Integers, Rsa};
use crate::rsa_material::{self, MAX_BITS, MIN_BITS, bit_length, is_odd, significant};
use crate::rsa_rejection::Rejection;

/// AWS-LC rounds a new modulus down to a multiple of this; we refuse instead.
const GENERATION_STEP: u32 = 128;
/// The longest public exponent that AWS-LC generates keys for.
const GENERATION_EXPONENT_BITS: u32 = 32;
/// FIPS 186-5 section 5.1 and A.1.1: the shortest modulus, and the exponent that RSA_generate_key_fips fixes.
const FIPS_MIN_BITS: u32 = 2048;
const F4: &[u8] = &[0x01, 0x00, 0x01];
/// DigestInfo (RFC 8017 section 9.2) of an arbitrary SHA-256 digest, for the pairwise test.
const TEST_DIGEST_INFO: [u8; 51] = {
    let prefix = [
        0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
        0x20,
    ];
    let mut info = [0x5a; 51];
    info.split_at_mut(19).0.copy_from_slice(&prefix);
    info
};

/// A prepared private key, with its public half.
pub struct PrivateKey {
    prepared: Prepared,
    rejection: Rejection,
}

impl PrivateKey {
    /// A new key's integers. With `fips`, as FIPS 186-5 has it, tested by AWS-LC: the primes are random probable primes
    /// (A.1.3). AWS-LC has no generation from auxiliary primes (A.1.6), the "strong primes" of X9.31, which FIPS 186
    /// demands below 2048 bits alone (FIPS 186-4 B.3.1).
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID unless `bits` is a multiple of 128 in 512..=16384, with `fips` at least 2048, and unless the
    /// exponent is odd, at least 3 and at most 32 bits long (AWS-LC's limit),
    /// with `fips` more than 16; CKR_GENERAL_ERROR when AWS-LC fails.
    pub fn generate(bits: u32, public_exponent: &[u8], fips: bool) -> Result<Components> {
        let exponent = significant(public_exponent);
        let smallest = if fips { FIPS_MIN_BITS } else { MIN_BITS };
        if !(smallest..=MAX_BITS).contains(&bits) || !bits.is_multiple_of(GENERATION_STEP) {
            return Err(Error::new(
                ck::CKR_ATTRIBUTE_VALUE_INVALID,
                "RSA keys are generated in sizes that are multiples of 128 bits, in FIPS mode from 2048",
            ));
        }
        let exponent_bits = if fips { 17 } else { 2 }..=GENERATION_EXPONENT_BITS;
        if !exponent_bits.contains(&bit_length(exponent)) || !is_odd(exponent) {
            return Err(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "no RSA key is generated with this exponent"));
        }
        let e = BigNum::from_bytes(exponent).map_err(failed)?;
        let key = if fips && exponent == F4 { Rsa::generate_fips(bits) } else { Rsa::generate(bits, &e) };
        let key = key.map_err(|_| Error::internal("RSA key generation failed"))?;
        if fips && exponent != F4 {
            key.check_fips().map_err(|_| Error::internal("a new RSA key failed its tests"))?;
        }
        let Integers { n, e, d, p, q, dp, dq, qinv } = key.integers().map_err(failed)?;
        Ok(Components {
            modulus: n.expose().to_vec(),
            public_exponent: e.expose().to_vec(),
            private_exponent: d,
            prime_1: p,
            prime_2: q,
            exponent_1: dp,
            exponent_2: dq,
            coefficient: qinv,
        })
    }

    /// The key with these integers, which are checked against each other. Costs about as much as a signature, and
    /// the first operation twice as much again for what AWS-LC precomputes: to be kept.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID when they are out of range or do not belong together.
    pub fn from_components(components: &Components) -> Result<Self> {
        let key = rsa_material::prepare(components)?;
        let prepared = Prepared::new(key, &components.modulus);
        let rejection = Rejection::new(significant(components.private_exponent.expose()), prepared.size())?;
        Ok(Self { prepared, rejection })
    }

    /// The modulus' length in bytes: that of every block, signature and ciphertext.
    #[must_use]
    pub fn modulus_bytes(&self) -> usize {
        self.prepared.size()
    }

    /// The modulus' length in bits.
    #[must_use]
    pub fn modulus_bits(&self) -> u32 {
        self.prepared.key.bits()
    }

    /// RSASSA-PKCS1-v1_5; `digest_info` as for
    /// [`PublicKey::verify_pkcs1`](super::PublicKey::verify_pkcs1). Returns the length.
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE, CKR_BUFFER_TOO_SMALL; CKR_GENERAL_ERROR when AWS-LC fails.
    pub fn sign_pkcs1(&self, digest_info: &[u8], out: &mut [u8]) -> Result<usize> {
        self.prepared.check_message_length(digest_info.len(), PKCS1_OVERHEAD)?;
        self.prepared.key.sign_pkcs1(digest_info, self.prepared.room(out)?).map_err(failed)
    }

    /// RSASSA-PSS. Returns the length.
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE for a digest that is not the hash's; CKR_MECHANISM_PARAM_INVALID for a salt that does not
    /// fit; CKR_BUFFER_TOO_SMALL; CKR_GENERAL_ERROR when AWS-LC fails.
    pub fn sign_pss(&self, hash: Hash, mgf: Hash, salt_length: usize, digest: &[u8], out: &mut [u8]) -> Result<usize> {
        self.prepared.check_pss(hash, salt_length, digest)?;
        let out = self.prepared.room(out)?;
        self.prepared.key.sign_pss(hash, mgf, salt_length, digest, out).map_err(failed)
    }

    /// The private operation alone, on data of at most the modulus' length, filled up with zeros on the left.
    ///
    /// # Errors
    /// As for [`PublicKey::raw`](super::PublicKey::raw).
    pub fn raw(&self, data: &[u8], out: &mut [u8]) -> Result<usize> {
        let mut buffer = Zeroizing::new([0; MAX_BYTES]);
        let block = self.prepared.block(data, &mut buffer)?;
        let out = self.prepared.room(out)?;
        self.prepared.private(block, out)?;
        Ok(out.len())
    }

    /// The private operation as a decryption: as [`Self::raw`], but the input has the modulus' length and the errors
    /// are those of a ciphertext.
    ///
    /// # Errors
    /// CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID, CKR_BUFFER_TOO_SMALL.
    pub fn decrypt_raw(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<usize> {
        self.prepared.check_ciphertext(ciphertext)?;
        let out = self.prepared.room(out)?;
        self.prepared.private(ciphertext, out)?;
        Ok(out.len())
    }

    /// RSAES-PKCS1-v1_5 decryption with implicit rejection: a bad padding gives a message too, always the same one for
    /// the same ciphertext. Returns the length.
    ///
    /// # Errors
    /// CKR_ENCRYPTED_DATA_LEN_RANGE and CKR_ENCRYPTED_DATA_INVALID for a ciphertext of the wrong length or not less
    /// than the modulus; CKR_BUFFER_TOO_SMALL, which tells the length and no more: to hide it, give a buffer as long
    /// as the modulus.
    pub fn decrypt_pkcs1(&self, ciphertext: &[u8], out: &mut [u8]) -> Result<usize> {
        self.decrypt_pkcs1_with(ciphertext, None::<[usize; 0]>, out)
    }

    /// As [`Self::decrypt_pkcs1`], for a key that is unwrapped: `lengths` are those that its type allows, such as
    /// `[16, 24, 32]` or `1..=800`. Any other length counts as bad padding, and the synthetic message has one of
    /// these, so that what the template makes of the message cannot tell either.
    ///
    /// # Errors
    /// As for [`Self::decrypt_pkcs1`]; CKR_KEY_SIZE_RANGE when none of the lengths fits the modulus.
    pub fn unwrap_pkcs1(
        &self,
        ciphertext: &[u8],
        lengths: impl IntoIterator<Item = usize> + Clone,
        out: &mut [u8],
    ) -> Result<usize> {
        self.decrypt_pkcs1_with(ciphertext, Some(lengths), out)
    }

    fn decrypt_pkcs1_with<L: IntoIterator<Item = usize> + Clone>(
        &self,
        ciphertext: &[u8],
        lengths: Option<L>,
        out: &mut [u8],
    ) -> Result<usize> {
        self.prepared.check_ciphertext(ciphertext)?;
        let mut buffer = Zeroizing::new([0; MAX_BYTES]);
        let encoded = self.prepared.room(buffer.as_mut_slice())?;
        self.prepared.private(ciphertext, encoded)?;
        self.rejection.open(ciphertext, encoded, lengths, out)
    }

    /// RSAES-OAEP decryption. Returns the length.
    ///
    /// # Errors
    /// CKR_ENCRYPTED_DATA_LEN_RANGE for a wrong length; CKR_ENCRYPTED_DATA_INVALID for everything else that can be
    /// wrong with a ciphertext, label and hashes included (Manger 2001); CKR_BUFFER_TOO_SMALL.
    pub fn decrypt_oaep(
        &self,
        hash: Hash,
        mgf: Hash,
        label: &[u8],
        ciphertext: &[u8],
        out: &mut [u8],
    ) -> Result<usize> {
        self.prepared.check_ciphertext(ciphertext)?;
        let mut buffer = Zeroizing::new([0; MAX_BYTES]);
        let block = self.prepared.room(buffer.as_mut_slice())?;
        let message = self
            .prepared
            .key
            .decrypt_oaep(hash, mgf, label, ciphertext, block)
            .ok()
            .and_then(|length| block.get(..length))
            .ok_or(Error::new(ck::CKR_ENCRYPTED_DATA_INVALID, "the OAEP ciphertext does not decrypt"))?;
        out.get_mut(..message.len())
            .ok_or(Error::new(ck::CKR_BUFFER_TOO_SMALL, "no room for the decrypted message"))?
            .copy_from_slice(message);
        Ok(message.len())
    }

    /// Checks that the integers belong together: n = p q, e d = 1, the CRT values.
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when they do not.
    pub fn check_pair_cheap(&self) -> Result<()> {
        self.prepared.key.check().map_err(|_| Error::internal("the RSA key pair is inconsistent"))
    }

    /// Signs and verifies (FIPS 140-3 IG 10.3.A).
    ///
    /// # Errors
    /// CKR_GENERAL_ERROR when the public half does not verify what the private half signed.
    pub fn check_pair_by_signature(&self) -> Result<()> {
        let mut signature = [0; MAX_BYTES];
        let length = self.sign_pkcs1(&TEST_DIGEST_INFO, &mut signature)?;
        self.prepared
            .verify_pkcs1(&TEST_DIGEST_INFO, signature.get(..length).unwrap_or_default())
            .map_err(|_| Error::internal("the RSA key pair failed its pairwise test"))
    }
}
