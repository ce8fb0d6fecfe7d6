//! The attributes that the tables name, with a value of each that a template can hold.

use super::numbers::*;
use crate::support::*;

/// A value, by the shape that the attribute has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Flag(bool),
    Number(CK_ULONG),
    Bytes(Vec<u8>),
    /// A template of flags.
    Flags(Vec<(CK_ATTRIBUTE_TYPE, bool)>),
}

/// The shape of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Shape {
    Flag,
    Number,
    Bytes,
    Template,
}

/// An attribute by the name it has in the tables: that of PKCS#11 without CKA_.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) id: CK_ATTRIBUTE_TYPE,
    pub(super) shape: Shape,
}

/// A kind of object, by the head of its column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) class: CK_OBJECT_CLASS,
    pub(super) key_type: CK_KEY_TYPE,
}

macro_rules! attributes {
    ($($name:ident $id:ident $shape:ident),* $(,)?) => {
        /// All of them.
        pub(super) static ATTRIBUTES: &[Attribute] =
            &[$(Attribute { name: stringify!($name), id: $id, shape: Shape::$shape }),*];
    };
}

attributes! {
    CLASS CKA_CLASS Number,
    KEY_TYPE CKA_KEY_TYPE Number,
    LABEL CKA_LABEL Bytes,
    ID CKA_ID Bytes,
    LOCAL CKA_LOCAL Flag,
    TOKEN CKA_TOKEN Flag,
    PRIVATE CKA_PRIVATE Flag,
    ENCRYPT CKA_ENCRYPT Flag,
    DECRYPT CKA_DECRYPT Flag,
    DERIVE CKA_DERIVE Flag,
    MODIFIABLE CKA_MODIFIABLE Flag,
    DESTROYABLE CKA_DESTROYABLE Flag,
    SIGN CKA_SIGN Flag,
    VERIFY CKA_VERIFY Flag,
    SIGN_RECOVER CKA_SIGN_RECOVER Flag,
    VERIFY_RECOVER CKA_VERIFY_RECOVER Flag,
    WRAP CKA_WRAP Flag,
    UNWRAP CKA_UNWRAP Flag,
    WRAP_TEMPLATE CKA_WRAP_TEMPLATE Template,
    UNWRAP_TEMPLATE CKA_UNWRAP_TEMPLATE Template,
    DERIVE_TEMPLATE CKA_DERIVE_TEMPLATE Template,
    TRUSTED CKA_TRUSTED Flag,
    WRAP_WITH_TRUSTED CKA_WRAP_WITH_TRUSTED Flag,
    SENSITIVE CKA_SENSITIVE Flag,
    EXTRACTABLE CKA_EXTRACTABLE Flag,
    ALWAYS_SENSITIVE CKA_ALWAYS_SENSITIVE Flag,
    NEVER_EXTRACTABLE CKA_NEVER_EXTRACTABLE Flag,
    CHECK_VALUE CKA_CHECK_VALUE Bytes,
    MODULUS CKA_MODULUS Bytes,
    MODULUS_BITS CKA_MODULUS_BITS Number,
    PUBLIC_EXPONENT CKA_PUBLIC_EXPONENT Bytes,
    PRIVATE_EXPONENT CKA_PRIVATE_EXPONENT Bytes,
    PRIME_1 CKA_PRIME_1 Bytes,
    PRIME_2 CKA_PRIME_2 Bytes,
    EXPONENT_1 CKA_EXPONENT_1 Bytes,
    EXPONENT_2 CKA_EXPONENT_2 Bytes,
    COEFFICIENT CKA_COEFFICIENT Bytes,
    EC_PARAMS CKA_EC_PARAMS Bytes,
    EC_POINT CKA_EC_POINT Bytes,
    VALUE CKA_VALUE Bytes,
    VALUE_LEN CKA_VALUE_LEN Number,
    VALUE_BITS CKA_VALUE_BITS Number,
    CLOUDHSM_PARAMETER_SET CKA_CLOUDHSM_PARAMETER_SET Number,
    PRIME CKA_PRIME Bytes,
    SUBPRIME CKA_SUBPRIME Bytes,
    BASE CKA_BASE Bytes,
    PRIME_BITS CKA_PRIME_BITS Number,
    SUBPRIME_BITS CKA_SUBPRIME_BITS Number,
    KEY_GEN_MECHANISM CKA_KEY_GEN_MECHANISM Number,
    COPYABLE CKA_COPYABLE Flag,
    ALWAYS_AUTHENTICATE CKA_ALWAYS_AUTHENTICATE Flag,
    ALLOWED_MECHANISMS CKA_ALLOWED_MECHANISMS Bytes,
    SUBJECT CKA_SUBJECT Bytes,
    START_DATE CKA_START_DATE Bytes,
    END_DATE CKA_END_DATE Bytes,
    PUBLIC_KEY_INFO CKA_PUBLIC_KEY_INFO Bytes,
    APPLICATION CKA_APPLICATION Bytes,
    OBJECT_ID CKA_OBJECT_ID Bytes,
    CERTIFICATE_TYPE CKA_CERTIFICATE_TYPE Number,
    CERTIFICATE_CATEGORY CKA_CERTIFICATE_CATEGORY Number,
    ISSUER CKA_ISSUER Bytes,
    SERIAL_NUMBER CKA_SERIAL_NUMBER Bytes,
    URL CKA_URL Bytes,
    HASH_OF_SUBJECT_PUBLIC_KEY CKA_HASH_OF_SUBJECT_PUBLIC_KEY Bytes,
    HASH_OF_ISSUER_PUBLIC_KEY CKA_HASH_OF_ISSUER_PUBLIC_KEY Bytes,
    NAME_HASH_ALGORITHM CKA_NAME_HASH_ALGORITHM Number,
    JAVA_MIDP_SECURITY_DOMAIN CKA_JAVA_MIDP_SECURITY_DOMAIN Number,
    UNIQUE_ID CKA_UNIQUE_ID Bytes,
    PROFILE_ID CKA_PROFILE_ID Number,
    PARAMETER_SET CKA_PARAMETER_SET Number,
    ENCAPSULATE CKA_ENCAPSULATE Flag,
    DECAPSULATE CKA_DECAPSULATE Flag,
    SEED CKA_SEED Bytes,
}

/// The kinds of the tables' columns.
pub(super) const KINDS: &[Kind] = &[
    Kind { name: "EC prv", class: CKO_PRIVATE_KEY, key_type: CKK_EC },
    Kind { name: "EC pub", class: CKO_PUBLIC_KEY, key_type: CKK_EC },
    Kind { name: "RSA prv", class: CKO_PRIVATE_KEY, key_type: CKK_RSA },
    Kind { name: "RSA pub", class: CKO_PUBLIC_KEY, key_type: CKK_RSA },
    Kind { name: "MLDSA prv", class: CKO_PRIVATE_KEY, key_type: CKK_CLOUDHSM_ML_DSA },
    Kind { name: "MLDSA pub", class: CKO_PUBLIC_KEY, key_type: CKK_CLOUDHSM_ML_DSA },
    Kind { name: "AES", class: CKO_SECRET_KEY, key_type: CKK_AES },
    Kind { name: "DES3", class: CKO_SECRET_KEY, key_type: CKK_DES3 },
    Kind { name: "generic", class: CKO_SECRET_KEY, key_type: CKK_GENERIC_SECRET },
];

/// Certificates, whose tables have a column for each function instead.
pub(super) const CERTIFICATE: Kind = Kind { name: "X.509", class: CKO_CERTIFICATE, key_type: 0 };

impl Kind {
    /// The kind of a column.
    pub(super) fn named(name: &str) -> Self {
        *KINDS.iter().find(|kind| kind.name == name).unwrap_or_else(|| panic!("no kind of key is called {name}"))
    }

    /// The secret or scalar that is imported, wrapped and read.
    pub(super) fn secret(self) -> Vec<u8> {
        match self.key_type {
            CKK_EC => hex(ec_p256::SCALAR),
            // Three different DES keys, each byte of odd parity.
            CKK_DES3 => hex("0123456789ABCDEF 23456789ABCDEF01 456789ABCDEF0123"),
            _ => vec![0x5a; 32],
        }
    }
}

impl Attribute {
    /// The attribute of that name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        ATTRIBUTES.iter().find(|attribute| attribute.name == name)
    }

    /// Values that this kind of object may have where the table allows the attribute; a flag has two.
    pub(super) fn values(&self, kind: Kind) -> Vec<Value> {
        match self.shape {
            Shape::Flag => vec![Value::Flag(true), Value::Flag(false)],
            Shape::Number => vec![Value::Number(self.number(kind))],
            Shape::Bytes => vec![Value::Bytes(self.bytes(kind))],
            Shape::Template => vec![Value::Flags(vec![(CKA_ENCRYPT, true), (CKA_EXTRACTABLE, true)])],
        }
    }

    fn number(&self, kind: Kind) -> CK_ULONG {
        match self.id {
            CKA_CLASS => kind.class,
            CKA_KEY_TYPE => kind.key_type,
            CKA_MODULUS_BITS => 2048,
            CKA_VALUE_LEN => kind.secret().len() as CK_ULONG,
            CKA_CLOUDHSM_PARAMETER_SET => CKP_CLOUDHSM_ML_DSA_44,
            CKA_CERTIFICATE_TYPE => CKC_X_509,
            CKA_CERTIFICATE_CATEGORY => CK_CERTIFICATE_CATEGORY_UNSPECIFIED,
            _ => 1,
        }
    }

    fn bytes(&self, kind: Kind) -> Vec<u8> {
        let point = || [&[0x04, 65][..], &hex(ec_p256::POINT)].concat();
        match self.id {
            CKA_LABEL => b"golden".to_vec(),
            CKA_MODULUS => hex(rsa_2048::MODULUS),
            CKA_PUBLIC_EXPONENT => vec![1, 0, 1],
            CKA_PRIVATE_EXPONENT => hex(rsa_2048::PRIVATE_EXPONENT),
            CKA_PRIME_1 => hex(rsa_2048::PRIME_1),
            CKA_PRIME_2 => hex(rsa_2048::PRIME_2),
            CKA_EXPONENT_1 => hex(rsa_2048::EXPONENT_1),
            CKA_EXPONENT_2 => hex(rsa_2048::EXPONENT_2),
            CKA_COEFFICIENT => hex(rsa_2048::COEFFICIENT),
            CKA_EC_PARAMS => P256.to_vec(),
            CKA_EC_POINT => point(),
            CKA_VALUE if kind == CERTIFICATE => hex(certificate::WHOLE),
            CKA_VALUE => kind.secret(),
            CKA_SUBJECT | CKA_ISSUER => hex(certificate::NAME),
            CKA_SERIAL_NUMBER => hex(certificate::SERIAL),
            CKA_PUBLIC_KEY_INFO => hex(certificate::PUBLIC_KEY),
            CKA_START_DATE => b"20261122".to_vec(),
            CKA_END_DATE => b"21261029".to_vec(),
            CKA_ALLOWED_MECHANISMS => CKM_AES_ECB.to_ne_bytes().to_vec(),
            _ => vec![1, 2, 3],
        }
    }
}

impl Value {
    /// A template with this attribute, and only this value of it.
    pub(super) fn put(&self, template: &Template, id: CK_ATTRIBUTE_TYPE) -> Template {
        let rest = template.clone().without(id);
        match self {
            Self::Flag(flag) => rest.flag(id, *flag),
            Self::Number(number) => rest.number(id, *number),
            Self::Bytes(bytes) => rest.bytes(id, bytes),
            Self::Flags(flags) => {
                rest.nested(id, flags.iter().fold(Template::new(), |inner, (id, flag)| inner.flag(*id, *flag)))
            }
        }
    }

    /// The attribute of an object, in the shape it has.
    pub(super) fn read(session: Session, object: CK_OBJECT_HANDLE, attribute: &Attribute) -> Answer<Self> {
        let id = attribute.id;
        match attribute.shape {
            Shape::Template => session.flags_in(object, id).map(Self::Flags),
            Shape::Flag | Shape::Number | Shape::Bytes => {
                session.read(object, id).map(|bytes| match (attribute.shape, bytes.as_slice()) {
                    (Shape::Flag, [0]) => Self::Flag(false),
                    (Shape::Flag, [1]) => Self::Flag(true),
                    (Shape::Number, number) => match number.try_into() {
                        Ok(number) => Self::Number(CK_ULONG::from_ne_bytes(number)),
                        Err(_) => Self::Bytes(bytes),
                    },
                    _ => Self::Bytes(bytes),
                })
            }
        }
    }
}

/// A certificate that openssl made for these tests: subject and issuer are CN=golden.
mod certificate {
    pub(super) const WHOLE: &str = "\
        3082017a3082011fa0030201020214116de9370e97259e850aad34ca1e636e2c407f43300a06082a8648ce3d04030230\
        11310f300d06035504030c06676f6c64656e3020170d3236313132323033343335325a180f3231323631303239303334\
        3335325a3011310f300d06035504030c06676f6c64656e3059301306072a8648ce3d020106082a8648ce3d0301070342\
        0004db4a9271b733720daf6ad81edf485d494ddda050d41c4b00bd9364a57beec0debe5088ef44f2ccff7a2aa0fc49c8\
        cd0bd608bbfc6e507e0acfdb4e2066433684a3533051301d0603551d0e04160414ea7fd6ee04e31a7ba9230c44938596\
        c47a3d6d91301f0603551d23041830168014ea7fd6ee04e31a7ba9230c44938596c47a3d6d91300f0603551d130101ff\
        040530030101ff300a06082a8648ce3d04030203490030460221008fee6e96d19a1c96c595e41a8cf21561d0952e235f\
        4691ce96c349082fcb8eb702210088b41f517e5f52706a74db96806008ec886f3583d552f4efb19de2e73ab031db";
    pub(super) const NAME: &str = "3011310f300d06035504030c06676f6c64656e";
    pub(super) const SERIAL: &str = "0214116de9370e97259e850aad34ca1e636e2c407f43";
    pub(super) const PUBLIC_KEY: &str = "\
        3059301306072a8648ce3d020106082a8648ce3d03010703420004db4a9271b733720daf6ad81edf485d494ddda050d4\
        1c4b00bd9364a57beec0debe5088ef44f2ccff7a2aa0fc49c8cd0bd608bbfc6e507e0acfdb4e2066433684";
}
