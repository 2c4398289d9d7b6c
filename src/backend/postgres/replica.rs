//! Lookups on a replica that may be behind.
//!
//! A replica answers for what the node knows already. Each poll of the primary notes how far the primary's log was written, and a
//! replica that has not got as far is not asked. So a record is never older than what the last poll has told, and what the next
//! one tells makes it inert as ever, however far the replica is behind. As what a poll has told counts for the lease and no longer,
//! a replica is asked no later than that: it could go on to answer for as long as the primary is out of reach.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use sqlx::PgPool;
use tokio::time::timeout;

use super::namespace::Namespace;
use super::statements::{Connections, PooledConnection, by_digest_anywhere};
use crate::backend::{Apply, BackendError, BackendErrorKind, Change, Invalidator, Subscriber};
use crate::digest::Digest;
use crate::record::Record;

/// How long the answer of a replica is waited for before the primary is asked.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long a replica is left alone that has not answered: otherwise each lookup would wait for it.
const PAUSE: Duration = Duration::from_secs(1);

/// A replica for lookups.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    connections: Connections,
    namespace: Namespace,
    horizon: MinLsn,
    /// When it did not answer.
    failed: Arc<Mutex<Option<Began>>>,
}

/// How far a replica must have got to be asked.
#[derive(Debug, Clone, Default)]
pub(super) struct MinLsn(Option<Arc<Mutex<State>>>);

#[derive(Debug, Default)]
struct State {
    /// How often this process has changed something.
    changes: u64,
    /// A place in the primary's log, and when the poll began that found it. `None` if the last change of this process may be behind
    /// all that is known.
    written_to: Option<(Place, Began)>,
    /// For how long after the start of a poll its answer counts, where that was said.
    lease: Option<Duration>,
    /// The timeline of the primary. Places of two timelines cannot be compared.
    timeline: Option<u32>,
    /// Whether another server has become the primary. The replica may still be one of the server before.
    is_abandoned: bool,
}

/// What a poll that begins now has to bring back.
#[derive(Debug, Clone, Copy)]
pub(super) struct LsnSnapshot {
    changes: u64,
    began: Began,
}

/// When something began, by both clocks of the machine: the monotonic one may stand still while it is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Began(Instant, SystemTime);

#[allow(clippy::disallowed_methods, reason = "a store has no clock, and lets nothing in by these")]
impl Began {
    fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    fn age(self) -> Duration {
        // A wall clock that was set back says nothing.
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

/// A place in a server's log, in bytes from its beginning.
type Place = u64;

impl MinLsn {
    pub(super) fn watched() -> Self {
        Self(Some(Arc::default()))
    }

    /// Hears of each change that this process makes.
    pub(super) fn subscribe_to(&self, changes: &Invalidator) {
        if let Self(Some(state)) = self {
            let target: Weak<Mutex<State>> = Arc::downgrade(state);
            changes.subscribe(Subscriber::new(target));
        }
    }

    /// Tells whether there is a replica for which it matters.
    pub(super) fn is_watched(&self) -> bool {
        self.0.is_some()
    }

    /// Takes note of the lease: of several, the shortest one.
    pub(super) fn counts_for(&self, lease: Duration) {
        if let Some(mut state) = self.state() {
            state.lease = Some(state.lease.map_or(lease, |shortest| shortest.min(lease)));
        }
    }

    pub(super) fn look(&self) -> LsnSnapshot {
        LsnSnapshot { changes: self.state().map_or(0, |state| state.changes), began: Began::now() }
    }

    /// Takes note of what a poll has found, unless something was changed after it began. Several poll, and an answer that comes
    /// late takes nothing back of what another one has told.
    pub(super) fn advance(&self, sight: LsnSnapshot, written_to: Option<&str>) {
        if let Some(mut state) = self.state().filter(|state| state.changes == sight.changes) {
            let Some((timeline, place)) = written_to.and_then(place) else { return };
            state.is_abandoned |= *state.timeline.get_or_insert(timeline) != timeline;
            state.written_to = state.written_to.max(Some((place, sight.began)));
        }
    }

    /// Returns how far a replica must have got to answer in time, if anything it answers would count.
    fn written_to(&self) -> Option<Place> {
        let state = self.state().filter(|state| !state.is_abandoned)?;
        let (place, began) = state.written_to?;
        (began.age().saturating_add(PATIENCE) < state.lease?).then_some(place)
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

/// Understands a place: the name of the file that it is in, which begins with the timeline, and two numbers, of which the first one
/// counts 4 GiB. All are of base 16.
fn place(text: &str) -> Option<(u32, Place)> {
    let (file, place) = text.split_once(' ')?;
    let (high, low) = place.split_once('/')?;
    let [timeline, high, low] = [file.get(..8)?, high, low].map(|part| u32::from_str_radix(part, 16));
    Some((timeline.ok()?, Place::from(high.ok()?) << 32 | Place::from(low.ok()?)))
}

impl Replica {
    pub(super) fn new(pool: PgPool, namespace: Namespace, horizon: MinLsn) -> Self {
        Self { connections: Connections::all_of(pool), namespace, horizon, failed: Arc::default() }
    }

    pub(super) fn horizon(&self) -> MinLsn {
        self.horizon.clone()
    }

    /// Returns a record, or `None` if the replica does not have it or may not be asked.
    pub(super) async fn find(&self, digest: &Digest) -> Option<Record> {
        if self.failed().is_some_and(|failed| failed.age() < PAUSE) {
            return None;
        }
        let written_to = self.horizon.written_to()?;
        match timeout(PATIENCE, self.find_at(written_to, digest)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) if error.kind() == BackendErrorKind::Corrupt => None,
            Ok(Err(_)) | Err(_) => {
                *self.failed() = Some(Began::now());
                None
            }
        }
    }

    fn failed(&self) -> MutexGuard<'_, Option<Began>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find_at(&self, written_to: Place, digest: &Digest) -> Result<Option<Record>, BackendError> {
        let Some(mut connection) = self.connection(written_to).await? else { return Ok(None) };
        let found = by_digest_anywhere(&mut *connection, &self.namespace, digest).await;
        connection.give_back(found)
    }

    async fn connection(&self, written_to: Place) -> Result<Option<PooledConnection>, BackendError> {
        // Of a server that is not a replica (any more) nobody knows what it has.
        const HAS: &str =
            "SELECT pg_is_in_recovery() AND coalesce(pg_last_wal_replay_lsn() - '0/0'::PG_LSN >= $1, FALSE)";
        let mut connection = self.connections.acquire().await?;
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

    const LONG: Duration = Duration::from_secs(3_600);

    fn horizon() -> MinLsn {
        let horizon = MinLsn::watched();
        horizon.counts_for(LONG);
        horizon
    }

    /// What a poll finds.
    fn found(timeline: u32, place: &str) -> Option<String> {
        Some(format!("{timeline:08X}0000000000000001 {place}"))
    }

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for (text, expected) in [("0/0", 0), ("0/16B3748", 0x16B_3748), ("2A/1", 0x2A_0000_0001)] {
            assert_eq!(place(&found(0x1F, text).unwrap()), Some((0x1F, expected)));
        }
        for text in [
            "",
            "/",
            "0",
            "0/G",
            "0/1",
            "000000010000000000000001",
            "0000 0/1",
            "000000010000000000000001 1/2/3",
        ] {
            assert_eq!(place(text), None, "{text}");
        }
    }

    #[test]
    fn an_answer_that_comes_late_takes_nothing_back() {
        let horizon = horizon();
        let sight = horizon.look();
        horizon.advance(sight, found(1, "1/0").as_deref());
        horizon.advance(sight, found(1, "0/FFFFFFFF").as_deref());
        horizon.advance(sight, None);
        assert_eq!(horizon.written_to(), Some(1 << 32));
    }

    #[test]
    fn what_a_poll_finds_that_began_before_a_change_does_not_count() {
        let horizon = horizon();
        let sight = horizon.look();
        horizon.0.as_ref().unwrap().apply(Change::Everything);
        horizon.advance(sight, found(1, "1/0").as_deref());
        assert_eq!(horizon.written_to(), None);
        horizon.advance(horizon.look(), found(1, "0/1").as_deref());
        assert_eq!(horizon.written_to(), Some(1));
    }

    #[test]
    fn what_a_poll_has_found_counts_for_the_shortest_lease_less_the_time_of_an_answer() {
        let counts = |lease: Option<Duration>, age: Duration| {
            let by = |began: fn(Began, Duration) -> Began| {
                let horizon = MinLsn::watched();
                lease.into_iter().for_each(|lease| horizon.counts_for(lease));
                let sight = horizon.look();
                let sight = LsnSnapshot { began: began(sight.began, age), ..sight };
                horizon.advance(sight, found(1, "1/0").as_deref());
                horizon.written_to().is_some()
            };
            let counts = by(|Began(monotonic, wall), age| Began(monotonic - age, wall));
            assert_eq!(
                by(|Began(monotonic, wall), age| Began(monotonic, wall - age)),
                counts,
                "either clock ends it"
            );
            counts
        };
        let second = Duration::from_secs(1);
        assert!(counts(Some(second * 60), second * 59));
        assert!(!counts(Some(second * 60), second * 60 - PATIENCE));
        assert!(!counts(None, Duration::ZERO), "nobody has said for how long");
        let horizon = horizon();
        horizon.counts_for(PATIENCE);
        horizon.counts_for(LONG);
        horizon.advance(horizon.look(), found(1, "1/0").as_deref());
        assert_eq!(horizon.written_to(), None);
    }

    #[test]
    fn no_replica_is_asked_once_another_server_is_the_primary() {
        let horizon = horizon();
        horizon.advance(horizon.look(), found(1, "1/0").as_deref());
        horizon.advance(horizon.look(), found(2, "2/0").as_deref());
        assert_eq!(horizon.written_to(), None);
    }
}
