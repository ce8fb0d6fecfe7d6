//! `user create`, `user delete`, `user list`, `user change-password`.

use clap::{Args, Subcommand};
use cloudhsm_pkcs11::module::{Role, UserInformation};
use serde_json::{Value, json};

use crate::arguments::{Approval, NewPassword, User};
use crate::context::Context;
use crate::credentials::Password;
use crate::output::{Failure, Outcome};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Change a password: an admin anyone's, a crypto user its own; unlocks the user
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password \\
    cloudhsm-cli user change-password --username ann --role crypto-user --password new-password")]
    ChangePassword(ChangePassword),
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
    /// Also end the user's multi-factor authentication; nobody has one yet
    #[arg(long)]
    deregister_mfa: bool,
    /// Also end the user's registration for quorum; nobody has one yet
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

pub(crate) fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Create(arguments) => create(arguments, context),
        Command::ChangePassword(arguments) => change_password(arguments, context),
        Command::Delete(arguments) => delete(&arguments, context),
        Command::List => list(context),
    }
}

fn create(arguments: Create, context: &mut Context) -> Outcome {
    arguments.approval.check()?;
    let (module, login) = context.login_as(Role::CryptoOfficer)?;
    let password = Password::or_ask(arguments.new.password)?;
    module.create_user(login, &arguments.user.username, arguments.user.role.into(), &password, false)?;
    Ok(who(&arguments.user))
}

fn change_password(arguments: ChangePassword, context: &mut Context) -> Outcome {
    // With nothing registered there is nothing to end, and the switches ask for what already is.
    let _ = (arguments.deregister_mfa, arguments.deregister_quorum);
    arguments.approval.check()?;
    let (module, login) = context.login()?;
    let role = arguments.user.role.into();
    if login.role == Role::CryptoUser
        && (login.name != arguments.user.username.to_ascii_lowercase() || role != login.role)
    {
        return Err(Failure::new("A crypto user changes its own password only; an admin changes those of others"));
    }
    let password = Password::or_ask(arguments.new.password)?;
    module.change_password(login, &arguments.user.username, role, &password, Default::default())?;
    Ok(who(&arguments.user))
}

fn delete(arguments: &Delete, context: &mut Context) -> Outcome {
    arguments.approval.check()?;
    let (module, login) = context.login_as(Role::CryptoOfficer)?;
    module.delete_user(login, &arguments.user.username, arguments.user.role.into())?;
    Ok(who(&arguments.user))
}

fn list(context: &Context) -> Outcome {
    if !context.module.is_active()? {
        return Ok(json!({ "users": [ user("admin", "unactivated-admin", false), appliance_user() ] }));
    }
    let shown = |known: &UserInformation| user(&known.name, known.role.name(), known.locked);
    let users: Vec<Value> =
        context.module.list_users()?.iter().map(shown).chain(std::iter::once(appliance_user())).collect();
    Ok(json!({ "users": users }))
}

/// The user with which AWS's machines keep an HSM in step with its cluster. It exists nowhere but in this list.
fn appliance_user() -> Value {
    user("app_user", "internal(APPLIANCE_USER)", false)
}

fn user(name: &str, role: &str, locked: bool) -> Value {
    json!({
        "username": name,
        "role": role,
        "locked": locked.to_string(),
        "mfa": [],
        "quorum": [],
        "cluster-coverage": "full",
    })
}

/// The answer of every command that changes a user.
fn who(user: &User) -> Value {
    let role: Role = user.role.into();
    json!({ "username": user.username.to_ascii_lowercase(), "role": role.name() })
}
