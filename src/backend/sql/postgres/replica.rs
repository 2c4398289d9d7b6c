//! Lookups on a replica that may be behind.
//!
//! Each poll of the primary reads the write position (LSN) of its log, and a replica that has not replayed that much is not used.
//! So a record is never older than the last poll, and the changes of the next poll invalidate it as usual, however far the
//! replica is behind. The result of a poll is valid for the lease, and so is the use of a replica: it would otherwise continue
//! while the primary is unreachable.

// Layer 3 of 10: storage.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use sqlx::{PgPool, Postgres};
use tokio::time::timeout;

use crate::backend::sql::connections::Connections;
use crate::backend::sql::dialect::Lookups;
use crate::backend::sql::namespace::Namespace;
use crate::backend::sql::pooled_connection::{PooledConnection, run};
use crate::backend::sql::session::Driver;
use crate::backend::sql::statements::read::find;
use crate::backend::{Apply, BackendError, BackendErrorKind, Invalidation, Invalidator, Subscriber};
use crate::digest::Digest;
use crate::record::Record;

/// How long to wait for the replica before the primary is used.
const REPLICA_TIMEOUT: Duration = Duration::from_millis(200);

/// How long a replica that has failed is not used: otherwise each lookup would wait for it.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A replica for lookups.
#[derive(Debug, Clone)]
pub(super) struct Replica {
    connections: Connections<Postgres>,
    namespace: Namespace,
    min_lsn: MinLsn,
    /// The time of the last failure.
    failed: Arc<Mutex<Option<DualInstant>>>,
}

/// The log position that a replica must have replayed to be used.
#[derive(Debug, Clone, Default)]
pub(super) struct MinLsn(Option<Arc<Mutex<State>>>);

#[derive(Debug, Default)]
struct State {
    /// The number of changes by this process.
    changes: u64,
    /// The write position of the primary, and the start of the poll that read it. `None` if the last change of this process may
    /// be later.
    lsn: Option<(Lsn, DualInstant)>,
    /// How long after the start of a poll its result is valid, once set.
    lease: Option<Duration>,
    /// The timeline of the primary. Positions of two timelines cannot be compared.
    timeline: Option<u32>,
    /// Whether another server has become the primary. The replica may still follow the former one.
    has_failed_over: bool,
}

/// The state at the start of a poll.
#[derive(Debug, Clone, Copy)]
pub(super) struct LsnSnapshot {
    changes: u64,
    began: DualInstant,
}

/// A time by the monotonic and the wall clock: the monotonic one may stop while the machine is suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct DualInstant(Instant, SystemTime);

#[allow(clippy::disallowed_methods, reason = "a store has no clock, and lets nothing in by these")]
impl DualInstant {
    fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    fn age(self) -> Duration {
        // A wall clock that was set back is ignored.
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

/// A log sequence number: a position in a server's log, in bytes.
type Lsn = u64;

impl MinLsn {
    pub(super) fn tracked() -> Self {
        Self(Some(Arc::default()))
    }

    /// Subscribes to the changes of this process.
    pub(super) fn subscribe_to(&self, invalidator: &Invalidator) {
        if let Self(Some(state)) = self {
            let target: Weak<Mutex<State>> = Arc::downgrade(state);
            invalidator.subscribe(Subscriber::new(target));
        }
    }

    /// Returns whether a replica is in use.
    pub(super) fn is_tracked(&self) -> bool {
        self.0.is_some()
    }

    /// Sets the lease. Of several, the shortest applies.
    pub(super) fn set_lease(&self, lease: Duration) {
        if let Some(mut state) = self.state() {
            state.lease = Some(state.lease.map_or(lease, |shortest| shortest.min(lease)));
        }
    }

    pub(super) fn snapshot(&self) -> LsnSnapshot {
        LsnSnapshot { changes: self.state().map_or(0, |state| state.changes), began: DualInstant::now() }
    }

    /// Records the result of a poll, unless this process changed something after it began. Several pollers may run, and a late
    /// result does not move the position back.
    pub(super) fn advance(&self, snapshot: LsnSnapshot, lsn: Option<&str>) {
        if let Some(mut state) = self.state().filter(|state| state.changes == snapshot.changes) {
            let Some((timeline, lsn)) = lsn.and_then(parse_lsn) else { return };
            state.has_failed_over |= *state.timeline.get_or_insert(timeline) != timeline;
            state.lsn = state.lsn.max(Some((lsn, snapshot.began)));
        }
    }

    /// Returns the position that a replica must have replayed, if its result would still be valid.
    fn lsn(&self) -> Option<Lsn> {
        let state = self.state().filter(|state| !state.has_failed_over)?;
        let (lsn, began) = state.lsn?;
        (began.age().saturating_add(REPLICA_TIMEOUT) < state.lease?).then_some(lsn)
    }

    fn state(&self) -> Option<MutexGuard<'_, State>> {
        self.0.as_ref().map(|state| state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// After a change of this process, no replica is used until a later poll has completed.
impl Apply for Mutex<State> {
    fn apply(&self, _: Invalidation) {
        self.lock().unwrap_or_else(PoisonError::into_inner).invalidate();
    }
}

impl State {
    /// Discards the known position, and the results of polls in progress.
    fn invalidate(&mut self) {
        self.changes += 1;
        self.lsn = None;
    }
}

/// Parses the name of a log file, which begins with the timeline, and an LSN: two hexadecimal numbers, of which the first counts
/// 4 GiB.
fn parse_lsn(text: &str) -> Option<(u32, Lsn)> {
    let (file, lsn) = text.split_once(' ')?;
    let (high, low) = lsn.split_once('/')?;
    let [timeline, high, low] = [file.get(..8)?, high, low].map(|part| u32::from_str_radix(part, 16));
    Some((timeline.ok()?, Lsn::from(high.ok()?) << 32 | Lsn::from(low.ok()?)))
}

impl Replica {
    pub(super) fn new(pool: PgPool, namespace: Namespace, min_lsn: MinLsn) -> Self {
        Self { connections: Connections::of_pool(pool), namespace, min_lsn, failed: Arc::default() }
    }

    pub(super) fn min_lsn(&self) -> MinLsn {
        self.min_lsn.clone()
    }

    /// Returns a record, or `None` if the replica does not have it or may not be used.
    pub(super) async fn find(&self, digests: &[Digest]) -> Option<Record> {
        if self.failed().is_some_and(|failed| failed.age() < RETRY_AFTER) {
            return None;
        }
        let lsn = self.min_lsn.lsn()?;
        match timeout(REPLICA_TIMEOUT, self.find_at(lsn, digests)).await {
            Ok(Ok(found)) => found,
            Ok(Err(error)) if error.kind() == BackendErrorKind::Corrupt => None,
            Ok(Err(_)) | Err(_) => {
                *self.failed() = Some(DualInstant::now());
                None
            }
        }
    }

    fn failed(&self) -> MutexGuard<'_, Option<DualInstant>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn find_at(&self, lsn: Lsn, digests: &[Digest]) -> Result<Option<Record>, BackendError> {
        let Some(mut connection) = self.connection(lsn).await? else { return Ok(None) };
        let Lookups { by_digest_on_replica, by_digests_on_replica, .. } = Postgres::DIALECT.lookups;
        let statements = [by_digest_on_replica, by_digests_on_replica];
        run!(connection, find(&mut *connection, digests, statements, &self.namespace))
    }

    async fn connection(&self, lsn: Lsn) -> Result<Option<PooledConnection<Postgres>>, BackendError> {
        // A server that is no replica (any more) has an unknown state.
        const HAS: &str =
            "SELECT pg_is_in_recovery() AND coalesce(pg_last_wal_replay_lsn() - '0/0'::PG_LSN >= $1, FALSE)";
        let mut connection = self.connections.acquire().await?;
        let has = sqlx::query_scalar(HAS).bind(lsn as i64).fetch_one(&mut *connection).await;
        if has.map_err(BackendError::unavailable)? {
            return Ok(Some(connection));
        }
        connection.release(Ok(None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3_600);

    fn min_lsn() -> MinLsn {
        let min_lsn = MinLsn::tracked();
        min_lsn.set_lease(LONG);
        min_lsn
    }

    /// Returns the result of a poll.
    fn found(timeline: u32, lsn: &str) -> Option<String> {
        Some(format!("{timeline:08X}0000000000000001 {lsn}"))
    }

    #[test]
    fn an_lsn_is_read_as_it_is_written() {
        for (text, expected) in [("0/0", 0), ("0/16B3748", 0x16B_3748), ("2A/1", 0x2A_0000_0001)] {
            assert_eq!(parse_lsn(&found(0x1F, text).unwrap()), Some((0x1F, expected)));
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
            assert_eq!(parse_lsn(text), None, "{text}");
        }
    }

    #[test]
    fn a_late_result_does_not_move_the_position_back() {
        let min_lsn = min_lsn();
        let snapshot = min_lsn.snapshot();
        min_lsn.advance(snapshot, found(1, "1/0").as_deref());
        min_lsn.advance(snapshot, found(1, "0/FFFFFFFF").as_deref());
        min_lsn.advance(snapshot, None);
        assert_eq!(min_lsn.lsn(), Some(1 << 32));
    }

    #[test]
    fn a_poll_that_began_before_a_change_does_not_count() {
        let min_lsn = min_lsn();
        let snapshot = min_lsn.snapshot();
        min_lsn.0.as_ref().unwrap().apply(Invalidation::Everything);
        min_lsn.advance(snapshot, found(1, "1/0").as_deref());
        assert_eq!(min_lsn.lsn(), None);
        min_lsn.advance(min_lsn.snapshot(), found(1, "0/1").as_deref());
        assert_eq!(min_lsn.lsn(), Some(1));
    }

    #[test]
    fn a_poll_counts_for_the_shortest_lease_less_the_timeout_of_a_replica() {
        let counts = |lease: Option<Duration>, age: Duration| {
            let by = |began: fn(DualInstant, Duration) -> DualInstant| {
                let min_lsn = MinLsn::tracked();
                lease.into_iter().for_each(|lease| min_lsn.set_lease(lease));
                let snapshot = min_lsn.snapshot();
                let snapshot = LsnSnapshot { began: began(snapshot.began, age), ..snapshot };
                min_lsn.advance(snapshot, found(1, "1/0").as_deref());
                min_lsn.lsn().is_some()
            };
            let counts = by(|DualInstant(monotonic, wall), age| DualInstant(monotonic - age, wall));
            assert_eq!(
                by(|DualInstant(monotonic, wall), age| DualInstant(monotonic, wall - age)),
                counts,
                "either clock ends it"
            );
            counts
        };
        let second = Duration::from_secs(1);
        assert!(counts(Some(second * 60), second * 59));
        assert!(!counts(Some(second * 60), second * 60 - REPLICA_TIMEOUT));
        assert!(!counts(None, Duration::ZERO), "no lease was set");
        let min_lsn = min_lsn();
        min_lsn.set_lease(REPLICA_TIMEOUT);
        min_lsn.set_lease(LONG);
        min_lsn.advance(min_lsn.snapshot(), found(1, "1/0").as_deref());
        assert_eq!(min_lsn.lsn(), None);
    }

    #[test]
    fn no_replica_is_used_once_another_server_is_the_primary() {
        let min_lsn = min_lsn();
        min_lsn.advance(min_lsn.snapshot(), found(1, "1/0").as_deref());
        min_lsn.advance(min_lsn.snapshot(), found(2, "2/0").as_deref());
        assert_eq!(min_lsn.lsn(), None);
    }
}
