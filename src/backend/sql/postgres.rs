//! A store in a PostgreSQL database, for several processes on several machines.

// Layer 3 of 10: storage.
// Above `store` and `schema`; SQLite is beside it. Bottom to top, a file importing only those before it:
// `dialect`, `schema_search`, `client_check`, `pooler`, `listener`, `node`, `fleet`, `replica`, `poll`, `quota`, `self`.

mod client_check;
mod dialect;
mod fleet;
mod listener;
mod node;
mod poll;
mod pooler;
mod quota;
mod replica;
mod schema_search;

pub(crate) use quota::{BlockRequest, BlockReturn, QuotaBlock, QuotaTable};

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio::time::timeout;

use fleet::Fleet;
use replica::{MinLsn, Replica};

use super::connections::Connections;
use super::database::{DataSource, Database};
use super::invalidators::invalidator_of;
use super::namespace::Namespace;
use super::pools::{MANAGEMENT, Pools};
use super::schema::migrate;
use super::statement::Statement;
use super::store::SqlStore;
use crate::backend::{BackendError, BackendErrorKind, BoxFuture, BoxedChangeFeed, Propagation};
use crate::digest::Digest;
use crate::record::Record;

/// The limit of the wait for a connection. A request that waits for one has a separate, shorter deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A store in a PostgreSQL database (13 or later), by itself or among the tables of an application. Clones share the connections.
///
/// It invalidates the authenticators of its process before it acknowledges a change, including those over another store in the
/// same database. Changes by another process take effect with the next poll, and within the
/// [lease](crate::AuthenticatorBuilder::lease) in any case. For failover, the rights of roles and PgBouncer, see
/// [operations](crate::_guide::operations).
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
pub type PostgresStore = SqlStore<Postgres>;

/// The server of a store, and its nodes.
#[derive(Debug, Clone)]
pub struct Server {
    namespace: Namespace,
    fleet: Fleet,
    node_name: Box<str>,
    is_polling_only: bool,
    replica: Option<Replica>,
    quotas: QuotaTable,
}

impl PostgresStore {
    /// Connects to the database at `url`, such as `postgres://user:password@host/database`, and migrates the schema. The store
    /// keeps up to thirteen connections, and each authenticator one more, see
    /// [operations](crate::_guide::operations#connections-and-pgbouncer).
    ///
    /// For TLS connections, enable one of sqlx's TLS features (`tls-rustls`, `tls-native-tls`) in your own manifest.
    ///
    /// # Errors
    ///
    /// [`Invalid`](BackendErrorKind::Invalid) if `url` is not the URL of a PostgreSQL database, or leads to a
    /// [pooler](crate::_guide::operations#connections-and-pgbouncer) that loses prepared statements,
    /// [`Unavailable`](BackendErrorKind::Unavailable) if no connection can be made, [`Corrupt`](BackendErrorKind::Corrupt) if its
    /// schema is not that of this version of the crate, or several schemas of the search path have its tables.
    pub async fn open(url: &str) -> Result<Self, BackendError> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            // The URL is not shown: it may contain a password.
            return Err(invalid_url("it does not start with `postgres://`"));
        }
        // No number with a fraction is read, and PgBouncer does not support the setting.
        let options = PgConnectOptions::from_str(url).map_err(invalid_url)?.extra_float_digits(None);
        // A pool would retry, and finally report only a timeout.
        let trial = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await;
        drop(trial.map_err(cannot_connect)?.map_err(cannot_connect)?);
        // Management keeps one connection, so that lookups cannot use up those of the server.
        let pool = PgPoolOptions::new().min_connections(1).max_connections(MANAGEMENT);
        Self::with_pool(pool.acquire_timeout(CONNECT_TIMEOUT).connect_lazy_with(options)).await
    }

    /// Uses the pool of an application for management, and creates tables in its database. Their names start with
    /// `tower_api_key`. They are created in the first schema of the search path, unless another schema of the path has them. From
    /// then on the store uses that schema, whatever the search path of a session.
    ///
    /// Lists and changes use up to seven connections of the pool, and wait while the application holds all of them. Lookups and
    /// polls do not: the store keeps up to five connections and one more for these, and each authenticator one to
    /// [listen](Self::polling_only) on. These are made with the options of the pool, and with `client_connection_check_interval`
    /// if the server accepts it. When the options of the pool change, such as the password of its role, new connections use the
    /// new ones.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub async fn with_pool(pool: PgPool) -> Result<Self, BackendError> {
        pooler::check(&pool.connect_options()).await?;
        let adapt = client_check::end_statements_with_client(&pool.connect_options()).await;
        let connections = Pools::derived_from(&pool, &adapt);
        let namespace = migrate(&connections.writes).await?;
        let invalidator = invalidator_of(identity(&connections.writes, &namespace).await?);
        // Before management takes more than one: if the server has few connections, these are reserved.
        for kept in [&connections.lookups, &connections.polling] {
            kept.acquire().await?.release(Ok(()))?;
        }
        let data_source = Server {
            namespace: namespace.clone(),
            fleet: Fleet::new(connections.lookups.clone(), namespace.clone()),
            node_name: node::default_name(),
            is_polling_only: false,
            replica: None,
            quotas: QuotaTable::new(&pool, &adapt, namespace.clone()),
        };
        Ok(Self { connections: Arc::new(connections), namespace, invalidator, data_source })
    }

    /// Sets the name of this process in the list of nodes, for [`Propagation::missing`](crate::backend::Propagation::missing). Default:
    /// the host name and the process id.
    #[must_use]
    pub fn node_name(self, name: impl Into<Box<str>>) -> Self {
        Self { data_source: Server { node_name: name.into(), ..self.data_source }, ..self }
    }

    /// Disables notifications, so that changes by other processes are found by polling alone. For poolers that do not keep a
    /// connection with one session, such as PgBouncer in transaction mode, where notifications do not arrive. A change then takes
    /// effect with the next poll, see [`poll_interval`](crate::AuthenticatorBuilder::poll_interval).
    #[must_use]
    pub fn polling_only(self) -> Self {
        Self { data_source: Server { is_polling_only: true, ..self.data_source }, ..self }
    }

    /// Looks keys up on a replica: a hot standby that streams from this database. It is used up to the
    /// [lease](crate::AuthenticatorBuilder::lease) after the last poll of the primary, unless it is behind what this process
    /// knows. The primary serves everything else: changes, lists, polls, keys that the replica does not have, and all lookups
    /// while the replica is behind, or for a second after it gave no answer within 200 ms.
    ///
    /// Revocations take effect as without a replica: each poll reads the write position of the primary's log, and a replica that
    /// has not replayed that much is not used. Each connection of the pool has to stay with one server. See
    /// [operations](crate::_guide::operations#read-replicas).
    #[must_use]
    pub fn with_replica(self, pool: PgPool) -> Self {
        let min_lsn = MinLsn::tracked();
        // Before any authenticator over this store, so that none reads stale data after a change.
        min_lsn.subscribe_to(&self.invalidator);
        let replica = Replica::new(pool, self.namespace.clone(), min_lsn);
        Self { data_source: Server { replica: Some(replica), ..self.data_source }, ..self }
    }

    /// Returns the table of quotas.
    pub(crate) fn quotas(&self) -> &QuotaTable {
        &self.data_source.quotas
    }
}

impl Database for Postgres {
    type DataSource = Server;

    fn enter_namespace(transaction: &mut PgConnection) -> BoxFuture<'_, Namespace> {
        Box::pin(schema_search::enter_namespace(transaction))
    }
}

impl DataSource<Postgres> for Server {
    const LISTS_NODES: bool = true;

    fn change_feed(&self, polling: &Connections<Postgres>) -> BoxedChangeFeed {
        let min_lsn = self.replica.as_ref().map_or_else(MinLsn::default, Replica::min_lsn);
        let (polling, namespace, listens) = (polling.clone(), self.namespace.clone(), !self.is_polling_only);
        BoxedChangeFeed::new(poll::ChangeLog::new(polling, namespace, &self.node_name, min_lsn, listens))
    }

    fn find_on_replica<'a>(&'a self, digests: &'a [Digest]) -> Option<BoxFuture<'a, Option<Record>>> {
        let replica = self.replica.as_ref()?;
        Some(Box::pin(async { Ok(replica.find(digests).await) }))
    }

    fn wait_for_nodes(
        &self,
        lease: Duration,
        at_most: Duration,
    ) -> Pin<Box<dyn Future<Output = Propagation> + Send + '_>> {
        Box::pin(self.fleet.wait(lease, at_most))
    }

    fn close(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.quotas.close())
    }
}

fn invalid_url(cause: impl Display) -> BackendError {
    let message = format!(
        "cannot open PostgreSQL database: the URL is invalid: {cause}. Use a URL such as `postgres://user@host/database`"
    );
    BackendError::new(BackendErrorKind::Invalid, message)
}

fn cannot_connect(cause: impl Display) -> BackendError {
    let message = format!("cannot connect to the PostgreSQL database: {cause}");
    BackendError::new(BackendErrorKind::Unavailable, message)
}

/// Returns a name that identifies the tables: a server has many databases, and these many schemas. It is the same in every
/// session, so it contains no time as text, which depends on the session's time zone.
async fn identity(
    connections: &Connections<Postgres>,
    namespace: &Namespace,
) -> Result<String, BackendError> {
    const IDENTITY: &str = "SELECT concat_ws(' ', 'postgres', current_database(), tableoid,
            (extract(epoch FROM applied_at) * 1000000)::BIGINT) AS identity
        FROM tower_api_key_migration WHERE version = 1";
    let row = connections.fetch_optional(&Statement::new(namespace.qualify(IDENTITY).0)).await?;
    row.ok_or_else(|| BackendError::corrupt("a database without migrations"))?.get("identity")
}
