//! Self-tests with known answers (FIPS 140-3, section 7.10): what a cryptographic library computes is compared with what the
//! standards say, before anything of the HSM depends on it.
//!
//! Everything symmetric is tested when an HSM is opened: it takes some five microseconds where it was measured. What takes longer,
//! the asymmetric algorithms, is tested once in a process, before the first key of its family is used or made. A wrong answer is
//! CKR_FIPS_SELF_TEST_FAILED, after which the library answers nothing else (`abi::lifecycle`).

mod answers;

use std::sync::atomic::{AtomicBool, Ordering};

use base::ck;
use base::error::{Error, Result};
use base::exchange::Exchange;
use base::injection;
use base::secret::Secret;

use super::aes::AesKey;
use super::ctr::Counter;
use super::des::Des3Key;
use super::digest::Hash;
use super::ec::{self, Curve};
use super::ed25519::{self, Variant};
use super::gcm::GcmKey;
use super::hmac::HmacKey;
use super::ml_dsa::{self, ParameterSet};
use super::{key_wrap, rsa};

/// The asymmetric algorithms, each tested before its first use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// RSA signatures.
    Rsa,
    /// ECDSA and ECDH.
    Ec,
    /// Ed25519.
    Ed25519,
    /// ML-DSA.
    MlDsa,
}

impl Family {
    /// Its name in errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::Ec => "EC",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa => "ML-DSA",
        }
    }
}

/// Whether a family has passed. Several threads may test at once: the outcome is the same.
static PASSED: [AtomicBool; 4] = [const { AtomicBool::new(false) }; 4];

/// Makes sure that a family has been tested.
///
/// # Errors
/// CKR_FIPS_SELF_TEST_FAILED.
#[inline]
pub fn ready(family: Family) -> Result<()> {
    match PASSED.get(family as usize) {
        Some(passed) if passed.load(Ordering::Acquire) => Ok(()),
        Some(passed) => {
            test(family)?;
            passed.store(true, Ordering::Release);
            Ok(())
        }
        None => Err(Error::internal("a family without a place")),
    }
}

#[cold]
fn test(family: Family) -> Result<()> {
    match family {
        Family::Rsa => test_rsa(),
        Family::Ec => test_ec(),
        Family::Ed25519 => test_ed25519(),
        Family::MlDsa => test_ml_dsa(),
    }
}

/// Compares what was computed with the known answer.
fn expect(name: &'static str, computed: &[u8], known: &[u8]) -> Result<()> {
    if computed == known && !injection::hits("self-test", name) {
        return Ok(());
    }
    Err(failed(name))
}

fn failed(name: &str) -> Error {
    Error::with(
        ck::CKR_FIPS_SELF_TEST_FAILED,
        format!(
            "the self-test of {name} failed: the library or the processor computes wrongly; nothing more is answered"
        ),
    )
}

/// The error of a new pair that does not belong together, from which the library does not go on either.
#[must_use]
pub fn pair_failed(name: &str) -> Error {
    Error::with(
        ck::CKR_FIPS_SELF_TEST_FAILED,
        format!("a new {name} key pair does not belong together (pairwise test); nothing more is answered"),
    )
}

const fn apart<'a>(input: &'a [u8], output: &'a mut [u8]) -> Exchange<'a> {
    Exchange::Apart { input, output }
}

/// Tests everything symmetric.
///
/// # Errors
/// CKR_FIPS_SELF_TEST_FAILED.
pub fn symmetric() -> Result<()> {
    for (hash, known) in [
        (Hash::Sha1, answers::ABC_SHA1.as_slice()),
        (Hash::Sha224, &answers::ABC_SHA224),
        (Hash::Sha256, &answers::ABC_SHA256),
        (Hash::Sha384, &answers::ABC_SHA384),
        (Hash::Sha512, &answers::ABC_SHA512),
    ] {
        expect("SHA", hash.value(b"abc").as_slice(), known)?;
    }
    let mut mac = [0; 64];
    let length = HmacKey::new(Hash::Sha256, &[0x0b; 20]).sign(b"Hi There", &mut mac);
    expect("HMAC", mac.get(..length).unwrap_or_default(), &answers::HMAC_SHA256)?;

    let key = AesKey::new(&answers::AES_KEY)?;
    let mut block = answers::AES_BLOCK;
    key.encrypt_block(&mut block);
    expect("AES", &block, &answers::AES_ECB)?;
    let mut out = [0; 16];
    key.ecb_decrypt(apart(&answers::AES_ECB, &mut out))?;
    expect("AES", &out, &answers::AES_BLOCK)?;
    let mut iv = answers::AES_CBC_IV;
    key.cbc_encrypt(&mut iv, apart(&answers::AES_BLOCK, &mut out))?;
    expect("AES-CBC", &out, &answers::AES_CBC)?;
    let mut iv = answers::AES_CBC_IV;
    key.cbc_decrypt(&mut iv, apart(&answers::AES_CBC, &mut out))?;
    expect("AES-CBC", &out, &answers::AES_BLOCK)?;
    key.ctr(&mut Counter::new(answers::AES_CTR_START, 128)?, apart(&answers::AES_BLOCK, &mut out))?;
    expect("AES-CTR", &out, &answers::AES_CTR)?;
    expect("AES-CMAC", &key.cmac(&answers::AES_BLOCK)?, &answers::AES_CMAC)?;

    let key = GcmKey::new(&[0; 32])?;
    let mut sealed = [0; 32];
    key.seal(&[0; 12], &[], 16, apart(&[0; 16], &mut sealed))?;
    expect("AES-GCM", &sealed, &answers::GCM_SEALED)?;
    let mut opened = [1; 16];
    key.open(&[0; 12], &[], 16, apart(&answers::GCM_SEALED, &mut opened))?;
    expect("AES-GCM", &opened, &[0; 16])?;

    let mut wrapped = [0; 48];
    let length = key_wrap::wrap(&answers::KEK, key_wrap::Form::NoPad, None, &answers::KEY_DATA, &mut wrapped)?;
    expect("AES key wrap", wrapped.get(..length).unwrap_or_default(), &answers::WRAPPED)?;
    let unwrapped = key_wrap::unwrap(&answers::KEK, key_wrap::Form::NoPad, None, &answers::WRAPPED)?;
    expect("AES key wrap", unwrapped.expose(), &answers::KEY_DATA)?;

    let mut block = answers::DES3_BLOCK;
    Des3Key::new(&answers::DES3_KEY)?.encrypt_block(&mut block);
    expect("triple DES", &block, &answers::DES3_ECB)
}

fn test_rsa() -> Result<()> {
    const NAME: &str = "RSA";
    let components = rsa::Components {
        modulus: answers::RSA_MODULUS.to_vec(),
        public_exponent: answers::RSA_EXPONENT.to_vec(),
        private_exponent: Secret::copy(&answers::RSA_PRIVATE_EXPONENT),
        prime_1: Secret::copy(&answers::RSA_PRIME_1),
        prime_2: Secret::copy(&answers::RSA_PRIME_2),
        exponent_1: Secret::copy(&answers::RSA_EXPONENT_1),
        exponent_2: Secret::copy(&answers::RSA_EXPONENT_2),
        coefficient: Secret::copy(&answers::RSA_COEFFICIENT),
    };
    let mut info = Hash::Sha256.digest_info_prefix().to_vec();
    info.extend_from_slice(&answers::ABC_SHA256);
    let mut signature = [0; 256];
    rsa::PrivateKey::from_components(&components)?.sign_pkcs1(&info, &mut signature)?;
    expect(NAME, &signature, &answers::RSA_SIGNATURE)?;
    let public = rsa::PublicKey::from_components(&components.modulus, &components.public_exponent)?;
    public.verify_pkcs1(&info, &answers::RSA_SIGNATURE).map_err(|_| failed(NAME))
}

fn test_ec() -> Result<()> {
    const NAME: &str = "ECDSA";
    let digest = Hash::Sha256.value(b"sample");
    let key = ec::PrivateKey::from_scalar(Curve::P256, &answers::P256_SCALAR)?;
    expect(NAME, &key.point(), &answers::P256_POINT)?;
    let public = ec::PublicKey::from_point(Curve::P256, &answers::P256_POINT)?;
    public.verify_digest(digest.as_slice(), &answers::P256_SIGNATURE).map_err(|_| failed(NAME))?;
    // A signature has chance in it: what is made must verify.
    let mut signature = [0; 64];
    key.sign_digest(digest.as_slice(), &mut signature)?;
    public.verify_digest(digest.as_slice(), &signature).map_err(|_| failed(NAME))?;
    let key = ec::PrivateKey::from_scalar(Curve::P256, &answers::ECDH_SCALAR)?;
    expect("ECDH", key.agree(&answers::ECDH_POINT)?.expose(), &answers::ECDH_SHARED)
}

fn test_ed25519() -> Result<()> {
    const NAME: &str = "Ed25519";
    let key = ed25519::PrivateKey::from_seed(&answers::ED25519_SEED)?;
    let mut signature = [0; 64];
    key.sign(Variant::Pure, b"", &mut signature)?;
    expect(NAME, &signature, &answers::ED25519_SIGNATURE)?;
    let public = ed25519::PublicKey::from_bytes(key.public())?;
    public.verify(Variant::Pure, b"", &answers::ED25519_SIGNATURE).map_err(|_| failed(NAME))
}

fn test_ml_dsa() -> Result<()> {
    const NAME: &str = "ML-DSA";
    let set = ParameterSet::MlDsa44;
    let key = ml_dsa::PrivateKey::from_seed(set, &answers::ML_DSA_SEED)?;
    let public = key.public()?;
    expect(NAME, Hash::Sha256.value(&public).as_slice(), &answers::ML_DSA_PUBLIC_DIGEST)?;
    let mut signature = vec![0; set.signature_length()];
    let length = key.sign(b"", b"abc", &mut signature)?;
    let public = ml_dsa::PublicKey::from_bytes(set, &public)?;
    public.verify(b"", b"abc", signature.get(..length).unwrap_or_default()).map_err(|_| failed(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pass() -> Result<()> {
        symmetric()?;
        [Family::Rsa, Family::Ec, Family::Ed25519, Family::MlDsa].into_iter().try_for_each(ready)
    }
}
