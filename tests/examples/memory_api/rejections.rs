//! A code for each reason.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::time::timeout;
use tower_api_key::backend::{Backend, KeyChange, KeyStore, KeyUpdate, OwnerChange, OwnerStore};
use tower_api_key::owner::Organization;
use tower_api_key::{Environment, KeyFormat, KeyId, SqliteStore, Timestamp};

use super::{KEYS, assert_rejected, call, create, data, sign_up};
use crate::client::{Answer, ask, get};
use crate::server::Server;

/// Opens the store of a running example, as another process does.
async fn store(folder: &std::path::Path) -> SqliteStore {
    SqliteStore::open(&format!("sqlite:{}", folder.join("keys.db").display())).await.unwrap()
}

/// Repeats a request until the response has this status: a change takes some time to reach another process.
#[allow(clippy::disallowed_methods, reason = "another process goes by this time")]
async fn at_last(server: &Server, key: &str, status: StatusCode) -> Answer {
    let asking = async {
        loop {
            let answer = call(server, key, Method::GET, "/v1/memories", &Value::Null).await;
            if answer.status == status {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(60), asking).await.expect("the status in time")
}

#[tokio::test]
async fn each_invalid_key_gets_the_code_of_its_reason() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let (url, good) = (server.url("/v1/memories"), server.key("admin_key"));
    let minted = |prefix: &str, environment| {
        let key = KeyFormat::new(prefix).unwrap().mint(environment).unwrap();
        key.reveal().as_str().to_owned()
    };
    for (what, key, code) in [
        ("empty", "", "INVALID_API_KEY_FORMAT"),
        ("as it stands in the document", "mem_live_abc123...", "INVALID_API_KEY_FORMAT"),
        ("not of the format", "unknown", "INVALID_API_KEY_FORMAT"),
        ("with a typing error", &good[..good.len() - 1], "INVALID_API_KEY_FORMAT"),
        ("of another service", &minted("sk", Environment::Live), "INVALID_API_KEY_FORMAT"),
        ("two in one line", &format!("{good}, {good}"), "INVALID_API_KEY_FORMAT"),
        ("too long", &"x".repeat(5000), "INVALID_API_KEY_FORMAT"),
        ("unknown", &minted("mem", Environment::Live), "INVALID_API_KEY"),
        ("unknown, test", &minted("mem", Environment::Test), "INVALID_API_KEY"),
    ] {
        for answer in [get(&url, Some(key)).await, ask(Method::POST, &url, Some(key), "{").await] {
            assert_rejected(&answer, StatusCode::UNAUTHORIZED, code);
            assert!(answer.headers.contains_key("www-authenticate"), "{what}");
            assert_eq!(answer.headers["cache-control"], "no-store", "{what}");
        }
    }
    assert_rejected(&get(&url, None).await, StatusCode::UNAUTHORIZED, "MISSING_API_KEY");
    assert_eq!(data(&get(&url, Some(good)).await, StatusCode::OK), json!([]));
}

#[tokio::test]
async fn a_revoked_key_is_disabled_from_the_next_request_on() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let admin = server.key("admin_key");
    let key = create(&server, admin, &json!({})).await;
    let url = server.url("/v1/memories");
    assert_eq!(get(&url, Some(&key.text)).await.status, StatusCode::OK);
    for _ in 0..2 {
        let path = format!("/v1/account/api-keys/{}", key.id);
        let revoked = call(&server, admin, Method::DELETE, &path, &Value::Null).await;
        assert_eq!(data(&revoked, StatusCode::OK), json!({ "id": key.id, "is_active": false }));
        assert_rejected(&get(&url, Some(&key.text)).await, StatusCode::UNAUTHORIZED, "API_KEY_DISABLED");
    }
}

#[tokio::test]
async fn an_expired_key_gets_its_code() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let key = create(&server, server.key("admin_key"), &json!({ "expires_in_days": 1 })).await;
    at_last(&server, &key.text, StatusCode::OK).await;

    let store = store(folder.path()).await;
    let mut end = KeyUpdate::default();
    end.expires_at = Some(Some(Timestamp::from_unix_millis(0)));
    store.change(KeyChange::update(&KeyId::new(&key.id).unwrap(), end)).await.unwrap();
    store.close().await;
    let answer = at_last(&server, &key.text, StatusCode::UNAUTHORIZED).await;
    assert_rejected(&answer, StatusCode::UNAUTHORIZED, "API_KEY_EXPIRED");
}

#[tokio::test]
async fn all_keys_of_a_disabled_organization_are_rejected_and_work_again_when_it_is_not() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let (first, other) = (
        sign_up(&server, "My Company", "you@example.com").await,
        sign_up(&server, "Others", "they@example.com").await,
    );
    let second = create(&server, &first.text, &json!({ "environment": "test" })).await;

    let store = store(folder.path()).await;
    let you = store.find_user("you@example.com").await.unwrap().unwrap();
    let own = &you.memberships[0].organization;
    let mut disabled = Organization::new(own.id.clone());
    disabled.disabled = true;
    store.change_owner(OwnerChange::put_organization(disabled)).await.unwrap();
    for key in [&first.text, &second.text] {
        let answer = at_last(&server, key, StatusCode::FORBIDDEN).await;
        assert_rejected(&answer, StatusCode::FORBIDDEN, "ORGANIZATION_DISABLED");
    }
    at_last(&server, &other.text, StatusCode::OK).await;

    store.change_owner(OwnerChange::put_organization(Organization::new(own.id.clone()))).await.unwrap();
    at_last(&server, &first.text, StatusCode::OK).await;
    store.close().await;
}

#[tokio::test]
async fn an_outage_of_the_store_is_no_bad_key() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let (admin, test) = (server.key("admin_key"), server.key("test_key"));
    assert_eq!(call(&server, admin, Method::GET, KEYS, &Value::Null).await.status, StatusCode::OK);

    let url = format!("sqlite:{}", folder.path().join("keys.db").display());
    let database = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("ALTER TABLE tower_api_key RENAME TO hidden").execute(&database).await.unwrap();
    let body = r#"{"name": "My Company", "email": "you@example.com"}"#;
    for (method, path, key) in [
        // A key that is not cached yet, a cached key with data that is not, and no key.
        (Method::GET, "/v1/memories", Some(test)),
        (Method::GET, KEYS, Some(admin)),
        (Method::POST, KEYS, Some(admin)),
        (Method::POST, "/v1/signup", None),
    ] {
        let body = if path == "/v1/signup" { body } else { "{}" };
        let answer = ask(method, &server.url(path), key, body).await;
        assert_rejected(&answer, StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE");
        assert_eq!(answer.headers["retry-after"], "1", "{path}");
    }
    sqlx::query("ALTER TABLE hidden RENAME TO tower_api_key").execute(&database).await.unwrap();
    database.close().await;
    at_last(&server, test, StatusCode::OK).await;
}
