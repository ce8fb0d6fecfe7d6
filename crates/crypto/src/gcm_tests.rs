//! The vectors of the GCM specification, `aws-lc-rs` as the second opinion, parts against the whole, and refusals that
//! leave nothing behind.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use aws_lc_rs::aead;

use super::*;
use crate::testing::{cuts, hex, message};

const KEY_128: &str = "feffe9928665731c6d6a8f9467308308";
const TEXT: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                    1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
const AAD: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
const TAGS: [usize; 7] = [4, 8, 12, 13, 14, 15, 16];
/// Around every threshold of `open`, whole blocks and not.
const LENGTHS: [usize; 14] = [0, 1, 15, 16, 17, 64, 255, 256, 257, 4095, 4096, 4097, 8192, 20_001];

fn seal(key: &GcmKey, nonce: &[u8], aad: &[u8], tag: usize, text: &[u8]) -> Vec<u8> {
    let mut apart = vec![0xEE; text.len() + tag + 3];
    let mut in_place = [text, &vec![0xEE; tag + 3]].concat();
    let length = key.seal(nonce, aad, tag, Exchange::Apart { input: text, output: &mut apart }).unwrap();
    assert_eq!(length, text.len() + tag);
    let io = Exchange::InPlace { buffer: &mut in_place, length: text.len() };
    assert_eq!(key.seal(nonce, aad, tag, io).unwrap(), length);
    assert_eq!(apart, in_place);
    assert_eq!(apart.split_off(length), [0xEE; 3]);
    apart
}

fn open(key: &GcmKey, nonce: &[u8], aad: &[u8], tag: usize, sealed: &[u8]) -> Vec<u8> {
    let mut apart = vec![0xEE; sealed.len() - tag + 3];
    let mut in_place = sealed.to_vec();
    let length = key.open(nonce, aad, tag, Exchange::Apart { input: sealed, output: &mut apart }).unwrap();
    assert_eq!(apart.split_off(length), [0xEE; 3]);
    let io = Exchange::InPlace { buffer: &mut in_place, length: sealed.len() };
    assert_eq!(key.open(nonce, aad, tag, io).unwrap(), length);
    assert_eq!(in_place.split_off(length), sealed[length..]);
    assert_eq!(apart, in_place);
    apart
}

#[test]
fn vectors_of_the_specification() {
    // Test cases 1, 2, 4, 5, 6 and 16 of McGrew and Viega, "The Galois/Counter Mode of Operation".
    let zero = "00000000000000000000000000000000";
    let long_nonce = "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728\
                      c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b";
    for (key, nonce, aad, text, sealed) in [
        (zero, &zero[..24], "", "", "58e2fccefa7e3061367f1d57a4e7455a"),
        (zero, &zero[..24], "", zero, "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"),
        (
            KEY_128,
            "cafebabefacedbaddecaf888",
            AAD,
            TEXT,
            "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
             21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091\
             5bc94fbc3221a5db94fae95ae7121a47",
        ),
        (
            KEY_128,
            "cafebabefacedbad",
            AAD,
            TEXT,
            "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423\
             73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598\
             3612d2e79e3b0785561be14aaca2fccb",
        ),
        (
            KEY_128,
            long_nonce,
            AAD,
            TEXT,
            "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca7\
             01e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5\
             619cc5aefffe0bfa462af43c1699d050",
        ),
        (
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            "cafebabefacedbaddecaf888",
            AAD,
            TEXT,
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
             8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
             76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ] {
        let key = GcmKey::new(&hex(key)).unwrap();
        assert_eq!(seal(&key, &hex(nonce), &hex(aad), 16, &hex(text)), hex(sealed));
        assert_eq!(open(&key, &hex(nonce), &hex(aad), 16, &hex(sealed)), hex(text));
    }
}

#[test]
fn agrees_with_aws_lc_rs_at_many_lengths() {
    for (algorithm, length) in [(&aead::AES_128_GCM, 16), (&aead::AES_192_GCM, 24), (&aead::AES_256_GCM, 32)] {
        let key = GcmKey::new(&message(length)).unwrap();
        let other = aead::LessSafeKey::new(aead::UnboundKey::new(algorithm, &message(length)).unwrap());
        for length in LENGTHS {
            let mut expected = message(length);
            let nonce = aead::Nonce::assume_unique_for_key([5; 12]);
            other.seal_in_place_append_tag(nonce, aead::Aad::from(&message(length / 3)), &mut expected).unwrap();
            assert_eq!(seal(&key, &[5; 12], &message(length / 3), 16, &message(length)), expected);
        }
    }
}

#[test]
fn shorter_tags_are_the_front_of_the_full_one() {
    let key = GcmKey::new(&message(32)).unwrap();
    for length in LENGTHS {
        for nonce in [1, 8, 12, 16, 17, 256] {
            let (text, nonce) = (message(length), message(nonce));
            let full = seal(&key, &nonce, b"aad", 16, &text);
            for tag in TAGS {
                let sealed = seal(&key, &nonce, b"aad", tag, &text);
                assert_eq!(sealed, full[..length + tag]);
                assert_eq!(open(&key, &nonce, b"aad", tag, &sealed), text);
            }
        }
    }
}

#[test]
fn refusal_leaves_zeros_apart_and_the_input_in_place() {
    let key = GcmKey::new(&message(16)).unwrap();
    for length in LENGTHS {
        for tag in TAGS {
            let good = seal(&key, &[5; 12], b"aad", tag, &message(length));
            let attempts = [0, length, length + tag - 1].map(|position| {
                let mut sealed = good.clone();
                sealed[position] ^= 0x80;
                (sealed, &b"aad"[..])
            });
            for (sealed, aad) in attempts.into_iter().chain([(good, &b"other"[..])]) {
                let mut apart = vec![0xEE; length + 3];
                let io = Exchange::Apart { input: &sealed, output: &mut apart };
                let error = key.open(&[5; 12], aad, tag, io).unwrap_err();
                assert_eq!(error.rv(), ck::CKR_ENCRYPTED_DATA_INVALID);
                assert_eq!(apart.split_off(length), [0xEE; 3]);
                assert_eq!(apart, vec![0; length]);
                let mut in_place = sealed.clone();
                let io = Exchange::InPlace { buffer: &mut in_place, length: sealed.len() };
                let error = key.open(&[5; 12], aad, tag, io).unwrap_err();
                assert_eq!(error.rv(), ck::CKR_ENCRYPTED_DATA_INVALID);
                assert_eq!(in_place, sealed);
            }
        }
    }
}

#[test]
fn parameters_and_room_are_checked_before_anything_is_written() {
    for length in [0, 15, 17, 33] {
        assert_eq!(GcmKey::new(&message(length)).err().unwrap().rv(), ck::CKR_KEY_SIZE_RANGE);
    }
    let key = GcmKey::new(&message(16)).unwrap();
    let mut output = [0xEE; 32];
    let mut attempt = |nonce: usize, tag: usize, input: usize, room: usize| {
        let (input, nonce) = (message(input), message(nonce));
        let seal = key.seal(&nonce, &[], tag, Exchange::Apart { input: &input, output: &mut output[..room] });
        let open = key.open(&nonce, &[], tag, Exchange::Apart { input: &input, output: &mut output[..room] });
        assert_eq!(output, [0xEE; 32]);
        (seal.unwrap_err().rv(), open.unwrap_err().rv())
    };
    let invalid = (ck::CKR_MECHANISM_PARAM_INVALID, ck::CKR_MECHANISM_PARAM_INVALID);
    assert_eq!(attempt(0, 16, 16, 32), invalid);
    for tag in (0..4).chain(5..8).chain(9..12).chain([17, usize::MAX]) {
        assert_eq!(attempt(12, tag, 16, 32), invalid);
    }
    assert_eq!(attempt(12, 16, 15, 30), (ck::CKR_BUFFER_TOO_SMALL, ck::CKR_ENCRYPTED_DATA_LEN_RANGE));
    assert_eq!(attempt(12, 16, 32, 15), (ck::CKR_BUFFER_TOO_SMALL, ck::CKR_BUFFER_TOO_SMALL));
}

#[test]
fn parts_give_the_whole() {
    let key = GcmKey::new(&message(32)).unwrap();
    for (length, nonce) in [(65, 12), (65, 100)] {
        let (text, nonce) = (message(length), message(nonce));
        let whole = seal(&key, &nonce, b"associated", 16, &text);
        for cut in cuts(length) {
            let mut sealer = GcmSealer::start(&key, &nonce, b"associated").unwrap();
            let mut sealed = text.clone();
            let mut start = 0;
            for (index, part) in cut.into_iter().enumerate() {
                let range = start..start + part;
                let output = &mut sealed[range.clone()];
                let io = if index % 2 == 0 {
                    Exchange::InPlace { buffer: output, length: part }
                } else {
                    Exchange::Apart { input: &text[range.clone()], output }
                };
                sealer.update(io).unwrap();
                start = range.end;
            }
            let mut tag = [0; 16];
            sealer.finish(&mut tag).unwrap();
            sealed.extend(tag);
            assert_eq!(sealed, whole);
        }
        for cut in cuts(length + 16) {
            let mut opener = GcmOpener::start(&nonce, b"associated", 16).unwrap();
            let mut rest = whole.as_slice();
            for part in cut {
                let (now, later) = rest.split_at(part);
                opener.update(now).unwrap();
                rest = later;
            }
            assert_eq!((opener.collected(), opener.plaintext_length()), (length + 16, length));
            let error = opener.finish(&key, &mut vec![0; length - 1]).unwrap_err();
            assert_eq!(error.rv(), ck::CKR_BUFFER_TOO_SMALL);
            let mut output = vec![0; length];
            assert_eq!(opener.finish(&key, &mut output).unwrap(), length);
            assert_eq!(output, text);
        }
    }
}

#[test]
fn unfinished_and_forged_streams() {
    let key = GcmKey::new(&message(32)).unwrap();
    drop(GcmSealer::start(&key, &[1; 12], b"").unwrap());
    assert!(GcmSealer::start(&key, &[], b"").is_err());
    let mut empty = [0; 12];
    GcmSealer::start(&key, &[1; 12], b"").unwrap().finish(&mut empty).unwrap();
    assert_eq!(empty, *seal(&key, &[1; 12], b"", 12, b""));
    let refused = GcmSealer::start(&key, &[1; 12], b"").unwrap().finish(&mut [0; 11]);
    assert_eq!(refused.unwrap_err().rv(), ck::CKR_MECHANISM_PARAM_INVALID);
    let opener = GcmOpener::start(&[1; 12], b"", 12).unwrap();
    assert_eq!(opener.finish(&key, &mut []).unwrap_err().rv(), ck::CKR_ENCRYPTED_DATA_LEN_RANGE);
    let mut opener = GcmOpener::start(&[1; 12], b"", 16).unwrap();
    opener.update(&[0; 20]).unwrap();
    let mut output = [0xEE; 4];
    assert_eq!(opener.finish(&key, &mut output).unwrap_err().rv(), ck::CKR_ENCRYPTED_DATA_INVALID);
    assert_eq!(output, [0; 4]);
}

#[test]
fn one_key_serves_many_threads() {
    let key = GcmKey::new(&message(32)).unwrap();
    let expected = seal(&key, &[5; 12], b"", 16, &message(1000));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(seal(&key, &[5; 12], b"", 16, &message(1000)), expected);
                }
            });
        }
    });
}
