//! DER as strict as it is written (X.690, section 10), for the vectors whose form is not PKCS#11's.

/// Takes one element with this tag off the front: its content and the rest.
fn element(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length).checked_sub(0x80)? + 0x80, rest)
        }
        0x82 => {
            let (&length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(length)).checked_sub(0x100)? + 0x100, rest)
        }
        _ => return None,
    };
    (found == tag).then_some(())?;
    rest.split_at_checked(length)
}

/// A number that is not negative, without leading zeros.
fn natural(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, rest) = element(0x02, bytes)?;
    let value = match content {
        [] | [0x80..=0xff, ..] | [0, 0..=0x7f, ..] => return None,
        [0, value @ ..] => value,
        value => value,
    };
    Some((value, rest))
}

/// `value` in exactly `length` bytes, big-endian.
pub(super) fn padded(value: &[u8], length: usize) -> Option<Vec<u8>> {
    let zeros = value.iter().take_while(|byte| **byte == 0).count();
    let value = &value[zeros..];
    let mut whole = vec![0; length.checked_sub(value.len())?];
    whole.extend_from_slice(value);
    Some(whole)
}

/// `Ecdsa-Sig-Value` (RFC 3279, section 2.2.3) as PKCS#11 has it: r and s, each in `length` bytes.
pub(super) fn signature(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    let (both, []) = element(0x30, bytes)? else { return None };
    let (r, rest) = natural(both)?;
    let (s, []) = natural(rest)? else { return None };
    Some([padded(r, length)?, padded(s, length)?].concat())
}

/// A SubjectPublicKeyInfo (RFC 5480, section 2): CKA_EC_PARAMS of the curve that it names, and the point.
pub(super) fn point(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    let (whole, []) = element(0x30, bytes)? else { return None };
    let (algorithm, rest) = element(0x30, whole)?;
    let (EC_PUBLIC_KEY, curve) = element(0x06, algorithm)? else { return None };
    let (_, []) = element(0x06, curve)? else { return None };
    let ([0, point @ ..], []) = element(0x03, rest)? else { return None };
    Some((curve, point))
}

/// An OCTET STRING, as CKA_EC_POINT has one.
pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut whole = match u8::try_from(length).expect("a short string") {
        short @ 0..0x80 => vec![0x04, short],
        long => vec![0x04, 0x81, long],
    };
    whole.extend_from_slice(content);
    whole
}

/// What is DER and what is not.
#[test]
fn strict() {
    assert_eq!(signature(&[0x30, 6, 2, 1, 1, 2, 1, 2], 2), Some(vec![0, 1, 0, 2]));
    assert_eq!(signature(&[0x30, 8, 2, 2, 0, 0x80, 2, 2, 0, 0xff], 1), Some(vec![0x80, 0xff]));
    assert_eq!(signature(&[0x30, 6, 2, 1, 0, 2, 1, 0], 1), Some(vec![0, 0]), "zero is the library's to refuse");
    for wrong in [
        &[0x30, 6, 2, 1, 0x81, 2, 1, 2][..],
        &[0x30, 7, 2, 2, 0, 1, 2, 1, 2],
        &[0x30, 8, 2, 3, 0, 1, 1, 2, 1, 2],
        &[0x30, 0x81, 6, 2, 1, 1, 2, 1, 2],
        &[0x30, 6, 2, 1, 1, 2, 1, 2, 0],
        &[0x30, 7, 2, 1, 1, 2, 1, 2, 0],
        &[0x30, 5, 2, 1, 1, 2, 0],
        &[0x30, 3, 2, 1, 1],
        &[0x31, 6, 2, 1, 1, 2, 1, 2],
        &[0x30, 0x80, 2, 1, 1, 2, 1, 2, 0, 0],
        &[],
    ] {
        assert_eq!(signature(wrong, 4), None, "{wrong:x?}");
    }
    assert_eq!(signature(&[0x30, 7, 2, 2, 1, 1, 2, 1, 2], 1), None, "too long for the curve");
}
