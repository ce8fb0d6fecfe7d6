//! One record of the store as bytes of a backup.

use std::io::Read;

use base::codec::Writer;
use base::error::Result;
use store::{Kind, MAX_SEALED, MAX_TAGS, Record, Tag};

use super::chunks::{DAMAGED, Opening};

pub(super) fn encode(record: &Record, tags: &[Tag]) -> Vec<u8> {
    let mut writer = Writer::new(64 + 16 * tags.len() + record.sealed.len());
    writer.byte(record.kind as u8).byte(record.tier).long(record.id).long(record.version);
    writer.long(record.class).long(record.key_type).long(record.owner);
    writer.number(u32::try_from(tags.len()).unwrap_or(u32::MAX));
    for tag in tags {
        writer.raw(&tag.0);
    }
    writer.part(&record.sealed);
    writer.finish()
}

pub(super) fn decode(payload: &mut Opening<impl Read>) -> Result<(Record, Vec<Tag>)> {
    let [kind, tier] = payload.array()?;
    let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind).ok_or(DAMAGED)?;
    let mut long = || Ok::<u64, base::error::Error>(u64::from_le_bytes(payload.array()?));
    let (id, version, class, key_type, owner) = (long()?, long()?, long()?, long()?, long()?);
    let mut tags = Vec::new();
    for _ in 0..length(payload, MAX_TAGS)? {
        tags.push(Tag(payload.array()?));
    }
    let mut sealed = vec![0; length(payload, MAX_SEALED)?];
    payload.read(&mut sealed)?;
    Ok((Record { kind, id, version, class, key_type, owner, tier, sealed }, tags))
}

fn length(payload: &mut Opening<impl Read>, most: usize) -> Result<usize> {
    let length = u32::from_le_bytes(payload.array()?) as usize;
    if length > most { Err(DAMAGED) } else { Ok(length) }
}
