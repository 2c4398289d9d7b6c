//! A console over plain HTTP, for the browser of this machine.

use std::net::SocketAddr;

use axum::Router;
use http::{Method, StatusCode};
use http_body_util::Full;
use tokio::net::TcpListener;
use tower_api_key::backend::Actor;
use tower_api_key::console::{Console, Handover, Sessions};
use tower_api_key::manage::KeyManager;
use tower_api_key::{Authenticator, KeyFormat, MemoryStore};

use crate::console::sessions::visitor::{Visitor, code};
use crate::console::sessions::world::{ann, handover};
use crate::console::world::permissions;

fn console(address: &str) -> Sessions<MemoryStore> {
    let store = MemoryStore::new();
    let authenticator = Authenticator::new(store.clone());
    let manager =
        KeyManager::for_authenticator(&authenticator, store, KeyFormat::new("demo").unwrap()).unwrap();
    let console = Console::new(manager.with_permissions(permissions())).unwrap();
    console.sessions(&authenticator, address).unwrap()
}

/// Serves a console in development, with or without the addresses of its peers.
async fn serve(knows_peers: bool) -> (Sessions<MemoryStore>, Visitor) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/console", listener.local_addr().unwrap());
    let console = console(&base).development().unwrap();
    let app = Router::new().nest("/console", console.routes());
    tokio::spawn(async move {
        match knows_peers {
            true => axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await,
            false => axum::serve(listener, app).await,
        }
    });
    (console, Visitor::new(base))
}

#[tokio::test]
async fn a_link_of_a_program_names_the_account_and_asks_first() {
    let (console, mut visitor) = serve(true).await;
    let code = code(&console.link_for(handover(ann())).await.unwrap());
    for _ in 0..2 {
        let page = visitor.get(&format!("/sign-in?code={code}")).await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.has("external user:ann, for the keys of organization acme"), "{}", page.html);
        assert!(!visitor.is_signed_in());
    }
    let entered = visitor.redeem(&code).await;
    assert_eq!(entered.location(), "./keys");
    let cookie = entered.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("console.console=") && !cookie.contains("Secure"), "{cookie}");
    assert!(visitor.is_in().await);
    assert_eq!(visitor.redeem(&code).await.status, StatusCode::FORBIDDEN, "once");

    let operator = Handover::operator(Actor::named("quickstart")).unwrap();
    let link = console.link_for(operator).await.unwrap();
    let page =
        visitor.get(&format!("/sign-in?code={}", crate::console::sessions::visitor::code(&link))).await;
    assert!(page.has("application quickstart, for the keys of all owners"), "{}", page.html);
}

#[tokio::test]
async fn a_code_with_a_cookie_needs_it_in_development_too() {
    let (console, mut without) = serve(true).await;
    let sent = console.session_for(handover(ann())).await.unwrap();
    let (mut visitor, code) = Visitor::sent(without.base.clone(), &sent);
    assert_eq!(without.redeem(&code).await.status, StatusCode::FORBIDDEN);
    assert_eq!(visitor.redeem(&code).await.location(), "./keys");
}

#[tokio::test]
async fn a_request_of_an_unknown_peer_is_rejected() {
    let (_, mut visitor) = serve(false).await;
    for path in ["/sign-in", "/keys", "/style.css", "/no-such-page"] {
        assert_eq!(visitor.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(visitor.post("/sign-in", &[]).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_request_that_a_proxy_forwards_or_that_names_another_host_is_rejected() {
    let (_, mut visitor) = serve(true).await;
    assert_eq!(visitor.get("/sign-in").await.status, StatusCode::OK);
    for header in [
        ("x-forwarded-for", "203.0.113.7"),
        ("forwarded", "for=203.0.113.7"),
        ("x-real-ip", "203.0.113.7"),
        ("x-forwarded-host", "app.example.com"),
        ("x-forwarded-proto", "https"),
        ("via", "1.1 proxy"),
        ("host", "evil.example"),
        ("host", "evil.example:3000"),
    ] {
        let page = visitor.send(Method::GET, "/sign-in", &[header], Full::default()).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{header:?}");
    }
}

#[tokio::test]
async fn a_proxy_that_adds_no_header_is_rejected_by_its_version() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let (_, visitor) = serve(true).await;
    let host = visitor.base.strip_prefix("http://").unwrap().strip_suffix("/console").unwrap();
    for (version, expected) in [("1.0", "403"), ("1.1", "200")] {
        let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
        let request =
            format!("GET /console/sign-in HTTP/{version}\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer.split(' ').nth(1), Some(expected), "{version}");
    }
}

#[tokio::test]
async fn a_peer_elsewhere_is_rejected() {
    use axum::body::Body;
    use axum::extract::ConnectInfo;
    use http::Request;
    use tower::ServiceExt;

    let app = Router::new()
        .nest("/console", console("http://127.0.0.1:3000/console").development().unwrap().routes());
    for (peer, expected) in [
        ("127.0.0.1:50000", StatusCode::OK),
        ("127.8.0.1:50000", StatusCode::OK),
        ("[::1]:50000", StatusCode::OK),
        ("[::ffff:127.0.0.1]:50000", StatusCode::OK),
        ("10.0.0.7:50000", StatusCode::FORBIDDEN),
        ("203.0.113.7:50000", StatusCode::FORBIDDEN),
        ("[::ffff:203.0.113.7]:50000", StatusCode::FORBIDDEN),
    ] {
        let request = Request::get("/console/sign-in").header("host", "127.0.0.1:3000");
        let peer: SocketAddr = peer.parse().unwrap();
        let request = request.extension(ConnectInfo(peer)).body(Body::empty()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), expected, "{peer}");
    }
}

#[test]
fn development_is_for_this_machine() {
    assert!(console("https://app.example.com/keys").development().is_err());
    assert!(console("http://localhost:3000/keys").development().is_ok());
    assert!(console("http://[::1]:3000/keys").development().is_ok());
}
