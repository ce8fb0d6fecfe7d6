//! Configurations that are wrong, and environments without a home.

use std::fs;
use std::path::Path;

use crate::run::{FUNCTION_FAILED, Hsm, OK, Place, Run, USER_PIN_NOT_INITIALIZED};

#[test]
fn a_wrong_file_is_one_line() {
    let hsm = Hsm::new();
    let path = hsm.home.join("config.toml");
    for (text, words) in [
        ("profil = \"standard\"\n", &["line 1", "`profil`", "expected one of", "`profile`"][..]),
        ("audit = \"aws\"\n\ncached_objects = \"many\"\n", &["line 3", "\"many\"", "u32"]),
        ("group = -1\n", &["line 1", "-1"]),
        ("fips = 1\n", &["line 1", "boolean"]),
        ("profile = \"loose\"\n", &["line 1", "loose", "standard"]),
        ("pin_passes = 1\n", &["pin_passes", "1 passes", "2 passes or more"]),
        ("profile = \n", &["line 1"]),
        ("profile standard\n", &["line 1"]),
        ("fips = true\nfips = false\n", &["line 2", "duplicate"]),
        ("[profile]\nname = \"strict\"\n", &["line 2"]),
        ("profile = \"sta\u{7}\n", &["line 1"]),
    ] {
        fs::write(&path, text).unwrap();
        let outcome = hsm.run("initialize");
        outcome.assert_one_line("initialize", FUNCTION_FAILED, &path, words);
        fs::remove_file(&path).unwrap();
    }
    fs::write(&path, b"profile = \"\xff\xfe\"\n").unwrap();
    hsm.run("initialize").assert_one_line("initialize", FUNCTION_FAILED, &path, &["UTF-8"]);
    fs::write(&path, "#".repeat(70_000)).unwrap();
    hsm.run("initialize").assert_one_line("initialize", FUNCTION_FAILED, &path, &["70000 bytes", "65536"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    hsm.run("initialize").assert_one_line("initialize", FUNCTION_FAILED, &path, &["is not a file"]);
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "# nothing is set\n").unwrap();
    hsm.assert_whole();
}

#[test]
fn a_wrong_variable_is_one_line() {
    let hsm = Hsm::new();
    for (name, value, words) in [
        ("CLOUDHSM_PKCS11_PROFILE", "loose", &["loose", "standard"][..]),
        ("CLOUDHSM_PKCS11_FIPS", "yes", &["yes", "boolean"]),
        ("CLOUDHSM_PKCS11_GROUP", "staff", &["staff"]),
        ("CLOUDHSM_PKCS11_PIN_MEMORY_KIB", "1", &["19456"]),
        ("CLOUDHSM_PKCS11_LOG_LEVEL", "loud\nly", &["loud"]),
        ("CLOUDHSM_PKCS11_TRACE", "yes", &["yes", "text", "json"]),
    ] {
        let outcome = hsm.child().set(name, value).steps("initialize").run();
        outcome.assert_one_line("initialize", FUNCTION_FAILED, Path::new(name), words);
    }
    let missing = hsm.home.join("no/such.toml");
    let outcome = hsm.child().set("CLOUDHSM_PKCS11_CONFIG", &missing).steps("initialize").run();
    outcome.assert_one_line("initialize", FUNCTION_FAILED, &missing, &["No such file", "CLOUDHSM_PKCS11_CONFIG"]);
    let log = hsm.home.join("no/such.log");
    let outcome = hsm.child().set("CLOUDHSM_PKCS11_LOG_FILE", &log).steps("initialize").run();
    outcome.assert_one_line("initialize", FUNCTION_FAILED, &log, &["log_file", "No such file"]);
    let traced = hsm.child().set("CLOUDHSM_PKCS11_TRACE", "json").set("CLOUDHSM_PKCS11_TRACE_FILE", &log);
    let outcome = traced.steps("initialize").run();
    outcome.assert_one_line("initialize", FUNCTION_FAILED, &log, &["trace_file", "No such file"]);
    hsm.assert_whole();
}

/// The stricter or the same is taken; what would weaken the HSM is refused, and nothing changes.
#[test]
fn a_weaker_setting_than_the_hsms_own() {
    let place = Place::new();
    let home = place.join("home");
    let steps = "initialize;activate;create_user;login;make first;use first";
    let made = Run::new(&home).set("CLOUDHSM_PKCS11_FIPS", "true").steps(steps).run();
    made.assert_quiet();
    let outcome = Run::new(&home).set("CLOUDHSM_PKCS11_FIPS", "false").steps("initialize").run();
    outcome.assert_one_line("initialize", FUNCTION_FAILED, &home.join("hsm1"), &["fips=true", "fips=false"]);
    let again = Run::new(&home).steps("initialize;login;use first").run();
    again.assert_quiet();
    assert_eq!(again.answer("use"), made.answer("use"));
}

#[test]
fn no_home_at_all() {
    let outcome = Run::bare().steps("initialize").run();
    outcome.assert_one_line(
        "initialize",
        FUNCTION_FAILED,
        Path::new("CLOUDHSM_PKCS11_HOME"),
        &["HOME", "unset", "set"],
    );
    // An empty variable is as good as none.
    let empty = Run::bare().set("HOME", "").set("XDG_DATA_HOME", "").set("CLOUDHSM_PKCS11_HOME", "");
    let outcome = empty.steps("initialize").run();
    outcome.assert_one_line("initialize", FUNCTION_FAILED, Path::new("CLOUDHSM_PKCS11_HOME"), &["unset"]);
}

#[test]
fn a_home_that_is_not_there_is_an_hsm_that_is_not_activated() {
    let place = Place::new();
    for home in ["missing", "missing/deep"] {
        let path = place.join(home);
        let outcome = Run::bare().set("HOME", &path).steps("initialize;login;finalize").run();
        let hsm = path.join(".local/share/cloudhsm-pkcs11/hsm1");
        outcome.assert_one_line("login", USER_PIN_NOT_INITIALIZED, &hsm, &["is not activated", "cluster activate"]);
    }
    // What service accounts have for a home is no reason to fail in every process that loads the library.
    let outcome = Run::bare().set("HOME", "/dev/null").steps("initialize;finalize").run();
    assert_eq!((outcome.rv("initialize"), outcome.stderr.as_str()), (OK, ""), "{outcome:?}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "something was made before activation");
    let home = place.join("missing/deep");
    let steps = "initialize;activate;create_user;login;make first;use first";
    Run::bare().set("HOME", &home).steps(steps).run().assert_quiet();
    assert!(home.join(".local/share/cloudhsm-pkcs11/hsm1/hsm.db").is_file());
}

#[test]
fn a_home_that_is_a_file() {
    let place = Place::new();
    let home = place.join("home");
    fs::write(&home, "a file\n").unwrap();
    let outcome = Run::new(&home).steps("initialize").run();
    let words = &["is a symbolic link or no folder", "name the folder itself"];
    outcome.assert_one_line("initialize", crate::run::DEVICE_ERROR, &home, words);
    assert_eq!(fs::read(&home).unwrap(), b"a file\n");
    fs::remove_file(&home).unwrap();
    Run::new(&home).steps("initialize;activate;create_user;login;make first").run().assert_quiet();
    // So is the HSM's own folder.
    let other = place.join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("hsm1"), "a file\n").unwrap();
    let outcome = Run::new(&other).steps("initialize").run();
    outcome.assert_one_line("initialize", crate::run::DEVICE_ERROR, &other.join("hsm1"), words);
}

/// AWS's own file, in the home and by name: what it says counts, what it says of the network is one line at `debug`.
#[test]
fn a_file_of_aws() {
    let hsm = Hsm::new();
    let file = hsm.home.join("cloudhsm-pkcs11.cfg");
    let text = |level: &str, clusters: usize| {
        let cluster = r#"{ "type": "hsm1", "cluster": { "hsm_ca_file": "nowhere", "servers": [
            { "hostname": "%%HSM_IP_ADDRESS%%", "port": 2223, "enable": true } ],
            "options": { "disable_key_availability_check": true } } }"#;
        let clusters = vec![cluster; clusters].join(",");
        format!(
            r#"{{ "clusters": [{clusters}],
               "logging": {{ "log_type": "term", "log_file": "nowhere/x.log", "log_level": "{level}" }} }}"#
        )
    };
    fs::write(&file, text("error", 1)).unwrap();
    hsm.assert_whole();
    fs::write(&file, text("debug", 2)).unwrap();
    let outcome = hsm.run("initialize;slots;login;use first");
    assert_eq!((outcome.rv("login"), outcome.answer("use"), outcome.answer("slots")), (OK, hsm.block(), "2"));
    let ignored: Vec<&str> = outcome.stderr.lines().filter(|line| line.contains("ignored")).collect();
    let [line] = ignored[..] else { panic!("not one line: {}", outcome.stderr) };
    let keys = "clusters[].cluster.hsm_ca_file, clusters[].cluster.servers[].enable, \
                clusters[].cluster.servers[].hostname, clusters[].cluster.servers[].port, clusters[].type";
    assert!(line.contains(file.to_str().unwrap()) && line.ends_with(keys), "{line}");
    // Environment wins; config.toml wins over it, with one line.
    let outcome = hsm.child().set("CLOUDHSM_PKCS11_CLUSTERS", "3").steps("initialize;slots").run();
    assert_eq!(outcome.answer("slots"), "3");
    let own = hsm.home.join("config.toml");
    fs::write(&own, "log_level = \"debug\"\n").unwrap();
    let outcome = hsm.run("initialize;slots");
    assert_eq!(outcome.answer("slots"), "1");
    let passed_over: Vec<&str> = outcome.stderr.lines().filter(|line| line.contains("is not read")).collect();
    assert!(matches!(passed_over[..], [line] if line.contains(file.to_str().unwrap())), "{}", outcome.stderr);
    // The one that is named is the one that is read, whatever its name.
    let named = hsm.place.join("named.json");
    fs::write(&named, text("error", 2)).unwrap();
    let outcome = hsm.child().set("CLOUDHSM_PKCS11_CONFIG", &named).steps("initialize;slots").run();
    outcome.assert_quiet();
    assert_eq!(outcome.answer("slots"), "2");
    fs::remove_file(&own).unwrap();
    for (text, words) in [
        ("{\"clusters\": ", &["line 1"][..]),
        ("clusters = 2\n", &["line 1"]),
        ("{\"clusters\": {}}", &["clusters is an object", "a list"]),
        ("{\"logging\": {\"log_level\": \"loud\"}}", &["logging.log_level", "loud", "error"]),
        ("{\"options\": {\"disable_key_availability_check\": 1}}", &["options.disable_key", "true or false"]),
    ] {
        fs::write(&file, text).unwrap();
        hsm.run("initialize").assert_one_line("initialize", FUNCTION_FAILED, &file, words);
    }
    fs::write(&file, format!("{{{}}}", " ".repeat(70_000))).unwrap();
    hsm.run("initialize").assert_one_line("initialize", FUNCTION_FAILED, &file, &["70002 bytes", "65536"]);
    fs::remove_file(&file).unwrap();
    hsm.assert_whole();
}

/// A second cluster that cannot be opened is one line, like the first: a slot that is silently gone looks like lost keys.
#[test]
fn a_second_cluster_that_is_broken() {
    let hsm = Hsm::new();
    let second = hsm.home.join("hsm2");
    fs::write(&second, "a file\n").unwrap();
    let words = &["is a symbolic link or no folder", "name the folder itself"];
    hsm.run("initialize").assert_one_line("initialize", crate::run::DEVICE_ERROR, &second, words);
    fs::remove_file(&second).unwrap();
    hsm.assert_whole();
    let outcome = hsm.child().set("CLOUDHSM_PKCS11_CLUSTERS", "9").steps("initialize").run();
    let words = &["clusters is 9", "1 to 8"];
    outcome.assert_one_line("initialize", FUNCTION_FAILED, Path::new("CLOUDHSM_PKCS11_CLUSTERS"), words);
}

/// AWS's file names a log in a folder of AWS's package; where that is not installed, the log goes to stderr.
#[test]
fn the_log_of_an_aws_file_without_its_folder() {
    let hsm = Hsm::new();
    let path = hsm.home.join("cloudhsm-pkcs11.cfg");
    let log = hsm.home.join("no such folder/cloudhsm-pkcs11.log");
    let text = format!(r#"{{"logging": {{"log_file": "{}", "log_level": "debug"}}}}"#, log.display());
    fs::write(&path, text).unwrap();
    let outcome = hsm.run("initialize");
    assert_eq!(outcome.rv("initialize"), OK);
    assert!(outcome.stderr.contains("there is no such folder"), "{}", outcome.stderr);
    fs::remove_file(&path).unwrap();
    hsm.assert_whole();
}
