//! docs/secure-mode.md, read strictly: which uses one key may have in secure mode, where it comes from, and by which mechanisms.
//!
//! The page argues from the mechanisms' own texts (SP 800-108r1, SP 800-38B, RFC 5649, PKCS#11 3.2 section 6) why the outputs of two
//! uses meet or not; this program tries each of its cells.

use std::collections::BTreeSet;

use crate::support::*;

const TEXT: &str = include_str!("../../docs/secure-mode.md");
const SECURE: &[(&str, &str)] = &[("CLOUDHSM_PKCS11_SECURE", "true")];
/// Numbers of include/cloudhsm_pkcs11_vendor_defs.h.
const CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x1C;
const CKA_CLOUDHSM_PARAMETER_SET: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED | 0x61D;
const CKP_CLOUDHSM_ML_DSA_44: CK_ULONG = 0x8000_0001;
const ZERO_PAD: CK_MECHANISM_TYPE = vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD;
/// The uses that keep something from the caller.
const APART: [&str; 3] = ["WRAP", "UNWRAP", "DERIVE"];

#[test]
fn cloudhsm() {
    isolated_with("cloudhsm", SECURE, || {
        run();
    });
}

#[test]
fn standard() {
    isolated_with("standard", SECURE, || {
        run();
    });
}

/// Every mechanism that secure mode leaves stands in the lines of its use, and those lines name the keys that it works with.
#[test]
fn mechanisms() {
    staged(|stage, test| match stage {
        "" => {
            for profile in ["cloudhsm", "standard"] {
                let home = Folder::new();
                test.must(test.stage(profile, home.path(), profile).envs(SECURE.iter().copied()));
            }
        }
        profile => compare_mechanisms(profile == "standard"),
    });
}

/// The rows of the table with this head.
fn rows(head: &str) -> Vec<Vec<&'static str>> {
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>();
    let lines = TEXT.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows: Vec<_> = lines.take_while(|line| line.starts_with('|')).map(cells).collect();
    assert!(!rows.is_empty(), "no table {head}");
    rows
}

fn words(cell: &'static str) -> Vec<&'static str> {
    cell.split(", ").collect()
}

fn uses_of(keys: &str) -> &'static [&'static str] {
    match keys {
        "AES" | "DES3" => &["SIGN", "VERIFY", "ENCRYPT", "DECRYPT", "WRAP", "UNWRAP", "DERIVE"],
        "generic secret" => &["SIGN", "VERIFY", "DERIVE"],
        "RSA" => &["SIGN", "VERIFY", "ENCRYPT", "DECRYPT", "WRAP", "UNWRAP"],
        "EC" => &["SIGN", "VERIFY", "DERIVE"],
        "Ed25519" | "ML-DSA" => &["SIGN", "VERIFY"],
        _ => panic!("no kind of key: {keys}"),
    }
}

const KEYS: [&str; 7] = ["AES", "DES3", "generic secret", "RSA", "EC", "Ed25519", "ML-DSA"];

fn is_secret(keys: &str) -> bool {
    matches!(keys, "AES" | "DES3" | "generic secret")
}

fn attribute(name: &str) -> CK_ATTRIBUTE_TYPE {
    match name {
        "SIGN" => CKA_SIGN,
        "VERIFY" => CKA_VERIFY,
        "ENCRYPT" => CKA_ENCRYPT,
        "DECRYPT" => CKA_DECRYPT,
        "WRAP" => CKA_WRAP,
        "UNWRAP" => CKA_UNWRAP,
        "DERIVE" => CKA_DERIVE,
        _ => panic!("no use: {name}"),
    }
}

/// Whether the page allows two uses of one key; each pair has one line.
fn together(keys: &str, one: &str, other: &str) -> bool {
    let mut found = Vec::new();
    for row in rows("| keys | one use | another |") {
        let [kinds, left, right, verdict, why] = row[..] else { panic!("{row:?}") };
        let holds = |a: &str, b: &str| words(left).contains(&a) && words(right).contains(&b);
        if words(kinds).contains(&keys) && (holds(one, other) || holds(other, one)) {
            assert!(!why.is_empty(), "a reason for each cell");
            found.push(verdict);
        }
    }
    assert_eq!(found.len(), 1, "{keys}: {one} and {other}");
    found[0] == "allowed"
}

/// Whether the page allows a use to keys of an origin, which is the number of a column; `None` for what does not exist.
fn comes(keys: &str, name: &str, column: usize) -> Option<bool> {
    let of = |row: &Vec<&'static str>| words(row[0]).contains(&keys) && words(row[1]).contains(&name);
    let found: Vec<_> = rows("| keys | use | generated |").into_iter().filter(of).collect();
    assert_eq!(found.len(), 1, "{keys}: {name}");
    match found[0][column] {
        "allowed" => Some(true),
        "refused" => Some(false),
        "-" => None,
        other => panic!("{other}"),
    }
}

fn pairs(keys: &str) -> Vec<(&'static str, &'static str)> {
    let all = uses_of(keys);
    all.iter().enumerate().flat_map(|(at, one)| all[at + 1..].iter().map(|other| (*one, *other))).collect()
}

fn run() {
    let session = hsm();
    let trusted = trusted(session);
    let base = session
        .generate(CKM_GENERIC_SECRET_KEY_GEN, &Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_DERIVE]))
        .unwrap();
    for keys in KEYS {
        for (one, other) in pairs(keys) {
            let allowed = together(keys, one, other);
            judge(session, keys, &[one, other], "generated", allowed, generate(session, keys, &[one, other]));
            if matches!(keys, "Ed25519" | "ML-DSA") {
                continue;
            }
            for (column, origin) in [(3, "imported"), (4, "unwrapped"), (5, "derived")] {
                let each = [one, other].map(|name| comes(keys, name, column));
                let [Some(first), Some(second)] = each else { continue };
                let allowed = allowed && first && second;
                // Two halves of a pair that come in one by one are not told to be one key.
                let (halves, allowed) = match keys {
                    "RSA" | "EC" if of_public(one) != of_public(other) => continue,
                    // A public key is no secret, and does not come wrapped.
                    "RSA" | "EC" if origin == "unwrapped" && of_public(one) => continue,
                    _ => (&[one, other][..], allowed),
                };
                judge(session, keys, halves, origin, allowed, come(session, keys, halves, origin, trusted, base));
            }
        }
        for name in uses_of(keys).iter().filter(|_| !matches!(keys, "Ed25519" | "ML-DSA")) {
            for (column, origin) in [(3, "imported"), (4, "unwrapped"), (5, "derived")] {
                let Some(allowed) = comes(keys, name, column) else { continue };
                if origin == "unwrapped" && !is_secret(keys) && of_public(name) {
                    continue;
                }
                judge(session, keys, &[name], origin, allowed, come(session, keys, &[name], origin, trusted, base));
            }
            assert_eq!(comes(keys, name, 2), Some(true), "what is generated may have each use alone");
        }
    }
}

fn of_public(name: &str) -> bool {
    matches!(name, "VERIFY" | "ENCRYPT" | "WRAP")
}

/// Compares an answer with the page; a key that is made has what was asked for, and nothing that must stand apart.
fn judge(
    session: Session,
    keys: &str,
    uses: &[&str],
    origin: &str,
    allowed: bool,
    made: Answer<Vec<CK_OBJECT_HANDLE>>,
) {
    let expected: Answer = if allowed { Ok(()) } else { code(CKR_TEMPLATE_INCONSISTENT) };
    assert_eq!(made.as_ref().map(drop).map_err(|rv| *rv), expected, "{keys} {origin}: {uses:?}");
    let Ok(made) = made else { return };
    let has = |name: &str| made.iter().any(|key| session.flag(*key, attribute(name)) == Ok(true));
    for name in uses {
        assert!(has(name), "{keys} {origin}: {uses:?} has no {name}");
    }
    for other in uses_of(keys).iter().filter(|other| has(other)) {
        for name in uses.iter().filter(|name| *name != other) {
            assert!(together(keys, name, other), "{keys} {origin}: {uses:?} has {other} too");
        }
    }
    let stays = uses.iter().any(|name| APART.contains(name) && (is_secret(keys) || *name != "DERIVE"));
    for key in made.iter().filter(|_| stays) {
        assert_ne!(session.flag(*key, CKA_EXTRACTABLE), Ok(true), "{keys} {origin}: {uses:?} may leave");
    }
    made.iter().for_each(|key| session.destroy(*key).unwrap());
}

fn with(template: Template, uses: &[&str], mine: impl Fn(&str) -> bool) -> Template {
    uses.iter().filter(|name| mine(name)).fold(template, |template, name| template.flag(attribute(name), true))
}

fn generate(session: Session, keys: &str, uses: &[&str]) -> Answer<Vec<CK_OBJECT_HANDLE>> {
    let secret = |mechanism, template| Ok(vec![session.generate(mechanism, &with(template, uses, |_| true))?]);
    let pair = |mechanism, public: Template, private: Template| {
        let (public, private) = (with(public, uses, of_public), with(private, uses, |name| !of_public(name)));
        session.generate_pair(mechanism, &public, &private).map(|(public, private)| vec![public, private])
    };
    let new = Template::new;
    match keys {
        "AES" => secret(CKM_AES_KEY_GEN, new().number(CKA_VALUE_LEN, 32)),
        "DES3" => secret(CKM_DES3_KEY_GEN, new()),
        "generic secret" => secret(CKM_GENERIC_SECRET_KEY_GEN, new().number(CKA_VALUE_LEN, 32)),
        "RSA" => {
            let public = new().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]);
            pair(CKM_RSA_PKCS_KEY_PAIR_GEN, public, new())
        }
        "EC" => pair(CKM_EC_KEY_PAIR_GEN, new().bytes(CKA_EC_PARAMS, P256), new()),
        "Ed25519" => {
            let curve = || new().bytes(CKA_EC_PARAMS, EDWARDS25519);
            // The standard has a mechanism of its own for these curves, CloudHSM has not.
            match pair(CKM_EC_EDWARDS_KEY_PAIR_GEN, curve(), new()) {
                Err(Rv(CKR_MECHANISM_INVALID)) => pair(CKM_EC_KEY_PAIR_GEN, curve(), new()),
                made => made,
            }
        }
        _ => {
            let set = || new().number(CKA_CLOUDHSM_PARAMETER_SET, CKP_CLOUDHSM_ML_DSA_44);
            pair(CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN, set(), set())
        }
    }
}

/// A key with these uses that was imported, unwrapped or derived.
fn come(
    session: Session,
    keys: &str,
    uses: &[&str],
    origin: &str,
    trusted: CK_OBJECT_HANDLE,
    base: CK_OBJECT_HANDLE,
) -> Answer<Vec<CK_OBJECT_HANDLE>> {
    let public = of_public(uses[0]);
    let value = match keys {
        "AES" => plain_aes_value(&[7; 32]),
        "DES3" => secret(CKK_DES3).bytes(CKA_VALUE, &hex("0123456789abcdef23456789abcdef01456789abcdef0123")),
        "generic secret" => plain_generic_value(&[7; 32]),
        "RSA" if public => rsa_public_value(),
        "RSA" => rsa_private_value(),
        _ if public => ec_public_value(),
        _ => ec_private_value(),
    };
    let (class, key_type) = match keys {
        "AES" => (CKO_SECRET_KEY, CKK_AES),
        "DES3" => (CKO_SECRET_KEY, CKK_DES3),
        "generic secret" => (CKO_SECRET_KEY, CKK_GENERIC_SECRET),
        "RSA" => (CKO_PRIVATE_KEY, CKK_RSA),
        _ => (CKO_PRIVATE_KEY, CKK_EC),
    };
    let head = Template::new().number(CKA_CLASS, class).number(CKA_KEY_TYPE, key_type);
    match origin {
        "imported" => Ok(vec![session.create(&with(value, uses, |_| true))?]),
        "unwrapped" => {
            let payload = session.create(&value.on(&[CKA_EXTRACTABLE])).unwrap();
            // A private key of RSA has 112 bits, which AES-256 carries.
            let wrapped = session.wrap(&mut Mechanism::new(ZERO_PAD), trusted, payload).unwrap();
            session.destroy(payload).unwrap();
            let template = with(head, uses, |_| true);
            Ok(vec![session.unwrap(&mut Mechanism::new(ZERO_PAD), trusted, &wrapped, &template)?])
        }
        _ => {
            let length = if keys == "DES3" { head } else { head.number(CKA_VALUE_LEN, 32) };
            let mut kdf = CounterKdf::new(CKM_SHA256_HMAC, b"label");
            Ok(vec![session.derive(&mut kdf.mechanism(), base, &with(length, uses, |_| true))?])
        }
    }
}

fn secret(key_type: CK_KEY_TYPE) -> Template {
    Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, key_type)
}

/// A key that an officer trusts.
fn trusted(session: Session) -> CK_OBJECT_HANDLE {
    let template = Template::new().number(CKA_VALUE_LEN, 32).label("trusted").on(&[CKA_TOKEN, CKA_WRAP, CKA_UNWRAP]);
    session.generate(CKM_AES_KEY_GEN, &template).unwrap();
    session.logout().unwrap();
    session.login_as(CKU_SO, OFFICER).unwrap();
    session.set(session.labelled("trusted")[0], &Template::new().on(&[CKA_TRUSTED])).unwrap();
    session.logout().unwrap();
    session.login(ALICE).unwrap();
    session.labelled("trusted")[0]
}

/// Whether a name is one that a pattern with a star stands for.
fn matches(pattern: &str, name: &str) -> bool {
    pattern.split_once('*').map_or(pattern == name, |(head, tail)| {
        name.strip_prefix(head).and_then(|rest| rest.strip_suffix(tail)).is_some_and(|middle| !middle.contains("RSA"))
    })
}

/// The page's words for the keys of a mechanism.
fn kinds_of(keys: &hsm::mechanism::Keys) -> BTreeSet<&'static str> {
    // A CloudHSM has Ed25519 keys as CKK_EC, the standard as CKK_EC_EDWARDS: what works with these works with no other curve.
    let edwards = keys.types.contains(&CKK_EC_EDWARDS);
    let word = |key_type: &CK_KEY_TYPE| match *key_type {
        CKK_AES => "AES",
        CKK_DES3 => "DES3",
        CKK_GENERIC_SECRET => "generic secret",
        CKK_RSA => "RSA",
        CKK_EC | CKK_EC_EDWARDS if edwards => "Ed25519",
        CKK_EC => "EC",
        CKK_ML_DSA | vendor::CKK_CLOUDHSM_ML_DSA => "ML-DSA",
        other => panic!("no word for {other:#x}"),
    };
    keys.types.iter().map(word).collect()
}

fn compare_mechanisms(whole: bool) {
    initialize().unwrap();
    let mut count = 0;
    assert_eq!(call!(C_GetMechanismList(SLOT, std::ptr::null_mut(), &raw mut count)), CKR_OK);
    let mut list = vec![0; count as usize];
    assert_eq!(call!(C_GetMechanismList(SLOT, list.as_mut_ptr(), &raw mut count)), CKR_OK);
    let named = rows("| keys | use | mechanisms |");
    let flags = [
        (CKF_SIGN, "SIGN"),
        (CKF_VERIFY, "VERIFY"),
        (CKF_ENCRYPT, "ENCRYPT"),
        (CKF_DECRYPT, "DECRYPT"),
        (CKF_WRAP, "WRAP"),
        (CKF_UNWRAP, "UNWRAP"),
        (CKF_DERIVE, "DERIVE"),
    ];
    for (flag, name) in flags {
        let lines: Vec<_> = named.iter().filter(|row| words(row[1]).contains(&name)).collect();
        let patterns: Vec<_> = lines.iter().flat_map(|row| words(row[2])).collect();
        let mut met: BTreeSet<&str> = BTreeSet::new();
        for mechanism in &list {
            let mut information = CK_MECHANISM_INFO::default();
            assert_eq!(call!(C_GetMechanismInfo(SLOT, *mechanism, &raw mut information)), CKR_OK);
            if information.flags & flag == 0 {
                continue;
            }
            let row = hsm::mechanism::find(*mechanism).expect("a row");
            let known = row.name;
            let found: Vec<_> = patterns.iter().filter(|pattern| matches(pattern, known)).collect();
            assert!(!found.is_empty(), "{known} serves {name} and stands in no line");
            met.extend(found.into_iter().copied());
            let fitting = lines.iter().filter(|line| words(line[2]).iter().any(|pattern| matches(pattern, known)));
            let keys: BTreeSet<&str> = fitting.flat_map(|line| words(line[0])).collect();
            assert_eq!(keys, kinds_of(&row.keys), "{known} for {name}: the column of keys, and the mechanism's");
        }
        // `standard` has every mechanism, so every name is one of its own.
        let unmet: Vec<_> = patterns.iter().filter(|pattern| whole && !met.contains(*pattern)).collect();
        assert!(unmet.is_empty(), "{name}: {unmet:?} are no mechanisms of secure mode");
    }
}
