//! One row for each attribute of the standard that is known here: its name, the shape of its value, its index.
//!
//! What a class of objects does with an attribute is not here but in the rule table; this list only says what a
//! value of it looks like. An attribute that has no row is CKR_ATTRIBUTE_TYPE_INVALID everywhere; one that no object has
//! (those of DSA and Diffie-Hellman keys) still has a row, because CloudHSM tells the two apart in a template.

use base::ck::vendor::CKA_CLOUDHSM_PARAMETER_SET;
use base::ck::*;

/// The shape of a value (PKCS#11 3.2 section 4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueKind {
    /// `CK_BBOOL`: one byte, 0 or 1.
    Bool,
    /// `CK_ULONG`.
    Number,
    /// Bytes of any kind, big integers included.
    Bytes,
    /// UTF-8 without a terminator (RFC 2279); what is none is taken as it is.
    Text,
    /// `CK_DATE`: eight digits, or empty.
    Date,
    /// An array of `CK_MECHANISM_TYPE`.
    Mechanisms,
    /// An array of `CK_ATTRIBUTE`.
    Template,
}

/// What is known of one attribute whatever carries it.
pub struct Description {
    /// The number, `CKA_...`.
    pub id: CK_ATTRIBUTE_TYPE,
    /// The standard's name, for the log and the docs.
    pub name: &'static str,
    /// The shape of a value.
    pub kind: ValueKind,
    /// Whether the store keeps a blind index of it, so that a search by it needs no scan.
    pub indexed: bool,
}

/// Whether a search by this value of an attribute can use the index. Not by an empty one, which objects have that hold none.
#[must_use]
pub fn is_found_by(id: CK_ATTRIBUTE_TYPE, value: &[u8]) -> bool {
    !value.is_empty() && describe(id).is_some_and(|row| row.indexed)
}

macro_rules! attributes {
    ($($id:ident $kind:ident $($indexed:ident)?;)*) => {
        /// Every attribute known here, in ascending order of its number.
        pub static ATTRIBUTES: &[Description] = &[$(Description {
            id: $id,
            name: stringify!($id),
            kind: ValueKind::$kind,
            indexed: attributes!(@ $($indexed)?),
        },)*];
    };
    (@ indexed) => { true };
    (@) => { false };
}

attributes! {
    CKA_CLASS                      Number;
    CKA_TOKEN                      Bool;
    CKA_PRIVATE                    Bool;
    CKA_LABEL                      Text indexed;
    CKA_UNIQUE_ID                  Text indexed;
    CKA_APPLICATION                Text indexed;
    CKA_VALUE                      Bytes;
    CKA_OBJECT_ID                  Bytes indexed;
    CKA_CERTIFICATE_TYPE           Number;
    CKA_ISSUER                     Bytes indexed;
    CKA_SERIAL_NUMBER              Bytes indexed;
    CKA_OWNER                      Bytes;
    CKA_ATTR_TYPES                 Bytes;
    CKA_TRUSTED                    Bool;
    CKA_CERTIFICATE_CATEGORY       Number;
    CKA_JAVA_MIDP_SECURITY_DOMAIN  Number;
    CKA_URL                        Text;
    CKA_HASH_OF_SUBJECT_PUBLIC_KEY Bytes;
    CKA_HASH_OF_ISSUER_PUBLIC_KEY  Bytes;
    CKA_NAME_HASH_ALGORITHM        Number;
    CKA_CHECK_VALUE                Bytes;
    CKA_KEY_TYPE                   Number;
    CKA_SUBJECT                    Bytes indexed;
    CKA_ID                         Bytes indexed;
    CKA_SENSITIVE                  Bool;
    CKA_ENCRYPT                    Bool;
    CKA_DECRYPT                    Bool;
    CKA_WRAP                       Bool;
    CKA_UNWRAP                     Bool;
    CKA_SIGN                       Bool;
    CKA_SIGN_RECOVER               Bool;
    CKA_VERIFY                     Bool;
    CKA_VERIFY_RECOVER             Bool;
    CKA_DERIVE                     Bool;
    CKA_START_DATE                 Date;
    CKA_END_DATE                   Date;
    CKA_MODULUS                    Bytes indexed;
    CKA_MODULUS_BITS               Number;
    CKA_PUBLIC_EXPONENT            Bytes;
    CKA_PRIVATE_EXPONENT           Bytes;
    CKA_PRIME_1                    Bytes;
    CKA_PRIME_2                    Bytes;
    CKA_EXPONENT_1                 Bytes;
    CKA_EXPONENT_2                 Bytes;
    CKA_COEFFICIENT                Bytes;
    CKA_PUBLIC_KEY_INFO            Bytes;
    CKA_PRIME                      Bytes;
    CKA_SUBPRIME                   Bytes;
    CKA_BASE                       Bytes;
    CKA_PRIME_BITS                 Number;
    CKA_SUBPRIME_BITS              Number;
    CKA_VALUE_BITS                 Number;
    CKA_VALUE_LEN                  Number;
    CKA_EXTRACTABLE                Bool;
    CKA_LOCAL                      Bool;
    CKA_NEVER_EXTRACTABLE          Bool;
    CKA_ALWAYS_SENSITIVE           Bool;
    CKA_KEY_GEN_MECHANISM          Number;
    CKA_MODIFIABLE                 Bool;
    CKA_COPYABLE                   Bool;
    CKA_DESTROYABLE                Bool;
    CKA_EC_PARAMS                  Bytes;
    CKA_EC_POINT                   Bytes indexed;
    CKA_ALWAYS_AUTHENTICATE        Bool;
    CKA_WRAP_WITH_TRUSTED          Bool;
    CKA_PARAMETER_SET              Number;
    CKA_OBJECT_VALIDATION_FLAGS    Number;
    CKA_ENCAPSULATE                Bool;
    CKA_DECAPSULATE                Bool;
    CKA_SEED                       Bytes;
    CKA_WRAP_TEMPLATE              Template;
    CKA_UNWRAP_TEMPLATE            Template;
    CKA_DERIVE_TEMPLATE            Template;
    CKA_ALLOWED_MECHANISMS         Mechanisms;
    CKA_CLOUDHSM_PARAMETER_SET     Number;
}

/// The row of an attribute, if it is known here.
#[must_use]
pub fn describe(id: CK_ATTRIBUTE_TYPE) -> Option<&'static Description> {
    ATTRIBUTES.binary_search_by_key(&id, |row| row.id).ok().and_then(|at| ATTRIBUTES.get(at))
}

/// Whether the value of an attribute is a template.
#[must_use]
pub fn is_template(id: CK_ATTRIBUTE_TYPE) -> bool {
    describe(id).is_some_and(|row| row.kind == ValueKind::Template)
}

/// The name of an attribute for a message: the standard's, or its number.
#[must_use]
pub fn name(id: CK_ATTRIBUTE_TYPE) -> String {
    describe(id).map_or_else(|| format!("attribute {id:#x}"), |row| row.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Profile, Regime};
    use crate::object::rules::{self, Kind, Reading, Unset};

    #[test]
    fn rows_stand_in_order() {
        assert!(
            ATTRIBUTES.windows(2).all(|pair| matches!(pair, [a, b] if a.id < b.id)),
            "describe() searches by halves"
        );
    }

    /// What nobody has given shows as empty or not at all, wherever the index is asked: [`is_found_by`] counts on it.
    #[test]
    fn what_is_indexed_is_empty_if_it_was_never_given() {
        for profile in [Profile::CloudHsm, Profile::Strict, Profile::Standard] {
            for rule in rules::kinds().iter().flat_map(Kind::rules) {
                let Some(row) = describe(rule.attribute).filter(|row| row.indexed) else { continue };
                let reading = rule.reading(Regime::of(profile, false));
                let empty = matches!(reading, Reading::Shown(Unset::Empty | Unset::Absent) | Reading::Unknown);
                assert!(empty && row.kind != ValueKind::Bool, "{}: {reading:?}", row.name);
            }
        }
    }
}
