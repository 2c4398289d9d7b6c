//! Any order of requests, costs, waits and changes of limits: each response is as a sequential reference says, which counts what is used
//! instead of when it is back.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::{Key, START};
use tower::ServiceExt;
use tower_api_key::clock::{Clock, Day, ManualClock};
use tower_api_key::limit::{Limit, Limits, Per, Period, Span};
use tower_api_key::limit_requests::{Outage, ProcessCounters};
use tower_api_key::owner::Organization;
use tower_api_key::{Authenticator, Environment, LimitLayer, Owner, Timestamp};

use super::{Records, limited, number};

#[derive(Debug, Clone)]
enum Step {
    Request {
        key: usize,
        cost: u64,
    },
    Advance(Duration),
    /// Moves the wall clock alone, by this many minutes.
    SetWall(i64),
    Change(Limits),
}

/// The limits of all keys. With one name at most once, the same owner for keys 0 and 1, and a project of it for key 3.
fn limits() -> impl Strategy<Value = Limits> {
    let span = prop_oneof![
        (1u64..120).prop_map(|seconds| format!("{seconds}s")),
        Just("day".to_owned()),
        Just("month".to_owned())
    ];
    let limit = (1u64..8, span, prop_oneof![Just(""), Just("/owner"), Just("/organization")]);
    prop::collection::vec(limit, 0..4).prop_map(|all| {
        let names = ["a", "b", "c"];
        let text = all
            .iter()
            .zip(names)
            .map(|((requests, span, per), name)| format!("{name}={requests}/{span}{per} "));
        text.collect::<String>().parse().unwrap()
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0usize..4, prop_oneof![8 => Just(1u64), 2 => 0u64..10])
            .prop_map(|(key, cost)| Step::Request { key, cost }),
        4 => (1u64..40_000).prop_map(|millis| Step::Advance(Duration::from_millis(millis))),
        1 => (1u64..40).prop_map(|days| Step::Advance(Duration::from_secs(days * 40_000))),
        1 => (-3_000i64..3_000).prop_map(Step::SetWall),
        1 => limits().prop_map(Step::Change),
    ];
    (limits(), prop::collection::vec(step, 1..60)).prop_map(|(first, mut steps)| {
        steps.insert(0, Step::Change(first));
        steps
    })
}

/// What was used of a limit.
#[derive(Debug, Clone)]
enum Used {
    /// Nanoseconds of the window, as of a moment.
    Rate {
        nanos: u128,
        at: u128,
    },
    Quota {
        period: String,
        requests: u64,
    },
}

/// The response to a request.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    status: u16,
    retry_after: Option<u64>,
    /// The limit, the remaining requests and the reset.
    headers: Option<[u64; 3]>,
}

#[derive(Default)]
struct Reference {
    limits: Limits,
    used: HashMap<(String, String, String), Used>,
}

/// One limit at a request.
struct Counted {
    requests: u64,
    remaining: u64,
    whole_in: Duration,
    /// The time until there is room, if there is none.
    wait: Option<Duration>,
}

impl Reference {
    fn request(&mut self, key: &Key, number: usize, cost: u64, moment: u128, wall: Timestamp) -> Outcome {
        let limits: Vec<Limit> = self.limits.iter().cloned().collect();
        let id = |limit: &Limit| {
            let holder = match limit.per() {
                Per::Organization => key.record.owner.organization_id().unwrap_or_default().to_owned(),
                Per::Owner => key.record.owner.to_string(),
                _ => format!("key {number}"),
            };
            let kind = match limit.span() {
                Span::Window(window) => format!("rate {window:?}"),
                Span::Period(period) => period.label().to_owned(),
                _ => unreachable!(),
            };
            (format!("{holder} {}", key.record.environment), limit.name().to_owned(), kind)
        };
        let mut used: Vec<Used> = Vec::new();
        for limit in &limits {
            let mut now = self.used.get(&id(limit)).cloned().unwrap_or(match limit.span() {
                Span::Window(_) => Used::Rate { nanos: 0, at: moment },
                _ => Used::Quota { period: String::new(), requests: 0 },
            });
            pass(&mut now, limit, moment, wall);
            used.push(now);
        }
        let count_all = |used: &[Used]| -> Vec<Counted> {
            used.iter().zip(&limits).map(|(used, limit)| count(used, limit, cost, wall)).collect()
        };
        let mut counted = count_all(&used);
        let is_refused = cost > 0 && counted.iter().any(|one| one.wait.is_some());
        if !is_refused {
            for (used, limit) in used.iter_mut().zip(&limits) {
                match used {
                    Used::Rate { nanos, .. } => *nanos += u128::from(cost) * interval(limit),
                    Used::Quota { requests, .. } => *requests += cost,
                }
            }
            counted = count_all(&used);
        }
        for (used, limit) in used.into_iter().zip(&limits) {
            // A period begins with the first request that is counted in it.
            if matches!(used, Used::Rate { .. }) || (cost > 0 && !is_refused) {
                self.used.insert(id(limit), used);
            }
        }
        let shown = match is_refused {
            true => {
                // The last of those with the longest wait.
                counted.iter().max_by_key(|one| one.wait)
            }
            false => counted.iter().min_by_key(|one| (one.remaining, std::cmp::Reverse(one.whole_in))),
        };
        let reset = |whole_in: Duration| {
            let millis =
                u128::try_from(wall.unix_millis()).unwrap() + whole_in.as_nanos().div_ceil(1_000_000);
            millis.div_ceil(1_000) as u64
        };
        Outcome {
            status: if is_refused { 429 } else { 200 },
            retry_after: shown.filter(|_| is_refused).map(|one| seconds(one.wait.unwrap())),
            headers: shown.map(|one| [one.requests, one.remaining, reset(one.whole_in)]),
        }
    }
}

/// Lets time pass over what was used.
fn pass(used: &mut Used, limit: &Limit, moment: u128, wall: Timestamp) {
    match (used, limit.span()) {
        (Used::Rate { nanos, at }, _) => {
            *nanos = nanos.saturating_sub(moment - *at);
            *at = moment;
        }
        (Used::Quota { period, requests }, Span::Period(of)) => {
            let current = label(Day::from(wall), of);
            if *period < current {
                (*period, *requests) = (current, 0);
            } else if ordinal(period) > ordinal(&current) + 1 {
                *period = current;
            }
        }
        _ => unreachable!(),
    }
}

fn count(used: &Used, limit: &Limit, cost: u64, wall: Timestamp) -> Counted {
    let requests = limit.requests();
    match (used, limit.span()) {
        (Used::Rate { nanos, .. }, _) => {
            let capacity = u128::from(requests) * interval(limit);
            let after = nanos + u128::from(cost) * interval(limit);
            let wait = if cost > requests {
                Some(capacity)
            } else {
                after.checked_sub(capacity).filter(|wait| *wait > 0)
            };
            let remaining = capacity.saturating_sub(*nanos) / interval(limit);
            Counted {
                requests,
                remaining: remaining as u64,
                whole_in: nanos_of(*nanos),
                wait: wait.map(nanos_of),
            }
        }
        (Used::Quota { period, requests: used }, Span::Period(of)) => {
            // The first midnight with another label.
            let mut day: Day = if of == Period::Day {
                period.parse().unwrap()
            } else {
                format!("{period}-01").parse().unwrap()
            };
            while label(day, of) == *period {
                day = day.plus(1);
            }
            let until_end = day.start().saturating_since(wall);
            let remaining = requests.saturating_sub(*used);
            let whole_in = if *used == 0 { Duration::ZERO } else { until_end };
            Counted { requests, remaining, whole_in, wait: (cost > remaining).then_some(until_end) }
        }
        _ => unreachable!(),
    }
}

/// Returns a text of a period that sorts by time.
fn label(day: Day, period: Period) -> String {
    let text = day.to_string();
    if period == Period::Day { text } else { text[..7].to_owned() }
}

/// Returns the number of a period, by its label.
fn ordinal(label: &str) -> i64 {
    match label.parse::<Day>() {
        Ok(day) => day.unix_days(),
        Err(_) => label[..4].parse::<i64>().unwrap() * 12 + label[5..].parse::<i64>().unwrap(),
    }
}

fn interval(limit: &Limit) -> u128 {
    match limit.span() {
        Span::Window(window) => window.as_nanos().div_ceil(limit.requests().into()),
        _ => unreachable!(),
    }
}

fn nanos_of(nanos: u128) -> Duration {
    Duration::from_nanos(nanos.try_into().unwrap())
}

fn seconds(time: Duration) -> u64 {
    (time.as_nanos().div_ceil(1_000_000_000) as u64).max(1)
}

/// Plays steps against a layer that counts by the clock, which `counting` changes.
async fn play(
    steps: Vec<Step>,
    counting: impl FnOnce(LimitLayer, &Arc<ManualClock>) -> LimitLayer,
) -> Result<(), TestCaseError> {
    let mut keys = [limited(""), limited(""), limited(""), limited("")];
    keys[2].record.environment = Environment::Test;
    keys[3].record.owner = Owner::project(Organization::new("acme"), "web");
    let records = Records::new(&keys);
    let layer =
        LimitLayer::new().cost(|head| head.header("x-cost").unwrap().to_str().unwrap().parse().unwrap());
    let (authenticator, clock) = support::build(Authenticator::builder(records.backend()));
    let service = super::within(authenticator, counting(layer, &clock));
    let mut reference = Reference::default();
    for (index, step) in steps.into_iter().enumerate() {
        match step {
            Step::Advance(by) => clock.advance(by),
            Step::SetWall(minutes) => {
                clock.set_wall(Timestamp::from_unix_millis(START.unix_millis() + minutes * 60_000));
            }
            Step::Change(limits) => {
                for key in &keys {
                    records.change(key, |record| record.limits = limits.clone());
                }
                reference.limits = limits;
            }
            Step::Request { key: number_of_key, cost } => {
                let key = &keys[number_of_key];
                let mut request = key.bearer();
                request.headers_mut().insert("x-cost", cost.into());
                let response = service.clone().oneshot(request).await.unwrap();
                let headers = ["limit", "remaining", "reset"]
                    .map(|name| number(response.headers(), &format!("x-ratelimit-{name}")));
                let found = Outcome {
                    status: response.status().as_u16(),
                    retry_after: number(response.headers(), "retry-after"),
                    headers: headers[0].map(|_| headers.map(Option::unwrap)),
                };
                let moment = clock.monotonic().nanos().into();
                let expected = reference.request(key, number_of_key, cost, moment, clock.wall());
                prop_assert_eq!(found, expected, "step {}", index);
            }
        }
    }
    Ok(())
}

fn run(cases: u32, counting: impl Fn(LimitLayer, &Arc<ManualClock>) -> LimitLayer) {
    let mut config = ProptestConfig::default();
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = cases;
    }
    config.failure_persistence = None;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let outcome = TestRunner::new(config).run(&steps(), |steps| runtime.block_on(play(steps, &counting)));
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn every_response_is_as_the_reference_says() {
    run(2_000, |layer, _| layer);
}

#[test]
fn every_response_by_counters_is_as_the_reference_says() {
    run(300, |layer, clock| layer.counters(ProcessCounters::with_clock(Arc::clone(clock)), Outage::Refuse));
}
