//! Deleted owners, until they are purged.

use std::ops::Range;

use tokio::task::JoinSet;
use tower_api_key::backend::{
    BackendErrorKind, KeyChange, KeyFilter, KeyStore, OwnerChange, OwnerStore, UsageBatch, UsageBy,
    UsageCount, UsageQuery, UsageStore,
};
use tower_api_key::clock::Day;
use tower_api_key::owner::Organization;
use tower_api_key::{Environment, KeyId, Owner, Record, Timestamp};

use crate::samples;
use crate::usage::{check_totals, counts_of_all_owners};

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

pub async fn totals_stay_right_beside_flushes_retries_and_purges<S>(store: S)
where
    S: KeyStore + OwnerStore + UsageStore + Clone,
{
    const WRITERS: u64 = 3;
    const BATCHES: u64 = 12;
    /// The first day that is not purged.
    const KEPT: i64 = 20_001;
    fn days(writer: u64, number: u64) -> Range<i64> {
        let first = 20_000 + (writer + number) as i64 % 4;
        first..first + 2
    }
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        tasks.spawn(async move {
            for number in 1..=BATCHES {
                let counts = counts_of_all_owners(days(writer, number));
                let batch = UsageBatch::new(format!("writer {writer}"), number, counts);
                // A writer sends a batch until it is added, and may not know that it was.
                while store.add_usage(&batch).await.is_err() {}
                while store.add_usage(&batch).await.is_err() {}
            }
        });
    }
    tasks.spawn({
        let store = store.clone();
        async move { while store.purge_usage_before(Day::from_unix_days(KEPT)).await.is_err() {} }
    });
    for _ in 0..4 {
        store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
        store
            .change_owner(OwnerChange::delete_organization("acme", samples::revocation(1, "gone")))
            .await
            .unwrap();
        let purge = || OwnerChange::purge_owner(&Owner::organization("acme"));
        while store.change_owner(purge()).await.is_err_and(|error| error.kind() != BackendErrorKind::NotFound)
        {
        }
    }
    tasks.join_all().await;
    check_totals(&store).await;
    let kept = |days: Range<i64>| (days.end - days.start.max(KEPT)) as u64;
    let days = (0..WRITERS).flat_map(|writer| (1..=BATCHES).map(move |number| days(writer, number)));
    let query =
        UsageQuery::new(Day::from_unix_days(KEPT), Day::from_unix_days(20_009)).of_organization("other");
    let requests: u64 = store.usage(&query).await.unwrap().iter().map(|line| line.requests).sum();
    // An organization with 2 requests and its project with 4, live and test.
    assert_eq!(requests, days.map(kept).sum::<u64>() * (2 + 4) * 2);
}

/// Days are purged at the same time, so that rows which both delete are gone before the purge of the owner has locked them.
pub async fn a_purged_owner_leaves_no_usage_beside_a_purge_of_days<S>(store: S)
where
    S: KeyStore + OwnerStore + UsageStore + Clone,
{
    const KEPT: i64 = 20_001;
    for round in 1..=5 {
        store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
        let count = |number: i64| {
            let id = KeyId::new(&format!("key_{number:04}")).unwrap();
            let day = Day::from_unix_days(KEPT - 1 + number / 1_500);
            UsageCount::new(id, Environment::Live, Owner::organization("acme"), 1, day.start())
        };
        store.add_usage(&UsageBatch::new("writer", round, (0..3_000).map(count))).await.unwrap();
        let delete = OwnerChange::delete_organization("acme", samples::revocation(1, "gone"));
        store.change_owner(delete).await.unwrap();
        let by_day = store.clone();
        let by_day = tokio::spawn(async move { by_day.purge_usage_before(Day::from_unix_days(KEPT)).await });
        store.change_owner(OwnerChange::purge_owner(&Owner::organization("acme"))).await.unwrap();
        let days = UsageQuery::new(Day::from_unix_days(KEPT - 1), Day::from_unix_days(KEPT));
        for query in [days.clone().of_organization("acme"), days.of_organization("acme").by(UsageBy::Key)] {
            assert_eq!(store.usage(&query).await.unwrap(), [], "round {round}");
        }
        by_day.await.unwrap().unwrap();
        check_totals(&store).await;
    }
}
