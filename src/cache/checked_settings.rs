//! The settings of this node that the store can contradict, and whether it does.
//!
//! A node with another pepper finds no key, and would tell every client that its key is unknown. So a node that has a setting with which no
//! key of the store was made answers 503. The poller checks the settings after its first poll, after changes and during a contradiction;
//! without a change feed, `Cache::start` does.

// Layer 6 of 10: cache.

use super::sync::{Atomic, Mutex, Ordering, lock};
use crate::backend::{BackendError, ErasedBackend};
use crate::digest::{Fingerprint, NodeSettings};
use crate::trace;

/// Settings, and the outcome of the last check.
pub(super) struct CheckedSettings {
    settings: NodeSettings,
    /// 1 if the store contradicts them.
    contradiction: Atomic,
    known: Mutex<Known>,
}

/// What is known of the store.
#[derive(Default)]
struct Known {
    /// Whether a check has passed.
    has_passed: bool,
    /// Whether one has found a fingerprint of this node.
    has_matched: bool,
    /// The digesters that this node lacks, which are logged once.
    lacking: Vec<Fingerprint>,
}

impl CheckedSettings {
    pub(super) fn new(settings: NodeSettings) -> Self {
        Self { settings, contradiction: Atomic::new(0), known: Mutex::default() }
    }

    /// Compares the settings with the fingerprints of the store, and keeps the outcome. Logs a contradiction once, until a check passes,
    /// and digesters of the store that this node lacks.
    ///
    /// Once a check has passed, a node is contradicted only by a store that had its settings before, as after its digester was retired.
    /// Otherwise one mistaken manager of a store without fingerprints would stop a fleet that finds its keys.
    pub(super) async fn check(&self, backend: &dyn ErasedBackend) -> Result<(), BackendError> {
        let Some(stored) = backend.fingerprints().await? else { return Ok(()) };
        let outcome = self.settings.check(&stored);
        let mut known = lock(&self.known);
        match outcome {
            Ok(()) => {
                known.has_passed = true;
                known.has_matched |= self.settings.has_one_of(&stored);
                self.contradiction.store(0, Ordering::SeqCst);
                let lacking = self.settings.lacking(&stored);
                if lacking.iter().any(|digester| !known.lacking.contains(digester)) {
                    trace::digesters_lacking(&lacking);
                }
                known.lacking = lacking;
                Ok(())
            }
            Err(_) if known.has_passed && !known.has_matched => Ok(()),
            Err(mismatch) => {
                if self.contradiction.swap(1, Ordering::SeqCst) == 0 {
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
