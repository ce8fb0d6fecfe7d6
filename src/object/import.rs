//! From the values of a template (C_CreateObject) to checked key material.
//!
//! Each kind of object names its importer in the rule table. An importer checks every number before it is believed
//! and adds the attributes that follow from the material.

use super::attributes::Draft;
use super::key::{EcPrivateKey, KeyMaterial, RsaPrivateKey, SecretKey};
use super::template::Template;
use crate::ck::{self, CK_ATTRIBUTE_TYPE, CK_ULONG};
use crate::crypto::digest::Hash;
use crate::crypto::{ec, ec_material, rsa, rsa_material};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// Makes the material of one kind of object and sets the attributes that follow from it.
pub type Import = fn(&Template, &mut Draft) -> Result<KeyMaterial>;

/// The shortest generic secret that has a check value, in bytes.
const SHORTEST_CHECKED: usize = 14;
/// The longest generic secret, in bytes (CloudHSM's limit; beyond any use of HMAC).
const LONGEST_SECRET: usize = 800;

/// Data objects and certificates have no material.
#[allow(clippy::unnecessary_wraps, reason = "the signature of the rule table")]
pub(super) const fn nothing(_: &Template, _: &mut Draft) -> Result<KeyMaterial> {
    Ok(KeyMaterial::None)
}

pub(super) fn aes(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    secret(template, draft, |length| matches!(length, 16 | 24 | 32))
}

pub(super) fn generic(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    secret(template, draft, |length| (1..=LONGEST_SECRET).contains(&length))
}

fn secret(template: &Template, draft: &mut Draft, allowed: impl Fn(usize) -> bool) -> Result<KeyMaterial> {
    let value = given(template, ck::CKA_VALUE)?;
    if !allowed(value.len()) {
        return Err(Error::with(
            ck::CKR_ATTRIBUTE_VALUE_INVALID,
            format!("CKA_VALUE has {} bytes, which is no length of this kind of key", value.len()),
        ));
    }
    draft.set_number(ck::CKA_VALUE_LEN, value.len() as CK_ULONG);
    Ok(KeyMaterial::Secret(SecretKey::new(Secret::copy(value))))
}

pub(super) fn rsa_public(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    let (modulus, exponent) = modulus_and_exponent(template, draft)?;
    let key = rsa::PublicKey::from_components(modulus, exponent)?;
    draft.set_number(ck::CKA_MODULUS_BITS, CK_ULONG::from(key.modulus_bits()));
    Ok(KeyMaterial::RsaPublic(key))
}

pub(super) fn rsa_private(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    let (modulus, exponent) = modulus_and_exponent(template, draft)?;
    let primes = match (template.get(ck::CKA_PRIME_1), template.get(ck::CKA_PRIME_2)) {
        (Some(first), Some(second)) => Some((first, second)),
        (None, None) => None,
        _ => return Err(Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "CKA_PRIME_1 and CKA_PRIME_2 come together")),
    };
    let crt = rsa_material::Crt {
        exponent_1: template.get(ck::CKA_EXPONENT_1),
        exponent_2: template.get(ck::CKA_EXPONENT_2),
        coefficient: template.get(ck::CKA_COEFFICIENT),
    };
    let components =
        rsa_material::complete(modulus, exponent, given(template, ck::CKA_PRIVATE_EXPONENT)?, primes, crt)?;
    Ok(KeyMaterial::RsaPrivate(RsaPrivateKey::new(components)))
}

/// The two public numbers, without leading zeros, and set in the draft in that form.
fn modulus_and_exponent<'a>(template: &'a Template, draft: &mut Draft) -> Result<(&'a [u8], &'a [u8])> {
    let modulus = trim(given(template, ck::CKA_MODULUS)?);
    let exponent = trim(given(template, ck::CKA_PUBLIC_EXPONENT)?);
    rsa_material::check_public(modulus, exponent)?;
    draft.set(ck::CKA_MODULUS, modulus);
    draft.set(ck::CKA_PUBLIC_EXPONENT, exponent);
    Ok((modulus, exponent))
}

/// A big integer without leading zeros, as PKCS#11 3.2 section 3.2 writes it.
#[must_use]
pub fn trim(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

pub(super) fn ec_public(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    let curve = curve(template, draft)?;
    let key = ec::PublicKey::from_point(curve, ec_material::decode_point(curve, given(template, ck::CKA_EC_POINT)?)?)?;
    draft.set(ck::CKA_EC_POINT, ec_material::encode_point(&key.point()));
    Ok(KeyMaterial::EcPublic(key))
}

pub(super) fn ec_private(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    let curve = curve(template, draft)?;
    let key = ec::PrivateKey::from_scalar(curve, given(template, ck::CKA_VALUE)?)?;
    Ok(KeyMaterial::EcPrivate(EcPrivateKey::from_prepared(key)?))
}

fn curve(template: &Template, draft: &mut Draft) -> Result<ec::Curve> {
    let curve = ec::Curve::from_parameters(given(template, ck::CKA_EC_PARAMS)?)
        .ok_or(Error::new(ck::CKR_CURVE_NOT_SUPPORTED, "CKA_EC_PARAMS names no curve that is served"))?;
    draft.set(ck::CKA_EC_PARAMS, curve.parameters());
    Ok(curve)
}

fn given(template: &Template, attribute: CK_ATTRIBUTE_TYPE) -> Result<&[u8]> {
    template.get(attribute).ok_or_else(|| {
        Error::with(ck::CKR_TEMPLATE_INCOMPLETE, format!("{} must be given", super::attribute::name(attribute)))
    })
}

/// The check value of a key: three bytes that tell two keys apart and nothing more.
///
/// AES: the start of an encrypted zero block; a generic secret: the start of its SHA-1 (PKCS#11 3.2 section 4.10.2).
/// A pair: the start of the SHA-1 of the public key, the same for both halves (User Guide, key attribute details):
/// of the modulus or of the uncompressed point, which is our choice of its encoding.
///
/// # Errors
/// If the material cannot be prepared.
pub fn check_value(draft: &Draft, material: &KeyMaterial) -> Result<Option<[u8; 3]>> {
    let mut digest = [0; 64];
    match (material, draft.number(ck::CKA_KEY_TYPE)) {
        (KeyMaterial::Secret(key), Some(ck::CKK_AES)) => {
            let mut block = [0; 16];
            key.aes()?.encrypt_block(&mut block);
            return Ok(block.first_chunk().copied());
        }
        // Three bytes of a hash give a short secret away, and tell much of a guessable one.
        (KeyMaterial::Secret(key), _) if key.bytes().len() < SHORTEST_CHECKED => return Ok(None),
        (KeyMaterial::Secret(key), _) => Hash::Sha1.digest(key.bytes().expose(), &mut digest),
        (KeyMaterial::RsaPublic(_) | KeyMaterial::RsaPrivate(_), _) => {
            Hash::Sha1.digest(draft.get(ck::CKA_MODULUS).unwrap_or_default(), &mut digest)
        }
        (KeyMaterial::EcPublic(key), _) => Hash::Sha1.digest(&key.point(), &mut digest),
        (KeyMaterial::EcPrivate(key), _) => Hash::Sha1.digest(&key.prepared()?.point(), &mut digest),
        (KeyMaterial::None, _) => return Ok(None),
    };
    Ok(digest.first_chunk().copied())
}
