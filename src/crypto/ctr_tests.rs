//! SP 800-38A vectors, RustCrypto as the second opinion, every split, and counters of every width at their ends.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use aes::Aes256;
use aes::cipher::{KeyIvInit as _, StreamCipher as _};

use super::*;
use crate::crypto::testing::{NIST_KEYS, NIST_TEXT, both_ways, cuts, hex, message};

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
            let (mut wide, mut narrow) = (data.clone(), data.clone());
            ctr::Ctr128BE::<Aes256>::new(&[9; 32].into(), &block.into()).apply_keystream(&mut wide);
            ctr::Ctr32BE::<Aes256>::new(&[9; 32].into(), &block.into()).apply_keystream(&mut narrow);
            assert_eq!(run(&key, block, 128, &data), wide);
            assert_eq!(run(&key, block, 32, &data), narrow);
        }
    }
}

#[test]
fn every_split_gives_the_whole() {
    let key = AesKey::new(&[3; 16]).unwrap();
    let data = message(65);
    for (block, bits) in [([0; 16], 128), ([0xFF; 16], 128), ([0xFF; 16], 32), ([0xFE; 16], 8), ([0xFF; 16], 3)] {
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

#[test]
fn wraps_inside_its_bits_and_stops_before_it_repeats() {
    let key = AesKey::new(&[3; 16]).unwrap();
    for bits in 1..=10_u32 {
        for start in [[0; 16], [0xFF; 16], [0x5A; 16]] {
            let whole = 16 << bits;
            let data = message(whole + 1);
            assert_eq!(run(&key, start, bits, &data[..whole]), plain(&key, start, bits, &data[..whole]));
            // One byte more, in one call or in a second one.
            let mut output = vec![0xEE; whole + 1];
            let mut counter = Counter::new(start, bits).unwrap();
            let io = Exchange::Apart { input: &data, output: &mut output };
            assert_eq!(key.ctr(&mut counter, io).unwrap_err().rv(), ck::CKR_DATA_LEN_RANGE);
            assert!(output.iter().all(|byte| *byte == 0xEE));
            key.ctr(&mut counter, Exchange::Apart { input: &data[..whole], output: &mut output }).unwrap();
            let io = Exchange::Apart { input: &[0], output: &mut output[whole..] };
            assert_eq!(key.ctr(&mut counter, io).unwrap_err().rv(), ck::CKR_DATA_LEN_RANGE);
            assert_eq!(output[whole], 0xEE);
            key.ctr(&mut counter, Exchange::Apart { input: &[], output: &mut [] }).unwrap();
        }
    }
}

#[test]
fn the_last_block_may_be_used_up_byte_by_byte() {
    let key = AesKey::new(&[3; 16]).unwrap();
    let mut counter = Counter::new([7; 16], 1).unwrap();
    for count in 0..33 {
        let outcome = key.ctr(&mut counter, Exchange::Apart { input: &[0], output: &mut [0] });
        assert_eq!(outcome.is_ok(), count < 32);
    }
}

#[test]
fn wide_counters_do_not_run_out_and_widths_are_checked() {
    let key = AesKey::new(&[3; 16]).unwrap();
    for bits in [32, 64, 127, 128] {
        run(&key, [0xFF; 16], bits, &message(1000));
        assert_eq!(run(&key, [0xFF; 16], bits, &message(100)), plain(&key, [0xFF; 16], bits, &message(100)));
    }
    for bits in [0, 129, u32::MAX] {
        assert_eq!(Counter::new([0; 16], bits).err().unwrap().rv(), ck::CKR_MECHANISM_PARAM_INVALID);
    }
    let io = Exchange::Apart { input: &[0; 17], output: &mut [0; 16] };
    let outcome = key.ctr(&mut Counter::new([0; 16], 128).unwrap(), io);
    assert_eq!(outcome.unwrap_err().rv(), ck::CKR_BUFFER_TOO_SMALL);
}
