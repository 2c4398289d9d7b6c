//! Owners with one key at a time.

use std::sync::Arc;

use tower_api_key::backend::KeyFilter;
use tower_api_key::manage::{ManageErrorKind, NewKey};
use tower_api_key::record::KeyState;
use tower_api_key::{Owner, Scopes};

use crate::manage::world::{START, World};

fn acme() -> NewKey {
    NewKey::new(Owner::organization("acme"))
}

async fn active(world: &World) -> Vec<String> {
    let filter = KeyFilter::of_organization("acme").state(KeyState::Active, START);
    let records = world.manager.list(&filter, None, usize::MAX).await.unwrap();
    records.iter().map(|record| record.id.to_string()).collect()
}

#[tokio::test]
async fn an_exclusive_key_is_as_requested_and_ends_the_previous_keys() {
    let world = World::new();
    let other = world.customer("other", "notes.read").await;
    let mut before = vec![world.customer("acme", "notes.read").await, world.customer("acme", "*").await];
    let filter = KeyFilter::of_organization("acme");
    let manager = world.manager.clone().acting_as("ann");
    for scopes in ["notes.read", "notes.write"] {
        let new = acme().name("the only one").scopes(Scopes::parse(scopes).unwrap());
        let (text, record) = manager.create_exclusive(&filter, new).await.unwrap().into_parts();
        assert_eq!((&*record.name, record.scopes.to_string()), ("the only one", scopes.to_owned()));
        assert_eq!(active(&world).await, [record.id.to_string()]);
        assert!(world.admits(text.as_str()).await && world.admits(&other.text).await);
        for key in &before {
            assert!(!world.admits(&key.text).await);
            let ended = manager.get(&key.record.id).await.unwrap().revoked.unwrap();
            assert_eq!((ended.by.as_deref(), &*ended.reason), (Some("ann"), "replaced"));
        }
        before = vec![crate::manage::world::Customer { text: text.as_str().to_owned(), record }];
    }
}

#[tokio::test]
async fn an_owner_without_a_key_gets_a_first_one() {
    let world = World::new();
    let (text, _) = world
        .manager
        .create_exclusive(&KeyFilter::of_organization("acme"), acme())
        .await
        .unwrap()
        .into_parts();
    assert!(world.admits(text.as_str()).await);
    assert_eq!(world.all().await.len(), 1);
}

#[tokio::test]
async fn a_key_that_cannot_be_made_ends_no_other() {
    let world = World::new();
    let old = world.customer("acme", "notes.read").await;
    let new = acme().name("a\nb");
    let error = world.manager.create_exclusive(&KeyFilter::of_organization("acme"), new).await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::Invalid);
    assert!(world.admits(&old.text).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_several_concurrent_exclusive_keys_one_stays() {
    for is_first in [true, false].repeat(25) {
        let world = Arc::new(World::new());
        if !is_first {
            world.customer("acme", "notes.read").await;
        }
        let calls: Vec<_> = (0..8)
            .map(|_| {
                let manager = world.manager.clone();
                let filter = KeyFilter::of_organization("acme");
                tokio::spawn(async move {
                    manager.create_exclusive(&filter, acme()).await.unwrap().into_parts().1
                })
            })
            .collect();
        let mut made = Vec::new();
        for call in calls {
            made.push(call.await.unwrap().id.to_string());
        }
        let [left] = &*active(&world).await else { panic!("expected one key") };
        assert!(made.contains(left));
    }
}
