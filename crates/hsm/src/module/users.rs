//! Managing users: who there is, making them, their passwords, their end.

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
use store::{Durability, Kind, Selection, Tag, View};

use super::audit::{Event, Opcode};
use super::commit::{Plan, Planned};
use super::hierarchy::Tier;
use super::ids::fresh_id;
use super::policy::{self, Command};
use super::quorum::Actor;
use super::user::{Derivation, Role, User, UserInformation, normalize_name};
use super::{Hsm, Login, Module};
use crate::object::UserId;

/// The most users of an hsm2m.medium cluster (User Guide, limits).
pub(super) const MOST_USERS: u64 = 1024;

impl Module {
    /// Every user. Needs no login, as on AWS.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn list_users(&self) -> Result<Vec<UserInformation>> {
        let Some(hsm) = self.hsm_if_active()? else {
            return Ok(Vec::new());
        };
        Ok(hsm.users_in(&*hsm.store)?.into_iter().map(|(_, user)| user.information()).collect())
    }

    /// Makes a user, or, with `reset`, gives an existing one a new password and unlocks it.
    ///
    /// # Errors
    /// What the policy and the quorum of the service `user` refuse; CKR_PIN_LEN_RANGE or CKR_PIN_INVALID for a bad password;
    /// CKR_ARGUMENTS_BAD for a bad name or one that is taken; CKR_DEVICE_MEMORY when there are too many users.
    pub fn create_user<'a>(
        &self,
        actor: impl Into<Actor<'a>>,
        name: &str,
        role: Role,
        password: &Secret,
        reset: bool,
    ) -> Result<()> {
        let actor = actor.into();
        let login = actor.login;
        let toll = policy::may_officer(actor, Command::ManageUsers)?;
        self.check_password(password)?;
        let hsm = self.hsm()?;
        let name = normalize_name(name)?;
        let derivation = Derivation::of(&self.settings, hsm.recorded.mode());
        // The slow part comes before the store is locked.
        let fresh = User::new(name.clone(), role, password, derivation, &login.data, 1)?;
        hsm.commit(Some(login), Durability::Synced, &mut |view, _| {
            let paid = toll.pay(&hsm, view, actor)?;
            if let Some(id) = hsm.user_id_in(view, &name, role)? {
                if !reset {
                    return Err(Error::with(ck::CKR_ARGUMENTS_BAD, format!("the user {name} exists already")));
                }
                let event = Event::by(login, Opcode::ChangePassword).about(&name, role);
                let mut plan = hsm.plan_new_password(view, id, &fresh, event, &mut |_| {})?;
                plan.changes.extend(paid);
                return Ok(plan);
            }
            if view.count(Kind::User)? >= MOST_USERS {
                return Err(Error::new(ck::CKR_DEVICE_MEMORY, "the HSM has as many users as it can"));
            }
            let id = UserId(fresh_id()?);
            let opcode = match role {
                Role::CryptoOfficer => Opcode::CreateOfficer,
                Role::CryptoUser => Opcode::CreateUser,
            };
            let tags = vec![hsm.name_tag(&name, role)];
            let mut changes = paid;
            changes.push(hsm.put_user(id, 0, &fresh, Some(tags)));
            Ok(Plan { changes, events: vec![Event::by(login, opcode).about(&name, role)], ..Plan::default() })
        })
    }

    /// Deletes a user who owns no keys.
    ///
    /// # Errors
    /// What the policy and the quorum of the service `user` refuse; CKR_ARGUMENTS_BAD for a user who does not exist;
    /// CKR_ACTION_PROHIBITED for one who owns keys or whom a quorum needs, for oneself, and so for the last officer.
    pub fn delete_user<'a>(&self, actor: impl Into<Actor<'a>>, name: &str, role: Role) -> Result<()> {
        let actor = actor.into();
        let login = actor.login;
        let toll = policy::may_officer(actor, Command::ManageUsers)?;
        let hsm = self.hsm()?;
        let name = normalize_name(name)?;
        hsm.commit(Some(login), Durability::Synced, &mut |view, _| {
            let mut changes = toll.pay(&hsm, view, actor)?;
            let id = hsm.user_id_in(view, &name, role)?.ok_or(NO_SUCH_USER)?;
            if id == login.user {
                return Err(Error::new(ck::CKR_ACTION_PROHIBITED, "a user who is logged in cannot be deleted"));
            }
            if hsm.owns_objects(view, id)? {
                return Err(Error::new(ck::CKR_ACTION_PROHIBITED, "the user owns keys; delete them first"));
            }
            hsm.check_quorums_without(view, login, id, role)?;
            let expected = view.version(Kind::User, id.0)?.ok_or(NO_SUCH_USER)?;
            changes.push(Planned::Delete { kind: Kind::User, id: id.0, expected });
            changes.extend(hsm.plan_without_shares(view, Some(id), None)?);
            changes.extend(hsm.plan_without_tokens(view, Some(id), None)?);
            Ok(Plan {
                changes,
                events: vec![Event::by(login, Opcode::DeleteUser).about(&name, role)],
                ..Plan::default()
            })
        })
    }

    /// The rules for a password.
    pub(super) fn check_password(&self, password: &Secret) -> Result<()> {
        let dialect = self.dialect();
        if dialect.plain_pins {
            let (shortest, longest) = dialect.pin_lengths;
            if !(shortest..=longest).contains(&password.len()) {
                return Err(Error::with(ck::CKR_PIN_LEN_RANGE, format!("a PIN has {shortest} to {longest} bytes")));
            }
            return Ok(());
        }
        let text = std::str::from_utf8(password.expose())
            .map_err(|_| Error::new(ck::CKR_PIN_INVALID, "a password is UTF-8 text"))?;
        if !(8..=32).contains(&text.chars().count()) {
            return Err(Error::new(ck::CKR_PIN_LEN_RANGE, "a password has 8 to 32 characters"));
        }
        if text.contains(':') {
            return Err(Error::new(ck::CKR_PIN_INVALID, "a password has no colon"));
        }
        Ok(())
    }
}

pub(super) const NO_SUCH_USER: Error = Error::new(ck::CKR_ARGUMENTS_BAD, "Specified user does not exist");

impl Hsm {
    /// A user by name and role.
    pub(super) fn find_user(&self, name: &str, role: Role) -> Result<Option<(UserId, User)>> {
        let Ok(name) = normalize_name(name) else { return Ok(None) };
        match self.user_id_in(&*self.store, &name, role)? {
            Some(id) => Ok(self.read_user(id)?.map(|(_, user)| (id, user))),
            None => Ok(None),
        }
    }

    /// A user's record and its version.
    pub(super) fn read_user(&self, id: UserId) -> Result<Option<(u64, User)>> {
        self.read_user_in(&*self.store, id)
    }

    pub(super) fn read_user_in(&self, view: &dyn View, id: UserId) -> Result<Option<(u64, User)>> {
        let Some(record) = view.read(Kind::User, id.0)? else { return Ok(None) };
        Ok(Some((record.version, User::decode(self.public.open(&record)?.expose())?)))
    }

    /// Which of a user's PINs is the valid one; nothing if the user is gone.
    pub(super) fn user_credential(&self, id: UserId) -> Result<Option<u64>> {
        Ok(self.read_user(id)?.map(|(_, user)| user.credential))
    }

    /// Whether a login still holds in the state that a commit builds on.
    pub(super) fn check_login_in(&self, view: &dyn View, login: &Login) -> Result<()> {
        let current = self.read_user_in(view, login.user)?.map(|(_, user)| user.credential);
        if login.is_by(current) && !login.has_ended() {
            return Ok(());
        }
        Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "the login ended before the work was done"))
    }

    /// Every user, in the order in which they were made.
    pub(super) fn users_in(&self, view: &dyn View) -> Result<Vec<(UserId, User)>> {
        view.scan(&Selection::all(Kind::User))?
            .iter()
            .map(|record| Ok((UserId(record.id), User::decode(self.public.open(record)?.expose())?)))
            .collect()
    }

    pub(super) fn count_role_in(&self, view: &dyn View, role: Role) -> Result<usize> {
        Ok(self.users_in(view)?.iter().filter(|(_, user)| user.role == role).count())
    }

    pub(super) fn put_user(&self, id: UserId, expected: u64, user: &User, tags: Option<Vec<Tag>>) -> Planned {
        Planned::Put {
            kind: Kind::User,
            id: id.0,
            expected,
            class: u64::from(user.role.code()),
            key_type: 0,
            owner: 0,
            tier: Tier::Public,
            plain: user.encode(),
            tags,
        }
    }

    pub(super) fn name_tag(&self, name: &str, role: Role) -> Tag {
        self.public.tag(&[b'u', role.code()], name.as_bytes())
    }

    pub(super) fn user_id_in(&self, view: &dyn View, name: &str, role: Role) -> Result<Option<UserId>> {
        let selection = Selection { kind: Kind::User, class: None, key_type: None, tier: None, after: 0, limit: 1 };
        Ok(view.find(&[self.name_tag(name, role)], &selection)?.first().map(|id| UserId(*id)))
    }

    /// The same user with the PIN of `fresh`, unlocked, and changed as `change` has it.
    pub(super) fn plan_new_password(
        &self,
        view: &dyn View,
        id: UserId,
        fresh: &User,
        event: Event,
        change: &mut dyn FnMut(&mut User),
    ) -> Result<Plan> {
        let (version, mut user) = self.read_user_in(view, id)?.ok_or(NO_SUCH_USER)?;
        user.credential += 1;
        (user.failed, user.begun) = (0, 0);
        user.salt = fresh.salt;
        user.derivation = fresh.derivation;
        user.wrapped.clone_from(&fresh.wrapped);
        let before = user.quorum_key.clone();
        change(&mut user);
        if user.quorum_key != before {
            self.check_quorum_key(view, id, &user)?;
        }
        Ok(Plan { changes: vec![self.put_user(id, version, &user, None)], events: vec![event], ..Plan::default() })
    }

    /// Refuses the key with which another user of the same role approves: who holds it would approve twice.
    pub(super) fn check_quorum_key(&self, view: &dyn View, id: UserId, user: &User) -> Result<()> {
        let Some(key) = &user.quorum_key else { return Ok(()) };
        let is_taken = self.users_in(view)?.iter().any(|(other, record)| {
            *other != id
                && record.role == user.role
                && record.quorum_key.as_ref().is_some_and(|present| present.is_of_one_holder_with(key))
        });
        if is_taken { Err(KEY_OF_ANOTHER) } else { Ok(()) }
    }
}

const KEY_OF_ANOTHER: Error = Error::new(
    ck::CKR_ARGUMENTS_BAD,
    "The public key is registered by another user already; each approves with a key pair of its own",
);
