//! C_Login, C_Logout, and the functions that set PINs: C_InitToken, C_InitPIN, C_SetPIN.

use std::sync::Arc;

use base::ck::{self, CK_SESSION_HANDLE, CK_SLOT_ID, CK_USER_TYPE};
use base::error::{Error, Result};
use hsm::module::{Ending, Login, Module, Pin, Role};

use super::Library;
use super::token::{Hindrance, Token};

impl Library {
    /// C_Login, for all sessions of the application.
    ///
    /// # Errors
    /// CKR_USER_ALREADY_LOGGED_IN, CKR_USER_ANOTHER_ALREADY_LOGGED_IN, CKR_SESSION_READ_ONLY_EXISTS,
    /// CKR_USER_TYPE_INVALID, and those of the module's login.
    pub fn login(&self, session: CK_SESSION_HANDLE, user: CK_USER_TYPE, pin: &[u8]) -> Result<()> {
        self.login_by(session, user, |module, role| module.login(role, pin))
    }

    /// C_LoginUser: the name stands apart from the PIN.
    ///
    /// # Errors
    /// As [`Library::login`].
    pub fn login_named(&self, session: CK_SESSION_HANDLE, user: CK_USER_TYPE, name: &[u8], pin: &[u8]) -> Result<()> {
        self.login_by(session, user, |module, role| module.login_as(role, &Pin::named(name, pin)?))
    }

    fn login_by(
        &self,
        session: CK_SESSION_HANDLE,
        user: CK_USER_TYPE,
        prove: impl FnOnce(&Module, Role) -> Result<Login>,
    ) -> Result<()> {
        let token = self.token_of(session)?;
        if user == ck::CKU_CONTEXT_SPECIFIC {
            // No key asks for it: CKA_ALWAYS_AUTHENTICATE is always false.
            return Err(Error::new(
                ck::CKR_OPERATION_NOT_INITIALIZED,
                "no operation waits for a context-specific login",
            ));
        }
        let role = Role::from_user_type(user)?;
        if role == Role::CryptoOfficer {
            if !token.dialect().officer_login {
                return Err(Error::new(ck::CKR_USER_TYPE_INVALID, "crypto officers do not log in through PKCS#11"));
            }
            if token.read_only_session_count() > 0 {
                return Err(READ_ONLY_SESSION);
            }
        }
        if let Some(present) = token.login()
            && present.check().is_ok()
        {
            return Err(already(&token, &present, role));
        }
        // Tens of milliseconds of key derivation: no lock is held.
        let login = Arc::new(prove(&token.module, role)?);
        loop {
            // A login that the change of its user has ended may have left keys behind in sessions.
            self.end_login(&token, Ending::Logout, |present| present.check().is_err());
            // The session is held: it is closed before this login begins, or after, and then the login may go with it.
            let place = self.session(session);
            let Ok(_open) = place else {
                return Err(Error::new(ck::CKR_SESSION_CLOSED, "the session was closed meanwhile"));
            };
            match token.begin_login(&login) {
                Ok(()) => break,
                Err(Hindrance::Login(present)) if present.check().is_ok() => {
                    return Err(already(&token, &present, role));
                }
                Err(Hindrance::Login(_)) => {}
                Err(Hindrance::ReadOnlySession) => return Err(READ_ONLY_SESSION),
            }
        }
        self.follow_login(&token);
        if let Err(error) = login.begin() {
            self.end_login(&token, Ending::Logout, |present| Arc::ptr_eq(present, &login));
            return Err(error);
        }
        Ok(())
    }

    /// C_Logout: every operation of every session ends, private objects lose their handles.
    ///
    /// # Errors
    /// CKR_USER_NOT_LOGGED_IN.
    pub fn logout(&self, session: CK_SESSION_HANDLE) -> Result<()> {
        let token = self.token_of(session)?;
        if self.end_login(&token, Ending::Logout, |_| true) {
            Ok(())
        } else {
            Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "nobody is logged in"))
        }
    }

    /// C_InitToken: activates an HSM that is not, initializes anew one that is.
    ///
    /// # Errors
    /// CKR_SESSION_EXISTS; what is wrong with the PIN.
    pub fn init_token(&self, slot: CK_SLOT_ID, pin: &[u8], label: &str) -> Result<()> {
        let token = self.token(slot)?;
        if token.session_count() > 0 {
            return Err(Error::new(ck::CKR_SESSION_EXISTS, "close all sessions first"));
        }
        let label = token.dialect().token_has_label.then_some(label);
        if token.module.is_active()? {
            token.module.reinitialize(pin, label)?;
            token.objects.clear();
            return Ok(());
        }
        let admin = Pin::split(pin, Role::CryptoOfficer, true)?;
        let password =
            if admin.name == "admin" { admin.password } else { Pin::plain(pin, Role::CryptoOfficer).password };
        token.module.activate(&password, label)
    }

    /// C_InitPIN: an officer makes a crypto user or gives one a new PIN.
    ///
    /// # Errors
    /// CKR_USER_NOT_LOGGED_IN without an officer's login; what is wrong with the PIN.
    pub fn init_pin(&self, session: CK_SESSION_HANDLE, pin: &[u8]) -> Result<()> {
        let (token, login) = self.token_and_login(session)?;
        let login = login
            .filter(|login| login.role == Role::CryptoOfficer)
            .ok_or(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "C_InitPIN needs the login of a crypto officer (CKU_SO)"))?;
        let user = Pin::split(pin, Role::CryptoUser, token.dialect().plain_pins)
            .map_err(|_| Error::new(ck::CKR_PIN_INVALID, "the PIN must be user:password"))?;
        token.module.create_user(&*login, &user.name, Role::CryptoUser, &user.password, true)
    }

    /// C_SetPIN: a new PIN for the user who is logged in, or, in a public session, for the crypto user of the old one.
    ///
    /// # Errors
    /// CKR_SESSION_READ_ONLY, CKR_PIN_INCORRECT for the old PIN, what is wrong with the new one.
    pub fn set_pin(&self, session: CK_SESSION_HANDLE, old: &[u8], new: &[u8]) -> Result<()> {
        if !self.session(session)?.value.is_read_write() {
            return Err(Error::new(ck::CKR_SESSION_READ_ONLY, "C_SetPIN needs a read/write session"));
        }
        let (token, login) = self.token_and_login(session)?;
        let role = login.as_ref().map_or(Role::CryptoUser, |login| login.role);
        let plain = token.dialect().plain_pins;
        let proof = token.module.login(role, old)?;
        if login.as_ref().is_some_and(|login| login.user != proof.user) {
            return Err(Error::new(ck::CKR_PIN_INCORRECT, "the old PIN is another user's"));
        }
        // The new PIN may name the user again or be the password alone.
        let split = Pin::split(new, role, plain).ok().filter(|pin| pin.name.eq_ignore_ascii_case(&proof.name));
        let password = split.unwrap_or_else(|| Pin::plain(new, role)).password;
        // The application's login goes on with the new password.
        token.module.change_own_password(&proof, login.as_deref(), &password)
    }

    /// Ends the login of a token, if there is one and it is the one that is `meant`, and all that depends on it.
    pub(super) fn end_login(
        &self,
        token: &Arc<Token>,
        ending: Ending,
        meant: impl FnOnce(&Arc<Login>) -> bool,
    ) -> bool {
        let Some((login, gone)) = token.end_login(meant) else { return false };
        self.follow_login(token);
        token.module.note_destroyed(Some(&login), &gone);
        login.note_end(ending);
        true
    }

    /// Tells the sessions of a token of its login, or that it has ended. Another thread may do the same with a later one: each
    /// session asks for the one that stands when it is its turn.
    fn follow_login(&self, token: &Arc<Token>) {
        self.sessions.for_each(|_, session| {
            if session.is_of(token) {
                session.follow_login();
            }
        });
    }

    pub(super) fn token_of(&self, session: CK_SESSION_HANDLE) -> Result<Arc<Token>> {
        Ok(Arc::clone(self.session(session)?.value.token()?))
    }

    /// Token and login of a session, for work that must not hold the session's lock.
    pub(super) fn token_and_login(&self, session: CK_SESSION_HANDLE) -> Result<(Arc<Token>, Option<Arc<Login>>)> {
        let session = self.session(session)?;
        Ok((Arc::clone(session.value.token()?), session.value.context.login.clone()))
    }
}

const READ_ONLY_SESSION: Error = Error::new(ck::CKR_SESSION_READ_ONLY_EXISTS, "a read-only session is open");

fn already(token: &Token, present: &Login, role: Role) -> Error {
    if present.role == role {
        Error::new(ck::CKR_USER_ALREADY_LOGGED_IN, "a user is logged in already")
    } else {
        Error::new(token.dialect().another_user, "a user of the other type is logged in already")
    }
}
