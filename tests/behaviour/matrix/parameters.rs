//! The forms of a mechanism's parameter: what is right, and what is wrong.

use super::derivation;
use super::functions::Function;
use super::secure;
use super::table::Setting;
use crate::support::*;

/// What the table calls a parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    None,
    Iv16,
    Iv8,
    Counter,
    GcmZeroed,
    GcmNull,
    Gcm,
    PssOneHash,
    Pss,
    OaepOneHash,
    Oaep,
    RsaAesOneHash,
    RsaAes,
    WrapIvDefault,
    WrapIv,
    KwpIv,
    X963,
    Ecdh,
    CounterKdf3,
    CounterKdf5,
    EddsaPh,
    Eddsa,
    Context,
}

impl Form {
    pub(super) fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "none" => Self::None,
            "iv16" => Self::Iv16,
            "iv8" => Self::Iv8,
            "counter" => Self::Counter,
            "gcm-zeroed" => Self::GcmZeroed,
            "gcm-null" => Self::GcmNull,
            "gcm" => Self::Gcm,
            "pss-one-hash" => Self::PssOneHash,
            "pss" => Self::Pss,
            "oaep-one-hash" => Self::OaepOneHash,
            "oaep" => Self::Oaep,
            "rsa-aes-one-hash" => Self::RsaAesOneHash,
            "rsa-aes" => Self::RsaAes,
            "wrap-iv-default" => Self::WrapIvDefault,
            "wrap-iv" => Self::WrapIv,
            "kwp-iv" => Self::KwpIv,
            "x963" => Self::X963,
            "ecdh" => Self::Ecdh,
            "counter-kdf-3" => Self::CounterKdf3,
            "counter-kdf-5" => Self::CounterKdf5,
            "eddsa-ph" => Self::EddsaPh,
            "eddsa" => Self::Eddsa,
            "context" => Self::Context,
            other => return Err(format!("no parameter: {other}")),
        })
    }

    /// The lengths that are right, in bytes.
    pub(super) fn lengths(self) -> &'static [usize] {
        match self {
            Self::None => &[0],
            Self::Iv16 | Self::RsaAesOneHash | Self::RsaAes => &[16],
            Self::Iv8 => &[8],
            Self::WrapIvDefault | Self::WrapIv => &[0, 8],
            Self::KwpIv => &[0, 4],
            Self::Counter | Self::PssOneHash | Self::Pss | Self::CounterKdf3 => &[24],
            // 2.40 printed CK_GCM_PARAMS without ulIvBits, which AWS's header has too (inferred).
            Self::GcmZeroed | Self::GcmNull | Self::Gcm => &[40, 48],
            Self::OaepOneHash | Self::Oaep | Self::X963 | Self::Ecdh | Self::CounterKdf5 => &[40],
            Self::EddsaPh | Self::Eddsa | Self::Context => &[0, 24],
        }
    }
}

/// The hash of a digest mechanism, by the mask function over it.
pub(super) const MASKS: [(CK_MECHANISM_TYPE, CK_ULONG, CK_ULONG); 5] = [
    (CKM_SHA_1, CKG_MGF1_SHA1, 20),
    (CKM_SHA224, CKG_MGF1_SHA224, 28),
    (CKM_SHA256, CKG_MGF1_SHA256, 32),
    (CKM_SHA384, CKG_MGF1_SHA384, 48),
    (CKM_SHA512, CKG_MGF1_SHA512, 64),
];

/// CK_RSA_PKCS_OAEP_PARAMS.
fn oaep(name: &str, hash: CK_ULONG, mask: CK_ULONG) -> Parameter {
    Parameter::words(name, &[hash, mask, CKZ_DATA_SPECIFIED, 0, 0])
}

/// CK_RSA_AES_KEY_WRAP_PARAMS.
fn rsa_aes(bits: CK_ULONG, oaep: &Parameter) -> Parameter {
    let mut memory = Memory::default();
    let words = [bits, memory.place(&oaep.bytes)];
    Parameter::words(format!("{bits} bits, {}", oaep.name), &words).keeping(memory)
}

/// CK_GCM_PARAMS.
fn gcm_of(name: &str, iv: &[u8], bits: CK_ULONG, tag: CK_ULONG) -> Parameter {
    let mut memory = Memory::default();
    let words = [memory.place(iv), iv.len() as CK_ULONG, bits, 0, 0, tag];
    Parameter::words(name, &words).keeping(memory)
}

/// A structure of a flag, a length and a pointer: CK_EDDSA_PARAMS; or a flag, a pointer and a length:
/// CK_SIGN_ADDITIONAL_CONTEXT.
fn context(name: &str, form: Form, flag: CK_ULONG, context: &[u8]) -> Parameter {
    let mut memory = Memory::default();
    let (place, length) = (memory.place(context), context.len() as CK_ULONG);
    let words = if form == Form::Context { [flag, place, length] } else { [flag, length, place] };
    Parameter::words(name, &words).keeping(memory)
}

/// Right parameters for a function, the plainest first; in secure mode, those that its rules leave.
pub(super) fn right_for(
    function: Function,
    form: Form,
    hash: Option<CK_MECHANISM_TYPE>,
    setting: Setting,
) -> Vec<Parameter> {
    let mut all = right(form, hash, setting);
    if setting.secure {
        all.retain(|parameter| secure::takes(form, function, parameter));
    }
    all
}

/// What secure mode makes wrong of what is right otherwise.
fn refused_in_secure_mode(
    function: Function,
    form: Form,
    hash: Option<CK_MECHANISM_TYPE>,
    setting: Setting,
) -> Vec<Parameter> {
    let mut all = right(form, hash, setting);
    all.retain(|parameter| setting.secure && !secure::takes(form, function, parameter));
    all
}

/// Right parameters, the plainest first.
fn right(form: Form, hash: Option<CK_MECHANISM_TYPE>, setting: Setting) -> Vec<Parameter> {
    let hash = hash.unwrap_or(CKM_SHA256);
    let own = MASKS.into_iter().find(|(own, _, _)| *own == hash).expect("a hash");
    match form {
        Form::None => vec![Parameter::none()],
        Form::Iv16 => vec![Parameter::bytes("an IV", &[1; 16])],
        Form::Iv8 => vec![Parameter::bytes("an IV", &[1; 8])],
        Form::WrapIvDefault => vec![Parameter::none(), Parameter::bytes("the default IV", &[0xA6; 8])],
        Form::WrapIv => vec![Parameter::none(), Parameter::bytes("an IV", &[3; 8])],
        Form::KwpIv => vec![Parameter::none(), Parameter::bytes("the IV of RFC 5649", &hex("A65959A6"))],
        Form::Counter => {
            [32, 1, 128].map(|bits| Parameter::words(format!("a counter of {bits} bits"), &[bits, 7, 7])).into()
        }
        // AWS's sample passes no ulIvBits, another client 96; both work (User Guide, pkcs11-mechanisms, and its samples).
        Form::GcmZeroed => vec![
            gcm_of("a zeroed IV", &[0; 12], 0, 128),
            gcm_of("a zeroed IV, ulIvBits", &[0; 12], 96, 128),
            gcm_of("a tag of 64 bits", &[0; 12], 96, 64),
        ],
        Form::GcmNull => vec![gcm_of("no IV", &[], 0, 128), gcm_of("a tag of 64 bits", &[], 0, 64)],
        Form::Gcm => vec![gcm_of("an IV", &[9; 12], 96, 128), gcm_of("an IV of 16", &[9; 16], 128, 96)],
        Form::PssOneHash => vec![
            Parameter::words("salt as long as the hash", &[own.0, own.1, own.2]),
            Parameter::words("a salt of 10", &[own.0, own.1, 10]),
            Parameter::words("no salt", &[own.0, own.1, 0]),
        ],
        Form::Pss => {
            let mut all = right(Form::PssOneHash, Some(hash), setting);
            all.extend(MASKS.map(|mask| Parameter::words(format!("mask {}", mask.1), &[own.0, mask.1, 20])));
            all
        }
        Form::OaepOneHash => MASKS.map(|(hash, mask, _)| oaep(&format!("hash {hash:#x}"), hash, mask)).into(),
        Form::Oaep => {
            let mut all = right(Form::OaepOneHash, None, setting);
            all.push(oaep("two hashes", CKM_SHA256, CKG_MGF1_SHA1));
            all
        }
        Form::RsaAesOneHash => {
            let all = right(Form::OaepOneHash, None, setting);
            [256, 128, 192].iter().flat_map(|bits| all.iter().map(|inner| rsa_aes(*bits, inner))).collect()
        }
        Form::RsaAes => vec![
            rsa_aes(256, &oaep("two hashes", CKM_SHA256, CKG_MGF1_SHA1)),
            rsa_aes(256, &oaep("one hash", CKM_SHA256, CKG_MGF1_SHA256)),
        ],
        Form::EddsaPh => vec![Parameter::none(), context("Ed25519ph", form, 1, &[])],
        Form::Eddsa => vec![
            Parameter::none(),
            context("Ed25519ph", form, 1, &[]),
            context("Ed25519ph with a context", form, 1, b"context"),
            context("Ed25519ctx", form, 0, &[1; 255]),
            context("Ed25519 with a parameter that says nothing", form, 0, &[]),
        ],
        Form::Context => vec![
            Parameter::none(),
            context("no context", form, CKH_HEDGE_PREFERRED, &[]),
            context("a context", form, CKH_HEDGE_REQUIRED, &[1; 255]),
        ],
        Form::X963 | Form::Ecdh => derivation::right_agreements(form, setting),
        Form::CounterKdf3 | Form::CounterKdf5 => derivation::right_counters(form),
    }
}

/// Wrong parameters of the right length.
pub(super) fn wrong(
    form: Form,
    hash: Option<CK_MECHANISM_TYPE>,
    function: Function,
    setting: Setting,
) -> Vec<Parameter> {
    let mut all = refused_in_secure_mode(function, form, hash, setting);
    let tags = [1, 127, 129, 136, CK_ULONG::MAX];
    let encrypts = matches!(function, Function::Encrypt | Function::Wrap);
    match form {
        Form::None | Form::Iv16 | Form::Iv8 => {}
        Form::WrapIvDefault => {
            all.push(Parameter::bytes("another IV", &[0; 8]));
            all.push(Parameter::bytes("nearly the default IV", &hex("A6A6A6A6A6A6A6A7")));
        }
        Form::WrapIv | Form::KwpIv => {}
        Form::Counter => {
            for bits in [0, 129, CK_ULONG::MAX] {
                all.push(Parameter::words(format!("a counter of {bits} bits"), &[bits, 7, 7]));
            }
        }
        Form::GcmZeroed => {
            // Decryption takes the IV that encryption has written.
            if encrypts {
                all.push(gcm_of("an IV of the caller's", &[1; 12], 96, 128));
                all.push(gcm_of("an IV that ends in 1", &hex("000000000000000000000001"), 96, 128));
            }
            for length in [0, 1, 11, 13, 16] {
                let iv = vec![0; length];
                all.push(gcm_of(&format!("an IV of {length} bytes"), &iv, 8 * length as CK_ULONG, 128));
            }
            all.push(gcm_of("ulIvBits that are not those of 12 bytes", &[0; 12], 95, 128));
            all.push(Parameter::words("pIv is NULL with a length", &[0, 12, 96, 0, 0, 128]));
            all.extend(tags.map(|tag| gcm_of(&format!("a tag of {tag} bits"), &[0; 12], 96, tag)));
            let mut memory = Memory::default();
            let iv = memory.place(&[0; 12]);
            all.push(Parameter::words("pAAD is NULL with a length", &[iv, 12, 96, 0, 4, 128]).keeping(memory));
        }
        Form::GcmNull => {
            all.push(gcm_of("a zeroed IV", &[0; 12], 96, 128));
            all.push(gcm_of("an IV", &[1; 12], 96, 128));
            all.extend(tags.map(|tag| gcm_of(&format!("a tag of {tag} bits"), &[], 0, tag)));
            all.push(Parameter::words("pAAD is NULL with a length", &[0, 0, 0, 0, 4, 128]));
        }
        Form::Gcm => {
            all.push(gcm_of("no IV", &[], 0, 128));
            all.push(Parameter::words("pIv is NULL with a length", &[0, 12, 96, 0, 0, 128]));
            all.extend(tags.map(|tag| gcm_of(&format!("a tag of {tag} bits"), &[9; 12], 96, tag)));
        }
        Form::PssOneHash | Form::Pss => {
            let own = MASKS.into_iter().find(|(own, _, _)| *own == hash.unwrap_or(CKM_SHA256)).expect("a hash");
            // PKCS#11 3.2, 6.1.14: the hash of the parameter is that of the mechanism; 6.1.10: the salt fits the modulus.
            for other in MASKS.into_iter().filter(|other| other.0 != own.0) {
                if hash.is_some() {
                    all.push(Parameter::words(format!("hash {:#x}", other.0), &[other.0, other.1, 20]));
                }
                if form == Form::PssOneHash {
                    all.push(Parameter::words(format!("mask {}", other.1), &[own.0, other.1, 20]));
                }
            }
            for unknown in [0, CKM_MD5, CKM_AES_ECB] {
                all.push(Parameter::words(format!("hash {unknown:#x}"), &[unknown, own.1, 20]));
            }
            for unknown in [0, 99] {
                all.push(Parameter::words(format!("mask {unknown}"), &[own.0, unknown, 20]));
            }
            for salt in [256 - own.2 - 1, 4096, CK_ULONG::MAX] {
                all.push(Parameter::words(format!("a salt of {salt}"), &[own.0, own.1, salt]));
            }
        }
        Form::OaepOneHash | Form::Oaep => {
            if form == Form::OaepOneHash {
                for (hash, _, _) in MASKS {
                    let others = MASKS.into_iter().filter(|(other, _, _)| *other != hash);
                    all.extend(others.map(|(_, mask, _)| oaep(&format!("hash {hash:#x}, mask {mask}"), hash, mask)));
                }
            }
            for unknown in [0, CKM_MD5, CKM_AES_ECB] {
                all.push(oaep(&format!("hash {unknown:#x}"), unknown, CKG_MGF1_SHA256));
            }
            for unknown in [0, 99] {
                all.push(oaep(&format!("mask {unknown}"), CKM_SHA256, unknown));
            }
            let source = [CKM_SHA256, CKG_MGF1_SHA256, 2, 0, 0];
            all.push(Parameter::words("another source than a label", &source));
            let label = [CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, 0, 4];
            all.push(Parameter::words("a label at NULL with a length", &label));
        }
        Form::RsaAesOneHash | Form::RsaAes => {
            let inner = if form == Form::RsaAes { Form::Oaep } else { Form::OaepOneHash };
            all.extend(wrong(inner, None, function, setting).iter().map(|inner| rsa_aes(256, inner)));
            let good = oaep("one hash", CKM_SHA256, CKG_MGF1_SHA256);
            all.extend([0, 64, 127, 129, 512, CK_ULONG::MAX].map(|bits| rsa_aes(bits, &good)));
            all.push(Parameter::words("no OAEP parameter", &[256, 0]));
        }
        Form::EddsaPh | Form::Eddsa => {
            if form == Form::EddsaPh {
                all.push(context("phFlag is false", form, 0, &[]));
                all.push(context("Ed25519ph with a context", form, 1, b"context"));
            } else {
                all.push(context("a context of 256 bytes", form, 1, &[1; 256]));
            }
            all.push(context("phFlag is 2", form, 2, &[]));
            all.push(Parameter::words("a context at NULL with a length", &[1, 4, 0]));
        }
        Form::Context => {
            all.push(context("a context of 256 bytes", form, CKH_HEDGE_PREFERRED, &[1; 256]));
            all.push(context("an unknown hedge", form, 99, &[]));
            all.push(Parameter::words("a context at NULL with a length", &[CKH_HEDGE_PREFERRED, 0, 4]));
        }
        Form::X963 | Form::Ecdh => all.extend(derivation::wrong_agreements(form, setting)),
        Form::CounterKdf3 | Form::CounterKdf5 => all.extend(derivation::wrong_counters(form)),
    }
    all
}
