//! Following a store that other processes change: a poll at intervals, and whenever the store sends word, which renews the
//! lease. A feed that panics is replaced, by the same task.

use std::future::pending;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::dual_instant::DualInstant;
use super::guarded_call::catch_panic;
use super::own_changes::Poll;
use super::sync::{Arc, Atomic, Notify, Ordering, Weak, spawn, timeout};
use super::{Cache, CallError};
use crate::backend::{BackendError, BoxedChangeFeed, Change};
use crate::clock::Moment;
use crate::digest::Digest;
use crate::race::{comes_first, unless};
use crate::trace;

/// How long a lookup waits for the poll that brings a lease.
const SOON: Duration = Duration::from_millis(100);

/// How long the poller pauses after a panic: twice as long after each, until a poll is answered.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Whether someone follows the feed, and how that goes.
#[derive(Debug)]
pub(super) struct Follower {
    is_there: Atomic,
    /// Word that someone waits for a poll, and that one has ended.
    wanted: Arc<Notify>,
    ended: Notify,
    /// Whether the last poll went without an answer.
    is_failing: AtomicBool,
    /// Only told, never acted upon.
    progress: Mutex<Progress>,
}

#[derive(Debug, Clone, Default)]
struct Progress {
    /// When the last poll began that was answered.
    polled: Option<Moment>,
    is_listening: Option<bool>,
    /// How often the feed panicked and was replaced.
    restarts: u64,
    last_error: Option<Box<str>>,
}

impl Follower {
    pub(super) fn nobody() -> Self {
        Self {
            is_there: Atomic::new(0),
            wanted: Arc::default(),
            ended: Notify::new(),
            is_failing: AtomicBool::new(false),
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

    /// Returns how often the feed panicked and was replaced.
    pub(super) fn restarts(&self) -> u64 {
        self.progress().restarts
    }

    /// Returns why the last poll was not answered, if it was not.
    pub(super) fn last_error(&self) -> Option<Box<str>> {
        self.progress().last_error.clone()
    }

    /// Tells whether the last poll went without an answer.
    pub(super) fn is_failing(&self) -> bool {
        self.is_failing.load(Ordering::Relaxed)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a poll went, for those who wait for one.
    fn note_poll(&self, is_failing: bool) {
        self.is_failing.store(is_failing, Ordering::Relaxed);
        self.ended.notify_waiters();
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

/// Where the store's news come from.
struct Post {
    feed: BoxedChangeFeed,
    has_polled: bool,
}

impl Cache {
    /// Sees to it that someone follows the feed, if there is one. Called where the store is asked, which is where every
    /// request ends up when the lease is not renewed.
    pub(super) fn ensure_poller(self: &Arc<Self>) {
        if let Some(place) = self.take_place() {
            spawn(place.keep(None));
        }
    }

    /// Called before a lookup. If there is no lease, as after a start, it waits for the poll that brings one: whoever has the answer
    /// before that has to ask again with the next request. Where polls fail, nobody waits for them.
    pub(super) async fn lease_to_come(&self) {
        if self.has_feed && !self.has_lease() && !self.follower.is_failing() {
            self.poll_soon().await;
        }
    }

    /// Called before a lookup. If this process has changed the key, it waits for the poll that brings the [echo](super::own_changes) of that, but
    /// not for long.
    pub(super) async fn echo_to_come(&self, digest: &Digest) {
        let is_to_come = || self.own_changes.is_expected(digest) && !self.follower.is_failing();
        if !self.has_feed || !is_to_come() {
            return;
        }
        let echo = async {
            loop {
                let mut ended = pin!(self.follower.ended.notified());
                ended.as_mut().enable();
                if !is_to_come() {
                    break;
                }
                // Kept where no poller waits for it yet, as while a poll that began before the change is under way.
                self.follower.wanted.notify_one();
                ended.await;
            }
        };
        let _ = timeout(self.soon(), echo).await;
    }

    /// Has the store polled now, waits for that, but not for long, and tells whether there is a lease.
    pub(super) async fn poll_soon(&self) -> bool {
        self.poll_within(self.soon()).await
    }

    fn soon(&self) -> Duration {
        SOON.min(self.flights.patience() / 4)
    }

    async fn poll_within(&self, patience: Duration) -> bool {
        let mut ended = pin!(self.follower.ended.notified());
        ended.as_mut().enable();
        if !self.has_lease() {
            self.follower.wanted.notify_waiters();
            let _ = timeout(patience, ended).await;
        }
        self.has_lease()
    }

    pub(super) fn has_lease(&self) -> bool {
        self.lease.covers(self.clock.monotonic(), || self.clock.wall())
    }

    /// Polls once and goes on to follow the feed, if there is one and nobody does.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), BackendError> {
        let deadline = self.flights.patience();
        let not_followed = |reason| BackendError::not_followed(reason, deadline);
        let Some(place) = self.take_place() else {
            let unanswered = || not_followed(BackendError::unavailable("no poll was answered yet"));
            return self.poll_within(deadline).await.then_some(()).ok_or_else(unanswered);
        };
        let Some(mut post) = Post::of(self) else { return Ok(()) };
        let polled = catch_panic(post.poll(self)).await.unwrap_or(Err(CallError::Panic));
        polled.map_err(|no_answer| not_followed(no_answer.into_error(deadline)))?;
        spawn(place.keep(Some(post)));
        Ok(())
    }

    fn take_place(self: &Arc<Self>) -> Option<Place> {
        (self.has_feed && self.follower.take_place()).then(|| Place(Arc::downgrade(self)))
    }

    /// Says that the feed panicked, and that it is replaced after a pause.
    fn restart(&self, pause: Duration) {
        let restarts = {
            let mut progress = self.follower.progress();
            progress.restarts += 1;
            progress.restarts
        };
        trace::restarted(pause, restarts);
        self.metrics.restarted();
        // Until a poll is answered, lookups do not wait for one.
        self.follower.note_poll(true);
    }
}

impl Place {
    /// Follows for as long as there is a cache to tell, and goes on with another feed after one that panicked. It pauses before: a feed
    /// that panics at once would leave no time for anything else.
    async fn keep(self, mut post: Option<Post>) {
        let mut pause = SHORTEST_PAUSE;
        let mut polled = None;
        while let Some(Panicked) = catch_panic(self.follow(post.take())).await.unwrap_or(Some(Panicked)) {
            let Some(cache) = self.0.upgrade() else { return };
            let last = cache.follower.polled();
            if last != std::mem::replace(&mut polled, last) {
                pause = SHORTEST_PAUSE;
            }
            cache.restart(pause);
            drop(cache);
            let _ = timeout(pause, pending::<()>()).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Polls for as long as there is a cache to tell, and the feed does not panic.
    async fn follow(&self, post: Option<Post>) -> Option<Panicked> {
        let mut post = match post {
            Some(post) => post,
            None => Post::of(&*self.0.upgrade()?)?,
        };
        while let Some(cache) = self.0.upgrade() {
            if let Err(CallError::Panic) = post.poll(&cache).await {
                // It is not to be used any more.
                return Some(Panicked);
            }
            let interval = cache.limits.poll_interval;
            let wanted = Arc::clone(&cache.follower.wanted);
            drop(cache);
            let _ = timeout(interval, comes_first(wanted.notified(), post.feed.changed())).await;
        }
        None
    }
}

/// That a feed has panicked.
struct Panicked;

impl Post {
    fn of(cache: &Cache) -> Option<Self> {
        let mut feed = cache.backend.feed()?;
        feed.lease(cache.limits.lease, cache.limits.stale_grace);
        Some(Self { feed, has_polled: false })
    }

    /// Polls once, and shows how it goes.
    async fn poll(&mut self, cache: &Cache) -> Result<(), CallError> {
        let outcome = self.take_in(cache).await;
        let error =
            outcome.as_ref().err().map(|no_answer| no_answer.message(cache.flights.patience()).into());
        cache.follower.progress().last_error = error;
        if let Some(feed) = cache.feed_health(DualInstant::exact(&*cache.clock)) {
            cache.metrics.polled(&feed);
        }
        cache.follower.note_poll(outcome.is_err());
        outcome?;
        match cache.guarded_call("the list of nodes", cache.flights.patience(), self.feed.ack()).await {
            // Whoever waits for this node waits for the lease then.
            Ok(()) | Err(CallError::Error(_) | CallError::Deadline) => Ok(()),
            Err(CallError::Panic) => Err(CallError::Panic),
        }
    }

    /// Takes in what was changed, and renews the lease if there was an answer.
    async fn take_in(&mut self, cache: &Cache) -> Result<(), CallError> {
        let follower = &cache.follower;
        // After a poll without an answer, this one may wait for a dead connection too, when the store is back already.
        let wanted = async {
            match follower.is_failing() {
                true => follower.wanted.notified().await,
                false => pending().await,
            }
        };
        let answer = match unless(wanted, self.ask(cache)).await {
            Some(answer) => answer,
            None => self.ask(cache).await,
        };
        follower.progress().is_listening = self.feed.is_listening();
        let (began, poll, changes) = answer?;
        if follower.is_failing() {
            // An outage is over. Whatever counted in it may not count any more, so nobody waits for a lookup to find out.
            cache.breaker.answered();
        }
        // Whatever was read before the first poll may have changed before it, and no poll would say so.
        let first = (!self.has_polled).then_some(Change::Everything);
        first.into_iter().chain(changes).for_each(|change| cache.invalidate(change));
        self.has_polled = true;
        cache.own_changes.poll_is_applied(poll);
        // Compared with coarse readings, which may be late.
        cache.lease.renew(began, cache.limits.lease.saturating_sub(cache.clock.tick()));
        follower.progress().polled = Some(began.monotonic);
        Ok(())
    }

    /// Asks what was changed, and returns that with when it was asked.
    async fn ask(&mut self, cache: &Cache) -> Result<(DualInstant, Poll, Vec<Change>), CallError> {
        let (began, poll) = (DualInstant::exact(&*cache.clock), cache.own_changes.poll_begins());
        let polling = self.feed.poll();
        let changes =
            cache.guarded_call("the feed of changes to keys", cache.flights.patience(), polling).await?;
        Ok((began, poll, changes))
    }
}
