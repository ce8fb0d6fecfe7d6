//! C_Digest.

use super::{exactly, message, parts, splits, told_and_too_small, whole_rule};
use crate::signatures::DIGESTS;
use crate::support::*;

#[test]
fn digests_in_every_split() {
    isolated(|| {
        initialize().unwrap();
        let session = Session::open();
        let message = message(65);
        for mechanism in DIGESTS {
            let whole = session.digest(mechanism, &message).unwrap();
            let need = whole.len();
            let what = format!("{mechanism:#x}");
            let mut data = message.clone();
            let start = data.as_mut_ptr();
            session.digest_init(mechanism).unwrap();
            let once =
                whole_rule(&what, need, 0, &mut |buffer, length| call!(C_Digest(session.0, start, 65, buffer, length)));
            assert_eq!(once, whole, "{what}");
            assert_eq!(session.digest_into(&message, 64), code(CKR_OPERATION_NOT_INITIALIZED));
            // The digest may be written over the message.
            session.digest_init(mechanism).unwrap();
            let mut length = 65;
            assert_eq!(call!(C_Digest(session.0, start, 65, start, &raw mut length)), CKR_OK);
            assert_eq!(&data[..length as usize], whole);
            for lengths in splits(65) {
                let what = format!("{what} in {lengths:?}");
                session.digest_init(mechanism).unwrap();
                let mut end = |buffer, length| call!(C_DigestFinal(session.0, buffer, length));
                for part in parts(&message, &lengths) {
                    // A question in between ends nothing.
                    told_and_too_small(&what, need, 0, &mut end);
                    let mut part = part.to_vec();
                    assert_eq!(call!(C_DigestUpdate(session.0, part.as_mut_ptr(), part.len() as CK_ULONG)), CKR_OK);
                }
                told_and_too_small(&what, need, 0, &mut end);
                assert_eq!(exactly(&what, need, &mut end), whole, "{what}");
                let mut length = 64;
                let again = call!(C_DigestFinal(session.0, [0; 64].as_mut_ptr(), &raw mut length));
                assert_eq!(Rv(again), Rv(CKR_OPERATION_NOT_INITIALIZED));
            }
            // Without any part: the empty message.
            session.digest_init(mechanism).unwrap();
            let empty = into_buffer(64, |buffer, length| call!(C_DigestFinal(session.0, buffer, length)));
            assert_eq!(empty, session.digest(mechanism, b""), "{what}");
        }
        session.digest_init(CKM_SHA256).unwrap();
        assert_eq!(session.digest_init(CKM_SHA256), code(CKR_OPERATION_ACTIVE));
    });
}
