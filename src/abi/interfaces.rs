//! C_GetFunctionList, C_GetInterfaceList, C_GetInterface: the function lists that a caller can choose from.

use std::ffi::{CStr, c_void};

use base::ck::{self, CK_FLAGS, CK_FUNCTION_LIST, CK_INTERFACE, CK_ULONG, CK_UTF8CHAR, CK_VERSION};
use base::error::{Error, Result};
use hsm::config::{Config, Settings};

use super::functions::{V2_40, V3_0, V3_2};
use super::memory;

const NAME: &CStr = c"PKCS 11";
/// Long enough for any name that somebody may ask for; a longer one is another interface.
const LONGEST_NAME: usize = 64;

/// The interfaces, the newest first: it is the default one.
struct Interfaces([CK_INTERFACE; 3]);

// SAFETY: the pointers are to statics that are never written.
unsafe impl Sync for Interfaces {}

static INTERFACES: Interfaces = Interfaces([
    interface((&raw const V3_2).cast()),
    interface((&raw const V3_0).cast()),
    interface((&raw const V2_40).cast()),
]);

const fn interface(list: *const c_void) -> CK_INTERFACE {
    CK_INTERFACE {
        pInterfaceName: NAME.as_ptr().cast::<CK_UTF8CHAR>().cast_mut(),
        pFunctionList: list.cast_mut(),
        // The lists stay valid in a forked child; the child calls C_Initialize.
        flags: 0,
    }
}

/// The interfaces of this process. These functions work before C_Initialize and never fail for the configuration.
fn served() -> &'static [CK_INTERFACE] {
    let settings = Config::read().map_or_else(|_| Settings::default(), |config| config.settings);
    let all = &INTERFACES.0;
    if settings.dialect().newer_interfaces { all } else { all.get(2..).unwrap_or_default() }
}

/// C_GetFunctionList: always 2.40, which every caller understands.
pub(super) unsafe fn function_list(list: *mut *mut CK_FUNCTION_LIST) -> Result<()> {
    // SAFETY: the caller's pointer, by the standard.
    unsafe { memory::write(list, (&raw const V2_40).cast_mut()) }
}

/// C_GetInterfaceList.
pub(super) unsafe fn interface_list(list: *mut CK_INTERFACE, count: *mut CK_ULONG) -> Result<()> {
    // SAFETY: the caller's pointers, by the standard.
    unsafe { memory::write_list(list, count, served()) }
}

/// C_GetInterface.
pub(super) unsafe fn interface_by(
    name: *mut CK_UTF8CHAR,
    version: *mut CK_VERSION,
    found: *mut *mut CK_INTERFACE,
    flags: CK_FLAGS,
) -> Result<()> {
    // SAFETY: NULL or a string that ends, by the standard.
    let named = unsafe { memory::text_is(name, NAME.to_bytes(), LONGEST_NAME) };
    // SAFETY: NULL or a CK_VERSION, by the standard.
    let version = unsafe { memory::read_optional(version) };
    let interface = served().iter().find(|interface| {
        // SAFETY: every list of ours begins with its version.
        let own = unsafe { interface.pFunctionList.cast::<CK_VERSION>().read() };
        named
            && version.is_none_or(|wanted| wanted.major == own.major && wanted.minor == own.minor)
            && flags & !interface.flags == 0
    });
    let interface = interface.ok_or(Error::new(ck::CKR_ARGUMENTS_BAD, "no such interface"))?;
    // SAFETY: the caller's pointer, by the standard.
    unsafe { memory::write(found, std::ptr::from_ref(interface).cast_mut()) }
}
