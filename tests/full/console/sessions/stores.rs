//! What a session may do is judged in the transaction of each change, on each store.

use http::StatusCode;
use tower_api_key::KeyId;
use tower_api_key::backend::{KeyChange, KeyUpdate};
use tower_api_key::console::Sessions;
use tower_api_key::record::Revocation;

use crate::console::sessions::world::{World, ann, handover, scopes};
use crate::console::world::START;
use crate::stores::Store;
use support::meddling::Meddling;

/// Creates a test of each function for each store.
macro_rules! on_every_store {
    ($($test:ident,)*) => {
        on_every_store! { memory, crate::stores::never => $($test,)* }
        on_every_store! { sqlite, crate::stores::never => $($test,)* }
        on_every_store! { postgres, support::postgres::is_absent => $($test,)* }
    };
    ($module:ident, $is_absent:path => $($test:ident,)*) => {
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    if $is_absent() {
                        return;
                    }
                    let (store, _lives_as_long) = crate::stores::$module().await;
                    super::$test(store).await;
                }
            )*
        }
    };
}

on_every_store! {
    a_session_that_ends_right_before_a_change_makes_none,
    an_opener_that_ends_or_is_demoted_right_before_a_change_makes_none,
    a_code_is_redeemed_once,
    no_code_opens_a_session_that_outlives_the_end_of_all,
    a_visitor_signs_in_changes_a_key_and_signs_out,
}

fn revocation() -> Revocation {
    Revocation::new(START, "meanwhile")
}

async fn world<S: Store>(store: S) -> World<Meddling<S>> {
    World::with(Meddling::new(store), Sessions::pasted_keys).await
}

/// Returns the forms that change a key, with what they need beside it.
fn changes(id: &KeyId, hint: &str) -> [(String, Vec<(&'static str, String)>); 7] {
    let path = |form: &str| format!("/keys/{id}/{form}");
    let given = |name, value: &str| vec![(name, value.to_owned())];
    [
        (path("name"), given("name", "mine")),
        (path("permissions"), given("permission", "notes.write")),
        (path("labels"), vec![("label_name", "a".to_owned()), ("label_value", "b".to_owned())]),
        (path("disable"), Vec::new()),
        (path("enable"), Vec::new()),
        (path("rotate"), given("grace", "week")),
        (path("revoke"), given("confirmation", hint)),
    ]
}

async fn a_session_that_ends_right_before_a_change_makes_none<S: Store>(store: S) {
    let world = world(store).await;
    let (_, key) = world.key("notes.read").await;
    for (path, mut fields) in changes(&key.id, &key.hint) {
        let mut visitor = world.signed_in(handover(ann())).await;
        if path.ends_with("/rotate") {
            fields.push(("form", visitor.get(&path).await.field("form")));
        }
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
        let before = world.keys().await;
        let out = KeyChange::end_sessions("external user:ann", 0, revocation());
        world.store.meddle_before_change(out);
        let page = visitor.post(&path, &fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{path}: {}", page.html);
        assert_eq!(world.keys().await, before, "{path}");
        assert!(!visitor.is_in().await);
    }
}

async fn an_opener_that_ends_or_is_demoted_right_before_a_change_makes_none<S: Store>(store: S) {
    let world = world(store).await;
    let demote = |id: &KeyId| KeyChange::update(id, KeyUpdate::new().scopes(scopes("console notes.read")));
    let revoke = |id: &KeyId| KeyChange::revoke(id, revocation());
    for (meddle, by_key) in
        [(&demote as &dyn Fn(&KeyId) -> KeyChange, false), (&revoke, false), (&demote, true), (&revoke, true)]
    {
        let (text, opener) = world.key("console notes.read notes.write").await;
        world.key("console").await;
        let mut visitor = match by_key {
            true => {
                let mut visitor = world.visitor();
                assert_eq!(visitor.paste(&text).await.location(), "./keys");
                visitor
            }
            false => world.signed_in(handover(world.principal(&text).await.actor())).await,
        };
        let form = visitor.get("/new").await.field("form");
        let before = world.keys().await.len();
        world.store.meddle_before_change(meddle(&opener.id));
        let fields = [("form", &*form), ("name", "CI"), ("expires", "30"), ("permission", "notes.write")];
        let page = visitor.post("/new", &fields).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{}", page.html);
        assert_eq!(world.keys().await.len(), before);
    }
}

async fn a_code_is_redeemed_once<S: Store>(store: S) {
    let world = world(store).await;
    let (visitor, code) = world.sent(handover(ann())).await;
    let attempts = (0..8).map(|_| {
        let (mut visitor, code) = (visitor.clone(), code.clone());
        tokio::spawn(async move { visitor.redeem(&code).await.status })
    });
    let mut entered = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        entered += usize::from(attempt.await.unwrap() == StatusCode::SEE_OTHER);
    }
    assert_eq!(entered, 1);
}

async fn no_code_opens_a_session_that_outlives_the_end_of_all<S: Store>(store: S) {
    let world = world(store).await;
    for round in 0..20 {
        let (mut visitor, code) = world.sent(handover(ann())).await;
        let ending = world.console.clone();
        let ending = tokio::spawn(async move { ending.end_sessions(&ann()).await.unwrap() });
        let entered = visitor.redeem(&code).await.status == StatusCode::SEE_OTHER;
        let ended = ending.await.unwrap();
        assert_eq!(ended, 1, "{round}: the code or its session, {entered}");
        assert!(!visitor.is_in().await, "{round}");
    }
}

async fn a_visitor_signs_in_changes_a_key_and_signs_out<S: Store>(store: S) {
    let world = world(store).await;
    let mut visitor = world.signed_in(handover(ann())).await;
    let created = visitor.create(&["notes.read"]).await;
    assert_eq!(created.status, StatusCode::CREATED, "{}", created.html);
    let key = world.keys().await.remove(0);
    assert_eq!(key.created_by.as_deref(), Some("user:ann"));
    for (path, mut fields) in changes(&key.id, &key.hint) {
        if path.ends_with("/rotate") {
            fields.push(("form", visitor.get(&path).await.field("form")));
        }
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, &**value)).collect();
        let page = visitor.post(&path, &fields).await;
        assert!(page.status.is_success() || page.status.is_redirection(), "{path}: {}", page.html);
    }
    let thief = visitor.clone();
    assert_eq!(visitor.post("/sign-out", &[]).await.status, StatusCode::OK);
    assert!(!thief.clone().is_in().await);
    assert_eq!(world.keys().await.len(), 2);
}
