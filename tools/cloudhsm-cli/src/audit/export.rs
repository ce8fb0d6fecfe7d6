//! `audit export`.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use base::error::Error;
use clap::ValueEnum;
use hsm::module::Role;
use serde_json::json;

use super::event;
use crate::context::Context;
use crate::output::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The file to write, which must not be there
    #[arg(long, value_name = "FILE")]
    path: PathBuf,
    /// Its form
    #[arg(long, value_enum, default_value_t = Form::Text)]
    format: Form,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    /// As AWS prints the log
    Text,
    /// Each event as one line of JSON, with all that is known of it
    JsonLines,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Outcome {
    let session = context.session_as(Role::CryptoOfficer)?;
    let path = &arguments.path;
    let failed = |error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    let mut out = BufWriter::new(file);
    let mut count = 0_u64;
    let written = session.module.read_audit(session.login, 0, &mut |entry| {
        count += 1;
        match arguments.format {
            Form::Text => out.write_all(event::text(entry).as_bytes()),
            Form::JsonLines => writeln!(out, "{}", event::json(entry)),
        }
        .map_err(|error| Error::device(format!("{}: {error}", path.display())))?;
        Ok(true)
    });
    let finished = written.map_err(Failure::from).and_then(|_| {
        let file = out.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)
    });
    if let Err(failure) = finished {
        // A log with a hole must not pass for a whole one.
        drop(fs::remove_file(path));
        return Err(failure);
    }
    Ok(json!({ "path": path.display().to_string(), "event_count": count }))
}
