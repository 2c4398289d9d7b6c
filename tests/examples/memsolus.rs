//! The documented behaviour of Memsolus.

mod api_keys;
mod memories;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;
use tower_api_key::{Environment, KeyFormat};

use crate::client::{Answer, ask, get};
use crate::curl::{curl, has_no_curl};
use crate::server::Server;

/// The documented permissions.
const PERMISSIONS: [&str; 17] = [
    "memory.read",
    "memory.write",
    "memory.delete",
    "knowledge.read",
    "knowledge.write",
    "knowledge.delete",
    "workspace.read",
    "workspace.write",
    "workspace.delete",
    "export.read",
    "export.write",
    "ingest.read",
    "ingest.write",
    "webhook.read",
    "webhook.write",
    "webhook.delete",
    "dashboard.read",
];

/// A key that the administrator created.
struct Created {
    id: String,
    text: String,
}

async fn create(server: &Server, body: &Value) -> Created {
    let url = server.url("/v1/api-keys");
    let answer = ask(Method::POST, &url, Some(server.key("admin_key")), &body.to_string()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{body}: {:?}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let text = |field: &str| answer.json()[field].as_str().unwrap().to_owned();
    Created { id: text("id"), text: text("key") }
}

async fn permitted(server: &Server, permissions: &[&str]) -> String {
    create(server, &json!({ "name": "crm-integration", "permissions": permissions })).await.text
}

fn assert_forbidden(answer: &Answer) {
    answer.assert_rejected(StatusCode::FORBIDDEN, "Forbidden");
}

#[tokio::test]
async fn the_documented_commands_are_answered_as_documented() {
    if has_no_curl() {
        return;
    }
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    for path in ["/v1/memories", "/v1/api-keys/permissions"] {
        let command = |key: &str| format!("curl {} \\\n  -H \"X-Api-Key: {key}\"", server.url(path));
        let (status, body) = curl(&command(server.key("read_key"))).await;
        assert_eq!(status, 200, "{path}: {body}");
        let from_the_environment =
            format!("MEMSOLUS_API_KEY={}\n{}", server.key("read_key"), command("$MEMSOLUS_API_KEY"));
        assert_eq!(curl(&from_the_environment).await, (200, body));
        for key in ["msk_live_...", "msk_test_...", ""] {
            assert_eq!(curl(&command(key)).await.0, 401, "{key}");
        }
        assert_eq!(curl(&format!("curl {}", server.url(path))).await.0, 401);
    }
}

#[tokio::test]
async fn all_permission_groups_are_listed() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    for key in ["read_key", "write_key", "admin_key"] {
        let url = server.url("/v1/api-keys/permissions");
        let list = ask(Method::GET, &url, Some(server.key(key)), "").await.json();
        let groups = list["groups"].as_array().unwrap();
        let names: Vec<_> = groups.iter().map(|group| group["group"].as_str().unwrap()).collect();
        let expected = ["memory", "knowledge", "workspace", "export", "ingest", "webhook", "dashboard"];
        assert_eq!(names, expected);
        let permissions = groups.iter().flat_map(|group| group["permissions"].as_array().unwrap());
        assert_eq!(permissions.map(|name| name.as_str().unwrap()).collect::<Vec<_>>(), PERMISSIONS);
    }
}

#[tokio::test]
async fn a_key_may_do_what_it_is_permitted_and_gets_403_for_the_rest() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let calls = [
        (Method::GET, "/v1/memories", "memory.read", 200),
        (Method::GET, "/v1/memories/mem_0", "memory.read", 404),
        (Method::POST, "/v1/memories", "memory.write", 201),
        (Method::PUT, "/v1/memories/mem_0", "memory.write", 404),
        (Method::DELETE, "/v1/memories/mem_0", "memory.delete", 404),
    ];
    for permission in PERMISSIONS {
        let key = permitted(&server, &[permission]).await;
        for (method, path, needed, status) in &calls {
            let body = r#"{"content": "likes pizza"}"#;
            let answer = ask(method.clone(), &server.url(path), Some(&key), body).await;
            if *needed == permission {
                assert_eq!(answer.status.as_u16(), *status, "{method} {path} with {permission}");
            } else {
                assert_forbidden(&answer);
            }
        }
    }
}

#[tokio::test]
async fn a_grant_of_a_group_covers_its_permissions_and_no_other_group() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let url = server.url("/v1/memories");
    let memory = permitted(&server, &["memory.*"]).await;
    let knowledge = permitted(&server, &["knowledge.*"]).await;

    let made = ask(Method::POST, &url, Some(&memory), r#"{"content": "likes pizza"}"#).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let one = format!("{url}/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(ask(Method::GET, &one, Some(&memory), "").await.status, StatusCode::OK);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        assert_forbidden(&ask(method, &one, Some(&knowledge), r#"{"content": ""}"#).await);
    }
    assert_eq!(ask(Method::DELETE, &one, Some(&memory), "").await.status, StatusCode::NO_CONTENT);
    // All permissions of one group are not all permissions.
    assert_forbidden(&ask(Method::GET, &server.url("/v1/api-keys"), Some(&memory), "").await);
}

#[tokio::test]
async fn an_invalid_key_is_rejected_for_each_request() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let good = server.key("admin_key");
    let unknown = KeyFormat::new("msk").unwrap().mint(Environment::Live).unwrap().reveal();
    for path in ["/v1/memories", "/v1/api-keys", "/v1/api-keys/permissions", "/elsewhere"] {
        let url = server.url(path);
        for key in [unknown.as_str(), &good[1..], &good[..20], "sk_test_...", ""] {
            let answer = ask(Method::POST, &url, Some(key), "{").await;
            answer.assert_rejected(StatusCode::UNAUTHORIZED, "Invalid API key");
        }
        // A Bearer token is not documented.
        get(&url, Some(good)).await.assert_rejected(StatusCode::UNAUTHORIZED, "Missing API key");
    }
}

#[tokio::test]
async fn the_log_names_keys_by_their_ids_and_shows_none() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let url = server.url("/v1/memories");
    ask(Method::POST, &url, Some(server.key("read_key")), "").await;
    let created = create(&server, &json!({ "name": "a", "permissions": ["memory.read"] })).await;
    ask(Method::GET, &url, Some(&created.text), "").await;

    let mut keys: Vec<_> = server.credentials().values().cloned().collect();
    keys.push(created.text);
    let end = server.end().await;
    end.assert_clean(&keys);
    for event in
        ["rejected reason=\"missing_scope\" key_id=key_memsolus_read", "admitted key_id=key_memsolus_admin"]
    {
        assert!(end.stderr.contains(event), "{event}\n{}", end.stderr);
    }
}
