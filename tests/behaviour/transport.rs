//! What wrapping, unwrapping and derivation must not give away: the attacks on key management that use them (Clulow 2003;
//! Bortolozzo et al. 2010; Bardou et al. 2012), on keys that are protected against them.

use crate::support::*;

const NO_PAD: CK_MECHANISM_TYPE = vendor::CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD;
const ZERO_PAD: CK_MECHANISM_TYPE = vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD;

fn secret(key_type: CK_KEY_TYPE) -> Template {
    Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, key_type)
}

/// Keys that grow by a byte would tell the whole of a longer one, byte by byte.
fn derived_in_slices() {
    let session = hsm();
    let base = session.create(&plain_aes_value(&[7; 32]).on(&[CKA_DERIVE])).unwrap();
    let mut kdf = CounterKdf::new(CKM_SHA256_HMAC, b"label");
    for (length, expected) in [(1, false), (13, false), (14, true), (32, true)] {
        let template = secret(CKK_GENERIC_SECRET).number(CKA_VALUE_LEN, length);
        let derived = session.derive(&mut kdf.mechanism(), base, &template);
        assert_eq!(derived.is_ok(), expected, "{length}: {derived:?}");
        if !expected {
            assert_eq!(derived, code(CKR_ATTRIBUTE_VALUE_INVALID));
        }
    }
}

#[test]
fn a_derived_key_is_not_cut_in_slices() {
    isolated(|| {
        derived_in_slices();
    });
}

#[test]
fn a_derived_key_is_not_cut_in_slices_in_standard() {
    isolated_standard(|| {
        derived_in_slices();
    });
}

/// What a private key derives is private, and what PKCS#11 says of the extractability of an unwrapped key holds.
#[test]
fn the_standards_own_defaults() {
    isolated_standard(|| {
        let session = hsm();
        let base = session.create(&plain_aes_value(&[7; 32]).on(&[CKA_PRIVATE, CKA_DERIVE])).unwrap();
        let mut kdf = CounterKdf::new(CKM_SHA256_HMAC, b"label");
        let template = secret(CKK_AES).number(CKA_VALUE_LEN, 32);
        let open = template.clone().off(&[CKA_PRIVATE]);
        assert_eq!(session.derive(&mut kdf.mechanism(), base, &open), code(CKR_TEMPLATE_INCONSISTENT));
        let derived = session.derive(&mut kdf.mechanism(), base, &template).unwrap();
        assert_eq!(session.flag(derived, CKA_PRIVATE), Ok(true));
        // PKCS#11 3.2 section 5.18.4: "The CKA_EXTRACTABLE attribute is by default set to CK_TRUE".
        let wrapping = session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_WRAP, CKA_UNWRAP])).unwrap();
        let key = session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_EXTRACTABLE])).unwrap();
        let mechanism = || Mechanism::new(CKM_AES_KEY_WRAP_KWP);
        let wrapped = session.wrap(&mut mechanism(), wrapping, key).unwrap();
        let back = session.unwrap(&mut mechanism(), wrapping, &wrapped, &secret(CKK_AES)).unwrap();
        assert_eq!(session.flag(back, CKA_EXTRACTABLE), Ok(true));
        assert_eq!(session.flag(back, CKA_LOCAL), Ok(false));
    });
}

/// AES-CMAC takes AES keys, whatever the bytes of another key could pass for.
#[test]
fn a_function_takes_the_keys_that_are_its_own() {
    isolated(|| {
        let session = hsm();
        let mut kdf = CounterKdf::new(CKM_AES_CMAC, b"label");
        let template = secret(CKK_AES).number(CKA_VALUE_LEN, 32);
        let mut derive = |value: Template| {
            let base = session.create(&value.on(&[CKA_DERIVE])).unwrap();
            session.derive(&mut kdf.mechanism(), base, &template).map(drop)
        };
        assert_eq!(derive(plain_aes_value(&[7; 32])), Ok(()));
        assert_eq!(derive(plain_generic_value(&[7; 32])), code(CKR_KEY_TYPE_INCONSISTENT));
    });
}

/// Makes a key that only a trusted key may wrap, and the trusted key, both of the same user.
fn protected_and_trusted(session: Session) -> (CK_OBJECT_HANDLE, CK_OBJECT_HANDLE) {
    let label = "the trusted key";
    let wrapping = aes().label(label).on(&[CKA_TOKEN, CKA_WRAP, CKA_UNWRAP]);
    session.generate(CKM_AES_KEY_GEN, &wrapping).unwrap();
    session.logout().unwrap();
    session.login_as(CKU_SO, OFFICER).unwrap();
    session.set(session.labelled(label)[0], &Template::new().on(&[CKA_TRUSTED])).unwrap();
    session.logout().unwrap();
    session.login(ALICE).unwrap();
    let trusted = session.labelled(label)[0];
    let protected = aes().on(&[CKA_WRAP_WITH_TRUSTED, CKA_EXTRACTABLE]);
    (session.generate(CKM_AES_KEY_GEN, &protected).unwrap(), trusted)
}

/// The wrapped form does not tell that its key may leave only under a trusted key, so the trusted key that opens it does.
fn there_and_back() {
    let session = hsm();
    let (protected, trusted) = protected_and_trusted(session);
    let wrapped = session.wrap(&mut Mechanism::new(ZERO_PAD), trusted, protected).unwrap();
    let readable = secret(CKK_AES).off(&[CKA_SENSITIVE]).on(&[CKA_EXTRACTABLE]);
    let came = session.unwrap(&mut Mechanism::new(ZERO_PAD), trusted, &wrapped, &readable);
    assert_eq!(came, code(CKR_TEMPLATE_INCONSISTENT));
    let back = session.unwrap(&mut Mechanism::new(ZERO_PAD), trusted, &wrapped, &secret(CKK_AES)).unwrap();
    assert_eq!(session.flag(back, CKA_WRAP_WITH_TRUSTED), Ok(true));
    assert_eq!(session.flag(back, CKA_SENSITIVE), Ok(true));
    assert_eq!(session.read(back, CKA_VALUE), code(CKR_ATTRIBUTE_SENSITIVE));
    let other = session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_WRAP])).unwrap();
    assert_eq!(session.wrap(&mut Mechanism::new(ZERO_PAD), other, protected), code(CKR_KEY_NOT_WRAPPABLE));
}

#[test]
fn a_key_that_comes_back_is_as_protected_as_it_was() {
    isolated(|| {
        there_and_back();
    });
}

#[test]
fn a_key_that_comes_back_in_standard() {
    isolated_standard(|| {
        there_and_back();
    });
}

/// Two keys under one IV of AES-GCM tell each other, so a trusted key has no IV of the caller's.
#[test]
fn a_trusted_key_makes_its_own_iv() {
    isolated_standard(|| {
        let session = hsm();
        let (protected, trusted) = protected_and_trusted(session);
        let (mut iv, mut none) = ([1; 12], []);
        let mut parameter = gcm(&mut iv, &mut none, 128);
        let came = session.wrap(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), trusted, protected);
        assert_eq!(came, code(CKR_MECHANISM_PARAM_INVALID));
    });
}

/// The IV of a caller who does not read it back would be lost with the key (User Guide, pkcs11-mechanisms, note on GCM).
#[test]
fn an_iv_is_not_replaced() {
    isolated(|| {
        let session = hsm();
        let wrapping = session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_WRAP])).unwrap();
        let key = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
        let (mut iv, mut none) = ([1; 12], []);
        let mut parameter = gcm(&mut iv, &mut none, 128);
        let came = session.wrap(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), wrapping, key);
        assert_eq!(came, code(CKR_MECHANISM_PARAM_INVALID), "an IV that would be replaced");
    });
}

/// The wrapped key may lie over the very structure that names the place of the IV.
#[test]
fn the_place_of_the_iv_is_looked_up_once() {
    isolated(|| {
        let session = hsm();
        let wrapping = session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_WRAP])).unwrap();
        let key = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
        let mut iv = [0; 12];
        let mut none = [];
        let mut space = [gcm(&mut iv, &mut none, 128); 4];
        let mut length = size_of_val(&space) as CK_ULONG;
        let output = space.as_mut_ptr().cast::<CK_BYTE>();
        let mut mechanism = Mechanism::with(CKM_AES_GCM, &mut space[0]);
        assert_eq!(call!(C_WrapKey(session.0, mechanism.raw(), wrapping, key, output, &raw mut length)), CKR_OK);
        assert_eq!(length, 32 + 16);
        assert_ne!(iv, [0; 12]);
    });
}

/// Encrypts `message` for an RSA key of ours, with a padding that is right or with none.
fn under_rsa(session: Session, public: CK_OBJECT_HANDLE, message: &[u8]) -> Vec<u8> {
    session.encrypt(&mut Mechanism::new(CKM_RSA_PKCS), public, message).unwrap()
}

/// A bad padding is unwrapped as a good one is: into a key of the type and the length that the template wants. The length
/// that decryption tells is kept by every type of key that may have it, so that the lengths of several types of key out
/// of one ciphertext are related neither more nor less than those of a good one.
#[test]
fn unwrapping_does_not_tell_a_padding() {
    isolated_standard(|| {
        let session = hsm();
        let public = session.create(&rsa_public_value().on(&[CKA_ENCRYPT, CKA_WRAP])).unwrap();
        let private = session.create(&rsa_private_value().on(&[CKA_UNWRAP, CKA_DECRYPT])).unwrap();
        let length_as = |template: &Template, wrapped: &[u8]| {
            let key =
                session.unwrap(&mut Mechanism::new(CKM_RSA_PKCS), private, wrapped, template).expect("always a key");
            let length = session.number(key, CKA_VALUE_LEN).unwrap() as usize;
            session.destroy(key).unwrap();
            length
        };
        let claims = secret(CKK_GENERIC_SECRET).number(CKA_VALUE_LEN, 20);
        // Numbers below the modulus: such a one has a good padding once in 2^16 times or less. Three lengths of 246 are
        // those of AES keys, so some twenty bad paddings come out with one of them, and some six with none at all.
        let bad = |_| [&[0_u8, 1][..], &session.random(254).unwrap()].concat();
        let good = |length: usize| under_rsa(session, public, &session.random(245).unwrap()[..length]);
        let wrapped = (0..1600).map(|at| (0, bad(at))).chain((0..=245).map(|length| (1, good(length))));
        let mut kept = [0_u32; 2];
        for (at, wrapped) in wrapped {
            let message =
                session.decrypt(&mut Mechanism::new(CKM_RSA_PKCS), private, &wrapped).expect("always a message");
            let generic = length_as(&secret(CKK_GENERIC_SECRET), &wrapped);
            let aes = length_as(&secret(CKK_AES), &wrapped);
            assert!(matches!(aes, 16 | 24 | 32) && (1..=245).contains(&generic));
            // An empty key is none, so such a message gives way to a substitute in both.
            assert!(
                generic == message.len() || message.is_empty(),
                "{generic} bytes of a message of {}",
                message.len()
            );
            if matches!(message.len(), 16 | 24 | 32) {
                assert_eq!(aes, message.len(), "a length that an AES key may have");
                kept[at] += 1;
            }
        }
        assert!(kept[0] > 0, "1600 bad paddings and none with the length of an AES key");
        assert_eq!(kept[1], 3, "good paddings of each length");
        for wrapped in [bad(0), good(200)] {
            let generic = length_as(&secret(CKK_GENERIC_SECRET), &wrapped);
            assert_eq!(length_as(&secret(CKK_GENERIC_SECRET), &wrapped), generic, "the same at each repetition");
            assert_eq!(length_as(&claims, &wrapped), 20, "the length that the template claims");
        }
    });
}

/// What cannot be wrapped says so, before anything is said of lengths.
#[test]
fn what_is_no_secret_is_not_wrapped() {
    isolated(|| {
        let session = hsm();
        let wrapping = session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_WRAP])).unwrap();
        let public = session.create(&rsa_public_value()).unwrap();
        let stuck = session.generate(CKM_AES_KEY_GEN, &aes().off(&[CKA_EXTRACTABLE])).unwrap();
        for (key, refusal) in [(public, CKR_KEY_NOT_WRAPPABLE), (stuck, CKR_KEY_UNEXTRACTABLE)] {
            let mut length = 0;
            let mut mechanism = Mechanism::new(NO_PAD);
            let rv = call!(C_WrapKey(session.0, mechanism.raw(), wrapping, key, std::ptr::null_mut(), &raw mut length));
            assert_eq!((Rv(rv), length), (Rv(refusal), 0));
        }
        let one_key = session.create(&secret(CKK_DES3).bytes(CKA_VALUE, &[b'k'; 24]));
        assert_eq!(one_key, code(CKR_ATTRIBUTE_VALUE_INVALID), "three times the same key is single DES");
    });
}

/// PKCS#11 3.2 section 5.6.4: a public session has access to public objects, so public keys wrap, are unwrapped and are derived in
/// one, as they are generated and created there; what is private needs the login. CloudHSM has no session without one.
#[test]
fn public_keys_come_and_go_without_a_login_in_standard() {
    isolated_standard(|| {
        let session = hsm();
        session.logout().unwrap();
        let public = |template: Template| template.flag(CKA_PRIVATE, false);
        let wrapping = public(aes_value(&[7; 32])).on(&[CKA_WRAP, CKA_UNWRAP]);
        let wrapping = session.create(&wrapping).unwrap();
        let halves = [ec_public(P256), ec_private().on(&[CKA_DERIVE])].map(public);
        let (other, base) = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &halves[0], &halves[1]).unwrap();
        let point = session.read(other, CKA_EC_POINT).unwrap();
        let parameter: Vec<u8> = [1, 0, 0, point.len() as CK_ULONG, point.as_ptr().addr() as CK_ULONG]
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect();
        let secret = || Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
        let derived = public(secret()).number(CKA_VALUE_LEN, 32).on(&[CKA_EXTRACTABLE, CKA_ENCRYPT]);
        let derive =
            |template: &Template| session.derive(&mut Mechanism::bytes(CKM_ECDH1_DERIVE, &parameter), base, template);
        let key = derive(&derived).unwrap();
        let wrapped = session.wrap(&mut Mechanism::new(CKM_AES_KEY_WRAP), wrapping, key).unwrap();
        let unwrap =
            |template: &Template| session.unwrap(&mut Mechanism::new(CKM_AES_KEY_WRAP), wrapping, &wrapped, template);
        let again = unwrap(&public(secret()).on(&[CKA_ENCRYPT])).unwrap();
        let [one, two] =
            [key, again].map(|key| session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap());
        assert_eq!(one, two);
        let private = |template: Template| template.flag(CKA_PRIVATE, true);
        assert_eq!(unwrap(&private(secret())), code(CKR_USER_NOT_LOGGED_IN));
        assert_eq!(derive(&private(secret()).number(CKA_VALUE_LEN, 32)), code(CKR_USER_NOT_LOGGED_IN));
    });
}

/// docs/limits.md: 65,536 bytes are looked into, more are not (CKR_WRAPPED_KEY_LEN_RANGE, PKCS#11 3.2 section 5.1).
#[test]
fn a_wrapped_key_has_up_to_64_kib() {
    isolated(|| {
        let session = hsm();
        let wrapping = session.create(&aes_value(&[7; 32]).on(&[CKA_WRAP, CKA_UNWRAP])).unwrap();
        let template = Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, CKK_RSA);
        let unwrap = |length: usize| {
            let mut mechanism = Mechanism::new(vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD);
            session.unwrap(&mut mechanism, wrapping, &vec![9; length], &template)
        };
        assert_eq!(unwrap(65_536), code(CKR_WRAPPED_KEY_INVALID));
        assert_eq!(unwrap(65_544), code(CKR_WRAPPED_KEY_LEN_RANGE));
    });
}
