//! `libcloudhsm_pkcs11.so`: a PKCS#11 library that behaves as an AWS CloudHSM does.
//!
//! The layers, from the vocabulary up; a module imports only what stands above it in this list
//! (`tools/dev/check/layers` refuses anything else), and ARCHITECTURE.md has the picture:
//!
//! - [`ck`], [`error`], [`secret`], [`exchange`], [`injection`], [`log`], [`config`], [`platform`]: words and the operating
//!   system;
//! - [`crypto`]: our names over the cryptographic libraries;
//! - [`object`]: what the HSM holds; [`mechanism`]: what it can do; [`store`]: where it keeps it;
//! - [`module`]: the HSM itself (users, logins, policy, keys), the trust boundary;
//! - [`cryptoki`]: library, slots, sessions, handles, the operation in progress;
//! - `abi`: pointers in, `CK_RV` out.

#[cfg(not(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("cloudhsm-pkcs11 is built for Linux with glibc on x86-64 and aarch64 only");

mod abi;
pub mod ck;
pub mod codec;
pub mod config;
pub mod crypto;
pub mod cryptoki;
#[cfg(test)]
mod docs;
pub mod error;
pub mod exchange;
pub mod injection;
pub mod log;
pub mod mechanism;
pub mod module;
pub mod object;
pub mod platform;
pub mod secret;
pub mod store;
