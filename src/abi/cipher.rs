//! The functions about encryption and decryption.

use super::memory::Memory;
use super::parameter::Caller;
use crate::ck::{CK_BYTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_ULONG};
use crate::cryptoki::Library;
use crate::error::Result;
use crate::mechanism::Use;

pub(super) unsafe fn encrypt_init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    unsafe { Caller::begin(library, session, Use::Encrypt, mechanism, key) }
}

pub(super) unsafe fn encrypt(
    library: &Library,
    session: CK_SESSION_HANDLE,
    input: *mut CK_BYTE,
    input_length: CK_ULONG,
    output: *mut CK_BYTE,
    output_length: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    library.cipher(session, Use::Encrypt, unsafe { Memory::new(input, input_length, output, output_length) })
}

pub(super) unsafe fn encrypt_update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    input: *mut CK_BYTE,
    input_length: CK_ULONG,
    output: *mut CK_BYTE,
    output_length: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    library.cipher_update(session, Use::Encrypt, unsafe { Memory::new(input, input_length, output, output_length) })
}

pub(super) unsafe fn encrypt_final(
    library: &Library,
    session: CK_SESSION_HANDLE,
    output: *mut CK_BYTE,
    output_length: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    library.cipher_final(session, Use::Encrypt, unsafe { Memory::output_only(output, output_length) })
}

pub(super) unsafe fn decrypt_init(
    library: &Library,
    session: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    unsafe { Caller::begin(library, session, Use::Decrypt, mechanism, key) }
}

pub(super) unsafe fn decrypt(
    library: &Library,
    session: CK_SESSION_HANDLE,
    input: *mut CK_BYTE,
    input_length: CK_ULONG,
    output: *mut CK_BYTE,
    output_length: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    library.cipher(session, Use::Decrypt, unsafe { Memory::new(input, input_length, output, output_length) })
}

pub(super) unsafe fn decrypt_update(
    library: &Library,
    session: CK_SESSION_HANDLE,
    input: *mut CK_BYTE,
    input_length: CK_ULONG,
    output: *mut CK_BYTE,
    output_length: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    library.cipher_update(session, Use::Decrypt, unsafe { Memory::new(input, input_length, output, output_length) })
}

pub(super) unsafe fn decrypt_final(
    library: &Library,
    session: CK_SESSION_HANDLE,
    output: *mut CK_BYTE,
    output_length: *mut CK_ULONG,
) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    library.cipher_final(session, Use::Decrypt, unsafe { Memory::output_only(output, output_length) })
}
