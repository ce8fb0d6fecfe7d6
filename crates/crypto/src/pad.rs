//! The padding of PKCS#7 (RFC 5652 section 6.3), for blocks of any length: `CKM_AES_CBC_PAD` has blocks of 16 bytes, triple
//! DES and the padded key wrap have blocks of 8, where the same padding goes by the name of PKCS#5.

use base::ck;
use base::error::{Error, Result};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _, ConstantTimeLess as _};

/// The last block of a padded message whose last, unpadded part is `tail`: less than a block, nothing if the message
/// ends with a whole block. `None` if `tail` is a block or more.
#[must_use]
pub fn pkcs7_pad<const BLOCK: usize>(tail: &[u8]) -> Option<[u8; BLOCK]> {
    let missing = BLOCK.checked_sub(tail.len()).filter(|missing| *missing != 0)?;
    let mut block = [u8::try_from(missing).ok()?; BLOCK];
    block.get_mut(..tail.len())?.copy_from_slice(tail);
    Some(block)
}

/// How many bytes of the message the last decrypted block holds: less than a block.
///
/// Takes the same time and tells the same error whatever is wrong, since an answer that told more would decrypt
/// chosen ciphertexts byte by byte (Vaudenay, Eurocrypt 2002). That it answers at all is PKCS#11's doing.
///
/// # Errors
/// `CKR_ENCRYPTED_DATA_INVALID`.
pub fn pkcs7_unpad<const BLOCK: usize>(last_block: &[u8; BLOCK]) -> Result<usize> {
    // No block that the padding is defined for is longer than a byte can say.
    let longest = u8::try_from(BLOCK).unwrap_or(u8::MAX);
    let length = last_block.last().copied().unwrap_or_default();
    let mut right = !length.ct_eq(&0) & !longest.ct_lt(&length);
    for (behind, byte) in (1_u8..).zip(last_block.iter().rev()) {
        // The last `length` bytes must all equal `length`; the others are the message's.
        let padding = !length.ct_lt(&behind);
        right &= Choice::conditional_select(&Choice::from(1), &byte.ct_eq(&length), padding);
    }
    if bool::from(right) {
        Ok(BLOCK.saturating_sub(usize::from(length)))
    } else {
        Err(Error::new(ck::CKR_ENCRYPTED_DATA_INVALID, "the padding is wrong"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::cast_possible_truncation)]

    use super::*;

    fn every_tail_comes_back<const BLOCK: usize>() {
        for length in 0..BLOCK {
            let tail = vec![0xA5; length];
            let block = pkcs7_pad::<BLOCK>(&tail).unwrap();
            assert_eq!(pkcs7_unpad(&block).unwrap(), length);
            assert_eq!(block[..length], tail);
            assert!(block[length..].iter().all(|byte| usize::from(*byte) == BLOCK - length));
        }
        assert!(pkcs7_pad::<BLOCK>(&[0; BLOCK]).is_none());
    }

    fn agrees_with_the_plain_rule_on_every_single_change<const BLOCK: usize>() {
        let plain = |block: &[u8; BLOCK]| {
            let length = usize::from(block[BLOCK - 1]);
            ((1..=BLOCK).contains(&length) && block[BLOCK - length..].iter().all(|byte| usize::from(*byte) == length))
                .then(|| BLOCK - length)
        };
        for length in 0..BLOCK {
            let good = pkcs7_pad::<BLOCK>(&vec![0; length]).unwrap();
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

    #[test]
    fn blocks_of_aes() {
        every_tail_comes_back::<16>();
        agrees_with_the_plain_rule_on_every_single_change::<16>();
    }

    #[test]
    fn blocks_of_triple_des_and_key_wrap() {
        every_tail_comes_back::<8>();
        agrees_with_the_plain_rule_on_every_single_change::<8>();
    }
}
