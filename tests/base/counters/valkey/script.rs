//! The script alone, at times that a test sets: any order of requests, waits, jumps of the clock and changes of limits is answered and stored
//! as a sequential reference says, which counts what is used instead of when it is back.

use std::collections::HashMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Script};
use tower_api_key::Timestamp;
use tower_api_key::clock::Day;

use super::server::{Server, is_absent};

const SCRIPT: &str = include_str!("../../../../src/limit_requests/valkey/take.lua");
/// 2027-12-30, shortly before a year, a month and a day end.
const START: i64 = 1_830_163_200_000_000;
const DAY: i64 = 24 * 60 * 60 * 1_000_000;

#[derive(Debug, Clone)]
enum Step {
    Request {
        limits: Vec<usize>,
        cost: u64,
    },
    /// Moves the clock by microseconds, in either direction.
    Move(i64),
    /// Sets the requests of all limits.
    Requests(u64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The microseconds of the window.
    Rate(u64),
    Day,
    Month,
}

/// The kinds of the limits, each under a key of its own.
const KINDS: [Kind; 4] = [Kind::Rate(1_000_000), Kind::Rate(60_000_000), Kind::Day, Kind::Month];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let limits = prop::collection::vec(0..KINDS.len(), 1..4).prop_map(|mut limits| {
        limits.sort_unstable();
        limits.dedup();
        limits
    });
    let step = prop_oneof![
        12 => (limits, prop_oneof![6 => Just(1), 2 => 0u64..9, 1 => Just(u64::MAX)])
            .prop_map(|(limits, cost)| Step::Request { limits, cost }),
        4 => (0i64..400_000).prop_map(Step::Move),
        3 => (0i64..40_000_000).prop_map(Step::Move),
        2 => (-40i64..70).prop_map(|days| Step::Move(days * DAY / 2)),
        1 => (-200_000_000i64..0).prop_map(Step::Move),
        1 => (1u64..8).prop_map(Step::Requests),
    ];
    prop::collection::vec(step, 1..50)
}

/// What was used of a limit.
#[derive(Debug, Clone, Copy)]
enum Used {
    Rate { micros: i64, at: i64 },
    Quota { period: i64, requests: u64 },
}

/// The answer of the script, and the milliseconds after which each stored count is forgotten, if it was stored now.
type Outcome = (Vec<String>, Option<Vec<i64>>);

#[derive(Default)]
struct Reference(HashMap<usize, Used>);

impl Reference {
    fn request(&mut self, limits: &[usize], cost: u64, requests: u64, now: i64) -> Outcome {
        let before: Vec<Used> = limits.iter().map(|limit| self.now(*limit, requests, now)).collect();
        let interval = |limit: usize| match KINDS[limit] {
            Kind::Rate(window) => window.div_ceil(requests),
            _ => 1,
        };
        let fits = |(used, limit): (&Used, &usize)| {
            let used = match used {
                Used::Rate { micros, .. } => *micros as u128,
                Used::Quota { requests, .. } => u128::from(*requests),
            };
            let interval = u128::from(interval(*limit));
            used + u128::from(cost) * interval <= u128::from(requests) * interval
        };
        let has_room = cost == 0 || before.iter().zip(limits).all(fits);
        let mut after = before;
        if has_room && cost > 0 {
            for (used, limit) in after.iter_mut().zip(limits) {
                match used {
                    Used::Rate { micros, .. } => *micros += (cost * interval(*limit)) as i64,
                    Used::Quota { requests, .. } => *requests += cost,
                }
                self.0.insert(*limit, *used);
            }
        }
        let mut answer = vec![
            u8::from(has_room).to_string(),
            (now / 1_000_000).to_string(),
            (now % 1_000_000).to_string(),
        ];
        answer.extend(after.iter().map(|used| match used {
            Used::Rate { micros, at } => (at + micros).to_string(),
            Used::Quota { period, requests } => format!("{period}:{requests}"),
        }));
        let lives = after.iter().zip(limits).map(|(used, limit)| match used {
            Used::Rate { micros, .. } => (micros + 999) / 1_000,
            // Whole seconds, the present one included.
            Used::Quota { period, .. } => {
                (first_day(KINDS[*limit], period + 2).start().unix_millis() / 1_000 - now / 1_000_000) * 1_000
            }
        });
        let lives = (has_room && cost > 0).then(|| lives.collect());
        (answer, lives)
    }

    /// Returns what is used of a limit at a time.
    fn now(&self, limit: usize, requests: u64, now: i64) -> Used {
        match (KINDS[limit], self.0.get(&limit)) {
            (Kind::Rate(window), used) => {
                let capacity = (window.div_ceil(requests) * requests) as i64;
                let micros = match used {
                    Some(Used::Rate { micros, at }) => (micros - (now - at)).max(0),
                    _ => 0,
                };
                Used::Rate { micros: if micros > 2 * capacity { capacity } else { micros }, at: now }
            }
            (kind, Some(Used::Quota { period, requests })) => {
                let current = period_of(kind, now);
                match period - current {
                    ..0 => Used::Quota { period: current, requests: 0 },
                    0 | 1 => Used::Quota { period: *period, requests: *requests },
                    _ => Used::Quota { period: current, requests: *requests },
                }
            }
            (kind, _) => Used::Quota { period: period_of(kind, now), requests: 0 },
        }
    }
}

fn day_of(now: i64) -> Day {
    Day::from(Timestamp::from_unix_millis(now / 1_000))
}

fn period_of(kind: Kind, now: i64) -> i64 {
    number(kind, day_of(now))
}

/// Returns the number of a day's period since 1970, by its text.
fn number(kind: Kind, day: Day) -> i64 {
    if kind == Kind::Day {
        return day.unix_days();
    }
    let text = day.to_string();
    (text[..4].parse::<i64>().unwrap() - 1_970) * 12 + text[5..7].parse::<i64>().unwrap() - 1
}

fn first_day(kind: Kind, period: i64) -> Day {
    // Before the first day, whatever the lengths of months are.
    let mut day = Day::from_unix_days(if kind == Kind::Day { period } else { period * 30 });
    while number(kind, day) < period {
        day = day.plus(1);
    }
    day
}

async fn play(
    steps: Vec<Step>,
    connection: &mut MultiplexedConnection,
    script: &Script,
) -> Result<(), TestCaseError> {
    redis::cmd("FLUSHALL").exec_async(connection).await.unwrap();
    let (mut reference, mut now, mut requests) = (Reference::default(), START, 3);
    for (index, step) in steps.into_iter().enumerate() {
        match step {
            Step::Move(by) => now += by,
            Step::Requests(to) => requests = to,
            Step::Request { limits, cost } => {
                let mut call = script.prepare_invoke();
                call.arg(cost);
                for limit in &limits {
                    call.key(format!("key {limit}")).arg(requests);
                    match KINDS[*limit] {
                        Kind::Rate(window) => call.arg(window.div_ceil(requests)),
                        Kind::Day => call.arg("day"),
                        Kind::Month => call.arg("month"),
                    };
                }
                call.arg(now / 1_000_000).arg(now % 1_000_000);
                let found: Vec<String> = call.invoke_async(connection).await.unwrap();
                let (expected, lives) = reference.request(&limits, cost, requests, now);
                prop_assert_eq!(&found, &expected, "step {}", index);
                for (limit, life) in limits.iter().zip(lives.unwrap_or_default()) {
                    let left: i64 = connection.pttl(format!("key {limit}")).await.unwrap();
                    // A few milliseconds pass by the clock of the server.
                    prop_assert!(
                        (life - 5_000..=life).contains(&left),
                        "step {}: {} of {}",
                        index,
                        left,
                        life
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn every_answer_is_as_the_reference_says() {
    if is_absent() {
        return;
    }
    let timed = SCRIPT.replace("redis.call('TIME')", "{ ARGV[#ARGV - 1], ARGV[#ARGV] }");
    assert_ne!(timed, SCRIPT);
    let script = Script::new(&timed);
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 300;
    }
    config.failure_persistence = None;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = runtime.block_on(Server::start([]));
    let connection = runtime.block_on(server.connection());
    let outcome = TestRunner::new(config)
        .run(&steps(), |steps| runtime.block_on(play(steps, &mut connection.clone(), &script)));
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
