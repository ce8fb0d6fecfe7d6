//! Several processes on one HSM: keys that outlive their process, crowds, kills, forks, and what the system sees.
//!
//! The first process of a test never loads the library; its stages run in children (`support::staged`).

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

mod crowd;
mod faults;
mod forks;
mod guessing;
mod kills;
mod ledger;
mod memory;
mod moved;
mod power;
mod refusals;
mod rest;
mod shim;
mod stopped;
mod system;
