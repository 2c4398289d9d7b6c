//! A store in an SQLite file.

// Layer 3 of 10: storage.
// Above `store` and `schema`; PostgreSQL is beside it. Bottom to top, a file importing only those before it:
// `dialect`, `disk`, `wal`, `file`, `open`, `poll`, `self`.

mod dialect;
mod disk;
mod file;
mod open;
mod poll;
mod wal;

use std::future::ready;
use std::sync::Arc;
use std::time::Instant;

use sqlx::{Sqlite, SqliteConnection, SqlitePool};

use file::File;

use super::connections::Connections;
use super::database::{DataSource, Database};
use super::invalidators::invalidator_of;
use super::namespace::Namespace;
use super::pooled_connection::ADMIN_QUERY_TIMEOUT;
use super::pools::{MANAGEMENT, Pools};
use super::schema::migrate;
use super::store::SqlStore;
use crate::backend::{BackendError, BoxFuture, BoxedChangeFeed};

/// A store in an SQLite file, by itself or among the tables of an application. Clones share the connections.
///
/// It invalidates the authenticators of its process before it acknowledges a change, including those over another store on the
/// same file. Changes by another process take effect with the next poll, and within the
/// [lease](crate::AuthenticatorBuilder::lease) in any case.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::backend::{KeyChange, KeyStore};
/// use tower_api_key::key::{KeyFormat, KeyId};
/// use tower_api_key::{Environment, Owner, Record, SqliteStore, Timestamp, digest::Digester};
///
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}/keys.db", folder.path().display());
/// let store = SqliteStore::open(&url).await?; // such as `sqlite:keys.db`
/// let key = KeyFormat::new("demo")?.mint(Environment::Live)?;
/// let id = KeyId::generate(Timestamp::from_unix_millis(0))?;
/// let record = Record::new(id.clone(), &key, &Digester::sha256(), Owner::organization("acme"));
/// store.change(KeyChange::insert(record)).await?;
/// assert_eq!(&*store.get(&id).await?.expect("the key").hint, key.hint());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub type SqliteStore = SqlStore<Sqlite>;

impl SqliteStore {
    /// Opens the database at `url`, such as `sqlite:keys.db`. Creates it if the file does not exist, readable by its owner alone.
    ///
    /// The process must be able to write the file and its folder, even if it only looks keys up. The file must not be replaced,
    /// moved or deleted while it is open: all operations fail then, until the process restarts. Lookups may still succeed until
    /// the next poll, change or list detects that. Overwriting the file in place is not detected: stop all processes before you
    /// restore a [backup](crate::_guide::operations#backups).
    ///
    /// Acknowledged changes survive a crash of the process and of the machine: the write-ahead log is flushed with each
    /// transaction (`synchronous = FULL`).
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::backend::BackendErrorKind::Invalid) if `url` is not the URL of a writable SQLite database in a file,
    /// [`Unavailable`](crate::backend::BackendErrorKind::Unavailable) if the file cannot be opened or written, or is no database,
    /// [`Corrupt`](crate::backend::BackendErrorKind::Corrupt) if its schema is not that of this version of the crate.
    pub async fn open(url: &str) -> Result<Self, BackendError> {
        let pool = open::connect(url, MANAGEMENT).await?;
        let store = store_of(pool.clone()).await?;
        // Last, because a database that is refused must stay as it was.
        open::switch_to_write_ahead_log(&pool).await?;
        Ok(store)
    }

    /// Uses the pool of an application for management, and creates tables in its database. Their names start with
    /// `tower_api_key`. Lookups and polls have separate connections, made with the options of the pool: up to four, and one. That
    /// for polls stays open, whatever the pool's limits of lifetime and idle time.
    ///
    /// A database in memory is visible to its pool alone, so its connections cannot be divided: lists, changes and the
    /// application may delay lookups of good keys.
    ///
    /// The durability of an acknowledged change depends on the pool: with `synchronous = NORMAL`, a power failure can undo the
    /// last revocations.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub async fn with_pool(pool: SqlitePool) -> Result<Self, BackendError> {
        store_of(pool).await
    }
}

/// Opens a store over a pool, for `open` and `with_pool`.
async fn store_of(pool: SqlitePool) -> Result<SqliteStore, BackendError> {
    let shared = Pools::shared(&pool);
    let migrated = migrate(&shared.writes).await;
    let namespace = migrated.map_err(|error| open::with_file_name(&pool, error))?;
    let file = File::of(&pool);
    let invalidator = invalidator_of(format!("sqlite:{}", file.name().display()));
    let connections = if file.is_in_memory() {
        shared
    } else {
        Pools::derived_from(&pool, &(Arc::new(|options| options) as _))
    };
    Ok(SqlStore { connections: Arc::new(connections), namespace, invalidator, data_source: file })
}

impl Database for Sqlite {
    type DataSource = File;

    fn enter_namespace(_: &mut SqliteConnection) -> BoxFuture<'_, Namespace> {
        Box::pin(ready(Ok(Namespace::OF_FILE)))
    }

    /// The thread of a connection would otherwise continue a query without a client.
    #[allow(clippy::disallowed_methods, reason = "a store has no clock, and lets nothing in by this")]
    fn begin_limit(connection: &mut SqliteConnection) -> BoxFuture<'_, ()> {
        const STEPS: i32 = 10_000;
        let end = Instant::now() + ADMIN_QUERY_TIMEOUT;
        Box::pin(async move {
            let mut handle = connection.lock_handle().await.map_err(BackendError::unavailable)?;
            handle.set_progress_handler(STEPS, move || Instant::now() < end);
            Ok(())
        })
    }

    fn end_limit(connection: &mut SqliteConnection) -> BoxFuture<'_, ()> {
        Box::pin(async {
            connection.lock_handle().await.map_err(BackendError::unavailable)?.remove_progress_handler();
            Ok(())
        })
    }
}

impl DataSource<Sqlite> for File {
    fn change_feed(&self, polling: &Connections<Sqlite>) -> BoxedChangeFeed {
        BoxedChangeFeed::new(poll::ChangeLog::new(polling.clone(), self.clone()))
    }

    fn check(&self) -> BoxFuture<'_, ()> {
        Box::pin(Self::check(self))
    }

    fn last_check(&self) -> Result<(), BackendError> {
        Self::last_check(self)
    }
}
