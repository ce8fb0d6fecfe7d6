//! The `audit` commands: list, verify, export. AWS delivers the log to CloudWatch and has no command for it; what is
//! exported as text has its form.

mod event;
mod export;
mod head;
mod list;
mod verify;

use clap::Subcommand;

use crate::context::Context;
use crate::output::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write the whole log into a file
    #[command(after_help = "\
Examples:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli audit export --path hsm1.log
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli audit export --path hsm1.jsonl --format json-lines

The text is that of AWS CloudHSM's log; events of certificates are a line of JSON each, as in AWS's log of certificates.")]
    Export(export::Arguments),
    /// Print the head of the HSM, to be kept where nobody who has its folder can reach it; needs no login
    #[command(after_help = "\
Examples:
  cloudhsm-cli audit head
  cloudhsm-cli audit head --path head
  openssl dgst -sha256 -sign officer.key -out head.sig head

The line says what the log and every record are at this moment. `audit verify --anchor` compares the HSM with it later. The setting
audit_anchor sends one to a file or to syslog after each commit.")]
    Head(head::Arguments),
    /// Show the log, oldest first
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli audit list --max-items 100")]
    List(list::Arguments),
    /// Check that the log is the one that was written; needs no login
    #[command(after_help = "\
Examples:
  cloudhsm-cli audit verify
  cloudhsm-cli audit verify --anchor head --signature head.sig --public-key officer.pem
  cloudhsm-cli audit verify --includes 42:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08

The head that it prints can be kept elsewhere: whoever asks for it later learns whether the log still includes it, or was put
back to before it. An anchor (lines of `audit head`, or of the setting audit_anchor) also tells of changed records. Without --anchor
the file that audit_anchor names is compared.")]
    Verify(verify::Arguments),
}

pub(crate) fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Export(arguments) => export::run(&arguments, context),
        Command::Head(arguments) => head::run(&arguments, context),
        Command::List(arguments) => list::run(&arguments, context),
        Command::Verify(arguments) => verify::run(&arguments, context),
    }
}
