//! The behaviour of the built library, called through its function list as any client calls it.
//!
//! Each test runs in a process of its own with an HSM of its own (`support`). A test names the rule it checks: the
//! section of PKCS#11 3.2, a page of AWS's User Guide, or a row of the published attack catalogues.

#![allow(unsafe_code, reason = "the tests call C functions")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::let_underscore_must_use,
    reason = "tests"
)]

#[path = "../support/mod.rs"]
mod support;

mod attacks;
mod audit;
mod backups;
mod boundary;
mod certificates;
mod ciphers;
mod clusters;
mod curves;
mod derivation;
mod dialects;
mod digests;
mod filled_keys;
mod golden;
mod hints;
mod hostile;
mod injection;
mod invariants;
mod limits;
mod matrix;
mod model;
mod objects;
mod openssl;
mod parts;
mod protection;
mod quirks;
mod rsa_encryption;
mod secure;
mod sessions;
mod sharing;
mod short_signatures;
mod signatures;
mod sizes;
mod standard_attributes;
mod templates;
mod together;
mod trace;
mod transport;
mod users;
mod uses;
mod wycheproof;
