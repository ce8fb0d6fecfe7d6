//! Threads on the same keys, sessions and login, for ThreadSanitizer to look on. The library is linked in, so that all of it is
//! instrumented.
//!
//!   cloudhsm-tsan PIN ROUNDS [planted]      planted: two threads write one number, which the sanitizer must see
//!
//! What the calls answer is judged elsewhere (tests/behaviour/together); here they only have to meet.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use base::ck::*;

// Linked with it, the library's C functions are this program's own.
use cloudhsm_pkcs11 as _;
unsafe extern "C" {
    fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV;
}

const SLOT: CK_SLOT_ID = 0x2000_0000_0000_0001;
const THREADS: usize = 4;

static KEYS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
static CALLS: AtomicU64 = AtomicU64::new(0);
static DONE: AtomicU64 = AtomicU64::new(0);
static mut PLANTED: u64 = 0;

fn functions() -> &'static CK_FUNCTION_LIST {
    let mut list = ptr::null_mut();
    // SAFETY: a place for the pointer; the list lives as long as the program.
    unsafe {
        assert_eq!(C_GetFunctionList(&raw mut list), CKR_OK);
        &*list
    }
}

macro_rules! call {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        let function = functions().$name.expect("every function is in the list");
        // SAFETY: every pointer is to memory of the length that is said beside it, alive until the call returns.
        let rv = unsafe { function($($argument),*) };
        CALLS.fetch_add(1, Ordering::Relaxed);
        DONE.fetch_add(u64::from(rv == CKR_OK), Ordering::Relaxed);
        rv
    }};
}

fn attribute(id: CK_ATTRIBUTE_TYPE, value: &mut [u8]) -> CK_ATTRIBUTE {
    let length = value.len() as CK_ULONG;
    CK_ATTRIBUTE { type_: id, pValue: value.as_mut_ptr().cast::<c_void>(), ulValueLen: length }
}

fn open() -> CK_SESSION_HANDLE {
    let mut session = 0;
    call!(C_OpenSession(SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION, ptr::null_mut(), None, &raw mut session));
    session
}

fn generate(session: CK_SESSION_HANDLE, token: bool) -> CK_OBJECT_HANDLE {
    let (mut length, mut no, mut yes, mut kept) = (32_u64.to_ne_bytes(), [0], [1], [u8::from(token)]);
    let mut template = [
        attribute(CKA_VALUE_LEN, &mut length),
        attribute(CKA_SENSITIVE, &mut no),
        attribute(CKA_ENCRYPT, &mut yes),
        attribute(CKA_TOKEN, &mut kept),
    ];
    let mut mechanism = CK_MECHANISM { mechanism: CKM_AES_KEY_GEN, pParameter: ptr::null_mut(), ulParameterLen: 0 };
    let mut key = 0;
    call!(C_GenerateKey(session, &raw mut mechanism, template.as_mut_ptr(), 4, &raw mut key));
    key
}

fn change(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE, at: usize) {
    let (mut yes, mut label) = ([1], format!("label {}", at % 5).into_bytes());
    let mut template = [attribute(CKA_SENSITIVE, &mut yes), attribute(CKA_LABEL, &mut label)];
    let (from, count) = [(0, 1), (1, 1), (0, 2)][at % 3];
    call!(C_SetAttributeValue(session, key, template[from..].as_mut_ptr(), count));
}

fn encrypt(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
    let mut mechanism = CK_MECHANISM { mechanism: CKM_AES_ECB, pParameter: ptr::null_mut(), ulParameterLen: 0 };
    let (mut data, mut out, mut length) = ([0_u8; 16], [0_u8; 16], 16);
    if call!(C_EncryptInit(session, &raw mut mechanism, key)) == CKR_OK {
        call!(C_Encrypt(session, data.as_mut_ptr(), 16, out.as_mut_ptr(), &raw mut length));
    }
}

fn find(session: CK_SESSION_HANDLE, at: usize) {
    let mut label = format!("label {}", at % 5).into_bytes();
    let mut template = [attribute(CKA_LABEL, &mut label)];
    let (mut found, mut count) = ([0; 8], 0);
    if call!(C_FindObjectsInit(session, template.as_mut_ptr(), 1)) == CKR_OK {
        call!(C_FindObjects(session, found.as_mut_ptr(), 8, &raw mut count));
        call!(C_FindObjectsFinal(session));
    }
}

fn read(session: CK_SESSION_HANDLE, key: CK_OBJECT_HANDLE) {
    let mut flag = [0];
    let mut template = [attribute(CKA_SENSITIVE, &mut flag)];
    call!(C_GetAttributeValue(session, key, template.as_mut_ptr(), 1));
}

/// One thread's part: each has a session, all have the keys.
fn work(number: usize, rounds: usize) {
    let mut session = open();
    for at in 0..rounds {
        let place = &KEYS[(at + number) % KEYS.len()];
        let key = place.load(Ordering::Relaxed);
        match (at * 7 + number * 3) % 16 {
            0..4 => change(session, key, at),
            4..8 => encrypt(session, key),
            8..10 => find(session, at),
            10..12 => read(session, key),
            12 => {
                place.store(generate(session, at % 64 == 0), Ordering::Relaxed);
                call!(C_DestroyObject(session, key));
            }
            13 => {
                let mut copy = 0;
                call!(C_CopyObject(session, key, ptr::null_mut(), 0, &raw mut copy));
            }
            14 => {
                call!(C_CloseSession(session));
                session = open();
            }
            _ => place.store(generate(session, false), Ordering::Relaxed),
        }
    }
}

fn log_in(session: CK_SESSION_HANDLE, pin: &str) -> CK_RV {
    let mut pin = pin.as_bytes().to_vec();
    call!(C_Login(session, CKU_USER, pin.as_mut_ptr(), pin.len() as CK_ULONG))
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let (pin, rounds) = (words[1].clone(), words[2].parse::<usize>().expect("a number of rounds"));
    if words.len() > 3 {
        let write = || {
            // SAFETY: none: this is the race that must be seen.
            unsafe { PLANTED += 1 };
        };
        std::thread::spawn(write);
        std::thread::spawn(write).join().expect("it ends");
    }
    assert_eq!(call!(C_Initialize(ptr::null_mut())), CKR_OK);
    let keeper = open();
    assert_eq!(log_in(keeper, &pin), CKR_OK);
    let threads: Vec<_> = (0..THREADS).map(|number| std::thread::spawn(move || work(number, rounds))).collect();
    for _ in 0..4 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        call!(C_Logout(keeper));
        log_in(keeper, &pin);
    }
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    // And the end beneath them.
    let threads: Vec<_> = (0..THREADS).map(|number| std::thread::spawn(move || work(number, rounds))).collect();
    std::thread::sleep(std::time::Duration::from_millis(20));
    call!(C_Finalize(ptr::null_mut()));
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
    println!("{} calls, {} of them done", CALLS.load(Ordering::Relaxed), DONE.load(Ordering::Relaxed));
}
