//! `key list`.

use cloudhsm_pkcs11::module::Role;
use serde_json::{Value, json};

use super::filter::Filter;
use super::view;
use crate::context::Context;
use crate::output::Outcome;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// key-reference=0x... or attr.NAME=VALUE; several must all hold
    #[arg(long, num_args = 1.., value_name = "FILTER")]
    filter: Vec<String>,
    /// How many keys are shown at once
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    max_items: u64,
    /// Where to go on: the next_token of the page before
    #[arg(long, value_name = "TOKEN")]
    starting_token: Option<u64>,
    /// Show every attribute; without effect for an admin
    #[arg(short, long)]
    verbose: bool,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Outcome {
    let filter = Filter::parse(&arguments.filter)?;
    let (module, login) = context.login()?;
    let found = filter.find(module, login)?;
    let start = usize::try_from(arguments.starting_token.unwrap_or(0)).unwrap_or(usize::MAX).min(found.len());
    let end = start.saturating_add(usize::try_from(arguments.max_items).unwrap_or(usize::MAX)).min(found.len());
    let verbose = arguments.verbose && login.role == Role::CryptoUser;
    let page = found.get(start..end).unwrap_or_default();
    let keys = page
        .iter()
        .map(
            |object| if verbose { view::key(module, login, object, 0) } else { Ok(view::short(module, login, object)) },
        )
        .collect::<Result<Vec<Value>, _>>()?;
    let mut data = json!({ "matched_keys": keys, "total_key_count": found.len(), "returned_key_count": page.len() });
    if end < found.len()
        && let Some(data) = data.as_object_mut()
    {
        data.insert("next_token".to_owned(), Value::from(end.to_string()));
    }
    Ok(data)
}
