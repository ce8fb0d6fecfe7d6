//! Other accounts: folders that may not be written, belong to somebody else or let others in; root as a guest; a
//! program with privileges that its caller lacks.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

use crate::run::{
    DENIED, DEVICE_ERROR, FUNCTION_FAILED, Hsm, NOBODY, OK, Place, Run, USER_PIN_NOT_INITIALIZED, give, root_or_skip,
    set_mode, staged,
};

/// An account that is neither root nor `nobody`.
const STRANGER: u32 = 61234;

#[test]
fn a_folder_that_cannot_be_written() {
    if !root_or_skip("a_folder_that_cannot_be_written") {
        return;
    }
    for (mode, made) in [(0o755, "home"), (0o555, "home/hsm1")] {
        let place = Place::new();
        // The first is root's; the second is the account's own, which it may not change all the same.
        let above = place.folder("above", if mode == 0o755 { 0 } else { NOBODY }, NOBODY, mode);
        let home = if made == "home" { above.join("home") } else { above.clone() };
        let child = || Run::new(&home).user(NOBODY, NOBODY);
        let probe = home.join("probe");
        let probe = if made == "home" { above.join("probe") } else { probe };
        let outcome = child().steps(&format!("write {};initialize;activate", probe.display())).run();
        assert_eq!(outcome.answer("write"), DENIED, "a plain write must fail for this account: {outcome:?}");
        assert_eq!(outcome.rv("initialize"), OK, "an HSM that is not there needs no folder: {outcome:?}");
        outcome.assert_one_line("activate", DEVICE_ERROR, &home, &["Permission denied", "give this user access"]);
        assert_eq!(fs::read_dir(&above).unwrap().count(), 0, "something was left behind");
        give(&above, NOBODY, NOBODY);
        set_mode(&above, 0o700);
        child().steps("initialize;activate;create_user;login;make first;use first").run().assert_quiet();
    }
}

#[test]
fn a_folder_that_belongs_to_another_account() {
    if !root_or_skip("a_folder_that_belongs_to_another_account") {
        return;
    }
    let hsm = Hsm::of_nobody();
    let device_key = hsm.file("device.key");
    // The home lets nobody else in, so not even its configuration can be looked for.
    let stranger = || Run::new(&hsm.home).user(STRANGER, STRANGER);
    let outcome = stranger().steps(&format!("read {};initialize", device_key.display())).run();
    assert_eq!(outcome.answer("read"), DENIED);
    outcome.assert_one_line("initialize", FUNCTION_FAILED, &hsm.home, &["Permission denied", "give this user access"]);
    // The home may be entered, the HSM's folder not.
    set_mode(&hsm.home, 0o755);
    let outcome = stranger().steps(&format!("read {};initialize", device_key.display())).run();
    assert_eq!(outcome.answer("read"), DENIED);
    outcome.assert_one_line("initialize", DEVICE_ERROR, &hsm.file(""), &["Permission denied", "give this user access"]);
    // Even the folder may be entered: refused by whose it is, before anything in it is looked at.
    set_mode(&hsm.file(""), 0o755);
    let outcome = stranger().steps("initialize").run();
    let belongs = format!("belongs to user {NOBODY}");
    outcome.assert_one_line("initialize", DEVICE_ERROR, &hsm.file(""), &[&belongs, "run it as that user"]);
    set_mode(&hsm.file(""), 0o700);
    hsm.assert_whole();
}

#[test]
fn a_file_that_belongs_to_another_account() {
    if !root_or_skip("a_file_that_belongs_to_another_account") {
        return;
    }
    for name in ["hsm.db", "device.key", "gen.map", "write.lock"] {
        let hsm = Hsm::of_nobody();
        let path = hsm.file(name);
        give(&path, STRANGER, STRANGER);
        let outcome = hsm.run(&format!("read {};initialize", path.display()));
        assert_eq!(outcome.answer("read"), DENIED);
        outcome.assert_one_line("initialize", DEVICE_ERROR, &path, &["belongs to user 61234", "chown 65534"]);
        give(&path, NOBODY, NOBODY);
        hsm.assert_whole();
    }
}

#[test]
fn files_and_folders_that_let_others_in() {
    let hsm = Hsm::new();
    for (name, wide, right) in [
        ("device.key", 0o640, 0o600),
        ("device.key", 0o604, 0o600),
        ("hsm.db", 0o644, 0o600),
        ("gen.map", 0o666, 0o600),
        ("write.lock", 0o602, 0o600),
        ("", 0o777, 0o700),
        ("", 0o750, 0o700),
    ] {
        let path = hsm.file(name);
        set_mode(&path, wide);
        let cure = format!("run: chmod {right:04o}");
        let mode = format!("{wide:04o}");
        hsm.assert_refused(DEVICE_ERROR, name, &[&mode, "lets others in", &cure], || set_mode(&path, right));
    }
}

#[test]
fn a_home_in_which_strangers_may_write() {
    let hsm = Hsm::new();
    set_mode(&hsm.home, 0o777);
    let outcome = hsm.run("initialize");
    outcome.assert_one_line("initialize", DEVICE_ERROR, &hsm.home, &["others may write in it", "chmod go-w"]);
    set_mode(&hsm.home, 0o755);
    hsm.assert_whole();
    let place = Place::new();
    let home = place.join("home");
    fs::create_dir(&home).unwrap();
    set_mode(&home, 0o777);
    let outcome = Run::new(&home).steps("initialize;activate").run();
    outcome.assert_one_line("activate", DEVICE_ERROR, &home, &["others may write in it", "chmod go-w"]);
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
}

#[test]
fn a_file_that_its_owner_may_only_read() {
    if !root_or_skip("a_file_that_its_owner_may_only_read") {
        return;
    }
    for (name, words) in [
        ("hsm.db", ["cannot be opened for writing", "give this user access"]),
        ("write.lock", ["Permission denied", "give this user access"]),
        ("gen.map", ["Permission denied", "give this user access"]),
    ] {
        let hsm = Hsm::of_nobody();
        let path = hsm.file(name);
        set_mode(&path, 0o400);
        let outcome = hsm.run(&format!("write {}", path.display()));
        assert_eq!(outcome.answer("write"), DENIED);
        // The probe would have cut the file to nothing if it could.
        hsm.assert_refused(DEVICE_ERROR, name, &words, || set_mode(&path, 0o600));
    }
    // The folder of the HSM: there is no room for the log beside the database.
    let hsm = Hsm::of_nobody();
    set_mode(&hsm.file(""), 0o500);
    let outcome = hsm.run(&format!("write {}", hsm.file("probe").display()));
    assert_eq!(outcome.answer("write"), DENIED);
    let words = &["cannot be opened for writing", "give this user access"];
    hsm.assert_refused(DEVICE_ERROR, "", words, || set_mode(&hsm.file(""), 0o700));
    // A key that is only read may be read-only.
    let hsm = Hsm::of_nobody();
    set_mode(&hsm.file("device.key"), 0o400);
    hsm.assert_whole();
}

#[test]
fn root_works_in_the_name_of_the_folders_owner() {
    if !root_or_skip("root_works_in_the_name_of_the_folders_owner") {
        return;
    }
    // Made by root in a service account's folder, from the first file on.
    let place = Place::new();
    let above = place.folder("service", NOBODY, NOBODY, 0o700);
    let home = above.join("home");
    let folder = home.join("hsm1");
    let steps = "initialize;activate;create_user;login;make first;use first";
    let outcome = Run::new(&home).steps(&format!("{steps};owners {}", folder.display())).run();
    outcome.assert_quiet();
    let owners = outcome.answer("owners");
    assert!(owners.contains("hsm.db-wal:") && owners.contains("hsm.db-shm:"), "{owners}");
    for entry in owners.split(',') {
        assert!(entry.contains(":65534:65534:"), "{entry} is not the service account's: {owners}");
        assert!(entry.ends_with(":600") || entry == "hsm1:65534:65534:700", "{entry}");
    }
    assert_eq!(fs::metadata(&home).unwrap().uid(), NOBODY);
    let block = outcome.answer("use").to_owned();
    // The account uses what root has made, and root what the account has made, while both have it open.
    let (ready, go) = (above.join("ready"), above.join("go"));
    let account = Run::new(&home)
        .user(NOBODY, NOBODY)
        .steps(&format!(
            "initialize;login;use first;make mine;tell {};await {};use roots;make last",
            ready.display(),
            go.display()
        ))
        .start();
    let root = Run::new(&home)
        .steps(&format!(
            "await {};initialize;login;use mine;make roots;owners {};tell {}",
            ready.display(),
            folder.display(),
            go.display()
        ))
        .run();
    root.assert_quiet();
    let account = account.end();
    account.assert_quiet();
    assert_eq!(account.all("use")[0], block);
    assert!(root.answer("use").starts_with("block-") && account.answer("use").starts_with("block-"));
    assert!(!root.answer("owners").contains(":0:"), "{root:?}");
}

/// A C program that says whether it is privileged and what the library makes of it.
const PROGRAM: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
int main(int count, char **words) {
    void *library = dlopen(words[1], RTLD_NOW);
    if (!library) { printf("dlopen: %s\n", dlerror()); return 1; }
    unsigned long (*initialize)(void *) = (unsigned long (*)(void *))dlsym(library, "C_Initialize");
    unsigned long (*init_token)(unsigned long, const char *, unsigned long, const char *) =
        (unsigned long (*)(unsigned long, const char *, unsigned long, const char *))dlsym(library, "C_InitToken");
    unsigned long (*open_session)(unsigned long, unsigned long, void *, void *, unsigned long *) =
        (unsigned long (*)(unsigned long, unsigned long, void *, void *, unsigned long *))dlsym(library, "C_OpenSession");
    unsigned long (*login)(unsigned long, unsigned long, const char *, unsigned long) =
        (unsigned long (*)(unsigned long, unsigned long, const char *, unsigned long))dlsym(library, "C_Login");
    unsigned long slot = 0x2000000000000001UL, session = 0;
    printf("secure %lu\n", getauxval(AT_SECURE));
    printf("initialize %#lx\n", initialize(0));
    printf("open %#lx\n", open_session(slot, 6, 0, 0, &session));
    printf("login %#lx\n", login(session, 1, "alice:secret-12", 15));
    if (count > 2) {
        unsigned long (*close_all)(unsigned long) = (unsigned long (*)(unsigned long))dlsym(library, "C_CloseAllSessions");
        close_all(slot);
        printf("activate %#lx\n", init_token(slot, words[2], strlen(words[2]), "hsm1                            "));
    }
    return 0;
}
"#;

#[test]
fn a_setuid_program_believes_only_etc() {
    let name = "a_setuid_program_believes_only_etc";
    if !root_or_skip(name) {
        return;
    }
    let hsm = Hsm::of_nobody();
    let place = Place::new();
    let (source, program) = (place.join("program.c"), place.join("program"));
    fs::write(&source, PROGRAM).unwrap();
    let compiled = Command::new("cc").args(["-O1", "-o"]).arg(&program).arg(&source).arg("-ldl").status();
    if !compiled.is_ok_and(|status| status.success()) {
        println!("SKIP {name}: there is no C compiler");
        return;
    }
    give(&program, NOBODY, NOBODY);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o6755)).unwrap();
    // /etc and /var/lib are empty folders of this child alone.
    let run = |config: &str, words: &str| {
        let etc = place.join("config.toml");
        fs::write(&etc, config).unwrap();
        let script = format!(
            "mount -t tmpfs -o mode=755 none /etc && mkdir /etc/cloudhsm-pkcs11 && \
             cp {} /etc/cloudhsm-pkcs11/config.toml && mount -t tmpfs -o mode=755,uid={NOBODY} none /var/lib && \
             umask 022 && setpriv --reuid={STRANGER} --regid={STRANGER} --clear-groups {} {} {words} && \
             ls -ln /var/lib",
            etc.display(),
            program.display(),
            staged().1.display()
        );
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c", &script])
            .env("CLOUDHSM_PKCS11_HOME", &hsm.home)
            .env("CLOUDHSM_PKCS11_CONFIG", place.join("nowhere.toml"))
            .env("CLOUDHSM_PKCS11_PROFILE", "loose")
            .env("CLOUDHSM_PKCS11_LOG_FILE", place.join("log"))
            .env("XDG_DATA_HOME", place.path())
            .output();
        output.ok().map(|output| {
            (
                String::from_utf8_lossy(&output.stdout).into_owned(),
                String::from_utf8_lossy(&output.stderr).into_owned(),
                output.status.success(),
            )
        })
    };
    let Some((said, errors, true)) = run("", "") else {
        println!("SKIP {name}: unshare, mount or setpriv does not work here: {:?}", run("", ""));
        return;
    };
    if !said.contains("secure 1\n") {
        println!("SKIP {name}: {} is on a file system without set-user-ID programs", place.path().display());
        return;
    }
    // None of the variables counts: else the profile or the missing file would be refused, or the HSM would be found.
    assert!(said.contains("initialize 0\n"), "{said}{errors}");
    assert!(said.contains(&format!("login {USER_PIN_NOT_INITIALIZED:#x}\n")), "{said}{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    crate::run::assert_clear(
        errors.trim_end(),
        "/var/lib/cloudhsm-pkcs11/hsm1".as_ref(),
        &["is not activated", "cluster activate"],
    );
    assert!(!place.join("log").exists());
    // The file under /etc does: its mistake is refused, its settings hold.
    let (said, errors, _) = run("profil = \"standard\"\n", "").unwrap();
    assert!(said.contains("initialize 0x6\n"), "{said}{errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    crate::run::assert_clear(errors.trim_end(), "/etc/cloudhsm-pkcs11/config.toml".as_ref(), &["profil", "line 1"]);
    let (said, errors, _) = run("log_level = \"off\"\n", "admin:officer-1").unwrap();
    assert!(said.contains("activate 0\n"), "{said}{errors}");
    assert_eq!(errors, "");
    let made = said.lines().find(|line| line.ends_with(" cloudhsm-pkcs11")).unwrap();
    assert!(made.starts_with("drwx------") && made.contains(&format!(" {NOBODY} ")), "{made}");
    hsm.assert_whole();
}
