//! An application with a portal for its customers and a console for its operators.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use tokio::net::TcpListener;
use tower_api_key::backend::{Actor, KeyFilter};
use tower_api_key::clock::ManualClock;
use tower_api_key::console::{Console, SignedIn};
use tower_api_key::manage::{ExternalCaller, KeyManager, NewKey, Permissions};
use tower_api_key::{Authenticator, KeyFormat, MemoryStore, Owner, Record, Scopes, Source, Timestamp};

use crate::console::browser::Browser;

pub(crate) const START: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

const LOGO: &str = include_str!("logo.svg");

pub(crate) struct World {
    pub(crate) store: MemoryStore,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) manager: KeyManager<MemoryStore>,
    authenticator: Authenticator,
    origin: String,
    signed_out: SignedOut,
}

type SignedOut = Arc<Mutex<BTreeSet<String>>>;

/// Returns who is signed in, by a header in place of a session.
fn resolve(headers: &HeaderMap, signed_out: &SignedOut) -> Result<SignedIn, StatusCode> {
    let user = headers.get("x-user").and_then(|user| user.to_str().ok()).unwrap_or_default();
    if signed_out.lock().unwrap().contains(user) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let customer = |organization: &str| {
        let caller = ExternalCaller::new(format!("user:{user}"), Owner::organization(organization)).unwrap();
        caller.across_environments().scopes(Scopes::parse("notes.* exports").unwrap())
    };
    match user {
        "ann" => Ok(customer("acme").into()),
        "brief" => Ok(customer("acme")
            .keys_end_by(START.saturating_add(Duration::from_secs(7 * 24 * 60 * 60)))
            .into()),
        "live" => Ok(customer("acme").environment(tower_api_key::Environment::Live).into()),
        "viewer" => Ok(SignedIn::customer(customer("acme")).read_only()),
        "eve" => Ok(customer("globex").into()),
        "auditor" => Ok(SignedIn::operator(Actor::named("staff:auditor")).unwrap().read_only()),
        "ops" => Ok(SignedIn::operator(Actor::named("staff:ops")).unwrap()),
        _ => Err(StatusCode::UNAUTHORIZED),
    }
}

pub(crate) fn permissions() -> Permissions {
    Permissions::new()
        .group("Notes", [("notes.read", "Read notes"), ("notes.write", "Write notes")])
        .unwrap()
        .group("Others", [("exports", "Export everything"), ("billing", "Pay bills")])
        .unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let (store, clock) = (MemoryStore::new(), Arc::new(ManualClock::new(START)));
        let authenticator =
            Authenticator::builder(store.clone()).with_clock(Arc::clone(&clock)).build().unwrap();
        let manager =
            KeyManager::for_authenticator(&authenticator, store.clone(), KeyFormat::new("demo").unwrap());
        let manager = manager.unwrap().with_permissions(permissions());
        let signed_out = SignedOut::default();
        let origin = serve(app(&manager, &signed_out)).await;
        Self { store, clock, manager, authenticator, origin, signed_out }
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the portal, as a customer sees it.
    pub(crate) fn portal(&self, user: &'static str) -> Browser {
        Browser { base: format!("{}/settings/api-keys", self.origin), user }
    }

    pub(crate) fn operators(&self) -> Browser {
        Browser { base: format!("{}/staff", self.origin), user: "ops" }
    }

    /// An operator who may change nothing.
    pub(crate) fn auditor(&self) -> Browser {
        Browser { user: "auditor", ..self.operators() }
    }

    /// Returns the portal on another node.
    pub(crate) async fn other_node(&self, user: &'static str) -> Browser {
        let origin = serve(app(&self.manager, &self.signed_out)).await;
        Browser { base: format!("{origin}/settings/api-keys"), user }
    }

    pub(crate) fn sign_out(&self, user: &str) {
        self.signed_out.lock().unwrap().insert(user.to_owned());
    }

    pub(crate) async fn key(&self, new: NewKey) -> Record {
        self.manager.create(new).await.unwrap().into_parts().1
    }

    pub(crate) async fn key_of(&self, organization: &str, name: &str) -> Record {
        let scopes = Scopes::parse("notes.read").unwrap();
        self.key(NewKey::for_organization(organization).name(name).scopes(scopes)).await
    }

    pub(crate) async fn admits(&self, text: &str) -> bool {
        self.authenticator.verify(text).await.is_ok()
    }

    pub(crate) async fn actor_of(&self, text: &str) -> Actor {
        self.authenticator.verify(text).await.unwrap().actor()
    }

    pub(crate) async fn all(&self) -> Vec<Record> {
        self.manager.list(&KeyFilter::all(), None, usize::MAX).await.unwrap()
    }
}

fn app(manager: &KeyManager<MemoryStore>, signed_out: &SignedOut) -> Router {
    let console = Console::new(manager.clone()).unwrap();
    let console = console.name("Acme Notes").unwrap().logo("/logo.svg").unwrap();
    let console = console.example("https://api.acme.example/v1/notes", Source::bearer()).unwrap();
    let door = |signed_out: SignedOut| {
        move |headers: HeaderMap| {
            let signed_out = Arc::clone(&signed_out);
            async move { resolve(&headers, &signed_out) }
        }
    };
    let logo = ([("content-type", "image/svg+xml")], LOGO);
    Router::new()
        .route("/logo.svg", get(async move || logo))
        .nest("/settings/api-keys", console.clone().routes(door(Arc::clone(signed_out))))
        .nest("/staff", console.members().plans().routes(door(Arc::clone(signed_out))))
}

pub(crate) async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}
