//! The life of a key in the console.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::client::ask;
use crate::server::Server;

/// A key that the console created.
pub(super) struct Created {
    pub(super) id: String,
    pub(super) text: String,
}

pub(super) async fn create(server: &Server, body: &str) -> Created {
    let answer = ask(Method::POST, &server.url("/console/keys"), Some(server.key("test_key")), body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let text = |field: &str| answer.json()[field].as_str().unwrap().to_owned();
    Created { id: text("id"), text: text("key") }
}

async fn manage(server: &Server, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
    let url = server.url(&format!("/console/keys{path}"));
    let answer = ask(method, &url, Some(server.key("test_key")), body).await;
    (answer.status, if answer.body.is_empty() { Value::Null } else { answer.json() })
}

/// Asserts that an error is `{"detail": "…"}` and nothing else.
#[track_caller]
fn assert_detail(body: &Value) {
    assert!(body["detail"].is_string() && body.as_object().unwrap().len() == 1, "{body}");
}

async fn is_admitted(server: &Server, key: &str) -> bool {
    match ask(Method::GET, &server.url("/memory/mem_0"), Some(key), "").await.status {
        StatusCode::NOT_FOUND => true,
        StatusCode::UNAUTHORIZED => false,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_key_is_created_with_a_name_and_shown_once() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let key = create(&server, r#"{"name": "Development Key"}"#).await;
    assert!(key.text.starts_with("sk_test_"), "the key of a test deployment");
    assert!(is_admitted(&server, &key.text).await);

    let (status, shown) = manage(&server, Method::GET, &format!("/{}", key.id), "").await;
    assert_eq!((status, &shown["name"]), (StatusCode::OK, &json!("Development Key")));
    let (_, list) = manage(&server, Method::GET, "", "").await;
    assert!(list["keys"].as_array().unwrap().contains(&shown));
    assert!(!list.to_string().contains(&key.text));
}

#[tokio::test]
async fn a_key_can_be_given_an_end() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let key = create(&server, r#"{"name": "Guest", "expires_at": "2100-01-01T00:00:00Z"}"#).await;
    let (_, shown) = manage(&server, Method::GET, &format!("/{}", key.id), "").await;
    assert_eq!(shown["expires_at"], "2100-01-01T00:00:00Z");
    assert!(is_admitted(&server, &key.text).await);
}

#[tokio::test]
async fn a_rotated_key_is_replaced_and_a_deleted_one_rejected_from_the_next_request_on() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let old = create(&server, r#"{"name": "Production Key"}"#).await;
    assert!(is_admitted(&server, &old.text).await);

    let (status, new) = manage(&server, Method::POST, &format!("/{}/rotate", old.id), "").await;
    assert_eq!((status, &new["name"]), (StatusCode::CREATED, &json!("Production Key")));
    let text = new["key"].as_str().unwrap();
    assert!(!is_admitted(&server, &old.text).await && is_admitted(&server, text).await);

    let (status, _) = manage(&server, Method::DELETE, &format!("/{}", new["id"].as_str().unwrap()), "").await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert!(!is_admitted(&server, text).await);
}

#[tokio::test]
async fn a_key_that_was_made_in_the_console_does_not_open_it() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let key = create(&server, r#"{"name": "Guest"}"#).await;
    for (method, path) in [
        (Method::GET, "/console/keys".to_owned()),
        (Method::POST, "/console/keys".to_owned()),
        (Method::DELETE, format!("/console/keys/{}", key.id)),
        (Method::POST, "/console/keys/key_memory_scope_test/rotate".to_owned()),
    ] {
        let answer = ask(method, &server.url(&path), Some(&key.text), "").await;
        answer.assert_rejected(StatusCode::FORBIDDEN, "Insufficient scope");
    }
    assert!(is_admitted(&server, server.key("test_key")).await);
}

#[tokio::test]
async fn a_key_that_cannot_be_is_not_made() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let (_, before) = manage(&server, Method::GET, "", "").await;
    for (status, body) in [
        (400, "{...}".to_owned()),
        (400, r#"{"name": "a", "name": "b"}"#.to_owned()),
        (422, json!({ "name": 7 }).to_string()),
        (422, json!({ "name": "x".repeat(256) }).to_string()),
        (422, json!({ "name": "a\u{0}b" }).to_string()),
        (422, json!({ "name": "a", "expires_at": "2020-01-01T00:00:00Z" }).to_string()),
        (422, json!({ "name": "a", "expires_at": "tomorrow" }).to_string()),
        (422, json!({ "name": "a", "owner": "other" }).to_string()),
        (403, json!({ "name": "a", "scopes": ["admin"] }).to_string()),
    ] {
        let (found, answer) = manage(&server, Method::POST, "", &body).await;
        assert_eq!(found.as_u16(), status, "{body}");
        assert_detail(&answer);
    }
    assert_eq!(manage(&server, Method::GET, "", "").await.1, before);
}

#[tokio::test]
async fn a_key_has_a_name_from_its_first_day_to_its_last() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let key = create(&server, r#"{"name": "Development Key"}"#).await;
    let (_, before) = manage(&server, Method::GET, "", "").await;
    let expected = json!({ "detail": "Invalid values; name: must not be empty" });
    for body in ["", "{}", r#"{"name": ""}"#, r#"{"name": " "}"#] {
        let made = manage(&server, Method::POST, "", body).await;
        assert_eq!(made, (StatusCode::UNPROCESSABLE_ENTITY, expected.clone()), "{body}");
    }
    let renamed = manage(&server, Method::PATCH, &format!("/{}", key.id), r#"{"name": ""}"#).await;
    assert_eq!(renamed, (StatusCode::UNPROCESSABLE_ENTITY, expected));
    assert_eq!(manage(&server, Method::GET, "", "").await.1, before);
}

#[tokio::test]
async fn every_error_of_the_console_is_a_detail_and_nothing_else() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_scope", folder.path()).await;
    let key = create(&server, r#"{"name": "Development Key"}"#).await;
    manage(&server, Method::DELETE, &format!("/{}", key.id), "").await;
    for (method, path, body, status) in [
        (Method::GET, "?limit=0".to_owned(), "", 400),
        (Method::POST, String::new(), "[]", 400),
        (Method::POST, String::new(), r#"{"name": 7, "scopes": 7}"#, 422),
        (Method::POST, String::new(), r#"{"name": "a", "scopes": ["admin"]}"#, 403),
        (Method::POST, format!("/{}/rotate", key.id), r#"{"grace_seconds": -1}"#, 422),
        (Method::POST, format!("/{}/rotate", key.id), "", 409),
        (Method::GET, "/unknown".to_owned(), "", 404),
        (Method::GET, "/a/b/c".to_owned(), "", 404),
        (Method::PUT, String::new(), "", 405),
    ] {
        let (found, answer) = manage(&server, method, &path, body).await;
        assert_eq!(found.as_u16(), status, "{path} {body}: {answer}");
        assert_detail(&answer);
    }
}
