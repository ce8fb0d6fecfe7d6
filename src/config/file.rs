//! The file that holds the configuration: which one it is, and its text.
//!
//! Ours is `config.toml`. AWS's `cloudhsm-pkcs11.cfg` is read where there is none, so that an installation made for
//! CloudHSM needs nothing new.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::aws;
use crate::ck;
use crate::error::{Error, Result};
use crate::platform::process;

/// Where the files lie when the caller's environment cannot be trusted.
const SYSTEM_FOLDER: &str = "/etc/cloudhsm-pkcs11";
/// Our file.
const OWN: &str = "config.toml";
/// The file that AWS's configure tool writes.
const OF_AWS: &str = "cloudhsm-pkcs11.cfg";
/// The longest configuration file that is read, in bytes.
const LONGEST: u64 = 64 * 1024;

/// A configuration file; an absent one has no text.
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Whether it is one of AWS's.
    pub(super) of_aws: bool,
    /// A file that is not read because this one is there.
    pub(super) passed_over: Option<PathBuf>,
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
        return Ok(File { of_aws: aws::is_json(&text), path, text, passed_over: None });
    }
    let folder = if setuid { Path::new(SYSTEM_FOLDER) } else { home };
    let (own, of_aws) = (folder.join(OWN), folder.join(OF_AWS));
    if let Some(text) = read(&own, false)? {
        let passed_over = of_aws.exists().then_some(of_aws);
        return Ok(File { path: own, text, of_aws: false, passed_over });
    }
    Ok(match read(&of_aws, false)? {
        Some(text) => File { path: of_aws, text, of_aws: true, passed_over: None },
        None => File { path: own, text: String::new(), of_aws: false, passed_over: None },
    })
}

/// The text of the file, or nothing if it need not be there and is not.
fn read(path: &Path, demanded: bool) -> Result<Option<String>> {
    let failed =
        |why: &dyn Display| Error::with(ck::CKR_FUNCTION_FAILED, format!("configuration {}: {why}", path.display()));
    let length = match std::fs::metadata(path) {
        Ok(found) if found.is_file() => found.len(),
        Ok(_) => return Err(failed(&"is not a file; name a file")),
        Err(error) if error.kind() == ErrorKind::NotFound && !demanded => return Ok(None),
        // A path through something that is no directory is as absent as a missing file.
        Err(error) if error.kind() == ErrorKind::NotADirectory && !demanded => return Ok(None),
        Err(error) if demanded => return Err(failed(&format!("{error}; check CLOUDHSM_PKCS11_CONFIG"))),
        Err(error) => {
            return Err(failed(&format!(
                "{error}; give this account access to the folder, or check CLOUDHSM_PKCS11_HOME"
            )));
        }
    };
    if length > LONGEST {
        return Err(failed(&format!("has {length} bytes, the most is {LONGEST}")));
    }
    std::fs::read_to_string(path).map(Some).map_err(|error| failed(&error))
}
