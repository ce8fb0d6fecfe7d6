//! `configure-pkcs11`: writes `cloudhsm-pkcs11.cfg`, which the library reads.

use std::process::ExitCode;

fn main() -> ExitCode {
    cloudhsm_configure::run(&cloudhsm_configure::PKCS11)
}
