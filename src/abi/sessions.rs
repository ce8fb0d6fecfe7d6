//! The functions about sessions.

use std::ffi::c_void;

use base::ck::{self, CK_FLAGS, CK_NOTIFY, CK_SESSION_HANDLE, CK_SESSION_INFO, CK_SLOT_ID};
use base::error::{Error, Result};
use hsm::mechanism::Use;

use super::memory;
use crate::cryptoki::Library;

pub(super) unsafe fn open(
    library: &Library,
    slot: CK_SLOT_ID,
    flags: CK_FLAGS,
    application: *mut c_void,
    notify: CK_NOTIFY,
    session: *mut CK_SESSION_HANDLE,
) -> Result<()> {
    if session.is_null() {
        return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "phSession is NULL"));
    }
    if (!application.is_null() || notify.is_some()) && library.dialect()?.no_callbacks {
        return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "pApplication and Notify must be NULL, as on CloudHSM"));
    }
    let opened = library.open_session(slot, flags)?;
    // SAFETY: the caller's pointer, by the standard.
    unsafe { memory::write(session, opened) }
}

pub(super) unsafe fn close(library: &Library, session: CK_SESSION_HANDLE) -> Result<()> {
    library.close_session(session)
}

pub(super) unsafe fn close_all(library: &Library, slot: CK_SLOT_ID) -> Result<()> {
    library.close_all_sessions(slot)
}

pub(super) unsafe fn info(
    library: &Library,
    session: CK_SESSION_HANDLE,
    information: *mut CK_SESSION_INFO,
) -> Result<()> {
    let found = library.session_information(session)?;
    let answer = CK_SESSION_INFO { slotID: found.slot, state: found.state, flags: found.flags, ulDeviceError: 0 };
    // SAFETY: the caller's pointer, by the standard.
    unsafe { memory::write(information, answer) }
}

/// C_SessionCancel (PKCS#11 3.2 section 5.6.8): ends the operations that the flags name.
pub(super) unsafe fn cancel(library: &Library, session: CK_SESSION_HANDLE, flags: CK_FLAGS) -> Result<()> {
    library.session_information(session)?;
    for what in [Use::Encrypt, Use::Decrypt, Use::Digest, Use::Sign, Use::Verify] {
        if flags & what.flag() != 0 {
            library.cancel(session, what)?;
        }
    }
    if flags & ck::CKF_FIND_OBJECTS != 0 {
        library.cancel_find(session)?;
    }
    Ok(())
}

/// C_GetFunctionStatus and C_CancelFunction: relics, which answer so (PKCS#11 3.2 section 5.19).
pub(super) unsafe fn not_parallel(library: &Library, session: CK_SESSION_HANDLE) -> Result<()> {
    library.session_information(session)?;
    Err(Error::new(ck::CKR_FUNCTION_NOT_PARALLEL, "functions do not run in parallel"))
}
