//! The nodes as child processes. They end with this process, however it ends: each reads from a pipe that closes with it.

use std::env;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::NODE;
use crate::process::{self, Failure};

/// The names of the nodes. The first one serves the routes that manage keys.
pub(crate) const NAMES: [&str; 3] = ["node-1", "node-2", "node-3"];

/// Most time that a node may take to end.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) struct Fleet(Vec<Node>);

/// A running node, which is killed on drop.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    process: Child,
}

impl Fleet {
    /// Starts all nodes, and waits until they serve.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let first = process::env_or("ADDR", "127.0.0.1:3000")?;
        let first: SocketAddr = first.parse().map_err(|_| {
            format!("ADDR must be an IP address and a port, such as 127.0.0.1:3000, got {first:?}")
        })?;
        let mut starting = Vec::new();
        for (number, name) in (0..).zip(NAMES) {
            starting.push((name, spawn(name, behind(first, number)?)?));
        }
        let mut nodes = Vec::new();
        for (name, process) in starting {
            nodes.push(Node::ready(name, process).await?);
        }
        Ok(Self(nodes))
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.0
    }

    pub(crate) fn first(&self) -> &Node {
        &self.0[0]
    }

    /// Shuts all nodes down gracefully, and waits for their processes.
    pub(crate) async fn end(mut self) -> Result<(), Failure> {
        self.0.iter_mut().for_each(|node| drop(node.process.stdin.take()));
        for Node { name, process, .. } in &mut self.0 {
            let status =
                timeout(GRACE, process.wait()).await.map_err(|_| format!("{name} does not end"))??;
            if !status.success() {
                return Err(format!("{name} ended with {status}").into());
            }
        }
        Ok(())
    }
}

impl Node {
    /// Waits until a node prints its address.
    async fn ready(name: &'static str, mut process: Child) -> Result<Self, Failure> {
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line).await?;
        }
        let start: Value =
            serde_json::from_str(&line).map_err(|_| format!("{name} ended before it served"))?;
        let address = start["address"].as_str().ok_or_else(|| format!("{name} told no address"))?;
        Ok(Self { name, address: address.to_owned(), process })
    }
}

fn spawn(name: &str, address: SocketAddr) -> Result<Child, Failure> {
    let mut command = Command::new(env::current_exe()?);
    command.env(NODE, name).env("ADDR", address.to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    Ok(command.spawn()?)
}

/// Returns an address with its port increased by an offset. Port 0 selects a free port.
fn behind(first: SocketAddr, number: u16) -> Result<SocketAddr, Failure> {
    let port = match first.port() {
        0 => Some(0),
        port => port.checked_add(number),
    };
    let port = port.ok_or("ADDR must leave ports above it for further nodes")?;
    Ok(SocketAddr::new(first.ip(), port))
}
