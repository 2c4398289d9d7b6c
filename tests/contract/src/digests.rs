//! Keys with several digests: which of them finds the key, and that each change of the key invalidates all of them.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tower_api_key::backend::{
    BackendError, BackendErrorKind, BoxedChangeFeed, Grace, Invalidation, KeyChange, KeyFilter, KeyStore,
    KeyUpdate, OwnerChange, OwnerStore, WriteBack,
};
use tower_api_key::digest::{Digest, Digester, Fingerprint};
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::reject::Reason;
use tower_api_key::{Owner, Record, Scopes, Timestamp};

use crate::caller::Caller;
use crate::samples;

const NOW: Timestamp = Timestamp::from_unix_millis(1);

/// The digester of the digests in records.
fn former() -> Digester {
    Digester::sha256()
}

/// The digester of the digests that are added.
fn current() -> Digester {
    Digester::hmac_sha256(&[7; 32]).unwrap()
}

/// The digest that is added to the key called `name`.
fn further(name: &str) -> Digest {
    current().digest(samples::text(name).as_bytes())
}

async fn add_at<S: KeyStore>(
    store: &S,
    name: &str,
    digest: Digest,
    at: Timestamp,
) -> Result<(), BackendError> {
    let (id, digester) = (samples::id(name), current().fingerprint());
    store.write_back(WriteBack::Digest { id, digest, digester, at }).await
}

async fn add<S: KeyStore>(store: &S, name: &str) {
    add_at(store, name, further(name), NOW).await.unwrap();
}

/// Inserts a key that was made with the former digester.
async fn insert<S: KeyStore>(store: &S, record: Record) {
    store.change(KeyChange::insert(record).made_with([former().fingerprint()])).await.unwrap();
}

/// Inserts a key with both digests.
async fn insert_with_both<S: KeyStore>(store: &S, name: &str) {
    insert(store, samples::plain(name)).await;
    add(store, name).await;
}

/// Checks that a key is found under these digests, with the digest under which it was found.
async fn is_found<S: KeyStore>(store: &S, name: &str, digests: &[Digest]) {
    let record = store.get(&samples::id(name)).await.unwrap().unwrap();
    for digest in digests {
        let mut expected = record.clone();
        expected.digest = *digest;
        assert_eq!(store.find(digest).await.unwrap(), Some(expected), "{name}");
    }
}

async fn fingerprints<S: KeyStore>(store: &S) -> Vec<Fingerprint> {
    let mut fingerprints = store.fingerprints().await.unwrap().expect("the store keeps fingerprints");
    fingerprints.sort();
    fingerprints
}

pub async fn a_further_digest_finds_the_key<S: KeyStore>(store: S) {
    insert(&store, samples::plain("key")).await;
    insert(&store, samples::plain("other")).await;
    let digester = current().fingerprint();
    assert_eq!(store.keys_without(&digester, NOW).await.unwrap(), 2);
    // A second addition changes nothing.
    for _ in 0..2 {
        add(&store, "key").await;
        assert_eq!(store.get(&samples::id("key")).await.unwrap(), Some(samples::plain("key")));
        is_found(&store, "key", &[samples::digest("key"), further("key")]).await;
        assert_eq!(store.find(&further("other")).await.unwrap(), None);
        assert_eq!(store.keys_without(&digester, NOW).await.unwrap(), 1);
        assert_eq!(store.list(&KeyFilter::all(), None, 9).await.unwrap().len(), 2);
    }
}

pub async fn of_several_candidates_the_first_one_finds_its_key<S: KeyStore>(store: S) {
    for name in ["a", "b"] {
        insert_with_both(&store, name).await;
    }
    let (a, b, unknown) = (samples::digest("a"), samples::digest("b"), samples::digest("unknown"));
    let (a2, b2) = (further("a"), further("b"));
    for (candidates, expected) in [
        (&[a2, a][..], Some(("a", a2))),
        (&[a, a2], Some(("a", a))),
        (&[b2, a], Some(("b", b2))),
        (&[a, b2], Some(("a", a))),
        (&[unknown, further("unknown"), b2, b], Some(("b", b2))),
        (&[unknown, further("unknown"), b, a2], Some(("b", b))),
        (&[unknown, further("unknown")], None),
    ] {
        let found = store.find_any(candidates).await.unwrap();
        let found = found.as_ref().map(|record| (record.id.as_str(), record.digest));
        assert_eq!(found, expected, "{candidates:?}");
    }
}

pub async fn a_key_that_is_not_active_gets_no_digest<S: KeyStore>(store: S) {
    let at = Timestamp::from_unix_millis(1_000);
    let mut expired = samples::plain("expired");
    expired.expires_at = Some(at);
    let mut revoked = samples::plain("revoked");
    revoked.revoked = Some(samples::revocation(1, "lost"));
    let mut disabled = samples::plain("disabled");
    disabled.disabled = Some(samples::disabling(1, "seen"));
    for record in [expired, revoked, disabled] {
        let name = record.id.as_str().to_owned();
        insert(&store, record.clone()).await;
        add_at(&store, &name, further(&name), at).await.unwrap();
        assert_eq!(store.find(&further(&name)).await.unwrap(), None, "{name}");
        assert_eq!(store.get(&record.id).await.unwrap(), Some(record));
    }
    add_at(&store, "unknown", further("unknown"), at).await.unwrap();
    assert_eq!(store.find(&further("unknown")).await.unwrap(), None);
    assert_eq!(fingerprints(&store).await, [former().fingerprint()]);
}

pub async fn no_two_keys_have_one_digest<S: KeyStore>(store: S) {
    for name in ["one", "two"] {
        insert_with_both(&store, name).await;
    }
    let conflicts = |outcome: Result<(), BackendError>| {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), BackendErrorKind::Conflict, "{error}");
    };
    for digest in [samples::digest("two"), further("two")] {
        conflicts(add_at(&store, "one", digest, NOW).await);
    }
    let mut same = samples::plain("same");
    same.digest = further("two");
    let mut rotation = samples::rotation("successor", 1, Grace::None);
    rotation.digest = further("two");
    let revocation = samples::revocation(1, "replaced");
    for change in [
        KeyChange::insert(same.clone()),
        KeyChange::insert_exclusive(same, &KeyFilter::all(), revocation),
        KeyChange::rotate(&samples::id("one"), rotation),
    ] {
        let other = Digester::hmac_sha256(&[8; 32]).unwrap().fingerprint();
        conflicts(store.change(change.made_with([other])).await.map(drop));
    }
    for name in ["one", "two"] {
        is_found(&store, name, &[samples::digest(name), further(name)]).await;
        assert_eq!(store.get(&samples::id(name)).await.unwrap(), Some(samples::plain(name)));
    }
    assert_eq!(fingerprints(&store).await.len(), 2, "a change that fails adds none");
}

pub async fn fingerprints_are_a_set_of_those_of_all_keys_that_were_made<S: KeyStore>(store: S) {
    let [digester, demo, other]: [Fingerprint; 3] =
        ["digester sha256", "format demo", "format other"].map(|text| text.parse().unwrap());
    store.change(KeyChange::insert(samples::plain("imported"))).await.unwrap();
    assert_eq!(fingerprints(&store).await, [], "an import by digest has none");
    add(&store, "imported").await;
    assert_eq!(fingerprints(&store).await, [], "nodes with its former digester alone are not contradicted");
    let insert = |name| KeyChange::insert(samples::plain(name));
    for name in ["one", "two"] {
        store.change(insert(name).made_with([digester.clone(), demo.clone()])).await.unwrap();
        assert_eq!(fingerprints(&store).await, [digester.clone(), demo.clone()]);
    }
    let rotate = samples::rotate("one", "three", 1, Grace::None);
    store.change(rotate.made_with([other.clone(), digester.clone()])).await.unwrap();
    let mut expected = vec![digester, demo, other];
    assert_eq!(fingerprints(&store).await, expected);
    // The one that was imported.
    assert_eq!(store.keys_without(&former().fingerprint(), NOW).await.unwrap(), 1);

    add(&store, "two").await;
    expected.push(current().fingerprint());
    expected.sort();
    assert_eq!(fingerprints(&store).await, expected);
    let third = Digester::hmac_sha256(&[8; 32]).unwrap().fingerprint();
    let (filter, revocation) = (KeyFilter::all(), samples::revocation(1, "replaced"));
    let exclusive = KeyChange::insert_exclusive(samples::plain("last"), &filter, revocation);
    store.change(exclusive.made_with([third.clone()])).await.unwrap();
    expected.push(third.clone());
    expected.sort();
    assert_eq!(fingerprints(&store).await, expected);
    assert_eq!(store.keys_without(&third, NOW).await.unwrap(), 0);
}

/// Authenticators of which each knows the keys by one of their digests, and the feed of another process.
struct Observers<S> {
    callers: [Caller<S>; 2],
    feed: Option<BoxedChangeFeed>,
}

impl<S: KeyStore + Clone> Observers<S> {
    async fn of(store: &S) -> Self {
        let callers = [former(), current()].map(|digester| Caller::with_digester(store, digester));
        let mut feed = store.feed();
        if let Some(feed) = &mut feed {
            feed.set_lease(Duration::from_secs(60), Duration::ZERO);
        }
        let mut observers = Self { callers, feed };
        observers.poll().await;
        observers
    }

    /// Returns what the feed has, or that everything changed, if the store has none.
    async fn poll(&mut self) -> Vec<Invalidation> {
        match &mut self.feed {
            Some(feed) => feed.poll().await.unwrap(),
            None => vec![Invalidation::Everything],
        }
    }

    /// Checks that a change of keys, which the authenticators have cached, invalidates both digests of each.
    async fn see(
        &mut self,
        what: &str,
        names: &[&str],
        change: impl Future<Output = Result<(), BackendError>>,
    ) {
        for (caller, name) in
            self.callers.iter().flat_map(|caller| names.iter().map(move |name| (caller, name)))
        {
            let _ = caller.warm(name).await;
            let reads = caller.reads();
            let _ = caller.present(name).await;
            assert_eq!(caller.reads(), reads, "{what}: {name} is not cached");
        }
        self.poll().await;
        change.await.unwrap_or_else(|error| panic!("{what}: {error}"));
        self.are_told(what, names).await;
    }

    /// Checks that both digests of each key were invalidated: in the feed, and in this process.
    async fn are_told(&mut self, what: &str, names: &[&str]) {
        let seen = self.poll().await;
        for name in names {
            for digest in [samples::digest(name), further(name)] {
                let (changed, revoked) = (Invalidation::Changed(digest), Invalidation::Revoked(digest));
                let store = self.callers[0].store();
                let record = store.get(&samples::id(name)).await.unwrap();
                let is_seen = match record.and_then(|record| record.revoked) {
                    Some(_) => seen.contains(&revoked),
                    None => seen.contains(&changed) || seen.contains(&revoked),
                };
                assert!(is_seen || seen.contains(&Invalidation::Everything), "{what}: {name} in {seen:?}");
            }
            for (caller, digester) in self.callers.iter().zip(["former", "current"]) {
                let reads = caller.reads();
                let answer = caller.present(name).await;
                let is_told = answer == Err(Reason::Revoked) || caller.reads() > reads;
                assert!(is_told, "{what}: {name} by its digest of the {digester} digester: {answer:?}");
            }
        }
    }
}

/// The time of this process, by which keys have not ended long ago.
fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix_millis(now.as_millis() as i64)
}

pub async fn each_change_invalidates_all_digests_of_the_key<S: KeyStore + Clone>(store: S) {
    let mut observers = Observers::of(&store).await;
    let change = async |change: KeyChange| store.change(change).await.map(drop);
    let grace = Grace::FromFirstUse(samples::GRACE);
    let id = samples::id;

    insert(&store, samples::plain("key")).await;
    // So that the settings of both authenticators fit the store.
    let other = KeyChange::insert(samples::plain("other"));
    store.change(other.made_with([current().fingerprint()])).await.unwrap();
    // The absence of the key under the digest, which the addition ends.
    let adding = add_at(&store, "key", further("key"), NOW);
    observers.see("addition", &["key"], adding).await;
    insert_with_both(&store, "rotated").await;

    let mut update = KeyUpdate::default();
    update.name = Some("renamed".into());
    observers.see("update", &["key"], change(KeyChange::update(&id("key"), update))).await;
    let disable = KeyChange::disable(&id("key"), samples::disabling(1, "seen"));
    observers.see("disabling", &["key"], change(disable)).await;
    observers.see("enabling", &["key"], change(KeyChange::enable(&id("key"), NOW))).await;
    let rotate = samples::rotate("rotated", "successor", 1, grace);
    observers.see("rotation", &["rotated"], change(rotate)).await;
    add(&store, "successor").await;
    let used = WriteBack::FirstUse { id: id("successor"), at: NOW };
    observers.see("end of a predecessor", &["rotated"], store.write_back(used)).await;
    observers.see("revocation", &["key"], change(samples::revoke("key", 1, "lost"))).await;
    let filter = KeyFilter::all();
    let all = |reason| KeyChange::revoke_all(&filter, samples::revocation(1, reason));
    insert_with_both(&store, "one").await;
    observers.see("revocation of all", &["one", "successor"], change(all("all"))).await;
    insert_with_both(&store, "two").await;
    let exclusive =
        KeyChange::insert_exclusive(samples::plain("new"), &filter, samples::revocation(1, "replaced"));
    observers.see("replacement", &["two"], change(exclusive)).await;

    let (mut ended, end) = (samples::plain("ended"), now());
    ended.expires_at = Some(end);
    insert(&store, ended).await;
    add(&store, "ended").await;
    let before = Timestamp::from_unix_millis(end.unix_millis() + 1);
    observers.see("purge", &["ended"], change(KeyChange::purge_ended(before))).await;
    assert_eq!(store.find(&further("ended")).await.unwrap(), None);
    // Its digests can be used again.
    insert_with_both(&store, "ended").await;
    is_found(&store, "ended", &[samples::digest("ended"), further("ended")]).await;
}

/// Whose use is recorded is not cached before, so that its authenticators are asked afterwards.
pub async fn a_first_use_invalidates_all_digests_of_the_successor<S: KeyStore + Clone>(store: S) {
    let mut observers = Observers::of(&store).await;
    insert_with_both(&store, "old").await;
    let rotate = samples::rotate("old", "new", 1, Grace::FromFirstUse(samples::GRACE));
    store.change(rotate.made_with([former().fingerprint()])).await.unwrap();
    add(&store, "new").await;
    observers.poll().await;
    store.write_back(WriteBack::FirstUse { id: samples::id("new"), at: NOW }).await.unwrap();
    observers.are_told("first use", &["new"]).await;
}

pub async fn each_change_of_an_owner_invalidates_all_digests_of_its_keys<S>(store: S)
where
    S: KeyStore + OwnerStore + Clone,
{
    const ANN: &str = "ann@example.com";
    let change = async |change: OwnerChange| store.change_owner(change).await;
    let membership =
        |role: &str| Membership::new(Organization::new("acme"), role, Scopes::new(["*"]).unwrap());
    for organization in ["acme", "other"] {
        change(OwnerChange::put_organization(Organization::new(organization))).await.unwrap();
    }
    change(OwnerChange::put_project("acme", "smart-sink")).await.unwrap();
    change(OwnerChange::put_user(ANN)).await.unwrap();
    change(OwnerChange::put_membership(ANN, membership("reader"))).await.unwrap();
    let owners = [
        ("anns", Owner::user(ANN, [])),
        ("device", Owner::project(Organization::new("acme"), "smart-sink")),
        ("whole", Owner::organization("acme")),
    ];
    for (name, owner) in owners {
        let mut record = samples::plain(name);
        record.owner = owner;
        insert(&store, record).await;
        add(&store, name).await;
    }
    let mut observers = Observers::of(&store).await;
    let mut closed = Organization::new("acme");
    closed.disabled = true;
    let gone = || samples::revocation(1, "gone");
    for (what, names, owner_change) in [
        ("organization", &["anns", "device", "whole"][..], OwnerChange::put_organization(closed)),
        ("open", &["anns", "device", "whole"], OwnerChange::put_organization(Organization::new("acme"))),
        ("membership", &["anns"], OwnerChange::put_membership(ANN, membership("admin"))),
        ("end of a membership", &["anns"], OwnerChange::delete_membership(ANN, "acme")),
        ("user", &["anns"], OwnerChange::delete_user(ANN, gone())),
        ("project", &["device"], OwnerChange::delete_project("acme", "smart-sink", gone())),
        ("end of an organization", &["whole"], OwnerChange::delete_organization("acme", gone())),
        ("purge", &["whole", "device"], OwnerChange::purge_owner(&Owner::organization("acme"))),
    ] {
        observers.see(what, names, change(owner_change)).await;
    }
    for name in ["device", "whole"] {
        assert_eq!(store.find_any(&[samples::digest(name), further(name)]).await.unwrap(), None);
    }
}

pub async fn a_retirement_drops_the_digests_of_other_digesters<S: KeyStore + Clone>(store: S) {
    let mut observers = Observers::of(&store).await;
    for name in ["used", "revoked"] {
        insert_with_both(&store, name).await;
    }
    insert(&store, samples::plain("unused")).await;
    store.change(KeyChange::insert(samples::plain("imported"))).await.unwrap();
    let mut new = samples::plain("new");
    new.digest = further("new");
    let made_with = [current().fingerprint(), "format demo".parse().unwrap()];
    store.change(KeyChange::insert(new).made_with(made_with.clone())).await.unwrap();
    store.change(samples::revoke("revoked", 1, "lost")).await.unwrap();
    let digester = current().fingerprint();
    assert_eq!(store.keys_without(&digester, NOW).await.unwrap(), 2, "unused and imported");

    assert_eq!(observers.callers[0].warm("used").await, Ok(samples::id("used")));
    observers.poll().await;
    let retire = || KeyChange::retire_digests(digester.clone(), NOW);
    assert_eq!(store.change(retire()).await.unwrap().keys, 2, "used and revoked");
    let seen = observers.poll().await;
    for name in ["used", "revoked"] {
        let told = [Invalidation::Changed(samples::digest(name)), Invalidation::Everything];
        assert!(told.iter().any(|told| seen.contains(told)), "{name} in {seen:?}");
        assert_eq!(store.find(&samples::digest(name)).await.unwrap(), None);
        assert_eq!(store.get(&samples::id(name)).await.unwrap().unwrap().digest, further(name));
    }
    assert_eq!(observers.callers[0].present("used").await, Err(Reason::Unknown));
    assert_eq!(observers.callers[1].present("used").await, Ok(samples::id("used")));
    for (name, digest) in [
        ("used", further("used")),
        ("revoked", further("revoked")),
        ("new", further("new")),
        ("unused", samples::digest("unused")),
        ("imported", samples::digest("imported")),
    ] {
        is_found(&store, name, &[digest]).await;
    }
    assert_eq!(store.keys_without(&digester, NOW).await.unwrap(), 2);
    let mut expected = [made_with.as_slice(), &[former().fingerprint()]].concat();
    expected.sort();
    assert_eq!(fingerprints(&store).await, expected, "an unused key in force needs the former digester");

    store.change(samples::revoke("unused", 1, "unused")).await.unwrap();
    assert_eq!(store.change(retire()).await.unwrap().keys, 0);
    assert_eq!(fingerprints(&store).await, made_with);
    // The digests are free, and the key gets further ones.
    let mut again = samples::plain("again");
    again.digest = samples::digest("used");
    store.change(KeyChange::insert(again)).await.unwrap();
    add_at(&store, "used", former().digest(b"of a third digester"), NOW).await.unwrap();
    is_found(&store, "used", &[further("used"), former().digest(b"of a third digester")]).await;
}

pub async fn a_key_without_a_digest_of_the_digester_keeps_all<S: KeyStore>(store: S) {
    insert_with_both(&store, "key").await;
    let third = Digester::hmac_sha256(&[8; 32]).unwrap().fingerprint();
    assert_eq!(store.change(KeyChange::retire_digests(third, NOW)).await.unwrap().keys, 0);
    is_found(&store, "key", &[samples::digest("key"), further("key")]).await;
    let mut expected = [former().fingerprint(), current().fingerprint()];
    expected.sort();
    assert_eq!(fingerprints(&store).await, expected, "nodes with either digester find the key");
    // The digest in the record is kept as well, if it is by the digester.
    assert_eq!(store.change(KeyChange::retire_digests(former().fingerprint(), NOW)).await.unwrap().keys, 1);
    is_found(&store, "key", &[samples::digest("key")]).await;
    assert_eq!(store.find(&further("key")).await.unwrap(), None);
    assert_eq!(fingerprints(&store).await, [former().fingerprint()]);
}

pub async fn the_digests_of_any_number_of_keys_are_retired<S: KeyStore>(store: S) {
    const KEYS: usize = 1_001;
    for number in 0..KEYS {
        insert_with_both(&store, &format!("key_{number:04}")).await;
    }
    let retire = || KeyChange::retire_digests(current().fingerprint(), NOW);
    assert_eq!(store.change(retire()).await.unwrap().keys, KEYS as u64);
    for number in [0, 499, 500, 501, KEYS - 1] {
        let name = format!("key_{number:04}");
        is_found(&store, &name, &[further(&name)]).await;
        assert_eq!(store.find(&samples::digest(&name)).await.unwrap(), None);
    }
    assert_eq!(store.change(retire()).await.unwrap().keys, 0);
    assert_eq!(fingerprints(&store).await, [current().fingerprint()]);
}
