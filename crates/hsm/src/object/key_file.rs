//! Keys as files: a public key as SubjectPublicKeyInfo, a reference to a private key that stays in the HSM, and what a
//! PEM file brings in.

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_KEY_TYPE, CK_OBJECT_CLASS};
use base::error::{Error, Result};
use base::secret::Secret;
use crypto::key_file::{self, Private, Public, RsaUse};
use crypto::{ec, ec_material, ed25519, ml_dsa, rsa, rsa_material};

use super::key::KeyMaterial;
use super::template::Template;
use super::{Object, ObjectId};

/// What a file can hold of a key that is in the HSM.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyFile {
    /// The public key (`pem`).
    PublicKey,
    /// A private key of RSA or EC that programs read as one and that holds no secret (`reference-pem`).
    Reference,
    /// A reference to a key of Ed25519 or ML-DSA, whose private keys have no room for one (`cloudhsm-reference-pem`).
    CloudHsmReference,
}

/// The PEM text of a file.
///
/// # Errors
/// CKR_ARGUMENTS_BAD for a key of another kind than the file is for.
pub fn write(object: &Object, file: KeyFile) -> Result<String> {
    match file {
        KeyFile::PublicKey if object.class != ck::CKO_PUBLIC_KEY => {
            Err(Error::new(ck::CKR_ARGUMENTS_BAD, "Only a public key can be written to a file of this encoding"))
        }
        KeyFile::PublicKey => key_file::to_pem("PUBLIC KEY", &info_of(object)?),
        KeyFile::Reference => key_file::to_pem("PRIVATE KEY", reference(object)?.expose()),
        KeyFile::CloudHsmReference => match &object.material {
            KeyMaterial::EdwardsPrivate(_) | KeyMaterial::MlDsaPrivate(_) => {
                let name = name(object)?;
                let encoded = key_file::encode_reference(&name, &info_of(object)?)?;
                key_file::to_pem("CLOUDHSM KEY REFERENCE", &encoded)
            }
            _ => Err(Error::new(
                ck::CKR_ARGUMENTS_BAD,
                "Only a private key of Ed25519 or ML-DSA can be written to a file of this encoding",
            )),
        },
    }
}

/// What a reference says: the key's id, big-endian.
fn name(object: &Object) -> Result<[u8; 8]> {
    let ObjectId(id) =
        object.id.ok_or(Error::new(ck::CKR_ARGUMENTS_BAD, "A session key is gone before a file could be of use"))?;
    Ok(id.to_be_bytes())
}

fn info_of(object: &Object) -> Result<Vec<u8>> {
    public_key_info(&object.material, |id| object.attributes.get(id))
}

/// The public key of either half of a pair; `known` gives the attributes of that half.
pub(super) fn public_key_info<'a>(
    material: &KeyMaterial,
    known: impl Fn(CK_ATTRIBUTE_TYPE) -> Option<&'a [u8]>,
) -> Result<Vec<u8>> {
    match material {
        KeyMaterial::RsaPublic(_) | KeyMaterial::RsaPrivate(_) => {
            let number = |id| known(id).ok_or(Error::internal("an RSA key without its numbers"));
            rsa_material::encode_spki(number(ck::CKA_MODULUS)?, number(ck::CKA_PUBLIC_EXPONENT)?)
        }
        KeyMaterial::EcPublic(key) => ec_material::encode_spki(key.curve(), &key.point()),
        KeyMaterial::EcPrivate(key) => ec_material::encode_spki(key.curve(), &key.prepared()?.point()),
        KeyMaterial::EdwardsPublic(key) => ed25519::encode_spki(key.bytes()),
        KeyMaterial::EdwardsPrivate(key) => ed25519::encode_spki(key.public()),
        KeyMaterial::MlDsaPublic(key) => ml_dsa::encode_spki(key.parameter_set(), key.bytes()),
        KeyMaterial::MlDsaPrivate(key) => ml_dsa::encode_spki(key.parameter_set(), &key.prepared()?.public()?),
        KeyMaterial::None | KeyMaterial::Secret(_) => {
            Err(Error::new(ck::CKR_ARGUMENTS_BAD, "Only a key of a pair has a public half"))
        }
    }
}

/// PKCS#8 of the key's kind: the public half is the key's own, the private exponent or the scalar is the reference, and an
/// RSA key's other numbers are 1.
fn reference(object: &Object) -> Result<Secret> {
    match &object.material {
        KeyMaterial::RsaPrivate(key) => {
            let one = || Secret::copy(&[1]);
            rsa_material::encode_pkcs8(&rsa::Components {
                modulus: key.components().modulus.clone(),
                public_exponent: key.components().public_exponent.clone(),
                private_exponent: Secret::copy(&name(object)?),
                prime_1: one(),
                prime_2: one(),
                exponent_1: one(),
                exponent_2: one(),
                coefficient: one(),
            })
        }
        KeyMaterial::EcPrivate(key) => {
            ec_material::encode_reference(key.curve(), &key.prepared()?.point(), &name(object)?)
        }
        _ => Err(Error::new(
            ck::CKR_ARGUMENTS_BAD,
            "Only a private key of RSA or EC can be written to a file of this encoding",
        )),
    }
}

/// Which half of a pair a file is to bring in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Half {
    /// The public key.
    Public,
    /// The private key.
    Private,
}

/// The key of a PEM file.
pub struct Imported {
    /// The template with which C_CreateObject makes it: class, key type and material.
    pub template: Template,
    /// Whether the file keeps it to RSA-PSS, which the template does not.
    pub only_pss: bool,
}

/// The key of a PEM file.
///
/// # Errors
/// CKR_ARGUMENTS_BAD for what is no key of RSA, EC or Ed25519, for several keys and for an encrypted one; the decoders' codes for
/// a key that is not whole.
pub fn read(pem: &[u8], half: Half) -> Result<Imported> {
    let unrestricted = |template| Imported { template, only_pss: false };
    match half {
        Half::Public => match key_file::read_public(pem)? {
            Public::Rsa(modulus, exponent, usage) => {
                Ok(Imported { template: rsa_public((modulus, exponent))?, only_pss: usage == RsaUse::Pss })
            }
            Public::Ec(curve, point) => {
                let values = [(ck::CKA_EC_PARAMS, curve.parameters()), (ck::CKA_EC_POINT, point.as_slice())];
                template(ck::CKO_PUBLIC_KEY, ck::CKK_EC, &values).map(unrestricted)
            }
            Public::Ed25519(point) => {
                let values = [(ck::CKA_EC_PARAMS, ed25519::PARAMETERS), (ck::CKA_EC_POINT, point.as_slice())];
                template(ck::CKO_PUBLIC_KEY, ck::CKK_EC, &values).map(unrestricted)
            }
        },
        Half::Private => match key_file::read_private(pem)? {
            Private::Rsa(key, usage) => Ok(Imported { template: rsa_private(&key)?, only_pss: usage == RsaUse::Pss }),
            Private::Ec(key) => ec_private(&key).map(unrestricted),
            Private::Ed25519(key) => {
                let values = [(ck::CKA_EC_PARAMS, ed25519::PARAMETERS), (ck::CKA_VALUE, key.seed().expose())];
                template(ck::CKO_PRIVATE_KEY, ck::CKK_EC, &values).map(unrestricted)
            }
        },
    }
}

fn rsa_public((modulus, exponent): (Vec<u8>, Vec<u8>)) -> Result<Template> {
    let values = [(ck::CKA_MODULUS, modulus.as_slice()), (ck::CKA_PUBLIC_EXPONENT, exponent.as_slice())];
    template(ck::CKO_PUBLIC_KEY, ck::CKK_RSA, &values)
}

fn rsa_private(key: &rsa::Components) -> Result<Template> {
    let values = [
        (ck::CKA_MODULUS, key.modulus.as_slice()),
        (ck::CKA_PUBLIC_EXPONENT, key.public_exponent.as_slice()),
        (ck::CKA_PRIVATE_EXPONENT, key.private_exponent.expose()),
        (ck::CKA_PRIME_1, key.prime_1.expose()),
        (ck::CKA_PRIME_2, key.prime_2.expose()),
        (ck::CKA_EXPONENT_1, key.exponent_1.expose()),
        (ck::CKA_EXPONENT_2, key.exponent_2.expose()),
        (ck::CKA_COEFFICIENT, key.coefficient.expose()),
    ];
    template(ck::CKO_PRIVATE_KEY, ck::CKK_RSA, &values)
}

fn ec_private(key: &ec::PrivateKey) -> Result<Template> {
    let scalar = key.scalar()?;
    let values = [(ck::CKA_EC_PARAMS, key.curve().parameters()), (ck::CKA_VALUE, scalar.expose())];
    template(ck::CKO_PRIVATE_KEY, ck::CKK_EC, &values)
}

fn template(class: CK_OBJECT_CLASS, key_type: CK_KEY_TYPE, values: &[(CK_ATTRIBUTE_TYPE, &[u8])]) -> Result<Template> {
    let mut template = Template::of(values)?;
    for (id, number) in [(ck::CKA_CLASS, class), (ck::CKA_KEY_TYPE, key_type)] {
        template.push(id, &number.to_ne_bytes())?;
    }
    Ok(template)
}
