//! The change feed of a node: with the cursor of PostgreSQL's log, and with a plausible but wrong one.

use std::sync::Arc;

use tower_api_key::backend::{BackendError, ChangeFeed, Invalidation};

use crate::simulation::history::Row;
use crate::simulation::network::Traffic;
use crate::simulation::store::Connection;

/// How a reader of the log finds the rows that it has not read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// By transaction: reads rows of transactions that were open at the last poll, or began since.
    Transaction,
    /// By sequence: reads rows with a higher number than the last one read. It misses transactions that commit late.
    Sequence,
}

pub(crate) struct Log {
    pub(crate) connection: Arc<Connection>,
    pub(crate) cursor: Cursor,
    /// The position to read from, after the first poll.
    pub(crate) next: Option<u64>,
}

impl Log {
    fn is_new(&self, row: &Row) -> bool {
        let position = match self.cursor {
            Cursor::Transaction => row.number,
            Cursor::Sequence => row.sequence,
        };
        self.next.is_some_and(|next| position >= next)
    }
}

impl ChangeFeed for Log {
    async fn poll(&mut self) -> Result<Vec<Invalidation>, BackendError> {
        let at = self.connection.ask(Traffic::Poll).await?;
        let history = &self.connection.plan.history;
        let rows = history.rows(at);
        let new = rows.iter().filter(|row| self.is_new(row)).map(|row| row.change).collect();
        self.next = Some(match self.cursor {
            Cursor::Transaction => history.lowest_under_way(at),
            Cursor::Sequence => rows.last().map_or(0, |row| row.sequence) + 1,
        });
        Ok(new)
    }
}
