//! CloudHSM's vendor-defined names (AWS's `cloudhsm_pkcs11_vendor_defs.h`).
//!
//! Numbers that AWS has published stand without a mark. The others exist only in the header inside AWS's
//! package; those are marked "ours", follow the pattern "vendor bit OR the standard's number", and are listed
//! in the table of open points in the docs.

use super::{CK_MECHANISM_TYPE, CKM_VENDOR_DEFINED};

/// AES-GCM whose output carries the IV in front of the ciphertext; the HSM makes the IV.
pub const CKM_CLOUDHSM_AES_GCM: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x1087;
