//! What was acknowledged is there after the process was killed, at whatever moment.
//!
//! The test starts this very program again, as a child that writes keys and prints each step once it is acknowledged,
//! and kills it.

use std::env;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tower_api_key::backend::KeyStore;
use tower_api_key::{Record, SqliteStore};

use super::{application, is_sound, number, url};
use crate::samples;

const DATABASE: &str = "TOWER_API_KEY_TEST_DATABASE";
const ROUND: &str = "TOWER_API_KEY_TEST_ROUND";
const ROUNDS: usize = 20;

#[tokio::test]
async fn every_acknowledged_step_survives_a_kill() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        // From none, where the file itself is being made, to many; odd and even, so after insertions and revocations.
        acknowledged.extend(steps_until_killed(&file, round, round * 7 % 40));
        hold(&file, &acknowledged).await;
    }
    assert!(acknowledged.len() > ROUNDS);
}

/// Does nothing, unless it was started by the test above.
#[tokio::test]
async fn the_child_writes_until_it_is_killed() {
    let (Ok(url), Ok(round)) = (env::var(DATABASE), env::var(ROUND)) else { return };
    let store = SqliteStore::open(&url).await.unwrap();
    // The line that names the running test has not ended yet.
    writeln!(stdout()).unwrap();
    for number in 0.. {
        let record = record(&format!("key_{round}_{number}"));
        let id = record.id.clone();
        store.insert(record).await.unwrap();
        writeln!(stdout(), "inserted {id}").unwrap();
        store.revoke(&id, samples::revocation(number, "lost")).await.unwrap();
        writeln!(stdout(), "revoked {id}").unwrap();
    }
}

/// A step that the child has acknowledged.
enum Step {
    Inserted(String),
    Revoked(String),
}

impl Step {
    /// Reads a line of the child's. One that was cut off by the kill does not count.
    fn parse(line: &str) -> Option<Self> {
        match line.strip_suffix('\n')?.split_once(' ')? {
            ("inserted", id) => Some(Self::Inserted(id.into())),
            ("revoked", id) => Some(Self::Revoked(id.into())),
            _ => None,
        }
    }
}

/// Starts a child, kills it after that many steps, and returns all that it has acknowledged.
fn steps_until_killed(file: &Path, round: usize, count: usize) -> Vec<Step> {
    let mut child = Killed(start(file, round));
    let mut output = BufReader::new(child.0.stdout.take().unwrap());
    let mut steps = Vec::new();
    let mut line = String::new();
    if count == 0 {
        child.kill();
    }
    while output.read_line(&mut line).unwrap() > 0 {
        steps.extend(Step::parse(&line));
        line.clear();
        if steps.len() == count {
            child.kill();
        }
    }
    assert!(steps.len() >= count, "the child ended by itself");
    steps
}

fn start(file: &Path, round: usize) -> Child {
    let (_, module) = module_path!().split_once("::").unwrap();
    child(&format!("{module}::the_child_writes_until_it_is_killed"))
        .env(DATABASE, url(file))
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// This program, told to run one test.
pub(super) fn child(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command
}

/// A child that does not outlive the test.
pub(super) struct Killed(pub(super) Child);

impl Killed {
    /// Sends SIGKILL, and waits until the child is gone.
    pub(super) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Checks that every step holds, and that no step was made by half.
async fn hold(file: &Path, acknowledged: &[Step]) {
    let store = SqliteStore::open(&url(file)).await.unwrap();
    for step in acknowledged {
        let (Step::Inserted(id) | Step::Revoked(id)) = step;
        let mut found = store.get(&samples::id(id)).await.unwrap().expect(id);
        let revoked = found.revoked.take();
        assert_eq!(found, record(id));
        assert!(matches!(step, Step::Inserted(_)) || revoked.is_some(), "{id} was revoked");
    }
    store.close().await;

    let pool = application(file).await;
    is_sound(&pool).await;
    let logged = [
        (
            "SELECT count(*) FROM tower_api_key_change WHERE kind = 'changed'",
            "SELECT count(*) FROM tower_api_key",
        ),
        (
            "SELECT count(*) FROM tower_api_key_change WHERE kind = 'revoked'",
            "SELECT count(*) FROM tower_api_key WHERE revoked_at IS NOT NULL",
        ),
    ];
    for (changes, keys) in logged {
        assert_eq!(number(&pool, changes).await, number(&pool, keys).await);
    }
    pool.close().await;
}

fn record(id: &str) -> Record {
    let mut record = samples::full(id);
    record.revoked = None;
    record
}
