//! A server of Valkey or Redis of one test, on a socket in a folder of its own.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use support::outside;
use tempfile::TempDir;
use tokio::time::timeout;
use tower_api_key::limit_requests::ValkeyCounters;

pub(super) struct Server {
    folder: TempDir,
    settings: Vec<&'static str>,
    process: Option<Child>,
}

/// Returns whether no server is installed, and prints the name of the skipped test.
pub(super) fn is_absent() -> bool {
    outside::is_absent("Valkey or Redis", program().is_some())
}

fn program() -> Option<&'static str> {
    ["valkey-server", "redis-server"].into_iter().find(|name| outside::is_program(name))
}

/// Starts a server, and returns counters in it.
pub(super) async fn open() -> (ValkeyCounters, Server) {
    let server = Server::start([]).await;
    (server.counters().await, server)
}

impl Server {
    pub(super) async fn start(settings: impl IntoIterator<Item = &'static str>) -> Self {
        let folder = TempDir::new().unwrap();
        let mut server = Self { folder, settings: settings.into_iter().collect(), process: None };
        server.restart().await;
        server
    }

    /// Kills the server, as a machine does that loses its power.
    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Starts the server with the files that it has left, and waits until it answers.
    pub(super) async fn restart(&mut self) {
        self.kill();
        let folder = self.folder.path();
        let _ = fs::remove_file(folder.join("socket"));
        let mut command = Command::new(program().unwrap());
        command.args(["--port", "0", "--save", "", "--unixsocket", "socket", "--dir"]).arg(folder);
        command.args(&self.settings).current_dir(folder);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.process = Some(process.unwrap());
        let client = redis::Client::open(self.url()).unwrap();
        let is_up = async {
            loop {
                if let Ok(mut connection) = client.get_multiplexed_async_connection().await
                    && redis::cmd("PING").exec_async(&mut connection).await.is_ok()
                {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), is_up).await.unwrap();
    }

    /// Stops the processor time of the server, or lets it go on.
    pub(super) fn signal(&self, name: &str) {
        let id = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(super) fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    pub(super) async fn counters(&self) -> ValkeyCounters {
        ValkeyCounters::connect(&self.url()).await.unwrap()
    }

    /// Connects to it for commands of a test.
    pub(super) async fn connection(&self) -> MultiplexedConnection {
        redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
