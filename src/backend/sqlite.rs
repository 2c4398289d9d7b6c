//! Keys kept in an SQLite file.

use std::str::FromStr;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{FromRow, Row, Sqlite, SqlitePool, Transaction};

use super::migrations::migrate_sqlite;
use super::row::KeyRow;
use super::{Backend, BackendError, Change, Changes, KeyStore, Subscriber};

use crate::digest::Digest;
use crate::key::KeyId;
use crate::record::{Record, Revocation};

/// A store in an SQLite file, by itself or among the tables of an application. Clones share the connections.
///
/// It tells the authenticators of its process of each change before it acknowledges it. Changes that another process
/// makes to the same file are seen when a cached record has run out.
///
/// ```
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// use tower_api_key::backend::KeyStore;
/// use tower_api_key::key::{KeyFormat, KeyId};
/// use tower_api_key::{Environment, Owner, Record, SqliteStore, Timestamp, digest::Digester};
///
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}/keys.db", folder.path().display());
/// let store = SqliteStore::open(&url).await?; // such as `sqlite:keys.db`
/// let key = KeyFormat::new("demo")?.mint(Environment::Live)?;
/// let id = KeyId::generate(Timestamp::from_unix_millis(0))?;
/// store.insert(Record::new(id.clone(), &key, &Digester::sha256(), Owner::organization("acme"))).await?;
/// assert_eq!(&*store.get(&id).await?.expect("the key").hint, key.hint());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pool: SqlitePool,
    changes: Changes,
}

const FIND: &str = "SELECT * FROM tower_api_key WHERE digest = ?";
const GET: &str = "SELECT * FROM tower_api_key WHERE id = ?";
const INSERT: &str = "INSERT INTO tower_api_key (
    id, digest, hint, name, owner_kind, owner_organization, owner_email, owner_project, environment, scopes, sources,
    created_at, created_by, expires_at, revoked_at, revoked_reason, rotated_from, rotated_to, last_used_at, metadata
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
const REVOKE: &str = "UPDATE tower_api_key
    SET revoked_at = coalesce(revoked_at, ?), revoked_reason = coalesce(revoked_reason, ?)
    WHERE id = ? RETURNING digest";
const LOG: &str = "INSERT INTO tower_api_key_change (digest, kind, at) VALUES (?, ?, CAST(unixepoch('subsec') * 1000 AS INTEGER))";

impl SqliteStore {
    /// Opens the database at `url`, such as `sqlite:keys.db`, and creates it if there is none.
    ///
    /// Every acknowledged change is on the disk, so that it survives the death of the process and of the machine: the
    /// write-ahead log is flushed with each transaction (`synchronous = FULL`).
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::BackendErrorKind::Invalid) if `url` is not the URL of an SQLite database in a file,
    /// [`Unavailable`](super::BackendErrorKind::Unavailable) if the file cannot be opened or is no database,
    /// [`Corrupt`](super::BackendErrorKind::Corrupt) if its schema is not that of this version of the crate.
    pub async fn open(url: &str) -> Result<Self, BackendError> {
        let options = SqliteConnectOptions::from_str(url)
            .map_err(BackendError::invalid)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        let file = options.get_filename().to_path_buf();
        if file.as_os_str().is_empty() {
            // SQLite would give each connection a database of its own, and forget it when the connection ends.
            return Err(BackendError::invalid("the URL names no file"));
        }
        let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await;
        let pool = pool.map_err(|error| {
            BackendError::unavailable(format!("cannot open the database {}: {error}", file.display()))
        })?;
        Self::with_pool(pool).await
    }

    /// Uses the connections of an application, and adds tables of its own (`tower_api_key`, `tower_api_key_change`,
    /// `tower_api_key_migration`) to the application's database.
    ///
    /// How durable an acknowledged change is depends on the pool: with `synchronous = NORMAL`, a power failure can undo
    /// the last revocations.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub async fn with_pool(pool: SqlitePool) -> Result<Self, BackendError> {
        migrate_sqlite(&pool).await?;
        Ok(Self { pool, changes: Changes::new() })
    }

    /// Closes all connections, after what is under way has ended.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn begin(pool: &SqlitePool) -> Result<Transaction<'static, Sqlite>, BackendError> {
        // A transaction that only turns into a writer half-way can fail where one that starts as a writer waits.
        pool.begin_with("BEGIN IMMEDIATE").await.map_err(BackendError::unavailable)
    }
}

impl Backend for SqliteStore {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        let row = sqlx::query_as(FIND).bind(&digest.as_bytes()[..]).fetch_optional(&self.pool).await;
        decode(row)
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.changes.subscribe(subscriber);
    }
}

impl KeyStore for SqliteStore {
    async fn insert(&self, record: Record) -> Result<(), BackendError> {
        let row = KeyRow::encode(&record)?;
        let pool = self.pool.clone();
        self.changes
            .commit(move |mut announcement| async move {
                let mut transaction = Self::begin(&pool).await?;
                write(&mut transaction, row).await?;
                log(&mut transaction, &record.digest, "changed").await?;
                announcement.arm(Change::Changed(record.digest));
                transaction.commit().await.map_err(BackendError::unavailable)
            })
            .await
    }

    async fn get(&self, id: &KeyId) -> Result<Option<Record>, BackendError> {
        let row = sqlx::query_as(GET).bind(id.as_str()).fetch_optional(&self.pool).await;
        decode(row)
    }

    async fn revoke(&self, id: &KeyId, revocation: Revocation) -> Result<(), BackendError> {
        let (id, pool) = (id.clone(), self.pool.clone());
        self.changes
            .commit(move |mut announcement| async move {
                let mut transaction = Self::begin(&pool).await?;
                let digest = mark_revoked(&mut transaction, &id, &revocation).await?;
                log(&mut transaction, &digest, "revoked").await?;
                // From here on the commit may succeed without our hearing of it.
                announcement.arm(Change::Changed(digest));
                transaction.commit().await.map_err(BackendError::unavailable)?;
                announcement.arm(Change::Revoked(digest));
                Ok(())
            })
            .await
    }
}

fn decode(row: Result<Option<KeyRow>, sqlx::Error>) -> Result<Option<Record>, BackendError> {
    match row {
        Ok(row) => row.map(KeyRow::decode).transpose(),
        Err(error @ (sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_))) => {
            Err(BackendError::corrupt(error))
        }
        Err(error) => Err(BackendError::unavailable(error)),
    }
}

async fn write(transaction: &mut Transaction<'_, Sqlite>, row: KeyRow) -> Result<(), BackendError> {
    let written = sqlx::query(INSERT)
        .bind(row.id)
        .bind(row.digest)
        .bind(row.hint)
        .bind(row.name)
        .bind(row.owner_kind)
        .bind(row.owner_organization)
        .bind(row.owner_email)
        .bind(row.owner_project)
        .bind(row.environment)
        .bind(row.scopes)
        .bind(row.sources)
        .bind(row.created_at)
        .bind(row.created_by)
        .bind(row.expires_at)
        .bind(row.revoked_at)
        .bind(row.revoked_reason)
        .bind(row.rotated_from)
        .bind(row.rotated_to)
        .bind(row.last_used_at)
        .bind(row.metadata)
        .execute(&mut **transaction)
        .await;
    match written {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(BackendError::conflict()),
        Err(error) => Err(BackendError::unavailable(error)),
    }
}

async fn mark_revoked(
    transaction: &mut Transaction<'_, Sqlite>,
    id: &KeyId,
    revocation: &Revocation,
) -> Result<Digest, BackendError> {
    let digest: Vec<u8> = sqlx::query_scalar(REVOKE)
        .bind(revocation.at.unix_millis())
        .bind(&*revocation.reason)
        .bind(id.as_str())
        .fetch_optional(&mut **transaction)
        .await
        .map_err(BackendError::unavailable)?
        .ok_or_else(BackendError::not_found)?;
    let bytes = digest.try_into().map_err(|_| BackendError::corrupt("the digest does not have 32 bytes"))?;
    Ok(Digest::from_bytes(bytes))
}

async fn log(
    transaction: &mut Transaction<'_, Sqlite>,
    digest: &Digest,
    kind: &str,
) -> Result<(), BackendError> {
    sqlx::query(LOG)
        .bind(&digest.as_bytes()[..])
        .bind(kind)
        .execute(&mut **transaction)
        .await
        .map(drop)
        .map_err(BackendError::unavailable)
}

impl FromRow<'_, SqliteRow> for KeyRow {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("id")?,
            digest: row.try_get("digest")?,
            hint: row.try_get("hint")?,
            name: row.try_get("name")?,
            owner_kind: row.try_get("owner_kind")?,
            owner_organization: row.try_get("owner_organization")?,
            owner_email: row.try_get("owner_email")?,
            owner_project: row.try_get("owner_project")?,
            environment: row.try_get("environment")?,
            scopes: row.try_get("scopes")?,
            sources: row.try_get("sources")?,
            created_at: row.try_get("created_at")?,
            created_by: row.try_get("created_by")?,
            expires_at: row.try_get("expires_at")?,
            revoked_at: row.try_get("revoked_at")?,
            revoked_reason: row.try_get("revoked_reason")?,
            rotated_from: row.try_get("rotated_from")?,
            rotated_to: row.try_get("rotated_to")?,
            last_used_at: row.try_get("last_used_at")?,
            metadata: row.try_get("metadata")?,
        })
    }
}
