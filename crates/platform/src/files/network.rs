//! Refuses file systems that other machines share: SQLite's WAL needs shared memory and locks of one kernel.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;

use base::error::{Error, Result};

use super::Directory;
use super::check::failed;

/// The numbers by which `statfs` knows them (linux/magic.h and the drivers' own headers), and their names.
const NETWORK: &[(u32, &str)] = &[
    (0x0000_6969, "NFS"),
    (0x0000_517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9P"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x00C3_6400, "CEPH"),
    (0x7375_7245, "CODA"),
    (0x0000_564C, "NCP"),
    (0x0BD0_0BD0, "LUSTRE"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x4750_4653, "GPFS"),
    (0xAAD7_AAEA, "PanFS"),
    (0x1983_0326, "BeeGFS"),
    (0x2003_0528, "OrangeFS"),
    (0x6163_6673, "ACFS"),
    (0xBEEF_DEAD, "SNFS"),
    (0x786F_4256, "VirtualBox shared folder"),
    (0xBACB_ACBC, "VMware shared folder"),
];

/// Whether the folder is on a file system of this machine.
///
/// # Errors
/// `CKR_DEVICE_ERROR` naming the file system and the setting that overrides this.
pub fn check_local(directory: &Directory) -> Result<()> {
    let mut found = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the descriptor is open as long as `directory`, and `found` has room for the answer.
    if unsafe { libc::fstatfs(directory.descriptor(), found.as_mut_ptr()) } != 0 {
        return Err(failed(directory.path(), "cannot be examined", &io::Error::last_os_error()));
    }
    // SAFETY: the call succeeded, so it has filled the structure.
    let kind = unsafe { found.assume_init() }.f_type;
    // The numbers have 32 bits; the field is wider, and sign-extended by some drivers.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let kind = kind as u32;
    match NETWORK.iter().find(|(number, _)| *number == kind) {
        None => Ok(()),
        Some((_, name)) => Err(Error::device(format!(
            "{}: is on a {name} file system, where several machines could destroy it; move it to a local disk, or set \
             allow_network_file_system = true if only this machine uses it",
            directory.path().display()
        ))),
    }
}
