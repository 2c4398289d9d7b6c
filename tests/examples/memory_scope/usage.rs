//! Usage in the console.

use http::{Method, StatusCode};
use serde_json::Value;
use tempfile::tempdir;
use tower_api_key::Environment;

use super::{MEMORY, console};
use crate::client::ask;
use crate::foreign;
use crate::held::Held;
use crate::server::Server;

async fn usage(server: &Server, key: &str, path: &str) -> Value {
    let answer = ask(Method::GET, &server.url(path), Some(key), "").await;
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    answer.json()["usage"].clone()
}

/// The requests of a key over all days, as a test may span midnight.
fn of_key(usage: &Value, key: &str) -> u64 {
    let lines = usage.as_array().unwrap().iter().filter(|line| line["key"] == key);
    lines.map(|line| line["requests"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn usage_is_written_though_the_process_ends_with_requests_open() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let admin = server.key("test_key").to_owned();
    for _ in 0..20 {
        ask(Method::POST, &server.url("/memory"), Some(&admin), MEMORY).await;
    }
    let held = Held::begin(&server, Method::POST, "/memory", ("x-api-key", &admin), MEMORY).await;
    let end = server.end_with_requests_open().await;
    assert_eq!(end.status.code(), Some(1), "{}", end.stderr);
    assert!(end.stderr.contains("requests were still open at the end"), "{}", end.stderr);
    drop(held);

    let server = Server::start("memory_scope", folder.path()).await;
    let by_key = usage(&server, &admin, "/console/usage?by=key").await;
    assert_eq!(of_key(&by_key, "key_memory_scope_test"), 21, "{by_key}");
}

#[tokio::test]
async fn usage_is_returned_for_each_key_counted_until_the_end() {
    let folder = tempdir().unwrap();
    let other = foreign::add(folder.path(), "sk", Environment::Test, "console").await;
    let server = Server::start("memory_scope", folder.path()).await;
    let admin = server.key("test_key").to_owned();
    let key = console::create(&server, r#"{"name": "Development Key"}"#).await;
    for (key, requests) in [(&key.text, 3), (&other, 2)] {
        for _ in 0..requests {
            ask(Method::POST, &server.url("/memory"), Some(key), MEMORY).await;
        }
    }
    // Rejected requests are not counted.
    ask(Method::POST, &server.url("/memory"), Some(server.key("live_key")), MEMORY).await;
    let end = server.end().await;
    assert!(end.status.success(), "{}", end.stderr);

    let server = Server::start("memory_scope", folder.path()).await;
    let by_key = usage(&server, &admin, "/console/usage?by=key").await;
    assert_eq!((of_key(&by_key, &key.id), of_key(&by_key, "key_memory_scope_test")), (3, 1), "{by_key}");
    assert!(by_key.as_array().unwrap().iter().all(|line| line["key"] != "other"), "{by_key}");
    let total = usage(&server, &admin, "/console/usage").await;
    assert_eq!(
        total.as_array().unwrap().iter().map(|line| line["requests"].as_u64().unwrap()).sum::<u64>(),
        4
    );
    let own = usage(&server, &admin, &format!("/console/keys/{}/usage", key.id)).await;
    assert_eq!(of_key(&own, &key.id), 3, "{own}");

    // Keys that the console created have no access to it, and keys of other organizations are not found.
    let answer = ask(Method::GET, &server.url("/console/usage"), Some(&key.text), "").await;
    answer.assert_rejected(StatusCode::FORBIDDEN, "Insufficient scope");
    let path = server.url(&format!("/console/keys/{}/usage", key.id));
    assert_eq!(ask(Method::GET, &path, Some(&other), "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_request_past_the_limit_is_counted_as_it_was_admitted() {
    let folder = tempdir().unwrap();
    let limit = [("RATE_LIMIT", "2")];
    let server = Server::start_with("memory_scope", folder.path(), &limit).await;
    let admin = server.key("test_key").to_owned();
    let key = console::create(&server, r#"{"name": "Development Key"}"#).await;
    for status in [201, 201, 429] {
        let answer = ask(Method::POST, &server.url("/memory"), Some(&key.text), MEMORY).await;
        assert_eq!(answer.status.as_u16(), status);
    }
    let end = server.end().await;
    assert!(end.status.success(), "{}", end.stderr);

    let server = Server::start("memory_scope", folder.path()).await;
    let own = usage(&server, &admin, &format!("/console/keys/{}/usage", key.id)).await;
    assert_eq!(of_key(&own, &key.id), 3, "{own}");
}
