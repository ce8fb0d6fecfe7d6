//! The grammar of the command line: the top level, and what several commands share.

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use hsm::module;

use crate::context::{Context, Session};
use crate::credentials::Password;
use crate::output::Failure;
use crate::{audit, backup, cluster, crypto, doctor, key, migrate, quorum, session, token_file, trace, user};

/// AWS CloudHSM's command line for the HSM of libcloudhsm_pkcs11.so.
#[derive(Parser)]
#[command(name = "cloudhsm-cli", version, propagate_version = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) program: Program,
    /// The cluster to talk to: the name of its folder (hsm1), the serial number of its HSM, or its id in AWS's configuration file
    #[arg(long, global = true, value_name = "CLUSTER_ID")]
    pub(crate) cluster_id: Option<String>,
}

/// A line of interactive mode.
#[derive(Parser)]
#[command(name = "", no_binary_name = true, disable_version_flag = true)]
pub(crate) struct Line {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// The cluster to talk to
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

/// What the program is started for.
#[derive(Subcommand)]
pub(crate) enum Program {
    #[command(flatten)]
    Command(Command),
    /// Read, check and export the audit log
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
    /// Back the HSM up, and put it back
    Backup {
        #[command(subcommand)]
        command: backup::Command,
    },
    /// Print what completes this program's commands in a shell
    #[command(after_help = "Example:\n  source <(cloudhsm-cli completions bash)")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Check the set-up: one line for each check, with the cure; status 1 if something is wrong
    #[command(
        after_help = "Examples:\n  cloudhsm-cli doctor\n  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli doctor --verify"
    )]
    Doctor(doctor::Arguments),
    /// Bring keys over from other tokens
    Migrate {
        #[command(subcommand)]
        command: migrate::Command,
    },
    /// Run commands one after the other, in one login
    #[command(after_help = "\
Example:
  cloudhsm-cli interactive
  aws-cloudhsm > login --username admin --role admin
  aws-cloudhsm > user list
  aws-cloudhsm > quit")]
    Interactive,
    /// Look through what a program has asked of the library
    Trace {
        #[command(subcommand)]
        command: trace::Command,
    },
}

/// What a program of one command and a line of interactive mode have in common.
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
    /// Manage keys
    Key {
        #[command(subcommand)]
        command: key::Command,
    },
    /// Log in; for interactive mode, where the login lasts until logout or quit
    #[command(after_help = "\
Example:
  login --username ann --role crypto-user")]
    Login(session::LogIn),
    /// Log out; session keys and quorum tokens of the login end
    #[command(after_help = "Example:\n  logout")]
    Logout,
    /// Approvals of several users
    Quorum {
        #[command(subcommand)]
        command: quorum::Command,
    },
    /// End interactive mode
    #[command(after_help = "Example:\n  quit")]
    Quit,
    /// Manage users
    User {
        #[command(subcommand)]
        command: user::Command,
    },
}

impl Command {
    /// Whether the command names its clusters itself, and not with `--cluster-id`.
    pub(crate) const fn names_clusters(&self) -> bool {
        matches!(
            self,
            Self::Key { command: key::Command::Replicate(_) } | Self::User { command: user::Command::Replicate(_) }
        )
    }
}

/// From where to where something is replicated.
#[derive(Args)]
pub(crate) struct Clusters {
    /// The cluster that has it: the name of its folder or its serial number
    #[arg(long, value_name = "CLUSTER_ID")]
    source_cluster_id: String,
    /// The cluster that gets it: a clone, made by `backup restore`
    #[arg(long, value_name = "CLUSTER_ID")]
    destination_cluster_id: String,
}

impl Clusters {
    /// The users at work on both.
    pub(crate) fn sessions<'a>(&self, context: &'a mut Context) -> Result<(Session<'a>, Session<'a>), Failure> {
        context.sessions(&self.source_cluster_id, &self.destination_cluster_id)
    }
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
    /// A signed quorum token file; needed only where the quorum value is above 1
    #[arg(long, value_name = "FILE")]
    approval: Option<PathBuf>,
}

impl Approval {
    /// Brings the file before the HSM, if one was given.
    pub(crate) fn present(&self, session: Session<'_>) -> Result<Option<module::Approval>, Failure> {
        present(self.approval.as_deref(), session)
    }
}

/// Brings a signed quorum token file before the HSM, if one was given.
pub(crate) fn present(file: Option<&Path>, session: Session<'_>) -> Result<Option<module::Approval>, Failure> {
    let Some(path) = file else { return Ok(None) };
    Ok(Some(session.module.approve(session.login, &token_file::read_token(path)?)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// The commands without commands of their own, with the words that lead to each.
    fn leaves(command: &clap::Command, path: &str) -> Vec<(String, String)> {
        let path = format!("{path} {}", command.get_name());
        let below: Vec<_> = command.get_subcommands().filter(|below| below.get_name() != "help").collect();
        if below.is_empty() {
            return vec![(path, command.get_after_help().map(ToString::to_string).unwrap_or_default())];
        }
        below.into_iter().flat_map(|below| leaves(below, &path)).collect()
    }

    /// Each command's help shows how it is used, and what it shows has the grammar of the program.
    #[test]
    fn every_command_shows_an_example_that_parses() {
        let mut commands = leaves(&Arguments::command(), "");
        commands.extend(leaves(&Line::command(), ""));
        let mut parsed = 0;
        for (path, help) in commands {
            assert!(help.contains("Example:") || help.contains("Examples:"), "{path} has no example");
            for line in help.replace("\\\n", " ").lines() {
                let words = shlex::split(line.trim()).unwrap_or_default();
                let program = words.iter().position(|word| !word.contains('=')).unwrap_or(0);
                // Up to what a shell does with its output.
                let words: Vec<&String> =
                    words.iter().skip(program).take_while(|word| !"|><".contains(word.as_str())).collect();
                if words.first().is_some_and(|word| *word == "cloudhsm-cli") {
                    parsed += 1;
                    if let Err(error) = Arguments::try_parse_from(words) {
                        panic!("{path}: {line}\n{error}");
                    }
                }
            }
        }
        assert!(parsed > 60, "{parsed} examples");
    }
}
