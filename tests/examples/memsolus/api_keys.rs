//! The life of a key.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;
use tower_api_key::Environment;

use super::{assert_forbidden, create};
use crate::client::{Answer, ask};
use crate::foreign;
use crate::server::Server;

async fn manage(server: &Server, method: Method, path: &str, body: &Value) -> Answer {
    let url = server.url(&format!("/v1/api-keys{path}"));
    ask(method, &url, Some(server.key("admin_key")), &body.to_string()).await
}

async fn list(server: &Server) -> Vec<Value> {
    let answer = manage(server, Method::GET, "", &Value::Null).await;
    answer.json()["api_keys"].as_array().unwrap().clone()
}

async fn reads(server: &Server, key: &str) -> StatusCode {
    ask(Method::GET, &server.url("/v1/memories"), Some(key), "").await.status
}

#[tokio::test]
async fn a_key_is_created_with_a_name_and_permissions_and_shown_once() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let wanted = json!({ "name": "production-agent", "permissions": ["memory.read", "export.*"] });
    let key = create(&server, &wanted).await;
    assert!(key.text.starts_with("msk_live_"), "the key of a live administrator");
    assert_eq!(reads(&server, &key.text).await, StatusCode::OK);

    let keys = list(&server).await;
    let shown = keys.iter().find(|shown| shown["id"] == key.id.as_str()).unwrap();
    assert_eq!(
        *shown,
        json!({
            "id": key.id,
            "name": "production-agent",
            "hint": format!("{}...", &key.text[..15]),
            "environment": "live",
            "permissions": ["memory.read", "export.*"],
            "state": "active",
        })
    );
    assert!(!Value::from(keys).to_string().contains(&key.text));
}

#[tokio::test]
async fn a_key_is_rotated_by_a_new_one_before_the_old_one_is_revoked() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let wanted = json!({ "name": "crm-integration", "permissions": ["memory.read"] });
    let old = create(&server, &wanted).await;
    let new = create(&server, &wanted).await;
    for key in [&old, &new] {
        assert_eq!(reads(&server, &key.text).await, StatusCode::OK);
    }
    for _ in 0..2 {
        let revoked = manage(&server, Method::DELETE, &format!("/{}", old.id), &Value::Null).await;
        assert_eq!(revoked.status, StatusCode::NO_CONTENT);
        assert_eq!(reads(&server, &old.text).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(reads(&server, &new.text).await, StatusCode::OK);
    let keys = list(&server).await;
    let state = |id: &str| keys.iter().find(|key| key["id"] == id).unwrap()["state"].clone();
    assert_eq!((state(&old.id), state(&new.id)), (json!("revoked"), json!("active")));
}

#[tokio::test]
async fn live_keys_and_test_keys_are_made_side_by_side_and_a_test_key_knows_no_live_one() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let wanted = json!({ "name": "trial", "permissions": ["*"], "environment": "test" });
    let test = create(&server, &wanted).await;
    assert!(test.text.starts_with("msk_test_"), "a test key");
    assert_eq!(list(&server).await.len(), 4);

    let url = server.url("/v1/api-keys");
    let known = ask(Method::GET, &url, Some(&test.text), "").await.json();
    let known: Vec<_> = known["api_keys"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
    assert_eq!(known, [test.id.as_str()]);
    let revoked = ask(Method::DELETE, &format!("{url}/key_memsolus_read"), Some(&test.text), "").await;
    assert_eq!(revoked.status, StatusCode::NOT_FOUND);
    let wanted = json!({ "name": "a", "permissions": ["memory.read"], "environment": "live" }).to_string();
    let made = ask(Method::POST, &url, Some(&test.text), &wanted).await;
    assert_eq!(made.status, StatusCode::FORBIDDEN);
    made.assert_detail();
    assert!(made.json()["detail"].as_str().unwrap().contains("; environment: "), "{:?}", made.body);
    assert_eq!(list(&server).await.len(), 4, "nothing was made");
    let wanted = json!({ "name": "a", "permissions": ["memory.read"] }).to_string();
    let made = ask(Method::POST, &url, Some(&test.text), &wanted).await;
    assert_eq!((made.status, &made.json()["environment"]), (StatusCode::CREATED, &json!("test")));
}

#[tokio::test]
async fn keys_are_managed_with_all_permissions_and_no_fewer() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let every: Vec<_> = ["memory", "knowledge", "workspace", "export", "ingest", "webhook", "dashboard"]
        .map(|group| format!("{group}.*"))
        .into();
    let every = create(&server, &json!({ "name": "all", "permissions": every })).await;
    let before = list(&server).await;
    for key in [server.key("read_key"), server.key("write_key"), &every.text] {
        for (method, path) in [
            (Method::GET, "/v1/api-keys"),
            (Method::POST, "/v1/api-keys"),
            (Method::DELETE, "/v1/api-keys/key_memsolus_admin"),
        ] {
            let body = r#"{"name": "a", "permissions": ["memory.read"]}"#;
            assert_forbidden(&ask(method, &server.url(path), Some(key), body).await);
        }
    }
    assert_eq!(list(&server).await, before);
}

#[tokio::test]
async fn a_key_without_or_with_an_unknown_permission_is_not_created() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let before = list(&server).await;
    for body in [
        json!({ "name": "a", "permissions": [] }),
        json!({ "name": "a" }),
        json!({ "permissions": ["memory.read"] }),
        json!({ "name": "", "permissions": ["memory.read"] }),
        json!({ "name": "  ", "permissions": ["memory.read"] }),
        json!({ "name": "x".repeat(256), "permissions": ["memory.read"] }),
        json!({ "name": "a\u{0}b", "permissions": ["memory.read"] }),
        json!({ "name": 7, "permissions": ["memory.read"] }),
        json!({ "name": "a", "permissions": "memory.read" }),
        json!({ "name": "a", "permissions": [7] }),
        json!({ "name": "a", "permissions": ["memory.fly"] }),
        json!({ "name": "a", "permissions": ["memory.read", "billing.read"] }),
        json!({ "name": "a", "permissions": ["memory"] }),
        json!({ "name": "a", "permissions": ["memory."] }),
        json!({ "name": "a", "permissions": ["export.delete"] }),
        json!({ "name": "a", "permissions": ["memory.read memory.write"] }),
        json!({ "name": "a", "permissions": ["memory.read"], "environment": "staging" }),
        json!({ "name": "a", "permissions": ["memory.read"], "owner": "other" }),
        json!([]),
    ] {
        let answer = manage(&server, Method::POST, "", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        answer.assert_detail();
    }
    let misspelt = json!({ "name": "a", "permissions": ["memory.raed"] });
    let detail = &manage(&server, Method::POST, "", &misspelt).await.json()["detail"];
    assert!(detail.as_str().unwrap().ends_with("did you mean `memory.read`?"), "{detail}");
    let url = server.url("/v1/api-keys");
    let answer = ask(Method::POST, &url, Some(server.key("admin_key")), "{").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let twice = r#"{"name": "a", "permissions": ["memory.read"], "permissions": ["*"]}"#;
    let answer = ask(Method::POST, &url, Some(server.key("admin_key")), twice).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    answer.assert_detail();
    for query in ["?after=%27%20", "?owner=other", "?after=a&after=b"] {
        let answer = ask(Method::GET, &format!("{url}{query}"), Some(server.key("admin_key")), "").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        answer.assert_detail();
    }
    assert_eq!(list(&server).await, before);
}

#[tokio::test]
async fn the_keys_of_another_organization_are_not_found() {
    let folder = tempdir().unwrap();
    let other = foreign::add(folder.path(), "msk", Environment::Live, "*").await;
    let server = Server::start("memsolus", folder.path()).await;
    assert!(list(&server).await.iter().all(|key| key["id"] != "other"));
    for id in ["other", "key_unknown", "%FF", "'--"] {
        let answer = manage(&server, Method::DELETE, &format!("/{id}"), &Value::Null).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}");
        assert!(answer.json()["detail"].is_string());
    }
    assert_eq!(reads(&server, &other).await, StatusCode::OK);
}

#[tokio::test]
async fn a_list_goes_on_behind_the_last_key_of_a_page() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let all: Vec<_> = list(&server).await.iter().map(|key| key["id"].clone()).collect();
    let after = format!("?after={}", all[0].as_str().unwrap());
    let rest = manage(&server, Method::GET, &after, &Value::Null).await.json();
    let rest: Vec<_> = rest["api_keys"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
    assert_eq!(rest, all[1..]);
}

#[tokio::test]
async fn a_permission_that_is_asked_for_twice_is_granted_once() {
    let folder = tempdir().unwrap();
    let server = Server::start("memsolus", folder.path()).await;
    let wanted = json!({ "name": "a", "permissions": ["memory.read", "export.*", "memory.read"] });
    let made = manage(&server, Method::POST, "", &wanted).await;
    assert_eq!(made.json()["permissions"], json!(["memory.read", "export.*"]));
    let keys = list(&server).await;
    let shown = keys.iter().find(|shown| shown["id"] == made.json()["id"]).unwrap();
    assert_eq!(shown["permissions"], made.json()["permissions"]);
}
