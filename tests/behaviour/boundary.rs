//! The C boundary: symbols, function lists, C_Initialize, functions that are not there.

use std::ffi::{CStr, c_void};
use std::ptr;

use crate::support::*;

/// The functions of PKCS#11 2.40, in the order of its function list (2.40 base specification, section 5).
pub(super) const V2_40: [&str; 68] = [
    "C_Initialize",
    "C_Finalize",
    "C_GetInfo",
    "C_GetFunctionList",
    "C_GetSlotList",
    "C_GetSlotInfo",
    "C_GetTokenInfo",
    "C_GetMechanismList",
    "C_GetMechanismInfo",
    "C_InitToken",
    "C_InitPIN",
    "C_SetPIN",
    "C_OpenSession",
    "C_CloseSession",
    "C_CloseAllSessions",
    "C_GetSessionInfo",
    "C_GetOperationState",
    "C_SetOperationState",
    "C_Login",
    "C_Logout",
    "C_CreateObject",
    "C_CopyObject",
    "C_DestroyObject",
    "C_GetObjectSize",
    "C_GetAttributeValue",
    "C_SetAttributeValue",
    "C_FindObjectsInit",
    "C_FindObjects",
    "C_FindObjectsFinal",
    "C_EncryptInit",
    "C_Encrypt",
    "C_EncryptUpdate",
    "C_EncryptFinal",
    "C_DecryptInit",
    "C_Decrypt",
    "C_DecryptUpdate",
    "C_DecryptFinal",
    "C_DigestInit",
    "C_Digest",
    "C_DigestUpdate",
    "C_DigestKey",
    "C_DigestFinal",
    "C_SignInit",
    "C_Sign",
    "C_SignUpdate",
    "C_SignFinal",
    "C_SignRecoverInit",
    "C_SignRecover",
    "C_VerifyInit",
    "C_Verify",
    "C_VerifyUpdate",
    "C_VerifyFinal",
    "C_VerifyRecoverInit",
    "C_VerifyRecover",
    "C_DigestEncryptUpdate",
    "C_DecryptDigestUpdate",
    "C_SignEncryptUpdate",
    "C_DecryptVerifyUpdate",
    "C_GenerateKey",
    "C_GenerateKeyPair",
    "C_WrapKey",
    "C_UnwrapKey",
    "C_DeriveKey",
    "C_SeedRandom",
    "C_GenerateRandom",
    "C_GetFunctionStatus",
    "C_CancelFunction",
    "C_WaitForSlotEvent",
];

/// The pointers of a function list, behind its version.
fn pointers(list: *const c_void, count: usize) -> Vec<*const c_void> {
    // SAFETY: a function list is a version, padded to a pointer, and its pointers.
    (1..=count).map(|at| unsafe { list.cast::<*const c_void>().add(at).read() }).collect()
}

fn version(list: *const c_void) -> (u8, u8) {
    // SAFETY: a function list begins with its version.
    let version = unsafe { list.cast::<CK_VERSION>().read() };
    (version.major, version.minor)
}

/// PKCS#11 3.2 section 5.4.3: the list of 2.40 holds every function; each is exported as a symbol too, and is the same.
#[test]
fn every_function_is_exported_and_listed() {
    isolated(|| {
        let list = ptr::from_ref(functions()).cast();
        assert_eq!(version(list), (2, 40));
        for (name, listed) in V2_40.iter().zip(pointers(list, V2_40.len())) {
            // SAFETY: only the address is looked at.
            let symbol = unsafe { library().get::<*const c_void>(name.as_bytes()) };
            let symbol = *symbol.unwrap_or_else(|_| panic!("{name} is not exported"));
            assert_eq!(symbol, listed, "{name} stands in its place of the list");
        }
    });
}

fn interfaces() -> Vec<CK_INTERFACE> {
    type List = unsafe extern "C" fn(*mut CK_INTERFACE, *mut CK_ULONG) -> CK_RV;
    // SAFETY: the type is the standard's.
    let list = unsafe { library().get::<List>(b"C_GetInterfaceList") }.expect("C_GetInterfaceList is exported");
    let mut count = 0;
    // SAFETY: a query of the count.
    assert_eq!(unsafe { list(ptr::null_mut(), &raw mut count) }, CKR_OK);
    let blank = CK_INTERFACE { pInterfaceName: ptr::null_mut(), pFunctionList: ptr::null_mut(), flags: 0 };
    let mut found = vec![blank; count as usize];
    if count > 1 {
        let mut less = count - 1;
        // SAFETY: room for one less.
        assert_eq!(unsafe { list(found.as_mut_ptr(), &raw mut less) }, CKR_BUFFER_TOO_SMALL);
        assert_eq!(less, count);
    }
    // SAFETY: room for all.
    assert_eq!(unsafe { list(found.as_mut_ptr(), &raw mut count) }, CKR_OK);
    // SAFETY: no count at all.
    assert_eq!(unsafe { list(found.as_mut_ptr(), ptr::null_mut()) }, CKR_ARGUMENTS_BAD);
    found
}

fn interface(name: Option<&CStr>, wanted: Option<(u8, u8)>, flags: CK_FLAGS) -> Answer<(u8, u8)> {
    type Get = unsafe extern "C" fn(*mut CK_UTF8CHAR, *mut CK_VERSION, *mut *mut CK_INTERFACE, CK_FLAGS) -> CK_RV;
    // SAFETY: the type is the standard's.
    let get = unsafe { library().get::<Get>(b"C_GetInterface") }.expect("C_GetInterface is exported");
    let mut wanted = wanted.map(|(major, minor)| CK_VERSION { major, minor });
    let mut found = ptr::null_mut();
    let name = name.map_or(ptr::null(), CStr::as_ptr);
    let place = wanted.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: a string that ends, a version or NULL, a place for the answer.
    answer(unsafe { get(name.cast_mut().cast(), place, &raw mut found, flags) })?;
    // SAFETY: the library's own statics.
    Ok(version(unsafe { &*found }.pFunctionList))
}

/// PKCS#11 3.2 sections 5.4.5 and 5.4.6: both work before C_Initialize; the default interface is the newest.
#[test]
fn interfaces_of_240_30_and_32() {
    isolated(|| {
        let mut versions: Vec<_> = interfaces()
            .iter()
            .map(|interface| {
                // SAFETY: a string of the library's.
                assert_eq!(unsafe { CStr::from_ptr(interface.pInterfaceName.cast()) }, c"PKCS 11");
                version(interface.pFunctionList)
            })
            .collect();
        versions.sort_unstable();
        assert_eq!(versions, [(2, 40), (3, 0), (3, 2)]);
        assert_eq!(interface(None, None, 0), Ok((3, 2)));
        assert_eq!(interface(Some(c"PKCS 11"), None, 0), Ok((3, 2)));
        for wanted in [(2, 40), (3, 0), (3, 2)] {
            assert_eq!(interface(Some(c"PKCS 11"), Some(wanted), 0), Ok(wanted));
        }
        // Of the codes of C_GetInterface the one that p11-kit gives for what is not there, and that suites expect.
        assert_eq!(interface(Some(c"PKCS 11"), Some((9, 9)), 0), code(CKR_ARGUMENTS_BAD));
        assert_eq!(interface(Some(c"Vendor X"), None, 0), code(CKR_ARGUMENTS_BAD));
        assert_eq!(interface(None, None, 1 << 40), code(CKR_ARGUMENTS_BAD), "flags that no interface has");
        // The newer lists begin with the functions of 2.40; C_GetInfo alone knows which list it stands in.
        let own = pointers(ptr::from_ref(functions()).cast(), V2_40.len());
        let information = V2_40.iter().position(|name| *name == "C_GetInfo").unwrap();
        for interface in interfaces() {
            let mut listed = pointers(interface.pFunctionList, V2_40.len());
            listed[information] = own[information];
            assert_eq!(listed, own, "{:?}", version(interface.pFunctionList));
        }
        // 24 functions more in 3.0, and 11 (C_EncapsulateKey to C_UnwrapKeyAuthenticated) in 3.2: none is NULL.
        for (minor, count) in
            [(0, 92), (2, 92 + (size_of::<CK_FUNCTION_LIST_3_2>() - size_of::<CK_FUNCTION_LIST_3_0>()) / 8)]
        {
            let list = interfaces().into_iter().find(|entry| version(entry.pFunctionList) == (3, minor)).unwrap();
            assert!(pointers(list.pFunctionList, count).iter().all(|pointer| !pointer.is_null()));
        }
    });
}

/// `strict` is AWS's library: 2.40 alone.
#[test]
fn strict_has_only_240() {
    isolated_strict(|| {
        let versions: Vec<_> = interfaces().iter().map(|interface| version(interface.pFunctionList)).collect();
        assert_eq!(versions, [(2, 40)]);
        assert_eq!(interface(Some(c"PKCS 11"), Some((3, 0)), 0), code(CKR_ARGUMENTS_BAD));
    });
}

/// PKCS#11 3.2 section 5.4: everything but C_Initialize and the function lists needs C_Initialize.
#[test]
fn nothing_works_before_initialize() {
    isolated(|| {
        let list = pointers(ptr::from_ref(functions()).cast(), V2_40.len());
        for (name, function) in V2_40.iter().zip(list) {
            if ["C_Initialize", "C_GetFunctionList"].contains(name) {
                continue;
            }
            // The arguments are in registers and on the stack; a function that is not initialized looks at none.
            type Any = unsafe extern "C" fn(
                CK_ULONG,
                CK_ULONG,
                CK_ULONG,
                CK_ULONG,
                CK_ULONG,
                CK_ULONG,
                CK_ULONG,
                CK_ULONG,
            ) -> CK_RV;
            // SAFETY: more arguments than a C function takes do no harm on the platforms built for.
            let rv = unsafe { std::mem::transmute::<*const c_void, Any>(function)(0, 0, 0, 0, 0, 0, 0, 0) };
            assert_eq!(Rv(rv), Rv(CKR_CRYPTOKI_NOT_INITIALIZED), "{name}");
        }
        initialize().unwrap();
        finalize().unwrap();
        assert_eq!(finalize(), code(CKR_CRYPTOKI_NOT_INITIALIZED));
        assert_eq!(Session::open_with(CKF_SERIAL_SESSION), code(CKR_CRYPTOKI_NOT_INITIALIZED));
    });
}

extern "C" fn make_mutex(_: *mut *mut c_void) -> CK_RV {
    CKR_OK
}
extern "C" fn use_mutex(_: *mut c_void) -> CK_RV {
    CKR_OK
}

/// PKCS#11 3.2 section 5.4.1.
#[test]
fn initialize_checks_its_arguments() {
    isolated(|| {
        let start = |edit: fn(&mut CK_C_INITIALIZE_ARGS)| {
            let mut arguments = CK_C_INITIALIZE_ARGS::default();
            edit(&mut arguments);
            let started = answer(call!(C_Initialize(ptr::from_mut(&mut arguments).cast())));
            if started.is_ok() {
                let again = answer(call!(C_Initialize(ptr::from_mut(&mut arguments).cast())));
                assert_eq!(again, code(CKR_CRYPTOKI_ALREADY_INITIALIZED));
                finalize().unwrap();
            }
            started
        };
        assert_eq!(start(|_| {}), Ok(()));
        assert_eq!(start(|a| a.flags = CKF_OS_LOCKING_OK), Ok(()));
        assert_eq!(start(|a| a.flags = CKF_LIBRARY_CANT_CREATE_OS_THREADS), Ok(()), "it never makes a thread");
        assert_eq!(start(|a| a.pReserved = ptr::dangling_mut()), code(CKR_ARGUMENTS_BAD));
        // Some of the four mutex functions, but not all.
        assert_eq!(start(|a| a.CreateMutex = Some(make_mutex)), code(CKR_ARGUMENTS_BAD));
        assert_eq!(start(|a| a.UnlockMutex = Some(use_mutex)), code(CKR_ARGUMENTS_BAD));
        fn four(a: &mut CK_C_INITIALIZE_ARGS) {
            a.CreateMutex = Some(make_mutex);
            a.DestroyMutex = Some(use_mutex);
            a.LockMutex = Some(use_mutex);
            a.UnlockMutex = Some(use_mutex);
        }
        // The caller's mutexes alone cannot be served; with the system's allowed too, those are taken.
        assert_eq!(start(four), code(CKR_CANT_LOCK));
        assert_eq!(
            start(|a| {
                four(a);
                a.flags = CKF_OS_LOCKING_OK;
            }),
            Ok(())
        );
        initialize().unwrap();
        assert_eq!(initialize(), code(CKR_CRYPTOKI_ALREADY_INITIALIZED));
        // Section 5.4.2: pReserved of C_Finalize must be NULL, and then nothing is finalized.
        assert_eq!(answer(call!(C_Finalize(ptr::dangling_mut()))), code(CKR_ARGUMENTS_BAD));
        finalize().unwrap();
    });
}

/// User Guide, pkcs11-apis: what is not in AWS's list is CKR_FUNCTION_NOT_SUPPORTED; `cloudhsm` has extensions.
#[test]
fn functions_that_cloudhsm_has_not() {
    isolated(|| {
        let session = hsm();
        let key = session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
        for rv in unsupported_anywhere(session.0, key) {
            assert_eq!(Rv(rv), Rv(CKR_FUNCTION_NOT_SUPPORTED));
        }
        // Extensions of `cloudhsm`.
        let mut size = 0;
        assert_eq!(Rv(call!(C_GetObjectSize(session.0, key, &raw mut size))), Rv(CKR_OK));
        assert!(size > 0);
        let mut seed = [7; 16];
        assert_eq!(Rv(call!(C_SeedRandom(session.0, seed.as_mut_ptr(), 16))), Rv(CKR_OK));
    });
}

/// The same in `strict`, where the extensions are not there either.
#[test]
fn functions_that_strict_has_not() {
    isolated_strict(|| {
        initialize().unwrap();
        let session = Session::open();
        for rv in unsupported_anywhere(session.0, 1) {
            assert_eq!(Rv(rv), Rv(CKR_FUNCTION_NOT_SUPPORTED));
        }
        let mut handle = 0;
        let mut byte = [b' '; 32];
        let none = ptr::null_mut();
        for rv in [
            call!(C_InitToken(SLOT, byte.as_mut_ptr(), 8, byte.as_mut_ptr())),
            call!(C_InitPIN(session.0, byte.as_mut_ptr(), 8)),
            call!(C_SetPIN(session.0, byte.as_mut_ptr(), 8, byte.as_mut_ptr(), 8)),
            call!(C_CopyObject(session.0, 1, none, 0, &raw mut handle)),
            call!(C_GetObjectSize(session.0, 1, &raw mut handle)),
            call!(C_SetAttributeValue(session.0, 1, none, 0)),
            call!(C_SeedRandom(session.0, byte.as_mut_ptr(), 8)),
        ] {
            assert_eq!(Rv(rv), Rv(CKR_FUNCTION_NOT_SUPPORTED));
        }
        // CKU_SO is no user type of AWS's library.
        assert_eq!(session.login_as(CKU_SO, OFFICER), code(CKR_USER_TYPE_INVALID));
    });
}

/// Design: never in `cloudhsm` are C_DigestKey, operation state, recovery and the dual-function calls.
fn unsupported_anywhere(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) -> Vec<CK_RV> {
    let mut bytes = [0; 64];
    let mut length = 64;
    let mut mechanism = Mechanism::new(CKM_RSA_PKCS);
    let (b, l, m) = (bytes.as_mut_ptr(), &raw mut length, mechanism.raw());
    vec![
        call!(C_GetOperationState(session, b, l)),
        call!(C_SetOperationState(session, b, 8, 0, 0)),
        call!(C_DigestKey(session, key)),
        call!(C_SignRecoverInit(session, m, key)),
        call!(C_SignRecover(session, b, 8, b, l)),
        call!(C_VerifyRecoverInit(session, m, key)),
        call!(C_VerifyRecover(session, b, 8, b, l)),
        call!(C_DigestEncryptUpdate(session, b, 8, b, l)),
        call!(C_DecryptDigestUpdate(session, b, 8, b, l)),
        call!(C_SignEncryptUpdate(session, b, 8, b, l)),
        call!(C_DecryptVerifyUpdate(session, b, 8, b, l)),
        call!(C_GetFunctionStatus(session)),
        call!(C_CancelFunction(session)),
        call!(C_WaitForSlotEvent(CKF_DONT_BLOCK, l, ptr::null_mut())),
    ]
}

/// PKCS#11 3.2 section 5.21: the relics of parallel functions, and slot events, of which there are none.
#[test]
fn relics_in_standard() {
    isolated_standard(|| {
        initialize().unwrap();
        let session = Session::open();
        assert_eq!(Rv(call!(C_GetFunctionStatus(session.0))), Rv(CKR_FUNCTION_NOT_PARALLEL));
        assert_eq!(Rv(call!(C_CancelFunction(session.0))), Rv(CKR_FUNCTION_NOT_PARALLEL));
        assert_eq!(Rv(call!(C_GetFunctionStatus(0))), Rv(CKR_SESSION_HANDLE_INVALID));
        let mut slot = 0;
        let event = Rv(call!(C_WaitForSlotEvent(CKF_DONT_BLOCK, &raw mut slot, ptr::null_mut())));
        assert!([CKR_NO_EVENT, CKR_FUNCTION_NOT_SUPPORTED].contains(&event.0), "{event:?}");
    });
}

/// PKCS#11 3.2 section 3.1: "for libraries written to this document, the value of cryptokiVersion should match the version of
/// this specification", which for a caller is that of the list it calls through. NSS's softoken tells it so too.
#[test]
fn each_interface_tells_its_version() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            for profile in ["cloudhsm", "strict", "standard"] {
                test.run(profile, home.path(), "ask");
            }
        }
        _ => {
            initialize().unwrap();
            let place = V2_40.iter().position(|name| *name == "C_GetInfo").unwrap();
            for interface in interfaces() {
                let list = interface.pFunctionList;
                let function = pointers(list, V2_40.len())[place];
                type GetInfo = unsafe extern "C" fn(*mut CK_INFO) -> CK_RV;
                // SAFETY: the function's place in each list, with the standard's type.
                let get: GetInfo = unsafe { std::mem::transmute(function) };
                let mut information = CK_INFO::default();
                // SAFETY: a place for the answer.
                assert_eq!(unsafe { get(&raw mut information) }, CKR_OK);
                let told = information.cryptokiVersion;
                assert_eq!((told.major, told.minor), version(list));
                // SAFETY: NULL is refused.
                assert_eq!(unsafe { get(ptr::null_mut()) }, CKR_ARGUMENTS_BAD);
            }
        }
    });
}

/// A program that asks for another library's interface is not worth a line of the log (NSS asks each time that it loads one).
#[test]
fn an_unknown_interface_is_no_news() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            let log = home.path().join("log");
            for (level, told) in [("info", false), ("debug", true)] {
                let mut command = test.stage("standard", home.path(), "ask");
                test.must(command.env("CLOUDHSM_PKCS11_LOG_FILE", &log).env("CLOUDHSM_PKCS11_LOG_LEVEL", level));
                let written = std::fs::read_to_string(&log).unwrap_or_default();
                assert_eq!(written.contains("C_GetInterface: CKR_ARGUMENTS_BAD"), told, "{written}");
            }
        }
        _ => {
            initialize().unwrap();
            assert_eq!(interface(Some(c"Vendor NSS Module Interface"), None, 0), code(CKR_ARGUMENTS_BAD));
        }
    });
}

/// The identity of the library (krill#556, libp11#412; User Guide: Cryptoki 2.40).
#[test]
fn the_library_says_who_it_is() {
    isolated(|| {
        initialize().unwrap();
        let mut information = CK_INFO::default();
        answer(call!(C_GetInfo(&raw mut information))).unwrap();
        assert_eq!((information.cryptokiVersion.major, information.cryptokiVersion.minor), (2, 40));
        assert_eq!(information.manufacturerID, *b"CloudHSM                        ");
        assert_eq!(information.libraryDescription, *b"CloudHSM PKCS#11                ");
        assert_eq!(information.flags, 0);
        assert_eq!(information.libraryVersion.major, 5);
        assert_eq!(answer(call!(C_GetInfo(ptr::null_mut()))), code(CKR_ARGUMENTS_BAD));
    });
}
