//! Owners with one key at a time, and concurrent callers.

use tokio::task::JoinSet;
use tower_api_key::Record;
use tower_api_key::audit::Action;
use tower_api_key::backend::{AuditQuery, KeyFilter};
use tower_api_key::manage::ManageErrorKind;
use tower_api_key::record::KeyState;

use crate::authority::stores::Store;
use crate::authority::world::{World, of};

const CALLERS: usize = 24;

fn in_force<S: Store>(world: &World<S>, keys: &[Record]) -> Vec<Record> {
    keys.iter().filter(|key| key.state(world.now()) == KeyState::Active).cloned().collect()
}

pub(crate) async fn of_many_concurrent_exclusive_keys_one_stays<S: Store>(world: World<S>) {
    let other = world.grant("other", "keys").await;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let manager = world.manager.clone();
        callers.spawn(async move {
            manager.create_exclusive(&KeyFilter::of_organization("acme"), of("acme")).await
        });
    }
    let mut made: Vec<_> =
        callers.join_all().await.into_iter().map(|key| key.unwrap().record().id.clone()).collect();
    let own = world.store.list(&KeyFilter::of_organization("acme"), None, usize::MAX).await.unwrap();
    let mut stored: Vec<_> = own.iter().map(|key| key.id.clone()).collect();
    made.sort();
    stored.sort();
    assert_eq!((made.len(), &made), (CALLERS, &stored));
    assert_eq!(in_force(&world, &own).len(), 1);
    assert_eq!(world.stored(other.id()).await, other.record);
    let entries = world.store.audit_log(&AuditQuery::all().oldest_first()).await.unwrap();
    let count = |action: &Action| entries.iter().filter(|entry| entry.event.action == *action).count();
    assert_eq!((count(&Action::Created), count(&Action::Revoked)), (CALLERS + 1, CALLERS - 1));
}

pub(crate) async fn a_key_replaces_itself<S: Store>(world: World<S>) {
    let own = world.grant("acme", "keys").await;
    let manager = world.manager.clone().acting_for(world.admit(&own).await.actor());
    let made = manager.create_exclusive(&KeyFilter::of_organization("acme"), of("acme")).await.unwrap();
    assert_eq!(in_force(&world, &world.keys().await), [made.record().clone()]);
    assert_eq!(made.record().created_by.as_deref(), Some(own.id().as_str()));
    assert!(!world.admits(&own.text).await);
    let (text, _) = made.into_parts();
    assert!(world.admits(text.as_str()).await);
}

pub(crate) async fn an_actor_that_is_not_in_force_replaces_no_key<S: Store>(world: World<S>) {
    let (own, other) = (world.grant("acme", "keys").await, world.grant("acme", "keys").await);
    let manager = world.manager.clone().acting_for(world.admit(&own).await.actor());
    world.revoke(&own).await;
    let before = world.snapshot().await;
    for filter in [KeyFilter::all(), KeyFilter::of_organization("acme")] {
        let rejected = manager.create_exclusive(&filter, of("acme")).await.unwrap_err();
        assert_eq!(rejected.kind(), ManageErrorKind::Forbidden, "{rejected}");
    }
    assert_eq!(world.snapshot().await, before);
    assert!(world.admits(&other.text).await);
}
