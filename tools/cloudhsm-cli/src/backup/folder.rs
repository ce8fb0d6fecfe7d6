//! The home's folder of backups: listed, pruned by age, emptied of one.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use cloudhsm_pkcs11::config::Config;
use cloudhsm_pkcs11::error::Error;
use cloudhsm_pkcs11::module::BackupInformation;
use serde_json::{Value, json};

use super::view;
use crate::output::{Failure, Outcome};

/// How the files of backups end. One that is being written begins with a dot.
const ENDING: &str = ".backup";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A file of the folder: its name without the ending, where it is, what it says of itself.
struct Entry {
    name: String,
    path: PathBuf,
    found: Result<BackupInformation, Error>,
}

/// The files of the folder, the oldest backup first and what cannot be read last.
fn entries(config: &Config) -> Result<Vec<Entry>, Failure> {
    let folder = BackupInformation::folder(config);
    let files = match fs::read_dir(&folder) {
        Ok(files) => files,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::new(format!("{}: {error}", folder.display()))),
    };
    let mut entries: Vec<Entry> = files
        .flatten()
        .filter_map(|file| {
            let name =
                file.file_name().to_str()?.strip_suffix(ENDING).filter(|name| !name.starts_with('.'))?.to_owned();
            let path = file.path();
            Some(Entry { name, found: BackupInformation::read(&path), path })
        })
        .collect();
    entries.sort_by_key(|entry| entry.found.as_ref().map_or(u64::MAX, |backup| backup.created_ms));
    Ok(entries)
}

pub(super) fn list(config: &Config) -> Outcome {
    let shown = |entry: &Entry| match &entry.found {
        Ok(backup) => view(backup, &entry.path),
        Err(error) => json!({
            "backup-id": entry.name,
            "backup-state": "unreadable",
            "reason": error.message(),
            "path": entry.path.display().to_string(),
        }),
    };
    Ok(json!({ "backups": entries(config)?.iter().map(shown).collect::<Vec<Value>>() }))
}

/// The file of a backup by its name.
pub(super) fn find(config: &Config, id: &str) -> Result<PathBuf, Failure> {
    let none = || Failure::new(format!("There is no backup {id}; `backup list` shows those that there are"));
    let entry = entries(config)?.into_iter().find(|entry| match &entry.found {
        Ok(backup) => backup.id == id,
        Err(_) => entry.name == id,
    });
    entry.map(|entry| entry.path).ok_or_else(none)
}

pub(super) fn delete(config: &Config, id: &str) -> Outcome {
    let path = find(config, id)?;
    fs::remove_file(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    Ok(json!({ "backup-id": id, "message": "Backup deleted successfully" }))
}

/// Deletes the backups of an HSM that are older than so many days, after a new one was made; their names.
pub(super) fn prune(config: &Config, newest: &BackupInformation, days: u64) -> Vec<String> {
    let mut deleted = Vec::new();
    for entry in entries(config).unwrap_or_default() {
        let Ok(backup) = entry.found else { continue };
        let age = newest.created_ms.saturating_sub(backup.created_ms);
        let old = age > days * DAY_MS && backup.serial == newest.serial && backup.id != newest.id;
        if old && fs::remove_file(&entry.path).is_ok() {
            deleted.push(backup.id);
        }
    }
    deleted
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use cloudhsm_pkcs11::config::Settings;
    use cloudhsm_pkcs11::module::{Module, Role};
    use cloudhsm_pkcs11::secret::Secret;

    use super::*;

    /// The age at which a backup goes is counted from the newest, which stays, as do those of other HSMs.
    #[test]
    fn old_ones_go() {
        let home = std::env::temp_dir().join(format!("cloudhsm-cli-prune-{}", std::process::id()));
        drop(fs::remove_dir_all(&home));
        let settings = Settings::default();
        let config =
            Config { home: home.clone(), file: PathBuf::new(), settings, cluster_ids: Vec::new(), remarks: Vec::new() };
        let module = Module::open(&config, "hsm1").unwrap();
        module.activate(&Secret::copy(b"officer-password"), None).unwrap();
        let officer = module.login(Role::CryptoOfficer, b"admin:officer-password").unwrap();
        let (first, _) = module.backup(&officer, None, &mut |_, _| {}).unwrap();
        let (second, _) = module.backup(&officer, None, &mut |_, _| {}).unwrap();
        let at = |days: u64, serial: &str| BackupInformation {
            created_ms: first.created_ms + days * DAY_MS,
            serial: serial.to_owned(),
            ..second.clone()
        };
        assert!(prune(&config, &at(7, &second.serial), 7).is_empty());
        assert!(prune(&config, &at(100, "another"), 7).is_empty());
        assert_eq!(prune(&config, &at(8, &second.serial), 7), [first.id]);
        let listed = list(&config).unwrap_or_default();
        assert_eq!(listed["backups"].as_array().map(Vec::len), Some(1), "the newest stays however old it is");
        module.close();
        fs::remove_dir_all(&home).unwrap();
    }
}
