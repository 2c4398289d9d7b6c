//! Deleted owners, until they are purged.

use tower_api_key::backend::{
    BackendErrorKind, KeyChange, KeyFilter, KeyStore, OwnerChange, OwnerStore, UsageBatch, UsageBy,
    UsageCount, UsageQuery, UsageStore,
};
use tower_api_key::clock::Day;
use tower_api_key::owner::Organization;
use tower_api_key::{Environment, Owner, Record, Timestamp};

use crate::samples;

const ANN: &str = "ann@example.com";
const BOB: &str = "bob@example.com";

fn project(organization: &str, id: &str) -> Owner {
    Owner::project(Organization::new(organization), id)
}

/// Organizations, projects and people, of which some are deleted.
async fn some_deleted<S: OwnerStore>(store: &S) {
    for organization in ["acme", "other"] {
        store.change_owner(OwnerChange::put_organization(Organization::new(organization))).await.unwrap();
        store.change_owner(OwnerChange::put_project(organization, "smart-sink")).await.unwrap();
    }
    store.change_owner(OwnerChange::put_user(ANN)).await.unwrap();
    store.change_owner(OwnerChange::put_user(BOB)).await.unwrap();
}

async fn delete<S: OwnerStore>(store: &S) {
    let gone = || samples::revocation(1, "gone");
    store.change_owner(OwnerChange::delete_project("acme", "smart-sink", gone())).await.unwrap();
    store.change_owner(OwnerChange::delete_organization("acme", gone())).await.unwrap();
    store.change_owner(OwnerChange::delete_project("other", "smart-sink", gone())).await.unwrap();
    store.change_owner(OwnerChange::delete_user(ANN, gone())).await.unwrap();
}

fn key(name: &str, owner: Owner) -> Record {
    let mut record = samples::plain(name);
    record.owner = owner;
    record
}

pub async fn an_owner_who_was_deleted_is_not_put_again<S: OwnerStore>(store: S) {
    some_deleted(&store).await;
    delete(&store).await;
    for again in [
        store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await,
        store.change_owner(OwnerChange::put_project("other", "smart-sink")).await,
        store.change_owner(OwnerChange::put_user("ANN@example.com")).await,
    ] {
        assert_eq!(again.unwrap_err().kind(), BackendErrorKind::Conflict);
    }
    assert_eq!(store.organization("acme").await.unwrap(), None);
    assert_eq!(store.find_user(ANN).await.unwrap(), None);
    store.change_owner(OwnerChange::put_user(BOB)).await.unwrap();
    store.change_owner(OwnerChange::put_organization(Organization::new("other"))).await.unwrap();
    store.change_owner(OwnerChange::put_project("other", "smart-lamp")).await.unwrap();
}

pub async fn an_owner_who_was_deleted_has_no_new_keys<S: KeyStore + OwnerStore>(store: S) {
    some_deleted(&store).await;
    store.change(KeyChange::insert(key("kept", Owner::organization("other")))).await.unwrap();
    delete(&store).await;
    let before = store.list(&KeyFilter::all(), None, 9).await.unwrap();
    let owners = [
        Owner::organization("acme"),
        project("acme", "smart-sink"),
        project("acme", "smart-lamp"),
        project("other", "smart-sink"),
        Owner::user(ANN, []),
    ];
    for owner in owners {
        let error = store.change(KeyChange::insert(key("new", owner.clone()))).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Conflict, "{owner}: {error}");
        let revocation = samples::revocation(2, "replaced");
        let replaced = store
            .change(KeyChange::insert_exclusive(key("new", owner.clone()), &KeyFilter::all(), revocation))
            .await;
        assert_eq!(replaced.unwrap_err().kind(), BackendErrorKind::Conflict, "{owner}");
    }
    assert_eq!(store.list(&KeyFilter::all(), None, 9).await.unwrap(), before);
}

pub async fn a_purge_deletes_what_is_left_of_an_owner_and_nothing_else<S>(store: S)
where
    S: KeyStore + OwnerStore + UsageStore,
{
    some_deleted(&store).await;
    let keys = [
        key("whole", Owner::organization("acme")),
        key("device", project("acme", "smart-sink")),
        key("other-whole", Owner::organization("other")),
        key("other-device", project("other", "smart-sink")),
        key("anns", Owner::user(ANN, [])),
        key("bobs", Owner::user(BOB, [])),
    ];
    let at = Timestamp::from_unix_millis(0);
    let count = |key: &Record| UsageCount::new(key.id.clone(), Environment::Live, key.owner.clone(), 1, at);
    for key in &keys {
        store.change(KeyChange::insert(key.clone())).await.unwrap();
    }
    store.add_usage(&UsageBatch::new("one", 1, keys.iter().map(count))).await.unwrap();
    delete(&store).await;
    let left = async || {
        let keys = store.list(&KeyFilter::all(), None, 9).await.unwrap();
        let mut query = UsageQuery::new(Day::from(at), Day::from(at));
        query.by = UsageBy::Key;
        let used = store.usage(&query).await.unwrap();
        let used: Vec<_> = used.into_iter().map(|line| line.key.unwrap()).collect();
        assert_eq!(used, keys.iter().map(|key| key.id.clone()).collect::<Vec<_>>());
        used.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(left().await.len(), keys.len());
    for owner in [Owner::organization("other"), Owner::user(BOB, []), Owner::organization("unknown")] {
        let error = store.change_owner(OwnerChange::purge_owner(&owner)).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::NotFound, "{owner}: {error}");
    }
    store.change_owner(OwnerChange::purge_owner(&Owner::organization("acme"))).await.unwrap();
    assert_eq!(left().await, ["anns", "bobs", "other-device", "other-whole"]);
    store.change_owner(OwnerChange::purge_owner(&project("other", "smart-sink"))).await.unwrap();
    assert_eq!(left().await, ["anns", "bobs", "other-whole"]);
    store.change_owner(OwnerChange::purge_owner(&Owner::user(ANN, []))).await.unwrap();
    assert_eq!(left().await, ["bobs", "other-whole"]);

    // The ids can be used again, with those of an organization's projects.
    some_deleted(&store).await;
    for owner in [Owner::organization("acme"), project("acme", "smart-sink"), Owner::user(ANN, [])] {
        let error = store.change_owner(OwnerChange::purge_owner(&owner)).await.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::NotFound, "{owner}: {error}");
    }
    store.change(KeyChange::insert(key("new", project("acme", "smart-sink")))).await.unwrap();
}
