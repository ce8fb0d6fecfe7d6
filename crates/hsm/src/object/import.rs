//! From the values of a template (C_CreateObject) to checked key material.
//!
//! Each kind of object names its importer in the rule table. An importer checks every number before it is believed
//! and adds the attributes that follow from the material.

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_ULONG, vendor};
use base::error::{Error, Result};
use base::secret::Secret;
use crypto::digest::Hash;
use crypto::ml_dsa::ParameterSet;
use crypto::{des, ec, ec_material, ed25519, ml_dsa, rsa, rsa_material};

use super::attributes::Draft;
use super::form::{self, Lengths};
use super::key::{EcPrivateKey, KeyMaterial, MlDsaPrivateKey, RsaPrivateKey, SecretKey};
use super::template::Template;

/// Makes the material of one kind of object and sets the attributes that follow from it.
pub type Import = fn(&Template, &mut Draft) -> Result<KeyMaterial>;

/// The shortest generic secret that has a check value, in bytes.
const SHORTEST_CHECKED: usize = 14;

/// Data objects have no material.
#[allow(clippy::unnecessary_wraps, reason = "the signature of the rule table")]
pub(super) const fn nothing(_: &Template, _: &mut Draft) -> Result<KeyMaterial> {
    Ok(KeyMaterial::None)
}

/// The largest number of a certificate's attributes that have words for their numbers.
const LARGEST_WORDS: &[(CK_ATTRIBUTE_TYPE, CK_ULONG)] = &[
    (ck::CKA_CERTIFICATE_CATEGORY, ck::CK_CERTIFICATE_CATEGORY_OTHER_ENTITY),
    (ck::CKA_JAVA_MIDP_SECURITY_DOMAIN, ck::CK_SECURITY_DOMAIN_THIRD_PARTY),
];

/// Certificates have no material, but rules of their own: one that stands elsewhere is found by the hashes of its keys (PKCS#11
/// 3.2 section 4.6.3, notes 2 to 4).
pub(super) fn certificate(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    for (id, largest) in LARGEST_WORDS {
        if template.number(*id).is_some_and(|number| number > *largest) {
            let name = super::attribute::name(*id);
            return Err(Error::with(ck::CKR_ATTRIBUTE_VALUE_INVALID, format!("{name} has values up to {largest}")));
        }
    }
    let is_empty = |id| draft.get(id).unwrap_or_default().is_empty();
    if is_empty(ck::CKA_URL) {
        if is_empty(ck::CKA_VALUE) {
            return Err(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE of a certificate is empty"));
        }
    } else if is_empty(ck::CKA_HASH_OF_SUBJECT_PUBLIC_KEY) || is_empty(ck::CKA_HASH_OF_ISSUER_PUBLIC_KEY) {
        return Err(Error::new(
            ck::CKR_TEMPLATE_INCOMPLETE,
            "CKA_HASH_OF_SUBJECT_PUBLIC_KEY and CKA_HASH_OF_ISSUER_PUBLIC_KEY must be given with CKA_URL",
        ));
    }
    Ok(KeyMaterial::None)
}

pub(super) fn aes(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    secret(template, draft, form::AES)
}

pub(super) fn des3(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    // Not asked of a key that is unwrapped: an answer would tell what a ciphertext holds.
    if template.get(ck::CKA_VALUE).is_some_and(des::degenerates) {
        return Err(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "two parts of the triple-DES key undo each other"));
    }
    secret(template, draft, form::DES3)
}

pub(super) fn generic(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    secret(template, draft, form::GENERIC)
}

fn secret(template: &Template, draft: &mut Draft, lengths: Lengths) -> Result<KeyMaterial> {
    let value = given(template, ck::CKA_VALUE)?;
    if !lengths.allow(value.len()) {
        return Err(Error::with(
            ck::CKR_ATTRIBUTE_VALUE_INVALID,
            format!("CKA_VALUE has {} bytes, which is no length of this kind of key", value.len()),
        ));
    }
    if lengths.only().is_none() {
        draft.set_number(ck::CKA_VALUE_LEN, value.len() as CK_ULONG);
    }
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
    // Exporters write nothing, or zero, for a number that they do not have, in PKCS#8 too.
    let optional = |id| template.get(id).filter(|number| !trim(number).is_empty());
    let primes = match (optional(ck::CKA_PRIME_1), optional(ck::CKA_PRIME_2)) {
        (Some(first), Some(second)) => Some((first, second)),
        // One alone says nothing new: both are computed, and it must be one of them.
        _ => None,
    };
    let crt = rsa_material::Crt {
        exponent_1: optional(ck::CKA_EXPONENT_1),
        exponent_2: optional(ck::CKA_EXPONENT_2),
        coefficient: optional(ck::CKA_COEFFICIENT),
    };
    let components =
        rsa_material::complete(modulus, exponent, given(template, ck::CKA_PRIVATE_EXPONENT)?, primes, crt)?;
    let known = |prime: &[u8]| components.prime_1.ct_eq(trim(prime)) || components.prime_2.ct_eq(trim(prime));
    if ![ck::CKA_PRIME_1, ck::CKA_PRIME_2].into_iter().filter_map(optional).all(known) {
        return Err(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "a prime that is none of the key's"));
    }
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
    if is_edwards(template) {
        return edwards_public(template, draft);
    }
    let curve = curve(template, draft)?;
    let key = ec::PublicKey::from_point(curve, ec_material::decode_point(curve, given(template, ck::CKA_EC_POINT)?)?)?;
    draft.set(ck::CKA_EC_POINT, ec_material::encode_point(&key.point()));
    Ok(KeyMaterial::EcPublic(key))
}

pub(super) fn ec_private(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    if is_edwards(template) {
        return edwards_private(template, draft);
    }
    let curve = curve(template, draft)?;
    let key = ec::PrivateKey::from_scalar(curve, given(template, ck::CKA_VALUE)?)?;
    Ok(KeyMaterial::EcPrivate(EcPrivateKey::from_prepared(key)?))
}

/// CloudHSM has Ed25519 keys under CKK_EC (AWS's samples), the standard under CKK_EC_EDWARDS; the curve is told by
/// `CKA_EC_PARAMS` in both.
fn is_edwards(template: &Template) -> bool {
    template.get(ck::CKA_EC_PARAMS).is_some_and(ed25519::is_parameters)
}

/// Sets CKA_EC_POINT of a key on edwards25519: under CKK_EC_EDWARDS the bytes of RFC 8032 as they are (PKCS#11 3.2 section
/// 6.3.5), under CKK_EC an OCTET STRING as for every other key of that type.
pub fn set_edwards_point(draft: &mut Draft, point: &[u8; ed25519::KEY_LENGTH]) {
    if draft.number(ck::CKA_KEY_TYPE) == Some(ck::CKK_EC_EDWARDS) {
        draft.set(ck::CKA_EC_POINT, point.as_slice());
    } else {
        draft.set(ck::CKA_EC_POINT, ec_material::encode_point(point));
    }
}

fn check_edwards(template: &Template) -> Result<()> {
    let parameters = given(template, ck::CKA_EC_PARAMS)?;
    if ed25519::is_parameters(parameters) { Ok(()) } else { Err(ec::no_curve(parameters)) }
}

pub(super) fn edwards_public(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    check_edwards(template)?;
    let key = ed25519::PublicKey::from_bytes(&ed25519::decode_point(given(template, ck::CKA_EC_POINT)?)?)?;
    set_edwards_point(draft, key.bytes());
    Ok(KeyMaterial::EdwardsPublic(key))
}

pub(super) fn edwards_private(template: &Template, _: &mut Draft) -> Result<KeyMaterial> {
    check_edwards(template)?;
    Ok(KeyMaterial::EdwardsPrivate(ed25519::PrivateKey::from_seed(given(template, ck::CKA_VALUE)?)?))
}

/// The parameter set that an ML-DSA key's attributes name, in the standard's numbers or CloudHSM's.
pub fn parameter_set(number: impl Fn(CK_ATTRIBUTE_TYPE) -> Option<CK_ULONG>) -> Option<ParameterSet> {
    match (number(ck::CKA_PARAMETER_SET), number(vendor::CKA_CLOUDHSM_PARAMETER_SET)) {
        (Some(ck::CKP_ML_DSA_44), None) | (None, Some(vendor::CKP_CLOUDHSM_ML_DSA_44)) => Some(ParameterSet::MlDsa44),
        (Some(ck::CKP_ML_DSA_65), None) | (None, Some(vendor::CKP_CLOUDHSM_ML_DSA_65)) => Some(ParameterSet::MlDsa65),
        (Some(ck::CKP_ML_DSA_87), None) | (None, Some(vendor::CKP_CLOUDHSM_ML_DSA_87)) => Some(ParameterSet::MlDsa87),
        _ => None,
    }
}

/// The parameter set of a draft, which must name one.
///
/// # Errors
/// CKR_TEMPLATE_INCOMPLETE, CKR_ATTRIBUTE_VALUE_INVALID.
pub fn drafted_parameter_set(draft: &Draft) -> Result<ParameterSet> {
    if draft.number(ck::CKA_PARAMETER_SET).or(draft.number(vendor::CKA_CLOUDHSM_PARAMETER_SET)).is_none() {
        return Err(Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "the parameter set of the ML-DSA key must be given"));
    }
    parameter_set(|id| draft.number(id))
        .ok_or(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "there is no such parameter set of ML-DSA"))
}

pub(super) fn ml_dsa_public(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    let set = drafted_parameter_set(draft)?;
    let key = ml_dsa::PublicKey::from_bytes(set, given(template, ck::CKA_VALUE)?)?;
    draft.set(ck::CKA_VALUE, key.bytes());
    Ok(KeyMaterial::MlDsaPublic(key))
}

/// From the seed, the expanded form or both, which must then agree (PKCS#11 3.2 section 6.67.3).
pub(super) fn ml_dsa_private(template: &Template, draft: &mut Draft) -> Result<KeyMaterial> {
    let set = drafted_parameter_set(draft)?;
    let key = match (template.get(ck::CKA_SEED), template.get(ck::CKA_VALUE)) {
        (Some(seed), expanded) => {
            let key = ml_dsa::PrivateKey::from_seed(set, seed)?;
            if let Some(expanded) = expanded
                && !key.expanded()?.ct_eq(expanded)
            {
                return Err(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "CKA_VALUE is not what CKA_SEED expands to"));
            }
            key
        }
        (None, Some(expanded)) => ml_dsa::PrivateKey::from_expanded(set, expanded)?,
        (None, None) => {
            return Err(Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "CKA_SEED or CKA_VALUE must be given"));
        }
    };
    Ok(KeyMaterial::MlDsaPrivate(MlDsaPrivateKey::from_prepared(key)?))
}

fn curve(template: &Template, draft: &mut Draft) -> Result<ec::Curve> {
    let parameters = given(template, ck::CKA_EC_PARAMS)?;
    let curve = ec::Curve::from_parameters(parameters).ok_or_else(|| ec::no_curve(parameters))?;
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
/// AES and triple DES: the start of an encrypted zero block; a generic secret: the start of its SHA-1 (PKCS#11 3.2 section 4.10.2).
/// A pair: the start of the SHA-1 of the public key, the same for both halves (User Guide, key attribute details):
/// of the modulus or of the uncompressed point, which is our choice of its encoding.
///
/// # Errors
/// If the material cannot be prepared.
pub fn check_value(draft: &Draft, material: &KeyMaterial) -> Result<Option<[u8; 3]>> {
    let mut digest = [0; 64];
    match (material, draft.number(ck::CKA_KEY_TYPE)) {
        (KeyMaterial::Secret(key), Some(ck::CKK_DES3)) => {
            let mut block = [0; 8];
            key.des3()?.encrypt_block(&mut block);
            return Ok(block.first_chunk().copied());
        }
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
        (KeyMaterial::EdwardsPublic(key), _) => Hash::Sha1.digest(key.bytes(), &mut digest),
        (KeyMaterial::EdwardsPrivate(key), _) => Hash::Sha1.digest(key.public(), &mut digest),
        (KeyMaterial::MlDsaPublic(key), _) => Hash::Sha1.digest(key.bytes(), &mut digest),
        (KeyMaterial::MlDsaPrivate(key), _) => Hash::Sha1.digest(&key.prepared()?.public()?, &mut digest),
        // Of a certificate, its own (PKCS#11 3.2 section 4.6.2).
        (KeyMaterial::None, _) if draft.number(ck::CKA_CLASS) == Some(ck::CKO_CERTIFICATE) => {
            Hash::Sha1.digest(draft.get(ck::CKA_VALUE).unwrap_or_default(), &mut digest)
        }
        (KeyMaterial::None, _) => return Ok(None),
    };
    Ok(digest.first_chunk().copied())
}
