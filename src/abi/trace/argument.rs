//! An argument of a call for the trace: its name and type as the list of functions has them, and what was passed.

use std::ffi::c_void;

use base::ck::{CK_BBOOL, CK_ULONG};

use super::super::memory;

/// An argument of a call.
pub(in super::super) struct Argument {
    pub(super) name: &'static str,
    /// The type as the list of functions spells it: to the compiler all handles are one type, and so are all bytes.
    pub(super) kind: &'static str,
    pub(super) passed: Passed,
    /// The room for an output when the call began: the number behind its `pul...Len`.
    pub(super) before: Option<CK_ULONG>,
}

/// What was passed.
#[derive(Clone, Copy)]
pub(in super::super) enum Passed {
    Number(CK_ULONG),
    Pointer(*const c_void),
}

impl Argument {
    /// Notes an argument, without a look at what it points to.
    pub(in super::super) fn new(name: &'static str, kind: &'static str, passed: impl Into<Passed>) -> Self {
        // The list of functions spells `type_` what the standard names `type`, which is a word of Rust's.
        let name = name.trim_end_matches('_');
        Self { name, kind, passed: passed.into(), before: None }
    }

    /// Notes the rooms for output among the arguments of a call that is about to run: what the call itself reads first, in the
    /// order in which it does, and no further than to the first argument that it refuses.
    pub(super) fn note_rooms(all: &mut [Self]) {
        let mut rest = all;
        while let Some((argument, behind)) = rest.split_first_mut() {
            let Passed::Pointer(place) = argument.passed else {
                rest = behind;
                continue;
            };
            let bytes = behind.first().and_then(Self::number).unwrap_or(0);
            match argument.kind {
                "*mut CK_MECHANISM" | "*mut CK_OBJECT_HANDLE" if place.is_null() => return,
                "*mut CK_BYTE" if place.is_null() && bytes > 0 => return,
                // Room is what the standard names `pul...Len`; the other numbers are only written, or read after more checks.
                "*mut CK_ULONG" if argument.name.ends_with("Len") => {
                    // SAFETY: NULL, or a CK_ULONG that the function reads, by the caller's word; read unaligned.
                    argument.before = unsafe { memory::read_optional(place.cast::<CK_ULONG>()) };
                    if argument.before.is_none() {
                        return;
                    }
                }
                _ => {}
            }
            rest = behind;
        }
    }

    /// The pointer, if one was passed that is not NULL.
    pub(super) fn place<T>(&self) -> Option<*const T> {
        match self.passed {
            Passed::Pointer(place) if !place.is_null() => Some(place.cast()),
            _ => None,
        }
    }

    /// The number that was passed.
    pub(super) fn number(&self) -> Option<CK_ULONG> {
        match self.passed {
            Passed::Number(number) => Some(number),
            Passed::Pointer(_) => None,
        }
    }
}

impl From<CK_ULONG> for Passed {
    fn from(number: CK_ULONG) -> Self {
        Self::Number(number)
    }
}

impl From<CK_BBOOL> for Passed {
    fn from(flag: CK_BBOOL) -> Self {
        Self::Number(flag.into())
    }
}

impl<T> From<*mut T> for Passed {
    fn from(place: *mut T) -> Self {
        Self::Pointer(place.cast_const().cast())
    }
}

/// A callback, of which only matters whether there is one.
impl<F> From<Option<F>> for Passed {
    fn from(callback: Option<F>) -> Self {
        Self::Pointer(if callback.is_some() { std::ptr::dangling() } else { std::ptr::null() })
    }
}
