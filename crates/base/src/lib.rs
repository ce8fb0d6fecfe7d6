//! The words that every part of the HSM speaks.
//!
//! - [`ck`]: the numbers, types and names of PKCS#11 and of CloudHSM's dialect;
//! - [`error`]: the one error type, a `CK_RV` and a text for the log;
//! - [`secret`]: bytes that are zeroed when they go;
//! - [`exchange`]: input and output that may be the same memory;
//! - [`codec`]: the one encoding of records;
//! - [`injection`]: planted faults, for the controls of tests.

pub mod ck;
pub mod codec;
pub mod error;
pub mod exchange;
pub mod injection;
pub mod secret;
