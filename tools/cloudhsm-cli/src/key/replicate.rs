//! `key replicate`.

use base::ck;
use hsm::module::{Module, Side};
use serde_json::json;

use super::filter::Filter;
use super::view;
use crate::arguments::Clusters;
use crate::context::Context;
use crate::output::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The key: key-reference=0x... or attr.NAME=VALUE; exactly one must match
    #[arg(long, num_args = 1.., required = true, value_name = "FILTER")]
    filter: Vec<String>,
    #[command(flatten)]
    clusters: Clusters,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Outcome {
    let filter = Filter::parse(&arguments.filter)?;
    let (source, destination) = arguments.clusters.sessions(context)?;
    let key = filter.find_one(source)?;
    let (from, to) = (Side::from(source), Side::from(destination));
    let replica = Module::replicate_key(from, to, &key).map_err(|error| match error.rv() {
        ck::CKR_ACTION_PROHIBITED | ck::CKR_KEY_HANDLE_INVALID => {
            Failure::new("Only an admin and the owner of a key can replicate it, logged in to both clusters")
        }
        _ => error.into(),
    })?;
    Ok(json!({ "key": view::key(destination, &replica)?, "message": "Successfully replicated key" }))
}
