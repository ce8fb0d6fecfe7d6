//! How the object of each table's column is made: the function, the least template, and what the HSM must serve for it.

use super::attributes::{Attribute, CERTIFICATE, Kind};
use super::numbers::*;
use crate::support::*;

/// Makes one object from a template.
type Make<'a> = dyn Fn(&Template) -> Answer<CK_OBJECT_HANDLE> + 'a;

/// Makes objects of one kind by one function.
pub(super) struct Maker<'a> {
    pub(super) kind: Kind,
    /// The least template.
    pub(super) base: Template,
    make: Box<Make<'a>>,
}

impl Maker<'_> {
    pub(super) fn make(&self, template: &Template) -> Answer<CK_OBJECT_HANDLE> {
        (self.make)(template)
    }

    /// Whether the least template has the attribute.
    pub(super) fn needs(&self, id: CK_ATTRIBUTE_TYPE) -> bool {
        self.base.raw().iter().any(|entry| entry.type_ == id)
    }
}

/// Whether the library has a mechanism.
fn has(mechanism: CK_MECHANISM_TYPE) -> bool {
    let mut information = CK_MECHANISM_INFO::default();
    let rv = call!(C_GetMechanismInfo(SLOT, mechanism, &raw mut information));
    assert!([CKR_OK, CKR_MECHANISM_INVALID].contains(&rv), "C_GetMechanismInfo: {:?}", Rv(rv));
    rv == CKR_OK
}

/// Whether a column can be compared: certificates answer by themselves, the rest by C_GetMechanismInfo.
pub(super) fn served(session: Session, table: &str, column: &str) -> bool {
    let function = match table {
        "certificate" => return certificate(session).is_some(),
        "unwrap_key" => has(CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD),
        "derive_key" => has(CKM_CLOUDHSM_SP800_108_COUNTER_KDF),
        _ => true,
    };
    function
        && match Kind::named(column).key_type {
            CKK_CLOUDHSM_ML_DSA => has(CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN),
            CKK_DES3 => has(CKM_DES3_KEY_GEN),
            _ => true,
        }
}

/// The maker of a table's column.
pub(super) fn maker<'a>(session: Session, table: &str, column: &str) -> Maker<'a> {
    let kind = Kind::named(column);
    match table {
        "create_object" => imported(session, kind),
        "unwrap_key" => unwrapped(session, kind),
        "derive_key" => derived(session, kind),
        _ => generated(session, kind),
    }
}

/// By C_GenerateKey or C_GenerateKeyPair.
pub(super) fn generated<'a>(session: Session, kind: Kind) -> Maker<'a> {
    let set = |ids: &[CK_ATTRIBUTE_TYPE]| least(kind, ids);
    if kind.class == CKO_SECRET_KEY {
        let (mechanism, base) = match kind.key_type {
            CKK_AES => (CKM_AES_KEY_GEN, set(&[CKA_VALUE_LEN])),
            CKK_DES3 => (CKM_DES3_KEY_GEN, Template::new()),
            _ => (CKM_GENERIC_SECRET_KEY_GEN, set(&[CKA_VALUE_LEN])),
        };
        return Maker { kind, base, make: Box::new(move |template| session.generate(mechanism, template)) };
    }
    let (mechanism, public, private) = match kind.key_type {
        CKK_EC => (CKM_EC_KEY_PAIR_GEN, set(&[CKA_EC_PARAMS]), Template::new()),
        CKK_RSA => (CKM_RSA_PKCS_KEY_PAIR_GEN, set(&[CKA_MODULUS_BITS, CKA_PUBLIC_EXPONENT]), Template::new()),
        // AWS's sample gives the parameter set in both templates.
        _ => (CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN, set(&[CKA_CLOUDHSM_PARAMETER_SET]), set(&[CKA_CLOUDHSM_PARAMETER_SET])),
    };
    if kind.class == CKO_PUBLIC_KEY {
        let make = move |public: &Template| Ok(session.generate_pair(mechanism, public, &private)?.0);
        Maker { kind, base: public, make: Box::new(make) }
    } else {
        let make = move |private: &Template| Ok(session.generate_pair(mechanism, &public, private)?.1);
        Maker { kind, base: private, make: Box::new(make) }
    }
}

/// By C_CreateObject.
pub(super) fn imported<'a>(session: Session, kind: Kind) -> Maker<'a> {
    let material: &[_] = match (kind.class, kind.key_type) {
        (CKO_PRIVATE_KEY, CKK_EC) => &[CKA_EC_PARAMS, CKA_VALUE],
        (CKO_PUBLIC_KEY, CKK_EC) => &[CKA_EC_PARAMS, CKA_EC_POINT],
        (CKO_PRIVATE_KEY, CKK_RSA) => &[CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT],
        (CKO_PUBLIC_KEY, CKK_RSA) => &[CKA_MODULUS, CKA_PUBLIC_EXPONENT],
        _ => &[CKA_VALUE],
    };
    let base = least(kind, &[CKA_CLASS, CKA_KEY_TYPE]).and(&least(kind, material));
    Maker { kind, base, make: Box::new(move |template| session.create(template)) }
}

/// By C_UnwrapKey: an AES key wraps an imported key once, and unwraps it each time.
fn unwrapped<'a>(session: Session, kind: Kind) -> Maker<'a> {
    let wrapping = session.create(&plain_aes_value(&[0x77; 32]).on(&[CKA_WRAP, CKA_UNWRAP])).expect("a wrapping key");
    let source = imported(session, kind);
    let mut complete = source.base.clone();
    if kind.key_type == CKK_RSA {
        // What is wrapped is PKCS #8, which has all the parts.
        let parts = [CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT];
        complete = complete.and(&least(kind, &parts));
    }
    let source = source.make(&complete).expect("a key to wrap");
    let mut mechanism = Mechanism::new(CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD);
    let wrapped = session.wrap(&mut mechanism, wrapping, source);
    let wrapped = wrapped.unwrap_or_else(|rv| panic!("C_WrapKey of {}: {rv:?}", kind.name));
    let make = move |template: &Template| {
        session.unwrap(&mut Mechanism::new(CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD), wrapping, &wrapped, template)
    };
    Maker { kind, base: least(kind, &[CKA_CLASS, CKA_KEY_TYPE]), make: Box::new(make) }
}

/// By C_DeriveKey from an AES key, with AWS's structure of three fields (User Guide, pkcs11-mechanisms).
fn derived<'a>(session: Session, kind: Kind) -> Maker<'a> {
    let source = session.create(&plain_aes_value(&[0x33; 32]).on(&[CKA_DERIVE])).expect("a key to derive from");
    let mut base = least(kind, &[CKA_CLASS, CKA_KEY_TYPE]);
    if kind.key_type != CKK_DES3 {
        base = base.and(&least(kind, &[CKA_VALUE_LEN]));
    }
    let make = move |template: &Template| {
        session.derive(&mut CounterKdf::new(CKM_SHA256_HMAC, b"golden").mechanism(), source, template)
    };
    Maker { kind, base, make: Box::new(make) }
}

/// Certificates, where they can be made.
pub(super) fn certificate<'a>(session: Session) -> Option<Maker<'a>> {
    let base = least(CERTIFICATE, &[CKA_CLASS, CKA_CERTIFICATE_TYPE, CKA_SUBJECT, CKA_VALUE]);
    session.destroy(session.create(&base).ok()?).expect("a certificate can be destroyed");
    Some(Maker { kind: CERTIFICATE, base, make: Box::new(move |template| session.create(template)) })
}

/// These attributes with this kind's values.
pub(super) fn least(kind: Kind, ids: &[CK_ATTRIBUTE_TYPE]) -> Template {
    ids.iter().fold(Template::new(), |template, id| {
        let attribute = super::attributes::ATTRIBUTES.iter().find(|there: &&Attribute| there.id == *id);
        attribute.expect("an attribute of the tables").values(kind)[0].put(&template, *id)
    })
}
