//! The process that loads the library: it takes the steps that its parent has put into the environment and writes
//! one line `@step answer` for each to the file that the parent reads.

#![allow(unsafe_code)]

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use cryptoki_sys::{
    CK_ATTRIBUTE, CK_ATTRIBUTE_TYPE, CK_FUNCTION_LIST, CK_MECHANISM, CK_OBJECT_HANDLE, CK_RV, CK_SESSION_HANDLE,
    CK_SLOT_ID, CK_TRUE, CKA_DECRYPT, CKA_ENCRYPT, CKA_LABEL, CKA_TOKEN, CKA_VALUE_LEN, CKF_RW_SESSION,
    CKF_SERIAL_SESSION, CKM_AES_ECB, CKM_AES_KEY_GEN, CKR_OK, CKU_SO, CKU_USER,
};

use crate::descriptor;

/// The first slot.
const SLOT: CK_SLOT_ID = 0x2000_0000_0000_0001;
/// The steps, separated by `;`.
pub(crate) const STEPS: &str = "SETUPS_STEPS";
/// The library to load.
pub(crate) const LIBRARY: &str = "SETUPS_LIBRARY";
/// The file for the answers.
pub(crate) const ANSWERS: &str = "SETUPS_ANSWERS";
/// The officer's PIN, unless the step names another.
const OFFICER: &str = "admin:officer-1";
/// The crypto user's PIN.
const USER: &str = "alice:secret-12";

/// Takes the steps, if there are any.
pub(crate) fn main() {
    let Ok(steps) = std::env::var(STEPS) else { return };
    let library = std::env::var(LIBRARY).unwrap();
    // Opened before any step closes descriptors or fills a disk, and above the standard ones.
    let mut answers = OpenOptions::new().append(true).open(std::env::var(ANSWERS).unwrap()).unwrap();
    // SAFETY: the path is that of the library under test, whose initialisers do nothing.
    let library = unsafe { libloading::Library::new(library) }.unwrap();
    let mut list: *mut CK_FUNCTION_LIST = std::ptr::null_mut();
    // SAFETY: the function has this type by the standard, and writes one pointer.
    let rv = unsafe {
        let get: libloading::Symbol<'_, unsafe extern "C" fn(*mut *mut CK_FUNCTION_LIST) -> CK_RV> =
            library.get(b"C_GetFunctionList").unwrap();
        get(&raw mut list)
    };
    assert_eq!(rv, CKR_OK);
    // SAFETY: no conditions: a child that hangs is ended.
    unsafe { libc::alarm(120) };
    // SAFETY: the library has answered; the list lives as long as the library, which is never unloaded.
    let mut child = Child { list: unsafe { &*list }, session: 0 };
    std::mem::forget(library);
    for step in steps.split(';').filter(|step| !step.is_empty()) {
        let words: Vec<&str> = step.split(' ').collect();
        let answer = child.step(words[0], &words[1..]);
        writeln!(answers, "@{} {answer}", words[0]).unwrap();
    }
}

struct Child {
    list: &'static CK_FUNCTION_LIST,
    session: CK_SESSION_HANDLE,
}

impl Child {
    fn step(&mut self, name: &str, words: &[&str]) -> String {
        match (name, words) {
            ("write", [path]) => errno(File::create(path).map(drop)),
            ("read", [path]) => errno(fs::read(path).map(drop)),
            ("fill", [path]) => fill(Path::new(path)).to_string(),
            ("remove", [path]) => errno(fs::remove_file(path)),
            ("mkdir", [path]) => errno(fs::create_dir(path)),
            ("remount", [options, path]) => remount(options, path),
            ("tell", [path]) => errno(File::create(path).map(drop)),
            ("await", [path]) => await_file(Path::new(path)),
            ("owners", [path]) => owners(Path::new(path)),
            ("umask", [mask]) => umask(mask),
            ("close_standard_streams", []) => close_standard_streams(),
            ("standard_streams", []) => standard_streams(),
            ("stderr_is", [kind, path]) => descriptor::take(kind, path),
            ("received", []) => descriptor::received(),
            ("default_signals", []) => descriptor::default_signals(),
            ("signals", []) => descriptor::signals(),
            ("limit_files", [bytes]) => descriptor::limit_files(bytes),
            ("limit_open_files", [count]) => descriptor::limit_open_files(count),
            // SAFETY: NULL arguments are allowed.
            ("initialize", []) => hex(unsafe { self.list.C_Initialize.unwrap()(std::ptr::null_mut()) }),
            // SAFETY: as above.
            ("finalize", []) => hex(unsafe { self.list.C_Finalize.unwrap()(std::ptr::null_mut()) }),
            ("activate", pin) => hex(self.activate(pin.first().copied().unwrap_or(OFFICER))),
            ("officer", pin) => hex(self.login(CKU_SO, pin.first().copied().unwrap_or(OFFICER))),
            ("create_user", []) => hex(self.create_user()),
            ("login", []) => hex(self.login(CKU_USER, USER)),
            ("guess", []) => hex(self.login(CKU_USER, "alice:not-the-pin")),
            ("destroy", [label]) => hex(self.destroy(label)),
            ("logout", []) => hex(self.logout()),
            ("make", [label]) => hex(self.make(label)),
            ("use", [label]) => self.encrypt(label).unwrap_or_else(hex),
            ("slots", []) => self.slots().to_string(),
            ("count", []) => self.count().map_or_else(hex, |count| count.to_string()),
            _ => panic!("no such step: {name} {words:?}"),
        }
    }

    fn slots(&self) -> u64 {
        let mut count = 0;
        // SAFETY: the count is ours to write; without a list nothing else is.
        let rv = unsafe { self.list.C_GetSlotList.unwrap()(CK_TRUE, std::ptr::null_mut(), &raw mut count) };
        assert_eq!(rv, CKR_OK);
        count
    }

    fn activate(&self, pin: &str) -> CK_RV {
        let mut label = *b"hsm1                            ";
        let mut pin = pin.as_bytes().to_vec();
        // SAFETY: a PIN of its length, and a label of 32 bytes.
        unsafe { self.list.C_InitToken.unwrap()(SLOT, pin.as_mut_ptr(), pin.len() as u64, label.as_mut_ptr()) }
    }

    fn login(&mut self, role: u64, pin: &str) -> CK_RV {
        let mut pin = pin.as_bytes().to_vec();
        let flags = CKF_SERIAL_SESSION | CKF_RW_SESSION;
        // SAFETY: the session's handle is ours to write; the PIN is of its length.
        unsafe {
            let rv = self.list.C_OpenSession.unwrap()(SLOT, flags, std::ptr::null_mut(), None, &raw mut self.session);
            if rv != CKR_OK {
                return rv;
            }
            self.list.C_Login.unwrap()(self.session, role, pin.as_mut_ptr(), pin.len() as u64)
        }
    }

    fn logout(&self) -> CK_RV {
        // SAFETY: no pointers.
        unsafe { self.list.C_CloseAllSessions.unwrap()(SLOT) }
    }

    fn create_user(&mut self) -> CK_RV {
        let rv = self.login(CKU_SO, OFFICER);
        if rv != CKR_OK {
            return rv;
        }
        let mut pin = USER.as_bytes().to_vec();
        // SAFETY: a PIN of its length.
        let rv = unsafe { self.list.C_InitPIN.unwrap()(self.session, pin.as_mut_ptr(), pin.len() as u64) };
        self.logout();
        rv
    }

    fn make(&self, label: &str) -> CK_RV {
        let mut mechanism =
            CK_MECHANISM { mechanism: CKM_AES_KEY_GEN, pParameter: std::ptr::null_mut(), ulParameterLen: 0 };
        let (mut yes, mut length, mut label) = ([CK_TRUE], 32_u64.to_ne_bytes(), label.as_bytes().to_vec());
        let (mut encrypt, mut decrypt) = ([CK_TRUE], [CK_TRUE]);
        let mut template = [
            attribute(CKA_TOKEN, &mut yes),
            attribute(CKA_LABEL, &mut label),
            attribute(CKA_VALUE_LEN, &mut length),
            attribute(CKA_ENCRYPT, &mut encrypt),
            attribute(CKA_DECRYPT, &mut decrypt),
        ];
        let mut key: CK_OBJECT_HANDLE = 0;
        // SAFETY: a mechanism and a template whose pointers are alive, and a handle to write.
        unsafe {
            self.list.C_GenerateKey.unwrap()(
                self.session,
                &raw mut mechanism,
                template.as_mut_ptr(),
                template.len() as u64,
                &raw mut key,
            )
        }
    }

    fn find(&self, template: &mut [CK_ATTRIBUTE]) -> Result<Vec<CK_OBJECT_HANDLE>, CK_RV> {
        let mut found = [0; 64];
        let mut count = 0;
        // SAFETY: a template whose pointers are alive, and room for as many handles as is said.
        unsafe {
            check(self.list.C_FindObjectsInit.unwrap()(self.session, template.as_mut_ptr(), template.len() as u64))?;
            let rv = self.list.C_FindObjects.unwrap()(self.session, found.as_mut_ptr(), 64, &raw mut count);
            self.list.C_FindObjectsFinal.unwrap()(self.session);
            check(rv)?;
        }
        Ok(found[..usize::try_from(count).unwrap()].to_vec())
    }

    fn count(&self) -> Result<usize, CK_RV> {
        Ok(self.find(&mut [])?.len())
    }

    fn destroy(&self, label: &str) -> CK_RV {
        let mut label = label.as_bytes().to_vec();
        match self.find(&mut [attribute(CKA_LABEL, &mut label)]) {
            // SAFETY: no pointers.
            Ok(found) if found.len() == 1 => unsafe { self.list.C_DestroyObject.unwrap()(self.session, found[0]) },
            Ok(found) => panic!("{} keys of that label", found.len()),
            Err(rv) => rv,
        }
    }

    /// One block of zeros under the key of that label: the same answer in every process, from this key alone.
    fn encrypt(&self, label: &str) -> Result<String, CK_RV> {
        let mut label = label.as_bytes().to_vec();
        let found = self.find(&mut [attribute(CKA_LABEL, &mut label)])?;
        let [key] = found[..] else { return Ok(format!("{} keys of that label", found.len())) };
        let mut mechanism =
            CK_MECHANISM { mechanism: CKM_AES_ECB, pParameter: std::ptr::null_mut(), ulParameterLen: 0 };
        let (mut zeros, mut out, mut length) = ([0_u8; 16], [0_u8; 16], 16);
        // SAFETY: a mechanism without a parameter, and two buffers of 16 bytes.
        unsafe {
            check(self.list.C_EncryptInit.unwrap()(self.session, &raw mut mechanism, key))?;
            let list = self.list;
            check(list.C_Encrypt.unwrap()(self.session, zeros.as_mut_ptr(), 16, out.as_mut_ptr(), &raw mut length))?;
        }
        let mut text = String::from("block-");
        for byte in out {
            write!(text, "{byte:02x}").unwrap();
        }
        Ok(text)
    }
}

fn attribute(kind: CK_ATTRIBUTE_TYPE, value: &mut [u8]) -> CK_ATTRIBUTE {
    CK_ATTRIBUTE { type_: kind, pValue: value.as_mut_ptr().cast(), ulValueLen: value.len() as u64 }
}

fn check(rv: CK_RV) -> Result<(), CK_RV> {
    if rv == CKR_OK { Ok(()) } else { Err(rv) }
}

fn hex(rv: CK_RV) -> String {
    format!("{rv:#x}")
}

/// What the system says about a plain call: `ok`, or the error's number.
fn errno(result: std::io::Result<()>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(error) => error.raw_os_error().unwrap_or(-1).to_string(),
    }
}

/// Writes into a new file until the file system takes no more; the errno that said so.
fn fill(path: &Path) -> i32 {
    let mut file = File::create(path).unwrap();
    let mut size = 65536;
    loop {
        match file.write_all(&vec![1; size]) {
            Ok(()) => {}
            Err(_) if size > 1 => size /= 2,
            Err(error) => return error.raw_os_error().unwrap_or(-1),
        }
    }
}

fn remount(options: &str, path: &str) -> String {
    let status = std::process::Command::new("mount").args(["-o", &format!("remount,{options}"), path]).status();
    if status.is_ok_and(|status| status.success()) { "ok".to_owned() } else { "failed".to_owned() }
}

fn await_file(path: &Path) -> String {
    let end = Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        if Instant::now() > end {
            return "nobody came".to_owned();
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    "ok".to_owned()
}

/// Owner, group and mode of each file in a folder, in the order of their names.
fn owners(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let mut names: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    names.insert(0, path.to_owned());
    let each = names.iter().map(|name| {
        let status = fs::symlink_metadata(name).unwrap();
        let name = name.file_name().unwrap().display();
        format!("{name}:{}:{}:{:o}", status.uid(), status.gid(), status.mode() & 0o7777)
    });
    each.collect::<Vec<_>>().join(",")
}

fn umask(mask: &str) -> String {
    // SAFETY: cannot fail and touches no memory.
    unsafe { libc::umask(u32::from_str_radix(mask, 8).unwrap()) };
    "ok".to_owned()
}

fn close_standard_streams() -> String {
    for descriptor in 0..3 {
        // SAFETY: this process writes its answers elsewhere.
        unsafe { libc::close(descriptor) };
    }
    "ok".to_owned()
}

/// What descriptors 0, 1 and 2 lead to now.
fn standard_streams() -> String {
    let each = (0..3).map(|descriptor| match fs::read_link(format!("/proc/self/fd/{descriptor}")) {
        Ok(path) => path.display().to_string(),
        Err(_) => "closed".to_owned(),
    });
    each.collect::<Vec<_>>().join(",")
}
