//! Keys: what is printed, filtered, paged and refused, as AWS's User Guide shows it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod common;

use common::{ANN, Home, aes, check_key, ec, keys};
use serde_json::{Value, json};

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
    // Its length by OpenSSL's account: cases/key-generate-asymmetric-pair-rsa.case. 1,219 bytes is what all numbers at their
    // longest take.
    assert!(private["key-length-bytes"].as_u64().unwrap() <= 1219);
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
    assert_eq!(home.run(ANN, &["key", "list"]).data()["total_key_count"], json!(0));
    let two = ["--share-crypto-users", "ben", "--manage-key-quorum-value", "2", "--use-key-quorum-value", "2"];
    let shared = aes(&home, "k", &two).data();
    let values = json!({ "manage-key-quorum-value": 2, "use-key-quorum-value": 2 });
    assert_eq!(shared["key"]["key-info"]["key-quorum-values"], values);
}
