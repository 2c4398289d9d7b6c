//! Slow work: off the async threads, a few at a time, with a bounded queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{PasswordError, PasswordErrorKind};

pub(super) struct Queue {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    most: usize,
    patience: Duration,
}

/// A place among those who wait, given up when it is dropped.
struct Place<'q>(&'q AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    pub(super) fn new(concurrent: usize, most: usize, patience: Duration) -> Self {
        Self { permits: Arc::new(Semaphore::new(concurrent)), waiting: AtomicUsize::new(0), most, patience }
    }

    /// Runs `work` when its turn comes. Whoever waits for it may go away; what has begun goes on, and keeps its place
    /// until it has ended.
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
        (self.waiting.fetch_add(1, Ordering::Relaxed) < self.most).then_some(place)
    }
}
