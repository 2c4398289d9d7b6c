//! The lines in the log of an operator, and their rate.

use std::future::ready;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use http_body_util::BodyExt;
use support::captured::Log;
use support::probe::{Call, Fault, Feed, Probe};
use support::{Key, store_with_key};
use tower::{Layer, ServiceExt, service_fn};
use tower_api_key::axum::RequireResourceLayer;
use tower_api_key::backend::{BackendError, Invalidation, Invalidator, backend_fn};
use tower_api_key::limit::Plan;
use tower_api_key::limit_requests::{Count, Counters, CountersError, Outage, Taking};
use tower_api_key::manage::{KeyManager, ManageError, ManageSettings, routes};
use tower_api_key::usage::Usage;
use tower_api_key::{
    AuthenticateLayer, Authenticator, KeyFormat, LimitLayer, MemoryStore, Principal, Reason,
    RequireScopeLayer, Requirement,
};

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn is_unavailable(authenticator: &Authenticator) -> bool {
    let outcome = authenticator.authenticate(Key::mint().bearer().headers()).await;
    outcome.is_err_and(|rejection| *rejection.reason() == Reason::Unavailable)
}

#[tokio::test]
async fn an_outage_is_logged_once_for_each_lookup() {
    let (log, _guard) = Log::begin();
    let store = Probe::empty();
    let (authenticator, clock) = support::authenticator(store.clone());
    store.set(Fault::Unavailable("connection refused"));
    for _ in 0..2_000 {
        assert!(is_unavailable(&authenticator).await);
    }
    let lines = log.lines();
    let warnings: Vec<_> = lines.iter().filter(|line| line.starts_with("WARN")).collect();
    assert_eq!(lines.len(), warnings.len(), "{lines:?}");
    assert_eq!(warnings.len(), 6, "five lookups and the opened circuit: {warnings:?}");
    assert!(warnings[0].contains("kind=\"unavailable\"") && warnings[0].contains("connection refused"));
    assert!(warnings.iter().any(|line| line.contains("circuit breaker opened")), "{warnings:?}");

    store.set(None);
    clock.advance(Duration::from_secs(1));
    for expected in [1, 0] {
        assert!(!is_unavailable(&authenticator).await);
        let closed = log.lines().iter().filter(|line| line.contains("circuit breaker closed")).count();
        assert_eq!(closed, expected);
    }
}

/// Counters that fail as the owner's keys say: those of one are corrupt, and others away.
#[derive(Debug)]
struct Failing;

impl Counters for Failing {
    fn take<'a>(&'a self, counts: &'a [Count], _cost: u64) -> Taking<'a> {
        let is_corrupt = counts[0].limit().name() == "corrupt";
        Box::pin(ready(Err(if is_corrupt {
            CountersError::corrupt("no number")
        } else {
            CountersError::unavailable("connection refused")
        })))
    }
}

#[tokio::test]
async fn an_outage_of_counters_is_logged_once_and_counts_that_cannot_be_read_once_a_second() {
    let (log, _guard) = Log::begin();
    let [away, corrupt] = ["away=5/day", "corrupt=5/day"]
        .map(|limits| Key::mint().with(|record| record.limits = limits.parse().unwrap()));
    let records = [away.record.clone(), corrupt.record.clone()];
    let (authenticator, clock) = support::authenticator(backend_fn(move |digest| {
        ready(Ok(records.iter().find(|record| record.digest == digest).cloned()))
    }));
    let service = AuthenticateLayer::new(authenticator)
        .layer(LimitLayer::new().counters(Failing, Outage::Refuse).layer(service_fn(support::ok)));
    for (key, expected) in [(&corrupt, [1, 1, 1]), (&away, [1, 0, 0])] {
        for logged in expected {
            for _ in 0..10 {
                let response = service.clone().oneshot(key.bearer()).await.unwrap();
                assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            }
            let warnings = log.take("WARN");
            assert_eq!(warnings.len(), logged, "{warnings:?}");
            assert!(warnings.iter().all(|line| line.contains("counting a ")), "{warnings:?}");
            clock.advance(Duration::from_secs(1));
        }
    }
}

#[tokio::test]
async fn a_corrupt_record_is_an_error_with_its_cause() {
    let (log, _guard) = Log::begin();
    let store = Probe::empty();
    let (authenticator, _clock) = support::authenticator(store.clone());
    store.set(Fault::Corrupt("no such state"));
    assert!(is_unavailable(&authenticator).await);
    let errors = log.take("ERROR");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("kind=\"corrupt\"") && errors[0].contains("no such state"), "{}", errors[0]);
}

#[tokio::test]
async fn a_plan_without_its_limits_is_an_error_that_says_what_to_give() {
    let (log, _guard) = Log::begin();
    let key = Key::mint().with(|record| record.plan = Some(Plan::named("free").unwrap()));
    let record = key.record.clone();
    let (authenticator, _clock) =
        support::authenticator(backend_fn(move |_| ready(Ok(Some(record.clone())))));
    let rejection = authenticator.authenticate(key.bearer().headers()).await.unwrap_err();
    assert_eq!(*rejection.reason(), Reason::Unavailable);
    let errors = log.take("ERROR");
    assert_eq!(errors.len(), 1, "{errors:?}");
    let says = "the plan `free` is given by its name alone: give it with its limits, by `Plan::new`";
    assert!(errors[0].contains("kind=\"corrupt\"") && errors[0].contains(says), "{}", errors[0]);
}

#[tokio::test(start_paused = true)]
async fn requests_beyond_the_waiting_limit_are_logged_once_a_second() {
    let (log, _guard) = Log::begin();
    let store = Probe::empty();
    let builder =
        Authenticator::builder(store.clone()).max_concurrent_lookups(1).deadline(Duration::from_secs(60));
    let (authenticator, clock) = support::build(builder);
    store.set(Fault::Hang);
    for _ in 0..16 {
        let authenticator = authenticator.clone();
        tokio::spawn(async move { is_unavailable(&authenticator).await });
    }
    tokio::task::yield_now().await;
    for lines in [1, 0, 1] {
        for _ in 0..1_000 {
            assert!(is_unavailable(&authenticator).await);
        }
        let warnings = log.take("WARN");
        assert_eq!(warnings.len(), lines, "{warnings:?}");
        assert!(
            warnings.iter().all(|line| line.contains("lookups=16") && line.contains("too many key lookups"))
        );
        clock.advance(Duration::from_millis(500));
    }
}

#[tokio::test]
async fn a_key_that_changes_during_each_lookup_is_logged() {
    let (log, _guard) = Log::begin();
    let changes = Invalidator::new();
    let sent = changes.clone();
    let store = Probe::empty().invalidated_by(&changes).before(move |call| {
        if let Call::Find(digest) = call {
            sent.invalidate(Invalidation::Changed(digest));
        }
        ready(Ok(()))
    });
    let (authenticator, _clock) = support::authenticator(store);
    assert!(is_unavailable(&authenticator).await);
    let warnings = log.take("WARN");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("changed during each"), "{}", warnings[0]);
}

#[tokio::test(start_paused = true)]
async fn a_feed_that_panicked_is_an_error_and_does_not_flood_the_log() {
    let (log, _guard) = Log::begin();
    let store = Probe::empty().followed_by(|| Feed::quiet().panicking_between_polls());
    let (authenticator, _clock) = support::authenticator(store);
    authenticator.start().await.unwrap();
    tokio::time::advance(Duration::from_millis(1)).await;
    settle().await;
    let errors = log.take("ERROR");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("change feed panicked"), "{}", errors[0]);
    assert!(errors[0].contains("pause=1s restarts=1"), "{}", errors[0]);
    for _ in 0..60 {
        tokio::time::advance(Duration::from_secs(1)).await;
        settle().await;
    }
    assert!(log.take("ERROR").len() <= 60);
}

#[tokio::test]
async fn counts_that_are_dropped_unwritten_are_an_error() {
    let (log, _guard) = Log::begin();
    let (store, key) = store_with_key().await;
    for flushes in [false, true] {
        let usage = Usage::builder(store.clone()).build().unwrap();
        let (authenticator, _clock) =
            support::build(Authenticator::builder(store.clone()).usage(usage.clone()));
        for _ in 0..21 {
            authenticator.authenticate(key.bearer().headers()).await.unwrap();
        }
        if flushes {
            usage.flush().await.unwrap();
        }
        drop((usage, authenticator));
        let errors = log.take("ERROR");
        assert_eq!(errors.len(), usize::from(!flushes), "{errors:?}");
        assert!(errors.iter().all(|line| line.contains("requests=21") && line.contains("`Usage::flush`")));
    }
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_failed_management_request_is_logged_with_a_cause_that_the_client_does_not_see() {
    let (log, _guard) = Log::begin();
    let error = ManageError::from(BackendError::unavailable(io::Error::other("connection refused")));
    let response = axum::response::IntoResponse::into_response(error);
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, r#"{"detail":"Keys temporarily unavailable"}"#);
    let warnings = log.take("WARN");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("connection refused"), "{}", warnings[0]);

    let response = axum::response::IntoResponse::into_response(ManageError::from(BackendError::not_found()));
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(log.take("WARN"), [""; 0], "an error of a client is no fault of the store");
}

#[tokio::test]
async fn a_missing_layer_is_logged_but_not_shown_to_the_client() {
    async fn whoami(principal: Principal) -> String {
        principal.key_id().to_string()
    }

    let (log, _guard) = Log::begin();
    let needed = Requirement::all_of(["keys.manage"]).unwrap();
    let manager = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo").unwrap());
    let app = Router::new()
        .route("/extracted", get(whoami))
        .route("/reached/{organization}", get("here").route_layer(RequireResourceLayer::new(needed.clone())))
        .route("/scoped", get("here").route_layer(RequireScopeLayer::new(needed.clone())))
        .nest("/admin", routes(manager, ManageSettings::new(needed.clone(), needed)));
    // The components that extract a principal share a line.
    for (path, needs) in [
        ("/extracted", Some("the extractor of a `Principal`")),
        ("/extracted", None),
        ("/reached/acme", None),
        ("/admin/keys", None),
        ("/scoped", Some("`RequireScopeLayer`")),
        ("/scoped", None),
    ] {
        let (status, body) = send(&app, Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert_eq!(body, r#"{"detail":"Internal server error"}"#, "{path}");
        let errors = log.take("ERROR");
        assert_eq!(errors.len(), usize::from(needs.is_some()), "{path} {errors:?}");
        for (error, needs) in errors.iter().zip(needs) {
            assert!(error.contains(needs) && error.contains("add `AuthenticateLayer`"), "{error}");
        }
    }

    for expected in [1, 0] {
        let call = tonic::Request::new(());
        let status = tower_api_key::tonic::principal(&call).unwrap_err();
        assert_eq!(status.message(), "Internal server error");
        let errors = log.take("ERROR");
        assert_eq!(errors.len(), expected);
        assert!(errors.iter().all(|error| error.contains("add `AuthenticateLayer`")), "{errors:?}");
    }
}

#[tokio::test]
async fn layers_in_the_wrong_order_are_logged() {
    let (log, _guard) = Log::begin();
    let (store, key) = store_with_key().await;
    let key = key.scopes("a");
    let authenticate = AuthenticateLayer::new(support::authenticator(store).0);
    let scope = RequireScopeLayer::scope("a").unwrap();
    let service = scope.layer(authenticate.layer(service_fn(support::ok)));
    assert_eq!(service.oneshot(key.bearer()).await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    let errors = log.take("ERROR");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("`RequireScopeLayer` found no caller"), "{}", errors[0]);
    assert!(errors[0].contains("outside of it"), "{}", errors[0]);
}

/// Presents an unknown key, another one for each number.
async fn present_unknown(authenticator: &Authenticator, number: usize) -> Reason {
    let mut headers = axum::http::HeaderMap::new();
    headers.insert("x-api-key", format!("unknown-key-{number:020}").parse().unwrap());
    authenticator.authenticate(&headers).await.unwrap_err().reason().clone()
}

#[tokio::test]
async fn unknown_keys_that_time_out_are_no_errors_of_the_store_and_are_logged_once_a_second() {
    let (log, _guard) = Log::begin();
    let store = Probe::empty();
    let builder =
        Authenticator::builder(store.clone()).max_concurrent_lookups(2).deadline(Duration::from_millis(200));
    let (authenticator, _clock) = support::build(builder);
    store.set(Fault::Hang);
    let waiting: Vec<_> = (0..20)
        .map(|number| {
            let authenticator = authenticator.clone();
            tokio::spawn(async move { present_unknown(&authenticator, number).await })
        })
        .collect();
    for waiting in waiting {
        assert_eq!(waiting.await.unwrap(), Reason::Unavailable);
    }
    let warnings = log.take("WARN");
    let count_of = |text: &str| warnings.iter().filter(|line| line.contains(text)).count();
    assert_eq!(count_of("too many key lookups"), 1, "{warnings:?}");
    // The limits let one unknown key be looked up at a time, and only that lookup had no answer.
    assert!(count_of("timed out") <= 2, "{warnings:?}");
    assert_eq!(count_of("key lookup failed"), 0, "{warnings:?}");
}

#[tokio::test]
async fn passwords_beyond_the_queue_are_logged_once_a_second() {
    let (log, _guard) = Log::begin();
    let mut limits = tower_api_key::password::PasswordLimits::default();
    (limits.memory, limits.passes, limits.concurrent, limits.waiting) = (8_192, 2, 1, 0);
    let passwords = tower_api_key::password::Passwords::with_limits(limits).unwrap();
    let builder = Authenticator::builder(MemoryStore::new())
        .sources([tower_api_key::Source::basic()])
        .passwords(passwords)
        .deadline(Duration::from_secs(60));
    let (authenticator, _clock) = support::build(builder);
    let waiting: Vec<_> = (0..20)
        .map(|number| {
            let authenticator = authenticator.clone();
            tokio::spawn(async move {
                let mut headers = axum::http::HeaderMap::new();
                let pair = base64::Engine::encode(
                    &base64::engine::general_purpose::STANDARD,
                    format!("ann@example.com:wrong-{number}"),
                );
                headers.insert("authorization", format!("Basic {pair}").parse().unwrap());
                authenticator.authenticate(&headers).await.unwrap_err().reason().clone()
            })
        })
        .collect();
    let mut rejected = 0;
    for waiting in waiting {
        rejected += usize::from(waiting.await.unwrap() == Reason::Unavailable);
    }
    assert!(rejected > 2, "{rejected}");
    assert_eq!(log.take("WARN").len(), 1);
}
