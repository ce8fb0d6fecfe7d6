//! `configure-cli`: writes `cloudhsm-cli.cfg`, which `cloudhsm-cli` reads.

use std::process::ExitCode;

fn main() -> ExitCode {
    cloudhsm_configure::run(&cloudhsm_configure::CLI)
}
