//! SP 800-38A vectors for ECB and CBC, the other library as the second opinion, and parts against the whole.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use aes::cipher::{InnerIvInit as _, block_padding::NoPadding};

use super::*;
use crate::testing::{NIST_KEYS, NIST_TEXT, both_ways, cuts, hex, message};

const IV: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

#[test]
fn ecb_sp_800_38a() {
    let expected = [
        "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf\
         43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4",
        "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef\
         ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e",
        "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870\
         b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7",
    ];
    for (key, expected) in NIST_KEYS.iter().zip(expected) {
        let key = AesKey::new(&hex(key)).unwrap();
        let sealed = both_ways(&hex(NIST_TEXT), |io| key.ecb_encrypt(io).unwrap());
        assert_eq!(sealed, hex(expected));
        assert_eq!(both_ways(&sealed, |io| key.ecb_decrypt(io).unwrap()), hex(NIST_TEXT));
        let mut block = hex(NIST_TEXT)[..16].try_into().unwrap();
        key.encrypt_block(&mut block);
        assert_eq!(block, sealed[..16]);
    }
}

#[test]
fn cbc_sp_800_38a() {
    let expected = [
        "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2\
         73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7",
        "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a\
         571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd",
        "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d\
         39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b",
    ];
    for (key, expected) in NIST_KEYS.iter().zip(expected) {
        let key = AesKey::new(&hex(key)).unwrap();
        let sealed = both_ways(&hex(NIST_TEXT), |io| key.cbc_encrypt(&mut IV.clone(), io).unwrap());
        assert_eq!(sealed, hex(expected));
        assert_eq!(both_ways(&sealed, |io| key.cbc_decrypt(&mut IV.clone(), io).unwrap()), hex(NIST_TEXT));
    }
}

#[test]
fn cbc_agrees_with_rustcrypto_and_ecb_with_itself_at_many_lengths() {
    let bytes = message(32);
    let key = AesKey::new(&bytes).unwrap();
    let schedule = Aes256::new_from_slice(&bytes).unwrap();
    for blocks in (0..=70).chain([256, 257]) {
        let text = message(16 * blocks);
        let sealed = both_ways(&text, |io| key.cbc_encrypt(&mut IV.clone(), io).unwrap());
        let mut other = text.clone();
        let mode = cbc::Encryptor::inner_iv_init(&schedule, &IV.into());
        mode.encrypt_padded::<NoPadding>(&mut other, 16 * blocks).unwrap();
        assert_eq!(sealed, other);
        assert_eq!(both_ways(&sealed, |io| key.cbc_decrypt(&mut IV.clone(), io).unwrap()), text);
        let sealed = both_ways(&text, |io| key.ecb_encrypt(io).unwrap());
        for (text, sealed) in text.chunks(16).zip(sealed.chunks(16)) {
            let mut block = text.try_into().unwrap();
            key.encrypt_block(&mut block);
            assert_eq!(block, sealed);
        }
        assert_eq!(both_ways(&sealed, |io| key.ecb_decrypt(io).unwrap()), text);
    }
}

#[test]
fn cbc_goes_on_from_part_to_part() {
    let key = AesKey::new(&message(16)).unwrap();
    let text = message(16 * 9);
    let whole = both_ways(&text, |io| key.cbc_encrypt(&mut IV.clone(), io).unwrap());
    for cut in cuts(9) {
        let (mut seal_iv, mut open_iv) = (IV, IV);
        let (mut sealed, mut opened) = (text.clone(), whole.clone());
        let mut start = 0;
        for part in cut {
            let range = start..start + 16 * part;
            let io = Exchange::InPlace { buffer: &mut sealed[range.clone()], length: 16 * part };
            key.cbc_encrypt(&mut seal_iv, io).unwrap();
            let output = &mut opened[range.clone()];
            key.cbc_decrypt(&mut open_iv, Exchange::Apart { input: &whole[range.clone()], output }).unwrap();
            start = range.end;
        }
        assert_eq!((&sealed, &opened), (&whole, &text));
        assert_eq!((seal_iv, open_iv), (whole[128..].try_into().unwrap(), whole[128..].try_into().unwrap()));
    }
}

#[test]
fn wrong_lengths_are_refused_and_nothing_is_written() {
    for length in [0, 1, 15, 17, 31, 33, 64] {
        assert_eq!(AesKey::new(&vec![0; length]).err().unwrap().rv(), ck::CKR_KEY_SIZE_RANGE);
    }
    let key = AesKey::new(&[1; 24]).unwrap();
    let check = |input: &[u8], room: usize, plain: ck::CK_RV, sealed: ck::CK_RV| {
        let mut output = vec![0xEE; room];
        let mut iv = IV;
        let mut attempt = |which: u8, expected: ck::CK_RV| {
            let io = Exchange::Apart { input, output: &mut output };
            let outcome = match which {
                0 => key.ecb_encrypt(io),
                1 => key.ecb_decrypt(io),
                2 => key.cbc_encrypt(&mut iv, io),
                _ => key.cbc_decrypt(&mut iv, io),
            };
            assert_eq!(outcome.unwrap_err().rv(), expected);
        };
        attempt(0, plain);
        attempt(1, sealed);
        attempt(2, plain);
        attempt(3, sealed);
        assert_eq!((output, iv), (vec![0xEE; room], IV));
    };
    check(&[0; 17], 32, ck::CKR_DATA_LEN_RANGE, ck::CKR_ENCRYPTED_DATA_LEN_RANGE);
    check(&[0; 32], 31, ck::CKR_BUFFER_TOO_SMALL, ck::CKR_BUFFER_TOO_SMALL);
}
