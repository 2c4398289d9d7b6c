//! Error responses to invalid requests: all in the same shape, and without a change of keys.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::manage::world::{Answer, Customer, World};

async fn rejected(world: &World, caller: &Customer, method: Method, path: &str, body: &str) -> Answer {
    let before = world.all().await;
    let answer = world.ask(caller, method, &format!("/admin{path}"), body).await;
    assert_eq!(world.all().await, before, "{path} {body}");
    assert_eq!(answer.headers["content-type"], "application/json", "{path} {body}");
    assert_eq!(answer.headers["cache-control"], "no-store", "{path} {body}");
    answer
}

/// The names of the fields, and the detail of the first.
fn errors(answer: &Answer) -> (Vec<&str>, &str) {
    let errors = answer.body["errors"].as_array().unwrap();
    let names = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    (names, errors[0]["detail"].as_str().unwrap())
}

#[tokio::test]
async fn a_body_that_is_too_large_is_rejected_in_json() {
    let world = World::new();
    let admin = world.admin().await;
    let large = json!({ "name": "x".repeat(65_536) }).to_string();
    let rotate = format!("/keys/{}/rotate", admin.record.id);
    let own = format!("/keys/{}", admin.record.id);
    for (method, path) in [(Method::POST, "/keys"), (Method::PATCH, &own), (Method::POST, &rotate)] {
        let answer = rejected(&world, &admin, method, path, &large).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
        let detail = "The body must have at most 65536 bytes";
        assert_eq!(answer.body, json!({ "detail": detail }));
    }
    // The largest body passes; only its name is too long.
    let largest = format!(r#"{{"name":"{}"}}"#, "x".repeat(65_536 - 11));
    let answer = rejected(&world, &admin, Method::POST, "/keys", &largest).await;
    assert_eq!((answer.status, errors(&answer).0), (StatusCode::UNPROCESSABLE_ENTITY, vec!["name"]));
}

#[tokio::test]
async fn an_id_that_is_not_even_text_is_not_found() {
    let world = World::new();
    let admin = world.admin().await;
    for (method, path) in [
        (Method::GET, "/keys/%FF"),
        (Method::PATCH, "/keys/%FF"),
        (Method::DELETE, "/keys/%FF"),
        (Method::POST, "/keys/%C3%28/rotate"),
        (Method::GET, "/keys/%ED%A0%80/usage"),
    ] {
        let answer = rejected(&world, &admin, method, path, "").await;
        let found = (answer.status, answer.body);
        assert_eq!(found, (StatusCode::NOT_FOUND, json!({ "detail": "No such key" })), "{path}");
    }
}

#[tokio::test]
async fn errors_lists_the_invalid_fields() {
    let world = World::new();
    let admin = world.admin().await;
    let own = format!("/keys/{}", admin.record.id);
    world.manager.revoke(&world.customer("acme", "notes.read").await.record.id, "").await.unwrap();
    let gone = world.all().await.into_iter().find(|record| record.revoked.is_some()).unwrap();
    for (method, path, status) in [
        (Method::GET, "/keys/key_unknown".to_owned(), StatusCode::NOT_FOUND),
        (Method::PATCH, format!("/keys/{}", gone.id), StatusCode::CONFLICT),
    ] {
        let answer = rejected(&world, &admin, method, &path, "{}").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.body.as_object().unwrap().keys().collect::<Vec<_>>(), ["detail"]);
    }
    let answer = rejected(&world, &admin, Method::PATCH, &own, r#"{"name":1,"scopes":2,"x":3}"#).await;
    assert_eq!(answer.body["detail"], "Invalid values");
    assert_eq!(errors(&answer), (vec!["name", "scopes", "body"], "must be a string, got the number 1"));
    let detail = r#"unknown field "x"; must be one of name, scopes, expires_at, labels"#;
    assert_eq!(answer.body["errors"][2]["detail"], detail);
}

#[tokio::test]
async fn an_unknown_path_or_method_is_rejected_in_json() {
    let world = World::new();
    let admin = world.admin().await;
    for path in ["/key", "/keys/", "/keys/a/b", "/usage/x", "/openapi.yaml"] {
        let answer = rejected(&world, &admin, Method::GET, path, "").await;
        let found = (answer.status, answer.body);
        assert_eq!(found, (StatusCode::NOT_FOUND, json!({ "detail": "No such route" })), "{path}");
    }
    for (method, path, allowed) in [
        (Method::PUT, "/keys", "GET,HEAD,POST"),
        (Method::POST, "/keys/a", "GET,HEAD,PATCH,DELETE"),
        (Method::GET, "/keys/a/rotate", "POST"),
        (Method::DELETE, "/keys/a/usage", "GET,HEAD"),
        (Method::POST, "/usage", "GET,HEAD"),
        (Method::TRACE, "/permissions", "GET,HEAD"),
    ] {
        let answer = rejected(&world, &admin, method, path, "").await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.headers["allow"], allowed, "{path}");
        assert_eq!(answer.body, json!({ "detail": "Method not allowed" }), "{path}");
    }
}

#[tokio::test]
async fn a_parameter_that_would_be_ignored_is_rejected_by_its_name() {
    let world = World::new();
    let admin = world.admin().await;
    let own = format!("/keys/{}", admin.record.id);
    for (method, path, detail) in [
        (Method::GET, "/keys?limit=1&limit=2".to_owned(), "limit: must be given once"),
        (Method::GET, "/usage?by=key&by=key".to_owned(), "by: must be given once"),
        (Method::DELETE, format!("{own}?reason=a&reason=b"), "reason: must be given once"),
        (
            Method::DELETE,
            format!("{own}?why=a"),
            r#"unknown parameter "why"; must be one of reason, wait, until, wait_seconds, force"#,
        ),
        (Method::DELETE, format!("{own}?wait=me"), r#"wait: must be fleet, got "me""#),
        (Method::DELETE, format!("{own}?until=me"), r#"until: must be lease, got "me""#),
        (
            Method::DELETE,
            format!("{own}?wait_seconds=61"),
            r#"wait_seconds: must be a number from 0 to 60, got "61""#,
        ),
    ] {
        let answer = rejected(&world, &admin, method, &path, "").await;
        let found = (answer.status, answer.body);
        assert_eq!(found, (StatusCode::BAD_REQUEST, json!({ "detail": detail })), "{path}");
    }
    let long = format!("{own}?reason={}", "x".repeat(256));
    let answer = rejected(&world, &admin, Method::DELETE, &long, "").await;
    assert_eq!((answer.status, errors(&answer).0), (StatusCode::UNPROCESSABLE_ENTITY, vec!["reason"]));
}

#[tokio::test]
async fn a_time_that_is_not_written_as_one_or_that_no_answer_could_show_is_no_end() {
    let world = World::new();
    let admin = world.admin().await;
    let end = |text: &str| json!({ "expires_at": text }).to_string();
    let beyond = rejected(&world, &admin, Method::POST, "/keys", &end("9999-12-31T23:30:00-01:00")).await;
    assert_eq!((beyond.status, errors(&beyond).0), (StatusCode::UNPROCESSABLE_ENTITY, vec!["expires_at"]));
    for written in ["2030-01-31 12:00:00Z", "2030-01-31T12:00:00", "2030-01-31", "2030-01-31T24:00:00Z"] {
        let answer = rejected(&world, &admin, Method::POST, "/keys", &end(written)).await;
        assert_eq!(errors(&answer).0, ["expires_at"], "{written}");
    }
    let last = world.ask(&admin, Method::POST, "/admin/keys", &end("9999-12-31T23:59:59.999-00:00")).await;
    assert_eq!(last.body["expires_at"], "9999-12-31T23:59:59.999Z");
}

#[tokio::test]
async fn a_number_is_whole_if_its_fraction_is_zero() {
    let world = World::new();
    let admin = world.admin().await;
    for (seconds, is_whole) in [
        ("60.0", true),
        ("6e1", true),
        ("-0.0", true),
        ("60.5", false),
        ("-60.0", false),
        ("1e-1", false),
        ("1e300", false),
    ] {
        let key = world.customer("acme", "notes.read").await;
        let rotate = format!("/admin/keys/{}/rotate", key.record.id);
        let body = format!(r#"{{"grace_seconds":{seconds}}}"#);
        let answer = world.ask(&admin, Method::POST, &rotate, &body).await;
        assert_eq!(answer.status == StatusCode::CREATED, is_whole, "{seconds}: {}", answer.body);
        assert!(is_whole || errors(&answer).0 == ["grace_seconds"], "{seconds}");
    }
}

#[tokio::test]
async fn a_grace_that_no_store_could_keep_is_rejected() {
    let world = World::new();
    let admin = world.admin().await;
    let rotate = format!("/keys/{}/rotate", admin.record.id);
    for from_first_use in [false, true] {
        for seconds in [1 << 32, u64::MAX] {
            let body = json!({ "grace_seconds": seconds, "grace_from_first_use": from_first_use });
            let answer = rejected(&world, &admin, Method::POST, &rotate, &body.to_string()).await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            let detail = format!("must be at most 4294967295 seconds, got {seconds}");
            assert_eq!(errors(&answer), (vec!["grace_seconds"], &*detail));
        }
    }
    let body = json!({ "grace_seconds": u32::MAX, "grace_from_first_use": true });
    let answer = world.ask(&admin, Method::POST, &format!("/admin{rotate}"), &body.to_string()).await;
    assert_eq!((answer.status, &answer.body["expires_at"]), (StatusCode::CREATED, &Value::Null));
}

#[tokio::test]
async fn a_repeated_field_is_rejected_at_any_depth() {
    let world = World::new();
    let admin = world.admin().await;
    let rotate = format!("/keys/{}/rotate", admin.record.id);
    let own = format!("/keys/{}", admin.record.id);
    for (method, path, body, name) in [
        (Method::POST, "/keys", r#"{"scopes":["notes.read"],"scopes":["*"]}"#, "scopes"),
        (Method::POST, "/keys", r#"{"name":"a","x":1,"x":2}"#, "x"),
        (Method::POST, "/keys", r#"{"metadata":{"team":"a","team":"b"}}"#, "team"),
        (Method::PATCH, &own, r#"{"name":"a","n\u0061me":"b"}"#, "name"),
        (Method::POST, &rotate, r#"{"grace_seconds":0,"grace_seconds":60}"#, "grace_seconds"),
    ] {
        let answer = rejected(&world, &admin, method, path, body).await;
        let detail = format!("The body has the field \"{name}\" more than once");
        assert_eq!(
            (answer.status, answer.body),
            (StatusCode::BAD_REQUEST, json!({ "detail": detail })),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_scope_that_is_asked_for_twice_is_granted_once() {
    let world = World::new();
    let admin = world.admin().await;
    let body = json!({ "scopes": vec!["notes.read"; 101] }).to_string();
    let made = world.ask(&admin, Method::POST, "/admin/keys", &body).await;
    assert_eq!((made.status, &made.body["scopes"]), (StatusCode::CREATED, &json!(["notes.read"])));
}
