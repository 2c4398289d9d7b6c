//! The list and its filters.

use std::time::Duration;

use http::StatusCode;
use regex::Regex;
use tower_api_key::Environment;
use tower_api_key::manage::NewKey;

use crate::console::world::{START, World};

#[tokio::test]
async fn the_list_is_filtered_and_paged_without_counts() {
    let world = World::new().await;
    let ann = world.portal("ann");
    assert!(ann.get("/keys").await.has("No keys yet."));
    for index in 0..45 {
        let environment = if index % 3 == 0 { Environment::Test } else { Environment::Live };
        world
            .key(NewKey::for_organization("acme").name(format!("key-{index:02}")).environment(environment))
            .await;
    }
    let name = Regex::new(r"<bdi>(key-\d\d)</bdi>").unwrap();
    let next = Regex::new(r#"href="(keys\?[^"]*)" rel="next""#).unwrap();
    for (query, expected) in
        [("", 45), ("environment=test", 15), ("environment=live&state=active", 30), ("start=demo_live_", 30)]
    {
        let (mut path, mut found) = (format!("/keys?{query}"), Vec::new());
        loop {
            let page = ann.get(&path).await;
            found.extend(name.captures_iter(&page.html).map(|name| name[1].to_owned()));
            let Some(following) = next.captures(&page.html) else { break };
            path = format!("/{}", following[1].replace("&#38;", "&"));
        }
        let mut unique = found.clone();
        unique.sort();
        unique.dedup();
        assert_eq!((found.len(), unique.len()), (expected, expected), "{query}");
    }
    assert!(ann.get("/keys?state=revoked").await.has("No key matches."));
    for query in ["environment=prod", "state=dead", "after=a/b"] {
        assert_eq!(ann.get(&format!("/keys?{query}")).await.status, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn a_pasted_key_is_found_by_its_hint_and_shown_nowhere() {
    let world = World::new().await;
    let ann = world.portal("ann");
    let create = || world.manager.create(NewKey::for_organization("acme").name("CI"));
    let (text, record) = create().await.unwrap().into_parts();
    let list = ann.get("/keys").await;
    let hint = record.hint.trim_end_matches('.');
    assert!(list.has(&format!(r#"maxlength="{}""#, hint.len())), "{}", list.html);
    let found = ann.get(&format!("/keys?start={}", text.as_str())).await;
    assert!(found.has("CI") && found.has(hint) && !found.has(text.as_str()));
    assert_eq!(found.field("start"), hint);
    // A whole key has the form of an id, so no field asks for one.
    assert!(!ann.get("/audit").await.has(r#"name="key""#));
}

#[tokio::test]
async fn a_key_shows_its_age_its_expiry_and_its_last_use() {
    let world = World::new().await;
    let day = Duration::from_secs(24 * 60 * 60);
    world.key(NewKey::for_organization("acme").name("CI").expires_at(START.saturating_add(day * 10))).await;
    world.clock.advance(day * 3);
    let ann = world.portal("ann");
    let page = ann.get("/keys").await;
    for text in
        [">3 days ago<", ">in 7 days<", "<td>never</td>", r#"<span class="badge active">active</span>"#]
    {
        assert!(page.has(text), "{text}: {}", page.html);
    }
    world.clock.advance(day * 8);
    assert!(ann.get("/keys?state=expired").await.has(r#"<span class="badge expired">expired</span>"#));
}

#[tokio::test]
async fn the_audit_log_is_filtered_and_paged() {
    let world = World::new().await;
    let ann = world.portal("ann");
    assert!(ann.get("/audit").await.has("No changes to show."));
    let key = world.key_of("acme", "CI").await;
    for name in 0..60 {
        ann.post(&format!("/keys/{}/name", key.id), &[("name", &name.to_string())]).await.location();
    }
    let first = ann.get(&format!("/audit?key={}&action=updated", key.id)).await;
    assert_eq!(first.html.matches("<td>updated").count(), 50);
    assert!(first.has("user:ann"));
    let next = Regex::new(r#"href="(audit\?[^"]*)" rel="next""#).unwrap();
    let next = format!("/{}", next.captures(&first.html).unwrap()[1].replace("&#38;", "&"));
    let second = ann.get(&next).await;
    assert_eq!(second.html.matches("<td>updated").count(), 10);
    assert!(!second.has("rel=\"next\""));
    assert_eq!(ann.get("/audit?action=nothing").await.status, StatusCode::BAD_REQUEST);
}
