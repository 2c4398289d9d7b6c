//! Waiting until all nodes have applied a change. All waiters share one poll of the list of nodes at a time.

// Layer 3 of 10: storage.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, Postgres, Row as _};
use tokio::spawn;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::backend::sql::connections::Connections;
use crate::backend::sql::namespace::Namespace;
use crate::backend::{BackendError, Propagation};

/// The pause between two polls: at least this, and at most this while no more waiters join.
const MIN_PAUSE: Duration = Duration::from_millis(10);
const MAX_PAUSE: Duration = Duration::from_millis(100);

/// How long a poll may take.
const POLL_TIMEOUT: Duration = Duration::from_secs(5);

/// The nodes that follow a store.
#[derive(Debug, Clone)]
pub(super) struct Fleet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    connections: Connections<Postgres>,
    namespace: Namespace,
    polls: watch::Sender<Polls>,
    /// Whether a task is polling.
    is_running: Mutex<bool>,
    /// Notified when a waiter joins.
    joined: Notify,
}

#[derive(Debug, Default)]
struct Polls {
    /// The number of polls that were started.
    started: u64,
    last: Option<NodePoll>,
}

/// The result of one poll.
#[derive(Debug)]
struct NodePoll {
    number: u64,
    newest: i64,
    longest_lease: Duration,
    behind: Vec<LaggingNode>,
}

/// A node that has not acknowledged all changes.
#[derive(Debug)]
struct LaggingNode {
    name: Box<str>,
    /// The first change that it has not acknowledged. `None` if that change was trimmed, so that only its transaction is known.
    first: Option<i64>,
}

/// Reads the newest change, and the nodes that are behind, one a row. A node that has not applied the trimmed changes, which may
/// be any, is behind all of them.
const POLL: &str = "SELECT coalesce((SELECT max(seq) FROM tower_api_key_change), 0) AS newest,
        coalesce((SELECT max(lease) FROM tower_api_key_node
            WHERE expires_at > (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT), 0) AS longest_lease,
        behind.name, behind.first
    FROM (SELECT) AS one LEFT JOIN (
        SELECT coalesce(name, node) AS name,
            CASE WHEN NOT EXISTS (SELECT FROM tower_api_key_change_trim WHERE tx >= pg_snapshot_xmin(node.applied))
                THEN (SELECT min(seq) FROM tower_api_key_change AS change
                    WHERE change.tx >= pg_snapshot_xmin(node.applied) AND NOT pg_visible_in_snapshot(change.tx, node.applied))
                ELSE -1 END AS first
        FROM tower_api_key_node AS node
        WHERE expires_at > (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT
    ) AS behind ON behind.first IS NOT NULL ORDER BY behind.name";

impl Fleet {
    pub(super) fn new(connections: Connections<Postgres>, namespace: Namespace) -> Self {
        Self(Arc::new(Shared {
            connections,
            namespace,
            polls: watch::Sender::default(),
            is_running: Mutex::new(false),
            joined: Notify::new(),
        }))
    }

    /// Waits until all nodes have applied the changes that are visible now: for their longest lease, and for `lease` if that is
    /// longer, but no longer than `at_most`.
    pub(super) async fn wait(&self, lease: Duration, at_most: Duration) -> Propagation {
        let began = Instant::now();
        let mut polls = self.join();
        let started = polls.borrow_and_update().started;
        let (mut newest, mut lease, mut missing) = (None, lease, Vec::new());
        loop {
            // A node that does not respond may rely on its cache for longer than `lease`.
            let end = began.checked_add(lease.min(at_most));
            let has_polled = match end {
                Some(end) => timeout_at(end, polls.changed()).await.is_ok(),
                None => polls.changed().await.is_ok(),
            };
            if !has_polled && newest.is_none() {
                // Without a poll, the leases of the nodes are unknown.
                return Propagation::ThisProcess { missing };
            }
            if !has_polled {
                return Propagation::at_end(lease, at_most, missing);
            }
            let polls = polls.borrow_and_update();
            let Some(poll) = polls.last.as_ref().filter(|poll| poll.number > started) else { continue };
            let newest = *newest.get_or_insert(poll.newest);
            lease = lease.max(poll.longest_lease);
            missing = poll.behind(newest).map(|node| node.name.clone()).collect();
            if missing.is_empty() {
                return Propagation::EveryNode;
            }
        }
    }

    /// Starts the polling task unless it is running. It runs for as long as the receiver exists.
    fn join(&self) -> watch::Receiver<Polls> {
        let receiver = self.0.polls.subscribe();
        let mut is_running = self.0.is_running.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_running {
            *is_running = true;
            spawn(keep_polling(PollTask { shared: Arc::clone(&self.0), has_ended: false }));
        }
        self.0.joined.notify_one();
        receiver
    }
}

impl NodePoll {
    fn behind(&self, newest: i64) -> impl Iterator<Item = &LaggingNode> {
        self.behind.iter().filter(move |node| node.first.is_none_or(|first| first <= newest))
    }
}

/// The polling task. Another one may start once this is dropped, even with its runtime.
struct PollTask {
    shared: Arc<Shared>,
    has_ended: bool,
}

impl PollTask {
    /// Ends the task unless waiters remain, and returns whether it has ended.
    fn end(&mut self) -> bool {
        let mut is_running = self.shared.is_running.lock().unwrap_or_else(PoisonError::into_inner);
        *is_running = self.shared.polls.receiver_count() > 0;
        self.has_ended = !*is_running;
        self.has_ended
    }
}

impl Drop for PollTask {
    fn drop(&mut self) {
        // Another task may be running by now.
        if !self.has_ended {
            *self.shared.is_running.lock().unwrap_or_else(PoisonError::into_inner) = false;
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "other processes take the time that they take")]
async fn keep_polling(mut task: PollTask) {
    let shared = Arc::clone(&task.shared);
    let mut pause = MIN_PAUSE;
    while !task.end() {
        shared.polls.send_if_modified(|polls| {
            polls.started += 1;
            false
        });
        let number = shared.polls.borrow().started;
        if let Ok(Ok(poll)) = timeout(POLL_TIMEOUT, shared.poll(number)).await {
            shared.polls.send_modify(|polls| polls.last = Some(poll));
        }
        sleep(MIN_PAUSE).await;
        pause = match timeout(pause - MIN_PAUSE, shared.joined.notified()).await {
            Ok(()) => MIN_PAUSE,
            Err(_) => (pause * 2).min(MAX_PAUSE),
        };
    }
}

impl Shared {
    async fn poll(&self, number: u64) -> Result<NodePoll, BackendError> {
        let mut connection = self.connections.acquire().await?;
        let rows = sqlx::query_as(self.namespace.qualify(POLL)).fetch_all(&mut *connection).await;
        let rows: Vec<NodePollRow> = connection.release(rows.map_err(BackendError::unavailable))?;
        let first = rows.first().ok_or_else(|| BackendError::corrupt("a list of nodes without a row"))?;
        let longest_lease = Duration::from_millis(first.longest_lease.unsigned_abs());
        let (newest, behind) = (first.newest, rows.into_iter().filter_map(|row| row.behind).collect());
        Ok(NodePoll { number, newest, longest_lease, behind })
    }
}

struct NodePollRow {
    newest: i64,
    longest_lease: i64,
    behind: Option<LaggingNode>,
}

impl FromRow<'_, PgRow> for NodePollRow {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let name: Option<String> = row.try_get("name")?;
        let first: Option<i64> = row.try_get("first")?;
        let behind =
            name.map(|name| LaggingNode { name: name.into(), first: first.filter(|first| *first >= 0) });
        Ok(Self { newest: row.try_get("newest")?, longest_lease: row.try_get("longest_lease")?, behind })
    }
}
