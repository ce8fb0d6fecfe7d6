//! What commands work on: the HSM that is open, and the login if one was needed.

use cloudhsm_pkcs11::config::{Config, Profile};
use cloudhsm_pkcs11::error;
use cloudhsm_pkcs11::log;
use cloudhsm_pkcs11::module::{Login, Module, Role};

use crate::credentials::Credentials;
use crate::output::Failure;

/// The one HSM of this home, in AWS's words a cluster.
pub(crate) const HSM: &str = "hsm1";

pub(crate) struct Context {
    pub(crate) config: Config,
    /// The profile of the configuration, which this program speaks in nothing but what it may import.
    pub(crate) configured: Profile,
    pub(crate) module: Module,
    login: Option<Login>,
    session_keys: u64,
}

impl Context {
    /// Reads the configuration and opens the HSM, activated or not.
    pub(crate) fn open() -> error::Result<Self> {
        let (config, configured) = read_config()?;
        let module = Module::open(&config, HSM)?;
        Ok(Self { config, configured, module, login: None, session_keys: 0 })
    }

    /// Refuses a cluster id that is not that of the local HSM.
    pub(crate) fn check_cluster(&self, id: Option<&str>) -> Result<(), Failure> {
        match id {
            None | Some(HSM) => Ok(()),
            Some(id) if self.config.cluster_ids.first().is_some_and(|known| known.as_deref() == Some(id)) => Ok(()),
            Some(id) if self.module.recorded().is_some_and(|recorded| recorded.serial == id) => Ok(()),
            Some(id) => Err(Failure::new(format!("cluster {id} is not configured; the one here is {HSM}"))),
        }
    }

    /// The login of this context, made from the environment at first use.
    pub(crate) fn login(&mut self) -> Result<(&Module, &Login), Failure> {
        let login = match self.login.take() {
            Some(login) => login,
            None => {
                let credentials = Credentials::from_environment()?;
                self.module.login(credentials.role, credentials.pin.expose()).map_err(|error| Failure::login(&error))?
            }
        };
        Ok((&self.module, self.login.insert(login)))
    }

    /// The login, which must be of a role: the HSM would refuse too, in words that know nothing of this program.
    pub(crate) fn login_as(&mut self, role: Role) -> Result<(&Module, &Login), Failure> {
        let (module, login) = self.login()?;
        if login.role == role {
            return Ok((module, login));
        }
        Err(Failure::new(format!(
            "This command needs the role {}, and {} is logged in as {}",
            role.name(),
            login.name,
            login.role.name()
        )))
    }

    /// A reference for a session key, which has no name in the store: above all that the store gives out.
    pub(crate) fn session_reference(&mut self) -> u64 {
        self.session_keys += 1;
        (1 << 63) | self.session_keys
    }

    pub(crate) fn close(self) {
        if let Some(login) = self.login {
            login.end();
        }
        self.module.close();
    }
}

/// The configuration of this program, and the profile that it names. The program always speaks CloudHSM's dialect, whatever
/// the applications beside it speak: its options and its JSON are CloudHSM's.
pub(crate) fn read_config() -> error::Result<(Config, Profile)> {
    let mut config = Config::read_of_program()?;
    let configured = std::mem::take(&mut config.settings.profile);
    log::configure(config.settings.log_level, config.settings.log_file.as_deref())?;
    Ok((config, configured))
}
