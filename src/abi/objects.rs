//! The functions about objects and keys.

use base::ck::{self, CK_ATTRIBUTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_ULONG};
use base::error::{Error, Result};
use hsm::mechanism::Use;
use hsm::object::Template;

use super::memory;
use super::parameter::Caller;
use super::template::Array;
use crate::cryptoki::Library;

pub(super) const NO_PLACE: Error = Error::new(ck::CKR_ARGUMENTS_BAD, "there is no place for the handle");

pub(super) unsafe fn create(
    library: &Library,
    session: CK_SESSION_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    object: *mut CK_OBJECT_HANDLE,
) -> Result<()> {
    // Looked at before anything is made, so that no object is left without a handle.
    if object.is_null() {
        return Err(NO_PLACE);
    }
    // SAFETY: the caller's pointers, by the standard.
    unsafe {
        let template = Array::new(template, count)?.template()?;
        memory::write(object, library.create_object(session, &template)?)
    }
}

pub(super) unsafe fn copy(
    library: &Library,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
    new: *mut CK_OBJECT_HANDLE,
) -> Result<()> {
    if new.is_null() {
        return Err(NO_PLACE);
    }
    // SAFETY: the caller's pointers, by the standard.
    unsafe {
        let template = Array::new(template, count)?.template()?;
        memory::write(new, library.copy_object(session, object, &template)?)
    }
}

pub(super) unsafe fn destroy(library: &Library, session: CK_SESSION_HANDLE, object: CK_OBJECT_HANDLE) -> Result<()> {
    library.destroy_object(session, object)
}

pub(super) unsafe fn size(
    library: &Library,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    size: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    unsafe { memory::write(size, library.object_size(session, object)?) }
}

pub(super) unsafe fn get_attributes(
    library: &Library,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> Result<()> {
    let array = Array::new(template, count)?;
    // SAFETY: the caller's pointers, by the standard.
    library.get_attributes(session, object, |read| unsafe { array.fill(read) })?
}

pub(super) unsafe fn set_attributes(
    library: &Library,
    session: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    library.set_attributes(session, object, &unsafe { Array::new(template, count)?.template() }?)
}

pub(super) unsafe fn find_init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> Result<()> {
    let array = Array::new(template, count)?;
    // SAFETY: the caller's pointers, by the standard.
    let template = match unsafe { array.template() } {
        Ok(template) => template,
        // Programs search for attributes of other vendors; no object has one, so the search finds nothing. Nor has any object
        // two values of one attribute, for which C_FindObjectsInit has no code (PKCS#11 3.2 section 5.7.7).
        Err(error) if matches!(error.rv(), ck::CKR_ATTRIBUTE_TYPE_INVALID | ck::CKR_TEMPLATE_INCONSISTENT) => {
            Template::impossible()
        }
        Err(error) => return Err(error),
    };
    library.find_init(session, &template)
}

pub(super) unsafe fn find(
    library: &Library,
    session: CK_SESSION_HANDLE,
    objects: *mut CK_OBJECT_HANDLE,
    most: CK_ULONG,
    count: *mut CK_ULONG,
) -> Result<()> {
    if count.is_null() {
        return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "pulObjectCount is NULL"));
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let found = if objects.is_null() {
        library.find_left(session, most)?
    } else {
        // SAFETY: `at` is below the room that the caller has alleged.
        library.find(session, most, |at, handle| unsafe { objects.add(at).write_unaligned(handle) })?
    };
    // SAFETY: not NULL, and the caller's by the standard.
    unsafe { memory::write(count, found as CK_ULONG) }
}

pub(super) unsafe fn find_final(library: &Library, session: CK_SESSION_HANDLE) -> Result<()> {
    library.find_final(session)
}

pub(super) unsafe fn generate_key(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
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
        let decode = |kind| caller.decode(kind, Use::Generate);
        memory::write(key, library.generate_key(session, caller.mechanism(), decode, &template)?)
    }
}

#[allow(clippy::too_many_arguments, reason = "the standard's")]
pub(super) unsafe fn generate_key_pair(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    public_template: *mut CK_ATTRIBUTE,
    public_count: CK_ULONG,
    private_template: *mut CK_ATTRIBUTE,
    private_count: CK_ULONG,
    public_key: *mut CK_OBJECT_HANDLE,
    private_key: *mut CK_OBJECT_HANDLE,
) -> Result<()> {
    if public_key.is_null() || private_key.is_null() {
        return Err(NO_PLACE);
    }
    // SAFETY: the caller's pointers, by the standard.
    unsafe {
        let caller = Caller::new(mechanism)?;
        let public = Array::new(public_template, public_count)?.template()?;
        let private = Array::new(private_template, private_count)?.template()?;
        let decode = |kind| caller.decode(kind, Use::GeneratePair);
        let made = library.generate_key_pair(session, caller.mechanism(), decode, &public, &private)?;
        memory::write(public_key, made.0)?;
        memory::write(private_key, made.1)
    }
}
