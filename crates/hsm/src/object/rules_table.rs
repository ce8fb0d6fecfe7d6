//! The rule table: what each kind of object does with each attribute, in CloudHSM's dialect and the standard's.
//!
//! CloudHSM's words are those of the User Guide's pages `pkcs11-attributes-interpreting`, `-retrieve` and
//! `modify-attr`; the standard's are PKCS#11 3.2 sections 4.3 to 4.10, with SoftHSM2's choice where the standard
//! says "default is token-specific". How to read a word: [`super::rules`].

use std::sync::OnceLock;

use base::ck::*;
use base::ck::vendor::{CKA_CLOUDHSM_PARAMETER_SET, CKK_CLOUDHSM_ML_DSA};

use super::form;
use super::rules::{Kind, Presence, Rule, rule};

/// What every object has (PKCS#11 3.2 section 4.4).
const STORAGE: &[Rule] = &[
    //                         gcudrc    gcudrc
    rule(CKA_TOKEN,           "ffffyk", "ffffyc"),
    rule(CKA_LABEL,           "eeeeyy", "eeeeey"),
    rule(CKA_MODIFIABLE,      "ttttyf", "ttttyc"),
    rule(CKA_DESTROYABLE,     "ttttyd", "ttttyy"),
    rule(CKA_COPYABLE,        "------", "ttttyf"),
    rule(CKA_UNIQUE_ID,       "------", "RRRRy-"),
];

/// What every key has besides (section 4.7).
const KEY: &[Rule] = &[
    rule(CKA_CLASS,              "ymmmy-", "ymmyy-"),
    rule(CKA_KEY_TYPE,           "ymmmy-", "ymmyy-"),
    rule(CKA_ID,                 "eeeeyy", "eeeeey"),
    rule(CKA_DERIVE,             "ffffyd", "ffffyy"),
    rule(CKA_LOCAL,              "RRRXy-", "RRRRy-"),
    rule(CKA_START_DATE,         "------", "eeeeey"),
    rule(CKA_END_DATE,           "------", "eeeeey"),
    rule(CKA_KEY_GEN_MECHANISM,  "------", "RRRRy-"),
    rule(CKA_ALLOWED_MECHANISMS, "------", "yyyye-"),
    rule(CKA_CHECK_VALUE,        "RRRRy-", "------"),
    rule(CKA_OBJECT_VALIDATION_FLAGS, "------", "RzRR0-"),
];

/// Public keys (section 4.8): on CloudHSM they are private objects that every user sees.
const PUBLIC_KEY: &[Rule] = &[
    rule(CKA_PRIVATE,         "TTTTy-", "ffffyc"),
    rule(CKA_DERIVE,          "ff--yf", "ff--yy"),
    rule(CKA_SUBJECT,         "------", "ee--ey"),
    rule(CKA_ENCRYPT,         "------", "ff--yy"),
    rule(CKA_VERIFY,          "ff--yd", "tt--yy"),
    rule(CKA_VERIFY_RECOVER,  "------", "ff--yy"),
    rule(CKA_WRAP,            "------", "ff--yy"),
    rule(CKA_ENCAPSULATE,     "------", "FF--yf"),
    rule(CKA_TRUSTED,         "ff--yo", "ff--yo"),
    rule(CKA_WRAP_TEMPLATE,   "ee--yd", "ee--e-"),
    rule(CKA_PUBLIC_KEY_INFO, "------", "yy--pc"),
];

/// Private keys (section 4.9).
const PRIVATE_KEY: &[Rule] = &[
    rule(CKA_PRIVATE,             "TTTTy-", "ttttyc"),
    rule(CKA_SUBJECT,             "------", "eee-ey"),
    rule(CKA_DECRYPT,             "------", "fff-yy"),
    rule(CKA_SIGN,                "fff-yd", "ttt-yy"),
    rule(CKA_SIGN_RECOVER,        "------", "fff-yy"),
    rule(CKA_UNWRAP,              "------", "fff-yy"),
    rule(CKA_DECAPSULATE,         "------", "FFF-yf"),
    rule(CKA_SENSITIVE,           "Ttt-yt", "ttt-yt"),
    rule(CKA_EXTRACTABLE,         "ttt-yf", "fft-yf"),
    rule(CKA_ALWAYS_SENSITIVE,    "RRR-y-", "RRR-y-"),
    rule(CKA_NEVER_EXTRACTABLE,   "RRR-y-", "RRR-y-"),
    rule(CKA_WRAP_WITH_TRUSTED,   "ff--yt", "fff-yt"),
    rule(CKA_UNWRAP_TEMPLATE,     "ee--yd", "eee-e-"),
    rule(CKA_DERIVE_TEMPLATE,     "------", "yyy-e-"),
    rule(CKA_ALWAYS_AUTHENTICATE, "------", "FFF-y-"),
    rule(CKA_PUBLIC_KEY_INFO,     "------", "yyy-py"),
];

/// Secret keys (section 4.10).
const SECRET_KEY: &[Rule] = &[
    rule(CKA_PRIVATE,           "TTTTy-", "ttttyc"),
    rule(CKA_SIGN,              "tfffyd", "ttttyy"),
    rule(CKA_VERIFY,            "tfffyd", "ttttyy"),
    rule(CKA_SENSITIVE,         "tttXyt", "ttttyt"),
    rule(CKA_EXTRACTABLE,       "ttttyf", "fftfyf"),
    rule(CKA_ALWAYS_SENSITIVE,  "-RRRy-", "RRRRy-"),
    rule(CKA_NEVER_EXTRACTABLE, "RRRRy-", "RRRRy-"),
    rule(CKA_WRAP_WITH_TRUSTED, "ff--yt", "ffffyt"),
    rule(CKA_WRAP_TEMPLATE,     "------", "yyyye-"),
    rule(CKA_UNWRAP_TEMPLATE,   "------", "yyyye-"),
    rule(CKA_DERIVE_TEMPLATE,   "------", "yyyye-"),
    rule(CKA_VALUE,             "-m--S-", "-m--S-"),
    rule(CKA_VALUE_LEN,         "m--my-", "m-yyy-"),
];

/// A block cipher's key can also encrypt and wrap.
const CIPHER_KEY: &[Rule] = &[
    rule(CKA_ENCRYPT,         "ffffyd", "ttttyy"),
    rule(CKA_DECRYPT,         "ffffyd", "ttttyy"),
    rule(CKA_WRAP,            "ffffyd", "ffffyy"),
    rule(CKA_UNWRAP,          "ffffyd", "ffffyy"),
    rule(CKA_WRAP_TEMPLATE,   "ee--yd", "eeeee-"),
    rule(CKA_UNWRAP_TEMPLATE, "ee--yd", "eeeee-"),
    rule(CKA_TRUSTED,         "ff--yo", "ffffyo"),
    rule(CKA_CHECK_VALUE,     "RRRRy-", "yyyyy-"),
];

/// A key of triple DES has one length.
const DES3_KEY: &[Rule] = &[
    rule(CKA_VALUE_LEN, "------", "------"),
];

/// A generic secret: CloudHSM keeps it to HMAC and derivation, and shows no check value.
const GENERIC_SECRET: &[Rule] = &[
    rule(CKA_ENCRYPT,         "------", "ffffyy"),
    rule(CKA_DECRYPT,         "------", "ffffyy"),
    rule(CKA_WRAP,            "------", "ffffyy"),
    rule(CKA_UNWRAP,          "------", "ffffyy"),
    rule(CKA_TRUSTED,         "----yo", "ffffyo"),
    rule(CKA_CHECK_VALUE,     "RRRR--", "yyyyy-"),
];

const RSA_PUBLIC_KEY: &[Rule] = &[
    rule(CKA_ENCRYPT,         "ff--yd", "tt--yy"),
    rule(CKA_WRAP,            "ff--yd", "ff--yy"),
    rule(CKA_VERIFY_RECOVER,  "----y-", "ff--yy"),
    rule(CKA_MODULUS,         "-m--y-", "-m--y-"),
    rule(CKA_MODULUS_BITS,    "m---y-", "m---y-"),
    rule(CKA_PUBLIC_EXPONENT, "mm--y-", "ym--y-"),
];

const RSA_PRIVATE_KEY: &[Rule] = &[
    rule(CKA_DECRYPT,          "fff-yd", "ttt-yy"),
    rule(CKA_UNWRAP,           "fff-yd", "fff-yy"),
    rule(CKA_SIGN_RECOVER,     "----y-", "fff-yy"),
    rule(CKA_MODULUS,          "-m--y-", "-m--y-"),
    rule(CKA_PUBLIC_EXPONENT,  "-m--y-", "-m--y-"),
    rule(CKA_PRIVATE_EXPONENT, "-m--N-", "-m--S-"),
    rule(CKA_PRIME_1,          "-y--N-", "-y--S-"),
    rule(CKA_PRIME_2,          "-y--N-", "-y--S-"),
    rule(CKA_EXPONENT_1,       "-y--N-", "-y--S-"),
    rule(CKA_EXPONENT_2,       "-y--N-", "-y--S-"),
    rule(CKA_COEFFICIENT,      "-y--N-", "-y--S-"),
];

const EC_PUBLIC_KEY: &[Rule] = &[
    rule(CKA_ENCRYPT,   "f----d", "ff--yy"),
    rule(CKA_WRAP,      "f----d", "ff--yy"),
    rule(CKA_EC_PARAMS, "mm--y-", "mm--y-"),
    rule(CKA_EC_POINT,  "-m--y-", "-m--y-"),
];

const EC_PRIVATE_KEY: &[Rule] = &[
    rule(CKA_DECRYPT,   "f---yd", "fff-yy"),
    rule(CKA_UNWRAP,    "f---yd", "fff-yy"),
    rule(CKA_EC_PARAMS, "-m--y-", "-m--y-"),
    rule(CKA_VALUE,     "-m--N-", "-m--S-"),
];

/// ML-DSA (section 6.67). AWS gives a table for generation only: there is no import, no wrapping, no history, no check value.
const ML_DSA_PUBLIC_KEY: &[Rule] = &[
    rule(CKA_CLASS,         "y---y-", "ym--y-"),
    rule(CKA_KEY_TYPE,      "y---y-", "ym--y-"),
    rule(CKA_DERIVE,        "------", "ff--yy"),
    rule(CKA_WRAP_TEMPLATE, "------", "ee--e-"),
    rule(CKA_CHECK_VALUE,   "------", "------"),
    rule(CKA_VALUE,         "----y-", "-m--y-"),
];

const ML_DSA_PRIVATE_KEY: &[Rule] = &[
    rule(CKA_CLASS,             "y---y-", "ym--y-"),
    rule(CKA_KEY_TYPE,          "y---y-", "ym--y-"),
    rule(CKA_DERIVE,            "------", "ff--yy"),
    rule(CKA_SENSITIVE,         "t---yt", "tt--yt"),
    rule(CKA_ALWAYS_SENSITIVE,  "------", "RR--y-"),
    rule(CKA_NEVER_EXTRACTABLE, "------", "RR--y-"),
    rule(CKA_UNWRAP_TEMPLATE,   "------", "ee--e-"),
    rule(CKA_CHECK_VALUE,       "------", "------"),
    rule(CKA_VALUE,             "------", "-y--S-"),
    rule(CKA_SEED,              "------", "-y--S-"),
];

/// The parameter set by CloudHSM's name, and by the standard's.
const CLOUDHSM_PARAMETER_SET: &[Rule] = &[
    rule(CKA_CLOUDHSM_PARAMETER_SET, "y---y-", "ym--y-"),
];
const PARAMETER_SET: &[Rule] = &[
    rule(CKA_PARAMETER_SET, "------", "ym--y-"),
];

/// Data objects (section 4.5); CloudHSM has none.
const DATA: &[Rule] = &[
    rule(CKA_CLASS,       "------", "-m--y-"),
    rule(CKA_PRIVATE,     "------", "-t--yc"),
    rule(CKA_APPLICATION, "------", "-e--ey"),
    rule(CKA_OBJECT_ID,   "------", "-e--ey"),
    rule(CKA_VALUE,       "------", "-e--ey"),
];

/// X.509 certificates (section 4.6.3; User Guide, pkcs11-certificate-storage-attributes). A type and a category of 0 are
/// CKC_X_509 and "unspecified".
const CERTIFICATE: &[Rule] = &[
    rule(CKA_CLASS,                "-m--y-", "-m--y-"),
    rule(CKA_TOKEN,                "-T--y-", "-f--yc"),
    rule(CKA_MODIFIABLE,           "-T--y-", "-t--yc"),
    rule(CKA_DESTROYABLE,          "-T--y-", "-t--yy"),
    rule(CKA_COPYABLE,             "-F--y-", "-t--yf"),
    rule(CKA_PRIVATE,              "-F--y-", "-f--yc"),
    rule(CKA_CERTIFICATE_TYPE,     "-Z--y-", "-Z--y-"),
    rule(CKA_TRUSTED,              "-F--y-", "-f--yo"),
    rule(CKA_CERTIFICATE_CATEGORY, "-z--y-", "-y--0-"),
    rule(CKA_CHECK_VALUE,          "-R--y-", "-y--y-"),
    rule(CKA_START_DATE,           "-e--y-", "-e--ey"),
    rule(CKA_END_DATE,             "-e--y-", "-e--ey"),
    rule(CKA_SUBJECT,              "-m--y-", "-m--y-"),
    rule(CKA_ID,                   "-e--yy", "-e--ey"),
    rule(CKA_ISSUER,               "-e--yy", "-e--ey"),
    rule(CKA_SERIAL_NUMBER,        "-e--yy", "-e--ey"),
    rule(CKA_VALUE,                "-m--y-", "-m--y-"),
    rule(CKA_PUBLIC_KEY_INFO,      "-e--y-", "-e--e-"),
    rule(CKA_URL,                  "------", "-e--e-"),
    rule(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, "------", "-y--e-"),
    rule(CKA_HASH_OF_ISSUER_PUBLIC_KEY,  "------", "-y--e-"),
    rule(CKA_JAVA_MIDP_SECURITY_DOMAIN,  "------", "-y--0-"),
    rule(CKA_NAME_HASH_ALGORITHM,        "------", "-y--h-"),
];

/// Every kind of object that is built.
pub(super) static KINDS: [Kind; 15] = [
    Kind {
        name: "aes",
        class: CKO_SECRET_KEY,
        key_type: Some(CKK_AES),
        cloudhsm: Presence::Always,
        form: &form::AES_KEY,
        lists: &[CIPHER_KEY, SECRET_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "des3",
        class: CKO_SECRET_KEY,
        key_type: Some(CKK_DES3),
        cloudhsm: Presence::Always,
        form: &form::DES3_KEY,
        lists: &[DES3_KEY, CIPHER_KEY, SECRET_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "generic-secret",
        class: CKO_SECRET_KEY,
        key_type: Some(CKK_GENERIC_SECRET),
        cloudhsm: Presence::Always,
        form: &form::GENERIC_SECRET,
        lists: &[GENERIC_SECRET, SECRET_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "rsa-public",
        class: CKO_PUBLIC_KEY,
        key_type: Some(CKK_RSA),
        cloudhsm: Presence::Always,
        form: &form::RSA_PUBLIC,
        lists: &[RSA_PUBLIC_KEY, PUBLIC_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "rsa-private",
        class: CKO_PRIVATE_KEY,
        key_type: Some(CKK_RSA),
        cloudhsm: Presence::Always,
        form: &form::RSA_PRIVATE,
        lists: &[RSA_PRIVATE_KEY, PRIVATE_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "ec-public",
        class: CKO_PUBLIC_KEY,
        key_type: Some(CKK_EC),
        cloudhsm: Presence::Always,
        form: &form::EC_PUBLIC,
        lists: &[EC_PUBLIC_KEY, PUBLIC_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "ec-private",
        class: CKO_PRIVATE_KEY,
        key_type: Some(CKK_EC),
        cloudhsm: Presence::Always,
        form: &form::EC_PRIVATE,
        lists: &[EC_PRIVATE_KEY, PRIVATE_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "ml-dsa-public",
        class: CKO_PUBLIC_KEY,
        key_type: Some(CKK_CLOUDHSM_ML_DSA),
        cloudhsm: Presence::Always,
        form: &form::ML_DSA_PUBLIC,
        lists: &[CLOUDHSM_PARAMETER_SET, ML_DSA_PUBLIC_KEY, PUBLIC_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "ml-dsa-private",
        class: CKO_PRIVATE_KEY,
        key_type: Some(CKK_CLOUDHSM_ML_DSA),
        cloudhsm: Presence::Always,
        form: &form::ML_DSA_PRIVATE,
        lists: &[CLOUDHSM_PARAMETER_SET, ML_DSA_PRIVATE_KEY, PRIVATE_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "standard ml-dsa-public",
        class: CKO_PUBLIC_KEY,
        key_type: Some(CKK_ML_DSA),
        cloudhsm: Presence::Never,
        form: &form::ML_DSA_PUBLIC,
        lists: &[PARAMETER_SET, ML_DSA_PUBLIC_KEY, PUBLIC_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "standard ml-dsa-private",
        class: CKO_PRIVATE_KEY,
        key_type: Some(CKK_ML_DSA),
        cloudhsm: Presence::Never,
        form: &form::ML_DSA_PRIVATE,
        lists: &[PARAMETER_SET, ML_DSA_PRIVATE_KEY, PRIVATE_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "ec-edwards-public",
        class: CKO_PUBLIC_KEY,
        key_type: Some(CKK_EC_EDWARDS),
        cloudhsm: Presence::Never,
        form: &form::EDWARDS_PUBLIC,
        lists: &[EC_PUBLIC_KEY, PUBLIC_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind {
        name: "ec-edwards-private",
        class: CKO_PRIVATE_KEY,
        key_type: Some(CKK_EC_EDWARDS),
        cloudhsm: Presence::Never,
        form: &form::EDWARDS_PRIVATE,
        lists: &[EC_PRIVATE_KEY, PRIVATE_KEY, KEY, STORAGE],
        sorted: OnceLock::new(),
    },
    Kind { name: "data", class: CKO_DATA, key_type: None, cloudhsm: Presence::Never, form: &form::NOTHING, lists: &[DATA, STORAGE], sorted: OnceLock::new() },
    Kind { name: "certificate", class: CKO_CERTIFICATE, key_type: None, cloudhsm: Presence::IfStored, form: &form::CERTIFICATE, lists: &[CERTIFICATE, STORAGE], sorted: OnceLock::new() },
];
