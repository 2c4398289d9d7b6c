//! A running service.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A service, killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    /// The lines that it printed before its address.
    pub(crate) lines: Vec<String>,
    address: SocketAddr,
}

impl Server {
    /// Starts a service with a database in a folder.
    pub(crate) async fn start(binary: &str, folder: &Path, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(binary)
            .env("DATABASE_URL", format!("sqlite:{}", folder.join("keys.db").display()))
            .env("ADDR", "127.0.0.1:0")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut lines = Vec::new();
        loop {
            let line = stdout.next_line().await.unwrap().expect("an address");
            match line.parse() {
                Ok(address) => return Self { child, lines, address },
                Err(_) => lines.push(line),
            }
        }
    }

    pub(crate) fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.address)
    }

    /// Ends the service as a supervisor does.
    pub(crate) async fn terminate(mut self) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        assert!(self.child.wait().await.unwrap().success());
    }
}
