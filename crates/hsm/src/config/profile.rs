//! The dialect of one process: which profile it speaks, and the limits and habits that go with it.
//!
//! A column of a rule table asks for the profile; everything else asks the [`Dialect`] for the one thing it needs.

use base::ck::{self, CK_ATTRIBUTE_TYPE, CK_KEY_TYPE, CK_OBJECT_CLASS, CK_RV};
use serde::Deserialize;

/// The dialect of one process (design: section "profile").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// What an AWS CloudHSM does, quirk switches off, with a closed list of extensions.
    #[default]
    CloudHsm,
    /// The same with quirk switches on and no extensions.
    Strict,
    /// PKCS#11 3.2 as it stands: a general-purpose token.
    Standard,
}

/// The most sessions of one application in any profile: what the handles of sessions can tell apart.
pub const MOST_SESSIONS: usize = 1 << 20;

/// Limits and habits of a profile, as the settings have switched them.
#[derive(Clone)]
pub struct Dialect {
    /// The profile: the column of the rule tables. Only they read it.
    pub profile: Profile,
    /// The most sessions of one application.
    pub most_sessions: usize,
    /// The longest `CKA_LABEL`, in characters.
    pub longest_label: usize,
    /// Whether a session without CKF_RW_SESSION can be opened.
    pub read_only_sessions: bool,
    /// Whether Notify and pApplication must be NULL.
    pub no_callbacks: bool,
    /// Whether the functions that AWS does not have are there (C_InitToken, C_CopyObject, ...).
    pub extensions: bool,
    /// Whether the functions that no CloudHSM dialect has are there (dual-function calls, ...).
    pub everything: bool,
    /// Whether CKU_SO is a user that may log in.
    pub officer_login: bool,
    /// Whether a PIN without a colon, or with an unknown name, is that of the default user.
    pub plain_pins: bool,
    /// What a login gets while another user is logged in.
    pub another_user: CK_RV,
    /// Whether objects can be made and seen without a login.
    pub public_objects: bool,
    /// An attribute that a kind of object does not have may be given as false or empty.
    pub foreign_nothing_allowed: bool,
    /// C_FindObjects without an array tells how many objects are left, whatever most it is asked for.
    pub counts_without_array: bool,
    /// The token's label follows C_InitToken.
    pub token_has_label: bool,
    /// The interfaces beside 2.40.
    pub newer_interfaces: bool,
    /// Shortest and longest PIN, in bytes.
    pub pin_lengths: (usize, usize),
    /// The least public exponent of an RSA key.
    pub least_public_exponent: u64,
    /// The type of keys on edwards25519: CKK_EC (AWS's samples) or CKK_EC_EDWARDS (PKCS#11 3.2 section 6.3.5).
    pub edwards_key_type: CK_KEY_TYPE,
    /// The most token keys, and how many of them may be asymmetric.
    pub most_keys: Option<(u64, u64)>,
    /// The most certificates.
    pub most_certificates: Option<u64>,
    /// The longest values that a certificate has, in bytes (User Guide, pkcs11-certificate-storage-attributes).
    pub longest_certificate_values: &'static [(CK_ATTRIBUTE_TYPE, usize)],
    /// Quirk: a token key must be on two HSMs, so that in a cluster of one none can be made or used.
    pub key_availability_check: bool,
    /// Quirk: parameters of a pair in the template of its private key make a key without any use, and no error.
    pub private_template_bug: bool,
    /// Certificates can be stored.
    pub certificate_storage: bool,
    /// In FIPS mode, ECDSA signs with a digest weaker than its curve.
    pub ecdsa_with_weak_hash: bool,
    /// In FIPS mode, ECDH gives out the shared secret itself (CKD_NULL).
    pub ecdh_without_kdf: bool,
    /// Quirk: the most operations of one second that the HSM does before it says that it is busy.
    pub throttle: Option<u32>,
}

const CLOUDHSM_CERTIFICATE: &[(CK_ATTRIBUTE_TYPE, usize)] =
    &[(ck::CKA_VALUE, 32 * 1024), (ck::CKA_ID, 128), (ck::CKA_PUBLIC_KEY_INFO, 16 * 1024)];

/// One row for each profile, in the order of [`Profile`].
static DIALECTS: [Dialect; 3] = [
    Dialect {
        profile: Profile::CloudHsm,
        most_sessions: 1024,
        longest_label: 127,
        read_only_sessions: true,
        no_callbacks: true,
        extensions: true,
        everything: false,
        officer_login: true,
        plain_pins: false,
        another_user: ck::CKR_USER_ALREADY_LOGGED_IN,
        public_objects: false,
        foreign_nothing_allowed: false,
        counts_without_array: true,
        token_has_label: false,
        newer_interfaces: true,
        pin_lengths: (8, 64),
        least_public_exponent: 65_537,
        edwards_key_type: ck::CKK_EC,
        most_keys: Some((16_666, 3_333)),
        most_certificates: Some(60),
        longest_certificate_values: CLOUDHSM_CERTIFICATE,
        key_availability_check: false,
        private_template_bug: false,
        certificate_storage: false,
        ecdsa_with_weak_hash: false,
        ecdh_without_kdf: false,
        throttle: None,
    },
    Dialect {
        profile: Profile::Strict,
        most_sessions: 1024,
        longest_label: 127,
        read_only_sessions: true,
        no_callbacks: true,
        extensions: false,
        everything: false,
        officer_login: false,
        plain_pins: false,
        another_user: ck::CKR_USER_ALREADY_LOGGED_IN,
        public_objects: false,
        foreign_nothing_allowed: false,
        counts_without_array: true,
        token_has_label: false,
        newer_interfaces: false,
        pin_lengths: (8, 64),
        least_public_exponent: 65_537,
        edwards_key_type: ck::CKK_EC,
        most_keys: Some((16_666, 3_333)),
        most_certificates: Some(60),
        longest_certificate_values: CLOUDHSM_CERTIFICATE,
        key_availability_check: false,
        private_template_bug: true,
        certificate_storage: false,
        ecdsa_with_weak_hash: false,
        ecdh_without_kdf: false,
        throttle: None,
    },
    Dialect {
        profile: Profile::Standard,
        most_sessions: MOST_SESSIONS,
        longest_label: 64 * 1024,
        read_only_sessions: true,
        no_callbacks: false,
        extensions: true,
        everything: true,
        officer_login: true,
        plain_pins: true,
        another_user: ck::CKR_USER_ANOTHER_ALREADY_LOGGED_IN,
        public_objects: true,
        foreign_nothing_allowed: true,
        counts_without_array: false,
        token_has_label: true,
        newer_interfaces: true,
        pin_lengths: (4, 255),
        least_public_exponent: 3,
        edwards_key_type: ck::CKK_EC_EDWARDS,
        most_keys: None,
        most_certificates: None,
        longest_certificate_values: &[],
        key_availability_check: false,
        private_template_bug: false,
        certificate_storage: true,
        ecdsa_with_weak_hash: false,
        ecdh_without_kdf: false,
        throttle: None,
    },
];

impl Dialect {
    /// The profile's number, for [`Profile::name_of`].
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.profile as u8
    }

    /// Whether objects of a class that are not private can be made, seen and changed without a login.
    #[must_use]
    pub const fn open(&self, class: CK_OBJECT_CLASS) -> bool {
        self.public_objects || (self.certificate_storage && class == ck::CKO_CERTIFICATE)
    }
}

/// Whether a password of this length is within the bounds of some profile. An HSM may have had another profile when the password was set,
/// and `cloudhsm-cli` always speaks CloudHSM's dialect.
#[must_use]
pub fn may_be_a_password(bytes: usize) -> bool {
    DIALECTS.iter().any(|dialect| (dialect.pin_lengths.0..=dialect.pin_lengths.1).contains(&bytes))
}

impl Profile {
    /// The name of the profile of a number, as the settings and the documentation have it.
    #[must_use]
    pub const fn name_of(number: u8) -> &'static str {
        match number {
            1 => "strict",
            2 => "standard",
            _ => "cloudhsm",
        }
    }

    /// The limits and habits of this profile.
    #[must_use]
    pub fn dialect(self) -> &'static Dialect {
        let [cloudhsm, strict, standard] = &DIALECTS;
        match self {
            Self::CloudHsm => cloudhsm,
            Self::Strict => strict,
            Self::Standard => standard,
        }
    }
}
