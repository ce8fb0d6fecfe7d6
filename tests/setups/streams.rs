//! Programs without standard streams: what they open next gets those numbers, and must not become a state file.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;

use crate::run::{DEVICE_ERROR, FUNCTION_FAILED, Hsm, Place, Run, set_mode};

#[test]
fn no_state_file_becomes_a_standard_stream() {
    let hsm = Hsm::new();
    let log = hsm.place.join("log");
    let steps = "close_standard_streams;initialize;login;use first;make second;standard_streams;make 12345678901234567\
                 8901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890\
                 12345678901234567890;logout;officer admin:wrong-pin;activate admin:wrong-pin;finalize;initialize;finalize";
    for log_file in [None, Some(&log)] {
        let mut run = hsm.child().set("CLOUDHSM_PKCS11_LOG_LEVEL", "debug").steps(steps);
        if let Some(log) = log_file {
            run = run.set("CLOUDHSM_PKCS11_LOG_FILE", log);
        }
        let outcome = run.run();
        assert_eq!((outcome.rv("initialize"), outcome.rv("finalize")), (0, 0), "{outcome:?}");
        assert!(outcome.answer("use").starts_with("block-"), "{outcome:?}");
        for stream in outcome.answer("standard_streams").split(',') {
            assert!(stream == "closed" || stream == "/dev/null", "a standard stream leads to {stream}: {outcome:?}");
        }
        for (path, bytes) in hsm.backup() {
            let said = bytes.windows(16).any(|window| window == b"cloudhsm-pkcs11[");
            assert!(!said, "{} has a line of the log in it", path.display());
        }
    }
    assert!(fs::read_to_string(&log).unwrap().contains("C_Finalize: CKR_OK"));
    hsm.assert_whole();
}

#[test]
fn activation_and_refusals_without_standard_streams() {
    let place = Place::new();
    let home = place.join("home");
    let steps = "close_standard_streams;initialize;activate;create_user;login;make first;standard_streams";
    let outcome = Run::new(&home).steps(steps).run();
    outcome.assert_quiet();
    assert!(!outcome.answer("standard_streams").contains("hsm1"), "{outcome:?}");
    set_mode(&home.join("hsm1/device.key"), 0o644);
    let outcome = Run::new(&home).steps("close_standard_streams;initialize;standard_streams").run();
    assert_eq!(outcome.rv("initialize"), DEVICE_ERROR, "nobody reads it, and it is refused all the same");
    assert!(!outcome.answer("standard_streams").contains("hsm1"), "{outcome:?}");
    set_mode(&home.join("hsm1/device.key"), 0o600);
    Run::new(&home).steps("initialize;login;use first").run().assert_quiet();
}

/// A log that nobody takes ends no program, holds none up and leaves its signals as they are. POSIX, write(): EPIPE and EFBIG come
/// with SIGPIPE and SIGXFSZ, whose default action ends the process; a pipe without room blocks.
#[test]
fn a_line_that_nobody_takes_is_dropped() {
    let hsm = Hsm::new();
    let log = hsm.place.join("log");
    let steps = |before: &str| {
        format!(
            "default_signals;{before};signals;initialize;login;use first;signals;finalize;initialize;logout;finalize"
        )
    };
    for stderr in ["pipe_without_reader", "full_pipe", "socket_without_reader", "full_socket", "device"] {
        let steps = steps(&format!("stderr_is {stderr} /dev/full"));
        let trace = hsm.child().set("CLOUDHSM_PKCS11_TRACE", "text");
        for run in [hsm.child().set("CLOUDHSM_PKCS11_LOG_LEVEL", "debug"), trace] {
            let begun = std::time::Instant::now();
            let outcome = run.steps(&steps).start().end();
            assert!(outcome.ended_well, "{stderr}: {outcome:?}");
            assert_eq!((outcome.answer("use"), outcome.rv("finalize")), (hsm.block(), 0), "{stderr}: {outcome:?}");
            let [before, after] = outcome.all("signals")[..] else { panic!("{outcome:?}") };
            assert_eq!(before, after, "{stderr}: pending, blocked, ignored or caught signals");
            assert!(begun.elapsed().as_secs() < 60, "{stderr}: it held the program up");
        }
    }
    fs::write(&log, "x".repeat(4000)).unwrap();
    for limited in ["LOG_FILE", "TRACE_FILE"] {
        let run = hsm.child().set("CLOUDHSM_PKCS11_LOG_LEVEL", "debug").set("CLOUDHSM_PKCS11_TRACE", "json");
        let run = run.set(&format!("CLOUDHSM_PKCS11_{limited}"), &log);
        let steps = "default_signals;initialize;login;limit_files 4000;use first;limit_files 1000000000;finalize";
        let outcome = run.steps(steps).start().end();
        assert!(outcome.ended_well && outcome.answer("use") == hsm.block(), "{limited}: {outcome:?}");
    }
    hsm.assert_whole();
}

/// Descriptor 2 of a program that has closed stderr is the next thing that it opens, which is no place for a line of the log.
#[test]
fn what_has_got_the_number_of_stderr_is_left_alone() {
    let hsm = Hsm::new();
    let file = hsm.place.join("data");
    for kind in ["database", "output", "private"] {
        fs::write(&file, "").unwrap();
        for settings in [("CLOUDHSM_PKCS11_LOG_LEVEL", "debug"), ("CLOUDHSM_PKCS11_TRACE", "text")] {
            let steps = format!("stderr_is {kind} {};initialize;login;use first;finalize", file.display());
            let outcome = hsm.child().set(settings.0, settings.1).steps(&steps).run();
            assert_eq!(outcome.answer("use"), hsm.block(), "{outcome:?}");
            assert_eq!(fs::read_to_string(&file).unwrap(), "", "{kind}");
        }
    }
    let outcome = hsm
        .child()
        .set("CLOUDHSM_PKCS11_LOG_LEVEL", "debug")
        .steps("stderr_is connection -;initialize;login;use first;received;finalize")
        .run();
    assert_eq!(outcome.answer("received"), "0", "{outcome:?}");
    // Opened after the number was given away, in the middle of the run.
    fs::write(&file, "content").unwrap();
    let steps = format!("initialize;login;stderr_is database {};use first;logout;finalize", file.display());
    hsm.child().set("CLOUDHSM_PKCS11_LOG_LEVEL", "debug").steps(&steps).run();
    assert_eq!(fs::read_to_string(&file).unwrap(), "content");
}

/// A shell's `2>file` and `2>>file`, and a pipe, are stderr.
#[test]
fn what_a_shell_has_put_there_is_stderr() {
    let hsm = Hsm::new();
    let file = hsm.place.join("said");
    for appended in [false, true] {
        fs::write(&file, "before\n").unwrap();
        let mut options = fs::OpenOptions::new();
        let opened =
            if appended { options.append(true) } else { options.write(true).truncate(true) }.open(&file).unwrap();
        let run = hsm.child().set("CLOUDHSM_PKCS11_LOG_LEVEL", "debug").stderr(opened).steps("initialize;finalize");
        assert!(run.run().stderr.is_empty());
        let said = fs::read_to_string(&file).unwrap();
        assert!(said.contains("C_Initialize: CKR_OK") && said.contains("C_Finalize: CKR_OK"), "{said}");
        assert_eq!(said.starts_with("before\n"), appended, "{said}");
    }
    let outcome = hsm.child().set("CLOUDHSM_PKCS11_LOG_LEVEL", "debug").steps("initialize;finalize").run();
    assert!(outcome.stderr.contains("C_Finalize: CKR_OK"), "a pipe: {outcome:?}");
}

/// A pipe, a socket, a folder or a device where a file belongs is one clear line, and nobody waits for its other end.
#[test]
fn what_is_no_file_holds_nobody_up() {
    let hsm = Hsm::new();
    let pipe = hsm.place.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for (setting, value) in [("LOG_FILE", None), ("TRACE_FILE", Some(("CLOUDHSM_PKCS11_TRACE", "text")))] {
        let run = hsm.child().set(&format!("CLOUDHSM_PKCS11_{setting}"), &pipe);
        let run = if let Some((name, value)) = value { run.set(name, value) } else { run };
        let name = setting.to_lowercase();
        run.steps("initialize").run().assert_one_line("initialize", FUNCTION_FAILED, &pipe, &[&name, "nobody reads"]);
    }
    let named = hsm.child().set("CLOUDHSM_PKCS11_CONFIG", &pipe).steps("initialize").run();
    named.assert_one_line("initialize", FUNCTION_FAILED, &pipe, &["is not a file"]);
    // AWS's file is shared by all accounts, so a log that cannot be used is none.
    let of_aws = hsm.home.join("cloudhsm-pkcs11.cfg");
    fs::write(&of_aws, format!(r#"{{"logging": {{"log_type": "file", "log_file": "{}"}}}}"#, pipe.display())).unwrap();
    assert_eq!(hsm.run("initialize").rv("initialize"), 0);
    fs::remove_file(of_aws).unwrap();
    // Somebody reads: it is a log.
    let reader = fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&pipe).unwrap();
    let run = hsm.child().set("CLOUDHSM_PKCS11_LOG_FILE", &pipe).set("CLOUDHSM_PKCS11_LOG_LEVEL", "debug");
    run.steps("initialize;finalize").run().assert_quiet();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut &reader, &mut said).unwrap();
    assert!(said.contains("C_Finalize: CKR_OK"), "{said}");
    for name in ["config.toml", "cloudhsm-pkcs11.cfg"] {
        let path = hsm.home.join(name);
        fs::rename(&pipe, &path).unwrap();
        hsm.run("initialize").assert_one_line("initialize", FUNCTION_FAILED, &path, &["is not a file"]);
        fs::rename(&path, &pipe).unwrap();
    }
    for name in ["device.key", "hsm.db", "hsm.db-wal", "hsm.db-shm", "hsm.db-journal", "write.lock", "gen.map"] {
        let backup = hsm.backup();
        let path = hsm.file(name);
        drop(fs::remove_file(&path));
        fs::rename(&pipe, &path).unwrap();
        hsm.run("initialize").assert_one_line("initialize", DEVICE_ERROR, &path, &["is not a plain file"]);
        fs::rename(&path, &pipe).unwrap();
        hsm.restore(&backup);
        backup.iter().for_each(|(path, _)| set_mode(path, 0o600));
    }
    hsm.assert_whole();
}
