//! `audit head`.

use std::path::PathBuf;

use serde_json::json;

use super::verify;
use crate::context::Context;
use crate::input::write_file;
use crate::output::Outcome;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Also write the line into a file, to be signed and kept elsewhere
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Outcome {
    let head = context.module()?.store_head()?;
    if let Some(path) = &arguments.path {
        write_file(path, format!("{}\n", head.line).as_bytes())?;
    }
    Ok(json!({
        "serial-number": head.serial,
        "commit": head.commit,
        "event_count": head.audit.records,
        "head": verify::print(&head.audit),
        "line": head.line,
    }))
}
