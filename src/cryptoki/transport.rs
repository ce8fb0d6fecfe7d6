//! C_WrapKey, C_UnwrapKey and C_DeriveKey: which key of the call is which, and the codes that the standard has for it.

use base::ck::{self, CK_MECHANISM_TYPE, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE};
use base::error::{Error, Result};
use base::exchange::Transfer;
use hsm::mechanism::{Parameter, ParameterKind, Use};
use hsm::module::{Sharing, Tool};
use hsm::object::Template;

use super::Library;
use super::manage::Place;
use super::operation::answer;

/// The codes of a call for what is wrong with the key that it works with: handle, type, size (PKCS#11 3.2 sections 5.18.3
/// and 5.18.4).
struct Codes {
    handle: CK_RV,
    key_type: CK_RV,
    size: CK_RV,
}

const WRAPPING: Codes = Codes {
    handle: ck::CKR_WRAPPING_KEY_HANDLE_INVALID,
    key_type: ck::CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
    size: ck::CKR_WRAPPING_KEY_SIZE_RANGE,
};
const UNWRAPPING: Codes = Codes {
    handle: ck::CKR_UNWRAPPING_KEY_HANDLE_INVALID,
    key_type: ck::CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT,
    size: ck::CKR_UNWRAPPING_KEY_SIZE_RANGE,
};
const KEY: Codes =
    Codes { handle: ck::CKR_KEY_HANDLE_INVALID, key_type: ck::CKR_KEY_TYPE_INCONSISTENT, size: ck::CKR_KEY_SIZE_RANGE };

impl Codes {
    /// An error about the key in the words of this call.
    fn speak(&self, error: Error) -> Error {
        let rv = match error.rv() {
            ck::CKR_OBJECT_HANDLE_INVALID | ck::CKR_KEY_HANDLE_INVALID => self.handle,
            ck::CKR_KEY_TYPE_INCONSISTENT => self.key_type,
            ck::CKR_KEY_SIZE_RANGE => self.size,
            _ => return error,
        };
        Error::with(rv, error.message().to_owned())
    }
}

impl Place {
    /// A mechanism at work with the key of `handle`, if the user may work with the two so.
    fn tool(
        &self,
        what: Use,
        mechanism: CK_MECHANISM_TYPE,
        handle: CK_OBJECT_HANDLE,
        codes: &Codes,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
    ) -> Result<Tool<'_>> {
        let tool = self.token.module.tool(self.actor(), what, mechanism, || self.object(handle), decode);
        tool.map_err(|error| codes.speak(error))
    }
}

impl Library {
    /// C_WrapKey. Returns the IV that the HSM has made, if the caller is to be told; nothing is made for a question
    /// about the length.
    ///
    /// # Errors
    /// What mechanism, keys, policy and parameter refuse, before anything is said about the length.
    pub fn wrap_key(
        &self,
        session: CK_SESSION_HANDLE,
        mechanism: CK_MECHANISM_TYPE,
        wrapping_key: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
        transfer: &mut impl Transfer,
    ) -> Result<Option<[u8; 12]>> {
        let place = self.place(session)?;
        let tool = place.tool(Use::Wrap, mechanism, wrapping_key, &WRAPPING, decode)?;
        let payload = place.object(key).map_err(|error| KEY.speak(error))?;
        let room = |length| Ok(answer(transfer, length)?.is_none());
        let Some(wrapped) = place.token.module.wrap_key(tool, place.actor(), &payload, room)? else { return Ok(None) };
        transfer.deliver(wrapped.bytes());
        Ok(wrapped.iv)
    }

    /// C_UnwrapKey.
    ///
    /// # Errors
    /// As [`Library::wrap_key`]; CKR_WRAPPED_KEY_INVALID and CKR_WRAPPED_KEY_LEN_RANGE for what does not open.
    pub fn unwrap_key(
        &self,
        session: CK_SESSION_HANDLE,
        mechanism: CK_MECHANISM_TYPE,
        unwrapping_key: CK_OBJECT_HANDLE,
        wrapped: &[u8],
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
        template: Template,
    ) -> Result<CK_OBJECT_HANDLE> {
        let place = self.place(session)?;
        let tool = place.tool(Use::Unwrap, mechanism, unwrapping_key, &UNWRAPPING, decode)?;
        let template = place.token.module.with_unwrap_template(&tool, template)?;
        place.check_writable(template.flag(ck::CKA_TOKEN) == Some(true))?;
        let object = place.token.module.unwrap_key(tool, wrapped, &template, &Sharing::default())?;
        self.hold(&place, object, session)
    }

    /// C_DeriveKey.
    ///
    /// # Errors
    /// As [`Library::wrap_key`].
    pub fn derive_key(
        &self,
        session: CK_SESSION_HANDLE,
        mechanism: CK_MECHANISM_TYPE,
        base_key: CK_OBJECT_HANDLE,
        decode: impl FnOnce(ParameterKind) -> Result<Parameter>,
        template: Template,
    ) -> Result<CK_OBJECT_HANDLE> {
        let place = self.place(session)?;
        let tool = place.tool(Use::Derive, mechanism, base_key, &KEY, decode)?;
        let template = place.token.module.with_derive_template(&tool, template)?;
        place.check_writable(template.flag(ck::CKA_TOKEN) == Some(true))?;
        let object = place.token.module.derive_key(tool, &template)?;
        self.hold(&place, object, session)
    }
}
