//! An argument of a call for the trace: its name and type as the list of functions has them, and what was passed.

use std::ffi::c_void;

use super::super::memory;
use crate::ck::{CK_BBOOL, CK_ULONG};

/// An argument of a call.
pub(in super::super) struct Argument {
    pub(super) name: &'static str,
    /// The type as the list of functions spells it: to the compiler all handles are one type, and so are all bytes.
    pub(super) kind: &'static str,
    pub(super) passed: Passed,
    /// The number behind a `CK_ULONG *` when the call began: the room for an output.
    pub(super) before: Option<CK_ULONG>,
}

/// What was passed.
#[derive(Clone, Copy)]
pub(in super::super) enum Passed {
    Number(CK_ULONG),
    Pointer(*const c_void),
}

impl Argument {
    /// Notes an argument. Its contract is that of the function: a pointer is what the standard says of the argument.
    pub(in super::super) fn new(name: &'static str, kind: &'static str, passed: impl Into<Passed>) -> Self {
        // Raw identifiers do not reach into C: `type` is a word of Rust's.
        let name = name.trim_end_matches('_');
        let passed = passed.into();
        let before = match passed {
            // SAFETY: NULL, or a CK_ULONG that the function reads or writes, by the caller's word; read unaligned.
            Passed::Pointer(place) if kind == "*mut CK_ULONG" => unsafe {
                memory::read_optional(place.cast::<CK_ULONG>())
            },
            _ => None,
        };
        Self { name, kind, passed, before }
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
