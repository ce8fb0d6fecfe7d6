//! What an event answers: AWS's response codes with their texts, and the words of its log of certificates.

use base::ck;
use base::error::Error;

use super::opcode::Opcode;

/// The outcome of a command, as the log has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Response {
    /// Done.
    Success = 0,
    /// There is no such user.
    NoSuchUser = 157,
    /// A wrong password or second factor, or a user who is locked.
    LoginFailure = 163,
    /// Certificates: an attribute cannot have that value.
    InvalidAttributeValue = 0x1_0001,
    /// Certificates: there is none like that.
    ObjectNotFound = 0x1_0002,
    /// Certificates: as many are stored as can be.
    MaxObjectsReached = 0x1_0003,
    /// Certificates: anything else.
    InternalFailure = 0x1_0004,
}

impl Response {
    const ALL: [Self; 7] = [
        Self::Success,
        Self::NoSuchUser,
        Self::LoginFailure,
        Self::InvalidAttributeValue,
        Self::ObjectNotFound,
        Self::MaxObjectsReached,
        Self::InternalFailure,
    ];

    /// The response of a number, unless a later version wrote it.
    #[must_use]
    pub fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|known| *known as u32 == number)
    }

    /// AWS's text (User Guide, interpreting-audit-logs).
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Success => "HSM Return: SUCCESS",
            Self::NoSuchUser => "HSM Error: user isn't initialized or user with this name doesn't exist",
            Self::LoginFailure => "HSM Error: RET_USER_LOGIN_FAILURE",
            _ => self.of_certificate(),
        }
    }

    /// The word in the log of certificates (User Guide, pkcs11-certificate-storage-audit-logs).
    #[must_use]
    pub const fn of_certificate(self) -> &'static str {
        match self {
            Self::Success => "OK",
            Self::InvalidAttributeValue => "InvalidAttributeValue",
            Self::ObjectNotFound => "ObjectNotFound",
            Self::MaxObjectsReached => "MaxObjectsReached",
            Self::NoSuchUser | Self::LoginFailure | Self::InternalFailure => "InternalFailure",
        }
    }

    /// What the log of certificates says of an error. A template that names an attribute twice (AWS's DuplicateAttribute)
    /// does not come this far.
    pub(super) fn of_failed_certificate(opcode: Opcode, error: &Error) -> Self {
        match error.rv() {
            ck::CKR_ATTRIBUTE_VALUE_INVALID | ck::CKR_ATTRIBUTE_TYPE_INVALID | ck::CKR_ATTRIBUTE_READ_ONLY => {
                Self::InvalidAttributeValue
            }
            ck::CKR_OBJECT_HANDLE_INVALID => Self::ObjectNotFound,
            // What storing a certificate fails with when there are as many as can be.
            ck::CKR_FUNCTION_FAILED if opcode == Opcode::CreateCertificate => Self::MaxObjectsReached,
            _ => Self::InternalFailure,
        }
    }
}
