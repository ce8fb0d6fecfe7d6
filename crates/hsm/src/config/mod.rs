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

pub use file::{AwsFile, AwsPlace};
pub use profile::{Dialect, MOST_SESSIONS, Profile, may_be_a_password};
pub use regime::{Mode, Regime, Safeguards};
pub use settings::{Audit, LogLevel, Settings, Trace, argon2_cost};

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use base::ck;
use base::error::{Error, Result};
use platform::process;

use file::{File, Form};

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
        Self::from(&environment, None)
    }

    /// Reads the configuration of `cloudhsm-cli`, for which AWS has a file of its own: what it says comes before what AWS's file
    /// of the library says.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn read_of_program() -> Result<Self> {
        Self::from(&environment, Some(AwsFile::Program))
    }

    /// Where a file of AWS's is read, and so has to be written.
    ///
    /// # Errors
    /// CKR_FUNCTION_FAILED: there is no home directory, or `CLOUDHSM_PKCS11_CONFIG` names what cannot be read.
    pub fn place_of_aws(file: AwsFile) -> Result<AwsPlace> {
        file.place(&home(&environment)?, &environment)
    }

    /// Whether the text of a file of AWS's is one that [`Config::read`] takes; the variables of the environment are left out.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn check_aws(text: &str, path: &Path) -> Result<()> {
        file::check_length(text.len() as u64, path)?;
        Settings::of(aws::translate(text, path)?.settings, path, &|_| None).map(drop)
    }

    /// Reads the configuration from `environment` and the files that it leads to; `over` is one whose settings come first.
    fn from(environment: &dyn Fn(&str) -> Option<OsString>, over: Option<AwsFile>) -> Result<Self> {
        let home = home(environment)?;
        let File { path, text, form, passed_over } = file::find(&home, environment)?;
        let mut remarks = Vec::new();
        let mut pass_over = |other: &Path| {
            remarks.push(format!("configuration {}: is there, so {} is not read", path.display(), other.display()));
        };
        passed_over.as_deref().map(&mut pass_over);
        let over = over.map(|file| file.find(&home, environment)).transpose()?.flatten();
        let over = over.filter(|over| match form {
            Form::Own => {
                pass_over(&over.path);
                false
            }
            Form::Absent | Form::OfAws => true,
        });
        let (mut table, mut cluster_ids) = match form {
            Form::OfAws => of_aws(&text, &path, &mut remarks)?,
            Form::Own => (Settings::parse(&text, &path)?, Vec::new()),
            Form::Absent => (toml::Table::new(), Vec::new()),
        };
        if let Some(over) = over {
            let (settings, ids) = of_aws(&over.text, &over.path, &mut remarks)?;
            // By itself first, so that each file is blamed for its own mistakes.
            Settings::of(settings.clone(), &over.path, &|_| None)?;
            if settings.contains_key("clusters") {
                cluster_ids = ids;
            }
            table.extend(settings);
        }
        let settings = Settings::of(table, &path, environment)?;
        Ok(Self { home, file: path, settings, cluster_ids, remarks })
    }
}

/// The environment, which a setuid program does not trust.
fn environment(name: &str) -> Option<OsString> {
    if process::is_setuid() { None } else { std::env::var_os(name) }
}

/// What a file of AWS's sets, and the ids of its clusters; a remark tells what has no meaning here.
fn of_aws(text: &str, path: &Path, remarks: &mut Vec<String>) -> Result<(toml::Table, Vec<Option<String>>)> {
    let aws::Translated { settings, cluster_ids, ignored } = aws::translate(text, path)?;
    if !ignored.is_empty() {
        let ignored = Vec::from_iter(ignored).join(", ");
        let place = path.display();
        remarks.push(format!("configuration {place}: ignored, because it has no meaning here: {ignored}"));
    }
    Ok((settings, cluster_ids))
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
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config> {
        Config::from(&|name| value_of(pairs, name), None)
    }

    fn value_of(pairs: &[(&str, &str)], name: &str) -> Option<OsString> {
        pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
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
        let home = platform::testing::temporary();
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

    /// A file of AWS's is written where it is read: in the home if it is there, else in AWS's folder if there is one.
    #[test]
    fn where_aws_files_are() {
        let (home, etc) = (platform::testing::temporary(), platform::testing::temporary());
        let place = home.path().to_str().unwrap();
        let mut pairs = vec![("CLOUDHSM_PKCS11_HOME", place), ("CLOUDHSM_PKCS11_ETC", "nowhere")];
        let path = |pairs: &[(&str, &str)], file: AwsFile| {
            let place = file.place(home.path(), &|name| value_of(pairs, name)).unwrap();
            (place.path, place.covered_by)
        };
        let (in_home, in_etc) = (home.path().join("cloudhsm-pkcs11.cfg"), etc.path().join("cloudhsm-pkcs11.cfg"));
        assert_eq!(path(&pairs, AwsFile::Library), (in_home.clone(), None));
        pairs[1].1 = etc.path().to_str().unwrap();
        assert_eq!(path(&pairs, AwsFile::Library), (in_etc.clone(), None));
        assert_eq!(path(&pairs, AwsFile::Program), (etc.path().join("cloudhsm-cli.cfg"), None));
        std::fs::write(&in_etc, r#"{"clusters": [{}, {}]}"#).unwrap();
        assert_eq!(read(&pairs).unwrap().settings.clusters, 2);
        // That of the program comes before that of the library, setting by setting.
        std::fs::write(etc.path().join("cloudhsm-cli.cfg"), r#"{"logging": {"log_level": "debug"}}"#).unwrap();
        let of_program = |pairs: &[(&str, &str)]| Config::from(&|name| value_of(pairs, name), Some(AwsFile::Program));
        let settings = of_program(&pairs).unwrap().settings;
        assert_eq!((settings.clusters, settings.log_level), (2, LogLevel::Debug));
        assert_eq!(read(&pairs).unwrap().settings.log_level, LogLevel::Warn);
        std::fs::write(&in_home, r#"{"clusters": [{}, {}, {}]}"#).unwrap();
        assert_eq!((path(&pairs, AwsFile::Library).0, read(&pairs).unwrap().settings.clusters), (in_home, 3));
        // A file of ours covers both.
        let own = home.path().join("config.toml");
        std::fs::write(&own, "clusters = 4\n").unwrap();
        assert_eq!(path(&pairs, AwsFile::Program).1, Some(own.clone()));
        let config = of_program(&pairs).unwrap();
        assert_eq!((config.settings.clusters, config.settings.log_level, config.remarks.len()), (4, LogLevel::Warn, 2));
        pairs.push(("CLOUDHSM_PKCS11_CONFIG", own.to_str().unwrap()));
        assert_eq!(path(&pairs, AwsFile::Library).1, Some(own.clone()));
        std::fs::write(&own, "{}").unwrap();
        assert_eq!(path(&pairs, AwsFile::Library), (own, None));
    }

    #[test]
    fn no_home_at_all_is_one_line() {
        assert!(read(&[]).err().unwrap().message().contains("CLOUDHSM_PKCS11_HOME"));
    }
}
