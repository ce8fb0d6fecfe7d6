//! What `files` creates, and what it refuses.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::testing::temporary;

#[test]
fn creates_with_exact_permissions() {
    let home = temporary();
    let access = Access::default();
    let directory = open_home(&home.path().join("a/b"), access).unwrap();
    let folder = directory.create_directory("hsm1", access).unwrap();
    let mut file = folder.create_file("x", access).unwrap();
    file.write_all(b"hello").unwrap();
    assert!(file.as_raw_fd() > 2);
    let found = fs::metadata(folder.path().join("x")).unwrap();
    assert_eq!(found.mode() & 0o7777, 0o600);
    assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o7777, 0o700);
    assert_eq!(folder.read_file("x", access, 5).unwrap(), b"hello");
    assert!(folder.read_file("x", access, 4).unwrap_err().message().contains("longer than"));
    assert!(folder.create_file("x", access).is_err());
    assert!(folder.read_file("y", access, 4).unwrap_err().message().contains("missing"));
}

#[test]
fn refuses_what_others_could_have_put_there() {
    let home = temporary();
    let access = Access::default();
    let folder = Directory::open(home.path(), access).unwrap();
    folder.create_file("x", access).unwrap();
    let x = home.path().join("x");
    fs::set_permissions(&x, fs::Permissions::from_mode(0o640)).unwrap();
    let error = folder.check_file("x", access).unwrap_err();
    assert!(error.message().contains("chmod 0600"), "{error}");
    fs::set_permissions(&x, fs::Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(&x, home.path().join("y")).unwrap();
    assert!(folder.open_file("x", access).unwrap_err().message().contains("hard links"));
    symlink(&x, home.path().join("z")).unwrap();
    assert!(folder.open_file("z", access).unwrap_err().message().contains("symbolic link"));
    assert!(folder.check_file("z", access).unwrap_err().message().contains("symbolic link"));
    let link = home.path().join("folder");
    symlink(home.path(), &link).unwrap();
    for name in [link.clone(), link.join("")] {
        assert!(Directory::open(&name, access).unwrap_err().message().contains("symbolic link"));
    }
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let error = Directory::open(home.path(), access).unwrap_err();
    assert!(error.message().contains("chmod 0700"), "{error}");
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(open_home(home.path(), access).unwrap_err().message().contains("chmod go-w"));
}

#[test]
fn a_group_shares() {
    let home = temporary();
    // SAFETY: cannot fail and touches no memory.
    let group = unsafe { libc::getegid() };
    let access = Access { group: Some(group) };
    let directory = open_home(&home.path().join("shared"), access).unwrap();
    let folder = directory.create_directory("hsm1", access).unwrap();
    folder.create_file("x", access).unwrap();
    assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o7777, 0o2770);
    assert_eq!(fs::metadata(folder.path().join("x")).unwrap().mode() & 0o7777, 0o660);
    folder.open_file("x", access).unwrap();
    let stranger = Access { group: Some(group + 1) };
    assert!(folder.open_file("x", stranger).unwrap_err().message().contains("chgrp"));
    assert!(Directory::open(folder.path(), Access::default()).unwrap_err().message().contains("chmod"));
}

#[test]
fn this_machine_is_local() {
    let home = temporary();
    check_local(&Directory::open(home.path(), Access::default()).unwrap()).unwrap();
}
