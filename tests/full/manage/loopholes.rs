//! Ways by which a caller might gain rights.

use std::time::Duration;

use http::{Method, StatusCode};
use tower_api_key::backend::{Grace, KeyFilter, OwnerChange, OwnerStore, UsageBy, UsageQuery};
use tower_api_key::clock::Day;
use tower_api_key::manage::{ExternalCaller, ManageErrorKind, NewKey, RotateOptions};
use tower_api_key::owner::Organization;
use tower_api_key::record::{KeyState, Revocation};
use tower_api_key::{Authenticator, Environment, Owner, Principal, Scopes, Source};

use crate::manage::world::{Customer, START, World};

const HOUR: Duration = Duration::from_secs(3_600);

/// Returns the caller with this key in a service in which `org.admin` includes all scopes.
async fn caller(world: &World, key: &Customer) -> Principal {
    let authenticator = Authenticator::builder(world.backend.get_ref().clone()).admin_scope("org.admin");
    let authenticator = authenticator.with_clock(std::sync::Arc::clone(&world.clock)).build().unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert("x-api-key", key.text.parse().unwrap());
    authenticator.authenticate(&headers).await.unwrap()
}

fn scopes(list: &str) -> Scopes {
    Scopes::parse(list).unwrap()
}

fn acme() -> NewKey {
    NewKey::new(Owner::organization("acme"))
}

#[tokio::test]
async fn a_wildcard_does_not_grant_the_scope_that_implies_all_others() {
    let world = World::new();
    for (own, granted) in [("org.*", false), ("org.read", false), ("*", true), ("org.admin", true)] {
        let key = world.customer("acme", own).await;
        let caller = caller(&world, &key).await;
        let created = world.manager.on_behalf_of(&caller).create(acme().scopes(scopes("org.admin"))).await;
        let expected = if granted { Ok(()) } else { Err(ManageErrorKind::Forbidden) };
        assert_eq!(created.map(drop).map_err(|error| error.kind()), expected, "{own}");
    }
}

#[tokio::test]
async fn a_key_beyond_the_caller_is_not_brought_back_by_another_end() {
    let world = World::new();
    let admin = world.admin().await;
    let ended = world.key(acme().scopes(scopes("*")).expires_at(START.saturating_add(HOUR))).await;
    world.passes(HOUR);
    let path = format!("/admin/keys/{}", ended.record.id);
    for body in [
        r#"{"expires_at": null}"#,
        r#"{"expires_at": "2100-01-01T00:00:00Z"}"#,
        r#"{"expires_at": null, "scopes": ["notes.read"]}"#,
    ] {
        let answer = world.ask(&admin, Method::PATCH, &path, body).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{body}");
    }
    assert_eq!(world.manager.get(&ended.record.id).await.unwrap(), ended.record);
}

#[tokio::test]
async fn no_key_outlives_the_owner_or_the_key_that_made_it() {
    let world = World::new();
    let store = world.backend.get_ref();
    let maker = world.admin().await;
    let maker_of_another = world.customer("other", "*").await;
    let old = world.customer("acme", "notes.read").await;
    store.change_owner(OwnerChange::put_organization(Organization::new("other"))).await.unwrap();
    // Admitted before, with its request in progress.
    let (caller, other) = (caller(&world, &maker).await, caller(&world, &maker_of_another).await);
    world.manager.revoke(&maker.record.id, "leaked").await.unwrap();
    let change = OwnerChange::delete_organization("other", Revocation::new(START, "gone"));
    store.change_owner(change).await.unwrap();

    let acme = world.manager.on_behalf_of(&caller);
    let rotated = acme.rotate(&old.record.id, RotateOptions::new(Grace::None)).await.unwrap_err();
    let created = acme.create(NewKey::new(Owner::organization("acme"))).await.unwrap_err();
    let orphaned = world.manager.on_behalf_of(&other).create(acme_of("other")).await.unwrap_err();
    for error in [rotated, created, orphaned] {
        assert_eq!(error.kind(), ManageErrorKind::Forbidden, "{error}");
    }
    let in_force: Vec<_> =
        world.all().await.into_iter().filter(|key| key.state(START) == KeyState::Active).collect();
    assert_eq!(in_force, [old.record], "it is as it was");
}

fn acme_of(organization: &str) -> NewKey {
    NewKey::new(Owner::organization(organization))
}

#[tokio::test]
async fn a_grace_that_waits_for_a_first_use_begins_with_the_next_rotation_at_the_latest() {
    let world = World::new();
    let first = world.admin().await;
    let replaced = RotateOptions::new(Grace::FromFirstUse(HOUR));
    let lost = world.manager.rotate(&first.record.id, replaced).await.unwrap();
    let lost = lost.record().id.clone();
    world.manager.rotate(&lost, RotateOptions::new(Grace::None)).await.unwrap();
    assert!(world.admits(&first.text).await);
    world.passes(HOUR);
    assert!(!world.admits(&first.text).await);
}

#[tokio::test]
async fn keys_in_force_are_not_deleted_at_any_given_time() {
    let world = World::new();
    let key = world.key(acme().expires_at(START.saturating_add(HOUR))).await;
    assert_eq!(world.manager.purge_ended(START.saturating_add(10 * HOUR)).await.unwrap(), 0);
    assert!(world.admits(&key.text).await);
}

#[tokio::test]
async fn a_grace_from_the_first_use_needs_no_seconds_to_be_one() {
    let world = World::new();
    let admin = world.customer("acme", "*").await;
    let old = world.customer("acme", "notes.read").await;
    let path = format!("/admin/keys/{}/rotate", old.record.id);
    let answer = world.ask(&admin, Method::POST, &path, r#"{"grace_from_first_use": true}"#).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert!(world.admits(&old.text).await);
    assert!(world.admits(answer.body["key"].as_str().unwrap()).await);
    let settled = async {
        while world.admits(&old.text).await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), settled).await.expect("the old key ends");
}

#[tokio::test]
async fn no_key_has_an_owner_without_a_name_or_with_one_that_no_table_holds() {
    let world = World::new();
    let odd = |owner| world.manager.create(NewKey::new(owner));
    for (field, owner) in [
        ("organization", Owner::organization("")),
        ("organization", Owner::organization("a\u{1b}[2J\nb")),
        ("organization", Owner::organization("x".repeat(256))),
        ("project", Owner::project(Organization::new("acme"), "")),
        ("user", Owner::user("", [])),
        ("user", Owner::user("a\0@example.com", [])),
    ] {
        let error = odd(owner).await.unwrap_err();
        assert_eq!((error.kind(), error.fields()[0].field), (ManageErrorKind::Invalid, field), "{error}");
    }
    let error = world.manager.import_text("", acme()).await.unwrap_err();
    assert_eq!(error.fields()[0].field, "text");
    assert_eq!(world.all().await, []);
}

#[tokio::test]
async fn a_filter_for_keys_of_other_owners_matches_none() {
    let world = World::new();
    let admin = world.customer("acme", "*").await;
    let caller = caller(&world, &admin).await;
    let delegate = world.manager.on_behalf_of(&caller);
    let own = delegate.list(KeyFilter::of_organization("acme"), None, 9).await.unwrap();
    assert_eq!(own.len(), 1);
    for filter in [KeyFilter::of_organization("other"), KeyFilter::all().environment(Environment::Test)] {
        assert_eq!(delegate.list(filter, None, 9).await.unwrap(), []);
    }
    world.admits(&admin.text).await;
    world.usage.flush().await.unwrap();
    let today = Day::from(START);
    let mut query = UsageQuery::new(today, today).by(UsageBy::Total);
    assert_eq!(delegate.query_usage(query.clone()).await.unwrap().len(), 1);
    query.environment = Some(Environment::Test);
    assert_eq!(delegate.query_usage(query).await.unwrap(), []);
}

#[tokio::test]
async fn a_replaced_key_leaves_no_key_stronger_for_longer_than_itself() {
    let world = World::new();
    let admin = world.admin().await;
    let (leaked, weak) =
        (world.customer("acme", "notes.read").await, world.customer("acme", "notes.read").await);
    let path = |key: &Customer, rest: &str| format!("/admin/keys/{}{rest}", key.record.id);
    let disabled = world.ask(&admin, Method::POST, &path(&leaked, "/disable"), "").await;
    assert_eq!(disabled.status, StatusCode::OK);
    world.manager.rotate(&admin.record.id, RotateOptions::new(Grace::For(HOUR))).await.unwrap();

    let enabled = world.ask(&admin, Method::POST, &path(&leaked, "/enable"), "").await;
    assert_eq!(enabled.status, StatusCode::FORBIDDEN);
    let more = r#"{"scopes": ["notes.read", "notes.write"]}"#;
    let stronger = world.ask(&admin, Method::PATCH, &path(&weak, ""), more).await;
    assert_eq!(stronger.status, StatusCode::FORBIDDEN);
    // It still takes rights away.
    let weaker = world.ask(&admin, Method::PATCH, &path(&weak, ""), r#"{"scopes": []}"#).await;
    assert_eq!(weaker.status, StatusCode::OK);
}

#[tokio::test]
async fn a_caller_that_lost_its_key_learns_of_no_key_by_a_rotation() {
    let world = World::new();
    let (admin, foreign) = (world.admin().await, world.customer("other", "notes.read").await);
    let caller = caller(&world, &admin).await;
    world.manager.revoke(&admin.record.id, "lost").await.unwrap();
    let delegate = world.manager.on_behalf_of(&caller);
    for id in [foreign.record.id, "key_unknown".parse().unwrap()] {
        let error = delegate.rotate(&id, RotateOptions::new(Grace::None)).await.unwrap_err();
        assert_eq!(error.kind(), ManageErrorKind::NotFound, "{id}");
    }
}

#[tokio::test]
async fn the_limits_of_an_external_caller_hold_for_one_with_a_key_elsewhere() {
    let world = World::new();
    let admin = world.admin().await;
    let caller = caller(&world, &admin).await;
    let end = START.saturating_add(HOUR);
    let of_caller = || ExternalCaller::from(&caller);

    let limited = world.manager.on_behalf_of_external(of_caller().keys_end_by(end));
    let child = limited.create(limited.new_key()).await.unwrap();
    assert_eq!(child.record().expires_at, Some(end));
    let old = world.customer("acme", "notes.read").await;
    let successor = limited.rotate(&old.record.id, RotateOptions::new(Grace::None)).await.unwrap();
    assert_eq!(successor.record().expires_at, Some(end));

    let narrowed = world.manager.on_behalf_of_external(of_caller().scopes(scopes("notes.read")));
    let ended = narrowed.revoke(&admin.record.id, "").await.unwrap_err();
    assert_eq!(ended.kind(), ManageErrorKind::Forbidden);
    let bearer = world.manager.on_behalf_of_external(of_caller().sources([Source::bearer()]));
    let other = bearer.create(bearer.new_key().sources([Source::x_api_key()])).await.unwrap_err();
    assert_eq!((other.kind(), other.fields()[0].field), (ManageErrorKind::Forbidden, "sources"));
}
