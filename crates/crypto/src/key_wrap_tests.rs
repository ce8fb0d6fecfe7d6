//! The vectors of RFC 3394 and RFC 5649, a second implementation over RustCrypto's block cipher, and what must be refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::aes::AesKey;
use crate::testing::{hex, message};

/// RFC 3394 section 2.2.3.1.
const DEFAULT: [u8; 8] = [0xA6; 8];

/// RFC 3394 section 2.2.1, by the letter of its index-based description. Takes one half too (RFC 5649 section 4.1).
fn by_the_letter(kek: &[u8], iv: [u8; 8], text: &[u8]) -> Vec<u8> {
    let key = AesKey::new(kek).unwrap();
    let mut block: [u8; 16] = [iv, [0; 8]].concat().try_into().unwrap();
    if text.len() == 8 {
        block[8..].copy_from_slice(text);
        key.encrypt_block(&mut block);
        return block.to_vec();
    }
    let mut halves: Vec<[u8; 8]> = text.chunks(8).map(|half| half.try_into().unwrap()).collect();
    let mut step = 0_u64;
    for _ in 0..6 {
        for half in &mut halves {
            step += 1;
            block[8..].copy_from_slice(half);
            key.encrypt_block(&mut block);
            half.copy_from_slice(&block[8..]);
            let mixed = u64::from_be_bytes(block[..8].try_into().unwrap()) ^ step;
            block[..8].copy_from_slice(&mixed.to_be_bytes());
        }
    }
    [&block[..8], halves.concat().as_slice()].concat()
}

/// The second implementation in all forms.
fn second_opinion(kek: &[u8], form: Form, iv: Option<&[u8; 8]>, key: &[u8]) -> Vec<u8> {
    let missing = 8 - key.len() % 8;
    match form {
        Form::NoPad => by_the_letter(kek, *iv.unwrap_or(&DEFAULT), key),
        Form::Filled => by_the_letter(kek, *iv.unwrap_or(&DEFAULT), &[key, &vec![0; missing % 8]].concat()),
        Form::Pkcs5Pad => {
            let padding = vec![u8::try_from(missing).unwrap(); missing];
            by_the_letter(kek, *iv.unwrap_or(&DEFAULT), &[key, padding.as_slice()].concat())
        }
        Form::ZeroPad => {
            let length = u32::try_from(key.len()).unwrap().to_be_bytes();
            let iv = [[0xA6, 0x59, 0x59, 0xA6], length].concat().try_into().unwrap();
            by_the_letter(kek, iv, &[key, &vec![0; missing % 8]].concat())
        }
    }
}

/// Wraps into a buffer with some room to spare and checks that nothing behind the result is written.
fn wrapped(kek: &[u8], form: Form, iv: Option<&[u8; 8]>, key: &[u8]) -> Vec<u8> {
    let total = wrapped_length(form, key.len()).unwrap();
    let mut out = vec![0xEE; total + 5];
    assert_eq!(wrap(kek, form, iv, key, &mut out).unwrap(), total);
    assert_eq!(out.split_off(total), [0xEE; 5]);
    out
}

fn refusal(kek: &[u8], form: Form, iv: Option<&[u8; 8]>, wrapped: &[u8]) -> ck::CK_RV {
    unwrap(kek, form, iv, wrapped).err().unwrap().rv()
}

#[test]
fn rfc_3394_section_4() {
    let kek = hex("000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F");
    let key = hex("00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F");
    for (kek_length, length, expected) in [
        (16, 16, "1FA68B0A8112B447 AEF34BD8FB5A7B82 9D3E862371D2CFE5"),
        (24, 16, "96778B25AE6CA435 F92B5B97C050AED2 468AB8A17AD84E5D"),
        (32, 16, "64E8C3F9CE0F5BA2 63E9777905818A2A 93C8191E7D6E8AE7"),
        (24, 24, "031D33264E15D332 68F24EC260743EDC E1C6C7DDEE725A93 6BA814915C6762D2"),
        (32, 24, "A8F9BC1612C68B3F F6E6F4FBE30E71E4 769C8B80A32CB895 8CD5D17D6B254DA1"),
        (32, 32, "28C9F404C4B810F4 CBCCB35CFB87F826 3F5786E2D80ED326 CBC7F0E71A99F43B FB988B9B7A02DD21"),
    ] {
        let (kek, key) = (&kek[..kek_length], &key[..length]);
        let expected = hex(expected);
        assert_eq!(by_the_letter(kek, DEFAULT, key), expected);
        for iv in [None, Some(&DEFAULT)] {
            assert_eq!(wrapped(kek, Form::NoPad, iv, key), expected);
            assert!(unwrap(kek, Form::NoPad, iv, &expected).unwrap().ct_eq(key));
        }
    }
}

#[test]
fn rfc_5649_section_6() {
    let kek = hex("5840df6e29b02af1 ab493b705bf16ea1 ae8338f4dcc176a8");
    for (key, expected) in [
        (
            "c37b7e6492584340 bed1220780894115 5068f738",
            "138bdeaa9b8fa7fc 61f97742e72248ee 5ae6ae5360d1ae6a 5f54f373fa543b6a",
        ),
        ("466f7250617369", "afbeb0f07dfbf541 9200f2ccb50bb24f"),
    ] {
        let (key, expected) = (hex(key), hex(expected));
        assert_eq!(wrapped(&kek, Form::ZeroPad, None, &key), expected);
        assert_eq!(second_opinion(&kek, Form::ZeroPad, None, &key), expected);
        assert!(unwrap(&kek, Form::ZeroPad, None, &expected).unwrap().ct_eq(&key));
    }
}

#[test]
fn agrees_with_a_second_implementation_at_many_lengths() {
    let own = [7, 6, 5, 4, 3, 2, 1, 0];
    let mut wraps = 0;
    for length in (1..=100).chain((101..=4096).step_by(37)).chain(4088..=4100) {
        let (key, kek) = (message(length), message(16 + length % 3 * 8));
        for (form, iv) in [
            (Form::NoPad, None),
            (Form::NoPad, Some(&own)),
            (Form::Filled, None),
            (Form::Filled, Some(&own)),
            (Form::Pkcs5Pad, None),
            (Form::Pkcs5Pad, Some(&own)),
            (Form::ZeroPad, None),
        ] {
            if wrapped_length(form, length).is_err() {
                continue;
            }
            let sealed = wrapped(&kek, form, iv, &key);
            assert_eq!(sealed, second_opinion(&kek, form, iv, &key));
            // The zeros of a filled key come back with it.
            let filling = if form == Form::Filled { length.next_multiple_of(8) - length } else { 0 };
            assert!(unwrap(&kek, form, iv, &sealed).unwrap().ct_eq(&[&key[..], &vec![0; filling]].concat()));
            assert!(held_lengths(form, sealed.len()).contains(&length), "{form:?} {length}");
            wraps += 1;
        }
    }
    assert!(wraps > 600, "{wraps}");
}

#[test]
fn lengths_that_a_form_cannot_have() {
    let kek = message(32);
    type Cases = [(Form, &'static [usize], &'static [(usize, usize)]); 4];
    let cases: Cases = [
        (
            Form::NoPad,
            &[0, 1, 8, 15, 17, 20, LONGEST + 8, usize::MAX, usize::MAX - 7],
            &[(16, 24), (24, 32), (LONGEST, LONGEST + 8)],
        ),
        (
            Form::Filled,
            &[0, 1, 7, 8, LONGEST + 1, usize::MAX, usize::MAX - 7],
            &[(9, 24), (15, 24), (16, 24), (17, 32), (LONGEST - 7, LONGEST + 8)],
        ),
        (
            Form::Pkcs5Pad,
            &[0, 1, 7, LONGEST, usize::MAX, usize::MAX - 7],
            &[(8, 24), (15, 24), (16, 32), (LONGEST - 1, LONGEST + 8)],
        ),
        (
            Form::ZeroPad,
            &[0, LONGEST + 1, usize::MAX, usize::MAX - 7],
            &[(1, 16), (8, 16), (9, 24), (LONGEST - 7, LONGEST + 8)],
        ),
    ];
    for (form, refused, allowed) in cases {
        for length in refused {
            assert_eq!(wrapped_length(form, *length).unwrap_err().rv(), ck::CKR_KEY_SIZE_RANGE, "{form:?} {length}");
            if *length < 100 {
                let error = wrap(&kek, form, None, &message(*length), &mut [0; 200]).unwrap_err();
                assert_eq!(error.rv(), ck::CKR_KEY_SIZE_RANGE);
            }
        }
        for (length, total) in allowed {
            assert_eq!(wrapped_length(form, *length).unwrap(), *total, "{form:?} {length}");
            assert!(held_lengths(form, *total).contains(length), "{form:?} {length}");
        }
        // What a length can hold is what is wrapped to it, and nothing else.
        for total in 0..100 {
            let held: Vec<_> = held_lengths(form, total).collect();
            let wanted: Vec<_> = (0..100).filter(|length| wrapped_length(form, *length).ok() == Some(total)).collect();
            assert_eq!(held, wanted, "{form:?} {total}");
        }
        let shortest = if form == Form::ZeroPad { 16 } else { 24 };
        for length in (0..64).filter(|length| *length < shortest || length % 8 != 0) {
            assert_eq!(refusal(&kek, form, None, &vec![0; length]), ck::CKR_WRAPPED_KEY_LEN_RANGE, "{form:?} {length}");
        }
    }
}

#[test]
fn every_changed_byte_and_every_other_key_is_one_refusal() {
    let kek = message(24);
    for form in [Form::NoPad, Form::Filled, Form::Pkcs5Pad, Form::ZeroPad] {
        for length in [8, 16, 40].into_iter().filter(|length| wrapped_length(form, *length).is_ok()) {
            let good = wrapped(&kek, form, None, &message(length));
            for position in 0..good.len() {
                let mut bad = good.clone();
                bad[position] ^= 0x40;
                assert_eq!(refusal(&kek, form, None, &bad), ck::CKR_WRAPPED_KEY_INVALID);
            }
            let mut other = kek.clone();
            other[0] ^= 1;
            assert_eq!(refusal(&other, form, None, &good), ck::CKR_WRAPPED_KEY_INVALID);
            assert_eq!(refusal(&message(32), form, None, &good), ck::CKR_WRAPPED_KEY_INVALID);
            if form != Form::ZeroPad {
                assert_eq!(refusal(&kek, form, Some(&[1; 8]), &good), ck::CKR_WRAPPED_KEY_INVALID);
            }
        }
    }
}

#[test]
fn wrong_paddings_under_a_right_key() {
    let kek = message(16);
    // Of PKCS#5: every last byte with every byte before it that could belong to the padding.
    for last in 0..=255 {
        for other in [0, 1, 2, 7, 8, last] {
            let mut text = [0x99; 24];
            text[16..].fill(other);
            text[23] = last;
            let sealed = by_the_letter(&kek, DEFAULT, &text);
            let count = usize::from(last);
            let right = (1..=8).contains(&count) && text[24 - count..].iter().all(|byte| *byte == last);
            match unwrap(&kek, Form::Pkcs5Pad, None, &sealed) {
                Ok(key) => assert!(right && key.ct_eq(&text[..24 - count])),
                Err(error) => assert!(!right && error.rv() == ck::CKR_WRAPPED_KEY_INVALID),
            }
        }
    }
    // Of RFC 5649 section 3: another constant, a length that the halves do not hold, padding that is not zero.
    let sealed = |constant: u8, length: u32, halves: usize, padding: u8| {
        let mut text = vec![0; 8 * halves];
        *text.last_mut().unwrap() = padding;
        let iv = [[constant, 0x59, 0x59, 0xA6], length.to_be_bytes()].concat().try_into().unwrap();
        by_the_letter(&kek, iv, &text)
    };
    for halves in [1, 2, 5] {
        let most = 8 * u32::try_from(halves).unwrap();
        for length in 0..=most + 9 {
            let right = (most - 7..=most).contains(&length);
            let outcome = unwrap(&kek, Form::ZeroPad, None, &sealed(0xA6, length, halves, 0));
            assert_eq!(outcome.is_ok(), right, "{length} of {halves}");
            let outcome = unwrap(&kek, Form::ZeroPad, None, &sealed(0xA6, length, halves, 1));
            assert_eq!(outcome.is_ok(), length == most, "{length} of {halves}, the last byte set");
            assert_eq!(
                refusal(&kek, Form::ZeroPad, None, &sealed(0xA7, length, halves, 0)),
                ck::CKR_WRAPPED_KEY_INVALID
            );
        }
        assert_eq!(refusal(&kek, Form::ZeroPad, None, &sealed(0xA6, u32::MAX, halves, 0)), ck::CKR_WRAPPED_KEY_INVALID);
    }
}

#[test]
fn wrong_parameters_are_refused_and_nothing_is_written() {
    let mut out = [0xEE; 64];
    for form in [Form::NoPad, Form::Filled, Form::Pkcs5Pad, Form::ZeroPad] {
        for length in [0, 8, 15, 17, 31, 33, 64] {
            let error = wrap(&message(length), form, None, &message(16), &mut out).unwrap_err();
            assert_eq!(error.rv(), ck::CKR_WRAPPING_KEY_SIZE_RANGE);
            assert_eq!(refusal(&message(length), form, None, &[0; 32]), ck::CKR_UNWRAPPING_KEY_SIZE_RANGE);
        }
        let total = wrapped_length(form, 16).unwrap();
        let error = wrap(&message(16), form, None, &message(16), &mut out[..total - 1]).unwrap_err();
        assert_eq!(error.rv(), ck::CKR_BUFFER_TOO_SMALL);
    }
    let error = wrap(&message(16), Form::ZeroPad, Some(&DEFAULT), &message(16), &mut out).unwrap_err();
    assert_eq!(error.rv(), ck::CKR_GENERAL_ERROR);
    assert_eq!(refusal(&message(16), Form::ZeroPad, Some(&DEFAULT), &[0; 32]), ck::CKR_GENERAL_ERROR);
    assert_eq!(out, [0xEE; 64]);
}
