//! Parameters of mechanisms: owned, typed, their lengths checked; what form a row wants.
//!
//! `abi` decodes the caller's structure by the [`ParameterKind`] of the row and the profile; nothing below meets a
//! pointer.

use base::ck::CK_ULONG;
pub use crypto::counter_kdf::{Field, Prf};
pub use crypto::ctr::Counter;
use crypto::digest::Hash;

/// The form of a mechanism's parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParameterKind {
    /// None: pParameter is NULL or its length 0.
    None,
    /// The 16 bytes of an AES block as IV.
    Iv,
    /// The 8 bytes of a DES block as IV.
    ShortIv,
    /// `CK_AES_CTR_PARAMS`.
    Counter,
    /// `CK_GCM_PARAMS` with the caller's IV; for wrapping `CK_GCM_WRAP_PARAMS` too, whose IV the HSM may make.
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
    /// None, or the 8 bytes of RFC 3394's IV, which a caller may choose.
    WrapIv,
    /// None, or exactly the default IV of RFC 3394.
    WrapIvDefault,
    /// None, or exactly the 4 bytes of RFC 5649's IV.
    PaddedWrapIv,
    /// `CK_RSA_AES_KEY_WRAP_PARAMS`.
    RsaAes,
    /// The same, with one hash for the label and the mask.
    RsaAesSameHash,
    /// `CK_ECDH1_DERIVE_PARAMS` with the standard's key derivation functions.
    Agreement,
    /// The same with CloudHSM's.
    AgreementCloudHsm,
    /// `CK_SP800_108_KDF_PARAMS` of PKCS#11 3.x, with five fields.
    CounterKdf,
    /// `CK_SP800_108_KDF_PARAMS` of CloudHSM, with three fields.
    CounterKdfCloudHsm,
    /// None for Ed25519, or `CK_EDDSA_PARAMS` for it, Ed25519ctx and Ed25519ph.
    Eddsa,
    /// None for Ed25519, or `CK_EDDSA_PARAMS` that says Ed25519ph without a context.
    EddsaCloudHsm,
    /// None, or `CK_SIGN_ADDITIONAL_CONTEXT`.
    SignContext,
}

/// A parameter.
#[derive(Default)]
pub enum Parameter {
    /// None.
    #[default]
    None,
    /// An IV of one AES block.
    Iv([u8; 16]),
    /// An IV of eight bytes: a DES block, or that of an AES key wrap if it is not the default.
    ShortIv([u8; 8]),
    /// A counter block.
    Counter(Counter),
    /// AES-GCM.
    Gcm(Gcm),
    /// RSA-PSS.
    Pss(Pss),
    /// RSA-OAEP.
    Oaep(Box<Oaep>),
    /// RSA_AES_KEY_WRAP.
    RsaAes(Box<RsaAes>),
    /// A key agreement.
    Agreement(Box<Agreement>),
    /// SP 800-108 in counter mode.
    CounterKdf(Box<CounterKdf>),
    /// Ed25519ctx or Ed25519ph.
    Eddsa(Eddsa),
    /// The context of a signature.
    Context(Box<[u8]>),
}

impl Parameter {
    /// Whether it holds an IV that the HSM has not made: two keys wrapped under one such IV tell each other.
    #[must_use]
    pub const fn has_callers_iv(&self) -> bool {
        matches!(self, Self::Gcm(Gcm { iv: Iv::Usual(_) | Iv::Other(_), .. }))
    }

    /// Whether the message is hashed before it is signed: then it does not go through the HSM, and has no limit there
    /// (User Guide, pkcs11-mechanisms).
    #[must_use]
    pub const fn prehashes(&self) -> bool {
        matches!(self, Self::Eddsa(Eddsa { input: EddsaInput::Hashed | EddsaInput::Digest, .. }))
    }
}

/// The parameter of EdDSA.
pub struct Eddsa {
    /// What is signed.
    pub input: EddsaInput,
    /// The context.
    pub context: Box<[u8]>,
}

/// What EdDSA signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EddsaInput {
    /// The message: Ed25519ctx.
    Message,
    /// The message's SHA-512: Ed25519ph.
    Hashed,
    /// The same, which the caller has made.
    Digest,
}

/// The parameter of CKM_RSA_AES_KEY_WRAP.
pub struct RsaAes {
    /// The length of the AES key in the middle, in bytes.
    pub key_length: usize,
    /// How that key is encrypted.
    pub oaep: Oaep,
}

/// The parameter of CKM_ECDH1_DERIVE.
pub struct Agreement {
    /// The hash of the X9.63 derivation; none for the shared secret itself.
    pub hash: Option<Hash>,
    /// The shared information of the derivation.
    pub information: Box<[u8]>,
    /// The peer's point, raw or as a DER OCTET STRING.
    pub point: Box<[u8]>,
}

/// The parameter of SP 800-108's KDF in counter mode.
pub struct CounterKdf {
    /// The pseudorandom function.
    pub prf: Prf,
    /// What it is fed with, in order.
    pub fields: Vec<Field<'static>>,
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

impl Gcm {
    /// The length in bytes of a tag of so many bits, if it is served: SP 800-38D section 5.2.1.2, which allows 32 and 64 bits
    /// for few uses only. 64 are served because AWS's own page on unwrapping has them, 32 to nobody.
    #[must_use]
    pub fn tag_length(bits: CK_ULONG) -> Option<usize> {
        match bits {
            64 | 96 | 104 | 112 | 120 | 128 => usize::try_from(bits / 8).ok(),
            _ => None,
        }
    }
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
