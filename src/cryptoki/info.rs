//! What C_GetSlotList, C_GetTokenInfo, C_GetMechanismInfo and their like tell.

use base::ck::{self, CK_FLAGS, CK_MECHANISM_TYPE, CK_SESSION_HANDLE, CK_SLOT_ID, CK_STATE, CK_ULONG};
use base::error::{Error, Result};
use hsm::mechanism;
use hsm::module::{Role, UserInformation};

use super::Library;

/// What `CK_TOKEN_INFO` tells; `abi` pads the texts.
pub struct TokenInformation {
    /// The label: `hsm1`, `hsm2`, ..., or in `standard` what C_InitToken set.
    pub label: String,
    /// 16 hexadecimal digits, or nothing before the activation.
    pub serial: String,
    /// `CKF_...`.
    pub flags: CK_FLAGS,
    /// The most sessions, in all.
    pub most_sessions: CK_ULONG,
    /// Sessions of this application.
    pub sessions: CK_ULONG,
    /// Of these, the read/write ones.
    pub read_write_sessions: CK_ULONG,
    /// Shortest and longest PIN, in bytes.
    pub pin_lengths: (CK_ULONG, CK_ULONG),
}

/// What `CK_SESSION_INFO` tells.
pub struct SessionInformation {
    /// The slot.
    pub slot: CK_SLOT_ID,
    /// `CKS_...`.
    pub state: CK_STATE,
    /// `CKF_...`.
    pub flags: CK_FLAGS,
}

/// What `CK_MECHANISM_INFO` tells.
pub struct MechanismInformation {
    /// Smallest and largest key, in the mechanism's own unit.
    pub sizes: (CK_ULONG, CK_ULONG),
    /// `CKF_...`.
    pub flags: CK_FLAGS,
}

impl Library {
    /// The slots: each has a token, activated or not.
    #[must_use]
    pub fn slots(&self) -> Vec<CK_SLOT_ID> {
        self.tokens.lock().iter().map(|token| token.slot).collect()
    }

    /// Whether there is such a slot.
    ///
    /// # Errors
    /// CKR_SLOT_ID_INVALID.
    pub fn check_slot(&self, slot: CK_SLOT_ID) -> Result<()> {
        self.token(slot).map(|_| ())
    }

    /// C_GetTokenInfo.
    ///
    /// # Errors
    /// CKR_SLOT_ID_INVALID; CKR_DEVICE_ERROR if the HSM cannot be opened.
    pub fn token_information(&self, slot: CK_SLOT_ID) -> Result<TokenInformation> {
        let token = self.token(slot)?;
        let dialect = token.dialect();
        let active = token.module.is_active()?;
        let recorded = token.module.recorded();
        let mut flags = ck::CKF_RNG | ck::CKF_LOGIN_REQUIRED;
        if active {
            flags |= ck::CKF_TOKEN_INITIALIZED;
        }
        let users = if active { token.module.list_users()? } else { Vec::new() };
        if users.iter().any(|user| user.role == Role::CryptoUser) {
            flags |= ck::CKF_USER_PIN_INITIALIZED;
        }
        if dialect.plain_pins {
            flags |= users.iter().filter(|user| user.unnamed).map(wrong_pins).fold(0, |all, of_one| all | of_one);
        }
        let sessions = token.session_count();
        let (shortest, longest) = dialect.pin_lengths;
        let own = recorded.as_ref().filter(|_| dialect.token_has_label);
        let label = own.map_or(token.module.name(), |recorded| &recorded.label);
        Ok(TokenInformation {
            label: label.to_owned(),
            serial: recorded.as_ref().map_or_else(String::new, |recorded| recorded.serial.clone()),
            flags,
            most_sessions: dialect.most_sessions as CK_ULONG,
            sessions,
            read_write_sessions: sessions.saturating_sub(token.read_only_session_count()),
            pin_lengths: (shortest as CK_ULONG, longest as CK_ULONG),
        })
    }

    /// C_GetMechanismList.
    ///
    /// # Errors
    /// CKR_SLOT_ID_INVALID.
    pub fn mechanisms(&self, slot: CK_SLOT_ID) -> Result<Vec<CK_MECHANISM_TYPE>> {
        let token = self.token(slot)?;
        let regime = token.module.regime();
        Ok(mechanism::all().iter().filter(|row| row.uses(regime) != 0).map(|row| row.id).collect())
    }

    /// C_GetMechanismInfo.
    ///
    /// # Errors
    /// CKR_SLOT_ID_INVALID, CKR_MECHANISM_INVALID.
    pub fn mechanism_information(&self, slot: CK_SLOT_ID, id: CK_MECHANISM_TYPE) -> Result<MechanismInformation> {
        let token = self.token(slot)?;
        let regime = token.module.regime();
        let row = mechanism::find(id)
            .filter(|row| row.uses(regime) != 0)
            .ok_or_else(|| Error::with(ck::CKR_MECHANISM_INVALID, format!("mechanism {id:#x} is not served")))?;
        Ok(MechanismInformation { sizes: row.sizes(regime), flags: row.flags(regime) })
    }

    /// C_GetSessionInfo.
    ///
    /// # Errors
    /// CKR_SESSION_HANDLE_INVALID.
    pub fn session_information(&self, session: CK_SESSION_HANDLE) -> Result<SessionInformation> {
        let session = self.session(session)?;
        Ok(SessionInformation {
            slot: session.value.token()?.slot,
            state: session.value.state(),
            flags: session.value.flags(),
        })
    }
}

/// What the flags say of wrong PINs: those of the user whom a PIN without a name means, since they can speak of one only (PKCS#11 3.2
/// section 3.2, CK_TOKEN_INFO). No PIN is a default one or expires, so those that ask for a change are never set.
fn wrong_pins(user: &UserInformation) -> CK_FLAGS {
    let (some, all_but_one, all) = match user.role {
        Role::CryptoUser => (ck::CKF_USER_PIN_COUNT_LOW, ck::CKF_USER_PIN_FINAL_TRY, ck::CKF_USER_PIN_LOCKED),
        Role::CryptoOfficer => (ck::CKF_SO_PIN_COUNT_LOW, ck::CKF_SO_PIN_FINAL_TRY, ck::CKF_SO_PIN_LOCKED),
    };
    match user.attempts_left {
        0 => some | all,
        1 => some | all_but_one,
        _ if user.failed > 0 => some,
        _ => 0,
    }
}
