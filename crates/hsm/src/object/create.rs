//! From a template and the rules to the attributes of a new object, of a changed one or of a copy.
//!
//! What fits in a cell of the rule table is decided by the cell; the rules that cross rows stand here as functions
//! with names, each once.

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_RV, CK_ULONG};
use base::error::{Error, Result};

use super::Object;
use super::attribute;
use super::attributes::{Attributes, Draft};
use super::inheritance;
use super::reading;
use super::rules::{Cell, Changing, Default, Kind, Making, Reading};
use super::safeguards;
use super::template::Template;
use crate::config::Regime;

/// Who asks for a change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Changer {
    /// C_SetAttributeValue or `key set-attribute` by the owner.
    Owner,
    /// The same by a crypto officer, for a key: an officer sets TRUSTED alone.
    Officer,
    /// The same by a crypto officer, for an object that is no key: as its owner, and TRUSTED besides.
    Keeper,
    /// C_CopyObject.
    Copy,
}

/// The attributes that `template` asks for, with the defaults of `kind`; key material is left out.
///
/// # Errors
/// CKR_TEMPLATE_INCONSISTENT for an attribute that this kind of object does not have, CKR_ATTRIBUTE_READ_ONLY for one
/// that the HSM sets, CKR_ATTRIBUTE_VALUE_INVALID for a value that is not allowed, CKR_TEMPLATE_INCOMPLETE for a
/// missing one (AWS's page on attribute errors; PKCS#11 3.2 section 4.1.1).
pub fn draft(kind: &Kind, making: Making, template: &Template, regime: Regime<'_>) -> Result<Draft> {
    let draft = fill(kind, making, template, regime)?;
    // TRUSTED is an officer's to give, whatever a template says (PKCS#11 3.2 section 4.8).
    if draft.is(ck::CKA_TRUSTED) {
        return Err(refuse(ck::CKR_ATTRIBUTE_READ_ONLY, ck::CKA_TRUSTED, kind, "can only be set by a crypto officer"));
    }
    Ok(draft)
}

/// The same for what an officer imports, who may trust it.
///
/// # Errors
/// As [`draft`].
pub fn draft_of_officer(kind: &Kind, template: &Template, regime: Regime<'_>) -> Result<Draft> {
    let draft = fill(kind, Making::Create, template, regime)?;
    if draft.is(ck::CKA_TRUSTED) && !safeguards::may_come_trusted(&draft, regime) {
        return Err(refuse(ck::CKR_ATTRIBUTE_READ_ONLY, ck::CKA_TRUSTED, kind, "belongs to generated keys only"));
    }
    Ok(draft)
}

fn fill(kind: &Kind, making: Making, template: &Template, regime: Regime<'_>) -> Result<Draft> {
    let rules = kind.sorted();
    let zero: CK_ULONG = 0;
    let mut given: Vec<Option<&[u8]>> = vec![None; rules.len()];
    for (id, value) in template.iter() {
        let at = rules.binary_search_by_key(&id, |rule| rule.attribute).ok();
        let cell = at.and_then(|at| rules.get(at)).map_or(Cell::Unsupported, |rule| rule.cell(making, regime));
        match cell {
            Cell::Unsupported if is_nothing_foreign(kind, id, value, regime) => continue,
            Cell::Unsupported => return Err(refuse(ck::CKR_TEMPLATE_INCONSISTENT, id, kind, "is not supported")),
            Cell::ReadOnly | Cell::ReadOnlyTrue => {
                return Err(refuse(ck::CKR_ATTRIBUTE_READ_ONLY, id, kind, "is set by the HSM"));
            }
            Cell::Only(only) if !matches!(value, [flag] if (*flag != ck::CK_FALSE) == only) => {
                let why = if only { "can only be true" } else { "can only be false" };
                return Err(refuse(ck::CKR_ATTRIBUTE_VALUE_INVALID, id, kind, why));
            }
            Cell::OnlyZero | Cell::MandatoryZero if value != zero.to_ne_bytes() => {
                return Err(refuse(ck::CKR_ATTRIBUTE_VALUE_INVALID, id, kind, "can only be 0"));
            }
            Cell::Only(_) | Cell::OnlyZero | Cell::MandatoryZero | Cell::Mandatory | Cell::Optional(_) => {}
        }
        if let Some(place) = at.and_then(|at| given.get_mut(at)) {
            *place = Some(value);
        }
    }
    // In the order of the attributes, so that each goes to the end of the draft.
    let mut draft = Draft::default();
    for (rule, given) in rules.iter().zip(given) {
        let id = rule.attribute;
        if let Some(value) = given {
            if !rule.is_material() && !reading::is_as_good_as_none(rule, value, regime) {
                draft.set(id, value);
            }
            continue;
        }
        match rule.cell(making, regime) {
            Cell::Mandatory | Cell::MandatoryZero => {
                return Err(refuse(ck::CKR_TEMPLATE_INCOMPLETE, id, kind, "must be given"));
            }
            Cell::Only(value) | Cell::Optional(Default::Flag(value)) => draft.set_flag(id, value),
            Cell::ReadOnlyTrue => draft.set_flag(id, true),
            Cell::OnlyZero => draft.set_number(id, 0),
            Cell::Optional(Default::Empty) => draft.set(id, []),
            Cell::Optional(Default::Absent) | Cell::ReadOnly | Cell::Unsupported => {}
        }
    }
    draft.set_number(ck::CKA_CLASS, kind.class);
    if let Some(key_type) = kind.key_type {
        draft.set_number(ck::CKA_KEY_TYPE, key_type);
    }
    check_lengths(&draft, regime)?;
    safeguards::check_origin(&draft, making, regime)?;
    Ok(draft)
}

/// What a known issue of CloudHSM makes of a private key whose template holds parameters of the pair: a key without any use,
/// where CKR_TEMPLATE_INCONSISTENT belongs (User Guide, ki-pkcs11-sdk).
///
/// # Errors
/// As [`draft`].
pub fn useless(kind: &Kind, template: &Template, regime: Regime<'_>) -> Result<Draft> {
    let mut draft = draft(kind, Making::Generate, template, regime)?;
    for id in [ck::CKA_DECRYPT, ck::CKA_SIGN, ck::CKA_UNWRAP, ck::CKA_DERIVE] {
        if draft.get(id).is_some() {
            draft.set_flag(id, false);
        }
    }
    Ok(draft)
}

/// The attributes of an object after `template` has been applied to it.
///
/// # Errors
/// CKR_ATTRIBUTE_READ_ONLY for a change that is not allowed, CKR_ATTRIBUTE_TYPE_INVALID for an attribute that this
/// kind does not have, CKR_ACTION_PROHIBITED for an object that may not be changed at all.
pub fn change(
    kind: &Kind,
    held: &Attributes,
    template: &Template,
    changer: Changer,
    regime: Regime<'_>,
) -> Result<Draft> {
    let (trusted, fixed) = (held.flag(ck::CKA_TRUSTED) == Some(true), held.flag(ck::CKA_MODIFIABLE) == Some(false));
    let frozen = match changer {
        // An officer has trusted that one key. A copy of it, which is not trusted, would open what it has wrapped and protect
        // nothing of it.
        Changer::Copy => held.flag(ck::CKA_COPYABLE) == Some(false) || (trusted && kind.key_type.is_some()),
        Changer::Owner => fixed,
        // An officer's TRUSTED is no change of the owner's, so MODIFIABLE does not speak of it.
        Changer::Keeper => fixed && template.iter().any(|(id, _)| id != ck::CKA_TRUSTED),
        Changer::Officer => false,
    };
    if frozen {
        return Err(Error::new(
            ck::CKR_ACTION_PROHIBITED,
            "the object may not be changed or copied (CKA_MODIFIABLE, CKA_COPYABLE, CKA_TRUSTED)",
        ));
    }
    // What an officer trusted stays what it was: its owner may narrow it and nothing else. A copy of an object with MODIFIABLE=F may be
    // narrowed only, too.
    let only_narrowed = match changer {
        Changer::Owner => trusted,
        Changer::Copy => fixed,
        Changer::Officer | Changer::Keeper => false,
    };
    let mut draft = held.edit();
    for (id, wanted) in template.iter() {
        if is_nothing_foreign(kind, id, wanted, regime) {
            continue;
        }
        let rule = kind
            .rule(id)
            .filter(|rule| rule.reading(regime) != Reading::Unknown || rule.changing(regime) != Changing::Never)
            .ok_or_else(|| refuse(ck::CKR_ATTRIBUTE_TYPE_INVALID, id, kind, "is not an attribute"))?;
        let unchanged = match draft.get(id) {
            Some(present) => present == wanted,
            None => reading::is_unset(rule, wanted, regime),
        };
        // A copy that would be less private than its original is no copy of it (PKCS#11 3.2 section 5.7.2).
        if id == ck::CKA_PRIVATE && changer == Changer::Copy && !unchanged && template.flag(id) == Some(false) {
            return Err(refuse(ck::CKR_TEMPLATE_INCONSISTENT, id, kind, "can only be set to true in a copy"));
        }
        if only_narrowed && !unchanged && !is_name(id) && !inheritance::narrows(id, template.flag(id)) {
            let why = "of a trusted object, and in a copy of one that may not be changed, can only be narrowed";
            return Err(refuse(ck::CKR_ATTRIBUTE_READ_ONLY, id, kind, why));
        }
        let raised = !unchanged && template.flag(id) == Some(true);
        let allowed = match (rule.changing(regime), changer) {
            _ if rule.is_material() || (raised && safeguards::is_fixed(id, regime)) => false,
            (Changing::Officer, _) if raised && !safeguards::may_be_trusted(held, regime) => false,
            // A copy is not trusted with its original.
            (Changing::Officer, Changer::Copy) => template.flag(id) == Some(false),
            (Changing::Officer, who) => matches!(who, Changer::Officer | Changer::Keeper) || unchanged,
            (_, Changer::Officer) => unchanged,
            (Changing::Free, _) => true,
            (Changing::LoweredIfCopied, Changer::Copy) => unchanged || template.flag(id) == Some(false),
            (Changing::LoweredIfCopied, _) => true,
            (Changing::RaisedOrCopied, Changer::Copy) => true,
            (Changing::RaisedOrCopied, _) => unchanged || template.flag(id) == Some(true),
            (Changing::Only(value), _) => unchanged || template.flag(id) == Some(value),
            // A copy may tighten: MODIFIABLE can only be lowered.
            (Changing::Copy, Changer::Copy) => {
                id != ck::CKA_MODIFIABLE || unchanged || template.flag(id) == Some(false)
            }
            (Changing::Copy | Changing::Never, _) => unchanged && changer == Changer::Copy,
        };
        if !allowed {
            return Err(refuse(ck::CKR_ATTRIBUTE_READ_ONLY, id, kind, "cannot be changed to that value"));
        }
        if reading::is_as_good_as_none(rule, wanted, regime) {
            draft.remove(id);
        } else {
            draft.set(id, wanted);
        }
    }
    check_lengths(&draft, regime)?;
    Ok(draft)
}

/// Sets what the history of a key decides (PKCS#11 3.2 section 4.9): made here, always sensitive, never extractable.
/// `from_here` is true for a generated key, and for a derived one if its base key was so.
pub fn set_history(draft: &mut Draft, local: bool, from_here: bool) {
    draft.set_flag(ck::CKA_LOCAL, local);
    if draft.number(ck::CKA_CLASS) != Some(ck::CKO_PUBLIC_KEY) {
        let sensitive = draft.is(ck::CKA_SENSITIVE);
        let extractable = draft.is(ck::CKA_EXTRACTABLE);
        draft.set_flag(ck::CKA_ALWAYS_SENSITIVE, from_here && sensitive);
        draft.set_flag(ck::CKA_NEVER_EXTRACTABLE, from_here && !extractable);
    }
}

/// The history of a derived key: always sensitive and never extractable if its base key was (PKCS#11 3.2 section 6.3.20 and
/// the other mechanisms that derive). Whether it counts as made here, the rules say.
pub fn continue_history(draft: &mut Draft, base: &Object) {
    let local = draft.is(ck::CKA_LOCAL);
    set_history(draft, local, true);
    for history in [ck::CKA_ALWAYS_SENSITIVE, ck::CKA_NEVER_EXTRACTABLE] {
        let both = draft.is(history) && base.is(history);
        draft.set_flag(history, both);
    }
}

/// Whether an attribute only says what a key is called, where it is kept, and from when to when it is used.
const fn is_name(id: CK_ATTRIBUTE_TYPE) -> bool {
    matches!(id, ck::CKA_LABEL | ck::CKA_ID | ck::CKA_SUBJECT | ck::CKA_TOKEN | ck::CKA_START_DATE | ck::CKA_END_DATE)
}

/// Whether a template says of an attribute that this kind of object does not have what holds without it: false, or empty. In
/// the dialects that take it so, such a value contradicts nothing and is let go.
fn is_nothing_foreign(kind: &Kind, id: CK_ATTRIBUTE_TYPE, value: &[u8], regime: Regime<'_>) -> bool {
    regime.dialect.foreign_nothing_allowed
        && kind.rule(id).is_none_or(|rule| rule.reading(regime) == Reading::Unknown && !rule.is_material())
        && reading::says_nothing(id, value)
}

/// The longest values: of a label in characters, of what a stored certificate holds in bytes.
fn check_lengths(draft: &Draft, regime: Regime<'_>) -> Result<()> {
    if draft.number(ck::CKA_CLASS) == Some(ck::CKO_CERTIFICATE) {
        for (id, most) in regime.dialect.longest_certificate_values {
            let length = draft.get(*id).map_or(0, <[u8]>::len);
            if length > *most {
                return Err(Error::with(
                    ck::CKR_ATTRIBUTE_VALUE_INVALID,
                    format!("{} of a certificate has {length} bytes, the most is {most}", attribute::name(*id)),
                ));
            }
        }
    }
    let most = regime.dialect.longest_label;
    // Of a label that is no UTF-8 each byte counts.
    let characters = draft
        .get(ck::CKA_LABEL)
        .map_or(0, |label| std::str::from_utf8(label).map_or(label.len(), |label| label.chars().count()));
    if characters > most {
        return Err(Error::with(
            ck::CKR_ATTRIBUTE_VALUE_INVALID,
            format!("CKA_LABEL has {characters} characters, the most is {most}"),
        ));
    }
    Ok(())
}

fn refuse(rv: CK_RV, id: CK_ATTRIBUTE_TYPE, kind: &Kind, why: &str) -> Error {
    Error::with(rv, format!("{} {why} for {} here", attribute::name(id), kind.name))
}
