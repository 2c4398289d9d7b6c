//! A database whose encoding has fewer characters than Unicode.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use tower_api_key::backend::{
    Backend, BackendError, BackendErrorKind, KeyChange, KeyFilter, KeyStore, KeyUpdate, OwnerChange,
    OwnerStore,
};
use tower_api_key::owner::Organization;
use tower_api_key::password::{PasswordLimits, Passwords};
use tower_api_key::reject::Reason;
use tower_api_key::{Authenticator, PostgresStore, Record, Source};

use super::{Database, is_absent};
use crate::store::samples;

/// A text with a character that Latin-1 lacks.
const TYPOGRAPHIC: &str = "it\u{2019}s";

async fn open_latin1() -> (PostgresStore, Database) {
    let database =
        Database::create_as("ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'").await;
    let store = PostgresStore::open(&database.url()).await.unwrap();
    store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    (store, database)
}

fn is_invalid<T: std::fmt::Debug>(outcome: Result<T, BackendError>) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Invalid, "{error}");
}

#[tokio::test]
async fn a_change_with_a_text_that_the_encoding_lacks_is_invalid_and_changes_nothing() {
    if is_absent() {
        return;
    }
    let (store, _database) = open_latin1().await;
    let insert = |describe: fn(&mut Record)| {
        let mut record = samples::plain("new");
        describe(&mut record);
        KeyChange::insert(record)
    };
    let id = samples::id("key");
    let mut update = KeyUpdate::default();
    update.name = Some(TYPOGRAPHIC.into());
    for change in [
        insert(|record| record.name = TYPOGRAPHIC.into()),
        insert(|record| record.labels = [(TYPOGRAPHIC.into(), "".into())].into()),
        insert(|record| record.created_by = Some(TYPOGRAPHIC.into())),
        KeyChange::update(&id, update),
        KeyChange::revoke(&id, samples::revocation(1, TYPOGRAPHIC)),
        KeyChange::revoke_all(&KeyFilter::all(), samples::revocation(1, TYPOGRAPHIC)),
    ] {
        is_invalid(store.change(change).await);
    }
    is_invalid(store.change_owner(OwnerChange::put_organization(Organization::new(TYPOGRAPHIC))).await);
    is_invalid(store.change_owner(OwnerChange::put_user(TYPOGRAPHIC)).await);
    assert_eq!(store.get(&samples::id("new")).await.unwrap(), None);
    assert_eq!(store.get(&id).await.unwrap(), Some(samples::plain("key")));
    store.change(KeyChange::revoke(&id, samples::revocation(1, "wie gew\u{fc}nscht"))).await.unwrap();
}

#[tokio::test]
async fn a_filter_with_a_text_that_the_encoding_lacks_is_invalid() {
    if is_absent() {
        return;
    }
    let (store, _database) = open_latin1().await;
    for text in [TYPOGRAPHIC, "a\0b"] {
        is_invalid(store.list(&KeyFilter::of_organization(text), None, 10).await);
        is_invalid(store.list(&KeyFilter::of_user(text), None, 10).await);
        is_invalid(store.organization(text).await);
        is_invalid(store.members("acme", Some(text), 10).await);
        is_invalid(store.projects(text, None, 10).await);
    }
    assert_eq!(store.list(&KeyFilter::all(), None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_person_whose_address_the_encoding_lacks_is_unknown() {
    if is_absent() {
        return;
    }
    let (store, _database) = open_latin1().await;
    assert_eq!(store.find_user(TYPOGRAPHIC).await.unwrap(), None);
    let mut limits = PasswordLimits::default();
    (limits.memory, limits.passes) = (8, 1);
    let authenticator = Authenticator::builder(store)
        .sources([Source::basic(), Source::x_api_key()])
        .passwords(Passwords::with_limits(limits).unwrap())
        .build()
        .unwrap();
    let answer = async |name: &'static str, value: &str| {
        let headers = HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::try_from(value).unwrap())]);
        authenticator.authenticate(&headers).await.err().map(|rejection| rejection.reason().clone())
    };
    // More often than the circuit breaker allows failures.
    for number in 0..12 {
        let pair = format!("{number}{TYPOGRAPHIC}@example.com:wrong");
        let rejected = answer("authorization", &format!("Basic {}", STANDARD.encode(pair))).await;
        assert_eq!(rejected, Some(Reason::Unknown));
    }
    assert_eq!(answer("x-api-key", &samples::text("key")).await, None);
}

#[tokio::test]
async fn a_node_has_a_name_that_any_encoding_can_hold() {
    if is_absent() {
        return;
    }
    let (store, _database) = open_latin1().await;
    let mut feed = store.clone().node_name(TYPOGRAPHIC).feed().unwrap();
    feed.set_lease(std::time::Duration::from_secs(60), std::time::Duration::ZERO);
    feed.poll().await.unwrap();
    store.change(KeyChange::insert(samples::plain("other"))).await.unwrap();
    let (lease, at_most) = (std::time::Duration::from_secs(60), std::time::Duration::from_millis(100));
    assert_eq!(&*store.wait_applied(lease, at_most).await.missing()[0], "it?s");
}
