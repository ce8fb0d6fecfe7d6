//! Files that fail under a descriptor that is open, as a disk can.

#![allow(unsafe_code)]

use std::fs;
use std::os::fd::RawFd;
use std::path::PathBuf;

/// Runs `work` while none of these files can be read through a descriptor of this process: each read fails.
pub fn while_unreadable(files: &[PathBuf], work: impl FnOnce()) {
    let listed: Vec<RawFd> = fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|number| fs::read_link(format!("/proc/self/fd/{number}")).is_ok_and(|target| files.contains(&target)))
        .collect();
    // SAFETY: numbers of open descriptors, each of which is open again under its number when the function returns; nobody but the
    // test knows of them meanwhile.
    unsafe {
        let nothing = libc::open(c"/".as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
        let kept: Vec<(RawFd, RawFd)> = listed.into_iter().map(|number| (libc::dup(number), number)).collect();
        for (_, number) in &kept {
            libc::dup2(nothing, *number);
        }
        work();
        for (kept, number) in kept {
            libc::dup2(kept, number);
            libc::close(kept);
        }
        libc::close(nothing);
    }
}
