//! Sizes of RSA keys, and private keys that come with less than all of their numbers.

use crate::support::*;

/// Keys that OpenSSL made, of sizes that no generator here has: modulus, private exponent, and OpenSSL's signature of "sample"
/// (PKCS#1 v1.5 with SHA-256, which has no chance in it). The public exponent is 65537.
const OTHER_SIZES: [(usize, &str, &str, &str); 2] = [
    (
        1028,
        "0d17149bf9977ece01cd6e46a556897f07c214bc70dc9066f35670286beb7d053c346bec30d9be79412f64e0b927ea09405d\
         23220dd5c53403cbf306dde62e2b98e1ecea4cdd5a3acd9752132ffc7f00bccf218f7b9cb84db7eff5c3b4eaac7445bc9675\
         707dd8fe20ef8057e3bf2623894f5374e2ee76a989235b899347960701",
        "03c0c851e7ffbd858712c53950123d9dc435ab08543b88d35b953ed6f80a2e701fd0cfd88a3103e1740508a13db4e9eef91b\
         3b057a7dfdea69e441ab885784894d5a3d9ce32da44b09c57087b3d5b9bdf1d518f96370c0954ded0d82fc1ad3e7b577fe9a\
         24d7777565f36aee204e219a88abd718b2e533f07903c0c2441393a801",
        "03146e322e55e24add7791f42c6d6f36bd9368e50d090adf8568b690af88d5c1ca2bc9ab17149b6f2e10d47c1eb585608ae0\
         643941d67ed706bc4cdf9e43b56fe182aa87ad4bbf8402c85312cdb9dd040cfa5c027cee311d5bacbdbf214e95f09e501203\
         0f89455d45d5c810eaeec7a22ee464824c6177d7e9e60458600ecb544b",
    ),
    (
        3092,
        "09c0379fe3de7ee33f91c377a7394d65fa2d9ceadadd9bc8130bdfdbc657364538df28cef6a1a9de5f10016fbde3986670ac\
         faae5242a1cb22281e7dcce9fc939bc2ed425520471c7bdf32069a24cb1bea0d4a6c42564e9ab377ea50515228a1e4e0d430\
         82f9f31a2d3f420c5ddc71abbc2f53ff8de32c18754c60e8d871af05082a182f2b7b6420fca929374e9a324c36173c370bcc\
         52ee7d8cbfee11f965c996a56cbbcc2b907aadfedead152a591410fc8072bc78103ec3f2deafc13b8308266a23dc26f00828\
         c21010e7ad197aece024edc12ada26213fd56d4b8f749f787177288111e192edb608b6d6f14981c6809643c8358117726347\
         2705a2da0ad86547a153834b18335a47c32fbc1c2b24d14cc767749467301c5da86f235d18c714c0415da6bc6cf4ce37ffea\
         09561f0a6e32960dd1f8f80c46f71b17d411d04fde2534855e9cb4d08197f5618c92f0274f9ab43156ab616a3aee28914fb9\
         0c34692cf02c5017c2d5fa3faae85fc620a5940dd4137e0b967b40b1c5bb1fb7784cc1de1f",
        "91e7ae6f81f5d0ba9fd3d90e968986486a9a1d7025913c24963118db83057d0e51f244b14dc9c161b517206797acb4c57e96\
         e326e91623eac9dade678d2b0cf05c786f19780585635d81c30e5cd0326ad5296077e580e55ca57460b575794287ea4c5224\
         4065369bd11d69de4d4afcf5719ec09fe92e0ea541e2f83939368db36877cebf5a90590d40fb53c19869bae2a92bafdbff59\
         6999ea66dd8cd7685d06c7d739dd8e93a75811945a7193996ea97f837d315ef88972a7f8dedfb5e6cc21d252303b879277d9\
         da06480da653c5bf02e07d17a29da265987d76f9b18e891d407cf4d8245b3d085a2a40ca026d562b32c42f71a93383390cb8\
         3647f5d16287e31babd4c93fcffbdb40257ed6ed0e7196b6090dd0c39d6b0cedb156f190bd07dae8d18215827852f5f10d94\
         7a15e597947130180420b94348f45b75f8f9778b989eedddbce1a26e4a2d6b3fc1399ceac66121f2845b781cb05cdfe17948\
         60c9c023ebd06c1662cc504cf9d53ff0e8c82af14ec921b463c8e3f398662943474a1fc1",
        "076def83f542713e0aec26deb6399a95a206b01ed075dc1da3d4516941ddf15def3031ebd277eac3ad378087c1d554a039a5\
         7aee5d44c943f97036a525e681c98769be7bb76497455651144c009dbd489bb01da39c026d830b59cdcb85742a89f54d51b0\
         8219ad61ab7739e9c15d99b8838147c473a9ea51759e31fd463f9f9876cdbd5f6be49df99fc56eafbeb29c8b5111e2dd4915\
         91bae113f275949609e3d1849dc54ead062dbf6288800075bd1b571597ee9046af3d92acfb46105e957623d5edb713bd5d53\
         9c3e75eb285144d404cd319bfc86af7d677965186a6a53b361f66a0f7563c9916a63343db20f5d8ef1e659f16891e78f3fa6\
         fe5d8811d5f8da11b286204a0948624b4935a04cf8019620a9b99b164121630c8b0de235b02ac29c3fcce54793cc8def9904\
         26f917355bf73b45d6e53ebb53b69fbeea99a4176fe23b03e04195108c3c27bb1cfff53389a5c0817817c9a66df2e40e2764\
         42797ae14bd53fbe3e6ca95dffd8c41b356fc10abca83e7bc8fcabb736dadac75817b9b5ca",
    ),
];

fn numbers(modulus: &str, private_exponent: &str) -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_PRIVATE_KEY)
        .number(CKA_KEY_TYPE, CKK_RSA)
        .bytes(CKA_MODULUS, &hex(modulus))
        .bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])
        .bytes(CKA_PRIVATE_EXPONENT, &hex(private_exponent))
        .on(&[CKA_SIGN])
}

/// A size that the generator does not have is "an invalid value for an attribute" of the template (PKCS#11 3.2, section 4.1.1,
/// rule 2): C_GenerateKeyPair does not give CKR_KEY_SIZE_RANGE (section 5.18.2). docs/mechanisms.md tells which sizes there are.
fn generated(mechanism: CK_MECHANISM_TYPE, refused: &[CK_ULONG], made: &[CK_ULONG]) {
    let session = hsm();
    for bits in refused {
        let pair = session.generate_pair(mechanism, &rsa_public(*bits), &rsa_private());
        assert_eq!(pair, code(CKR_ATTRIBUTE_VALUE_INVALID), "{bits}");
    }
    for bits in made {
        let pair = session.generate_pair(mechanism, &rsa_public(*bits), &rsa_private()).unwrap();
        assert_eq!(session.read(pair.1, CKA_MODULUS).unwrap().len() as CK_ULONG, bits / 8);
    }
}

#[test]
fn sizes_of_generated_keys() {
    let wrong = [0, 512, 1024, 2047, 2049, 2056, 2176, 3092, 4097, 4352, 0x1_0000_0800, CK_ULONG::MAX];
    isolated(|| generated(CKM_RSA_PKCS_KEY_PAIR_GEN, &wrong, &[2048, 2304]));
}

#[test]
fn sizes_of_generated_keys_in_standard() {
    let wrong = [0, 512, 896, 1028, 1088, 2056, 3092, 8193, 8320, 0x1_0000_0800, CK_ULONG::MAX];
    isolated_standard(|| generated(CKM_RSA_PKCS_KEY_PAIR_GEN, &wrong, &[1024, 1152]));
}

#[test]
fn sizes_of_strong_pairs_in_standard() {
    isolated_standard(|| generated(CKM_RSA_X9_31_KEY_PAIR_GEN, &[1024, 1152, 1920, 2056, 8320], &[2048]));
}

/// Keys of every size in the range are imported and used in `standard`.
#[test]
fn other_sizes_are_imported() {
    isolated_standard(|| {
        let session = hsm();
        for (bits, modulus, private_exponent, signature) in OTHER_SIZES {
            let private = session.create(&numbers(modulus, private_exponent)).unwrap();
            let public = Template::new()
                .number(CKA_CLASS, CKO_PUBLIC_KEY)
                .number(CKA_KEY_TYPE, CKK_RSA)
                .bytes(CKA_MODULUS, &hex(modulus))
                .bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1])
                .on(&[CKA_VERIFY]);
            let public = session.create(&public).unwrap();
            assert_eq!(session.number(public, CKA_MODULUS_BITS), Ok(bits as CK_ULONG));
            let mechanism = || Mechanism::new(CKM_SHA256_RSA_PKCS);
            assert_eq!(session.sign(&mut mechanism(), private, b"sample"), Ok(hex(signature)));
            session.verify(&mut mechanism(), public, b"sample", &hex(signature)).unwrap();
        }
    });
}

/// "If a Cryptoki library does not have values ..." (PKCS#11 3.2, section 6.1.3 makes CKA_PRIME_1 and what follows optional): a
/// program that has no such number gives an empty one, or zero, and the HSM computes it (ours; see docs/open-points.md). A number
/// that is wrong stays refused.
fn missing_numbers() {
    let session = hsm();
    let all = [CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT];
    let whole = rsa_private_value().on(&[CKA_SIGN]);
    let expected = {
        let key = session.create(&whole).unwrap();
        session.sign(&mut Mechanism::new(CKM_SHA256_RSA_PKCS), key, b"sample").unwrap()
    };
    let missing = all.iter().map(|id| vec![*id]).chain([all.to_vec(), all[2..].to_vec(), all[..2].to_vec()]);
    for missing in missing {
        for nothing in [&[][..], &[0], &[0; 128]] {
            let template = missing.iter().fold(whole.clone(), |all, id| all.without(*id).bytes(*id, nothing));
            let key = session.create(&template).unwrap();
            let signature = session.sign(&mut Mechanism::new(CKM_SHA256_RSA_PKCS), key, b"sample");
            assert_eq!(signature.as_ref(), Ok(&expected), "{missing:x?}");
        }
    }
    for id in all {
        let template = whole.clone().without(id).bytes(id, &[3]);
        assert_eq!(session.create(&template), code(CKR_ATTRIBUTE_VALUE_INVALID), "{id:#x}");
    }
}

#[test]
fn numbers_that_are_empty_are_computed() {
    isolated_standard(|| {
        missing_numbers();
    });
}
