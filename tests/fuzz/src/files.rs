//! What comes from outside as a file: keys and certificates in PEM, a backup, the configuration. The first byte says which.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use crypto::{key_file, x509};
use hsm::config::Config;
use hsm::module::BackupInformation;
use hsm::object;
use hsm::object::key_file::Half;
use libfuzzer_sys::fuzz_target;

static HOME: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::var_os("CLOUDHSM_PKCS11_HOME").expect("tests/fuzz/run names a home").into());

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    match kind % 5 {
        0 => {
            drop(object::key_file::read(data, Half::Public));
            drop(object::key_file::read(data, Half::Private));
        }
        // As PEM that is whole, so that the bytes inside are what is tried.
        1 => {
            let Some((label, data)) = data.split_first() else { return };
            const LABELS: [&str; 5] =
                ["PUBLIC KEY", "RSA PUBLIC KEY", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
            if let Ok(pem) = key_file::to_pem(LABELS[usize::from(*label) % LABELS.len()], data) {
                drop(object::key_file::read(pem.as_bytes(), Half::Public));
                drop(object::key_file::read(pem.as_bytes(), Half::Private));
            }
        }
        2 => {
            if let Ok(pem) = key_file::to_pem("CERTIFICATE", data) {
                drop(x509::read_chain(pem.as_bytes()));
            }
            drop(x509::read_chain(data));
        }
        3 => {
            let path = HOME.join("backup");
            std::fs::write(&path, data).expect("the home can be written");
            drop(BackupInformation::read(&path));
        }
        _ => {
            std::fs::write(HOME.join("config.toml"), data).expect("the home can be written");
            drop(Config::read());
        }
    }
});
