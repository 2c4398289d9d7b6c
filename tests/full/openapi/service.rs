//! A service whose customers manage their keys, in a file of SQLite.

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use tempfile::{TempDir, tempdir};
use tokio::net::TcpListener;
use tower_api_key::backend::{KeyFilter, KeyStore};
use tower_api_key::manage::{KeyManager, ManageSettings, NewKey, routes};
use tower_api_key::{
    AuthenticateLayer, Authenticator, KeyFormat, MemoryStore, Owner, Record, Requirement, Scopes, Source,
    SqliteStore,
};

/// Where the list of keys is.
const PATH: &str = "/v1/api-keys";

/// Returns settings with all routes and fields. The callers have no keys of their own in the store.
pub(crate) fn settings() -> ManageSettings {
    let needs = |scope: &str| Requirement::all_of([scope]).unwrap();
    ManageSettings::new(needs("keys.read"), needs("keys.write"))
        .external_callers()
        .at_root()
        .self_routes()
        .across_environments()
        .sources([Source::bearer(), Source::x_api_key()])
}

pub(crate) struct Service {
    address: String,
    document: String,
    managed: SqliteStore,
    keys: HashMap<&'static str, String>,
    _folder: TempDir,
}

impl Service {
    /// Starts the service, which ends with the test.
    pub(crate) async fn start() -> Self {
        let folder = tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("keys.db").display());
        let managed = SqliteStore::open(&url).await.unwrap();
        // The callers' own keys are in another store, so that they do not revoke these.
        let callers = MemoryStore::new();
        let format = || KeyFormat::new("demo").unwrap();
        let mut keys = HashMap::new();
        for (name, scopes) in [("admin", "*"), ("guest", "")] {
            let new = NewKey::new(Owner::organization("acme")).scopes(Scopes::parse(scopes).unwrap());
            let created = KeyManager::new(callers.clone(), format()).create(new).await.unwrap();
            keys.insert(name, created.into_parts().0.as_str().to_owned());
        }
        let settings = settings().audit_log(managed.clone());
        let document = settings.openapi(PATH);
        let app = Router::new()
            .nest(
                PATH,
                routes(KeyManager::new(managed.clone(), format()).lease(Duration::from_millis(1)), settings),
            )
            .layer(AuthenticateLayer::new(Authenticator::builder(callers).build().unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, document, managed, keys, _folder: folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the description of the routes, with their whole paths.
    pub(crate) fn document(&self) -> &str {
        &self.document
    }

    /// Returns the keys that the routes created.
    pub(crate) async fn made(&self) -> Vec<Record> {
        self.managed.list(&KeyFilter::all(), None, usize::MAX).await.unwrap()
    }

    pub(crate) fn key(&self, name: &str) -> &str {
        &self.keys[name]
    }
}
