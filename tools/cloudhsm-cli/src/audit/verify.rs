//! `audit verify`.

use cloudhsm_pkcs11::module::AuditHead;
use serde_json::json;

use crate::context::Context;
use crate::output::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A head that was printed before: say whether this log still includes it
    #[arg(long, value_name = "HEAD", value_parser = parse)]
    includes: Option<AuditHead>,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Outcome {
    let check = context.module()?.verify_audit(arguments.includes.as_ref())?;
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
    Ok(json!({ "event_count": check.head.records, "head": print(&check.head), "message": "The audit log is whole" }))
}

/// The number of records, a colon, and the MAC over them in hexadecimal.
fn print(head: &AuditHead) -> String {
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
