//! Keys on curves: the type that a curve's keys have, the form of a point, and what is said of CKA_EC_PARAMS that name no
//! curve (PKCS#11 3.2, section 6.3).

use crate::support::*;

/// "edwards25519" as a PrintableString (PKCS#11 3.2, section 6.3.5, whose template has these bytes).
const NAMED: &str = "130c656477617264733235353139";
/// RFC 8032, section 7.1, test 2: the seed, the public key, the message and its signature.
const SEED: &str = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
const PUBLIC: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const MESSAGE: &str = "72";
const SIGNATURE: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
                         085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
/// The vendor bit and the standard's number, by the header that clients have.
const CKM_CLOUDHSM_EDDSA: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | CKM_EDDSA;

/// Object identifiers of other curves: id-X25519, id-X448 and id-Ed448 (RFC 8410, section 3), brainpoolP256r1 (RFC 5639).
const OTHER_CURVES: [&str; 4] = ["06032b656e", "06032b656f", "06032b6571", "06092b2403030208010107"];

fn public(key_type: CK_KEY_TYPE, parameters: &[u8], point: &[u8]) -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_PUBLIC_KEY)
        .number(CKA_KEY_TYPE, key_type)
        .bytes(CKA_EC_PARAMS, parameters)
        .bytes(CKA_EC_POINT, point)
        .on(&[CKA_VERIFY])
}

fn private(key_type: CK_KEY_TYPE, parameters: &[u8], value: &[u8]) -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_PRIVATE_KEY)
        .number(CKA_KEY_TYPE, key_type)
        .bytes(CKA_EC_PARAMS, parameters)
        .bytes(CKA_VALUE, value)
        .on(&[CKA_SIGN])
}

/// CKA_EC_POINT of a key on edwards25519: "Public key bytes in little endian order as defined in [RFC 8032]" under
/// CKK_EC_EDWARDS (PKCS#11 3.2, section 6.3.5); each form that other libraries give is taken.
#[test]
fn a_point_of_edwards25519_is_32_bytes_in_standard() {
    isolated_standard(|| {
        let session = hsm();
        let point = hex(PUBLIC);
        for parameters in [EDWARDS25519, &hex(NAMED)] {
            for given in [point.clone(), [&[0x04, 0x20], &point[..]].concat(), [&[0x03, 0x21, 0], &point[..]].concat()]
            {
                let key = session.create(&public(CKK_EC_EDWARDS, parameters, &given)).unwrap();
                assert_eq!(session.read(key, CKA_EC_POINT), Ok(point.clone()), "{given:02x?}");
                let by_point = Template::new().bytes(CKA_EC_POINT, &point);
                assert!(session.find(&by_point).unwrap().contains(&key));
                session.verify(&mut Mechanism::new(CKM_EDDSA), key, &hex(MESSAGE), &hex(SIGNATURE)).unwrap();
                session.destroy(key).unwrap();
            }
        }
        let pair = session.generate_pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, &ec_public(EDWARDS25519), &ec_private()).unwrap();
        assert_eq!(session.read(pair.0, CKA_EC_POINT).unwrap().len(), 32);
    });
}

/// CloudHSM has such keys under CKK_EC, whose points are OCTET STRINGs (PKCS#11 3.2, section 6.3.3; that AWS's are is ours).
#[test]
fn a_point_of_edwards25519_is_an_octet_string_in_cloudhsm() {
    isolated(|| {
        let session = hsm();
        let octets = [&[0x04, 0x20], &hex(PUBLIC)[..]].concat();
        for given in [hex(PUBLIC), octets.clone()] {
            let key = session.create(&public(CKK_EC, EDWARDS25519, &given)).unwrap();
            assert_eq!(session.read(key, CKA_EC_POINT), Ok(octets.clone()));
        }
        let pair = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(EDWARDS25519), &ec_private()).unwrap();
        assert_eq!(session.read(pair.0, CKA_EC_POINT).unwrap()[..2], [0x04, 0x20]);
    });
}

/// A parameter that says neither hash nor context is plain Ed25519, in one call and in parts; the signature is RFC 8032's. Of
/// AWS's dialect the guide has Ed25519ph alone.
#[test]
fn a_parameter_that_says_nothing_is_plain_ed25519() {
    isolated_standard(|| {
        let session = hsm();
        let (key, check) = (
            session.create(&private(CKK_EC_EDWARDS, EDWARDS25519, &hex(SEED))).unwrap(),
            session.create(&public(CKK_EC_EDWARDS, EDWARDS25519, &hex(PUBLIC))).unwrap(),
        );
        let mut nothing = CK_EDDSA_PARAMS { phFlag: CK_FALSE, ulContextDataLen: 0, pContextData: std::ptr::null_mut() };
        let mut same = CK_EDDSA_PARAMS { ..nothing };
        let mechanisms =
            [Mechanism::new(CKM_EDDSA), Mechanism::with(CKM_EDDSA, &mut nothing), Mechanism::new(CKM_CLOUDHSM_EDDSA)];
        for mut mechanism in mechanisms {
            assert_eq!(session.sign(&mut mechanism, key, &hex(MESSAGE)), Ok(hex(SIGNATURE)));
            session.verify(&mut mechanism, check, &hex(MESSAGE), &hex(SIGNATURE)).unwrap();
        }
        session.verify_parts(&mut Mechanism::new(CKM_EDDSA), check, &hex(MESSAGE), &[0, 1], &hex(SIGNATURE)).unwrap();
        let refused = session.sign_init(&mut Mechanism::with(CKM_CLOUDHSM_EDDSA, &mut same), key);
        assert_eq!(refused, code(CKR_MECHANISM_PARAM_INVALID));
    });
}

/// "If tokens are unable to do so they can return CKR_TOKEN_RESOURCE_EXCEEDED" (PKCS#11 3.2, section 6.3.16): a message that has
/// to be kept is bounded, before it is read. The bound itself is ours (docs/open-points.md).
#[test]
fn a_message_that_has_to_be_kept_is_bounded() {
    isolated_standard(|| {
        let session = hsm();
        let key = session.create(&private(CKK_EC_EDWARDS, EDWARDS25519, &hex(SEED))).unwrap();
        session.sign_init(&mut Mechanism::new(CKM_EDDSA), key).unwrap();
        let mut one = [0; 1];
        assert_eq!(call!(C_SignUpdate(session.0, one.as_mut_ptr(), 1)), CKR_OK);
        let mut large = vec![0; 256 << 20];
        let rv = call!(C_SignUpdate(session.0, large.as_mut_ptr(), large.len() as CK_ULONG));
        assert_eq!(Rv(rv), Rv(CKR_TOKEN_RESOURCE_EXCEEDED));
        assert_eq!(session.sign_into(b"", 64), code(CKR_OPERATION_NOT_INITIALIZED), "the operation has ended");
    });
}

/// In `standard` no key on edwards25519 comes to be under CKK_EC, by whatever way: "Attempts to generate keys over these curves
/// using any other EC key pair generation mechanism will fail with CKR_CURVE_NOT_SUPPORTED" (6.3.9), and so will every attempt
/// "to create, generate, derive or unwrap an EC key of an unsupported curve" (6.3).
#[test]
fn a_curve_has_one_type_of_key_in_standard() {
    isolated_standard(|| {
        let session = hsm();
        for parameters in [EDWARDS25519.to_vec(), hex(NAMED)].into_iter().chain(OTHER_CURVES.map(hex)) {
            let made = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(&parameters), &ec_private());
            assert_eq!(made, code(CKR_CURVE_NOT_SUPPORTED), "{parameters:02x?} generated");
            for object in [public(CKK_EC, &parameters, &hex(PUBLIC)), private(CKK_EC, &parameters, &hex(SEED))] {
                assert_eq!(session.create(&object), code(CKR_CURVE_NOT_SUPPORTED), "{parameters:02x?} imported");
            }
        }
        // The other way round, and the curves that the type does not have.
        for parameters in [P256.to_vec()].into_iter().chain(OTHER_CURVES.map(hex)) {
            let made = session.generate_pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, &ec_public(&parameters), &ec_private());
            assert_eq!(made, code(CKR_CURVE_NOT_SUPPORTED), "{parameters:02x?} generated");
            let object = private(CKK_EC_EDWARDS, &parameters, &hex(SEED));
            assert_eq!(session.create(&object), code(CKR_CURVE_NOT_SUPPORTED), "{parameters:02x?} imported");
        }
        let wrapping = session.generate(CKM_AES_KEY_GEN, &aes().on(&[CKA_WRAP, CKA_UNWRAP])).unwrap();
        let key = private(CKK_EC_EDWARDS, EDWARDS25519, &hex(SEED)).on(&[CKA_EXTRACTABLE]);
        let key = session.create(&key).unwrap();
        let wrapped = session.wrap(&mut Mechanism::new(CKM_AES_KEY_WRAP_KWP), wrapping, key).unwrap();
        let target = |key_type| Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY).number(CKA_KEY_TYPE, key_type);
        let unwrap =
            |key_type| session.unwrap(&mut Mechanism::new(CKM_AES_KEY_WRAP_KWP), wrapping, &wrapped, &target(key_type));
        assert_eq!(unwrap(CKK_EC), code(CKR_CURVE_NOT_SUPPORTED));
        let back = unwrap(CKK_EC_EDWARDS).unwrap();
        assert_eq!(session.sign(&mut Mechanism::new(CKM_EDDSA), back, &hex(MESSAGE)), Ok(hex(SIGNATURE)));
    });
}

/// Of AWS's dialect the same for curves that it does not have.
#[test]
fn a_curve_that_is_not_served_makes_no_key() {
    isolated(|| {
        let session = hsm();
        for parameters in OTHER_CURVES.map(hex) {
            let made = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(&parameters), &ec_private());
            assert_eq!(made, code(CKR_CURVE_NOT_SUPPORTED));
            assert_eq!(session.create(&public(CKK_EC, &parameters, &hex(PUBLIC))), code(CKR_CURVE_NOT_SUPPORTED));
        }
    });
}

/// "invalid or of an unsupported representation of domain parameters ... CKR_DOMAIN_PARAMS_INVALID" (PKCS#11 3.2, section 6.3).
/// Explicit parameters are such a representation, even those of P-256, as OpenSSL writes them: C_GetMechanismInfo does not
/// announce CKF_EC_ECPARAMETERS.
fn no_parameters() {
    let session = hsm();
    let explicit =
        hex("3081f7020101302c06072a8648ce3d0101022100ffffffff00000001000000000000000000000000ffffffffffffffff\
         ffffffff305b0420ffffffff00000001000000000000000000000000fffffffffffffffffffffffc04205ac635d8aa3a93e7b3ebbd55\
         769886bc651d06b0cc53b0f63bce3c3e27d2604b031500c49d360886e704936a6678e1139d26b7819f7e900441046b17d1f2e12c4247\
         f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf\
         51f5022100ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551020101");
    let wrong = [
        vec![],
        b"prime256v1".to_vec(),
        // An OID that is cut, is too long for its length, ends inside an arc, or is empty; implicitlyCA.
        P384[..6].to_vec(),
        [P384, &[0]].concat(),
        hex("06022bff"),
        hex("0600"),
        hex("0500"),
        explicit,
    ];
    let mut information = CK_MECHANISM_INFO::default();
    assert_eq!(call!(C_GetMechanismInfo(SLOT, CKM_EC_KEY_PAIR_GEN, &raw mut information)), CKR_OK);
    assert_eq!(information.flags & CKF_EC_ECPARAMETERS, 0);
    for parameters in wrong {
        let made = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(&parameters), &ec_private());
        assert_eq!(made, code(CKR_DOMAIN_PARAMS_INVALID), "{parameters:02x?} generated");
        for template in [ec_public_value(), ec_private_value()] {
            let object = template.without(CKA_EC_PARAMS).bytes(CKA_EC_PARAMS, &parameters);
            assert_eq!(session.create(&object), code(CKR_DOMAIN_PARAMS_INVALID), "{parameters:02x?} imported");
        }
    }
}

#[test]
fn parameters_that_are_none() {
    isolated(|| {
        no_parameters();
    });
}

#[test]
fn parameters_that_are_none_in_standard() {
    isolated_standard(|| {
        no_parameters();
    });
}

/// A key that one profile made serves in the others, under the mechanisms that they have: an HSM may be used in one after the
/// other, and a key that serves nothing would be lost.
#[test]
fn a_key_of_another_profile_serves() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            for profile in ["standard", "cloudhsm"] {
                test.run(profile, home.path(), profile);
            }
        }
        "make" => {
            activate(&[ALICE]);
            make("cloudhsm");
        }
        stage => {
            initialize().unwrap();
            if stage == "standard" {
                make(stage);
            }
            let session = Session::open();
            session.login(ALICE).unwrap();
            // `cloudhsm` has no keys of the type CKK_EC_EDWARDS.
            let labels = if stage == "standard" { &["cloudhsm", "standard"][..] } else { &["cloudhsm"] };
            for label in labels {
                let half = |class| session.find(&Template::new().label(label).number(CKA_CLASS, class)).unwrap()[0];
                let (public, private) = (half(CKO_PUBLIC_KEY), half(CKO_PRIVATE_KEY));
                let own = if stage == "standard" { CKM_EDDSA } else { CKM_CLOUDHSM_EDDSA };
                for mechanism in [own, CKM_CLOUDHSM_EDDSA] {
                    let signature = session.sign(&mut Mechanism::new(mechanism), private, b"message").unwrap();
                    session.verify(&mut Mechanism::new(mechanism), public, b"message", &signature).unwrap();
                }
            }
        }
    });
}

/// A pair of token keys with the type and the generator of a profile, which is their label.
fn make(profile: &str) {
    let mechanism = if profile == "standard" { CKM_EC_EDWARDS_KEY_PAIR_GEN } else { CKM_EC_KEY_PAIR_GEN };
    let session = Session::open();
    session.login(ALICE).unwrap();
    let named = |template: Template| template.label(profile).on(&[CKA_TOKEN]);
    session.generate_pair(mechanism, &named(ec_public(EDWARDS25519)), &named(ec_private())).unwrap();
    session.logout().unwrap();
    session.close().unwrap();
}
