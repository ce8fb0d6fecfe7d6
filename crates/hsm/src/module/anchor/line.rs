//! One line of an anchor: what the HSM was after a commit, in words that a person can read and a log can carry.

use std::fmt;

use platform::process;

/// What the line begins with; what a log has put in front of it is passed over.
const NAME: &str = "cloudhsm-anchor-1";

/// What was done before the line was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark {
    /// A commit.
    Commit,
    /// The HSM was activated.
    Activated,
    /// A backup was put back: what stands before it is of another history.
    Restored,
    /// Nothing: the head was asked for.
    Asked,
}

impl Mark {
    const ALL: [Self; 4] = [Self::Commit, Self::Activated, Self::Restored, Self::Asked];

    const fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Activated => "activated",
            Self::Restored => "restored",
            Self::Asked => "asked",
        }
    }
}

/// The head of the HSM at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    /// The HSM's serial number.
    pub(super) serial: String,
    pub(super) mark: Mark,
    /// How many commits there have been.
    pub(super) commit: u64,
    /// How many records the audit log has.
    pub(super) records: u64,
    /// The MAC over them.
    pub(super) log: [u8; 32],
    /// The sum over every record of the store before the commit.
    pub(super) was: [u8; 32],
    /// The same after it.
    pub(super) state: [u8; 32],
    /// Wall clock in milliseconds since 1970, for people.
    pub(super) time_ms: u64,
}

impl fmt::Display for Line {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { serial, mark, commit, records, log, was, state, time_ms } = self;
        let (mark, log, was, state) = (mark.name(), Hex(log), Hex(was), Hex(state));
        write!(
            out,
            "{NAME} serial={serial} mark={mark} commit={commit} records={records} log={log} was={was} state={state} \
             time-ms={time_ms}"
        )
    }
}

struct Hex<'a>(&'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

/// What stands before a line that the library has sent to the system's log.
const LOG_TAG: &str = "cloudhsm-pkcs11[";

impl Line {
    /// Stamps the time.
    pub(super) fn at_this_time(self) -> Self {
        Self { time_ms: process::wall_clock_ms(), ..self }
    }

    /// Finds the line in a line of a file or a log; nothing if there is none in it. What another program says in a log, which anybody may
    /// make it say, is none: `ssh cloudhsm-anchor-1@host` stands there too.
    ///
    /// # Errors
    /// What is wrong with one of ours.
    pub(super) fn find(text: &str) -> Result<Option<Self>, &'static str> {
        let Some((before, fields)) = text.split_once(NAME) else { return Ok(None) };
        let is_ours = before.is_empty() || (before.contains(LOG_TAG) && before.trim_end().ends_with("]:"));
        Self::read(fields).map(Some).or_else(|why| if is_ours { Err(why) } else { Ok(None) })
    }

    fn read(fields: &str) -> Result<Self, &'static str> {
        let mut words = fields.split_ascii_whitespace();
        let mut field = |name: &str| {
            let word = words.next().and_then(|word| word.strip_prefix(name)).and_then(|rest| rest.strip_prefix('='));
            word.ok_or("a field is missing or not in its place")
        };
        let number = |text: &str| text.parse().map_err(|_| "a number is none");
        let line = Self {
            serial: field("serial")?.to_owned(),
            mark: mark(field("mark")?)?,
            commit: number(field("commit")?)?,
            records: number(field("records")?)?,
            log: sum(field("log")?)?,
            was: sum(field("was")?)?,
            state: sum(field("state")?)?,
            time_ms: number(field("time-ms")?)?,
        };
        if words.next().is_some() {
            return Err("there is more behind it");
        }
        Ok(line)
    }
}

fn mark(name: &str) -> Result<Mark, &'static str> {
    Mark::ALL.into_iter().find(|mark| mark.name() == name).ok_or("the mark is none")
}

fn sum(digits: &str) -> Result<[u8; 32], &'static str> {
    let wrong = "a sum is not 64 hexadecimal digits";
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong);
    }
    let mut sum = [0; 32];
    for (byte, pair) in sum.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong)?;
    }
    Ok(sum)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_was_written() {
        let line = Line {
            serial: "0123456789abcdef".to_owned(),
            mark: Mark::Restored,
            commit: 12,
            records: 8,
            log: [0x5f; 32],
            was: [1; 32],
            state: [0xa0; 32],
            time_ms: 1_700_000_000_123,
        };
        let text = line.to_string();
        assert_eq!(Line::find(&text), Ok(Some(line.clone())));
        let in_a_log = format!("Nov 30 22:02:37 host cloudhsm-pkcs11[77]: {text}\n");
        assert_eq!(Line::find(&in_a_log), Ok(Some(line)));
        assert_eq!(Line::find("Nov 30 22:02:37 host sshd[1]: a line of somebody else"), Ok(None));
        for (from, to) in
            [("commit=12", "commit=x"), ("records=8 ", ""), ("=5f", "=+f"), ("restored", "else"), ("123", "123 more=1")]
        {
            let wrong = text.replacen(from, to, 1);
            assert!(Line::find(&wrong).is_err(), "{from} {to}");
            assert!(Line::find(&format!("host cloudhsm-pkcs11[77]: {wrong}")).is_err(), "{from} {to}");
            assert_eq!(Line::find(&format!("host sshd[1]: Invalid user {wrong}")), Ok(None), "it is not ours");
        }
    }
}
