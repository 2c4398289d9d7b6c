//! Measures a revocation: when each node last admits and first rejects a key.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use tokio::sync::watch::{self, Receiver};
use tower_api_key::clock::{Clock, Moment, SystemClock};

use crate::client::{Client, Failed};
use crate::fleet::Node;

/// The duration of requests before the revocation, and after its acknowledgement.
const AROUND: Duration = Duration::from_millis(500);

/// A measured revocation.
pub(crate) struct Watched {
    /// The revoked key.
    pub(crate) revoked: String,
    pub(crate) sent: Moment,
    pub(crate) acknowledged: Moment,
    /// `Revocation-Reached`: the proof that no node admits the key.
    pub(crate) reached: String,
    pub(crate) nodes: Vec<(String, Seen)>,
}

/// The measurements of a node.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    /// The start of the last admitted request.
    pub(crate) last_admission: Option<Moment>,
    /// The arrival of the first rejection.
    pub(crate) first_rejection: Option<Moment>,
    /// The lookups of the node, counted from before the key was created.
    pub(crate) reads: u64,
}

/// Creates a key on the first node, lets all nodes cache it, and revokes it during requests to all nodes.
pub(crate) async fn a_revocation(nodes: &[Node], admin: &str) -> Result<Watched, Failed> {
    let admin = Client::new(&nodes[0], admin);
    // The node looks this key up as well, before the count starts.
    admin.get("/v1/whoami").await?;
    let mut reads = Vec::new();
    for node in nodes {
        reads.push(reads_of(node).await?);
    }

    let made = expect(admin.send(Method::POST, "/admin/keys", r#"{"name":"to be revoked"}"#).await?, 201)?;
    let text =
        |field: &str| made[field].as_str().map(str::to_owned).ok_or("the answer must hold a key, got none");
    let (id, key) = (text("id")?, text("key")?);
    for node in nodes {
        // Twice, of which the second is admitted by the cache of the node.
        for _ in 0..2 {
            expect(Client::new(node, &key).get("/v1/whoami").await?, 200)?;
        }
    }

    let (end, ended) = watch::channel(false);
    let watching: Vec<_> =
        nodes.iter().map(|node| tokio::spawn(ask(Client::new(node, &key), ended.clone()))).collect();
    wait().await;
    let sent = now();
    let path = format!("/admin/keys/{id}?wait=fleet&reason=shown");
    let answer = admin.send(Method::DELETE, &path, "").await?;
    let acknowledged = now();
    let reached = answer.headers.get("revocation-reached").and_then(|value| value.to_str().ok());
    let reached = reached.unwrap_or("not told").to_owned();
    expect(answer, 204)?;
    wait().await;
    end.send_replace(true);

    let mut seen = Vec::new();
    for ((node, reads), watching) in nodes.iter().zip(reads).zip(watching) {
        let reads = reads_of(node).await? - reads;
        seen.push((node.name.to_owned(), Seen { reads, ..watching.await?? }));
    }
    Ok(Watched { revoked: key, sent, acknowledged, reached, nodes: seen })
}

/// Presents a key in a loop, without pauses.
async fn ask(client: Client, ended: Receiver<bool>) -> Result<Seen, Failed> {
    let mut seen = Seen::default();
    while !*ended.borrow() {
        let began = now();
        match client.get("/v1/whoami").await?.status {
            StatusCode::OK => seen.last_admission = Some(began),
            StatusCode::UNAUTHORIZED => _ = seen.first_rejection.get_or_insert_with(now),
            other => return Err(format!("the status must be 200 or 401, got {other}").into()),
        }
        seen.requests += 1;
    }
    Ok(seen)
}

async fn reads_of(node: &Node) -> Result<u64, Failed> {
    let health = expect(Client::new(node, "").get("/health").await?, 200)?;
    Ok(health["reads"].as_u64().ok_or("the health must hold the number of reads, got none")?)
}

fn expect(answer: crate::client::Answer, status: u16) -> Result<serde_json::Value, Failed> {
    if answer.status != status {
        return Err(format!("the status must be {status}, got {}: {}", answer.status, answer.body).into());
    }
    Ok(answer.body)
}

fn now() -> Moment {
    SystemClock::default().monotonic()
}

#[allow(clippy::disallowed_methods, reason = "the measured processes use the clock of the machine")]
async fn wait() {
    tokio::time::sleep(AROUND).await;
}
