//! Configuration: a file and the environment, read once at C_Initialize and turned into types.
//!
//! No configuration at all is a good configuration. A wrong one is refused with one line that names the path, the
//! reason and the cure. In a setuid program only the file under `/etc` counts, because the caller owns the rest.

mod profile;
mod regime;
mod settings;

pub use profile::{Dialect, Profile};
pub use regime::{Mode, Regime};
pub use settings::{Audit, LogLevel, Settings};

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::ck;
use crate::error::{Error, Result};
use crate::platform::process;

/// Where the file lies when the caller's environment cannot be trusted.
const SYSTEM_FILE: &str = "/etc/cloudhsm-pkcs11/config.toml";
/// The longest configuration file that is read, in bytes.
const LONGEST_FILE: u64 = 64 * 1024;

/// What one process works with, from C_Initialize to C_Finalize.
pub struct Config {
    /// The directory that holds one folder for each HSM.
    pub home: PathBuf,
    /// The settings, each with its default if nobody named it.
    pub settings: Settings,
}

impl Config {
    /// Reads the configuration of this process.
    ///
    /// # Errors
    /// CKR_FUNCTION_FAILED with one line: an unreadable file, an unknown setting, a value of the wrong type.
    pub fn read() -> Result<Self> {
        let environment = |name: &str| if process::is_setuid() { None } else { std::env::var_os(name) };
        Self::from(&environment)
    }

    /// Reads the configuration from `environment` and the file that it leads to.
    fn from(environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Self> {
        let home = home(environment)?;
        let (path, demanded) = if process::is_setuid() {
            (PathBuf::from(SYSTEM_FILE), false)
        } else if let Some(path) = environment("CLOUDHSM_PKCS11_CONFIG") {
            (PathBuf::from(path), true)
        } else {
            (home.join("config.toml"), false)
        };
        let text = read_file(&path, demanded)?;
        let settings = Settings::parse(text.as_deref().unwrap_or_default(), &path, environment)?;
        Ok(Self { home, settings })
    }
}

/// The home directory: `CLOUDHSM_PKCS11_HOME`, else `$XDG_DATA_HOME/cloudhsm-pkcs11`, else under `$HOME`.
fn home(environment: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf> {
    let named = |name| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(home) = named("CLOUDHSM_PKCS11_HOME") {
        return Ok(home);
    }
    named("XDG_DATA_HOME")
        .or_else(|| Some(named("HOME")?.join(".local/share")))
        .map(|data| data.join("cloudhsm-pkcs11"))
        .or_else(|| process::is_setuid().then(|| PathBuf::from("/var/lib/cloudhsm-pkcs11")))
        .ok_or_else(|| {
            Error::new(
                ck::CKR_FUNCTION_FAILED,
                "no home directory: HOME, XDG_DATA_HOME and CLOUDHSM_PKCS11_HOME are all unset; set CLOUDHSM_PKCS11_HOME",
            )
        })
}

/// The text of the file, or nothing if it need not be there and is not.
fn read_file(path: &Path, demanded: bool) -> Result<Option<String>> {
    let failed = |why: &dyn std::fmt::Display| {
        Error::with(ck::CKR_FUNCTION_FAILED, format!("configuration {}: {why}", path.display()))
    };
    let length = match std::fs::metadata(path) {
        Ok(found) if found.is_file() => found.len(),
        Ok(_) => return Err(failed(&"is not a file; name a file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !demanded => return Ok(None),
        // A path through something that is no directory is as absent as a missing file.
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory && !demanded => return Ok(None),
        Err(error) if demanded => return Err(failed(&format!("{error}; check CLOUDHSM_PKCS11_CONFIG"))),
        Err(error) => {
            return Err(failed(&format!(
                "{error}; give this account access to the folder, or check CLOUDHSM_PKCS11_HOME"
            )));
        }
    };
    if length > LONGEST_FILE {
        return Err(failed(&format!("has {length} bytes, the most is {LONGEST_FILE}")));
    }
    std::fs::read_to_string(path).map(Some).map_err(|error| failed(&error))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config> {
        let pairs: Vec<(String, OsString)> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        Config::from(&move |name| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()))
    }

    #[test]
    fn nothing_is_a_good_configuration() {
        let config = read(&[("HOME", "ann")]).unwrap();
        assert_eq!(config.home, Path::new("ann/.local/share/cloudhsm-pkcs11"));
        assert_eq!(config.settings.profile, Profile::CloudHsm);
    }

    #[test]
    fn the_environment_names_each_setting() {
        let config = read(&[("CLOUDHSM_PKCS11_HOME", "/h"), ("CLOUDHSM_PKCS11_PROFILE", "standard")]).unwrap();
        assert_eq!(config.settings.profile, Profile::Standard);
    }

    #[test]
    fn a_wrong_value_names_itself() {
        let error = read(&[("CLOUDHSM_PKCS11_HOME", "/h"), ("CLOUDHSM_PKCS11_PROFILE", "loose")]).err().unwrap();
        assert!(error.message().contains("CLOUDHSM_PKCS11_PROFILE"), "{error}");
        assert!(error.message().contains("loose"), "{error}");
    }

    #[test]
    fn a_missing_file_that_was_named_is_an_error() {
        let error =
            read(&[("CLOUDHSM_PKCS11_HOME", "/h"), ("CLOUDHSM_PKCS11_CONFIG", "nowhere/c.toml")]).err().unwrap();
        assert!(error.message().contains("nowhere/c.toml"), "{error}");
    }

    #[test]
    fn no_home_at_all_is_one_line() {
        assert!(read(&[]).err().unwrap().message().contains("CLOUDHSM_PKCS11_HOME"));
    }
}
