//! All that happens to the store in a run: transactions, the keys that they change, and the log that they write.
//!
//! No read changes the store, and nodes do not speak to each other. So what happens to the store is written down first, and
//! each node is then played against it by itself: what a read sees is what was committed when it arrived.

use tower_api_key::backend::Change;

use crate::keys::{Key, Version};
use crate::time::At;

/// A transaction that changes one key, or none, as others in the same database do.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    /// Given out when it begins.
    pub(crate) number: u64,
    /// Given out when it writes its row into the log.
    pub(crate) sequence: u64,
    pub(crate) began: At,
    pub(crate) wrote: At,
    pub(crate) ended: At,
    /// The key that it changed, and what the key is from then on, if it was committed.
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
    pub(crate) change: Change,
}

impl History {
    /// Gives out numbers in the order in which transactions began, and sequence numbers in that in which they wrote.
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

    /// Returns the lowest number of a transaction that is under way, or the next one to be given out.
    pub(crate) fn lowest_under_way(&self, at: At) -> u64 {
        let begun = self.transactions.iter().take_while(|transaction| transaction.began <= at);
        let lowest = begun.clone().find(|transaction| transaction.is_under_way(at));
        lowest.map_or(begun.count() as u64 + 1, |transaction| transaction.number)
    }

    /// Returns the rows that are committed, in the order of their sequence numbers.
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
    pub(crate) fn overtakings(&self) -> usize {
        let mut rows: Vec<_> =
            self.transactions.iter().filter(|transaction| transaction.change.is_some()).collect();
        rows.sort_by_key(|transaction| transaction.sequence);
        rows.windows(2).filter(|pair| pair[1].ended < pair[0].ended).count()
    }
}
