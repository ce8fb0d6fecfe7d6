//! A sandbox that refuses a system call, by a filter as seccomp(2) has them: with EPERM, as most policies do, or with ENOSYS, as those
//! that play an older kernel. Each system call that the library makes is refused alone, from C_Initialize on and after a login. No
//! call of PKCS#11 may end the process or never come back, and what fails says why in a line that does not blame permissions.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};

use crate::support::*;

/// What strace shows between the loading and C_Finalize, and what the C library may use instead of one of those.
///
/// Not refused, because the child itself needs them to answer or to end: `exit_group`, `exit`, `rt_sigreturn`, `restart_syscall`; and
/// `execve` and the loader's calls before the filter; `mmap` and `brk`, without which nobody has memory; `futex`, without which the C
/// library ends the process itself, in the first lock that two threads want.
const CALLS: &[(&str, libc::c_long)] = &[
    ("clock_gettime", libc::SYS_clock_gettime),
    ("clock_nanosleep", libc::SYS_clock_nanosleep),
    ("close", libc::SYS_close),
    ("faccessat2", libc::SYS_faccessat2),
    ("fcntl", libc::SYS_fcntl),
    ("fdatasync", libc::SYS_fdatasync),
    ("flock", libc::SYS_flock),
    ("fstatfs", libc::SYS_fstatfs),
    ("fsync", libc::SYS_fsync),
    ("ftruncate", libc::SYS_ftruncate),
    ("getcwd", libc::SYS_getcwd),
    ("geteuid", libc::SYS_geteuid),
    ("getpid", libc::SYS_getpid),
    ("getrandom", libc::SYS_getrandom),
    ("gettid", libc::SYS_gettid),
    ("lseek", libc::SYS_lseek),
    ("madvise", libc::SYS_madvise),
    ("mlock", libc::SYS_mlock),
    ("munmap", libc::SYS_munmap),
    ("newfstatat", libc::SYS_newfstatat),
    ("openat", libc::SYS_openat),
    ("pread64", libc::SYS_pread64),
    ("pwrite64", libc::SYS_pwrite64),
    ("pwritev2", libc::SYS_pwritev2),
    ("read", libc::SYS_read),
    ("rt_sigpending", libc::SYS_rt_sigpending),
    ("rt_sigprocmask", libc::SYS_rt_sigprocmask),
    ("rt_sigtimedwait", libc::SYS_rt_sigtimedwait),
    ("sched_yield", libc::SYS_sched_yield),
    ("statx", libc::SYS_statx),
    ("sysinfo", libc::SYS_sysinfo),
    ("unlinkat", libc::SYS_unlinkat),
    #[cfg(target_arch = "x86_64")]
    ("poll", libc::SYS_poll),
    #[cfg(target_arch = "x86_64")]
    ("readlink", libc::SYS_readlink),
    #[cfg(target_arch = "x86_64")]
    ("unlink", libc::SYS_unlink),
];
/// Without these a failure is not explained: the signals of writing cannot be held back, or what descriptor 2 is cannot be asked.
const SILENT: &[&str] = &["rt_sigprocmask", "fcntl", "newfstatat"];
const NUMBER: &str = "REFUSED_CALL";
const ERROR: &str = "REFUSED_WITH";

/// From now on this thread and what it starts gets `error` from the system call `number`.
fn refuse(number: libc::c_long, error: i32) {
    let step = |code: u32, jump_true, jump_false, value: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt: jump_true,
        jf: jump_false,
        k: value,
    };
    let answer = libc::SECCOMP_RET_ERRNO | u32::try_from(error).unwrap();
    let mut filter = [
        // The number of the call is the first word of what a filter sees.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::try_from(number).unwrap()),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, answer),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: a filter that is whole; what it allows is all but one call.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program), 0);
    }
}

/// Whether every answer was CKR_OK. Nothing here may stop the process but the library.
fn work(session: Session) -> bool {
    let mut well = true;
    let mut note = |answered: bool| well &= answered;
    let (public, private) = (ec_public(P256), ec_private());
    let pair = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &public, &private);
    note(pair.is_ok());
    if let Ok((_, private)) = pair {
        note(session.sign(&mut Mechanism::new(CKM_ECDSA_SHA256), private, b"text").is_ok());
    }
    let key = session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true).label("of the sandbox"));
    note(key.is_ok());
    if let Ok(key) = key {
        note(session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).is_ok());
        note(session.set(key, &Template::new().label("renamed")).is_ok());
        note(session.destroy(key).is_ok());
    }
    note(session.find(&Template::new().label("lasting")).is_ok());
    note(session.random(5000).is_ok());
    // Another thread seeds a generator of its own.
    let other = std::thread::Builder::new().spawn(move || session.random(64).is_ok());
    note(!matches!(other.map(std::thread::JoinHandle::join), Ok(Ok(false))));
    note(session.logout().is_ok());
    well
}

#[test]
fn no_refused_call_ends_the_process() {
    staged(|stage, test| match stage {
        "" => parent(test),
        "make" => {
            let session = hsm();
            session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true).label("lasting")).unwrap();
            finalize().unwrap();
        }
        _ => {
            give_up_after(100);
            let number = std::env::var(NUMBER).unwrap().parse().unwrap();
            let error = std::env::var(ERROR).unwrap().parse().unwrap();
            functions();
            let mut well = true;
            let mut session = None;
            if stage == "later" {
                initialize().unwrap();
                session = Some(Session::open());
                session.unwrap().login(ALICE).unwrap();
            }
            refuse(number, error);
            if stage == "first" && initialize().is_ok() {
                session = Session::open_with(CKF_SERIAL_SESSION | CKF_RW_SESSION).ok();
                well &= session.is_some_and(|session| session.login(ALICE).is_ok());
            } else {
                well &= stage == "later";
            }
            if let Some(session) = session {
                well &= work(session);
                well &= finalize().is_ok();
            }
            // SAFETY: ends the process: 0 if all went well, 7 if something was refused. The test harness may not be able to.
            unsafe { libc::_exit(if well { 0 } else { 7 }) };
        }
    });
}

fn parent(test: &Test) {
    let home = Folder::new();
    test.run("cloudhsm", home.path(), "make");
    let start = |stage: &str, number: libc::c_long, error: i32| -> Child {
        let mut command = test.stage("cloudhsm", home.path(), stage);
        command.env(NUMBER, number.to_string()).env(ERROR, error.to_string());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut failed = Vec::new();
    for (name, number) in CALLS {
        for error in [libc::EPERM, libc::ENOSYS] {
            for stage in ["first", "later"] {
                let output = start(stage, *number, error).wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                let what = format!("{name} refused with {error}, {stage}");
                println!("{what}: {} {said}", output.status);
                match output.status.code() {
                    Some(0) => {}
                    Some(7) => {
                        let lines: Vec<&str> =
                            said.lines().filter(|line| line.starts_with("cloudhsm-pkcs11[")).collect();
                        let told = !lines.is_empty() || SILENT.contains(name);
                        let untrue =
                            ["give this user access", "owner", "is full", "runs as user", "check the disk and"];
                        if !told || untrue.iter().any(|words| said.contains(words)) {
                            failed.push(format!("{what}: no true line: {said}"));
                        }
                    }
                    _ => {
                        failed.push(format!("{what}: {} (signal {:?}): {said}", output.status, output.status.signal()))
                    }
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // The HSM is whole after all that.
    let output = start("later", libc::SYS_getrandom, libc::EPERM).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "random numbers come from /dev/urandom: {output:?}");
}
