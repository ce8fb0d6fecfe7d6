//! Sequences of C functions in one session of a crypto user: each byte of the input chooses a function, a key, a mechanism, a
//! parameter, a template, a length. All pointers are good: what is tried is what a program may say, not where it points.
#![no_main]

use std::ffi::c_void;
use std::ptr;
use std::sync::Once;

use base::ck::*;
use libfuzzer_sys::fuzz_target;

// Linked with it, the library's C functions are this program's own.
use cloudhsm_pkcs11 as _;
unsafe extern "C" {
    fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV;
}

const SLOT: CK_SLOT_ID = 0x2000_0000_0000_0001;
const OFFICER: &[u8] = b"admin:officer-password";
const USER: &[u8] = b"ann:anns-password";

/// The bytes of an input, handed out one after the other; zeros at the end.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn below(&mut self, most: usize) -> usize {
        usize::from(self.byte()) % most
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.below(most + 1).min(self.0.len());
        let (front, rest) = self.0.split_at(length);
        self.0 = rest;
        front.to_vec()
    }
}

macro_rules! call {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        let function = functions().$name.expect("every function is in the list");
        // SAFETY: every pointer is to memory of the length that is said beside it, alive until the call returns.
        unsafe { function($($argument),*) }
    }};
}

fn functions() -> &'static CK_FUNCTION_LIST {
    let mut list = ptr::null_mut();
    // SAFETY: a place for the pointer; the list lives as long as the program.
    unsafe {
        assert_eq!(C_GetFunctionList(&raw mut list), CKR_OK);
        &*list
    }
}

unsafe extern "C" {
    /// The leak sanitizer's: what this thread allocates between the two is none.
    safe fn __lsan_disable();
    safe fn __lsan_enable();
}

fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The library is there for good, and the pointer to it lies in a page of the kernel's, where no sanitizer looks.
        __lsan_disable();
        assert_eq!(call!(C_Initialize(ptr::null_mut())), CKR_OK);
        __lsan_enable();
        let mut label = [b' '; 32];
        let mut officer = OFFICER.to_vec();
        assert_eq!(
            call!(C_InitToken(SLOT, officer.as_mut_ptr(), officer.len() as CK_ULONG, label.as_mut_ptr())),
            CKR_OK
        );
        let session = open();
        let mut user = USER.to_vec();
        assert_eq!(call!(C_Login(session, CKU_SO, officer.as_mut_ptr(), officer.len() as CK_ULONG)), CKR_OK);
        assert_eq!(call!(C_InitPIN(session, user.as_mut_ptr(), user.len() as CK_ULONG)), CKR_OK);
        assert_eq!(call!(C_Logout(session)), CKR_OK);
        assert_eq!(call!(C_Login(session, CKU_USER, user.as_mut_ptr(), user.len() as CK_ULONG)), CKR_OK);
    });
}

fn open() -> CK_SESSION_HANDLE {
    let mut session = 0;
    assert_eq!(
        call!(C_OpenSession(SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION, ptr::null_mut(), None, &raw mut session)),
        CKR_OK
    );
    session
}

const ATTRIBUTES: [CK_ATTRIBUTE_TYPE; 32] = [
    CKA_CLASS,
    CKA_TOKEN,
    CKA_PRIVATE,
    CKA_LABEL,
    CKA_VALUE,
    CKA_KEY_TYPE,
    CKA_ID,
    CKA_SENSITIVE,
    CKA_ENCRYPT,
    CKA_DECRYPT,
    CKA_WRAP,
    CKA_UNWRAP,
    CKA_SIGN,
    CKA_VERIFY,
    CKA_DERIVE,
    CKA_MODULUS,
    CKA_MODULUS_BITS,
    CKA_PUBLIC_EXPONENT,
    CKA_PRIVATE_EXPONENT,
    CKA_PRIME_1,
    CKA_VALUE_LEN,
    CKA_EXTRACTABLE,
    CKA_EC_PARAMS,
    CKA_EC_POINT,
    CKA_WRAP_WITH_TRUSTED,
    CKA_WRAP_TEMPLATE,
    CKA_UNWRAP_TEMPLATE,
    CKA_ALLOWED_MECHANISMS,
    CKA_PARAMETER_SET,
    CKA_CHECK_VALUE,
    CKA_COPYABLE,
    CKA_CERTIFICATE_TYPE,
];
const NUMBERS: [CK_ULONG; 16] = [
    CKO_SECRET_KEY,
    CKO_PRIVATE_KEY,
    CKO_PUBLIC_KEY,
    CKO_CERTIFICATE,
    CKO_DATA,
    CKK_AES,
    CKK_GENERIC_SECRET,
    CKK_EC,
    CKK_RSA,
    CKK_DES3,
    CKK_EC_EDWARDS,
    CKK_ML_DSA,
    16,
    32,
    2048,
    CK_ULONG::MAX,
];
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const MECHANISMS: [CK_MECHANISM_TYPE; 32] = [
    CKM_AES_KEY_GEN,
    CKM_GENERIC_SECRET_KEY_GEN,
    CKM_DES3_KEY_GEN,
    CKM_EC_KEY_PAIR_GEN,
    CKM_EC_EDWARDS_KEY_PAIR_GEN,
    CKM_ML_DSA_KEY_PAIR_GEN,
    CKM_AES_ECB,
    CKM_AES_CBC,
    CKM_AES_CBC_PAD,
    CKM_AES_CTR,
    CKM_AES_GCM,
    CKM_AES_CMAC,
    CKM_AES_KEY_WRAP,
    CKM_AES_KEY_WRAP_KWP,
    CKM_DES3_CBC,
    CKM_SHA256,
    CKM_SHA512,
    CKM_SHA_1,
    CKM_SHA256_HMAC,
    CKM_SHA512_HMAC,
    CKM_ECDSA,
    CKM_ECDSA_SHA256,
    CKM_EDDSA,
    CKM_ML_DSA,
    CKM_RSA_PKCS,
    CKM_RSA_PKCS_OAEP,
    CKM_RSA_PKCS_PSS,
    CKM_RSA_X_509,
    CKM_SHA256_RSA_PKCS,
    CKM_ECDH1_DERIVE,
    CKM_SP800_108_COUNTER_KDF,
    CKM_RSA_AES_KEY_WRAP,
];

/// A template with the memory that its entries point to.
struct Template {
    raw: Vec<CK_ATTRIBUTE>,
    _values: Vec<Vec<u8>>,
    _nested: Vec<Self>,
}

impl Template {
    fn of(input: &mut Input<'_>, depth: usize) -> Self {
        let mut template = Self { raw: Vec::new(), _values: Vec::new(), _nested: Vec::new() };
        for _ in 0..input.below(9) {
            let id = ATTRIBUTES[input.below(ATTRIBUTES.len())];
            if matches!(id, CKA_WRAP_TEMPLATE | CKA_UNWRAP_TEMPLATE) && depth > 0 {
                let inner = Self::of(input, depth - 1);
                let length = size_of_val(inner.raw.as_slice()) as CK_ULONG;
                template.raw.push(CK_ATTRIBUTE {
                    type_: id,
                    pValue: inner.raw.as_ptr().cast_mut().cast(),
                    ulValueLen: length,
                });
                template._nested.push(inner);
                continue;
            }
            let value = match input.below(6) {
                0 => vec![1],
                1 => vec![0],
                2 | 3 => NUMBERS[input.below(NUMBERS.len())].to_ne_bytes().to_vec(),
                4 if id == CKA_EC_PARAMS => P256.to_vec(),
                // A template inside a value would be pointers of the input's own making.
                _ if matches!(id, CKA_WRAP_TEMPLATE | CKA_UNWRAP_TEMPLATE) => Vec::new(),
                _ => input.bytes(255),
            };
            let length = value.len() as CK_ULONG;
            let length = if matches!(id, CKA_WRAP_TEMPLATE | CKA_UNWRAP_TEMPLATE) { 0 } else { length };
            template.raw.push(CK_ATTRIBUTE { type_: id, pValue: value.as_ptr().cast_mut().cast(), ulValueLen: length });
            template._values.push(value);
        }
        template
    }

    fn parts(&mut self) -> (*mut CK_ATTRIBUTE, CK_ULONG) {
        (self.raw.as_mut_ptr(), self.raw.len() as CK_ULONG)
    }
}

/// A mechanism with the memory of its parameter.
struct Mechanism {
    raw: CK_MECHANISM,
    _memory: Vec<Vec<u8>>,
}

fn words(words: &[usize]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

impl Mechanism {
    fn of(input: &mut Input<'_>) -> Self {
        let id = MECHANISMS[input.below(MECHANISMS.len())];
        let first = input.bytes(64);
        let (one, two) = (first.as_ptr().addr(), first.len());
        let hashes = [CKM_SHA256, CKM_SHA_1, CKM_SHA512, CKM_AES_CBC];
        let hash = hashes[input.below(hashes.len())] as usize;
        let small = input.below(256);
        // Each structure is words, all of which may be odd but for the pointers.
        let parameter = match id {
            CKM_AES_GCM => words(&[one, two, 8 * two, one, two, small]),
            CKM_RSA_PKCS_OAEP => words(&[hash, small % 8, small % 3, one, two]),
            CKM_RSA_PKCS_PSS => words(&[hash, small % 8, small]),
            CKM_ECDH1_DERIVE => words(&[small % 16, two, one, two, one]),
            CKM_EDDSA => words(&[small % 2, two, one]),
            CKM_ML_DSA => words(&[small % 4, one, two]),
            CKM_AES_CTR => [words(&[small]), first.iter().copied().chain([0; 16]).take(16).collect()].concat(),
            // Pointers inside: none are given.
            CKM_SP800_108_COUNTER_KDF | CKM_RSA_AES_KEY_WRAP => Vec::new(),
            _ if small < 128 => vec![0; 16],
            _ => first.clone(),
        };
        let cut = if small % 16 == 3 && id != CKM_AES_GCM { parameter.len() / 2 } else { parameter.len() };
        let place: *mut c_void =
            if parameter.is_empty() { ptr::null_mut() } else { parameter.as_ptr().cast_mut().cast() };
        let raw = CK_MECHANISM { mechanism: id, pParameter: place, ulParameterLen: cut as CK_ULONG };
        Self { raw, _memory: vec![parameter, first] }
    }
}

fuzz_target!(|data: &[u8]| {
    start();
    let session = open();
    let mut input = Input(data);
    let mut keys: Vec<CK_OBJECT_HANDLE> = vec![0];
    let mut out = vec![0_u8; 8192];
    for _ in 0..40 {
        if input.is_over() {
            break;
        }
        let key = keys[input.below(keys.len())];
        let mut length = [0, 16, 64, 8192][input.below(4)];
        let buffer = if input.below(8) == 0 { ptr::null_mut() } else { out.as_mut_ptr() };
        let mut made = [0; 2];
        let mut mechanism = Mechanism::of(&mut input);
        let how = &raw mut mechanism.raw;
        match input.below(26) {
            0 | 1 => {
                let mut template = Template::of(&mut input, 2);
                let (list, count) = template.parts();
                call!(C_CreateObject(session, list, count, &raw mut made[0]));
            }
            2 | 3 => {
                let mut template = Template::of(&mut input, 2);
                let (list, count) = template.parts();
                call!(C_GenerateKey(session, how, list, count, &raw mut made[0]));
            }
            4 => {
                let (mut public, mut private) = (Template::of(&mut input, 1), Template::of(&mut input, 2));
                let ((public, first), (private, second)) = (public.parts(), private.parts());
                let [one, two] = &mut made;
                call!(C_GenerateKeyPair(session, how, public, first, private, second, one, two));
            }
            5 => {
                let mut template = Template::of(&mut input, 2);
                let (list, count) = template.parts();
                call!(C_CopyObject(session, key, list, count, &raw mut made[0]));
            }
            6 => {
                let mut template = Template::of(&mut input, 2);
                let (list, count) = template.parts();
                call!(C_SetAttributeValue(session, key, list, count));
            }
            7 => {
                let mut room = [0_u8; 4096];
                let mut list: Vec<CK_ATTRIBUTE> = Vec::new();
                for _ in 0..input.below(6) {
                    let id = ATTRIBUTES[input.below(ATTRIBUTES.len())];
                    let nested = matches!(id, CKA_WRAP_TEMPLATE | CKA_UNWRAP_TEMPLATE);
                    let place = if nested { ptr::null_mut() } else { room.as_mut_ptr().cast() };
                    list.push(CK_ATTRIBUTE { type_: id, pValue: place, ulValueLen: [0, 8, 4096][input.below(3)] });
                }
                call!(C_GetAttributeValue(session, key, list.as_mut_ptr(), list.len() as CK_ULONG));
            }
            8 => {
                let mut template = Template::of(&mut input, 1);
                let (list, count) = template.parts();
                call!(C_FindObjectsInit(session, list, count));
                let mut found = 0;
                call!(C_FindObjects(session, made.as_mut_ptr(), 2, &raw mut found));
                call!(C_FindObjectsFinal(session));
            }
            9 => drop(call!(C_EncryptInit(session, how, key))),
            10 => drop(call!(C_DecryptInit(session, how, key))),
            11 => drop(call!(C_SignInit(session, how, key))),
            12 => drop(call!(C_VerifyInit(session, how, key))),
            13 => drop(call!(C_DigestInit(session, how))),
            choice @ 14..=21 => {
                let mut data = input.bytes(255);
                let (start, size) = (data.as_mut_ptr(), data.len() as CK_ULONG);
                match choice {
                    14 => call!(C_Encrypt(session, start, size, buffer, &raw mut length)),
                    15 => call!(C_EncryptUpdate(session, start, size, buffer, &raw mut length)),
                    16 => call!(C_Decrypt(session, start, size, buffer, &raw mut length)),
                    17 => call!(C_DecryptUpdate(session, start, size, buffer, &raw mut length)),
                    18 => call!(C_Sign(session, start, size, buffer, &raw mut length)),
                    19 => call!(C_SignUpdate(session, start, size)),
                    20 => call!(C_Verify(session, start, size, start, size)),
                    _ => call!(C_Digest(session, start, size, buffer, &raw mut length)),
                };
            }
            22 => {
                call!(C_EncryptFinal(session, buffer, &raw mut length));
                call!(C_DecryptFinal(session, buffer, &raw mut length));
                call!(C_SignFinal(session, buffer, &raw mut length));
            }
            23 => {
                let other = keys[input.below(keys.len())];
                call!(C_WrapKey(session, how, key, other, buffer, &raw mut length));
            }
            24 => {
                let mut data = input.bytes(255);
                let mut template = Template::of(&mut input, 1);
                let (list, count) = template.parts();
                let size = data.len() as CK_ULONG;
                call!(C_UnwrapKey(session, how, key, data.as_mut_ptr(), size, list, count, &raw mut made[0]));
                call!(C_DeriveKey(session, how, key, list, count, &raw mut made[1]));
            }
            _ => drop(call!(C_DestroyObject(session, key))),
        }
        keys.extend(made.into_iter().filter(|key| *key != 0));
    }
    for key in keys {
        call!(C_DestroyObject(session, key));
    }
    call!(C_CloseSession(session));
});
