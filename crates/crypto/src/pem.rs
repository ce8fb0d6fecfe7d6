//! PEM (RFC 7468), read as people's files are: one long line or many, any line ends, blanks, a byte order mark, text around it.
//!
//! It is the one reader of PEM; what a block's content must be, its caller says.

use std::ops::Range;

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
use p256::elliptic_curve::pkcs8::der::pem::Base64Decoder;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
/// The byte order mark that Windows writes in front of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// One block of a PEM text.
pub struct Block<'t> {
    /// What stands behind `BEGIN`.
    pub label: &'t str,
    /// Whether its content is encrypted: by its label (PKCS#8) or its header (RFC 1421).
    pub encrypted: bool,
    body: &'t [u8],
}

fn refused(why: impl Into<String>) -> Error {
    Error::with(ck::CKR_ARGUMENTS_BAD, why.into())
}

/// The blocks of a text, in order; none if there is none. Their contents are not looked at.
///
/// # Errors
/// CKR_ARGUMENTS_BAD for text in UTF-16, and for a block without its end.
pub fn blocks(text: &[u8]) -> Result<Vec<Block<'_>>> {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        return Err(refused("It is text in UTF-16: save it as UTF-8"));
    }
    let mut rest = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    let mut found = Vec::new();
    while let Some((label, after)) = next_begin(rest) {
        let closing = [END, label.as_bytes(), DASHES].concat();
        let no_end = || refused(format!("The block of {label} has no end: the file is cut off or damaged"));
        let end = place(after, END).ok_or_else(no_end)?;
        let (content, behind) = after.split_at_checked(end.start).ok_or_else(no_end)?;
        rest = behind.strip_prefix(closing.as_slice()).ok_or_else(no_end)?;
        let (headers, body) = headers(content);
        let encrypted = label.starts_with("ENCRYPTED ") || place(headers, b"ENCRYPTED").is_some();
        found.push(Block { label, encrypted, body });
    }
    Ok(found)
}

/// The label of the next block that begins on a line of its own, and what comes after that boundary.
fn next_begin(text: &[u8]) -> Option<(&str, &[u8])> {
    let mut rest = text;
    let mut at_line = true;
    while let Some(at) = place(rest, BEGIN) {
        let (before, block) = (rest.get(..at.start)?, rest.get(at.end..)?);
        let on_its_own = before.iter().rev().find(|byte| !matches!(byte, b' ' | b'\t'));
        let on_its_own = on_its_own.map_or(at_line, |byte| matches!(byte, b'\n' | b'\r'));
        let label = place(block, DASHES).and_then(|end| Some((block.get(..end.start)?, block.get(end.end..)?)));
        if let Some((label, after)) = label
            && let Ok(label) = std::str::from_utf8(label)
            && on_its_own
            && !label.contains(['\n', '\r'])
        {
            return Some((label, after));
        }
        (rest, at_line) = (block, false);
    }
    None
}

/// The headers of RFC 1421, which end at the first blank line behind them, and the base64 after it. Of a block whose first line is no
/// header, all is base64.
fn headers(content: &[u8]) -> (&[u8], &[u8]) {
    let (mut at, mut begun, mut half) = (0, false, false);
    for line in content.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
        at += line.len();
        // The second half of CR LF is no line.
        if std::mem::replace(&mut half, line.ends_with(b"\r")) && line == b"\n" {
            continue;
        }
        match (line.iter().all(is_blank), begun) {
            (true, true) => return content.split_at_checked(at).unwrap_or((&[], content)),
            (true, false) | (false, true) => {}
            (false, false) if line.contains(&b':') => begun = true,
            (false, false) => break,
        }
    }
    (&[], content)
}

const fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

fn place(text: &[u8], wanted: &[u8]) -> Option<Range<usize>> {
    let start = text.windows(wanted.len()).position(|window| window == wanted)?;
    Some(start..start + wanted.len())
}

impl Block<'_> {
    /// What the block holds. White space counts nowhere in its base64 (RFC 7468 section 3, the lax form).
    ///
    /// # Errors
    /// CKR_ARGUMENTS_BAD for an encrypted block, and for what is no base64.
    pub fn content(&self) -> Result<Secret> {
        if self.encrypted {
            return Err(refused("The key in the file is encrypted: decrypt it first (openssl pkey -in FILE)"));
        }
        let no_base64 = || refused(format!("The block of {} is damaged: it is no base64", self.label));
        let mut length = self.body.iter().filter(|byte| !is_blank(byte)).count();
        let joined = Secret::made(length, |out| {
            for (to, from) in out.iter_mut().zip(self.body.iter().filter(|byte| !is_blank(byte))) {
                *to = *from;
            }
            Ok::<(), Error>(())
        })?;
        let mut decoder = Base64Decoder::new(joined.expose()).map_err(|_| no_base64())?;
        length = decoder.remaining_len();
        let content = Secret::made(length, |out| decoder.decode(out).map(drop)).map_err(|_| no_base64())?;
        if decoder.is_finished() { Ok(content) } else { Err(no_base64()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    /// RFC 4648 section 10 has the base64 of "foobar".
    const PLAIN: &str = "-----BEGIN A KEY-----\nZm9vYmFy\n-----END A KEY-----\n";

    fn only(text: &[u8]) -> (String, Vec<u8>) {
        let found = blocks(text).unwrap();
        assert_eq!(found.len(), 1);
        (found[0].label.to_owned(), found[0].content().unwrap().expose().to_vec())
    }

    #[test]
    fn however_it_is_written() {
        let wanted = ("A KEY".to_owned(), b"foobar".to_vec());
        let with = |from: &str, to: &str| PLAIN.replace(from, to);
        for text in [
            PLAIN.to_owned(),
            PLAIN.trim_end().to_owned(),
            with("\n", "\r\n"),
            with("\n", "\r"),
            with("\n", " \t\n"),
            with("Zm9v", "Zm9v\n"),
            with("Zm9v", "  Zm9v \n\n"),
            with("\n", ""),
            format!("\u{feff}{PLAIN}"),
            format!("subject=CN = \u{e9}\nissuer: none\n\n  {PLAIN}and a remark"),
            format!("what begins by -----BEGIN B KEY----- is a key\n{PLAIN}"),
            with("KEY-----\nZ", "KEY-----\nComment: mine\n\nZ"),
        ] {
            assert_eq!(only(text.as_bytes()), wanted, "{text:?}");
        }
        assert_eq!(only(&[b"\xe9 in Latin-1\n", PLAIN.as_bytes()].concat()), wanted);
    }

    /// RFC 1421 section 4.4: headers, a blank line, the text; RFC 7468 section 2: "parsers SHOULD ignore whitespace".
    #[test]
    fn headers_among_blanks() {
        let wanted = ("A KEY".to_owned(), b"foobar".to_vec());
        for head in ["Comment: mine\n\n", "Comment: mine\n \t\n", "\n Comment: mine \n\n\n", "A: b\n c\nD: e\n \n"] {
            for body in ["Zm9vYmFy", "Zm9v\nYmFy", "Zm9v\n\nYmFy", " Zm9v \n \n YmFy \n"] {
                for end in ["\n", "\r\n", "\r", " \t\n", " \r\n"] {
                    let text = PLAIN.replace("Zm9vYmFy", &[head, body].concat()).replace('\n', end);
                    assert_eq!(only(text.as_bytes()), wanted, "{text:?}");
                }
            }
        }
        // What stands behind base64 is no header, and takes nothing away.
        for body in ["Zm9v\n\na: b\n\nYmFy", "Zm9v\na: b\n\nYmFy", "a: b\nZm9vYmFy"] {
            let text = PLAIN.replace("Zm9vYmFy", body);
            assert!(blocks(text.as_bytes()).unwrap()[0].content().is_err(), "{body:?}");
        }
        let encrypted = "\n Proc-Type: 4,ENCRYPTED \nDEK-Info: AES-128-CBC,00\n \nZm9v\n\nYmFy";
        assert!(blocks(PLAIN.replace("Zm9vYmFy", encrypted).as_bytes()).unwrap()[0].encrypted);
    }

    #[test]
    fn several_blocks_in_order() {
        let text = format!("{PLAIN}{}", PLAIN.replace("A KEY", "B"));
        let labels: Vec<String> = blocks(text.as_bytes()).unwrap().iter().map(|b| b.label.to_owned()).collect();
        assert_eq!(labels, ["A KEY", "B"]);
        assert!(blocks(b"").unwrap().is_empty() && blocks(b"-----BEGIN").unwrap().is_empty());
    }

    #[test]
    fn what_is_damaged_or_encrypted() {
        let with = |from: &str, to: &str| PLAIN.replace(from, to);
        for text in [with("END A", "END B"), with("-----END A KEY-----", ""), with("END A KEY-----", "END A KEY")] {
            assert!(blocks(text.as_bytes()).err().unwrap().message().contains("no end"), "{text}");
        }
        for body in ["Zm9vYmF", "Zm9vYmFy=", "Zm9v!mFy", "Zm9vYmF=YmFy", "Zm9vYmF\u{e9}", "a: b"] {
            let text = with("Zm9vYmFy", body);
            assert!(
                blocks(text.as_bytes()).unwrap()[0].content().err().unwrap().message().contains("base64"),
                "{body}"
            );
        }
        let header = "KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nZ";
        let blanks = header.replace('\n', " \n");
        let headers = [header.to_owned(), blanks.clone(), blanks.replace('\n', "\r\n")];
        let texts = headers.map(|header| with("KEY-----\nZ", &header));
        for text in texts.into_iter().chain([with("A KEY", "ENCRYPTED PRIVATE KEY")]) {
            let found = blocks(text.as_bytes()).unwrap();
            assert!(found[0].encrypted && found[0].content().err().unwrap().message().contains("encrypted"));
        }
        let wide: Vec<u8> = std::iter::once(0xfeff).chain(PLAIN.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert!(blocks(&wide).err().unwrap().message().contains("UTF-16"));
    }
}
