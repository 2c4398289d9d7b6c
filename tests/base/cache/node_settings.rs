//! Nodes whose digester or key format contradicts the store: they answer 503, and do not call every key unknown.

#![allow(clippy::disallowed_methods, reason = "the runtime's time is paused, so sleeping takes no time")]

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use support::probe::{Feed, Probe};
use support::{START, request};
use tokio::time::sleep;
use tower_api_key::backend::{
    Backend, BackendError, BackendErrorKind, BoxedChangeFeed, ChangeFeed, Invalidation,
};
use tower_api_key::clock::ManualClock;
use tower_api_key::digest::{Digest, Digester, Fingerprint, FormerDigester};
use tower_api_key::manage::{KeyManager, NewKey};
use tower_api_key::{Authenticator, AuthenticatorBuilder, KeyFormat, MemoryStore, Reason, Record, Source};

const PEPPER: &[u8] = b"a pepper of 32 random bytes here";
const OTHER_PEPPER: &[u8] = b"another pepper of 32 random byte";

const OTHER_DIGESTER: &str = "no key of the store was made with a digester of this node, so every key would be unknown: set the pepper \
    with which they were made by `AuthenticatorBuilder::digester`, or by `former_digester` if new keys get another one";
const OTHER_FORMAT: &str = "no key of the store was made in a key format that a source of this node accepts, so every key would be \
    malformed: add the format of the keys by `Source::format`";

fn peppered(pepper: &[u8]) -> Digester {
    Digester::hmac_sha256(pepper).unwrap()
}

fn format(prefix: &str) -> KeyFormat {
    KeyFormat::new(prefix).unwrap()
}

/// Creates a key, and returns its text.
async fn create(store: &MemoryStore, digester: Digester, prefix: &str) -> String {
    let manager = KeyManager::new(store.clone(), format(prefix)).digester(digester);
    let created = manager.create(NewKey::for_organization("acme")).await.unwrap();
    created.reveal().as_str().to_owned()
}

/// A store with a key in the format `demo`, made with the pepper.
async fn store() -> (MemoryStore, String) {
    let store = MemoryStore::new();
    let key = create(&store, peppered(PEPPER), "demo").await;
    (store, key)
}

fn build(builder: AuthenticatorBuilder) -> Authenticator {
    builder.with_clock(ManualClock::new(START)).build().unwrap()
}

async fn reason_of(node: &Authenticator, key: &str) -> Option<Reason> {
    let outcome = node.authenticate(request("x-api-key", key).headers()).await;
    outcome.err().map(|rejection| rejection.reason().clone())
}

type Settings = fn(AuthenticatorBuilder) -> AuthenticatorBuilder;

/// Each setting, with what the start reports.
const SETTINGS: [(&str, Settings, Option<&str>); 10] = [
    ("the pepper", |node| node.digester(peppered(PEPPER)), None),
    ("no pepper", |node| node, Some(OTHER_DIGESTER)),
    ("another pepper", |node| node.digester(peppered(OTHER_PEPPER)), Some(OTHER_DIGESTER)),
    (
        "another pepper, and the former one",
        |node| node.digester(peppered(OTHER_PEPPER)).former_digester(peppered(PEPPER)),
        None,
    ),
    (
        "other peppers",
        |node| node.digester(peppered(OTHER_PEPPER)).former_digester(Digester::sha256()),
        Some(OTHER_DIGESTER),
    ),
    (
        "a former pepper without a fingerprint",
        |node| {
            let former = FormerDigester::hmac_sha256(b"a pepper of old!").unwrap();
            node.digester(peppered(OTHER_PEPPER)).former_digester(former)
        },
        None,
    ),
    ("the format", |node| of_format(node, "demo"), None),
    ("another format", |node| of_format(node, "other"), Some(OTHER_FORMAT)),
    (
        "another format, and keys of any",
        |node| {
            let source = Source::x_api_key().format(format("other")).foreign();
            node.digester(peppered(PEPPER)).sources([source])
        },
        None,
    ),
    (
        "another pepper and format",
        |node| of_format(node, "other").digester(peppered(OTHER_PEPPER)),
        Some(OTHER_DIGESTER),
    ),
];

fn of_format(node: AuthenticatorBuilder, prefix: &str) -> AuthenticatorBuilder {
    node.digester(peppered(PEPPER)).sources([Source::x_api_key().format(format(prefix))])
}

async fn check_start(node: &Authenticator, expected: Option<&str>, which: &str) {
    match (node.start().await, expected) {
        (Ok(()), None) => {}
        (Err(error), Some(message)) => {
            assert_eq!(error.to_string(), message, "{which}");
            assert_eq!(error.kind(), BackendErrorKind::Invalid);
        }
        (outcome, _) => panic!("{which}: {outcome:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_start_names_the_setting_that_contradicts_the_store() {
    for (which, settings, expected) in SETTINGS {
        let (store, key) = store().await;
        let with_feed = build(settings(Authenticator::builder(quiet(&store))));
        let without_feed = build(settings(Authenticator::builder(store.clone())));
        for node in [with_feed, without_feed] {
            // A second start reports the same.
            for _ in 0..2 {
                check_start(&node, expected, which).await;
            }
            if expected.is_some() {
                assert_eq!(reason_of(&node, &key).await, Some(Reason::Unavailable), "{which}");
            }
        }
    }
}

fn quiet(store: &MemoryStore) -> Probe<MemoryStore> {
    Probe::over(store.clone()).followed_by(Feed::quiet)
}

#[tokio::test(start_paused = true)]
async fn a_store_without_keys_or_with_keys_that_were_made_elsewhere_contradicts_nothing() {
    let store = MemoryStore::new();
    for import in [false, true] {
        if import {
            let manager = KeyManager::new(store.clone(), format("demo"));
            let digest = Digester::sha256().digest(b"a key of another program");
            manager.import(digest, NewKey::for_organization("acme")).await.unwrap();
        }
        for (which, settings, _) in SETTINGS {
            check_start(&build(settings(Authenticator::builder(quiet(&store)))), None, which).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_keeps_no_fingerprints_contradicts_nothing() {
    let (store, _) = store().await;
    for (which, settings, _) in SETTINGS {
        let backend = Probe::reading(store.clone()).followed_by(Feed::quiet);
        check_start(&build(settings(Authenticator::builder(backend))), None, which).await;
    }
}

/// Nodes of a rolling deployment, of which some make keys already.
#[tokio::test(start_paused = true)]
async fn one_of_several_settings_in_the_store_is_enough() {
    let (store, _) = store().await;
    create(&store, peppered(OTHER_PEPPER), "other").await;
    let [one, another] = [("demo", PEPPER), ("other", OTHER_PEPPER)];
    for ((prefix, _), (_, pepper)) in [(one, one), (one, another), (another, one), (another, another)] {
        let node = of_format(Authenticator::builder(store.clone()), prefix).digester(peppered(pepper));
        check_start(&build(node), None, prefix).await;
    }
    let unrelated = Authenticator::builder(store.clone());
    check_start(&build(unrelated), Some(OTHER_DIGESTER), "no pepper").await;
}

/// Without a start, the first poll compares the settings.
#[tokio::test(start_paused = true)]
async fn a_node_that_was_not_started_rejects_no_key_as_unknown() {
    #[cfg(feature = "tracing")]
    let _second_subscriber = support::captured::Log::begin();
    #[cfg(feature = "tracing")]
    let (log, _guard) = support::captured::Log::begin();
    let (store, key) = store().await;
    let backend = quiet(&store);
    let node = build(Authenticator::builder(backend.clone()).digester(peppered(OTHER_PEPPER)));
    for _ in 0..5 {
        assert_eq!(reason_of(&node, &key).await, Some(Reason::Unavailable));
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(backend.reads(), 0);
    let health = node.health();
    let error = health.feed.as_ref().and_then(|feed| feed.last_error.as_deref());
    assert_eq!(error, Some(OTHER_DIGESTER), "{health:?}");
    #[cfg(feature = "tracing")]
    {
        let logged = log.take("ERROR");
        assert_eq!(logged.len(), 1, "{logged:?}");
        let message = format!("requests with a key are answered 503 (logged once): {OTHER_DIGESTER}");
        assert!(logged[0].ends_with(&message), "{}", logged[0]);
    }

    // A manager makes keys with the pepper of this node: the next poll finds its fingerprint.
    let own = create(&store, peppered(OTHER_PEPPER), "demo").await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(reason_of(&node, &own).await, None);
    assert_eq!(reason_of(&node, &key).await, Some(Reason::Unknown));
}

/// Without a feed there is no poll: only a start compares them.
#[tokio::test]
async fn a_node_without_a_feed_is_checked_by_its_start_alone() {
    let (store, key) = store().await;
    let another = create(&store, peppered(PEPPER), "demo").await;
    let node = build(Authenticator::builder(store.clone()));
    assert_eq!(reason_of(&node, &another).await, Some(Reason::Unknown));
    check_start(&node, Some(OTHER_DIGESTER), "no pepper").await;
    assert_eq!(reason_of(&node, &key).await, Some(Reason::Unavailable));
    let own = create(&store, Digester::sha256(), "demo").await;
    check_start(&node, None, "no pepper").await;
    assert_eq!(reason_of(&node, &own).await, None);
}

/// The fingerprints of former digesters go with them.
#[tokio::test]
async fn a_node_without_the_current_digester_is_told_once_the_former_one_is_retired() {
    let (store, key) = store().await;
    let new = || peppered(OTHER_PEPPER);
    let node = Authenticator::builder(store.clone()).digester(new()).former_digester(peppered(PEPPER));
    let node = build(node);
    assert_eq!(reason_of(&node, &key).await, None);
    while store.find(&new().digest(key.as_bytes())).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    let late = || build(Authenticator::builder(store.clone()).digester(peppered(PEPPER)));
    check_start(&late(), None, "before the retirement").await;
    let manager =
        KeyManager::new(store.clone(), format("demo")).digester(new()).former_digester(peppered(PEPPER));
    assert_eq!(manager.retire_former_digesters().await.unwrap(), 1);
    check_start(&late(), Some(OTHER_DIGESTER), "after the retirement").await;
    check_start(&node, None, "with the current digester").await;
    assert_eq!(reason_of(&node, &key).await, None);
}

/// A store with a feed that counts acknowledgements.
struct Listed {
    store: MemoryStore,
    acks: Arc<AtomicUsize>,
}

impl Backend for Listed {
    async fn find(&self, digest: &Digest) -> Result<Option<Record>, BackendError> {
        self.store.find(digest).await
    }

    async fn fingerprints(&self) -> Result<Option<Vec<Fingerprint>>, BackendError> {
        self.store.fingerprints().await
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        Some(BoxedChangeFeed::new(CountingFeed(Arc::clone(&self.acks))))
    }
}

struct CountingFeed(Arc<AtomicUsize>);

impl ChangeFeed for CountingFeed {
    async fn poll(&mut self) -> Result<Vec<Invalidation>, BackendError> {
        Ok(Vec::new())
    }

    async fn ack(&mut self) -> Result<(), BackendError> {
        self.0.fetch_add(1, SeqCst);
        Ok(())
    }
}

/// It is on the list of nodes that have polled, and a revocation waits for those.
#[tokio::test]
async fn a_node_that_the_store_contradicts_keeps_no_change_waiting() {
    let (store, _) = store().await;
    let acks = Arc::new(AtomicUsize::new(0));
    let listed = Listed { store, acks: Arc::clone(&acks) };
    let node = build(Authenticator::builder(listed).digester(peppered(OTHER_PEPPER)));
    check_start(&node, Some(OTHER_DIGESTER), "another pepper").await;
    assert_eq!(acks.load(SeqCst), 1);
}

#[tokio::test]
async fn a_manager_without_the_pepper_of_the_nodes_retires_nothing() {
    let (store, key) = store().await;
    let node =
        Authenticator::builder(store.clone()).digester(peppered(PEPPER)).former_digester(Digester::sha256());
    let node = build(node);
    let manager = || KeyManager::new(store.clone(), format("demo"));
    for (manager, field) in [
        (manager(), "former_digester"),
        (manager().digester(peppered(PEPPER)), "former_digester"),
        (manager().digester(peppered(OTHER_PEPPER)).former_digester(peppered(PEPPER)), "digester"),
    ] {
        let error = manager.retire_former_digesters().await.unwrap_err();
        assert_eq!(error.fields()[0].field, field, "{error}");
    }
    assert_eq!(reason_of(&node, &key).await, None);
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn a_node_that_lacks_a_digester_of_the_store_says_so_once() {
    let _second_subscriber = support::captured::Log::begin();
    let (log, _guard) = support::captured::Log::begin();
    let (store, _) = store().await;
    create(&store, peppered(OTHER_PEPPER), "demo").await;
    let node = build(Authenticator::builder(store).digester(peppered(PEPPER)));
    for _ in 0..2 {
        check_start(&node, None, "one of two peppers").await;
    }
    let logged = log.take("WARN");
    assert_eq!(logged.len(), 1, "{logged:?}");
    let lacking = peppered(OTHER_PEPPER).fingerprint();
    assert!(logged[0].contains(lacking.as_str()) && logged[0].contains("former_digester"), "{}", logged[0]);
}

/// A node that finds keys goes on; one whose keys were found before and are not any more does not call them unknown.
#[tokio::test]
async fn a_node_that_runs_is_stopped_only_by_a_store_that_had_its_digester() {
    let imported = MemoryStore::new();
    let node = build(Authenticator::builder(imported.clone()).digester(peppered(PEPPER)));
    check_start(&node, None, "no fingerprint yet").await;
    create(&imported, peppered(OTHER_PEPPER), "demo").await;
    check_start(&node, None, "a mistaken manager").await;

    let (store, key) = store().await;
    let [late, both] =
        [PEPPER, OTHER_PEPPER].map(|pepper| Authenticator::builder(store.clone()).digester(peppered(pepper)));
    let (late, both) = (build(late), build(both.former_digester(peppered(PEPPER))));
    check_start(&late, None, "before the retirement").await;
    assert_eq!(reason_of(&both, &key).await, None);
    while store.find(&peppered(OTHER_PEPPER).digest(key.as_bytes())).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    let manager = KeyManager::new(store.clone(), format("demo")).digester(peppered(OTHER_PEPPER));
    assert_eq!(manager.former_digester(peppered(PEPPER)).retire_former_digesters().await.unwrap(), 1);
    check_start(&late, Some(OTHER_DIGESTER), "after the retirement").await;
    assert_eq!(reason_of(&late, &key).await, Some(Reason::Unavailable));
}
