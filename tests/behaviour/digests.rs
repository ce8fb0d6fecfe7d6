//! Digests and random numbers.

use std::ptr;

use super::signatures::DIGESTS;
use crate::support::*;

/// FIPS 180-4 examples: "abc".
#[test]
fn digests_of_abc() {
    isolated(|| {
        initialize().unwrap();
        let session = Session::open();
        let expected = [
            "a9993e364706816aba3e25717850c26c9cd0d89d",
            "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ];
        for (mechanism, expected) in DIGESTS.into_iter().zip(expected) {
            assert_eq!(session.digest(mechanism, b"abc").unwrap(), hex(expected));
        }
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(session.digest(CKM_SHA256, b"").unwrap(), hex(empty));
        assert_eq!(session.digest_init(CKM_AES_ECB), code(CKR_MECHANISM_INVALID));
    });
}

/// Random numbers (PKCS#11 3.2 section 5.19): any length, never the same.
#[test]
fn random_numbers() {
    isolated(|| {
        initialize().unwrap();
        let session = Session::open();
        assert_ne!(session.random(32).unwrap(), session.random(32).unwrap());
        assert_eq!(session.random(0).unwrap(), [0; 0]);
        let long = session.random(1 << 20).unwrap();
        let ones: u32 = long.iter().map(|byte| byte.count_ones()).sum();
        assert!((4_180_000..4_208_000).contains(&ones), "{ones} of 8388608 bits");
        assert_eq!(answer(call!(C_GenerateRandom(session.0, ptr::null_mut(), 8))), code(CKR_ARGUMENTS_BAD));
    });
}
