//! The `trace` commands: what a program has asked of the library, from the trace that the library wrote (docs/tracing.md).
//! AWS has none.

mod read;
mod summary;

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Subcommand;

use crate::output::{Failure, Outcome};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what was called, how often and how long, what failed and why, and the slowest calls
    #[command(after_help = "\
Examples:
  CLOUDHSM_PKCS11_TRACE=json CLOUDHSM_PKCS11_TRACE_FILE=trace.log pkcs11-tool --module libcloudhsm_pkcs11.so -O
  cloudhsm-cli trace summarize --file trace.log
  cloudhsm-cli trace summarize --file trace.log --slowest 3")]
    Summarize(Summarize),
}

#[derive(clap::Args)]
pub(crate) struct Summarize {
    /// The trace: `trace_file`, or the log that it went into
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// So many of the slowest calls
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    slowest: usize,
}

pub(crate) fn run(command: &Command) -> Outcome {
    let Command::Summarize(Summarize { file, slowest }) = command;
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", file.display()));
    let trace = read::all(BufReader::new(File::open(file).map_err(failed)?)).map_err(failed)?;
    if trace.calls.is_empty() {
        let lines = trace.other_lines;
        return Err(Failure::new(format!(
            "{}: none of its {lines} lines is a call; the trace is written while `trace` is `text` or `json`",
            file.display()
        )));
    }
    Ok(summary::of(&trace, *slowest))
}
