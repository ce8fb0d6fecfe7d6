//! Parameters of the mechanisms that wrap and derive keys: from the caller's structures to owned values.
//!
//! CloudHSM had SP 800-108 before PKCS#11 3.0 and under the same names; its structures have fewer fields and other
//! numbers (User Guide; `include/cloudhsm_pkcs11_vendor_defs.h`). Which of the two a row wants, its parameter kind says.

use base::ck::{self, CK_BYTE, CK_ECDH1_DERIVE_PARAMS, CK_MECHANISM_TYPE, CK_PRF_DATA_PARAM, CK_ULONG, vendor};
use base::ck::{CK_RSA_AES_KEY_WRAP_PARAMS, CK_SP800_108_COUNTER_FORMAT, CK_SP800_108_DKM_LENGTH_FORMAT};
use base::error::Result;
use hsm::mechanism::parameter::{Agreement, CounterKdf, Field, Prf, RsaAes};
use hsm::mechanism::{Hash, Parameter, ParameterKind};

use super::memory;
use super::parameter::{BAD, Caller};

/// The default IV of RFC 3394 section 2.2.3.1, and the first half of RFC 5649's.
const DEFAULT_IV: [u8; 8] = [0xA6; 8];
const PADDED_IV: [u8; 4] = [0xA6, 0x59, 0x59, 0xA6];
/// The most pieces of an SP 800-108 input, and the longest of them or of a shared information, in bytes.
const MOST_FIELDS: CK_ULONG = 64;
const LONGEST_FIELD: CK_ULONG = 64 * 1024;
/// No point is longer, in whatever coding.
const LONGEST_POINT: CK_ULONG = 1024;

/// CloudHSM's `CK_SP800_108_KDF_PARAMS`; the standard's begins with the same fields.
#[repr(C)]
#[derive(Clone, Copy)]
struct ThreeFields {
    prf: CK_MECHANISM_TYPE,
    count: CK_ULONG,
    data: *mut CK_PRF_DATA_PARAM,
}

/// CloudHSM's `CK_SP800_108_DKM_LENGTH_FORMAT`.
#[repr(C)]
#[derive(Clone, Copy)]
struct LengthFormat {
    method: CK_ULONG,
    bits: CK_ULONG,
}

/// CloudHSM's numbers for the pieces of the input, and the older ones.
mod piece {
    use base::ck::CK_ULONG;
    pub(super) const COUNTER: CK_ULONG = 1;
    pub(super) const LENGTH: CK_ULONG = 2;
    pub(super) const BYTES: CK_ULONG = 3;
    pub(super) const OLD_COUNTER: CK_ULONG = 4;
    pub(super) const OLD_LABEL: CK_ULONG = 5;
    pub(super) const OLD_CONTEXT: CK_ULONG = 6;
    pub(super) const OLD_LENGTH: CK_ULONG = 7;
}

type Piece = Field<'static>;

impl Caller {
    /// The IV of an AES key wrap.
    pub(super) fn wrap_iv(&self, kind: ParameterKind) -> Result<Parameter> {
        if self.is_empty() {
            return Ok(Parameter::None);
        }
        match kind {
            ParameterKind::PaddedWrapIv if self.structure::<[u8; 4]>()? == PADDED_IV => Ok(Parameter::None),
            ParameterKind::WrapIvDefault if self.structure::<[u8; 8]>()? == DEFAULT_IV => Ok(Parameter::None),
            ParameterKind::WrapIv => Ok(Parameter::ShortIv(self.structure()?)),
            _ => Err(BAD),
        }
    }

    /// `CK_RSA_AES_KEY_WRAP_PARAMS`.
    pub(super) fn rsa_aes(&self, kind: ParameterKind) -> Result<Parameter> {
        let parameter: CK_RSA_AES_KEY_WRAP_PARAMS = self.structure()?;
        let key_length = match parameter.ulAESKeyBits {
            bits @ (128 | 192 | 256) => usize::try_from(bits / 8).map_err(|_| BAD)?,
            _ => return Err(BAD),
        };
        // SAFETY: NULL or a CK_RSA_PKCS_OAEP_PARAMS, by the caller's word (`Caller::new`).
        let oaep = unsafe { memory::read(parameter.pOAEPParams) }.map_err(|_| BAD)?;
        let oaep = Self::oaep_of(&oaep, kind == ParameterKind::RsaAesSameHash)?;
        Ok(Parameter::RsaAes(Box::new(RsaAes { key_length, oaep })))
    }

    /// `CK_ECDH1_DERIVE_PARAMS`.
    pub(super) fn agreement(&self, kind: ParameterKind) -> Result<Parameter> {
        let parameter: CK_ECDH1_DERIVE_PARAMS = self.structure()?;
        let hash = derivation(parameter.kdf, kind)?;
        // CKD_NULL has no use for shared information, and the standard wants none (PKCS#11 3.2 section 6.3.18).
        if hash.is_none() && parameter.ulSharedDataLen != 0 {
            return Err(BAD);
        }
        let information = Self::bytes(parameter.pSharedData, parameter.ulSharedDataLen, LONGEST_FIELD)?;
        let point = Self::bytes(parameter.pPublicData, parameter.ulPublicDataLen, LONGEST_POINT)?;
        Ok(Parameter::Agreement(Box::new(Agreement { hash, information: information.into(), point: point.into() })))
    }

    /// `CK_SP800_108_KDF_PARAMS`, the standard's or CloudHSM's.
    pub(super) fn counter_kdf(&self, kind: ParameterKind) -> Result<Parameter> {
        let (parameter, standard) = match kind {
            ParameterKind::CounterKdf => {
                let five: ck::CK_SP800_108_KDF_PARAMS = self.structure()?;
                // Several keys of one derivation are not served.
                if five.ulAdditionalDerivedKeys != 0 {
                    return Err(BAD);
                }
                let three = ThreeFields { prf: five.prfType, count: five.ulNumberOfDataParams, data: five.pDataParams };
                (three, true)
            }
            _ => (self.structure()?, false),
        };
        if parameter.count == 0 || parameter.count > MOST_FIELDS || parameter.data.is_null() {
            return Err(BAD);
        }
        let pieces = (0..usize::try_from(parameter.count).map_err(|_| BAD)?)
            // SAFETY: an array of so many entries by the caller's word, not NULL; read unaligned, by value.
            .map(|at| unsafe { parameter.data.add(at).read_unaligned() });
        let fields = if standard { standard_fields(pieces)? } else { cloudhsm_fields(pieces)? };
        Ok(Parameter::CounterKdf(Box::new(CounterKdf { prf: prf(parameter.prf)?, fields })))
    }
}

/// The hash of a key derivation function; none for CKD_NULL.
fn derivation(kdf: CK_ULONG, kind: ParameterKind) -> Result<Option<Hash>> {
    let hash = match (kdf, kind) {
        (ck::CKD_NULL, _) => return Ok(None),
        (vendor::CKD_CLOUDHSM_X963_SHA1_KDF, _) | (ck::CKD_SHA1_KDF, ParameterKind::Agreement) => Hash::Sha1,
        (vendor::CKD_CLOUDHSM_X963_SHA224_KDF, _) | (ck::CKD_SHA224_KDF, ParameterKind::Agreement) => Hash::Sha224,
        (vendor::CKD_CLOUDHSM_X963_SHA256_KDF, _) | (ck::CKD_SHA256_KDF, ParameterKind::Agreement) => Hash::Sha256,
        (vendor::CKD_CLOUDHSM_X963_SHA384_KDF, _) | (ck::CKD_SHA384_KDF, ParameterKind::Agreement) => Hash::Sha384,
        (vendor::CKD_CLOUDHSM_X963_SHA512_KDF, _) | (ck::CKD_SHA512_KDF, ParameterKind::Agreement) => Hash::Sha512,
        _ => return Err(BAD),
    };
    Ok(Some(hash))
}

fn prf(mechanism: CK_MECHANISM_TYPE) -> Result<Prf> {
    match mechanism {
        ck::CKM_AES_CMAC => Ok(Prf::Cmac),
        ck::CKM_SHA_1_HMAC => Ok(Prf::Hmac(Hash::Sha1)),
        ck::CKM_SHA224_HMAC => Ok(Prf::Hmac(Hash::Sha224)),
        ck::CKM_SHA256_HMAC => Ok(Prf::Hmac(Hash::Sha256)),
        ck::CKM_SHA384_HMAC => Ok(Prf::Hmac(Hash::Sha384)),
        ck::CKM_SHA512_HMAC => Ok(Prf::Hmac(Hash::Sha512)),
        _ => Err(BAD),
    }
}

/// The value of a piece as a structure of exactly its size.
fn value<T: Copy>(piece: &CK_PRF_DATA_PARAM) -> Result<T> {
    if piece.ulValueLen != size_of::<T>() as CK_ULONG {
        return Err(BAD);
    }
    // SAFETY: NULL or of this size, by the caller's word (`Caller::new`); T is plain data.
    unsafe { memory::read(piece.pValue.cast::<T>()) }.map_err(|_| BAD)
}

fn bytes(piece: &CK_PRF_DATA_PARAM) -> Result<Piece> {
    Ok(Field::Bytes(Caller::bytes(piece.pValue.cast::<CK_BYTE>(), piece.ulValueLen, LONGEST_FIELD)?.to_vec().into()))
}

/// A width in bits as one in bytes, if it is among the allowed.
fn width(bits: CK_ULONG, allowed: &[CK_ULONG]) -> Result<usize> {
    usize::try_from(bits / 8).ok().filter(|_| allowed.contains(&bits)).ok_or(BAD)
}

/// The standard's pieces (PKCS#11 3.2 section 6.42.3).
fn standard_fields(pieces: impl Iterator<Item = CK_PRF_DATA_PARAM>) -> Result<Vec<Piece>> {
    pieces
        .map(|piece| match piece.type_ {
            ck::CK_SP800_108_ITERATION_VARIABLE => {
                let format: CK_SP800_108_COUNTER_FORMAT = value(&piece)?;
                let bytes = width(format.ulWidthInBits, &[8, 16, 24, 32])?;
                Ok(Field::Counter { bytes, little_endian: format.bLittleEndian != ck::CK_FALSE })
            }
            ck::CK_SP800_108_DKM_LENGTH => {
                let format: CK_SP800_108_DKM_LENGTH_FORMAT = value(&piece)?;
                let segments = match format.dkmLengthMethod {
                    ck::CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS => false,
                    ck::CK_SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS => true,
                    _ => return Err(BAD),
                };
                let bytes = width(format.ulWidthInBits, &[8, 16, 24, 32, 40, 48, 56, 64])?;
                Ok(Field::Length { bytes, little_endian: format.bLittleEndian != ck::CK_FALSE, segments })
            }
            ck::CK_SP800_108_BYTE_ARRAY => bytes(&piece),
            _ => Err(BAD),
        })
        .collect()
}

/// CloudHSM's pieces: in the order given, or of the older kind, which have an order of their own.
fn cloudhsm_fields(pieces: impl Iterator<Item = CK_PRF_DATA_PARAM>) -> Result<Vec<Piece>> {
    let pieces: Vec<_> = pieces.collect();
    if pieces.iter().any(|piece| (piece::OLD_COUNTER..=piece::OLD_LENGTH).contains(&piece.type_)) {
        return older_fields(&pieces);
    }
    pieces
        .iter()
        .map(|piece| match piece.type_ {
            piece::COUNTER => cloudhsm_counter(piece),
            piece::LENGTH => cloudhsm_length(piece),
            piece::BYTES => bytes(piece),
            _ => Err(BAD),
        })
        .collect()
}

fn cloudhsm_counter(piece: &CK_PRF_DATA_PARAM) -> Result<Piece> {
    Ok(Field::Counter { bytes: width(value::<CK_ULONG>(piece)?, &[16, 32])?, little_endian: false })
}

fn cloudhsm_length(piece: &CK_PRF_DATA_PARAM) -> Result<Piece> {
    let format: LengthFormat = value(piece)?;
    // "Only SUM_OF_KEYS works" (comment in AWS's samples).
    if format.method != ck::CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS {
        return Err(BAD);
    }
    Ok(Field::Length { bytes: width(format.bits, &[8, 16, 32, 64])?, little_endian: false, segments: false })
}

/// Whatever the order of the older pieces, the input is counter, label, a zero byte, context, length; each at most once.
fn older_fields(pieces: &[CK_PRF_DATA_PARAM]) -> Result<Vec<Piece>> {
    let known = piece::OLD_COUNTER..=piece::OLD_LENGTH;
    let one = |wanted| {
        let mut found = pieces.iter().filter(move |piece| piece.type_ == wanted);
        match (found.next(), found.next()) {
            (first, None) => Ok(first),
            _ => Err(BAD),
        }
    };
    if pieces.iter().any(|piece| !known.contains(&piece.type_)) {
        return Err(BAD);
    }
    let mut fields = vec![cloudhsm_counter(one(piece::OLD_COUNTER)?.ok_or(BAD)?)?];
    fields.extend(one(piece::OLD_LABEL)?.map(bytes).transpose()?);
    fields.push(Field::Bytes(vec![0].into()));
    fields.extend(one(piece::OLD_CONTEXT)?.map(bytes).transpose()?);
    fields.extend(one(piece::OLD_LENGTH)?.map(cloudhsm_length).transpose()?);
    Ok(fields)
}
