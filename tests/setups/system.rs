//! The system's part: disks that are full or may not be written, file systems of the network, two creators at once.

use std::fs;
use std::process::Command;
use std::sync::OnceLock;

use crate::run::{DEVICE_ERROR, FUNCTION_FAILED, Hsm, OK, Outcome, PIN_INCORRECT, Place, Run, assert_clear, is_root};

/// ENOSPC.
const FULL: &str = "28";

/// Whether a child can have mounts of its own; says why not.
fn mounts_or_skip(name: &str) -> bool {
    if !is_root() {
        println!("SKIP {name}: only root can mount a small file system");
        return false;
    }
    static WORKS: OnceLock<Result<(), String>> = OnceLock::new();
    let works = WORKS.get_or_init(|| {
        let place = Place::new();
        let script = format!("mount -t tmpfs -o size=64k none {}", place.path().display());
        match Command::new("unshare").args(["--mount", "sh", "-c", &script]).output() {
            Ok(output) if output.status.success() => Ok(()),
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(format!("unshare: {error}")),
        }
    });
    if let Err(cause) = works {
        println!("SKIP {name}: a tmpfs cannot be mounted here: {cause}");
    }
    works.is_ok()
}

fn small_disk(place: &Place, kib: u32) -> Run {
    let mount = format!("mount -t tmpfs -o mode=700,size={kib}k none {}", place.path().display());
    Run::new(&place.join("home")).mounts(&mount)
}

#[test]
fn a_disk_that_fills_up() {
    if !mounts_or_skip("a_disk_that_fills_up") {
        return;
    }
    let place = Place::new();
    let (junk, database) = (place.join("junk"), place.join("home/hsm1/hsm.db"));
    let (fill, free) = (format!("fill {}", junk.display()), format!("remove {}", junk.display()));
    let outcome = small_disk(&place, 4096)
        .steps(&format!(
            "initialize;activate;create_user;login;make first;use first;{fill};\
             make second;make second;make second;make second;use first;count;{free};\
             make third;use third;use first;finalize;initialize;login;use third;use first;count"
        ))
        .run();
    assert_eq!(outcome.answer("fill"), FULL);
    // What the log had room for was made; the rest was refused, each with its line, and left nothing.
    let made = outcome.all("make");
    assert_eq!((made[0], made[4], made[5]), ("0x0", "0x31", "0x0"), "{outcome:?}");
    let full = made.iter().filter(|answer| **answer == "0x31").count();
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), full, "{outcome:?}");
    for line in lines {
        assert_clear(line, &database, &["CKR_DEVICE_MEMORY", "is full", "free some space"]);
    }
    let keys = made.iter().filter(|answer| **answer == "0x0").count();
    assert_eq!(outcome.all("count"), [(keys - 1).to_string(), keys.to_string()]);
    let uses = outcome.all("use");
    assert!(uses.iter().all(|answer| answer.starts_with("block-")), "{outcome:?}");
    assert_eq!((uses[0], uses[0], uses[0], uses[2]), (uses[1], uses[3], uses[5], uses[4]), "{outcome:?}");
}

#[test]
fn a_disk_that_is_full_when_an_hsm_is_made() {
    if !mounts_or_skip("a_disk_that_is_full_when_an_hsm_is_made") {
        return;
    }
    let place = Place::new();
    let home = place.join("home");
    // From nothing at all to nearly enough: whatever it fails at, it leaves nothing and says so once.
    for kib in [8, 12, 16, 24, 32, 48, 64, 96, 128, 160] {
        let outcome = small_disk(&place, kib)
            .steps(&format!(
                "mkdir {0};initialize;activate;finalize;owners {0};remount size=4m {1};initialize;activate;create_user;\
                 login;make first;use first",
                home.display(),
                place.path().display()
            ))
            .run();
        let first = outcome.all("activate")[0];
        let lines: Vec<&str> = outcome.stderr.lines().collect();
        if first == "0x0" {
            assert_eq!(outcome.stderr, "", "{kib} KiB: {outcome:?}");
            continue;
        }
        assert!(["0x30", "0x31"].contains(&first), "{kib} KiB: {outcome:?}");
        assert_eq!(lines.len(), 1, "{kib} KiB: {outcome:?}");
        assert_clear(lines[0], &home, &["free some space"]);
        assert!(outcome.answer("owners").starts_with("home:0:0:"), "{outcome:?}");
        assert!(!outcome.answer("owners").contains(','), "{kib} KiB: something was left: {outcome:?}");
        assert!(outcome.answer("use").starts_with("block-"), "{kib} KiB: {outcome:?}");
    }
}

#[test]
fn a_disk_that_is_full_when_the_hsm_is_opened() {
    if !mounts_or_skip("a_disk_that_is_full_when_the_hsm_is_opened") {
        return;
    }
    let place = Place::new();
    let junk = place.join("junk");
    let outcome = small_disk(&place, 4096)
        .steps(&format!(
            "initialize;activate;create_user;login;make first;use first;finalize;fill {0};initialize;login;use first;\
             finalize;remove {0};initialize;login;use first;make second",
            junk.display()
        ))
        .run();
    assert_eq!(outcome.answer("fill"), FULL);
    let opened = outcome.all("initialize")[1];
    if opened == "0x0" {
        assert_eq!(outcome.all("use")[0], outcome.all("use")[1], "{outcome:?}");
    } else {
        assert_eq!(opened, "0x31", "{outcome:?}");
        assert_clear(outcome.stderr.lines().next().unwrap(), &place.join("home/hsm1"), &["full", "free some space"]);
        assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    }
    assert_eq!(outcome.all("use").first(), outcome.all("use").last(), "{outcome:?}");
    assert_eq!(outcome.rv("make"), OK);
}

/// PKCS#11 3.2 section 5.7.4 gives C_DestroyObject no way out on a full disk that its caller could take: what is to be gone goes. And
/// SECURITY.md: five wrong PINs lock the user, on a full disk too.
#[test]
fn what_must_work_on_a_full_disk() {
    if !mounts_or_skip("what_must_work_on_a_full_disk") {
        return;
    }
    let run = |steps: &str| {
        let place = Place::new();
        let steps = steps
            .replace("FILL", &format!("fill {}", place.join("junk").display()))
            .replace("FREE", &format!("remove {}", place.join("junk").display()))
            .replace("WASTE", &format!("remove {}", place.join("home/hsm1/reserve").display()));
        let begin = "initialize;activate;create_user;login;make first;make second;make third;finalize";
        small_disk(&place, 4096).steps(&format!("{begin};{steps}")).run()
    };
    // In a process that begins when the disk is full, and again after it has been full for a while.
    let outcome =
        run("FILL;initialize;login;destroy first;destroy second;count;make fourth;logout;guess;logout;guess;\
                       logout;guess;logout;guess;logout;guess;logout;login;logout;FREE;login;finalize");
    assert_eq!(outcome.answer("fill"), FULL);
    assert_eq!(outcome.all("destroy"), ["0x0", "0x0"], "{outcome:?}");
    assert_eq!(outcome.all("count"), ["1"], "{outcome:?}");
    assert_eq!(outcome.all("guess"), ["0xa0"; 5], "{outcome:?}");
    assert_eq!(outcome.all("login")[2..], ["0xa4", "0xa4"], "locked, on the full disk and after it: {outcome:?}");
    // The disk fills up while the process runs.
    let outcome = run("initialize;login;FILL;destroy first;destroy second;destroy third;count;finalize");
    assert_eq!(outcome.all("destroy"), ["0x0", "0x0", "0x0"], "{outcome:?}");
    assert_eq!(outcome.all("count"), ["0"], "{outcome:?}");
    // It is the reserve that does it: without one, the disk refuses, and counts nobody in either.
    let outcome = run("WASTE;FILL;initialize;login;FREE");
    assert_eq!(outcome.answer("remove"), "ok");
    assert!(outcome.all("initialize")[1] == "0x31" || outcome.all("login")[1] == "0x31", "{outcome:?}");
}

#[test]
fn a_file_system_that_may_only_be_read() {
    if !mounts_or_skip("a_file_system_that_may_only_be_read") {
        return;
    }
    let place = Place::new();
    let (disk, folder) = (place.path().display().to_string(), place.join("home/hsm1"));
    // A process of its own makes the HSM: a file that is mapped for writing keeps its file system writable.
    let mount = format!(
        "mount -t tmpfs -o mode=700,size=4m none {disk} && \
         SETUPS_STEPS='initialize;activate;create_user;login;make first;use first;finalize' \"$0\" \"$@\" && \
         mount -o remount,ro {disk}"
    );
    let steps = format!("write {disk}/probe;initialize;remount rw {disk};initialize;login;use first;make second");
    let outcome = Run::new(&place.join("home")).mounts(&mount).steps(&steps).run();
    assert_eq!(outcome.answer("write"), "30", "EROFS: {outcome:?}");
    assert_eq!(outcome.all("initialize"), ["0x0", "0x30", "0x0"], "{outcome:?}");
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{outcome:?}");
    assert_clear(lines[0], &folder, &["Read-only file system", "mount the file system for writing"]);
    assert_eq!(outcome.all("use")[0], outcome.all("use")[1], "{outcome:?}");
    // Nothing can be activated there either.
    let outcome = small_disk(&place, 4096).steps(&format!("remount ro {disk};initialize;activate")).run();
    let words = &["Read-only file system", "mount the file system for writing"];
    outcome.assert_one_line("activate", DEVICE_ERROR, place.path(), words);
}

/// A library that makes every file system one of the network.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/vfs.h>
static int ask(const char *name, int descriptor, void *found) {
    int (*real)(int, void *) = (int (*)(int, void *))dlsym(RTLD_NEXT, name);
    int code = real(descriptor, found);
    const char *kind = getenv("SHIM_KIND");
    if (code == 0 && kind) ((struct statfs *)found)->f_type = strtol(kind, 0, 0);
    return code;
}
int fstatfs(int descriptor, struct statfs *found) { return ask("fstatfs", descriptor, found); }
int fstatfs64(int descriptor, struct statfs64 *found) { return ask("fstatfs64", descriptor, found); }
"#;

#[test]
fn a_file_system_of_the_network() {
    let name = "a_file_system_of_the_network";
    let place = Place::new();
    let (source, shim) = (place.join("shim.c"), place.join("shim.so"));
    fs::write(&source, SHIM).unwrap();
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&shim).arg(&source).arg("-ldl").status();
    if !compiled.is_ok_and(|status| status.success()) {
        println!("SKIP {name}: there is no C compiler");
        return;
    }
    let on = |run: Run, kind: &str| run.set("LD_PRELOAD", &shim).set("SHIM_KIND", kind);
    let hsm = Hsm::new();
    for (kind, words) in [("0x6969", "NFS"), ("0xFF534D42", "CIFS"), ("0x01021997", "9P"), ("0x65735546", "FUSE")] {
        let words = &[words, "file system", "move it to a local disk", "allow_network_file_system = true"];
        let outcome = on(hsm.child(), kind).steps("initialize").run();
        outcome.assert_one_line("initialize", DEVICE_ERROR, &hsm.file(""), words);
        let home = place.join("new");
        let outcome = on(Run::new(&home), kind).steps("initialize;activate").run();
        outcome.assert_one_line("activate", DEVICE_ERROR, &home, words);
        assert!(!home.join("hsm1").exists());
    }
    let allowed = on(hsm.child(), "0x6969").set("CLOUDHSM_PKCS11_ALLOW_NETWORK_FILE_SYSTEM", "true");
    allowed.steps("initialize;login;use first;make more").run().assert_quiet();
    on(hsm.child(), "0xEF53").steps("initialize;login;use first").run().assert_quiet();
    hsm.assert_whole();
}

/// Two processes activate at once, each with an officer of its own: one of the two gets the HSM, whole.
#[test]
fn two_creators_at_once() {
    let mut refused = Vec::new();
    for _ in 0..12 {
        let place = Place::new();
        let (home, go) = (place.join("home"), place.join("go"));
        let pins = ["admin:officer-one", "admin:officer-two"];
        let creators = pins.map(|pin| {
            let steps = format!("initialize;await {};activate {pin};finalize", go.display());
            Run::new(&home).steps(&steps).start()
        });
        std::thread::sleep(std::time::Duration::from_millis(60));
        fs::write(&go, "").unwrap();
        let outcomes: Vec<Outcome> = creators.into_iter().map(crate::run::Running::end).collect();
        let winners: Vec<usize> = (0..2).filter(|n| outcomes[*n].rv("activate") == OK).collect();
        let [winner] = winners[..] else { panic!("{} creators have won: {outcomes:?}", winners.len()) };
        let loser = &outcomes[1 - winner];
        match loser.rv("activate") {
            // Just before the other's folder was in its place: it met it there.
            DEVICE_ERROR => {
                let words = &["use that HSM"];
                loser.assert_one_line("activate", DEVICE_ERROR, &home.join("hsm1"), words);
            }
            // Just after: it asked the HSM, whose officer is another.
            PIN_INCORRECT => assert_eq!(loser.stderr, "", "{loser:?}"),
            rv => panic!("{rv:#x}: {loser:?}"),
        }
        refused.push(loser.rv("activate"));
        assert_eq!(outcomes[winner].stderr, "");
        let names: Vec<_> = fs::read_dir(&home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["hsm1"], "more than the HSM is left");
        let steps = format!("initialize;officer {};finalize", pins[winner]);
        Run::new(&home).steps(&steps).run().assert_quiet();
        let other = Run::new(&home).steps(&format!("initialize;officer {}", pins[1 - winner])).run();
        assert_eq!(other.rv("officer"), PIN_INCORRECT);
    }
    println!("the losers got {refused:x?}");
    assert!(refused.contains(&DEVICE_ERROR), "the two never met");
}

/// The same with one PIN for both, as when a machine starts two services: each ends with an HSM that works.
#[test]
fn two_creators_with_one_pin() {
    let place = Place::new();
    let (home, go) = (place.join("home"), place.join("go"));
    let creators = [0, 1].map(|_| {
        Run::new(&home).steps(&format!("initialize;await {};activate;officer;finalize", go.display())).start()
    });
    std::thread::sleep(std::time::Duration::from_millis(60));
    fs::write(&go, "").unwrap();
    for creator in creators {
        let outcome = creator.end();
        let rv = outcome.rv("activate");
        assert!(rv == OK || rv == DEVICE_ERROR, "{outcome:?}");
        assert_eq!(outcome.rv("officer"), OK, "whoever made it, the officer's PIN opens it: {outcome:?}");
    }
}

/// More than there is: the process has no descriptor left.
#[test]
fn no_descriptor_left() {
    let hsm = Hsm::new();
    if !mounts_or_skip("no_descriptor_left") {
        return;
    }
    // Enough to start the child and load the library, not enough for the HSM's files.
    for limit in 6..=12 {
        let outcome = hsm.child().mounts(&format!("ulimit -n {limit}")).steps("initialize").start().end();
        let Some((_, answer)) = outcome.answers.last() else { continue };
        if answer == "0x0" {
            assert_eq!(outcome.stderr, "", "{limit}: {outcome:?}");
            continue;
        }
        let path = hsm.file("");
        assert_eq!(outcome.stderr.lines().count(), 1, "{limit}: {outcome:?}");
        assert_eq!(outcome.rv("initialize"), DEVICE_ERROR, "{limit}: {outcome:?}");
        assert_clear(outcome.stderr.trim_end(), &path, &[]);
    }
    hsm.assert_whole();
}

/// The limit of open files (getrlimit, RLIMIT_NOFILE: EMFILE) and paths that are too long (PATH_MAX of Linux is 4,096 bytes;
/// MAX_PATHNAME of SQLite is 512) are told as what they are, wherever on the way they are met.
#[test]
fn limits_have_cures_of_their_own() {
    let hsm = Hsm::new();
    let mut met = 0;
    for limit in 4..16 {
        let outcome = hsm.run(&format!("limit_open_files {limit};initialize"));
        if outcome.rv("initialize") != OK {
            met += 1;
            outcome.assert_one_line(
                "initialize",
                outcome.rv("initialize"),
                &hsm.home,
                &["Too many open files", "raise the limit of open files"],
            );
        }
    }
    assert!(met > 0, "no limit was met");
    let mut long = hsm.place.path().to_owned();
    for _ in 0..3 {
        long.push("a".repeat(200));
    }
    let outcome = Run::new(&long).steps("initialize;activate").run();
    outcome.assert_one_line("activate", DEVICE_ERROR, &long, &["use a shorter path"]);
    for _ in 0..20 {
        long.push("a".repeat(200));
    }
    let outcome = Run::new(&long).steps("initialize").run();
    outcome.assert_one_line("initialize", FUNCTION_FAILED, &long, &["too long", "use a shorter path"]);
    hsm.assert_whole();
}
