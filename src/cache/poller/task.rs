//! The task of the poller: polls the feed, and acknowledges each answered poll, by which a store that lists its nodes records what this
//! node has applied. This file knows no entries, and hands changes to the cache by a trait, [`PolledCache`].

// Layer 6 of 10: cache.

use std::future::pending;
use std::time::Duration;

use super::Poller;
use super::own_changes::Poll;
use crate::backend::{BoxedChangeFeed, Invalidation};
use crate::cache::context::Context;
use crate::cache::dual_instant::DualInstant;
use crate::cache::sync::{Arc, Weak, spawn, timeout};
use crate::guarded_call::{CallError, catch_panic};
use crate::select::{Either, select};
use crate::trace;

/// The pauses after a panic of the feed: doubled after each panic, until a poll is answered.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The cache to which a [task](PollerTask) applies the changes that a feed returns: those of all processes.
pub(in crate::cache) trait PolledCache: Send + Sync + 'static {
    fn poller(&self) -> &Poller;

    /// Applies a change that is committed: invalidates everything that was read before it.
    fn invalidate(&self, change: Invalidation);

    /// Lets lookups reach the store again, because a poll was answered.
    fn close_circuit(&self);
}

/// Polls a change feed until the cache is dropped. Another task may be [claimed](Self::claim) once this one is dropped, be it with its
/// runtime.
pub(in crate::cache) struct PollerTask<C: PolledCache> {
    /// `None` before the first poll, and after a panic.
    feed: Option<BoxedChangeFeed>,
    /// Whether a poll of this feed was answered.
    has_polled: bool,
    /// Whether changes were polled after which the settings of this node were not compared with the store.
    is_unchecked: bool,
    /// The pause after the next panic.
    pause: Duration,
    /// Dropped after the feed, so that two feeds are never open at once.
    claim: Claim<C>,
}

/// The right to poll for a cache, which one task has at a time.
struct Claim<C: PolledCache>(Weak<C>);

impl<C: PolledCache> Claim<C> {
    fn cache(&self) -> Option<Arc<C>> {
        self.0.upgrade()
    }
}

impl<C: PolledCache> Drop for Claim<C> {
    fn drop(&mut self) {
        if let Some(cache) = self.cache() {
            cache.poller().state.release();
        }
    }
}

impl<C: PolledCache> PollerTask<C> {
    /// Creates the task, if the store has a change feed and no other task polls it.
    pub(in crate::cache) fn claim(cache: &Arc<C>) -> Option<Self> {
        let is_claimed = cache.poller().has_feed && cache.poller().state.claim();
        is_claimed.then(|| Self {
            feed: None,
            has_polled: false,
            is_unchecked: false,
            pause: MIN_PAUSE,
            claim: Claim(Arc::downgrade(cache)),
        })
    }

    /// Polls once, and spawns the task if the poll was answered.
    pub(in crate::cache) async fn start(mut self, cache: &C) -> Result<(), CallError> {
        self.poll(cache).await?;
        spawn(self.run());
        Ok(())
    }

    /// Polls at intervals and when triggered. Replaces a feed that panics after a pause: one that panics at once would otherwise occupy the
    /// runtime.
    pub(in crate::cache) async fn run(mut self) {
        while let Some(cache) = self.claim.cache() {
            let polled = self.poll(&cache).await;
            let interval = cache.poller().context.limits.poll_interval;
            let wanted = Arc::clone(&cache.poller().state.wanted);
            drop(cache);
            let has_panicked = match (polled, &mut self.feed) {
                (Ok(()) | Err(CallError::Error(_) | CallError::Deadline), Some(feed)) => {
                    let triggered = select(wanted.notified(), feed.changed());
                    catch_panic(timeout(interval, triggered)).await.is_none()
                }
                (Err(CallError::Panic), _) => true,
                // The store has no feed any more.
                (_, None) => return,
            };
            if has_panicked {
                self.restart().await;
            }
        }
    }

    /// Discards the feed, and pauses before the next is opened.
    async fn restart(&mut self) {
        // A feed that panicked may panic again when it is dropped.
        let feed = self.feed.take();
        let _ = catch_panic(async move { drop(feed) }).await;
        if std::mem::take(&mut self.has_polled) {
            self.pause = MIN_PAUSE;
        }
        let Some(cache) = self.claim.cache() else { return };
        cache.poller().note_restart(self.pause);
        drop(cache);
        let _ = timeout(self.pause, pending::<()>()).await;
        self.pause = (self.pause * 2).min(MAX_PAUSE);
    }

    /// Polls once, and publishes the outcome. Does nothing if the store has no feed any more.
    async fn poll(&mut self, cache: &C) -> Result<(), CallError> {
        catch_panic(self.poll_and_ack(cache)).await.unwrap_or(Err(CallError::Panic))
    }

    async fn poll_and_ack(&mut self, cache: &C) -> Result<(), CallError> {
        let poller = cache.poller();
        if self.feed.is_none() {
            self.feed = poller.open_feed();
        }
        let Some(feed) = &mut self.feed else { return Ok(()) };
        let mut answer = poller.poll(feed).await;
        poller.state.progress().is_listening = feed.is_listening();
        let is_answered = answer.is_ok();
        // Digesters are retired by changes.
        self.is_unchecked |= answer.as_ref().is_ok_and(|answer| !answer.changes.is_empty());
        if is_answered && !self.has_polled {
            answer = poller.check_settings().await.and(answer);
        }
        let outcome = answer.map(|answer| {
            apply(cache, answer, !self.has_polled);
            self.has_polled = true;
        });
        poller.publish(&outcome);
        if is_answered {
            // Also if the settings contradict the store: such a node trusts nothing, and no other one has to wait for it.
            self.ack(poller).await?;
        }
        outcome?;
        if self.is_unchecked || poller.context.settings.contradict_store() {
            // After the changes were applied, which no other poll returns. Its outcome is kept by the settings.
            self.is_unchecked = poller.check_settings().await.is_err();
        }
        Ok(())
    }

    /// Acknowledges the changes of a poll.
    async fn ack(&mut self, poller: &Poller) -> Result<(), CallError> {
        let Some(feed) = &mut self.feed else { return Ok(()) };
        match poller.context.call("change feed acknowledgement", poller.call_timeout, feed.ack()).await {
            // A store that waits for this node then waits until its lease ends.
            Ok(()) | Err(CallError::Error(_) | CallError::Deadline) => Ok(()),
            Err(CallError::Panic) => Err(CallError::Panic),
        }
    }
}

/// The answer to a poll.
struct Answer {
    began: DualInstant,
    poll: Poll,
    changes: Vec<Invalidation>,
}

/// Applies the changes that a poll returned, and renews the lease.
fn apply(cache: &impl PolledCache, Answer { began, poll, changes }: Answer, is_first: bool) {
    let poller = cache.poller();
    if poller.is_failing() {
        // An outage is over. Stale entries may have changed in it, so no request waits for a lookup to find that out.
        cache.close_circuit();
    }
    // Changes between earlier reads and the first poll are returned by no poll.
    let first = is_first.then_some(Invalidation::Everything);
    first.into_iter().chain(changes).for_each(|change| cache.invalidate(change));
    poller.own_changes.poll_is_applied(poll);
    // Compared with coarse readings, which may be late.
    let Context { limits, clock, .. } = &*poller.context;
    poller.lease.renew(began, limits.lease.saturating_sub(clock.tick()));
    poller.state.progress().polled = Some(began.monotonic);
}

impl Poller {
    fn open_feed(&self) -> Option<BoxedChangeFeed> {
        let mut feed = self.context.backend.feed()?;
        feed.set_lease(self.context.limits.lease, self.context.limits.stale_grace);
        Some(feed)
    }

    /// Polls a feed. If the last poll failed, this one may hang on a broken connection although the store is back, so a trigger repeats it.
    async fn poll(&self, feed: &mut BoxedChangeFeed) -> Result<Answer, CallError> {
        let triggered = async {
            match self.is_failing() {
                true => self.state.wanted.notified().await,
                false => pending().await,
            }
        };
        match select(triggered, self.poll_once(feed)).await {
            Either::Left(()) => self.poll_once(feed).await,
            Either::Right(answer) => answer,
        }
    }

    async fn poll_once(&self, feed: &mut BoxedChangeFeed) -> Result<Answer, CallError> {
        let (began, poll) = (self.context.now(), self.own_changes.poll_begins());
        let polling = feed.poll();
        let changes = self.context.call("change feed poll", self.call_timeout, polling).await?;
        Ok(Answer { began, poll, changes })
    }

    /// Publishes the outcome of a poll to health, metrics and waiting lookups.
    fn publish(&self, outcome: &Result<(), CallError>) {
        let error = outcome.as_ref().err().map(|error| error.message(self.call_timeout).into());
        self.state.progress().last_error = error;
        if let Some(feed) = self.health(self.context.now()) {
            self.context.metrics.polled(&feed);
        }
        self.state.end_poll(outcome.is_err());
    }

    /// Logs and counts a restart. Until a poll is answered, lookups do not wait for one.
    fn note_restart(&self, pause: Duration) {
        let restarts = {
            let mut progress = self.state.progress();
            progress.restarts += 1;
            progress.restarts
        };
        trace::feed_panicked(pause, restarts);
        self.context.metrics.restarted();
        self.state.end_poll(true);
    }
}
