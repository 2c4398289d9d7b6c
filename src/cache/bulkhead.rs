//! Lanes to the store: one for keys that were met before, one for strangers.

use super::sync::{Semaphore, SemaphorePermit};
use crate::backend::BackendError;

/// Which way a lookup takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// For keys whose record this process has, or had until a short while ago.
    Warm,
    /// For all others.
    Cold,
}

/// How many lookups may run at a time, in each lane.
pub(super) struct Permits {
    met: Semaphore,
    cold: Semaphore,
}

impl Permits {
    /// Each lane has so many places, or half of what the store carries out at a time: who waits there waits for whoever came before.
    pub(super) fn new(each: usize, at_once: usize) -> Self {
        let each = each.min((at_once / 2).max(1));
        Self { met: Semaphore::new(each), cold: Semaphore::new(each) }
    }

    /// Waits for a place.
    pub(super) async fn acquire(&self, class: Class) -> Result<SemaphorePermit<'_>, BackendError> {
        let permits = match class {
            Class::Warm => &self.met,
            Class::Cold => &self.cold,
        };
        permits.acquire().await.map_err(BackendError::unavailable)
    }
}
