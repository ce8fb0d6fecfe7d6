//! AWS-LC and the `rsa` crate check each other; known answers for implicit rejection; keys that do not fit.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::convert::Infallible;
use std::sync::OnceLock;

use ::rsa as theirs;
use ::rsa::BoxedUint;
use ::rsa::pkcs1::RsaPrivateKeyRef;
use ::rsa::pkcs8::der::Decode;
use sha2::{Digest, Sha256, Sha384};
use theirs::rand_core::{TryCryptoRng, TryRng};

use super::*;
use crate::ffi::bignum::Context;
use crate::rsa_material::{Crt, complete, decode_pkcs8, encode_pkcs8, encode_spki};

mod encryption;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
    assert!(digits.len().is_multiple_of(2));
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn rv<T>(result: Result<T>) -> ck::CK_RV {
    result.err().unwrap().rv()
}

/// Numbers for the other library's paddings.
struct Noise(u64);

impl TryRng for Noise {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> std::result::Result<u32, Infallible> {
        Ok(u32::try_from(self.try_next_u64()? >> 32).unwrap())
    }
    fn try_next_u64(&mut self) -> std::result::Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> std::result::Result<(), Infallible> {
        for chunk in out.chunks_mut(32) {
            self.0 += 1;
            chunk.copy_from_slice(&Sha256::digest(self.0.to_be_bytes())[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Noise {}

struct Pair {
    components: Components,
    private: PrivateKey,
    public: PublicKey,
    other: theirs::RsaPrivateKey,
}

impl Pair {
    fn of(components: Components) -> Self {
        let c = &components;
        let number = |bytes: &[u8]| BoxedUint::from_be_slice_vartime(bytes);
        let other = theirs::RsaPrivateKey::from_components(
            number(&c.modulus),
            number(&c.public_exponent),
            number(c.private_exponent.expose()),
            vec![number(c.prime_1.expose()), number(c.prime_2.expose())],
        )
        .unwrap();
        let private = PrivateKey::from_components(c).unwrap();
        let public = PublicKey::from_components(&c.modulus, &c.public_exponent).unwrap();
        Self { components, private, public, other }
    }
}

/// One key of each size and exponent, made once.
fn pairs() -> &'static [Pair] {
    static PAIRS: OnceLock<Vec<Pair>> = OnceLock::new();
    PAIRS.get_or_init(|| {
        [(1024, F4, false), (2048, F4, true), (2048, &[3], false), (3072, &[0, 1, 0, 3], true)]
            .map(|(bits, e, fips)| Pair::of(PrivateKey::generate(bits, e, fips).unwrap()))
            .into()
    })
}

const F4: &[u8] = &[1, 0, 1];

fn info(digest: &[u8]) -> Vec<u8> {
    [&hex("3031300d060960864801650304020105000420")[..], digest].concat()
}

#[test]
fn pkcs1_signatures_go_both_ways() {
    for pair in pairs() {
        let t = info(&Sha256::digest(b"message"));
        let k = pair.public.modulus_bytes();
        let mut signature = vec![0; k];
        assert_eq!(pair.private.sign_pkcs1(&t, &mut signature).unwrap(), k);
        pair.public.verify_pkcs1(&t, &signature).unwrap();
        let scheme = theirs::pkcs1v15::Pkcs1v15Sign::new_unprefixed;
        pair.other.to_public_key().verify(scheme(), &t, &signature).unwrap();
        assert_eq!(pair.other.sign(scheme(), &t).unwrap(), signature);
        pair.private.check_pair_cheap().unwrap();
        pair.private.check_pair_by_signature().unwrap();

        for data in [&[][..], &[0; 3], &vec![0xab; k - 11]] {
            pair.private.sign_pkcs1(data, &mut signature).unwrap();
            pair.public.verify_pkcs1(data, &signature).unwrap();
            assert_eq!(rv(pair.public.verify_pkcs1(&[data, &[0]].concat(), &signature)), ck::CKR_SIGNATURE_INVALID);
        }
        assert_eq!(rv(pair.private.sign_pkcs1(&vec![0; k - 10], &mut signature)), ck::CKR_DATA_LEN_RANGE);
        assert_eq!(rv(pair.public.verify_pkcs1(&vec![0; k - 10], &signature)), ck::CKR_SIGNATURE_INVALID);
        assert_eq!(rv(pair.private.sign_pkcs1(&t, &mut signature[1..])), ck::CKR_BUFFER_TOO_SMALL);
        assert_eq!(rv(pair.public.verify_pkcs1(&t, &signature[1..])), ck::CKR_SIGNATURE_LEN_RANGE);
        let long = [&signature[..], &[0]].concat();
        assert_eq!(rv(pair.public.verify_pkcs1(&t, &long)), ck::CKR_SIGNATURE_LEN_RANGE);
        assert_eq!(rv(pair.public.verify_pkcs1(&t, &pair.components.modulus)), ck::CKR_SIGNATURE_INVALID);
        // Data one byte too long, behind a padding one byte too short.
        let data = vec![0x61; k - 10];
        let block = [&[0, 1][..], &[0xff; 7], &[0], &data].concat();
        pair.private.raw(&block, &mut signature).unwrap();
        assert_eq!(rv(pair.public.verify_pkcs1(&data, &signature)), ck::CKR_SIGNATURE_INVALID);
    }
}

/// Bleichenbacher 2006: a block whose padding is short and whose end is free must not pass.
#[test]
fn forged_pkcs1_blocks_are_refused() {
    let pair = &pairs()[1];
    let (k, t) = (256, info(&Sha256::digest(b"message")));
    let block = |padding: usize, fill: u8, kind: u8, tail: usize| {
        let mut block = vec![0, kind];
        block.resize(2 + padding, fill);
        block.push(0);
        block.extend_from_slice(&t);
        block.resize(block.len() + tail, 0);
        block
    };
    let full = k - 3 - t.len();
    let mut signature = vec![0; k];
    pair.private.raw(&block(full, 0xff, 1, 0), &mut signature).unwrap();
    pair.public.verify_pkcs1(&t, &signature).unwrap();
    for forged in
        [block(8, 0xff, 1, full - 8), block(full, 0xfe, 1, 0), block(full, 0xff, 2, 0), block(full, 0xff, 0, 0)]
    {
        assert_eq!(forged.len(), k);
        pair.private.raw(&forged, &mut signature).unwrap();
        assert_eq!(rv(pair.public.verify_pkcs1(&t, &signature)), ck::CKR_SIGNATURE_INVALID);
    }
}

#[test]
fn pss_with_every_kind_of_salt_and_mask() {
    for pair in pairs() {
        let k = pair.public.modulus_bytes();
        let mut signature = vec![0; k];
        for hash in [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384] {
            let digest = vec![0x33; hash.length()];
            let longest = k - hash.length() - 2;
            for (mgf, salt) in [(hash, 0), (hash, hash.length()), (Hash::Sha1, 1), (Hash::Sha512, longest)] {
                pair.private.sign_pss(hash, mgf, salt, &digest, &mut signature).unwrap();
                pair.public.verify_pss(hash, mgf, salt, &digest, &signature).unwrap();
                let wrong_salt = if salt == 0 { 1 } else { salt - 1 };
                let other_mgf = if mgf == Hash::Sha1 { Hash::Sha256 } else { Hash::Sha1 };
                for bad in [
                    pair.public.verify_pss(hash, mgf, wrong_salt, &digest, &signature),
                    pair.public.verify_pss(hash, other_mgf, salt, &digest, &signature),
                    pair.public.verify_pss(hash, mgf, salt, &vec![0x34; hash.length()], &signature),
                ] {
                    assert_eq!(rv(bad), ck::CKR_SIGNATURE_INVALID);
                }
            }
            let too_long = pair.private.sign_pss(hash, hash, longest + 1, &digest, &mut signature);
            assert_eq!(rv(too_long), ck::CKR_MECHANISM_PARAM_INVALID);
            let huge = pair.public.verify_pss(hash, hash, usize::MAX, &digest, &signature);
            assert_eq!(rv(huge), ck::CKR_MECHANISM_PARAM_INVALID);
            let short = pair.private.sign_pss(hash, hash, 0, &digest[1..], &mut signature);
            assert_eq!(rv(short), ck::CKR_DATA_LEN_RANGE);
        }
        let digest = Sha384::digest(b"message");
        pair.private.sign_pss(Hash::Sha384, Hash::Sha384, 17, &digest, &mut signature).unwrap();
        let scheme = theirs::Pss::<Sha384>::new_with_salt;
        pair.other.to_public_key().verify(scheme(17), &digest, &signature).unwrap();
        let signature = pair.other.sign_with_rng(&mut Noise(7), scheme(20), &digest).unwrap();
        pair.public.verify_pss(Hash::Sha384, Hash::Sha384, 20, &digest, &signature).unwrap();
    }
}

fn raw(key: &PublicKey, block: &[u8]) -> Vec<u8> {
    let mut out = vec![0; key.modulus_bytes()];
    key.raw(block, &mut out).unwrap();
    out
}

/// 0, 1 and n - 1.
fn fixed_points(modulus: &[u8]) -> [Vec<u8>; 3] {
    let (mut one, mut top) = (vec![0; modulus.len()], modulus.to_vec());
    *one.last_mut().unwrap() = 1;
    *top.last_mut().unwrap() -= 1;
    [vec![0; modulus.len()], one, top]
}

#[test]
fn raw_operations() {
    for pair in pairs() {
        let k = pair.public.modulus_bytes();
        let (n, mut out, mut back) = (&pair.components.modulus, vec![0; k], vec![0; k]);
        for data in [&[2][..], &[0, 0, 9, 9], &vec![0x12; k - 1], &vec![0x0f; k]] {
            pair.private.raw(data, &mut out).unwrap();
            pair.public.verify_raw(data, &out).unwrap();
            pair.public.raw(&out, &mut back).unwrap();
            assert_eq!(back[k - data.len()..], *data);
            assert!(back[..k - data.len()].iter().all(|byte| *byte == 0));
            assert_eq!(pair.private.decrypt_raw(&raw(&pair.public, data), &mut back).unwrap(), k);
            assert_eq!(back[k - data.len()..], *data);
            assert_eq!(rv(pair.public.verify_raw(&[3], &out)), ck::CKR_SIGNATURE_INVALID);
        }
        for fixed in fixed_points(n) {
            pair.private.raw(&fixed, &mut out).unwrap();
            assert_eq!(out, fixed);
            assert_eq!(raw(&pair.public, &fixed), fixed);
        }
        for too_large in [n.clone(), vec![0xff; k]] {
            assert_eq!(rv(pair.private.raw(&too_large, &mut out)), ck::CKR_DATA_INVALID);
            assert_eq!(rv(pair.public.raw(&too_large, &mut out)), ck::CKR_DATA_INVALID);
            assert_eq!(rv(pair.private.decrypt_raw(&too_large, &mut out)), ck::CKR_ENCRYPTED_DATA_INVALID);
            assert_eq!(rv(pair.private.decrypt_pkcs1(&too_large, &mut out)), ck::CKR_ENCRYPTED_DATA_INVALID);
        }
        let long = vec![0; k + 1];
        assert_eq!(rv(pair.private.raw(&long, &mut out)), ck::CKR_DATA_LEN_RANGE);
        assert_eq!(rv(pair.private.decrypt_raw(&long, &mut out)), ck::CKR_ENCRYPTED_DATA_LEN_RANGE);
        assert_eq!(rv(pair.private.decrypt_pkcs1(&long[2..], &mut out)), ck::CKR_ENCRYPTED_DATA_LEN_RANGE);
        assert_eq!(rv(pair.private.raw(&[2], &mut out[1..])), ck::CKR_BUFFER_TOO_SMALL);
    }
}

/// What [`complete`] takes.
type Parts<'a> = (&'a [u8], &'a [u8], &'a [u8], Option<(&'a [u8], &'a [u8])>, Crt<'a>);

fn parts(c: &Components) -> Parts<'_> {
    let crt = Crt {
        exponent_1: Some(c.exponent_1.expose()),
        exponent_2: Some(c.exponent_2.expose()),
        coefficient: Some(c.coefficient.expose()),
    };
    let primes = Some((c.prime_1.expose(), c.prime_2.expose()));
    (&c.modulus, &c.public_exponent, c.private_exponent.expose(), primes, crt)
}

fn same(a: &Components, b: &Components) -> bool {
    a.modulus == b.modulus
        && a.public_exponent == b.public_exponent
        && a.private_exponent.ct_eq(b.private_exponent.expose())
        && a.prime_1.ct_eq(b.prime_1.expose())
        && a.prime_2.ct_eq(b.prime_2.expose())
        && a.exponent_1.ct_eq(b.exponent_1.expose())
        && a.exponent_2.ct_eq(b.exponent_2.expose())
        && a.coefficient.ct_eq(b.coefficient.expose())
}

#[test]
fn missing_parts_come_back() {
    for pair in pairs() {
        let c = &pair.components;
        let (n, e, d, primes, crt) = parts(c);
        let (p, q) = primes.unwrap();
        for (primes, crt) in [(None, Crt::default()), (primes, Crt::default()), (None, crt), (primes, crt)] {
            assert!(same(&complete(n, e, d, primes, crt).unwrap(), c));
        }
        // The same key with its primes swapped: other CRT values, which work as well.
        let swapped = complete(n, e, d, Some((q, p)), Crt::default()).unwrap();
        assert!(swapped.prime_1.ct_eq(q) && swapped.exponent_1.ct_eq(c.exponent_2.expose()));
        let (.., swapped_crt) = parts(&swapped);
        assert!(same(&complete(n, e, d, None, swapped_crt).unwrap(), &swapped));
        let key = PrivateKey::from_components(&swapped).unwrap();
        key.check_pair_by_signature().unwrap();
        let mut out = vec![0; 512];
        let length = key.sign_pkcs1(b"data", &mut out).unwrap();
        pair.public.verify_pkcs1(b"data", &out[..length]).unwrap();
        // Swapped primes beside CRT values that are not.
        assert_eq!(rv(complete(n, e, d, Some((q, p)), crt)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
        // Leading zeros are nobody's mistake.
        let zeros = |bytes: &[u8]| [&[0, 0][..], bytes].concat();
        assert!(same(&complete(&zeros(n), &zeros(e), &zeros(d), Some((&zeros(p), &zeros(q))), crt).unwrap(), c));
        // d may be the inverse modulo (p-1)(q-1) instead of the least common multiple.
        let context = Context::new().unwrap();
        let number = |bytes: &[u8]| BigNum::from_bytes(bytes).unwrap();
        let (p_1, q_1) = (number(p).minus_one().unwrap(), number(q).minus_one().unwrap());
        let lcm = p_1.times(&q_1, &context).unwrap().divided_by(&p_1.gcd(&q_1, &context).unwrap(), &context).unwrap().0;
        let longer = number(d).plus(&lcm).unwrap();
        let longer = longer.to_secret().unwrap();
        match complete(n, e, longer.expose(), None, Crt::default()) {
            Ok(found) => assert!(found.prime_1.ct_eq(p) && found.exponent_1.ct_eq(c.exponent_1.expose())),
            Err(error) => assert!(longer.expose() > n, "{error}"),
        }
    }
}

#[test]
fn inconsistent_parts_are_refused() {
    let pair = &pairs()[1];
    let (n, e, d, primes, crt) = parts(&pair.components);
    let (p, q) = primes.unwrap();
    let changed = |bytes: &[u8], bit: usize| {
        let (mut bytes, bit) = (bytes.to_vec(), bit % (8 * bytes.len()));
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        bytes
    };
    let mut refused = 0;
    let mut expect = |result: Result<Components>| {
        assert_eq!(rv(result), ck::CKR_ATTRIBUTE_VALUE_INVALID);
        refused += 1;
    };
    for bit in [0, 1, 100, 1000, 1023] {
        expect(complete(&changed(n, bit), e, d, primes, Crt::default()));
        expect(complete(&changed(n, bit), e, d, None, Crt::default()));
        expect(complete(n, e, &changed(d, bit), primes, Crt::default()));
        expect(complete(n, e, &changed(d, bit), None, Crt::default()));
        expect(complete(n, e, d, Some((&changed(p, bit), q)), Crt::default()));
        expect(complete(n, e, d, Some((p, &changed(q, bit))), Crt::default()));
        let wrong = changed(crt.exponent_1.unwrap(), bit);
        expect(complete(n, e, d, primes, Crt { exponent_1: Some(&wrong), ..crt }));
        let wrong = changed(crt.exponent_2.unwrap(), bit);
        expect(complete(n, e, d, primes, Crt { exponent_2: Some(&wrong), ..crt }));
        let wrong = changed(crt.coefficient.unwrap(), bit);
        expect(complete(n, e, d, primes, Crt { coefficient: Some(&wrong), ..Crt::default() }));
    }
    for (n, e, d) in [
        (n, &[][..], d),
        (n, &[1], d),
        (n, &[0], d),
        (n, &[2], d),
        (n, &[3], d),
        (n, &[0xff; 33], d),
        (&[][..], e, d),
        (&[0xff; 63], e, d),
        (&[0xff; 2049], e, d),
        (n, e, &[]),
        (n, e, &[0]),
        (n, e, &[1]),
        (n, e, n),
    ] {
        expect(complete(n, e, d, None, Crt::default()));
        expect(complete(n, e, d, primes, Crt::default()));
    }
    for (p, q) in [(n, &[1][..]), (&[1], n), (p, p), (&[], q), (p, &[0]), (&[2], q), (&[0xff; 3000], q)] {
        expect(complete(n, e, d, Some((p, q)), Crt::default()));
    }
    let long = vec![0xff; 4000];
    expect(complete(n, e, d, primes, Crt { coefficient: Some(&long), ..crt }));
    assert_eq!(refused, 45 + 26 + 7 + 1);

    for (n, e) in [
        (n, &[1][..]),
        (n, &[4]),
        (n, &[]),
        (n, &[0xff; 33]),
        (&changed(n, 2047), e),
        (&[0xff; 63], e),
        (&[], e),
        (&[0xff; 2049], e),
    ] {
        assert_eq!(rv(PublicKey::from_components(n, e)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
    }
}

#[test]
fn long_public_exponents_work() {
    // e of 256 bits: made from the primes of another key, since AWS-LC generates none.
    let c = &pairs()[1].components;
    let context = Context::new().unwrap();
    let number = |bytes: &[u8]| BigNum::from_bytes(bytes).unwrap();
    let (p, q) = (number(c.prime_1.expose()), number(c.prime_2.expose()));
    let phi = p.minus_one().unwrap().times(&q.minus_one().unwrap(), &context).unwrap();
    let theirs_phi = BoxedUint::from_be_slice_vartime(phi.to_secret().unwrap().expose());
    let (e, d) = (1u8..=255)
        .step_by(2)
        .find_map(|last| {
            let mut e = [0xee; 32];
            e[31] = last;
            let wide = BoxedUint::from_be_slice(&e, theirs_phi.bits_precision()).unwrap();
            let d = wide.invert_mod(&theirs_phi.clone().to_nz().unwrap());
            Option::<BoxedUint>::from(d).map(|d| (e, d.to_be_bytes()))
        })
        .unwrap();
    let components = complete(&c.modulus, &e, &d, None, Crt::default()).unwrap();
    let private = PrivateKey::from_components(&components).unwrap();
    private.check_pair_by_signature().unwrap();
    let public = PublicKey::from_components(&c.modulus, &e).unwrap();
    let mut out = vec![0; 256];
    private.sign_pss(Hash::Sha256, Hash::Sha256, 32, &[1; 32], &mut out).unwrap();
    public.verify_pss(Hash::Sha256, Hash::Sha256, 32, &[1; 32], &out).unwrap();
}

#[test]
fn generation_has_limits() {
    for bits in [0, 511, 256, 2047, 2049, 2056, 16512, u32::MAX] {
        assert_eq!(rv(PrivateKey::generate(bits, F4, false)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
    }
    assert_eq!(rv(PrivateKey::generate(1024, F4, true)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
    for e in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[1, 0, 0, 0, 1]] {
        assert_eq!(rv(PrivateKey::generate(2048, e, false)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
    }
    assert_eq!(rv(PrivateKey::generate(2048, &[3], true)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
    let small = PrivateKey::generate(512, &[0, 0, 1, 0, 1], false).unwrap();
    assert_eq!((small.modulus.len(), &small.public_exponent[..]), (64, F4));
}

/// CKM_RSA_X9_31_KEY_PAIR_GEN of CloudHSM has sizes in steps of 256 bits; the bounds are those of FIPS 186-5 A.1.3.
#[test]
fn fips_generation_has_every_size_in_steps() {
    for bits in [2048, 2304, 3072] {
        let c = PrivateKey::generate(bits, F4, true).unwrap();
        let context = Context::new().unwrap();
        for prime in [&c.prime_1, &c.prime_2] {
            let prime = BigNum::from_bytes(prime.expose()).unwrap();
            // p is above sqrt(2) 2^(bits/2 - 1): its square has all the bits.
            assert_eq!((prime.bits(), prime.times(&prime, &context).unwrap().bits()), (bits / 2, bits));
        }
        let top = |prime: &Secret| u128::from_be_bytes(prime.expose()[..16].try_into().unwrap());
        assert!(top(&c.prime_1).abs_diff(top(&c.prime_2)) > 1 << 28, "p and q differ within 100 bits");
        let key = PrivateKey::from_components(&c).unwrap();
        assert_eq!(key.modulus_bits(), bits);
        key.check_pair_cheap().unwrap();
        key.check_pair_by_signature().unwrap();
    }
    assert_eq!(rv(PrivateKey::generate(2048 + 64, F4, true)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
}

#[test]
fn encodings_go_round_and_are_those_of_rustcrypto() {
    use theirs::pkcs8::{DecodePublicKey, EncodePrivateKey, EncodePublicKey};
    for pair in pairs() {
        let c = &pair.components;
        let encoded = encode_pkcs8(c).unwrap();
        assert!(same(&decode_pkcs8(encoded.expose()).unwrap(), c));
        assert_eq!(encoded.expose(), pair.other.to_pkcs8_der().unwrap().as_bytes());
        let spki = encode_spki(&c.modulus, &c.public_exponent).unwrap();
        assert_eq!(spki, pair.other.to_public_key().to_public_key_der().unwrap().as_bytes());
        theirs::RsaPublicKey::from_public_key_der(&spki).unwrap();
    }
    // A wrapped key with one bit changed must not be taken: its signatures would give the primes away.
    let encoded = encode_pkcs8(&pairs()[0].components).unwrap();
    for bit in 0..8 * encoded.len() {
        let mut changed = encoded.expose().to_vec();
        changed[bit / 8] ^= 0x80 >> (bit % 8);
        if let Ok(components) = decode_pkcs8(&changed) {
            assert!(same(&components, &pairs()[0].components));
        }
    }
    for cut in 0..encoded.len() {
        assert_eq!(rv(decode_pkcs8(&encoded.expose()[..cut])), ck::CKR_WRAPPED_KEY_INVALID);
    }
}

#[test]
fn one_key_serves_many_threads() {
    let pair = &pairs()[1];
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            scope.spawn(move || {
                let mut out = [0; 256];
                for round in 0..20u8 {
                    let t = [thread ^ round; 32];
                    pair.private.sign_pkcs1(&t, &mut out).unwrap();
                    pair.public.verify_pkcs1(&t, &out).unwrap();
                }
            });
        }
    });
}
