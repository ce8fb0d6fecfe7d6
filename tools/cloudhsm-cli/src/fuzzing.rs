//! What `tests/fuzz` drives: the grammar of the command line and the token files, without an HSM. Built for the fuzzer alone.

use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use clap::{Command, CommandFactory, FromArgMatches};

use crate::arguments::{Arguments, Line};
use crate::complete::Completion;
use crate::key::{attributes, filter::Filter};
use crate::token_file;

/// The grammars, made once: making one takes a hundred times as long as reading a line by it.
static GRAMMARS: LazyLock<Mutex<(Command, Command)>> =
    LazyLock::new(|| Mutex::new((Arguments::command(), Line::command())));
static COMPLETION: LazyLock<Completion> = LazyLock::new(|| Completion::of(Line::command()));

/// Reads a line as interactive mode does, as the words of a program, and as one that is being typed. Nothing is run: what a line
/// does may write any file that it names.
///
/// The answer is whether interactive mode would run it.
#[must_use]
pub fn read_line(text: &str) -> bool {
    let (start, _) = COMPLETION.candidates(text);
    assert!(text.is_char_boundary(start), "a completion begins where a character does");
    let Some(words) = shlex::split(text) else { return false };
    // What the options of many commands hold: filters, lists of attributes, one attribute's new value.
    drop(Filter::parse(&words));
    if let [name, values @ ..] = &words[..] {
        drop(attributes::change(name, values));
    }
    let mut grammars = GRAMMARS.lock().unwrap_or_else(PoisonError::into_inner);
    let (program, line) = &mut *grammars;
    let of_program = std::iter::once("cloudhsm-cli").chain(words.iter().map(String::as_str));
    match program.try_get_matches_from_mut(of_program) {
        Ok(matches) => drop(Arguments::from_arg_matches(&matches)),
        Err(usage) => drop(usage.render().to_string()),
    }
    match line.try_get_matches_from_mut(&words) {
        Ok(matches) => Line::from_arg_matches(&matches).is_ok(),
        Err(usage) => {
            drop(usage.render().to_string());
            false
        }
    }
}

/// Reads a file as each kind of token file.
///
/// The answer is whether it is one of them.
#[must_use]
pub fn read_token_file(path: &Path) -> bool {
    let answer = token_file::read_answer(path).is_ok();
    let registration = token_file::read_registration(path).is_ok();
    let token = token_file::read_token(path).is_ok();
    answer || registration || token
}
