//! `key generate-symmetric` and `key generate-asymmetric-pair`.
//!
//! The CLI makes token keys unless `--session` asks for a session key, which lives as long as the login: a program
//! that runs one command shows it and it is gone, on AWS as here.

use clap::{Args, Subcommand, ValueEnum};
use cloudhsm_pkcs11::ck::{self, CK_MECHANISM_TYPE};
use cloudhsm_pkcs11::mechanism::{self, Mechanism};
use cloudhsm_pkcs11::module::Role;
use cloudhsm_pkcs11::object::Template;
use cloudhsm_pkcs11::object::template::Value;
use cloudhsm_pkcs11::secret::Secret;
use serde_json::json;

use super::{attributes, view};
use crate::context::Context;
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
    sharing: Sharing,
    /// How many approvals a change of the key needs
    #[arg(long, value_name = "VALUE")]
    manage_key_quorum_value: Option<u8>,
    /// How many approvals a use of the key needs
    #[arg(long, value_name = "VALUE")]
    use_key_quorum_value: Option<u8>,
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
    sharing: Sharing,
    /// How many approvals a change of the private key needs
    #[arg(long, value_name = "VALUE")]
    manage_private_key_quorum_value: Option<u8>,
    /// How many approvals a use of the private key needs
    #[arg(long, value_name = "VALUE")]
    use_private_key_quorum_value: Option<u8>,
}

#[derive(Args)]
pub(crate) struct Sharing {
    /// Make a session key: it is gone at the end of the login, and so at the end of this one command
    #[arg(long)]
    session: bool,
    /// The users to share the key with; not available yet
    #[arg(long, num_args = 1.., value_name = "USERNAME")]
    share_crypto_users: Vec<String>,
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
    /// `CKA_EC_PARAMS`: the curve's OID in DER (RFC 5480 section 2.1.1.1, SEC 2 appendix A).
    const fn parameters(self) -> Option<&'static [u8]> {
        match self {
            Self::Secp224r1 => Some(&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21]),
            Self::Prime256v1 | Self::Secp256r1 => Some(&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]),
            Self::Secp384r1 => Some(&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22]),
            Self::Secp521r1 => Some(&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23]),
            Self::Secp256k1 => Some(&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a]),
            Self::Ed25519 => None,
        }
    }
}

pub(super) fn symmetric(kind: Symmetric, context: &mut Context) -> Outcome {
    let (arguments, key_type, generator) = match kind {
        Symmetric::Aes(arguments) => (arguments, ck::CKK_AES, ck::CKM_AES_KEY_GEN),
        Symmetric::GenericSecret(arguments) => (arguments, ck::CKK_GENERIC_SECRET, ck::CKM_GENERIC_SECRET_KEY_GEN),
    };
    let quorum = (arguments.manage_key_quorum_value, arguments.use_key_quorum_value);
    arguments.sharing.check(quorum)?;
    let mut template = template(&arguments.label, arguments.sharing.session)?;
    push(&mut template, ck::CKA_VALUE_LEN, &arguments.key_length_bytes.to_ne_bytes())?;
    let regime = context.module.regime();
    attributes::add(&mut template, ck::CKO_SECRET_KEY, key_type, &arguments.attributes, regime)?;
    let session = context.session_reference();
    let (module, login) = context.login_as(Role::CryptoUser)?;
    let object = module.generate_key(login, row(generator)?, &template, &Default::default())?;
    Ok(json!({ "key": view::key(module, login, &object, session)? }))
}

pub(super) fn pair(kind: Pair, context: &mut Context) -> Outcome {
    let (key_type, generator, own, arguments) = match kind {
        Pair::Ec(Ec { curve, pair }) => {
            let parameters =
                curve.parameters().ok_or(Failure::new("Keys on the curve ed25519 are not available yet"))?;
            (ck::CKK_EC, ck::CKM_EC_KEY_PAIR_GEN, vec![(ck::CKA_EC_PARAMS, parameters.to_vec())], pair)
        }
        Pair::Rsa(Rsa { modulus_size_bits, public_exponent, pair }) => {
            let exponent: Vec<u8> = public_exponent.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            let own = vec![
                (ck::CKA_MODULUS_BITS, modulus_size_bits.to_ne_bytes().to_vec()),
                (ck::CKA_PUBLIC_EXPONENT, exponent),
            ];
            (ck::CKK_RSA, ck::CKM_RSA_PKCS_KEY_PAIR_GEN, own, pair)
        }
    };
    arguments.sharing.check((arguments.manage_private_key_quorum_value, arguments.use_private_key_quorum_value))?;
    let mut public = template(&arguments.public_label, arguments.sharing.session)?;
    let mut private = template(&arguments.private_label, arguments.sharing.session)?;
    for (id, value) in own {
        push(&mut public, id, &value)?;
    }
    let regime = context.module.regime();
    attributes::add(&mut public, ck::CKO_PUBLIC_KEY, key_type, &arguments.public_attributes, regime)?;
    attributes::add(&mut private, ck::CKO_PRIVATE_KEY, key_type, &arguments.private_attributes, regime)?;
    let references = (context.session_reference(), context.session_reference());
    let (module, login) = context.login_as(Role::CryptoUser)?;
    let (public, private) = module.generate_key_pair(login, row(generator)?, &public, &private, &Default::default())?;
    Ok(json!({
        "public_key": view::key(module, login, &public, references.0)?,
        "private_key": view::key(module, login, &private, references.1)?,
    }))
}

impl Sharing {
    /// What AWS answers to quorum values of a key that has its owner alone, and that sharing is yet to come.
    fn check(&self, quorum: (Option<u8>, Option<u8>)) -> Result<(), Failure> {
        if !self.share_crypto_users.is_empty() {
            return Err(Failure::new("Sharing keys is not available yet"));
        }
        match quorum {
            (None, None) => Ok(()),
            (Some(2..), Some(2..)) => Err(Failure::new("Invalid quorum value provided.")),
            _ => Err(Failure::new("The manage key and use key quorum values must be set to a value greater than 1")),
        }
    }
}

/// What every new key gets; the other defaults of the CLI are those of the rules.
fn template(label: &str, session: bool) -> Result<Template, Failure> {
    Ok(Template::of(&[(ck::CKA_LABEL, label.as_bytes()), (ck::CKA_TOKEN, &[u8::from(!session)])])?)
}

fn push(template: &mut Template, id: ck::CK_ATTRIBUTE_TYPE, value: &[u8]) -> Result<(), Failure> {
    Ok(template.push(id, Value::Plain(Secret::copy(value)))?)
}

fn row(id: CK_MECHANISM_TYPE) -> Result<&'static Mechanism, Failure> {
    mechanism::find(id).ok_or(Failure::new("The HSM has no such generator"))
}
