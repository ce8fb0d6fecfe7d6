//! Fork: what the child has, what the parent keeps.

use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::*;

/// PKCS#11 3.2 section 2.2.2 (applications and processes): a child is no application of Cryptoki until it calls
/// C_Initialize; the parent goes on undisturbed.
#[test]
fn a_child_begins_anew() {
    isolated(|| {
        let session = hsm();
        let lasting = Template::new().flag(CKA_TOKEN, true).label("lasting");
        let key = session.generate(CKM_AES_KEY_GEN, &aes().and(&lasting)).unwrap();
        session.begin(Way::Encrypt, &mut Mechanism::new(CKM_AES_ECB), key).unwrap();
        let child = forked(|| {
            let refused = CKR_CRYPTOKI_NOT_INITIALIZED;
            assert_eq!(session.once_into(Way::Encrypt, &[0; 16], 16), code(refused));
            assert_eq!(Session::open_with(CKF_SERIAL_SESSION), code(refused));
            assert_eq!(session.logout(), code(refused));
            assert_eq!(finalize(), code(refused));
            assert_eq!(answer(call!(C_GetSlotList(CK_TRUE, ptr::null_mut(), ptr::null_mut()))), code(refused));
            initialize().unwrap();
            assert_eq!(session.information().err(), Some(Rv(CKR_SESSION_HANDLE_INVALID)));
            let own = Session::open();
            assert_eq!(own.information().unwrap().state, CKS_RW_PUBLIC_SESSION, "the login was the parent's");
            own.login(ALICE).unwrap();
            let key = own.labelled("lasting")[0];
            own.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
            own.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true).label("of the child")).unwrap();
            assert_ne!(own.random(16).unwrap(), [0; 16]);
            finalize().unwrap();
        });
        assert_eq!(joined(child), 0);
        session.once_into(Way::Encrypt, &[0; 16], 16).expect("the parent's operation goes on");
        assert_eq!(session.labelled("of the child").len(), 1);
        session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true)).unwrap();
    });
}

/// Parent and child draw different random numbers (storage and hotpath notes: the generator's buffer is not shared).
#[test]
fn parent_and_child_draw_different_numbers() {
    isolated(|| {
        initialize().unwrap();
        let session = Session::open();
        session.random(32).unwrap();
        let mut pipe = [0; 2];
        // SAFETY: room for two descriptors.
        assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
        let child = forked(|| {
            initialize().unwrap();
            let drawn = Session::open().random(32).unwrap();
            // SAFETY: the bytes are ours.
            assert_eq!(unsafe { libc::write(pipe[1], drawn.as_ptr().cast(), 32) }, 32);
        });
        assert_eq!(joined(child), 0);
        let mut drawn = vec![0; 32];
        // SAFETY: room for 32 bytes.
        assert_eq!(unsafe { libc::read(pipe[0], drawn.as_mut_ptr().cast(), 32) }, 32);
        assert_ne!(session.random(32).unwrap(), drawn);
    });
}

/// 100 forks, with CLOUDHSM_LONG=1 10,000, while eight threads commit and use keys; every child works, the parent loses nothing.
#[test]
fn forks_while_threads_work() {
    // The general profile: the writer may make more keys meanwhile than a CloudHSM holds.
    isolated_standard(|| {
        let long = std::env::var_os("CLOUDHSM_LONG").is_some();
        let (forks, users) = if long { (10_000, 100) } else { (100, 10) };
        let session = hsm();
        if long {
            give_up_after(3600);
        }
        let stop = AtomicBool::new(false);
        let made = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let session = Session::open();
                let mut made = 0_usize;
                while made <= 10 || !stop.load(Ordering::Relaxed) {
                    session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true).label("of the parent")).unwrap();
                    made += 1;
                }
                made
            });
            for _ in 0..7 {
                scope.spawn(|| {
                    let session = Session::open();
                    let key = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
                    while !stop.load(Ordering::Relaxed) {
                        session.encrypt(&mut Mechanism::bytes(CKM_AES_CBC, &[0; 16]), key, &[0; 64]).unwrap();
                        session.random(16).unwrap();
                        // Not all the time: the children want to run as well.
                        std::thread::sleep(Duration::from_micros(200));
                    }
                    session.close().unwrap();
                });
            }
            let mut children = Vec::new();
            for at in 0..forks {
                children.push(forked(|| {
                    assert_eq!(session.information().err(), Some(Rv(CKR_CRYPTOKI_NOT_INITIALIZED)));
                    // Some children use the HSM itself: a login takes its time.
                    if at % (forks / users) == 0 {
                        initialize().unwrap();
                        let own = Session::open();
                        own.login(ALICE).unwrap();
                        own.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true).label("of a child")).unwrap();
                        finalize().unwrap();
                    }
                }));
                std::thread::sleep(Duration::from_micros(300));
                if children.len() == 100 {
                    children.drain(..).for_each(|child| assert_eq!(joined(child), 0));
                }
            }
            for child in children {
                assert_eq!(joined(child), 0);
            }
            stop.store(true, Ordering::Relaxed);
            writer.join().unwrap()
        });
        assert_eq!(session.labelled("of a child").len(), users);
        assert_eq!(session.labelled("of the parent").len(), made);
        println!("{forks} forks beside 8 threads, {made} commits of the parent, {users} of children");
        finalize().unwrap();
        initialize().unwrap();
        let session = Session::open();
        session.login(ALICE).unwrap();
        assert_eq!(session.find(&Template::new()).unwrap().len(), made + users);
    });
}

/// Issue 2: a child that only sleeps while its parent is killed inside a commit does not keep the write lock from a
/// third process.
#[test]
fn a_sleeping_child_keeps_no_lock() {
    staged(|stage, test| match stage {
        "" => {
            for round in 0..5_u64 {
                let home = Folder::new();
                test.run("cloudhsm", home.path(), "make");
                let mut command = test.stage("cloudhsm", home.path(), "write");
                let mut parent = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
                let mut lines = std::io::BufRead::lines(std::io::BufReader::new(parent.stdout.take().unwrap()));
                let sleeper = lines.find_map(|line| line.ok()?.strip_prefix("sleeper ")?.parse::<i32>().ok());
                let sleeper = sleeper.expect("a child that sleeps");
                std::thread::sleep(Duration::from_micros(20_000 + 713 * round));
                parent.kill().unwrap();
                parent.wait().unwrap();
                let start = Instant::now();
                test.run("cloudhsm", home.path(), "third");
                let waited = start.elapsed();
                // SAFETY: a process of this test.
                assert_eq!(unsafe { libc::kill(sleeper, libc::SIGKILL) }, 0, "the child slept all the time");
                assert!(waited < Duration::from_secs(8), "the third process waited for {waited:?}");
            }
        }
        "make" => activate(&[ALICE]),
        "write" => {
            initialize().unwrap();
            let session = Session::open();
            session.login(ALICE).unwrap();
            let start = std::sync::Barrier::new(2);
            std::thread::scope(|scope| {
                // A thread that commits without end, and a fork in the middle of it.
                scope.spawn(|| {
                    let session = Session::open();
                    start.wait();
                    loop {
                        session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true)).unwrap();
                    }
                });
                start.wait();
                std::thread::sleep(Duration::from_millis(3));
                let sleeper = forked(|| {
                    // The pipe to the test must not stay open here.
                    // SAFETY: descriptors of this process.
                    unsafe {
                        libc::close(1);
                        libc::sleep(60);
                    }
                });
                println!("sleeper {sleeper}");
                loop {
                    session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true)).unwrap();
                }
            });
        }
        _ => {
            initialize().unwrap();
            let session = Session::open();
            session.login(ALICE).unwrap();
            session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true)).unwrap();
        }
    });
}
