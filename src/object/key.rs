//! Key material: what a key is to mathematics, prepared once and kept with the object.
//!
//! The only place where secret bytes of a key live. Attributes such as `CKA_VALUE` are views of it, made by
//! [`KeyMaterial::reveal`] after the policy has said yes. A prepared key (key schedule, Montgomery values) is made
//! at its first use and stays as long as the object, so that no operation parses or precomputes a key twice.

use once_cell::sync::OnceCell;

use crate::ck::{self, CK_ATTRIBUTE_TYPE};
use crate::crypto::aes::AesKey;
use crate::crypto::des::Des3Key;
use crate::crypto::digest::Hash;
use crate::crypto::gcm::GcmKey;
use crate::crypto::hmac::HmacKey;
use crate::crypto::{ec, ed25519, ml_dsa, rsa};
use crate::error::{Error, Result};
use crate::secret::Secret;

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
    /// Bytes.
    Secret,
    /// A modulus and what belongs to it.
    Rsa,
    /// A scalar or a point of a NIST or SEC curve.
    Ec,
    /// A seed or a point of edwards25519.
    Edwards,
    /// A key of ML-DSA.
    MlDsa,
}

/// The bytes of a secret key and what has been prepared from them.
pub struct SecretKey {
    bytes: Secret,
    aes: OnceCell<AesKey>,
    des3: OnceCell<Des3Key>,
    gcm: OnceCell<GcmKey>,
    hmac: [OnceCell<HmacKey>; Hash::ALL.len()],
}

/// An RSA private key: its numbers, and the same key prepared.
pub struct RsaPrivateKey {
    components: rsa::Components,
    prepared: OnceCell<rsa::PrivateKey>,
}

/// An EC private key: its scalar and its point, and the same key prepared.
pub struct EcPrivateKey {
    curve: ec::Curve,
    scalar: Secret,
    prepared: OnceCell<ec::PrivateKey>,
}

/// An ML-DSA private key: its seed, or its expanded form if it came without one, and what follows from that.
pub struct MlDsaPrivateKey {
    set: ml_dsa::ParameterSet,
    secret: Secret,
    prepared: OnceCell<ml_dsa::PrivateKey>,
    expanded: OnceCell<Secret>,
}

impl SecretKey {
    /// A secret key of these bytes.
    #[must_use]
    pub fn new(bytes: Secret) -> Self {
        Self { bytes, aes: OnceCell::new(), des3: OnceCell::new(), gcm: OnceCell::new(), hmac: Default::default() }
    }

    /// The bytes of the key.
    #[must_use]
    pub const fn bytes(&self) -> &Secret {
        &self.bytes
    }

    /// The AES key schedule.
    ///
    /// # Errors
    /// CKR_KEY_SIZE_RANGE for a length that AES does not have.
    pub fn aes(&self) -> Result<&AesKey> {
        self.aes.get_or_try_init(|| AesKey::new(self.bytes.expose()))
    }

    /// The key schedule of triple DES.
    ///
    /// # Errors
    /// CKR_KEY_SIZE_RANGE for another length than 24 bytes.
    pub fn des3(&self) -> Result<&Des3Key> {
        self.des3.get_or_try_init(|| Des3Key::new(self.bytes.expose()))
    }

    /// The AES-GCM context.
    ///
    /// # Errors
    /// CKR_KEY_SIZE_RANGE for a length that AES does not have.
    pub fn gcm(&self) -> Result<&GcmKey> {
        self.gcm.get_or_try_init(|| GcmKey::new(self.bytes.expose()))
    }

    /// The HMAC state after the inner and the outer key block.
    ///
    /// # Errors
    /// None that can occur: each hash has its place.
    pub fn hmac(&self, hash: Hash) -> Result<&HmacKey> {
        let cell =
            self.hmac.get(hash as usize).ok_or_else(|| Error::internal("no place for the HMAC state of this hash"))?;
        Ok(cell.get_or_init(|| HmacKey::new(hash, self.bytes.expose())))
    }
}

impl RsaPrivateKey {
    /// A private key whose numbers have been checked or were just generated.
    #[must_use]
    pub fn new(components: rsa::Components) -> Self {
        Self { components, prepared: OnceCell::new() }
    }

    /// The numbers of the key.
    #[must_use]
    pub const fn components(&self) -> &rsa::Components {
        &self.components
    }

    /// The prepared key.
    ///
    /// # Errors
    /// If AWS-LC refuses the numbers.
    pub fn prepared(&self) -> Result<&rsa::PrivateKey> {
        self.prepared.get_or_try_init(|| rsa::PrivateKey::from_components(&self.components))
    }
}

impl EcPrivateKey {
    /// A private key of a scalar that has been checked or was just generated.
    #[must_use]
    pub fn new(curve: ec::Curve, scalar: Secret) -> Self {
        Self { curve, scalar, prepared: OnceCell::new() }
    }

    /// A private key that is prepared already.
    ///
    /// # Errors
    /// If AWS-LC does not give the scalar out.
    pub fn from_prepared(key: ec::PrivateKey) -> Result<Self> {
        Ok(Self { curve: key.curve(), scalar: key.scalar()?, prepared: OnceCell::with_value(key) })
    }

    /// The curve.
    #[must_use]
    pub const fn curve(&self) -> ec::Curve {
        self.curve
    }

    /// The scalar, in as many bytes as the order of the curve has.
    #[must_use]
    pub const fn scalar(&self) -> &Secret {
        &self.scalar
    }

    /// The prepared key.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID if the scalar is not one of the curve.
    pub fn prepared(&self) -> Result<&ec::PrivateKey> {
        self.prepared.get_or_try_init(|| ec::PrivateKey::from_scalar(self.curve, self.scalar.expose()))
    }
}

impl MlDsaPrivateKey {
    /// A private key of a seed or an expanded form that has been checked or was just generated.
    #[must_use]
    pub const fn new(set: ml_dsa::ParameterSet, secret: Secret) -> Self {
        Self { set, secret, prepared: OnceCell::new(), expanded: OnceCell::new() }
    }

    /// A private key that is prepared already.
    ///
    /// # Errors
    /// If AWS-LC does not give the expanded form out.
    pub fn from_prepared(key: ml_dsa::PrivateKey) -> Result<Self> {
        let secret = match key.seed() {
            Some(seed) => Secret::copy(seed.expose()),
            None => key.expanded()?,
        };
        Ok(Self { set: key.parameter_set(), secret, prepared: OnceCell::with_value(key), expanded: OnceCell::new() })
    }

    /// The parameter set.
    #[must_use]
    pub const fn parameter_set(&self) -> ml_dsa::ParameterSet {
        self.set
    }

    /// The seed, or the expanded form of a key that has none: what the key is kept as.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The prepared key.
    ///
    /// # Errors
    /// CKR_ATTRIBUTE_VALUE_INVALID if the secret is none of the parameter set.
    pub fn prepared(&self) -> Result<&ml_dsa::PrivateKey> {
        self.prepared.get_or_try_init(|| match self.secret.len() {
            ml_dsa::SEED_LENGTH => ml_dsa::PrivateKey::from_seed(self.set, self.secret.expose()),
            _ => ml_dsa::PrivateKey::from_expanded(self.set, self.secret.expose()),
        })
    }

    fn seed(&self) -> Option<&[u8]> {
        (self.secret.len() == ml_dsa::SEED_LENGTH).then(|| self.secret.expose())
    }

    fn expanded(&self) -> Result<&Secret> {
        self.expanded.get_or_try_init(|| self.prepared()?.expanded())
    }
}

impl KeyMaterial {
    /// What it is.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        match self {
            Self::None => Shape::None,
            Self::Secret(_) => Shape::Secret,
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
            (Self::Secret(key), ck::CKA_VALUE) => Some(key.bytes.expose()),
            (Self::EcPrivate(key), ck::CKA_VALUE) => Some(key.scalar.expose()),
            (Self::EdwardsPrivate(key), ck::CKA_VALUE) => Some(key.seed().expose()),
            (Self::MlDsaPrivate(key), ck::CKA_SEED) => key.seed(),
            (Self::MlDsaPrivate(key), ck::CKA_VALUE) => key.expanded().ok().map(Secret::expose),
            (Self::RsaPrivate(key), _) => {
                let numbers = &key.components;
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
