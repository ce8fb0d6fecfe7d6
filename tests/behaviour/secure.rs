//! Secure mode, rule by rule (SECURITY.md): what it refuses that the attack list does not meet, and what goes on working.

use crate::support::*;

use vendor::{CKM_CLOUDHSM_AES_GCM, CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD};

const SECURE: &[(&str, &str)] = &[("CLOUDHSM_PKCS11_SECURE", "true")];
const ZERO_PAD: CK_MECHANISM_TYPE = vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD;

fn key(class: CK_OBJECT_CLASS, key_type: CK_KEY_TYPE) -> Template {
    Template::new().number(CKA_CLASS, class).number(CKA_KEY_TYPE, key_type)
}

fn aes_256() -> Template {
    Template::new().number(CKA_VALUE_LEN, 32)
}

/// Lets an officer trust the object with this label, which must be there once.
fn trust(session: Session, label: &str) -> Answer {
    session.logout().unwrap();
    session.login_as(CKU_SO, OFFICER).unwrap();
    let trusted = session.set(session.labelled(label)[0], &Template::new().on(&[CKA_TRUSTED]));
    session.logout().unwrap();
    session.login(ALICE).unwrap();
    trusted
}

/// A key that an officer trusts, made as the mode wants it: the template says WRAP and UNWRAP alone.
fn trusted(session: Session) -> CK_OBJECT_HANDLE {
    let template = aes_256().label("trusted").on(&[CKA_TOKEN, CKA_WRAP, CKA_UNWRAP]);
    session.generate(CKM_AES_KEY_GEN, &template).unwrap();
    trust(session, "trusted").unwrap();
    session.labelled("trusted")[0]
}

/// R1 to R4: the way that stays open. A key leaves under a trusted key and comes back sensitive, not extractable and without
/// uses that its template does not name.
fn there_and_back() {
    let session = hsm();
    let trusted = trusted(session);
    for id in [CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_EXTRACTABLE] {
        assert_eq!(session.flag(trusted, id), Ok(false), "what is not said follows: {id:#x}");
    }
    let secret = session.generate(CKM_AES_KEY_GEN, &aes_256().on(&[CKA_ENCRYPT, CKA_EXTRACTABLE])).unwrap();
    let iv = || Mechanism::bytes(CKM_AES_CBC, &[0; 16]);
    let cipher = session.encrypt(&mut iv(), secret, &[7; 32]).unwrap();
    let wrapped = session.wrap(&mut Mechanism::new(ZERO_PAD), trusted, secret).unwrap();
    let template = key(CKO_SECRET_KEY, CKK_AES).on(&[CKA_DECRYPT]);
    for (id, value) in [(CKA_EXTRACTABLE, true), (CKA_SENSITIVE, false), (CKA_WRAP, true), (CKA_UNWRAP, true)] {
        let refused =
            session.unwrap(&mut Mechanism::new(ZERO_PAD), trusted, &wrapped, &template.clone().flag(id, value));
        assert_eq!(refused, code(CKR_TEMPLATE_INCONSISTENT), "{id:#x}");
    }
    let back = session.unwrap(&mut Mechanism::new(ZERO_PAD), trusted, &wrapped, &template).unwrap();
    assert_eq!(session.decrypt(&mut iv(), back, &cipher).unwrap(), [7; 32]);
    assert_eq!(session.flag(back, CKA_EXTRACTABLE), Ok(false));
    assert_eq!(session.flag(back, CKA_SENSITIVE), Ok(true));
}

#[test]
fn a_key_leaves_under_a_trusted_key_and_comes_back() {
    isolated_with("cloudhsm", SECURE, || {
        there_and_back();
    });
}

#[test]
fn a_key_leaves_and_comes_back_in_standard() {
    isolated_with("standard", SECURE, || {
        there_and_back();
    });
}

/// R1 and R6 with pairs: the public half may be trusted if the pair does nothing else; RSA-2048 has the strength of 112 bits
/// (SP 800-57 part 1, table 2), as triple DES has.
#[test]
fn a_public_key_carries_what_is_no_stronger() {
    isolated_with("cloudhsm", SECURE, || {
        let session = hsm();
        let public = rsa_public(2048).off(&[CKA_VERIFY, CKA_ENCRYPT]).on(&[CKA_WRAP, CKA_TOKEN]).label("carries");
        let public = public.without(CKA_VERIFY).without(CKA_ENCRYPT);
        let private = Template::new().on(&[CKA_UNWRAP]).label("opens");
        let pair = session.generate_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &public, &private.clone().on(&[CKA_EXTRACTABLE]));
        assert_eq!(pair, code(CKR_TEMPLATE_INCONSISTENT), "what opens wrapped keys stays");
        let (_, private) = session.generate_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &public, &private).unwrap();
        assert_eq!(session.flag(private, CKA_EXTRACTABLE), Ok(false));
        trust(session, "carries").unwrap();
        let public = session.labelled("carries")[0];
        let mut oaep = CK_RSA_PKCS_OAEP_PARAMS {
            hashAlg: CKM_SHA256,
            mgf: CKG_MGF1_SHA256,
            source: CKZ_DATA_SPECIFIED,
            pSourceData: std::ptr::null_mut(),
            ulSourceDataLen: 0,
        };
        let des3 = session.generate(CKM_DES3_KEY_GEN, &Template::new()).unwrap();
        let aes = session.generate(CKM_AES_KEY_GEN, &Template::new().number(CKA_VALUE_LEN, 16)).unwrap();
        session.wrap(&mut Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep), public, des3).unwrap();
        let stronger = session.wrap(&mut Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep), public, aes);
        assert_eq!(stronger, code(CKR_KEY_NOT_WRAPPABLE));
        // R5: the same with SHA-1.
        (oaep.hashAlg, oaep.mgf) = (CKM_SHA_1, CKG_MGF1_SHA1);
        let weak = session.wrap(&mut Mechanism::with(CKM_RSA_PKCS_OAEP, &mut oaep), public, des3);
        assert_eq!(weak, code(CKR_MECHANISM_PARAM_INVALID));
    });
}

/// R1: what an officer may not trust, beside imported keys.
#[test]
fn an_officer_trusts_only_what_carries_keys() {
    isolated_with("cloudhsm", SECURE, || {
        let session = hsm();
        let stays = aes_256().on(&[CKA_TOKEN]).off(&[CKA_EXTRACTABLE, CKA_SIGN]);
        session.generate(CKM_AES_KEY_GEN, &stays.clone().label("encrypts").on(&[CKA_ENCRYPT])).unwrap();
        let once = stays.without(CKA_EXTRACTABLE).on(&[CKA_EXTRACTABLE]).label("was extractable");
        let once = session.generate(CKM_AES_KEY_GEN, &once).unwrap();
        session.set(once, &Template::new().off(&[CKA_EXTRACTABLE])).unwrap();
        for label in ["encrypts", "was extractable"] {
            assert_eq!(trust(session, label), code(CKR_ATTRIBUTE_READ_ONLY), "{label}");
        }
    });
}

/// R4: a value is not read in the clear, whatever its attributes say.
#[test]
fn no_value_is_read() {
    isolated_with("cloudhsm", SECURE, || {
        let session = hsm();
        let open = session.create(&aes_value(&[1; 32]).off(&[CKA_SENSITIVE]).on(&[CKA_EXTRACTABLE])).unwrap();
        assert_eq!(session.read(open, CKA_VALUE), code(CKR_ATTRIBUTE_SENSITIVE));
    });
}

/// R8, beside what the mechanism list says: exponents in `standard`, short tags, derivation.
#[test]
fn what_is_short_is_not_used() {
    isolated_with("standard", SECURE, || {
        let session = hsm();
        let three = Template::new().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[3]);
        let pair = session.generate_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &three, &Template::new());
        assert_eq!(pair, code(CKR_ATTRIBUTE_VALUE_INVALID));
        let aes = session.generate(CKM_AES_KEY_GEN, &aes_256()).unwrap();
        for (bits, expected) in [(64, code(CKR_MECHANISM_PARAM_INVALID)), (96, Ok(()))] {
            let mut parameter = CK_GCM_PARAMS { pIv: std::ptr::null_mut(), ulIvLen: 0, ..gcm(&mut [], &mut [], bits) };
            let mut mechanism = Mechanism::with(CKM_CLOUDHSM_AES_GCM, &mut parameter);
            assert_eq!(session.begin(Way::Encrypt, &mut mechanism, aes), expected, "{bits}");
        }
        let mut kdf = CounterKdf::new(CKM_SHA256_HMAC, b"label");
        let template = key(CKO_SECRET_KEY, CKK_GENERIC_SECRET).number(CKA_VALUE_LEN, 32);
        for (length, made, expected) in
            [(13, code(CKR_ATTRIBUTE_VALUE_INVALID), code(CKR_KEY_SIZE_RANGE)), (14, Ok(()), Ok(()))]
        {
            let size = Template::new().number(CKA_VALUE_LEN, length as CK_ULONG);
            assert_eq!(session.generate(CKM_GENERIC_SECRET_KEY_GEN, &size).map(drop), made, "{length}");
            let base = session.create(&plain_generic_value(&vec![7; length]).on(&[CKA_DERIVE])).unwrap();
            assert_eq!(session.derive(&mut kdf.mechanism(), base, &template).map(drop), expected, "{length}");
            let signs = session.create(&generic_value(&vec![7; length])).unwrap();
            let signed = session.sign_init(&mut Mechanism::new(CKM_SHA256_HMAC), signs);
            assert_eq!(signed, expected, "{length}");
        }
    });
}

/// R7 in `standard`: the caller's IV opens what was encrypted elsewhere, and encrypts nothing.
#[test]
fn a_callers_iv_only_decrypts() {
    isolated_with("standard", SECURE, || {
        let session = hsm();
        let aes = session.generate(CKM_AES_KEY_GEN, &aes_256()).unwrap();
        let mut none = CK_GCM_PARAMS { pIv: std::ptr::null_mut(), ulIvLen: 0, ..gcm(&mut [], &mut [], 128) };
        let made = session.encrypt(&mut Mechanism::with(CKM_CLOUDHSM_AES_GCM, &mut none), aes, b"message").unwrap();
        let mut iv = made[..12].to_vec();
        let mut parameter = gcm(&mut iv, &mut [], 128);
        let mut mechanism = Mechanism::with(CKM_AES_GCM, &mut parameter);
        assert_eq!(session.decrypt(&mut mechanism, aes, &made[12..]).unwrap(), b"message");
        assert_eq!(session.begin(Way::Encrypt, &mut mechanism, aes), code(CKR_MECHANISM_PARAM_INVALID));
    });
}

/// What R5 and R7 take out of the mechanism list, and the sizes that R8 raises; nothing else differs.
fn lists(stage: &str, test: &Test, profile: &str) {
    if stage.is_empty() {
        let list = |variables: &[(&str, &str)]| -> Vec<String> {
            let home = Folder::new();
            let said = test.must(test.stage(profile, home.path(), "list").envs(variables.iter().copied()));
            said.lines().filter(|line| line.starts_with("MECHANISM ")).map(str::to_owned).collect()
        };
        let (free, secure) = (list(&[]), list(SECURE));
        assert!(free.len() > 40, "{free:?}");
        let expected: Vec<String> = free.iter().filter_map(|line| in_secure_mode(line)).collect();
        assert_eq!(secure, expected);
        return;
    }
    initialize().unwrap();
    let mut count = 0;
    assert_eq!(call!(C_GetMechanismList(SLOT, std::ptr::null_mut(), &raw mut count)), CKR_OK);
    let mut list = vec![0; count as usize];
    assert_eq!(call!(C_GetMechanismList(SLOT, list.as_mut_ptr(), &raw mut count)), CKR_OK);
    for mechanism in list {
        let mut information = CK_MECHANISM_INFO::default();
        assert_eq!(call!(C_GetMechanismInfo(SLOT, mechanism, &raw mut information)), CKR_OK);
        let CK_MECHANISM_INFO { ulMinKeySize: least, ulMaxKeySize: most, flags } = information;
        println!("MECHANISM {mechanism} {flags} {least} {most}");
    }
}

/// A line as secure mode has it; none if nothing is left of the mechanism.
fn in_secure_mode(line: &str) -> Option<String> {
    const CIPHER: CK_FLAGS = CKF_ENCRYPT | CKF_DECRYPT;
    const TRANSPORT: CK_FLAGS = CKF_WRAP | CKF_UNWRAP;
    let numbers: Vec<CK_ULONG> = line.split(' ').skip(1).map(|number| number.parse().unwrap()).collect();
    let [mechanism, flags, least, most] = numbers[..] else { panic!("{line}") };
    let gone = match mechanism {
        CKM_RSA_PKCS => CIPHER | TRANSPORT,
        CKM_RSA_X_509 | CKM_AES_ECB | CKM_DES3_ECB => return None,
        CKM_AES_KEY_WRAP | CKM_AES_KEY_WRAP_PKCS7 => return None,
        CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD | CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD => return None,
        _ => 0,
    };
    let least = match mechanism {
        CKM_GENERIC_SECRET_KEY_GEN => 112,
        CKM_SP800_108_COUNTER_KDF | vendor::CKM_CLOUDHSM_SP800_108_COUNTER_KDF => 14,
        CKM_SHA_1_HMAC | CKM_SHA224_HMAC | CKM_SHA256_HMAC | CKM_SHA384_HMAC | CKM_SHA512_HMAC => 14,
        _ if least == 1024 => 2048,
        _ => least,
    };
    Some(format!("MECHANISM {mechanism} {} {least} {most}", flags & !gone))
}

#[test]
fn the_mechanisms_that_are_left() {
    staged(|stage, test| lists(stage, test, "cloudhsm"));
}

#[test]
fn the_mechanisms_that_are_left_in_standard() {
    staged(|stage, test| lists(stage, test, "standard"));
}

/// R9 in a process that was tightened: a base key from before that signs as well, or may leave, derives no more; one that only
/// derives goes on.
#[test]
fn what_signs_no_longer_derives() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            test.must(test.stage("cloudhsm", home.path(), "tightened").envs(SECURE.iter().copied()));
        }
        "make" => {
            activate(&[ALICE]);
            let session = Session::open();
            session.login(ALICE).unwrap();
            let base = aes_256().on(&[CKA_TOKEN, CKA_DERIVE]).off(&[CKA_VERIFY]);
            let stays = base.clone().off(&[CKA_EXTRACTABLE]);
            session.generate(CKM_AES_KEY_GEN, &stays.clone().label("signs").on(&[CKA_SIGN])).unwrap();
            session.generate(CKM_AES_KEY_GEN, &base.label("leaves").off(&[CKA_SIGN])).unwrap();
            session.generate(CKM_AES_KEY_GEN, &stays.label("derives").off(&[CKA_SIGN])).unwrap();
        }
        _ => {
            initialize().unwrap();
            let session = Session::open();
            session.login(ALICE).unwrap();
            let template = key(CKO_SECRET_KEY, CKK_AES).number(CKA_VALUE_LEN, 32);
            let refused = code(CKR_KEY_FUNCTION_NOT_PERMITTED);
            for (label, expected) in [("signs", refused), ("leaves", refused), ("derives", Ok(()))] {
                let mut kdf = CounterKdf::new(CKM_SHA256_HMAC, b"label");
                let base = session.labelled(label)[0];
                assert_eq!(session.derive(&mut kdf.mechanism(), base, &template).map(drop), expected, "{label}");
            }
        }
    });
}

/// Secure mode is recorded: a process that says nothing has it, and one that wants less is refused.
#[test]
fn it_is_recorded() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.must(test.stage("cloudhsm", home.path(), "make").envs(SECURE.iter().copied()));
            test.run("cloudhsm", home.path(), "use");
            test.must(test.stage("cloudhsm", home.path(), "weaken").env("CLOUDHSM_PKCS11_SECURE", "false"));
        }
        "make" => activate(&[ALICE]),
        "use" => {
            initialize().unwrap();
            let session = Session::open();
            session.login(ALICE).unwrap();
            let both = session.generate(CKM_AES_KEY_GEN, &aes_256().on(&[CKA_WRAP, CKA_DECRYPT]));
            assert_eq!(both, code(CKR_TEMPLATE_INCONSISTENT));
        }
        _ => assert_eq!(initialize(), code(CKR_FUNCTION_FAILED)),
    });
}
