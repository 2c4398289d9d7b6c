//! The change feed of a node: as the stores of the crate have it, and with plausible flaws.

use std::sync::Arc;

use tower_api_key::backend::{BackendError, ChangeFeed, Invalidation};

use crate::simulation::history::Row;
use crate::simulation::network::Traffic;
use crate::simulation::store::Connection;

/// A flaw of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// None: a reader of the log reads rows of transactions that were open at its last poll, or began since.
    None,
    /// A reader reads rows with a higher number than the last one read. It misses transactions that commit late.
    SequenceCursor,
    /// A change is announced by the newest digest of the key alone.
    OneDigest,
    /// A change of a plan is not announced.
    SilentPlan,
}

pub(crate) struct Log {
    pub(crate) connection: Arc<Connection>,
    pub(crate) flaw: Flaw,
    /// The position to read from, after the first poll.
    pub(crate) next: Option<u64>,
}

impl Log {
    fn is_new(&self, row: &Row) -> bool {
        let position = if self.flaw == Flaw::SequenceCursor { row.sequence } else { row.number };
        self.next.is_some_and(|next| position >= next)
    }
}

impl ChangeFeed for Log {
    async fn poll(&mut self) -> Result<Vec<Invalidation>, BackendError> {
        let at = self.connection.ask(Traffic::Poll).await?;
        let history = &self.connection.plan.history;
        let rows = history.rows(at);
        let new = rows.iter().filter(|row| self.is_new(row));
        let new = new.flat_map(|row| history.invalidations(&row.change, self.flaw)).collect();
        self.next = Some(match self.flaw {
            Flaw::SequenceCursor => rows.last().map_or(0, |row| row.sequence) + 1,
            Flaw::None | Flaw::OneDigest | Flaw::SilentPlan => history.lowest_under_way(at),
        });
        Ok(new)
    }
}
