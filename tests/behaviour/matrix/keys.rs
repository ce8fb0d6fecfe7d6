//! Keys of every kind, each with every use that AWS's attribute tables let it have, or with all but one.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use super::functions::Function;
use super::secure;
use super::table::Setting;
use crate::support::*;

pub(super) const CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN: CK_MECHANISM_TYPE = CKM_VENDOR_DEFINED | 0x1C;
const CKA_CLOUDHSM_PARAMETER_SET: CK_ATTRIBUTE_TYPE = CKA_VENDOR_DEFINED | 0x61D;
const CKP_CLOUDHSM_ML_DSA_44: CK_ULONG = 0x8000_0001;
/// Three keys with odd parity.
const DES3: &str = "0123456789abcdef 23456789abcdef01 456789abcdef0123";

/// What a key is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Kind {
    Aes,
    Des3,
    Generic,
    Rsa,
    Ec,
    /// Ed25519 under CKK_EC.
    Ed25519,
    /// Ed25519 under CKK_EC_EDWARDS.
    Edwards,
    CloudhsmMlDsa,
    MlDsa,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Half {
    Secret,
    Public,
    Private,
}

impl Kind {
    pub(super) const ALL: [Self; 9] = [
        Self::Aes,
        Self::Des3,
        Self::Generic,
        Self::Rsa,
        Self::Ec,
        Self::Ed25519,
        Self::Edwards,
        Self::CloudhsmMlDsa,
        Self::MlDsa,
    ];

    pub(super) fn named(name: &str) -> Result<Self, String> {
        Ok(match name {
            "aes" => Self::Aes,
            "des3" => Self::Des3,
            "generic" => Self::Generic,
            "rsa" => Self::Rsa,
            "ec" => Self::Ec,
            "ed25519" => Self::Ed25519,
            "edwards" => Self::Edwards,
            "cloudhsm-ml-dsa" => Self::CloudhsmMlDsa,
            "ml-dsa" => Self::MlDsa,
            other => return Err(format!("no kind of key: {other}")),
        })
    }

    pub(super) fn halves(self) -> &'static [Half] {
        match self {
            Self::Aes | Self::Des3 | Self::Generic => &[Half::Secret],
            _ => &[Half::Public, Half::Private],
        }
    }

    /// Whether such keys exist in a setting. Ed25519 does not in FIPS mode (User Guide, pkcs11-key-types); the
    /// standard's own types are none of AWS's, and AWS's own type for Ed25519 is none of the standard's (3.2, 6.3.9).
    pub(super) fn exists(self, setting: Setting) -> bool {
        match self {
            Self::Ed25519 => !setting.is_standard() && !setting.fips,
            Self::Edwards => setting.is_standard() && !setting.fips,
            Self::MlDsa => setting.is_standard(),
            _ => true,
        }
    }

    /// The uses that it can have (User Guide, pkcs11-attributes).
    fn uses(self, half: Half) -> &'static [CK_ATTRIBUTE_TYPE] {
        match (self, half) {
            (Self::Generic, _) => &[CKA_SIGN, CKA_VERIFY, CKA_DERIVE],
            (_, Half::Secret) => &[CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE],
            (Self::Rsa, Half::Public) => &[CKA_ENCRYPT, CKA_VERIFY, CKA_WRAP],
            (Self::Rsa, Half::Private) => &[CKA_DECRYPT, CKA_SIGN, CKA_UNWRAP],
            (Self::Ec, Half::Private) => &[CKA_SIGN, CKA_DERIVE],
            (_, Half::Public) => &[CKA_VERIFY],
            (_, Half::Private) => &[CKA_SIGN],
        }
    }

    /// What a template for new keys of this kind wants besides uses: the secret or public one, and the private one.
    pub(super) fn generation(self) -> (Template, Template) {
        let new = Template::new;
        match self {
            Self::Aes | Self::Generic => (new().number(CKA_VALUE_LEN, 32), new()),
            Self::Des3 => (new(), new()),
            Self::Rsa => (new().number(CKA_MODULUS_BITS, 2048).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]), new()),
            Self::Ec => (new().bytes(CKA_EC_PARAMS, P256), new()),
            Self::Ed25519 | Self::Edwards => (new().bytes(CKA_EC_PARAMS, EDWARDS25519), new()),
            Self::CloudhsmMlDsa => {
                let set = new().number(CKA_CLOUDHSM_PARAMETER_SET, CKP_CLOUDHSM_ML_DSA_44);
                (set.clone(), set)
            }
            Self::MlDsa => (new().number(CKA_PARAMETER_SET, CKP_ML_DSA_44), new()),
        }
    }
}

type Which = (Kind, Half, Option<CK_ATTRIBUTE_TYPE>);

/// The keys of one process, made when they are first asked for and kept by a session of their own.
pub(super) struct Keys {
    pub(super) session: Session,
    setting: Setting,
    made: RefCell<BTreeMap<Which, CK_OBJECT_HANDLE>>,
    derives: RefCell<BTreeMap<Kind, CK_OBJECT_HANDLE>>,
    payload: OnceCell<CK_OBJECT_HANDLE>,
}

impl Keys {
    pub(super) fn new(session: Session, setting: Setting) -> Self {
        Self { session, setting, made: RefCell::default(), derives: RefCell::default(), payload: OnceCell::new() }
    }

    /// The right key for a function: one with all uses; in secure mode, for wrapping and unwrapping, one that has no others
    /// and is trusted (rules R1, R2 and R4).
    pub(super) fn for_function(&self, kind: Kind, function: Function) -> CK_OBJECT_HANDLE {
        if self.setting.secure && function.transports() && matches!(kind, Kind::Aes | Kind::Rsa) {
            return secure::trusted(self.session, kind, function);
        }
        if self.setting.secure && function == Function::Derive && matches!(kind, Kind::Aes | Kind::Des3 | Kind::Generic)
        {
            return self.only_derives(kind);
        }
        self.whole(kind, function.half(kind))
    }

    /// R9: a secret key from which others are derived and that does nothing else.
    fn only_derives(&self, kind: Kind) -> CK_OBJECT_HANDLE {
        *self.derives.borrow_mut().entry(kind).or_insert_with(|| {
            let value = match kind {
                Kind::Aes => plain_aes_value(&[7; 32]),
                Kind::Des3 => secret(CKK_DES3).bytes(CKA_VALUE, &hex(DES3)),
                _ => plain_generic_value(&[7; 32]),
            };
            self.session.create(&value.on(&[CKA_DERIVE])).expect("C_CreateObject")
        })
    }

    /// A key with all uses.
    pub(super) fn whole(&self, kind: Kind, half: Half) -> CK_OBJECT_HANDLE {
        self.get((kind, half, None))
    }

    /// A key with all uses but that of a function.
    pub(super) fn without(&self, kind: Kind, function: Function, missing: CK_ATTRIBUTE_TYPE) -> CK_OBJECT_HANDLE {
        self.get((kind, function.half(kind), Some(missing)))
    }

    /// A key that has just been destroyed.
    pub(super) fn destroyed(&self, kind: Kind, half: Half) -> CK_OBJECT_HANDLE {
        let key = self.make((kind, half, None));
        self.session.destroy(key).expect("C_DestroyObject");
        key
    }

    /// An AES key that may leave the HSM, which in `standard` is not the default.
    pub(super) fn payload(&self) -> CK_OBJECT_HANDLE {
        *self.payload.get_or_init(|| {
            // 128 bits, which RSA-3072 may carry in secure mode (R6).
            let template = plain_aes_value(&[8; 16]).on(&[CKA_EXTRACTABLE]);
            self.session.create(&template).expect("C_CreateObject")
        })
    }

    fn get(&self, which: Which) -> CK_OBJECT_HANDLE {
        if let Some(key) = self.made.borrow().get(&which) {
            return *key;
        }
        let key = self.make(which);
        self.made.borrow_mut().insert(which, key);
        key
    }

    fn make(&self, (kind, half, missing): Which) -> CK_OBJECT_HANDLE {
        let session = self.session;
        assert!(kind.exists(self.setting), "{kind:?} in {:?}", self.setting);
        let uses = |template: Template, half: Half, missing: Option<CK_ATTRIBUTE_TYPE>| {
            // R2 and R9: what does anything else neither wraps nor unwraps, nor are secret keys derived from it.
            let apart: &[_] = match (self.setting.secure, half) {
                (false, _) => &[],
                (true, Half::Secret) => &[CKA_WRAP, CKA_UNWRAP, CKA_DERIVE],
                (true, _) => &[CKA_WRAP, CKA_UNWRAP],
            };
            let has = |id: CK_ATTRIBUTE_TYPE| Some(id) != missing && !apart.contains(&id);
            kind.uses(half).iter().fold(template, |template, id| template.flag(*id, has(*id)))
        };
        let imported = match (kind, half) {
            (Kind::Aes, _) => Some(plain_aes_value(&[7; 32])),
            (Kind::Generic, _) => Some(plain_generic_value(&[7; 32])),
            (Kind::Des3, _) => Some(secret(CKK_DES3).bytes(CKA_VALUE, &hex(DES3))),
            (Kind::Rsa, Half::Public) => Some(rsa_public_value()),
            (Kind::Rsa, _) => Some(rsa_private_value()),
            (Kind::Ec, Half::Public) => Some(ec_public_value()),
            (Kind::Ec, _) => Some(ec_private_value()),
            _ => None,
        };
        if let Some(template) = imported {
            let made = session.create(&uses(template, half, missing));
            return made.unwrap_or_else(|rv| panic!("C_CreateObject of {kind:?} {half:?}: {rv:?}"));
        }
        let mechanism = match kind {
            Kind::Ed25519 => CKM_EC_KEY_PAIR_GEN,
            Kind::Edwards => CKM_EC_EDWARDS_KEY_PAIR_GEN,
            Kind::MlDsa => CKM_ML_DSA_KEY_PAIR_GEN,
            _ => CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN,
        };
        let (public, private) = kind.generation();
        let (public, private) = (uses(public, Half::Public, missing), uses(private, Half::Private, missing));
        let (public, private) = session
            .generate_pair(mechanism, &public, &private)
            .unwrap_or_else(|rv| panic!("C_GenerateKeyPair of {kind:?}: {rv:?}"));
        // The other half has all uses but the same one: it serves whoever asks for it next.
        let (key, other, other_half) =
            if half == Half::Public { (public, private, Half::Private) } else { (private, public, Half::Public) };
        if missing.is_none() {
            self.made.borrow_mut().entry((kind, other_half, None)).or_insert(other);
        }
        key
    }
}

/// The head of a template for a secret key.
pub(super) fn secret(key_type: CK_KEY_TYPE) -> Template {
    Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, key_type)
}
