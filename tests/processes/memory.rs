//! What is in a process's memory after it has used keys and a PIN and let go of them: read from outside, as a core image would
//! hold it. Keys in use are in memory, and the control finds one.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::process::Stdio;

use crate::support::*;

const KEYS: u64 = 1000;
/// The number of a key that is kept, for the control.
const KEPT: u64 = 7_777_777;

/// The value of a key, made anew wherever it is needed, so that no copy of the test's own lies about.
fn value(number: u64, out: &mut [u8; 32]) {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995;
    for byte in out.iter_mut() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (state >> 56) as u8;
    }
}

/// The PIN, made the same way: letters, of a user that has them.
fn pin(out: &mut [u8; 26]) {
    out[..6].copy_from_slice(b"alice:");
    let mut letters = [0; 32];
    value(424_242, &mut letters);
    for (place, letter) in out[6..].iter_mut().zip(letters) {
        *place = b'a' + letter % 26;
    }
    wipe(&mut letters);
}

fn wipe(bytes: &mut [u8]) {
    for byte in bytes {
        // SAFETY: a byte that is ours; the compiler may not leave the write out.
        unsafe { std::ptr::write_volatile(byte, 0) };
    }
}

fn import(session: Session, number: u64) -> CK_OBJECT_HANDLE {
    let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
    let template = template.on(&[CKA_ENCRYPT, CKA_SIGN, CKA_SENSITIVE]);
    let mut bytes = [0; 32];
    value(number, &mut bytes);
    let mut raw = template.raw();
    raw.push(CK_ATTRIBUTE { type_: CKA_VALUE, pValue: bytes.as_mut_ptr().cast(), ulValueLen: 32 });
    let mut object = 0;
    answer(call!(C_CreateObject(session.0, raw.as_mut_ptr(), raw.len() as CK_ULONG, &raw mut object))).unwrap();
    wipe(&mut bytes);
    object
}

/// Which of the numbered values lie in the memory of a process, and whether the PIN does.
fn found_in(process: u32) -> (Vec<u64>, bool) {
    let mut firsts = std::collections::HashMap::new();
    for number in (0..KEYS).chain([KEPT]) {
        let mut bytes = [0; 32];
        value(number, &mut bytes);
        firsts.insert(<[u8; 8]>::try_from(&bytes[..8]).unwrap(), number);
        firsts.insert(<[u8; 8]>::try_from(&bytes[16..24]).unwrap(), number);
    }
    let mut secret = [0; 26];
    pin(&mut secret);
    let (mut keys, mut pins) = (Vec::new(), false);
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut memory = std::fs::File::open(format!("/proc/{process}/mem")).unwrap();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        if !rights.starts_with("rw") {
            continue;
        }
        let (start, end) = range.split_once('-').unwrap();
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        let mut bytes = vec![0; (end - start) as usize];
        if memory.seek(SeekFrom::Start(start)).is_err() || memory.read_exact(&mut bytes).is_err() {
            // The kernel's own pages at the top, and what was never touched.
            continue;
        }
        for window in bytes.windows(8) {
            if let Some(number) = firsts.get(window) {
                keys.push(*number);
            }
        }
        pins |= bytes.windows(20).any(|window| window == &secret[6..]);
    }
    keys.sort_unstable();
    keys.dedup();
    (keys, pins)
}

#[test]
fn nothing_is_left_of_released_keys() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            let mut command = test.stage("cloudhsm", home.path(), "use");
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
            let mut next = |what: &str| {
                assert!(lines.by_ref().any(|line| line == what), "the child did not come to {what}");
            };
            next("in use");
            let (keys, _) = found_in(child.id());
            assert!(keys.contains(&KEPT), "the control: a key that is in use is found, or the search finds nothing");
            let alive = keys.len();
            child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
            next("destroyed");
            let (keys, pin) = found_in(child.id());
            assert_eq!((keys, pin), (vec![KEPT], false), "after the keys were destroyed");
            child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
            next("finalized");
            let (keys, pin) = found_in(child.id());
            assert_eq!((keys, pin), (vec![], false), "after C_Finalize");
            child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
            assert!(child.wait().unwrap().success());
            println!("{alive} keys found while in use, 0 of {KEYS} after they were released, and no PIN");
        }
        "use" => {
            let wait = |said: &str| {
                println!("{said}");
                let mut line = String::new();
                std::io::stdin().read_line(&mut line).unwrap();
            };
            activate(&[]);
            let session = Session::open();
            session.login_as(CKU_SO, OFFICER).unwrap();
            let mut secret = [0; 26];
            pin(&mut secret);
            answer(call!(C_InitPIN(session.0, secret.as_mut_ptr(), 26))).unwrap();
            session.logout().unwrap();
            answer(call!(C_Login(session.0, CKU_USER, secret.as_mut_ptr(), 26))).unwrap();
            wipe(&mut secret);
            let kept = import(session, KEPT);
            let keys: Vec<_> = (0..KEYS).map(|number| import(session, number)).collect();
            for key in keys.iter().chain([&kept]) {
                session.encrypt(&mut Mechanism::bytes(CKM_AES_CBC, &[0; 16]), *key, &[0; 32]).unwrap();
                session
                    .encrypt(&mut Mechanism::with(CKM_AES_GCM, &mut gcm(&mut [0; 12], &mut [], 128)), *key, b"data")
                    .unwrap();
                session.sign(&mut Mechanism::new(CKM_AES_CMAC), *key, b"data").unwrap();
            }
            wait("in use");
            keys.into_iter().for_each(|key| session.destroy(key).unwrap());
            wait("destroyed");
            finalize().unwrap();
            wait("finalized");
        }
        other => panic!("{other}"),
    });
}

/// What SECURITY.md says of a forked child: the keys that were at hand are in its memory, until it ends or another program takes its
/// place. That the roots of both tiers are not is shown beside their pages (crates/platform/src/secret_page.rs).
#[test]
fn what_a_forked_child_has() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            let mut command = test.stage("cloudhsm", home.path(), "fork");
            let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
            let child: u32 = lines.by_ref().find_map(|line| line.strip_prefix("child ")?.parse().ok()).unwrap();
            assert!(found_in(process.id()).0.contains(&KEPT), "the control: the parent uses the key");
            assert!(found_in(child).0.contains(&KEPT), "the page says that a key at hand is in the child's memory");
            process.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
            assert!(process.wait().unwrap().success());
        }
        "fork" => {
            let session = hsm();
            let kept = import(session, KEPT);
            session.encrypt(&mut Mechanism::bytes(CKM_AES_CBC, &[0; 16]), kept, &[0; 32]).unwrap();
            let child = forked(|| {
                println!("child {}", std::process::id());
                std::io::stdin().read_line(&mut String::new()).unwrap();
            });
            assert_eq!(joined(child), 0);
            finalize().unwrap();
        }
        other => panic!("{other}"),
    });
}
