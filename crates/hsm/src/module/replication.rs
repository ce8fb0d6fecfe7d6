//! Replication: a user or a key of one HSM put into a clone of it, sealed anew.
//!
//! Clones have one data key and one way of deriving what seals a record; they part where each goes on for itself. So a
//! record is opened here and sealed there, under the same number, and whatever it speaks of must be there by that number.

use std::sync::Arc;

use base::ck;
use base::error::{Error, Result};
use store::{Durability, Kind, View};

use super::audit::{Event, Opcode};
use super::commit::Plan;
use super::policy::{self, Command};
use super::quorum::Actor;
use super::stored::{check_room, is_asymmetric};
use super::user::{Role, User, UserInformation, normalize_name};
use super::users::{MOST_USERS, NO_SUCH_USER};
use super::{Hsm, Login, Module};
use crate::object::{NOBODY, Object, ObjectId, UserId, record};

/// An HSM, and the login of this process there.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The HSM.
    pub module: &'a Module,
    /// The login.
    pub login: &'a Login,
}

impl Module {
    /// Puts a user into a clone. One that is there already as it is here stays as it is.
    ///
    /// # Errors
    /// What the policy refuses on either side, and the quorum of the clone's users; CKR_FUNCTION_FAILED for HSMs that are no
    /// clones, and with AWS's text for a user who is there with other properties.
    pub fn replicate_user(source: Side<'_>, destination: Side<'_>, name: &str, role: Role) -> Result<UserInformation> {
        policy::may_officer(Actor::from(source.login), Command::ReplicateUser)?.none()?;
        let actor = Actor::from(destination.login);
        let toll = policy::may_officer(actor, Command::ReplicateUser)?;
        check_clones(source, destination)?;
        let (from, to) = (source.module.hsm()?, destination.module.hsm()?);
        let name = normalize_name(name)?;
        let (id, mut user) = from.find_user(&name, role)?.ok_or(NO_SUCH_USER)?;
        (user.failed, user.begun) = (0, 0);
        from.note(source.login, Event::by(source.login, Opcode::ExtractMaskedObject).about(&name, role))?;
        to.commit(Some(destination.login), Durability::Synced, &mut |view, _| {
            let there = to.read_user_in(view, id)?;
            if let Some((_, there)) = there {
                return if is_same(&user, there) { Ok(Plan::default()) } else { Err(OTHER_USER) };
            }
            if to.user_id_in(view, &name, role)?.is_some() {
                return Err(OTHER_USER);
            }
            if view.count(Kind::User)? >= MOST_USERS {
                return Err(Error::new(ck::CKR_DEVICE_MEMORY, "the HSM has as many users as it can"));
            }
            let mut changes = toll.pay(&to, view, actor)?;
            changes.push(to.put_user(id, 0, &user, Some(vec![to.name_tag(&name, role)])));
            let event = Event::by(destination.login, Opcode::InsertMaskedObject).about(&name, role);
            Ok(Plan { changes, events: vec![event], ..Plan::default() })
        })?;
        Ok(user.information())
    }

    /// Puts a key with those who share it into a clone. One that is there already as it is here stays as it is.
    ///
    /// # Errors
    /// What the policy refuses on either side; CKR_ARGUMENTS_BAD for a session key and where the clone lacks the owner or
    /// somebody who shares the key; CKR_DEVICE_MEMORY if it has no room; CKR_FUNCTION_FAILED for HSMs that are no clones, and
    /// with AWS's text for a key that is there with other attributes.
    pub fn replicate_key(source: Side<'_>, destination: Side<'_>, key: &Object) -> Result<Arc<Object>> {
        policy::may_with(source.login, Command::ReplicateKey, key)?;
        policy::may_with(destination.login, Command::ReplicateKey, key)?;
        check_clones(source, destination)?;
        let id = key.id.ok_or(Error::new(ck::CKR_ARGUMENTS_BAD, "A session key lives in one login"))?;
        let (from, to) = (source.module.hsm()?, destination.module.hsm()?);
        let stored = from.store.read(Kind::Object, id.0)?.ok_or(super::keys::GONE)?;
        let key = from.open_object(Some(source.login), &stored)?.ok_or(super::keys::GONE)?;
        let shared = from.shared_with_in(&*from.store, id)?;
        from.note(source.login, Event::by(source.login, Opcode::ExtractMaskedObject).on(id.0))?;
        let new = super::keys::clone_of(&key)?.stored(id, 1);
        to.commit(Some(destination.login), Durability::Synced, &mut |view, head| {
            for user in shared.iter().copied().chain((key.owner != NOBODY).then_some(key.owner)) {
                check_user(&from, &to, view, user)?;
            }
            if let Some(there) = view.read(Kind::Object, id.0)? {
                let there = to.open_object(Some(destination.login), &there)?.ok_or(OTHER_KEY)?;
                let users = to.shared_with_in(view, id)?;
                let same = bytes(&there).ct_eq(bytes(&key).expose())
                    && there.owner == key.owner
                    && users.len() == shared.len()
                    && users.iter().all(|user| shared.contains(user));
                return if same { Ok(Plan::default()) } else { Err(OTHER_KEY) };
            }
            let mut plan = Plan {
                changes: vec![to.put_object(Some(destination.login), &new, 0)?],
                events: vec![Event::by(destination.login, Opcode::InsertMaskedObject).on(id.0)],
                keys: i64::from(key.is_key()),
                asymmetric: i64::from(is_asymmetric(&key)),
            };
            check_room(head, &plan, destination.module.dialect().most_keys)?;
            for user in &shared {
                plan.changes.push(to.put_share(id, *user)?);
            }
            Ok(plan)
        })?;
        destination.module.load(Some(destination.login), ObjectId(id.0))?.ok_or(super::keys::GONE)
    }
}

const OTHER_USER: Error = Error::new(ck::CKR_FUNCTION_FAILED, "User replicate failed on 1 of 1 connections");
const OTHER_KEY: Error = Error::new(ck::CKR_FUNCTION_FAILED, "Key replicate failed on 1 of 1 connections");

/// Refuses HSMs of which neither was restored from a backup of the other, or both from one.
fn check_clones(source: Side<'_>, destination: Side<'_>) -> Result<()> {
    let (from, to) = (&source.login.hsm.public, &destination.login.hsm.public);
    if from.store == to.store && source.login.data.is_of_one_key_with(&destination.login.data) {
        return Ok(());
    }
    Err(Error::new(
        ck::CKR_FUNCTION_FAILED,
        "The clusters are not clones: one must have been restored from a backup of the other, or both from one backup",
    ))
}

/// Whether a user is the same, whatever wrong passwords were given here or there.
fn is_same(here: &User, mut there: User) -> bool {
    (there.failed, there.begun) = (here.failed, here.begun);
    there.encode().ct_eq(here.encode().expose())
}

fn bytes(key: &Object) -> base::secret::Secret {
    record::encode(&key.attributes, &key.material)
}

/// Refuses to put a key where a user that it belongs to is not.
fn check_user(from: &Hsm, to: &Hsm, view: &dyn View, id: UserId) -> Result<()> {
    let Some((_, here)) = from.read_user(id)? else { return Ok(()) };
    if to.read_user_in(view, id)?.is_some_and(|(_, there)| (there.name == here.name) && (there.role == here.role)) {
        return Ok(());
    }
    Err(Error::with(
        ck::CKR_ARGUMENTS_BAD,
        format!("The user {} of the key is not on the destination cluster; replicate the user first", here.name),
    ))
}

#[cfg(test)]
#[path = "replication_tests.rs"]
mod tests;
