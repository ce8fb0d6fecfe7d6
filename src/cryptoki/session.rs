//! A session: its token, its login, and up to six operations in progress.

use std::sync::Arc;

use base::ck::{self, CK_FLAGS, CK_OBJECT_HANDLE, CK_STATE};
use base::error::{Error, Result};
use hsm::mechanism::Use;
use hsm::module::{Digesting, Login, Role};
use hsm::object::Object;

use super::operation::Active;
use super::session_objects::Handles;
use super::token::Token;

/// The state of one session. A free slot of the slab holds the default.
#[derive(Default)]
pub struct Session {
    pub(super) context: Context,
    pub(super) find: Option<Finding>,
    pub(super) digest: Option<Digesting>,
    pub(super) sign: Option<Active>,
    pub(super) verify: Option<Active>,
    pub(super) encrypt: Option<Active>,
    pub(super) decrypt: Option<Active>,
    /// The session objects that have been made in it, which go with it.
    pub(super) objects: Option<Box<Handles>>,
    /// The key of the last operation: most programs use one key again and again.
    pub(super) recent: Option<(CK_OBJECT_HANDLE, Arc<Object>)>,
}

/// What every operation of a session works under; apart from the operations, so that both can be borrowed.
#[derive(Default)]
pub(super) struct Context {
    token: Option<Arc<Token>>,
    flags: CK_FLAGS,
    /// The application's login, put here in every session so that an operation need not look for it.
    pub(super) login: Option<Arc<Login>>,
}

impl Context {
    #[inline]
    pub(super) fn token(&self) -> Result<&Arc<Token>> {
        self.token.as_ref().ok_or(Error::new(ck::CKR_SESSION_HANDLE_INVALID, "the session has been closed"))
    }
}

/// A search in progress: what it found and how far it has been handed out.
pub(super) struct Finding {
    pub(super) handles: Vec<CK_OBJECT_HANDLE>,
    pub(super) next: usize,
}

impl Session {
    /// Makes a free slot a session.
    pub(super) fn open(&mut self, token: &Arc<Token>, flags: CK_FLAGS) {
        token.session_opened(flags & ck::CKF_RW_SESSION == 0);
        self.context = Context { token: Some(Arc::clone(token)), flags, login: token.login() };
    }

    /// Ends the session and says of which token it was.
    pub(super) fn into_token(mut self) -> Option<Arc<Token>> {
        let Context { token, flags, .. } = std::mem::take(&mut self.context);
        token.inspect(|token| token.session_ended(flags & ck::CKF_RW_SESSION == 0))
    }

    pub(super) fn is_of(&self, token: &Arc<Token>) -> bool {
        self.context.token.as_ref().is_some_and(|own| Arc::ptr_eq(own, token))
    }

    #[inline]
    pub(super) fn token(&self) -> Result<&Arc<Token>> {
        self.context.token()
    }

    pub(super) const fn flags(&self) -> CK_FLAGS {
        self.context.flags
    }

    pub(super) const fn is_read_write(&self) -> bool {
        self.context.flags & ck::CKF_RW_SESSION != 0
    }

    /// Whether what was begun under a login, or none, is still to be seen by this session.
    pub(super) fn is_under(&self, login: Option<&Arc<Login>>) -> bool {
        login.is_none_or(|login| self.context.login.as_ref().is_some_and(|present| Arc::ptr_eq(present, login)))
    }

    /// The state of the session (PKCS#11 3.2 section 5.6.4).
    pub(super) fn state(&self) -> CK_STATE {
        let login = self.context.login.as_ref().filter(|login| login.check().is_ok());
        match (login.map(|login| login.role), self.is_read_write()) {
            (Some(Role::CryptoOfficer), _) => ck::CKS_RW_SO_FUNCTIONS,
            (Some(Role::CryptoUser), true) => ck::CKS_RW_USER_FUNCTIONS,
            (Some(Role::CryptoUser), false) => ck::CKS_RO_USER_FUNCTIONS,
            (None, true) => ck::CKS_RW_PUBLIC_SESSION,
            (None, false) => ck::CKS_RO_PUBLIC_SESSION,
        }
    }

    /// The operation of a use that works with a key.
    pub(super) fn active(&mut self, what: Use) -> Result<&mut Option<Active>> {
        Ok(self.split(what)?.1)
    }

    /// The operation of a use, with what it works under.
    #[inline]
    pub(super) fn split(&mut self, what: Use) -> Result<(&Context, &mut Option<Active>)> {
        let Self { context, sign, verify, encrypt, decrypt, .. } = self;
        let active = match what {
            Use::Sign => sign,
            Use::Verify => verify,
            Use::Encrypt => encrypt,
            Use::Decrypt => decrypt,
            Use::Digest | Use::Generate | Use::GeneratePair | Use::Wrap | Use::Unwrap | Use::Derive => {
                return Err(Error::internal("no operation with a key"));
            }
        };
        Ok((context, active))
    }

    /// Goes over to the login that stands by now. The end of a login ends every operation and forgets its keys (C_Logout); a first
    /// login ends nothing.
    pub(super) fn follow_login(&mut self) {
        let present = self.context.token.as_ref().and_then(|token| token.login());
        let before = std::mem::replace(&mut self.context.login, present);
        if before.is_none_or(|before| self.is_under(Some(&before))) {
            return;
        }
        self.recent = None;
        self.find = None;
        self.digest = None;
        self.sign = None;
        self.verify = None;
        self.encrypt = None;
        self.decrypt = None;
    }

    /// Forgets a key that has been destroyed.
    pub(super) fn forget_key(&mut self, handle: CK_OBJECT_HANDLE) {
        if self.recent.as_ref().is_some_and(|(recent, _)| *recent == handle) {
            self.recent = None;
        }
    }
}
