//! On PostgreSQL, a node that stops inside its transaction, and one that does not receive the outcome of its commit.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tower_api_key::Record;
use tower_api_key::backend::{
    Backend, BackendErrorKind, Grace, KeyChange, KeyStore, OwnerChange, OwnerStore,
};
use tower_api_key::manage::{ManageErrorKind, RotateOptions};
use tower_api_key::record::KeyState;

use crate::interleavings::cast::{ACME, ANN, Who, needs};
use crate::interleavings::changes::{Bounded, Change, Outcome, Wide, kind_of};
use crate::interleavings::proxy::Which;
use crate::interleavings::scene::Scene;
use support::postgres::is_absent;
use support::{START, revocation};

/// How long a stopped node may delay revocations by other nodes.
const WAIT_TIMEOUT: Duration = Duration::from_secs(2);

/// Stops a node right before the commit of a change, performs an action that the change blocks, and returns the outcome of the
/// change.
async fn stop_before_commit(
    scene: &Scene,
    who: Who,
    change: Change,
    done: impl Future<Output = Outcome>,
) -> Outcome {
    scene.held.proxy.hold(Which::Commit);
    let (store, cast) = (scene.held.store.clone(), Arc::clone(&scene.cast));
    let changing = tokio::spawn(async move { change.make(&store, &cast, who).await });
    scene.held.proxy.held().await;
    let done = timeout(WAIT_TIMEOUT, done).await;
    assert_eq!(done.expect("not to be kept waiting"), Ok(()), "{who:?} {change:?}");
    scene.held.proxy.let_go();
    changing.await.unwrap()
}

async fn record(scene: &Scene, who: Who) -> Record {
    scene.direct.get(scene.cast.household(who).own.id()).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_node_that_is_stopped_before_its_commit_keeps_no_key_from_being_revoked() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    for who in [Who::Key, Who::PersonsKey] {
        let house = scene.cast.household(who);
        let changes = [Bounded::Create, Bounded::RotateAnother, Bounded::RevokeAnother].map(Change::Within);
        for change in changes.into_iter().chain([Change::For(Wide::PutMembership)]) {
            scene.enter_anew().await;
            let keys = scene.direct.list(&Default::default(), None, 99).await.unwrap().len();
            let revoke = async {
                scene
                    .direct
                    .change(KeyChange::revoke(house.own.id(), revocation()))
                    .await
                    .map(drop)
                    .map_err(|error| error.kind())
            };
            let made = stop_before_commit(&scene, who, change, revoke).await;
            assert_eq!(made, Err(BackendErrorKind::Unavailable), "{change:?}");
            assert_eq!(record(&scene, who).await.state(START), KeyState::Revoked);
            // The change itself has left nothing.
            assert_eq!(scene.direct.list(&Default::default(), None, 99).await.unwrap().len(), keys);
            let target = scene.direct.get(house.target.id()).await.unwrap().unwrap();
            assert_eq!((target.revoked, target.rotated_to), (None, None), "{change:?}");
            assert_eq!(scene.entries_by(house.own.id().as_str()).await, 0, "{change:?}");
        }
    }
}

#[tokio::test]
async fn a_node_that_is_stopped_before_its_commit_keeps_no_person_from_being_removed() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    for who in [Who::PersonsKey, Who::Person] {
        for change in [Change::For(Wide::Create), Change::For(Wide::Revoke), Change::For(Wide::PutMembership)]
        {
            scene.enter_anew().await;
            let before = scene.direct.find_user(ANN).await.unwrap().unwrap();
            assert_eq!(before.memberships.len(), 1);
            let remove = async {
                scene
                    .direct
                    .change_owner(OwnerChange::delete_membership(ANN, ACME))
                    .await
                    .map_err(|error| error.kind())
            };
            let made = stop_before_commit(&scene, who, change, remove).await;
            assert_eq!(made, Err(BackendErrorKind::Unavailable), "{change:?}");
            assert!(scene.direct.find_user(ANN).await.unwrap().unwrap().memberships.is_empty());
            assert_eq!(scene.entries_by(scene.cast.caller(who).key_id().as_str()).await, 0, "{change:?}");
        }
    }
}

#[tokio::test]
async fn a_node_that_is_stopped_before_its_commit_keeps_no_target_from_being_revoked() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    for change in [Bounded::Relabel, Bounded::Rescope, Bounded::RotateAnother, Bounded::RevokeAnother] {
        scene.enter_anew().await;
        let target = scene.cast.household(Who::Key).target.id();
        let revoke = async {
            scene
                .direct
                .change(KeyChange::revoke(target, revocation()))
                .await
                .map(drop)
                .map_err(|error| error.kind())
        };
        let made = stop_before_commit(&scene, Who::Key, Change::Within(change), revoke).await;
        assert_eq!(made, Err(BackendErrorKind::Unavailable), "{change:?}");
        let target = scene.direct.get(target).await.unwrap().unwrap();
        assert_eq!(target.revoked, Some(revocation()), "{change:?}");
        assert_eq!((target.rotated_to, target.labels.len()), (None, 0), "{change:?}");
    }
}

#[tokio::test]
async fn a_key_whose_rotation_was_not_answered_is_rotated_again_once_the_unseen_successor_is_revoked() {
    if is_absent() {
        return;
    }
    let scene = Scene::open().await;
    let cast = &scene.cast;
    let own = cast.household(Who::Key).own.id().clone();
    let replacement = || RotateOptions::new(Grace::For(Duration::from_secs(600)));
    scene.held.proxy.hold(Which::Commit);
    let rotating = {
        let (cast, store, own) = (Arc::clone(cast), scene.held.store.clone(), own.clone());
        tokio::spawn(async move {
            let manager = cast.manager(store);
            let delegate = manager.on_behalf_of(cast.caller(Who::Key)).requiring(needs("keys.write"));
            delegate.rotate(&own, replacement()).await.map(drop).map_err(|error| kind_of(&error))
        })
    };
    scene.held.proxy.held().await;
    scene.held.proxy.lose_answer();
    assert_eq!(rotating.await.unwrap(), Err(BackendErrorKind::Unavailable));
    scene.held.proxy.let_go();

    // It was made all the same, and the old key is in force for its grace.
    let old = record(&scene, Who::Key).await;
    let unseen = old.rotated_to.clone().expect("an unseen successor");
    assert_eq!(old.state(START), KeyState::Active);
    let manager = cast.manager(scene.direct.clone());
    let delegate = manager.on_behalf_of(cast.caller(Who::Key)).requiring(needs("keys.write"));
    let too_early = delegate.rotate(&own, replacement()).await.unwrap_err();
    assert_eq!(too_early.kind(), ManageErrorKind::Conflict);
    delegate.revoke(&unseen, "no client has its text").await.unwrap();
    let (_, successor) = delegate.rotate(&own, replacement()).await.unwrap().into_parts();
    assert_eq!(record(&scene, Who::Key).await.rotated_to, Some(successor.id.clone()));
    assert_eq!((successor.state(START), successor.scopes), (KeyState::Active, old.scopes));
}
