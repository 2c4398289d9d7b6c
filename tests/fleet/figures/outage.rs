//! The answers to requests during an outage of the database, and the lookups when it is over.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;
use tower_api_key::Authenticator;

use crate::clients::{now, pass};
use crate::database::Database;
use crate::node::{Answer, Node, is_healthy, present};
use crate::{is_long, markdown};
use support::postgres::Server;

const NODES: usize = 3;
const KEYS: usize = 20;
const LEASE: Duration = Duration::from_secs(5);

/// Requests to each node a second, and the pause between two batches.
const RATE: u32 = 1_000;
const PAUSE: Duration = Duration::from_millis(5);

/// Longer than nodes need until they receive notifications again.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(30);

/// The kind of outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outage {
    /// Connections are refused.
    Refused,
    /// The network swallows everything.
    Silent,
    /// The server is killed, and restarted.
    Killed,
}

/// The phases of an outage: before it, in the lease, beyond the lease, and when the database is back.
const PHASES: [&str; 4] = ["before", "within the lease", "beyond the lease", "afterwards"];

/// The numbers of requests of one phase: admitted, refused, and 503.
type Answers = [AtomicUsize; 3];

pub(super) async fn print() -> bool {
    let down = Duration::from_secs(if is_long() { 30 } else { 8 });
    println!(
        "The database is gone for {down:?}; {NODES} nodes with {KEYS} keys and {RATE} requests a second each; lease {LEASE:?}.\n"
    );
    let mut lines = Vec::new();
    let mut holds = true;
    for kind in [Outage::Refused, Outage::Silent, Outage::Killed] {
        for grace in [Duration::ZERO, Duration::from_secs(60)] {
            holds &= outage(kind, grace, down, &mut lines).await;
        }
    }
    let heads = ["outage", "admitted", "refused (401)", "503", "lookups of a key by a node, at the most"];
    markdown::print(heads, &lines);
    holds
}

async fn outage(kind: Outage, grace: Duration, down: Duration, lines: &mut Vec<[String; 5]>) -> bool {
    let server = if kind == Outage::Killed { Server::start().await } else { None };
    if kind == Outage::Killed && server.is_none() {
        eprintln!("skipped: {kind:?} (no PostgreSQL server to start)");
        return true;
    }
    let (database, _outside) = Database::with_keys(server.as_ref(), KEYS).await;
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(Node::start(&database, |builder| builder.lease(LEASE).stale_grace(grace)).await);
    }
    for node in &nodes {
        for key in 0..KEYS {
            node.present(key).await;
        }
    }
    let mut holds = true;
    for (phase, phase_name) in PHASES.iter().enumerate() {
        let length = match phase {
            1 => {
                break_all(kind, &nodes, server.as_ref()).await;
                // The last poll may have begun an interval ago.
                LEASE - Duration::from_millis(1_200)
            }
            2 => down - LEASE,
            3 => {
                heal_all(&nodes, server.as_ref()).await;
                Duration::from_secs(3)
            }
            _ => Duration::from_secs(1),
        };
        nodes.iter().for_each(|node| node.backend.forget_reads());
        let answers = ask_all(&nodes, length).await;
        let reads =
            nodes.iter().flat_map(|node| node.backend.reads_by_key().into_values()).max().unwrap_or(0);
        let [admitted, refused, unavailable] = answers.map(AtomicUsize::into_inner);
        holds &= refused == 0;
        holds &= (grace.is_zero() && phase >= 2) || unavailable == 0;
        holds &= phase != 2 || grace > Duration::ZERO || admitted < unavailable;
        holds &= phase != 3 || reads <= 1;
        let grace = grace.as_secs();
        let figures = [admitted, refused, unavailable].map(|count| count.to_string());
        let [admitted, refused, unavailable] = figures;
        lines.push([
            format!("{kind:?}, grace {grace} s: {phase_name}"),
            admitted,
            refused,
            unavailable,
            reads.to_string(),
        ]);
    }
    let healthy = async {
        while !nodes.iter().all(|node| is_healthy(&node.authenticator)) {
            pass(PAUSE).await;
        }
    };
    timeout(RECOVERY_TIMEOUT, healthy).await.is_ok() && holds
}

async fn break_all(kind: Outage, nodes: &[Node], own: Option<&Server>) {
    if let Some(server) = own {
        return server.stop().await;
    }
    for node in nodes {
        if kind == Outage::Silent { node.proxy.silence() } else { node.proxy.refuse().await }
    }
}

async fn heal_all(nodes: &[Node], own: Option<&Server>) {
    if let Some(server) = own {
        return server.launch().await;
    }
    for node in nodes {
        node.proxy.heal().await;
    }
}

/// Sends `RATE` requests a second to each node, and returns the numbers of answers.
async fn ask_all(nodes: &[Node], length: Duration) -> Answers {
    let answers = std::sync::Arc::<Answers>::default();
    let began = now();
    let mut asking = JoinSet::new();
    for sent in 0.. {
        // A delay of one batch does not delay the next ones.
        while now().duration_since(began) < sent * Duration::from_secs(1) / RATE {
            while asking.try_join_next().is_some() {}
            pass(PAUSE).await;
        }
        if now().duration_since(began) >= length {
            break;
        }
        for node in nodes {
            let (authenticator, answers) = (node.authenticator.clone(), answers.clone());
            asking.spawn(async move { ask(&authenticator, sent as usize % KEYS, &answers).await });
        }
    }
    asking.join_all().await;
    std::sync::Arc::into_inner(answers).unwrap()
}

async fn ask(authenticator: &Authenticator, key: usize, answers: &Answers) {
    let answer = match present(authenticator, key).await {
        Answer::Admitted => 0,
        Answer::Rejected => 1,
        Answer::Unavailable => 2,
    };
    answers[answer].fetch_add(1, Relaxed);
}
