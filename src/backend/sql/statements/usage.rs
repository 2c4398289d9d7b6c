//! Writing, querying and deleting usage.

// Layer 3 of 10: storage.

use std::collections::HashMap;

use super::ROWS_PER_STATEMENT;
use super::filter::restrict;
use super::usage_totals::{self, Numbers, Totals, UsageRow};
use crate::backend::filter::OwnerIds;
use crate::backend::sql::connections::Connections;
use crate::backend::sql::namespace::Namespace;
use crate::backend::sql::pooled_connection::run;
use crate::backend::sql::session::{Driver, Row, Session, begin};
use crate::backend::sql::statement::{Statement, Value};
use crate::backend::{BackendError, KeyFilter, UsageBatch, UsageBy, UsageCount, UsageLine, UsageQuery};
use crate::clock::Day;
use crate::environment::Environment;
use crate::key::KeyId;

/// Changes nothing if this batch, or a later one, was recorded before.
const RECORD_BATCH: &str = "INSERT INTO tower_api_key_usage_writer (writer, batch) VALUES ($1, $2)
    ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, at = excluded.at
    WHERE tower_api_key_usage_writer.batch < excluded.batch";
/// How long the last batch of an idle writer is kept, in milliseconds: a week.
const WRITER_RETENTION: i64 = 7 * 24 * 60 * 60 * 1_000;

/// Rows that one statement deletes.
const DELETE_BATCH: usize = 1_000;

/// Adds a batch, and has a stale statement prepared again.
pub(crate) async fn add<D: Driver>(
    connections: &Connections<D>,
    namespace: &Namespace,
    batch: &UsageBatch,
) -> Result<(), BackendError> {
    let mut connection = connections.acquire().await?;
    run!(connection, add_on::<D>(&mut connection, namespace, batch))
}

/// Adds a batch in one transaction, whose first statement returns whether the batch is new.
async fn add_on<D: Driver>(
    connection: &mut D::Connection,
    namespace: &Namespace,
    batch: &UsageBatch,
) -> Result<(), BackendError> {
    let mut transaction = begin::<D>(connection, namespace.begin(D::DIALECT.begin_change)).await?;
    if record_batch(&mut *transaction, batch).await? {
        let mut totals = Totals::default();
        for counts in batch.counts().chunks(ROWS_PER_STATEMENT) {
            add_counts(&mut *transaction, counts, &mut totals).await?;
        }
        add_routes(&mut *transaction, batch).await?;
        totals.write(&mut *transaction).await?;
        // Last, because this locks keys: other changes of them wait only for the commit.
        update_last_uses(&mut *transaction, batch).await?;
    }
    transaction.commit().await.map_err(BackendError::unavailable)
}

async fn record_batch(session: &mut dyn Session, batch: &UsageBatch) -> Result<bool, BackendError> {
    let number = i64::try_from(batch.number()).map_err(BackendError::invalid)?;
    let record = Statement::new(RECORD_BATCH).bind(batch.writer()).bind(number);
    let is_new = session.execute(&record).await? > 0;
    if is_new {
        delete_idle_writers(session, batch.writer()).await?;
    }
    Ok(is_new)
}

/// Uses the time of the database, which is the same for all writers.
async fn delete_idle_writers(session: &mut dyn Session, writer: &str) -> Result<(), BackendError> {
    let delete = Statement::new(
        "DELETE FROM tower_api_key_usage_writer WHERE writer IN (SELECT writer FROM tower_api_key_usage_writer
         WHERE at < (SELECT at FROM tower_api_key_usage_writer WHERE writer = ",
    );
    let delete = delete.push_bind(writer).push(") - ").push_bind(WRITER_RETENTION);
    session.execute(&delete.push(session.dialect().skip_locked_suffix).push(")")).await.map(drop)
}

/// Adds the counts. The rows are in the order of the batch, so that concurrent transactions lock them in the same order.
async fn add_counts(
    session: &mut dyn Session,
    counts: &[UsageCount],
    totals: &mut Totals,
) -> Result<(), BackendError> {
    let row = |count: &UsageCount| -> Result<[Value; 9], BackendError> {
        let OwnerIds { organization, project, user } = OwnerIds::of(&count.owner);
        let [requests, limited, forbidden] = numbers(count)?.map(Value::from);
        let (key, day, environment) = (&count.key, count.day.unix_days(), count.environment.label());
        let owner = [organization, project, user].map(Value::from);
        let [organization, project, user] = owner;
        let slot = [key.into(), day.into(), environment.into()];
        let [key, day, environment] = slot;
        Ok([key, day, environment, organization, project, user, requests, limited, forbidden])
    };
    let rows = counts.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let insert = Statement::new(
        "INSERT INTO tower_api_key_usage
         (key_id, day, environment, owner_organization, owner_project, owner_email, requests, limited, forbidden) ",
    );
    let insert = insert.push_rows(rows).push(
        " ON CONFLICT (key_id, day, environment)
         DO UPDATE SET requests = tower_api_key_usage.requests + excluded.requests,
            limited = tower_api_key_usage.limited + excluded.limited,
            forbidden = tower_api_key_usage.forbidden + excluded.forbidden RETURNING key_id, ",
    );
    let insert = insert.push(usage_totals::COLUMNS).once();
    let written = |row: &Row| Ok((row.get::<String>("key_id")?, UsageRow::decode(row)?));
    let slot = |count: &UsageCount| (count.key.clone(), count.day.unix_days(), count.environment.label());
    let by_slot: HashMap<_, _> = counts.iter().map(|count| (slot(count), count)).collect();
    for (key, row) in session.fetch(&insert, written).await? {
        let key = KeyId::new(&key).map_err(BackendError::corrupt)?;
        let added = by_slot.get(&(key, row.day, &*row.environment)).copied();
        let added = added.ok_or_else(|| BackendError::corrupt("it has counted for another key"))?;
        // The owner is that of the row: it stays if a key with the id of a deleted one has another owner.
        totals.add(row, numbers(added)?)?;
    }
    Ok(())
}

/// Returns the numbers of a count, as a database keeps them.
fn numbers(count: &UsageCount) -> Result<Numbers, BackendError> {
    let number = |number: u64| i64::try_from(number).map_err(BackendError::invalid);
    let [requests, limited, forbidden] = count.numbers();
    Ok([number(requests)?, number(limited)?, number(forbidden)?])
}

/// Adds the requests by route to those of the rows of their keys, which this transaction has locked.
async fn add_routes(session: &mut dyn Session, batch: &UsageBatch) -> Result<(), BackendError> {
    let row = |count: &UsageCount, route: &str, requests: u64| -> Result<[Value; 5], BackendError> {
        let requests = i64::try_from(requests).map_err(BackendError::invalid)?;
        let (key, day, environment) = (&count.key, count.day.unix_days(), count.environment.label());
        Ok([key.into(), day.into(), environment.into(), route.into(), requests.into()])
    };
    let routes = batch.counts().iter().flat_map(|count| {
        let row = &row;
        count.routes.iter().map(move |(route, requests)| row(count, route, *requests))
    });
    let rows = routes.collect::<Result<Vec<_>, _>>()?;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let insert = Statement::new(
            "INSERT INTO tower_api_key_usage_route
             (key_id, day, environment, route, owner_organization, owner_project, owner_email, requests)
             SELECT key_id, day, environment, counted.column4, owner_organization, owner_project, owner_email, counted.column5
             FROM (",
        );
        let insert = insert.push_rows(rows.iter().cloned()).push(
            ") AS counted JOIN tower_api_key_usage
             ON key_id = counted.column1 AND day = counted.column2 AND environment = counted.column3 WHERE TRUE
             ON CONFLICT (key_id, day, environment, route)
             DO UPDATE SET requests = tower_api_key_usage_route.requests + excluded.requests",
        );
        session.execute(&insert.once()).await?;
    }
    Ok(())
}

/// Updates when existing keys were last used, where this is later. Skips keys that another transaction is changing, which their
/// next use corrects: that change must not wait, or fail with a deadlock.
async fn update_last_uses(session: &mut dyn Session, batch: &UsageBatch) -> Result<(), BackendError> {
    let uses: Vec<_> = batch.last_uses().into_iter().collect();
    for uses in uses.chunks(ROWS_PER_STATEMENT) {
        let update = Statement::new(
            "UPDATE tower_api_key SET last_used_at = used.at
             FROM (SELECT tower_api_key.id AS id, uses.column2 AS at FROM (",
        );
        let update = update.push_rows(uses.iter().map(|(id, at)| [(*id).into(), (*at).into()])).push(
            ") AS uses JOIN tower_api_key ON tower_api_key.id = uses.column1
             WHERE tower_api_key.last_used_at IS NULL OR tower_api_key.last_used_at < uses.column2",
        );
        let update = update.push(session.dialect().skip_locked_suffix);
        session.execute(&update.push(") AS used WHERE tower_api_key.id = used.id").once()).await?;
    }
    Ok(())
}

/// Deletes the usage of the keys of an owner, within a transaction.
pub(super) async fn delete_owned(session: &mut dyn Session, owner: &KeyFilter) -> Result<(), BackendError> {
    let mut totals = Totals::default();
    while delete_batch(session, |rows| restrict(rows, owner), &mut totals).await? > 0 {}
    // Last, because this locks the totals of all owners: batches of other processes wait only for the commit.
    totals.write(session).await?;
    totals.delete_empty(session).await
}

/// Deletes a batch of the usage before a day in one transaction, and returns the number of its rows.
pub(crate) async fn purge<D: Driver>(
    connections: &Connections<D>,
    namespace: &Namespace,
    day: Day,
) -> Result<u64, BackendError> {
    let mut connection = connections.acquire().await?;
    run!(connection, purge_on::<D>(&mut connection, namespace, day))
}

async fn purge_on<D: Driver>(
    connection: &mut D::Connection,
    namespace: &Namespace,
    day: Day,
) -> Result<u64, BackendError> {
    let mut transaction = begin::<D>(connection, namespace.begin(D::DIALECT.begin_change)).await?;
    let before = |rows: Statement| rows.push(" AND day < ").push_bind(day.unix_days());
    let mut totals = Totals::default();
    let deleted = delete_batch(&mut *transaction, before, &mut totals).await?;
    totals.write(&mut *transaction).await?;
    totals.delete_empty(&mut *transaction).await?;
    transaction.commit().await.map_err(BackendError::unavailable)?;
    Ok(deleted)
}

/// Deletes some of the rows that a condition selects, takes their requests from the changes of totals, and returns the number of the rows.
async fn delete_batch(
    session: &mut dyn Session,
    condition: impl FnOnce(Statement) -> Statement,
    totals: &mut Totals,
) -> Result<u64, BackendError> {
    let delete = Statement::new(
        "DELETE FROM tower_api_key_usage WHERE (key_id, day, environment) IN (
         SELECT key_id, day, environment FROM tower_api_key_usage WHERE TRUE",
    );
    // In the order in which batches lock them. Locked here, as rows that another transaction deletes must not count as those of this one.
    let delete = condition(delete).push(" ORDER BY key_id, day, environment LIMIT ").push_bind(DELETE_BATCH);
    let delete = delete.push(session.dialect().lock_usage_suffix);
    let delete = delete.push(") RETURNING key_id, requests, limited, forbidden, ");
    let deleted =
        |row: &Row| Ok((row.get::<String>("key_id")?, usage_totals::numbers(row)?, UsageRow::decode(row)?));
    let rows = session.fetch(&delete.push(usage_totals::COLUMNS), deleted).await?;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        // Foreign keys alone do not suffice: an application may turn them off in SQLite.
        let delete =
            Statement::new("DELETE FROM tower_api_key_usage_route WHERE (key_id, day, environment) IN (");
        let slots = rows
            .iter()
            .map(|(key, _, row)| [key.clone().into(), row.day.into(), row.environment.clone().into()]);
        session.execute(&delete.push_rows(slots).push(")").once()).await?;
    }
    let number = rows.len() as u64;
    for (_, numbers, row) in rows {
        totals.add(row, numbers.map(|number| -number))?;
    }
    Ok(number)
}

/// Selects totals where they have the answer, and the rows of keys elsewhere.
pub(crate) fn select(query: &UsageQuery) -> Statement {
    usage_totals::select(query).unwrap_or_else(|| select_rows(query))
}

/// What differs between the groupings of lines: columns, and the table that they come from.
const BY_KEY: &str = "key_id, CAST(NULL AS TEXT) AS route, CAST(sum(limited) AS BIGINT) AS limited,
    CAST(sum(forbidden) AS BIGINT) AS forbidden FROM tower_api_key_usage";
const IN_TOTAL: &str =
    "CAST(NULL AS TEXT) AS key_id, CAST(NULL AS TEXT) AS route, CAST(sum(limited) AS BIGINT) AS limited,
    CAST(sum(forbidden) AS BIGINT) AS forbidden FROM tower_api_key_usage";
const BY_ROUTE: &str =
    "CAST(NULL AS TEXT) AS key_id, route, CAST(0 AS BIGINT) AS limited, CAST(0 AS BIGINT) AS forbidden
    FROM tower_api_key_usage_route";

fn select_rows(query: &UsageQuery) -> Statement {
    let (columns, order) = match query.by {
        UsageBy::Key => (BY_KEY, "day, key_id, environment"),
        UsageBy::Total => (IN_TOTAL, "day, environment"),
        UsageBy::Route => (BY_ROUTE, "day, route, environment"),
    };
    let select = Statement::new("SELECT day, environment, CAST(sum(requests) AS BIGINT) AS requests, ");
    let select = select.push(columns).push(" WHERE day >= ");
    let select =
        select.push_bind(query.from.unix_days()).push(" AND day <= ").push_bind(query.to.unix_days());
    let mut select = restrict(select, &query.filter());
    if let Some(key) = &query.key {
        select = select.push(" AND key_id = ").push_bind(key);
    }
    if let Some(UsageLine { day, key, route, environment, .. }) = &query.after {
        select = select.push(" AND (").push(order).push(") > (").push_bind(day.unix_days());
        let group = match query.by {
            UsageBy::Key => Some(key.as_ref().map_or("", KeyId::as_str)),
            UsageBy::Total => None,
            UsageBy::Route => Some(route.as_deref().unwrap_or_default()),
        };
        if let Some(group) = group {
            select = select.push(", ").push_bind(group);
        }
        select = select.push(", ").push_bind(environment.label()).push(")");
    }
    select = select.push(" GROUP BY ").push(order).push(" ORDER BY ").push(order);
    select.push(" LIMIT ").push_bind(query.limit)
}

pub(crate) fn decode(row: &Row) -> Result<UsageLine, BackendError> {
    let key: Option<String> = row.get("key_id")?;
    let key = key.as_deref().map(KeyId::new).transpose().map_err(BackendError::corrupt)?;
    let environment = Environment::from_label(&row.get::<String>("environment")?)
        .ok_or_else(|| BackendError::corrupt("expected live or test, found something else"))?;
    let number = |number: i64| u64::try_from(number).map_err(BackendError::corrupt);
    let [requests, limited, forbidden] = usage_totals::numbers(row)?;
    let line = UsageLine::new(key, Day::from_unix_days(row.get("day")?), environment, number(requests)?);
    let line = line.rejected(number(limited)?, number(forbidden)?);
    Ok(UsageLine { route: row.get::<Option<String>>("route")?.map(Into::into), ..line })
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::backend::sql::statements::sqlite_plan::sqlite_plan;

    #[tokio::test]
    async fn each_query_seeks_its_rows_in_their_order() {
        let days = || UsageQuery::new(Day::from_unix_days(20_000), Day::from_unix_days(20_089));
        let total = "SEARCH tower_api_key_usage_total USING PRIMARY KEY (kind=? AND organization=? AND name=? AND day>? AND day<?)";
        let of_key = "SEARCH tower_api_key_usage USING PRIMARY KEY (key_id=? AND day>? AND day<?)";
        let routes = |index: &str| format!("SEARCH tower_api_key_usage_route USING {index}");
        let by_day = routes("INDEX tower_api_key_usage_route_by_day (day>? AND day<?)");
        let by_owner = routes(
            "INDEX tower_api_key_usage_route_by_organization (owner_organization=? AND day>? AND day<?)",
        );
        let by_key = routes("PRIMARY KEY (key_id=? AND day>? AND day<?)");
        for (query, expected) in [
            (days(), total),
            (days().environment(Environment::Live), total),
            (days().of_organization("acme"), total),
            (days().of_project("acme", "sink"), total),
            (days().of_user("ann@example.com"), total),
            (days().of_key(KeyId::new("key_1").unwrap()), of_key),
            (days().by(UsageBy::Route), &by_day),
            (days().of_organization("acme").by(UsageBy::Route), &by_owner),
            (days().of_key(KeyId::new("key_1").unwrap()).by(UsageBy::Route), &by_key),
        ] {
            let plan = sqlite_plan(&select(&query)).await;
            // Lines by route are sorted: those of a day come from several keys.
            assert_eq!(plan[0], expected, "{query:?}");
            assert!(plan.len() == 1 || query.by == UsageBy::Route, "{query:?}: {plan:?}");
        }
    }
}
