//! Ed25519 key material: the encodings a key comes and goes in, and what bytes are a public key at all.
//!
//! CKA_EC_PARAMS and CKA_EC_POINT of PKCS#11, PKCS#8 and SubjectPublicKeyInfo of RFC 8410. DER goes through the `der`
//! types of RustCrypto, which are strict; secrets are encoded straight into a [`Secret`].

use std::cmp::Ordering;

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
use p256::elliptic_curve::pkcs8::der::asn1::{BitStringRef, OctetStringRef};
use p256::elliptic_curve::pkcs8::der::{self, Decode, Encode};
use p256::elliptic_curve::pkcs8::{
    AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef,
};

use super::{KEY_LENGTH, PrivateKey};
use crate::ec_material::encode_secret;
use crate::ffi::Checked;
use crate::ffi::bignum::{BigNum, Context};

/// id-Ed25519, 1.3.101.112 (RFC 8410 section 3), in DER: the value of CKA_EC_PARAMS that CloudHSM writes.
pub const PARAMETERS: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
/// The PrintableString "edwards25519", the other value of CKA_EC_PARAMS (PKCS#11 3.2 section 6.3.6).
pub const NAME: &[u8] = b"\x13\x0cedwards25519";

const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// The algorithm has no parameters, not even NULL (RFC 8410 section 3).
const ALGORITHM: AlgorithmIdentifierRef<'static> = AlgorithmIdentifierRef { oid: ED25519, parameters: None };

/// The field's prime, 2^255 - 19, big-endian.
const PRIME: [u8; KEY_LENGTH] = {
    let mut bytes = [0xff; KEY_LENGTH];
    bytes.as_mut_slice().split_at_mut(1).0.copy_from_slice(&[0x7f]);
    bytes.as_mut_slice().split_at_mut(KEY_LENGTH - 1).1.copy_from_slice(&[0xed]);
    bytes
};
/// The curve's d, -121665/121666, big-endian (RFC 8032 section 5.1).
const D: [u8; KEY_LENGTH] = [
    0x52, 0x03, 0x6c, 0xee, 0x2b, 0x6f, 0xfe, 0x73, 0x8c, 0xc7, 0x40, 0x79, 0x77, 0x79, 0xe8, 0x98, 0x00, 0x70, 0x0a,
    0x4d, 0x41, 0x41, 0xd8, 0xab, 0x75, 0xeb, 0x4d, 0xca, 0x13, 0x59, 0x78, 0xa3,
];
/// A y of the four points of order 8, big-endian; the other is its negative.
const ORDER_8: [u8; KEY_LENGTH] = [
    0x05, 0xfc, 0x53, 0x6d, 0x88, 0x02, 0x38, 0xb1, 0x39, 0x33, 0xc6, 0xd3, 0x05, 0xac, 0xdf, 0xd5, 0xf0, 0x98, 0xef,
    0xf2, 0x89, 0xf4, 0xc3, 0x45, 0xb0, 0x27, 0xb2, 0xc2, 0x8f, 0x95, 0xe8, 0x26,
];

/// Whether a value of CKA_EC_PARAMS names this curve.
#[must_use]
pub fn is_parameters(bytes: &[u8]) -> bool {
    bytes == PARAMETERS || bytes == NAME
}

/// Whether the bytes are the canonical encoding of a point whose order is more than 8 (RFC 8032 section 5.1.3).
pub(super) fn is_public_point(bytes: &[u8; KEY_LENGTH]) -> bool {
    // Only memory can be lacking: then the point counts as none.
    decodes(bytes).unwrap_or(false)
}

fn decodes(bytes: &[u8; KEY_LENGTH]) -> Checked<bool> {
    let mut big_endian = *bytes;
    big_endian.reverse();
    // The top bit is the sign of x. Either sign is right for every x but 0, and x = 0 has a small order.
    if let Some(top) = big_endian.first_mut() {
        *top &= 0x7f;
    }
    let (y, p) = (BigNum::from_bytes(&big_endian)?, BigNum::from_bytes(&PRIME)?);
    if y.compare(&p) != Ordering::Less || has_small_order(&y, &p)? {
        return Ok(false);
    }
    // x^2 = (y^2 - 1) / (d y^2 + 1), and a quotient is a square exactly when the product is one. Neither is 0: y is
    // not 1 or -1 any more, and -1/d is no square.
    let (context, one) = (Context::new()?, BigNum::from_u64(1)?);
    let y_squared = y.squared_modulo(&p, &context)?;
    let denominator = BigNum::from_bytes(&D)?.times(&y_squared, &context)?.plus(&one)?;
    let product = y_squared.minus_one()?.times(&denominator, &context)?;
    let (_, product) = product.divided_by(&p, &context)?;
    let half = p.minus_one()?.shifted_right(1)?;
    Ok(product.to_the(&half, &p, &context)?.is_one())
}

/// Whether y is one of the five that the eight points of order 1, 2, 4 and 8 have: 1, -1, 0, and two more.
fn has_small_order(y: &BigNum, p: &BigNum) -> Checked<bool> {
    if y.is_zero() || y.is_one() {
        return Ok(true);
    }
    let order_8 = BigNum::from_bytes(&ORDER_8)?;
    let same = |a: &BigNum| a.compare(y) == Ordering::Equal;
    let negative = y.plus(&order_8)?.compare(p) == Ordering::Equal;
    Ok(same(&p.minus_one()?) || same(&order_8) || negative)
}

/// The point inside a value of CKA_EC_POINT: 32 bytes as they are (PKCS#11 3.2 section 6.3.5), or in a DER OCTET STRING, or
/// in a DER BIT STRING, for PKCS#11 3.0 said "DER-encoding" of a b-bit value and libraries differ on it. The three differ in
/// length. The point itself is not checked.
///
/// # Errors
/// CKR_ATTRIBUTE_VALUE_INVALID when it is none of them.
pub fn decode_point(bytes: &[u8]) -> Result<[u8; KEY_LENGTH]> {
    let octets = || <&OctetStringRef>::from_der(bytes).ok().and_then(|octets| octets.as_bytes().try_into().ok());
    let bits = || BitStringRef::from_der(bytes).ok().and_then(|bits| bits.as_bytes()?.try_into().ok());
    bytes
        .try_into()
        .ok()
        .or_else(octets)
        .or_else(bits)
        .ok_or(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "CKA_EC_POINT is no encoded Ed25519 point"))
}

fn cannot_encode(_: der::Error) -> Error {
    Error::internal("an Ed25519 key that cannot be encoded")
}

fn bad_encoding(_: der::Error) -> Error {
    Error::new(ck::CKR_WRAPPED_KEY_INVALID, "an Ed25519 key whose DER encoding is wrong")
}

/// The key as PKCS#8 in its first version, without the public key (RFC 8410 section 7), as OpenSSL writes it.
///
/// # Errors
/// CKR_GENERAL_ERROR: a key that exists can be encoded.
pub fn to_pkcs8(key: &PrivateKey) -> Result<Secret> {
    let encode = || {
        let inner = encode_secret(&OctetStringRef::new(key.seed().expose())?)?;
        encode_secret(&PrivateKeyInfoRef::new(ALGORITHM, OctetStringRef::new(inner.expose())?))
    };
    encode().map_err(cannot_encode)
}

/// The key in PKCS#8 of either version (RFC 8410 section 7). A public key beside it must be the seed's.
///
/// # Errors
/// CKR_WRAPPED_KEY_INVALID for anything but a whole, consistent Ed25519 key.
pub fn from_pkcs8(encoded: &[u8]) -> Result<PrivateKey> {
    let info = PrivateKeyInfoRef::from_der(encoded).map_err(bad_encoding)?;
    if info.algorithm != ALGORITHM {
        return Err(Error::new(ck::CKR_WRAPPED_KEY_INVALID, "PKCS#8 of another kind than Ed25519's"));
    }
    let seed = <&OctetStringRef>::from_der(info.private_key.as_bytes()).map_err(bad_encoding)?;
    let key = PrivateKey::from_seed(seed.as_bytes())
        .map_err(|_| Error::new(ck::CKR_WRAPPED_KEY_INVALID, "an Ed25519 key that has not 32 bytes"))?;
    if info.public_key.is_some_and(|bits| bits.as_bytes() != Some(key.public())) {
        return Err(Error::new(ck::CKR_WRAPPED_KEY_INVALID, "an Ed25519 key whose public half is not its own"));
    }
    Ok(key)
}

/// A public key as SubjectPublicKeyInfo (RFC 8410 section 4), the value of CKA_PUBLIC_KEY_INFO.
///
/// # Errors
/// CKR_GENERAL_ERROR: a key that exists can be encoded.
pub fn encode_spki(point: &[u8; KEY_LENGTH]) -> Result<Vec<u8>> {
    let encode = || {
        SubjectPublicKeyInfoRef { algorithm: ALGORITHM, subject_public_key: BitStringRef::from_bytes(point)? }.to_der()
    };
    encode().map_err(cannot_encode)
}

/// The point of a public key as SubjectPublicKeyInfo; the point itself is not checked.
///
/// # Errors
/// CKR_ARGUMENTS_BAD for anything but an Ed25519 public key.
pub fn decode_spki(encoded: &[u8]) -> Result<[u8; KEY_LENGTH]> {
    const REFUSED: Error = Error::new(ck::CKR_ARGUMENTS_BAD, "no Ed25519 public key");
    let info = SubjectPublicKeyInfoRef::from_der(encoded).map_err(|_| REFUSED)?;
    let point = info.subject_public_key.as_bytes().filter(|_| info.algorithm == ALGORITHM);
    point.and_then(|point| point.try_into().ok()).ok_or(REFUSED)
}
