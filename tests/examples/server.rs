//! An example as a child process.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// A generous timeout, so that a test fails instead of hanging.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// A running example. It is killed when dropped.
pub(crate) struct Server {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<()>,
    /// Its stderr.
    said: Receiver<String>,
    start: Start,
}

/// The line that an example prints to stdout.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    address: String,
    credentials: HashMap<String, String>,
    /// Further addresses, by name.
    #[serde(default)]
    nodes: HashMap<String, String>,
}

/// The outcome of an example.
pub(crate) struct End {
    pub(crate) status: ExitStatus,
    /// The output after the first line.
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Server {
    /// Starts an example with its database in `folder`, and waits until it prints its address.
    pub(crate) async fn start(example: &str, folder: &Path) -> Self {
        Self::start_with(example, folder, &[]).await
    }

    /// Starts an example with further environment variables.
    pub(crate) async fn start_with(example: &str, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = command(example, folder).envs(variables.iter().copied()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let (tell, said) = watch::channel(String::new());
        let stderr = tokio::spawn(pass_on(child.stderr.take().unwrap(), tell));
        let mut line = String::new();
        timeout(WAIT_TIMEOUT, stdout.read_line(&mut line)).await.expect("a line in time").unwrap();
        match serde_json::from_str(&line) {
            Ok(start) => Self { child, stdout, stderr, said, start },
            Err(error) => {
                stderr.await.unwrap();
                panic!("{example} printed {line:?}: {error}\n{}", *said.borrow())
            }
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.start.address)
    }

    /// Returns a key that this start created.
    pub(crate) fn key(&self, name: &str) -> &str {
        &self.start.credentials[name]
    }

    pub(crate) fn credentials(&self) -> &HashMap<String, String> {
        &self.start.credentials
    }

    /// Returns the addresses of the nodes of an example, ordered by name.
    pub(crate) fn nodes(&self) -> Vec<&str> {
        let mut nodes: Vec<_> = self.start.nodes.iter().collect();
        nodes.sort();
        nodes.into_iter().map(|(_, address)| address.as_str()).collect()
    }

    /// Waits until the server has written this to stderr.
    pub(crate) async fn says(&mut self, text: &str) {
        let said = self.said.wait_for(|said| said.contains(text));
        drop(timeout(WAIT_TIMEOUT, said).await.expect("a word in time").expect("a word before the end"));
    }

    /// Waits for the suggested commands, and returns their lines.
    pub(crate) async fn suggests(&mut self) -> Vec<String> {
        let whole = |said: &String| to_try_of(said).is_some();
        let said =
            timeout(WAIT_TIMEOUT, self.said.wait_for(whole)).await.expect("what to try in time").unwrap();
        to_try_of(&said).unwrap_or_default().lines().map(|line| line.trim().to_owned()).collect()
    }

    /// Ends the server by SIGTERM.
    pub(crate) async fn end(self) -> End {
        self.terminate().await;
        self.ended().await
    }

    /// Ends the server by two signals: by the second one, while requests are still open.
    pub(crate) async fn end_with_requests_open(mut self) -> End {
        self.terminate().await;
        self.says("Ending as soon as open requests have ended").await;
        self.terminate().await;
        self.ended().await
    }

    /// Waits until the server has ended.
    pub(crate) async fn ended(mut self) -> End {
        let mut rest = String::new();
        let end = async {
            self.stdout.read_to_string(&mut rest).await.unwrap();
            self.stderr.await.unwrap();
            self.child.wait().await.unwrap()
        };
        let status = timeout(WAIT_TIMEOUT, end).await.expect("an end in time");
        End { status, stdout: rest, stderr: self.said.borrow().clone() }
    }

    /// Sends SIGTERM until the server ends.
    pub(crate) async fn end_at_once(mut self) -> ExitStatus {
        let end = async {
            loop {
                self.terminate().await;
                if let Ok(status) = timeout(Duration::from_millis(100), self.child.wait()).await {
                    return status.unwrap();
                }
            }
        };
        timeout(WAIT_TIMEOUT, end).await.expect("an end in time")
    }

    /// Returns the memory of the process in bytes, by the name of a line in its `status` on Linux.
    pub(crate) fn resident(&self, field: &str) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.split_whitespace().next().unwrap().parse::<usize>().unwrap() * 1024
    }

    fn id(&self) -> u32 {
        self.child.id().expect("a running server")
    }

    async fn terminate(&self) {
        let pid = self.id().to_string();
        let kill = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        assert!(kill.success());
    }
}

impl End {
    /// Asserts the requirements on the output of each example.
    pub(crate) fn assert_clean<'k>(&self, keys: impl IntoIterator<Item = &'k String>) {
        assert!(self.status.success(), "{}\n{}", self.status, self.stderr);
        assert_eq!(self.stdout, "", "stdout is for one line of JSON");
        for key in keys {
            let random = key.rsplit('_').next().unwrap().as_bytes();
            for piece in random.windows(8) {
                let piece = std::str::from_utf8(piece).unwrap();
                let mut logs = self.stderr.lines().filter(|line| !is_a_command_to_try(line));
                assert!(!logs.any(|line| line.contains(piece)), "a piece of a key in the log");
            }
        }
    }
}

/// Returns the text between "To try it" and a blank line.
fn to_try_of(said: &str) -> Option<&str> {
    let (_, rest) = said.split_once("To try it:\n\n")?;
    rest.split_once("\n\n").map(|(lines, _)| lines)
}

/// The commands that an example suggests on its first start hold the new keys.
fn is_a_command_to_try(line: &str) -> bool {
    ["  curl ", "  call ", "  memfault "].iter().any(|start| line.starts_with(start))
}

/// Runs an example that must fail before it serves, and returns its outcome.
pub(crate) async fn run_in_vain(example: &str, folder: &Path, variable: &str, value: &str) -> End {
    let mut command = command(example, folder);
    let output =
        timeout(WAIT_TIMEOUT, command.env(variable, value).output()).await.expect("an end in time").unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    End { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

fn command(example: &str, folder: &Path) -> Command {
    let mut command = Command::new(binary(example));
    command
        .current_dir(folder)
        .env("ADDR", "127.0.0.1:0")
        .env("DATABASE_URL", format!("sqlite:{}", folder.join("keys.db").display()))
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Cargo puts the examples beside the folder of the tests.
pub(crate) fn binary(example: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let path = profile.join("examples").join(example);
    assert!(path.exists(), "{} is missing: run `cargo build --examples --all-features`", path.display());
    path
}

async fn pass_on(stream: impl AsyncRead + Unpin, tell: Sender<String>) {
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await.unwrap() {
        tell.send_modify(|said| said.extend([&line, "\n"]));
    }
}
