//! Looking keys up.

// Layer 3 of 10: storage.

use super::filter::restrict_keys;
use crate::backend::search::Ordered;
use crate::backend::sql::dialect::Dialect;
use crate::backend::sql::key_row::{KeyRow, decode_digest};
use crate::backend::sql::namespace::Namespace;
use crate::backend::sql::owner_state::{OwnerState, decode_plan};
use crate::backend::sql::session::{Row, Session};
use crate::backend::sql::statement::Statement;
use crate::backend::{BackendError, KeyFilter, SearchPosition};
use crate::digest::{Digest, MAX_FORMER};
use crate::key::KeyId;
use crate::record::Record;

pub(crate) fn by_id(dialect: &Dialect, id: &KeyId) -> Statement {
    Statement::new(dialect.lookups.keys).push(" WHERE id = ").push_bind(id)
}

/// Returns the first `limit` keys that match a filter after `after`.
pub(crate) fn page(dialect: &Dialect, filter: &KeyFilter, after: Option<&KeyId>, limit: usize) -> Statement {
    let mut page = restrict_keys(Statement::new(dialect.lookups.keys).push(" WHERE TRUE"), filter);
    if let Some(after) = after {
        page = page.push(" AND id > ").push_bind(after);
    }
    page.push(" ORDER BY id LIMIT ").push_bind(limit)
}

/// Counts the keys that match a filter and are not revoked, up to a number.
pub(crate) fn count_unrevoked(filter: &KeyFilter, most: usize) -> Statement {
    let keys =
        Statement::new("SELECT count(*) AS keys FROM (SELECT 1 FROM tower_api_key WHERE revoked_at IS NULL");
    restrict_keys(keys, filter).push(" LIMIT ").push_bind(most).push(") AS found")
}

/// Returns the first `limit` keys that a search finds after a position, in its order.
pub(crate) fn search(
    dialect: &Dialect,
    filter: &KeyFilter,
    after: Option<&SearchPosition>,
    limit: usize,
) -> Statement {
    let column = match filter.ordered() {
        Ordered::Name => "search_name",
        Ordered::Hint => "search_hint",
    };
    let (start, end) = filter.ordered_range();
    // The range says it by itself, and PostgreSQL would take a second condition for one that few keys meet.
    let rest = filter.without_ordered_start();
    let search = restrict_keys(Statement::new(dialect.lookups.keys).push(" WHERE TRUE"), &rest);
    // One lower bound: with two, SQLite might walk from the first key of all that match.
    let mut search = match after.filter(|after| *after.text() >= *start) {
        Some(after) => search
            .push(&format!(" AND ({column}, id) > ("))
            .push_bind(after.text())
            .push(", ")
            .push_bind(after.id())
            .push(")"),
        None => search.push(&format!(" AND {column} >= ")).push_bind(start),
    };
    if let Some(end) = end {
        search = search.push(&format!(" AND {column} < ")).push_bind(end);
    }
    search.push(&format!(" ORDER BY {column}, id LIMIT ")).push_bind(limit)
}

/// Looks up the key with the first of these digests that has one, by the statements for one and for four digests.
pub(crate) async fn find(
    session: &mut dyn Session,
    digests: &[Digest],
    [one, several]: [&'static str; 2],
    namespace: &Namespace,
) -> Result<Option<Record>, BackendError> {
    if let [digest] = digests {
        let find = Statement::new(namespace.qualify(one).0).bind(digest);
        return session.fetch_optional(&find).await?.as_ref().map(decode_found).transpose();
    }
    for digests in digests.chunks(1 + MAX_FORMER) {
        let find = Statement::new(namespace.qualify(several).0);
        // Repeated, so that all numbers of digests share one prepared statement.
        let find = digests.iter().cycle().take(1 + MAX_FORMER).fold(find, Statement::bind);
        let mut found = session.fetch(&find, decode_found).await?;
        let first =
            digests.iter().find_map(|digest| found.iter().position(|record| record.digest == *digest));
        if let Some(first) = first {
            return Ok(Some(found.swap_remove(first)));
        }
    }
    Ok(None)
}

/// Decodes a key that was looked up by digests. Its digest is the one under which it was found.
fn decode_found(row: &Row) -> Result<Record, BackendError> {
    let digest = decode_digest(&row.get::<Vec<u8>>("found_under")?)?;
    Ok(Record { digest, ..decode(row)? })
}

/// Returns a key, within a transaction.
pub(super) async fn fetch(session: &mut dyn Session, id: &KeyId) -> Result<Option<Record>, BackendError> {
    let get = by_id(session.dialect(), id);
    session.fetch_optional(&get).await?.as_ref().map(decode).transpose()
}

/// Returns a key, and locks its row until the transaction ends.
pub(super) async fn fetch_for_update(
    session: &mut dyn Session,
    id: &KeyId,
) -> Result<Option<Record>, BackendError> {
    let get = by_id(session.dialect(), id).push(session.dialect().lock_rows_suffix);
    session.fetch_optional(&get).await?.as_ref().map(decode).transpose()
}

/// Decodes a key, the limits of its plan, and the state of its owner.
pub(crate) fn decode(row: &Row) -> Result<Record, BackendError> {
    let owner = OwnerState::from_row(row)?;
    let mut record = KeyRow::from_row(row)?.decode()?;
    let limits: Option<String> = row.get("plan_limits")?;
    // A revoked key may name a plan that was deleted.
    let plan = record.plan.filter(|_| limits.is_some() || record.revoked.is_none());
    record.plan = decode_plan(plan.map(|plan| plan.name().to_owned()), limits)?;
    owner.complete(&mut record.owner)?;
    Ok(record)
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::backend::sql::session::Driver;
    use crate::backend::sql::statements::sqlite_plan::sqlite_plan;
    use crate::clock::Timestamp;
    use crate::record::KeyState;

    #[tokio::test]
    async fn each_search_seeks_its_start_in_an_index_of_its_order() {
        let (owner, project) = ("owner_organization=?", "owner_organization=? AND owner_project=?");
        for (filter, index, columns) in [
            (KeyFilter::all(), "by", ""),
            (KeyFilter::all().state(KeyState::Expired, Timestamp::from_unix_millis(1)), "by", ""),
            (KeyFilter::all().state(KeyState::Revoked, Timestamp::from_unix_millis(1)), "revoked_by", ""),
            (KeyFilter::of_organization("acme"), "by_organization", owner),
            (KeyFilter::of_project("acme", "sink"), "by_project", project),
            (KeyFilter::of_user("ann@example.com"), "by_email", "owner_email=?"),
        ] {
            for (filter, of) in
                [(filter.clone().name_starts_with("CI"), "name"), (filter.starts_with("demo"), "hint")]
            {
                let id = KeyId::new("key_1").unwrap();
                let after = SearchPosition::new("fine", id);
                let and = if columns.is_empty() { "" } else { " AND " };
                let first = format!("{columns}{and}search_{of}>? AND search_{of}<?)");
                let next = format!("{columns}{and}(search_{of},id)>(?,?) AND search_{of}<?)");
                for (after, bounds) in [(None, first), (Some(&after), next)] {
                    let dialect = <sqlx::Sqlite as Driver>::DIALECT;
                    let plan = sqlite_plan(&search(dialect, &filter, after, 21)).await;
                    let expected =
                        format!("SEARCH tower_api_key USING INDEX tower_api_key_{index}_{of} ({bounds}");
                    assert_eq!(plan[0], expected, "{filter:?}");
                    assert!(plan.iter().all(|step| !step.contains("ORDER BY")), "{plan:?}");
                }
            }
        }
    }
}
