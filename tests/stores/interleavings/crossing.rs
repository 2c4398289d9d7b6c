//! On PostgreSQL, changes that conflict with each other.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;
use tower_api_key::KeyId;
use tower_api_key::backend::{BackendErrorKind, Grace, KeyChange, KeyStore, Rotation};
use tower_api_key::digest::Digester;
use tower_api_key::record::KeyState;

use crate::interleavings::cast::Who;
use crate::interleavings::changes::Outcome;
use crate::interleavings::mutual::Attack;
use crate::interleavings::proxy::Which;
use crate::interleavings::scene::{Held, Scene};
use support::postgres::is_absent;
use support::{START, revocation};

/// Has the first key of the organization or the second one go for the other.
fn begin(scene: &Scene, by: &Held, first: bool) -> JoinHandle<Outcome> {
    let (cast, store) = (Arc::clone(&scene.cast), by.store.clone());
    tokio::spawn(async move {
        let house = cast.household(Who::Key);
        let (caller, victim) = if first {
            (cast.caller(Who::Key), house.peer.id())
        } else {
            (cast.peer(Who::Key), house.own.id())
        };
        Attack::Revoke.make(&store, &cast, caller, victim).await
    })
}

#[tokio::test]
async fn of_two_keys_that_go_for_each_other_the_second_one_waits_and_is_rejected() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    let another = scene.another_held().await;
    for first in [true, false] {
        scene.enter_anew().await;
        scene.held.proxy.hold(Which::Commit);
        let one = begin(&scene, &scene.held, first);
        scene.held.proxy.held().await;
        // It waits while it holds nothing that the first one needs, so there is no deadlock.
        let other = begin(&scene, &another, !first);
        scene.until_waiting(&another, &scene.held, 0).await;
        scene.held.proxy.let_go();
        assert_eq!(one.await.unwrap(), Ok(()));
        assert_eq!(other.await.unwrap(), Err(BackendErrorKind::Forbidden));

        let house = scene.cast.household(Who::Key);
        let mut states = Vec::new();
        for key in [&house.own, &house.peer] {
            let record = scene.direct.get(key.id()).await.unwrap().unwrap();
            states.push((record.state(START), scene.entries_by(key.id().as_str()).await));
        }
        let (winner, loser) = ((KeyState::Active, 1), (KeyState::Revoked, 0));
        assert_eq!(states, if first { [winner, loser] } else { [loser, winner] });
    }
}

fn rotation(id: &str, grace: Grace) -> Rotation {
    let digest = Digester::sha256().digest(id.as_bytes());
    let mut rotation = Rotation::new(KeyId::new(id).unwrap(), digest, "", START);
    rotation.grace = grace;
    rotation
}

/// A transaction of the application itself, which locks rows in an order of its own.
async fn lock(transaction: &mut sqlx::Transaction<'_, sqlx::Postgres>, id: &KeyId) {
    const LOCK: &str = "SELECT FROM tower_api_key WHERE id = $1 FOR UPDATE";
    sqlx::query(LOCK).bind(id.as_str()).execute(&mut **transaction).await.unwrap();
}

#[tokio::test]
async fn a_change_that_the_server_ends_for_another_one_is_tried_once_more() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    let application = scene.application().await;
    let old = scene.cast.household(Who::Key).own.id().clone();
    // Replacing the successor ends the old key as well, whose grace waits for that.
    let waiting = Grace::FromFirstUse(Duration::from_secs(600));
    let successor = scene
        .direct
        .change(KeyChange::rotate(&old, rotation("successor", waiting)))
        .await
        .unwrap()
        .record
        .unwrap()
        .id;

    let mut crossing = application.begin().await.unwrap();
    if sqlx::query("SET LOCAL deadlock_timeout = '1min'").execute(&mut *crossing).await.is_err() {
        #[allow(clippy::print_stderr, reason = "shown to the person who runs the tests")]
        {
            eprintln!("skipped: the role may not choose which of two transactions the server ends");
        }
        return;
    }
    lock(&mut crossing, &old).await;
    let (store, id) = (scene.held.store.clone(), successor.clone());
    let rotating =
        tokio::spawn(
            async move { store.change(KeyChange::rotate(&id, rotation("latter", Grace::None))).await },
        );
    scene.until_waits_for_application(&scene.held).await;
    // The store holds this one, and waits for the other.
    lock(&mut crossing, &successor).await;
    crossing.rollback().await.unwrap();
    assert_eq!(rotating.await.unwrap().unwrap().record.unwrap().id.as_str(), "latter");
    assert_eq!(
        scene.direct.get(&successor).await.unwrap().unwrap().rotated_to,
        Some(KeyId::new("latter").unwrap())
    );
}

#[tokio::test]
async fn a_change_that_has_waited_for_as_long_as_it_may_is_tried_once_more() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    scene.database.command("ALTER DATABASE", "SET lock_timeout = '200ms'").await;
    let (application, held) = (scene.application().await, scene.one_held().await);
    let target = scene.cast.household(Who::Key).target.id().clone();
    let revoke = || {
        let (store, id) = (held.store.clone(), target.clone());
        tokio::spawn(async move { store.change(KeyChange::revoke(&id, revocation())).await })
    };
    for gives_up in [true, false] {
        let mut holding = application.begin().await.unwrap();
        lock(&mut holding, &target).await;
        let revoking = revoke();
        if gives_up {
            let outcome = timeout(Duration::from_secs(30), revoking).await.unwrap().unwrap();
            assert_eq!(outcome.unwrap_err().kind(), BackendErrorKind::Unavailable);
            holding.rollback().await.unwrap();
            continue;
        }
        let first = scene.until_waits_for_application(&held).await;
        while scene.until_waits_for_application(&held).await == first {
            yield_now().await;
        }
        holding.rollback().await.unwrap();
        revoking.await.unwrap().unwrap();
    }
    let record = scene.direct.get(&target).await.unwrap().unwrap();
    assert_eq!(record.revoked, Some(revocation()));
}
