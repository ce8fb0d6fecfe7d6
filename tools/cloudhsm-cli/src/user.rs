//! The `user` commands: create, delete, list, change-password, change-mfa, change-quorum.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hsm::module::{Actor, Deregister, Module, Role, SecondFactor, Side, UserInformation};
use serde_json::{Value, json};

use crate::arguments::{Approval, Clusters, NewPassword, User};
use crate::context::{Context, Session};
use crate::credentials::{self, Password};
use crate::input::read_file;
use crate::output::{Failure, Outcome};
use crate::token_file;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Change a second factor
    ChangeMfa {
        #[command(subcommand)]
        command: ChangeMfa,
    },
    /// Change a password: an admin anyone's, a crypto user its own; unlocks the user
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password \\
    cloudhsm-cli user change-password --username ann --role crypto-user --password new-password")]
    ChangePassword(ChangePassword),
    /// Change the key that approves quorum tokens
    ChangeQuorum {
        #[command(subcommand)]
        command: ChangeQuorum,
    },
    /// Make a user
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password \\
    cloudhsm-cli user create --username ann --role crypto-user --password her-password")]
    Create(Create),
    /// Delete a user who owns no keys
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli user delete --username ann --role crypto-user")]
    Delete(Delete),
    /// List the users; needs no login
    #[command(after_help = "Example:\n  cloudhsm-cli user list")]
    List,
    /// Put a user into a clone of the HSM
    #[command(after_help = "\
Example:
  export CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password
  export DESTINATION_CLOUDHSM_ROLE=admin DESTINATION_CLOUDHSM_PIN=admin:password
  cloudhsm-cli user replicate --username ann --role crypto-user --source-cluster-id hsm1 --destination-cluster-id hsm2

`cloudhsm-cli backup restore --cluster-id hsm2` makes a clone.")]
    Replicate(Replicate),
}

#[derive(Args)]
pub(crate) struct Create {
    #[command(flatten)]
    user: User,
    #[command(flatten)]
    new: NewPassword,
    #[command(flatten)]
    approval: Approval,
}

#[derive(Args)]
pub(crate) struct ChangePassword {
    #[command(flatten)]
    user: User,
    #[command(flatten)]
    new: NewPassword,
    #[command(flatten)]
    approval: Approval,
    /// Also end the user's second factor
    #[arg(long)]
    deregister_mfa: bool,
    /// Also forget the key with which the user approves quorum tokens
    #[arg(long)]
    deregister_quorum: bool,
}

#[derive(Args)]
pub(crate) struct Delete {
    #[command(flatten)]
    user: User,
    #[command(flatten)]
    approval: Approval,
}

#[derive(Args)]
pub(crate) struct Replicate {
    #[command(flatten)]
    user: User,
    #[command(flatten)]
    clusters: Clusters,
}

/// `user change-mfa`.
#[derive(Subcommand)]
pub(crate) enum ChangeMfa {
    /// A second factor that signs a token: an admin anyone's, a crypto user its own
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password \\
    cloudhsm-cli user change-mfa token-sign --username ann --role crypto-user --token token.json

The program writes the file, and asks for the signed one and for the public key (RSA of 2048 bits, PEM). To sign:
  jq -r .tokens[0].unsigned token.json | base64 -d >digest
  openssl pkeyutl -sign -inkey ann.key -pkeyopt digest:sha256 -in digest | base64 -w0")]
    TokenSign(ChangeFactor),
}

#[derive(Args)]
pub(crate) struct ChangeFactor {
    #[command(flatten)]
    user: User,
    /// The user's new password, which the command sets; asked for if absent
    #[arg(long, value_parser = Password::parse, value_name = "PASSWORD")]
    change_password: Option<Password>,
    /// The file that is written with what the new key is to sign
    #[arg(long, value_name = "FILE", conflicts_with = "deregister", required_unless_present = "deregister")]
    token: Option<PathBuf>,
    /// End the second factor
    #[arg(long, alias = "disable")]
    deregister: bool,
    /// Let the same key approve quorum tokens
    #[arg(long)]
    change_quorum: bool,
    #[command(flatten)]
    approval: Approval,
}

/// `user change-quorum`.
#[derive(Subcommand)]
pub(crate) enum ChangeQuorum {
    /// A key that signs quorum tokens
    TokenSign {
        #[command(subcommand)]
        command: ChangeQuorumKey,
    },
}

#[derive(Subcommand)]
pub(crate) enum ChangeQuorumKey {
    /// Register one's public key for approving quorum tokens
    #[command(after_help = "\
Example:
  export CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password
  cloudhsm-cli quorum token-sign generate --service registration --token token.json
  cloudhsm-cli user change-quorum token-sign register --public-key admin.pem --signed-token token.json")]
    Register {
        /// The public key: RSA of 2048 bits, PEM
        #[arg(long, value_name = "FILE")]
        public_key: PathBuf,
        /// A token of the service registration, signed by that key
        #[arg(long, value_name = "FILE")]
        signed_token: PathBuf,
    },
}

pub(crate) fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::ChangeMfa { command: ChangeMfa::TokenSign(arguments) } => change_factor(arguments, context),
        Command::ChangePassword(arguments) => change_password(arguments, context),
        Command::ChangeQuorum { command } => {
            let ChangeQuorum::TokenSign { command: ChangeQuorumKey::Register { public_key, signed_token } } = command;
            let Session { module, login, .. } = context.session()?;
            let (approval_data, signature) = token_file::read_registration(&signed_token)?;
            module.register_for_quorum(login, &read_file(&public_key)?, &approval_data, &signature)?;
            Ok(json!({ "username": login.name, "role": login.role.name() }))
        }
        Command::Create(arguments) => create(arguments, context),
        Command::Delete(arguments) => delete(&arguments, context),
        Command::List => list(context.module()?),
        Command::Replicate(arguments) => replicate(&arguments, context),
    }
}

fn create(arguments: Create, context: &mut Context) -> Outcome {
    let session = context.session_as(Role::CryptoOfficer)?;
    let password = Password::or_ask(arguments.new.password)?;
    let approval = arguments.approval.present(session)?;
    let actor = Actor::new(session.login, approval.as_ref());
    session.module.create_user(actor, &arguments.user.username, arguments.user.role.into(), &password, false)?;
    Ok(who(&arguments.user))
}

fn change_password(arguments: ChangePassword, context: &mut Context) -> Outcome {
    let session = context.session()?;
    check_own(session, &arguments.user)?;
    let password = Password::or_ask(arguments.new.password)?;
    let approval = arguments.approval.present(session)?;
    let actor = Actor::new(session.login, approval.as_ref());
    let deregister = Deregister { second_factor: arguments.deregister_mfa, quorum: arguments.deregister_quorum };
    let role = arguments.user.role.into();
    session.module.change_password(actor, &arguments.user.username, role, &password, deregister)?;
    Ok(who(&arguments.user))
}

fn change_factor(arguments: ChangeFactor, context: &mut Context) -> Outcome {
    let session = context.session()?;
    check_own(session, &arguments.user)?;
    let password = Password::or_ask(arguments.change_password)?;
    let approval = arguments.approval.present(session)?;
    let actor = Actor::new(session.login, approval.as_ref());
    let (name, role) = (&arguments.user.username, arguments.user.role.into());
    let Some(token) = arguments.token else {
        session.module.change_second_factor(actor, name, role, &password, None)?;
        return Ok(who(&arguments.user));
    };
    let challenge = session.module.challenge(session.login)?;
    token_file::write_challenge(&token, challenge.digest())?;
    let signed = credentials::ask_signed_file(&token)?;
    let public_key = read_file(&credentials::ask_public_key_file()?)?;
    let signature = token_file::read_answer(&signed)?;
    let factor =
        SecondFactor { public_key: &public_key, answer: (challenge, &signature), for_quorum: arguments.change_quorum };
    session.module.change_second_factor(actor, name, role, &password, Some(factor))?;
    Ok(who(&arguments.user))
}

/// The HSM would refuse too, in words about its policy.
fn check_own(session: Session<'_>, user: &User) -> Result<(), Failure> {
    let login = session.login;
    let own = login.name == user.username.to_ascii_lowercase() && login.role == user.role.into();
    if login.role == Role::CryptoUser && !own {
        return Err(Failure::new("A crypto user changes itself only; an admin changes others"));
    }
    Ok(())
}

fn delete(arguments: &Delete, context: &mut Context) -> Outcome {
    let session = context.session_as(Role::CryptoOfficer)?;
    let approval = arguments.approval.present(session)?;
    let actor = Actor::new(session.login, approval.as_ref());
    session.module.delete_user(actor, &arguments.user.username, arguments.user.role.into())?;
    Ok(who(&arguments.user))
}

fn replicate(arguments: &Replicate, context: &mut Context) -> Outcome {
    let (source, destination) = arguments.clusters.sessions(context)?;
    if [source, destination].iter().any(|session| session.login.role != Role::CryptoOfficer) {
        return Err(Failure::new("This command needs the role admin on both clusters"));
    }
    let (from, to) = (Side::from(source), Side::from(destination));
    let user = Module::replicate_user(from, to, &arguments.user.username, arguments.user.role.into())?;
    Ok(json!({ "user": view(&user), "message": "Successfully replicated user" }))
}

fn list(module: &Module) -> Outcome {
    if !module.is_active()? {
        return Ok(json!({ "users": [ user("admin", "unactivated-admin"), appliance_user() ] }));
    }
    let users = module.list_users()?;
    let all: Vec<Value> = users.iter().map(view).chain(std::iter::once(appliance_user())).collect();
    Ok(json!({ "users": all }))
}

/// The user with which AWS's machines keep an HSM in step with its cluster. It exists nowhere but in this list.
fn appliance_user() -> Value {
    user("app_user", "internal(APPLIANCE_USER)")
}

fn user(name: &str, role: &str) -> Value {
    shown(name, role, false, false, false)
}

/// A user as AWS's JSON shows it.
pub(crate) fn view(known: &UserInformation) -> Value {
    shown(&known.name, known.role.name(), known.locked, known.second_factor, known.quorum)
}

fn shown(name: &str, role: &str, locked: bool, factor: bool, quorum: bool) -> Value {
    let registered = |is: bool| {
        if is { json!([ { "strategy": "token-sign", "status": "enabled" } ]) } else { json!([]) }
    };
    json!({
        "username": name,
        "role": role,
        "locked": locked.to_string(),
        "mfa": registered(factor),
        "quorum": registered(quorum),
        "cluster-coverage": "full",
    })
}

/// The answer of every command that changes a user.
fn who(user: &User) -> Value {
    let role: Role = user.role.into();
    json!({ "username": user.username.to_ascii_lowercase(), "role": role.name() })
}
