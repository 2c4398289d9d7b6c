//! A service whose customers manage their own keys.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use http_body_util::channel::Channel;
use serde_json::Value;
use tower::ServiceExt;
use tower_api_key::backend::KeyFilter;
use tower_api_key::clock::ManualClock;
use tower_api_key::manage::{KeyManager, ManageSettings, NewKey, Permissions, routes};
use tower_api_key::test_util::Misbehaving;
use tower_api_key::usage::Usage;
use tower_api_key::{
    AuthenticateLayer, Authenticator, Environment, KeyFormat, MemoryStore, Owner, Record, Requirement,
    Scopes, Timestamp,
};

pub(crate) const START: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

pub(crate) struct World {
    pub(crate) manager: KeyManager<MemoryStore>,
    pub(crate) backend: Misbehaving<MemoryStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) usage: Usage,
    authenticator: Authenticator,
    pub(crate) app: Router,
}

/// A key of a customer, with its text.
pub(crate) struct Customer {
    pub(crate) text: String,
    pub(crate) record: Record,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

fn settings(log: &MemoryStore) -> ManageSettings {
    let needs = |scope: &str| Requirement::all_of([scope]).unwrap();
    ManageSettings::new(needs("keys.read"), needs("keys.write")).audit_log(log.clone())
}

fn app(manager: &KeyManager<MemoryStore>, authenticator: &Authenticator, settings: ManageSettings) -> Router {
    Router::new()
        .route("/whoami", get(|| async { StatusCode::OK }))
        .nest("/admin", routes(manager.clone(), settings))
        .layer(AuthenticateLayer::new(authenticator.clone()))
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|manager| manager)
    }

    /// Creates a world with another manager.
    pub(crate) fn with(change: impl FnOnce(KeyManager<MemoryStore>) -> KeyManager<MemoryStore>) -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let store = MemoryStore::new();
        let manager =
            KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap()).with_clock(Arc::clone(&clock));
        let manager = change(manager.lease(Duration::from_millis(1)));
        let usage = Usage::builder(store.clone()).build().unwrap();
        let backend = Misbehaving::new(store);
        // Some callers are users without organizations.
        let authenticator = Authenticator::builder(backend.clone()).user_scopes(Scopes::parse("*").unwrap());
        let authenticator =
            authenticator.usage(usage.clone()).with_clock(Arc::clone(&clock)).build().unwrap();
        let app = app(&manager, &authenticator, settings(backend.get_ref()));
        Self { manager, backend, clock, usage, authenticator, app }
    }

    /// Creates a world with other settings of the routes.
    pub(crate) fn with_settings(change: impl FnOnce(ManageSettings) -> ManageSettings) -> Self {
        let mut world = Self::new();
        world.app = app(&world.manager, &world.authenticator, change(settings(world.backend.get_ref())));
        world
    }

    /// Replaces the manager and the routes by ones with these permissions. Keys that exist stay.
    pub(crate) fn limit(&mut self, permissions: Permissions) {
        self.manager = self.manager.clone().with_permissions(permissions);
        self.app = app(&self.manager, &self.authenticator, settings(self.backend.get_ref()));
    }

    /// Creates a key of an organization.
    pub(crate) async fn customer(&self, organization: &str, scopes: &str) -> Customer {
        let new = NewKey::new(Owner::organization(organization)).scopes(Scopes::parse(scopes).unwrap());
        self.key(new).await
    }

    pub(crate) async fn admin(&self) -> Customer {
        self.customer("acme", "keys.read keys.write notes.*").await
    }

    pub(crate) async fn test_admin(&self) -> Customer {
        let new = NewKey::new(Owner::organization("acme")).environment(Environment::Test);
        self.key(new.scopes(Scopes::parse("*").unwrap())).await
    }

    pub(crate) async fn key(&self, new: NewKey) -> Customer {
        let (text, record) = self.manager.create(new).await.unwrap().into_parts();
        Customer { text: text.as_str().to_owned(), record }
    }

    pub(crate) async fn ask(&self, caller: &Customer, method: Method, path: &str, body: &str) -> Answer {
        self.ask_with(&caller.text, method, path, body).await
    }

    pub(crate) async fn ask_with(&self, key: &str, method: Method, path: &str, body: &str) -> Answer {
        self.send(&[("authorization", format!("Bearer {key}"))], method, path, body).await
    }

    pub(crate) async fn send(
        &self,
        headers: &[(&str, String)],
        method: Method,
        path: &str,
        body: &str,
    ) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        self.answer(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Sends a request whose body does not end.
    pub(crate) async fn send_half(&self, caller: &Customer, method: Method, path: &str) -> Answer {
        let (mut rest, body) = Channel::<Bytes>::new(1);
        rest.send_data("{".into()).await.unwrap();
        let bearer = format!("Bearer {}", caller.text);
        let request = Request::builder().method(method).uri(path).header("authorization", bearer);
        self.answer(request.body(Body::new(body)).unwrap()).await
    }

    pub(crate) async fn answer(&self, request: Request<Body>) -> Answer {
        let response = self.app.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Returns whether a key is admitted.
    pub(crate) async fn admits(&self, key: &str) -> bool {
        match self.ask_with(key, Method::GET, "/whoami", "").await.status {
            StatusCode::OK => true,
            StatusCode::UNAUTHORIZED => false,
            other => panic!("{other}"),
        }
    }

    pub(crate) fn passes(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Returns all keys.
    pub(crate) async fn all(&self) -> Vec<Record> {
        self.manager.list(&KeyFilter::all(), None, usize::MAX).await.unwrap()
    }
}
