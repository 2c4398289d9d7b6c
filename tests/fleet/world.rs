//! A fleet on a database of its own, with clients at every node, and a store without a proxy that revokes keys.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;
use tower_api_key::backend::{KeyChange, KeyStore};
use tower_api_key::{AuthenticatorBuilder, PostgresStore};

use crate::clients::{Clients, Observation, now, pass};
use crate::database::Database;
use crate::keys;
use crate::node::{Answer, Node, is_healthy};
use crate::verdict::{Revoked, Verdict};
use support::postgres::Server;

pub(crate) const LEASE: Duration = Duration::from_secs(1);
pub(crate) const POLLS: Duration = Duration::from_millis(200);
const LOOKUP_TIMEOUT: Duration = Duration::from_millis(250);

/// Longer than any node needs to become healthy after a fault.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(30);

const KEYS: usize = 8;

pub(crate) struct World {
    pub(crate) database: Database,
    /// A server of its own, if the fault needs one.
    pub(crate) server: Option<Server>,
    pub(crate) nodes: Vec<Node>,
    /// Observations of others than the clients.
    pub(crate) seen: Vec<Observation>,
    /// A store that uses no proxy.
    outside: PostgresStore,
    clients: Clients,
    revoked: HashMap<usize, Revoked>,
    healed: Option<Instant>,
    /// When a node was last unhealthy after the end of the fault.
    unhealthy_at: watch::Receiver<Option<Instant>>,
}

/// Configures a node of a world: it trusts nothing for longer than the lease, and the second one reads its keys all the time.
fn configure(number: usize, builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
    let ttl = if number == 0 { Duration::from_secs(3_600) } else { Duration::from_millis(200) };
    builder.lease(LEASE).poll_interval(POLLS).deadline(LOOKUP_TIMEOUT).positive_ttl(ttl)
}

impl World {
    pub(crate) async fn start(server: Option<Server>, lease: Duration) -> Self {
        let (database, outside) = Database::with_keys(server.as_ref(), KEYS).await;
        let mut nodes = Vec::new();
        for number in 0..2 {
            nodes.push(Node::start(&database, |builder| configure(number, builder).lease(lease)).await);
        }
        let mut clients = Clients::default();
        for node in &nodes {
            (0..KEYS).for_each(|key| clients.spawn_client(node.authenticator.clone(), key));
        }
        let (seen, revoked, unhealthy_at) = (Vec::new(), HashMap::new(), watch::channel(None).1);
        Self { database, server, nodes, seen, outside, clients, revoked, healed: None, unhealthy_at }
    }

    /// Revokes the next key, without a proxy. Retries while the server is down.
    pub(crate) async fn revoke(&mut self) -> usize {
        let key = self.next_key();
        let asked = now();
        while self.outside.change(KeyChange::revoke(&keys::id(key), keys::revocation())).await.is_err() {
            pass(Duration::from_millis(10)).await;
        }
        self.was_revoked(key, asked);
        key
    }

    /// Makes all nodes use another server with the same database.
    pub(crate) async fn move_to(&mut self, server: Server) {
        self.database = self.database.in_standby(server.url());
        self.outside = PostgresStore::open(&self.database.url()).await.unwrap();
        self.nodes.iter().for_each(|node| node.proxy.redirect(self.database.address()));
        self.server = Some(server);
    }

    /// Returns the next key to revoke. Answers may already show its revocation.
    pub(crate) fn next_key(&self) -> usize {
        let key = self.revoked.len();
        assert!(key + 1 < KEYS, "one key has to be left");
        key
    }

    /// Records that a key was revoked.
    pub(crate) fn was_revoked(&mut self, key: usize, asked: Instant) {
        self.revoked.insert(key, Revoked { asked, acknowledged: now() });
    }

    /// Records the end of the fault, and watches the health of the nodes from then on.
    pub(crate) fn is_healed(&mut self) {
        self.healed = Some(now());
        let authenticators: Vec<_> = self.nodes.iter().map(|node| node.authenticator.clone()).collect();
        let (sender, unhealthy_at) = watch::channel(Some(now()));
        self.unhealthy_at = unhealthy_at;
        tokio::spawn(async move {
            while !sender.is_closed() {
                if !authenticators.iter().all(is_healthy) {
                    sender.send_replace(Some(now()));
                }
                pass(Duration::from_millis(5)).await;
            }
        });
    }

    pub(crate) async fn heal(&mut self) {
        for node in &self.nodes {
            node.proxy.heal().await;
        }
        self.is_healed();
    }

    /// Waits until all nodes are healthy, and returns whether they become so in time.
    pub(crate) async fn recover(&self) -> bool {
        let healthy = async {
            while !self.nodes.iter().all(|node| is_healthy(&node.authenticator)) {
                pass(Duration::from_millis(5)).await;
            }
        };
        timeout(RECOVERY_TIMEOUT, healthy).await.is_ok()
    }

    /// Returns the verdict on the answers, and the wrong answers at the end.
    pub(crate) async fn end(mut self) -> (Verdict, Vec<String>) {
        let mut wrong = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            for key in 0..KEYS {
                let expected =
                    if self.revoked.contains_key(&key) { Answer::Rejected } else { Answer::Admitted };
                let found = node.present(key).await;
                if found != expected {
                    wrong.push(format!("node {number}, key {key}: expected {expected:?}, found {found:?}"));
                }
            }
        }
        self.seen.extend(self.clients.stop().await);
        let verdict = Verdict::of(&self.seen, &self.revoked, LEASE, self.healed);
        let healthy_after =
            self.healed.zip(*self.unhealthy_at.borrow()).map(|(healed, unhealthy_at)| unhealthy_at - healed);
        (Verdict { healthy_after: healthy_after.unwrap_or_default(), ..verdict }, wrong)
    }
}
