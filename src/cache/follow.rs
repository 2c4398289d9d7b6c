//! Following a store that other processes change: a poll at intervals, which renews the lease.

use super::sync::{Arc, Atomic, Ordering, Weak, sleep, spawn};
use super::{Cache, NoAnswer, attempt};
use crate::backend::{Apply, Change, Feed};

/// Whether someone follows the feed.
#[derive(Debug)]
pub(super) struct Follower(Atomic);

impl Follower {
    pub(super) fn nobody() -> Self {
        Self(Atomic::new(0))
    }

    /// Takes the place of the one who follows, if it is free.
    fn take_place(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0 && self.0.swap(1, Ordering::SeqCst) == 0
    }

    fn leave(&self) {
        self.0.store(0, Ordering::SeqCst);
    }
}

/// The place of the one who follows. It is free again when the task ends, be it with its runtime.
struct Place(Weak<Cache>);

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(cache) = self.0.upgrade() {
            cache.follower.leave();
        }
    }
}

impl Cache {
    /// Sees to it that someone follows the feed, if there is one. Called where the store is asked, which is where every
    /// request ends up when the lease is not renewed.
    pub(super) fn see_to_a_follower(self: &Arc<Self>) {
        if !self.has_feed || !self.follower.take_place() {
            return;
        }
        let place = Place(Arc::downgrade(self));
        if let Some(feed) = self.backend.feed() {
            spawn(follow(place, feed));
        }
    }

    /// Polls once, and tells whether the feed can be polled again.
    pub(super) async fn catch_up(&self, feed: &mut Feed, is_first: bool) -> Outcome {
        let began = self.clock.monotonic();
        let polling = feed.poll();
        match attempt("the feed of changes to keys", self.limits.deadline, polling).await {
            Ok(changes) => {
                // Whatever was read before the first poll may have changed before it, and no poll would say so.
                let first = is_first.then_some(Change::Everything);
                first.into_iter().chain(changes).for_each(|change| self.apply(change));
                // Compared with coarse readings, which may be late.
                self.lease.renew(began, self.limits.lease.saturating_sub(self.clock.tick()));
                Outcome::CaughtUp
            }
            Err(NoAnswer::Error(_) | NoAnswer::Deadline) => Outcome::Failed,
            Err(NoAnswer::Panic) => Outcome::Broken,
        }
    }
}

/// How a poll ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    CaughtUp,
    /// Nothing was learned. The next poll may.
    Failed,
    /// The feed panicked, and is not to be used any more.
    Broken,
}

/// Polls for as long as there is a cache to tell.
#[allow(clippy::disallowed_methods, reason = "how often to poll is the runtime's time, not that of leases")]
async fn follow(place: Place, mut feed: Feed) {
    let mut is_first = true;
    while let Some(cache) = place.0.upgrade() {
        match cache.catch_up(&mut feed, is_first).await {
            Outcome::CaughtUp => is_first = false,
            Outcome::Failed => {}
            Outcome::Broken => return,
        }
        let interval = cache.limits.poll_interval;
        drop(cache);
        sleep(interval).await;
    }
}
