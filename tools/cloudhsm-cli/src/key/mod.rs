//! The `key` commands: list, generate-symmetric, generate-asymmetric-pair, delete.

mod attributes;
mod delete;
mod filter;
mod generate;
mod list;
mod view;

use clap::Subcommand;

use crate::context::Context;
use crate::output::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Delete one key; the other half of a pair stays
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password cloudhsm-cli key delete --filter attr.label=k1")]
    Delete(delete::Arguments),
    /// Make a key pair
    GenerateAsymmetricPair {
        #[command(subcommand)]
        kind: generate::Pair,
    },
    /// Make a symmetric key
    GenerateSymmetric {
        #[command(subcommand)]
        kind: generate::Symmetric,
    },
    /// List keys: own ones, and the public keys of all; an admin sees reference and label of every key
    #[command(after_help = "\
Examples:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password cloudhsm-cli key list
  ... cloudhsm-cli key list --verbose --filter attr.key-type=rsa attr.class=private-key
  ... cloudhsm-cli key list --filter key-reference=0x00000000000a11ce --verbose
  ... cloudhsm-cli key list --max-items 2 --starting-token 2")]
    List(list::Arguments),
}

pub(crate) fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Delete(arguments) => delete::run(&arguments, context),
        Command::GenerateAsymmetricPair { kind } => generate::pair(kind, context),
        Command::GenerateSymmetric { kind } => generate::symmetric(kind, context),
        Command::List(arguments) => list::run(&arguments, context),
    }
}
