//! Who is signed in is asked again right before each change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::channel::Channel;
use tower_api_key::console::Console;
use tower_api_key::manage::{ExternalCaller, KeyManager, NewKey};
use tower_api_key::{KeyFormat, MemoryStore, Owner, Scopes};

use crate::console::browser::{Browser, FORM};
use crate::console::world::{World, permissions, serve};
use support::meddling::Meddling;

#[tokio::test]
async fn a_visitor_who_is_not_signed_in_gets_the_response_of_the_application() {
    let world = World::new().await;
    let stranger = world.portal("mallory");
    for path in ["/keys", "/new", "/usage", "/audit", "/keys/key_1"] {
        let page = stranger.get(path).await;
        assert_eq!((page.status, &*page.html), (StatusCode::UNAUTHORIZED, ""), "{path}");
        assert_eq!(page.headers["cache-control"], "no-store");
        // It is a page of the application, whose policy is its own.
        assert!(!page.headers.contains_key("content-security-policy"));
    }
}

#[tokio::test]
async fn a_visitor_who_signs_out_while_a_form_arrives_changes_nothing() {
    let world = World::new().await;
    let key = world.key_of("acme", "CI").await;
    let (ann, before) = (world.portal("ann"), world.all().await);
    let (mut rest, body) = Channel::<Bytes>::new(1);
    rest.send_data("name=mine".into()).await.unwrap();
    let path = format!("/keys/{}/name", key.id);
    let renaming = ann.send(Method::POST, &path, &[FORM], body);
    let signing_out = async {
        // The server has parsed the head once it takes a further chunk.
        rest.send_data("&a=b".into()).await.unwrap();
        rest.send_data("&a=b".into()).await.unwrap();
        world.sign_out("ann");
        drop(rest);
    };
    let (page, ()) = tokio::join!(renaming, signing_out);
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    assert_eq!(world.all().await, before);
}

#[tokio::test]
async fn a_visitor_who_may_only_read_gets_no_forms_and_changes_nothing() {
    let world = World::new().await;
    let key = world.key_of("acme", "CI").await;
    let (viewer, before) = (world.portal("viewer"), world.all().await);
    let one = format!("/keys/{}", key.id);
    for path in ["/keys", &one] {
        let page = viewer.get(path).await;
        assert!(page.has("CI") && !page.has(r#"method="post""#) && !page.has("href=\"new\""), "{path}");
    }
    for path in ["/new", &format!("{one}/rotate"), &format!("{one}/revoke")] {
        assert_eq!(viewer.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    for form in ["name", "permissions", "labels", "disable", "enable", "rotate", "revoke"] {
        let fields = [("name", "x"), ("grace", "none"), ("confirmation", &*key.hint)];
        let answer = viewer.post(&format!("{one}/{form}"), &fields).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{form}");
    }
    assert_eq!(viewer.post("/new", &[("expires", "30")]).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.all().await, before);
}

#[tokio::test]
async fn nothing_is_read_between_the_last_judgement_and_the_change() {
    let store = Meddling::new(MemoryStore::new());
    let manager = KeyManager::new(store.clone(), KeyFormat::new("demo").unwrap());
    let scopes = Scopes::parse("notes.read").unwrap();
    let key = manager.create(NewKey::for_organization("acme").scopes(scopes)).await.unwrap().into_parts().1;
    let console = Console::new(manager.clone().with_permissions(permissions())).unwrap();
    let judged = Arc::new(AtomicU64::new(0));
    let (reads, judged_at) = (store.clone(), Arc::clone(&judged));
    let routes = console.routes(move |_: ()| {
        judged_at.store(reads.reads(), Ordering::SeqCst);
        let caller = ExternalCaller::new("user:ann", Owner::organization("acme")).unwrap();
        async move { Ok::<_, ()>(caller.scopes(Scopes::parse("notes.*").unwrap())) }
    });
    let ann = Browser { base: serve(routes).await, user: "" };
    let one = format!("/keys/{}", key.id);
    let form = ann.get("/new").await.field("form");
    let other = ann.get(&format!("{one}/rotate")).await.field("form");
    let fields = [
        ("name", "CI"),
        ("before", "notes.read"),
        ("permission", "notes.write"),
        ("label_name", "a"),
        ("label_value", "b"),
        ("expires", "30"),
        ("grace", "week"),
        ("confirmation", &*key.hint),
    ];
    let paths = ["name", "permissions", "labels", "disable", "enable", "rotate", "revoke"];
    let paths = paths.iter().map(|path| format!("{one}/{path}")).chain(["/new".to_owned()]);
    for path in paths {
        let form = if path == "/new" { &form } else { &other };
        let fields: Vec<_> = fields.iter().copied().chain([("form", &**form)]).collect();
        let answer = ann.post(&path, &fields).await;
        assert!([201, 303].contains(&answer.status.as_u16()), "{path}: {}", answer.html);
        assert_eq!(store.reads(), judged.load(Ordering::SeqCst), "{path}");
    }
}
