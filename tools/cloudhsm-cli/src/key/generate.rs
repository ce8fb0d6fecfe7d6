//! `key generate-symmetric` and `key generate-asymmetric-pair`.
//!
//! The CLI makes token keys unless `--session` asks for a session key, which lives as long as the login: a program
//! that runs one command shows it and it is gone, on AWS as here.

use base::ck::{self, CK_MECHANISM_TYPE, CK_ULONG, vendor};
use clap::{Args, Subcommand, ValueEnum};
use hsm::mechanism::{Parameter, Use};
use hsm::module::{Generator, Module, Role};
use hsm::object::Template;
use hsm::object::rules::Making;
use serde_json::json;

use super::attributes::{self, New};
use super::sharing::{KeySharing, PairSharing};
use super::view;
use crate::context::{Context, Session};
use crate::output::{Failure, Outcome};

#[derive(Subcommand)]
pub(crate) enum Symmetric {
    /// Make an AES key
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password cloudhsm-cli key generate-symmetric aes \\
    --label k1 --key-length-bytes 32 --attributes encrypt=true decrypt=true extractable=false")]
    Aes(SymmetricArguments),
    /// Make a generic secret, for HMAC and key derivation
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password cloudhsm-cli key generate-symmetric generic-secret \\
    --label mac --key-length-bytes 64")]
    GenericSecret(SymmetricArguments),
}

#[derive(Args)]
pub(crate) struct SymmetricArguments {
    /// The key's label
    #[arg(long)]
    label: String,
    /// The key's length: 16, 24 or 32 for AES, 1 to 800 for a generic secret
    #[arg(long)]
    key_length_bytes: u64,
    /// Attributes of the key, NAME=VALUE
    #[arg(long, num_args = 1.., value_name = "ATTRIBUTE")]
    attributes: Vec<String>,
    #[command(flatten)]
    sharing: KeySharing,
}

#[derive(Subcommand)]
pub(crate) enum Pair {
    /// Make an EC key pair
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password cloudhsm-cli key generate-asymmetric-pair ec \\
    --curve secp256r1 --public-label ec-public --private-label ec-private \\
    --public-attributes verify=true --private-attributes sign=true")]
    Ec(Ec),
    /// Make an ML-DSA key pair
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password cloudhsm-cli key generate-asymmetric-pair ml-dsa \\
    --mldsa-algorithm ML-DSA-65 --public-label pq-public --private-label pq-private \\
    --public-attributes verify=true --private-attributes sign=true")]
    MlDsa(MlDsa),
    /// Make an RSA key pair
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password cloudhsm-cli key generate-asymmetric-pair rsa \\
    --modulus-size-bits 2048 --public-exponent 65537 --public-label rsa-public --private-label rsa-private \\
    --public-attributes verify=true --private-attributes sign=true")]
    Rsa(Rsa),
}

#[derive(Args)]
pub(crate) struct Ec {
    /// The curve
    #[arg(long, value_enum)]
    curve: Curve,
    #[command(flatten)]
    pair: PairArguments,
}

#[derive(Args)]
pub(crate) struct MlDsa {
    /// The parameter set
    #[arg(long, value_enum)]
    mldsa_algorithm: ParameterSet,
    #[command(flatten)]
    pair: PairArguments,
}

/// The parameter sets of FIPS 204, in AWS's spelling.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ParameterSet {
    #[value(name = "ML-DSA-44")]
    MlDsa44,
    #[value(name = "ML-DSA-65")]
    MlDsa65,
    #[value(name = "ML-DSA-87")]
    MlDsa87,
}

#[derive(Args)]
pub(crate) struct Rsa {
    /// The size of the modulus: 2048 to 4096 in steps of 256
    #[arg(long)]
    modulus_size_bits: u64,
    /// The public exponent: odd and at least 65537
    #[arg(long)]
    public_exponent: u64,
    #[command(flatten)]
    pair: PairArguments,
}

#[derive(Args)]
pub(crate) struct PairArguments {
    /// The label of the public key
    #[arg(long)]
    public_label: String,
    /// The label of the private key
    #[arg(long)]
    private_label: String,
    /// Attributes of the public key, NAME=VALUE
    #[arg(long, num_args = 1.., value_name = "ATTRIBUTE")]
    public_attributes: Vec<String>,
    /// Attributes of the private key, NAME=VALUE
    #[arg(long, num_args = 1.., value_name = "ATTRIBUTE")]
    private_attributes: Vec<String>,
    #[command(flatten)]
    sharing: PairSharing,
}

/// AWS's names of curves, two of which are one curve.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Curve {
    Prime256v1,
    Secp256r1,
    Secp224r1,
    Secp384r1,
    Secp256k1,
    Secp521r1,
    Ed25519,
}

impl Curve {
    /// `CKA_EC_PARAMS`: the curve's OID in DER (RFC 5480 section 2.1.1.1, SEC 2 appendix A, RFC 8410 section 3).
    const fn parameters(self) -> &'static [u8] {
        match self {
            Self::Secp224r1 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21],
            Self::Prime256v1 | Self::Secp256r1 => &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Self::Secp384r1 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
            Self::Secp521r1 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
            Self::Secp256k1 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a],
            Self::Ed25519 => &[0x06, 0x03, 0x2b, 0x65, 0x70],
        }
    }
}

impl ParameterSet {
    const fn number(self) -> CK_ULONG {
        match self {
            Self::MlDsa44 => vendor::CKP_CLOUDHSM_ML_DSA_44,
            Self::MlDsa65 => vendor::CKP_CLOUDHSM_ML_DSA_65,
            Self::MlDsa87 => vendor::CKP_CLOUDHSM_ML_DSA_87,
        }
    }
}

pub(super) fn symmetric(kind: Symmetric, context: &mut Context) -> Outcome {
    let (arguments, key_type, generator) = match kind {
        Symmetric::Aes(arguments) => (arguments, ck::CKK_AES, ck::CKM_AES_KEY_GEN),
        Symmetric::GenericSecret(arguments) => (arguments, ck::CKK_GENERIC_SECRET, ck::CKM_GENERIC_SECRET_KEY_GEN),
    };
    let sharing = arguments.sharing.wanted()?;
    let mut template = template(&arguments.label, arguments.sharing.session)?;
    push(&mut template, ck::CKA_VALUE_LEN, &arguments.key_length_bytes.to_ne_bytes())?;
    let Session { module, login, .. } = context.session_as(Role::CryptoUser)?;
    let new = New { class: ck::CKO_SECRET_KEY, key_type, making: Making::Generate };
    attributes::add(&mut template, new, &arguments.attributes, module.regime())?;
    let key = module.generate_key(login, generator_of(module, Use::Generate, generator)?, &template, &sharing)?;
    context.keep(&key)?;
    Ok(json!({ "key": view::key(context.session()?, &key)? }))
}

pub(super) fn pair(kind: Pair, context: &mut Context) -> Outcome {
    let (key_type, generator, of_public, of_both, arguments) = match kind {
        Pair::Ec(Ec { curve, pair }) => {
            let parameters = vec![(ck::CKA_EC_PARAMS, curve.parameters().to_vec())];
            (ck::CKK_EC, ck::CKM_EC_KEY_PAIR_GEN, parameters, vec![], pair)
        }
        Pair::MlDsa(MlDsa { mldsa_algorithm, pair }) => {
            let set = vec![(vendor::CKA_CLOUDHSM_PARAMETER_SET, mldsa_algorithm.number().to_ne_bytes().to_vec())];
            (vendor::CKK_CLOUDHSM_ML_DSA, vendor::CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN, vec![], set, pair)
        }
        Pair::Rsa(Rsa { modulus_size_bits, public_exponent, pair }) => {
            let exponent: Vec<u8> = public_exponent.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            let size = vec![
                (ck::CKA_MODULUS_BITS, modulus_size_bits.to_ne_bytes().to_vec()),
                (ck::CKA_PUBLIC_EXPONENT, exponent),
            ];
            (ck::CKK_RSA, ck::CKM_RSA_PKCS_KEY_PAIR_GEN, size, vec![], pair)
        }
    };
    let sharing = arguments.sharing.wanted()?;
    let mut public = template(&arguments.public_label, arguments.sharing.session)?;
    let mut private = template(&arguments.private_label, arguments.sharing.session)?;
    for (id, value) in of_public.iter().chain(&of_both) {
        push(&mut public, *id, value)?;
    }
    for (id, value) in &of_both {
        push(&mut private, *id, value)?;
    }
    let Session { module, login, .. } = context.session_as(Role::CryptoUser)?;
    let new = |class| New { class, key_type, making: Making::Generate };
    attributes::add(&mut public, new(ck::CKO_PUBLIC_KEY), &arguments.public_attributes, module.regime())?;
    attributes::add(&mut private, new(ck::CKO_PRIVATE_KEY), &arguments.private_attributes, module.regime())?;
    let (public, private) = module.generate_key_pair(
        login,
        generator_of(module, Use::GeneratePair, generator)?,
        &public,
        &private,
        &sharing,
    )?;
    context.keep(&public)?;
    context.keep(&private)?;
    let session = context.session()?;
    Ok(json!({ "public_key": view::key(session, &public)?, "private_key": view::key(session, &private)? }))
}

/// What every new key gets; the other defaults of the CLI are those of the rules.
pub(super) fn template(label: &str, session: bool) -> Result<Template, Failure> {
    Ok(Template::of(&[(ck::CKA_LABEL, label.as_bytes()), (ck::CKA_TOKEN, &[u8::from(!session)])])?)
}

pub(super) fn push(template: &mut Template, id: ck::CK_ATTRIBUTE_TYPE, value: &[u8]) -> Result<(), Failure> {
    Ok(template.push(id, value)?)
}

fn generator_of(module: &Module, what: Use, mechanism: CK_MECHANISM_TYPE) -> Result<Generator, Failure> {
    Ok(module.generator(what, mechanism, |_| Ok(Parameter::None))?)
}
