//! The faults, and the table of their results.

mod clock;
mod network;
mod process;
mod server;
mod transactions;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::clients::pass;
use crate::markdown::{self, millis};
use crate::world::{LEASE, POLLS, World};
use support::postgres::Server;

/// The number of faults at a time, each in a world of its own.
const AT_ONCE: usize = 4;

/// A fault to inject.
struct Fault {
    name: &'static str,
    needs: Needs,
    inject: for<'w> fn(&'w mut World) -> Injection<'w>,
}

type Injection<'w> = Pin<Box<dyn Future<Output = ()> + Send + 'w>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// A server of its own, which may be stopped.
    Server,
    /// Nodes whose lease is far longer than the verified one: they must admit late, or the check notices nothing.
    LongLease,
}

macro_rules! faults {
    ($($name:literal, $needs:ident: $inject:path;)*) => {
        [$(Fault { name: $name, needs: Needs::$needs, inject: |world| Box::pin($inject(world)) }),*]
    };
}

const FAULTS: [Fault; 19] = faults! {
    "control: a silent network, a lease of an hour", LongLease: network::silent;
    "nothing", Nothing: network::none;
    "connections refused", Nothing: network::refused;
    "connections closed again and again", Nothing: network::closed;
    "connections reset again and again", Nothing: network::reset;
    "connections lost (half-open) again and again", Nothing: network::lost;
    "a silent network", Nothing: network::silent;
    "a silent network at one node", Nothing: network::silent_at_one;
    "a network slower than the deadline", Nothing: network::slower_than_the_deadline;
    "a slow network and a flood of unknown keys", Nothing: network::slow_and_flooded;
    "connections terminated by the server", Nothing: server::terminated;
    "the server killed and started again", Server: server::restarted;
    "the server replaced by its standby", Server: server::failed_over;
    "a transaction that stays open", Nothing: transactions::held_open;
    "transactions that commit in the other order", Nothing: transactions::in_the_other_order;
    "a node stopped for longer than the lease", Nothing: process::suspended;
    "a new pepper, one node after the other", Nothing: process::new_pepper;
    "a wall clock set back, a silent network", Nothing: clock::back;
    "a wall clock set ahead", Nothing: clock::ahead;
};

/// Runs the faults whose names contain one of the words, or all, and returns whether every check passed.
pub(crate) async fn print(words: &[String]) -> bool {
    let is_selected =
        |fault: &&Fault| words.is_empty() || words.iter().any(|word| fault.name.contains(&**word));
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (number, fault) in FAULTS.iter().filter(is_selected).enumerate() {
        let permits = Arc::clone(&permits);
        running.spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            (number, fault.run().await)
        });
    }
    let mut results = running.join_all().await;
    results.sort_by_key(|(number, _)| *number);
    let (lines, failures): (Vec<_>, Vec<_>) = results.into_iter().filter_map(|(_, result)| result).unzip();
    println!("Lease {LEASE:?}, polls each {POLLS:?}, times in ms.\n");
    let heads = [
        "fault",
        "requests",
        "late admissions",
        "valid keys rejected",
        "503",
        "revoked to last admission",
        "last 503 after the fault",
        "healthy after",
    ];
    markdown::print(heads, &lines);
    let failures = failures.concat();
    failures.iter().for_each(|failure| println!("{failure}"));
    failures.is_empty()
}

impl Fault {
    /// Runs the fault, and returns its line of the table with the failed checks. `None` if it needs a server and none can be started.
    async fn run(&self) -> Option<([String; 8], Vec<String>)> {
        let server = if self.needs == Needs::Server { Server::start().await } else { None };
        if self.needs == Needs::Server && server.is_none() {
            eprintln!("skipped: {} (no PostgreSQL server to start)", self.name);
            return None;
        }
        let is_control = self.needs == Needs::LongLease;
        let lease = if is_control { Duration::from_secs(3_600) } else { LEASE };
        let mut world = World::start(server, lease).await;
        pass(3 * POLLS).await;
        (self.inject)(&mut world).await;
        let has_recovered = world.recover().await;
        world.revoke().await;
        pass(LEASE + POLLS).await;
        let (verdict, mut failures) = world.end().await;
        if is_control != (verdict.late > 0) {
            failures.push(format!("{} late admissions", verdict.late));
        }
        if verdict.rejected_valid > 0 {
            failures.push(format!("{} valid keys rejected", verdict.rejected_valid));
        }
        if !has_recovered {
            failures.push("did not recover".to_owned());
        }
        let line = [
            self.name.to_owned(),
            verdict.requests.to_string(),
            verdict.late.to_string(),
            verdict.rejected_valid.to_string(),
            verdict.unavailable.to_string(),
            millis(verdict.longest),
            millis(verdict.answering_after),
            millis(verdict.healthy_after),
        ];
        Some((line, failures.into_iter().map(|failure| format!("{}: {failure}", self.name)).collect()))
    }
}
