//! `cloudhsm-cli`: AWS CloudHSM's command line for the HSM of `libcloudhsm_pkcs11.so`.
//!
//! Options, JSON and exit status are AWS's, so that scripts written for a cluster run here; `doctor` and two options
//! of `cluster activate` are ours. A command runs from its parsed arguments and a [`context::Context`], and knows
//! neither where those came from nor where its answer goes.
//!
//! Adding a command: a variant with its example in the `Command` of its group, a function from its arguments and the
//! context to an [`output::Outcome`], a test that drives the program, a row in docs/cloudhsm-cli.md. What the command may
//! do is decided by the HSM; a check here is there for its text.

mod arguments;
mod backup;
mod cluster;
mod context;
mod credentials;
mod crypto;
mod doctor;
mod input;
mod key;
mod output;
mod user;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};
use context::Context;
use output::Outcome;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let cluster = arguments.cluster_id.as_deref();
    match arguments.command {
        Command::Doctor(asked) => return doctor::run(cluster, &asked),
        Command::Backup { command } if !command.needs_hsm() => {
            return match context::read_config() {
                Ok(config) => output::print(&backup::alone(command, &config, cluster)),
                Err(error) => output::cannot_start(&error),
            };
        }
        _ => {}
    }
    let mut context = match Context::open() {
        Ok(context) => context,
        Err(error) => return output::cannot_start(&error),
    };
    let outcome = run(arguments, &mut context);
    context.close();
    output::print(&outcome)
}

/// Runs one command.
fn run(arguments: Arguments, context: &mut Context) -> Outcome {
    context.check_cluster(arguments.cluster_id.as_deref())?;
    match arguments.command {
        Command::Cluster { command } => cluster::run(command, context),
        Command::Crypto { command } => crypto::run(&command, context),
        Command::User { command } => user::run(command, context),
        Command::Key { command } => key::run(command, context),
        Command::Backup { command } => backup::run(command, context),
        Command::Doctor(_) => Err(output::Failure::new("doctor runs before the HSM is opened")),
    }
}
