//! The caller of a change may be dropped at any point, as the handler of a closed connection is. The change is then made in full,
//! authenticators included, or not at all.

use std::sync::{Arc, Mutex};

use tower_api_key::audit::{Action, AuditEvent};
use tower_api_key::backend::{Grace, KeyChange, KeyFilter, KeyStore, KeyUpdate};
use tower_api_key::manage::{KeyManager, NewKey, RotateOptions};
use tower_api_key::reject::Reason;
use tower_api_key::{KeyFormat, KeyId, Owner, Record, Scopes, Timestamp};

use crate::abandon::{Leftovers, abandon, at_every_point, wash};
use crate::caller::Caller;
use crate::samples;

pub async fn an_abandoned_insertion_is_made_in_full_or_not_at_all<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    at_every_point(async |number, waits| {
        let record = samples::plain(&format!("key_{number}"));
        let name = record.id.as_str();
        assert_eq!(caller.warm(name).await, Err(Reason::Unknown));

        let asked = (store.clone(), record.clone());
        let leftovers = abandon(async move { asked.0.change(KeyChange::insert(asked.1)).await }, waits).await;
        let completed = settle(leftovers, &caller, &[name]).await;

        let answer = caller.present(name).await;
        match store.find(&record.digest).await.unwrap() {
            None => assert_eq!(answer, Err(Reason::Unknown), "{waits} waits"),
            Some(made) => {
                assert_eq!(made, record);
                assert_eq!(answer, Ok(record.id), "{waits} waits");
            }
        }
        completed
    })
    .await;
}

pub async fn an_abandoned_update_is_made_in_full_or_not_at_all<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    at_every_point(async |number, waits| {
        let name = format!("key_{number}");
        let before = insert(&store, &caller, &name).await;
        let mut update = KeyUpdate::default();
        update.name = Some("another".into());
        update.scopes = Some(Scopes::parse("another").unwrap());
        // The clock of the caller has reached it.
        update.expires_at = Some(Some(Timestamp::from_unix_millis(0)));
        let mut after = before.clone();
        (after.name, after.scopes) = ("another".into(), Scopes::parse("another").unwrap());
        after.expires_at = Some(Timestamp::from_unix_millis(0));

        let asked = (store.clone(), before.id.clone());
        let leftovers =
            abandon(async move { asked.0.change(KeyChange::update(&asked.1, update)).await }, waits).await;
        let completed = settle(leftovers, &caller, &[&name]).await;

        let found = store.get(&before.id).await.unwrap().unwrap();
        let answer = caller.present(&name).await;
        if found == before {
            assert_eq!(answer, Ok(before.id), "{waits} waits");
        } else {
            assert_eq!((found, answer), (after, Err(Reason::Expired)), "{waits} waits");
        }
        completed
    })
    .await;
}

pub async fn an_abandoned_rotation_is_made_in_full_or_not_at_all<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    at_every_point(async |number, waits| {
        let (old, new) = (format!("old_{number}"), format!("new_{number}"));
        let id = insert(&store, &caller, &old).await.id;
        assert_eq!(caller.warm(&new).await, Err(Reason::Unknown));

        let rotation = samples::rotation(&new, 1, Grace::None);
        let asked = (store.clone(), id.clone());
        let leftovers =
            abandon(async move { asked.0.change(KeyChange::rotate(&asked.1, rotation)).await }, waits).await;
        let completed = settle(leftovers, &caller, &[&old, &new]).await;

        let answers = (caller.present(&old).await, caller.present(&new).await);
        match rotated(&store, &id).await {
            None => assert_eq!(answers, (Ok(id), Err(Reason::Unknown)), "{waits} waits"),
            Some(to) => assert_eq!(answers, (Err(Reason::Revoked), Ok(to)), "{waits} waits"),
        }
        completed
    })
    .await;
}

pub async fn an_abandoned_revocation_is_made_in_full_or_not_at_all<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    at_every_point(async |number, waits| {
        let name = format!("key_{number}");
        let id = insert(&store, &caller, &name).await.id;

        let revocation = samples::revocation(1, "lost").by("admin-1");
        let asked = (store.clone(), id.clone(), revocation.clone());
        let leftovers =
            abandon(async move { asked.0.change(KeyChange::revoke(&asked.1, asked.2)).await }, waits).await;
        let completed = settle(leftovers, &caller, &[&name]).await;

        let answer = caller.present(&name).await;
        match store.get(&id).await.unwrap().unwrap().revoked {
            None => assert_eq!(answer, Ok(id), "{waits} waits"),
            Some(made) => {
                assert_eq!(made, revocation);
                assert_eq!(answer, Err(Reason::Revoked), "{waits} waits");
            }
        }
        completed
    })
    .await;
}

pub async fn an_abandoned_revocation_of_several_is_made_of_all_or_none<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    at_every_point(async |number, waits| {
        let names = ["a", "b", "c"].map(|name| format!("{name}_{number}"));
        for name in &names {
            insert(&store, &caller, name).await;
        }
        let change = KeyChange::revoke_all(&KeyFilter::all(), samples::revocation(1, "leaked"));
        let asked = store.clone();
        let leftovers = abandon(async move { asked.change(change).await }, waits).await;
        let completed = settle(leftovers, &caller, &names.each_ref().map(String::as_str)).await;

        let is_revoked = async |name: &str| store.get(&samples::id(name)).await.unwrap().unwrap().revoked;
        let made = is_revoked(&names[0]).await.is_some();
        for name in &names {
            assert_eq!(is_revoked(name).await.is_some(), made, "{waits} waits");
            let expected = if made { Err(Reason::Revoked) } else { Ok(samples::id(name)) };
            assert_eq!(caller.present(name).await, expected, "{waits} waits");
        }
        completed
    })
    .await;
}

pub async fn an_abandoned_deletion_is_made_of_all_or_none<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    at_every_point(async |number, waits| {
        let (expired, revoked) = (format!("expired_{number}"), format!("revoked_{number}"));
        let mut record = samples::plain(&expired);
        record.expires_at = Some(Timestamp::from_unix_millis(-2));
        store.change(KeyChange::insert(record)).await.unwrap();
        let mut record = samples::plain(&revoked);
        record.revoked = Some(samples::revocation(-2, "lost"));
        store.change(KeyChange::insert(record)).await.unwrap();
        let answers = async || (caller.warm(&expired).await, caller.warm(&revoked).await);
        let before = (Err(Reason::Expired), Err(Reason::Revoked));
        assert_eq!(answers().await, before);

        let (asked, end) = (store.clone(), Timestamp::from_unix_millis(-1));
        let leftovers = abandon(async move { asked.change(KeyChange::purge_ended(end)).await }, waits).await;
        let completed = settle(leftovers, &caller, &[&expired, &revoked]).await;

        let is_there = async |name: &str| store.get(&samples::id(name)).await.unwrap().is_some();
        let there = is_there(&expired).await;
        assert_eq!(is_there(&revoked).await, there, "{waits} waits");
        let gone = (Err(Reason::Unknown), Err(Reason::Unknown));
        let new = Caller::of(&store);
        let found = (new.present(&expired).await, new.present(&revoked).await);
        assert_eq!(found, if there { before.clone() } else { gone }, "{waits} waits");
        // A process may still cache keys that ended long ago: it rejects them either way.
        let remembered = answers().await;
        let is_rejected = remembered.0.is_err() && remembered.1.is_err();
        assert!(if there { remembered == before } else { is_rejected }, "{waits} waits: {remembered:?}");
        completed
    })
    .await;
}

/// The handler that rotates a key is dropped: no client has the text of the successor, if one was created.
pub async fn an_abandoned_manager_rotates_in_full_or_not_at_all<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap())
        .audit(move |event: &AuditEvent| told.lock().unwrap().push(event.action.clone()));
    at_every_point(async |number, waits| {
        let name = format!("old_{number}");
        let new = NewKey::new(Owner::organization("acme")).allow_weak();
        let id = manager.import_text(&samples::text(&name), new).await.unwrap().id;
        assert_eq!(caller.warm(&name).await, Ok(id.clone()));
        heard.lock().unwrap().clear();

        let asked = (manager.clone(), id.clone());
        let rotation = async move { asked.0.rotate(&asked.1, RotateOptions::new(Grace::None)).await };
        let completed = settle(abandon(rotation, waits).await, &caller, &[&name]).await;

        let heard = heard.lock().unwrap().clone();
        match rotated(&store, &id).await {
            None => {
                assert_eq!(caller.present(&name).await, Ok(id), "{waits} waits");
                assert_eq!(heard, [], "{waits} waits");
            }
            Some(to) => {
                assert_eq!(caller.present(&name).await, Err(Reason::Revoked), "{waits} waits");
                let all = [Action::Rotated { to }, Action::Created];
                // A dropped caller may miss a change that was made.
                assert!(heard == all || (heard.is_empty() && !completed), "{waits} waits: {heard:?}");
            }
        }
        completed
    })
    .await;
}

/// Puts the key called `name` into a store, and lets the caller cache it.
async fn insert<S: KeyStore + Clone>(store: &S, caller: &Caller<S>, name: &str) -> Record {
    let record = samples::plain(name);
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    assert_eq!(caller.warm(name).await, Ok(record.id.clone()));
    record
}

/// Waits for the tasks of an abandoned change, and returns whether it had been completed before.
async fn settle<S: KeyStore + Clone>(leftovers: Leftovers, caller: &Caller<S>, names: &[&str]) -> bool {
    for name in names {
        // The cached result may be out of date a moment later.
        caller.present(name).await.ok();
    }
    let completed = leftovers.settle().await;
    // Each is another one: an address that is known to be absent is not looked up again.
    wash(async |number| drop(caller.present(&format!("unknown-{}-{number}", names[0])).await)).await;
    wash(async |_| drop(caller.store().get(&samples::id("unknown")).await)).await;
    completed
}

/// Returns the successor of a key, after checking that both refer to each other, or neither to the other.
async fn rotated<S: KeyStore>(store: &S, old: &KeyId) -> Option<KeyId> {
    let record = store.get(old).await.unwrap().unwrap();
    assert_eq!(record.revoked.is_some(), record.rotated_to.is_some());
    let successors: Vec<Record> = store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap();
    let successors = successors.iter().filter(|record| record.rotated_from.as_ref() == Some(old));
    let successors: Vec<_> = successors.map(|record| record.id.clone()).collect();
    assert_eq!(successors, Vec::from_iter(record.rotated_to.clone()));
    record.rotated_to
}
