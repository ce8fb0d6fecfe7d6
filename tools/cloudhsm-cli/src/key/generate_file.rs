//! `key generate-file`: a public key, or a reference to a private one, for programs that want a file.

use std::path::PathBuf;

use clap::ValueEnum;
use hsm::module::Role;
use hsm::object::key_file::KeyFile;
use serde_json::json;

use super::filter::Filter;
use crate::context::Context;
use crate::input::write_file;
use crate::output::{Failure, Outcome};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What the file is
    #[arg(long, value_enum)]
    encoding: Encoding,
    /// The file that is written
    #[arg(long, value_name = "FILE")]
    path: PathBuf,
    /// The key: key-reference=0x... or attr.NAME=VALUE; exactly one must match
    #[arg(long, num_args = 1.., value_name = "FILTER", required_unless_present = "all", conflicts_with = "all")]
    filter: Vec<String>,
    /// Every key pair; for ksp-key-reference only
    #[arg(long)]
    all: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Encoding {
    /// A private key of RSA or EC that OpenSSL reads and that holds no secret
    ReferencePem,
    /// A public key
    Pem,
    /// A reference to a private key of Ed25519 or ML-DSA
    CloudhsmReferencePem,
    /// For the key storage provider of Windows; not written here
    KspKeyReference,
}

pub(super) fn run(arguments: &Arguments, context: &mut Context) -> Outcome {
    let file = match arguments.encoding {
        Encoding::ReferencePem => KeyFile::Reference,
        Encoding::Pem => KeyFile::PublicKey,
        Encoding::CloudhsmReferencePem => KeyFile::CloudHsmReference,
        Encoding::KspKeyReference => {
            return Err(Failure::new(
                "ksp-key-reference is for the key storage provider of Windows, which is not here",
            ));
        }
    };
    if arguments.all {
        return Err(Failure::new("--all is for the encoding ksp-key-reference only"));
    }
    let filter = Filter::parse(&arguments.filter)?;
    let session = context.session_as(Role::CryptoUser)?;
    let key = filter.find_one(session)?;
    write_file(&arguments.path, session.module.key_file(session.login, &key, file)?.as_bytes())?;
    Ok(json!({ "message": "Successfully generated key file" }))
}
