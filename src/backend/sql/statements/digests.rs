//! The digests of keys beside those in their rows, and the fingerprints of the settings with which keys were made.

// Layer 3 of 10: storage.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::ROWS_PER_STATEMENT;
use super::filter::{not_ended, restrict_to};
use super::locks::KeyLocks;
use super::read::fetch_for_update;
use super::written::Written;
use crate::backend::sql::key_row::decode_digest;
use crate::backend::sql::session::{Row, Session, is_unique_violation};
use crate::backend::sql::statement::{Statement, Value};
use crate::backend::{BackendError, Invalidation};
use crate::clock::Timestamp;
use crate::digest::{Digest, Fingerprint};
use crate::key::KeyId;
use crate::record::KeyState;

/// Lists the fingerprints of the digesters and the formats.
pub(crate) const FINGERPRINTS: &str = "SELECT fingerprint FROM tower_api_key_fingerprint";
const OWNER: &str = "SELECT id FROM tower_api_key WHERE digest = $1
    UNION ALL SELECT key_id AS id FROM tower_api_key_digest WHERE further_digest = $1";
const ADD: &str =
    "INSERT INTO tower_api_key_digest (further_digest, key_id, by_digester) VALUES ($1, $2, $3)";
/// Adds nothing to a store without fingerprints of digesters: the former digester of its keys has none either, and must not be contradicted.
const ADDED_WITH: &str = "INSERT INTO tower_api_key_fingerprint (fingerprint)
    SELECT $1 WHERE EXISTS (SELECT 1 FROM tower_api_key_fingerprint WHERE fingerprint LIKE 'digester %')
    ON CONFLICT (fingerprint) DO NOTHING";

/// Keys that one transaction of a retirement changes: other changes wait for it.
const RETIRE_BATCH: usize = 500;

/// A further digest of a key.
#[derive(Clone)]
pub(crate) struct NewDigest {
    pub(crate) id: KeyId,
    pub(crate) digest: Digest,
    pub(crate) digester: Fingerprint,
    pub(crate) at: Timestamp,
}

/// Runs the statement that lists the [`FINGERPRINTS`].
pub(crate) async fn fingerprints(
    session: &mut dyn Session,
    list: &Statement,
) -> Result<Vec<Fingerprint>, BackendError> {
    session.fetch(list, decode_fingerprint).await
}

fn decode_fingerprint(row: &Row) -> Result<Fingerprint, BackendError> {
    row.get::<String>("fingerprint")?.parse().map_err(BackendError::corrupt)
}

/// Counts the keys in force without a digest by this digester.
pub(crate) fn count_without(digester: &Fingerprint, now: Timestamp) -> Statement {
    let count = Statement::new(
        "SELECT count(*) AS keys FROM tower_api_key WHERE session_opener IS NULL AND (digester IS NULL OR digester <> ",
    );
    let count = count
        .push_bind(digester.as_str())
        .push(")")
        .push(" AND NOT EXISTS (SELECT 1 FROM tower_api_key_digest WHERE key_id = id AND by_digester = ");
    not_ended(count.push_bind(digester.as_str()).push(")"), now)
}

pub(crate) fn decode_count(row: &Row) -> Result<u64, BackendError> {
    row.get::<i64>("keys")?.try_into().map_err(BackendError::corrupt)
}

/// Adds a digest to a key, if the key is active. The lock of its row is held until the addition is committed, so a change of the key either
/// comes before it or invalidates the new digest as well.
pub(super) async fn add(session: &mut dyn Session, new: &NewDigest) -> Result<Written, BackendError> {
    KeyLocks::default().writing([&new.id]).digest(&new.digest).acquire(session).await?;
    let record = fetch_for_update(session, &new.id).await?;
    let Some(record) = record.filter(|record| record.state(new.at) == KeyState::Active) else {
        return Ok(Written::default());
    };
    let changed = Invalidation::Changed(record.digest);
    match owner(session, &new.digest).await? {
        Some(id) if id == new.id.as_str() => return Ok(Written::default()),
        Some(_) => return Err(BackendError::conflict()),
        None => {}
    }
    let add = Statement::new(ADD).bind(&new.digest).bind(&new.id).bind(new.digester.as_str());
    // Of a digester that has another digest of the key.
    session
        .execute(&add)
        .await
        .map_err(|error| if is_unique_violation(&error) { BackendError::conflict() } else { error })?;
    session.execute(&Statement::new(ADDED_WITH).bind(new.digester.as_str())).await?;
    Ok(Written::one(changed))
}

/// Returns the id of the key that has a digest.
async fn owner(session: &mut dyn Session, digest: &Digest) -> Result<Option<String>, BackendError> {
    let ids = session.fetch(&Statement::new(OWNER).bind(digest), |row| row.get("id")).await?;
    Ok(ids.into_iter().next())
}

/// Checks that no key has a digest. Its [lock](KeyLocks::digest) is held.
pub(super) async fn check_is_new(session: &mut dyn Session, digest: &Digest) -> Result<(), BackendError> {
    match owner(session, digest).await? {
        Some(_) => Err(BackendError::conflict()),
        None => Ok(()),
    }
}

/// Records the settings with which keys were made.
pub(super) async fn made_with(
    session: &mut dyn Session,
    fingerprints: &[Fingerprint],
) -> Result<(), BackendError> {
    // In one order, so that two transactions that add new ones do not deadlock.
    let rows: BTreeSet<_> = fingerprints.iter().map(Fingerprint::as_str).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let add = Statement::new("INSERT INTO tower_api_key_fingerprint (fingerprint) ");
    let add = add.push_rows(rows.into_iter().map(|row| [row.into()]));
    session.execute(&add.push(" ON CONFLICT (fingerprint) DO NOTHING")).await.map(drop)
}

/// Deletes the further digests of keys. Foreign keys alone do not suffice: an application may turn them off in SQLite.
pub(super) async fn delete(session: &mut dyn Session, keys: &[Invalidation]) -> Result<(), BackendError> {
    let delete = Statement::new(
        "DELETE FROM tower_api_key_digest WHERE key_id IN (SELECT id FROM tower_api_key WHERE ",
    );
    session.execute(&restrict_to(delete, keys).push(")")).await.map(drop)
}

/// Adds the invalidations of the further digests of the keys, which are still in the tables.
pub(super) async fn of_all_digests(
    session: &mut dyn Session,
    changes: Vec<Invalidation>,
) -> Result<Vec<Invalidation>, BackendError> {
    let mut further: HashMap<Digest, Vec<Digest>> = HashMap::new();
    for part in
        changes.chunks(ROWS_PER_STATEMENT).filter(|part| part.iter().any(|change| change.digest().is_some()))
    {
        let find = Statement::new(
            "SELECT digest, further_digest FROM tower_api_key JOIN tower_api_key_digest ON key_id = id WHERE ",
        );
        let rows = session
            .fetch(&restrict_to(find, part), |row| {
                let digest = |column| decode_digest(&row.get::<Vec<u8>>(column)?);
                Ok((digest("digest")?, digest("further_digest")?))
            })
            .await?;
        for (digest, other) in rows {
            further.entry(digest).or_default().push(other);
        }
    }
    let of_key = |change: Invalidation| {
        let further = change.digest().and_then(|digest| further.get(&digest)).into_iter().flatten();
        [change].into_iter().chain(further.map(move |digest| change.with_digest(*digest)))
    };
    Ok(changes.into_iter().flat_map(of_key).collect())
}

/// Drops the digests by other digesters from a batch of keys that have one by this digester. The last batch drops the fingerprints of
/// digesters that are no longer needed.
pub(super) async fn retire(
    session: &mut dyn Session,
    digester: &Fingerprint,
    now: Timestamp,
    after: &str,
) -> Result<Written, BackendError> {
    let find = push_kept(Statement::new("SELECT id, digest, "), digester).push(" AS kept FROM tower_api_key");
    let find = find.push(" WHERE id > ").push_bind(after);
    let find = find.push(" AND EXISTS (SELECT 1 FROM tower_api_key_digest WHERE key_id = id AND key_id > ");
    let find = push_kept(find.push_bind(after).push(") AND "), digester)
        .push(" IS NOT NULL ORDER BY id LIMIT ")
        .push_bind(RETIRE_BATCH);
    let find = find.push(session.dialect().lock_rows_suffix);
    let found = session
        .fetch(&find, |row| {
            let digest = |column| decode_digest(&row.get::<Vec<u8>>(column)?);
            Ok((row.get::<String>("id")?, digest("digest")?, digest("kept")?))
        })
        .await?;
    let changes = found.iter().map(|(_, digest, _)| Invalidation::Changed(*digest)).collect();
    let mut changes = of_all_digests(session, changes).await?;
    // An entry under a digest that is kept stays as it is.
    let kept: HashSet<_> = found.iter().map(|(.., kept)| *kept).collect();
    changes.retain(|change| change.digest().is_none_or(|digest| !kept.contains(&digest)));
    let ids = || found.iter().map(|(id, ..)| Value::from(id.clone()));
    if !found.is_empty() {
        let keep = push_kept(Statement::new("UPDATE tower_api_key SET digest = "), digester);
        let keep = keep.push(", digester = ").push_bind(digester.as_str());
        let keep = keep.push(" WHERE id IN ").push_list(ids());
        session.execute(&keep).await?;
        let drop = Statement::new("DELETE FROM tower_api_key_digest WHERE key_id IN ").push_list(ids());
        session.execute(&drop).await?;
    }
    let last = found.last().filter(|_| found.len() == RETIRE_BATCH).map(|(id, ..)| id.clone());
    if last.is_none() {
        forget_digesters(session, digester, now).await?;
    }
    Ok(Written { keys: found.len() as u64, last, ..Written::several(changes) })
}

/// Adds the digest of a key by this digester, or `NULL`.
fn push_kept(statement: Statement, digester: &Fingerprint) -> Statement {
    let statement = statement.push("coalesce(CASE WHEN digester = ").push_bind(digester.as_str());
    let statement = statement.push(
        " THEN digest END,
        (SELECT further_digest FROM tower_api_key_digest WHERE key_id = id AND by_digester = ",
    );
    statement.push_bind(digester.as_str()).push(" ORDER BY further_digest LIMIT 1))")
}

/// Drops the fingerprints of digesters of which no key in force has a digest.
async fn forget_digesters(
    session: &mut dyn Session,
    kept: &Fingerprint,
    now: Timestamp,
) -> Result<(), BackendError> {
    let forget = Statement::new(
        "DELETE FROM tower_api_key_fingerprint WHERE fingerprint LIKE 'digester %' AND fingerprint <> ",
    );
    let forget = forget
        .push_bind(kept.as_str())
        .push(" AND NOT EXISTS (SELECT 1 FROM tower_api_key WHERE digester = fingerprint");
    let forget = not_ended(forget, now).push(
        ") AND NOT EXISTS (SELECT 1 FROM tower_api_key_digest JOIN tower_api_key ON id = key_id
        WHERE by_digester = fingerprint",
    );
    session.execute(&not_ended(forget, now).push(")")).await.map(drop)
}
