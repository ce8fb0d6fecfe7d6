//! What secure mode asks of the attributes of a key, so that no sequence of calls gives one away: what wraps does nothing
//! else, what an officer trusts was made here and stays here, and nothing is wrapped by something weaker.
//!
//! The rules are those of Bortolozzo et al. 2010 ("Attacking and Fixing PKCS#11 Security Tokens") and of Focardi and Luccio
//! 2021, whose configuration of a CloudHSM was proved secure. Outside secure mode each of these functions allows all.

use super::Object;
use super::attribute;
use super::attributes::{Attributes, Draft};
use super::key::KeyMaterial;
use super::rules::Making;
use super::template::Template;
use crate::ck::{self, CK_ATTRIBUTE_TYPE, CK_ULONG};
use crate::config::Regime;
use crate::crypto::ml_dsa::ParameterSet;
use crate::error::{Error, Result};

/// The uses of a key that carries others.
const TRANSPORT: &[CK_ATTRIBUTE_TYPE] = &[ck::CKA_WRAP, ck::CKA_UNWRAP];

/// Every other use.
const DATA: &[CK_ATTRIBUTE_TYPE] = &[
    ck::CKA_ENCRYPT,
    ck::CKA_DECRYPT,
    ck::CKA_SIGN,
    ck::CKA_SIGN_RECOVER,
    ck::CKA_VERIFY,
    ck::CKA_VERIFY_RECOVER,
    ck::CKA_DERIVE,
];

/// Whether an attribute is a use, which is fixed when the key is made: it can be lowered and never raised.
pub(super) fn is_fixed(id: CK_ATTRIBUTE_TYPE, regime: Regime<'_>) -> bool {
    regime.safeguards.transport_apart && (TRANSPORT.contains(&id) || DATA.contains(&id))
}

/// Only a generated key carries others: who imports, unwraps or derives one may know it.
///
/// # Errors
/// CKR_TEMPLATE_INCONSISTENT.
pub(super) fn check_origin(draft: &Draft, making: Making, regime: Regime<'_>) -> Result<()> {
    if !regime.safeguards.transport_apart || making == Making::Generate {
        return Ok(());
    }
    match TRANSPORT.iter().find(|id| draft.is(**id)) {
        Some(id) => Err(refuse(*id, "belongs to generated keys only")),
        None => Ok(()),
    }
}

/// Keeps what carries keys apart from all other use, in a new key or in both halves of a new pair. What the templates do not
/// say follows; a key that carries others stays in the HSM.
///
/// # Errors
/// CKR_TEMPLATE_INCONSISTENT where a template asks for both.
pub fn keep_apart(halves: &mut [(&Template, &mut Draft)], regime: Regime<'_>) -> Result<()> {
    let carries = halves.iter().any(|(_, draft)| TRANSPORT.iter().any(|id| draft.is(*id)));
    if !regime.safeguards.transport_apart || !carries {
        return Ok(());
    }
    for (template, draft) in halves {
        for id in DATA.iter().chain([&ck::CKA_EXTRACTABLE]).filter(|id| draft.is(**id)).collect::<Vec<_>>() {
            if template.flag(*id) == Some(true) {
                return Err(refuse(*id, "does not go with wrapping and unwrapping"));
            }
            draft.set_flag(*id, false);
        }
    }
    Ok(())
}

/// Whether an officer may trust a key with these attributes, and a trusted one may wrap what only a trusted key may: it was
/// generated here, has never been extractable and carries keys only.
#[must_use]
pub fn may_be_trusted(attributes: &Attributes, regime: Regime<'_>) -> bool {
    let is = |id| attributes.flag(id) == Some(true);
    let stays = attributes.number(ck::CKA_CLASS) == Some(ck::CKO_PUBLIC_KEY) || is(ck::CKA_NEVER_EXTRACTABLE);
    !regime.safeguards.trusts_transport_keys_only || (is(ck::CKA_LOCAL) && stays && !DATA.iter().any(|id| is(*id)))
}

/// Whether a key leaves the HSM under a trusted key only, whatever its template said.
#[must_use]
pub fn leaves_under_trusted_only(key: &Object, regime: Regime<'_>) -> bool {
    key.is(ck::CKA_WRAP_WITH_TRUSTED)
        || (regime.safeguards.leaves_under_trusted_only && key.class != ck::CKO_PUBLIC_KEY)
}

/// The strength of a key in bits (NIST SP 800-57 part 1, section 5.6.1; FIPS 204 for ML-DSA).
#[must_use]
pub fn strength(key: &Object) -> usize {
    match &key.material {
        KeyMaterial::Secret(_) if key.key_type == ck::CKK_DES3 => 112,
        KeyMaterial::Secret(key) => (8 * key.bytes().len()).min(256),
        KeyMaterial::RsaPublic(key) => of_modulus(CK_ULONG::from(key.modulus_bits())),
        KeyMaterial::RsaPrivate(key) => of_modulus(key.components().modulus_bits() as CK_ULONG),
        KeyMaterial::EcPublic(key) => of_field(key.curve().bits()),
        KeyMaterial::EcPrivate(key) => of_field(key.curve().bits()),
        KeyMaterial::EdwardsPublic(_) | KeyMaterial::EdwardsPrivate(_) => 128,
        KeyMaterial::MlDsaPublic(key) => of_parameter_set(key.parameter_set()),
        KeyMaterial::MlDsaPrivate(key) => of_parameter_set(key.parameter_set()),
        KeyMaterial::None => 0,
    }
}

const fn of_modulus(bits: CK_ULONG) -> usize {
    match bits {
        15_360.. => 256,
        7680.. => 192,
        3072.. => 128,
        2048.. => 112,
        1024.. => 80,
        _ => 0,
    }
}

fn of_field(bits: u32) -> usize {
    match bits {
        512.. => 256,
        _ => bits as usize / 2,
    }
}

const fn of_parameter_set(set: ParameterSet) -> usize {
    match set {
        ParameterSet::MlDsa44 => 128,
        ParameterSet::MlDsa65 => 192,
        ParameterSet::MlDsa87 => 256,
    }
}

fn refuse(id: CK_ATTRIBUTE_TYPE, why: &str) -> Error {
    Error::with(ck::CKR_TEMPLATE_INCONSISTENT, format!("{} {why} in secure mode", attribute::name(id)))
}
