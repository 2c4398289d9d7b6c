//! Which fields of a key can be updated, and when.

use tower_api_key::backend::{BackendErrorKind, Grace, KeyChange, KeyStore, KeyUpdate};
use tower_api_key::reject::Reason;
use tower_api_key::{Scopes, Timestamp};

use crate::caller::Caller;
use crate::samples;

pub async fn an_update_changes_what_it_names_and_nothing_else<S: KeyStore>(store: S) {
    let mut record = samples::full("key");
    record.revoked = None;
    record.rotated_to = None;
    store.change(KeyChange::insert(record.clone())).await.unwrap();

    assert_eq!(
        store.change(KeyChange::update(&record.id, KeyUpdate::default())).await.unwrap().record.unwrap(),
        record
    );
    shows(&store, &record).await;

    let mut update = KeyUpdate::default();
    update.name = Some("Neuer Name".into());
    record.name = "Neuer Name".into();
    assert_eq!(store.change(KeyChange::update(&record.id, update)).await.unwrap().record.unwrap(), record);
    shows(&store, &record).await;

    let mut update = KeyUpdate::default();
    update.scopes = Some(Scopes::parse("a b").unwrap());
    update.expires_at = Some(None);
    update.metadata = Some([("plan".to_owned(), "free".to_owned())].into());
    update.limits = Some("hourly=10/3600s".parse().unwrap());
    record.limits = "hourly=10/3600s".parse().unwrap();
    record.scopes = Scopes::parse("a b").unwrap();
    record.expires_at = None;
    record.metadata = [("plan".to_owned(), "free".to_owned())].into();
    assert_eq!(store.change(KeyChange::update(&record.id, update)).await.unwrap().record.unwrap(), record);
    shows(&store, &record).await;
}

pub async fn what_is_not_there_cannot_be_updated<S: KeyStore>(store: S) {
    let error = store.change(KeyChange::update(&samples::id("key"), KeyUpdate::default())).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::NotFound, "{error}");
}

pub async fn a_revoked_key_cannot_be_updated<S: KeyStore>(store: S) {
    let record = samples::full("key");
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    let error = store.change(KeyChange::update(&record.id, expiring(1))).await.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("revoked"), "{error}");
    shows(&store, &record).await;
}

pub async fn the_end_of_a_rotated_key_is_not_put_off<S: KeyStore>(store: S) {
    let record = samples::plain("old");
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    let change = KeyChange::rotate(&record.id, samples::rotation("new", 100, Grace::For(samples::GRACE)));
    store.change(change).await.unwrap();
    let end = store.get(&record.id).await.unwrap().unwrap().expires_at.unwrap().unix_millis();
    let mut endless = KeyUpdate::default();
    endless.expires_at = Some(None);
    for update in [expiring(end + 1), endless] {
        let error = store.change(KeyChange::update(&record.id, update)).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
    }
    let brought_forward =
        store.change(KeyChange::update(&record.id, expiring(end - 1))).await.unwrap().record.unwrap();
    assert_eq!(brought_forward.expires_at, Some(Timestamp::from_unix_millis(end - 1)));
}

pub async fn an_update_is_in_effect_for_the_very_next_request<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    assert_eq!(caller.warm("key").await, Ok(samples::id("key")));
    store.change(KeyChange::update(&samples::id("key"), expiring(0))).await.unwrap();
    assert_eq!(caller.present("key").await, Err(Reason::Expired));
    store.change(KeyChange::update(&samples::id("key"), expiring(1))).await.unwrap();
    assert_eq!(caller.present("key").await, Ok(samples::id("key")));
}

fn expiring(millis: i64) -> KeyUpdate {
    let mut update = KeyUpdate::default();
    update.expires_at = Some(Some(Timestamp::from_unix_millis(millis)));
    update
}

async fn shows<S: KeyStore>(store: &S, record: &tower_api_key::Record) {
    assert_eq!(store.find(&record.digest).await.unwrap().as_ref(), Some(record));
    assert_eq!(store.get(&record.id).await.unwrap().as_ref(), Some(record));
}
