//! The metrics that an authenticator and a usage meter record.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit, with_local_recorder,
};
use support::probe::{Fault, Feed, Probe};
use tower_api_key::backend::{
    BackendError, KeyChange, KeyStore, UsageBatch, UsageLine, UsageQuery, UsageStore,
};
use tower_api_key::clock::Day;
use tower_api_key::test_util::{Behaviour, Misbehaving};
use tower_api_key::usage::Usage;
use tower_api_key::{Authenticator, AuthenticatorBuilder, MemoryStore, Reason, metrics as names};

/// A recorder that keeps the last value of each metric, by name and labels.
#[derive(Clone, Default)]
struct TestRecorder(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl TestRecorder {
    fn cell(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::clone(
            self.0.lock().unwrap().entry(format!("{}{{{}}}", key.name(), labels.join(","))).or_default(),
        )
    }

    fn count(&self, name: &str) -> u64 {
        self.0.lock().unwrap().get(name).unwrap_or_else(|| panic!("no metric {name}")).load(SeqCst)
    }

    fn measure(&self, name: &str) -> f64 {
        f64::from_bits(self.count(name))
    }

    fn metric(&self, metric: &str) -> String {
        format!("{metric}{{authenticator=api}}")
    }

    /// Builds with this recorder.
    fn build<T>(&self, build: impl FnOnce() -> T) -> T {
        with_local_recorder(self, build)
    }

    fn authenticator(&self, builder: AuthenticatorBuilder) -> Authenticator {
        self.build(|| support::build(builder.metrics_name("api")).0)
    }
}

impl Recorder for TestRecorder {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

async fn present(authenticator: &Authenticator, key: &support::Key) -> Option<Reason> {
    let outcome = authenticator.authenticate(key.x_api_key().headers()).await;
    outcome.err().map(|rejection| rejection.reason().clone())
}

#[tokio::test]
async fn admissions_hits_and_misses_are_counted() {
    let recorder = TestRecorder::default();
    let store = MemoryStore::new();
    let key = support::Key::mint().insert_into(&store).await;
    let authenticator = recorder.authenticator(Authenticator::builder(store));
    for _ in 0..5 {
        assert_eq!(present(&authenticator, &key).await, None);
    }
    assert_eq!(recorder.count(&recorder.metric(names::ADMISSIONS)), 5);
    assert_eq!(recorder.count(&recorder.metric(names::CACHE_MISSES)), 1);
    assert_eq!(recorder.count(&recorder.metric(names::CACHE_HITS)), 4);
    assert_eq!(recorder.measure(&recorder.metric(names::LOOKUPS)), 0.0);
}

#[tokio::test]
async fn rejections_are_counted_by_reason() {
    use tower::{Layer, ServiceExt, service_fn};

    let recorder = TestRecorder::default();
    let authenticator = recorder.authenticator(Authenticator::builder(MemoryStore::new()));
    let layer = tower_api_key::AuthenticateLayer::new(authenticator);
    let inner = service_fn(|_: http::Request<support::Body>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(support::Body::default()))
    });
    for request in [support::Key::mint().x_api_key(), support::Key::mint().bearer(), http::Request::default()]
    {
        layer.layer(inner).oneshot(request).await.unwrap();
    }
    let rejected =
        |reason: &str| recorder.count(&format!("{}{{authenticator=api,reason={reason}}}", names::REJECTIONS));
    assert_eq!((rejected("unknown"), rejected("missing"), rejected("revoked")), (2, 1, 0));
    assert_eq!(recorder.count(&recorder.metric(names::ADMISSIONS)), 0);
}

#[tokio::test]
async fn a_request_that_passes_two_layers_of_one_authenticator_is_one_admission() {
    use tower::{ServiceBuilder, ServiceExt};

    let recorder = TestRecorder::default();
    let store = MemoryStore::new();
    let key = support::Key::mint().insert_into(&store).await;
    let authenticator = recorder.authenticator(Authenticator::builder(store));
    let layer = tower_api_key::AuthenticateLayer::new(authenticator);
    let service = ServiceBuilder::new().layer(layer.clone()).layer(layer).service_fn(support::ok);
    for admissions in 1..=3 {
        assert_eq!(service.clone().oneshot(key.bearer()).await.unwrap().status(), 200);
        assert_eq!(recorder.count(&recorder.metric(names::ADMISSIONS)), admissions);
    }
}

#[tokio::test]
async fn requests_that_are_decided_without_the_counter_store_are_counted() {
    use std::num::NonZeroU32;

    use crate::counters::{Away, Behaviour};
    use crate::limits::{Records, limited, status, within};
    use tower_api_key::LimitLayer;
    use tower_api_key::limit_requests::Outage;

    let recorder = TestRecorder::default();
    let key = limited("a=2/day");
    let builder = Authenticator::builder(Records::new([&key]).backend()).metrics_name("api");
    let (authenticator, clock) = recorder.build(|| support::build(builder));
    let counters = Away::new(clock);
    let away = || recorder.count(&recorder.metric(names::COUNTERS_AWAY));
    let [refusing, sharing] = [Outage::Refuse, Outage::LocalShare(NonZeroU32::MIN)]
        .map(|outage| within(authenticator.clone(), LimitLayer::new().counters(counters.clone(), outage)));
    for (service, behaviour, expected, count) in [
        (&refusing, Behaviour::Count, 200, 0),
        (&refusing, Behaviour::Fail, 503, 1),
        (&refusing, Behaviour::Fail, 503, 2),
        (&sharing, Behaviour::Fail, 200, 3),
        (&sharing, Behaviour::Fail, 200, 4),
        (&sharing, Behaviour::Fail, 429, 5),
    ] {
        counters.set(behaviour);
        assert_eq!((status(service, &key).await, away()), (expected, count));
    }
}

#[tokio::test]
async fn an_open_circuit_is_shown() {
    let recorder = TestRecorder::default();
    let store = Misbehaving::new(MemoryStore::new());
    store.set(Behaviour::Fail);
    let authenticator = recorder.authenticator(Authenticator::builder(store));
    assert_eq!(recorder.measure(&recorder.metric(names::CIRCUIT_OPEN)), 0.0);
    for _ in 0..5 {
        assert_eq!(present(&authenticator, &support::Key::mint()).await, Some(Reason::Unavailable));
    }
    assert_eq!(recorder.measure(&recorder.metric(names::CIRCUIT_OPEN)), 1.0);
    assert_eq!(recorder.count(&recorder.metric(names::CACHE_MISSES)), 5);
}

#[tokio::test]
async fn the_state_of_the_feed_is_shown_with_each_poll() {
    let recorder = TestRecorder::default();
    let authenticator =
        recorder.authenticator(Authenticator::builder(Probe::empty().followed_by(Feed::quiet)));
    authenticator.start().await.unwrap();
    assert_eq!(recorder.measure(&recorder.metric(names::FEED_LAG)), 0.0);
    assert_eq!(recorder.measure(&recorder.metric(names::LEASE_REMAINING)), 5.0);
    assert_eq!(recorder.measure(&recorder.metric(names::FEED_LISTENING)), 1.0);
}

#[tokio::test(start_paused = true)]
async fn failed_lookups_are_counted_by_kind() {
    let recorder = TestRecorder::default();
    let store = Probe::empty();
    let authenticator = recorder.authenticator(Authenticator::builder(store.clone()));
    let faults =
        [Fault::Corrupt("no such state"), Fault::Unavailable("no connection"), Fault::Panic, Fault::Hang];
    let kinds = ["corrupt", "unavailable", "panic", "deadline"];
    let counts = || {
        let count =
            |kind| recorder.count(&format!("{}{{authenticator=api,kind={kind}}}", names::BACKEND_ERRORS));
        kinds.map(count)
    };
    assert_eq!(counts(), [0; 4]);
    for (number, kind) in kinds.into_iter().enumerate() {
        store.set(faults[number]);
        let before = counts();
        assert_eq!(present(&authenticator, &support::Key::mint()).await, Some(Reason::Unavailable));
        // The request and the lookup time out at the same moment.
        tokio::task::yield_now().await;
        let after = counts();
        let grown: Vec<_> = (0..4).filter(|other| after[*other] > before[*other]).collect();
        assert_eq!((grown, after[number]), (vec![number], 1), "{kind}");
    }
}

#[tokio::test]
async fn lookups_that_an_open_circuit_rejects_are_no_errors_of_the_store() {
    let recorder = TestRecorder::default();
    let store = Probe::empty();
    let authenticator = recorder.authenticator(Authenticator::builder(store.clone()));
    store.set(Fault::Unavailable("no connection"));
    for _ in 0..20 {
        assert_eq!(present(&authenticator, &support::Key::mint()).await, Some(Reason::Unavailable));
    }
    let errors = recorder.count(&format!("{}{{authenticator=api,kind=unavailable}}", names::BACKEND_ERRORS));
    assert_eq!(errors, 5);
}

#[tokio::test]
async fn admissions_in_the_stale_grace_are_counted_in_both_counters() {
    let recorder = TestRecorder::default();
    let store = MemoryStore::new();
    let key = support::Key::mint().insert_into(&store).await;
    let revoked = support::Key::mint().with(|record| record.revoked = Some(support::revocation()));
    let revoked = revoked.insert_into(&store).await;
    let backend = Misbehaving::new(store);
    let builder = Authenticator::builder(backend.clone()).stale_grace(Duration::from_secs(600));
    let (authenticator, clock) = recorder.build(|| support::build(builder.metrics_name("api")));
    let (admitted, rejected) = (None, Some(Reason::Revoked));
    assert_eq!(
        (present(&authenticator, &key).await, present(&authenticator, &revoked).await),
        (admitted, rejected.clone())
    );
    assert_eq!(recorder.count(&recorder.metric(names::STALE_ADMISSIONS)), 0);

    backend.set(Behaviour::Fail);
    clock.advance(Duration::from_secs(60));
    for _ in 0..3 {
        assert_eq!(present(&authenticator, &key).await, None);
        assert_eq!(present(&authenticator, &revoked).await, rejected);
    }
    assert_eq!(recorder.count(&recorder.metric(names::STALE_ADMISSIONS)), 3);
    assert_eq!(recorder.count(&recorder.metric(names::ADMISSIONS)), 4);
}

#[tokio::test]
async fn invalidations_are_counted_by_kind() {
    let recorder = TestRecorder::default();
    let store = MemoryStore::new();
    let _authenticator = recorder.authenticator(Authenticator::builder(store.clone()));
    let counts = || {
        let count =
            |kind| recorder.count(&format!("{}{{authenticator=api,kind={kind}}}", names::INVALIDATIONS));
        ["revoked", "changed", "everything"].map(count)
    };
    let key = support::Key::mint().insert_into(&store).await;
    let [revoked, changed, everything] = counts();
    assert_eq!((revoked, everything), (0, 0));
    store.change(KeyChange::revoke(key.id(), support::revocation())).await.unwrap();
    assert!(counts()[0] == 1 && counts()[1] >= changed && changed > 0);
}

#[tokio::test(start_paused = true)]
async fn restarts_of_the_poller_are_counted() {
    let recorder = TestRecorder::default();
    // Answers one poll, then panics.
    let feed = || {
        Feed::answering(async |number| {
            assert!(number == 0, "told to panic");
            Ok(Vec::new())
        })
    };
    let store = Probe::empty().followed_by(feed);
    let authenticator = recorder.authenticator(Authenticator::builder(store));
    authenticator.start().await.unwrap();
    assert_eq!(recorder.count(&recorder.metric(names::FEED_RESTARTS)), 0);
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::task::yield_now().await;
    let restarts = recorder.count(&recorder.metric(names::FEED_RESTARTS));
    assert!(restarts > 0, "{restarts}");
    assert_eq!(authenticator.health().feed.unwrap().restarts, restarts);
}

/// A usage store that always fails.
struct FailingUsageStore;

impl UsageStore for FailingUsageStore {
    async fn add_usage(&self, _: &UsageBatch) -> Result<(), BackendError> {
        Err(BackendError::unavailable("told to be down"))
    }

    async fn usage(&self, _: &UsageQuery) -> Result<Vec<UsageLine>, BackendError> {
        Err(BackendError::unavailable("told to be down"))
    }

    async fn purge_usage_before(&self, _: Day) -> Result<u64, BackendError> {
        Err(BackendError::unavailable("told to be down"))
    }
}

#[tokio::test]
async fn pending_and_lost_usage_are_shown() {
    let recorder = TestRecorder::default();
    let store = MemoryStore::new();
    let usage =
        recorder.build(|| Usage::builder(FailingUsageStore).backlog(1).metrics_name("api").build().unwrap());
    let authenticator = recorder.authenticator(Authenticator::builder(store.clone()).usage(usage.clone()));
    for _ in 0..3 {
        let key = support::Key::mint().insert_into(&store).await;
        assert_eq!(present(&authenticator, &key).await, None);
    }
    usage.flush().await.unwrap_err();
    assert_eq!(recorder.measure(&recorder.metric(names::USAGE_BACKLOG)), 1.0);
    assert_eq!(recorder.count(&recorder.metric(names::USAGE_LOST)), 2);
}

#[tokio::test]
async fn unflushed_usage_is_lost_with_the_meter() {
    for flushes in [false, true] {
        let recorder = TestRecorder::default();
        let store = MemoryStore::new();
        let usage = recorder.build(|| Usage::builder(store.clone()).metrics_name("api").build().unwrap());
        let authenticator =
            recorder.authenticator(Authenticator::builder(store.clone()).usage(usage.clone()));
        let key = support::Key::mint().insert_into(&store).await;
        for _ in 0..21 {
            assert_eq!(present(&authenticator, &key).await, None);
        }
        if flushes {
            usage.flush().await.unwrap();
        }
        drop(usage);
        assert_eq!(recorder.count(&recorder.metric(names::USAGE_LOST)), 0, "the authenticator still counts");
        drop(authenticator);
        assert_eq!(recorder.count(&recorder.metric(names::USAGE_LOST)), if flushes { 0 } else { 21 });
    }
}
