//! The functions about encryption and decryption.

use base::ck::{CK_BYTE, CK_MECHANISM, CK_OBJECT_HANDLE, CK_SESSION_HANDLE, CK_ULONG};
use base::error::Result;
use hsm::mechanism::Use;

use super::memory::Memory;
use super::parameter::Caller;
use crate::cryptoki::Library;

/// The four functions of one direction.
macro_rules! direction {
    ($what:path: $init:ident, $once:ident, $update:ident, $finish:ident) => {
        pub(super) unsafe fn $init(
            library: &Library,
            session: CK_SESSION_HANDLE,
            mechanism: *mut CK_MECHANISM,
            key: CK_OBJECT_HANDLE,
        ) -> Result<()> {
            // SAFETY: the caller's pointer, by the standard.
            unsafe { Caller::begin(library, session, $what, mechanism, key) }
        }

        pub(super) unsafe fn $once(
            library: &Library,
            session: CK_SESSION_HANDLE,
            input: *mut CK_BYTE,
            input_length: CK_ULONG,
            output: *mut CK_BYTE,
            output_length: *mut CK_ULONG,
        ) -> Result<()> {
            // SAFETY: the caller's pointers, by the standard.
            library.cipher(session, $what, unsafe { Memory::new(input, input_length, output, output_length) })
        }

        pub(super) unsafe fn $update(
            library: &Library,
            session: CK_SESSION_HANDLE,
            input: *mut CK_BYTE,
            input_length: CK_ULONG,
            output: *mut CK_BYTE,
            output_length: *mut CK_ULONG,
        ) -> Result<()> {
            // SAFETY: the caller's pointers, by the standard.
            library.cipher_update(session, $what, unsafe { Memory::new(input, input_length, output, output_length) })
        }

        pub(super) unsafe fn $finish(
            library: &Library,
            session: CK_SESSION_HANDLE,
            output: *mut CK_BYTE,
            output_length: *mut CK_ULONG,
        ) -> Result<()> {
            // SAFETY: the caller's pointers, by the standard.
            library.cipher_final(session, $what, unsafe { Memory::output_only(output, output_length) })
        }
    };
}

direction!(Use::Encrypt: encrypt_init, encrypt, encrypt_update, encrypt_final);
direction!(Use::Decrypt: decrypt_init, decrypt, decrypt_update, decrypt_final);
