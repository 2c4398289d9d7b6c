//! Processes that share a limit in one server: the test starts this program again, several times at once. `FLEET_REQUESTS` sets the number
//! of requests of all.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use support::Key;
use tokio::task::JoinSet;
use tower_api_key::clock::{Clock, SystemClock};
use tower_api_key::limit_requests::{Outage, ValkeyCounters};
use tower_api_key::{Authenticator, KeyId, LimitLayer, MemoryStore};

use super::server::{Server, is_absent};
use crate::limits::{status, within};

const URL: &str = "TOWER_API_KEY_TEST_COUNTERS";
const LIMITS: &str = "TOWER_API_KEY_TEST_LIMITS";
const PROCESSES: u64 = 2;
const TASKS: u64 = 16;

/// The requests of all processes.
fn requests() -> u64 {
    env::var("FLEET_REQUESTS").map_or(6_000, |text| text.parse().unwrap())
}

/// Returns how many requests of all processes were admitted.
async fn admitted(server: &Server, limits: &str) -> u64 {
    let (_, module) = module_path!().split_once("::").unwrap();
    let start = |_| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", &format!("{module}::the_child_makes_requests"), "--nocapture"]);
        command.env(URL, server.url()).env(LIMITS, limits);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..PROCESSES).map(start).collect();
    let ended = children.into_iter().map(|child| {
        tokio::task::spawn_blocking(move || {
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix("admitted "));
            line.unwrap_or_else(|| panic!("{text}")).parse::<u64>().unwrap()
        })
    });
    let mut sum = 0;
    for child in ended.collect::<Vec<_>>() {
        sum += child.await.unwrap();
    }
    sum
}

#[tokio::test]
async fn processes_together_are_admitted_exactly_as_often_as_a_limit_allows() {
    if is_absent() {
        return;
    }
    let (server, clock) = (Server::start([]).await, SystemClock::new());
    let limit = requests() * 6 / 10;
    // By key, whose id is the same in both; by owner; and both at once, of which the smaller one decides.
    for limits in [
        format!("rate={limit}/2678400s"),
        format!("quota={limit}/month/owner"),
        format!("own={}/month tight={limit}/2678400s/owner", 2 * limit),
    ] {
        let begun = clock.monotonic();
        let admitted = admitted(&server, &limits).await;
        // Of a rate, none comes back until a test takes minutes.
        let passed = clock.monotonic().saturating_since(begun).as_secs();
        let came_back = if limits.contains("2678400s") { passed * limit / 2_678_400 } else { 0 };
        assert!((limit..=limit + came_back).contains(&admitted), "{limits}: {admitted} of {limit}");
    }
}

/// Does nothing, unless it was started by the test above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_makes_requests() {
    let Ok(url) = env::var(URL) else { return };
    let key = Key::foreign("demo_of_the_fleet").with(|record| {
        record.id = KeyId::new("key_1").unwrap();
        record.limits = env::var(LIMITS).unwrap().parse().unwrap();
    });
    let store = MemoryStore::new();
    let key = key.insert_into(&store).await;
    let counters = ValkeyCounters::builder(&url).response_timeout(std::time::Duration::from_secs(10));
    let layer = LimitLayer::new().counters(counters.connect().await.unwrap(), Outage::Refuse);
    let service = within(Authenticator::builder(store).build().unwrap(), layer);
    let admitted = Arc::new(AtomicU64::new(0));
    let tasks = (0..TASKS).map(|task| {
        let (service, key, admitted) = (service.clone(), key.clone(), Arc::clone(&admitted));
        async move {
            let own = requests() / PROCESSES;
            for _ in (task..own).step_by(TASKS as usize) {
                match status(&service, &key).await {
                    200 => _ = admitted.fetch_add(1, Ordering::Relaxed),
                    429 => {}
                    other => panic!("{other}"),
                }
            }
        }
    });
    tasks.collect::<JoinSet<_>>().join_all().await;
    // The line that names the running test has not ended yet.
    writeln!(std::io::stdout(), "\nadmitted {}", admitted.load(Ordering::Relaxed)).unwrap();
}
