//! A service whose customers manage their own keys.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tower_api_key::backend::{AuditEntry, AuditQuery, Backend, KeyChange, KeyFilter, KeyUpdate};
use tower_api_key::clock::{Clock, ManualClock};
use tower_api_key::manage::{KeyManager, ManageSettings, NewKey};
use tower_api_key::owner::{Organization, User};
use tower_api_key::password::{PasswordLimits, Passwords};
use tower_api_key::record::Revocation;
use tower_api_key::{
    Authenticator, KeyFormat, KeyId, Owner, Principal, Record, Requirement, Scopes, Source, Timestamp,
};

use crate::authority::console::{Answer, Console, Held};
use crate::authority::stores::Store;
use support::meddling::Meddling;

pub(crate) const START: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);
pub(crate) const ANN: &str = "ann@example.com";
pub(crate) const BOB: &str = "bob@example.com";

pub(crate) struct World<S> {
    pub(crate) store: S,
    pub(crate) clock: Arc<ManualClock>,
    /// The store of the manager.
    pub(crate) kept: Meddling<S>,
    /// The store of the authenticator.
    pub(crate) looked_up: Meddling<S>,
    pub(crate) manager: KeyManager<Meddling<S>>,
    pub(crate) authenticator: Authenticator,
    pub(crate) passwords: Passwords,
    pub(crate) console: Console,
}

/// A key, with its text.
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) record: Record,
}

/// All data, which a rejected change must not alter.
#[derive(Debug, PartialEq)]
pub(crate) struct Snapshot {
    keys: Vec<Record>,
    people: Vec<Option<User>>,
    organization: Option<Organization>,
    entries: Vec<AuditEntry>,
}

impl Key {
    pub(crate) fn new(text: &str, record: Record) -> Self {
        Self { text: text.to_owned(), record }
    }

    /// Returns the value of the header by which the key is presented.
    pub(crate) fn bearer(&self) -> String {
        bearer(&self.text)
    }

    pub(crate) fn id(&self) -> &KeyId {
        &self.record.id
    }

    pub(crate) fn path(&self) -> String {
        format!("/console/keys/{}", self.record.id)
    }

    pub(crate) fn path_to_rotate(&self) -> String {
        format!("{}/rotate", self.path())
    }
}

pub(crate) fn bearer(text: &str) -> String {
    format!("Bearer {text}")
}

/// Returns the value of the header by which a person presents a password.
pub(crate) fn basic(email: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{email}:{password}")))
}

pub(crate) fn scopes(text: &str) -> Scopes {
    Scopes::parse(text).unwrap()
}

pub(crate) fn needs(scope: &str) -> Requirement {
    Requirement::all_of([scope]).unwrap()
}

pub(crate) fn of(organization: &str) -> NewKey {
    NewKey::new(Owner::organization(organization))
}

pub(crate) fn revocation(reason: &str) -> Revocation {
    Revocation::new(START, reason)
}

/// Formats a time as clients do.
pub(crate) fn written(time: Timestamp) -> String {
    let nanos = i128::from(time.unix_millis()) * 1_000_000;
    let time = time::OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap();
    time.format(&time::format_description::well_known::Rfc3339).unwrap()
}

pub(crate) fn settings() -> ManageSettings {
    ManageSettings::new(needs("keys"), needs("keys"))
}

/// An authenticator with the clock of the test, which polls once.
pub(crate) fn authenticator(
    backend: impl Backend,
    clock: &Arc<ManualClock>,
    passwords: &Passwords,
) -> Authenticator {
    Authenticator::builder(backend)
        .sources([Source::bearer(), Source::x_api_key(), Source::basic()])
        .passwords(passwords.clone())
        .with_clock(Arc::clone(clock))
        .deadline(Duration::from_secs(60))
        .poll_interval(Duration::from_secs(1_800))
        .lease(Duration::from_secs(3_600))
        .build()
        .unwrap()
}

impl<S: Store> World<S> {
    pub(crate) async fn of(store: S) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let (kept, looked_up) = (Meddling::new(store.clone()), Meddling::new(store.clone()));
        let manager =
            KeyManager::new(kept.clone(), KeyFormat::new("demo").unwrap()).with_clock(Arc::clone(&clock));
        let mut light = PasswordLimits::default();
        (light.memory, light.passes) = (8, 1);
        let passwords = Passwords::with_limits(light).unwrap();
        let authenticator = authenticator(looked_up.clone(), &clock, &passwords);
        let console = Console::serve(manager.clone(), authenticator.clone(), settings()).await;
        Self { store, clock, kept, looked_up, manager, authenticator, passwords, console }
    }

    /// Creates a key of an organization.
    pub(crate) async fn grant(&self, organization: &str, granted: &str) -> Key {
        self.key(of(organization).scopes(scopes(granted))).await
    }

    pub(crate) async fn key(&self, new: NewKey) -> Key {
        let (text, record) = self.manager.create(new).await.unwrap().into_parts();
        Key::new(text.as_str(), record)
    }

    pub(crate) async fn ask(&self, caller: &Key, method: &str, path: &str, body: &Value) -> Answer {
        self.console.ask(&caller.bearer(), method, path, &body.to_string()).await
    }

    pub(crate) async fn hold(&self, caller: &Key, method: &str, path: &str, body: &Value) -> Held {
        self.console.hold(&caller.bearer(), method, path, &body.to_string()).await
    }

    /// Returns whether a key is admitted.
    pub(crate) async fn admits(&self, text: &str) -> bool {
        match self.console.ask(&bearer(text), "GET", "/whoami", "").await.status {
            StatusCode::OK => true,
            StatusCode::UNAUTHORIZED => false,
            other => panic!("{other}"),
        }
    }

    /// Presents a key by code.
    pub(crate) async fn admit(&self, key: &Key) -> Principal {
        admit(&self.authenticator, &key.bearer()).await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.wall()
    }

    /// Returns the stored record of a key.
    pub(crate) async fn stored(&self, id: &KeyId) -> Record {
        self.store.get(id).await.unwrap().unwrap()
    }

    pub(crate) async fn keys(&self) -> Vec<Record> {
        self.store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap()
    }

    pub(crate) async fn update(&self, id: &KeyId, describe: impl FnOnce(&mut KeyUpdate)) {
        let mut update = KeyUpdate::default();
        describe(&mut update);
        self.store.change(KeyChange::update(id, update)).await.unwrap();
    }

    pub(crate) async fn revoke(&self, key: &Key) {
        self.store.change(KeyChange::revoke(key.id(), Revocation::new(self.now(), "lost"))).await.unwrap();
    }

    pub(crate) async fn snapshot(&self) -> Snapshot {
        let mut people = Vec::new();
        for email in [ANN, BOB] {
            people.push(self.store.find_user(email).await.unwrap());
        }
        Snapshot {
            keys: self.keys().await,
            people,
            organization: self.store.organization("acme").await.unwrap(),
            entries: self.store.audit_log(&AuditQuery::all().oldest_first()).await.unwrap(),
        }
    }
}

pub(crate) async fn admit(by: &Authenticator, authorization: &str) -> Principal {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", authorization.parse().unwrap());
    by.authenticate(&headers).await.unwrap()
}
