//! By which rules a process works: its dialect, and what FIPS mode changes, each a row of a table.
//!
//! Nobody outside the tables asks for the profile or for FIPS mode: a table is asked with a [`Regime`], anything else
//! asks the [`Dialect`] or the [`Mode`] for the one thing that it needs.

use super::{Dialect, Profile};

/// What holds in one process.
#[derive(Clone, Copy)]
pub struct Regime<'a> {
    /// The dialect.
    pub dialect: &'a Dialect,
    /// What FIPS mode changes.
    pub mode: &'static Mode,
}

/// What FIPS mode changes.
pub struct Mode {
    /// The column of the mechanism table. Only the table reads it.
    pub approved_only: bool,
    /// New pairs are made as FIPS 186-5 has it and tested by a signature; otherwise by the relation of their halves.
    pub approved_pairs: bool,
    /// PINs become keys by PBKDF2, since Argon2 is not approved.
    pub approved_pins: bool,
    /// Keys on the curve edwards25519 can be made and imported.
    pub edwards: bool,
    /// Triple-DES keys can be derived; that they are generated, the mechanism table knows.
    pub new_triple_des: bool,
    /// ECDSA signs with a digest that is weaker than its curve.
    pub weak_digests: bool,
    /// ECDH gives out the shared secret itself (CKD_NULL).
    pub plain_agreement: bool,
    /// What `cluster hsm-info` tells.
    pub fips_state: &'static str,
}

/// One row for each mode: not FIPS, FIPS.
static MODES: [Mode; 2] = [
    Mode {
        approved_only: false,
        approved_pairs: false,
        approved_pins: false,
        edwards: true,
        new_triple_des: true,
        weak_digests: true,
        plain_agreement: true,
        fips_state: "0 [non-FIPS mode with single factor authentication]",
    },
    Mode {
        approved_only: true,
        approved_pairs: true,
        approved_pins: true,
        edwards: false,
        new_triple_des: false,
        weak_digests: false,
        plain_agreement: false,
        fips_state: "2 [FIPS mode with single factor authentication]",
    },
];

impl Mode {
    /// The mode of an HSM with or without FIPS mode.
    #[must_use]
    pub fn of(fips: bool) -> &'static Self {
        let [free, approved] = &MODES;
        if fips { approved } else { free }
    }
}

impl Regime<'static> {
    /// The rules of a profile without any switch.
    #[must_use]
    pub fn of(profile: Profile, fips: bool) -> Self {
        Self { dialect: profile.dialect(), mode: Mode::of(fips) }
    }
}

impl Regime<'_> {
    /// Whether an ECDSA digest weaker than the curve is signed and verified.
    #[must_use]
    pub const fn weak_digests(self) -> bool {
        self.mode.weak_digests || self.dialect.ecdsa_with_weak_hash
    }

    /// Whether ECDH gives out the shared secret itself (CKD_NULL).
    #[must_use]
    pub const fn plain_agreement(self) -> bool {
        self.mode.plain_agreement || self.dialect.ecdh_without_kdf
    }
}
