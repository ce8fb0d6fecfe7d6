//! What every object of PKCS#11 possesses in `standard`: "some of these attributes possess default values, and need not be
//! specified when creating an object; some of these default values may even be the empty string. Nonetheless, the object
//! possesses these attributes" (PKCS#11 3.2 section 4).
//!
//! The tables below are written by hand from sections 4.4 to 4.10, which give each attribute and its default for a whole class,
//! whatever the key type. They owe nothing to the library's rules.

use crate::derivation::words;
use crate::support::*;

/// What an attribute reads as if nobody has given it.
#[derive(Clone, Copy, Debug)]
enum Unset {
    True,
    False,
    /// "Default value is token-specific" (note 9): one of the two.
    Flag,
    Empty,
    Number(CK_ULONG),
    /// "DEFAULT derived from the underlying key data".
    PublicKey,
}
use Unset::{Empty, False, Flag, Number, PublicKey, True};

/// Table "Common Storage Object Attributes"; CKA_TOKEN and CKA_PRIVATE are given in the tests.
const STORAGE: &[(CK_ATTRIBUTE_TYPE, Unset)] =
    &[(CKA_MODIFIABLE, True), (CKA_LABEL, Empty), (CKA_COPYABLE, True), (CKA_DESTROYABLE, True)];

/// Table "Common Key Attributes". CKA_ALLOWED_MECHANISMS has no default; a key without a list has an empty one.
const KEY: &[(CK_ATTRIBUTE_TYPE, Unset)] = &[
    (CKA_ID, Empty),
    (CKA_START_DATE, Empty),
    (CKA_END_DATE, Empty),
    (CKA_DERIVE, False),
    (CKA_ALLOWED_MECHANISMS, Empty),
];

/// Table "Common Public Key Attributes".
const PUBLIC: &[(CK_ATTRIBUTE_TYPE, Unset)] = &[
    (CKA_SUBJECT, Empty),
    (CKA_ENCRYPT, Flag),
    (CKA_VERIFY, Flag),
    (CKA_VERIFY_RECOVER, Flag),
    (CKA_WRAP, Flag),
    (CKA_ENCAPSULATE, Flag),
    (CKA_TRUSTED, False),
    (CKA_WRAP_TEMPLATE, Empty),
    (CKA_PUBLIC_KEY_INFO, PublicKey),
];

/// Table "Common Private Key Attributes".
const PRIVATE: &[(CK_ATTRIBUTE_TYPE, Unset)] = &[
    (CKA_SUBJECT, Empty),
    (CKA_SENSITIVE, Flag),
    (CKA_DECRYPT, Flag),
    (CKA_SIGN, Flag),
    (CKA_SIGN_RECOVER, Flag),
    (CKA_UNWRAP, Flag),
    (CKA_DECAPSULATE, Flag),
    (CKA_EXTRACTABLE, Flag),
    (CKA_WRAP_WITH_TRUSTED, False),
    (CKA_UNWRAP_TEMPLATE, Empty),
    (CKA_ALWAYS_AUTHENTICATE, False),
    (CKA_PUBLIC_KEY_INFO, PublicKey),
    (CKA_DERIVE_TEMPLATE, Empty),
];

/// Table "Common Secret Key Attributes". CKA_CHECK_VALUE is optional there.
const SECRET: &[(CK_ATTRIBUTE_TYPE, Unset)] = &[
    (CKA_SENSITIVE, Flag),
    (CKA_ENCRYPT, Flag),
    (CKA_DECRYPT, Flag),
    (CKA_SIGN, Flag),
    (CKA_VERIFY, Flag),
    (CKA_WRAP, Flag),
    (CKA_UNWRAP, Flag),
    (CKA_EXTRACTABLE, Flag),
    (CKA_WRAP_WITH_TRUSTED, False),
    (CKA_TRUSTED, False),
    (CKA_WRAP_TEMPLATE, Empty),
    (CKA_UNWRAP_TEMPLATE, Empty),
    (CKA_DERIVE_TEMPLATE, Empty),
];

/// Table "Data Object Attributes".
const DATA: &[(CK_ATTRIBUTE_TYPE, Unset)] = &[(CKA_APPLICATION, Empty), (CKA_OBJECT_ID, Empty), (CKA_VALUE, Empty)];

/// Tables "Common Certificate Object Attributes" and "X.509 Certificate Object Attributes"; the numbers are those of
/// CK_CERTIFICATE_CATEGORY_UNSPECIFIED, CK_SECURITY_DOMAIN_UNSPECIFIED and SHA-1.
const CERTIFICATE: &[(CK_ATTRIBUTE_TYPE, Unset)] = &[
    (CKA_TRUSTED, False),
    (CKA_CERTIFICATE_CATEGORY, Number(0)),
    (CKA_START_DATE, Empty),
    (CKA_END_DATE, Empty),
    (CKA_PUBLIC_KEY_INFO, Empty),
    (CKA_ID, Empty),
    (CKA_ISSUER, Empty),
    (CKA_SERIAL_NUMBER, Empty),
    (CKA_URL, Empty),
    (CKA_HASH_OF_SUBJECT_PUBLIC_KEY, Empty),
    (CKA_HASH_OF_ISSUER_PUBLIC_KEY, Empty),
    (CKA_JAVA_MIDP_SECURITY_DOMAIN, Number(0)),
    (CKA_NAME_HASH_ALGORITHM, Number(0x220)),
];

/// Attributes of one object.
type Table = Vec<(CK_ATTRIBUTE_TYPE, Unset)>;
/// How objects of a kind are made: with more in the template of each.
type Make = Box<dyn Fn(&[Template]) -> Answer<Vec<CK_OBJECT_HANDLE>>>;

/// Every kind of object of `standard`, made in each way that there is; the tables of what a call makes.
fn kinds(session: Session) -> Vec<(&'static str, Vec<Table>, Make)> {
    let of = |tables: &[&[(CK_ATTRIBUTE_TYPE, Unset)]]| tables.concat();
    let pair = || vec![of(&[PUBLIC, KEY, STORAGE]), of(&[PRIVATE, KEY, STORAGE])];
    let secret = || vec![of(&[SECRET, KEY, STORAGE])];
    let generated_pair = move |mechanism, base: Template| -> Make {
        Box::new(move |more| {
            let (public, private) = session.generate_pair(mechanism, &base.clone().and(&more[0]), &more[1])?;
            Ok(vec![public, private])
        })
    };
    let generated = move |mechanism, base: Template| -> Make {
        Box::new(move |more| Ok(vec![session.generate(mechanism, &base.clone().and(&more[0]))?]))
    };
    let created =
        move |base: Template| -> Make { Box::new(move |more| Ok(vec![session.create(&base.clone().and(&more[0]))?])) };
    let curve = |parameters: &[u8]| Template::new().bytes(CKA_EC_PARAMS, parameters);
    let rsa = Template::new().number(CKA_MODULUS_BITS, 2048);
    let length = |length| Template::new().number(CKA_VALUE_LEN, length);
    let class = |class| Template::new().number(CKA_CLASS, class);
    let certificate = class(CKO_CERTIFICATE)
        .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
        .bytes(CKA_SUBJECT, b"subject")
        .bytes(CKA_VALUE, b"value");
    vec![
        ("generated EC", pair(), generated_pair(CKM_EC_KEY_PAIR_GEN, curve(P256))),
        ("generated Ed25519", pair(), generated_pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, curve(&ED25519))),
        ("generated RSA", pair(), generated_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, rsa)),
        (
            "generated ML-DSA",
            pair(),
            generated_pair(CKM_ML_DSA_KEY_PAIR_GEN, Template::new().number(CKA_PARAMETER_SET, CKP_ML_DSA_44)),
        ),
        ("generated AES", secret(), generated(CKM_AES_KEY_GEN, length(32))),
        ("generated DES3", secret(), generated(CKM_DES3_KEY_GEN, Template::new())),
        ("generated generic", secret(), generated(CKM_GENERIC_SECRET_KEY_GEN, length(32))),
        ("created EC public", vec![of(&[PUBLIC, KEY, STORAGE])], created(ec_public_value())),
        ("created EC private", vec![of(&[PRIVATE, KEY, STORAGE])], created(ec_private_value())),
        ("created RSA public", vec![of(&[PUBLIC, KEY, STORAGE])], created(rsa_public_value())),
        ("created RSA private", vec![of(&[PRIVATE, KEY, STORAGE])], created(rsa_private_value())),
        ("created AES", secret(), created(plain_aes_value(&[7; 16]))),
        ("created generic", secret(), created(plain_generic_value(&[7; 16]))),
        ("data", vec![of(&[DATA, STORAGE])], created(class(CKO_DATA))),
        ("certificate", vec![of(&[CERTIFICATE, STORAGE])], created(certificate)),
    ]
}

/// RFC 8410: the object identifier of Ed25519.
const ED25519: [u8; 5] = [0x06, 0x03, 0x2b, 0x65, 0x70];

/// What an attribute must read as; nothing if it depends on the token or the key.
fn value(unset: Unset) -> Option<Vec<u8>> {
    match unset {
        True => Some(vec![1]),
        False => Some(vec![0]),
        Empty => Some(vec![]),
        Number(number) => Some(number.to_ne_bytes().to_vec()),
        Flag | PublicKey => None,
    }
}

/// Attribute arrays are given as arrays, in `raw` form empty ones are as any other.
fn given(template: Template, id: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Template {
    if [CKA_WRAP_TEMPLATE, CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE].contains(&id) {
        return template.nested(id, Template::new());
    }
    template.bytes(id, value)
}

/// Section 4: each attribute of the class can be read though nobody has given it, and then has its default.
#[test]
fn every_object_possesses_every_attribute() {
    isolated_standard(|| {
        let session = hsm();
        let mut wrong = Vec::new();
        for (name, tables, make) in kinds(session) {
            let nothing: Vec<Template> = tables.iter().map(|_| Template::new()).collect();
            let made = make(&nothing).unwrap_or_else(|rv| panic!("{name}: {rv:?}"));
            for (object, table) in made.into_iter().zip(tables) {
                for (id, unset) in table {
                    let read = session.read(object, id);
                    let right = match (&read, value(unset)) {
                        (Ok(read), Some(value)) => *read == value,
                        (Ok(read), None) if matches!(unset, PublicKey) => read.first() == Some(&0x30),
                        (Ok(read), None) => matches!(read.as_slice(), [0 | 1]),
                        (Err(_), _) => false,
                    };
                    if !right {
                        wrong.push(format!("{name}: {id:#x} is {read:?}, wanted {unset:?}"));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// Section 4.1.1, rule 5: inconsistent is what cannot be satisfied. That an attribute has its default, or that a use is not
/// there, always can be: on any kind of object, one attribute after the other and all at once.
#[test]
fn a_default_is_no_contradiction() {
    isolated_standard(|| {
        let session = hsm();
        let mut wrong = Vec::new();
        for (name, tables, make) in kinds(session) {
            let slow = name.contains("RSA");
            let mut all: Vec<Template> = tables.iter().map(|_| Template::new()).collect();
            for (at, table) in tables.iter().enumerate() {
                for (id, unset) in table {
                    let wanted = value(*unset).unwrap_or_else(|| if matches!(unset, Flag) { vec![0] } else { vec![] });
                    all[at] = given(std::mem::take(&mut all[at]), *id, &wanted);
                    // Making an RSA pair takes long; what is created has the same rules.
                    if slow && name.starts_with("generated") {
                        continue;
                    }
                    let mut more: Vec<Template> = tables.iter().map(|_| Template::new()).collect();
                    more[at] = given(Template::new(), *id, &wanted);
                    match make(&more) {
                        Ok(made) => {
                            let read = session.read(made[at], *id);
                            // An empty one is none: the key's own is read.
                            let is_right = match unset {
                                PublicKey => read.as_ref().is_ok_and(|info| info.first() == Some(&0x30)),
                                _ => read.as_ref() == Ok(&wanted),
                            };
                            if !is_right {
                                wrong.push(format!("{name}: {id:#x} given as {wanted:?} is {read:?}"));
                            }
                        }
                        Err(rv) => wrong.push(format!("{name}: {id:#x} as {wanted:?}: {rv:?}")),
                    }
                }
            }
            if let Err(rv) = make(&all) {
                wrong.push(format!("{name}, all at once: {rv:?}"));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}

/// What a class does not have at all: as false or empty it is let go, otherwise it is inconsistent ("trying to create a secret
/// key object with an attribute which is appropriate for various types of public keys or private keys, but not for secret
/// keys", section 4.1.1, rule 5), and cannot be read.
#[test]
fn what_does_not_apply_may_be_denied() {
    isolated_standard(|| {
        let session = hsm();
        let foreign = [CKA_VERIFY, CKA_ENCRYPT, CKA_WRAP, CKA_ENCAPSULATE, CKA_TRUSTED];
        for id in foreign {
            let key = session.create(&ec_private_value().flag(id, false)).unwrap();
            assert_eq!(session.read(key, id), code(CKR_ATTRIBUTE_TYPE_INVALID), "{id:#x}");
            assert_eq!(session.create(&ec_private_value().flag(id, true)), code(CKR_TEMPLATE_INCONSISTENT), "{id:#x}");
        }
        let key = plain_aes_value(&[1; 16]);
        session.create(&key.clone().bytes(CKA_SUBJECT, b"")).unwrap();
        assert_eq!(session.create(&key.clone().bytes(CKA_SUBJECT, b"x")), code(CKR_TEMPLATE_INCONSISTENT));
        session.create(&key.clone().flag(CKA_SIGN_RECOVER, false)).unwrap();
        assert_eq!(session.create(&key.clone().flag(CKA_SIGN_RECOVER, true)), code(CKR_TEMPLATE_INCONSISTENT));
        // Key material is no such attribute: what must not be given is refused, empty too (notes 2 and 4).
        assert!(session.generate(CKM_AES_KEY_GEN, &aes().bytes(CKA_VALUE, b"")).is_err());
        // Changing and copying, by "the same scenarios" (sections 4.1.2 and 4.1.3).
        let key = session.create(&ec_private_value()).unwrap();
        session.set(key, &Template::new().flag(CKA_VERIFY, false)).unwrap();
        assert!(session.set(key, &Template::new().flag(CKA_VERIFY, true)).is_err());
        session.copy(key, &Template::new().flag(CKA_VERIFY, false)).unwrap();
    });
}

/// A CloudHSM refuses attributes that it has not for a kind of key, whatever their value (User Guide, pkcs11-attributes: "=D"
/// alone accepts a default).
#[test]
fn cloudhsm_refuses_them() {
    isolated(|| {
        let session = hsm();
        let made = |template: &Template| session.generate_pair(CKM_EC_KEY_PAIR_GEN, template, &Template::new());
        let refused = ec_public(P256).flag(CKA_VERIFY_RECOVER, false);
        assert_eq!(made(&refused), code(CKR_TEMPLATE_INCONSISTENT));
        let (public, private) = made(&ec_public(P256)).unwrap();
        for id in [CKA_ALLOWED_MECHANISMS, CKA_PUBLIC_KEY_INFO, CKA_VERIFY_RECOVER, CKA_SUBJECT] {
            assert_eq!(session.read(public, id), code(CKR_ATTRIBUTE_TYPE_INVALID), "{id:#x}");
        }
        for id in [CKA_DERIVE_TEMPLATE, CKA_SIGN_RECOVER, CKA_DECAPSULATE] {
            assert_eq!(session.read(private, id), code(CKR_ATTRIBUTE_TYPE_INVALID), "{id:#x}");
        }
    });
}

/// Section 5.7.7: a search compares every attribute that an object possesses, also those that nobody has given.
#[test]
fn a_search_finds_defaults() {
    isolated_standard(|| {
        let session = hsm();
        let (public, private) = session
            .generate_pair(CKM_EC_KEY_PAIR_GEN, &Template::new().bytes(CKA_EC_PARAMS, P256), &Template::new())
            .unwrap();
        let both = |template: Template| {
            let mut found = session.find(&template).unwrap();
            found.sort_unstable();
            found
        };
        let mut pair = [public, private];
        pair.sort_unstable();
        assert_eq!(both(Template::new().bytes(CKA_ALLOWED_MECHANISMS, b"")), pair);
        assert_eq!(both(Template::new().flag(CKA_VERIFY_RECOVER, false)), [public]);
        let info = session.read(public, CKA_PUBLIC_KEY_INFO).unwrap();
        assert_eq!(both(Template::new().bytes(CKA_PUBLIC_KEY_INFO, &info)), pair, "both halves have it");
    });
}

/// Sections 4.8 and 4.9: CKA_PUBLIC_KEY_INFO is the SubjectPublicKeyInfo of the key, of either half; what a template gives is
/// compared with the key, and another's is CKR_ATTRIBUTE_VALUE_INVALID. The expected bytes are OpenSSL's encoding of the key of
/// RFC 6979, A.2.5.
#[test]
fn public_key_info() {
    isolated_standard(|| {
        let session = hsm();
        let info = [hex("3059301306072a8648ce3d020106082a8648ce3d030107034200"), hex(ec_p256::POINT)].concat();
        let public = session.create(&ec_public_value()).unwrap();
        let private = session.create(&ec_private_value().bytes(CKA_PUBLIC_KEY_INFO, &info)).unwrap();
        session.create(&ec_public_value().bytes(CKA_PUBLIC_KEY_INFO, &info)).unwrap();
        for key in [public, private] {
            assert_eq!(session.read(key, CKA_PUBLIC_KEY_INFO), Ok(info.clone()));
        }
        let mut another = info.clone();
        another[40] ^= 1;
        let with = |base: Template| session.create(&base.bytes(CKA_PUBLIC_KEY_INFO, &another));
        assert_eq!(with(ec_private_value()), code(CKR_ATTRIBUTE_VALUE_INVALID));
        assert_eq!(with(ec_public_value()), code(CKR_ATTRIBUTE_VALUE_INVALID));
        assert_eq!(with(rsa_private_value()), code(CKR_ATTRIBUTE_VALUE_INVALID));
        let change = |info: &[u8]| Template::new().bytes(CKA_PUBLIC_KEY_INFO, info);
        session.set(private, &change(&info)).unwrap();
        assert_eq!(session.set(private, &change(&another)), code(CKR_ATTRIBUTE_VALUE_INVALID));
        assert_eq!(session.copy(private, &change(&another)), code(CKR_ATTRIBUTE_VALUE_INVALID));
        session.copy(private, &change(&info)).unwrap();
        assert_eq!(session.read(private, CKA_PUBLIC_KEY_INFO), Ok(info.clone()));
        // None is as good as no word: "DEFAULT derived from the underlying key data" (section 4.9), and the key is found by it.
        session.set(private, &change(&[])).unwrap();
        let made = session.create(&ec_private_value().bytes(CKA_PUBLIC_KEY_INFO, &[])).unwrap();
        let copies = [private, public].map(|key| session.copy(key, &change(&[])).unwrap());
        for key in [private, made].into_iter().chain(copies) {
            assert_eq!(session.read(key, CKA_PUBLIC_KEY_INFO), Ok(info.clone()));
            assert!(session.find(&change(&info)).unwrap().contains(&key));
        }
    });
}

/// Section 4.7: a key for which nobody has made a list of mechanisms, or an empty one, works with each of its own; a list holds.
#[test]
fn an_empty_list_of_mechanisms_allows_all() {
    isolated_standard(|| {
        let session = hsm();
        let list = |list: &[u8]| plain_aes_value(&[1; 16]).bytes(CKA_ALLOWED_MECHANISMS, list);
        let works = |template: &Template| {
            let key = session.create(template).unwrap();
            session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).map(|_| ())
        };
        works(&plain_aes_value(&[1; 16])).unwrap();
        works(&list(&[])).unwrap();
        works(&list(&CKM_AES_ECB.to_ne_bytes())).unwrap();
        assert_eq!(works(&list(&CKM_AES_CBC.to_ne_bytes())), code(CKR_MECHANISM_INVALID));
    });
}

/// Sections 4.9 and 4.10: "the attribute template to match against any keys derived using this derivation key".
#[test]
fn a_derive_template_holds_for_what_is_derived() {
    isolated_standard(|| {
        let session = hsm();
        let inner = Template::new().label("derived").flag(CKA_EXTRACTABLE, false);
        let base = ec_private_value().flag(CKA_DERIVE, true).nested(CKA_DERIVE_TEMPLATE, inner);
        let base = session.create(&base).unwrap();
        let point = hex(ec_p256::POINT);
        let derive = |template: &Template| {
            let parameter = words(&[CKD_NULL, 0, 0, point.len() as CK_ULONG, point.as_ptr().addr() as CK_ULONG]);
            session.derive(&mut Mechanism::bytes(CKM_ECDH1_DERIVE, &parameter), base, template)
        };
        let wanted = Template::new()
            .number(CKA_CLASS, CKO_SECRET_KEY)
            .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
            .number(CKA_VALUE_LEN, 32);
        let key = derive(&wanted).unwrap();
        assert_eq!(session.read(key, CKA_LABEL).unwrap(), b"derived");
        assert_eq!(session.flag(key, CKA_EXTRACTABLE), Ok(false));
        derive(&wanted.clone().label("derived")).unwrap();
        assert_eq!(derive(&wanted.clone().label("another")), code(CKR_TEMPLATE_INCONSISTENT));
    });
}

/// Section 4.6: a certificate that stands elsewhere. Notes 2 to 4 of its table, and the values that the header has words for.
#[test]
fn certificates_by_their_hashes() {
    isolated_standard(|| {
        let session = hsm();
        let base = Template::new()
            .number(CKA_CLASS, CKO_CERTIFICATE)
            .number(CKA_CERTIFICATE_TYPE, CKC_X_509)
            .bytes(CKA_SUBJECT, b"subject");
        let hashes = base
            .clone()
            .bytes(CKA_HASH_OF_SUBJECT_PUBLIC_KEY, &[1; 32])
            .bytes(CKA_HASH_OF_ISSUER_PUBLIC_KEY, &[2; 32])
            .number(CKA_NAME_HASH_ALGORITHM, CKM_SHA256)
            .number(CKA_JAVA_MIDP_SECURITY_DOMAIN, 3)
            .number(CKA_CERTIFICATE_CATEGORY, 2);
        let elsewhere = hashes.clone().bytes(CKA_VALUE, b"").text(CKA_URL, "http://localhost/certificate");
        let certificate = session.create(&elsewhere).unwrap();
        assert_eq!(session.read(certificate, CKA_HASH_OF_SUBJECT_PUBLIC_KEY), Ok(vec![1; 32]));
        assert_eq!(session.read(certificate, CKA_HASH_OF_ISSUER_PUBLIC_KEY), Ok(vec![2; 32]));
        assert_eq!(session.number(certificate, CKA_NAME_HASH_ALGORITHM), Ok(CKM_SHA256));
        assert_eq!(session.number(certificate, CKA_JAVA_MIDP_SECURITY_DOMAIN), Ok(3));
        assert_eq!(session.number(certificate, CKA_CERTIFICATE_CATEGORY), Ok(2));
        session.create(&hashes.clone().bytes(CKA_VALUE, b"value")).unwrap();
        assert_eq!(session.create(&hashes.clone().bytes(CKA_VALUE, b"")), code(CKR_ATTRIBUTE_VALUE_INVALID));
        let url = base.bytes(CKA_VALUE, b"").text(CKA_URL, "http://localhost/certificate");
        assert_eq!(session.create(&url), code(CKR_TEMPLATE_INCOMPLETE));
        for id in [CKA_CERTIFICATE_CATEGORY, CKA_JAVA_MIDP_SECURITY_DOMAIN] {
            let unknown = elsewhere.clone().without(id).number(id, 4);
            assert_eq!(session.create(&unknown), code(CKR_ATTRIBUTE_VALUE_INVALID), "{id:#x}");
        }
    });
}

/// What a key made in one profile does not hold reads as the default in another.
#[test]
fn keys_of_another_profile_possess_them_too() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            test.run("standard", home.path(), "read");
        }
        "make" => {
            let session = hsm();
            session.create(&aes_value(&[1; 32]).flag(CKA_TOKEN, true).label("made")).unwrap();
            session.create(&ec_private_value().flag(CKA_TOKEN, true).label("half")).unwrap();
        }
        _ => {
            initialize().unwrap();
            let session = Session::open();
            session.login(ALICE).unwrap();
            let key = session.labelled("made")[0];
            for (id, unset) in [SECRET, KEY].concat() {
                let read = session.read(key, id).unwrap_or_else(|rv| panic!("{id:#x}: {rv:?}"));
                assert!(value(unset).is_none_or(|value| value == read), "{id:#x}: {read:?}");
            }
            // What is read is found: an empty value too, which no index has.
            let half = session.labelled("half");
            assert_eq!(session.read(half[0], CKA_SUBJECT), Ok(vec![]));
            assert_eq!(session.find(&Template::new().label("half").bytes(CKA_SUBJECT, &[])).unwrap(), half);
            let other = session.create(&ec_private_value().label("")).unwrap();
            assert!(session.find(&Template::new().label("").bytes(CKA_SUBJECT, &[])).unwrap().contains(&other));
        }
    });
}
