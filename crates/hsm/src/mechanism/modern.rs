//! Signatures that hash inside: Ed25519 (RFC 8032) and ML-DSA (FIPS 204), in the standard's forms and CloudHSM's (PKCS#11 3.2
//! sections 6.3.16 and 6.67; User Guide, pkcs11-mechanisms).

use base::error::{Error, Result};
use crypto::digest::{Digest, Hash};
use crypto::ed25519::{self, Variant};
use crypto::ml_dsa::{MU_LENGTH, Representative};

use super::asymmetric::{SINGLE_PART, finished};
use super::operation::NO_PARTS;
use super::parameter::{Eddsa, EddsaInput};
use super::{Accumulator, Parameter, Serves, Signing, Work};
use crate::object::KeyMaterial;

/// CKM_CLOUDHSM_EDDSA: in parts only Ed25519ph, whose message is hashed first (User Guide, pkcs11-mechanisms).
pub(super) const fn cloudhsm_eddsa() -> Serves {
    Serves {
        sign: Some(Signing { start: |work| if hashes_first(work) { Ok(hashing()) } else { Err(NO_PARTS) }, ..EDDSA }),
        ..Serves::NOTHING
    }
}

/// CKM_EDDSA: in parts too, for which the message of Ed25519 and Ed25519ctx is kept (PKCS#11 3.2 section 6.3.16).
pub(super) const fn eddsa() -> Serves {
    Serves {
        sign: Some(Signing {
            start: |work| Ok(if hashes_first(work) { hashing() } else { Accumulator::Message(Vec::new()) }),
            ..EDDSA
        }),
        ..Serves::NOTHING
    }
}

const fn hashes_first(work: &Work<'_>) -> bool {
    matches!(work.parameter, Parameter::Eddsa(Eddsa { input: EddsaInput::Hashed, .. }))
}

fn hashing() -> Accumulator {
    Accumulator::Digest(Digest::new(Hash::Sha512))
}

const EDDSA: Signing = Signing {
    length: |_| Ok(ed25519::SIGNATURE_LENGTH),
    sign: |work, data, out| match work.parameter {
        Parameter::Eddsa(Eddsa { input: EddsaInput::Digest, context }) => {
            work.key.edwards_private()?.sign_digest(context, data, out)
        }
        _ => work.key.edwards_private()?.sign(variant(work), data, out),
    },
    verify: |work, data, signature| match work.parameter {
        Parameter::Eddsa(Eddsa { input: EddsaInput::Digest, context }) => {
            work.key.edwards_public()?.verify_digest(context, data, signature)
        }
        _ => work.key.edwards_public()?.verify(variant(work), data, signature),
    },
    sign_end: |work, state, out| match state {
        Accumulator::Message(message) => work.key.edwards_private()?.sign(variant(work), &message, out),
        state => {
            let mut digest = [0; 64];
            work.key.edwards_private()?.sign_digest(context(work), finished(state, &mut digest)?, out)
        }
    },
    verify_end: |work, state, signature| match state {
        Accumulator::Message(message) => work.key.edwards_public()?.verify(variant(work), &message, signature),
        state => {
            let mut digest = [0; 64];
            work.key.edwards_public()?.verify_digest(context(work), finished(state, &mut digest)?, signature)
        }
    },
    ..SINGLE_PART
};

/// CKM_ML_DSA and CKM_CLOUDHSM_ML_DSA.
pub(super) const fn ml_dsa() -> Serves {
    Serves {
        sign: Some(Signing {
            sign: |work, data, out| work.key.ml_dsa_private()?.sign(context(work), data, out),
            verify: |work, data, signature| work.key.ml_dsa_public()?.verify(context(work), data, signature),
            // In parts the message goes into mu, the hash that is signed (FIPS 204 section 6.2).
            start: |work| {
                let mu = match work.key {
                    KeyMaterial::MlDsaPrivate(key) => Representative::new(&key.prepared()?.public()?, context(work))?,
                    other => Representative::new(other.ml_dsa_public()?.bytes(), context(work))?,
                };
                Ok(Accumulator::Representative(mu))
            },
            sign_end: |work, state, out| work.key.ml_dsa_private()?.sign_mu(&representative(state)?, out),
            verify_end: |work, state, signature| {
                work.key.ml_dsa_public()?.verify_mu(&representative(state)?, signature)
            },
            ..ML_DSA
        }),
        ..Serves::NOTHING
    }
}

/// CKM_CLOUDHSM_EXT_MU_ML_DSA: the caller has made mu, the hash of public key, context and message.
pub(super) const fn ml_dsa_of_mu() -> Serves {
    Serves {
        sign: Some(Signing {
            sign: |work, mu, out| work.key.ml_dsa_private()?.sign_mu(mu, out),
            verify: |work, mu, signature| work.key.ml_dsa_public()?.verify_mu(mu, signature),
            ..ML_DSA
        }),
        ..Serves::NOTHING
    }
}

const ML_DSA: Signing = Signing {
    length: |work| match work.key {
        KeyMaterial::MlDsaPrivate(key) => Ok(key.parameter_set().signature_length()),
        other => Ok(other.ml_dsa_public()?.parameter_set().signature_length()),
    },
    ..SINGLE_PART
};

fn variant<'a>(work: &Work<'a>) -> Variant<'a> {
    match work.parameter {
        Parameter::Eddsa(Eddsa { input: EddsaInput::Message, context }) => Variant::Context(context),
        Parameter::Eddsa(Eddsa { context, .. }) => Variant::Prehashed(context),
        _ => Variant::Pure,
    }
}

/// The context of the parameter; without one it is empty.
fn context<'a>(work: &Work<'a>) -> &'a [u8] {
    match work.parameter {
        Parameter::Eddsa(Eddsa { context, .. }) | Parameter::Context(context) => context,
        _ => &[],
    }
}

fn representative(state: Accumulator) -> Result<[u8; MU_LENGTH]> {
    match state {
        Accumulator::Representative(mu) => mu.finish(),
        _ => Err(Error::internal("the state is not that of ML-DSA")),
    }
}
