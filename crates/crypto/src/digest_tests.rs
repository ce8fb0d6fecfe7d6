//! FIPS 180-4 examples, AWS-LC as the second opinion, and parts against the whole.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use aws_lc_rs::digest as other;

use super::*;
use crate::testing::{cuts, hex, message};

fn second(hash: Hash) -> &'static other::Algorithm {
    match hash {
        Hash::Sha1 => &other::SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha224 => &other::SHA224,
        Hash::Sha256 => &other::SHA256,
        Hash::Sha384 => &other::SHA384,
        Hash::Sha512 => &other::SHA512,
    }
}

#[test]
fn fips_180_examples() {
    let abc = [
        "a9993e364706816aba3e25717850c26c9cd0d89d",
        "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
    ];
    for (hash, expected) in Hash::ALL.into_iter().zip(abc) {
        assert_eq!(hash.value(b"abc").as_slice(), hex(expected), "{hash:?}");
    }
    let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    assert_eq!(Hash::Sha1.value(two_blocks).as_slice(), hex("84983e441c3bd26ebaae4aa1f95129e5e54670f1"));
    assert_eq!(
        Hash::Sha256.value(two_blocks).as_slice(),
        hex("248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
    );
}

#[test]
fn both_libraries_agree_at_every_length() {
    for hash in Hash::ALL {
        assert_eq!(hash.length(), second(hash).output_len());
        assert_eq!(hash.block_length(), second(hash).block_len());
        for length in (0..300).chain([4096, 10_000]) {
            let data = message(length);
            assert_eq!(hash.value(&data).as_slice(), other::digest(second(hash), &data).as_ref());
        }
    }
}

#[test]
fn parts_give_the_whole_and_a_copy_leaves_the_state() {
    let data = message(65);
    for hash in Hash::ALL {
        let whole = hash.value(&data);
        for cut in cuts(data.len()) {
            let (mut state, mut rest) = (Digest::new(hash), data.as_slice());
            let mut out = [0; MAX_DIGEST];
            for part in cut {
                let (now, later) = rest.split_at(part);
                state.update(now);
                let length = state.finish_copy(&mut out);
                assert_eq!(out[..length], *hash.value(&data[..data.len() - later.len()]).as_slice());
                rest = later;
            }
            assert_eq!(state.hash(), hash);
            assert_eq!(state.finish(&mut out), hash.length());
            assert_eq!(out[..hash.length()], *whole.as_slice());
        }
    }
}

#[test]
fn short_output_is_left_alone_and_a_long_one_behind_the_digest() {
    for hash in Hash::ALL {
        let mut short = vec![0xEE; hash.length() - 1];
        assert_eq!(hash.digest(b"abc", &mut short), 0);
        assert_eq!(Digest::new(hash).finish(&mut short), 0);
        assert!(short.iter().all(|byte| *byte == 0xEE));
        let mut long = vec![0xEE; hash.length() + 3];
        assert_eq!(hash.digest(b"abc", &mut long), hash.length());
        assert_eq!(long[hash.length()..], [0xEE; 3]);
    }
}

#[test]
fn digest_info_prefix_is_der_of_the_right_lengths() {
    for hash in Hash::ALL {
        let prefix = hash.digest_info_prefix();
        // SEQUENCE over everything, and an OCTET STRING of the digest's length at the end.
        assert_eq!(usize::from(prefix[1]) + 2, prefix.len() + hash.length());
        assert_eq!(usize::from(prefix[prefix.len() - 1]), hash.length());
        assert_eq!(prefix[prefix.len() - 4..prefix.len() - 1], [5, 0, 4]);
    }
}
