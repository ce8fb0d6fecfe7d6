//! The safe face of AWS-LC's C functions: the only place under `crypto` that may be unsafe.
//!
//! `aws-lc-rs` stops short of what PKCS#11 asks for (raw RSA, ECDSA over a digest, P-224, secp256k1, OAEP with two
//! hashes), so those bindings of `aws-lc-sys` are wrapped here: one owning type a C object, one method a C function,
//! lengths and pointers taken from Rust slices. The wrappers judge nothing; a refusal of AWS-LC comes out as
//! [`Refused`], and the modules above say which return value of PKCS#11 it is.
//!
//! AWS-LC draws random numbers inside signing, blinding and padding, under a lock that a forked child would find held.
//! Each wrapper of a function that may draw enters [`random_gate`] itself, so
//! no caller can forget it. RSA key generation alone does not: it lasts seconds, and a fork would wait for it.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr::NonNull;

use crate::platform::fork::random_gate;

pub(super) mod aead;
pub(super) mod aes;
pub(crate) mod bignum;
pub(super) mod cipher;
pub(crate) mod ec;
pub(super) mod memory;
pub(super) mod random;
pub(crate) mod rsa;
pub(crate) mod rsa_padding;

/// AWS-LC would not do it. The reason is not kept: the caller knows what the operation can fail of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// What a wrapper returns.
pub(crate) type Checked<T> = Result<T, Refused>;

/// AWS-LC's 1 for success as a `Result`; a failure leaves the thread's error queue empty.
fn checked(returned: c_int) -> Checked<()> {
    if returned == 1 { Ok(()) } else { Err(refused()) }
}

/// The same for a call that may draw random numbers: no fork happens meanwhile.
fn drawing(call: impl FnOnce() -> c_int) -> Checked<()> {
    checked(random_gate(call))
}

/// A fresh C object, or the failure to make one.
fn fresh<T>(pointer: *mut T) -> Checked<NonNull<T>> {
    NonNull::new(pointer).ok_or_else(refused)
}

/// Empties the thread's error queue, so that a failure here is never read as one of a later call.
#[cold]
fn refused() -> Refused {
    // SAFETY: the function takes nothing and touches the calling thread's own queue only.
    unsafe { aws_lc_sys::ERR_clear_error() };
    Refused
}
