//! A revocation is final, and the first one counts.

use tower_api_key::Record;
use tower_api_key::backend::{BackendErrorKind, KeyChange, KeyStore};
use tower_api_key::record::Revocation;

use crate::samples;

pub async fn a_revocation_shows_by_digest_and_by_id<S: KeyStore>(store: S) {
    let record = samples::plain("key");
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    let revocation = samples::revocation(-7, "gefunden in einem \"Repo\"");
    store.change(KeyChange::revoke(&record.id, revocation.clone())).await.unwrap();
    shows(&store, &record, &revocation).await;
}

pub async fn the_first_revocation_stays<S: KeyStore>(store: S) {
    let record = samples::plain("key");
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    let first = samples::revocation(5, "");
    store.change(KeyChange::revoke(&record.id, first.clone())).await.unwrap();
    for (millis, reason) in [(9, "later"), (1, "earlier"), (5, "at the same time")] {
        store.change(KeyChange::revoke(&record.id, samples::revocation(millis, reason))).await.unwrap();
        shows(&store, &record, &first).await;
    }
}

pub async fn the_revocation_that_a_record_came_with_stays<S: KeyStore>(store: S) {
    let record = samples::full("key");
    let first = record.revoked.clone().unwrap();
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    store.change(KeyChange::revoke(&record.id, samples::revocation(1, "again"))).await.unwrap();
    shows(&store, &record, &first).await;
}

pub async fn an_unknown_key_cannot_be_revoked<S: KeyStore>(store: S) {
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    for name in ["key_unknown", "KEY", "ke_", "k", "key."] {
        let error = store.change(samples::revoke(name, 1, "gone")).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::NotFound, "{name}: {error}");
        assert_eq!(store.get(&samples::id(name)).await.unwrap(), None);
    }
    assert_eq!(store.get(&samples::id("key")).await.unwrap(), Some(samples::plain("key")));
}

pub async fn a_revocation_changes_one_key_and_nothing_else_of_it<S: KeyStore>(store: S) {
    let mut revoked = samples::full("key_revoked");
    revoked.revoked = None;
    let other = samples::full("key_other");
    store.change(KeyChange::insert(revoked.clone())).await.unwrap();
    store.change(KeyChange::insert(other.clone())).await.unwrap();
    let revocation = samples::revocation(3, "lost");
    store.change(KeyChange::revoke(&revoked.id, revocation.clone())).await.unwrap();
    shows(&store, &revoked, &revocation).await;
    assert_eq!(store.get(&other.id).await.unwrap(), Some(other));
}

/// Checks that the store has the record as it was, with this revocation.
async fn shows<S: KeyStore>(store: &S, record: &Record, revocation: &Revocation) {
    let mut expected = record.clone();
    expected.revoked = Some(revocation.clone());
    assert_eq!(store.find(&record.digest).await.unwrap().as_ref(), Some(&expected));
    assert_eq!(store.get(&record.id).await.unwrap(), Some(expected));
}
