//! Keys kept in a PostgreSQL database, for several processes on several machines.

mod client_check;
mod dialect;
mod fleet;
mod listener;
mod namespace;
mod node;
mod poll;
mod pooler;
mod replica;

#[path = "sql/statements/mod.rs"]
#[allow(clippy::duplicate_mod, reason = "compiled once for each database, see `sql`")]
mod statements;

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::query::QueryScalar;
use sqlx::{Connection, FromRow, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use fleet::Fleet;
use namespace::Namespace;
use replica::{MinLsn, Replica};
use statements::{Connections, Pools};

use super::sql::invalidator_of;
use super::{BackendError, BackendErrorKind, BoxedChangeFeed, Invalidator, Propagation};
use crate::digest::Digest;
use crate::record::Record;

/// How long to wait for a connection. A request that waits for it has a shorter deadline of its own.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The store of this database, for the parts that are compiled once for each of them.
type Store = PostgresStore;

/// A store in a PostgreSQL database (13 or later), by itself or among the tables of an application. Clones share the
/// connections.
///
/// It tells the authenticators of its process of each change before it acknowledges it, also those over another store in
/// the same database. Changes that another process makes take effect with the next poll, and within the
/// [lease](crate::AuthenticatorBuilder::lease) in any case. [Operations](crate::_guide::operations) says what becomes of them in a
/// failover, which rights a role needs, and what PgBouncer has to do.
///
/// ```no_run
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::{Authenticator, PostgresStore};
///
/// let store = PostgresStore::open("postgres://keys@localhost/keys").await?;
/// let authenticator = Authenticator::builder(store).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PostgresStore {
    connections: Pools,
    namespace: Namespace,
    fleet: Fleet,
    node_name: Box<str>,
    is_polling_only: bool,
    changes: Invalidator,
    replica: Option<Replica>,
}

impl PostgresStore {
    /// Connects to the database at `url`, such as `postgres://user:password@host/database`, and brings the schema up to date. The
    /// store keeps up to thirteen connections, and each authenticator one more: [operations](crate::_guide::operations#connections-and-pgbouncer) says for what.
    ///
    /// For connections by TLS, enable one of sqlx's features for it (`tls-rustls`, `tls-native-tls`) in your own manifest.
    ///
    /// # Errors
    ///
    /// [`Invalid`](BackendErrorKind::Invalid) if `url` is not the URL of a PostgreSQL database, or leads to a
    /// [pooler](crate::_guide::operations#connections-and-pgbouncer) that loses prepared statements,
    /// [`Unavailable`](BackendErrorKind::Unavailable) if there is no connection to be had,
    /// [`Corrupt`](BackendErrorKind::Corrupt) if its schema is not that of this version of the crate, or several schemas of the search
    /// path have its tables.
    pub async fn open(url: &str) -> Result<Self, BackendError> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            // The URL is not shown: it may hold a password.
            let expected =
                "expected the URL of a PostgreSQL database, such as `postgres://user@host/database`";
            return Err(BackendError::new(
                BackendErrorKind::Invalid,
                format!("{expected}, found that of something else"),
            ));
        }
        // No number with a fraction is read, and PgBouncer does not know the setting for them.
        let options =
            PgConnectOptions::from_str(url).map_err(BackendError::invalid)?.extra_float_digits(None);
        // A pool would try again and again, and in the end tell nothing but that time was up.
        let trial = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await;
        drop(trial.map_err(BackendError::unavailable)?.map_err(BackendError::unavailable)?);
        // One of management's is kept, lest lookups take all that a server has to give.
        let pool = PgPoolOptions::new().min_connections(1).max_connections(Pools::MANAGEMENT);
        Self::with_pool(pool.acquire_timeout(CONNECT_TIMEOUT).connect_lazy_with(options)).await
    }

    /// Uses the connections of an application for management, and adds tables of its own, whose names start with `tower_api_key`, to the
    /// first schema of the connections' search path, unless another schema of the path has them. From then on the store uses that schema,
    /// whatever the path of a session.
    ///
    /// Lists and changes, which take up to seven connections of the pool, wait while the application holds all of them. Lookups and polls
    /// do not: the store keeps up to five connections and one more for these, made as the pool makes its own, and each authenticator one to
    /// [listen](Self::polling_only) with. New options of the pool, such as the next password of its role, are taken over.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub async fn with_pool(pool: PgPool) -> Result<Self, BackendError> {
        pooler::check(&pool.connect_options()).await?;
        let adapt = client_check::end_statements_with_client(&pool.connect_options()).await;
        let connections = Pools::derived_from(&pool, adapt);
        let namespace = statements::migrate(&connections.writes).await?;
        let changes = invalidator_of(identity(&connections.writes, &namespace).await?);
        // Before management takes more than one: where a server has few, these are kept for good.
        for kept in [&connections.lookups, &connections.polling] {
            kept.acquire().await?.release(Ok(()))?;
        }
        Ok(Self {
            fleet: Fleet::new(connections.lookups.clone(), namespace.clone()),
            connections,
            namespace,
            node_name: node::default_name(),
            is_polling_only: false,
            changes,
            replica: None,
        })
    }

    /// Names this process in the list of nodes, for [`Propagation::missing`](super::Propagation::missing). Default: the name of the machine
    /// and the number of the process.
    #[must_use]
    pub fn node_name(self, name: impl Into<Box<str>>) -> Self {
        Self { node_name: name.into(), ..self }
    }

    /// Learns what other processes change by polling only, and does not listen for word of it: for connections by way of a
    /// pooler that does not keep them with one session, such as PgBouncer when it pools transactions, where such word never
    /// arrives. A change then takes effect with the next poll, see
    /// [`poll_interval`](crate::AuthenticatorBuilder::poll_interval).
    #[must_use]
    pub fn polling_only(self) -> Self {
        Self { is_polling_only: true, ..self }
    }

    /// Looks keys up on a replica (a hot standby that streams from this database) wherever it is not behind of what this process
    /// knows, up to the [lease](crate::AuthenticatorBuilder::lease) after the last poll of the primary. All else goes to the
    /// primary: changes, lists, polls, keys that the replica does not have, and all lookups while it is behind, or for a second
    /// when it has given no answer within 200 ms.
    ///
    /// A revocation takes effect as it does without: each poll of the primary notes how far its log was written, and a replica
    /// that has not got as far is not asked. Each connection of the pool has to stay with one server. See
    /// [operations](crate::_guide::operations#read-replicas).
    #[must_use]
    pub fn with_replica(self, pool: PgPool) -> Self {
        let min_lsn = MinLsn::tracked();
        // Before any authenticator over this store, so that none reads after a change what was true before it.
        min_lsn.subscribe_to(&self.changes);
        let replica = Replica::new(pool, self.namespace.clone(), min_lsn);
        Self { replica: Some(replica), ..self }
    }

    /// Closes all connections, after what is under way has ended.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    fn change_feed(&self) -> BoxedChangeFeed {
        let min_lsn = self.replica.as_ref().map_or_else(MinLsn::default, Replica::min_lsn);
        let listens = !self.is_polling_only;
        let (connections, namespace) = (self.connections.polling.clone(), self.namespace.clone());
        BoxedChangeFeed::new(poll::ChangeLog::new(connections, namespace, &self.node_name, min_lsn, listens))
    }

    /// A server looks after its files.
    async fn check_source(&self) -> Result<(), BackendError> {
        Ok(())
    }

    #[allow(clippy::unused_self, reason = "an SQLite file may be replaced")]
    fn last_check(&self) -> Result<(), BackendError> {
        Ok(())
    }

    async fn find_on_replica(&self, digest: &Digest) -> Option<Record> {
        self.replica.as_ref()?.find(digest).await
    }

    const LISTS_NODES: bool = true;

    async fn wait_for_nodes(&self, lease: Duration, at_most: Duration) -> Propagation {
        self.fleet.wait(lease, at_most).await
    }
}

/// Returns a name for the tables: a server has many, and its databases many schemas. It is the same in every session, so no time is a
/// text: that would depend on the session's time zone.
async fn identity(connections: &Connections, namespace: &Namespace) -> Result<String, BackendError> {
    const IDENTITY: &str = "SELECT concat_ws(' ', 'postgres', current_database(), tableoid,
            (extract(epoch FROM applied_at) * 1000000)::BIGINT)
        FROM tower_api_key_migration WHERE version = 1";
    fetch_scalar(connections, sqlx::query_scalar(namespace.qualify(IDENTITY))).await
}

/// Asks a question that has one answer.
async fn fetch_scalar<T>(
    connections: &Connections,
    question: QueryScalar<'_, Postgres, T, PgArguments>,
) -> Result<T, BackendError>
where
    T: Send + Unpin,
    (T,): for<'r> FromRow<'r, PgRow>,
{
    let mut connection = connections.acquire().await?;
    let answer = question.fetch_one(&mut *connection).await;
    connection.release(answer.map_err(BackendError::unavailable))
}
