//! Runs tests/cases/*.case against the built program: one file a case, each with a home and a folder of its own.
//!
//! What a case expects is written by hand from AWS's User Guide, which its first line names. The form:
//!
//! ```text
//! # comment; the first one says where the expectation comes from
//! home activated            the case begins with an HSM of the users ann and ben (else with nothing)
//! set NAME=VALUE            a variable of the environment, from here on; ${folder} is the case's folder
//! $ ann key list            the program as a user: ann, ben, admin, ROLE/USER:PASSWORD, or - for nobody
//! < text                    a line of its standard input
//! { "error_code": 0, ... }  the JSON that it prints; several in a row in interactive mode
//! status 2                  its exit status where it is not that of the last JSON
//! stderr text               its standard error has this text
//! ! openssl ...             a command of the shell in the case's folder, which succeeds
//! ```
//!
//! A line that ends with `\` goes on in the next. In expected JSON, `"<any>"` is anything, `"<text:PART>"` a text with
//! this in it, `"<hex:N>"` `0x` and N digits, `"<base64>"` what it says, `"<number>"` any number, `"<keep:NAME>"` any text
//! and `"<number:NAME>"` any number, which `${NAME}` stands for from then on. Keys stand in AWS's order; a last
//! `"...": "..."` allows others after them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Answer, Home};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;

/// One command of a case and what is expected of it.
#[derive(Default)]
struct Step {
    line: usize,
    command: String,
    input: String,
    json: String,
    status: Option<i32>,
    stderr: Vec<String>,
}

/// What a case knows while it runs.
struct Run {
    home: Home,
    folder: PathBuf,
    kept: BTreeMap<String, String>,
    environment: Vec<(String, String)>,
}

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    let trials = cases
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == "case"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            Trial::test(name, move || run(&path).map_err(Failed::from))
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The steps of a case, and whether its home is activated.
fn read(text: &str) -> Result<(bool, Vec<Step>), String> {
    let mut activated = false;
    let mut steps: Vec<Step> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let mut line = line.to_owned();
        while line.ends_with('\\') {
            line.pop();
            line.push_str(lines.next().ok_or("the case ends in the middle of a line")?.1.trim_start());
        }
        let line = line.trim();
        let wrong = || format!("line {}: {line}", number + 1);
        if line.is_empty() || line.starts_with('#') {
        } else if line == "home activated" {
            activated = true;
        } else if line.starts_with("$ ") || line.starts_with("! ") || line.starts_with("set ") {
            steps.push(Step { line: number + 1, command: line.to_owned(), ..Step::default() });
        } else {
            let step = steps.last_mut().ok_or_else(wrong)?;
            if let Some(input) = line.strip_prefix('<') {
                step.input.push_str(input.trim_start());
                step.input.push('\n');
            } else if let Some(status) = line.strip_prefix("status ") {
                step.status = Some(status.parse().map_err(|_| wrong())?);
            } else if let Some(part) = line.strip_prefix("stderr ") {
                step.stderr.push(part.to_owned());
            } else {
                step.json.push_str(line);
                step.json.push('\n');
            }
        }
    }
    if steps.is_empty() { Err("a case without a step".to_owned()) } else { Ok((activated, steps)) }
}

fn run(path: &Path) -> Result<(), String> {
    let (activated, steps) = read(&std::fs::read_to_string(path).unwrap())?;
    let home = if activated { Home::activated() } else { Home::new() };
    let folder = home.folder().join("work");
    std::fs::create_dir(&folder).unwrap();
    let kept = BTreeMap::from([("folder".to_owned(), folder.to_str().unwrap().to_owned())]);
    let mut run = Run { home, folder, kept, environment: Vec::new() };
    for step in &steps {
        run.step(step).map_err(|why| format!("{}:{}: {}\n{why}", path.display(), step.line, step.command))?;
    }
    Ok(())
}

impl Run {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        let (sign, rest) = step.command.split_once(' ').unwrap();
        let rest = self.fill(rest)?;
        match sign {
            "set" => {
                let (name, value) = rest.split_once('=').ok_or("not NAME=VALUE")?;
                self.environment.push((name.to_owned(), value.to_owned()));
                Ok(())
            }
            "!" => {
                let output = Command::new("sh").args(["-euc", &rest]).current_dir(&self.folder).output().unwrap();
                if output.status.success() {
                    return Ok(());
                }
                Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
            }
            _ => {
                let answer = self.program(&rest, &self.fill(&step.input)?)?;
                self.check(step, &answer)
                    .map_err(|why| format!("{why}\nstatus {}\n{}{}", answer.status, answer.stdout, answer.stderr))
            }
        }
    }

    /// Puts what was kept in the place of `${NAME}`.
    fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = text.to_owned();
        for (name, value) in &self.kept {
            filled = filled.replace(&format!("${{{name}}}"), value);
        }
        if filled.contains("${") { Err(format!("nothing was kept under a name of: {filled}")) } else { Ok(filled) }
    }

    fn program(&self, rest: &str, input: &str) -> Result<Answer, String> {
        let words = shlex::split(rest).ok_or("a quote is open")?;
        let (who, arguments) = words.split_first().ok_or("no user")?;
        let own;
        let login = match who.as_str() {
            "-" => None,
            "admin" => common::OFFICER,
            "ann" => common::ANN,
            "ben" => common::BEN,
            other => {
                own = other.split_once('/').ok_or("a user is ROLE/USER:PASSWORD")?;
                Some(own)
            }
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let environment: Vec<(&str, &str)> =
            self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Ok(common::run_at(&self.home.path(), &self.folder, login, &arguments, input, &environment))
    }

    fn check(&mut self, step: &Step, answer: &Answer) -> Result<(), String> {
        let parse = |text: &str| -> Result<Vec<Value>, String> {
            serde_json::Deserializer::from_str(text).into_iter().collect::<Result<_, _>>().map_err(|e| e.to_string())
        };
        let expected = parse(&self.fill_known(&step.json))?;
        for part in &step.stderr {
            if !answer.stderr.contains(part) {
                return Err(format!("standard error has no `{part}`"));
            }
        }
        let status = match (step.status, expected.last()) {
            (Some(status), _) => status,
            (None, Some(last)) => i32::from(last["error_code"] != 0),
            (None, None) => 0,
        };
        if answer.status != status {
            return Err(format!("the status is not {status}"));
        }
        // A program that says how it is used prints no JSON.
        if expected.is_empty() && (status != 0 || answer.stdout.is_empty()) {
            return Ok(());
        }
        let printed = parse(&answer.stdout)?;
        if printed.len() != expected.len() {
            return Err(format!("{} answers, expected {}", printed.len(), expected.len()));
        }
        expected.iter().zip(&printed).try_for_each(|(expected, printed)| self.compare("", expected, printed))
    }

    /// What was kept, in expected JSON; a name that is kept by this very step is left.
    fn fill_known(&self, text: &str) -> String {
        let known = self.kept.iter();
        known.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    }

    fn compare(&mut self, place: &str, expected: &Value, printed: &Value) -> Result<(), String> {
        let differs = || Err(format!("{place}: {printed}, expected {expected}"));
        match (expected, printed) {
            (Value::Object(expected), Value::Object(printed)) => {
                let open = expected.contains_key("...");
                let wanted: Vec<&String> = expected.keys().filter(|key| *key != "...").collect();
                let given: Vec<&String> = printed.keys().collect();
                let fits = if open { given.starts_with(&wanted) } else { given == wanted };
                if !fits {
                    return Err(format!("{place}: the keys {given:?}, expected {wanted:?}"));
                }
                wanted
                    .iter()
                    .try_for_each(|key| self.compare(&format!("{place}/{key}"), &expected[*key], &printed[*key]))
            }
            (Value::Array(expected), Value::Array(printed)) => {
                if expected.len() != printed.len() {
                    return Err(format!("{place}: {} entries, expected {}", printed.len(), expected.len()));
                }
                expected
                    .iter()
                    .zip(printed)
                    .enumerate()
                    .try_for_each(|(at, (expected, printed))| self.compare(&format!("{place}/{at}"), expected, printed))
            }
            (Value::String(mask), _) if mask.starts_with('<') && mask.ends_with('>') => {
                let mask = mask.trim_start_matches('<').trim_end_matches('>');
                let (kind, more) = mask.split_once(':').unwrap_or((mask, ""));
                let text = printed.as_str();
                let fits = match kind {
                    "any" => true,
                    "number" => {
                        let new = more.is_empty() || self.kept.insert(more.to_owned(), printed.to_string()).is_none();
                        printed.is_u64() && new
                    }
                    "text" => text.is_some_and(|text| text.contains(more)),
                    "hex" => text.and_then(|text| text.strip_prefix("0x")).is_some_and(|digits| {
                        (more.is_empty() || Ok(digits.len()) == more.parse())
                            && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
                    }),
                    "base64" => text.is_some_and(|text| {
                        let body = text.trim_end_matches('=');
                        text.len() % 4 == 0
                            && !text.is_empty()
                            && body.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/'))
                    }),
                    "keep" => text.is_some_and(|text| self.kept.insert(more.to_owned(), text.to_owned()).is_none()),
                    _ => return Err(format!("{place}: there is no mask {mask}")),
                };
                if fits { Ok(()) } else { differs() }
            }
            _ if expected == printed => Ok(()),
            _ => differs(),
        }
    }
}
