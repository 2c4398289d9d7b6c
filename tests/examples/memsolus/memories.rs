//! The memories behind the keys.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;
use tower_api_key::Environment;

use super::create;
use crate::client::ask;
use crate::foreign;
use crate::server::Server;

#[tokio::test]
async fn a_posted_memory_can_be_read_changed_and_deleted() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let (url, key) = (server.url("/v1/memories"), Some(server.key("admin_key")));
    let content = "likes pizza,\n\tand sushi";
    let made = ask(Method::POST, &url, key, &json!({ "content": content }).to_string()).await;
    let memory = json!({ "id": "mem_1", "content": content });
    assert_eq!((made.status, made.json()), (StatusCode::CREATED, memory.clone()));

    let one = format!("{url}/mem_1");
    assert_eq!(ask(Method::GET, &one, key, "").await.json(), memory);
    assert_eq!(ask(Method::GET, &url, key, "").await.json(), json!({ "memories": [memory] }));
    let changed = json!({ "id": "mem_1", "content": "likes sushi" });
    let put = ask(Method::PUT, &one, key, r#"{"content": "likes sushi"}"#).await;
    assert_eq!((put.status, put.json()), (StatusCode::OK, changed.clone()));
    assert_eq!(ask(Method::GET, &one, key, "").await.json(), changed);
    assert_eq!(ask(Method::DELETE, &one, key, "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(ask(Method::GET, &one, key, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn bad_input_is_rejected_and_not_kept() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let (url, key) = (server.url("/v1/memories"), Some(server.key("write_key")));
    for (status, body) in [
        (400, String::new()),
        (400, "{".to_owned()),
        (400, "{...}".to_owned()),
        (422, "[]".to_owned()),
        (422, r#"["a", "b"]"#.to_owned()),
        (422, "{}".to_owned()),
        (422, json!({ "content": 7 }).to_string()),
        (422, json!({ "content": "" }).to_string()),
        (422, json!({ "content": "a\u{0}b" }).to_string()),
        (422, r#"{"content": "a", "content": "b"}"#.to_owned()),
        (422, json!({ "content": "x".repeat(10_001) }).to_string()),
        (422, json!({ "content": "a", "id": "mem_9" }).to_string()),
        (413, json!({ "content": "x".repeat(70_000) }).to_string()),
    ] {
        let answer = ask(Method::POST, &url, key, &body).await;
        assert_eq!(answer.status.as_u16(), status, "{}", body.get(..50).unwrap_or(&body));
        answer.assert_detail();
        if status == 413 {
            assert_eq!(answer.json()["detail"], "The body is too large");
        }
    }
    for (method, path, status) in [
        (Method::GET, "/v1/memories/mem_9", 404),
        (Method::GET, "/v1/memories/%FF", 404),
        (Method::GET, "/v1/elsewhere", 404),
        (Method::GET, "/", 404),
        (Method::PATCH, "/v1/memories", 405),
    ] {
        let answer = ask(method, &server.url(path), key, "").await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        answer.assert_detail();
    }
    assert_eq!(ask(Method::GET, &url, key, "").await.json(), json!({ "memories": [] }));
}

#[tokio::test]
async fn memories_of_other_organizations_and_environments_are_not_found() {
    let folder = tempdir().unwrap();
    let other = foreign::add(folder.path(), "msk", Environment::Live, "memory.*").await;
    let server = Server::start("memsolus", folder.path()).await;
    let (url, own) = (server.url("/v1/memories"), server.key("admin_key"));
    let wanted = json!({ "name": "trial", "permissions": ["memory.*"], "environment": "test" });
    let test = create(&server, &wanted).await.text;
    assert_eq!(ask(Method::POST, &url, Some(own), r#"{"content": "a"}"#).await.status, StatusCode::CREATED);

    for key in [&other, &test] {
        assert_eq!(ask(Method::GET, &url, Some(key), "").await.json(), json!({ "memories": [] }));
        for (method, body) in [
            (Method::GET, Value::Null),
            (Method::PUT, json!({ "content": "b" })),
            (Method::DELETE, Value::Null),
        ] {
            let answer = ask(method, &format!("{url}/mem_1"), Some(key), &body.to_string()).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
        }
    }
    let kept = ask(Method::GET, &format!("{url}/mem_1"), Some(own), "").await.json();
    assert_eq!(kept["content"], "a");
}
