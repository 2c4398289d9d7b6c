//! The poller: reads the change feed, which has the changes of all processes, and keeps the [lease](lease) of the cached entries.
//!
//! It polls at intervals, and whenever the store sends a notification or a lookup needs a poll.

// Layer 6 of 10: cache.
// Above `context`; below `loader`. It reaches the cache only by the trait in its task. Bottom to top, a file importing only those before it:
// `lease`, `own_changes`, `state`, `self`, `task`.

pub(super) mod lease;
mod own_changes;
mod state;
mod task;

pub(super) use task::{PolledCache, PollerTask};

use std::pin::pin;
use std::time::Duration;

use super::Limits;
use super::context::Context;
use super::dual_instant::DualInstant;
use super::sync::{Arc, timeout};
use crate::digest::Digest;
use crate::guarded_call::CallError;
use crate::health::FeedHealth;
use lease::Lease;
use own_changes::OwnChanges;
use state::PollerState;

/// The longest wait of a lookup for a poll.
const MAX_WAIT: Duration = Duration::from_millis(100);

/// The lease, and the state of the poller that renews it.
pub(super) struct Poller {
    has_feed: bool,
    call_timeout: Duration,
    lease: Lease,
    own_changes: OwnChanges,
    state: PollerState,
    context: Arc<Context>,
}

impl Poller {
    pub(super) fn new(context: Arc<Context>) -> Self {
        let Limits { deadline, lease, .. } = context.limits;
        let has_feed = context.backend.feed().is_some();
        Self {
            has_feed,
            // The result of a read is as old as its start, and is valid no longer than a cached entry.
            call_timeout: if has_feed { deadline.min(lease) } else { deadline },
            lease: if has_feed { Lease::not_yet() } else { Lease::endless() },
            own_changes: OwnChanges::default(),
            state: PollerState::default(),
            context,
        }
    }

    #[inline]
    pub(super) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Returns whether other processes change the store.
    pub(super) fn has_feed(&self) -> bool {
        self.has_feed
    }

    /// Returns the longest duration of a call of the store.
    pub(super) fn call_timeout(&self) -> Duration {
        self.call_timeout
    }

    pub(super) fn has_lease(&self) -> bool {
        let clock = &self.context.clock;
        self.lease.covers(clock.monotonic(), || clock.wall())
    }

    /// Returns whether the last poll was not answered.
    pub(super) fn is_failing(&self) -> bool {
        self.state.is_failing()
    }

    /// Compares the settings of this node with the store.
    pub(super) async fn check_settings(&self) -> Result<(), CallError> {
        let Context { backend, settings, .. } = &*self.context;
        self.context.call("check of the settings", self.call_timeout, settings.check(&**backend)).await
    }

    /// Notes that this process has changed a key.
    pub(super) fn expect_own_change(&self, digest: Digest) {
        if self.has_feed {
            self.own_changes.expect(digest);
        }
    }

    /// Waits for the poll that renews the lease, if it is not valid, as after a start: the result of a lookup before that would not be kept.
    /// Does not wait while polls fail.
    pub(super) async fn wait_for_lease(&self) {
        if self.has_feed && !self.has_lease() && !self.is_failing() {
            self.poll_soon().await;
        }
    }

    /// Waits briefly for the poll that returns this process's [own change](own_changes) of a key, if it made one.
    pub(super) async fn wait_for_own_change(&self, digests: &[Digest]) {
        let is_expected =
            || digests.iter().any(|digest| self.own_changes.is_expected(digest)) && !self.is_failing();
        if !self.has_feed || !is_expected() {
            return;
        }
        let returned = async {
            loop {
                let mut ended = pin!(self.state.ended.notified());
                ended.as_mut().enable();
                if !is_expected() {
                    break;
                }
                // Stored if no poller waits for it yet, as during a poll that began before the change.
                self.state.wanted.notify_one();
                ended.await;
            }
        };
        // Boxed, as `poll_soon` is.
        let _ = timeout(self.max_wait(), Box::pin(returned)).await;
    }

    /// Triggers a poll if the lease is not valid, waits briefly, and returns whether it is valid then.
    pub(super) async fn poll_soon(&self) -> bool {
        // Boxed, so that a lookup, which rarely waits for a poll, has no room for it.
        Box::pin(self.poll_within(self.max_wait())).await
    }

    /// Triggers a poll if the lease is not valid, waits at most `max_wait`, and returns whether it is valid then.
    pub(super) async fn poll_within(&self, max_wait: Duration) -> bool {
        let mut ended = pin!(self.state.ended.notified());
        ended.as_mut().enable();
        if !self.has_lease() {
            self.state.wanted.notify_waiters();
            let _ = timeout(max_wait, ended).await;
        }
        self.has_lease()
    }

    fn max_wait(&self) -> Duration {
        MAX_WAIT.min(self.call_timeout / 4)
    }

    /// Returns the state of the change feed, or `None` if the store has none.
    pub(super) fn health(&self, now: DualInstant) -> Option<FeedHealth> {
        let lease_remaining = self.lease.remaining(now)?;
        let progress = self.state.progress().clone();
        Some(FeedHealth {
            lag: progress.polled.map(|polled| now.monotonic.saturating_since(polled)),
            lease_remaining,
            is_listening: progress.is_listening,
            restarts: progress.restarts,
            last_error: progress.last_error,
        })
    }
}
