//! The operating system as the library needs it: fork, locks, files, shared memory, clocks. The only layer, besides
//! `abi` and `crypto::ffi`, where `unsafe` is allowed, so that whoever audits it reads a handful of short files.
//!
//! # The argument for its safety
//!
//! - **Fork.** The library is loaded into programs that fork without asking. The child of a fork has one thread and
//!   a copy of every lock as it stood at that instant. So everything that could be held is taken first, by the
//!   handlers that [`fork::install`] registers: *prepare* takes the store gate (no SQLite call is in flight, no write
//!   lock is held) and then drains the random gate (no thread is inside AWS-LC's generator); parent and child
//!   release both. Locks taken only inside the store gate are therefore free in the child. All other inherited
//!   state is abandoned: the pointer to it lives in a page that the kernel wipes in the child.
//! - **Order.** Store gate first, random gate second. Whoever holds the random gate never asks for the store gate.
//! - **Locks never park.** `parking_lot` parks in a table that belongs to the whole process and is not safe over
//!   fork; [`lock::Lock`] tries, spins, yields and sleeps instead.
//! - **Memory.** Pages are mapped and, save the per-thread random pool, never unmapped: a `&'static` into one is
//!   what it says. Those with long-lived keys are wiped in a child and kept out of core dumps and swap. Memory that other processes write is touched through atomics only, and every bit pattern of it
//!   is a valid value.
//! - **The host's threads** are its own: it may cancel one inside a call ([`cancellation`]), and what it does about a signal is not
//!   changed ([`signals`]).
//! - **Descriptors** are close-on-exec, never below 3, and the one that carries a lock is closed in a forked child,
//!   because a lock taken through it would belong to parent and child together.

pub mod cancellation;
pub mod descriptors;
pub mod entropy;
pub mod files;
pub mod flock;
pub mod fork;
pub mod generation;
pub(crate) mod line;
pub mod lock;
pub mod outside;
mod pages;
pub mod process;
pub mod random_pool;
pub mod reserve;
pub mod residue;
pub mod scratch;
pub mod secret_page;
pub mod signals;
pub mod stderr;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
