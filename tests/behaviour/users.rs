//! Users, PINs and whose keys they are.

use crate::support::*;

/// Design, section 1 of its names: nothing is created before activation, because p11-kit loads modules into every
/// process. Section 2: a login on an unactivated HSM is CKR_USER_PIN_NOT_INITIALIZED.
#[test]
fn nothing_is_written_before_activation() {
    isolated(|| {
        let before = files_below(&home());
        initialize().unwrap();
        let session = Session::open();
        assert_eq!(session.login(ALICE), code(CKR_USER_PIN_NOT_INITIALIZED));
        assert_eq!(session.login_as(CKU_SO, OFFICER), code(CKR_USER_PIN_NOT_INITIALIZED));
        assert_eq!(session.digest(CKM_SHA256, b"abc").unwrap().len(), 32, "digests need no user");
        assert_eq!(session.random(16).unwrap().len(), 16);
        assert_eq!(session.find(&Template::new()), Ok(vec![]));
        session.close().unwrap();
        finalize().unwrap();
        assert_eq!(files_below(&home()), before);
        assert_eq!(std::fs::read_dir(home()).unwrap().count(), 0, "no folder either");
    });
}

/// The same where the home folder does not exist: it is not made.
#[test]
fn a_missing_home_stays_missing() {
    staged(|stage, test| {
        if stage.is_empty() {
            let folder = Folder::new();
            let home = folder.path().join("missing");
            test.run("cloudhsm", &home, "look");
            assert!(!home.exists());
            test.run("cloudhsm", &home, "activate");
            assert_eq!(mode(&home), 0o700);
        } else if stage == "look" {
            initialize().unwrap();
            assert_eq!(Session::open().login(ALICE), code(CKR_USER_PIN_NOT_INITIALIZED));
        } else {
            hsm();
        }
    });
}

/// Design, "Names that users meet": folders 0700, files 0600.
#[test]
fn files_are_the_owners_alone() {
    isolated(|| {
        hsm();
        let folder = home().join("hsm1");
        assert_eq!(mode(&folder), 0o700);
        let files = files_below(&folder);
        for name in ["hsm.db", "device.key", "write.lock", "gen.map"] {
            assert!(files.contains(&folder.join(name)), "{name} of {files:?}");
        }
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
    });
}

/// User Guide, cloudhsm_cli-login: five wrong logins lock the user, until an officer resets the password.
#[test]
fn five_wrong_pins_lock_the_user() {
    isolated(|| {
        activate(&[ALICE, BOB]);
        let session = Session::open();
        for _ in 0..5 {
            assert_eq!(session.login("alice:wrong-password"), code(CKR_PIN_INCORRECT));
        }
        assert_eq!(session.login("alice:wrong-password"), code(CKR_PIN_LOCKED));
        assert_eq!(session.login(ALICE), code(CKR_PIN_LOCKED), "even with the right PIN");
        session.login(BOB).expect("another user is not locked");
        session.logout().unwrap();
        // The lock is on the disk.
        finalize().unwrap();
        initialize().unwrap();
        let session = Session::open();
        assert_eq!(session.login(ALICE), code(CKR_PIN_LOCKED));
        session.login_as(CKU_SO, OFFICER).unwrap();
        session.init_pin("alice:another-password").unwrap();
        session.logout().unwrap();
        assert_eq!(session.login(ALICE), code(CKR_PIN_INCORRECT));
        session.login("alice:another-password").unwrap();
    });
}

/// A right PIN in between starts the count anew.
#[test]
fn a_right_pin_resets_the_count() {
    isolated(|| {
        activate(&[ALICE]);
        let session = Session::open();
        for _ in 0..3 {
            for _ in 0..4 {
                assert_eq!(session.login("alice:wrong-password"), code(CKR_PIN_INCORRECT));
            }
            session.login(ALICE).unwrap();
            session.logout().unwrap();
        }
    });
}

/// The failed attempts are counted in every process together: each is durable before its error is returned.
#[test]
fn wrong_pins_count_across_processes() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "activate");
            for _ in 0..5 {
                test.run("cloudhsm", home.path(), "wrong");
            }
            test.run("cloudhsm", home.path(), "locked");
        }
        "activate" => activate(&[ALICE]),
        stage => {
            initialize().unwrap();
            let expected = if stage == "wrong" { CKR_PIN_INCORRECT } else { CKR_PIN_LOCKED };
            let pin = if stage == "wrong" { "alice:wrong-password" } else { ALICE };
            assert_eq!(Session::open().login(pin), code(expected));
        }
    });
}

/// What this thread has used of the processor, whatever else the machine does.
fn thread_time() -> std::time::Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the time.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }, 0);
    std::time::Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap())
}

/// PKCS#11 3.2 section 5.6.9 and the design: an unknown user is answered as a wrong PIN is, and with the same work.
/// That it waits for the disk as well is seen in the audit log, which has a record of it (`audit`).
#[test]
fn an_unknown_user_looks_like_a_wrong_pin() {
    isolated(|| {
        activate(&[ALICE]);
        let session = Session::open();
        let time = |pin: &str| {
            let start = thread_time();
            assert_eq!(session.login(pin), code(CKR_PIN_INCORRECT), "{pin}");
            thread_time() - start
        };
        time("warm:wrong-password");
        // In turns, so that what slows the processor slows both; a right PIN in between keeps the user from being locked.
        let (mut wrong, mut unknown) = (Vec::new(), Vec::new());
        for _ in 0..6 {
            wrong.push(time("alice:wrong-password"));
            unknown.push(time("nobody:wrong-password"));
            session.login(ALICE).unwrap();
            session.logout().unwrap();
        }
        let (wrong, unknown) = (wrong.iter().min().unwrap(), unknown.iter().min().unwrap());
        let ratio = unknown.as_secs_f64() / wrong.as_secs_f64();
        assert!((0.5..2.0).contains(&ratio), "unknown {unknown:?}, wrong {wrong:?}");
        // A PIN that cannot be one is no shortcut to learn something either.
        session.login(ALICE).unwrap();
        session.logout().unwrap();
        for odd in ["alice", "alice:", ":alices-password", "", "alice:short"] {
            let refused = session.login(odd);
            assert!(
                matches!(refused, Err(Rv(CKR_PIN_INCORRECT | CKR_PIN_LEN_RANGE | CKR_PIN_INVALID | CKR_ARGUMENTS_BAD))),
                "{odd}: {refused:?}"
            );
        }
    });
}

/// Each of these PINs is refused, so often that it would lock the user if it counted.
fn refused(session: Session, user: CK_USER_TYPE, pins: &[&str], expected: CK_RV) {
    for pin in pins {
        for _ in 0..6 {
            assert_eq!(session.login_as(user, pin), code(expected), "{pin:?}");
        }
    }
}

/// A PIN that cannot be set is never the right one, so it is no attempt. C_SetPIN and C_InitPIN refuse it by its length (PKCS#11 3.2
/// sections 5.5.7 and 5.5.8, CKR_PIN_LEN_RANGE; CK_TOKEN_INFO has the bounds), C_Login has no such code and says CKR_PIN_INCORRECT
/// (section 5.6.9). Six of each would lock the user if they counted.
#[test]
fn what_cannot_be_a_pin_is_no_attempt() {
    isolated_standard(|| {
        initialize().unwrap();
        init_token("1234", "my token").unwrap();
        let session = Session::open();
        session.login_as(CKU_SO, "1234").unwrap();
        session.init_pin("5678").unwrap();
        session.logout().unwrap();
        let mut information = CK_TOKEN_INFO::default();
        answer(call!(C_GetTokenInfo(SLOT, &raw mut information))).unwrap();
        let (short, long) =
            ("1".repeat(information.ulMinPinLen as usize - 1), "1".repeat(information.ulMaxPinLen as usize + 1));
        let pins = ["", "1", &short, &long];
        for (user, named, right) in [(CKU_USER, "user", "5678"), (CKU_SO, "admin", "1234")] {
            refused(session, user, &pins, CKR_PIN_INCORRECT);
            refused(session, user, &[&format!("{named}:"), &format!("{named}:123")], CKR_PIN_INCORRECT);
            for _ in 0..6 {
                let nothing = answer(call!(C_Login(session.0, user, std::ptr::null_mut(), 0)));
                assert_eq!(nothing, code(CKR_PIN_INCORRECT));
            }
            session.login_as(user, right).unwrap();
            session.logout().unwrap();
        }
        for old in pins.iter().chain(&["user:123"]) {
            for _ in 0..6 {
                assert_eq!(session.set_pin(old, "9999"), code(CKR_PIN_INCORRECT), "{old:?}");
            }
        }
        session.set_pin("5678", "9999").unwrap();
        answer(call!(C_CloseAllSessions(SLOT))).unwrap();
        for pin in pins {
            for _ in 0..6 {
                assert_eq!(init_token(pin, "another"), code(CKR_PIN_INCORRECT), "{pin:?}");
            }
        }
        init_token("1234", "another").unwrap();
    });
}

/// The same where a PIN has a name in it. A password of an HSM has the bounds of the profile under which it was set, at the widest the 4 to
/// 255 bytes of `standard`. Without a name it is CKR_ARGUMENTS_BAD, as a CloudHSM answered (docs/open-points.md).
#[test]
fn what_cannot_be_a_password_is_no_attempt() {
    let body = |officers: bool| {
        let session = Session::open();
        let long = format!("alice:{}", "p".repeat(256));
        let nameless = ["", "5678", "alices-password", ":alices-password"];
        refused(session, CKU_USER, &["alice:", "alice:1", "alice:123", &long], CKR_PIN_INCORRECT);
        refused(session, CKU_USER, &nameless, CKR_ARGUMENTS_BAD);
        if officers {
            refused(session, CKU_SO, &["admin:", "admin:123"], CKR_PIN_INCORRECT);
            refused(session, CKU_SO, &nameless, CKR_ARGUMENTS_BAD);
            for (old, expected) in [("alice:123", CKR_PIN_INCORRECT), ("alices-password", CKR_ARGUMENTS_BAD)] {
                for _ in 0..6 {
                    assert_eq!(session.set_pin(old, "alice:another-password"), code(expected), "{old:?}");
                }
            }
            session.login_as(CKU_SO, OFFICER).unwrap();
            session.logout().unwrap();
        }
        session.login(ALICE).unwrap();
    };
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            test.run("cloudhsm", home.path(), "cloudhsm");
            test.run("strict", home.path(), "strict");
        }
        "make" => activate(&[ALICE]),
        profile => {
            initialize().unwrap();
            body(profile == "cloudhsm");
        }
    });
}

/// PKCS#11 3.2 section 3.2, CK_TOKEN_INFO: COUNT_LOW "an incorrect user login PIN has been entered at least once since the last
/// successful authentication", FINAL_TRY "supplying an incorrect user PIN will cause it to become locked", LOCKED; the same for the SO.
/// The PIN is that of the user whom a PIN without a name means. TO_BE_CHANGED "may always be set to false if the token does not
/// support the functionality": no PIN here is a default one or expires.
#[test]
fn the_token_tells_of_wrong_pins_in_standard() {
    const USERS: [CK_FLAGS; 3] = [CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_LOCKED];
    const OFFICERS: [CK_FLAGS; 3] = [CKF_SO_PIN_COUNT_LOW, CKF_SO_PIN_FINAL_TRY, CKF_SO_PIN_LOCKED];
    fn flags() -> CK_FLAGS {
        let mut information = CK_TOKEN_INFO::default();
        answer(call!(C_GetTokenInfo(SLOT, &raw mut information))).unwrap();
        let all = USERS.iter().chain(&OFFICERS).fold(0, |all, flag| all | flag);
        information.flags & (all | CKF_USER_PIN_TO_BE_CHANGED | CKF_SO_PIN_TO_BE_CHANGED)
    }
    isolated_standard(|| {
        initialize().unwrap();
        assert_eq!(flags(), 0, "no PIN yet");
        init_token("1234", "my token").unwrap();
        let session = Session::open();
        session.login_as(CKU_SO, "1234").unwrap();
        session.init_pin("5678").unwrap();
        session.init_pin("alice:another-user").unwrap();
        session.logout().unwrap();
        for _ in 0..6 {
            session.login("alice:not-the-password").unwrap_err();
        }
        assert_eq!(flags(), 0, "another user's PIN");
        for (user, right, [low, last, locked]) in [(CKU_USER, "5678", USERS), (CKU_SO, "1234", OFFICERS)] {
            let wrong = || assert_eq!(session.login_as(user, "8765"), code(CKR_PIN_INCORRECT));
            wrong();
            assert_eq!(flags(), low);
            session.login_as(user, right).unwrap();
            assert_eq!(flags(), 0);
            session.logout().unwrap();
            for expected in [low, low, low, low | last, low | locked] {
                wrong();
                assert_eq!(flags(), expected);
            }
            assert_eq!(session.login_as(user, right), code(CKR_PIN_LOCKED));
            if user == CKU_USER {
                session.login_as(CKU_SO, "1234").unwrap();
                session.init_pin(right).unwrap();
                session.logout().unwrap();
                assert_eq!(flags(), 0, "the officer has unlocked the user");
            }
        }
    });
}

/// User Guide, understanding-users: names are case-insensitive and shown in lower case, passwords are not.
#[test]
fn names_ignore_case_and_passwords_do_not() {
    isolated(|| {
        activate(&[ALICE]);
        let session = Session::open();
        session.login("ALICE:alices-password").unwrap();
        session.logout().unwrap();
        assert_eq!(session.login("alice:ALICES-password"), code(CKR_PIN_INCORRECT));
    });
}

/// User Guide, limits: a password has 8 to 32 characters; a PIN is split at its first colon.
#[test]
fn passwords_have_8_to_32_characters() {
    isolated(|| {
        activate(&[]);
        let session = Session::open();
        session.login_as(CKU_SO, OFFICER).unwrap();
        for bad in ["carol:1234567", "carol:123456789012345678901234567890123", "carol"] {
            let refused = session.init_pin(bad);
            assert!(matches!(refused, Err(Rv(CKR_PIN_LEN_RANGE | CKR_PIN_INVALID))), "{bad}: {refused:?}");
        }
        session.init_pin("carol:12345678").unwrap();
        session.logout().unwrap();
        session.login("carol:12345678").unwrap();
        assert_eq!(session.init_pin("mallory:12345678"), code(CKR_USER_NOT_LOGGED_IN), "a crypto user makes no users");
    });
}

/// User Guide, user-permissions-table: an officer manages users and uses no key.
#[test]
fn an_officer_uses_no_key() {
    isolated(|| {
        let session = hsm();
        let lasting = Template::new().flag(CKA_TOKEN, true).label("of alice");
        session.generate(CKM_AES_KEY_GEN, &aes().and(&lasting)).unwrap();
        let private = ec_private().and(&lasting);
        session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P256).and(&lasting), &private).unwrap();
        session.logout().unwrap();
        session.login_as(CKU_SO, OFFICER).unwrap();
        let refused = |answer: Answer<()>| {
            let fine = matches!(
                answer,
                Err(Rv(CKR_USER_NOT_LOGGED_IN
                    | CKR_KEY_HANDLE_INVALID
                    | CKR_OBJECT_HANDLE_INVALID
                    | CKR_KEY_TYPE_INCONSISTENT
                    | CKR_KEY_FUNCTION_NOT_PERMITTED
                    | CKR_ATTRIBUTE_READ_ONLY))
            );
            assert!(fine, "an officer got {answer:?}");
        };
        refused(session.generate(CKM_AES_KEY_GEN, &aes()).map(drop));
        refused(session.create(&aes_value(&[1; 16])).map(drop));
        refused(session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P256), &ec_private()).map(drop));
        for key in session.labelled("of alice") {
            refused(session.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), key));
            refused(session.begin(Way::Decrypt, &mut Mechanism::new(CKM_AES_ECB), key));
            refused(session.sign_init(&mut Mechanism::new(CKM_ECDSA), key));
            refused(session.verify_init(&mut Mechanism::new(CKM_ECDSA), key));
            refused(session.destroy(key));
            refused(session.set(key, &Template::new().label("of the officer")));
            refused(session.copy(key, &Template::new()).map(drop));
            let value = session.read(key, CKA_VALUE);
            assert!(value.is_err(), "an officer read key material");
        }
    });
}

/// Attack A62: a key of another user does not exist, not even for a guessed handle.
#[test]
fn another_users_keys_do_not_exist() {
    isolated(|| {
        let session = hsm();
        let lasting = Template::new().flag(CKA_TOKEN, true).label("of alice");
        let secret = session.generate(CKM_AES_KEY_GEN, &aes().and(&lasting)).unwrap();
        let (public, private) = session
            .generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P256).and(&lasting), &ec_private().and(&lasting))
            .unwrap();
        let signature = session.sign(&mut Mechanism::new(CKM_ECDSA_SHA256), private, b"message").unwrap();
        let point = session.read(public, CKA_EC_POINT).unwrap();
        session.logout().unwrap();
        session.login(BOB).unwrap();
        // Bob sees the public key and nothing else.
        let seen = session.labelled("of alice");
        assert_eq!(seen.len(), 1);
        assert_eq!(session.number(seen[0], CKA_CLASS), Ok(CKO_PUBLIC_KEY));
        assert_eq!(session.find(&Template::new()).unwrap().len(), 1);
        assert_eq!(session.find(&Template::new().number(CKA_CLASS, CKO_PRIVATE_KEY)), Ok(vec![]));
        // He verifies with it.
        assert_eq!(session.read(seen[0], CKA_EC_POINT).unwrap(), point);
        session.verify(&mut Mechanism::new(CKM_ECDSA_SHA256), seen[0], b"message", &signature).unwrap();
        // He does not manage it.
        for refused in [
            session.destroy(seen[0]),
            session.set(seen[0], &Template::new().label("of bob")),
            session.copy(seen[0], &Template::new().label("of bob")).map(drop),
        ] {
            assert!(refused.is_err(), "bob managed a key of alice's");
        }
        assert_eq!(session.labelled("of alice").len(), 1);
        // Guessed handles, those that alice had and all around.
        let around = [secret, public, private].into_iter().flat_map(|handle| handle.saturating_sub(8)..handle + 8);
        for handle in around.chain(0..64).filter(|handle| *handle != seen[0]) {
            let mut ecb = Mechanism::new(CKM_AES_ECB);
            assert_eq!(session.begin(Way::Encrypt, &mut ecb, handle), code(CKR_KEY_HANDLE_INVALID));
            let signing = session.sign_init(&mut Mechanism::new(CKM_ECDSA), handle);
            assert_eq!(signing, code(CKR_KEY_HANDLE_INVALID));
            assert_eq!(session.read(handle, CKA_LABEL), code(CKR_OBJECT_HANDLE_INVALID));
            assert_eq!(session.destroy(handle), code(CKR_OBJECT_HANDLE_INVALID));
            assert_eq!(session.set(handle, &Template::new().label("x")), code(CKR_OBJECT_HANDLE_INVALID));
            assert_eq!(session.copy(handle, &Template::new()), code(CKR_OBJECT_HANDLE_INVALID));
        }
        // Nothing of alice's was harmed.
        session.logout().unwrap();
        session.login(ALICE).unwrap();
        assert_eq!(session.labelled("of alice").len(), 3);
    });
}

/// Design, section 2: a change to a user ends that user's logins in every process at their next call.
#[test]
fn a_changed_password_ends_the_login_in_another_process() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "work");
        }
        "work" => {
            let session = hsm();
            let key = session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true)).unwrap();
            session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
            session.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), key).unwrap();
            test.run("cloudhsm", &home(), "change");
            for refused in [
                session.once_into(Way::Encrypt, &[0; 16], 16).map(drop),
                session.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), key),
                session.generate(CKM_AES_KEY_GEN, &aes()).map(drop),
            ] {
                assert!(refused.is_err(), "the old login still works");
            }
            let again = Session::open();
            assert_eq!(again.login(ALICE), code(CKR_PIN_INCORRECT));
            again.login("alice:changed-password").unwrap();
            assert_eq!(again.find(&Template::new()).unwrap().len(), 1, "the keys stay");
        }
        _ => {
            initialize().unwrap();
            let session = Session::open();
            session.login_as(CKU_SO, OFFICER).unwrap();
            session.init_pin("alice:changed-password").unwrap();
        }
    });
}

/// PKCS#11 3.2 section 5.5.8: a user changes the own PIN; the keys stay and the login goes on.
#[test]
fn users_change_their_own_pin() {
    isolated(|| {
        let session = hsm();
        let key = session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true).label("mine")).unwrap();
        assert_eq!(session.set_pin("alice:wrong-password", "alice:new-password"), code(CKR_PIN_INCORRECT));
        assert_eq!(session.set_pin(ALICE, "alice:short"), code(CKR_PIN_LEN_RANGE));
        assert_eq!(session.set_pin(BOB, "bob:new-password"), code(CKR_PIN_INCORRECT), "another user's");
        session.set_pin(ALICE, "alice:new-password").unwrap();
        session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
        session.logout().unwrap();
        assert_eq!(session.login(ALICE), code(CKR_PIN_INCORRECT));
        session.login("alice:new-password").unwrap();
        assert_eq!(session.labelled("mine").len(), 1);
        session.logout().unwrap();
        let reading = Session::open_read_only();
        assert_eq!(reading.set_pin("alice:new-password", ALICE), code(CKR_SESSION_READ_ONLY));
    });
}

/// PKCS#11 3.2 section 5.5.6: C_InitToken again needs the officer's PIN and destroys all keys and users.
#[test]
fn init_token_again_destroys_everything() {
    isolated(|| {
        let session = hsm();
        session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true)).unwrap();
        assert_eq!(init_token(OFFICER, "other"), code(CKR_SESSION_EXISTS));
        session.close().unwrap();
        assert_eq!(init_token("admin:wrong-password", "other"), code(CKR_PIN_INCORRECT));
        Session::open().login(ALICE).unwrap();
        call!(C_CloseAllSessions(SLOT));
        init_token(OFFICER, "other").unwrap();
        let session = Session::open();
        assert_eq!(session.login(ALICE), code(CKR_PIN_INCORRECT), "the user is gone");
        session.login_as(CKU_SO, OFFICER).unwrap();
        session.init_pin(ALICE).unwrap();
        session.logout().unwrap();
        session.login(ALICE).unwrap();
        assert_eq!(session.find(&Template::new()), Ok(vec![]), "and so are the keys");
        let mut information = CK_TOKEN_INFO::default();
        answer(call!(C_GetTokenInfo(SLOT, &raw mut information))).unwrap();
        assert_eq!(&information.label, format!("{:32}", "hsm1").as_bytes(), "the label stays in `cloudhsm`");
    });
}

/// Design, section 2: in `standard` a PIN without a colon is that of the officer `admin` or the crypto user `user`.
#[test]
fn plain_pins_in_standard() {
    isolated_standard(|| {
        initialize().unwrap();
        init_token("1234", "my token").unwrap();
        let mut information = CK_TOKEN_INFO::default();
        answer(call!(C_GetTokenInfo(SLOT, &raw mut information))).unwrap();
        assert_eq!(&information.label, format!("{:32}", "my token").as_bytes());
        let session = Session::open();
        let unset = session.login("5678");
        assert!(matches!(unset, Err(Rv(CKR_USER_PIN_NOT_INITIALIZED | CKR_PIN_INCORRECT))), "{unset:?}");
        session.login_as(CKU_SO, "1234").unwrap();
        session.init_pin("5678").unwrap();
        session.logout().unwrap();
        session.login("5678").unwrap();
        session.logout().unwrap();
        session.login("user:5678").unwrap();
        session.set_pin("5678", "a:b:c").unwrap();
        session.logout().unwrap();
        session.login("a:b:c").expect("a name that does not exist: the whole PIN");
        session.logout().unwrap();
        assert_eq!(session.login("5678"), code(CKR_PIN_INCORRECT));
        assert_eq!(session.login_as(CKU_SO, "4321"), code(CKR_PIN_INCORRECT));
        session.login_as(CKU_SO, "1234").unwrap();
        assert_eq!(session.init_pin("123"), code(CKR_PIN_LEN_RANGE));
    });
}

/// PKCS#11 3.2 section 5.6.9: types of users.
#[test]
fn user_types() {
    isolated(|| {
        activate(&[ALICE]);
        let session = Session::open();
        assert_eq!(session.login_as(CKU_CONTEXT_SPECIFIC, ALICE), code(CKR_OPERATION_NOT_INITIALIZED));
        assert_eq!(session.login_as(77, ALICE), code(CKR_USER_TYPE_INVALID));
        assert_eq!(session.login_as(CKU_SO, ALICE), code(CKR_PIN_INCORRECT), "a crypto user is no officer");
        assert_eq!(session.login(OFFICER), code(CKR_PIN_INCORRECT), "an officer is no crypto user");
        assert_eq!(Session(0).login(ALICE), code(CKR_SESSION_HANDLE_INVALID));
        assert_eq!(answer(call!(C_Login(session.0, CKU_USER, std::ptr::null_mut(), 8))), code(CKR_ARGUMENTS_BAD));
    });
}

/// Without a login nothing that needs one: keys of any kind in `cloudhsm` (design, section 2).
#[test]
fn keys_need_a_login() {
    isolated(|| {
        activate(&[ALICE]);
        let session = Session::open();
        assert_eq!(session.generate(CKM_AES_KEY_GEN, &aes()), code(CKR_USER_NOT_LOGGED_IN));
        assert_eq!(session.create(&aes_value(&[1; 16])), code(CKR_USER_NOT_LOGGED_IN));
        let pair = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P256), &ec_private());
        assert_eq!(pair, code(CKR_USER_NOT_LOGGED_IN));
        assert_eq!(session.digest(CKM_SHA256, b"abc").unwrap().len(), 32);
    });
}
