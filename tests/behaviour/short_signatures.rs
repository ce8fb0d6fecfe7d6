//! ECDSA signatures whose halves are shorter than the order of the base point.
//!
//! "For signatures passed to a token for verification, the signature may have a shorter length but must be composed as specified
//! before": an even length of at most two times nLen, r and s equally long (PKCS#11 3.2, section 6.3.1). SunPKCS11 and others
//! leave out the zeros that both have.

use crate::support::*;

const MECHANISMS: [(CK_MECHANISM_TYPE, CK_MECHANISM_TYPE); 5] = [
    (CKM_ECDSA_SHA1, CKM_SHA_1),
    (CKM_ECDSA_SHA224, CKM_SHA224),
    (CKM_ECDSA_SHA256, CKM_SHA256),
    (CKM_ECDSA_SHA384, CKM_SHA384),
    (CKM_ECDSA_SHA512, CKM_SHA512),
];

/// Signatures of "sample" whose r and s have one byte. R is the point with the least x that the curve has, s is 5, and the public
/// key is the one under which (x, 5) verifies, r^-1 (s R - z G) (SEC 1, section 4.1.6), computed with Python's integers.
struct Curve {
    parameters: &'static [u8],
    /// nLen.
    order: usize,
    r: u8,
    /// For each hash of [`MECHANISMS`], compressed.
    points: [&'static str; 5],
}

const S: u8 = 5;

const CURVES: [Curve; 5] = [
    Curve {
        parameters: P224,
        order: 28,
        r: 3,
        points: [
            "0251df3815b5ea76c39ea863f1afc0768ea7ac60f08101977930118222",
            "030a14cbeb41eb8643dbc9899193af2ccef290c2357060b8e05529d410",
            "035c80d37d59dc95c33bf4a83952b12c1d04f211b5f51ae59da262aa48",
            "02e6d13afa5dd0e562eddc6ddcd832482e55d376d218f833ed7a4514ef",
            "031c25299979b027378e70d22dc0e407b80a9fa56abc9215fdc16490fd",
        ],
    },
    Curve {
        parameters: P256,
        order: 32,
        r: 5,
        points: [
            "028fdec197b815bb0640acb49e20ec0c041beb9c737ef0fcfcca2d1a895cf2d060",
            "031a6ad8f480d4dbaf568d0e6ba5d2647016b213c763bc5ca7c389b38638c7a488",
            "036998a1d16c67bf12c168095a01cec94ba9cd28646fe6b3a0aff1728ecf534b94",
            "0206421fd86dde5e7a817c8e9557c0ad000c50769b27f900f93b3d43246fa16cce",
            "0268ef00f8351088a12f19e946cdae0150d6e857deb821e668d930040b0c107cf4",
        ],
    },
    Curve {
        parameters: P384,
        order: 48,
        r: 2,
        points: [
            "023b3f4f2d3c1594094d42b52e6c632ceabd21be3582da41fb8633bbab1e0698ed86f27980940cbf474bb23d37fe1ff0a0",
            "020960f62dad89cc5ec93bb9d5e503c078646b8abee6a67dd7676c138d830f7d525617417524b3826de370dc41e4c7a0e3",
            "024b771f4a5751a291673fc83edc624b402a4e48f37deb6f4c4e1dd179ede607ff5289e5ea9e88cb59263a1fe736a6da30",
            "034643a5424d9e7bb2f112b0af22703c15c311f8ee1f26ec30c536fa88c4b08cbd6a166adfc927150d87fde13753eddb3b",
            "039825322c47ac79f74e826245df7b81b27ef7f6982c3ebab40af62c7281f5fd8e9f36b984258d818e9dfca0630d8f7146",
        ],
    },
    Curve {
        parameters: P521,
        order: 66,
        r: 1,
        points: [
            "0200f84701efc2ab38dbcf136cc183d1aa6e08e7e45d8e52264d787c9d86e1057ef2ae2d6e075d6ecd70492125\
             8867a9322689c96ab63dbb1e5ada5c7b536ac591722a",
            "0300e76527f9debd23fd3f874cf26fdc850b8463bcdc7f95ea931dbc50c43742d3196c6e7982c5c2dcce425a6c\
             e7e820adedf078d62af4b4ec0c5c6267b7e09c6479ab",
            "0200bef544861f5ad65dca17b45b9b03f723812eeec65c91b3938053b20041a2cc66bf12e3b613d30db3bfc576\
             d9e24d25b7b1717eadb9f64e7cc4f1748a5a61b1344a",
            "0300f78788dcfd4a0eeeb8db5aa11950d95dcc826090d1afc706a60d7267664e3568374c698f63abe4338982f8\
             15cc56fe0d99383135127df7bfc1c8f08fa8ced05250",
            "0301b750a54666a4505f6d7ac11ff4e30943334769ab0fc3a96fbd4127f1882df769f85e0d45171577d17307f5\
             bfcbc6e1f7721b13a03e8deb54736b3e6d32900fbd45",
        ],
    },
    Curve {
        parameters: K256,
        order: 32,
        r: 1,
        points: [
            "03e67716bab61b1c58dd43bd2e341ccbaeb2de209f1faf4ad956024aa7977ce1e0",
            "0247f7f391339b12b960e2506bca641d6521429796fde6064b1f8754d9056f60d7",
            "024827eafce1769dce84df29a75e0ff6211982c78023b50cc26ea5307e9e1ca4c4",
            "03bcff9660ea0fd17d8abb56e9168730d995e82346a2c67082202e7632b4cf9db8",
            "032360790e49f1e2e9b1094a4e178af2542456e91f2de16bc77ac09f825f1657dc",
        ],
    },
];

/// Both, filled up with zeros to this length.
fn halves(curve: &Curve, length: usize, r: u8, s: u8) -> Vec<u8> {
    let mut signature = vec![0; 2 * length];
    signature[length - 1] = r;
    signature[2 * length - 1] = s;
    assert!(length <= curve.order + 1);
    signature
}

fn shorter_halves() {
    let session = hsm();
    for curve in &CURVES {
        for ((mechanism, hash), point) in MECHANISMS.into_iter().zip(curve.points) {
            let key = Template::new()
                .number(CKA_CLASS, CKO_PUBLIC_KEY)
                .number(CKA_KEY_TYPE, CKK_EC)
                .bytes(CKA_EC_PARAMS, curve.parameters)
                .bytes(CKA_EC_POINT, &hex(point))
                .on(&[CKA_VERIFY]);
            let key = session.create(&key).unwrap();
            let digest = session.digest(hash, b"sample").unwrap();
            let verify = |signature: &[u8]| {
                let whole = session.verify(&mut Mechanism::new(mechanism), key, b"sample", signature);
                let parts = session.verify_parts(&mut Mechanism::new(mechanism), key, b"sample", &[2], signature);
                let plain = session.verify(&mut Mechanism::new(CKM_ECDSA), key, &digest, signature);
                assert_eq!((whole, parts), (plain, plain), "{} bytes", signature.len());
                plain
            };
            for length in 1..=curve.order {
                assert_eq!(verify(&halves(curve, length, curve.r, S)), Ok(()), "halves of {length}");
                assert_eq!(verify(&halves(curve, length, curve.r, S + 1)), code(CKR_SIGNATURE_INVALID));
                assert_eq!(verify(&halves(curve, length, curve.r + 1, S)), code(CKR_SIGNATURE_INVALID));
            }
            // None, halves that are not equally long, and one byte too long each.
            let longest = halves(curve, curve.order, curve.r, S);
            for wrong in [&[][..], &[curve.r], &[curve.r, 0, S], &longest[1..], &[&[0], &longest[..]].concat()] {
                assert_eq!(verify(wrong), code(CKR_SIGNATURE_LEN_RANGE), "{} bytes", wrong.len());
            }
            assert_eq!(verify(&halves(curve, curve.order + 1, curve.r, S)), code(CKR_SIGNATURE_LEN_RANGE));
            session.destroy(key).unwrap();
        }
        // "For signatures created by a token, the resulting signature is always of length 2nLen."
        let (_, private) =
            session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(curve.parameters), &ec_private()).unwrap();
        let made = session.sign(&mut Mechanism::new(CKM_ECDSA_SHA256), private, b"sample").unwrap();
        assert_eq!(made.len(), 2 * curve.order);
    }
}

#[test]
fn halves_may_be_short() {
    isolated(|| {
        shorter_halves();
    });
}

#[test]
fn halves_may_be_short_in_standard() {
    isolated_standard(|| {
        shorter_halves();
    });
}

#[test]
fn halves_may_be_short_in_strict() {
    staged(|stage, test| match stage {
        "" => {
            let home = Folder::new();
            // `strict` has no way to activate an HSM.
            test.run("cloudhsm", home.path(), "activate");
            test.run("strict", home.path(), "verify");
        }
        "activate" => activate(&[ALICE]),
        _ => {
            initialize().unwrap();
            let session = Session::open();
            session.login(ALICE).unwrap();
            let [_, p256, ..] = &CURVES;
            let key = Template::new()
                .number(CKA_CLASS, CKO_PUBLIC_KEY)
                .number(CKA_KEY_TYPE, CKK_EC)
                .bytes(CKA_EC_PARAMS, p256.parameters)
                .bytes(CKA_EC_POINT, &hex(p256.points[2]))
                .on(&[CKA_VERIFY]);
            let key = session.create(&key).unwrap();
            session.verify(&mut Mechanism::new(CKM_ECDSA_SHA256), key, b"sample", &[p256.r, S]).unwrap();
        }
    });
}
