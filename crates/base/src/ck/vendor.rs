//! CloudHSM's vendor-defined names (AWS's `cloudhsm_pkcs11_vendor_defs.h`).
//!
//! Numbers that AWS has published stand without a mark. The others exist only in the header inside AWS's
//! package; those are marked "ours", follow the pattern "vendor bit OR the standard's number", and are listed
//! in the table of open points in the docs.

use super::{
    CK_ATTRIBUTE_TYPE, CK_EC_KDF_TYPE, CK_KEY_TYPE, CK_MECHANISM_TYPE, CK_ULONG, CKA_VENDOR_DEFINED,
    CKK_VENDOR_DEFINED, CKM_VENDOR_DEFINED,
};

/// AES-GCM whose output carries the IV in front of the ciphertext; the HSM makes the IV.
pub const CKM_CLOUDHSM_AES_GCM: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x1087;
/// SP 800-108 KDF in counter mode, with CloudHSM's structure of three fields.
pub const CKM_CLOUDHSM_SP800_108_COUNTER_KDF: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x1;
/// AES key wrap without padding (RFC 3394).
pub const CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x2109;
/// AES key wrap of a key padded as PKCS#5 pads.
pub const CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x210A;
/// AES key wrap with padding (RFC 5649).
pub const CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x216F;
/// Ed25519 and Ed25519ph (number ours).
pub const CKM_CLOUDHSM_EDDSA: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x1057;
/// ML-DSA key pairs (number ours).
pub const CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x1C;
/// ML-DSA (number ours).
pub const CKM_CLOUDHSM_ML_DSA: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x1D;
/// ML-DSA over the caller's mu (number ours).
pub const CKM_CLOUDHSM_EXT_MU_ML_DSA: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x1E;
/// ML-DSA keys (number ours).
pub const CKK_CLOUDHSM_ML_DSA: CK_KEY_TYPE = CKK_VENDOR_DEFINED | 0x4A;
/// The parameter set of an ML-DSA key (number ours).
pub const CKA_CLOUDHSM_PARAMETER_SET: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED | 0x61D;
/// Values of [`CKA_CLOUDHSM_PARAMETER_SET`] (number ours).
pub const CKP_CLOUDHSM_ML_DSA_44: CK_ULONG = 0x8000_0001;
/// See [`CKP_CLOUDHSM_ML_DSA_44`] (number ours).
pub const CKP_CLOUDHSM_ML_DSA_65: CK_ULONG = 0x8000_0002;
/// See [`CKP_CLOUDHSM_ML_DSA_44`] (number ours).
pub const CKP_CLOUDHSM_ML_DSA_87: CK_ULONG = 0x8000_0003;
/// X9.63's key derivation with SHA-1 (number ours).
pub const CKD_CLOUDHSM_X963_SHA1_KDF: CK_EC_KDF_TYPE = 0x8000_0002;
/// With SHA-224 (number ours).
pub const CKD_CLOUDHSM_X963_SHA224_KDF: CK_EC_KDF_TYPE = 0x8000_0005;
/// With SHA-256 (number ours).
pub const CKD_CLOUDHSM_X963_SHA256_KDF: CK_EC_KDF_TYPE = 0x8000_0006;
/// With SHA-384 (number ours).
pub const CKD_CLOUDHSM_X963_SHA384_KDF: CK_EC_KDF_TYPE = 0x8000_0007;
/// With SHA-512 (number ours).
pub const CKD_CLOUDHSM_X963_SHA512_KDF: CK_EC_KDF_TYPE = 0x8000_0008;
