//! A hash of a password that is replaced by one that was made with more work.

use super::Cache;
use crate::password_hash::PasswordHash;

impl Cache {
    /// Has the store keep another hash of the same password. If it fails, the next verification tries again.
    pub(crate) async fn replace_password_hash(&self, email: &str, from: &PasswordHash, to: &PasswordHash) {
        let keeping = self.backend.replace_password_hash(email, from, to);
        let _ = self.guarded_call("the store of a stronger hash", self.limits.deadline, keeping).await;
    }
}
