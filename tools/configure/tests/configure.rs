//! Runs the built tools and looks at the files; what the files do is looked at through cloudhsm-cli, and by
//! tests/clients/configure.sh through the library.
//!
//! What is expected was written by hand from the User Guide's pages configure-tool-syntax5, -params5 and -examples5 and from
//! files that public projects show; where AWS says nothing it is ours (docs/configuration.md).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

const PKCS11: &str = env!("CARGO_BIN_EXE_configure-pkcs11");
const CLI: &str = env!("CARGO_BIN_EXE_configure-cli");

/// A folder that is removed at the end; its home is not there yet.
struct Place(PathBuf);

struct Answer {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("cloudhsm-configure-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn home(&self) -> PathBuf {
        self.0.join("home")
    }

    fn file(&self) -> PathBuf {
        self.home().join("cloudhsm-pkcs11.cfg")
    }

    /// A home that is there, with this file.
    fn with(text: &str) -> Self {
        let place = Self::new();
        fs::create_dir(place.home()).unwrap();
        fs::write(place.file(), text).unwrap();
        place
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Answer {
        self.run_with(program, arguments, &[])
    }

    fn run_with(&self, program: &str, arguments: &[&str], environment: &[(&str, &Path)]) -> Answer {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CLOUDHSM_")) {
            command.env_remove(name);
        }
        command.env("CLOUDHSM_PKCS11_HOME", self.home()).env("CLOUDHSM_PKCS11_ETC", self.0.join("no such folder"));
        command.envs(environment.iter().copied()).args(arguments).current_dir(&self.0);
        let output = command.output().unwrap();
        Answer {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A change of the library's file that is done; what was said.
    #[track_caller]
    fn pkcs11(&self, arguments: &[&str]) -> String {
        self.run(PKCS11, arguments).done()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.file()).unwrap()).unwrap()
    }

    /// `cloudhsm-cli`, which the workspace's tests build beside this one.
    fn cloudhsm_cli(&self, arguments: &[&str]) -> Answer {
        let program = Path::new(PKCS11).with_file_name("cloudhsm-cli");
        assert!(program.exists(), "build it first: cargo build -p cloudhsm-cli");
        self.run(program.to_str().unwrap(), arguments)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Answer {
    #[track_caller]
    fn done(self) -> String {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""), "{}", self.stdout);
        self.stdout
    }

    /// A wrong command line, as clap says it.
    #[track_caller]
    fn usage(&self, words: &str) {
        assert_eq!((self.status, self.stdout.as_str()), (2, ""), "{}", self.stderr);
        assert!(self.stderr.contains(words), "{}", self.stderr);
    }

    /// A file that cannot be changed so: one line.
    #[track_caller]
    fn refused(&self, words: &str) {
        assert_eq!((self.status, self.stdout.as_str()), (1, ""), "{}", self.stderr);
        assert!(self.stderr.starts_with("Error: \"") && self.stderr.contains(words), "{}", self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
    }
}

fn fresh() -> Value {
    json!({ "clusters": [ { "type": "hsm1", "cluster": {
        "hsm_ca_file": "/opt/cloudhsm/etc/customerCA.crt",
        "servers": [ { "hostname": "%%HSM_IP_ADDRESS%%", "port": 2223, "enable": true } ],
    } } ] })
}

/// User Guide, configure-tool-examples5: addresses, the log, the key availability check.
#[test]
fn a_new_file_has_what_was_given() {
    let place = Place::new();
    let said = place.pkcs11(&["-a", "10.0.0.5", "fd00::5"]);
    let mut expected = fresh();
    expected["clusters"][0]["cluster"]["servers"] = json!([
        { "hostname": "10.0.0.5", "port": 2223, "enable": true }, { "hostname": "fd00::5", "port": 2223, "enable": true } ]);
    assert_eq!(place.json(), expected);
    assert!(said.starts_with(&format!("{} is written", place.file().display())), "{said}");
    assert!(said.contains("-a: stored, no effect here"), "{said}");
    // The home is for its owner alone, as the library makes it.
    assert_eq!(fs::metadata(place.home()).unwrap().permissions().mode() & 0o7777, 0o700);
    assert_eq!(fs::metadata(place.file()).unwrap().permissions().mode() & 0o7777, 0o644);

    place.pkcs11(&["--disable-key-availability-check"]);
    expected["clusters"][0]["cluster"]["options"] = json!({ "disable_key_availability_check": true });
    assert_eq!(place.json(), expected);
    place.pkcs11(&[
        "--log-file",
        "/tmp/hsm.log",
        "--log-level",
        "debug",
        "--log-rotation",
        "weekly",
        "--log-type",
        "file",
    ]);
    expected["logging"] =
        json!({ "log_type": "file", "log_file": "/tmp/hsm.log", "log_level": "debug", "log_interval": "weekly" });
    assert_eq!(place.json(), expected);
    // Another -a replaces the list, and nothing else.
    place.pkcs11(&["-a=hsm.example.org"]);
    expected["clusters"][0]["cluster"]["servers"] =
        json!([ { "hostname": "hsm.example.org", "port": 2223, "enable": true } ]);
    assert_eq!(place.json(), expected);
    let text = fs::read_to_string(place.file()).unwrap();
    assert!(
        text.starts_with("{\n  \"clusters\": [\n    {\n      \"type\": \"hsm1\",\n") && text.ends_with("}\n"),
        "{text}"
    );
}

/// Each switch, on and off.
#[test]
fn every_switch() {
    let place = Place::new();
    let options = |place: &Place| place.json()["clusters"][0]["cluster"]["options"].clone();
    for (option, key, value, words) in [
        (
            "--disable-key-availability-check",
            "disable_key_availability_check",
            json!(true),
            "key availability check: off",
        ),
        (
            "--enable-key-availability-check",
            "disable_key_availability_check",
            json!(false),
            "key availability check: on",
        ),
        ("--disable-validate-key-at-init", "disable_validate_key_at_init", json!(true), "no effect here"),
        ("--enable-validate-key-at-init", "disable_validate_key_at_init", json!(false), "no effect here"),
        ("--default-retry-mode=off", "default_retry_mode", json!("off"), "no effect here"),
        ("--default-retry-mode=standard", "default_retry_mode", json!("standard"), "no effect here"),
        ("--enable-certificate-storage", "enable_certificate_storage", json!(true), "certificate storage: on"),
        ("--disable-certificate-storage", "enable_certificate_storage", json!(false), "certificate storage: off"),
        (
            "--enable-ecdsa-with-weak-hash-function",
            "enable_ecdsa_with_weak_hash_function",
            json!(true),
            "hash-function: on",
        ),
        ("--enable-ecdh-without-kdf", "enable_ecdh_without_kdf", json!(true), "without-kdf: on"),
    ] {
        let said = place.pkcs11(&[option]);
        assert_eq!(options(&place)[key], value, "{option}");
        assert!(said.contains(words), "{option}: {said}");
    }
    assert_eq!(options(&place).as_object().unwrap().len(), 6);
}

#[test]
fn connection_options_are_kept_and_have_no_effect() {
    let place = Place::new();
    let said = place.pkcs11(&[
        "--cluster-id",
        "cluster-1",
        "--region",
        "eu-west-1",
        "--endpoint",
        "https://cloudhsmv2.example.org",
        "--hsm-ca-cert",
        "ca.crt",
        "--client-cert-hsm-tls-file",
        "c.crt",
        "--client-key-hsm-tls-file",
        "c.key",
    ]);
    let cluster = place.json()["clusters"][0]["cluster"].clone();
    let mut expected = fresh()["clusters"][0]["cluster"].clone();
    for (key, value) in [
        ("cluster_id", "cluster-1"),
        ("hsm_ca_file", "ca.crt"),
        ("client_cert_hsm_tls_path", "c.crt"),
        ("client_key_hsm_tls_path", "c.key"),
    ] {
        expected[key] = json!(value);
    }
    assert_eq!(cluster, expected);
    assert_eq!(said.matches("stored, no effect here").count(), 5, "{said}");
    assert_eq!(said.matches("not stored, no effect here").count(), 2, "{said}");
    assert!(said.contains("--cluster-id: cluster-1"), "{said}");
}

/// A log that is a file needs a name, and one that every program finds.
#[test]
fn names_of_logs() {
    let place = Place::new();
    place.pkcs11(&["--log-type", "file"]);
    let log = |place: &Place| place.json()["logging"]["log_file"].as_str().unwrap().to_owned();
    let usual = if Path::new("/opt/cloudhsm/run").is_dir() { PathBuf::from("/opt/cloudhsm/run") } else { place.home() };
    assert_eq!(Path::new(&log(&place)), usual.join("cloudhsm-pkcs11.log"));
    place.pkcs11(&["--log-file", "here.log"]);
    assert_eq!(Path::new(&log(&place)), place.0.canonicalize().unwrap().join("here.log"));
    place.pkcs11(&["--log-type", "file"]);
    assert_eq!(Path::new(&log(&place)), place.0.canonicalize().unwrap().join("here.log"));
    assert!(place.pkcs11(&["--log-level", "trace"]).contains("trace is debug here"));
}

/// What is not asked for stays: order, members that nobody knows, mode, owner, and the link that leads there.
#[test]
fn the_rest_stays() {
    let text = r#"{ "zeta": [1, 2.5, null], "logging": { "log_level": "warn", "colour": "red" },
        "clusters": [ { "kind": "x", "cluster": { "servers": [ { "hostname": "10.0.0.9", "port": 1, "enable": false } ] } } ] }"#;
    let place = Place::with(text);
    let other = place.0.join("elsewhere.cfg");
    fs::rename(place.file(), &other).unwrap();
    symlink(&other, place.file()).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o640)).unwrap();
    let root = fs::metadata(&other).unwrap().uid() == 0;
    if root {
        std::os::unix::fs::chown(&other, Some(65534), Some(65534)).unwrap();
    }
    place.pkcs11(&["--log-level", "error", "--enable-certificate-storage"]);
    let after = fs::metadata(&other).unwrap();
    assert_eq!(after.permissions().mode() & 0o7777, 0o640);
    assert!(fs::symlink_metadata(place.file()).unwrap().is_symlink());
    if root {
        assert_eq!((after.uid(), after.gid()), (65534, 65534));
    }
    let mut expected: Value = serde_json::from_str(text).unwrap();
    expected["logging"]["log_level"] = json!("error");
    expected["clusters"][0]["cluster"]["options"] = json!({ "enable_certificate_storage": true });
    assert_eq!(fs::read_to_string(&other).unwrap(), format!("{expected:#}\n"));
    // Nothing else is left in the folders.
    let names: Vec<_> = fs::read_dir(&place.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!((names.len(), fs::read_dir(place.home()).unwrap().count()), (2, 1), "{names:?}");
}

#[test]
fn where_the_file_is() {
    let place = Place::new();
    let etc = place.0.join("etc");
    fs::create_dir(&etc).unwrap();
    let environment = [("CLOUDHSM_PKCS11_ETC", etc.as_path())];
    place.run_with(PKCS11, &["-a", "10.0.0.5"], &environment).done();
    place.run_with(CLI, &["-a", "10.0.0.5"], &environment).done();
    assert!(etc.join("cloudhsm-pkcs11.cfg").is_file() && etc.join("cloudhsm-cli.cfg").is_file());
    assert!(!place.home().exists());
    let named = place.0.join("named.cfg");
    place.run_with(PKCS11, &["-a", "10.0.0.5"], &[("CLOUDHSM_PKCS11_CONFIG", &named)]).done();
    assert!(named.is_file());
    // A file of ours covers it, and that is said.
    fs::create_dir(place.home()).unwrap();
    let own = place.home().join("config.toml");
    fs::write(&own, "").unwrap();
    let said = place.pkcs11(&["-a", "10.0.0.5"]);
    assert!(said.contains(&format!("note: {} is there and holds instead of it", own.display())), "{said}");
    // Somebody else's file in the place of the folder.
    let blocked = Place::new();
    fs::write(blocked.home(), "").unwrap();
    blocked.run(PKCS11, &["-a", "10.0.0.5"]).refused("home");
}

/// One `-a`, pairs of options, options that exclude each other, words that are none (User Guide, configure-tool-params5).
#[test]
fn wrong_command_lines() {
    let place = Place::new();
    for (arguments, words) in [
        (&["-a", "10.0.0.5", "-a", "10.0.0.6"][..], "cannot be used multiple times"),
        (&["-a"], "a value is required for '-a <IP>...'"),
        (&["-a", "10.0.0.5/24"], "invalid value '10.0.0.5/24'"),
        (&["-a", "10.0.0.5", "--cluster-id", "c"], "cannot be used with"),
        (&["--region", "eu-west-1"], "--cluster-id <ID>"),
        (&["--endpoint", "x"], "--cluster-id <ID>"),
        (&["--client-cert-hsm-tls-file", "x"], "--client-key-hsm-tls-file <FILE>"),
        (&["--client-key-hsm-tls-file", "x"], "--client-cert-hsm-tls-file <FILE>"),
        (&["--enable-key-availability-check", "--disable-key-availability-check"], "cannot be used with"),
        (&["--enable-validate-key-at-init", "--disable-validate-key-at-init"], "cannot be used with"),
        (&["--enable-certificate-storage", "--disable-certificate-storage"], "cannot be used with"),
        (&["--log-level", "loud"], "[possible values: error, warn, info, debug, trace]"),
        (&["--log-type", "syslog"], "[possible values: term, file]"),
        (&["--log-rotation", "monthly"], "[possible values: never, hourly, daily, weekly]"),
        (&["--default-retry-mode", "on"], "[possible values: off, standard]"),
        (&["--hsm-ca-cert", ""], "must not be empty"),
        (&["update"], "error: unrecognized subcommand 'update'"),
        (&["add-cluster"], "--cluster-id <ID>"),
        (&["remove-cluster"], "--cluster-id <ID>"),
        (&["--log-level", "info", "remove-cluster", "--cluster-id", "c"], "cannot be used with"),
        (&[], "Usage: configure-pkcs11"),
    ] {
        place.run(PKCS11, arguments).usage(words);
    }
    place.run(CLI, &["--enable-certificate-storage"]).usage("unexpected argument '--enable-certificate-storage'");
    place.run(CLI, &["--enable-ecdh-without-kdf"]).usage("unexpected argument");
    assert!(!place.home().exists());
    for (program, words) in [(PKCS11, "--disable-certificate-storage"), (CLI, "--log-rotation <LOG_ROTATION>")] {
        assert!(place.run(program, &["--help"]).done().contains(words));
    }
}

/// A file that the library would refuse is not touched, and the answer is the library's.
#[test]
fn malformed_files() {
    for (text, words) in [
        ("", "EOF while parsing"),
        ("{ \"clusters\": ", "line 1"),
        ("[]", "is a list, it must be an object"),
        (r#"{"clusters": {}}"#, "clusters is an object, it must be a list"),
        (r#"{"clusters": [{"cluster": "x"}]}"#, "clusters[].cluster is a text, it must be an object"),
        (
            r#"{"clusters": [{"cluster": {"options": {"disable_key_availability_check": 1}}}]}"#,
            "it must be true or false",
        ),
        (r#"{"clusters": [{"cluster": {"options": 3}}]}"#, "options is no object"),
        (r#"{"logging": {"log_level": "loud"}}"#, "loud"),
        (r#"{"clusters": [{}, {}]}"#, "several clusters are configured"),
    ] {
        let place = Place::with(text);
        let answer = place.run(PKCS11, &["--enable-certificate-storage"]);
        answer.refused(words);
        assert_eq!(fs::read_to_string(place.file()).unwrap(), text);
        assert_eq!(fs::read_dir(place.home()).unwrap().count(), 1);
    }
    let long = Place::with(&format!("{{{}}}", " ".repeat(70_000)));
    long.run(PKCS11, &["--log-level", "info"]).refused("70002 bytes");
}

/// User Guide, pkcs11-multi-slot-*: clusters are added and removed by id; each keeps its HSM.
#[test]
fn clusters_come_and_go() {
    let place = Place::new();
    place.pkcs11(&["--enable-certificate-storage"]);
    assert!(
        place
            .pkcs11(&["add-cluster", "--cluster-id", "one", "--hsm-ca-cert", "one.crt"])
            .contains("cluster one is hsm1")
    );
    assert!(
        place.pkcs11(&["add-cluster", "--cluster-id", "two", "--region", "eu-west-1"]).contains("cluster two is hsm2")
    );
    assert!(place.pkcs11(&["add-cluster", "--cluster-id", "three"]).contains("cluster three is hsm3"));
    let cluster = |id: &str, more: Value| {
        let mut cluster = fresh()["clusters"][0].clone();
        cluster["cluster"]["cluster_id"] = json!(id);
        for (key, value) in more.as_object().unwrap() {
            cluster["cluster"][key] = value.clone();
        }
        cluster
    };
    let one = cluster("one", json!({ "hsm_ca_file": "one.crt", "options": { "enable_certificate_storage": true } }));
    assert_eq!(place.json(), json!({ "clusters": [ one, cluster("two", json!({})), cluster("three", json!({})) ] }));
    place.run(PKCS11, &["add-cluster", "--cluster-id", "two"]).refused("cluster two is configured already");
    place.run(PKCS11, &["remove-cluster", "--cluster-id", "four"]).refused("cluster four is not configured");
    place.run(PKCS11, &["-a", "10.0.0.5"]).refused("several clusters are configured");

    assert!(place.pkcs11(&["remove-cluster", "--cluster-id", "one"]).contains("its HSM, hsm1, stays"));
    let (two, three) =
        (cluster("two", json!({ "local_hsm": "hsm2" })), cluster("three", json!({ "local_hsm": "hsm3" })));
    assert_eq!(place.json(), json!({ "clusters": [ two, three ] }));
    // The place in the list is another's, so the first free HSM is taken.
    assert!(place.pkcs11(&["add-cluster", "--cluster-id", "four"]).contains("cluster four is hsm1"));
    assert_eq!(place.json()["clusters"][2], cluster("four", json!({ "local_hsm": "hsm1" })));
    for number in 5..=9 {
        place.pkcs11(&["add-cluster", "--cluster-id", &format!("c{number}")]);
    }
    place.run(PKCS11, &["add-cluster", "--cluster-id", "nine"]).refused("there are 8 clusters already");
    for id in ["two", "three", "four", "c5", "c6", "c7", "c8", "c9"] {
        place.pkcs11(&["remove-cluster", "--cluster-id", id]);
    }
    assert_eq!(place.json(), json!({ "clusters": [] }));
    place.pkcs11(&["-a", "10.0.0.5"]);
    assert_eq!(place.json()["clusters"].as_array().unwrap().len(), 1);
}

/// What `configure-cli` writes `cloudhsm-cli` reads: the ids of clusters and how to log.
#[test]
fn the_cli_reads_its_file() {
    let place = Place::new();
    let info = ["cluster", "hsm-info", "--cluster-id", "cluster-7"];
    assert_eq!(place.cloudhsm_cli(&info).status, 1);
    place.run(CLI, &["--cluster-id", "cluster-7"]).done();
    assert_eq!(place.cloudhsm_cli(&info).status, 0);
    let log = place.0.join("cli.log");
    place.run(CLI, &["--log-type", "file", "--log-file", log.to_str().unwrap(), "--log-level", "debug"]).done();
    assert_eq!(place.cloudhsm_cli(&info).status, 0);
    assert!(log.is_file());
    assert!(!place.file().exists(), "each tool writes its own file");
    // A file that is broken is one line that names it.
    fs::write(place.home().join("cloudhsm-cli.cfg"), "{").unwrap();
    let answer = place.cloudhsm_cli(&info);
    assert_eq!((answer.status, answer.stdout.as_str()), (1, ""));
    assert!(answer.stderr.contains("cloudhsm-cli.cfg"), "{}", answer.stderr);
}

/// Two changes at once are one after the other: none is lost.
#[test]
fn changes_at_once() {
    let place = Place::new();
    place.pkcs11(&["-a", "10.0.0.5"]);
    std::thread::scope(|scope| {
        for id in ["a", "b", "c", "d"] {
            let place = &place;
            scope.spawn(move || place.pkcs11(&["add-cluster", "--cluster-id", id]));
        }
    });
    assert_eq!(place.json()["clusters"].as_array().unwrap().len(), 5);
}
