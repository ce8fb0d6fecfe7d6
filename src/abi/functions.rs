//! The functions of PKCS#11, each once: from this list follow the symbols, the function lists of 2.40, 3.0 and 3.2, the
//! names in the log, and what is not supported.
//!
//! A row says who has the function, its name, the names and types of its arguments (of what is missing by position), and
//! the function behind it:
//!
//! - `bare`: callable before C_Initialize;
//! - `library`: everybody has it;
//! - `extension`: AWS's library does not have it, `cloudhsm` and `standard` do;
//! - `attributes`: as `extension`, and where certificates are stored, for those;
//! - `everything`: only `standard` has it;
//! - `missing`: not built yet, CKR_FUNCTION_NOT_SUPPORTED in every profile.

use std::ffi::c_void;

use base::ck::*;
use base::error::{Error, Result};

use super::trace::Argument;
use super::{call, cipher, digest, interfaces, lifecycle, objects, sessions, sign, slots, transport, users};
use crate::cryptoki::Library;

/// Who has a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Availability {
    /// Everybody.
    Library,
    /// All but `strict`.
    Extension,
    /// All but `strict`, which has it for certificates if it stores them.
    Attributes,
    /// `standard` alone.
    Everything,
    /// Nobody yet.
    Missing,
}

/// A function as the docs' table shows it.
#[cfg_attr(not(test), expect(dead_code, reason = "read by the test that writes the docs' table"))]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) since: &'static str,
    pub(super) availability: Availability,
}

/// `C_GetSessionInfo` and its like are named as the standard names them.
macro_rules! cryptoki {
    (
        v2_40 { $($who:ident $name:ident($($argument:ident: $type:ty),*) => $path:path;)* }
        v3_0 { $($who_30:ident $name_30:ident($($argument_30:ident: $type_30:ty),*) => $path_30:path;)* }
        v3_2 { $($who_32:ident $name_32:ident($($argument_32:ident: $type_32:ty),*) => $path_32:path;)* }
    ) => {
        $(cryptoki!(@symbol $who $name($($argument: $type),*) => $path);)*
        $(cryptoki!(@symbol $who_30 $name_30($($argument_30: $type_30),*) => $path_30);)*
        $(cryptoki!(@symbol $who_32 $name_32($($argument_32: $type_32),*) => $path_32);)*

        /// The functions of 2.40.
        pub(super) static V2_40: CK_FUNCTION_LIST = CK_FUNCTION_LIST {
            version: VERSION_2_40,
            $($name: Some($name),)*
        };
        /// The functions of 3.0.
        pub(super) static V3_0: CK_FUNCTION_LIST_3_0 = {
            let mut list = CK_FUNCTION_LIST_3_0 {
                version: VERSION_3_0,
                $($name: Some($name),)*
                $($name_30: Some($name_30),)*
            };
            list.C_GetInfo = Some(info_3_0);
            list
        };
        /// The functions of 3.2.
        pub(super) static V3_2: CK_FUNCTION_LIST_3_2 = {
            let mut list = CK_FUNCTION_LIST_3_2 {
                version: VERSION_3_2,
                $($name: Some($name),)*
                $($name_30: Some($name_30),)*
                $($name_32: Some($name_32),)*
            };
            list.C_GetInfo = Some(info_3_2);
            list
        };
        /// Every function, for the docs.
        #[cfg_attr(not(test), expect(dead_code, reason = "read by the test that writes the docs' table"))]
        pub(super) static ROWS: &[Row] = &[
            $(Row { name: stringify!($name), since: "2.40", availability: cryptoki!(@who $who) },)*
            $(Row { name: stringify!($name_30), since: "3.0", availability: cryptoki!(@who $who_30) },)*
            $(Row { name: stringify!($name_32), since: "3.2", availability: cryptoki!(@who $who_32) },)*
        ];
    };
    (@who bare) => { Availability::Library };
    (@who library) => { Availability::Library };
    (@who extension) => { Availability::Extension };
    (@who attributes) => { Availability::Attributes };
    (@who everything) => { Availability::Everything };
    (@who missing) => { Availability::Missing };

    (@symbol bare $name:ident($($argument:ident: $type:ty),*) => $path:path) => {
        #[allow(non_snake_case, reason = "the standard's names")]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
            let arguments = || [$(Argument::new(stringify!($argument), stringify!($type), $argument)),*];
            // SAFETY: the caller of a C function answers for its pointers (see the module `abi`).
            call::bare(stringify!($name), arguments, || unsafe { $path($($argument),*) })
        }
    };
    (@symbol missing $name:ident($($argument:ident: $type:ty),*) => $path:path) => {
        #[allow(non_snake_case, reason = "the standard's name")]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($(_: $type),*) -> CK_RV {
            call::library(stringify!($name), true, || [], |_| $path())
        }
    };
    (@symbol $who:ident $name:ident($($argument:ident: $type:ty),*) => $path:path) => {
        #[allow(non_snake_case, reason = "the standard's names")]
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> CK_RV {
            let arguments = || [$(Argument::new(stringify!($argument), stringify!($type), $argument)),*];
            call::library(stringify!($name), const { call::is_quick(stringify!($name)) }, arguments, |library| {
                cryptoki!(@check $who library);
                // SAFETY: the caller of a C function answers for its pointers (see the module `abi`).
                unsafe { $path(library, $($argument),*) }
            })
        }
    };
    (@check library $library:ident) => {};
    (@check extension $library:ident) => {
        if !$library.dialect()?.extensions {
            return nothing();
        }
    };
    (@check attributes $library:ident) => {
        let dialect = $library.dialect()?;
        if !dialect.extensions && !dialect.certificate_storage {
            return nothing();
        }
    };
    (@check everything $library:ident) => {
        if !$library.dialect()?.everything {
            return nothing();
        }
    };
}

const VERSION_2_40: CK_VERSION = CK_VERSION { major: 2, minor: 40 };
const VERSION_3_0: CK_VERSION = CK_VERSION { major: 3, minor: 0 };
const VERSION_3_2: CK_VERSION = CK_VERSION { major: 3, minor: 2 };

/// C_GetInfo tells the version of the interface, so each list has one of its own; the symbol is that of 2.40.
macro_rules! information {
    ($name:ident, $version:expr) => {
        #[allow(non_snake_case, reason = "the standard's name")]
        unsafe extern "C" fn $name(pInfo: *mut CK_INFO) -> CK_RV {
            let arguments = || [Argument::new("pInfo", "*mut CK_INFO", pInfo)];
            // SAFETY: the caller of a C function answers for its pointers (see the module `abi`).
            call::library("C_GetInfo", false, arguments, |library| unsafe { slots::info(library, pInfo, $version) })
        }
    };
}
information!(info_3_0, VERSION_3_0);
information!(info_3_2, VERSION_3_2);

/// C_GetInfo of 2.40.
unsafe fn info_2_40(library: &Library, information: *mut CK_INFO) -> Result<()> {
    // SAFETY: passed on.
    unsafe { slots::info(library, information, VERSION_2_40) }
}

/// What a function that is not there answers.
const fn nothing() -> Result<()> {
    Err(Error::new(CKR_FUNCTION_NOT_SUPPORTED, "the function is not supported in this profile"))
}

cryptoki! {
    v2_40 {
        bare       C_Initialize(pInitArgs: *mut c_void) => lifecycle::initialize;
        bare       C_Finalize(pReserved: *mut c_void) => lifecycle::finalize;
        library    C_GetInfo(pInfo: *mut CK_INFO) => info_2_40;
        bare       C_GetFunctionList(ppFunctionList: *mut *mut CK_FUNCTION_LIST) => interfaces::function_list;
        library    C_GetSlotList(tokenPresent: CK_BBOOL, pSlotList: *mut CK_SLOT_ID, pulCount: *mut CK_ULONG) => slots::list;
        library    C_GetSlotInfo(slotID: CK_SLOT_ID, pInfo: *mut CK_SLOT_INFO) => slots::slot_info;
        library    C_GetTokenInfo(slotID: CK_SLOT_ID, pInfo: *mut CK_TOKEN_INFO) => slots::token_info;
        library    C_GetMechanismList(slotID: CK_SLOT_ID, pMechanismList: *mut CK_MECHANISM_TYPE, pulCount: *mut CK_ULONG) => slots::mechanisms;
        library    C_GetMechanismInfo(slotID: CK_SLOT_ID, type_: CK_MECHANISM_TYPE, pInfo: *mut CK_MECHANISM_INFO) => slots::mechanism_info;
        extension  C_InitToken(slotID: CK_SLOT_ID, pPin: *mut CK_UTF8CHAR, ulPinLen: CK_ULONG, pLabel: *mut CK_UTF8CHAR) => users::init_token;
        extension  C_InitPIN(hSession: CK_SESSION_HANDLE, pPin: *mut CK_UTF8CHAR, ulPinLen: CK_ULONG) => users::init_pin;
        extension  C_SetPIN(hSession: CK_SESSION_HANDLE, pOldPin: *mut CK_UTF8CHAR, ulOldLen: CK_ULONG, pNewPin: *mut CK_UTF8CHAR, ulNewLen: CK_ULONG) => users::set_pin;
        library    C_OpenSession(slotID: CK_SLOT_ID, flags: CK_FLAGS, pApplication: *mut c_void, Notify: CK_NOTIFY, phSession: *mut CK_SESSION_HANDLE) => sessions::open;
        library    C_CloseSession(hSession: CK_SESSION_HANDLE) => sessions::close;
        library    C_CloseAllSessions(slotID: CK_SLOT_ID) => sessions::close_all;
        library    C_GetSessionInfo(hSession: CK_SESSION_HANDLE, pInfo: *mut CK_SESSION_INFO) => sessions::info;
        missing    C_GetOperationState(a: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: *mut CK_ULONG) => nothing;
        missing    C_SetOperationState(a: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: CK_OBJECT_HANDLE, e: CK_OBJECT_HANDLE) => nothing;
        library    C_Login(hSession: CK_SESSION_HANDLE, userType: CK_USER_TYPE, pPin: *mut CK_UTF8CHAR, ulPinLen: CK_ULONG) => users::login;
        library    C_Logout(hSession: CK_SESSION_HANDLE) => users::logout;
        library    C_CreateObject(hSession: CK_SESSION_HANDLE, pTemplate: *mut CK_ATTRIBUTE, ulCount: CK_ULONG, phObject: *mut CK_OBJECT_HANDLE) => objects::create;
        extension  C_CopyObject(hSession: CK_SESSION_HANDLE, hObject: CK_OBJECT_HANDLE, pTemplate: *mut CK_ATTRIBUTE, ulCount: CK_ULONG, phNewObject: *mut CK_OBJECT_HANDLE) => objects::copy;
        library    C_DestroyObject(hSession: CK_SESSION_HANDLE, hObject: CK_OBJECT_HANDLE) => objects::destroy;
        extension  C_GetObjectSize(hSession: CK_SESSION_HANDLE, hObject: CK_OBJECT_HANDLE, pulSize: *mut CK_ULONG) => objects::size;
        library    C_GetAttributeValue(hSession: CK_SESSION_HANDLE, hObject: CK_OBJECT_HANDLE, pTemplate: *mut CK_ATTRIBUTE, ulCount: CK_ULONG) => objects::get_attributes;
        attributes C_SetAttributeValue(hSession: CK_SESSION_HANDLE, hObject: CK_OBJECT_HANDLE, pTemplate: *mut CK_ATTRIBUTE, ulCount: CK_ULONG) => objects::set_attributes;
        library    C_FindObjectsInit(hSession: CK_SESSION_HANDLE, pTemplate: *mut CK_ATTRIBUTE, ulCount: CK_ULONG) => objects::find_init;
        library    C_FindObjects(hSession: CK_SESSION_HANDLE, phObject: *mut CK_OBJECT_HANDLE, ulMaxObjectCount: CK_ULONG, pulObjectCount: *mut CK_ULONG) => objects::find;
        library    C_FindObjectsFinal(hSession: CK_SESSION_HANDLE) => objects::find_final;
        library    C_EncryptInit(hSession: CK_SESSION_HANDLE, pMechanism: *mut CK_MECHANISM, hKey: CK_OBJECT_HANDLE) => cipher::encrypt_init;
        library    C_Encrypt(hSession: CK_SESSION_HANDLE, pData: *mut CK_BYTE, ulDataLen: CK_ULONG, pEncryptedData: *mut CK_BYTE, pulEncryptedDataLen: *mut CK_ULONG) => cipher::encrypt;
        library    C_EncryptUpdate(hSession: CK_SESSION_HANDLE, pPart: *mut CK_BYTE, ulPartLen: CK_ULONG, pEncryptedPart: *mut CK_BYTE, pulEncryptedPartLen: *mut CK_ULONG) => cipher::encrypt_update;
        library    C_EncryptFinal(hSession: CK_SESSION_HANDLE, pLastEncryptedPart: *mut CK_BYTE, pulLastEncryptedPartLen: *mut CK_ULONG) => cipher::encrypt_final;
        library    C_DecryptInit(hSession: CK_SESSION_HANDLE, pMechanism: *mut CK_MECHANISM, hKey: CK_OBJECT_HANDLE) => cipher::decrypt_init;
        library    C_Decrypt(hSession: CK_SESSION_HANDLE, pEncryptedData: *mut CK_BYTE, ulEncryptedDataLen: CK_ULONG, pData: *mut CK_BYTE, pulDataLen: *mut CK_ULONG) => cipher::decrypt;
        library    C_DecryptUpdate(hSession: CK_SESSION_HANDLE, pEncryptedPart: *mut CK_BYTE, ulEncryptedPartLen: CK_ULONG, pPart: *mut CK_BYTE, pulPartLen: *mut CK_ULONG) => cipher::decrypt_update;
        library    C_DecryptFinal(hSession: CK_SESSION_HANDLE, pLastPart: *mut CK_BYTE, pulLastPartLen: *mut CK_ULONG) => cipher::decrypt_final;
        library    C_DigestInit(hSession: CK_SESSION_HANDLE, pMechanism: *mut CK_MECHANISM) => digest::init;
        library    C_Digest(hSession: CK_SESSION_HANDLE, pData: *mut CK_BYTE, ulDataLen: CK_ULONG, pDigest: *mut CK_BYTE, pulDigestLen: *mut CK_ULONG) => digest::digest;
        library    C_DigestUpdate(hSession: CK_SESSION_HANDLE, pPart: *mut CK_BYTE, ulPartLen: CK_ULONG) => digest::update;
        missing    C_DigestKey(a: CK_SESSION_HANDLE, b: CK_OBJECT_HANDLE) => nothing;
        library    C_DigestFinal(hSession: CK_SESSION_HANDLE, pDigest: *mut CK_BYTE, pulDigestLen: *mut CK_ULONG) => digest::finish;
        library    C_SignInit(hSession: CK_SESSION_HANDLE, pMechanism: *mut CK_MECHANISM, hKey: CK_OBJECT_HANDLE) => sign::sign_init;
        library    C_Sign(hSession: CK_SESSION_HANDLE, pData: *mut CK_BYTE, ulDataLen: CK_ULONG, pSignature: *mut CK_BYTE, pulSignatureLen: *mut CK_ULONG) => sign::sign;
        library    C_SignUpdate(hSession: CK_SESSION_HANDLE, pPart: *mut CK_BYTE, ulPartLen: CK_ULONG) => sign::sign_update;
        library    C_SignFinal(hSession: CK_SESSION_HANDLE, pSignature: *mut CK_BYTE, pulSignatureLen: *mut CK_ULONG) => sign::sign_final;
        missing    C_SignRecoverInit(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE) => nothing;
        missing    C_SignRecover(a: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG) => nothing;
        library    C_VerifyInit(hSession: CK_SESSION_HANDLE, pMechanism: *mut CK_MECHANISM, hKey: CK_OBJECT_HANDLE) => sign::verify_init;
        library    C_Verify(hSession: CK_SESSION_HANDLE, pData: *mut CK_BYTE, ulDataLen: CK_ULONG, pSignature: *mut CK_BYTE, ulSignatureLen: CK_ULONG) => sign::verify;
        library    C_VerifyUpdate(hSession: CK_SESSION_HANDLE, pPart: *mut CK_BYTE, ulPartLen: CK_ULONG) => sign::verify_update;
        library    C_VerifyFinal(hSession: CK_SESSION_HANDLE, pSignature: *mut CK_BYTE, ulSignatureLen: CK_ULONG) => sign::verify_final;
        missing    C_VerifyRecoverInit(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE) => nothing;
        missing    C_VerifyRecover(a: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG) => nothing;
        missing    C_DigestEncryptUpdate(a: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG) => nothing;
        missing    C_DecryptDigestUpdate(a: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG) => nothing;
        missing    C_SignEncryptUpdate(a: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG) => nothing;
        missing    C_DecryptVerifyUpdate(a: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG, d: *mut CK_BYTE, e: *mut CK_ULONG) => nothing;
        library    C_GenerateKey(hSession: CK_SESSION_HANDLE, pMechanism: *mut CK_MECHANISM, pTemplate: *mut CK_ATTRIBUTE, ulCount: CK_ULONG, phKey: *mut CK_OBJECT_HANDLE) => objects::generate_key;
        library    C_GenerateKeyPair(hSession: CK_SESSION_HANDLE, pMechanism: *mut CK_MECHANISM, pPublicKeyTemplate: *mut CK_ATTRIBUTE, ulPublicKeyAttributeCount: CK_ULONG, pPrivateKeyTemplate: *mut CK_ATTRIBUTE, ulPrivateKeyAttributeCount: CK_ULONG, phPublicKey: *mut CK_OBJECT_HANDLE, phPrivateKey: *mut CK_OBJECT_HANDLE) => objects::generate_key_pair;
        library    C_WrapKey(hSession: CK_SESSION_HANDLE, pMechanism: *mut CK_MECHANISM, hWrappingKey: CK_OBJECT_HANDLE, hKey: CK_OBJECT_HANDLE, pWrappedKey: *mut CK_BYTE, pulWrappedKeyLen: *mut CK_ULONG) => transport::wrap;
        library    C_UnwrapKey(hSession: CK_SESSION_HANDLE, pMechanism: *mut CK_MECHANISM, hUnwrappingKey: CK_OBJECT_HANDLE, pWrappedKey: *mut CK_BYTE, ulWrappedKeyLen: CK_ULONG, pTemplate: *mut CK_ATTRIBUTE, ulAttributeCount: CK_ULONG, phKey: *mut CK_OBJECT_HANDLE) => transport::unwrap;
        library    C_DeriveKey(hSession: CK_SESSION_HANDLE, pMechanism: *mut CK_MECHANISM, hBaseKey: CK_OBJECT_HANDLE, pTemplate: *mut CK_ATTRIBUTE, ulAttributeCount: CK_ULONG, phKey: *mut CK_OBJECT_HANDLE) => transport::derive;
        extension  C_SeedRandom(hSession: CK_SESSION_HANDLE, pSeed: *mut CK_BYTE, ulSeedLen: CK_ULONG) => digest::seed_random;
        library    C_GenerateRandom(hSession: CK_SESSION_HANDLE, pRandomData: *mut CK_BYTE, ulRandomLen: CK_ULONG) => digest::generate_random;
        everything C_GetFunctionStatus(hSession: CK_SESSION_HANDLE) => sessions::not_parallel;
        everything C_CancelFunction(hSession: CK_SESSION_HANDLE) => sessions::not_parallel;
        everything C_WaitForSlotEvent(flags: CK_FLAGS, pSlot: *mut CK_SLOT_ID, pReserved: *mut c_void) => slots::wait_for_event;
    }
    v3_0 {
        bare       C_GetInterfaceList(pInterfacesList: *mut CK_INTERFACE, pulCount: *mut CK_ULONG) => interfaces::interface_list;
        bare       C_GetInterface(pInterfaceName: *mut CK_UTF8CHAR, pVersion: *mut CK_VERSION, ppInterface: *mut *mut CK_INTERFACE, flags: CK_FLAGS) => interfaces::interface_by;
        everything C_LoginUser(hSession: CK_SESSION_HANDLE, userType: CK_USER_TYPE, pPin: *mut CK_UTF8CHAR, ulPinLen: CK_ULONG, pUsername: *mut CK_UTF8CHAR, ulUsernameLen: CK_ULONG) => users::login_user;
        everything C_SessionCancel(hSession: CK_SESSION_HANDLE, flags: CK_FLAGS) => sessions::cancel;
        missing    C_MessageEncryptInit(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE) => nothing;
        missing    C_EncryptMessage(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG, f: *mut CK_BYTE, g: CK_ULONG, h: *mut CK_BYTE, i: *mut CK_ULONG) => nothing;
        missing    C_EncryptMessageBegin(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG) => nothing;
        missing    C_EncryptMessageNext(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG, f: *mut CK_BYTE, g: *mut CK_ULONG, h: CK_FLAGS) => nothing;
        missing    C_MessageEncryptFinal(a: CK_SESSION_HANDLE) => nothing;
        missing    C_MessageDecryptInit(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE) => nothing;
        missing    C_DecryptMessage(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG, f: *mut CK_BYTE, g: CK_ULONG, h: *mut CK_BYTE, i: *mut CK_ULONG) => nothing;
        missing    C_DecryptMessageBegin(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG) => nothing;
        missing    C_DecryptMessageNext(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG, f: *mut CK_BYTE, g: *mut CK_ULONG, h: CK_FLAGS) => nothing;
        missing    C_MessageDecryptFinal(a: CK_SESSION_HANDLE) => nothing;
        missing    C_MessageSignInit(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE) => nothing;
        missing    C_SignMessage(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG, f: *mut CK_BYTE, g: *mut CK_ULONG) => nothing;
        missing    C_SignMessageBegin(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG) => nothing;
        missing    C_SignMessageNext(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG, f: *mut CK_BYTE, g: *mut CK_ULONG) => nothing;
        missing    C_MessageSignFinal(a: CK_SESSION_HANDLE) => nothing;
        missing    C_MessageVerifyInit(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE) => nothing;
        missing    C_VerifyMessage(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG, f: *mut CK_BYTE, g: CK_ULONG) => nothing;
        missing    C_VerifyMessageBegin(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG) => nothing;
        missing    C_VerifyMessageNext(a: CK_SESSION_HANDLE, b: *mut c_void, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG, f: *mut CK_BYTE, g: CK_ULONG) => nothing;
        missing    C_MessageVerifyFinal(a: CK_SESSION_HANDLE) => nothing;
    }
    v3_2 {
        missing    C_EncapsulateKey(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE, d: *mut CK_ATTRIBUTE, e: CK_ULONG, f: *mut CK_BYTE, g: *mut CK_ULONG, h: *mut CK_OBJECT_HANDLE) => nothing;
        missing    C_DecapsulateKey(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE, d: *mut CK_ATTRIBUTE, e: CK_ULONG, f: *mut CK_BYTE, g: CK_ULONG, h: *mut CK_OBJECT_HANDLE) => nothing;
        missing    C_VerifySignatureInit(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE, d: *mut CK_BYTE, e: CK_ULONG) => nothing;
        missing    C_VerifySignature(a: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG) => nothing;
        missing    C_VerifySignatureUpdate(a: CK_SESSION_HANDLE, b: *mut CK_BYTE, c: CK_ULONG) => nothing;
        missing    C_VerifySignatureFinal(a: CK_SESSION_HANDLE) => nothing;
        missing    C_GetSessionValidationFlags(a: CK_SESSION_HANDLE, b: CK_SESSION_VALIDATION_FLAGS_TYPE, c: *mut CK_FLAGS) => nothing;
        missing    C_AsyncComplete(a: CK_SESSION_HANDLE, b: *mut CK_UTF8CHAR, c: *mut CK_ASYNC_DATA) => nothing;
        missing    C_AsyncGetID(a: CK_SESSION_HANDLE, b: *mut CK_UTF8CHAR, c: *mut CK_ULONG) => nothing;
        missing    C_AsyncJoin(a: CK_SESSION_HANDLE, b: *mut CK_UTF8CHAR, c: CK_ULONG, d: *mut CK_BYTE, e: CK_ULONG) => nothing;
        missing    C_WrapKeyAuthenticated(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE, d: CK_OBJECT_HANDLE, e: *mut CK_BYTE, f: CK_ULONG, g: *mut CK_BYTE, h: *mut CK_ULONG) => nothing;
        missing    C_UnwrapKeyAuthenticated(a: CK_SESSION_HANDLE, b: *mut CK_MECHANISM, c: CK_OBJECT_HANDLE, d: *mut CK_BYTE, e: CK_ULONG, f: *mut CK_ATTRIBUTE, g: CK_ULONG, h: *mut CK_BYTE, i: CK_ULONG, j: *mut CK_OBJECT_HANDLE) => nothing;
    }
}
