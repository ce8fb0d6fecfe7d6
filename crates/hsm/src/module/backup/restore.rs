//! The way back: a backup becomes an HSM in a new folder, or takes the place of what an HSM of its lineage holds.

use std::io::{BufReader, Read};
use std::path::Path;

use base::ck;
use base::error::{Error, Result};
use base::secret::{Secret, ct_eq};
use crypto::random;
use store::{Batch, Change, Kind, SqliteStore, View};

use super::chunks::{DAMAGED, Opening};
use super::format::{BackupInformation, Found};
use super::record;
use crate::config::{Config, Settings};
use crate::log;
use crate::module::audit::{Event, Opcode};
use crate::module::commit::{Head, Plan, Planned, batch, meta};
use crate::module::hierarchy::{DataKeys, PublicKeys, new_key, root_of};
use crate::module::lifecycle::{access, decode_settings, options, put_settings, root_record};
use crate::module::user::{Role, normalize_name};
use crate::module::{Hsm, HsmSettings, Module, Pin, anchor};

/// Records put back in one batch.
const PAGE: usize = 128;

/// What a restoration came to.
pub struct Restored {
    /// The backup.
    pub backup: BackupInformation,
    /// The serial number that the HSM has now.
    pub serial: String,
    /// Whether it took the place of what an HSM of the same lineage held.
    pub replaced: bool,
}

/// What the HSM that a backup is put back over is, as far as it stays so.
struct Present {
    recorded: HsmSettings,
    force: bool,
}

impl Module {
    /// Puts a backup back as the HSM `name` of the home, with the password that an officer had when it was made. A folder
    /// that is not there is made; an HSM of the same lineage gets the backup's content, and every process that has it open
    /// must open it anew. `progress` hears how many records of how many are back.
    ///
    /// An HSM under the name that the backup's had is that HSM; under another name it is a clone, with a serial number of its own.
    ///
    /// # Errors
    /// `CKR_PIN_INCORRECT` for a wrong name or password; `CKR_FUNCTION_FAILED` for another FIPS mode than the configuration
    /// has, and without `force` for a backup that is older than what is there; `CKR_DEVICE_ERROR` for a backup that is
    /// damaged, for an HSM of another lineage, and naming a path for what is wrong with it.
    pub fn restore(
        config: &Config,
        name: &'static str,
        path: &Path,
        officer: &Pin,
        force: bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Restored> {
        let place = |error: Error| error.context(path.display());
        let Found { header, hash, payload, payload_length } = Found::open(path)?;
        check_mode(&config.settings, &header.information).map_err(place)?;
        let officer_name = normalize_name(&officer.name).unwrap_or_default();
        let (data, key) = header.unlock(&officer_name, &officer.password).map_err(place)?.ok_or(WRONG)?;
        let backup = header.information;
        let mut payload = Opening::new(BufReader::new(payload), payload_length, &key, hash)?;
        let root = Secret::made(32, |bytes| payload.read(bytes)).map_err(place)?;
        let directory = config.home.join(name);
        // What would be wrong with the new HSM is said before the old one is replaced.
        anchor::place(&config.settings, &directory)?;
        let public = PublicKeys::new(backup.lineage, root_of(&root)?, &directory)?;
        let present = if SqliteStore::exists(&directory) {
            Some(Present { recorded: check_present(config, &directory, &backup, &root)?, force })
        } else {
            None
        };
        let replaced = present.is_some();
        let mut source = Source {
            backup: &backup,
            name,
            payload,
            public,
            data,
            officer: officer_name,
            present,
            first: None,
            restored: 0,
            stage: Stage::Begin,
            serial: String::new(),
            progress,
        };
        let settings = &config.settings;
        if replaced {
            let store = SqliteStore::open(&directory, access(settings), options(settings))?;
            store.rewrite(&mut |view| source.next(view).map_err(place))?;
        } else {
            let device_key = new_key()?;
            source.first = Some(root_record(&device_key, &backup.lineage, source.public.root())?);
            let device_key = Secret::copy(device_key.expose());
            let (access, options) = (access(settings), options(settings));
            SqliteStore::create_from(&config.home, name, access, options, &device_key, &mut |view| {
                source.next(view).map_err(place)
            })?;
        }
        let serial = source.serial;
        if config.settings.audit_anchor.is_some() {
            match Hsm::open(&directory, &config.settings) {
                Ok(hsm) => hsm.anchor_restored(),
                Err(error) => log::warn(format_args!("the restoration is not in the anchor: {error}")),
            }
        }
        Ok(Restored { backup, serial, replaced })
    }
}

const WRONG: Error =
    Error::new(ck::CKR_PIN_INCORRECT, "no officer had that name and password when the backup was made");

/// A backup is restored in the mode that it was made in.
fn check_mode(settings: &Settings, backup: &BackupInformation) -> Result<()> {
    let weaker = settings.secure == Some(false) && backup.secure;
    if settings.fips.is_none_or(|wanted| wanted == backup.fips) && !weaker {
        return Ok(());
    }
    let (name, value) = if weaker { ("secure", true) } else { ("fips", backup.fips) };
    Err(Error::with(
        ck::CKR_FUNCTION_FAILED,
        format!(
            "the backup is of an HSM with {name}={value} and is restored in that mode only; take {name}={} out of the \
             configuration",
            !value
        ),
    ))
}

/// Refuses an HSM that the backup is not of, and tells what the present one is.
fn check_present(config: &Config, directory: &Path, backup: &BackupInformation, root: &Secret) -> Result<HsmSettings> {
    let away = "move the folder away to restore the backup in its place";
    let present = Hsm::open(directory, &config.settings)
        .map_err(|error| Error::with(error.rv(), format!("{error}; or {away}")))?;
    // What is sealed under the root stays readable; the data key comes with the users, who are all replaced.
    if present.public.store == backup.lineage && ct_eq(present.public.root(), root.expose()) {
        return Ok(present.recorded.clone());
    }
    Err(Error::device(format!(
        "{}: is not the HSM that the backup was made of, nor a clone of it, and is never replaced; {away}",
        directory.display()
    )))
}

/// Where a restoration stands.
enum Stage {
    Begin,
    Clear,
    Load,
    Done,
}

/// The batches that make an HSM what a backup says.
struct Source<'a, R: Read> {
    backup: &'a BackupInformation,
    name: &'static str,
    payload: Opening<R>,
    public: PublicKeys,
    data: DataKeys,
    officer: String,
    present: Option<Present>,
    /// The root record of a new folder.
    first: Option<store::Record>,
    restored: u64,
    stage: Stage,
    serial: String,
    progress: &'a mut dyn FnMut(u64, u64),
}

impl<R: Read> Source<'_, R> {
    fn next(&mut self, view: &dyn View) -> Result<Option<Batch>> {
        if matches!(self.stage, Stage::Begin) {
            self.check_sequence(view)?;
            self.stage = Stage::Clear;
        }
        if matches!(self.stage, Stage::Clear) {
            let changes = clear(view)?;
            if !changes.is_empty() {
                return Ok(Some(Batch { changes }));
            }
            self.stage = Stage::Load;
        }
        if matches!(self.stage, Stage::Load) {
            let changes = self.load()?;
            (self.progress)(self.restored, self.backup.records);
            if !changes.is_empty() {
                return Ok(Some(Batch { changes }));
            }
            self.stage = Stage::Done;
            return self.last(view).map(Some);
        }
        Ok(None)
    }

    /// Refuses to lose what was done since the backup, unless that is what is wanted.
    fn check_sequence(&self, view: &dyn View) -> Result<()> {
        let Some(present) = &self.present else { return Ok(()) };
        let now = Head::read(view, &self.public)?.audit_sequence;
        let then = self.backup.sequence;
        if now <= then || present.force {
            return Ok(());
        }
        Err(Error::with(
            ck::CKR_FUNCTION_FAILED,
            format!(
                "the backup is older than the HSM: its audit log has {then} records, the HSM's {now}; --force takes back \
                 everything that was done since"
            ),
        ))
    }

    fn load(&mut self) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        changes.extend(self.first.take().map(|record| Change::Put { record, expected: 0, tags: None }));
        while changes.len() < PAGE && self.restored < self.backup.records {
            let (record, tags) = record::decode(&mut self.payload)?;
            changes.push(Change::Put { record, expected: 0, tags: Some(tags) });
            self.restored += 1;
        }
        Ok(changes)
    }

    /// What a restoration changes of the backup: the audit log tells of it, a clone has a serial number of its own, and
    /// quorum tokens are gone, because one that was used up since would serve again.
    fn last(&mut self, view: &dyn View) -> Result<Batch> {
        self.payload.end()?;
        let mut head = Head::read(view, &self.public)?;
        if Head::recompute(view, &self.public)? != head.sum || head.audit_sequence != self.backup.sequence {
            return Err(DAMAGED);
        }
        let mut plan = Plan::default();
        let settings = view.read(Kind::Meta, meta::SETTINGS)?.ok_or(DAMAGED)?;
        let was = decode_settings(self.public.open(&settings)?.expose())?;
        let now = self.identity(&was)?;
        if (&now.serial, &now.label) != (&was.serial, &was.label) {
            plan.changes.push(put_settings(&now, settings.version));
        }
        self.serial = now.serial;
        for (id, expected) in view.versions(Kind::Quorum, 0, usize::MAX)? {
            plan.changes.push(Planned::Delete { kind: Kind::Quorum, id, expected });
        }
        for opcode in [Opcode::RestoreBegin, Opcode::RestoreEnd] {
            plan.events.push(Event::new(opcode).about(&self.officer, Role::CryptoOfficer));
        }
        batch(Some(view), &mut head, &self.public, Some(&self.data), plan)
    }

    /// Serial number and label of the restored HSM.
    fn identity(&self, was: &HsmSettings) -> Result<HsmSettings> {
        let mut now = was.clone();
        match &self.present {
            Some(present) if present.recorded.serial == was.serial => {}
            // A clone stays what it is.
            Some(present) => {
                now.serial.clone_from(&present.recorded.serial);
                now.label.clone_from(&present.recorded.label);
            }
            None if self.backup.cluster == self.name => {}
            None => {
                let mut serial = [0; 8];
                random::fill(&mut serial)?;
                now.serial = serial.iter().map(|byte| format!("{byte:02x}")).collect();
                if was.label == self.backup.cluster {
                    self.name.clone_into(&mut now.label);
                }
            }
        }
        Ok(now)
    }
}

/// What deletes the next records that a backup replaces; nothing once only the root is left, which stays.
fn clear(view: &dyn View) -> Result<Vec<Change>> {
    const PAGE: usize = 1024;
    for kind in Kind::ALL {
        let changes: Vec<Change> = view
            .versions(kind, 0, PAGE)?
            .into_iter()
            .filter(|(id, _)| (kind, *id) != (Kind::Meta, meta::ROOT))
            .map(|(id, expected)| Change::Delete { kind, id, expected })
            .collect();
        if !changes.is_empty() {
            return Ok(changes);
        }
    }
    Ok(Vec::new())
}
