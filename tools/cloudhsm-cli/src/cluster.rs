//! `cluster activate`, `cluster hsm-info` and, in a file of its own, `cluster mtls`.

use clap::{Args, Subcommand};
use hsm::module::Module;
use serde_json::{Value, json};

use crate::arguments::NewPassword;
use crate::context::Context;
use crate::credentials::Password;
use crate::mtls;
use crate::output::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Activate the HSM: make its folder, its keys and its first admin, whose name is admin
    #[command(after_help = "\
Examples:
  cloudhsm-cli cluster activate
  cloudhsm-cli cluster activate --password officer-password --fips

--fips and --secure are not AWS's; they are recorded in the HSM and cannot be changed later.")]
    Activate(Activate),
    /// Trust anchors; stored and listed, without effect here
    Mtls {
        #[command(subcommand)]
        command: mtls::Command,
    },
    /// Show what the HSM is
    #[command(after_help = "Example:\n  cloudhsm-cli cluster hsm-info")]
    HsmInfo,
}

#[derive(Args)]
pub(crate) struct Activate {
    #[command(flatten)]
    new: NewPassword,
    /// Make an HSM in FIPS mode
    #[arg(long)]
    fips: bool,
    /// Make an HSM in secure mode
    #[arg(long)]
    secure: bool,
}

pub(crate) fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::Activate(arguments) => activate(arguments, context),
        Command::HsmInfo => Ok(hsm_info(context.module()?)),
        Command::Mtls { command } => mtls::run(command, context),
    }
}

fn activate(arguments: Activate, context: &mut Context) -> Outcome {
    // Nobody is asked for a password that cannot be used.
    if context.module()?.is_active()? {
        return Err(crate::output::Failure::new("The HSM is activated already"));
    }
    let password = Password::or_ask(arguments.new.password)?;
    // What is recorded at the creation is a setting of the module that creates.
    let settings = &mut context.config.settings;
    if arguments.fips {
        settings.fips = Some(true);
    }
    if arguments.secure {
        settings.secure = Some(true);
    }
    context.reopen()?.activate(&password, None)?;
    Ok(Value::from("Cluster activation successful"))
}

fn hsm_info(module: &Module) -> Value {
    // AWS has not published what an hsm2m.medium says of itself; vendor and model are those of C_GetTokenInfo.
    json!({ "hsms": [ {
        "vendor": "CloudHSM",
        "model": "hsm2m.medium",
        "serial-number": module.recorded().map_or_else(String::new, |recorded| recorded.serial),
        "hardware-version-major": "0",
        "hardware-version-minor": "0",
        "firmware-version-major": "0",
        "firmware-version-minor": "0",
        "firmware-build-number": "0",
        "firmware-id": format!("cloudhsm-pkcs11-{}", env!("CARGO_PKG_VERSION")),
        "fips-state": module.mode().fips_state,
    } ] })
}
