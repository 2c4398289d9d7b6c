//! The change feed of a PostgreSQL database. A poll also registers its node where necessary, and an acknowledgement writes what the node
//! has applied.

// Layer 3 of 10: storage.

use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Postgres, Row as _};

use super::listener::Listener;
use super::node::Node;
use super::replica::MinLsn;
use crate::backend::sql::change_codec::{MAX_POLLED_CHANGES, decode_changes};
use crate::backend::sql::connections::Connections;
use crate::backend::sql::namespace::Namespace;
use crate::backend::sql::pooled_connection::run;
use crate::backend::{BackendError, ChangeFeed, Invalidation};

/// Reads the changes of all transactions that may have committed since the last poll.
///
/// A transaction may take its number early and commit late. So the new changes are not those with the highest numbers, but those
/// of transactions that were not visible to the last poll. All transactions below `low` were.
pub(super) struct ChangeLog {
    connections: Connections<Postgres>,
    namespace: Namespace,
    node: Node,
    /// The position of the last poll.
    cursor: Option<Cursor>,
    listens: bool,
    listener: Option<Listener>,
    min_lsn: MinLsn,
}

/// A position in the log.
struct Cursor {
    /// The lowest transaction that was in progress.
    low: u64,
    /// The server, by its start time and its epoch. Another server, as after a failover or a crash, may lack changes of the
    /// former one.
    server: String,
    /// The snapshot of the poll.
    snapshot: String,
}

/// A row of a poll: its snapshot, and a change if one was made.
struct PollRow {
    low: String,
    snapshot: String,
    server: String,
    /// Whether changes were trimmed that may be new.
    is_trimmed: bool,
    /// Whether the node is registered for as long as the poll is relied upon.
    is_registered: bool,
    lsn: Option<String>,
    change: Option<ChangeRow>,
}

/// A change of a key: the digest of the key, and the kind.
struct ChangeRow {
    digest: Option<Vec<u8>>,
    kind: String,
}

impl FromRow<'_, PgRow> for PollRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            low: row.try_get("low")?,
            snapshot: row.try_get("snapshot")?,
            server: row.try_get("server")?,
            is_trimmed: row.try_get("is_trimmed")?,
            is_registered: row.try_get("is_registered")?,
            lsn: row.try_get("lsn")?,
            change: ChangeRow::from_row(row)?,
        })
    }
}

impl ChangeRow {
    fn from_row(row: &PgRow) -> Result<Option<Self>, sqlx::Error> {
        let Some(kind) = row.try_get("kind")? else { return Ok(None) };
        Ok(Some(Self { digest: row.try_get("digest")?, kind }))
    }
}

/// A single statement, so that all of it is of one snapshot. A standby, which may be behind and would report no changes, returns
/// an error because of the epoch. Of the trimmed changes, only the highest transaction is known: those from `low` on may be new.
const READ: &str = "SELECT pg_snapshot_xmin(now.snapshot)::TEXT AS low, now.snapshot::TEXT AS snapshot,
        concat_ws(' ', (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::BIGINT, (SELECT epoch FROM tower_api_key_epoch)) AS server,
        coalesce((SELECT tx >= pg_snapshot_xmin(last) FROM tower_api_key_change_trim), FALSE) AS is_trimmed,
        EXISTS (SELECT FROM tower_api_key_node CROSS JOIN tower_api_key_epoch WHERE node = $3
            AND expires_at >= (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $4) AS is_registered,
        CASE WHEN $5 THEN pg_walfile_name(pg_current_wal_insert_lsn()) || ' ' || pg_current_wal_insert_lsn() END AS lsn,
        change.digest, change.kind
    FROM (SELECT pg_current_snapshot() AS snapshot, $1::TEXT::PG_SNAPSHOT AS last) AS now
        LEFT JOIN tower_api_key_change AS change
        ON change.tx >= pg_snapshot_xmin(last) AND NOT pg_visible_in_snapshot(change.tx, last)
    ORDER BY change.seq LIMIT $2";

impl ChangeLog {
    pub(super) fn new(
        connections: Connections<Postgres>,
        namespace: Namespace,
        name: &str,
        min_lsn: MinLsn,
        listens: bool,
    ) -> Self {
        let node = Node::new(connections.clone(), namespace.clone(), name);
        Self { connections, namespace, node, cursor: None, listens, listener: None, min_lsn }
    }

    async fn read(&self) -> Result<Vec<PollRow>, BackendError> {
        let mut connection = self.connections.acquire().await?;
        run!(connection, self.read_on(&mut connection))
    }

    async fn read_on(&self, connection: &mut PgConnection) -> Result<Vec<PollRow>, BackendError> {
        let rows = sqlx::query_as(self.namespace.qualify(READ))
            .bind(self.cursor.as_ref().map(|cursor| cursor.snapshot.as_str()))
            .bind((MAX_POLLED_CHANGES + 1) as i64)
            .bind(self.node.id())
            .bind(self.node.min_remaining_millis())
            .bind(self.min_lsn.is_tracked())
            .fetch_all(connection)
            .await;
        rows.map_err(BackendError::unavailable)
    }
}

impl ChangeFeed for ChangeLog {
    fn set_lease(&mut self, length: Duration, grace: Duration) {
        self.node.set_lease(length.saturating_add(grace));
        self.min_lsn.set_lease(length);
    }

    async fn poll(&mut self) -> Result<Vec<Invalidation>, BackendError> {
        if self.listens && self.listener.is_none() {
            // Before the first poll, so that no notification is missed.
            self.listener = Some(Listener::start(self.connections.pool()));
        }
        let before = self.min_lsn.snapshot();
        let mut rows = self.read().await?;
        if !first_of(&rows)?.is_registered {
            self.node.register().await?;
            // Changes committed before the registration did not wait for this node.
            rows = self.read().await?;
        }
        let first = first_of(&rows)?;
        let low = first.low.parse().map_err(BackendError::corrupt)?;
        let is_continuous = self
            .cursor
            .as_ref()
            .is_none_or(|cursor| !first.is_trimmed && low >= cursor.low && first.server == cursor.server);
        let changes = if is_continuous { changes_of(&rows) } else { vec![Invalidation::Everything] };
        self.min_lsn.advance(before, first.lsn.as_deref());
        self.node.polled(first.snapshot.clone(), !changes.is_empty());
        self.cursor = Some(Cursor { low, snapshot: first.snapshot.clone(), server: first.server.clone() });
        Ok(changes)
    }

    async fn ack(&mut self) -> Result<(), BackendError> {
        self.node.acknowledge().await
    }

    async fn changed(&mut self) {
        match &self.listener {
            Some(listener) => listener.changed().await,
            None => std::future::pending().await,
        }
    }

    fn is_listening(&self) -> Option<bool> {
        self.listens.then(|| self.listener.as_ref().is_some_and(Listener::is_listening))
    }
}

fn first_of(rows: &[PollRow]) -> Result<&PollRow, BackendError> {
    rows.first().ok_or_else(|| BackendError::corrupt("a poll without a snapshot"))
}

/// Decodes the rows that have a change.
fn changes_of(rows: &[PollRow]) -> Vec<Invalidation> {
    let written = rows.iter().filter_map(|row| row.change.as_ref());
    decode_changes(
        written.map(|change| (change.digest.as_deref(), &*change.kind)),
        rows.len() <= MAX_POLLED_CHANGES,
    )
}
