//! What a key listing tells of a key beside its attributes: figures that follow from the material.

use base::ck;
use base::error::Result;
use crypto::{ec_material, ed25519, rsa_material};

use super::policy::{self, Command};
use super::{Login, Module};
use crate::object::key_file::{self, KeyFile};
use crate::object::{KeyMaterial, Object, import};

/// Figures of one key, none of them secret.
pub struct Figures {
    /// AWS's `key-length-bytes`: the key itself for a secret key, the PKCS#8 encoding for a private key, the point or
    /// twice the modulus for a public key.
    pub length: usize,
    /// The size of an RSA modulus in bits.
    pub modulus_bits: Option<u64>,
    /// CloudHSM's name of an elliptic curve.
    pub curve: Option<&'static str>,
    /// The parameter set of an ML-DSA key.
    pub parameter_set: Option<&'static str>,
    /// The check value, which the CLI shows of ML-DSA keys too and PKCS#11 does not.
    pub check_value: Option<[u8; 3]>,
    /// The point of an EC key, of either half: 04 || X || Y.
    pub point: Option<Vec<u8>>,
}

fn edwards(figures: &mut Figures, point: &[u8; ed25519::KEY_LENGTH], length: usize) -> usize {
    figures.curve = Some("ed25519");
    figures.point = Some(point.to_vec());
    length
}

impl Module {
    /// Whether two keys that the caller may read are secret ones with the same bytes, compared in constant time; nothing if one of the
    /// two is no secret key.
    ///
    /// # Errors
    /// What the policy refuses.
    pub fn is_same_secret(&self, login: &Login, one: &Object, other: &Object) -> Result<Option<bool>> {
        for key in [one, other] {
            policy::may_with(login, Command::ReadKey, key)?;
        }
        let (Ok(one), Ok(other)) = (one.material.secret(), other.material.secret()) else { return Ok(None) };
        Ok(Some(one.bytes().ct_eq(other.bytes().expose())))
    }

    /// A file of a key that the caller may read: its public half, or a reference to it. It holds no secret.
    ///
    /// # Errors
    /// What the policy refuses; CKR_ARGUMENTS_BAD for a key of another kind than the file is for.
    pub fn key_file(&self, login: &Login, object: &Object, file: KeyFile) -> Result<String> {
        policy::may_with(login, Command::ReadKey, object)?;
        key_file::write(object, file)
    }

    /// The figures of a key that the caller may read.
    ///
    /// # Errors
    /// What the policy refuses; material that cannot be prepared.
    pub fn figures(&self, login: &Login, object: &Object) -> Result<Figures> {
        policy::may_with(login, Command::ReadKey, object)?;
        let mut figures =
            Figures { length: 0, modulus_bits: None, curve: None, parameter_set: None, check_value: None, point: None };
        if let Some(modulus) = object.attributes.get(ck::CKA_MODULUS) {
            let zeros = modulus.first().map_or(0, |byte| byte.leading_zeros());
            figures.modulus_bits = Some((modulus.len() as u64 * 8).saturating_sub(u64::from(zeros)));
        }
        figures.length = match &object.material {
            KeyMaterial::None => 0,
            KeyMaterial::Secret(key) => key.bytes().len(),
            KeyMaterial::RsaPublic(_) => object.attributes.get(ck::CKA_MODULUS).map_or(0, |modulus| 2 * modulus.len()),
            KeyMaterial::RsaPrivate(key) => rsa_material::encode_pkcs8(key.components())?.len(),
            KeyMaterial::EcPublic(key) => {
                let point = key.point();
                figures.curve = Some(key.curve().name());
                let length = point.len();
                figures.point = Some(point);
                length
            }
            KeyMaterial::EcPrivate(key) => {
                let prepared = key.prepared()?;
                figures.curve = Some(key.curve().name());
                figures.point = Some(prepared.point());
                ec_material::encode_pkcs8(prepared)?.len()
            }
            // The lengths that AWS's own output has: the public key, and the expanded private one.
            KeyMaterial::EdwardsPublic(key) => edwards(&mut figures, key.bytes(), ed25519::KEY_LENGTH),
            KeyMaterial::EdwardsPrivate(key) => edwards(&mut figures, key.public(), ed25519::to_pkcs8(key)?.len()),
            KeyMaterial::MlDsaPublic(key) => {
                figures.parameter_set = Some(key.parameter_set().name());
                key.bytes().len()
            }
            KeyMaterial::MlDsaPrivate(key) => {
                figures.parameter_set = Some(key.parameter_set().name());
                key.parameter_set().private_length()
            }
        };
        if figures.parameter_set.is_some() {
            figures.check_value = import::check_value(&object.attributes.edit(), &object.material)?;
        }
        Ok(figures)
    }
}
