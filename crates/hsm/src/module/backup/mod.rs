//! Backups: the whole HSM in one sealed file, made while others go on working, and put back.
//!
//! What a backup holds is what the store holds, record by record and sealed as it is, with the one key that lies outside
//! the store. [`format`] has the file, [`chunks`] its payload, [`restore`] the way back.

mod chunks;
mod format;
mod record;
mod restore;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use format::BackupInformation;
pub use restore::Restored;

use base::error::{Error, Result};
use platform::files::{Access, Directory, NewFile, open_home};
use platform::process;
use store::{Durability, Kind, Selection, SqliteStore};

use super::audit::{Event, Opcode};
use super::commit::{Head, Plan, meta};
use super::policy::{self, Command};
use super::user::{Role, User};
use super::{Hsm, Login, Module};
use crate::config::Config;
use chunks::Sealing;
use format::{Found, Header, finish, new_id};

/// The folder of backups in the home.
const FOLDER: &str = "backups";
/// Records read at once; each may be a megabyte long.
const PAGE: usize = 64;

impl BackupInformation {
    /// What a backup says of itself, if it looks like a whole one. Only a restoration, with a password, tells whether it is.
    ///
    /// # Errors
    /// `CKR_DEVICE_ERROR` naming the path and what is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Found::open(path)?.header.information)
    }

    /// Where backups are kept unless a path is named.
    #[must_use]
    pub fn folder(config: &Config) -> PathBuf {
        config.home.join(FOLDER)
    }
}

impl Module {
    /// Writes a backup of the HSM as it is now to `path`, else to a file named after it in the home's folder of backups.
    /// Nothing is replaced, and the file is there only once it is whole and on the disk. `progress` hears how many records
    /// of how many are written.
    ///
    /// # Errors
    /// What the policy refuses; `CKR_DEVICE_ERROR` for an HSM that has been tampered with, and naming the path for what is
    /// wrong with it.
    pub fn backup(
        &self,
        login: &Login,
        path: Option<&Path>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(BackupInformation, PathBuf)> {
        policy::may(login, Command::Backup)?;
        let hsm = self.hsm()?;
        let id = new_id()?;
        // A group that shares the HSM shares the folder of its backups, but what is put elsewhere is the maker's own.
        let (path, access) = match path {
            Some(path) => (path.to_owned(), Access::default()),
            None => (self.backup_folder()?.join(format!("{id}.backup")), self.access()),
        };
        let mut file = NewFile::create(&path, access)?;
        hsm.note(login, Event::by(login, Opcode::BackupBegin))?;
        let information =
            self.write_backup(login, id, &mut file, progress).map_err(|error| error.context(path.display()))?;
        file.finish()?;
        hsm.note(login, Event::by(login, Opcode::BackupEnd))?;
        Ok((information, path))
    }

    fn write_backup(
        &self,
        login: &Login,
        id: String,
        out: &mut NewFile,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<BackupInformation> {
        let failed = |error: std::io::Error| Error::device(format!("cannot be written: {error}; free some space"));
        let hsm = self.frozen()?;
        let store = &*hsm.store;
        let head = Head::read(store, &hsm.public)?;
        if Head::recompute(store, &hsm.public)? != head.sum {
            return Err(Error::device(
                "no backup is made of an HSM of which a record was cut out, put back or exchanged; run `cloudhsm-cli doctor`"
                    .to_owned(),
            ));
        }
        let mut records = 0;
        for kind in Kind::ALL {
            records += store.count(kind)?;
        }
        let mut information = BackupInformation {
            id,
            cluster: self.name.to_owned(),
            serial: hsm.recorded.serial.clone(),
            lineage: hsm.public.store,
            fips: hsm.recorded.fips,
            secure: hsm.recorded.secure,
            created_ms: process::wall_clock_ms(),
            sequence: head.audit_sequence,
            // The root is wrapped for this machine; the one under it goes along instead.
            records: records.saturating_sub(1),
            size: 0,
        };
        let (header, key) = Header::new(information.clone(), &hsm.officers()?, &login.data)?;
        let (front, hash) = header.encode();
        let mut counted = Counted { out, length: 0 };
        counted.write_all(&front).map_err(failed)?;
        let mut payload = Sealing::new(counted, &key, hash)?;
        payload.write(hsm.public.root())?;
        let mut written = 0;
        for kind in Kind::ALL {
            let mut selection = Selection { limit: PAGE, ..Selection::all(kind) };
            loop {
                let page = store.scan(&selection)?;
                for record in &page {
                    selection.after = record.id;
                    if (record.kind, record.id) != (Kind::Meta, meta::ROOT) {
                        payload.write(&record::encode(record, &store.tags(kind, record.id)?))?;
                        written += 1;
                    }
                }
                progress(written, information.records);
                if page.len() < PAGE {
                    break;
                }
            }
        }
        if written != information.records {
            return Err(Error::device(format!(
                "no backup is made of an HSM that counts {} records and has {written}; run `cloudhsm-cli doctor`",
                information.records
            )));
        }
        let mut counted = payload.finish()?;
        let length = counted.length;
        information.size = finish(&mut counted, length, &hash).map_err(failed)?;
        Ok(information)
    }

    /// The home's folder of backups, made if it is not there.
    fn backup_folder(&self) -> Result<PathBuf> {
        let home = self.directory.parent().ok_or(Error::internal("the HSM's folder has no parent"))?;
        let path = home.join(FOLDER);
        let home = open_home(home, self.access())?;
        if !SqliteStore::exists(&path) {
            // Another process may be as fast: the check below is for both.
            drop(home.create_directory(FOLDER, self.access()));
        }
        Directory::open(&path, self.access())?;
        Ok(path)
    }
}

impl Hsm {
    /// Leaves a record of what reads the HSM or part of it.
    pub(super) fn note(&self, login: &Login, event: Event) -> Result<()> {
        self.commit(Some(login), Durability::Synced, &mut |_, _| {
            Ok(Plan { events: vec![event.clone()], ..Plan::default() })
        })
    }

    fn officers(&self) -> Result<Vec<User>> {
        Ok(self
            .users_in(&*self.store)?
            .into_iter()
            .map(|(_, user)| user)
            .filter(|user| user.role == Role::CryptoOfficer)
            .collect())
    }
}

/// Counts what goes through.
struct Counted<'a> {
    out: &'a mut NewFile,
    length: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
