//! The HSM: the trust boundary.
//!
//! - [`module`]: users, logins, policy, keys, quorum, audit, backup;
//! - [`mechanism`]: what it can do; [`object`]: what it holds;
//! - [`log`]: one line a message;
//! - [`config`]: the settings, and the profile, FIPS and secure mode as columns of tables.

pub mod config;
#[cfg(any(test, feature = "inside"))]
pub mod inside;
pub mod log;
pub mod mechanism;
pub mod module;
pub mod object;
