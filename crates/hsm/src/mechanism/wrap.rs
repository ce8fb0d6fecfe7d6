//! Wrapping keys: AES key wrap in its forms, AES-GCM, RSA and RSA with an AES key in between (PKCS#11 3.2
//! sections 6.1.8, 6.1.9, 6.1.24, 6.13 and 6.14; User Guide, manage-aes-key-wrapping).
//!
//! What is wrapped are the bytes that [`crate::object::form`] makes of a key. A wrapped key of a possible length that does
//! not open has one outcome, whatever is wrong with it.

use std::ops::RangeInclusive;

use base::ck::{self, CK_RV};
use base::error::{Error, Result};
use base::exchange::Exchange;
use base::secret::Secret;
use crypto::key_wrap::{self, Form};
use crypto::{random, rsa};
use zeroize::Zeroizing;

use super::parameter::{Oaep, RsaAes};
use super::{Ciphering, Hash, Parameter, Payload, Serves, Use, Work, Wrapping};
use crate::config::Regime;
use crate::object::form::{self, Lengths};

/// The longest RSA modulus, in bytes.
const LONGEST_MODULUS: usize = rsa::MAX_BYTES;

const INVALID: Error = Error::new(ck::CKR_WRAPPED_KEY_INVALID, "the wrapped key does not open under this key");
const LENGTH: Error = Error::new(ck::CKR_WRAPPED_KEY_LEN_RANGE, "no wrapped key of this mechanism has this length");
const NO_ROOM: Error = Error::internal("the room is smaller than the operation said");

/// In secure mode no key is wrapped with SHA-1 in OAEP.
pub(super) fn oaep_hash(work: &Work<'_>, what: Use, regime: Regime<'_>) -> Result<()> {
    let oaep = match work.parameter {
        Parameter::Oaep(oaep) => &**oaep,
        Parameter::RsaAes(parameter) => &parameter.oaep,
        _ => return Ok(()),
    };
    let weak = oaep.hash == Hash::Sha1 || oaep.mask == Hash::Sha1;
    if weak && matches!(what, Use::Wrap | Use::Unwrap) && !regime.safeguards.wraps_with_sha1 {
        return Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "no key is wrapped with SHA-1 in secure mode"));
    }
    Ok(())
}

/// AES key wrap of a cipher's key, which needs no padding.
pub(super) const fn no_padding() -> Serves {
    key_wrap_of(Wrapping {
        payload: Payload::Cipher,
        length: |_, length| key_wrap::wrapped_length(Form::NoPad, length),
        holds: |_, wrapped| Ok(key_wrap::held_lengths(Form::NoPad, wrapped)),
        wrap: |work, key, out| key_wrap::wrap(secret(work)?, Form::NoPad, iv(work), key, out),
        unwrap: |work, wrapped, _| key_wrap::unwrap(secret(work)?, Form::NoPad, iv(work), wrapped),
    })
}

/// AES key wrap of any key, filled up with zeros: "a secret key whose length is not a multiple of the AES Key Wrap semiblock size
/// (8 bytes) will be zero padded to fit", and so will the encoding of a private key (PKCS#11 3.2, CKM_AES_KEY_WRAP).
pub(super) const fn filled_up() -> Serves {
    key_wrap_of(Wrapping {
        payload: Payload::Any,
        length: |_, length| key_wrap::wrapped_length(Form::Filled, length),
        holds: |_, wrapped| Ok(key_wrap::held_lengths(Form::Filled, wrapped)),
        wrap: |work, key, out| key_wrap::wrap(secret(work)?, Form::Filled, iv(work), key, out),
        unwrap: |work, wrapped, lengths| {
            without_filling(key_wrap::unwrap(secret(work)?, Form::Filled, iv(work), wrapped)?, lengths)
        },
    })
}

/// AES key wrap of a key padded as PKCS#5 pads.
pub(super) const fn pkcs5_padding() -> Serves {
    key_wrap_of(Wrapping {
        payload: Payload::Any,
        length: |_, length| key_wrap::wrapped_length(Form::Pkcs5Pad, length),
        holds: |_, wrapped| Ok(key_wrap::held_lengths(Form::Pkcs5Pad, wrapped)),
        wrap: |work, key, out| key_wrap::wrap(secret(work)?, Form::Pkcs5Pad, iv(work), key, out),
        unwrap: |work, wrapped, _| key_wrap::unwrap(secret(work)?, Form::Pkcs5Pad, iv(work), wrapped),
    })
}

/// AES key wrap with the padding of RFC 5649.
pub(super) const fn zero_padding() -> Serves {
    key_wrap_of(Wrapping {
        payload: Payload::Any,
        length: |_, length| key_wrap::wrapped_length(Form::ZeroPad, length),
        holds: |_, wrapped| Ok(key_wrap::held_lengths(Form::ZeroPad, wrapped)),
        wrap: |work, key, out| key_wrap::wrap(secret(work)?, Form::ZeroPad, None, key, out),
        unwrap: |work, wrapped, _| key_wrap::unwrap(secret(work)?, Form::ZeroPad, None, wrapped),
    })
}

const fn key_wrap_of(wrapping: Wrapping) -> Serves {
    Serves { wrap: Some(wrapping), ..Serves::NOTHING }
}

/// The most zeros that a key is filled up with.
const MOST_FILLING: usize = 7;

/// The key that was filled up: a secret one has the greatest of these lengths that leaves at most seven bytes, a private one is as
/// long as its encoding says. What is left must be zeros. The standard says "truncates", but a key that could be cut would be
/// had again a byte shorter, and that byte found by trying (Clulow 2003).
pub(crate) fn without_filling(filled: Secret, lengths: Lengths) -> Result<Secret> {
    let bytes = filled.expose();
    let possible = bytes.len().saturating_sub(MOST_FILLING)..=bytes.len();
    let length = match lengths {
        Lengths::None => form::encoded_length(bytes),
        lengths => possible.clone().rev().find(|length| lengths.allow(*length)),
    };
    let length = length.filter(|length| possible.contains(length));
    let (key, filling) = length.and_then(|length| bytes.split_at_checked(length)).ok_or(INVALID)?;
    if filling.iter().fold(0, |all, byte| all | byte) != 0 {
        return Err(INVALID);
    }
    Ok(if filling.is_empty() { filled } else { Secret::copy(key) })
}

fn secret<'a>(work: &Work<'a>) -> Result<&'a [u8]> {
    Ok(work.key.secret()?.bytes().expose())
}

fn iv<'a>(work: &Work<'a>) -> Option<&'a [u8; 8]> {
    match work.parameter {
        Parameter::ShortIv(iv) => Some(iv),
        _ => None,
    }
}

/// Wrapping by the cipher of the same row: what encrypts bytes wraps those of a key.
pub(super) const BY_CIPHER: Wrapping = Wrapping {
    payload: Payload::Any,
    length: |work, length| (encryption(work)?.most)(work, length),
    holds: |work, wrapped| {
        let length = (work.row.serves.decrypt.as_ref().ok_or(NO_CIPHER)?.most)(work, wrapped)?;
        Ok(length..=length)
    },
    wrap: |work, key, out| {
        let length = (encryption(work)?.once)(work, Exchange::Apart { input: key, output: out });
        length.map_err(|error| recoded(error, ck::CKR_DATA_LEN_RANGE, ck::CKR_KEY_SIZE_RANGE))
    },
    unwrap: |work, wrapped, _| {
        let cipher = work.row.serves.decrypt.as_ref().ok_or(NO_CIPHER)?;
        let most = (cipher.most)(work, wrapped.len())?;
        let mut key = Zeroizing::new(vec![0; most]);
        let length = (cipher.once)(work, Exchange::Apart { input: wrapped, output: &mut key })
            .map_err(|error| undone(&error))?;
        Ok(Secret::copy(key.get(..length).ok_or(NO_ROOM)?))
    },
};

/// The same for RSA, whose modulus holds so much and no more.
pub(super) const RSA_OAEP: Wrapping = Wrapping {
    length: |work, length| match work.parameter {
        Parameter::Oaep(oaep) => held(work, length, 2 * oaep.hash.length() + 2),
        _ => Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "no OAEP parameter")),
    },
    holds: anything,
    ..BY_CIPHER
};

/// Every ciphertext of RSA is as long as the modulus, whatever it holds.
#[allow(clippy::unnecessary_wraps, reason = "the signature of the row")]
const fn anything(_: &Work<'_>, _: usize) -> Result<RangeInclusive<usize>> {
    Ok(0..=usize::MAX)
}

fn held(work: &Work<'_>, length: usize, padding: usize) -> Result<usize> {
    let modulus = work.key.rsa_public()?.modulus_bytes();
    if length.saturating_add(padding) <= modulus {
        return Ok(modulus);
    }
    Err(Error::new(ck::CKR_KEY_SIZE_RANGE, "the modulus is too short for the key"))
}

/// The same for RSA with PKCS#1 v1.5: a padding that is wrong gives another key and no error, so that nothing is learnt
/// from trying (RFC 8017 section 7.2; Bardou et al. 2012). So the length of the key must be known to be legal.
pub(super) const RSA_PKCS: Wrapping = Wrapping {
    payload: Payload::SecretKeys,
    length: |work, length| held(work, length, rsa::PKCS1_OVERHEAD),
    holds: anything,
    unwrap: |work, wrapped, lengths| {
        let mut key = Zeroizing::new([0; LONGEST_MODULUS]);
        let length = work
            .key
            .rsa_private()?
            .unwrap_pkcs1(wrapped, lengths.each(), key.as_mut_slice())
            .map_err(|error| undone(&error))?;
        Ok(Secret::copy(key.get(..length).ok_or(NO_ROOM)?))
    },
    ..BY_CIPHER
};

const NO_CIPHER: Error = Error::internal("a row that wraps by its cipher and has none");

fn encryption(work: &Work<'_>) -> Result<&'static Ciphering> {
    work.row.serves.encrypt.as_ref().ok_or(NO_CIPHER)
}

fn recoded(error: Error, from: CK_RV, to: CK_RV) -> Error {
    if error.rv() == from { Error::with(to, error.message().to_owned()) } else { error }
}

/// What a cipher's refusal of a ciphertext means for a wrapped key.
fn undone(error: &Error) -> Error {
    match error.rv() {
        ck::CKR_ENCRYPTED_DATA_LEN_RANGE | ck::CKR_DATA_LEN_RANGE => LENGTH,
        ck::CKR_ENCRYPTED_DATA_INVALID | ck::CKR_DATA_INVALID | ck::CKR_AEAD_DECRYPT_FAILED => INVALID,
        rv => Error::with(rv, error.message().to_owned()),
    }
}

/// CKM_RSA_AES_KEY_WRAP: a fresh AES key under RSA-OAEP, then the key under that AES key with RFC 5649's padding.
pub(super) const fn rsa_aes() -> Serves {
    Serves {
        wrap: Some(Wrapping {
            payload: Payload::Any,
            length: |work, length| {
                let inner = key_wrap::wrapped_length(Form::ZeroPad, length)?;
                Ok(work.key.rsa_public()?.modulus_bytes() + inner)
            },
            holds: |work, wrapped| {
                let inner = wrapped.checked_sub(work.key.rsa_private()?.modulus_bytes()).ok_or(LENGTH)?;
                Ok(key_wrap::held_lengths(Form::ZeroPad, inner))
            },
            wrap: wrap_rsa_aes,
            unwrap: |work, wrapped, _| unwrap_rsa_aes(work, wrapped),
        }),
        ..Serves::NOTHING
    }
}

fn rsa_aes_parameter<'a>(work: &Work<'a>) -> Result<&'a RsaAes> {
    match work.parameter {
        Parameter::RsaAes(parameter) => Ok(parameter),
        _ => Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "no RSA_AES_KEY_WRAP parameter")),
    }
}

fn wrap_rsa_aes(work: &Work<'_>, key: &[u8], out: &mut [u8]) -> Result<usize> {
    let RsaAes { key_length, oaep: Oaep { hash, mask, label } } = rsa_aes_parameter(work)?;
    let rsa = work.key.rsa_public()?;
    let between = Secret::made(*key_length, random::fill)?;
    let (front, back) = out.split_at_mut_checked(rsa.modulus_bytes()).ok_or(NO_ROOM)?;
    let first = rsa
        .encrypt_oaep(*hash, *mask, label, between.expose(), front)
        .map_err(|error| recoded(error, ck::CKR_DATA_LEN_RANGE, ck::CKR_WRAPPING_KEY_SIZE_RANGE))?;
    let second = key_wrap::wrap(between.expose(), Form::ZeroPad, None, key, back)?;
    Ok(first + second)
}

fn unwrap_rsa_aes(work: &Work<'_>, wrapped: &[u8]) -> Result<Secret> {
    let RsaAes { key_length, oaep: Oaep { hash, mask, label } } = rsa_aes_parameter(work)?;
    let rsa = work.key.rsa_private()?;
    let (front, back) = wrapped.split_at_checked(rsa.modulus_bytes()).ok_or(LENGTH)?;
    let mut between = Zeroizing::new([0; LONGEST_MODULUS]);
    let length =
        rsa.decrypt_oaep(*hash, *mask, label, front, between.as_mut_slice()).map_err(|error| undone(&error))?;
    let between = between.get(..length).filter(|key| key.len() == *key_length).ok_or(INVALID)?;
    key_wrap::unwrap(between, Form::ZeroPad, None, back)
}
