//! How long the values of a template may be. The limits on sessions, users and keys: `sessions.rs`, and the unit tests
//! of the module, which can fill a store.

use crate::support::*;

/// User Guide: a label has up to 127 characters; an ID any length within reason.
#[test]
fn labels_have_up_to_127_characters() {
    isolated(|| {
        let session = hsm();
        let long = |count: usize| aes().label(&"x".repeat(count));
        let key = session.generate(CKM_AES_KEY_GEN, &long(127)).unwrap();
        assert_eq!(session.read(key, CKA_LABEL).unwrap().len(), 127);
        assert_eq!(session.generate(CKM_AES_KEY_GEN, &long(128)), code(CKR_ATTRIBUTE_VALUE_INVALID));
        assert_eq!(session.set(key, &Template::new().label(&"y".repeat(128))), code(CKR_ATTRIBUTE_VALUE_INVALID));
        session.generate(CKM_AES_KEY_GEN, &long(126)).unwrap();
        // Characters, not bytes; what is no UTF-8 is no label (RFC 2279).
        for character in ["ü", "鍵", "🔑"] {
            let key = session.generate(CKM_AES_KEY_GEN, &aes().label(&character.repeat(127))).unwrap();
            assert_eq!(session.read(key, CKA_LABEL).unwrap(), character.repeat(127).as_bytes());
            let more = session.generate(CKM_AES_KEY_GEN, &aes().label(&character.repeat(128)));
            assert_eq!(more, code(CKR_ATTRIBUTE_VALUE_INVALID));
        }
        assert_eq!(
            session.generate(CKM_AES_KEY_GEN, &aes().bytes(CKA_LABEL, &[0xff, 0xfe])),
            code(CKR_ATTRIBUTE_VALUE_INVALID)
        );
        let empty = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
        assert_eq!(session.read(empty, CKA_LABEL), Ok(vec![]));
        assert_eq!(session.read(empty, CKA_ID), Ok(vec![]));
    });
}

/// AWS gives no limit for the ID of a key; ours is that of any value, 256 KiB, so that nobody can fill the memory.
#[test]
fn ids_have_up_to_256_kib() {
    isolated(|| {
        let session = hsm();
        for length in [1, 128, 129, 65_536, 262_144] {
            let id: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let template = aes().bytes(CKA_ID, &id).flag(CKA_TOKEN, true);
            let key = session.generate(CKM_AES_KEY_GEN, &template).unwrap();
            assert_eq!(session.read(key, CKA_ID).unwrap(), id);
            assert_eq!(session.find(&Template::new().bytes(CKA_ID, &id)), Ok(vec![key]));
        }
        let longer = aes().bytes(CKA_ID, &vec![0; 262_145]);
        assert_eq!(session.generate(CKM_AES_KEY_GEN, &longer), code(CKR_ATTRIBUTE_VALUE_INVALID));
    });
}
