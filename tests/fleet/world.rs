//! A fleet on a database of its own, with clients at every node, and someone who revokes keys past all proxies.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::time::timeout;
use tower_api_key::backend::KeyStore;
use tower_api_key::{AuthenticatorBuilder, PostgresStore};

use crate::clients::{Clients, Seen, now, pass};
use crate::database::Database;
use crate::keys;
use crate::node::{Answer, Node, is_well};
use crate::server::Server;
use crate::verdict::{Revoked, Verdict};

pub(crate) const LEASE: Duration = Duration::from_secs(1);
pub(crate) const POLLS: Duration = Duration::from_millis(200);
const DEADLINE: Duration = Duration::from_millis(250);

/// Longer than any fault keeps a node from being well after it has ended.
const PATIENCE: Duration = Duration::from_secs(30);

const KEYS: usize = 8;

pub(crate) struct World {
    pub(crate) database: Database,
    /// A server that is there for this world only.
    pub(crate) server: Option<Server>,
    pub(crate) nodes: Vec<Node>,
    /// What was seen by others than the clients.
    pub(crate) seen: Vec<Seen>,
    /// A store that no proxy lies before.
    outside: PostgresStore,
    clients: Clients,
    revoked: HashMap<usize, Revoked>,
    healed: Option<Instant>,
    /// When a node was last not well, from the end of the fault on.
    unwell: watch::Receiver<Option<Instant>>,
}

/// What a node is in a world: it trusts nothing for longer than the lease, and the second one reads its keys all the time.
fn usual(number: usize, builder: AuthenticatorBuilder) -> AuthenticatorBuilder {
    let ttl = if number == 0 { Duration::from_secs(3_600) } else { Duration::from_millis(200) };
    builder.lease(LEASE).poll_interval(POLLS).deadline(DEADLINE).positive_ttl(ttl)
}

impl World {
    pub(crate) async fn start(server: Option<Server>, lease: Duration) -> Self {
        let (database, outside) = Database::with_keys(server.as_ref(), KEYS).await;
        let mut nodes = Vec::new();
        for number in 0..2 {
            nodes.push(Node::start(&database, |builder| usual(number, builder).lease(lease)).await);
        }
        let mut clients = Clients::default();
        for node in &nodes {
            (0..KEYS).for_each(|key| clients.come(node.authenticator.clone(), key));
        }
        let (seen, revoked, unwell) = (Vec::new(), HashMap::new(), watch::channel(None).1);
        Self { database, server, nodes, seen, outside, clients, revoked, healed: None, unwell }
    }

    /// Revokes a key that was not revoked yet, from outside. A server that is down is asked again.
    pub(crate) async fn revoke(&mut self) -> usize {
        let key = self.next_key();
        let asked = now();
        while self.outside.revoke(&keys::id(key), keys::revocation()).await.is_err() {
            pass(Duration::from_millis(10)).await;
        }
        self.was_revoked(key, asked);
        key
    }

    /// Has everyone use another server from now on, where the same database is.
    pub(crate) async fn move_to(&mut self, server: Server) {
        self.database = self.database.in_standby(server.url());
        self.outside = PostgresStore::open(&self.database.url()).await.unwrap();
        self.nodes.iter().for_each(|node| node.proxy.lead_to(self.database.address()));
        self.server = Some(server);
    }

    /// Returns the key that is to be revoked next. At the beginning the answers may say so.
    pub(crate) fn next_key(&self) -> usize {
        let key = self.revoked.len();
        assert!(key + 1 < KEYS, "one key has to be left");
        key
    }

    /// Notes that a key was revoked by now.
    pub(crate) fn was_revoked(&mut self, key: usize, asked: Instant) {
        self.revoked.insert(key, Revoked { asked, acknowledged: now() });
    }

    /// Notes that what was broken is no longer so, and looks after the nodes from then on.
    pub(crate) fn is_healed(&mut self) {
        self.healed = Some(now());
        let authenticators: Vec<_> = self.nodes.iter().map(|node| node.authenticator.clone()).collect();
        let (sender, unwell) = watch::channel(Some(now()));
        self.unwell = unwell;
        tokio::spawn(async move {
            while !sender.is_closed() {
                if !authenticators.iter().all(is_well) {
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

    /// Waits until all nodes are well, and tells whether they ever are.
    pub(crate) async fn recover(&self) -> bool {
        let well = async {
            while !self.nodes.iter().all(|node| is_well(&node.authenticator)) {
                pass(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, well).await.is_ok()
    }

    /// Returns what is to be said of the answers, and what is wrong in the end.
    pub(crate) async fn end(mut self) -> (Verdict, Vec<String>) {
        let mut wrong = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            for key in 0..KEYS {
                let expected =
                    if self.revoked.contains_key(&key) { Answer::Refused } else { Answer::Admitted };
                let found = node.present(key).await;
                if found != expected {
                    wrong.push(format!("node {number}, key {key}: expected {expected:?}, found {found:?}"));
                }
            }
        }
        self.seen.extend(self.clients.leave().await);
        let verdict = Verdict::of(&self.seen, &self.revoked, LEASE, self.healed);
        let well_after = self.healed.zip(*self.unwell.borrow()).map(|(healed, unwell)| unwell - healed);
        (Verdict { well_after: well_after.unwrap_or_default(), ..verdict }, wrong)
    }
}
