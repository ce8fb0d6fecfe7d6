//! `crypto sign` and `crypto verify`.

mod method;

use base::ck;
use clap::{Args, Subcommand};
use hsm::mechanism::Use;
use hsm::module::{Actor, Role};
use serde_json::json;

use crate::arguments::Approval;
use crate::context::Context;
use crate::input::{Data, Signature, to_base64};
use crate::key::filter::Filter;
use crate::key::view::reference;
use crate::output::{Failure, Outcome};
use method::{Ed25519, Ed25519ph, Hashed, Method, MlDsa, Pss};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Sign with a private key
    Sign {
        #[command(subcommand)]
        mechanism: Sign,
    },
    /// Verify a signature with a public key
    Verify {
        #[command(subcommand)]
        mechanism: Verify,
    },
}

#[derive(Subcommand)]
pub(crate) enum Sign {
    /// ECDSA; the signature is r and s, one after the other
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto sign ecdsa --key-filter attr.label=ec-private --hash-function sha256 --data YWJjMTIz")]
    Ecdsa(Signing<Hashed>),
    /// Ed25519; not in FIPS mode
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto sign ed25519 --key-filter attr.label=ed-private --data YWJjMTIz")]
    Ed25519(Signing<Ed25519>),
    /// Ed25519ph; not in FIPS mode
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto sign ed25519ph --key-filter attr.label=ed-private --hash-function sha512 --data-type raw \\
    --data YWJjMTIz")]
    Ed25519ph(Signing<Ed25519ph>),
    /// ML-DSA
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto sign ml-dsa --key-filter attr.label=pq-private --hash-function shake256 --data-type raw \\
    --data YWJjMTIz")]
    MlDsa(Signing<MlDsa>),
    /// RSA with PKCS#1 v1.5; a digest is given as a DigestInfo in DER
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto sign rsa-pkcs --key-filter attr.label=rsa-private --hash-function sha256 --data-path message")]
    RsaPkcs(Signing<Hashed>),
    /// RSA-PSS
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto sign rsa-pkcs-pss --key-filter attr.label=rsa-private --hash-function sha256 --mgf mgf1-sha256 \\
    --salt-length 32 --data YWJjMTIz")]
    RsaPkcsPss(Signing<Pss>),
}

#[derive(Subcommand)]
pub(crate) enum Verify {
    /// ECDSA; the signature is r and s, one after the other
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto verify ecdsa --key-filter attr.label=ec-public --hash-function sha256 --data YWJjMTIz \\
    --signature-path signature")]
    Ecdsa(Verifying<Hashed>),
    /// Ed25519; not in FIPS mode
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto verify ed25519 --key-filter attr.label=ed-public --data YWJjMTIz --signature-path signature")]
    Ed25519(Verifying<Ed25519>),
    /// Ed25519ph; not in FIPS mode
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto verify ed25519ph --key-filter attr.label=ed-public --hash-function sha512 --data-type raw \\
    --data YWJjMTIz --signature-path signature")]
    Ed25519ph(Verifying<Ed25519ph>),
    /// ML-DSA
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto verify ml-dsa --key-filter attr.label=pq-public --hash-function shake256 --data-type raw \\
    --data YWJjMTIz --signature-path signature")]
    MlDsa(Verifying<MlDsa>),
    /// RSA with PKCS#1 v1.5; a digest is given as a DigestInfo in DER
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto verify rsa-pkcs --key-filter attr.label=rsa-public --hash-function sha256 --data-path message \\
    --signature-path signature")]
    RsaPkcs(Verifying<Hashed>),
    /// RSA-PSS
    #[command(after_help = "\
Example:
  cloudhsm-cli crypto verify rsa-pkcs-pss --key-filter attr.label=rsa-public --hash-function sha256 \\
    --mgf mgf1-sha256 --salt-length 32 --data YWJjMTIz --signature-path signature")]
    RsaPkcsPss(Verifying<Pss>),
}

#[derive(Args)]
pub(crate) struct Signing<M: Args> {
    /// The key: key-reference=0x... or attr.NAME=VALUE; exactly one must match
    #[arg(long, num_args = 1.., required = true, value_name = "FILTER")]
    key_filter: Vec<String>,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    method: M,
    #[command(flatten)]
    approval: Approval,
}

#[derive(Args)]
pub(crate) struct Verifying<M: Args> {
    /// The key: key-reference=0x... or attr.NAME=VALUE; exactly one must match
    #[arg(long, num_args = 1.., required = true, value_name = "FILTER")]
    key_filter: Vec<String>,
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    signature: Signature,
    #[command(flatten)]
    method: M,
}

pub(crate) fn run(command: &Command, context: &mut Context) -> Outcome {
    match command {
        Command::Sign { mechanism } => match mechanism {
            Sign::Ecdsa(arguments) => arguments.run(arguments.method.ecdsa(), context),
            Sign::Ed25519(arguments) => arguments.run(Method::ed25519(), context),
            Sign::Ed25519ph(arguments) => arguments.run(arguments.method.method(), context),
            Sign::MlDsa(arguments) => arguments.run(arguments.method.method(), context),
            Sign::RsaPkcs(arguments) => arguments.run(arguments.method.rsa_pkcs(), context),
            Sign::RsaPkcsPss(arguments) => arguments.run(arguments.method.method()?, context),
        },
        Command::Verify { mechanism } => match mechanism {
            Verify::Ecdsa(arguments) => arguments.run(arguments.method.ecdsa(), context),
            Verify::Ed25519(arguments) => arguments.run(Method::ed25519(), context),
            Verify::Ed25519ph(arguments) => arguments.run(arguments.method.method(), context),
            Verify::MlDsa(arguments) => arguments.run(arguments.method.method(), context),
            Verify::RsaPkcs(arguments) => arguments.run(arguments.method.rsa_pkcs(), context),
            Verify::RsaPkcsPss(arguments) => arguments.run(arguments.method.method()?, context),
        },
    }
}

impl<M: Args> Signing<M> {
    fn run(&self, method: Method, context: &mut Context) -> Outcome {
        let filter = Filter::parse(&self.key_filter)?;
        let data = self.data.read()?;
        method.check(&data)?;
        let session = context.session_as(Role::CryptoUser)?;
        let key = filter.find_one(session)?;
        let name = reference(session.reference(&key));
        let approval = self.approval.present(session)?;
        let tool = method.tool(Use::Sign, session.module, Actor::new(session.login, approval.as_ref()), key)?;
        let signature = session.module.sign(tool, &data)?;
        Ok(json!({ "key-reference": name, "signature": to_base64(&signature) }))
    }
}

impl<M: Args> Verifying<M> {
    fn run(&self, method: Method, context: &mut Context) -> Outcome {
        let filter = Filter::parse(&self.key_filter)?;
        let (data, signature) = (self.data.read()?, self.signature.read()?);
        method.check(&data)?;
        let session = context.session_as(Role::CryptoUser)?;
        let key = filter.find_one(session)?;
        let tool = method.tool(Use::Verify, session.module, session.login, key)?;
        session.module.verify(tool, &data, &signature).map_err(|error| match error.rv() {
            ck::CKR_SIGNATURE_INVALID | ck::CKR_SIGNATURE_LEN_RANGE => Failure::new("Signature verification failed"),
            _ => error.into(),
        })?;
        Ok(json!({ "message": "Signature verified successfully" }))
    }
}
