//! One authenticator of this process in the list of nodes, with the changes that it has applied.
//!
//! The list lets a revocation return before the lease has passed. A node that is not on the list for the whole of a lease does
//! not get that lease, so a node that is missing from it trusts nothing that it read before.

// Layer 3 of 10: storage.

use std::time::Duration;

use sqlx::Postgres;

use crate::backend::BackendError;
use crate::backend::sql::connections::Connections;
use crate::backend::sql::namespace::Namespace;
use crate::random::unique_name;

/// How much longer than its lease a node is registered. It is registered again when half of that is left.
const REGISTRATION_MARGIN: Duration = Duration::from_secs(60);

/// The lease of a node before it was set.
const DEFAULT_LEASE: Duration = Duration::from_secs(60 * 60);

/// A node that follows the changes.
pub(super) struct Node {
    connections: Connections<Postgres>,
    namespace: Namespace,
    id: String,
    /// The name for operators.
    name: Box<str>,
    lease: Duration,
    /// The snapshot of the last poll, and whether that is still to be acknowledged.
    applied: Option<String>,
    is_ack_due: bool,
}

impl Node {
    pub(super) fn new(connections: Connections<Postgres>, namespace: Namespace, name: &str) -> Self {
        // A change between its registration and its first poll is in no poll, and still to be acknowledged.
        Self {
            connections,
            namespace,
            id: unique_name(),
            name: printable(name),
            lease: DEFAULT_LEASE,
            applied: None,
            is_ack_due: true,
        }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn set_lease(&mut self, lease: Duration) {
        self.lease = lease;
    }

    /// Returns how long the registration has to last at least. The rest is for a clock of the database that is set forward.
    pub(super) fn min_remaining_millis(&self) -> i64 {
        millis(self.lease + REGISTRATION_MARGIN / 2)
    }

    /// Registers the node, with the changes that it has applied. A new node has read nothing that could be stale.
    pub(super) async fn register(&self) -> Result<(), BackendError> {
        const REGISTER: &str = "INSERT INTO tower_api_key_node (node, expires_at, applied, lease, name)
            VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $2,
                coalesce($3::TEXT::PG_SNAPSHOT, pg_current_snapshot()), $4, $5)
            ON CONFLICT (node) DO UPDATE SET expires_at = excluded.expires_at";
        const CREATE_EPOCH: &str = "INSERT INTO tower_api_key_epoch DEFAULT VALUES ON CONFLICT DO NOTHING";
        const DELETE_EXPIRED: &str = "DELETE FROM tower_api_key_node
            WHERE expires_at < (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT - 3600000";
        let mut connection = self.connections.acquire().await?;
        let mut outcome = sqlx::query(self.namespace.qualify(REGISTER))
            .bind(&self.id)
            .bind(millis(self.lease + REGISTRATION_MARGIN))
            .bind(&self.applied)
            .bind(millis(self.lease))
            .bind(&*self.name)
            .execute(&mut *connection)
            .await;
        for statement in [CREATE_EPOCH, DELETE_EXPIRED] {
            if outcome.is_ok() {
                outcome = sqlx::query(self.namespace.qualify(statement)).execute(&mut *connection).await;
            }
        }
        connection.release(outcome.map(drop).map_err(BackendError::unavailable))
    }

    /// Records what a poll has read.
    pub(super) fn polled(&mut self, snapshot: String, has_changes: bool) {
        self.applied = Some(snapshot);
        self.is_ack_due |= has_changes;
    }

    /// Acknowledges that the changes of the last poll were applied. Does nothing without changes.
    pub(super) async fn acknowledge(&mut self) -> Result<(), BackendError> {
        const ACKNOWLEDGE: &str =
            "UPDATE tower_api_key_node SET applied = $2::TEXT::PG_SNAPSHOT WHERE node = $1";
        if !self.is_ack_due {
            return Ok(());
        }
        let mut connection = self.connections.acquire().await?;
        let updated = sqlx::query(self.namespace.qualify(ACKNOWLEDGE))
            .bind(&self.id)
            .bind(&self.applied)
            .execute(&mut *connection)
            .await;
        connection.release(updated.map_err(BackendError::unavailable))?;
        self.is_ack_due = false;
        Ok(())
    }
}

/// Returns the host name and the process id.
pub(super) fn default_name() -> Box<str> {
    let machine = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"));
    let machine = machine.unwrap_or_default();
    format!("{}/{}", machine.trim(), std::process::id()).into()
}

/// Replaces characters that the encoding of a database may lack.
fn printable(name: &str) -> Box<str> {
    name.chars().map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' }).collect()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
