//! The last key by which an owner can manage its keys ends only by force.

use http::{Method, StatusCode};
use serde_json::json;
use tower_api_key::manage::NewKey;
use tower_api_key::owner::Organization;
use tower_api_key::{Environment, Owner, Scopes};

use crate::manage::world::World;

/// Requests that would end the last manager.
fn ends() -> [(Method, &'static str, &'static str); 4] {
    [
        (Method::DELETE, "", ""),
        (Method::PATCH, "", r#"{"scopes":["keys.read"]}"#),
        // In an hour.
        (Method::PATCH, "", r#"{"expires_at":"2027-01-15T09:00:00Z"}"#),
        (Method::POST, "/rotate", r#"{"expires_at":"2027-01-15T09:00:00Z"}"#),
    ]
}

#[tokio::test]
async fn a_change_that_would_end_the_last_manager_is_rejected_unless_it_is_forced() {
    for (method, route, body) in ends() {
        let world = World::new();
        let admin = world.admin().await;
        world.customer("acme", "keys.read").await;
        world.customer("other", "*").await;
        let before = world.all().await;
        let path = format!("/admin/keys/{}{route}", admin.record.id);
        for query in ["", "?force=false"] {
            let answer = world.ask(&admin, method.clone(), &format!("{path}{query}"), body).await;
            let detail =
                "This is the last key that can manage the keys of its owner: end it with `?force=true`";
            assert_eq!((answer.status, answer.body), (StatusCode::CONFLICT, json!({ "detail": detail })));
            assert_eq!(world.all().await, before);
        }
        for query in ["?force=yes", "?force=", "?force=true&force=true", "?forced=true"] {
            let answer = world.ask(&admin, method.clone(), &format!("{path}{query}"), body).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.body);
            assert_eq!(world.all().await, before);
        }
        let forced = world.ask(&admin, method.clone(), &format!("{path}?force=true"), body).await;
        assert!(forced.status.is_success(), "{method} {body}: {}", forced.body);
    }
}

#[tokio::test]
async fn a_manager_ends_while_another_one_remains() {
    for (method, route, body) in ends() {
        let world = World::new();
        let (one, other) = (world.admin().await, world.customer("acme", "keys.*").await);
        let path = |id| format!("/admin/keys/{id}{route}");
        let ended = world.ask(&one, method.clone(), &path(&one.record.id), body).await;
        assert!(ended.status.is_success(), "{method} {body}: {}", ended.body);
        let last = world.ask(&other, method.clone(), &path(&other.record.id), body).await;
        assert_eq!(last.status, StatusCode::CONFLICT, "{method} {body}: {}", last.body);
    }
}

#[tokio::test]
async fn keys_that_a_caller_cannot_see_are_no_managers_that_remain() {
    let world = World::new();
    let scopes = || Scopes::parse("keys.*").unwrap();
    let project = |id: &str| NewKey::new(Owner::project(Organization::new("acme"), id)).scopes(scopes());
    let test = NewKey::new(Owner::organization("acme")).environment(Environment::Test).scopes(scopes());
    let callers = [
        world.admin().await,
        world.key(test).await,
        world.key(project("a")).await,
        world.key(project("b")).await,
    ];
    for caller in callers {
        let path = format!("/admin/keys/{}", caller.record.id);
        assert_eq!(world.ask(&caller, Method::DELETE, &path, "").await.status, StatusCode::CONFLICT);
    }
}
