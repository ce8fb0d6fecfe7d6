//! Drives the built program in a home of its own.

#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

pub(crate) const OFFICER: Option<(&str, &str)> = Some(("admin", "admin:officer-password"));
pub(crate) const ANN: Option<(&str, &str)> = Some(("crypto-user", "ann:ann-password"));
pub(crate) const BEN: Option<(&str, &str)> = Some(("crypto-user", "ben:ben-password"));

/// A home that is removed at the end of the test.
pub(crate) struct Home(PathBuf);

/// What a run of the program came to.
pub(crate) struct Answer {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    /// Nothing yet: not even the folder.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("cloudhsm-cli-test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        drop(std::fs::remove_dir_all(&path));
        std::fs::DirBuilder::new().mode(0o700).create(&path).unwrap();
        Self(path)
    }

    /// An activated HSM with the crypto users ann and ben.
    pub(crate) fn activated() -> Self {
        let home = Self::new();
        home.run(None, &["cluster", "activate", "--password", "officer-password"]).data();
        for name in ["ann", "ben"] {
            let password = format!("{name}-password");
            home.run(
                OFFICER,
                &["user", "create", "--username", name, "--role", "crypto-user", "--password", &password],
            )
            .data();
        }
        home
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.join("home")
    }

    /// The folder in which the home is, for files of the test.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    pub(crate) fn hsm(&self) -> PathBuf {
        self.path().join("hsm1")
    }

    /// Runs the program with a role and a PIN, or without.
    pub(crate) fn run(&self, login: Option<(&str, &str)>, arguments: &[&str]) -> Answer {
        self.run_with(login, arguments, "", &[])
    }

    pub(crate) fn run_with(
        &self,
        login: Option<(&str, &str)>,
        arguments: &[&str],
        input: &str,
        environment: &[(&str, &str)],
    ) -> Answer {
        run_in(&self.path(), login, arguments, input, environment)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs the program with `home` as its home and nothing else of ours in its environment.
pub(crate) fn run_in(
    home: &Path,
    login: Option<(&str, &str)>,
    arguments: &[&str],
    input: &str,
    environment: &[(&str, &str)],
) -> Answer {
    run_at(home, Path::new("."), login, arguments, input, environment)
}

/// The same in a folder.
pub(crate) fn run_at(
    home: &Path,
    folder: &Path,
    login: Option<(&str, &str)>,
    arguments: &[&str],
    input: &str,
    environment: &[(&str, &str)],
) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudhsm-cli"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CLOUDHSM_") {
            command.env_remove(name);
        }
    }
    command.env("CLOUDHSM_PKCS11_HOME", home).args(arguments).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some((role, pin)) = login {
        command.env("CLOUDHSM_ROLE", role).env("CLOUDHSM_PIN", pin);
    }
    command.envs(environment.iter().copied());
    let mut child = command.spawn().unwrap();
    // A program that asks for nothing may be gone already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    Answer {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no JSON: {} {}", self.stdout, self.stderr))
    }

    /// The data of a success.
    #[track_caller]
    pub(crate) fn data(&self) -> Value {
        let json = self.json();
        assert_eq!((self.status, &json["error_code"]), (0, &Value::from(0)), "{}{}", self.stdout, self.stderr);
        assert_eq!(keys(&json), ["error_code", "data"]);
        json["data"].clone()
    }

    /// The text of a failure.
    #[track_caller]
    pub(crate) fn failure(&self) -> String {
        let json = self.json();
        assert_eq!((self.status, &json["error_code"]), (1, &Value::from(1)), "{}{}", self.stdout, self.stderr);
        assert_eq!(keys(&json), ["error_code", "data"]);
        json["data"].as_str().unwrap().to_owned()
    }

    /// What is said of a command line that is not one: on stderr, with status 2.
    #[track_caller]
    pub(crate) fn usage(&self) -> &str {
        assert_eq!((self.status, self.stdout.as_str()), (2, ""), "{}", self.stderr);
        &self.stderr
    }
}

/// The keys of an object, in their order.
pub(crate) fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// What holds of every key of one owner that nobody shares.
#[track_caller]
pub(crate) fn check_key(key: &Value, owner: &str) {
    assert_eq!(keys(key), ["key-reference", "key-info", "attributes"]);
    let reference = key["key-reference"].as_str().unwrap();
    let digits = reference.strip_prefix("0x").unwrap();
    assert!(digits.len() == 16 && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{reference}");
    let info = &key["key-info"];
    assert_eq!(keys(info), ["key-owners", "shared-users", "key-quorum-values", "cluster-coverage"]);
    assert_eq!(
        *info,
        json!({
            "key-owners": [ { "username": owner, "key-coverage": "full" } ],
            "shared-users": [],
            "key-quorum-values": { "manage-key-quorum-value": 0, "use-key-quorum-value": 0 },
            "cluster-coverage": "full",
        })
    );
}

/// Makes an AES key of ann's.
pub(crate) fn aes(home: &Home, label: &str, more: &[&str]) -> Answer {
    let mut arguments = vec!["key", "generate-symmetric", "aes", "--label", label, "--key-length-bytes", "32"];
    arguments.extend(more);
    home.run(ANN, &arguments)
}

/// Makes an EC pair of ann's, with the labels ec-public and ec-private.
pub(crate) fn ec(home: &Home, curve: &str, more: &[&str]) -> Answer {
    let mut arguments = vec!["key", "generate-asymmetric-pair", "ec", "--curve", curve];
    arguments.extend(["--public-label", "ec-public", "--private-label", "ec-private"]);
    arguments.extend(more);
    home.run(ANN, &arguments)
}
