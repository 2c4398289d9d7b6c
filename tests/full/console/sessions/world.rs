//! An application whose console has sessions of this crate.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use tower_api_key::backend::{Actor, AuditLog, KeyFilter, KeyStore, UsageStore};
use tower_api_key::clock::ManualClock;
use tower_api_key::console::{Console, Handover, Sessions};
use tower_api_key::manage::{KeyManager, NewKey};
use tower_api_key::{
    AuthenticateLayer, Authenticator, KeyFormat, MemoryStore, Owner, Principal, Record, Scopes,
};

use crate::console::sessions::visitor::Visitor;
use crate::console::world::{START, permissions, serve};

/// Where browsers find the console, as the application knows.
pub(crate) const ADDRESS: &str = "https://app.example.com/settings/api-keys";
pub(crate) const BASE: &str = "/settings/api-keys";
pub(crate) const HOUR: Duration = Duration::from_secs(60 * 60);

pub(crate) struct World<S = MemoryStore> {
    pub(crate) store: S,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) manager: KeyManager<S>,
    pub(crate) authenticator: Authenticator,
    pub(crate) console: Sessions<S>,
    pub(crate) origin: String,
}

pub(crate) fn scopes(list: &str) -> Scopes {
    Scopes::parse(list).unwrap()
}

pub(crate) fn ann() -> Actor {
    Actor::external("user:ann")
}

pub(crate) fn acme() -> Owner {
    Owner::organization("acme")
}

/// The hand-over of a customer who may have notes.
pub(crate) fn handover(actor: Actor) -> Handover {
    Handover::customer(actor, acme()).unwrap().across_environments().scopes(scopes("notes.*"))
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(MemoryStore::new(), Sessions::pasted_keys).await
    }
}

impl<S: KeyStore + UsageStore + AuditLog + Clone> World<S> {
    /// Serves an application over a store.
    pub(crate) async fn with(store: S, settings: impl FnOnce(Sessions<S>) -> Sessions<S>) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let authenticator =
            Authenticator::builder(store.clone()).with_clock(Arc::clone(&clock)).build().unwrap();
        Self::by(store, clock, authenticator, settings).await
    }

    pub(crate) async fn by(
        store: S,
        clock: Arc<ManualClock>,
        authenticator: Authenticator,
        settings: impl FnOnce(Sessions<S>) -> Sessions<S>,
    ) -> Self {
        let format = KeyFormat::new("demo").unwrap();
        let manager = KeyManager::for_authenticator(&authenticator, store.clone(), format).unwrap();
        let console = Console::new(manager.clone().with_permissions(permissions())).unwrap();
        let console =
            settings(console.name("Acme Notes").unwrap().sessions(&authenticator, ADDRESS).unwrap());
        let api = Router::new()
            .route("/notes", get(async |caller: Principal| caller.owner().to_string()))
            .route_layer(AuthenticateLayer::new(authenticator.clone()));
        let others = Router::new().route("/cookies", get(cookies));
        let app =
            Router::new().nest(BASE, console.routes()).merge(api).merge(others).layer(console.strip_cookie());
        let origin = serve(app).await;
        Self { store, clock, manager, authenticator, console, origin }
    }

    pub(crate) fn base(&self) -> String {
        format!("{}{BASE}", self.origin)
    }

    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::new(self.base())
    }

    /// Returns a browser that is about to redeem a code.
    pub(crate) async fn sent(&self, handover: Handover) -> (Visitor, String) {
        Visitor::sent(self.base(), &self.console.session_for(handover).await.unwrap())
    }

    /// Returns a browser that is signed in.
    pub(crate) async fn signed_in(&self, handover: Handover) -> Visitor {
        let (mut visitor, code) = self.sent(handover).await;
        assert_eq!(visitor.redeem(&code).await.location(), "./keys");
        visitor
    }

    /// Returns the text of a new key, and its record.
    pub(crate) async fn key(&self, list: &str) -> (String, Record) {
        let new = NewKey::new(acme()).name("Key").scopes(scopes(list));
        let (text, record) = self.manager.create(new).await.unwrap().into_parts();
        (text.as_str().to_owned(), record)
    }

    /// Returns the principal of a key, as a handler gets it.
    pub(crate) async fn principal(&self, text: &str) -> Principal {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", text.parse().unwrap());
        self.authenticator.authenticate(&headers).await.unwrap()
    }

    pub(crate) async fn keys(&self) -> Vec<Record> {
        self.store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap()
    }

    pub(crate) async fn sessions(&self) -> Vec<Record> {
        self.store.list(&KeyFilter::sessions(), None, usize::MAX).await.unwrap()
    }
}

async fn cookies(headers: HeaderMap) -> String {
    let lines = headers.get_all("cookie").iter().map(|line| line.to_str().unwrap());
    lines.collect::<Vec<_>>().join("|")
}
