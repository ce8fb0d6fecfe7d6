//! What secure mode asks of the attributes of a key, so that no sequence of calls gives one away: what wraps does nothing
//! else, nor does a secret key from which others are derived, what an officer trusts was made here and stays here, and nothing
//! is wrapped by something weaker. docs/secure-mode.md goes through all pairs of uses.
//!
//! The rules are those of Bortolozzo et al. 2010 ("Attacking and Fixing PKCS#11 Security Tokens") and of Focardi and Luccio
//! 2021, whose configuration of a CloudHSM was proved secure. Outside secure mode each of these functions allows all.

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_ULONG};
use base::error::{Error, Result};
use crypto::ml_dsa::ParameterSet;

use super::attribute;
use super::attributes::{Attributes, Draft};
use super::key::KeyMaterial;
use super::rules::Making;
use super::template::Template;
use super::{Object, is_key_class};
use crate::config::Regime;

/// The uses of a key that carries others.
const TRANSPORT: &[CK_ATTRIBUTE_TYPE] = &[ck::CKA_WRAP, ck::CKA_UNWRAP];

/// The use of a key from which others are derived.
const DERIVATION: &[CK_ATTRIBUTE_TYPE] = &[ck::CKA_DERIVE];

/// Every other use.
const DATA: &[CK_ATTRIBUTE_TYPE] =
    &[ck::CKA_ENCRYPT, ck::CKA_DECRYPT, ck::CKA_SIGN, ck::CKA_SIGN_RECOVER, ck::CKA_VERIFY, ck::CKA_VERIFY_RECOVER];

/// Whether an attribute is a use, which is fixed when the key is made: it can be lowered and never raised.
pub(super) fn is_fixed(id: CK_ATTRIBUTE_TYPE, regime: Regime<'_>) -> bool {
    regime.safeguards.transport_apart && [TRANSPORT, DERIVATION, DATA].iter().any(|uses| uses.contains(&id))
}

/// Only a generated key carries others, since who imports, unwraps or derives one may know it. No key is derived from a secret
/// that was unwrapped or derived itself, since the same bytes may be here with another use, once more.
///
/// # Errors
/// CKR_TEMPLATE_INCONSISTENT.
pub(super) fn check_origin(draft: &Draft, making: Making, regime: Regime<'_>) -> Result<()> {
    let carries = |id: &&CK_ATTRIBUTE_TYPE| regime.safeguards.transport_apart && draft.is(**id);
    if let Some(id) = TRANSPORT.iter().find(carries).filter(|_| making != Making::Generate) {
        return Err(refuse(*id, "belongs to generated keys only"));
    }
    let may_have_a_twin = matches!(making, Making::Unwrap | Making::Derive);
    if regime.safeguards.derivation_apart && may_have_a_twin && is_secret(draft) && draft.is(ck::CKA_DERIVE) {
        return Err(refuse(ck::CKA_DERIVE, "of a secret key belongs to generated and imported keys only"));
    }
    Ok(())
}

/// Keeps what carries keys apart from all other use, in a new key or in both halves of a new pair, and so a secret key from
/// which others are derived. What the templates do not say follows; such a key stays in the HSM.
///
/// # Errors
/// CKR_TEMPLATE_INCONSISTENT where a template asks for both.
pub fn keep_apart(halves: &mut [(&Template, &mut Draft)], regime: Regime<'_>) -> Result<()> {
    let carries = halves.iter().any(|(_, draft)| TRANSPORT.iter().any(|id| draft.is(*id)));
    let derives = halves.iter().any(|(_, draft)| is_secret(draft) && draft.is(ck::CKA_DERIVE));
    let (others, why) = if regime.safeguards.transport_apart && carries {
        ([DATA, DERIVATION], "does not go with wrapping and unwrapping")
    } else if regime.safeguards.derivation_apart && derives {
        ([DATA, &[]], "does not go with the derivation of keys")
    } else {
        return Ok(());
    };
    for (template, draft) in halves {
        let ids = others.iter().copied().flatten().chain([&ck::CKA_EXTRACTABLE]);
        for id in ids.filter(|id| draft.is(**id)).collect::<Vec<_>>() {
            if template.flag(*id) == Some(true) {
                return Err(refuse(*id, why));
            }
            draft.set_flag(*id, false);
        }
    }
    Ok(())
}

/// Whether keys may be derived from a base key: a secret one has no other use and stays. What was made before secure mode may
/// be otherwise.
///
/// # Errors
/// CKR_KEY_FUNCTION_NOT_PERMITTED.
pub fn check_base(base: &Object, regime: Regime<'_>) -> Result<()> {
    let apart = !base.is(ck::CKA_EXTRACTABLE) && ![TRANSPORT, DATA].iter().copied().flatten().any(|id| base.is(*id));
    if regime.safeguards.derivation_apart && base.class == ck::CKO_SECRET_KEY && !apart {
        return Err(Error::new(
            ck::CKR_KEY_FUNCTION_NOT_PERMITTED,
            "in secure mode keys are derived from a secret key only that has no other use and is not extractable",
        ));
    }
    Ok(())
}

fn is_secret(draft: &Draft) -> bool {
    draft.number(ck::CKA_CLASS) == Some(ck::CKO_SECRET_KEY)
}

/// Whether an officer may trust an object with these attributes, and a trusted key may wrap what only a trusted key may: it was
/// generated here, has never been extractable and carries keys only. A certificate wraps nothing.
#[must_use]
pub fn may_be_trusted(attributes: &Attributes, regime: Regime<'_>) -> bool {
    let is = |id| attributes.flag(id) == Some(true);
    let class = attributes.number(ck::CKA_CLASS);
    let stays = class == Some(ck::CKO_PUBLIC_KEY) || is(ck::CKA_NEVER_EXTRACTABLE);
    let carries_only = ![DERIVATION, DATA].iter().copied().flatten().any(|id| is(*id));
    !regime.safeguards.trusts_transport_keys_only
        || !class.is_some_and(is_key_class)
        || (is(ck::CKA_LOCAL) && stays && carries_only)
}

/// The same for an object that an officer brings in from elsewhere.
pub(super) fn may_come_trusted(draft: &Draft, regime: Regime<'_>) -> bool {
    !regime.safeguards.trusts_transport_keys_only || !draft.number(ck::CKA_CLASS).is_some_and(is_key_class)
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
