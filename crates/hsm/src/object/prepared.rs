//! Secret and private keys with what has been prepared from them: made at the first use, kept as long as the object.

use base::error::{Error, Result};
use base::secret::Secret;
use crypto::aes::AesKey;
use crypto::des::Des3Key;
use crypto::digest::Hash;
use crypto::gcm::GcmKey;
use crypto::hmac::HmacKey;
use crypto::{ec, ml_dsa, rsa};
use once_cell::sync::OnceCell;
use platform::residue::{self, DEEP, SHALLOW};

/// What is in a cell, made at the first use by functions that go as deep as `DEPTH`.
#[inline]
fn at_hand<const DEPTH: usize, T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    match cell.get() {
        Some(made) => Ok(made),
        None => first_use::<DEPTH, T>(cell, make),
    }
}

/// Makes it, and wipes away what the making has left on the stack.
#[cold]
#[inline(never)]
fn first_use<const DEPTH: usize, T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<&T> {
    #[inline(never)]
    fn fill<T>(cell: &OnceCell<T>, make: impl FnOnce() -> Result<T>) -> Result<()> {
        cell.get_or_try_init(make).map(|_| ())
    }
    let filled = fill(cell, make);
    residue::wipe_stack::<DEPTH>();
    filled?;
    cell.get().ok_or(Error::internal("a prepared key is not there"))
}

/// The bytes of a secret key and what has been prepared from them.
pub struct SecretKey {
    bytes: Secret,
    // Each behind a pointer: the object is moved about before it has its place, and a move leaves a copy behind.
    aes: OnceCell<Box<AesKey>>,
    des3: OnceCell<Box<Des3Key>>,
    gcm: OnceCell<Box<GcmKey>>,
    hmac: [OnceCell<Box<HmacKey>>; Hash::ALL.len()],
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
        at_hand::<SHALLOW, _>(&self.aes, || AesKey::new(self.bytes.expose()).map(Box::new)).map(|key| &**key)
    }

    /// The key schedule of triple DES.
    ///
    /// # Errors
    /// CKR_KEY_SIZE_RANGE for another length than 24 bytes.
    pub fn des3(&self) -> Result<&Des3Key> {
        at_hand::<SHALLOW, _>(&self.des3, || Des3Key::new(self.bytes.expose()).map(Box::new)).map(|key| &**key)
    }

    /// The AES-GCM context.
    ///
    /// # Errors
    /// CKR_KEY_SIZE_RANGE for a length that AES does not have.
    pub fn gcm(&self) -> Result<&GcmKey> {
        at_hand::<SHALLOW, _>(&self.gcm, || GcmKey::new(self.bytes.expose()).map(Box::new)).map(|key| &**key)
    }

    /// The HMAC state after the inner and the outer key block.
    ///
    /// # Errors
    /// None that can occur: each hash has its place.
    pub fn hmac(&self, hash: Hash) -> Result<&HmacKey> {
        let cell =
            self.hmac.get(hash as usize).ok_or_else(|| Error::internal("no place for the HMAC state of this hash"))?;
        at_hand::<SHALLOW, _>(cell, || Ok(Box::new(HmacKey::new(hash, self.bytes.expose())))).map(|key| &**key)
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
        at_hand::<DEEP, _>(&self.prepared, || rsa::PrivateKey::from_components(&self.components))
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
        at_hand::<DEEP, _>(&self.prepared, || ec::PrivateKey::from_scalar(self.curve, self.scalar.expose()))
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
        at_hand::<DEEP, _>(&self.prepared, || match self.secret.len() {
            ml_dsa::SEED_LENGTH => ml_dsa::PrivateKey::from_seed(self.set, self.secret.expose()),
            _ => ml_dsa::PrivateKey::from_expanded(self.set, self.secret.expose()),
        })
    }

    /// The seed, if the key has one.
    #[must_use]
    pub fn seed(&self) -> Option<&[u8]> {
        (self.secret.len() == ml_dsa::SEED_LENGTH).then(|| self.secret.expose())
    }

    /// The expanded form.
    ///
    /// # Errors
    /// As [`MlDsaPrivateKey::prepared`].
    pub fn expanded(&self) -> Result<&Secret> {
        at_hand::<DEEP, _>(&self.expanded, || self.prepared()?.expanded())
    }
}
