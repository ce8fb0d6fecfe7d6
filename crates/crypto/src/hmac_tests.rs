//! RFC 4231 and RFC 2202 vectors, AWS-LC as the second opinion, and parts against the whole.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use aws_lc_rs::hmac as other;

use super::*;
use crate::digest::MAX_DIGEST;
use crate::testing::{cuts, hex, message};

fn sign(hash: Hash, key: &[u8], data: &[u8]) -> Vec<u8> {
    let mut out = [0; MAX_DIGEST];
    let length = HmacKey::new(hash, key).sign(data, &mut out);
    assert_eq!(length, hash.length());
    out[..length].to_vec()
}

#[test]
fn rfc_4231_and_2202() {
    let case_1 = [
        "b617318655057264e28bc0b6fb378c8ef146be00",
        "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde\
         daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
    ];
    for (hash, expected) in Hash::ALL.into_iter().zip(case_1) {
        assert_eq!(sign(hash, &[0x0b; 20], b"Hi There"), hex(expected), "{hash:?}");
    }
    assert_eq!(
        sign(Hash::Sha256, b"Jefe", b"what do ya want for nothing?"),
        hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    );
    assert_eq!(
        sign(Hash::Sha256, &[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
        hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")
    );
}

#[test]
fn both_libraries_agree_at_every_key_length() {
    for hash in Hash::ALL {
        let algorithm = match hash {
            Hash::Sha1 => other::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Hash::Sha224 => other::HMAC_SHA224,
            Hash::Sha256 => other::HMAC_SHA256,
            Hash::Sha384 => other::HMAC_SHA384,
            Hash::Sha512 => other::HMAC_SHA512,
        };
        for length in 0..=200 {
            let (key, data) = (message(length), message(2 * length));
            let expected = other::sign(&other::Key::new(algorithm, &key), &data);
            assert_eq!(sign(hash, &key, &data), expected.as_ref());
        }
    }
}

#[test]
fn parts_give_the_whole_and_the_key_stays() {
    let data = message(65);
    for hash in Hash::ALL {
        let key = HmacKey::new(hash, &message(40));
        assert_eq!(key.hash(), hash);
        let whole = sign(hash, &message(40), &data);
        for cut in cuts(data.len()) {
            let (mut state, mut rest) = (key.start(), data.as_slice());
            for part in cut {
                let (now, later) = rest.split_at(part);
                state.update(now);
                rest = later;
            }
            assert_eq!(state.hash(), hash);
            let mut out = vec![0; hash.length()];
            assert_eq!(state.finish(&mut out), hash.length());
            assert_eq!(out, whole);
        }
        let mut short = vec![0xEE; hash.length() - 1];
        assert_eq!(key.sign(&data, &mut short), 0);
        assert!(short.iter().all(|byte| *byte == 0xEE));
    }
}
