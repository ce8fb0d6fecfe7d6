//! `key list`.

use std::sync::Arc;

use hsm::module::{KeyPage, Role};
use hsm::object::Object;
use serde_json::{Value, json};

use super::filter::Filter;
use super::view;
use crate::context::Context;
use crate::output::Outcome;
use crate::progress::Progress;

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
    let session = context.session()?;
    let start = usize::try_from(arguments.starting_token.unwrap_or(0)).unwrap_or(usize::MAX);
    let most = usize::try_from(arguments.max_items).unwrap_or(usize::MAX);
    // Without a filter nothing is opened but the page; with one, what a filter compares is in the keys.
    let mut progress = Progress::new("Keys");
    let page = if filter.is_empty() && session.keys.is_empty() {
        session.module.list_keys(session.login, start, most, &mut |done, all| progress.at(done, all))?
    } else {
        page_of(filter.find(session)?, start, most)
    };
    let verbose = arguments.verbose && session.login.role == Role::CryptoUser;
    let mut keys: Vec<Value> = Vec::with_capacity(page.keys.len());
    for key in &page.keys {
        keys.push(if verbose { view::key(session, key)? } else { view::short(session, key) });
        progress.at(keys.len() as u64, page.keys.len() as u64);
    }
    drop(progress);
    let mut data = json!({ "matched_keys": keys, "total_key_count": page.total, "returned_key_count": keys.len() });
    if let (Some(next), Some(data)) = (page.next, data.as_object_mut()) {
        data.insert("next_token".to_owned(), Value::from(next.to_string()));
    }
    Ok(data)
}

fn page_of(found: Vec<Arc<Object>>, start: usize, most: usize) -> KeyPage {
    let total = found.len();
    let keys: Vec<Arc<Object>> = found.into_iter().skip(start).take(most).collect();
    let next = Some(start.saturating_add(keys.len())).filter(|next| *next < total);
    KeyPage { total, keys, next }
}
