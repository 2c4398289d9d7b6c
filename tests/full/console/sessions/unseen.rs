//! A session is no key: nothing that is about keys shows it, counts it or admits it.

use std::slice;
use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tower_api_key::backend::{AuditLog, AuditQuery, KeyFilter, KeyStore, KeyUpdate};
use tower_api_key::manage::{KeyManager, ManageErrorKind};
use tower_api_key::record::KeyState;
use tower_api_key::{MemoryStore, Reason};

use crate::console::browser::Browser;
use crate::console::sessions::world::{HOUR, World, ann, handover};
use support::meddling::Meddling;

#[tokio::test]
async fn no_list_count_or_change_of_keys_has_a_session() {
    let world = World::new().await;
    let mut visitor = world.signed_in(handover(ann())).await;
    let (_, key) = world.key("notes.read").await;
    let sessions = world.sessions().await;
    assert_eq!(sessions.len(), 2, "the code that was redeemed, and the session");
    let active = KeyFilter::all().state(KeyState::Active, world.manager_now());
    for filter in [KeyFilter::all(), KeyFilter::of_organization("acme"), active] {
        assert_eq!(world.manager.list(&filter, None, 10).await.unwrap(), slice::from_ref(&key));
    }
    for session in &sessions {
        let rejected = [
            world.manager.get(&session.id).await.map(drop),
            world.manager.update(&session.id, KeyUpdate::new().name("mine")).await.map(drop),
            world.manager.disable(&session.id, "").await.map(drop),
            world
                .manager
                .rotate(
                    &session.id,
                    tower_api_key::manage::RotateOptions::new(tower_api_key::backend::Grace::None),
                )
                .await
                .map(drop),
        ];
        for rejected in rejected {
            assert_eq!(rejected.unwrap_err().kind(), ManageErrorKind::NotFound);
        }
        for page in ["", "/rotate", "/revoke", "/usage"] {
            let page = visitor.get(&format!("/keys/{}{page}", session.id)).await;
            assert_eq!(page.status, StatusCode::NOT_FOUND);
        }
    }
    assert_eq!(world.sessions().await, sessions);
    for page in ["/keys", "/usage", "/audit"] {
        let page = visitor.get(page).await;
        assert!(sessions.iter().all(|session| !page.has(session.id.as_str())));
    }
    // Of the changes of keys, the log has that of the one key.
    assert_eq!(world.store.audit_log(&AuditQuery::all()).await.unwrap().len(), 1);
    // Revoking all keys ends no session, and counts none.
    assert_eq!(world.manager.revoke_all(&KeyFilter::all(), "all").await.unwrap(), 1);
    assert!(visitor.is_in().await);
}

impl World {
    fn manager_now(&self) -> tower_api_key::Timestamp {
        use tower_api_key::clock::Clock;

        self.clock.wall()
    }

    /// Returns the status of the API for a request with this header.
    async fn api(&self, name: &str, value: &str) -> StatusCode {
        let request = Request::get(format!("{}/notes", self.origin)).header(name, value);
        let client = Client::builder(TokioExecutor::new()).build_http();
        client.request(request.body(Full::<bytes::Bytes>::default()).unwrap()).await.unwrap().status()
    }
}

#[tokio::test]
async fn the_cookie_admits_nothing_outside_the_console() {
    let world = World::new().await;
    let visitor = world.signed_in(handover(ann())).await;
    let (text, _) = world.key("console").await;
    assert_eq!(world.api("x-api-key", &text).await, StatusCode::OK);
    let session = visitor.session();
    for (name, value) in [
        ("cookie", visitor.cookies()),
        ("x-api-key", session.to_owned()),
        ("authorization", format!("Bearer {session}")),
    ] {
        assert_eq!(world.api(name, &value).await, StatusCode::UNAUTHORIZED, "{name}");
    }
    assert_eq!(world.authenticator.verify(session).await.unwrap_err().reason(), &Reason::Unknown);
    // Not even by what the digest was computed from: the record is none of a key.
    let records = world.sessions().await;
    let backend = std::sync::Arc::new(records);
    let any = tower_api_key::backend::backend_fn(move |digest| {
        let found = backend.last().cloned().map(|mut record| {
            record.digest = digest;
            record
        });
        async move { Ok(found) }
    });
    let trusting = tower_api_key::Authenticator::builder(any).with_clock(std::sync::Arc::clone(&world.clock));
    let rejection = trusting.build().unwrap().verify("any-text-of-a-client").await.unwrap_err();
    assert_eq!(rejection.reason(), &Reason::Unknown);
}

#[tokio::test]
async fn handlers_of_the_application_do_not_see_the_cookie() {
    let world = World::new().await;
    let visitor = world.signed_in(handover(ann())).await;
    let cookies = format!("theme=dark; {}; lang=en", visitor.cookies());
    let application = Browser { base: world.origin.clone(), user: "" };
    let page = application.send(Method::GET, "/cookies", &[("cookie", &cookies)], Full::default()).await;
    assert_eq!(page.html, "theme=dark; lang=en");
    let page =
        application.send(Method::GET, "/cookies", &[("cookie", &visitor.cookies())], Full::default()).await;
    assert_eq!(page.html, "");
    // The layer stands around the console too, which finds its cookie.
    assert!(visitor.clone().is_in().await);
}

#[tokio::test]
async fn ended_sessions_are_deleted_when_others_are_opened() {
    let world = World::new().await;
    for _ in 0..3 {
        world.signed_in(handover(ann())).await;
    }
    let (_, key) = world.key("notes.read").await;
    world.manager.revoke(&key.id, "lost").await.unwrap();
    let first = world.sessions().await;
    assert_eq!(first.len(), 6);
    // The codes were redeemed, and the sessions last for eight hours.
    world.clock.advance(9 * HOUR + Duration::from_secs(1));
    let mut late = world.signed_in(handover(ann())).await;
    let left = world.sessions().await;
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(late.is_in().await);
    assert!(world.store.get(&key.id).await.unwrap().is_some(), "keys are purged by the application");

    // By the job of the application as well, which counts keys.
    world.console.end_sessions(&ann()).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    let manager: &KeyManager<_> = &world.manager;
    assert_eq!(manager.purge_ended(world.manager_now()).await.unwrap(), 1);
    assert_eq!(world.sessions().await, []);
}

#[tokio::test]
async fn a_purge_that_fails_is_tried_again_soon() {
    let world = World::with(Meddling::new(MemoryStore::new()), |console| console).await;
    world.signed_in(handover(ann())).await;
    world.clock.advance(10 * HOUR);
    world.store.fail_purges(true);
    world.signed_in(handover(ann())).await;
    assert_eq!(world.sessions().await.len(), 4, "the visitor is in nevertheless");
    world.store.fail_purges(false);
    world.signed_in(handover(ann())).await;
    assert_eq!(world.sessions().await.len(), 6, "not with each visitor");
    world.clock.advance(Duration::from_secs(60));
    world.signed_in(handover(ann())).await;
    assert_eq!(world.sessions().await.len(), 6, "two of each");
}

/// The clock of tokio is paused: it goes on once all else waits.
#[tokio::test(start_paused = true)]
async fn a_purge_delays_a_visitor_by_a_second_at_most() {
    let world = World::with(Meddling::new(MemoryStore::new()), |console| console).await;
    world.store.hang_purges();
    let before = tokio::time::Instant::now();
    drop(world.console.session_for(handover(ann())).await.unwrap());
    assert_eq!(before.elapsed(), Duration::from_secs(1));
    drop(world.console.session_for(handover(ann())).await.unwrap());
    assert_eq!(before.elapsed(), Duration::from_secs(1), "not with each visitor");
}
