//! The audit log, by code and over HTTP.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_api_key::backend::{AuditQuery, LoggedAction};
use tower_api_key::manage::{KeyManager, ManageErrorKind, ManageSettings, NewKey, routes};
use tower_api_key::owner::Organization;
use tower_api_key::test_util::{Behaviour, principal};
use tower_api_key::{AuthenticateLayer, KeyFormat, MemoryStore, Owner, Scopes};

use crate::manage::world::{Answer, Customer, START, World};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn get(world: &World, caller: &Customer, path: &str) -> Answer {
    world.ask(caller, Method::GET, &format!("/admin{path}"), "").await
}

/// Returns the entries of a page.
async fn entries(world: &World, caller: &Customer, path: &str) -> Vec<Value> {
    let answer = get(world, caller, path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.body["entries"].as_array().unwrap().clone()
}

/// Returns the action, key and actor of each entry.
fn lines(entries: &[Value]) -> Value {
    entries.iter().map(|entry| json!([entry["action"], entry["key"], entry["actor"]])).collect()
}

#[tokio::test]
async fn a_caller_reads_the_changes_of_its_keys() {
    let world = World::new();
    let admin = world.admin().await;
    let own = admin.record.id.as_str();
    let made = world.ask(&admin, Method::POST, "/admin/keys", r#"{"name":"CI"}"#).await.body;
    let id = made["id"].as_str().unwrap();
    world.ask(&admin, Method::PATCH, &format!("/admin/keys/{id}"), r#"{"name":"Build"}"#).await;
    let next = world.ask(&admin, Method::POST, &format!("/admin/keys/{id}/rotate"), "").await.body;
    let next = next["id"].as_str().unwrap();
    world.ask(&admin, Method::DELETE, &format!("/admin/keys/{next}?reason=lost"), "").await;

    let all = entries(&world, &admin, "/audit").await;
    let expected = json!([
        ["revoked", next, own],
        ["created", next, own],
        ["rotated", id, own],
        ["updated", id, own],
        ["created", id, own],
        ["created", own, null],
    ]);
    assert_eq!(lines(&all), expected);
    assert_eq!(all[2]["rotated_to"], next);
    assert_eq!(
        (&all[0]["owner"], &all[0]["environment"]),
        (&json!({ "organization": "acme" }), &json!("live"))
    );
    let of = |path: &str| path.replace("{id}", id);
    for path in [of("/keys/{id}/audit"), of("/audit?key={id}")] {
        assert_eq!(entries(&world, &admin, &path).await, all[2..5], "{path}");
    }
    let at = all[3]["at"].as_str().unwrap();
    for (path, expected) in [
        (format!("/audit?actor={own}"), all[..5].to_vec()),
        ("/audit?action=created".to_owned(), vec![all[1].clone(), all[4].clone(), all[5].clone()]),
        (of("/keys/{id}/audit?action=rotated"), vec![all[2].clone()]),
        ("/audit?action=deleted".to_owned(), Vec::new()),
        ("/audit?from=2999-01-01T00:00:00Z".to_owned(), Vec::new()),
        ("/audit?to=2000-01-01T00:00:00%2B01:00".to_owned(), Vec::new()),
        ("/audit?actor=".to_owned(), Vec::new()),
    ] {
        assert_eq!(entries(&world, &admin, &path).await, expected, "{path}");
    }
    assert!(entries(&world, &admin, &format!("/audit?from={at}")).await.contains(&all[3]));
    assert!(!entries(&world, &admin, &format!("/audit?to={at}")).await.contains(&all[3]));
}

#[tokio::test]
async fn pages_join_into_the_whole_log_while_changes_are_made() {
    let world = World::new();
    let admin = world.admin().await;
    for _ in 0..6 {
        world.customer("acme", "a").await;
    }
    let all = entries(&world, &admin, "/audit").await;
    assert_eq!(all.len(), 7);
    let (mut paged, mut path) = (Vec::new(), "/audit?limit=2".to_owned());
    loop {
        let page = get(&world, &admin, &path).await.body;
        paged.extend(page["entries"].as_array().unwrap().clone());
        world.customer("acme", "a").await;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/audit?limit=2&cursor={cursor}");
        let keys = get(&world, &admin, &format!("/keys?cursor={cursor}")).await;
        assert_eq!(keys.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(paged, all);
}

#[tokio::test]
async fn the_log_of_a_deleted_key_stays_its_owners() {
    let world = World::new();
    let (admin, other) = (world.admin().await, world.customer("other", "*").await);
    let gone = world.customer("acme", "a").await.record.id;
    world.manager.revoke(&gone, "").await.unwrap();
    world.passes(Duration::from_secs(1));
    assert_eq!(world.manager.purge_ended(START.saturating_add(DAY)).await.unwrap(), 1);
    let path = format!("/keys/{gone}/audit");
    assert_eq!(
        lines(&entries(&world, &admin, &path).await),
        json!([
            ["deleted", gone.as_str(), null],
            ["revoked", gone.as_str(), null],
            ["created", gone.as_str(), null]
        ])
    );
    // Nothing matches, but the key is still the caller's.
    assert!(entries(&world, &admin, &format!("{path}?action=rotated")).await.is_empty());
    let (denied, unknown) =
        (get(&world, &other, &path).await, get(&world, &other, "/keys/key_x/audit").await);
    assert_eq!((denied.status, &denied.body), (StatusCode::NOT_FOUND, &unknown.body));
}

#[tokio::test]
async fn entries_of_other_tenants_and_environments_are_not_returned() {
    let world = World::new();
    let all = || Scopes::parse("*").unwrap();
    let project = Owner::project(Organization::new("acme"), "sink");
    let sink = world.key(NewKey::new(project).scopes(all())).await;
    let admin = world.admin().await;
    let callers = [
        (&admin, vec![&admin, &sink]),
        (&sink, vec![&sink]),
        (&world.customer("other", "*").await, Vec::new()),
        (&world.test_admin().await, Vec::new()),
        (&world.key(NewKey::new(Owner::user("acme", [])).scopes(all())).await, Vec::new()),
    ];
    for (caller, expected) in callers {
        let expected = if expected.is_empty() { vec![caller] } else { expected };
        let mut ids: Vec<_> = expected.iter().map(|key| json!(key.record.id.as_str())).collect();
        let mut found: Vec<_> =
            entries(&world, caller, "/audit").await.iter().map(|entry| entry["key"].clone()).collect();
        ids.sort_by_key(Value::to_string);
        found.sort_by_key(Value::to_string);
        assert_eq!(found, ids, "{}", caller.record.owner);
    }
}

/// Neither shown nor found by a guess.
#[tokio::test]
async fn an_operator_has_no_name_for_customers() {
    let world = World::new();
    let admin = world.admin().await;
    let key = world.customer("acme", "a").await.record.id;
    world.manager.clone().acting_as("ops:zoe").revoke(&key, "lost").await.unwrap();
    // A key of another owner, to which the application gives this right.
    let support = world.customer("support", "*").await;
    let target = world.customer("acme", "a").await.record.id;
    let acting =
        world.manager.clone().acting_for(principal(|record| *record = support.record.clone()).actor());
    acting.revoke(&target, "lost").await.unwrap();

    let whole = get(&world, &admin, "/audit").await.body;
    for name in ["ops:zoe", support.record.id.as_str()] {
        assert!(!whole.to_string().contains(name), "{whole}");
        assert!(entries(&world, &admin, &format!("/audit?actor={name}")).await.is_empty());
    }
    let caller = principal(|record| *record = admin.record.clone());
    let delegate = world.manager.on_behalf_of(&caller);
    for query in [AuditQuery::all(), AuditQuery::all().delegated(false)] {
        assert!(
            delegate.query_audit(query.clone()).await.unwrap().iter().all(|entry| entry.event.by.is_none())
        );
        assert!(delegate.query_audit(query.by("ops:zoe")).await.unwrap().is_empty());
    }
    // The application reads both.
    let by = |name: &str| AuditQuery::all().by(name).action(LoggedAction::Revoked);
    for name in ["ops:zoe", support.record.id.as_str()] {
        assert_eq!(world.manager.query_audit(&by(name)).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_delegate_queries_no_owner_but_its_own() {
    let world = World::new();
    let (admin, other) = (world.admin().await, world.customer("other", "a").await);
    let caller = principal(|record| *record = admin.record.clone());
    let delegate = world.manager.on_behalf_of(&caller);
    let all = AuditQuery::all;
    assert_eq!(delegate.query_audit(all().of_organization("acme")).await.unwrap().len(), 1);
    for query in [all().of_organization("other"), all().of_user("ann@example.com").of_organization("other")] {
        assert_eq!(delegate.query_audit(query).await.unwrap(), []);
    }
    let foreign = delegate.query_audit(all().of_key(other.record.id)).await.unwrap_err();
    assert_eq!(foreign.kind(), ManageErrorKind::NotFound);
}

#[tokio::test]
async fn an_invalid_query_names_the_parameter() {
    let world = World::new();
    let admin = world.admin().await;
    for (query, says) in [
        ("key=a/b", "key: "),
        ("actor=a%00b", "actor: "),
        ("action=sold", "action: must be one of created, updated"),
        ("from=yesterday", "from: "),
        ("to=2030-01-31", "to: "),
        ("limit=0", "limit: "),
        ("limit=101", "limit: "),
        ("cursor=x", "cursor: "),
        ("by=key", r#"unknown parameter "by"; must be one of key, actor"#),
        ("key=a&key=b", "key: "),
    ] {
        let answer = get(&world, &admin, &format!("/audit?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.body["detail"].as_str().unwrap().contains(says), "{query}: {}", answer.body);
    }
    let writer = world.customer("acme", "keys.write").await;
    assert_eq!(get(&world, &writer, "/audit").await.status, StatusCode::FORBIDDEN);
    world.backend.set(Behaviour::Fail);
    let fresh = world.admin().await;
    assert_eq!(get(&world, &fresh, "/audit").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn without_a_log_the_routes_do_not_exist() {
    let mut world = World::new();
    let store = MemoryStore::new();
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let new = NewKey::for_organization("acme").scopes(Scopes::parse("*").unwrap());
    let (text, record) = manager.create(new).await.unwrap().into_parts();
    let settings = ManageSettings::new("a".parse().unwrap(), "a".parse().unwrap());
    world.app = routes(manager, settings).layer(AuthenticateLayer::new(store));
    for path in ["/audit", &format!("/keys/{}/audit", record.id)] {
        let answer = world.ask_with(text.as_str(), Method::GET, path, "").await;
        assert_eq!((answer.status, &answer.body["detail"]), (StatusCode::NOT_FOUND, &json!("No such route")));
    }
}
