//! Command lines of `cloudhsm-cli`: what a person or a script may type, read by the program's own grammar.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        for line in text.lines() {
            let _ = cloudhsm_cli::fuzzing::read_line(line);
        }
    }
});
