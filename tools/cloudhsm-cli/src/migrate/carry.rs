//! One object after the other from the token into the HSM.
//!
//! A secret or private key leaves SoftHSM2 wrapped under an AES key that both sides hold for the length of the run, in a
//! session and nowhere else, and is unwrapped inside the HSM: it is in the clear in neither program. The few kinds that SoftHSM2
//! does not wrap are read, if they are not sensitive.

use std::sync::Arc;

use base::ck::{self, CK_MECHANISM_TYPE};
use base::error::{self, Error};
use base::secret::Secret;
use cryptoki::object::ObjectHandle;
use hsm::mechanism::{self, Parameter, Use};
use hsm::module::{self, Login, Module, Sharing, Tool};
use hsm::object::rules::{Kind, Making};
use hsm::object::{Object, Template};

use super::source::{Found, Source};
use super::template::{self, Drafted, push};
use crate::output::Failure;

/// What becomes of an object.
pub(super) enum Fate {
    /// It is here now, under this reference if it was kept; what of it could not be carried over.
    Moved { reference: Option<String>, lost: Vec<&'static str> },
    /// It is here already.
    Present,
    /// It stays where it is, for this reason.
    Left(String),
}

/// The way into the HSM.
pub(super) struct Carrier<'a> {
    module: &'a Module,
    login: &'a Login,
    source: &'a Source,
    dry_run: bool,
    /// The mechanism under which keys come, which is served here.
    mechanism: CK_MECHANISM_TYPE,
    /// The wrapping key, there and here.
    there: ObjectHandle,
    here: Arc<Object>,
}

/// How an object enters.
enum Way {
    Created,
    Wrapped(Vec<u8>),
    Read(Secret),
}

impl Way {
    const fn making(&self) -> Making {
        match self {
            Self::Wrapped(_) => Making::Unwrap,
            Self::Created | Self::Read(_) => Making::Create,
        }
    }
}

impl<'a> Carrier<'a> {
    /// Gives both sides a wrapping key.
    pub(super) fn new(
        module: &'a Module,
        login: &'a Login,
        source: &'a Source,
        dry_run: bool,
    ) -> Result<Self, Failure> {
        let value = Secret::made(32, module::generate_random)?;
        let template = Template::of(&[
            (ck::CKA_CLASS, &ck::CKO_SECRET_KEY.to_ne_bytes()),
            (ck::CKA_KEY_TYPE, &ck::CKK_AES.to_ne_bytes()),
            (ck::CKA_TOKEN, &[ck::CK_FALSE]),
            (ck::CKA_EXTRACTABLE, &[ck::CK_FALSE]),
            (ck::CKA_UNWRAP, &[ck::CK_TRUE]),
            (ck::CKA_VALUE, value.expose()),
        ])?;
        let here = module.create_object(Some(login), &template)?;
        // RFC 5649 by the name that the dialect has for it.
        let names = [ck::vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, ck::CKM_AES_KEY_WRAP_KWP];
        let served = |id: &&CK_MECHANISM_TYPE| {
            mechanism::find(**id).is_some_and(|row| row.uses(module.regime()) & Use::Unwrap.bit() != 0)
        };
        let mechanism = *names
            .iter()
            .find(served)
            .ok_or(Failure::new("The HSM does not unwrap keys in the form in which SoftHSM2 wraps them"))?;
        Ok(Self { module, login, source, dry_run, mechanism, there: source.import_wrapping_key(&value)?, here })
    }

    /// Brings one object over, or says why not.
    pub(super) fn carry(&self, found: &Found) -> Result<Fate, Failure> {
        // What ends the login ends the run; everything else is said of the object.
        self.login.check()?;
        let Some(kind) = template::kind_of(found, self.module.regime()) else {
            return Ok(Fate::Left(self.not_served(found)));
        };
        let way = match self.way(found) {
            Ok(way) => way,
            Err(reason) => return Ok(Fate::Left(reason)),
        };
        Ok(self.enter(found, kind, &way).unwrap_or_else(|error| Fate::Left(error.message().to_owned())))
    }

    /// How the object leaves SoftHSM2.
    fn way(&self, found: &Found) -> Result<Way, String> {
        if !matches!(found.class, ck::CKO_SECRET_KEY | ck::CKO_PRIVATE_KEY) {
            return Ok(Way::Created);
        }
        if !found.is(ck::CKA_EXTRACTABLE) {
            return Err("the key is not extractable, so it cannot leave SoftHSM2 (CKA_EXTRACTABLE)".to_owned());
        }
        match self.source.wrap(self.there, found.handle) {
            Ok(wrapped) => self.exact(found, wrapped).map(Way::Wrapped).map_err(|error| error.message().to_owned()),
            Err(_) if found.is(ck::CKA_WRAP_WITH_TRUSTED) => {
                Err("the key leaves SoftHSM2 only under a key that its security officer trusts (CKA_WRAP_WITH_TRUSTED)"
                    .to_owned())
            }
            Err(reason) if found.is(ck::CKA_SENSITIVE) => Err(format!("the key cannot be wrapped: {reason}")),
            // RSA keys have no one value; SoftHSM2 wraps them.
            Err(reason) => self.source.value(found.handle).map(Way::Read).ok_or(reason),
        }
    }

    /// The wrapped key without the zeros that SoftHSM2 puts behind it (2.6.1 does, up to a multiple of 8 bytes), wrapped anew.
    /// The HSM would take them for a part of the key.
    fn exact(&self, found: &Found, wrapped: Vec<u8>) -> error::Result<Vec<u8>> {
        let length = match found.class {
            ck::CKO_SECRET_KEY => {
                let known = found.length.or((found.key_type == Some(ck::CKK_DES3)).then_some(DES3_LENGTH));
                Some(known.ok_or(NO_LENGTH)?)
            }
            _ => None,
        };
        self.module.rewrap_without_filling(self.tool()?, wrapped, length)
    }

    /// The HSM's side of the wrapping key, at work.
    fn tool(&self) -> error::Result<Tool<'_>> {
        let key = || Ok(Arc::clone(&self.here));
        self.module.tool(Some(self.login.into()), Use::Unwrap, self.mechanism, key, |_| Ok(Parameter::None))
    }

    fn enter(&self, found: &Found, kind: &'static Kind, way: &Way) -> error::Result<Fate> {
        let drafted = |token| template::draft(found, kind, way.making(), self.module.regime(), token);
        let Drafted { template, lost } = drafted(true)?;
        let twins = self.namesakes(found, kind)?;
        // A certificate that is in no token does not exist in every dialect; its value says all of it.
        let has_value = matches!(kind.class, ck::CKO_CERTIFICATE | ck::CKO_DATA);
        let present = if has_value {
            twins.iter().any(|twin| twin.attributes.get(ck::CKA_VALUE) == found.value(ck::CKA_VALUE))
        } else if twins.is_empty() && !self.dry_run {
            false
        } else {
            let new = self.make(found, way, drafted(false)?.template)?;
            let owned = twins.iter().filter(|twin| twin.owner == new.owner);
            owned.map(|twin| self.is_same(twin, &new)).collect::<error::Result<Vec<_>>>()?.contains(&true)
        };
        if present {
            return Ok(Fate::Present);
        }
        if self.dry_run {
            return Ok(Fate::Moved { reference: None, lost });
        }
        let new = self.make(found, way, template)?;
        Ok(Fate::Moved { reference: new.id.map(|id| format!("{:#018x}", id.0)), lost })
    }

    fn make(&self, found: &Found, way: &Way, mut template: Template) -> error::Result<Arc<Object>> {
        match way {
            Way::Created => self.module.create_object(Some(self.login), &template),
            Way::Read(value) => {
                push(&mut template, ck::CKA_VALUE, value.expose())?;
                if found.class == ck::CKO_PRIVATE_KEY && template.get(ck::CKA_EC_PARAMS).is_none() {
                    push(&mut template, ck::CKA_EC_PARAMS, found.value(ck::CKA_EC_PARAMS).unwrap_or_default())?;
                }
                self.module.create_object(Some(self.login), &template)
            }
            Way::Wrapped(wrapped) => self.module.unwrap_key(self.tool()?, wrapped, &template, &Sharing::default()),
        }
    }

    /// What is here under the same class, type, label and id.
    fn namesakes(&self, found: &Found, kind: &Kind) -> error::Result<Vec<Arc<Object>>> {
        let mut template = Template::of(&[(ck::CKA_CLASS, &kind.class.to_ne_bytes())])?;
        if let Some(key_type) = kind.key_type {
            push(&mut template, ck::CKA_KEY_TYPE, &key_type.to_ne_bytes())?;
        }
        push(&mut template, ck::CKA_LABEL, found.value(ck::CKA_LABEL).unwrap_or_default())?;
        if kind.rule(ck::CKA_ID).is_some() {
            push(&mut template, ck::CKA_ID, found.value(ck::CKA_ID).unwrap_or_default())?;
        }
        self.module.find(Some(self.login), &template, &|_| None)
    }

    /// Whether two keys of one kind are the same key: the same secret, the same public key.
    fn is_same(&self, one: &Object, other: &Object) -> error::Result<bool> {
        if let Some(same) = self.module.is_same_secret(self.login, one, other)? {
            return Ok(same);
        }
        let modulus = |object: &Object| object.attributes.get(ck::CKA_MODULUS).map(<[u8]>::to_vec);
        let point = |object: &Object| Ok::<_, Error>(self.module.figures(self.login, object)?.point);
        Ok(modulus(one) == modulus(other) && point(one)? == point(other)?)
    }

    fn not_served(&self, found: &Found) -> String {
        match found.class {
            ck::CKO_CERTIFICATE => {
                "certificate storage is off: configure-pkcs11 --enable-certificate-storage, and run this again"
                    .to_owned()
            }
            ck::CKO_DATA => "a CloudHSM has no data objects; an HSM with profile = \"standard\" has".to_owned(),
            _ => match found.key_type {
                Some(key_type) => {
                    format!("the HSM has no keys of this type ({})", template::key_type_word(key_type))
                }
                None => "the HSM has no objects of this class".to_owned(),
            },
        }
    }
}

const NO_LENGTH: Error =
    Error::new(ck::CKR_WRAPPED_KEY_INVALID, "SoftHSM2 does not tell how long the key is that it has wrapped");
/// The length of a triple-DES key in bytes, which SoftHSM2 does not tell.
const DES3_LENGTH: usize = 24;
