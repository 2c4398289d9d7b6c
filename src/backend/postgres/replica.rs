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
    written_to: Option<Place>,
}

/// A place in a server's log, in bytes from its beginning.
type Place = u64;

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

    /// Takes note of what a poll has found, unless something was changed after it began. Several poll, and an answer that comes
    /// late takes nothing back of what another one has told.
    pub(super) fn advance(&self, looked: u64, written_to: Option<&str>) {
        if let Some(mut state) = self.state().filter(|state| state.changes == looked) {
            state.written_to = state.written_to.max(written_to.and_then(place));
        }
    }

    /// Knows nothing any more, as of another server, whose log is another one.
    pub(super) fn forget(&self) {
        if let Some(mut state) = self.state() {
            state.forget();
        }
    }

    fn written_to(&self) -> Option<Place> {
        self.state()?.written_to
    }

    fn state(&self) -> Option<MutexGuard<'_, State>> {
        self.0.as_ref().map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// After a change that this process has made, no replica is asked until a poll has begun and was answered.
impl Apply for Mutex<State> {
    fn apply(&self, _: Change) {
        self.lock().unwrap_or_else(PoisonError::into_inner).forget();
    }
}

impl State {
    /// What was known is not enough, and neither is what polls bring back that have begun.
    fn forget(&mut self) {
        self.changes += 1;
        self.written_to = None;
    }
}

/// Understands a place as PostgreSQL writes it: two numbers in base 16, the first of them counting 4 GiB.
fn place(text: &str) -> Option<Place> {
    let (high, low) = text.split_once('/')?;
    let [high, low] = [high, low].map(|part| u32::from_str_radix(part, 16));
    Some(Place::from(high.ok()?) << 32 | Place::from(low.ok()?))
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
        timeout(PATIENCE, self.connection(written_to)).await.ok()?.ok()?
    }

    async fn connection(&self, written_to: Place) -> Result<Option<Borrowed>, BackendError> {
        // Of a server that is not a replica (any more) nobody knows what it has.
        const HAS: &str = "SELECT coalesce(pg_last_wal_replay_lsn() - '0/0'::PG_LSN >= $1, FALSE)";
        let mut connection = Borrowed::from(&self.pool).await?;
        let has = sqlx::query_scalar(HAS).bind(written_to as i64).fetch_one(&mut *connection).await;
        if has.map_err(BackendError::unavailable)? {
            return Ok(Some(connection));
        }
        connection.give_back(Ok(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for (text, expected) in
            [("0/0", Some(0)), ("0/16B3748", Some(0x16B_3748)), ("2A/1", Some(0x2A_0000_0001))]
        {
            assert_eq!(place(text), expected);
        }
        for text in ["", "/", "0", "0/G", "1/2/3"] {
            assert_eq!(place(text), None, "{text}");
        }
    }

    #[test]
    fn an_answer_that_comes_late_takes_nothing_back() {
        let horizon = Horizon::watched();
        let looked = horizon.look();
        horizon.advance(looked, Some("1/0"));
        horizon.advance(looked, Some("0/FFFFFFFF"));
        horizon.advance(looked, None);
        assert_eq!(horizon.written_to(), place("1/0"));
    }

    #[test]
    fn what_a_poll_finds_that_began_before_a_change_or_with_another_server_does_not_count() {
        let horizon = Horizon::watched();
        let looked = horizon.look();
        horizon.forget();
        horizon.advance(looked, Some("1/0"));
        assert_eq!(horizon.written_to(), None);
        horizon.advance(horizon.look(), Some("0/1"));
        assert_eq!(horizon.written_to(), place("0/1"));
    }
}
