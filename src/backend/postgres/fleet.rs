//! Waiting until all nodes have applied a change. All that wait share one statement at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row as _};
use tokio::spawn;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::namespace::Namespace;
use super::statements::Connections;
use crate::backend::{BackendError, Propagation};

/// The pause between two statements: at least, and where no more changes come to be waited for.
const PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How long a statement may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The nodes that follow a store, as those see them who wait for all of them.
#[derive(Debug, Clone)]
pub(super) struct Fleet(Arc<Watch>);

#[derive(Debug)]
struct Watch {
    connections: Connections,
    namespace: Namespace,
    rounds: watch::Sender<Rounds>,
    /// Whether a task makes rounds.
    is_running: Mutex<bool>,
    /// Word that one more waits.
    joined: Notify,
}

#[derive(Debug, Default)]
struct Rounds {
    /// How many were begun.
    begun: u64,
    last: Option<Round>,
}

/// What one statement has found.
#[derive(Debug)]
struct Round {
    number: u64,
    newest: i64,
    longest_lease: Duration,
    behind: Vec<NodeBehind>,
}

/// A node that has not acknowledged all changes.
#[derive(Debug)]
struct NodeBehind {
    name: Box<str>,
    /// The first change that it has not acknowledged. `None` if one is missing of which only the transaction is known.
    first: Option<i64>,
}

/// What there is to wait for, and the nodes that are behind, one a row. One that has not seen what was taken off the log, which may be
/// any change, is behind all of them.
const ROUND: &str = "SELECT coalesce((SELECT max(seq) FROM tower_api_key_change), 0) AS newest,
        coalesce((SELECT max(lease) FROM tower_api_key_node
            WHERE listed_to > (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT), 0) AS longest_lease,
        behind.name, behind.first
    FROM (SELECT) AS one LEFT JOIN (
        SELECT coalesce(name, node) AS name,
            CASE WHEN NOT EXISTS (SELECT FROM tower_api_key_change_trim WHERE tx >= pg_snapshot_xmin(node.seen))
                THEN (SELECT min(seq) FROM tower_api_key_change AS change
                    WHERE change.tx >= pg_snapshot_xmin(node.seen) AND NOT pg_visible_in_snapshot(change.tx, node.seen))
                ELSE -1 END AS first
        FROM tower_api_key_node AS node
        WHERE listed_to > (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT
    ) AS behind ON behind.first IS NOT NULL ORDER BY behind.name";

impl Fleet {
    pub(super) fn new(connections: Connections, namespace: Namespace) -> Self {
        Self(Arc::new(Watch {
            connections,
            namespace,
            rounds: watch::Sender::default(),
            is_running: Mutex::new(false),
            joined: Notify::new(),
        }))
    }

    /// Waits until all nodes have applied what is visible now: for their longest lease, and for `lease` if that is longer, but
    /// no longer than `at_most`.
    pub(super) async fn wait(&self, lease: Duration, at_most: Duration) -> Propagation {
        let began = Instant::now();
        let mut rounds = self.join();
        let begun = rounds.borrow_and_update().begun;
        let (mut newest, mut lease, mut missing) = (None, lease, Vec::new());
        loop {
            // A node that does not answer may rely on what it has read for longer than was said.
            let end = began.checked_add(lease.min(at_most));
            let round = match end {
                Some(end) => timeout_at(end, rounds.changed()).await.is_ok(),
                None => rounds.changed().await.is_ok(),
            };
            if !round && newest.is_none() {
                // Without an answer, no lease of any node is known.
                return Propagation::ThisProcess { missing };
            }
            if !round {
                return Propagation::at_end(lease, at_most, missing);
            }
            let rounds = rounds.borrow_and_update();
            let Some(round) = rounds.last.as_ref().filter(|round| round.number > begun) else { continue };
            let newest = *newest.get_or_insert(round.newest);
            lease = lease.max(round.longest_lease);
            missing = round.behind(newest).map(|node| node.name.clone()).collect();
            if missing.is_empty() {
                return Propagation::EveryNode;
            }
        }
    }

    /// Sees to it that rounds are made for as long as the receiver lives.
    fn join(&self) -> watch::Receiver<Rounds> {
        let receiver = self.0.rounds.subscribe();
        let mut is_running = self.0.is_running.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_running {
            *is_running = true;
            spawn(make_rounds(Running { watch: Arc::clone(&self.0), has_ended: false }));
        }
        self.0.joined.notify_one();
        receiver
    }
}

impl Round {
    fn behind(&self, newest: i64) -> impl Iterator<Item = &NodeBehind> {
        self.behind.iter().filter(move |node| node.first.is_none_or(|first| first <= newest))
    }
}

/// The task that makes rounds. Another one may begin when this is gone, be it with its runtime.
struct Running {
    watch: Arc<Watch>,
    has_ended: bool,
}

impl Running {
    /// Ends, unless a change is waited for.
    fn end(&mut self) -> bool {
        let mut is_running = self.watch.is_running.lock().unwrap_or_else(PoisonError::into_inner);
        *is_running = self.watch.rounds.receiver_count() > 0;
        self.has_ended = !*is_running;
        self.has_ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Another task may run by now.
        if !self.has_ended {
            *self.watch.is_running.lock().unwrap_or_else(PoisonError::into_inner) = false;
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "other processes take the time that they take")]
async fn make_rounds(mut running: Running) {
    let watch = Arc::clone(&running.watch);
    let mut pause = PAUSE;
    while !running.end() {
        watch.rounds.send_if_modified(|rounds| {
            rounds.begun += 1;
            false
        });
        let number = watch.rounds.borrow().begun;
        if let Ok(Ok(round)) = timeout(TIMEOUT, watch.round(number)).await {
            watch.rounds.send_modify(|rounds| rounds.last = Some(round));
        }
        sleep(PAUSE).await;
        pause = match timeout(pause - PAUSE, watch.joined.notified()).await {
            Ok(()) => PAUSE,
            Err(_) => (pause * 2).min(LONGEST_PAUSE),
        };
    }
}

impl Watch {
    async fn round(&self, number: u64) -> Result<Round, BackendError> {
        let mut connection = self.connections.acquire().await?;
        let rows = sqlx::query_as(self.namespace.qualify(ROUND)).fetch_all(&mut *connection).await;
        let rows: Vec<RoundRow> = connection.give_back(rows.map_err(BackendError::unavailable))?;
        let first = rows.first().ok_or_else(|| BackendError::corrupt("a list of nodes without a row"))?;
        let longest_lease = Duration::from_millis(first.longest_lease.unsigned_abs());
        let (newest, behind) = (first.newest, rows.into_iter().filter_map(|row| row.behind).collect());
        Ok(Round { number, newest, longest_lease, behind })
    }
}

struct RoundRow {
    newest: i64,
    longest_lease: i64,
    behind: Option<NodeBehind>,
}

impl FromRow<'_, PgRow> for RoundRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let name: Option<String> = row.try_get("name")?;
        let first: Option<i64> = row.try_get("first")?;
        let behind =
            name.map(|name| NodeBehind { name: name.into(), first: first.filter(|first| *first >= 0) });
        Ok(Self { newest: row.try_get("newest")?, longest_lease: row.try_get("longest_lease")?, behind })
    }
}
