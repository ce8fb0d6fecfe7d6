//! Mechanisms: from `CK_MECHANISM` to a mechanism's number and its [`Parameter`], owned and checked.

use std::cell::Cell;
use std::ptr;

use base::ck::{
    self, CK_AES_CTR_PARAMS, CK_EDDSA_PARAMS, CK_GCM_PARAMS, CK_GCM_WRAP_PARAMS, CK_MECHANISM, CK_MECHANISM_TYPE,
    CK_OBJECT_HANDLE, CK_RSA_PKCS_OAEP_PARAMS, CK_RSA_PKCS_PSS_PARAMS, CK_SESSION_HANDLE, CK_SIGN_ADDITIONAL_CONTEXT,
    CK_ULONG,
};
use base::error::{Error, Result};
use hsm::mechanism::parameter::{Counter, Eddsa, EddsaInput, Gcm, Iv, Oaep, Pss};
use hsm::mechanism::{Hash, Parameter, ParameterKind, Use};

use super::memory;
use crate::cryptoki::Library;

/// The longest IV, additional data or label that is read, in bytes; the standard's own limit is 2^32 - 1.
const LONGEST_DATA: CK_ULONG = 1 << 30;
/// The longest context of a signature (RFC 8032 section 2, FIPS 204 section 5.2).
const LONGEST_CONTEXT: CK_ULONG = 255;
/// The IV that the HSM makes.
const MADE_IV: CK_ULONG = 12;

pub(super) const BAD: Error =
    Error::new(ck::CKR_MECHANISM_PARAM_INVALID, "the mechanism's parameter is not what it should be");

/// The caller's `CK_MECHANISM`.
pub(super) struct Caller {
    mechanism: CK_MECHANISM,
    /// pIv of AES-GCM as decoding has seen it. Never read again: the caller's structure may lie where output goes.
    iv: Cell<*mut u8>,
}

/// `CK_GCM_PARAMS` as PKCS#11 2.40 printed it, without ulIvBits; some callers still have it so.
#[repr(C)]
#[derive(Clone, Copy)]
struct GcmWithoutBits {
    iv: *mut u8,
    iv_length: CK_ULONG,
    additional: *mut u8,
    additional_length: CK_ULONG,
    tag_bits: CK_ULONG,
}

impl Caller {
    /// Reads the caller's mechanism.
    ///
    /// # Safety
    /// `mechanism` is NULL or a CK_MECHANISM, whose parameter is what the mechanism's definition says for as long as
    /// the result lives.
    pub(super) unsafe fn new(mechanism: *const CK_MECHANISM) -> Result<Self> {
        // SAFETY: the caller's promise.
        let mechanism = unsafe { memory::read(mechanism) }?;
        Ok(Self { mechanism, iv: Cell::new(ptr::null_mut()) })
    }

    /// The same for C_...Init, where a NULL mechanism ends the operation in the profiles that know PKCS#11 3.0.
    ///
    /// # Safety
    /// As [`Caller::new`].
    pub(super) unsafe fn or_cancel(
        library: &Library,
        session: CK_SESSION_HANDLE,
        what: Use,
        mechanism: *const CK_MECHANISM,
    ) -> Result<Option<Self>> {
        if mechanism.is_null() && library.dialect()?.everything {
            library.cancel(session, what)?;
            return Ok(None);
        }
        // SAFETY: the caller's promise.
        unsafe { Self::new(mechanism) }.map(Some)
    }

    /// C_EncryptInit, C_DecryptInit, C_SignInit and C_VerifyInit.
    ///
    /// # Safety
    /// As [`Caller::new`]; the IV buffer of an AES-GCM parameter may be written.
    pub(super) unsafe fn begin(
        library: &Library,
        session: CK_SESSION_HANDLE,
        what: Use,
        mechanism: *const CK_MECHANISM,
        key: CK_OBJECT_HANDLE,
    ) -> Result<()> {
        // SAFETY: the caller's promise.
        let Some(caller) = (unsafe { Self::or_cancel(library, session, what, mechanism) })? else {
            return Ok(());
        };
        let made = library.begin(session, what, caller.mechanism(), key, |kind| caller.decode(kind, what))?;
        // The only call in which pIv is known to be valid, so the IV is written now.
        // SAFETY: decoding has seen a parameter of this form, with a buffer of 12 bytes.
        made.map_or(Ok(()), |iv| unsafe { caller.write_iv(iv) })
    }

    /// Writes the IV that the HSM has made to the place that decoding has seen.
    ///
    /// # Safety
    /// The parameter was decoded, and the buffer of 12 bytes at its pIv may still be written.
    pub(super) unsafe fn write_iv(&self, iv: [u8; 12]) -> Result<()> {
        // SAFETY: the caller's promise; `write` refuses NULL, which stands for a parameter that was not decoded.
        unsafe { memory::write(self.iv.get().cast::<[u8; 12]>(), iv) }
    }

    /// Whether there is no parameter.
    pub(super) const fn is_empty(&self) -> bool {
        self.mechanism.ulParameterLen == 0
    }

    /// The mechanism's number.
    pub(super) const fn mechanism(&self) -> CK_MECHANISM_TYPE {
        self.mechanism.mechanism
    }

    /// The parameter in the form that the mechanism's row wants.
    ///
    /// # Errors
    /// CKR_MECHANISM_PARAM_INVALID.
    pub(super) fn decode(&self, kind: ParameterKind, what: Use) -> Result<Parameter> {
        match kind {
            ParameterKind::None if self.is_empty() => Ok(Parameter::None),
            ParameterKind::None => Err(BAD),
            ParameterKind::Iv => Ok(Parameter::Iv(self.structure()?)),
            ParameterKind::ShortIv => Ok(Parameter::ShortIv(self.structure()?)),
            ParameterKind::Counter => {
                let parameter: CK_AES_CTR_PARAMS = self.structure()?;
                let bits = u32::try_from(parameter.ulCounterBits).map_err(|_| BAD)?;
                Ok(Parameter::Counter(Counter::new(parameter.cb, bits)?))
            }
            ParameterKind::Gcm | ParameterKind::GcmMadeIv | ParameterKind::GcmIvInFront => self.gcm(kind, what),
            ParameterKind::Pss | ParameterKind::PssSameHash => self.pss(kind),
            ParameterKind::Oaep | ParameterKind::OaepSameHash => {
                let oaep = Self::oaep_of(&self.structure()?, kind == ParameterKind::OaepSameHash)?;
                Ok(Parameter::Oaep(Box::new(oaep)))
            }
            ParameterKind::WrapIv | ParameterKind::WrapIvDefault | ParameterKind::PaddedWrapIv => self.wrap_iv(kind),
            ParameterKind::RsaAes | ParameterKind::RsaAesSameHash => self.rsa_aes(kind),
            ParameterKind::Agreement | ParameterKind::AgreementCloudHsm => self.agreement(kind),
            ParameterKind::CounterKdf | ParameterKind::CounterKdfCloudHsm => self.counter_kdf(kind),
            ParameterKind::Eddsa | ParameterKind::EddsaCloudHsm => self.eddsa(kind),
            ParameterKind::SignContext => self.sign_context(),
        }
    }

    /// The parameter as a structure of exactly its size.
    pub(super) fn structure<T: Copy>(&self) -> Result<T> {
        if self.mechanism.ulParameterLen != size_of::<T>() as CK_ULONG || self.mechanism.pParameter.is_null() {
            return Err(BAD);
        }
        // SAFETY: not NULL, and of this size by the caller's word (`Caller::new`); T is plain data.
        unsafe { memory::read(self.mechanism.pParameter.cast::<T>()) }
    }

    /// The bytes that a parameter points to.
    pub(super) fn bytes<'a>(pointer: *const u8, length: CK_ULONG, longest: CK_ULONG) -> Result<&'a [u8]> {
        if length > longest {
            return Err(BAD);
        }
        // SAFETY: readable by the caller's word (`Caller::new`); the result is copied before the call ends.
        unsafe { memory::input(pointer, length) }.map_err(|_| BAD)
    }

    fn gcm(&self, kind: ParameterKind, what: Use) -> Result<Parameter> {
        if kind == ParameterKind::Gcm && self.mechanism.ulParameterLen == size_of::<CK_GCM_WRAP_PARAMS>() as CK_ULONG {
            return self.gcm_wrap(what);
        }
        let parameter = if self.mechanism.ulParameterLen == size_of::<GcmWithoutBits>() as CK_ULONG {
            let short: GcmWithoutBits = self.structure()?;
            CK_GCM_PARAMS {
                pIv: short.iv,
                ulIvLen: short.iv_length,
                ulIvBits: 0,
                pAAD: short.additional,
                ulAADLen: short.additional_length,
                ulTagBits: short.tag_bits,
            }
        } else {
            self.structure()?
        };
        let tag_length = Gcm::tag_length(parameter.ulTagBits).ok_or(BAD)?;
        let iv = match kind {
            ParameterKind::GcmIvInFront if parameter.pIv.is_null() => Iv::Unmade,
            ParameterKind::GcmIvInFront => return Err(BAD),
            ParameterKind::GcmMadeIv => {
                if parameter.ulIvLen != MADE_IV || !matches!(parameter.ulIvBits, 0 | 96) {
                    return Err(BAD);
                }
                let bytes = Self::bytes(parameter.pIv, parameter.ulIvLen, LONGEST_DATA)?;
                // A caller's own IV would be replaced, and one who does not read it back would lose its data.
                match what {
                    Use::Encrypt | Use::Wrap if bytes.iter().any(|byte| *byte != 0) => {
                        return Err(Error::new(
                            ck::CKR_MECHANISM_PARAM_INVALID,
                            "CKM_AES_GCM works with an IV of the HSM: pIv must be a zeroed buffer of 12 bytes",
                        ));
                    }
                    Use::Encrypt | Use::Wrap => {
                        self.iv.set(parameter.pIv);
                        Iv::Unmade
                    }
                    _ => Iv::new(bytes),
                }
            }
            _ if parameter.ulIvLen == 0 => return Err(BAD),
            _ => Iv::new(Self::bytes(parameter.pIv, parameter.ulIvLen, LONGEST_DATA)?),
        };
        let additional = Self::bytes(parameter.pAAD, parameter.ulAADLen, LONGEST_DATA)?.into();
        Ok(Parameter::Gcm(Gcm { iv, additional, tag_length }))
    }

    /// `CK_GCM_WRAP_PARAMS`, by which a key is wrapped under an IV of the caller's or of the HSM's (PKCS#11 3.2 section
    /// 6.13.3). The HSM makes 12 bytes by chance; a fixed part would leave fewer than the 96 bits that SP 800-38D section
    /// 8.2.2 wants of chance, and a counter would have to be kept with the key.
    fn gcm_wrap(&self, what: Use) -> Result<Parameter> {
        let parameter: CK_GCM_WRAP_PARAMS = self.structure()?;
        let tag_length = Gcm::tag_length(parameter.ulTagBits).ok_or(BAD)?;
        let bytes = || match parameter.ulIvLen {
            0 => Err(BAD),
            length => Self::bytes(parameter.pIv, length, LONGEST_DATA),
        };
        let iv = match (what, parameter.ivGenerator) {
            (Use::Unwrap, _) => Iv::new(bytes()?),
            (Use::Wrap, ck::CKG_NO_GENERATE) if parameter.ulIvFixedBits <= parameter.ulIvLen.saturating_mul(8) => {
                Iv::new(bytes()?)
            }
            (Use::Wrap, ck::CKG_GENERATE | ck::CKG_GENERATE_RANDOM)
                if parameter.ulIvLen == MADE_IV && parameter.ulIvFixedBits == 0 && !parameter.pIv.is_null() =>
            {
                self.iv.set(parameter.pIv);
                Iv::Unmade
            }
            _ => return Err(BAD),
        };
        let additional = Self::bytes(parameter.pAAD, parameter.ulAADLen, LONGEST_DATA)?.into();
        Ok(Parameter::Gcm(Gcm { iv, additional, tag_length }))
    }

    fn eddsa(&self, kind: ParameterKind) -> Result<Parameter> {
        if self.is_empty() {
            return Ok(Parameter::None);
        }
        let parameter: CK_EDDSA_PARAMS = self.structure()?;
        let input = match parameter.phFlag {
            ck::CK_TRUE => EddsaInput::Hashed,
            ck::CK_FALSE => EddsaInput::Message,
            _ => return Err(BAD),
        };
        let length = parameter.ulContextDataLen;
        match (kind, input, length) {
            // AWS documents Ed25519ph without a context as the one parameter.
            (ParameterKind::EddsaCloudHsm, EddsaInput::Hashed, 0) => {}
            (ParameterKind::EddsaCloudHsm, ..) => return Err(BAD),
            // No context and no hash is plain Ed25519: so a curve of RFC 8410 says (PKCS#11 3.2 section 6.3.16), and an
            // Ed25519ctx with an empty context should not be (RFC 8032 section 5.1).
            (_, EddsaInput::Message, 0) => return Ok(Parameter::None),
            _ => {}
        }
        let context = Self::bytes(parameter.pContextData, length, LONGEST_CONTEXT)?;
        Ok(Parameter::Eddsa(Eddsa { input, context: context.into() }))
    }

    fn sign_context(&self) -> Result<Parameter> {
        if self.is_empty() {
            return Ok(Parameter::None);
        }
        let parameter: CK_SIGN_ADDITIONAL_CONTEXT = self.structure()?;
        // Every signature is hedged here; a caller who must have the deterministic one gets none.
        if !matches!(parameter.hedgeVariant, ck::CKH_HEDGE_PREFERRED | ck::CKH_HEDGE_REQUIRED) {
            return Err(BAD);
        }
        let context = Self::bytes(parameter.pContext, parameter.ulContextLen, LONGEST_CONTEXT)?;
        Ok(Parameter::Context(context.into()))
    }

    fn pss(&self, kind: ParameterKind) -> Result<Parameter> {
        let parameter: CK_RSA_PKCS_PSS_PARAMS = self.structure()?;
        let (hash, mask) = (hash(parameter.hashAlg)?, mask(parameter.mgf)?);
        if kind == ParameterKind::PssSameHash && hash != mask {
            return Err(BAD);
        }
        // No salt is longer than the largest modulus.
        let salt_length = usize::try_from(parameter.sLen).ok().filter(|length| *length <= 2048).ok_or(BAD)?;
        Ok(Parameter::Pss(Pss { hash, mask, salt_length }))
    }

    /// An OAEP parameter from its structure.
    pub(super) fn oaep_of(parameter: &CK_RSA_PKCS_OAEP_PARAMS, same_hash: bool) -> Result<Oaep> {
        let (hash, mask) = (hash(parameter.hashAlg)?, mask(parameter.mgf)?);
        if same_hash && hash != mask {
            return Err(BAD);
        }
        let label = match parameter.source {
            ck::CKZ_DATA_SPECIFIED => {
                Self::bytes(parameter.pSourceData.cast(), parameter.ulSourceDataLen, LONGEST_DATA)?
            }
            // Some callers leave the source at zero when there is no label.
            0 if parameter.ulSourceDataLen == 0 => &[],
            _ => return Err(BAD),
        };
        Ok(Oaep { hash, mask, label: label.into() })
    }
}

fn hash(mechanism: CK_MECHANISM_TYPE) -> Result<Hash> {
    match mechanism {
        ck::CKM_SHA_1 => Ok(Hash::Sha1),
        ck::CKM_SHA224 => Ok(Hash::Sha224),
        ck::CKM_SHA256 => Ok(Hash::Sha256),
        ck::CKM_SHA384 => Ok(Hash::Sha384),
        ck::CKM_SHA512 => Ok(Hash::Sha512),
        _ => Err(BAD),
    }
}

fn mask(function: CK_ULONG) -> Result<Hash> {
    match function {
        ck::CKG_MGF1_SHA1 => Ok(Hash::Sha1),
        ck::CKG_MGF1_SHA224 => Ok(Hash::Sha224),
        ck::CKG_MGF1_SHA256 => Ok(Hash::Sha256),
        ck::CKG_MGF1_SHA384 => Ok(Hash::Sha384),
        ck::CKG_MGF1_SHA512 => Ok(Hash::Sha512),
        _ => Err(BAD),
    }
}
