//! Clients that request a change and disconnect at once, over real sockets and a file.
//!
//! Whether the change is made depends on timing. If it is, it applies to each later request.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use http::{HeaderMap, HeaderValue};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tower_api_key::backend::KeyStore;
use tower_api_key::clock::ManualClock;
use tower_api_key::manage::{KeyManager, ManageSettings, NewKey, routes};
use tower_api_key::record::KeyState;
use tower_api_key::reject::Reason;
use tower_api_key::{
    AuthenticateLayer, Authenticator, KeyFormat, KeyId, Owner, Requirement, Scopes, SqliteStore,
};

use crate::manage::world::START;

/// When a client disconnects.
#[derive(Debug, Clone, Copy)]
enum Leaving {
    /// After this percentage of its request.
    After(usize),
    /// After the whole request, and this number of turns for other tasks.
    Later(usize),
    /// After the response.
    Answered,
}

/// A server over a file, and an authenticator that receives changes only from the store of this process: its clock is stopped, so that
/// nothing expires, and it polls once.
struct Server {
    address: SocketAddr,
    store: SqliteStore,
    authenticator: Authenticator,
    manager: KeyManager<SqliteStore>,
    admin: String,
    _folder: TempDir,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_a_disconnected_client_revoked_is_rejected() {
    let server = Server::start().await;
    server.changed_by_clients_that_leave(|id| format!("DELETE /admin/keys/{id} HTTP/1.1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_a_disconnected_client_rotated_is_rejected() {
    let server = Server::start().await;
    server.changed_by_clients_that_leave(|id| format!("POST /admin/keys/{id}/rotate HTTP/1.1")).await;
}

impl Server {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite:{}/keys.db", folder.path().display());
        let store = SqliteStore::open(&url).await.unwrap();
        let clock = || ManualClock::new(START);
        let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap()).with_clock(clock());
        let authenticator = Authenticator::builder(store.clone())
            .with_clock(clock())
            .deadline(Duration::from_secs(60))
            .poll_interval(Duration::from_secs(1_800))
            .lease(Duration::from_secs(3_600))
            .build()
            .unwrap();
        let needs = |scope: &str| Requirement::all_of([scope]).unwrap();
        let scopes = ManageSettings::new(needs("keys.read"), needs("keys.write"));
        let app = Router::new()
            .nest("/admin", routes(manager.clone(), scopes))
            .layer(AuthenticateLayer::new(authenticator.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let (_, admin) = key(&manager, "keys.write").await;
        Self { address, store, authenticator, manager, admin, _folder: folder }
    }

    /// Lets clients request changes and disconnect, each at another moment, and checks the result.
    async fn changed_by_clients_that_leave(&self, request: impl Fn(&KeyId) -> String) {
        let parts = (0..100).step_by(4).map(Leaving::After);
        // At growing distances, as the duration of a change depends on the machine.
        let turns = (0..50).map(|step| Leaving::Later(step * step * step / 20));
        let mut keys = Vec::new();
        for leaving in parts.chain(turns).chain([Leaving::Answered]) {
            let (id, text) = key(&self.manager, "").await;
            // Cached, so that only an invalidation gets it rejected.
            while self.present(&text).await.is_err() {}
            let head = request(&id);
            self.ask(&head, leaving).await;
            keys.push((leaving, id, text));
        }
        let settled = async {
            for (leaving, id, text) in &keys {
                // The response of the store may precede the invalidation; no client has an acknowledgement then.
                while self.is_revoked(id).await != (self.present(text).await == Err(Reason::Revoked)) {
                    assert!(!matches!(leaving, Leaving::Answered), "an acknowledged change is in effect");
                    yield_now().await;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), settled).await.expect("every change is announced");
        let mut revoked = 0;
        for (leaving, id, _) in &keys {
            let is_revoked = self.is_revoked(id).await;
            revoked += usize::from(is_revoked);
            assert!(!(is_revoked && matches!(leaving, Leaving::After(_))), "{leaving:?}: half a request");
        }
        assert!((1..keys.len()).contains(&revoked), "{revoked} of {} were revoked", keys.len());
    }

    async fn ask(&self, head: &str, leaving: Leaving) {
        let request = format!(
            "{head}\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: 0\r\n\r\n",
            self.admin
        );
        let mut client = TcpStream::connect(self.address).await.unwrap();
        let sent = match leaving {
            Leaving::After(hundredths) => request.len() * hundredths / 100,
            Leaving::Later(_) | Leaving::Answered => request.len(),
        };
        client.write_all(&request.as_bytes()[..sent]).await.unwrap();
        match leaving {
            Leaving::After(_) => {}
            Leaving::Later(turns) => {
                for _ in 0..turns {
                    yield_now().await;
                }
            }
            Leaving::Answered => {
                let mut status = [0; 10];
                client.read_exact(&mut status).await.unwrap();
                assert_eq!(&status, b"HTTP/1.1 2");
            }
        }
    }

    async fn present(&self, text: &str) -> Result<KeyId, Reason> {
        let mut headers = HeaderMap::new();
        headers.insert("x-api-key", HeaderValue::from_str(text).unwrap());
        let outcome = self.authenticator.authenticate(&headers).await;
        outcome.map(|caller| caller.key_id().clone()).map_err(|rejection| rejection.reason().clone())
    }

    /// Returns whether a key is revoked, after checking that a rotation was made completely or not at all.
    async fn is_revoked(&self, id: &KeyId) -> bool {
        let record = self.store.get(id).await.unwrap().unwrap();
        if let Some(to) = &record.rotated_to {
            let successor = self.store.get(to).await.unwrap().unwrap();
            assert_eq!(
                (successor.rotated_from.as_ref(), successor.state(START)),
                (Some(id), KeyState::Active)
            );
        }
        record.revoked.is_some()
    }
}

async fn key(manager: &KeyManager<SqliteStore>, scopes: &str) -> (KeyId, String) {
    let new = NewKey::new(Owner::organization("acme")).scopes(Scopes::parse(scopes).unwrap());
    let (text, record) = manager.create(new).await.unwrap().into_parts();
    (record.id, text.as_str().to_owned())
}
