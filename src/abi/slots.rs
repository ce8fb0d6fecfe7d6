//! The functions about the library, its slots and tokens.

use std::ffi::c_void;

use base::ck::{
    self, CK_BBOOL, CK_FLAGS, CK_INFO, CK_MECHANISM_INFO, CK_MECHANISM_TYPE, CK_SLOT_ID, CK_SLOT_INFO, CK_TOKEN_INFO,
    CK_ULONG, CK_UNAVAILABLE_INFORMATION, CK_VERSION,
};
use base::error::{Error, Result};

use super::memory::{self, padded};
use crate::cryptoki::Library;

const MANUFACTURER: &str = "CloudHSM";
/// The Client SDK whose behaviour this is: 5.18.
const LIBRARY_VERSION: CK_VERSION = CK_VERSION { major: 5, minor: 18 };
const NO_VERSION: CK_VERSION = CK_VERSION { major: 0, minor: 0 };

/// C_GetInfo of the interface of a version, which it tells: "for libraries written to this document, the value of
/// cryptokiVersion should match the version of this specification" (PKCS#11 3.2 section 3.1).
pub(super) unsafe fn info(_: &Library, information: *mut CK_INFO, interface: CK_VERSION) -> Result<()> {
    let answer = CK_INFO {
        cryptokiVersion: interface,
        manufacturerID: padded(MANUFACTURER),
        flags: 0,
        libraryDescription: padded("CloudHSM PKCS#11"),
        libraryVersion: LIBRARY_VERSION,
    };
    // SAFETY: the caller's pointer, by the standard.
    unsafe { memory::write(information, answer) }
}

pub(super) unsafe fn list(library: &Library, _: CK_BBOOL, list: *mut CK_SLOT_ID, count: *mut CK_ULONG) -> Result<()> {
    // Every slot has a token, so tokenPresent changes nothing.
    // SAFETY: the caller's pointers, by the standard.
    unsafe { memory::write_list(list, count, &library.slots()) }
}

pub(super) unsafe fn slot_info(library: &Library, slot: CK_SLOT_ID, information: *mut CK_SLOT_INFO) -> Result<()> {
    library.check_slot(slot)?;
    let answer = CK_SLOT_INFO {
        slotDescription: padded("CloudHSM slot"),
        manufacturerID: padded(MANUFACTURER),
        flags: ck::CKF_TOKEN_PRESENT,
        hardwareVersion: NO_VERSION,
        firmwareVersion: NO_VERSION,
    };
    // SAFETY: the caller's pointer, by the standard.
    unsafe { memory::write(information, answer) }
}

pub(super) unsafe fn token_info(library: &Library, slot: CK_SLOT_ID, information: *mut CK_TOKEN_INFO) -> Result<()> {
    let token = library.token_information(slot)?;
    let (shortest, longest) = token.pin_lengths;
    let answer = CK_TOKEN_INFO {
        label: padded(&token.label),
        manufacturerID: padded(MANUFACTURER),
        model: padded("hsm2m.medium"),
        serialNumber: padded(&token.serial),
        flags: token.flags,
        ulMaxSessionCount: token.most_sessions,
        ulSessionCount: token.sessions,
        ulMaxRwSessionCount: token.most_sessions,
        ulRwSessionCount: token.read_write_sessions,
        ulMaxPinLen: longest,
        ulMinPinLen: shortest,
        ulTotalPublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePublicMemory: CK_UNAVAILABLE_INFORMATION,
        ulTotalPrivateMemory: CK_UNAVAILABLE_INFORMATION,
        ulFreePrivateMemory: CK_UNAVAILABLE_INFORMATION,
        hardwareVersion: NO_VERSION,
        firmwareVersion: NO_VERSION,
        // There is no clock: the flag says so and the field is blank.
        utcTime: padded(""),
    };
    // SAFETY: the caller's pointer, by the standard.
    unsafe { memory::write(information, answer) }
}

pub(super) unsafe fn mechanisms(
    library: &Library,
    slot: CK_SLOT_ID,
    list: *mut CK_MECHANISM_TYPE,
    count: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    unsafe { memory::write_list(list, count, &library.mechanisms(slot)?) }
}

pub(super) unsafe fn mechanism_info(
    library: &Library,
    slot: CK_SLOT_ID,
    mechanism: CK_MECHANISM_TYPE,
    information: *mut CK_MECHANISM_INFO,
) -> Result<()> {
    let found = library.mechanism_information(slot, mechanism)?;
    let (smallest, largest) = found.sizes;
    let answer = CK_MECHANISM_INFO { ulMinKeySize: smallest, ulMaxKeySize: largest, flags: found.flags };
    // SAFETY: the caller's pointer, by the standard.
    unsafe { memory::write(information, answer) }
}

/// Tokens are never put in or taken out, so there is never an event, and waiting for one would never end.
pub(super) unsafe fn wait_for_event(_: &Library, flags: CK_FLAGS, _: *mut CK_SLOT_ID, _: *mut c_void) -> Result<()> {
    if flags & ck::CKF_DONT_BLOCK != 0 {
        return Err(Error::new(ck::CKR_NO_EVENT, "there are no slot events"));
    }
    Err(Error::new(ck::CKR_FUNCTION_NOT_SUPPORTED, "there are no slot events to wait for"))
}
