//! Templates, mechanisms and their parameters as C wants them.

use std::marker::PhantomData;
use std::ptr;

use super::calls::*;

enum Value {
    Plain(Vec<u8>),
    Nested(Template, Vec<CK_ATTRIBUTE>),
}

/// A template that owns its values.
#[derive(Default)]
pub(crate) struct Template(Vec<(CK_ATTRIBUTE_TYPE, Value)>);

impl Clone for Template {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        for (id, value) in &self.0 {
            copy = match value {
                Value::Plain(bytes) => copy.bytes(*id, bytes),
                Value::Nested(inner, _) => copy.nested(*id, inner.clone()),
            };
        }
        copy
    }
}

impl Template {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn bytes(mut self, id: CK_ATTRIBUTE_TYPE, value: &[u8]) -> Self {
        self.0.push((id, Value::Plain(value.to_vec())));
        self
    }

    pub(crate) fn text(self, id: CK_ATTRIBUTE_TYPE, value: &str) -> Self {
        self.bytes(id, value.as_bytes())
    }

    pub(crate) fn label(self, label: &str) -> Self {
        self.text(CKA_LABEL, label)
    }

    pub(crate) fn flag(self, id: CK_ATTRIBUTE_TYPE, value: bool) -> Self {
        self.bytes(id, &[u8::from(value)])
    }

    /// These flags, all true.
    pub(crate) fn on(self, ids: &[CK_ATTRIBUTE_TYPE]) -> Self {
        ids.iter().fold(self, |template, id| template.flag(*id, true))
    }

    /// These flags, all false.
    pub(crate) fn off(self, ids: &[CK_ATTRIBUTE_TYPE]) -> Self {
        ids.iter().fold(self, |template, id| template.flag(*id, false))
    }

    pub(crate) fn number(self, id: CK_ATTRIBUTE_TYPE, value: CK_ULONG) -> Self {
        self.bytes(id, &value.to_ne_bytes())
    }

    pub(crate) fn nested(mut self, id: CK_ATTRIBUTE_TYPE, value: Self) -> Self {
        let raw = value.raw();
        self.0.push((id, Value::Nested(value, raw)));
        self
    }

    /// Both, this one's attributes first.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.0.extend(other.clone().0);
        self
    }

    /// The same without an attribute.
    pub(crate) fn without(mut self, id: CK_ATTRIBUTE_TYPE) -> Self {
        self.0.retain(|(present, _)| *present != id);
        self
    }

    /// The array that the C functions take; its pointers live as long as this template does.
    pub(crate) fn raw(&self) -> Vec<CK_ATTRIBUTE> {
        self.0
            .iter()
            .map(|(id, value)| {
                let (place, length) = match value {
                    Value::Plain(bytes) => (bytes.as_ptr().cast(), bytes.len()),
                    Value::Nested(_, raw) => (raw.as_ptr().cast(), size_of_val(raw.as_slice())),
                };
                let place: *const std::ffi::c_void = place;
                CK_ATTRIBUTE { type_: *id, pValue: place.cast_mut(), ulValueLen: length as CK_ULONG }
            })
            .collect()
    }
}

/// A mechanism with its parameter.
pub(crate) struct Mechanism<'a> {
    raw: CK_MECHANISM,
    bytes: Vec<u8>,
    parameter: PhantomData<&'a mut ()>,
}

impl<'a> Mechanism<'a> {
    /// Without a parameter.
    pub(crate) fn new(mechanism: CK_MECHANISM_TYPE) -> Self {
        let raw = CK_MECHANISM { mechanism, pParameter: ptr::null_mut(), ulParameterLen: 0 };
        Self { raw, bytes: Vec::new(), parameter: PhantomData }
    }

    /// With plain bytes, an IV for example.
    pub(crate) fn bytes(mechanism: CK_MECHANISM_TYPE, parameter: &[u8]) -> Self {
        let mut made = Self::new(mechanism);
        made.bytes = parameter.to_vec();
        made.raw.pParameter = made.bytes.as_mut_ptr().cast();
        made.raw.ulParameterLen = parameter.len() as CK_ULONG;
        made
    }

    /// With a structure, which the library may write to.
    pub(crate) fn with<T>(mechanism: CK_MECHANISM_TYPE, parameter: &'a mut T) -> Self {
        let mut made = Self::new(mechanism);
        made.raw.pParameter = ptr::from_mut(parameter).cast();
        made.raw.ulParameterLen = size_of::<T>() as CK_ULONG;
        made
    }

    /// The same with another length.
    pub(crate) fn length(mut self, length: CK_ULONG) -> Self {
        self.raw.ulParameterLen = length;
        self
    }

    pub(crate) fn raw(&mut self) -> *mut CK_MECHANISM {
        &raw mut self.raw
    }

    pub(crate) const fn id(&self) -> CK_MECHANISM_TYPE {
        self.raw.mechanism
    }
}

/// A parameter and the memory that it points to. On the platforms that there are, all fields of the structures but IVs are
/// one machine word, or a byte in one.
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    kept: Vec<Vec<u8>>,
    claimed: Option<CK_ULONG>,
}

impl Parameter {
    pub(crate) fn bytes(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self { name: name.into(), bytes: bytes.to_vec(), kept: Vec::new(), claimed: None }
    }

    pub(crate) fn words(name: impl Into<String>, words: &[CK_ULONG]) -> Self {
        Self::bytes(name, &words.iter().flat_map(|word| word.to_ne_bytes()).collect::<Vec<_>>())
    }

    pub(crate) fn none() -> Self {
        Self::bytes("none", &[])
    }

    /// Keeps memory that a field points to.
    pub(crate) fn keeping(mut self, memory: Memory) -> Self {
        self.kept.extend(memory.0);
        self
    }

    /// NULL for a pointer, and this length.
    pub(crate) fn null(length: usize) -> Self {
        let mut null = Self::bytes(format!("NULL with a length of {length}"), &[]);
        null.claimed = Some(length as CK_ULONG);
        null
    }

    /// Cut or filled up with zeros.
    pub(crate) fn of_length(mut self, length: usize) -> Self {
        self.name = format!("{length} bytes");
        self.bytes.resize(length, 0);
        self
    }

    /// The mechanism, which lives no longer than the memory that it points to.
    pub(crate) fn mechanism(&self, number: CK_MECHANISM_TYPE) -> Mechanism<'_> {
        match self.claimed {
            Some(length) => Mechanism::new(number).length(length),
            None if self.bytes.is_empty() => Mechanism::new(number),
            None => Mechanism::bytes(number, &self.bytes),
        }
    }
}

/// Memory that a parameter will point to.
#[derive(Default)]
pub(crate) struct Memory(Vec<Vec<u8>>);

impl Memory {
    /// The address of these bytes; NULL for none.
    pub(crate) fn place(&mut self, bytes: &[u8]) -> CK_ULONG {
        if bytes.is_empty() {
            return 0;
        }
        self.0.push(bytes.to_vec());
        let place = self.0.last_mut().map_or(ptr::null_mut(), Vec::as_mut_ptr);
        place.expose_provenance() as CK_ULONG
    }
}

/// The parameter of AES-GCM.
pub(crate) fn gcm(iv: &mut [u8], additional: &mut [u8], tag_bits: CK_ULONG) -> CK_GCM_PARAMS {
    CK_GCM_PARAMS {
        pIv: iv.as_mut_ptr(),
        ulIvLen: iv.len() as CK_ULONG,
        ulIvBits: 8 * iv.len() as CK_ULONG,
        pAAD: if additional.is_empty() { ptr::null_mut() } else { additional.as_mut_ptr() },
        ulAADLen: additional.len() as CK_ULONG,
        ulTagBits: tag_bits,
    }
}

/// Bytes from hexadecimal digits; blanks do not count.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    assert_eq!(digits.len() % 2, 0, "whole bytes");
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// CKA_EC_PARAMS of the curves, as object identifiers (RFC 5480, SEC 2).
pub(crate) const P224: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x21];
pub(crate) const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
pub(crate) const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
pub(crate) const P521: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23];
/// The parameters of edwards25519 (RFC 8410 section 3).
pub(crate) const EDWARDS25519: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];
pub(crate) const K256: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];

/// C_GenerateKey for AES of 256 bits, a session key with every use.
pub(crate) fn aes() -> Template {
    Template::new().number(CKA_VALUE_LEN, 32).on(&[CKA_ENCRYPT, CKA_DECRYPT])
}

/// C_CreateObject for an AES key with this value and every use.
pub(crate) fn aes_value(value: &[u8]) -> Template {
    Template::new().number(CKA_CLASS, CKO_SECRET_KEY).number(CKA_KEY_TYPE, CKK_AES).bytes(CKA_VALUE, value).on(&[
        CKA_ENCRYPT,
        CKA_DECRYPT,
        CKA_SIGN,
        CKA_VERIFY,
    ])
}

/// C_CreateObject for a generic secret key that signs and verifies.
pub(crate) fn generic_value(value: &[u8]) -> Template {
    Template::new()
        .number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .bytes(CKA_VALUE, value)
        .on(&[CKA_SIGN, CKA_VERIFY])
}

/// The public half of an EC pair.
pub(crate) fn ec_public(curve: &[u8]) -> Template {
    Template::new().bytes(CKA_EC_PARAMS, curve).on(&[CKA_VERIFY])
}

/// The private half of an EC pair.
pub(crate) fn ec_private() -> Template {
    Template::new().on(&[CKA_SIGN])
}

/// The public half of an RSA pair.
pub(crate) fn rsa_public(bits: CK_ULONG) -> Template {
    Template::new().number(CKA_MODULUS_BITS, bits).bytes(CKA_PUBLIC_EXPONENT, &[1, 0, 1]).on(&[CKA_VERIFY, CKA_ENCRYPT])
}

/// The private half of an RSA pair.
pub(crate) fn rsa_private() -> Template {
    Template::new().on(&[CKA_SIGN, CKA_DECRYPT])
}
