//! Disabling and enabling keys over HTTP.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::manage::world::{Answer, Customer, START, World};

async fn post(world: &World, caller: &Customer, key: &Customer, action: &str, body: &str) -> Answer {
    world.ask(caller, Method::POST, &format!("/admin/keys/{}/{action}", key.record.id), body).await
}

#[tokio::test]
async fn a_key_is_disabled_and_enabled() {
    let world = World::new();
    let (admin, key) = (world.admin().await, world.customer("acme", "notes.read").await);
    assert!(world.admits(&key.text).await);
    for reason in ["unusual traffic", "again"] {
        let body = json!({ "reason": reason }).to_string();
        let disabled = post(&world, &admin, &key, "disable", &body).await;
        assert_eq!(disabled.status, StatusCode::OK);
        assert_eq!(disabled.headers["cache-control"], "no-store");
        assert!(!disabled.headers.contains_key("revocation-reached"));
        // The first reason stays.
        let shown = ["state", "disabled_at", "disabled_reason"].map(|field| &disabled.body[field]);
        assert_eq!(shown, [&json!("disabled"), &json!(START.to_string()), &json!("unusual traffic")]);
        assert!(!world.admits(&key.text).await);
    }
    for _ in 0..2 {
        let enabled = post(&world, &admin, &key, "enable", "").await;
        assert_eq!(enabled.status, StatusCode::OK);
        let shown = ["state", "disabled_at", "disabled_reason"].map(|field| &enabled.body[field]);
        assert_eq!(shown, [&json!("active"), &Value::Null, &Value::Null]);
        assert!(world.admits(&key.text).await);
    }
}

/// The answer to a disabled key is that to an unknown one, byte for byte.
#[tokio::test]
async fn a_disabled_key_gets_the_answer_of_an_unknown_one() {
    let world = World::new();
    let (admin, key) = (world.admin().await, world.customer("acme", "notes.read").await);
    post(&world, &admin, &key, "disable", "").await;
    let [disabled, unknown] = [key.text.as_str(), "demo_live_unknown"];
    for path in ["/whoami", "/admin/keys"] {
        let disabled = world.ask_with(disabled, Method::GET, path, "").await;
        let unknown = world.ask_with(unknown, Method::GET, path, "").await;
        assert_eq!(
            (disabled.status, disabled.headers, disabled.body),
            (unknown.status, unknown.headers, unknown.body)
        );
    }
}

#[tokio::test]
async fn a_key_whose_state_does_not_permit_the_change_is_a_conflict() {
    let world = World::new();
    let (admin, key) = (world.admin().await, world.customer("acme", "notes.read").await);
    post(&world, &admin, &key, "disable", "").await;
    let rotated = post(&world, &admin, &key, "rotate", "").await;
    assert_eq!(rotated.status, StatusCode::CONFLICT);
    world.manager.revoke(&key.record.id, "").await.unwrap();
    for action in ["disable", "enable"] {
        assert_eq!(post(&world, &admin, &key, action, "").await.status, StatusCode::CONFLICT, "{action}");
    }

    let end = START.saturating_add(Duration::from_secs(60));
    let body = json!({ "scopes": ["notes.read"], "expires_at": end.to_string() });
    let made = world.ask(&admin, Method::POST, "/admin/keys", &body.to_string()).await;
    let path = format!("/admin/keys/{}", made.body["id"].as_str().unwrap());
    world.passes(Duration::from_secs(60));
    let disabled = world.ask(&admin, Method::POST, &format!("{path}/disable"), "").await;
    assert_eq!((disabled.status, &disabled.body["state"]), (StatusCode::OK, &json!("expired")));
    let enabled = world.ask(&admin, Method::POST, &format!("{path}/enable"), "").await;
    assert_eq!(enabled.status, StatusCode::CONFLICT);
    // An expiry that is postponed does not enable the key.
    let extended = world.ask(&admin, Method::PATCH, &path, r#"{ "expires_at": null }"#).await;
    assert_eq!((extended.status, &extended.body["state"]), (StatusCode::OK, &json!("disabled")));
    let enabled = world.ask(&admin, Method::POST, &format!("{path}/enable"), "").await;
    assert_eq!((enabled.status, &enabled.body["state"]), (StatusCode::OK, &json!("active")));
}

#[tokio::test]
async fn a_customer_cannot_enable_what_the_service_disabled() {
    let world = World::new();
    let (admin, key) = (world.admin().await, world.customer("acme", "notes.read").await);
    post(&world, &admin, &key, "disable", "").await;
    world.manager.disable(&key.record.id, "unusual traffic").await.unwrap();
    let refused = post(&world, &admin, &key, "enable", "").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
    let error = &refused.body["errors"][0];
    assert_eq!(error["field"], "state");
    assert!(error["detail"].as_str().unwrap().contains("only the service can enable it"), "{error}");
    assert!(!world.admits(&key.text).await);
    let path = format!("/admin/keys/{}", key.record.id);
    let renamed = world.ask(&admin, Method::PATCH, &path, r#"{"name":"x"}"#).await;
    assert_eq!(renamed.body["disabled_reason"], "unusual traffic");
    world.manager.enable(&key.record.id).await.unwrap();
    assert!(world.admits(&key.text).await);
}

/// A key that disables itself has answered its last request.
#[tokio::test]
async fn a_caller_may_disable_its_own_key_and_not_enable_it() {
    let world = World::new();
    let (admin, other) = (world.admin().await, world.admin().await);
    assert_eq!(post(&world, &admin, &admin, "disable", "").await.status, StatusCode::OK);
    assert_eq!(post(&world, &admin, &admin, "enable", "").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(post(&world, &other, &admin, "enable", "").await.status, StatusCode::OK);
    assert!(world.admits(&admin.text).await);
}

#[tokio::test]
async fn another_tenant_and_a_weaker_caller_change_nothing() {
    let world = World::new();
    let key = world.customer("acme", "notes.read").await;
    let outsider = world.customer("other", "*").await;
    let weak = world.customer("acme", "keys.write").await;
    for (caller, status) in [(&outsider, StatusCode::NOT_FOUND), (&weak, StatusCode::FORBIDDEN)] {
        for action in ["disable", "enable"] {
            let answer = post(&world, caller, &key, action, "").await;
            assert_eq!(answer.status, status, "{action}: {}", answer.body);
        }
    }
    let unknown = world.ask(&outsider, Method::POST, "/admin/keys/key_unknown/disable", "").await;
    assert_eq!(unknown.body, post(&world, &outsider, &key, "disable", "").await.body);
    assert!(world.admits(&key.text).await);
}

#[tokio::test]
async fn a_reason_is_checked() {
    let world = World::new();
    let (admin, key) = (world.admin().await, world.customer("acme", "notes.read").await);
    for body in [json!({ "reason": "x".repeat(256) }), json!({ "reason": 7 }), json!({ "because": "" })] {
        let answer = post(&world, &admin, &key, "disable", &body.to_string()).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {}", answer.body);
    }
    let answer = post(&world, &admin, &key, "disable?reason=x", "").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.body);
    assert!(world.admits(&key.text).await);
}

#[tokio::test]
async fn an_answer_says_how_far_a_disabling_has_got() {
    let world = World::new();
    let (admin, key) = (world.admin().await, world.customer("acme", "notes.read").await);
    for (query, reached) in [("wait=fleet", "this-process"), ("until=lease", "lease-end")] {
        let answer = post(&world, &admin, &key, &format!("disable?{query}"), "").await;
        assert_eq!((answer.status, &answer.body["state"]), (StatusCode::OK, &json!("disabled")), "{query}");
        assert_eq!(answer.headers["revocation-reached"], reached, "{query}");
    }
}
