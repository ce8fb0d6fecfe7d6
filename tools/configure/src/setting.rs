//! What an option sets: a row for each, with its member of the file and what it does here.

use serde_json::{Map, Value, json};

use crate::Tool;
use crate::file::Target;

/// Where a member stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// `clusters[].cluster`
    Cluster,
    /// `clusters[].cluster.options`
    Options,
    /// `logging`
    Logging,
    /// Nowhere: AWS uses it while it configures and forgets it.
    Nowhere,
}

/// One option, or two that are opposites.
pub(crate) struct Row {
    option: &'static str,
    place: Place,
    key: &'static str,
    /// Why it has no effect here; nothing if it has one.
    idle: Option<&'static str>,
}

/// An option that was given.
#[derive(Clone)]
pub(crate) struct Setting {
    option: &'static str,
    pub(crate) place: Place,
    pub(crate) key: &'static str,
    pub(crate) value: Value,
    idle: Option<&'static str>,
}

const NO_NETWORK: Option<&str> = Some("the HSM is in this machine, no network leads to it");

const fn row(option: &'static str, place: Place, key: &'static str, idle: Option<&'static str>) -> Row {
    Row { option, place, key, idle }
}

pub(crate) const ADDRESSES: Row = row("-a", Place::Cluster, "servers", NO_NETWORK);
pub(crate) const CLUSTER_ID: Row = row("--cluster-id", Place::Cluster, "cluster_id", None);
pub(crate) const HSM_CA_CERT: Row = row("--hsm-ca-cert", Place::Cluster, "hsm_ca_file", NO_NETWORK);
pub(crate) const CLIENT_CERT: Row =
    row("--client-cert-hsm-tls-file", Place::Cluster, "client_cert_hsm_tls_path", NO_NETWORK);
pub(crate) const CLIENT_KEY: Row =
    row("--client-key-hsm-tls-file", Place::Cluster, "client_key_hsm_tls_path", NO_NETWORK);
pub(crate) const LOG_TYPE: Row = row("--log-type", Place::Logging, "log_type", None);
pub(crate) const LOG_FILE: Row = row("--log-file", Place::Logging, "log_file", None);
pub(crate) const LOG_LEVEL: Row = row("--log-level", Place::Logging, "log_level", None);
pub(crate) const LOG_ROTATION: Row = row(
    "--log-rotation",
    Place::Logging,
    "log_interval",
    Some("the log is appended to; logrotate can begin a new one"),
);
pub(crate) const KEY_AVAILABILITY: Row =
    row("key availability check", Place::Options, "disable_key_availability_check", None);
pub(crate) const VALIDATE_KEY: Row = row(
    "validation of keys at init",
    Place::Options,
    "disable_validate_key_at_init",
    Some("a key is always looked at when the operation begins"),
);
pub(crate) const RETRY_MODE: Row = row(
    "--default-retry-mode",
    Place::Options,
    "default_retry_mode",
    Some("nothing is retried: an HSM in this machine is busy only where `throttle` makes it so"),
);
pub(crate) const WEAK_HASH: Row =
    row("--enable-ecdsa-with-weak-hash-function", Place::Options, "enable_ecdsa_with_weak_hash_function", None);
pub(crate) const CERTIFICATES: Row = row("certificate storage", Place::Options, "enable_certificate_storage", None);
pub(crate) const NO_KDF: Row = row("--enable-ecdh-without-kdf", Place::Options, "enable_ecdh_without_kdf", None);

/// The member `servers`.
pub(crate) fn servers(hosts: &[String]) -> Value {
    hosts.iter().map(|host| json!({ "hostname": host, "port": 2223, "enable": true })).collect()
}

impl Row {
    pub(crate) fn set(&self, value: impl Into<Value>) -> Setting {
        Setting { option: self.option, place: self.place, key: self.key, value: value.into(), idle: self.idle }
    }
}

impl Setting {
    /// An option that AWS's tool uses and does not write down.
    pub(crate) fn unkept(option: &'static str) -> Self {
        Self { option, place: Place::Nowhere, key: "", value: Value::Null, idle: Some("nobody is asked for addresses") }
    }

    /// The setting, with what it needs besides: a log that is a file needs its name, and one that is found whatever folder a
    /// program runs in.
    pub(crate) fn completed(&self, tool: &Tool, target: &Target, root: &Map<String, Value>) -> Vec<Self> {
        let mut settings = vec![self.clone()];
        let held = |key: &str| root.get("logging").and_then(|logging| logging.get(key)).is_some_and(Value::is_string);
        match (self.key, self.value.as_str()) {
            ("log_type", Some("file")) if !held("log_file") => {
                settings.insert(0, LOG_FILE.set(target.usual_log(tool.log)));
            }
            ("log_file", Some(path)) => {
                if let Ok(path) = std::path::absolute(path) {
                    settings = vec![LOG_FILE.set(path.to_string_lossy().into_owned())];
                }
            }
            _ => {}
        }
        settings
    }

    /// What the output says of it.
    pub(crate) fn said(&self) -> String {
        match (self.idle, self.place) {
            (Some(why), Place::Nowhere) => format!("{}: not stored, no effect here: {why}", self.option),
            (Some(why), _) => format!("{}: stored, no effect here: {why}", self.option),
            (None, _) if self.value == "trace" => format!("{}: stored; trace is debug here", self.option),
            (None, _) => format!("{}: {}", self.option, self.words()),
        }
    }

    /// The value in words.
    fn words(&self) -> String {
        match &self.value {
            Value::Bool(value) if *value != self.key.starts_with("disable_") => "on".to_owned(),
            Value::Bool(_) => "off".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}
