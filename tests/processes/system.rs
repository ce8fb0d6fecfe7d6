//! What the operating system sees: system calls, memory.

use std::ptr;

use crate::support::*;

/// Marks a place in the trace of a process: a write to a descriptor that cannot be.
fn mark(name: &str) {
    // SAFETY: fails, and is meant to.
    unsafe { libc::write(-1, name.as_ptr().cast(), name.len()) };
}

/// The system calls between two marks of a trace, of the thread that made the marks.
fn between<'a>(trace: &'a str, name: &str) -> Vec<&'a str> {
    let at = |mark: &str| {
        let text = format!("write(-1, \"{mark}\"");
        trace.lines().position(|line| line.contains(&text)).unwrap_or_else(|| panic!("no mark {mark} in the trace"))
    };
    let (start, end) = (at(&format!("{name} begins")), at(&format!("{name} ends")));
    let lines: Vec<_> = trace.lines().collect();
    let thread = lines[start].split_whitespace().next().unwrap();
    lines[start + 1..end].iter().copied().filter(|line| line.split_whitespace().next() == Some(thread)).collect()
}

/// Runs a stage under strace and answers the trace, or nothing where strace cannot work.
fn traced(test: &Test, name: &str, home: &std::path::Path, stage: &str, file: &std::path::Path) -> Option<String> {
    if !there_is("strace") {
        skip(name, "strace is not installed");
        return None;
    }
    let path = file.to_str().unwrap();
    let probe = std::process::Command::new("strace").args(["-o", path, "true"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        skip(name, "strace may not trace here (ptrace is forbidden)");
        return None;
    }
    // Strings of 64 bytes, so that the marks are whole.
    test.must(&mut test.stage_under(&["strace", "-f", "-s", "64", "-o", path], "cloudhsm", home, stage));
    Some(std::fs::read_to_string(file).unwrap())
}

/// One fsync for each durable create; one for a login with a PIN that the process has not had, which is counted before it is judged
/// (SECURITY.md), and none for a login again.
#[test]
fn one_fsync_for_each_create() {
    staged(|stage, test| match stage {
        "" => {
            let (home, folder) = (Folder::new(), Folder::new());
            test.run("cloudhsm", home.path(), "make");
            let Some(trace) =
                traced(test, "one_fsync_for_each_create", home.path(), "work", &folder.path().join("trace"))
            else {
                return;
            };
            let syncs = |name| {
                let calls = between(&trace, name);
                calls
                    .iter()
                    .filter(|line| line.contains("fsync(") || line.contains("fdatasync(") || line.contains("msync("))
                    .count()
            };
            // The first commit of a process may have to begin the write-ahead log.
            assert!((1..=2).contains(&syncs("first login")), "{}", syncs("first login"));
            assert_eq!(syncs("login again"), 0, "it writes nothing");
            assert_eq!(syncs("session key"), 0);
            assert_eq!(syncs("secret key"), 10, "ten keys, ten commits");
            assert_eq!(syncs("key pair"), 10, "the halves of a pair are one commit");
            assert_eq!(syncs("destroy"), 10);
            assert_eq!(syncs("logout"), 0);
        }
        "make" => {
            // The write-ahead log and its index are made with the first commit.
            let session = hsm();
            session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true)).unwrap();
        }
        _ => {
            initialize().unwrap();
            let session = Session::open();
            let lasting = Template::new().flag(CKA_TOKEN, true);
            mark("first login begins");
            session.login(ALICE).unwrap();
            mark("first login ends");
            session.logout().unwrap();
            mark("login again begins");
            session.login(ALICE).unwrap();
            mark("login again ends");
            session.generate(CKM_AES_KEY_GEN, &aes().and(&lasting)).unwrap();
            mark("session key begins");
            session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
            mark("session key ends");
            mark("secret key begins");
            let keys: Vec<_> =
                (0..10).map(|_| session.generate(CKM_AES_KEY_GEN, &aes().and(&lasting)).unwrap()).collect();
            mark("secret key ends");
            mark("key pair begins");
            for _ in 0..10 {
                let (public, private) = (ec_public(P256).and(&lasting), ec_private().and(&lasting));
                session.generate_pair(CKM_EC_KEY_PAIR_GEN, &public, &private).unwrap();
            }
            mark("key pair ends");
            mark("destroy begins");
            for key in keys {
                session.destroy(key).unwrap();
            }
            mark("destroy ends");
            mark("logout begins");
            session.logout().unwrap();
            mark("logout ends");
        }
    });
}

/// Issue 2: no system call in a loop of C_Sign, C_Digest, C_Encrypt, C_GenerateRandom.
#[test]
fn no_system_call_in_an_operation() {
    staged(|stage, test| match stage {
        "" => {
            let (home, folder) = (Folder::new(), Folder::new());
            let name = "no_system_call_in_an_operation";
            let Some(trace) = traced(test, name, home.path(), "work", &folder.path().join("trace")) else { return };
            for name in ["sign", "ecdsa", "rsa", "digest", "encrypt", "random", "session", "attributes"] {
                let calls = between(&trace, name);
                // An allocator may ask for memory once in a while; the library's own paths ask for nothing.
                assert!(
                    calls.is_empty(),
                    "{name}: {} system calls, the first: {:?}",
                    calls.len(),
                    &calls[..calls.len().min(5)]
                );
            }
        }
        _ => {
            let session = hsm();
            let key = session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true)).unwrap();
            let hmac = session.create(&generic_value(&[1; 32])).unwrap();
            let lasting = Template::new().flag(CKA_TOKEN, true);
            let pair = |mechanism, public: Template, private: Template| {
                session.generate_pair(mechanism, &public.and(&lasting), &private.and(&lasting)).unwrap().1
            };
            let ecdsa = pair(CKM_EC_KEY_PAIR_GEN, ec_public(P256), ec_private());
            // Not generated: that takes a number of draws of chance, and every 4,096th draw of a thread asks the kernel.
            let rsa = session.create(&rsa_private_value().and(&lasting).flag(CKA_SIGN, true)).unwrap();
            let mut memory = [0; 1024];
            let place = memory.as_mut_ptr();
            let sign = |mechanism: CK_MECHANISM_TYPE, key, size: CK_ULONG| {
                let mut mechanism = Mechanism::new(mechanism);
                let mut length = 1024;
                assert_eq!(call!(C_SignInit(session.0, mechanism.raw(), key)), CKR_OK);
                assert_eq!(call!(C_Sign(session.0, place, size, place, &raw mut length)), CKR_OK);
            };
            let digest = || {
                let mut mechanism = Mechanism::new(CKM_SHA256);
                let mut length = 1024;
                assert_eq!(call!(C_DigestInit(session.0, mechanism.raw())), CKR_OK);
                assert_eq!(call!(C_Digest(session.0, place, 64, place, &raw mut length)), CKR_OK);
            };
            let encrypt = || {
                let (mut iv, mut none) = ([0; 12], []);
                let mut parameter = gcm(&mut iv, &mut none, 128);
                let mut mechanism = Mechanism::with(CKM_AES_GCM, &mut parameter);
                let mut length = 1024;
                assert_eq!(call!(C_EncryptInit(session.0, mechanism.raw(), key)), CKR_OK);
                assert_eq!(call!(C_Encrypt(session.0, place, 64, place, &raw mut length)), CKR_OK);
            };
            let random = || assert_eq!(call!(C_GenerateRandom(session.0, place, 32)), CKR_OK);
            let open = || Session::open().close().unwrap();
            let read = || {
                let mut values = [0_u64; 3];
                let [a, b, c] = &mut values;
                let entry = |id, place: &mut u64, length| CK_ATTRIBUTE {
                    type_: id,
                    pValue: ptr::from_mut(place).cast(),
                    ulValueLen: length,
                };
                let mut list = [entry(CKA_CLASS, a, 8), entry(CKA_KEY_TYPE, b, 8), entry(CKA_TOKEN, c, 1)];
                assert_eq!(call!(C_GetAttributeValue(session.0, key, list.as_mut_ptr(), 3)), CKR_OK);
            };
            let many = |name: &str, rounds: usize, run: &dyn Fn()| {
                for _ in 0..3 {
                    run();
                }
                mark(&format!("{name} begins"));
                for _ in 0..rounds {
                    run();
                }
                mark(&format!("{name} ends"));
            };
            many("sign", 500, &|| sign(CKM_SHA256_HMAC, hmac, 64));
            many("ecdsa", 100, &|| sign(CKM_ECDSA, ecdsa, 32));
            many("rsa", 20, &|| sign(CKM_SHA256_RSA_PKCS, rsa, 64));
            many("digest", 500, &digest);
            many("encrypt", 500, &encrypt);
            many("random", 500, &random);
            many("session", 500, &open);
            many("attributes", 500, &read);
        }
    });
}

/// The resident memory of this process, in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// 3,000 cycles of dlopen, C_Initialize, C_Finalize, dlclose, with CLOUDHSM_LONG=1 10,000: the process does not grow by a mebibyte.
#[test]
fn loading_and_unloading_leaks_nothing() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            test.run("cloudhsm", home.path(), "cycle");
        }
        "make" => activate(&[ALICE]),
        _ => {
            give_up_in_time();
            let path = library_path();
            let cycle = || {
                // SAFETY: the symbols have these types by the standard.
                unsafe {
                    let library = libloading::Library::new(&path).unwrap();
                    type Simple = unsafe extern "C" fn(*mut std::ffi::c_void) -> CK_RV;
                    let initialize: libloading::Symbol<'_, Simple> = library.get(b"C_Initialize").unwrap();
                    let finalize: libloading::Symbol<'_, Simple> = library.get(b"C_Finalize").unwrap();
                    assert_eq!(initialize(ptr::null_mut()), CKR_OK);
                    assert_eq!(finalize(ptr::null_mut()), CKR_OK);
                    library.close().unwrap();
                }
            };
            let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
            for _ in 0..300 {
                cycle();
            }
            let (before, open) = (resident(), descriptors());
            let cycles = if std::env::var_os("CLOUDHSM_LONG").is_some() { 10_000 } else { 3000 };
            for _ in 0..cycles {
                cycle();
            }
            let grown = resident().saturating_sub(before);
            println!("{} KiB after {cycles} cycles, {grown} bytes more", resident() / 1024);
            assert!(grown < 1 << 20, "grown by {grown} bytes");
            assert_eq!(descriptors(), open, "descriptors stay open");
        }
    });
}

/// The same for sessions, logins and operations: nothing stays behind in a process that lives long.
#[test]
fn a_long_life_leaks_nothing() {
    isolated(|| {
        let first = hsm();
        let lasting = first.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_TOKEN, true)).unwrap();
        let round = || {
            let session = Session::open();
            let key = session.create(&aes_value(&[1; 32])).unwrap();
            session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 64]).unwrap();
            session.encrypt(&mut Mechanism::new(CKM_AES_ECB), lasting, &[0; 64]).unwrap();
            session.sign_init(&mut Mechanism::new(CKM_AES_CMAC), key).unwrap();
            session.sign_update(b"never finished").unwrap();
            session.digest_init(CKM_SHA256).unwrap();
            session.find(&Template::new()).unwrap();
            session.close().unwrap();
        };
        for _ in 0..2000 {
            round();
        }
        let before = resident();
        for _ in 0..20_000 {
            round();
        }
        let grown = resident().saturating_sub(before);
        assert!(grown < 1 << 20, "grown by {grown} bytes");
    });
}
