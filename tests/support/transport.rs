//! C_WrapKey, C_UnwrapKey and C_DeriveKey of a session.

use std::ptr;

use super::calls::*;
use super::{Mechanism, Template};

/// The longest wrapped key of the tests: the PKCS#8 of an RSA key of 4096 bits is shorter.
const ROOM: usize = 4096;

impl Session {
    pub(crate) fn wrap(
        self,
        mechanism: &mut Mechanism<'_>,
        wrapping_key: CK_OBJECT_HANDLE,
        key: CK_OBJECT_HANDLE,
    ) -> Answer<Vec<u8>> {
        into_buffer(ROOM, |buffer, length| call!(C_WrapKey(self.0, mechanism.raw(), wrapping_key, key, buffer, length)))
    }

    pub(crate) fn unwrap(
        self,
        mechanism: &mut Mechanism<'_>,
        unwrapping_key: CK_OBJECT_HANDLE,
        wrapped: &[u8],
        template: &Template,
    ) -> Answer<CK_OBJECT_HANDLE> {
        let (mut wrapped, mut raw, mut key) = (wrapped.to_vec(), template.raw(), 0);
        answer(call!(C_UnwrapKey(
            self.0,
            mechanism.raw(),
            unwrapping_key,
            wrapped.as_mut_ptr(),
            wrapped.len() as CK_ULONG,
            raw.as_mut_ptr(),
            raw.len() as CK_ULONG,
            &raw mut key
        )))?;
        Ok(key)
    }

    pub(crate) fn derive(
        self,
        mechanism: &mut Mechanism<'_>,
        base_key: CK_OBJECT_HANDLE,
        template: &Template,
    ) -> Answer<CK_OBJECT_HANDLE> {
        let (mut raw, mut key) = (template.raw(), 0);
        answer(call!(C_DeriveKey(
            self.0,
            mechanism.raw(),
            base_key,
            raw.as_mut_ptr(),
            raw.len() as CK_ULONG,
            &raw mut key
        )))?;
        Ok(key)
    }
}

/// CloudHSM's `CK_SP800_108_KDF_PARAMS`, with the counter of 32 bits and a label as its input.
pub(crate) struct CounterKdf {
    width: CK_ULONG,
    label: Vec<u8>,
    pieces: [CK_PRF_DATA_PARAM; 2],
    fields: [CK_ULONG; 3],
}

impl CounterKdf {
    pub(crate) fn new(prf: CK_MECHANISM_TYPE, label: &[u8]) -> Box<Self> {
        let piece = |type_| CK_PRF_DATA_PARAM { type_, pValue: ptr::null_mut(), ulValueLen: 0 };
        let mut kdf =
            Box::new(Self { width: 32, label: label.to_vec(), pieces: [piece(1), piece(3)], fields: [prf, 2, 0] });
        let (width, label) = (ptr::from_mut(&mut kdf.width), kdf.label.as_mut_ptr());
        kdf.pieces[0].pValue = width.cast();
        kdf.pieces[0].ulValueLen = size_of::<CK_ULONG>() as CK_ULONG;
        kdf.pieces[1].pValue = label.cast();
        kdf.pieces[1].ulValueLen = kdf.label.len() as CK_ULONG;
        kdf.fields[2] = ptr::from_mut(&mut kdf.pieces).addr() as CK_ULONG;
        kdf
    }

    pub(crate) fn mechanism(&mut self) -> Mechanism<'_> {
        Mechanism::with(vendor::CKM_CLOUDHSM_SP800_108_COUNTER_KDF, &mut self.fields)
    }
}
