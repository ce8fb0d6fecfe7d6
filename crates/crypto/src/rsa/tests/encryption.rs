//! Encryption: OAEP and PKCS#1 v1.5 against the other library, implicit rejection against published answers.

use super::*;

#[test]
fn oaep_with_every_pair_of_hashes() {
    for pair in pairs() {
        let k = pair.public.modulus_bytes();
        let (mut ciphertext, mut out) = (vec![0; k], vec![0; k]);
        for hash in [Hash::Sha1, Hash::Sha224, Hash::Sha256, Hash::Sha384] {
            for (mgf, label) in [(hash, &b""[..]), (Hash::Sha1, b"label"), (Hash::Sha512, b"")] {
                let longest = k - 2 * hash.length() - 2;
                for length in [0, 1, longest] {
                    let message = vec![0x77; length];
                    pair.public.encrypt_oaep(hash, mgf, label, &message, &mut ciphertext).unwrap();
                    let got = pair.private.decrypt_oaep(hash, mgf, label, &ciphertext, &mut out).unwrap();
                    assert_eq!(out[..got], message);
                    for (hash, mgf, label) in
                        [(hash, mgf, &b"other"[..]), (Hash::Sha512, mgf, label), (hash, Hash::Sha384, label)]
                    {
                        if mgf == Hash::Sha384 && hash == Hash::Sha384 && label.is_empty() {
                            continue;
                        }
                        let bad = pair.private.decrypt_oaep(hash, mgf, label, &ciphertext, &mut out);
                        assert_eq!(rv(bad), ck::CKR_ENCRYPTED_DATA_INVALID);
                    }
                }
                let long = pair.public.encrypt_oaep(hash, mgf, label, &vec![0; longest + 1], &mut ciphertext);
                assert_eq!(rv(long), ck::CKR_DATA_LEN_RANGE);
            }
        }
        pair.public.encrypt_oaep(Hash::Sha256, Hash::Sha1, b"l", b"four", &mut ciphertext).unwrap();
        let scheme = || theirs::Oaep::<Sha256, sha1::Sha1>::new_with_mgf_hash_and_label(&b"l"[..]);
        assert_eq!(pair.other.decrypt(scheme(), &ciphertext).unwrap(), b"four");
        let ciphertext = pair.other.to_public_key().encrypt(&mut Noise(1), scheme(), b"five!").unwrap();
        let decrypt = |c: &[u8], out: &mut [u8]| pair.private.decrypt_oaep(Hash::Sha256, Hash::Sha1, b"l", c, out);
        assert_eq!(decrypt(&ciphertext, &mut out).unwrap(), 5);
        assert_eq!(out[..5], b"five!"[..]);
        assert_eq!(rv(decrypt(&ciphertext, &mut out[..4])), ck::CKR_BUFFER_TOO_SMALL);
        assert_eq!(decrypt(&ciphertext, &mut out[..5]).unwrap(), 5);
        assert_eq!(rv(decrypt(&ciphertext[1..], &mut out)), ck::CKR_ENCRYPTED_DATA_LEN_RANGE);
        for fixed in fixed_points(&pair.components.modulus) {
            assert_eq!(rv(decrypt(&fixed, &mut out)), ck::CKR_ENCRYPTED_DATA_INVALID);
        }
        // Manger 2001: a block that starts with another byte than zero.
        let mut large = pair.components.modulus.clone();
        large[0] -= 1; // at least 0x7f remains
        let ciphertext = raw(&pair.public, &large);
        assert_eq!(rv(decrypt(&ciphertext, &mut out)), ck::CKR_ENCRYPTED_DATA_INVALID);
    }
    let short = Pair::of(PrivateKey::generate(1024, F4, false).unwrap());
    let mut out = vec![0; 128];
    let too_short = short.public.encrypt_oaep(Hash::Sha512, Hash::Sha512, b"", b"", &mut out);
    assert_eq!(rv(too_short), ck::CKR_KEY_SIZE_RANGE);
}

#[test]
fn pkcs1_encryption_goes_both_ways() {
    for pair in pairs() {
        let k = pair.public.modulus_bytes();
        let (mut ciphertext, mut out) = (vec![0; k], vec![0; k]);
        for length in [0, 1, 32, k - 11] {
            let message = vec![0xc3; length];
            assert_eq!(pair.public.encrypt_pkcs1(&message, &mut ciphertext).unwrap(), k);
            let scheme = theirs::Pkcs1v15Encrypt;
            assert_eq!(pair.other.decrypt(scheme, &ciphertext).unwrap(), message);
            assert_eq!(pair.private.decrypt_pkcs1(&ciphertext, &mut out).unwrap(), length);
            assert_eq!(out[..length], message);
            let ciphertext = pair.other.to_public_key().encrypt(&mut Noise(3), scheme, &message).unwrap();
            assert_eq!(pair.private.decrypt_pkcs1(&ciphertext, &mut out[..length]).unwrap(), length);
            assert_eq!(out[..length], message);
            if length > 0 {
                let small = pair.private.decrypt_pkcs1(&ciphertext, &mut out[..length - 1]);
                assert_eq!(rv(small), ck::CKR_BUFFER_TOO_SMALL);
            }
        }
        assert_eq!(rv(pair.public.encrypt_pkcs1(&vec![0; k - 10], &mut ciphertext)), ck::CKR_DATA_LEN_RANGE);
    }
}

/// What Bleichenbacher 1998 tells apart: every way to be wrong, and chance.
fn bad_blocks(k: usize) -> Vec<Vec<u8>> {
    let block = |head: [u8; 2], padding: usize| {
        let mut block = head.to_vec();
        block.resize(2 + padding, 0xaa);
        block.push(0);
        block.resize(k, 0x42);
        block
    };
    let mut no_separator = block([0, 2], 8);
    no_separator[10] = 1;
    let mut noise = vec![0; k];
    Noise(99).try_fill_bytes(&mut noise[1..]).unwrap();
    vec![
        block([0, 1], 8),
        block([0, 3], 8),
        block([0, 0], 8),
        block([1, 2], 8),
        block([0, 2], 7),
        block([0, 2], 0),
        no_separator,
        noise,
    ]
}

/// Ciphertexts of nothing.
fn noise(k: usize) -> impl Iterator<Item = Vec<u8>> {
    (0..40).map(move |seed| {
        let mut random = vec![0; k];
        Noise(seed << 32).try_fill_bytes(&mut random[1..]).unwrap();
        random
    })
}

#[test]
fn a_bad_padding_gives_a_message_too() {
    for pair in pairs() {
        let k = pair.public.modulus_bytes();
        let mut ciphertexts: Vec<_> = bad_blocks(k).iter().map(|block| raw(&pair.public, block)).collect();
        ciphertexts.extend(fixed_points(&pair.components.modulus));
        ciphertexts.extend(noise(k));
        let mut lengths = std::collections::BTreeSet::new();
        for ciphertext in ciphertexts {
            let (mut out, mut again) = (vec![0; k], vec![0; k]);
            let length = pair.private.decrypt_pkcs1(&ciphertext, &mut out).unwrap();
            assert!(length <= k - 11);
            assert_eq!(pair.private.decrypt_pkcs1(&ciphertext, &mut again).unwrap(), length);
            assert_eq!(out, again);
            // The second implementation of the draft says the same; it refuses 0, 1 and n - 1 or not, as it likes.
            if let Ok(message) = pair.other.decrypt(theirs::Pkcs1v15Encrypt, &ciphertext) {
                assert_eq!(out[..length], message);
            }
            lengths.insert(length);
        }
        assert!(lengths.len() > 20);
    }
}

#[test]
fn unwrapping_has_one_outcome() {
    let lengths = [16, 24, 32];
    for pair in pairs() {
        let k = pair.public.modulus_bytes();
        let (mut ciphertext, mut out) = (vec![0; k], vec![0; k]);
        for length in lengths {
            let key = vec![0x5e; length];
            pair.public.encrypt_pkcs1(&key, &mut ciphertext).unwrap();
            assert_eq!(pair.private.unwrap_pkcs1(&ciphertext, lengths, &mut out).unwrap(), length);
            assert_eq!(out[..length], key);
        }
        let mut seen = std::collections::BTreeSet::new();
        for length in [0, 15, 17, 33, 40] {
            pair.public.encrypt_pkcs1(&vec![0x5e; length], &mut ciphertext).unwrap();
            let got = pair.private.unwrap_pkcs1(&ciphertext, lengths, &mut out).unwrap();
            assert!(lengths.contains(&got));
            assert_ne!(out[..16], [0x5e; 16]);
        }
        let bad = bad_blocks(k).into_iter().chain(fixed_points(&pair.components.modulus));
        // Of fifty substitutes not all have one length.
        for ciphertext in bad.map(|block| raw(&pair.public, &block)).chain(noise(k)) {
            let got = pair.private.unwrap_pkcs1(&ciphertext, lengths, &mut out).unwrap();
            let first = out[..got].to_vec();
            assert_eq!(pair.private.unwrap_pkcs1(&ciphertext, lengths, &mut out).unwrap(), got);
            assert_eq!(out[..got], first);
            assert!(lengths.contains(&got));
            seen.insert(got);
        }
        assert!(seen.len() > 1);
        // Any length but none: an empty message, which decryption may give, is no key.
        pair.public.encrypt_pkcs1(&[], &mut ciphertext).unwrap();
        let any = pair.private.unwrap_pkcs1(&ciphertext, 1..=800, &mut out).unwrap();
        assert!((1..=k - 11).contains(&any));
        assert_eq!(rv(pair.private.unwrap_pkcs1(&ciphertext, [], &mut out)), ck::CKR_KEY_SIZE_RANGE);
        assert_eq!(rv(pair.private.unwrap_pkcs1(&ciphertext, [k], &mut out)), ck::CKR_KEY_SIZE_RANGE);
    }
}

/// Published answers of the draft's test key (RSA-2048, with OpenSSL's tests and the draft's appendix).
#[test]
fn implicit_rejection_known_answers() {
    let text = include_str!("implicit_rejection.txt");
    let mut fields = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    let (_, key) = fields.next().unwrap();
    let key = hex(key);
    let key = RsaPrivateKeyRef::from_der(&key).unwrap();
    let components = complete(
        key.modulus.as_bytes(),
        key.public_exponent.as_bytes(),
        key.private_exponent.as_bytes(),
        Some((key.prime1.as_bytes(), key.prime2.as_bytes())),
        Crt::default(),
    )
    .unwrap();
    let private = PrivateKey::from_components(&components).unwrap();
    let mut count = 0;
    for (ciphertext, message) in fields {
        let (mut out, message) = (vec![0; 256], hex(message));
        let length = private.decrypt_pkcs1(&hex(ciphertext), &mut out).unwrap();
        assert_eq!(out[..length], message);
        count += 1;
    }
    assert_eq!(count, 6);
}
