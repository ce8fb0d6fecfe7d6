//! Vectors of the Argon2 reference implementation, RFC 7914 and RFC 5869; AWS-LC as the second opinion.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::num::NonZeroU32;

use aws_lc_rs::{hkdf, pbkdf2};
use base::ck;

use super::*;
use crate::testing::{hex, message};

#[test]
fn argon2id_reference_vectors() {
    // phc-winner-argon2, src/test.c: Argon2id, version 19, one lane. (The vector of RFC 9106 has four lanes, a secret
    // and associated data, none of which this function offers.)
    for (memory, expected) in [
        (1 << 8, "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe"),
        (1 << 16, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"),
    ] {
        let mut out = [0; 32];
        argon2id(b"password", b"somesalt", memory, 2, &mut out).unwrap();
        assert_eq!(out, *hex(expected));
    }
}

#[test]
fn argon2id_gives_its_memory_back() {
    let pages = || {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        text.split(' ').nth(1).unwrap().parse::<usize>().unwrap()
    };
    let mut out = [0; 32];
    argon2id(b"password", b"somesalt", 19_456, 1, &mut out).unwrap();
    let before = pages();
    for _ in 0..64 {
        argon2id(b"password", b"somesalt", 19_456, 1, &mut out).unwrap();
    }
    // So often 19 MiB would be 311,296 pages; other tests of this process may hold a derivation's worth each.
    assert!(pages() < before + 155_000, "{before} pages before, {} after", pages());
}

#[test]
fn argon2id_refuses_what_the_standard_does() {
    let refused = |salt: &[u8], memory, passes, length| {
        argon2id(b"password", salt, memory, passes, &mut vec![0; length]).unwrap_err().rv()
    };
    assert_eq!(refused(b"short", 1024, 1, 32), ck::CKR_GENERAL_ERROR);
    assert_eq!(refused(b"somesalt", 1, 1, 32), ck::CKR_GENERAL_ERROR);
    assert_eq!(refused(b"somesalt", 1024, 0, 32), ck::CKR_GENERAL_ERROR);
    assert_eq!(refused(b"somesalt", 1024, 1, 3), ck::CKR_GENERAL_ERROR);
    // More than any address space: refused by the system, not by a crash.
    assert!(matches!(refused(b"somesalt", u32::MAX, 1, 32), ck::CKR_HOST_MEMORY | ck::CKR_GENERAL_ERROR));
}

#[test]
fn pbkdf2_rfc_7914_and_second_opinion() {
    let mut out = [0; 64];
    pbkdf2_sha256(b"passwd", b"salt", 1, &mut out);
    let expected = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
                    49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783";
    assert_eq!(out, *hex(expected));
    for (rounds, length) in [(1, 20), (3, 32), (1000, 65)] {
        let (mut ours, mut other) = (vec![0; length], vec![0; length]);
        pbkdf2_sha256(b"user:password", &message(16), rounds, &mut ours);
        let rounds = NonZeroU32::new(rounds).unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &message(16), b"user:password", &mut other);
        assert_eq!(ours, other);
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[test]
fn hkdf_rfc_5869_and_second_opinion() {
    let mut out = [0; 42];
    let (salt, info) = (hex("000102030405060708090a0b0c"), hex("f0f1f2f3f4f5f6f7f8f9"));
    hkdf_sha256(&[0x0b; 22], &salt, &info, &mut out).unwrap();
    let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865";
    assert_eq!(out, *hex(expected));
    for length in [1, 31, 32, 33, 64, 100, 8160] {
        let (mut ours, mut other) = (vec![0; length], vec![0; length]);
        hkdf_sha256(&message(50), &[], b"info", &mut ours).unwrap();
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&message(50));
        extracted.expand(&[b"info"], Length(length)).unwrap().fill(&mut other).unwrap();
        assert_eq!(ours, other);
    }
    assert!(hkdf_sha256(&message(50), &[], b"info", &mut vec![0; 8161]).is_err());
}
