//! `key unwrap`: a wrapped key enters the HSM.

use base::ck::{self, CK_KEY_TYPE, CK_OBJECT_CLASS};
use clap::{Args, Subcommand, ValueEnum};
use hsm::mechanism::Use;
use hsm::module::{Actor, Role};
use hsm::object::rules::Making;
use serde_json::json;

use super::attributes::{self, New};
use super::filter::Filter;
use super::forms::{Form, GcmOptions};
use super::generate::{push, template};
use super::sharing::KeySharing;
use super::view;
use crate::arguments::Approval;
use crate::context::{Context, Session};
use crate::input::{Data, HashAndMask, Hex};
use crate::output::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// AES-GCM with the IV that was printed beside the wrapped key
    #[command(after_help = "\
Example:
  cloudhsm-cli key unwrap aes-gcm --filter attr.label=kek --data-path k1.wrapped --iv 0x090807060504030201000102 \\
    --tag-length-bits 128 --aad 0x10 --key-type-class aes --label k1")]
    AesGcm(WithIv),
    /// RFC 3394
    #[command(after_help = "\
Example:
  cloudhsm-cli key unwrap aes-no-pad --filter attr.label=kek --data-path k1.wrapped --key-type-class aes --label k1")]
    AesNoPad(Arguments),
    /// RFC 3394 of a key padded as PKCS#5 pads
    #[command(after_help = "\
Example:
  cloudhsm-cli key unwrap aes-pkcs5-pad --filter attr.label=kek --data-path k1.wrapped --key-type-class aes --label k1")]
    AesPkcs5Pad(Arguments),
    /// RFC 5649
    #[command(after_help = "\
Example:
  cloudhsm-cli key unwrap aes-zero-pad --filter attr.label=kek --data-path rsa.wrapped \\
    --key-type-class rsa-private --label rsa-private --attributes sign=true")]
    AesZeroPad(Arguments),
    /// AES-GCM with the IV in front of the wrapped key
    #[command(after_help = "\
Example:
  cloudhsm-cli key unwrap cloudhsm-aes-gcm --filter attr.label=kek --data-path k1.wrapped --tag-length-bits 128 \\
    --key-type-class aes --label k1")]
    CloudhsmAesGcm(WithGcm),
    /// An AES key under RSA-OAEP, and the key under that with RFC 5649
    #[command(after_help = "\
Example:
  cloudhsm-cli key unwrap rsa-aes --filter attr.label=rsa-private --data-path k1.wrapped --hash-function sha256 \\
    --mgf mgf1-sha256 --key-type-class aes --label k1")]
    RsaAes(WithHashes),
    /// RSA-OAEP
    #[command(after_help = "\
Example:
  cloudhsm-cli key unwrap rsa-oaep --filter attr.label=rsa-private --data-path k1.wrapped --hash-function sha256 \\
    --mgf mgf1-sha256 --key-type-class aes --label k1")]
    RsaOaep(WithHashes),
    /// RSA with PKCS#1 v1.5; not in FIPS mode
    #[command(after_help = "\
Example:
  cloudhsm-cli key unwrap rsa-pkcs --filter attr.label=rsa-private --data-path k1.wrapped --key-type-class aes --label k1")]
    RsaPkcs(Arguments),
}

#[derive(Args)]
pub(crate) struct WithIv {
    /// The IV, in hexadecimal
    #[arg(long, value_name = "HEX", value_parser = Hex::parse)]
    iv: Hex,
    #[command(flatten)]
    with: WithGcm,
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
    /// The key to unwrap with: key-reference=0x... or attr.NAME=VALUE; exactly one must match
    #[arg(long, num_args = 1.., required = true, value_name = "FILTER")]
    filter: Vec<String>,
    #[command(flatten)]
    data: Data,
    /// What the key is
    #[arg(long, value_enum)]
    key_type_class: KeyTypeClass,
    /// The key's label
    #[arg(long)]
    label: String,
    /// Attributes of the key, NAME=VALUE
    #[arg(long, num_args = 1.., value_name = "ATTRIBUTE")]
    attributes: Vec<String>,
    #[command(flatten)]
    sharing: KeySharing,
    #[command(flatten)]
    approval: Approval,
}

/// What can be unwrapped, in AWS's words.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum KeyTypeClass {
    Aes,
    Des3,
    EcPrivate,
    GenericSecret,
    RsaPrivate,
}

impl KeyTypeClass {
    const fn kind(self) -> (CK_OBJECT_CLASS, CK_KEY_TYPE) {
        match self {
            Self::Aes => (ck::CKO_SECRET_KEY, ck::CKK_AES),
            Self::Des3 => (ck::CKO_SECRET_KEY, ck::CKK_DES3),
            Self::EcPrivate => (ck::CKO_PRIVATE_KEY, ck::CKK_EC),
            Self::GenericSecret => (ck::CKO_SECRET_KEY, ck::CKK_GENERIC_SECRET),
            Self::RsaPrivate => (ck::CKO_PRIVATE_KEY, ck::CKK_RSA),
        }
    }
}

pub(super) fn run(command: &Command, context: &mut Context) -> Outcome {
    let (form, arguments) = match command {
        Command::AesGcm(WithIv { iv, with }) => (Form::AesGcm(&with.gcm, Some(iv)), &with.arguments),
        Command::CloudhsmAesGcm(with) => (Form::CloudHsmAesGcm(&with.gcm), &with.arguments),
        Command::AesNoPad(arguments) => (Form::AesNoPad, arguments),
        Command::AesPkcs5Pad(arguments) => (Form::AesPkcs5Pad, arguments),
        Command::AesZeroPad(arguments) => (Form::AesZeroPad, arguments),
        Command::RsaAes(with) => (Form::RsaAes(&with.hashes), &with.arguments),
        Command::RsaOaep(with) => (Form::RsaOaep(&with.hashes), &with.arguments),
        Command::RsaPkcs(arguments) => (Form::RsaPkcs, arguments),
    };
    let sharing = arguments.sharing.wanted()?;
    let filter = Filter::parse(&arguments.filter)?;
    let wrapped = arguments.data.read()?;
    let (class, key_type) = arguments.key_type_class.kind();
    let mut template = template(&arguments.label, arguments.sharing.session)?;
    push(&mut template, ck::CKA_CLASS, &class.to_ne_bytes())?;
    push(&mut template, ck::CKA_KEY_TYPE, &key_type.to_ne_bytes())?;
    let session = context.session_as(Role::CryptoUser)?;
    let Session { module, login, .. } = session;
    let approval = arguments.approval.present(session)?;
    let new = New { class, key_type, making: Making::Unwrap };
    attributes::add(&mut template, new, &arguments.attributes, module.regime())?;
    let (mechanism, parameter) = form.mechanism()?;
    let unwrapping_key = filter.find_one(session)?;
    let tool = module.tool(
        Some(Actor::new(login, approval.as_ref())),
        Use::Unwrap,
        mechanism,
        || Ok(unwrapping_key),
        |_| Ok(parameter),
    )?;
    let mut template = module.with_unwrap_template(&tool, template)?;
    // An AES key that comes in signs and verifies, unlike one that C_UnwrapKey makes (User Guide, cloudhsm_cli-key-unwrap).
    for id in [ck::CKA_SIGN, ck::CKA_VERIFY] {
        if key_type == ck::CKK_AES && template.flag(id).is_none() {
            push(&mut template, id, &[ck::CK_TRUE])?;
        }
    }
    let key = module.unwrap_key(tool, &wrapped, &template, &sharing)?;
    context.keep(&key)?;
    Ok(json!({ "key": view::key(context.session()?, &key)? }))
}
