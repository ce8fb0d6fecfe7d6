//! The HSM itself: whether it opens, whether its records are whole and its audit log unbroken.

use hsm::config::Config;
use hsm::module::{HsmSettings, Module, UserInformation};

use super::Report;
use crate::context::HSM;
use crate::credentials::Credentials;

const RESTORE: &str = "end the programs that use it, move the folder away, run `cloudhsm-cli backup restore`, and keep this one to find out what happened";

pub(super) fn check(
    report: &mut Report,
    config: &Config,
    cluster: Option<&str>,
    verify: bool,
    credentials: Option<&Credentials>,
) {
    let module = match Module::open(config, HSM) {
        Ok(module) => module,
        Err(error) => return report.wrong("hsm", error.message()),
    };
    let recorded = module.recorded();
    if let Some(id) = cluster
        && id != HSM
        && recorded.as_ref().is_none_or(|recorded| recorded.serial != id)
    {
        report.wrong("cluster", &format!("{id} is not configured; the one here is {HSM}"));
    }
    match recorded {
        None => report.note("hsm", "is not activated; run `cloudhsm-cli cluster activate`"),
        Some(recorded) => {
            hsm(report, &recorded);
            users(report, &module);
            database(report, &module);
            if verify {
                records(report, &module, credentials);
                anchor(report, &module);
            }
        }
    }
    module.close();
}

fn hsm(report: &Report, recorded: &HsmSettings) {
    let mode = |on: bool| if on { "on" } else { "off" };
    report.ok(
        "hsm",
        &format!(
            "{HSM}, serial number {}, label {}, FIPS mode {}, secure mode {}",
            recorded.serial,
            recorded.label,
            mode(recorded.fips),
            mode(recorded.secure)
        ),
    );
}

fn users(report: &mut Report, module: &Module) {
    let users = match module.list_users() {
        Ok(users) => users,
        Err(error) => return report.wrong("users", &format!("{error}; {RESTORE}")),
    };
    let locked: Vec<&str> =
        users.iter().filter(|user| user.locked).map(|user: &UserInformation| user.name.as_str()).collect();
    if locked.is_empty() {
        report.ok("users", &format!("{}, none locked", users.len()));
    } else {
        report
            .note("users", &format!("locked: {}; an admin unlocks one with `user change-password`", locked.join(", ")));
    }
}

fn database(report: &mut Report, module: &Module) {
    let mut sound = true;
    match module.complaints() {
        Ok(complaints) => {
            for complaint in complaints {
                sound = false;
                report.wrong("database", &format!("{complaint}; {RESTORE}"));
            }
        }
        Err(error) => {
            sound = false;
            report.wrong("database", &format!("{error}; {RESTORE}"));
        }
    }
    let health = match module.examine() {
        Ok(Some(health)) => health,
        Ok(None) => return,
        Err(error) => {
            // The same failure is not told twice.
            if sound {
                report.wrong("database", &format!("{error}; {RESTORE}"));
            }
            return;
        }
    };
    if !health.sum_is_right {
        sound = false;
        report.wrong("database", &format!("a record was cut out, put back or exchanged; {RESTORE}"));
    }
    for id in health.unreadable {
        sound = false;
        report.wrong("database", &format!("the record of object {id:#018x} is not what was written; {RESTORE}"));
    }
    if sound {
        report.ok(
            "database",
            &format!(
                "{} objects, {} users, every record in its place; --verify also opens each",
                health.objects, health.users
            ),
        );
    }
    match health.audit_broken_at {
        Some(place) => report.wrong("audit log", &format!("is broken at record {place}; {RESTORE}")),
        None => report.ok("audit log", &format!("{} records, unbroken", health.audit_entries)),
    }
}

/// Opens every record that can be opened.
fn records(report: &mut Report, module: &Module, credentials: Option<&Credentials>) {
    let login = match credentials.map(|given| module.login(given.role, given.pin.expose())).transpose() {
        Ok(login) => login,
        Err(error) => return report.wrong("records", &format!("nobody is logged in: {error}; correct CLOUDHSM_PIN")),
    };
    match module.verify_store(login.as_ref()) {
        Ok(None) => {}
        Err(error) => report.wrong("records", &format!("{error}; {RESTORE}")),
        Ok(Some(found)) => {
            for text in &found.wrong {
                report.wrong("records", &format!("{text}; {RESTORE}"));
            }
            if found.wrong.is_empty() {
                report
                    .ok("records", &format!("{} opened, all as they were written, index and counts too", found.opened));
            }
            if found.unopened > 0 {
                let text = "were not opened, which takes a user's password: set CLOUDHSM_ROLE and CLOUDHSM_PIN";
                report.note("records", &format!("{} {text}", found.unopened));
            }
        }
    }
}

/// Compares the HSM with the anchor that the settings name.
fn anchor(report: &mut Report, module: &Module) {
    match module.verify_own_anchor() {
        Ok(None) => report.note(
            "anchor",
            "there is no file to compare with: whoever has the folder with device.key can write records and the log anew (audit_anchor, \
             `audit verify --anchor`)",
        ),
        Ok(Some(found)) if found.wrong.is_empty() => {
            report.ok("anchor", &format!("{} lines, and the HSM is what they say", found.lines));
        }
        Ok(Some(found)) => {
            for text in &found.wrong {
                report.wrong("anchor", &format!("{text}; look through `audit list` from there, or {RESTORE}"));
            }
        }
        Err(error) => report.wrong("anchor", error.message()),
    }
}
