//! SP 800-38B vectors, RustCrypto as the second opinion, and parts against the whole.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use cmac::{KeyInit as _, Mac as _};

use super::*;
use crate::testing::{NIST_KEYS, NIST_TEXT, cuts, hex, message};

#[test]
fn sp_800_38b() {
    let expected = [
        [
            "bb1d6929e95937287fa37d129b756746",
            "070a16b46b4d4144f79bdd9dd04a287c",
            "dfa66747de9ae63030ca32611497c827",
            "51f0bebf7e3b9d92fc49741779363cfe",
        ],
        [
            "d17ddf46adaacde531cac483de7a9367",
            "9e99a7bf31e710900662f65e617c5184",
            "8a1de5be2eb31aad089a82e6ee908b0e",
            "a1d5df0eed790f794d77589659f39a11",
        ],
        [
            "028962f61b7bf89efc6b551f4667d983",
            "28a7023f452e8f82bd4bf28d8c37c35c",
            "aaf3d8f1de5640c232f5b169b9c911e6",
            "e1992190549f6ed5696a2c056c315410",
        ],
    ];
    for (key, expected) in NIST_KEYS.iter().zip(expected) {
        let key = AesKey::new(&hex(key)).unwrap();
        for (length, expected) in [0, 16, 40, 64].into_iter().zip(expected) {
            assert_eq!(key.cmac(&hex(NIST_TEXT)[..length]).unwrap(), *hex(expected));
        }
    }
}

#[test]
fn agrees_with_rustcrypto_at_every_length() {
    for length in (0..=100).chain([511, 512, 513, 528, 529, 1024, 1025, 5000]) {
        let data = message(length);
        let mut other = cmac::Cmac::<aes::Aes256>::new(&[8; 32].into());
        other.update(&data);
        assert_eq!(AesKey::new(&[8; 32]).unwrap().cmac(&data).unwrap(), *other.finalize().into_bytes());
    }
}

#[test]
fn parts_give_the_whole() {
    let key = AesKey::new(&[8; 24]).unwrap();
    for length in [64, 65] {
        let data = message(length);
        let whole = key.cmac(&data).unwrap();
        for cut in cuts(length) {
            let (mut state, mut rest) = (Cmac::default(), data.as_slice());
            for part in cut {
                let (now, later) = rest.split_at(part);
                state.update(&key, now).unwrap();
                rest = later;
            }
            assert_eq!(state.finish(&key).unwrap(), whole);
        }
    }
}
