//! `configure-pkcs11` and `configure-cli`: AWS CloudHSM's configure tools, for scripts that were written for a cluster.
//!
//! Options, exit status and files are AWS's. An option changes its own member of the file and nothing else, members that are
//! not known included; what has no effect on an HSM inside the library is stored all the same, and said to have none. A
//! file is written only if the library will read it: the library's own reader is asked first.

mod arguments;
mod change;
mod file;
mod setting;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use hsm::config::{AwsFile, Config};
use serde_json::{Map, Value};

use arguments::Request;

/// One of the two tools.
pub struct Tool {
    name: &'static str,
    file: AwsFile,
    /// Who reads the file.
    reader: &'static str,
    /// AWS's log.
    log: &'static str,
    parse: fn() -> Request,
}

/// `configure-pkcs11`.
pub const PKCS11: Tool = Tool {
    name: "configure-pkcs11",
    file: AwsFile::Library,
    reader: "the library",
    log: "cloudhsm-pkcs11.log",
    parse: arguments::pkcs11,
};
/// `configure-cli`.
pub const CLI: Tool = Tool {
    name: "configure-cli",
    file: AwsFile::Program,
    reader: "cloudhsm-cli",
    log: "cloudhsm-cli.log",
    parse: arguments::cli,
};

/// Why nothing was written, in one line.
type Reason<T = ()> = Result<T, String>;

/// The grammars of both, for their pages of the manual and their completions.
#[must_use]
pub fn grammars() -> [clap::Command; 2] {
    arguments::grammars()
}

/// Runs a tool with the arguments of this process: status 0, 1 for a file that cannot be changed so, 2 for a wrong command line.
#[must_use]
pub fn run(tool: &Tool) -> ExitCode {
    match configure(tool, &(tool.parse)()) {
        Ok(said) => match writeln!(std::io::stdout(), "{}", said.join("\n")) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(why) => {
            // The form in which AWS's programs fail.
            drop(writeln!(std::io::stderr(), "Error: {why:?}"));
            ExitCode::FAILURE
        }
    }
}

fn configure(tool: &Tool, request: &Request) -> Reason<Vec<String>> {
    let place = Config::place_of_aws(tool.file).map_err(|error| error.message().to_owned())?;
    let target = file::Target::open(place.path)?;
    let check = |text: &str| Config::check_aws(text, target.path()).map_err(|error| error.message().to_owned());
    let mut root = match target.read()? {
        Some(text) => {
            check(&text)?;
            object(&text, target.path())?
        }
        None => change::fresh(),
    };
    let mut said = match request {
        Request::Change(settings) => {
            let settings = settings.iter().map(|setting| setting.completed(tool, &target, &root)).collect::<Vec<_>>();
            let settings = settings.concat();
            change::apply(&mut root, &settings, tool.name)?;
            settings.iter().map(setting::Setting::said).collect()
        }
        Request::Add(id, settings) => {
            let name = change::add(&mut root, id, settings)?;
            let mut said = vec![format!("cluster {id} is {name}")];
            said.extend(settings.iter().map(setting::Setting::said));
            said
        }
        Request::Remove(id) => {
            let name = change::remove(&mut root, id)?;
            vec![format!("cluster {id} is forgotten; its HSM, {name}, stays where it is")]
        }
    };
    let text = format!("{:#}\n", Value::Object(root));
    check(&text)?;
    target.replace(&text)?;
    said.insert(0, format!("{} is written; {} reads it when it starts", target.path().display(), tool.reader));
    if let Some(other) = place.covered_by {
        said.push(format!("note: {} is there and holds instead of it", other.display()));
    }
    Ok(said)
}

fn object(text: &str, path: &Path) -> Reason<Map<String, Value>> {
    // A byte order mark is no part of JSON.
    let value = serde_json::from_str(text.trim_start_matches('\u{feff}'));
    match value.map_err(|error| format!("{}: {error}", path.display()))? {
        Value::Object(members) => Ok(members),
        _ => Err(format!("{}: is not an object", path.display())),
    }
}
