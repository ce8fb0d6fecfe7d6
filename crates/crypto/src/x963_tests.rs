//! Vectors of NIST's CAVP, and a second computation over whole messages.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::{hex, message};

#[test]
fn cavp_ansx963_2001() {
    // ansx963_2001.rsp, the first of each group: without shared information and 128 bits, with it and 1024 bits.
    for (hash, shared, info, expected) in [
        (Hash::Sha1, "1c7d7b5f0597b03d06a018466ed1a93e30ed4b04dc64ccdd", "", "bf71dffd8f4d99223936beb46fee8ccc"),
        (
            Hash::Sha1,
            "fd17198b89ab39c4ab5d7cca363b82f9fd7e23c3984dc8a2",
            "856a53f3e36a26bbc5792879f307cce2",
            "6e5fad865cb4a51c95209b16df0cc490bc2c9064405c5bccd4ee4832a531fbe7\
             f10cb79e2eab6ab1149fbd5a23cfdabc41242269c9df22f628c4424333855b64\
             e95e2d4fb8469c669f17176c07d103376b10b384ec5763d8b8c610409f19aca8\
             eb31f9d85cc61a8d6d4a03d03e5a506b78d6847e93d295ee548c65afedd2efec",
        ),
        (Hash::Sha224, "9ba3226ba0fca6bd5ddaef5b8d763a4d3303bc258d90468c", "", "15ccbd7d6b8f918335799b3920e69c1f"),
        (
            Hash::Sha224,
            "da67a73072d521a8272c69023573012ddf9b46bff65b3900",
            "727997aed53e78f74b1d66743a4ea4d2",
            "dfc3126c5eebf9a58d89730e8d8ff7cc772592f28c10b349b437d9d068698a22\
             e532eae975dfaf9c5c6a9f2935eafb05353013c253444e61f07bc9ddd15948e6\
             14bdc7e445ba3b1893f42f87f18fb352d49956009a642c362d45410b43a9ab37\
             6e9261210739174759511d1f9e52f6ec73dfed446dbafaf7fd1a57113abc2e8d",
        ),
        (Hash::Sha256, "96c05619d56c328ab95fe84b18264b08725b85e33fd34f08", "", "443024c3dae66b95e6f5670601558f71"),
        (
            // The fourth of its group.
            Hash::Sha256,
            "fd4413d60953a7f9358492046109f61253ceef3c0e362ba0",
            "824d7da4bc94b95259326160bf9c73a4",
            "1825f49839ae8238c8c51fdd19dddc46d309288545e56e29e31712fd19e91e5a\
             3aeee277085acd7c055eb50ab028bbb9218477aeb58a5e0a130433b2124a5c30\
             98a77434a873b43bd0fec8297057ece049430d37f8f0daa222e15287e0796434\
             e7cf32293c14fc3a92c55a1c842b4c857dd918819c7635482225fe91a3751eba",
        ),
        (Hash::Sha384, "d8554db1b392cd55c3fe957bed76af09c13ac2a9392f88f6", "", "671a46aada145162f8ddf1ca586a1cda"),
        (
            Hash::Sha384,
            "c051fd22539c9de791d6c43a854b8f80a6bf70190050854a",
            "1317504aa34759bb4c931e3b78201945",
            "cf6a84434734ac6949e1d7976743277be789906908ad3ca3a8923da7f476abbe\
             b574306d7243031a85566914bfd247d2519c479953d9d55b6b831e56260806c3\
             9af21b74e3ecf470e3bd8332791c8a23c13352514fdef00c2d1a408ba31b2d3f\
             9fdcb373895484649a645d1845eec91b5bfdc5ad28c7824984482002dd4a8677",
        ),
        (Hash::Sha512, "87fc0d8c4477485bb574f5fcea264b30885dc8d90ad82782", "", "947665fbb9152153ef460238506a0245"),
        (
            Hash::Sha512,
            "00aa5bb79b33e389fa58ceadc047197f14e73712f452caa9fc4c9adb369348b8\
             1507392f1a86ddfdb7c4ff8231c4bd0f44e44a1b55b1404747a9e2e753f55ef05a2d",
            "e3b5b4c1b0d5cf1d2b3a2f9937895d31",
            "4463f869f3cc18769b52264b0112b5858f7ad32a5a2d96d8cffabf7fa733633d\
             6e4dd2a599acceb3ea54a6217ce0b50eef4f6b40a5c30250a5a8eeee20800226\
             7089dbf351f3f5022aa9638bf1ee419dea9c4ff745a25ac27bda33ca08bd56dd\
             1a59b4106cf2dbbc0ab2aa8e2efa7b17902d34276951ceccab87f9661c3e8816",
        ),
    ] {
        let expected = hex(expected);
        let mut out = vec![0; expected.len()];
        derive(hash, &hex(shared), &hex(info), &mut out).unwrap();
        assert_eq!(out, expected);
    }
}

#[test]
fn agrees_with_digests_of_whole_messages() {
    for hash in Hash::ALL {
        for length in (0..=200).chain([1000, 300 * hash.length()]) {
            let (shared, info) = (message(length % 67), message(length % 41));
            let mut other = Vec::new();
            let mut counter = 0_u32;
            while other.len() < length {
                counter += 1;
                let input = [&shared, counter.to_be_bytes().as_slice(), &info].concat();
                other.extend_from_slice(hash.value(&input).as_slice());
            }
            other.truncate(length);
            let mut ours = vec![0; length];
            derive(hash, &shared, &info, &mut ours).unwrap();
            assert_eq!(ours, other);
        }
    }
}
