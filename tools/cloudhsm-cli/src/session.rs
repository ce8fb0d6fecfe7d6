//! `login` and `logout`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use hsm::module::{Authentication, Login, Pending, Pin};
use serde_json::{Value, json};

use crate::arguments::User;
use crate::context::Context;
use crate::credentials::{self, Password};
use crate::output::{Failure, Outcome};
use crate::token_file;

#[derive(Args)]
pub(crate) struct LogIn {
    #[command(flatten)]
    user: User,
    /// The user's password; asked for if absent, which keeps it out of the list of processes
    #[arg(long, value_parser = Password::parse)]
    password: Option<Password>,
    #[command(subcommand)]
    factor: Option<Factor>,
}

#[derive(Subcommand)]
pub(crate) enum Factor {
    /// Log in with a second factor: writes a token to be signed, asks for the signed file
    #[command(after_help = "\
Example:
  login --username ann --role crypto-user --password her-password mfa-token-sign --token token.json

Sign the digest in the file, and put the signature into it in base64:
  jq -r .tokens[0].unsigned token.json | base64 -d >digest
  openssl pkeyutl -sign -inkey ann.key -pkeyopt digest:sha256 -in digest | base64 -w0")]
    MfaTokenSign {
        /// The file that is written
        #[arg(long, value_name = "FILE")]
        token: PathBuf,
    },
}

pub(crate) fn log_in(arguments: LogIn, context: &mut Context) -> Outcome {
    if let Some(user) = context.user()? {
        return Err(Failure::new(format!("{} is logged in already: run logout first", user.name)));
    }
    let role = arguments.user.role.into();
    let password = Password::or_ask_once(arguments.password)?;
    let pin =
        Pin::named(arguments.user.username.as_bytes(), password.expose()).map_err(|error| Failure::login(&error))?;
    let authentication = context.module()?.authenticate(role, &pin).map_err(|error| Failure::login(&error))?;
    let login = match (authentication, arguments.factor) {
        (Authentication::Done(login), _) => login,
        (Authentication::SecondFactor(pending), Some(Factor::MfaTokenSign { token })) => answer(pending, &token)?,
        (Authentication::SecondFactor(_), None) => {
            return Err(Failure::new("The user has a second factor: add mfa-token-sign --token FILE"));
        }
    };
    let who = json!({ "username": login.name, "role": login.role.name() });
    context.log_in(login)?;
    Ok(who)
}

fn answer(pending: Pending, token: &Path) -> Result<Login, Failure> {
    token_file::write_challenge(token, pending.digest())?;
    let signed = credentials::ask_signed_file(token)?;
    pending.finish(&token_file::read_answer(&signed)?).map_err(|error| Failure::login(&error))
}

pub(crate) fn log_out(context: &mut Context) -> Outcome {
    if context.log_out()? {
        return Ok(Value::from("Logout successful"));
    }
    Err(Failure::new("Nobody is logged in"))
}
