//! The life of the HSM: activated, opened, initialized anew, examined.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::ck;
use base::codec::{MALFORMED, Reader, Writer};
use base::error::{Error, Result};
use base::secret::{Key, Secret};
use crypto::{random, seal};
use platform::files::Access;
use platform::outside::Outside;
use platform::process;
use store::sqlite::{NewHsm, Options};
use store::{Batch, Change, Durability, Kind, Record, Selection, SqliteStore, Store, View};

use super::audit::{Auditing, Event, Opcode, UserType};
use super::commit::{Head, Plan, Planned, batch, meta};
use super::hierarchy::{DataKeys, PublicKeys, StoreId, Tier, derive, new_key, new_root, root_of};
use super::ids::fresh_id;
use super::policy::{self, Command};
use super::quorum::Service;
use super::relogin::Relogins;
use super::searches::Searches;
use super::user::{Derivation, Role, User, unnamed};
use super::{Hsm, Module, anchor};
use crate::config::{Config, Mode, Settings};
use crate::object::UserId;

/// Where the epochs of the next opened HSM begin: never where those of an earlier one were.
static FIRST_EPOCH: AtomicU64 = AtomicU64::new(1);

/// What is recorded, sealed, when the HSM is created.
#[derive(Clone, Debug)]
pub struct HsmSettings {
    /// FIPS mode.
    pub fips: bool,
    /// Secure mode.
    pub secure: bool,
    /// The token's label.
    pub label: String,
    /// The serial number, 16 hexadecimal digits.
    pub serial: String,
    /// Wall clock of the creation, in milliseconds since 1970.
    pub created_ms: u64,
}

impl HsmSettings {
    /// What FIPS mode changes for this HSM, whatever the process says.
    #[must_use]
    pub fn mode(&self) -> &'static Mode {
        Mode::of(self.fips)
    }
}

impl Module {
    /// Activates the HSM: makes its folder, its keys and its first officer, `admin`.
    ///
    /// # Errors
    /// CKR_FUNCTION_FAILED if it is activated already; what is wrong with the password; one line about the folder.
    pub fn activate(&self, password: &Secret, label: Option<&str>) -> Result<()> {
        self.check_password(password)?;
        if self.is_active()? {
            return Err(Error::new(ck::CKR_FUNCTION_FAILED, "the HSM is activated already"));
        }
        let parent = self.directory.parent().ok_or(Error::internal("the HSM's folder has no parent"))?;
        let mut store_id = StoreId::default();
        random::fill(&mut store_id)?;
        let recorded = HsmSettings {
            fips: self.settings.fips == Some(true),
            secure: self.settings.secure == Some(true),
            label: label.unwrap_or(self.name).to_owned(),
            serial: store_id.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
            created_ms: process::wall_clock_ms(),
        };
        let anchor = anchor::place(&self.settings, &self.directory)?;
        let device_key = new_key()?;
        let root = new_root()?;
        let root_record = root_record(&device_key, &store_id, root.expose())?;
        let public = PublicKeys::new(store_id, root, &self.directory)?;
        let data = DataKeys::new(store_id, new_root()?)?;
        let derivation = Derivation::of(&self.settings, recorded.mode());
        let officer =
            User::new(unnamed(Role::CryptoOfficer).to_owned(), Role::CryptoOfficer, password, derivation, &data, 1)?;
        let store = SqliteStore::create(parent, self.name, self.access(), self.options(), &mut || {
            Ok(NewHsm {
                device_key: Secret::copy(device_key.expose()),
                batch: first_batch(&public, root_record.clone(), &recorded, &officer)?,
            })
        })?;
        let hsm = Hsm::new(store, public, recorded, self.auditing(), anchor);
        hsm.anchor_activated();
        *self.active.lock() = Some(Arc::new(hsm));
        Ok(())
    }

    /// Initializes the HSM anew with the officer's PIN (C_InitToken on an activated HSM): destroys all objects and
    /// all crypto users, and ends their logins.
    ///
    /// # Errors
    /// As [`Module::login`] for the PIN.
    pub fn reinitialize(&self, pin: &[u8], label: Option<&str>) -> Result<()> {
        let login = self.login(Role::CryptoOfficer, pin)?;
        policy::may(&login, Command::Zeroize)?;
        let hsm = self.hsm()?;
        let mut recorded = hsm.recorded.clone();
        if let Some(label) = label {
            label.clone_into(&mut recorded.label);
        }
        hsm.commit(Some(&login), Durability::Synced, &mut |view, head| {
            // Destroying the users is more than managing them, and has no place for approvals.
            if hsm.cluster_policy_in(view)?.1.value(Service::User) > 1 {
                return Err(Error::new(
                    ck::CKR_FUNCTION_FAILED,
                    "Quorum approval is required for this operation: set the value of the service user to 1 first",
                ));
            }
            let mut plan = Plan {
                events: vec![Event::by(&login, Opcode::InitToken)],
                keys: i64::try_from(head.keys).map_or(i64::MIN, |keys| -keys),
                asymmetric: i64::try_from(head.asymmetric).map_or(i64::MIN, |keys| -keys),
                ..Plan::default()
            };
            for kind in [Kind::Object, Kind::Share, Kind::Quorum] {
                for (id, expected) in view.versions(kind, 0, usize::MAX)? {
                    plan.changes.push(Planned::Delete { kind, id, expected });
                }
            }
            for record in view.scan(&Selection::all(Kind::User))? {
                if User::decode(hsm.public.open(&record)?.expose())?.role == Role::CryptoUser {
                    plan.changes.push(Planned::Delete { kind: Kind::User, id: record.id, expected: record.version });
                }
            }
            let expected = view.version(Kind::Meta, meta::SETTINGS)?.ok_or(MALFORMED)?;
            plan.changes.push(put_settings(&recorded, expected));
            Ok(plan)
        })?;
        // The settings of an open HSM are read once, so it is opened again.
        self.close();
        Ok(())
    }

    /// Makes the folder's `write.lock` and `gen.map` anew if they are lost; true if anything was. For an HSM that no
    /// process uses: one that does watches the old files.
    ///
    /// # Errors
    /// One line about the folder.
    pub fn replace_lost_files(config: &Config, name: &str) -> Result<bool> {
        SqliteStore::replace_lost_files(&config.home.join(name), Access { group: config.settings.group })
    }

    pub(super) const fn access(&self) -> Access {
        access(&self.settings)
    }

    pub(super) const fn options(&self) -> Options {
        options(&self.settings)
    }

    /// The HSM once more, as it is at this moment whatever is written meanwhile: for what reads all of it.
    ///
    /// # Errors
    /// As [`Module::open`].
    pub(super) fn frozen(&self) -> Result<Hsm> {
        Hsm::open_as(&self.directory, &self.settings, SqliteStore::freeze)
    }
}

pub(super) const fn access(settings: &Settings) -> Access {
    Access { group: settings.group }
}

pub(super) const fn options(settings: &Settings) -> Options {
    Options { allow_network_file_system: settings.allow_network_file_system }
}

impl Hsm {
    /// Opens an activated HSM.
    pub(super) fn open(directory: &Path, settings: &Settings) -> Result<Self> {
        Self::open_as(directory, settings, |_| Ok(()))
    }

    fn open_as(
        directory: &Path,
        settings: &Settings,
        prepare: impl FnOnce(&SqliteStore) -> Result<()>,
    ) -> Result<Self> {
        let access = access(settings);
        let store = SqliteStore::open(directory, access, options(settings))?;
        prepare(&store)?;
        let device_key = Key::from_slice(SqliteStore::device_key(directory, access)?.expose()).ok_or_else(|| {
            Error::device(format!(
                "{}: is not 32 bytes long; put the right file back from a backup",
                directory.join("device.key").display()
            ))
        })?;
        let place = |error: Error| error.context(directory.display());
        let root = store.read(Kind::Meta, meta::ROOT)?.ok_or(MALFORMED).map_err(place)?;
        let (store_id, wrapped) = root.sealed.split_first_chunk::<16>().ok_or(MALFORMED).map_err(place)?;
        let opened = seal::open(&derive(device_key.expose(), b"device")?, store_id, wrapped).map_err(|_| {
            Error::device(format!(
                "{}: does not belong to the database beside it; put back the pair that belongs together",
                directory.join("device.key").display()
            ))
        })?;
        let public = PublicKeys::new(*store_id, root_of(&opened).map_err(place)?, directory)?;
        let record = store.read(Kind::Meta, meta::SETTINGS)?.ok_or(MALFORMED).map_err(place)?;
        let recorded = decode_settings(public.open(&record)?.expose()).map_err(place)?;
        // A stricter setting tightens this process alone; a weaker one, if somebody wrote it down, is refused.
        for (name, wanted, held) in
            [("fips", settings.fips, recorded.fips), ("secure", settings.secure, recorded.secure)]
        {
            if wanted == Some(false) && held {
                return Err(Error::with(
                    ck::CKR_FUNCTION_FAILED,
                    format!(
                        "{}: the HSM was created with {name}=true; take {name}=false out of the configuration",
                        directory.display()
                    ),
                ));
            }
        }
        let anchor = anchor::place(settings, directory)?;
        Ok(Self::new(store, public, recorded, Auditing::of(settings), anchor))
    }

    fn new(
        store: SqliteStore,
        public: PublicKeys,
        recorded: HsmSettings,
        auditing: Auditing,
        anchor: Option<Outside>,
    ) -> Self {
        let generation = store.generation();
        Self {
            store: Box::new(store),
            public,
            recorded,
            auditing,
            anchor,
            relogins: Relogins::default(),
            searches: Searches::default(),
            known: AtomicU64::new(generation),
            epoch: AtomicU64::new(FIRST_EPOCH.fetch_add(1 << 32, Ordering::Relaxed)),
        }
    }
}

/// The record that `device.key` opens: the store's id in clear, and the root of the public tier.
pub(super) fn root_record(device_key: &Key<32>, store: &StoreId, root: &[u8; 32]) -> Result<Record> {
    let wrapped = seal::seal(&derive(device_key.expose(), b"device")?, store, root)?;
    Ok(Record { sealed: [store.as_slice(), &wrapped].concat(), ..bare_root() })
}

/// The same without its content: `device.key` comes before everything that a seal could bind.
pub(super) const fn bare_root() -> Record {
    Record {
        kind: Kind::Meta,
        id: meta::ROOT,
        version: 1,
        class: 0,
        key_type: 0,
        owner: 0,
        tier: Tier::Public as u8,
        sealed: Vec::new(),
    }
}

/// The records that a new HSM starts with.
fn first_batch(public: &PublicKeys, root: Record, recorded: &HsmSettings, officer: &User) -> Result<Batch> {
    let id = UserId(fresh_id()?);
    let plan = Plan {
        changes: vec![
            put_settings(recorded, 0),
            Planned::Put {
                kind: Kind::User,
                id: id.0,
                expected: 0,
                class: u64::from(officer.role.code()),
                key_type: 0,
                owner: 0,
                tier: Tier::Public,
                plain: officer.encode(),
                tags: Some(vec![public.tag(&[b'u', officer.role.code()], officer.name.as_bytes())]),
            },
        ],
        // The order of AWS's (User Guide, interpreting-audit-logs), without the user of the service itself.
        events: vec![
            Event::new(Opcode::InitToken),
            Event::new(Opcode::GeneratePasswordKey),
            Event::new(Opcode::InitDone),
            Event::new(Opcode::ChangePassword).about(&officer.name, UserType::PreOfficer),
        ],
        ..Plan::default()
    };
    let mut batch = batch(None, &mut Head::default(), public, None, plan)?;
    batch.changes.push(Change::Put { record: root, expected: 0, tags: None });
    Ok(batch)
}

pub(super) fn put_settings(recorded: &HsmSettings, expected: u64) -> Planned {
    let mut writer = Writer::new(256);
    writer.byte(1).byte(recorded.fips.into()).byte(recorded.secure.into()).long(recorded.created_ms);
    writer.part(recorded.label.as_bytes()).part(recorded.serial.as_bytes());
    Planned::Put {
        kind: Kind::Meta,
        id: meta::SETTINGS,
        expected,
        class: 0,
        key_type: 0,
        owner: 0,
        tier: Tier::Public,
        plain: writer.finish_secret(),
        tags: None,
    }
}

pub(super) fn decode_settings(bytes: &[u8]) -> Result<HsmSettings> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != 1 {
        return Err(MALFORMED);
    }
    let settings = HsmSettings {
        fips: reader.byte()? != 0,
        secure: reader.byte()? != 0,
        created_ms: reader.long()?,
        label: reader.text()?.to_owned(),
        serial: reader.text()?.to_owned(),
    };
    reader.end()?;
    Ok(settings)
}
