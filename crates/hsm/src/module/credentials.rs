//! What a user proves itself with: a password, a second factor at login, and the key that approves quorum tokens.
//!
//! The latter two are RSA keys outside the HSM, of which it knows the public half (User Guide, login-mfa-cloudhsm-cli and
//! cloudhsm_cli-user-chqm-token-reg). A challenge is made by this module and answered once, in the process that asked.

use base::ck;
use base::error::{Error, Result};
use base::secret::Secret;
use crypto::random;
use store::Durability;

use super::audit::{Event, Opcode};
use super::commit::Plan;
use super::policy::{self, Command};
use super::quorum::{Actor, digest};
use super::registered_key::RegisteredKey;
use super::user::{Derivation, Role, User, normalize_name};
use super::users::NO_SUCH_USER;
use super::{Login, Module};

/// A digest to be signed by a user's key; whoever answers it has that key.
pub struct Challenge {
    digest: [u8; 32],
}

impl Challenge {
    pub(super) fn new() -> Result<Self> {
        let mut digest = [0; 32];
        random::fill(&mut digest)?;
        Ok(Self { digest })
    }

    /// What is to be signed: 32 bytes, taken as a SHA-256 value.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    pub(super) fn is_answered_by(&self, key: &RegisteredKey, signature: &[u8]) -> bool {
        key.verifies(&self.digest, signature)
    }
}

/// The second factor that a user is to have.
pub struct SecondFactor<'a> {
    /// The public key, in PEM.
    pub public_key: &'a [u8],
    /// A challenge, and its answer by that key.
    pub answer: (Challenge, &'a [u8]),
    /// Whether the same key approves quorum tokens.
    pub for_quorum: bool,
}

/// What else changes with a user's password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Deregister {
    /// The second factor ends.
    pub second_factor: bool,
    /// The key that approves quorum tokens is forgotten.
    pub quorum: bool,
}

impl Deregister {
    fn apply(self, user: &mut User) {
        // A new password of a user with a second factor ends the registration for quorum (User Guide,
        // quorum-mfa-cloudhsm-cli).
        if self.quorum || user.factor.is_some() {
            user.quorum_key = None;
        }
        if self.second_factor {
            user.factor = None;
        }
    }
}

impl Module {
    /// A challenge for the key of a new second factor.
    ///
    /// # Errors
    /// CKR_USER_NOT_LOGGED_IN; CKR_DEVICE_ERROR if the random generator fails.
    pub fn challenge(&self, login: &Login) -> Result<Challenge> {
        login.check()?;
        Challenge::new()
    }

    /// Gives a user a second factor and a new password, or takes the second factor away: an officer anyone's, a crypto user its
    /// own. Ends the user's logins.
    ///
    /// # Errors
    /// What the policy and the quorum of the service `user` refuse; what is wrong with the password; CKR_ARGUMENTS_BAD for a
    /// user who does not exist and a key that is none, CKR_SIGNATURE_INVALID for an answer that is not that key's.
    pub fn change_second_factor<'a>(
        &self,
        actor: impl Into<Actor<'a>>,
        name: &str,
        role: Role,
        password: &Secret,
        factor: Option<SecondFactor<'_>>,
    ) -> Result<()> {
        let key = match &factor {
            None => None,
            Some(SecondFactor { public_key, answer: (challenge, signature), .. }) => {
                let key = RegisteredKey::from_pem(public_key)?;
                if !challenge.is_answered_by(&key, signature) {
                    return Err(BAD_ANSWER);
                }
                Some(key)
            }
        };
        let for_quorum = factor.is_some_and(|factor| factor.for_quorum);
        self.renew_user(actor.into(), name, role, password, None, &mut |user| {
            // Registered for both by one key, a user who changes that key changes it for both.
            if for_quorum || (user.quorum_key.is_some() && user.quorum_key == user.factor) {
                user.quorum_key.clone_from(&key);
            }
            user.factor.clone_from(&key);
        })
    }

    /// Gives a user a new password: an officer anyone, a crypto user itself. Ends the user's logins everywhere.
    ///
    /// # Errors
    /// What the policy and the quorum of the service `user` refuse; CKR_PIN_LEN_RANGE or CKR_PIN_INVALID for a bad password;
    /// CKR_ARGUMENTS_BAD for a user who does not exist.
    pub fn change_password<'a>(
        &self,
        actor: impl Into<Actor<'a>>,
        name: &str,
        role: Role,
        password: &Secret,
        deregister: Deregister,
    ) -> Result<()> {
        self.renew_user(actor.into(), name, role, password, None, &mut |user| {
            deregister.apply(user);
        })
    }

    /// Gives the user who has proved the old password a new one (C_SetPIN). Ends the user's logins everywhere but `kept`, a
    /// login of the same user in this process, which never stops to hold: what other threads do with it goes on.
    ///
    /// # Errors
    /// As [`Module::change_password`].
    pub fn change_own_password(&self, proof: &Login, kept: Option<&Login>, password: &Secret) -> Result<()> {
        let kept = kept.filter(|kept| kept.user == proof.user);
        self.renew_user(proof.into(), &proof.name, proof.role, password, kept, &mut |user| {
            Deregister::default().apply(user);
        })
    }

    fn renew_user(
        &self,
        actor: Actor<'_>,
        name: &str,
        role: Role,
        password: &Secret,
        kept: Option<&Login>,
        change: &mut dyn FnMut(&mut User),
    ) -> Result<()> {
        let login = actor.login;
        let name = normalize_name(name)?;
        let own = name == login.name && role == login.role;
        // What a crypto user does with itself is no officers' command, and needs no officers' approval.
        let toll = if own && role == Role::CryptoUser {
            policy::may(login, Command::ChangeOneself)?;
            None
        } else {
            Some(policy::may_officer(actor, Command::ManageUsers)?)
        };
        self.check_password(password)?;
        let hsm = self.hsm()?;
        let derivation = Derivation::of(&self.settings, hsm.recorded.mode());
        // The slow part comes before the store is locked.
        let fresh = User::new(name.clone(), role, password, derivation, &login.data, 1)?;
        let mut renew = |promise: &dyn Fn(u64)| {
            hsm.commit(Some(login), Durability::Synced, &mut |view, _| {
                let paid = toll.map_or_else(|| Ok(Vec::new()), |toll| toll.pay(&hsm, view, actor))?;
                let id = hsm.user_id_in(view, &name, role)?.ok_or(NO_SUCH_USER)?;
                let event = Event::by(login, Opcode::ChangePassword).about(&name, role);
                let mut plan = hsm.plan_new_password(view, id, &fresh, event, &mut |user| {
                    change(user);
                    promise(user.credential);
                })?;
                plan.changes.extend(paid);
                Ok(plan)
            })
        };
        match kept {
            Some(kept) => kept.outlive(renew),
            None => renew(&|_| ()),
        }
    }

    /// Registers the key with which the user who is logged in approves quorum tokens. `approval_data` are those of a token of
    /// the service `registration`, `signature` is the new key's.
    ///
    /// # Errors
    /// CKR_ARGUMENTS_BAD for a key that is none or another user's; CKR_FUNCTION_FAILED with AWS's texts for a token that is not a live one of this
    /// user and for a wrong signature.
    pub fn register_for_quorum(
        &self,
        login: &Login,
        public_key: &[u8],
        approval_data: &[u8],
        signature: &[u8],
    ) -> Result<()> {
        policy::may(login, Command::ChangeOneself)?;
        let key = RegisteredKey::from_pem(public_key)?;
        let hsm = self.hsm()?;
        hsm.commit(Some(login), Durability::Synced, &mut |view, _| {
            let token = hsm.registration_in(view, login, approval_data)?;
            if !key.verifies(&digest(approval_data), signature) {
                return Err(Error::new(ck::CKR_FUNCTION_FAILED, "InvalidQuorumSignature"));
            }
            let (version, mut user) = hsm.read_user_in(view, login.user)?.ok_or(NO_SUCH_USER)?;
            user.quorum_key = Some(key.clone());
            hsm.check_quorum_key(view, login.user, &user)?;
            Ok(Plan {
                changes: vec![token, hsm.put_user(login.user, version, &user, None)],
                events: vec![Event::by(login, Opcode::ChangeUser)],
                ..Plan::default()
            })
        })
    }
}

const BAD_ANSWER: Error = Error::new(ck::CKR_SIGNATURE_INVALID, "The signed token is not signed by the public key");
