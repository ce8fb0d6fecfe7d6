//! Key files: PEM (RFC 7468), and the form of a reference to a key that stays in the HSM.

use p256::elliptic_curve::pkcs8::der::asn1::AnyRef;
use p256::elliptic_curve::pkcs8::der::{self, Decode, Encode, Tag, pem};

use crate::ck;
use crate::error::{Error, Result};
use crate::secret::Secret;

/// The label of what OpenSSL writes in front of an EC key, which says nothing that the key does not.
const EC_PARAMETERS: &str = "EC PARAMETERS";
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";

/// A PEM text.
///
/// # Errors
/// CKR_GENERAL_ERROR: what was encoded can be written.
pub fn to_pem(label: &str, encoded: &[u8]) -> Result<String> {
    pem::encode_string(label, pem::LineEnding::LF, encoded).map_err(|_| Error::internal("PEM that cannot be written"))
}

/// The label and the content of the first block of a PEM text that holds a key.
///
/// # Errors
/// CKR_ARGUMENTS_BAD for anything else, an encrypted block included.
pub fn from_pem(text: &[u8]) -> Result<(String, Secret)> {
    let refused = |why: &'static str| Error::new(ck::CKR_ARGUMENTS_BAD, why);
    const NO_PEM: &str = "It is no key in PEM";
    let mut rest = std::str::from_utf8(text).map_err(|_| refused(NO_PEM))?;
    loop {
        let block = rest.find(BEGIN).and_then(|at| rest.get(at..)).ok_or(refused(NO_PEM))?;
        let end = block.find(END).and_then(|at| Some(at + block.get(at..)?.find('\n').unwrap_or(block.len() - at)));
        let (block, after) = end.and_then(|end| block.split_at_checked(end)).ok_or(refused(NO_PEM))?;
        rest = after;
        if block.starts_with(&format!("{BEGIN}{EC_PARAMETERS}-")) {
            continue;
        }
        // RFC 1421's headers, and the label of PKCS#8.
        if block.contains("ENCRYPTED") {
            return Err(refused("The key in the file is encrypted: decrypt it first"));
        }
        let (label, content) = pem::decode_vec(block.trim_end().as_bytes()).map_err(|_| refused(NO_PEM))?;
        return Ok((label.to_owned(), Secret::new(content)));
    }
}

/// What stands for a private key that stays in the HSM and whose kind has no other form for it:
/// `SEQUENCE { INTEGER 1, OCTET STRING reference, SubjectPublicKeyInfo }`.
///
/// # Errors
/// CKR_GENERAL_ERROR: what was encoded can be put together.
pub fn encode_reference(reference: &[u8; 8], public_key_info: &[u8]) -> Result<Vec<u8>> {
    let encode = || -> der::Result<Vec<u8>> {
        let version = AnyRef::new(Tag::Integer, &[1])?;
        let reference = AnyRef::new(Tag::OctetString, reference)?;
        vec![version, reference, AnyRef::from_der(public_key_info)?].to_der()
    };
    encode().map_err(|_| Error::internal("a reference that cannot be encoded"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pem_comes_back() {
        let text = to_pem("PUBLIC KEY", &[7; 100]).unwrap();
        for wrapped in
            [text.clone(), format!("a remark\n{text}"), text.replace('\n', "\r\n"), text.trim_end().to_owned()]
        {
            let (label, content) = from_pem(wrapped.as_bytes()).unwrap();
            assert_eq!((label.as_str(), content.expose()), ("PUBLIC KEY", &[7; 100][..]));
        }
        let parameters = to_pem(EC_PARAMETERS, &[6, 0]).unwrap();
        let key = to_pem("EC PRIVATE KEY", &[1, 2, 3]).unwrap();
        assert_eq!(from_pem(format!("{parameters}{key}").as_bytes()).unwrap().0, "EC PRIVATE KEY");
    }

    #[test]
    fn what_is_no_pem_is_refused() {
        let half = to_pem("PUBLIC KEY", &[7; 100]).unwrap();
        let encrypted = to_pem("ENCRYPTED PRIVATE KEY", &[7; 100]).unwrap();
        for wrong in ["", "x", "-----BEGIN ", half.split_at(60).0, &half.replace('B', "!"), &encrypted, "\u{e9}"] {
            assert_eq!(from_pem(wrong.as_bytes()).err().unwrap().rv(), ck::CKR_ARGUMENTS_BAD, "{wrong}");
        }
        assert!(from_pem(&[0xff, 0xfe]).is_err());
    }
}
