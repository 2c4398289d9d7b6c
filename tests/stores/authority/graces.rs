//! Rotated keys and their successors.

use std::time::Duration;

use tower_api_key::Owner;
use tower_api_key::backend::{Grace, KeyUpdate, OwnerChange};
use tower_api_key::credential::Scheme;
use tower_api_key::manage::{ManageErrorKind, RotateOptions};
use tower_api_key::record::KeyState;

use crate::authority::stores::Store;
use crate::authority::world::{START, World, needs, of, revocation, scopes};

const HOUR: Duration = Duration::from_secs(3_600);

fn in_an_hour() -> RotateOptions {
    RotateOptions::new(Grace::For(HOUR))
}

fn at_once() -> RotateOptions {
    RotateOptions::new(Grace::None)
}

pub(crate) async fn a_key_in_its_grace_hands_nothing_out_that_outlives_it<S: Store>(world: World<S>) {
    // A client with a stolen old key can use it for the grace, as its owner can.
    let old = world.grant("acme", "keys").await;
    let owner = world.admit(&old).await;
    let manager = &world.manager;
    let (_, successor) =
        manager.on_behalf_of(&owner).rotate(old.id(), in_an_hour()).await.unwrap().into_parts();
    let caller = world.admit(&old).await;
    let delegate = manager.on_behalf_of(&caller);
    let end = Some(START.saturating_add(HOUR));
    assert_eq!(delegate.create(delegate.new_key()).await.unwrap().record().expires_at, end);
    let taken = delegate.rotate(&successor.id, at_once()).await.unwrap_err();
    assert_eq!(taken.kind(), ManageErrorKind::Forbidden, "the successor is the owner's");
    assert_eq!(world.stored(&successor.id).await.state(START), KeyState::Active);

    // Without a successor in force it may get another one, with the remaining lifetime.
    delegate.revoke(&successor.id, "its text was lost").await.unwrap();
    let mut long = at_once();
    long.expires_at = Some(START.saturating_add(2 * HOUR));
    let error = delegate.rotate(old.id(), long).await.unwrap_err();
    assert_eq!((error.kind(), error.fields()[0].field), (ManageErrorKind::Forbidden, "expires_at"));
    // A key that it rotates expires no later than it, and no later than before.
    let short = world.key(of("acme").expires_at(START.saturating_add(Duration::from_secs(60)))).await;
    let rotated = delegate.rotate(short.id(), at_once()).await.unwrap();
    assert_eq!(rotated.record().expires_at, short.record.expires_at);
    let again = delegate.rotate(old.id(), at_once()).await.unwrap();
    assert_eq!(again.record().expires_at, end);
}

pub(crate) async fn a_successor_that_was_narrowed_rotates_itself<S: Store>(world: World<S>) {
    let old = world.grant("acme", "keys more").await;
    let waiting = RotateOptions::new(Grace::FromFirstUse(HOUR));
    let (text, successor) = world.manager.rotate(old.id(), waiting).await.unwrap().into_parts();
    world.update(&successor.id, |update| update.scopes = Some(scopes("keys"))).await;
    // Its first request, like any request, ends the previous key.
    let own = crate::authority::world::Key::new(text.as_str(), successor);
    let caller = world.admit(&own).await;
    world.manager.on_behalf_of(&caller).rotate(own.id(), at_once()).await.unwrap();
}

pub(crate) async fn a_rotated_key_has_one_successor_in_force<S: Store>(world: World<S>) {
    let old = world.grant("acme", "keys").await;
    let caller = world.admit(&old).await;
    let delegate = world.manager.on_behalf_of(&caller);
    let mut short = RotateOptions::new(Grace::For(24 * HOUR));
    short.expires_at = Some(START.saturating_add(Duration::from_secs(1)));
    let (_, first) = delegate.rotate(old.id(), short).await.unwrap().into_parts();
    world.clock.advance(Duration::from_secs(2));
    let again = world.manager.rotate(old.id(), RotateOptions::new(Grace::For(24 * HOUR))).await.unwrap();
    // The first successor has ended, and is not restored.
    let mut off = KeyUpdate::default();
    off.expires_at = Some(None);
    let error = world.manager.update(&first.id, off).await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::Conflict);
    assert_eq!(world.stored(&first.id).await.state(world.now()), KeyState::Expired);
    assert_eq!(world.stored(&again.record().id).await.state(world.now()), KeyState::Active);
}

pub(crate) async fn a_weak_caller_ends_no_stronger_key_by_way_of_its_successor<S: Store>(world: World<S>) {
    let (weak, admin) = (world.grant("acme", "keys").await, world.grant("acme", "*").await);
    let waiting = RotateOptions::new(Grace::FromFirstUse(Duration::ZERO));
    let (_, successor) = world.manager.rotate(admin.id(), waiting).await.unwrap().into_parts();
    world.update(&successor.id, |update| update.scopes = Some(scopes(""))).await;
    let before = world.keys().await;
    let weak = world.admit(&weak).await;
    let error = world.manager.on_behalf_of(&weak).rotate(&successor.id, at_once()).await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::Forbidden);
    assert_eq!(world.keys().await, before);
}

pub(crate) async fn lives_do_not_grow_by_rotations<S: Store>(world: World<S>) {
    let end = START.saturating_add(10 * HOUR);
    let maker = world.key(of("acme").scopes(scopes("keys")).expires_at(end)).await;
    let caller = world.admit(&maker).await;
    let delegate = world.manager.on_behalf_of(&caller);
    let child = || async { delegate.create(delegate.new_key().scopes(scopes("keys"))).await.unwrap() };
    let (first, second) = (child().await.into_parts(), child().await.into_parts().1);
    world.clock.advance(9 * HOUR);
    let caller = world.admit(&maker).await;
    let rotated = world.manager.on_behalf_of(&caller).rotate(&first.1.id, at_once()).await.unwrap();
    let renewed = rotated.record().expires_at.unwrap();
    assert_eq!(renewed, world.now().saturating_add(10 * HOUR), "as long as it was meant to");

    // The next successor gets no longer lifetime to renew.
    let (text, record) = rotated.into_parts();
    let caller = world.admit(&crate::authority::world::Key::new(text.as_str(), record)).await;
    let mut off = KeyUpdate::default();
    off.expires_at = Some(Some(renewed));
    let error = world.manager.on_behalf_of(&caller).update(&second.id, off).await.unwrap_err();
    assert_eq!((error.kind(), error.fields()[0].field), (ManageErrorKind::Forbidden, "expires_at"));
}

pub(crate) async fn no_key_is_shown_that_is_presented_in_more_ways<S: Store>(world: World<S>) {
    let restricted = of("acme").scopes(scopes("keys")).sources([Scheme::Bearer]);
    let (own, like, peer) =
        (world.key(restricted.clone()).await, world.key(restricted).await, world.grant("acme", "keys").await);
    let caller = world.admit(&own).await;
    let delegate = world.manager.on_behalf_of(&caller);
    let error = delegate.rotate(peer.id(), at_once()).await.unwrap_err();
    assert_eq!((error.kind(), error.fields()[0].field), (ManageErrorKind::Forbidden, "sources"));
    for id in [like.id(), own.id()] {
        let rotated = delegate.rotate(id, at_once()).await.unwrap();
        assert_eq!(*rotated.record().sources, [Scheme::Bearer]);
    }
}

pub(crate) async fn delegates_inherit_the_requirement_of_their_manager<S: Store>(world: World<S>) {
    let own = world.grant("acme", "keys").await;
    let caller = world.admit(&own).await;
    let manager = world.manager.clone().acting_for(caller.actor().requires(needs("more")));
    assert_eq!(manager.create(of("acme")).await.unwrap_err().kind(), ManageErrorKind::Forbidden);
    let delegate = manager.on_behalf_of(&caller);
    let error = delegate.create(delegate.new_key()).await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::Forbidden);
}

pub(crate) async fn a_purged_organization_leaves_the_marks_of_people<S: Store>(world: World<S>) {
    use tower_api_key::owner::Organization;

    world.store.change_owner(OwnerChange::put_user("ann@example.com")).await.unwrap();
    world.store.change_owner(OwnerChange::delete_user("ann@example.com", revocation("gone"))).await.unwrap();
    world.store.change_owner(OwnerChange::put_organization(Organization::new(""))).await.unwrap();
    world.store.change_owner(OwnerChange::delete_organization("", revocation("gone"))).await.unwrap();
    world.store.change_owner(OwnerChange::purge_owner(&Owner::organization(""))).await.unwrap();
    assert!(world.store.change_owner(OwnerChange::put_user("ann@example.com")).await.is_err());
}
