//! The history of the store in one run: transactions, the keys and the plan that they change, and the log that they write.
//!
//! No read changes the store, and nodes do not communicate. So the history is created first, and each node is then run against it
//! separately: a read sees what was committed when it arrived.

use tower_api_key::backend::Invalidation;

use crate::simulation::feed::Flaw;
use crate::simulation::keys::{Key, Version};
use crate::simulation::peppers::Held;
use crate::simulation::time::At;

/// What a transaction changes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Changed {
    Key(Change),
    /// The plan of all keys, which has this version from then on.
    Plan(u64),
}

/// What a transaction makes of a key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) key: usize,
    pub(crate) version: Version,
    pub(crate) held: Held,
    /// The digests that the key has before or after the change.
    pub(crate) announced: Held,
}

/// A transaction that changes one key or the plan, or nothing, like other transactions in the same database.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    /// Assigned when it begins.
    pub(crate) number: u64,
    /// Assigned when it writes its row into the log.
    pub(crate) sequence: u64,
    pub(crate) began: At,
    pub(crate) wrote: At,
    pub(crate) ended: At,
    /// The change, if it was committed.
    pub(crate) change: Option<Changed>,
}

impl Transaction {
    fn is_under_way(&self, at: At) -> bool {
        self.began <= at && at < self.ended
    }
}

/// The store.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) keys: Vec<Key>,
    /// When the later versions of the plan were committed.
    pub(crate) plans: Vec<(At, u64)>,
    pub(crate) transactions: Vec<Transaction>,
}

/// A row of the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) sequence: u64,
    pub(crate) change: Changed,
}

impl History {
    /// Assigns numbers in the order of the beginnings, and sequence numbers in the order of the writes.
    pub(crate) fn new(keys: Vec<Key>, mut transactions: Vec<Transaction>) -> Self {
        transactions.sort_by_key(|transaction| transaction.wrote);
        (1..).zip(&mut transactions).for_each(|(sequence, transaction)| transaction.sequence = sequence);
        transactions.sort_by_key(|transaction| transaction.began);
        (1..).zip(&mut transactions).for_each(|(number, transaction)| transaction.number = number);
        let mut history = Self { keys, plans: Vec::new(), transactions };
        let mut committed: Vec<_> =
            history.transactions.iter().filter_map(|t| Some((t.ended, t.change?))).collect();
        committed.sort_by_key(|(ended, _)| *ended);
        for (ended, change) in committed {
            match change {
                Changed::Key(change) => history.keys[change.key].change(ended, &change),
                Changed::Plan(version) => history.plans.push((ended, version)),
            }
        }
        history
    }

    /// Returns the lowest number of an open transaction, or the next number to be assigned.
    pub(crate) fn lowest_under_way(&self, at: At) -> u64 {
        let begun = self.transactions.iter().take_while(|transaction| transaction.began <= at);
        let lowest = begun.clone().find(|transaction| transaction.is_under_way(at));
        lowest.map_or(begun.count() as u64 + 1, |transaction| transaction.number)
    }

    /// Returns the committed rows, ordered by sequence number.
    pub(crate) fn rows(&self, at: At) -> Vec<Row> {
        let committed = self.transactions.iter().filter(|transaction| transaction.ended <= at);
        let mut rows: Vec<_> = committed.filter_map(|transaction| self.row(transaction)).collect();
        rows.sort_by_key(|row| row.sequence);
        rows
    }

    fn row(&self, transaction: &Transaction) -> Option<Row> {
        let Transaction { number, sequence, change, .. } = *transaction;
        Some(Row { number, sequence, change: change? })
    }

    /// Returns the invalidations of a change.
    pub(crate) fn invalidations(&self, change: &Changed, flaw: Flaw) -> Vec<Invalidation> {
        match change {
            Changed::Key(change) => {
                let all = self.keys[change.key].invalidations(change);
                if flaw == Flaw::OneDigest { all.last().into_iter().collect() } else { all.collect() }
            }
            Changed::Plan(_) if flaw == Flaw::SilentPlan => Vec::new(),
            Changed::Plan(_) => vec![Invalidation::Everything],
        }
    }

    /// Returns the version of the plan.
    pub(crate) fn plan_at(&self, at: At) -> u64 {
        self.plans.iter().rev().find(|(committed, _)| *committed <= at).map_or(0, |(_, version)| *version)
    }

    /// Returns when a version of the plan was committed: the first one before the run.
    pub(crate) fn plan_committed(&self, version: u64) -> Option<At> {
        if version == 0 {
            return Some(At::ZERO);
        }
        self.plans.iter().find(|(_, other)| *other == version).map(|(committed, _)| *committed)
    }

    /// Counts the pairs of neighbours in the log that were committed in the other order.
    pub(crate) fn reorderings(&self) -> usize {
        let mut rows: Vec<_> =
            self.transactions.iter().filter(|transaction| transaction.change.is_some()).collect();
        rows.sort_by_key(|transaction| transaction.sequence);
        rows.windows(2).filter(|pair| pair[1].ended < pair[0].ended).count()
    }
}
