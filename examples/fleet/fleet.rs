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

/// The first of them serves the routes that manage keys.
pub(crate) const NAMES: [&str; 3] = ["node-1", "node-2", "node-3"];

/// How long a node may take to end.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) struct Fleet(Vec<Node>);

/// A node that serves. It is killed when dropped.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) address: String,
    process: Child,
}

impl Fleet {
    /// Starts all nodes, and returns when all of them serve.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let first = process::env_or("ADDR", "127.0.0.1:3000")?;
        let first: SocketAddr = first.parse().map_err(|_| {
            format!("ADDR: expected an IP address and a port, such as 127.0.0.1:3000, found {first:?}")
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

    /// Has all nodes end what is under way, and returns when they are gone.
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
    /// Waits until a node says where it is.
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

/// Returns the address so many ports behind another. Port 0 stands for any free port.
fn behind(first: SocketAddr, number: u16) -> Result<SocketAddr, Failure> {
    let port = match first.port() {
        0 => Some(0),
        port => port.checked_add(number),
    };
    let port = port.ok_or("ADDR: expected a port with free ones behind it, found the last")?;
    Ok(SocketAddr::new(first.ip(), port))
}
