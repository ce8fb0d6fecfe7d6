//! The setting `group`: several accounts of one group share an HSM, and nobody else does.

use std::fs;

use crate::run::{DENIED, DEVICE_ERROR, FUNCTION_FAILED, NOBODY, Place, Run, root_or_skip, set_mode};

const FIRST: u32 = 61001;
const SECOND: u32 = 61002;
const STRANGER: u32 = 61003;
const GROUP: u32 = 61100;

#[test]
fn accounts_of_one_group_share() {
    if !root_or_skip("accounts_of_one_group_share") {
        return;
    }
    let place = Place::new();
    let home = place.folder("home", FIRST, GROUP, 0o2770);
    let folder = home.join("hsm1");
    let member = |user| Run::new(&home).user(user, GROUP).set("CLOUDHSM_PKCS11_GROUP", GROUP.to_string());
    // Whatever the umask of the one who comes first.
    let steps = "umask 077;initialize;activate;create_user;login;make first;use first";
    let made = member(FIRST).steps(&format!("{steps};owners {};finalize", folder.display())).run();
    made.assert_quiet();
    for entry in made.answer("owners").split(',') {
        assert!(entry.contains(&format!(":{GROUP}:")), "{entry}");
        assert!(entry.ends_with(":660") || entry.ends_with(":2770"), "{entry}");
    }
    // The second account finds it closed, so that it makes the log and its index itself; then both at once.
    let (ready, go) = (home.join("ready"), home.join("go"));
    let second = member(SECOND)
        .steps(&format!(
            "umask 077;initialize;login;use first;make second;owners {};tell {};await {};use third",
            folder.display(),
            ready.display(),
            go.display()
        ))
        .start();
    let first = member(FIRST)
        .steps(&format!("await {};initialize;login;use second;make third;tell {}", ready.display(), go.display()))
        .run();
    first.assert_quiet();
    let second = second.end();
    second.assert_quiet();
    assert_eq!(second.all("use")[0], made.answer("use"));
    assert!(first.answer("use").starts_with("block-") && second.answer("use").starts_with("block-"));
    assert!(second.answer("owners").contains("hsm.db-wal:61002:61100:660"), "{second:?}");
    // Root is a guest and leaves nothing that the others could not use.
    let root = Run::new(&home).set("CLOUDHSM_PKCS11_GROUP", GROUP.to_string());
    root.steps("initialize;login;use first;make fourth;finalize").run().assert_quiet();
    member(FIRST).steps("initialize;login;use fourth;make fifth").run().assert_quiet();
    // Another account is outside.
    let stranger = || Run::new(&home).user(STRANGER, STRANGER).set("CLOUDHSM_PKCS11_GROUP", GROUP.to_string());
    let outcome = stranger().steps(&format!("read {};initialize", folder.join("device.key").display())).run();
    assert_eq!(outcome.answer("read"), DENIED);
    outcome.assert_one_line("initialize", FUNCTION_FAILED, &home, &["Permission denied", "give this user access"]);
}

#[test]
fn a_group_that_is_not_the_folders() {
    if !root_or_skip("a_group_that_is_not_the_folders") {
        return;
    }
    let place = Place::new();
    let home = place.folder("home", NOBODY, GROUP, 0o2770);
    let member = |group: &str| Run::new(&home).user(NOBODY, GROUP).set("CLOUDHSM_PKCS11_GROUP", group);
    member("61100").steps("initialize;activate;create_user;login;make first").run().assert_quiet();
    let outcome = member("61101").steps("initialize").run();
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    outcome.assert_one_line("initialize", DEVICE_ERROR, &home, &[]);
    // Without the setting the folder is too open for one account.
    let outcome = Run::new(&home).user(NOBODY, GROUP).steps("initialize").run();
    outcome.assert_one_line("initialize", DEVICE_ERROR, &home, &["chmod"]);
    member("61100").steps("initialize;login;use first;make more").run().assert_quiet();
    // A group that this account is not in.
    let other = place.folder("other", NOBODY, NOBODY, 0o700);
    let outcome = Run::new(&other)
        .user(NOBODY, NOBODY)
        .set("CLOUDHSM_PKCS11_GROUP", GROUP.to_string())
        .steps("initialize;activate")
        .run();
    outcome.assert_one_line("activate", DEVICE_ERROR, &other, &["group 61100"]);
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0, "something was left behind");
    set_mode(&other, 0o700);
    Run::new(&other).user(NOBODY, NOBODY).steps("initialize;activate;create_user;login").run().assert_quiet();
}
