//! The file that holds the configuration: which one it is, and its text.
//!
//! Ours is `config.toml`. AWS's `cloudhsm-pkcs11.cfg` is read where there is none, so that an installation made for
//! CloudHSM needs nothing new. The programs that write AWS's files ask here where they are read.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use base::ck;
use base::error::{Error, Result};
use platform::{files, process};

use super::aws;

/// Where the files lie when the caller's environment cannot be trusted.
const SYSTEM_FOLDER: &str = "/etc/cloudhsm-pkcs11";
/// Our file.
const OWN: &str = "config.toml";
/// The folder of AWS's files with AWS, unless `CLOUDHSM_PKCS11_ETC` names another.
const FOLDER_OF_AWS: &str = "/opt/cloudhsm/etc";
/// The longest configuration file that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// A file that one of AWS's configure tools writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum AwsFile {
    /// `configure-pkcs11`, for the library.
    Library,
    /// `configure-cli`, for `cloudhsm-cli`.
    Program,
}

/// Where a file of AWS's is read, and so has to be written.
pub struct AwsPlace {
    /// The file, which need not be there.
    pub path: PathBuf,
    /// A `config.toml` that holds instead.
    pub covered_by: Option<PathBuf>,
}

/// What a configuration file is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Not there.
    Absent,
    /// Ours.
    Own,
    /// AWS's.
    OfAws,
}

/// A configuration file; an absent one has no text.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) form: Form,
    /// A file that is not read because this one is there.
    pub(super) passed_over: Option<PathBuf>,
}

impl AwsFile {
    const fn name(self) -> &'static str {
        match self {
            Self::Library => "cloudhsm-pkcs11.cfg",
            Self::Program => "cloudhsm-cli.cfg",
        }
    }

    /// The file of this name that is read: in the home if it is there, else in AWS's folder if there is one.
    fn path(self, home: &Path, environment: &dyn Fn(&str) -> Option<OsString>) -> PathBuf {
        if process::is_setuid() {
            return Path::new(SYSTEM_FOLDER).join(self.name());
        }
        let in_home = home.join(self.name());
        let folder = environment("CLOUDHSM_PKCS11_ETC").map_or_else(|| FOLDER_OF_AWS.into(), PathBuf::from);
        if in_home.exists() || !folder.is_dir() { in_home } else { folder.join(self.name()) }
    }

    /// Where the file is read and written.
    pub(super) fn place(self, home: &Path, environment: &dyn Fn(&str) -> Option<OsString>) -> Result<AwsPlace> {
        let path = self.path(home, environment);
        let Some(named) = environment("CLOUDHSM_PKCS11_CONFIG").map(PathBuf::from) else {
            let own = home.join(OWN);
            return Ok(AwsPlace { path, covered_by: own.exists().then_some(own) });
        };
        Ok(match (read(&named, false)?, self) {
            (Some(text), _) if !aws::is_json(&text) => AwsPlace { path, covered_by: Some(named) },
            (_, Self::Library) => AwsPlace { path: named, covered_by: None },
            (_, Self::Program) => AwsPlace { path, covered_by: None },
        })
    }

    /// The file, if it is there.
    pub(super) fn find(self, home: &Path, environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Option<File>> {
        let path = self.path(home, environment);
        Ok(read(&path, false)?.map(|text| File { path, text, form: Form::OfAws, passed_over: None }))
    }
}

/// The file that holds for this process.
///
/// # Errors
/// CKR_FUNCTION_FAILED with one line: a file that was named and is absent, one that cannot be read, one that is too long.
pub(super) fn find(home: &Path, environment: &dyn Fn(&str) -> Option<OsString>) -> Result<File> {
    let setuid = process::is_setuid();
    if !setuid && let Some(path) = environment("CLOUDHSM_PKCS11_CONFIG") {
        let path = PathBuf::from(path);
        let text = read(&path, true)?.unwrap_or_default();
        let form = if aws::is_json(&text) { Form::OfAws } else { Form::Own };
        return Ok(File { form, path, text, passed_over: None });
    }
    let own = if setuid { Path::new(SYSTEM_FOLDER).join(OWN) } else { home.join(OWN) };
    if let Some(text) = read(&own, false)? {
        let of_aws = AwsFile::Library.path(home, environment);
        let passed_over = of_aws.exists().then_some(of_aws);
        return Ok(File { path: own, text, form: Form::Own, passed_over });
    }
    let absent = File { path: own, text: String::new(), form: Form::Absent, passed_over: None };
    Ok(AwsFile::Library.find(home, environment)?.unwrap_or(absent))
}

/// The text of the file, or nothing if it need not be there and is not.
fn read(path: &Path, demanded: bool) -> Result<Option<String>> {
    let failed =
        |why: &dyn Display| Error::with(ck::CKR_FUNCTION_FAILED, format!("configuration {}: {why}", path.display()));
    let file = match files::open_plain(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound && !demanded => return Ok(None),
        // A path through something that is no directory is as absent as a missing file.
        Err(error) if error.kind() == ErrorKind::NotADirectory && !demanded => return Ok(None),
        Err(error) if error.kind() == ErrorKind::Other => return Err(failed(&error)),
        Err(error) if demanded && error.kind() == ErrorKind::NotFound => {
            return Err(failed(&format!("{error}; check CLOUDHSM_PKCS11_CONFIG")));
        }
        Err(error) if demanded => {
            return Err(failed(&format!("{error}; {}, or check CLOUDHSM_PKCS11_CONFIG", files::cure(&error))));
        }
        Err(error) => return Err(failed(&format!("{error}; {}, or check CLOUDHSM_PKCS11_HOME", files::cure(&error)))),
    };
    check_length(file.metadata().map_err(|error| failed(&error))?.len(), path)?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(|error| failed(&error))?;
    Ok(Some(text))
}

/// # Errors
/// CKR_FUNCTION_FAILED with one line for a file that is too long.
pub(super) fn check_length(length: u64, path: &Path) -> Result<()> {
    if length <= LONGEST {
        return Ok(());
    }
    let text = format!("configuration {}: has {length} bytes, the most is {LONGEST}", path.display());
    Err(Error::with(ck::CKR_FUNCTION_FAILED, text))
}
