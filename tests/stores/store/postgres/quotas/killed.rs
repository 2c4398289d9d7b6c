//! A node that is killed strands one block at most, and no request is admitted twice for it.
//!
//! The test starts this program again, as children that make requests and print each that is admitted, and kills them. `KILLS` sets how
//! often.

use std::env;
use std::io::{BufRead, BufReader, Write, stdout};
use std::num::NonZeroU32;
use std::process::Stdio;

use tower_api_key::PostgresStore;
use tower_api_key::limit_requests::PostgresCounters;

use super::{Database, admits, counts, is_absent, use_up};
use crate::store::sqlite::killed::{Killed, child};

const DATABASE: &str = "TOWER_API_KEY_TEST_QUOTAS_DATABASE";
const QUOTA: &str = "a=2000/month";
const LARGEST_BLOCK: u32 = 50;
const KILLS: usize = 4;

fn counters(store: &PostgresStore) -> PostgresCounters {
    PostgresCounters::new(store).largest_block(NonZeroU32::new(LARGEST_BLOCK).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_node_strands_a_block_at_most_and_the_quota_is_never_exceeded() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let store = PostgresStore::open(&database.url()).await.unwrap();
    let (survivor, counts) = (counters(&store), counts(QUOTA));
    let kills = env::var("KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut admitted = 0;
    for life in 0..kills {
        // In the middle of a block, and around its ends.
        let url = database.url();
        let killed = tokio::task::spawn_blocking(move || admitted_until_killed(&url, 30 + life * 23));
        for _ in 0..50 {
            admitted += u64::from(admits(&survivor, &counts).await);
        }
        admitted += killed.await.unwrap();
    }
    admitted += use_up(&survivor, &counts).await;
    let quota = counts[0].limit().requests();
    // Of each, the last line may be missing although its request was admitted.
    let stranded = kills as u64 * u64::from(LARGEST_BLOCK + 1);
    assert!(admitted <= quota && admitted + stranded >= quota, "{admitted} after {kills} kills");
}

/// Does nothing, unless it was started by the test above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_child_makes_requests_until_it_is_killed() {
    let Ok(url) = env::var(DATABASE) else { return };
    let store = PostgresStore::open(&url).await.unwrap();
    let (counters, counts) = (counters(&store), counts(QUOTA));
    // The line that names the running test has not ended yet.
    writeln!(stdout()).unwrap();
    loop {
        if admits(&counters, &counts).await {
            writeln!(stdout(), "admitted").unwrap();
        } else {
            writeln!(stdout(), "refused").unwrap();
        }
        tokio::task::yield_now().await;
    }
}

/// Starts a child, kills it after it has answered this many requests, and returns the number of those that it has admitted.
fn admitted_until_killed(url: &str, answers: usize) -> u64 {
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut command = child(&format!("{module}::the_child_makes_requests_until_it_is_killed"));
    let process = command.env(DATABASE, url).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut process = Killed(process.unwrap());
    let mut output = BufReader::new(process.0.stdout.take().unwrap());
    let (mut admitted, mut answered, mut line) = (0, 0, String::new());
    while output.read_line(&mut line).unwrap() > 0 {
        admitted += u64::from(line == "admitted\n");
        answered += usize::from(line == "admitted\n" || line == "refused\n");
        line.clear();
        if answered == answers {
            process.kill();
        }
    }
    assert!(answered >= answers, "the child ended by itself");
    admitted
}
