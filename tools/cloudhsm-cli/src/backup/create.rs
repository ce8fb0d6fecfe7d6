//! `backup create`, with the retention that AWS gives backups.

use std::path::PathBuf;

use clap::value_parser;
use hsm::module::Role;
use serde_json::{Value, json};

use super::{folder, view};
use crate::context::Context;
use crate::output::Outcome;
use crate::progress::Progress;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The file to write, which must not be there; without it a new one in the home's folder of backups
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
    /// Then delete this HSM's backups in the home's folder that are older than this; the two newest are always kept
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = value_parser!(u64).range(7..=379), conflicts_with = "path")]
    retention_days: u64,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Outcome {
    let session = context.session_as(Role::CryptoOfficer)?;
    let mut progress = Progress::new("Records");
    let (backup, path) = session.module.backup(session.login, arguments.path.as_deref(), &mut |done, all| {
        progress.at(done, all);
    })?;
    drop(progress);
    let pruned = match arguments.path {
        // Files elsewhere are kept by whoever put them there.
        Some(_) => folder::Pruned::default(),
        None => folder::prune(&context.config, &backup, arguments.retention_days),
    };
    let mut data = json!({ "backup": view(&backup, &path), "deleted": pruned.deleted });
    if let (true, Some(data)) = (pruned.doubt, data.as_object_mut()) {
        let note = "No older backup was deleted: by this machine's clock the one before is of the future, or older than any retention. \
                    Set the clock, or delete backups by name";
        data.insert("note".to_owned(), Value::from(note));
    }
    Ok(data)
}
