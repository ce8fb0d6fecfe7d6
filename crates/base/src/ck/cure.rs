//! What to do about a return value: the tables of docs/troubleshooting.md, which stand there once for people and programs.

const PAGE: &str = include_str!("../../../../docs/troubleshooting.md");

/// A call that has failed, as the page is asked about it.
#[derive(Clone, Copy)]
pub struct Failure<'a> {
    /// The code, `CKR_...`.
    pub result: &'a str,
    /// The function, `C_...`.
    pub function: &'a str,
    /// What the library has said of the cause.
    pub why: &'a str,
    /// The name of the profile.
    pub dialect: &'a str,
}

/// What the page says of a failure, by the row that fits it best.
///
/// The first cell of a row has its codes, and what narrows it down: `from C_Login` (functions), `saying "words"` (any of them stands in
/// the cause), ``in `standard` `` (profiles). A row that is narrowed down by something else than what has happened does not count; of
/// those that do, words are better than a function, that is better than a profile, and that than a row for all. Of equals the first.
#[must_use]
pub fn of(failure: Failure<'_>) -> Option<String> {
    let rows = PAGE.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let (heading, cure) = (cells.next()?, cells.nth(1)?);
        Some((fit(heading, failure)?, cure))
    });
    let best = rows.reduce(|best, row| if row.0 > best.0 { row } else { best });
    best.map(|(_, cure)| plain(cure))
}

/// How well a row of this heading fits, or nothing if it does not.
fn fit(heading: &str, failure: Failure<'_>) -> Option<u8> {
    let mut fit = 0;
    let mut narrowed = |wanted: bool, met: bool, worth: u8| {
        fit += if wanted { worth } else { 0 };
        (!wanted || met).then_some(())
    };
    narrowed(true, has_word(heading, failure.result), 0)?;
    let mut words = heading.split('"').skip(1).step_by(2).peekable();
    narrowed(words.peek().is_some(), words.any(|words| failure.why.contains(words)), 4)?;
    narrowed(heading.contains(" from ") && heading.contains("C_"), has_word(heading, failure.function), 2)?;
    let mut profiles = heading.split('`').skip(1).step_by(2).peekable();
    narrowed(profiles.peek().is_some(), profiles.any(|profile| profile == failure.dialect), 1)?;
    Some(fit)
}

fn has_word(text: &str, wanted: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == wanted)
}

/// Without the marks of a link: `[settings](configuration.md)` is `settings (docs/configuration.md)`.
fn plain(text: &str) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        let Some((words, (target, behind))) =
            link.split_once("](").and_then(|(words, rest)| Some((words, rest.split_once(')')?)))
        else {
            break;
        };
        made.push_str(before);
        made.push_str(&format!("{words} (docs/{target})"));
        rest = behind;
    }
    made.push_str(rest);
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_chosen_by_what_narrows_it_down() {
        let failure =
            Failure { result: "CKR_PIN_LOCKED", function: "C_Login", why: "five wrong PINs", dialect: "strict" };
        let fit = |heading| fit(heading, failure);
        assert_eq!(fit("CKR_PIN_INVALID, CKR_PIN_LOCKED"), Some(0));
        assert_eq!(fit("CKR_PIN"), None, "part of a word is no code");
        assert_eq!(fit("CKR_PIN_LOCKED from any call"), Some(0));
        assert_eq!(fit("CKR_PIN_LOCKED from C_Login or C_SetPIN"), Some(2));
        assert_eq!(fit("CKR_PIN_LOCKED from C_SetPIN"), None);
        assert_eq!(fit("CKR_PIN_LOCKED saying \"six\" or \"five\""), Some(4));
        assert_eq!(fit("CKR_PIN_LOCKED saying \"six\""), None);
        assert_eq!(fit("CKR_PIN_LOCKED in `cloudhsm`, `strict`"), Some(1));
        assert_eq!(fit("CKR_PIN_LOCKED in `standard`"), None);
        assert_eq!(of(Failure { result: "CKR_OK", ..failure }), None);
        assert_eq!(plain("see [a page](page.md), now"), "see a page (docs/page.md), now");
    }
}
