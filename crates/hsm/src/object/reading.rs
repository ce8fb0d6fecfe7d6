//! What an object shows of an attribute: the value that it holds or, of one that nobody has given it, the value that the
//! rules have for that. Reading, searching and changing all ask here, so that they cannot disagree.

use std::borrow::Cow;

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_ULONG};
use base::error::{Error, Result};

use super::attribute::{self, ValueKind};
use super::attributes::Draft;
use super::key::KeyMaterial;
use super::rules::{Reading, Rule, Unset};
use super::{Object, key_file};
use crate::config::Regime;

/// The value that an object shows of an attribute that it does not hold; nothing if it does not have the attribute.
///
/// # Errors
/// If the key's material cannot be prepared.
#[cold]
pub fn unset(object: &Object, id: CK_ATTRIBUTE_TYPE, unset: Unset) -> Result<Option<Cow<'static, [u8]>>> {
    match unset {
        Unset::PublicKey => {
            let known = |id| object.attributes.get(id);
            Ok(Some(Cow::Owned(key_file::public_key_info(&object.material, known)?)))
        }
        _ => Ok(fixed(id, unset)),
    }
}

/// The same where it does not depend on the key.
fn fixed(id: CK_ATTRIBUTE_TYPE, unset: Unset) -> Option<Cow<'static, [u8]>> {
    match unset {
        Unset::Absent => {
            let is_flag = attribute::describe(id).is_some_and(|row| row.kind == ValueKind::Bool);
            is_flag.then_some(Cow::Borrowed(&[ck::CK_FALSE]))
        }
        Unset::Empty => Some(Cow::Borrowed(&[])),
        Unset::Zero => Some(number(0)),
        Unset::Sha1 => Some(number(ck::CKM_SHA_1)),
        Unset::PublicKey => None,
    }
}

fn number(number: CK_ULONG) -> Cow<'static, [u8]> {
    Cow::Owned(number.to_ne_bytes().to_vec())
}

/// Whether an object shows this very value of an attribute. Key material shows nothing.
pub(super) fn shows(object: &Object, rule: &Rule, wanted: &[u8], regime: Regime<'_>) -> bool {
    let Reading::Shown(default) = rule.reading(regime) else { return false };
    match object.attributes.get(rule.attribute) {
        Some(held) => held == wanted,
        None => matches!(unset(object, rule.attribute, default), Ok(Some(value)) if *value == *wanted),
    }
}

/// Whether `wanted` is what an attribute that nobody has given reads as; what follows from the key is not looked at.
pub(super) fn is_unset(rule: &Rule, wanted: &[u8], regime: Regime<'_>) -> bool {
    match rule.reading(regime) {
        Reading::Shown(default) => fixed(rule.attribute, default).is_some_and(|value| *value == *wanted),
        // Known to a template and shown to nobody: a flag is down as any other.
        _ => fixed(rule.attribute, Unset::Absent).is_some_and(|value| *value == *wanted),
    }
}

/// Whether a value that is given is none, so that what follows from the key is shown: an empty CKA_PUBLIC_KEY_INFO, whose default is
/// "derived from the underlying public key data" (PKCS#11 3.2 sections 4.8 and 4.9).
pub(super) fn is_as_good_as_none(rule: &Rule, value: &[u8], regime: Regime<'_>) -> bool {
    value.is_empty() && matches!(rule.reading(regime), Reading::Shown(Unset::PublicKey))
}

/// Whether a value says no more than that an object has no such attribute: false, or no bytes.
pub(super) fn says_nothing(id: CK_ATTRIBUTE_TYPE, value: &[u8]) -> bool {
    let flag = attribute::describe(id).is_some_and(|row| row.kind == ValueKind::Bool);
    value.is_empty() || (flag && value == [ck::CK_FALSE])
}

/// Compares the `CKA_PUBLIC_KEY_INFO` that a template has given to a key of a pair with the key: "the token MUST verify
/// correspondence" (PKCS#11 3.2 section 4.9).
///
/// # Errors
/// CKR_ATTRIBUTE_VALUE_INVALID for another key's.
pub fn check_public_key(draft: &Draft, material: &KeyMaterial) -> Result<()> {
    let given = draft.get(ck::CKA_PUBLIC_KEY_INFO).unwrap_or_default();
    // A certificate's is its owner's word (section 4.6.2).
    if given.is_empty() || matches!(material, KeyMaterial::None) {
        return Ok(());
    }
    if key_file::public_key_info(material, |id| draft.get(id))? == given {
        return Ok(());
    }
    Err(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "CKA_PUBLIC_KEY_INFO is not that of the key"))
}
