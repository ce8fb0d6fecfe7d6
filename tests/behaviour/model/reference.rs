//! The reference: what a key is and whose, as the standard and AWS's rules make it, and what must hold of every answer.
//!
//! The invariants are those that the literature on API attacks asks for: I1 the bytes of a key that may not leave are in no
//! output; I2 a key with WRAP_WITH_TRUSTED leaves only under a trusted one; I3 TRUSTED is an officer's to set; I4 SENSITIVE and
//! WRAP_WITH_TRUSTED only rise, EXTRACTABLE only falls, and the history is the HSM's; I5 what is derived leaves
//! under a trusted key only if its base does, is protected as its base where its template says nothing (PKCS#11 3.2 section 6.42), and
//! is not short; I6 nothing goes on after the login that allowed it.

use crate::support::*;

/// What protects a key, and what is said of its past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Protection {
    pub(super) sensitive: bool,
    pub(super) extractable: bool,
    pub(super) wrap_with_trusted: bool,
    pub(super) trusted: bool,
    /// LOCAL, ALWAYS_SENSITIVE, NEVER_EXTRACTABLE.
    pub(super) history: [bool; 3],
}

/// How a key came to be, which decides its history (PKCS#11 3.2 sections 4.10 and 4.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    Generated,
    Imported,
    /// From a key of this protection, with this LOCAL.
    Derived(Protection, bool),
}

impl Protection {
    /// What a new key is whose template says this of SENSITIVE, EXTRACTABLE and WRAP_WITH_TRUSTED. `silent` is what the HSM
    /// has made of SENSITIVE and WRAP_WITH_TRUSTED where they were not given.
    pub(super) fn of_new(origin: Origin, flags: [Option<bool>; 3], silent: [bool; 2]) -> Self {
        let (sensitive, extractable) = (flags[0].unwrap_or(silent[0]), flags[1].unwrap_or_default());
        let wrap_with_trusted = flags[2].unwrap_or(silent[1]);
        let history = match origin {
            Origin::Generated => [true, sensitive, !extractable],
            Origin::Imported => [false; 3],
            // Section 6.3: from its base's past and its own flags.
            Origin::Derived(base, local) => [local, base.history[1] && sensitive, base.history[2] && !extractable],
        };
        Self { sensitive, extractable, wrap_with_trusted, trusted: false, history }
    }

    /// What the HSM says of a key.
    pub(super) fn read(session: Session, key: CK_OBJECT_HANDLE) -> Answer<Self> {
        let flag = |id| session.flag(key, id);
        Ok(Self {
            sensitive: flag(CKA_SENSITIVE)?,
            extractable: flag(CKA_EXTRACTABLE)?,
            wrap_with_trusted: flag(CKA_WRAP_WITH_TRUSTED)?,
            trusted: flag(CKA_TRUSTED)?,
            history: [flag(CKA_LOCAL)?, flag(CKA_ALWAYS_SENSITIVE)?, flag(CKA_NEVER_EXTRACTABLE)?],
        })
    }

    /// I4 for one step: whether a key may go from this to that.
    pub(super) fn may_become(&self, after: &Self) -> bool {
        after.sensitive >= self.sensitive
            && after.extractable <= self.extractable
            && after.wrap_with_trusted >= self.wrap_with_trusted
            && after.history == self.history
    }

    /// I5: whether a key with this protection may be the child of one with that. `flags` is what its template says of
    /// SENSITIVE, EXTRACTABLE and WRAP_WITH_TRUSTED.
    pub(super) fn protects_as(&self, base: &Self, flags: [Option<bool>; 3]) -> bool {
        (flags[0].is_some() || self.sensitive >= base.sensitive)
            && (flags[1].is_some() || self.extractable <= base.extractable)
            && self.wrap_with_trusted >= base.wrap_with_trusted
    }

    /// Whether the value may be read in the clear.
    pub(super) const fn may_be_read(&self) -> bool {
        !self.sensitive && self.extractable && !self.wrap_with_trusted
    }

    /// I1: whether the value must be in no output at all, in the clear or under whatever key.
    pub(super) const fn never_leaves(&self) -> bool {
        !self.extractable
    }
}

/// A key as the reference knows it.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) handle: CK_OBJECT_HANDLE,
    /// The session that it dies with; none for a token key.
    pub(super) session: Option<Session>,
    pub(super) owner: usize,
    pub(super) label: String,
    pub(super) protection: Protection,
    /// The uses: SIGN, WRAP, UNWRAP, DERIVE, ENCRYPT, DECRYPT.
    pub(super) uses: [bool; 6],
    pub(super) generic: bool,
    /// Its value, where the walk has chosen it.
    pub(super) value: Option<[u8; 32]>,
}

pub(super) const USES: [CK_ATTRIBUTE_TYPE; 6] = [CKA_SIGN, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE, CKA_ENCRYPT, CKA_DECRYPT];
pub(super) const SIGN: usize = 0;
pub(super) const WRAP: usize = 1;
pub(super) const UNWRAP: usize = 2;
pub(super) const DERIVE: usize = 3;
pub(super) const ENCRYPT: usize = 4;
pub(super) const DECRYPT: usize = 5;

/// Values that must be in no output: those of keys that were never extractable since the walk gave them to the HSM.
#[derive(Default)]
pub(super) struct Secrets(Vec<[u8; 32]>);

impl Secrets {
    pub(super) fn add(&mut self, value: [u8; 32]) {
        self.0.push(value);
        // The last hundred: a walk of a million calls makes very many.
        if self.0.len() > 100 {
            self.0.remove(0);
        }
    }

    /// I1: no part of eight bytes of any of them is in what the HSM gave out.
    pub(super) fn check(&self, output: &[u8]) {
        for part in output.windows(8) {
            for secret in &self.0 {
                if secret.chunks_exact(8).any(|own| own == part) {
                    panic!("I1: the value of a key that may not leave is in an output");
                }
            }
        }
    }
}
