//! The queue of slow work, which runs off the async threads with limited concurrency.

// Layer 3 of 10: storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{PasswordError, PasswordErrorKind};

pub(super) struct Queue {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    capacity: usize,
    patience: Duration,
}

/// A place in the queue, released when it is dropped.
struct Place<'q>(&'q AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    pub(super) fn new(concurrent: usize, capacity: usize, patience: Duration) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(concurrent)),
            waiting: AtomicUsize::new(0),
            capacity,
            patience,
        }
    }

    /// Runs `work` when a permit is available. If this future is dropped, work that has started continues, and keeps its permit until it
    /// has ended.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PasswordError> {
        let busy = || PasswordError::new(PasswordErrorKind::Busy);
        let permit = match Arc::clone(&self.permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = self.place().ok_or_else(busy)?;
                let turn = timeout(self.patience, Arc::clone(&self.permits).acquire_owned()).await;
                turn.map_err(|_| busy())?.map_err(|_| busy())?
            }
        };
        let working = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        working.await.map_err(|_| PasswordError::new(PasswordErrorKind::Failed))
    }

    fn place(&self) -> Option<Place<'_>> {
        let place = Place(&self.waiting);
        (self.waiting.fetch_add(1, Ordering::Relaxed) < self.capacity).then_some(place)
    }
}
