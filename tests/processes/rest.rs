//! The store at rest: what a thief of the disk sees, and what somebody who edits it achieves.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::*;

const SECRET: &[u8; 32] = b"this-is-the-value-of-an-aes-key!";
const OTHER: &[u8; 32] = b"and-this-is-the-one-of-a-second!";
const LABEL: &str = "a label that nobody must read";
const IDENTITY: &[u8] = b"an identity of twenty-nine bytes";

fn make() {
    let session = hsm();
    let lasting = |label: &str| Template::new().flag(CKA_TOKEN, true).label(label);
    session.create(&aes_value(SECRET).and(&lasting(LABEL)).bytes(CKA_ID, IDENTITY)).unwrap();
    session.create(&aes_value(OTHER).and(&lasting("second"))).unwrap();
    let private = ec_private_value().on(&[CKA_SIGN]).and(&lasting(LABEL));
    session.create(&private).unwrap();
    session.create(&ec_public_value().on(&[CKA_VERIFY]).and(&lasting(LABEL))).unwrap();
    session.create(&rsa_private_value().on(&[CKA_SIGN]).and(&lasting(LABEL))).unwrap();
    finalize().unwrap();
}

/// The answers that the untouched keys give.
fn expected(session: Session) -> Answer<Vec<Vec<u8>>> {
    let ecb = |label: &str| {
        let template = Template::new().label(label).number(CKA_KEY_TYPE, CKK_AES);
        let found = session.find(&template)?;
        let key = *found.first().ok_or(Rv(CKR_OBJECT_HANDLE_INVALID))?;
        session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[1; 16])
    };
    let find = |class| -> Answer<CK_OBJECT_HANDLE> {
        let found = session.find(&Template::new().number(CKA_CLASS, class).number(CKA_KEY_TYPE, CKK_EC))?;
        found.first().copied().ok_or(Rv(CKR_OBJECT_HANDLE_INVALID))
    };
    let signature = session.sign(&mut Mechanism::new(CKM_ECDSA_SHA256), find(CKO_PRIVATE_KEY)?, b"message")?;
    session.verify(&mut Mechanism::new(CKM_ECDSA_SHA256), find(CKO_PUBLIC_KEY)?, b"message", &signature)?;
    let rsa = session.find(&Template::new().number(CKA_KEY_TYPE, CKK_RSA))?;
    let rsa = *rsa.first().ok_or(Rv(CKR_OBJECT_HANDLE_INVALID))?;
    let signature = session.sign(&mut Mechanism::new(CKM_SHA256_RSA_PKCS), rsa, b"message")?;
    Ok(vec![ecb(LABEL)?, ecb("second")?, signature])
}

/// Everything that a process can get from the store: the answers, or the error that stopped it.
fn everything() -> Answer<Vec<Vec<u8>>> {
    initialize()?;
    let session = Session::open_with(CKF_SERIAL_SESSION | CKF_RW_SESSION)?;
    session.login(ALICE)?;
    let answers = expected(session);
    finalize()?;
    answers
}

/// ARCHITECTURE, the key hierarchy: neither key material nor labels nor PINs stand in any file, in any common form.
#[test]
fn store_at_rest() {
    isolated(|| {
        make();
        let reversed: Vec<u8> = SECRET.iter().rev().copied().collect();
        let hexadecimal: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
        let needles: Vec<(&str, Vec<u8>)> = vec![
            ("the value of an AES key", SECRET.to_vec()),
            ("half of it", SECRET[..16].to_vec()),
            ("it reversed", reversed),
            ("it in hexadecimal", hexadecimal.into_bytes()),
            ("the scalar of an EC key", hex(ec_p256::SCALAR)),
            ("a prime of an RSA key", hex(rsa_2048::PRIME_1)),
            ("the private exponent", hex(rsa_2048::PRIVATE_EXPONENT)),
            ("the modulus", hex(rsa_2048::MODULUS)[..32].to_vec()),
            ("the point", hex(ec_p256::POINT)[1..33].to_vec()),
            ("a label", LABEL.as_bytes().to_vec()),
            ("an identity", IDENTITY.to_vec()),
            ("the user's password", b"alices-password".to_vec()),
            ("the officer's password", b"officer-password".to_vec()),
            ("the user's name", b"alice".to_vec()),
        ];
        let files = files_below(&home());
        assert!(files.len() >= 4, "{files:?}");
        for file in files {
            let content = std::fs::read(&file).unwrap();
            for (what, needle) in &needles {
                let found = content.windows(needle.len()).any(|window| window == needle.as_slice());
                assert!(!found, "{what} stands in {}", file.display());
            }
        }
    });
}

/// Copies the HSM's folder, files 0600 and folders 0700.
fn copy(from: &Path, to: &Path) {
    for file in files_below(from) {
        let target = to.join(file.strip_prefix(from).unwrap());
        let folder = target.parent().unwrap();
        if !folder.exists() {
            std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(folder).unwrap();
        }
        std::fs::copy(&file, &target).unwrap();
    }
}

/// A flipped bit anywhere in device.key, and at many places of the database, gives an error or changes nothing: never a
/// wrong answer, never a crash.
#[test]
fn flipped_bits_are_noticed() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            let good = answers(test, home.path()).expect("the untouched store answers");
            let device = home.path().join("hsm1/device.key");
            let mut refused = 0;
            let size = std::fs::metadata(&device).unwrap().len();
            for at in (0..size).step_by((size as usize / 12).max(1)) {
                assert!(
                    flipped(test, home.path(), "hsm1/device.key", at, &good),
                    "device.key, byte {at} does not matter"
                );
            }
            // Bytes in use; a page's free space is zeros.
            let content = std::fs::read(home.path().join("hsm1/hsm.db")).unwrap();
            let used: Vec<_> = (0..content.len()).filter(|at| content[*at] != 0).collect();
            let steps = if std::env::var_os("CLOUDHSM_LONG").is_some() { 1000 } else { 60 };
            for step in 0..steps {
                let at = used[used.len() * step / steps] as u64;
                refused += usize::from(flipped(test, home.path(), "hsm1/hsm.db", at, &good));
            }
            println!("{refused} of {steps} flipped bytes of the database stopped the process");
            assert!(refused >= steps / 4, "only {refused} of {steps}: the sealed records are most of the database");
        }
        "make" => make(),
        _ => match everything() {
            Ok(answers) => answers.iter().for_each(|answer| println!("answer {answer:02x?}")),
            Err(rv) => println!("refused {rv:?}"),
        },
    });
}

/// What the process said about a store: the answers, or nothing if it was refused.
fn answers(test: &Test, home: &Path) -> Option<Vec<String>> {
    let said = test.run("cloudhsm", home, "look");
    let answers: Vec<_> = said.lines().filter(|line| line.starts_with("answer ")).map(str::to_owned).collect();
    assert!(!answers.is_empty() || said.contains("refused "), "{said}");
    (!answers.is_empty()).then_some(answers)
}

/// Flips one bit in a copy of the store; whether it stopped the process.
fn flipped(test: &Test, home: &Path, file: &str, at: u64, good: &[String]) -> bool {
    let folder = Folder::new();
    copy(home, folder.path());
    let path = folder.path().join(file);
    let open = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut byte = [0];
    open.read_exact_at(&mut byte, at).unwrap();
    byte[0] ^= 0x10;
    open.write_all_at(&byte, at).unwrap();
    drop(open);
    match answers(test, folder.path()) {
        None => true,
        Some(answers) => {
            assert_eq!(answers, good, "{file}, byte {at}: a wrong answer");
            false
        }
    }
}

/// A changed byte in a sealed record, and two records with their sealed contents exchanged: refused.
#[test]
fn swapped_records_are_noticed() {
    staged(|stage, test| match stage {
        "" => {
            let name = "swapped_records_are_noticed";
            if !there_is("sqlite3") {
                skip(name, "the program sqlite3 is not installed");
                return;
            }
            let home = Folder::new();
            test.run("cloudhsm", home.path(), "make");
            let good = answers(test, home.path()).expect("the untouched store answers");
            let sql = |home: &Path, text: &str| {
                let output = Command::new("sqlite3").arg(home.join("hsm1/hsm.db")).arg(text).output().unwrap();
                assert!(output.status.success(), "{text}: {}", told(&output));
                String::from_utf8(output.stdout).unwrap()
            };
            // The tables that hold a sealed blob, and its column.
            let tables = sql(
                home.path(),
                "SELECT m.name || ' ' || p.name FROM sqlite_master m, pragma_table_info(m.name) p \
                 WHERE m.type = 'table' AND p.type = 'BLOB' AND p.name LIKE '%seal%'",
            );
            let sealed: Vec<_> = tables.lines().map(|line| line.split_once(' ').unwrap()).collect();
            assert!(!sealed.is_empty(), "no column of sealed blobs: {}", sql(home.path(), ".schema"));
            let mut swaps = 0;
            for (table, column) in sealed {
                let rows = sql(home.path(), &format!("SELECT rowid FROM {table} ORDER BY rowid"));
                let rows: Vec<_> = rows.lines().map(str::to_owned).collect();
                for pair in rows.windows(2) {
                    let folder = Folder::new();
                    copy(home.path(), folder.path());
                    let (a, b) = (&pair[0], &pair[1]);
                    sql(
                        folder.path(),
                        &format!(
                            "CREATE TEMP TABLE t AS SELECT rowid AS r, {column} AS c FROM {table} WHERE rowid IN ({a}, {b}); \
                         UPDATE {table} SET {column} = (SELECT c FROM t WHERE r = {b}) WHERE rowid = {a}; \
                         UPDATE {table} SET {column} = (SELECT c FROM t WHERE r = {a}) WHERE rowid = {b};"
                        ),
                    );
                    if let Some(answers) = answers(test, folder.path()) {
                        assert_eq!(answers, good, "{table}: rows {a} and {b} swapped give a wrong answer");
                        println!("{table}: rows {a} and {b} swapped: not read by this test");
                    } else {
                        swaps += 1;
                    }
                }
            }
            assert!(swaps >= 4, "{swaps} swaps were refused; the keys of this test are five");
            // One byte in each record of a key: the length and the tag at its ends, and what lies between.
            let (table, column) = ("objects", "sealed");
            for row in sql(home.path(), &format!("SELECT rowid FROM {table}")).lines() {
                let whole = sql(home.path(), &format!("SELECT hex({column}) FROM {table} WHERE rowid = {row}"));
                let whole = hex(whole.trim());
                for at in [0, 1, whole.len() / 2, whole.len() - 1] {
                    let folder = Folder::new();
                    copy(home.path(), folder.path());
                    let mut changed = whole.clone();
                    changed[at] ^= 1;
                    let digits: String = changed.iter().map(|byte| format!("{byte:02x}")).collect();
                    sql(folder.path(), &format!("UPDATE {table} SET {column} = x'{digits}' WHERE rowid = {row}"));
                    assert!(answers(test, folder.path()).is_none(), "{table}: row {row}, byte {at}: nobody noticed");
                }
            }
        }
        "make" => {
            make();
        }
        _ => match everything() {
            Ok(answers) => answers.iter().for_each(|answer| println!("answer {answer:02x?}")),
            Err(rv) => println!("refused {rv:?}"),
        },
    });
}

/// A store of a newer format is refused and left as it is (design, section 6).
#[test]
fn a_lost_device_key_is_one_error() {
    isolated(|| {
        make();
        let device: PathBuf = home().join("hsm1/device.key");
        std::fs::rename(&device, home().join("kept")).unwrap();
        let before = std::fs::read(home().join("hsm1/hsm.db")).unwrap();
        let refused = everything();
        assert!(refused.is_err(), "without device.key nothing opens");
        assert!(!device.exists(), "and no new one is made");
        assert_eq!(std::fs::read(home().join("hsm1/hsm.db")).unwrap(), before);
        let _ = finalize();
        std::fs::rename(home().join("kept"), &device).unwrap();
        everything().expect("with it put back all is well");
    });
}
