//! How a command answers: AWS's JSON envelope on stdout, and the exit status.

use std::io::Write;
use std::process::ExitCode;

use base::ck;
use base::error::Error;
use serde_json::{Value, json};

/// What a command comes to: the `data` of its answer, or what it says instead.
pub(crate) type Outcome = Result<Value, Failure>;

/// A refusal or a failure, in the words that the user reads.
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// A login that failed. AWS has one text; what follows it here names a cure and nothing that `user list`, which
    /// needs no login, does not tell.
    pub(crate) fn login(error: &Error) -> Self {
        const WRONG: &str = "Incorrect authentication credentials";
        match error.rv() {
            ck::CKR_PIN_INCORRECT => Self::new(WRONG),
            ck::CKR_PIN_LOCKED | ck::CKR_USER_PIN_NOT_INITIALIZED => Self::new(format!("{WRONG}: {}", error.message())),
            _ => Self::new(error.message()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::new(error.message())
    }
}

/// Prints the envelope on stdout; the status is 0 or 1.
pub(crate) fn print(outcome: &Outcome) -> ExitCode {
    let (code, data, status) = match outcome {
        Ok(data) => (0, data.clone(), ExitCode::SUCCESS),
        Err(Failure(text)) => (1, Value::from(text.as_str()), ExitCode::FAILURE),
    };
    if line(&format!("{:#}", json!({ "error_code": code, "data": data }))) { status } else { ExitCode::FAILURE }
}

/// What comes before any command: one line on stderr, in the form in which AWS's program fails.
pub(crate) fn cannot_start(why: &str) -> ExitCode {
    drop(writeln!(std::io::stderr(), "Error: {why:?}"));
    ExitCode::FAILURE
}

/// Writes one line to stdout; false if nobody reads it any more.
pub(crate) fn line(text: &str) -> bool {
    writeln!(std::io::stdout(), "{text}").is_ok()
}
