//! Rechecks of a caller right before an irreversible step.

use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::timeout;
use tower_api_key::backend::OwnerChange;
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::reject::Forbidden;
use tower_api_key::{KeyId, Reason, Requirement};

use crate::authority::held::Demotion;
use crate::authority::stores::Store;
use crate::authority::world::{ANN, World, admit, basic, needs, scopes};

const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) async fn a_caller_that_lost_its_key_is_rejected<S: Store>(world: World<S>) {
    let disabled = Reason::Forbidden(Forbidden::OrganizationDisabled);
    for (demotion, reason) in [
        (Demotion::Revoked, Reason::Revoked),
        (Demotion::Disabled, Reason::Disabled),
        (Demotion::Rotated, Reason::Revoked),
        (Demotion::Expired, Reason::Expired),
        // The cache knows the revocation.
        (Demotion::Deleted, Reason::Revoked),
        (Demotion::OrganizationDisabled, disabled),
    ] {
        world.store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
        let own = world.grant("acme", "keys").await;
        let caller = world.admit(&own).await;
        assert!(caller.recheck().await.is_ok());
        demotion.befall(&world, &own, "acme").await;
        let rejection = caller.recheck().await.unwrap_err();
        assert_eq!(rejection.reason(), &reason, "{demotion:?}");
        assert_eq!(rejection.key_id().map(KeyId::as_str), Some(own.id().as_str()));
    }
}

pub(crate) async fn the_caller_is_returned_as_it_is_now<S: Store>(world: World<S>) {
    let own = world.grant("acme", "keys console").await;
    let caller = world.admit(&own).await;
    world.update(own.id(), |update| update.scopes = Some(scopes("console billing"))).await;
    let now = caller.recheck().await.unwrap();
    let met = |needed: &Requirement| (caller.require(needed).is_ok(), now.require(needed).is_ok());
    assert_eq!(
        ["keys", "console", "billing"].map(|scope| met(&needs(scope))),
        [(true, false), (true, true), (false, true)]
    );
    assert_eq!((now.key_id(), now.scheme()), (caller.key_id(), caller.scheme()));
}

pub(crate) async fn a_person_with_another_password_is_rejected<S: Store>(world: World<S>) {
    let acme = Organization::new("acme");
    world.store.change_owner(OwnerChange::put_organization(acme.clone())).await.unwrap();
    world.store.change_owner(OwnerChange::put_user(ANN)).await.unwrap();
    let change = OwnerChange::put_membership(ANN, Membership::new(acme, "admin", scopes("keys")));
    world.store.change_owner(change).await.unwrap();
    let hash = async |secret: &str| Some(world.passwords.hash(secret).await.unwrap());
    world.store.change_owner(OwnerChange::set_password(ANN, hash("one").await)).await.unwrap();
    let caller = admit(&world.authenticator, &basic(ANN, "one")).await;
    assert!(caller.recheck().await.unwrap().require(&needs("keys")).is_ok());

    world.store.change_owner(OwnerChange::delete_membership(ANN, "acme")).await.unwrap();
    assert!(caller.recheck().await.unwrap().require(&needs("keys")).is_err());
    // The same password, with another salt.
    world.store.change_owner(OwnerChange::set_password(ANN, hash("one").await)).await.unwrap();
    assert_eq!(caller.recheck().await.unwrap_err().reason(), &Reason::Unknown);
    let caller = admit(&world.authenticator, &basic(ANN, "one")).await;
    world.store.change_owner(OwnerChange::set_password(ANN, None)).await.unwrap();
    assert_eq!(caller.recheck().await.unwrap_err().reason(), &Reason::Unknown);
}

pub(crate) async fn a_store_that_fails_is_no_rejection_of_the_key<S: Store>(world: World<S>) {
    let own = world.grant("acme", "keys").await;
    let caller = world.admit(&own).await;
    // Its cache entry is no longer valid.
    world.update(own.id(), |update| update.name = Some("renamed".into())).await;
    world.looked_up.fail(true);
    assert_eq!(caller.recheck().await.unwrap_err().reason(), &Reason::Unavailable);
    world.looked_up.fail(false);
    // The failed lookup may still be in progress for a moment, and another caller joins it.
    let answered = async {
        loop {
            match caller.recheck().await {
                Ok(now) => break now,
                Err(rejection) => assert_eq!(rejection.reason(), &Reason::Unavailable),
            }
            yield_now().await;
        }
    };
    assert_eq!(timeout(WAIT_TIMEOUT, answered).await.expect("an answer").key_name(), "renamed");
}

pub(crate) async fn a_cached_key_is_rechecked_without_the_store<S: Store>(world: World<S>) {
    let own = world.grant("acme", "keys").await;
    let started = async {
        while world.authenticator.start().await.is_err() {
            yield_now().await;
        }
    };
    timeout(WAIT_TIMEOUT, started).await.expect("a poll is answered");
    let caller = world.admit(&own).await;
    let reads = world.looked_up.reads();
    world.looked_up.fail(true);
    for _ in 0..10 {
        assert!(caller.recheck().await.is_ok());
    }
    assert_eq!(world.looked_up.reads(), reads);
}
