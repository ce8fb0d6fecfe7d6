//! CloudHSM's numbers as a client has them: those of include/cloudhsm_pkcs11_vendor_defs.h, not those of the library.

use crate::support::*;

pub(super) const CKM_CLOUDHSM_SP800_108_COUNTER_KDF: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x0000_0001;
pub(super) const CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x0000_210A;
pub(super) const CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x0000_001C;
pub(super) const CKK_CLOUDHSM_ML_DSA: CK_KEY_TYPE = CKK_VENDOR_DEFINED | 0x0000_004A;
pub(super) const CKA_CLOUDHSM_PARAMETER_SET: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED | 0x0000_061D;
pub(super) const CKP_CLOUDHSM_ML_DSA_44: CK_ULONG = 0x8000_0001;
