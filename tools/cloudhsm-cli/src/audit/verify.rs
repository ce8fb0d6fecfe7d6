//! `audit verify`.

use std::path::{Path, PathBuf};

use hsm::module::{AnchorCheck, AuditHead, Module, is_signed_by};
use serde_json::{Value, json};

use crate::context::Context;
use crate::input::read_file;
use crate::output::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A head that was printed before: say whether this log still includes it
    #[arg(long, value_name = "HEAD", value_parser = parse)]
    includes: Option<AuditHead>,
    /// A file of lines that `audit head` or the setting audit_anchor has written, a log among them: compare the HSM with them
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// A signature of that file, as `openssl dgst -sha256 -sign` makes it with an RSA key of 2048 bits
    #[arg(long, value_name = "FILE", requires = "anchor", requires = "public_key")]
    signature: Option<PathBuf>,
    /// The public key of whoever has signed it, in PEM, from where it was kept: the HSM's own copy could have been exchanged too
    #[arg(long, value_name = "FILE", requires = "signature")]
    public_key: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Outcome {
    let module = context.module()?;
    let check = module.verify_audit(arguments.includes.as_ref())?;
    if let Some(place) = check.broken_at {
        return Err(Failure::new(format!(
            "The audit log is broken: record {place:#x} is missing, exchanged or changed; the records before it are whole"
        )));
    }
    if check.includes == Some(false) {
        return Err(Failure::new(
            "The audit log does not include that head: it was put back to before it, or is another's",
        ));
    }
    let mut data = json!({ "event_count": check.head.records, "head": print(&check.head) });
    let compared = match &arguments.anchor {
        Some(path) => Some(compare(module, path, arguments)?),
        None => module.verify_own_anchor()?,
    };
    if let Some(data) = data.as_object_mut() {
        if let Some(anchor) = compared {
            data.insert("anchor".to_owned(), told(&anchor)?);
        }
        data.insert("message".to_owned(), Value::from("The audit log is whole"));
    }
    Ok(data)
}

/// Compares the HSM with the lines of a file, after its signature if there is one.
fn compare(module: &Module, path: &Path, arguments: &Arguments) -> Result<AnchorCheck, Failure> {
    let content = read_file(path)?;
    if let (Some(signature), Some(key)) = (&arguments.signature, &arguments.public_key) {
        let key = String::from_utf8(read_file(key)?).map_err(|_| Failure::new("The public key is not PEM"))?;
        if !is_signed_by(&key, &content, &read_file(signature)?)? {
            return Err(Failure::new(format!("{}: the signature is not that key's", path.display())));
        }
    }
    let text = String::from_utf8(content).map_err(|_| Failure::new(format!("{}: is no text", path.display())))?;
    Ok(module.verify_anchor(&text)?)
}

/// What a comparison found, unless something is wrong.
fn told(anchor: &AnchorCheck) -> Result<Value, Failure> {
    match anchor.wrong.first() {
        Some(first) => Err(Failure::new(format!(
            "The HSM is not the one that the anchor knows: {first}{}",
            match anchor.wrong.len() - 1 {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            }
        ))),
        None => Ok(json!({
            "lines": anchor.lines,
            "changed-since": anchor.changed_since,
            "events-since": anchor.records_since,
        })),
    }
}

/// The number of records, a colon, and the MAC over them in hexadecimal.
pub(super) fn print(head: &AuditHead) -> String {
    format!("{}:{}", head.records, head.mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn parse(text: &str) -> Result<AuditHead, String> {
    let wrong = || "a head is a number, a colon and 64 hexadecimal digits, as audit verify prints it".to_owned();
    let (records, digits) = text.split_once(':').ok_or_else(wrong)?;
    let records = records.parse().map_err(|_| wrong())?;
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut mac = [0; 32];
    for (byte, pair) in mac.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
    }
    Ok(AuditHead { records, mac })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_what_was_printed() {
        let head = AuditHead { records: 42, mac: [0x5f; 32] };
        assert_eq!(parse(&print(&head)), Ok(head));
        for wrong in ["", "42", "42:5f", "x:00", &format!("42:{}", "+f".repeat(32)), &format!("42:{}", "é".repeat(32))]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
