//! Signing and verifying in one call.

use base::ck;
use base::error::{Error, Result};

use super::Module;
use super::tool::Tool;
use crate::mechanism::Signing;

const ROW_WITHOUT_SIGNING: Error = Error::internal("a row that serves signing without functions for it");

fn signing(tool: &Tool<'_>) -> Result<&'static Signing> {
    tool.row.serves.sign.as_ref().ok_or(ROW_WITHOUT_SIGNING)
}

impl Module {
    /// Signs. The approvals that the key needs are used up before the signature is made.
    ///
    /// # Errors
    /// What the mechanism refuses of the data; AWS's texts for approvals that do not do.
    pub fn sign(&self, tool: Tool<'_>, data: &[u8]) -> Result<Vec<u8>> {
        let signing = signing(&tool)?;
        tool.terms.check_length(&tool.parameter, data.len())?;
        if tool.key.class != ck::CKO_PUBLIC_KEY {
            self.take_turn()?;
        }
        let mut signature = vec![0; (signing.length)(&tool.work())?];
        self.put_to_use(&tool)?;
        let length = (signing.sign)(&tool.work(), data, &mut signature)?;
        signature.truncate(length);
        Ok(signature)
    }

    /// Verifies a signature.
    ///
    /// # Errors
    /// CKR_SIGNATURE_INVALID and CKR_SIGNATURE_LEN_RANGE; what the mechanism refuses of the data.
    pub fn verify(&self, tool: Tool<'_>, data: &[u8], signature: &[u8]) -> Result<()> {
        let signing = signing(&tool)?;
        tool.terms.check_length(&tool.parameter, data.len())?;
        self.put_to_use(&tool)?;
        (signing.verify)(&tool.work(), data, signature)
    }
}
