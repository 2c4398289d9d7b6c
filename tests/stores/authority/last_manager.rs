//! Changes that would end the last key by which an owner can manage its keys.

use http::StatusCode;
use serde_json::json;

use crate::authority::console::Console;
use crate::authority::stores::Store;
use crate::authority::world::{World, settings};

pub(crate) async fn the_last_manager_is_judged_when_the_body_has_arrived<S: Store>(world: World<S>) {
    let (one, other) = (world.grant("acme", "keys").await, world.grant("acme", "keys").await);
    let less = json!({ "scopes": [] });
    let held = world.hold(&one, "PATCH", &one.path(), &less).await;
    // It ends itself, as the other key is a manager as well.
    let ended = world.ask(&other, "DELETE", &other.path(), &json!({})).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT, "{}", ended.text);
    let before = world.snapshot().await;
    let answer = held.finish().await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text);
    assert!(answer.text.contains("force=true"), "{}", answer.text);
    assert_eq!(world.snapshot().await, before);
    let forced = format!("{}?force=true", one.path());
    assert_eq!(world.ask(&one, "PATCH", &forced, &less).await.status, StatusCode::OK);
}

pub(crate) async fn a_caller_that_the_store_cannot_check_ends_every_manager<S: Store>(world: World<S>) {
    let settings = settings().external_callers();
    let console = Console::serve(world.manager.clone(), world.authenticator.clone(), settings).await;
    let own = world.grant("acme", "keys").await;
    let answer = console.ask(&own.bearer(), "DELETE", &own.path(), "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{}", answer.text);
}
