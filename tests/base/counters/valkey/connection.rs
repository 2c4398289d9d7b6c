//! The connection: mistakes of its settings, the password that no text holds, and a server that is started again.

use std::error::Error;
use std::time::Duration;

use redis::AsyncCommands;
use support::Key;
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::limit_requests::{Count, Counters, CountersErrorKind, ValkeyCounters};

use super::server::{Server, is_absent, open};

const SECRET: &str = "hush-hush";

#[tokio::test]
async fn a_mistaken_address_is_an_error_without_its_text() {
    let lost = format!("redis://user:{SECRET}@127.0.0.1:1/0");
    for url in [
        "",
        "hush-hush",
        "http://hush-hush",
        "redis://:hush-hush@",
        "redis://:hush-hush@host:x",
        "redis://:hush-hush@host/hush-hush",
        // Without a TLS feature.
        "rediss://:hush-hush@127.0.0.1:1",
        &lost,
    ] {
        let error = ValkeyCounters::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Counters, "{url}");
        let text = format!("{error} {error:?} {:?}", ValkeyCounters::builder(url));
        assert!(!text.contains(SECRET), "{text}");
    }
    let error = ValkeyCounters::connect(&lost).await.unwrap_err().to_string();
    assert!(
        error.starts_with("cannot connect to the counter store: ") && error.contains("refused"),
        "{error}"
    );
    let error = ValkeyCounters::builder(&lost).response_timeout(Duration::ZERO).connect_lazy().unwrap_err();
    assert_eq!(error.to_string(), "a timeout of a counter store must not be zero");
}

#[tokio::test]
async fn a_wrong_password_is_an_error_and_a_right_one_is_in_no_text() {
    if is_absent() {
        return;
    }
    let server = Server::start([]).await;
    let mut connection = server.connection().await;
    let set = redis::cmd("CONFIG").arg(&["SET", "requirepass", SECRET]).exec_async(&mut connection).await;
    set.unwrap();
    let with =
        async |password: &str| ValkeyCounters::connect(&format!("{}?pass={password}", server.url())).await;
    for password in ["", "wrong-hush-hush"] {
        let error = with(password).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot connect to the counter store: "), "{error}");
        assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    }
    let counters = with(SECRET).await.unwrap();
    assert!(!format!("{counters:?}").contains(SECRET));
}

#[tokio::test]
async fn a_lost_connection_is_renewed() {
    if is_absent() {
        return;
    }
    let (counters, mut server) = open().await;
    let key = Key::mint();
    let counts = [Count::new(&key.record, "a=100/day".parse().unwrap())];
    counters.take(&counts, 1).await.unwrap();
    // By the server, while nothing is asked: the next request is not lost.
    for _ in 0..3 {
        let mut connection = server.connection().await;
        let _: i64 =
            redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal"]).query_async(&mut connection).await.unwrap();
        counters.take(&counts, 1).await.unwrap();
    }
    server.kill();
    for _ in 0..3 {
        let error = counters.take(&counts, 1).await.unwrap_err();
        assert_eq!(error.kind(), CountersErrorKind::Unavailable);
        assert_eq!(error.to_string(), "cannot access the counter store");
        assert!(error.source().is_some());
    }
    server.restart().await;
    counters.take(&counts, 1).await.unwrap();
    // A server that has lost its memory begins anew.
    let mut connection = server.connection().await;
    let () = connection.del(format!("tower_api_key:{}", counts[0].id())).await.unwrap();
    assert_eq!(counters.take(&counts, 1).await.unwrap().left()[0].remaining, 99);
}

#[tokio::test]
async fn counters_that_connect_later_begin_without_a_server() {
    if is_absent() {
        return;
    }
    let mut server = Server::start([]).await;
    server.kill();
    let counters = ValkeyCounters::builder(&server.url()).connect_lazy().unwrap();
    let counts = [Count::new(&Key::mint().record, "a=5/day".parse().unwrap())];
    assert!(counters.take(&counts, 1).await.is_err());
    server.restart().await;
    assert!(counters.take(&counts, 1).await.is_ok());
}
