//! What becomes of the file's JSON: members that are set, a cluster more, a cluster less.
//!
//! The library has read the file before, so that what is here is of the types that it should be; where it is not after all,
//! the answer is an error and not a repair.

use hsm::config::Config;
use serde_json::{Map, Value, json};

use crate::Reason;
use crate::setting::{self, Place, Setting};

type Object = Map<String, Value>;

/// What AWS's package has in the place of an address that nobody has given yet. AWS's programs refuse it; there is no
/// address to be wrong here.
const PLACEHOLDER: &str = "%%HSM_IP_ADDRESS%%";

/// A file that has not been configured. How to log is left to the settings of the library.
pub(crate) fn fresh() -> Object {
    let mut root = Object::new();
    root.insert("clusters".to_owned(), json!([fresh_cluster()]));
    root
}

fn fresh_cluster() -> Value {
    json!({
        "type": "hsm1",
        "cluster": {
            "hsm_ca_file": "/opt/cloudhsm/etc/customerCA.crt",
            "servers": setting::servers(&[PLACEHOLDER.to_owned()]),
        },
    })
}

/// The plain form: settings of the one cluster, and of the log.
pub(crate) fn apply(root: &mut Object, settings: &[Setting], tool: &str) -> Reason {
    if clusters(root)?.len() > 1 {
        return Err(format!(
            "several clusters are configured, and `{tool}` without add-cluster or remove-cluster is for one; \
             remove the others, set this and add them again"
        ));
    }
    for setting in settings {
        if setting.place == Place::Logging {
            member(root, "logging")?.insert(setting.key.to_owned(), setting.value.clone());
            continue;
        }
        let list = clusters(root)?;
        if list.is_empty() {
            list.push(fresh_cluster());
        }
        let entry = list.first_mut().and_then(Value::as_object_mut).ok_or(NO_OBJECT)?;
        set(entry, setting)?;
    }
    Ok(())
}

/// `add-cluster`; the name of the HSM that it is.
pub(crate) fn add(root: &mut Object, id: &str, settings: &[Setting]) -> Reason<&'static str> {
    let list = clusters(root)?;
    if list.iter().any(|entry| id_of(entry) == Some(id)) {
        return Err(format!("cluster {id} is configured already"));
    }
    let taken: Vec<usize> = list.iter().enumerate().map(|(at, entry)| place_of(at, entry)).collect();
    let unused = list.iter().position(is_unused);
    let at = unused.unwrap_or(list.len());
    let place = match unused {
        Some(at) => taken.get(at).copied().unwrap_or(at),
        None if !taken.contains(&at) => at,
        None => (0..).find(|free| !taken.contains(free)).unwrap_or(at),
    };
    let names = Config::cluster_names();
    let name = names.get(place).ok_or_else(|| format!("there are {} clusters already", names.len()))?;
    if unused.is_none() {
        list.push(fresh_cluster());
    }
    let entry = list.get_mut(at).and_then(Value::as_object_mut).ok_or(NO_OBJECT)?;
    set(entry, &setting::CLUSTER_ID.set(id))?;
    if place != at {
        member(entry, "cluster")?.insert("local_hsm".to_owned(), Value::from(*name));
    }
    settings.iter().try_for_each(|setting| set(entry, setting))?;
    Ok(name)
}

/// `remove-cluster`; the name of the HSM that it was. Those behind it keep theirs.
pub(crate) fn remove(root: &mut Object, id: &str) -> Reason<&'static str> {
    let list = clusters(root)?;
    let gone = list
        .iter()
        .position(|entry| id_of(entry) == Some(id))
        .ok_or_else(|| format!("cluster {id} is not configured"))?;
    for (at, entry) in list.iter_mut().enumerate().skip(gone + 1) {
        let name = *Config::cluster_names().get(place_of(at, entry)).ok_or("there are too many clusters")?;
        member(entry.as_object_mut().ok_or(NO_OBJECT)?, "cluster")?.insert("local_hsm".to_owned(), Value::from(name));
    }
    let place = place_of(gone, &list.remove(gone));
    Config::cluster_names().get(place).copied().ok_or_else(|| "there are too many clusters".to_owned())
}

fn set(entry: &mut Object, setting: &Setting) -> Reason {
    let cluster = member(entry, "cluster")?;
    let place = match setting.place {
        Place::Cluster => cluster,
        Place::Options => member(cluster, "options")?,
        Place::Logging | Place::Nowhere => return Ok(()),
    };
    place.insert(setting.key.to_owned(), setting.value.clone());
    Ok(())
}

fn clusters(root: &mut Object) -> Reason<&mut Vec<Value>> {
    let clusters = root.entry("clusters").or_insert(Value::Null);
    if clusters.is_null() {
        *clusters = json!([]);
    }
    clusters.as_array_mut().ok_or_else(|| "clusters is no list".to_owned())
}

/// A member that is an object, made if it is not there; `null` is as good as none.
fn member<'a>(object: &'a mut Object, key: &str) -> Reason<&'a mut Object> {
    let value = object.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut().ok_or_else(|| format!("{key} is no object"))
}

fn of_cluster<'a>(entry: &'a Value, key: &str) -> Option<&'a Value> {
    entry.get("cluster")?.get(key)
}

fn id_of(entry: &Value) -> Option<&str> {
    of_cluster(entry, "cluster_id").or_else(|| entry.get("cluster_id")).and_then(Value::as_str)
}

/// Which HSM the entry is, from 0: the one that it names, else that of its place in the list.
fn place_of(at: usize, entry: &Value) -> usize {
    let named = of_cluster(entry, "local_hsm").and_then(Value::as_str);
    named.and_then(|named| Config::cluster_names().iter().position(|name| *name == named)).unwrap_or(at)
}

/// Whether an entry is as the package has it: no cluster at all yet.
fn is_unused(entry: &Value) -> bool {
    let servers = of_cluster(entry, "servers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    id_of(entry).is_none()
        && servers.iter().all(|server| server.get("hostname").is_some_and(|name| name == PLACEHOLDER))
}

const NO_OBJECT: &str = "an entry of clusters is no object";
