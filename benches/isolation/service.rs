//! A service whose customers manage their own keys, over one database.

use axum::Router;
use axum::routing::get;
use tower_api_key::backend::{KeyStore, UsageStore};
use tower_api_key::manage::{KeyManager, ManageSettings, NewKey, routes};
use tower_api_key::{AuthenticateLayer, Authenticator, KeyFormat, Owner, Requirement, Scopes};

/// The tenant that causes the load.
pub(crate) const TENANT: &str = "tenant";

/// Keys of another organization: cached ones, and ones that are presented once in a phase.
const KEYS: (usize, usize) = (50, 900);

pub(crate) struct Service<S> {
    pub(crate) store: S,
    pub(crate) manager: KeyManager<S>,
    pub(crate) cached: Vec<String>,
    pub(crate) uncached: Vec<String>,
    /// The tenant's key.
    pub(crate) admin: String,
}

impl<S: KeyStore + UsageStore + Clone> Service<S> {
    pub(crate) async fn over(store: S) -> Self {
        let manager = KeyManager::new(store.clone(), KeyFormat::new("example").unwrap());
        let (cached, uncached) = KEYS;
        let mut texts = Vec::new();
        for _ in 0..cached + uncached {
            texts.push(make(&manager, "others", "").await);
        }
        let uncached = texts.split_off(cached);
        let admin = make(&manager, TENANT, "keys.read keys.write").await;
        Self { store, manager, cached: texts, uncached, admin }
    }

    /// Returns the service with an empty cache.
    pub(crate) async fn app(&self) -> Router {
        let authenticator = Authenticator::builder(self.store.clone()).build().unwrap();
        authenticator.start().await.unwrap();
        let needs = |scope| Requirement::all_of([scope]).unwrap();
        let settings = ManageSettings::new(needs("keys.read"), needs("keys.write"));
        Router::new()
            .route("/notes", get(|| async {}))
            .nest("/admin", routes(self.manager.clone(), settings))
            .layer(AuthenticateLayer::new(authenticator))
    }
}

async fn make<S: KeyStore>(manager: &KeyManager<S>, owner: &str, scopes: &str) -> String {
    let new = NewKey::new(Owner::organization(owner)).scopes(Scopes::parse(scopes).unwrap());
    manager.create(new).await.unwrap().into_parts().0.as_str().to_owned()
}
