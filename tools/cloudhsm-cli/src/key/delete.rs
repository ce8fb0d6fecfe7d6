//! `key delete`.

use base::ck;
use hsm::module::Role;
use serde_json::json;

use super::filter::Filter;
use crate::context::Context;
use crate::output::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The key: key-reference=0x... or attr.NAME=VALUE; exactly one must match
    #[arg(long, num_args = 1.., required = true, value_name = "FILTER")]
    filter: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Outcome {
    let filter = Filter::parse(&arguments.filter)?;
    let session = context.session_as(Role::CryptoUser)?;
    let object = filter.find_one(session)?;
    let reference = session.reference(&object);
    session.module.destroy_object(Some(session.login), &object).map_err(|error| match error.rv() {
        ck::CKR_ACTION_PROHIBITED if object.owner != session.login.user => {
            Failure::new("Only the owner of a key can delete it")
        }
        _ => error.into(),
    })?;
    context.replace(reference, None)?;
    Ok(json!({ "message": "Key deleted successfully" }))
}
