//! The ground on which an attack is tried: a session of the attacker's, keys worth having, and calls that tell what became
//! of them.

use crate::support::*;

/// What became of an attack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// A call of the sequence is refused by a rule.
    Refused(&'static str, Rv),
    /// A call of the sequence needs a function, a mechanism or an attribute that is not there.
    NotOffered(&'static str, Rv),
    /// Every call is answered, and the attacker has nothing that he should not have.
    Nothing,
    /// It succeeds.
    Gained,
}

/// An attack that comes to its end, or the call at which it stops.
pub(super) type Found = Result<Outcome, Outcome>;

/// The key that an attack is after: how its owner has protected it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Victim {
    /// Sensitive, and otherwise free to leave wrapped.
    Extractable,
    /// CKA_EXTRACTABLE is false.
    Unextractable,
    /// CKA_WRAP_WITH_TRUSTED is true.
    TrustedOnly,
}

impl Victim {
    pub(super) const ALL: [Self; 3] = [Self::Extractable, Self::Unextractable, Self::TrustedOnly];

    fn template(self) -> Template {
        let template = Template::new().number(CKA_VALUE_LEN, 32).label("victim").on(&[CKA_SENSITIVE]);
        match self {
            Self::Extractable => template.on(&[CKA_EXTRACTABLE]),
            Self::Unextractable => template.off(&[CKA_EXTRACTABLE]),
            Self::TrustedOnly => template.on(&[CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED]),
        }
    }
}

/// The attacker's own AES key.
pub(super) const KNOWN: [u8; 32] = [0x5A; 32];

pub(super) struct Ground {
    pub(super) session: Session,
}

/// The flag of `CK_MECHANISM_INFO` for a call.
fn flag_of(call: &str) -> CK_FLAGS {
    match call {
        "C_WrapKey" => CKF_WRAP,
        "C_UnwrapKey" => CKF_UNWRAP,
        "C_Encrypt" => CKF_ENCRYPT,
        "C_Decrypt" => CKF_DECRYPT,
        "C_Sign" => CKF_SIGN,
        "C_DeriveKey" => CKF_DERIVE,
        "C_GenerateKeyPair" => CKF_GENERATE_KEY_PAIR,
        _ => CKF_GENERATE,
    }
}

/// What a call without a mechanism answers.
pub(super) fn at<T>(call: &'static str, answer: Answer<T>) -> Result<T, Outcome> {
    answer.map_err(|rv| match rv.0 {
        CKR_FUNCTION_NOT_SUPPORTED => Outcome::NotOffered(call, rv),
        _ => Outcome::Refused(call, rv),
    })
}

/// What a call with a mechanism answers: a mechanism that nobody is offered for this call is no refusal by a rule.
pub(super) fn by<T>(call: &'static str, mechanism: CK_MECHANISM_TYPE, answer: Answer<T>) -> Result<T, Outcome> {
    answer.map_err(|rv| {
        let mut information = CK_MECHANISM_INFO::default();
        let known = call!(C_GetMechanismInfo(SLOT, mechanism, &raw mut information)) == CKR_OK;
        let offered = known && information.flags & flag_of(call) != 0;
        if rv.0 == CKR_MECHANISM_INVALID && !offered {
            Outcome::NotOffered(call, rv)
        } else {
            Outcome::Refused(call, rv)
        }
    })
}

impl Ground {
    pub(super) fn new() -> Self {
        let session = Session::open();
        session.login(ALICE).unwrap();
        Self { session }
    }

    /// Whom the session belongs to from now on.
    pub(super) fn become_user(&self, user: CK_USER_TYPE, pin: &str) -> Result<(), Outcome> {
        let _ = self.session.logout();
        let answer = self.session.login_as(user, pin);
        if answer.is_err() {
            self.session.login(ALICE).unwrap();
        }
        answer.map_err(|rv| match rv.0 {
            CKR_USER_TYPE_INVALID => Outcome::NotOffered("C_Login", rv),
            _ => Outcome::Refused("C_Login", rv),
        })
    }

    /// Runs calls as the officer; the attacker is logged in again afterwards.
    pub(super) fn as_officer<T>(&self, calls: impl FnOnce() -> Result<T, Outcome>) -> Result<T, Outcome> {
        self.become_user(CKU_SO, OFFICER)?;
        let done = calls();
        self.become_user(CKU_USER, ALICE)?;
        done
    }

    /// A key that is worth having.
    pub(super) fn victim(&self, victim: Victim) -> CK_OBJECT_HANDLE {
        self.session.generate(CKM_AES_KEY_GEN, &victim.template()).unwrap()
    }

    /// The only object with a label, made before.
    pub(super) fn prepared(&self, label: &str) -> CK_OBJECT_HANDLE {
        let found = self.session.labelled(label);
        assert_eq!(found.len(), 1, "{label}");
        found[0]
    }

    /// C_GenerateKey for AES.
    pub(super) fn generate(&self, template: &Template) -> Result<CK_OBJECT_HANDLE, Outcome> {
        self.generate_of(32, template)
    }

    pub(super) fn generate_of(&self, length: CK_ULONG, template: &Template) -> Result<CK_OBJECT_HANDLE, Outcome> {
        let template = Template::new().number(CKA_VALUE_LEN, length).and(template);
        by("C_GenerateKey", CKM_AES_KEY_GEN, self.session.generate(CKM_AES_KEY_GEN, &template))
    }

    /// C_GenerateKeyPair for RSA.
    pub(super) fn pair(
        &self,
        bits: CK_ULONG,
        public: &[CK_ATTRIBUTE_TYPE],
        private: &[CK_ATTRIBUTE_TYPE],
    ) -> Result<(CK_OBJECT_HANDLE, CK_OBJECT_HANDLE), Outcome> {
        let mechanism = CKM_RSA_PKCS_KEY_PAIR_GEN;
        let numbers = Template::new().number(CKA_MODULUS_BITS, bits).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]);
        let (public, private) = (numbers.on(public), Template::new().on(private));
        by("C_GenerateKeyPair", mechanism, self.session.generate_pair(mechanism, &public, &private))
    }

    pub(super) fn create(&self, template: &Template) -> Result<CK_OBJECT_HANDLE, Outcome> {
        at("C_CreateObject", self.session.create(template))
    }

    pub(super) fn set(&self, key: CK_OBJECT_HANDLE, template: &Template) -> Result<(), Outcome> {
        at("C_SetAttributeValue", self.session.set(key, template))
    }

    pub(super) fn copy(&self, key: CK_OBJECT_HANDLE, template: &Template) -> Result<CK_OBJECT_HANDLE, Outcome> {
        at("C_CopyObject", self.session.copy(key, template))
    }

    pub(super) fn read(&self, key: CK_OBJECT_HANDLE, id: CK_ATTRIBUTE_TYPE) -> Result<Vec<u8>, Outcome> {
        at("C_GetAttributeValue", self.session.read(key, id))
    }

    pub(super) fn wrap_by(
        &self,
        mut mechanism: Mechanism<'_>,
        wrapping: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
    ) -> Result<Vec<u8>, Outcome> {
        by("C_WrapKey", mechanism.id(), self.session.wrap(&mut mechanism, wrapping, key))
    }

    pub(super) fn unwrap_by(
        &self,
        mut mechanism: Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        wrapped: &[u8],
        template: &Template,
    ) -> Result<CK_OBJECT_HANDLE, Outcome> {
        by("C_UnwrapKey", mechanism.id(), self.session.unwrap(&mut mechanism, key, wrapped, template))
    }

    pub(super) fn encrypt(
        &self,
        mut mechanism: Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Result<Vec<u8>, Outcome> {
        by("C_Encrypt", mechanism.id(), self.session.encrypt(&mut mechanism, key, data))
    }

    pub(super) fn decrypt(
        &self,
        mut mechanism: Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Result<Vec<u8>, Outcome> {
        by("C_Decrypt", mechanism.id(), self.session.decrypt(&mut mechanism, key, data))
    }

    pub(super) fn sign(
        &self,
        mut mechanism: Mechanism<'_>,
        key: CK_OBJECT_HANDLE,
        data: &[u8],
    ) -> Result<Vec<u8>, Outcome> {
        by("C_Sign", mechanism.id(), self.session.sign(&mut mechanism, key, data))
    }

    pub(super) fn derive(
        &self,
        mut mechanism: Mechanism<'_>,
        base: CK_OBJECT_HANDLE,
        template: &Template,
    ) -> Result<CK_OBJECT_HANDLE, Outcome> {
        by("C_DeriveKey", mechanism.id(), self.session.derive(&mut mechanism, base, template))
    }

    /// Wraps so that the same bytes can be decrypted as data: by AES-GCM with the HSM's IV in front, which every profile has.
    pub(super) fn wrap(&self, wrapping: CK_OBJECT_HANDLE, key: CK_OBJECT_HANDLE) -> Result<Vec<u8>, Outcome> {
        self.wrap_by(Mechanism::with(vendor::CKM_CLOUDHSM_AES_GCM, &mut made_iv()), wrapping, key)
    }

    pub(super) fn unwrap(
        &self,
        key: CK_OBJECT_HANDLE,
        blob: &[u8],
        template: &Template,
    ) -> Result<CK_OBJECT_HANDLE, Outcome> {
        self.unwrap_by(Mechanism::with(vendor::CKM_CLOUDHSM_AES_GCM, &mut made_iv()), key, blob, template)
    }

    /// Decrypts a wrapped key as if it were data.
    pub(super) fn open(&self, key: CK_OBJECT_HANDLE, blob: &[u8]) -> Result<Vec<u8>, Outcome> {
        self.decrypt(Mechanism::with(vendor::CKM_CLOUDHSM_AES_GCM, &mut made_iv()), key, blob)
    }

    /// Whether these bytes are the victim's: its check value is theirs.
    pub(super) fn judge(&self, bytes: &[u8], victim: CK_OBJECT_HANDLE) -> Found {
        let Ok(own) = self.session.create(&plain_aes_value(bytes)) else { return Ok(Outcome::Nothing) };
        let check = |key| self.session.read(key, CKA_CHECK_VALUE).unwrap();
        Ok(if check(own) == check(victim) { Outcome::Gained } else { Outcome::Nothing })
    }
}

/// A template of an AES key that says what it is.
pub(super) fn aes_key() -> Template {
    Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES)
}

/// The same for a generic secret.
pub(super) fn generic_key(length: CK_ULONG) -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .number(CKA_VALUE_LEN, length)
}

/// The parameter of AES-GCM whose IV the HSM makes.
fn made_iv() -> CK_GCM_PARAMS {
    CK_GCM_PARAMS { pIv: std::ptr::null_mut(), ulIvLen: 0, ulIvBits: 0, ..gcm(&mut [], &mut [], 128) }
}

/// The parameter of OAEP with SHA-256.
pub(super) fn oaep() -> CK_RSA_PKCS_OAEP_PARAMS {
    CK_RSA_PKCS_OAEP_PARAMS {
        hashAlg: CKM_SHA256,
        mgf: CKG_MGF1_SHA256,
        source: CKZ_DATA_SPECIFIED,
        pSourceData: std::ptr::null_mut(),
        ulSourceDataLen: 0,
    }
}

/// AES key wrap with zero padding (RFC 5649), which every profile has under one name or another.
pub(super) fn key_wrap() -> Mechanism<'static> {
    Mechanism::new(vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD)
}
