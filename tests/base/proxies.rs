//! nginx before the service: as a shared cache, and with its `auth_request`.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::routing::any;
use support::outside::{is_absent, is_program};
use support::probe::{Fault, Probe};
use support::{Key, authenticator};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::process::{Child, Command};
use tokio::task::yield_now;
use tokio::time::timeout;
use tower_api_key::{AuthenticateLayer, MemoryStore, Principal};

/// nginx before a service, on a socket in a temporary folder.
struct Proxy {
    folder: TempDir,
    _nginx: Child,
    keys: [Key; 2],
}

/// A response of nginx.
struct Answer {
    status: u16,
    text: String,
}

/// The locations that the guide shows.
const GUIDE: &str = include_str!("../../src/_guide/auth_request.conf");

const CONFIGURATION: &str = "
daemon off;
master_process off;
USER
pid FOLDER/pid;
error_log FOLDER/errors;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body;
    proxy_temp_path FOLDER/proxy;
    fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi;
    scgi_temp_path FOLDER/scgi;
    proxy_cache_path FOLDER/cache keys_zone=all:1m;
    server {
        listen unix:FOLDER/socket;
        location /shared/ {
            proxy_cache all;
            add_header X-Cache $upstream_cache_status always;
            proxy_pass http://SERVICE/;
        }
        GUIDE
    }
}
";

impl Proxy {
    /// Starts a service with two keys in memory and a layer changed by `configure`, and nginx before it.
    async fn start(configure: impl FnOnce(AuthenticateLayer) -> AuthenticateLayer) -> Self {
        let store = MemoryStore::new();
        let keys = [Key::mint().insert_into(&store).await, Key::mint().insert_into(&store).await];
        let service = serve(configure(AuthenticateLayer::new(authenticator(store).0))).await;

        let folder = TempDir::new().unwrap();
        let configuration = CONFIGURATION
            .replace("GUIDE", &GUIDE.replace("//application", "//SERVICE").replace("//keys", "//SERVICE"))
            .replace("FOLDER", folder.path().to_str().unwrap())
            .replace("SERVICE", &service)
            // Has an effect for root alone, whose default worker user could not reach the folder.
            .replace("USER", "user root;");
        let (file, errors) = (folder.path().join("nginx.conf"), folder.path().join("errors"));
        fs::write(&file, configuration).unwrap();
        let mut nginx = Command::new(program().unwrap());
        let nginx = nginx
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(&errors)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let proxy = Self { _nginx: nginx.kill_on_drop(true).spawn().unwrap(), folder, keys };
        let started = async {
            while proxy.connect().await.is_none() {
                yield_now().await;
            }
        };
        let waited = timeout(Duration::from_secs(30), started).await;
        assert!(waited.is_ok(), "{}", fs::read_to_string(errors).unwrap_or_default());
        proxy
    }

    async fn connect(&self) -> Option<UnixStream> {
        UnixStream::connect(self.folder.path().join("socket")).await.ok()
    }

    /// Sends a request with these headers.
    async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut connection = self.connect().await.unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: front\r\nConnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        connection.write_all(format!("{request}\r\n").as_bytes()).await.unwrap();
        let mut text = String::new();
        connection.read_to_string(&mut text).await.unwrap();
        let status = text.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, text }
    }

    /// Requests a cacheable path, with a key or without one.
    async fn shared(&self, path: &str, key: Option<&Key>) -> Answer {
        let bearer = key.map(|key| format!("Bearer {}", key.text));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("Authorization", bearer.as_str())).collect();
        self.ask("GET", &format!("/shared/{path}"), &headers).await
    }
}

impl Answer {
    fn was_cached(&self) -> bool {
        self.text.contains("X-Cache: HIT")
    }
}

/// Serves handlers behind a layer and an open one beside it. Returns the address.
async fn serve(layer: AuthenticateLayer) -> String {
    let app = Router::new()
        .route("/kept", any(async |caller: Option<Principal>| ([(CACHE_CONTROL, "max-age=60")], id(caller))))
        .route("/private", any(async |caller: Option<Principal>| id(caller)))
        .route("/check", any(async |caller: Principal| [("x-tenant", tenant(&caller))]))
        .layer(layer)
        .route("/guarded/", any(async |headers: HeaderMap| format!("{headers:?} behind the guard")));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

fn id(caller: Option<Principal>) -> String {
    caller.map(|caller| caller.key_id().to_string()).unwrap_or_default()
}

fn tenant(caller: &Principal) -> String {
    caller.organization_id().unwrap_or_default().to_owned()
}

fn program() -> Option<&'static str> {
    // Its folder is not in every user's path.
    ["nginx", "/usr/sbin/nginx"].into_iter().find(|name| is_program(name) || Path::new(name).is_file())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shared_cache_serves_no_caller_the_response_to_another() {
    if is_absent("nginx", program().is_some()) {
        return;
    }
    let proxy = Proxy::start(|layer| layer).await;
    let [one, other] = &proxy.keys;
    for path in ["kept", "private"] {
        let first = proxy.shared(path, Some(one)).await;
        assert!(first.status == 200 && first.text.contains(one.id().as_str()));
        // A response that the handler declares cacheable is cached for its caller alone.
        let again = proxy.shared(path, Some(one)).await;
        assert!(again.text.contains(one.id().as_str()));
        assert_eq!(again.was_cached(), path == "kept", "{}", again.text);
        let foreign = proxy.shared(path, Some(other)).await;
        assert!(foreign.text.contains(other.id().as_str()) && !foreign.was_cached(), "{}", foreign.text);
        assert_eq!(proxy.shared(path, None).await.status, 401, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_cache_headers_a_shared_cache_serves_any_client() {
    if is_absent("nginx", program().is_some()) {
        return;
    }
    let proxy = Proxy::start(AuthenticateLayer::leave_cache_headers).await;
    let [one, _] = &proxy.keys;
    proxy.shared("kept", Some(one)).await;
    let anonymous = proxy.shared("kept", None).await;
    assert!(anonymous.status == 200 && anonymous.was_cached(), "nginx served: {}", anonymous.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_optional_route_is_cached_separately_for_callers_and_anonymous_clients() {
    if is_absent("nginx", program().is_some()) {
        return;
    }
    let proxy = Proxy::start(AuthenticateLayer::optional).await;
    let [one, other] = &proxy.keys;
    let anonymous = proxy.shared("kept", None).await;
    assert_eq!(anonymous.status, 200);
    assert!(proxy.shared("kept", None).await.was_cached());
    for key in [one, other] {
        let answer = proxy.shared("kept", Some(key)).await;
        assert!(answer.text.contains(key.id().as_str()), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auth_request_gets_a_status_whatever_protocol_a_client_claims() {
    if is_absent("nginx", program().is_some()) {
        return;
    }
    for proxy in [Proxy::start(|layer| layer).await, Proxy::start(AuthenticateLayer::grpc).await] {
        let bearer = format!("Bearer {}", proxy.keys[0].text);
        let admitted = proxy.ask("GET", "/guarded/", &[("Authorization", &bearer)]).await;
        assert!(admitted.status == 200 && admitted.text.ends_with("behind the guard"));
        for content_type in
            ["text/plain", "application/grpc", "application/grpc-web", "application/grpc-web-text"]
        {
            for method in ["GET", "POST", "PUT"] {
                let claims = [("Content-Type", content_type), ("TE", "trailers")];
                let answer = proxy.ask(method, "/guarded/", &claims).await;
                assert_eq!(answer.status, 401, "{method} {content_type}: {}", answer.text);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_auth_request_an_application_gets_the_tenant_of_the_key_instead_of_the_key() {
    if is_absent("nginx", program().is_some()) {
        return;
    }
    let proxy = Proxy::start(|layer| layer).await;
    let key = proxy.keys[0].text.as_str();
    let claimed = ("X-Tenant", "claimed");
    let others = ("Authorization", "Basic YTpi");
    let admitted = proxy.ask("GET", "/guarded/", &[("X-API-Key", key), others, claimed]).await;
    assert_eq!(admitted.status, 200, "{}", admitted.text);
    assert!(admitted.text.contains(r#""x-tenant": "acme""#), "{}", admitted.text);
    // `Authorization` of a scheme that the layer does not read reaches the application.
    assert!(admitted.text.contains("Basic YTpi"), "{}", admitted.text);
    assert!(!admitted.text.contains("claimed") && !admitted.text.contains(key), "{}", admitted.text);

    let missing = proxy.ask("GET", "/guarded/", &[claimed]).await;
    assert!(missing.status == 401 && missing.text.contains("www-authenticate: Bearer"), "{}", missing.text);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn auth_request_answers_500_to_other_statuses_of_a_rejection() {
    if is_absent("nginx", program().is_some()) {
        return;
    }
    let proxy = Proxy::start(|layer| layer).await;
    let bearer = format!("Bearer {}", proxy.keys[0].text);
    let two = [("X-API-Key", proxy.keys[0].text.as_str()), ("Authorization", &bearer)];
    assert_eq!(proxy.ask("GET", "/guarded/", &two).await.status, 500);

    let outage = Probe::empty();
    outage.set(Fault::Unavailable("outage"));
    let proxy = Proxy::start(|_| AuthenticateLayer::new(authenticator(outage).0)).await;
    assert_eq!(proxy.ask("GET", "/guarded/", &[("Authorization", &bearer)]).await.status, 500);
}
