//! The files of the crate whose algorithm no profile serves: the table, file by file, with the reason.

use crate::support::*;

/// Files that are left out for one reason.
struct Unserved {
    /// Not served: what.
    what: &'static str,
    /// The mechanism by which PKCS#11 would serve it, if it has one: the day it is served, these files need a runner.
    mechanism: Option<CK_MECHANISM_TYPE>,
    files: &'static [&'static str],
}

static UNSERVED: &[Unserved] = &[
    Unserved {
        what: "AES in modes that are not served here",
        mechanism: None,
        files: &["a128cbc_hs256", "a192cbc_hs384", "a256cbc_hs512", "aead_aes_siv_cmac", "aes_eax", "aes_gcm_siv"],
    },
    Unserved { what: "AES-CCM", mechanism: Some(CKM_AES_CCM), files: &["aes_ccm"] },
    Unserved { what: "AES-GMAC", mechanism: Some(CKM_AES_GMAC), files: &["aes_gmac"] },
    Unserved { what: "AES-XTS", mechanism: Some(CKM_AES_XTS), files: &["aes_xts"] },
    Unserved {
        what: "format-preserving encryption",
        mechanism: None,
        files: &[
            "aes_ff1_base10",
            "aes_ff1_base16",
            "aes_ff1_base26",
            "aes_ff1_base32",
            "aes_ff1_base36",
            "aes_ff1_base45",
            "aes_ff1_base62",
            "aes_ff1_base64",
            "aes_ff1_base85",
            "aes_ff1_radix10",
            "aes_ff1_radix16",
            "aes_ff1_radix255",
            "aes_ff1_radix256",
            "aes_ff1_radix26",
            "aes_ff1_radix32",
            "aes_ff1_radix36",
            "aes_ff1_radix45",
            "aes_ff1_radix62",
            "aes_ff1_radix64",
            "aes_ff1_radix65535",
            "aes_ff1_radix65536",
            "aes_ff1_radix85",
        ],
    },
    Unserved {
        what: "AEGIS, Ascon and MORUS",
        mechanism: None,
        files: &[
            "aegis128",
            "aegis128L",
            "aegis256",
            "ascon128",
            "ascon128a",
            "ascon80pq",
            "ascon_sp800_232_aead128",
            "morus1280",
            "morus640",
        ],
    },
    Unserved {
        what: "ARIA",
        mechanism: Some(CKM_ARIA_CBC),
        files: &["aria_cbc_pkcs5", "aria_ccm", "aria_cmac", "aria_gcm", "aria_kwp", "aria_wrap"],
    },
    Unserved {
        what: "Camellia",
        mechanism: Some(CKM_CAMELLIA_CBC),
        files: &["camellia_cbc_pkcs5", "camellia_ccm", "camellia_cmac", "camellia_wrap"],
    },
    Unserved { what: "SEED", mechanism: Some(CKM_SEED_CBC), files: &["seed_ccm", "seed_gcm", "seed_wrap"] },
    Unserved { what: "SM4", mechanism: None, files: &["sm4_ccm", "sm4_gcm"] },
    Unserved {
        what: "ChaCha20 with Poly1305",
        mechanism: Some(CKM_CHACHA20_POLY1305),
        files: &["chacha20_poly1305", "xchacha20_poly1305"],
    },
    Unserved {
        what: "chunked encryption, which is a protocol",
        mechanism: None,
        files: &["c2sp_chunked_encryption_aes_128_gcm", "c2sp_chunked_encryption_aes_256_gcm"],
    },
    Unserved {
        what: "DSA",
        mechanism: Some(CKM_DSA),
        files: &[
            "dsa_2048_224_sha224",
            "dsa_2048_224_sha224_p1363",
            "dsa_2048_224_sha256",
            "dsa_2048_224_sha256_p1363",
            "dsa_2048_256_sha256",
            "dsa_2048_256_sha256_p1363",
            "dsa_3072_256_sha256",
            "dsa_3072_256_sha256_p1363",
        ],
    },
    Unserved { what: "a table of curves, without an operation", mechanism: None, files: &["ec_prime_order_curves"] },
    Unserved { what: "numbers and primes, without an operation", mechanism: None, files: &["primality"] },
    Unserved {
        what: "Brainpool curves",
        mechanism: None,
        files: &[
            "ecdh_brainpoolP224r1",
            "ecdh_brainpoolP256r1",
            "ecdh_brainpoolP320r1",
            "ecdh_brainpoolP384r1",
            "ecdh_brainpoolP512r1",
            "ecdsa_brainpoolP224r1_sha224",
            "ecdsa_brainpoolP224r1_sha224_p1363",
            "ecdsa_brainpoolP224r1_sha3_224",
            "ecdsa_brainpoolP256r1_sha256",
            "ecdsa_brainpoolP256r1_sha256_p1363",
            "ecdsa_brainpoolP256r1_sha3_256",
            "ecdsa_brainpoolP320r1_sha384",
            "ecdsa_brainpoolP320r1_sha384_p1363",
            "ecdsa_brainpoolP320r1_sha3_384",
            "ecdsa_brainpoolP384r1_sha384",
            "ecdsa_brainpoolP384r1_sha384_p1363",
            "ecdsa_brainpoolP384r1_sha3_384",
            "ecdsa_brainpoolP512r1_sha3_512",
            "ecdsa_brainpoolP512r1_sha512",
            "ecdsa_brainpoolP512r1_sha512_p1363",
        ],
    },
    Unserved {
        what: "curves of 160 and 192 bits, and secp224k1",
        mechanism: None,
        files: &[
            "ecdsa_secp160k1_sha256",
            "ecdsa_secp160k1_sha256_p1363",
            "ecdsa_secp160r1_sha256",
            "ecdsa_secp160r1_sha256_p1363",
            "ecdsa_secp160r2_sha256",
            "ecdsa_secp160r2_sha256_p1363",
            "ecdsa_secp192k1_sha256",
            "ecdsa_secp192k1_sha256_p1363",
            "ecdsa_secp192r1_sha256",
            "ecdsa_secp192r1_sha256_p1363",
            "ecdsa_secp224k1_sha224",
            "ecdsa_secp224k1_sha224_p1363",
            "ecdsa_secp224k1_sha256",
            "ecdsa_secp224k1_sha256_p1363",
        ],
    },
    Unserved {
        what: "ECDSA with SHA-3",
        mechanism: Some(CKM_ECDSA_SHA3_256),
        files: &[
            "ecdsa_secp224r1_sha3_224",
            "ecdsa_secp224r1_sha3_256",
            "ecdsa_secp224r1_sha3_512",
            "ecdsa_secp256k1_sha3_256",
            "ecdsa_secp256k1_sha3_512",
            "ecdsa_secp256r1_sha3_256",
            "ecdsa_secp256r1_sha3_512",
            "ecdsa_secp384r1_sha3_384",
            "ecdsa_secp384r1_sha3_512",
            "ecdsa_secp521r1_sha3_512",
        ],
    },
    Unserved {
        what: "ECDSA with SHAKE",
        mechanism: None,
        files: &[
            "ecdsa_secp224r1_shake128",
            "ecdsa_secp224r1_shake128_p1363",
            "ecdsa_secp256k1_shake128",
            "ecdsa_secp256k1_shake128_p1363",
            "ecdsa_secp256k1_shake256",
            "ecdsa_secp256k1_shake256_p1363",
            "ecdsa_secp256r1_shake128",
            "ecdsa_secp256r1_shake128_p1363",
            "ecdsa_secp384r1_shake256",
            "ecdsa_secp384r1_shake256_p1363",
            "ecdsa_secp521r1_shake256",
            "ecdsa_secp521r1_shake256_p1363",
        ],
    },
    Unserved { what: "Ed448", mechanism: None, files: &["ed448"] },
    Unserved { what: "X25519 and X448", mechanism: Some(CKM_EC_MONTGOMERY_KEY_PAIR_GEN), files: &["x25519", "x448"] },
    Unserved {
        what: "HKDF",
        mechanism: Some(CKM_HKDF_DERIVE),
        files: &["hkdf_sha1", "hkdf_sha256", "hkdf_sha384", "hkdf_sha512"],
    },
    Unserved {
        what: "HMAC with SHA-3",
        mechanism: Some(CKM_SHA3_256_HMAC),
        files: &["hmac_sha3_224", "hmac_sha3_256", "hmac_sha3_384", "hmac_sha3_512"],
    },
    Unserved { what: "HMAC with SHA-512/224", mechanism: Some(CKM_SHA512_224_HMAC), files: &["hmac_sha512_224"] },
    Unserved { what: "HMAC with SHA-512/256", mechanism: Some(CKM_SHA512_256_HMAC), files: &["hmac_sha512_256"] },
    Unserved { what: "HMAC with SM3", mechanism: None, files: &["hmac_sm3"] },
    Unserved {
        what: "KMAC, SipHash and VMAC",
        mechanism: None,
        files: &[
            "kmac128_no_customization",
            "kmac256_no_customization",
            "siphash_1_3",
            "siphash_2_4",
            "siphash_4_8",
            "siphashx_2_4",
            "siphashx_4_8",
            "vmac_128",
            "vmac_64",
        ],
    },
    Unserved {
        what: "ML-KEM",
        mechanism: Some(CKM_ML_KEM),
        files: &[
            "mlkem_1024",
            "mlkem_1024_encaps",
            "mlkem_1024_keygen_seed",
            "mlkem_1024_semi_expanded_decaps",
            "mlkem_512",
            "mlkem_512_encaps",
            "mlkem_512_keygen_seed",
            "mlkem_512_semi_expanded_decaps",
            "mlkem_768",
            "mlkem_768_encaps",
            "mlkem_768_keygen_seed",
            "mlkem_768_semi_expanded_decaps",
        ],
    },
    Unserved {
        what: "encryption with a password",
        mechanism: None,
        files: &[
            "pbes2_hmacsha1_aes_128",
            "pbes2_hmacsha1_aes_192",
            "pbes2_hmacsha1_aes_256",
            "pbes2_hmacsha224_aes_128",
            "pbes2_hmacsha224_aes_192",
            "pbes2_hmacsha224_aes_256",
            "pbes2_hmacsha256_aes_128",
            "pbes2_hmacsha256_aes_192",
            "pbes2_hmacsha256_aes_256",
            "pbes2_hmacsha384_aes_128",
            "pbes2_hmacsha384_aes_192",
            "pbes2_hmacsha384_aes_256",
            "pbes2_hmacsha512_aes_128",
            "pbes2_hmacsha512_aes_192",
            "pbes2_hmacsha512_aes_256",
        ],
    },
    Unserved {
        what: "PBKDF2",
        mechanism: Some(CKM_PKCS5_PBKD2),
        files: &["pbkdf2_hmacsha1", "pbkdf2_hmacsha224", "pbkdf2_hmacsha256", "pbkdf2_hmacsha384", "pbkdf2_hmacsha512"],
    },
    Unserved {
        what: "RSA signatures with SHA-3",
        mechanism: Some(CKM_SHA3_256_RSA_PKCS),
        files: &[
            "rsa_signature_2048_sha3_224",
            "rsa_signature_2048_sha3_256",
            "rsa_signature_2048_sha3_384",
            "rsa_signature_2048_sha3_512",
            "rsa_signature_3072_sha3_256",
            "rsa_signature_3072_sha3_384",
            "rsa_signature_3072_sha3_512",
        ],
    },
    Unserved {
        what: "RSA signatures and encryption with SHA-512/224 and SHA-512/256",
        mechanism: Some(CKM_SHA512_256),
        files: &[
            "rsa_oaep_2048_sha512_224_mgf1sha1",
            "rsa_oaep_2048_sha512_224_mgf1sha512_224",
            "rsa_oaep_3072_sha512_256_mgf1sha1",
            "rsa_oaep_3072_sha512_256_mgf1sha512_256",
            "rsa_pss_2048_sha512_224_mgf1_28",
            "rsa_pss_2048_sha512_256_mgf1_32",
            "rsa_signature_2048_sha512_224",
            "rsa_signature_2048_sha512_256",
            "rsa_signature_3072_sha512_256",
            "rsa_signature_4096_sha512_256",
        ],
    },
    Unserved {
        what: "RSA-PSS with SHAKE",
        mechanism: None,
        files: &[
            "rsa_pss_2048_shake128",
            "rsa_pss_2048_shake256",
            "rsa_pss_3072_shake128",
            "rsa_pss_3072_shake256",
            "rsa_pss_4096_shake256",
        ],
    },
];

/// All these files.
pub(super) fn files() -> impl Iterator<Item = &'static str> {
    UNSERVED.iter().flat_map(|reason| reason.files).copied()
}

/// C_GetMechanismInfo says of each that it is not there.
fn check() {
    initialize().unwrap();
    let mut information = CK_MECHANISM_INFO::default();
    assert_eq!(call!(C_GetMechanismInfo(SLOT, CKM_AES_GCM, &raw mut information)), CKR_OK, "the question works");
    for Unserved { what, mechanism, .. } in UNSERVED {
        if let Some(mechanism) = mechanism {
            let rv = call!(C_GetMechanismInfo(SLOT, *mechanism, &raw mut information));
            assert_eq!(Rv(rv), Rv(CKR_MECHANISM_INVALID), "{what} is served, so its files need a runner");
        }
    }
}

#[test]
fn not_in_cloudhsm() {
    isolated(|| {
        check();
    });
}

#[test]
fn not_in_standard() {
    isolated_standard(|| {
        check();
    });
}
