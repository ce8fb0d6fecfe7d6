//! Whether an object matches a search template.
//!
//! Key material never takes part: a template that names it matches nothing, so that a search is no oracle for the
//! value of a sensitive key.

use super::Object;
use super::attribute;
use super::reading;
use super::template::Template;
use crate::config::Regime;

/// Whether `object` has every attribute of `template` with that very value (PKCS#11 3.2 section 5.7.7).
#[must_use]
pub fn matches(object: &Object, template: &Template, regime: Regime<'_>) -> bool {
    let Some(kind) = object.kind else {
        return false;
    };
    template.iter().all(|(id, wanted)| {
        if attribute::is_template(id) {
            return false;
        }
        let Some(rule) = kind.rule(id) else {
            return false;
        };
        !rule.is_material() && reading::shows(object, rule, wanted, regime)
    })
}
