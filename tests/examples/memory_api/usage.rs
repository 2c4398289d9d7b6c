//! Usage, with live and test calls separate.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;
use tower_api_key::Environment;
use tower_api_key::clock::Day;

use super::{KEYS, assert_invalid, call, create, data, list};
use crate::client::get;
use crate::foreign;
use crate::held::Held;
use crate::server::Server;

async fn usage(server: &Server, key: &str, path: &str) -> Value {
    data(&call(server, key, Method::GET, path, &Value::Null).await, StatusCode::OK)
}

/// The sum of a field of a history, `None` if the field is missing.
fn sum(history: &Value, name: &str) -> Option<u64> {
    history["history"].as_array().unwrap().iter().map(|day| day[name].as_u64()).sum()
}

fn is_day(value: &Value) -> bool {
    value.as_str().is_some_and(|day| day.parse::<Day>().is_ok())
}

#[tokio::test]
async fn usage_is_written_though_the_process_ends_with_requests_open() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let admin = server.key("admin_key").to_owned();
    for _ in 0..20 {
        get(&server.url("/v1/memories"), Some(&admin)).await;
    }
    let body = r#"{"text": "The user likes pizza"}"#;
    let held = Held::begin(&server, Method::POST, "/v1/memories", ("x-api-key", &admin), body).await;
    let end = server.end_with_requests_open().await;
    assert_eq!(end.status.code(), Some(1), "{}", end.stderr);
    drop(held);

    let server = Server::start("memory_api", folder.path()).await;
    let history = usage(&server, &admin, "/v1/usage/history").await;
    assert_eq!(sum(&history, "api_calls"), Some(21));
}

#[tokio::test]
async fn counts_until_the_end_are_returned_after_a_restart_by_environment() {
    let folder = tempdir().unwrap();
    let other = foreign::add(folder.path(), "mem", Environment::Live, "admin").await;
    let server = Server::start("memory_api", folder.path()).await;
    let (admin, test) = (server.key("admin_key").to_owned(), server.key("test_key").to_owned());
    let fresh = create(&server, &admin, &json!({ "scopes": ["read"] })).await;
    for _ in 0..3 {
        get(&server.url("/v1/memories"), Some(&fresh.text)).await;
    }
    for path in ["/v1/memories", KEYS] {
        get(&server.url(path), Some(&test)).await;
    }
    // Requests without a valid key are not counted.
    get(&server.url("/v1/memories"), Some("unknown")).await;
    let end = server.end().await;
    assert!(end.status.success(), "{}", end.stderr);

    let server = Server::start("memory_api", folder.path()).await;
    // The test may span midnight, so days are added up.
    let history = usage(&server, &admin, "/v1/usage/history").await;
    assert_eq!((sum(&history, "api_calls"), sum(&history, "test_api_calls")), (Some(4), Some(2)));
    let day = |name: &str| history[name].as_str().unwrap().parse::<Day>().unwrap().unix_days();
    assert_eq!(day("period_end") - day("period_start"), 30);
    assert!(history["history"].as_array().unwrap().iter().all(|day| is_day(&day["date"])), "{history}");

    let current = usage(&server, &admin, "/v1/usage").await;
    let period = &history["period_end"].as_str().unwrap()[..7];
    assert_eq!(current, json!({ "current": { "period": period, "api_calls": 4, "test_api_calls": 2 } }));
    // A test key sees no live calls, and no key sees calls of other organizations.
    let current = usage(&server, &test, "/v1/usage").await;
    assert_eq!(current, json!({ "current": { "period": period, "test_api_calls": 2 } }));
    let history = usage(&server, &test, "/v1/usage/history").await;
    assert_eq!((sum(&history, "api_calls"), sum(&history, "test_api_calls")), (None, Some(2)));
    let history = usage(&server, &other, "/v1/usage/history?days=1").await;
    assert_eq!(history["history"], json!([]));

    let keys = list(&server, &admin).await;
    let shown = keys.iter().find(|key| key["id"] == fresh.id.as_str()).unwrap();
    assert!(shown["last_used_at"].as_str().is_some_and(|time| is_day(&json!(time[..10]))), "{shown}");
}

#[tokio::test]
async fn a_history_is_of_1_to_90_days() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let key = server.key("test_key");
    for days in [1, 90] {
        let history = usage(&server, key, &format!("/v1/usage/history?days={days}")).await;
        let day = |name: &str| history[name].as_str().unwrap().parse::<Day>().unwrap().unix_days();
        assert_eq!(day("period_end") - day("period_start"), days);
    }
    for query in ["days=0", "days=91", "days=-1", "days=x", "days=", "days=1&days=2", "key=other"] {
        let path = format!("/v1/usage/history?{query}");
        assert_invalid(&call(&server, key, Method::GET, &path, &Value::Null).await, "days");
    }
}

#[tokio::test]
async fn a_request_past_the_limit_is_counted_as_it_was_admitted() {
    let folder = tempdir().unwrap();
    let server = Server::start_with("memory_api", folder.path(), &[("RATE_LIMIT", "1")]).await;
    let (admin, test) = (server.key("admin_key").to_owned(), server.key("test_key").to_owned());
    for (key, status) in [(&admin, 200), (&admin, 429), (&test, 200), (&test, 429), (&test, 429)] {
        assert_eq!(get(&server.url("/v1/memories"), Some(key)).await.status.as_u16(), status);
    }
    let end = server.end().await;
    assert!(end.status.success(), "{}", end.stderr);

    let server = Server::start("memory_api", folder.path()).await;
    let history = usage(&server, &admin, "/v1/usage/history").await;
    assert_eq!((sum(&history, "api_calls"), sum(&history, "test_api_calls")), (Some(2), Some(3)));
}
