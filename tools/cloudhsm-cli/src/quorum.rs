//! `quorum token-sign`: tokens for what needs several users, and how many it needs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use hsm::module::{self, Actor, SERVICES_WITH_VALUES, TokenInformation};
use serde_json::{Map, Value, json};

use crate::arguments::Approval;
use crate::context::{Context, Session};
use crate::key::filter::Filter;
use crate::key::view::reference;
use crate::output::{Failure, Outcome};
use crate::token_file;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Tokens that users sign with keys of their own
    TokenSign {
        #[command(subcommand)]
        command: TokenSign,
    },
}

#[derive(Subcommand)]
pub(crate) enum TokenSign {
    /// Delete quorum tokens
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli quorum token-sign delete --scope all")]
    Delete {
        /// Whose tokens: one's own, or everybody's
        #[arg(long, value_enum)]
        scope: Scope,
    },
    /// Make a token for one operation, to be signed by those who approve it
    #[command(after_help = "\
Examples:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password \\
    cloudhsm-cli quorum token-sign generate --service user --token token.json
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password \\
    cloudhsm-cli quorum token-sign generate --service key-usage --filter attr.label=k1 --token token.json

Sign the digest in the file, and put the signature into it in base64:
  jq -r .token token.json | base64 -d >digest
  openssl pkeyutl -sign -inkey ben.key -pkeyopt digest:sha256 -in digest | base64 -w0")]
    Generate(Generate),
    /// List the live tokens of all users; needs no login
    #[command(after_help = "Example:\n  cloudhsm-cli quorum token-sign list")]
    List,
    /// List how many approvals each service needs; needs no login
    #[command(after_help = "Example:\n  cloudhsm-cli quorum token-sign list-quorum-values")]
    ListQuorumValues,
    /// Set how many approvals a service needs
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password \\
    cloudhsm-cli quorum token-sign set-quorum-value --service user --value 2")]
    SetQuorumValue(SetQuorumValue),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// The tokens of the admin who is logged in
    User,
    /// The tokens of all users
    All,
}

#[derive(Args)]
pub(crate) struct Generate {
    /// What the token is for
    #[arg(long, value_enum)]
    service: Service,
    /// The file that is written
    #[arg(long, value_name = "FILE")]
    token: PathBuf,
    /// The one key that a token of key-usage or key-management is for
    #[arg(long, num_args = 1.., value_name = "FILTER")]
    filter: Vec<String>,
}

#[derive(Args)]
pub(crate) struct SetQuorumValue {
    /// Which service
    #[arg(long, value_enum)]
    service: ServiceWithValue,
    /// How many approvals: 1 for none, at most 8 and the number of admins
    #[arg(long)]
    value: u8,
    #[command(flatten)]
    approval: Approval,
}

/// AWS's words for services.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Service {
    /// Managing users
    User,
    /// Changing quorum values
    Quorum,
    /// Trust anchors
    Cluster,
    /// Registering a public key
    Registration,
    /// Signing with a key
    KeyUsage,
    /// Changing, sharing and exporting a key
    KeyManagement,
}

/// The services whose value officers set.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ServiceWithValue {
    /// Managing users
    User,
    /// Changing quorum values
    Quorum,
    /// Trust anchors
    Cluster,
}

impl From<Service> for module::Service {
    fn from(service: Service) -> Self {
        match service {
            Service::User => Self::User,
            Service::Quorum => Self::Quorum,
            Service::Cluster => Self::Cluster,
            Service::Registration => Self::Registration,
            Service::KeyUsage => Self::KeyUsage,
            Service::KeyManagement => Self::KeyManagement,
        }
    }
}

impl From<ServiceWithValue> for module::Service {
    fn from(service: ServiceWithValue) -> Self {
        match service {
            ServiceWithValue::User => Self::User,
            ServiceWithValue::Quorum => Self::Quorum,
            ServiceWithValue::Cluster => Self::Cluster,
        }
    }
}

pub(crate) fn run(command: Command, context: &mut Context) -> Outcome {
    let Command::TokenSign { command } = command;
    match command {
        TokenSign::Delete { scope } => {
            let session = context.session()?;
            session.module.delete_tokens(session.login, scope == Scope::All)?;
            Ok(Value::from("Deletion of quorum token(s) successful"))
        }
        TokenSign::Generate(arguments) => {
            let session = context.session()?;
            generate(&arguments, session)
        }
        TokenSign::List => Ok(json!({ "tokens": tokens(&context.module()?.list_tokens()?) })),
        TokenSign::ListQuorumValues => {
            let policy = context.module()?.cluster_policy()?;
            let value = |service: &module::Service| (service.name().to_owned(), Value::from(policy.value(*service)));
            Ok(Value::Object(SERVICES_WITH_VALUES.iter().map(value).collect()))
        }
        TokenSign::SetQuorumValue(arguments) => {
            let session = context.session()?;
            let approval = arguments.approval.present(session)?;
            session.module.set_quorum_value(
                Actor::new(session.login, approval.as_ref()),
                arguments.service.into(),
                arguments.value,
            )?;
            Ok(Value::from("Set Quorum Value successful"))
        }
    }
}

fn generate(arguments: &Generate, session: Session<'_>) -> Outcome {
    let Session { module, login, .. } = session;
    let service = module::Service::from(arguments.service);
    let path = &arguments.token;
    if service.is_of_keys() == arguments.filter.is_empty() {
        return Err(Failure::new(if service.is_of_keys() {
            "A token of this service is for one key: name it with --filter"
        } else {
            "--filter is for the services key-usage and key-management"
        }));
    }
    if service.is_of_keys() {
        let key = Filter::parse(&arguments.filter)?.find_one(session)?;
        let token = module.make_token(login, service, Some(&key))?;
        let name = key.id.map(|id| reference(id.0));
        token_file::write_token(path, service, name.as_deref(), &token)?;
    } else {
        let token = module.make_token(login, service, None)?;
        match service {
            module::Service::Registration => token_file::write_registration(path, &token)?,
            _ => token_file::write_token(path, service, None, &token)?,
        }
    }
    // AWS's pages show the one key and the other.
    let path = path.display().to_string();
    Ok(json!({ "path": path, "filepath": path }))
}

/// The tokens of officers one by one; those for keys as the number that a user has for one service and key.
fn tokens(live: &[TokenInformation]) -> Vec<Value> {
    let mut shown: Vec<Map<String, Value>> = Vec::new();
    for token in live {
        let service = token.service.name();
        let entry = match token.key {
            None => json!({
                "username": token.username,
                "service": service,
                "approvals-required": token.required,
                "number-of-approvals": token.approvals,
                "token-timeout-seconds": token.seconds_left,
                "cluster-coverage": "full",
            }),
            Some(key) => json!({
                "username": token.username,
                "service": service,
                "key-reference": reference(key.0),
                "minimum-token-count": 1,
            }),
        };
        let Value::Object(entry) = entry else { continue };
        let same = |other: &&mut Map<String, Value>| {
            ["username", "service", "key-reference"].iter().all(|name| other.get(*name) == entry.get(*name))
        };
        match shown.iter_mut().find(same).filter(|_| token.key.is_some()) {
            Some(known) => {
                let count = known.get("minimum-token-count").and_then(Value::as_u64).unwrap_or(0) + 1;
                known.insert("minimum-token-count".to_owned(), Value::from(count));
            }
            None => shown.push(entry),
        }
    }
    shown.into_iter().map(Value::Object).collect()
}
