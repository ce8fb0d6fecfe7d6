//! RSA encryption: OAEP, PKCS#1 v1.5 and raw, and what an attacker learns from it.

use std::ptr;

use super::signatures::pairs;
use crate::support::*;

fn oaep(hash: CK_MECHANISM_TYPE, mask: CK_ULONG) -> CK_RSA_PKCS_OAEP_PARAMS {
    CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: hash,
        mgf: mask,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: ptr::null_mut(),
        ulSourceDataLen: 0,
    }
}

/// RSA encryption: there and back, lengths, and what is refused.
#[test]
fn rsa_encryption() {
    isolated(|| {
        let session = hsm();
        let (public, private) = pairs(session).rsa;
        for (hash, mask, size) in [
            (CKM_SHA_1, CKG_MGF1_SHA1, 20),
            (CKM_SHA224, CKG_MGF1_SHA224, 28),
            (CKM_SHA256, CKG_MGF1_SHA256, 32),
            (CKM_SHA384, CKG_MGF1_SHA384, 48),
            (CKM_SHA512, CKG_MGF1_SHA512, 64),
        ] {
            let mut parameter = oaep(hash, mask);
            let mut mechanism = Mechanism::with(CKM_RSA_PKCS_OAEP, &mut parameter);
            let most = 256 - 2 * size - 2;
            for length in [0, 1, most] {
                let plain = vec![5; length];
                let cipher = session.encrypt(&mut mechanism, public, &plain).unwrap();
                assert_eq!(cipher.len(), 256);
                assert_eq!(session.decrypt(&mut mechanism, private, &cipher).unwrap(), plain);
                let mut wrong = cipher;
                wrong[200] ^= 1;
                assert_eq!(session.decrypt(&mut mechanism, private, &wrong), code(CKR_ENCRYPTED_DATA_INVALID), "A70");
            }
            assert_eq!(session.encrypt(&mut mechanism, public, &vec![5; most + 1]), code(CKR_DATA_LEN_RANGE));
            for length in [0, 255, 257] {
                let refused = session.decrypt(&mut mechanism, private, &vec![1; length]);
                assert_eq!(refused, code(CKR_ENCRYPTED_DATA_LEN_RANGE), "{length}");
            }
        }
        // User Guide, note (e): the mask has the same hash.
        let mut mixed = oaep(CKM_SHA256, CKG_MGF1_SHA1);
        let refused = session.begin(Way::Encrypt, &mut Mechanism::with(CKM_RSA_PKCS_OAEP, &mut mixed), public);
        assert_eq!(refused, code(CKR_MECHANISM_PARAM_INVALID));
        for mechanism in [CKM_RSA_PKCS, CKM_RSA_X_509] {
            let plain = if mechanism == CKM_RSA_PKCS { vec![5; 245] } else { [vec![0], vec![5; 255]].concat() };
            let cipher = session.encrypt(&mut Mechanism::new(mechanism), public, &plain).unwrap();
            assert_eq!(cipher.len(), 256);
            assert_eq!(session.decrypt(&mut Mechanism::new(mechanism), private, &cipher).unwrap(), plain);
            session.begin(Way::Encrypt, &mut Mechanism::new(mechanism), public).unwrap();
            assert!(session.update_into(Way::Encrypt, b"part", 512).is_err());
        }
        assert_eq!(session.encrypt(&mut Mechanism::new(CKM_RSA_PKCS), public, &[5; 246]), code(CKR_DATA_LEN_RANGE));
        // Buffers: the query tells enough, too small keeps the operation.
        let cipher = session.encrypt(&mut Mechanism::new(CKM_RSA_PKCS), public, b"short").unwrap();
        session.begin(Way::Decrypt, &mut Mechanism::new(CKM_RSA_PKCS), private).unwrap();
        assert_eq!(session.once_into(Way::Decrypt, &cipher, 4), code(CKR_BUFFER_TOO_SMALL));
        assert_eq!(session.once_into(Way::Decrypt, &cipher, 5).unwrap(), b"short");
    });
}

/// Attacks A34 and A35 (Bleichenbacher): a ciphertext with bad padding decrypts without an error, to the same message
/// each time (draft-irtf-cfrg-rsa-guidance, implicit rejection).
#[test]
fn garbage_decrypts_to_the_same_each_time() {
    isolated(|| {
        let session = hsm();
        let (_, private) = pairs(session).rsa;
        let mut lengths = std::collections::BTreeSet::new();
        for at in 0..50_u8 {
            let mut garbage = vec![at; 256];
            garbage[0] = 0;
            garbage[1] = at.wrapping_mul(37);
            let decrypt = || session.decrypt(&mut Mechanism::new(CKM_RSA_PKCS), private, &garbage);
            let first = decrypt().expect("no error tells that the padding is bad");
            assert!(first.len() <= 245);
            assert_eq!(decrypt().unwrap(), first);
            lengths.insert(first.len());
        }
        assert!(lengths.len() > 5, "the lengths are spread: {lengths:?}");
    });
}
