//! The options of commands that make keys: session keys, users who share the key, quorum values.

use clap::Args;
use hsm::module::{KeyQuorum, Sharing};

use crate::output::Failure;

/// For one key.
#[derive(Args)]
pub(crate) struct KeySharing {
    /// Make a session key: it is gone at the end of the login
    #[arg(long)]
    pub(crate) session: bool,
    /// The crypto users who may use the key, too
    #[arg(long, num_args = 1.., value_name = "USERNAME")]
    share_crypto_users: Vec<String>,
    /// How many approvals a change of the key needs: 2 to 8, at most the number of its users
    #[arg(long, value_name = "VALUE")]
    manage_key_quorum_value: Option<u8>,
    /// How many approvals a use of the key needs: 2 to 8, at most the number of its users
    #[arg(long, value_name = "VALUE")]
    use_key_quorum_value: Option<u8>,
}

/// For the private key of a pair.
#[derive(Args)]
pub(crate) struct PairSharing {
    /// Make session keys: they are gone at the end of the login
    #[arg(long)]
    pub(crate) session: bool,
    /// The crypto users who may use the private key, too
    #[arg(long, num_args = 1.., value_name = "USERNAME")]
    share_crypto_users: Vec<String>,
    /// How many approvals a change of the private key needs: 2 to 8, at most the number of its users
    #[arg(long, value_name = "VALUE")]
    manage_private_key_quorum_value: Option<u8>,
    /// How many approvals a use of the private key needs: 2 to 8, at most the number of its users
    #[arg(long, value_name = "VALUE")]
    use_private_key_quorum_value: Option<u8>,
}

impl KeySharing {
    pub(crate) fn wanted(&self) -> Result<Sharing<'_>, Failure> {
        wanted(&self.share_crypto_users, self.manage_key_quorum_value, self.use_key_quorum_value)
    }
}

impl PairSharing {
    pub(crate) fn wanted(&self) -> Result<Sharing<'_>, Failure> {
        wanted(&self.share_crypto_users, self.manage_private_key_quorum_value, self.use_private_key_quorum_value)
    }
}

fn wanted(users: &[String], manage: Option<u8>, using: Option<u8>) -> Result<Sharing<'_>, Failure> {
    let quorum = match (manage, using) {
        (None, None) => KeyQuorum::default(),
        (Some(manage @ 2..), Some(using @ 2..)) => KeyQuorum { manage, using },
        _ => {
            return Err(Failure::new("The manage key and use key quorum values must be set to a value greater than 1"));
        }
    };
    Ok(Sharing { users, quorum })
}
