//! The one error type: the `CK_RV` that the caller gets, and the words that the log gets.
//!
//! A constructor fixes the return value, so that a rule names the error and never spells a code twice. The text
//! says what was wanted and what was got; it never holds a secret. It is logged once, where the call ends.

use std::borrow::Cow;
use std::fmt;

use crate::ck::{self, CK_RV};

/// What a fallible function of this library returns.
pub type Result<T> = std::result::Result<T, Error>;

/// A refusal or a failure: a return value of PKCS#11 and a text for the log.
#[derive(Debug)]
pub struct Error {
    rv: CK_RV,
    message: Cow<'static, str>,
}

impl Error {
    /// An error with a constant text: allocates nothing.
    #[cold]
    #[must_use]
    pub const fn new(rv: CK_RV, message: &'static str) -> Self {
        Self { rv, message: Cow::Borrowed(message) }
    }

    /// An error whose text was made for the occasion.
    #[cold]
    #[must_use]
    pub const fn with(rv: CK_RV, message: String) -> Self {
        Self { rv, message: Cow::Owned(message) }
    }

    /// What the C function returns.
    #[must_use]
    pub const fn rv(&self) -> CK_RV {
        self.rv
    }

    /// What the log says.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The same return value with the place or the cause put in front of the text.
    #[must_use]
    pub fn context(self, before: impl fmt::Display) -> Self {
        Self { rv: self.rv, message: Cow::Owned(format!("{before}: {}", self.message)) }
    }

    /// A bug of ours or a state that should not exist: `CKR_GENERAL_ERROR`.
    #[must_use]
    pub const fn internal(message: &'static str) -> Self {
        Self::new(ck::CKR_GENERAL_ERROR, message)
    }

    /// The operating system or the store failed: `CKR_DEVICE_ERROR`.
    #[must_use]
    pub const fn device(message: String) -> Self {
        Self::with(ck::CKR_DEVICE_ERROR, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
