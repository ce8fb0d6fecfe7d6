//! The six ways to sign, from AWS's names and options to mechanisms and their parameters.

use std::sync::Arc;

use base::ck::{self, CK_MECHANISM_TYPE, vendor};
use clap::{Args, ValueEnum};
use hsm::mechanism::parameter::{self, Eddsa, EddsaInput};
use hsm::mechanism::{Hash, Parameter, Use};
use hsm::module::{Actor, Module, Tool};
use hsm::object::Object;

use crate::input::{HashAndMask, HashFunction};
use crate::output::Failure;

/// What is given as data.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataType {
    /// The message
    Raw,
    /// Its digest
    Digest,
}

/// What is given to ML-DSA.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MlDsaDataType {
    /// The message
    Raw,
    /// The 64 bytes of mu, the hash of public key, context and message (FIPS 204 section 6.2)
    ExternalMu,
}

/// The one hash of Ed25519ph.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Ed25519phHash {
    Sha512,
}

/// The one hash of ML-DSA.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum MlDsaHash {
    Shake256,
}

/// ECDSA, and RSA with PKCS#1 v1.5.
#[derive(Args)]
pub(crate) struct Hashed {
    /// The hash function
    #[arg(long, value_enum)]
    hash_function: HashFunction,
    /// What the data is
    #[arg(long, value_enum, default_value_t = DataType::Raw)]
    data_type: DataType,
}

/// RSA-PSS.
#[derive(Args)]
pub(crate) struct Pss {
    #[command(flatten)]
    hashes: HashAndMask,
    /// The length of the salt, in bytes
    #[arg(long)]
    salt_length: u16,
    /// What the data is
    #[arg(long, value_enum, default_value_t = DataType::Raw)]
    data_type: DataType,
}

/// Ed25519 has no options.
#[derive(Args)]
pub(crate) struct Ed25519 {}

/// Ed25519ph.
#[derive(Args)]
pub(crate) struct Ed25519ph {
    /// The hash function
    #[arg(long, value_enum)]
    hash_function: Ed25519phHash,
    /// What the data is
    #[arg(long, value_enum)]
    data_type: DataType,
}

/// ML-DSA.
#[derive(Args)]
pub(crate) struct MlDsa {
    /// The hash function
    #[arg(long, value_enum)]
    hash_function: MlDsaHash,
    /// What the data is
    #[arg(long, value_enum)]
    data_type: MlDsaDataType,
}

/// A mechanism and its parameter.
pub(super) struct Method {
    mechanism: CK_MECHANISM_TYPE,
    parameter: Parameter,
    /// The mechanism that makes the digest itself, where the caller has made it: what that one refuses of the key is refused
    /// here too.
    hashing: Option<CK_MECHANISM_TYPE>,
    /// The hash whose digest the data must be.
    digest: Option<Hash>,
}

impl Hashed {
    pub(super) fn ecdsa(&self) -> Method {
        let hashing = match self.hash_function {
            HashFunction::Sha1 => ck::CKM_ECDSA_SHA1,
            HashFunction::Sha224 => ck::CKM_ECDSA_SHA224,
            HashFunction::Sha256 => ck::CKM_ECDSA_SHA256,
            HashFunction::Sha384 => ck::CKM_ECDSA_SHA384,
            HashFunction::Sha512 => ck::CKM_ECDSA_SHA512,
        };
        let digest = Some(self.hash_function.into()).filter(|_| self.data_type == DataType::Digest);
        Method { digest, ..Method::of(self.data_type, hashing, ck::CKM_ECDSA) }
    }

    pub(super) fn rsa_pkcs(&self) -> Method {
        let hashing = match self.hash_function {
            HashFunction::Sha1 => ck::CKM_SHA1_RSA_PKCS,
            HashFunction::Sha224 => ck::CKM_SHA224_RSA_PKCS,
            HashFunction::Sha256 => ck::CKM_SHA256_RSA_PKCS,
            HashFunction::Sha384 => ck::CKM_SHA384_RSA_PKCS,
            HashFunction::Sha512 => ck::CKM_SHA512_RSA_PKCS,
        };
        Method::of(self.data_type, hashing, ck::CKM_RSA_PKCS)
    }
}

impl Pss {
    pub(super) fn method(&self) -> Result<Method, Failure> {
        let hash = self.hashes.hash()?;
        let mechanism = match (self.data_type, hash) {
            (DataType::Digest, _) => ck::CKM_RSA_PKCS_PSS,
            (DataType::Raw, Hash::Sha1) => ck::CKM_SHA1_RSA_PKCS_PSS,
            (DataType::Raw, Hash::Sha224) => ck::CKM_SHA224_RSA_PKCS_PSS,
            (DataType::Raw, Hash::Sha256) => ck::CKM_SHA256_RSA_PKCS_PSS,
            (DataType::Raw, Hash::Sha384) => ck::CKM_SHA384_RSA_PKCS_PSS,
            (DataType::Raw, Hash::Sha512) => ck::CKM_SHA512_RSA_PKCS_PSS,
        };
        let parameter = Parameter::Pss(parameter::Pss { hash, mask: hash, salt_length: self.salt_length.into() });
        Ok(Method { mechanism, parameter, hashing: None, digest: None })
    }
}

impl Ed25519ph {
    pub(super) fn method(&self) -> Method {
        let Ed25519phHash::Sha512 = self.hash_function;
        let input = match self.data_type {
            DataType::Raw => EddsaInput::Hashed,
            DataType::Digest => EddsaInput::Digest,
        };
        let parameter = Parameter::Eddsa(Eddsa { input, context: Box::default() });
        Method { mechanism: vendor::CKM_CLOUDHSM_EDDSA, parameter, hashing: None, digest: None }
    }
}

impl MlDsa {
    pub(super) const fn method(&self) -> Method {
        let MlDsaHash::Shake256 = self.hash_function;
        let mechanism = match self.data_type {
            MlDsaDataType::Raw => vendor::CKM_CLOUDHSM_ML_DSA,
            MlDsaDataType::ExternalMu => vendor::CKM_CLOUDHSM_EXT_MU_ML_DSA,
        };
        Method { mechanism, parameter: Parameter::None, hashing: None, digest: None }
    }
}

impl Method {
    pub(super) const fn ed25519() -> Self {
        Self { mechanism: vendor::CKM_CLOUDHSM_EDDSA, parameter: Parameter::None, hashing: None, digest: None }
    }

    const fn of(data_type: DataType, hashing: CK_MECHANISM_TYPE, of_digest: CK_MECHANISM_TYPE) -> Self {
        match data_type {
            DataType::Raw => Self { mechanism: hashing, parameter: Parameter::None, hashing: None, digest: None },
            DataType::Digest => {
                Self { mechanism: of_digest, parameter: Parameter::None, hashing: Some(hashing), digest: None }
            }
        }
    }

    /// Whether the data can be what they are said to be, where the mechanism takes any: nobody could verify what is signed.
    pub(super) fn check(&self, data: &[u8]) -> Result<(), Failure> {
        match self.digest.map(Hash::length) {
            Some(wanted) if data.len() != wanted => Err(Failure::new(format!(
                "The data has {} bytes, and a digest of the hash function {wanted}",
                data.len()
            ))),
            _ => Ok(()),
        }
    }

    /// The mechanism at work with a key.
    pub(super) fn tool<'a>(
        self,
        what: Use,
        module: &Module,
        actor: impl Into<Actor<'a>>,
        key: Arc<Object>,
    ) -> Result<Tool<'a>, Failure> {
        let actor = actor.into();
        if let Some(hashing) = self.hashing {
            drop(module.tool(Some(actor), what, hashing, || Ok(Arc::clone(&key)), |_| Ok(Parameter::None))?);
        }
        Ok(module.tool(Some(actor), what, self.mechanism, || Ok(key), |_| Ok(self.parameter))?)
    }
}
