//! A key is replaced by another one, once.

use std::time::Duration;

use tower_api_key::backend::{BackendErrorKind, Grace, KeyChange, KeyStore, WriteBack};
use tower_api_key::key::RetrievableKey;
use tower_api_key::record::KeyState;
use tower_api_key::reject::Reason;
use tower_api_key::{Record, Timestamp};

use crate::caller::Caller;
use crate::samples::{self, GRACE};

const AT: i64 = 1_820_000_000_000;

fn time(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::from_unix_millis(millis))
}

/// A record in force with a value in every field.
fn in_force(name: &str) -> Record {
    let mut record = samples::full(name);
    (record.revoked, record.disabled) = (None, None);
    record.rotated_to = None;
    record
}

pub async fn a_successor_inherits_what_its_predecessor_may_do<S: KeyStore>(store: S) {
    let old = in_force("old");
    store.change(KeyChange::insert(old.clone())).await.unwrap();
    let mut rotation = samples::rotation("new", AT, Grace::None);
    rotation.by = Some("grace@example.com".into());
    rotation.retrievable = Some(RetrievableKey::new(samples::text("new")));
    let new = store.change(KeyChange::rotate(&old.id, rotation)).await.unwrap().record.unwrap();

    let mut expected = old.clone();
    expected.id = samples::id("new");
    expected.digest = samples::digest("new");
    expected.hint = "hint of new".into();
    expected.created_at = time(AT);
    expected.created_by = Some("grace@example.com".into());
    // The old key had a lifetime of 100,000,000 seconds.
    expected.expires_at = time(AT + 100_000_000_000);
    expected.rotated_from = Some(old.id.clone());
    expected.last_used_at = None;
    expected.retrievable = Some(RetrievableKey::new(samples::text("new")));
    assert_eq!(new, expected);
    assert_eq!(store.find(&expected.digest).await.unwrap(), Some(expected.clone()));

    let mut ended = old;
    ended.rotated_to = Some(expected.id);
    ended.revoked = Some(samples::revocation(AT, "rotated").by("grace@example.com"));
    assert_eq!(store.get(&ended.id).await.unwrap(), Some(ended));
}

pub async fn a_successor_ends_when_it_is_told_to<S: KeyStore>(store: S) {
    store.change(KeyChange::insert(in_force("old"))).await.unwrap();
    let mut rotation = samples::rotation("new", AT, Grace::None);
    rotation.expires_at = time(AT + 1);
    assert_eq!(
        store
            .change(KeyChange::rotate(&samples::id("old"), rotation))
            .await
            .unwrap()
            .record
            .unwrap()
            .expires_at,
        time(AT + 1)
    );

    store.change(KeyChange::insert(samples::plain("endless"))).await.unwrap();
    let rotation = samples::rotation("as_endless", AT, Grace::None);
    assert_eq!(
        store
            .change(KeyChange::rotate(&samples::id("endless"), rotation))
            .await
            .unwrap()
            .record
            .unwrap()
            .expires_at,
        None
    );
}

pub async fn a_grace_ends_with_the_key_at_the_latest<S: KeyStore>(store: S) {
    let own_end = in_force("any").expires_at.unwrap();
    let graces = [(Duration::from_secs(60), AT + 60_000), (Duration::MAX, own_end.unix_millis())];
    for (number, (grace, end)) in graces.into_iter().enumerate() {
        let (old, new) = (format!("old_{number}"), format!("new_{number}"));
        store.change(KeyChange::insert(in_force(&old))).await.unwrap();
        store.change(samples::rotate(&old, &new, AT, Grace::For(grace))).await.unwrap();
        let ending = store.get(&samples::id(&old)).await.unwrap().unwrap();
        assert_eq!((ending.expires_at, ending.revoked), (time(end), None));
    }
}

pub async fn a_grace_from_the_first_use_begins_once<S: KeyStore>(store: S) {
    store.change(KeyChange::insert(in_force("old"))).await.unwrap();
    let rotation = samples::rotation("new", AT, Grace::FromFirstUse(GRACE));
    let new = store.change(KeyChange::rotate(&samples::id("old"), rotation)).await.unwrap().record.unwrap();
    assert_eq!(new.first_use_grace, Some(GRACE));
    let old = || async { store.get(&samples::id("old")).await.unwrap().unwrap() };
    assert_eq!(old().await.expires_at, in_force("old").expires_at);

    let used = AT + 5_000;
    for at in [used, used - 1, used + 1] {
        let write = WriteBack::FirstUse { id: new.id.clone(), at: Timestamp::from_unix_millis(at) };
        store.write_back(write).await.unwrap();
        assert_eq!(old().await.expires_at, time(used + GRACE.as_millis() as i64));
        assert_eq!(store.get(&new.id).await.unwrap().unwrap().first_use_grace, None);
    }
    // A key without a predecessor ends none.
    store.change(KeyChange::insert(in_force("other"))).await.unwrap();
    let write = WriteBack::FirstUse { id: samples::id("other"), at: Timestamp::from_unix_millis(AT) };
    store.write_back(write).await.unwrap();
    assert_eq!(store.get(&samples::id("other")).await.unwrap(), Some(in_force("other")));
}

pub async fn a_key_is_rotated_once<S: KeyStore>(store: S) {
    store.change(KeyChange::insert(in_force("old"))).await.unwrap();
    let grace = Grace::For(GRACE);
    store.change(samples::rotate("old", "new", AT, grace)).await.unwrap();
    let before = store.get(&samples::id("old")).await.unwrap();
    let error = store.change(samples::rotate("old", "newer", AT, grace)).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
    assert_eq!(store.get(&samples::id("newer")).await.unwrap(), None);
    assert_eq!(store.get(&samples::id("old")).await.unwrap(), before);
    // The successor can be rotated.
    store.change(samples::rotate("new", "newer", AT, grace)).await.unwrap().record.unwrap();
}

pub async fn what_is_not_in_force_is_not_rotated<S: KeyStore>(store: S) {
    let error = store.change(samples::rotate("key", "new", AT, Grace::None)).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::NotFound, "{error}");

    let mut expired = in_force("expired");
    expired.expires_at = time(AT);
    store.change(KeyChange::insert(expired)).await.unwrap();
    store.change(KeyChange::insert(samples::full("revoked"))).await.unwrap();
    for state in ["expired", "revoked"] {
        let rotation = samples::rotation("new", AT, Grace::None);
        let error = store.change(KeyChange::rotate(&samples::id(state), rotation)).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
        assert!(error.to_string().contains(state), "{error}");
        assert_eq!(store.get(&samples::id("new")).await.unwrap(), None);
    }
}

pub async fn a_successor_that_is_there_already_changes_nothing<S: KeyStore>(store: S) {
    store.change(KeyChange::insert(in_force("old"))).await.unwrap();
    store.change(KeyChange::insert(in_force("new"))).await.unwrap();
    let error = store.change(samples::rotate("old", "new", AT, Grace::None)).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
    assert_eq!(store.get(&samples::id("old")).await.unwrap(), Some(in_force("old")));
    assert_eq!(store.get(&samples::id("new")).await.unwrap(), Some(in_force("new")));
}

pub async fn of_two_rotations_at_once_one_wins<S: KeyStore + Clone>(store: S) {
    for round in 0..20 {
        let old = format!("old_{round}");
        store.change(KeyChange::insert(samples::plain(&old))).await.unwrap();
        let rotate = |name: String| {
            let (store, old) = (store.clone(), samples::id(&old));
            tokio::spawn(async move {
                store.change(KeyChange::rotate(&old, samples::rotation(&name, 0, Grace::For(GRACE)))).await
            })
        };
        let names = [format!("a_{round}"), format!("b_{round}")];
        let tasks = names.clone().map(rotate);
        let mut winners = Vec::new();
        for (name, task) in names.iter().zip(tasks) {
            match task.await.unwrap() {
                Ok(outcome) => winners.push(outcome.record.unwrap().id),
                Err(error) => {
                    assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
                    assert_eq!(store.get(&samples::id(name)).await.unwrap(), None);
                }
            }
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(store.get(&samples::id(&old)).await.unwrap().unwrap().rotated_to, winners.pop());
    }
}

pub async fn a_rotation_is_in_effect_for_the_very_next_request<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    store.change(KeyChange::insert(samples::plain("old"))).await.unwrap();
    assert_eq!(caller.warm("old").await, Ok(samples::id("old")));
    assert_eq!(caller.warm("new").await, Err(Reason::Unknown));
    store.change(samples::rotate("old", "new", 0, Grace::None)).await.unwrap();
    assert_eq!(caller.present("old").await, Err(Reason::Revoked));
    assert_eq!(caller.present("new").await, Ok(samples::id("new")));

    // With a grace, both are accepted until it ends: the clock of the caller stands at its end here.
    store.change(samples::rotate("new", "newer", -1_000, Grace::For(GRACE))).await.unwrap().record.unwrap();
    assert_eq!(caller.present("new").await, Ok(samples::id("new")));
    assert_eq!(caller.present("newer").await, Ok(samples::id("newer")));
    store.change(samples::rotate("newer", "newest", -5_000, Grace::For(GRACE))).await.unwrap();
    assert_eq!(caller.present("newer").await, Err(Reason::Expired));
}

pub async fn the_first_request_with_a_successor_begins_the_grace<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    store.change(KeyChange::insert(samples::plain("old"))).await.unwrap();
    assert_eq!(caller.warm("old").await, Ok(samples::id("old")));
    store.change(samples::rotate("old", "new", -9, Grace::FromFirstUse(GRACE))).await.unwrap();
    assert_eq!(caller.warm("old").await, Ok(samples::id("old")));
    let old = || async { store.get(&samples::id("old")).await.unwrap().unwrap() };
    assert_eq!(old().await.expires_at, None);

    assert_eq!(caller.present("new").await, Ok(samples::id("new")));
    // The first use is recorded beside the request.
    while store.get(&samples::id("new")).await.unwrap().unwrap().first_use_grace.is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(old().await.expires_at, time(GRACE.as_millis() as i64));
    assert_eq!(old().await.state(Timestamp::from_unix_millis(0)), KeyState::Active);
}

pub async fn a_key_whose_successor_has_ended_is_rotated_again<S: KeyStore>(store: S) {
    let (old, made) = (samples::id("old"), AT - 1_000_000);
    let life = 100_000_000;
    let mut record = in_force("old");
    (record.created_at, record.expires_at) = (time(made), time(made + life));
    store.change(KeyChange::insert(record)).await.unwrap();
    let rotate = async |name: &str, at: i64| {
        store
            .change(KeyChange::rotate(
                &old,
                samples::rotation(name, at, Grace::For(Duration::from_secs(3_600))),
            ))
            .await
    };
    let change =
        KeyChange::rotate(&old, samples::rotation("unseen", AT, Grace::For(Duration::from_secs(3_600))));
    store.change(change).await.unwrap();
    assert_eq!(rotate("early", AT + 1).await.unwrap_err().kind(), BackendErrorKind::Conflict);
    assert_eq!(store.get(&samples::id("early")).await.unwrap(), None);
    store.change(samples::revoke("unseen", AT + 2, "unseen")).await.unwrap();

    let again = rotate("again", AT + 3).await.unwrap().record.unwrap();
    // The lifetime is the intended one, which the grace has shortened for the old key alone.
    assert_eq!((again.created_at, again.expires_at), (time(AT + 3), time(AT + 3 + life)));
    assert_eq!(again.rotated_from, Some(old.clone()));
    let stored = store.get(&old).await.unwrap().unwrap();
    assert_eq!((stored.rotated_to, stored.revoked), (Some(again.id), None));
    assert_eq!(stored.expires_at, time(AT + 3_600_000), "a second rotation puts no end off");
    // When it is rotated again, the new successor counts.
    assert_eq!(rotate("once_more", AT + 4).await.unwrap_err().kind(), BackendErrorKind::Conflict);
    store.change(samples::revoke("again", AT + 5, "unseen")).await.unwrap();
    store.change(KeyChange::purge_ended(Timestamp::from_unix_millis(AT + 6))).await.unwrap();
    rotate("once_more", AT + 7).await.unwrap();
    // A key that has ended is not rotated, whatever the state of its successor.
    store.change(samples::revoke("once_more", AT + 8, "unseen")).await.unwrap();
    store.change(KeyChange::revoke(&old, samples::revocation(AT + 9, "lost"))).await.unwrap();
    assert_eq!(rotate("late", AT + 10).await.unwrap_err().kind(), BackendErrorKind::Conflict);
}

pub async fn the_first_use_of_a_successor_that_was_replaced_ends_nothing<S: KeyStore>(store: S) {
    let (old, grace) = (samples::id("old"), Grace::FromFirstUse(GRACE));
    store.change(KeyChange::insert(samples::plain("old"))).await.unwrap();
    let end = async || store.get(&old).await.unwrap().unwrap().expires_at;
    let unseen = store
        .change(KeyChange::rotate(&old, samples::rotation("unseen", AT, grace)))
        .await
        .unwrap()
        .record
        .unwrap();
    store.change(KeyChange::revoke(&unseen.id, samples::revocation(AT + 1, "unseen"))).await.unwrap();
    let seen = store
        .change(KeyChange::rotate(&old, samples::rotation("seen", AT + 2, grace)))
        .await
        .unwrap()
        .record
        .unwrap();
    let write = WriteBack::FirstUse { id: unseen.id, at: Timestamp::from_unix_millis(AT + 3) };
    store.write_back(write).await.unwrap();
    assert_eq!(end().await, None);
    let write = WriteBack::FirstUse { id: seen.id, at: Timestamp::from_unix_millis(AT + 4) };
    store.write_back(write).await.unwrap();
    assert_eq!(end().await, time(AT + 4 + GRACE.as_millis() as i64));
}
