//! SP 800-38A vectors, RustCrypto as the second opinion, every split, and counters of every width at their ends.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use aes::Aes256;
use aes::cipher::{KeyIvInit as _, StreamCipher as _};

use super::*;
use crate::testing::{NIST_KEYS, NIST_TEXT, both_ways, cuts, hex, message};

fn run(key: &AesKey, block: [u8; 16], bits: u32, data: &[u8]) -> Vec<u8> {
    both_ways(data, |io| key.ctr(&mut Counter::new(block, bits).unwrap(), io).unwrap())
}

/// The key stream by the letter of the standard: one block after the other, counted in the low `bits` bits.
fn plain(key: &AesKey, block: [u8; 16], bits: u32, data: &[u8]) -> Vec<u8> {
    let mask = u128::MAX >> (128 - bits);
    let mut value = u128::from_be_bytes(block);
    let mut out = Vec::new();
    for part in data.chunks(16) {
        let mut stream = value.to_be_bytes();
        key.encrypt_block(&mut stream);
        out.extend(part.iter().zip(stream).map(|(byte, key)| byte ^ key));
        value = value & !mask | value.wrapping_add(1) & mask;
    }
    out
}

fn refused(key: &AesKey, counter: &mut Counter, length: usize) -> bool {
    let mut output = vec![0xEE; length];
    let outcome = key.ctr(counter, Exchange::Apart { input: &message(length), output: &mut output });
    assert!(outcome.is_ok() || output.iter().all(|byte| *byte == 0xEE), "nothing is written by a call that is refused");
    outcome.is_err_and(|error| error.rv() == ck::CKR_DATA_LEN_RANGE)
}

#[test]
fn sp_800_38a() {
    let expected = [
        "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff\
         5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
        "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94\
         1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050",
        "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5\
         2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6",
    ];
    let block = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff").try_into().unwrap();
    for (key, expected) in NIST_KEYS.iter().zip(expected) {
        let key = AesKey::new(&hex(key)).unwrap();
        assert_eq!(run(&key, block, 128, &hex(NIST_TEXT)), hex(expected));
        assert_eq!(run(&key, block, 128, &hex(expected)), hex(NIST_TEXT));
    }
}

#[test]
fn agrees_with_rustcrypto_across_carries() {
    let key = AesKey::new(&[9; 32]).unwrap();
    for block in [[0; 16], [0xFF; 16], hex("00000000ffffffffffffffffffffffff").try_into().unwrap()] {
        for length in (0..200).chain([4096, 5000]) {
            let data = message(length);
            let mut wide = data.clone();
            ctr::Ctr128BE::<Aes256>::new(&[9; 32].into(), &block.into()).apply_keystream(&mut wide);
            assert_eq!(run(&key, block, 128, &data), wide);
        }
    }
    for start in [[0; 16], hex("ffffffffffffffffffffffff00000000").try_into().unwrap(), [0x7F; 16]] {
        for length in (0..200).chain([4096, 5000]) {
            let data = message(length);
            let (mut narrow, mut middle) = (data.clone(), data.clone());
            ctr::Ctr32BE::<Aes256>::new(&[9; 32].into(), &start.into()).apply_keystream(&mut narrow);
            ctr::Ctr64BE::<Aes256>::new(&[9; 32].into(), &start.into()).apply_keystream(&mut middle);
            assert_eq!(run(&key, start, 32, &data), narrow);
            assert_eq!(run(&key, start, 64, &data), middle);
        }
    }
}

#[test]
fn every_split_gives_the_whole() {
    let key = AesKey::new(&[3; 16]).unwrap();
    let data = message(65);
    for (block, bits) in [([0; 16], 128), ([0xFF; 16], 128), ([0; 16], 32), ([0xFA; 16], 8), ([0xF8; 16], 3)] {
        let whole = plain(&key, block, bits, &data);
        assert_eq!(run(&key, block, bits, &data), whole);
        for cut in cuts(data.len()) {
            let mut counter = Counter::new(block, bits).unwrap();
            let mut rest = data.as_slice();
            let mut got = Vec::new();
            for (index, part) in cut.into_iter().enumerate() {
                let (now, later) = rest.split_at(part);
                let mut output = now.to_vec();
                let io = if index % 2 == 0 {
                    Exchange::InPlace { buffer: &mut output, length: part }
                } else {
                    Exchange::Apart { input: now, output: &mut output }
                };
                key.ctr(&mut counter, io).unwrap();
                got.extend(output);
                rest = later;
            }
            assert_eq!(got, whole);
        }
    }
}

/// PKCS#11 3.2, "AES with Counter Encryption / Decryption": "If an attempt to encrypt/decrypt is made which will cause an overflow of the counter block's
/// counter bits, then the mechanism shall return CKR_DATA_LEN_RANGE"; the last value itself still serves.
#[test]
fn ends_at_the_last_value_from_any_start() {
    let key = AesKey::new(&[3; 16]).unwrap();
    for bits in 1..=127_u32 {
        let mask = u128::MAX >> (128 - bits);
        let nonce = u128::from_be_bytes([0x5A; 16]) & !mask;
        for left in [1_u128, 2, 3, 4, 7, 63].into_iter().filter(|left| left - 1 <= mask) {
            let start = (nonce | (mask - (left - 1))).to_be_bytes();
            let whole = 16 * left as usize;
            assert_eq!(run(&key, start, bits, &message(whole)), plain(&key, start, bits, &message(whole)));
            let mut counter = Counter::new(start, bits).unwrap();
            assert!(refused(&key, &mut counter, whole + 1), "{bits} bits, {left} blocks left, in one call");
            // In two calls, the second of which begins in the last block or behind it.
            for first in [whole - 1, whole] {
                let mut counter = Counter::new(start, bits).unwrap();
                assert!(!refused(&key, &mut counter, first));
                assert!(refused(&key, &mut counter, whole - first + 1), "{bits} bits, {left} blocks left, in parts");
                assert!(!refused(&key, &mut counter, whole - first), "what a refused part would have used is left");
            }
        }
    }
}

/// The standard's own example: "if ulCounterBits = 2 and the counter bits start as 1 then only 3 blocks of data can be
/// processed".
#[test]
fn the_example_of_the_standard() {
    let key = AesKey::new(&[3; 16]).unwrap();
    let start = 1_u128.to_be_bytes();
    assert!(!refused(&key, &mut Counter::new(start, 2).unwrap(), 48));
    assert!(refused(&key, &mut Counter::new(start, 2).unwrap(), 49));
    assert!(refused(&key, &mut Counter::new(start, 2).unwrap(), 64));
}

#[test]
fn the_last_block_may_be_used_up_byte_by_byte() {
    let key = AesKey::new(&[3; 16]).unwrap();
    let mut counter = Counter::new([6; 16], 1).unwrap();
    for count in 0..33 {
        let outcome = key.ctr(&mut counter, Exchange::Apart { input: &[0], output: &mut [0] });
        assert_eq!(outcome.is_ok(), count < 32);
    }
}

#[test]
fn wide_counters_do_not_run_out_and_widths_are_checked() {
    let key = AesKey::new(&[3; 16]).unwrap();
    for bits in [32, 64, 127] {
        assert_eq!(run(&key, [0x7E; 16], bits, &message(1000)), plain(&key, [0x7E; 16], bits, &message(1000)));
    }
    // The whole block as a counter goes on at zero.
    assert_eq!(run(&key, [0xFF; 16], 128, &message(1000)), plain(&key, [0xFF; 16], 128, &message(1000)));
    for bits in [0, 129, u32::MAX] {
        assert_eq!(Counter::new([0; 16], bits).err().unwrap().rv(), ck::CKR_MECHANISM_PARAM_INVALID);
    }
    let io = Exchange::Apart { input: &[0; 17], output: &mut [0; 16] };
    let outcome = key.ctr(&mut Counter::new([0; 16], 128).unwrap(), io);
    assert_eq!(outcome.unwrap_err().rv(), ck::CKR_BUFFER_TOO_SMALL);
}
