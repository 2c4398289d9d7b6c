//! Key management by code.

use std::time::Duration;

use tower_api_key::backend::{Grace, KeyFilter, KeyUpdate};
use tower_api_key::digest::Digester;
use tower_api_key::key::{KeyFormat, OpaqueFormat};
use tower_api_key::manage::{KeyManager, ManageErrorKind, NewKey, RotateOptions};
use tower_api_key::record::KeyState;
use tower_api_key::{KeyId, MemoryStore, Owner, Scopes};

use crate::manage::world::{START, World};

const HOUR: Duration = Duration::from_secs(3_600);

fn acme() -> NewKey {
    NewKey::new(Owner::organization("acme"))
}

#[tokio::test]
async fn a_key_that_was_created_is_admitted_until_it_is_revoked() {
    let world = World::new();
    let new =
        NewKey::new(Owner::organization("acme")).name("Build server").expires_at(START.saturating_add(HOUR));
    let key = world.key(new).await;
    assert_eq!(&*key.record.name, "Build server");
    assert_eq!(
        (key.record.created_at, key.record.expires_at),
        (Some(START), Some(START.saturating_add(HOUR)))
    );
    assert_eq!(world.manager.get(&key.record.id).await.unwrap(), key.record);
    assert!(world.admits(&key.text).await);
    world.manager.revoke(&key.record.id, "done").await.unwrap();
    assert!(!world.admits(&key.text).await);
    let revoked = world.manager.get(&key.record.id).await.unwrap();
    assert_eq!(revoked.state(START), KeyState::Revoked);
    assert_eq!(&*revoked.revoked.unwrap().reason, "done");
}

#[test]
#[should_panic = "the lease must be above zero"]
fn a_manager_that_waits_for_no_lease_is_rejected() {
    let _ = KeyManager::new(MemoryStore::new(), KeyFormat::new("demo").unwrap()).lease(Duration::ZERO);
}

#[tokio::test]
async fn a_key_from_elsewhere_is_admitted_by_its_own_text() {
    let world = World::new();
    let owner = || NewKey::new(Owner::organization("acme"));
    world.manager.import_text("legacy-key-0123456789", owner()).await.unwrap();
    world.manager.import(Digester::sha256().digest(b"legacy-key-by-digest"), owner()).await.unwrap();
    assert!(world.admits("legacy-key-0123456789").await);
    assert!(world.admits("legacy-key-by-digest").await);
    let again = world.manager.import_text("legacy-key-0123456789", owner()).await.unwrap_err();
    assert_eq!(again.kind(), ManageErrorKind::Conflict);
    assert!(!again.to_string().contains("legacy-key"), "{again}");
}

#[tokio::test]
async fn a_key_in_the_manner_of_another_service_is_created_and_replaced_as_any_other() {
    let world = World::new();
    let manager = world.manager.clone().with_format(OpaqueFormat::hex(32).unwrap().prefix("oat_").unwrap());
    let is_token = |text: &str| text.strip_prefix("oat_").is_some_and(|random| random.len() == 32);
    let created = manager.create(NewKey::new(Owner::organization("acme"))).await.unwrap();
    let (old, record) = created.into_parts();
    assert!(is_token(old.as_str()) && world.admits(old.as_str()).await);
    assert!(record.hint.starts_with("oat_"), "{}", record.hint);

    let (new, _) = manager.rotate(&record.id, RotateOptions::new(Grace::None)).await.unwrap().into_parts();
    assert!(is_token(new.as_str()) && world.admits(new.as_str()).await);
    assert!(!world.admits(old.as_str()).await);
}

#[tokio::test]
async fn both_keys_work_during_the_grace_and_the_new_one_after_it() {
    let world = World::new();
    let old = world.admin().await;
    let replacement = RotateOptions::new(Grace::For(HOUR));
    let (text, _) = world.manager.rotate(&old.record.id, replacement).await.unwrap().into_parts();
    assert!(world.admits(&old.text).await && world.admits(text.as_str()).await);
    world.passes(HOUR);
    assert!(!world.admits(&old.text).await);
    assert!(world.admits(text.as_str()).await);
}

#[tokio::test]
async fn a_grace_from_the_first_use_begins_with_the_first_admitted_request() {
    let world = World::new();
    let old = world.admin().await;
    let replacement = RotateOptions::new(Grace::FromFirstUse(HOUR));
    let (text, new) = world.manager.rotate(&old.record.id, replacement).await.unwrap().into_parts();
    world.passes(HOUR * 24);
    assert!(world.admits(&old.text).await);
    assert!(world.admits(text.as_str()).await);
    while world.manager.get(&new.id).await.unwrap().first_use_grace.is_some() {
        tokio::task::yield_now().await;
    }
    world.passes(HOUR - Duration::from_millis(1));
    assert!(world.admits(&old.text).await);
    world.passes(Duration::from_millis(1));
    assert!(!world.admits(&old.text).await);
    assert!(world.admits(text.as_str()).await);
}

#[tokio::test]
async fn values_that_a_key_cannot_have_are_rejected_by_name_and_nothing_is_written() {
    let world = World::new();
    let key = world.admin().await;
    let before = world.all().await;
    let owner = || NewKey::new(Owner::organization("acme"));
    let with = |fill: fn(&mut NewKey)| {
        let mut new = owner();
        fill(&mut new);
        new
    };
    let many = |count: usize| Scopes::new((0..count).map(|number| format!("s{number}"))).unwrap();
    let wrong = [
        ("name", with(|new| new.name = "x".repeat(256).into())),
        ("name", with(|new| new.name = "a\nb".into())),
        ("scopes", owner().scopes(many(101))),
        ("scopes", with(|new| new.scopes = Scopes::new(["x".repeat(129)]).unwrap())),
        ("expires_at", owner().expires_at(START)),
        ("labels", with(|new| new.labels = [(String::new(), "x".to_owned())].into())),
        ("metadata", with(|new| new.metadata = [(String::new(), "x".to_owned())].into())),
        ("metadata", with(|new| new.metadata = [("x".to_owned(), "x".repeat(501))].into())),
        ("metadata", with(|new| new.metadata = (0..51).map(|n| (n.to_string(), String::new())).collect())),
    ];
    for (field, new) in wrong {
        let error = world.manager.create(new).await.unwrap_err();
        assert_eq!(error.kind(), ManageErrorKind::Invalid, "{field}");
        assert_eq!(error.fields()[0].field, field);
        assert!(error.to_string().starts_with("invalid values: "), "{error}");
    }
    let mut update = KeyUpdate::default();
    update.name = Some("a\u{7}".into());
    update.expires_at = Some(Some(START));
    let error = world.manager.update(&key.record.id, update).await.unwrap_err();
    let fields: Vec<_> = error.fields().iter().map(|error| error.field).collect();
    assert_eq!(fields, ["name", "expires_at"]);
    let error = world.manager.revoke(&key.record.id, &"x".repeat(256)).await.unwrap_err();
    assert_eq!(error.fields()[0].field, "reason");
    assert_eq!(world.all().await, before);
    // The maximum.
    world.key(owner().name("é".repeat(255)).scopes(many(100))).await;
}

#[tokio::test]
async fn a_missing_key_is_not_found() {
    let world = World::new();
    let id = KeyId::new("key_unknown").unwrap();
    let manager = &world.manager;
    let errors = [
        manager.get(&id).await.unwrap_err(),
        manager.update(&id, KeyUpdate::default()).await.unwrap_err(),
        manager.rotate(&id, RotateOptions::new(Grace::None)).await.unwrap_err(),
        manager.revoke(&id, "").await.unwrap_err(),
    ];
    assert!(errors.iter().all(|error| error.kind() == ManageErrorKind::NotFound), "{errors:?}");
}

#[tokio::test]
async fn keys_are_revoked_by_a_filter_and_deleted_when_they_have_ended() {
    let world = World::new();
    let (own, other) = (world.customer("acme", "a").await, world.customer("other", "a").await);
    let revoked = world.manager.revoke_all(&KeyFilter::of_organization("acme"), "leaked").await.unwrap();
    assert_eq!(revoked, 1);
    assert!(!world.admits(&own.text).await);
    assert!(world.admits(&other.text).await);
    world.passes(HOUR);
    assert_eq!(world.manager.purge_ended(START).await.unwrap(), 0);
    assert_eq!(world.manager.purge_ended(START.saturating_add(HOUR)).await.unwrap(), 1);
    assert_eq!(world.all().await, [other.record]);
}

#[tokio::test]
async fn a_created_key_shows_its_text_once_and_nowhere_else() {
    let world = World::new();
    let created = world.manager.create(NewKey::new(Owner::organization("acme"))).await.unwrap();
    let shown = format!("{created:?}{:?}{:?}", created.record(), world.manager);
    let (text, record) = created.into_parts();
    // The rest after the hint is known only to the owner.
    let secret = &text.as_str()[record.hint.len() - 3..];
    assert!(!shown.contains(secret));
    assert!(!format!("{text:?}{record:?}").contains(secret));
}

#[tokio::test]
async fn a_key_that_is_no_secret_can_be_read_back_and_so_can_its_successor() {
    let world = World::new();
    let (text, record) = world.manager.create(acme().retrievable()).await.unwrap().into_parts();
    assert!(!format!("{record:?}").contains(text.as_str()));
    let kept = world.manager.get(&record.id).await.unwrap().retrievable.unwrap();
    assert_eq!(kept.as_str(), text.as_str());

    let replacement = RotateOptions::new(Grace::None);
    let (text, successor) = world.manager.rotate(&record.id, replacement).await.unwrap().into_parts();
    assert_eq!(successor.retrievable.unwrap().as_str(), text.as_str());
    let imported =
        world.manager.import_text("device-key-1", acme().retrievable().allow_weak()).await.unwrap();
    assert_eq!(imported.retrievable.unwrap().as_str(), "device-key-1");
    assert!(world.admits("device-key-1").await);
}

#[tokio::test]
async fn no_key_can_be_read_back_that_was_not_made_so() {
    let world = World::new();
    let key = world.key(acme()).await;
    assert_eq!(world.manager.get(&key.record.id).await.unwrap().retrievable, None);
    let successor = world.manager.rotate(&key.record.id, RotateOptions::new(Grace::None)).await.unwrap();
    assert_eq!(successor.record().retrievable, None);
    assert_eq!(world.manager.import_text("a-secret-of-a-client", acme()).await.unwrap().retrievable, None);

    let before = world.all().await;
    let digest = Digester::sha256().digest(b"text");
    let error = world.manager.import(digest, acme().retrievable()).await.unwrap_err();
    assert_eq!(error.fields()[0].field, "retrievable");
    assert_eq!(world.all().await, before);
}
