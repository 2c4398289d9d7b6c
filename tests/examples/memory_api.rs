//! The documented behaviour of Memory API.

mod api_keys;
mod fields;
mod memories;
mod rejections;
mod signup;
mod usage;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::client::{Answer, ask, get, request, send};
use crate::curl::{curl, has_no_curl};
use crate::server::Server;

const KEYS: &str = "/v1/account/api-keys";

/// A new key.
struct Created {
    id: String,
    text: String,
}

/// Sends a request with a key in `X-API-Key`, and reads the response.
async fn call(server: &Server, key: &str, method: Method, path: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    ask(method, &server.url(path), Some(key), &body).await
}

/// Creates a key with another one.
async fn create(server: &Server, key: &str, wanted: &Value) -> Created {
    let answer = call(server, key, Method::POST, KEYS, wanted).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{wanted}: {:?}", answer.body);
    let text = |field: &str| answer.json()["data"][field].as_str().unwrap().to_owned();
    Created { id: text("id"), text: text("key") }
}

/// Lists the keys that a key can access.
async fn list(server: &Server, key: &str) -> Vec<Value> {
    let answer = call(server, key, Method::GET, KEYS, &Value::Null).await;
    data(&answer, StatusCode::OK).as_array().unwrap().clone()
}

/// Signs up, and returns the first key.
async fn sign_up(server: &Server, name: &str, email: &str) -> Created {
    let body = json!({ "name": name, "email": email }).to_string();
    let answer = ask(Method::POST, &server.url("/v1/signup"), None, &body).await;
    let made = data(&answer, StatusCode::CREATED);
    Created { id: made["id"].as_str().unwrap().into(), text: made["key"].as_str().unwrap().into() }
}

/// Asserts success, and returns the data.
#[track_caller]
fn data(answer: &Answer, status: StatusCode) -> Value {
    assert_eq!(answer.status, status, "{:?}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/json");
    let mut body = answer.json();
    let data = body["data"].take();
    assert_eq!(body, json!({ "success": true, "data": null }));
    data
}

/// Asserts a rejection of the documented shape, and returns its details.
#[track_caller]
fn assert_rejected(answer: &Answer, status: StatusCode, code: &str) -> Value {
    assert_eq!((answer.status, answer.json()["error"]["code"].as_str()), (status, Some(code)));
    assert_eq!(answer.headers["content-type"], "application/json");
    let mut body = answer.json();
    let details = body["error"].as_object_mut().unwrap().remove("details").unwrap_or_default();
    let message = body["error"]["message"].as_str().unwrap().to_owned();
    assert_eq!(body, json!({ "success": false, "error": { "code": code, "message": message } }));
    assert!(!message.is_empty());
    details
}

/// Asserts a rejection that names this field.
#[track_caller]
fn assert_invalid(answer: &Answer, field: &str) {
    let details = assert_rejected(answer, StatusCode::BAD_REQUEST, "VALIDATION_ERROR");
    let message = details["errors"][0]["message"].as_str().unwrap();
    assert_eq!(details, json!({ "field": field, "errors": [{ "field": field, "message": message }] }));
    assert!(message.starts_with("expected ") || message.starts_with("no scope `"), "{message}");
}

#[tokio::test]
async fn the_documented_commands_are_answered_as_documented() {
    if has_no_curl() {
        return;
    }
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let (key, keys) = (server.key("admin_key"), server.url(KEYS));
    let memories = server.url("/v1/memories");
    // The key in the document is a placeholder.
    for (key, status) in [(key, 200), ("mem_live_abc123...", 401)] {
        for header in ["Authorization: Bearer", "X-API-Key:"] {
            let (found, body) = curl(&format!("curl {memories} \\\n  -H \"{header} {key}\"")).await;
            assert_eq!((found, &body["success"]), (status, &json!(status == 200)), "{header}: {body}");
        }
    }
    let command = |method: &str, more: &str| {
        format!("API_KEY={key}\ncurl {method} {keys}{more}")
            .replace("AUTH", "\\\n  -H \"Authorization: Bearer $API_KEY\"")
    };
    let (status, body) = curl(&command("", " AUTH")).await;
    let listed = body["data"].as_array().unwrap();
    assert_eq!((status, listed.len()), (200, 2));
    assert!(listed.iter().all(|key| key["id"].as_str().unwrap().starts_with("key_")), "{body}");

    let with_type = r#" AUTH \
  -H "Content-Type: application/json" \
  -d '{
    "name": "Production Server",
    "environment": "live",
    "scopes": ["read", "write"]
  }'"#;
    let without_type = [
        r#" AUTH \
  -d '{"name": "Analytics", "scopes": ["read"]}'"#,
        r#" AUTH \
  -d '{"name": "Temp Key", "expires_in_days": 30}'"#,
    ];
    let mut made = Vec::new();
    for more in [with_type].into_iter().chain(without_type) {
        let (status, body) = curl(&command("-X POST", more)).await;
        assert_eq!(status, 201, "{body}");
        assert_eq!(body["data"]["expires_at"].is_string(), more.contains("expires_in_days"), "{body}");
        made.push(body["data"].clone());
    }
    let names: Vec<_> = made.iter().map(|key| (&key["name"], &key["scopes"])).collect();
    let both = json!(["read", "write"]);
    let expected = [json!("Production Server"), json!("Analytics"), json!("Temp Key")];
    assert_eq!(names, [(&expected[0], &both), (&expected[1], &json!(["read"])), (&expected[2], &both)]);

    let id = made[0]["id"].as_str().unwrap();
    assert_eq!(curl(&command("-X DELETE", &format!("/{id} AUTH"))).await.0, 200);
    let (status, body) = curl(&command("-X DELETE", "/key_abc123 AUTH")).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("API_KEY_NOT_FOUND")));
}

#[tokio::test]
async fn either_header_will_do_and_no_other() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let (url, key) = (server.url("/v1/memories"), server.key("admin_key"));
    assert!(key.starts_with("mem_live_") && server.key("test_key").starts_with("mem_test_"));
    for key in [key, server.key("test_key")] {
        assert_eq!(data(&get(&url, Some(key)).await, StatusCode::OK), json!([]));
        assert_eq!(data(&ask(Method::GET, &url, Some(key), "").await, StatusCode::OK), json!([]));
    }
    let missing = get(&format!("{url}?api_key={key}"), None).await;
    assert_rejected(&missing, StatusCode::UNAUTHORIZED, "MISSING_API_KEY");
    let both = request(Method::GET, &url, Some(key)).header("x-api-key", key);
    let both = send(both.body(Default::default()).unwrap()).await;
    assert_rejected(&both, StatusCode::BAD_REQUEST, "MULTIPLE_API_KEYS");
}

#[tokio::test]
async fn every_request_but_health_and_sign_up_needs_a_key() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    for key in [None, Some("unknown")] {
        let health = ask(Method::GET, &server.url("/health"), key, "").await;
        assert_eq!(data(&health, StatusCode::OK), json!("healthy"));
        let answer = ask(Method::POST, &server.url("/v1/signup"), key, "{").await;
        assert_invalid(&answer, "body");
        let answer = ask(Method::GET, &server.url("/v1/signup"), key, "").await;
        assert_rejected(&answer, StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED");
        let code = if key.is_none() { "MISSING_API_KEY" } else { "INVALID_API_KEY_FORMAT" };
        for (method, path) in [
            (Method::GET, "/v1/memories"),
            (Method::POST, "/v1/memories"),
            (Method::PATCH, "/v1/memories"),
            (Method::GET, "/v1/memories/mem_1"),
            (Method::POST, "/v1/query"),
            (Method::GET, KEYS),
            (Method::POST, KEYS),
            (Method::DELETE, "/v1/account/api-keys/key_memory_api_admin"),
            (Method::GET, "/v1/usage"),
            (Method::GET, "/v1/usage/history"),
            (Method::GET, "/"),
            (Method::GET, "/elsewhere"),
            (Method::GET, "/health/"),
            (Method::GET, "/health/../v1/memories"),
            (Method::POST, "/v1/signup/"),
        ] {
            let answer = ask(method, &server.url(path), key, "{").await;
            assert_rejected(&answer, StatusCode::UNAUTHORIZED, code);
            assert!(answer.headers.contains_key("www-authenticate"), "{path}");
        }
    }
    assert_eq!(list(&server, server.key("admin_key")).await.len(), 2);
}

#[tokio::test]
async fn a_scope_grants_the_documented_routes_and_admin_all() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let admin = server.key("admin_key");
    let calls = [
        (Method::GET, "/v1/memories", "read", 200),
        (Method::GET, "/v1/memories/mem_0", "read", 404),
        (Method::POST, "/v1/query", "read", 400),
        (Method::GET, "/v1/usage", "read", 200),
        (Method::GET, "/v1/usage/history", "read", 200),
        (Method::POST, "/v1/memories", "write", 400),
        (Method::PUT, "/v1/memories/mem_0", "write", 404),
        (Method::DELETE, "/v1/memories/mem_0", "delete", 404),
        (Method::GET, KEYS, "admin", 200),
        (Method::POST, KEYS, "admin", 201),
        (Method::DELETE, "/v1/account/api-keys/key_unknown", "admin", 404),
    ];
    for scope in ["read", "write", "delete", "admin"] {
        let key = create(&server, admin, &json!({ "scopes": [scope] })).await.text;
        for (method, path, needed, status) in &calls {
            let answer = call(&server, &key, method.clone(), path, &json!({})).await;
            if *needed == scope || scope == "admin" {
                assert_eq!(answer.status.as_u16(), *status, "{method} {path} with {scope}");
            } else {
                assert_rejected(&answer, StatusCode::FORBIDDEN, "INSUFFICIENT_PERMISSIONS");
            }
        }
    }
}

#[tokio::test]
async fn past_the_limit_a_key_has_to_wait_and_others_have_not() {
    let folder = tempdir().unwrap();
    let server = Server::start_with("memory_api", folder.path(), &[("RATE_LIMIT", "1")]).await;
    let url = server.url("/v1/memories");
    let (key, other) = (server.key("test_key"), server.key("admin_key"));
    let body = r#"{"text": "The user likes pizza"}"#;
    data(&ask(Method::POST, &url, Some(key), body).await, StatusCode::CREATED);

    let answer = ask(Method::POST, &url, Some(key), body).await;
    assert_rejected(&answer, StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED");
    let wait: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    // Rejected memories were not kept.
    let made = data(&ask(Method::POST, &url, Some(other), body).await, StatusCode::CREATED);
    assert_eq!(made["id"], "mem_2");
    // It can still manage keys: an attacker that uses up the limit keeps no leaked one.
    let answer = call(&server, other, Method::GET, "/v1/memories", &Value::Null).await;
    assert_rejected(&answer, StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT_EXCEEDED");
    let path = format!("{KEYS}/key_memory_api_test");
    data(&call(&server, other, Method::DELETE, &path, &Value::Null).await, StatusCode::OK);
    assert_rejected(&get(&url, Some(key)).await, StatusCode::UNAUTHORIZED, "API_KEY_DISABLED");
    // An invalid key gets 401 beyond any limit, and open routes stay open.
    for _ in 0..5 {
        let answer = ask(Method::POST, &url, Some("unknown"), "").await;
        assert_rejected(&answer, StatusCode::UNAUTHORIZED, "INVALID_API_KEY_FORMAT");
        assert_eq!(get(&server.url("/health"), None).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_log_names_keys_by_their_ids_and_shows_none() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    call(&server, server.key("test_key"), Method::GET, KEYS, &Value::Null).await;
    let created = create(&server, server.key("admin_key"), &json!({})).await;
    let first = sign_up(&server, "My Company", "you@example.com").await;
    for key in [&created.text, &first.text] {
        call(&server, key, Method::GET, "/v1/memories", &Value::Null).await;
    }
    let mut keys: Vec<_> = server.credentials().values().cloned().collect();
    keys.extend([created.text, first.text]);
    let end = server.end().await;
    end.assert_clean(&keys);
    for event in [
        "rejected reason=\"missing_scope\" key_id=key_memory_api_test",
        "admitted key_id=key_memory_api_admin",
    ] {
        assert!(end.stderr.contains(event), "{event}\n{}", end.stderr);
    }
}
