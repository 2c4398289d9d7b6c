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
use tower_api_key::{Environment, KeyFormat, MemoryStore, Record};

use crate::console::browser::FORM;
use crate::console::world::{World, permissions};

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
    let auditor = crate::console::browser::Browser { user: "auditor", ..world.operators() };
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
    let other = [("count", "1"), ("confirmation", "1"), ("visitor", "another")];
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
    let (status, page) = post("count=2100&confirmation=2100").await;
    assert_eq!((status, left().await), (StatusCode::OK, 1_100), "{page}");
    assert!(
        page.contains("1000 keys are revoked by now.") && page.contains("<h2>1100 keys left</h2>"),
        "{page}"
    );
    assert!(page.contains(r#"<input type="hidden" name="confirmation" value="1100">"#), "{page}");

    // Each batch asks again who is signed in: once for the request, and for one batch.
    allowed.store(asked.load(Ordering::SeqCst) + 2, Ordering::SeqCst);
    let (status, _) = post("count=1100&confirmation=1100&done=1000").await;
    assert_eq!((status, left().await), (StatusCode::UNAUTHORIZED, 600));
    allowed.store(usize::MAX, Ordering::SeqCst);
    let (_, page) = post("count=600&confirmation=600&done=1500").await;
    assert!(page.contains("<h1>2100 keys are revoked</h1>"), "{page}");
    assert_eq!(left().await, 0);
}
