//! The blocks of this node by the ids of their counts, and what it has to give back.

// Layer 8 of 10: decision.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::block::{Answer, Quota, Refill};
use crate::backend::{BlockReturn, QuotaTable};
use crate::clock::Timestamp;
use crate::limit_requests::bucket::Now;

const SHARDS: usize = 16;

/// All quotas of which this node has asked within a lease, and those whose last answer was lost.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Each behind a lock that is held for a few instructions. It guards an answer of the database with its block, which one word cannot hold.
    shards: [Mutex<Shard>; SHARDS],
    hashes: RandomState,
    /// What is left of forgotten blocks, by count and period.
    returns: Mutex<BTreeMap<(Box<str>, Timestamp), u64>>,
}

type Shard = HashMap<Box<str>, Quota>;

impl Blocks {
    /// Reads the quota of a count.
    pub(super) fn read<T>(&self, id: &str, read: impl FnOnce(&Quota) -> T) -> T {
        match self.shard(id).get(id) {
            Some(quota) => read(quota),
            None => read(&Quota::default()),
        }
    }

    /// Changes the quota of a count.
    pub(super) fn change<T>(&self, id: &str, change: impl FnOnce(&mut Quota) -> T) -> T {
        let mut shard = self.shard(id);
        match shard.get_mut(id) {
            Some(quota) => change(quota),
            None => change(shard.entry(id.into()).or_default()),
        }
    }

    /// Gives requests back to the block of a period, or to the database if the block is gone.
    pub(super) fn restore(&self, id: &str, ends_at: Timestamp, requests: u64) {
        if requests > 0 && !self.change(id, |quota| quota.restore(ends_at, requests)) {
            self.give_back(id.into(), ends_at, requests);
        }
    }

    /// Keeps requests of a forgotten block, to be given back to the database.
    pub(super) fn give_back(&self, id: Box<str>, ends_at: Timestamp, requests: u64) {
        *lock(&self.returns).entry((id, ends_at)).or_default() += requests;
    }

    /// Forgets blocks whose lease or period has ended, or all.
    pub(super) fn release(&self, now: Now, all: bool) {
        for shard in &self.shards {
            lock(shard).retain(|id, quota| {
                let has_ended = all || quota.has_ended(now);
                if has_ended && let Some((ends_at, rest)) = quota.take_block() {
                    self.give_back(id.clone(), ends_at, rest);
                }
                !has_ended || quota.refill.is_some() || quota.is_uncertain(now)
            });
        }
    }

    /// Returns whether there is something to give back after a [`release`](Self::release).
    pub(super) fn has_returns(&self, now: Now, all: bool) -> bool {
        let has_ended = |quota: &Quota| quota.holds_block() && (all || quota.has_ended(now));
        !lock(&self.returns).is_empty() || self.shards.iter().any(|shard| lock(shard).values().any(has_ended))
    }

    /// Returns the outcomes of the questions that are under way.
    pub(super) fn outcomes(&self) -> Vec<watch::Receiver<Answer>> {
        let of = |shard: &Mutex<Shard>| -> Vec<_> {
            lock(shard).values().filter_map(|quota| quota.refill.as_ref().map(Refill::subscribe)).collect()
        };
        self.shards.iter().flat_map(of).collect()
    }

    /// Removes what one statement can give back. What it removes is not given back again, also if the answer of the database is lost: the
    /// requests might be counted twice.
    pub(super) fn next_returns(&self) -> Vec<BlockReturn> {
        let mut all = lock(&self.returns);
        let mut next = Vec::new();
        while next.len() < QuotaTable::MOST_RETURNS
            && let Some(((id, ends_at), requests)) = all.pop_first()
        {
            next.push(BlockReturn { id, ends_at, requests });
        }
        next
    }

    fn shard(&self, id: &str) -> MutexGuard<'_, Shard> {
        lock(&self.shards[self.hashes.hash_one(id) as usize % SHARDS])
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No panic leaves what it guards half written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
