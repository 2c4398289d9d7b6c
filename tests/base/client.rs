//! Clients that attach a key to their requests, against real servers.

use std::convert::Infallible;
use std::error::Error;
use std::fs;
use std::future::{Future, Ready, ready};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use support::{Body, START, authenticator, request, revocation, store_with_key};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tower::limit::ConcurrencyLimitLayer;
use tower::retry::{Policy, RetryLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::client::{
    AttachKey, AttachKeyError, AttachKeyErrorKind, AttachKeyLayer, BoxError, ClientKey,
};
use tower_api_key::clock::ManualClock;
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::{AuthenticateLayer, KeyFormat, Source};

const KEY: &str = "demo_live_old";

type HyperClient = Client<HttpConnector, Body>;

fn hyper_client() -> HyperClient {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Serves `service` on a free port.
async fn serve<S>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (connection, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(connection), service)
                    .await
                    .ok();
            });
        }
    });
    address
}

/// A server that records the heads of its requests, and admits one text of `Authorization`.
#[derive(Clone)]
struct Recorder {
    heads: Arc<Mutex<Vec<HeaderMap>>>,
    accepted: Arc<Mutex<String>>,
    origin: String,
}

impl Recorder {
    async fn start() -> Self {
        let recorder = Self { heads: Arc::default(), accepted: Arc::default(), origin: String::new() };
        let own = recorder.clone();
        let service = service_fn(move |request: Request<Incoming>| ready(Ok(own.answer(&request))));
        Self { origin: format!("http://{}", serve(service).await), ..recorder }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Body> {
        self.heads.lock().unwrap().push(request.headers().clone());
        let accepted = self.accepted.lock().unwrap();
        let shown = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let is_accepted = accepted.is_empty() || shown == Some(accepted.as_str());
        let mut response = Response::new(Body::default());
        *response.status_mut() = if is_accepted { StatusCode::OK } else { StatusCode::UNAUTHORIZED };
        response
    }

    fn accept_only(&self, key: &str) {
        *self.accepted.lock().unwrap() = format!("Bearer {key}");
    }

    fn uri(&self) -> Uri {
        format!("{}/notes", self.origin).parse().unwrap()
    }

    fn count(&self) -> usize {
        self.heads.lock().unwrap().len()
    }

    /// Returns a header of the last request.
    fn last(&self, name: &str) -> String {
        self.heads.lock().unwrap().last().unwrap()[name].to_str().unwrap().to_owned()
    }

    fn client(&self, source: Source, key: ClientKey) -> AttachKey<HyperClient> {
        AttachKeyLayer::new(&self.origin, source, key).unwrap().layer(hyper_client())
    }
}

fn get(uri: &Uri) -> Request<Body> {
    Request::get(uri).body(Body::default()).unwrap()
}

async fn send<S, B>(client: &S, request: Request<Body>) -> Result<StatusCode, BoxError>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Clone,
{
    client.clone().oneshot(request).await.map(|response| response.status())
}

/// Sends a request that the layer refuses, and returns the reason.
async fn refusal<S, B>(client: &S, request: Request<Body>) -> AttachKeyErrorKind
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Clone,
{
    let error = send(client, request).await.unwrap_err();
    error.downcast_ref::<AttachKeyError>().unwrap_or_else(|| panic!("{error}")).kind()
}

#[tokio::test]
async fn a_server_admits_the_key_as_each_source_presents_it() {
    let server = Recorder::start().await;
    for (source, key, name, value) in [
        (Source::bearer(), ClientKey::new(KEY), "authorization", "Bearer demo_live_old"),
        (Source::x_api_key(), ClientKey::new(KEY), "x-api-key", KEY),
        (Source::header("Device-Key").unwrap(), ClientKey::new(KEY), "device-key", KEY),
        (
            Source::basic(),
            ClientKey::new("k3y").user("ada@acme.com"),
            "authorization",
            "Basic YWRhQGFjbWUuY29tOmszeQ==",
        ),
        (Source::basic().empty_user(), ClientKey::new("k3y"), "authorization", "Basic OmszeQ=="),
    ] {
        let client = server.client(source, key);
        assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);
        assert_eq!(server.last(name), value);
    }

    let (store, key) = store_with_key().await;
    let service = ServiceBuilder::new().layer(AuthenticateLayer::new(authenticator(store.clone()).0));
    let address =
        serve(service.service_fn(|_: Request<Incoming>| ready(Ok(Response::new(Body::default()))))).await;
    let origin = format!("http://{address}");
    let layer = AttachKeyLayer::new(&origin, Source::bearer(), ClientKey::new(&key.text)).unwrap();
    let client = layer.layer(hyper_client());
    assert_eq!(send(&client, get(&origin.parse().unwrap())).await.unwrap(), StatusCode::OK);
    store.change(KeyChange::revoke(key.id(), revocation())).await.unwrap();
    assert_eq!(send(&client, get(&origin.parse().unwrap())).await.unwrap(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_client_below_sees_a_sensitive_header() {
    let client = service_fn(|request: Request<Body>| {
        let value = &request.headers()["authorization"];
        assert!(value.is_sensitive() && !format!("{request:?}").contains(KEY));
        ready(Ok::<_, Infallible>(Response::new(())))
    });
    let uri = Uri::from_static("https://api.example.com/");
    for key in [ClientKey::new(KEY), function(|| Ok(KEY.to_owned()))] {
        let layer = AttachKeyLayer::new("https://api.example.com", Source::bearer(), key).unwrap();
        assert_eq!(send(&layer.layer(client), get(&uri)).await.unwrap(), StatusCode::OK);
    }
}

#[tokio::test]
async fn another_origin_receives_no_request() {
    let (server, other) = (Recorder::start().await, Recorder::start().await);
    let client = server.client(Source::bearer(), ClientKey::new(KEY));
    let port = server.uri().port_u16().unwrap();
    for uri in [
        other.uri().to_string(),
        format!("https://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("http://user@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{port}@{}/", other.uri().authority().unwrap()),
    ] {
        let refused = refusal(&client, get(&uri.parse().unwrap())).await;
        assert_eq!(refused, AttachKeyErrorKind::OtherOrigin, "{uri}");
    }
    for host in ["evil.example", "127.0.0.1", "user@127.0.0.1", "", "a b", "\u{e9}"] {
        let mut request = get(&server.uri());
        request.headers_mut().insert("host", HeaderValue::from_bytes(host.as_bytes()).unwrap());
        assert_eq!(refusal(&client, request).await, AttachKeyErrorKind::OtherOrigin, "{host}");
    }
    let own = format!("127.0.0.1:{port}").parse::<HeaderValue>().unwrap();
    let mut request = get(&server.uri());
    request.headers_mut().insert("host", own.clone());
    request.headers_mut().append("host", HeaderValue::from_static("evil.example"));
    assert_eq!(refusal(&client, request).await, AttachKeyErrorKind::OtherOrigin);
    assert_eq!((server.count(), other.count()), (0, 0));

    let mut request = get(&server.uri());
    request.headers_mut().insert("host", own);
    assert_eq!(send(&client, request).await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn a_request_without_an_origin_needs_a_layer_for_a_channel() {
    let server = Recorder::start().await;
    let client = server.client(Source::bearer(), ClientKey::new(KEY));
    let authority = server.uri().authority().unwrap().to_string();
    for uri in ["/notes", "*", &authority] {
        let refused = refusal(&client, get(&uri.parse().unwrap())).await;
        assert_eq!(refused, AttachKeyErrorKind::NoOrigin, "{uri}");
    }
    assert_eq!(server.count(), 0);

    // A connection of hyper's own sends what it gets to the server that it is connected to.
    let connection = tokio::net::TcpStream::connect(&authority).await.unwrap();
    let (sender, driver) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(connection)).await.unwrap();
    tokio::spawn(driver);
    let channel = service_fn(move |request: Request<Body>| {
        let mut sender = sender.clone();
        async move { sender.send_request(request).await }
    });
    let layer = AttachKeyLayer::for_channel(&server.origin, Source::bearer(), ClientKey::new(KEY)).unwrap();
    let client = layer.layer(channel);
    assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);
    assert_eq!(send(&client, get(&Uri::from_static("/notes"))).await.unwrap(), StatusCode::OK);
    assert_eq!(server.last("authorization"), format!("Bearer {KEY}"));
    let refused = refusal(&client, get(&Uri::from_static("http://evil.example/"))).await;
    assert_eq!(refused, AttachKeyErrorKind::OtherOrigin);
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn a_method_that_leads_elsewhere_and_a_second_credential_are_refused() {
    let server = Recorder::start().await;
    let client = server.client(Source::bearer(), ClientKey::new(KEY));
    let named = |name: &str| Method::from_bytes(name.as_bytes()).unwrap();
    for method in [Method::CONNECT, Method::TRACE, named("trace"), named("TRACK")] {
        let mut request = get(&server.uri());
        *request.method_mut() = method;
        assert_eq!(refusal(&client, request).await, AttachKeyErrorKind::Method);
    }

    for value in ["Bearer other", "Basic YTpi", "", "Bearer demo_live_old"] {
        let mut with_credential = request("authorization", value);
        *with_credential.uri_mut() = server.uri();
        assert_eq!(refusal(&client, with_credential).await, AttachKeyErrorKind::HeaderPresent, "{value}");
    }
    let layer = AttachKeyLayer::new(&server.origin, Source::bearer(), ClientKey::new(KEY)).unwrap();
    assert_eq!(refusal(&layer.layer(client), get(&server.uri())).await, AttachKeyErrorKind::HeaderPresent);
    assert_eq!(server.count(), 0);
}

#[tokio::test]
async fn a_redirect_reaches_the_caller_and_leads_nowhere_else() {
    let other = Recorder::start().await;
    let location = other.uri().to_string();
    let address = serve(service_fn(move |_: Request<Incoming>| {
        let redirect = Response::builder().status(307).header("location", &location);
        ready(Ok(redirect.body(Body::default()).unwrap()))
    }));
    let origin = format!("http://{}", address.await);
    let layer = AttachKeyLayer::new(&origin, Source::x_api_key(), ClientKey::new(KEY)).unwrap();
    let client = reqwest_client(layer);
    let response = client.clone().oneshot(Request::get(&origin).body(String::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);

    // A layer outside that follows it asks this one again.
    let followed =
        Request::get(response.headers()["location"].to_str().unwrap()).body(String::new()).unwrap();
    let error = client.oneshot(followed).await.unwrap_err();
    assert_eq!(error.downcast_ref::<AttachKeyError>().unwrap().kind(), AttachKeyErrorKind::OtherOrigin);
    assert_eq!(other.count(), 0);
}

fn reqwest_client(
    layer: AttachKeyLayer,
) -> impl Service<Request<String>, Response = Response<reqwest::Body>, Error = BoxError> + Clone {
    let reqwest = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    ServiceBuilder::new()
        .layer(layer)
        .map_response(Response::<reqwest::Body>::from)
        .filter(|request: Request<String>| reqwest::Request::try_from(request))
        .service(reqwest)
}

#[tokio::test]
async fn reqwest_sends_the_key() {
    let server = Recorder::start().await;
    let layer = AttachKeyLayer::new(&server.origin, Source::x_api_key(), ClientKey::new(KEY)).unwrap();
    let request = Request::post(server.uri()).body("a note".to_owned()).unwrap();
    let response = reqwest_client(layer).oneshot(request).await.unwrap();
    assert_eq!((response.status(), server.last("x-api-key")), (StatusCode::OK, KEY.to_owned()));
}

#[cfg(feature = "tonic")]
#[tokio::test]
async fn a_tonic_channel_sends_the_key_and_a_rejection_reads_the_file_again() {
    use tonic::Code;
    use tonic::transport::server::TcpIncoming;
    use tonic::transport::{Endpoint, Server};
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;

    let (store, key) = store_with_key().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let layer = AuthenticateLayer::new(authenticator(store).0).grpc();
    let health = tonic_health::server::health_reporter().1;
    tokio::spawn(
        Server::builder().layer(layer).add_service(health).serve_with_incoming(TcpIncoming::from(listener)),
    );

    let file = File::with("demo_live_unknown");
    let (attached, _clock) = file.key().await;
    let layer = AttachKeyLayer::for_channel(&origin, Source::bearer(), attached).unwrap();
    let channel = Endpoint::from_shared(origin).unwrap().connect_lazy();
    let mut client = HealthClient::new(layer.layer(channel));
    let status = client.check(HealthCheckRequest::default()).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);

    file.write(&key.text);
    assert!(client.check(HealthCheckRequest::default()).await.is_ok());
}

/// A file that holds a key.
struct File {
    folder: TempDir,
}

impl File {
    fn with(text: &str) -> Self {
        let file = Self { folder: tempfile::tempdir().unwrap() };
        file.write(text);
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    /// Replaces the file by another.
    fn write(&self, text: impl AsRef<[u8]>) {
        let new = self.folder.path().join("new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, self.path()).unwrap();
    }

    /// Returns the key in the file, and the clock by which it is read again.
    async fn key(&self) -> (ClientKey, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(START));
        (ClientKey::file(self.path()).await.unwrap().with_clock(Arc::clone(&clock)), clock)
    }
}

#[tokio::test]
async fn a_file_is_read_again_after_a_second() {
    let (server, file) = (Recorder::start().await, File::with("demo_live_old\r\n"));
    let (key, clock) = file.key().await;
    file.write("demo_live_two\n");
    let client = server.client(Source::bearer(), key);
    let expect = async |key: &str| {
        assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);
        assert_eq!(server.last("authorization"), format!("Bearer {key}"));
    };
    // The first request reads what stands there now, not when the client was built.
    expect("demo_live_two").await;
    file.write("demo_live_new");
    clock.advance(Duration::from_millis(999));
    expect("demo_live_two").await;
    clock.advance(Duration::from_millis(1));
    expect("demo_live_new").await;
}

#[tokio::test]
async fn a_file_is_read_again_after_a_401() {
    let (server, file) = (Recorder::start().await, File::with(KEY));
    let client = server.client(Source::bearer(), file.key().await.0);
    server.accept_only(KEY);
    assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);

    server.accept_only("demo_live_new");
    file.write("demo_live_new");
    assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.count(), 2, "no request is sent twice");
    assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);
}

/// Sends a request again that was rejected.
#[derive(Clone)]
struct Once(bool);

impl<B, E> Policy<Request<Body>, Response<B>, E> for Once {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<Body>, result: &mut Result<Response<B>, E>) -> Option<Ready<()>> {
        let rejected = result.as_ref().is_ok_and(|response| response.status() == StatusCode::UNAUTHORIZED);
        (rejected && !std::mem::replace(&mut self.0, true)).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &Request<Body>) -> Option<Request<Body>> {
        Some(request.clone())
    }
}

#[tokio::test]
async fn a_retry_outside_sends_the_new_key() {
    let (server, file) = (Recorder::start().await, File::with(KEY));
    let client = RetryLayer::new(Once(false)).layer(server.client(Source::bearer(), file.key().await.0));
    assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);
    server.accept_only("demo_live_new");
    file.write("demo_live_new");
    assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);
    assert_eq!(server.count(), 3);
}

#[tokio::test]
async fn a_file_without_a_key_stops_requests_until_it_has_one() {
    let (server, file) = (Recorder::start().await, File::with(KEY));
    let (key, clock) = file.key().await;
    let client = server.client(Source::bearer(), key);
    assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);
    clock.advance(Duration::from_secs(1));

    fs::remove_file(file.path()).unwrap();
    for _ in 0..2 {
        let error = send(&client, get(&server.uri())).await.unwrap_err();
        let error = error.downcast_ref::<AttachKeyError>().unwrap();
        assert_eq!(error.kind(), AttachKeyErrorKind::KeyUnavailable);
        let source = error.source().unwrap().downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    }
    for text in ["", "\n", "demo_live_old\ndemo_live_new", "Bearer demo_live_old", "\u{feff}demo_live_old"] {
        file.write(text);
        assert_eq!(refusal(&client, get(&server.uri())).await, AttachKeyErrorKind::InvalidKey, "{text:?}");
    }
    assert_eq!(server.count(), 1);
    file.write(KEY);
    assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn a_file_that_can_hold_no_key_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let refused = async |path: &Path| {
        let error = ClientKey::file(path).await.unwrap_err();
        assert_eq!(error.kind(), AttachKeyErrorKind::KeyUnavailable);
        error.source().unwrap().to_string()
    };
    let path = folder.path().join("key");
    assert!(refused(&path).await.contains("No such file"));
    assert_eq!(refused(folder.path()).await, "the file of the key must be a regular file");
    fs::write(&path, "k".repeat(1025)).unwrap();
    assert_eq!(refused(&path).await, "the file of the key must have at most 1024 bytes");
    fs::write(&path, b"\xff\xfek\0").unwrap();
    assert_eq!(refused(&path).await, "the file of the key must be UTF-8");

    fs::write(&path, "a password, not a key").unwrap();
    let key = ClientKey::file(&path).await.unwrap();
    let error = AttachKeyLayer::new("http://localhost", Source::bearer(), key).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::ClientKey);
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_refused_without_waiting_for_its_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let error = ClientKey::file(&path).await.unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "the file of the key must be a regular file");
}

#[tokio::test]
async fn a_request_dropped_during_a_read_does_not_keep_the_next_one_waiting() {
    let (server, file) = (Recorder::start().await, File::with(KEY));
    let client = server.client(Source::bearer(), file.key().await.0);
    let mut dropped = Box::pin(client.clone().oneshot(get(&server.uri())));
    let polled = std::future::poll_fn(|context| std::task::Poll::Ready(dropped.as_mut().poll(context))).await;
    assert!(polled.is_pending());
    drop(dropped);
    assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn a_request_that_is_no_longer_polled_does_not_keep_others_waiting() {
    let (server, file) = (Recorder::start().await, File::with(KEY));
    let client = server.client(Source::bearer(), file.key().await.0);
    let mut unpolled = Box::pin(client.clone().oneshot(get(&server.uri())));
    let polled =
        std::future::poll_fn(|context| std::task::Poll::Ready(unpolled.as_mut().poll(context))).await;
    assert!(polled.is_pending());
    assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);
    assert_eq!(unpolled.await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_requests_have_the_key_of_the_file() {
    let (server, file) = (Recorder::start().await, File::with(KEY));
    let (key, clock) = file.key().await;
    let client = server.client(Source::bearer(), key);
    for key in ["demo_live_1", "demo_live_2", "demo_live_3"] {
        file.write(key);
        server.accept_only(key);
        clock.advance(Duration::from_secs(1));
        let requests = (0..32).map(|_| {
            let (client, uri) = (client.clone(), server.uri());
            tokio::spawn(async move { send(&client, get(&uri)).await.unwrap() })
        });
        for request in requests.collect::<Vec<_>>() {
            assert_eq!(request.await.unwrap(), StatusCode::OK);
        }
    }
}

fn function(function: impl Fn() -> Result<String, &'static str> + Send + Sync + 'static) -> ClientKey {
    ClientKey::from_fn(move || ready(function()))
}

#[tokio::test]
async fn a_function_is_called_for_each_request_that_is_sent() {
    let server = Recorder::start().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&calls);
    let client = server.client(
        Source::bearer(),
        function(move || match own.fetch_add(1, Ordering::SeqCst) {
            0 => Err("the vault is sealed"),
            1 => Ok("two words".to_owned()),
            call => Ok(format!("demo_live_{call}")),
        }),
    );
    let error = send(&client, get(&server.uri())).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot attach the API key: the key cannot be read");
    assert_eq!(error.source().unwrap().to_string(), "the vault is sealed");
    assert_eq!(refusal(&client, get(&server.uri())).await, AttachKeyErrorKind::InvalidKey);
    let other = Uri::from_static("http://evil.example/");
    assert_eq!(refusal(&client, get(&other)).await, AttachKeyErrorKind::OtherOrigin);
    for call in 2..4 {
        assert_eq!(send(&client, get(&server.uri())).await.unwrap(), StatusCode::OK);
        assert_eq!(server.last("authorization"), format!("Bearer demo_live_{call}"));
    }
    assert_eq!((server.count(), calls.load(Ordering::SeqCst)), (2, 4));
}

#[tokio::test]
async fn the_service_that_was_polled_is_called() {
    let server = Recorder::start().await;
    for key in [ClientKey::new(KEY), function(|| Ok(KEY.to_owned()))] {
        let layer = AttachKeyLayer::new(&server.origin, Source::bearer(), key).unwrap();
        // A limit panics when called without a permit.
        let mut client =
            ServiceBuilder::new().layer(layer).layer(ConcurrencyLimitLayer::new(1)).service(hyper_client());
        for _ in 0..2 {
            let response = client.ready().await.unwrap().call(get(&server.uri())).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
        }
    }
}

#[test]
fn a_wrong_setting_fails_when_the_layer_is_built_and_shows_no_key() {
    let build = |origin: &str, source, key| {
        AttachKeyLayer::new(origin, source, key).map_err(|error| {
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
            error.kind()
        })
    };
    let ok = "https://api.example.com";
    let formatted = Source::bearer().format(KeyFormat::new("mem").unwrap());
    let key = || ClientKey::new("s3cret");
    for (origin, source, key, kind) in [
        ("s3cret", Source::bearer(), key(), ConfigErrorKind::Origin),
        ("http://s3cret", Source::bearer(), key(), ConfigErrorKind::Origin),
        ("https://s3cret:+443", Source::bearer(), key(), ConfigErrorKind::Origin),
        (ok, Source::bearer(), ClientKey::new("s3cret\n"), ConfigErrorKind::ClientKey),
        (ok, Source::bearer(), ClientKey::new("Bearer s3cret"), ConfigErrorKind::ClientKey),
        (ok, Source::x_api_key(), ClientKey::new("\"s3cret, "), ConfigErrorKind::ClientKey),
        (ok, formatted, key(), ConfigErrorKind::ClientKey),
        (ok, Source::bearer(), key().user("ada@acme.com"), ConfigErrorKind::ClientKey),
        (ok, Source::basic(), key(), ConfigErrorKind::ClientKey),
        (ok, Source::basic(), key().user("ada:s3cret"), ConfigErrorKind::ClientKey),
        (ok, Source::basic(), function(|| Err("")), ConfigErrorKind::ClientKey),
    ] {
        assert_eq!(build(origin, source, key).unwrap_err(), kind);
    }
    assert!(build(ok, Source::basic(), key().user("ada@acme.com")).is_ok());
}

#[test]
fn debug_texts_show_no_key() {
    let key = ClientKey::new("s3cret");
    let mut shown = format!("{key:?}");
    let layer = AttachKeyLayer::new("http://localhost", Source::bearer(), key).unwrap();
    let mut client =
        layer.layer(service_fn(|_: Request<Body>| ready(Ok::<_, Infallible>(Response::new(())))));
    shown += &format!("{layer:?} {:?}", client.call(get(&Uri::from_static("http://localhost/"))));
    assert!(shown.contains("localhost") && !shown.contains("s3cret"), "{shown}");
}
