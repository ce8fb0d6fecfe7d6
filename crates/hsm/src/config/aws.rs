//! AWS's configuration file, `cloudhsm-pkcs11.cfg`: JSON, turned into settings of ours.
//!
//! What has a meaning here is honoured: how many clusters there are and their ids, the log, and four switches. The
//! rest speaks of a network that is not there; it is ignored and listed in one line of the log.

use std::collections::BTreeSet;
use std::path::Path;

use base::ck;
use base::error::{Error, Result};
use platform::descriptors;
use serde_json::Value;

use super::clusters::{MOST, number_of};

/// A file of AWS's in our terms.
#[derive(Default)]
pub(super) struct Translated {
    /// The settings that it makes.
    pub(super) settings: toml::Table,
    /// The id of each cluster, where it has one, in the order of the slots.
    pub(super) cluster_ids: Vec<Option<String>>,
    /// The keys without a meaning here, with `[]` for any place in a list.
    pub(super) ignored: BTreeSet<String>,
}

/// A switch: its name with AWS, the setting, and the value that holds when two clusters differ, which is the one that
/// refuses less, since we have one value for all clusters.
const SWITCHES: [(&str, &str, bool); 5] = [
    ("key_availability_check", "key_availability_check", false),
    ("certificate_storage", "certificate_storage", true),
    ("ecdsa_with_weak_hash_function", "ecdsa_with_weak_hash", true),
    ("ecdsa_with_weak_hash", "ecdsa_with_weak_hash", true),
    ("ecdh_without_kdf", "ecdh_without_kdf", true),
];
/// Keys that are read by their place.
const PLACES: [&str; 6] = [
    "clusters[].cluster.cluster_id",
    "clusters[].cluster.local_hsm",
    "clusters[].cluster_id",
    "logging.log_type",
    "logging.log_file",
    "logging.log_level",
];

/// Whether a file is AWS's and not ours: no TOML begins so.
pub(super) fn is_json(text: &str) -> bool {
    without_mark(text).trim_start().starts_with('{')
}

/// Reads the text of the file at `path`.
///
/// # Errors
/// CKR_FUNCTION_FAILED with one line: no JSON, or a value of the wrong type for a key that is honoured.
pub(super) fn translate(text: &str, path: &Path) -> Result<Translated> {
    let failed = |why: String| Error::with(ck::CKR_FUNCTION_FAILED, format!("configuration {}: {why}", path.display()));
    let root: Value = serde_json::from_str(without_mark(text)).map_err(|error| failed(error.to_string()))?;
    let mut made = Translated::default();
    made.clusters(&root).and_then(|()| made.logging(&root)).and_then(|()| made.rest(&root, "", "")).map_err(failed)?;
    Ok(made)
}

/// Why a value is refused.
type Reason<T = ()> = std::result::Result<T, String>;

impl Translated {
    fn clusters(&mut self, root: &Value) -> Reason {
        let Some(clusters) = member(root, "", "clusters")? else { return Ok(()) };
        let list = clusters.as_array().ok_or_else(|| wrong("clusters", "a list", clusters))?;
        let mut taken = BTreeSet::new();
        for (at, entry) in list.iter().enumerate() {
            let inner = member(entry, "clusters[]", "cluster")?;
            let within = |key| inner.map(|inner| member(inner, "clusters[].cluster", key)).transpose();
            let id = match within("cluster_id")?.flatten() {
                Some(id) => Some((id, "clusters[].cluster.cluster_id")),
                None => member(entry, "clusters[]", "cluster_id")?.map(|id| (id, "clusters[].cluster_id")),
            };
            let id = id.map(|(id, place)| text(id, place)).transpose()?.map(str::to_owned);
            // A member of ours: without it the cluster that is left when an earlier one is taken out of the list would become the
            // other one, with the other one's keys.
            let place = match within("local_hsm")?.flatten() {
                Some(name) => {
                    let name = text(name, "clusters[].cluster.local_hsm")?;
                    number_of(name).ok_or_else(|| {
                        format!("clusters[].cluster.local_hsm is \"{name}\", it must be hsm1 to hsm{MOST}")
                    })?
                }
                None => at,
            };
            if !taken.insert(place) {
                return Err(format!("clusters: two of them are hsm{}; correct their local_hsm", place + 1));
            }
            if self.cluster_ids.len() <= place {
                self.cluster_ids.resize(place + 1, None);
            }
            if let Some(slot) = self.cluster_ids.get_mut(place) {
                *slot = id;
            }
        }
        // A list without a cluster is what AWS's tool has not filled in yet.
        let count = i64::try_from(self.cluster_ids.len().max(1)).map_err(|_| "clusters: too many".to_owned())?;
        self.settings.insert("clusters".to_owned(), toml::Value::Integer(count));
        Ok(())
    }

    fn logging(&mut self, root: &Value) -> Reason {
        let Some(logging) = member(root, "", "logging")? else { return Ok(()) };
        let read = |key: &str| match member(logging, "logging", key)? {
            Some(value) => text(value, &format!("logging.{key}")).map(Some),
            None => Ok(None),
        };
        let to_file = match read("log_type")? {
            None => true,
            Some(kind) if kind.eq_ignore_ascii_case("file") => true,
            Some(kind) if kind.eq_ignore_ascii_case("term") => false,
            Some(kind) => return Err(format!("logging.log_type is \"{kind}\", it must be term or file")),
        };
        if let Some(file) = read("log_file")?.filter(|_| to_file) {
            match unusable_log(Path::new(file)) {
                None => drop(self.settings.insert("log_file".to_owned(), file.into())),
                Some(why) => drop(self.ignored.insert(format!("logging.log_file ({why}; the log goes to stderr)"))),
            }
        }
        if let Some(level) = read("log_level")? {
            let level = level.to_lowercase();
            let ours = match level.as_str() {
                "off" | "error" | "warn" | "info" | "debug" => level,
                "trace" => "debug".to_owned(),
                _ => {
                    return Err(format!(
                        "logging.log_level is \"{level}\", it must be error, warn, info, debug or trace"
                    ));
                }
            };
            self.settings.insert("log_level".to_owned(), ours.into());
        }
        Ok(())
    }

    /// The switches, wherever they stand, because AWS has published the place of one only; and what is ignored.
    fn rest(&mut self, value: &Value, place: &str, key: &str) -> Reason {
        if PLACES.contains(&place) {
            return Ok(());
        }
        if let Some((setting, inverted, lenient)) = switch(key) {
            return match value {
                Value::Bool(given) => {
                    let given = *given != inverted;
                    let present = self.settings.get(setting).and_then(toml::Value::as_bool);
                    self.settings
                        .insert(setting.to_owned(), present.filter(|held| *held == lenient).unwrap_or(given).into());
                    Ok(())
                }
                Value::Null => Ok(()),
                _ => Err(wrong(place, "true or false", value)),
            };
        }
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                    self.rest(value, &place, key)?;
                }
            }
            Value::Array(list) if list.iter().any(Value::is_object) => {
                for value in list {
                    self.rest(value, &format!("{place}[]"), "")?;
                }
            }
            // An empty list of clusters has been read.
            Value::Array(_) if place == "clusters" => {}
            _ => {
                self.ignored.insert(place.to_owned());
            }
        }
        Ok(())
    }
}

/// The setting behind a key, whether the key says the opposite, and the lenient value.
fn switch(key: &str) -> Option<(&'static str, bool, bool)> {
    let (name, inverted) = match key.strip_prefix("disable_") {
        Some(name) => (name, true),
        None => (key.strip_prefix("enable_").unwrap_or(key), false),
    };
    SWITCHES.iter().find(|(known, ..)| *known == name).map(|(_, setting, lenient)| (*setting, inverted, *lenient))
}

/// Why a log cannot be in this file. AWS's default lies in a folder of AWS's package, which need not be here, and one
/// file serves the programs of every account, so neither may keep the library from working.
fn unusable_log(file: &Path) -> Option<&'static str> {
    if !file.parent().is_some_and(Path::is_dir) {
        return Some("there is no such folder");
    }
    let closed = file.exists() && descriptors::open_for_lines(file).is_err();
    closed.then_some("this account cannot write it")
}

/// A member of what must be an object; `null` is as good as none.
fn member<'a>(value: &'a Value, place: &str, key: &str) -> Reason<Option<&'a Value>> {
    let members = value.as_object().ok_or_else(|| wrong(place, "an object", value))?;
    Ok(members.get(key).filter(|value| !value.is_null()))
}

fn text<'a>(value: &'a Value, place: &str) -> Reason<&'a str> {
    value.as_str().ok_or_else(|| wrong(place, "a text", value))
}

/// The words for a value of the wrong type; the value itself is not shown, because nobody knows what it is.
fn wrong(place: &str, wanted: &str, value: &Value) -> String {
    let got = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("{place} is {got}, it must be {wanted}")
}

/// Editors of one system put a byte order mark in front.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn translated(text: &str) -> Reason<Translated> {
        assert!(is_json(text), "{text}");
        translate(text, Path::new("a.cfg")).map_err(|error| error.message().to_owned())
    }

    /// A file as scripts in public write it.
    #[test]
    fn a_file_as_it_is_in_the_field() {
        let made = translated(
            r#"{ "clusters": [ { "type": "hsm1", "cluster": {
                    "hsm_ca_file": "/opt/cloudhsm/etc/customerCA.crt", "cluster_id": "cluster-abc",
                    "servers": [ { "hostname": "10.0.0.5", "port": 2223, "enable": true } ],
                    "options": { "disable_key_availability_check": true } } } ],
                "logging": { "log_type": "file", "log_file": "/var/log/hsm.log", "log_level": "Trace",
                    "log_interval": "daily" } }"#,
        )
        .unwrap();
        let expected: toml::Table = "clusters = 1\nlog_file = \"/var/log/hsm.log\"\nlog_level = \"debug\"\n\
                                     key_availability_check = false\n"
            .parse()
            .unwrap();
        assert_eq!(made.settings, expected);
        assert_eq!(made.cluster_ids, [Some("cluster-abc".to_owned())]);
        let ignored: Vec<&str> = made.ignored.iter().map(String::as_str).collect();
        assert_eq!(
            ignored,
            [
                "clusters[].cluster.hsm_ca_file",
                "clusters[].cluster.servers[].enable",
                "clusters[].cluster.servers[].hostname",
                "clusters[].cluster.servers[].port",
                "clusters[].type",
                "logging.log_interval",
            ]
        );
    }

    #[test]
    fn switches_in_every_spelling() {
        for (text, setting, value) in [
            (r#"{"options": {"enable_certificate_storage": true}}"#, "certificate_storage", true),
            (r#"{"disable_certificate_storage": true}"#, "certificate_storage", false),
            (r#"{"enable_ecdsa_with_weak_hash_function": true}"#, "ecdsa_with_weak_hash", true),
            (r#"{"clusters": [{"options": {"ecdsa_with_weak_hash": false}}]}"#, "ecdsa_with_weak_hash", false),
            (r#"{"enable_ecdh_without_kdf": true}"#, "ecdh_without_kdf", true),
            (r#"{"disable_key_availability_check": false}"#, "key_availability_check", true),
            // Two clusters, one value: the one that refuses less.
            (r#"[{"disable_key_availability_check": V}, {"disable_key_availability_check": W}]"#, "", false),
        ] {
            for pair in [("true", "false"), ("false", "true")] {
                let (text, setting) = match setting {
                    "" => {
                        let list = text.replace('V', pair.0).replace('W', pair.1);
                        (format!("{{\"clusters\": {list}}}"), "key_availability_check")
                    }
                    setting => (text.to_owned(), setting),
                };
                assert_eq!(translated(&text).unwrap().settings.get(setting), Some(&value.into()), "{text}");
            }
        }
    }

    #[test]
    fn nothing_in_it_sets_nothing() {
        for text in
            ["{}", "\u{feff} {}", r#"{"logging": null, "clusters": null}"#, r#"{"logging": {"log_type": null}}"#]
        {
            assert_eq!(translated(text).unwrap().settings, toml::Table::new(), "{text}");
        }
        let empty = translated(r#"{"clusters": []}"#).unwrap();
        assert_eq!(empty.settings.get("clusters"), Some(&1.into()));
        assert!(empty.ignored.is_empty() && empty.cluster_ids.is_empty());
        let term = translated(r#"{"logging": {"log_type": "term", "log_file": "/x"}}"#).unwrap();
        assert!(!term.settings.contains_key("log_file"));
    }

    /// A cluster keeps its HSM when another is taken out of the list.
    #[test]
    fn a_cluster_may_name_its_hsm() {
        let made = translated(
            r#"{"clusters": [{"cluster": {"cluster_id": "b", "local_hsm": "hsm3"}}, {"cluster": {"cluster_id": "a"}}]}"#,
        )
        .unwrap();
        assert_eq!(made.cluster_ids, [None, Some("a".to_owned()), Some("b".to_owned())]);
        assert_eq!(made.settings.get("clusters"), Some(&3.into()));
        assert!(made.ignored.is_empty());
    }

    #[test]
    fn a_wrong_type_is_one_line_with_path_and_reason() {
        for (text, words) in [
            ("{", "line 1"),
            ("{} {}", "line 1"),
            (r#"{"clusters": 3}"#, "clusters is a number, it must be a list"),
            (r#"{"clusters": ["x"]}"#, "clusters[] is a text, it must be an object"),
            (r#"{"clusters": [{"cluster": []}]}"#, "clusters[].cluster is a list"),
            (r#"{"clusters": [{"cluster": {"cluster_id": 1}}]}"#, "clusters[].cluster.cluster_id is a number"),
            (r#"{"clusters": [{"cluster": {"local_hsm": "hsm9"}}]}"#, "hsm9"),
            (r#"{"clusters": [{"cluster": {"local_hsm": "hsm2"}}, {}]}"#, "two of them are hsm2"),
            (r#"{"logging": []}"#, "logging is a list, it must be an object"),
            (r#"{"logging": {"log_file": true}}"#, "logging.log_file is true or false, it must be a text"),
            (r#"{"logging": {"log_type": "syslog"}}"#, "syslog"),
            (r#"{"logging": {"log_level": "loud"}}"#, "loud"),
            (
                r#"{"clusters": [{"cluster": {"options": {"disable_key_availability_check": "true"}}}]}"#,
                "clusters[].cluster.options.disable_key_availability_check is a text, it must be true or false",
            ),
        ] {
            let error = translated(text).err().unwrap();
            assert!(error.starts_with("configuration a.cfg: ") && error.contains(words), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
