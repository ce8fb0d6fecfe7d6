//! `cluster mtls`: trust anchors and their enforcement, stored and listed.
//!
//! Nobody connects to this HSM over a network, so nothing here keeps anybody out; the answers of commands that change something
//! say so.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use hsm::module::{Actor, TrustAnchor};
use serde_json::{Value, json};

use crate::arguments::Approval;
use crate::context::Context;
use crate::input::read_file;
use crate::output::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Take a trust anchor away
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password \\
    cloudhsm-cli cluster mtls deregister-trust-anchor --certificate-reference 0x01")]
    DeregisterTrustAnchor(Deregister),
    /// Show whether clients need a certificate
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli cluster mtls get-enforcement")]
    GetEnforcement,
    /// List the trust anchors; needs no login
    #[command(after_help = "Example:\n  cloudhsm-cli cluster mtls list-trust-anchors")]
    ListTrustAnchors,
    /// Register a trust anchor: a certificate in PEM, an intermediate one with its whole chain
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli cluster mtls register-trust-anchor --path root.pem")]
    RegisterTrustAnchor(Register),
    /// Set whether clients need a certificate; for the admin named admin
    #[command(after_help = "\
Example:
  CLOUDHSM_ROLE=admin CLOUDHSM_PIN=admin:password cloudhsm-cli cluster mtls set-enforcement --level cluster")]
    SetEnforcement(SetEnforcement),
}

#[derive(Args)]
pub(crate) struct Register {
    /// The file of the certificate
    #[arg(long, value_name = "FILE")]
    path: PathBuf,
    #[command(flatten)]
    approval: Approval,
}

#[derive(Args)]
pub(crate) struct Deregister {
    /// The anchor's reference, hexadecimal with 0x or decimal
    #[arg(long, value_parser = number)]
    certificate_reference: u32,
    #[command(flatten)]
    approval: Approval,
}

#[derive(Args)]
pub(crate) struct SetEnforcement {
    /// Nobody, or every client of the cluster
    #[arg(long, value_enum)]
    level: Level,
    #[command(flatten)]
    approval: Approval,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// No client needs a certificate
    None,
    /// Every client needs one
    Cluster,
}

const NO_EFFECT: &str =
    "No effect on this HSM: it lives in the process that uses it, and nobody connects to it over TLS";

pub(crate) fn run(command: Command, context: &mut Context) -> Outcome {
    match command {
        Command::DeregisterTrustAnchor(arguments) => {
            let session = context.session()?;
            let approval = arguments.approval.present(session)?;
            let number = arguments.certificate_reference;
            session.module.deregister_trust_anchor(Actor::new(session.login, approval.as_ref()), number)?;
            let message = format!("Trust anchor with reference {number:#04x} deregistered successfully");
            Ok(json!({ "message": message, "note": NO_EFFECT }))
        }
        Command::GetEnforcement => {
            let session = context.session()?;
            let level = if session.module.cluster_policy()?.mtls_enforced { "cluster" } else { "none" };
            Ok(json!({ "mtls-enforcement-level": level }))
        }
        Command::ListTrustAnchors => {
            let anchors = context.module()?.cluster_policy()?.trust_anchors;
            Ok(json!({ "trust_anchors": anchors.iter().map(anchor).collect::<Vec<Value>>() }))
        }
        Command::RegisterTrustAnchor(arguments) => {
            let session = context.session()?;
            let approval = arguments.approval.present(session)?;
            let pem = read_file(&arguments.path)?;
            let registered =
                session.module.register_trust_anchor(Actor::new(session.login, approval.as_ref()), &pem)?;
            Ok(json!({ "trust_anchor": anchor(&registered), "note": NO_EFFECT }))
        }
        Command::SetEnforcement(arguments) => {
            let session = context.session()?;
            let approval = arguments.approval.present(session)?;
            let enforced = arguments.level == Level::Cluster;
            session.module.enforce_mtls(Actor::new(session.login, approval.as_ref()), enforced)?;
            let level = if enforced { "Cluster" } else { "None" };
            Ok(json!({
                "message": format!("Mtls enforcement level set to {level} successfully"),
                "note": NO_EFFECT,
            }))
        }
    }
}

fn anchor(anchor: &TrustAnchor) -> Value {
    json!({
        "certificate-reference": format!("{:#04x}", anchor.reference),
        "certificate": anchor.pem,
        "cluster-coverage": "full",
    })
}

fn number(text: &str) -> Result<u32, String> {
    let read = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    read.map_err(|_| "it is neither 0x and hexadecimal digits nor a decimal number".to_owned())
}
