//! The program `cloudhsm-cli`; what it does is the library beside it, so that the fuzzer can reach its grammar.

use std::process::ExitCode;

fn main() -> ExitCode {
    cloudhsm_cli::main()
}
