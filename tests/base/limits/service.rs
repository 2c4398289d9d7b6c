//! Who is counted together, who is not counted, and what a refusal is: no refusal of the key.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use support::probe::Probe;
use support::{Body, Key, START, ok};
use tower::{Layer, Service as _, ServiceBuilder, ServiceExt, service_fn};
use tower_api_key::clock::{ManualClock, Timestamp};
use tower_api_key::limit::{Limits, Plan};
use tower_api_key::owner::Organization;
use tower_api_key::reject::{Payload, Rejection};
use tower_api_key::{AuthenticateLayer, Authenticator, Environment, LimitLayer, MemoryStore, Owner, Reason};

use super::{Records, Service, limited, said, send, service, status, use_up, within};

#[tokio::test]
async fn a_refusal_is_neither_cached_nor_one_of_the_key() {
    let key = limited("burst=1/60s");
    let records = Records::new([&key]);
    let backend: Probe<_> = records.backend();
    let builder = Authenticator::builder(backend.clone())
        .respond(|rejection: &Rejection| Payload::json(format!("[\"{}\"]", rejection.reason().code())));
    let (authenticator, clock) = support::build(builder);
    let service = within(authenticator, LimitLayer::new());
    assert_eq!(status(&service, &key).await, 200);
    for wait in [60, 41, 22] {
        let refused = send(&service, &key).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(refused.headers()["cache-control"], "no-store");
        assert!(!refused.headers().contains_key("www-authenticate"));
        let rejection = refused.extensions().get::<Rejection>().unwrap();
        let Reason::Limited(limited) = rejection.reason() else { panic!("{rejection:?}") };
        assert_eq!((limited.limit(), limited.retry_after()), ("burst", Duration::from_secs(wait)));
        assert_eq!((rejection.key_id(), rejection.reason().label()), (Some(key.id()), "limited"));
        assert_eq!(refused.into_body().collect().await.unwrap().to_bytes(), "[\"rate_limited\"]");
        // The next request is looked at again, and the key is still good.
        clock.advance(Duration::from_secs(19));
    }
    clock.advance(Duration::from_secs(3));
    assert_eq!(status(&service, &key).await, 200);
    assert_eq!(backend.reads(), 2, "one after the time to live of 60 seconds");
}

#[tokio::test]
async fn an_owner_has_one_allowance_for_all_keys_and_another_one_for_test_keys() {
    let limits = "shared=250/day/owner own=4/day";
    let keys: Vec<Key> = (0..100).map(|_| limited(limits)).collect();
    let mut test = limited(limits);
    test.record.environment = Environment::Test;
    let other =
        limited(limits).with(|record| record.owner = Owner::project(Organization::new("acme"), "web"));
    let all: Vec<Key> = keys.iter().chain([&test, &other]).cloned().collect();
    let records = Records::new(&all);
    let (service, _clock) = service(&records, LimitLayer::new());
    let mut admitted = 0;
    for _ in 0..4 {
        for key in &keys {
            admitted += u64::from(status(&service, key).await == 200);
        }
    }
    assert_eq!(admitted, 250);
    assert_eq!([use_up(&service, &test).await, use_up(&service, &other).await], [4, 4]);
}

#[tokio::test]
async fn an_organization_has_one_allowance_however_many_projects_it_has() {
    let project = |organization: &str, id: usize| {
        let owner = Owner::project(Organization::new(organization), id.to_string());
        limited("own=3/day/owner all=250/day/organization").with(|record| record.owner = owner)
    };
    let keys: Vec<Key> =
        (0..100).map(|id| project("acme", id)).chain([limited("all=250/day/organization")]).collect();
    let other = project("other", 0);
    let records = Records::new(keys.iter().chain([&other]));
    let (service, _clock) = service(&records, LimitLayer::new());
    let mut admitted = 0;
    for key in &keys {
        admitted += use_up(&service, key).await;
    }
    assert_eq!((admitted, use_up(&service, &other).await), (250, 3));
}

#[tokio::test]
async fn a_key_presented_in_two_environments_is_counted_in_each() {
    // One id in two stores, as a service keeps them that runs both.
    let live = limited("burst=2/60s");
    let test = live.clone().with(|record| record.environment = Environment::Test);
    let layer = LimitLayer::new();
    for key in [&live, &test] {
        let (authenticator, _clock) = support::build(Authenticator::builder(Records::new([key]).backend()));
        assert_eq!(use_up(&within(authenticator, layer.clone()), key).await, 2);
    }
}

#[tokio::test]
async fn a_plan_limits_the_keys_of_an_organization_beside_their_own_limits() {
    let plan = |limits: &str| Plan::new("free", limits.parse().unwrap()).unwrap();
    let organization = Organization::new("acme").plan(plan("burst=3/60s"));
    let of_plan = limited("").with(|record| record.owner = Owner::Organization(organization.clone()));
    let own = limited("burst=2/60s").with(|record| record.owner = Owner::Organization(organization));
    let records = Records::new(&[of_plan.clone(), own.clone()]);
    let (service, _clock) = service(&records, LimitLayer::new());
    assert_eq!([use_up(&service, &of_plan).await, use_up(&service, &own).await], [3, 2]);
    records.change(&of_plan, |record| record.plan = Some(plan("burst=6/60s")));
    assert_eq!(use_up(&service, &of_plan).await, 0, "a rate keeps the time that was used");
    for (limits, left) in [("burst=6/120s", 6), ("burst=6/60s", 0), ("burst=6/120s", 0)] {
        records.change(&of_plan, |record| record.plan = Some(plan(limits)));
        assert_eq!(use_up(&service, &of_plan).await, left, "a window counts apart: {limits}");
    }
    records.change(&of_plan, |record| record.plan = Some(plan("")));
    assert!(!send(&service, &of_plan).await.headers().contains_key("x-ratelimit-limit"));
}

#[tokio::test]
async fn a_shorter_window_counts_apart() {
    let key = limited("burst=1000/86400s");
    let records = Records::new([&key]);
    let (service, clock) = service(&records, LimitLayer::new());
    assert_eq!(use_up(&service, &key).await, 1_000);
    records.change(&key, |record| record.limits = "burst=10/60s".parse().unwrap());
    assert_eq!(use_up(&service, &key).await, 10);
    clock.advance(Duration::from_secs(60));
    assert_eq!(use_up(&service, &key).await, 10);
    records.change(&key, |record| record.limits = "burst=1000/86400s".parse().unwrap());
    assert_eq!(use_up(&service, &key).await, 0, "the longer window has not come back");
}

#[tokio::test]
async fn a_key_that_replaces_others_is_counted_with_them() {
    let first = limited("burst=4/60s");
    let replaced = |key: Key| key.with(|record| record.first_rotated_from = Some(first.record.id.clone()));
    // The second one was never used.
    let [second, third] = [limited("burst=4/60s"), limited("burst=4/60s")].map(replaced);
    let records = Records::new([&first, &second, &third]);
    let (service, _clock) = service(&records, LimitLayer::new());
    assert_eq!(said(&send(&service, &first).await)[1], 3);
    assert_eq!(use_up(&service, &third).await, 3);
    assert_eq!([use_up(&service, &first).await, use_up(&service, &second).await], [0, 0]);
}

#[tokio::test]
async fn a_wall_clock_that_was_far_ahead_leaves_a_quota_in_its_period() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    for limit in ["a=3/day", "a=3/month"] {
        let key = limited(limit);
        let records = Records::new([&key]);
        let (service, clock) = service(&records, LimitLayer::new());
        clock.set_wall(at("2099-12-31T00:00:00Z"));
        send(&service, &key).await;
        clock.set_wall(at("2027-01-31T12:00:00Z"));
        assert_eq!(use_up(&service, &key).await, 2, "{limit}");
        let refused = send(&service, &key).await;
        assert_eq!(said(&refused)[2], at("2027-02-01T00:00:00Z").unix_millis() as u64 / 1_000);
        clock.set_wall(at("2027-02-01T00:00:00Z"));
        assert_eq!(use_up(&service, &key).await, 3, "{limit}");
    }
}

#[tokio::test]
async fn a_layer_outside_leaves_the_headers_of_a_refusal_inside() {
    let key = limited("");
    let records = Records::new([&key]);
    let limits = |text: &str| LimitLayer::new().default_limits(text.parse().unwrap());
    let inner = limits("exports=1/60s").layer(service_fn(ok));
    let nested = limits("all=100/60s").layer(inner);
    let (authenticator, _clock) = support::build(Authenticator::builder(records.backend()));
    let both = AuthenticateLayer::new(authenticator).layer(nested);
    let said_by = async || said(&both.clone().oneshot(key.bearer()).await.unwrap());
    assert_eq!(said_by().await[..2], [100, 99]);
    assert_eq!(said_by().await[..2], [1, 0], "the second export is refused inside");
}

#[tokio::test]
async fn a_quota_is_whole_again_with_its_period_and_only_once() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    for (limit, before, after, end) in [
        ("a=2/day", "2027-01-31T23:59:59.999Z", "2027-02-01T00:00:00Z", "2027-02-02T00:00:00Z"),
        ("a=2/month", "2028-02-29T23:59:59.999Z", "2028-03-01T00:00:00Z", "2028-04-01T00:00:00Z"),
        ("a=2/month", "2027-12-31T23:59:59.999Z", "2028-01-01T00:00:00Z", "2028-02-01T00:00:00Z"),
    ] {
        let key = limited(limit);
        let records = Records::new([&key]);
        let (service, clock) = service(&records, LimitLayer::new());
        clock.set_wall(at(before));
        assert_eq!(use_up(&service, &key).await, 2);
        clock.set_wall(at(after));
        assert_eq!(use_up(&service, &key).await, 2, "{limit}");
        // Set back, and on again: neither period begins again.
        for time in [before, after] {
            clock.set_wall(at(time));
            let refused = send(&service, &key).await;
            assert_eq!(refused.status(), 429, "{limit} {time}");
            assert_eq!(said(&refused)[2], at(end).unix_millis() as u64 / 1_000);
        }
        clock.set_wall(at(end));
        assert_eq!(use_up(&service, &key).await, 2, "{limit}");
    }
}

#[tokio::test]
async fn default_limits_hold_for_names_that_a_key_has_no_limit_of() {
    let (bare, own) = (limited(""), limited("burst=5/60s"));
    let records = Records::new(&[bare.clone(), own.clone()]);
    let defaults = |text: &str| text.parse::<Limits>().unwrap();
    let layer = LimitLayer::new().default_limits(defaults("burst=2/60s daily=4/day"));
    let (service, clock) = service(&records, layer);
    assert_eq!([use_up(&service, &bare).await, use_up(&service, &own).await], [2, 4]);
    clock.advance(Duration::from_secs(60));
    assert_eq!([use_up(&service, &bare).await, use_up(&service, &own).await], [2, 0]);
}

#[tokio::test]
async fn clones_count_together_and_other_layers_by_themselves() {
    let key = limited("burst=6/60s");
    let records = Records::new([&key]);
    let (authenticator, _clock) = support::build(Authenticator::builder(records.backend()));
    let (layer, other) = (LimitLayer::new(), LimitLayer::new());
    let [first, clone, costly, second] = [layer.clone(), layer.clone(), layer.clone().cost(|_| 2), other]
        .map(|layer| within(authenticator.clone(), layer));
    // The other layer does not have its buckets with the entry, and finds them all the same.
    for (service, left) in
        [(&first, 5), (&second, 5), (&clone, 4), (&second, 4), (&costly, 2), (&second, 3), (&first, 1)]
    {
        assert_eq!(said(&send(service, &key).await)[1], left);
    }
    drop([first, clone, costly]);
    assert_eq!(use_up(&second, &key).await, 3);
}

#[tokio::test]
async fn requests_without_a_key_that_are_admitted_are_not_counted() {
    let key = limited("burst=1/60s");
    let records = Records::new([&key]);
    let (authenticator, _clock) = support::build(Authenticator::builder(records.backend()));
    let layer = AuthenticateLayer::new(authenticator);
    let limits = LimitLayer::new().default_limits("more=1/60s".parse().unwrap());
    let call = async |layer: &AuthenticateLayer, request: Request<Body>| -> Response<Body> {
        layer.layer(limits.layer(service_fn(ok))).oneshot(request).await.unwrap()
    };
    let preflight = || {
        let request = Request::options("/").header("origin", "https://a.example");
        request.header("access-control-request-method", "GET").body(Body::default()).unwrap()
    };
    let public = layer.clone().public("/").unwrap();
    for _ in 0..3 {
        for response in [
            call(&layer.clone().optional(), Request::default()).await,
            call(&layer.clone().allow_preflight(), preflight()).await,
            call(&public, key.bearer()).await,
        ] {
            assert_eq!(response.status(), 200);
            assert!(!response.headers().contains_key("x-ratelimit-limit"));
        }
        // Rejections of the layer outside are not counted either.
        assert_eq!(call(&layer, Request::default()).await.status(), 401);
    }
    assert_eq!(call(&layer, key.bearer()).await.status(), 200);
    assert_eq!(call(&layer, key.bearer()).await.status(), 429);
}

#[tokio::test]
async fn without_the_outer_layer_limits_are_a_mistake_of_the_service() {
    let response = LimitLayer::new().layer(service_fn(ok)).oneshot(Request::<Body>::default()).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(response.extensions().get::<Rejection>().unwrap().reason(), &Reason::NotAuthenticated);
}

#[tokio::test]
async fn a_refused_request_gives_back_what_the_inner_service_reserved() {
    let key = limited("burst=1/60s");
    let records = Records::new([&key]);
    let (authenticator, _clock) = support::build(Authenticator::builder(records.backend()));
    let principal = authenticator.authenticate(key.bearer().headers()).await.unwrap();
    let inner = ServiceBuilder::new().concurrency_limit(1).service(service_fn(ok));
    let mut service = LimitLayer::new().layer(inner.clone());
    for status in [200, 429, 429] {
        let mut request = key.bearer();
        request.extensions_mut().insert(principal.clone());
        assert_eq!(service.ready().await.unwrap().call(request).await.unwrap().status(), status);
        // The permit is free although the service is kept.
        let mut other = inner.clone();
        assert!(other.poll_ready(&mut Context::from_waker(Waker::noop())).is_ready(), "{status}");
    }
}

#[tokio::test]
async fn a_service_is_as_ready_as_the_one_inside() {
    let inner = ServiceBuilder::new().concurrency_limit(0).service(service_fn(ok));
    let mut service = LimitLayer::new().layer(inner);
    assert_eq!(service.poll_ready(&mut Context::from_waker(Waker::noop())).map(drop), Poll::Pending);
}

/// A clock whose coarse readings are a tick late.
#[derive(Debug)]
struct Late(ManualClock);

impl tower_api_key::clock::Clock for Late {
    fn wall(&self) -> Timestamp {
        self.0.wall()
    }

    fn monotonic(&self) -> tower_api_key::clock::Moment {
        self.0.monotonic()
    }

    fn coarse_wall(&self) -> Timestamp {
        self.wall().saturating_sub(self.tick())
    }

    fn coarse_monotonic(&self) -> tower_api_key::clock::Moment {
        self.monotonic().saturating_sub(self.tick())
    }

    fn tick(&self) -> Duration {
        Duration::from_millis(4)
    }
}

#[tokio::test]
async fn a_client_that_waits_as_told_is_not_refused_by_a_late_clock() {
    for (limit, wait) in [("a=1/10s", 10_000), ("a=1/day", 16 * 3_600_000)] {
        let (store, key) = (MemoryStore::new(), limited(limit));
        let key = key.insert_into(&store).await;
        let clock = std::sync::Arc::new(Late(ManualClock::new(START)));
        let authenticator = Authenticator::builder(store).with_clock(clock.clone()).build().unwrap();
        let service: Service = within(authenticator, LimitLayer::new());
        clock.0.advance(Duration::from_millis(4));
        assert_eq!(use_up(&service, &key).await, 1);
        // As of the coarse clocks, which counted the request.
        clock.0.advance(Duration::from_millis(wait - 5));
        assert_eq!(status(&service, &key).await, 429, "{limit}");
        clock.0.advance(Duration::from_millis(1));
        assert_eq!(status(&service, &key).await, 200, "{limit}");
    }
}
