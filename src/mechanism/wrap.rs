//! Wrapping keys: AES key wrap in its three forms, AES-GCM, RSA and RSA with an AES key in between (PKCS#11 3.2
//! sections 6.1.8, 6.1.9, 6.1.24, 6.13 and 6.14; User Guide, manage-aes-key-wrapping).
//!
//! What is wrapped are the bytes that [`crate::object::form`] makes of a key. A wrapped key of a possible length that does
//! not open has one outcome, whatever is wrong with it.

use zeroize::Zeroizing;

use super::parameter::{Oaep, RsaAes};
use super::{Ciphering, Hash, Parameter, Payload, Serves, Use, Work, Wrapping};
use crate::ck::{self, CK_RV};
use crate::config::Regime;
use crate::crypto::key_wrap::{self, Form};
use crate::crypto::{random, rsa};
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::secret::Secret;

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

/// AES key wrap without padding.
pub(super) const fn no_padding(payload: Payload) -> Serves {
    Serves {
        wrap: Some(Wrapping {
            payload,
            length: |_, length| key_wrap::wrapped_length(Form::NoPad, length),
            wrap: |work, key, out| key_wrap::wrap(secret(work)?, Form::NoPad, iv(work), key, out),
            unwrap: |work, wrapped, _| key_wrap::unwrap(secret(work)?, Form::NoPad, iv(work), wrapped),
        }),
        ..Serves::NOTHING
    }
}

/// AES key wrap of a key padded as PKCS#5 pads.
pub(super) const fn pkcs5_padding() -> Serves {
    Serves {
        wrap: Some(Wrapping {
            payload: Payload::Any,
            length: |_, length| key_wrap::wrapped_length(Form::Pkcs5Pad, length),
            wrap: |work, key, out| key_wrap::wrap(secret(work)?, Form::Pkcs5Pad, iv(work), key, out),
            unwrap: |work, wrapped, _| key_wrap::unwrap(secret(work)?, Form::Pkcs5Pad, iv(work), wrapped),
        }),
        ..Serves::NOTHING
    }
}

/// AES key wrap with the padding of RFC 5649.
pub(super) const fn zero_padding() -> Serves {
    Serves {
        wrap: Some(Wrapping {
            payload: Payload::Any,
            length: |_, length| key_wrap::wrapped_length(Form::ZeroPad, length),
            wrap: |work, key, out| key_wrap::wrap(secret(work)?, Form::ZeroPad, None, key, out),
            unwrap: |work, wrapped, _| key_wrap::unwrap(secret(work)?, Form::ZeroPad, None, wrapped),
        }),
        ..Serves::NOTHING
    }
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
    ..BY_CIPHER
};

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
