//! What a key keeps of the key that it comes from: one table of the attributes that protect a key.
//!
//! docs/protection.md has the whole crossing, each protection with each way in which an object comes from another one. What
//! C_SetAttributeValue and C_CopyObject may do with an attribute is a letter of its rule ([`super::rules`]), which a test here
//! compares with this table.

use base::ck::{self, CK_ATTRIBUTE_TYPE};
use base::error::{Error, Result};

use super::Object;
use super::attribute::{self, ValueKind};
use super::attributes::Draft;
use super::rules::{Cell, Kind, Making};
use super::template::Template;
use crate::config::Regime;

/// What a key that is derived by SP 800-108 takes from its base key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Derived {
    /// The protection, whatever the template says.
    Protection,
    /// The value, if the template says nothing (PKCS#11 3.2 section 6.42, "Key Derivation Attribute Rules"; AWS's table of
    /// C_DeriveKey takes either value of EXTRACTABLE). In secure mode the protection.
    Value,
}

/// An attribute that protects a key.
struct Protection {
    attribute: CK_ATTRIBUTE_TYPE,
    /// The value that protects.
    value: bool,
    derived: Derived,
    /// Whether what a trusted key unwraps is protected by it: the wrapped key may have been allowed to leave only under a
    /// trusted key, and its wrapped form does not tell.
    from_trusted: bool,
    /// Whether what is unwrapped in secure mode is protected by it.
    unwrapped_in_secure_mode: bool,
}

const fn row(
    attribute: CK_ATTRIBUTE_TYPE,
    value: bool,
    derived: Derived,
    from_trusted: bool,
    unwrapped_in_secure_mode: bool,
) -> Protection {
    Protection { attribute, value, derived, from_trusted, unwrapped_in_secure_mode }
}

#[rustfmt::skip]
const TABLE: &[Protection] = &[
    //  attribute                  protects  derived               from trusted  in secure mode
    row(ck::CKA_PRIVATE,           true,     Derived::Protection,  false,        false),
    row(ck::CKA_SENSITIVE,         true,     Derived::Value,       true,         true),
    row(ck::CKA_EXTRACTABLE,       false,    Derived::Value,       false,        true),
    row(ck::CKA_WRAP_WITH_TRUSTED, true,     Derived::Protection,  true,         false),
];

/// Whether a key whose boolean attribute is set to `value` can do no more with it than before: a protection is raised, or
/// anything else lowered.
pub(super) fn narrows(id: CK_ATTRIBUTE_TYPE, value: Option<bool>) -> bool {
    // One byte of what is no flag says nothing.
    if attribute::describe(id).is_none_or(|row| row.kind != ValueKind::Bool) {
        return false;
    }
    let protects = TABLE.iter().find(|row| row.attribute == id).is_some_and(|row| row.value);
    value == Some(protects)
}

/// Gives a key that SP 800-108 derives what it takes from its base key.
///
/// # Errors
/// CKR_TEMPLATE_INCONSISTENT where the template says otherwise.
pub fn derive(base: &Object, kind: &Kind, template: &Template, draft: &mut Draft, regime: Regime<'_>) -> Result<()> {
    for row in TABLE {
        let said = template.flag(row.attribute);
        let is_protected = base.is(row.attribute) == row.value;
        if row.derived == Derived::Protection || regime.safeguards.derived_as_base {
            if is_protected {
                protect(row, template, draft)?;
            }
            continue;
        }
        // The rules have set it already where the template may not.
        let is_fixed = kind
            .rule(row.attribute)
            .is_none_or(|rule| matches!(rule.cell(Making::Derive, regime), Cell::ReadOnly | Cell::ReadOnlyTrue));
        if said.is_none() && !is_fixed {
            draft.set_flag(row.attribute, base.is(row.attribute));
        }
    }
    Ok(())
}

/// Protects what a key unwraps, unless CKA_UNWRAP_TEMPLATE of that key says otherwise.
///
/// # Errors
/// CKR_TEMPLATE_INCONSISTENT where the template says otherwise.
pub fn unwrap(by: &Object, template: &Template, draft: &mut Draft, regime: Regime<'_>) -> Result<()> {
    let (trusted, secure) = (by.is(ck::CKA_TRUSTED), regime.safeguards.unwrapped_stays);
    if !trusted && !secure {
        return Ok(());
    }
    let own = Template::unflatten(by.attributes.get(ck::CKA_UNWRAP_TEMPLATE).unwrap_or_default())?;
    for row in TABLE {
        let asked = (trusted && row.from_trusted) || (secure && row.unwrapped_in_secure_mode);
        if asked && !own.names(&[row.attribute]) {
            protect(row, template, draft)?;
        }
    }
    Ok(())
}

/// Protects a new key: what its template does not say follows, what contradicts is refused.
fn protect(row: &Protection, template: &Template, draft: &mut Draft) -> Result<()> {
    if draft.is(row.attribute) == row.value {
        return Ok(());
    }
    if template.flag(row.attribute).is_some() {
        return Err(Error::with(
            ck::CKR_TEMPLATE_INCONSISTENT,
            format!("{} would protect the key less than it was protected", attribute::name(row.attribute)),
        ));
    }
    draft.set_flag(row.attribute, row.value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Profile;
    use crate::object::rules::{self, Changing};

    /// A protection only rises, by a change and in a copy, in each kind of object that has it and in each dialect. PRIVATE may
    /// change in a copy, where a rule of its own holds.
    #[test]
    fn no_rule_lets_a_protection_go() {
        for profile in [Profile::CloudHsm, Profile::Strict, Profile::Standard] {
            for kind in rules::kinds() {
                for row in TABLE {
                    let Some(rule) = kind.rule(row.attribute) else { continue };
                    let changing = rule.changing(Regime::of(profile, false));
                    let kept = changing == Changing::Only(row.value) || changing == Changing::Never;
                    let private = row.attribute == ck::CKA_PRIVATE && changing == Changing::Copy;
                    assert!(kept || private, "{} of {}", attribute::name(row.attribute), kind.name);
                }
            }
        }
    }
}
