//! Cryptography: our names over the cryptographic libraries.
//!
//! Nothing here knows of objects, mechanisms or sessions: a function takes bytes and a prepared key and gives bytes or
//! one [`Error`](base::error::Error). Which library does what was decided by measurement (ARCHITECTURE.md,
//! "Cryptography"): AWS-LC for all asymmetric keys and most modes of AES, RustCrypto for digests, HMAC and AES-ECB.
//!
//! Rules of the layer:
//! - A key is prepared once ([`aes::AesKey`], [`gcm::GcmKey`], [`hmac::HmacKey`]) and used by reference, so that no
//!   operation parses or expands it again.
//! - A one-shot operation allocates nothing and makes no system call; where one must, its documentation says so.
//! - Everything that holds key material zeroes it when dropped.
//! - Calls into C stand in `ffi` alone, each behind one safe function.

mod algorithm;
mod ffi;
mod rsa_rejection;

pub mod aes;
pub mod cmac;
pub mod counter_kdf;
pub mod ctr;
pub mod des;
pub mod digest;
pub mod ec;
pub mod ec_material;
pub mod ed25519;
pub mod gcm;
pub mod hmac;
pub mod kdf;
pub mod key_file;
pub mod key_wrap;
pub mod ml_dsa;
pub mod pad;
pub mod pem;
pub mod random;
pub mod rsa;
pub mod rsa_material;
pub mod seal;
pub mod self_test;
pub mod x509;
pub mod x963;

#[cfg(test)]
mod testing;
