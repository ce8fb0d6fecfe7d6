//! The only `unsafe` of the layer: one safe function per function of C that the safe crates lack.

pub(super) mod aead;
pub(super) mod aes;
pub(super) mod cipher;
pub(super) mod memory;
pub(super) mod random;
