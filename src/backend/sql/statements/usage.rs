//! Writing and querying usage.

use sqlx::{Connection, QueryBuilder};

use super::dialect::{
    BEGIN_CHANGE, Database, DatabaseConnection, DatabaseTransaction, Namespace, SKIP_LOCKED, begin_read,
    end_read,
};
use super::errors::{read_error, write_error};
use super::filter::restrict;
use super::pooled_connection::{ADMIN_QUERY_TIMEOUT, detached, read_bounded, run, run_on, with_timeout};
use super::{ROWS_PER_STATEMENT, Store};
use crate::backend::filter::OwnerIds;
use crate::backend::{BackendError, UsageBatch, UsageBy, UsageCount, UsageLine, UsageQuery, UsageStore};
use crate::clock::Day;
use crate::environment::Environment;
use crate::key::KeyId;

/// Changes nothing if this batch, or a later one, was recorded before.
const RECORD_BATCH: &str = "INSERT INTO tower_api_key_usage_writer (writer, batch) VALUES ($1, $2)
    ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, at = excluded.at
    WHERE tower_api_key_usage_writer.batch < excluded.batch";
/// How long the last batch of an idle writer is kept, in milliseconds: a week.
const WRITER_RETENTION: i64 = 7 * 24 * 60 * 60 * 1_000;

/// A row: the key unless it is a total, the day, the environment, and the number of requests.
type UsageRow = (Option<String>, i64, String, i64);

impl UsageStore for Store {
    async fn add_usage(&self, batch: &UsageBatch) -> Result<(), BackendError> {
        with_timeout(ADMIN_QUERY_TIMEOUT, self.check_source()).await?;
        run!(self.connections.background, |connection| add(connection, &self.namespace, batch)).await
    }

    async fn usage(&self, query: &UsageQuery) -> Result<Vec<UsageLine>, BackendError> {
        let query = query.clone();
        read_bounded!(self, |connection| lines(connection, &query)).await
    }
}

async fn lines(
    connection: &mut DatabaseConnection,
    query: &UsageQuery,
) -> Result<Vec<UsageLine>, BackendError> {
    let mut select = select(query);
    let rows: Vec<UsageRow> = select.build_query_as().fetch_all(connection).await.map_err(read_error)?;
    rows.into_iter().map(decode).collect()
}

/// Adds a batch in one transaction, whose first statement returns whether the batch is new.
async fn add(
    connection: &mut DatabaseConnection,
    namespace: &Namespace,
    batch: &UsageBatch,
) -> Result<(), BackendError> {
    let begun = connection.begin_with(namespace.begin(BEGIN_CHANGE)).await;
    let mut transaction = begun.map_err(BackendError::unavailable)?;
    if record_batch(&mut transaction, batch).await? {
        for counts in batch.counts().chunks(ROWS_PER_STATEMENT) {
            add_counts(&mut transaction, counts).await?;
        }
        // Last, because this locks keys: other changes of them wait only for the commit.
        update_last_uses(&mut transaction, batch).await?;
    }
    transaction.commit().await.map_err(BackendError::unavailable)
}

async fn record_batch(
    transaction: &mut DatabaseTransaction<'_>,
    batch: &UsageBatch,
) -> Result<bool, BackendError> {
    let number = i64::try_from(batch.number()).map_err(BackendError::invalid)?;
    let recorded =
        sqlx::query(RECORD_BATCH).bind(batch.writer()).bind(number).execute(&mut **transaction).await;
    let is_new = recorded.map_err(write_error)?.rows_affected() > 0;
    if is_new {
        delete_idle_writers(transaction, batch.writer()).await?;
    }
    Ok(is_new)
}

/// Uses the time of the database, which is the same for all writers.
async fn delete_idle_writers(
    transaction: &mut DatabaseTransaction<'_>,
    writer: &str,
) -> Result<(), BackendError> {
    let mut query = QueryBuilder::<Database>::new(
        "DELETE FROM tower_api_key_usage_writer WHERE writer IN (SELECT writer FROM tower_api_key_usage_writer
         WHERE at < (SELECT at FROM tower_api_key_usage_writer WHERE writer = ",
    );
    query.push_bind(writer.to_owned()).push(") - ").push_bind(WRITER_RETENTION).push(SKIP_LOCKED).push(")");
    query.build().execute(&mut **transaction).await.map(drop).map_err(BackendError::unavailable)
}

/// Adds the counts. The rows are in the order of the batch, so that concurrent transactions lock them in the same order.
async fn add_counts(
    transaction: &mut DatabaseTransaction<'_>,
    counts: &[UsageCount],
) -> Result<(), BackendError> {
    let requests = |count: &UsageCount| i64::try_from(count.requests).map_err(BackendError::invalid);
    let rows: Vec<_> =
        counts.iter().map(|count| Ok((count, requests(count)?))).collect::<Result<_, BackendError>>()?;
    let mut query = QueryBuilder::<Database>::new(
        "INSERT INTO tower_api_key_usage
         (key_id, day, environment, owner_organization, owner_project, owner_email, requests) ",
    );
    query.push_values(rows, |mut row, (count, requests)| {
        let OwnerIds { organization, project, user } = OwnerIds::of(&count.owner);
        let text = |text: Option<&str>| text.map(str::to_owned);
        row.push_bind(count.key.as_str().to_owned())
            .push_bind(count.day.unix_days())
            .push_bind(count.environment.label())
            .push_bind(text(organization))
            .push_bind(text(project))
            .push_bind(text(user))
            .push_bind(requests);
    });
    query.push(
        " ON CONFLICT (key_id, day, environment)
         DO UPDATE SET requests = tower_api_key_usage.requests + excluded.requests",
    );
    query.build().persistent(false).execute(&mut **transaction).await.map(drop).map_err(write_error)
}

/// Updates when existing keys were last used, where this is later. Skips keys that another transaction is changing, which their
/// next use corrects: that change must not wait, or fail with a deadlock.
async fn update_last_uses(
    transaction: &mut DatabaseTransaction<'_>,
    batch: &UsageBatch,
) -> Result<(), BackendError> {
    let uses: Vec<_> = batch.last_uses().into_iter().collect();
    for uses in uses.chunks(ROWS_PER_STATEMENT) {
        let mut query = QueryBuilder::<Database>::new(
            "UPDATE tower_api_key SET last_used_at = used.at
             FROM (SELECT tower_api_key.id AS id, uses.column2 AS at FROM (",
        );
        query.push_values(uses, |mut row, (id, at)| {
            row.push_bind(id.as_str().to_owned()).push_bind(at.unix_millis());
        });
        query.push(
            ") AS uses JOIN tower_api_key ON tower_api_key.id = uses.column1
             WHERE tower_api_key.last_used_at IS NULL OR tower_api_key.last_used_at < uses.column2",
        );
        query.push(SKIP_LOCKED).push(") AS used WHERE tower_api_key.id = used.id");
        let written = query.build().persistent(false).execute(&mut **transaction).await;
        written.map_err(BackendError::unavailable)?;
    }
    Ok(())
}

fn select(query: &UsageQuery) -> QueryBuilder<Database> {
    let (key, order) = match query.by {
        UsageBy::Key => ("key_id", "day, key_id, environment"),
        UsageBy::Total => ("CAST(NULL AS TEXT)", "day, environment"),
    };
    let mut select = QueryBuilder::new("SELECT ");
    select.push(key).push(
        " AS key_id, day, environment, CAST(sum(requests) AS BIGINT) AS requests
         FROM tower_api_key_usage WHERE day >= ",
    );
    select.push_bind(query.from.unix_days()).push(" AND day <= ").push_bind(query.to.unix_days());
    restrict(&mut select, &query.filter());
    if let Some(key) = &query.key {
        select.push(" AND key_id = ").push_bind(key.as_str().to_owned());
    }
    if let Some(UsageLine { day, key, environment, .. }) = &query.after {
        select.push(" AND (").push(order).push(") > (").push_bind(day.unix_days());
        if query.by == UsageBy::Key {
            select.push(", ").push_bind(key.as_ref().map_or("", KeyId::as_str).to_owned());
        }
        select.push(", ").push_bind(environment.label()).push(")");
    }
    select.push(" GROUP BY ").push(order).push(" ORDER BY ").push(order);
    select.push(" LIMIT ").push_bind(i64::try_from(query.limit).unwrap_or(i64::MAX));
    select
}

fn decode((key, day, environment, requests): UsageRow) -> Result<UsageLine, BackendError> {
    let key = key.as_deref().map(KeyId::new).transpose().map_err(BackendError::corrupt)?;
    let environment = Environment::from_label(&environment)
        .ok_or_else(|| BackendError::corrupt("expected live or test, found something else"))?;
    let requests = u64::try_from(requests).map_err(BackendError::corrupt)?;
    Ok(UsageLine::new(key, Day::from_unix_days(day), environment, requests))
}
