//! Changes of keys with more scopes than the caller.

use http::StatusCode;
use serde_json::json;
use tower_api_key::record::KeyState;

use crate::authority::console::Console;
use crate::authority::stores::Store;
use crate::authority::world::{DAY, START, World, of, scopes, settings, written};

pub(crate) async fn a_weaker_caller_does_not_change_a_stronger_key<S: Store>(world: World<S>) {
    let caller = world.grant("acme", "keys").await;
    let strong = world.key(of("acme").scopes(scopes("*")).expires_at(START.saturating_add(30 * DAY))).await;
    let before = world.snapshot().await;
    for body in [
        json!({ "scopes": [] }),
        json!({ "scopes": ["keys"] }),
        json!({ "labels": {} }),
        json!({ "name": "" }),
        json!({ "expires_at": written(START.saturating_add(DAY)) }),
        json!({ "expires_at": null }),
    ] {
        let answer = world.ask(&caller, "PATCH", &strong.path(), &body).await;
        assert_eq!((answer.status, answer.field()), (StatusCode::FORBIDDEN, "scopes"), "{body}");
    }
    let revoked = world.ask(&caller, "DELETE", &strong.path(), &json!({})).await;
    assert_eq!(revoked.status, StatusCode::FORBIDDEN);
    assert_eq!(world.snapshot().await, before);
    assert!(world.admits(&strong.text).await);
    // A key that it could have created is permitted.
    let weak = world.grant("acme", "keys").await;
    let changed = world.ask(&caller, "PATCH", &weak.path(), &json!({ "scopes": [] })).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    let revoked = world.ask(&caller, "DELETE", &weak.path(), &json!({})).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
}

pub(crate) async fn a_key_changes_and_revokes_itself<S: Store>(world: World<S>) {
    let own = world.grant("acme", "keys console").await;
    let body = json!({ "name": "mine", "labels": { "team": "sinks" } });
    let changed = world.ask(&own, "PATCH", &own.path(), &body).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    assert_eq!((&changed.body["name"], &changed.body["labels"]), (&body["name"], &body["labels"]));
    let less = world.ask(&own, "PATCH", &own.path(), &json!({ "scopes": ["keys"] })).await;
    assert_eq!(less.status, StatusCode::OK, "{}", less.text);
    let more = world.ask(&own, "PATCH", &own.path(), &json!({ "scopes": ["keys", "console"] })).await;
    assert_eq!((more.status, more.field()), (StatusCode::FORBIDDEN, "scopes"));
    let path = format!("{}?force=true", own.path());
    let revoked = world.ask(&own, "DELETE", &path, &json!({})).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert!(!world.admits(&own.text).await);
}

pub(crate) async fn where_it_is_allowed_a_weaker_caller_restricts_a_stronger_key<S: Store>(world: World<S>) {
    let manager = world.manager.clone().allow_stronger_keys();
    let console = Console::serve(manager, world.authenticator.clone(), settings()).await;
    let caller = world.grant("acme", "keys").await;
    let end = START.saturating_add(30 * DAY);
    let strong = world.key(of("acme").scopes(scopes("*")).expires_at(end)).await;
    let ask = async |method: &str, body: serde_json::Value| {
        let answer = console.ask(&caller.bearer(), method, &strong.path(), &body.to_string()).await;
        (answer.status, answer.field().to_owned())
    };
    let before = world.snapshot().await;
    let beyond = (StatusCode::FORBIDDEN, "scopes".to_owned());
    assert_eq!(ask("PATCH", json!({ "scopes": ["console"] })).await, beyond);
    assert_eq!(ask("PATCH", json!({ "scopes": ["*"] })).await, beyond);
    // Postponing the expiry requires the scopes.
    assert_eq!(ask("PATCH", json!({ "expires_at": null })).await, beyond);
    assert_eq!(world.snapshot().await, before);

    let fine = (StatusCode::OK, String::new());
    assert_eq!(ask("PATCH", json!({ "labels": { "team": "sinks" } })).await, fine);
    let earlier = written(START.saturating_add(DAY));
    assert_eq!(ask("PATCH", json!({ "expires_at": earlier })).await, fine);
    assert_eq!(ask("PATCH", json!({ "scopes": ["keys"] })).await, fine);
    assert_eq!(world.stored(strong.id()).await.scopes, scopes("keys"));

    let other = world.grant("acme", "*").await;
    let revoked = console.ask(&caller.bearer(), "DELETE", &other.path(), "").await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    assert_eq!(world.stored(other.id()).await.state(world.now()), KeyState::Revoked);
    // The text of a successor grants its scopes, so a rotation requires them in any case.
    let another = world.grant("acme", "*").await;
    let rotated = console.ask(&caller.bearer(), "POST", &another.path_to_rotate(), "").await;
    assert_eq!((rotated.status, rotated.field()), (StatusCode::FORBIDDEN, "scopes"));
}
