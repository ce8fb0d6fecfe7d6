//! docs/protection.md, read strictly: each protection of a key crossed with each way in which an object comes from it.
//!
//! What the page expects is AWS's tables (pkcs11-attributes-interpreting, modify-attr, trusted keys), PKCS#11 3.2 (sections 4.4 to 4.10,
//! 5.7.2, 5.18, 6.3.20, 6.42), and the rule that mark P of docs/attacks.md promises: no way to something weaker.

use crate::support::*;

const TEXT: &str = include_str!("../../docs/protection.md");
const ZERO_PAD: CK_MECHANISM_TYPE = vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD;
const WAYS: [&str; 6] = ["change", "copy", "unwrap", "unwrap, trusted", "derive", "agree"];

#[test]
fn cloudhsm() {
    isolated(|| run("cloudhsm"));
}

#[test]
fn standard() {
    isolated_standard(|| run("standard"));
}

/// A row: a protection, how it is given to a key, and what would be weaker.
struct Protection {
    name: &'static str,
    trusted: bool,
    given: Template,
    weaker: Template,
}

fn protection(name: &'static str) -> Protection {
    let new = Template::new;
    let nested = |id, on: bool| new().nested(id, new().flag(CKA_EXTRACTABLE, on));
    let decrypts = || new().on(&[CKA_DECRYPT]);
    let (given, weaker) = match name.trim_end_matches(" of a trusted key") {
        "PRIVATE" => (new().on(&[CKA_PRIVATE]), new().off(&[CKA_PRIVATE])),
        "SENSITIVE" => (new().on(&[CKA_SENSITIVE]), new().off(&[CKA_SENSITIVE])),
        "not EXTRACTABLE" => (new().off(&[CKA_EXTRACTABLE]), new().on(&[CKA_EXTRACTABLE])),
        "WRAP_WITH_TRUSTED" => (new().on(&[CKA_WRAP_WITH_TRUSTED]), new().off(&[CKA_WRAP_WITH_TRUSTED])),
        "not TRUSTED" => (new(), new().on(&[CKA_TRUSTED])),
        "uses" => (new().off(&[CKA_DECRYPT]), decrypts()),
        "UNWRAP_TEMPLATE" => (nested(CKA_UNWRAP_TEMPLATE, false), nested(CKA_UNWRAP_TEMPLATE, true)),
        "DERIVE_TEMPLATE" => (nested(CKA_DERIVE_TEMPLATE, false), nested(CKA_DERIVE_TEMPLATE, true)),
        "not MODIFIABLE" => (new().off(&[CKA_MODIFIABLE]), new().on(&[CKA_MODIFIABLE])),
        "uses of a key that is not MODIFIABLE" => (new().off(&[CKA_MODIFIABLE, CKA_DECRYPT]), decrypts()),
        "not DESTROYABLE" => (new().off(&[CKA_DESTROYABLE]), new().on(&[CKA_DESTROYABLE])),
        "not COPYABLE" => (new().off(&[CKA_COPYABLE]), new().on(&[CKA_COPYABLE])),
        "ALLOWED_MECHANISMS" => (mechanisms(false), mechanisms(true)),
        "END_DATE" => (new().bytes(CKA_END_DATE, b"20300101"), new().bytes(CKA_END_DATE, b"20990101")),
        "not LOCAL" => (new(), new().on(&[CKA_LOCAL])),
        "not NEVER_EXTRACTABLE" => (new(), new().on(&[CKA_NEVER_EXTRACTABLE])),
        _ => panic!("no protection: {name}"),
    };
    Protection { name, trusted: name.ends_with("trusted key"), given, weaker }
}

/// What the other ways need, with CKM_AES_CBC or without it.
fn mechanisms(more: bool) -> Template {
    let kdf = [vendor::CKM_CLOUDHSM_SP800_108_COUNTER_KDF, CKM_ECDH1_DERIVE, ZERO_PAD];
    let list = kdf.into_iter().chain(more.then_some(CKM_AES_CBC));
    Template::new().bytes(CKA_ALLOWED_MECHANISMS, &list.flat_map(CK_ULONG::to_ne_bytes).collect::<Vec<_>>())
}

struct Ground {
    session: Session,
    own: CK_OBJECT_HANDLE,
    names: std::cell::Cell<usize>,
}

fn run(profile: &'static str) {
    let session = hsm();
    let wraps = Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_WRAP, CKA_UNWRAP]);
    let own = session.generate(CKM_AES_KEY_GEN, &wraps).unwrap();
    let ground = Ground { session, own, names: std::cell::Cell::new(0) };
    session.generate(CKM_AES_KEY_GEN, &wraps.label("trusted").on(&[CKA_TOKEN])).unwrap();
    ground.trust("trusted");
    let lines: Vec<&str> = TEXT
        .lines()
        .skip_while(|line| *line != format!("## Profile `{profile}`"))
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(lines.len(), 18, "a row for each protection");
    let mut wrong = Vec::new();
    for line in lines {
        let cells: Vec<&'static str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let row = protection(cells[0]);
        assert_eq!(cells.len(), 1 + WAYS.len(), "{line}");
        for (way, expected) in WAYS.iter().zip(&cells[1..]) {
            if *expected == "-" {
                continue;
            }
            let found = match ground.attempt(&row, way) {
                Ok(()) => "given".to_owned(),
                Err(rv) => format!("{rv:?}").trim_start_matches("CKR_").to_owned(),
            };
            if found != *expected {
                wrong.push(format!("{}, {way}: {found}, in the document: {expected}", row.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{profile}:\n{}", wrong.join("\n"));
}

impl Ground {
    fn name(&self) -> String {
        self.names.set(self.names.get() + 1);
        format!("protected {}", self.names.get())
    }

    /// Lets an officer trust a token key. Session keys go with the login, so the wrapping key is made again.
    fn trust(&self, label: &str) -> CK_OBJECT_HANDLE {
        self.session.logout().unwrap();
        self.session.login_as(CKU_SO, OFFICER).unwrap();
        self.session.set(self.session.labelled(label)[0], &Template::new().on(&[CKA_TRUSTED])).unwrap();
        self.session.logout().unwrap();
        self.session.login(ALICE).unwrap();
        self.session.labelled(label)[0]
    }

    fn own(&self) -> CK_OBJECT_HANDLE {
        if self.session.read(self.own, CKA_CLASS).is_ok() {
            return self.own;
        }
        let wraps = Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_WRAP, CKA_UNWRAP]);
        self.session.generate(CKM_AES_KEY_GEN, &wraps).unwrap()
    }

    /// An AES key, or for an agreement a private one, that is protected so. It may leave and derive as far as that goes.
    fn original(&self, row: &Protection, way: &str) -> CK_OBJECT_HANDLE {
        let session = self.session;
        let sets = |id| row.given.raw().iter().any(|entry| entry.type_ == id);
        let free = [CKA_EXTRACTABLE].into_iter().filter(|id| !sets(*id)).collect::<Vec<_>>();
        let label = self.name();
        if way == "agree" {
            // What an EC key does not have does not protect it.
            let given = row.given.clone().without(CKA_UNWRAP_TEMPLATE).without(CKA_DECRYPT);
            return session.create(&ec_private_value().on(&[CKA_DERIVE]).on(&free).and(&given)).unwrap();
        }
        // A derived key is of another origin than its base, and an imported one has no history that could be asked for.
        let template = plain_aes_value(&[7; 32]).label(&label).on(&[CKA_DERIVE]).on(&free).flag(CKA_TOKEN, row.trusted);
        let key = session.create(&template.and(&row.given)).unwrap_or_else(|rv| panic!("{}: {rv:?}", row.name));
        if row.trusted { self.trust(&label) } else { key }
    }

    /// Asks for something weaker. What is made is destroyed, so that one name is one key.
    fn attempt(&self, row: &Protection, way: &str) -> Answer {
        let session = self.session;
        let original = self.original(row, way);
        let made = match way {
            "change" => {
                session.set(original, &row.weaker)?;
                original
            }
            "copy" => session.copy(original, &row.weaker.clone().label("copy"))?,
            "unwrap" | "unwrap, trusted" => {
                let by = if way == "unwrap" { self.own() } else { session.labelled("trusted")[0] };
                let blob = session.wrap(&mut Mechanism::new(ZERO_PAD), by, original)?;
                let head = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
                session.unwrap(&mut Mechanism::new(ZERO_PAD), by, &blob, &head.and(&row.weaker))?
            }
            _ => {
                let head = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
                let template = head.number(CKA_VALUE_LEN, 32).and(&row.weaker);
                if way == "derive" {
                    let mut kdf = CounterKdf::new(CKM_SHA256_HMAC, b"label");
                    session.derive(&mut kdf.mechanism(), original, &template)?
                } else {
                    let mut point = hex(ec_p256::POINT);
                    let mut parameter = CK_ECDH1_DERIVE_PARAMS {
                        kdf: CKD_NULL,
                        ulSharedDataLen: 0,
                        pSharedData: std::ptr::null_mut(),
                        ulPublicDataLen: point.len() as CK_ULONG,
                        pPublicData: point.as_mut_ptr(),
                    };
                    session.derive(&mut Mechanism::with(CKM_ECDH1_DERIVE, &mut parameter), original, &template)?
                }
            }
        };
        // What was given is there.
        for entry in row.weaker.raw() {
            let name = format!("{}, {way}: {:#x}", row.name, entry.type_);
            if [CKA_UNWRAP_TEMPLATE, CKA_DERIVE_TEMPLATE].contains(&entry.type_) {
                assert_eq!(session.flags_in(made, entry.type_), Ok(flags(&entry)), "{name}");
            } else {
                assert_eq!(session.read(made, entry.type_).as_deref(), Ok(value(&entry)), "{name}");
            }
        }
        Ok(())
    }
}

/// The value of an entry of a template that lives.
fn value(entry: &CK_ATTRIBUTE) -> &[u8] {
    // SAFETY: a template's value and its length.
    unsafe { std::slice::from_raw_parts(entry.pValue.cast(), entry.ulValueLen as usize) }
}

/// The flags of a template in an entry.
fn flags(entry: &CK_ATTRIBUTE) -> Vec<(CK_ATTRIBUTE_TYPE, bool)> {
    let count = entry.ulValueLen as usize / size_of::<CK_ATTRIBUTE>();
    // SAFETY: the entries of a nested template, whose number follows from its length.
    let inner: &[CK_ATTRIBUTE] = unsafe { std::slice::from_raw_parts(entry.pValue.cast(), count) };
    inner.iter().map(|flag| (flag.type_, value(flag) == [1])).collect()
}

/// PKCS#11 3.2 section 6.42, "Key Derivation Attribute Rules": what the template does not say of SENSITIVE and EXTRACTABLE is the base
/// key's. AWS's table has SENSITIVE true whatever is said, and EXTRACTABLE true by default, which ours is only if the base key's is.
#[test]
fn what_is_derived_silently() {
    isolated_standard(|| silently(false));
}

#[test]
fn what_is_derived_silently_in_cloudhsm() {
    isolated(|| silently(true));
}

fn silently(always_sensitive: bool) {
    let session = hsm();
    for (sensitive, extractable) in [(true, true), (true, false), (false, true), (false, false)] {
        let base = plain_aes_value(&[7; 32]).flag(CKA_SENSITIVE, sensitive).flag(CKA_EXTRACTABLE, extractable);
        let base = session.create(&base.on(&[CKA_DERIVE])).unwrap();
        let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
        let mut kdf = CounterKdf::new(CKM_SHA256_HMAC, b"label");
        let derived = session.derive(&mut kdf.mechanism(), base, &template.number(CKA_VALUE_LEN, 32)).unwrap();
        assert_eq!(session.flag(derived, CKA_SENSITIVE), Ok(sensitive || always_sensitive));
        assert_eq!(session.flag(derived, CKA_EXTRACTABLE), Ok(extractable));
    }
}

/// In secure mode no template makes a derived key weaker than its base key, which stays.
#[test]
fn what_is_derived_in_secure_mode() {
    isolated_with("standard", &[("CLOUDHSM_PKCS11_SECURE", "true")], || {
        let session = hsm();
        let base = Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_DERIVE, CKA_SENSITIVE]);
        let base = session.generate(CKM_AES_KEY_GEN, &base).unwrap();
        let template = Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES);
        let template = template.number(CKA_VALUE_LEN, 32);
        let mut kdf = CounterKdf::new(CKM_SHA256_HMAC, b"label");
        for weaker in [template.clone().on(&[CKA_EXTRACTABLE]), template.clone().off(&[CKA_SENSITIVE])] {
            assert_eq!(session.derive(&mut kdf.mechanism(), base, &weaker), code(CKR_TEMPLATE_INCONSISTENT));
        }
        let derived = session.derive(&mut kdf.mechanism(), base, &template).unwrap();
        assert_eq!(session.flag(derived, CKA_EXTRACTABLE), Ok(false));
    });
}
