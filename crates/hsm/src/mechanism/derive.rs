//! Deriving keys: SP 800-108 in counter mode, and ECDH with X9.63's derivation (PKCS#11 3.2 sections 6.42 and 6.3.20).

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
use crypto::{counter_kdf, ec_material, x963};

use super::parameter::{Agreement, Prf};
use super::{Deriving, Parameter, Serves, Use, Work};
use crate::config::Regime;

/// CKM_SP800_108_COUNTER_KDF.
pub(super) const fn counter() -> Serves {
    Serves { derive: Some(Deriving { derive: counter_mode, inherits: true }), ..Serves::NOTHING }
}

/// CKM_ECDH1_DERIVE.
pub(super) const fn agreement() -> Serves {
    Serves { derive: Some(Deriving { derive: agree, inherits: false }), ..Serves::NOTHING }
}

const NO_LENGTH: Error = Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN must be given");

fn counter_mode(work: &Work<'_>, length: Option<usize>) -> Result<Secret> {
    let Parameter::CounterKdf(parameter) = work.parameter else {
        return Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "no SP 800-108 parameter"));
    };
    let key = work.key.secret()?.bytes().expose();
    let mut derived = Secret::zeros(length.ok_or(NO_LENGTH)?).ok_or(NO_MEMORY)?;
    counter_kdf::counter_mode(parameter.prf, key, &parameter.fields, derived.expose_mut())?;
    Ok(derived)
}

const NO_MEMORY: Error = Error::new(ck::CKR_HOST_MEMORY, "no memory for the derived key");

fn agreement_parameter<'a>(work: &Work<'a>) -> Result<&'a Agreement> {
    match work.parameter {
        Parameter::Agreement(agreement) => Ok(agreement),
        _ => Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "no ECDH parameter")),
    }
}

fn agree(work: &Work<'_>, length: Option<usize>) -> Result<Secret> {
    let parameter = agreement_parameter(work)?;
    let key = work.key.ec_private()?;
    // The point is the caller's and may lie on another curve: whatever is wrong with it is wrong with the parameter.
    let bad_point = |_| Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "the peer's public key is no point of the curve");
    let point = ec_material::decode_point(key.curve(), &parameter.point).map_err(bad_point)?;
    let shared = key.agree(point).map_err(bad_point)?;
    match parameter.hash {
        Some(hash) => {
            let mut derived = Secret::zeros(length.ok_or(NO_LENGTH)?).ok_or(NO_MEMORY)?;
            x963::derive(hash, shared.expose(), &parameter.information, derived.expose_mut())?;
            Ok(derived)
        }
        None => slice(&shared, length.unwrap_or(shared.len())),
    }
}

/// The end of the shared secret: "the truncation removes bytes from the leading end" (PKCS#11 3.2 section 6.3.20).
fn slice(shared: &Secret, length: usize) -> Result<Secret> {
    let start = shared.len().checked_sub(length).ok_or_else(|| {
        Error::with(
            ck::CKR_ATTRIBUTE_VALUE_INVALID,
            format!("CKD_NULL gives up to {} bytes here, not {length}", shared.len()),
        )
    })?;
    Ok(Secret::copy(shared.expose().get(start..).unwrap_or_default()))
}

/// AES-CMAC is a function of AES keys alone, HMAC of any.
pub(super) fn prf_takes_key(work: &Work<'_>, _: Use, _: Regime<'_>) -> Result<()> {
    match work.parameter {
        Parameter::CounterKdf(parameter) if parameter.prf == Prf::Cmac && work.key_type != ck::CKK_AES => {
            Err(Error::new(ck::CKR_KEY_TYPE_INCONSISTENT, "AES-CMAC derives from AES keys only"))
        }
        _ => Ok(()),
    }
}

/// In FIPS mode the shared secret itself is nobody's key (SP 800-56A section 5.8).
pub(super) fn no_plain_agreement(work: &Work<'_>, _: Use, regime: Regime<'_>) -> Result<()> {
    if agreement_parameter(work)?.hash.is_none() && !regime.plain_agreement() {
        return Err(Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "CKD_NULL is not allowed in FIPS mode"));
    }
    Ok(())
}
