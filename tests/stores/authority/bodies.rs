//! Bodies that are late or large.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;

use crate::authority::console::Console;
use crate::authority::stores::Store;
use crate::authority::world::{World, settings};

pub(crate) async fn a_body_that_takes_too_long_is_answered_408_and_changes_nothing<S: Store>(
    world: World<S>,
) {
    let settings = settings().body_timeout(Duration::from_millis(50));
    let console = Console::serve(world.manager.clone(), world.authenticator.clone(), settings).await;
    let caller = world.grant("acme", "keys").await;
    let before = world.snapshot().await;
    let requests =
        [("POST", "/console/keys".to_owned()), ("PATCH", caller.path()), ("POST", caller.path_to_rotate())];
    for (method, path) in requests {
        let body = json!({ "name": "late" }).to_string();
        let answer = console.hold(&caller.bearer(), method, &path, &body).await.answer().await;
        assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT, "{method} {path}: {}", answer.text);
        assert!(answer.body["detail"].as_str().unwrap().contains("0.05 s"), "{}", answer.text);
    }
    assert_eq!(world.snapshot().await, before);
}

pub(crate) async fn a_body_that_is_too_large_is_answered_413_and_changes_nothing<S: Store>(world: World<S>) {
    let caller = world.grant("acme", "keys").await;
    let before = world.snapshot().await;
    let body = json!({ "name": "x".repeat(65_536) });
    let answer = world.ask(&caller, "POST", "/console/keys", &body).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{}", answer.text);
    assert_eq!(world.snapshot().await, before);
}
