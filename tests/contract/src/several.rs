//! Lists of keys, and changes of several at once.

use tower_api_key::backend::{BackendErrorKind, KeyBatch, KeyChange, KeyFilter, KeyStore};
use tower_api_key::owner::Organization;
use tower_api_key::record::KeyState;
use tower_api_key::reject::Reason;
use tower_api_key::{Environment, KeyId, Owner, Record, Timestamp};

use crate::caller::Caller;
use crate::samples;

const NOW: Timestamp = Timestamp::from_unix_millis(1_000);

/// Keys that all differ, so that each filter matches others.
fn various() -> Vec<Record> {
    let owners = [
        Owner::organization("acme"),
        Owner::organization("Acme"),
        Owner::project(Organization::new("acme"), "smart-sink"),
        Owner::project(Organization::new("other"), "smart-sink"),
        Owner::user("ada@example.com", []),
        Owner::user("Ada@example.com", []),
        Owner::organization("a' OR 'a' = 'a"),
    ];
    let mut records = Vec::new();
    for (index, owner) in owners.into_iter().enumerate() {
        for variant in 0..4 {
            let mut record = samples::plain(&format!("k{index}-{variant}"));
            record.owner = owner.clone();
            record.environment = if variant % 2 == 0 { Environment::Live } else { Environment::Test };
            record.hint = ["demo_live_a1", "demo_live_b2", "DEMO_live_a1", "d%_"][variant].into();
            record.name = ["Build server", "build Server 2", "", "Build_server"][variant].into();
            record.created_at = (variant > 0).then(|| Timestamp::from_unix_millis(variant as i64 * 500));
            record.expires_at =
                [None, Some(999), Some(1_000), Some(1_001)][variant].map(Timestamp::from_unix_millis);
            record.revoked = (index == 2 && variant > 1).then(|| samples::revocation(variant as i64, "lost"));
            record.disabled = (index == 3).then(|| samples::disabling(variant as i64, "seen"));
            records.push(record);
        }
    }
    records
}

fn filters() -> Vec<KeyFilter> {
    let with = |fill: fn(&mut KeyFilter)| {
        let mut filter = KeyFilter::all();
        fill(&mut filter);
        filter
    };
    let mut filters = vec![
        KeyFilter::all(),
        KeyFilter::of_organization("acme"),
        KeyFilter::of_organization("acm"),
        KeyFilter::of_organization("a' OR 'a' = 'a"),
        KeyFilter::of_organization("' OR 1 = 1 --"),
        KeyFilter::of_user("ada@example.com"),
        KeyFilter::of_user(""),
        with(|filter| filter.project = Some("smart-sink".into())),
        with(|filter| filter.outside_projects = true),
        with(|filter| (filter.outside_projects, filter.project) = (true, Some("smart-sink".into()))),
        KeyFilter::all().environment(Environment::Test),
        KeyFilter::of_organization("acme").environment(Environment::Live).state(KeyState::Active, NOW),
        with(|filter| filter.created_before = Some(Timestamp::from_unix_millis(1_000))),
        with(|filter| filter.starts_with = Some("demo_live_".into())),
        with(|filter| filter.starts_with = Some("d%_".into())),
        with(|filter| filter.starts_with = Some("".into())),
        with(|filter| filter.name_starts_with = Some("".into())),
        with(|filter| filter.name_starts_with = Some("BUILD s".into())),
    ];
    let states = [KeyState::Active, KeyState::Disabled, KeyState::Expired, KeyState::Revoked];
    filters.extend(states.map(|state| KeyFilter::all().state(state, NOW)));
    filters
}

async fn store_various<S: KeyStore>(store: &S) -> Vec<Record> {
    let mut records = various();
    // A list is not in the order of insertion.
    for record in records.iter().rev() {
        store.change(KeyChange::insert(record.clone())).await.unwrap();
    }
    records.sort_by(|a, b| a.id.cmp(&b.id));
    records
}

pub async fn a_list_holds_what_its_filter_means_in_order<S: KeyStore>(store: S) {
    let records = store_various(&store).await;
    for filter in filters() {
        let expected: Vec<_> = records.iter().filter(|record| filter.matches(record)).cloned().collect();
        assert_eq!(store.list(&filter, None, 1_000).await.unwrap(), expected, "{filter:?}");
    }
}

pub async fn pages_join_into_the_whole_list<S: KeyStore>(store: S) {
    store_various(&store).await;
    for filter in [KeyFilter::all(), KeyFilter::of_organization("acme")] {
        let whole = store.list(&filter, None, usize::MAX).await.unwrap();
        for size in [1, 3, whole.len(), whole.len() + 1] {
            let mut joined: Vec<Record> = Vec::new();
            loop {
                let after = joined.last().map(|record| record.id.clone());
                let page = store.list(&filter, after.as_ref(), size).await.unwrap();
                assert!(page.len() <= size);
                if page.is_empty() {
                    break;
                }
                joined.extend(page);
            }
            assert_eq!(joined, whole, "pages of {size}");
        }
        assert_eq!(store.list(&filter, None, 0).await.unwrap(), []);
    }
}

/// Keys whose texts are long, equal, or differ in their case or behind what is ordered.
fn named() -> Vec<Record> {
    let arabic = "\u{645}".repeat(255);
    let wide = "\u{1f511}".repeat(254);
    let names = [
        "CI",
        "ci",
        "Ci 2",
        "CI_",
        "c",
        "d",
        "",
        " ci",
        "\u{c7}i",
        "\u{e7}i",
        "100%",
        "100_",
        "10",
        &arabic,
        &format!("{}\u{646}", "\u{645}".repeat(254)),
        &format!("{wide}a"),
        &format!("{wide}b"),
    ];
    let owners = [
        Owner::organization("acme"),
        Owner::project(Organization::new("acme"), "sink"),
        Owner::user("ada@example.com", []),
        Owner::organization("other"),
    ];
    let mut records = Vec::new();
    for (index, name) in names.iter().enumerate() {
        for (of, owner) in owners.iter().enumerate() {
            let mut record = samples::plain(&format!("k{}-{of}", (index * 7) % names.len()));
            (record.name, record.owner) = ((*name).into(), owner.clone());
            record.hint = ["demo_live_a...", "demo_live_b...", "Demo_live_a...", ""][(index + of) % 4].into();
            record.expires_at = (index % 3 == 0).then_some(Timestamp::from_unix_millis(1));
            records.push(record);
        }
    }
    records
}

pub async fn a_search_finds_the_keys_whose_texts_start_so_in_their_order<S: KeyStore>(store: S) {
    let records = named();
    for record in &records {
        store.change(KeyChange::insert(record.clone())).await.unwrap();
    }
    let long = "\u{645}".repeat(100);
    let owners = [
        KeyFilter::all(),
        KeyFilter::of_organization("acme"),
        KeyFilter::of_project("acme", "sink"),
        KeyFilter::of_user("ada@example.com"),
        KeyFilter::of_organization("acme").state(KeyState::Active, NOW),
    ];
    for owner in owners {
        let names = ["", "ci", "CI", "C", "\u{c7}", "100%", "1", "x", &long, "\u{1f511}"];
        let by_name = names.map(|start| owner.clone().name_starts_with(start));
        let by_hint =
            ["", "demo_live_", "demo_live_a", "D", "%"].map(|start| owner.clone().starts_with(start));
        let by_both = owner.clone().starts_with("demo_live_").name_starts_with("ci");
        for filter in by_name.into_iter().chain(by_hint).chain([by_both, owner]) {
            let mut expected: Vec<_> = records.iter().filter(|record| filter.matches(record)).collect();
            expected.sort_by_key(|record| filter.position(record));
            let expected: Vec<_> = expected.iter().map(|record| &record.id).collect();
            for size in [1, 4, 1_000] {
                let mut found: Vec<Record> = Vec::new();
                loop {
                    let after = found.last().map(|record| filter.position(record));
                    let page = store.search(&filter, after.as_ref(), size).await.unwrap();
                    if page.is_empty() {
                        break;
                    }
                    assert!(page.len() <= size);
                    found.extend(page);
                }
                let found: Vec<_> = found.iter().map(|record| &record.id).collect();
                assert_eq!(found, expected, "{filter:?}, pages of {size}");
            }
        }
    }
}

pub async fn a_list_goes_on_behind_a_key_that_is_gone<S: KeyStore>(store: S) {
    for name in ["a", "B", "c", "_"] {
        store.change(KeyChange::insert(samples::plain(name))).await.unwrap();
    }
    let behind = |id: &str| {
        let id = samples::id(id);
        let store = &store;
        async move {
            let page = store.list(&KeyFilter::all(), Some(&id), 9).await.unwrap();
            page.iter().map(|record| record.id.to_string()).collect::<Vec<_>>()
        }
    };
    // Ids are in the order of their bytes: capitals, the underscore, small letters.
    assert_eq!(behind("A").await, ["B", "_", "a", "c"]);
    assert_eq!(behind("b").await, ["c"]);
    assert_eq!(behind("z").await, [""; 0]);
}

pub async fn all_keys_of_a_filter_are_revoked_at_once<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    let mut records = store_various(&store).await;
    let filter = KeyFilter::of_organization("acme");
    for id in ["k0-0", "k4-0"] {
        assert_eq!(caller.warm(id).await, Ok(samples::id(id)));
    }
    let revocation = samples::revocation(7, "leaked");
    // Of its eight keys, two were revoked before.
    assert_eq!(store.change(KeyChange::revoke_all(&filter, revocation.clone())).await.unwrap().keys, 6);
    assert_eq!(caller.present("k0-0").await, Err(Reason::Revoked));
    assert_eq!(caller.present("k4-0").await, Ok(samples::id("k4-0")));

    for record in records.iter_mut().filter(|record| filter.matches(record)) {
        record.revoked.get_or_insert(revocation.clone());
    }
    assert_eq!(store.list(&KeyFilter::all(), None, 100).await.unwrap(), records);
    assert_eq!(
        store.change(KeyChange::revoke_all(&filter, samples::revocation(8, "again"))).await.unwrap().keys,
        0
    );
    assert_eq!(store.list(&KeyFilter::all(), None, 100).await.unwrap(), records);
}

pub async fn the_keys_of_a_filter_are_revoked_in_batches<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    let mut records = store_various(&store).await;
    let filter = KeyFilter::of_organization("acme");
    assert_eq!(caller.warm("k0-0").await, Ok(samples::id("k0-0")));
    let revoke = async |batch| {
        let change = KeyChange::revoke_batch(batch, samples::revocation(7, "leaked"));
        store.change(change).await.unwrap()
    };
    assert_eq!(store.count_unrevoked(&filter, 100).await.unwrap(), 6);
    assert_eq!(store.count_unrevoked(&filter, 5).await.unwrap(), 5);
    let mut batch = KeyBatch::first(0, filter.clone());
    assert_eq!(revoke(batch.clone()).await.keys, 0);
    batch.most = 4;
    for expected in [4, 2] {
        let revoked = revoke(batch.clone()).await;
        let mut last = None;
        for record in records.iter_mut().filter(|record| batch.matches(record)).take(4) {
            record.revoked = Some(samples::revocation(7, "leaked"));
            last = Some(record.id.as_str().into());
        }
        assert_eq!((revoked.keys, revoked.last), (expected, last.clone().filter(|_| expected == 4)));
        assert_eq!(store.list(&KeyFilter::all(), None, 100).await.unwrap(), records);
        batch.after = last;
    }
    assert_eq!(store.count_unrevoked(&filter, 100).await.unwrap(), 0);
    assert_eq!(caller.present("k0-0").await, Err(Reason::Revoked));
}

pub async fn a_batch_leaves_out_keys_before_its_start_and_later_ones<S: KeyStore>(store: S) {
    for (name, created_at) in [("a", Some(5)), ("b", Some(6)), ("c", None), ("d", Some(5)), ("e", Some(4))] {
        let mut record = samples::plain(name);
        record.created_at = created_at.map(Timestamp::from_unix_millis);
        store.change(KeyChange::insert(record)).await.unwrap();
    }
    let mut batch = KeyBatch::first(9, KeyFilter::all()).after("a");
    batch = batch.created_until(Timestamp::from_unix_millis(5));
    batch.except = vec![samples::id("d")];
    let change = KeyChange::revoke_batch(batch, samples::revocation(7, "leaked"));
    let revoked = store.change(change).await.unwrap();
    assert_eq!((revoked.keys, revoked.last), (2, None));
    let records = store.list(&KeyFilter::all(), None, 9).await.unwrap();
    let left = records.iter().filter(|record| record.revoked.is_none()).map(|record| record.id.as_str());
    assert_eq!(left.collect::<Vec<_>>(), ["a", "b", "d"]);
}

pub async fn more_keys_than_a_statement_has_parameters_are_revoked<S: KeyStore + Clone>(store: S) {
    const KEYS: usize = 1_100;
    for number in 0..KEYS {
        store.change(KeyChange::insert(samples::plain(&format!("key_{number}")))).await.unwrap();
    }
    let revoked = store
        .change(KeyChange::revoke_all(&KeyFilter::all(), samples::revocation(1, "all")))
        .await
        .unwrap()
        .keys;
    assert_eq!(revoked, KEYS as u64);
    let caller = Caller::of(&store);
    assert_eq!(caller.present("key_0").await, Err(Reason::Revoked));
    assert_eq!(caller.present("key_1099").await, Err(Reason::Revoked));
}

pub async fn any_number_of_ended_keys_is_deleted<S: KeyStore + Clone>(store: S) {
    const KEYS: usize = 1_100;
    for number in 0..KEYS {
        let mut record = samples::plain(&format!("key_{number:04}"));
        record.revoked = (number % 2 == 1).then(|| samples::revocation(1, "ended"));
        store.change(KeyChange::insert(record)).await.unwrap();
    }
    let caller = Caller::of(&store);
    assert_eq!(caller.warm("key_0000").await, Ok(samples::id("key_0000")));
    assert_eq!(store.change(KeyChange::purge_ended(NOW)).await.unwrap().keys, KEYS as u64 / 2);
    let left = store.list(&KeyFilter::all(), None, KEYS).await.unwrap();
    assert_eq!(left.len(), KEYS / 2);
    assert!(left.iter().all(|record| record.revoked.is_none()));
    assert_eq!(caller.present("key_0000").await, Ok(samples::id("key_0000")));
    assert_eq!(caller.present("key_1099").await, Err(Reason::Unknown));
}

pub async fn keys_that_ended_before_a_time_are_deleted<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    let mut records = store_various(&store).await;
    assert_eq!(caller.warm("k2-2").await, Err(Reason::Revoked));
    let before = NOW;
    let has_ended = |record: &Record| {
        record.expires_at.is_some_and(|end| end < before)
            || record.revoked.as_ref().is_some_and(|revoked| revoked.at < before)
    };
    let gone: Vec<KeyId> =
        records.iter().filter(|record| has_ended(record)).map(|record| record.id.clone()).collect();
    assert_eq!(gone.len(), 9);
    assert_eq!(store.change(KeyChange::purge_ended(before)).await.unwrap().keys, 9);
    records.retain(|record| !has_ended(record));
    assert_eq!(store.list(&KeyFilter::all(), None, 100).await.unwrap(), records);
    for id in gone {
        assert_eq!(store.find(&samples::digest(id.as_str())).await.unwrap(), None);
        assert_eq!(store.get(&id).await.unwrap(), None);
    }
    assert!(caller.present("k2-2").await.is_err());
    assert_eq!(store.change(KeyChange::purge_ended(before)).await.unwrap().keys, 0);
    // The id and the text can be used again.
    store.change(KeyChange::insert(samples::plain("k2-2"))).await.unwrap();
}

pub async fn keys_in_force_that_are_deleted_are_unknown_to_all_at_once<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    let mut record = samples::plain("key");
    // Its expiry is far away by every clock.
    record.expires_at = Some(Timestamp::from_unix_millis(i64::from(u32::MAX) * 1_000));
    store.change(KeyChange::insert(record)).await.unwrap();
    assert_eq!(caller.warm("key").await, Ok(samples::id("key")));
    assert_eq!(
        store.change(KeyChange::purge_ended(Timestamp::from_unix_millis(i64::MAX / 2))).await.unwrap().keys,
        1
    );
    assert_eq!(caller.present("key").await, Err(Reason::Unknown));
}

pub async fn a_key_replaces_all_that_a_filter_means_at_once<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    let mut records = store_various(&store).await;
    assert_eq!(caller.warm("k0-0").await, Ok(samples::id("k0-0")));
    let (filter, revocation) = (KeyFilter::of_organization("acme"), samples::revocation(7, "replaced"));
    // A key that cannot be added replaces nothing.
    let error = store
        .change(KeyChange::insert_exclusive(samples::plain("k0-0"), &filter, revocation.clone()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
    assert_eq!(store.list(&KeyFilter::all(), None, 100).await.unwrap(), records);
    assert_eq!(caller.present("k0-0").await, Ok(samples::id("k0-0")));

    assert_eq!(caller.warm("new").await, Err(Reason::Unknown));
    let new = store
        .change(KeyChange::insert_exclusive(samples::plain("new"), &filter, revocation.clone()))
        .await
        .unwrap()
        .record
        .unwrap();
    assert_eq!(new, samples::plain("new"));
    assert_eq!(caller.present("k0-0").await, Err(Reason::Revoked));
    assert_eq!(caller.present("new").await, Ok(samples::id("new")));
    for record in records.iter_mut().filter(|record| filter.matches(record)) {
        record.revoked.get_or_insert(revocation.clone());
    }
    records.push(new);
    records.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(store.list(&KeyFilter::all(), None, 100).await.unwrap(), records);
}
