//! The bulkhead: known keys have separate permits, so a flood of unknown keys cannot starve them.

use crate::backend::BackendError;
use crate::cache::sync::{Semaphore, SemaphorePermit};

/// The class of a lookup, which decides whose permits it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cache) enum Class {
    /// Of a key whose record this process has, or had until a short while ago.
    Warm,
    /// Of any other key.
    Cold,
}

/// Permits for concurrent lookups, per class.
pub(super) struct Bulkhead {
    warm: Semaphore,
    cold: Semaphore,
}

impl Bulkhead {
    /// Creates `per_class` permits for each class, but at most half of the backend's limit of concurrent lookups: beyond that, lookups of
    /// one class would wait in the backend behind those of the other.
    pub(super) fn new(per_class: usize, backend_limit: usize) -> Self {
        let permits = per_class.min((backend_limit / 2).max(1));
        Self { warm: Semaphore::new(permits), cold: Semaphore::new(permits) }
    }

    /// Waits for a permit.
    pub(super) async fn acquire(&self, class: Class) -> Result<SemaphorePermit<'_>, BackendError> {
        let permits = match class {
            Class::Warm => &self.warm,
            Class::Cold => &self.cold,
        };
        permits.acquire().await.map_err(BackendError::unavailable)
    }
}
