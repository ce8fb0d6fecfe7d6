//! The functions about users and their PINs.

use base::ck::{self, CK_SESSION_HANDLE, CK_SLOT_ID, CK_ULONG, CK_USER_TYPE, CK_UTF8CHAR};
use base::error::{Error, Result};

use super::memory;
use crate::cryptoki::Library;

/// The label of C_InitToken: 32 bytes padded with blanks, no terminator.
const LABEL: CK_ULONG = 32;

pub(super) unsafe fn init_token(
    library: &Library,
    slot: CK_SLOT_ID,
    pin: *mut CK_UTF8CHAR,
    pin_length: CK_ULONG,
    label: *mut CK_UTF8CHAR,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    let (pin, label) = unsafe { (memory::input(pin, pin_length)?, memory::input(label, LABEL)?) };
    let label = std::str::from_utf8(label).map_err(|_| Error::new(ck::CKR_ARGUMENTS_BAD, "the label is not UTF-8"))?;
    library.init_token(slot, pin, label.trim_end_matches(' '))
}

pub(super) unsafe fn init_pin(
    library: &Library,
    session: CK_SESSION_HANDLE,
    pin: *mut CK_UTF8CHAR,
    pin_length: CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    library.init_pin(session, unsafe { memory::input(pin, pin_length) }?)
}

pub(super) unsafe fn set_pin(
    library: &Library,
    session: CK_SESSION_HANDLE,
    old: *mut CK_UTF8CHAR,
    old_length: CK_ULONG,
    new: *mut CK_UTF8CHAR,
    new_length: CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    let (old, new) = unsafe { (memory::input(old, old_length)?, memory::input(new, new_length)?) };
    library.set_pin(session, old, new)
}

pub(super) unsafe fn login(
    library: &Library,
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: *mut CK_UTF8CHAR,
    pin_length: CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    library.login(session, user, unsafe { memory::input(pin, pin_length) }?)
}

/// C_LoginUser of 3.0: the user's name apart from the PIN.
pub(super) unsafe fn login_user(
    library: &Library,
    session: CK_SESSION_HANDLE,
    user: CK_USER_TYPE,
    pin: *mut CK_UTF8CHAR,
    pin_length: CK_ULONG,
    name: *mut CK_UTF8CHAR,
    name_length: CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    let (pin, name) = unsafe { (memory::input(pin, pin_length)?, memory::input(name, name_length)?) };
    if name.is_empty() {
        return library.login(session, user, pin);
    }
    library.login_named(session, user, name, pin)
}

pub(super) unsafe fn logout(library: &Library, session: CK_SESSION_HANDLE) -> Result<()> {
    library.logout(session)
}
