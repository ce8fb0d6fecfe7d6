//! Passwords: from the environment, from an option, or asked for. None is ever printed or logged.
//!
//! What a program is given on its command line or in its environment other processes of the account can read, and
//! the operating system keeps; a prompt leaves no such copy.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::secret::Secret;
use hsm::module::Role;

use crate::output::Failure;

/// Who logs in, and with what.
pub(crate) struct Credentials {
    pub(crate) role: Role,
    /// `username:password`.
    pub(crate) pin: Secret,
}

impl Credentials {
    /// Reads CLOUDHSM_ROLE and CLOUDHSM_PIN, with something in front of their names for a second cluster.
    pub(crate) fn from_environment(prefix: &str) -> Result<Self, Failure> {
        let read = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let (role_name, pin_name) = (format!("{prefix}CLOUDHSM_ROLE"), format!("{prefix}CLOUDHSM_PIN"));
        let (Some(role), Some(pin)) = (read(&role_name), read(&pin_name)) else {
            return Err(Failure::new(format!(
                "This command needs a login: set {role_name} to admin or crypto-user and {pin_name} to username:password"
            )));
        };
        let pin = Secret::new(pin.into_encoded_bytes());
        let role = role
            .to_str()
            .and_then(Role::from_name)
            .ok_or_else(|| Failure::new(format!("{role_name} is neither admin nor crypto-user")))?;
        if !pin.expose().contains(&b':') {
            return Err(Failure::new(format!("{pin_name} is not of the form username:password")));
        }
        Ok(Self { role, pin })
    }
}

/// A password that was given as an option. The parser of options wants to copy values; this copies a reference.
pub(crate) struct Password(Arc<Secret>);

impl Clone for Password {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Password {
    /// For the parser of options.
    #[allow(clippy::unnecessary_wraps, reason = "the signature of a value parser")]
    pub(crate) fn parse(text: &str) -> Result<Self, std::convert::Infallible> {
        Ok(Self(Arc::new(Secret::copy(text.as_bytes()))))
    }

    /// The password that was given, or the one that is typed.
    pub(crate) fn or_ask_once(given: Option<Self>) -> Result<Arc<Secret>, Failure> {
        match given {
            Some(Self(secret)) => Ok(secret),
            None => ask("Enter password:").map(Arc::new),
        }
    }

    /// The password that was given, or the one that is typed twice.
    pub(crate) fn or_ask(given: Option<Self>) -> Result<Arc<Secret>, Failure> {
        if let Some(Self(secret)) = given {
            return Ok(secret);
        }
        let first = ask("Enter password:")?;
        let second = ask("Confirm password:")?;
        if !first.ct_eq(second.expose()) {
            return Err(Failure::new("The two passwords differ"));
        }
        Ok(Arc::new(first))
    }
}

/// Asks for the file of a signed token; an empty answer means the file that was written.
pub(crate) fn ask_signed_file(written: &Path) -> Result<PathBuf, Failure> {
    let answer = ask_text("Enter signed token file path (press enter if same as the unsigned token file):")?;
    Ok(if answer.is_empty() { written.to_owned() } else { answer.into() })
}

/// Asks for the file of a public key.
pub(crate) fn ask_public_key_file() -> Result<PathBuf, Failure> {
    Ok(ask_text("Enter public key PEM file path:")?.into())
}

/// Asks for what may be seen. The question is not on stdout, which is for the answer.
fn ask_text(prompt: &str) -> Result<String, Failure> {
    drop(writeln!(io::stderr(), "{prompt}"));
    read_line().map_err(|error| Failure::new(format!("The path cannot be read: {error}")))
}

/// Asks on the terminal without echo; reads a line from stdin where there is no terminal.
fn ask(prompt: &str) -> Result<Secret, Failure> {
    let answer = if io::stdin().is_terminal() {
        rpassword::prompt_password(prompt)
    } else {
        // Not on stdout, which is for the answer.
        drop(writeln!(io::stderr(), "{prompt}"));
        read_line()
    };
    match answer {
        Ok(text) => Ok(Secret::new(text.into_bytes())),
        Err(error) => Err(Failure::new(format!("The password cannot be read ({error}); give it with --password"))),
    }
}

/// One line of stdin. The capacity is beyond any password, so that none is left behind where the text grew.
fn read_line() -> io::Result<String> {
    let mut line = String::with_capacity(1024);
    if io::stdin().lock().read_line(&mut line)? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the input has ended"));
    }
    if line.ends_with('\n') {
        line.pop();
    }
    if line.ends_with('\r') {
        line.pop();
    }
    Ok(line)
}
