//! Keys whose owners an application keeps by itself.

use std::sync::{Arc, Mutex};

use support::probe::{Feed, Probe};
use support::{Key, authenticator};
use tower_api_key::backend::{
    Backend, BackendError, BoxedChangeFeed, Invalidation, Invalidator, OwnerResolver, Subscriber,
    WithOwnerResolver,
};
use tower_api_key::limit::{Limits, Plan};
use tower_api_key::owner::{Membership, Organization, User};
use tower_api_key::{MemoryStore, Owner, Principal, Reason, Scopes};

const ANN: &str = "ann@example.com";

/// The tables of an application: its organizations, and Ann's memberships.
#[derive(Clone, Default)]
struct Tables {
    organizations: Arc<Mutex<Vec<Organization>>>,
    anns: Arc<Mutex<Option<Vec<&'static str>>>>,
    is_down: Arc<Mutex<bool>>,
    changes: Invalidator,
}

impl Tables {
    fn new(organizations: &[&str], anns: &[&'static str]) -> Self {
        let tables = Self::default();
        *tables.organizations.lock().unwrap() =
            organizations.iter().map(|id| Organization::new(*id)).collect();
        *tables.anns.lock().unwrap() = Some(anns.to_vec());
        tables
    }

    fn asked(&self) -> Result<(), BackendError> {
        if *self.is_down.lock().unwrap() { Err(BackendError::unavailable("down")) } else { Ok(()) }
    }
}

impl OwnerResolver for Tables {
    async fn organization(&self, id: &str) -> Result<Option<Organization>, BackendError> {
        self.asked()?;
        Ok(self.organizations.lock().unwrap().iter().find(|own| *own.id == *id).cloned())
    }

    async fn user(&self, email: &str) -> Result<Option<User>, BackendError> {
        self.asked()?;
        let anns = self.anns.lock().unwrap().clone().filter(|_| email == ANN);
        let member = |id| Membership::new(Organization::new(id), "reader", Scopes::default());
        Ok(anns.map(|ids| User::new(ANN, ids.into_iter().map(member))))
    }

    fn subscribe(&self, subscriber: Subscriber) {
        self.changes.subscribe(subscriber);
    }
}

async fn world(tables: &Tables, owner: Owner) -> (impl AsyncFn() -> Result<Principal, Reason>, Key) {
    let store = MemoryStore::new();
    let key = Key::mint().with(|record| record.owner = owner).insert_into(&store).await;
    let (authenticator, _clock) = authenticator(WithOwnerResolver::new(store, tables.clone()));
    let request = key.bearer();
    let present = async move || {
        let outcome = authenticator.authenticate(request.headers()).await;
        outcome.map_err(|rejection| rejection.reason().clone())
    };
    (present, key)
}

#[tokio::test]
async fn the_owner_of_a_key_is_that_of_the_resolver() {
    let tables = Tables::new(&["acme"], &["acme", "other"]);
    let (present, _) = world(&tables, Owner::user("ANN@example.com", [])).await;
    assert_eq!(present().await.unwrap().organizations().count(), 2);
    let (present, _) = world(&tables, Owner::project(Organization::new("acme"), "p")).await;
    assert_eq!(present().await.unwrap().owner().to_string(), "project acme/p");
}

#[tokio::test]
async fn a_key_whose_owner_the_resolver_does_not_know_is_unknown() {
    let tables = Tables::new(&["acme"], &[]);
    for owner in [
        Owner::organization("other"),
        Owner::project(Organization::new("other"), "p"),
        Owner::user("bob@example.com", []),
    ] {
        let (present, _) = world(&tables, owner).await;
        assert_eq!(present().await.unwrap_err(), Reason::Unknown);
    }
}

#[tokio::test]
async fn a_plan_that_is_known_by_its_name_alone_admits_no_key() {
    let tables = Tables::new(&["acme"], &[]);
    let put = |plan: Plan| *tables.organizations.lock().unwrap() = vec![Organization::new("acme").plan(plan)];
    let owners = [Owner::organization("acme"), Owner::project(Organization::new("acme"), "p")];
    put(Plan::named("free").unwrap());
    for owner in &owners {
        let (present, _) = world(&tables, owner.clone()).await;
        assert_eq!(present().await.unwrap_err(), Reason::Unavailable);
    }
    put(Plan::new("free", Limits::default()).unwrap());
    for owner in owners {
        let (present, _) = world(&tables, owner).await;
        assert_eq!(present().await.unwrap().limits().count(), 0, "a plan without limits");
    }
}

#[tokio::test]
async fn a_resolver_that_is_down_invalidates_no_key() {
    let tables = Tables::new(&["acme"], &[]);
    let (present, _) = world(&tables, Owner::organization("acme")).await;
    *tables.is_down.lock().unwrap() = true;
    assert_eq!(present().await.unwrap_err(), Reason::Unavailable);
    *tables.is_down.lock().unwrap() = false;
    assert!(present().await.is_ok());
}

#[tokio::test]
async fn a_change_by_the_resolver_is_in_effect_for_the_next_request() {
    let tables = Tables::new(&["acme"], &["acme", "other"]);
    let (present, _) = world(&tables, Owner::user(ANN, [])).await;
    assert_eq!(present().await.unwrap().organizations().count(), 2);
    *tables.anns.lock().unwrap() = Some(vec!["acme"]);
    assert_eq!(present().await.unwrap().organizations().count(), 2, "it is remembered");
    tables.changes.invalidate(Invalidation::Everything);
    assert_eq!(present().await.unwrap().organizations().count(), 1);
    *tables.anns.lock().unwrap() = None;
    tables.changes.invalidate(Invalidation::Everything);
    assert_eq!(present().await.unwrap_err(), Reason::Unknown);
}

/// Returns a store whose feed reports one change.
fn keys_with_feed() -> impl Backend {
    Probe::empty().followed_by(|| {
        Feed::answering(async |number| {
            Ok(if number == 0 { vec![Invalidation::of_user("keys")] } else { Vec::new() })
        })
    })
}

/// A resolver that has nothing but a feed, or not even that. The feed fails, and then reports one change.
struct NoOwners {
    has_feed: bool,
}

impl OwnerResolver for NoOwners {
    async fn organization(&self, _: &str) -> Result<Option<Organization>, BackendError> {
        Ok(None)
    }

    async fn user(&self, _: &str) -> Result<Option<User>, BackendError> {
        Ok(None)
    }

    fn feed(&self) -> Option<BoxedChangeFeed> {
        let feed = Feed::answering(async |number| match number {
            0 => Err(BackendError::unavailable("down")),
            1 => Ok(vec![Invalidation::Everything]),
            _ => Ok(Vec::new()),
        });
        self.has_feed.then(|| BoxedChangeFeed::new(feed))
    }
}

#[tokio::test]
async fn changes_of_keys_are_not_lost_while_those_of_owners_cannot_be_read() {
    let backend = WithOwnerResolver::new(keys_with_feed(), NoOwners { has_feed: true });
    let mut feed = Backend::feed(&backend).unwrap();
    assert!(feed.poll().await.is_err());
    assert_eq!(feed.poll().await.unwrap(), [Invalidation::of_user("keys"), Invalidation::Everything]);
    assert_eq!(feed.poll().await.unwrap(), []);
}

#[tokio::test]
async fn one_feed_is_enough_and_none_is_none() {
    let mut feed =
        Backend::feed(&WithOwnerResolver::new(keys_with_feed(), NoOwners { has_feed: false })).unwrap();
    assert_eq!(feed.poll().await.unwrap(), [Invalidation::of_user("keys")]);
    assert!(Backend::feed(&WithOwnerResolver::new(Probe::empty(), NoOwners { has_feed: true })).is_some());
    assert!(Backend::feed(&WithOwnerResolver::new(Probe::empty(), NoOwners { has_feed: false })).is_none());
}
