//! Sessions of the console are kept beside keys, and are none.

use tower_api_key::backend::{
    AuditLog, AuditQuery, BackendErrorKind, Grace, KeyBatch, KeyChange, KeyFilter, KeyStore, KeyUpdate,
    LoggedAction, OwnerChange, OwnerStore,
};
use tower_api_key::digest::Digester;
use tower_api_key::manage::{KeyManager, ManageErrorKind};
use tower_api_key::owner::Organization;
use tower_api_key::record::{KeyState, Session};
use tower_api_key::reject::Reason;
use tower_api_key::{KeyFormat, Owner, Record, Requirement, Scopes, Timestamp};

use crate::caller::Caller;
use crate::samples::{digest, disabling, id, plain, revocation, rotate};

const AT: Timestamp = Timestamp::from_unix_millis(1_000);

fn session(name: &str, opener: &str) -> Record {
    let state = r#"{"größe":"'\"naïve\" \\ %_;"}"#;
    let session = plain(name).scopes(Scopes::parse("keys.*").unwrap()).expires_at(AT);
    session.session(Session::new(opener, state))
}

async fn insert<S: KeyStore>(store: &S, records: impl IntoIterator<Item = Record>) {
    for record in records {
        store.change(KeyChange::insert(record)).await.unwrap();
    }
}

async fn names<S: KeyStore>(store: &S, filter: KeyFilter) -> Vec<String> {
    let found = store.list(&filter, None, 100).await.unwrap();
    found.iter().map(|record| record.id.to_string()).collect()
}

/// Returns the sessions of two openers and a key, in the order of their ids.
fn some() -> [Record; 4] {
    [session("a", "external ann"), session("b", "external eve"), plain("key"), session("z", "external ann")]
}

pub async fn a_session_reads_back_and_admits_no_caller<S: KeyStore + Clone>(store: S) {
    let record = session("a", "external \"Åsa\"");
    insert(&store, [record.clone(), plain("key")]).await;
    assert_eq!(store.get(&record.id).await.unwrap(), Some(record.clone()));
    assert_eq!(store.find(&digest("a")).await.unwrap(), Some(record));
    let caller = Caller::of(&store);
    assert_eq!(caller.present("a").await, Err(Reason::Unknown));
    assert!(caller.present("key").await.is_ok());
}

pub async fn a_batch_logs_the_keys_that_it_revokes_beside_sessions<S: KeyStore + AuditLog>(store: S) {
    insert(&store, [session("a", "external ann"), plain("b"), plain("c")]).await;
    let batch = KeyBatch::first(2, KeyFilter::all().with_sessions());
    let revoked = store.change(KeyChange::revoke_batch(batch, revocation(1, "all"))).await.unwrap();
    assert_eq!((revoked.keys, revoked.last.as_deref()), (2, Some("b")));
    let entries = store.audit_log(&AuditQuery::all().action(LoggedAction::Revoked)).await.unwrap();
    let keys: Vec<_> = entries.iter().map(|entry| entry.event.key.as_ref().unwrap().as_str()).collect();
    assert_eq!(keys, ["b"]);
    assert!(store.get(&id("c")).await.unwrap().unwrap().revoked.is_none());
}

pub async fn lists_of_keys_have_no_session<S: KeyStore>(store: S) {
    insert(&store, some()).await;
    let now = Timestamp::from_unix_millis(0);
    for filter in
        [KeyFilter::all(), KeyFilter::of_organization("acme"), KeyFilter::all().state(KeyState::Active, now)]
    {
        assert_eq!(names(&store, filter).await, ["key"]);
    }
    assert_eq!(names(&store, KeyFilter::sessions()).await, ["a", "b", "z"]);
    assert_eq!(
        names(&store, KeyFilter::of_organization("acme").with_sessions()).await,
        ["a", "b", "key", "z"]
    );
    assert_eq!(names(&store, KeyFilter::of_organization("other").with_sessions()).await, [""; 0]);
}

pub async fn changes_of_keys_find_no_session<S: KeyStore>(store: S) {
    let record = session("a", "external ann");
    insert(&store, [record.clone()]).await;
    for change in [
        KeyChange::update(&record.id, KeyUpdate::new().name("mine")),
        rotate("a", "next", 1, Grace::None),
        KeyChange::disable(&record.id, disabling(1, "")),
        KeyChange::enable(&record.id, Timestamp::from_unix_millis(0)),
        KeyChange::revoke(&record.id, revocation(1, "lost")),
    ] {
        assert_eq!(store.change(change).await.unwrap_err().kind(), BackendErrorKind::NotFound);
    }
    assert_eq!(store.get(&record.id).await.unwrap(), Some(record));
}

fn end(opener: &str, kept: usize) -> KeyChange {
    KeyChange::end_sessions(opener, kept, revocation(1, "out"))
}

pub async fn the_sessions_of_one_opener_end<S: KeyStore>(store: S) {
    let expired = session("expired", "external ann").expires_at(Timestamp::from_unix_millis(1));
    insert(&store, some().into_iter().chain([expired])).await;
    let revoked = async |name: &str| store.get(&id(name)).await.unwrap().unwrap().revoked;
    let all = KeyChange::revoke_all(&KeyFilter::all(), revocation(1, "out"));
    assert_eq!(store.change(all).await.unwrap().keys, 1, "the key");
    assert!(revoked("a").await.is_none() && revoked("key").await.is_some());
    for (opener, ended) in [("external an", 0), ("external ann", 2), ("external ann", 0)] {
        assert_eq!(store.change(end(opener, 0)).await.unwrap().keys, ended, "{opener}");
    }
    assert_eq!(revoked("a").await, Some(revocation(1, "out")));
    assert!(revoked("b").await.is_none() && revoked("z").await.is_some());
    assert!(revoked("expired").await.is_none(), "it has ended");
}

pub async fn the_newest_sessions_of_an_opener_are_kept<S: KeyStore>(store: S) {
    let name = |number: u32| format!("s{number}");
    insert(&store, (0..6).map(|number| session(&name(number), "external ann"))).await;
    for (kept, ended) in [(6, 0), (usize::MAX >> 33, 0), (4, 2), (4, 0), (1, 3)] {
        assert_eq!(store.change(end("external ann", kept)).await.unwrap().keys, ended, "{kept}");
    }
    for number in 0..6 {
        let record = store.get(&id(&name(number))).await.unwrap().unwrap();
        assert_eq!(record.revoked.is_some(), number < 5, "{number}");
    }
}

pub async fn keys_stay_cached_when_any_number_of_sessions_ends<S: KeyStore + Clone>(store: S) {
    const SESSIONS: usize = 1_001;
    insert(&store, (0..SESSIONS).map(|number| session(&format!("s{number:04}"), "external ann"))).await;
    insert(&store, [plain("key")]).await;
    let caller = Caller::of(&store);
    assert!(caller.warm("key").await.is_ok());
    let reads = caller.reads();
    assert_eq!(store.change(end("external ann", 0)).await.unwrap().keys, SESSIONS as u64);
    assert!(caller.present("key").await.is_ok());
    assert_eq!(caller.reads(), reads, "the key is read again");
}

pub async fn ended_sessions_are_deleted_apart_from_keys<S: KeyStore>(store: S) {
    let ended = plain("key").expires_at(AT);
    let mut lasting = session("later", "external ann");
    lasting.expires_at = None;
    insert(&store, [session("a", "external ann"), ended, lasting]).await;
    let later = Timestamp::from_unix_millis(1_001);
    assert_eq!(store.change(KeyChange::purge_ended(later)).await.unwrap().keys, 1);
    assert_eq!(names(&store, KeyFilter::all().with_sessions()).await, ["a", "later"]);
    assert_eq!(store.change(KeyChange::purge_sessions(AT)).await.unwrap().keys, 0, "not before");
    insert(&store, [plain("other").expires_at(AT)]).await;
    assert_eq!(store.change(KeyChange::purge_sessions(later)).await.unwrap().keys, 1);
    assert_eq!(names(&store, KeyFilter::all().with_sessions()).await, ["later", "other"]);
}

pub async fn a_session_is_no_last_manager<S: KeyStore + Clone>(store: S) {
    let own = plain("own").scopes(Scopes::parse("keys.*").unwrap());
    let mut lasting = session("a", "external ann");
    lasting.expires_at = None;
    insert(&store, [own.clone(), lasting]).await;
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let caller = Caller::of(&store).admit("own").await.unwrap();
    let careful = manager.on_behalf_of(&caller).keeping_manager(Requirement::all_of(["keys.write"]).unwrap());
    let error = careful.revoke(&own.id, "lost").await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::LastManager, "{error}");
}

pub async fn a_session_needs_no_further_digest<S: KeyStore>(store: S) {
    let (own, other) = (Digester::sha256(), Digester::hmac_sha256(&[7; 32]).unwrap());
    for record in [plain("key"), session("a", "external ann")] {
        store.change(KeyChange::insert(record).made_with([own.fingerprint()])).await.unwrap();
    }
    let now = Timestamp::from_unix_millis(0);
    assert_eq!(store.keys_without(&other.fingerprint(), now).await.unwrap(), 1, "the key");
}

pub async fn the_sessions_of_an_owner_who_is_gone_are_revoked<S: KeyStore + OwnerStore + Clone>(store: S) {
    store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    store.change_owner(OwnerChange::put_user("ann@example.com")).await.unwrap();
    for (name, owner) in [
        ("organization", Owner::organization("acme")),
        ("project", Owner::project(Organization::new("acme"), "web")),
        ("user", Owner::user("ann@example.com", [])),
    ] {
        let mut session = session(name, "external ann");
        session.owner = owner;
        insert(&store, [session]).await;
    }
    let gone = || revocation(1, "gone");
    store.change_owner(OwnerChange::delete_organization("acme", gone())).await.unwrap();
    store.change_owner(OwnerChange::delete_user("ann@example.com", gone())).await.unwrap();
    for name in ["organization", "project", "user"] {
        assert!(store.get(&id(name)).await.unwrap().unwrap().revoked.is_some(), "{name}");
    }
    store.change_owner(OwnerChange::purge_owner(&Owner::organization("acme"))).await.unwrap();
    assert_eq!(names(&store, KeyFilter::sessions()).await, ["user"]);
}

pub async fn changes_of_sessions_have_no_entry<S: KeyStore + AuditLog>(store: S) {
    insert(&store, some()).await;
    let revoke = KeyChange::revoke_all(&KeyFilter::sessions(), revocation(1, "out"));
    store.change(revoke).await.unwrap();
    store.change(KeyChange::purge_sessions(Timestamp::from_unix_millis(2_000))).await.unwrap();
    let entries = store.audit_log(&AuditQuery::all()).await.unwrap();
    let keys: Vec<_> = entries.iter().map(|entry| entry.event.key.clone()).collect();
    assert_eq!(keys, [Some(id("key"))]);
}
