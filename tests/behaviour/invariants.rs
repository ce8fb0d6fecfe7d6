//! What holds after any sequence of calls: random changes and copies, and threads that pull the ground away.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::*;

/// What the attributes of a key say that must never loosen, or never change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct State {
    sensitive: bool,
    extractable: bool,
    wrap_with_trusted: bool,
    trusted: bool,
    history: [bool; 3],
}

fn state(session: Session, key: CK_OBJECT_HANDLE) -> State {
    let flag = |id| session.flag(key, id).unwrap();
    State {
        sensitive: flag(CKA_SENSITIVE),
        extractable: flag(CKA_EXTRACTABLE),
        wrap_with_trusted: flag(CKA_WRAP_WITH_TRUSTED),
        trusted: flag(CKA_TRUSTED),
        history: [flag(CKA_LOCAL), flag(CKA_ALWAYS_SENSITIVE), flag(CKA_NEVER_EXTRACTABLE)],
    }
}

/// PKCS#11 3.2 section 4.10 and the invariants that the literature on API attacks asks for: SENSITIVE and
/// WRAP_WITH_TRUSTED only rise, EXTRACTABLE only falls, TRUSTED is nobody's but an officer's, history is not
/// rewritten, and a value is read only while the key is neither sensitive nor unextractable.
#[test]
fn random_changes_and_copies_only_tighten() {
    isolated(|| {
        let session = hsm();
        let flags = [
            CKA_SENSITIVE,
            CKA_EXTRACTABLE,
            CKA_WRAP_WITH_TRUSTED,
            CKA_TRUSTED,
            CKA_LOCAL,
            CKA_ALWAYS_SENSITIVE,
            CKA_NEVER_EXTRACTABLE,
            CKA_PRIVATE,
            CKA_ENCRYPT,
            CKA_DECRYPT,
            CKA_WRAP,
            CKA_UNWRAP,
            CKA_SIGN,
            CKA_DERIVE,
            CKA_TOKEN,
            CKA_DESTROYABLE,
        ];
        let mut dice = Dice(20_261_122);
        let mut keys = Vec::new();
        let (mut changed, mut copied) = (0, 0);
        for step in 0..4000 {
            if keys.len() < 4 || step % 40 == 0 {
                let open = Template::new()
                    .flag(CKA_SENSITIVE, dice.below(3) == 0)
                    .flag(CKA_EXTRACTABLE, dice.below(3) != 0)
                    .flag(CKA_WRAP_WITH_TRUSTED, dice.below(3) == 0);
                let key = if dice.below(2) == 0 {
                    session.generate(CKM_AES_KEY_GEN, &aes().and(&open)).unwrap()
                } else {
                    session.create(&aes_value(&[1; 16]).and(&open)).unwrap()
                };
                keys.push((key, state(session, key)));
            }
            let at = dice.below(keys.len());
            let (key, before) = keys[at];
            let mut template = Template::new();
            for _ in 0..=dice.below(2) {
                let flag = flags[dice.below(flags.len())];
                template = template.without(flag).flag(flag, dice.below(2) == 0);
            }
            let touched = if dice.below(3) == 0 {
                let Ok(copy) = session.copy(key, &template) else { continue };
                copied += 1;
                keys.push((copy, state(session, copy)));
                copy
            } else {
                changed += usize::from(session.set(key, &template).is_ok());
                key
            };
            let after = state(session, touched);
            assert!(after.sensitive >= before.sensitive, "step {step}: SENSITIVE fell");
            assert!(after.extractable <= before.extractable, "step {step}: EXTRACTABLE rose");
            assert!(after.wrap_with_trusted >= before.wrap_with_trusted, "step {step}: WRAP_WITH_TRUSTED fell");
            assert!(!after.trusted, "step {step}: a crypto user set TRUSTED");
            assert_eq!(after.history, before.history, "step {step}: history was rewritten");
            assert_eq!(session.flag(touched, CKA_PRIVATE), Ok(true), "step {step}");
            let shown = session.read(touched, CKA_VALUE).is_ok();
            let may_leave = !after.sensitive && after.extractable && !after.wrap_with_trusted;
            assert_eq!(shown, may_leave, "step {step}: the value of {after:?}");
            if let Some(entry) = keys.iter_mut().find(|entry| entry.0 == touched) {
                entry.1 = after;
            }
            if keys.len() > 40 {
                let (gone, _) = keys.swap_remove(dice.below(keys.len()));
                let _ = session.set(gone, &Template::new().flag(CKA_DESTROYABLE, true));
                session.destroy(gone).unwrap();
            }
        }
        assert!(changed > 200 && copied > 100, "{changed} changes and {copied} copies went through");
    });
}

/// Whether a code is one that a call may answer whose session or library another thread has just ended.
fn pulled_away(rv: Rv) -> bool {
    [
        CKR_CRYPTOKI_NOT_INITIALIZED,
        CKR_SESSION_HANDLE_INVALID,
        CKR_SESSION_CLOSED,
        CKR_OPERATION_NOT_INITIALIZED,
        CKR_USER_NOT_LOGGED_IN,
        CKR_KEY_HANDLE_INVALID,
        CKR_OBJECT_HANDLE_INVALID,
    ]
    .contains(&rv.0)
}

/// A session closed, a login ended, the library finalized while other threads are inside: every call answers, with a
/// code that says what has happened, and nothing crashes or hangs.
#[test]
fn the_ground_is_pulled_away() {
    isolated(|| {
        activate(&[ALICE]);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..32)
                .map(|_| {
                    scope.spawn(|| {
                        let mut done = 0_usize;
                        while !stop.load(Ordering::Relaxed) {
                            let work = |session: Session| -> Answer {
                                session.digest(CKM_SHA256, b"abc")?;
                                let key =
                                    session.create(&aes_value(&[1; 16]).flag(CKA_TOKEN, done.is_multiple_of(8)))?;
                                session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 64])?;
                                session.sign(&mut Mechanism::new(CKM_AES_CMAC), key, &[0; 64])?;
                                session.find(&Template::new().bytes(CKA_ID, &[1]))?;
                                session.destroy(key)
                            };
                            let whole = Session::open_with(CKF_SERIAL_SESSION | CKF_RW_SESSION).and_then(|session| {
                                let worked = work(session);
                                let closed = session.close();
                                worked.and(closed)
                            });
                            match whole {
                                Ok(()) => done += 1,
                                Err(rv) => assert!(pulled_away(rv), "{rv:?}"),
                            }
                        }
                        done
                    })
                })
                .collect();
            let pause = || std::thread::sleep(std::time::Duration::from_millis(4));
            for round in 0..25 {
                let session = Session::open();
                session.login(ALICE).unwrap();
                pause();
                match round % 3 {
                    0 => session.logout().unwrap(),
                    1 => answer(call!(C_CloseAllSessions(SLOT))).unwrap(),
                    _ => {
                        finalize().unwrap();
                        initialize().unwrap();
                    }
                }
                // What the workers have opened since may keep the login alive; the next round begins without one.
                let _ = Session::open().logout();
            }
            let session = Session::open();
            session.login(ALICE).unwrap();
            pause();
            stop.store(true, Ordering::Relaxed);
            let done: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
            assert!(done > 0, "no worker came to its end");
            println!("{done} whole rounds of 32 threads");
        });
    });
}
