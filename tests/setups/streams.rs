//! Programs without standard streams: what they open next gets those numbers, and must not become a state file.

use std::fs;

use crate::run::{DEVICE_ERROR, Hsm, Place, Run, set_mode};

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
