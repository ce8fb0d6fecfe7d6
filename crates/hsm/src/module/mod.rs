//! The HSM itself: its users, logins, policy, keys and audit log. Here runs the trust boundary.
//!
//! A [`Module`] is one HSM, activated or not. A method that needs a user takes a [`Login`], which only
//! [`Module::login`] makes, so that an unauthenticated call does not compile; it opens with one call that asks the
//! policy. Nothing here knows of sessions, handles or C.

mod admission;
mod anchor;
mod attempt;
mod audit;
mod backup;
mod cluster_policy;
mod commit;
mod credentials;
mod describe;
mod examination;
mod find;
#[cfg(test)]
mod find_tests;
mod hierarchy;
mod ids;
mod keys;
mod lifecycle;
#[cfg(test)]
mod limits_tests;
mod login;
mod making;
mod operation;
mod policy;
mod quirks;
mod quorum;
mod registered_key;
mod relogin;
mod replication;
mod searches;
mod sharing;
mod signing;
mod stored;
#[cfg(test)]
mod testing;
mod tool;
#[cfg(test)]
mod tool_tests;
mod transport;
mod user;
mod users;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

pub use anchor::{AnchorCheck, StoreHead, is_signed_by};
pub use audit::{
    AuditCheck, AuditHead, CommandType, Ending, Entry, LogType, OPCODES, OpcodeRow, Origin, Party, Response, UserType,
};
pub use backup::{BackupInformation, Restored};
pub use cluster_policy::{ClusterPolicy, SERVICES_WITH_VALUES, TrustAnchor};
pub use credentials::{Challenge, Deregister, SecondFactor};
pub use describe::Figures;
pub use examination::{Health, Verification};
pub use find::{KeyPage, Known};
pub use keys::{Generator, NewKey};
pub use lifecycle::HsmSettings;
pub use login::{Authentication, Pending, Pin};
pub use operation::{Digesting, LONGEST_DIGEST, Operation, Running};
pub use policy::Command;
pub use quorum::{
    Actor, Approval, KeyQuorum, MOST_APPROVALS, QuorumToken, Service, Signature, SignedToken, TokenInformation,
};
pub use replication::Side;
pub use sharing::{Custody, Sharing};
pub use tool::Tool;
pub use transport::Wrapped;
pub use user::{Role, UserInformation};

use base::ck;
use base::error::{Error, Result};
use platform::lock::Lock;
use platform::outside::Outside;
use store::{SqliteStore, Store};

use crate::config::{Config, Dialect, Mode, Regime, Safeguards, Settings};
use crate::object::UserId;
use audit::Auditing;
use hierarchy::{DataKeys, PublicKeys};

/// One HSM of this process: the folder it lives in, and the HSM itself once it is activated.
pub struct Module {
    directory: PathBuf,
    name: &'static str,
    settings: Settings,
    dialect: Dialect,
    active: Lock<Option<Arc<Hsm>>>,
    throttle: Option<quirks::Throttle>,
    /// FIPS mode, asked at each operation: the HSM's own, or a stricter one of this process.
    fips: AtomicBool,
    /// Secure mode, as `fips`.
    secure: AtomicBool,
}

/// An activated HSM, open in this process.
struct Hsm {
    store: Box<dyn Store>,
    public: PublicKeys,
    recorded: HsmSettings,
    auditing: Auditing,
    /// Where the head goes after each commit.
    anchor: Option<Outside>,
    /// The PINs that were right in this process.
    relogins: relogin::Relogins,
    searches: searches::Searches,
    /// The generation up to which every cached object is known to be valid.
    known: AtomicU64,
    /// Raised when another process has committed: cached objects and logins are looked at again.
    epoch: AtomicU64,
}

/// The proof that a user has authenticated. Ends with the logout, and when the user is changed or deleted.
pub struct Login {
    /// Who.
    pub user: UserId,
    /// The user's name, in lower case.
    pub name: String,
    /// As what.
    pub role: Role,
    hsm: Arc<Hsm>,
    data: DataKeys,
    /// The credential version under which the PIN was right: a later one ends this login.
    credential: AtomicU64,
    /// The credential version that the user's own change of the PIN is about to make, with which this login goes on; else 0.
    promised: AtomicU64,
    /// Held by the one change of the PIN that promises.
    renewal: Lock<()>,
    /// Tells this login from every other of this process, in what objects remember of an admission.
    stamp: u32,
    validated: AtomicU64,
    ended: AtomicBool,
    /// The quorum tokens that were made in it and end with it.
    tokens: Lock<Vec<u64>>,
}

/// Random bytes of the HSM (C_GenerateRandom). Needs no user, and no HSM that is activated.
///
/// # Errors
/// CKR_DEVICE_ERROR if the generator fails.
#[inline]
pub fn generate_random(out: &mut [u8]) -> Result<()> {
    crypto::random::serve(out)
}

impl Module {
    /// The HSM `name` in the home directory of `config`, opened if it is there.
    ///
    /// # Errors
    /// One line that names the path, the reason and the cure, if it is there and cannot be used.
    pub fn open(config: &Config, name: &'static str) -> Result<Self> {
        crypto::self_test::symmetric()?;
        let dialect = config.settings.dialect();
        let module = Self {
            directory: config.home.join(name),
            name,
            settings: config.settings.clone(),
            throttle: quirks::Throttle::of(&dialect),
            dialect,
            active: Lock::new(None),
            fips: AtomicBool::new(config.settings.fips == Some(true)),
            secure: AtomicBool::new(config.settings.secure == Some(true)),
        };
        module.hsm_if_active()?;
        Ok(module)
    }

    /// The dialect of this process.
    #[must_use]
    pub const fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// The mode: the HSM's own, or a stricter one of this process.
    #[must_use]
    pub fn mode(&self) -> &'static Mode {
        Mode::of(self.fips.load(Ordering::Acquire))
    }

    /// What secure mode changes: the HSM's own, or a stricter one of this process.
    #[must_use]
    fn safeguards(&self) -> &'static Safeguards {
        Safeguards::of(self.secure.load(Ordering::Acquire))
    }

    /// The rules that hold now.
    #[must_use]
    pub fn regime(&self) -> Regime<'_> {
        Regime { dialect: &self.dialect, mode: self.mode(), safeguards: self.safeguards() }
    }

    /// Whether the HSM is activated. Another process may have done it a moment ago, so the disk is asked.
    ///
    /// # Errors
    /// As [`Module::open`].
    pub fn is_active(&self) -> Result<bool> {
        Ok(self.hsm_if_active()?.is_some())
    }

    /// What was recorded when the HSM was created, if it is activated.
    #[must_use]
    pub fn recorded(&self) -> Option<HsmSettings> {
        self.active.lock().as_ref().map(|hsm| hsm.recorded.clone())
    }

    /// The name of its folder, which is its label too.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Where the HSM is, or would be.
    #[must_use]
    pub fn directory(&self) -> &std::path::Path {
        &self.directory
    }

    /// The value that changes whenever another process has changed something: one load when nothing has.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.active.lock().as_ref().map_or(0, |hsm| hsm.epoch())
    }

    /// Closes the store; every login ends. For C_Finalize, and for the child of a fork before it opens anew.
    pub fn close(&self) {
        if let Some(hsm) = self.active.lock().take() {
            hsm.store.close();
        }
    }

    fn hsm_if_active(&self) -> Result<Option<Arc<Hsm>>> {
        let mut active = self.active.lock();
        if active.is_none() && SqliteStore::exists(&self.directory) {
            let hsm = Hsm::open(&self.directory, &self.settings)?;
            self.fips.fetch_or(hsm.recorded.fips, Ordering::AcqRel);
            self.secure.fetch_or(hsm.recorded.secure, Ordering::AcqRel);
            *active = Some(Arc::new(hsm));
        }
        Ok(active.clone())
    }

    fn hsm(&self) -> Result<Arc<Hsm>> {
        self.hsm_if_active()?.ok_or_else(|| {
            Error::with(
                ck::CKR_USER_PIN_NOT_INITIALIZED,
                format!("the HSM {} is not activated: run `cloudhsm-cli cluster activate`", self.directory.display()),
            )
        })
    }
}

impl Login {
    /// The value that changes whenever another process has changed something.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.hsm.epoch()
    }

    /// Tells this login from every other of this process; never 0.
    #[must_use]
    pub const fn stamp(&self) -> u32 {
        self.stamp
    }

    fn credential(&self) -> u64 {
        self.credential.load(Ordering::Acquire)
    }

    /// Whether the login is one by this credential of its user.
    fn is_by(&self, credential: Option<u64>) -> bool {
        // In this order: what was promised becomes the credential before the promise goes.
        let promised = self.promised.load(Ordering::Acquire);
        credential.is_some_and(|current| current == self.credential() || (promised != 0 && current == promised))
    }

    /// Runs a change of the user's own PIN with which this login goes on. `change` is handed what it tells of the credential
    /// version that it makes, before anybody can see that version.
    fn outlive<R>(&self, change: impl FnOnce(&dyn Fn(u64)) -> Result<R>) -> Result<R> {
        let _alone = self.renewal.lock();
        // A login that a change by somebody else has ended is not revived.
        let promise = |credential: u64| {
            if credential == self.credential().wrapping_add(1) {
                self.promised.store(credential, Ordering::Release);
            }
        };
        let changed = change(&promise);
        let promised = self.promised.load(Ordering::Acquire);
        if changed.is_ok() && promised != 0 {
            self.credential.store(promised, Ordering::Release);
        }
        self.promised.store(0, Ordering::Release);
        changed
    }

    /// Ends this login: every later call with it fails.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether it was ended in this process.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Whether the login is known to hold as of an epoch of the store.
    #[must_use]
    fn holds_at(&self, epoch: u64) -> bool {
        !self.ended.load(Ordering::Acquire) && self.validated.load(Ordering::Acquire) == epoch
    }

    /// Whether the login still holds, looked up again if another process has changed something.
    ///
    /// # Errors
    /// CKR_USER_NOT_LOGGED_IN after a logout, a change of the user's password, or the user's end.
    pub fn check(&self) -> Result<()> {
        if self.ended.load(Ordering::Acquire) {
            return Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "the login has ended"));
        }
        let epoch = self.hsm.epoch();
        if self.holds_at(epoch) {
            return Ok(());
        }
        let current = self.hsm.user_credential(self.user)?;
        if !self.is_by(current) {
            self.end();
            return Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "the user was changed or deleted since the login"));
        }
        // A promise may still be broken: what holds by one is looked at each time.
        if current == Some(self.credential()) {
            self.validated.store(epoch, Ordering::Release);
        }
        Ok(())
    }
}

impl Hsm {
    /// See [`Module::epoch`]. The epoch is raised before the generation is noted, so that nobody takes the new
    /// generation for already looked at; two threads may both raise it, which only makes caches look twice.
    fn epoch(&self) -> u64 {
        let generation = self.store.generation();
        if self.known.load(Ordering::Acquire) != generation {
            self.epoch.fetch_add(1, Ordering::AcqRel);
            self.known.store(generation, Ordering::Release);
        }
        self.epoch.load(Ordering::Acquire)
    }

    /// Says that the commit which led to `generation` was our own and that caches are up to date with it, unless
    /// another process has committed in between.
    fn note_own_commit(&self, before: u64, generation: u64) {
        // If `known` is not `before`, somebody else's commit is between: the next call of `epoch` will see it.
        self.known.compare_exchange(before, generation, Ordering::AcqRel, Ordering::Acquire).ok();
    }
}
