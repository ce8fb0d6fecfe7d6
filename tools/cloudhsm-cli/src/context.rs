//! What commands work on: the clusters, each one HSM, and who is logged in to them.

use std::sync::Arc;

use base::error;
use hsm::config::{Config, Profile};
use hsm::log;
use hsm::module::{Ending, Login, Module, Role, Side};
use hsm::object::Object;

use crate::credentials::Credentials;
use crate::output::Failure;

/// The HSM of a home that has one.
pub(crate) const HSM: &str = "hsm1";

/// Where logins come from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// One command: the environment, at first need.
    Single,
    /// Lines one after the other: the command `login`.
    Interactive,
}

/// The clusters of this process, and which of them the command at hand is about.
pub(crate) struct Context {
    pub(crate) config: Config,
    /// The profile of the configuration, which this program speaks in nothing but what it may import.
    pub(crate) configured: Profile,
    mode: Mode,
    clusters: Vec<Cluster>,
    current: usize,
    /// The cluster that `interactive` was given.
    usual: Option<String>,
}

/// One HSM, opened.
struct Cluster {
    name: &'static str,
    module: Module,
    login: Option<Login>,
    session_keys: Vec<SessionKey>,
}

/// A session key, which has no name in the store: it lives as long as the login.
pub(crate) struct SessionKey {
    pub(crate) reference: u64,
    pub(crate) key: Arc<Object>,
}

/// A user at work: the HSM, the login and the session keys that were made in it.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) module: &'a Module,
    pub(crate) login: &'a Login,
    pub(crate) keys: &'a [SessionKey],
}

impl<'a> From<Session<'a>> for Side<'a> {
    fn from(session: Session<'a>) -> Self {
        Self { module: session.module, login: session.login }
    }
}

impl Session<'_> {
    /// What names a key in this program: its id, or the number of a session key.
    pub(crate) fn reference(&self, key: &Object) -> u64 {
        let of_session = || self.keys.iter().find(|known| std::ptr::eq(&raw const *known.key, key));
        key.id.map_or_else(|| of_session().map_or(0, |known| known.reference), |id| id.0)
    }
}

impl Context {
    /// Reads the configuration. An HSM is opened when a command first needs it.
    pub(crate) fn open(mode: Mode, cluster: Option<String>) -> error::Result<Self> {
        let (config, configured) = read_config()?;
        Ok(Self { config, configured, mode, clusters: Vec::new(), current: 0, usual: cluster })
    }

    /// Makes the cluster of a command the one that the following calls are about.
    pub(crate) fn select(&mut self, id: Option<&str>) -> Result<(), Failure> {
        self.current = match id.map(str::to_owned).or_else(|| self.usual.clone()) {
            Some(id) => self.find(&id)?,
            None => {
                let names: Vec<&'static str> = self.config.clusters().map(|(_, name)| name).collect();
                let first = names.first().copied().unwrap_or(HSM);
                if names.len() > 1 {
                    return Err(Failure::new(
                        "multiple clusters provided in configuration file. Please specify `cluster-id`",
                    ));
                }
                self.opened(first)?
            }
        };
        Ok(())
    }

    /// The place of the cluster with this id: the name of its folder, the serial number of its HSM, or the id that a
    /// configuration file of AWS's gives it.
    fn find(&mut self, id: &str) -> Result<usize, Failure> {
        if let Some(name) = Config::cluster_named(id) {
            return Ok(self.opened(name)?);
        }
        let clusters: Vec<_> = self.config.clusters().collect();
        for (number, name) in clusters {
            let place = usize::try_from(number).unwrap_or(usize::MAX);
            if self.config.cluster_ids.get(place).is_some_and(|known| known.as_deref() == Some(id)) {
                return Ok(self.opened(name)?);
            }
            let place = self.opened(name)?;
            let serial =
                self.clusters.get(place).and_then(|cluster| cluster.module.recorded()).map(|known| known.serial);
            if serial.as_deref() == Some(id) {
                return Ok(place);
            }
        }
        Err(Failure::new(format!("cluster {id} is not configured")))
    }

    fn opened(&mut self, name: &'static str) -> error::Result<usize> {
        if let Some(place) = self.clusters.iter().position(|cluster| cluster.name == name) {
            return Ok(place);
        }
        let module = Module::open(&self.config, name)?;
        self.clusters.push(Cluster { name, module, login: None, session_keys: Vec::new() });
        Ok(self.clusters.len() - 1)
    }

    fn cluster(&mut self) -> Result<&mut Cluster, Failure> {
        self.clusters.get_mut(self.current).ok_or(Failure::new("no cluster was selected"))
    }

    /// The HSM of the command at hand, activated or not.
    pub(crate) fn module(&mut self) -> Result<&Module, Failure> {
        Ok(&self.cluster()?.module)
    }

    /// The name of its folder.
    pub(crate) fn name(&mut self) -> Result<&'static str, Failure> {
        Ok(self.cluster()?.name)
    }

    /// Opens the HSM of the command at hand anew, after the configuration or the HSM itself has changed.
    pub(crate) fn reopen(&mut self) -> Result<&Module, Failure> {
        let name = self.name()?;
        let module = Module::open(&self.config, name)?;
        let cluster = self.cluster()?;
        cluster.module.close();
        (cluster.module, cluster.login) = (module, None);
        cluster.session_keys.clear();
        Ok(&cluster.module)
    }

    /// Lets the HSM speak the dialect of the configuration: for what is made in the name of applications.
    pub(crate) fn speak_as_configured(&mut self) -> Result<(), Failure> {
        self.config.settings.profile = self.configured;
        self.reopen().map(|_| ())
    }

    /// The user at work on the cluster of the command at hand.
    pub(crate) fn session(&mut self) -> Result<Session<'_>, Failure> {
        let (mode, place) = (self.mode, self.current);
        self.session_at(place, mode, "")
    }

    /// The same, of a role: the HSM would refuse too, in words that know nothing of this program.
    pub(crate) fn session_as(&mut self, role: Role) -> Result<Session<'_>, Failure> {
        let session = self.session()?;
        if session.login.role == role {
            return Ok(session);
        }
        Err(Failure::new(format!(
            "This command needs the role {}, and {} is logged in as {}",
            role.name(),
            session.login.name,
            session.login.role.name()
        )))
    }

    /// The users at work on two clusters at once; the second one's credentials have variables of their own.
    pub(crate) fn sessions(&mut self, source: &str, destination: &str) -> Result<(Session<'_>, Session<'_>), Failure> {
        let mode = self.mode;
        let places = (self.find(source)?, self.find(destination)?);
        if places.0 == places.1 {
            return Err(Failure::new("The source and the destination are one cluster"));
        }
        self.session_at(places.0, mode, "")?;
        self.session_at(places.1, mode, "DESTINATION_")?;
        let both = (self.clusters.get(places.0), self.clusters.get(places.1));
        match both {
            (Some(source), Some(destination)) => Ok((source.session()?, destination.session()?)),
            _ => Err(Failure::new("a cluster was not opened")),
        }
    }

    fn session_at(&mut self, place: usize, mode: Mode, prefix: &str) -> Result<Session<'_>, Failure> {
        let cluster = self.clusters.get_mut(place).ok_or(Failure::new("no cluster was selected"))?;
        if cluster.login.is_none() && mode == Mode::Single {
            let credentials = Credentials::from_environment(prefix)?;
            let login = cluster.module.login(credentials.role, credentials.pin.expose());
            let login = login.and_then(|login| login.begin().map(|()| login));
            cluster.login = Some(login.map_err(|error| Failure::login(&error))?);
        }
        cluster.session()
    }

    /// Who is logged in to the cluster of the command at hand.
    pub(crate) fn user(&mut self) -> Result<Option<&Login>, Failure> {
        Ok(self.cluster()?.login.as_ref().filter(|login| login.check().is_ok()))
    }

    /// Puts a login in its place.
    pub(crate) fn log_in(&mut self, login: Login) -> Result<(), Failure> {
        login.begin()?;
        let cluster = self.cluster()?;
        cluster.session_keys.clear();
        cluster.login = Some(login);
        Ok(())
    }

    /// Ends the login of the cluster of the command at hand; false if nobody was logged in.
    pub(crate) fn log_out(&mut self) -> Result<bool, Failure> {
        let cluster = self.cluster()?;
        let ended = cluster.end_login(Ending::Logout)?;
        Ok(ended)
    }

    /// Gives a new session key its number. A token key has its id.
    pub(crate) fn keep(&mut self, key: &Arc<Object>) -> Result<(), Failure> {
        let cluster = self.cluster()?;
        if key.id.is_none() {
            // Above all numbers that the store gives out.
            let reference = (1 << 63) | (cluster.session_keys.last().map_or(0, |last| last.reference) + 1);
            cluster.session_keys.push(SessionKey { reference, key: Arc::clone(key) });
        }
        Ok(())
    }

    /// Puts the new form of a session key in the place of the old one, or nothing: it was deleted, or has become a token key.
    pub(crate) fn replace(&mut self, reference: u64, new: Option<Arc<Object>>) -> Result<(), Failure> {
        let keys = &mut self.cluster()?.session_keys;
        match new.filter(|key| key.id.is_none()) {
            Some(new) => {
                for known in keys.iter_mut().filter(|known| known.reference == reference) {
                    known.key = Arc::clone(&new);
                }
            }
            None => keys.retain(|known| known.reference != reference),
        }
        Ok(())
    }

    /// The prompt of interactive mode (User Guide, cloudhsm_cli-multi-cluster-usage).
    pub(crate) fn prompt(&self) -> String {
        let several = self.config.clusters().nth(1).is_some();
        let user = self.clusters.get(self.current).and_then(|cluster| Some((cluster.name, cluster.login.as_ref()?)));
        match user.filter(|(_, login)| several && login.check().is_ok()) {
            Some((name, login)) => format!("{}@{name} > ", login.name),
            None => "aws-cloudhsm > ".to_owned(),
        }
    }

    /// Ends every login and closes every HSM.
    pub(crate) fn close(mut self) {
        for cluster in &mut self.clusters {
            // In single-command mode a token outlives the command that made it, or none could ever be signed.
            if self.mode == Mode::Interactive {
                drop(cluster.end_login(Ending::Finalize));
            } else if let Some(login) = cluster.login.take() {
                login.end_by(Ending::Finalize);
            }
            cluster.module.close();
        }
    }
}

impl Cluster {
    fn session(&self) -> Result<Session<'_>, Failure> {
        match self.login.as_ref() {
            Some(login) => Ok(Session { module: &self.module, login, keys: &self.session_keys }),
            None => Err(Failure::new("Nobody is logged in: run login --username NAME --role ROLE first")),
        }
    }

    fn end_login(&mut self, ending: Ending) -> error::Result<bool> {
        self.session_keys.clear();
        let Some(login) = self.login.take() else { return Ok(false) };
        self.module.logout(&login, ending)?;
        Ok(true)
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
