//! Arguments of a C function: the words that work, and those that do not, each with the answer that the standard has for it.

use std::ffi::c_void;

use crate::support::*;

/// An argument of a call that would work: one word, or a pointer and its length.
#[derive(Clone)]
pub(super) enum Argument {
    Session,
    Slot,
    /// An object; the code for one that is not there.
    Object(CK_OBJECT_HANDLE, CK_RV),
    /// A word that may be anything.
    Word(usize),
    Mechanism(CK_MECHANISM_TYPE, Vec<u8>),
    Template(Template),
    /// The same for reading: entries may have NULL and any length.
    Query,
    /// Bytes and their length.
    Input(Vec<u8>),
    /// Bytes that are filled, as many as the length says.
    Filled,
    /// A buffer and a place with its length.
    Output(usize),
    /// A list and a place with its length, in entries.
    List,
    /// A place that is written.
    Place,
    /// Places for handles, or NULL, which asks how many there would be.
    Handles,
    /// Something that must be NULL, and the code otherwise.
    Null(CK_RV),
}

use Argument::{Filled, Handles, Input, List, Null, Object, Output, Place, Query, Slot};

/// What a replaced argument must come to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// The same as the call that works.
    AsGood,
    Code(CK_RV),
    /// Anything that is no crash.
    Anything,
}

const MAX: usize = usize::MAX;

fn kept<T>(value: T) -> *mut T {
    Box::leak(Box::new(value))
}

fn room() -> usize {
    kept([0_u64; 256]).addr()
}

/// A copy of plain data at an odd address.
fn odd<T: Copy>(values: &[T]) -> usize {
    let size = size_of_val(values);
    let bytes = kept(vec![0_u8; size + 32]);
    // SAFETY: the target has room, and the source is plain data.
    unsafe {
        let start = (*bytes).as_mut_ptr();
        let start = start.add(1 + start.addr() % 2);
        std::ptr::copy_nonoverlapping(values.as_ptr().cast::<u8>(), start, size);
        start.addr()
    }
}

fn mechanism(kind: CK_MECHANISM_TYPE, parameter: &[u8]) -> CK_MECHANISM {
    let parameter = Vec::leak(parameter.to_vec());
    let place: *mut c_void = if parameter.is_empty() { std::ptr::null_mut() } else { parameter.as_mut_ptr().cast() };
    CK_MECHANISM { mechanism: kind, pParameter: place, ulParameterLen: parameter.len() as CK_ULONG }
}

impl Argument {
    /// The words of the call that works.
    pub(super) fn good(&self, session: Session) -> Vec<usize> {
        match self {
            Self::Session => vec![session.0 as usize],
            Slot => vec![SLOT as usize],
            Object(handle, _) => vec![*handle as usize],
            Self::Word(word) => vec![*word],
            Self::Mechanism(kind, parameter) => vec![kept(mechanism(*kind, parameter)).addr()],
            Self::Template(template) => {
                let raw = Vec::leak(kept_template(template).raw());
                vec![raw.as_ptr().addr(), raw.len()]
            }
            Query => vec![kept([entry(CKA_CLASS, room(), 8), entry(CKA_LABEL, 0, 0)]).addr(), 2],
            Input(bytes) => vec![Vec::leak(bytes.clone()).as_ptr().addr(), bytes.len()],
            Filled => vec![room(), 32],
            Output(size) => vec![room(), kept(*size as CK_ULONG).addr()],
            List => vec![room(), kept(200 as CK_ULONG).addr()],
            Place | Handles => vec![room()],
            Null(_) => vec![0],
        }
    }

    /// The words of calls that do not, or that are odd, each with its name and what is expected.
    pub(super) fn hostile(&self, session: Session) -> Vec<(&'static str, Vec<usize>, Expected)> {
        use Expected::{Anything, AsGood, Code};
        let good = self.good(session);
        let bad = Code(CKR_ARGUMENTS_BAD);
        match self {
            Self::Session => {
                let stale = Session::open();
                stale.close().unwrap();
                let invalid = Code(CKR_SESSION_HANDLE_INVALID);
                let forged = session.0 as usize ^ (1 << 40);
                vec![
                    ("zero", vec![0], invalid),
                    ("ulong-max", vec![MAX], invalid),
                    ("stale", vec![stale.0 as usize], invalid),
                    ("forged", vec![forged], invalid),
                ]
            }
            Slot => {
                [0, 1, SLOT as usize + 1, MAX].map(|slot| ("no slot", vec![slot], Code(CKR_SLOT_ID_INVALID))).to_vec()
            }
            Object(_, code) => [0, 3, MAX, 1 << 40].map(|object| ("no object", vec![object], Code(*code))).to_vec(),
            Self::Word(_) => [0, MAX].map(|word| ("another word", vec![word], Anything)).to_vec(),
            Self::Mechanism(kind, parameter) => {
                let made = mechanism(*kind, parameter);
                let unknown = CK_MECHANISM { mechanism: CK_ULONG::MAX, ..made };
                let absurd = CK_MECHANISM { ulParameterLen: CK_ULONG::MAX, ..made };
                let null = CK_MECHANISM { pParameter: std::ptr::null_mut(), ulParameterLen: CK_ULONG::MAX, ..made };
                vec![
                    ("NULL", vec![0], bad),
                    ("misaligned", vec![odd(&[made])], AsGood),
                    ("unknown", vec![kept(unknown).addr()], Code(CKR_MECHANISM_INVALID)),
                    ("absurd parameter", vec![kept(absurd).addr()], Code(CKR_MECHANISM_PARAM_INVALID)),
                    ("NULL parameter", vec![kept(null).addr()], Code(CKR_MECHANISM_PARAM_INVALID)),
                ]
            }
            Self::Template(template) => {
                let mut all = vec![
                    ("NULL", vec![0, good[1].max(1)], bad),
                    ("NULL of ulong-max", vec![0, MAX], bad),
                    ("ulong-max entries", vec![good[0], MAX], bad),
                    ("2^32 entries", vec![good[0], 1 << 32], bad),
                    ("misaligned", vec![odd(&kept_template(template).raw()), good[1]], AsGood),
                ];
                let value = Code(CKR_ATTRIBUTE_VALUE_INVALID);
                let with = |entries: &[CK_ATTRIBUTE]| {
                    let mut raw = kept_template(template).raw();
                    raw.extend_from_slice(entries);
                    let raw = Vec::leak(raw);
                    vec![raw.as_ptr().addr(), raw.len()]
                };
                let inner = kept([entry(CKA_LABEL, room(), 4)]).addr();
                let nested = kept([entry(CKA_UNWRAP_TEMPLATE, inner, 24)]).addr();
                all.extend([
                    ("a NULL value", with(&[entry(CKA_ID, 0, 5)]), value),
                    ("a value of ulong-max", with(&[entry(CKA_ID, room(), CK_ULONG::MAX)]), value),
                    ("a value of 2^62", with(&[entry(CKA_ID, room(), 1 << 62)]), value),
                    ("a value of 2^40", with(&[entry(CKA_ID, room(), 1 << 40)]), value),
                    ("a NULL value of ulong-max", with(&[entry(CKA_ID, 0, CK_ULONG::MAX)]), value),
                    ("a nested NULL", with(&[entry(CKA_WRAP_TEMPLATE, 0, 24)]), value),
                    ("a nested one of ulong-max", with(&[entry(CKA_WRAP_TEMPLATE, inner, CK_ULONG::MAX)]), value),
                    ("a nested one of 2^40", with(&[entry(CKA_WRAP_TEMPLATE, inner, 24 << 40)]), value),
                    ("a nested one of odd size", with(&[entry(CKA_WRAP_TEMPLATE, inner, 23)]), value),
                    ("one nested in a nested one", with(&[entry(CKA_WRAP_TEMPLATE, nested, 24)]), value),
                ]);
                all
            }
            Query => {
                let misaligned = odd(&[entry(CKA_CLASS, room(), 8), entry(CKA_LABEL, 0, 0)]);
                let odd_buffer = kept([entry(CKA_CLASS, room() + 1, 8)]).addr();
                vec![
                    ("NULL", vec![0, 2], bad),
                    ("ulong-max entries", vec![good[0], MAX], bad),
                    ("2^32 entries", vec![good[0], 1 << 32], bad),
                    ("misaligned", vec![misaligned, 2], AsGood),
                    ("a misaligned buffer", vec![odd_buffer, 1], AsGood),
                    ("none", vec![0, 0], AsGood),
                ]
            }
            Input(bytes) => {
                let mut all = vec![("ulong-max bytes", vec![good[0], MAX], bad), ("no byte", vec![0, 0], Anything)];
                if !bytes.is_empty() {
                    all.push(("NULL", vec![0, bytes.len()], bad));
                    all.push(("NULL of ulong-max", vec![0, MAX], bad));
                    all.push(("misaligned", vec![odd(bytes), bytes.len()], AsGood));
                }
                all
            }
            Filled => vec![
                ("NULL", vec![0, 32], bad),
                ("ulong-max bytes", vec![good[0], MAX], bad),
                ("NULL of ulong-max", vec![0, MAX], bad),
                ("misaligned", vec![good[0] + 1, 32], AsGood),
            ],
            Output(size) => vec![
                ("a NULL length", vec![good[0], 0], bad),
                ("NULL and a NULL length", vec![0, 0], bad),
                ("a query", vec![0, kept(0 as CK_ULONG).addr()], Anything),
                ("a misaligned length", vec![good[0], odd(&[*size as CK_ULONG])], AsGood),
                ("misaligned", vec![good[0] + 1, kept(*size as CK_ULONG).addr()], AsGood),
                ("room of ulong-max", vec![good[0], kept(CK_ULONG::MAX).addr()], AsGood),
            ],
            List => vec![
                ("a NULL length", vec![good[0], 0], bad),
                ("NULL and a NULL length", vec![0, 0], bad),
                ("a query", vec![0, kept(0 as CK_ULONG).addr()], AsGood),
                ("no room", vec![good[0], kept(0 as CK_ULONG).addr()], Code(CKR_BUFFER_TOO_SMALL)),
                ("misaligned", vec![good[0] + 1, odd(&[200 as CK_ULONG])], AsGood),
                ("room of ulong-max", vec![good[0], kept(CK_ULONG::MAX).addr()], AsGood),
            ],
            Place => vec![("NULL", vec![0], bad), ("misaligned", vec![good[0] + 1], AsGood)],
            Handles => vec![("NULL", vec![0], AsGood), ("misaligned", vec![good[0] + 1], AsGood)],
            Null(code) => vec![("not NULL", vec![room()], Code(*code))],
        }
    }
}

fn entry(id: CK_ATTRIBUTE_TYPE, value: usize, length: CK_ULONG) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: id, pValue: std::ptr::with_exposed_provenance_mut(value), ulValueLen: length }
}

fn kept_template(template: &Template) -> &'static Template {
    Box::leak(Box::new(template.clone()))
}
