//! Keys that look at, rotate and end themselves.

use http::{Method, StatusCode};
use serde_json::json;
use tower_api_key::KeyId;
use tower_api_key::manage::ManageSettings;
use tower_api_key::record::KeyState;

use crate::manage::world::{START, World};

fn world() -> World {
    World::with_settings(ManageSettings::self_routes)
}

#[tokio::test]
async fn a_key_without_scopes_shows_rotates_and_ends_itself() {
    let world = world();
    let key = world.customer("acme", "").await;
    let by_id = format!("/admin/keys/{}", key.record.id);
    for (method, path) in [
        (Method::GET, by_id.clone()),
        (Method::DELETE, by_id.clone()),
        (Method::POST, format!("{by_id}/rotate")),
        (Method::GET, "/admin/keys/self/usage".to_owned()),
    ] {
        assert_eq!(world.ask(&key, method, &path, "").await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let shown = world.ask(&key, Method::GET, "/admin/keys/self", "").await;
    assert_eq!((shown.status, &shown.body["id"]), (StatusCode::OK, &json!(key.record.id.as_str())));
    assert!(shown.body.get("key").is_none());

    let body = r#"{"grace_seconds":60}"#;
    let rotated = world.ask(&key, Method::POST, "/admin/keys/self/rotate", body).await;
    assert_eq!((rotated.status, &rotated.body["rotated_from"]), (StatusCode::CREATED, &shown.body["id"]));
    assert_eq!(
        (&rotated.body["scopes"], &rotated.body["owner"]),
        (&shown.body["scopes"], &shown.body["owner"])
    );
    let successor = rotated.body["key"].as_str().unwrap();
    assert!(world.admits(&key.text).await && world.admits(successor).await);
    // A key is replaced once.
    let again = world.ask(&key, Method::POST, "/admin/keys/self/rotate", "").await;
    assert_eq!(again.status, StatusCode::CONFLICT);

    let ended = world.ask_with(successor, Method::DELETE, "/admin/keys/self?reason=done", "").await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert!(!world.admits(successor).await);
    let id = KeyId::new(rotated.body["id"].as_str().unwrap()).unwrap();
    let record = world.manager.get(&id).await.unwrap();
    assert_eq!((record.state(START), &*record.revoked.unwrap().reason), (KeyState::Revoked, "done"));
    assert!(world.admits(&key.text).await, "the other key is not touched");
}

#[tokio::test]
async fn the_routes_of_a_caller_exist_only_where_they_are_enabled() {
    let world = World::new();
    let (key, admin) = (world.customer("acme", "").await, world.admin().await);
    let before = world.all().await;
    for (method, path) in
        [(Method::GET, "/keys/self"), (Method::DELETE, "/keys/self"), (Method::POST, "/keys/self/rotate")]
    {
        for (caller, status) in [(&key, StatusCode::FORBIDDEN), (&admin, StatusCode::NOT_FOUND)] {
            let answer = world.ask(caller, method.clone(), &format!("/admin{path}"), "").await;
            assert_eq!(answer.status, status, "{method} {path}");
        }
    }
    assert_eq!(world.all().await, before);
}

#[tokio::test]
async fn the_routes_of_a_caller_permit_what_the_routes_of_its_id_do() {
    let world = world();
    let admin = world.admin().await;
    let before = world.all().await;
    for (method, path, body, status) in [
        (Method::DELETE, "", "", StatusCode::CONFLICT),
        (Method::DELETE, "?why=a", "", StatusCode::BAD_REQUEST),
        (Method::POST, "/rotate", r#"{"name":"a"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (Method::POST, "/rotate", "[", StatusCode::BAD_REQUEST),
        // Nothing else can be done to a key of which no id is named.
        (Method::PATCH, "", r#"{"scopes":["*"]}"#, StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = world.ask(&admin, method.clone(), &format!("/admin/keys/self{path}"), body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.body);
        assert_eq!(world.all().await, before);
    }
    let foreign =
        [("authorization", format!("Bearer {}", admin.text)), ("sec-fetch-site", "cross-site".into())];
    let answer = world.send(&foreign, Method::DELETE, "/admin/keys/self?force=true", "").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let forced = world.ask(&admin, Method::DELETE, "/admin/keys/self?force=true&wait=fleet", "").await;
    assert_eq!(
        (forced.status, &forced.headers["revocation-reached"]),
        (StatusCode::NO_CONTENT, &"this-process".parse().unwrap())
    );
}

#[tokio::test]
async fn a_caller_without_a_key_of_the_store_has_none_of_its_own() {
    let world = World::with_settings(|settings| settings.self_routes().external_callers());
    let admin = world.admin().await;
    let before = world.all().await;
    for (method, path) in [(Method::GET, ""), (Method::DELETE, ""), (Method::POST, "/rotate")] {
        let answer = world.ask(&admin, method.clone(), &format!("/admin/keys/self{path}"), "").await;
        let detail = json!({ "detail": "The caller has no key of its own here" });
        assert_eq!((answer.status, answer.body), (StatusCode::NOT_FOUND, detail), "{method} {path}");
    }
    assert_eq!(world.all().await, before);
}
