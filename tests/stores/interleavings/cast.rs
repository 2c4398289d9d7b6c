//! The actors and their targets: the same keys, people and organizations in every store.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use tower_api_key::backend::{Actor, KeyChange, KeyStore, OwnerChange, OwnerStore};
use tower_api_key::clock::ManualClock;
use tower_api_key::manage::KeyManager;
use tower_api_key::owner::{Membership, Organization, PasswordHash};
use tower_api_key::password::{PasswordLimits, Passwords};
use tower_api_key::principal::Resource;
use tower_api_key::{
    Authenticator, KeyFormat, KeyId, MemoryStore, Owner, Principal, Record, Requirement, Scopes, Source,
    Timestamp,
};

use support::{Key, START, revocation};

pub(crate) const ACME: &str = "acme";
pub(crate) const ANN: &str = "ann@example.com";
pub(crate) const BOB: &str = "bob@example.com";
pub(crate) const SCOPES: &str = "keys.write notes.read";

/// When the actors' keys expire.
pub(crate) const END: Timestamp = Timestamp::from_unix_millis(1_800_003_600_000);

/// The kind of actor that makes a change, or loses its authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// The key of an organization.
    Key,
    /// The key of a person, who is a member of that organization.
    PersonsKey,
    /// The same person by the password.
    Person,
}

/// Keys of one owner: the actor's, another one with the same scopes, and a target.
pub(crate) struct Household {
    pub(crate) own: Key,
    pub(crate) peer: Key,
    pub(crate) target: Key,
    caller: Principal,
    /// The principal of the other key.
    peer_caller: Principal,
}

pub(crate) struct Cast {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) password: PasswordHash,
    pub(crate) other_password: PasswordHash,
    organization: Household,
    person: Household,
    by_password: Principal,
    /// A key of a project, and one that was revoked long ago.
    project_key: Key,
    ended: Key,
}

impl Cast {
    /// Admits all actors, while they are all in force.
    pub(crate) async fn admitted() -> Self {
        let mut limits = PasswordLimits::default();
        (limits.memory, limits.passes) = (8, 1);
        let passwords = Passwords::with_limits(limits).unwrap();
        let secret = "correct horse: battery staple";
        let password = passwords.hash(secret).await.unwrap();
        let other_password = passwords.hash("another one").await.unwrap();
        let keys = [Trio::of("org", &Owner::organization(ACME)), Trio::of("person", &Owner::user(ANN, []))];
        let clock = Arc::new(ManualClock::new(START));
        let store = MemoryStore::new();
        put_owners(&store, &password).await;
        for key in keys.iter().flat_map(Trio::all) {
            store.change(KeyChange::insert(key.record.clone())).await.unwrap();
        }
        let builder = Authenticator::builder(store).with_clock(Arc::clone(&clock));
        let builder = builder.sources([Source::bearer(), Source::basic()]).passwords(passwords);
        let by = builder.deadline(Duration::from_secs(60)).build().unwrap();
        let [organization, person] = keys;
        let pair = STANDARD.encode(format!("{ANN}:{secret}"));
        Self {
            organization: organization.admitted(&by).await,
            person: person.admitted(&by).await,
            by_password: admitted(&by, &format!("Basic {pair}")).await,
            project_key: key("project_key", &Owner::project(Organization::new(ACME), "sink")),
            ended: key("ended", &Owner::organization(ACME))
                .with(|record| record.expires_at = Some(Timestamp::from_unix_millis(1))),
            clock,
            password,
            other_password,
        }
    }

    /// Puts the cast into a new store, and resets the clock.
    pub(crate) async fn enter(&self, store: &(impl KeyStore + OwnerStore)) {
        self.clock.set_wall(START);
        put_owners(store, &self.password).await;
        let Self { organization, person, project_key, ended, .. } = self;
        let households = [organization, person].into_iter().flat_map(Household::keys);
        for key in households.chain([project_key, ended]) {
            store.change(KeyChange::insert(key.record.clone())).await.unwrap();
        }
    }

    pub(crate) fn household(&self, who: Who) -> &Household {
        if who == Who::Key { &self.organization } else { &self.person }
    }

    pub(crate) fn caller(&self, who: Who) -> &Principal {
        match who {
            Who::Key => &self.organization.caller,
            Who::PersonsKey => &self.person.caller,
            Who::Person => &self.by_password,
        }
    }

    pub(crate) fn peer(&self, who: Who) -> &Principal {
        &self.household(who).peer_caller
    }

    /// The caller as an actor who may manage the organization's keys.
    pub(crate) fn actor(&self, who: Who) -> Actor {
        let needs = needs("keys.write");
        match who {
            Who::Key => self.caller(who).actor().requires(needs),
            Who::PersonsKey | Who::Person => {
                self.caller(who).actor().requires_for(needs, Resource::Organization(ACME))
            }
        }
    }

    pub(crate) fn manager<S: KeyStore>(&self, store: S) -> KeyManager<S> {
        KeyManager::new(store, KeyFormat::new("demo").unwrap()).with_clock(Arc::clone(&self.clock))
    }
}

impl Household {
    fn keys(&self) -> [&Key; 3] {
        [&self.own, &self.peer, &self.target]
    }
}

struct Trio {
    own: Key,
    peer: Key,
    target: Key,
}

impl Trio {
    fn of(name: &str, owner: &Owner) -> Self {
        let acting = |part: &str| key(&format!("{name}_{part}"), owner).scopes(SCOPES).with(ends);
        Self {
            own: acting("own"),
            peer: acting("peer"),
            target: key(&format!("{name}_target"), owner)
                .scopes("notes.read")
                .with(|record| record.expires_at = Some(Timestamp::from_unix_millis(1_800_001_800_000))),
        }
    }

    fn all(&self) -> [&Key; 3] {
        [&self.own, &self.peer, &self.target]
    }

    async fn admitted(self, by: &Authenticator) -> Household {
        let Self { own, peer, target } = self;
        let caller = admitted(by, &format!("Bearer {}", own.text)).await;
        let peer_caller = admitted(by, &format!("Bearer {}", peer.text)).await;
        Household { own, peer, target, caller, peer_caller }
    }
}

async fn admitted(by: &Authenticator, authorization: &str) -> Principal {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", authorization.parse().unwrap());
    by.authenticate(&headers).await.unwrap()
}

fn key(id: &str, owner: &Owner) -> Key {
    Key::mint().with(|record| (record.id, record.owner) = (KeyId::new(id).unwrap(), owner.clone()))
}

fn ends(record: &mut Record) {
    record.expires_at = Some(END);
}

/// Ann and Bob are members of the organization, which has two projects, and had a third.
async fn put_owners(store: &impl OwnerStore, password: &PasswordHash) {
    store.change_owner(OwnerChange::put_organization(Organization::new(ACME))).await.unwrap();
    for email in [ANN, BOB] {
        store.change_owner(OwnerChange::put_user(email)).await.unwrap();
        store.change_owner(OwnerChange::put_membership(email, role(SCOPES))).await.unwrap();
    }
    store.change_owner(OwnerChange::set_password(ANN, Some(password.clone()))).await.unwrap();
    for project in ["sink", "pump", "gone"] {
        store.change_owner(OwnerChange::put_project(ACME, project)).await.unwrap();
    }
    store.change_owner(OwnerChange::delete_project(ACME, "gone", revocation())).await.unwrap();
}

pub(crate) fn role(may: &str) -> Membership {
    Membership::new(Organization::new(ACME), "admin", scopes(may))
}

pub(crate) fn scopes(text: &str) -> Scopes {
    Scopes::parse(text).unwrap()
}

pub(crate) fn needs(scope: &str) -> Requirement {
    Requirement::all_of([scope]).unwrap()
}
