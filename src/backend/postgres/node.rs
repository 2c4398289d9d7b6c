//! The list of those who follow the changes, and what each of them has taken in.
//!
//! It lets a revocation return before the lease has passed. Nobody may trust the list more than what is on it: a node that
//! is not listed for the whole of a lease does not get that lease, so whoever is missing trusts nothing that it read before.

use std::time::Duration;

use super::namespace::Namespace;
use super::statements::Connections;
use crate::backend::BackendError;
use crate::random::unique_name;

/// How much longer than it is relied upon a node is listed. It is listed anew when half of that is left.
const REGISTRATION_MARGIN: Duration = Duration::from_secs(60);

/// For how long a node is relied upon of which nobody has said.
const DEFAULT_LEASE: Duration = Duration::from_secs(60 * 60);

/// One who follows the changes.
pub(super) struct Node {
    connections: Connections,
    namespace: Namespace,
    id: String,
    /// What operators call it.
    name: Box<str>,
    lease: Duration,
    /// What was visible to the last poll, and whether that is still to be told.
    applied: Option<String>,
    is_ack_due: bool,
}

impl Node {
    pub(super) fn new(connections: Connections, namespace: Namespace, name: &str) -> Self {
        // What was changed between its listing and its first poll is in none of its polls, and still to be told.
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

    /// For how long the node has to be listed at least. The clock of the database may be set ahead meanwhile, by up to the rest.
    pub(super) fn min_remaining_millis(&self) -> i64 {
        millis(self.lease + REGISTRATION_MARGIN / 2)
    }

    /// Puts the node on the list, with what it has taken in so far. One that is new has read nothing that could be old.
    pub(super) async fn register(&self) -> Result<(), BackendError> {
        const REGISTER: &str = "INSERT INTO tower_api_key_node (node, expires_at, applied, lease, name)
            VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $2,
                coalesce($3::TEXT::PG_SNAPSHOT, pg_current_snapshot()), $4, $5)
            ON CONFLICT (node) DO UPDATE SET expires_at = excluded.expires_at";
        const BEGIN_EPOCH: &str = "INSERT INTO tower_api_key_epoch DEFAULT VALUES ON CONFLICT DO NOTHING";
        const DELETE_EXPIRED: &str = "DELETE FROM tower_api_key_node
            WHERE expires_at < (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT - 3600000";
        let mut connection = self.connections.acquire().await?;
        let registered = sqlx::query(self.namespace.qualify(REGISTER))
            .bind(&self.id)
            .bind(millis(self.lease + REGISTRATION_MARGIN))
            .bind(&self.applied)
            .bind(millis(self.lease))
            .bind(&*self.name)
            .execute(&mut *connection)
            .await;
        let mut outcome = registered;
        for statement in [BEGIN_EPOCH, DELETE_EXPIRED] {
            if outcome.is_ok() {
                outcome = sqlx::query(self.namespace.qualify(statement)).execute(&mut *connection).await;
            }
        }
        connection.release(outcome.map(drop).map_err(BackendError::unavailable))
    }

    /// Takes note of what a poll has read.
    pub(super) fn polled(&mut self, snapshot: String, has_changes: bool) {
        self.applied = Some(snapshot);
        self.is_ack_due |= has_changes;
    }

    /// Tells that what was read is taken in. Where nothing was changed there is nothing to tell.
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

/// The name of this machine and the number of this process.
pub(super) fn default_name() -> Box<str> {
    let machine = std::env::var("HOSTNAME").or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"));
    let machine = machine.unwrap_or_default();
    format!("{}/{}", machine.trim(), std::process::id()).into()
}

/// Replaces what the encoding of a database may lack.
fn printable(name: &str) -> Box<str> {
    name.chars().map(|letter| if letter.is_ascii_graphic() || letter == ' ' { letter } else { '?' }).collect()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
