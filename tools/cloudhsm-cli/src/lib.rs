//! `cloudhsm-cli`: AWS CloudHSM's command line for the HSM of `libcloudhsm_pkcs11.so`.
//!
//! Options, JSON and exit status are AWS's, so that scripts written for a cluster run here; what is ours is marked so in
//! docs/cloudhsm-cli.md. A command runs from its parsed arguments and a `context::Context`, and knows neither where those
//! came from nor where its answer goes: it is the same on the command line and in interactive mode.
//!
//! Adding a command: a variant with its example in the `Command` of its group, a function from its arguments and the
//! context to an `output::Outcome`, a case in tests/cases, a row in docs/cloudhsm-cli.md. What the command may do is decided
//! by the HSM; a check here is there for its text.

mod arguments;
mod audit;
mod backup;
mod cluster;
mod complete;
mod completions;
mod context;
mod credentials;
mod crypto;
mod doctor;
#[cfg(fuzzing)]
pub mod fuzzing;
mod history;
mod input;
mod interactive;
mod key;
mod migrate;
mod mtls;
mod output;
mod progress;
mod quorum;
mod session;
mod timestamp;
mod token_file;
mod trace;
mod user;

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

pub use completions::completions;

use arguments::{Arguments, Command, Program};
use context::{Context, Mode};
use output::Outcome;

/// The grammar of the command line, for its pages of the manual and its completions.
#[must_use]
pub fn grammar() -> clap::Command {
    Arguments::command()
}

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { program, cluster_id } = Arguments::parse();
    match program {
        Program::Audit { command } => with_context(Mode::Single, None, |context| {
            output::print(&context.select(cluster_id.as_deref()).and_then(|()| audit::run(command, context)))
        }),
        Program::Backup { command } if command.needs_hsm() => with_context(Mode::Single, None, |context| {
            output::print(&context.select(cluster_id.as_deref()).and_then(|()| backup::run(command, context)))
        }),
        Program::Backup { command } => match context::read_config() {
            Ok((config, _)) => output::print(&backup::alone(command, &config, cluster_id.as_deref())),
            Err(error) => output::cannot_start(error.message()),
        },
        Program::Migrate { command } if command.needs_copy() => migrate::run_on_copy(),
        Program::Migrate { command } => with_context(Mode::Single, None, |context| {
            output::print(&context.select(cluster_id.as_deref()).and_then(|()| migrate::run(command, context)))
        }),
        Program::Doctor(asked) => doctor::run(cluster_id.as_deref(), &asked),
        Program::Completions { shell } => {
            match std::io::stdout().write_all(completions(shell, &mut grammar()).as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        Program::Trace { command } => output::print(&trace::run(&command)),
        Program::Interactive => with_context(Mode::Interactive, cluster_id.clone(), |context| {
            // A cluster that is not there is said before the first line.
            match context.select(cluster_id.as_deref()) {
                Ok(()) => interactive::run(context),
                Err(failure) => output::cannot_start(failure.text()),
            }
        }),
        Program::Command(command) => {
            with_context(Mode::Single, None, |context| output::print(&run(command, cluster_id.as_deref(), context)))
        }
    }
}

fn with_context(mode: Mode, cluster: Option<String>, work: impl FnOnce(&mut Context) -> ExitCode) -> ExitCode {
    let mut context = match Context::open(mode, cluster) {
        Ok(context) => context,
        Err(error) => return output::cannot_start(error.message()),
    };
    let status = work(&mut context);
    context.close();
    status
}

/// Runs one command.
fn run(command: Command, cluster: Option<&str>, context: &mut Context) -> Outcome {
    if !command.names_clusters() {
        context.select(cluster)?;
    }
    match command {
        Command::Cluster { command } => cluster::run(command, context),
        Command::Crypto { command } => crypto::run(&command, context),
        Command::Key { command } => key::run(command, context),
        Command::Login(arguments) => session::log_in(arguments, context),
        Command::Logout => session::log_out(context),
        Command::Quorum { command } => quorum::run(command, context),
        Command::User { command } => user::run(command, context),
        Command::Quit => Ok(serde_json::Value::Null),
    }
}
