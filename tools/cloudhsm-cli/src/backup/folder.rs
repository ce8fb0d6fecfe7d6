//! The home's folder of backups: listed, pruned by age, emptied of one.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use base::error::Error;
use hsm::config::Config;
use hsm::module::BackupInformation;
use serde_json::{Value, json};

use super::view;
use crate::output::{Failure, Outcome};

/// How the files of backups end. One that is being written begins with a dot.
const ENDING: &str = ".backup";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The longest that backups are kept (User Guide, manage-backup-retention).
pub(super) const LONGEST_RETENTION_DAYS: u64 = 379;

/// What a pruning came to.
#[derive(Default)]
pub(super) struct Pruned {
    /// The names of the backups that were deleted.
    pub(super) deleted: Vec<String>,
    /// Whether nothing was deleted because the clock cannot be right.
    pub(super) doubt: bool,
}

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
///
/// AWS keeps the last backup of a cluster (User Guide, manage-backup-retention). Ages come from a clock that may have jumped: in the year 2500
/// everything is old. So the newest before the one that was just made stays too, whatever its age; and what lies behind a gap that is
/// longer than any retention, or behind one of the future, stays: there the clock is not believed.
pub(super) fn prune(config: &Config, newest: &BackupInformation, days: u64) -> Pruned {
    let mut kept = Pruned::default();
    // Oldest first.
    let mut others: Vec<Entry> = entries(config)
        .unwrap_or_default()
        .into_iter()
        .filter(|entry| {
            entry.found.as_ref().is_ok_and(|backup| backup.serial == newest.serial && backup.id != newest.id)
        })
        .collect();
    let Some(last) = others.pop().and_then(|entry| entry.found.ok()) else { return kept };
    let mut believed = Believed { latest: newest.created_ms };
    kept.doubt = !believed.reaches(last.created_ms) && !others.is_empty();
    // From the newest back.
    for entry in others.into_iter().rev() {
        let Ok(backup) = entry.found else { continue };
        if kept.doubt {
            break;
        }
        kept.doubt = !believed.reaches(backup.created_ms);
        let old = newest.created_ms.saturating_sub(backup.created_ms) > days * DAY_MS;
        if old && !kept.doubt && fs::remove_file(&entry.path).is_ok() {
            kept.deleted.push(backup.id);
        }
    }
    kept.deleted.reverse();
    kept
}

/// How far back the clock of backups is believed.
struct Believed {
    latest: u64,
}

impl Believed {
    /// Whether the clock that made the one before this is still the same: no gap is longer than any retention, and none is of the future.
    fn reaches(&mut self, created_ms: u64) -> bool {
        let gap = self.latest.checked_sub(created_ms);
        self.latest = created_ms;
        gap.is_some_and(|gap| gap <= LONGEST_RETENTION_DAYS * DAY_MS)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use base::secret::Secret;
    use hsm::config::Settings;
    use hsm::module::{Module, Role};

    use super::*;

    /// A clock in the year 2500 that has made two backups there is not believed behind them, nor is one that was there and is right again.
    #[test]
    fn a_jump_of_the_clock_is_seen_behind_what_it_has_made() {
        let later = 474 * 365 * DAY_MS;
        let mut believed = Believed { latest: later + DAY_MS };
        assert!(believed.reaches(later));
        assert!(!believed.reaches(2 * DAY_MS));
        assert!(!Believed { latest: DAY_MS }.reaches(later));
    }

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
        let (third, _) = module.backup(&officer, None, &mut |_, _| {}).unwrap();
        let at = |days: u64, serial: &str| BackupInformation {
            created_ms: first.created_ms + days * DAY_MS,
            serial: serial.to_owned(),
            ..third.clone()
        };
        let count = || list(&config).unwrap_or_default()["backups"].as_array().map(Vec::len);
        let nothing = |newest: &BackupInformation, doubt: bool| {
            let pruned = prune(&config, newest, 7);
            assert!(pruned.deleted.is_empty() && pruned.doubt == doubt && count() == Some(3));
        };
        nothing(&at(7, &third.serial), false);
        nothing(&at(100, "another"), false);
        // A clock in the year 2500, and one that was there and is right again.
        nothing(&at(474 * 365, &third.serial), true);
        nothing(&at(LONGEST_RETENTION_DAYS + 1, &third.serial), true);
        nothing(&BackupInformation { created_ms: first.created_ms - 1, ..third.clone() }, true);
        assert_eq!(prune(&config, &at(8, &third.serial), 7).deleted, [first.id]);
        assert_eq!(count(), Some(2), "the newest and the one before it stay however old they are");
        assert!(prune(&config, &at(300, &second.serial), 7).deleted.is_empty());
        module.close();
        fs::remove_dir_all(&home).unwrap();
    }
}
