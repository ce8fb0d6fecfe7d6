//! The audit log: what was changed, by whom and with what outcome, each record chained to the one before.
//!
//! Opcodes and response codes are AWS's (User Guide, cloudhsm-audit-log-reference), so that the log can be printed
//! as AWS prints it.

use super::user::Role;
use super::{Hsm, Login};
use crate::codec::{Reader, Writer};
use crate::error::Result;
use crate::object::{NOBODY, UserId};
use crate::platform::process;
use crate::secret::Secret;
use crate::store::{Kind, Selection};

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(super) enum Opcode {
    InitToken = 0x1,
    CreateUser = 0x3,
    CreateOfficer = 0x4,
    ChangePassword = 0x9,
    Login = 0xd,
    ShareObject = 0x12,
    GenerateKey = 0x17,
    GenerateKeyPair = 0x19,
    UnwrapKey = 0x1b,
    DeleteUser = 0xa1,
    ExtractMaskedObject = 0xf0,
    InsertMaskedObject = 0xf1,
    // AWS names these without a number; the numbers are ours.
    CreateObject = 0x1_0001,
    ModifyObject = 0x1_0002,
    TombstoneObject = 0x1_0003,
    DeriveKey = 0x1_0004,
    SetQuorumValue = 0x1_0005,
    GetToken = 0x1_0006,
    ApproveToken = 0x1_0007,
    DeleteToken = 0x1_0008,
    BackupBegin = 0x1_0009,
    BackupEnd = 0x1_000a,
    RestoreBegin = 0x1_000b,
    RestoreEnd = 0x1_000c,
    // AWS has no public name for these at all; names and numbers are ours.
    ChangeUser = 0x1_0101,
    ChangeTrustAnchors = 0x1_0102,
    UnshareObject = 0x1_0103,
}

/// AWS's response codes.
pub(super) mod response {
    pub(crate) const SUCCESS: u32 = 0;
    pub(crate) const USER_LOGIN_FAILURE: u32 = 163;
}

/// One record to be.
pub(super) struct Event {
    pub(super) opcode: Opcode,
    pub(super) response: u32,
    pub(super) user: UserId,
    pub(super) name: String,
    pub(super) role: Option<Role>,
    /// The secret or private object, then the public one; 0 if there is none.
    pub(super) objects: [u64; 2],
}

/// One record as it was written.
pub struct Entry {
    /// Its place in the log, from 1.
    pub sequence: u64,
    /// Wall clock, in milliseconds since 1970.
    pub time_ms: u64,
    /// AWS's opcode.
    pub opcode: u32,
    /// AWS's response code.
    pub response: u32,
    /// The user's name.
    pub name: String,
    /// Secret or private object, and public object; 0 if there is none.
    pub objects: [u64; 2],
}

impl Event {
    /// A success of the user who is logged in, or of nobody: certificates are stored without a login too.
    pub(super) fn of(login: Option<&Login>, opcode: Opcode, objects: [u64; 2]) -> Self {
        match login {
            Some(login) => Self::by(login, opcode, objects),
            None => {
                Self { opcode, response: response::SUCCESS, user: NOBODY, name: String::new(), role: None, objects }
            }
        }
    }

    /// A success of the user who is logged in.
    pub(super) fn by(login: &Login, opcode: Opcode, objects: [u64; 2]) -> Self {
        Self {
            opcode,
            response: response::SUCCESS,
            user: login.user,
            name: login.name.clone(),
            role: Some(login.role),
            objects,
        }
    }

    /// A success of the user who is logged in, about the user `name`; AWS's records name the user concerned.
    pub(super) fn about(login: &Login, opcode: Opcode, name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::by(login, opcode, [0, 0]) }
    }

    /// The record's bytes; the MAC of the record before is part of them.
    pub(super) fn encode(&self, previous: &[u8; 32]) -> Secret {
        let mut writer = Writer::new(128 + self.name.len());
        writer.raw(previous).long(process::wall_clock_ms()).number(process::pid());
        writer.number(self.opcode as u32).number(self.response).long(self.user.0);
        writer.byte(self.role.map_or(0, Role::code)).part(self.name.as_bytes());
        let [first, second] = self.objects;
        writer.long(first).long(second);
        writer.finish_secret()
    }
}

impl Hsm {
    /// Reads the log from a place on, checking that each record is chained to the one before.
    /// Returns the entries and the first place at which the chain is broken, if any.
    pub(super) fn read_audit(&self) -> Result<(Vec<Entry>, Option<u64>)> {
        const PAGE: usize = 1024;
        let head = super::commit::Head::read(&*self.store, &self.public)?;
        let mut entries = Vec::new();
        let mut mac = [0; 32];
        let mut after = 0;
        loop {
            let selection =
                Selection { kind: Kind::Audit, class: None, key_type: None, tier: None, after, limit: PAGE };
            let page = self.store.scan(&selection)?;
            let last = page.len() < PAGE;
            for record in page {
                let Ok(plain) = self.public.open(&record) else {
                    return Ok((entries, Some(record.id)));
                };
                let mut reader = Reader::new(plain.expose());
                let previous: [u8; 32] = reader.array()?;
                if record.id != after + 1 || previous != mac {
                    return Ok((entries, Some(after + 1)));
                }
                mac = self.public.chain(&mac, record.id, plain.expose());
                after = record.id;
                let time_ms = reader.long()?;
                let _pid = reader.number()?;
                let opcode = reader.number()?;
                let response = reader.number()?;
                let _user = reader.long()?;
                let _role = reader.byte()?;
                let name = reader.text()?.to_owned();
                let objects = [reader.long()?, reader.long()?];
                entries.push(Entry { sequence: record.id, time_ms, opcode, response, name, objects });
            }
            if last {
                break;
            }
        }
        let broken = (after != head.audit_sequence || mac != head.audit_mac).then_some(after + 1);
        Ok((entries, broken))
    }
}
