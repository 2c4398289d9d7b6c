//! Changes of keys, as statements within the transaction of a change: they write keys, digests, fingerprints and the audit log. `write`
//! appends the returned invalidations to the change feed.

// Layer 3 of 10: storage.

use super::ROWS_PER_STATEMENT;
use super::actor::authorize;
use super::audit;
use super::digests::{self, of_all_digests};
use super::filter::{not_ended, restrict_keys, restrict_to};
use super::last_manager::check_managers;
use super::locks::KeyLocks;
use super::owners::check_owner_not_deleted;
use super::plans::current;
use super::read::{fetch, fetch_for_update};
use super::written::Written;

use crate::backend::audit::Author;
use crate::backend::key_edit::{EditOutcome, KeyEdit, PredecessorEnd};
use crate::backend::sql::change_codec::MAX_LOGGED_CHANGES;
use crate::backend::sql::dialect::Dialect;
use crate::backend::sql::key_row::{KeyRow, columns, decode_digest};
use crate::backend::sql::session::{Row, Session, is_unique_violation};
use crate::backend::sql::statement::Statement;
use crate::backend::{
    AuthorizedActor, BackendError, Invalidation, KeyAction, KeyBatch, KeyChange, KeyFilter, LoggedAction,
};
use crate::clock::Timestamp;
use crate::digest::{Digest, Fingerprint};
use crate::key::KeyId;
use crate::record::{Record, Revocation};

const INSERT: &str = concat!("INSERT INTO tower_api_key (", columns!(), ", digester) ");
const CHANGE: &str = "UPDATE tower_api_key SET name = $2, scopes = $3, expires_at = $4, revoked_at = $5,
    revoked_reason = $6, rotated_to = $7, first_use_grace = $8, metadata = $9, revoked_by = $10, labels = $11,
    disabled_at = $12, disabled_reason = $13, disabled_by = $14, disabled_locked = $15,
    limits = $16, plan = $17 WHERE id = $1";
const END: &str = "UPDATE tower_api_key SET expires_at = $2
    WHERE id = $1 AND rotated_to = $3 AND (expires_at IS NULL OR expires_at > $2) RETURNING digest";
const REVOKE: &str = "UPDATE tower_api_key SET revoked_at = $2, revoked_reason = $3, revoked_by = $4
    WHERE id = $1 AND revoked_at IS NULL AND ($5 OR session_opener IS NULL) RETURNING digest";
/// The time after the end of a key in which its deletion is a change for the feed. In milliseconds, by the clock of the database.
/// After an hour no process considers the key active, whatever its clock and its cache.
const NOTIFY_WINDOW: i64 = 60 * 60 * 1_000;

/// Sessions that one transaction ends: fewer than would invalidate everything.
const SESSION_BATCH: usize = 500;
/// Keys that one transaction of a purge deletes: other changes wait for it.
const PURGE_BATCH: usize = 500;
const DIGEST_OF: &str = "SELECT digest FROM tower_api_key WHERE id = $1 AND ($2 OR session_opener IS NULL)";

/// Returns the locks of the keys that a change writes or depends on. Locks nothing for a key that the actor may not access.
pub(super) async fn key_locks(
    session: &mut dyn Session,
    change: &KeyChange,
) -> Result<KeyLocks, BackendError> {
    let locks = KeyLocks::of(&change.actor);
    let locks = match &change.action {
        KeyAction::Insert(record) | KeyAction::InsertExclusive(record, ..) => locks.digest(&record.digest),
        KeyAction::Rotate(_, rotation) => locks.digest(&rotation.digest),
        KeyAction::EndSessions(opener, ..) => locks.ending_sessions(opener),
        _ => locks,
    };
    let locks = match &change.action {
        KeyAction::Insert(record) => locks.opening_session_of(record),
        _ => locks,
    };
    let Some(id) = change.target() else { return Ok(locks) };
    let reads_relatives = match &change.action {
        KeyAction::Rotate(..) => true,
        KeyAction::Update(_, update) => update.expires_at.is_some(),
        _ => false,
    };
    if !reads_relatives && !change.has_bounds() {
        // An undecodable row must not keep a key alive, so only necessary rows are read.
        return Ok(locks.writing([id]));
    }
    let target = fetch(session, id).await?;
    let Some(target) = target.filter(|target| change.check_visible(target).is_ok()) else {
        // An actor that is not active is refused first, whatever it asks for.
        authorize(session, &change.actor).await?;
        return Err(BackendError::not_found());
    };
    let locks = if change.keeps_manager() { locks.keeping_manager(&target.owner) } else { locks };
    let relatives = [&target.rotated_from, &target.rotated_to].into_iter().flatten();
    Ok(locks.opening_session_of(&target).writing(relatives.filter(|_| reads_relatives).chain([id])))
}

/// Makes a change of keys, if its actor may make it. For a purge: the batch of keys `after` an id.
pub(super) async fn apply(
    session: &mut dyn Session,
    change: &KeyChange,
    authorized: Option<&AuthorizedActor>,
    after: &str,
) -> Result<Written, BackendError> {
    let by = Some((change, authorized));
    if change.target().is_none() {
        change.check(authorized, None)?;
    }
    match change.action.clone() {
        KeyAction::Insert(record) => insert(session, &record, change).await,
        KeyAction::Update(id, update) => edit(session, &id, KeyEdit::Update(update), by).await,
        KeyAction::Rotate(id, rotation) => edit(session, &id, KeyEdit::Rotate(rotation), by).await,
        KeyAction::Disable(id, disabling) => edit(session, &id, KeyEdit::Disable(disabling), by).await,
        KeyAction::Enable(id, now) => edit(session, &id, KeyEdit::Enable(now), by).await,
        KeyAction::InsertExclusive(record, filter, revocation) => {
            let revoked = revoke_all(session, &filter, &revocation).await?;
            let inserted = insert(session, &record, change).await?;
            let changes = [revoked.changes, inserted.changes].concat();
            Ok(Written { record: inserted.record, keys: revoked.keys, ..Written::several(changes) })
        }
        KeyAction::Revoke(id, revocation) => {
            if change.has_bounds() {
                let target = fetch_for_update(session, &id).await?.ok_or_else(BackendError::not_found)?;
                change.check(authorized, Some(&target))?;
                let after = Record { revoked: Some(revocation.clone()), ..target.clone() };
                check_managers(session, change, authorized, &target, &after).await?;
            }
            revoke(session, &id, &revocation, change).await
        }
        KeyAction::RevokeAll(filter, revocation) => revoke_all(session, &filter, &revocation).await,
        KeyAction::RevokeBatch(batch, revocation) => revoke_batch(session, &batch, &revocation).await,
        KeyAction::EndSessions(opener, kept, revocation) => {
            end_sessions(session, &opener, kept, &revocation).await
        }
        KeyAction::PurgeEnded(before) => purge_ended(session, before, after, &KeyFilter::all()).await,
        KeyAction::PurgeSessions(before) => purge_ended(session, before, after, &KeyFilter::sessions()).await,
        KeyAction::RetireDigests(digester, now) => digests::retire(session, &digester, now, after).await,
    }
}

/// Records the first use of a key, which may end its predecessor.
pub(super) async fn record_first_use(
    session: &mut dyn Session,
    id: &KeyId,
    at: Timestamp,
) -> Result<Written, BackendError> {
    let used = fetch(session, id).await?.ok_or_else(BackendError::not_found)?;
    let keys = used.rotated_from.iter().chain([id]);
    KeyLocks::default().writing(keys).acquire(session).await?;
    edit(session, id, KeyEdit::FirstUse(at), None).await
}

async fn insert(
    session: &mut dyn Session,
    record: &Record,
    change: &KeyChange,
) -> Result<Written, BackendError> {
    check_owner_not_deleted(session, &record.owner).await?;
    digests::check_is_new(session, &record.digest).await?;
    digests::made_with(session, change.fingerprints()).await?;
    current(session, record.plan.clone()).await?;
    let row =
        encode_row(record)?.values().into_iter().chain([change.digester().map(Fingerprint::as_str).into()]);
    let inserted = session.execute(&Statement::new(INSERT).push_rows([row])).await;
    // Elsewhere, such an error does not mean that the key exists: a sequence may be behind its rows, after a failover by logical
    // replication.
    inserted.map_err(|error| if is_unique_violation(&error) { BackendError::conflict() } else { error })?;
    let author = Author { name: record.created_by.as_deref(), delegated: change.has_bounds() };
    audit::record(session, LoggedAction::Created, record.id.as_str(), None, author).await?;
    // With the limits of its plan, and the state of its owner.
    let inserted = fetch(session, &record.id).await?;
    Ok(Written { record: inserted, ..Written::one(Invalidation::Changed(record.digest)) })
}

/// Edits a key, if the actor may edit it as it was before.
async fn edit(
    session: &mut dyn Session,
    id: &KeyId,
    edit: KeyEdit,
    by: Option<(&KeyChange, Option<&AuthorizedActor>)>,
) -> Result<Written, BackendError> {
    let before = fetch_for_update(session, id).await?.ok_or_else(BackendError::not_found)?;
    by.map_or(Ok(()), |(change, authorized)| change.check(authorized, Some(&before)))?;
    let relative = match edit.depends_on(&before) {
        // Its key lock is held, or a rotation that came first created it. Its row is not locked: two rows are locked in no order.
        Some(id) => fetch(session, &id).await?,
        None => None,
    };
    let mut record = before.clone();
    let belongs_to = by.map(|(change, _)| change);
    let name = edit.author(belongs_to.and_then(|change| change.actor.name())).map(str::to_owned);
    let (action, delegated) = (edit.logged_action(), belongs_to.is_some_and(KeyChange::has_bounds));
    let author = Author { name: name.as_deref(), delegated };
    let EditOutcome { successor, ended_predecessor } = edit.apply(&mut record, relative.as_ref())?;
    if record.plan != before.plan {
        record.plan = current(session, record.plan).await?;
    }
    if let Some((change, authorized)) = by {
        let after = successor.as_ref().unwrap_or(&record);
        check_managers(session, change, authorized, &before, after).await?;
    }
    let mut changes = Vec::new();
    if record != before {
        changes.push(change(session, &record).await?);
        let to = successor.as_ref().map(|new| &new.id);
        audit::record(session, action, id.as_str(), to, author).await?;
    }
    if let Some(successor) = &successor
        && let Some((change, _)) = by
    {
        changes.extend(insert(session, successor, change).await?.changes);
    }
    if let Some(PredecessorEnd { id: predecessor, expires_at: end, .. }) = ended_predecessor {
        if let Some((change, authorized)) = by.filter(|(change, _)| change.has_bounds())
            && let Some(ended) = fetch_for_update(session, &predecessor).await?
        {
            change.check_end(authorized, &ended)?;
        }
        let end = Statement::new(END).bind(&predecessor).bind(end).bind(id);
        if let Some(digest) = changed(session, &end).await? {
            audit::record(session, LoggedAction::Updated, predecessor.as_str(), None, author).await?;
            changes.push(Invalidation::Changed(digest));
        }
    }
    Ok(Written { record: Some(successor.unwrap_or(record)), ..Written::several(changes) })
}

async fn change(session: &mut dyn Session, record: &Record) -> Result<Invalidation, BackendError> {
    let row = encode_row(record)?;
    let change = Statement::new(CHANGE).bind(row.id).bind(row.name).bind(row.scopes).bind(row.expires_at);
    let change = change.bind(row.revoked_at).bind(row.revoked_reason).bind(row.rotated_to);
    let change = change.bind(row.first_use_grace).bind(row.metadata).bind(row.revoked_by).bind(row.labels);
    let change = change.bind(row.disabled_at).bind(row.disabled_reason).bind(row.disabled_by);
    let change = change.bind(row.disabled_locked).bind(row.limits).bind(row.plan);
    session.execute(&change).await?;
    Ok(Invalidation::of(record))
}

/// Encodes a record, without the state of its owner, which is stored elsewhere.
fn encode_row(record: &Record) -> Result<KeyRow, BackendError> {
    KeyRow::encode(&Record { owner: record.owner.identity(), ..record.clone() })
}

/// Revokes a key without decoding its row: an undecodable one must not keep a key alive.
async fn revoke(
    session: &mut dyn Session,
    id: &KeyId,
    revocation: &Revocation,
    change: &KeyChange,
) -> Result<Written, BackendError> {
    let Revocation { at, reason, by, .. } = revocation;
    let revoke = Statement::new(REVOKE).bind(id).bind(*at).bind(&**reason).bind(by.as_deref());
    if let Some(digest) = changed(session, &revoke.bind(change.is_of_session())).await? {
        let author = Author { name: by.as_deref(), delegated: change.has_bounds() };
        audit::record(session, LoggedAction::Revoked, id.as_str(), None, author).await?;
        return Ok(Written::one(Invalidation::Revoked(digest)));
    }
    // Locked, as a retirement that commits in between would drop this digest.
    let find = Statement::new(DIGEST_OF).bind(id).bind(change.is_of_session());
    let find = find.push(session.dialect().lock_rows_suffix);
    let known = changed(session, &find).await?;
    let digest = known.ok_or_else(BackendError::not_found)?;
    Ok(Written::unchanged(Invalidation::Revoked(digest)))
}

/// Revokes all keys that match a filter and are not revoked.
pub(super) async fn revoke_all(
    session: &mut dyn Session,
    filter: &KeyFilter,
    revocation: &Revocation,
) -> Result<Written, BackendError> {
    let logged = audit::record_revoked(session, filter, revocation.by.as_deref()).await?;
    let revoke = restrict_keys(set_revoked(revocation).push("revoked_at IS NULL"), filter);
    if logged > MAX_LOGGED_CHANGES as u64 {
        let keys = session.execute(&revoke).await?;
        return Ok(Written { keys, ..Written::one(Invalidation::Everything) });
    }
    let digests = digests(session, &revoke.push(" RETURNING digest")).await?;
    Ok(Written::counted(digests.into_iter().map(Invalidation::Revoked).collect()))
}

/// Begins a statement that revokes the keys which a condition selects.
fn set_revoked(Revocation { at, reason, by, .. }: &Revocation) -> Statement {
    let revoke = Statement::new("UPDATE tower_api_key SET revoked_at = ").push_bind(*at);
    let revoke = revoke.push(", revoked_reason = ").push_bind(&**reason);
    revoke.push(", revoked_by = ").push_bind(by.as_deref()).push(" WHERE ")
}

/// Revokes a batch of keys. One statement selects and locks them, so the audit log has an entry of each key that is revoked, except sessions.
async fn revoke_batch(
    session: &mut dyn Session,
    batch: &KeyBatch,
    revocation: &Revocation,
) -> Result<Written, BackendError> {
    let find = Statement::new("SELECT digest, id FROM tower_api_key WHERE revoked_at IS NULL AND id > ");
    let mut find = restrict_keys(find.push_bind(batch.after.as_deref().unwrap_or_default()), &batch.filter);
    if let Some(end) = batch.created_until {
        find = find.push(" AND (created_at IS NULL OR created_at <= ").push_bind(end).push(")");
    }
    for own in &batch.except {
        find = find.push(" AND id <> ").push_bind(own);
    }
    let find =
        find.push(" ORDER BY id LIMIT ").push_bind(batch.most).push(session.dialect().lock_rows_suffix);
    let found = session.fetch(&find, |row| Ok((digest_of(row)?, row.get::<String>("id")?))).await?;
    let last = found.last().filter(|_| found.len() == batch.most).map(|(_, id)| id.clone());
    let revoked: Vec<_> = found.into_iter().map(|(digest, _)| Invalidation::Revoked(digest)).collect();
    for revoked in revoked.chunks(ROWS_PER_STATEMENT) {
        audit::record_revoked_keys(session, revoked, revocation.by.as_deref()).await?;
        session.execute(&restrict_to(set_revoked(revocation), revoked)).await?;
    }
    Ok(Written { last, ..Written::counted(revoked) })
}

/// Revokes a batch of the sessions of an opener, except the newest. Its sessions are locked, so that no code becomes another one meanwhile. A
/// revoked one is not found again, so the next batch starts anew.
async fn end_sessions(
    session: &mut dyn Session,
    opener: &str,
    kept: usize,
    revocation: &Revocation,
) -> Result<Written, BackendError> {
    let found = digests(session, &live_sessions(opener, kept, revocation.at)).await?;
    let last = (found.len() == SESSION_BATCH).then(String::new);
    if found.is_empty() {
        return Ok(Written::default());
    }
    let found: Vec<_> = found.into_iter().map(Invalidation::Revoked).collect();
    let revoke = restrict_to(set_revoked(revocation).push("revoked_at IS NULL AND "), &found);
    let revoked = digests(session, &revoke.push(" RETURNING digest")).await?;
    Ok(Written { last, ..Written::counted(revoked.into_iter().map(Invalidation::Revoked).collect()) })
}

/// Selects the sessions of an opener that have not ended, except the newest.
fn live_sessions(opener: &str, kept: usize, at: Timestamp) -> Statement {
    let find = Statement::new("SELECT digest FROM tower_api_key WHERE session_opener = ").push_bind(opener);
    let find = not_ended(find, at).push(" ORDER BY id DESC LIMIT ").push_bind(SESSION_BATCH);
    find.push(" OFFSET ").push_bind(kept)
}

/// Deletes a batch of keys that ended before a time. Their ids are only compared, so they need not be valid.
async fn purge_ended(
    session: &mut dyn Session,
    before: Timestamp,
    after: &str,
    filter: &KeyFilter,
) -> Result<Written, BackendError> {
    let find = ended_keys(session.dialect(), before, after, filter);
    let ended = |row: &Row| Ok((digest_of(row)?, row.get::<String>("id")?, row.get("is_recent")?));
    let found = session.fetch(&find, ended).await?;
    let last = found.last().filter(|_| found.len() == PURGE_BATCH).map(|(_, id, _)| id.clone());
    let (recent, settled): (Vec<_>, Vec<_>) = found.into_iter().partition(|(.., is_recent)| *is_recent);
    let [recent, settled] = [recent, settled]
        .map(|rows| rows.into_iter().map(|(digest, ..)| Invalidation::Changed(digest)).collect());
    let settled = delete_all(session, settled).await?.keys;
    let recent = delete_all(session, recent).await?;
    Ok(Written { keys: settled + recent.keys, last, ..recent })
}

fn ended_keys(dialect: &Dialect, before: Timestamp, after: &str, filter: &KeyFilter) -> Statement {
    let find = Statement::new("SELECT digest, id, coalesce(revoked_at, expires_at) >= ");
    let find = find.push(dialect.now).push(" - ").push_bind(NOTIFY_WINDOW);
    let find = find.push(" AS is_recent FROM tower_api_key WHERE id > ").push_bind(after);
    let find = restrict_keys(find, filter).push(" AND (revoked_at < ").push_bind(before);
    let find = find.push(" OR expires_at < ").push_bind(before).push(") ORDER BY id LIMIT ");
    find.push_bind(PURGE_BATCH).push(dialect.lock_rows_suffix)
}

/// Deletes the keys of a deleted owner, which were revoked with it.
pub(super) async fn delete_owned(
    session: &mut dyn Session,
    filter: &KeyFilter,
) -> Result<Written, BackendError> {
    let find = restrict_keys(
        Statement::new("SELECT digest FROM tower_api_key WHERE revoked_at IS NOT NULL"),
        filter,
    );
    let find = find.push(session.dialect().lock_rows_suffix);
    let owned = digests(session, &find).await?;
    delete_all(session, owned.into_iter().map(Invalidation::Changed).collect()).await
}

async fn delete_all(session: &mut dyn Session, deleted: Vec<Invalidation>) -> Result<Written, BackendError> {
    audit::record_deleted(session, &deleted).await?;
    let changes = of_all_digests(session, deleted.clone()).await?;
    for changes in deleted.chunks(ROWS_PER_STATEMENT) {
        digests::delete(session, changes).await?;
        let delete = restrict_to(Statement::new("DELETE FROM tower_api_key WHERE "), changes);
        session.execute(&delete).await?;
    }
    Ok(Written { keys: deleted.len() as u64, ..Written::several(changes) })
}

/// Executes a statement about one key, and returns the digest of the key.
async fn changed(session: &mut dyn Session, statement: &Statement) -> Result<Option<Digest>, BackendError> {
    Ok(digests(session, statement).await?.pop())
}

/// Executes a statement, and returns the digests in its rows.
pub(super) async fn digests(
    session: &mut dyn Session,
    statement: &Statement,
) -> Result<Vec<Digest>, BackendError> {
    session.fetch(statement, digest_of).await
}

fn digest_of(row: &Row) -> Result<Digest, BackendError> {
    decode_digest(&row.get::<Vec<u8>>("digest")?)
}

#[cfg(all(test, feature = "sqlite"))]
mod tests {
    use sqlx::Sqlite;

    use super::*;
    use crate::backend::sql::session::Driver;
    use crate::backend::sql::statements::sqlite_plan::sqlite_plan;

    #[tokio::test]
    async fn changes_of_sessions_read_no_keys() {
        let at = Timestamp::from_unix_millis(1);
        for (statement, index) in [
            (live_sessions("external ann", 99, at), "tower_api_key_session (session_opener=?"),
            (ended_keys(Sqlite::DIALECT, at, "", &KeyFilter::sessions()), "tower_api_key_sessions (id>?"),
        ] {
            let plan = sqlite_plan(&statement).await;
            assert!(plan.len() == 1 && plan[0].contains(index), "{plan:?}");
        }
    }
}
