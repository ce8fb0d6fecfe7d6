//! An object as the bytes that are sealed into a record, and back.
//!
//! Format 1: attributes (count; number, length, value of each), then the material (a tag and its parts). All
//! numbers little-endian. The bytes are authenticated before they get here, and still every length is checked: a
//! newer library may have written them.

use base::ck;
use base::codec::{MALFORMED, Reader, Writer};
use base::error::Result;
use base::secret::Secret;
use crypto::{ec, ec_material, ed25519, ml_dsa, rsa};

use super::attributes::{Attributes, Draft};
use super::import::parameter_set;
use super::key::{EcPrivateKey, KeyMaterial, MlDsaPrivateKey, RsaPrivateKey, SecretKey};

const FORMAT: u8 = 1;

/// The tags of the material's kinds.
mod tag {
    pub(super) const NONE: u8 = 0;
    pub(super) const SECRET: u8 = 1;
    pub(super) const RSA_PUBLIC: u8 = 2;
    pub(super) const RSA_PRIVATE: u8 = 3;
    pub(super) const EC_PUBLIC: u8 = 4;
    pub(super) const EC_PRIVATE: u8 = 5;
    pub(super) const EDWARDS_PUBLIC: u8 = 6;
    pub(super) const EDWARDS_PRIVATE: u8 = 7;
    pub(super) const ML_DSA_PUBLIC: u8 = 8;
    pub(super) const ML_DSA_PRIVATE: u8 = 9;
}

/// The bytes of an object, to be sealed at once.
#[must_use]
pub(crate) fn encode(attributes: &Attributes, material: &KeyMaterial) -> Secret {
    let parts: (u8, Vec<&[u8]>) = match material {
        KeyMaterial::None => (tag::NONE, vec![]),
        KeyMaterial::Secret(key) => (tag::SECRET, vec![key.bytes().expose()]),
        // A public key is its attributes.
        KeyMaterial::RsaPublic(_) => (tag::RSA_PUBLIC, vec![]),
        KeyMaterial::EcPublic(_) => (tag::EC_PUBLIC, vec![]),
        KeyMaterial::EdwardsPublic(_) => (tag::EDWARDS_PUBLIC, vec![]),
        KeyMaterial::MlDsaPublic(_) => (tag::ML_DSA_PUBLIC, vec![]),
        KeyMaterial::RsaPrivate(key) => {
            let numbers = key.components();
            let secrets = [
                &numbers.private_exponent,
                &numbers.prime_1,
                &numbers.prime_2,
                &numbers.exponent_1,
                &numbers.exponent_2,
                &numbers.coefficient,
            ];
            (tag::RSA_PRIVATE, secrets.into_iter().map(Secret::expose).collect())
        }
        KeyMaterial::EcPrivate(key) => (tag::EC_PRIVATE, vec![key.scalar().expose()]),
        KeyMaterial::EdwardsPrivate(key) => (tag::EDWARDS_PRIVATE, vec![key.seed().expose()]),
        KeyMaterial::MlDsaPrivate(key) => (tag::ML_DSA_PRIVATE, vec![key.secret().expose()]),
    };
    let length = 6
        + attributes.iter().map(|(_, value)| 12 + value.len()).sum::<usize>()
        + parts.1.iter().map(|part| 4 + part.len()).sum::<usize>();
    let mut writer = Writer::new(length);
    writer.byte(FORMAT).number(u32::try_from(attributes.iter().count()).unwrap_or(u32::MAX));
    for (id, value) in attributes.iter() {
        writer.long(id).part(value);
    }
    writer.byte(parts.0);
    for part in parts.1 {
        writer.part(part);
    }
    writer.finish_secret()
}

/// An object from its bytes.
///
/// # Errors
/// CKR_DEVICE_ERROR for bytes that no format known here has.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Attributes, KeyMaterial)> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != FORMAT {
        return Err(MALFORMED);
    }
    let mut draft = Draft::default();
    for _ in 0..reader.number()? {
        let id = reader.long()?;
        draft.set(id, reader.part()?);
    }
    let attributes = draft.finish();
    let attribute = |id| attributes.get(id).ok_or(MALFORMED);
    let material = match reader.byte()? {
        tag::NONE => KeyMaterial::None,
        tag::SECRET => KeyMaterial::Secret(SecretKey::new(Secret::copy(reader.part()?))),
        tag::RSA_PUBLIC => KeyMaterial::RsaPublic(rsa::PublicKey::from_components(
            attribute(ck::CKA_MODULUS)?,
            attribute(ck::CKA_PUBLIC_EXPONENT)?,
        )?),
        tag::RSA_PRIVATE => KeyMaterial::RsaPrivate(RsaPrivateKey::new(rsa::Components {
            modulus: attribute(ck::CKA_MODULUS)?.to_vec(),
            public_exponent: attribute(ck::CKA_PUBLIC_EXPONENT)?.to_vec(),
            private_exponent: Secret::copy(reader.part()?),
            prime_1: Secret::copy(reader.part()?),
            prime_2: Secret::copy(reader.part()?),
            exponent_1: Secret::copy(reader.part()?),
            exponent_2: Secret::copy(reader.part()?),
            coefficient: Secret::copy(reader.part()?),
        })),
        tag::EC_PUBLIC => {
            let curve = ec::Curve::from_parameters(attribute(ck::CKA_EC_PARAMS)?).ok_or(MALFORMED)?;
            let point = ec_material::decode_point(curve, attribute(ck::CKA_EC_POINT)?)?;
            KeyMaterial::EcPublic(ec::PublicKey::from_point(curve, point)?)
        }
        tag::EC_PRIVATE => {
            let curve = ec::Curve::from_parameters(attribute(ck::CKA_EC_PARAMS)?).ok_or(MALFORMED)?;
            KeyMaterial::EcPrivate(EcPrivateKey::new(curve, Secret::copy(reader.part()?)))
        }
        tag::EDWARDS_PUBLIC => {
            let point = ed25519::decode_point(attribute(ck::CKA_EC_POINT)?)?;
            KeyMaterial::EdwardsPublic(ed25519::PublicKey::from_bytes(&point)?)
        }
        tag::EDWARDS_PRIVATE => KeyMaterial::EdwardsPrivate(ed25519::PrivateKey::from_seed(reader.part()?)?),
        tag::ML_DSA_PUBLIC => {
            let set = parameter_set(|id| attributes.number(id)).ok_or(MALFORMED)?;
            KeyMaterial::MlDsaPublic(ml_dsa::PublicKey::from_bytes(set, attribute(ck::CKA_VALUE)?)?)
        }
        tag::ML_DSA_PRIVATE => {
            let set = parameter_set(|id| attributes.number(id)).ok_or(MALFORMED)?;
            KeyMaterial::MlDsaPrivate(MlDsaPrivateKey::new(set, Secret::copy(reader.part()?)))
        }
        _ => return Err(MALFORMED),
    };
    reader.end()?;
    Ok((attributes, material))
}
