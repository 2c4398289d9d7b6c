//! The counts of quotas, of which nodes take blocks: parts of a quota that count as used until a node gives them back.
//!
//! Each statement is atomic by itself, so no node and no answer that is lost makes a block that another one has. The clock of the database
//! decides the period.

// Layer 3 of 10: storage.

use std::collections::HashSet;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::{PgConnection, PgPool, Postgres};

use crate::backend::sql::connections::Connections;
use crate::backend::sql::derived_pool::AdaptOptions;
use crate::backend::sql::namespace::Namespace;
use crate::backend::sql::pooled_connection::{PooledConnection, run};
use crate::backend::sql::session::{Driver as _, Row, Session, begin, is_caused_by};
use crate::backend::sql::statement::{Statement, Value};
use crate::backend::{BackendError, BackendErrorKind};
use crate::clock::Timestamp;
use crate::limit::Period;

/// Connections for blocks. A statement takes a millisecond, unless it waits for that of another node.
const CONNECTIONS: u32 = 2;

/// Rows that one statement deletes.
const PURGE_BATCH: i64 = 1_000;

/// The code of the error of a statement that has waited for a lock for too long.
const LOCK_NOT_AVAILABLE: &[&str] = &["55P03"];

/// How long deleting counts waits for a connection.
const PURGE_TIMEOUT: Duration = Duration::from_secs(5);

/// The table of quotas.
#[derive(Debug, Clone)]
pub(crate) struct QuotaTable {
    connections: Connections<Postgres>,
    namespace: Namespace,
}

/// A connection for one statement.
pub(crate) struct QuotaConnection {
    connection: PooledConnection<Postgres>,
    namespace: Namespace,
}

/// What a node asks for.
#[derive(Debug, Clone)]
pub(crate) struct BlockRequest {
    /// The id of the count.
    pub(crate) id: Box<str>,
    pub(crate) period: Period,
    /// The requests of the quota.
    pub(crate) requests: u64,
    /// The fewest requests of a block: without room for these, there is none.
    pub(crate) least: u64,
    /// The most requests, unless `least` is more.
    pub(crate) most: u64,
}

/// What the database answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct QuotaBlock {
    /// The requests of the block. Zero if there is no room for it.
    pub(crate) requests: u64,
    /// The requests of all blocks of the period, this one included.
    pub(crate) taken: u64,
    /// When the statement began, in microseconds since the Unix epoch.
    pub(crate) at_micros: i64,
    /// The end of the period.
    pub(crate) ends_at: Timestamp,
}

impl QuotaBlock {
    /// Returns the time from when the statement began to the end of the period.
    pub(crate) fn until_end(&self) -> Duration {
        let end = self.ends_at.unix_millis().saturating_mul(1_000);
        Duration::from_micros(end.saturating_sub(self.at_micros).max(0).unsigned_abs())
    }
}

/// What a node gives back of a block.
#[derive(Debug, Clone)]
pub(crate) struct BlockReturn {
    pub(crate) id: Box<str>,
    /// The end of the period of the block.
    pub(crate) ends_at: Timestamp,
    pub(crate) requests: u64,
}

/// Takes a block of a tenth of what is left, within bounds: the end of a quota is divided finely, so that all nodes can use it.
///
/// If the clock was set back across the end of a period, requests are counted in the later one, so that a quota is given once only. A clock
/// that was further ahead was wrong: what was taken counts now.
const TAKE: &str = "INSERT INTO tower_api_key_quota AS quota (count_digest, starts_at, ends_at, taken, granted)
    SELECT $1, (extract(epoch FROM starts) * 1000)::BIGINT,
        (extract(epoch FROM starts + ('1 ' || $2)::INTERVAL) * 1000)::BIGINT, granted, granted
    FROM (SELECT date_trunc($2, statement_timestamp() AT TIME ZONE 'UTC') AS starts,
        CASE WHEN $3 < $4 THEN 0 ELSE greatest($4, least($5, $3 / 10)) END AS granted) AS fresh
    ON CONFLICT (count_digest) DO UPDATE SET (starts_at, ends_at, taken, granted) = (
        SELECT used.starts_at, used.ends_at, used.taken + block.granted, block.granted
        FROM (SELECT
            CASE WHEN quota.starts_at = excluded.ends_at THEN quota.starts_at ELSE excluded.starts_at END AS starts_at,
            CASE WHEN quota.starts_at = excluded.ends_at THEN quota.ends_at ELSE excluded.ends_at END AS ends_at,
            CASE WHEN quota.ends_at <= excluded.starts_at THEN 0 ELSE quota.taken END AS taken) AS used
        CROSS JOIN LATERAL (SELECT CASE WHEN $3 - used.taken < $4 THEN 0
            ELSE greatest($4, least($5, ($3 - used.taken) / 10)) END AS granted) AS block)
    RETURNING granted, taken, ends_at, (extract(epoch FROM statement_timestamp()) * 1000000)::BIGINT AS at_micros";

/// Gives blocks back, except those of another period, and returns the counts that others have locked. It waits for none of
/// them, as it would keep the other counts locked meanwhile.
const GIVE_BACK: [&str; 2] = [
    "WITH rest AS (",
    "), held AS (
        SELECT quota.count_digest, rest.column3 AS requests FROM rest
        JOIN tower_api_key_quota AS quota ON quota.count_digest = rest.column1 AND quota.ends_at = rest.column2
        FOR UPDATE OF quota SKIP LOCKED
    ), given AS (
        UPDATE tower_api_key_quota AS quota SET taken = greatest(quota.taken - held.requests, 0)
        FROM held WHERE quota.count_digest = held.count_digest
    )
    SELECT quota.count_digest, quota.ends_at FROM rest
    JOIN tower_api_key_quota AS quota ON quota.count_digest = rest.column1 AND quota.ends_at = rest.column2
    WHERE NOT EXISTS (SELECT FROM held WHERE held.count_digest = quota.count_digest)",
];

/// Locks the table as a statement that writes does, so that a lock of the whole table is not taken for one of a row.
const LOCK_TABLE: &str = "LOCK TABLE tower_api_key_quota IN ROW EXCLUSIVE MODE";

/// Writes nothing, and fails where nothing can be written.
const PROBE: &str = "UPDATE tower_api_key_quota SET taken = taken WHERE FALSE";

/// Deletes counts a day after the end of their periods: a clock that is set back by less finds them.
const PURGE: &str = "DELETE FROM tower_api_key_quota WHERE count_digest IN (
    SELECT count_digest FROM tower_api_key_quota
    WHERE ends_at < (extract(epoch FROM statement_timestamp()) * 1000)::BIGINT - 86400000
    ORDER BY ends_at LIMIT $1 FOR UPDATE SKIP LOCKED)";

impl QuotaTable {
    /// Most blocks that one statement gives back.
    pub(crate) const MOST_RETURNS: usize = 500;

    /// Uses connections of its own, which are opened at first use: no lookup and no change of keys waits for a block, nor a block for them.
    pub(super) fn new(pool: &PgPool, adapt: &AdaptOptions<Postgres>, namespace: Namespace) -> Self {
        Self { connections: Connections::derived_from(pool, CONNECTIONS, adapt, None), namespace }
    }

    /// Acquires a connection: until it has one, nothing was sent. An error of kind `Busy` if others use all of them for this time.
    pub(crate) async fn connect(&self, limit: Duration) -> Result<QuotaConnection, BackendError> {
        let connection = self.connections.acquire_within(limit).await?;
        Ok(QuotaConnection { connection, namespace: self.namespace.clone() })
    }

    /// Acquires a connection over which the table can be written.
    pub(crate) async fn probe(&self, limit: Duration) -> Result<QuotaConnection, BackendError> {
        self.connect(limit).await?.execute(&Statement::new(self.namespace.qualify(PROBE).0)).await?;
        self.connect(limit).await
    }

    /// Deletes some of the counts of former periods, and returns whether there may be more.
    pub(crate) async fn purge(&self) -> Result<bool, BackendError> {
        let purge = Statement::new(self.namespace.qualify(PURGE).0).bind(PURGE_BATCH);
        Ok(self.connect(PURGE_TIMEOUT).await?.execute(&purge).await? >= PURGE_BATCH.unsigned_abs())
    }

    pub(super) async fn close(&self) {
        self.connections.pool().close().await;
    }
}

impl QuotaConnection {
    /// Takes a block. An error of kind `Busy`, after which nothing was taken, if another transaction locks the count for this time.
    /// Of kind `Unavailable` if it locks the table: no count can be read.
    pub(crate) async fn take(
        self,
        wanted: &BlockRequest,
        lock_timeout: Duration,
    ) -> Result<QuotaBlock, BackendError> {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let take = Statement::new(self.namespace.qualify(TAKE).0)
            .bind(digest(&wanted.id))
            .bind(wanted.period.label())
            .bind(number(wanted.requests))
            .bind(number(wanted.least))
            .bind(number(wanted.most));
        let Self { mut connection, namespace } = self;
        let row = run!(connection, fetch(&mut connection, &namespace, &take, lock_timeout))?;
        let row = row.ok_or_else(|| BackendError::corrupt("a block without a row"))?;
        let number = |column| u64::try_from(row.get::<i64>(column)?).map_err(BackendError::corrupt);
        Ok(QuotaBlock {
            requests: number("granted")?,
            taken: number("taken")?,
            at_micros: row.get("at_micros")?,
            ends_at: Timestamp::from_unix_millis(row.get("ends_at")?),
        })
    }

    /// Gives back up to [`MOST_RETURNS`](QuotaTable::MOST_RETURNS) blocks. Returns those whose counts other transactions have
    /// locked: they are not given back.
    pub(crate) async fn give_back(
        self,
        mut returns: Vec<BlockReturn>,
    ) -> Result<Vec<BlockReturn>, BackendError> {
        let row = |rest: &BlockReturn| -> [Value; 3] {
            let requests = i64::try_from(rest.requests).unwrap_or(i64::MAX);
            [digest(&rest.id).into(), rest.ends_at.into(), requests.into()]
        };
        let [before, behind] = GIVE_BACK.map(|part| self.namespace.qualify(part).0);
        let update = Statement::new(before).push_rows(returns.iter().map(row)).push(&behind).once();
        let Self { mut connection, namespace } = self;
        let locked = run!(connection, fetch_counts(&mut connection, &namespace, &update))?;
        returns.retain(|rest| {
            !locked.is_empty() && locked.contains(&(digest(&rest.id), rest.ends_at.unix_millis()))
        });
        Ok(returns)
    }

    async fn execute(self, statement: &Statement) -> Result<u64, BackendError> {
        let Self { mut connection, namespace } = self;
        run!(connection, execute(&mut connection, &namespace, statement))
    }
}

/// Executes a statement in a transaction of its own, which sees what was committed before the statement whatever the default of the database.
async fn execute(
    connection: &mut PgConnection,
    namespace: &Namespace,
    statement: &Statement,
) -> Result<u64, BackendError> {
    let begin_change = namespace.begin(Postgres::DIALECT.begin_change);
    let mut transaction = begin::<Postgres>(connection, begin_change).await?;
    let rows = Session::execute(&mut *transaction, statement).await?;
    transaction.commit().await.map_err(BackendError::unavailable)?;
    Ok(rows)
}

/// The same for a statement that returns counts, by their names and the ends of their periods.
async fn fetch_counts(
    connection: &mut PgConnection,
    namespace: &Namespace,
    statement: &Statement,
) -> Result<HashSet<(Vec<u8>, i64)>, BackendError> {
    let begin_change = namespace.begin(Postgres::DIALECT.begin_change);
    let mut transaction = begin::<Postgres>(connection, begin_change).await?;
    let session: &mut dyn Session = &mut *transaction;
    let decode = |row: &Row| Ok((row.get("count_digest")?, row.get("ends_at")?));
    let counts = session.fetch(statement, decode).await?;
    transaction.commit().await.map_err(BackendError::unavailable)?;
    Ok(counts.into_iter().collect())
}

/// The same for a statement that returns a row, and waits for each lock for a limited time.
async fn fetch(
    connection: &mut PgConnection,
    namespace: &Namespace,
    statement: &Statement,
    lock_timeout: Duration,
) -> Result<Option<Row>, BackendError> {
    // Zero would be no limit.
    let millis = lock_timeout.as_millis().max(1);
    let begin_change = Postgres::DIALECT.begin_change;
    let lock_table = namespace.qualify(LOCK_TABLE).0;
    let begin_change = format!("{begin_change}; SET LOCAL lock_timeout = {millis}; {lock_table}");
    let mut transaction = begin::<Postgres>(connection, namespace.begin(begin_change)).await?;
    let row = Session::fetch_optional(&mut *transaction, statement).await.map_err(|error| {
        if is_caused_by(&error, LOCK_NOT_AVAILABLE) {
            let message = format!("another transaction has locked the count for {millis} ms");
            BackendError::new(BackendErrorKind::Busy, message)
        } else {
            error
        }
    })?;
    transaction.commit().await.map_err(BackendError::unavailable)?;
    Ok(row)
}

/// Returns the name of a count in the table: ids have the addresses of users.
fn digest(id: &str) -> Vec<u8> {
    Sha256::digest(id).to_vec()
}
