//! The documented behaviour of Memory Scope.

mod console;
mod limits;
mod usage;

use http::{Method, StatusCode};
use serde_json::json;
use tempfile::tempdir;
use tower_api_key::{Environment, KeyFormat};

use crate::client::{ask, get};
use crate::curl::{curl, has_no_curl};
use crate::foreign;
use crate::server::{Server, run_in_vain};

const MEMORY: &str = r#"{
    "user_id": "user123",
    "scope": "preferences",
    "domain": "food",
    "source": "explicit_user_input",
    "value_json": { "likes": ["pizza", "sushi"] }
}"#;

#[tokio::test]
async fn the_documented_command_is_answered_as_documented() {
    if has_no_curl() {
        return;
    }
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let url = server.url("/memory");
    let command = |key: &str, body: &str| {
        format!(
            "curl -X POST {url} \\\n  -H 'X-API-Key: {key}' \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'"
        )
    };
    let invalid = (401, json!({ "detail": "Invalid API key" }));

    assert_eq!(curl(&command(server.key("test_key"), MEMORY)).await.0, 201);
    // The documented body is invalid JSON: a valid key gets that error, an invalid one gets 401.
    let (status, body) = curl(&command(server.key("test_key"), "{...}")).await;
    assert_eq!((status, body["detail"].is_string()), (400, true), "{body}");
    let good = server.key("test_key");
    // Some clients join repeated headers into one line.
    let joined = format!("{good}, {good}");
    for key in
        ["sk_test_...", "sk_test_abc123xyz789...", &joined, server.key("expired_key"), server.key("live_key")]
    {
        for body in [MEMORY, "{...}"] {
            assert_eq!(curl(&command(key, body)).await, invalid, "{key}");
        }
    }
    assert_eq!(curl(&format!("curl -X POST {url} -d '{{...}}'")).await, invalid);
}

#[tokio::test]
async fn a_posted_memory_can_be_read_back() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let key = Some(server.key("test_key"));

    let made = ask(Method::POST, &server.url("/memory"), key, MEMORY).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let mut expected: serde_json::Value = serde_json::from_str(MEMORY).unwrap();
    expected["id"] = made.json()["id"].clone();
    assert_eq!(made.json(), expected);

    let url = server.url(&format!("/memory/{}", made.json()["id"].as_str().unwrap()));
    let read = ask(Method::GET, &url, key, "").await;
    assert_eq!((read.status, read.json()), (StatusCode::OK, expected));
}

#[tokio::test]
async fn every_bad_key_gets_the_same_answer() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let (url, good) = (server.url("/memory"), server.key("test_key"));
    let minted = |prefix: &str, environment| {
        let key = KeyFormat::new(prefix).unwrap().mint(environment).unwrap();
        key.reveal().as_str().to_owned()
    };
    let deleted = console::create(&server, r#"{"name": "Old"}"#).await;
    let path = server.url(&format!("/console/keys/{}", deleted.id));
    assert_eq!(ask(Method::DELETE, &path, Some(good), "").await.status, StatusCode::NO_CONTENT);

    for (what, key) in [
        ("missing", None),
        ("empty", Some("")),
        ("not of the format", Some("unknown")),
        ("with a typing error", Some(&good[..good.len() - 1])),
        ("in another case", Some(&*good.to_uppercase())),
        ("of another service", Some(&*minted("mem", Environment::Test))),
        ("unknown", Some(&*minted("sk", Environment::Test))),
        ("unknown, live", Some(&*minted("sk", Environment::Live))),
        ("expired", Some(server.key("expired_key"))),
        ("of the other environment", Some(server.key("live_key"))),
        ("deleted", Some(&*deleted.text)),
        ("too long", Some(&*"x".repeat(5000))),
    ] {
        for (method, url) in [
            (Method::POST, &url),
            (Method::GET, &server.url("/memory/mem_1")),
            (Method::GET, &server.url("/elsewhere")),
            (Method::GET, &server.url("/console/keys")),
        ] {
            let answer = ask(method, url, key, "{...}").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
            assert_eq!(answer.body, br#"{"detail":"Invalid API key"}"#[..], "{what}");
            assert!(answer.headers.contains_key("www-authenticate"), "{what}");
        }
    }
    // A valid key outside of the header is ignored.
    get(&url, Some(good)).await.assert_rejected(StatusCode::UNAUTHORIZED, "Invalid API key");
    get(&format!("{url}?api_key={good}"), None)
        .await
        .assert_rejected(StatusCode::UNAUTHORIZED, "Invalid API key");
}

#[tokio::test]
async fn the_environment_of_the_deployment_decides_which_keys_are_good() {
    let folder = tempdir().unwrap();
    let server =
        Server::start_with("memory_scope", folder.path(), &[("ENVIRONMENT", "live"), ("RUST_LOG", "debug")])
            .await;
    for (name, status) in [
        ("live_key", StatusCode::CREATED),
        ("test_key", StatusCode::UNAUTHORIZED),
        ("expired_key", StatusCode::UNAUTHORIZED),
    ] {
        let answer = ask(Method::POST, &server.url("/memory"), Some(server.key(name)), MEMORY).await;
        assert_eq!(answer.status, status, "{name}");
    }
    assert!(server.key("live_key").starts_with("sk_live_") && server.key("test_key").starts_with("sk_test_"));
    let keys = server.credentials().clone();
    let end = server.end().await;
    end.assert_clean(keys.values());
    for event in [
        "rejected reason=\"wrong_environment\" key_id=key_memory_scope_test",
        "rejected reason=\"expired\" key_id=key_memory_scope_expired",
    ] {
        assert!(end.stderr.contains(event), "{event}\n{}", end.stderr);
    }
}

#[tokio::test]
async fn bad_input_is_rejected_in_the_shape_of_all_errors_and_not_kept() {
    let folder = tempdir().unwrap();
    let server = Server::start_with("memory_scope", folder.path(), &[("RATE_LIMIT", "1000")]).await;
    let key = Some(server.key("test_key"));
    let with = |field: &str, value: serde_json::Value| {
        let mut memory: serde_json::Value = serde_json::from_str(MEMORY).unwrap();
        match value {
            serde_json::Value::Null => memory.as_object_mut().unwrap().remove(field),
            value => memory.as_object_mut().unwrap().insert(field.to_owned(), value),
        };
        memory.to_string()
    };
    let cases = [
        (400, String::new()),
        (400, "{".to_owned()),
        (400, "{...}".to_owned()),
        (400, format!("{MEMORY} x")),
        (422, "[]".to_owned()),
        (422, r#"["u", "preferences", null, "s", {"a": 1}]"#.to_owned()),
        (422, "null".to_owned()),
        (422, "{}".to_owned()),
        (422, with("user_id", json!(null))),
        (422, with("user_id", json!(7))),
        (422, with("user_id", json!(""))),
        (422, with("user_id", json!("x".repeat(256)))),
        (422, with("user_id", json!("a\u{0}b"))),
        (422, with("user_id", json!("a\nb"))),
        (422, with("user_id", json!("  "))),
        (422, MEMORY.replacen('{', r#"{"user_id": "another", "#, 1)),
        (422, with("scope", json!("secrets"))),
        (422, with("source", json!(null))),
        (422, with("value_json", json!("likes pizza"))),
        (422, with("domain", json!("x".repeat(256)))),
        (422, with("domain", json!("\u{7f}"))),
        (422, with("owner", json!("other"))),
        (413, with("source", json!("x".repeat(70_000)))),
    ];
    for (status, body) in &cases {
        let answer = ask(Method::POST, &server.url("/memory"), key, body).await;
        assert_eq!(answer.status.as_u16(), *status, "{}", body.get(..100).unwrap_or(body));
        answer.assert_detail();
        if *status == 413 {
            assert_eq!(answer.json()["detail"], "The body is too large");
        }
    }
    for (method, path, status) in [
        (Method::GET, "/memory/mem_2", 404),
        (Method::GET, "/memory/%FF", 404),
        (Method::GET, "/memory/'--", 404),
        (Method::GET, "/elsewhere", 404),
        (Method::GET, "/memory", 405),
        (Method::DELETE, "/memory/mem_1", 405),
        (Method::PUT, "/console/keys", 405),
    ] {
        let answer = ask(method, &server.url(path), key, "").await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        answer.assert_detail();
    }
    let first = ask(Method::POST, &server.url("/memory"), key, MEMORY).await;
    assert_eq!(first.json()["id"], "mem_1");
}

#[tokio::test]
async fn memories_and_keys_of_another_organization_are_not_found() {
    let folder = tempdir().unwrap();
    let other = foreign::add(folder.path(), "sk", Environment::Test, "console").await;
    let server = Server::start("memory_scope", folder.path()).await;
    let own = server.key("test_key");

    let made = ask(Method::POST, &server.url("/memory"), Some(own), MEMORY).await.json();
    let memory = server.url(&format!("/memory/{}", made["id"].as_str().unwrap()));
    let unknown = ask(Method::GET, &server.url("/memory/mem_9"), Some(&other), "").await;
    let answer = ask(Method::GET, &memory, Some(&other), "").await;
    assert_eq!((answer.status, &answer.body), (StatusCode::NOT_FOUND, &unknown.body));
    assert_eq!(ask(Method::GET, &memory, Some(own), "").await.status, StatusCode::OK);

    for (method, path) in [
        (Method::GET, "/console/keys/key_memory_scope_test"),
        (Method::DELETE, "/console/keys/key_memory_scope_test"),
        (Method::POST, "/console/keys/key_memory_scope_test/rotate"),
    ] {
        assert_eq!(ask(method, &server.url(path), Some(&other), "").await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(ask(Method::GET, &memory, Some(own), "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    let folder = tempdir().unwrap();
    for (variable, value) in [("ENVIRONMENT", "production"), ("RATE_LIMIT", "0"), ("RATE_LIMIT", "many")] {
        let end = run_in_vain("memory_scope", folder.path(), variable, value).await;
        assert!(!end.status.success());
        assert!(end.stderr.contains(&format!("Error: {variable} must be ")), "{}", end.stderr);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_kept_memory_takes_about_as_much_as_its_text() {
    let folder = tempdir().unwrap();
    let server = Server::start_with("memory_scope", folder.path(), &[("RATE_LIMIT", "10000")]).await;
    let body = json!({
        "user_id": "a", "scope": "schedule", "source": "a", "value_json": { "a": vec![json!({ "": 0 }); 7000] },
    })
    .to_string();
    let idle = server.resident("VmRSS:");
    for _ in 0..60 {
        let kept = ask(Method::POST, &server.url("/memory"), Some(server.key("test_key")), &body).await;
        assert_eq!(kept.status, StatusCode::CREATED, "{:?}", kept.body);
    }
    let more = server.resident("VmRSS:") - idle;
    assert!(more < 64 * 1024 * 1024, "{more} bytes more for 60 times {}", body.len());
}
