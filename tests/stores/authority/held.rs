//! Requests whose bodies arrive after the caller has lost its rights.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tower_api_key::backend::OwnerChange;
use tower_api_key::owner::Organization;
use tower_api_key::record::KeyState;

use crate::authority::stores::Store;
use crate::authority::world::{DAY, Key, START, World, of, revocation, scopes};

/// What happens to the caller between the head of its request and the body.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Demotion {
    Revoked,
    Disabled,
    Rotated,
    Expired,
    Deleted,
    OrganizationDisabled,
    OrganizationDeleted,
}

impl Demotion {
    pub(crate) const ALL: [Self; 7] = [
        Self::Revoked,
        Self::Disabled,
        Self::Rotated,
        Self::Expired,
        Self::Deleted,
        Self::OrganizationDisabled,
        Self::OrganizationDeleted,
    ];

    pub(crate) async fn befall<S: Store>(self, world: &World<S>, caller: &Key, organization: &str) {
        match self {
            Self::Revoked => world.revoke(caller).await,
            Self::Disabled => _ = world.manager.disable(caller.id(), "seen").await.unwrap(),
            Self::Rotated => {
                let answer = world.ask(caller, "POST", &caller.path_to_rotate(), &json!({})).await;
                assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
            }
            Self::Expired => {
                let end = world.now().saturating_add(Duration::from_secs(1));
                world.update(caller.id(), |update| update.expires_at = Some(Some(end))).await;
                world.clock.advance(Duration::from_secs(1));
            }
            Self::Deleted => {
                world.revoke(caller).await;
                world.clock.advance(Duration::from_secs(1));
                assert!(world.manager.purge_ended(world.now()).await.unwrap() > 0);
                assert_eq!(world.store.get(caller.id()).await.unwrap(), None);
            }
            Self::OrganizationDisabled => {
                let mut closed = Organization::new(organization);
                closed.disabled = true;
                world.store.change_owner(OwnerChange::put_organization(closed)).await.unwrap();
            }
            Self::OrganizationDeleted => {
                let change = OwnerChange::delete_organization(organization, revocation("gone"));
                world.store.change_owner(change).await.unwrap();
            }
        }
    }
}

/// Creates an organization for one round.
pub(crate) async fn organization<S: Store>(world: &World<S>, round: usize) -> String {
    let id = format!("acme-{round}");
    world.store.change_owner(OwnerChange::put_organization(Organization::new(id.clone()))).await.unwrap();
    id
}

pub(crate) async fn an_update_by_a_caller_no_longer_in_force_changes_nothing<S: Store>(world: World<S>) {
    let end = START.saturating_add(365 * DAY);
    let demotions = Demotion::ALL.map(Some).into_iter().chain([None]);
    for (round, demotion) in demotions.enumerate() {
        for (half, body) in
            [json!({ "scopes": ["console"] }), json!({ "expires_at": null })].into_iter().enumerate()
        {
            let own = organization(&world, 2 * round + half).await;
            let caller = world.grant(&own, "keys console").await;
            let weak = world.key(of(&own).expires_at(end)).await;
            let held = world.hold(&caller, "PATCH", &weak.path(), &body).await;
            let Some(demotion) = demotion else {
                // The same request of an unchanged caller.
                assert_eq!(held.finish().await.status, StatusCode::OK, "{body}");
                assert_ne!(world.stored(weak.id()).await, weak.record);
                continue;
            };
            demotion.befall(&world, &caller, &own).await;
            let before = world.snapshot().await;
            let answer = held.finish().await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{demotion:?} {body}: {}", answer.text);
            assert_eq!(world.snapshot().await, before, "{demotion:?} {body}");
        }
    }
}

pub(crate) async fn a_caller_no_longer_in_force_creates_no_key<S: Store>(world: World<S>) {
    let body = json!({ "name": "child", "scopes": ["console"] });
    for (round, demotion) in Demotion::ALL.into_iter().enumerate() {
        let own = organization(&world, round).await;
        let caller = world.grant(&own, "keys console").await;
        let held = world.hold(&caller, "POST", "/console/keys", &body).await;
        demotion.befall(&world, &caller, &own).await;
        let before = world.snapshot().await;
        let answer = held.finish().await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{demotion:?}: {}", answer.text);
        assert_eq!(answer.body["key"], json!(null));
        assert_eq!(world.snapshot().await, before, "{demotion:?}");
    }
}

pub(crate) async fn a_key_is_not_made_with_scopes_that_the_caller_has_lost<S: Store>(world: World<S>) {
    let admin = world.grant("acme", "keys console").await;
    let body = json!({ "name": "child", "scopes": ["console"] });
    for (left, field) in [(json!([]), ""), (json!(["console"]), ""), (json!(["keys"]), "scopes")] {
        let caller = world.grant("acme", "keys console").await;
        let held = world.hold(&caller, "POST", "/console/keys", &body).await;
        let taken = world.ask(&admin, "PATCH", &caller.path(), &json!({ "scopes": left })).await;
        assert_eq!(taken.status, StatusCode::OK, "{}", taken.text);
        let before = world.snapshot().await;
        let answer = held.finish().await;
        assert_eq!((answer.status, answer.field()), (StatusCode::FORBIDDEN, field), "{left}");
        assert_eq!(world.snapshot().await, before, "{left}");
    }
    let held = world.hold(&admin, "POST", "/console/keys", &body).await;
    let child = held.finish().await;
    assert_eq!(child.status, StatusCode::CREATED);
    assert!(world.admits(child.body["key"].as_str().unwrap()).await);
}

pub(crate) async fn a_caller_no_longer_in_force_rotates_no_key<S: Store>(world: World<S>) {
    for (round, demotion) in Demotion::ALL.into_iter().enumerate() {
        let own = organization(&world, round).await;
        let admin = world.key(of(&own).scopes(scopes("*"))).await;
        let caller = world.grant(&own, "*").await;
        let held = world.hold(&caller, "POST", &admin.path_to_rotate(), &json!({})).await;
        demotion.befall(&world, &caller, &own).await;
        let before = world.snapshot().await;
        let answer = held.finish().await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{demotion:?}: {}", answer.text);
        assert_eq!(world.snapshot().await, before, "{demotion:?}");
        if !matches!(demotion, Demotion::OrganizationDisabled | Demotion::OrganizationDeleted) {
            let stored = world.stored(admin.id()).await;
            assert_eq!((stored.state(world.now()), stored.rotated_to), (KeyState::Active, None));
            assert!(world.admits(&admin.text).await, "{demotion:?}");
        }
    }
}
