//! `key set-attribute`.

use base::ck;
use hsm::module::{Actor, Role};
use serde_json::json;

use super::attributes;
use super::filter::Filter;
use crate::arguments::Approval;
use crate::context::{Context, Session};
use crate::output::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The key: key-reference=0x... or attr.NAME=VALUE; exactly one must match
    #[arg(long, num_args = 1.., required = true, value_name = "FILTER")]
    filter: Vec<String>,
    /// The attribute
    #[arg(long, value_name = "ATTRIBUTE")]
    name: String,
    /// Its new value; of wrap-template and unwrap-template a list NAME=VALUE ..., or "" for an empty one
    #[arg(long, num_args = 1.., required = true, value_name = "VALUE")]
    value: Vec<String>,
    #[command(flatten)]
    approval: Approval,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Outcome {
    let filter = Filter::parse(&arguments.filter)?;
    let change = attributes::change(&arguments.name, &arguments.value)?;
    let session = context.session()?;
    let Session { module, login, .. } = session;
    let key = filter.find_one(session)?;
    let approval = arguments.approval.present(session)?;
    let actor = Actor::new(login, approval.as_ref());
    let of_another = login.role == Role::CryptoUser && login.user != key.owner;
    let reference = session.reference(&key);
    let changed = module.change_object_approved(Some(actor), &key, &change).map_err(|error| match error.rv() {
        ck::CKR_ACTION_PROHIBITED if of_another => Failure::new("Only the owner of a key can change it"),
        ck::CKR_ATTRIBUTE_READ_ONLY | ck::CKR_ATTRIBUTE_VALUE_INVALID | ck::CKR_ATTRIBUTE_TYPE_INVALID => {
            attributes::refused(&arguments.name, &arguments.value.join(" "))
        }
        _ => error.into(),
    })?;
    if key.id.is_none() {
        context.replace(reference, Some(changed))?;
    }
    Ok(json!({ "message": "Attribute set successfully" }))
}
