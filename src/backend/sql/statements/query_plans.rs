//! Tests of the plans of PostgreSQL for searches, for totals and for the deletion of a plan of keys, by the statistics of a database that
//! they fill. Those of SQLite are beside the statements.

// Layer 3 of 10: storage.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{plans, read, usage};
use crate::backend::sql::session::{Driver, Session};
use crate::backend::sql::statement::Statement;
use crate::backend::{KeyFilter, SearchPosition, UsageQuery};
use crate::clock::{Day, Timestamp};
use crate::key::KeyId;
use crate::record::KeyState;

/// 40,000 keys of a hundred organizations, of a project of each and of users, and totals of 200 days.
const FILL: &str = "INSERT INTO tower_api_key (id, digest, hint, name, owner_kind, owner_organization, owner_project, owner_email, environment,
        scopes, sources, metadata)
    SELECT 'key_' || i, sha256(i::TEXT::BYTEA), 'demo_live_' || md5(i::TEXT), 'Build ' || i, 'organization',
        CASE WHEN i % 4 < 3 THEN 'org' || i % 100 END, CASE WHEN i % 4 = 2 THEN 'sink' END,
        CASE WHEN i % 4 = 3 THEN 'user' || i % 100 END, 'live', '', '', '{}' FROM generate_series(1, 40000) AS i;
    INSERT INTO tower_api_key_usage_total (kind, organization, name, day, environment, requests)
    SELECT 'organization', 'org' || i % 100, '', 20000 + i / 100, 'live', 1 FROM generate_series(1, 20000) AS i;
    ANALYZE";

/// 10,000 revoked keys of one plan, and as many keys of another one that are not revoked.
const FILL_PLANS: &str = "INSERT INTO tower_api_key (id, digest, hint, name, owner_kind, owner_organization, environment, scopes, sources,
        metadata, plan, revoked_at, revoked_reason)
    SELECT 'planned_' || i, sha256(('plan' || i)::BYTEA), '', '', 'organization', 'acme', 'live', '', '', '{}',
        CASE WHEN i <= 10000 THEN 'free' ELSE 'pro' END, CASE WHEN i <= 10000 THEN 1 END, CASE WHEN i <= 10000 THEN '' END
    FROM generate_series(1, 20000) AS i;
    ANALYZE";

async fn plan(connection: &mut PgConnection, statement: Statement) -> String {
    let explain = Statement { sql: format!("EXPLAIN {}", statement.sql).into(), ..statement };
    let session: &mut dyn Session = connection;
    session.fetch(&explain, |row| row.get::<String>("QUERY PLAN")).await.expect("a plan").join("\n")
}

#[tokio::test]
#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
async fn postgresql_seeks_each_search_each_total_and_each_use_of_a_plan_in_an_index() {
    let Ok(url) = std::env::var("TEST_POSTGRES_URL") else {
        assert!(std::env::var_os("CI").is_none(), "TEST_POSTGRES_URL is not set");
        println!("skipped: TEST_POSTGRES_URL is not set");
        return;
    };
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let schema = KeyId::generate(Timestamp::from_unix_millis(0)).unwrap();
    let begin = format!("BEGIN; CREATE SCHEMA {schema}; SET LOCAL search_path TO {schema}");
    for script in [&*begin, include_str!("../schema/postgres.sql"), FILL] {
        sqlx::raw_sql(AssertSqlSafe(script)).execute(&mut connection).await.unwrap();
    }
    let (dialect, now) = (<sqlx::Postgres as Driver>::DIALECT, Timestamp::from_unix_millis(1));
    for (filter, index) in [
        (KeyFilter::all(), ""),
        (KeyFilter::all().state(KeyState::Active, now), ""),
        (KeyFilter::of_organization("org4"), "_organization"),
        (KeyFilter::of_project("org6", "sink"), "_project"),
        (KeyFilter::of_user("user7"), "_email"),
    ] {
        let by_name = (filter.clone().name_starts_with("build 1"), "name", "build 12");
        let by_hint = (filter.starts_with("demo_live_1"), "hint", "demo_live_12");
        for (filter, of, text) in [by_name, by_hint] {
            let position = SearchPosition::new(text, KeyId::new("key_1").unwrap());
            for after in [None, Some(&position)] {
                let plan = plan(&mut connection, read::search(dialect, &filter, after, 21)).await;
                let is_sought = plan.contains(&format!("tower_api_key_by{index}_{of} "));
                assert!(is_sought && !plan.contains("Seq Scan on tower_api_key "), "{filter:?}: {plan}");
            }
        }
    }
    let day = Day::from_unix_days(20_100);
    for query in
        [UsageQuery::new(day, day.plus(29)), UsageQuery::new(day, day.plus(29)).of_organization("org4")]
    {
        let plan = plan(&mut connection, usage::select(&query)).await;
        let is_sought = plan.contains("tower_api_key_usage_total_pkey");
        assert!(is_sought && !plan.contains("Seq Scan"), "{query:?}: {plan}");
    }
    sqlx::raw_sql(FILL_PLANS).execute(&mut connection).await.unwrap();
    let plan = plan(&mut connection, plans::in_use("free")).await;
    let is_sought = plan.contains("tower_api_key_by_plan ");
    assert!(is_sought && !plan.contains("Seq Scan on tower_api_key "), "{plan}");
    // The transaction ends with the connection.
    connection.close().await.unwrap();
}
