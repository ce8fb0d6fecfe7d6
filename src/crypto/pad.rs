//! The padding of `CKM_AES_CBC_PAD` (PKCS#7, RFC 5652 section 6.3).

use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _, ConstantTimeLess as _};

use super::aes::BLOCK;
use crate::ck;
use crate::error::{Error, Result};

/// The last block of a padded message whose last, unpadded part is `tail`: up to 15 bytes, none if the message ends
/// with a whole block. `None` if `tail` is a block or more.
#[must_use]
pub fn pkcs7_pad(tail: &[u8]) -> Option<[u8; BLOCK]> {
    let missing = BLOCK.checked_sub(tail.len()).filter(|missing| *missing != 0)?;
    let mut block = [u8::try_from(missing).ok()?; BLOCK];
    block.get_mut(..tail.len())?.copy_from_slice(tail);
    Some(block)
}

/// How many bytes of the message the last decrypted block holds, 0 to 15.
///
/// Takes the same time and tells the same error whatever is wrong, since an answer that told more would decrypt
/// chosen ciphertexts byte by byte (Vaudenay, Eurocrypt 2002). That it answers at all is PKCS#11's doing.
///
/// # Errors
/// `CKR_ENCRYPTED_DATA_INVALID`.
pub fn pkcs7_unpad(last_block: &[u8; BLOCK]) -> Result<usize> {
    let length = last_block.last().copied().unwrap_or_default();
    let mut right = !length.ct_eq(&0) & !16_u8.ct_lt(&length);
    for (behind, byte) in (1_u8..).zip(last_block.iter().rev()) {
        // The last `length` bytes must all equal `length`; the others are the message's.
        let padding = !length.ct_lt(&behind);
        right &= Choice::conditional_select(&Choice::from(1), &byte.ct_eq(&length), padding);
    }
    if bool::from(right) {
        Ok(BLOCK.saturating_sub(usize::from(length)))
    } else {
        Err(Error::new(ck::CKR_ENCRYPTED_DATA_INVALID, "AES-CBC: the padding is wrong"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation)]

    use super::*;

    #[test]
    fn every_tail_comes_back() {
        for length in 0..BLOCK {
            let tail = vec![0xA5; length];
            let block = pkcs7_pad(&tail).unwrap();
            assert_eq!(pkcs7_unpad(&block).unwrap(), length);
            assert_eq!(block[..length], tail);
            assert!(block[length..].iter().all(|byte| usize::from(*byte) == BLOCK - length));
        }
        assert!(pkcs7_pad(&[0; BLOCK]).is_none());
    }

    #[test]
    fn agrees_with_the_plain_rule_on_every_single_change() {
        let plain = |block: &[u8; BLOCK]| {
            let length = usize::from(block[15]);
            ((1..=16).contains(&length) && block[16 - length..].iter().all(|byte| usize::from(*byte) == length))
                .then(|| 16 - length)
        };
        for length in 0..BLOCK {
            let good = pkcs7_pad(&vec![0; length]).unwrap();
            for position in 0..BLOCK {
                for value in 0..=255 {
                    let mut block = good;
                    block[position] = value;
                    let got = pkcs7_unpad(&block);
                    if let Err(error) = &got {
                        assert_eq!(error.rv(), ck::CKR_ENCRYPTED_DATA_INVALID);
                    }
                    assert_eq!(got.ok(), plain(&block));
                }
            }
        }
    }
}
