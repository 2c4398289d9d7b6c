//! Keys that change themselves by the routes of the calling key.

use http::StatusCode;
use tower_api_key::backend::OwnerChange;

use crate::authority::console::Console;
use crate::authority::held::{Demotion, organization};
use crate::authority::stores::Store;
use crate::authority::world::{ANN, World, basic, bearer, settings};

pub(crate) async fn a_key_that_is_no_longer_in_force_does_not_rotate_itself<S: Store>(world: World<S>) {
    let console =
        Console::serve(world.manager.clone(), world.authenticator.clone(), settings().self_routes()).await;
    for (round, demotion) in Demotion::ALL.into_iter().enumerate() {
        let own = organization(&world, round).await;
        let caller = world.grant(&own, "").await;
        let held = console.hold(&caller.bearer(), "POST", "/console/keys/self/rotate", "{}").await;
        if matches!(demotion, Demotion::Rotated) {
            let rotated = console.ask(&caller.bearer(), "POST", "/console/keys/self/rotate", "").await;
            assert_eq!(rotated.status, StatusCode::CREATED, "{}", rotated.text);
        } else {
            demotion.befall(&world, &caller, &own).await;
        }
        let before = world.snapshot().await;
        let answer = held.finish().await;
        let status =
            if matches!(demotion, Demotion::Deleted) { StatusCode::NOT_FOUND } else { StatusCode::FORBIDDEN };
        assert_eq!(answer.status, status, "{demotion:?}: {}", answer.text);
        assert_eq!(world.snapshot().await, before, "{demotion:?}");
    }
}

pub(crate) async fn a_key_rotates_and_ends_itself_whatever_its_scopes<S: Store>(world: World<S>) {
    let console =
        Console::serve(world.manager.clone(), world.authenticator.clone(), settings().self_routes()).await;
    let caller = world.grant("acme", "").await;
    let held = console.hold(&caller.bearer(), "POST", "/console/keys/self/rotate", "{}").await;
    let answer = held.finish().await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    assert!(!world.admits(&caller.text).await);
    let successor = bearer(answer.body["key"].as_str().unwrap());
    assert_eq!(
        console.ask(&successor, "DELETE", "/console/keys/self", "").await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        console.ask(&successor, "GET", "/console/keys/self", "").await.status,
        StatusCode::UNAUTHORIZED
    );
}

pub(crate) async fn a_person_by_password_has_no_key_to_rotate_or_end<S: Store>(world: World<S>) {
    let console =
        Console::serve(world.manager.clone(), world.authenticator.clone(), settings().self_routes()).await;
    let password = world.passwords.hash("one").await.unwrap();
    world.store.change_owner(OwnerChange::put_user(ANN)).await.unwrap();
    world.store.change_owner(OwnerChange::set_password(ANN, Some(password))).await.unwrap();
    let before = world.snapshot().await;
    for (method, path) in [("GET", ""), ("DELETE", ""), ("POST", "/rotate")] {
        let answer = console.ask(&basic(ANN, "one"), method, &format!("/console/keys/self{path}"), "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}: {}", answer.text);
        assert_eq!(answer.body["detail"], "The caller has no key of its own here", "{method} {path}");
    }
    assert_eq!(world.snapshot().await, before);
}
