//! A SoftHSM2 token, read through its own library: the token, its objects, and keys that leave it wrapped.

use std::path::{Path, PathBuf};

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_KEY_TYPE, CK_OBJECT_CLASS};
use base::secret::Secret;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeInfo, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::RawAuthPin;

use super::template::FLAGS;
use crate::output::Failure;

/// Where Debian, Fedora and a build by hand have the library.
const USUAL_PLACES: [&str; 6] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

/// Which token; with nothing, the only one.
pub(super) struct Wanted {
    pub(super) label: Option<String>,
    pub(super) slot: Option<u64>,
    pub(super) serial: Option<String>,
}

/// A token whose user is logged in, in a session that cannot write.
pub(super) struct Source {
    library: Pkcs11,
    session: Session,
}

/// What is known of one object without its key material.
pub(super) struct Found {
    pub(super) handle: ObjectHandle,
    pub(super) class: CK_OBJECT_CLASS,
    pub(super) key_type: Option<CK_KEY_TYPE>,
    pub(super) certificate_type: Option<u64>,
    /// The length of a secret key in bytes.
    pub(super) length: Option<usize>,
    pub(super) flags: Vec<(CK_ATTRIBUTE_TYPE, bool)>,
    values: Vec<(CK_ATTRIBUTE_TYPE, Secret)>,
    /// What it has that cannot be carried over: lists of mechanisms, templates, dates that SoftHSM2 does not show.
    pub(super) uncarried: Vec<&'static str>,
}

/// Loads SoftHSM2's library; another one is refused, because what is said of it here would not hold.
pub(super) fn open_library(path: Option<&Path>) -> Result<Pkcs11, Failure> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => USUAL_PLACES
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .ok_or(Failure::new("SoftHSM2's library is in none of the usual places: name it with --library"))?,
    };
    let failed = |error: Error| Failure::new(format!("{}: {}", path.display(), words(&error)));
    let library = Pkcs11::new(&path).map_err(failed)?;
    library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).map_err(failed)?;
    if !library.get_library_info().map_err(failed)?.manufacturer_id().contains("SoftHSM") {
        return Err(Failure::new(format!("{}: is not SoftHSM2's library", path.display())));
    }
    Ok(library)
}

/// The slot of the one token that is meant.
pub(super) fn find_token(library: &Pkcs11, wanted: &Wanted) -> Result<Slot, Failure> {
    let mut tokens = Vec::new();
    for slot in library.get_slots_with_initialized_token().map_err(failure)? {
        let token = library.get_token_info(slot).map_err(failure)?;
        let meant = wanted.label.as_deref().is_none_or(|label| token.label() == label)
            && wanted.serial.as_deref().is_none_or(|serial| token.serial_number() == serial)
            && wanted.slot.is_none_or(|number| slot.id() == number);
        if meant {
            tokens.push(slot);
        }
    }
    match tokens[..] {
        [token] => Ok(token),
        [] => Err(Failure::new("SoftHSM2 has no such token; softhsm2-util --show-slots lists those that there are")),
        _ => {
            Err(Failure::new(format!("{} tokens match; name one with --token-label, --serial or --slot", tokens.len())))
        }
    }
}

impl Source {
    /// Logs in to the token.
    pub(super) fn open(library: Pkcs11, slot: Slot, pin: &Secret) -> Result<Self, Failure> {
        let session = library.open_ro_session(slot).map_err(failure)?;
        // Zeroed when it is dropped.
        let pin = RawAuthPin::new(Box::new(pin.expose().to_vec()));
        session.login_with_raw(UserType::User, &pin).map_err(|error| match error {
            Error::Pkcs11(RvError::PinIncorrect, _) => Failure::new("SoftHSM2 does not accept the PIN"),
            Error::Pkcs11(RvError::PinLocked, _) => Failure::new("The PIN of the SoftHSM2 token is locked"),
            error => failure(error),
        })?;
        Ok(Self { library, session })
    }

    /// Ends the session and the library.
    pub(super) fn close(self) {
        drop(self.session);
        drop(self.library.finalize());
    }

    /// The objects of the token.
    pub(super) fn objects(&self) -> Result<Vec<ObjectHandle>, Failure> {
        self.session.find_objects(&[Attribute::Token(true)]).map_err(failure)
    }

    /// Everything of an object but key material.
    pub(super) fn read(&self, handle: ObjectHandle) -> Result<Found, String> {
        let mut found = Found {
            handle,
            class: ck::CK_UNAVAILABLE_INFORMATION,
            key_type: None,
            certificate_type: None,
            length: None,
            flags: Vec::new(),
            values: Vec::new(),
            uncarried: Vec::new(),
        };
        // One after the other: SoftHSM2 gives nothing at all where one of several is of a kind that the wrapper refuses.
        for asked in ALWAYS.iter().chain(FLAGS.iter().map(|flag| &flag.softhsm2)) {
            self.read_into(*asked, &mut found)?;
        }
        if !matches!(found.class, ck::CKO_SECRET_KEY | ck::CKO_PRIVATE_KEY) {
            self.read_into(AttributeType::Value, &mut found)?;
        }
        for (asked, name) in DATES {
            // SoftHSM2 2.6 keeps a date of a private object and does not find it any more: CKR_GENERAL_ERROR. An empty one it shows.
            if self.read_into(asked, &mut found).is_err() {
                found.uncarried.push(name);
            }
        }
        for (id, name) in UNREAD {
            let length = self.session.get_attribute_info(handle, &[AttributeType::VendorDefined(id)]);
            let length = length.map_err(|error| words(&error))?;
            if length.iter().any(|length| matches!(length, AttributeInfo::Available(1..))) {
                found.uncarried.push(name);
            }
        }
        Ok(found)
    }

    fn read_into(&self, asked: AttributeType, found: &mut Found) -> Result<(), String> {
        for attribute in self.session.get_attributes(found.handle, &[asked]).map_err(|error| words(&error))? {
            match attribute {
                Attribute::Class(class) => found.class = class.into(),
                Attribute::KeyType(key_type) => found.key_type = Some(key_type.into()),
                Attribute::CertificateType(kind) => found.certificate_type = Some(kind.into()),
                Attribute::ValueLen(length) => found.length = usize::try_from(*length).ok(),
                attribute => match flag(&attribute) {
                    Some(value) => found
                        .flags
                        .extend(FLAGS.iter().filter(|flag| flag.softhsm2 == asked).map(|flag| (flag.id, value))),
                    None => found.values.extend(bytes(attribute)),
                },
            }
        }
        Ok(())
    }

    /// Makes a key for wrapping of known value, in this session alone.
    pub(super) fn import_wrapping_key(&self, value: &Secret) -> Result<ObjectHandle, Failure> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(true),
            Attribute::Wrap(true),
            Attribute::Value(value.expose().to_vec()),
        ];
        let made = self.session.create_object(&template);
        template.into_iter().filter_map(bytes).for_each(drop);
        made.map_err(failure)
    }

    /// A key as it leaves the token: wrapped by AES key wrap with padding (RFC 5649), of what SoftHSM2 itself has filled up with
    /// zeros to a multiple of 8 bytes, so that the length in it is not that of the key.
    pub(super) fn wrap(&self, wrapping_key: ObjectHandle, key: ObjectHandle) -> Result<Vec<u8>, String> {
        self.session.wrap_key(&Mechanism::AesKeyWrapPad, wrapping_key, key).map_err(|error| words(&error))
    }

    /// The value of a key that is not sensitive, for kinds that SoftHSM2 does not wrap.
    pub(super) fn value(&self, key: ObjectHandle) -> Option<Secret> {
        let read = self.session.get_attributes(key, &[AttributeType::Value]).ok()?;
        read.into_iter().find_map(bytes).map(|(_, value)| value)
    }
}

impl Found {
    /// A value; nothing if the object has none or an empty one.
    pub(super) fn value(&self, id: CK_ATTRIBUTE_TYPE) -> Option<&[u8]> {
        let value = self.values.iter().find(|(known, _)| *known == id).map(|(_, value)| value.expose());
        value.filter(|value| !value.is_empty())
    }

    pub(super) fn is(&self, id: CK_ATTRIBUTE_TYPE) -> bool {
        self.flags.iter().any(|(known, value)| *known == id && *value)
    }

    /// The label for a report.
    pub(super) fn label(&self) -> String {
        String::from_utf8_lossy(self.value(ck::CKA_LABEL).unwrap_or_default()).into_owned()
    }
}

/// What is asked of every object; SoftHSM2 leaves out what one does not have.
const ALWAYS: [AttributeType; 15] = [
    AttributeType::Class,
    AttributeType::KeyType,
    AttributeType::CertificateType,
    AttributeType::ValueLen,
    AttributeType::Label,
    AttributeType::Id,
    AttributeType::Subject,
    AttributeType::Issuer,
    AttributeType::SerialNumber,
    AttributeType::Application,
    AttributeType::ObjectId,
    AttributeType::Modulus,
    AttributeType::PublicExponent,
    AttributeType::EcParams,
    AttributeType::EcPoint,
];

const DATES: [(AttributeType, &str); 2] =
    [(AttributeType::StartDate, "start-date"), (AttributeType::EndDate, "end-date")];

/// Of what only the length is asked, because nothing of it is carried over: the wrapper has no name for the templates, and passes a
/// number of the standard's on as it does a vendor's.
const UNREAD: [(CK_ATTRIBUTE_TYPE, &str); 4] = [
    (ck::CKA_ALLOWED_MECHANISMS, "allowed-mechanisms"),
    (ck::CKA_WRAP_TEMPLATE, "wrap-template"),
    (ck::CKA_UNWRAP_TEMPLATE, "unwrap-template"),
    (ck::CKA_DERIVE_TEMPLATE, "derive-template"),
];

const fn flag(attribute: &Attribute) -> Option<bool> {
    match attribute {
        Attribute::Encrypt(value)
        | Attribute::Decrypt(value)
        | Attribute::Sign(value)
        | Attribute::SignRecover(value)
        | Attribute::Verify(value)
        | Attribute::VerifyRecover(value)
        | Attribute::Wrap(value)
        | Attribute::Unwrap(value)
        | Attribute::Derive(value)
        | Attribute::Private(value)
        | Attribute::Sensitive(value)
        | Attribute::Extractable(value)
        | Attribute::Modifiable(value)
        | Attribute::Copyable(value)
        | Attribute::Destroyable(value)
        | Attribute::Trusted(value)
        | Attribute::WrapWithTrusted(value)
        | Attribute::AlwaysAuthenticate(value) => Some(*value),
        _ => None,
    }
}

fn bytes(attribute: Attribute) -> Option<(CK_ATTRIBUTE_TYPE, Secret)> {
    let id = attribute.attribute_type().into();
    match attribute {
        Attribute::Label(value)
        | Attribute::Id(value)
        | Attribute::Subject(value)
        | Attribute::Issuer(value)
        | Attribute::SerialNumber(value)
        | Attribute::Application(value)
        | Attribute::ObjectId(value)
        | Attribute::Modulus(value)
        | Attribute::PublicExponent(value)
        | Attribute::EcParams(value)
        | Attribute::EcPoint(value)
        | Attribute::Value(value) => Some((id, Secret::new(value))),
        Attribute::StartDate(date) | Attribute::EndDate(date) => {
            let digits = [&date.year[..], &date.month, &date.day].concat();
            Some((id, Secret::new(if date.is_empty() { Vec::new() } else { digits })))
        }
        _ => None,
    }
}

/// What SoftHSM2 answered, by the standard's name of the code.
fn words(error: &Error) -> String {
    match error {
        Error::LibraryLoading(error) => error.to_string(),
        Error::Pkcs11(code, function) => format!("SoftHSM2 answered {code:?} to {function:?}"),
        error => error.to_string(),
    }
}

fn failure(error: Error) -> Failure {
    Failure::new(words(&error))
}
