//! The inner parts of the path of a call, each alone: what a change to one of them gains or loses, before a whole call shows it.
//!
//! `cargo bench -p cloudhsm-bench`; `-- NAME` takes a part of them. The figures are of one machine at one time: compare with
//! `--save-baseline` and `--baseline`, and quote ratios.

#![allow(missing_docs, reason = "made by Criterion's macros")]

use std::error::Error;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::ck::*;
use base::exchange::Exchange;
use base::secret::{Key, Secret};
use criterion::{Criterion, criterion_group, criterion_main};
use crypto::digest::Hash;
use crypto::gcm::GcmKey;
use crypto::hmac::HmacKey;
use crypto::{random, seal};
use hsm::config::{Config, Settings};
use hsm::inside;
use hsm::mechanism::{Parameter, Use};
use hsm::module::{Login, Module, Role, Sharing};
use hsm::object::rules::{Making, kind};
use hsm::object::{Object, Template, create, find};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// An HSM with a crypto user who is logged in.
struct Ground {
    module: Module,
    user: Login,
    _home: Home,
}

/// A folder that goes when the measurement is over.
struct Home(PathBuf);

impl Drop for Home {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

const USER: &[u8] = b"ann:anns-password";

fn open(home: &Path) -> Outcome<Module> {
    let config = Config {
        home: home.to_owned(),
        file: PathBuf::new(),
        settings: Settings::default(),
        cluster_ids: Vec::new(),
        remarks: Vec::new(),
    };
    Ok(Module::open(&config, "hsm1")?)
}

fn ground() -> Outcome<Ground> {
    let home = Home(std::env::temp_dir().join(format!("hot-paths-{}", std::process::id())));
    std::fs::create_dir(&home.0)?;
    let module = open(&home.0)?;
    module.activate(&Secret::copy(b"officer-password"), None)?;
    let officer = module.login(Role::CryptoOfficer, b"admin:officer-password")?;
    module.create_user(&officer, "ann", Role::CryptoUser, &Secret::copy(b"anns-password"), false)?;
    let user = module.login(Role::CryptoUser, USER)?;
    Ok(Ground { module, user, _home: home })
}

fn template(token: u8) -> Outcome<Template> {
    let length = 32_u64.to_ne_bytes();
    Ok(Template::of(&[
        (CKA_TOKEN, &[token]),
        (CKA_ENCRYPT, &[1]),
        (CKA_DECRYPT, &[1]),
        (CKA_EXTRACTABLE, &[0]),
        (CKA_VALUE_LEN, &length),
        (CKA_LABEL, b"a key"),
        (CKA_ID, &[1, 2]),
    ])?)
}

fn key(ground: &Ground, token: u8) -> Outcome<Arc<Object>> {
    let generator = ground.module.generator(Use::Generate, CKM_AES_KEY_GEN, |_| Ok(Parameter::None))?;
    Ok(ground.module.generate_key(&ground.user, generator, &template(token)?, &Sharing::default())?)
}

fn objects(criterion: &mut Criterion, ground: &Ground) -> Outcome<()> {
    let object = key(ground, 1)?;
    let regime = ground.module.regime();
    criterion.bench_function("three attributes", |bencher| {
        bencher.iter(|| {
            [CKA_LABEL, CKA_KEY_TYPE, CKA_ID].map(|id| black_box(&object).attributes.get(id).map(<[u8]>::len))
        });
    });
    criterion.bench_function("template of seven values", |bencher| bencher.iter(|| template(0).is_ok()));
    let given = template(0)?;
    let aes = kind(CKO_SECRET_KEY, CKK_AES).ok_or("no rules for AES keys")?;
    criterion.bench_function("attributes of a new AES key", |bencher| {
        bencher.iter(|| {
            create::draft(aes, Making::Generate, black_box(&given), regime).map(|draft| draft.finish()).is_ok()
        });
    });
    let wanted = Template::of(&[(CKA_CLASS, &CKO_SECRET_KEY.to_ne_bytes()), (CKA_LABEL, b"a key")])?;
    criterion.bench_function("match a search", |bencher| {
        bencher.iter(|| find::matches(&object, black_box(&wanted), regime))
    });
    let encoded = inside::encode_record(&object);
    criterion.bench_function("encode a record", |bencher| {
        bencher.iter(|| inside::encode_record(black_box(&object)).len());
    });
    criterion.bench_function("decode a record", |bencher| {
        bencher.iter(|| inside::decode_record(black_box(encoded.expose())).is_ok())
    });
    criterion.bench_function("make and forget a session key", |bencher| bencher.iter(|| key(ground, 0).is_ok()));
    Ok(())
}

fn module(criterion: &mut Criterion, ground: &Ground) -> Outcome<()> {
    let object = key(ground, 1)?;
    let label = Template::of(&[(CKA_LABEL, b"a key")])?;
    criterion.bench_function("find by label, at hand", |bencher| {
        bencher.iter(|| ground.module.find(Some(&ground.user), &label, &|_| Some(Arc::clone(&object))).is_ok());
    });
    criterion.bench_function("find by label, from the store", |bencher| {
        bencher.iter(|| ground.module.find(Some(&ground.user), &label, &|_| None).is_ok());
    });
    criterion
        .bench_function("log in again", |bencher| bencher.iter(|| ground.module.login(Role::CryptoUser, USER).is_ok()));
    Ok(())
}

fn cryptography(criterion: &mut Criterion) -> Outcome<()> {
    let (secret, data) = ([7; 32], [1; 64]);
    let (mut out, mut few) = ([0; 96], [0; 32]);
    let hmac = HmacKey::new(Hash::Sha256, &secret);
    criterion
        .bench_function("HMAC-SHA256 of 64 bytes", |bencher| bencher.iter(|| hmac.sign(black_box(&data), &mut out)));
    let gcm = GcmKey::new(&secret)?;
    criterion.bench_function("AES-GCM of 64 bytes", |bencher| {
        bencher.iter(|| {
            gcm.seal(&[0; 12], &[], 16, Exchange::Apart { input: black_box(&data), output: &mut out }).is_ok()
        });
    });
    let key = Key::from_slice(&secret).ok_or("a key of 32 bytes")?;
    let plain = [3; 400];
    let sealed = seal::seal(&key, b"place", &plain)?;
    criterion.bench_function("seal a record", |bencher| {
        bencher.iter(|| seal::seal(&key, b"place", black_box(&plain)).is_ok())
    });
    criterion.bench_function("open a record", |bencher| {
        bencher.iter(|| seal::open(&key, b"place", black_box(&sealed)).is_ok())
    });
    criterion
        .bench_function("32 random bytes from the pool", |bencher| bencher.iter(|| random::serve(&mut few).is_ok()));
    Ok(())
}

fn all(criterion: &mut Criterion) {
    let run = |criterion: &mut Criterion| -> Outcome<()> {
        let ground = ground()?;
        objects(criterion, &ground)?;
        module(criterion, &ground)?;
        cryptography(criterion)
    };
    if let Err(error) = run(criterion) {
        drop(writeln!(std::io::stderr(), "hot_paths: {error}"));
        std::process::exit(1);
    }
}

criterion_group!(benches, all);
criterion_main!(benches);
