//! X.509 certificates as trust anchors: a chain in PEM, in order, of the kinds of key that CloudHSM takes.
//!
//! Decoding is the `x509-cert` crate's. Signatures are not checked: the one who registers an anchor says whom to trust.

use base::ck;
use base::error::{Error, Result};
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::{Certificate, spki::SubjectPublicKeyInfoOwned};

use super::{key_file, rsa_material};

/// id-ecPublicKey (RFC 5480 section 2.1.1).
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// secp256r1, secp384r1, secp521r1 (RFC 5480 section 2.1.1.1).
const CURVES: [ObjectIdentifier; 3] = [
    ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
    ObjectIdentifier::new_unwrap("1.3.132.0.34"),
    ObjectIdentifier::new_unwrap("1.3.132.0.35"),
];
const MODULI: [u32; 3] = [2048, 3072, 4096];

fn invalid(why: &str) -> Error {
    Error::with(ck::CKR_ARGUMENTS_BAD, format!("Invalid Certificate: {why}"))
}

/// The certificates of a PEM text, in DER: a self-signed one alone, or one with its whole chain up to a self-signed one, each
/// issued by the next (User Guide, getting-started-setup-mtls).
///
/// # Errors
/// CKR_ARGUMENTS_BAD for anything else, and for a key that is not EC on P-256, P-384 or P-521, or RSA of 2048, 3072 or 4096
/// bits.
pub fn read_chain(pem: &[u8]) -> Result<Vec<Vec<u8>>> {
    let encoded = key_file::read_certificates(pem).map_err(|error| invalid(error.message()))?;
    let decode = |der: &Vec<u8>| Certificate::from_der(der).map_err(|_| invalid("it is no certificate in PEM"));
    let chain = encoded.iter().map(decode).collect::<Result<Vec<_>>>()?;
    let issuers = chain.iter().skip(1).chain(chain.last());
    for (certificate, issuer) in chain.iter().zip(issuers) {
        let (own, above) = (certificate.tbs_certificate(), issuer.tbs_certificate());
        if own.issuer() != above.subject() {
            return Err(invalid("the chain is not whole or not in order"));
        }
        check_key(own.subject_public_key_info())?;
    }
    Ok(encoded)
}

fn check_key(key: &SubjectPublicKeyInfoOwned) -> Result<()> {
    let refused = || invalid("its key is neither EC P-256, P-384 or P-521 nor RSA 2048, 3072 or 4096");
    if key.algorithm.oid == EC_PUBLIC_KEY {
        let curve = key.algorithm.parameters.as_ref().and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
        return curve.filter(|curve| CURVES.contains(curve)).map(|_| ()).ok_or_else(refused);
    }
    let encoded = key.to_der().map_err(|_| refused())?;
    let (modulus, _) = rsa_material::decode_spki(&encoded).map_err(|_| refused())?;
    if MODULI.contains(&rsa_material::bit_length(&modulus)) { Ok(()) } else { Err(refused()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::process::Command;

    use super::*;
    use platform::testing::temporary;

    /// A chain that OpenSSL makes: a root, and a certificate that it issues.
    #[test]
    fn chains_in_order_and_others() {
        let folder = temporary();
        let openssl = |arguments: &str| {
            let output =
                Command::new("openssl").args(arguments.split(' ')).current_dir(folder.path()).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout r.key -out r.pem -subj /CN=root");
        openssl("req -new -newkey rsa:2048 -nodes -keyout c.key -out c.csr -subj /CN=client");
        openssl("x509 -req -in c.csr -CA r.pem -CAkey r.key -out c.pem -days 9");
        openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-224 -nodes -keyout w.key -out w.pem -subj /CN=weak");
        let (root, leaf) = (read("r.pem"), read("c.pem"));
        assert_eq!(read_chain(root.as_bytes()).unwrap().len(), 1);
        assert_eq!(read_chain(format!("{leaf}{root}").as_bytes()).unwrap().len(), 2);
        for wrong in
            [leaf.clone(), format!("{root}{leaf}"), read("w.pem"), read("c.csr"), String::new(), "x".repeat(99)]
        {
            assert!(
                read_chain(wrong.as_bytes()).err().unwrap().message().starts_with("Invalid Certificate"),
                "{wrong}"
            );
        }
    }
}
