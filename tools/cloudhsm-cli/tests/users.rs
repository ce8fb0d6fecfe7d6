//! Activation and users, as AWS's User Guide shows them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod common;

use common::{ANN, Home, OFFICER, keys};
use serde_json::json;

/// The text letter by letter: two spaces of indentation, AWS's order of keys, `locked` a string.
#[test]
fn before_and_after_activation() {
    let home = Home::new();
    let before = home.run(None, &["user", "list"]);
    before.data();
    assert_eq!(
        before.stdout,
        r#"{
  "error_code": 0,
  "data": {
    "users": [
      {
        "username": "admin",
        "role": "unactivated-admin",
        "locked": "false",
        "mfa": [],
        "quorum": [],
        "cluster-coverage": "full"
      },
      {
        "username": "app_user",
        "role": "internal(APPLIANCE_USER)",
        "locked": "false",
        "mfa": [],
        "quorum": [],
        "cluster-coverage": "full"
      }
    ]
  }
}
"#
    );
    assert!(!home.path().exists(), "looking makes nothing");
    assert!(home.run(OFFICER, &["key", "list"]).failure().contains("Incorrect authentication credentials"));

    let activated = home.run(None, &["cluster", "activate", "--password", "officer-password"]);
    assert_eq!(activated.data(), json!("Cluster activation successful"));
    let users = home.run(None, &["user", "list"]).data();
    assert_eq!(users["users"][0]["role"], "admin");
    assert_eq!(users["users"][1]["username"], "app_user");
    assert!(
        home.run(None, &["cluster", "activate", "--password", "officer-password"])
            .failure()
            .contains("activated already")
    );
}

#[test]
fn a_password_can_be_typed() {
    let home = Home::new();
    let differ = home.run_with(None, &["cluster", "activate"], "officer-password\nanother-password\n", &[]);
    differ.failure();
    assert_eq!(differ.stderr, "Enter password:\nConfirm password:\n");
    home.run_with(None, &["cluster", "activate"], "officer-password\n", &[]).failure();
    assert!(!home.path().exists());
    home.run_with(None, &["cluster", "activate"], "officer-password\nofficer-password\n", &[]).data();
    let create = ["user", "create", "--username", "ann", "--role", "crypto-user"];
    home.run_with(OFFICER, &create, "ann-password\nann-password\n", &[]).data();
    home.run(ANN, &["key", "list"]).data();
}

#[test]
fn what_is_recorded_at_activation() {
    let home = Home::new();
    let info = |home: &Home| home.run(None, &["cluster", "hsm-info"]).data()["hsms"][0].clone();
    assert_eq!(info(&home)["fips-state"], "0 [non-FIPS mode with single factor authentication]");
    home.run(None, &["cluster", "activate", "--password", "officer-password", "--fips"]).data();
    let recorded = home.run(None, &["doctor"]).stdout;
    assert!(recorded.contains("FIPS mode on, secure mode off"), "{recorded}");
    let info = info(&home);
    assert_eq!(
        keys(&info),
        [
            "vendor",
            "model",
            "serial-number",
            "hardware-version-major",
            "hardware-version-minor",
            "firmware-version-major",
            "firmware-version-minor",
            "firmware-build-number",
            "firmware-id",
            "fips-state"
        ]
    );
    assert!(info.as_object().unwrap().values().all(serde_json::Value::is_string));
    assert_eq!(info["fips-state"], "2 [FIPS mode with single factor authentication]");
    let serial = info["serial-number"].as_str().unwrap().to_owned();
    for id in ["hsm1", &serial] {
        home.run(None, &["user", "list", "--cluster-id", id]).data();
        home.run(None, &["user", &format!("--cluster-id={id}"), "list"]).data();
    }
    home.run(None, &["user", "list", "--cluster-id", "cluster-abcdefg1234"]).failure();
}

#[test]
fn the_life_of_a_user() {
    let home = Home::activated();
    let user = |command: &str, name: &str, role: &str| {
        let mut arguments = vec!["user", command, "--username", name, "--role", role];
        if command != "delete" {
            arguments.extend(["--password", "other-password"]);
        }
        home.run(OFFICER, &arguments)
    };
    // Names are shown in lower case whatever was written.
    let made = user("create", "CarLa_1", "crypto-user").data();
    assert_eq!(made, json!({ "username": "carla_1", "role": "crypto-user" }));
    assert_eq!(keys(&made), ["username", "role"]);
    user("create", "carla_1", "crypto-user").failure();
    user("create", "second", "admin").data();
    assert!(user("create", "with-hyphen", "crypto-user").failure().contains('-'));
    user("create", &"n".repeat(32), "crypto-user").failure();
    user("create", &"n".repeat(31), "crypto-user").data();
    for password in ["1234567", &"p".repeat(33), "with:colon"] {
        let arguments = ["user", "create", "--username", "x", "--role", "crypto-user", "--password", password];
        home.run(OFFICER, &arguments).failure();
    }
    assert_eq!(user("change-password", "carla_1", "crypto-user").data(), made);
    assert_eq!(user("delete", "carla_1", "crypto-user").data(), made);
    assert_eq!(user("delete", "carla_1", "crypto-user").failure(), "Specified user does not exist");
    assert_eq!(user("delete", "second", "crypto-user").failure(), "Specified user does not exist");
    assert_eq!(user("change-password", "nobody", "admin").failure(), "Specified user does not exist");
    user("delete", "admin", "admin").failure();

    home.run(ANN, &["key", "generate-symmetric", "aes", "--label", "k", "--key-length-bytes", "16"]).data();
    assert!(user("delete", "ann", "crypto-user").failure().contains("owns keys"));
}

#[test]
fn a_crypto_user_changes_its_own_password_and_nothing_else() {
    let home = Home::activated();
    let change = |name: &str| {
        let arguments =
            ["user", "change-password", "--username", name, "--role", "crypto-user", "--password", "newer-password"];
        home.run(ANN, &arguments)
    };
    change("ben").failure();
    change("ann").data();
    assert_eq!(home.run(ANN, &["key", "list"]).failure(), "Incorrect authentication credentials");
    home.run(Some(("crypto-user", "ann:newer-password")), &["key", "list"]).data();
    for arguments in [
        &["user", "create", "--username", "x", "--role", "crypto-user", "--password", "some-password"][..],
        &["user", "delete", "--username", "ben", "--role", "crypto-user"],
    ] {
        home.run(Some(("crypto-user", "ann:newer-password")), arguments).failure();
    }
    assert_eq!(home.run(None, &["user", "list"]).data()["users"].as_array().unwrap().len(), 4);
}

/// Five wrong passwords lock, an admin's new password unlocks.
#[test]
fn wrong_passwords_lock() {
    let home = Home::activated();
    let locked = || home.run(None, &["user", "list"]).data()["users"][1]["locked"].clone();
    for attempt in 1..=5 {
        assert_eq!(locked(), "false", "before attempt {attempt}");
        let answer = home.run(Some(("crypto-user", "ann:wrong-password")), &["key", "list"]);
        assert_eq!(answer.failure(), "Incorrect authentication credentials");
        assert!(!answer.stdout.contains("wrong-password") && !answer.stderr.contains("wrong-password"));
    }
    assert_eq!(locked(), "true");
    assert!(home.run(ANN, &["key", "list"]).failure().starts_with("Incorrect authentication credentials"));
    let reset =
        ["user", "change-password", "--username", "ann", "--role", "crypto-user", "--password", "fresh-password"];
    home.run(OFFICER, &reset).data();
    assert_eq!(locked(), "false");
    home.run(Some(("crypto-user", "ann:fresh-password")), &["key", "list"]).data();
    // A user who does not exist gets the same answer.
    let nobody = home.run(Some(("crypto-user", "nobody:any-password")), &["key", "list"]);
    assert_eq!(nobody.failure(), "Incorrect authentication credentials");
}

#[test]
fn what_to_log_in_with() {
    let home = Home::activated();
    home.run(None, &["key", "list"]).failure();
    home.run(Some(("crypto_user", "ann:ann-password")), &["key", "list"]).failure();
    let answer = home.run(Some(("crypto-user", "ann-password")), &["key", "list"]);
    answer.failure();
    assert!(!answer.stdout.contains("ann-password"));
    // The role is part of who it is.
    home.run(Some(("admin", "ann:ann-password")), &["key", "list"]).failure();
    home.run(Some(("crypto-user", "ANN:ann-password")), &["key", "list"]).data();
}

#[test]
fn usage_errors_are_on_stderr_with_status_2() {
    let home = Home::activated();
    for arguments in [
        &[][..],
        &["user"],
        &["user", "update"],
        &["user", "create", "--role", "crypto-user"],
        &["user", "create", "--username", "x", "--role", "Crypto-User", "--password", "some-password"],
        &["key", "list", "--max-items", "0"],
        &["key", "delete"],
        &["key", "generate-asymmetric-pair", "ec", "--curve", "P-256", "--public-label", "a", "--private-label", "b"],
        &[
            "key",
            "generate-asymmetric-pair",
            "rsa",
            "--modulus-size-bits",
            "2048",
            "--public-label",
            "a",
            "--private-label",
            "b",
        ],
    ] {
        home.run(OFFICER, arguments).usage();
    }
    assert!(home.run(None, &["user", "update"]).usage().starts_with("error: unrecognized subcommand 'update'"));
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let home = Home::new();
    for command in [
        "",
        "cluster activate",
        "cluster hsm-info",
        "user create",
        "user list",
        "user delete",
        "user change-password",
        "key list",
        "key delete",
        "key generate-symmetric aes",
        "key generate-symmetric generic-secret",
        "key generate-asymmetric-pair rsa",
        "key generate-asymmetric-pair ec",
        "doctor",
    ] {
        let arguments: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let help = home.run(None, &arguments);
        assert_eq!(help.status, 0);
        assert!(help.stdout.contains(&format!("cloudhsm-cli {command}")), "{command}: {}", help.stdout);
        assert!(help.stdout.contains("--cluster-id"), "{command}: {}", help.stdout);
        assert!(help.stdout.to_lowercase().contains("example") || command.is_empty(), "{command}: {}", help.stdout);
    }
}

#[test]
fn a_set_up_that_cannot_be_used_is_one_line_on_stderr() {
    let home = Home::activated();
    std::fs::write(home.path().join("config.toml"), "no_such_setting = 1\n").unwrap();
    let answer = home.run(None, &["user", "list"]);
    assert_eq!((answer.status, answer.stdout.as_str()), (1, ""));
    assert!(answer.stderr.starts_with("Error: \"") && answer.stderr.contains("no_such_setting"), "{}", answer.stderr);
    assert_eq!(answer.stderr.lines().count(), 1);
}
