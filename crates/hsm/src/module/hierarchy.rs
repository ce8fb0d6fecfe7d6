//! The key hierarchy: from `device.key` and the PINs to the key of each record.
//!
//! ARCHITECTURE.md has the picture. Two tiers: the public-data keys come from `device.key` alone, the data keys
//! need a user's PIN. A record's own key is derived from its tier, kind, id and version, so no two records and no
//! two versions of one record are sealed under the same key, and a nonce cannot repeat under one.

use std::path::{Path, PathBuf};

use base::codec::Writer;
use base::error::{Error, Result};
use base::secret::{Key, Secret, ct_eq};
use crypto::digest::Hash;
use crypto::hmac::HmacKey;
use crypto::{kdf, random, seal};
use platform::secret_page::SecretSlot;
use store::{Kind, Record, Tag};

/// The tier of a record: which key seals it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Tier {
    /// Readable with `device.key` alone.
    Public = 0,
    /// Readable with a user's PIN.
    Data = 1,
}

/// What identifies one HSM on disk; part of everything that is sealed for it.
pub(super) type StoreId = [u8; 16];

/// A tier's root and what is derived from it.
struct TierKeys {
    /// Lives as long as the HSM is open or the user logged in: in no core dump, no forked child, no swap.
    root: SecretSlot,
    index: HmacKey,
}

impl TierKeys {
    fn new(root: SecretSlot) -> Result<Self> {
        let index = derive(root.expose(), b"index")?;
        Ok(Self { index: HmacKey::new(Hash::Sha256, index.expose()), root })
    }

    fn tag(&self, label: &[u8], value: &[u8]) -> Tag {
        let mut mac = self.index.start();
        mac.update(label);
        mac.update(value);
        let mut out = [0; 64];
        mac.finish(&mut out);
        Tag(out.first_chunk().copied().unwrap_or_default())
    }
}

/// The keys that `device.key` opens.
pub(super) struct PublicKeys {
    pub(super) store: StoreId,
    /// The HSM's folder, for what is said about a record.
    place: PathBuf,
    tier: TierKeys,
    integrity: HmacKey,
    audit: HmacKey,
}

/// The keys that a user's PIN opens.
pub(super) struct DataKeys {
    store: StoreId,
    tier: TierKeys,
}

impl PublicKeys {
    pub(super) fn new(store: StoreId, root: SecretSlot, place: &Path) -> Result<Self> {
        let hmac = |label: &[u8]| -> Result<HmacKey> {
            Ok(HmacKey::new(Hash::Sha256, derive(root.expose(), label)?.expose()))
        };
        Ok(Self {
            store,
            place: place.to_owned(),
            integrity: hmac(b"integrity")?,
            audit: hmac(b"audit")?,
            tier: TierKeys::new(root)?,
        })
    }

    pub(super) fn seal(&self, record: &Record, plain: &Secret) -> Result<Vec<u8>> {
        seal_record(&self.store, self.tier.root.expose(), record, plain)
    }

    pub(super) fn open(&self, record: &Record) -> Result<Secret> {
        open_record(&self.store, self.tier.root.expose(), record).map_err(|error| self.damaged(&error))
    }

    /// The error for a record that is not what was written, with the place and the cure.
    pub(super) fn damaged(&self, error: &Error) -> Error {
        Error::with(error.rv(), format!("{}: is damaged ({error}); run `cloudhsm-cli doctor`", self.place.display()))
    }

    /// The root itself, for what seals it anew.
    pub(super) const fn root(&self) -> &[u8; 32] {
        self.tier.root.expose()
    }

    /// The blind index entry of a value; `label` keeps attributes apart.
    pub(super) fn tag(&self, label: &[u8], value: &[u8]) -> Tag {
        self.tier.tag(label, value)
    }

    /// What one record adds to the integrity sum.
    pub(super) fn weigh(&self, kind: Kind, id: u64, version: u64) -> [u8; 32] {
        let mut message = [0; 17];
        let mut writer = Writer::new(17);
        writer.byte(kind as u8).long(id).long(version);
        message.copy_from_slice(&writer.finish());
        let mut out = [0; 64];
        self.integrity.sign(&message, &mut out);
        out.first_chunk().copied().unwrap_or_default()
    }

    /// What the content of one record adds to the sum that an anchor keeps.
    pub(super) fn weigh_content(&self, record: &Record) -> [u8; 32] {
        let mut place = Writer::new(32);
        place.raw(b"content").byte(record.kind as u8).long(record.id).long(record.version);
        let mut mac = self.integrity.start();
        mac.update(&place.finish());
        mac.update(&record.sealed);
        let mut out = [0; 64];
        mac.finish(&mut out);
        out.first_chunk().copied().unwrap_or_default()
    }

    /// The MAC that chains an audit record to the one before.
    pub(super) fn chain(&self, previous: &[u8; 32], sequence: u64, record: &[u8]) -> [u8; 32] {
        let mut mac = self.audit.start();
        mac.update(previous);
        mac.update(&sequence.to_le_bytes());
        mac.update(record);
        let mut out = [0; 64];
        mac.finish(&mut out);
        out.first_chunk().copied().unwrap_or_default()
    }
}

impl DataKeys {
    /// How long a wrapped data key is.
    pub(super) const WRAPPED: usize = 32 + seal::OVERHEAD;

    pub(super) fn new(store: StoreId, root: SecretSlot) -> Result<Self> {
        Ok(Self { store, tier: TierKeys::new(root)? })
    }

    pub(super) fn seal(&self, record: &Record, plain: &Secret) -> Result<Vec<u8>> {
        seal_record(&self.store, self.tier.root.expose(), record, plain)
    }

    pub(super) fn open(&self, record: &Record) -> Result<Secret> {
        open_record(&self.store, self.tier.root.expose(), record)
    }

    pub(super) fn tag(&self, label: &[u8], value: &[u8]) -> Tag {
        self.tier.tag(label, value)
    }

    /// A key derived from the data key, for one purpose.
    pub(super) fn derive(&self, purpose: &[u8]) -> Result<Key<32>> {
        derive(self.tier.root.expose(), purpose)
    }

    /// Whether both are of one data key: the HSMs are clones of each other.
    pub(super) fn is_of_one_key_with(&self, other: &Self) -> bool {
        ct_eq(self.tier.root.expose(), other.tier.root.expose())
    }

    /// The data key wrapped under a user's PIN key.
    pub(super) fn wrap(&self, pin_key: &Key<32>, binding: &[u8]) -> Result<Vec<u8>> {
        seal::seal(pin_key, binding, self.tier.root.expose())
    }

    /// The data key out of its wrapping; fails when the PIN is wrong.
    pub(super) fn unwrap(store: StoreId, pin_key: &Key<32>, binding: &[u8], wrapped: &[u8]) -> Result<Self> {
        Self::new(store, root_of(&seal::open(pin_key, binding, wrapped)?)?)
    }
}

/// A new random key.
pub(super) fn new_key() -> Result<Key<32>> {
    Key::made(|bytes| random::fill(bytes))
}

/// A new random root of a tier.
pub(super) fn new_root() -> Result<SecretSlot> {
    SecretSlot::new(|bytes| random::fill(bytes))
}

/// The root of a tier, out of its wrapping; of another length, it is none.
pub(super) fn root_of(opened: &Secret) -> Result<SecretSlot> {
    let bytes: &[u8; 32] = opened.expose().try_into().map_err(|_| Error::internal("a root key of another length"))?;
    SecretSlot::new(|slot| {
        slot.copy_from_slice(bytes);
        Ok(())
    })
}

/// A key derived for one purpose.
pub(super) fn derive(root: &[u8; 32], purpose: &[u8]) -> Result<Key<32>> {
    Key::made(|out| kdf::hkdf_sha256(root, b"cloudhsm-pkcs11", purpose, out))
}

fn record_key(root: &[u8; 32], record: &Record) -> Result<Key<32>> {
    let mut writer = Writer::new(24);
    writer.raw(b"record").byte(record.kind as u8).long(record.id).long(record.version);
    derive(root, &writer.finish())
}

/// Everything about a record that stands outside its seal, so that none of it can be changed.
fn binding(store: &StoreId, record: &Record) -> Vec<u8> {
    let mut writer = Writer::new(64);
    writer.raw(store).byte(record.kind as u8).byte(record.tier);
    writer.long(record.id).long(record.version).long(record.class).long(record.key_type).long(record.owner);
    writer.finish()
}

fn seal_record(store: &StoreId, root: &[u8; 32], record: &Record, plain: &Secret) -> Result<Vec<u8>> {
    seal::seal(&record_key(root, record)?, &binding(store, record), plain.expose())
}

fn open_record(store: &StoreId, root: &[u8; 32], record: &Record) -> Result<Secret> {
    seal::open(&record_key(root, record)?, &binding(store, record), &record.sealed)
        .map_err(|error| error.context(format_args!("{:?} record {:#x}", record.kind, record.id)))
}
