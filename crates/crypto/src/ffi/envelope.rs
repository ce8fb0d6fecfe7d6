//! AWS-LC's envelope around a key of any kind, and the operation on one: what some functions exist for only.
#![allow(unsafe_code)]

use std::ptr::{self, NonNull};

use aws_lc_sys::{EVP_PKEY, EVP_PKEY_CTX};

use super::{Checked, fresh};

/// An owned envelope around a key.
pub(super) struct Envelope(NonNull<EVP_PKEY>);

impl Drop for Envelope {
    fn drop(&mut self) {
        // SAFETY: the pointer came from AWS-LC, this value owns one reference, and it is released once; the key inside
        // loses the envelope's reference.
        unsafe { aws_lc_sys::EVP_PKEY_free(self.0.as_ptr()) };
    }
}

impl Envelope {
    /// An envelope without a key.
    pub(super) fn empty() -> Checked<Self> {
        // SAFETY: takes nothing; null is handled.
        Self::owning(unsafe { aws_lc_sys::EVP_PKEY_new() })
    }

    /// The envelope that a C function made for its caller, or its failure to.
    pub(super) fn owning(pointer: *mut EVP_PKEY) -> Checked<Self> {
        Ok(Self(fresh(pointer)?))
    }

    /// For a C function that uses the envelope during the call or takes a reference of its own.
    pub(super) const fn as_ptr(&self) -> *mut EVP_PKEY {
        self.0.as_ptr()
    }
}

/// An owned operation on an envelope.
pub(super) struct Operation(NonNull<EVP_PKEY_CTX>);

impl Drop for Operation {
    fn drop(&mut self) {
        // SAFETY: as for Envelope; what was set on the operation goes with it.
        unsafe { aws_lc_sys::EVP_PKEY_CTX_free(self.0.as_ptr()) };
    }
}

impl Operation {
    /// A new operation, which is not yet said which.
    pub(super) fn on(envelope: &Envelope) -> Checked<Self> {
        // SAFETY: the envelope is live, and the operation takes a reference of its own, counted atomically; no engine.
        Ok(Self(fresh(unsafe { aws_lc_sys::EVP_PKEY_CTX_new(envelope.as_ptr(), ptr::null_mut()) })?))
    }

    /// For a C function that works on the operation during the call.
    pub(super) const fn as_ptr(&self) -> *mut EVP_PKEY_CTX {
        self.0.as_ptr()
    }
}
