//! Keys: what is printed, filtered, paged and refused, as AWS's User Guide shows it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod common;

use common::{ANN, Answer, BEN, Home, OFFICER, keys};
use serde_json::{Value, json};

const KEY: [&str; 3] = ["key-reference", "key-info", "attributes"];
/// The attributes that every kind of key has first and in this order; generic secrets lack `check-value`.
const COMMON: [&str; 24] = [
    "key-type",
    "label",
    "id",
    "check-value",
    "class",
    "encrypt",
    "decrypt",
    "token",
    "always-sensitive",
    "derive",
    "destroyable",
    "extractable",
    "local",
    "modifiable",
    "never-extractable",
    "private",
    "sensitive",
    "sign",
    "trusted",
    "unwrap",
    "verify",
    "wrap",
    "wrap-with-trusted",
    "key-length-bytes",
];
/// User Guide: attributes that are true of every new key.
const ALWAYS_TRUE: [&str; 6] = ["token", "destroyable", "extractable", "local", "modifiable", "private"];

/// The booleans of a key that are true, apart from those that always are.
fn set(key: &Value) -> Vec<&str> {
    let attributes = key["attributes"].as_object().unwrap();
    for name in ALWAYS_TRUE {
        assert_eq!(attributes[name], json!(true), "{name}");
    }
    let is_set = |(name, value): &(&String, &Value)| **value == json!(true) && !ALWAYS_TRUE.contains(&name.as_str());
    attributes.iter().filter(is_set).map(|(name, _)| name.as_str()).collect()
}

fn check_key(key: &Value, owner: &str) {
    assert_eq!(keys(key), KEY);
    let reference = key["key-reference"].as_str().unwrap();
    let digits = reference.strip_prefix("0x").unwrap();
    assert!(digits.len() == 16 && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{reference}");
    let info = &key["key-info"];
    assert_eq!(keys(info), ["key-owners", "shared-users", "key-quorum-values", "cluster-coverage"]);
    assert_eq!(
        *info,
        json!({
            "key-owners": [ { "username": owner, "key-coverage": "full" } ],
            "shared-users": [],
            "key-quorum-values": { "manage-key-quorum-value": 0, "use-key-quorum-value": 0 },
            "cluster-coverage": "full",
        })
    );
}

fn aes(home: &Home, label: &str, more: &[&str]) -> Answer {
    let mut arguments = vec!["key", "generate-symmetric", "aes", "--label", label, "--key-length-bytes", "32"];
    arguments.extend(more);
    home.run(ANN, &arguments)
}

fn ec(home: &Home, curve: &str, more: &[&str]) -> Answer {
    let mut arguments = vec!["key", "generate-asymmetric-pair", "ec", "--curve", curve];
    arguments.extend(["--public-label", "ec-public", "--private-label", "ec-private"]);
    arguments.extend(more);
    home.run(ANN, &arguments)
}

#[test]
fn symmetric_keys() {
    let home = Home::activated();
    let data = aes(&home, "k1", &[]).data();
    assert_eq!(keys(&data), ["key"]);
    let key = &data["key"];
    check_key(key, "ann");
    assert_eq!(keys(&key["attributes"]), COMMON);
    assert_eq!(set(key), ["always-sensitive", "sensitive", "sign", "verify"]);
    let attributes = &key["attributes"];
    assert_eq!(attributes["key-type"], "aes");
    assert_eq!(attributes["label"], "k1");
    assert_eq!(attributes["id"], "0x");
    assert_eq!(attributes["class"], "secret-key");
    assert_eq!(attributes["key-length-bytes"], json!(32));
    assert_eq!(attributes["check-value"].as_str().unwrap().len(), 8);

    for length in ["1", "800"] {
        let arguments = ["key", "generate-symmetric", "generic-secret", "--label", "g", "--key-length-bytes", length];
        let key = &home.run(ANN, &arguments).data()["key"];
        let without: Vec<&str> = COMMON.into_iter().filter(|name| *name != "check-value").collect();
        assert_eq!(keys(&key["attributes"]), without);
        assert_eq!(set(key), ["always-sensitive", "sensitive", "sign", "verify"]);
        assert_eq!(key["attributes"]["key-type"], "generic-secret");
        assert_eq!(key["attributes"]["key-length-bytes"].to_string(), length);
    }
    for (kind, length) in [("aes", "15"), ("aes", "64"), ("generic-secret", "0"), ("generic-secret", "801")] {
        let arguments = ["key", "generate-symmetric", kind, "--label", "g", "--key-length-bytes", length];
        home.run(ANN, &arguments).failure();
    }
    aes(&home, &"l".repeat(127), &[]).data();
    aes(&home, &"l".repeat(128), &[]).failure();
}

#[test]
fn rsa_pairs() {
    let home = Home::activated();
    let generate = |bits: &str, exponent: &str| {
        let mut arguments = vec!["key", "generate-asymmetric-pair", "rsa", "--modulus-size-bits", bits];
        arguments.extend(["--public-exponent", exponent, "--public-label", "r1", "--private-label", "r2"]);
        arguments.extend(["--public-attributes", "verify=true", "wrap=true", "--private-attributes", "sign=true"]);
        home.run(ANN, &arguments)
    };
    let data = generate("2048", "65537").data();
    assert_eq!(keys(&data), ["public_key", "private_key"]);
    let more = ["public-exponent", "modulus", "modulus-size-bits"];
    for (half, label, class, flags) in [
        ("public_key", "r1", "public-key", &["verify", "wrap"][..]),
        ("private_key", "r2", "private-key", &["always-sensitive", "sensitive", "sign"]),
    ] {
        let key = &data[half];
        check_key(key, "ann");
        let attributes = &key["attributes"];
        let names: Vec<&str> = COMMON.into_iter().chain(more).collect();
        assert_eq!(keys(attributes), names);
        assert_eq!(set(key), flags);
        assert_eq!((&attributes["label"], &attributes["class"]), (&json!(label), &json!(class)));
        assert_eq!(attributes["public-exponent"], "0x010001");
        assert_eq!(attributes["modulus-size-bits"], json!(2048));
        assert_eq!(attributes["modulus"].as_str().unwrap().len(), 2 + 512);
    }
    let (public, private) = (&data["public_key"]["attributes"], &data["private_key"]["attributes"]);
    for same in ["modulus", "check-value"] {
        assert_eq!(public[same], private[same]);
    }
    assert_eq!(public["key-length-bytes"], json!(512));
    assert!((1216..=1219).contains(&private["key-length-bytes"].as_u64().unwrap()));
    for (bits, exponent) in [("1024", "65537"), ("2050", "65537"), ("4352", "65537"), ("2048", "3"), ("2048", "65536")]
    {
        generate(bits, exponent).failure();
    }
}

#[test]
fn ec_pairs() {
    let home = Home::activated();
    for (curve, shown, public, private) in [
        ("secp224r1", "secp224r1", 57, 122),
        ("prime256v1", "secp256r1", 65, 138),
        ("secp256r1", "secp256r1", 65, 138),
        ("secp256k1", "secp256k1", 65, 135),
        ("secp384r1", "secp384r1", 97, 185),
        ("secp521r1", "secp521r1", 133, 241),
    ] {
        let data = ec(&home, curve, &["--private-attributes", "sign=true", "derive=true"]).data();
        assert_eq!(keys(&data), ["public_key", "private_key"]);
        for (half, length, flags) in [
            ("public_key", public, &[][..]),
            ("private_key", private, &["always-sensitive", "derive", "sensitive", "sign"]),
        ] {
            let key = &data[half];
            check_key(key, "ann");
            let names: Vec<&str> = COMMON.into_iter().chain(["ec-point", "curve"]).collect();
            assert_eq!(keys(&key["attributes"]), names);
            assert_eq!(set(key), flags, "{curve} {half}");
            assert_eq!(key["attributes"]["key-length-bytes"], json!(length), "{curve} {half}");
            assert_eq!(key["attributes"]["curve"], shown);
            let point = key["attributes"]["ec-point"].as_str().unwrap();
            assert!(point.starts_with("0x04") && point.len() == 2 + 2 * public, "{point}");
        }
        assert_eq!(data["public_key"]["attributes"]["ec-point"], data["private_key"]["attributes"]["ec-point"]);
    }
    ec(&home, "ed25519", &[]).failure();
}

#[test]
fn attribute_lists() {
    let home = Home::activated();
    let key =
        aes(&home, "k", &["--attributes", "encrypt=true", "decrypt=true", "sign=false", "id=0x0A0b", "wrap=true"]);
    let key = &key.data()["key"];
    assert_eq!(set(key), ["encrypt", "decrypt", "always-sensitive", "sensitive", "verify", "wrap"]);
    assert_eq!(key["attributes"]["id"], "0x0a0b");
    let key = &aes(&home, "k", &["--attributes", "extractable=false"]).data()["key"];
    assert_eq!(key["attributes"]["never-extractable"], json!(true));
    aes(&home, "k", &["--attributes", "private=true", "class=secret-key", "key-type=aes", "modifiable=true"]).data();

    // The guide's texts.
    let refused = |item: &str| aes(&home, "k", &["--attributes", item]).failure();
    assert_eq!(refused("token=false"), "Token key attribute cannot be supplied via optional attributes");
    assert_eq!(refused("label=x"), "Label key attribute cannot be supplied via optional attributes");
    for (name, value) in [
        ("private", "false"),
        ("trusted", "true"),
        ("local", "false"),
        ("class", "public-key"),
        ("encrypt", "yes"),
        ("sensitive", "false"),
        ("id", "7"),
    ] {
        assert_eq!(
            refused(&format!("{name}={value}")),
            format!("Attribute {name} cannot be set to the value {value} by the user for this operation")
        );
    }
    refused("no-such-attribute=true");
    refused("encrypt");
    refused("attr.encrypt=true");
    for (half, item) in [
        ("--public-attributes", "unwrap=true"),
        ("--private-attributes", "wrap=true"),
        ("--public-attributes", "sign=true"),
    ] {
        ec(&home, "secp256r1", &[half, item]).failure();
    }
    assert_eq!(home.run(ANN, &["key", "list"]).data()["total_key_count"], json!(3));
}

#[test]
fn listing_filters_and_pages() {
    let home = Home::activated();
    assert_eq!(
        home.run(ANN, &["key", "list"]).data(),
        json!({ "matched_keys": [], "total_key_count": 0, "returned_key_count": 0 })
    );
    for label in ["k 1", "k2", "k3"] {
        aes(&home, label, &["--attributes", "id=0x01", "wrap=true"]).data();
    }
    aes(&home, "k3", &[]).data();
    let pair = ec(&home, "secp256r1", &["--private-attributes", "sign=true", "id=0x01"]).data();

    let list = |arguments: &[&str]| home.run(ANN, &[&["key", "list"], arguments].concat()).data();
    let all = list(&[]);
    assert_eq!(keys(&all), ["matched_keys", "total_key_count", "returned_key_count"]);
    assert_eq!((&all["total_key_count"], &all["returned_key_count"]), (&json!(6), &json!(6)));
    assert_eq!(keys(&all["matched_keys"][0]), ["key-reference", "attributes"]);
    assert_eq!(all["matched_keys"][0]["attributes"], json!({ "label": "k 1" }));

    let page = list(&["--max-items", "4"]);
    assert_eq!(keys(&page), ["matched_keys", "total_key_count", "returned_key_count", "next_token"]);
    assert_eq!((&page["returned_key_count"], &page["next_token"]), (&json!(4), &json!("4")));
    let rest = list(&["--max-items", "4", "--starting-token", "4"]);
    assert_eq!(
        (&rest["total_key_count"], &rest["returned_key_count"], rest.get("next_token")),
        (&json!(6), &json!(2), None)
    );
    let both = [page["matched_keys"].as_array().unwrap().as_slice(), rest["matched_keys"].as_array().unwrap()].concat();
    assert_eq!(json!(both), all["matched_keys"]);
    assert_eq!(list(&["--starting-token", "99"])["matched_keys"], json!([]));

    let count = |filter: &[&str]| list(&[&["--filter"], filter].concat())["total_key_count"].as_u64().unwrap();
    for (filter, wanted) in [
        (&["attr.label=k 1"][..], 1),
        (&["attr.label=k3"], 2),
        (&["attr.label=K3"], 0),
        (&["attr.label=k3", "attr.wrap=true"], 1),
        (&["attr.id=0x01"], 4),
        (&["attr.class=secret-key"], 4),
        (&["attr.class=private-key", "attr.key-type=ec", "attr.sign=true"], 1),
        (&["attr.key-type=ec"], 2),
        (&["attr.encrypt=false"], 6),
        (&["attr.curve=secp256r1"], 2),
        (&["attr.key-length-bytes=32"], 4),
        (&["attr.label=k2", "attr.label=k3"], 0),
    ] {
        assert_eq!(count(filter), wanted, "{filter:?}");
    }
    let private = &pair["private_key"];
    let check_value = private["attributes"]["check-value"].as_str().unwrap();
    assert_eq!(count(&[&format!("attr.check-value={}", check_value.to_uppercase().replace("0X", "0x"))]), 2);
    let reference = private["key-reference"].as_str().unwrap();
    let decimal = u64::from_str_radix(reference.strip_prefix("0x").unwrap(), 16).unwrap().to_string();
    for form in [reference, &decimal] {
        let found = list(&["--verbose", "--filter", &format!("key-reference={form}")]);
        assert_eq!(found["matched_keys"], json!([private]));
        assert_eq!(keys(&found["matched_keys"][0]["attributes"]), keys(&private["attributes"]));
    }
    assert_eq!(count(&["key-reference=0x1"]), 0);
    for wrong in ["label=k1", "attr.no-such=1", "key-reference=k1", "attr.sign=yes", "attr.class=key"] {
        home.run(ANN, &["key", "list", "--filter", wrong]).failure();
    }
}

#[test]
fn who_sees_and_deletes_what() {
    let home = Home::activated();
    aes(&home, "secret", &[]).data();
    ec(&home, "secp256r1", &[]).data();
    let labels = |login, more: &[&str]| -> Vec<String> {
        let data = home.run(login, &[&["key", "list"], more].concat()).data();
        let keys = data["matched_keys"].as_array().unwrap();
        let mut labels: Vec<String> =
            keys.iter().map(|key| key["attributes"]["label"].as_str().unwrap().to_owned()).collect();
        labels.sort();
        labels
    };
    // Own keys, and the public keys of all; an admin sees all, and of each the label alone.
    assert_eq!(labels(ANN, &[]), ["ec-private", "ec-public", "secret"]);
    assert_eq!(labels(BEN, &[]), ["ec-public"]);
    assert_eq!(labels(OFFICER, &[]), ["ec-private", "ec-public", "secret"]);
    let listed = home.run(OFFICER, &["key", "list", "-v"]).data();
    assert_eq!(keys(&listed["matched_keys"][0]), ["key-reference", "attributes"]);
    assert_eq!(keys(&listed["matched_keys"][0]["attributes"]), ["label"]);
    let seen = home.run(BEN, &["key", "list", "--verbose"]).data();
    check_key(&seen["matched_keys"][0], "ann");

    let delete = |login, filter: &[&str]| home.run(login, &[&["key", "delete", "--filter"], filter].concat());
    delete(OFFICER, &["attr.label=secret"]).failure();
    delete(BEN, &["attr.label=ec-public"]).failure();
    assert_eq!(
        delete(BEN, &["attr.label=secret"]).failure(),
        "Key selection criteria matched 0 keys. Refine selection criteria to select a single key."
    );
    assert_eq!(
        delete(ANN, &["attr.key-type=ec"]).failure(),
        "Key selection criteria matched 2 keys. Refine selection criteria to select a single key."
    );
    let done = delete(ANN, &["attr.key-type=ec", "attr.class=private-key"]).data();
    assert_eq!(done, json!({ "message": "Key deleted successfully" }));
    assert_eq!(labels(ANN, &[]), ["ec-public", "secret"]);
    aes(&home, "kept", &["--attributes", "destroyable=false"]).data();
    delete(ANN, &["attr.label=kept"]).failure();

    for arguments in [
        &["key", "generate-symmetric", "aes", "--label", "x", "--key-length-bytes", "32"][..],
        &[
            "key",
            "generate-asymmetric-pair",
            "ec",
            "--curve",
            "secp256r1",
            "--public-label",
            "x",
            "--private-label",
            "y",
        ],
    ] {
        home.run(OFFICER, arguments).failure();
    }
    assert_eq!(labels(OFFICER, &[]), ["ec-public", "kept", "secret"]);
}

/// A session key ends with the login, which here is one command long.
#[test]
fn session_keys_are_shown_and_gone() {
    let home = Home::activated();
    let key = &aes(&home, "brief", &["--session"]).data()["key"];
    check_key(key, "ann");
    assert_eq!(key["attributes"]["token"], json!(false));
    let pair = ec(&home, "secp256r1", &["--session"]).data();
    assert_ne!(pair["public_key"]["key-reference"], pair["private_key"]["key-reference"]);
    assert_eq!(home.run(ANN, &["key", "list"]).data()["total_key_count"], json!(0));
}

/// AWS's answers for a key that nobody but its owner is associated with.
#[test]
fn quorum_values_need_users() {
    let home = Home::activated();
    let both = "The manage key and use key quorum values must be set to a value greater than 1";
    for (values, text) in [
        (&["--manage-key-quorum-value", "2"][..], both),
        (&["--manage-key-quorum-value", "0", "--use-key-quorum-value", "0"], both),
        (&["--manage-key-quorum-value", "2", "--use-key-quorum-value", "1"], both),
        (&["--manage-key-quorum-value", "2", "--use-key-quorum-value", "2"], "Invalid quorum value provided."),
    ] {
        assert_eq!(aes(&home, "k", values).failure(), text);
    }
    aes(&home, "k", &["--share-crypto-users", "ben"]).failure();
    assert_eq!(home.run(ANN, &["key", "list"]).data()["total_key_count"], json!(0));
}
