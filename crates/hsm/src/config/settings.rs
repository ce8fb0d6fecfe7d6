//! The settings themselves: one field, one name in the file, one variable `CLOUDHSM_PKCS11_<NAME>`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base::ck;
use base::error::{Error, Result};
use platform::outside::Outside;
use serde::Deserialize;

use super::{Dialect, Profile};

/// Which events the audit log holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audit {
    /// Durable changes, failed logins and lockouts.
    #[default]
    Changes,
    /// Everything that AWS's log holds.
    Aws,
}

/// How much the log says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Failures of the library or its set-up.
    Error,
    /// Also what an operator should look at.
    #[default]
    Warn,
    /// Also refusals, with their reason.
    Info,
    /// Also each call and its result.
    Debug,
}

/// Whether each call is written down, and in what form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trace {
    /// It is not.
    #[default]
    Off,
    /// As a line for people.
    Text,
    /// As an object of JSON in a line.
    Json,
}

/// Everything that can be set.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The dialect of this process.
    pub profile: Profile,
    /// FIPS mode, recorded when the HSM is created; nothing means what was recorded, off for a new HSM.
    pub fips: Option<bool>,
    /// Secure mode, as `fips`.
    pub secure: Option<bool>,
    /// What the audit log records.
    pub audit: Audit,
    /// The audit log also records each use of a key.
    pub audit_key_use: bool,
    /// Refuse an operation whose record cannot be written.
    pub audit_required: bool,
    /// Where the head of the HSM goes after each commit: `syslog`, `syslog:` and a socket, or a file outside the HSM's folder.
    pub audit_anchor: Option<String>,
    /// How much is logged.
    pub log_level: LogLevel,
    /// Where the log goes instead of stderr.
    pub log_file: Option<PathBuf>,
    /// Whether each call is written down: docs/tracing.md.
    pub trace: Trace,
    /// Where the trace goes instead of where the log goes.
    pub trace_file: Option<PathBuf>,
    /// The group (by number) whose accounts share the HSM; without it only the owner may use it.
    pub group: Option<u32>,
    /// Memory of the PIN's key derivation, in KiB; recorded with each user.
    pub pin_memory_kib: u32,
    /// Passes of the PIN's key derivation; recorded with each user.
    pub pin_passes: u32,
    /// Allow the HSM's folder on a network file system, whose locks may not work.
    pub allow_network_file_system: bool,
    /// Decrypted objects kept in memory.
    pub cached_objects: u32,
    /// The clusters, each an HSM in a slot of its own.
    pub clusters: u32,
    /// Sessions without CKF_RW_SESSION can be opened; nothing means as the profile has it, here and below.
    pub read_only_sessions: Option<bool>,
    /// See [`Dialect::key_availability_check`].
    pub key_availability_check: Option<bool>,
    /// See [`Dialect::private_template_bug`].
    pub private_template_bug: Option<bool>,
    /// See [`Dialect::certificate_storage`].
    pub certificate_storage: Option<bool>,
    /// See [`Dialect::ecdsa_with_weak_hash`].
    pub ecdsa_with_weak_hash: Option<bool>,
    /// See [`Dialect::ecdh_without_kdf`].
    pub ecdh_without_kdf: Option<bool>,
    /// See [`Dialect::throttle`].
    pub throttle: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            fips: None,
            secure: None,
            audit: Audit::default(),
            audit_key_use: false,
            audit_required: false,
            audit_anchor: None,
            log_level: LogLevel::default(),
            log_file: None,
            trace: Trace::default(),
            trace_file: None,
            group: None,
            pin_memory_kib: 19 * 1024,
            pin_passes: 2,
            allow_network_file_system: false,
            cached_objects: 1024,
            clusters: 1,
            read_only_sessions: None,
            key_availability_check: None,
            private_template_bug: None,
            certificate_storage: None,
            ecdsa_with_weak_hash: None,
            ecdh_without_kdf: None,
            throttle: None,
        }
    }
}

/// The names of all settings, as they stand in the file.
const NAMES: &[&str] = &[
    "profile",
    "fips",
    "secure",
    "audit",
    "audit_key_use",
    "audit_required",
    "audit_anchor",
    "log_level",
    "log_file",
    "trace",
    "trace_file",
    "group",
    "pin_memory_kib",
    "pin_passes",
    "allow_network_file_system",
    "cached_objects",
    "clusters",
    "read_only_sessions",
    "key_availability_check",
    "private_template_bug",
    "certificate_storage",
    "ecdsa_with_weak_hash",
    "ecdh_without_kdf",
    "throttle",
];

impl Settings {
    /// The dialect of this process: the profile's, with what the settings switch.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        let profile = self.profile.dialect();
        Dialect {
            read_only_sessions: self.read_only_sessions.unwrap_or(profile.read_only_sessions),
            key_availability_check: self.key_availability_check.unwrap_or(profile.key_availability_check),
            private_template_bug: self.private_template_bug.unwrap_or(profile.private_template_bug),
            certificate_storage: self.certificate_storage.unwrap_or(profile.certificate_storage),
            ecdsa_with_weak_hash: self.ecdsa_with_weak_hash.unwrap_or(profile.ecdsa_with_weak_hash),
            ecdh_without_kdf: self.ecdh_without_kdf.unwrap_or(profile.ecdh_without_kdf),
            // 0 takes a limit away that a file sets.
            throttle: self.throttle.or(profile.throttle).filter(|most| *most > 0),
            ..profile.clone()
        }
    }

    /// The settings that `text` (our file at `path`) makes, each of a type and a value that it can have.
    pub(super) fn parse(text: &str, path: &Path) -> Result<toml::Table> {
        let failed = |error: &toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = 1 + before.matches('\n').count();
            wrong(path.display(), &format!("line {line}: {}", error.message()))
        };
        toml::from_str::<Self>(text).map_err(|error| failed(&error))?;
        text.parse().map_err(|error| failed(&error))
    }

    /// The settings that a file makes (`table`, of the file at `path`), each replaced by its variable where there is one.
    pub(super) fn of(
        mut table: toml::Table,
        path: &Path,
        environment: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Self> {
        let in_file = |why: &str| wrong(path.display(), why);
        // The file is judged before the environment covers it, so that each is blamed for its own mistakes.
        let of_file = table.clone().try_into::<Self>().map_err(|error| in_file(error.message()))?;
        of_file.check().map_err(|why| in_file(&why))?;
        for name in NAMES {
            let variable = format!("CLOUDHSM_PKCS11_{}", name.to_uppercase());
            let Some(value) = environment(&variable) else { continue };
            let value = value.into_string().map_err(|_| wrong(&variable, "is not UTF-8"))?;
            let mut alone = toml::Table::new();
            alone.insert((*name).to_owned(), typed(&value));
            alone
                .clone()
                .try_into::<Self>()
                .map_err(|error| wrong(&variable, &format!("{} (the value is `{value}`)", error.message())))?
                .check()
                .map_err(|why| wrong(&variable, &why))?;
            table.extend(alone);
        }
        table.try_into::<Self>().map_err(|error| in_file(error.message()))
    }

    /// What the types cannot say.
    fn check(self) -> std::result::Result<Self, String> {
        argon2_cost(self.pin_memory_kib, self.pin_passes)
            .map_err(|wrong| format!("pin_memory_kib and pin_passes are {wrong}"))?;
        let most = super::clusters::MOST;
        if !(1..=most).contains(&self.clusters) {
            return Err(format!("clusters is {}, it must be 1 to {most}", self.clusters));
        }
        if let Some(place) = self.audit_anchor.as_deref()
            && Outside::named(place).is_none()
        {
            return Err(format!(
                "audit_anchor is `{place}`, it must be syslog, syslog:/SOCKET or the whole path of a file"
            ));
        }
        if self.cached_objects < 16 {
            return Err(format!("cached_objects is {}, it must be 16 or more", self.cached_objects));
        }
        Ok(self)
    }
}

/// Refuses a cost of Argon2id that makes guessing cheap (below OWASP's 19 MiB and 2 passes) or that one password cannot be worth: more memory
/// than RFC 9106 asks for at its most (section 4: 2 GiB), or more than that four times over.
///
/// # Errors
/// The cost, and what is allowed.
pub fn argon2_cost(memory_kib: u32, passes: u32) -> std::result::Result<(), String> {
    const LEAST_MEMORY: u32 = 19 * 1024;
    const MOST_MEMORY: u32 = 2 * 1024 * 1024;
    const MOST_WORK: u64 = 4 * MOST_MEMORY as u64;
    let work = u64::from(memory_kib) * u64::from(passes);
    if (LEAST_MEMORY..=MOST_MEMORY).contains(&memory_kib) && passes >= 2 && work <= MOST_WORK {
        return Ok(());
    }
    Err(format!(
        "{memory_kib} KiB and {passes} passes of Argon2id, it must be {LEAST_MEMORY} to {MOST_MEMORY} KiB, 2 passes or more, and no more \
         than {MOST_WORK} KiB in all passes together"
    ))
}

/// A refused setting: where it stands, and why in one line.
fn wrong(place: impl std::fmt::Display, why: &str) -> Error {
    Error::with(ck::CKR_FUNCTION_FAILED, format!("configuration {place}: {}", one_line(why)))
}

/// A variable's text as the value that the file would hold.
fn typed(text: &str) -> toml::Value {
    match text {
        "true" => toml::Value::Boolean(true),
        "false" => toml::Value::Boolean(false),
        _ => text.parse().map_or_else(|_| toml::Value::String(text.to_owned()), toml::Value::Integer),
    }
}

/// A message of the parser in one line.
fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    /// The parser itself lists its fields when it meets an unknown one, so the two lists cannot part.
    #[test]
    fn every_field_has_its_name() {
        let error = toml::from_str::<Settings>("no_such_setting = 1").err().unwrap().to_string();
        for name in NAMES {
            assert!(error.contains(&format!("`{name}`")), "{name} is no field: {error}");
        }
        let listed = error.split_once("expected one of").map_or("", |(_, listed)| listed);
        assert_eq!(listed.matches('`').count() / 2, NAMES.len(), "a field is not in NAMES: {error}");
    }
}
