//! Vectors of SP 800-67 and of NIST's CAVP, RustCrypto's triple DES as the second opinion, and parts against the whole.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use ::des::TdesEde3;
use cbc::cipher::{
    BlockModeDecrypt as _, BlockModeEncrypt as _, KeyInit as _, KeyIvInit as _, block_padding::NoPadding,
};

use super::*;
use crate::testing::{both_ways, cuts, hex, message};

const IV: [u8; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

#[test]
fn ecb_sp_800_67_appendix_b() {
    let key = Des3Key::new(&hex("0123456789ABCDEF 23456789ABCDEF01 456789ABCDEF0123")).unwrap();
    let (text, expected) = (b"The qufck brown fox jump", hex("A826FD8CE53B855F CCE21C8112256FE6 68D5C05DD9B6B900"));
    assert_eq!(both_ways(text, |io| key.ecb_encrypt(io).unwrap()), expected);
    assert_eq!(both_ways(&expected, |io| key.ecb_decrypt(io).unwrap()), text);
    let mut block = text[..8].try_into().unwrap();
    key.encrypt_block(&mut block);
    assert_eq!(block, expected[..8]);
}

#[test]
fn cbc_cavp() {
    // CAVP "TDES Multi block Message Test for CBC", TCBCMMT3.rsp (CAVS 11.1): encryption 0, 1 and 9, decryption 0, 2 and 8.
    for (key, iv, text, expected) in [
        (
            "b5cb1504802326c73df186e3e352a20de643b0d63ee30e37",
            "43f791134c5647ba",
            "dcc153cef81d6f24",
            "92538bd8af18d3ba",
        ),
        (
            "a49d7564199e97cb529d2c9d97bf2f98d35edf57ba1f7358",
            "c2e999cb6249023c",
            "c689aee38a301bb316da75db36f110b5",
            "e9afaba5ec75ea1bbe65506655bb4ecb",
        ),
        (
            "9b162a0df8ad9b61c88676e3d586434570b902f12a2046e0",
            "ebd6fefe029ad54b",
            "f4c1c918e77355c8156f0fd778da52bff121ae5f2f44eaf4d2754946d0e10d1f18ce3a0176e69c18\
             b7d20b6e0d0bee5eb5edfe4bd60e4d92adcd86bce72e76f94ee5cbcaa8b01cfddcea2ade575e66ac",
            "1ff3c8709f403a8eff291aedf50c010df5c5ff64a8b205f1fce68564798897a390db16ee0d053856\
             b75898009731da290fcc119dad987277aacef694872e880c4bb41471063fae05c89f25e4bd0cad6a",
        ),
        (
            "5eb6040d46082c7aa7d06dfd08dfeac8c18364c1548c3ba1",
            "41746c7e442d3681",
            "d4f00eb455de1034",
            "c53a7b0ec40600fe",
        ),
        (
            "254acb647907adba1ad5ef7a43e383cdcd588975759e5292",
            "5857f24bed725646",
            "64cc69a4f2b9877dad558bd7b5e6a78268e4978bb39845a1",
            "d4342af5c33adcd67c3e89e64241bbd8131e78ec38c8715c",
        ),
        (
            "fbfb1c7a7fd3aec4ec40263d4a1fda7668583de986b62f23",
            "27506620edc6eb1f",
            "40df8b31407fe232f86cb87642567c4232d94866817260d10236680f1ab970e4dbac12693fcc68ef\
             d939fdc37404b3f5c32c3a0342b26389eaadb5c90a55bb8c7e28e1d616bb1ce4",
            "25becd4074e3679353fc3812460d7e0c35f3f9556c5307e0e6d10e90cb821a4c37a3c7523d8b62cd\
             2cde4ba910049da67cd911ab87a6205e155168f158d0513e96e3f0172c032cd7",
        ),
    ] {
        let key = Des3Key::new(&hex(key)).unwrap();
        let iv: [u8; 8] = hex(iv).try_into().unwrap();
        assert_eq!(both_ways(&hex(text), |io| key.cbc_encrypt(&mut iv.clone(), io).unwrap()), hex(expected));
        assert_eq!(both_ways(&hex(expected), |io| key.cbc_decrypt(&mut iv.clone(), io).unwrap()), hex(text));
    }
}

#[test]
fn agrees_with_rustcrypto_at_many_lengths() {
    for blocks in (0..=70).chain([256, 257]) {
        let (bytes, text) = (message(24 + blocks).split_off(blocks), message(8 * blocks));
        let key = Des3Key::new(&bytes).unwrap();
        let length = text.len();

        let sealed = both_ways(&text, |io| key.ecb_encrypt(io).unwrap());
        let mut other = text.clone();
        let mode = ecb::Encryptor::<TdesEde3>::new_from_slice(&bytes).unwrap();
        mode.encrypt_padded::<NoPadding>(&mut other, length).unwrap();
        assert_eq!(sealed, other);
        let mode = ecb::Decryptor::<TdesEde3>::new_from_slice(&bytes).unwrap();
        assert_eq!(mode.decrypt_padded::<NoPadding>(&mut other).unwrap(), text);
        assert_eq!(both_ways(&sealed, |io| key.ecb_decrypt(io).unwrap()), text);
        for (text, sealed) in text.chunks(8).zip(sealed.chunks(8)) {
            let mut block = text.try_into().unwrap();
            key.encrypt_block(&mut block);
            assert_eq!(block, sealed);
        }

        let sealed = both_ways(&text, |io| key.cbc_encrypt(&mut IV.clone(), io).unwrap());
        let mut other = text.clone();
        let mode = cbc::Encryptor::<TdesEde3>::new_from_slices(&bytes, &IV).unwrap();
        mode.encrypt_padded::<NoPadding>(&mut other, length).unwrap();
        assert_eq!(sealed, other);
        assert_eq!(both_ways(&sealed, |io| key.cbc_decrypt(&mut IV.clone(), io).unwrap()), text);
    }
}

#[test]
fn cbc_goes_on_from_part_to_part() {
    let key = Des3Key::new(&message(24)).unwrap();
    let text = message(8 * 9);
    let whole = both_ways(&text, |io| key.cbc_encrypt(&mut IV.clone(), io).unwrap());
    for cut in cuts(9) {
        let (mut seal_iv, mut open_iv) = (IV, IV);
        let (mut sealed, mut opened) = (text.clone(), whole.clone());
        let mut start = 0;
        for part in cut {
            let range = start..start + 8 * part;
            let io = Exchange::InPlace { buffer: &mut sealed[range.clone()], length: 8 * part };
            key.cbc_encrypt(&mut seal_iv, io).unwrap();
            let output = &mut opened[range.clone()];
            key.cbc_decrypt(&mut open_iv, Exchange::Apart { input: &whole[range.clone()], output }).unwrap();
            start = range.end;
        }
        assert_eq!((&sealed, &opened), (&whole, &text));
        assert_eq!((seal_iv, open_iv), (whole[64..].try_into().unwrap(), whole[64..].try_into().unwrap()));
    }
}

#[test]
fn wrong_lengths_are_refused_and_nothing_is_written() {
    for length in [0, 7, 8, 16, 23, 25, 32] {
        assert_eq!(Des3Key::new(&vec![0; length]).err().unwrap().rv(), ck::CKR_KEY_SIZE_RANGE);
    }
    let key = Des3Key::new(&[1; 24]).unwrap();
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
    for length in [1, 7, 9, 15, 17] {
        check(&vec![0; length], 32, ck::CKR_DATA_LEN_RANGE, ck::CKR_ENCRYPTED_DATA_LEN_RANGE);
    }
    check(&[0; 24], 23, ck::CKR_BUFFER_TOO_SMALL, ck::CKR_BUFFER_TOO_SMALL);
}

#[test]
fn parity_is_odd_and_counts_for_nothing() {
    let mut every: Vec<u8> = (0..=255).collect();
    set_odd_parity(&mut every);
    for (before, after) in (0_u8..=255).zip(every) {
        assert!(before & 0xFE == after & 0xFE && after.count_ones() % 2 == 1);
    }
    let bytes = message(24);
    let mut odd = bytes.clone();
    set_odd_parity(&mut odd);
    assert_ne!(bytes, odd);
    let (mut one, mut other) = ([5; 8], [5; 8]);
    Des3Key::new(&bytes).unwrap().encrypt_block(&mut one);
    Des3Key::new(&odd).unwrap().encrypt_block(&mut other);
    assert_eq!(one, other);
}

#[test]
fn keys_that_are_single_des() {
    let keys = |numbers: [u8; 3]| numbers.map(|number| [number << 1; 8]).concat();
    for (numbers, expected) in
        [([1, 2, 3], false), ([1, 2, 1], false), ([1, 1, 2], true), ([1, 2, 2], true), ([1, 1, 1], true)]
    {
        let mut key = keys(numbers);
        assert_eq!(degenerates(&key), expected);
        // Parity bits of any value change nothing.
        for position in 0..24 {
            key[position] ^= 1;
            assert_eq!(degenerates(&key), expected);
        }
    }
    // One bit of key in any place is a difference.
    for position in 0..8 {
        for bit in 1..8 {
            let mut key = keys([1, 1, 3]);
            key[position] ^= 1 << bit;
            assert!(!degenerates(&key));
            let mut key = keys([1, 3, 3]);
            key[16 + position] ^= 1 << bit;
            assert!(!degenerates(&key));
        }
    }
    // And that is why it matters: with K1 = K2, the third key alone encrypts.
    let (mut triple, mut single) = ([9; 8], [9; 8]);
    Des3Key::new(&keys([4, 4, 7])).unwrap().encrypt_block(&mut triple);
    Des3Key::new(&keys([7, 7, 7])).unwrap().encrypt_block(&mut single);
    assert_eq!(triple, single);
}
