//! From an object of SoftHSM2 to the template of one here: what the rules take is carried over, what they do not is named.

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_KEY_TYPE, CK_OBJECT_CLASS};
use base::error::Result;
use cryptoki::object::AttributeType;
use hsm::config::Regime;
use hsm::object::Template;
use hsm::object::rules::{Cell, Kind, Making, kind};

use super::source::Found;

/// A boolean attribute that says what an object may be used for, or how it is kept.
pub(super) struct Flag {
    pub(super) softhsm2: AttributeType,
    pub(super) id: CK_ATTRIBUTE_TYPE,
    name: &'static str,
    /// The value whose loss changes nothing.
    usual: bool,
}

const fn flag(softhsm2: AttributeType, id: CK_ATTRIBUTE_TYPE, name: &'static str, usual: bool) -> Flag {
    Flag { softhsm2, id, name, usual }
}

/// Every flag that is carried over.
pub(super) const FLAGS: [Flag; 18] = [
    flag(AttributeType::Encrypt, ck::CKA_ENCRYPT, "encrypt", false),
    flag(AttributeType::Decrypt, ck::CKA_DECRYPT, "decrypt", false),
    flag(AttributeType::Sign, ck::CKA_SIGN, "sign", false),
    flag(AttributeType::SignRecover, ck::CKA_SIGN_RECOVER, "sign-recover", false),
    flag(AttributeType::Verify, ck::CKA_VERIFY, "verify", false),
    flag(AttributeType::VerifyRecover, ck::CKA_VERIFY_RECOVER, "verify-recover", false),
    flag(AttributeType::Wrap, ck::CKA_WRAP, "wrap", false),
    flag(AttributeType::Unwrap, ck::CKA_UNWRAP, "unwrap", false),
    flag(AttributeType::Derive, ck::CKA_DERIVE, "derive", false),
    flag(AttributeType::Private, ck::CKA_PRIVATE, "private", false),
    flag(AttributeType::Sensitive, ck::CKA_SENSITIVE, "sensitive", false),
    flag(AttributeType::Extractable, ck::CKA_EXTRACTABLE, "extractable", false),
    flag(AttributeType::Modifiable, ck::CKA_MODIFIABLE, "modifiable", true),
    flag(AttributeType::Copyable, ck::CKA_COPYABLE, "copyable", true),
    flag(AttributeType::Destroyable, ck::CKA_DESTROYABLE, "destroyable", true),
    flag(AttributeType::Trusted, ck::CKA_TRUSTED, "trusted", false),
    flag(AttributeType::WrapWithTrusted, ck::CKA_WRAP_WITH_TRUSTED, "wrap-with-trusted", false),
    flag(AttributeType::AlwaysAuthenticate, ck::CKA_ALWAYS_AUTHENTICATE, "always-authenticate", false),
];

/// What an object is called, and from when to when it is to be used.
const NAMES: [(CK_ATTRIBUTE_TYPE, &str); 7] = [
    (ck::CKA_LABEL, "label"),
    (ck::CKA_ID, "id"),
    (ck::CKA_SUBJECT, "subject"),
    (ck::CKA_ISSUER, "issuer"),
    (ck::CKA_SERIAL_NUMBER, "serial-number"),
    (ck::CKA_START_DATE, "start-date"),
    (ck::CKA_END_DATE, "end-date"),
];
/// What the public part of an object is.
const PUBLIC: [CK_ATTRIBUTE_TYPE; 7] = [
    ck::CKA_MODULUS,
    ck::CKA_PUBLIC_EXPONENT,
    ck::CKA_EC_PARAMS,
    ck::CKA_EC_POINT,
    ck::CKA_VALUE,
    ck::CKA_APPLICATION,
    ck::CKA_OBJECT_ID,
];

/// A template, and what could not be put into it.
pub(super) struct Drafted {
    pub(super) template: Template,
    pub(super) lost: Vec<&'static str>,
}

/// The kind of object that it becomes here, if the dialect has one. Ed25519 keys are CKK_EC for a CloudHSM.
pub(super) fn kind_of(found: &Found, regime: Regime<'_>) -> Option<&'static Kind> {
    let key_type = found.key_type.unwrap_or(ck::CK_UNAVAILABLE_INFORMATION);
    let served = |key_type| kind(found.class, key_type).filter(|kind| kind.served(regime));
    served(key_type).or_else(|| if key_type == ck::CKK_EC_EDWARDS { served(ck::CKK_EC) } else { None })
}

/// The template of an object that `making` makes here; `token` is false for one that is only looked at.
pub(super) fn draft(found: &Found, kind: &Kind, making: Making, regime: Regime<'_>, token: bool) -> Result<Drafted> {
    let mut template = Template::of(&[(ck::CKA_CLASS, &kind.class.to_ne_bytes()), (ck::CKA_TOKEN, &[token.into()])])?;
    let mut lost = Vec::new();
    if let Some(key_type) = kind.key_type {
        push(&mut template, ck::CKA_KEY_TYPE, &key_type.to_ne_bytes())?;
    }
    if let Some(certificate_type) = found.certificate_type {
        push(&mut template, ck::CKA_CERTIFICATE_TYPE, &certificate_type.to_ne_bytes())?;
    }
    let cell = |id| kind.rule(id).map_or(Cell::Unsupported, |rule| rule.cell(making, regime));
    let takes = |id| matches!(cell(id), Cell::Optional(_) | Cell::Mandatory);
    for (id, name) in NAMES {
        match found.value(id) {
            Some(value) if takes(id) => push(&mut template, id, value)?,
            Some(_) => lost.push(name),
            None => {}
        }
    }
    if making == Making::Create {
        for id in PUBLIC {
            if let Some(value) = found.value(id).filter(|_| takes(id)) {
                push(&mut template, id, value)?;
            }
        }
    }
    for (id, value) in &found.flags {
        let taken = match cell(*id) {
            // An officer's to give, whatever the rule of the template says.
            _ if *id == ck::CKA_TRUSTED => false,
            Cell::Optional(_) | Cell::Mandatory => true,
            Cell::Only(only) => only == *value,
            _ => false,
        };
        if taken {
            push(&mut template, *id, &[(*value).into()])?;
            continue;
        }
        let flag = FLAGS.iter().find(|flag| flag.id == *id);
        let fixed = matches!(cell(*id), Cell::Only(_)) && *id != ck::CKA_TRUSTED;
        lost.extend(flag.filter(|flag| fixed || *value != flag.usual).map(|flag| flag.name));
    }
    lost.extend(&found.uncarried);
    Ok(Drafted { template, lost })
}

/// Adds a plain value.
pub(super) fn push(template: &mut Template, id: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Result<()> {
    template.push(id, value)
}

/// The word for a class.
pub(super) fn class_word(class: CK_OBJECT_CLASS) -> &'static str {
    match class {
        ck::CKO_SECRET_KEY => "secret-key",
        ck::CKO_PRIVATE_KEY => "private-key",
        ck::CKO_PUBLIC_KEY => "public-key",
        ck::CKO_CERTIFICATE => "certificate",
        ck::CKO_DATA => "data",
        _ => "unknown",
    }
}

/// The word for a key type, or its number.
pub(super) fn key_type_word(key_type: CK_KEY_TYPE) -> String {
    let word = match key_type {
        ck::CKK_AES => "aes",
        ck::CKK_DES3 => "des3",
        ck::CKK_GENERIC_SECRET => "generic-secret",
        ck::CKK_RSA => "rsa",
        ck::CKK_EC | ck::CKK_EC_EDWARDS => "ec",
        _ => return format!("{key_type:#x}"),
    };
    word.to_owned()
}
