//! The life of a key.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;
use tower_api_key::clock::Day;
use tower_api_key::{Environment, Timestamp};

use super::{KEYS, assert_invalid, assert_rejected, call, create, data, list};
use crate::client::ask;
use crate::foreign;
use crate::server::Server;

async fn reads(server: &Server, key: &str) -> StatusCode {
    call(server, key, Method::GET, "/v1/memories", &Value::Null).await.status
}

async fn revoke(server: &Server, key: &str, id: &str) -> crate::client::Answer {
    call(server, key, Method::DELETE, &format!("{KEYS}/{id}"), &Value::Null).await
}

/// Returns whether a text is a time in the documented format, such as `2024-01-15T10:00:00Z`.
fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|time| time.len() == 20 && time.ends_with('Z'))
}

#[tokio::test]
async fn a_key_that_nothing_is_asked_of_is_as_documented_and_shown_once() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let admin = server.key("admin_key");
    let nulls = json!({ "name": null, "environment": null, "scopes": null, "expires_in_days": null });
    for wanted in [json!({}), nulls] {
        let answer = call(&server, admin, Method::POST, KEYS, &wanted).await;
        assert_eq!(answer.headers["cache-control"], "no-store");
        let made = data(&answer, StatusCode::CREATED);
        let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
        assert!(id.starts_with("key_") && key.starts_with("mem_live_"), "{id}");
        let expected = json!({ "id": id, "name": "Default Key", "key": key, "scopes": ["read", "write"], "expires_at": null });
        assert_eq!(made, expected);
        assert_eq!(reads(&server, key).await, StatusCode::OK);

        let keys = list(&server, admin).await;
        let shown = keys.iter().find(|shown| shown["id"] == id).unwrap();
        assert!(is_time(&shown["created_at"]), "{shown}");
        assert_eq!(
            *shown,
            json!({
                "id": id,
                "name": "Default Key",
                "key_prefix": format!("{}...", &key[..15]),
                "environment": "live",
                "scopes": ["read", "write"],
                "is_active": true,
                "created_at": shown["created_at"],
                "last_used_at": null,
            })
        );
        assert!(!Value::from(keys).to_string().contains(key));
    }
}

#[tokio::test]
async fn a_key_has_the_requested_fields() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let wanted = json!({ "name": "CI/CD Key", "environment": "test", "scopes": ["delete", "admin"], "expires_in_days": 90 });
    let answer = call(&server, server.key("admin_key"), Method::POST, KEYS, &wanted).await;
    let made = data(&answer, StatusCode::CREATED);
    assert!(made["key"].as_str().unwrap().starts_with("mem_test_") && is_time(&made["expires_at"]), "{made}");
    assert_eq!((&made["name"], &made["scopes"]), (&json!("CI/CD Key"), &json!(["delete", "admin"])));
    let keys = list(&server, server.key("admin_key")).await;
    let shown = keys.iter().find(|shown| shown["id"] == made["id"]).unwrap();
    assert_eq!((&shown["environment"], &shown["is_active"]), (&json!("test"), &json!(true)));
}

#[tokio::test]
async fn a_key_expires_as_many_days_later_as_was_asked_for() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let admin = server.key("admin_key");
    for (days, most) in [(1, 1), (30, 30), (36_500, 36_500)] {
        let answer = call(&server, admin, Method::POST, KEYS, &json!({ "expires_in_days": days })).await;
        let made = data(&answer, StatusCode::CREATED);
        let keys = list(&server, admin).await;
        let shown = keys.iter().find(|shown| shown["id"] == made["id"]).unwrap();
        let day = |time: &Value| Day::from(time.as_str().unwrap().parse::<Timestamp>().unwrap());
        let between = day(&made["expires_at"]).unix_days() - day(&shown["created_at"]).unix_days();
        assert_eq!(between, most, "{made}");
    }
}

#[tokio::test]
async fn a_revoked_key_is_listed_and_not_active() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let admin = server.key("admin_key");
    let key = create(&server, admin, &json!({ "name": "Old" })).await;
    data(&revoke(&server, admin, &key.id).await, StatusCode::OK);
    assert_eq!(reads(&server, &key.text).await, StatusCode::UNAUTHORIZED);
    let keys = list(&server, admin).await;
    let active = |id: &str| keys.iter().find(|key| key["id"] == id).unwrap()["is_active"].clone();
    assert_eq!((active(&key.id), active("key_memory_api_admin")), (json!(false), json!(true)));
}

#[tokio::test]
async fn a_live_key_manages_all_keys_and_a_test_key_knows_no_live_one() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let admin = server.key("admin_key");
    let tester = create(&server, admin, &json!({ "environment": "test", "scopes": ["admin"] })).await;
    assert_eq!(list(&server, admin).await.len(), 3);
    let known = list(&server, &tester.text).await;
    assert!(known.len() == 2 && known.iter().all(|key| key["environment"] == "test"), "{known:?}");

    let rejected = revoke(&server, &tester.text, "key_memory_api_admin").await;
    assert_rejected(&rejected, StatusCode::NOT_FOUND, "API_KEY_NOT_FOUND");
    // The default is live.
    for wanted in [json!({ "environment": "live" }), json!({ "environment": null }), json!({})] {
        let live = call(&server, &tester.text, Method::POST, KEYS, &wanted).await;
        let details = assert_rejected(&live, StatusCode::FORBIDDEN, "INSUFFICIENT_PERMISSIONS");
        let message = "must be test, the caller's environment";
        let errors = json!([{ "field": "environment", "message": message }]);
        assert_eq!(details, json!({ "field": "environment", "errors": errors }));
    }
    assert_eq!(list(&server, admin).await.len(), 3);
    let made = create(&server, &tester.text, &json!({ "environment": "test" })).await;
    assert!(made.text.starts_with("mem_test_"));

    data(&revoke(&server, admin, &tester.id).await, StatusCode::OK);
    assert_eq!(reads(&server, &tester.text).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_key_that_cannot_be_is_not_made() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let admin = server.key("admin_key");
    let before = list(&server, admin).await;
    for (field, body) in [
        ("body", String::new()),
        ("body", "{".to_owned()),
        ("body", "name=Analytics".to_owned()),
        ("body", "[]".to_owned()),
        ("body", "null".to_owned()),
        ("body", "{} {}".to_owned()),
        ("body", r#"{"scopes": ["read"], "scopes": ["admin"]}"#.to_owned()),
        ("body", r#"{"name": "a", "other": 1, "other": 2}"#.to_owned()),
        ("body", json!({ "owner": "other" }).to_string()),
        ("body", json!({ "key": "mem_live_mine" }).to_string()),
        ("name", json!({ "name": 7 }).to_string()),
        ("name", json!({ "name": "" }).to_string()),
        ("name", json!({ "name": "x".repeat(256) }).to_string()),
        ("name", json!({ "name": "a\nb" }).to_string()),
        ("environment", json!({ "environment": "staging" }).to_string()),
        ("environment", json!({ "environment": ["live"] }).to_string()),
        ("scopes", json!({ "scopes": [] }).to_string()),
        ("scopes", json!({ "scopes": "read" }).to_string()),
        ("scopes", json!({ "scopes": ["read", 7] }).to_string()),
        ("scopes", json!({ "scopes": ["read", "fly"] }).to_string()),
        ("scopes", json!({ "scopes": ["*"] }).to_string()),
        ("scopes", json!({ "scopes": ["read write"] }).to_string()),
        ("expires_in_days", json!({ "expires_in_days": 0 }).to_string()),
        ("expires_in_days", json!({ "expires_in_days": -1 }).to_string()),
        ("expires_in_days", json!({ "expires_in_days": 1.5 }).to_string()),
        ("expires_in_days", json!({ "expires_in_days": "30" }).to_string()),
        ("expires_in_days", json!({ "expires_in_days": 36_501 }).to_string()),
        ("expires_in_days", json!({ "expires_in_days": u64::MAX }).to_string()),
    ] {
        assert_invalid(&ask(Method::POST, &server.url(KEYS), Some(admin), &body).await, field);
    }
    let large = json!({ "name": "x".repeat(300_000) });
    let answer = call(&server, admin, Method::POST, KEYS, &large).await;
    assert_rejected(&answer, StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE");
    for query in ["?after=%27%20", "?after=", "?owner=other", "?after=a&after=b"] {
        let answer = call(&server, admin, Method::GET, &format!("{KEYS}{query}"), &Value::Null).await;
        assert_invalid(&answer, "after");
    }
    assert_eq!(list(&server, admin).await, before);
}

#[tokio::test]
async fn the_keys_of_another_organization_are_not_found() {
    let folder = tempdir().unwrap();
    let other = foreign::add(folder.path(), "mem", Environment::Live, "admin").await;
    let server = Server::start("memory_api", folder.path()).await;
    let admin = server.key("admin_key");
    assert!(list(&server, admin).await.iter().all(|key| key["id"] != "other"));
    for id in ["other", "key_unknown", "key_abc123", "%FF", "'--"] {
        assert_rejected(&revoke(&server, admin, id).await, StatusCode::NOT_FOUND, "API_KEY_NOT_FOUND");
    }
    assert_eq!(reads(&server, &other).await, StatusCode::OK);
    assert_rejected(
        &revoke(&server, &other, "key_memory_api_test").await,
        StatusCode::NOT_FOUND,
        "API_KEY_NOT_FOUND",
    );
    assert_eq!(list(&server, &other).await.len(), 1);
}

#[tokio::test]
async fn a_list_goes_on_behind_a_key() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let admin = server.key("admin_key");
    let all = list(&server, admin).await;
    let after = format!("{KEYS}?after={}", all[0]["id"].as_str().unwrap());
    let rest = call(&server, admin, Method::GET, &after, &Value::Null).await;
    assert_eq!(data(&rest, StatusCode::OK), json!(all[1..]));
}

#[tokio::test]
async fn a_scope_that_is_asked_for_twice_is_granted_once() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let admin = server.key("admin_key");
    let wanted = json!({ "scopes": ["write", "read", "write", "read"] });
    let made = data(&call(&server, admin, Method::POST, KEYS, &wanted).await, StatusCode::CREATED);
    assert_eq!(made["scopes"], json!(["write", "read"]));
    let keys = list(&server, admin).await;
    let shown = keys.iter().find(|shown| shown["id"] == made["id"]).unwrap();
    assert_eq!(shown["scopes"], made["scopes"]);
}
