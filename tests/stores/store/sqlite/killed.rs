//! Acknowledged changes survive the death of the process at any moment.
//!
//! The test starts this program again, as a child that writes keys and prints each acknowledged step, and kills it. `KILLS` sets
//! how often.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;
use tower_api_key::backend::{Grace, KeyChange, KeyFilter, KeyStore};
use tower_api_key::reject::Reason;
use tower_api_key::{KeyId, Record, SqliteStore};

use super::{application, is_sound, url};
use crate::store::caller::Caller;
use crate::store::samples;

const DATABASE: &str = "TOWER_API_KEY_TEST_DATABASE";
const ROUND: &str = "TOWER_API_KEY_TEST_ROUND";
const LIFE: &str = "TOWER_API_KEY_TEST_LIFE";
const KILLS: usize = 10;

#[tokio::test]
async fn every_acknowledged_creation_survives_a_kill() {
    survives_kills("create").await;
}

#[tokio::test]
async fn every_acknowledged_rotation_survives_a_kill() {
    survives_kills("create rotate").await;
}

#[tokio::test]
async fn every_acknowledged_revocation_survives_a_kill() {
    survives_kills("create revoke").await;
}

#[tokio::test]
async fn rotations_and_revocations_among_each_other_survive_a_kill() {
    survives_kills("create rotate revoke").await;
}

/// Kills children that create, rotate and revoke keys in the same file.
async fn survives_kills(life: &str) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let kills = env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut acknowledged = Vec::new();
    for round in 0..kills {
        // From none, while the file itself is created, to many, and after each kind of step.
        let steps = steps_until_killed(&file, life, round, round * 7 % 40);
        acknowledged.extend(steps);
        let last = round + 1 == kills;
        hold(&file, &acknowledged, &if last { "key_".to_owned() } else { format!("key_{round}_") }).await;
    }
    assert!(acknowledged.len() > kills);
    #[allow(clippy::print_stderr, reason = "the operator of a long check wants to know how long it was")]
    {
        eprintln!("{life}: {kills} kills, {} acknowledged steps held", acknowledged.len());
    }
}

/// Does nothing, unless it was started by one of the tests above.
#[tokio::test]
async fn the_child_writes_until_it_is_killed() {
    let (Ok(url), Ok(round), Ok(life)) = (env::var(DATABASE), env::var(ROUND), env::var(LIFE)) else {
        return;
    };
    let store = SqliteStore::open(&url).await.unwrap();
    // The line that names the running test has not ended yet.
    writeln!(stdout()).unwrap();
    for number in 0.. {
        let name = format!("key_{round}_{number}");
        let successor = successor_of(&name);
        let mut own = name.as_str();
        for step in life.split(' ') {
            match step {
                "create" => drop(store.change(KeyChange::insert(record(own))).await.unwrap()),
                "rotate" => {
                    let rotation = samples::rotation(&successor, number, Grace::None);
                    store.change(KeyChange::rotate(&samples::id(own), rotation)).await.unwrap();
                }
                _ => {
                    let revocation = samples::revocation(number, "lost");
                    store.change(KeyChange::revoke(&samples::id(own), revocation)).await.unwrap();
                }
            }
            writeln!(stdout(), "{step} {own}").unwrap();
            own = if step == "rotate" { &successor } else { own };
        }
    }
}

fn successor_of(name: &str) -> String {
    format!("{name}_next")
}

/// A step that the child has acknowledged, and the id of the key.
type Step = (&'static str, String);

/// Reads a line of the child. An incomplete one does not count.
fn parse(line: &str) -> Option<Step> {
    let (step, id) = line.strip_suffix('\n')?.split_once(' ')?;
    let step = ["create", "rotate", "revoke"].into_iter().find(|known| *known == step)?;
    Some((step, id.to_owned()))
}

/// Starts a child, kills it after this many steps and a delay, and returns all acknowledged steps.
fn steps_until_killed(file: &Path, life: &str, round: usize, count: usize) -> Vec<Step> {
    let mut child = Killed(start(file, life, round));
    let mut output = BufReader::new(child.0.stdout.take().unwrap());
    let mut steps = Vec::new();
    let mut line = String::new();
    if count == 0 {
        child.kill();
    }
    while output.read_line(&mut line).unwrap() > 0 {
        steps.extend(parse(&line));
        line.clear();
        if steps.len() == count {
            // In the middle of the next step, or of a later one.
            for _ in 0..round * 89 % 500 {
                std::thread::yield_now();
            }
            child.kill();
        }
    }
    assert!(steps.len() >= count, "the child ended by itself");
    steps
}

fn start(file: &Path, life: &str, round: usize) -> Child {
    let (_, module) = module_path!().split_once("::").unwrap();
    child(&format!("{module}::the_child_writes_until_it_is_killed"))
        .env(DATABASE, url(file))
        .env(ROUND, round.to_string())
        .env(LIFE, life)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// This program, to run one test.
pub(crate) fn child(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]);
    command
}

/// A child that does not outlive the test.
pub(crate) struct Killed(pub(crate) Child);

impl Killed {
    /// Sends SIGKILL, and waits until the child is gone.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Checks that every step holds, that no step was made by half, and that the keys in force whose ids start like this are
/// admitted.
async fn hold(file: &Path, acknowledged: &[Step], presented: &str) {
    let store = SqliteStore::open(&url(file)).await.unwrap();
    let records = store.list(&KeyFilter::all(), None, usize::MAX).await.unwrap();
    let by_id: BTreeMap<&str, &Record> = records.iter().map(|record| (record.id.as_str(), record)).collect();
    for record in &records {
        is_whole(record, &by_id);
    }
    for (step, id) in acknowledged {
        let found = by_id.get(id.as_str()).unwrap_or_else(|| panic!("{id} is lost after {step}"));
        match *step {
            "rotate" => {
                assert_eq!(found.rotated_to.as_ref().map(KeyId::as_str), Some(&*successor_of(id)));
            }
            "revoke" => assert!(found.revoked.is_some(), "{id} was revoked"),
            _ => {}
        }
    }
    let caller = Caller::of(&store);
    for record in records.iter().filter(|record| record.id.as_str().starts_with(presented)) {
        let expected = record.revoked.as_ref().map_or(Ok(record.id.clone()), |_| Err(Reason::Revoked));
        assert_eq!(caller.present(record.id.as_str()).await, expected, "{}", record.id);
    }
    store.close().await;
    is_logged(file).await;
}

/// Checks that a key is as it was written, and that it and its successor refer to each other.
fn is_whole(found: &Record, by_id: &BTreeMap<&str, &Record>) {
    let id = found.id.as_str();
    match id.strip_suffix("_next") {
        None => {
            let mut expected = record(id);
            (expected.revoked, expected.rotated_to) = (found.revoked.clone(), found.rotated_to.clone());
            assert_eq!(found, &expected);
        }
        Some(old) => {
            assert_eq!(found.rotated_from.as_ref().map(KeyId::as_str), Some(old));
            assert_eq!(by_id[old].rotated_to.as_ref(), Some(&found.id));
        }
    }
    if let Some(to) = &found.rotated_to {
        assert_eq!(by_id[to.as_str()].rotated_from.as_ref(), Some(&found.id));
        assert!(found.revoked.is_some(), "{id} was replaced without a grace");
    }
}

/// Checks that the file is intact, and that each change is in both logs.
async fn is_logged(file: &Path) {
    let pool = application(file).await;
    is_sound(&pool).await;
    let counted = [
        ("change WHERE kind = 'changed'", ""),
        ("change WHERE kind = 'revoked'", "WHERE revoked_at IS NOT NULL"),
        ("audit WHERE action = 'created'", ""),
        ("audit WHERE action = 'rotated'", "WHERE rotated_to IS NOT NULL"),
        ("audit WHERE action = 'revoked'", "WHERE revoked_at IS NOT NULL AND rotated_to IS NULL"),
    ];
    for (rows, keys) in counted {
        let logged = count(&pool, &format!("tower_api_key_{rows}")).await;
        assert_eq!(logged, count(&pool, &format!("tower_api_key {keys}")).await, "{rows}");
    }
    pool.close().await;
}

async fn count(pool: &sqlx::SqlitePool, of: &str) -> i64 {
    let count = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {of}"));
    sqlx::query_scalar(count).fetch_one(pool).await.unwrap()
}

/// The record that the child writes: a value in every field, and in force.
fn record(id: &str) -> Record {
    let mut record = samples::full(id);
    (record.revoked, record.disabled) = (None, None);
    (record.rotated_from, record.rotated_to) = (None, None);
    record
}
