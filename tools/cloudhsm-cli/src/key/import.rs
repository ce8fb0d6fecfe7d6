//! `key import pem`: AWS takes public keys; an HSM that serves as a general token takes private ones, too.

use std::path::PathBuf;

use base::ck::{self, CK_KEY_TYPE, CK_OBJECT_CLASS};
use base::secret::Secret;
use clap::{Args, Subcommand, ValueEnum};
use hsm::module::Role;
use hsm::object::key_file::{self, Half};
use hsm::object::rules::Making;
use serde_json::json;

use super::attributes::{self, New};
use super::generate::push;
use super::view;
use crate::context::{Context, Session};
use crate::input::read_file;
use crate::output::{Failure, Outcome};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Import a key from a PEM file
    #[command(after_help = "\
Example:
  cloudhsm-cli key import pem --path public.pem --label partner --key-type-class rsa-public \\
    --attributes verify=true wrap=true")]
    Pem(Arguments),
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// The file; it must not be encrypted
    #[arg(long, value_name = "FILE")]
    path: PathBuf,
    /// The key's label
    #[arg(long)]
    label: String,
    /// What the key is; private keys only where the configuration says profile = "standard"
    #[arg(long, value_enum)]
    key_type_class: KeyTypeClass,
    /// Attributes of the key, NAME=VALUE
    #[arg(long, num_args = 1.., value_name = "ATTRIBUTE")]
    attributes: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum KeyTypeClass {
    EcPublic,
    RsaPublic,
    EcPrivate,
    RsaPrivate,
}

impl KeyTypeClass {
    const fn kind(self) -> (CK_OBJECT_CLASS, CK_KEY_TYPE) {
        match self {
            Self::EcPublic => (ck::CKO_PUBLIC_KEY, ck::CKK_EC),
            Self::RsaPublic => (ck::CKO_PUBLIC_KEY, ck::CKK_RSA),
            Self::EcPrivate => (ck::CKO_PRIVATE_KEY, ck::CKK_EC),
            Self::RsaPrivate => (ck::CKO_PRIVATE_KEY, ck::CKK_RSA),
        }
    }
}

/// RFC 4055 section 1.2. No attribute of CloudHSM's says it.
const ONLY_PSS: &str = "The file keeps this key to RSA-PSS; the HSM does not: use it for nothing else";

pub(super) fn run(command: &Command, context: &mut Context) -> Outcome {
    let Command::Pem(arguments) = command;
    let (class, key_type) = arguments.key_type_class.kind();
    if class == ck::CKO_PRIVATE_KEY && !context.configured.dialect().everything {
        return Err(Failure::new(
            "A CloudHSM imports public keys only; private ones need profile = \"standard\" in the configuration",
        ));
    }
    let path = &arguments.path;
    let text = Secret::new(read_file(path)?);
    let failed = |text: String| Failure::new(format!("{}: {text}", path.display()));
    let half = if class == ck::CKO_PRIVATE_KEY { Half::Private } else { Half::Public };
    let imported = key_file::read(text.expose(), half).map_err(|error| failed(error.message().to_owned()))?;
    let mut template = imported.template;
    if template.number(ck::CKA_KEY_TYPE) != Some(key_type) {
        let found = if key_type == ck::CKK_RSA { "an EC" } else { "an RSA" };
        return Err(failed(format!("there is {found} key in the file, which is not what --key-type-class says")));
    }
    push(&mut template, ck::CKA_LABEL, arguments.label.as_bytes())?;
    push(&mut template, ck::CKA_TOKEN, &[ck::CK_TRUE])?;
    let session = context.session_as(Role::CryptoUser)?;
    let Session { module, login, .. } = session;
    let new = New { class, key_type, making: Making::Create };
    attributes::add(&mut template, new, &arguments.attributes, module.regime())?;
    if template.flag(ck::CKA_SENSITIVE) == Some(false) {
        return Err(attributes::refused("sensitive", "false"));
    }
    let key = module.create_object(Some(login), &template)?;
    let (key, message) = (view::key(session, &key)?, "Successfully imported key");
    if imported.only_pss {
        return Ok(json!({ "key": key, "message": message, "note": ONLY_PSS }));
    }
    Ok(json!({ "key": key, "message": message }))
}
