//! RSA and ECDSA: signatures over a digest made here or by the caller, RSA encryption (PKCS#11 3.2 sections 6.1, 6.3).
//!
//! A family is a pair of functions over a digest (or over raw data); [`hashed`] puts the hash of the row in front,
//! in one call or in parts, so that hashing is written once.

use base::ck;
use base::error::{Error, Result};
use base::exchange::Exchange;
use crypto::digest::{Digest, Hash};

use super::{Accumulator, Ciphering, Parameter, Serves, Signing, Stream, Use, Work, wrap};
use crate::config::Regime;
use crate::mechanism::operation::NO_PARTS;
use crate::mechanism::parameter::{Oaep, Pss};
use crate::object::KeyMaterial;

/// The largest RSA modulus served, in bytes.
const LARGEST_MODULUS: usize = 16_384 / 8;

/// A signature over a digest becomes one over a message: the row's hash runs first.
macro_rules! hashed {
    ($length:path, $sign:path, $verify:path) => {
        Serves {
            sign: Some(Signing {
                length: $length,
                sign: |work, data, out| {
                    let mut digest = [0; 64];
                    $sign(work, digest_of(work, data, &mut digest)?, out)
                },
                verify: |work, data, signature| {
                    let mut digest = [0; 64];
                    $verify(work, digest_of(work, data, &mut digest)?, signature)
                },
                start: |work| Ok(Accumulator::Digest(Digest::new(hash(work)?))),
                sign_end: |work, state, out| {
                    let mut digest = [0; 64];
                    $sign(work, finished(state, &mut digest)?, out)
                },
                verify_end: |work, state, signature| {
                    let mut digest = [0; 64];
                    $verify(work, finished(state, &mut digest)?, signature)
                },
            }),
            ..Serves::NOTHING
        }
    };
}

/// CKM_RSA_PKCS: PKCS#1 v1.5 signatures and encryption of what the caller prepared.
pub(super) const fn rsa_pkcs() -> Serves {
    Serves {
        sign: Some(Signing {
            length: rsa_length,
            sign: |work, data, out| work.key.rsa_private()?.sign_pkcs1(data, out),
            verify: |work, data, signature| work.key.rsa_public()?.verify_pkcs1(data, signature),
            ..SINGLE_PART
        }),
        encrypt: Some(Ciphering { once: encrypt_pkcs1, ..RSA_CIPHER }),
        decrypt: Some(Ciphering { once: decrypt_pkcs1, ..RSA_CIPHER }),
        wrap: Some(wrap::RSA_PKCS),
        ..Serves::NOTHING
    }
}

/// CKM_RSA_X_509: RSA without padding.
pub(super) const fn rsa_raw() -> Serves {
    Serves {
        sign: Some(Signing {
            length: rsa_length,
            sign: |work, data, out| work.key.rsa_private()?.raw(data, out),
            verify: |work, data, signature| work.key.rsa_public()?.verify_raw(data, signature),
            ..SINGLE_PART
        }),
        encrypt: Some(Ciphering {
            once: |work, io| through(io, |input, out| work.key.rsa_public()?.raw(input, out)),
            ..RSA_CIPHER
        }),
        decrypt: Some(Ciphering {
            once: |work, io| through(io, |input, out| work.key.rsa_private()?.decrypt_raw(input, out)),
            ..RSA_CIPHER
        }),
        ..Serves::NOTHING
    }
}

/// CKM_RSA_PKCS_PSS: PSS over the caller's digest.
pub(super) const fn rsa_pss() -> Serves {
    Serves {
        sign: Some(Signing { length: rsa_length, sign: sign_pss, verify: verify_pss, ..SINGLE_PART }),
        ..Serves::NOTHING
    }
}

/// CKM_RSA_PKCS_OAEP.
pub(super) const fn rsa_oaep() -> Serves {
    Serves {
        encrypt: Some(Ciphering { once: encrypt_oaep, ..RSA_CIPHER }),
        decrypt: Some(Ciphering { once: decrypt_oaep, ..RSA_CIPHER }),
        wrap: Some(wrap::RSA_OAEP),
        ..Serves::NOTHING
    }
}

/// CKM_SHAn_RSA_PKCS.
pub(super) const fn hashed_rsa_pkcs() -> Serves {
    hashed!(rsa_length, sign_digest_info, verify_digest_info)
}

/// CKM_SHAn_RSA_PKCS_PSS.
pub(super) const fn hashed_rsa_pss() -> Serves {
    hashed!(rsa_length, sign_pss, verify_pss)
}

/// CKM_ECDSA over the caller's digest.
pub(super) const fn ecdsa() -> Serves {
    Serves {
        sign: Some(Signing { length: ec_length, sign: sign_ecdsa, verify: verify_ecdsa, ..SINGLE_PART }),
        ..Serves::NOTHING
    }
}

/// CKM_ECDSA_SHAn.
pub(super) const fn hashed_ecdsa() -> Serves {
    hashed!(ec_length, sign_ecdsa, verify_ecdsa)
}

/// What has no parts: CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_RSA_X_509, CKM_ECDSA and ML-DSA of mu (their rows say so).
pub(super) const SINGLE_PART: Signing = Signing {
    length: rsa_length,
    sign: |_, _, _| Err(NO_PARTS),
    verify: |_, _, _| Err(NO_PARTS),
    start: |_| Err(NO_PARTS),
    sign_end: |_, _, _| Err(NO_PARTS),
    verify_end: |_, _, _| Err(NO_PARTS),
};

const RSA_CIPHER: Ciphering =
    Ciphering { most: |work, _| rsa_length(work), once: |_, _| Err(NO_PARTS), start: no_stream };

fn no_stream(_: &Work<'_>) -> Result<Box<dyn Stream>> {
    Err(NO_PARTS)
}

fn hash(work: &Work<'_>) -> Result<Hash> {
    work.row.hash.ok_or(Error::internal("a hashing row without a hash"))
}

fn digest_of<'a>(work: &Work<'_>, data: &[u8], out: &'a mut [u8; 64]) -> Result<&'a [u8]> {
    let length = hash(work)?.digest(data, out);
    Ok(out.get(..length).unwrap_or_default())
}

/// The digest of a message in parts.
pub(super) fn finished(state: Accumulator, out: &mut [u8; 64]) -> Result<&[u8]> {
    match state {
        Accumulator::Digest(digest) => {
            let length = digest.finish(out);
            Ok(out.get(..length).unwrap_or_default())
        }
        _ => Err(Error::internal("the state is not that of a digest")),
    }
}

fn rsa_length(work: &Work<'_>) -> Result<usize> {
    match work.key {
        KeyMaterial::RsaPrivate(key) => Ok(key.components().modulus.len()),
        other => Ok(other.rsa_public()?.modulus_bytes()),
    }
}

fn ec_length(work: &Work<'_>) -> Result<usize> {
    let curve = match work.key {
        KeyMaterial::EcPrivate(key) => key.curve(),
        other => other.ec_public()?.curve(),
    };
    Ok(2 * curve.order_bytes())
}

/// The DigestInfo of a digest, in front of which PKCS#1 v1.5 puts its padding (RFC 8017 section 9.2).
fn with_digest_info<R>(work: &Work<'_>, digest: &[u8], then: impl FnOnce(&[u8]) -> Result<R>) -> Result<R> {
    let prefix = hash(work)?.digest_info_prefix();
    let mut info = [0; 19 + 64];
    let length = prefix.len() + digest.len();
    let filled = info.get_mut(..length).ok_or(Error::internal("a DigestInfo longer than any"))?;
    let (front, back) = filled.split_at_mut(prefix.len());
    front.copy_from_slice(prefix);
    back.copy_from_slice(digest);
    then(filled)
}

fn sign_digest_info(work: &Work<'_>, digest: &[u8], out: &mut [u8]) -> Result<usize> {
    with_digest_info(work, digest, |info| work.key.rsa_private()?.sign_pkcs1(info, out))
}

fn verify_digest_info(work: &Work<'_>, digest: &[u8], signature: &[u8]) -> Result<()> {
    with_digest_info(work, digest, |info| work.key.rsa_public()?.verify_pkcs1(info, signature))
}

/// The PSS parameter names the row's own hash, and the salt fits the modulus (PKCS#11 3.2 section 6.1.10; RFC 8017 section
/// 9.1.1).
pub(super) fn pss_fits(work: &Work<'_>, _: Use, _: Regime<'_>) -> Result<()> {
    let Parameter::Pss(pss) = work.parameter else { return Err(NO_PSS) };
    if work.row.hash.is_some_and(|own| own != pss.hash) {
        return Err(Error::new(
            ck::CKR_MECHANISM_PARAM_INVALID,
            "the PSS parameter names another hash than the mechanism",
        ));
    }
    // A modulus of 8n + 1 bits leaves one byte less than it has.
    let block = match work.key {
        KeyMaterial::RsaPrivate(key) => (key.components().modulus_bits().saturating_sub(1)).div_ceil(8),
        other => (other.rsa_public()?.modulus_bits() as usize).saturating_sub(1).div_ceil(8),
    };
    if pss.hash.length().saturating_add(pss.salt_length).saturating_add(2) > block {
        return Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "no salt of this length fits the modulus"));
    }
    Ok(())
}

const NO_PSS: Error = Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "no PSS parameter");

/// The PSS parameter of a digest, which has been found to fit the row and the key.
fn pss<'a>(work: &Work<'a>, digest: &[u8]) -> Result<&'a Pss> {
    let Parameter::Pss(pss) = work.parameter else { return Err(NO_PSS) };
    if digest.len() != pss.hash.length() {
        return Err(Error::new(
            ck::CKR_DATA_LEN_RANGE,
            "the data is not as long as the digest that the PSS parameter names",
        ));
    }
    Ok(pss)
}

fn sign_pss(work: &Work<'_>, digest: &[u8], out: &mut [u8]) -> Result<usize> {
    let pss = pss(work, digest)?;
    work.key.rsa_private()?.sign_pss(pss.hash, pss.mask, pss.salt_length, digest, out)
}

fn verify_pss(work: &Work<'_>, digest: &[u8], signature: &[u8]) -> Result<()> {
    let pss = pss(work, digest)?;
    work.key.rsa_public()?.verify_pss(pss.hash, pss.mask, pss.salt_length, digest, signature)
}

/// In FIPS mode no digest is signed that is weaker than the curve (User Guide, ki-all: an "invalid mechanism" error, since
/// Client SDK 5.16). A hash of n bits is as strong against collisions as a curve of n bits is (SP 800-57 part 1, 5.6.1).
pub(super) fn digest_strength(work: &Work<'_>, what: Use, regime: Regime<'_>) -> Result<()> {
    if what != Use::Sign || regime.weak_digests() {
        return Ok(());
    }
    // P-521 is matched by the longest hash that there is.
    let wanted = work.key.ec_private()?.curve().bits().min(512);
    if hash(work)?.length() * 8 >= wanted as usize {
        return Ok(());
    }
    Err(Error::with(
        ck::CKR_MECHANISM_INVALID,
        format!("{} is weaker than the curve, which FIPS mode does not allow (ecdsa_with_weak_hash)", work.row.name),
    ))
}

fn sign_ecdsa(work: &Work<'_>, digest: &[u8], out: &mut [u8]) -> Result<usize> {
    work.key.ec_private()?.sign_digest(digest, out)
}

fn verify_ecdsa(work: &Work<'_>, digest: &[u8], signature: &[u8]) -> Result<()> {
    work.key.ec_public()?.verify_digest(digest, signature)
}

/// Runs a public-key operation into a buffer of our own and copies the result: input and output may be one range.
fn through(mut io: Exchange<'_>, run: impl FnOnce(&[u8], &mut [u8]) -> Result<usize>) -> Result<usize> {
    let mut buffer = zeroize::Zeroizing::new([0; LARGEST_MODULUS]);
    let length = run(io.input(), buffer.as_mut_slice())?;
    let result = buffer.get(..length).ok_or(Error::internal("a result longer than its buffer"))?;
    io.output().get_mut(..length).ok_or(TOO_SMALL)?.copy_from_slice(result);
    Ok(length)
}

const TOO_SMALL: Error = Error::internal("the room is smaller than the operation said");

fn encrypt_pkcs1(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    through(io, |input, out| work.key.rsa_public()?.encrypt_pkcs1(input, out))
}

fn decrypt_pkcs1(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    through(io, |input, out| work.key.rsa_private()?.decrypt_pkcs1(input, out))
}

fn oaep<'a>(work: &Work<'a>) -> Result<&'a Oaep> {
    match work.parameter {
        Parameter::Oaep(oaep) => Ok(oaep),
        _ => Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "no OAEP parameter")),
    }
}

fn encrypt_oaep(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    let oaep = oaep(work)?;
    through(io, |input, out| work.key.rsa_public()?.encrypt_oaep(oaep.hash, oaep.mask, &oaep.label, input, out))
}

fn decrypt_oaep(work: &Work<'_>, io: Exchange<'_>) -> Result<usize> {
    let oaep = oaep(work)?;
    through(io, |input, out| work.key.rsa_private()?.decrypt_oaep(oaep.hash, oaep.mask, &oaep.label, input, out))
}
