//! Who may do what: one pure function over one table, asked by every method of the module.
//!
//! AWS's rules (User Guide, user-permissions-table and understanding-users): officers manage users and use no key;
//! crypto users own and use keys; the owner of a key may do everything with it, a user it is shared with may only
//! use it; public keys are seen by all. What is allowed may still need the approvals of a quorum: that is the
//! [`Toll`] which a question gives back, and which is paid in the commit of what was asked for.

use base::ck::{self, CK_RV};
use base::error::{Error, Result};

use super::Login;
use super::quorum::{Actor, Service, Toll};
use super::user::Role;
use crate::object::{NOBODY, Object};

/// What a user asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Making, deleting and unlocking users, changing their passwords and second factors.
    ManageUsers,
    /// A new password, second factor or key for approvals of one's own.
    ChangeOneself,
    /// Changing how many approvals an officers' command needs.
    SetQuorum,
    /// Changing the trust anchors of the cluster and whether they are enforced.
    ChangeTrustAnchors,
    /// Making keys of any origin.
    CreateKeys,
    /// Seeing that a key exists, and its label.
    ListKeys,
    /// Reading a key's attributes.
    ReadKey,
    /// Using a key: encrypt, decrypt, sign.
    UseKey,
    /// Wrapping and unwrapping other keys with it.
    WrapWith,
    /// Deriving a key from it.
    DeriveFrom,
    /// Using a public key: verify, encrypt.
    UsePublicKey,
    /// Changing, copying, sharing or exporting a key.
    ManageKey,
    /// Deleting a key.
    DeleteKey,
    /// Deleting quorum tokens, those of others too.
    DeleteTokens,
    /// Setting CKA_TRUSTED.
    Trust,
    /// Destroying all keys and crypto users.
    Zeroize,
    /// Copying the whole HSM, sealed, into a file.
    Backup,
    /// Reading the audit log.
    ReadAudit,
    /// Putting a user into a clone of the HSM.
    ReplicateUser,
    /// Putting a key into a clone of the HSM.
    ReplicateKey,
}

/// What a user is to a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Standing {
    /// Nothing.
    Stranger,
    /// One of those who see it because it is public.
    Public,
    /// A user with whom the owner has shared it.
    Shared,
    /// The owner.
    Owner,
}

/// What a role must be to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    /// Nothing: the command is about no key, or about any.
    Any,
    /// At least this.
    AtLeast(Standing),
    /// The role may not do this at all.
    Never,
}

/// The table: for each command what an officer and what a crypto user must be to the key, and whose approvals it may need.
const fn row(command: Command) -> (Wanted, Wanted, Option<Service>) {
    use Standing::{Owner, Public, Shared};
    use Wanted::{Any, AtLeast, Never};
    match command {
        //                              officer  crypto user       quorum
        Command::ManageUsers => (Any, Never, Some(Service::User)),
        Command::ChangeOneself => (Any, Any, None),
        Command::SetQuorum => (Any, Never, Some(Service::Quorum)),
        Command::ChangeTrustAnchors => (Any, Never, Some(Service::Cluster)),
        Command::CreateKeys => (Never, Any, None),
        Command::ListKeys => (Any, AtLeast(Public), None),
        Command::ReadKey => (Any, AtLeast(Public), None),
        Command::UseKey => (Never, AtLeast(Shared), Some(Service::KeyUsage)),
        Command::WrapWith => (Never, AtLeast(Shared), Some(Service::KeyManagement)),
        Command::DeriveFrom => (Never, AtLeast(Owner), Some(Service::KeyUsage)),
        Command::UsePublicKey => (Never, AtLeast(Public), None),
        Command::ManageKey => (Never, AtLeast(Owner), Some(Service::KeyManagement)),
        Command::DeleteKey => (Never, AtLeast(Owner), None),
        Command::DeleteTokens => (Any, Never, None),
        Command::Trust => (Any, Never, None),
        Command::Zeroize => (Any, Never, None),
        Command::Backup => (Any, Never, None),
        Command::ReadAudit => (Any, Never, None),
        Command::ReplicateUser => (Any, Never, Some(Service::User)),
        Command::ReplicateKey => (Any, AtLeast(Owner), None),
    }
}

/// The decision itself: role, standing, command.
const fn decide(role: Role, standing: Standing, command: Command) -> std::result::Result<(), CK_RV> {
    let (officer, crypto_user, _) = row(command);
    let wanted = match role {
        Role::CryptoOfficer => officer,
        Role::CryptoUser => crypto_user,
    };
    match (wanted, standing) {
        (Wanted::Any, _) => Ok(()),
        (Wanted::AtLeast(least), _) if standing as u8 >= least as u8 => Ok(()),
        // A key of another user does not exist for this one.
        (Wanted::AtLeast(_), Standing::Stranger) => Err(ck::CKR_KEY_HANDLE_INVALID),
        // One that is seen is there, and not this user's to manage.
        (Wanted::AtLeast(_), Standing::Shared) if matches!(command, Command::DeriveFrom) => {
            Err(ck::CKR_KEY_FUNCTION_NOT_PERMITTED)
        }
        (Wanted::AtLeast(_), Standing::Public | Standing::Shared | Standing::Owner) => Err(ck::CKR_ACTION_PROHIBITED),
        // The user that the command needs is the one who is not logged in (PKCS#11 3.2 section 5.6.7).
        (Wanted::Never, _) => Err(ck::CKR_USER_NOT_LOGGED_IN),
    }
}

/// Whether the user may do what concerns no single key and needs no quorum.
///
/// # Errors
/// CKR_USER_NOT_LOGGED_IN if the login has ended or is not of the role that may.
pub(super) fn may(login: &Login, command: Command) -> Result<()> {
    debug_assert!(row(command).2.is_none(), "what may need a quorum is asked with its actor");
    login.check()?;
    decide(login.role, Standing::Stranger, command).map_err(|rv| refusal(rv, login.role, command))
}

/// Whether the user may do what only officers do, and what approvals it costs.
///
/// # Errors
/// As [`may`].
pub(super) fn may_officer(actor: Actor<'_>, command: Command) -> Result<Toll> {
    actor.login.check()?;
    decide(actor.login.role, Standing::Stranger, command).map_err(|rv| refusal(rv, actor.login.role, command))?;
    Ok(Toll::of_service(row(command).2))
}

/// Whether the user may do this with that object, without the approvals of a quorum.
///
/// # Errors
/// As [`may`], and CKR_KEY_HANDLE_INVALID for a key that this user does not see, CKR_ACTION_PROHIBITED for one that it
/// sees and does not own, CKR_KEY_FUNCTION_NOT_PERMITTED for one that needs a quorum.
pub(super) fn may_with(login: &Login, command: Command, object: &Object) -> Result<()> {
    may_approved(Actor::from(login), command, object)?.none()
}

/// Whether the user may do this with that object, and what approvals it costs.
///
/// # Errors
/// As [`may_with`]; what is wrong with approvals that are there shows when the toll is paid.
pub(super) fn may_approved(actor: Actor<'_>, command: Command, object: &Object) -> Result<Toll> {
    is_for(actor.login, command, object)?;
    let toll = Toll::of_key(row(command).2, object);
    if actor.approval.is_none() {
        // Refused here as well as when it is paid: no path forgets it.
        toll.none()?;
        return Ok(Toll::NOTHING);
    }
    Ok(toll)
}

/// Whether a command on that object is this user's at all, whatever approvals it may need besides.
///
/// # Errors
/// As [`may_with`] without those about a quorum.
pub(super) fn is_for(login: &Login, command: Command, object: &Object) -> Result<()> {
    login.check()?;
    decide(login.role, standing(login, object)?, command).map_err(|rv| refusal(rv, login.role, command))
}

/// What the user of a login is to an object.
fn standing(login: &Login, object: &Object) -> Result<Standing> {
    Ok(match known_standing(login, object.owner, is_public(object)) {
        Standing::Stranger if login.is_shared(object)? => Standing::Shared,
        known => known,
    })
}

/// The same as far as it can be told without a look at who shares what: a user is at least this.
pub(super) fn known_standing(login: &Login, owner: crate::object::UserId, public: bool) -> Standing {
    // What belongs to nobody is everybody's.
    if owner == login.user || owner == NOBODY {
        Standing::Owner
    } else if public {
        Standing::Public
    } else {
        Standing::Stranger
    }
}

/// Whether somebody of this standing sees the object.
pub(super) fn sees(login: &Login, standing: Standing) -> bool {
    decide(login.role, standing, Command::ListKeys).is_ok()
}

/// Whether everybody sees the object: public keys on CloudHSM, and whatever is not private.
pub(super) fn is_public(object: &Object) -> bool {
    object.class == ck::CKO_PUBLIC_KEY || !object.is(ck::CKA_PRIVATE)
}

fn refusal(rv: CK_RV, role: Role, command: Command) -> Error {
    Error::with(rv, format!("{command:?} is not for the role {}", role.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each cell of the table once more, in AWS's words: "admin: users, passwords, list keys, set trusted; no key or
    /// crypto use" and "crypto-user: keys and crypto, own keys; public keys of all".
    #[test]
    fn officers_use_no_key_and_users_manage_no_users() {
        let keys = [
            Command::CreateKeys,
            Command::UseKey,
            Command::WrapWith,
            Command::DeriveFrom,
            Command::UsePublicKey,
            Command::ManageKey,
            Command::DeleteKey,
        ];
        for command in keys {
            for standing in [Standing::Public, Standing::Owner] {
                assert_eq!(decide(Role::CryptoOfficer, standing, command), Err(ck::CKR_USER_NOT_LOGGED_IN));
            }
        }
        let officers = [
            Command::ManageUsers,
            Command::SetQuorum,
            Command::ChangeTrustAnchors,
            Command::DeleteTokens,
            Command::Trust,
            Command::Zeroize,
            Command::Backup,
            Command::ReadAudit,
            Command::ReplicateUser,
        ];
        for command in officers {
            assert_eq!(decide(Role::CryptoUser, Standing::Owner, command), Err(ck::CKR_USER_NOT_LOGGED_IN));
            assert_eq!(decide(Role::CryptoOfficer, Standing::Stranger, command), Ok(()));
        }
    }

    #[test]
    fn another_users_key_does_not_exist() {
        let user = |standing, command| decide(Role::CryptoUser, standing, command);
        for command in [Command::UseKey, Command::ReadKey, Command::ManageKey, Command::DeleteKey, Command::ListKeys] {
            assert_eq!(user(Standing::Stranger, command), Err(ck::CKR_KEY_HANDLE_INVALID));
            assert_eq!(user(Standing::Owner, command), Ok(()));
        }
        assert_eq!(user(Standing::Public, Command::UsePublicKey), Ok(()));
        assert_eq!(user(Standing::Public, Command::ReadKey), Ok(()));
        assert_eq!(user(Standing::Public, Command::ManageKey), Err(ck::CKR_ACTION_PROHIBITED));
    }

    /// "Shared users may use the key but not delete, export, wrap, derive, share, unshare or change attributes" (User
    /// Guide, cloudhsm_cli-key-share).
    #[test]
    fn shared_users_may_use_and_nothing_else() {
        let user = |command| decide(Role::CryptoUser, Standing::Shared, command);
        for command in [Command::UseKey, Command::WrapWith, Command::ReadKey, Command::ListKeys] {
            assert_eq!(user(command), Ok(()));
        }
        assert_eq!(user(Command::ManageKey), Err(ck::CKR_ACTION_PROHIBITED));
        assert_eq!(user(Command::DeleteKey), Err(ck::CKR_ACTION_PROHIBITED));
        assert_eq!(user(Command::DeriveFrom), Err(ck::CKR_KEY_FUNCTION_NOT_PERMITTED));
    }
}
