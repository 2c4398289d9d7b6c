//! An SQLite file that is opened several times: by a store whose worker can be stopped at each row that it changes, by one that
//! waits for locks, and by one that does not.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, SqlitePool};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::time::timeout;
use tower_api_key::SqliteStore;

use crate::interleavings::cast::Cast;
use crate::interleavings::changes::{Node, TABLES};
use support::START;

const LONG: Duration = Duration::from_secs(30);

impl Node for SqliteStore {}

pub(crate) struct File {
    pub(crate) cast: Arc<Cast>,
    pub(crate) hooked: SqliteStore,
    pub(crate) hook: Hook,
    pub(crate) patient: SqliteStore,
    pub(crate) impatient: SqliteStore,
    watcher: SqlitePool,
    all_rows: String,
    _folder: TempDir,
}

impl File {
    pub(crate) async fn open() -> Self {
        let folder = TempDir::new().unwrap();
        let options = SqliteConnectOptions::new().filename(folder.path().join("keys.db"));
        let options = options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
        let options = options.synchronous(SqliteSynchronous::Off).busy_timeout(LONG);
        let one = || SqlitePoolOptions::new().max_connections(1);
        let watcher = one().connect_with(options.clone()).await.unwrap();
        let patient = SqliteStore::with_pool(watcher.clone()).await.unwrap();
        let hurried = one().connect_with(options.clone().busy_timeout(Duration::ZERO)).await.unwrap();
        let hook = Hook::default();
        let hooked = {
            let hook = hook.clone();
            one().after_connect(move |connection, _| {
                let (of_rows, of_commits) = (hook.clone(), hook.clone());
                Box::pin(async move {
                    let mut connection = connection.lock_handle().await?;
                    connection.set_update_hook(move |_| of_rows.pass());
                    connection.set_commit_hook(move || {
                        of_commits.pass();
                        true
                    });
                    Ok(())
                })
            })
        };
        let cast = Arc::new(Cast::admitted().await);
        cast.enter(&patient).await;
        let file = Self {
            cast,
            hooked: SqliteStore::with_pool(hooked.connect_with(options).await.unwrap()).await.unwrap(),
            hook,
            patient,
            impatient: SqliteStore::with_pool(hurried).await.unwrap(),
            all_rows: all_rows(&watcher).await,
            watcher,
            _folder: folder,
        };
        let keep = TABLES.map(|table| format!("CREATE TABLE start_of_{table} AS SELECT * FROM {table};"));
        // Generated columns are not written.
        let written = ["search_name", "search_hint"]
            .map(|column| format!("ALTER TABLE start_of_tower_api_key DROP COLUMN {column};"));
        file.run(keep.concat() + &written.concat()).await;
        file
    }

    /// Resets the file to the initial cast.
    pub(crate) async fn enter_anew(&self) {
        self.cast.clock.set_wall(START);
        let gone = TABLES.map(|table| format!("DELETE FROM {table};"));
        let again = TABLES.map(|table| format!("INSERT INTO {table} SELECT * FROM start_of_{table};"));
        let gone: Vec<String> = gone.into_iter().rev().collect();
        self.run(format!("BEGIN IMMEDIATE; {} {} COMMIT", gone.concat(), again.concat())).await;
    }

    async fn run(&self, statements: String) {
        sqlx::raw_sql(AssertSqlSafe(statements)).execute(&self.watcher).await.unwrap();
    }

    /// Returns all rows that are committed.
    pub(crate) async fn rows(&self) -> Vec<String> {
        sqlx::query_scalar(AssertSqlSafe(self.all_rows.clone())).fetch_all(&self.watcher).await.unwrap()
    }

    /// Returns the number of audit entries of an actor.
    pub(crate) async fn entries_by(&self, actor: &str) -> i64 {
        const COUNT: &str = "SELECT count(*) FROM tower_api_key_audit WHERE made_by = $1";
        sqlx::query_scalar(COUNT).bind(actor).fetch_one(&self.watcher).await.unwrap()
    }
}

/// Returns the query of all rows as texts.
async fn all_rows(pool: &SqlitePool) -> String {
    let mut queries = Vec::new();
    for table in TABLES {
        const COLUMNS: &str = "SELECT name FROM pragma_table_info($1)";
        let columns: Vec<String> = sqlx::query_scalar(COLUMNS).bind(table).fetch_all(pool).await.unwrap();
        let columns: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
        queries.push(format!("SELECT '{table} ' || {} FROM {table}", columns.join(" || ' ' || ")));
    }
    format!("{} ORDER BY 1", queries.join(" UNION ALL "))
}

/// Stops a connection in the middle of a transaction.
#[derive(Clone, Default)]
pub(crate) struct Hook(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// The number of rows that may still pass, and what the next one waits for.
    awaited: Mutex<Option<(usize, Receiver<()>)>>,
    held: Notify,
}

impl Hook {
    /// Stops at this row, or at the commit after the last one, until the sender is used or dropped.
    pub(crate) fn hold(&self, row: usize) -> Sender<()> {
        let (go_on, waits) = channel();
        *self.0.awaited.lock().unwrap() = Some((row, waits));
        go_on
    }

    /// Waits until it has stopped.
    pub(crate) async fn held(&self) {
        timeout(LONG, self.0.held.notified()).await.unwrap();
    }

    /// Stops nowhere any more.
    pub(crate) fn forget(&self) {
        *self.0.awaited.lock().unwrap() = None;
    }

    /// Runs on the thread of the connection.
    fn pass(&self) {
        let waits = {
            let mut awaited = self.0.awaited.lock().unwrap();
            match awaited.take() {
                Some((0, waits)) => waits,
                Some((rows, waits)) => {
                    *awaited = Some((rows - 1, waits));
                    return;
                }
                None => return,
            }
        };
        self.0.held.notify_one();
        let _ = waits.recv_timeout(LONG);
    }
}
