//! Whether a key may be used for something: the full question once, a remembered bit from then on.
//!
//! `Object::admitted` holds the stamp of a login and one bit for each use that the policy has allowed it. A hit is a
//! load and a compare; nothing but [`is_known`] reads it. A login's stamp is never used twice, and a changed
//! object is a new [`Object`], so a bit can only say what is still true; what another process may have changed is
//! covered by the epoch.

use std::sync::atomic::Ordering;

use base::ck::{self, CK_ULONG};
use base::error::{Error, Result};
use crypto::self_test;
use store::Kind;

use super::policy::{self, Command};
use super::quorum::{Actor, Toll};
use super::{Hsm, Login, Module, quirks};
use crate::mechanism::{Mechanism, Unit, Use};
use crate::object::{KeyMaterial, Object};

impl Module {
    /// Lets `what` be done with `object` under `mechanism`, or says why not.
    ///
    /// # Errors
    /// CKR_USER_NOT_LOGGED_IN, CKR_KEY_HANDLE_INVALID for a key that is gone or not seen, CKR_KEY_TYPE_INCONSISTENT,
    /// CKR_KEY_SIZE_RANGE, CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_MECHANISM_INVALID for one that the key does not allow.
    #[inline]
    pub fn admit(&self, login: Option<&Login>, object: &Object, mechanism: &Mechanism, what: Use) -> Result<()> {
        if is_known(login, object, mechanism, what)? {
            Ok(())
        } else {
            self.consider(login.map(Actor::from), object, mechanism, what)?.none()
        }
    }

    /// The same for a request that may come with the approvals of a quorum: gives back what is to be paid.
    ///
    /// # Errors
    /// As [`Module::admit`].
    pub(super) fn admit_approved(
        &self,
        actor: Option<Actor<'_>>,
        object: &Object,
        mechanism: &Mechanism,
        what: Use,
    ) -> Result<Toll> {
        if is_known(actor.map(|actor| actor.login), object, mechanism, what)? {
            return Ok(Toll::NOTHING);
        }
        self.consider(actor, object, mechanism, what)
    }

    /// As [`Module::admit`], for a call that works with the key: the HSM counts it.
    ///
    /// # Errors
    /// As [`Module::admit`], and CKR_FUNCTION_FAILED from an HSM that is busy.
    #[inline]
    pub fn admit_use(&self, login: Option<&Login>, object: &Object, mechanism: &Mechanism, what: Use) -> Result<()> {
        if is_known(login, object, mechanism, what)? {
            Ok(())
        } else {
            self.consider_use(login, object, mechanism, what)
        }
    }

    /// Lets the attributes of `object` be read, or says why not.
    ///
    /// # Errors
    /// CKR_USER_NOT_LOGGED_IN after the end of the login, CKR_KEY_HANDLE_INVALID or CKR_OBJECT_HANDLE_INVALID for an object
    /// that the caller does not see.
    #[inline]
    pub fn may_read(&self, login: Option<&Login>, object: &Object) -> Result<()> {
        self.take_certificate_turn(object.class, false)?;
        match login {
            // The owner's own, which the table lets it read.
            Some(login) if login.user == object.owner => login.check(),
            Some(login) => policy::may_with(login, Command::ReadKey, object),
            None if object.is(ck::CKA_PRIVATE) => {
                Err(Error::new(ck::CKR_OBJECT_HANDLE_INVALID, "the object is seen by its owner only"))
            }
            None => Ok(()),
        }
    }

    #[cold]
    fn consider_use(&self, login: Option<&Login>, object: &Object, mechanism: &Mechanism, what: Use) -> Result<()> {
        if object.class != ck::CKO_PUBLIC_KEY {
            self.take_turn()?;
        }
        self.consider(login.map(Actor::from), object, mechanism, what)?.none()
    }

    #[cold]
    fn consider(&self, actor: Option<Actor<'_>>, object: &Object, mechanism: &Mechanism, what: Use) -> Result<Toll> {
        let login = actor.map(|actor| actor.login);
        self.revalidate(login, object)?;
        if object.is_destroyed() {
            return Err(GONE);
        }
        if let Some(family) = object.material.shape().self_test() {
            self_test::ready(family)?;
        }
        let command = match what {
            Use::Verify | Use::Encrypt if object.class == ck::CKO_PUBLIC_KEY => Command::UsePublicKey,
            Use::Wrap | Use::Unwrap => Command::WrapWith,
            Use::Derive => Command::DeriveFrom,
            _ => Command::UseKey,
        };
        let toll = match actor {
            Some(actor) => policy::may_approved(actor, command, object)?,
            None if policy::is_public(object) && self.dialect().open(object.class) => Toll::NOTHING,
            None => return Err(Error::new(ck::CKR_USER_NOT_LOGGED_IN, "using a key needs a login")),
        };
        if what.attribute().is_some_and(|attribute| !object.is(attribute)) {
            return Err(Error::with(
                ck::CKR_KEY_FUNCTION_NOT_PERMITTED,
                format!("the key's attributes do not allow {what:?}"),
            ));
        }
        // An empty list is that of a key for which nobody has made one.
        let allowed = object.attributes.get(ck::CKA_ALLOWED_MECHANISMS).filter(|list| !list.is_empty());
        if allowed.is_some_and(|list| !list.chunks_exact(8).any(|id| id == mechanism.id.to_ne_bytes())) {
            return Err(Error::new(
                ck::CKR_MECHANISM_INVALID,
                "CKA_ALLOWED_MECHANISMS of the key does not name the mechanism",
            ));
        }
        let (smallest, largest) = mechanism.sizes(self.regime());
        let size = size(object, mechanism.keys.unit);
        if size.is_some_and(|size| !(smallest..=largest).contains(&size)) {
            return Err(Error::with(
                ck::CKR_KEY_SIZE_RANGE,
                format!("{} works with keys of {smallest} to {largest}, not {}", mechanism.name, size.unwrap_or(0)),
            ));
        }
        quirks::check_available(self.dialect(), object)?;
        // A key that allows single mechanisms or needs a quorum is asked each time, and an HSM that counts for each use.
        if let (Some(login), None, None, true) = (login, allowed, &self.throttle, toll.is_nothing()) {
            remember(login.stamp, object, what.bit());
        }
        Ok(toll)
    }

    /// Makes sure that `object` is the newest version, if another process has changed something.
    fn revalidate(&self, login: Option<&Login>, object: &Object) -> Result<()> {
        let Some(id) = object.stored_as() else { return Ok(()) };
        let hsm = match login {
            Some(login) => std::sync::Arc::clone(&login.hsm),
            None => self.hsm()?,
        };
        hsm.revalidate(object, id.0)
    }

    /// Whether `object` is still the newest version of what it was; marks it if not.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn is_newest(&self, object: &Object) -> Result<bool> {
        if object.id.is_some() && object.is_current() {
            self.revalidate(None, object)?;
        }
        Ok(object.is_current())
    }
}

impl Hsm {
    fn revalidate(&self, object: &Object, id: u64) -> Result<()> {
        let epoch = self.epoch();
        if object.validated.load(Ordering::Acquire) == epoch {
            return Ok(());
        }
        match self.store.version(Kind::Object, id)? {
            Some(version) if version == object.version => object.validated.store(epoch, Ordering::Release),
            Some(_) => object.mark_superseded(),
            None => object.mark_destroyed(),
        }
        Ok(())
    }
}

const GONE: Error = Error::new(ck::CKR_KEY_HANDLE_INVALID, "the key has been destroyed");

/// Whether the policy is known to allow `what` with `object`; an error if the mechanism does not fit the key.
#[inline]
fn is_known(login: Option<&Login>, object: &Object, mechanism: &Mechanism, what: Use) -> Result<bool> {
    // What the row says of the key is compared each time: two keys of one type may meet different rows.
    if !mechanism.keys.types.contains(&object.key_type)
        || object.class != mechanism.class(what)
        || object.material.shape() != mechanism.keys.shape
    {
        return Err(Error::with(
            ck::CKR_KEY_TYPE_INCONSISTENT,
            format!("{} does not {what:?} with this kind of key", mechanism.name),
        ));
    }
    if let Some(login) = login
        && object.admitted.load(Ordering::Acquire) & mask(u32::MAX, what.bit()) == mask(login.stamp, what.bit())
    {
        let epoch = login.epoch();
        return Ok(object.is_newest_at(epoch) && login.holds_at(epoch));
    }
    Ok(false)
}

/// The bit that stands, beside those of the uses, for a key that is known to be shared with the user.
const SHARED: u16 = 1 << 15;
const _: () = assert!(Use::ALL.len() < 15, "the bit of sharing is none of a use");

/// Whether the key of another user is known to be shared with the one of this login. A key whose sharing changes has a new
/// version, so what is remembered of this one holds as long as it is the newest.
pub(super) fn is_known_to_share(login: &Login, object: &Object) -> bool {
    object.admitted.load(Ordering::Acquire) & mask(u32::MAX, SHARED) == mask(login.stamp, SHARED)
        && object.is_newest_at(login.epoch())
}

pub(super) fn remember_sharing(login: &Login, object: &Object) {
    remember(login.stamp, object, SHARED);
}

/// A bit under the stamp of a login.
const fn mask(stamp: u32, bit: u16) -> u64 {
    ((stamp as u64) << 32) | bit as u64
}

fn remember(stamp: u32, object: &Object, bit: u16) {
    let mut known = object.admitted.load(Ordering::Acquire);
    loop {
        // Another login's bits are not this one's.
        let base = if known >> 32 == u64::from(stamp) { known } else { u64::from(stamp) << 32 };
        match object.admitted.compare_exchange_weak(known, base | mask(stamp, bit), Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => return,
            Err(newer) => known = newer,
        }
    }
}

/// The size of a key in a mechanism's unit.
fn size(object: &Object, unit: Unit) -> Option<CK_ULONG> {
    match (unit, &object.material) {
        (Unit::Bytes, KeyMaterial::Secret(key)) => Some(key.bytes().len() as CK_ULONG),
        (Unit::Bits, KeyMaterial::RsaPublic(key)) => Some(CK_ULONG::from(key.modulus_bits())),
        (Unit::Bits, KeyMaterial::RsaPrivate(key)) => Some(key.components().modulus_bits() as CK_ULONG),
        (Unit::Bits, KeyMaterial::EcPublic(key)) => Some(CK_ULONG::from(key.curve().bits())),
        (Unit::Bits, KeyMaterial::EcPrivate(key)) => Some(CK_ULONG::from(key.curve().bits())),
        _ => None,
    }
}
