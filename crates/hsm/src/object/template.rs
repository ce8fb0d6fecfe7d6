//! A caller's template: owned, its values checked for shape, zeroed when dropped.
//!
//! A template may carry key material (C_CreateObject), so its values stand in a [`SecretBuffer`]. `abi` builds it from
//! `CK_ATTRIBUTE[]`; nothing below ever sees a pointer.

use std::ops::Range;

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_ULONG};
use base::error::{Error, Result};
use base::secret::SecretBuffer;

use super::attribute::{self, ValueKind};

/// The largest template that is read: far above any real one, far below what could exhaust memory.
pub const MOST_ATTRIBUTES: usize = 1024;
/// The longest single value that is read, in bytes.
pub const LONGEST_VALUE: usize = 1024 * 1024;

/// The attributes that a caller gave, in the caller's order.
#[derive(Default)]
pub struct Template {
    entries: Vec<Entry>,
    values: SecretBuffer,
    impossible: bool,
}

struct Entry {
    id: CK_ATTRIBUTE_TYPE,
    value: Range<usize>,
}

impl Template {
    /// Adds one attribute whose value is no template, in the form C gives it; its shape is checked against the list of attributes.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_TYPE_INVALID for an attribute that is not known, CKR_ATTRIBUTE_VALUE_INVALID for a value of
    /// the wrong shape, CKR_TEMPLATE_INCONSISTENT for an attribute that is already there with another value. The same value
    /// once more changes nothing (PKCS#11 3.2 section 4.1.1, rules 5 and 6).
    pub fn push(&mut self, id: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Result<()> {
        self.add(id, value, |kind| fits(value, kind))
    }

    /// Adds `CKA_WRAP_TEMPLATE` or one of its kin, whose value is a template. Those are nested once and no deeper.
    ///
    /// # Errors
    /// As [`Template::push`].
    pub fn push_template(&mut self, id: CK_ATTRIBUTE_TYPE, value: &Self) -> Result<()> {
        self.add(id, &value.flatten(), |kind| kind == ValueKind::Template)
    }

    fn add(&mut self, id: CK_ATTRIBUTE_TYPE, value: &[u8], fits: impl FnOnce(ValueKind) -> bool) -> Result<()> {
        let row = attribute::describe(id)
            .ok_or_else(|| Error::with(ck::CKR_ATTRIBUTE_TYPE_INVALID, format!("attribute {id:#x} is not known")))?;
        if let Some(given) = self.get(id) {
            if given == value {
                return Ok(());
            }
            return Err(Error::with(
                ck::CKR_TEMPLATE_INCONSISTENT,
                format!("{} stands in the template with two values", row.name),
            ));
        }
        if !fits(row.kind) {
            return Err(Error::with(
                ck::CKR_ATTRIBUTE_VALUE_INVALID,
                format!("{}: the value is not {}", row.name, wanted(row.kind)),
            ));
        }
        let value = self.values.append(value);
        self.entries.push(Entry { id, value });
        Ok(())
    }

    /// A template that no object matches: it names an attribute that none has.
    #[must_use]
    pub fn impossible() -> Self {
        Self { impossible: true, ..Self::default() }
    }

    /// See [`Template::impossible`].
    #[must_use]
    pub const fn is_impossible(&self) -> bool {
        self.impossible
    }

    /// A template for callers in Rust; none of its values is a template.
    ///
    /// # Errors
    /// As [`Template::push`].
    pub fn of(entries: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<Self> {
        let mut template = Self::default();
        for (id, value) in entries {
            template.push(*id, value)?;
        }
        Ok(template)
    }

    /// The value of an attribute, if the caller gave it: of a template, its flat form.
    #[must_use]
    pub fn get(&self, id: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        self.entries.iter().find(|entry| entry.id == id).map(|entry| self.value(entry))
    }

    fn value(&self, entry: &Entry) -> &[u8] {
        self.values.get(&entry.value)
    }

    /// A number, if the caller gave it.
    #[must_use]
    pub fn number(&self, id: CK_ATTRIBUTE_TYPE) -> Option<CK_ULONG> {
        Some(CK_ULONG::from_ne_bytes(self.get(id)?.try_into().ok()?))
    }

    /// A boolean, if the caller gave it.
    #[must_use]
    pub fn flag(&self, id: CK_ATTRIBUTE_TYPE) -> Option<bool> {
        match self.get(id)? {
            [value] => Some(*value != ck::CK_FALSE),
            _ => None,
        }
    }

    /// All attributes in the caller's order, with their values; of a template, its flat form.
    pub fn iter(&self) -> impl Iterator<Item = (CK_ATTRIBUTE_TYPE, &[u8])> {
        self.entries.iter().map(|entry| (entry.id, self.value(entry)))
    }

    /// Whether the caller gave one of these attributes.
    #[must_use]
    pub fn names(&self, attributes: &[CK_ATTRIBUTE_TYPE]) -> bool {
        self.entries.iter().any(|entry| attributes.contains(&entry.id))
    }

    /// The same without these attributes.
    #[must_use]
    pub fn without(&self, attributes: &[CK_ATTRIBUTE_TYPE]) -> Self {
        let mut rest = Self { impossible: self.impossible, ..Self::default() };
        for entry in self.entries.iter().filter(|entry| !attributes.contains(&entry.id)) {
            let value = rest.values.append(self.value(entry));
            rest.entries.push(Entry { id: entry.id, value });
        }
        rest
    }

    /// Whether the caller gave nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds what a flat template says, unless it is said already.
    ///
    /// # Errors
    /// CKR_TEMPLATE_INCONSISTENT where the two contradict each other.
    pub fn join(&mut self, flat: &[u8]) -> Result<()> {
        for (id, value) in unflatten(flat) {
            match self.get(id) {
                Some(given) if given == value => {}
                Some(_) => {
                    return Err(Error::with(
                        ck::CKR_TEMPLATE_INCONSISTENT,
                        format!("{} contradicts the template of the key", attribute::name(id)),
                    ));
                }
                None => self.push(id, value)?,
            }
        }
        Ok(())
    }

    /// A template from its flat form.
    ///
    /// # Errors
    /// If it was not made by [`Template::flatten`].
    pub fn unflatten(flat: &[u8]) -> Result<Self> {
        let mut template = Self::default();
        template.join(flat)?;
        Ok(template)
    }

    /// The template in the flat form in which `CKA_WRAP_TEMPLATE` and its kin are kept with an object: for each
    /// attribute its number, the length of its value and the value.
    #[must_use]
    pub fn flatten(&self) -> Vec<u8> {
        let mut flat = Vec::new();
        for (id, value) in self.iter() {
            flat.extend_from_slice(&id.to_le_bytes());
            flat.extend_from_slice(&(value.len() as u64).to_le_bytes());
            flat.extend_from_slice(value);
        }
        flat
    }
}

/// Reads the flat form of a template back: attribute and value, until the bytes end.
pub fn unflatten(flat: &[u8]) -> impl Iterator<Item = (CK_ATTRIBUTE_TYPE, &[u8])> {
    let mut rest = flat;
    std::iter::from_fn(move || {
        let (id, after) = rest.split_first_chunk::<8>()?;
        let (length, after) = after.split_first_chunk::<8>()?;
        let (value, after) = after.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        rest = after;
        Some((u64::from_le_bytes(*id), value))
    })
}

/// What a value of `kind` is, for a caller who gave another.
const fn wanted(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Bool => "CK_TRUE or CK_FALSE in one byte",
        ValueKind::Number => "a CK_ULONG",
        ValueKind::Bytes => "bytes",
        ValueKind::Text => "text in UTF-8",
        ValueKind::Date => "a CK_DATE of eight digits, or empty",
        ValueKind::Mechanisms => "a list of CK_MECHANISM_TYPE",
        ValueKind::Template => "a list of CK_ATTRIBUTE",
    }
}

/// Whether `value` has the shape of `kind`.
fn fits(value: &[u8], kind: ValueKind) -> bool {
    match kind {
        ValueKind::Bool => matches!(value, [ck::CK_FALSE | ck::CK_TRUE]),
        ValueKind::Number => value.len() == size_of::<CK_ULONG>(),
        // Text is UTF-8 by the standard; programs use bytes of any kind for it, and nothing here reads it.
        ValueKind::Bytes | ValueKind::Text => true,
        ValueKind::Date => value.is_empty() || (value.len() == 8 && value.iter().all(u8::is_ascii_digit)),
        ValueKind::Mechanisms => value.len().is_multiple_of(size_of::<CK_ULONG>()),
        ValueKind::Template => false,
    }
}
