//! A hand-over never exceeds its opener: neither its owner, nor its environment, nor the life of its key.

use std::time::Duration;

use http::StatusCode;
use tower_api_key::backend::{Grace, OwnerChange, OwnerStore};
use tower_api_key::console::Handover;
use tower_api_key::manage::{ManageErrorKind, NewKey, RotateOptions};
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::principal::Resource;
use tower_api_key::{Environment, Owner, Principal};

use crate::console::sessions::world::{World, acme, scopes};

async fn principal_of(world: &World, owner: Owner, environment: Environment) -> Principal {
    let new = NewKey::new(owner).scopes(scopes("notes.*")).environment(environment);
    let (text, _) = world.manager.create(new).await.unwrap().into_parts();
    world.principal(text.as_str()).await
}

fn handover(opener: &Principal, owner: Owner) -> Handover {
    Handover::customer(opener.actor(), owner).unwrap().scopes(scopes("notes.*"))
}

async fn refused_field(world: &World, handover: Handover) -> &'static str {
    let error = world.console.session_for(handover).await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::Forbidden, "{error}");
    error.fields()[0].field
}

#[tokio::test]
async fn a_test_key_is_handed_over_for_test_keys_alone() {
    let world = World::new().await;
    let opener = principal_of(&world, acme(), Environment::Test).await;
    assert_eq!(refused_field(&world, handover(&opener, acme())).await, "environment");
    let all = handover(&opener, acme()).across_environments();
    assert_eq!(refused_field(&world, all).await, "environment");
    let needed = "notes.read".parse().unwrap();
    let operator =
        Handover::operator(opener.actor().requires_for(needed, Resource::Organization("acme"))).unwrap();
    assert_eq!(refused_field(&world, operator).await, "environment");

    let own = handover(&opener, acme()).environment(Environment::Test);
    let mut visitor = world.signed_in(own).await;
    assert_eq!(visitor.create(&["notes.read"]).await.status, StatusCode::CREATED);
    assert!(world.keys().await.iter().all(|key| key.environment == Environment::Test));
}

#[tokio::test]
async fn a_key_is_handed_over_for_its_own_owner() {
    let world = World::new().await;
    let project = |id: &str| Owner::project(Organization::new("acme"), id);
    let user = |email: &str| Owner::user(email, []);
    for (own, others) in [
        (acme(), vec![Owner::organization("globex"), user("ann@example.com")]),
        (project("web"), vec![acme(), project("app"), Owner::organization("globex")]),
        (user("ann@example.com"), vec![acme(), project("web"), user("eve@example.com")]),
    ] {
        let opener = principal_of(&world, own.clone(), Environment::Live).await;
        for other in others {
            assert_eq!(
                refused_field(&world, handover(&opener, other.clone())).await,
                "owner",
                "{own}: {other}"
            );
        }
        let mut visitor = world.signed_in(handover(&opener, own)).await;
        assert_eq!(visitor.create(&["notes.read"]).await.status, StatusCode::CREATED);
    }
    // The projects of an organization are its own.
    let opener = principal_of(&world, acme(), Environment::Live).await;
    assert!(world.signed_in(handover(&opener, project("web"))).await.is_in().await);
}

#[tokio::test]
async fn a_user_is_handed_over_for_the_organizations_that_have_it() {
    let world = World::new().await;
    for change in [
        OwnerChange::put_organization(Organization::new("acme")),
        OwnerChange::put_organization(Organization::new("globex")),
        OwnerChange::put_user("ann@example.com"),
        OwnerChange::put_membership(
            "ann@example.com",
            Membership::new(Organization::new("acme"), "writer", scopes("notes.*")),
        ),
    ] {
        world.store.change_owner(change).await.unwrap();
    }
    let opener = principal_of(&world, Owner::user("ann@example.com", []), Environment::Live).await;
    assert_eq!(refused_field(&world, handover(&opener, Owner::organization("globex"))).await, "owner");
    let mut visitor = world.signed_in(handover(&opener, acme())).await;
    assert!(visitor.is_in().await);
    world.store.change_owner(OwnerChange::delete_membership("ann@example.com", "acme")).await.unwrap();
    assert!(!visitor.is_in().await);
}

#[tokio::test]
async fn a_rotated_opener_takes_no_successor_of_its_own() {
    let world = World::new().await;
    let (text, opener) = world.key("notes.*").await;
    let grace = Grace::FromFirstUse(Duration::from_secs(60 * 60));
    let (_, successor) =
        world.manager.rotate(&opener.id, RotateOptions::new(grace)).await.unwrap().into_parts();
    let leaked = world.principal(&text).await;
    let mut visitor = world.signed_in(handover(&leaked, acme())).await;
    let path = format!("/keys/{}/rotate", successor.id);
    let form = visitor.get(&path).await.field("form");
    let page = visitor.post(&path, &[("form", &*form), ("grace", "none")]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.html);
    assert_eq!(world.keys().await.len(), 2);
}

#[tokio::test]
async fn the_debug_text_of_a_session_does_not_show_its_opener() {
    let world = World::new().await;
    let (text, opener) = world.key("console notes.*").await;
    world.visitor().paste(&text).await;
    let session = world.sessions().await.remove(0);
    let kept = session.session.clone().unwrap();
    assert!(kept.state.contains(opener.id.as_str()), "{}", kept.state);
    let debug = format!("{session:?}");
    assert!(debug.contains("Session { .. }") && !debug.contains(opener.id.as_str()), "{debug}");
}
