//! Templates: from `CK_ATTRIBUTE[]` to a [`Template`], and values back into the caller's array.

use std::ptr;

use base::ck::{self, CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_RV, CK_ULONG, CK_UNAVAILABLE_INFORMATION};
use base::error::{Error, Result};
use hsm::object::attribute;
use hsm::object::template::{LONGEST_VALUE, MOST_ATTRIBUTES, Template, unflatten};

use super::memory;
use crate::cryptoki::ReadAttribute;

const ENTRY: usize = size_of::<CK_ATTRIBUTE>();

/// The caller's array of attributes: where it is and how many entries it is said to have.
#[derive(Clone, Copy)]
pub(super) struct Array {
    first: *mut CK_ATTRIBUTE,
    count: usize,
}

impl Array {
    /// Checks an array's count.
    ///
    /// # Errors
    /// CKR_ARGUMENTS_BAD for NULL with a count, or for an absurd count.
    pub(super) fn new(first: *mut CK_ATTRIBUTE, count: CK_ULONG) -> Result<Self> {
        let count = usize::try_from(count)
            .ok()
            .filter(|count| *count <= MOST_ATTRIBUTES)
            .ok_or(Error::new(ck::CKR_ARGUMENTS_BAD, "a template of more attributes than any object has"))?;
        if first.is_null() && count > 0 {
            return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "the template is NULL"));
        }
        Ok(Self { first, count })
    }

    /// The caller's entries, one by one.
    ///
    /// # Safety
    /// The array is what the caller says it is.
    unsafe fn entries(self) -> impl Iterator<Item = (*mut CK_ATTRIBUTE, CK_ATTRIBUTE)> {
        (0..self.count).map(move |at| {
            // SAFETY: `at` is below the count that the caller has alleged; read unaligned, by value.
            unsafe {
                let place = self.first.add(at);
                (place, place.read_unaligned())
            }
        })
    }

    /// The template that the array holds.
    ///
    /// # Safety
    /// The array is what the caller says it is, and so are the values in it.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID for a value that is NULL, absurdly long or of the wrong shape, CKR_ATTRIBUTE_TYPE_INVALID
    /// for an unknown attribute, CKR_TEMPLATE_INCONSISTENT for one that stands twice.
    pub(super) unsafe fn template(self) -> Result<Template> {
        // SAFETY: passed on.
        unsafe { self.decode(true) }
    }

    /// How many entries [`Array::template`] takes: all of them, or those before the one that it refuses. It looks at nothing
    /// behind that.
    ///
    /// # Safety
    /// As [`Array::template`].
    pub(super) unsafe fn taken(self) -> usize {
        let mut template = Template::default();
        // SAFETY: passed on.
        unsafe { self.entries().take_while(|(_, entry)| take(&mut template, entry, true).is_ok()).count() }
    }

    unsafe fn decode(self, nested_allowed: bool) -> Result<Template> {
        let mut template = Template::default();
        // SAFETY: the caller's promise.
        for (_, entry) in unsafe { self.entries() } {
            // SAFETY: passed on.
            unsafe { take(&mut template, &entry, nested_allowed) }?;
        }
        Ok(template)
    }

    /// Answers C_GetAttributeValue: reads each attribute of the array through `read` into the caller's buffers. One
    /// bad attribute does not spoil the rest; the return value is that of the last bad one (PKCS#11 3.2 section 5.7.5).
    ///
    /// # Safety
    /// The array is what the caller says it is, and its buffers may be written for their lengths.
    pub(super) unsafe fn fill(self, read: &ReadAttribute<'_>) -> Result<()> {
        let mut outcome = Ok(());
        // SAFETY: the caller's promise.
        for (place, entry) in unsafe { self.entries() } {
            let mut answer: std::result::Result<CK_ULONG, CK_RV> = Ok(0);
            let nested = attribute::is_template(entry.type_);
            let found = read(entry.type_, &mut |value| {
                // SAFETY: the buffer of this entry, by the caller's word.
                answer = unsafe { if nested { give_template(&entry, value) } else { give(&entry, value) } };
            });
            let length = match (found, answer) {
                (Ok(()), Ok(length)) => length,
                (Ok(()), Err(rv)) => {
                    outcome = Err(Error::new(rv, "a buffer is smaller than the attribute's value"));
                    CK_UNAVAILABLE_INFORMATION
                }
                (Err(error), _) => {
                    outcome = Err(error);
                    CK_UNAVAILABLE_INFORMATION
                }
            };
            // SAFETY: `place` is an entry of the array.
            unsafe { (&raw mut (*place).ulValueLen).write_unaligned(length) };
        }
        outcome
    }
}

/// Takes one entry of the caller's array into a template.
///
/// # Safety
/// The value of the entry is what the caller says it is.
unsafe fn take(template: &mut Template, entry: &CK_ATTRIBUTE, nested_allowed: bool) -> Result<()> {
    if attribute::is_template(entry.type_) {
        let count = usize::try_from(entry.ulValueLen).unwrap_or(usize::MAX);
        if !nested_allowed || !count.is_multiple_of(ENTRY) {
            return Err(bad_value(entry.type_, "is no array of attributes, or one inside another"));
        }
        let inner = Array::new(entry.pValue.cast(), (count / ENTRY) as CK_ULONG)
            .map_err(|_| bad_value(entry.type_, "is no array of attributes"))?;
        // SAFETY: the value of such an attribute is an array, by the standard.
        return template.push_template(entry.type_, &unsafe { inner.decode(false) }?);
    }
    if entry.ulValueLen > LONGEST_VALUE as CK_ULONG {
        return Err(bad_value(entry.type_, "is longer than any value may be"));
    }
    // SAFETY: the value may be read for its length, by the caller's word.
    let bytes = unsafe { memory::input(entry.pValue.cast(), entry.ulValueLen) }
        .map_err(|_| bad_value(entry.type_, "is NULL"))?;
    template.push(entry.type_, bytes)
}

fn bad_value(id: CK_ATTRIBUTE_TYPE, why: &str) -> Error {
    Error::with(ck::CKR_ATTRIBUTE_VALUE_INVALID, format!("{}: the value {why}", attribute::name(id)))
}

/// The room of an entry: nothing for a length query. A length of -1 with a buffer is what a failed call leaves behind,
/// and says nothing about the buffer.
fn room(entry: &CK_ATTRIBUTE) -> Option<CK_ULONG> {
    (!entry.pValue.is_null()).then_some(if entry.ulValueLen > i64::MAX.unsigned_abs() { 0 } else { entry.ulValueLen })
}

/// Copies a value into the buffer of an entry.
///
/// # Safety
/// The buffer may be written for the length that the entry says.
unsafe fn give(entry: &CK_ATTRIBUTE, value: &[u8]) -> std::result::Result<CK_ULONG, CK_RV> {
    let length = value.len() as CK_ULONG;
    match room(entry) {
        None => Ok(length),
        Some(room) if room < length => Err(ck::CKR_BUFFER_TOO_SMALL),
        Some(_) => {
            // SAFETY: not NULL, and at least as long as the value.
            unsafe { ptr::copy_nonoverlapping(value.as_ptr(), entry.pValue.cast::<u8>(), value.len()) };
            Ok(length)
        }
    }
}

/// Copies a template into the array that the entry points to, whose own entries may have buffers or not.
///
/// # Safety
/// As [`give`], for the array and for the buffers in it.
unsafe fn give_template(entry: &CK_ATTRIBUTE, flat: &[u8]) -> std::result::Result<CK_ULONG, CK_RV> {
    let count = unflatten(flat).count();
    let length = (count * ENTRY) as CK_ULONG;
    match room(entry) {
        None => return Ok(length),
        Some(room) if room < length => return Err(ck::CKR_BUFFER_TOO_SMALL),
        Some(_) => {}
    }
    let mut outcome = Ok(length);
    for (at, (id, value)) in unflatten(flat).enumerate() {
        // SAFETY: `at` is below the room of the array, which the caller has alleged.
        unsafe {
            let place = entry.pValue.cast::<CK_ATTRIBUTE>().add(at);
            let mut inner = place.read_unaligned();
            inner.type_ = id;
            inner.ulValueLen = match give(&inner, value) {
                Ok(length) => length,
                Err(rv) => {
                    outcome = Err(rv);
                    CK_UNAVAILABLE_INFORMATION
                }
            };
            place.write_unaligned(inner);
        }
    }
    outcome
}
