//! Deleted owners and their successors with the same id.

use std::fs;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use sqlx::SqlitePool;
use tower_api_key::backend::{
    BackendErrorKind, KeyFilter, OwnerChange, OwnerStore, UsageBatch, UsageBy, UsageCount, UsageQuery,
};
use tower_api_key::clock::Day;
use tower_api_key::digest::Digester;
use tower_api_key::manage::{ManageErrorKind, NewKey};
use tower_api_key::owner::Organization;
use tower_api_key::{Environment, Owner, SqliteStore};

use crate::authority::stores::Store;
use crate::authority::world::{ANN, Key, START, World, of, revocation, scopes};

fn project(organization: &str, id: &str) -> Owner {
    Owner::project(Organization::new(organization), id)
}

/// Creates two organizations with a project each, and a person, and deletes all but one of the organizations.
async fn put_and_delete<S: Store>(world: &World<S>) {
    for organization in ["acme", "other"] {
        let change = OwnerChange::put_organization(Organization::new(organization));
        world.store.change_owner(change).await.unwrap();
        world.store.change_owner(OwnerChange::put_project(organization, "smart-sink")).await.unwrap();
    }
    world.store.change_owner(OwnerChange::put_user(ANN)).await.unwrap();
    world.store.change_owner(OwnerChange::delete_organization("acme", revocation("gone"))).await.unwrap();
    let change = OwnerChange::delete_project("other", "smart-sink", revocation("gone"));
    world.store.change_owner(change).await.unwrap();
    world.store.change_owner(OwnerChange::delete_user(ANN, revocation("gone"))).await.unwrap();
}

/// Counts ten requests with a key.
async fn count<S: Store>(world: &World<S>, number: u64, key: &Key) {
    let owner = key.record.owner.clone();
    let count = UsageCount::new(key.id().clone(), Environment::Live, owner, 10, START);
    world.store.add_usage(&UsageBatch::new("one", number, [count])).await.unwrap();
}

fn query(filter: impl FnOnce(&mut UsageQuery)) -> UsageQuery {
    let today = Day::from(START);
    let mut query = UsageQuery::new(today, today);
    query.by = UsageBy::Key;
    filter(&mut query);
    query
}

pub(crate) async fn an_id_of_a_deleted_owner_is_not_used_again<S: Store>(world: World<S>) {
    put_and_delete(&world).await;
    let before = world.snapshot().await;
    for again in [
        world.store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await,
        world.store.change_owner(OwnerChange::put_project("other", "smart-sink")).await,
        world.store.change_owner(OwnerChange::put_user("Ann@Example.com")).await,
    ] {
        assert_eq!(again.unwrap_err().kind(), BackendErrorKind::Conflict);
    }
    assert_eq!(world.snapshot().await, before);
    // Owners with other ids are not affected.
    world.store.change_owner(OwnerChange::put_organization(Organization::new("Acme"))).await.unwrap();
    world.store.change_owner(OwnerChange::put_project("other", "smart-lamp")).await.unwrap();
    world.store.change_owner(OwnerChange::put_project("Acme", "smart-sink")).await.unwrap();
}

pub(crate) async fn no_key_is_created_for_a_deleted_owner<S: Store>(world: World<S>) {
    put_and_delete(&world).await;
    let before = world.snapshot().await;
    let digest = Digester::sha256().digest(b"made elsewhere");
    for owner in [
        Owner::organization("acme"),
        project("acme", "smart-sink"),
        project("acme", "never-there"),
        project("other", "smart-sink"),
        Owner::user(ANN, []),
    ] {
        let new = || NewKey::new(owner.clone());
        let filter = KeyFilter::of_owner(&owner);
        for rejected in [
            world.manager.create(new()).await.map(drop),
            world.manager.import(digest, new()).await.map(drop),
            world.manager.import_text("a key made elsewhere", new()).await.map(drop),
            world.manager.create_exclusive(&filter, new()).await.map(drop),
        ] {
            assert_eq!(rejected.unwrap_err().kind(), ManageErrorKind::Conflict, "{owner}");
        }
    }
    assert_eq!(world.snapshot().await, before);
    world.grant("other", "keys").await;
    world.key(NewKey::new(project("other", "smart-lamp"))).await;
}

pub(crate) async fn only_deleted_owners_are_purged<S: Store>(world: World<S>) {
    put_and_delete(&world).await;
    let kept = world.key(NewKey::new(Owner::organization("other"))).await;
    count(&world, 1, &kept).await;
    for owner in [
        Owner::organization("other"),
        Owner::organization("unknown"),
        project("other", "smart-lamp"),
        project("unknown", "smart-sink"),
        Owner::user("bob@example.com", []),
    ] {
        let refused = world.store.change_owner(OwnerChange::purge_owner(&owner)).await.unwrap_err();
        assert_eq!(refused.kind(), BackendErrorKind::NotFound, "{owner}");
    }
    assert_eq!(world.stored(kept.id()).await.revoked, None);
    for owner in [Owner::organization("acme"), project("other", "smart-sink"), Owner::user(ANN, [])] {
        world.store.change_owner(OwnerChange::purge_owner(&owner)).await.unwrap();
        let again = world.store.change_owner(OwnerChange::purge_owner(&owner)).await.unwrap_err();
        assert_eq!(again.kind(), BackendErrorKind::NotFound, "{owner}");
        world.key(NewKey::new(owner)).await;
    }
    assert_eq!(world.manager.query_usage(&query(|_| {})).await.unwrap().len(), 1);
}

pub(crate) async fn the_next_owner_of_an_id_sees_nothing_of_the_former_one<S: Store>(world: World<S>) {
    world.store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    world.store.change_owner(OwnerChange::put_project("acme", "smart-sink")).await.unwrap();
    let former =
        [world.grant("acme", "keys").await, world.key(NewKey::new(project("acme", "smart-sink"))).await];
    let other = world.grant("other", "keys").await;
    for (number, key) in former.iter().chain([&other]).enumerate() {
        count(&world, number as u64, key).await;
    }
    world.store.change_owner(OwnerChange::delete_organization("acme", revocation("gone"))).await.unwrap();
    world.store.change_owner(OwnerChange::purge_owner(&Owner::organization("acme"))).await.unwrap();
    world.store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    world.store.change_owner(OwnerChange::put_project("acme", "smart-sink")).await.unwrap();

    let next = world.grant("acme", "keys").await;
    let listed = world.ask(&next, "GET", "/console/keys", &json!({})).await;
    let ids: Vec<_> = listed.body["keys"].as_array().unwrap().iter().map(|key| &key["id"]).collect();
    assert_eq!(ids, [next.id().as_str()]);
    let of_acme = query(|query| query.organization = Some("acme".into()));
    assert_eq!(world.manager.query_usage(&of_acme).await.unwrap(), []);
    let caller = world.admit(&next).await;
    let delegate = world.manager.on_behalf_of(&caller);
    assert_eq!(delegate.query_usage(query(|_| {})).await.unwrap(), []);
    for key in &former {
        assert_eq!(world.store.get(key.id()).await.unwrap(), None);
        assert!(!world.admits(&key.text).await);
        let of_key =
            delegate.query_usage(query(|query| query.key = Some(key.id().clone()))).await.unwrap_err();
        assert_eq!(of_key.kind(), ManageErrorKind::NotFound);
        let shown = world.ask(&next, "GET", &format!("{}/usage", key.path()), &json!({})).await;
        assert_eq!(shown.status, StatusCode::NOT_FOUND);
    }
    let left: Vec<_> =
        world.manager.query_usage(&query(|_| {})).await.unwrap().into_iter().map(|line| line.key).collect();
    assert_eq!(left, [Some(other.id().clone())]);
}

pub(crate) async fn deleted_keys_leave_their_usage<S: Store>(world: World<S>) {
    let key = world.key(of("acme").scopes(scopes("keys"))).await;
    count(&world, 1, &key).await;
    world.revoke(&key).await;
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.manager.purge_ended(world.now()).await.unwrap(), 1);
    let lines = world.manager.query_usage(&query(|_| {})).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.requests).collect::<Vec<_>>(), [10]);
}

#[tokio::test]
async fn the_mark_of_a_person_holds_no_address() {
    let folder = tempfile::TempDir::new().unwrap();
    let url = format!("sqlite:{}", folder.path().join("keys.db").display());
    let store = SqliteStore::open(&url).await.unwrap();
    let pool = SqlitePool::connect(&url).await.unwrap();
    let holds_address = async || {
        // The file does not keep deleted rows.
        sqlx::raw_sql("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").execute(&pool).await.unwrap();
        let files = fs::read_dir(folder.path()).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
        files
            .map(|bytes| bytes.to_ascii_lowercase())
            .any(|bytes| bytes.windows(ANN.len()).any(|window| window == ANN.as_bytes()))
    };
    store.change_owner(OwnerChange::put_user("Ann@Example.com")).await.unwrap();
    assert!(holds_address().await);
    store.change_owner(OwnerChange::delete_user(ANN, revocation("left"))).await.unwrap();
    assert_eq!(
        store.change_owner(OwnerChange::put_user(ANN)).await.unwrap_err().kind(),
        BackendErrorKind::Conflict
    );
    assert!(!holds_address().await);
    let marks: Vec<(String, String)> =
        sqlx::query_as("SELECT kind, name FROM tower_api_key_deleted_owner").fetch_all(&pool).await.unwrap();
    assert_eq!((marks.len(), &*marks[0].0, marks[0].1.len()), (1, "user", 64));
}
