//! A node in a process of its own that can be suspended: this program, started again as a child.
//!
//! The child presents keys to its node and prints each answer, with the wall-clock times of the request.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tower_api_key::digest::Digester;
use tower_api_key::{Authenticator, PostgresStore};

use crate::clients::{Observation, now, pass};
use crate::keys;
use crate::node::{Answer, present};
use crate::world::{LEASE, POLLS};

/// The environment variable with the URL of the child's database.
pub(crate) const DATABASE: &str = "TOWER_API_KEY_TEST_DATABASE";

/// The environment variable with the digesters of the child, if it has the new pepper.
const PEPPERS: &str = "TOWER_API_KEY_TEST_PEPPERS";

/// The number of keys that the child presents.
const KEYS: usize = 5;

const ANSWERS: [Answer; 3] = [Answer::Admitted, Answer::Rejected, Answer::Unavailable];

/// Runs the child.
pub(crate) async fn answer_until_killed(url: &str) -> ! {
    let store = PostgresStore::open(url).await.unwrap();
    let builder = Authenticator::builder(store).lease(LEASE).poll_interval(POLLS);
    let builder = match env::var(PEPPERS).as_deref() {
        Ok("both") => builder.digester(keys::new_digester()).former_digester(Digester::sha256()),
        _ => builder,
    };
    let authenticator = builder.positive_ttl(Duration::from_secs(3_600)).build().unwrap();
    authenticator.start().await.unwrap();
    for key in (0..KEYS).cycle() {
        let began = micros();
        let answer = present(&authenticator, key).await;
        let answer = ANSWERS.iter().position(|other| *other == answer).unwrap();
        println!("{began} {} {key} {answer}", micros());
        pass(Duration::from_millis(2)).await;
    }
    unreachable!("the keys are cycled endlessly")
}

#[allow(clippy::disallowed_methods, reason = "processes share no other time")]
fn micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

/// A child, which is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    reading: Option<JoinHandle<Vec<Observation>>>,
}

impl Process {
    /// Starts a child with the digester of the keys.
    pub(crate) fn start(url: &str) -> Self {
        Self::spawn(Command::new(env::current_exe().unwrap()).env(DATABASE, url))
    }

    /// Starts a child with a new pepper, to which the digester of the keys is a former one.
    pub(crate) fn start_with_both(url: &str) -> Self {
        Self::spawn(Command::new(env::current_exe().unwrap()).env(DATABASE, url).env(PEPPERS, "both"))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let reading = std::thread::spawn(|| output.lines().filter_map(|line| parse(&line.ok()?)).collect());
        Self { child, reading: Some(reading) }
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.unwrap().success());
    }

    /// Kills the child, and returns its observations.
    pub(crate) fn end(mut self) -> Vec<Observation> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.reading.take().unwrap().join().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Parses a line of the child. An incomplete last line is ignored.
fn parse(line: &str) -> Option<Observation> {
    let numbers: Vec<u64> = line.split(' ').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    let [began, ended, key, answer] = numbers[..] else { return None };
    Some(Observation {
        key: key as usize,
        began: instant(began),
        ended: instant(ended),
        answer: *ANSWERS.get(answer as usize)?,
    })
}

/// Converts a wall-clock time to this process' monotonic clock.
fn instant(at: u64) -> Instant {
    now() - Duration::from_micros(micros().saturating_sub(at))
}
