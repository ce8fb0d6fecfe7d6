//! The functions about signing and verifying.

use base::ck::{CK_BYTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_ULONG};
use base::error::Result;
use hsm::mechanism::Use;

use super::memory::{self, Memory};
use super::parameter::Caller;
use crate::cryptoki::Library;

pub(super) unsafe fn sign_init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    unsafe { Caller::begin(library, session, Use::Sign, mechanism, key) }
}

pub(super) unsafe fn verify_init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    unsafe { Caller::begin(library, session, Use::Verify, mechanism, key) }
}

pub(super) unsafe fn sign(
    library: &Library,
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    data_length: CK_ULONG,
    signature: *mut CK_BYTE,
    signature_length: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    library.sign(session, unsafe { Memory::new(data, data_length, signature, signature_length) })
}

pub(super) unsafe fn sign_update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: *mut CK_BYTE,
    length: CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    library.update_signature(session, Use::Sign, unsafe { memory::input(part, length) })
}

pub(super) unsafe fn sign_final(
    library: &Library,
    session: CK_SESSION_HANDLE,
    signature: *mut CK_BYTE,
    signature_length: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    library.sign_final(session, unsafe { Memory::output_only(signature, signature_length) })
}

pub(super) unsafe fn verify(
    library: &Library,
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    data_length: CK_ULONG,
    signature: *mut CK_BYTE,
    signature_length: CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    let (data, signature) = unsafe { (memory::input(data, data_length), memory::input(signature, signature_length)) };
    library.verify(session, data.and_then(|data| Ok((data, signature?))))
}

pub(super) unsafe fn verify_update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: *mut CK_BYTE,
    length: CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    library.update_signature(session, Use::Verify, unsafe { memory::input(part, length) })
}

pub(super) unsafe fn verify_final(
    library: &Library,
    session: CK_SESSION_HANDLE,
    signature: *mut CK_BYTE,
    signature_length: CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    library.verify_final(session, unsafe { memory::input(signature, signature_length) })
}
