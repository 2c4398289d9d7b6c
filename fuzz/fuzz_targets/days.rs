//! Queries of days: an invalid day is rejected by the name of its parameter, and an answer holds all days of the range.

#![no_main]

use std::sync::Arc;

use axum::Router;
use http::Method;
use libfuzzer_sys::{Corpus, fuzz_target};
use tower_api_key::backend::{UsageBatch, UsageCount, UsageStore};
use tower_api_key::clock::{Day, ManualClock, Timestamp};
use tower_api_key::manage::{KeyManager, routes};
use tower_api_key::{Environment, KeyFormat, KeyId, MemoryStore, Owner};
use tower_api_key_fuzz::ask::{NOW, ask, percent, run_now, scopes};
use tower_api_key_fuzz::calendar;
use tower_api_key_fuzz::json::Json;
use tower_api_key_fuzz::question::{Question, read};

/// Days with usage, counted from today.
const USED: [i64; 7] = [-400, -365, -30, -29, -1, 0, 59];

thread_local! {
    static ROUTER: Router = router();
}

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Reject };
    let mut lines = text.split('\n');
    let asked = ["from", "to", "by"].map(|name| lines.next().and_then(|line| line.strip_prefix(name)));
    let names = ["from", "to", "by"].into_iter().zip(asked);
    let parameter =
        |(name, text): (&str, Option<&str>)| Some(format!("{name}={}", percent(text?.as_bytes())));
    let query: Vec<_> = names.filter_map(parameter).collect();
    let uri = format!("/usage?{}", query.join("&"));
    let (status, answer) = ROUTER.with(|router| ask(router.clone(), Method::GET, &uri, b""));
    for day in asked.into_iter().flatten() {
        assert_eq!(day.parse().ok().map(Day::unix_days), calendar::day(day), "{day:?}");
    }
    match read(asked, today()) {
        Ok(question) => compare(&answer, question),
        Err(name) => {
            let detail = answer.get("detail").and_then(Json::text).expect("a detail");
            assert!(status == 400 && detail.starts_with(&format!("{name}: ")), "{uri}: {answer:?}");
        }
    }
    Corpus::Keep
});

fn compare(answer: &Json, Question { from, to, by_key }: Question) {
    let lines = answer.get("usage").and_then(Json::items).unwrap_or_else(|| panic!("{answer:?}"));
    let found = lines.iter().map(|line| calendar::day(line.get("day").and_then(Json::text).expect("a day")));
    let meant = USED.map(|day| today() + day).into_iter().filter(|day| (from..=to).contains(day));
    assert!(found.eq(meant.map(Some)), "{answer:?}");
    assert!(lines.iter().all(|line| line.get("key").is_some() == by_key), "{answer:?}");
}

fn today() -> i64 {
    NOW / calendar::DAY
}

fn router() -> Router {
    let store = MemoryStore::new();
    let counts = USED.map(|day| {
        let id = KeyId::new("key").expect("an id");
        let at = Timestamp::from_unix_millis(NOW + day * calendar::DAY);
        UsageCount::new(id, Environment::Live, Owner::organization("test"), 1, at).routes([("/", 1)])
    });
    run_now(store.add_usage(&UsageBatch::new("fuzz", 1, counts))).expect("usage");
    let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(NOW)));
    let manager = KeyManager::new(store, KeyFormat::new("demo").expect("a prefix")).with_clock(clock);
    routes(manager, scopes())
}
