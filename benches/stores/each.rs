//! Operations that are the same for each database, but compiled once for each: the types of the driver differ.

use sqlx::{AssertSqlSafe, QueryBuilder, Row as _};
use tower_api_key::record::KeyState;
use tower_api_key_benches::columns::{FIND, TEXTS, TIMES};
use tower_api_key_benches::keys::SCOPES;

use super::{Database, Pool, Row};
use crate::rows::{self, NOW};

/// The number of keys per transaction, and per statement.
const BATCH: (usize, usize) = (100_000, 1_000);

const HOUR: i64 = 3_600_000;

/// Inserts all keys in large batches.
pub(super) async fn fill(pool: &Pool) {
    let keys = rows::count();
    let (commit, statement) = BATCH;
    for start in (0..keys).step_by(commit) {
        let mut transaction = pool.begin().await.unwrap();
        for start in (start..keys.min(start + commit)).step_by(statement) {
            let mut query = QueryBuilder::<Database>::new(
                "INSERT INTO tower_api_key (id, digest, hint, name, owner_kind, owner_organization, owner_project,
                    environment, scopes, sources, created_at, expires_at, revoked_at, revoked_reason, metadata) ",
            );
            query.push_values(start..keys.min(start + statement), |mut row, number| {
                let created = NOW.unix_millis() - HOUR * 24 * 365 + number as i64;
                let (expires, revoked) = match rows::state(number) {
                    KeyState::Expired => (Some(NOW.unix_millis() - HOUR), None),
                    KeyState::Revoked => (None, Some(NOW.unix_millis() - HOUR)),
                    _ => (number.is_multiple_of(2).then(|| NOW.unix_millis() + HOUR * 24 * 365), None),
                };
                let project = rows::project(number);
                row.push_bind(rows::id(number).to_string())
                    .push_bind(rows::digest(number).to_vec())
                    .push_bind(rows::hint(number))
                    .push_bind(rows::name(number))
                    .push_bind(if project.is_some() { "project" } else { "organization" })
                    .push_bind(rows::organization(number))
                    .push_bind(project)
                    .push_bind("live")
                    .push_bind(SCOPES)
                    .push_bind("")
                    .push_bind(created)
                    .push_bind(expires)
                    .push_bind(revoked)
                    .push_bind(revoked.map(|_| "lost"))
                    .push_bind("{}");
            });
            query.build().execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }
}

/// Inserts the usage of all keys, each on some days, and its totals.
pub(super) async fn fill_usage(pool: &Pool) {
    let (keys, (first, days)) = (rows::count(), rows::USAGE);
    let slots: Vec<_> = (0..rows::DAYS_OF_KEY).map(|slot| format!("SELECT {slot} AS slot")).collect();
    let slots = slots.join(" UNION ALL ");
    let columns = "owner_organization, owner_project";
    let (commit, _) = BATCH;
    let mut statements = Vec::new();
    for start in (0..keys).step_by(commit) {
        statements.push(format!(
            "INSERT INTO tower_api_key_usage (key_id, day, environment, {columns}, requests)
            SELECT id, {first} + (CAST(substr(id, 5) AS INTEGER) * 7 + slot * 9) % {days}, 'live', {columns}, 3
            FROM tower_api_key, ({slots}) AS slots WHERE id >= '{}' AND id < '{}'",
            rows::id(start),
            rows::id(start + commit)
        ));
    }
    for (kind, names, columns) in [
        ("whole", "'', ''", ""),
        ("organization", "owner_organization, ''", "owner_organization, "),
        ("project", "owner_organization, owner_project", "owner_organization, owner_project, "),
    ] {
        statements.push(format!(
            "INSERT INTO tower_api_key_usage_total (kind, organization, name, day, environment, requests)
            SELECT '{kind}', {names}, day, environment, sum(requests) FROM tower_api_key_usage
            WHERE '{kind}' <> 'project' OR owner_project IS NOT NULL GROUP BY {columns}day, environment"
        ));
    }
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(pool).await.unwrap();
    }
}

/// Looks a row up by the store's query, reads all columns, and returns the id.
pub(super) async fn bare(pool: &Pool, digest: [u8; 32]) -> String {
    let row = sqlx::query(FIND).bind(&digest[..]).fetch_one(pool).await.unwrap();
    std::hint::black_box(columns(&row));
    row.get("id")
}

fn columns(row: &Row) -> (Vec<u8>, Vec<Option<String>>, Vec<Option<i64>>) {
    (
        row.get("digest"),
        TEXTS.map(|column| row.get(column)).into(),
        TIMES.map(|column| row.get(column)).into(),
    )
}
