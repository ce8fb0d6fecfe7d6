//! Keys whose values are known to the tests.

use super::calls::*;
use super::templates::*;

/// An RSA key of 2048 bits that openssl made for these tests; its public exponent is 65537.
pub(crate) mod rsa_2048 {
    pub(crate) const MODULUS: &str = "\
        aef68aa783e62807d8a5b1b83f5be5e62165837be0947db74b90560c837745672f81c383b90e39bc2483e4fcc7ae7e8a\
        cfe88e70827023e3fb51b7586a2f267c4b20f56596d2bf393b8e17e742feabcc9cb4e2f295a6f145ceebf198b193c477\
        3bb5f35c450d396e2982ae405bd2c80568b65aff019fb0ee3c55dedb180c141b7c5c4470d28ba39c412762fbbb475002\
        301c49ad2857936e9f8dea9632f126ad1e4f25f130c9e1cf47b825cdb473bbe6cadd552fae6a6e0fe41f1d8be02c7bcf\
        c5061539fb535789dd77c4c2c6e8735d16edd947ebab537afed225c47539cab198edcac2c2f0e51ade5a573c61bf8cb4\
        b2325c50e68d875073826c26aaed991d";
    pub(crate) const PRIVATE_EXPONENT: &str = "\
        07a2a2b264c32a840d244df9286aae41b8bb615d8a9370590b67251a2eb289c8d2fdeab658e1120befdc01a636609b0d\
        1bbd9e59b2978a396cc2482a07983f29b56d9ec7ec290e47451e1254f94b7bdbd60adecc8f5355bc222791c784185abe\
        89508b6a3f6930546a63558f61727560270dae32eab339596c30a325148b9264fe2f365577fb9b6d2778c0dfffcc449a\
        4af1e319f08cb6ba56af8d6a8512096ef45b903e5c7d9b616f35ad547eb7d0c5694a562dc2fd160e84db6a9d5a43e663\
        aab366c4e4c6493ba7f1b44df5dbf3063a5a1897e09748d72bd4b24b2bc0deb5e572cee465630e0e29a9ce8913b3afad\
        a8f9643db7e095dbc4ae59d9f59371d1";
    pub(crate) const PRIME_1: &str = "\
        dcea4c15bea1ded85ec19a2b3307446a425136fd18cf395d29ad8909011f70b4e180e7fe1e87dfa075805a53b63a4a0f\
        4f8110fe154ee2aa0204ba719f25033be2e03da3b4c0cca50ac3a80c775effbc62f37e795bd50a1500e679afecb0f13c\
        b6d06f1cdbd82d3fdbcde117b79b82768e8cde7a664e0e1fdb1861dd23e0345b";
    pub(crate) const PRIME_2: &str = "\
        cabffa15c4b088e76ddcfb3b2b22a6657c47216209ecab120ccd09a551a2954c9339f573e6945ea4be3f43f1377bba6a\
        1834923cf36ff2e84ec64b67277eff99280ca5caf2dd31914b3defa0fe17283e79f236d377ec5b7050a3dfa66e64d31f\
        4c0833fa048150fd0c939ac36f5a84929428116e4cd77c616b78229b365e01e7";
    pub(crate) const EXPONENT_1: &str = "\
        50fa556f771470d2515198489388eb6c23e90f46114d0c92f8cf12b74941141849bcedcd39b5c6a453cdfbce49b2ee28\
        d494d3fcbf24ce73511018a3c39956a9220ddeaa5e7c79c759bdc4a0e534de7b58ae36c317856d0fabe7cfdd4bdec45e\
        e4085d626fb7bb467834ec78bc25f5d9ad8137a018562e5940ff9c07eab9a997";
    pub(crate) const EXPONENT_2: &str = "\
        2a55736e60274c2ea66de1b73506831fe597248d47ed36bb0a1935ce630143933d9a7879bec7740b89fdc3bdf60bcb9c\
        a379369fab64d09f58f366831f68110e75a24e6bd5d201ab88be61ee879f6633c55aa1bffde6482167751019bc2b2939\
        fbb22ac82570aaec6b57d694c007726ef8a8751b46c8279c5fc831d19ec47a39";
    pub(crate) const COEFFICIENT: &str = "\
        dc790fc286c2760a910eb7dae35442c4ffd42a083cb39a5923fadd3192f50bc86cc85374622cefa7d0c4db82f431d57e\
        bf617fcf7f7fc1a170ad0162d4cc58765cc230f37884e579d55728a56b5e4d1971b34a5acdeb7b9c6dc8fce1bb948e25\
        6fe7a86941b38f95d1589e2992dd874c39981a291f04daa644639f5299428e42";
}

/// The key of RFC 6979, A.2.5: curve P-256.
pub(crate) mod ec_p256 {
    pub(crate) const SCALAR: &str = "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721";
    pub(crate) const POINT: &str = "04\
        60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6\
        7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";
}

fn object(class: CK_OBJECT_CLASS, key_type: CK_KEY_TYPE) -> Template {
    Template::new().number(CKA_CLASS, class).number(CKA_KEY_TYPE, key_type)
}

/// C_CreateObject for the private half of [`rsa_2048`], all its parts.
pub(crate) fn rsa_private_value() -> Template {
    object(CKO_PRIVATE_KEY, CKK_RSA)
        .bytes(CKA_MODULUS, &hex(rsa_2048::MODULUS))
        .bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])
        .bytes(CKA_PRIVATE_EXPONENT, &hex(rsa_2048::PRIVATE_EXPONENT))
        .bytes(CKA_PRIME_1, &hex(rsa_2048::PRIME_1))
        .bytes(CKA_PRIME_2, &hex(rsa_2048::PRIME_2))
        .bytes(CKA_EXPONENT_1, &hex(rsa_2048::EXPONENT_1))
        .bytes(CKA_EXPONENT_2, &hex(rsa_2048::EXPONENT_2))
        .bytes(CKA_COEFFICIENT, &hex(rsa_2048::COEFFICIENT))
}

/// C_CreateObject for the public half.
pub(crate) fn rsa_public_value() -> Template {
    object(CKO_PUBLIC_KEY, CKK_RSA).bytes(CKA_MODULUS, &hex(rsa_2048::MODULUS)).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])
}

/// C_CreateObject for the private half of [`ec_p256`].
pub(crate) fn ec_private_value() -> Template {
    object(CKO_PRIVATE_KEY, CKK_EC).bytes(CKA_EC_PARAMS, P256).bytes(CKA_VALUE, &hex(ec_p256::SCALAR))
}

/// C_CreateObject for the public half; the point stands in an OCTET STRING.
pub(crate) fn ec_public_value() -> Template {
    let mut point = vec![0x04, 65];
    point.extend(hex(ec_p256::POINT));
    object(CKO_PUBLIC_KEY, CKK_EC).bytes(CKA_EC_PARAMS, P256).bytes(CKA_EC_POINT, &point)
}

/// An AES key without any use.
pub(crate) fn plain_aes_value(value: &[u8]) -> Template {
    object(CKO_SECRET_KEY, CKK_AES).bytes(CKA_VALUE, value)
}

/// A generic secret without any use.
pub(crate) fn plain_generic_value(value: &[u8]) -> Template {
    object(CKO_SECRET_KEY, CKK_GENERIC_SECRET).bytes(CKA_VALUE, value)
}
