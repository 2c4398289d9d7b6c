//! Each change of a key has an audit entry, written in its transaction, with ids only.

use std::time::Duration;

use tower_api_key::Timestamp;
use tower_api_key::audit::Action;
use tower_api_key::backend::{
    Actor, AuditEntry, AuditLog, BackendErrorKind, Grace, KeyChange, KeyFilter, KeyStore, KeyUpdate,
    WriteBack,
};

use crate::abandon::{abandon, at_every_point, wash};
use crate::samples;

const AT: i64 = 1_820_000_000_000;

/// An entry without its number and time: the action, the key, and the actor.
type Line = (Action, &'static str, Option<&'static str>);

async fn entries<S: AuditLog>(store: &S) -> Vec<AuditEntry> {
    store.audit_log(None, None, usize::MAX).await.unwrap()
}

/// Checks the whole list of entries.
async fn says<S: AuditLog>(store: &S, expected: &[Line]) {
    let entries = entries(store).await;
    let found: Vec<_> = entries
        .iter()
        .map(|entry| {
            let event = &entry.event;
            (event.action.clone(), event.key.as_ref().unwrap().as_str(), event.by.as_deref())
        })
        .collect();
    assert_eq!(found, expected);
    assert!(entries.is_sorted_by(|one, other| one.seq < other.seq));
}

pub async fn every_change_of_a_key_has_its_entry<S: KeyStore + AuditLog>(store: S) {
    let (old, new) = (samples::id("old"), samples::id("new"));
    let mut record = samples::plain("old");
    record.created_by = Some("admin-1".into());
    store.change(KeyChange::insert(record)).await.unwrap();
    let mut update = KeyUpdate::default();
    (update.name, update.by) = (Some("another".into()), Some("admin-2".into()));
    store.change(KeyChange::update(&old, update.clone())).await.unwrap();
    // An update without effect is no change.
    store.change(KeyChange::update(&old, update)).await.unwrap();
    for by in ["admin-6", "admin-7"] {
        let disabling = samples::disabling(AT, "seen").by(by);
        store.change(KeyChange::disable(&old, disabling)).await.unwrap();
    }
    for _ in 0..2 {
        let enable = KeyChange::enable(&old, Timestamp::from_unix_millis(AT)).by(Actor::named("admin-8"));
        store.change(enable).await.unwrap();
    }
    let mut rotation = samples::rotation("new", AT, Grace::FromFirstUse(Duration::from_secs(1)));
    rotation.by = Some("admin-3".into());
    store.change(KeyChange::rotate(&old, rotation)).await.unwrap();
    for _ in 0..2 {
        let write = WriteBack::FirstUse { id: new.clone(), at: Timestamp::from_unix_millis(AT) };
        store.write_back(write).await.unwrap();
    }
    for by in ["admin-4", "admin-5"] {
        store.change(KeyChange::revoke(&new, samples::revocation(AT, "lost").by(by))).await.unwrap();
    }
    assert_eq!(
        store.change(KeyChange::purge_ended(Timestamp::from_unix_millis(AT + 60_000))).await.unwrap().keys,
        2
    );
    says(
        &store,
        &[
            (Action::Created, "old", Some("admin-1")),
            (Action::Updated, "old", Some("admin-2")),
            (Action::Disabled, "old", Some("admin-6")),
            (Action::Enabled, "old", Some("admin-8")),
            (Action::Rotated { to: new }, "old", Some("admin-3")),
            (Action::Created, "new", Some("admin-3")),
            (Action::Updated, "new", None),
            (Action::Updated, "old", None),
            (Action::Revoked, "new", Some("admin-4")),
            (Action::Deleted, "new", None),
            (Action::Expired, "old", None),
        ],
    )
    .await;
}

pub async fn each_key_that_a_filter_means_has_an_entry<S: KeyStore + AuditLog>(store: S) {
    for name in ["a", "b", "c"] {
        store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
    }
    store.change(samples::revoke("b", 1, "")).await.unwrap();
    let revocation = samples::revocation(2, "leaked").by("admin-1");
    assert_eq!(store.change(KeyChange::revoke_all(&KeyFilter::all(), revocation)).await.unwrap().keys, 2);
    let created = |id| (Action::Created, id, None);
    let revoked = |id, by| (Action::Revoked, id, by);
    says(
        &store,
        &[
            created("a"),
            created("b"),
            created("c"),
            revoked("b", None),
            revoked("a", Some("admin-1")),
            revoked("c", Some("admin-1")),
        ],
    )
    .await;
}

pub async fn a_revocation_reads_back_with_whose_doing_it_was<S: KeyStore>(store: S) {
    let revoked = async |name: &str| store.get(&samples::id(name)).await.unwrap().unwrap().revoked.unwrap();
    let by_admin = samples::revocation(1, "lost").by("admin-1");
    for name in ["one", "all", "rotated"] {
        store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
    }
    store.change(KeyChange::revoke(&samples::id("one"), by_admin.clone())).await.unwrap();
    assert_eq!(revoked("one").await, by_admin);
    let mut rotation = samples::rotation("new", 1, Grace::None);
    rotation.by = Some("admin-1".into());
    store.change(KeyChange::rotate(&samples::id("rotated"), rotation)).await.unwrap();
    assert_eq!(revoked("rotated").await, samples::revocation(1, "rotated").by("admin-1"));
    store.change(KeyChange::revoke_all(&KeyFilter::all(), by_admin.clone())).await.unwrap();
    assert_eq!(revoked("all").await, by_admin);
    let mut imported = samples::plain("imported");
    imported.revoked = Some(by_admin);
    store.change(KeyChange::insert(imported.clone())).await.unwrap();
    assert_eq!(store.get(&imported.id).await.unwrap(), Some(imported));
}

pub async fn a_change_that_fails_has_no_entry<S: KeyStore + AuditLog>(store: S) {
    for name in ["a", "b", "gone"] {
        store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
    }
    let (a, gone) = (samples::id("a"), samples::id("gone"));
    store.change(KeyChange::revoke(&gone, samples::revocation(1, ""))).await.unwrap();
    let before = entries(&store).await;
    let rename = || {
        let mut update = KeyUpdate::default();
        update.name = Some("x".into());
        update
    };
    let absent = samples::id("unknown");
    let failures = [
        store.change(KeyChange::insert(samples::plain("a"))).await.unwrap_err(),
        store.change(KeyChange::rotate(&a, samples::rotation("b", 1, Grace::None))).await.unwrap_err(),
        store.change(KeyChange::rotate(&gone, samples::rotation("c", 1, Grace::None))).await.unwrap_err(),
        store.change(KeyChange::update(&gone, rename())).await.unwrap_err(),
        store.change(KeyChange::update(&absent, rename())).await.unwrap_err(),
        store.change(KeyChange::revoke(&absent, samples::revocation(1, ""))).await.unwrap_err(),
    ];
    let ours = [BackendErrorKind::Conflict, BackendErrorKind::NotFound];
    assert!(failures.iter().all(|error| ours.contains(&error.kind())), "{failures:?}");
    assert_eq!(store.get(&a).await.unwrap(), Some(samples::plain("a")));
    assert_eq!(entries(&store).await, before);
}

pub async fn a_change_that_is_abandoned_has_its_entries_or_was_not_made<S>(store: S)
where
    S: KeyStore + AuditLog + Clone,
{
    let count = async |name: &str, action: Action| {
        let entries = store.audit_log(Some(&samples::id(name)), None, usize::MAX).await.unwrap();
        entries.iter().filter(|entry| entry.event.action == action).count()
    };
    at_every_point(async |number, waits| {
        let name = format!("key_{number}");
        let (asked, record) = (store.clone(), samples::plain(&name));
        let completed =
            abandon(async move { asked.change(KeyChange::insert(record)).await }, waits).await.settle().await;
        wash(async |_| drop(store.get(&samples::id("unknown")).await)).await;
        let made = store.get(&samples::id(&name)).await.unwrap().is_some();
        assert_eq!(count(&name, Action::Created).await, usize::from(made), "{waits} waits");
        completed
    })
    .await;
    at_every_point(async |number, waits| {
        let (old, new) = (format!("old_{number}"), format!("new_{number}"));
        store.change(KeyChange::insert(samples::plain(&old))).await.unwrap();
        let (asked, id) = (store.clone(), samples::id(&old));
        let rotation = samples::rotation(&new, 1, Grace::None);
        let completed = abandon(async move { asked.change(KeyChange::rotate(&id, rotation)).await }, waits)
            .await
            .settle()
            .await;
        wash(async |_| drop(store.get(&samples::id("unknown")).await)).await;
        let made = usize::from(store.get(&samples::id(&new)).await.unwrap().is_some());
        let rotated = Action::Rotated { to: samples::id(&new) };
        assert_eq!(count(&old, rotated).await, made, "{waits} waits");
        assert_eq!(count(&new, Action::Created).await, made, "{waits} waits");
        completed
    })
    .await;
}

pub async fn entries_are_read_by_page_and_by_key<S: KeyStore + AuditLog>(store: S) {
    for number in 0..7 {
        store.change(KeyChange::insert(samples::plain(&format!("key_{number}")))).await.unwrap();
        store.change(samples::revoke(&format!("key_{number}"), 1, "")).await.unwrap();
    }
    let whole = entries(&store).await;
    assert_eq!(whole.len(), 14);
    for size in [1, 2, 3, 14, 15] {
        let mut joined: Vec<AuditEntry> = Vec::new();
        loop {
            let after = joined.last().map(|entry| entry.seq);
            let page = store.audit_log(None, after, size).await.unwrap();
            assert!(page.len() <= size);
            if page.is_empty() {
                break;
            }
            joined.extend(page);
        }
        assert_eq!(joined, whole, "pages of {size}");
    }
    let id = samples::id("key_3");
    let own = store.audit_log(Some(&id), None, 9).await.unwrap();
    assert_eq!(own, whole[6..8]);
    assert_eq!(store.audit_log(Some(&id), Some(own[0].seq), 9).await.unwrap(), own[1..]);
    assert_eq!(store.audit_log(Some(&samples::id("KEY_3")), None, 9).await.unwrap(), []);
    assert_eq!(store.audit_log(None, Some(u64::MAX), 9).await.unwrap(), []);
    assert_eq!(store.audit_log(None, None, 0).await.unwrap(), []);
}

pub async fn old_entries_are_forgotten_and_keys_are_not<S: KeyStore + AuditLog>(store: S) {
    // More than one batch deletes.
    const KEYS: usize = 1_100;
    for number in 0..KEYS {
        store.change(KeyChange::insert(samples::plain(&format!("key_{number}")))).await.unwrap();
    }
    let whole = entries(&store).await;
    let end = whole.last().unwrap().event.at;
    assert_eq!(
        store.purge_before(whole[0].event.at.saturating_sub(Duration::from_millis(1))).await.unwrap(),
        0
    );
    let (old, new): (Vec<_>, Vec<_>) = whole.into_iter().partition(|entry| entry.event.at < end);
    assert_eq!(store.purge_before(end).await.unwrap(), old.len() as u64);
    assert_eq!(entries(&store).await, new);
    let later = end.saturating_add(Duration::from_millis(1));
    assert_eq!(store.purge_before(later).await.unwrap(), new.len() as u64);
    assert_eq!(entries(&store).await, []);
    assert_eq!(store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap().len(), KEYS);
    // Numbers are not reused.
    store.change(KeyChange::insert(samples::plain("later"))).await.unwrap();
    assert!(entries(&store).await[0].seq > KEYS as u64);
}
