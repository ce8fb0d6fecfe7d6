//! `migrate softhsm2`: brings the objects of a SoftHSM2 token over, and says of each that stays why.
//!
//! Ours, not AWS's. It makes what applications use, so it speaks the dialect of the configuration and not CloudHSM's alone.
//! Nothing of SoftHSM2 is written or patched: its own library is asked through PKCS#11, on a copy of the tokens, for what it is
//! willing to give to the user whose PIN is given.

mod carry;
mod copy;
mod source;
mod template;

use std::path::PathBuf;

use clap::Subcommand;
use hsm::module::Role;
use serde_json::{Value, json};

use crate::context::{Context, Session};
use crate::credentials::Password;
use crate::output::Outcome;
use crate::progress::Progress;
use carry::{Carrier, Fate};
pub(crate) use copy::run as run_on_copy;
use source::{Source, Wanted};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Bring the keys of a SoftHSM2 token over; they stay there too
    #[command(after_help = "\
Examples:
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password cloudhsm-cli migrate softhsm2 --token-label mine --dry-run
  CLOUDHSM_ROLE=crypto-user CLOUDHSM_PIN=ann:password cloudhsm-cli migrate softhsm2 --token-label mine

SoftHSM2 finds its tokens as always, by SOFTHSM2_CONF or /etc/softhsm/softhsm2.conf. A run that was interrupted is repeated: what
is there already is left out.")]
    Softhsm2(Arguments),
}

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("token").args(["token_label", "slot", "serial"]))]
pub(crate) struct Arguments {
    /// SoftHSM2's library; where Debian and Fedora have it if absent
    #[arg(long, value_name = "PATH")]
    library: Option<PathBuf>,
    /// The token's label; not needed if there is one token
    #[arg(long, value_name = "LABEL")]
    token_label: Option<String>,
    /// The number of the token's slot
    #[arg(long, value_name = "NUMBER")]
    slot: Option<u64>,
    /// The token's serial number
    #[arg(long, value_name = "SERIAL")]
    serial: Option<String>,
    /// The PIN of the token's user; asked for if absent, which keeps it out of the list of processes
    #[arg(long, value_parser = Password::parse)]
    pin: Option<Password>,
    /// Try everything and keep nothing
    #[arg(long)]
    dry_run: bool,
    /// Given by the program to itself: SOFTHSM2_CONF leads to a copy
    #[arg(long, hide = true)]
    on_copy: bool,
}

impl Command {
    /// Whether the program has to be started once more, by [`run_on_copy`].
    pub(crate) const fn needs_copy(&self) -> bool {
        let Self::Softhsm2(arguments) = self;
        !arguments.on_copy
    }
}

pub(crate) fn run(command: Command, context: &mut Context) -> Outcome {
    let Command::Softhsm2(arguments) = command;
    context.speak_as_configured()?;
    let Session { module, login, .. } = context.session_as(Role::CryptoUser)?;
    let wanted = Wanted { label: arguments.token_label, slot: arguments.slot, serial: arguments.serial };
    let library = source::open_library(arguments.library.as_deref())?;
    let slot = source::find_token(&library, &wanted)?;
    let pin = Password::or_ask_once(arguments.pin)?;
    let source = Source::open(library, slot, &pin)?;
    let result = carry_all(&source, &Carrier::new(module, login, &source, arguments.dry_run)?);
    source.close();
    result
}

fn carry_all(source: &Source, carrier: &Carrier<'_>) -> Outcome {
    let (mut moved, mut left, mut present) = (Vec::new(), Vec::new(), 0);
    let handles = source.objects()?;
    let mut progress = Progress::new("Objects");
    for (at, handle) in handles.iter().enumerate() {
        progress.at(at as u64, handles.len() as u64);
        let found = match source.read(*handle) {
            Ok(found) => found,
            Err(reason) => {
                left.push(json!({ "label": "", "class": "unknown", "reason": reason }));
                continue;
            }
        };
        match carrier.carry(&found)? {
            Fate::Moved { reference, lost } => moved.push(json!({
                "label": found.label(),
                "class": template::class_word(found.class),
                "key-type": found.key_type.map(template::key_type_word),
                "key-reference": reference,
                "not-carried-over": lost,
            })),
            Fate::Present => present += 1,
            Fate::Left(reason) => left.push(json!({
                "label": found.label(),
                "class": template::class_word(found.class),
                "reason": reason,
            })),
        }
    }
    drop(progress);
    Ok(json!({
        "counts": { "moved": moved.len(), "left": left.len(), "present": present },
        "moved": Value::from(moved),
        "left": Value::from(left),
    }))
}
