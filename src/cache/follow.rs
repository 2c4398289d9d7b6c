//! Following a store that other processes change: a poll at intervals, and whenever the store sends word, which renews the
//! lease.

use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::now::Now;
use super::sync::{Arc, Atomic, Notify, Ordering, Weak, spawn, timeout};
use super::{Cache, NoAnswer, attempt};
use crate::backend::{Apply, BackendError, Change, Feed};
use crate::clock::Moment;
use crate::race::comes_first;

/// How long an answered look-up waits for the poll that brings a lease.
const SOON: Duration = Duration::from_millis(100);

/// Whether someone follows the feed, and how that goes.
#[derive(Debug)]
pub(super) struct Follower {
    is_there: Atomic,
    /// Word that a look-up was answered while there was no lease.
    store_is_back: Arc<Notify>,
    /// Word that a poll has ended, and whether one is to be expected when the store is back.
    poll_ended: Notify,
    is_hopeful: AtomicBool,
    /// Only told, never acted upon.
    progress: Mutex<Progress>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// When the last poll began that was answered.
    polled: Option<Moment>,
    is_listening: Option<bool>,
}

impl Follower {
    pub(super) fn nobody() -> Self {
        Self {
            is_there: Atomic::new(0),
            store_is_back: Arc::default(),
            poll_ended: Notify::new(),
            is_hopeful: AtomicBool::new(true),
            progress: Mutex::default(),
        }
    }

    /// Returns when the last poll began that was answered.
    pub(super) fn polled(&self) -> Option<Moment> {
        self.progress().polled
    }

    /// Tells whether word of changes can arrive before a poll, if it ever can.
    pub(super) fn is_listening(&self) -> Option<bool> {
        self.progress().is_listening
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the place of the one who follows, if it is free.
    fn take_place(&self) -> bool {
        self.is_there.load(Ordering::Relaxed) == 0 && self.is_there.swap(1, Ordering::SeqCst) == 0
    }

    fn leave(&self) {
        self.is_there.store(0, Ordering::SeqCst);
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

/// The one who follows, and where the store's news come from.
struct Post {
    place: Place,
    feed: Feed,
    has_polled: bool,
    /// Whether a poll has come before its time, because the store was back, since the last one that was answered.
    was_early: bool,
}

impl Cache {
    /// Sees to it that someone follows the feed, if there is one. Called where the store is asked, which is where every
    /// request ends up when the lease is not renewed.
    pub(super) fn see_to_a_follower(self: &Arc<Self>) {
        if let Some(post) = self.take_post() {
            spawn(post.follow());
        }
    }

    /// Called when a look-up was answered. If there is no lease, as at the end of an outage, it has the store polled now and waits for
    /// that, but not for long: whoever has the answer before the lease would have to ask again with the next request.
    pub(super) async fn lease_to_come(&self) {
        if !self.has_feed || self.has_lease() || !self.follower.is_hopeful.load(Ordering::Relaxed) {
            return;
        }
        let mut poll_ended = pin!(self.follower.poll_ended.notified());
        poll_ended.as_mut().enable();
        if !self.has_lease() {
            // Nobody waits for it while a poll is under way, which will do as well.
            self.follower.store_is_back.notify_waiters();
            let _ = timeout(SOON.min(self.limits.deadline / 4), poll_ended).await;
        }
    }

    fn has_lease(&self) -> bool {
        self.lease.covers(self.clock.monotonic(), || self.clock.wall())
    }

    /// Polls once and goes on to follow the feed, if there is one and nobody does.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), BackendError> {
        let deadline = self.limits.deadline;
        let not_followed = |reason| BackendError::not_followed(reason, deadline);
        let Some(mut post) = self.take_post() else {
            return if self.has_lease() {
                Ok(())
            } else {
                Err(not_followed(BackendError::unavailable("no poll was answered yet")))
            };
        };
        post.poll(self).await.map_err(|no_answer| not_followed(no_answer.into_error(deadline)))?;
        spawn(post.follow());
        Ok(())
    }

    fn take_post(self: &Arc<Self>) -> Option<Post> {
        if !self.has_feed || !self.follower.take_place() {
            return None;
        }
        let place = Place(Arc::downgrade(self));
        let mut feed = self.backend.feed()?;
        feed.lease(self.limits.lease, self.limits.stale_grace);
        Some(Post { place, feed, has_polled: false, was_early: false })
    }
}

impl Post {
    /// Polls once, and shows how it goes.
    async fn poll(&mut self, cache: &Cache) -> Result<(), NoAnswer> {
        let outcome = self.take_in(cache).await;
        if let Some(feed) = cache.feed_health(Now::exact(&*cache.clock)) {
            cache.metrics.polled(&feed);
        }
        cache.follower.is_hopeful.store(!self.was_early, Ordering::Relaxed);
        cache.follower.poll_ended.notify_waiters();
        outcome
    }

    /// Takes in what was changed, and renews the lease if there was an answer.
    async fn take_in(&mut self, cache: &Cache) -> Result<(), NoAnswer> {
        let began = Now::exact(&*cache.clock);
        let polling = self.feed.poll();
        let polled = attempt("the feed of changes to keys", cache.limits.deadline, polling).await;
        cache.follower.progress().is_listening = self.feed.is_listening();
        let changes = polled?;
        // Whatever was read before the first poll may have changed before it, and no poll would say so.
        let first = (!self.has_polled).then_some(Change::Everything);
        first.into_iter().chain(changes).for_each(|change| cache.apply(change));
        (self.has_polled, self.was_early) = (true, false);
        // Compared with coarse readings, which may be late.
        cache.lease.renew(began, cache.limits.lease.saturating_sub(cache.clock.tick()));
        cache.follower.progress().polled = Some(began.monotonic);
        match attempt("the list of nodes", cache.limits.deadline, self.feed.applied()).await {
            // Whoever waits for this node waits for the lease then.
            Ok(()) | Err(NoAnswer::Error(_) | NoAnswer::Deadline) => Ok(()),
            Err(NoAnswer::Panic) => Err(NoAnswer::Panic),
        }
    }

    /// Polls for as long as there is a cache to tell.
    async fn follow(mut self) {
        while let Some(cache) = self.place.0.upgrade() {
            if let Err(NoAnswer::Panic) = self.poll(&cache).await {
                // It is not to be used any more. Whoever asks the store next brings a new one.
                return;
            }
            let interval = cache.limits.poll_interval;
            let store_is_back = Arc::clone(&cache.follower.store_is_back);
            drop(cache);
            let _ = timeout(interval, self.worthwhile(&store_is_back)).await;
        }
    }

    /// Waits until a poll is worthwhile before its time. A feed that fails while look-ups are answered is not tried with each of
    /// them.
    async fn worthwhile(&mut self, store_is_back: &Notify) {
        if self.was_early {
            return self.feed.pinged().await;
        }
        self.was_early = comes_first(store_is_back.notified(), self.feed.pinged()).await;
    }
}
