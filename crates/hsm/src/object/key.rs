//! Key material: what a key is to mathematics, prepared once and kept with the object.
//!
//! The only place where secret bytes of a key live. Attributes such as `CKA_VALUE` are views of it, made by
//! [`KeyMaterial::reveal`] after the policy has said yes. A prepared key (key schedule, Montgomery values) is made
//! at its first use and stays as long as the object, so that no operation parses or precomputes a key twice.

pub(crate) use super::prepared::{EcPrivateKey, MlDsaPrivateKey, RsaPrivateKey, SecretKey};
use base::ck::{self, CK_ATTRIBUTE_TYPE};
use base::error::{Error, Result};
use base::secret::Secret;
use crypto::self_test::Family;
use crypto::{ec, ed25519, ml_dsa, rsa};

/// The material of one object.
#[allow(clippy::large_enum_variant, reason = "lives in an `Arc` with its object, and is used in place")]
pub enum KeyMaterial {
    /// A certificate or a data object has none.
    None,
    /// AES and generic secret keys.
    Secret(SecretKey),
    /// An RSA public key.
    RsaPublic(rsa::PublicKey),
    /// An RSA private key.
    RsaPrivate(RsaPrivateKey),
    /// A point on a curve.
    EcPublic(ec::PublicKey),
    /// A scalar and its curve.
    EcPrivate(EcPrivateKey),
    /// A point of edwards25519.
    EdwardsPublic(ed25519::PublicKey),
    /// A seed and what follows from it.
    EdwardsPrivate(ed25519::PrivateKey),
    /// An ML-DSA public key.
    MlDsaPublic(ml_dsa::PublicKey),
    /// An ML-DSA private key, with its seed if that is known.
    MlDsaPrivate(MlDsaPrivateKey),
}

/// What material is, without its values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// There is none.
    None,
    /// The bytes of a secret key.
    Bytes,
    /// A modulus and what belongs to it.
    Rsa,
    /// A scalar or a point of a NIST or SEC curve.
    Ec,
    /// A seed or a point of edwards25519.
    Edwards,
    /// A key of ML-DSA.
    MlDsa,
}

impl Shape {
    /// The self-test that comes before any use of such a key; secret keys are tested when the HSM is opened.
    #[must_use]
    pub const fn self_test(self) -> Option<Family> {
        match self {
            Self::None | Self::Bytes => None,
            Self::Rsa => Some(Family::Rsa),
            Self::Ec => Some(Family::Ec),
            Self::Edwards => Some(Family::Ed25519),
            Self::MlDsa => Some(Family::MlDsa),
        }
    }
}

impl KeyMaterial {
    /// What it is.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        match self {
            Self::None => Shape::None,
            Self::Secret(_) => Shape::Bytes,
            Self::RsaPublic(_) | Self::RsaPrivate(_) => Shape::Rsa,
            Self::EcPublic(_) | Self::EcPrivate(_) => Shape::Ec,
            Self::EdwardsPublic(_) | Self::EdwardsPrivate(_) => Shape::Edwards,
            Self::MlDsaPublic(_) | Self::MlDsaPrivate(_) => Shape::MlDsa,
        }
    }

    /// The secret key, for the mechanisms that work with one.
    ///
    /// # Errors
    /// CKR_KEY_TYPE_INCONSISTENT if this is no secret key; the mechanism's row has refused it before.
    pub const fn secret(&self) -> Result<&SecretKey> {
        match self {
            Self::Secret(key) => Ok(key),
            _ => Err(WRONG_MATERIAL),
        }
    }

    /// The RSA private key.
    ///
    /// # Errors
    /// As [`KeyMaterial::secret`].
    pub fn rsa_private(&self) -> Result<&rsa::PrivateKey> {
        match self {
            Self::RsaPrivate(key) => key.prepared(),
            _ => Err(WRONG_MATERIAL),
        }
    }

    /// The RSA public key.
    ///
    /// # Errors
    /// As [`KeyMaterial::secret`].
    pub const fn rsa_public(&self) -> Result<&rsa::PublicKey> {
        match self {
            Self::RsaPublic(key) => Ok(key),
            _ => Err(WRONG_MATERIAL),
        }
    }

    /// The EC private key.
    ///
    /// # Errors
    /// As [`KeyMaterial::secret`].
    pub fn ec_private(&self) -> Result<&ec::PrivateKey> {
        match self {
            Self::EcPrivate(key) => key.prepared(),
            _ => Err(WRONG_MATERIAL),
        }
    }

    /// The EC public key.
    ///
    /// # Errors
    /// As [`KeyMaterial::secret`].
    pub const fn ec_public(&self) -> Result<&ec::PublicKey> {
        match self {
            Self::EcPublic(key) => Ok(key),
            _ => Err(WRONG_MATERIAL),
        }
    }

    /// The Ed25519 private key.
    ///
    /// # Errors
    /// As [`KeyMaterial::secret`].
    pub const fn edwards_private(&self) -> Result<&ed25519::PrivateKey> {
        match self {
            Self::EdwardsPrivate(key) => Ok(key),
            _ => Err(WRONG_MATERIAL),
        }
    }

    /// The Ed25519 public key.
    ///
    /// # Errors
    /// As [`KeyMaterial::secret`].
    pub const fn edwards_public(&self) -> Result<&ed25519::PublicKey> {
        match self {
            Self::EdwardsPublic(key) => Ok(key),
            _ => Err(WRONG_MATERIAL),
        }
    }

    /// The ML-DSA private key.
    ///
    /// # Errors
    /// As [`KeyMaterial::secret`].
    pub fn ml_dsa_private(&self) -> Result<&ml_dsa::PrivateKey> {
        match self {
            Self::MlDsaPrivate(key) => key.prepared(),
            _ => Err(WRONG_MATERIAL),
        }
    }

    /// The ML-DSA public key.
    ///
    /// # Errors
    /// As [`KeyMaterial::secret`].
    pub const fn ml_dsa_public(&self) -> Result<&ml_dsa::PublicKey> {
        match self {
            Self::MlDsaPublic(key) => Ok(key),
            _ => Err(WRONG_MATERIAL),
        }
    }

    /// The value of a secret attribute. Only `module::keys` calls this, after the policy has allowed it.
    #[must_use]
    pub fn reveal(&self, attribute: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        match (self, attribute) {
            (Self::Secret(key), ck::CKA_VALUE) => Some(key.bytes().expose()),
            (Self::EcPrivate(key), ck::CKA_VALUE) => Some(key.scalar().expose()),
            (Self::EdwardsPrivate(key), ck::CKA_VALUE) => Some(key.seed().expose()),
            (Self::MlDsaPrivate(key), ck::CKA_SEED) => key.seed(),
            (Self::MlDsaPrivate(key), ck::CKA_VALUE) => key.expanded().ok().map(Secret::expose),
            (Self::RsaPrivate(key), _) => {
                let numbers = key.components();
                let number = match attribute {
                    ck::CKA_PRIVATE_EXPONENT => &numbers.private_exponent,
                    ck::CKA_PRIME_1 => &numbers.prime_1,
                    ck::CKA_PRIME_2 => &numbers.prime_2,
                    ck::CKA_EXPONENT_1 => &numbers.exponent_1,
                    ck::CKA_EXPONENT_2 => &numbers.exponent_2,
                    ck::CKA_COEFFICIENT => &numbers.coefficient,
                    _ => return None,
                };
                Some(number.expose())
            }
            _ => None,
        }
    }
}

const WRONG_MATERIAL: Error =
    Error::new(ck::CKR_KEY_TYPE_INCONSISTENT, "the key's material is not what the mechanism works with");
