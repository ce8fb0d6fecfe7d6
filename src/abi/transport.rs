//! C_WrapKey, C_UnwrapKey and C_DeriveKey.

use base::ck::{CK_ATTRIBUTE, CK_BYTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_ULONG};
use base::error::Result;
use hsm::mechanism::Use;

use super::memory::{self, Memory};
use super::objects::NO_PLACE;
use super::parameter::Caller;
use super::template::Array;
use crate::cryptoki::Library;

pub(super) unsafe fn wrap(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    wrapping_key: CK_OBJECT_HANDLE,
    key: CK_OBJECT_HANDLE,
    output: *mut CK_BYTE,
    output_length: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    unsafe {
        let caller = Caller::new(mechanism)?;
        let mut transfer = Memory::output_only(output, output_length)?;
        let decode = |kind| caller.decode(kind, Use::Wrap);
        let made = library.wrap_key(session, caller.mechanism(), wrapping_key, key, decode, &mut transfer)?;
        // If an IV was made, decoding has seen the place for it.
        made.map_or(Ok(()), |iv| caller.write_iv(iv))
    }
}

#[allow(clippy::too_many_arguments, reason = "the standard's")]
pub(super) unsafe fn unwrap(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    unwrapping_key: CK_OBJECT_HANDLE,
    wrapped: *mut CK_BYTE,
    wrapped_length: CK_ULONG,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    key: *mut CK_OBJECT_HANDLE,
) -> Result<()> {
    if key.is_null() {
        return Err(NO_PLACE);
    }
    // SAFETY: the caller's pointers, by the standard.
    unsafe {
        let caller = Caller::new(mechanism)?;
        let wrapped = memory::input(wrapped, wrapped_length)?;
        let template = Array::new(template, count)?.template()?;
        let decode = |kind| caller.decode(kind, Use::Unwrap);
        memory::write(key, library.unwrap_key(session, caller.mechanism(), unwrapping_key, wrapped, decode, template)?)
    }
}

pub(super) unsafe fn derive(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    base_key: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    key: *mut CK_OBJECT_HANDLE,
) -> Result<()> {
    if key.is_null() {
        return Err(NO_PLACE);
    }
    // SAFETY: the caller's pointers, by the standard.
    unsafe {
        let caller = Caller::new(mechanism)?;
        let template = Array::new(template, count)?.template()?;
        let decode = |kind| caller.decode(kind, Use::Derive);
        memory::write(key, library.derive_key(session, caller.mechanism(), base_key, decode, template)?)
    }
}
