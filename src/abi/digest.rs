//! The functions about digests and random numbers.

use base::ck::{self, CK_BYTE, CK_MECHANISM, CK_SESSION_HANDLE, CK_ULONG};
use base::error::{Error, Result};
use hsm::mechanism::Use;

use super::memory::{self, Memory};
use super::parameter::Caller;
use crate::cryptoki::Library;

pub(super) unsafe fn init(library: &Library, session: CK_SESSION_HANDLE, mechanism: *mut CK_MECHANISM) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    let Some(caller) = (unsafe { Caller::or_cancel(library, session, Use::Digest, mechanism) })? else {
        return Ok(());
    };
    library.digest_init(session, caller.mechanism(), |kind| caller.decode(kind, Use::Digest))
}

pub(super) unsafe fn digest(
    library: &Library,
    session: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    data_length: CK_ULONG,
    digest: *mut CK_BYTE,
    digest_length: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    library.digest(session, unsafe { Memory::new(data, data_length, digest, digest_length) })
}

pub(super) unsafe fn update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    part: *mut CK_BYTE,
    length: CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    library.digest_update(session, unsafe { memory::input(part, length) })
}

pub(super) unsafe fn finish(
    library: &Library,
    session: CK_SESSION_HANDLE,
    digest: *mut CK_BYTE,
    digest_length: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    library.digest_final(session, unsafe { Memory::output_only(digest, digest_length) })
}

pub(super) unsafe fn generate_random(
    library: &Library,
    session: CK_SESSION_HANDLE,
    out: *mut CK_BYTE,
    length: CK_ULONG,
) -> Result<()> {
    if out.is_null() && length > 0 {
        return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "RandomData is NULL"));
    }
    if length == 0 {
        return library.generate_random(session, &mut []);
    }
    let length = usize::try_from(length)
        .ok()
        .filter(|length| isize::try_from(*length).is_ok())
        .ok_or(Error::new(ck::CKR_ARGUMENTS_BAD, "a length that no object in memory can have"))?;
    // SAFETY: not NULL, no absurd length, and writable by the caller's word; no other reference to it exists.
    library.generate_random(session, unsafe { std::slice::from_raw_parts_mut(out, length) })
}

pub(super) unsafe fn seed_random(
    library: &Library,
    session: CK_SESSION_HANDLE,
    seed: *mut CK_BYTE,
    length: CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    unsafe { memory::input(seed, length) }?;
    library.seed_random(session)
}
