//! The memories behind the keys.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;
use tower_api_key::Environment;

use super::{assert_invalid, assert_rejected, call, create, data, sign_up};
use crate::client::ask;
use crate::foreign;
use crate::server::Server;

const ALL: &str = "/v1/memories";

#[tokio::test]
async fn a_posted_memory_can_be_read_changed_and_deleted() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let key = server.key("admin_key");
    let call = async |method, path: &str, body: Value| call(&server, key, method, path, &body).await;
    let wanted = json!({ "text": "The user likes pizza", "metadata": { "category": "food" } });
    let made = data(&call(Method::POST, ALL, wanted.clone()).await, StatusCode::CREATED);
    let expected = json!({
        "id": "mem_1",
        "text": wanted["text"],
        "metadata": wanted["metadata"],
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
    });
    assert_eq!(made, expected);
    assert!(made["created_at"].is_string());

    let one = "/v1/memories/mem_1";
    assert_eq!(data(&call(Method::GET, one, Value::Null).await, StatusCode::OK), made);
    assert_eq!(data(&call(Method::GET, ALL, Value::Null).await, StatusCode::OK), json!([made]));
    let changed = call(Method::PUT, one, json!({ "text": "The user likes sushi" })).await;
    let mut changed = data(&changed, StatusCode::OK);
    assert_eq!(data(&call(Method::GET, one, Value::Null).await, StatusCode::OK), changed);
    assert_eq!(changed["text"].take(), "The user likes sushi");
    assert_eq!(changed["metadata"], made["metadata"]);
    let changed = call(Method::PUT, one, json!({ "metadata": {} })).await;
    assert_eq!(data(&changed, StatusCode::OK)["metadata"], json!({}));

    let gone = call(Method::DELETE, one, Value::Null).await;
    assert_eq!(data(&gone, StatusCode::OK), json!({ "id": "mem_1", "deleted": true }));
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let body = json!({ "text": "a" });
        assert_rejected(&call(method, one, body).await, StatusCode::NOT_FOUND, "MEMORY_NOT_FOUND");
    }
}

#[tokio::test]
async fn a_query_returns_memories_with_shared_words_the_closest_first() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let key = server.key("admin_key");
    for text in ["Likes tea", "Works as an engineer", "Likes green tea with lemon"] {
        data(&call(&server, key, Method::POST, ALL, &json!({ "text": text })).await, StatusCode::CREATED);
    }
    for (query, expected) in [
        (json!({ "context": "GREEN tea?" }), json!(["mem_3", "mem_1"])),
        (json!({ "context": "green tea", "max_memories": 1 }), json!(["mem_3"])),
        (json!({ "context": "What does the engineer do?" }), json!(["mem_2"])),
        (json!({ "context": "coffee" }), json!([])),
    ] {
        let found = data(&call(&server, key, Method::POST, "/v1/query", &query).await, StatusCode::OK);
        let found = found["memories"].as_array().unwrap();
        assert_eq!(found.iter().map(|memory| memory["id"].clone()).collect::<Value>(), expected, "{query}");
    }
    for (field, query) in [
        ("context", json!({})),
        ("context", json!({ "context": "" })),
        ("context", json!({ "context": ["tea"] })),
        ("max_memories", json!({ "context": "tea", "max_memories": 0 })),
        ("max_memories", json!({ "context": "tea", "max_memories": 101 })),
        ("max_memories", json!({ "context": "tea", "max_memories": "5" })),
        ("body", json!({ "context": "tea", "owner": "other" })),
    ] {
        assert_invalid(&call(&server, key, Method::POST, "/v1/query", &query).await, field);
    }
}

#[tokio::test]
async fn bad_input_is_rejected_and_not_kept() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let (url, key) = (server.url(ALL), server.key("admin_key"));
    for (field, body) in [
        ("body", String::new()),
        ("body", "{".to_owned()),
        ("body", "text=a".to_owned()),
        ("body", "[]".to_owned()),
        ("body", json!({ "text": "a", "id": "mem_9" }).to_string()),
        ("text", "{}".to_owned()),
        ("text", json!({ "text": null }).to_string()),
        ("text", json!({ "text": 7 }).to_string()),
        ("text", json!({ "text": "" }).to_string()),
        ("text", json!({ "text": "a\u{0}b" }).to_string()),
        ("body", r#"{"text": "a", "text": "b"}"#.to_owned()),
        ("text", json!({ "text": "x".repeat(50_001) }).to_string()),
        ("metadata", json!({ "text": "a", "metadata": [] }).to_string()),
    ] {
        assert_invalid(&ask(Method::POST, &url, Some(key), &body).await, field);
    }
    let large = ask(Method::POST, &url, Some(key), &json!({ "text": "x".repeat(300_000) }).to_string()).await;
    assert_rejected(&large, StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE");
    for (method, path, status, code) in [
        (Method::GET, "/v1/memories/mem_9", 404, "MEMORY_NOT_FOUND"),
        (Method::GET, "/v1/memories/%FF", 404, "MEMORY_NOT_FOUND"),
        (Method::DELETE, "/v1/memories/'--", 404, "MEMORY_NOT_FOUND"),
        (Method::GET, "/v1/elsewhere", 404, "NOT_FOUND"),
        (Method::GET, "/", 404, "NOT_FOUND"),
        (Method::PATCH, ALL, 405, "METHOD_NOT_ALLOWED"),
        (Method::PUT, "/v1/account/api-keys", 405, "METHOD_NOT_ALLOWED"),
    ] {
        let answer = ask(method, &server.url(path), Some(key), "").await;
        assert_rejected(&answer, StatusCode::from_u16(status).unwrap(), code);
    }
    assert_eq!(data(&ask(Method::GET, &url, Some(key), "").await, StatusCode::OK), json!([]));
}

#[tokio::test]
async fn memories_of_other_organizations_and_environments_are_not_found() {
    let folder = tempdir().unwrap();
    let other = foreign::add(folder.path(), "mem", Environment::Live, "admin").await;
    let server = Server::start("memory_api", folder.path()).await;
    let own = server.key("admin_key");
    let test = create(&server, own, &json!({ "environment": "test", "scopes": ["admin"] })).await.text;
    let wanted = json!({ "text": "The user likes pizza" });
    let made = data(&call(&server, own, Method::POST, ALL, &wanted).await, StatusCode::CREATED);

    let one = "/v1/memories/mem_1";
    for key in [&other, &test] {
        assert_eq!(
            data(&call(&server, key, Method::GET, ALL, &Value::Null).await, StatusCode::OK),
            json!([])
        );
        let query = json!({ "context": "pizza" });
        let found = data(&call(&server, key, Method::POST, "/v1/query", &query).await, StatusCode::OK);
        assert_eq!(found["memories"], json!([]));
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = call(&server, key, method, one, &json!({ "text": "b" })).await;
            assert_rejected(&answer, StatusCode::NOT_FOUND, "MEMORY_NOT_FOUND");
        }
    }
    assert_eq!(data(&call(&server, own, Method::GET, one, &Value::Null).await, StatusCode::OK), made);
}

#[tokio::test]
async fn the_oldest_memories_of_the_largest_owner_give_way() {
    let folder = tempdir().unwrap();
    let server = Server::start_with("memory_api", folder.path(), &[("RATE_LIMIT", "10000")]).await;
    let remember = async |key: &str, body: &Value| {
        data(&call(&server, key, Method::POST, ALL, body).await, StatusCode::CREATED);
    };
    let list =
        async |key: &str| data(&call(&server, key, Method::GET, ALL, &Value::Null).await, StatusCode::OK);
    let (small, large) = (server.key("admin_key"), sign_up(&server, "Large", "large@example.com").await);
    remember(small, &json!({ "text": "The user likes pizza" })).await;
    let wanted = json!({ "text": "a", "metadata": { "large": "a".repeat(255 * 1024) } });
    for _ in 0..300 {
        remember(&large.text, &wanted).await;
    }
    let kept = list(&large.text).await.as_array().unwrap().len();
    assert!((250..=257).contains(&kept), "{kept} memories of 255 KiB, of 64 MiB in all");
    assert_eq!(list(small).await[0]["text"], "The user likes pizza", "the oldest of all");
}
