//! The history of the store in one run: transactions, the keys that they change, and the log that they write.
//!
//! No read changes the store, and nodes do not communicate. So the history is created first, and each node is then run against it
//! separately: a read sees what was committed when it arrived.

use tower_api_key::backend::Invalidation;

use crate::simulation::keys::{Key, Version};
use crate::simulation::time::At;

/// A transaction that changes one key, or none, like other transactions in the same database.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    /// Assigned when it begins.
    pub(crate) number: u64,
    /// Assigned when it writes its row into the log.
    pub(crate) sequence: u64,
    pub(crate) began: At,
    pub(crate) wrote: At,
    pub(crate) ended: At,
    /// The changed key with its new version, if it was committed.
    pub(crate) change: Option<(usize, Version)>,
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
    pub(crate) transactions: Vec<Transaction>,
}

/// A row of the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) sequence: u64,
    pub(crate) change: Invalidation,
}

impl History {
    /// Assigns numbers in the order of the beginnings, and sequence numbers in the order of the writes.
    pub(crate) fn new(keys: Vec<Key>, mut transactions: Vec<Transaction>) -> Self {
        transactions.sort_by_key(|transaction| transaction.wrote);
        (1..).zip(&mut transactions).for_each(|(sequence, transaction)| transaction.sequence = sequence);
        transactions.sort_by_key(|transaction| transaction.began);
        (1..).zip(&mut transactions).for_each(|(number, transaction)| transaction.number = number);
        let mut history = Self { keys, transactions };
        let mut committed: Vec<_> =
            history.transactions.iter().filter_map(|t| Some((t.ended, t.change?))).collect();
        committed.sort_by_key(|(ended, _)| *ended);
        for (ended, (key, version)) in committed {
            history.keys[key].versions.push((ended, version));
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
        let (key, version) = transaction.change?;
        let change = self.keys[key].change_to(version);
        Some(Row { number: transaction.number, sequence: transaction.sequence, change })
    }

    /// Counts the pairs of neighbours in the log that were committed in the other order.
    pub(crate) fn reorderings(&self) -> usize {
        let mut rows: Vec<_> =
            self.transactions.iter().filter(|transaction| transaction.change.is_some()).collect();
        rows.sort_by_key(|transaction| transaction.sequence);
        rows.windows(2).filter(|pair| pair[1].ended < pair[0].ended).count()
    }
}
