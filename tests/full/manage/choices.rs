//! Environments and sources that callers choose for new keys.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_api_key::manage::{ManageSettings, NewKey};
use tower_api_key::{Environment, KeyId, Owner, Scopes, Source};

use crate::manage::world::{Answer, Customer, World};

async fn create(world: &World, caller: &Customer, body: &Value) -> Answer {
    world.ask(caller, Method::POST, "/admin/keys", &body.to_string()).await
}

fn field(answer: &Answer) -> &str {
    answer.body["errors"][0]["field"].as_str().unwrap_or("")
}

#[tokio::test]
async fn an_environment_and_sources_are_unknown_fields_where_they_are_not_permitted() {
    let world = World::new();
    let admin = world.admin().await;
    let before = world.all().await;
    for body in [json!({ "environment": "live" }), json!({ "sources": ["Bearer"] })] {
        let answer = create(&world, &admin, &body).await;
        assert_eq!((answer.status, field(&answer)), (StatusCode::UNPROCESSABLE_ENTITY, "body"), "{body}");
    }
    assert_eq!(world.all().await, before);
}

#[tokio::test]
async fn a_live_caller_creates_and_manages_test_keys_and_a_test_caller_no_live_ones() {
    let world = World::with_settings(ManageSettings::across_environments);
    let (admin, test) = (world.admin().await, world.test_admin().await);
    assert_eq!(create(&world, &admin, &json!({})).await.body["environment"], "live");
    let made = create(&world, &admin, &json!({ "environment": "test" })).await;
    assert_eq!((made.status, &made.body["environment"]), (StatusCode::CREATED, &json!("test")));
    let path = format!("/admin/keys/{}", made.body["id"].as_str().unwrap());
    assert_eq!(world.ask(&admin, Method::GET, &path, "").await.status, StatusCode::OK);
    assert_eq!(world.ask(&test, Method::GET, &path, "").await.status, StatusCode::OK);
    assert_eq!(world.ask(&admin, Method::DELETE, &path, "").await.status, StatusCode::NO_CONTENT);

    let before = world.all().await;
    let answer = create(&world, &test, &json!({ "environment": "live" })).await;
    assert_eq!((answer.status, field(&answer)), (StatusCode::FORBIDDEN, "environment"));
    let live = format!("/admin/keys/{}", admin.record.id);
    assert_eq!(world.ask(&test, Method::DELETE, &live, "").await.status, StatusCode::NOT_FOUND);
    for value in [json!("Live"), json!(""), json!(null), json!(["live"])] {
        let answer = create(&world, &admin, &json!({ "environment": value })).await;
        assert_eq!(
            (answer.status, field(&answer)),
            (StatusCode::UNPROCESSABLE_ENTITY, "environment"),
            "{value}"
        );
    }
    assert_eq!(world.all().await, before);
}

#[tokio::test]
async fn with_all_environments_a_test_key_is_no_last_live_manager() {
    let world = World::with_settings(ManageSettings::across_environments);
    let new = NewKey::new(Owner::organization("acme")).environment(Environment::Test);
    let test = world.key(new.scopes(Scopes::parse("keys.write").unwrap())).await;
    let admin = world.admin().await;
    let path = |key: &Customer| format!("/admin/keys/{}", key.record.id);
    // A live key manages test keys as well, and not the other way round.
    assert_eq!(world.ask(&admin, Method::DELETE, &path(&admin), "").await.status, StatusCode::CONFLICT);
    assert_eq!(world.ask(&admin, Method::DELETE, &path(&test), "").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_new_key_is_limited_to_sources_that_the_caller_names() {
    let world = World::with_settings(|settings| settings.sources([Source::bearer(), Source::x_api_key()]));
    let admin = world.admin().await;
    for (names, sources) in [
        (json!(["x-api-key"]), json!(["x-api-key"])),
        (json!(["X-API-Key", "bearer", "Bearer"]), json!(["Bearer", "x-api-key"])),
        (json!([]), json!([])),
    ] {
        let made = create(&world, &admin, &json!({ "sources": names })).await;
        assert_eq!((made.status, &made.body["sources"]), (StatusCode::CREATED, &sources), "{names}");
        let record =
            world.manager.get(&KeyId::new(made.body["id"].as_str().unwrap()).unwrap()).await.unwrap();
        let stored: Vec<_> = record.sources.iter().map(ToString::to_string).collect();
        assert_eq!(json!(stored), sources);
    }
    let made = create(&world, &admin, &json!({ "sources": ["x-api-key"], "scopes": ["notes.read"] })).await;
    assert!(!world.admits(made.body["key"].as_str().unwrap()).await, "by Bearer");

    let before = world.all().await;
    for value in [json!(["Basic"]), json!(["x-other"]), json!("Bearer"), json!(null), json!([1])] {
        let answer = create(&world, &admin, &json!({ "sources": value })).await;
        assert_eq!((answer.status, field(&answer)), (StatusCode::UNPROCESSABLE_ENTITY, "sources"), "{value}");
    }
    assert_eq!(world.all().await, before);
}

#[tokio::test]
async fn a_caller_that_is_limited_to_a_source_gives_no_key_another_one() {
    let world = World::with_settings(|settings| settings.sources([Source::bearer(), Source::x_api_key()]));
    let new = NewKey::new(Owner::organization("acme")).scopes(Scopes::parse("keys.*").unwrap());
    let caller = world.key(new.sources([Source::bearer()])).await;
    let before = world.all().await;
    for names in [json!(["x-api-key"]), json!(["Bearer", "x-api-key"])] {
        let answer = create(&world, &caller, &json!({ "sources": names })).await;
        assert_eq!((answer.status, field(&answer)), (StatusCode::FORBIDDEN, "sources"), "{names}");
    }
    assert_eq!(world.all().await, before);
    for body in [json!({}), json!({ "sources": [] }), json!({ "sources": ["Bearer"] })] {
        let made = create(&world, &caller, &body).await;
        assert_eq!((made.status, &made.body["sources"]), (StatusCode::CREATED, &json!(["Bearer"])), "{body}");
    }
}
