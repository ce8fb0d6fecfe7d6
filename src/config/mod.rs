//! Configuration: a file and the environment, read once at C_Initialize and turned into types.
//!
//! No configuration at all is a good configuration. A wrong one is refused with one line that names the path, the
//! reason and the cure. In a setuid program only the file under `/etc` counts, because the caller owns the rest.

mod aws;
mod clusters;
mod file;
mod profile;
mod regime;
mod settings;

pub use profile::{Dialect, Profile};
pub use regime::{Mode, Regime};
pub use settings::{Audit, LogLevel, Settings};

use std::ffi::OsString;
use std::path::PathBuf;

use crate::ck;
use crate::error::{Error, Result};
use crate::platform::process;

/// What one process works with, from C_Initialize to C_Finalize.
pub struct Config {
    /// The directory that holds one folder for each HSM.
    pub home: PathBuf,
    /// The file that was read, or that would have been if it were there.
    pub file: PathBuf,
    /// The settings, each with its default if nobody named it.
    pub settings: Settings,
    /// The ids that a configuration file of AWS's gives the clusters, in their order.
    pub cluster_ids: Vec<Option<String>>,
    /// What the log says of the configuration, at level `debug`, as soon as there is a log.
    pub remarks: Vec<String>,
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
        let file = file::find(&home, environment)?;
        let place = file.path.display();
        let mut remarks = Vec::new();
        if let Some(other) = &file.passed_over {
            remarks.push(format!("configuration {place}: is there, so {} is not read", other.display()));
        }
        let (table, cluster_ids) = if file.of_aws {
            let aws::Translated { settings, cluster_ids, ignored } = aws::translate(&file.text, &file.path)?;
            if !ignored.is_empty() {
                let ignored = Vec::from_iter(ignored).join(", ");
                remarks.push(format!("configuration {place}: ignored, because it has no meaning here: {ignored}"));
            }
            (settings, cluster_ids)
        } else {
            (Settings::parse(&file.text, &file.path)?, Vec::new())
        };
        let settings = Settings::of(table, &file.path, environment)?;
        Ok(Self { home, file: file.path, settings, cluster_ids, remarks })
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use std::path::Path;

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

    /// The home's own file holds; without one AWS's does; the one that is named may be either.
    #[test]
    fn which_file_holds() {
        let home = process::temporary();
        let (own, of_aws) = (home.path().join("config.toml"), home.path().join("cloudhsm-pkcs11.cfg"));
        let other = home.path().join("other");
        let place = home.path().to_str().unwrap();
        std::fs::write(&of_aws, "\n {\"clusters\": [{}, {\"cluster\": {\"cluster_id\": \"c\"}}], \"x\": 1}").unwrap();
        let config = read(&[("CLOUDHSM_PKCS11_HOME", place)]).unwrap();
        assert_eq!((config.settings.clusters, config.cluster_ids), (2, vec![None, Some("c".to_owned())]));
        assert!(matches!(&config.remarks[..], [line] if line.ends_with("ignored, because it has no meaning here: x")));
        let covered = read(&[("CLOUDHSM_PKCS11_HOME", place), ("CLOUDHSM_PKCS11_CLUSTERS", "3")]).unwrap();
        assert_eq!(covered.settings.clusters, 3);
        std::fs::copy(&of_aws, &other).unwrap();
        std::fs::write(&own, "clusters = 4\n").unwrap();
        let config = read(&[("CLOUDHSM_PKCS11_HOME", place)]).unwrap();
        assert_eq!((config.settings.clusters, config.cluster_ids.len()), (4, 0));
        assert!(
            matches!(&config.remarks[..], [line] if line.contains("config.toml") && line.contains(".cfg is not read"))
        );
        let pairs = [("CLOUDHSM_PKCS11_HOME", place), ("CLOUDHSM_PKCS11_CONFIG", other.to_str().unwrap())];
        let config = read(&pairs).unwrap();
        assert_eq!((config.settings.clusters, config.remarks.len()), (2, 1));
        std::fs::write(&other, "clusters = 9\n").unwrap();
        assert!(read(&pairs).err().unwrap().message().contains("clusters is 9, it must be 1 to 8"));
        std::fs::write(&other, format!("{{\"clusters\": [{}]}}", ["{}"; 9].join(","))).unwrap();
        assert!(read(&pairs).err().unwrap().message().contains("clusters is 9, it must be 1 to 8"));
    }

    #[test]
    fn no_home_at_all_is_one_line() {
        assert!(read(&[]).err().unwrap().message().contains("CLOUDHSM_PKCS11_HOME"));
    }
}
