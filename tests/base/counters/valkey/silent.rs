//! A server that goes silent, or that cannot count, and another one at its address.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use support::Key;
use tokio::io::{copy_bidirectional, sink};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tower_api_key::error::ConfigErrorKind;
use tower_api_key::limit_requests::{Count, Counters, CountersErrorKind, ValkeyCounters};

use super::server::{Server, is_absent};

/// An address that leads each connection to the server that is there when it begins.
struct Address {
    at: SocketAddr,
    there: Arc<Mutex<PathBuf>>,
    /// A change makes all connections silent that there are.
    silence: watch::Sender<()>,
}

impl Address {
    async fn of(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let there = Arc::new(Mutex::new(server.socket()));
        let silence = watch::Sender::new(());
        let address = Self { at, there: Arc::clone(&there), silence: silence.clone() };
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let socket = there.lock().unwrap().clone();
                let mut silence = silence.subscribe();
                tokio::spawn(async move {
                    let mut server = UnixStream::connect(socket).await.unwrap();
                    let is_silent = tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => false,
                        _ = silence.changed() => true,
                    };
                    if is_silent {
                        // It stays open, and takes what is sent.
                        let _ = tokio::io::copy(&mut client, &mut sink()).await;
                    }
                });
            }
        });
        address
    }

    fn leads_to(&self, server: &Server) {
        *self.there.lock().unwrap() = server.socket();
    }

    async fn counters(&self) -> ValkeyCounters {
        ValkeyCounters::connect(&format!("redis://{}", self.at)).await.unwrap()
    }
}

/// Has a server follow one that does not exist.
async fn make_replica(server: &Server) {
    let mut connection = server.connection().await;
    redis::cmd("REPLICAOF").arg(&["127.0.0.1", "1"]).exec_async(&mut connection).await.unwrap();
}

/// Asserts that counters whose server is made useless fail once, and then count in the server that has taken its place.
async fn assert_left(make_useless: impl AsyncFnOnce(&Address, &Server)) {
    if is_absent() {
        return;
    }
    let (first, second) = (Server::start([]).await, Server::start([]).await);
    let address = Address::of(&first).await;
    let counters = address.counters().await;
    let counts = [Count::new(&Key::mint().record, "a=100/day".parse().unwrap())];
    counters.take(&counts, 1).await.unwrap();
    address.leads_to(&second);
    make_useless(&address, &first).await;
    let error = counters.take(&counts, 1).await.unwrap_err();
    assert_eq!(error.kind(), CountersErrorKind::Unavailable);
    for left in [99, 98] {
        assert_eq!(counters.take(&counts, 1).await.unwrap().left()[0].remaining, left);
    }
}

#[tokio::test]
async fn a_connection_that_goes_silent_is_left_for_another_one() {
    assert_left(async |address, _| {
        address.silence.send_replace(());
    })
    .await;
}

#[tokio::test]
async fn a_server_that_has_become_a_replica_is_left_for_its_successor() {
    assert_left(async |_, server| make_replica(server).await).await;
}

#[tokio::test]
async fn a_server_that_cannot_count_is_an_error_when_connecting() {
    if is_absent() {
        return;
    }
    let server = Server::start([]).await;
    let mut connection = server.connection().await;
    let user = ["SETUSER", "default", "-set"];
    redis::cmd("ACL").arg(&user).exec_async(&mut connection).await.unwrap();
    let connect = async || ValkeyCounters::connect(&server.url()).await;
    let error = connect().await.unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Counters);
    redis::cmd("ACL").arg(&["SETUSER", "default", "+set"]).exec_async(&mut connection).await.unwrap();
    connect().await.unwrap();
    make_replica(&server).await;
    let error = connect().await.unwrap_err();
    assert!(error.to_string().starts_with("cannot connect to the counter store: "), "{error}");
}
