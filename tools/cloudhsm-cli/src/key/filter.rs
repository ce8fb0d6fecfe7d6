//! `--filter`: which keys a command is about.
//!
//! `key-reference=0x...` or `attr.NAME=VALUE`, several of which must all hold (User Guide,
//! manage-keys-cloudhsm-cli-filtering). What the store has an index of narrows the search; everything else is compared
//! with what the listing shows, so that a filter and a listing can never disagree.

use std::sync::Arc;

use base::ck;
use hsm::object::{Object, ObjectId, Template};

use super::attributes::{self, Form, Row};
use super::view::Shown;
use crate::context::{Session, SessionKey};
use crate::output::Failure;

/// A filter as it was written, in parts.
#[derive(Default)]
pub(crate) struct Filter {
    reference: Option<u64>,
    wanted: Vec<(&'static Row, String)>,
}

impl Filter {
    pub(crate) fn parse(items: &[String]) -> Result<Self, Failure> {
        let mut filter = Self::default();
        for item in items {
            let (name, value) = attributes::split(item)?;
            if name == "key-reference" {
                filter.reference = Some(number(value)?);
            } else if let Some(name) = name.strip_prefix("attr.") {
                let row = attributes::find(name)?;
                if row.form != Form::Figure && attributes::encode(row, value).is_none() {
                    return Err(Failure::new(format!("{value} is no value of the key attribute {name}")));
                }
                filter.wanted.push((row, value.to_owned()));
            } else {
                return Err(Failure::new(format!("{name} is neither key-reference nor of the form attr.NAME")));
            }
        }
        Ok(filter)
    }

    /// Whether every key matches.
    pub(super) const fn is_empty(&self) -> bool {
        self.reference.is_none() && self.wanted.is_empty()
    }

    /// The keys that match and that the user sees, in the order in which they were made.
    pub(super) fn find(&self, session: Session<'_>) -> Result<Vec<Arc<Object>>, Failure> {
        let Session { module, login, .. } = session;
        let mut found = match self.reference {
            Some(reference) => Vec::from_iter(module.load(Some(login), ObjectId(reference))?),
            None => module.find_keys(login, &self.narrow()?)?,
        };
        found.retain(|object| object.is_key());
        let named = |known: &&SessionKey| self.reference.is_none_or(|reference| reference == known.reference);
        found.extend(session.keys.iter().filter(named).map(|known| Arc::clone(&known.key)));
        let mut matching = Vec::with_capacity(found.len());
        for object in found {
            if self.matches(session, &object)? {
                matching.push(object);
            }
        }
        Ok(matching)
    }

    /// The one key that matches.
    pub(crate) fn find_one(&self, session: Session<'_>) -> Result<Arc<Object>, Failure> {
        let mut found = self.find(session)?;
        match (found.pop(), found.len()) {
            (Some(one), 0) => Ok(one),
            (last, rest) => Err(Failure::new(format!(
                "Key selection criteria matched {} keys. Refine selection criteria to select a single key.",
                rest + usize::from(last.is_some())
            ))),
        }
    }

    /// A search by what every key has; a name that stands twice is left to [`Filter::matches`].
    fn narrow(&self) -> Result<Template, Failure> {
        let mut entries: Vec<(ck::CK_ATTRIBUTE_TYPE, Vec<u8>)> = Vec::new();
        for (row, text) in &self.wanted {
            let everywhere = match row.id {
                // What looks so may be a label that is no text.
                ck::CKA_LABEL => !text.starts_with("0x"),
                id => matches!(id, ck::CKA_ID | ck::CKA_CLASS | ck::CKA_KEY_TYPE),
            };
            if everywhere && !entries.iter().any(|(id, _)| *id == row.id) {
                entries.extend(attributes::encode(row, text).map(|value| (row.id, value)));
            }
        }
        let entries: Vec<(ck::CK_ATTRIBUTE_TYPE, &[u8])> =
            entries.iter().map(|(id, value)| (*id, value.as_slice())).collect();
        Ok(Template::of(&entries)?)
    }

    fn matches(&self, session: Session<'_>, object: &Object) -> Result<bool, Failure> {
        let mut shown = Shown::new(session, object);
        for (row, wanted) in &self.wanted {
            let fits = shown.value(row)?.is_some_and(|value| match value.as_str() {
                // Digits of hexadecimal numbers may be of either case; labels may not.
                Some(text) if row.form == Form::Text => text == wanted,
                Some(text) => text.eq_ignore_ascii_case(wanted),
                None => serde_json::from_str(wanted).is_ok_and(|wanted: serde_json::Value| wanted == value),
            });
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A key reference: hexadecimal with `0x`, or decimal.
fn number(text: &str) -> Result<u64, Failure> {
    let (digits, base) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
    Some(digits)
        .filter(|digits| digits.chars().all(|digit| digit.is_digit(base)))
        .and_then(|digits| u64::from_str_radix(digits, base).ok())
        .ok_or_else(|| Failure::new(format!("{text} is no key reference")))
}
