//! `backup restore`.

use std::path::PathBuf;

use base::ck;
use hsm::config::Config;
use hsm::module::{Module, Pin, Role};
use serde_json::json;

use super::folder;
use crate::context::HSM;
use crate::credentials::{Credentials, Password};
use crate::output::{Failure, Outcome};
use crate::progress::Progress;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    from: From,
    /// An admin at the time of the backup; without it CLOUDHSM_PIN says who
    #[arg(long)]
    username: Option<String>,
    /// The password that the admin had then; asked for if absent, which keeps it out of the list of processes
    #[arg(long, value_parser = Password::parse, requires = "username")]
    password: Option<Password>,
    /// Also put a backup back over an HSM that has gone on since: what was done since is lost
    #[arg(long)]
    force: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct From {
    /// The file of a backup
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
    /// A backup of the home's folder, as `backup list` shows it
    #[arg(long, value_name = "BACKUP_ID")]
    backup_id: Option<String>,
}

pub(super) fn run(arguments: Arguments, config: &Config, cluster: Option<&str>) -> Outcome {
    let cluster = cluster.unwrap_or(HSM);
    let name = Config::cluster_named(cluster).ok_or_else(|| {
        Failure::new(format!("cluster {cluster} is no name that a restored HSM can have; hsm1 to hsm8 are"))
    })?;
    let path = match (arguments.from.path, arguments.from.backup_id) {
        (Some(path), _) => path,
        (None, Some(id)) => folder::find(config, &id)?,
        (None, None) => return Err(Failure::new("--path or --backup-id says which backup")),
    };
    let officer = match arguments.username {
        Some(username) => {
            let password = Password::or_ask_once(arguments.password)?;
            Pin::named(username.as_bytes(), password.expose())
        }
        None => {
            let credentials = Credentials::from_environment("")?;
            if credentials.role != Role::CryptoOfficer {
                return Err(Failure::new("A backup is restored with the password of an admin"));
            }
            Pin::split(credentials.pin.expose(), credentials.role, false)
        }
    }
    .map_err(|error| Failure::login(&error))?;
    let mut progress = Progress::new("Records");
    let told = &mut |done, all| progress.at(done, all);
    let restored = Module::restore(config, name, &path, &officer, arguments.force, told)
        .map_err(|error| if error.rv() == ck::CKR_PIN_INCORRECT { Failure::login(&error) } else { error.into() })?;
    Ok(json!({
        "backup-id": restored.backup.id,
        "cluster-id": name,
        "serial-number": restored.serial,
        "replaced": restored.replaced,
        "message": "Backup restored successfully",
    }))
}
