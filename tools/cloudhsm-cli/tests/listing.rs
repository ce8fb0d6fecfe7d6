//! Which keys are listed and deleted, for whom: filters, pages, roles, as AWS's User Guide shows it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

mod common;

use common::{ANN, BEN, Home, OFFICER, aes, check_key, ec, keys};
use serde_json::json;

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
    // Three bytes, which may be another key's too.
    let verbose = list(&["--verbose"]);
    let alike = |key: &&serde_json::Value| key["attributes"]["check-value"] == check_value;
    let wanted = verbose["matched_keys"].as_array().unwrap().iter().filter(alike).count() as u64;
    assert!(wanted >= 2);
    assert_eq!(count(&[&format!("attr.check-value={}", check_value.to_uppercase().replace("0X", "0x"))]), wanted);
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
