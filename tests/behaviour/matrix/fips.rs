//! What FIPS mode refuses beyond the columns of the table: digests weaker than the curve, and pairs on edwards25519.

use super::functions::{Caller, Function};
use super::keys::Kind;
use super::report::Report;
use super::table::Setting;
use crate::support::*;

/// User Guide, ki-all: since 5.16 an HSM in FIPS mode refuses ("invalid mechanism") to sign with a digest that is weaker
/// than the key, unless the client is configured to allow it; not outside FIPS mode. Verification is not held back (ours).
///
/// A digest is weaker than the key if it is shorter than the curve's field; P-521 is matched by SHA-512 (inferred).
pub(super) fn weak_hashes(report: &mut Report, caller: &Caller<'_>, setting: Setting, switch: bool) {
    let session = caller.keys.session;
    let hashes = [
        (CKM_ECDSA_SHA1, 160),
        (CKM_ECDSA_SHA224, 224),
        (CKM_ECDSA_SHA256, 256),
        (CKM_ECDSA_SHA384, 384),
        (CKM_ECDSA_SHA512, 512),
    ];
    for (curve, bits) in [(P224, 224), (P256, 256), (K256, 256), (P384, 384), (P521, 512)] {
        let (public, private) = session
            .generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(curve), &ec_private())
            .expect("a pair on a curve of AWS's list");
        for (mechanism, length) in hashes {
            let refused = setting.fips && !switch && length < bits;
            let expected = if refused { CKR_MECHANISM_INVALID } else { CKR_OK };
            for (function, key, expected) in [(Function::Sign, private, expected), (Function::Verify, public, CKR_OK)] {
                let mut mechanism = Mechanism::new(mechanism);
                let rv = caller.call_for(Kind::Ec, function, &mut mechanism, key, &mut caller.extra());
                let what =
                    format!("{function:?}Init with a digest of {length} bits and a field of {bits}, switch {switch}");
                report.expect_code("weak hash", what, expected, rv);
            }
        }
    }
}

/// Ed25519 is not for FIPS mode (User Guide, pkcs11-key-types); the code is the standard's for a curve that is not
/// supported (PKCS#11 3.2, section 6.3.3), which one it is in FIPS mode is ours.
pub(super) fn edwards_pairs(report: &mut Report, caller: &Caller<'_>, setting: Setting) {
    let session = caller.session();
    // In `standard` the curve has a generator of its own: "Attempts to generate keys over these curves using any other EC key
    // pair generation mechanism will fail with CKR_CURVE_NOT_SUPPORTED" (3.2, 6.3.9).
    let refused = setting.fips || setting.is_standard();
    let expected = if refused { CKR_CURVE_NOT_SUPPORTED } else { CKR_OK };
    let made = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(EDWARDS25519), &ec_private());
    let rv = made.map_or_else(|rv| rv, |_| Rv(CKR_OK));
    report.expect_code("edwards25519", "C_GenerateKeyPair by CKM_EC_KEY_PAIR_GEN", expected, rv);
}
