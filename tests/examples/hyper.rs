//! hyper without a framework.

use bytes::Bytes;
use http::{Method, StatusCode, Version};
use http_body_util::Full;
use tempfile::tempdir;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::{get, request, send};
use crate::server::Server;

#[tokio::test]
async fn the_greeting_names_the_key() {
    let folder = tempdir().unwrap();
    let server = Server::start("hyper", folder.path()).await;

    for version in [Version::HTTP_11, Version::HTTP_2] {
        let request = request(Method::GET, &server.url("/"), Some(server.key("key"))).version(version);
        let answer = send(request.body(Full::default()).unwrap()).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, &b"hello key_hyper_key\n"[..]));
    }
    let keys = server.credentials().clone();
    let end = server.end().await;
    end.assert_clean(keys.values());
    assert!(end.stderr.contains("admitted key_id=key_hyper_key"), "{}", end.stderr);
}

#[tokio::test]
async fn a_rejection_names_the_reason() {
    let folder = tempdir().unwrap();
    let server = Server::start("hyper", folder.path()).await;
    let (url, key) = (server.url("/"), server.key("key"));

    get(&url, None).await.assert_rejected(StatusCode::UNAUTHORIZED, "Missing API key");
    get(&url, Some("unknown")).await.assert_rejected(StatusCode::UNAUTHORIZED, "Invalid API key");
    let twice = request(Method::GET, &url, Some(key)).header("x-api-key", key);
    let answer = send(twice.body(Full::<Bytes>::default()).unwrap()).await;
    answer.assert_rejected(StatusCode::BAD_REQUEST, "Multiple credentials");
}

#[tokio::test]
async fn a_second_signal_ends_a_server_that_a_client_keeps_open() {
    let folder = tempdir().unwrap();
    let server = Server::start("hyper", folder.path()).await;
    let address = server.url("").replace("http://", "");
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    // The server has accepted the connection above once it responds on a later one.
    get(&server.url("/"), None).await.assert_rejected(StatusCode::UNAUTHORIZED, "Missing API key");

    assert_eq!(server.end_at_once().await.code(), Some(1));
}
