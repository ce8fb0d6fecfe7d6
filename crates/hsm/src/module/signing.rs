//! Signing and verifying in one call, with the approvals that a key may need.

use base::ck;
use base::error::Result;

use super::Module;
use super::tool::Tool;

impl Module {
    /// Signs. The approvals that the key needs are used up before the signature is made.
    ///
    /// # Errors
    /// What the mechanism refuses of the data; AWS's texts for approvals that do not do.
    pub fn sign(&self, tool: Tool<'_>, data: &[u8]) -> Result<Vec<u8>> {
        tool.task.check_length(data.len())?;
        if tool.task.key.class != ck::CKO_PUBLIC_KEY {
            self.take_turn()?;
        }
        let mut signature = vec![0; tool.task.signature_length()?];
        self.put_to_use(&tool)?;
        let length = tool.task.sign(data, &mut signature)?;
        signature.truncate(length);
        Ok(signature)
    }

    /// Verifies a signature.
    ///
    /// # Errors
    /// CKR_SIGNATURE_INVALID and CKR_SIGNATURE_LEN_RANGE; what the mechanism refuses of the data.
    pub fn verify(&self, tool: Tool<'_>, data: &[u8], signature: &[u8]) -> Result<()> {
        tool.task.check_length(data.len())?;
        self.put_to_use(&tool)?;
        tool.task.verify(data, signature)
    }
}
