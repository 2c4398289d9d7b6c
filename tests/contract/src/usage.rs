//! Usage is exact, and changes nothing of a key except its last use.

use std::collections::BTreeMap;

use tokio::task::JoinSet;
use tower_api_key::backend::{
    KeyChange, KeyFilter, KeyStore, OwnerChange, OwnerStore, UsageBatch, UsageBy, UsageCount, UsageLine,
    UsageQuery, UsageStore,
};
use tower_api_key::clock::Day;
use tower_api_key::owner::Organization;
use tower_api_key::reject::Reason;
use tower_api_key::{Environment, Owner, Timestamp};

use crate::abandon::{abandon, at_every_point, wash};
use crate::caller::Caller;
use crate::samples;

/// A line, in short: the key, the day, the environment and the requests.
type Line = (Option<String>, i64, Environment, u64);

/// The slot of a line, and its requests, and of these the limited and the forbidden ones.
type Numbers = BTreeMap<(Option<String>, i64, Environment), [u64; 3]>;

fn count(name: &str, requests: u64, day: i64, millis: i64) -> UsageCount {
    of(name, Environment::Live, Owner::organization("acme"), requests, day, millis)
}

fn of(
    name: &str,
    environment: Environment,
    owner: Owner,
    requests: u64,
    day: i64,
    millis: i64,
) -> UsageCount {
    UsageCount::new(samples::id(name), environment, owner, requests, at(day, millis))
}

fn at(day: i64, millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(Day::from_unix_days(day).start().unix_millis() + millis)
}

/// All days with usage.
fn ever() -> UsageQuery {
    UsageQuery::new(Day::from_unix_days(-1_000_000), Day::from_unix_days(1_000_000))
}

async fn add(
    store: &impl UsageStore,
    writer: &str,
    number: u64,
    counts: impl IntoIterator<Item = UsageCount>,
) {
    store.add_usage(&UsageBatch::new(writer, number, counts)).await.unwrap();
}

async fn lines(store: &impl UsageStore, query: UsageQuery) -> Vec<Line> {
    let lines = store.usage(&query).await.unwrap();
    let short = |line: UsageLine| {
        (line.key.map(|id| id.to_string()), line.day.unix_days(), line.environment, line.requests)
    };
    lines.into_iter().map(short).collect()
}

fn live(key: &str, day: i64, requests: u64) -> Line {
    (Some(key.to_owned()), day, Environment::Live, requests)
}

fn total(day: i64, requests: u64) -> Line {
    (None, day, Environment::Live, requests)
}

pub async fn usage_adds_up_by_key_and_in_total<S: UsageStore>(store: S) {
    assert_eq!(lines(&store, ever()).await, []);
    add(&store, "w", 1, [count("b", 2, 20_000, 0), count("a", 1, 20_000, 0)]).await;
    add(&store, "w", 2, [count("b", 3, 20_000, 1), count("a", 4, 20_001, 0)]).await;
    let by_key = [live("a", 20_000, 1), live("b", 20_000, 5), live("a", 20_001, 4)];
    assert_eq!(lines(&store, ever().by(UsageBy::Key)).await, by_key);
    assert_eq!(lines(&store, ever()).await, [total(20_000, 6), total(20_001, 4)]);
    assert_eq!(lines(&store, ever().by(UsageBy::Key).limit(2)).await, by_key[..2]);
    let pages = store.usage(&ever().by(UsageBy::Key)).await.unwrap();
    for (index, line) in pages.into_iter().enumerate() {
        assert_eq!(lines(&store, ever().by(UsageBy::Key).after(line)).await, by_key[index + 1..]);
    }
    let first = store.usage(&ever().limit(1)).await.unwrap().remove(0);
    assert_eq!(lines(&store, ever().after(first)).await, [total(20_001, 4)]);
    assert_eq!(lines(&store, ever().of_key(samples::id("b"))).await, [total(20_000, 5)]);
    assert_eq!(lines(&store, ever().of_key(samples::id("B"))).await, []);
}

pub async fn rejections_add_up_beside_their_requests<S: UsageStore>(store: S) {
    let counts = [count("a", 5, 20_000, 0).rejected(3, 1), count("b", 7, 20_000, 0)];
    add(&store, "w", 1, counts).await;
    // The requests of these were counted before.
    let rejections = || [count("a", 1, 20_000, 1).rejected(0, 1), count("b", 0, 20_000, 0).rejected(2, 4)];
    for _ in 0..2 {
        add(&store, "w", 2, rejections()).await;
    }
    let slot = |key: Option<&str>| (key.map(str::to_owned), 20_000, Environment::Live);
    let by_key = [(slot(Some("a")), [6, 3, 2]), (slot(Some("b")), [7, 2, 4])];
    assert_eq!(numbers(&store, &ever().by(UsageBy::Key)).await, by_key.into());
    for query in [ever(), ever().of_organization("acme"), ever().environment(Environment::Live)] {
        assert_eq!(numbers(&store, &query).await, [(slot(None), [13, 5, 6])].into(), "{query:?}");
    }
    let of_key = store.usage(&ever().of_key(samples::id("a"))).await.unwrap();
    assert_eq!((of_key.len(), of_key[0].served()), (1, 1));
}

async fn routes(store: &impl UsageStore, query: UsageQuery) -> Vec<(String, i64, Environment, u64)> {
    let lines = store.usage(&query.by(UsageBy::Route)).await.unwrap();
    let short = |line: UsageLine| {
        assert!(line.key.is_none() && line.limited == 0 && line.forbidden == 0);
        (line.route.unwrap().into(), line.day.unix_days(), line.environment, line.requests)
    };
    lines.into_iter().map(short).collect()
}

pub async fn requests_by_route_are_kept_beside_those_of_their_keys<S: KeyStore + OwnerStore + UsageStore>(
    store: S,
) {
    let (live, test) = (Environment::Live, Environment::Test);
    let project = Owner::project(Organization::new("other"), "sink");
    store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    let counts = || {
        [
            count("a", 3, 20_000, 0).routes([("/a b", 2), ("other", 1)]),
            count("a", 4, 20_001, 0).routes([("/a b", 4)]),
            count("b", 5, 20_000, 0).routes([("/a b", 5)]),
            count("c", 6, 20_000, 0),
            of("d", test, project.clone(), 7, 20_000, 0).routes([("/{id}", 7)]),
        ]
    };
    for number in [1, 1, 2] {
        add(&store, "w", number, counts()).await;
    }
    let line = |route: &str, day, environment, requests| (route.to_owned(), day, environment, requests);
    let all = [
        line("/a b", 20_000, live, 14),
        line("/{id}", 20_000, test, 14),
        line("other", 20_000, live, 2),
        line("/a b", 20_001, live, 8),
    ];
    assert_eq!(routes(&store, ever()).await, all);
    assert_eq!(routes(&store, ever().limit(2)).await, all[..2]);
    let pages = store.usage(&ever().by(UsageBy::Route)).await.unwrap();
    for (index, line) in pages.into_iter().enumerate() {
        assert_eq!(routes(&store, ever().after(line)).await, all[index + 1..]);
    }
    assert_eq!(routes(&store, ever().of_project("other", "sink")).await, all[1..2]);
    assert_eq!(routes(&store, ever().of_organization("other").environment(live)).await, []);
    let of_a = [line("/a b", 20_000, live, 4), line("other", 20_000, live, 2), line("/a b", 20_001, live, 8)];
    assert_eq!(routes(&store, ever().of_key(samples::id("a"))).await, of_a);
    // In the totals, each request is there once.
    assert_eq!(lines(&store, ever().of_organization("acme")).await, [total(20_000, 28), total(20_001, 8)]);

    assert_eq!(store.purge_usage_before(Day::from_unix_days(20_001)).await.unwrap(), 4);
    assert_eq!(routes(&store, ever()).await, all[3..]);
    let delete = OwnerChange::delete_organization("acme", samples::revocation(1, "gone"));
    store.change_owner(delete).await.unwrap();
    store.change_owner(OwnerChange::purge_owner(&Owner::organization("acme"))).await.unwrap();
    assert_eq!(routes(&store, ever()).await, []);
}

pub async fn a_batch_that_is_sent_twice_counts_once<S: KeyStore + UsageStore>(store: S) {
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    for (number, requests) in [(1, 1), (1, 1), (2, 10), (1, 1), (2, 10), (5, 100), (4, 7), (5, 100)] {
        add(&store, "w", number, [count("key", requests, 20_000, number as i64)]).await;
    }
    // Another writer has its own numbers.
    add(&store, "v", 1, [count("key", 1_000, 20_000, 0)]).await;
    assert_eq!(lines(&store, ever()).await, [total(20_000, 1_111)]);
    let last = store.get(&samples::id("key")).await.unwrap().unwrap().last_used_at;
    assert_eq!(last, Some(at(20_000, 5)));
}

pub async fn a_batch_of_more_rows_than_a_statement_has_parameters_is_added<S: KeyStore + UsageStore>(
    store: S,
) {
    store.change(KeyChange::insert(samples::plain("key_12000"))).await.unwrap();
    let counts = (0..12_001).map(|number| count(&format!("key_{number}"), 2, 20_000, 3));
    add(&store, "w", 1, counts).await;
    assert_eq!(lines(&store, ever()).await, [total(20_000, 24_002)]);
    assert_eq!(lines(&store, ever().by(UsageBy::Key)).await.len(), 12_001);
    let last = store.get(&samples::id("key_12000")).await.unwrap().unwrap().last_used_at;
    assert_eq!(last, Some(at(20_000, 3)));
}

pub async fn the_last_use_of_a_key_never_goes_back<S: KeyStore + UsageStore>(store: S) {
    let ids = ["used", "new"].map(samples::id);
    let mut used = samples::full("used");
    used.last_used_at = Some(at(20_000, 5));
    store.change(KeyChange::insert(used.clone())).await.unwrap();
    store.change(KeyChange::insert(samples::plain("new"))).await.unwrap();
    // Two days in one batch, in either order of their times.
    let news = [(20_000, 4, 5, 4), (20_000, 6, 6, 6), (20_000, 5, 6, 6), (20_000, 6, 6, 6)];
    for (number, (day, millis, expected, expected_new)) in (1..).zip(news) {
        let counts =
            ["used", "new"].map(|name| [count(name, 1, day, millis), count(name, 1, day - 1, 9)]).concat();
        add(&store, "w", number, counts).await;
        for (id, expected) in ids.iter().zip([expected, expected_new]) {
            let last = store.get(id).await.unwrap().unwrap().last_used_at;
            assert_eq!(last, Some(at(20_000, expected)), "{id} after batch {number}");
        }
    }
    used.last_used_at = Some(at(20_000, 6));
    assert_eq!(store.get(&ids[0]).await.unwrap(), Some(used), "nothing else of it has changed");
}

async fn numbers(store: &impl UsageStore, query: &UsageQuery) -> Numbers {
    let lines = store.usage(query).await.unwrap().into_iter();
    let numbers = lines.map(|line| {
        let slot = (line.key.map(|id| id.to_string()), line.day.unix_days(), line.environment);
        (slot, [line.requests, line.limited, line.forbidden])
    });
    numbers.collect()
}

/// Checks that the totals of each owner, and of all, are the sums of their keys.
pub(crate) async fn check_totals(store: &impl UsageStore) {
    let owners = [
        ever(),
        ever().of_organization("acme"),
        ever().of_organization("other"),
        ever().of_project("acme", "sink"),
        ever().of_project("other", "sink"),
        ever().of_user("ann@example.com"),
    ];
    for owner in owners {
        for query in [owner.clone(), owner.clone().environment(Environment::Test)] {
            let mut sums = Numbers::new();
            for ((_, day, environment), of_key) in numbers(store, &query.clone().by(UsageBy::Key)).await {
                let sum = sums.entry((None, day, environment)).or_default();
                sum.iter_mut().zip(of_key).for_each(|(sum, number)| *sum += number);
            }
            assert_eq!(numbers(store, &query).await, sums, "{query:?}");
        }
    }
}

/// Returns a count of each kind of owner in each environment on each of some days.
pub(crate) fn counts_of_all_owners(days: impl Iterator<Item = i64>) -> Vec<UsageCount> {
    let owners = [
        Owner::organization("acme"),
        Owner::organization("other"),
        Owner::project(Organization::new("acme"), "sink"),
        Owner::project(Organization::new("other"), "sink"),
        Owner::user("ann@example.com", []),
    ];
    let mut counts = Vec::new();
    for day in days {
        for (number, owner) in owners.iter().enumerate() {
            for environment in [Environment::Live, Environment::Test] {
                let name = format!("k{number}-{}", environment.label());
                let count = of(&name, environment, owner.clone(), number as u64 + 1, day, 0);
                counts.push(count.rejected(number as u64 / 2, 1));
            }
        }
    }
    counts
}

pub async fn totals_are_the_sums_of_their_keys<S: UsageStore>(store: S) {
    add(&store, "w", 1, counts_of_all_owners(20_000..20_003)).await;
    add(&store, "w", 2, counts_of_all_owners(20_002..20_004)).await;
    check_totals(&store).await;
    // Live and test keys of all owners.
    assert_eq!(lines(&store, ever().environment(Environment::Live)).await[2], total(20_002, 30));
    let acme = lines(&store, ever().of_organization("acme").environment(Environment::Live)).await;
    assert_eq!(acme, [total(20_000, 4), total(20_001, 4), total(20_002, 8), total(20_003, 4)]);
    // The usage of a key stays with the owner for whom it began on that day.
    let moved = of("k0-live", Environment::Live, Owner::organization("other"), 100, 20_000, 1);
    add(&store, "w", 3, [moved]).await;
    check_totals(&store).await;
    let acme = lines(&store, ever().of_organization("acme").environment(Environment::Live)).await;
    assert_eq!(acme[0], total(20_000, 104));
}

pub async fn usage_before_a_day_is_deleted_with_its_totals<S: UsageStore>(store: S) {
    add(&store, "w", 1, counts_of_all_owners(20_000..20_003)).await;
    let day = Day::from_unix_days;
    assert_eq!(store.purge_usage_before(day(20_000)).await.unwrap(), 0);
    assert_eq!(store.purge_usage_before(day(20_002)).await.unwrap(), 20);
    let environments = [Environment::Live, Environment::Test];
    assert_eq!(lines(&store, ever()).await, environments.map(|own| (None, 20_002, own, 15)));
    check_totals(&store).await;
    // More than a batch.
    add(&store, "w", 2, (0..2_500).map(|number| count(&format!("key_{number}"), 1, 20_002, 0))).await;
    assert_eq!(store.purge_usage_before(day(20_003)).await.unwrap(), 2_510);
    assert_eq!(lines(&store, ever()).await, []);
    add(&store, "w", 3, counts_of_all_owners(20_002..20_003)).await;
    check_totals(&store).await;
}

pub async fn usage_brings_no_key_back<S: KeyStore + UsageStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    let mut expired = samples::plain("expired");
    expired.expires_at = Some(Timestamp::from_unix_millis(0));
    let mut revoked = samples::plain("revoked");
    revoked.revoked = Some(samples::revocation(9, "lost"));
    let mut deleted = samples::plain("deleted");
    deleted.revoked = Some(samples::revocation(-9, "lost"));
    for record in [&expired, &revoked, &deleted] {
        store.change(KeyChange::insert(record.clone())).await.unwrap();
    }
    assert_eq!(store.change(KeyChange::purge_ended(Timestamp::from_unix_millis(-5))).await.unwrap().keys, 1);

    let names = ["deleted", "revoked", "expired", "never-there"];
    add(&store, "w", 1, names.map(|name| count(name, 1, 20_000, 7))).await;
    for record in [&mut expired, &mut revoked] {
        record.last_used_at = Some(at(20_000, 7));
    }
    assert_eq!(store.list(&KeyFilter::all(), None, 100).await.unwrap(), [expired, revoked]);
    assert_eq!(caller.present("revoked").await, Err(Reason::Revoked));
    assert_eq!(caller.present("expired").await, Err(Reason::Expired));
    for name in ["deleted", "never-there"] {
        assert_eq!(caller.present(name).await, Err(Reason::Unknown), "{name}");
    }
}

pub async fn the_usage_of_a_key_outlives_it<S: KeyStore + UsageStore>(store: S) {
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    add(&store, "w", 1, [count("key", 3, 20_000, 0)]).await;
    store.change(samples::revoke("key", 1, "lost")).await.unwrap();
    assert_eq!(store.change(KeyChange::purge_ended(Timestamp::from_unix_millis(2))).await.unwrap().keys, 1);
    // Usage in progress when the key was deleted.
    add(&store, "w", 2, [count("key", 4, 20_000, 0)]).await;
    assert_eq!(store.get(&samples::id("key")).await.unwrap(), None);
    assert_eq!(store.find(&samples::digest("key")).await.unwrap(), None);
    assert_eq!(lines(&store, ever().of_organization("acme")).await, [total(20_000, 7)]);
}

pub async fn usage_is_no_change_of_a_key<S: KeyStore + UsageStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    caller.warm("key").await.unwrap();
    let reads = caller.reads();
    add(&store, "w", 1, [count("key", 1, 20_000, 0)]).await;
    assert!(caller.present("key").await.is_ok());
    assert_eq!(caller.reads(), reads, "the record is still cached");
}

pub async fn live_and_test_tenants_and_days_are_told_apart<S: UsageStore>(store: S) {
    let project = |id: &str| Owner::project(Organization::new("acme"), id);
    let (live, test) = (Environment::Live, Environment::Test);
    let counts = [
        of("k1", live, Owner::organization("acme"), 1, 10, 0),
        of("k2", test, Owner::organization("acme"), 2, 10, 0),
        of("k3", live, project("sink"), 4, 11, 0),
        of("k4", live, Owner::organization("Acme"), 8, 11, 0),
        of("k5", live, Owner::user("acme", []), 16, 11, 0),
        of("k6", test, project("lamp"), 32, 12, 0),
        of("k1", live, Owner::organization("acme"), 64, -1, 0),
    ];
    add(&store, "w", 1, counts).await;
    let sum = async |query: UsageQuery| lines(&store, query).await.iter().map(|line| line.3).sum::<u64>();
    let with = |change: fn(&mut UsageQuery)| {
        let mut query = ever();
        change(&mut query);
        query
    };
    let days = |from, to| UsageQuery::new(Day::from_unix_days(from), Day::from_unix_days(to));
    for (query, expected) in [
        (ever(), 127),
        (ever().environment(live), 93),
        (ever().environment(test), 34),
        (ever().of_organization("acme"), 103),
        (ever().of_organization("acme").environment(live), 69),
        (ever().of_organization("Acme"), 8),
        (ever().of_organization("a%"), 0),
        (with(|query| query.user = Some("acme".into())), 16),
        (with(|query| query.project = Some("sink".into())), 4),
        (with(|query| query.project = Some("lamp".into())).environment(live), 0),
        (days(10, 10), 3),
        (days(10, 11), 31),
        (days(11, 12), 60),
        (days(12, 10), 0),
        (days(-1, 0), 64),
    ] {
        let text = format!("{query:?}");
        assert_eq!(sum(query).await, expected, "{text}");
    }
    let both = lines(&store, days(10, 10)).await;
    assert_eq!(both, [(None, 10, live, 1), (None, 10, test, 2)], "they are never one number");
}

pub async fn a_batch_that_cannot_be_kept_leaves_no_trace<S: KeyStore + UsageStore>(store: S) {
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    add(&store, "w", 1, [count("key", 1, 20_000, 0)]).await;
    let too_many = UsageBatch::new("w", 2, [count("a", 1, 20_000, 9), count("b", u64::MAX, 20_000, 9)]);
    // A store that has room for it adds all of it.
    let expected = if store.add_usage(&too_many).await.is_ok() { 3 } else { 1 };
    assert_eq!(lines(&store, ever().by(UsageBy::Key)).await.len(), expected);
    if expected == 1 {
        // It was not recorded either: the number is still unused.
        add(&store, "w", 2, [count("key", 1, 20_000, 9)]).await;
        assert_eq!(lines(&store, ever()).await, [total(20_000, 2)]);
    }
}

pub async fn many_writers_at_once_lose_nothing<S: KeyStore + UsageStore + Clone>(store: S) {
    const WRITERS: u64 = 4;
    const BATCHES: u64 = 8;
    for number in 0..40 {
        store.change(KeyChange::insert(samples::plain(&format!("key_{number}")))).await.unwrap();
    }
    let mut tasks = JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        tasks.spawn(async move {
            for number in 1..=BATCHES {
                // The same keys for all writers, on different days.
                let day = 20_000 + (writer as i64 + number as i64) % 3;
                let counts = (0..40).map(|key| count(&format!("key_{key}"), 1, day, number as i64));
                let batch = UsageBatch::new(format!("writer {writer}"), number, counts);
                for _ in 0..2 {
                    store.add_usage(&batch).await.unwrap();
                }
            }
        });
    }
    tasks.spawn({
        let store = store.clone();
        async move {
            let change =
                KeyChange::revoke_all(&KeyFilter::of_organization("acme"), samples::revocation(1, ""));
            store.change(change).await.unwrap();
        }
    });
    tasks.join_all().await;
    let mut sums = BTreeMap::new();
    for (key, _, _, requests) in lines(&store, ever().by(UsageBy::Key)).await {
        *sums.entry(key).or_insert(0) += requests;
    }
    assert_eq!(sums.len(), 40);
    assert!(sums.values().all(|requests| *requests == WRITERS * BATCHES), "{sums:?}");
    let records = store.list(&KeyFilter::all(), None, 100).await.unwrap();
    assert!(records.iter().all(|record| record.revoked.is_some()));
}

pub async fn an_abandoned_batch_that_is_sent_again_counts_once<S: UsageStore + Clone>(store: S) {
    at_every_point(async |attempt, waits| {
        let number = attempt as u64 + 1;
        let batch = UsageBatch::new("w", number, [count("key", 1, 20_000, 0)]);
        let asked = (store.clone(), batch.clone());
        let leftovers = abandon(async move { asked.0.add_usage(&asked.1).await }, waits).await;
        // An open transaction would be waited for.
        let completed = leftovers.settle().await;
        wash(async |_| drop(store.usage(&ever()).await)).await;
        store.add_usage(&batch).await.unwrap();
        assert_eq!(lines(&store, ever()).await, [total(20_000, number)], "after {waits} waits");
        completed
    })
    .await;
}
