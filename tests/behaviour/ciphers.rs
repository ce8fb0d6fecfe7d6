//! AES: known answers, in place, whose IV it is, parameters, the order of calls.

use std::ptr;

use base::ck::vendor::CKM_CLOUDHSM_AES_GCM;

use crate::support::*;

const KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const PLAIN: &str = "6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
                     30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710";
const IV: &str = "000102030405060708090a0b0c0d0e0f";

fn ctr_parameter(bits: CK_ULONG, block: &[u8]) -> CK_AES_CTR_PARAMS {
    CK_AES_CTR_PARAMS { ulCounterBits: bits, cb: block.try_into().unwrap() }
}

/// NIST SP 800-38A, appendix F: ECB, CBC and CTR with all three key sizes.
#[test]
fn known_answers_of_sp_800_38a() {
    isolated(|| {
        let session = hsm();
        let plain = hex(PLAIN);
        let cases = [
            (
                KEY,
                "3ad77bb40d7a3660a89ecaf32466ef97 f5d3d58503b9699de785895a96fdbaaf
                 43b1cd7f598ece23881b00e3ed030688 7b0c785e27e8ad3f8223207104725dd4",
                "7649abac8119b246cee98e9b12e9197d 5086cb9b507219ee95db113a917678b2
                 73bed6b8e3c1743b7116e69e22229516 3ff1caa1681fac09120eca307586e1a7",
                "874d6191b620e3261bef6864990db6ce 9806f66b7970fdff8617187bb9fffdff
                 5ae4df3edbd5d35e5b4f09020db03eab 1e031dda2fbe03d1792170a0f3009cee",
            ),
            (
                "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
                "bd334f1d6e45f25ff712a214571fa5cc 974104846d0ad3ad7734ecb3ecee4eef
                 ef7afd2270e2e60adce0ba2face6444e 9a4b41ba738d6c72fb16691603c18e0e",
                "4f021db243bc633d7178183a9fa071e8 b4d9ada9ad7dedf4e5e738763f69145a
                 571b242012fb7ae07fa9baac3df102e0 08b0e27988598881d920a9e64f5615cd",
                "1abc932417521ca24f2b0459fe7e6e0b 090339ec0aa6faefd5ccc2c6f4ce8e94
                 1e36b26bd1ebc670d1bd1d665620abf7 4f78a7f6d29809585a97daec58c6b050",
            ),
            (
                "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
                "f3eed1bdb5d2a03c064b5a7e3db181f8 591ccb10d410ed26dc5ba74a31362870
                 b6ed21b99ca6f4f9f153e7b1beafed1d 23304b7a39f9f3ff067d8d8f9e24ecc7",
                "f58c4c04d6e5f1ba779eabfb5f7bfbd6 9cfc4e967edb808d679f777bc6702c7d
                 39f23369a9d9bacfa530e26304231461 b2eb05e2c39be9fcda6c19078c6a9d1b",
                "601ec313775789a5b7a7f504bbf3d228 f443e3ca4d62b59aca84e990cacaf5c5
                 2b0930daa23de94ce87017ba2d84988d dfc9c58db67aada613c2dd08457941a6",
            ),
        ];
        for (key, ecb, cbc, ctr) in cases {
            let key = session.create(&aes_value(&hex(key))).unwrap();
            let counter = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
            let mut counter = [ctr_parameter(128, &counter), ctr_parameter(128, &counter)];
            let [once, again] = &mut counter;
            let pairs = [
                (Mechanism::new(CKM_AES_ECB), Mechanism::new(CKM_AES_ECB), ecb),
                (Mechanism::bytes(CKM_AES_CBC, &hex(IV)), Mechanism::bytes(CKM_AES_CBC, &hex(IV)), cbc),
                (Mechanism::with(CKM_AES_CTR, once), Mechanism::with(CKM_AES_CTR, again), ctr),
            ];
            for (mut there, mut back, expected) in pairs {
                let cipher = session.encrypt(&mut there, key, &plain).unwrap();
                assert_eq!(cipher, hex(expected));
                assert_eq!(session.decrypt(&mut back, key, &cipher).unwrap(), plain);
            }
            let padded = session.encrypt(&mut Mechanism::bytes(CKM_AES_CBC_PAD, &hex(IV)), key, &plain).unwrap();
            assert_eq!((&padded[..64], padded.len()), (&hex(cbc)[..], 80));
        }
    });
}

/// The GCM specification (McGrew and Viega), test cases 1 to 4 with 128-bit keys, 13 to 15 with 256-bit ones.
#[test]
fn known_answers_of_gcm() {
    isolated_standard(|| {
        let session = hsm();
        let plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                     1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
        let short = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                     1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
        let aad = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
        let (zero, fe, iv) =
            ("000000000000000000000000", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888");
        let zeros = "00000000000000000000000000000000";
        let c4 = "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
                  21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091";
        let c15 = "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                   8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad";
        let cases = [
            (zeros.to_owned(), zero, "", "", "", "58e2fccefa7e3061367f1d57a4e7455a"),
            (zeros.to_owned(), zero, zeros, "", "0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf"),
            (fe.to_owned(), iv, short, aad, c4, "5bc94fbc3221a5db94fae95ae7121a47"),
            (zeros.repeat(2), zero, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
            (zeros.repeat(2), zero, zeros, "", "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"),
            (fe.repeat(2), iv, plain, "", c15, "b094dac5d93471bdec1a502270e3cc6c"),
        ];
        for (key, iv, plain, aad, cipher, tag) in cases {
            let key = session.create(&aes_value(&hex(&key))).unwrap();
            let expected = [hex(cipher), hex(tag)].concat();
            let (mut iv, mut aad) = (hex(iv), hex(aad));
            for bits in [128, 96, 64] {
                let mut parameter = gcm(&mut iv, &mut aad, bits);
                let cut = &expected[..expected.len() - 16 + bits as usize / 8];
                let made =
                    session.encrypt(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), key, &hex(plain)).unwrap();
                assert_eq!(made, cut);
                let back = session.decrypt(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), key, cut).unwrap();
                assert_eq!(back, hex(plain));
            }
            // Any bit that is wrong anywhere: one code, and nothing of the plaintext.
            let mut parameter = gcm(&mut iv, &mut aad, 128);
            for at in [0, expected.len() / 2, expected.len() - 1] {
                let mut wrong = expected.clone();
                wrong[at] ^= 1;
                let refused = session.decrypt(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), key, &wrong);
                assert_eq!(refused, code(CKR_ENCRYPTED_DATA_INVALID));
            }
            let short = session.decrypt(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), key, &expected[..3]);
            assert!(matches!(short, Err(Rv(CKR_ENCRYPTED_DATA_INVALID | CKR_ENCRYPTED_DATA_LEN_RANGE))), "{short:?}");
        }
    });
}

/// User Guide, pkcs11-mechanisms (note on AES-GCM): the HSM makes the IV and writes it into a zeroed buffer of 12
/// bytes; here a caller's own IV is refused, because one who does not read the IV back would lose its data.
#[test]
fn the_hsm_makes_the_iv_of_gcm() {
    isolated(|| {
        let session = hsm();
        let key = session.create(&aes_value(&[7; 32])).unwrap();
        let mut ivs = std::collections::BTreeSet::new();
        for bits in [96, 0] {
            let (mut iv, mut aad) = ([0; 12], *b"additional");
            let mut parameter = gcm(&mut iv, &mut aad, 128);
            parameter.ulIvBits = bits;
            session.begin(Way::Encrypt, &mut Mechanism::with(CKM_AES_GCM, &mut parameter), key).unwrap();
            assert_ne!(iv, [0; 12], "written back in C_EncryptInit, where pIv is known to be valid");
            let at_init = iv;
            let cipher = session.once_into(Way::Encrypt, b"message", 64).unwrap();
            assert_eq!(iv, at_init);
            assert_eq!(cipher.len(), 7 + 16);
            assert!(ivs.insert(iv));
            let mut parameter = gcm(&mut iv, &mut aad, 128);
            let plain = session.decrypt(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), key, &cipher).unwrap();
            assert_eq!(plain, b"message");
            aad[0] ^= 1;
            let mut parameter = gcm(&mut iv, &mut aad, 128);
            let refused = session.decrypt(&mut Mechanism::with(CKM_AES_GCM, &mut parameter), key, &cipher);
            assert_eq!(refused, code(CKR_ENCRYPTED_DATA_INVALID));
        }
        let refused = |iv: &mut [u8], bits, tag| {
            let mut parameter = gcm(iv, &mut [], tag);
            parameter.ulIvBits = bits;
            let begun = session.begin(Way::Encrypt, &mut Mechanism::with(CKM_AES_GCM, &mut parameter), key);
            assert_eq!(begun, code(CKR_MECHANISM_PARAM_INVALID), "{iv:?}, {bits}, {tag}");
        };
        refused(&mut [1; 12], 96, 128);
        refused(&mut [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 96, 128);
        refused(&mut [0; 16], 128, 128);
        refused(&mut [0; 11], 88, 128);
        refused(&mut [], 0, 128);
        refused(&mut [0; 12], 95, 128);
        for tag in [0, 1, 8, 16, 31, 33, 127, 129, 256, CK_ULONG::MAX] {
            refused(&mut [0; 12], 96, tag); // A46
        }
        // Multi-part GCM does not exist (User Guide, ki-pkcs11-sdk).
        let mut iv = [0; 12];
        let mut parameter = gcm(&mut iv, &mut [], 128);
        session.begin(Way::Encrypt, &mut Mechanism::with(CKM_AES_GCM, &mut parameter), key).unwrap();
        assert_eq!(session.update_into(Way::Encrypt, b"part", 64), code(CKR_MECHANISM_INVALID));
        session.begin(Way::Decrypt, &mut Mechanism::with(CKM_AES_GCM, &mut parameter), key).unwrap();
        assert_eq!(session.update_into(Way::Decrypt, b"part", 64), code(CKR_MECHANISM_INVALID));
    });
}

/// User Guide, pkcs11-mechanisms: CKM_CLOUDHSM_AES_GCM has the IV in front of its output and takes none.
#[test]
fn cloudhsm_gcm_has_the_iv_in_front() {
    isolated(|| {
        let session = hsm();
        let key = session.create(&aes_value(&[7; 32])).unwrap();
        let none = || CK_GCM_PARAMS {
            pIv: ptr::null_mut(),
            ulIvLen: 0,
            ulIvBits: 0,
            pAAD: ptr::null_mut(),
            ulAADLen: 0,
            ulTagBits: 128,
        };
        let (mut parameter, mut second) = (none(), none());
        let made =
            session.encrypt(&mut Mechanism::with(CKM_CLOUDHSM_AES_GCM, &mut parameter), key, b"message").unwrap();
        assert_eq!(made.len(), 12 + 7 + 16);
        let other = session.encrypt(&mut Mechanism::with(CKM_CLOUDHSM_AES_GCM, &mut second), key, b"message").unwrap();
        assert_ne!(made[..12], other[..12], "A45: an IV of its own for each message");
        let plain = session.decrypt(&mut Mechanism::with(CKM_CLOUDHSM_AES_GCM, &mut parameter), key, &made).unwrap();
        assert_eq!(plain, b"message");
        // It is AES-GCM: the other mechanism opens it with the IV taken off.
        let mut iv = made[..12].to_vec();
        let mut plain_gcm = gcm(&mut iv, &mut [], 128);
        let plain = session.decrypt(&mut Mechanism::with(CKM_AES_GCM, &mut plain_gcm), key, &made[12..]).unwrap();
        assert_eq!(plain, b"message");
        for at in [0, 12, 34] {
            let mut wrong = made.clone();
            wrong[at] ^= 1;
            let refused = session.decrypt(&mut Mechanism::with(CKM_CLOUDHSM_AES_GCM, &mut parameter), key, &wrong);
            assert_eq!(refused, code(CKR_ENCRYPTED_DATA_INVALID));
        }
        for length in [0, 11, 12, 27] {
            let cut = &made[..length];
            let refused = session.decrypt(&mut Mechanism::with(CKM_CLOUDHSM_AES_GCM, &mut parameter), key, cut);
            assert!(
                matches!(refused, Err(Rv(CKR_ENCRYPTED_DATA_INVALID | CKR_ENCRYPTED_DATA_LEN_RANGE))),
                "{refused:?}"
            );
        }
        let mut iv = [0; 12];
        let mut given = gcm(&mut iv, &mut [], 128);
        let begun = session.begin(Way::Encrypt, &mut Mechanism::with(CKM_CLOUDHSM_AES_GCM, &mut given), key);
        assert_eq!(begun, code(CKR_MECHANISM_PARAM_INVALID));
    });
}

/// Runs `check` for each multi-part cipher, both ways, with mechanisms made anew by the closure.
fn multi_part(check: impl Fn(&str, &dyn Fn(&mut dyn FnMut(&mut Mechanism<'_>)), bool)) {
    let block =
        |mechanism| move |run: &mut dyn FnMut(&mut Mechanism<'_>)| run(&mut Mechanism::bytes(mechanism, &hex(IV)));
    check("ECB", &|run| run(&mut Mechanism::new(CKM_AES_ECB)), true);
    check("CBC", &block(CKM_AES_CBC), true);
    check("CBC_PAD", &block(CKM_AES_CBC_PAD), false);
    check("CTR", &|run| run(&mut Mechanism::with(CKM_AES_CTR, &mut ctr_parameter(32, &hex(IV)))), false);
}

/// PKCS#11 3.2 section 5.2: input and output may be the same memory; overlapping by any distance works too.
#[test]
fn in_place_and_overlapping() {
    isolated(|| {
        let session = hsm();
        let key = session.create(&aes_value(&[7; 32])).unwrap();
        let message: Vec<u8> = (0..160).collect();
        multi_part(|name, mechanism, _| {
            let mut cipher = Vec::new();
            mechanism(&mut |mechanism| cipher = session.encrypt(mechanism, key, &message).unwrap());
            for (way, input, output) in [(Way::Encrypt, &message[..], &cipher[..]), (Way::Decrypt, &cipher, &message)] {
                for (from, to) in [(0, 0), (32, 32), (0, 1), (1, 0), (0, 16), (16, 0), (0, 100), (100, 0), (7, 40)] {
                    mechanism(&mut |mechanism| {
                        session.begin(way, mechanism, key).unwrap();
                        let mut memory = vec![0; 512];
                        memory[from..from + input.len()].copy_from_slice(input);
                        let start = memory.as_mut_ptr();
                        let mut length = output.len() as CK_ULONG;
                        let size = input.len() as CK_ULONG;
                        // SAFETY: both places lie in `memory`.
                        let (source, target) = unsafe { (start.add(from), start.add(to)) };
                        let rv = match way {
                            Way::Encrypt => call!(C_Encrypt(session.0, source, size, target, &raw mut length)),
                            Way::Decrypt => call!(C_Decrypt(session.0, source, size, target, &raw mut length)),
                        };
                        assert_eq!(Rv(rv), Rv(CKR_OK));
                        assert_eq!(&memory[to..to + length as usize], output, "{name} {way:?} from {from} to {to}");
                    });
                    // The same in two parts, the second behind the first.
                    mechanism(&mut |mechanism| {
                        session.begin(way, mechanism, key).unwrap();
                        let mut got = Vec::new();
                        for part in [&input[..80], &input[80..]] {
                            let mut memory = vec![0; 512];
                            memory[from..from + part.len()].copy_from_slice(part);
                            let start = memory.as_mut_ptr();
                            let mut length = 128;
                            let size = part.len() as CK_ULONG;
                            // SAFETY: both places lie in `memory`.
                            let (source, target) = unsafe { (start.add(from), start.add(to)) };
                            let rv = match way {
                                Way::Encrypt => {
                                    call!(C_EncryptUpdate(session.0, source, size, target, &raw mut length))
                                }
                                Way::Decrypt => {
                                    call!(C_DecryptUpdate(session.0, source, size, target, &raw mut length))
                                }
                            };
                            assert_eq!(Rv(rv), Rv(CKR_OK));
                            got.extend_from_slice(&memory[to..to + length as usize]);
                        }
                        got.extend(session.final_into(way, 64).unwrap());
                        assert_eq!(got, output, "{name} {way:?} in parts from {from} to {to}");
                    });
                }
            }
        });
    });
}

/// The same for AES-GCM, whose output is longer than its input.
#[test]
fn gcm_in_place_and_too_small() {
    isolated(|| {
        let session = hsm();
        let key = session.create(&aes_value(&[7; 32])).unwrap();
        let mut iv = [0; 12];
        let mut parameter = gcm(&mut iv, &mut [], 128);
        session.begin(Way::Encrypt, &mut Mechanism::with(CKM_AES_GCM, &mut parameter), key).unwrap();
        let mut memory = [0x11; 64];
        let mut length = 0;
        let start = memory.as_mut_ptr();
        assert_eq!(call!(C_Encrypt(session.0, start, 40, ptr::null_mut(), &raw mut length)), CKR_OK);
        assert_eq!(length, 56);
        length = 55;
        assert_eq!(call!(C_Encrypt(session.0, start, 40, start, &raw mut length)), CKR_BUFFER_TOO_SMALL);
        assert_eq!((length, memory), (56, [0x11; 64]));
        assert_eq!(call!(C_Encrypt(session.0, start, 40, start, &raw mut length)), CKR_OK);
        let mut parameter = gcm(&mut iv, &mut [], 128);
        session.begin(Way::Decrypt, &mut Mechanism::with(CKM_AES_GCM, &mut parameter), key).unwrap();
        length = 39;
        assert_eq!(call!(C_Decrypt(session.0, start, 56, start, &raw mut length)), CKR_BUFFER_TOO_SMALL);
        assert_eq!(length, 40);
        assert_eq!(call!(C_Decrypt(session.0, start, 56, start, &raw mut length)), CKR_OK);
        assert_eq!((length, &memory[..40]), (40, &[0x11; 40][..]));
    });
}

/// PKCS#11 3.2 section 5.9.1 and 6.10: keys, usage, parameters and lengths that do not fit.
#[test]
fn what_ciphers_refuse() {
    isolated(|| {
        let session = hsm();
        let key = session.create(&aes_value(&[7; 32])).unwrap();
        let idle = session.create(&plain_aes_value(&[7; 32])).unwrap();
        let generic = session.create(&generic_value(&[7; 32])).unwrap();
        let ecb = || Mechanism::new(CKM_AES_ECB);
        for way in [Way::Encrypt, Way::Decrypt] {
            assert_eq!(session.begin(way, &mut ecb(), idle), code(CKR_KEY_FUNCTION_NOT_PERMITTED));
            let other = session.begin(way, &mut ecb(), generic);
            assert!(matches!(other, Err(Rv(CKR_KEY_TYPE_INCONSISTENT | CKR_KEY_FUNCTION_NOT_PERMITTED))), "{other:?}");
            assert_eq!(session.begin(way, &mut ecb(), 0), code(CKR_KEY_HANDLE_INVALID));
            for unfit in [CKM_SHA256, CKM_ECDSA, CKM_AES_KEY_GEN, CKM_AES_CMAC, 0x7777_7777, CK_ULONG::MAX] {
                let begun = session.begin(way, &mut Mechanism::new(unfit), key);
                assert_eq!(begun, code(CKR_MECHANISM_INVALID), "{unfit:#x}");
            }
            let null = match way {
                Way::Encrypt => call!(C_EncryptInit(session.0, ptr::null_mut(), key)),
                Way::Decrypt => call!(C_DecryptInit(session.0, ptr::null_mut(), key)),
            };
            assert_eq!(answer(null), code(CKR_ARGUMENTS_BAD));
            for mechanism in [CKM_AES_CBC, CKM_AES_CBC_PAD] {
                for length in [0, 1, 15, 17, 32] {
                    let begun = session.begin(way, &mut Mechanism::bytes(mechanism, &vec![0; length]), key);
                    assert_eq!(begun, code(CKR_MECHANISM_PARAM_INVALID), "an IV of {length}");
                }
            }
            assert_eq!(
                session.begin(way, &mut Mechanism::bytes(CKM_AES_ECB, &[1; 16]), key),
                code(CKR_MECHANISM_PARAM_INVALID)
            );
            for bits in [0, 129, CK_ULONG::MAX] {
                let mut parameter = ctr_parameter(bits, &hex(IV));
                let begun = session.begin(way, &mut Mechanism::with(CKM_AES_CTR, &mut parameter), key);
                assert_eq!(begun, code(CKR_MECHANISM_PARAM_INVALID), "a counter of {bits} bits");
            }
            for mechanism in [CKM_AES_CTR, CKM_AES_GCM, CKM_CLOUDHSM_AES_GCM] {
                let mut parameter = [0_u64; 6];
                for length in [0, 1, 8, 23, 25, 39, 41, 47, 49, CK_ULONG::MAX] {
                    let mut wrong = Mechanism::with(mechanism, &mut parameter).length(length);
                    assert_eq!(
                        session.begin(way, &mut wrong, key),
                        code(CKR_MECHANISM_PARAM_INVALID),
                        "{mechanism:#x}: {length}"
                    );
                }
                let mut null = Mechanism::new(mechanism).length(48);
                assert_eq!(session.begin(way, &mut null, key), code(CKR_MECHANISM_PARAM_INVALID));
            }
        }
        // Lengths: no whole blocks; ciphertext that is none; padding that is none.
        let cbc = |mechanism| Mechanism::bytes(mechanism, &hex(IV));
        for length in [1, 15, 17] {
            let data = vec![0; length];
            assert_eq!(session.encrypt(&mut ecb(), key, &data), code(CKR_DATA_LEN_RANGE));
            assert_eq!(session.encrypt(&mut cbc(CKM_AES_CBC), key, &data), code(CKR_DATA_LEN_RANGE));
            assert_eq!(session.decrypt(&mut ecb(), key, &data), code(CKR_ENCRYPTED_DATA_LEN_RANGE));
            assert_eq!(session.decrypt(&mut cbc(CKM_AES_CBC), key, &data), code(CKR_ENCRYPTED_DATA_LEN_RANGE));
            assert_eq!(session.decrypt(&mut cbc(CKM_AES_CBC_PAD), key, &data), code(CKR_ENCRYPTED_DATA_LEN_RANGE));
        }
        assert_eq!(session.decrypt(&mut cbc(CKM_AES_CBC_PAD), key, &[]), code(CKR_ENCRYPTED_DATA_LEN_RANGE));
        // A52: every bad padding is one code.
        let block = session.encrypt(&mut ecb(), key, &[0xff; 16]).unwrap();
        let two = [[0; 16].to_vec(), block].concat();
        assert_eq!(session.decrypt(&mut cbc(CKM_AES_CBC_PAD), key, &two), code(CKR_ENCRYPTED_DATA_INVALID));
        // The parts of a message that does not end at a block.
        session.begin(Way::Encrypt, &mut cbc(CKM_AES_CBC), key).unwrap();
        session.update_into(Way::Encrypt, &[0; 17], 64).unwrap();
        assert_eq!(session.final_into(Way::Encrypt, 64), code(CKR_DATA_LEN_RANGE));
        assert_eq!(session.final_into(Way::Encrypt, 64), code(CKR_OPERATION_NOT_INITIALIZED), "an error ends it");
        session.begin(Way::Decrypt, &mut cbc(CKM_AES_CBC), key).unwrap();
        session.update_into(Way::Decrypt, &[0; 17], 64).unwrap();
        assert_eq!(session.final_into(Way::Decrypt, 64), code(CKR_ENCRYPTED_DATA_LEN_RANGE));
    });
}

/// PKCS#11 3.2 section 5.9: the calls and their order.
#[test]
fn the_order_of_calls() {
    isolated(|| {
        let session = hsm();
        let key = session.create(&aes_value(&[7; 32])).unwrap();
        let ecb = || Mechanism::new(CKM_AES_ECB);
        for way in [Way::Encrypt, Way::Decrypt] {
            let none = code(CKR_OPERATION_NOT_INITIALIZED);
            assert_eq!(session.once_into(way, &[0; 16], 64), none);
            assert_eq!(session.update_into(way, &[0; 16], 64), none);
            assert_eq!(session.final_into(way, 64), none);
            session.begin(way, &mut ecb(), key).unwrap();
            assert_eq!(session.begin(way, &mut ecb(), key), code(CKR_OPERATION_ACTIVE));
            session.once_into(way, &[0; 16], 64).expect("a second Init does not end the operation");
            session.begin(way, &mut ecb(), key).unwrap();
            session.update_into(way, &[0; 16], 64).unwrap();
            let mixed = session.once_into(way, &[0; 16], 64);
            assert!(matches!(mixed, Err(Rv(CKR_OPERATION_ACTIVE | CKR_OPERATION_NOT_INITIALIZED))), "{mixed:?}");
            if session.begin(way, &mut ecb(), key).is_ok() {
                session.once_into(way, &[0; 16], 64).unwrap();
            } else {
                session.final_into(way, 64).unwrap();
            }
        }
        // One of each kind at a time, and two ciphers at once in one session (section 4.4).
        session.begin(Way::Encrypt, &mut ecb(), key).unwrap();
        session.begin(Way::Decrypt, &mut ecb(), key).unwrap();
        session.digest_init(CKM_SHA256).unwrap();
        let cipher = session.once_into(Way::Encrypt, &[1; 16], 16).unwrap();
        assert_eq!(session.once_into(Way::Decrypt, &cipher, 16).unwrap(), [1; 16]);
        session.digest_into(b"abc", 32).unwrap();
        // A NULL length, and NULL data with a length.
        session.begin(Way::Encrypt, &mut ecb(), key).unwrap();
        let mut data = [0; 16];
        let rv = call!(C_Encrypt(session.0, data.as_mut_ptr(), 16, data.as_mut_ptr(), ptr::null_mut()));
        assert_eq!(answer(rv), code(CKR_ARGUMENTS_BAD));
    });
}

/// "If an attempt to encrypt/decrypt is made which will cause an overflow of the counter block's counter bits, then the mechanism
/// shall return CKR_DATA_LEN_RANGE ... E.g. if ulCounterBits = 2 and the counter bits start as 1 then only 3 blocks of data can be
/// processed" (PKCS#11 3.2, "AES with Counter"). The key stream is that of AES-ECB over the counter blocks, one by one. A counter of
/// all 128 bits goes on at zero (SP 800-38A, appendix B.1), as Java's and OpenSSL's do.
fn counters_end() {
    let session = hsm();
    let key = session.create(&aes_value(&hex(KEY))).unwrap();
    let stream = |first: u128, bits: u32, count: usize| {
        let mask = u128::MAX >> (128 - bits);
        let block = |at: usize| ((first & !mask) | (first.wrapping_add(at as u128) & mask)).to_be_bytes();
        let blocks: Vec<u8> = (0..count).flat_map(block).collect();
        session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &blocks).unwrap()
    };
    for bits in 1..=128_u32 {
        let mask = u128::MAX >> (128 - bits);
        let nonce = u128::from_be_bytes([0x5A; 16]) & !mask;
        for left in [1_usize, 2, 3, 4].into_iter().filter(|left| (*left as u128 - 1) <= mask) {
            let first = nonce | (mask - (left as u128 - 1));
            let over = if bits == 128 { Ok(()) } else { code(CKR_DATA_LEN_RANGE) };
            for way in [Way::Encrypt, Way::Decrypt] {
                let mut parameter = ctr_parameter(CK_ULONG::from(bits), &first.to_be_bytes());
                let mut begin = || session.begin(way, &mut Mechanism::with(CKM_AES_CTR, &mut parameter), key).unwrap();
                begin();
                // Of zeros it is the key stream itself.
                let whole = session.once_into(way, &vec![0; 16 * left], 16 * left).unwrap();
                assert_eq!(whole, stream(first, bits, left), "{bits} bits, {left} blocks");
                begin();
                let more = session.once_into(way, &vec![0; 16 * left + 1], 16 * left + 1);
                assert_eq!(more.map(drop), over, "{bits} bits, a byte more than {left} blocks");
                for part in [16 * left - 1, 16 * left] {
                    begin();
                    session.update_into(way, &vec![0; part], part).unwrap();
                    let more = session.update_into(way, &vec![0; 16 * left - part + 1], 17);
                    assert_eq!(more.map(drop), over, "{bits} bits, a byte more than {left} blocks in parts");
                    if bits == 128 {
                        session.final_into(way, 0).unwrap();
                    }
                }
            }
        }
    }
}

#[test]
fn a_counter_ends_at_its_last_value() {
    isolated(|| {
        counters_end();
    });
}

#[test]
fn a_counter_ends_at_its_last_value_in_standard() {
    isolated_standard(|| {
        counters_end();
    });
}

/// Nothing comes out of AES-GCM before the tag, so what is decrypted in parts is kept: up to a bound, which is ours
/// (docs/open-points.md) and holds before a part is read. C_DecryptUpdate may give CKR_DEVICE_MEMORY (PKCS#11 3.2, section 5.10.3).
#[test]
fn decryption_in_parts_is_bounded() {
    isolated_standard(|| {
        let session = hsm();
        let key = session.create(&aes_value(&hex(KEY))).unwrap();
        let (mut iv, mut none) = ([1; 12], []);
        let mut parameter = gcm(&mut iv, &mut none, 128);
        let mut begin = || session.begin(Way::Decrypt, &mut Mechanism::with(CKM_AES_GCM, &mut parameter), key).unwrap();
        let update = |part: &mut [u8]| {
            let (mut room, mut length) = ([0; 1], 0);
            Rv(call!(C_DecryptUpdate(
                session.0,
                part.as_mut_ptr(),
                part.len() as CK_ULONG,
                room.as_mut_ptr(),
                &raw mut length
            )))
        };
        // 256 MiB and a byte, never read.
        let mut large = vec![0; (256 << 20) + 1];
        begin();
        assert_eq!(update(&mut large), Rv(CKR_DEVICE_MEMORY));
        assert_eq!(
            session.final_into(Way::Decrypt, 16),
            code(CKR_OPERATION_NOT_INITIALIZED),
            "the operation has ended"
        );
        begin();
        let mut part = vec![0; 32 << 20];
        for _ in 0..8 {
            assert_eq!(update(&mut part), Rv(CKR_OK));
        }
        assert_eq!(update(&mut part[..1]), Rv(CKR_DEVICE_MEMORY));
    });
}
