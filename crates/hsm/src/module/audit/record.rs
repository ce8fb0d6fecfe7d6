//! The bytes of an audit record. Each holds the MAC of the one before; the form is the record's class in the store.

use base::codec::{MALFORMED, Reader, Writer};
use base::error::Result;
use base::secret::Secret;
use platform::process;

use super::opcode::{OpcodeRow, opcode};
use super::{Event, Party, UserType};

/// The form that is written. Form 0 had milliseconds, a process for a session, and one user.
pub(in crate::module) const FORM: u64 = 1;

/// One record as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its place in the log, from 0.
    pub sequence: u64,
    /// Wall clock, in microseconds since 1970.
    pub time_us: u64,
    /// How often the machine had been started while the HSM was in use, from 0.
    pub reboot_counter: u32,
    /// The process in the upper half, and the login in it in the lower one.
    pub session: u64,
    /// The opcode, see [`Entry::row`].
    pub opcode: u32,
    /// The response, see [`super::Response::of`].
    pub response: u32,
    /// Who did it.
    pub by: Party,
    /// The user whom it was done to, or whose name came with it, if it is about a user.
    pub about: Option<Party>,
    /// Secret or private object, and public object; 0 if there is none.
    pub objects: [u64; 2],
    /// What else there is to say, for which AWS's form has no place.
    pub detail: String,
}

impl Entry {
    /// The row of its opcode, unless a later version wrote it.
    #[must_use]
    pub fn row(&self) -> Option<&'static OpcodeRow> {
        opcode(self.opcode)
    }

    /// The user that AWS's form names.
    #[must_use]
    pub fn user(&self) -> &Party {
        self.about.as_ref().unwrap_or(&self.by)
    }

    /// What is in a record of this form, and the MAC of the record before.
    pub(super) fn decode(id: u64, form: u64, bytes: &[u8]) -> Result<([u8; 32], Self)> {
        let mut reader = Reader::new(bytes);
        let previous = reader.array()?;
        let entry = match form {
            0 => Self::decode_first_form(id, &mut reader)?,
            FORM => Self {
                sequence: id.saturating_sub(1),
                time_us: reader.long()?,
                reboot_counter: reader.number()?,
                session: reader.long()?,
                opcode: reader.number()?,
                response: reader.number()?,
                by: Party::decode(&mut reader)?,
                about: match reader.byte()? {
                    0 => None,
                    _ => Some(Party::decode(&mut reader)?),
                },
                objects: [reader.long()?, reader.long()?],
                detail: reader.text()?.to_owned(),
            },
            _ => return Err(MALFORMED),
        };
        reader.end()?;
        Ok((previous, entry))
    }

    fn decode_first_form(id: u64, reader: &mut Reader<'_>) -> Result<Self> {
        let time_us = reader.long()?.saturating_mul(1000);
        let session = u64::from(reader.number()?) << 32;
        let (opcode, response) = (reader.number()?, reader.number()?);
        let _user = reader.long()?;
        let kind = UserType::of(reader.byte()?);
        let by = Party { kind, name: reader.text()?.to_owned() };
        let objects = [reader.long()?, reader.long()?];
        let sequence = id.saturating_sub(1);
        let (reboot_counter, about, detail) = (0, None, String::new());
        Ok(Self { sequence, time_us, reboot_counter, session, opcode, response, by, about, objects, detail })
    }
}

impl Party {
    fn encode(&self, writer: &mut Writer) {
        writer.byte(self.kind.map_or(0, |kind| kind as u8)).part(self.name.as_bytes());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self> {
        Ok(Self { kind: UserType::of(reader.byte()?), name: reader.text()?.to_owned() })
    }
}

impl Event {
    /// The record's bytes; the MAC of the record before is part of them.
    pub(in crate::module) fn encode(&self, previous: &[u8; 32], reboot_counter: u32) -> Secret {
        let mut writer = Writer::new(256);
        writer.raw(previous).long(process::wall_clock_us()).number(reboot_counter).long(self.session);
        writer.number(self.opcode.row().number).number(self.response as u32);
        self.by.encode(&mut writer);
        writer.byte(self.about.is_some().into());
        if let Some(about) = &self.about {
            about.encode(&mut writer);
        }
        let [first, second] = self.objects;
        writer.long(first).long(second).part(self.detail.as_bytes());
        writer.finish_secret()
    }
}
