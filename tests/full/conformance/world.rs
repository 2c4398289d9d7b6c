//! The environment of one case: keys, a store, a clock, and a server on a socket of its own.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{delete, get, post};
use support::probe::Probe;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::clock::ManualClock;
use tower_api_key::credential::{MAX_CREDENTIAL_BYTES, Source};
use tower_api_key::key::KeyId;
use tower_api_key::manage::{KeyManager, ManageSettings, routes};
use tower_api_key::record::Revocation;
use tower_api_key::reject::Problem;
use tower_api_key::scope::Requirement;
use tower_api_key::test_util::Misbehaving;
use tower_api_key::{
    AuthenticateLayer, Authenticator, AuthenticatorBuilder, ConfigError, MemoryStore, Principal,
    RequireScopeLayer,
};

use crate::conformance::answer::Answer;
use crate::conformance::backend::described;
use crate::conformance::cases::{Case, Config, Proto};
use crate::conformance::fixtures::{Fixtures, NOW, format};
use crate::conformance::http1;
use crate::conformance::http2;
use crate::conformance::message::Message;
use crate::conformance::other_node::LEASE;

pub(crate) struct World {
    pub(crate) fixtures: Fixtures,
    pub(crate) manager: KeyManager<MemoryStore>,
    pub(crate) backend: Misbehaving<Probe<MemoryStore>>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) config: Config,
    pub(crate) authenticator: Authenticator,
    pub(crate) visits: Visits,
    pub(crate) address: SocketAddr,
    server: JoinHandle<()>,
}

/// The headers of each request that reached a protected handler.
#[derive(Clone, Default)]
pub(crate) struct Visits(Arc<Mutex<Vec<HeaderMap>>>);

impl World {
    pub(crate) async fn start(case: &Case, config: Config) -> Result<Self, ConfigError> {
        let fixtures = Fixtures::new();
        let store = MemoryStore::new();
        for record in &fixtures.records {
            store.change(KeyChange::insert(record.clone())).await.unwrap();
        }
        let backend = described(case.backend.as_deref(), store.clone());
        let clock = Arc::new(ManualClock::new(NOW));

        let builder = || configured(Authenticator::builder(backend.clone()), &config, &clock);
        let uses_problem = case.id.starts_with('J');
        let authenticator =
            if uses_problem { builder().respond(Problem).build()? } else { builder().build()? };
        let other = configured(Authenticator::builder(MemoryStore::new()), &config, &clock).build()?;

        let needs = |scope: &str| Requirement::all_of([scope]).unwrap();
        let scopes = ManageSettings::new(needs("keys.read"), needs("keys.write"));
        let manager = KeyManager::new(store.clone(), format()).with_clock(Arc::clone(&clock));
        let manager = manager.lease(LEASE);
        let visits = Visits::default();
        let protected = protected(&visits, layer(&authenticator, &config)?, config.nested);
        let behind_other = Router::new().route("/b", get(whoami)).with_state(visits.clone());
        let app = Router::new()
            .route("/unguarded/keys/{id}", delete(revoke).with_state(store))
            .merge(
                Router::new()
                    .nest("/admin", routes(manager.clone(), scopes))
                    .layer(layer(&authenticator, &config)?),
            )
            .merge(behind_other.layer(layer(&other, &config)?))
            .merge(protected);

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Ok(Self { fixtures, manager, backend, clock, config, authenticator, visits, address, server })
    }

    /// Makes one exchange on a connection of its own.
    pub(crate) async fn exchange(&self, message: &Message) -> Answer {
        match message.proto {
            Proto::Http1 => http1::exchange(self.address, message).await,
            Proto::Http2 => http2::Connection::open(self.address).await.exchange(message).await,
            Proto::Http2Frames => panic!("frames have no answer to look at"),
        }
    }

    /// Returns the number of lookups of the key called `name`.
    pub(crate) fn reads_of(&self, name: &str) -> u64 {
        let reads = self.backend.get_ref().reads_by_key();
        reads.get(&self.fixtures.digest(name)).copied().unwrap_or_default()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Visits {
    pub(crate) fn note(&self, headers: HeaderMap) {
        self.0.lock().unwrap().push(headers);
    }

    pub(crate) fn all(&self) -> Vec<HeaderMap> {
        self.0.lock().unwrap().clone()
    }
}

fn configured(
    builder: AuthenticatorBuilder,
    config: &Config,
    clock: &Arc<ManualClock>,
) -> AuthenticatorBuilder {
    assert_eq!(config.on_multiple, "reject_400", "the only supported value");
    assert_eq!(config.max_credential_bytes, MAX_CREDENTIAL_BYTES, "the only supported limit");
    assert!(config.private_by_default, "the only supported value");
    builder
        .sources(config.sources.iter().map(|name| source(name).format(format()).foreign()))
        .environment(config.environment.parse().unwrap())
        .realm(&*config.realm)
        .deadline(Duration::from_millis(config.deadline_ms))
        .retry_after(Duration::from_secs(config.retry_after_s))
        .with_clock(Arc::clone(clock))
}

fn source(name: &str) -> Source {
    match name {
        "bearer" => Source::bearer(),
        "basic" => Source::basic(),
        "x-api-key" => Source::x_api_key(),
        "memfault-project-key" => Source::memfault_project_key(),
        other => panic!("no source {other:?}"),
    }
}

pub(crate) fn layer(
    authenticator: &Authenticator,
    config: &Config,
) -> Result<AuthenticateLayer, ConfigError> {
    let mut layer = AuthenticateLayer::new(authenticator.clone());
    for path in &config.public {
        layer = layer.public(path)?;
    }
    if config.allow_preflight {
        layer = layer.allow_preflight();
    }
    if config.grpc {
        layer = layer.grpc();
    }
    Ok(if config.strip { layer.strip() } else { layer })
}

fn protected(visits: &Visits, layer: AuthenticateLayer, nested: bool) -> Router {
    let needs = |scope: &str| RequireScopeLayer::new(Requirement::all_of([scope]).unwrap());
    let things = get(whoami).post(whoami).options(whoami).merge(delete(whoami).layer(needs("things:delete")));
    let router = Router::new()
        .route("/v1/things", things)
        .route("/v1/cacheable", get(cacheable))
        .route("/pkg.Svc/Get", post(whoami).layer(needs("svc:write")))
        .route("/a", get(whoami))
        .route("/health", get(|| async { StatusCode::OK }))
        .with_state(visits.clone())
        .layer(layer);
    if nested { Router::new().nest("/api", router) } else { router }
}

/// Answers with the id of the key, or with an empty body.
async fn whoami(State(visits): State<Visits>, principal: Option<Principal>, headers: HeaderMap) -> String {
    visits.note(headers);
    principal.map(|principal| principal.key_id().to_string()).unwrap_or_default()
}

async fn cacheable(State(visits): State<Visits>, headers: HeaderMap) -> impl IntoResponse {
    visits.note(headers);
    [(header::CACHE_CONTROL, "public, max-age=60")]
}

/// Revokes a key. A route without the layer, since a case may hold the store meanwhile.
async fn revoke(State(store): State<MemoryStore>, Path(id): Path<String>) -> StatusCode {
    let change = KeyChange::revoke(&KeyId::new(&id).unwrap(), Revocation::new(NOW, "requested"));
    store.change(change).await.unwrap();
    StatusCode::NO_CONTENT
}
