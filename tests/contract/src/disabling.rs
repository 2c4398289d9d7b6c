//! A disabled key is rejected until it is enabled, and is in the state that the guide's table of states says.

use tower_api_key::backend::{BackendErrorKind, Grace, KeyChange, KeyFilter, KeyStore, KeyUpdate, WriteBack};
use tower_api_key::manage::{KeyManager, ManageErrorKind, NewKey};
use tower_api_key::record::KeyState;
use tower_api_key::reject::Reason;
use tower_api_key::{Environment, KeyFormat, KeyId, Record, Scopes, Timestamp};

use crate::caller::Caller;
use crate::samples::{self, GRACE, id};

/// The page with the table of states.
const GUIDE: &str = include_str!("../../../src/_guide/rotation.rs");
/// The time of all changes, which is that of the clock of a [`Caller`].
const NOW: Timestamp = Timestamp::from_unix_millis(0);
/// The expiry of keys that have not expired.
const END: Timestamp = Timestamp::from_unix_millis(1_000_000);

fn disable(name: &str) -> KeyChange {
    KeyChange::disable(&id(name), samples::disabling(0, "seen"))
}

fn enable(name: &str) -> KeyChange {
    KeyChange::enable(&id(name), NOW)
}

async fn get<S: KeyStore>(store: &S, name: &str) -> Option<Record> {
    store.get(&id(name)).await.unwrap()
}

pub async fn a_disabled_key_is_rejected_until_it_is_enabled<S: KeyStore + Clone>(store: S) {
    let (caller, other) = (Caller::of(&store), Caller::of(&store.clone()));
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    for _ in 0..3 {
        for caller in [&caller, &other] {
            assert_eq!(caller.warm("key").await, Ok(id("key")));
        }
        let disabled = store.change(disable("key")).await.unwrap().record.unwrap();
        assert_eq!(disabled.state(NOW), KeyState::Disabled);
        for caller in [&caller, &other] {
            assert_eq!(caller.present("key").await, Err(Reason::Disabled));
            // Further requests cost no lookup.
            let reads = caller.reads();
            assert_eq!(caller.present("key").await, Err(Reason::Disabled));
            assert_eq!(caller.reads(), reads);
        }
        store.change(enable("key")).await.unwrap();
        for caller in [&caller, &other] {
            assert_eq!(caller.present("key").await, Ok(id("key")));
        }
    }
}

pub async fn disabling_and_enabling_change_nothing_else<S: KeyStore>(store: S) {
    let mut record = samples::full("key");
    (record.revoked, record.disabled) = (None, None);
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    let disabling = samples::disabling(3, "seen in a \"Repo\"").by("grace@example.com");
    let disabled = record.clone().disabled(disabling.clone());
    let change = || KeyChange::disable(&record.id, disabling.clone());
    for _ in 0..2 {
        assert_eq!(store.change(change()).await.unwrap().record.unwrap(), disabled);
        assert_eq!(store.find(&record.digest).await.unwrap().as_ref(), Some(&disabled));
        assert_eq!(get(&store, "key").await.as_ref(), Some(&disabled));
    }
    for _ in 0..2 {
        assert_eq!(store.change(enable("key")).await.unwrap().record.unwrap(), record);
        assert_eq!(store.find(&record.digest).await.unwrap().as_ref(), Some(&record));
    }
}

pub async fn the_first_disabling_stays_unless_the_application_takes_over<S: KeyStore>(store: S) {
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let [by_owner, owner_again] =
        [(1, "paused"), (2, "again")].map(|(at, reason)| samples::disabling(at, reason).unlocked());
    let [by_application, later] =
        [(3, "unusual traffic"), (4, "later")].map(|(at, reason)| samples::disabling(at, reason));
    for (disabling, kept) in [
        (&by_owner, &by_owner),
        (&owner_again, &by_owner),
        (&by_application, &by_application),
        (&later, &by_application),
        (&owner_again, &by_application),
    ] {
        store.change(KeyChange::disable(&id("key"), disabling.clone())).await.unwrap();
        assert_eq!(get(&store, "key").await.unwrap().disabled.as_ref(), Some(kept));
    }
}

pub async fn an_unknown_key_can_be_neither_disabled_nor_enabled<S: KeyStore>(store: S) {
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    for change in [disable("other"), enable("other")] {
        assert_eq!(store.change(change).await.unwrap_err().kind(), BackendErrorKind::NotFound);
    }
}

/// A disabled key makes no change, whatever it asks for, and a delegate does not enable what the application has disabled.
pub async fn a_delegate_enables_only_what_a_delegate_disabled<S: KeyStore + Clone>(store: S) {
    for (name, scopes) in [("caller", "notes.read"), ("other", "notes.read"), ("strong", "notes.write")] {
        let record = samples::plain(name).scopes(Scopes::parse(scopes).unwrap());
        store.change(KeyChange::insert(record)).await.unwrap();
    }
    store.change(KeyChange::insert(samples::plain("test").environment(Environment::Test))).await.unwrap();
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let lenient = manager.clone().allow_stronger_keys();
    let callers = Caller::of(&store);
    let caller = callers.admit("caller").await.unwrap();
    let delegate = manager.on_behalf_of(&caller);
    let state = async |name: &str| get(&store, name).await.unwrap().state(NOW);

    let paused = delegate.disable(&id("other"), "paused").await.unwrap().disabled.unwrap();
    assert_eq!((paused.by.as_deref(), &*paused.reason, paused.locked), (Some("caller"), "paused", false));
    delegate.enable(&id("other")).await.unwrap();
    assert_eq!(state("other").await, KeyState::Active);

    delegate.disable(&id("other"), "paused").await.unwrap();
    let locked = manager.disable(&id("other"), "unusual traffic").await.unwrap();
    assert!(locked.disabled.as_ref().unwrap().locked);
    // The owner can neither enable the key nor take over.
    assert_eq!(delegate.disable(&id("other"), "paused").await.unwrap(), locked);
    for delegate in [&delegate, &lenient.on_behalf_of(&caller)] {
        let refused = delegate.enable(&id("other")).await.unwrap_err();
        assert_eq!(refused.kind(), ManageErrorKind::Forbidden);
        assert!(refused.to_string().contains("disabled by the service"), "{refused}");
    }
    assert_eq!(get(&store, "other").await, Some(locked));
    let renamed = delegate.update(&id("other"), KeyUpdate::new().name("seized")).await.unwrap();
    assert_eq!(renamed.state(NOW), KeyState::Disabled);
    manager.enable(&id("other")).await.unwrap();
    assert_eq!(state("other").await, KeyState::Active);

    // A stronger key can be disabled where that is allowed, but enabling it would grant its scopes.
    assert_eq!(delegate.disable(&id("strong"), "").await.unwrap_err().kind(), ManageErrorKind::Forbidden);
    lenient.on_behalf_of(&caller).disable(&id("strong"), "").await.unwrap();
    let refused = lenient.on_behalf_of(&caller).enable(&id("strong")).await.unwrap_err();
    assert_eq!(refused.kind(), ManageErrorKind::Forbidden);
    assert_eq!(state("strong").await, KeyState::Disabled);

    for name in ["test", "unknown"] {
        let refused = [
            delegate.disable(&id(name), "").await.unwrap_err(),
            delegate.enable(&id(name)).await.unwrap_err(),
        ];
        assert_eq!(refused.map(|error| error.kind()), [ManageErrorKind::NotFound; 2], "{name}");
    }

    delegate.disable(&id("caller"), "by itself").await.unwrap();
    let keys = async || store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap();
    let before = keys().await;
    let refused = [
        delegate.enable(&id("caller")).await.map(drop),
        delegate.disable(&id("other"), "").await.map(drop),
        delegate.revoke(&id("other"), "").await,
        delegate.create(delegate.new_key()).await.map(drop),
    ];
    assert_eq!(refused.map(|refused| refused.unwrap_err().kind()), [ManageErrorKind::Forbidden; 4]);
    assert_eq!(keys().await, before);
}

pub async fn a_key_whose_successor_is_disabled_is_not_rotated_again<S: KeyStore>(store: S) {
    store.change(KeyChange::insert(samples::plain("old"))).await.unwrap();
    store.change(samples::rotate("old", "new", 0, Grace::For(GRACE))).await.unwrap();
    store.change(disable("new")).await.unwrap();
    let again = || samples::rotate("old", "again", 0, Grace::For(GRACE));
    assert_eq!(store.change(again()).await.unwrap_err().kind(), BackendErrorKind::Conflict);
    store.change(samples::revoke("new", 0, "unseen")).await.unwrap();
    store.change(again()).await.unwrap();
}

pub async fn the_grace_from_the_first_use_waits_until_a_successor_is_enabled<S: KeyStore + Clone>(store: S) {
    let caller = Caller::of(&store);
    store.change(KeyChange::insert(samples::plain("old"))).await.unwrap();
    store.change(samples::rotate("old", "new", 0, Grace::FromFirstUse(GRACE))).await.unwrap();
    store.change(disable("new")).await.unwrap();
    assert_eq!(caller.warm("new").await, Err(Reason::Disabled));
    let reads = caller.reads();
    assert_eq!(caller.present("new").await, Err(Reason::Disabled));
    assert_eq!(caller.reads(), reads, "a flood with the key costs no lookups");
    assert_eq!(get(&store, "old").await.unwrap().expires_at, None);

    store.change(enable("new")).await.unwrap();
    assert_eq!(caller.present("new").await, Ok(id("new")));
    while get(&store, "new").await.unwrap().first_use_grace.is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(get(&store, "old").await.unwrap().expires_at, Some(NOW.saturating_add(GRACE)));
}

pub async fn a_key_that_replaces_all_others_ends_disabled_ones<S: KeyStore + Clone>(store: S) {
    store.change(KeyChange::insert(samples::plain("old"))).await.unwrap();
    store.change(disable("old")).await.unwrap();
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let acme = KeyFilter::of_organization("acme");
    let new = NewKey::for_organization("acme");
    let created = manager.create_exclusive(&acme, new).await.unwrap();
    assert_eq!(get(&store, "old").await.unwrap().state(NOW), KeyState::Revoked);
    let kept = store.list(&acme.state(KeyState::Active, NOW), None, 9).await.unwrap();
    assert_eq!(kept.iter().map(|key| &key.id).collect::<Vec<_>>(), [&created.record().id]);
}

/// The table of states in the guide, by rows: a state, and the outcome of each event.
fn table() -> Vec<(&'static str, Vec<(&'static str, &'static str)>)> {
    let lines = GUIDE.lines().skip_while(|line| !line.starts_with("//! | State |"));
    let cells = |line: &'static str| line.trim_matches(['/', '!', ' ', '|']).split(" | ").map(str::trim);
    let mut rows = lines.take_while(|line| line.starts_with("//! |")).map(cells);
    let events: Vec<_> = rows.next().expect("a table of states").skip(1).collect();
    rows.skip(1)
        .map(|mut cells| {
            let state = cells.next().unwrap();
            let outcomes: Vec<_> = events.iter().copied().zip(cells).collect();
            assert_eq!(outcomes.len(), events.len(), "{state}");
            (state, outcomes)
        })
        .collect()
}

fn successor_of(name: &str) -> String {
    format!("{name}-successor")
}

/// Brings a new key into a state.
async fn reach<S: KeyStore>(store: &S, name: &str, state: &str) {
    let expires_at = if state == "expired" { NOW } else { END };
    store.change(KeyChange::insert(samples::plain(name).expires_at(expires_at))).await.unwrap();
    let rotate = samples::rotate(name, &successor_of(name), 0, Grace::FromFirstUse(GRACE));
    let changes = match state {
        "active" | "expired" => vec![],
        "disabled" => vec![disable(name)],
        "in grace" => vec![rotate],
        "disabled in its grace" => vec![rotate, disable(name)],
        "revoked" => vec![samples::revoke(name, 0, "lost")],
        other => panic!("no such state: {other}"),
    };
    for change in changes {
        store.change(change).await.unwrap();
    }
}

/// Returns the state of the key at a time.
async fn state_at<S: KeyStore>(store: &S, name: &str, now: Timestamp) -> &'static str {
    let Some(record) = get(store, name).await else { return "deleted" };
    match (record.state(now), record.rotated_to) {
        (KeyState::Active, None) => "active",
        (KeyState::Active, Some(_)) => "in grace",
        (KeyState::Disabled, None) => "disabled",
        (KeyState::Disabled, Some(_)) => "disabled in its grace",
        (KeyState::Expired, _) => "expired",
        (KeyState::Revoked, _) => "revoked",
        (other, _) => panic!("no such state: {other}"),
    }
}

/// Makes an event happen, and returns its outcome.
async fn outcome<S: KeyStore>(store: &S, name: &str, event: &str) -> &'static str {
    let change = match event {
        "disable" => disable(name),
        "enable" => enable(name),
        "rotate" => samples::rotate(name, "next", 0, Grace::For(GRACE)),
        "update" => KeyChange::update(&id(name), KeyUpdate::new().name("renamed")),
        "revoke" => samples::revoke(name, 0, "lost"),
        "purge" => KeyChange::purge_ended(Timestamp::from_unix_millis(1)),
        "first use of the successor" => {
            if get(store, &successor_of(name)).await.is_none() {
                return "–";
            }
            store.write_back(WriteBack::FirstUse { id: id(&successor_of(name)), at: NOW }).await.unwrap();
            let ends = get(store, name).await.unwrap().expires_at;
            assert_eq!(ends, Some(NOW.saturating_add(GRACE)));
            return state_at(store, name, NOW).await;
        }
        "expiry passes" => return state_at(store, name, END).await,
        other => panic!("no such event: {other}"),
    };
    let before = get(store, name).await;
    match store.change(change).await {
        Ok(_) => state_at(store, name, NOW).await,
        Err(error) => {
            assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
            assert_eq!(get(store, name).await, before, "a refused change leaves the key as it was");
            assert_eq!(get(store, "next").await, None);
            "refused"
        }
    }
}

/// Every arrow of the table, and no other. A request is decided by the state that the key is in.
pub async fn each_event_leads_to_the_state_that_the_guide_says<S: KeyStore + Clone>(store: S) {
    let (rows, caller) = (table(), Caller::of(&store));
    assert_eq!((rows.len(), rows[0].1.len()), (6, 8));
    for (row, (state, events)) in rows.into_iter().enumerate() {
        for (column, (event, expected)) in events.into_iter().enumerate() {
            let name = format!("key-{row}-{column}");
            reach(&store, &name, state).await;
            assert_eq!(state_at(&store, &name, NOW).await, state);
            let _ = caller.warm(&name).await;
            let found = outcome(&store, &name, event).await;
            assert_eq!(found, expected, "{state}: {event}");
            let answer: Result<KeyId, Reason> = match state_at(&store, &name, NOW).await {
                "active" | "in grace" => Ok(id(&name)),
                "disabled" | "disabled in its grace" => Err(Reason::Disabled),
                "expired" => Err(Reason::Expired),
                // An entry of a key that ended long ago may stay.
                "deleted" if state == "expired" => Err(caller.present(&name).await.unwrap_err()),
                _ => Err(Reason::Revoked),
            };
            assert_eq!(caller.present(&name).await, answer, "{state}: {event}");
            // The next rotation has the same name.
            if get(&store, "next").await.is_some() {
                store.change(samples::revoke("next", 0, "done")).await.unwrap();
                store.change(KeyChange::purge_ended(Timestamp::from_unix_millis(1))).await.unwrap();
            }
        }
    }
}
