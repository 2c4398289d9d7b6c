//! The limits, in headers.

use std::time::SystemTime;

use http::{Method, StatusCode};
use tempfile::tempdir;
use tower_api_key::Environment;

use super::{MEMORY, console};
use crate::client::{Answer, ask};
use crate::foreign;
use crate::server::Server;

/// The limit, the remaining allowance and the reset.
fn said(answer: &Answer) -> (u64, u64, u64) {
    let number = |name: &str| answer.headers[name].to_str().unwrap().parse().unwrap();
    (number("x-ratelimit-limit"), number("x-ratelimit-remaining"), number("x-ratelimit-reset"))
}

#[allow(clippy::disallowed_methods, reason = "another process goes by this time")]
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn each_response_has_the_remaining_allowance() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let key = Some(server.key("test_key"));
    let mut left = 60;
    for (method, path, body, status, cost) in [
        (Method::POST, "/memory", MEMORY, 201, 1),
        (Method::GET, "/memory/mem_1", "", 200, 1),
        (Method::GET, "/memory/mem_9", "", 404, 1),
        (Method::GET, "/elsewhere", "", 404, 1),
        (Method::PUT, "/memory", "", 405, 1),
        (Method::POST, "/memory", "{...}", 400, 1),
        (Method::GET, "/console/keys", "", 200, 0),
        (Method::DELETE, "/console/keys/unknown", "", 404, 0),
        (Method::GET, "/console/unknown", "", 404, 0),
    ] {
        let before = now();
        let answer = ask(method, &server.url(path), key, body).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        let (limit, remaining, reset) = said(&answer);
        left -= cost;
        // One second restores one request.
        assert!(limit == 60 && (left..=60).contains(&remaining), "{remaining} instead of {left} of {limit}");
        assert!(cost == 0 || remaining < 60, "{path}");
        assert!((before..=now() + 61).contains(&reset), "{reset}");
        left = remaining;
    }
    for key in [None, Some("unknown"), Some(server.key("expired_key")), Some(server.key("live_key"))] {
        let before = now();
        let answer = ask(Method::GET, &server.url("/memory/mem_1"), key, "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let (limit, remaining, reset) = said(&answer);
        assert!((limit, remaining) == (60, 0) && (before..=now() + 1).contains(&reset));
    }
}

#[tokio::test]
async fn past_the_limit_a_key_has_to_wait_and_others_have_not() {
    let folder = tempdir().unwrap();
    let other = foreign::add(folder.path(), "sk", Environment::Test, "").await;
    let server = Server::start_with("memory_scope", folder.path(), &[("RATE_LIMIT", "1")]).await;
    let (url, key) = (server.url("/memory"), Some(server.key("test_key")));
    let leaked = console::create(&server, r#"{"name": "Leaked"}"#).await;
    assert_eq!(ask(Method::POST, &url, key, MEMORY).await.status, StatusCode::CREATED);

    let answer = ask(Method::POST, &url, key, MEMORY).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.body, br#"{"detail":"Rate limit exceeded. Please try again later."}"#[..]);
    let (limit, remaining, reset) = said(&answer);
    assert_eq!((limit, remaining), (1, 0));
    assert!((now()..=now() + 61).contains(&reset), "{reset}");
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");

    // It can still manage keys: an attacker that uses up the limit keeps no leaked one.
    let answer = ask(Method::DELETE, &server.url(&format!("/console/keys/{}", leaked.id)), key, "").await;
    assert_eq!((answer.status, said(&answer).1), (StatusCode::NO_CONTENT, 0));
    assert_eq!(ask(Method::POST, &url, Some(&leaked.text), MEMORY).await.status, StatusCode::UNAUTHORIZED);

    let answer = ask(Method::POST, &url, Some(&other), MEMORY).await;
    assert_eq!((answer.status, said(&answer).1), (StatusCode::CREATED, 0));
    // Rejected memories were not kept.
    assert_eq!(answer.json()["id"], "mem_2");
    // An invalid key gets 401 beyond any limit.
    for _ in 0..5 {
        assert_eq!(ask(Method::POST, &url, Some("unknown"), "").await.status, StatusCode::UNAUTHORIZED);
    }
}
