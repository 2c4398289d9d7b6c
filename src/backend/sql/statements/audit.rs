//! The audit log: rows that are written with each change, in its transaction, read by page, and purged when they are old. `store` reads and
//! purges them.

// Layer 3 of 10: storage.

use super::ROWS_PER_STATEMENT;
use super::filter::{restrict, restrict_keys, restrict_to};
use crate::audit::AuditEvent;
use crate::backend::audit::Author;
use crate::backend::sql::session::{Row, Session};
use crate::backend::sql::statement::Statement;
use crate::backend::{AuditEntry, AuditQuery, BackendError, Invalidation, KeyFilter, LoggedAction};
use crate::clock::Timestamp;
use crate::environment::Environment;
use crate::key::KeyId;
use crate::owner::{Organization, Owner};

/// Deletes a batch of old entries.
pub(crate) const PURGE: &str = "DELETE FROM tower_api_key_audit
        WHERE seq IN (SELECT seq FROM tower_api_key_audit WHERE at < $1 ORDER BY at LIMIT $2)";

/// Rows that one statement deletes.
pub(crate) const PURGE_BATCH: i64 = 1_000;

/// The columns of an entry that are copied from its key. Sessions have no entries.
const KEY_COLUMNS: &str = "id, environment, owner_organization, owner_email, owner_project FROM tower_api_key
    WHERE session_opener IS NULL AND ";

/// Begins a statement that writes an entry for each key that a condition selects.
fn insert(action: &str, successor: Option<&KeyId>, author: Author<'_>) -> Statement {
    let insert = Statement::new(
        "INSERT INTO tower_api_key_audit (action, related_key_id, made_by, delegated, key_id, environment,
         owner_organization, owner_email, owner_project) SELECT ",
    );
    let insert = insert.push(action).push(", ").push_bind(successor.map(KeyId::as_str)).push(", ");
    insert.push_bind(author.name).push(", ").push_bind(author.delegated).push(", ").push(KEY_COLUMNS)
}

/// Writes the entry of an action on a key, which the table holds. The row of the key is not decoded.
pub(super) async fn record(
    session: &mut dyn Session,
    action: LoggedAction,
    key: &str,
    successor: Option<&KeyId>,
    author: Author<'_>,
) -> Result<(), BackendError> {
    let action = format!("'{}'", action.label());
    session.execute(&insert(&action, successor, author).push("id = ").push_bind(key)).await.map(drop)
}

/// Writes entries for the keys of a filter before their revocation, locks them, and returns their number. Ids are not decoded: an undecodable one
/// must not keep the other keys alive.
pub(super) async fn record_revoked(
    session: &mut dyn Session,
    filter: &KeyFilter,
    by: Option<&str>,
) -> Result<u64, BackendError> {
    let insert = restrict_keys(revoked(by).push("revoked_at IS NULL"), filter).push(" ORDER BY id");
    session.execute(&insert.push(session.dialect().lock_rows_suffix)).await
}

/// Writes entries for keys of a batch, which are locked.
pub(super) async fn record_revoked_keys(
    session: &mut dyn Session,
    keys: &[Invalidation],
    by: Option<&str>,
) -> Result<(), BackendError> {
    session.execute(&restrict_to(revoked(by), keys).push(" ORDER BY id")).await.map(drop)
}

/// Begins a statement that writes entries of a revocation of several keys, which only the application makes.
fn revoked(by: Option<&str>) -> Statement {
    insert("'revoked'", None, Author { name: by, delegated: false })
}

/// Writes entries for keys that are about to be deleted.
pub(super) async fn record_deleted(
    session: &mut dyn Session,
    deleted: &[Invalidation],
) -> Result<(), BackendError> {
    const ACTION: &str = "CASE WHEN revoked_at IS NULL THEN 'expired' ELSE 'deleted' END";
    for deleted in deleted.chunks(ROWS_PER_STATEMENT) {
        let insert = insert(ACTION, None, Author::default());
        session.execute(&restrict_to(insert, deleted).push(" ORDER BY id")).await?;
    }
    Ok(())
}

/// Removes a purged owner from its entries: another owner may get its id.
pub(super) async fn forget_owner(session: &mut dyn Session, owner: &KeyFilter) -> Result<(), BackendError> {
    let forget = Statement::new(
        "UPDATE tower_api_key_audit SET owner_organization = NULL, owner_email = NULL, owner_project = NULL
         WHERE TRUE",
    );
    session.execute(&restrict(forget, owner)).await.map(drop)
}

pub(crate) fn select(query: &AuditQuery) -> Statement {
    let select = Statement::new(
        "SELECT seq, at, action, key_id, related_key_id, made_by, delegated, environment, owner_organization,
         owner_email, owner_project FROM tower_api_key_audit WHERE TRUE",
    );
    let mut select = restrict(select, &query.filter());
    if let Some(key) = &query.key {
        select = select.push(" AND key_id = ").push_bind(key);
    }
    if let Some(actor) = &query.actor {
        select = select.push(" AND made_by = ").push_bind(&**actor);
    }
    if let Some(delegated) = query.delegated {
        select = select.push(" AND delegated = ").push_bind(delegated);
    }
    if let Some(action) = query.action {
        select = select.push(" AND action = ").push_bind(action.label());
    }
    if let Some(start) = query.from {
        select = select.push(" AND at >= ").push_bind(start);
    }
    if let Some(end) = query.to {
        select = select.push(" AND at < ").push_bind(end);
    }
    let (behind, order) = match query.oldest_first {
        true => (" AND (at, seq) > (", " ORDER BY at, seq LIMIT "),
        false => (" AND (at, seq) < (", " ORDER BY at DESC, seq DESC LIMIT "),
    };
    if let Some((at, seq)) = query.after {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        select = select.push(behind).push_bind(at).push(", ").push_bind(seq).push(")");
    }
    select.push(order).push_bind(query.limit)
}

/// Decodes an entry.
///
/// # Errors
///
/// If a column has an unexpected value.
pub(crate) fn decode(row: &Row) -> Result<AuditEntry, BackendError> {
    let id = |text: String| KeyId::new(&text).map_err(BackendError::corrupt);
    let unknown = |what: &str| BackendError::corrupt(format!("unknown {what} in the audit log"));
    let logged: LoggedAction = row.get::<String>("action")?.parse().map_err(|_| unknown("action"))?;
    let related = row.get::<Option<String>>("related_key_id")?.map(id).transpose()?;
    let action = logged.with(related).ok_or_else(|| unknown("action"))?;
    let text = |column| row.get::<Option<String>>(column);
    let owner = match (text("owner_organization")?, text("owner_project")?, text("owner_email")?) {
        (None, None, None) => None,
        (Some(organization), None, None) => Some(Owner::organization(organization)),
        (Some(organization), Some(project), None) => {
            Some(Owner::project(Organization::new(organization), project))
        }
        (None, None, Some(email)) => Some(Owner::user(email, [])),
        _ => return Err(unknown("kind of owner")),
    };
    let environment = Environment::from_label(&row.get::<String>("environment")?);
    let at = Timestamp::from_unix_millis(row.get("at")?);
    let event = AuditEvent::new(at, action).key(id(row.get("key_id")?)?).by(text("made_by")?.map(Into::into));
    Ok(AuditEntry {
        seq: u64::try_from(row.get::<i64>("seq")?).map_err(BackendError::corrupt)?,
        event,
        owner,
        environment: environment.ok_or_else(|| unknown("environment"))?,
        delegated: row.get("delegated")?,
    })
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::backend::sql::statements::sqlite_plan::sqlite_plan;

    #[tokio::test]
    async fn each_query_walks_an_index_in_its_order() {
        let (all, key) = (AuditQuery::all, KeyId::new("key_1").unwrap());
        let acme = || all().of_organization("acme").environment(Environment::Live);
        let at = Timestamp::from_unix_millis(1);
        for (query, index) in [
            (all(), "by_time (at"),
            (all().from(at).to(at), "by_time (at"),
            (all().action(LoggedAction::Revoked), "by_time"),
            (all().of_key(key.clone()), "by_key (key_id=?"),
            (acme().of_key(key), "by_key (key_id=?"),
            (all().by("admin"), "by_actor (made_by=?"),
            (acme(), "by_organization (owner_organization=?"),
            (acme().from(at).action(LoggedAction::Revoked), "by_organization (owner_organization=? AND at>?"),
            (all().of_project("acme", "sink"), "by_project (owner_organization=? AND owner_project=?"),
            (all().of_user("ann@example.com"), "by_email (owner_email=?"),
        ] {
            for mut query in [query.clone(), query.oldest_first()] {
                query.after = Some((at, 7));
                let plan = sqlite_plan(&select(&query)).await;
                assert!(plan.len() == 1 && plan[0].contains(index), "{query:?}: {plan:?}");
            }
        }
    }
}
