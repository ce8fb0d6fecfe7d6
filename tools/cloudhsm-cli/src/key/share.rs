//! `key share` and `key unshare`.

use base::ck;
use hsm::module::{self, Actor};
use serde_json::json;

use super::filter::Filter;
use crate::arguments::{Approval, User};
use crate::context::Context;
use crate::output::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The key: key-reference=0x... or attr.NAME=VALUE; exactly one must match
    #[arg(long, num_args = 1.., required = true, value_name = "FILTER")]
    filter: Vec<String>,
    #[command(flatten)]
    user: User,
    #[command(flatten)]
    approval: Approval,
}

pub(super) fn run(arguments: &Arguments, share: bool, context: &mut Context) -> Outcome {
    let filter = Filter::parse(&arguments.filter)?;
    let session = context.session_as(module::Role::CryptoUser)?;
    let key = filter.find_one(session)?;
    let approval = arguments.approval.present(session)?;
    let actor = Actor::new(session.login, approval.as_ref());
    let module = session.module;
    let (name, role) = (&arguments.user.username, arguments.user.role.into());
    let done =
        if share { module.share_key(actor, &key, name, role) } else { module.unshare_key(actor, &key, name, role) };
    done.map_err(|error| match error.rv() {
        ck::CKR_ACTION_PROHIBITED => Failure::new("Only the owner of a key can share it"),
        _ => error.into(),
    })?;
    Ok(json!({ "message": if share { "Key shared successfully" } else { "Key unshared successfully" } }))
}
