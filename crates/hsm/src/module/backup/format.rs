//! A backup as a file: a header in clear, the sealed payload, an end mark.
//!
//! ```text
//! "CHSMBKUP" | format | length | header                      in clear, hashed into every chunk
//! root of the public tier | records as they stand in the store    chunks of AES-256-GCM under the backup's own key
//! length of the file | hash of the header                    so that a list of backups sees one that was cut off
//! ```
//!
//! The backup's key is sealed under one that is derived from the data key, and the data key stands in the header once for
//! each officer, wrapped as in that officer's record. So any officer's password opens a backup, and making one needs an
//! officer's login. Officers are found by a salted hash: their names are not in clear.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use base::codec::{Reader, Writer};
use base::error::{Error, Result};
use base::secret::{Key, Secret};
use crypto::digest::Hash;
use crypto::{random, seal};
use platform::files;

use super::chunks::DAMAGED;
use crate::module::hierarchy::DataKeys;
use crate::module::user::{self, Derivation, Role, User};

const MAGIC: &[u8; 8] = b"CHSMBKUP";
/// The format that this library writes, and the only one so far.
const FORMAT: u32 = 1;
/// Magic, format and length of the header.
const PREFIX: usize = 16;
/// Length of the file and hash of the header.
const END: usize = 40;
/// No header is longer; one officer takes some 150 bytes.
const LONGEST_HEADER: usize = 1 << 20;

/// SHA-256 of everything in front of the payload.
type HeaderHash = [u8; 32];

/// What may be told of a backup without any password. It is believed only once a password has opened the payload.
#[derive(Clone, Debug)]
pub struct BackupInformation {
    /// Its name: `backup-` and eleven letters and digits.
    pub id: String,
    /// The folder of the HSM that it was made of.
    pub cluster: String,
    /// That HSM's serial number.
    pub serial: String,
    /// What all copies of one HSM have in common.
    pub lineage: [u8; 16],
    /// Whether the HSM is in FIPS mode.
    pub fips: bool,
    /// Whether the HSM is in secure mode.
    pub secure: bool,
    /// Wall clock of its making, in milliseconds since 1970.
    pub created_ms: u64,
    /// How many records the audit log had by then.
    pub sequence: u64,
    /// How many records it holds.
    pub records: u64,
    /// The length of the file.
    pub size: u64,
}

/// The data key as one officer's password opens it.
pub(super) struct Opener {
    name: [u8; 32],
    salt: [u8; 16],
    derivation: Derivation,
    wrapped: Vec<u8>,
}

/// What stands in clear.
pub(super) struct Header {
    pub(super) information: BackupInformation,
    names_salt: [u8; 16],
    openers: Vec<Opener>,
    sealed_key: Vec<u8>,
}

impl Header {
    /// A header for these officers, and the key of the payload.
    pub(super) fn new(information: BackupInformation, officers: &[User], data: &DataKeys) -> Result<(Self, Key<32>)> {
        let key = Key::made(|bytes| random::fill(bytes))?;
        let mut header = Self { information, names_salt: [0; 16], openers: Vec::new(), sealed_key: Vec::new() };
        random::fill(&mut header.names_salt)?;
        header.sealed_key = seal::seal(&data.derive(PURPOSE)?, &header.binding(), key.expose())?;
        for officer in officers {
            header.openers.push(Opener {
                name: header.hash_of(&officer.name),
                salt: officer.salt,
                derivation: officer.derivation,
                wrapped: officer.wrapped.clone(),
            });
        }
        Ok((header, key))
    }

    /// What the password of the officer `name` opens: the data key, and the key of the payload. An officer who is not
    /// there takes the same time and gets the same answer as a wrong password.
    pub(super) fn unlock(&self, name: &str, password: &Secret) -> Result<Option<(DataKeys, Key<32>)>> {
        let wanted = self.hash_of(name);
        let known = self.openers.iter().find(|opener| opener.name == wanted);
        let Some(opener) = known.or(self.openers.first()) else { return Ok(None) };
        let pin_key = opener.derivation.key(password, &opener.salt)?;
        let binding = user::binding(name, Role::CryptoOfficer);
        let Ok(data) = DataKeys::unwrap(self.information.lineage, &pin_key, &binding, &opener.wrapped) else {
            return Ok(None);
        };
        let key = seal::open(&data.derive(PURPOSE)?, &self.binding(), &self.sealed_key).map_err(|_| DAMAGED)?;
        Ok(Some((data, Key::from_slice(key.expose()).ok_or(DAMAGED)?)))
    }

    fn binding(&self) -> Vec<u8> {
        [b"backup".as_slice(), &self.information.lineage, self.information.id.as_bytes()].concat()
    }

    fn hash_of(&self, name: &str) -> [u8; 32] {
        let text = [b"officer".as_slice(), &self.names_salt, name.as_bytes()].concat();
        Hash::Sha256.value(&text).as_slice().first_chunk().copied().unwrap_or_default()
    }

    /// Everything in front of the payload, and its hash.
    pub(super) fn encode(&self) -> (Vec<u8>, HeaderHash) {
        let told = &self.information;
        let mut header = Writer::new(4096);
        header.part(told.id.as_bytes()).part(told.cluster.as_bytes()).part(told.serial.as_bytes());
        header.raw(&told.lineage).byte(told.fips.into()).byte(told.secure.into());
        header.long(told.created_ms).long(told.sequence).long(told.records);
        header.raw(&self.names_salt).number(u32::try_from(self.openers.len()).unwrap_or(u32::MAX));
        for opener in &self.openers {
            header.raw(&opener.name).raw(&opener.salt);
            opener.derivation.write(&mut header);
            header.part(&opener.wrapped);
        }
        header.part(&self.sealed_key);
        let mut front = Writer::new(4096);
        front.raw(MAGIC).number(FORMAT).part(&header.finish());
        let front = front.finish();
        let hash = hash(&front);
        (front, hash)
    }

    /// Refuses what no HSM writes and what would cost too much. Nothing of a header is trusted before a password has opened the payload,
    /// and what a password costs stands in it.
    fn check(&self) -> Result<()> {
        let told = &self.information;
        let wrapped = self.openers.iter().map(|opener| opener.wrapped.len());
        let longest = [told.id.len(), told.cluster.len(), told.serial.len(), self.sealed_key.len()]
            .into_iter()
            .chain(wrapped)
            .max();
        if longest.is_some_and(|length| length > LONGEST_FIELD) {
            return Err(refused(&format!("a field of its header is longer than {LONGEST_FIELD} bytes")));
        }
        if self.openers.len() > MOST_OFFICERS {
            return Err(refused(&format!("it names {} officers, more than {MOST_OFFICERS}", self.openers.len())));
        }
        self.openers.iter().try_for_each(|opener| opener.derivation.check().map_err(|error| refused(error.message())))
    }

    fn decode(bytes: &[u8], size: u64) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let information = BackupInformation {
            id: reader.text()?.to_owned(),
            cluster: reader.text()?.to_owned(),
            serial: reader.text()?.to_owned(),
            lineage: reader.array()?,
            fips: flag(reader.byte()?)?,
            secure: flag(reader.byte()?)?,
            created_ms: reader.long()?,
            sequence: reader.long()?,
            records: reader.long()?,
            size,
        };
        let mut header = Self { information, names_salt: reader.array()?, openers: Vec::new(), sealed_key: Vec::new() };
        for _ in 0..reader.number()? {
            header.openers.push(Opener {
                name: reader.array()?,
                salt: reader.array()?,
                derivation: Derivation::read(&mut reader)?,
                wrapped: reader.part()?.to_vec(),
            });
        }
        header.sealed_key = reader.part()?.to_vec();
        reader.end()?;
        Ok(header)
    }
}

/// The longest text, and the longest sealed key, in a header: ours are shorter.
const LONGEST_FIELD: usize = 255;
/// The most officers: a CloudHSM holds 1,024 users (User Guide, limits).
const MOST_OFFICERS: usize = 1024;

/// What the backup's key is sealed for.
const PURPOSE: &[u8] = b"backup";

fn flag(byte: u8) -> Result<bool> {
    if byte > 1 { Err(DAMAGED) } else { Ok(byte == 1) }
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Hash::Sha256.value(bytes).as_slice().first_chunk().copied().unwrap_or_default()
}

/// A file that looks like a whole backup, read up to its payload.
pub(super) struct Found {
    pub(super) header: Header,
    pub(super) hash: [u8; 32],
    pub(super) payload: File,
    pub(super) payload_length: u64,
}

impl Found {
    /// Opens a file and reads its header and its end mark.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let place = |error: Error| error.context(path.display());
        let read = |error: std::io::Error| Error::device(format!("{}: cannot be read: {error}", path.display()));
        if !std::fs::metadata(path).map_err(read)?.is_file() {
            return Err(place(NO_BACKUP));
        }
        let mut file = files::open_plain(path).map_err(read)?;
        let status = file.metadata().map_err(read)?;
        let mut front = vec![0; PREFIX];
        file.read_exact(&mut front).map_err(|_| place(NO_BACKUP))?;
        let mut reader = Reader::new(&front);
        if reader.array::<8>()? != *MAGIC {
            return Err(place(NO_BACKUP));
        }
        let format = reader.number()?;
        if format != FORMAT {
            return Err(Error::device(format!(
                "{}: is a backup of format {format}, this library reads format {FORMAT}; use a newer library",
                path.display()
            )));
        }
        let length = reader.number()? as usize;
        let payload_length = status
            .len()
            .checked_sub((PREFIX + length + END) as u64)
            .filter(|_| length <= LONGEST_HEADER)
            .ok_or(DAMAGED)
            .map_err(place)?;
        front.resize(PREFIX + length, 0);
        file.read_exact(front.get_mut(PREFIX..).unwrap_or_default()).map_err(read)?;
        let hash = hash(&front);
        let mut end = [0; END];
        file.seek(SeekFrom::End(-(END as i64))).and_then(|_| file.read_exact(&mut end)).map_err(read)?;
        if end != end_mark(status.len(), &hash) {
            return Err(place(DAMAGED));
        }
        file.seek(SeekFrom::Start((PREFIX + length) as u64)).map_err(read)?;
        let header = Header::decode(front.get(PREFIX..).unwrap_or_default(), status.len())
            .map_err(|_| DAMAGED)
            .and_then(|header| header.check().map(|()| header))
            .map_err(place)?;
        Ok(Self { header, hash, payload: file, payload_length })
    }
}

/// A header that asks for more than any HSM does.
fn refused(why: &str) -> Error {
    Error::device(format!("is no backup that this library takes: {why}; use another backup"))
}

const NO_BACKUP: Error = Error::new(base::ck::CKR_DEVICE_ERROR, "is no backup of an HSM; name the right file");

fn end_mark(length: u64, hash: &[u8; 32]) -> [u8; END] {
    let mut mark = [0; END];
    let (first, second) = mark.split_at_mut(8);
    first.copy_from_slice(&length.to_le_bytes());
    second.copy_from_slice(hash);
    mark
}

/// Writes the end mark after a file that is `length` bytes long without it; returns the length with it.
pub(super) fn finish(out: &mut impl Write, length: u64, hash: &[u8; 32]) -> std::io::Result<u64> {
    let whole = length + END as u64;
    out.write_all(&end_mark(whole, hash))?;
    Ok(whole)
}

/// A new backup's name, of the form of AWS's.
pub(super) fn new_id() -> Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut chance = [0; 11];
    random::fill(&mut chance)?;
    let letters = chance.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32))).map(|byte| char::from(*byte));
    Ok("backup-".chars().chain(letters).collect())
}
