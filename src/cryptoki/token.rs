//! A token: one HSM as one slot shows it, with the login of this application and the objects that it has handles of.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::ck::CK_SLOT_ID;
use base::error::Result;
use hsm::config::{Config, Dialect};
use hsm::module::{Ending, Login, Module, Role};
use hsm::object::Object;
use platform::lock::Lock;

use super::objects::Objects;
use super::session_objects::Handles;

/// The slot of the first HSM; the second's is one more (CloudHSM's Client SDK 5).
const FIRST_SLOT: CK_SLOT_ID = 0x2000_0000_0000_0001;

/// Why a login cannot begin.
pub(super) enum Hindrance {
    /// There is one; whether it holds is another question.
    Login(Arc<Login>),
    /// An officer's does not begin beside a read-only session (PKCS#11 3.2 section 5.6.7).
    ReadOnlySession,
}

/// One HSM in one slot.
pub(super) struct Token {
    pub(super) slot: CK_SLOT_ID,
    pub(super) module: Module,
    pub(super) objects: Objects,
    /// One login covers all sessions of the application (PKCS#11 3.2 section 5.6.7).
    login: Lock<Option<Arc<Login>>>,
    sessions: AtomicU64,
    read_only_sessions: AtomicU64,
}

impl Token {
    /// The HSM `name` in the slot of its number, which begins at 0.
    pub(super) fn open(config: &Config, number: u32, name: &'static str) -> Result<Self> {
        Ok(Self {
            slot: FIRST_SLOT + CK_SLOT_ID::from(number),
            module: Module::open(config, name)?,
            objects: Objects::new(config.settings.cached_objects as usize, number),
            login: Lock::new(None),
            sessions: AtomicU64::new(0),
            read_only_sessions: AtomicU64::new(0),
        })
    }

    pub(super) const fn dialect(&self) -> &Dialect {
        self.module.dialect()
    }

    /// The login, if there is one and it still holds.
    pub(super) fn login(&self) -> Option<Arc<Login>> {
        self.login.lock().clone()
    }

    /// Puts a login in the place that is empty.
    pub(super) fn begin_login(&self, login: &Arc<Login>) -> std::result::Result<(), Hindrance> {
        let mut place = self.login.lock();
        if let Some(present) = &*place {
            return Err(Hindrance::Login(Arc::clone(present)));
        }
        // Counted before the login is looked at (`Session::open`), so that of the two one sees the other.
        if login.role == Role::CryptoOfficer && self.read_only_session_count() > 0 {
            return Err(Hindrance::ReadOnlySession);
        }
        self.objects.begin(login);
        *place = Some(Arc::clone(login));
        Ok(())
    }

    /// Ends the login that is there, if it is the one that is `meant`, and takes back the handles that were given out under it.
    /// What another login has begins after that. Gives back the session objects that are destroyed.
    pub(super) fn end_login(&self, meant: impl FnOnce(&Arc<Login>) -> bool) -> Option<(Arc<Login>, Vec<Arc<Object>>)> {
        let mut place = self.login.lock();
        let login = place.take_if(|present| meant(present))?;
        login.end();
        let gone = self.objects.end(&login);
        Some((login, gone))
    }

    pub(super) fn officer_is_logged_in(&self) -> bool {
        self.login().is_some_and(|login| login.role == Role::CryptoOfficer && login.check().is_ok())
    }

    pub(super) fn session_opened(&self, read_only: bool) {
        self.sessions.fetch_add(1, Ordering::AcqRel);
        if read_only {
            self.read_only_sessions.fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(super) fn session_ended(&self, read_only: bool) {
        self.sessions.fetch_sub(1, Ordering::AcqRel);
        if read_only {
            self.read_only_sessions.fetch_sub(1, Ordering::AcqRel);
        }
    }

    pub(super) fn session_count(&self) -> u64 {
        self.sessions.load(Ordering::Acquire)
    }

    pub(super) fn read_only_session_count(&self) -> u64 {
        self.read_only_sessions.load(Ordering::Acquire)
    }

    /// Destroys the session objects of a session that was closed.
    pub(super) fn session_closed(&self, made: Handles) {
        let gone = self.objects.remove_of_session(made);
        self.module.note_destroyed(self.login().as_deref(), &gone);
    }

    pub(super) fn close(&self) {
        if let Some((login, _)) = self.end_login(|_| true) {
            login.note_end(Ending::Finalize);
        }
        self.objects.clear();
        self.module.close();
    }
}
