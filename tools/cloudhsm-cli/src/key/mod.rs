//! The `key` commands.

pub(crate) mod attributes;
mod delete;
pub(crate) mod filter;
mod forms;
mod generate;
mod generate_file;
mod import;
mod list;
mod replicate;
mod set_attribute;
mod share;
mod sharing;
mod unwrap;
pub(crate) mod view;
mod wrap;

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
    /// Write a public key, or a reference to a private one, to a file
    #[command(after_help = "\
Examples:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password \\
    cloudhsm-cli key generate-file --encoding pem --path public.pem --filter attr.label=ec-public
  ... cloudhsm-cli key generate-file --encoding reference-pem --path fake.pem --filter attr.label=ec-private")]
    GenerateFile(generate_file::Arguments),
    /// Make a symmetric key
    GenerateSymmetric {
        #[command(subcommand)]
        kind: generate::Symmetric,
    },
    /// Import a key
    Import {
        #[command(subcommand)]
        command: import::Command,
    },
    /// List keys: own ones, and the public keys of all; an admin sees reference and label of every key
    #[command(after_help = "\
Examples:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password cloudhsm-cli key list
  ... cloudhsm-cli key list --verbose --filter attr.key-type=rsa attr.class=private-key
  ... cloudhsm-cli key list --filter key-reference=0x00000000000a11ce --verbose
  ... cloudhsm-cli key list --max-items 2 --starting-token 2")]
    List(list::Arguments),
    /// Put a key into a clone of the HSM; an admin any, a crypto user its own
    #[command(after_help = "\
Example:
  export CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password
  export DESTINATION_CLOUDHSM_ROLE=crypto-user DESTINATION_CLOUDHSM_PIN=ann:password
  cloudhsm-cli key replicate --filter attr.label=k1 --source-cluster-id hsm1 --destination-cluster-id hsm2

`cloudhsm-cli backup restore --cluster-id hsm2` makes a clone.")]
    Replicate(replicate::Arguments),
    /// Change an attribute of a key; `trusted` is an admin's to change
    #[command(after_help = "\
Examples:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password \\
    cloudhsm-cli key set-attribute --filter attr.label=k1 --name extractable --value false
  ... cloudhsm-cli key set-attribute --filter attr.label=kek --name wrap-template --value encrypt=true
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password \\
    cloudhsm-cli key set-attribute --filter key-reference=0x00000000000a11ce --name trusted --value true")]
    SetAttribute(set_attribute::Arguments),
    /// Let another crypto user use a key
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password \\
    cloudhsm-cli key share --filter attr.label=k1 --username ben --role crypto-user")]
    Share(share::Arguments),
    /// Take a shared key back from a user
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password \\
    cloudhsm-cli key unshare --filter attr.label=k1 --username ben --role crypto-user")]
    Unshare(share::Arguments),
    /// Bring a wrapped key in
    Unwrap {
        #[command(subcommand)]
        form: unwrap::Command,
    },
    /// Let a key leave the HSM wrapped by another
    Wrap {
        #[command(subcommand)]
        form: wrap::Command,
    },
}

pub(crate) fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Delete(arguments) => delete::run(&arguments, context),
        Command::GenerateAsymmetricPair { kind } => generate::pair(kind, context),
        Command::GenerateFile(arguments) => generate_file::run(&arguments, context),
        Command::GenerateSymmetric { kind } => generate::symmetric(kind, context),
        Command::Import { command } => import::run(&command, context),
        Command::List(arguments) => list::run(&arguments, context),
        Command::Replicate(arguments) => replicate::run(&arguments, context),
        Command::SetAttribute(arguments) => set_attribute::run(&arguments, context),
        Command::Share(arguments) => share::run(&arguments, true, context),
        Command::Unshare(arguments) => share::run(&arguments, false, context),
        Command::Unwrap { form } => unwrap::run(&form, context),
        Command::Wrap { form } => wrap::run(&form, context),
    }
}
