//! The grammar of the command line: the top level, and what several commands share.

use clap::{Args, Parser, Subcommand, ValueEnum};
use cloudhsm_pkcs11::module;

use crate::credentials::Password;
use crate::{backup, cluster, crypto, doctor, key, user};

/// AWS CloudHSM's command line for the HSM of libcloudhsm_pkcs11.so.
#[derive(Parser)]
#[command(name = "cloudhsm-cli", version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The cluster to talk to; here there is one, hsm1
    #[arg(long, global = true, value_name = "CLUSTER_ID")]
    pub(crate) cluster_id: Option<String>,
}

const EXAMPLES: &str = "\
Commands that need a login take it from the environment:
  CLOUDHSM_ROLE=admin        CLOUDHSM_PIN=admin:password     manages users
  CLOUDHSM_ROLE=crypto-user  CLOUDHSM_PIN=name:password      owns and uses keys

From nothing to a key:
  cloudhsm-cli cluster activate
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:... cloudhsm-cli user create --username ann --role crypto-user
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:... cloudhsm-cli key generate-symmetric aes --label k1 --key-length-bytes 32

The HSM lives in CLOUDHSM_PKCS11_HOME; `cloudhsm-cli doctor` says what is wrong with it.";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Activate the HSM, show what it is
    Cluster {
        #[command(subcommand)]
        command: cluster::Command,
    },
    /// Sign and verify
    Crypto {
        #[command(subcommand)]
        command: crypto::Command,
    },
    /// Manage users
    User {
        #[command(subcommand)]
        command: user::Command,
    },
    /// Manage keys
    Key {
        #[command(subcommand)]
        command: key::Command,
    },
    /// Back the HSM up, and put it back
    Backup {
        #[command(subcommand)]
        command: backup::Command,
    },
    /// Check the set-up: one line for each check, with the cure; status 1 if something is wrong
    #[command(
        after_help = "Examples:\n  cloudhsm-cli doctor\n  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli doctor --verify"
    )]
    Doctor(doctor::Arguments),
}

/// A user's role in AWS's words.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// Manages users, uses no key
    Admin,
    /// Owns and uses keys
    CryptoUser,
}

impl From<Role> for module::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Admin => Self::CryptoOfficer,
            Role::CryptoUser => Self::CryptoUser,
        }
    }
}

/// Which user a command is about.
#[derive(Args)]
pub(crate) struct User {
    /// The user's name: up to 31 letters, digits and underscores; upper case is lower case
    #[arg(long)]
    pub(crate) username: String,
    /// The user's role
    #[arg(long, value_enum)]
    pub(crate) role: Role,
}

/// A new password; asked for twice if it is not given.
#[derive(Args)]
pub(crate) struct NewPassword {
    /// The password, 8 to 32 characters without a colon; asked for if absent, which keeps it out of the list of processes
    #[arg(long, value_parser = Password::parse)]
    pub(crate) password: Option<Password>,
}

/// A signed quorum token file.
#[derive(Args)]
pub(crate) struct Approval {
    /// A signed quorum token file; needed only where a quorum value is above 1, and none can be set yet
    #[arg(long, value_name = "FILE")]
    pub(crate) approval: Option<std::path::PathBuf>,
}

impl Approval {
    /// An approval that was given must at least be there; nothing here needs one.
    pub(crate) fn check(&self) -> Result<(), crate::output::Failure> {
        check_approval(self.approval.as_deref())
    }
}

/// The same for a command that takes several.
pub(crate) fn check_approval(file: Option<&std::path::Path>) -> Result<(), crate::output::Failure> {
    match file {
        Some(path) if !path.is_file() => {
            Err(crate::output::Failure::new(format!("{}: there is no such token file", path.display())))
        }
        _ => Ok(()),
    }
}
