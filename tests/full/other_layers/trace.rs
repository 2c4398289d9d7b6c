//! `TraceLayer`, outside and inside: what its callbacks find.

use std::sync::mpsc;
use std::time::Duration;

use axum::Router;
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use tower_api_key::{Principal, Rejection, RequireScopeLayer, test_util};
use tower_http::trace::TraceLayer;

use super::{send, with_key};

#[derive(Debug, PartialEq)]
struct Line {
    status: StatusCode,
    key: Option<String>,
    reason: Option<&'static str>,
}

impl Line {
    fn of<B>(response: &Response<B>) -> Self {
        let found = response.extensions();
        Self {
            status: response.status(),
            key: found.get::<Principal>().map(|principal| principal.key_id().to_string()),
            reason: found.get::<Rejection>().map(|rejection| rejection.reason().label()),
        }
    }
}

/// Sends a request without a key and one with a key but no scope to a route, and returns what was logged on both sides of the layer.
#[tokio::test]
async fn outside_it_finds_the_caller_and_the_reason_and_inside_only_requests_that_were_admitted() {
    let (log, lines) = mpsc::channel();
    let trace = |place: &'static str| {
        let log = log.clone();
        TraceLayer::new_for_http().on_response(move |response: &Response<_>, _: Duration, _: &_| {
            log.send((place, Line::of(response))).unwrap();
        })
    };
    let write = get(async || "written").layer(RequireScopeLayer::scope("notes.write").unwrap());
    let app = Router::new()
        .route("/notes", get(async || "notes"))
        .route("/write", write)
        .layer(trace("inside"))
        .layer(test_util::layer("test", |_| {}).principal_in_response())
        .layer(trace("outside"));
    let key = || Some("key_test".to_owned());
    let line = |status, key, reason| Line { status, key, reason };

    send(&app, with_key("GET", "/notes")).await;
    assert_eq!(lines.recv().unwrap(), ("inside", line(StatusCode::OK, None, None)));
    assert_eq!(lines.recv().unwrap(), ("outside", line(StatusCode::OK, key(), None)));

    send(&app, with_key("GET", "/write")).await;
    let reason = Some("missing_scope");
    assert_eq!(lines.recv().unwrap(), ("inside", line(StatusCode::FORBIDDEN, None, reason)));
    assert_eq!(lines.recv().unwrap(), ("outside", line(StatusCode::FORBIDDEN, key(), reason)));

    send(&app, Request::get("/notes")).await;
    assert_eq!(lines.recv().unwrap(), ("outside", line(StatusCode::UNAUTHORIZED, None, Some("missing"))));
    assert!(lines.try_recv().is_err());
}
