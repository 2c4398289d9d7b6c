//! Rotations of the caller's own key, of keys that change concurrently, and with lost results.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_api_key::KeyId;
use tower_api_key::backend::{Grace, KeyChange, KeyUpdate};
use tower_api_key::manage::{ManageErrorKind, RotateOptions};
use tower_api_key::record::KeyState;

use crate::authority::stores::Store;
use crate::authority::world::{DAY, START, World, of, scopes};

pub(crate) async fn a_key_rotates_itself<S: Store>(world: World<S>) {
    for (body, goes_on) in [
        (json!({}), false),
        (json!({ "grace_seconds": 60 }), true),
        (json!({ "grace_seconds": 60, "grace_from_first_use": true }), true),
    ] {
        let own = world.grant("acme", "keys").await;
        let answer = world.ask(&own, "POST", &own.path_to_rotate(), &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{body}: {}", answer.text);
        assert_eq!(answer.body["rotated_from"], own.id().as_str());
        let successor = answer.body["key"].as_str().unwrap();
        assert_eq!(world.admits(&own.text).await, goes_on, "{body}");
        assert!(world.admits(successor).await, "{body}");
    }
}

pub(crate) async fn nothing_is_read_after_a_rotation_whose_answer_was_lost<S: Store>(world: World<S>) {
    let (admin, old) = (world.grant("acme", "keys").await, world.grant("acme", "").await);
    let rotate = async || world.ask(&admin, "POST", &old.path_to_rotate(), &json!({})).await.status;
    let reads = world.kept.reads();
    world.kept.lose_answers(true);
    assert_eq!(rotate().await, StatusCode::SERVICE_UNAVAILABLE);
    // The key was read before the rotation, and nothing after it.
    assert_eq!(world.kept.reads() - reads, 1);
    assert!(world.stored(old.id()).await.rotated_to.is_some());

    world.kept.lose_answers(false);
    let other = world.grant("acme", "").await;
    let reads = world.kept.reads();
    let answer = world.ask(&admin, "POST", &other.path_to_rotate(), &json!({})).await;
    assert_eq!((answer.status, world.kept.reads() - reads), (StatusCode::CREATED, 1));
}

pub(crate) async fn a_key_is_rotated_again_once_its_unseen_successor_has_ended<S: Store>(world: World<S>) {
    let life = 90 * DAY;
    let admin = world.grant("acme", "keys").await;
    let old = world.key(of("acme").expires_at(START.saturating_add(life))).await;
    world.clock.advance(DAY);
    let grace = Duration::from_secs(3_600);
    let body = json!({ "grace_seconds": grace.as_secs() });
    let rotate = async || world.ask(&admin, "POST", &old.path_to_rotate(), &body).await;

    world.kept.lose_answers(true);
    assert_eq!(rotate().await.status, StatusCode::SERVICE_UNAVAILABLE);
    world.kept.lose_answers(false);
    let cut = world.stored(old.id()).await;
    assert_eq!(cut.expires_at, Some(world.now().saturating_add(grace)));
    let before = world.snapshot().await;
    assert_eq!(rotate().await.status, StatusCode::CONFLICT, "its successor is in force");
    assert_eq!(world.snapshot().await, before);

    let unseen = cut.rotated_to.unwrap();
    let revoked = world.ask(&admin, "DELETE", &format!("/console/keys/{unseen}"), &json!({})).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    let again = rotate().await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.text);
    assert!(world.admits(again.body["key"].as_str().unwrap()).await);
    let stored = world.stored(old.id()).await;
    assert_eq!(stored.rotated_to.as_ref().map(KeyId::as_str), again.body["id"].as_str());
    assert_eq!(stored.expires_at, Some(world.now().saturating_add(grace)));
    // The grace shortens the lifetime of the old key, not that of its successor.
    let successor = world.stored(&stored.rotated_to.unwrap()).await;
    assert_eq!(successor.expires_at, Some(world.now().saturating_add(life)));
    assert_eq!(successor.state(world.now()), KeyState::Active);
}

pub(crate) async fn a_key_that_became_stronger_meanwhile_is_not_shown_to_a_weaker_caller<S: Store>(
    world: World<S>,
) {
    let caller = world.grant("acme", "keys console").await;
    let principal = world.admit(&caller).await;
    let delegate = world.manager.on_behalf_of(&principal);
    let rotation = || RotateOptions::new(Grace::None);
    let plain = world.grant("acme", "console").await;
    delegate.rotate(plain.id(), rotation()).await.unwrap();
    for is_late in [false, true] {
        let target = world.grant("acme", "console").await;
        let mut grant = KeyUpdate::default();
        grant.scopes = Some(scopes("*"));
        let grant = KeyChange::update(target.id(), grant);
        if is_late {
            world.kept.meddle_before_change(grant);
        } else {
            world.kept.meddle_after_get(grant);
        }
        let keys = world.keys().await.len();
        let rejected = delegate.rotate(target.id(), rotation()).await.unwrap_err();
        assert_eq!(rejected.kind(), ManageErrorKind::Forbidden, "{rejected}");
        assert_eq!(rejected.fields()[0].field, "scopes");
        let mut expected = target.record.clone();
        expected.scopes = scopes("*");
        assert_eq!(world.stored(target.id()).await, expected);
        assert_eq!(world.keys().await.len(), keys);
    }
}

pub(crate) async fn a_key_does_not_replace_the_one_that_it_was_replaced_by<S: Store>(world: World<S>) {
    let old = world.grant("acme", "keys").await;
    let from_first_use = json!({ "grace_from_first_use": true });
    let answer = world.ask(&old, "POST", &old.path_to_rotate(), &from_first_use).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    let before = world.keys().await;
    let path = format!("/console/keys/{}/rotate", answer.body["id"].as_str().unwrap());
    let rejected = world.ask(&old, "POST", &path, &json!({})).await;
    assert_eq!(rejected.status, StatusCode::FORBIDDEN, "{}", rejected.text);
    assert_eq!(world.keys().await, before);
}
