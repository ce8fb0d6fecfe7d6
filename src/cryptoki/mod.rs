//! PKCS#11's own notions: the library, slots, sessions, handles, the operation in progress.
//!
//! A [`Library`] lives from C_Initialize to C_Finalize. What a C function does is a method here; what may be done is
//! asked of the module, what is computed of the mechanism's row.

mod cipher;
mod digest;
mod find;
mod info;
mod login;
mod manage;
mod objects;
mod operation;
mod session;
mod session_objects;
mod sign;
mod slab;
mod token;
mod transport;

use std::sync::Arc;

pub use manage::ReadAttribute;
pub use session::Session;

use base::ck::{self, CK_FLAGS, CK_SESSION_HANDLE, CK_SLOT_ID};
use base::error::{Error, Result};
use hsm::config::{Config, Dialect};
use hsm::module::Ending;
use hsm::object::rules;
use platform::lock::{Lock, LockGuard};

use slab::{Held, Slab};
use token::Token;

/// The state between C_Initialize and C_Finalize. Never freed: C_Finalize empties it, the next C_Initialize of the same
/// process fills it again, so that a call that races C_Finalize meets an empty library and not a dangling one.
pub struct Library {
    tokens: Lock<Vec<Arc<Token>>>,
    sessions: Slab<Session>,
}

impl Default for Library {
    fn default() -> Self {
        Self::new()
    }
}

impl Library {
    /// An empty library.
    #[must_use]
    pub const fn new() -> Self {
        Self { tokens: Lock::new(Vec::new()), sessions: Slab::new(0) }
    }

    /// Fills the library (C_Initialize): a token for each cluster.
    ///
    /// # Errors
    /// One line about the configuration or the folder of an HSM.
    pub fn start(&self, config: &Config) -> Result<()> {
        rules::prepare();
        let mut opened = Vec::new();
        for (number, name) in config.clusters() {
            match Token::open(config, number, name) {
                Ok(token) => opened.push(Arc::new(token)),
                // All or none: a program that finds its keys' slot gone would take them for lost.
                Err(error) => {
                    opened.iter().for_each(|token| token.close());
                    return Err(error);
                }
            }
        }
        *self.tokens.lock() = opened;
        Ok(())
    }

    /// Empties the library (C_Finalize): every session ends, every login, every operation.
    pub fn stop(&self) {
        let tokens = std::mem::take(&mut *self.tokens.lock());
        for token in &tokens {
            self.end_login(token, Ending::Finalize, |_| true);
            self.close_all_sessions_of(token);
            token.close();
        }
    }

    /// Opens a session (C_OpenSession).
    ///
    /// # Errors
    /// CKR_SLOT_ID_INVALID, CKR_SESSION_COUNT; CKR_SESSION_PARALLEL_NOT_SUPPORTED without CKF_SERIAL_SESSION;
    /// CKR_FUNCTION_FAILED for a read-only session where the profile has none.
    pub fn open_session(&self, slot: CK_SLOT_ID, flags: CK_FLAGS) -> Result<CK_SESSION_HANDLE> {
        if flags & ck::CKF_SERIAL_SESSION == 0 {
            return Err(Error::new(ck::CKR_SESSION_PARALLEL_NOT_SUPPORTED, "CKF_SERIAL_SESSION must be set"));
        }
        if flags & !(ck::CKF_SERIAL_SESSION | ck::CKF_RW_SESSION) != 0 {
            return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "flags that C_OpenSession does not know"));
        }
        // The tokens' lock is held until the session is in its slot: C_Finalize takes it first.
        let tokens = self.tokens.lock();
        let token = find_token(&tokens, slot)?;
        if flags & ck::CKF_RW_SESSION == 0 && !token.dialect().read_only_sessions {
            return Err(Error::new(
                ck::CKR_FUNCTION_FAILED,
                "there are no read-only sessions, as on CloudHSM (read_only_sessions)",
            ));
        }
        let most = token.dialect().most_sessions;
        let handle = self
            .sessions
            .insert(most, |session, _| session.open(token, flags))
            .ok_or_else(|| Error::with(ck::CKR_SESSION_COUNT, format!("{most} sessions are open, that is the most")))?;
        // Counted by now, so that an officer's login which begins meanwhile sees the session or is seen here.
        if flags & ck::CKF_RW_SESSION == 0 && token.officer_is_logged_in() {
            self.close_session(handle)?;
            return Err(Error::new(ck::CKR_SESSION_READ_WRITE_SO_EXISTS, "no read-only session beside an officer's"));
        }
        Ok(handle)
    }

    /// Closes a session (C_CloseSession): its operations end and its session objects are destroyed.
    ///
    /// # Errors
    /// CKR_SESSION_HANDLE_INVALID.
    pub fn close_session(&self, handle: CK_SESSION_HANDLE) -> Result<()> {
        let session = self.sessions.remove(handle).ok_or(NO_SESSION)?;
        self.after_close(session);
        Ok(())
    }

    /// Closes all sessions of a slot (C_CloseAllSessions).
    ///
    /// # Errors
    /// CKR_SLOT_ID_INVALID.
    pub fn close_all_sessions(&self, slot: CK_SLOT_ID) -> Result<()> {
        let token = self.token(slot)?;
        self.close_all_sessions_of(&token);
        Ok(())
    }

    fn close_all_sessions_of(&self, token: &Arc<Token>) {
        let mut handles = Vec::new();
        self.sessions.for_each(|handle, session| {
            if session.is_of(token) {
                handles.push(handle);
            }
        });
        for handle in handles {
            // Another thread may have closed it meanwhile, and then has done the rest.
            if let Some(session) = self.sessions.remove(handle) {
                self.after_close(session);
            }
        }
    }

    /// What the end of a session brings: its objects go, and with the last session the login (PKCS#11 3.2 section 5.6.7).
    fn after_close(&self, mut session: Session) {
        let made = session.objects.take();
        let Some(token) = session.into_token() else { return };
        if let Some(made) = made {
            token.session_closed(*made);
        }
        if token.session_count() == 0 {
            // Another may have opened a session meanwhile, and logged in.
            self.end_login(&token, Ending::CloseSession, |_| token.session_count() == 0);
        }
    }

    /// The session of a handle, locked: the calls of one session run one after the other.
    ///
    /// # Errors
    /// CKR_SESSION_HANDLE_INVALID.
    #[inline]
    fn session(&self, handle: CK_SESSION_HANDLE) -> Result<LockGuard<'_, Held<Session>>> {
        self.sessions.get(handle).ok_or(NO_SESSION)
    }

    fn token(&self, slot: CK_SLOT_ID) -> Result<Arc<Token>> {
        find_token(&self.tokens.lock(), slot).cloned()
    }

    /// The limits and habits of this process, and its profile's name for them.
    ///
    /// # Errors
    /// CKR_CRYPTOKI_NOT_INITIALIZED when the library was emptied a moment ago.
    pub fn dialect(&self) -> Result<Dialect> {
        let tokens = self.tokens.lock();
        let token = tokens.first().ok_or(EMPTIED)?;
        Ok(token.dialect().clone())
    }
}

const NO_SESSION: Error = Error::new(ck::CKR_SESSION_HANDLE_INVALID, "no such session");

const EMPTIED: Error = Error::new(ck::CKR_CRYPTOKI_NOT_INITIALIZED, "C_Finalize has been called");

fn find_token(tokens: &[Arc<Token>], slot: CK_SLOT_ID) -> Result<&Arc<Token>> {
    // A call that was on its way when another thread called C_Finalize: there always is a first slot.
    if tokens.is_empty() {
        return Err(EMPTIED);
    }
    tokens
        .iter()
        .find(|token| token.slot == slot)
        .ok_or_else(|| Error::with(ck::CKR_SLOT_ID_INVALID, format!("there is no slot {slot:#x}")))
}
