//! The routes of usage.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_api_key::backend::{UsageBatch, UsageCount, UsageStore};
use tower_api_key::manage::NewKey;
use tower_api_key::owner::Organization;
use tower_api_key::test_util::Behaviour;
use tower_api_key::{Environment, Owner, Record, Scopes};

use crate::manage::world::{Customer, START, World};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn use_key(world: &World, key: &Customer, times: usize) {
    for _ in 0..times {
        assert!(world.admits(&key.text).await);
    }
    world.usage.flush().await.unwrap();
}

/// Requests usage. The next response at the earliest includes this request.
async fn usage(world: &World, caller: &Customer, path: &str) -> Value {
    let answer = world.ask(caller, Method::GET, &format!("/admin{path}"), "").await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.body["usage"].clone()
}

fn line(key: &Customer, day: &str, requests: u64) -> Value {
    let mut line = total(day, requests);
    line["key"] = json!(key.record.id.as_str());
    line
}

fn total(day: &str, requests: u64) -> Value {
    json!({ "day": day, "environment": "live", "requests": requests, "limited": 0, "forbidden": 0 })
}

#[tokio::test]
async fn usage_is_returned_by_day_in_total_and_by_key() {
    let world = World::new();
    let (reader, worker) = (world.admin().await, world.customer("acme", "a").await);
    assert_eq!(usage(&world, &reader, "/usage?to=2027-01-14").await, json!([]));
    use_key(&world, &reader, 1).await;
    use_key(&world, &worker, 3).await;
    world.passes(DAY);
    use_key(&world, &worker, 4).await;

    // One request of the reader is the previous request for usage.
    let days = "from=2027-01-15&to=2027-01-16";
    assert_eq!(
        usage(&world, &reader, &format!("/usage?{days}")).await,
        json!([total("2027-01-15", 5), total("2027-01-16", 4)])
    );
    let mut first = [line(&reader, "2027-01-15", 2), line(&worker, "2027-01-15", 3)];
    first.sort_by_key(|line| line["key"].to_string());
    let first = json!(first);
    assert_eq!(usage(&world, &reader, "/usage?by=key&from=2027-01-15&to=2027-01-15").await, first);
    let own = format!("/keys/{}/usage", worker.record.id);
    let both = json!([line(&worker, "2027-01-15", 3), line(&worker, "2027-01-16", 4)]);
    assert_eq!(usage(&world, &reader, &own).await, both, "by default, the last days");
    assert_eq!(usage(&world, &reader, &format!("{own}?to=2027-01-15")).await, json!([both[0]]));
    assert_eq!(usage(&world, &reader, &format!("{own}?from=2027-01-16")).await, json!([both[1]]));
    world.passes(29 * DAY);
    assert_eq!(usage(&world, &reader, &own).await, json!([both[1]]), "thirty days ago is too long ago");
}

#[tokio::test]
async fn the_last_use_shows_with_the_key() {
    let world = World::new();
    let admin = world.admin().await;
    use_key(&world, &admin, 1).await;
    let path = format!("/admin/keys/{}", admin.record.id);
    let shown = world.ask(&admin, Method::GET, &path, "").await.body;
    assert_eq!(shown["last_used_at"], "2027-01-15T08:00:00Z");
}

#[tokio::test]
async fn usage_of_other_tenants_and_environments_is_not_returned() {
    let world = World::new();
    let all = || Scopes::parse("*").unwrap();
    let project = Owner::project(Organization::new("acme"), "sink");
    let sink = world.key(NewKey::new(project).scopes(all())).await;
    let callers = [
        (world.admin().await, 0b11),
        (sink, 0b10),
        (world.customer("other", "*").await, 0b100),
        (world.test_admin().await, 0b1000),
        (world.key(NewKey::new(Owner::user("acme", [])).scopes(all())).await, 0b10000),
    ];
    // Each has a different number of requests, so that every sum identifies the keys.
    for ((caller, _), times) in callers.iter().zip([1, 2, 4, 8, 16]) {
        use_key(&world, caller, times).await;
    }
    for (caller, expected) in &callers {
        let lines = usage(&world, caller, "/usage").await;
        let sum: u64 = lines.as_array().unwrap().iter().map(|line| line["requests"].as_u64().unwrap()).sum();
        assert_eq!(sum, *expected, "{}", caller.record.owner);
        let environment = if caller.record.environment == Environment::Live { "live" } else { "test" };
        assert!(lines.as_array().unwrap().iter().all(|line| line["environment"] == environment));
    }
}

#[tokio::test]
async fn the_usage_of_a_deleted_key_stays_in_the_total() {
    let world = World::new();
    let (admin, gone) = (world.admin().await, world.customer("acme", "a").await);
    use_key(&world, &gone, 3).await;
    world.manager.revoke(&gone.record.id, "").await.unwrap();
    world.passes(Duration::from_secs(1));
    assert_eq!(world.manager.purge_ended(START.saturating_add(DAY)).await.unwrap(), 1);
    assert_eq!(usage(&world, &admin, "/usage").await[0]["requests"], 3);
    let path = format!("/admin/keys/{}/usage", gone.record.id);
    assert_eq!(world.ask(&admin, Method::GET, &path, "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_rejected_by_the_name_of_its_parameter() {
    let world = World::new();
    let admin = world.admin().await;
    let own = format!("/admin/keys/{}/usage", admin.record.id);
    for (query, names) in [
        ("from=yesterday", "from: "),
        ("to=2027-02-29", "to: "),
        ("from=2027-01-02&to=2027-01-01", "from: "),
        ("from=2027-01-16", "from: "),
        ("from=2026-01-01&to=2027-01-02", "from: must give at most 366 days up to 2027-01-02, got 367"),
        ("to=", "to: "),
        ("by=day", "by: "),
        ("by=", "by: "),
        ("limit=0", "limit: "),
        ("limit=10001", "limit: "),
        ("cursor=x", "cursor: "),
        ("key=x", r#"unknown parameter "key""#),
        ("organization=other", r#"unknown parameter "organization"; must be one of from, to"#),
    ] {
        for path in ["/admin/usage", &own] {
            let answer = world.ask(&admin, Method::GET, &format!("{path}?{query}"), "").await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}?{query}");
            let detail = answer.body["detail"].as_str().unwrap();
            let is_unknown = !["from", "to"].iter().any(|name| query.starts_with(name)) && path == own;
            assert!(is_unknown || detail.contains(names), "{query}: {detail}");
        }
    }
    let year = "/usage?from=2026-01-01&to=2027-01-01";
    usage(&world, &admin, year).await;
}

#[tokio::test]
async fn an_outage_of_the_key_store_is_no_answer_about_usage() {
    let world = World::new();
    let admin = world.admin().await;
    world.backend.set(Behaviour::Fail);
    let answer = world.ask(&admin, Method::GET, "/admin/usage", "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn usage_comes_in_pages_where_a_client_asks_for_them() {
    let world = World::new();
    let admin = world.admin().await;
    let others = [world.customer("acme", "a").await, world.customer("acme", "b").await];
    for _ in 0..3 {
        for caller in [&admin, &others[0], &others[1]] {
            use_key(&world, caller, 1).await;
        }
        world.passes(DAY);
    }
    for (by, lines) in [("key", 9), ("total", 3)] {
        let all = usage(&world, &admin, &format!("/usage?by={by}")).await;
        assert_eq!(all.as_array().unwrap().len(), lines);
        let (mut paged, mut path) = (Vec::new(), format!("/admin/usage?by={by}&limit=2"));
        loop {
            let page = world.ask(&admin, Method::GET, &path, "").await.body;
            let found = page["usage"].as_array().unwrap();
            assert!(found.len() <= 2 && !found.is_empty(), "{page}");
            paged.extend(found.clone());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/admin/usage?by={by}&limit=2&cursor={cursor}");
            let other =
                format!("/admin/usage?by={}&cursor={cursor}", if by == "key" { "total" } else { "key" });
            assert_eq!(world.ask(&admin, Method::GET, &other, "").await.status, StatusCode::BAD_REQUEST);
        }
        assert_eq!(json!(paged), all);
    }
}

#[tokio::test]
async fn more_lines_of_a_key_than_a_response_may_have_are_rejected() {
    let world = World::new();
    let admin = world.admin().await;
    let path = format!("/admin/keys/{}/usage?by=route", admin.record.id);
    for (batch, routes, status) in
        [(1, 0..10_000, StatusCode::OK), (2, 10_000..10_001, StatusCode::BAD_REQUEST)]
    {
        let Record { id, environment, owner, .. } = admin.record.clone();
        let routes = routes.map(|route| (format!("/{route}"), 1));
        let count = UsageCount::new(id, environment, owner, 1, START).routes(routes);
        world.backend.get_ref().add_usage(&UsageBatch::new("meter", batch, [count])).await.unwrap();
        assert_eq!(world.ask(&admin, Method::GET, &path, "").await.status, status);
    }
    let days = format!("{path}&from=2027-01-16");
    assert_eq!(world.ask(&admin, Method::GET, &days, "").await.status, StatusCode::BAD_REQUEST);
    let before = format!("{path}&to=2027-01-14");
    assert_eq!(world.ask(&admin, Method::GET, &before, "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn usage_comes_by_route_where_it_is_counted_so() {
    let world = World::new();
    let (admin, other) = (world.admin().await, world.customer("acme", "a").await);
    let foreign = world.customer("other", "a").await;
    assert_eq!(usage(&world, &admin, "/usage?by=route").await, json!([]));
    let count = |key: &Customer, routes: [(&str, u64); 2]| {
        let Record { id, environment, owner, .. } = key.record.clone();
        UsageCount::new(id, environment, owner, 9, START).routes(routes)
    };
    let counts = [
        count(&admin, [("/notes/{id}", 2), ("other", 1)]),
        count(&other, [("/notes/{id}", 4), ("/notes", 3)]),
        count(&foreign, [("/foreign", 5), ("/notes", 4)]),
    ];
    world.backend.get_ref().add_usage(&UsageBatch::new("meter", 1, counts)).await.unwrap();
    let line = |route: &str, requests: u64| json!({ "route": route, "day": "2027-01-15", "environment": "live", "requests": requests });
    let all = [line("/notes", 3), line("/notes/{id}", 6), line("other", 1)];
    assert_eq!(usage(&world, &admin, "/usage?by=route").await, json!(all));
    let own = format!("/keys/{}/usage?by=route", other.record.id);
    assert_eq!(usage(&world, &admin, &own).await, json!([all[0], line("/notes/{id}", 4)]));

    let (mut paged, mut path) = (Vec::new(), "/admin/usage?by=route&limit=2".to_owned());
    loop {
        let page = world.ask(&admin, Method::GET, &path, "").await.body;
        paged.extend(page["usage"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/admin/usage?by=route&limit=2&cursor={cursor}");
        for by in ["key", "total"] {
            let wrong = format!("/admin/usage?by={by}&cursor={cursor}");
            assert_eq!(world.ask(&admin, Method::GET, &wrong, "").await.status, StatusCode::BAD_REQUEST);
        }
    }
    assert_eq!(paged, all);
}
