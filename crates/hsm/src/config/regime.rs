//! By which rules a process works: its dialect, and what FIPS mode and secure mode change, each a row of a table.
//!
//! Nobody outside the tables asks for the profile, for FIPS mode or for secure mode: a table is asked with a [`Regime`],
//! anything else asks the [`Dialect`], the [`Mode`] or the [`Safeguards`] for the one thing that it needs.

use super::{Dialect, Profile};

/// What holds in one process.
#[derive(Clone, Copy)]
pub struct Regime<'a> {
    /// The dialect.
    pub dialect: &'a Dialect,
    /// What FIPS mode changes.
    pub mode: &'static Mode,
    /// What secure mode changes.
    pub safeguards: &'static Safeguards,
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

/// What secure mode changes: the rules against sequences of calls each of which is allowed and that together give a key
/// away. They are those of Bortolozzo et al. 2010 and of Focardi and Luccio 2021 (SECURITY.md tells them and their cost).
pub struct Safeguards {
    /// The column of the mechanism table. Only the table reads it.
    pub strong_forms_only: bool,
    /// An officer trusts generated keys alone that never leave and only wrap and unwrap; no other wraps as trusted.
    pub trusts_transport_keys_only: bool,
    /// A key either wraps and unwraps or does anything else. What it may do is fixed when it is made, and only a
    /// generated key wraps and unwraps.
    pub transport_apart: bool,
    /// A secret key either has others derived from it, and then stays, or does anything else; what is unwrapped or derived
    /// has none derived from it.
    pub derivation_apart: bool,
    /// What SP 800-108 derives is as sensitive and as little extractable as its base key, whatever the template says.
    pub derived_as_base: bool,
    /// What is unwrapped is sensitive and stays, unless CKA_UNWRAP_TEMPLATE says otherwise.
    pub unwrapped_stays: bool,
    /// Every secret or private key leaves under a trusted key only.
    pub leaves_under_trusted_only: bool,
    /// A key is wrapped by no weaker one.
    pub strength_kept: bool,
    /// The IV of AES-GCM may be the caller's.
    pub callers_iv: bool,
    /// SHA-1 serves in OAEP when a key is wrapped.
    pub wraps_with_sha1: bool,
    /// The shortest tag of AES-GCM, in bytes.
    pub shortest_tag: usize,
    /// The least public exponent of an RSA key, whatever the dialect says.
    pub least_public_exponent: u64,
}

/// One row for each: not secure mode, secure mode.
static SAFEGUARDS: [Safeguards; 2] = [
    Safeguards {
        strong_forms_only: false,
        trusts_transport_keys_only: false,
        transport_apart: false,
        derivation_apart: false,
        derived_as_base: false,
        unwrapped_stays: false,
        leaves_under_trusted_only: false,
        strength_kept: false,
        callers_iv: true,
        wraps_with_sha1: true,
        shortest_tag: 0,
        least_public_exponent: 0,
    },
    Safeguards {
        strong_forms_only: true,
        trusts_transport_keys_only: true,
        transport_apart: true,
        derivation_apart: true,
        derived_as_base: true,
        unwrapped_stays: true,
        leaves_under_trusted_only: true,
        strength_kept: true,
        callers_iv: false,
        wraps_with_sha1: false,
        shortest_tag: 12,
        least_public_exponent: 65_537,
    },
];

impl Safeguards {
    /// Those of an HSM with or without secure mode.
    #[must_use]
    pub fn of(secure: bool) -> &'static Self {
        let [none, all] = &SAFEGUARDS;
        if secure { all } else { none }
    }
}

impl Mode {
    /// The mode of an HSM with or without FIPS mode.
    #[must_use]
    pub fn of(fips: bool) -> &'static Self {
        let [free, approved] = &MODES;
        if fips { approved } else { free }
    }
}

impl Regime<'static> {
    /// The rules of a profile without any switch, outside secure mode.
    #[must_use]
    pub fn of(profile: Profile, fips: bool) -> Self {
        Self { dialect: profile.dialect(), mode: Mode::of(fips), safeguards: Safeguards::of(false) }
    }

    /// The same rules in secure mode.
    #[must_use]
    pub fn secured(self) -> Self {
        Self { safeguards: Safeguards::of(true), ..self }
    }
}

impl Regime<'_> {
    /// Whether an ECDSA digest weaker than the curve is signed and verified.
    #[must_use]
    pub const fn weak_digests(self) -> bool {
        self.mode.weak_digests || self.dialect.ecdsa_with_weak_hash
    }

    /// The least public exponent of an RSA key.
    #[must_use]
    pub fn least_public_exponent(self) -> u64 {
        self.dialect.least_public_exponent.max(self.safeguards.least_public_exponent)
    }

    /// Whether ECDH gives out the shared secret itself (CKD_NULL).
    #[must_use]
    pub const fn plain_agreement(self) -> bool {
        self.mode.plain_agreement || self.dialect.ecdh_without_kdf
    }
}
