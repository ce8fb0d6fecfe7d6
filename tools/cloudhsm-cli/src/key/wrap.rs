//! `key wrap`: a key leaves the HSM under another.

use std::path::PathBuf;

use std::sync::Arc;

use base::ck;
use clap::{Args, Subcommand};
use hsm::mechanism::Use;
use hsm::module::{Actor, Role};
use hsm::object::Object;
use serde_json::{Map, Value};

use super::filter::Filter;
use super::forms::{Form, GcmOptions};
use super::view::reference;
use crate::arguments;
use crate::context::{Context, Session};
use crate::input::{HashAndMask, to_base64, to_hex, write_file};
use crate::output::{Failure, Outcome};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// AES-GCM; the IV is the HSM's and printed beside the wrapped key
    #[command(after_help = "\
Example:
  cloudhsm-cli key wrap aes-gcm --payload-filter attr.label=k1 --wrapping-filter attr.label=kek \\
    --tag-length-bits 128 --aad 0x10")]
    AesGcm(WithGcm),
    /// RFC 3394, for AES and triple-DES keys
    #[command(after_help = "\
Example:
  cloudhsm-cli key wrap aes-no-pad --payload-filter attr.label=k1 --wrapping-filter attr.label=kek")]
    AesNoPad(Arguments),
    /// RFC 3394 of a key padded as PKCS#5 pads
    #[command(after_help = "\
Example:
  cloudhsm-cli key wrap aes-pkcs5-pad --payload-filter attr.label=k1 --wrapping-filter attr.label=kek")]
    AesPkcs5Pad(Arguments),
    /// RFC 5649
    #[command(after_help = "\
Example:
  cloudhsm-cli key wrap aes-zero-pad --payload-filter attr.label=k1 --wrapping-filter attr.label=kek --path k1.wrapped")]
    AesZeroPad(Arguments),
    /// AES-GCM; the IV is the HSM's and stands in front of the wrapped key
    #[command(after_help = "\
Example:
  cloudhsm-cli key wrap cloudhsm-aes-gcm --payload-filter attr.label=k1 --wrapping-filter attr.label=kek \\
    --tag-length-bits 128")]
    CloudhsmAesGcm(WithGcm),
    /// An AES key under RSA-OAEP, and the key under that with RFC 5649
    #[command(after_help = "\
Example:
  cloudhsm-cli key wrap rsa-aes --payload-filter attr.label=k1 --wrapping-filter attr.label=rsa-public \\
    --hash-function sha256 --mgf mgf1-sha256")]
    RsaAes(WithHashes),
    /// RSA-OAEP
    #[command(after_help = "\
Example:
  cloudhsm-cli key wrap rsa-oaep --payload-filter attr.label=k1 --wrapping-filter attr.label=rsa-public \\
    --hash-function sha256 --mgf mgf1-sha256")]
    RsaOaep(WithHashes),
    /// RSA with PKCS#1 v1.5; not in FIPS mode
    #[command(after_help = "\
Example:
  cloudhsm-cli key wrap rsa-pkcs --payload-filter attr.label=k1 --wrapping-filter attr.label=rsa-public")]
    RsaPkcs(Arguments),
}

#[derive(Args)]
pub(crate) struct WithGcm {
    #[command(flatten)]
    gcm: GcmOptions,
    #[command(flatten)]
    arguments: Arguments,
}

#[derive(Args)]
pub(crate) struct WithHashes {
    #[command(flatten)]
    hashes: HashAndMask,
    #[command(flatten)]
    arguments: Arguments,
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// The key to wrap: key-reference=0x... or attr.NAME=VALUE; exactly one must match
    #[arg(long, num_args = 1.., required = true, value_name = "FILTER")]
    payload_filter: Vec<String>,
    /// The key to wrap it with
    #[arg(long, num_args = 1.., required = true, value_name = "FILTER")]
    wrapping_filter: Vec<String>,
    /// A file to write the wrapped key to, as it is
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,
    /// A signed quorum token file for the key to wrap
    #[arg(long, value_name = "FILE")]
    payload_approval: Option<PathBuf>,
    /// A signed quorum token file for the key to wrap it with
    #[arg(long, value_name = "FILE")]
    wrapping_approval: Option<PathBuf>,
}

pub(super) fn run(command: &Command, context: &mut Context) -> Outcome {
    let (form, arguments) = match command {
        Command::AesGcm(with) => (Form::AesGcm(&with.gcm, None), &with.arguments),
        Command::CloudhsmAesGcm(with) => (Form::CloudHsmAesGcm(&with.gcm), &with.arguments),
        Command::AesNoPad(arguments) => (Form::AesNoPad, arguments),
        Command::AesPkcs5Pad(arguments) => (Form::AesPkcs5Pad, arguments),
        Command::AesZeroPad(arguments) => (Form::AesZeroPad, arguments),
        Command::RsaAes(with) => (Form::RsaAes(&with.hashes), &with.arguments),
        Command::RsaOaep(with) => (Form::RsaOaep(&with.hashes), &with.arguments),
        Command::RsaPkcs(arguments) => (Form::RsaPkcs, arguments),
    };
    let payload_filter = Filter::parse(&arguments.payload_filter)?;
    let wrapping_filter = Filter::parse(&arguments.wrapping_filter)?;
    let session = context.session_as(Role::CryptoUser)?;
    let Session { module, login, .. } = session;
    let (mechanism, parameter) = form.mechanism()?;
    let payload = payload_filter.find_one(session)?;
    let wrapping_key = wrapping_filter.find_one(session)?;
    let payload_approval = arguments::present(arguments.payload_approval.as_deref(), session)?;
    let wrapping_approval = arguments::present(arguments.wrapping_approval.as_deref(), session)?;
    let owner = Actor::new(login, payload_approval.as_ref());
    let tool = module.tool(
        Some(Actor::new(login, wrapping_approval.as_ref())),
        Use::Wrap,
        mechanism,
        || Ok(Arc::clone(&wrapping_key)),
        |_| Ok(parameter),
    )?;
    let wrapped = module.wrap_key(tool, Some(owner), &payload, |_| Ok(true)).map_err(|error| match error.rv() {
        ck::CKR_ACTION_PROHIBITED => Failure::new("Only the owner of a key can wrap it"),
        _ => error.into(),
    })?;
    let wrapped = wrapped.ok_or(Failure::new("nothing was wrapped"))?;
    if let Some(path) = &arguments.path {
        write_file(path, wrapped.bytes())?;
    }
    let mut data = Map::new();
    // AWS's answers differ in their spelling.
    let hyphens = matches!(form, Form::RsaAes(_) | Form::RsaOaep(_));
    let mut put = |name: &str, value: String| {
        data.insert(if hyphens { name.replace('_', "-") } else { name.to_owned() }, Value::from(value));
    };
    let name = |key: &Object| reference(session.reference(key));
    put("payload_key_reference", name(&payload));
    put("wrapping_key_reference", name(&wrapping_key));
    if let Some(iv) = wrapped.iv {
        put("iv", to_hex(&iv));
    }
    put("wrapped_key_data", to_base64(wrapped.bytes()));
    Ok(Value::Object(data))
}
