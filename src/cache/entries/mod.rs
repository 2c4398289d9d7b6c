//! The entries of the cache: the facts that were read from the store, each under a [generation].

// Layer 6 of 10: cache.
// Above `sync` and `context`; below `loader`. Bottom to top, a file importing only those before it:
// `accepted`, `flags`, `use_counter`, `rejections`, `routes`, `place`, `generation`, `tombstones`, `negative`, `entry`, `sieve`, `positive`,
// `dirty_list`, `self`.

mod accepted;
mod dirty_list;
mod entry;
mod flags;
pub(super) mod generation;
mod negative;
mod place;
mod positive;
mod rejections;
mod routes;
mod sieve;
mod tombstones;
mod use_counter;

pub(crate) use dirty_list::{DirtyList, EntryUses};
pub(crate) use entry::{Admitter, Entry, Issuer, Rechecking};
pub(crate) use flags::Flags;

use std::time::Duration;

use super::context::Context;
use super::sync::Arc;
use crate::clock::Moment;
use crate::digest::{Digest, Digests};
use crate::record::Record;
use generation::{Generation, Generations};
use negative::Negative;
use positive::Positive;
use tombstones::Tombstones;

/// A fact about a digest.
#[derive(Clone)]
pub(crate) enum Fact {
    /// The store has this record of it.
    Known(Arc<Entry>),
    /// The store had this record of it, and gives no answer now: it counts for the stale grace.
    Stale(Arc<Entry>),
    /// The store has no record of it.
    Absent,
    /// It was revoked a short while ago.
    Revoked,
}

/// Facts by digest.
pub(super) struct Entries {
    generations: Generations,
    positive: Positive,
    negative: Negative,
    /// Apart from keys: a flood of unknown keys makes no wrong password be hashed again.
    #[cfg(feature = "password")]
    rejected_attempts: Negative,
    tombstones: Tombstones,
    issuer: Arc<Issuer>,
    context: Arc<Context>,
}

impl Entries {
    pub(super) fn new(context: Arc<Context>, issuer: Arc<Issuer>) -> Self {
        let limits = &context.limits;
        // Compared with coarse readings, which may be late.
        let negative_ttl = limits.negative_ttl.saturating_sub(context.clock.tick());
        Self {
            generations: Generations::new(),
            positive: Positive::new(limits.positive_capacity, limits.positive_ttl + limits.stale_grace),
            negative: Negative::new(negative_ttl, limits.negative_capacity),
            #[cfg(feature = "password")]
            rejected_attempts: Negative::new(negative_ttl, limits.negative_capacity),
            tombstones: Tombstones::new(limits.tombstone_ttl()),
            issuer,
            context,
        }
    }

    /// Returns the fact that is valid at `now`, the reading of a coarse clock.
    #[inline]
    pub(super) fn get(&self, digest: &Digest, now: Moment) -> Option<Fact> {
        let generation = self.generations.current(digest);
        match self.positive.get(digest) {
            Some(entry) if self.is_current(&entry, generation) && now < entry.until => {
                Some(Fact::Known(entry))
            }
            _ if self.negative.contains(digest, generation, now) => Some(Fact::Absent),
            _ if self.tombstones.contains(digest, now) => Some(Fact::Revoked),
            _ => None,
        }
    }

    /// Returns an entry that was not invalidated, if its time to live had not ended at `then`.
    pub(super) fn valid_at(&self, digest: &Digest, then: Moment) -> Option<Arc<Entry>> {
        let generation = self.generations.current(digest);
        self.positive.get(digest).filter(|entry| self.is_current(entry, generation) && then < entry.until)
    }

    /// Returns whether no change was announced since an entry was read. `own` is the generation of the digest under which it stands.
    ///
    /// Of a key with several digests, a change announces those that the store still has, which may be others than that of the entry.
    #[inline]
    fn is_current(&self, entry: &Entry, own: Generation) -> bool {
        entry.generation
            == entry.several_digests().map_or(own, |digests| self.generations.current_of(digests))
    }

    /// Returns the generation for a read that starts now, by any of these digests of a key.
    pub(super) fn generation(&self, digests: &[Digest]) -> Generation {
        self.generations.current_of(digests)
    }

    /// Returns whether an entry of this key exists, even if it is no longer valid.
    pub(super) fn is_warm(&self, digests: &[Digest]) -> bool {
        digests.iter().any(|digest| self.positive.is_warm(digest))
    }

    /// Returns whether a key was revoked a short while ago.
    pub(super) fn has_tombstone(&self, digests: &[Digest]) -> bool {
        let now = self.context.clock.coarse_monotonic();
        digests.iter().any(|digest| self.tombstones.contains(digest, now))
    }

    /// Returns the entry of a record that was read under this `generation` of these digests, and keeps it if the generation is still
    /// current. A record whose first use has not been recorded is not kept: it is read again with the next request.
    ///
    /// The entry stands under the digest of its record, by which a change frees its memory.
    pub(super) fn keep(
        &self,
        record: Record,
        digests: &[Digest],
        generation: Generation,
        started: Moment,
    ) -> Arc<Entry> {
        let ttl = self.ttl(&record.digest);
        // Compared with coarse readings, which may be late.
        let until = started.saturating_add(ttl).saturating_sub(self.context.clock.tick());
        let several = digests.split_first().filter(|(_, former)| !former.is_empty());
        let several = several.map(|(current, former)| Digests::new(*current, former.iter().copied()));
        let entry = Arc::new(Entry::new(generation, until, record, several, Arc::clone(&self.issuer)));
        if !ttl.is_zero() && !entry.record().has_pending_first_use() && self.may_keep(digests, generation) {
            self.positive.insert(&entry, started);
        }
        entry
    }

    /// Keeps the absence of a key that was read under this `generation` of these digests, if the generation is still current.
    pub(super) fn keep_absence(&self, digests: &[Digest], generation: Generation, started: Moment) {
        for digest in digests {
            let own = self.generations.current(digest);
            if self.may_keep(digests, generation) {
                self.negative.insert(*digest, own, started);
                // Without invalidations, a later outage would serve it as a stale one.
                self.positive.remove(digest);
            }
        }
    }

    /// Removes a user whom the store did not have under this `generation`. The absence is not kept: by what it evicts, a client could tell
    /// that no user has an e-mail.
    #[cfg(feature = "password")]
    pub(super) fn remove_absent_user(&self, user: &Digest, generation: Generation) {
        if self.generations.current(user) == generation {
            self.positive.remove(user);
        }
    }

    /// Returns whether an entry may be kept. One of an old generation would be inert anyway, and would free the memory of a newer one.
    fn may_keep(&self, digests: &[Digest], generation: Generation) -> bool {
        self.generations.current_of(digests) == generation && !self.has_tombstone(digests)
    }

    /// Keeps a rejected attempt to sign in as a user that was read under `generation`.
    #[cfg(feature = "password")]
    pub(super) fn keep_rejected_attempt(
        &self,
        attempt: Digest,
        user: &Digest,
        generation: Generation,
        started: Moment,
    ) {
        if self.generations.current(user) == generation {
            self.rejected_attempts.insert(attempt, generation, started);
        }
    }

    /// Returns whether an attempt was rejected before, and the user has not changed since.
    #[cfg(feature = "password")]
    pub(super) fn is_rejected_attempt(&self, attempt: &Digest, user: &Digest, now: Moment) -> bool {
        self.rejected_attempts.contains(attempt, self.generations.current(user), now)
    }

    /// Adds a tombstone for a revoked key.
    pub(super) fn add_tombstone(&self, digest: Digest, now: Moment) {
        self.tombstones.insert(digest, now);
    }

    /// Invalidates everything that was read of this key.
    pub(super) fn bump(&self, digest: &Digest) {
        self.generations.bump(digest);
    }

    /// Invalidates everything that was read of any key.
    pub(super) fn bump_all(&self) {
        self.generations.bump_all();
    }

    /// Frees the memory of an invalidated entry.
    pub(super) fn remove(&self, digest: &Digest) {
        self.positive.remove(digest);
        self.negative.remove(digest);
    }

    /// Checks the positive entries, which have these digests, and returns their number. For the model.
    #[cfg(all(test, shuttle))]
    pub(super) fn check_positive(&self, digests: &[Digest]) -> usize {
        self.positive.check(digests)
    }

    /// Returns how long a record is valid: the time to live less up to a tenth, so that keys that were read together are not read together
    /// again. Expiry of the key itself is checked for each request, because an expired key is rejected without the store.
    fn ttl(&self, digest: &Digest) -> Duration {
        let ttl = self.context.limits.positive_ttl;
        ttl - ttl.mul_f64((digest.shard() >> 32) as f64 / f64::from(u32::MAX) / 10.0)
    }
}
