//! Sharing: the users who may use a key that is not theirs.
//!
//! A share is a row of its own, found by key and by user, so that a search knows what is shared without opening any key.
//! Sharing and unsharing also give the key a new version: whatever remembers that a user was let in remembers it of the
//! version before, and looks again.

use std::collections::BTreeSet;

use base::ck;
use base::codec::{MALFORMED, Reader, Writer};
use base::error::{Error, Result};
use store::{Durability, Kind, Record, Selection, Tag, View};

use super::audit::{Event, Opcode};
use super::commit::{Plan, Planned};
use super::hierarchy::Tier;
use super::ids::fresh_id;
use super::keys::clone_of;
use super::policy::{self, Command};
use super::quorum::{Actor, KeyQuorum};
use super::user::{Role, normalize_name};
use super::users::NO_SUCH_USER;
use super::{Hsm, Login, Module, admission};
use crate::object::{Object, ObjectId, UserId};

/// Whom a new key is shared with, and how many approvals it will need.
#[derive(Default)]
pub struct Sharing<'a> {
    /// The names of crypto users.
    pub users: &'a [String],
    /// The key's quorum values.
    pub quorum: KeyQuorum,
}

/// Whom a key belongs to.
pub struct Custody {
    /// The owner's name; empty for nobody.
    pub owner: String,
    /// The names of those with whom it is shared, in the order in which it was.
    pub shared: Vec<String>,
    /// The key's quorum values.
    pub quorum: KeyQuorum,
}

impl Module {
    /// Lets another crypto user use a key.
    ///
    /// # Errors
    /// What the policy and the key's quorum refuse; CKR_ARGUMENTS_BAD for a user who does not exist, is no crypto user,
    /// owns the key or shares it already; for a session key and a public one, which all users see.
    pub fn share_key<'a>(&self, actor: impl Into<Actor<'a>>, key: &Object, name: &str, role: Role) -> Result<()> {
        self.change_sharing(actor.into(), key, name, role, true)
    }

    /// Takes a shared key back from a user.
    ///
    /// # Errors
    /// As [`Module::share_key`]; CKR_ARGUMENTS_BAD for a user who does not share the key, and where the key's quorum needs
    /// more users than would be left.
    pub fn unshare_key<'a>(&self, actor: impl Into<Actor<'a>>, key: &Object, name: &str, role: Role) -> Result<()> {
        self.change_sharing(actor.into(), key, name, role, false)
    }

    fn change_sharing(&self, actor: Actor<'_>, key: &Object, name: &str, role: Role, share: bool) -> Result<()> {
        let toll = policy::may_approved(actor, Command::ManageKey, key)?;
        let id = shareable(key)?;
        let name = normalize_name(name)?;
        let hsm = self.hsm()?;
        let mut new = clone_of(key)?;
        hsm.commit(Some(actor.login), Durability::Synced, &mut |view, _| {
            let mut plan = Plan { changes: toll.pay(&hsm, view, actor)?, ..Plan::default() };
            let user = hsm.crypto_user_in(view, &name, role)?;
            let present = hsm.share_in(view, id, user)?;
            let what = match (share, present) {
                (true, None) if user == key.owner => return Err(OWN),
                (true, None) => {
                    plan.changes.push(hsm.put_share(id, user)?);
                    "share"
                }
                (true, Some(_)) => {
                    return Err(Error::with(ck::CKR_ARGUMENTS_BAD, format!("{name} shares the key already")));
                }
                (false, Some(share)) => {
                    let left = hsm.shared_with_in(view, id)?.len();
                    KeyQuorum::of(key).check(left).map_err(|_| TOO_FEW)?;
                    plan.changes.push(share.delete());
                    "unshare"
                }
                (false, None) => {
                    return Err(Error::with(ck::CKR_ARGUMENTS_BAD, format!("The key is not shared with {name}")));
                }
            };
            // The version in the store is the one that was looked at, or another process has changed the key.
            let version = hsm.unchanged_in(view, key, id)?;
            new.version = version + 1;
            plan.changes.push(hsm.put_object(Some(actor.login), &new, version)?);
            let event = Event::by(actor.login, Opcode::ShareObject).about(&name, role).on(id.0);
            plan.events.push(event.saying(what));
            Ok(plan)
        })?;
        key.mark_superseded();
        Ok(())
    }

    /// Whom a key that the caller sees belongs to.
    ///
    /// # Errors
    /// What the policy refuses; if the store cannot be read.
    pub fn custody(&self, login: &Login, object: &Object) -> Result<Custody> {
        policy::may_with(login, Command::ReadKey, object)?;
        let mut shared = Vec::new();
        if let Some(id) = object.id {
            let hsm = self.hsm()?;
            for user in hsm.shared_with_in(&*hsm.store, id)? {
                shared.extend(hsm.read_user(user)?.map(|(_, user)| user.name));
            }
        }
        Ok(Custody { owner: self.owner_name(object.owner)?, shared, quorum: KeyQuorum::of(object) })
    }
}

const OWN: Error = Error::new(ck::CKR_ARGUMENTS_BAD, "The key is that user's own");
const TOO_FEW: Error = Error::new(ck::CKR_ARGUMENTS_BAD, "The key's quorum values need more users than would be left");

/// The id of a key that can be shared at all.
fn shareable(key: &Object) -> Result<ObjectId> {
    if !key.holds_secret() {
        return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "A public key is not shared: every user sees it"));
    }
    key.id.ok_or(Error::new(ck::CKR_ARGUMENTS_BAD, "A session key is not shared: it lives in one login"))
}

/// A row: a key, a user.
struct Share {
    id: u64,
    version: u64,
    key: ObjectId,
    user: UserId,
}

impl Share {
    const fn delete(&self) -> Planned {
        Planned::Delete { kind: Kind::Share, id: self.id, expected: self.version }
    }
}

impl Login {
    /// Whether a key of another user is shared with this one. Asked once for each version of a key and login.
    pub(super) fn is_shared(&self, object: &Object) -> Result<bool> {
        let Some(id) = object.id.filter(|_| self.role == Role::CryptoUser && object.holds_secret()) else {
            return Ok(false);
        };
        if admission::is_known_to_share(self, object) {
            return Ok(true);
        }
        let shared = self.hsm.share_in(&*self.hsm.store, id, self.user)?.is_some();
        if shared {
            admission::remember_sharing(self, object);
        }
        Ok(shared)
    }
}

impl Hsm {
    fn share_tags(&self, key: ObjectId, user: UserId) -> [Tag; 2] {
        [self.public.tag(b"shared key", &key.0.to_le_bytes()), self.public.tag(b"shared with", &user.0.to_le_bytes())]
    }

    /// What a share is found by.
    pub(super) fn tags_of_share(&self, record: &Record) -> Result<[Tag; 2]> {
        let share = self.share(record)?;
        Ok(self.share_tags(share.key, share.user))
    }

    fn share(&self, record: &Record) -> Result<Share> {
        let plain = self.public.open(record)?;
        let mut reader = Reader::new(plain.expose());
        if reader.byte()? != 1 {
            return Err(MALFORMED);
        }
        let share = Share {
            id: record.id,
            version: record.version,
            key: ObjectId(reader.long()?),
            user: UserId(reader.long()?),
        };
        reader.end()?;
        Ok(share)
    }

    pub(super) fn put_share(&self, key: ObjectId, user: UserId) -> Result<Planned> {
        let mut writer = Writer::new(17);
        writer.byte(1).long(key.0).long(user.0);
        Ok(Planned::Put {
            kind: Kind::Share,
            id: fresh_id()?,
            expected: 0,
            class: 0,
            key_type: 0,
            owner: user.0,
            tier: Tier::Public,
            plain: writer.finish_secret(),
            tags: Some(self.share_tags(key, user).to_vec()),
        })
    }

    /// The rows with these tags for which `wanted` holds. What a tag says is not believed: anybody with the file can write
    /// one.
    fn shares_in(&self, view: &dyn View, tags: &[Tag], wanted: impl Fn(&Share) -> bool) -> Result<Vec<Share>> {
        if view.count(Kind::Share)? == 0 {
            return Ok(Vec::new());
        }
        let mut shares = Vec::new();
        for id in view.find(tags, &Selection::all(Kind::Share))? {
            let share = view.read(Kind::Share, id)?.map(|record| self.share(&record)).transpose()?;
            shares.extend(share.filter(&wanted));
        }
        Ok(shares)
    }

    fn share_in(&self, view: &dyn View, key: ObjectId, user: UserId) -> Result<Option<Share>> {
        let tags = self.share_tags(key, user);
        Ok(self.shares_in(view, &tags, |share| share.key == key && share.user == user)?.pop())
    }

    fn shares_of_key(&self, view: &dyn View, key: ObjectId) -> Result<Vec<Share>> {
        let [tag, _] = self.share_tags(key, UserId(0));
        self.shares_in(view, &[tag], |share| share.key == key)
    }

    fn shares_of_user(&self, view: &dyn View, user: UserId) -> Result<Vec<Share>> {
        let [_, tag] = self.share_tags(ObjectId(0), user);
        self.shares_in(view, &[tag], |share| share.user == user)
    }

    /// The users with whom a key is shared, in the order in which it was.
    pub(super) fn shared_with_in(&self, view: &dyn View, key: ObjectId) -> Result<Vec<UserId>> {
        Ok(self.shares_of_key(view, key)?.into_iter().map(|share| share.user).collect())
    }

    /// The keys that others share with a user. Not a set that hashes: its seed is drawn by a call that ends a cancelled thread, and a
    /// search is not kept from cancellation as a whole.
    pub(super) fn keys_shared_with(&self, user: UserId) -> Result<BTreeSet<u64>> {
        Ok(self.shares_of_user(&*self.store, user)?.into_iter().map(|share| share.key.0).collect())
    }

    /// What deletes the shares of a user who goes, or of a key that goes.
    pub(super) fn plan_without_shares(
        &self,
        view: &dyn View,
        user: Option<UserId>,
        key: Option<ObjectId>,
    ) -> Result<Vec<Planned>> {
        let mut shares = Vec::new();
        if let Some(user) = user {
            shares.extend(self.shares_of_user(view, user)?);
        }
        if let Some(key) = key {
            shares.extend(self.shares_of_key(view, key)?);
        }
        Ok(shares.iter().map(Share::delete).collect())
    }

    /// Whether every quorum has enough users without this one.
    ///
    /// # Errors
    /// CKR_ACTION_PROHIBITED if one has not: what it protects could never be done again.
    pub(super) fn check_quorums_without(&self, view: &dyn View, login: &Login, user: UserId, role: Role) -> Result<()> {
        if role == Role::CryptoOfficer {
            let officers = self.count_role_in(view, Role::CryptoOfficer)?;
            let most = self.cluster_policy_in(view)?.1.most();
            if officers > usize::from(most) || most < 2 {
                return Ok(());
            }
            return Err(Error::new(ck::CKR_ACTION_PROHIBITED, "The quorum values need as many admins as there are"));
        }
        for share in self.shares_of_user(view, user)? {
            let left = self.shares_of_key(view, share.key)?.len();
            let Some(record) = view.read(Kind::Object, share.key.0)? else { continue };
            let Some(key) = self.open_object(Some(login), &record)? else { continue };
            KeyQuorum::of(&key).check(left).map_err(|_| {
                Error::with(
                    ck::CKR_ACTION_PROHIBITED,
                    format!("The quorum of key {:#018x} needs the user; its owner deletes the key first", share.key.0),
                )
            })?;
        }
        Ok(())
    }

    /// What shares new keys as their maker wants it.
    pub(super) fn plan_sharing(
        &self,
        view: &dyn View,
        owner: UserId,
        keys: &[&Object],
        names: &[String],
    ) -> Result<Vec<Planned>> {
        let mut planned = Vec::new();
        for name in names {
            let user = self.crypto_user_in(view, &normalize_name(name)?, Role::CryptoUser)?;
            if user == owner {
                return Err(OWN);
            }
            for key in keys.iter().filter(|key| key.holds_secret()) {
                planned.push(self.put_share(shareable(key)?, user)?);
            }
        }
        Ok(planned)
    }

    fn crypto_user_in(&self, view: &dyn View, name: &str, role: Role) -> Result<UserId> {
        if role != Role::CryptoUser {
            return Err(Error::new(ck::CKR_ARGUMENTS_BAD, "Keys are shared with crypto users only"));
        }
        self.user_id_in(view, name, role)?.ok_or(NO_SUCH_USER)
    }
}

impl Sharing<'_> {
    /// Whether nothing is asked for.
    pub(super) const fn is_plain(&self) -> bool {
        self.users.is_empty() && !self.quorum.is_set()
    }

    /// Whether keys of a template can be made so.
    ///
    /// # Errors
    /// AWS's texts for quorum values that do not fit; CKR_ARGUMENTS_BAD for a name that is given twice, and for a session
    /// key.
    pub(super) fn check(&self, token: bool) -> Result<()> {
        if self.is_plain() {
            return Ok(());
        }
        if !token {
            return Err(Error::new(
                ck::CKR_ARGUMENTS_BAD,
                "A session key has one user and no quorum: it lives in one login",
            ));
        }
        let mut names = BTreeSet::new();
        for name in self.users {
            if !names.insert(normalize_name(name)?) {
                return Err(Error::with(ck::CKR_ARGUMENTS_BAD, format!("{name} stands twice among the users")));
            }
        }
        self.quorum.check(1 + names.len())
    }
}
