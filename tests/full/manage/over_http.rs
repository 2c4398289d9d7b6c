//! Requests and responses of the routes.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_api_key::manage::NewKey;
use tower_api_key::test_util::Behaviour;

use crate::manage::world::{Answer, World};

fn has_no_secret(answer: &Answer) {
    let text = answer.body.to_string();
    for word in ["secret", "digest", "hash"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    assert_eq!(answer.headers["cache-control"], "no-store");
}

#[tokio::test]
async fn a_key_is_created_shown_changed_rotated_and_revoked() {
    let world = World::new();
    let admin = world.admin().await;
    let body = json!({
        "name": "Build server",
        "scopes": ["notes.read"],
        "expires_at": "2027-02-15T08:00:00.250Z",
        "labels": { "team": "infra" },
    });
    let made = world.ask(&admin, Method::POST, "/admin/keys", &body.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED);
    has_no_secret(&made);
    let text = made.body["key"].as_str().unwrap().to_owned();
    assert!(text.starts_with("demo_live_"), "{text}");
    assert!(world.admits(&text).await);

    let path = format!("/admin/keys/{}", made.body["id"].as_str().unwrap());
    let shown = world.ask(&admin, Method::GET, &path, "").await;
    has_no_secret(&shown);
    let mut without_text = made.body.clone();
    without_text.as_object_mut().unwrap().remove("key");
    assert_eq!(shown.body, without_text);
    assert_eq!(
        shown.body,
        json!({
            "id": made.body["id"],
            "hint": format!("{}...", &text[..16]),
            "name": "Build server",
            "owner": { "organization": "acme" },
            "environment": "live",
            "scopes": ["notes.read"],
            "sources": [],
            "state": "active",
            "created_at": "2027-01-15T08:00:00Z",
            "created_by": admin.record.id.as_str(),
            "expires_at": "2027-02-15T08:00:00.25Z",
            "revoked_at": null,
            "revoked_reason": null,
            "disabled_at": null,
            "disabled_reason": null,
            "rotated_from": null,
            "rotated_to": null,
            "last_used_at": null,
            "labels": { "team": "infra" },
            "limits": [],
            "plan": null,
        })
    );

    let update = json!({ "name": "Old server", "scopes": [], "expires_at": null, "labels": {} });
    let changed = world.ask(&admin, Method::PATCH, &path, &update.to_string()).await;
    assert_eq!(changed.status, StatusCode::OK);
    has_no_secret(&changed);
    for (field, value) in update.as_object().unwrap() {
        assert_eq!(&changed.body[field], value);
    }

    let rotated =
        world.ask(&admin, Method::POST, &format!("{path}/rotate"), r#"{"grace_seconds": 60}"#).await;
    assert_eq!(rotated.status, StatusCode::CREATED);
    has_no_secret(&rotated);
    assert_eq!(rotated.body["rotated_from"], made.body["id"]);
    let successor = rotated.body["key"].as_str().unwrap().to_owned();
    assert!(world.admits(&text).await && world.admits(&successor).await);
    let again = world.ask(&admin, Method::POST, &format!("{path}/rotate"), "").await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    world.passes(Duration::from_secs(60));
    assert!(!world.admits(&text).await);

    let path = format!("/admin/keys/{}", rotated.body["id"].as_str().unwrap());
    for _ in 0..2 {
        let revoked = world.ask(&admin, Method::DELETE, &format!("{path}?reason=lost%20it"), "").await;
        assert_eq!((revoked.status, &revoked.body), (StatusCode::NO_CONTENT, &Value::Null));
        assert!(!world.admits(&successor).await);
    }
    let shown = world.ask(&admin, Method::GET, &path, "").await.body;
    assert_eq!((&shown["state"], &shown["revoked_reason"]), (&json!("revoked"), &json!("lost it")));
    assert_eq!(world.ask(&admin, Method::PATCH, &path, "{}").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let world = World::new();
    let admin = world.admin().await;
    for _ in 0..25 {
        world.customer("acme", "a").await;
    }
    let mut ids = Vec::new();
    let mut path = "/admin/keys?limit=10".to_owned();
    let mut sizes = Vec::new();
    loop {
        let page = world.ask(&admin, Method::GET, &path, "").await;
        has_no_secret(&page);
        let keys = page.body["keys"].as_array().unwrap();
        sizes.push(keys.len());
        ids.extend(keys.iter().map(|key| key["id"].as_str().unwrap().to_owned()));
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/admin/keys?limit=10&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(sizes, [10, 10, 6]);
    let all: Vec<_> = world.all().await.iter().map(|record| record.id.to_string()).collect();
    assert_eq!(ids, all);
    assert_eq!(
        world.ask(&admin, Method::GET, "/admin/keys", "").await.body["keys"].as_array().unwrap().len(),
        20
    );
}

#[tokio::test]
async fn a_list_is_searched_by_name_in_the_order_of_names() {
    let world = World::new();
    let admin = world.admin().await;
    for (owner, name) in
        [("acme", "Build 2"), ("acme", "build 1"), ("other", "build 0"), ("acme", "CI"), ("acme", "Build 3")]
    {
        world.manager.create(NewKey::for_organization(owner).name(name)).await.unwrap();
    }
    let (mut path, mut names) = ("/admin/keys?name=BUILD&limit=2".to_owned(), Vec::new());
    loop {
        let page = world.ask(&admin, Method::GET, &path, "").await;
        names.extend(page.body["keys"].as_array().unwrap().iter().map(|key| key["name"].clone()));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        path = format!("/admin/keys?name=BUILD&limit=2&cursor={cursor}");
        // It is a cursor of this list alone.
        let other = world.ask(&admin, Method::GET, &format!("/admin/keys?cursor={cursor}"), "").await;
        assert_eq!(other.status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(names, ["build 1", "Build 2", "Build 3"]);
    let none = world.ask(&admin, Method::GET, "/admin/keys?name=uild", "").await;
    assert_eq!(none.body["keys"], json!([]));
    assert_eq!(
        world.ask(&admin, Method::GET, "/admin/keys?name=%00", "").await.status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_list_is_narrowed_to_a_state() {
    let world = World::new();
    let admin = world.admin().await;
    let revoked = world.customer("acme", "a").await;
    world.manager.revoke(&revoked.record.id, "").await.unwrap();
    let disabled = world.customer("acme", "a").await;
    world.manager.disable(&disabled.record.id, "").await.unwrap();
    for (state, expected) in [
        ("active", vec![&admin]),
        ("disabled", vec![&disabled]),
        ("revoked", vec![&revoked]),
        ("expired", vec![]),
    ] {
        let list = world.ask(&admin, Method::GET, &format!("/admin/keys?state={state}"), "").await;
        let ids: Vec<_> = list.body["keys"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect();
        let expected: Vec<_> = expected.iter().map(|key| key.record.id.as_str()).collect();
        assert_eq!(ids, expected, "{state}");
    }
}

#[tokio::test]
async fn a_query_that_cannot_be_read_is_rejected() {
    let world = World::new();
    let admin = world.admin().await;
    for query in [
        "cursor=%27;DROP%20TABLE%20api_key;--",
        "cursor=",
        "cursor=a2V5XzE",
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=ten",
        "state=Active",
        "page=2",
        "limit=1&limit=x",
        "owner=other",
    ] {
        let answer = world.ask(&admin, Method::GET, &format!("/admin/keys?{query}"), "").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let name = query.split('=').next().unwrap();
        assert!(answer.body["detail"].as_str().unwrap().contains(name), "{query}");
    }
    let path = format!("/admin/keys/{}?forced=true", admin.record.id);
    assert_eq!(world.ask(&admin, Method::DELETE, &path, "").await.status, StatusCode::BAD_REQUEST);
    assert!(world.admits(&admin.text).await);
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_rejected_by_the_names_of_its_fields() {
    let world = World::new();
    let admin = world.admin().await;
    let before = world.all().await;
    for body in ["{", "[]", "null", "\"x\"", "{} {}", "\u{0}"] {
        let answer = world.ask(&admin, Method::POST, "/admin/keys", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body:?}");
    }
    for (field, value) in [
        ("name", json!(7)),
        ("name", json!("x".repeat(256))),
        ("name", json!("a\u{0}b")),
        ("name", json!(" ")),
        ("name", json!("\u{200b}\u{feff}")),
        ("name", json!("\u{2067}a")),
        ("name", json!("invoice\u{202e}fdp.exe")),
        ("scopes", json!("notes.read")),
        ("scopes", json!([7])),
        ("scopes", json!(["a b"])),
        ("expires_at", json!(1_900_000_000)),
        ("expires_at", json!("tomorrow")),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
        ("labels", json!({ "a": 1 })),
        ("labels", json!([])),
        ("body", json!("another field")),
    ] {
        let body = json!({ field: value }).to_string();
        let answer = world.ask(&admin, Method::POST, "/admin/keys", &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(answer.body["errors"][0]["field"], field, "{body}");
        has_no_secret(&answer);
    }
    let rotate = format!("/admin/keys/{}/rotate", admin.record.id);
    for field in ["grace_seconds", "grace_from_first_use", "expires_at"] {
        let body = json!({ field: [] }).to_string();
        let answer = world.ask(&admin, Method::POST, &rotate, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(answer.body["errors"][0]["field"], field);
    }
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(70_000));
    let answer = world.ask(&admin, Method::POST, "/admin/keys", &large).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(world.all().await, before);
}

#[tokio::test]
async fn a_name_may_contain_the_marks_of_languages() {
    let world = World::new();
    let admin = world.admin().await;
    // Joiners and direction marks between visible characters.
    for name in ["\u{645}\u{6cc}\u{200c}\u{62e}", "\u{1f469}\u{200d}\u{1f4bb}", "\u{200e}a\u{200f}", ""] {
        let body = json!({ "name": name }).to_string();
        let made = world.ask(&admin, Method::POST, "/admin/keys", &body).await;
        assert_eq!((made.status, &made.body["name"]), (StatusCode::CREATED, &json!(name)));
    }
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    let world = World::new();
    let admin = world.admin().await;
    let before = world.all().await;
    let bearer = ("authorization", format!("Bearer {}", admin.text));
    let says = |name: &'static str, value: &str| (name, value.to_owned());
    let own = format!("/admin/keys/{}", admin.record.id);
    for site in [
        vec![says("origin", "https://elsewhere.example"), says("host", "api.example.com")],
        vec![says("sec-fetch-site", "cross-site")],
        vec![says("origin", "null")],
    ] {
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/json"] {
            let headers = [&site[..], &[bearer.clone(), says("content-type", content_type)]].concat();
            for (method, path) in
                [(Method::POST, "/admin/keys"), (Method::DELETE, &own), (Method::PATCH, &own)]
            {
                let answer = world.send(&headers, method, path, "{}").await;
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "{headers:?}");
                assert!(answer.body["detail"].as_str().unwrap().contains("another"));
            }
            // The browser hides the response of a read from the page.
            assert_eq!(world.send(&headers, Method::GET, &own, "").await.status, StatusCode::OK);
        }
    }
    assert_eq!(world.all().await, before);
    for own in [
        vec![says("origin", "https://api.example.com"), says("host", "api.example.com")],
        vec![says("sec-fetch-site", "same-origin")],
        // curl, with or without a content type.
        vec![],
        vec![says("content-type", "application/x-www-form-urlencoded")],
    ] {
        let headers = [&own[..], std::slice::from_ref(&bearer)].concat();
        let answer = world.send(&headers, Method::POST, "/admin/keys", "{}").await;
        assert_eq!(answer.status, StatusCode::CREATED, "{own:?}");
    }
}

#[tokio::test]
async fn the_permissions_are_listed() {
    let world = World::new();
    let admin = world.admin().await;
    let answer = world.ask(&admin, Method::GET, "/admin/permissions", "").await;
    // Without a catalogue, any scope can be granted.
    assert_eq!(answer.body, json!({ "permissions": [], "groups": [] }));
}

#[tokio::test]
async fn an_id_that_is_none_is_not_found() {
    let world = World::new();
    let admin = world.admin().await;
    for id in ["a%20b", "%00", "'--", "%E2%98%83", &"x".repeat(65)] {
        let answer = world.ask(&admin, Method::GET, &format!("/admin/keys/{id}"), "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{id}");
    }
}

#[tokio::test]
async fn an_outage_of_the_store_is_no_answer_about_a_key() {
    let world = World::new();
    let admin = world.admin().await;
    world.backend.set(Behaviour::Fail);
    let answer = world.ask(&admin, Method::GET, "/admin/keys", "").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}
