//! A process that is killed loses the counts of the last interval at most, and no request is counted twice.
//!
//! The test starts this program again, as a child that makes requests and prints the number and time of the answers, and kills
//! it. `LIVES` sets how often.

use std::env;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use tempfile::TempDir;
use tower_api_key::backend::{KeyChange, KeyStore, UsageQuery, UsageStore};
use tower_api_key::clock::{Clock, Day, SystemClock};
use tower_api_key::usage::Usage;
use tower_api_key::{Authenticator, SqliteStore};

use super::killed::{Killed, child};
use super::url;
use crate::store::samples;

const DATABASE: &str = "TOWER_API_KEY_TEST_METERED_DATABASE";
/// The flush interval of the child.
const INTERVAL: Duration = Duration::from_millis(300);
/// How long a write may take on a busy machine, while counting continues.
const WRITE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long the children live, one after another: from before the first flush to after the third.
const LIVES: [u64; 5] = [200, 450, 700, 950, 300];

#[tokio::test]
async fn a_killed_process_loses_at_most_an_interval_of_counts() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("keys.db");
    let store = SqliteStore::open(&url(&file)).await.unwrap();
    store.change(KeyChange::insert(samples::plain("key"))).await.unwrap();
    let lives = env::var("LIVES").map_or(LIVES.len(), |lives| lives.parse().unwrap());
    let (mut before, mut made, mut worst) = (0, 0, Duration::ZERO);
    for life in LIVES.into_iter().cycle().take(lives) {
        let answered = answered_until_killed(&file, Duration::from_millis(life));
        let after = total(&store).await;
        let written = usize::try_from(after - before).unwrap();
        // The last line may be incomplete although its request was counted.
        assert!(written <= answered.len() + 1, "{written} of {}", answered.len());
        let lost = answered.get(written).zip(answered.last());
        let since = lost.map_or(Duration::ZERO, |(first, last)| last.saturating_sub(*first));
        assert!(since <= INTERVAL + WRITE_TIMEOUT, "lost the requests of {since:?}");
        (before, made, worst) = (after, made + answered.len(), worst.max(since));
    }
    assert!(before > 0, "some were written");
    #[allow(clippy::print_stderr, reason = "the operator of a long check wants to know how long it was")]
    {
        eprintln!("{lives} kills, {made} requests, {before} counted, lost those of {worst:?} at most");
    }
}

/// Does nothing, unless it was started by the test above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_counts_until_it_is_killed() {
    let Ok(url) = env::var(DATABASE) else { return };
    let store = SqliteStore::open(&url).await.unwrap();
    let usage = Usage::builder(store.clone()).flush_interval(INTERVAL).build().unwrap();
    let authenticator = Authenticator::builder(store).usage(usage).build().unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::try_from(samples::text("key")).unwrap());
    let clock = SystemClock::new();
    // The line that names the running test has not ended yet.
    writeln!(stdout()).unwrap();
    loop {
        authenticator.authenticate(&headers).await.unwrap();
        writeln!(stdout(), "answered {}", clock.monotonic().nanos()).unwrap();
        tokio::task::yield_now().await;
    }
}

/// Starts a child, kills it after it has answered for `life`, and returns the time of each answer.
fn answered_until_killed(file: &Path, life: Duration) -> Vec<Duration> {
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut command = child(&format!("{module}::the_child_counts_until_it_is_killed"));
    let process = command.env(DATABASE, url(file)).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut process = Killed(process.unwrap());
    let mut output = BufReader::new(process.0.stdout.take().unwrap());
    let mut answered: Vec<Duration> = Vec::new();
    let mut line = String::new();
    let mut is_alive = true;
    while output.read_line(&mut line).unwrap() > 0 {
        answered.extend(parse(&line));
        line.clear();
        let lived = answered.first().zip(answered.last()).map(|(first, last)| last.saturating_sub(*first));
        if is_alive && lived.is_some_and(|lived| lived >= life) {
            process.kill();
            is_alive = false;
        }
    }
    assert!(!is_alive, "the child ended by itself");
    answered
}

/// Reads a line of the child. An incomplete one does not count.
fn parse(line: &str) -> Option<Duration> {
    let nanos = line.strip_suffix('\n')?.strip_prefix("answered ")?;
    nanos.parse().ok().map(Duration::from_nanos)
}

async fn total(store: &SqliteStore) -> u64 {
    let today = Day::from(SystemClock::new().wall());
    let lines = store.usage(&UsageQuery::new(today.plus(-2), today.plus(1))).await.unwrap();
    lines.iter().map(|line| line.requests).sum()
}
