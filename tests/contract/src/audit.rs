//! Each change of a key has an audit entry, written in its transaction, with ids only.

use std::time::Duration;

use tower_api_key::audit::Action;
use tower_api_key::backend::{
    Actor, AuditEntry, AuditLog, AuditQuery, BackendErrorKind, Grace, KeyChange, KeyFilter, KeyStore,
    KeyUpdate, LoggedAction, OwnerChange, OwnerStore, WriteBack,
};
use tower_api_key::manage::{KeyManager, RotateOptions};
use tower_api_key::owner::Organization;
use tower_api_key::{Environment, KeyFormat, Owner, Timestamp};

use crate::abandon::{abandon, at_every_point, patiently, wash};
use crate::caller::Caller;
use crate::samples;

const AT: i64 = 1_820_000_000_000;
/// After all entries.
const END: Timestamp = Timestamp::from_unix_millis(9_000_000_000_000);

/// An entry without its number and time: the action, the key, and the actor.
type Line = (Action, &'static str, Option<&'static str>);

async fn entries<S: AuditLog>(store: &S) -> Vec<AuditEntry> {
    store.audit_log(&AuditQuery::all().oldest_first()).await.unwrap()
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
        let query = AuditQuery::all().of_key(samples::id(name));
        let entries = patiently(async || store.audit_log(&query).await).await;
        entries.iter().filter(|entry| entry.event.action == action).count()
    };
    at_every_point(async |number, waits| {
        let name = format!("key_{number}");
        let (asked, record) = (store.clone(), samples::plain(&name));
        let completed =
            abandon(async move { asked.change(KeyChange::insert(record)).await }, waits).await.settle().await;
        wash(async |_| drop(store.get(&samples::id("unknown")).await)).await;
        let made = patiently(async || store.get(&samples::id(&name)).await).await.is_some();
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
        let made = usize::from(patiently(async || store.get(&samples::id(&new)).await).await.is_some());
        let rotated = Action::Rotated { to: samples::id(&new) };
        assert_eq!(count(&old, rotated).await, made, "{waits} waits");
        assert_eq!(count(&new, Action::Created).await, made, "{waits} waits");
        completed
    })
    .await;
}

pub async fn entries_are_read_by_page_in_both_orders<S: KeyStore + AuditLog>(store: S) {
    for number in 0..7 {
        store.change(KeyChange::insert(samples::plain(&format!("key_{number}")))).await.unwrap();
        store.change(samples::revoke(&format!("key_{number}"), 1, "")).await.unwrap();
    }
    let oldest_first = entries(&store).await;
    let newest_first = store.audit_log(&AuditQuery::all()).await.unwrap();
    assert_eq!(oldest_first.len(), 14);
    assert!(newest_first.iter().eq(oldest_first.iter().rev()));
    for (query, whole) in
        [(AuditQuery::all().oldest_first(), &oldest_first), (AuditQuery::all(), &newest_first)]
    {
        for size in [1, 2, 3, 14, 15] {
            let mut joined: Vec<AuditEntry> = Vec::new();
            loop {
                let page = query.clone().limit(size);
                let page = joined.iter().last().map_or(page.clone(), |entry| page.after(entry));
                let page = store.audit_log(&page).await.unwrap();
                assert!(page.len() <= size);
                if page.is_empty() {
                    break;
                }
                joined.extend(page);
            }
            assert_eq!(&joined, whole, "pages of {size}");
        }
        assert_eq!(store.audit_log(&query.limit(0)).await.unwrap(), []);
    }
    let key = AuditQuery::all().of_key(samples::id("key_3")).oldest_first();
    let own = store.audit_log(&key).await.unwrap();
    assert_eq!(own, oldest_first[6..8]);
    assert_eq!(store.audit_log(&key.after(&own[0])).await.unwrap(), own[1..]);
    assert_eq!(store.audit_log(&AuditQuery::all().of_key(samples::id("KEY_3"))).await.unwrap(), []);
    let mut end = AuditQuery::all().oldest_first();
    end.after = Some((oldest_first[13].event.at, u64::MAX));
    assert_eq!(store.audit_log(&end).await.unwrap(), []);
}

pub async fn a_page_follows_an_entry_that_was_deleted_or_overtaken<S: KeyStore + AuditLog>(store: S) {
    for name in ["a", "b", "c"] {
        store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
    }
    let whole = store.audit_log(&AuditQuery::all()).await.unwrap();
    let page = store.audit_log(&AuditQuery::all().limit(1)).await.unwrap();
    // Entries that are written meanwhile come before the page.
    store.change(KeyChange::insert(samples::plain("d"))).await.unwrap();
    let rest = AuditQuery::all().after(&page[0]);
    assert_eq!(store.audit_log(&rest).await.unwrap(), whole[1..]);
    store.purge_before(END).await.unwrap();
    store.change(KeyChange::insert(samples::plain("e"))).await.unwrap();
    assert_eq!(store.audit_log(&rest).await.unwrap(), []);
    assert_eq!(store.audit_log(&rest.oldest_first()).await.unwrap(), entries(&store).await);
}

pub async fn entries_are_selected_by_each_field<S: KeyStore + AuditLog>(store: S) {
    let owners = [
        ("whole", Owner::organization("acme"), Environment::Live),
        ("device", Owner::project(Organization::new("acme"), "sink"), Environment::Live),
        ("test", Owner::organization("acme"), Environment::Test),
        ("other", Owner::project(Organization::new("other"), "sink"), Environment::Live),
        ("anns", Owner::user("ann@example.com", []), Environment::Live),
    ];
    for (name, owner, environment) in owners.clone() {
        let mut record = samples::plain(name);
        (record.owner, record.environment) = (owner, environment);
        record.created_by = Some("admin-1".into());
        store.change(KeyChange::insert(record)).await.unwrap();
    }
    let revocation = samples::revocation(1, "lost").by("admin-2");
    store.change(KeyChange::revoke_all(&KeyFilter::of_organization("acme"), revocation)).await.unwrap();
    store.change(KeyChange::purge_ended(Timestamp::from_unix_millis(2))).await.unwrap();

    let all = entries(&store).await;
    let of = |names: &[&str]| {
        let is_named = |entry: &&AuditEntry| names.contains(&entry.event.key.as_ref().unwrap().as_str());
        all.iter().filter(is_named).cloned().collect::<Vec<_>>()
    };
    for entry in &all {
        let name = entry.event.key.as_ref().unwrap().as_str();
        let (_, owner, environment) = owners.iter().find(|(named, ..)| *named == name).unwrap();
        assert_eq!((entry.owner.as_ref(), entry.environment), (Some(owner), *environment), "{name}");
        assert!(!entry.delegated);
    }
    let query = || AuditQuery::all().oldest_first();
    let by = |name: &str| {
        all.iter().filter(|entry| entry.event.by.as_deref() == Some(name)).cloned().collect::<Vec<_>>()
    };
    let about = |action: &Action| {
        all.iter().filter(|entry| entry.event.action == *action).cloned().collect::<Vec<_>>()
    };
    let acme = || query().of_organization("acme");
    for (query, expected) in [
        (acme(), of(&["whole", "device", "test"])),
        (acme().environment(Environment::Test), of(&["test"])),
        (query().environment(Environment::Live), of(&["whole", "device", "other", "anns"])),
        (query().of_project("acme", "sink"), of(&["device"])),
        (query().of_project("acme", "SINK"), Vec::new()),
        (query().of_user("ANN@example.com"), of(&["anns"])),
        (query().of_user("ann@example.com").of_organization("acme"), Vec::new()),
        (query().of_key(samples::id("test")), of(&["test"])),
        (acme().of_key(samples::id("other")), Vec::new()),
        (query().by("admin-2"), by("admin-2")),
        (query().by("admin"), Vec::new()),
        (query().by(""), Vec::new()),
        (query().action(LoggedAction::Created), about(&Action::Created)),
        (query().action(LoggedAction::Revoked), about(&Action::Revoked)),
        (acme().action(LoggedAction::Deleted), about(&Action::Deleted)),
        (query().action(LoggedAction::Rotated), Vec::new()),
        (query().from(all[0].event.at), all.clone()),
        (query().to(all[0].event.at), Vec::new()),
        (query().to(END), all.clone()),
        (query().from(END), Vec::new()),
    ] {
        assert_eq!(store.audit_log(&query).await.unwrap(), expected, "{query:?}");
        for entry in &all {
            assert_eq!(query.matches(entry), expected.contains(entry), "{query:?} {entry:?}");
        }
    }
    assert!(by("admin-2").len() == 3 && about(&Action::Deleted).len() == 3);
}

pub async fn a_change_within_bounds_is_marked<S: KeyStore + AuditLog + Clone>(store: S) {
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    store.change(KeyChange::insert(samples::plain("caller"))).await.unwrap();
    store.change(KeyChange::insert(samples::plain("target"))).await.unwrap();
    let caller = Caller::of(&store).admit("caller").await.unwrap();
    let delegate = manager.on_behalf_of(&caller);
    let target = samples::id("target");
    delegate.update(&target, KeyUpdate::new().name("renamed")).await.unwrap();
    delegate.rotate(&target, RotateOptions::new(Grace::FromFirstUse(samples::GRACE))).await.unwrap();
    delegate.revoke(&target, "lost").await.unwrap();
    delegate.create(delegate.new_key()).await.unwrap();
    // The same actor without bounds acts for the application.
    let unbounded = manager.acting_for(caller.actor());
    unbounded.revoke(caller.key_id(), "lost").await.unwrap();

    let query = AuditQuery::all().oldest_first().delegated(true);
    let delegated = store.audit_log(&query).await.unwrap();
    let labels: Vec<_> = delegated.iter().map(|entry| entry.event.action.label()).collect();
    assert_eq!(labels, ["updated", "rotated", "created", "revoked", "created"]);
    assert!(delegated.iter().all(|entry| entry.event.by.as_deref() == Some("caller")));
    let query = query.delegated(false);
    let others = store.audit_log(&query).await.unwrap();
    let lines: Vec<_> =
        others.iter().map(|entry| (entry.event.action.label(), entry.event.by.as_deref())).collect();
    assert_eq!(lines, [("created", None), ("created", None), ("revoked", Some("caller"))]);
}

pub async fn a_purged_owner_is_forgotten_and_its_entries_stay<S>(store: S)
where
    S: KeyStore + OwnerStore + AuditLog,
{
    let (acme, ann) = (Owner::organization("acme"), Owner::user("ann@example.com", []));
    store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    store.change_owner(OwnerChange::put_user("ann@example.com")).await.unwrap();
    for (name, owner) in [
        ("whole", acme.clone()),
        ("device", Owner::project(Organization::new("acme"), "sink")),
        ("anns", ann.clone()),
        ("other", Owner::organization("other")),
    ] {
        let mut record = samples::plain(name);
        record.owner = owner;
        store.change(KeyChange::insert(record)).await.unwrap();
    }
    let gone = || samples::revocation(1, "gone");
    store.change_owner(OwnerChange::delete_organization("acme", gone())).await.unwrap();
    store.change_owner(OwnerChange::delete_user("ann@example.com", gone())).await.unwrap();
    let queries = [AuditQuery::all().of_organization("acme"), AuditQuery::all().of_user("ann@example.com")];
    assert_eq!(store.audit_log(&queries[0]).await.unwrap().len(), 4);
    for owner in [&acme, &ann] {
        store.change_owner(OwnerChange::purge_owner(owner)).await.unwrap();
    }
    for query in &queries {
        assert_eq!(store.audit_log(query).await.unwrap(), []);
    }
    let entries = entries(&store).await;
    assert_eq!(entries.len(), 10);
    for entry in entries {
        let is_other = entry.event.key == Some(samples::id("other"));
        assert_eq!(entry.owner, is_other.then(|| Owner::organization("other")));
    }
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
