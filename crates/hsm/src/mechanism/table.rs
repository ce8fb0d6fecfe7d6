//! The mechanisms: one row each, in ascending order of their numbers.

use base::ck::{self, CK_MECHANISM_TYPE, CK_ULONG, vendor};
use crypto::aes::AesKey;
use crypto::des::Des3Key;
use crypto::digest::Hash;

use crate::config::{Profile, Regime};
use crate::object::form::{self, Lengths};
use crate::object::key::Shape;
use super::parameter::ParameterKind;
use super::{
    Keys, Mechanism, Serves, SpecialRule, Terms, Unit, Use, asymmetric, block, cmac, ctr, derive, digest, gcm, hmac, keygen, modern, wrap,
};

const ENCRYPT: u16 = Use::Encrypt.bit();
const DECRYPT: u16 = Use::Decrypt.bit();
const CIPHER: u16 = ENCRYPT | DECRYPT;
const TRANSPORT: u16 = Use::Wrap.bit() | Use::Unwrap.bit();
const SIGNATURE: u16 = Use::Sign.bit() | Use::Verify.bit();

/// RSA moduli of CloudHSM, in bits; the step is 256.
const CLOUDHSM_MODULI: (CK_ULONG, CK_ULONG) = (2048, 4096);
/// Longest inputs of operations that run inside a CloudHSM, in bytes (User Guide, pkcs11-mechanisms).
const LONGEST_CBC: usize = 16_272;
const LONGEST_GCM: usize = 16_224;
const LONGEST_DES3_CBC: usize = 16_280;
const LONGEST_EDDSA: usize = 16_000;

/// What is served, and in FIPS mode, when nothing is held back: what the row can do.
const fn everything(serves: &Serves) -> u16 {
    let mut uses = 0;
    if serves.digest {
        uses |= Use::Digest.bit();
    }
    if serves.sign.is_some() {
        uses |= SIGNATURE;
    }
    if serves.encrypt.is_some() {
        uses |= ENCRYPT;
    }
    if serves.decrypt.is_some() {
        uses |= DECRYPT;
    }
    if serves.generate.is_some() {
        uses |= Use::Generate.bit();
    }
    if serves.generate_pair.is_some() {
        uses |= Use::GeneratePair.bit();
    }
    if serves.wrap.is_some() {
        uses |= TRANSPORT;
    }
    if serves.derive.is_some() {
        uses |= Use::Derive.bit();
    }
    uses
}

const fn bytes(lengths: Lengths) -> (CK_ULONG, CK_ULONG) {
    let (shortest, longest) = lengths.range();
    (shortest as CK_ULONG, longest as CK_ULONG)
}

const fn terms(uses: u16, parameter: ParameterKind) -> Option<Terms> {
    Some(Terms { uses, parameter, longest_input: None, multi_part: true, sizes: None, size_step: 1 })
}

/// A row that both dialects serve alike.
const fn row(
    id: CK_MECHANISM_TYPE,
    name: &'static str,
    keys: Keys,
    hash: Option<Hash>,
    parameter: ParameterKind,
    serves: Serves,
    source: &'static str,
) -> Mechanism {
    let uses = everything(&serves);
    Mechanism {
        id,
        name,
        keys,
        hash,
        cloudhsm: terms(uses, parameter),
        standard: terms(uses, parameter),
        fips: uses,
        secure: uses,
        serves,
        rule: None,
        source,
    }
}

impl Mechanism {
    /// The terms on which a profile serves this mechanism.
    #[must_use]
    pub const fn terms(&self, regime: Regime<'_>) -> Option<&Terms> {
        match regime.dialect.profile {
            Profile::CloudHsm | Profile::Strict => self.cloudhsm.as_ref(),
            Profile::Standard => self.standard.as_ref(),
        }
    }

    /// The uses that FIPS mode and secure mode allow.
    pub(super) const fn allowed(&self, regime: Regime<'_>) -> u16 {
        let approved = if regime.mode.approved_only { self.fips } else { u16::MAX };
        let strong = if regime.safeguards.strong_forms_only { self.secure } else { u16::MAX };
        approved & strong
    }

    /// CloudHSM's limit on the input of one call.
    const fn cloudhsm_limit(mut self, bytes: usize) -> Self {
        if let Some(terms) = &mut self.cloudhsm {
            terms.longest_input = Some(bytes);
        }
        self
    }

    /// One call only, in every profile.
    const fn single_part(mut self) -> Self {
        if let Some(terms) = &mut self.standard {
            terms.multi_part = false;
        }
        self.cloudhsm_single_part()
    }

    const fn cloudhsm_single_part(mut self) -> Self {
        if let Some(terms) = &mut self.cloudhsm {
            terms.multi_part = false;
        }
        self
    }

    const fn cloudhsm_parameter(mut self, parameter: ParameterKind) -> Self {
        if let Some(terms) = &mut self.cloudhsm {
            terms.parameter = parameter;
        }
        self
    }

    const fn cloudhsm_sizes(mut self, sizes: (CK_ULONG, CK_ULONG), step: CK_ULONG) -> Self {
        if let Some(terms) = &mut self.cloudhsm {
            terms.sizes = Some(sizes);
            terms.size_step = step;
        }
        self
    }

    /// Not served by `cloudhsm` and `strict`.
    const fn standard_only(mut self) -> Self {
        self.cloudhsm = None;
        self
    }

    const fn ruled(mut self, rule: SpecialRule) -> Self {
        self.rule = Some(rule);
        self
    }

    const fn not_in_fips(mut self, uses: u16) -> Self {
        self.fips &= !uses;
        self
    }

    const fn not_in_secure(mut self, uses: u16) -> Self {
        self.secure &= !uses;
        self
    }
}

impl Keys {
    /// The smallest size that secure mode and FIPS mode leave.
    pub(super) fn least(&self, regime: Regime<'_>) -> CK_ULONG {
        let secure = if regime.safeguards.strong_forms_only { self.least_in_secure_mode } else { 0 };
        let generated = if regime.mode.approved_only { self.least_generated_in_fips_mode } else { 0 };
        secure.max(generated)
    }
}

const NO_KEY: Keys = Keys { types: &[], shape: Shape::None, sizes: (0, 0), unit: Unit::None, least_in_secure_mode: 0, least_generated_in_fips_mode: 0, pair: false };
const AES: Keys = Keys { types: &[ck::CKK_AES], shape: Shape::Bytes, sizes: bytes(form::AES), unit: Unit::Bytes, least_in_secure_mode: 0, least_generated_in_fips_mode: 0, pair: false };
const DES3: Keys = Keys { types: &[ck::CKK_DES3], shape: Shape::Bytes, sizes: bytes(form::DES3), unit: Unit::Bytes, least_in_secure_mode: 0, least_generated_in_fips_mode: 0, pair: false };
const GENERIC: Keys = Keys { types: &[ck::CKK_GENERIC_SECRET], shape: Shape::Bytes, sizes: bytes(form::GENERIC), unit: Unit::Bytes, least_in_secure_mode: 14, least_generated_in_fips_mode: 0, pair: false };
/// The base keys of a derivation whose function takes keys of any length.
const SECRET: Keys = Keys { types: &[ck::CKK_AES, ck::CKK_DES3, ck::CKK_GENERIC_SECRET], shape: Shape::Bytes, sizes: bytes(form::GENERIC), unit: Unit::Bytes, least_in_secure_mode: 14, least_generated_in_fips_mode: 0, pair: false };
/// The standard counts the keys of the generator in bits (PKCS#11 3.2 section 6.8.3), those of HMAC in bytes.
const GENERIC_IN_BITS: Keys = Keys { sizes: (8 * bytes(form::GENERIC).0, 8 * bytes(form::GENERIC).1), unit: Unit::Bits, least_in_secure_mode: 8 * GENERIC.least_in_secure_mode, ..GENERIC };
const RSA: Keys = Keys { types: &[ck::CKK_RSA], shape: Shape::Rsa, sizes: (1024, 8192), unit: Unit::Bits, least_in_secure_mode: 2048, least_generated_in_fips_mode: 0, pair: true };
/// In FIPS mode RSA keys are made from 2048 bits on (FIPS 186-5 section 5.1), and by the generator of strong primes always.
const RSA_PAIR: Keys = Keys { least_generated_in_fips_mode: 2048, ..RSA };
const STRONG_RSA_PAIR: Keys = Keys { sizes: (2048, 8192), ..RSA_PAIR };
const EC: Keys = Keys { types: &[ck::CKK_EC], shape: Shape::Ec, sizes: (224, 521), unit: Unit::Bits, least_in_secure_mode: 0, least_generated_in_fips_mode: 0, pair: true };

/// CloudHSM makes Ed25519 keys under CKK_EC, the standard under CKK_EC_EDWARDS; a key serves under both, for an HSM may be used
/// in one profile after the other.
const EDWARDS: Keys = Keys { types: &[ck::CKK_EC, ck::CKK_EC_EDWARDS], shape: Shape::Edwards, sizes: (255, 255), unit: Unit::Bits, least_in_secure_mode: 0, least_generated_in_fips_mode: 0, pair: true };
/// The sizes are those of the public key (PKCS#11 3.2 section 6.67.2).
const ML_DSA: Keys = Keys { types: &[ck::CKK_ML_DSA], shape: Shape::MlDsa, sizes: (1312, 2592), unit: Unit::Bytes, least_in_secure_mode: 0, least_generated_in_fips_mode: 0, pair: true };
const CLOUDHSM_ML_DSA: Keys = Keys { types: &[vendor::CKK_CLOUDHSM_ML_DSA], shape: Shape::MlDsa, sizes: (1312, 2592), unit: Unit::Bytes, least_in_secure_mode: 0, least_generated_in_fips_mode: 0, pair: true };

const fn rsa(
    id: CK_MECHANISM_TYPE,
    name: &'static str,
    hash: Option<Hash>,
    parameter: ParameterKind,
    serves: Serves,
    source: &'static str,
) -> Mechanism {
    row(id, name, RSA, hash, parameter, serves, source).cloudhsm_sizes(CLOUDHSM_MODULI, 256)
}

const fn rsa_hashed(id: CK_MECHANISM_TYPE, name: &'static str, hash: Hash) -> Mechanism {
    rsa(id, name, Some(hash), ParameterKind::None, asymmetric::hashed_rsa_pkcs(), "PKCS#11 3.2 section 6.1.13")
}

const fn pss_hashed(id: CK_MECHANISM_TYPE, name: &'static str, hash: Hash) -> Mechanism {
    rsa(id, name, Some(hash), ParameterKind::Pss, asymmetric::hashed_rsa_pss(), "PKCS#11 3.2 section 6.1.14")
        .cloudhsm_parameter(ParameterKind::PssSameHash)
        .ruled(asymmetric::pss_fits)
}

const fn ecdsa_hashed(id: CK_MECHANISM_TYPE, name: &'static str, hash: Hash) -> Mechanism {
    row(id, name, EC, Some(hash), ParameterKind::None, asymmetric::hashed_ecdsa(), "PKCS#11 3.2 section 6.3.14")
        .ruled(asymmetric::digest_strength)
}

const fn sha(id: CK_MECHANISM_TYPE, name: &'static str, hash: Hash) -> Mechanism {
    row(id, name, NO_KEY, Some(hash), ParameterKind::None, digest::serves(), "FIPS 180-4")
}

const fn mac(id: CK_MECHANISM_TYPE, name: &'static str, hash: Hash, cloudhsm_limit: usize) -> Mechanism {
    row(id, name, GENERIC, Some(hash), ParameterKind::None, hmac::serves(), "FIPS 198-1").cloudhsm_limit(cloudhsm_limit)
}

const fn aes(id: CK_MECHANISM_TYPE, name: &'static str, parameter: ParameterKind, serves: Serves) -> Mechanism {
    row(id, name, AES, None, parameter, serves, "PKCS#11 3.2 section 6.12; NIST SP 800-38A")
}

const fn key_wrap(id: CK_MECHANISM_TYPE, name: &'static str, parameter: ParameterKind, serves: Serves, source: &'static str) -> Mechanism {
    row(id, name, AES, None, parameter, serves, source)
}

/// Since 2024 FIPS mode decrypts with triple DES and does not encrypt (SP 800-131A; User Guide, compliance-dep-notif).
const fn des3(id: CK_MECHANISM_TYPE, name: &'static str, parameter: ParameterKind, serves: Serves) -> Mechanism {
    row(id, name, DES3, None, parameter, serves, "PKCS#11 3.2 section 6.17; NIST SP 800-67").not_in_fips(ENCRYPT)
}

/// Every mechanism.
pub(super) static MECHANISMS: &[Mechanism] = &[
    row(ck::CKM_RSA_PKCS_KEY_PAIR_GEN, "CKM_RSA_PKCS_KEY_PAIR_GEN", RSA_PAIR, None, ParameterKind::None, keygen::rsa_pair(), "PKCS#11 3.2 section 6.1.4")
        .cloudhsm_sizes(CLOUDHSM_MODULI, 256),
    // Encryption with PKCS#1 v1.5 has been outside FIPS mode since 2024; signing is not affected.
    rsa(ck::CKM_RSA_PKCS, "CKM_RSA_PKCS", None, ParameterKind::None, asymmetric::rsa_pkcs(), "PKCS#11 3.2 section 6.1.6")
        .single_part()
        .not_in_fips(CIPHER | TRANSPORT)
        .not_in_secure(CIPHER | TRANSPORT),
    // A signature of this mechanism is a decryption, so it serves no secure key.
    rsa(ck::CKM_RSA_X_509, "CKM_RSA_X_509", None, ParameterKind::None, asymmetric::rsa_raw(), "PKCS#11 3.2 section 6.1.7")
        .single_part()
        .not_in_secure(CIPHER | SIGNATURE),
    rsa_hashed(ck::CKM_SHA1_RSA_PKCS, "CKM_SHA1_RSA_PKCS", Hash::Sha1),
    rsa(ck::CKM_RSA_PKCS_OAEP, "CKM_RSA_PKCS_OAEP", None, ParameterKind::Oaep, asymmetric::rsa_oaep(), "PKCS#11 3.2 section 6.1.9")
        .cloudhsm_parameter(ParameterKind::OaepSameHash)
        .ruled(wrap::oaep_hash)
        .single_part(),
    // "The same result, stronger primes" (User Guide): the random probable primes of FIPS 186-5, in every mode.
    row(ck::CKM_RSA_X9_31_KEY_PAIR_GEN, "CKM_RSA_X9_31_KEY_PAIR_GEN", STRONG_RSA_PAIR, None, ParameterKind::None, keygen::strong_rsa_pair(), "PKCS#11 3.2 section 6.1.5")
        .cloudhsm_sizes(CLOUDHSM_MODULI, 256),
    rsa(ck::CKM_RSA_PKCS_PSS, "CKM_RSA_PKCS_PSS", None, ParameterKind::Pss, asymmetric::rsa_pss(), "PKCS#11 3.2 section 6.1.11")
        .cloudhsm_parameter(ParameterKind::PssSameHash)
        .ruled(asymmetric::pss_fits)
        .single_part(),
    pss_hashed(ck::CKM_SHA1_RSA_PKCS_PSS, "CKM_SHA1_RSA_PKCS_PSS", Hash::Sha1),
    row(ck::CKM_ML_DSA_KEY_PAIR_GEN, "CKM_ML_DSA_KEY_PAIR_GEN", ML_DSA, None, ParameterKind::None, keygen::ml_dsa_pair(ck::CKK_ML_DSA), "PKCS#11 3.2 section 6.67.4; FIPS 204")
        .standard_only(),
    row(ck::CKM_ML_DSA, "CKM_ML_DSA", ML_DSA, None, ParameterKind::SignContext, modern::ml_dsa(), "PKCS#11 3.2 section 6.67.5; FIPS 204")
        .standard_only(),
    rsa_hashed(ck::CKM_SHA256_RSA_PKCS, "CKM_SHA256_RSA_PKCS", Hash::Sha256),
    rsa_hashed(ck::CKM_SHA384_RSA_PKCS, "CKM_SHA384_RSA_PKCS", Hash::Sha384),
    rsa_hashed(ck::CKM_SHA512_RSA_PKCS, "CKM_SHA512_RSA_PKCS", Hash::Sha512),
    pss_hashed(ck::CKM_SHA256_RSA_PKCS_PSS, "CKM_SHA256_RSA_PKCS_PSS", Hash::Sha256),
    pss_hashed(ck::CKM_SHA384_RSA_PKCS_PSS, "CKM_SHA384_RSA_PKCS_PSS", Hash::Sha384),
    pss_hashed(ck::CKM_SHA512_RSA_PKCS_PSS, "CKM_SHA512_RSA_PKCS_PSS", Hash::Sha512),
    rsa_hashed(ck::CKM_SHA224_RSA_PKCS, "CKM_SHA224_RSA_PKCS", Hash::Sha224),
    pss_hashed(ck::CKM_SHA224_RSA_PKCS_PSS, "CKM_SHA224_RSA_PKCS_PSS", Hash::Sha224),
    row(ck::CKM_DES3_KEY_GEN, "CKM_DES3_KEY_GEN", DES3, None, ParameterKind::None, keygen::des3(), "PKCS#11 3.2 section 6.17; NIST SP 800-67")
        .not_in_fips(Use::Generate.bit()),
    des3(ck::CKM_DES3_ECB, "CKM_DES3_ECB", ParameterKind::None, block::ecb::<Des3Key, 8>()).not_in_secure(CIPHER),
    des3(ck::CKM_DES3_CBC, "CKM_DES3_CBC", ParameterKind::ShortIv, block::cbc::<Des3Key, 8>()).cloudhsm_limit(LONGEST_DES3_CBC),
    des3(ck::CKM_DES3_CBC_PAD, "CKM_DES3_CBC_PAD", ParameterKind::ShortIv, block::cbc_pad::<Des3Key, 8>()),
    sha(ck::CKM_SHA_1, "CKM_SHA_1", Hash::Sha1),
    mac(ck::CKM_SHA_1_HMAC, "CKM_SHA_1_HMAC", Hash::Sha1, 16_288),
    sha(ck::CKM_SHA256, "CKM_SHA256", Hash::Sha256),
    mac(ck::CKM_SHA256_HMAC, "CKM_SHA256_HMAC", Hash::Sha256, 16_288),
    sha(ck::CKM_SHA224, "CKM_SHA224", Hash::Sha224),
    mac(ck::CKM_SHA224_HMAC, "CKM_SHA224_HMAC", Hash::Sha224, 16_256),
    sha(ck::CKM_SHA384, "CKM_SHA384", Hash::Sha384),
    mac(ck::CKM_SHA384_HMAC, "CKM_SHA384_HMAC", Hash::Sha384, 16_224),
    sha(ck::CKM_SHA512, "CKM_SHA512", Hash::Sha512),
    mac(ck::CKM_SHA512_HMAC, "CKM_SHA512_HMAC", Hash::Sha512, 16_224),
    row(ck::CKM_GENERIC_SECRET_KEY_GEN, "CKM_GENERIC_SECRET_KEY_GEN", GENERIC_IN_BITS, None, ParameterKind::None, keygen::generic(), "PKCS#11 3.2 section 6.8.3"),
    row(ck::CKM_SP800_108_COUNTER_KDF, "CKM_SP800_108_COUNTER_KDF", SECRET, None, ParameterKind::CounterKdf, derive::counter(), "PKCS#11 3.2 section 6.42; NIST SP 800-108r1")
        .ruled(derive::prf_takes_key)
        .standard_only(),
    row(ck::CKM_EC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN", EC, None, ParameterKind::None, keygen::ec_pair(), "PKCS#11 3.2 section 6.3.7"),
    row(ck::CKM_ECDSA, "CKM_ECDSA", EC, None, ParameterKind::None, asymmetric::ecdsa(), "PKCS#11 3.2 section 6.3.12").single_part(),
    ecdsa_hashed(ck::CKM_ECDSA_SHA1, "CKM_ECDSA_SHA1", Hash::Sha1),
    ecdsa_hashed(ck::CKM_ECDSA_SHA224, "CKM_ECDSA_SHA224", Hash::Sha224),
    ecdsa_hashed(ck::CKM_ECDSA_SHA256, "CKM_ECDSA_SHA256", Hash::Sha256),
    ecdsa_hashed(ck::CKM_ECDSA_SHA384, "CKM_ECDSA_SHA384", Hash::Sha384),
    ecdsa_hashed(ck::CKM_ECDSA_SHA512, "CKM_ECDSA_SHA512", Hash::Sha512),
    row(ck::CKM_ECDH1_DERIVE, "CKM_ECDH1_DERIVE", EC, None, ParameterKind::Agreement, derive::agreement(), "PKCS#11 3.2 section 6.3.20; ANSI X9.63")
        .cloudhsm_parameter(ParameterKind::AgreementCloudHsm)
        .ruled(derive::no_plain_agreement),
    rsa(ck::CKM_RSA_AES_KEY_WRAP, "CKM_RSA_AES_KEY_WRAP", None, ParameterKind::RsaAes, wrap::rsa_aes(), "PKCS#11 3.2 section 6.1.24")
        .cloudhsm_parameter(ParameterKind::RsaAesSameHash)
        .ruled(wrap::oaep_hash),
    row(ck::CKM_EC_EDWARDS_KEY_PAIR_GEN, "CKM_EC_EDWARDS_KEY_PAIR_GEN", EDWARDS, None, ParameterKind::None, keygen::edwards_pair(), "PKCS#11 3.2 section 6.3.9")
        .not_in_fips(Use::GeneratePair.bit())
        .standard_only(),
    row(ck::CKM_EDDSA, "CKM_EDDSA", EDWARDS, None, ParameterKind::Eddsa, modern::eddsa(), "PKCS#11 3.2 section 6.3.16; RFC 8032")
        .not_in_fips(SIGNATURE)
        .standard_only(),
    row(ck::CKM_AES_KEY_GEN, "CKM_AES_KEY_GEN", AES, None, ParameterKind::None, keygen::aes(), "PKCS#11 3.2 section 6.10.3"),
    aes(ck::CKM_AES_ECB, "CKM_AES_ECB", ParameterKind::None, block::ecb::<AesKey, 16>()).not_in_secure(CIPHER),
    aes(ck::CKM_AES_CBC, "CKM_AES_CBC", ParameterKind::Iv, block::cbc::<AesKey, 16>()).cloudhsm_limit(LONGEST_CBC),
    aes(ck::CKM_AES_CBC_PAD, "CKM_AES_CBC_PAD", ParameterKind::Iv, block::cbc_pad::<AesKey, 16>()),
    aes(ck::CKM_AES_CTR, "CKM_AES_CTR", ParameterKind::Counter, ctr::ctr()),
    row(ck::CKM_AES_GCM, "CKM_AES_GCM", AES, None, ParameterKind::Gcm, gcm::serves(), "PKCS#11 3.2 section 6.13; NIST SP 800-38D")
        .cloudhsm_parameter(ParameterKind::GcmMadeIv)
        .ruled(gcm::iv_and_tag)
        .cloudhsm_limit(LONGEST_GCM)
        .cloudhsm_single_part(),
    row(ck::CKM_AES_CMAC, "CKM_AES_CMAC", AES, None, ParameterKind::None, cmac::serves(), "NIST SP 800-38B"),
    key_wrap(ck::CKM_AES_KEY_WRAP, "CKM_AES_KEY_WRAP", ParameterKind::WrapIv, wrap::filled_up(), "PKCS#11 3.2 section 6.14; RFC 3394")
        .standard_only()
        .not_in_secure(TRANSPORT),
    key_wrap(ck::CKM_AES_KEY_WRAP_KWP, "CKM_AES_KEY_WRAP_KWP", ParameterKind::PaddedWrapIv, wrap::zero_padding(), "PKCS#11 3.2 section 6.14; RFC 5649")
        .standard_only(),
    key_wrap(ck::CKM_AES_KEY_WRAP_PKCS7, "CKM_AES_KEY_WRAP_PKCS7", ParameterKind::WrapIv, wrap::pkcs5_padding(), "PKCS#11 3.2 section 6.14")
        .standard_only()
        .not_in_secure(TRANSPORT),
    row(vendor::CKM_CLOUDHSM_SP800_108_COUNTER_KDF, "CKM_CLOUDHSM_SP800_108_COUNTER_KDF", SECRET, None, ParameterKind::CounterKdfCloudHsm, derive::counter(), "User Guide, pkcs11-mechanisms; NIST SP 800-108r1")
        .ruled(derive::prf_takes_key),
    row(vendor::CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN, "CKM_CLOUDHSM_ML_DSA_KEY_PAIR_GEN", CLOUDHSM_ML_DSA, None, ParameterKind::None, keygen::ml_dsa_pair(vendor::CKK_CLOUDHSM_ML_DSA), "User Guide, pkcs11-mechanisms; FIPS 204"),
    row(vendor::CKM_CLOUDHSM_ML_DSA, "CKM_CLOUDHSM_ML_DSA", CLOUDHSM_ML_DSA, None, ParameterKind::None, modern::ml_dsa(), "User Guide, pkcs11-mechanisms; FIPS 204")
        .single_part(),
    row(vendor::CKM_CLOUDHSM_EXT_MU_ML_DSA, "CKM_CLOUDHSM_EXT_MU_ML_DSA", CLOUDHSM_ML_DSA, None, ParameterKind::None, modern::ml_dsa_of_mu(), "User Guide, pkcs11-mechanisms; FIPS 204")
        .single_part(),
    row(vendor::CKM_CLOUDHSM_EDDSA, "CKM_CLOUDHSM_EDDSA", EDWARDS, None, ParameterKind::EddsaCloudHsm, modern::cloudhsm_eddsa(), "User Guide, pkcs11-mechanisms; RFC 8032")
        .cloudhsm_limit(LONGEST_EDDSA)
        .not_in_fips(SIGNATURE),
    row(vendor::CKM_CLOUDHSM_AES_GCM, "CKM_CLOUDHSM_AES_GCM", AES, None, ParameterKind::GcmIvInFront, gcm::serves_iv_in_front(), "User Guide, pkcs11-mechanisms")
        .ruled(gcm::iv_and_tag)
        .cloudhsm_limit(LONGEST_GCM)
        .single_part(),
    key_wrap(vendor::CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, "CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD", ParameterKind::WrapIvDefault, wrap::no_padding(), "User Guide, manage-aes-key-wrapping; RFC 3394")
        .not_in_secure(TRANSPORT),
    key_wrap(vendor::CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD, "CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD", ParameterKind::WrapIvDefault, wrap::pkcs5_padding(), "User Guide, manage-aes-key-wrapping")
        .not_in_secure(TRANSPORT),
    key_wrap(vendor::CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, "CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD", ParameterKind::None, wrap::zero_padding(), "User Guide, manage-aes-key-wrapping; RFC 5649"),
];

/// A duplicate or a row out of order does not compile: [`super::find`] searches by halves.
#[allow(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const _: () = {
    let mut at = 1;
    while at < MECHANISMS.len() {
        assert!(MECHANISMS[at - 1].id < MECHANISMS[at].id, "mechanisms stand in ascending order, each once");
        at += 1;
    }
};
