//! The folders and files: whose they are, who else may enter, and that none is a link to somewhere else.
//!
//! The library refuses the first of these that it meets; here all of them are named.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hsm::config::Config;

use super::Report;
use crate::context::HSM;

const STICKY: u32 = 0o1000;

/// The folder that holds the HSMs.
pub(super) fn home(report: &mut Report, config: &Config) {
    let home = &config.home;
    let found = match fs::symlink_metadata(home) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return report.note(
                "home",
                &format!("{} is not there yet; `cloudhsm-cli cluster activate` makes it", home.display()),
            );
        }
        Err(error) => {
            return report.wrong("home", &format!("{}: {error}; correct CLOUDHSM_PKCS11_HOME", home.display()));
        }
    };
    if found.is_symlink() {
        report.wrong(
            "home",
            &format!("{} is a symbolic link; name the folder itself in CLOUDHSM_PKCS11_HOME", home.display()),
        );
    } else if !found.is_dir() {
        report.wrong("home", &format!("{} is no folder; correct CLOUDHSM_PKCS11_HOME", home.display()));
    } else if !(owned_by_another(report, "home", home, &found, config)
        || others_may_write(report, "home", home, config))
    {
        report.ok("home", &format!("{}, mode {:04o}", home.display(), found.mode() & 0o7777));
    }
}

/// The folder of the HSM and everything in it.
pub(super) fn folder(report: &mut Report, config: &Config) {
    let folder = config.home.join(HSM);
    let Ok(found) = fs::symlink_metadata(&folder) else { return };
    let shared = config.settings.group.is_some();
    let mut sound = !report_link(report, &folder, &found)
        && !owned_by_another(report, "permissions", &folder, &found, config)
        && !too_wide(report, &folder, &found, if shared { 0o770 } else { 0o700 });
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => {
            return report
                .wrong("permissions", &format!("{}: {error}; give this account access to it", folder.display()));
        }
    };
    let owner = found.uid();
    let mut count = 0_u32;
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        count += 1;
        let bad = report_link(report, &path, &found)
            || too_wide(report, &path, &found, if shared { 0o660 } else { 0o600 })
            || strange_owner(report, &path, &found, owner)
            || unreadable(report, &path, &found);
        sound &= !bad;
    }
    if sound {
        report.ok("permissions", &format!("{} and the {count} files in it", folder.display()));
    }
}

/// Says so if accounts that the configuration does not name may write.
pub(super) fn others_may_write(report: &mut Report, check: &str, path: &Path, config: &Config) -> bool {
    let Ok(found) = fs::metadata(path) else { return false };
    let writers = if config.settings.group == Some(found.gid()) { 0o002 } else { 0o022 };
    let open = found.mode() & writers != 0 && found.mode() & STICKY == 0;
    if open {
        let path = path.display();
        report.wrong(
            check,
            &format!("{path}: others may write (mode {:04o}); run: chmod go-w {path}", found.mode() & 0o7777),
        );
    }
    open
}

fn owned_by_another(report: &mut Report, check: &str, path: &Path, found: &Metadata, config: &Config) -> bool {
    // The owner of a process's own entry is its effective user.
    let Ok(user) = fs::metadata("/proc/self").map(|own| own.uid()) else { return false };
    let another = config.settings.group.is_none() && user != 0 && found.uid() != user;
    if another {
        report.wrong(
            check,
            &format!(
                "{}: belongs to user {} and this process runs as user {user}; run it as that user, or share the folder with \
                 the setting `group`",
                path.display(),
                found.uid()
            ),
        );
    }
    another
}

fn report_link(report: &mut Report, path: &Path, found: &Metadata) -> bool {
    let linked = found.is_symlink() || (found.is_file() && found.nlink() > 1);
    if linked {
        report.wrong(
            "permissions",
            &format!("{}: is a link; put the file or folder itself in its place", path.display()),
        );
    }
    linked
}

fn too_wide(report: &mut Report, path: &Path, found: &Metadata, allowed: u32) -> bool {
    let mode = found.mode() & 0o777;
    let wide = mode & !allowed != 0;
    if wide {
        let path = path.display();
        report.wrong(
            "permissions",
            &format!("{path}: its mode {mode:04o} lets others in; run: chmod {allowed:04o} {path}"),
        );
    }
    wide
}

fn strange_owner(report: &mut Report, path: &Path, found: &Metadata, owner: u32) -> bool {
    let strange = found.uid() != owner;
    if strange {
        let path = path.display();
        report.wrong(
            "permissions",
            &format!("{path}: belongs to user {}, its folder to {owner}; run: chown {owner} {path}", found.uid()),
        );
    }
    strange
}

fn unreadable(report: &mut Report, path: &Path, found: &Metadata) -> bool {
    // Opening anything but a plain file may wait for ever.
    if !found.is_file() {
        report.wrong("permissions", &format!("{}: is no plain file; move it away", path.display()));
        return true;
    }
    match fs::File::open(path) {
        Ok(_) => false,
        Err(error) => {
            let path = path.display();
            report.wrong("permissions", &format!("{path}: {error}; run: chmod u+rw {path}"));
            true
        }
    }
}
