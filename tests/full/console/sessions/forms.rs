//! The forms to sign in, by a key or a password.

use std::sync::{Arc, Mutex};

use http::{Method, StatusCode};
use tower_api_key::audit::{Action, AuditEvent};
use tower_api_key::backend::{Actor, AuditLog, AuditQuery, KeyFilter, OwnerChange, OwnerStore};
use tower_api_key::clock::ManualClock;
use tower_api_key::console::Sessions;
use tower_api_key::manage::NewKey;
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::password::{PasswordLimits, Passwords};
use tower_api_key::{Authenticator, Environment, MemoryStore, Owner, Requirement, Source};

use crate::console::browser::{FORM, form};
use crate::console::sessions::visitor::Visitor;
use crate::console::sessions::world::{World, acme, ann, handover, scopes};
use crate::console::world::START;
use support::meddling::Meddling;

#[tokio::test]
async fn a_key_with_the_scope_console_opens_the_portal_of_its_owner() {
    let world = World::new().await;
    let (text, opener) = world.key("console notes.read").await;
    let mut visitor = world.visitor();
    assert_eq!(visitor.get("/keys").await.location(), "./sign-in");
    let entered = visitor.paste(&text).await;
    assert_eq!(entered.location(), "./keys");
    assert!(visitor.get("/keys").await.has("organization acme"));
    assert_eq!(visitor.create(&["notes.read"]).await.status, StatusCode::CREATED);
    assert_eq!(visitor.create(&["notes.write"]).await.status, StatusCode::FORBIDDEN, "the key lacks it");
    let entries = world.store.audit_log(&AuditQuery::all().limit(1)).await.unwrap();
    assert_eq!(entries[0].event.by.as_deref(), Some(opener.id.as_str()));
}

#[tokio::test]
async fn other_texts_open_nothing_and_are_not_shown_again() {
    let world = World::new().await;
    let (without, _) = world.key("notes.read").await;
    let (revoked, record) = world.key("console").await;
    world.manager.revoke(&record.id, "lost").await.unwrap();
    let session = world.signed_in(handover(ann())).await.session().to_owned();
    let mut visitor = world.visitor();
    for (text, status) in [
        (&*without, StatusCode::FORBIDDEN),
        (&revoked, StatusCode::UNAUTHORIZED),
        (&session, StatusCode::UNAUTHORIZED),
        ("demo_live_wrong", StatusCode::UNAUTHORIZED),
        ("x\r\ny", StatusCode::UNAUTHORIZED),
        ("", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let page = visitor.paste(text).await;
        assert_eq!(page.status, status, "{text}");
        assert!(text.is_empty() || !page.has(text), "{text}");
        assert!(page.has("role=\"alert\"") && !visitor.is_signed_in());
    }
}

#[tokio::test]
async fn each_attempt_that_fails_is_reported_as_a_rejected_request_is() {
    let (store, clock) = (MemoryStore::new(), Arc::new(ManualClock::new(START)));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let recorded = Arc::clone(&seen);
    let hook =
        move |event: &AuditEvent| recorded.lock().unwrap().push((event.action.clone(), event.key.clone()));
    let authenticator = Authenticator::builder(store.clone()).audit(hook).with_clock(Arc::clone(&clock));
    let world = World::by(store, clock, authenticator.build().unwrap(), Sessions::pasted_keys).await;
    let ((without, weak), (revoked, ended)) = (world.key("notes.read").await, world.key("console").await);
    world.manager.revoke(&ended.id, "lost").await.unwrap();
    let mut visitor = world.visitor();
    for (text, reason, key) in [
        ("demo_live_wrong", "unknown", None),
        (&*revoked, "revoked", None),
        (&*without, "missing_scope", Some(weak.id)),
    ] {
        visitor.paste(text).await;
        let expected = (Action::Rejected { reason }, key);
        assert_eq!(std::mem::take(&mut *seen.lock().unwrap()), [expected]);
    }
    let (good, _) = world.key("console").await;
    visitor.paste(&good).await;
    assert_eq!(*seen.lock().unwrap(), [], "no attempt has failed");
}

#[tokio::test]
async fn a_form_that_cannot_be_checked_may_be_sent_again() {
    let world = World::with(Meddling::new(MemoryStore::new()), Sessions::pasted_keys).await;
    let (text, _) = world.key("console").await;
    let mut visitor = world.visitor();
    world.store.fail(true);
    let page = visitor.paste(&text).await;
    assert_eq!(
        (page.status, page.headers["retry-after"].as_bytes()),
        (StatusCode::SERVICE_UNAVAILABLE, &b"1"[..])
    );
    assert!(page.has("The keys cannot be reached") && !visitor.is_signed_in());
    world.store.fail(false);
    assert_eq!(visitor.paste(&text).await.location(), "./keys");
}

#[tokio::test]
async fn a_form_to_sign_in_that_another_site_sends_is_rejected() {
    let world = World::new().await;
    let (text, _) = world.key("console").await;
    // A browser that says where the form comes from.
    let mut victim = world.visitor();
    let token = victim.get("/sign-in").await.field("token");
    for site in ["cross-site", "same-site"] {
        let fields = form(&[("key", &text), ("token", &token)]);
        let page = victim.send(Method::POST, "/sign-in", &[("sec-fetch-site", site), FORM], fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{site}");
    }
    // One that does not, and leaves its cookies at home: `SameSite=Lax`.
    let mut attacker = world.visitor();
    let of_attacker = attacker.get("/sign-in").await.field("token");
    for token in ["", &*of_attacker, &*token] {
        let mut without = Visitor::new(world.base());
        let page =
            without.send(Method::POST, "/sign-in", &[FORM], form(&[("key", &text), ("token", token)])).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{token}");
        assert!(!without.is_signed_in());
    }
    // With the cookies of the victim, and the token of the attacker.
    let page = victim.post("/sign-in", &[("key", &text), ("token", &of_attacker)]).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(!victim.is_signed_in());
    assert_eq!(victim.post("/sign-in", &[("key", &text), ("token", &token)]).await.location(), "./keys");
}

#[tokio::test]
async fn the_last_key_that_opens_the_portal_is_not_ended_by_accident() {
    let world = World::new().await;
    let (text, opener) = world.key("console notes.read").await;
    let mut visitor = world.visitor();
    visitor.paste(&text).await;
    // A session of the same owner is no key that could manage them.
    world.signed_in(handover(ann())).await;
    let before = world.keys().await;
    let revoke = format!("/keys/{}/revoke", opener.id);
    let page = visitor.post(&revoke, &[("confirmation", &opener.hint)]).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.html);
    assert!(page.has("This is the last key that can manage keys"));
    assert_eq!(world.keys().await, before);
    world.key("console").await;
    let page = visitor.post(&revoke, &[("confirmation", &opener.hint)]).await;
    assert!(page.status.is_success() || page.status.is_redirection(), "{page:?}");
    assert!(world.manager.get(&opener.id).await.unwrap().revoked.is_some());
    assert!(!visitor.is_in().await);
}

#[tokio::test]
async fn a_test_key_manages_test_keys_alone() {
    let world = World::with(MemoryStore::new(), |console| console.pasted_keys().across_environments()).await;
    let new = |environment| NewKey::new(acme()).scopes(scopes("console notes.*")).environment(environment);
    let create = async |environment| {
        world.manager.create(new(environment)).await.unwrap().into_parts().0.as_str().to_owned()
    };
    let (test, live) =
        (create(tower_api_key::Environment::Test).await, create(tower_api_key::Environment::Live).await);
    let mut visitor = world.visitor();
    visitor.paste(&test).await;
    let form = visitor.get("/new").await.field("form");
    let fields = [("form", &*form), ("name", "CI"), ("expires", "30"), ("environment", "live")];
    assert_eq!(visitor.post("/new", &fields).await.status, StatusCode::FORBIDDEN);
    let mut visitor = world.visitor();
    visitor.paste(&live).await;
    let form = visitor.get("/new").await.field("form");
    let fields = [("form", &*form), ("name", "CI"), ("expires", "30"), ("environment", "test")];
    assert_eq!(visitor.post("/new", &fields).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_key_that_meets_the_requirement_of_operators_gets_the_keys_of_all() {
    let staff = Requirement::all_of(["staff"]).unwrap();
    let world =
        World::with(MemoryStore::new(), |console| console.pasted_keys().operators("acme", staff)).await;
    let globex = NewKey::for_organization("globex").name("Theirs");
    let other = world.manager.create(globex).await.unwrap().into_parts().1;
    let ((operator, record), (customer, _)) = (world.key("staff").await, world.key("console").await);
    let (mut operators, mut portal) = (world.visitor(), world.visitor());
    assert_eq!(operators.paste(&operator).await.location(), "./keys");
    assert_eq!(portal.paste(&customer).await.location(), "./keys");
    let theirs = format!("/keys/{}", other.id);
    assert_eq!(operators.get(&theirs).await.status, StatusCode::OK);
    assert_eq!(portal.get(&theirs).await.status, StatusCode::NOT_FOUND);
    let update = tower_api_key::backend::KeyUpdate::new().scopes(scopes("console"));
    world.manager.update(&record.id, update).await.unwrap();
    assert!(!operators.is_in().await, "it is no operator any more");
}

#[tokio::test]
async fn an_operator_does_not_end_the_key_that_it_has_signed_in_with() {
    let staff = Requirement::all_of(["staff"]).unwrap();
    let world =
        World::with(MemoryStore::new(), |console| console.pasted_keys().operators("acme", staff)).await;
    let ((text, own), (other_text, other)) = (world.key("staff").await, world.key("staff").await);
    let mut visitor = world.visitor();
    visitor.paste(&text).await;
    let path = format!("/keys/{}", own.id);
    for (page, fields) in [
        (format!("{path}/disable"), &[][..]),
        (format!("{path}/revoke"), &[("confirmation", &*own.hint)]),
        (format!("{path}/permissions"), &[("before", "staff")]),
    ] {
        let answer = visitor.post(&page, fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{page} {}", answer.html);
        assert!(answer.has("Your key: you have signed in with it"), "{page} {}", answer.html);
    }
    assert!(world.keys().await.iter().all(|key| [&own, &other].contains(&key)), "nothing was changed");
    // Its name opens nothing. Another operator may end it, and a session by it ends.
    let renamed = visitor.post(&format!("{path}/name"), &[("name", "Mine")]).await;
    assert_eq!(renamed.status, StatusCode::SEE_OTHER);
    let mut second = world.visitor();
    second.paste(&other_text).await;
    assert_eq!(second.post(&format!("{path}/disable"), &[]).await.status, StatusCode::SEE_OTHER);
    assert!(second.is_in().await && !visitor.is_in().await);
}

#[tokio::test]
async fn no_key_of_another_organization_and_no_test_key_is_an_operator() {
    let staff = Requirement::all_of(["staff"]).unwrap();
    let world =
        World::with(MemoryStore::new(), |console| console.pasted_keys().operators("acme", staff)).await;
    let (acme, globex) = (acme(), Owner::organization("globex"));
    let project = Owner::project(Organization::new("acme"), "web");
    for (owner, list, environment, is_customer) in [
        (&globex, "staff", Environment::Live, false),
        (&globex, "*", Environment::Live, true),
        (&globex, "*", Environment::Test, true),
        (&project, "staff", Environment::Live, false),
        (&acme, "staff", Environment::Test, false),
        (&acme, "staff console", Environment::Test, true),
    ] {
        let new = NewKey::new(owner.clone()).scopes(scopes(list)).environment(environment);
        let text = world.manager.create(new).await.unwrap().reveal();
        let mut visitor = world.visitor();
        let expected = if is_customer { StatusCode::SEE_OTHER } else { StatusCode::FORBIDDEN };
        assert_eq!(visitor.paste(text.as_str()).await.status, expected, "{owner} {list} {environment}");
        assert_eq!(visitor.is_signed_in(), is_customer);
        if is_customer {
            let page = visitor.get("/keys").await;
            assert!(page.has(&owner.to_string()) && !page.has("all owners"), "{owner} {list} {environment}");
        }
    }
}

pub(crate) fn passwords() -> Passwords {
    Passwords::with_limits(PasswordLimits::new().memory(8).passes(1)).unwrap()
}

/// An application whose user Ann has a password.
async fn with_passwords() -> World {
    with_passwords_and(|console| console).await
}

async fn with_passwords_and(settings: impl FnOnce(Sessions<MemoryStore>) -> Sessions<MemoryStore>) -> World {
    let (store, clock) = (MemoryStore::new(), Arc::new(ManualClock::new(START)));
    let passwords = passwords();
    store.change_owner(OwnerChange::put_user("ann@example.com")).await.unwrap();
    let hash = passwords.hash("correct horse").await.unwrap();
    store.change_owner(OwnerChange::set_password("ann@example.com", Some(hash))).await.unwrap();
    let authenticator = Authenticator::builder(store.clone())
        .sources([Source::basic(), Source::bearer(), Source::x_api_key()])
        .passwords(passwords)
        .user_scopes(scopes("notes.*"))
        .with_clock(Arc::clone(&clock));
    let settings = |console: Sessions<_>| settings(console.passwords().unwrap());
    World::by(store, clock, authenticator.build().unwrap(), settings).await
}

/// Signs Ann in by a password, or what is sent as one.
async fn by_password(visitor: &mut Visitor, password: &str) -> StatusCode {
    let token = visitor.get("/sign-in").await.field("token");
    let fields = [("token", &*token), ("email", "ann@example.com"), ("password", password)];
    visitor.post("/sign-in", &fields).await.status
}

#[tokio::test]
async fn a_member_of_the_operators_with_their_role_is_one_and_the_owner_of_another_organization_is_none() {
    let staff = Requirement::all_of(["staff"]).unwrap();
    let world = with_passwords_and(|console| console.operators("acme", staff)).await;
    for organization in ["acme", "evil"] {
        let put = OwnerChange::put_organization(Organization::new(organization));
        world.store.change_owner(put).await.unwrap();
    }
    for (organization, list, is_operator) in
        [("evil", "*", false), ("acme", "notes.read", false), ("acme", "staff", true)]
    {
        let role = Membership::new(Organization::new(organization), "owner", scopes(list));
        world.store.change_owner(OwnerChange::put_membership("ann@example.com", role)).await.unwrap();
        let mut visitor = world.visitor();
        assert_eq!(by_password(&mut visitor, "correct horse").await, StatusCode::SEE_OTHER);
        assert_eq!(visitor.get("/keys").await.has("all owners"), is_operator, "{organization} {list}");
    }
}

#[tokio::test]
async fn a_user_signs_in_by_password_and_manages_their_own_keys_until_it_changes() {
    let world = with_passwords().await;
    let mut visitor = world.visitor();
    let page = visitor.get("/sign-in").await;
    assert!(page.has("name=\"password\"") && !page.has("name=\"key\""));
    let token = page.field("token");
    let sign_in = |email: &'static str, password: &'static str| {
        [
            ("token".to_owned(), token.clone()),
            ("email".to_owned(), email.to_owned()),
            ("password".to_owned(), password.to_owned()),
        ]
    };
    for (email, password) in [
        ("ann@example.com", "wrong"),
        ("ann@example.com", " correct horse"),
        ("eve@example.com", "correct horse"),
        ("ann@example.com:correct", "horse"),
        ("ann@example.com", ""),
    ] {
        let fields = sign_in(email, password);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        let page = visitor.post("/sign-in", &fields).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{email} {password}");
        assert!(!page.has("correct horse") && !visitor.is_signed_in());
    }
    let fields = sign_in("Ann@example.com", "correct horse");
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(visitor.post("/sign-in", &fields).await.location(), "./keys");
    assert!(visitor.get("/keys").await.has("user ann@example.com"));
    assert_eq!(visitor.create(&["notes.read"]).await.status, StatusCode::CREATED);
    let own = world.manager.list(&KeyFilter::of_user("ann@example.com"), None, 10).await.unwrap();
    assert_eq!(own.len(), 1);
    assert!(matches!(world.principal_by_password().await, Actor::User(_)));

    let other = passwords().hash("new").await.unwrap();
    world.store.change_owner(OwnerChange::set_password("ann@example.com", Some(other))).await.unwrap();
    assert!(!visitor.is_in().await, "the opener's password was changed");
}

#[tokio::test]
async fn a_key_in_place_of_a_password_is_not_accepted() {
    let staff = Requirement::all_of(["notes.read"]).unwrap();
    let world = with_passwords_and(|console| console.operators("acme", staff)).await;
    let role = Membership::new(Organization::new("acme"), "owner", scopes("*"));
    world.store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    world.store.change_owner(OwnerChange::put_membership("ann@example.com", role)).await.unwrap();
    for owner in [Owner::user("ann@example.com", []), acme()] {
        let new = NewKey::new(owner.clone()).scopes(scopes("console notes.*"));
        let text = world.manager.create(new).await.unwrap().reveal();
        let mut visitor = world.visitor();
        assert_eq!(by_password(&mut visitor, text.as_str()).await, StatusCode::UNAUTHORIZED, "{owner}");
        assert!(!visitor.is_signed_in());
    }
}

impl World {
    async fn principal_by_password(&self) -> Actor {
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", "Basic YW5uQGV4YW1wbGUuY29tOmNvcnJlY3QgaG9yc2U=".parse().unwrap());
        self.authenticator.authenticate(&headers).await.unwrap().actor()
    }
}

#[tokio::test]
async fn passwords_need_an_authenticator_that_verifies_them() {
    let world = World::new().await;
    let error = world.console.clone().passwords().unwrap_err();
    assert!(error.to_string().starts_with("the console cannot verify passwords"));
    // The form is not there, and what it would send is not accepted.
    let mut visitor = world.visitor();
    let page = visitor.get("/sign-in").await;
    assert!(!page.has("name=\"password\""));
    let fields = [("token", &*page.field("token")), ("email", "ann@example.com"), ("password", "x")];
    assert_eq!(visitor.post("/sign-in", &fields).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_key_that_was_stored_under_a_former_pepper_opens_the_portal() {
    use tower_api_key::digest::Digester;
    use tower_api_key::manage::KeyManager;

    let (store, clock) = (MemoryStore::new(), Arc::new(ManualClock::new(START)));
    let former = || Digester::hmac_sha256(&[7; 32]).unwrap();
    let manager = KeyManager::new(store.clone(), tower_api_key::KeyFormat::new("demo").unwrap());
    let manager = manager.digester(former()).with_clock(Arc::clone(&clock));
    let new = NewKey::new(acme()).scopes(scopes("console notes.read"));
    let text = manager.create(new).await.unwrap().reveal();
    let authenticator = Authenticator::builder(store.clone())
        .digester(Digester::hmac_sha256(&[8; 32]).unwrap())
        .former_digester(former())
        .with_clock(Arc::clone(&clock));
    let world = World::by(store, clock, authenticator.build().unwrap(), Sessions::pasted_keys).await;
    for _ in 0..3 {
        let mut visitor = world.visitor();
        assert_eq!(visitor.paste(text.as_str()).await.location(), "./keys");
        assert_eq!(visitor.create(&["notes.read"]).await.status, StatusCode::CREATED);
    }
}
