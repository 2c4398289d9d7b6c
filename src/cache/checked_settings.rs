//! The settings of this node that the store can contradict, and whether it does.
//!
//! A node with another pepper finds no key, and would tell every client that its key is unknown. So a node that has a setting with which no
//! key of the store was made answers 503.

use super::sync::{Atomic, Ordering};
use crate::backend::{BackendError, ErasedBackend};
use crate::digest::NodeSettings;
use crate::trace;

/// Settings, and whether the last check of them failed.
pub(super) struct CheckedSettings {
    settings: NodeSettings,
    /// 1 if the store contradicts them.
    contradiction: Atomic,
}

impl CheckedSettings {
    pub(super) fn new(settings: NodeSettings) -> Self {
        Self { settings, contradiction: Atomic::new(0) }
    }

    /// Compares the settings with the fingerprints of the store. Logs a contradiction once, until a check passes.
    pub(super) async fn check(&self, backend: &dyn ErasedBackend) -> Result<(), BackendError> {
        let Some(stored) = backend.fingerprints().await? else { return Ok(()) };
        match self.settings.check(&stored) {
            Ok(()) => {
                self.contradiction.store(0, Ordering::SeqCst);
                Ok(())
            }
            Err(mismatch) => {
                let is_new = self.contradiction.load(Ordering::SeqCst) == 0;
                self.contradiction.store(1, Ordering::SeqCst);
                if is_new {
                    trace::settings_contradict_store(mismatch.message());
                }
                Err(BackendError::contradicted(mismatch.message()))
            }
        }
    }

    /// Returns whether the last check failed.
    pub(super) fn contradict_store(&self) -> bool {
        self.contradiction.load(Ordering::SeqCst) != 0
    }
}
