//! The cache between requests and the store: it holds facts, and discards them the moment they change.
//!
//! A key that is revoked while its record is being read must not be admitted by that record: not by the request that reads, not by one
//! that joins the read, and not by one that finds the record in the cache later. Removing entries cannot ensure that, because the record
//! may arrive after the removal. So everything that is read carries a [generation](entries) that was taken before the read, and counts
//! only while that generation is current.
//!
//! ```text
//! request                                   fill, a task if it has to wait      change (revoke)
//!   hit: entry with current generation        take generation (before the read)   commit
//!   miss: join the flight of this generation  read the store                      tombstone (revoked only)
//!   wait, at most for the deadline            keep the answer with the generation bump the generation
//!   generation still current? check           wake the waiters                    drop flight and entries
//!   else read again, at most four times                                           acknowledge
//! ```
//!
//! The [poller] learns of changes by other processes, from a feed that has this process' own changes too. Cached entries count only while
//! its lease is valid, and each poll renews the lease; in a store that lists its nodes, the poller also writes what this node
//! has applied. So a change takes effect within the lease, even if its notification is lost.

// Layer 6 of 10: cache.
// Above `backend` and `reject`; below `usage`, `principal` and `authenticator`. Bottom to top, a file importing only those before it:
// - what its parts share: `sync`, `dual_instant`, `limits`, `checked_settings`, `context`
// - its parts: `entries`, `write_backs`, `poller`; over these: `loader`
// - the whole: `self`, `sign_in`; its tests: `model`

mod checked_settings;
mod context;
mod dual_instant;
mod entries;
mod limits;
mod loader;
#[cfg(all(test, shuttle))]
mod model;
mod poller;
#[cfg(feature = "password")]
mod sign_in;
mod sync;
mod write_backs;

use std::time::Duration;

pub(crate) use entries::{Admitter, DirtyList, Entry, EntryUses, Fact, Flags, Issuer, Rechecking};
pub(crate) use limits::Limits;
pub(crate) use loader::{LookupError, LookupKey};

use checked_settings::CheckedSettings;
use context::Context;
use entries::Entries;
use loader::{Loader, Warmth};
use poller::{PolledCache, Poller, PollerTask};
use sync::{Arc, Weak, spawn, timeout};
use write_backs::WriteBacks;

use crate::backend::{Apply, BackendError, ErasedBackend, Invalidation, Subscriber};
use crate::clock::Clock;
use crate::digest::{Digest, Fingerprint, NodeSettings};
use crate::health::Health;
use crate::key::KeyId;
use crate::metrics::Metrics;
#[cfg(feature = "password")]
use crate::{backend::WriteBack, password_hash::PasswordHash};

/// The cache of one authenticator.
pub(crate) struct Cache {
    entries: Arc<Entries>,
    loader: Arc<Loader>,
    poller: Arc<Poller>,
    write_backs: Arc<WriteBacks>,
    context: Arc<Context>,
}

impl Cache {
    pub(crate) fn new(
        backend: Box<dyn ErasedBackend>,
        clock: Arc<dyn Clock>,
        issuer: Arc<Issuer>,
        limits: Limits,
        settings: NodeSettings,
        metrics: Metrics,
    ) -> Arc<Self> {
        let settings = CheckedSettings::new(settings);
        let context = Arc::new(Context { backend, clock, limits, settings, metrics });
        let entries = Arc::new(Entries::new(Arc::clone(&context), issuer));
        let poller = Arc::new(Poller::new(Arc::clone(&context)));
        let loader = Arc::new(Loader::new(Arc::clone(&context), Arc::clone(&entries), Arc::clone(&poller)));
        let write_backs = Arc::new(WriteBacks::new(Arc::clone(&context)));
        let cache = Arc::new(Self { entries, loader, poller, write_backs, context });
        let target: Weak<Self> = Arc::downgrade(&cache);
        cache.context.backend.subscribe(Subscriber::new(target));
        cache
    }

    /// Returns the fact that the cache has of a digest, if the lease is valid, without reading the store. Marks the entry as used.
    #[inline]
    pub(crate) fn get(&self, digest: &Digest) -> Option<Fact> {
        let now = self.context.clock.coarse_monotonic();
        if !self.poller.lease().covers(now, || self.context.clock.coarse_wall()) {
            return None;
        }
        self.entries.get(digest, now)
    }

    /// Returns the first fact other than `Absent` that the cache has under one of these digests, and computes no digest after that one. Returns
    /// `Absent` only if the cache has it under each of them: the key may have been created under another one since.
    pub(crate) fn get_any(&self, digests: impl IntoIterator<Item = Digest>) -> Option<Fact> {
        let mut is_absent = true;
        for digest in digests {
            match self.get(&digest) {
                Some(Fact::Absent) => {}
                Some(fact) => return Some(fact),
                None => is_absent = false,
            }
        }
        is_absent.then_some(Fact::Absent)
    }

    /// Reads the store, in one read for all concurrent lookups of the same key. If that fails, returns a stale entry if one may be used.
    pub(crate) async fn read(self: &Arc<Self>, lookup_key: &LookupKey) -> Result<Fact, LookupError> {
        // A flood of unknown keys must not delay keys that were good a short while ago.
        let warmth = if self.entries.is_warm(lookup_key.digests()) { Warmth::Warm } else { Warmth::Cold };
        let outcome = self.read_store(lookup_key, warmth).await;
        outcome.or_else(|LookupError| self.stale(lookup_key.digests()).ok_or(LookupError))
    }

    async fn read_store(
        self: &Arc<Self>,
        lookup_key: &LookupKey,
        warmth: Warmth,
    ) -> Result<Fact, LookupError> {
        // Every request gets here when the lease is not renewed.
        if let Some(task) = PollerTask::claim(self) {
            spawn(task.run());
        }
        if self.loader.reader.is_circuit_open(self.context.clock.monotonic()) {
            return Err(LookupError);
        }
        let reading = async {
            self.poller.wait_for_lease().await;
            if self.contradicts_store() {
                // The store would have no key that this node is asked for, and each would be rejected as unknown.
                return Err(LookupError);
            }
            self.poller.wait_for_own_change(lookup_key.digests()).await;
            self.loader.load(lookup_key, warmth).await
        };
        timeout(self.context.limits.deadline, reading).await.unwrap_or(Err(LookupError))
    }

    /// Returns a stale entry that was still valid `stale_grace` ago and was not invalidated.
    fn stale(&self, digests: &[Digest]) -> Option<Fact> {
        if self.context.limits.stale_grace.is_zero() {
            return None;
        }
        let then = self.context.now().saturating_sub(self.context.limits.stale_grace);
        let entry = digests.iter().find_map(|digest| self.entries.valid_at(digest, then.monotonic))?;
        self.poller.lease().covers(then.monotonic, || then.wall).then_some(Fact::Stale(entry))
    }

    /// Polls once and starts the poller, if the store has a change feed and no poller runs. Waits for a poll if one runs.
    pub(crate) async fn start(self: &Arc<Self>) -> Result<(), BackendError> {
        let call_timeout = self.poller.call_timeout();
        let started = match PollerTask::claim(self) {
            Some(task) => task.start(self).await.map_err(|error| error.into_error(call_timeout)),
            None if self.poller.poll_within(call_timeout).await && self.poller.has_feed() => Ok(()),
            None if !self.poller.has_feed() || self.contradicts_store() => {
                self.poller.check_settings().await.map_err(|error| error.into_error(call_timeout))
            }
            None => Err(BackendError::unavailable("no poll was answered yet")),
        };
        started.map_err(|reason| BackendError::cannot_poll(reason, call_timeout))
    }

    /// Invalidates everything that was read of a key.
    fn forget(&self, digest: &Digest) {
        self.entries.bump(digest);
        // From here on everything that was read before is inert. The rest frees memory, and keeps lookups from joining an inert read.
        self.loader.forget(digest);
        self.entries.remove(digest);
    }

    /// Records the first use of a key in the store. The request does not wait for it.
    pub(crate) fn record_first_use(&self, id: KeyId) {
        self.write_backs.first_use(id);
    }

    /// Adds a digest of the current digester to a key that was found under a former one. The request does not wait for it.
    pub(crate) fn add_digest(&self, id: KeyId, digest: Digest, digester: Fingerprint) {
        self.write_backs.digest(id, digest, digester);
    }

    /// Replaces a password hash in the store by one of the same password. If that fails, the next verification tries again.
    #[cfg(feature = "password")]
    pub(crate) async fn replace_password_hash(&self, email: &str, from: PasswordHash, to: PasswordHash) {
        let Context { backend, limits, .. } = &*self.context;
        let replacing = backend.write_back(WriteBack::PasswordHash { email: email.into(), from, to });
        let _ = self.context.call("password rehash", limits.deadline, replacing).await;
    }

    /// Returns whether the caller is to log a flood now, and remembers it: once a second, not for each request.
    #[cfg(feature = "password")]
    pub(crate) fn claim_flood_log(&self) -> bool {
        self.loader.claim_flood_log(self.context.clock.monotonic())
    }

    /// Returns whether this node has a setting with which no key of the store was made.
    pub(crate) fn contradicts_store(&self) -> bool {
        self.context.settings.contradict_store()
    }

    /// Returns how long an entry may be used after a change by another process: the lease and the stale grace.
    pub(crate) fn longest_use(&self) -> Duration {
        self.context.limits.lease.saturating_add(self.context.limits.stale_grace)
    }

    pub(crate) fn health(&self) -> Health {
        let now = self.context.now();
        let then = now.saturating_sub(self.context.limits.stale_grace);
        let is_circuit_open = self.loader.reader.is_circuit_open(now.monotonic);
        let is_answering = || {
            !self.poller.is_failing()
                || self.loader.reader.was_answered_within(self.context.limits.lease, now.monotonic)
        };
        Health {
            is_circuit_open,
            is_store_answering: !is_circuit_open && is_answering(),
            is_cache_trusted: self.poller.lease().covers(then.monotonic, || then.wall),
            feed: self.poller.health(now),
            lookups: self.loader.pending(),
            usage_backlog: None,
        }
    }
}

/// Receives the changes of this process, from the store's `Invalidator`.
impl Apply for Cache {
    fn apply(&self, change: Invalidation) {
        if let Invalidation::Changed(digest) = change {
            self.poller.expect_own_change(digest);
        }
        self.invalidate(change);
    }
}

/// Receives the changes of all processes, from the poller.
impl PolledCache for Cache {
    fn poller(&self) -> &Poller {
        &self.poller
    }

    fn invalidate(&self, change: Invalidation) {
        self.context.metrics.invalidated(change.label());
        match change {
            Invalidation::Revoked(digest) => {
                self.entries.add_tombstone(digest, self.context.clock.monotonic());
                self.forget(&digest);
            }
            Invalidation::Changed(digest) => self.forget(&digest),
            Invalidation::Everything => self.entries.bump_all(),
        }
    }

    fn close_circuit(&self) {
        self.loader.reader.close_circuit();
    }
}
