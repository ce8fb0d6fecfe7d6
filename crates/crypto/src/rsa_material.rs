//! RSA key material: ranges, consistency, the primes of a key that came without, and the DER encodings.
//!
//! PKCS#11 lets a private key come as n, e, d alone; CRT is four times as fast and what AWS-LC protects best, so the
//! primes are found again here, once, at import (SP 800-56B r2 appendix C.1). Everything a caller gives is checked
//! against everything else: a key with one bit changed on its way would sign wrongly and give the rest of itself away.
//! DER goes through the `pkcs1` and `pkcs8` types that the `rsa` crate exports; its arithmetic is not used.

use std::cmp::Ordering;

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
use rsa::pkcs1::{RsaPrivateKeyRef, RsaPublicKey, UintRef};
use rsa::pkcs8::der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use rsa::pkcs8::der::{self, Decode, Encode};
use rsa::pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfoRef, SubjectPublicKeyInfoRef};

use super::ec_material::encode_secret;
use super::ffi::bignum::{BigNum, Context};
use super::ffi::rsa::{Integers, Rsa};
use super::ffi::{Checked, Refused};
use super::rsa::Components;

/// The shortest modulus that is taken at all; profiles ask for more.
pub const MIN_BITS: u32 = 512;
/// The longest modulus; AWS-LC's limit too.
pub const MAX_BITS: u32 = 16384;
/// The longest public exponent (FIPS 186-5 section 5.1: e < 2^256). Above 33 bits AWS-LC wants it said expressly.
pub const MAX_EXPONENT_BITS: u32 = 256;

/// rsaEncryption (RFC 8017 A.1).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// Each base finds the primes with a probability of at least one half.
const BASES: [u8; 54] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167, 173, 179, 181, 191, 193, 197, 199, 211, 223, 227, 229, 233, 239,
    241, 251,
];

/// The values that a caller may give beside the primes; they must be what the primes make them.
#[derive(Clone, Copy, Default)]
pub struct Crt<'a> {
    /// CKA_EXPONENT_1
    pub exponent_1: Option<&'a [u8]>,
    /// CKA_EXPONENT_2
    pub exponent_2: Option<&'a [u8]>,
    /// CKA_COEFFICIENT
    pub coefficient: Option<&'a [u8]>,
}

const INCONSISTENT: Error = Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "the parts of the RSA key do not fit");

/// A big-endian integer without its leading zeros.
pub(super) fn significant(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// The number of significant bits, at most `u32::MAX`.
pub(super) fn bit_length(bytes: &[u8]) -> u32 {
    let bytes = significant(bytes);
    let top = bytes.first().map_or(0, |byte| byte.leading_zeros());
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_mul(8).saturating_sub(top)
}

/// Whether the last bit is set.
pub(super) fn is_odd(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|byte| byte & 1 == 1)
}

/// Checks the ranges of a public key, before anything is computed with it.
///
/// # Errors
/// CKR_ATTRIBUTE_VALUE_INVALID unless the modulus is odd with 512 to 16384 bits, and the exponent is odd, at least 3
/// and at most 256 bits long.
pub fn check_public(modulus: &[u8], exponent: &[u8]) -> Result<()> {
    if !(MIN_BITS..=MAX_BITS).contains(&bit_length(modulus)) || !is_odd(modulus) {
        return Err(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "the RSA modulus is even or has a wrong size"));
    }
    if !(2..=MAX_EXPONENT_BITS).contains(&bit_length(exponent)) || !is_odd(exponent) {
        return Err(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "the RSA public exponent is even, 1 or too long"));
    }
    Ok(())
}

/// Makes AWS-LC's key; it checks n = p q, e d = 1 modulo p-1 and q-1, and the CRT values.
pub(super) fn prepare(components: &Components) -> Result<Rsa> {
    let Components { modulus, public_exponent, .. } = components;
    check_public(modulus, public_exponent)?;
    let secrets = [
        &components.private_exponent,
        &components.prime_1,
        &components.prime_2,
        &components.exponent_1,
        &components.exponent_2,
        &components.coefficient,
    ];
    if secrets.iter().any(|secret| bit_length(secret.expose()) > bit_length(modulus)) {
        return Err(INCONSISTENT);
    }
    let number = |secret: &Secret| BigNum::from_bytes(secret.expose());
    let make = || {
        let integers = Integers {
            n: BigNum::from_bytes(modulus)?,
            e: BigNum::from_bytes(public_exponent)?,
            d: number(&components.private_exponent)?,
            p: number(&components.prime_1)?,
            q: number(&components.prime_2)?,
            dp: number(&components.exponent_1)?,
            dq: number(&components.exponent_2)?,
            qinv: number(&components.coefficient)?,
        };
        if integers.d.compare(&integers.n) != Ordering::Less {
            return Err(Refused);
        }
        Rsa::private(&integers)
    };
    make().map_err(|_| INCONSISTENT)
}

/// A whole private key from what a caller has of it: missing primes are recovered, CRT values recomputed, and all
/// that was given is compared.
///
/// # Errors
/// CKR_ATTRIBUTE_VALUE_INVALID when a part is out of range or does not fit the others.
pub fn complete(
    modulus: &[u8],
    public_exponent: &[u8],
    private_exponent: &[u8],
    primes: Option<(&[u8], &[u8])>,
    crt: Crt<'_>,
) -> Result<Components> {
    check_public(modulus, public_exponent)?;
    // The sizes are bounded before anything is computed: the time that follows is cubic in them.
    let limit = bit_length(modulus);
    let (given_p, given_q) = primes.unzip();
    let given = [Some(private_exponent), given_p, given_q, crt.exponent_1, crt.exponent_2, crt.coefficient];
    if given.into_iter().flatten().any(|part| !(1..=limit).contains(&bit_length(part))) {
        return Err(INCONSISTENT);
    }
    let compute = || {
        let context = Context::new()?;
        let (n, e) = (BigNum::from_bytes(modulus)?, BigNum::from_bytes(public_exponent)?);
        let d = BigNum::from_bytes(private_exponent)?;
        let (p, q) = match primes {
            Some((p, q)) => (BigNum::from_bytes(p)?, BigNum::from_bytes(q)?),
            None => recover_primes(&n, &e, &d, &context)?,
        };
        let build = |p: &BigNum, q: &BigNum| {
            let (dp, dq, qinv) = crt_values(&d, p, q, &context)?;
            Ok(Components {
                modulus: significant(modulus).to_vec(),
                public_exponent: significant(public_exponent).to_vec(),
                private_exponent: Secret::copy(significant(private_exponent)),
                prime_1: p.to_secret()?,
                prime_2: q.to_secret()?,
                exponent_1: dp,
                exponent_2: dq,
                coefficient: qinv,
            })
        };
        let components = build(&p, &q)?;
        if primes.is_none() && !crt.agrees_with(&components) {
            // Recovered primes have no order of their own; given CRT values have.
            return build(&q, &p);
        }
        Ok(components)
    };
    let components = compute().map_err(|_: Refused| INCONSISTENT)?;
    if !crt.agrees_with(&components) {
        return Err(INCONSISTENT);
    }
    prepare(&components)?;
    Ok(components)
}

impl Crt<'_> {
    fn agrees_with(&self, components: &Components) -> bool {
        let same = |given: Option<&[u8]>, computed: &Secret| given.is_none_or(|g| computed.ct_eq(significant(g)));
        same(self.exponent_1, &components.exponent_1)
            && same(self.exponent_2, &components.exponent_2)
            && same(self.coefficient, &components.coefficient)
    }
}

/// d mod (p-1), d mod (q-1), q^-1 mod p.
fn crt_values(d: &BigNum, p: &BigNum, q: &BigNum, context: &Context) -> Checked<(Secret, Secret, Secret)> {
    if !p.is_odd() || !q.is_odd() || p.is_one() || q.is_one() {
        return Err(Refused);
    }
    let (p_1, q_1) = (p.minus_one()?, q.minus_one()?);
    let (_, dp) = d.divided_by(&p_1, context)?;
    let (_, dq) = d.divided_by(&q_1, context)?;
    // Fermat: q^(p-2) is the inverse modulo a prime, in constant time. For a composite p it is not, and the check of
    // the whole key fails.
    let (_, q_mod_p) = q.divided_by(p, context)?;
    let qinv = q_mod_p.to_the(&p_1.minus_one()?, p, context)?;
    Ok((dp.to_secret()?, dq.to_secret()?, qinv.to_secret()?))
}

/// The factors of n from e and d, the larger first (SP 800-56B r2 appendix C.1, with fixed bases).
///
/// e d - 1 = 2^t r is a multiple of the order of every g. So among g^r, g^2r, ... the first 1 is preceded by a square
/// root of 1, and one other than -1 shares a factor with n when 1 is taken from it.
fn recover_primes(n: &BigNum, e: &BigNum, d: &BigNum, context: &Context) -> Checked<(BigNum, BigNum)> {
    let n_1 = n.minus_one()?;
    let k = e.times(d, context)?.minus_one()?;
    if k.is_zero() || k.is_odd() {
        return Err(Refused);
    }
    let t = k.trailing_zeros();
    let r = k.shifted_right(t)?;
    for base in BASES {
        let mut root = BigNum::from_u64(base.into())?.to_the(&r, n, context)?;
        for step in 0..t {
            if root.is_one() || root.compare(&n_1) == Ordering::Equal {
                break;
            }
            let square = root.squared_modulo(n, context)?;
            if square.is_one() {
                let p = root.minus_one()?.gcd(n, context)?;
                let (q, _) = n.divided_by(&p, context)?;
                return Ok(if p.compare(&q) == Ordering::Less { (q, p) } else { (p, q) });
            }
            // e d - 1 is no multiple of the order: this is not a key, and no other base will help.
            if step + 1 == t {
                return Err(Refused);
            }
            root = square;
        }
    }
    Err(Refused)
}

fn cannot_encode(_: der::Error) -> Error {
    Error::internal("an RSA key that cannot be encoded")
}

fn bad_encoding(_: der::Error) -> Error {
    Error::new(ck::CKR_WRAPPED_KEY_INVALID, "an RSA key whose DER encoding is wrong")
}

fn algorithm() -> AlgorithmIdentifierRef<'static> {
    AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) }
}

/// The key as PKCS#8 PrivateKeyInfo around RSAPrivateKey (RFC 8017 A.1.2).
///
/// # Errors
/// CKR_GENERAL_ERROR: a key that exists can be encoded.
pub fn encode_pkcs8(components: &Components) -> Result<Secret> {
    let encode = || {
        let inner = encode_secret(&RsaPrivateKeyRef {
            modulus: UintRef::new(&components.modulus)?,
            public_exponent: UintRef::new(&components.public_exponent)?,
            private_exponent: UintRef::new(components.private_exponent.expose())?,
            prime1: UintRef::new(components.prime_1.expose())?,
            prime2: UintRef::new(components.prime_2.expose())?,
            exponent1: UintRef::new(components.exponent_1.expose())?,
            exponent2: UintRef::new(components.exponent_2.expose())?,
            coefficient: UintRef::new(components.coefficient.expose())?,
            other_prime_infos: None,
        })?;
        encode_secret(&PrivateKeyInfoRef::new(algorithm(), OctetStringRef::new(inner.expose())?))
    };
    encode().map_err(cannot_encode)
}

/// The key in a PKCS#8 PrivateKeyInfo, checked by [`complete`]. Primes of zero, which some exporters write for a key
/// that has none, are recovered.
///
/// # Errors
/// CKR_WRAPPED_KEY_INVALID for anything but a whole, consistent RSA key of two primes.
pub fn decode_pkcs8(encoded: &[u8]) -> Result<Components> {
    let info = PrivateKeyInfoRef::from_der(encoded).map_err(bad_encoding)?;
    if info.algorithm.oid != RSA_ENCRYPTION || info.algorithm.parameters.is_some_and(|p| !p.is_null()) {
        return Err(Error::new(ck::CKR_WRAPPED_KEY_INVALID, "PKCS#8 of another kind than RSA's"));
    }
    decode_pkcs1(info.private_key.as_bytes())
}

/// The key in an RSAPrivateKey, as [`decode_pkcs8`] takes it.
///
/// # Errors
/// As [`decode_pkcs8`].
pub fn decode_pkcs1(encoded: &[u8]) -> Result<Components> {
    let key = RsaPrivateKeyRef::from_der(encoded).map_err(bad_encoding)?;
    if key.other_prime_infos.is_some() {
        return Err(Error::new(ck::CKR_WRAPPED_KEY_INVALID, "an RSA key of more than two primes"));
    }
    let crt = Crt {
        exponent_1: unless_zero(key.exponent1),
        exponent_2: unless_zero(key.exponent2),
        coefficient: unless_zero(key.coefficient),
    };
    complete(
        key.modulus.as_bytes(),
        key.public_exponent.as_bytes(),
        key.private_exponent.as_bytes(),
        unless_zero(key.prime1).zip(unless_zero(key.prime2)),
        crt,
    )
    .map_err(|error| Error::with(ck::CKR_WRAPPED_KEY_INVALID, error.message().to_owned()))
}

fn no_public_key(_: der::Error) -> Error {
    Error::new(ck::CKR_ARGUMENTS_BAD, "no RSA public key")
}

/// Modulus and exponent of a public key as SubjectPublicKeyInfo (RFC 8017 A.1.1).
///
/// # Errors
/// CKR_ARGUMENTS_BAD for anything but an RSA public key.
pub fn decode_spki(encoded: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let info = SubjectPublicKeyInfoRef::from_der(encoded).map_err(no_public_key)?;
    let key = info.subject_public_key.as_bytes().filter(|_| info.algorithm.oid == RSA_ENCRYPTION).unwrap_or_default();
    decode_public_pkcs1(key)
}

/// The same as RSAPublicKey.
///
/// # Errors
/// As [`decode_spki`].
pub fn decode_public_pkcs1(encoded: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let key = RsaPublicKey::<UintRef<'_>>::from_der(encoded).map_err(no_public_key)?;
    check_public(key.modulus.as_bytes(), key.public_exponent.as_bytes())?;
    Ok((key.modulus.as_bytes().to_vec(), key.public_exponent.as_bytes().to_vec()))
}

fn unless_zero(integer: UintRef<'_>) -> Option<&[u8]> {
    Some(integer.as_bytes()).filter(|bytes| !significant(bytes).is_empty())
}

/// A public key as SubjectPublicKeyInfo, the value of CKA_PUBLIC_KEY_INFO.
///
/// # Errors
/// CKR_GENERAL_ERROR: a key that exists can be encoded.
pub fn encode_spki(modulus: &[u8], public_exponent: &[u8]) -> Result<Vec<u8>> {
    let encode = || {
        let inner = RsaPublicKey { modulus: UintRef::new(modulus)?, public_exponent: UintRef::new(public_exponent)? }
            .to_der()?;
        SubjectPublicKeyInfoRef { algorithm: algorithm(), subject_public_key: BitStringRef::from_bytes(&inner)? }
            .to_der()
    };
    encode().map_err(cannot_encode)
}
