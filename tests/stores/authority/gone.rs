//! Callers whose key or owner was deleted, by code.

use http::StatusCode;
use serde_json::json;
use tower_api_key::Owner;
use tower_api_key::backend::{BackendErrorKind, Grace, KeyUpdate, OwnerChange};
use tower_api_key::manage::{ManageErrorKind, NewKey, RotateOptions};
use tower_api_key::owner::{Membership, Organization};

use crate::authority::held::Demotion;
use crate::authority::stores::Store;
use crate::authority::world::{ANN, World, revocation, scopes};

pub(crate) async fn a_caller_that_is_not_in_force_makes_no_change_by_code<S: Store>(world: World<S>) {
    for demotion in
        [Demotion::Deleted, Demotion::Disabled, Demotion::Revoked, Demotion::Rotated, Demotion::Expired]
    {
        let (caller, other) = (world.grant("acme", "keys").await, world.grant("acme", "keys").await);
        let principal = world.admit(&caller).await;
        let delegate = world.manager.on_behalf_of(&principal);
        delegate.create(delegate.new_key()).await.unwrap();

        demotion.befall(&world, &caller, "acme").await;
        let before = world.snapshot().await;
        let mut update = KeyUpdate::default();
        update.name = Some("renamed".into());
        let rejections = [
            delegate.create(delegate.new_key()).await.map(drop),
            delegate.update(other.id(), update.clone()).await.map(drop),
            delegate.update(caller.id(), update).await.map(drop),
            delegate.rotate(other.id(), RotateOptions::new(Grace::None)).await.map(drop),
            delegate.revoke(other.id(), "").await,
        ];
        for (number, rejection) in rejections.into_iter().enumerate() {
            let error = rejection.unwrap_err();
            assert_eq!(error.kind(), ManageErrorKind::Forbidden, "{demotion:?} {number}: {error}");
        }
        assert_eq!(world.snapshot().await, before, "{demotion:?}");
    }
}

pub(crate) async fn the_former_holder_of_an_address_makes_no_key_of_the_next_one<S: Store>(world: World<S>) {
    for organization in ["acme", "other"] {
        let change = OwnerChange::put_organization(Organization::new(organization));
        world.store.change_owner(change).await.unwrap();
    }
    let member = |of: &str| Membership::new(Organization::new(of), "admin", scopes("keys"));
    world.store.change_owner(OwnerChange::put_user(ANN)).await.unwrap();
    world.store.change_owner(OwnerChange::put_membership(ANN, member("acme"))).await.unwrap();
    let former = world.key(NewKey::new(Owner::user(ANN, [])).scopes(scopes("keys"))).await;
    let principal = world.admit(&former).await;
    let delegate = world.manager.on_behalf_of(&principal);
    let held = world.hold(&former, "POST", "/console/keys", &json!({ "scopes": ["keys"] })).await;
    world.store.change_owner(OwnerChange::delete_user(ANN, revocation("left"))).await.unwrap();

    let again = world.store.change_owner(OwnerChange::put_user(ANN)).await.unwrap_err();
    assert_eq!(again.kind(), BackendErrorKind::Conflict, "{again}");
    let before = world.snapshot().await;
    let rejected = delegate.create(delegate.new_key()).await.unwrap_err();
    assert_eq!(rejected.kind(), ManageErrorKind::Forbidden, "{rejected}");
    assert_eq!(world.snapshot().await, before);

    world.store.change_owner(OwnerChange::purge_owner(&Owner::user(ANN, []))).await.unwrap();
    world.store.change_owner(OwnerChange::put_user(ANN)).await.unwrap();
    world.store.change_owner(OwnerChange::put_membership(ANN, member("other"))).await.unwrap();
    let before = world.snapshot().await;
    let rejected = delegate.create(delegate.new_key()).await.unwrap_err();
    assert_eq!(rejected.kind(), ManageErrorKind::Forbidden, "{rejected}");
    assert_eq!(held.finish().await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.snapshot().await, before);
    // The key of the next person is a key like any other.
    let next = world.key(NewKey::new(Owner::user(ANN, [])).scopes(scopes("keys"))).await;
    let principal = world.admit(&next).await;
    let delegate = world.manager.on_behalf_of(&principal);
    delegate.create(delegate.new_key()).await.unwrap();
}
