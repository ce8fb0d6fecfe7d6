//! The only `unsafe` of the layer: one safe function per function of AWS-LC that the safe crates lack.

pub(super) mod aead;
pub(super) mod cipher;
pub(super) mod random;
