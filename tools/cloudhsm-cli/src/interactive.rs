//! `interactive`: commands one after the other in one login, from a terminal or from a file.
//!
//! A line is split as a shell splits it and has the same grammar as the command line. One that fails says so, and the next one
//! runs. On a terminal there are history and completion; from anything else lines are read without a prompt.

use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use rustyline::error::ReadlineError;
use rustyline::history::{FileHistory, History};
use rustyline::{CompletionType, Config, Editor};

use crate::arguments::{Command, Line};
use crate::complete::Completion;
use crate::context::Context;
use crate::{history, output};

/// Reads and runs lines until `quit` or the end of the input.
pub(crate) fn run(context: &mut Context) -> ExitCode {
    let mut lines = Lines::open();
    let mut grammar = Line::command();
    grammar.build();
    while let Some(line) = lines.next(&context.prompt()) {
        let Some(words) = shlex::split(&line) else {
            output::print(&Err(output::Failure::new("a quote is open at the end of the line")));
            continue;
        };
        if words.is_empty() || words.first().is_some_and(|word| word.starts_with('#')) {
            continue;
        }
        let parsed = grammar.try_get_matches_from_mut(words);
        if let Ok(parsed) = &parsed {
            lines.remember(history::line(&grammar, parsed));
        }
        match parsed.and_then(|parsed| Line::from_arg_matches(&parsed)) {
            Ok(Line { command: Command::Quit, .. }) => break,
            Ok(Line { command, cluster_id }) => {
                output::print(&crate::run(command, cluster_id.as_deref(), context));
            }
            // Also what --help prints.
            Err(usage) => drop(usage.print()),
        }
    }
    lines.close();
    ExitCode::SUCCESS
}

/// Where lines come from.
enum Lines {
    Terminal(Box<Editor<Completion, FileHistory>>, Option<PathBuf>),
    File,
}

impl Lines {
    fn open() -> Self {
        if !io::stdin().is_terminal() {
            return Self::File;
        }
        let config = Config::builder().completion_type(CompletionType::List).auto_add_history(false).build();
        let history = FileHistory::with_config(&config);
        let Ok(mut editor) = Editor::with_history(config, history) else { return Self::File };
        editor.set_helper(Some(Completion::of(Line::command())));
        let history = history::file();
        if let Some(path) = &history {
            // There is none at the first start.
            drop(editor.load_history(path));
        }
        Self::Terminal(Box::new(editor), history)
    }

    /// The next line, whole: one that ends with a backslash goes on in the one after it.
    fn next(&mut self, prompt: &str) -> Option<String> {
        let mut whole = String::new();
        loop {
            let line = match self {
                Self::File => {
                    let mut line = String::new();
                    if io::stdin().lock().read_line(&mut line).ok()? == 0 {
                        return Some(whole).filter(|whole| !whole.is_empty());
                    }
                    line
                }
                Self::Terminal(editor, _) => match editor.readline(if whole.is_empty() { prompt } else { "> " }) {
                    Ok(line) => line,
                    Err(ReadlineError::Interrupted) => {
                        whole.clear();
                        continue;
                    }
                    Err(_) => return None,
                },
            };
            let line = line.trim_end_matches(['\n', '\r']);
            match line.strip_suffix('\\') {
                Some(part) => {
                    whole.push_str(part);
                    whole.push(' ');
                }
                None => {
                    whole.push_str(line);
                    break;
                }
            }
        }
        Some(whole)
    }

    fn remember(&mut self, line: Option<String>) {
        if let (Self::Terminal(editor, _), Some(line)) = (self, line) {
            drop(editor.add_history_entry(line));
        }
    }

    fn close(self) {
        let Self::Terminal(mut editor, Some(path)) = self else { return };
        // The file is made first, so that it is nobody else's from its beginning.
        let made = history::make(&path);
        if made.is_ok() && !editor.history().is_empty() {
            drop(editor.append_history(&path));
        }
    }
}
