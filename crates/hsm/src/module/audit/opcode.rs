//! The one table of what the audit log can say: the operation codes with AWS's names, numbers, command and log types.
//!
//! Source: User Guide, cloudhsm-audit-log-reference and interpreting-audit-logs. AWS names some operations without a
//! number; what is ours stands above every number of AWS's, and its name does not begin as AWS's do.

/// The category of a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandType {
    /// Management of users and keys.
    Management,
    /// The certificates that connections are checked by.
    CertificateAuthority,
}

impl CommandType {
    /// AWS's name and number.
    #[must_use]
    pub const fn name(self) -> (&'static str, u32) {
        match self {
            Self::Management => ("CN_MGMT_CMD", 0x0),
            Self::CertificateAuthority => ("CN_CERT_AUTH_CMD", 0x9),
        }
    }
}

/// Which further lines an event has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LogType {
    /// None.
    Minimal,
    /// The handles of one or two keys.
    Key,
    /// The name and the type of a user.
    User,
    /// None, although there is a key and a user: AWS's log of shared keys is so.
    Unknown,
    /// It is no event of this form, but one of the log of certificates.
    Certificate,
}

impl LogType {
    /// AWS's name and number.
    #[must_use]
    pub const fn name(self) -> (&'static str, u32) {
        match self {
            Self::Minimal => ("MINIMAL_LOG_ENTRY", 0),
            Self::Key => ("MGMT_KEY_DETAILS_LOG", 1),
            Self::User => ("MGMT_USER_DETAILS_LOG", 2),
            Self::Unknown | Self::Certificate => ("UNKNOWN_LOG_TYPE", 5),
        }
    }
}

/// What of an opcode comes from AWS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Name and number.
    Published,
    /// The name; the number is ours.
    Named,
    /// Neither: AWS's log has no such event, or has it without a name.
    Own,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OpcodeRow {
    /// The number.
    pub number: u32,
    /// The name.
    pub name: &'static str,
    /// The category of the command.
    pub command: CommandType,
    /// Which further lines the event has.
    pub log: LogType,
    /// What of it comes from AWS.
    pub origin: Origin,
    /// When it is written.
    pub meaning: &'static str,
}

macro_rules! opcodes {
    ($($variant:ident $number:literal $name:literal $command:ident $log:ident $origin:ident $meaning:literal;)*) => {
        /// What happened.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(in crate::module) enum Opcode { $(#[doc = $meaning] $variant),* }

        impl Opcode {
            pub(super) const fn row(self) -> &'static OpcodeRow {
                match self { $(Self::$variant => &OpcodeRow {
                    number: $number,
                    name: $name,
                    command: CommandType::$command,
                    log: LogType::$log,
                    origin: Origin::$origin,
                    meaning: $meaning,
                }),* }
            }
        }

        /// All opcodes, in the order of their numbers.
        pub const OPCODES: &[&OpcodeRow] = &[$(Opcode::$variant.row()),*];
    };
}

#[rustfmt::skip] // a table, whose columns stand under each other
opcodes! {
    InitToken            0x1      "CN_INIT_TOKEN"                 Management           Minimal     Published "the HSM is made, or made anew by C_InitToken";
    CreateUser           0x3      "CN_CREATE_USER"                Management           User        Published "a crypto user is made";
    CreateOfficer        0x4      "CN_CREATE_CO"                  Management           User        Published "a crypto officer is made";
    ChangePassword       0x9      "CN_CHANGE_PSWD"                Management           User        Published "a user gets a new password";
    Login                0xd      "CN_LOGIN"                      Management           User        Published "a login, or a failed attempt";
    Logout               0xe      "CN_LOGOUT"                     Management           User        Published "a logout";
    DestroyObject        0x11     "CN_DESTROY_OBJECT"             Management           Key         Published "a session key is destroyed";
    ShareObject          0x12     "CN_SHARE_OBJECT"               Management           Unknown     Published "a key is shared or unshared";
    GenerateKey          0x17     "CN_GENERATE_KEY"               Management           Key         Published "a symmetric key is generated";
    GenerateKeyPair      0x19     "CN_GENERATE_KEY_PAIR"          Management           Key         Published "a key pair is generated";
    WrapKey              0x1a     "CN_WRAP_KEY"                   Management           Key         Published "a key leaves the HSM wrapped";
    UnwrapKey            0x1b     "CN_UNWRAP_KEY"                 Management           Key         Published "a wrapped key becomes a key";
    GeneratePasswordKey  0x1d     "CN_GEN_PSWD_ENC_KEY"           Management           Minimal     Published "the keys that protect passwords and keys are made";
    NistAesWrap          0x1e     "CN_NIST_AES_WRAP"              Management           Key         Published "an AES key wraps or unwraps another key";
    InitDone             0x95     "CN_INIT_DONE"                  Management           Minimal     Published "the HSM has been made";
    DeleteUser           0xa1     "CN_DELETE_USER"                Management           User        Published "a user is deleted";
    ExtractMaskedObject  0xf0     "CN_EXTRACT_MASKED_OBJECT_USER" Management           Key         Published "a user or a key goes to a clone";
    InsertMaskedObject   0xf1     "CN_INSERT_MASKED_OBJECT_USER"  Management           Key         Published "a user or a key comes from a clone";
    CreateObject         0x1_0001 "CN_CREATE_OBJECT"              Management           Key         Named     "an object is imported in the clear, or copied";
    ModifyObject         0x1_0002 "CN_MODIFY_OBJECT"              Management           Key         Named     "attributes are changed";
    TombstoneObject      0x1_0003 "CN_TOMBSTONE_OBJECT"           Management           Key         Named     "a token key is deleted";
    DeriveKey            0x1_0004 "CN_DERIVE_KEY"                 Management           Key         Named     "a key is derived";
    SetQuorumValue       0x1_0005 "CN_SET_M_VALUE"                Management           User        Named     "a quorum value is set";
    GetToken             0x1_0006 "CN_GET_TOKEN"                  Management           User        Named     "a quorum token is made";
    ApproveToken         0x1_0007 "CN_APPROVE_TOKEN"              Management           User        Named     "a quorum token is approved";
    DeleteToken          0x1_0008 "CN_DELETE_TOKEN"               Management           User        Named     "a quorum token is deleted";
    BackupBegin          0x1_0009 "CN_BACKUP_BEGIN"               Management           Minimal     Named     "a backup begins";
    BackupEnd            0x1_000a "CN_BACKUP_END"                 Management           Minimal     Named     "a backup is whole";
    RestoreBegin         0x1_000b "CN_RESTORE_BEGIN"              Management           Minimal     Named     "the HSM is put back from a backup";
    RestoreEnd           0x1_000c "CN_RESTORE_END"                Management           Minimal     Named     "the HSM has been put back";
    CloseSession         0x1_000d "CN_CLOSE_SESSION"              Management           User        Named     "the last session is closed without a logout";
    AppFinalize          0x1_000e "CN_APP_FINALIZE"               Management           User        Named     "the application ends without a logout";
    StoreTrustAnchor     0x1_000f "CN_CERT_AUTH_STORE_CERT"       CertificateAuthority Minimal     Named     "a trust anchor is registered";
    ChangeUser           0x1_0101 "CHANGE_USER"                   Management           User        Own       "a user registers a key for approvals";
    ChangeTrustAnchors   0x1_0102 "CHANGE_TRUST_ANCHORS"          CertificateAuthority Minimal     Own       "a trust anchor is deregistered, or their enforcement changed";
    UseKey               0x1_0103 "USE_KEY"                       Management           Key         Own       "a key is used (`audit_key_use`)";
    CreateCertificate    0x1_0201 "CreateObject"                  Management           Certificate Published "a certificate is stored";
    DestroyCertificate   0x1_0202 "DestroyObject"                 Management           Certificate Published "a certificate is deleted";
    ChangeCertificate    0x1_0203 "SetAttributeValues"            Management           Certificate Published "a certificate's attributes are changed";
}

impl Opcode {
    /// The same about a certificate, whose log is one of its own.
    pub(super) const fn of_certificate(self) -> Self {
        match self {
            Self::TombstoneObject | Self::DestroyObject => Self::DestroyCertificate,
            Self::ModifyObject => Self::ChangeCertificate,
            _ => Self::CreateCertificate,
        }
    }
}

/// The row of a number, unless a later version wrote it.
#[must_use]
pub(super) fn opcode(number: u32) -> Option<&'static OpcodeRow> {
    OPCODES.iter().copied().find(|row| row.number == number)
}
