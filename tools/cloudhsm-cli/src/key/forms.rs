//! The eight forms in which keys are wrapped, from AWS's names and options to mechanisms and their parameters.

use base::ck::{self, CK_MECHANISM_TYPE, CK_ULONG, vendor};
use clap::Args;
use hsm::mechanism::Parameter;
use hsm::mechanism::parameter::{Gcm, Iv, Oaep, RsaAes};

use crate::input::{HashAndMask, Hex};
use crate::output::Failure;

/// The options of AES-GCM.
#[derive(Args)]
pub(crate) struct GcmOptions {
    /// The length of the tag: 64, 96, 104, 112, 120 or 128
    #[arg(long)]
    tag_length_bits: CK_ULONG,
    /// Additional authenticated data, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = Hex::parse)]
    aad: Option<Hex>,
}

/// A form with its options.
pub(super) enum Form<'a> {
    /// With the IV that the HSM has made when it wrapped the key.
    AesGcm(&'a GcmOptions, Option<&'a Hex>),
    CloudHsmAesGcm(&'a GcmOptions),
    AesNoPad,
    AesPkcs5Pad,
    AesZeroPad,
    RsaAes(&'a HashAndMask),
    RsaOaep(&'a HashAndMask),
    RsaPkcs,
}

/// The length of an IV that the HSM makes.
const IV: usize = 12;
/// The AES key in the middle of RSA-AES, in bytes (AWS KMS: RSA_AES_KEY_WRAP with a key of 256 bits).
const MIDDLE_KEY: usize = 32;

impl Form<'_> {
    /// The mechanism and its parameter.
    pub(super) fn mechanism(&self) -> Result<(CK_MECHANISM_TYPE, Parameter), Failure> {
        Ok(match self {
            Self::AesGcm(options, iv) => (ck::CKM_AES_GCM, options.parameter(*iv)?),
            Self::CloudHsmAesGcm(options) => (vendor::CKM_CLOUDHSM_AES_GCM, options.parameter(None)?),
            Self::AesNoPad => (vendor::CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, Parameter::None),
            Self::AesPkcs5Pad => (vendor::CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD, Parameter::None),
            Self::AesZeroPad => (vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, Parameter::None),
            Self::RsaAes(hashes) => {
                let parameter = RsaAes { key_length: MIDDLE_KEY, oaep: oaep(hashes)? };
                (ck::CKM_RSA_AES_KEY_WRAP, Parameter::RsaAes(Box::new(parameter)))
            }
            Self::RsaOaep(hashes) => (ck::CKM_RSA_PKCS_OAEP, Parameter::Oaep(Box::new(oaep(hashes)?))),
            Self::RsaPkcs => (ck::CKM_RSA_PKCS, Parameter::None),
        })
    }
}

impl GcmOptions {
    fn parameter(&self, iv: Option<&Hex>) -> Result<Parameter, Failure> {
        let bits = self.tag_length_bits;
        let tag_length = Gcm::tag_length(bits).ok_or_else(|| {
            Failure::new(format!("A tag of {bits} bits is not served: 64, 96, 104, 112, 120 or 128 are"))
        })?;
        let iv = match iv {
            None => Iv::Unmade,
            Some(Hex(bytes)) if bytes.len() == IV => Iv::new(bytes),
            Some(_) => return Err(Failure::new("The IV has 12 bytes")),
        };
        let additional = self.aad.as_ref().map_or_else(Box::default, |Hex(bytes)| bytes.as_slice().into());
        Ok(Parameter::Gcm(Gcm { iv, additional, tag_length }))
    }
}

fn oaep(hashes: &HashAndMask) -> Result<Oaep, Failure> {
    let hash = hashes.hash()?;
    Ok(Oaep { hash, mask: hash, label: Box::default() })
}
