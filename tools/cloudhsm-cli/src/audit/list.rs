//! `audit list`.

use serde_json::{Value, json};

use super::event;
use crate::context::Context;
use crate::output::Outcome;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many events are shown at once
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    max_items: u64,
    /// Where to go on: the next_token of the page before, which is the number of an event
    #[arg(long, value_name = "TOKEN", default_value_t = 0)]
    starting_token: u64,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Outcome {
    let session = context.session()?;
    let mut events: Vec<Value> = Vec::new();
    let mut left = arguments.max_items;
    let total = session.module.read_audit(session.login, arguments.starting_token, &mut |entry| {
        events.push(event::json(entry));
        left -= 1;
        Ok(left > 0)
    })?;
    let count = events.len() as u64;
    let mut data = json!({ "events": events, "total_event_count": total, "returned_event_count": count });
    let next = arguments.starting_token.saturating_add(count);
    if let (true, Some(data)) = (next < total, data.as_object_mut()) {
        data.insert("next_token".to_owned(), Value::from(next.to_string()));
    }
    Ok(data)
}
