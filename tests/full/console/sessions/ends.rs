//! A session ends with its sign-out, its time, its opener, or by the application; and with it what was in transit.

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::channel::Channel;
use tower_api_key::backend::{Actor, KeyUpdate, OwnerChange, OwnerStore};
use tower_api_key::manage::NewKey;
use tower_api_key::owner::{Membership, Organization};
use tower_api_key::principal::Resource;
use tower_api_key::record::Revocation;
use tower_api_key::{MemoryStore, Requirement};

use crate::console::browser::FORM;
use crate::console::sessions::world::{HOUR, World, ann, handover, scopes};
use crate::console::world::START;

#[tokio::test]
async fn a_cookie_that_was_stolen_is_of_no_use_after_the_sign_out() {
    let world = World::new().await;
    let mut visitor = world.signed_in(handover(ann())).await;
    let mut thief = visitor.clone();
    assert!(thief.is_in().await);
    assert_eq!(visitor.post("/sign-out", &[]).await.status, StatusCode::OK);
    assert!(!visitor.is_signed_in(), "the browser has forgotten it");
    let page = thief.get("/keys").await;
    assert_eq!(page.location(), "./sign-in?ended");
    assert!(thief.get("/sign-in?ended").await.has("Your session has ended."));
    // Signing out again changes nothing.
    assert_eq!(visitor.post("/sign-out", &[]).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_ends_when_another_one_takes_its_place() {
    let world = World::new().await;
    let mut visitor = world.signed_in(handover(ann())).await;
    let mut former = visitor.clone();
    let (sent, code) = world.sent(handover(Actor::external("user:eve"))).await;
    visitor.jar.extend(sent.jar);
    assert_eq!(visitor.redeem(&code).await.location(), "./keys");
    assert!(visitor.is_in().await && !former.is_in().await);
    // By a form as well.
    let (mut former, (text, _)) = (visitor.clone(), world.key("console").await);
    assert_eq!(visitor.paste(&text).await.location(), "./keys");
    assert!(visitor.is_in().await && !former.is_in().await);
    // A code that does not work ends nothing.
    visitor.jar.extend(world.sent(handover(ann())).await.0.jar);
    assert_eq!(visitor.redeem(&code).await.status, StatusCode::FORBIDDEN);
    assert!(visitor.is_in().await);
}

#[tokio::test]
async fn a_sign_out_by_another_site_changes_nothing() {
    let world = World::new().await;
    let mut visitor = world.signed_in(handover(ann())).await;
    let headers = [("sec-fetch-site", "cross-site"), FORM];
    let page =
        visitor.send(Method::POST, "/sign-out", &headers, http_body_util::Full::<Bytes>::default()).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(visitor.get("/sign-out").await.location(), "./keys");
    assert!(visitor.is_in().await);
}

#[tokio::test]
async fn a_session_lasts_for_its_lifetime() {
    let world = World::with(MemoryStore::new(), |console| console.lifetime(HOUR).unwrap()).await;
    let mut visitor = world.signed_in(handover(ann())).await;
    let sessions = world.sessions().await;
    let session = sessions.iter().find(|session| session.rotated_from.is_some()).unwrap();
    assert_eq!(session.expires_at, Some(START.saturating_add(HOUR)));
    world.clock.advance(HOUR - std::time::Duration::from_millis(1));
    assert!(visitor.is_in().await);
    world.clock.advance(std::time::Duration::from_millis(1));
    assert!(!visitor.is_in().await);
}

#[tokio::test]
async fn the_application_ends_the_sessions_of_one_actor() {
    let world = World::new().await;
    let (mut one, mut two) = (world.signed_in(handover(ann())).await, world.signed_in(handover(ann())).await);
    let (mut waiting, code) = world.sent(handover(ann())).await;
    let mut eve = world.signed_in(handover(Actor::external("user:eve"))).await;
    // Names of other kinds.
    for other in [Actor::named("user:ann"), Actor::system(), Actor::external("user:an")] {
        assert_eq!(world.console.end_sessions(&other).await.unwrap(), 0);
    }
    assert!(one.is_in().await);
    assert_eq!(world.console.end_sessions(&ann()).await.unwrap(), 3);
    assert!(!one.is_in().await && !two.is_in().await);
    assert_eq!(waiting.redeem(&code).await.status, StatusCode::FORBIDDEN);
    assert!(eve.is_in().await);
    assert_eq!(world.console.end_sessions(&ann()).await.unwrap(), 0);
}

#[tokio::test]
async fn an_opener_that_signs_in_again_and_again_ends_its_oldest_sessions() {
    let world = World::new().await;
    let mut eve = world.signed_in(handover(Actor::external("user:eve"))).await;
    let mut one = world.signed_in(handover(ann())).await;
    world.clock.advance(std::time::Duration::from_millis(1));
    let mut two = world.signed_in(handover(ann())).await;
    for _ in 0..99 {
        world.clock.advance(std::time::Duration::from_millis(1));
        let _ = world.console.session_for(handover(ann())).await.unwrap();
    }
    assert!(!one.is_in().await && two.is_in().await && eve.is_in().await);
    assert_eq!(world.console.end_sessions(&ann()).await.unwrap(), 100);
}

#[tokio::test]
async fn a_form_that_arrives_while_its_session_ends_changes_nothing() {
    for way in ["sign-out", "application", "time"] {
        let world = World::new().await;
        let (_, key) = world.key("notes.read").await;
        let mut visitor = world.signed_in(handover(ann())).await;
        let before = world.keys().await;
        let (mut rest, body) = Channel::<Bytes>::new(1);
        rest.send_data("name=mine".into()).await.unwrap();
        let mut renaming = visitor.clone();
        let path = format!("/keys/{}/name", key.id);
        let sent = renaming.send(Method::POST, &path, &[FORM], body);
        let ending = async {
            // The server has parsed the head once it takes a further chunk.
            rest.send_data("&a=b".into()).await.unwrap();
            rest.send_data("&a=b".into()).await.unwrap();
            match way {
                "sign-out" => assert_eq!(visitor.post("/sign-out", &[]).await.status, StatusCode::OK),
                "application" => assert_eq!(world.console.end_sessions(&ann()).await.unwrap(), 1),
                _ => world.clock.advance(9 * HOUR),
            }
            drop(rest);
        };
        let (page, ()) = tokio::join!(sent, ending);
        assert_eq!(page.location(), "../../sign-in?stopped", "{way}");
        assert!(renaming.get("/sign-in?stopped").await.has("Sign in to see whether your change was made"));
        assert_eq!(world.keys().await, before, "{way}");
    }
}

#[tokio::test]
async fn a_form_that_is_sent_twice_and_ends_its_session_does_not_claim_that_nothing_was_changed() {
    let world = World::new().await;
    let (text, opener) = world.key("console notes.*").await;
    let mut visitor = world.visitor();
    visitor.paste(&text).await;
    let path = format!("/keys/{}/rotate", opener.id);
    let form = visitor.get(&path).await.field("form");
    let fields = [("form", &*form), ("grace", "none")];
    let first = visitor.clone().post(&path, &fields).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.html);
    let second = visitor.post(&path, &fields).await;
    assert_eq!(second.location(), "../../sign-in?stopped");
    let page = visitor.get("/sign-in?stopped").await;
    assert!(page.has("Your session has ended.") && !page.has("nothing was changed"), "{}", page.html);
}

#[tokio::test]
async fn a_demoted_opener_loses_the_scope_with_the_next_click() {
    let world = World::new().await;
    let (text, opener) = world.key("notes.read notes.write").await;
    let actor = world.principal(&text).await.actor();
    let mut visitor = world.signed_in(handover(actor)).await;
    let form = visitor.get("/new").await.field("form");
    assert!(visitor.get("/new").await.has("notes.write"));
    world.manager.update(&opener.id, KeyUpdate::new().scopes(scopes("notes.read"))).await.unwrap();
    assert!(!visitor.get("/new").await.has("notes.write"));
    // A form from before.
    let fields = [("form", &*form), ("name", "CI"), ("expires", "30"), ("permission", "notes.write")];
    assert_eq!(visitor.post("/new", &fields).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.keys().await.len(), 1);
    assert_eq!(visitor.create(&["notes.read"]).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_revoked_opener_ends_the_pages() {
    let world = World::new().await;
    let (text, opener) = world.key("console notes.*").await;
    let actor = world.principal(&text).await.actor();
    let mut handed_over = world.signed_in(handover(actor)).await;
    let mut pasted = world.visitor();
    assert_eq!(pasted.paste(&text).await.location(), "./keys");
    assert!(handed_over.is_in().await && pasted.is_in().await);
    world.manager.disable(&opener.id, "unusual traffic").await.unwrap();
    assert!(!handed_over.clone().is_in().await && !pasted.clone().is_in().await);
    world.manager.enable(&opener.id).await.unwrap();
    assert!(handed_over.is_in().await && pasted.is_in().await);
    world.manager.revoke(&opener.id, "lost").await.unwrap();
    assert!(!handed_over.is_in().await && !pasted.is_in().await);
}

/// Returns a key of a user who is a member of `acme` with a role of these scopes.
async fn key_of_member(world: &World, list: &str) -> String {
    let organization = Organization::new("acme");
    let role = Membership::new(organization.clone(), "writer", scopes(list));
    for change in [
        OwnerChange::put_organization(organization),
        OwnerChange::put_organization(Organization::new("globex")),
        OwnerChange::put_user("ann@example.com"),
        OwnerChange::put_membership("ann@example.com", role),
        OwnerChange::put_membership(
            "ann@example.com",
            Membership::new(Organization::new("globex"), "owner", scopes("notes.*")),
        ),
    ] {
        world.store.change_owner(change).await.unwrap();
    }
    let new = NewKey::for_user("ann@example.com").name("Ann").scopes(scopes("notes.*"));
    let (text, _) = world.manager.create(new).await.unwrap().into_parts();
    text.as_str().to_owned()
}

#[tokio::test]
async fn a_member_has_in_an_organization_what_the_role_there_has_and_ends_with_it() {
    let world = World::new().await;
    let text = key_of_member(&world, "notes.read notes.write").await;
    let reach = Requirement::all_of(["notes.read"]).unwrap();
    let actor = world.principal(&text).await.actor().requires_for(reach, Resource::Organization("acme"));
    let mut visitor = world.signed_in(handover(actor)).await;
    assert_eq!(visitor.create(&["notes.write"]).await.status, StatusCode::CREATED);

    // Demoted there, and not in another organization.
    let reader = Membership::new(Organization::new("acme"), "reader", scopes("notes.read"));
    world.store.change_owner(OwnerChange::put_membership("ann@example.com", reader)).await.unwrap();
    assert!(!visitor.get("/new").await.has("notes.write"));
    assert_eq!(visitor.create(&["notes.write"]).await.status, StatusCode::FORBIDDEN);

    world.store.change_owner(OwnerChange::delete_membership("ann@example.com", "acme")).await.unwrap();
    assert!(!visitor.is_in().await);
}

#[tokio::test]
async fn a_session_ends_with_the_organization() {
    let world = World::new().await;
    world.store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    let mut visitor = world.signed_in(handover(ann())).await;
    let closed = Organization::new("acme").disabled(true);
    world.store.change_owner(OwnerChange::put_organization(closed)).await.unwrap();
    assert!(!visitor.clone().is_in().await);
    world.store.change_owner(OwnerChange::put_organization(Organization::new("acme"))).await.unwrap();
    assert!(visitor.is_in().await);
    let gone = OwnerChange::delete_organization("acme", Revocation::new(START, "closed"));
    world.store.change_owner(gone).await.unwrap();
    assert!(!visitor.is_in().await);
}
