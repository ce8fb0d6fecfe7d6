//! Quorum tokens: made for one service (and one key) by one user, signed by others, used up by one operation.
//!
//! What is signed is the SHA-256 of the approval data, which name the HSM, the token and what it is for, so that a
//! signature means nothing elsewhere. The HSM keeps every live token, and a token that it does not keep is none: that is
//! how one is used up.

use base::ck;
use base::codec::{MALFORMED, Reader, Writer};
use base::error::{Error, Result};
use base::secret::Secret;
use crypto::digest::Hash;
use crypto::random;
use store::{Durability, Kind, Record, Selection, View};

use super::super::audit::{Ending, Event, Opcode};
use super::super::commit::{Plan, Planned};
use super::super::hierarchy::Tier;
use super::super::ids::fresh_id;
use super::super::policy::{self, Command};
use super::super::{Hsm, Login, Module};
use super::Service;
use super::moment::Moment;
use crate::object::{Object, ObjectId, UserId};

/// How long a token lives, in seconds (User Guide, quorum-auth-chsm-cli).
const LIFETIME: u64 = 600;
/// The most tokens that an HSM keeps (User Guide, quorum-auth-chsm-cli).
const MOST_TOKENS: usize = 1024;

/// What a token file holds.
pub struct QuorumToken {
    /// What names the token and what it is for; no more than 245 bytes.
    pub approval_data: Vec<u8>,
    /// What approvers sign: the SHA-256 of `approval_data`.
    pub digest: [u8; 32],
}

/// One live token, for a listing.
pub struct TokenInformation {
    /// The user who made it.
    pub username: String,
    /// What it is for.
    pub service: Service,
    /// The key that it is for.
    pub key: Option<ObjectId>,
    /// How many approvals its operation needs.
    pub required: u8,
    /// How many the HSM has seen.
    pub approvals: usize,
    /// How long it lives on, in seconds.
    pub seconds_left: u64,
}

/// An approval that the HSM has checked: who, and with which key.
pub(super) struct Approver {
    pub(super) user: UserId,
    pub(super) key: [u8; 32],
}

/// A token as it is kept.
pub(in crate::module) struct Token {
    pub(super) id: u64,
    pub(super) version: u64,
    pub(super) service: Service,
    pub(super) key: Option<ObjectId>,
    pub(super) user: UserId,
    /// The user's PIN when the token was made: a later one ends it, as it ends the login that it belongs to.
    credential: u64,
    made: Moment,
    pub(super) approval_data: Vec<u8>,
    pub(super) approvals: Vec<Approver>,
}

impl Token {
    /// How many milliseconds it lives on; nothing if its time is over.
    fn life_left(&self) -> Option<u64> {
        (LIFETIME * 1000).checked_sub(self.made.age(&Moment::now())?).filter(|left| *left > 0)
    }

    pub(super) fn is_live(&self) -> bool {
        self.life_left().is_some()
    }

    /// Whether it is this login's.
    pub(super) fn is_of(&self, login: &Login) -> bool {
        self.user == login.user && self.credential == login.credential()
    }

    fn encode(&self) -> Secret {
        let mut writer = Writer::new(256);
        writer.byte(1).byte(self.service as u8).long(self.key.map_or(0, |key| key.0));
        writer.long(self.user.0).long(self.credential);
        self.made.encode(&mut writer);
        writer.part(&self.approval_data).number(u32::try_from(self.approvals.len()).unwrap_or(u32::MAX));
        for approver in &self.approvals {
            writer.long(approver.user.0).raw(&approver.key);
        }
        writer.finish_secret()
    }

    fn decode(record: &Record, bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        if reader.byte()? != 1 {
            return Err(MALFORMED);
        }
        let mut token = Self {
            id: record.id,
            version: record.version,
            service: Service::from_code(reader.byte()?).ok_or(MALFORMED)?,
            key: Some(ObjectId(reader.long()?)).filter(|key| key.0 != 0),
            user: UserId(reader.long()?),
            credential: reader.long()?,
            made: Moment::decode(&mut reader)?,
            approval_data: reader.part()?.to_vec(),
            approvals: Vec::new(),
        };
        for _ in 0..reader.number()? {
            token.approvals.push(Approver { user: UserId(reader.long()?), key: reader.array()? });
        }
        reader.end()?;
        Ok(token)
    }

    /// The record that holds it, in the place of version `expected`.
    pub(super) fn put(&self, expected: u64) -> Planned {
        Planned::Put {
            kind: Kind::Quorum,
            id: self.id,
            expected,
            class: 0,
            key_type: 0,
            owner: self.user.0,
            tier: Tier::Public,
            plain: self.encode(),
            tags: None,
        }
    }

    pub(super) const fn delete(&self) -> Planned {
        Planned::Delete { kind: Kind::Quorum, id: self.id, expected: self.version }
    }
}

const MAGIC: &[u8; 8] = b"CHSM-QT1";

/// The approval data of a token.
fn approval_data(store: &[u8; 16], token: &Token, name: &str) -> Result<Vec<u8>> {
    let mut chance = [0; 16];
    random::fill(&mut chance)?;
    let mut writer = Writer::new(128);
    writer.raw(MAGIC).long(token.id).raw(store).byte(token.service as u8).long(token.key.map_or(0, |key| key.0));
    writer.long(token.user.0).part(name.as_bytes()).long(token.made.wall_ms).raw(&chance);
    Ok(writer.finish())
}

/// The number of the token that approval data name, if they are of a form that is known here.
pub(super) fn named_by(approval_data: &[u8]) -> Option<u64> {
    let mut reader = Reader::new(approval_data);
    (reader.array::<8>().ok()? == *MAGIC).then_some(())?;
    reader.long().ok()
}

/// What is signed for approval data.
pub(in crate::module) fn digest(approval_data: &[u8]) -> [u8; 32] {
    Hash::Sha256.value(approval_data).as_slice().first_chunk().copied().unwrap_or_default()
}

impl Module {
    /// Makes a token of the user who is logged in, for a service and, where that is one of keys, a key.
    ///
    /// # Errors
    /// CKR_USER_NOT_LOGGED_IN for a service of the other role; what the policy says of the key; CKR_FUNCTION_FAILED while
    /// the officers' service has a live token, for the service `quorum` while its value is 1, and when the HSM keeps as
    /// many tokens as it can.
    pub fn make_token(&self, login: &Login, service: Service, key: Option<&Object>) -> Result<QuorumToken> {
        login.check()?;
        if !service.is_for(login.role) {
            return Err(Error::with(
                ck::CKR_USER_NOT_LOGGED_IN,
                format!("tokens of the service {} are not for the role {}", service.name(), login.role.name()),
            ));
        }
        let key = match (service, key) {
            (Service::KeyUsage | Service::KeyManagement, Some(key)) => {
                let usage = service == Service::KeyUsage;
                policy::is_for(login, if usage { Command::UseKey } else { Command::ManageKey }, key)?;
                Some(key.id.ok_or(Error::new(ck::CKR_ARGUMENTS_BAD, "a session key has no quorum"))?)
            }
            (Service::KeyUsage | Service::KeyManagement, None) => {
                return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "a token of this service is for a key"));
            }
            _ => None,
        };
        let hsm = self.hsm()?;
        let mut token = Token {
            id: 0,
            version: 0,
            service,
            key,
            user: login.user,
            credential: login.credential(),
            made: Moment::now(),
            approval_data: Vec::new(),
            approvals: Vec::new(),
        };
        hsm.commit(Some(login), Durability::Synced, &mut |view, _| {
            let mut plan = Plan::default();
            let (over, live): (Vec<_>, Vec<_>) = hsm.tokens_in(view)?.into_iter().partition(|token| !token.is_live());
            plan.changes.extend(over.iter().map(Token::delete));
            if live.len() >= MOST_TOKENS {
                return Err(Error::new(ck::CKR_FUNCTION_FAILED, "the HSM keeps as many quorum tokens as it can"));
            }
            let of_officers = !service.is_of_keys() && service != Service::Registration;
            if of_officers && live.iter().any(|other| other.service == service) {
                return Err(Error::new(
                    ck::CKR_FUNCTION_FAILED,
                    "The service has a live token already; use it or delete it (quorum token-sign delete)",
                ));
            }
            if service == Service::Quorum && hsm.cluster_policy_in(view)?.1.value(service) < 2 {
                return Err(Error::new(
                    ck::CKR_FUNCTION_FAILED,
                    "The quorum value of the service quorum is 1, so nothing needs such a token",
                ));
            }
            token.id = fresh_id()?;
            token.approval_data = approval_data(&hsm.public.store, &token, &login.name)?;
            plan.changes.push(token.put(0));
            plan.events.push(Event::by(login, Opcode::GetToken).on(key.map_or(0, |key| key.0)).saying(service.name()));
            Ok(plan)
        })?;
        login.tokens.lock().push(token.id);
        Ok(QuorumToken { digest: digest(&token.approval_data), approval_data: token.approval_data })
    }

    /// Every live token of every user. Needs no login, as on AWS.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn list_tokens(&self) -> Result<Vec<TokenInformation>> {
        let Some(hsm) = self.hsm_if_active()? else { return Ok(Vec::new()) };
        let (_, values) = hsm.cluster_policy_in(&*hsm.store)?;
        let mut listed = Vec::new();
        for token in hsm.tokens_in(&*hsm.store)? {
            let Some(left) = token.life_left() else { continue };
            listed.push(TokenInformation {
                username: hsm.read_user(token.user)?.map_or_else(String::new, |(_, user)| user.name),
                service: token.service,
                key: token.key,
                required: values.value(token.service),
                approvals: token.approvals.len(),
                seconds_left: left.div_ceil(1000),
            });
        }
        Ok(listed)
    }

    /// Deletes the tokens of the officer who is logged in, or of everybody.
    ///
    /// # Errors
    /// What the policy refuses.
    pub fn delete_tokens(&self, login: &Login, of_all: bool) -> Result<()> {
        policy::may(login, Command::DeleteTokens)?;
        self.remove_tokens(login, &mut |token| of_all || token.user == login.user)
    }

    /// Ends a login and the tokens that were made in it.
    ///
    /// # Errors
    /// If the store cannot be written; the login has ended all the same.
    pub fn logout(&self, login: &Login, ending: Ending) -> Result<()> {
        let own = std::mem::take(&mut *login.tokens.lock());
        let removed = if own.is_empty() || login.check().is_err() {
            Ok(())
        } else {
            self.remove_tokens(login, &mut |token| own.contains(&token.id))
        };
        login.end_by(ending);
        removed
    }

    fn remove_tokens(&self, login: &Login, wanted: &mut dyn FnMut(&Token) -> bool) -> Result<()> {
        let hsm = self.hsm()?;
        hsm.commit(Some(login), Durability::Synced, &mut |view, _| {
            let gone: Vec<Token> = hsm.tokens_in(view)?.into_iter().filter(|token| wanted(token)).collect();
            let mut plan = Plan::default();
            for token in &gone {
                plan.changes.push(token.delete());
                let event = Event::by(login, Opcode::DeleteToken).on(token.key.map_or(0, |key| key.0));
                plan.events.push(event.saying(token.service.name()));
            }
            Ok(plan)
        })
    }
}

impl Hsm {
    pub(in crate::module) fn token(&self, record: &Record) -> Result<Token> {
        Token::decode(record, self.public.open(record)?.expose())
    }

    /// A token by its number.
    pub(super) fn token_in(&self, view: &dyn View, id: u64) -> Result<Option<Token>> {
        view.read(Kind::Quorum, id)?.map(|record| self.token(&record)).transpose()
    }

    /// Every token, dead ones included.
    fn tokens_in(&self, view: &dyn View) -> Result<Vec<Token>> {
        view.scan(&Selection::all(Kind::Quorum))?.iter().map(|record| self.token(record)).collect()
    }

    /// What deletes the tokens of a user or for a key that goes.
    pub(in crate::module) fn plan_without_tokens(
        &self,
        view: &dyn View,
        user: Option<UserId>,
        key: Option<ObjectId>,
    ) -> Result<Vec<Planned>> {
        if view.count(Kind::Quorum)? == 0 {
            return Ok(Vec::new());
        }
        let gone = |token: &Token| user == Some(token.user) || (key.is_some() && key == token.key);
        Ok(self.tokens_in(view)?.iter().filter(|token| gone(token)).map(Token::delete).collect())
    }
}
