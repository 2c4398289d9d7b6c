//! The faults, and what is found of each.

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
use crate::server::Server;
use crate::world::{LEASE, POLLS, World};

/// So many faults happen at a time, each in a world of its own.
const AT_ONCE: usize = 4;

/// Something that breaks.
struct Fault {
    name: &'static str,
    needs: Needs,
    happen: for<'w> fn(&'w mut World) -> Happening<'w>,
}

type Happening<'w> = Pin<Box<dyn Future<Output = ()> + Send + 'w>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// A server that may be stopped.
    Server,
    /// Nodes whose lease is far longer than the one that is checked: such nodes are late, or the check sees nothing.
    LongLease,
}

macro_rules! faults {
    ($($name:literal, $needs:ident: $happen:path;)*) => {
        [$(Fault { name: $name, needs: Needs::$needs, happen: |world| Box::pin($happen(world)) }),*]
    };
}

const FAULTS: [Fault; 18] = faults! {
    "control: a silent network, a lease of an hour", LongLease: network::silent;
    "nothing", Nothing: network::none;
    "connections refused", Nothing: network::refused;
    "connections closed again and again", Nothing: network::closed;
    "connections reset again and again", Nothing: network::reset;
    "connections lost (half-open) again and again", Nothing: network::lost;
    "a silent network", Nothing: network::silent;
    "a silent network at one node", Nothing: network::silent_at_one;
    "a network slower than the deadline", Nothing: network::slower_than_the_deadline;
    "a slow network and a flood of strangers", Nothing: network::slow_and_flooded;
    "connections terminated by the server", Nothing: server::terminated;
    "the server killed and started again", Server: server::restarted;
    "the server replaced by its standby", Server: server::failed_over;
    "a transaction that stays open", Nothing: transactions::held_open;
    "transactions that commit in the other order", Nothing: transactions::in_the_other_order;
    "a node stopped for longer than the lease", Nothing: process::stopped;
    "a wall clock set back, a silent network", Nothing: clock::back;
    "a wall clock set ahead", Nothing: clock::ahead;
};

/// Runs the faults that are meant, and tells whether all is as it should be.
pub(crate) async fn print(words: &[String]) -> bool {
    let is_meant = |fault: &&Fault| words.is_empty() || words.iter().any(|word| fault.name.contains(&**word));
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for (number, fault) in FAULTS.iter().filter(is_meant).enumerate() {
        let places = Arc::clone(&places);
        running.spawn(async move {
            let _place = places.acquire().await.unwrap();
            (number, fault.found().await)
        });
    }
    let mut found = running.join_all().await;
    found.sort_by_key(|(number, _)| *number);
    let (lines, wrong): (Vec<_>, Vec<_>) = found.into_iter().filter_map(|(_, found)| found).unzip();
    println!("Lease {LEASE:?}, polls each {POLLS:?}, times in ms.\n");
    let heads = [
        "fault",
        "requests",
        "late admissions",
        "good keys refused",
        "503",
        "revoked to last admission",
        "answers again after",
        "is well again after",
    ];
    markdown::print(heads, &lines);
    let wrong = wrong.concat();
    wrong.iter().for_each(|wrong| println!("{wrong}"));
    wrong.is_empty()
}

impl Fault {
    /// Returns the line of the table, and what is wrong. `None` if there is no server for it.
    async fn found(&self) -> Option<([String; 8], Vec<String>)> {
        let server = if self.needs == Needs::Server { Server::start().await } else { None };
        if self.needs == Needs::Server && server.is_none() {
            eprintln!("skipped: {} (there is no server to start)", self.name);
            return None;
        }
        let is_control = self.needs == Needs::LongLease;
        let lease = if is_control { Duration::from_secs(3_600) } else { LEASE };
        let mut world = World::start(server, lease).await;
        pass(3 * POLLS).await;
        (self.happen)(&mut world).await;
        let has_recovered = world.recover().await;
        world.revoke().await;
        pass(LEASE + POLLS).await;
        let (verdict, mut wrong) = world.end().await;
        if is_control != (verdict.late > 0) {
            wrong.push(format!("{} late admissions", verdict.late));
        }
        if verdict.wronged > 0 {
            wrong.push(format!("{} good keys refused", verdict.wronged));
        }
        if !has_recovered {
            wrong.push("it did not recover".to_owned());
        }
        let line = [
            self.name.to_owned(),
            verdict.requests.to_string(),
            verdict.late.to_string(),
            verdict.wronged.to_string(),
            verdict.unavailable.to_string(),
            millis(verdict.longest),
            millis(verdict.answering_after),
            millis(verdict.well_after),
        ];
        Some((line, wrong.into_iter().map(|wrong| format!("{}: {wrong}", self.name)).collect()))
    }
}
