//! Making keys: CKM_AES_KEY_GEN, CKM_GENERIC_SECRET_KEY_GEN, the RSA and EC pair generators.
//!
//! A generator gets the attributes that the rules have accepted and adds those that only the new key knows. A new
//! pair is tested before it is given out, so that a fault in the mathematics never leaves the HSM as a key.

use base::ck::{self, CK_KEY_TYPE, vendor};
use base::error::{Error, Result};
use base::injection;
use base::secret::Secret;
use crypto::self_test::{self, Family};
use crypto::{des, ec, ec_material, ed25519, ml_dsa, random, rsa};

use super::{GenerateKey, GeneratePair, MakePair, Serves};
use crate::config::Mode;
use crate::object::KeyMaterial;
use crate::object::attributes::Draft;
use crate::object::form::{self, Lengths};
use crate::object::import::{drafted_parameter_set, set_edwards_point, trim};
use crate::object::key::{EcPrivateKey, MlDsaPrivateKey, RsaPrivateKey, SecretKey};

/// CKM_AES_KEY_GEN.
pub(super) const fn aes() -> Serves {
    Serves {
        generate: Some(GenerateKey { key_type: ck::CKK_AES, make: |draft| secret(draft, form::AES) }),
        ..Serves::NOTHING
    }
}

/// CKM_DES3_KEY_GEN.
pub(super) const fn des3() -> Serves {
    Serves { generate: Some(GenerateKey { key_type: ck::CKK_DES3, make: make_des3 }), ..Serves::NOTHING }
}

/// CKM_GENERIC_SECRET_KEY_GEN.
pub(super) const fn generic() -> Serves {
    Serves {
        generate: Some(GenerateKey { key_type: ck::CKK_GENERIC_SECRET, make: |draft| secret(draft, form::GENERIC) }),
        ..Serves::NOTHING
    }
}

/// CKM_RSA_PKCS_KEY_PAIR_GEN.
pub(super) const fn rsa_pair() -> Serves {
    let make: MakePair = |public, private, mode| make_rsa(public, private, mode, mode.approved_pairs);
    Serves { generate_pair: Some(GeneratePair { key_type: ck::CKK_RSA, make }), ..Serves::NOTHING }
}

/// CKM_RSA_X9_31_KEY_PAIR_GEN.
pub(super) const fn strong_rsa_pair() -> Serves {
    let make: MakePair = |public, private, mode| make_rsa(public, private, mode, true);
    Serves { generate_pair: Some(GeneratePair { key_type: ck::CKK_RSA, make }), ..Serves::NOTHING }
}

/// CKM_EC_KEY_PAIR_GEN.
pub(super) const fn ec_pair() -> Serves {
    Serves { generate_pair: Some(GeneratePair { key_type: ck::CKK_EC, make: make_ec }), ..Serves::NOTHING }
}

fn secret(draft: &Draft, lengths: Lengths) -> Result<KeyMaterial> {
    let length = lengths.wanted(draft)?;
    Ok(KeyMaterial::Secret(SecretKey::new(Secret::made(length, random::fill)?)))
}

/// Three keys of odd parity, no two neighbours of which undo each other (SP 800-67 section 3.3).
fn make_des3(draft: &mut Draft) -> Result<KeyMaterial> {
    let length = form::DES3.wanted(draft)?;
    loop {
        let mut value = Secret::made(length, random::fill)?;
        des::set_odd_parity(value.expose_mut());
        if !des::degenerates(value.expose()) {
            return Ok(KeyMaterial::Secret(SecretKey::new(value)));
        }
    }
}

/// The pairwise test of a new pair, before anything of it leaves: in FIPS mode a signature is made and verified, else the halves
/// are compared. Before it the self-test of its family, if this is the first pair of the process.
fn check_pair(
    family: Family,
    mode: &Mode,
    by_signature: impl FnOnce() -> Result<()>,
    cheaply: impl FnOnce() -> Result<()>,
) -> Result<()> {
    self_test::ready(family)?;
    let outcome = if mode.approved_pairs { by_signature() } else { cheaply() };
    match outcome {
        Ok(()) if !injection::hits("pairwise", family.name()) => Ok(()),
        _ => Err(self_test::pair_failed(family.name())),
    }
}

fn make_rsa(public: &mut Draft, private: &mut Draft, mode: &Mode, strong: bool) -> Result<(KeyMaterial, KeyMaterial)> {
    let bits = public
        .number(ck::CKA_MODULUS_BITS)
        .and_then(|bits| u32::try_from(bits).ok())
        .ok_or(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "CKA_MODULUS_BITS is no size of a modulus"))?;
    let exponent = trim(public.get(ck::CKA_PUBLIC_EXPONENT).unwrap_or(&[1, 0, 1])).to_vec();
    let components = rsa::PrivateKey::generate(bits, &exponent, strong)?;
    for draft in [&mut *public, &mut *private] {
        draft.set(ck::CKA_MODULUS, components.modulus.as_slice());
        draft.set(ck::CKA_PUBLIC_EXPONENT, components.public_exponent.as_slice());
    }
    let key = rsa::PublicKey::from_components(&components.modulus, &components.public_exponent)?;
    let private_key = RsaPrivateKey::new(components);
    let prepared = private_key.prepared()?;
    check_pair(Family::Rsa, mode, || prepared.check_pair_by_signature(), || prepared.check_pair_cheap())?;
    Ok((KeyMaterial::RsaPublic(key), KeyMaterial::RsaPrivate(private_key)))
}

/// CKM_EC_EDWARDS_KEY_PAIR_GEN.
pub(super) const fn edwards_pair() -> Serves {
    Serves { generate_pair: Some(GeneratePair { key_type: ck::CKK_EC_EDWARDS, make: make_edwards }), ..Serves::NOTHING }
}

/// CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN and CKM_ML_DSA_KEY_PAIR_GEN.
pub(super) const fn ml_dsa_pair(key_type: CK_KEY_TYPE) -> Serves {
    Serves { generate_pair: Some(GeneratePair { key_type, make: make_ml_dsa }), ..Serves::NOTHING }
}

const NO_PARAMETERS: Error = Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "CKA_EC_PARAMS must be given");

fn make_edwards(public: &mut Draft, private: &mut Draft, mode: &Mode) -> Result<(KeyMaterial, KeyMaterial)> {
    let parameters = public.get(ck::CKA_EC_PARAMS).ok_or(NO_PARAMETERS)?;
    if !ed25519::is_parameters(parameters) {
        return Err(ec::no_curve(parameters));
    }
    let key = ed25519::PrivateKey::generate()?;
    check_pair(Family::Ed25519, mode, || key.check_pair_by_signature(), || key.check_pair_cheap())?;
    private.set(ck::CKA_EC_PARAMS, parameters);
    set_edwards_point(public, key.public());
    let public_key = ed25519::PublicKey::from_bytes(key.public())?;
    Ok((KeyMaterial::EdwardsPublic(public_key), KeyMaterial::EdwardsPrivate(key)))
}

/// One template names the parameter set, or both do and agree.
fn make_ml_dsa(public: &mut Draft, private: &mut Draft, mode: &Mode) -> Result<(KeyMaterial, KeyMaterial)> {
    for attribute in [ck::CKA_PARAMETER_SET, vendor::CKA_CLOUDHSM_PARAMETER_SET] {
        match (public.number(attribute), private.number(attribute)) {
            (Some(one), Some(other)) if one != other => {
                return Err(Error::new(ck::CKR_TEMPLATE_INCONSISTENT, "the templates name two parameter sets"));
            }
            (Some(one), None) => private.set_number(attribute, one),
            (None, Some(other)) => public.set_number(attribute, other),
            _ => {}
        }
    }
    let key = ml_dsa::PrivateKey::generate(drafted_parameter_set(public)?)?;
    check_pair(Family::MlDsa, mode, || key.check_pair_by_signature(), || key.check_pair_cheap())?;
    let value = key.public()?;
    let public_key = ml_dsa::PublicKey::from_bytes(key.parameter_set(), &value)?;
    public.set(ck::CKA_VALUE, value);
    Ok((KeyMaterial::MlDsaPublic(public_key), KeyMaterial::MlDsaPrivate(MlDsaPrivateKey::from_prepared(key)?)))
}

fn make_ec(public: &mut Draft, private: &mut Draft, mode: &Mode) -> Result<(KeyMaterial, KeyMaterial)> {
    let parameters = public.get(ck::CKA_EC_PARAMS).ok_or(NO_PARAMETERS)?;
    // CloudHSM makes Ed25519 keys by this mechanism too.
    if ed25519::is_parameters(parameters) {
        return make_edwards(public, private, mode);
    }
    let curve = ec::Curve::from_parameters(parameters).ok_or_else(|| ec::no_curve(parameters))?;
    let key = ec::PrivateKey::generate(curve)?;
    check_pair(Family::Ec, mode, || key.check_pair_by_signature(), || key.check_pair_cheap())?;
    let point = key.point();
    public.set(ck::CKA_EC_PARAMS, curve.parameters());
    public.set(ck::CKA_EC_POINT, ec_material::encode_point(&point));
    private.set(ck::CKA_EC_PARAMS, curve.parameters());
    let public_key = ec::PublicKey::from_point(curve, &point)?;
    Ok((KeyMaterial::EcPublic(public_key), KeyMaterial::EcPrivate(EcPrivateKey::from_prepared(key)?)))
}
