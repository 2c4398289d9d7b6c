//! The list of those who follow the changes, and what each of them has taken in.
//!
//! It lets a revocation return before the lease has passed. Nobody may trust the list more than what is on it: a node that
//! is not listed for the whole of a lease does not get that lease, so whoever is missing trusts nothing that it read before.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::ask_one;
use super::each::Connections;
use crate::backend::BackendError;
use crate::random::unique_name;

/// How much longer than it is relied upon a node is listed. It is listed anew when half of that is left.
const AHEAD: Duration = Duration::from_secs(60);

/// For how long a node is relied upon of which nobody has said.
const LONGEST_LEASE: Duration = Duration::from_secs(60 * 60);

/// How often it is looked whether all nodes have taken a change in.
const LOOK: Duration = Duration::from_millis(10);

/// How long to wait for the list itself. If there is no answer, what whoever asks has said is all that is known.
const PATIENCE: Duration = Duration::from_secs(5);

/// One who follows the changes.
pub(super) struct Node {
    connections: Connections,
    id: String,
    lease: Duration,
    /// What was visible to the last poll, and whether that is still to be told.
    seen: Option<String>,
    is_news: bool,
}

impl Node {
    pub(super) fn new(connections: Connections) -> Self {
        // What was changed between its listing and its first poll is in none of its polls, and still to be told.
        Self { connections, id: unique_name(), lease: LONGEST_LEASE, seen: None, is_news: true }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn rely_for(&mut self, lease: Duration) {
        self.lease = lease;
    }

    /// For how long the node has to be listed at least. The clock of the database may be set ahead meanwhile, by up to the rest.
    pub(super) fn least_ahead_millis(&self) -> i64 {
        millis(self.lease + AHEAD / 2)
    }

    /// Puts the node on the list, with what it has taken in so far. One that is new has read nothing that could be old.
    pub(super) async fn enlist(&self) -> Result<(), BackendError> {
        const ENLIST: &str = "INSERT INTO tower_api_key_node (node, listed_to, seen, lease)
            VALUES ($1, (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT + $2,
                coalesce($3::TEXT::PG_SNAPSHOT, pg_current_snapshot()), $4)
            ON CONFLICT (node) DO UPDATE SET listed_to = excluded.listed_to";
        const BEGIN_ERA: &str = "INSERT INTO tower_api_key_era DEFAULT VALUES ON CONFLICT DO NOTHING";
        const FORGET: &str = "DELETE FROM tower_api_key_node
            WHERE listed_to < (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT - 3600000";
        let mut connection = self.connections.acquire().await?;
        let listed = sqlx::query(ENLIST)
            .bind(&self.id)
            .bind(millis(self.lease + AHEAD))
            .bind(&self.seen)
            .bind(millis(self.lease))
            .execute(&mut *connection)
            .await;
        let mut outcome = listed;
        for statement in [BEGIN_ERA, FORGET] {
            if outcome.is_ok() {
                outcome = sqlx::query(statement).execute(&mut *connection).await;
            }
        }
        connection.give_back(outcome.map(drop).map_err(BackendError::unavailable))
    }

    /// Takes note of what a poll has read.
    pub(super) fn has_read(&mut self, snapshot: String, has_changes: bool) {
        self.seen = Some(snapshot);
        self.is_news |= has_changes;
    }

    /// Tells that what was read is taken in. Where nothing was changed there is nothing to tell.
    pub(super) async fn acknowledge(&mut self) -> Result<(), BackendError> {
        const ACKNOWLEDGE: &str =
            "UPDATE tower_api_key_node SET seen = $2::TEXT::PG_SNAPSHOT WHERE node = $1";
        if !self.is_news {
            return Ok(());
        }
        let mut connection = self.connections.acquire().await?;
        let told = sqlx::query(ACKNOWLEDGE).bind(&self.id).bind(&self.seen).execute(&mut *connection).await;
        connection.give_back(told.map_err(BackendError::unavailable))?;
        self.is_news = false;
        Ok(())
    }
}

/// Waits until all nodes have taken in what is visible now, and tells whether they have: at most for so long, or for as long as any of
/// them relies on what it has read.
#[allow(clippy::disallowed_methods, reason = "other processes take the time that they take")]
pub(super) async fn taken_in(connections: &Connections, within: Duration) -> bool {
    let waiting = async {
        let newest = loop {
            match newest(connections).await {
                Ok(newest) => break newest,
                Err(_) => sleep(LOOK).await,
            }
        };
        while !is_taken_in(connections, newest).await.unwrap_or(false) {
            sleep(LOOK).await;
        }
    };
    let mut waiting = pin!(waiting);
    if timeout(within, &mut waiting).await.is_ok() {
        return true;
    }
    let longest = timeout(PATIENCE, longest_lease(connections)).await;
    let longer = longest.map_or(Duration::ZERO, Result::unwrap_or_default).saturating_sub(within);
    timeout(longer, waiting).await.is_ok()
}

async fn longest_lease(connections: &Connections) -> Result<Duration, BackendError> {
    const LONGEST: &str = "SELECT coalesce(max(lease), 0) FROM tower_api_key_node
        WHERE listed_to > (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT";
    let longest: i64 = ask_one(connections, sqlx::query_scalar(LONGEST)).await?;
    Ok(Duration::from_millis(longest.unsigned_abs()))
}

async fn newest(connections: &Connections) -> Result<i64, BackendError> {
    const NEWEST: &str = "SELECT coalesce(max(seq), 0) FROM tower_api_key_change";
    ask_one(connections, sqlx::query_scalar(NEWEST)).await
}

/// Tells whether every node on the list has seen all changes up to a number that are visible now. One that has not seen what was
/// taken off the log, which may be a change, has not.
async fn is_taken_in(connections: &Connections, newest: i64) -> Result<bool, BackendError> {
    const BEHIND: &str = "SELECT NOT EXISTS (SELECT FROM tower_api_key_node AS node
        WHERE listed_to > (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT
        AND (EXISTS (SELECT FROM tower_api_key_change AS change
                WHERE change.seq <= $1 AND change.tx >= pg_snapshot_xmin(node.seen)
                AND NOT pg_visible_in_snapshot(change.tx, node.seen))
            OR EXISTS (SELECT FROM tower_api_key_change_cut WHERE tx >= pg_snapshot_xmin(node.seen))))";
    ask_one(connections, sqlx::query_scalar(BEHIND).bind(newest)).await
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
