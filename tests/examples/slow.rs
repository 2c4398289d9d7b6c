//! Clients with slow heads or bodies.

use http::Method;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tokio::task::JoinSet;
use tower_api_key::backend::{KeyChange, KeyFilter, KeyStore, KeyUpdate};
use tower_api_key::{KeyId, Scopes, SqliteStore};

use crate::client::{Answer, ask, get};
use crate::held::{Held, is_ended};
use crate::server::{Server, run_in_vain};

/// The start of an HTTP/2 connection: the preface and empty settings.
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// A frame of 16 bytes with the head of the first request, and 3 of these.
const HALF: &[u8] = b"\0\0\x10\x01\x05\0\0\0\x01\x82\x84\x86";
/// A complete request for `/` of host `a`, and half of a further one.
const WHOLE_AND_HALF: &[u8] =
    b"\0\0\x06\x01\x05\0\0\0\x01\x82\x84\x86\x41\x01a\0\0\x10\x01\x05\0\0\0\x03\x82\x84\x86";

async fn start(example: &str) -> (Server, TempDir) {
    let folder = tempdir().unwrap();
    (Server::start_with(example, folder.path(), &[("HEAD_SECONDS", "1")]).await, folder)
}

async fn are_ended(server: &Server, heads: &[&[u8]]) {
    let mut clients = JoinSet::new();
    for head in heads {
        clients.spawn(is_ended(server.url(""), head.to_vec()));
    }
    clients.join_all().await;
}

#[tokio::test]
async fn a_head_that_is_never_whole_ends_the_connection() {
    let (server, _folder) = start("hyper").await;
    let http2 = |rest: &[u8]| [HTTP2, rest].concat();
    are_ended(
        &server,
        &[
            b"",
            b"G",
            b"GET / HTTP/1.1\r\nhost: a\r\nx-api-",
            b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\n",
            b"PRI * HTTP/2.0\r\n",
            &http2(b""),
            &http2(HALF),
            &http2(WHOLE_AND_HALF),
        ],
    )
    .await;
    assert_eq!(get(&server.url("/"), None).await.status, 401, "the server goes on");
}

#[tokio::test]
async fn every_example_ends_connections_without_a_whole_head() {
    for example in ["notes", "mixed", "memfault", "memory_api", "memory_scope", "memsolus"] {
        let (server, _folder) = start(example).await;
        are_ended(&server, &[b"", b"POST / HTTP/1.1\r\nhost: a\r\n"]).await;
    }
}

#[tokio::test]
async fn a_wrong_bound_is_named() {
    for wrong in ["soon", "0", "-1"] {
        let folder = tempdir().unwrap();
        let end = run_in_vain("notes", folder.path(), "HEAD_SECONDS", wrong).await;
        assert!(!end.status.success());
        assert_eq!(end.stdout, "");
        assert!(end.stderr.contains("Error: HEAD_SECONDS must be "), "{}", end.stderr);
    }
}

/// Sends an incomplete body, and returns the response.
async fn never_ends(example: &str, key: &str, path: &str) -> Answer {
    let (server, _folder) = start(example).await;
    let (name, key) = match example {
        "memfault" => ("authorization", format!("Bearer {}", server.key(key))),
        _ => ("x-api-key", server.key(key).to_owned()),
    };
    Held::begin(&server, Method::POST, path, (name, &key), "{}").await.answer().await
}

#[tokio::test]
async fn a_body_that_does_not_end_is_answered_in_the_shape_of_the_service() {
    let shape = |body: &Value| match body {
        Value::Object(fields) => fields.keys().cloned().collect::<Vec<_>>(),
        other => panic!("{other}"),
    };
    let upload = "/api/v0/organizations/acme-inc/projects/smart-sink/upload";
    // Concurrently, as each takes as long as the timeout.
    let (memfault, memory_api, memory_scope, console, memsolus) = tokio::join!(
        never_ends("memfault", "organization_token", upload),
        never_ends("memory_api", "admin_key", "/v1/memories"),
        never_ends("memory_scope", "test_key", "/memory"),
        never_ends("memory_scope", "test_key", "/console/keys"),
        never_ends("memsolus", "admin_key", "/v1/api-keys"),
    );
    for (answer, fields) in [
        (memfault, &["error"][..]),
        (memory_api, &["error", "success"]),
        (memory_scope, &["detail"]),
        (console, &["detail"]),
        (memsolus, &["detail"]),
    ] {
        assert_eq!(answer.status, 408, "{:?}", answer.body);
        assert_eq!(shape(&answer.json()), fields, "{}", answer.json());
    }
}

#[tokio::test]
async fn a_body_that_ends_too_late_for_its_key_is_of_no_effect() {
    for (example, path, key, keys, body, status) in [
        ("memory_api", "/v1/memories", "admin_key", "/v1/account/api-keys", json!({ "text": "a" }), 401),
        ("memory_api", "/v1/query", "admin_key", "/v1/account/api-keys", json!({ "context": "a" }), 401),
        ("memory_api", "/v1/account/api-keys", "admin_key", "/v1/account/api-keys", json!({}), 403),
        ("memsolus", "/v1/memories", "admin_key", "/v1/api-keys", json!({ "content": "a" }), 401),
        (
            "memsolus",
            "/v1/api-keys",
            "admin_key",
            "/v1/api-keys",
            json!({ "name": "a", "permissions": ["memory.read"] }),
            403,
        ),
        (
            "memory_scope",
            "/memory",
            "test_key",
            "/console/keys",
            json!({ "user_id": "a", "scope": "schedule", "source": "a", "value_json": {} }),
            401,
        ),
    ] {
        let (server, _folder) = start(example).await;
        let key = server.key(key);
        let held = Held::begin(&server, Method::POST, path, ("x-api-key", key), &body.to_string()).await;
        let own = format!("key_{example}_{}", if example == "memory_scope" { "test" } else { "admin" });
        // It is the last key that can manage keys, which the routes of the crate end by force only.
        let force = if keys == "/console/keys" { "?force=true" } else { "" };
        let revoked = ask(Method::DELETE, &server.url(&format!("{keys}/{own}{force}")), Some(key), "").await;
        assert!(revoked.status.is_success(), "{example}: {:?}", revoked.body);
        let answer = held.end().await;
        assert_eq!(answer.status.as_u16(), status, "{example} {path}: {:?}", answer.body);
    }
}

#[tokio::test]
async fn a_key_that_may_not_manage_keys_any_more_makes_none() {
    for (example, keys, body, scopes) in [
        ("memory_api", "/v1/account/api-keys", json!({ "scopes": ["read"] }), "read"),
        ("memsolus", "/v1/api-keys", json!({ "name": "a", "permissions": ["memory.read"] }), "memory.*"),
    ] {
        let (server, folder) = start(example).await;
        let admin = ("x-api-key", server.key("admin_key"));
        let held = Held::begin(&server, Method::POST, keys, admin, &body.to_string()).await;

        let url = format!("sqlite:{}", folder.path().join("keys.db").display());
        let store = SqliteStore::open(&url).await.unwrap();
        let id = KeyId::new(&format!("key_{example}_admin")).unwrap();
        let mut update = KeyUpdate::default();
        update.scopes = Some(Scopes::parse(scopes).unwrap());
        store.change(KeyChange::update(&id, update)).await.unwrap();
        let count = async || store.list(&KeyFilter::all(), None, 100).await.unwrap().len();
        let before = count().await;
        // It still has the scopes of the new key.
        assert_eq!(held.end().await.status, 403, "{example}");
        assert_eq!(count().await, before, "{example}");
        store.close().await;
    }
}
