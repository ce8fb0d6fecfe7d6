//! Completion of commands, options and their values on a terminal, from the grammar itself.

use clap::builder::PossibleValue;
use clap::{Arg, Command};
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

/// Completes lines of one grammar.
pub(crate) struct Completion {
    grammar: Command,
}

impl Completion {
    pub(crate) fn of(mut grammar: Command) -> Self {
        grammar.build();
        Self { grammar }
    }

    /// What may stand where the last word of `line` begins, and where that is.
    pub(crate) fn candidates(&self, line: &str) -> (usize, Vec<String>) {
        let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let (before, begun) = line.split_at_checked(start).unwrap_or((line, ""));
        let mut command = &self.grammar;
        let mut option: Option<&Arg> = None;
        for word in before.split_whitespace() {
            if let Some(name) = word.strip_prefix("--") {
                option = command.get_arguments().find(|argument| argument.get_long() == Some(name));
            } else if let Some(next) = command.find_subcommand(word).filter(|_| option.is_none()) {
                command = next;
            }
        }
        let open = option.filter(|option| option.get_action().takes_values());
        let values = open.map(Arg::get_possible_values).unwrap_or_default();
        let mut all: Vec<String> = values.iter().map(PossibleValue::get_name).map(str::to_owned).collect();
        if all.is_empty() {
            all.extend(command.get_subcommands().map(|command| command.get_name().to_owned()));
            all.extend(command.get_arguments().filter_map(Arg::get_long).map(|name| format!("--{name}")));
        }
        all.retain(|candidate| candidate.starts_with(begun));
        all.sort();
        (start, all)
    }
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (start, candidates) = self.candidates(line.get(..at).unwrap_or(line));
        let pair = |text: String| Pair { display: text.clone(), replacement: format!("{text} ") };
        Ok((start, candidates.into_iter().map(pair).collect()))
    }
}

impl Hinter for Completion {
    type Hint = String;
}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::arguments::Line;

    #[test]
    fn commands_options_and_values() {
        let completion = Completion::of(Line::command());
        let candidates = |line: &str| completion.candidates(line).1;
        assert_eq!(candidates("key generate-s"), ["generate-symmetric"]);
        assert_eq!(candidates("user create --user"), ["--username"]);
        assert_eq!(candidates("user create --username ann --role "), ["admin", "crypto-user"]);
        assert_eq!(candidates("key generate-asymmetric-pair ec --curve secp256"), ["secp256k1", "secp256r1"]);
        assert_eq!(candidates("quorum token-sign set-quorum-value --value 2 --service q"), ["quorum"]);
        assert!(candidates("no such thing").is_empty());
        assert_eq!(completion.candidates("key li").0, 4);
    }
}
