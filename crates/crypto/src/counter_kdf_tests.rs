//! Vectors of NIST's CAVP, AWS-LC as the second opinion, and the fields against an input laid out by hand.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use aws_lc_rs::kdf::{KbkdfCtrHmacAlgorithmId, get_kbkdf_ctr_hmac_algorithm, kbkdf_ctr_hmac};

use super::*;
use crate::testing::{NIST_KEYS, hex, message};

const fn counter(bytes: usize) -> Field<'static> {
    Field::Counter { bytes, little_endian: false }
}

const fn length(bytes: usize, segments: bool) -> Field<'static> {
    Field::Length { bytes, little_endian: false, segments }
}

fn derived(prf: Prf, key: &[u8], fields: &[Field<'_>], length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    counter_mode(prf, key, fields, &mut out).unwrap();
    out
}

/// One group of CAVP's KDFCTR_gen.rsp (CAVS 14.4): the width of the counter in bytes, the fixed input before it, the
/// fixed input behind it.
fn cavp(prf: Prf, bytes: usize, key: &str, before: &str, behind: &str, expected: &str) {
    let (before, behind, expected) = (hex(before), hex(behind), hex(expected));
    let fields = [Field::Bytes(Cow::Borrowed(&before)), counter(bytes), Field::Bytes(Cow::Borrowed(&behind))];
    assert_eq!(derived(prf, &hex(key), &fields, expected.len()), expected);
}

#[test]
fn cavp_cmac() {
    // CMAC_AES128, BEFORE_FIXED, 8 bits, 39; 16 bits, 10.
    cavp(
        Prf::Cmac,
        1,
        "c3ba16a8ec864c0f6f27cea220eccaaa",
        "",
        "c20ff015ea1e1c97fed4e973b46a9b2626cb3ac9a8776cb08d73d4534d3837cc\
         f88e93d1682c6e779ea9f2f9ede47a2e07ef281d8867722b310c1cae",
        "ceeaab29648cff00b89f7330076298b1e036d73ed7c5e61f2e97bd5ce0920f0f45133eaca3d3712b",
    );
    cavp(
        Prf::Cmac,
        2,
        "145c9e9365041f075ebde8ce26aa2149",
        "",
        "0d39b1c9c34d95b5b521971828c81d9f2dbdbc4af2ddd14f628721117e5c39fa\
         a030522b93cc07beb8f142fe36f674942453ec5518ca46c3e6842a73",
        "8a204ce7eab882fae3e2b8317fe431dba16dabb8fe5235525e7b61135e1b3c16",
    );
    // CMAC_AES128, MIDDLE_FIXED, 24 bits, 10.
    cavp(
        Prf::Cmac,
        3,
        "b354d04fe07940c478091c1eb5365642",
        "5b6fd5800b66a0a94452827b58b962d5efb2a3906c6f35c3919968f1dac92eb9\
         fc42b04699efce9ff4420d686c39d787d443",
        "ae7f449e70f59956ca24",
        "ccb59587d83fadbd7ebad8d97fc8c5d08e76632ecbbb6db0d5b84fb7b834c0f1",
    );
    // CMAC_AES192, BEFORE_FIXED, 16 bits, 0.
    cavp(
        Prf::Cmac,
        2,
        "d7e8eefc503a39e70d931f16645958ad06fb789f0cbc518b",
        "",
        "b10ea2d67904a8b3b7ce5eef7d9ee49768e8deb3506ee74a2ad8dd8661146fde\
         74137a8f6dfc69a370945d15335e0d6403fa029da19d34140c7e3da0",
        "95278b8883852f6676c587507b0aa162",
    );
    // CMAC_AES256, BEFORE_FIXED, 32 bits, 30.
    cavp(
        Prf::Cmac,
        4,
        "dabde95d751ff1c132bd49f80f4ee347bf39218cf8bfec61bc3ad865d9aa1182",
        "",
        "55da554307ed756764d4e97febb77ce85391b53225ee09417ad57def48ead090\
         e3d1e7c2ed04f02462a6324ea0163b18f86201c69db27fd50b4c42c5",
        "5cc29221cfa6f3a4ded7afeef5a59c05bac787fc5e98a35ee0c96ba582b05c42f758966566084f69",
    );
}

#[test]
fn cavp_hmac() {
    // BEFORE_FIXED, 32 bits, 0: SHA-1, SHA-224 and SHA-256.
    cavp(
        Prf::Hmac(Hash::Sha1),
        4,
        "f7591733c856593565130975351954d0155abf3c",
        "",
        "8e347ef55d5f5e99eab6de706b51de7ce004f3882889e259ff4e5cff102167a5\
         a4bd711578d4ce17dd9abe56e51c1f2df950e2fc812ec1b217ca08d6",
        "34fe44b0d8c41b93f5fa64fb96f00e5b",
    );
    cavp(
        Prf::Hmac(Hash::Sha224),
        4,
        "f5cb7cc6207f5920dd60155ddb68c3fbbdf5104365305d2c1abcd311",
        "",
        "4e5ac7539803da89581ee088c7d10235a10536360054b72b8e9f18f77c25af01\
         019b290656b60428024ce01fccf49022d831941407e6bd27ff9e2d28",
        "0adbaab43edd532b560a322c84ac540e",
    );
    cavp(
        Prf::Hmac(Hash::Sha256),
        4,
        "dd1d91b7d90b2bd3138533ce92b272fbf8a369316aefe242e659cc0ae238afe0",
        "",
        "01322b96b30acd197979444e468e1c5c6859bf1b1cf951b7e725303e237e46b8\
         64a145fab25e517b08f8683d0315bb2911d80a0e8aba17f3b413faac",
        "10621342bfb0fd40046c0e29f2cfdbf0",
    );
    // SHA-512: AFTER_FIXED, 8 bits, 39; 16 bits, 10; MIDDLE_FIXED, 32 bits, 39.
    cavp(
        Prf::Hmac(Hash::Sha512),
        1,
        "d558057f2bdd1d69bbbc109ffd0ddf8fa5df35c0d5e7adb5705ddaa50740308c\
         98bf993c6da62e0c56d82c307404fd14bdc6362f9716e615001f9fcf8523050a",
        "7a4cad59057380a1f8979c960e8e2d07ce5260e6f94b0a77eb1fc59b4d87a6c6\
         a94155f3c3c9d5565d0c7214a24b78dfcad23c69d7c064f46378c5fb",
        "",
        "e0d67286cc618d06db2a67b4e8c4455cf802efc4d93edbe63aeffa777601821c42405ae6eec3a874",
    );
    cavp(
        Prf::Hmac(Hash::Sha512),
        2,
        "7c386823454758deed0f5a99a2b2fff138286afc83b169b70bb2fff19939cc12\
         c103363db7f1616898dabcf5988cc02fec14c46bb2a72cad3344f36b5fbce25b",
        "45e34106e67e434e0c57f84d9b8ab101c04262efda5592efec99d3967c2f73e3\
         b2a71683cb7cea1d3cd9c2c89a89a34deae4132467e3d0073dfd8643",
        "",
        "3f71d6df209d2c9b6a2b48e7c283db6be13892a867f9455acbefcffbf6553aa3",
    );
    cavp(
        Prf::Hmac(Hash::Sha512),
        4,
        "2e9206d4c13c6a91c6659ea39ccdf6d05c2ffffb807017be6fc1e072b5f93baf\
         424b5366a8214f319e05c5c1081f1a7b1dce98c9fe825e556cc8ea431749e316",
        "6d7b6628e69976091871ff5cf199ab0b33fd80f50a673bcdf04cb6696c66fcfe\
         f2cfe77151b6461b0130221a70db21c8de9a",
        "93e9a7a1a50c62442ed4",
        "e7467de03054f0855323a521661c1de1ea98085941d117505ca79967e08114ae14e63d5e6ebc7141",
    );
}

#[test]
fn agrees_with_aws_lc() {
    for (hash, algorithm) in [
        (Hash::Sha224, KbkdfCtrHmacAlgorithmId::Sha224),
        (Hash::Sha256, KbkdfCtrHmacAlgorithmId::Sha256),
        (Hash::Sha384, KbkdfCtrHmacAlgorithmId::Sha384),
        (Hash::Sha512, KbkdfCtrHmacAlgorithmId::Sha512),
    ] {
        let algorithm = get_kbkdf_ctr_hmac_algorithm(algorithm).unwrap();
        for length in (1..=70).chain([127, 128, 129, 1000, 17_000]) {
            let (key, info) = (message(length % 150 + 1), message(length % 77));
            let mut other = vec![0; length];
            kbkdf_ctr_hmac(algorithm, &key, &info, &mut other).unwrap();
            assert_eq!(
                derived(Prf::Hmac(hash), &key, &[counter(4), Field::Bytes(Cow::Borrowed(&info))], length),
                other
            );
        }
    }
}

#[test]
fn fields_stand_as_they_are_listed() {
    let key = hex(NIST_KEYS[2]);
    let prf = Prf::Hmac(Hash::Sha384);
    let by_hand = |input: &dyn Fn(u8) -> Vec<u8>| {
        let mut out = vec![0; 3 * 48];
        for (number, part) in (1..).zip(out.chunks_mut(48)) {
            HmacKey::new(Hash::Sha384, &key).sign(&input(number), part);
        }
        out.truncate(100);
        out
    };
    // 100 bytes are 800 = 0x320 bits; three times 48 bytes are 1152 = 0x480.
    let usual = [
        counter(4),
        Field::Bytes(Cow::Borrowed(b"label")),
        Field::Bytes(Cow::Borrowed(&[0])),
        Field::Bytes(Cow::Borrowed(b"context")),
        length(4, false),
    ];
    let expected = by_hand(&|number| [&[0, 0, 0, number], b"label\0context".as_slice(), &[0, 0, 3, 0x20]].concat());
    assert_eq!(derived(prf, &key, &usual, 100), expected);

    let segments = [length(2, true), Field::Bytes(Cow::Borrowed(b"label")), counter(1)];
    let expected = by_hand(&|number| [[4, 0x80].as_slice(), b"label", &[number]].concat());
    assert_eq!(derived(prf, &key, &segments, 100), expected);

    let little: [(Field<'_>, &[u8]); 2] = [
        (Field::Length { bytes: 3, little_endian: true, segments: true }, &[0x80, 4, 0]),
        (Field::Length { bytes: 8, little_endian: true, segments: false }, &[0x20, 3, 0, 0, 0, 0, 0, 0]),
    ];
    for (length, encoded) in little {
        let fields = [length, Field::Counter { bytes: 8, little_endian: true }];
        let expected = by_hand(&|number| [encoded, &[number, 0, 0, 0, 0, 0, 0, 0]].concat());
        assert_eq!(derived(prf, &key, &fields, 100), expected);
    }

    let aes = AesKey::new(&key).unwrap();
    let expected = [aes.cmac(b"\x88label\x01").unwrap(), aes.cmac(b"\x88label\x02").unwrap()].concat();
    let fields = [length(1, false), Field::Bytes(Cow::Borrowed(b"label")), counter(1)];
    assert_eq!(derived(Prf::Cmac, &key, &fields, 17), expected[..17]);
}

#[test]
fn numbers_that_do_not_fit() {
    let refusal = |prf, fields: &[Field<'_>], length: usize| {
        let mut out = vec![0xEE; length];
        let outcome = counter_mode(prf, &[1; 16], fields, &mut out);
        if let Err(error) = &outcome {
            assert_eq!(error.rv(), ck::CKR_MECHANISM_PARAM_INVALID);
            assert_eq!(out, vec![0xEE; length]);
        }
        outcome.is_err()
    };
    for prf in [Prf::Cmac, Prf::Hmac(Hash::Sha1), Prf::Hmac(Hash::Sha512)] {
        // 255 iterations are what a counter of one byte can number (section 4.1, step 2), 65535 one of two.
        let most = 255 * prf.length();
        assert!(!refusal(prf, &[counter(1)], most) && refusal(prf, &[counter(1)], most + 1));
        assert!(!refusal(prf, &[counter(2)], most + 1));
        let little = Field::Counter { bytes: 1, little_endian: true };
        assert!(!refusal(prf, std::slice::from_ref(&little), most) && refusal(prf, &[little], most + 1));
        // 31 bytes are 248 bits, 32 are 256; whole iterations are 256 bits or more for any of the three.
        assert!(!refusal(prf, &[counter(1), length(1, false)], 31) && refusal(prf, &[counter(1), length(1, true)], 31));
        for segments in [false, true] {
            assert!(refusal(prf, &[counter(1), length(1, segments)], 32));
            assert!(!refusal(prf, &[counter(1), length(2, segments)], 32));
            for bytes in [0, 9, usize::MAX] {
                assert!(refusal(prf, &[counter(1), length(bytes, segments)], 16));
            }
        }
        for bytes in [0, 9, usize::MAX] {
            assert!(refusal(prf, &[counter(bytes)], 16));
        }
        for bytes in 1..=8 {
            assert!(!refusal(prf, &[counter(bytes)], 16));
        }
        assert!(refusal(prf, &[], 16) && refusal(prf, &[Field::Bytes(Cow::Borrowed(b"label")), length(4, false)], 16));
        assert!(refusal(prf, &[counter(4), Field::Bytes(Cow::Borrowed(b"label")), counter(4)], 16));
    }
}

#[test]
fn keys_of_cmac_are_keys_of_aes() {
    for length in [0, 8, 15, 17, 33, 64] {
        let error = counter_mode(Prf::Cmac, &vec![0; length], &[counter(4)], &mut [0; 16]).unwrap_err();
        assert_eq!(error.rv(), ck::CKR_KEY_SIZE_RANGE);
        assert!(counter_mode(Prf::Hmac(Hash::Sha256), &vec![0; length], &[counter(4)], &mut [0; 16]).is_ok());
    }
}
