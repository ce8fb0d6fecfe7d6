//! Several clusters: each a slot with an HSM of its own, as in CloudHSM's Client SDK 5 with several clusters configured.

use crate::support::*;

const SECOND: CK_SLOT_ID = SLOT + 1;
/// The setting that makes a second cluster.
const TWO: [(&str, &str); 1] = [("CLOUDHSM_PKCS11_CLUSTERS", "2")];
/// The officer of the second cluster.
const OTHER_OFFICER: &str = "admin:second-password";
/// A crypto user of the second cluster, of the same name as one of the first.
const OTHER_ALICE: &str = "alice:another-password";

fn slots() -> Vec<CK_SLOT_ID> {
    let mut found = [0; 16];
    let mut count = found.len() as CK_ULONG;
    answer(call!(C_GetSlotList(CK_TRUE, found.as_mut_ptr(), &raw mut count))).unwrap();
    found[..count as usize].to_vec()
}

fn token(slot: CK_SLOT_ID) -> CK_TOKEN_INFO {
    let mut information = CK_TOKEN_INFO::default();
    answer(call!(C_GetTokenInfo(slot, &raw mut information))).unwrap();
    information
}

fn label(slot: CK_SLOT_ID) -> String {
    String::from_utf8(token(slot).label.to_vec()).unwrap().trim_end().to_owned()
}

fn open(slot: CK_SLOT_ID) -> Session {
    Session::open_of(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION).unwrap()
}

/// Activates the second cluster and logs its crypto user in.
fn second() -> Session {
    init_token_of(SECOND, OTHER_OFFICER, "second").unwrap();
    let session = open(SECOND);
    session.login_as(CKU_SO, OTHER_OFFICER).unwrap();
    session.init_pin(OTHER_ALICE).unwrap();
    session.logout().unwrap();
    session.login(OTHER_ALICE).unwrap();
    session
}

/// User Guide, pkcs11-multi-slot: one slot for each cluster, in their order.
#[test]
fn a_slot_for_each_cluster() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "one");
            test.must(test.stage("cloudhsm", home.path(), "three").env("CLOUDHSM_PKCS11_CLUSTERS", "3"));
            test.must(test.stage("cloudhsm", home.path(), "make").env("CLOUDHSM_PKCS11_CLUSTERS", "2"));
            // A folder is a cluster, whatever the settings say.
            for profile in ["cloudhsm", "strict", "standard"] {
                test.run(profile, home.path(), "two");
            }
            // AWS's file says how many there are.
            let other = Folder::new();
            let file = r#"{"clusters": [{"cluster": {"cluster_id": "cluster-a"}}, {"cluster": {}}, {"type": "hsm1"}]}"#;
            std::fs::write(other.path().join("cloudhsm-pkcs11.cfg"), file).unwrap();
            test.run("cloudhsm", other.path(), "three");
        }
        "one" => {
            initialize().unwrap();
            assert_eq!(slots(), [SLOT]);
            assert_eq!(Session::open_of(SECOND, CKF_SERIAL_SESSION), code(CKR_SLOT_ID_INVALID));
        }
        "three" => {
            initialize().unwrap();
            assert_eq!(slots(), [SLOT, SECOND, SLOT + 2]);
            assert_eq!([SLOT, SECOND, SLOT + 2].map(label), ["hsm1", "hsm2", "hsm3"]);
            assert_eq!(token(SECOND).flags & CKF_TOKEN_INITIALIZED, 0);
            assert_eq!(files_below(&home()).iter().filter(|path| path.ends_with("hsm.db")).count(), 0, "nothing made");
            // A length query, and a buffer that is too small.
            let mut count = 0;
            answer(call!(C_GetSlotList(CK_TRUE, std::ptr::null_mut(), &raw mut count))).unwrap();
            assert_eq!(count, 3);
            let (mut one, mut count) = ([0; 1], 1);
            let rv = call!(C_GetSlotList(CK_TRUE, one.as_mut_ptr(), &raw mut count));
            assert_eq!((answer(rv), count), (code(CKR_BUFFER_TOO_SMALL), 3));
        }
        "make" => {
            initialize().unwrap();
            second().create(&aes_value(&[2; 32]).flag(CKA_TOKEN, true).label("kept")).unwrap();
            assert!(home().join("hsm2/hsm.db").is_file() && !home().join("hsm1").exists(), "only hsm2 is activated");
            let none = open(SLOT).login(ALICE);
            assert_eq!(none, code(CKR_USER_PIN_NOT_INITIALIZED));
        }
        _ => {
            initialize().unwrap();
            assert_eq!(slots(), [SLOT, SECOND]);
            assert_eq!(label(SECOND), "hsm2");
            let session = open(SECOND);
            session.login(OTHER_ALICE).unwrap();
            let key = session.labelled("kept")[0];
            session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
        }
    });
}

/// PKCS#11 3.2 section 5.6: users, logins, sessions and objects belong to a token.
#[test]
fn a_login_in_one_slot_is_none_in_the_other() {
    isolated_with("cloudhsm", &TWO, || {
        let first = hsm();
        let other = open(SECOND);
        assert_eq!(first.information().unwrap().state, CKS_RW_USER_FUNCTIONS);
        assert_eq!(other.information().unwrap().state, CKS_RW_PUBLIC_SESSION);
        assert_eq!(other.information().unwrap().slotID, SECOND);
        assert_eq!(other.login(ALICE), code(CKR_USER_PIN_NOT_INITIALIZED), "hsm2 is not activated");
        other.close().unwrap();
        let other = second();
        assert_eq!(open(SECOND).login(ALICE), code(CKR_USER_ALREADY_LOGGED_IN));
        assert_ne!(token(SLOT).serialNumber, token(SECOND).serialNumber);
        assert_eq!((token(SLOT).ulSessionCount, token(SECOND).ulSessionCount), (1, 2));
        // One logout ends one login, and its operations only.
        let key = first.create(&aes_value(&[1; 16])).unwrap();
        first.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), key).unwrap();
        other.logout().unwrap();
        assert_eq!(other.create(&aes_value(&[1; 16])), code(CKR_USER_NOT_LOGGED_IN));
        first.once_into(Way::Encrypt, &[0; 16], 16).unwrap();
        // The same name in the other cluster is another user with another password.
        assert_eq!(other.login(ALICE), code(CKR_PIN_INCORRECT));
        other.login(OTHER_ALICE).unwrap();
        assert_eq!(other.login_as(CKU_SO, OFFICER), code(CKR_USER_ALREADY_LOGGED_IN));
        // C_InitToken of one needs that one's sessions closed, and leaves the other's keys.
        answer(call!(C_CloseAllSessions(SECOND))).unwrap();
        assert_eq!(init_token_of(SECOND, OFFICER, "hsm2"), code(CKR_PIN_INCORRECT));
        init_token_of(SECOND, OTHER_OFFICER, "hsm2").unwrap();
        first.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
        assert_eq!(open(SECOND).login(OTHER_ALICE), code(CKR_PIN_INCORRECT), "the user went with C_InitToken");
    });
}

/// PKCS#11 3.2 section 5.6.2: C_CloseAllSessions closes those of one slot.
#[test]
fn sessions_of_one_slot() {
    isolated_with("cloudhsm", &TWO, || {
        let first = hsm();
        let kept = first.create(&aes_value(&[1; 16])).unwrap();
        second();
        let others: Vec<_> = (0..3).map(|_| open(SECOND)).collect();
        answer(call!(C_CloseAllSessions(SECOND))).unwrap();
        for other in &others {
            assert_eq!(other.information().err(), Some(Rv(CKR_SESSION_HANDLE_INVALID)));
        }
        assert_eq!(first.information().unwrap().state, CKS_RW_USER_FUNCTIONS);
        first.encrypt(&mut Mechanism::new(CKM_AES_ECB), kept, &[0; 16]).unwrap();
        // The limit is one of the application, over all slots (User Guide, limits).
        let more: Vec<_> = (1..1024).map(|at| open(if at % 2 == 0 { SLOT } else { SECOND })).collect();
        for slot in [SLOT, SECOND] {
            assert_eq!(Session::open_of(slot, CKF_SERIAL_SESSION), code(CKR_SESSION_COUNT));
        }
        answer(call!(C_CloseAllSessions(SLOT))).unwrap();
        assert!(more[0].information().is_ok() && more[1].information().is_err());
        finalize().unwrap();
        initialize().unwrap();
        assert_eq!(slots(), [SLOT, SECOND]);
    });
}

/// PKCS#11 3.2 section 4: a handle means something in the sessions of its token only.
#[test]
fn handles_of_one_slot_mean_nothing_in_the_other() {
    isolated_with("cloudhsm", &TWO, || {
        let (first, other) = (hsm(), second());
        let make = |session: Session, token: bool| {
            session.create(&aes_value(&[1; 16]).flag(CKA_TOKEN, token).label("same")).unwrap()
        };
        let sessions = [first, other];
        // The first handles of each, and later ones in places used before.
        for round in 0..3 {
            let keys = sessions.map(|session| [make(session, false), make(session, true)]);
            for (at, session) in sessions.iter().enumerate() {
                for foreign in keys[1 - at] {
                    assert_eq!(session.read(foreign, CKA_LABEL), code(CKR_OBJECT_HANDLE_INVALID), "round {round}");
                    assert_eq!(session.destroy(foreign), code(CKR_OBJECT_HANDLE_INVALID));
                    assert_eq!(session.set(foreign, &Template::new().label("x")), code(CKR_OBJECT_HANDLE_INVALID));
                    assert_eq!(session.copy(foreign, &Template::new()), code(CKR_OBJECT_HANDLE_INVALID));
                    let begun = session.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), foreign);
                    assert_eq!(begun, code(CKR_KEY_HANDLE_INVALID));
                }
            }
            assert_eq!(first.labelled("same").len(), 2);
            for (session, own) in sessions.iter().zip(keys) {
                for key in own {
                    session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
                    session.destroy(key).unwrap();
                }
            }
        }
    });
}

/// A fork with two open HSMs: the child initializes anew and uses both; the parent goes on with both.
#[test]
fn a_fork_with_two_clusters() {
    isolated_with("cloudhsm", &TWO, || {
        let (first, other) = (hsm(), second());
        let token = |session: Session| session.create(&aes_value(&[1; 16]).flag(CKA_TOKEN, true).label("k")).unwrap();
        let keys = [token(first), token(other)];
        // SAFETY: the child calls the library and leaves without returning to the harness.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let well = std::panic::catch_unwind(|| {
                initialize().unwrap();
                for (slot, pin) in [(SLOT, ALICE), (SECOND, OTHER_ALICE)] {
                    let session = open(slot);
                    session.login(pin).unwrap();
                    let key = session.labelled("k")[0];
                    session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
                    session.create(&aes_value(&[2; 16]).flag(CKA_TOKEN, true).label("child")).unwrap();
                }
            });
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(well.is_err())) };
        }
        let mut status = 0;
        // SAFETY: the status is ours to write.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the child failed");
        for (session, key) in [first, other].into_iter().zip(keys) {
            session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
            assert_eq!(session.labelled("child").len(), 1);
        }
    });
}
