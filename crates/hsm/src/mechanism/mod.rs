//! What the HSM can do: one row for each mechanism, and the functions behind the rows.
//!
//! From a row follow the mechanism list and its information, the decoding of the parameter, the checks of key type,
//! size and usage, the negative tests and the table in the docs. Adding a mechanism is adding a row (and, for new
//! mathematics, a function in its family).

mod asymmetric;
mod block;
mod cmac;
mod ctr;
mod derive;
mod digest;
mod gcm;
mod hmac;
mod keygen;
mod modern;
pub(crate) mod operation;
pub mod parameter;
mod serves;
#[rustfmt::skip] // a table, one row a line
mod table;
mod wrap;

pub(crate) use operation::{Accumulator, Stream, Work};
pub use parameter::{Parameter, ParameterKind};
pub(crate) use wrap::without_filling;

pub(crate) use serves::{Ciphering, Deriving, GenerateKey, GeneratePair, MakePair, Payload, Serves, Signing, Wrapping};

pub use crypto::digest::Hash;

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_FLAGS, CK_KEY_TYPE, CK_MECHANISM_TYPE, CK_OBJECT_CLASS, CK_ULONG};
use base::error::{Error, Result};

use crate::config::Regime;
use crate::object::key::Shape;

/// What a mechanism is asked to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// C_Encrypt.
    Encrypt,
    /// C_Decrypt.
    Decrypt,
    /// C_Digest.
    Digest,
    /// C_Sign.
    Sign,
    /// C_Verify.
    Verify,
    /// C_GenerateKey.
    Generate,
    /// C_GenerateKeyPair.
    GeneratePair,
    /// C_WrapKey.
    Wrap,
    /// C_UnwrapKey.
    Unwrap,
    /// C_DeriveKey.
    Derive,
}

impl Use {
    /// Every use, in the order of its bit in a set of uses.
    pub const ALL: [Self; 10] = [
        Self::Encrypt,
        Self::Decrypt,
        Self::Digest,
        Self::Sign,
        Self::Verify,
        Self::Generate,
        Self::GeneratePair,
        Self::Wrap,
        Self::Unwrap,
        Self::Derive,
    ];

    /// Its bit in a set of uses.
    #[must_use]
    pub const fn bit(self) -> u16 {
        1 << self as u8
    }

    /// The flag of `CK_MECHANISM_INFO`.
    #[must_use]
    pub const fn flag(self) -> CK_FLAGS {
        match self {
            Self::Encrypt => ck::CKF_ENCRYPT,
            Self::Decrypt => ck::CKF_DECRYPT,
            Self::Digest => ck::CKF_DIGEST,
            Self::Sign => ck::CKF_SIGN,
            Self::Verify => ck::CKF_VERIFY,
            Self::Generate => ck::CKF_GENERATE,
            Self::GeneratePair => ck::CKF_GENERATE_KEY_PAIR,
            Self::Wrap => ck::CKF_WRAP,
            Self::Unwrap => ck::CKF_UNWRAP,
            Self::Derive => ck::CKF_DERIVE,
        }
    }

    /// The attribute by which a key allows this use.
    #[must_use]
    pub const fn attribute(self) -> Option<CK_ATTRIBUTE_TYPE> {
        match self {
            Self::Encrypt => Some(ck::CKA_ENCRYPT),
            Self::Decrypt => Some(ck::CKA_DECRYPT),
            Self::Sign => Some(ck::CKA_SIGN),
            Self::Verify => Some(ck::CKA_VERIFY),
            Self::Wrap => Some(ck::CKA_WRAP),
            Self::Unwrap => Some(ck::CKA_UNWRAP),
            Self::Derive => Some(ck::CKA_DERIVE),
            Self::Digest | Self::Generate | Self::GeneratePair => None,
        }
    }
}

/// The keys that a mechanism works with.
pub struct Keys {
    /// `CKA_KEY_TYPE`.
    pub types: &'static [CK_KEY_TYPE],
    /// What its material is: CKK_EC stands for keys of curves that have nothing in common.
    pub shape: Shape,
    /// Smallest and largest size, in `unit`.
    pub sizes: (CK_ULONG, CK_ULONG),
    /// What `sizes` counts (PKCS#11 gives each mechanism its own unit).
    pub unit: Unit,
    /// The smallest size in secure mode, in `unit`: what is as strong as 112 bits (SP 800-131A).
    pub least_in_secure_mode: CK_ULONG,
    /// The smallest size of a new key in FIPS mode, in `unit`.
    pub least_generated_in_fips_mode: CK_ULONG,
    /// Whether the key is one of a pair, so that signing and decrypting want the private half.
    pub pair: bool,
}

/// The unit of a key's size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// There is no key.
    None,
    /// Bytes of `CKA_VALUE`.
    Bytes,
    /// Bits of the modulus or the field.
    Bits,
}

/// On what terms one profile serves a mechanism.
pub struct Terms {
    /// The uses served, as a set of [`Use::bit`].
    pub uses: u16,
    /// The parameter's form.
    pub parameter: ParameterKind,
    /// The longest input of one call, in bytes.
    pub longest_input: Option<usize>,
    /// Whether C_...Update and C_...Final are served.
    pub multi_part: bool,
    /// The key sizes, where they differ from the mechanism's own.
    pub sizes: Option<(CK_ULONG, CK_ULONG)>,
    /// The step between key sizes: RSA moduli of CloudHSM come in steps of 256 bits.
    pub size_step: CK_ULONG,
}

impl Terms {
    /// CloudHSM's limit on the input of one call; a message that is hashed first does not go through the HSM.
    ///
    /// # Errors
    /// CKR_DATA_LEN_RANGE above it.
    #[inline]
    pub fn check_length(&self, parameter: &Parameter, length: usize) -> Result<()> {
        match self.longest_input {
            Some(most) if length > most && !parameter.prehashes() => {
                Err(Error::with(ck::CKR_DATA_LEN_RANGE, format!("{length} bytes in one call, the most is {most}")))
            }
            _ => Ok(()),
        }
    }
}

/// One mechanism.
pub struct Mechanism {
    /// `CKM_...`.
    pub id: CK_MECHANISM_TYPE,
    /// The standard's or AWS's name.
    pub name: &'static str,
    /// The keys that it works with.
    pub keys: Keys,
    /// The hash that is part of it.
    pub hash: Option<Hash>,
    /// What it does.
    pub(crate) serves: Serves,
    /// How `cloudhsm` and `strict` serve it, if they do.
    pub cloudhsm: Option<Terms>,
    /// How `standard` serves it, if it does.
    pub standard: Option<Terms>,
    /// The uses allowed in FIPS mode, as a set of [`Use::bit`].
    pub fips: u16,
    /// The uses allowed in secure mode, likewise.
    pub secure: u16,
    /// What of the key and the parameter a mode or a switch does not allow.
    pub(crate) rule: Option<SpecialRule>,
    /// Where it is defined.
    pub source: &'static str,
}

/// A rule that crosses mechanism, key and parameter.
pub(crate) type SpecialRule = fn(&Work<'_>, Use, Regime<'_>) -> Result<()>;

impl Mechanism {
    /// The uses that a profile serves, FIPS mode and secure mode considered.
    #[must_use]
    pub fn uses(&self, regime: Regime<'_>) -> u16 {
        self.terms(regime).map_or(0, |terms| terms.uses) & self.allowed(regime)
    }

    /// Flags of `CK_MECHANISM_INFO`.
    #[must_use]
    pub fn flags(&self, regime: Regime<'_>) -> CK_FLAGS {
        let uses = self.uses(regime);
        let flags = Use::ALL.iter().filter(|what| uses & what.bit() != 0).fold(0, |flags, what| flags | what.flag());
        // Each mechanism of curves says of which kind they are (PKCS#11 3.2 section 6.3.3).
        let curves = match self.keys.shape {
            Shape::Ec => ck::CKF_EC_F_P | ck::CKF_EC_NAMEDCURVE | ck::CKF_EC_UNCOMPRESS,
            Shape::Edwards => ck::CKF_EC_F_P | ck::CKF_EC_NAMEDCURVE | ck::CKF_EC_COMPRESS,
            _ => 0,
        };
        flags | curves
    }

    /// Smallest and largest key size that a profile serves.
    #[must_use]
    pub fn sizes(&self, regime: Regime<'_>) -> (CK_ULONG, CK_ULONG) {
        let (smallest, largest) = self.terms(regime).and_then(|terms| terms.sizes).unwrap_or(self.keys.sizes);
        (smallest.max(self.keys.least(regime)), largest)
    }

    /// The terms for one use.
    ///
    /// # Errors
    /// CKR_MECHANISM_INVALID if this profile does not serve it.
    pub(crate) fn serve(&self, what: Use, regime: Regime<'_>) -> Result<&Terms> {
        match self.terms(regime) {
            Some(terms) if self.uses(regime) & what.bit() != 0 => Ok(terms),
            _ => Err(Error::with(ck::CKR_MECHANISM_INVALID, format!("{} is not served for {what:?}", self.name))),
        }
    }

    /// Asks the row's own rule, if it has one, whether it works with this key and parameter.
    ///
    /// # Errors
    /// What the rule refuses.
    #[inline]
    pub(crate) fn check(work: &Work<'_>, what: Use, regime: Regime<'_>) -> Result<()> {
        work.row.rule.map_or(Ok(()), |rule| rule(work, what, regime))
    }

    /// The class of key that a use wants.
    #[must_use]
    pub const fn class(&self, what: Use) -> CK_OBJECT_CLASS {
        match (self.keys.pair, what) {
            (false, _) => ck::CKO_SECRET_KEY,
            (true, Use::Sign | Use::Decrypt | Use::Unwrap | Use::Derive) => ck::CKO_PRIVATE_KEY,
            (true, _) => ck::CKO_PUBLIC_KEY,
        }
    }
}

/// The row of a mechanism, if there is one.
#[must_use]
pub fn find(id: CK_MECHANISM_TYPE) -> Option<&'static Mechanism> {
    table::MECHANISMS.binary_search_by_key(&id, |row| row.id).ok().and_then(|at| table::MECHANISMS.get(at))
}

/// The row of a mechanism for one use in one profile.
///
/// # Errors
/// CKR_MECHANISM_INVALID if there is none.
pub(crate) fn serve(
    id: CK_MECHANISM_TYPE,
    what: Use,
    regime: Regime<'_>,
) -> Result<(&'static Mechanism, &'static Terms)> {
    let row = find(id)
        .ok_or_else(|| Error::with(ck::CKR_MECHANISM_INVALID, format!("mechanism {id:#x} is not known here")))?;
    Ok((row, row.serve(what, regime)?))
}

/// Makes the IV of an encryption whose IV is the HSM's, and returns it if the caller is to be told at once.
///
/// # Errors
/// If the random generator fails.
pub(crate) fn make_iv(kind: ParameterKind, what: Use, parameter: &mut Parameter) -> Result<Option<[u8; 12]>> {
    let Parameter::Gcm(gcm) = parameter else { return Ok(None) };
    if !matches!((&gcm.iv, what), (parameter::Iv::Unmade, Use::Encrypt | Use::Wrap)) {
        return Ok(None);
    }
    let mut iv = [0; 12];
    crypto::random::fill(&mut iv)?;
    gcm.iv = parameter::Iv::Usual(iv);
    Ok((kind != ParameterKind::GcmIvInFront).then_some(iv))
}

/// Every row, in ascending order of its number.
#[must_use]
pub fn all() -> &'static [Mechanism] {
    table::MECHANISMS
}

#[cfg(test)]
mod tests;
