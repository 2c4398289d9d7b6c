//! Look-ups on a replica that may be behind.
//!
//! A replica answers for what the node knows already. Each poll of the primary notes how far the primary's log was written, and a
//! replica that has not got as far is not asked. So a record is never older than what the last poll has told, and what the next
//! one tells makes it inert as ever, however far the replica is behind.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use sqlx::PgPool;
use tokio::time::timeout;

use super::each::Borrowed;
use crate::backend::{Apply, BackendError, Change, Changes, Subscriber};

/// How long a replica is waited for before the primary is asked.
const PATIENCE: Duration = Duration::from_millis(200);

/// A replica for look-ups.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    pool: PgPool,
    horizon: Horizon,
}

/// How far a replica must have got to be asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Horizon(Option<Arc<Mutex<State>>>);

#[derive(Debug, Default)]
struct State {
    /// How often this process has changed something.
    changes: u64,
    /// A place in the primary's log. `None` if the last change of this process may be behind all that is known.
    written_to: Option<String>,
}

impl Horizon {
    pub(super) fn watched() -> Self {
        Self(Some(Arc::default()))
    }

    /// Hears of each change that this process makes.
    pub(super) fn subscribe_to(&self, changes: &Changes) {
        if let Self(Some(state)) = self {
            let target: Weak<Mutex<State>> = Arc::downgrade(state);
            changes.subscribe(Subscriber::new(target));
        }
    }

    /// Tells whether there is a replica for which it matters.
    pub(super) fn is_watched(&self) -> bool {
        self.0.is_some()
    }

    /// Returns what a poll that begins now has to bring back.
    pub(super) fn look(&self) -> u64 {
        self.state().map_or(0, |state| state.changes)
    }

    /// Takes note of what a poll has found, unless something was changed after it began.
    pub(super) fn advance(&self, looked: u64, written_to: Option<String>) {
        if let Some(mut state) = self.state().filter(|state| state.changes == looked) {
            state.written_to = written_to;
        }
    }

    fn written_to(&self) -> Option<String> {
        self.state()?.written_to.clone()
    }

    fn state(&self) -> Option<MutexGuard<'_, State>> {
        self.0.as_ref().map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// After a change that this process has made, no replica is asked until a poll has begun and was answered.
impl Apply for Mutex<State> {
    fn apply(&self, _: Change) {
        let mut state = self.lock().unwrap_or_else(PoisonError::into_inner);
        state.changes += 1;
        state.written_to = None;
    }
}

impl Replica {
    pub(super) fn new(pool: PgPool, horizon: Horizon) -> Self {
        Self { pool, horizon }
    }

    pub(super) fn horizon(&self) -> Horizon {
        self.horizon.clone()
    }

    /// Returns a connection on which everything can be read that polls have told of so far, or `None` if there is none.
    pub(super) async fn up_to_date(&self) -> Option<Borrowed> {
        let written_to = self.horizon.written_to()?;
        timeout(PATIENCE, self.connection(&written_to)).await.ok()?.ok()?
    }

    async fn connection(&self, written_to: &str) -> Result<Option<Borrowed>, BackendError> {
        // Of a server that is not a replica (any more) nobody knows what it has.
        const HAS: &str = "SELECT coalesce(pg_last_wal_replay_lsn() >= $1::TEXT::PG_LSN, FALSE)";
        let mut connection = Borrowed::from(&self.pool).await?;
        let has = sqlx::query_scalar(HAS).bind(written_to).fetch_one(&mut *connection).await;
        let has: bool = has.map_err(BackendError::unavailable)?;
        Ok(has.then_some(connection))
    }
}
