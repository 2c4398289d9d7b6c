//! The hand-over: a code that works once, soon, and in one browser.

use std::time::Duration;

use http::StatusCode;
use tower_api_key::backend::{Actor, AuditLog, AuditQuery};
use tower_api_key::console::{Console, Handover, SignedIn};
use tower_api_key::manage::{KeyManager, ManageErrorKind, NewKey};
use tower_api_key::principal::Resource;
use tower_api_key::{Authenticator, Environment, KeyFormat, MemoryStore, Owner, Requirement, Source};

use crate::console::sessions::visitor::Visitor;
use crate::console::sessions::world::{ADDRESS, World, acme, ann, handover, scopes};
use crate::console::world::START;

#[tokio::test]
async fn a_visitor_who_is_handed_over_manages_the_keys_of_the_owner_as_the_actor() {
    let world = World::new().await;
    let (mut visitor, code) = world.sent(handover(ann())).await;
    // Previews of the link use nothing up.
    for _ in 0..3 {
        let page = visitor.get(&format!("/sign-in?code={code}")).await;
        assert_eq!((page.status, page.field("code")), (StatusCode::OK, code.clone()));
        assert!(!visitor.is_signed_in());
    }
    let entered = visitor.redeem(&code).await;
    assert_eq!(entered.location(), "./keys");
    let cookies: Vec<_> = entered.headers.get_all("set-cookie").iter().map(|c| c.to_str().unwrap()).collect();
    assert!(cookies[0].starts_with("__Host-console.settings.api-keys=console_session_live_"), "{cookies:?}");
    assert!(cookies[0].ends_with("; Path=/; Max-Age=28800; HttpOnly; SameSite=Lax; Secure"), "{cookies:?}");
    assert!(cookies[1].contains("-sign-in.settings.api-keys=; Path=/; Max-Age=0"), "{cookies:?}");

    assert!(visitor.get("/keys").await.has("organization acme"));
    let created = visitor.create(&["notes.read"]).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.html);
    assert_eq!(world.principal(&created.secret()).await.owner(), &acme());
    assert_eq!(world.keys().await[0].created_by.as_deref(), Some("user:ann"));
    let entries = world.store.audit_log(&AuditQuery::all()).await.unwrap();
    assert_eq!(
        (entries.len(), entries[0].event.by.as_deref(), entries[0].delegated),
        (1, Some("user:ann"), true)
    );

    // Beyond the hand-over.
    assert!(!visitor.get("/new").await.has("billing"));
    assert_eq!(visitor.create(&["billing"]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.keys().await.len(), 1);
}

#[tokio::test]
async fn a_code_works_once() {
    let world = World::new().await;
    let (visitor, code) = world.sent(handover(ann())).await;
    let attempts = (0..8).map(|_| {
        let (mut visitor, code) = (visitor.clone(), code.clone());
        tokio::spawn(async move { visitor.redeem(&code).await.status })
    });
    let mut statuses = Vec::new();
    for attempt in attempts.collect::<Vec<_>>() {
        statuses.push(attempt.await.unwrap());
    }
    statuses.sort();
    let mut expected = vec![StatusCode::FORBIDDEN; 7];
    expected.insert(0, StatusCode::SEE_OTHER);
    assert_eq!(statuses, expected);
    let mut later = visitor.clone();
    assert_eq!(later.redeem(&code).await.status, StatusCode::FORBIDDEN);
    assert!(!later.is_signed_in());
}

#[tokio::test]
async fn a_code_works_for_a_quarter_of_an_hour() {
    let world = World::new().await;
    let (mut soon, in_time) = world.sent(handover(ann())).await;
    let (mut late, too_late) = world.sent(handover(ann())).await;
    world.clock.advance(Duration::from_secs(15 * 60 - 1));
    assert_eq!(soon.redeem(&in_time).await.status, StatusCode::SEE_OTHER);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(late.redeem(&too_late).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_code_without_its_cookie_does_not_work_nor_is_it_used_up() {
    let world = World::new().await;
    let (mut visitor, code) = world.sent(handover(ann())).await;
    let mut without = world.visitor();
    let page = without.get(&format!("/sign-in?code={code}")).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.html);
    assert_eq!(without.redeem(&code).await.status, StatusCode::FORBIDDEN);
    // With the cookie of another code.
    let (mut other, _) = world.sent(handover(Actor::external("user:eve"))).await;
    assert_eq!(other.redeem(&code).await.status, StatusCode::FORBIDDEN);
    assert!(!without.is_signed_in() && !other.is_signed_in());
    assert_eq!(visitor.redeem(&code).await.status, StatusCode::SEE_OTHER);
    assert!(visitor.is_in().await);
    // Links without a cookie exist in development only.
    let error = world.console.link_for(handover(ann())).await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::Forbidden);
}

#[tokio::test]
async fn a_hand_over_is_a_redirection_with_its_cookie() {
    use axum::response::IntoResponse;

    let world = World::new().await;
    let sent = world.console.session_for(handover(ann())).await.unwrap();
    let url = sent.url().to_owned();
    assert!(url.starts_with(&format!("{ADDRESS}/sign-in?code=console_code_live_")), "{url}");
    assert_eq!(format!("{sent:?}"), "SignInUrl { .. }");
    let response = sent.into_response();
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()["location"], url);
    assert!(
        response.headers()["set-cookie"].to_str().unwrap().starts_with("__Host-console-sign-in.settings")
    );
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn the_way_back_leads_to_the_application_only() {
    let world = World::new().await;
    for foreign in [
        "https://evil.example/",
        "//evil.example",
        "https://app.example.com.evil.example/",
        "http://app.example.com/",
        "javascript:alert(1)",
        "",
    ] {
        let error = world.console.session_for(handover(ann()).return_url(foreign)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.fields()[0].field),
            (ManageErrorKind::Invalid, "return_url"),
            "{foreign}"
        );
    }
    let mut visitor =
        world.signed_in(handover(ann()).return_url("https://app.example.com/settings?a=1")).await;
    let link = r#"href="https://app.example.com/settings?a=1""#;
    assert!(visitor.get("/keys").await.has(link));
    let out = visitor.post("/sign-out", &[]).await;
    assert!(out.has(link) && out.has("You are signed out"), "{}", out.html);
}

#[tokio::test]
async fn keys_end_when_the_hand_over_and_its_actor_say() {
    let world = World::new().await;
    let week = START.saturating_add(Duration::from_secs(7 * 24 * 60 * 60));
    let mut visitor = world.signed_in(handover(ann()).keys_end_by(week)).await;
    let form = visitor.get("/new").await.field("form");
    let fields = [("form", &*form), ("name", "CI"), ("expires", "never"), ("permission", "notes.read")];
    assert_eq!(visitor.post("/new", &fields).await.status, StatusCode::CREATED);
    assert_eq!(world.keys().await[0].expires_at, Some(week));
    assert_eq!(visitor.create(&["notes.read"]).await.status, StatusCode::FORBIDDEN, "30 days are later");

    // The actor is a key that ends earlier.
    let world = World::new().await;
    let (text, key) = world.key("notes.*").await;
    let day = START.saturating_add(Duration::from_secs(24 * 60 * 60));
    let update = tower_api_key::backend::KeyUpdate::new().expires_at(day);
    world.manager.update(&key.id, update).await.unwrap();
    let actor = world.principal(&text).await.actor();
    let mut visitor = world.signed_in(handover(actor).keys_end_by(week)).await;
    let form = visitor.get("/new").await.field("form");
    let fields = [("form", &*form), ("name", "CI"), ("expires", "never"), ("permission", "notes.read")];
    assert_eq!(visitor.post("/new", &fields).await.status, StatusCode::CREATED);
    let made = world.keys().await.into_iter().find(|made| made.id != key.id).unwrap();
    assert_eq!(made.expires_at, Some(day));
}

#[tokio::test]
async fn the_last_key_that_manages_keys_is_not_ended_after_a_hand_over() {
    let world = World::new().await;
    let (text, opener) = world.key("keys.manage notes.*").await;
    let needed = || Requirement::all_of(["keys.manage"]).unwrap();
    let actor = world.principal(&text).await.actor().requires(needed());
    let granted = scopes("keys.manage notes.*");
    let mut visitor = world.signed_in(handover(actor).scopes(granted).keeping_manager(needed())).await;
    world.key("notes.*").await;
    let disable = format!("/keys/{}/disable", opener.id);
    let page = visitor.post(&disable, &[]).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.html);
    assert!(page.has("This is the last key that can manage keys"));
    world.key("keys.manage").await;
    assert!(visitor.post(&disable, &[]).await.status.is_redirection());
    assert!(!visitor.is_in().await);
}

#[tokio::test]
async fn an_operator_is_handed_over_to_the_keys_of_all_owners() {
    let world = World::new().await;
    world.key("notes.read").await;
    let staff = Actor::named("staff:3");
    let mut operator = world.signed_in(Handover::operator(staff.clone()).unwrap()).await;
    assert!(operator.get("/keys").await.has("all owners"));
    let key = world.keys().await.remove(0);
    let fields = [("name", "Renamed")];
    assert_eq!(operator.post(&format!("/keys/{}/name", key.id), &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(&*world.keys().await[0].name, "Renamed");
    let entries = world.store.audit_log(&AuditQuery::all()).await.unwrap();
    assert_eq!(entries[0].event.by.as_deref(), Some("staff:3"));

    let mut auditor = world.signed_in(Handover::operator(staff).unwrap().read_only()).await;
    assert_eq!(auditor.get("/keys").await.status, StatusCode::OK);
    assert_eq!(auditor.post(&format!("/keys/{}/name", key.id), &fields).await.status, StatusCode::FORBIDDEN);
}

/// The hand-over of a key with the scope `staff` of the operators.
fn operator(actor: &Actor) -> Handover {
    let staff = Requirement::all_of(["staff"]).unwrap();
    Handover::operator(actor.clone().requires_for(staff, Resource::Organization("acme"))).unwrap()
}

#[tokio::test]
async fn a_key_is_handed_over_as_an_operator_by_a_requirement_for_one_organization() {
    let world = World::new().await;
    let create = async |owner: Owner, list, environment| {
        let new = NewKey::new(owner).scopes(scopes(list)).environment(environment);
        let text = world.manager.create(new).await.unwrap().reveal();
        world.principal(text.as_str()).await.actor()
    };
    let staff = create(acme(), "staff", Environment::Live).await;
    for lax in [staff.clone(), staff.clone().requires("staff".parse().unwrap()), Actor::system()] {
        assert!(Handover::operator(lax.clone()).is_err() && SignedIn::operator(lax).is_err());
    }
    for other in [
        create(Owner::organization("globex"), "*", Environment::Live).await,
        create(acme(), "staff", Environment::Test).await,
    ] {
        let error = world.console.session_for(operator(&other)).await.unwrap_err();
        assert_eq!(error.kind(), ManageErrorKind::Forbidden);
    }
    assert!(world.signed_in(operator(&staff)).await.get("/keys").await.has("all owners"));
}

#[tokio::test]
async fn the_hand_over_of_an_operator_has_no_limits() {
    let world = World::new().await;
    let staff = || Handover::operator(Actor::named("staff:3")).unwrap();
    for (limited, field) in [
        (staff().scopes(scopes("notes.*")), "scopes"),
        (staff().sources([Source::bearer()]), "sources"),
        (staff().keys_end_by(START), "expires_at"),
        (staff().environment(Environment::Test), "environment"),
        (staff().across_environments(), "environment"),
        (staff().keeping_manager("staff".parse().unwrap()), "manager"),
    ] {
        let error = world.console.session_for(limited).await.unwrap_err();
        assert_eq!((error.kind(), error.fields()[0].field), (ManageErrorKind::Invalid, field));
    }
}

#[tokio::test]
async fn a_console_has_the_digester_of_its_authenticator() {
    use tower_api_key::digest::Digester;

    let store = MemoryStore::new();
    let pepper = |byte| Digester::hmac_sha256(&[byte; 32]).unwrap();
    let open = |authenticator: tower_api_key::AuthenticatorBuilder| {
        let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap()).digester(pepper(7));
        let console = Console::new(manager.with_permissions(crate::console::world::permissions())).unwrap();
        console.sessions(&authenticator.build().unwrap(), ADDRESS).map(drop)
    };
    let builder = || Authenticator::builder(store.clone());
    for other in [builder(), builder().digester(pepper(8))] {
        let error = open(other).unwrap_err();
        assert!(error.to_string().contains("has a digester that its authenticator lacks"), "{error}");
    }
    // That of a former pepper is not lost yet.
    assert!(open(builder().digester(pepper(7))).is_ok());
    assert!(open(builder().digester(pepper(8)).former_digester(pepper(7))).is_ok());
}

#[tokio::test]
async fn an_actor_that_is_not_active_is_not_handed_over() {
    let world = World::new().await;
    let (text, key) = world.key("notes.*").await;
    let actor = world.principal(&text).await.actor();
    let error = world.console.session_for(operator(&actor)).await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::Forbidden);
    world.manager.revoke(&key.id, "lost").await.unwrap();
    let error = world.console.session_for(handover(actor)).await.unwrap_err();
    assert_eq!(error.kind(), ManageErrorKind::Forbidden);
}

#[tokio::test]
async fn a_session_opens_the_console_that_it_was_made_for() {
    let world = World::new().await;
    let visitor = world.signed_in(handover(ann())).await;
    // Another console over the same store, on the same origin.
    let console = Console::new(world.manager.clone().with_permissions(crate::console::world::permissions()));
    let other = console.unwrap().sessions(&world.authenticator, "https://app.example.com/staff").unwrap();
    let origin = crate::console::world::serve(axum::Router::new().nest("/staff", other.routes())).await;
    let mut moved = Visitor::new(format!("{origin}/staff"));
    moved.jar.clone_from(&visitor.jar);
    assert!(!moved.is_in().await, "its cookie has another name");
    moved.jar.insert("__Host-console.staff".to_owned(), visitor.session().to_owned());
    assert!(!moved.is_in().await, "it is a session of another console");
}
