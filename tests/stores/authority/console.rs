//! The application over a real socket, and a client that can stop in the middle of a request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use http::StatusCode;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tower_api_key::backend::{KeyStore, UsageStore};
use tower_api_key::manage::{KeyManager, ManageSettings, routes};
use tower_api_key::{AuthenticateLayer, Authenticator};

/// Longer than any response takes.
const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A server with the routes at `/console`.
pub(crate) struct Console {
    address: SocketAddr,
    /// One permit for each held request whose head was admitted.
    admitted: Arc<Semaphore>,
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
    pub(crate) body: Value,
}

/// A request of which the head was admitted and the first byte of the body was sent.
pub(crate) struct Held {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl Console {
    pub(crate) async fn serve<S: KeyStore + UsageStore + Clone>(
        manager: KeyManager<S>,
        authenticator: Authenticator,
        settings: ManageSettings,
    ) -> Self {
        let admitted = Arc::new(Semaphore::new(0));
        let app = Router::new()
            .route("/whoami", get(|| async { StatusCode::OK }))
            .nest("/console", routes(manager, settings))
            .layer(from_fn_with_state(Arc::clone(&admitted), note))
            .layer(AuthenticateLayer::new(authenticator));
        Self::listen(app, admitted).await
    }

    /// Serves the routes without a layer that admits keys: the settings resolve the callers.
    pub(crate) async fn serve_resolved<S: KeyStore + UsageStore + Clone>(
        manager: KeyManager<S>,
        settings: ManageSettings,
    ) -> Self {
        let admitted = Arc::new(Semaphore::new(0));
        let app = Router::new()
            .nest("/console", routes(manager, settings))
            .layer(from_fn_with_state(Arc::clone(&admitted), note));
        Self::listen(app, admitted).await
    }

    async fn listen(app: Router, admitted: Arc<Semaphore>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, admitted }
    }

    /// Sends a request, and returns the response. `authorization` is the value of that header.
    pub(crate) async fn ask(&self, authorization: &str, method: &str, path: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = head(authorization, method, path, body.len(), "") + body;
        // A server that has rejected the head reads no further.
        let _ = stream.write_all(request.as_bytes()).await;
        Held { stream, rest: Vec::new() }.finish().await
    }

    /// Sends the head of a request and the first byte of its body, and waits until the caller is admitted.
    pub(crate) async fn hold(&self, authorization: &str, method: &str, path: &str, body: &str) -> Held {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let (first, rest) = body.split_at(1);
        let request = head(authorization, method, path, body.len(), "held: yes\r\n") + first;
        stream.write_all(request.as_bytes()).await.unwrap();
        timeout(WAIT_TIMEOUT, self.admitted.acquire()).await.expect("the head is admitted").unwrap().forget();
        Held { stream, rest: rest.into() }
    }
}

impl Held {
    /// Sends the rest of the body, and returns the response.
    pub(crate) async fn finish(mut self) -> Answer {
        let _ = self.stream.write_all(&self.rest).await;
        self.answer().await
    }

    /// Returns the response that arrives before the end of the body.
    pub(crate) async fn answer(mut self) -> Answer {
        let mut bytes = Vec::new();
        // The connection may be reset after the response.
        let _ = timeout(WAIT_TIMEOUT, self.stream.read_to_end(&mut bytes)).await.expect("an answer");
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, body: serde_json::from_str(body).unwrap_or_default(), text: body.to_owned() }
    }
}

impl Answer {
    /// Returns the first invalid field.
    pub(crate) fn field(&self) -> &str {
        self.body["errors"][0]["field"].as_str().unwrap_or_default()
    }
}

fn head(authorization: &str, method: &str, path: &str, length: usize, more: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: console\r\nauthorization: {authorization}\r\n\
         content-length: {length}\r\n{more}connection: close\r\n\r\n"
    )
}

async fn note(State(admitted): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    if request.headers().contains_key("held") {
        admitted.add_permits(1);
    }
    next.run(request).await
}
