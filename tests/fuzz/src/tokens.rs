//! Token files of `cloudhsm-cli`, which people send each other to sign: a challenge, a registration, what several approve.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static HOME: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::var_os("CLOUDHSM_PKCS11_HOME").expect("tests/fuzz/run names a home").into());

fuzz_target!(|data: &[u8]| {
    let path = HOME.join("token.json");
    std::fs::write(&path, data).expect("the home can be written");
    let _ = cloudhsm_cli::fuzzing::read_token_file(&path);
});
