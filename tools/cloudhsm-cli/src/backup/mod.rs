//! The `backup` commands: create, list, restore, delete. AWS makes backups by itself and restores them into new clusters;
//! its words for their state, mode and retention are used here.
//!
//! Only `create` works on an HSM that is open: the others must do where there is none, or one that cannot be opened.

mod create;
mod folder;
mod restore;

use clap::{Args, Subcommand};
use hsm::config::Config;
use hsm::module::BackupInformation;
use serde_json::{Value, json};

use crate::context::Context;
use crate::output::Outcome;
use crate::timestamp;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Write the whole HSM, sealed, into one file, while others go on working
    #[command(after_help = "\
Examples:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli backup create
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli backup create --path /mnt/safe/hsm1.backup

Any admin's password of today opens it, and nothing else does.")]
    Create(create::Arguments),
    /// Delete a backup of the home's folder of backups
    #[command(after_help = "Example:\n  cloudhsm-cli backup delete --backup-id backup-ro5c4er4aac")]
    Delete(Chosen),
    /// List the home's folder of backups, oldest first
    #[command(after_help = "Example:\n  cloudhsm-cli backup list")]
    List,
    /// Put a backup back: into a new folder, or over the HSM that it was made of
    #[command(after_help = "\
Examples:
  cloudhsm-cli backup restore --backup-id backup-ro5c4er4aac --username admin
  cloudhsm-cli backup restore --path /mnt/safe/hsm1.backup --username admin --cluster-id hsm2

The password is the one that the admin had when the backup was made. Under the name of the HSM that it was made of (hsm1) it
is that HSM; under another one (hsm2) a clone, with a serial number of its own. Programs that have the HSM open get
CKR_DEVICE_ERROR until they initialize the library anew.")]
    Restore(restore::Arguments),
}

/// A backup by its name.
#[derive(Args)]
pub(crate) struct Chosen {
    /// The backup's name, as `backup list` shows it
    #[arg(long, value_name = "BACKUP_ID")]
    backup_id: String,
}

impl Command {
    /// Whether the command works on an open HSM.
    pub(crate) const fn needs_hsm(&self) -> bool {
        matches!(self, Self::Create(_))
    }
}

/// A command beside an HSM that is open.
pub(crate) fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Create(arguments) => create::run(&arguments, context),
        other => alone(other, &context.config, None),
    }
}

/// A command that needs no open HSM.
pub(crate) fn alone(command: Command, config: &Config, cluster: Option<&str>) -> Outcome {
    match command {
        Command::Create(_) => Err(crate::output::Failure::new("a backup is made of an HSM that is open")),
        Command::Delete(chosen) => folder::delete(config, &chosen.backup_id),
        Command::List => folder::list(config),
        Command::Restore(arguments) => restore::run(arguments, config, cluster),
    }
}

/// A backup as it is shown.
fn view(backup: &BackupInformation, path: &std::path::Path) -> Value {
    json!({
        "backup-id": backup.id,
        "backup-state": "ready",
        "cluster-id": backup.cluster,
        "serial-number": backup.serial,
        "create-timestamp": timestamp::rfc3339(backup.created_ms),
        "mode": if backup.fips { "FIPS" } else { "NON_FIPS" },
        "sequence": backup.sequence,
        "size-bytes": backup.size,
        "path": path.display().to_string(),
    })
}
