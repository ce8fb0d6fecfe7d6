//! Reading, changing, copying, finding and destroying objects.

use std::ptr;

use crate::support::*;

/// What C_GetAttributeValue made of one entry: the length it wrote, and the buffer.
struct Read {
    rv: Rv,
    lengths: Vec<CK_ULONG>,
    buffers: Vec<Vec<u8>>,
}

const CANARY: u8 = 0xC7;

/// One call with a buffer of so many bytes for each attribute, filled with a canary.
fn read_all(session: Session, key: CK_OBJECT_HANDLE, wanted: &[(CK_ATTRIBUTE_TYPE, usize)]) -> Read {
    let mut buffers: Vec<_> = wanted.iter().map(|(_, room)| vec![CANARY; *room]).collect();
    let mut raw: Vec<_> = wanted
        .iter()
        .zip(&mut buffers)
        .map(|((id, room), buffer)| CK_ATTRIBUTE {
            type_: *id,
            pValue: buffer.as_mut_ptr().cast(),
            ulValueLen: *room as CK_ULONG,
        })
        .collect();
    let rv = call!(C_GetAttributeValue(session.0, key, raw.as_mut_ptr(), raw.len() as CK_ULONG));
    Read { rv: Rv(rv), lengths: raw.iter().map(|entry| entry.ulValueLen).collect(), buffers }
}

/// PKCS#11 3.2 section 5.7.5 and User Guide, attr-errors: one bad attribute does not spoil the rest.
#[test]
fn one_bad_attribute_does_not_spoil_the_rest() {
    isolated(|| {
        let session = hsm();
        let key = session.generate(CKM_AES_KEY_GEN, &aes().label("label")).unwrap();
        let wanted =
            [(CKA_CLASS, 8), (CKA_VALUE, 64), (CKA_LABEL, 64), (CKA_MODULUS, 64), (CKA_KEY_TYPE, 8), (CKA_LABEL, 2)];
        let read = read_all(session, key, &wanted);
        assert!(
            [CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID, CKR_BUFFER_TOO_SMALL].contains(&read.rv.0),
            "{:?}",
            read.rv
        );
        let none = CK_UNAVAILABLE_INFORMATION;
        assert_eq!(read.lengths, [8, none, 5, none, 8, none]);
        assert_eq!(read.buffers[0], CKO_SECRET_KEY.to_ne_bytes());
        assert_eq!(&read.buffers[2][..5], b"label");
        assert_eq!(read.buffers[4], CKK_AES.to_ne_bytes());
        for bad in [1, 3, 5] {
            assert!(
                read.buffers[bad].iter().all(|byte| *byte == CANARY),
                "the buffer of {:#x} was written",
                wanted[bad].0
            );
        }
        for (id, code) in [
            (CKA_VALUE, CKR_ATTRIBUTE_SENSITIVE),
            (CKA_MODULUS, CKR_ATTRIBUTE_TYPE_INVALID),
            (0x7777_7777, CKR_ATTRIBUTE_TYPE_INVALID),
            (CKA_VENDOR_DEFINED | 1, CKR_ATTRIBUTE_TYPE_INVALID),
        ] {
            assert_eq!(read_all(session, key, &[(id, 64)]).rv, Rv(code), "{id:#x}");
        }
        assert_eq!(read_all(session, key, &[(CKA_LABEL, 4)]).rv, Rv(CKR_BUFFER_TOO_SMALL));
        assert_eq!(read_all(session, key, &[]).rv, Rv(CKR_OK));
        // A49: the length that a failed call leaves behind is no room.
        let mut buffer = [CANARY; 64];
        let mut entry = CK_ATTRIBUTE {
            type_: CKA_LABEL,
            pValue: buffer.as_mut_ptr().cast(),
            ulValueLen: CK_UNAVAILABLE_INFORMATION,
        };
        let rv = call!(C_GetAttributeValue(session.0, key, &raw mut entry, 1));
        assert_eq!((Rv(rv), entry.ulValueLen), (Rv(CKR_BUFFER_TOO_SMALL), CK_UNAVAILABLE_INFORMATION));
        assert_eq!(buffer, [CANARY; 64]);
    });
}

/// Attacks A18 to A20 and User Guide, pkcs11-attributes-retrieve: key material never leaves, and no buffer is touched.
#[test]
fn sensitive_values_never_leave() {
    isolated(|| {
        let session = hsm();
        let rsa_parts =
            [CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT];
        let off = |template: Template, ids: &[CK_ATTRIBUTE_TYPE]| template.off(ids);
        let mut cases: Vec<(CK_OBJECT_HANDLE, &[CK_ATTRIBUTE_TYPE])> = Vec::new();
        for flags in [&[][..], &[CKA_SENSITIVE], &[CKA_EXTRACTABLE], &[CKA_SENSITIVE, CKA_EXTRACTABLE]] {
            cases.push((session.create(&off(rsa_private_value(), flags)).unwrap(), &rsa_parts));
            cases.push((session.create(&off(ec_private_value(), flags)).unwrap(), &[CKA_VALUE]));
            if flags != [CKA_SENSITIVE] {
                cases.push((session.create(&off(plain_aes_value(&[9; 32]), flags)).unwrap(), &[CKA_VALUE]));
                cases.push((session.create(&off(plain_generic_value(&[9; 32]), flags)).unwrap(), &[CKA_VALUE]));
            }
        }
        for (key, secrets) in cases {
            for id in secrets {
                for room in [0, 1, 32, 600] {
                    let read = read_all(session, key, &[(*id, room)]);
                    assert_eq!(read.rv, Rv(CKR_ATTRIBUTE_SENSITIVE), "{id:#x}");
                    assert_eq!(read.lengths, [CK_UNAVAILABLE_INFORMATION]);
                    assert!(read.buffers[0].iter().all(|byte| *byte == CANARY));
                }
                // A query of the length says nothing either.
                let mut entry = CK_ATTRIBUTE { type_: *id, pValue: ptr::null_mut(), ulValueLen: 0 };
                let rv = call!(C_GetAttributeValue(session.0, key, &raw mut entry, 1));
                assert_eq!((Rv(rv), entry.ulValueLen), (Rv(CKR_ATTRIBUTE_SENSITIVE), CK_UNAVAILABLE_INFORMATION));
            }
        }
        // A key that is neither sensitive nor unextractable shows its value (User Guide: readable for AES).
        let open = session.create(&plain_aes_value(&[9; 32]).flag(CKA_SENSITIVE, false)).unwrap();
        assert_eq!(session.read(open, CKA_VALUE), Ok(vec![9; 32]));
    });
}

/// The public numbers that keys show; which attributes they show at all is golden.rs's.
#[test]
fn public_numbers_of_keys() {
    isolated(|| {
        let session = hsm();
        let (ec_public, _) = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &ec_public(P256), &ec_private()).unwrap();
        let (rsa_public, rsa_private) =
            session.generate_pair(CKM_RSA_PKCS_KEY_PAIR_GEN, &rsa_public(2048), &rsa_private()).unwrap();
        assert_eq!(session.read(rsa_public, CKA_MODULUS).unwrap().len(), 256);
        assert_eq!(session.read(rsa_public, CKA_MODULUS), session.read(rsa_private, CKA_MODULUS));
        assert_eq!(session.number(rsa_public, CKA_MODULUS_BITS), Ok(2048));
        // PKCS#11 3.2 section 6.3.3: CKA_EC_POINT is an OCTET STRING around the point.
        let point = session.read(ec_public, CKA_EC_POINT).unwrap();
        assert_eq!((&point[..3], point.len()), (&[0x04, 65, 0x04][..], 67));
        assert_eq!(session.read(ec_public, CKA_EC_PARAMS).unwrap(), P256);
    });
}

/// PKCS#11 3.2 section 5.7.5, notes on array attributes: first the length, then the entries' lengths, then the values.
#[test]
fn templates_are_read_in_three_calls() {
    isolated(|| {
        let session = hsm();
        let inner = Template::new().flag(CKA_EXTRACTABLE, true).label("wrapped");
        let key = session.generate(CKM_AES_KEY_GEN, &aes().nested(CKA_WRAP_TEMPLATE, inner)).unwrap();
        let entry = size_of::<CK_ATTRIBUTE>() as CK_ULONG;
        let mut outer = CK_ATTRIBUTE { type_: CKA_WRAP_TEMPLATE, pValue: ptr::null_mut(), ulValueLen: 0 };
        let read =
            |outer: &mut CK_ATTRIBUTE| answer(call!(C_GetAttributeValue(session.0, key, ptr::from_mut(outer), 1)));
        read(&mut outer).unwrap();
        assert_eq!(outer.ulValueLen, 2 * entry);
        let mut list = [CK_ATTRIBUTE::default(); 2];
        outer.pValue = list.as_mut_ptr().cast();
        read(&mut outer).unwrap();
        let mut found: Vec<_> = list.iter().map(|entry| (entry.type_, entry.ulValueLen)).collect();
        found.sort_unstable();
        assert_eq!(found, [(CKA_LABEL, 7), (CKA_EXTRACTABLE, 1)]);
        let mut buffers = [[CANARY; 16]; 2];
        for (entry, buffer) in list.iter_mut().zip(&mut buffers) {
            entry.pValue = buffer.as_mut_ptr().cast();
        }
        read(&mut outer).unwrap();
        let at = list.iter().position(|entry| entry.type_ == CKA_LABEL).unwrap();
        assert_eq!(&buffers[at][..8], b"wrapped\xc7");
        assert_eq!(&buffers[1 - at][..2], [1, CANARY]);
        // A list that is too short, and an entry that is.
        outer.ulValueLen = entry;
        assert_eq!(read(&mut outer), code(CKR_BUFFER_TOO_SMALL));
        outer.ulValueLen = 2 * entry;
        list[at].ulValueLen = 3;
        assert_eq!(read(&mut outer), code(CKR_BUFFER_TOO_SMALL));
        assert_eq!(list[at].ulValueLen, CK_UNAVAILABLE_INFORMATION);
    });
}

/// User Guide, modify-attr, for keys: what the owner may change, and only in the tightening direction where it says so.
#[test]
fn the_owner_changes_what_aws_lists() {
    isolated(|| {
        let session = hsm();
        let flag = |id, value| Template::new().flag(id, value);
        let key = session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_SENSITIVE, false)).unwrap();
        let set = |id, value| session.set(key, &flag(id, value));
        session.set(key, &Template::new().label("new").bytes(CKA_ID, &[1, 2])).unwrap();
        assert_eq!(session.read(key, CKA_LABEL).unwrap(), b"new");
        assert_eq!(session.read(key, CKA_ID).unwrap(), [1, 2]);
        for id in [CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP, CKA_DERIVE, CKA_DESTROYABLE] {
            for value in [false, true] {
                set(id, value).unwrap_or_else(|rv| panic!("{id:#x}: {rv:?}"));
                assert_eq!(session.flag(key, id), Ok(value));
            }
        }
        // A13, A14, A24: one way only.
        for (id, kept) in [(CKA_SENSITIVE, true), (CKA_EXTRACTABLE, false), (CKA_WRAP_WITH_TRUSTED, true)] {
            set(id, kept).unwrap();
            assert_eq!(set(id, !kept), code(CKR_ATTRIBUTE_READ_ONLY), "{id:#x} back");
            assert_eq!(session.flag(key, id), Ok(kept));
        }
        // A21: TRUSTED is an officer's.
        assert_eq!(set(CKA_TRUSTED, true), code(CKR_ATTRIBUTE_READ_ONLY));
        // Never: what the HSM computes, and what a key is.
        for (id, value) in
            [(CKA_LOCAL, false), (CKA_ALWAYS_SENSITIVE, true), (CKA_NEVER_EXTRACTABLE, true), (CKA_PRIVATE, false)]
        {
            assert_eq!(set(id, value), code(CKR_ATTRIBUTE_READ_ONLY), "{id:#x}");
        }
        for template in [
            Template::new().number(CKA_CLASS, CKO_PUBLIC_KEY),
            Template::new().number(CKA_KEY_TYPE, CKK_GENERIC_SECRET),
            Template::new().number(CKA_VALUE_LEN, 16),
            Template::new().bytes(CKA_VALUE, &[0; 32]),
            Template::new().bytes(CKA_CHECK_VALUE, &[0; 3]),
        ] {
            assert_eq!(session.set(key, &template), code(CKR_ATTRIBUTE_READ_ONLY));
        }
        assert_eq!(session.set(key, &Template::new().bytes(CKA_MODULUS, &[1])), code(CKR_ATTRIBUTE_TYPE_INVALID));
        // One attribute that may not be changed: none is.
        assert_eq!(
            session.set(key, &Template::new().label("half").flag(CKA_LOCAL, false)),
            code(CKR_ATTRIBUTE_READ_ONLY)
        );
        assert_eq!(session.read(key, CKA_LABEL).unwrap(), b"new");
        // MODIFIABLE only goes down, and then nothing changes any more.
        set(CKA_MODIFIABLE, false).unwrap();
        assert_eq!(set(CKA_MODIFIABLE, true).err(), session.set(key, &Template::new().label("x")).err());
        assert!(matches!(set(CKA_ENCRYPT, false), Err(Rv(CKR_ACTION_PROHIBITED | CKR_ATTRIBUTE_READ_ONLY))));
        assert_eq!(session.read(key, CKA_LABEL).unwrap(), b"new");
    });
}

/// A43: the numbers of a public key stay; modify-attr: CKA_DERIVE of a public key stays false.
#[test]
fn public_numbers_stay() {
    isolated(|| {
        let session = hsm();
        let rsa = session.create(&rsa_public_value().on(&[CKA_VERIFY])).unwrap();
        let ec = session.create(&ec_public_value().on(&[CKA_VERIFY])).unwrap();
        for (key, template) in [
            (rsa, Template::new().bytes(CKA_MODULUS, &[3; 256])),
            (rsa, Template::new().bytes(CKA_PUBLIC_EXPONENT, &[3])),
            (ec, Template::new().bytes(CKA_EC_PARAMS, P384)),
            (ec, Template::new().bytes(CKA_EC_POINT, &[4; 67])),
            (ec, Template::new().flag(CKA_DERIVE, true)),
        ] {
            let refused = session.set(key, &template);
            assert!(matches!(refused, Err(Rv(CKR_ATTRIBUTE_READ_ONLY | CKR_ATTRIBUTE_VALUE_INVALID))), "{refused:?}");
        }
        assert_eq!(session.read(rsa, CKA_MODULUS).unwrap(), hex(rsa_2048::MODULUS));
    });
}

/// Changes of token keys are on the disk: a second start of the library sees them.
#[test]
fn changes_of_token_keys_last() {
    isolated(|| {
        let session = hsm();
        let key = session.generate(CKM_AES_KEY_GEN, &aes().label("passing")).unwrap();
        session.set(key, &Template::new().flag(CKA_TOKEN, true)).expect("a session key becomes a token key");
        session.set(key, &Template::new().label("renamed").flag(CKA_ENCRYPT, false)).unwrap();
        assert_eq!(session.set(key, &Template::new().flag(CKA_TOKEN, false)), code(CKR_ATTRIBUTE_READ_ONLY));
        let known = session.create(&aes_value(&[5; 16]).flag(CKA_TOKEN, true).label("known")).unwrap();
        let before = session.encrypt(&mut Mechanism::new(CKM_AES_ECB), known, &[1; 16]).unwrap();
        finalize().unwrap();
        initialize().unwrap();
        let session = Session::open();
        session.login(ALICE).unwrap();
        assert_eq!(session.labelled("passing"), [0; 0]);
        let found = session.labelled("renamed");
        assert_eq!(found.len(), 1);
        assert_eq!(session.flag(found[0], CKA_ENCRYPT), Ok(false));
        assert_eq!(session.flag(found[0], CKA_DECRYPT), Ok(true));
        let after = session.encrypt(&mut Mechanism::new(CKM_AES_ECB), session.labelled("known")[0], &[1; 16]);
        assert_eq!(after, Ok(before));
    });
}

/// Attacks A03, A15 to A17, A25: a copy may be tighter than its original, never looser.
#[test]
fn copies_only_tighten() {
    isolated(|| {
        let session = hsm();
        let flag = |id, value| Template::new().flag(id, value);
        let wrapping = Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_WRAP]).label("original");
        let closed = wrapping.flag(CKA_EXTRACTABLE, false).flag(CKA_WRAP_WITH_TRUSTED, true);
        let key = session.generate(CKM_AES_KEY_GEN, &closed).unwrap();
        for (id, value) in [
            (CKA_SENSITIVE, false),
            (CKA_EXTRACTABLE, true),
            (CKA_WRAP_WITH_TRUSTED, false),
            (CKA_TRUSTED, true),
            (CKA_LOCAL, false),
            (CKA_NEVER_EXTRACTABLE, false),
        ] {
            assert_eq!(session.copy(key, &flag(id, value)), code(CKR_ATTRIBUTE_READ_ONLY), "{id:#x}");
        }
        let public = session.copy(key, &flag(CKA_PRIVATE, false));
        assert!(matches!(public, Err(Rv(CKR_TEMPLATE_INCONSISTENT | CKR_ATTRIBUTE_READ_ONLY))), "A17: {public:?}");
        // A03: usage is not widened by a copy.
        assert_eq!(session.copy(key, &flag(CKA_DECRYPT, true)), code(CKR_ATTRIBUTE_READ_ONLY), "A03");
        assert_eq!(session.copy(key, &Template::new().bytes(CKA_VALUE, &[0; 32])), code(CKR_ATTRIBUTE_READ_ONLY));
        let copy = session.copy(key, &Template::new().label("copy").bytes(CKA_ID, &[7]).flag(CKA_TOKEN, true)).unwrap();
        assert_eq!(session.read(copy, CKA_LABEL).unwrap(), b"copy");
        assert_eq!(session.read(key, CKA_LABEL).unwrap(), b"original");
        for id in [CKA_SENSITIVE, CKA_EXTRACTABLE, CKA_WRAP_WITH_TRUSTED, CKA_LOCAL, CKA_NEVER_EXTRACTABLE, CKA_WRAP] {
            assert_eq!(session.flag(copy, id), session.flag(key, id), "{id:#x}");
        }
        // A copy is an object of its own.
        session.destroy(key).unwrap();
        assert_eq!(session.flag(copy, CKA_TOKEN), Ok(true));
        let open = session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_SENSITIVE, false)).unwrap();
        let tighter = session.copy(open, &flag(CKA_SENSITIVE, true).flag(CKA_EXTRACTABLE, false)).unwrap();
        assert_eq!(session.read(tighter, CKA_VALUE), code(CKR_ATTRIBUTE_SENSITIVE));
        assert_eq!(session.flag(tighter, CKA_NEVER_EXTRACTABLE), Ok(false));
        assert_eq!(session.read(open, CKA_VALUE).unwrap().len(), 32);
    });
}

/// PKCS#11 3.2 section 5.7.4: CKA_DESTROYABLE=false.
#[test]
fn what_is_not_destroyable_stays() {
    isolated(|| {
        let session = hsm();
        let key = session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_DESTROYABLE, false).flag(CKA_TOKEN, true)).unwrap();
        assert_eq!(session.destroy(key), code(CKR_ACTION_PROHIBITED));
        session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap();
        session.set(key, &Template::new().flag(CKA_DESTROYABLE, true)).unwrap();
        session.destroy(key).unwrap();
        assert_eq!(session.find(&Template::new()), Ok(vec![]));
    });
}

/// PKCS#11 3.2 section 5.7.7 (C_FindObjects): every attribute of the template must match.
#[test]
fn searches() {
    isolated(|| {
        let session = hsm();
        let key = |label: &str, id: u8, token| {
            let template = aes().label(label).bytes(CKA_ID, &[id]).flag(CKA_TOKEN, token);
            session.generate(CKM_AES_KEY_GEN, &template).unwrap()
        };
        let (a, b, c) = (key("one", 1, true), key("one", 2, false), key("two", 1, true));
        let sorted = |template: Template| {
            let mut found = session.find(&template).unwrap();
            found.sort_unstable();
            found
        };
        let set = |handles: &[CK_OBJECT_HANDLE]| {
            let mut handles = handles.to_vec();
            handles.sort_unstable();
            handles
        };
        assert_eq!(sorted(Template::new()), set(&[a, b, c]));
        assert_eq!(sorted(Template::new().label("one")), set(&[a, b]));
        assert_eq!(sorted(Template::new().bytes(CKA_ID, &[1])), set(&[a, c]));
        assert_eq!(sorted(Template::new().label("one").bytes(CKA_ID, &[1])), [a]);
        assert_eq!(sorted(Template::new().flag(CKA_TOKEN, false)), [b]);
        assert_eq!(sorted(Template::new().label("one").number(CKA_CLASS, CKO_SECRET_KEY)), set(&[a, b]));
        for nothing in [
            Template::new().label("on"),
            Template::new().label("oneone"),
            Template::new().label(""),
            Template::new().number(CKA_CLASS, CKO_PUBLIC_KEY),
            Template::new().number(CKA_CLASS, CKO_DATA),
            Template::new().number(CKA_KEY_TYPE, CKK_RSA),
            Template::new().bytes(CKA_MODULUS, &[1]),
            Template::new().number(CKA_VENDOR_DEFINED | 0x1234, 1),
        ] {
            assert_eq!(session.find(&nothing).unwrap_or_default(), [0; 0]);
        }
        // Section 5.7.7: CKR_TEMPLATE_INCONSISTENT is none of its codes, and no object has two labels; the same one twice is once.
        assert_eq!(session.find(&Template::new().label("one").label("two")), Ok(vec![]));
        assert_eq!(sorted(Template::new().label("one").label("one")), sorted(Template::new().label("one")));
        // A75: a search by key material is no oracle.
        let known = session.create(&plain_aes_value(&[3; 16])).unwrap();
        assert_eq!(session.find(&Template::new().bytes(CKA_VALUE, &[3; 16])).unwrap_or_default(), [0; 0]);
        let rsa = session.create(&rsa_private_value()).unwrap();
        let prime = Template::new().bytes(CKA_PRIME_1, &hex(rsa_2048::PRIME_1));
        assert_eq!(session.find(&prime).unwrap_or_default(), [0; 0]);
        session.destroy(rsa).unwrap();
        session.destroy(known).unwrap();
        // A renamed key is found by its new name alone, a destroyed one not at all.
        session.set(a, &Template::new().label("three")).unwrap();
        assert_eq!(sorted(Template::new().label("one")), [b]);
        assert_eq!(sorted(Template::new().label("three")), [a]);
        session.destroy(a).unwrap();
        assert_eq!(sorted(Template::new()), set(&[b, c]));
    });
}

/// PKCS#11 3.2 sections 5.7.6 to 5.7.8: the three calls, in order; a NULL array asks how many are left.
#[test]
fn the_calls_of_a_search() {
    isolated(|| {
        let session = hsm();
        for _ in 0..5 {
            session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
        }
        let (mut found, mut count) = ([0; 8], 0);
        let mut find = |most: CK_ULONG| {
            let rv = answer(call!(C_FindObjects(session.0, found.as_mut_ptr(), most, &raw mut count)));
            rv.map(|()| count)
        };
        let start = || answer(call!(C_FindObjectsInit(session.0, ptr::null_mut(), 0)));
        let end = || answer(call!(C_FindObjectsFinal(session.0)));
        assert_eq!(find(1), code(CKR_OPERATION_NOT_INITIALIZED));
        assert_eq!(end(), code(CKR_OPERATION_NOT_INITIALIZED));
        start().unwrap();
        assert_eq!(start(), code(CKR_OPERATION_ACTIVE));
        assert_eq!(find(2), Ok(2));
        assert_eq!(find(0), Ok(0));
        let mut left = 99;
        let rv = call!(C_FindObjects(session.0, ptr::null_mut(), 0, &raw mut left));
        assert_eq!((Rv(rv), left), (Rv(CKR_OK), 3), "a NULL array asks how many are left");
        // AWS's sample unwrap_with_template asks for two at most, to see whether a label is unique, and takes none.
        for (most, told) in [(1, 1), (2, 2), (3, 3), (1000, 3)] {
            let rv = call!(C_FindObjects(session.0, ptr::null_mut(), most, &raw mut left));
            assert_eq!((Rv(rv), left), (Rv(CKR_OK), told), "of at most {most}");
        }
        assert_eq!(answer(call!(C_FindObjects(session.0, &raw mut left, 1, ptr::null_mut()))), code(CKR_ARGUMENTS_BAD));
        assert_eq!(find(8), Ok(3));
        assert_eq!(find(8), Ok(0));
        end().unwrap();
        assert_eq!(find(8), code(CKR_OPERATION_NOT_INITIALIZED));
        // A search of one session is not disturbed by what another one makes and destroys.
        start().unwrap();
        let other = Session::open();
        for key in other.find(&Template::new()).unwrap() {
            other.destroy(key).unwrap();
        }
        assert!(find(8).is_ok());
        end().unwrap();
    });
}

/// A NULL array is no place for handles: PKCS#11 says nothing of counting (section 5.7.8 has CKR_ARGUMENTS_BAD), and wolfPKCS11's
/// suite wants that code. Nothing is consumed by it.
#[test]
fn standard_wants_a_place_for_what_is_found() {
    isolated_standard(|| {
        let session = hsm();
        session.generate(CKM_AES_KEY_GEN, &aes()).unwrap();
        answer(call!(C_FindObjectsInit(session.0, ptr::null_mut(), 0))).unwrap();
        let (mut found, mut count) = (0, 77);
        let asked = answer(call!(C_FindObjects(session.0, ptr::null_mut(), 1, &raw mut count)));
        assert_eq!((asked, count), (code(CKR_ARGUMENTS_BAD), 77));
        answer(call!(C_FindObjects(session.0, &raw mut found, 1, &raw mut count))).unwrap();
        assert_eq!(count, 1);
        answer(call!(C_FindObjectsFinal(session.0))).unwrap();
    });
}

/// Design: `standard` has public objects, data objects and certificates, visible without a login.
#[test]
fn public_objects_in_standard() {
    isolated_standard(|| {
        let session = hsm();
        let data = |private: bool| {
            Template::new()
                .number(CKA_CLASS, CKO_DATA)
                .label(if private { "private" } else { "public" })
                .bytes(CKA_VALUE, b"value")
                .flag(CKA_PRIVATE, private)
                .flag(CKA_TOKEN, true)
        };
        session.create(&data(true)).unwrap();
        session.create(&data(false)).unwrap();
        session.logout().unwrap();
        assert_eq!(session.labelled("private"), [0; 0]);
        let public = session.labelled("public");
        assert_eq!(public.len(), 1);
        assert_eq!(session.read(public[0], CKA_VALUE).unwrap(), b"value");
        session.login(ALICE).unwrap();
        assert_eq!(session.labelled("private").len(), 1);
    });
}

/// PKCS#11 3.2 section 5.6.4: a public session has access to all public objects, session and token, so it may make them; "only if
/// the user is logged in" is said of private ones. What C_CreateObject makes without a login (section 5.7.1), C_GenerateKey and
/// C_GenerateKeyPair do (sections 5.18.1 and 5.18.2); all of a pair, or nothing.
#[test]
fn public_keys_are_generated_without_a_login_in_standard() {
    isolated_standard(|| {
        let session = hsm();
        session.logout().unwrap();
        let public = |template: Template| template.flag(CKA_PRIVATE, false).label("public");
        for token in [false, true] {
            let key = session.generate(CKM_AES_KEY_GEN, &public(aes()).flag(CKA_TOKEN, token)).unwrap();
            assert_eq!(session.flag(key, CKA_PRIVATE), Ok(false));
            assert_eq!(session.encrypt(&mut Mechanism::new(CKM_AES_ECB), key, &[0; 16]).unwrap().len(), 16);
            let halves = [ec_public(P256), ec_private()].map(|half| public(half).flag(CKA_TOKEN, token));
            session.generate_pair(CKM_EC_KEY_PAIR_GEN, &halves[0], &halves[1]).unwrap();
        }
        let count = session.find(&Template::new()).unwrap().len();
        assert_eq!(count, 6);
        let private = session.generate(CKM_AES_KEY_GEN, &aes().flag(CKA_PRIVATE, true));
        assert_eq!(private, code(CKR_USER_NOT_LOGGED_IN));
        let private = ec_private().flag(CKA_PRIVATE, true);
        let pair = session.generate_pair(CKM_EC_KEY_PAIR_GEN, &public(ec_public(P256)), &private);
        assert_eq!(pair, code(CKR_USER_NOT_LOGGED_IN), "half of it is private");
        assert_eq!(session.find(&Template::new()).unwrap().len(), count, "half a pair");
        let reading = Session::open_read_only();
        let stored = reading.generate(CKM_AES_KEY_GEN, &public(aes()).flag(CKA_TOKEN, true));
        assert_eq!(stored, code(CKR_SESSION_READ_ONLY));
        reading.generate(CKM_AES_KEY_GEN, &public(aes())).unwrap();
        // They are nobody's, and there for who logs in.
        session.login(ALICE).unwrap();
        assert_eq!(session.labelled("public").len(), 7);
    });
}
