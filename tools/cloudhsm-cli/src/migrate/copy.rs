//! SoftHSM2's library on a copy of the tokens.
//!
//! It writes into a token at every login, whatever the session: a flag of the PIN and a count of changes. Only on a copy is it
//! true that nothing there is touched. The library is told of the copy by a variable of the environment, which a program can
//! set for another one only; so the program starts itself once more.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::output::{self, Failure};

/// The variable by which SoftHSM2 is told of its configuration.
const VARIABLE: &str = "SOFTHSM2_CONF";
/// Where it looks for one otherwise, after `.config/softhsm2/softhsm2.conf` of the user.
const USUAL: [&str; 2] = ["/etc/softhsm/softhsm2.conf", "/etc/softhsm2.conf"];
const TOKENS: &str = "directories.tokendir";

/// Runs this program's command line once more, with the option that says so, on a copy of SoftHSM2's tokens.
pub(crate) fn run() -> ExitCode {
    let run = || {
        let copy = Copy::make()?;
        let failed = |error: io::Error| Failure::new(format!("The program cannot start itself: {error}"));
        let program = std::env::current_exe().map_err(failed)?;
        let mut again = Command::new(program);
        again.args(std::env::args_os().skip(1)).arg("--on-copy").env(VARIABLE, copy.0.join("softhsm2.conf"));
        again.status().map_err(failed)
    };
    match run() {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from),
        Err(failure) => output::print(&Err(failure)),
    }
}

/// The copy, which is for this account alone and is removed at the end. Its keys are encrypted under the PIN as the tokens' are.
struct Copy(PathBuf);

impl Drop for Copy {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

impl Copy {
    fn make() -> Result<Self, Failure> {
        let (configuration, text) = configuration()?;
        let tokens = text
            .lines()
            .find_map(|line| Some(PathBuf::from(value(line, TOKENS)?)))
            .ok_or_else(|| Failure::new(format!("{}: names no {TOKENS}", configuration.display())))?;
        // In memory where that is possible, so that no disk sees it.
        let shared = Path::new("/dev/shm");
        let folder = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let copy = Self(folder.join(format!("cloudhsm-migrate-{}-{now}", std::process::id())));
        let failed = |error: io::Error| Failure::new(format!("{} cannot be copied: {error}", tokens.display()));
        // Fails if somebody else has put something there.
        DirBuilder::new().mode(0o700).create(&copy.0).map_err(failed)?;
        let copied = copy.0.join("tokens");
        copy_folder(&tokens, &copied).map_err(failed)?;
        let others = text.lines().filter(|line| value(line, TOKENS).is_none());
        let lines: Vec<String> =
            others.map(str::to_owned).chain([format!("{TOKENS} = {}", copied.display())]).collect();
        write(&copy.0.join("softhsm2.conf"), format!("{}\n", lines.join("\n")).as_bytes()).map_err(failed)?;
        Ok(copy)
    }
}

/// SoftHSM2's configuration file and its text.
fn configuration() -> Result<(PathBuf, String), Failure> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let of_user = || std::env::home_dir().map(|home| home.join(".config/softhsm2/softhsm2.conf"));
    let path = named
        .or_else(|| of_user().into_iter().chain(USUAL.map(PathBuf::from)).find(|path| path.is_file()))
        .ok_or(Failure::new("SoftHSM2 has no configuration file in the usual places: name it in SOFTHSM2_CONF"))?;
    let text = fs::read_to_string(&path).map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    Ok((path, text))
}

/// The value of a line that sets `name`.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (known, value) = line.split_once('=')?;
    (known.trim() == name).then_some(value.trim())
}

/// Folders and files; a token has nothing else in it.
fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let kind = fs::metadata(&from)?;
        if kind.is_dir() {
            copy_folder(&from, &to)?;
        } else if kind.is_file() {
            write(&to, &fs::read(&from)?)?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)
}
