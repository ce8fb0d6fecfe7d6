//! `libcloudhsm_pkcs11.so`: a PKCS#11 library that behaves as an AWS CloudHSM does.
//!
//! Two layers over the crate `hsm`, which is the HSM itself (ARCHITECTURE.md has the picture):
//!
//! - [`cryptoki`]: library, slots, sessions, handles, the operation in progress;
//! - `abi`: pointers in, `CK_RV` out.

#[cfg(not(all(target_os = "linux", target_env = "gnu", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("cloudhsm-pkcs11 is built for Linux with glibc on x86-64 and aarch64 only");

mod abi;
pub mod cryptoki;
