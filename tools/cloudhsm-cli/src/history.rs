//! What interactive mode remembers of a line: not what was typed, but what was understood, without passwords.
//!
//! A line is written anew from its parse, and of an argument that is a [`Password`] nothing is written: however it was quoted. A line
//! that is not understood is not remembered at all, since nobody knows what its words are.

use std::any::TypeId;
use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use crate::credentials::Password;

/// The line that a parse stands for; nothing if a word of it cannot be written.
pub(crate) fn line(grammar: &Command, parsed: &ArgMatches) -> Option<String> {
    let (mut command, mut parsed) = (grammar, parsed);
    let mut words = Vec::new();
    loop {
        let below = parsed.subcommand();
        // What every command takes is known to the innermost one too, and written there.
        let own = command.get_arguments().filter(|argument| below.is_none() || !argument.is_global_set());
        for argument in own.filter(|argument| !is_secret(argument)) {
            write(argument, parsed, &mut words)?;
        }
        let Some((name, of_it)) = below else { break };
        words.push(name.to_owned());
        (command, parsed) = (command.find_subcommand(name)?, of_it);
    }
    shlex::try_join(words.iter().map(String::as_str)).ok()
}

fn is_secret(argument: &Arg) -> bool {
    argument.get_value_parser().type_id() == TypeId::of::<Password>()
}

fn write(argument: &Arg, parsed: &ArgMatches, words: &mut Vec<String>) -> Option<()> {
    let id = argument.get_id().as_str();
    if !matches!(parsed.try_contains_id(id), Ok(true)) || parsed.value_source(id) != Some(ValueSource::CommandLine) {
        return Some(());
    }
    let name = argument.get_long().map(|name| format!("--{name}"));
    if !argument.get_action().takes_values() {
        words.extend(name);
        return Some(());
    }
    for values in parsed.get_raw_occurrences(id)? {
        let values: Option<Vec<&str>> = values.map(|value| value.to_str()).collect();
        match (&name, values?.as_slice()) {
            // Behind a blank it would be taken for an option.
            (Some(name), [value]) if value.starts_with('-') => words.push(format!("{name}={value}")),
            (name, values) => {
                words.extend(name.clone());
                words.extend(values.iter().map(|value| (*value).to_owned()));
            }
        }
    }
    Some(())
}

/// `$XDG_STATE_HOME/cloudhsm-cli/history`, or its usual place; nothing if there is no home.
pub(crate) fn file() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| Some(set("HOME")?.join(".local/state")))?;
    let folder = state.join("cloudhsm-cli");
    DirBuilder::new().recursive(true).mode(0o700).create(&folder).ok()?;
    usable(folder.join("history"))
}

/// A file, or the place for one: a pipe would hold the program up until somebody reads it.
fn usable(path: PathBuf) -> Option<PathBuf> {
    let other = fs::metadata(&path).is_ok_and(|found| !found.is_file());
    (!other).then_some(path)
}

/// Makes the file, or makes it its owner's alone.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::arguments::Line;

    fn grammar() -> Command {
        let mut grammar = Line::command();
        grammar.build();
        grammar
    }

    fn remembered(typed: &str) -> Option<String> {
        let parsed = grammar().try_get_matches_from(shlex::split(typed)?).ok()?;
        line(&grammar(), &parsed)
    }

    #[test]
    fn a_password_is_left_out_however_it_is_written() {
        let wanted = "login --username ann --role crypto-user";
        for password in [
            "--password s3cret",
            "--password=s3cret",
            "'--password' 's3cret'",
            "--pass\"word\" s3cret",
            "--pa\\ssword s3cret",
            "\"--password=s3cret\"",
            "--password \"s3cret two words\"",
            "--password s3cr'et'\\ more",
            "--password \"s3cret \\\" quote\"",
        ] {
            assert_eq!(remembered(&format!("login {password} --username ann --role crypto-user")).unwrap(), wanted);
            assert_eq!(
                remembered(&format!("login --username 'ann' --role \"crypto-user\" {password}")).unwrap(),
                wanted
            );
        }
    }

    #[test]
    fn what_is_not_understood_is_not_remembered() {
        for typed in [
            "login --username ann --role crypto-user s3cret",
            "login --username ann --role crypto-user --password s3cret two",
            "login --username ann --role crypto-user --passwort s3cret",
            "login --username ann --role crypto-user --password 's3cret",
            "s3cret",
            "# s3cret",
            "login --help s3cret",
            "",
        ] {
            assert_eq!(remembered(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_line_comes_back_and_is_understood_again() {
        for typed in [
            "key list",
            "--cluster-id hsm2 user list",
            "user list --cluster-id hsm2",
            "key list --filter attr.label='two words' attr.class=private-key --verbose",
            "key generate-symmetric aes --label=-x --key-length-bytes 32 --session --attributes sign=true id=0x01",
            "key list --max-items 3",
            "user create --username x --role admin",
            "quit",
        ] {
            let once = remembered(typed).unwrap_or_else(|| "nothing".to_owned());
            assert_eq!(remembered(&once).as_ref(), Some(&once), "{typed}");
        }
        assert_eq!(remembered("--cluster-id hsm2 user list").unwrap(), "user list --cluster-id hsm2");
        assert_eq!(
            remembered("key list --filter attr.label=\"two words\"").unwrap(),
            "key list --filter 'attr.label=two words'"
        );
    }

    #[test]
    fn a_pipe_is_no_history() {
        let folder = std::env::temp_dir().join(format!("history-{}", std::process::id()));
        DirBuilder::new().recursive(true).create(&folder).unwrap();
        assert!(usable(folder.join("none yet")).is_some());
        let pipe = folder.join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert_eq!(usable(pipe), None);
        fs::remove_dir_all(folder).unwrap();
    }

    /// A new option for a secret has the type by which it is known as one.
    #[test]
    fn what_is_named_as_a_secret_is_one() {
        fn look(command: &Command, secrets: &mut usize) {
            for argument in command.get_arguments().filter(|argument| argument.get_action().takes_values()) {
                let words = argument.get_id().as_str().to_ascii_lowercase();
                let named =
                    words.split(['-', '_']).any(|word| ["password", "pin", "secret", "passphrase"].contains(&word));
                assert_eq!(named, is_secret(argument), "{}: {words}", command.get_name());
                *secrets += usize::from(named);
            }
            command.get_subcommands().for_each(|below| look(below, secrets));
        }
        let mut secrets = 0;
        look(&grammar(), &mut secrets);
        assert!(secrets >= 5, "{secrets}");
    }
}
