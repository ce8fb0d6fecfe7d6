//! Who may do what: one pure function over one table, asked by every method of the module.
//!
//! AWS's rules (User Guide, user-permissions-table and understanding-users): officers manage users and use no key;
//! crypto users own and use keys; the owner of a key may do everything with it, a user it is shared with may only
//! use it; public keys are seen by all.

use super::Login;
use super::user::Role;
use crate::ck::{self, CK_RV};
use crate::error::{Error, Result};
use crate::object::{NOBODY, Object, UserId};

/// What a user asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Making, deleting and unlocking users, changing their passwords.
    ManageUsers,
    /// A new password for oneself.
    ChangeOwnPassword,
    /// Making keys of any origin.
    CreateKeys,
    /// Seeing that a key exists, and its label.
    ListKeys,
    /// Reading a key's attributes.
    ReadKey,
    /// Using a key: encrypt, decrypt, sign.
    UseKey,
    /// Using a public key: verify, encrypt.
    UsePublicKey,
    /// Deleting, changing, copying or exporting a key.
    ManageKey,
    /// Setting CKA_TRUSTED.
    Trust,
    /// Destroying all keys and crypto users.
    Zeroize,
}

/// What a user must be to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Relation {
    /// Nothing: the command is about no key, or about any.
    Any,
    /// The owner.
    Owner,
    /// The owner, or anybody if the key is public.
    OwnerOrPublic,
    /// The role may not do this at all.
    Never,
}

/// The table: for each command what an officer and what a crypto user must be to the key.
const fn row(command: Command) -> (Relation, Relation) {
    use Relation::{Any, Never, Owner, OwnerOrPublic};
    match command {
        //                              officer  crypto user
        Command::ManageUsers => (Any, Never),
        Command::ChangeOwnPassword => (Any, Any),
        Command::CreateKeys => (Never, Any),
        Command::ListKeys => (Any, OwnerOrPublic),
        Command::ReadKey => (Any, OwnerOrPublic),
        Command::UseKey => (Never, Owner),
        Command::UsePublicKey => (Never, OwnerOrPublic),
        Command::ManageKey => (Never, Owner),
        Command::Trust => (Any, Never),
        Command::Zeroize => (Any, Never),
    }
}

/// The decision itself: role, relation to the key, command.
const fn decide(
    role: Role,
    user: UserId,
    owner: Option<UserId>,
    public: bool,
    command: Command,
) -> std::result::Result<(), CK_RV> {
    let (officer, crypto_user) = row(command);
    let wanted = match role {
        Role::CryptoOfficer => officer,
        Role::CryptoUser => crypto_user,
    };
    let owns = match owner {
        Some(owner) => owner.0 == user.0,
        None => false,
    };
    match wanted {
        Relation::Any => Ok(()),
        Relation::Owner if owns => Ok(()),
        Relation::OwnerOrPublic if owns || public => Ok(()),
        // A key of another user does not exist for this one, except a public key, which is seen and not managed.
        Relation::Owner if public => Err(ck::CKR_ACTION_PROHIBITED),
        Relation::Owner | Relation::OwnerOrPublic => Err(ck::CKR_KEY_HANDLE_INVALID),
        // The user that the command needs is the one who is not logged in (PKCS#11 3.2 section 5.6.7).
        Relation::Never => Err(ck::CKR_USER_NOT_LOGGED_IN),
    }
}

/// Whether the user may do what concerns no single key.
///
/// # Errors
/// CKR_USER_NOT_LOGGED_IN if the login has ended or is not of the role that may.
pub(super) fn may(login: &Login, command: Command) -> Result<()> {
    login.check()?;
    decide(login.role, login.user, None, false, command).map_err(|rv| refusal(rv, login.role, command))
}

/// Whether the user may do this with that object.
///
/// # Errors
/// As [`may`], and CKR_KEY_HANDLE_INVALID for a key that this user does not see, CKR_ACTION_PROHIBITED for one that it
/// sees and does not own.
pub(super) fn may_with(login: &Login, command: Command, object: &Object) -> Result<()> {
    login.check()?;
    // What belongs to nobody is everybody's.
    let owner = if object.owner == NOBODY { login.user } else { object.owner };
    decide(login.role, login.user, Some(owner), is_public(object), command)
        .map_err(|rv| refusal(rv, login.role, command))
}

/// Whether the user sees an object of that owner.
pub(super) fn sees(login: &Login, owner: UserId, public: bool) -> bool {
    decide(login.role, login.user, Some(owner), public, Command::ListKeys).is_ok()
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

    const ANN: UserId = UserId(1);
    const BEN: UserId = UserId(2);

    /// Each cell of the table once more, in AWS's words: "admin: users, passwords, list keys, set trusted; no key or
    /// crypto use" and "crypto-user: keys and crypto, own keys; public keys of all".
    #[test]
    fn officers_use_no_key_and_users_manage_no_users() {
        for command in [Command::CreateKeys, Command::UseKey, Command::UsePublicKey, Command::ManageKey] {
            assert_eq!(decide(Role::CryptoOfficer, ANN, Some(ANN), true, command), Err(ck::CKR_USER_NOT_LOGGED_IN));
        }
        for command in [Command::ManageUsers, Command::Trust, Command::Zeroize] {
            assert_eq!(decide(Role::CryptoUser, ANN, None, false, command), Err(ck::CKR_USER_NOT_LOGGED_IN));
            assert_eq!(decide(Role::CryptoOfficer, ANN, None, false, command), Ok(()));
        }
    }

    #[test]
    fn another_users_key_does_not_exist() {
        for command in [Command::UseKey, Command::ReadKey, Command::ManageKey] {
            assert_eq!(decide(Role::CryptoUser, ANN, Some(BEN), false, command), Err(ck::CKR_KEY_HANDLE_INVALID));
            assert_eq!(decide(Role::CryptoUser, BEN, Some(BEN), false, command), Ok(()));
        }
        assert_eq!(decide(Role::CryptoUser, ANN, Some(BEN), true, Command::UsePublicKey), Ok(()));
        assert_eq!(decide(Role::CryptoUser, ANN, Some(BEN), true, Command::ReadKey), Ok(()));
        assert_eq!(decide(Role::CryptoUser, ANN, Some(BEN), true, Command::ManageKey), Err(ck::CKR_ACTION_PROHIBITED));
    }
}
