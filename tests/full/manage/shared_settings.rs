//! The manager of the keys that an authenticator admits.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tower_api_key::backend::{Grace, Propagation};
use tower_api_key::clock::ManualClock;
use tower_api_key::digest::Digester;
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::key::{Mint, OpaqueFormat};
use tower_api_key::manage::{KeyManager, NewKey, RotateOptions};
use tower_api_key::{Authenticator, AuthenticatorBuilder, KeyFormat, MemoryStore, Source, Timestamp};

const NOW: Timestamp = Timestamp::from_unix_millis(1_900_000_000_000);

fn format(prefix: &str) -> KeyFormat {
    KeyFormat::new(prefix).unwrap()
}

fn manager(builder: AuthenticatorBuilder, store: &MemoryStore) -> (Authenticator, KeyManager<MemoryStore>) {
    let authenticator = builder.build().unwrap();
    let manager = KeyManager::for_authenticator(&authenticator, store.clone(), format("demo")).unwrap();
    (authenticator, manager)
}

#[tokio::test]
async fn the_authenticator_admits_the_keys_of_its_manager() {
    let (store, clock) = (MemoryStore::new(), Arc::new(ManualClock::new(NOW)));
    let builder = Authenticator::builder(store.clone())
        .sources([Source::basic().format(format("demo"))])
        .digester(Digester::hmac_sha256(b"a pepper of 32 random bytes here").unwrap())
        .with_clock(Arc::clone(&clock));
    let (authenticator, manager) = manager(builder, &store);
    let created = manager.create(NewKey::for_user("ann@example.com")).await.unwrap();
    assert_eq!(created.record().created_at, Some(NOW));
    let (text, record) = created.into_parts();

    let credential = format!("ann@example.com:{}", text.as_str());
    let value = format!("Basic {}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, credential));
    let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, value.parse().unwrap())]);
    assert!(authenticator.authenticate(&headers).await.is_ok());

    // Both read one clock: the grace ends for the authenticator when it does for the manager.
    manager.rotate(&record.id, RotateOptions::new(Grace::For(Duration::from_secs(60)))).await.unwrap();
    assert!(authenticator.authenticate(&headers).await.is_ok());
    clock.advance(Duration::from_secs(60));
    assert!(authenticator.authenticate(&headers).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn revocations_wait_for_the_lease_and_the_stale_grace_of_the_authenticator() {
    let store = MemoryStore::new();
    let builder = Authenticator::builder(store.clone());
    let builder = builder.lease(Duration::from_secs(7)).stale_grace(Duration::from_secs(20));
    let (_authenticator, manager) = manager(builder, &store);
    let (_, record) = manager.create(NewKey::for_organization("acme")).await.unwrap().into_parts();
    let start = tokio::time::Instant::now();
    let propagation = manager.revoke_everywhere(&record.id, "").await.unwrap();
    assert!(matches!(propagation, Propagation::LeaseEnd { .. }), "{propagation:?}");
    assert_eq!(start.elapsed().as_secs(), 27);
}

#[test]
fn a_format_that_no_source_accepts_is_an_error() {
    let demo = || format("demo");
    for (sources, expected, expected_opaque) in [
        (vec![Source::bearer()], true, true),
        (vec![Source::bearer().format(demo())], true, false),
        (vec![Source::bearer().format(format("other"))], false, false),
        (vec![Source::bearer().format(format("other")), Source::x_api_key().format(demo())], true, false),
        (vec![Source::bearer().format(format("other")).foreign()], true, true),
        (vec![Source::bearer().prefix("demo_").unwrap()], true, false),
        (vec![Source::basic()], true, true),
    ] {
        let text = format!("{sources:?}");
        let authenticator = Authenticator::builder(MemoryStore::new()).sources(sources).build().unwrap();
        assert_eq!(mints(&authenticator, demo()), expected, "{text}");
        assert_eq!(mints(&authenticator, OpaqueFormat::hex(32).unwrap()), expected_opaque, "{text}");
    }
}

/// Returns whether there is a manager that mints keys of a format for the authenticator.
fn mints(authenticator: &Authenticator, format: impl Mint) -> bool {
    let manager = KeyManager::for_authenticator(authenticator, MemoryStore::new(), format);
    manager.inspect_err(|error| assert_eq!(error.kind(), ConfigErrorKind::KeyFormat)).is_ok()
}
