//! The files by which tokens leave the HSM unsigned and come back signed (User Guide, reference-mfa-cloudhsm-cli and
//! quorum-auth-chsm-cli-first-time): JSON, binary parts in base64.
//!
//! There are two layouts: one for second factors and for registering a key, with a place for one signature, and one for
//! what several users approve. What a file says beside approval data and signatures is for people; the HSM knows its tokens.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hsm::module::{QuorumToken, Role, Service, Signature, SignedToken};
use serde_json::{Value, json};

use crate::output::Failure;

const VERSION: &str = "2.0";
/// Far beyond a token that all users of an HSM have signed.
const LONGEST_FILE: u64 = 4 << 20;

/// Writes a challenge to a second factor: one entry for each HSM, of which there is one.
pub(crate) fn write_challenge(path: &Path, digest: &[u8; 32]) -> Result<(), Failure> {
    write(path, &json!({ "version": VERSION, "tokens": [ { "unsigned": STANDARD.encode(digest), "signed": "" } ] }))
}

/// Writes a token of the service `registration`.
pub(crate) fn write_registration(path: &Path, token: &QuorumToken) -> Result<(), Failure> {
    let entry = json!({
        "approval_data": STANDARD.encode(&token.approval_data),
        "unsigned": STANDARD.encode(token.digest),
        "signed": "",
    });
    write(path, &json!({ "version": VERSION, "tokens": [ entry ] }))
}

/// Writes a token that others approve; `key` is the reference of the one that it is for.
pub(crate) fn write_token(
    path: &Path,
    service: Service,
    key: Option<&str>,
    token: &QuorumToken,
) -> Result<(), Failure> {
    // AWS's word in the file is another than that on the command line for this service alone.
    let service = if service == Service::User { "user-management" } else { service.name() };
    let mut file = json!({ "version": VERSION, "service": service });
    if let Some(file) = file.as_object_mut() {
        if let Some(key) = key {
            file.insert("key_reference".to_owned(), Value::from(key));
        }
        file.insert("approval_data".to_owned(), Value::from(STANDARD.encode(&token.approval_data)));
        file.insert("token".to_owned(), Value::from(STANDARD.encode(token.digest)));
        file.insert("signatures".to_owned(), json!([]));
    }
    write(path, &file)
}

/// The signature in the file of a challenge.
pub(crate) fn read_answer(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = read(path)?;
    signature(path, entry(&file, "tokens", "signed"))
}

/// Approval data and signature of a token of the service `registration`. Newer programs of AWS's add a list of signatures,
/// which may hold the one that counts.
pub(crate) fn read_registration(path: &Path) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let file = read(path)?;
    let data = bytes(path, entry(&file, "tokens", "approval_data"), "approval_data")?;
    let places = [entry(&file, "tokens", "signed"), entry(&file, "signatures", "signature")];
    let filled = places.into_iter().flatten().find(|place| place.as_str().is_some_and(|text| !text.is_empty()));
    Ok((data, signature(path, filled)?))
}

/// A token that others have approved.
pub(crate) fn read_token(path: &Path) -> Result<SignedToken, Failure> {
    let file = read(path)?;
    let list = file.get("signatures").and_then(Value::as_array).ok_or_else(no_signatures)?;
    let mut signatures = Vec::with_capacity(list.len());
    for entry in list {
        let text = |name: &str| entry.get(name).and_then(Value::as_str);
        let wrong = || malformed(path, "a signature has username, role and signature");
        signatures.push(Signature {
            username: text("username").ok_or_else(wrong)?.to_owned(),
            role: text("role").and_then(Role::from_name).ok_or_else(wrong)?,
            signature: bytes(path, entry.get("signature"), "signature")?,
        });
    }
    Ok(SignedToken { approval_data: bytes(path, file.get("approval_data"), "approval_data")?, signatures })
}

/// AWS's text for a file of the wrong layout.
fn no_signatures() -> Failure {
    Failure::new("No token signatures provided")
}

/// A member of the first entry of a list.
fn entry<'a>(file: &'a Value, list: &str, name: &str) -> Option<&'a Value> {
    file.get(list)?.get(0)?.get(name)
}

fn signature(path: &Path, place: Option<&Value>) -> Result<Vec<u8>, Failure> {
    match place.and_then(Value::as_str) {
        None | Some("") => Err(no_signatures()),
        Some(_) => bytes(path, place, "signed"),
    }
}

fn bytes(path: &Path, place: Option<&Value>, name: &str) -> Result<Vec<u8>, Failure> {
    let text = place.and_then(Value::as_str).ok_or_else(|| malformed(path, &format!("there is no {name}")))?;
    // What wrote the signature may have ended the line or broken it.
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(text).map_err(|_| malformed(path, &format!("{name} is not base64")))
}

fn malformed(path: &Path, why: &str) -> Failure {
    Failure::new(format!("{}: is no token file: {why}", path.display()))
}

fn read(path: &Path) -> Result<Value, Failure> {
    let failed = |error| Failure::new(format!("{}: {error}", path.display()));
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut text)).map_err(failed)?;
    serde_json::from_str(&text).map_err(|error| malformed(path, &error.to_string()))
}

fn write(path: &Path, content: &Value) -> Result<(), Failure> {
    std::fs::write(path, format!("{content:#}\n"))
        .map_err(|error| Failure::new(format!("{}: cannot be written: {error}", path.display())))
}
