//! A hash of a password that is replaced by one that was made with more work.

use super::Cache;
use super::fill::catch_panic;
use super::sync::timeout;
use crate::password_hash::PasswordHash;
use crate::trace::{self, Failure};

impl Cache {
    /// Has the store keep another hash of the same password. If it fails, the next verification tries again.
    pub(crate) async fn rehashed(&self, email: &str, from: &PasswordHash, to: &PasswordHash) {
        let keeping = catch_panic(self.backend.rehashed(email, from, to));
        let failure = match timeout(self.limits.deadline, keeping).await {
            Ok(Some(Ok(()))) => return,
            Ok(Some(Err(error))) => {
                return trace::failed("a stronger hash of a password", &Failure::Error(&error));
            }
            Ok(None) => Failure::Panic,
            Err(_) => Failure::Deadline(self.limits.deadline),
        };
        trace::failed("a stronger hash of a password", &failure);
    }
}
