//! The hyper service: HTTP, and the upgrade to a websocket.

use std::path::Path;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::server::Server;

async fn start() -> Server {
    let keys = [("API_KEYS", "ci=the-key-of-the-build-server:build;ops=another-key-of-operations:*")];
    Server::start(env!("CARGO_BIN_EXE_hyper"), Path::new(""), &keys).await
}

#[tokio::test]
async fn a_key_of_the_environment_is_admitted() {
    let server = start().await;
    let get = async |header: &str, key: &str| {
        let request = reqwest::Client::new().get(server.url("http", "/")).header(header, key);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(get("x-api-key", "the-key-of-the-build-server").await, (200, "hello ci\n".into()));
    assert_eq!(get("x-api-key", "another-key-of-operations").await, (200, "hello ops\n".into()));
    assert_eq!(get("x-api-key", "unknown").await, (401, r#"{"detail":"Invalid API key"}"#.into()));
    let bearer = get("authorization", "Bearer the-key-of-the-build-server").await;
    assert_eq!(bearer, (401, r#"{"detail":"Missing API key"}"#.into()));
}

#[tokio::test]
async fn a_websocket_is_refused_without_a_key_and_works_with_one() {
    let server = start().await;
    let request = |key: Option<&str>| {
        let mut request = server.url("ws", "/ws").into_client_request().unwrap();
        if let Some(key) = key {
            request.headers_mut().insert("x-api-key", key.parse().unwrap());
        }
        request
    };
    for key in [None, Some("unknown")] {
        let Err(Error::Http(answer)) = connect_async(request(key)).await else { panic!("upgraded") };
        assert_eq!(answer.status(), 401);
        assert!(answer.headers().contains_key("www-authenticate"));
    }

    let (mut socket, _) = connect_async(request(Some("the-key-of-the-build-server"))).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello ci"));
    socket.send(Message::text("again")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("again"));
}
