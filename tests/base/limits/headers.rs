//! What responses say of the limits.

use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode};
use sfv::{BareItem, List, ListEntry, Parser};
use support::{Body, START};
use tower::{ServiceBuilder, ServiceExt};
use tower_api_key::{AuthenticateLayer, Authenticator, LimitLayer, Rejection};

use super::{Records, limited, said, send, service, status};

/// The start of the tests in seconds.
const NOW: u64 = START.unix_millis() as u64 / 1_000;

#[tokio::test]
async fn the_tightest_limit_is_named() {
    let key = limited("burst=3/60s daily=100/day");
    let records = Records::new([&key]);
    let (service, clock) = service(&records, LimitLayer::new());
    assert_eq!(said(&send(&service, &key).await), [3, 2, NOW + 20]);
    clock.advance(Duration::from_millis(500));
    assert_eq!(said(&send(&service, &key).await), [3, 1, NOW + 40]);
    assert_eq!(said(&send(&service, &key).await), [3, 0, NOW + 60]);
    let refused = send(&service, &key).await;
    assert_eq!((refused.status(), said(&refused)), (StatusCode::TOO_MANY_REQUESTS, [3, 0, NOW + 60]));
    assert_eq!(refused.headers()["retry-after"], "20", "19.5 seconds, rounded up");
    // The quota becomes the tighter one, and leaves no more when its day ends.
    records.change(&key, |record| record.limits = "burst=3/60s daily=4/day".parse().unwrap());
    clock.advance(Duration::from_secs(60));
    let midnight = (NOW / 86_400 + 1) * 86_400;
    assert_eq!(said(&send(&service, &key).await), [4, 0, midnight]);
    let refused = send(&service, &key).await;
    assert_eq!(said(&refused), [4, 0, midnight]);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert_eq!(wait, midnight - NOW - 60, "60.5 seconds have passed");
}

#[tokio::test]
async fn every_response_of_an_admitted_request_says_what_is_left_once() {
    let key = limited("burst=10/60s");
    let records = Records::new([&key]);
    let (authenticator, _clock) = support::build(Authenticator::builder(records.backend()));
    let service = |layer: LimitLayer| {
        let inner = tower::service_fn(async |request: Request<Body>| {
            let status = request.headers()["x-status"].to_str().unwrap().parse::<u16>().unwrap();
            let response = Response::builder().status(status).header("ratelimit", "\"other\";r=9");
            let response = response.header("x-ratelimit-limit", "7").header("x-ratelimit-limit", "8");
            Ok::<_, std::convert::Infallible>(response.body(Body::default()).unwrap())
        });
        ServiceBuilder::new().layer(AuthenticateLayer::new(authenticator.clone())).layer(layer).service(inner)
    };
    let lines = |response: &Response<Body>, name: &str| {
        response
            .headers()
            .get_all(name)
            .iter()
            .map(|line| line.to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for (left, status) in [(9, 200), (8, 404), (7, 500), (6, 101)] {
        let mut request = key.bearer();
        request.headers_mut().insert("x-status", HeaderValue::from(status));
        let response = service(LimitLayer::new().default_limits("more=20/60s".parse().unwrap()));
        let response = response.oneshot(request.clone()).await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        // A layer of its own counts by itself.
        assert_eq!(said(&response), [10, 9, NOW + 6], "{left}");
        assert_eq!(lines(&response, "x-ratelimit-limit"), ["10"]);
        assert_eq!(lines(&response, "ratelimit"), ["\"other\";r=9"]);
        let draft = service(LimitLayer::new().ratelimit_draft11()).oneshot(request.clone()).await.unwrap();
        assert_eq!(lines(&draft, "ratelimit"), ["\"burst\";r=9;t=6"]);
        let without = service(LimitLayer::new().without_headers()).oneshot(request).await.unwrap();
        assert_eq!(lines(&without, "x-ratelimit-limit"), ["7", "8"]);
    }
}

/// Parses a field of the draft: names, and integers by the names of their parameters.
fn parsed(response: &Response<Body>, field: &str) -> Vec<(String, Vec<(String, i64)>)> {
    let text = response.headers()[field].as_bytes();
    let list: List = Parser::new(text).parse().unwrap();
    let entries = list.into_iter().map(|entry| {
        let ListEntry::Item(item) = entry else { panic!("an inner list") };
        let BareItem::String(name) = item.bare_item else { panic!("no string") };
        let parameters = item.params.into_iter();
        let parameters = parameters.map(|(key, value)| (key.to_string(), value.as_integer().unwrap().into()));
        (name.as_str().to_owned(), parameters.collect())
    });
    entries.collect()
}

#[tokio::test]
async fn the_fields_of_the_draft_are_structured_and_name_all_limits() {
    let key = limited("burst=3/60s daily=100/day");
    let records = Records::new([&key]);
    let layer =
        LimitLayer::new().ratelimit_draft11().default_limits("m-1_x=1000/month burst=9/9s".parse().unwrap());
    let (service, clock) = service(&records, layer);
    let of = |name: &str, parameters: &[(&str, i64)]| {
        (
            name.to_owned(),
            parameters.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect::<Vec<_>>(),
        )
    };
    let policy = [
        of("burst", &[("q", 3), ("w", 60)]),
        of("daily", &[("q", 100), ("w", 86_400)]),
        // A month is not always as long.
        of("m-1_x", &[("q", 1_000)]),
    ];
    // 2027-01-15 08:00.
    let (day, month) = (16 * 3_600, 16 * 86_400 + 16 * 3_600);
    for (status, left, more_in, used) in [(200, 2, 20, 1), (200, 1, 20, 2), (200, 0, 20, 3), (429, 0, 20, 3)]
    {
        let response = send(&service, &key).await;
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(parsed(&response, "ratelimit-policy"), policy);
        let expected = [
            of("burst", &[("r", left), ("t", more_in)]),
            of("daily", &[("r", 100 - used), ("t", day)]),
            of("m-1_x", &[("r", 1_000 - used), ("t", month)]),
        ];
        assert_eq!(parsed(&response, "ratelimit"), expected);
    }
    clock.advance(Duration::from_millis(30_500));
    assert_eq!(status(&service, &key).await, 200);
    assert_eq!(parsed(&send(&service, &key).await, "ratelimit")[0], of("burst", &[("r", 0), ("t", 10)]));
}

#[tokio::test]
async fn a_free_request_passes_a_used_up_limit_and_one_that_costs_too_much_never_does() {
    let key = limited("burst=5/10s");
    let records = Records::new([&key]);
    let layer = LimitLayer::new();
    let (authenticator, clock) = support::build(Authenticator::builder(records.backend()));
    let costing = |cost| super::within(authenticator.clone(), layer.clone().cost(move |_| cost));
    for (cost, status, left) in
        [(0, 200, 5), (6, 429, 5), (4, 200, 1), (2, 429, 1), (1, 200, 0), (0, 200, 0), (1, 429, 0)]
    {
        let response = send(&costing(cost), &key).await;
        assert_eq!((response.status().as_u16(), said(&response)[1]), (status, left), "{cost}");
    }
    let refused = send(&costing(u64::MAX), &key).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &HeaderValue::from(10)));
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(send(&costing(6), &key).await.status(), 429);
    assert!(refused.extensions().get::<Rejection>().is_some());
}
