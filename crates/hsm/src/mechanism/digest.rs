//! SHA-1 and SHA-2: CKM_SHA_1, CKM_SHA224 ... (PKCS#11 3.2 section 6.20 and following).

use super::Serves;

/// What every digest mechanism serves.
pub(super) const fn serves() -> Serves {
    Serves { digest: true, ..Serves::NOTHING }
}
