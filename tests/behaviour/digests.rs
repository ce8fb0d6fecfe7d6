//! Digests, random numbers, and the list of mechanisms.

use std::ptr;

use cloudhsm_pkcs11::ck::vendor::CKM_CLOUDHSM_AES_GCM;

use super::signatures::{DIGESTS, HMACS};
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

/// PKCS#11 3.2 sections 5.2 and 5.12: parts, queries, small buffers.
#[test]
fn digests_in_parts() {
    isolated(|| {
        initialize().unwrap();
        let session = Session::open();
        let message: Vec<u8> = (0..65).collect();
        for mechanism in DIGESTS {
            let whole = session.digest(mechanism, &message).unwrap();
            for at in 0..=65 {
                assert_eq!(session.digest_parts(mechanism, &message, &[at]).unwrap(), whole, "split at {at}");
            }
            session.digest_init(mechanism).unwrap();
            let mut data = message.clone();
            let mut told = 0;
            assert_eq!(call!(C_Digest(session.0, data.as_mut_ptr(), 65, ptr::null_mut(), &raw mut told)), CKR_OK);
            assert_eq!(told as usize, whole.len());
            assert_eq!(session.digest_into(&message, whole.len() - 1), code(CKR_BUFFER_TOO_SMALL));
            assert_eq!(session.digest_into(&message, whole.len()).unwrap(), whole);
            session.digest_init(mechanism).unwrap();
            assert_eq!(call!(C_DigestUpdate(session.0, data.as_mut_ptr(), 65)), CKR_OK);
            let mut told = 3;
            let mut small = [0; 3];
            assert_eq!(call!(C_DigestFinal(session.0, small.as_mut_ptr(), &raw mut told)), CKR_BUFFER_TOO_SMALL);
            assert_eq!(told as usize, whole.len());
            assert_eq!(
                into_buffer(64, |buffer, length| call!(C_DigestFinal(session.0, buffer, length))).unwrap(),
                whole
            );
            // The digest may be written over the message.
            session.digest_init(mechanism).unwrap();
            let start = data.as_mut_ptr();
            let mut length = 65;
            assert_eq!(call!(C_Digest(session.0, start, 65, start, &raw mut length)), CKR_OK);
            assert_eq!(&data[..length as usize], whole);
        }
        session.digest_init(CKM_SHA256).unwrap();
        assert_eq!(session.digest_init(CKM_SHA256), code(CKR_OPERATION_ACTIVE));
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

/// C_GetMechanismList and C_GetMechanismInfo (PKCS#11 3.2 section 5.5.4): exactly what this step serves in `cloudhsm`.
#[test]
fn mechanism_list() {
    isolated(|| {
        initialize().unwrap();
        let mut count = 0;
        assert_eq!(call!(C_GetMechanismList(SLOT, ptr::null_mut(), &raw mut count)), CKR_OK);
        let mut list = vec![0; count as usize];
        let mut less = count - 1;
        assert_eq!(call!(C_GetMechanismList(SLOT, list.as_mut_ptr(), &raw mut less)), CKR_BUFFER_TOO_SMALL);
        assert_eq!(call!(C_GetMechanismList(SLOT, list.as_mut_ptr(), &raw mut count)), CKR_OK);
        let mut expected = vec![
            CKM_AES_KEY_GEN,
            CKM_GENERIC_SECRET_KEY_GEN,
            CKM_RSA_PKCS_KEY_PAIR_GEN,
            CKM_EC_KEY_PAIR_GEN,
            CKM_RSA_PKCS,
            CKM_RSA_X_509,
            CKM_RSA_PKCS_OAEP,
            CKM_RSA_PKCS_PSS,
            CKM_SHA1_RSA_PKCS,
            CKM_SHA224_RSA_PKCS,
            CKM_SHA256_RSA_PKCS,
            CKM_SHA384_RSA_PKCS,
            CKM_SHA512_RSA_PKCS,
            CKM_SHA1_RSA_PKCS_PSS,
            CKM_SHA224_RSA_PKCS_PSS,
            CKM_SHA256_RSA_PKCS_PSS,
            CKM_SHA384_RSA_PKCS_PSS,
            CKM_SHA512_RSA_PKCS_PSS,
            CKM_ECDSA,
            CKM_ECDSA_SHA1,
            CKM_ECDSA_SHA224,
            CKM_ECDSA_SHA256,
            CKM_ECDSA_SHA384,
            CKM_ECDSA_SHA512,
            CKM_AES_ECB,
            CKM_AES_CBC,
            CKM_AES_CBC_PAD,
            CKM_AES_CTR,
            CKM_AES_GCM,
            CKM_AES_CMAC,
            CKM_CLOUDHSM_AES_GCM,
            CKM_RSA_X9_31_KEY_PAIR_GEN,
            CKM_RSA_AES_KEY_WRAP,
            CKM_ECDH1_DERIVE,
            CKM_DES3_KEY_GEN,
            CKM_DES3_ECB,
            CKM_DES3_CBC,
            CKM_DES3_CBC_PAD,
            vendor::CKM_CLOUDHSM_SP800_108_COUNTER_KDF,
            vendor::CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD,
            vendor::CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD,
            vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD,
            vendor::CKM_CLOUDHSM_EDDSA,
            vendor::CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN,
            vendor::CKM_CLOUDHSM_ML_DSA,
            vendor::CKM_CLOUDHSM_EXT_MU_ML_DSA,
        ];
        expected.extend(DIGESTS);
        expected.extend(HMACS);
        expected.sort_unstable();
        list.sort_unstable();
        assert_eq!(list, expected);
        let information = |mechanism| {
            let mut information = CK_MECHANISM_INFO::default();
            answer(call!(C_GetMechanismInfo(SLOT, mechanism, &raw mut information))).map(|()| information)
        };
        for mechanism in &list {
            let flags = information(*mechanism).unwrap().flags;
            assert_ne!(flags, 0, "{mechanism:#x}");
            assert_eq!(flags & (CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER), 0);
        }
        let rsa = information(CKM_RSA_PKCS_KEY_PAIR_GEN).unwrap();
        assert_eq!((rsa.ulMinKeySize, rsa.ulMaxKeySize), (2048, 4096));
        assert_ne!(rsa.flags & CKF_GENERATE_KEY_PAIR, 0);
        let aes = information(CKM_AES_CBC).unwrap();
        assert_eq!(
            (aes.ulMinKeySize, aes.ulMaxKeySize, aes.flags & (CKF_ENCRYPT | CKF_DECRYPT)),
            (16, 32, CKF_ENCRYPT | CKF_DECRYPT)
        );
        for unknown in [0x7777_7777, CKM_AES_KEY_WRAP, CKM_AES_KEY_WRAP_PAD, CKM_MD5, CK_ULONG::MAX] {
            assert_eq!(information(unknown).err(), Some(Rv(CKR_MECHANISM_INVALID)), "{unknown:#x}");
        }
    });
}
