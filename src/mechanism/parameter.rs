//! Parameters of mechanisms: owned, typed, their lengths checked; what form a row wants.
//!
//! `abi` decodes the caller's structure by the [`ParameterKind`] of the row and the profile; nothing below meets a
//! pointer.

pub use crate::crypto::ctr::Counter;
use crate::crypto::digest::Hash;

/// The form of a mechanism's parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParameterKind {
    /// None: pParameter is NULL or its length 0.
    None,
    /// The 16 bytes of an AES block as IV.
    Iv,
    /// `CK_AES_CTR_PARAMS`.
    Counter,
    /// `CK_GCM_PARAMS` with the caller's IV.
    Gcm,
    /// `CK_GCM_PARAMS` whose pIv is a zeroed buffer of 12 bytes; encryption writes the IV it made there.
    GcmMadeIv,
    /// `CK_GCM_PARAMS` whose pIv is NULL; the IV stands in front of the ciphertext.
    GcmIvInFront,
    /// `CK_RSA_PKCS_PSS_PARAMS`.
    Pss,
    /// The same, with one hash for the message and the mask.
    PssSameHash,
    /// `CK_RSA_PKCS_OAEP_PARAMS`.
    Oaep,
    /// The same, with one hash for the label and the mask.
    OaepSameHash,
}

/// A parameter.
#[derive(Default)]
pub enum Parameter {
    /// None.
    #[default]
    None,
    /// An IV of one AES block.
    Iv([u8; 16]),
    /// A counter block.
    Counter(Counter),
    /// AES-GCM.
    Gcm(Gcm),
    /// RSA-PSS.
    Pss(Pss),
    /// RSA-OAEP.
    Oaep(Box<Oaep>),
}

/// An initialization vector: the usual 12 bytes inline, anything else on the heap.
pub enum Iv {
    /// To be made by the HSM (encryption), or expected in front of the ciphertext (decryption).
    Unmade,
    /// The 12 bytes that nearly everybody uses.
    Usual([u8; 12]),
    /// Any other length.
    Other(Box<[u8]>),
}

/// The parameter of AES-GCM.
pub struct Gcm {
    /// The IV.
    pub iv: Iv,
    /// Additional authenticated data.
    pub additional: Box<[u8]>,
    /// The length of the tag, in bytes.
    pub tag_length: usize,
}

/// The parameter of RSA-PSS.
pub struct Pss {
    /// The hash of the message.
    pub hash: Hash,
    /// The hash of the mask generation function.
    pub mask: Hash,
    /// The length of the salt, in bytes.
    pub salt_length: usize,
}

/// The parameter of RSA-OAEP.
pub struct Oaep {
    /// The hash of the label.
    pub hash: Hash,
    /// The hash of the mask generation function.
    pub mask: Hash,
    /// The label.
    pub label: Box<[u8]>,
}

impl Iv {
    /// An IV of these bytes.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        bytes.try_into().map_or_else(|_| Self::Other(bytes.into()), Self::Usual)
    }

    /// The bytes; none if it is not made yet.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::Unmade => &[],
            Self::Usual(bytes) => bytes,
            Self::Other(bytes) => bytes,
        }
    }
}
