//! The write lock between processes, over forks and kills.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::fork::install;
use crate::testing::children::in_child;
use crate::testing::{Temporary, temporary};

fn folder() -> (Temporary, Directory, GenerationMap) {
    let home = temporary();
    let directory = Directory::open(home.path(), Access::default()).unwrap();
    GenerationMap::create(&directory, Access::default()).unwrap();
    WriteLock::create(&directory, Access::default()).unwrap();
    let map = GenerationMap::open(&directory, Access::default()).unwrap();
    (home, directory, map)
}

#[test]
fn excludes_and_names_the_holder() {
    let (_home, directory, map) = folder();
    let first = WriteLock::open(&directory, Access::default()).unwrap();
    let second = WriteLock::open(&directory, Access::default()).unwrap();
    let held = first.acquire(Instant::now(), &map).unwrap();
    let error = second.acquire(Instant::now(), &map).err().unwrap();
    assert_eq!(error.rv(), base::ck::CKR_DEVICE_ERROR);
    assert!(error.message().contains(&format!("process {}", process::pid())), "{error}");
    drop(held);
    drop(second.acquire(Instant::now(), &map).unwrap());
}

#[test]
fn a_child_neither_uses_nor_keeps_it() {
    install().unwrap();
    let (_home, directory, map) = folder();
    let lock = WriteLock::open(&directory, Access::default()).unwrap();
    let code = in_child(|| {
        if lock.acquire(Instant::now(), &map).is_ok() {
            return 1;
        }
        // SAFETY: asks whether a number is a descriptor.
        let open = unsafe { libc::fcntl(lock.descriptor, libc::F_GETFD) } >= 0;
        // A descriptor of that number which is not the lock's must survive the drop of the inherited lock.
        i32::from(open) * 2
    });
    assert_eq!(code, 0);
    drop(lock.acquire(Instant::now(), &map).unwrap());
}

#[test]
fn a_sleeping_child_does_not_keep_the_lock_of_a_killed_parent() {
    install().unwrap();
    let (_home, directory, map) = folder();
    let mine = WriteLock::open(&directory, Access::default()).unwrap();
    let mut pipe = [0; 2];
    // SAFETY: `pipe` has room for the two descriptors.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    let code = in_child(|| {
        let theirs = WriteLock::open(&directory, Access::default()).unwrap();
        // SAFETY: the grandchild only sleeps and leaves by `_exit`.
        if unsafe { libc::fork() } == 0 {
            // SAFETY: as above; it writes one byte when it has started.
            unsafe {
                libc::write(pipe[1], c"x".as_ptr().cast(), 1);
                libc::sleep(3);
                libc::_exit(0);
            }
        }
        let held = theirs.acquire(Instant::now(), &map).unwrap();
        std::mem::forget(held);
        // SAFETY: dies as a killed process does, with the lock held.
        unsafe { libc::raise(libc::SIGKILL) };
        0
    });
    assert_eq!(code, 1000 + libc::SIGKILL);
    let mut byte = 0_u8;
    // SAFETY: one byte into one byte; then both ends are closed.
    unsafe {
        assert_eq!(libc::read(pipe[0], (&raw mut byte).cast(), 1), 1);
        libc::close(pipe[0]);
        libc::close(pipe[1]);
    }
    drop(mine.acquire(Instant::now(), &map).unwrap());
}
