//! The words of PKCS#11: types and constants of the standard from `cryptoki-sys`, and CloudHSM's own.
//!
//! The only module that names `cryptoki-sys`; everything else imports from here.

pub use cryptoki_sys::*;

pub mod cure;
pub mod names;
pub mod vendor;

/// What `ulValueLen` and the counters of `CK_TOKEN_INFO` hold when there is nothing to tell (PKCS#11 3.2 section 3).
pub const CK_UNAVAILABLE_INFORMATION: CK_ULONG = CK_ULONG::MAX;
