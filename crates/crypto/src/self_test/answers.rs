//! The known answers of the self-tests: each from the standard of its algorithm, or from a second implementation.

/// The bytes of hexadecimal digits, when the library is compiled.
#[allow(clippy::indexing_slicing, reason = "the compiler runs it: a wrong index is a failed build")]
const fn hex<const N: usize>(digits: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = 0;
    let mut place = 0;
    while at < digits.len() {
        let value = match digits[at] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            // Between the lines of a literal.
            _ => {
                at += 1;
                continue;
            }
        };
        bytes[place / 2] = bytes[place / 2] << 4 | value;
        place += 1;
        at += 1;
    }
    assert!(place == 2 * N, "as many digits as the type says");
    bytes
}

/// FIPS 180-4 examples: the digests of "abc".
pub(super) const ABC_SHA1: [u8; 20] = hex(b"a9993e364706816aba3e25717850c26c9cd0d89d");
/// See above.
pub(super) const ABC_SHA224: [u8; 28] = hex(b"23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7");
/// See above.
pub(super) const ABC_SHA256: [u8; 32] = hex(b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
/// See above.
pub(super) const ABC_SHA384: [u8; 48] =
    hex(b"cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
/// See above.
pub(super) const ABC_SHA512: [u8; 64] = hex(b"\
      ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd\
      454d4423643ce80e2a9ac94fa54ca49f");
/// RFC 4231 test case 1: key 20 times 0b, "Hi There".
pub(super) const HMAC_SHA256: [u8; 32] = hex(b"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
/// SP 800-38A appendix F: the key of AES-256 and the first block.
pub(super) const AES_KEY: [u8; 32] = hex(b"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
/// See above.
pub(super) const AES_BLOCK: [u8; 16] = hex(b"6bc1bee22e409f96e93d7e117393172a");
/// SP 800-38A F.1.5.
pub(super) const AES_ECB: [u8; 16] = hex(b"f3eed1bdb5d2a03c064b5a7e3db181f8");
/// SP 800-38A F.2.5.
pub(super) const AES_CBC_IV: [u8; 16] = hex(b"000102030405060708090a0b0c0d0e0f");
/// See above.
pub(super) const AES_CBC: [u8; 16] = hex(b"f58c4c04d6e5f1ba779eabfb5f7bfbd6");
/// SP 800-38A F.5.5.
pub(super) const AES_CTR_START: [u8; 16] = hex(b"f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
/// See above.
pub(super) const AES_CTR: [u8; 16] = hex(b"601ec313775789a5b7a7f504bbf3d228");
/// SP 800-38B D.3, example 10: the same key and block.
pub(super) const AES_CMAC: [u8; 16] = hex(b"28a7023f452e8f82bd4bf28d8c37c35c");
/// The GCM specification (McGrew and Viega), test case 14: all zeros; ciphertext and tag.
pub(super) const GCM_SEALED: [u8; 32] = hex(b"cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
/// RFC 3394 section 4.6.
pub(super) const KEK: [u8; 32] = hex(b"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
/// See above.
pub(super) const KEY_DATA: [u8; 32] = hex(b"00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
/// See above.
pub(super) const WRAPPED: [u8; 40] =
    hex(b"28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21");
/// SP 800-67 appendix B.1.
pub(super) const DES3_KEY: [u8; 24] = hex(b"0123456789abcdef23456789abcdef01456789abcdef0123");
/// See above: "The qufc".
pub(super) const DES3_BLOCK: [u8; 8] = hex(b"5468652071756663");
/// See above.
pub(super) const DES3_ECB: [u8; 8] = hex(b"a826fd8ce53b855f");
/// The key of Wycheproof's rsa_oaep_2048_sha256_mgf1sha256.
pub(super) const RSA_MODULUS: [u8; 256] = hex(b"\
      a2b451a07d0aa5f96e455671513550514a8a5b462ebef717094fa1fee82224e637f9746d3f7cafd31878d80325b6ef5a\
      1700f65903b469429e89d6eac8845097b5ab393189db92512ed8a7711a1253facd20f79c15e8247f3d3e42e46e48c98e\
      254a2fe9765313a03eff8f17e1a029397a1fa26a8dce26f490ed81299615d9814c22da610428e09c7d9658594266f5c0\
      21d0fceca08d945a12be82de4d1ece6b4c03145b5d3495d4ed5411eb878daf05fd7afc3e09ada0f1126422f590975a19\
      69816f48698bcbba1b4d9cae79d460d8f9f85e7975005d9bc22c4e5ac0f7c1a45d12569a62807d3b9a02e5a530e77306\
      6f453d1f5b4c2e9cf7820283f742b9d5");
/// See above.
pub(super) const RSA_EXPONENT: [u8; 3] = hex(b"010001");
/// See above.
pub(super) const RSA_PRIVATE_EXPONENT: [u8; 256] = hex(b"\
      24cdc62317f5d72a6f6ba6cc9632899b01d1ff28867d72f61688995bc855a4e420a8405250089bdb13cf8e09543827b7\
      48b9d27fbb2b4d9e20af8c5a6a862796d1a4cc18ad16ea678bc1bd4a83bbbe9c5e57453b5ce7388e41a3ba4ce2b77b44\
      38a229e954f720dae0353dc088ac8a76b26dc276f8e1b7851ddd6398ad16ff2e78195123b9b036e945c38c9d12434f6d\
      f76fe22359eb3e1ac9c011678fc926fad3ae475a4fffff55feb2d147e9c894f4c0e29a599e762462482d968bf4278094\
      5fc0d2c31c573c4431b8f4fe8b8c67bec815abd44f7a86edca1c2308737358d2c2ae5e2e0e2dadf730980262377e58b1\
      3b7d9992060a0bc870ccfdb4a9319ee1");
/// See above.
pub(super) const RSA_PRIME_1: [u8; 128] = hex(b"\
      dc431050f782e894fb5248247d98cb7d58b8d1e24f3b55d041c56e4de086b0d5bb028bda42eeb5d234d5681e5809d415\
      e6a289ad4cfbf78f978f6c35814f50eebff1c5b80a69f788e81e6bab5ddaa78369d659d143ec6f17e79813a575cfad9c\
      569156b90113e2e9110ad9e7b48a1c9348a6e653321191290ea36cfb3a5b18f1");
/// See above.
pub(super) const RSA_PRIME_2: [u8; 128] = hex(b"\
      bd1a81e7977f9898122273ae3222b598ea5fb19eb4eabc38308a5e32196603b2e500ffb79f5b886816611debc472fac4\
      5544070beb057c941378a6868af3b7a03d3f9880ec47d5e089b94fbde542aba9ae8d72c57088d7abf5b131f39098f7bc\
      160f90536abc9492fd4e06f3ed7299d4b97bb03677207d95669f140cfbc20f25");
/// See above.
pub(super) const RSA_EXPONENT_1: [u8; 128] = hex(b"\
      a94b528b28f291599121d91952ffd1c7f21d7c1479d99d478885fb161870ee1218bf08472612dbe5497e8d9c650688e0\
      9c786961ae3e2c354dc48ae34514759c4c23c4588488961dc06b414e61c0e1e7fbbd2923d31532fe289f96da220711e5\
      8c14019808e00414276933bb07e4efb9b4a9b37656917205209f33f09515d7c1");
/// See above.
pub(super) const RSA_EXPONENT_2: [u8; 128] = hex(b"\
      3af0e72a933aef09ff2503df78bafed531c02ff1a2bc437c540cdcbd4ad35435cf511763596543480629b114ca7f780f\
      f7efa32ea0cb6e000d6d9ea1f2ef71fd9cf9948422a165557e37e755edfe70d90b920502eb478bc98a63f788ce3a0f85\
      6d6ede7251a383bfa8fa480a81a925af7b3cc538c4bab8c9f7597ffb68011d8d");
/// See above.
pub(super) const RSA_COEFFICIENT: [u8; 128] = hex(b"\
      2640fbfbcfefb163ee7a87b6483a66ee41f956d90fa8a7939bfc042ee0924b1b7993d0445f758d51933e85179c0320b0\
      c968b48a91c38b5be923e1097c0c562f88d42294b6a2759bafa5428a74f1270874e45f6fcc60f21602de5eccd143cf31\
      241f5921b5ad3983fb54ef17be3b285367e50c999c67247b552fe4bfce945f7b");
/// What OpenSSL signs with it: "abc", SHA-256, PKCS#1 v1.5.
pub(super) const RSA_SIGNATURE: [u8; 256] = hex(b"\
      485a79470c145bce2d3e40c64a583e79f5697dc362bc916db830b95b71b6d0fbf34cc2a15eb705ab1df59cfd7d9f65ba\
      6190307f5a63a8c7a11672257d542971db3f53e2eebd91526759f31776a52dc85021c27fcc10b48e54978fd95d1f0a74\
      5bc5ae939c1dd25bdb670d2f8dc96d3b3055374358de0fde977d1049f762c91da426bdadf05bbddd745b28b903297756\
      4f65be790aeb60e173398aa0ebaceec7293a88744cb6cbfca7d1becb283e3879ae3840bc162bcad40a51bd75bbf035a4\
      de880108c0559ab02b63a30db0328169234c4a4960534ab452c283f392c2472218fc9586cde1af9ed268ddcabd5979b0\
      2be4fccab8b01dee18c49a67d216e49c");
/// RFC 6979 A.2.5: a key on P-256, and its signature of "sample" with SHA-256.
pub(super) const P256_SCALAR: [u8; 32] = hex(b"c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
/// See above.
pub(super) const P256_POINT: [u8; 65] = hex(b"\
      0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc\
      64f2f1b20c2d7e9f5177a3c294d4462299");
/// See above.
pub(super) const P256_SIGNATURE: [u8; 64] = hex(b"\
      efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716f7cb1c942d657c41d436c7a1b6e29f65\
      f3e900dbb9aff4064dc4ab2f843acda8");
/// RFC 5903 section 8.1: a private key, the other's point, and what they share.
pub(super) const ECDH_SCALAR: [u8; 32] = hex(b"c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433");
/// See above.
pub(super) const ECDH_POINT: [u8; 65] = hex(b"\
      04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf6356fbf3ca366cc23e8157854c13c58d\
      6aac23f046ada30f8353e74f33039872ab");
/// See above.
pub(super) const ECDH_SHARED: [u8; 32] = hex(b"d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
/// RFC 8032 section 7.1, test 1: the signature of nothing.
pub(super) const ED25519_SEED: [u8; 32] = hex(b"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
/// See above.
pub(super) const ED25519_SIGNATURE: [u8; 64] = hex(b"\
      e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b\
      d25bf5f0595bbe24655141438e7a100b");
/// Wycheproof's mldsa_44_sign_seed: a seed, and the SHA-256 of the public key that it makes.
pub(super) const ML_DSA_SEED: [u8; 32] = hex(b"ce05000000000000000000000000000000000000000000000000000000000000");
/// See above.
pub(super) const ML_DSA_PUBLIC_DIGEST: [u8; 32] =
    hex(b"8b055a5d1d4ecc3d258c259e4652ebf569b3030e25ea19b313dde1dc490821ff");
