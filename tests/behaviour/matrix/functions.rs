//! The functions that take a mechanism, as one call each: what came, and the session as it was before.

use std::cell::Cell;
use std::ptr;

use super::keys::{Half, Keys, Kind, secret};
use super::table::Line;
use crate::support::*;

/// A function that begins an operation, or is one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Function {
    Encrypt,
    Decrypt,
    Digest,
    Sign,
    Verify,
    Generate,
    GeneratePair,
    Wrap,
    Unwrap,
    Derive,
}

impl Function {
    pub(super) const ALL: [Self; 10] = [
        Self::Encrypt,
        Self::Decrypt,
        Self::Digest,
        Self::Sign,
        Self::Verify,
        Self::Generate,
        Self::GeneratePair,
        Self::Wrap,
        Self::Unwrap,
        Self::Derive,
    ];

    /// By its letter in the table.
    pub(super) fn of_letter(letter: char) -> Result<Self, String> {
        let at = "edhsvgpwuk".find(letter).ok_or_else(|| format!("no use: {letter}"))?;
        Ok(Self::ALL[at])
    }

    /// The flag of CK_MECHANISM_INFO.
    pub(super) fn flag(self) -> CK_FLAGS {
        match self {
            Self::Encrypt => CKF_ENCRYPT,
            Self::Decrypt => CKF_DECRYPT,
            Self::Digest => CKF_DIGEST,
            Self::Sign => CKF_SIGN,
            Self::Verify => CKF_VERIFY,
            Self::Generate => CKF_GENERATE,
            Self::GeneratePair => CKF_GENERATE_KEY_PAIR,
            Self::Wrap => CKF_WRAP,
            Self::Unwrap => CKF_UNWRAP,
            Self::Derive => CKF_DERIVE,
        }
    }

    /// The attribute of a key that may be used so; none where no key is used.
    pub(super) fn attribute(self) -> Option<CK_ATTRIBUTE_TYPE> {
        match self {
            Self::Encrypt => Some(CKA_ENCRYPT),
            Self::Decrypt => Some(CKA_DECRYPT),
            Self::Sign => Some(CKA_SIGN),
            Self::Verify => Some(CKA_VERIFY),
            Self::Wrap => Some(CKA_WRAP),
            Self::Unwrap => Some(CKA_UNWRAP),
            Self::Derive => Some(CKA_DERIVE),
            Self::Digest | Self::Generate | Self::GeneratePair => None,
        }
    }

    pub(super) fn way(self) -> Option<Way> {
        match self {
            Self::Encrypt => Some(Way::Encrypt),
            Self::Decrypt => Some(Way::Decrypt),
            _ => None,
        }
    }

    /// Whether it brings keys out or in.
    pub(super) fn transports(self) -> bool {
        matches!(self, Self::Wrap | Self::Unwrap)
    }

    /// The half of a pair that it wants.
    pub(super) fn half(self, kind: Kind) -> Half {
        match (kind.halves(), self) {
            ([only], _) => *only,
            (_, Self::Encrypt | Self::Verify | Self::Wrap) => Half::Public,
            _ => Half::Private,
        }
    }

    /// What it says of a key of another kind (PKCS#11 3.2, sections 5.18.3 to 5.18.5).
    pub(super) fn wrong_kind(self) -> CK_RV {
        match self {
            Self::Wrap => CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
            Self::Unwrap => CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
            _ => CKR_KEY_TYPE_INCONSISTENT,
        }
    }

    /// What it says of a handle that is no key's.
    pub(super) fn wrong_handle(self) -> CK_RV {
        match self {
            Self::Wrap => CKR_WRAPPING_KEY_HANDLE_INVALID,
            Self::Unwrap => CKR_UNWRAPPING_KEY_HANDLE_INVALID,
            _ => CKR_KEY_HANDLE_INVALID,
        }
    }
}

/// What a call works on besides mechanism and key.
pub(super) struct Extra {
    /// The key that is wrapped.
    pub(super) payload: CK_OBJECT_HANDLE,
    /// What is unwrapped.
    pub(super) wrapped: Vec<u8>,
}

/// Calls functions in a session of its own, which is renewed when a call has left something behind.
pub(super) struct Caller<'a> {
    pub(super) keys: &'a Keys,
    session: Cell<Session>,
}

impl<'a> Caller<'a> {
    pub(super) fn new(keys: &'a Keys) -> Self {
        Self { keys, session: Cell::new(Session::open()) }
    }

    pub(super) fn session(&self) -> Session {
        self.session.get()
    }

    /// Ends whatever is under way: closing the session ends its operations and destroys what it has made.
    pub(super) fn renew(&self) {
        self.session.get().close().expect("C_CloseSession");
        self.session.set(Session::open());
    }

    /// A key to wrap, and something that is no wrapped key.
    pub(super) fn extra(&self) -> Extra {
        Extra { payload: self.keys.payload(), wrapped: vec![0x5A; 48] }
    }

    /// One call. What a call that succeeds has begun or made is ended; the wrapped key of C_WrapKey is kept.
    pub(super) fn call(
        &self,
        line: &Line,
        function: Function,
        mechanism: &mut Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        extra: &mut Extra,
    ) -> Rv {
        let kind = line.keys.first().map_or(Kind::Aes, |kind| kind.value);
        self.call_for(kind, function, mechanism, key, extra)
    }

    /// The same; `kind` is what C_GenerateKey and C_GenerateKeyPair have templates for.
    pub(super) fn call_for(
        &self,
        kind: Kind,
        function: Function,
        mechanism: &mut Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        extra: &mut Extra,
    ) -> Rv {
        let session = self.session().0;
        let (public, private) = kind.generation();
        let (mut public, mut private) = (public.raw(), private.raw());
        let (mut made, mut made_too) = (0, 0);
        let target = secret(CKK_AES);
        // 128 bits: their number fits into a length of one byte.
        let derived = target.clone().number(CKA_VALUE_LEN, 16);
        let (mut target, mut derived) = (target.raw(), derived.raw());
        let raw = mechanism.raw();
        let length = |template: &[CK_ATTRIBUTE]| template.len() as CK_ULONG;
        let rv = match function {
            Function::Encrypt => call!(C_EncryptInit(session, raw, key)),
            Function::Decrypt => call!(C_DecryptInit(session, raw, key)),
            Function::Digest => call!(C_DigestInit(session, raw)),
            Function::Sign => call!(C_SignInit(session, raw, key)),
            Function::Verify => call!(C_VerifyInit(session, raw, key)),
            Function::Generate => {
                let count = length(&public);
                call!(C_GenerateKey(session, raw, public.as_mut_ptr(), count, &raw mut made))
            }
            Function::GeneratePair => {
                let counts = (length(&public), length(&private));
                let private = if private.is_empty() { ptr::null_mut() } else { private.as_mut_ptr() };
                let places = (&raw mut made, &raw mut made_too);
                let public = public.as_mut_ptr();
                call!(C_GenerateKeyPair(session, raw, public, counts.0, private, counts.1, places.0, places.1))
            }
            Function::Wrap => {
                let mut buffer = vec![0; 4096];
                let mut room = buffer.len() as CK_ULONG;
                let rv = call!(C_WrapKey(session, raw, key, extra.payload, buffer.as_mut_ptr(), &raw mut room));
                if rv == CKR_OK {
                    buffer.truncate(room as usize);
                    extra.wrapped = buffer;
                }
                rv
            }
            Function::Unwrap => {
                let (data, size) = (extra.wrapped.as_mut_ptr(), extra.wrapped.len() as CK_ULONG);
                let count = length(&target);
                call!(C_UnwrapKey(session, raw, key, data, size, target.as_mut_ptr(), count, &raw mut made))
            }
            Function::Derive => {
                let count = length(&derived);
                call!(C_DeriveKey(session, raw, key, derived.as_mut_ptr(), count, &raw mut made))
            }
        };
        if rv == CKR_OK && function != Function::Wrap {
            self.renew();
        }
        Rv(rv)
    }
}
