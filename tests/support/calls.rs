//! The library through its function list, and a session as a value.

use std::fmt;
use std::path::PathBuf;
use std::ptr;
use std::sync::OnceLock;

pub(crate) use base::ck::*;

use super::{Mechanism, Template, give_up_in_time};

/// The slot of the first cluster (User Guide; krill#556).
pub(crate) const SLOT: CK_SLOT_ID = 0x2000_0000_0000_0001;
/// The officer of the fixture, as a PIN.
pub(crate) const OFFICER: &str = "admin:officer-password";
/// A crypto user of the fixture.
pub(crate) const ALICE: &str = "alice:alices-password";
/// Another one.
pub(crate) const BOB: &str = "bob:bobs-password";

/// A return value that shows its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rv(pub(crate) CK_RV);

impl fmt::Debug for Rv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&names::name(self.0))
    }
}

/// What a call answers: the result, or the code that is not CKR_OK.
pub(crate) type Answer<T = ()> = Result<T, Rv>;

/// The answer of a call that fails.
pub(crate) fn code<T>(rv: CK_RV) -> Answer<T> {
    Err(Rv(rv))
}

pub(crate) fn answer(rv: CK_RV) -> Answer {
    if rv == CKR_OK { Ok(()) } else { Err(Rv(rv)) }
}

/// Where the built library is: CLOUDHSM_TEST_LIBRARY, else beside the test program, the release one first.
pub(crate) fn library_path() -> PathBuf {
    if let Some(path) = std::env::var_os("CLOUDHSM_TEST_LIBRARY") {
        return path.into();
    }
    let own = std::env::current_exe().expect("the test's own path");
    let target = own.ancestors().nth(3).expect("target/<profile>/deps/<test>");
    ["release", "debug"]
        .iter()
        .map(|profile| target.join(profile).join("libcloudhsm_pkcs11.so"))
        .find(|path| path.is_file())
        .expect("the library is built: cargo build --release")
}

/// The library, loaded once and never unloaded.
pub(crate) fn library() -> &'static libloading::Library {
    static LIBRARY: OnceLock<libloading::Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        give_up_in_time();
        // SAFETY: the library has no initializers that do anything.
        unsafe { libloading::Library::new(library_path()) }.expect("the library can be loaded")
    })
}

/// The functions of 2.40, from C_GetFunctionList.
pub(crate) fn functions() -> &'static CK_FUNCTION_LIST {
    static LIST: OnceLock<&'static CK_FUNCTION_LIST> = OnceLock::new();
    LIST.get_or_init(|| {
        let mut list = ptr::null_mut();
        // SAFETY: the symbol has this type by the standard, and writes a pointer to a static.
        unsafe {
            let get: libloading::Symbol<'_, unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV> =
                library().get(b"C_GetFunctionList").expect("C_GetFunctionList is exported");
            assert_eq!(get(&raw mut list), CKR_OK);
            &*list
        }
    })
}

/// Calls a function of the list with raw arguments; the answer is the plain `CK_RV`.
macro_rules! call {
    ($name:ident($($argument:expr),* $(,)?)) => {{
        let function = $crate::support::functions().$name.expect("every function is in the list");
        // SAFETY: the test answers for its pointers; a pointer that is wrong on purpose is what the test is about.
        #[allow(unused_unsafe)]
        unsafe { function($($argument),*) }
    }};
}
pub(crate) use call;

/// C_Initialize without arguments.
pub(crate) fn initialize() -> Answer {
    answer(call!(C_Initialize(ptr::null_mut())))
}

/// C_Finalize.
pub(crate) fn finalize() -> Answer {
    answer(call!(C_Finalize(ptr::null_mut())))
}

/// C_InitToken with a label of 32 blanks-padded bytes.
pub(crate) fn init_token(pin: &str, label: &str) -> Answer {
    init_token_of(SLOT, pin, label)
}

/// The same in another slot.
pub(crate) fn init_token_of(slot: CK_SLOT_ID, pin: &str, label: &str) -> Answer {
    let mut label = format!("{label:32}").into_bytes();
    let mut pin = pin.as_bytes().to_vec();
    answer(call!(C_InitToken(slot, pin.as_mut_ptr(), pin.len() as CK_ULONG, label.as_mut_ptr())))
}

/// Activates the HSM of this process and makes these crypto users; nobody stays logged in.
pub(crate) fn activate(users: &[&str]) {
    initialize().expect("C_Initialize");
    init_token(OFFICER, "hsm1").expect("C_InitToken activates");
    let session = Session::open();
    session.login_as(CKU_SO, OFFICER).expect("the officer's login");
    for user in users {
        session.init_pin(user).expect("C_InitPIN makes a crypto user");
    }
    session.logout().expect("C_Logout");
    session.close().expect("C_CloseSession");
}

/// A fresh HSM with the crypto users `alice` and `bob`; alice is logged in, in a read/write session.
pub(crate) fn hsm() -> Session {
    activate(&[ALICE, BOB]);
    let session = Session::open();
    session.login(ALICE).expect("C_Login");
    session
}

/// Text as the C functions want it.
pub(crate) fn bytes(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// A session handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Session(pub(crate) CK_SESSION_HANDLE);

/// The two functions that encrypt or decrypt in one call, and those in parts, chosen by direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Encrypt,
    Decrypt,
}

impl Session {
    /// C_OpenSession with these flags.
    pub(crate) fn open_with(flags: CK_FLAGS) -> Answer<Self> {
        Self::open_of(SLOT, flags)
    }

    /// The same in another slot.
    pub(crate) fn open_of(slot: CK_SLOT_ID, flags: CK_FLAGS) -> Answer<Self> {
        let mut session = 0;
        answer(call!(C_OpenSession(slot, flags, ptr::null_mut(), None, &raw mut session)))?;
        Ok(Self(session))
    }

    /// A read/write session.
    pub(crate) fn open() -> Self {
        Self::open_with(CKF_SERIAL_SESSION | CKF_RW_SESSION).expect("C_OpenSession")
    }

    /// A read-only session.
    pub(crate) fn open_read_only() -> Self {
        Self::open_with(CKF_SERIAL_SESSION).expect("C_OpenSession")
    }

    pub(crate) fn close(self) -> Answer {
        answer(call!(C_CloseSession(self.0)))
    }

    pub(crate) fn information(self) -> Answer<CK_SESSION_INFO> {
        let mut information = CK_SESSION_INFO::default();
        answer(call!(C_GetSessionInfo(self.0, &raw mut information)))?;
        Ok(information)
    }

    pub(crate) fn login(self, pin: &str) -> Answer {
        self.login_as(CKU_USER, pin)
    }

    pub(crate) fn login_as(self, user: CK_USER_TYPE, pin: &str) -> Answer {
        let mut pin = bytes(pin);
        answer(call!(C_Login(self.0, user, pin.as_mut_ptr(), pin.len() as CK_ULONG)))
    }

    pub(crate) fn logout(self) -> Answer {
        answer(call!(C_Logout(self.0)))
    }

    pub(crate) fn init_pin(self, pin: &str) -> Answer {
        let mut pin = bytes(pin);
        answer(call!(C_InitPIN(self.0, pin.as_mut_ptr(), pin.len() as CK_ULONG)))
    }

    pub(crate) fn set_pin(self, old: &str, new: &str) -> Answer {
        let (mut old, mut new) = (bytes(old), bytes(new));
        answer(call!(C_SetPIN(
            self.0,
            old.as_mut_ptr(),
            old.len() as CK_ULONG,
            new.as_mut_ptr(),
            new.len() as CK_ULONG
        )))
    }

    pub(crate) fn create(self, template: &Template) -> Answer<CK_OBJECT_HANDLE> {
        let mut raw = template.raw();
        let mut object = 0;
        answer(call!(C_CreateObject(self.0, raw.as_mut_ptr(), raw.len() as CK_ULONG, &raw mut object)))?;
        Ok(object)
    }

    pub(crate) fn copy(self, object: CK_OBJECT_HANDLE, template: &Template) -> Answer<CK_OBJECT_HANDLE> {
        let mut raw = template.raw();
        let mut copy = 0;
        answer(call!(C_CopyObject(self.0, object, raw.as_mut_ptr(), raw.len() as CK_ULONG, &raw mut copy)))?;
        Ok(copy)
    }

    pub(crate) fn set(self, object: CK_OBJECT_HANDLE, template: &Template) -> Answer {
        let mut raw = template.raw();
        answer(call!(C_SetAttributeValue(self.0, object, raw.as_mut_ptr(), raw.len() as CK_ULONG)))
    }

    pub(crate) fn destroy(self, object: CK_OBJECT_HANDLE) -> Answer {
        answer(call!(C_DestroyObject(self.0, object)))
    }

    pub(crate) fn generate(self, mechanism: CK_MECHANISM_TYPE, template: &Template) -> Answer<CK_OBJECT_HANDLE> {
        let mut raw = template.raw();
        let mut mechanism = Mechanism::new(mechanism);
        let mut key = 0;
        answer(call!(C_GenerateKey(self.0, mechanism.raw(), raw.as_mut_ptr(), raw.len() as CK_ULONG, &raw mut key)))?;
        Ok(key)
    }

    /// C_GenerateKeyPair: the public and the private key.
    pub(crate) fn generate_pair(
        self,
        mechanism: CK_MECHANISM_TYPE,
        public: &Template,
        private: &Template,
    ) -> Answer<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE)> {
        let (mut public, mut private) = (public.raw(), private.raw());
        let mut mechanism = Mechanism::new(mechanism);
        let mut keys = (0, 0);
        answer(call!(C_GenerateKeyPair(
            self.0,
            mechanism.raw(),
            public.as_mut_ptr(),
            public.len() as CK_ULONG,
            private.as_mut_ptr(),
            private.len() as CK_ULONG,
            &raw mut keys.0,
            &raw mut keys.1
        )))?;
        Ok(keys)
    }

    /// One attribute, by a query of its length and a second call.
    pub(crate) fn read(self, object: CK_OBJECT_HANDLE, id: CK_ATTRIBUTE_TYPE) -> Answer<Vec<u8>> {
        let mut attribute = CK_ATTRIBUTE { type_: id, pValue: ptr::null_mut(), ulValueLen: 0 };
        answer(call!(C_GetAttributeValue(self.0, object, &raw mut attribute, 1)))?;
        let mut value = vec![0; attribute.ulValueLen as usize];
        attribute.pValue = value.as_mut_ptr().cast();
        answer(call!(C_GetAttributeValue(self.0, object, &raw mut attribute, 1)))?;
        value.truncate(attribute.ulValueLen as usize);
        Ok(value)
    }

    pub(crate) fn flag(self, object: CK_OBJECT_HANDLE, id: CK_ATTRIBUTE_TYPE) -> Answer<bool> {
        let value = self.read(object, id)?;
        assert!(matches!(value.as_slice(), [0 | 1]), "a CK_BBOOL: {value:?}");
        Ok(value == [1])
    }

    /// A template of flags in ascending order, by the three calls that PKCS#11 3.2 section 5.7.5 has for one.
    pub(crate) fn flags_in(
        self,
        object: CK_OBJECT_HANDLE,
        id: CK_ATTRIBUTE_TYPE,
    ) -> Answer<Vec<(CK_ATTRIBUTE_TYPE, bool)>> {
        let mut outer = CK_ATTRIBUTE { type_: id, pValue: ptr::null_mut(), ulValueLen: 0 };
        answer(call!(C_GetAttributeValue(self.0, object, &raw mut outer, 1)))?;
        let mut list = vec![CK_ATTRIBUTE::default(); outer.ulValueLen as usize / size_of::<CK_ATTRIBUTE>()];
        if list.is_empty() {
            return Ok(Vec::new());
        }
        outer.pValue = list.as_mut_ptr().cast();
        answer(call!(C_GetAttributeValue(self.0, object, &raw mut outer, 1)))?;
        let mut buffers = vec![[0_u8; 1]; list.len()];
        for (entry, buffer) in list.iter_mut().zip(&mut buffers) {
            entry.pValue = buffer.as_mut_ptr().cast();
        }
        answer(call!(C_GetAttributeValue(self.0, object, &raw mut outer, 1)))?;
        let mut flags: Vec<_> =
            list.iter().zip(&buffers).map(|(entry, buffer)| (entry.type_, buffer[0] == 1)).collect();
        flags.sort_unstable();
        Ok(flags)
    }

    pub(crate) fn number(self, object: CK_OBJECT_HANDLE, id: CK_ATTRIBUTE_TYPE) -> Answer<CK_ULONG> {
        let value = self.read(object, id)?;
        Ok(CK_ULONG::from_ne_bytes(value.as_slice().try_into().expect("a CK_ULONG")))
    }

    /// A whole search.
    pub(crate) fn find(self, template: &Template) -> Answer<Vec<CK_OBJECT_HANDLE>> {
        let mut raw = template.raw();
        answer(call!(C_FindObjectsInit(self.0, raw.as_mut_ptr(), raw.len() as CK_ULONG)))?;
        let mut found = Vec::new();
        loop {
            let mut some = [0; 7];
            let mut count = 0;
            answer(call!(C_FindObjects(self.0, some.as_mut_ptr(), some.len() as CK_ULONG, &raw mut count)))?;
            if count == 0 {
                break;
            }
            found.extend_from_slice(&some[..count as usize]);
        }
        answer(call!(C_FindObjectsFinal(self.0)))?;
        Ok(found)
    }

    /// The objects with a label.
    pub(crate) fn labelled(self, label: &str) -> Vec<CK_OBJECT_HANDLE> {
        self.find(&Template::new().text(CKA_LABEL, label)).expect("a search")
    }

    pub(crate) fn begin(self, way: Way, mechanism: &mut Mechanism<'_>, key: CK_OBJECT_HANDLE) -> Answer {
        answer(match way {
            Way::Encrypt => call!(C_EncryptInit(self.0, mechanism.raw(), key)),
            Way::Decrypt => call!(C_DecryptInit(self.0, mechanism.raw(), key)),
        })
    }

    /// C_Encrypt or C_Decrypt into a buffer of so many bytes; the answer is what was written.
    pub(crate) fn once_into(self, way: Way, input: &[u8], room: usize) -> Answer<Vec<u8>> {
        let mut input = input.to_vec();
        into_buffer(room, |buffer, length| {
            let (data, size) = (input.as_mut_ptr(), input.len() as CK_ULONG);
            match way {
                Way::Encrypt => call!(C_Encrypt(self.0, data, size, buffer, length)),
                Way::Decrypt => call!(C_Decrypt(self.0, data, size, buffer, length)),
            }
        })
    }

    /// C_EncryptUpdate or C_DecryptUpdate.
    pub(crate) fn update_into(self, way: Way, input: &[u8], room: usize) -> Answer<Vec<u8>> {
        let mut input = input.to_vec();
        into_buffer(room, |buffer, length| {
            let (data, size) = (input.as_mut_ptr(), input.len() as CK_ULONG);
            match way {
                Way::Encrypt => call!(C_EncryptUpdate(self.0, data, size, buffer, length)),
                Way::Decrypt => call!(C_DecryptUpdate(self.0, data, size, buffer, length)),
            }
        })
    }

    /// C_EncryptFinal or C_DecryptFinal.
    pub(crate) fn final_into(self, way: Way, room: usize) -> Answer<Vec<u8>> {
        into_buffer(room, |buffer, length| match way {
            Way::Encrypt => call!(C_EncryptFinal(self.0, buffer, length)),
            Way::Decrypt => call!(C_DecryptFinal(self.0, buffer, length)),
        })
    }

    /// Init and one call, with room to spare.
    pub(crate) fn cipher(
        self,
        way: Way,
        mechanism: &mut Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        input: &[u8],
    ) -> Answer<Vec<u8>> {
        self.begin(way, mechanism, key)?;
        self.once_into(way, input, input.len() + 1024)
    }

    pub(crate) fn encrypt(self, mechanism: &mut Mechanism<'_>, key: CK_OBJECT_HANDLE, data: &[u8]) -> Answer<Vec<u8>> {
        self.cipher(Way::Encrypt, mechanism, key, data)
    }

    pub(crate) fn decrypt(self, mechanism: &mut Mechanism<'_>, key: CK_OBJECT_HANDLE, data: &[u8]) -> Answer<Vec<u8>> {
        self.cipher(Way::Decrypt, mechanism, key, data)
    }

    /// Init and parts of these lengths, the rest in the last part.
    pub(crate) fn cipher_parts(
        self,
        way: Way,
        mechanism: &mut Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        input: &[u8],
        parts: &[usize],
    ) -> Answer<Vec<u8>> {
        self.begin(way, mechanism, key)?;
        let mut whole = Vec::new();
        for part in split(input, parts) {
            whole.extend(self.update_into(way, part, part.len() + 64)?);
        }
        whole.extend(self.final_into(way, 64)?);
        Ok(whole)
    }

    pub(crate) fn digest_init(self, mechanism: CK_MECHANISM_TYPE) -> Answer {
        answer(call!(C_DigestInit(self.0, Mechanism::new(mechanism).raw())))
    }

    pub(crate) fn digest_into(self, data: &[u8], room: usize) -> Answer<Vec<u8>> {
        let mut data = data.to_vec();
        into_buffer(room, |buffer, length| {
            call!(C_Digest(self.0, data.as_mut_ptr(), data.len() as CK_ULONG, buffer, length))
        })
    }

    pub(crate) fn digest(self, mechanism: CK_MECHANISM_TYPE, data: &[u8]) -> Answer<Vec<u8>> {
        self.digest_init(mechanism)?;
        self.digest_into(data, 64)
    }

    pub(crate) fn digest_parts(self, mechanism: CK_MECHANISM_TYPE, data: &[u8], parts: &[usize]) -> Answer<Vec<u8>> {
        self.digest_init(mechanism)?;
        for part in split(data, parts) {
            let mut part = part.to_vec();
            answer(call!(C_DigestUpdate(self.0, part.as_mut_ptr(), part.len() as CK_ULONG)))?;
        }
        into_buffer(64, |buffer, length| call!(C_DigestFinal(self.0, buffer, length)))
    }

    pub(crate) fn sign_init(self, mechanism: &mut Mechanism<'_>, key: CK_OBJECT_HANDLE) -> Answer {
        answer(call!(C_SignInit(self.0, mechanism.raw(), key)))
    }

    pub(crate) fn sign_into(self, data: &[u8], room: usize) -> Answer<Vec<u8>> {
        let mut data = data.to_vec();
        into_buffer(room, |buffer, length| {
            call!(C_Sign(self.0, data.as_mut_ptr(), data.len() as CK_ULONG, buffer, length))
        })
    }

    pub(crate) fn sign_update(self, part: &[u8]) -> Answer {
        let mut part = part.to_vec();
        answer(call!(C_SignUpdate(self.0, part.as_mut_ptr(), part.len() as CK_ULONG)))
    }

    pub(crate) fn sign_final(self, room: usize) -> Answer<Vec<u8>> {
        into_buffer(room, |buffer, length| call!(C_SignFinal(self.0, buffer, length)))
    }

    pub(crate) fn sign(self, mechanism: &mut Mechanism<'_>, key: CK_OBJECT_HANDLE, data: &[u8]) -> Answer<Vec<u8>> {
        self.sign_init(mechanism, key)?;
        self.sign_into(data, 1024)
    }

    pub(crate) fn sign_parts(
        self,
        mechanism: &mut Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
        parts: &[usize],
    ) -> Answer<Vec<u8>> {
        self.sign_init(mechanism, key)?;
        for part in split(data, parts) {
            self.sign_update(part)?;
        }
        self.sign_final(1024)
    }

    pub(crate) fn verify_init(self, mechanism: &mut Mechanism<'_>, key: CK_OBJECT_HANDLE) -> Answer {
        answer(call!(C_VerifyInit(self.0, mechanism.raw(), key)))
    }

    pub(crate) fn verify(
        self,
        mechanism: &mut Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
        signature: &[u8],
    ) -> Answer {
        self.verify_init(mechanism, key)?;
        let (mut data, mut signature) = (data.to_vec(), signature.to_vec());
        answer(call!(C_Verify(
            self.0,
            data.as_mut_ptr(),
            data.len() as CK_ULONG,
            signature.as_mut_ptr(),
            signature.len() as CK_ULONG
        )))
    }

    pub(crate) fn verify_parts(
        self,
        mechanism: &mut Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
        parts: &[usize],
        signature: &[u8],
    ) -> Answer {
        self.verify_init(mechanism, key)?;
        for part in split(data, parts) {
            let mut part = part.to_vec();
            answer(call!(C_VerifyUpdate(self.0, part.as_mut_ptr(), part.len() as CK_ULONG)))?;
        }
        let mut signature = signature.to_vec();
        answer(call!(C_VerifyFinal(self.0, signature.as_mut_ptr(), signature.len() as CK_ULONG)))
    }

    pub(crate) fn random(self, length: usize) -> Answer<Vec<u8>> {
        let mut bytes = vec![0; length];
        answer(call!(C_GenerateRandom(self.0, bytes.as_mut_ptr(), length as CK_ULONG)))?;
        Ok(bytes)
    }
}

/// Gives a call a buffer of `room` bytes with a guard behind it; the answer is what was written.
pub(crate) fn into_buffer(room: usize, run: impl FnOnce(*mut CK_BYTE, *mut CK_ULONG) -> CK_RV) -> Answer<Vec<u8>> {
    const GUARD: [u8; 32] = [0xA5; 32];
    let mut buffer = vec![0; room];
    buffer.extend_from_slice(&GUARD);
    let mut length = room as CK_ULONG;
    let rv = run(buffer.as_mut_ptr(), &raw mut length);
    assert_eq!(buffer[room..], GUARD, "the call wrote behind the buffer");
    answer(rv)?;
    buffer.truncate(usize::try_from(length).expect("a length"));
    Ok(buffer)
}

/// Data in parts of these lengths, and the rest as the last.
fn split<'a>(data: &'a [u8], parts: &[usize]) -> Vec<&'a [u8]> {
    let mut rest = data;
    let mut found = Vec::new();
    for part in parts {
        let (first, last) = rest.split_at(*part);
        found.push(first);
        rest = last;
    }
    found.push(rest);
    found
}
