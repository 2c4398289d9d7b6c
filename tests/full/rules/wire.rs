//! Forms of a request target that clients can choose on the wire.

use axum::Router;
use axum::routing::any;
use h2::client;
use http::{Method, Request, Uri};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::Layer;
use tower_api_key::axum::RouteRules;
use tower_api_key::rules::{Access, PathRules};

use super::{layer, scope};

async fn handler() -> &'static str {
    "here"
}

/// Serves three applications that declare the same, by each type of rules.
async fn serve() -> Vec<String> {
    let routes =
        || Router::new().route("/public", any(handler)).route("/notes/{id}", any(handler)).fallback(handler);
    let by_route = RouteRules::new([("/public", Access::Public), ("/notes/{id}", scope("a"))]).unwrap();
    let by_path = PathRules::new([("/public", Access::Public), ("/notes/7", scope("a"))]).unwrap();
    let apps = [
        routes().layer(layer("a").rules(by_route)),
        routes().layer(layer("a").rules(by_path.clone())),
        Router::new().fallback_service(layer("a").rules(by_path).layer(routes())),
    ];
    let mut addresses = Vec::new();
    for app in apps {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap().to_string());
        tokio::spawn(async move { axum::serve(listener, app).await });
    }
    addresses
}

async fn http1(address: &str, head: &str) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{head}\r\nhost: h\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

async fn http2(address: &str, method: Method, uri: Uri, key: bool) -> u16 {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut client, connection) = client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut request = Request::builder().method(method).uri(uri);
    if key {
        request = request.header("authorization", "Bearer test");
    }
    let (response, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
    response.await.unwrap().status().as_u16()
}

#[tokio::test]
async fn no_form_of_a_request_target_opens_a_guarded_route() {
    for address in serve().await {
        for (head, status) in [
            ("GET /public HTTP/1.1", 200),
            ("GET http://h/public HTTP/1.1", 200),
            ("GET http://other/public?a=b HTTP/1.1", 200),
            ("GET /public HTTP/1.0", 200),
            ("GET /notes/7 HTTP/1.1", 401),
            ("GET http://h/notes/7 HTTP/1.1", 401),
            ("GET /public/../notes/7 HTTP/1.1", 401),
            ("GET //public HTTP/1.1", 401),
            ("GET /public/ HTTP/1.1", 401),
            ("GET /public;x HTTP/1.1", 401),
            ("GET /%70ublic HTTP/1.1", 401),
            ("OPTIONS * HTTP/1.1", 401),
            ("CONNECT h:80 HTTP/1.1", 401),
            ("CONNECT public:80 HTTP/1.1", 401),
            ("GET /notes/7 HTTP/1.1\r\nauthorization: Bearer test", 200),
            // The headers by which some frameworks let a client choose another path or method.
            ("GET /notes/7 HTTP/1.1\r\nx-original-url: /public\r\nx-rewrite-url: /public", 401),
            ("POST /notes/7 HTTP/1.1\r\nx-http-method-override: GET", 401),
        ] {
            assert_eq!(http1(&address, head).await, status, "{head}");
        }
        for head in ["OPTIONS * HTTP/1.1", "CONNECT h:80 HTTP/1.1", "GET /unknown HTTP/1.1"] {
            let status = http1(&address, &format!("{head}\r\nauthorization: Bearer test")).await;
            assert!(status == 403 || status == 404, "{head}: {status}");
        }
    }
}

#[tokio::test]
async fn the_path_of_http2_is_judged_alike() {
    for address in serve().await {
        let url = |path: &str| format!("http://h{path}").parse::<Uri>().unwrap();
        assert_eq!(http2(&address, Method::GET, url("/public"), false).await, 200);
        assert_eq!(http2(&address, Method::GET, url("/notes/7"), false).await, 401);
        assert_eq!(http2(&address, Method::GET, url("/notes/7"), true).await, 200);
        assert_eq!(http2(&address, Method::GET, url("/public/"), false).await, 401);
        assert_eq!(http2(&address, Method::CONNECT, Uri::from_static("h:80"), false).await, 401);
        let status = http2(&address, Method::CONNECT, Uri::from_static("h:80"), true).await;
        assert!(status == 403 || status == 404, "{status}");
    }
}
