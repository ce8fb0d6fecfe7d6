//! AES-CMAC (SP 800-38B, RFC 4493), always the full 16 bytes; who wants fewer takes the front.

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::common::InnerInit as _;
use cmac::Mac as _;
use cmac::digest::FixedOutput as _;

use super::aes::{AesKey, BLOCK, Schedule, with};

impl AesKey {
    /// The CMAC of `data`, computed from the key where it is.
    #[must_use]
    pub fn cmac(&self, data: &[u8]) -> [u8; BLOCK] {
        with!(self, cipher => {
            let mut state = cmac::Cmac::inner_init(cipher);
            state.update(data);
            state.finalize_fixed().into()
        })
    }
}

/// A CMAC being computed over data that comes in parts. Holds a copy of the expanded key, since it outlives any borrow
/// of it; zeroed when dropped.
pub struct Cmac(Running);

enum Running {
    Aes128(cmac::Cmac<Aes128>),
    Aes192(cmac::Cmac<Aes192>),
    Aes256(cmac::Cmac<Aes256>),
}

impl Cmac {
    /// An empty message under `key`.
    #[must_use]
    pub fn new(key: &AesKey) -> Self {
        Self(match &key.0 {
            Schedule::Aes128(cipher) => Running::Aes128(cmac::Cmac::inner_init(cipher.clone())),
            Schedule::Aes192(cipher) => Running::Aes192(cmac::Cmac::inner_init(cipher.clone())),
            Schedule::Aes256(cipher) => Running::Aes256(cmac::Cmac::inner_init(cipher.clone())),
        })
    }

    /// Appends `data` to the message.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.0 {
            Running::Aes128(state) => state.update(data),
            Running::Aes192(state) => state.update(data),
            Running::Aes256(state) => state.update(data),
        }
    }

    /// Ends the message: its CMAC.
    #[must_use]
    pub fn finish(self) -> [u8; BLOCK] {
        match self.0 {
            Running::Aes128(state) => state.finalize_fixed().into(),
            Running::Aes192(state) => state.finalize_fixed().into(),
            Running::Aes256(state) => state.finalize_fixed().into(),
        }
    }
}

#[cfg(test)]
#[path = "cmac_tests.rs"]
mod tests;
