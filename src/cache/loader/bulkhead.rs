//! The bulkhead: keys that this process knows have permits of their own, so that a flood of other keys cannot starve them.

// Layer 6 of 10: cache.

use crate::backend::BackendError;
use crate::cache::sync::{Semaphore, SemaphorePermit};

/// Whether this process knows the key of a lookup, which decides whose permits the lookup takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cache) enum Warmth {
    /// Of a key whose record this process has, or had until a short while ago.
    Warm,
    /// Of any other key, good or bad, or of a password.
    Cold,
}

/// Permits for concurrent lookups, by warmth.
pub(super) struct Bulkhead {
    warm: Semaphore,
    cold: Semaphore,
}

impl Bulkhead {
    /// Creates `permits` for warm lookups and as many for cold ones, but at most half of the backend's limit of concurrent lookups: beyond
    /// that, lookups of one kind would wait in the backend behind those of the other.
    pub(super) fn new(permits: usize, backend_limit: usize) -> Self {
        let permits = permits.min((backend_limit / 2).max(1));
        Self { warm: Semaphore::new(permits), cold: Semaphore::new(permits) }
    }

    /// Waits for a permit.
    pub(super) async fn acquire(&self, warmth: Warmth) -> Result<SemaphorePermit<'_>, BackendError> {
        self.permits(warmth).acquire().await.map_err(BackendError::unavailable)
    }

    /// Returns a permit that is free. While lookups wait for one, none is.
    pub(super) fn try_acquire(&self, warmth: Warmth) -> Option<SemaphorePermit<'_>> {
        self.permits(warmth).try_acquire().ok()
    }

    fn permits(&self, warmth: Warmth) -> &Semaphore {
        match warmth {
            Warmth::Warm => &self.warm,
            Warmth::Cold => &self.cold,
        }
    }
}
