//! On PostgreSQL, two keys that revoke each other, so that each holds what the other one waits for.

use std::sync::Arc;

use tokio::task::JoinHandle;
use tower_api_key::KeyState;
use tower_api_key::backend::{BackendErrorKind, KeyStore};

use crate::cast::Who;
use crate::changes::Outcome;
use crate::mutual::Attack;
use crate::proxy::Which;
use crate::scene::{Held, Scene};
use crate::server::is_absent;
use crate::support::START;

/// The statement that keeps the actor as it is: the last one before the commit.
const SHARE: &str = "FOR SHARE OF tower_api_key";

/// Has the first key of the organization or the second one go for the other, up to where it waits for it.
async fn begin(scene: &Scene, by: &Held, first: bool) -> JoinHandle<Outcome> {
    by.proxy.hold(Which::With(SHARE));
    let (cast, store) = (Arc::clone(&scene.cast), by.store.clone());
    let attack = tokio::spawn(async move {
        let house = cast.household(Who::Key);
        let (caller, victim) = if first {
            (cast.caller(Who::Key), house.peer.id())
        } else {
            (cast.peer(Who::Key), house.own.id())
        };
        Attack::Revoke.make(&store, &cast, caller, victim).await
    });
    by.proxy.held().await;
    attack
}

/// Checks that one revocation was made, and that the other one has found its actor revoked.
async fn check(scene: &Scene, outcomes: [Outcome; 2]) {
    let house = scene.cast.household(Who::Key);
    let mut states = Vec::new();
    for key in [&house.own, &house.peer] {
        let record = scene.direct.get(key.id()).await.unwrap().unwrap();
        states.push((record.state(START), scene.entries_by(key.id().as_str()).await));
    }
    let (winner, loser) = ((KeyState::Active, 1), (KeyState::Revoked, 0));
    match outcomes {
        [Ok(()), Err(BackendErrorKind::Forbidden)] => assert_eq!(states, [winner, loser]),
        [Err(BackendErrorKind::Forbidden), Ok(())] => assert_eq!(states, [loser, winner]),
        others => panic!("{others:?}"),
    }
}

#[tokio::test]
async fn of_two_keys_that_cross_the_one_that_the_server_ends_is_refused() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    let another = scene.another_held().await;
    for first in [true, false] {
        scene.enter_anew().await;
        let one = begin(&scene, &scene.held, first).await;
        let other = begin(&scene, &another, !first).await;
        scene.held.proxy.let_go();
        scene.until_waiting(&scene.held, &another, 0).await;
        another.proxy.let_go();
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        check(&scene, if first { [one, other] } else { [other, one] }).await;
    }
}

#[tokio::test]
async fn of_two_keys_that_cross_the_one_that_may_not_wait_any_longer_is_refused() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    // Below the time after which the server looks for those who wait for each other.
    scene.database.command("ALTER DATABASE", "SET lock_timeout = '600ms'").await;
    let (held, another) = (scene.one_held().await, scene.another_held().await);
    for first in [true, false] {
        scene.enter_anew().await;
        let one = begin(&scene, &held, first).await;
        let other = begin(&scene, &another, !first).await;
        held.proxy.let_go();
        // The first one gives up well before the second one would.
        scene.until_waiting(&held, &another, 200).await;
        another.proxy.let_go();
        let (one, other) = (one.await.unwrap(), other.await.unwrap());
        assert_eq!((one, other), (Err(BackendErrorKind::Forbidden), Ok(())));
        check(&scene, if first { [one, other] } else { [other, one] }).await;
    }
}
