//! What both test programs share: the built library through its function list, processes of one test's own, and thin
//! wrappers that keep the tests readable.
//!
//! The library's state belongs to a process, so a test that calls it runs in a child process ([`isolated`]) with a
//! home folder of its own. Every wrapper answers `Result<_, Rv>`: the tests compare the exact code.

#![allow(dead_code, reason = "two programs use it, each a part")]

mod calls;
mod child;
mod dice;
mod forks;
mod keys;
mod templates;
mod transport;

pub(crate) use calls::*;
pub(crate) use child::*;
pub(crate) use dice::*;
pub(crate) use forks::*;
pub(crate) use keys::*;
pub(crate) use templates::*;
#[allow(unused_imports, reason = "only one of the programs wraps keys")]
pub(crate) use transport::*;
