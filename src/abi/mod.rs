//! The C boundary: pointers in, `CK_RV` out. With `platform` and `crypto::ffi` the only place of `unsafe`.
//!
//! # The safety argument
//!
//! A caller in C *alleges* that a pointer may be read or written for a length; nothing can prove it. What this layer
//! promises is that it does nothing with a pointer that the standard does not entitle it to, if the allegation holds:
//!
//! - NULL is never dereferenced: it is empty input, a length query, or CKR_ARGUMENTS_BAD ([`memory`]).
//! - Structures are read and written unaligned, by value, so a misaligned pointer is no undefined behaviour.
//! - Lengths beyond what an object in memory can have are refused before a slice is made; nothing of a claimed size is
//!   allocated; the counts of templates are capped.
//! - Rust references to caller memory live for one call and never overlap each other while one of them is mutable
//!   ([`memory::Memory`], [`base::exchange::Exchange`]).
//! - A panic never crosses into C ([`call`]).
//!
//! Each function behind a row of [`functions`] is `unsafe` with this one contract: its pointer arguments are what the
//! standard says of the function of that name.
#![allow(unsafe_code)]

mod call;
mod cipher;
mod digest;
mod functions;
mod interfaces;
mod key_parameter;
mod lifecycle;
mod memory;
mod objects;
mod parameter;
mod sessions;
mod sign;
mod slots;
mod template;
#[cfg(test)]
mod tests;
mod trace;
mod transport;
mod users;
