//! A caller with bounds changes keys within them, and no other key.

use tower_api_key::backend::{Grace, KeyChange, KeyFilter, KeyStore, KeyUpdate};
use tower_api_key::credential::Scheme;
use tower_api_key::manage::{ExternalCaller, KeyManager, ManageErrorKind, RotateOptions};
use tower_api_key::{KeyFormat, Owner, Record, Scopes, Timestamp};

use crate::caller::Caller;
use crate::samples::{self, GRACE, id};

const END: Timestamp = Timestamp::from_unix_millis(4_000_000_000_000);

/// Inserts a key of an organization with these scopes.
async fn grant<S: KeyStore>(store: &S, name: &str, organization: &str, scopes: &str) -> Record {
    let mut record = samples::plain(name);
    (record.owner, record.scopes) = (Owner::organization(organization), Scopes::parse(scopes).unwrap());
    record.expires_at = Some(END);
    store.change(KeyChange::insert(record.clone())).await.unwrap();
    record
}

fn manager<S: KeyStore + Clone>(store: &S) -> KeyManager<S> {
    KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap())
}

pub async fn a_delegate_changes_no_key_beyond_its_bounds<S: KeyStore + Clone>(store: S) {
    grant(&store, "caller", "acme", "notes.read").await;
    grant(&store, "strong", "acme", "notes.read notes.write").await;
    grant(&store, "foreign", "other", "notes.read").await;
    let (manager, caller) = (manager(&store), Caller::of(&store).admit("caller").await.unwrap());
    let delegate = manager.on_behalf_of(&caller);
    let keys = async || store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap();
    let before = keys().await;

    let stronger = delegate.new_key().scopes(Scopes::parse("notes.write").unwrap());
    let endless = delegate.new_key().expires_at(END.saturating_add(GRACE));
    for new in [stronger, endless] {
        assert_eq!(delegate.create(new).await.unwrap_err().kind(), ManageErrorKind::Forbidden);
    }
    for (name, kind) in [("strong", ManageErrorKind::Forbidden), ("foreign", ManageErrorKind::NotFound)] {
        let update = delegate.update(&id(name), KeyUpdate::new().name("x")).await.unwrap_err();
        let rotated = delegate.rotate(&id(name), RotateOptions::new(Grace::None)).await.unwrap_err();
        let revoked = delegate.revoke(&id(name), "x").await.unwrap_err();
        assert_eq!([update.kind(), rotated.kind(), revoked.kind()], [kind; 3], "{name}");
    }
    assert_eq!(keys().await, before);
}

pub async fn a_key_of_a_delegate_ends_with_its_creator<S: KeyStore + Clone>(store: S) {
    grant(&store, "caller", "acme", "notes.read").await;
    let (manager, caller) = (manager(&store), Caller::of(&store).admit("caller").await.unwrap());
    let delegate = manager.on_behalf_of(&caller);
    let created = delegate.create(delegate.new_key()).await.unwrap();
    assert_eq!(store.get(&created.record().id).await.unwrap().unwrap().expires_at, Some(END));
}

pub async fn a_rotation_ends_no_predecessor_beyond_the_bounds_of_its_actor<S: KeyStore + Clone>(store: S) {
    grant(&store, "caller", "acme", "notes.read").await;
    grant(&store, "old", "acme", "notes.read notes.write").await;
    store.change(samples::rotate("old", "new", 0, Grace::FromFirstUse(GRACE))).await.unwrap();
    // The successor has fewer scopes by now than the key that its first use ends.
    let less = KeyUpdate::new().scopes(Scopes::parse("notes.read").unwrap());
    store.change(KeyChange::update(&id("new"), less)).await.unwrap();
    let (manager, caller) = (manager(&store), Caller::of(&store).admit("caller").await.unwrap());
    let keys = async || store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap();
    let before = keys().await;
    let delegate = manager.on_behalf_of(&caller);
    let refused = delegate.rotate(&id("new"), RotateOptions::new(Grace::None)).await.unwrap_err();
    assert_eq!(refused.kind(), ManageErrorKind::Forbidden, "{refused}");
    assert_eq!(keys().await, before);
}

pub async fn a_caller_without_a_key_changes_no_key_beyond_its_bounds<S: KeyStore + Clone>(store: S) {
    grant(&store, "strong", "acme", "notes.read notes.write").await;
    grant(&store, "foreign", "other", "notes.read").await;
    grant(&store, "weak", "acme", "notes.read").await;
    let manager = manager(&store);
    // Its name is the id of a key, which is not its own for that.
    let caller = ExternalCaller::new("strong", Owner::organization("acme")).unwrap();
    let caller = caller.scopes(Scopes::parse("notes.read").unwrap()).keys_end_by(END);
    let delegate = manager.on_behalf_of_external(caller.clone().sources([Scheme::Bearer]));
    let keys = async || store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap();
    let before = keys().await;

    let stronger = delegate.new_key().scopes(Scopes::parse("notes.write").unwrap());
    let endless = delegate.new_key().expires_at(END.saturating_add(GRACE));
    let in_more_ways = delegate.new_key().sources([Scheme::Bearer, Scheme::Basic]);
    for new in [stronger, endless, in_more_ways] {
        assert_eq!(delegate.create(new).await.unwrap_err().kind(), ManageErrorKind::Forbidden);
    }
    for (name, kind) in [("strong", ManageErrorKind::Forbidden), ("foreign", ManageErrorKind::NotFound)] {
        let update = delegate.update(&id(name), KeyUpdate::new().name("x")).await.unwrap_err();
        let rotated = delegate.rotate(&id(name), RotateOptions::new(Grace::None)).await.unwrap_err();
        let revoked = delegate.revoke(&id(name), "x").await.unwrap_err();
        assert_eq!([update.kind(), rotated.kind(), revoked.kind()], [kind; 3], "{name}");
    }
    // The successor could be presented in more ways.
    let rotated = delegate.rotate(&id("weak"), RotateOptions::new(Grace::None)).await.unwrap_err();
    assert_eq!(rotated.kind(), ManageErrorKind::Forbidden);
    assert_eq!(keys().await, before);

    let created = delegate.create(delegate.new_key()).await.unwrap().record().clone();
    assert_eq!((created.expires_at, &*created.sources), (Some(END), &[Scheme::Bearer][..]));
    assert_eq!(created.created_by.as_deref(), Some("strong"));
    assert_eq!(store.get(&created.id).await.unwrap(), Some(created));

    // Without the limit of sources, it rotates the weak key, whose successor ends with the keys that it may make.
    let early = Timestamp::from_unix_millis(END.unix_millis() - 1);
    let delegate = manager.on_behalf_of_external(caller.keys_end_by(early));
    let late = RotateOptions::new(Grace::None).expires_at(END);
    assert_eq!(delegate.rotate(&id("weak"), late).await.unwrap_err().kind(), ManageErrorKind::Forbidden);
    let successor = delegate.rotate(&id("weak"), RotateOptions::new(Grace::None)).await.unwrap();
    assert_eq!(successor.record().expires_at, Some(early));
}
