//! Making keys: CKM_AES_KEY_GEN, CKM_GENERIC_SECRET_KEY_GEN, the RSA and EC pair generators.
//!
//! A generator gets the attributes that the rules have accepted and adds those that only the new key knows. A new
//! pair is tested before it is given out, so that a fault in the mathematics never leaves the HSM as a key.

use super::{GenerateKey, GeneratePair, Serves};
use crate::ck::{self, CK_ULONG};
use crate::config::Mode;
use crate::crypto::{ec, ec_material, random, rsa};
use crate::error::{Error, Result};
use crate::object::KeyMaterial;
use crate::object::attributes::Draft;
use crate::object::import::trim;
use crate::object::key::{EcPrivateKey, RsaPrivateKey, SecretKey};
use crate::secret::Secret;

/// The longest generic secret of CloudHSM, in bytes.
const LONGEST_SECRET: CK_ULONG = 800;

/// CKM_AES_KEY_GEN.
pub(super) const fn aes() -> Serves {
    Serves {
        generate: Some(GenerateKey {
            key_type: ck::CKK_AES,
            make: |draft| secret(draft, |n| matches!(n, 16 | 24 | 32)),
        }),
        ..Serves::NOTHING
    }
}

/// CKM_GENERIC_SECRET_KEY_GEN.
pub(super) const fn generic() -> Serves {
    Serves {
        generate: Some(GenerateKey {
            key_type: ck::CKK_GENERIC_SECRET,
            make: |draft| secret(draft, |n| (1..=LONGEST_SECRET).contains(&n)),
        }),
        ..Serves::NOTHING
    }
}

/// CKM_RSA_PKCS_KEY_PAIR_GEN.
pub(super) const fn rsa_pair() -> Serves {
    Serves { generate_pair: Some(GeneratePair { key_type: ck::CKK_RSA, make: make_rsa }), ..Serves::NOTHING }
}

/// CKM_EC_KEY_PAIR_GEN.
pub(super) const fn ec_pair() -> Serves {
    Serves { generate_pair: Some(GeneratePair { key_type: ck::CKK_EC, make: make_ec }), ..Serves::NOTHING }
}

fn secret(draft: &Draft, allowed: impl Fn(CK_ULONG) -> bool) -> Result<KeyMaterial> {
    let length = draft
        .number(ck::CKA_VALUE_LEN)
        .ok_or(Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "CKA_VALUE_LEN must be given"))?;
    if !allowed(length) {
        return Err(Error::with(
            ck::CKR_ATTRIBUTE_VALUE_INVALID,
            format!("CKA_VALUE_LEN cannot be {length} for this key"),
        ));
    }
    let length = usize::try_from(length).map_err(|_| Error::internal("a length that was checked"))?;
    Ok(KeyMaterial::Secret(SecretKey::new(Secret::made(length, random::fill)?)))
}

fn make_rsa(public: &mut Draft, private: &mut Draft, mode: &Mode) -> Result<(KeyMaterial, KeyMaterial)> {
    let bits = public
        .number(ck::CKA_MODULUS_BITS)
        .and_then(|bits| u32::try_from(bits).ok())
        .ok_or(Error::new(ck::CKR_ATTRIBUTE_VALUE_INVALID, "CKA_MODULUS_BITS is no size of a modulus"))?;
    let exponent = trim(public.get(ck::CKA_PUBLIC_EXPONENT).unwrap_or(&[1, 0, 1])).to_vec();
    let components = rsa::PrivateKey::generate(bits, &exponent, mode.approved_pairs)?;
    for draft in [&mut *public, &mut *private] {
        draft.set(ck::CKA_MODULUS, components.modulus.as_slice());
        draft.set(ck::CKA_PUBLIC_EXPONENT, components.public_exponent.as_slice());
    }
    let key = rsa::PublicKey::from_components(&components.modulus, &components.public_exponent)?;
    let private_key = RsaPrivateKey::new(components);
    if mode.approved_pairs {
        private_key.prepared()?.check_pair_by_signature()?;
    } else {
        private_key.prepared()?.check_pair_cheap()?;
    }
    Ok((KeyMaterial::RsaPublic(key), KeyMaterial::RsaPrivate(private_key)))
}

fn make_ec(public: &mut Draft, private: &mut Draft, mode: &Mode) -> Result<(KeyMaterial, KeyMaterial)> {
    let parameters =
        public.get(ck::CKA_EC_PARAMS).ok_or(Error::new(ck::CKR_TEMPLATE_INCOMPLETE, "CKA_EC_PARAMS must be given"))?;
    let curve = ec::Curve::from_parameters(parameters)
        .ok_or(Error::new(ck::CKR_CURVE_NOT_SUPPORTED, "CKA_EC_PARAMS names no curve that is served"))?;
    let key = ec::PrivateKey::generate(curve)?;
    if mode.approved_pairs {
        key.check_pair_by_signature()?;
    } else {
        key.check_pair_cheap()?;
    }
    let point = key.point();
    public.set(ck::CKA_EC_PARAMS, curve.parameters());
    public.set(ck::CKA_EC_POINT, ec_material::encode_point(&point));
    private.set(ck::CKA_EC_PARAMS, curve.parameters());
    let public_key = ec::PublicKey::from_point(curve, &point)?;
    Ok((KeyMaterial::EcPublic(public_key), KeyMaterial::EcPrivate(EcPrivateKey::from_prepared(key)?)))
}
