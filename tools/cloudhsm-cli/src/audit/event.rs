//! One event of the audit log: as JSON, and as AWS prints it (User Guide, interpreting-audit-logs and
//! pkcs11-certificate-storage-audit-logs).

use hsm::module::{CommandType, Entry, LogType, Party, Response};
use serde_json::{Value, json};

use crate::timestamp;

/// How an event is named, and what more it has; of one that a later version wrote its number is all that is known.
fn kind(entry: &Entry) -> (&'static str, (&'static str, u32), LogType) {
    entry.row().map_or(("UNKNOWN", CommandType::Management.name(), LogType::Minimal), |row| {
        (row.name, row.command.name(), row.log)
    })
}

fn response(entry: &Entry) -> &'static str {
    Response::of(entry.response).map_or("HSM Error: UNKNOWN", Response::text)
}

/// A name as it came with a failed login may hold anything: in the text it must not look like lines of its own.
fn in_one_line(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter }).collect()
}

fn user_type(party: &Party) -> String {
    party.kind.map_or_else(String::new, |kind| format!("{} ({})", kind.name(), kind as u8))
}

/// Everything that is known of an event.
pub(super) fn json(entry: &Entry) -> Value {
    let (opcode, (command, _), log) = kind(entry);
    let [private, public] = entry.objects;
    let mut shown = json!({
        "sequence": format!("{:#x}", entry.sequence),
        "time": timestamp::of_audit_log(entry.time_us),
        "usecs": entry.time_us,
        "reboot-counter": format!("{:#x}", entry.reboot_counter),
        "command-type": command,
        "opcode": opcode,
        "opcode-number": format!("{:#x}", entry.opcode),
        "session-handle": format!("{:#x}", entry.session),
        "response": entry.response,
        "response-text": if log == LogType::Certificate { certificate_response(entry) } else { response(entry) },
        "log-type": log.name().0,
    });
    if let Some(shown) = shown.as_object_mut() {
        let mut put = |name: &str, value: Value| drop(shown.insert(name.to_owned(), value));
        let user = entry.user();
        if !user.name.is_empty() {
            put("user-name", Value::from(user.name.as_str()));
            put("user-type", Value::from(user_type(user)));
        }
        if private != 0 || public != 0 {
            put("priv-secret-key-handle", Value::from(format!("{private:#018x}")));
            put("public-key-handle", Value::from(format!("{public:#018x}")));
        }
        if !entry.by.name.is_empty() {
            put("by", json!({ "username": entry.by.name, "user-type": user_type(&entry.by) }));
        }
        if !entry.detail.is_empty() {
            put("detail", Value::from(entry.detail.as_str()));
        }
    }
    shown
}

fn certificate_response(entry: &Entry) -> &'static str {
    Response::of(entry.response).map_or("InternalFailure", Response::of_certificate)
}

/// An event in AWS's form, with the empty line after it.
pub(super) fn text(entry: &Entry) -> String {
    let (opcode, (command, number), log) = kind(entry);
    if log == LogType::Certificate {
        return format!("{}\n\n", certificate(entry));
    }
    let [private, public] = entry.objects;
    let more = match log {
        LogType::User => {
            let user = entry.user();
            format!("User Name : {}\nUser Type : {}\n", in_one_line(&user.name), user_type(user))
        }
        LogType::Key => format!("Priv/Secret Key Handle : {private}\nPublic Key Handle : {public}\n"),
        LogType::Minimal | LogType::Unknown | LogType::Certificate => String::new(),
    };
    format!(
        "Time: {}, usecs:{}\nSequence No : {:#x}\nReboot counter : {:#x}\nCommand Type(hex) : {command} ({number:#x})\n\
         Opcode : {opcode} ({:#x})\nSession Handle : {:#x}\nResponse : {}:{}\nLog type : {} ({})\n{more}\n",
        timestamp::of_audit_log(entry.time_us),
        entry.time_us,
        entry.sequence,
        entry.reboot_counter,
        entry.opcode,
        entry.session,
        entry.response,
        response(entry),
        log.name().0,
        log.name().1,
    )
}

/// An event of the log of certificates, in AWS's members.
fn certificate(entry: &Entry) -> Value {
    let [handle, _] = entry.objects;
    let attributes: Vec<&str> = entry.detail.split(',').filter(|name| !name.is_empty()).collect();
    json!({
        "object_handle": if handle == 0 { Value::Null } else { Value::from(handle) },
        "op_code": kind(entry).0,
        "response": certificate_response(entry),
        "attributes": if attributes.is_empty() { Value::Null } else { Value::from(attributes) },
        "timestamp": entry.time_us / 1000,
    })
}

#[cfg(test)]
mod tests {
    use hsm::module::UserType;

    use super::*;

    fn entry() -> Entry {
        Entry {
            sequence: 0,
            time_us: 1_516_067_329_824_999,
            reboot_counter: 0x107,
            session: 0x701_4006,
            opcode: 0xd,
            response: 0,
            by: Party { kind: Some(UserType::CryptoOfficer), name: "admin".to_owned() },
            about: None,
            objects: [0, 0],
            detail: String::new(),
        }
    }

    /// The events of the User Guide, interpreting-audit-logs, letter for letter.
    #[test]
    fn as_the_user_guide_prints_them() {
        let login = "Time: 01/16/18 01:48:49.824999, usecs:1516067329824999\nSequence No : 0x0\nReboot counter : 0x107\n\
                     Command Type(hex) : CN_MGMT_CMD (0x0)\nOpcode : CN_LOGIN (0xd)\nSession Handle : 0x7014006\n\
                     Response : 0:HSM Return: SUCCESS\nLog type : MGMT_USER_DETAILS_LOG (2)\nUser Name : admin\n\
                     User Type : CN_CRYPTO_OFFICER (2)\n\n";
        assert_eq!(text(&entry()), login);
        let failed = Entry {
            sequence: 4,
            time_us: 1_516_815_699_037_255,
            session: 0xc00_8002,
            response: 157,
            by: Party::default(),
            about: Some(Party { kind: Some(UserType::CryptoUser), name: "ExampleUser".to_owned() }),
            ..entry()
        };
        let expected = "Time: 01/24/18 17:41:39.037255, usecs:1516815699037255\nSequence No : 0x4\n\
                        Reboot counter : 0x107\nCommand Type(hex) : CN_MGMT_CMD (0x0)\nOpcode : CN_LOGIN (0xd)\n\
                        Session Handle : 0xc008002\n\
                        Response : 157:HSM Error: user isn't initialized or user with this name doesn't exist\n\
                        Log type : MGMT_USER_DETAILS_LOG (2)\nUser Name : ExampleUser\nUser Type : CN_CRYPTO_USER (1)\n\n";
        assert_eq!(text(&failed), expected);
        let wrong = text(&Entry { response: 163, ..failed });
        assert!(wrong.contains("\nResponse : 163:HSM Error: RET_USER_LOGIN_FAILURE\n"), "{wrong}");
        let wrapped = Entry {
            sequence: 0x27,
            time_us: 1_516_823_472_860_123,
            session: 0x700_4003,
            opcode: 0x1a,
            objects: [7, 0],
            ..entry()
        };
        let expected = "Time: 01/24/18 19:51:12.860123, usecs:1516823472860123\nSequence No : 0x27\n\
                        Reboot counter : 0x107\nCommand Type(hex) : CN_MGMT_CMD (0x0)\nOpcode : CN_WRAP_KEY (0x1a)\n\
                        Session Handle : 0x7004003\nResponse : 0:HSM Return: SUCCESS\nLog type : MGMT_KEY_DETAILS_LOG (1)\n\
                        Priv/Secret Key Handle : 7\nPublic Key Handle : 0\n\n";
        assert_eq!(text(&wrapped), expected);
    }

    /// The samples of the User Guide, pkcs11-certificate-storage-audit-logs.
    #[test]
    fn certificates_are_json() {
        let changed = Entry {
            opcode: 0x1_0203,
            time_us: 1_725_482_488_004_000,
            objects: [463_180_678_453_346_687, 0],
            detail: "Label".to_owned(),
            ..entry()
        };
        let expected = json!({
            "object_handle": 463_180_678_453_346_687_u64,
            "op_code": "SetAttributeValues",
            "response": "OK",
            "attributes": ["Label"],
            "timestamp": 1_725_482_488_004_u64,
        });
        assert_eq!(certificate(&changed), expected);
        let full = Entry {
            opcode: 0x1_0201,
            time_us: 1_726_084_937_125_000,
            response: Response::MaxObjectsReached as u32,
            ..entry()
        };
        let expected = json!({
            "object_handle": null,
            "op_code": "CreateObject",
            "response": "MaxObjectsReached",
            "attributes": null,
            "timestamp": 1_726_084_937_125_u64,
        });
        assert_eq!(certificate(&full), expected);
    }

    #[test]
    fn a_name_forges_no_lines() {
        let name = "x\nLog type : forged\r".to_owned();
        let forged = Entry { about: Some(Party { kind: None, name }), ..entry() };
        assert_eq!(text(&forged).lines().count(), text(&entry()).lines().count());
        assert!(text(&forged).contains("User Name : x\u{fffd}Log type : forged\u{fffd}\n"));
    }

    #[test]
    fn what_a_later_version_wrote_is_shown_by_its_number() {
        let later = Entry { opcode: 0xff_ffff, response: 9999, ..entry() };
        assert!(text(&later).contains("Opcode : UNKNOWN (0xffffff)\n"));
        assert_eq!(json(&later)["opcode-number"], "0xffffff");
    }
}
