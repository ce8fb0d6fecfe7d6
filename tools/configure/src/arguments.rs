//! The grammar of the two command lines (User Guide, configure-tool-syntax5 and -params5).

use std::net::IpAddr;

use clap::{ArgAction, ArgGroup, Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::setting::{self, Setting};

/// What a command line asks for.
pub(crate) enum Request {
    /// The plain form: what it sets.
    Change(Vec<Setting>),
    /// `add-cluster`: the id, and what the cluster is given.
    Add(String, Vec<Setting>),
    /// `remove-cluster`.
    Remove(String),
}

/// Configure the PKCS #11 library: writes cloudhsm-pkcs11.cfg
#[derive(Parser)]
#[command(name = "configure-pkcs11", arg_required_else_help = true, args_conflicts_with_subcommands = true, after_help = PKCS11)]
struct Pkcs11 {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    own: OfLibrary,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Configure cloudhsm-cli: writes cloudhsm-cli.cfg
#[derive(Parser)]
#[command(name = "configure-cli", arg_required_else_help = true, args_conflicts_with_subcommands = true, after_help = CLI)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

const PKCS11: &str = "\
Examples:
  configure-pkcs11 -a 10.0.0.5 10.0.1.5
  configure-pkcs11 --enable-certificate-storage --log-type term --log-level debug
  configure-pkcs11 add-cluster --cluster-id cluster-2

Only what is given changes. The output says what has no effect on an HSM inside the library.";
const CLI: &str = "\
Examples:
  configure-cli -a 10.0.0.5
  configure-cli --log-level debug
  configure-cli add-cluster --cluster-id cluster-2

Only what is given changes. The output says what has no effect on an HSM inside the library.";

#[derive(Subcommand)]
enum Command {
    /// Add a cluster: one more HSM, in a slot of its own
    #[command(after_help = "Example:\n  add-cluster --cluster-id cluster-2")]
    AddCluster {
        /// The id of the cluster
        #[arg(long, value_name = "ID", value_parser = word)]
        cluster_id: String,
        #[command(flatten)]
        lookup: Lookup,
        #[command(flatten)]
        connection: Connection,
    },
    /// Forget a cluster; its HSM stays
    #[command(after_help = "Example:\n  remove-cluster --cluster-id cluster-2")]
    RemoveCluster {
        /// The id of the cluster
        #[arg(long, value_name = "ID", value_parser = word)]
        cluster_id: String,
    },
}

/// Where AWS is asked for a cluster.
#[derive(Args)]
struct Lookup {
    /// The region of the cluster
    #[arg(long, value_name = "REGION", requires = "cluster_id", value_parser = word)]
    region: Option<String>,
    /// The endpoint of AWS CloudHSM's API
    #[arg(long, value_name = "ENDPOINT", requires = "cluster_id", value_parser = word)]
    endpoint: Option<String>,
}

#[derive(Args)]
struct Connection {
    /// The certificate that issues those of the HSMs
    #[arg(long, value_name = "FILE", value_parser = word)]
    hsm_ca_cert: Option<String>,
    /// The certificate of this client, for mutual TLS
    #[arg(long, value_name = "FILE", requires = "client_key_hsm_tls_file", value_parser = word)]
    client_cert_hsm_tls_file: Option<String>,
    /// The key of that certificate
    #[arg(long, value_name = "FILE", requires = "client_cert_hsm_tls_file", value_parser = word)]
    client_key_hsm_tls_file: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogType {
    /// stderr
    Term,
    /// The file of --log-file
    File,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogRotation {
    Never,
    Hourly,
    Daily,
    Weekly,
}

#[derive(Clone, Copy, ValueEnum)]
enum RetryMode {
    Off,
    Standard,
}

/// What both tools have.
#[derive(Args)]
#[command(groups = [
    ArgGroup::new("availability").args(["disable_key_availability_check", "enable_key_availability_check"]),
    ArgGroup::new("validation").args(["disable_validate_key_at_init", "enable_validate_key_at_init"]),
])]
struct Common {
    /// The addresses of the HSMs, all in one -a; they replace those that were there
    #[arg(short = 'a', value_name = "IP", num_args = 1.., action = ArgAction::Set, conflicts_with = "cluster_id", value_parser = address)]
    addresses: Option<Vec<String>>,
    /// The id of the cluster
    #[arg(long, value_name = "ID", value_parser = word)]
    cluster_id: Option<String>,
    #[command(flatten)]
    lookup: Lookup,
    #[command(flatten)]
    connection: Connection,
    /// Where the log goes
    #[arg(long, value_enum)]
    log_type: Option<LogType>,
    /// The log file
    #[arg(long, value_name = "FILE", value_parser = word)]
    log_file: Option<String>,
    /// How much is logged
    #[arg(long, value_enum)]
    log_level: Option<LogLevel>,
    /// How often a new log file is begun
    #[arg(long, value_enum)]
    log_rotation: Option<LogRotation>,
    /// Use keys that are on one HSM alone
    #[arg(long)]
    disable_key_availability_check: bool,
    /// Refuse token keys that are not on two HSMs, which none is here
    #[arg(long)]
    enable_key_availability_check: bool,
    /// Look at a key when it is used, not when the operation begins
    #[arg(long)]
    disable_validate_key_at_init: bool,
    /// Look at a key when the operation begins
    #[arg(long)]
    enable_validate_key_at_init: bool,
    /// What is done when the HSM is busy
    #[arg(long, value_enum)]
    default_retry_mode: Option<RetryMode>,
    /// In FIPS mode, let ECDSA sign with a digest weaker than the curve
    #[arg(long)]
    enable_ecdsa_with_weak_hash_function: bool,
}

/// What `configure-pkcs11` alone has.
#[derive(Args)]
#[command(groups = [
    ArgGroup::new("certificates").args(["enable_certificate_storage", "disable_certificate_storage"]),
])]
struct OfLibrary {
    /// Store certificates in the HSM
    #[arg(long)]
    enable_certificate_storage: bool,
    /// Store no certificates
    #[arg(long)]
    disable_certificate_storage: bool,
    /// In FIPS mode, let ECDH give out the shared secret itself
    #[arg(long)]
    enable_ecdh_without_kdf: bool,
}

/// The grammars of both.
pub(crate) fn grammars() -> [clap::Command; 2] {
    [Pkcs11::command(), Cli::command()]
}

/// The command line of `configure-pkcs11`.
pub(crate) fn pkcs11() -> Request {
    let Pkcs11 { common, own, command } = Pkcs11::parse();
    command.map_or_else(|| Request::Change([common.settings(), own.settings()].concat()), Command::request)
}

/// The command line of `configure-cli`.
pub(crate) fn cli() -> Request {
    let Cli { common, command } = Cli::parse();
    command.map_or_else(|| Request::Change(common.settings()), Command::request)
}

impl Command {
    fn request(self) -> Request {
        match self {
            Self::AddCluster { cluster_id, lookup, connection } => {
                Request::Add(cluster_id, [lookup.settings(), connection.settings()].concat())
            }
            Self::RemoveCluster { cluster_id } => Request::Remove(cluster_id),
        }
    }
}

impl Lookup {
    fn settings(&self) -> Vec<Setting> {
        let given = [(&self.region, "--region"), (&self.endpoint, "--endpoint")];
        given.into_iter().filter(|(value, _)| value.is_some()).map(|(_, option)| Setting::unkept(option)).collect()
    }
}

impl Connection {
    fn settings(self) -> Vec<Setting> {
        let given = [
            (setting::HSM_CA_CERT, self.hsm_ca_cert),
            (setting::CLIENT_CERT, self.client_cert_hsm_tls_file),
            (setting::CLIENT_KEY, self.client_key_hsm_tls_file),
        ];
        given.into_iter().filter_map(|(row, value)| Some(row.set(value?))).collect()
    }
}

impl Common {
    fn settings(self) -> Vec<Setting> {
        let mut settings = Vec::new();
        settings.extend(self.addresses.as_deref().map(|hosts| setting::ADDRESSES.set(setting::servers(hosts))));
        settings.extend(self.cluster_id.map(|id| setting::CLUSTER_ID.set(id)));
        settings.extend(self.lookup.settings());
        settings.extend(self.connection.settings());
        settings.extend(self.log_type.map(|kind| setting::LOG_TYPE.set(name(kind))));
        settings.extend(self.log_file.map(|file| setting::LOG_FILE.set(file)));
        settings.extend(self.log_level.map(|level| setting::LOG_LEVEL.set(name(level))));
        settings.extend(self.log_rotation.map(|rotation| setting::LOG_ROTATION.set(name(rotation))));
        let off = (self.disable_key_availability_check, self.enable_key_availability_check);
        settings.extend(switch(off, setting::KEY_AVAILABILITY));
        let off = (self.disable_validate_key_at_init, self.enable_validate_key_at_init);
        settings.extend(switch(off, setting::VALIDATE_KEY));
        settings.extend(self.default_retry_mode.map(|mode| setting::RETRY_MODE.set(name(mode))));
        settings.extend(switch((self.enable_ecdsa_with_weak_hash_function, false), setting::WEAK_HASH));
        settings
    }
}

impl OfLibrary {
    fn settings(&self) -> Vec<Setting> {
        let certificates = (self.enable_certificate_storage, self.disable_certificate_storage);
        let certificates = switch(certificates, setting::CERTIFICATES);
        certificates.into_iter().chain(switch((self.enable_ecdh_without_kdf, false), setting::NO_KDF)).collect()
    }
}

/// A switch with two options, of which at most one was given: the one that makes its member true, and the other.
fn switch(given: (bool, bool), row: setting::Row) -> Option<Setting> {
    (given.0 || given.1).then(|| row.set(given.0))
}

/// The word of a value, as it was typed.
fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// An address, or a name that may have one.
fn address(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    if is_name || text.parse::<IpAddr>().is_ok() { Ok(text.to_owned()) } else { Err("not an address".to_owned()) }
}

/// Anything but nothing: AWS takes an empty text for a file that is missing.
fn word(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}
