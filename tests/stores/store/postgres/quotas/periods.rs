//! The clock of the database decides the period. Tests move the period of its rows instead of its clock.

use std::time::Duration;

use support::START;
use tower_api_key::clock::Day;
use tower_api_key::limit_requests::PostgresCounters;
use tower_api_key::{PostgresStore, Timestamp};

use super::{Database, counts, is_absent, node, taken, use_up};

const MONTH: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// Makes what was counted that of a former period.
const END_PERIOD: &str = "UPDATE tower_api_key_quota SET starts_at = 0, ends_at = 1";

/// Makes what was counted that of the next period.
const ADVANCE_PERIOD: &str =
    "UPDATE tower_api_key_quota SET starts_at = ends_at, ends_at = ends_at + 31 * 86400000::BIGINT";

#[tokio::test]
async fn a_new_period_has_the_whole_quota_and_no_block_of_the_last_one() {
    if is_absent() {
        return;
    }
    let counts = counts("a=1000/month");
    // The second machine was suspended: its monotonic clock stood still.
    for is_suspended in [false, true] {
        let database = Database::create().await;
        let (node, clock) = node(&database).await;
        super::take(&node, &counts, 0).await;
        database.run_all(ADVANCE_PERIOD).await;
        clock.advance(2 * MONTH);
        assert!(super::admits(&node, &counts).await, "of the next period");
        database.run_all(END_PERIOD).await;
        if is_suspended {
            clock.set_wall(START.saturating_add(4 * MONTH));
        } else {
            clock.advance(2 * MONTH);
        }
        assert_eq!(use_up(&node, &counts).await, 1_000);
        node.give_back().await.unwrap();
        assert_eq!(taken(&database).await, 1_000, "the former block does not count in the new period");
        assert_eq!(use_up(&node, &counts).await, 0);
    }
}

#[tokio::test]
async fn a_clock_of_the_database_that_is_set_back_gives_no_quota_again() {
    if is_absent() {
        return;
    }
    let counts = counts("a=10/month");
    let database = Database::create().await;
    assert_eq!(use_up(&node(&database).await.0, &counts).await, 10);
    database.run_all(ADVANCE_PERIOD).await;
    assert_eq!(use_up(&node(&database).await.0, &counts).await, 0, "it is counted in the later period");
    database.run_all(ADVANCE_PERIOD).await;
    assert_eq!(use_up(&node(&database).await.0, &counts).await, 0, "the clock was wrong");
    database.run_all(END_PERIOD).await;
    assert_eq!(use_up(&node(&database).await.0, &counts).await, 10);
}

#[tokio::test]
async fn periods_begin_at_midnight_and_on_the_first_of_a_month_in_utc() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let pool = database.pool_with("SET TIME ZONE 'Pacific/Auckland'").await;
    let node = PostgresCounters::new(&PostgresStore::with_pool(pool).await.unwrap());
    let counts = counts("a=10/day b=10/month");
    let today = async || {
        let now = database.count("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT").await;
        Day::from(Timestamp::from_unix_millis(now))
    };
    let (day, taken) = loop {
        let day = today().await;
        let taken = super::take(&node, &counts, 1).await;
        if today().await == day {
            break (day, taken);
        }
    };
    let ends = taken.left().iter().map(|left| taken.at().saturating_add(left.whole_in));
    let month = (1..32).map(|days| day.plus(days)).find(|day| day.to_string().ends_with("-01"));
    assert_eq!(ends.collect::<Vec<_>>(), [day.plus(1).start(), month.unwrap().start()]);
}

#[tokio::test]
async fn counts_of_former_periods_are_deleted() {
    if is_absent() {
        return;
    }
    let database = Database::create().await;
    let (first, _clock) = node(&database).await;
    assert!(super::admits(&first, &counts("former=10/month")).await);
    database.run_all(END_PERIOD).await;
    let (second, _clock) = node(&database).await;
    let second = second.lease(Duration::from_millis(20)).unwrap();
    assert!(super::admits(&second, &counts("current=10/month")).await);
    while database.count("SELECT count(*) FROM tower_api_key_quota").await > 1 {}
    assert_eq!(taken(&database).await, 1);
}
