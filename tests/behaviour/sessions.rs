//! Slots, the token, sessions, and what belongs to the login of all sessions.

use std::ffi::c_void;
use std::ptr;

use crate::support::*;

fn token_info() -> CK_TOKEN_INFO {
    let mut information = CK_TOKEN_INFO::default();
    answer(call!(C_GetTokenInfo(SLOT, &raw mut information))).unwrap();
    information
}

/// krill#556 and libp11#412: the first slot is 0x2000000000000001. PKCS#11 3.2 section 5.5.1 for the list.
#[test]
fn one_slot_with_the_number_of_cloudhsm() {
    isolated(|| {
        initialize().unwrap();
        let mut count = 0;
        answer(call!(C_GetSlotList(CK_TRUE, ptr::null_mut(), &raw mut count))).unwrap();
        assert_eq!(count, 1);
        let mut slots = [0; 4];
        for present in [CK_TRUE, CK_FALSE] {
            count = 4;
            answer(call!(C_GetSlotList(present, slots.as_mut_ptr(), &raw mut count))).unwrap();
            assert_eq!((count, slots[0]), (1, SLOT));
        }
        count = 0;
        let small = answer(call!(C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), &raw mut count)));
        assert_eq!((small, count), (code(CKR_BUFFER_TOO_SMALL), 1));
        assert_eq!(answer(call!(C_GetSlotList(CK_TRUE, slots.as_mut_ptr(), ptr::null_mut()))), code(CKR_ARGUMENTS_BAD));
        let mut slot = CK_SLOT_INFO::default();
        answer(call!(C_GetSlotInfo(SLOT, &raw mut slot))).unwrap();
        assert_ne!(slot.flags & CKF_TOKEN_PRESENT, 0);
        assert_eq!(slot.flags & CKF_REMOVABLE_DEVICE, 0);
        for unknown in [0, 1, SLOT + 1, CK_ULONG::MAX] {
            assert_eq!(answer(call!(C_GetSlotInfo(unknown, &raw mut slot))), code(CKR_SLOT_ID_INVALID));
            let mut token = CK_TOKEN_INFO::default();
            assert_eq!(answer(call!(C_GetTokenInfo(unknown, &raw mut token))), code(CKR_SLOT_ID_INVALID));
            let open = answer(call!(C_OpenSession(unknown, CKF_SERIAL_SESSION, ptr::null_mut(), None, &raw mut count)));
            assert_eq!(open, code(CKR_SLOT_ID_INVALID));
            assert_eq!(answer(call!(C_CloseAllSessions(unknown))), code(CKR_SLOT_ID_INVALID));
        }
    });
}

/// PKCS#11 3.2 section 3.3: the flags of CK_TOKEN_INFO follow the state; the label is `hsm1`. The lock flags are never
/// set, since there are many users.
#[test]
fn token_information_follows_the_state() {
    isolated(|| {
        initialize().unwrap();
        let before = token_info();
        assert_eq!(&before.label, format!("{:32}", "hsm1").as_bytes());
        assert_eq!(&before.manufacturerID, format!("{:32}", "CloudHSM").as_bytes());
        assert_eq!(before.flags & (CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED), 0, "not activated");
        finalize().unwrap();
        hsm();
        let now = token_info();
        assert_eq!(&now.label, format!("{:32}", "hsm1").as_bytes());
        let expected = CKF_RNG | CKF_LOGIN_REQUIRED | CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED;
        assert_eq!(now.flags & expected, expected);
        assert_eq!(now.flags & (CKF_WRITE_PROTECTED | CKF_PROTECTED_AUTHENTICATION_PATH), 0);
        assert_eq!((now.ulMaxSessionCount, now.ulSessionCount), (1024, 1));
        assert_eq!(now.ulRwSessionCount, 1);
        Session::open_read_only();
        assert_eq!((token_info().ulSessionCount, token_info().ulRwSessionCount), (2, 1));
        for _ in 0..7 {
            Session::open().login("bob:wrong-password").unwrap_err();
        }
        let locked = CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED;
        assert_eq!(token_info().flags & locked, 0);
    });
}

/// User Guide, limits: 1,024 sessions for one application; PKCS#11 3.2 section 5.6.1 for the code.
#[test]
fn at_most_1024_sessions() {
    isolated(|| {
        initialize().unwrap();
        let sessions: Vec<_> = (0..1024).map(|_| Session::open()).collect();
        let serial = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        assert_eq!(Session::open_with(serial), code(CKR_SESSION_COUNT));
        sessions[500].close().unwrap();
        let last = Session::open();
        assert_ne!(last, sessions[500], "a handle is not used again at once");
        assert_eq!(Session::open_with(serial), code(CKR_SESSION_COUNT));
        assert_eq!(sessions[500].information().err(), Some(Rv(CKR_SESSION_HANDLE_INVALID)));
        answer(call!(C_CloseAllSessions(SLOT))).unwrap();
        for session in sessions {
            assert_eq!(session.information().err(), Some(Rv(CKR_SESSION_HANDLE_INVALID)));
        }
        assert_eq!(last.close(), code(CKR_SESSION_HANDLE_INVALID));
        Session::open();
    });
}

/// PKCS#11 3.2 section 5.6.1: without CKF_SERIAL_SESSION there is no session.
#[test]
fn flags_of_open_session() {
    isolated(|| {
        initialize().unwrap();
        assert_eq!(Session::open_with(0), code(CKR_SESSION_PARALLEL_NOT_SUPPORTED));
        assert_eq!(Session::open_with(CKF_RW_SESSION), code(CKR_SESSION_PARALLEL_NOT_SUPPORTED));
        let no_place = call!(C_OpenSession(SLOT, CKF_SERIAL_SESSION, ptr::null_mut(), None, ptr::null_mut()));
        assert_eq!(answer(no_place), code(CKR_ARGUMENTS_BAD));
    });
}

unsafe extern "C" fn notify(_: CK_SESSION_HANDLE, _: CK_NOTIFICATION, _: *mut c_void) -> CK_RV {
    CKR_OK
}

fn open_with_callback(application: *mut c_void, callback: CK_NOTIFY) -> Answer {
    let mut session = 0;
    answer(call!(C_OpenSession(SLOT, CKF_SERIAL_SESSION, application, callback, &raw mut session)))
}

/// pkcs11-provider#342: CloudHSM wants pApplication and Notify to be NULL.
#[test]
fn callbacks_are_refused() {
    isolated(|| {
        initialize().unwrap();
        assert_eq!(open_with_callback(ptr::null_mut(), Some(notify)), code(CKR_ARGUMENTS_BAD));
        assert_eq!(open_with_callback(ptr::dangling_mut(), None), code(CKR_ARGUMENTS_BAD));
        assert_eq!(open_with_callback(ptr::null_mut(), None), Ok(()));
    });
}

/// PKCS#11 3.2 section 5.6.1 allows both.
#[test]
fn callbacks_are_accepted_in_standard() {
    isolated_standard(|| {
        initialize().unwrap();
        assert_eq!(open_with_callback(ptr::dangling_mut(), Some(notify)), Ok(()));
    });
}

/// PKCS#11 3.2 section 4.4 (session states): the state follows the login, in every session at once.
#[test]
fn states_of_sessions() {
    isolated(|| {
        activate(&[ALICE]);
        let (reading, writing) = (Session::open_read_only(), Session::open());
        let states = || [reading, writing].map(|session| session.information().unwrap().state);
        assert_eq!(states(), [CKS_RO_PUBLIC_SESSION, CKS_RW_PUBLIC_SESSION]);
        let information = writing.information().unwrap();
        assert_eq!(information.slotID, SLOT);
        assert_eq!(information.flags, CKF_SERIAL_SESSION | CKF_RW_SESSION);
        assert_eq!(reading.information().unwrap().flags, CKF_SERIAL_SESSION);
        assert_eq!(information.ulDeviceError, 0);
        reading.login(ALICE).unwrap();
        assert_eq!(states(), [CKS_RO_USER_FUNCTIONS, CKS_RW_USER_FUNCTIONS]);
        // A session opened later is logged in too.
        assert_eq!(Session::open().information().unwrap().state, CKS_RW_USER_FUNCTIONS);
        assert_eq!(writing.login(ALICE), code(CKR_USER_ALREADY_LOGGED_IN));
        writing.logout().unwrap();
        assert_eq!(states(), [CKS_RO_PUBLIC_SESSION, CKS_RW_PUBLIC_SESSION]);
        assert_eq!(writing.logout(), code(CKR_USER_NOT_LOGGED_IN));
        // Section 5.6.9: no officer while a read-only session is open, and no read-only session beside an officer.
        assert_eq!(writing.login_as(CKU_SO, OFFICER), code(CKR_SESSION_READ_ONLY_EXISTS));
        reading.close().unwrap();
        writing.login_as(CKU_SO, OFFICER).unwrap();
        assert_eq!(writing.information().unwrap().state, CKS_RW_SO_FUNCTIONS);
        assert_eq!(Session::open_with(CKF_SERIAL_SESSION), code(CKR_SESSION_READ_WRITE_SO_EXISTS));
        assert_eq!(writing.login(ALICE), code(CKR_USER_ALREADY_LOGGED_IN), "another user is logged in");
    });
}

/// PKCS#11 3.2 section 5.6.9: another user's login has a code of its own there.
#[test]
fn another_user_in_standard() {
    isolated_standard(|| {
        let session = hsm();
        assert_eq!(session.login(ALICE), code(CKR_USER_ALREADY_LOGGED_IN));
        assert_eq!(session.login_as(CKU_SO, OFFICER), code(CKR_USER_ANOTHER_ALREADY_LOGGED_IN));
    });
}

/// PKCS#11 3.2 section 5.6.2: with the last session the login ends.
#[test]
fn the_last_session_ends_the_login() {
    isolated(|| {
        let session = hsm();
        let other = Session::open();
        session.close().unwrap();
        assert_eq!(other.information().unwrap().state, CKS_RW_USER_FUNCTIONS);
        other.close().unwrap();
        let again = Session::open();
        assert_eq!(again.information().unwrap().state, CKS_RW_PUBLIC_SESSION);
        again.login(ALICE).unwrap();
        answer(call!(C_CloseAllSessions(SLOT))).unwrap();
        assert_eq!(Session::open().information().unwrap().state, CKS_RW_PUBLIC_SESSION);
    });
}

/// PKCS#11 3.2 section 4.5: a session object dies with the session that made it; other sessions see it until then.
#[test]
fn session_objects_die_with_their_session() {
    isolated(|| {
        let keeper = hsm();
        let maker = Session::open();
        let key = maker.generate(CKM_AES_KEY_GEN, &aes().label("passing")).unwrap();
        let token = maker.generate(CKM_AES_KEY_GEN, &aes().label("lasting").flag(CKA_TOKEN, true)).unwrap();
        assert_eq!(keeper.labelled("passing"), [key]);
        assert_eq!(keeper.flag(key, CKA_TOKEN), Ok(false));
        assert_eq!(keeper.flag(token, CKA_TOKEN), Ok(true));
        maker.close().unwrap();
        assert_eq!(keeper.labelled("passing"), [0; 0]);
        assert_eq!(keeper.flag(key, CKA_TOKEN), code(CKR_OBJECT_HANDLE_INVALID));
        assert_eq!(keeper.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]), code(CKR_KEY_HANDLE_INVALID));
        assert_eq!(keeper.labelled("lasting").len(), 1);
    });
}

/// PKCS#11 3.2 section 5.7.4: a destroyed object's handle is invalid in every session, and is not given out again.
#[test]
fn handles_are_stale_after_destroy() {
    isolated(|| {
        let session = hsm();
        let other = Session::open();
        let old = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
        other.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), old).unwrap();
        session.destroy(old).unwrap();
        assert_eq!(session.destroy(old), code(CKR_OBJECT_HANDLE_INVALID));
        for _ in 0..50 {
            let new = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
            assert_ne!(new, old);
            session.destroy(new).unwrap();
        }
        assert_eq!(session.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), old), code(CKR_KEY_HANDLE_INVALID));
        for absurd in [0, CK_ULONG::MAX, old + 1, 1 << 40] {
            assert_eq!(session.destroy(absurd), code(CKR_OBJECT_HANDLE_INVALID), "{absurd}");
        }
    });
}

/// Attack A50 (SignInit, Logout, Sign signed on two peers): C_Logout ends every operation of every session.
#[test]
fn logout_ends_every_operation() {
    isolated(|| {
        let session = hsm();
        let other = Session::open();
        let key = session.create(&aes_value(&[7; 32])).unwrap();
        for place in [session, other] {
            let ecb = || Mechanism::new(CKM_AES_ECB);
            place.begin(Way::Encrypt, &mut ecb(), key).unwrap();
            place.begin(Way::Decrypt, &mut ecb(), key).unwrap();
            place.sign_init(&mut Mechanism::new(CKM_AES_CMAC), key).unwrap();
            place.verify_init(&mut Mechanism::new(CKM_AES_CMAC), key).unwrap();
            answer(call!(C_FindObjectsInit(place.0, ptr::null_mut(), 0))).unwrap();
        }
        other.update_into(Way::Encrypt, &[0; 16], 16).unwrap();
        other.sign_update(b"part").unwrap();
        session.logout().unwrap();
        let gone = |rv: Answer<Vec<u8>>| matches!(rv, Err(Rv(CKR_OPERATION_NOT_INITIALIZED | CKR_USER_NOT_LOGGED_IN)));
        for place in [session, other] {
            assert!(gone(place.once_into(Way::Encrypt, &[0; 16], 64)));
            assert!(gone(place.once_into(Way::Decrypt, &[0; 16], 64)));
            assert!(gone(place.update_into(Way::Encrypt, &[0; 16], 64)));
            assert!(gone(place.final_into(Way::Encrypt, 64)));
            assert!(gone(place.sign_into(b"data", 64)));
            assert!(gone(place.sign_final(64)));
            let mut bytes = [0; 16];
            let verify = call!(C_Verify(place.0, bytes.as_mut_ptr(), 16, bytes.as_mut_ptr(), 16));
            assert!(gone(answer(verify).map(|()| Vec::new())));
            let (mut found, mut count) = ([0; 4], 99);
            let found = answer(call!(C_FindObjects(place.0, found.as_mut_ptr(), 4, &raw mut count)));
            assert!(gone(found.map(|()| vec![0; count as usize])));
        }
        // After another login the old operation is not there either (A66).
        session.login(ALICE).unwrap();
        assert_eq!(other.sign_into(b"data", 64), code(CKR_OPERATION_NOT_INITIALIZED));
        assert_eq!(session.once_into(Way::Encrypt, &[0; 16], 64), code(CKR_OPERATION_NOT_INITIALIZED));
    });
}

/// PKCS#11 3.2 section 5.7.3: "destroying an object means that ... any existing operations with it" end, and section 5.6.2 destroys
/// a session's objects with it. That holds for an operation which was begun before the object got another form, by a new label
/// or by becoming a token object; the new form itself ends nothing.
#[test]
fn an_operation_ends_with_its_object_whatever_that_has_become() {
    isolated(|| {
        let session = hsm();
        let stored = Template::new().flag(CKA_TOKEN, true);
        let renamed = Template::new().label("renamed");
        for changes in [&[&renamed] as &[&Template], &[&renamed, &renamed], &[&stored], &[&renamed, &stored, &renamed]]
        {
            for by_closing in [false, true] {
                let maker = Session::open();
                let key = maker.create(&aes_value(&[7; 32])).unwrap();
                session.sign_init(&mut Mechanism::new(CKM_AES_CMAC), key).unwrap();
                for change in changes {
                    maker.set(key, change).unwrap();
                    session.sign_update(b"part").expect("a change ends no operation");
                }
                let lasting = changes.iter().any(|change| ptr::eq(*change, &raw const stored));
                if by_closing {
                    maker.close().unwrap();
                } else {
                    maker.destroy(key).unwrap();
                    maker.close().unwrap();
                }
                let signed = session.sign_final(64);
                if by_closing && lasting {
                    assert!(signed.is_ok(), "a token key outlives the session");
                    session.destroy(key).unwrap();
                } else {
                    assert_eq!(signed, code(CKR_KEY_HANDLE_INVALID), "{by_closing}");
                }
            }
        }
    });
}

/// PKCS#11 3.2 section 5.6.10 and attack A66: after C_Logout no private object can be reached, and private session
/// objects are gone for good.
#[test]
fn logout_ends_private_objects() {
    isolated(|| {
        let session = hsm();
        let passing = session.generate(CKM_AES_KEY_GEN, &aes().label("key")).unwrap();
        let lasting = session.generate(CKM_AES_KEY_GEN, &aes().label("key").flag(CKA_TOKEN, true)).unwrap();
        session.logout().unwrap();
        for key in [passing, lasting] {
            let begun = session.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), key);
            assert!(matches!(begun, Err(Rv(CKR_KEY_HANDLE_INVALID | CKR_USER_NOT_LOGGED_IN))), "{begun:?}");
            let read = session.flag(key, CKA_TOKEN);
            assert!(matches!(read, Err(Rv(CKR_OBJECT_HANDLE_INVALID | CKR_USER_NOT_LOGGED_IN))), "{read:?}");
        }
        session.login(ALICE).unwrap();
        assert_eq!(session.flag(passing, CKA_TOKEN), code(CKR_OBJECT_HANDLE_INVALID));
        assert_eq!(session.labelled("key").len(), 1, "the token key is there again, the session key is not");
    });
}

/// PKCS#11 3.2 sections 4.4 and 5.7.1: a read-only session makes session objects and no token objects.
#[test]
fn read_only_sessions_change_no_token_object() {
    isolated(|| {
        let writing = hsm();
        let reading = Session::open_read_only();
        let lasting = writing.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true)).unwrap();
        let token = Template::new().flag(CKA_TOKEN, true);
        let read_only = CKR_SESSION_READ_ONLY;
        assert_eq!(reading.generate(CKM_AES_KEY_GEN, &aes().and(&token)), code(read_only));
        assert_eq!(reading.create(&aes_value(&[1; 16]).and(&token)), code(read_only));
        let (public, private) = (ec_public(P256), ec_private());
        assert_eq!(reading.generate_pair(CKM_EC_KEY_PAIR_GEN, &public, &private.clone().and(&token)), code(read_only));
        assert_eq!(reading.generate_pair(CKM_EC_KEY_PAIR_GEN, &public.clone().and(&token), &private), code(read_only));
        assert_eq!(reading.destroy(lasting), code(read_only));
        assert_eq!(reading.set(lasting, &Template::new().label("new")), code(read_only));
        assert_eq!(reading.copy(lasting, &Template::new()), code(read_only));
        let passing = reading.copy(lasting, &Template::new().flag(CKA_TOKEN, false)).unwrap();
        reading.set(passing, &Template::new().label("new")).unwrap();
        reading.destroy(passing).unwrap();
        reading.encrypt(&mut Mechanism::new(CKM_AES_ECB), lasting, &[0; 16]).unwrap();
        reading.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
    });
}

/// Reopening the library: C_Finalize ends sessions and login, and C_Initialize begins anew with the keys on the disk.
#[test]
fn finalize_ends_all_and_keeps_the_keys() {
    isolated(|| {
        let session = hsm();
        session.generate(CKM_AES_KEY_GEN, &aes().label("lasting").flag(CKA_TOKEN, true)).unwrap();
        session.generate(CKM_AES_KEY_GEN, &aes().label("passing")).unwrap();
        finalize().unwrap();
        initialize().unwrap();
        assert_eq!(session.information().err(), Some(Rv(CKR_SESSION_HANDLE_INVALID)));
        let session = Session::open();
        assert_eq!(session.information().unwrap().state, CKS_RW_PUBLIC_SESSION);
        session.login(ALICE).unwrap();
        assert_eq!(session.labelled("lasting").len(), 1);
        assert_eq!(session.labelled("passing"), [0; 0]);
    });
}
