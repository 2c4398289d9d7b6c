//! Sign-up.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::tempdir;
use tower_api_key::backend::{Backend, KeyFilter, KeyStore, OwnerChange, OwnerStore};
use tower_api_key::record::Revocation;
use tower_api_key::{KeyId, Owner, SqliteStore, Timestamp};

use super::{assert_invalid, assert_rejected, call, create, data, list, sign_up};
use crate::client::ask;
use crate::curl::{curl, has_no_curl};
use crate::server::Server;

#[tokio::test]
async fn a_sign_up_creates_an_organization_and_its_first_key() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let body = r#"{"name": "My Company", "email": "You@example.com"}"#;
    let answer = ask(Method::POST, &server.url("/v1/signup"), None, body).await;
    let made = data(&answer, StatusCode::CREATED);
    assert_eq!(answer.headers["cache-control"], "no-store");
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert!(id.starts_with("key_") && key.starts_with("mem_live_"), "{id}");
    assert_eq!(made, json!({ "id": id, "key": key, "name": "Default Key" }));

    // It has all rights for the organization's own keys.
    let keys = list(&server, key).await;
    assert_eq!((keys.len(), &keys[0]["id"], &keys[0]["scopes"]), (1, &json!(id), &json!(["admin"])));
    create(&server, key, &json!({ "environment": "test" })).await;
    assert_eq!(list(&server, server.key("admin_key")).await.len(), 2);

    let (id, end) = (KeyId::new(id).unwrap(), server.end().await);
    assert!(end.status.success(), "{}", end.stderr);
    let store =
        SqliteStore::open(&format!("sqlite:{}", folder.path().join("keys.db").display())).await.unwrap();
    let record = store.get(&id).await.unwrap().unwrap();
    let you = store.find_user("you@example.com").await.unwrap().unwrap();
    let Owner::Organization(organization) = record.owner else { panic!("{:?}", record.owner) };
    assert!(organization.id.starts_with("org_"), "{}", organization.id);
    assert_eq!(you.memberships[0].organization, organization);
    assert_eq!(store.organization(&organization.id).await.unwrap(), Some(organization));
    assert_eq!(record.metadata["organization"], "My Company");
}

#[tokio::test]
async fn the_address_of_a_deleted_person_cannot_sign_up_until_purged() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    sign_up(&server, "My Company", "you@example.com").await;
    let url = format!("sqlite:{}", folder.path().join("keys.db").display());
    let store = SqliteStore::open(&url).await.unwrap();
    let left = Revocation::new(Timestamp::from_unix_millis(0), "left");
    store.change_owner(OwnerChange::delete_user("you@example.com", left)).await.unwrap();

    let body = r#"{"name": "Another", "email": "you@example.com"}"#;
    let refused = ask(Method::POST, &server.url("/v1/signup"), None, body).await;
    assert_rejected(&refused, StatusCode::CONFLICT, "CONFLICT");
    store.change_owner(OwnerChange::purge_owner(&Owner::user("you@example.com", []))).await.unwrap();
    sign_up(&server, "Another", "you@example.com").await;
    store.close().await;
}

#[tokio::test]
async fn the_documented_command_signs_up_with_any_content_type() {
    if has_no_curl() {
        return;
    }
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let json = "-H \"Content-Type: application/json\"";
    for (path, header) in [
        ("/signup", json),
        ("/v1/signup", json),
        ("/v1/signup", "-H \"Content-Type: text/plain\""),
        ("/v1/signup", ""),
    ] {
        let url = server.url(path);
        let (status, body) = curl(&format!(
            "curl -X POST {url} {header} \\\n  -d '{{\n    \"name\": \"My Company\",\n    \"email\": \"you@example.com\"\n  }}'"
        ))
        .await;
        assert_eq!((status, &body["data"]["name"]), (201, &json!("Default Key")), "{body}");
    }
}

#[tokio::test]
async fn two_sign_ups_are_isolated_from_each_other() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let one = sign_up(&server, "My Company", "you@example.com").await;
    // Another organization of the same name, by the same person.
    let two = sign_up(&server, "My Company", "you@example.com").await;
    let memory = json!({ "text": "The user likes pizza" });
    let made = call(&server, &one.text, Method::POST, "/v1/memories", &memory).await;
    let id = data(&made, StatusCode::CREATED)["id"].as_str().unwrap().to_owned();

    let seen = call(&server, &two.text, Method::GET, "/v1/memories", &Value::Null).await;
    assert_eq!(data(&seen, StatusCode::OK), json!([]));
    let path = format!("/v1/memories/{id}");
    let seen = call(&server, &two.text, Method::GET, &path, &Value::Null).await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
    let keys = list(&server, &two.text).await;
    assert_eq!((keys.len(), &keys[0]["id"]), (1, &json!(two.id)));
}

#[tokio::test]
async fn invalid_input_signs_up_no_person() {
    let folder = tempdir().unwrap();
    let server = Server::start("memory_api", folder.path()).await;
    let with = |field: &str, value: Value| {
        let mut body = json!({ "name": "My Company", "email": "you@example.com" });
        body[field] = value;
        body.to_string()
    };
    for (field, body) in [
        ("body", String::new()),
        ("body", "{".to_owned()),
        ("body", "[]".to_owned()),
        ("body", "name=My+Company&email=you@example.com".to_owned()),
        ("body", with("role", json!("admin"))),
        ("name", json!({ "email": "you@example.com" }).to_string()),
        ("name", with("name", Value::Null)),
        ("name", with("name", json!(7))),
        ("name", with("name", json!(""))),
        ("name", with("name", json!("x".repeat(256)))),
        ("name", with("name", json!("My\u{0}Company"))),
        ("email", json!({ "name": "My Company" }).to_string()),
        ("email", with("email", json!(["you@example.com"]))),
        ("email", with("email", json!(""))),
        ("email", with("email", json!("you"))),
        ("email", with("email", json!("@example.com"))),
        ("email", with("email", json!("you@"))),
        ("email", with("email", json!("you and me@example.com"))),
        ("email", with("email", json!("x".repeat(250) + "@example.com"))),
    ] {
        let answer = ask(Method::POST, &server.url("/v1/signup"), None, &body).await;
        assert_invalid(&answer, field);
    }
    server.end().await;
    let store =
        SqliteStore::open(&format!("sqlite:{}", folder.path().join("keys.db").display())).await.unwrap();
    assert_eq!(store.list(&KeyFilter::all(), None, 10).await.unwrap().len(), 2);
    assert_eq!(store.find_user("you@example.com").await.unwrap(), None);
}
