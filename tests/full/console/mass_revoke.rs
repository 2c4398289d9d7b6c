//! Revoking many keys on the page of an operator.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_api_key::backend::{Actor, AuditLog, AuditQuery, KeyFilter};
use tower_api_key::console::{Console, SignedIn};
use tower_api_key::manage::{KeyManager, NewKey};
use tower_api_key::principal::Resource;
use tower_api_key::{Environment, KeyFormat, MemoryStore, Record};

use crate::console::browser::{Browser, FORM, Page};
use crate::console::world::{START, World, permissions, serve};

async fn unrevoked(world: &World, organization: &str) -> usize {
    let records = world.all().await;
    let is_left =
        |record: &&Record| record.revoked.is_none() && record.owner.to_string().contains(organization);
    records.iter().filter(is_left).count()
}

#[tokio::test]
async fn keys_of_a_filter_are_counted_confirmed_and_revoked() {
    let world = World::new().await;
    for number in 0..1_100 {
        world.key(NewKey::for_organization("acme").name(format!("old-{number}"))).await;
    }
    world.key(NewKey::for_organization("acme").name("test").environment(Environment::Test)).await;
    world.key_of("globex", "other").await;
    world.clock.advance(Duration::from_secs(48 * 60 * 60));
    world.key_of("acme", "new").await;
    let ops = world.operators();
    assert!(ops.get("/keys").await.has(r#"href="revoke-keys""#));
    let now = START.saturating_add(Duration::from_secs(48 * 60 * 60)).unix_millis().to_string();
    let query = "organization=acme&environment=live&created_before=2027-01-16";
    let counted = ops.get(&format!("/revoke-keys?count=yes&{query}")).await;
    assert!(counted.has("<h2>1100 keys</h2>") && !counted.has("all keys of all owners"), "{}", counted.html);
    assert!(ops.get("/revoke-keys?count=yes").await.has("These are all keys of all owners."));
    let fields = |confirmation| {
        [
            ("organization", "acme"),
            ("environment", "live"),
            ("created_before", "2027-01-16"),
            ("count", "1100"),
            ("counted_at", &*now),
            ("reason", "leaked"),
            ("confirmation", confirmation),
        ]
    };
    for wrong in ["", "110", "yes"] {
        let page = ops.post("/revoke-keys", &fields(wrong)).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(page.has("Nothing was changed") && page.has("Type the number of keys exactly"));
    }
    assert_eq!(unrevoked(&world, "acme").await, 1_102);
    let done = ops.post("/revoke-keys", &fields("1100")).await;
    assert!(done.has("<h1>1100 keys are revoked</h1>"), "{}", done.html);
    assert_eq!((unrevoked(&world, "acme").await, unrevoked(&world, "globex").await), (2, 1));
    assert!(ops.get(&format!("/revoke-keys?count=yes&{query}")).await.has("No key matches"));
    let by_ops = AuditQuery::all().by("staff:ops");
    assert_eq!(world.store.audit_log(&by_ops).await.unwrap().len(), 1_100);
    let reasons = world.all().await.into_iter().filter_map(|record| record.revoked);
    assert!(reasons.into_iter().all(|revoked| &*revoked.reason == "leaked"));
    for invalid in ["environment=prod", "created_before=soon"] {
        let page = ops.get(&format!("/revoke-keys?count=yes&{invalid}")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", page.html);
    }
}

#[tokio::test]
async fn only_an_operator_who_may_change_keys_has_the_page() {
    let world = World::new().await;
    world.key_of("acme", "CI").await;
    let all = [("count", "1"), ("confirmation", "1")];
    let auditor = Browser { user: "auditor", ..world.operators() };
    for (browser, status) in [
        (world.portal("ann"), StatusCode::NOT_FOUND),
        (world.portal("viewer"), StatusCode::FORBIDDEN),
        (auditor, StatusCode::FORBIDDEN),
    ] {
        assert_eq!(browser.get("/revoke-keys?count=yes").await.status, status);
        assert_eq!(browser.post("/revoke-keys", &all).await.status, status);
        assert!(!browser.get("/keys").await.has("revoke-keys"));
    }
    let ops = world.operators();
    assert_eq!(ops.post_from("cross-site", "/revoke-keys", &all).await.status, StatusCode::FORBIDDEN);
    let at = START.unix_millis().to_string();
    let other = [("count", "1"), ("counted_at", &*at), ("confirmation", "1"), ("visitor", "another")];
    assert_eq!(ops.post("/revoke-keys", &other).await.status, StatusCode::CONFLICT);
    assert_eq!(unrevoked(&world, "acme").await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_revokes_for_some_seconds_and_the_next_one_goes_on() {
    let store = MemoryStore::new();
    let manager = KeyManager::new(store, KeyFormat::new("demo").unwrap()).with_permissions(permissions());
    for _ in 0..2_100 {
        manager.create(NewKey::for_organization("acme")).await.unwrap();
    }
    let (asked, allowed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(usize::MAX)));
    let door = {
        let (asked, allowed) = (Arc::clone(&asked), Arc::clone(&allowed));
        move || {
            let is_allowed = asked.fetch_add(1, Ordering::SeqCst) < allowed.load(Ordering::SeqCst);
            async move {
                // As if each batch took a second.
                tokio::time::advance(Duration::from_secs(1)).await;
                if !is_allowed {
                    return Err(StatusCode::UNAUTHORIZED);
                }
                Ok(SignedIn::operator(Actor::named("staff:ops")).unwrap())
            }
        }
    };
    let app: Router = Console::new(manager.clone()).unwrap().routes(move |(): ()| door());
    let post = async |form: &str| {
        let request = Request::post("/revoke-keys").header(FORM.0, FORM.1).body(Body::from(form.to_owned()));
        let answer = app.clone().oneshot(request.unwrap()).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    };
    let left = async || manager.count_unrevoked(&KeyFilter::all(), 9_999).await.unwrap();
    let request = Request::get("/revoke-keys?count=yes").body(Body::empty()).unwrap();
    let counted = app.clone().oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    let at = regex::Regex::new(r#"name="counted_at" value="(\d+)""#).unwrap();
    let counted = String::from_utf8(counted.to_vec()).unwrap();
    let form = format!("count=2100&confirmation=2100&counted_at={}", &at.captures(&counted).unwrap()[1]);
    let (status, page) = post(&form).await;
    assert_eq!((status, left().await), (StatusCode::OK, 1_100), "{page}");
    assert!(
        page.contains("1000 keys are revoked by now.") && page.contains("<h2>1100 keys left</h2>"),
        "{page}"
    );
    assert!(page.contains(r#"<input type="hidden" name="confirmation" value="2100">"#), "{page}");
    let after = regex::Regex::new(r#"name="after" value="([^"]*)""#).unwrap();
    let second = format!("{form}&done=1000&after={}", &after.captures(&page).unwrap()[1]);

    // Each batch asks again who is signed in: once for the request, and for one batch.
    allowed.store(asked.load(Ordering::SeqCst) + 2, Ordering::SeqCst);
    let (status, _) = post(&second).await;
    assert_eq!((status, left().await), (StatusCode::UNAUTHORIZED, 600));
    allowed.store(usize::MAX, Ordering::SeqCst);
    let (_, page) = post(&second).await;
    assert!(page.contains("<h1>1600 keys are revoked</h1>"), "{page}");
    assert_eq!(left().await, 0);
}

/// Counts the keys of a query, and returns the form that revokes them.
async fn counted(ops: &Browser, query: &str) -> Vec<(&'static str, String)> {
    let page = ops.get(&format!("/revoke-keys?count=yes{query}")).await;
    let count = regex::Regex::new(r#"name="count" value="(\d+)""#).unwrap();
    let count = count.captures(&page.html).unwrap()[1].to_owned();
    let at = page.field("counted_at");
    vec![("count", count.clone()), ("counted_at", at), ("confirmation", count)]
}

async fn post(ops: &Browser, fields: &[(&'static str, String)]) -> Page {
    let fields: Vec<_> = fields.iter().map(|(name, text)| (*name, &**text)).collect();
    ops.post("/revoke-keys", &fields).await
}

#[tokio::test]
async fn an_operator_keeps_the_key_that_it_is_signed_in_with() {
    let world = World::new().await;
    let new = NewKey::for_organization("acme").scopes("notes.read".parse().unwrap());
    let (text, own) = world.manager.create(new).await.unwrap().into_parts();
    for _ in 0..600 {
        world.key_of("acme", "CI").await;
    }
    let needed = "notes.read".parse().unwrap();
    let actor = world.actor_of(text.as_str()).await.requires_for(needed, Resource::Organization("acme"));
    let door = move |(): ()| {
        let operator = SignedIn::operator(actor.clone()).unwrap();
        async move { Ok::<_, StatusCode>(operator) }
    };
    let console = Console::new(world.manager.clone()).unwrap().routes(door);
    let ops = Browser {
        base: format!("{}/staff", serve(Router::new().nest("/staff", console)).await),
        user: "ops",
    };
    let page = ops.get("/revoke-keys?count=yes").await;
    assert!(
        page.has("<h2>600 keys</h2>") && page.has("The key that you are signed in with stays."),
        "{}",
        page.html
    );
    let form = counted(&ops, "").await;
    let done = post(&ops, &form).await;
    assert!(done.has("<h1>600 keys are revoked</h1>"), "{}", done.html);
    let left: Vec<_> = world.all().await.into_iter().filter(|record| record.revoked.is_none()).collect();
    assert_eq!(left.iter().map(|record| &record.id).collect::<Vec<_>>(), [&own.id]);
}

#[tokio::test]
async fn no_more_keys_are_revoked_than_were_confirmed_and_none_that_is_newer() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.key_of("acme", name).await;
    }
    let ops = world.operators();
    let form = counted(&ops, "").await;
    let mut one = form.clone();
    (one[0].1, one[2].1) = ("1".to_owned(), "1".to_owned());
    assert!(post(&ops, &one).await.has("<h1>1 key is revoked</h1>"));
    assert_eq!(unrevoked(&world, "acme").await, 2);
    world.clock.advance(Duration::from_secs(1));
    world.key_of("acme", "replacement").await;
    for revoked in [2, 0] {
        let page = post(&ops, &form).await;
        assert!(page.has(&format!("<h1>{revoked} keys are revoked</h1>")), "{}", page.html);
        assert_eq!(unrevoked(&world, "acme").await, 1);
    }
}

#[tokio::test]
async fn a_form_with_a_field_that_limits_nothing_is_an_error() {
    let world = World::new().await;
    world.key_of("acme", "CI").await;
    let ops = world.operators();
    let form = counted(&ops, "").await;
    let max = u64::MAX.to_string();
    for (name, text) in [
        ("organisation", "acme"),
        ("project", "sink"),
        ("user", "ann@example.com\0"),
        ("done", &max),
        ("done", "-1"),
        ("done", "2"),
        ("counted_at", "1"),
        ("name", &"x".repeat(256)),
    ] {
        let fields = [&form[..], &[(name, text.to_owned())]].concat();
        let page = post(&ops, &fields).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{name}={text}: {}", page.html);
        assert!(page.has("Nothing was changed"), "{}", page.html);
    }
    for missing in 0..3 {
        let mut fields = form.clone();
        fields.remove(missing);
        assert_eq!(post(&ops, &fields).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    for query in
        ["organisation=acme", "project=sink", "organization=acme&user=ann@example.com", "name=a&name=b"]
    {
        let page = ops.get(&format!("/revoke-keys?count=yes&{query}")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}: {}", page.html);
    }
    assert_eq!(unrevoked(&world, "acme").await, 1);
}
