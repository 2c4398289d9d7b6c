//! Checks whether a service that also manages its keys could use the database now, by one role with the rights of both. Creates no file and no table, and changes no key.

use std::path::Path;

use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection, Executor};
use tower_api_key::backend::{AuditLog, AuditQuery, KeyStore, UsageQuery, UsageStore};
use tower_api_key::digest::Digest;
use tower_api_key::manage::{KeyManager, ManageErrorKind};
use tower_api_key::{Authenticator, KeyFormat, KeyId, PostgresStore, SqliteStore, Timestamp};

use crate::digesters::Digesters;
use crate::failure::Failure;
use crate::{database, now, output};

/// The most by which the clocks of the machine and of the database may differ, in milliseconds: the default lease.
const MAX_SKEW: i64 = 5_000;

/// The outcome of one check: its result, or why it failed.
type Outcome = Result<String, String>;

#[derive(Default)]
struct Report {
    lines: Vec<(&'static str, Outcome)>,
}

impl Report {
    /// Adds the outcome of a check, and returns whether it passed.
    fn add(&mut self, check: &'static str, outcome: Outcome) -> bool {
        self.lines.push((check, outcome));
        self.lines.last().is_some_and(|(_, outcome)| outcome.is_ok())
    }

    fn finish(self, as_json: bool) -> Result<(), Failure> {
        let line = |(check, outcome): &(&str, Outcome)| match outcome {
            Ok(detail) => format!("ok      {check:<9} {detail}"),
            Err(cause) => format!("FAILED  {check:<9} {cause}"),
        };
        let value = |(check, outcome): &(&str, Outcome)| {
            let (Ok(detail) | Err(detail)) = outcome;
            json!({ "check": check, "ok": outcome.is_ok(), "detail": detail })
        };
        output::show(&if as_json {
            self.lines.iter().map(value).collect::<Value>().to_string()
        } else {
            self.lines.iter().map(line).collect::<Vec<_>>().join("\n")
        })?;
        match self.lines.iter().filter(|(_, outcome)| outcome.is_err()).count() {
            0 => Ok(()),
            1 => Err(Failure::outside("1 check failed")),
            failed => Err(Failure::outside(format!("{failed} checks failed"))),
        }
    }
}

/// Checks a SQLite file.
pub(crate) async fn sqlite(url: &str, digesters: &Digesters, as_json: bool) -> Result<(), Failure> {
    let mut report = Report::default();
    let opened = match database::file(url) {
        Some(file) if report.add("file", exists(&file)) => {
            report.add("mode", mode(&file));
            report.add("tables", tables_of_file(url).await)
        }
        Some(_) => false,
        // The store rejects a URL without a file.
        None => true,
    };
    if opened {
        match SqliteStore::open(url).await {
            Ok(store) => {
                report.add("schema", Ok("of this version".to_owned()));
                store_is_usable(&mut report, &store, digesters).await;
                store.close().await;
            }
            Err(error) => _ = report.add("schema", Err(error.to_string())),
        }
    }
    report.finish(as_json)
}

/// Checks a PostgreSQL database.
pub(crate) async fn postgres(url: &str, digesters: &Digesters, as_json: bool) -> Result<(), Failure> {
    let mut report = Report::default();
    match PgConnection::connect(url).await {
        Ok(mut connection) => {
            report.add("server", Ok("connected".to_owned()));
            let has_tables = report.add("tables", tables_of_server(&mut connection).await);
            report.add("clock", clock_of_server(&mut connection).await);
            if has_tables {
                report.add("rights", rights(&mut connection).await);
                match PostgresStore::open(url).await {
                    Ok(store) => {
                        report.add("schema", Ok("of this version".to_owned()));
                        store_is_usable(&mut report, &store, digesters).await;
                        store.close().await;
                    }
                    Err(error) => _ = report.add("schema", Err(error.to_string())),
                }
            }
        }
        Err(error) => _ = report.add("server", Err(format!("cannot connect: {error}"))),
    }
    report.finish(as_json)
}

async fn store_is_usable<S: KeyStore + UsageStore + AuditLog + Clone>(
    report: &mut Report,
    store: &S,
    digesters: &Digesters,
) {
    let begun = now();
    let looked_up = store.find(&Digest::from_bytes([0; 32])).await;
    let millis = now().saturating_since(begun).as_millis();
    report.add(
        "lookup",
        looked_up.map(|_| format!("answered in {millis} ms")).map_err(|error| error.to_string()),
    );
    let today = now().into();
    report.add(
        "usage",
        store
            .usage(&UsageQuery::new(today, today).limit(1))
            .await
            .map(|_| "readable".to_owned())
            .map_err(|error| error.to_string()),
    );
    let newest = store.audit_log(&AuditQuery::all().limit(1)).await;
    report.add("audit", newest.map(|_| "readable".to_owned()).map_err(|error| error.to_string()));
    report.add("write", writes(store).await);
    let made = digesters.check(store).await;
    // A node with other digesters starts no poller.
    if report.add("digester", made.map(|()| "not contradicted".to_owned()).map_err(|error| error.to_string()))
    {
        report.add("feed", follows(store, digesters).await);
    }
}

/// Follows the changes of other processes, as a node does.
async fn follows<S: KeyStore + Clone>(store: &S, digesters: &Digesters) -> Outcome {
    let builder = digesters.authenticate(Authenticator::builder(store.clone()));
    let authenticator = builder.build().map_err(|error| error.to_string())?;
    authenticator.start().await.map_err(|error| error.to_string())?;
    let lease = authenticator.health().feed.map_or(0.0, |feed| feed.lease_remaining.as_secs_f32());
    Ok(format!("followed, with a lease of {lease:.1} s"))
}

/// Makes a change that has no effect: it revokes a key that does not exist, in a transaction that takes the locks of a change.
async fn writes<S: KeyStore + Clone>(store: &S) -> Outcome {
    let id = KeyId::generate(now()).map_err(|error| error.to_string())?;
    let manager = KeyManager::new(store.clone(), KeyFormat::new("check").map_err(|error| error.to_string())?);
    match manager.revoke(&id, "").await {
        Err(error) if error.kind() == ManageErrorKind::NotFound => Ok("possible".to_owned()),
        Err(error) => Err(error.to_string()),
        Ok(()) => Err(format!("a key with the random id {id} exists")),
    }
}

fn exists(file: &Path) -> Outcome {
    let name = file.display();
    std::fs::metadata(file).map(|_| name.to_string()).map_err(|error| format!("cannot find {name}: {error}"))
}

/// Checks that other users of the machine cannot read the digests, or add keys.
#[cfg(unix)]
fn mode(file: &Path) -> Outcome {
    let found = std::fs::metadata(file).map_err(|error| error.to_string())?;
    let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777;
    if mode & 0o077 != 0 {
        let name = file.display();
        return Err(format!("{mode:03o}: other users can read or write the file, run `chmod 600 {name}`"));
    }
    Ok(format!("{mode:03o}"))
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Outcome {
    Ok("not checked on this system".to_owned())
}

const NO_TABLES: &str = "the database has no tables of keys: run `init`";

async fn tables_of_file(url: &str) -> Outcome {
    const FIND: &str = "SELECT 1 FROM sqlite_master WHERE name = 'tower_api_key_migration'";
    let options: SqliteConnectOptions = url.parse().map_err(|error: sqlx::Error| error.to_string())?;
    let options = options.create_if_missing(false).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(|error| error.to_string())?;
    let found = connection.fetch_optional(FIND).await.map_err(|error| error.to_string());
    connection.close().await.map_err(|error| error.to_string())?;
    found?.map(|_| "present".to_owned()).ok_or_else(|| NO_TABLES.to_owned())
}

async fn tables_of_server(connection: &mut PgConnection) -> Outcome {
    const FIND: &str = "SELECT to_regclass('tower_api_key_migration') IS NOT NULL";
    let found: bool =
        sqlx::query_scalar(FIND).fetch_one(connection).await.map_err(|error| error.to_string())?;
    if found { Ok("present".to_owned()) } else { Err(NO_TABLES.to_owned()) }
}

/// Compares the clocks of the machine and of the server.
async fn clock_of_server(connection: &mut PgConnection) -> Outcome {
    const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT";
    let before = now();
    let there: i64 =
        sqlx::query_scalar(NOW).fetch_one(connection).await.map_err(|error| error.to_string())?;
    let skew = skew(before, there, now());
    let message = format!("{skew} ms from that of this machine");
    if skew <= MAX_SKEW { Ok(message) } else { Err(format!("{message}: set both by NTP")) }
}

/// Returns by how many milliseconds a time is outside the interval in which it was read.
fn skew(before: Timestamp, there: i64, after: Timestamp) -> i64 {
    (before.unix_millis() - there).max(there - after.unix_millis()).max(0)
}

/// Finds rights of a role that manages keys which this one lacks.
async fn rights(connection: &mut PgConnection) -> Outcome {
    const MISSING: &str = "SELECT privilege || ' ON ' || name FROM (VALUES
            ('tower_api_key', 'SELECT'), ('tower_api_key', 'INSERT'), ('tower_api_key', 'UPDATE'),
            ('tower_api_key', 'DELETE'), ('tower_api_key_change', 'INSERT'), ('tower_api_key_audit', 'SELECT'),
            ('tower_api_key_audit', 'INSERT'), ('tower_api_key_digest', 'SELECT'),
            ('tower_api_key_digest', 'INSERT'), ('tower_api_key_digest', 'DELETE'),
            ('tower_api_key_fingerprint', 'SELECT'), ('tower_api_key_fingerprint', 'INSERT'),
            ('tower_api_key_fingerprint', 'DELETE'), ('tower_api_key_plan', 'SELECT'),
            ('tower_api_key_user', 'SELECT'), ('tower_api_key_deleted_owner', 'SELECT'),
            ('tower_api_key_node', 'SELECT'), ('tower_api_key_usage', 'SELECT'),
            ('tower_api_key_usage_route', 'SELECT')) AS needed (name, privilege)
        WHERE NOT has_table_privilege(name, privilege) ORDER BY 1";
    let missing: Vec<String> =
        sqlx::query_scalar(MISSING).fetch_all(connection).await.map_err(|error| error.to_string())?;
    if missing.is_empty() {
        return Ok("those of a manager of keys".to_owned());
    }
    Err(format!("this role lacks {}", missing.join(", ")))
}
