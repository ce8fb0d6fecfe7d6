//! AWS-LC and RustCrypto check each other; known answers; every way to give a wrong scalar, point or signature.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use elliptic_curve::group::ff::{Field, PrimeField};
use elliptic_curve::ops::Reduce;
use elliptic_curve::pkcs8::{EncodePrivateKey, EncodePublicKey};
use elliptic_curve::point::AffineCoordinates;
use elliptic_curve::sec1::{FromSec1Point, ModulusSize, ToSec1Point};
use elliptic_curve::{AffinePoint, CurveArithmetic, FieldBytes, FieldBytesSize, Group, ProjectivePoint, Scalar};
use p256::elliptic_curve;
use sha2::Digest;

use super::*;
use crate::ec_material::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| u8::try_from(d).unwrap()).collect();
    assert!(digits.len().is_multiple_of(2));
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn rv<T>(result: Result<T>) -> ck::CK_RV {
    result.err().unwrap().rv()
}

/// Textbook ECDSA over RustCrypto's arithmetic (FIPS 186-5 sections 6.4.1 and 6.4.2), for digests not longer than the
/// order.
trait Textbook {
    fn sign(scalar: &[u8], nonce: &[u8], digest: &[u8]) -> Vec<u8>;
    fn verify(point: &[u8], digest: &[u8], signature: &[u8]) -> bool;
    fn order_minus_one() -> Vec<u8>;
}

impl<C> Textbook for C
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C> + AffineCoordinates<FieldRepr = FieldBytes<C>>,
    FieldBytesSize<C>: ModulusSize,
    Scalar<C>: Reduce<FieldBytes<C>>,
{
    fn sign(scalar: &[u8], nonce: &[u8], digest: &[u8]) -> Vec<u8> {
        let (d, k, z) = (number::<C>(scalar), number::<C>(nonce), number::<C>(digest));
        let r = x_of::<C>(ProjectivePoint::<C>::generator() * k);
        let s = Option::<Scalar<C>>::from(k.invert()).unwrap() * (z + r * d);
        [r.to_repr().to_vec(), s.to_repr().to_vec()].concat()
    }

    fn verify(point: &[u8], digest: &[u8], signature: &[u8]) -> bool {
        let q = elliptic_curve::PublicKey::<C>::from_sec1_bytes(point).unwrap().to_projective();
        let (r, s) = signature.split_at(signature.len() / 2);
        let (r, s, z) = (number::<C>(r), number::<C>(s), number::<C>(digest));
        let w = Option::<Scalar<C>>::from(s.invert()).unwrap();
        x_of::<C>(ProjectivePoint::<C>::generator() * (z * w) + q * (r * w)) == r
    }

    fn order_minus_one() -> Vec<u8> {
        (Scalar::<C>::ZERO - Scalar::<C>::ONE).to_repr().to_vec()
    }
}

fn number<C>(bytes: &[u8]) -> Scalar<C>
where
    C: CurveArithmetic,
    Scalar<C>: Reduce<FieldBytes<C>>,
{
    let mut padded = FieldBytes::<C>::default();
    let offset = padded.len() - bytes.len();
    padded[offset..].copy_from_slice(bytes);
    Scalar::<C>::reduce(&padded)
}

fn x_of<C>(point: ProjectivePoint<C>) -> Scalar<C>
where
    C: CurveArithmetic,
    AffinePoint<C>: AffineCoordinates<FieldRepr = FieldBytes<C>>,
    Scalar<C>: Reduce<FieldBytes<C>>,
{
    let affine: AffinePoint<C> = point.into();
    Scalar::<C>::reduce(&affine.x())
}

macro_rules! textbook {
    ($curve:expr, $function:ident($($argument:expr),*)) => {
        match $curve {
            Curve::P224 => <p224::NistP224 as Textbook>::$function($($argument),*),
            Curve::P256 => <p256::NistP256 as Textbook>::$function($($argument),*),
            Curve::P384 => <p384::NistP384 as Textbook>::$function($($argument),*),
            Curve::P521 => <p521::NistP521 as Textbook>::$function($($argument),*),
            Curve::Secp256k1 => <k256::Secp256k1 as Textbook>::$function($($argument),*),
        }
    };
}

fn plus(bytes: &[u8], add: u8) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut carry = u16::from(add);
    for byte in out.iter_mut().rev() {
        let sum = u16::from(*byte) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    out
}

#[test]
fn two_libraries_agree_on_signatures() {
    for curve in Curve::ALL {
        for length in [1, 20, 28, curve.order_bytes()] {
            let digest = vec![0xa7; length];
            let key = PrivateKey::generate(curve).unwrap();
            let public = PublicKey::from_point(curve, &key.point()).unwrap();
            let mut signature = vec![0; 2 * curve.order_bytes()];
            assert_eq!(key.sign_digest(&digest, &mut signature).unwrap(), signature.len());
            // 521 bits are no whole number of bytes: a digest of full length is cut, which the textbook does not do.
            if !(curve == Curve::P521 && length == curve.order_bytes()) {
                assert!(textbook!(curve, verify(&key.point(), &digest, &signature)), "{curve:?}");
                let nonce = PrivateKey::generate(curve).unwrap().scalar().unwrap();
                let other = textbook!(curve, sign(key.scalar().unwrap().expose(), nonce.expose(), &digest));
                public.verify_digest(&digest, &other).unwrap();
            }
            public.verify_digest(&digest, &signature).unwrap();
            key.check_pair_cheap().unwrap();
            key.check_pair_by_signature().unwrap();
            public.check().unwrap();
        }
    }
}

#[test]
fn only_the_leftmost_bits_of_a_digest_count() {
    for curve in Curve::ALL {
        let key = PrivateKey::generate(curve).unwrap();
        let public = PublicKey::from_point(curve, &key.point()).unwrap();
        let mut signature = vec![0; 2 * curve.order_bytes()];
        let long: Vec<u8> = (0..=255).collect();
        key.sign_digest(&long, &mut signature).unwrap();
        public.verify_digest(&long[..curve.order_bytes()], &signature).unwrap();
        assert_eq!(rv(public.verify_digest(&long[1..], &signature)), ck::CKR_SIGNATURE_INVALID);
    }
}

#[test]
fn wrong_signatures_are_refused() {
    for curve in Curve::ALL {
        let half = curve.order_bytes();
        let key = PrivateKey::generate(curve).unwrap();
        let public = PublicKey::from_point(curve, &key.point()).unwrap();
        let mut good = vec![0; 2 * half];
        key.sign_digest(&[7; 32], &mut good).unwrap();
        let order = plus(&textbook!(curve, order_minus_one()), 1);
        let zeros = vec![0; half];
        let (r, s) = good.split_at(half);
        for (bad_r, bad_s) in [(&zeros[..], s), (r, &zeros[..]), (&order[..], s), (r, &order[..]), (s, r)] {
            assert_eq!(rv(public.verify_digest(&[7; 32], &[bad_r, bad_s].concat())), ck::CKR_SIGNATURE_INVALID);
        }
        for bit in [0, 8 * half - 1, 8 * half, 16 * half - 1] {
            let mut bad = good.clone();
            bad[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(rv(public.verify_digest(&[7; 32], &bad)), ck::CKR_SIGNATURE_INVALID);
        }
        for length in [0, 1, half - 1, 2 * half - 1] {
            assert_eq!(rv(public.verify_digest(&[7; 32], &good[..length])), ck::CKR_SIGNATURE_LEN_RANGE);
        }
        for more in [1, 2] {
            let long = [&good[..], &[0, 0][..more]].concat();
            assert_eq!(rv(public.verify_digest(&[7; 32], &long)), ck::CKR_SIGNATURE_LEN_RANGE);
        }
        // Short halves are numbers too, and these are not those of the signature.
        assert_eq!(rv(public.verify_digest(&[7; 32], &good[..half])), ck::CKR_SIGNATURE_INVALID);
        assert_eq!(rv(public.verify_digest(&[], &good)), ck::CKR_DATA_LEN_RANGE);
        assert_eq!(rv(key.sign_digest(&[], &mut good)), ck::CKR_DATA_LEN_RANGE);
        assert_eq!(rv(key.sign_digest(&[7; 32], &mut good[1..])), ck::CKR_BUFFER_TOO_SMALL);
    }
}

#[test]
fn scalars_out_of_range_are_refused() {
    for curve in Curve::ALL {
        let top = textbook!(curve, order_minus_one());
        let mut generator_negated = PrivateKey::from_scalar(curve, &top).unwrap().point();
        let one = PrivateKey::from_scalar(curve, &[1]).unwrap();
        generator_negated.truncate(1 + curve.field_bytes());
        assert_eq!(one.point()[..1 + curve.field_bytes()], generator_negated, "x(-G) = x(G)");
        assert_eq!(one.scalar().unwrap().len(), curve.order_bytes());
        let padded = [&[0; 5][..], &top].concat();
        PrivateKey::from_scalar(curve, &padded).unwrap();
        let zero = vec![0; curve.order_bytes()];
        let long = [&[1][..], &top].concat();
        for bad in [&[][..], &[0], &zero, &plus(&top, 1), &plus(&top, 2), &vec![0xff; curve.order_bytes()], &long] {
            assert_eq!(rv(PrivateKey::from_scalar(curve, bad)), ck::CKR_ATTRIBUTE_VALUE_INVALID, "{curve:?}");
        }
    }
}

#[test]
fn bad_points_are_refused() {
    for curve in Curve::ALL {
        let key = PrivateKey::generate(curve).unwrap();
        let good = PrivateKey::generate(curve).unwrap().point();
        let field = curve.field_bytes();
        let mut off_curve = good.clone();
        *off_curve.last_mut().unwrap() ^= 1;
        let mut hybrid = good.clone();
        hybrid[0] = 6 | (good.last().unwrap() & 1);
        let mut too_large = good.clone();
        too_large[1..=field].fill(0xff);
        let zeros = [&[4][..], &vec![0; 2 * field]].concat();
        // X alone is on the curve for about half of all X; one of these eight is not.
        let compressed_off = (0..32u8)
            .map(|x| [&[2][..], &vec![0; field - 1], &[x]].concat())
            .find(|point| !point_on_curve(curve, point))
            .unwrap();
        let raw = &good[1..];
        for bad in [&[][..], &[0], &[4], &off_curve, &hybrid, &too_large, &zeros, raw, &good[..field], &compressed_off]
        {
            assert_eq!(rv(PublicKey::from_point(curve, bad)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
            assert_eq!(rv(key.agree(bad)), ck::CKR_MECHANISM_PARAM_INVALID);
        }
        let long = [&good[..], &[0]].concat();
        assert_eq!(rv(key.agree(&long)), ck::CKR_MECHANISM_PARAM_INVALID);
        let compressed = [&[2 | (good.last().unwrap() & 1)][..], &good[1..=field]].concat();
        assert_eq!(PublicKey::from_point(curve, &compressed).unwrap().point(), good);
        assert!(key.agree(&compressed).unwrap().ct_eq(key.agree(&good).unwrap().expose()));
        // Another curve's point, P-256 and secp256k1 being of one length.
        for other in Curve::ALL.into_iter().filter(|other| *other != curve) {
            let point = PrivateKey::generate(other).unwrap().point();
            assert_eq!(rv(key.agree(&point)), ck::CKR_MECHANISM_PARAM_INVALID);
        }
    }
}

#[test]
fn agreement_is_mutual_and_of_full_length() {
    for curve in Curve::ALL {
        for _ in 0..24 {
            let (a, b) = (PrivateKey::generate(curve).unwrap(), PrivateKey::generate(curve).unwrap());
            let shared = a.agree(&b.point()).unwrap();
            assert_eq!(shared.len(), curve.field_bytes());
            assert!(shared.ct_eq(b.agree(&a.point()).unwrap().expose()));
        }
    }
    // RFC 5903 section 8.1.
    let key = hex("C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433");
    let peer = hex("C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53");
    let peer = PrivateKey::from_scalar(Curve::P256, &peer).unwrap();
    let shared = PrivateKey::from_scalar(Curve::P256, &key).unwrap().agree(&peer.point()).unwrap();
    assert!(shared.ct_eq(&hex("D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE")));
}

/// RFC 6979 appendix A.2, message "sample", with the hash that fits the curve.
#[test]
fn known_signatures_verify() {
    let cases = [
        (
            Curve::P224,
            sha2::Sha256::digest(b"sample").to_vec(),
            "F220266E1105BFE3083E03EC7A3A654651F45E37167E88600BF257C1",
            "00CF08DA5AD719E42707FA431292DEA11244D64FC51610D94B130D6C",
            "61AA3DA010E8E8406C656BC477A7A7189895E7E840CDFE8FF42307BABC814050DAB5D23770879494F9E0A680DC1AF7161991BDE6\
             92B10101",
        ),
        (
            Curve::P256,
            sha2::Sha256::digest(b"sample").to_vec(),
            "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
            "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DB\
             B9AFF4064DC4AB2F843ACDA8",
        ),
        (
            Curve::P384,
            sha2::Sha384::digest(b"sample").to_vec(),
            "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
            "EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC13",
            "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE4699EF4AEB\
             15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
        ),
        (
            Curve::P521,
            sha2::Sha512::digest(b"sample").to_vec(),
            "00FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75CAA896EB32F1F47C70855836A6D16FCC1466F6D8\
             FBEC67DB89EC0C08B0E996B83538",
            "01894550D0785932E00EAA23B694F213F8C3121F86DC97A04E5A7167DB4E5BCD371123D46E45DB6B5D5370A7F20FB633155D38FF\
             A16D2BD761DCAC474B9A2F5023A4",
            "00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F174E25A1EE9017B5D450606ADD152B534931D7D4\
             E8455CC91F9B15BF05EC36E377FA\
             00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF282623EAA63E5B5C0723D8B8C37FF0777B1A20F8\
             CCB1DCCC43997F1EE0E44DA4A67A",
        ),
    ];
    for (curve, digest, scalar, x, signature) in cases {
        let key = PrivateKey::from_scalar(curve, &hex(scalar)).unwrap();
        assert_eq!(key.point()[1..=curve.field_bytes()], hex(x));
        let public = PublicKey::from_point(curve, &key.point()).unwrap();
        public.verify_digest(&digest, &hex(signature)).unwrap();
    }
}

#[test]
fn parameters_name_curves() {
    for curve in Curve::ALL {
        assert_eq!(Curve::from_parameters(curve.parameters()), Some(curve));
        let name = curve.name().as_bytes();
        let printable = [&[0x13, u8::try_from(name.len()).unwrap()][..], name].concat();
        assert_eq!(Curve::from_parameters(&printable), Some(curve));
        assert_eq!(Curve::from_parameters(&[&printable[..], &[0]].concat()), None);
        assert_eq!(Curve::from_parameters(&[curve.parameters(), &[0]].concat()), None);
        assert_eq!(usize::try_from(curve.bits()).unwrap().div_ceil(8), curve.order_bytes());
    }
    assert_eq!(Curve::from_parameters(b"\x13\x0aprime256v1"), Some(Curve::P256));
    // Nothing, NULL (implicitlyCA), explicit parameters, P-192, Ed25519.
    for other in
        [&[][..], &[0x05, 0x00], &[0x30, 0x00], &hex("06082A8648CE3D030101"), &hex("06032B6570"), &[0x13], &[0x13, 0]]
    {
        assert_eq!(Curve::from_parameters(other), None);
    }
}

#[test]
fn points_come_raw_and_wrapped() {
    for curve in Curve::ALL {
        let point = PrivateKey::generate(curve).unwrap().point();
        let wrapped = encode_point(&point);
        assert_eq!(decode_point(curve, &wrapped).unwrap(), point);
        assert_eq!(decode_point(curve, &point).unwrap(), point);
        let compressed = [&[3][..], &point[1..=curve.field_bytes()]].concat();
        assert_eq!(decode_point(curve, &encode_point(&compressed)).unwrap(), compressed);
        let long = [&wrapped[..], &[0]].concat();
        for bad in [&[][..], &[4], &[4, 0], &[4, 1, 0], &[0], &long, &wrapped[..wrapped.len() - 1], &point[1..]] {
            assert_eq!(rv(decode_point(curve, bad)), ck::CKR_ATTRIBUTE_VALUE_INVALID);
        }
    }
}

#[test]
fn encodings_go_round_and_are_those_of_rustcrypto() {
    for curve in Curve::ALL {
        let key = PrivateKey::generate(curve).unwrap();
        let (pkcs8, sec1) = (encode_pkcs8(&key).unwrap(), encode_sec1(&key).unwrap());
        let same = |other: PrivateKey| {
            assert_eq!((other.curve(), other.point()), (curve, key.point()));
            assert!(other.scalar().unwrap().ct_eq(key.scalar().unwrap().expose()));
        };
        same(decode_pkcs8(pkcs8.expose()).unwrap());
        same(decode_sec1(sec1.expose(), None).unwrap());
        same(decode_sec1(sec1.expose(), Some(curve)).unwrap());
        let other_curve = if curve == Curve::P256 { Curve::Secp256k1 } else { Curve::P256 };
        assert_eq!(rv(decode_sec1(sec1.expose(), Some(other_curve))), ck::CKR_WRAPPED_KEY_INVALID);
        for cut in 0..pkcs8.len() {
            assert_eq!(rv(decode_pkcs8(&pkcs8.expose()[..cut])), ck::CKR_WRAPPED_KEY_INVALID);
        }
        for bit in 0..8 * pkcs8.len() {
            // One bit changed on its way: refused, unless it left scalar and point alone.
            let mut changed = pkcs8.expose().to_vec();
            changed[bit / 8] ^= 0x80 >> (bit % 8);
            if let Ok(other) = decode_pkcs8(&changed) {
                assert_eq!(other.point(), key.point());
            }
        }
        let spki = encode_spki(curve, &key.point()).unwrap();
        assert!(spki.ends_with(&key.point()));
    }
    let key = PrivateKey::generate(Curve::P256).unwrap();
    let theirs = p256::SecretKey::from_slice(key.scalar().unwrap().expose()).unwrap();
    assert_eq!(encode_pkcs8(&key).unwrap().expose(), theirs.to_pkcs8_der().unwrap().as_bytes());
    let spki = theirs.public_key().to_public_key_der().unwrap();
    assert_eq!(encode_spki(Curve::P256, &key.point()).unwrap(), spki.as_bytes());
}

#[test]
fn one_key_serves_many_threads() {
    let key = PrivateKey::generate(Curve::P256).unwrap();
    let public = PublicKey::from_point(Curve::P256, &key.point()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            let (key, public) = (&key, &public);
            scope.spawn(move || {
                for round in 0..200u8 {
                    let digest = [thread ^ round; 32];
                    let mut signature = [0; 64];
                    key.sign_digest(&digest, &mut signature).unwrap();
                    public.verify_digest(&digest, &signature).unwrap();
                }
            });
        }
    });
}
