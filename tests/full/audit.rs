//! The audit hook receives every change and every rejection, with ids and no other data.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use support::captured::Log;
use support::{Key, START};
use tower::{Layer, ServiceExt, service_fn};
use tower_api_key::audit::{Action, Audit, AuditEvent, TracingAudit};
use tower_api_key::backend::{Grace, KeyFilter, KeyStore, KeyUpdate};
use tower_api_key::clock::ManualClock;
use tower_api_key::manage::{KeyManager, NewKey, RotateOptions};
use tower_api_key::reject::Forbidden;
use tower_api_key::{
    AuthenticateLayer, Authenticator, AuthenticatorBuilder, KeyFormat, KeyId, MemoryStore, Owner, Principal,
    RequireScopeLayer, Requirement, Scopes,
};

/// Texts that must not show: a name, an email address, and a reason.
const CANARIES: [&str; 3] = ["Zebra server", "ada@example.com", "left on the train"];

/// A hook that records its events.
#[derive(Clone, Default)]
struct RecordingHook(Arc<Mutex<Vec<AuditEvent>>>);

impl RecordingHook {
    fn hook(&self) -> impl Audit + use<> {
        let recorded = self.clone();
        move |event: &AuditEvent| recorded.0.lock().unwrap().push(event.clone())
    }

    fn take(&self) -> Vec<AuditEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn rejected(reason: &'static str) -> Action {
    Action::Rejected { reason }
}

fn event(action: Action, key: Option<&KeyId>, by: Option<&str>) -> AuditEvent {
    let mut event = AuditEvent::new(START, action).by(by.map(Into::into));
    event.key = key.cloned();
    event
}

fn manager(store: MemoryStore) -> KeyManager<MemoryStore> {
    KeyManager::new(store, KeyFormat::new("demo").unwrap()).with_clock(ManualClock::new(START))
}

fn new_key() -> NewKey {
    NewKey::new(Owner::user(CANARIES[1], []))
        .name(CANARIES[0])
        .scopes(Scopes::parse("keys.write notes.read").unwrap())
}

async fn answer(authenticator: Authenticator, request: Request<Full<Bytes>>) -> StatusCode {
    let scope = RequireScopeLayer::new(Requirement::all_of(["notes.read"]).unwrap());
    let layer = AuthenticateLayer::new(authenticator).optional().grpc();
    let service = layer.layer(scope.layer(service_fn(support::ok)));
    service.oneshot(request).await.unwrap().status()
}

fn build(builder: AuthenticatorBuilder) -> Authenticator {
    support::build(builder).0
}

#[tokio::test]
async fn every_change_is_reported_with_ids_and_its_actor() {
    let recorded = RecordingHook::default();
    let clock = Arc::new(ManualClock::new(START));
    let manager = manager(MemoryStore::new()).with_clock(Arc::clone(&clock));
    let manager = manager.audit(recorded.hook()).acting_as("job-1");
    let (_, made) = manager.create(new_key()).await.unwrap().into_parts();
    let imported = manager.import_text("legacy-key-0123456789", new_key()).await.unwrap();
    let mut update = KeyUpdate::default();
    (update.name, update.by) = (Some("x".into()), Some("admin-1".into()));
    manager.update(&made.id, update).await.unwrap();
    let (_, new) = manager.rotate(&made.id, RotateOptions::new(Grace::None)).await.unwrap().into_parts();
    manager.revoke(&new.id, CANARIES[2]).await.unwrap();
    manager.revoke_all(&KeyFilter::all(), CANARIES[2]).await.unwrap();
    let later = START.saturating_add(Duration::from_secs(1));
    clock.advance(Duration::from_secs(1));
    manager.purge_ended(later).await.unwrap();
    let job = Some("job-1");
    let expected = [
        event(Action::Created, Some(&made.id), job),
        event(Action::Created, Some(&imported.id), job),
        event(Action::Updated, Some(&made.id), Some("admin-1")),
        event(Action::Rotated { to: new.id.clone() }, Some(&made.id), job),
        event(Action::Created, Some(&new.id), job),
        event(Action::Revoked, Some(&new.id), job),
        event(Action::RevokedAll { keys: 1 }, None, job),
        AuditEvent::new(later, Action::DeletedAll { keys: 3 }).by(job.map(Into::into)),
    ];
    assert_eq!(recorded.take(), expected);
}

#[tokio::test]
async fn a_failed_change_is_not_reported() {
    let recorded = RecordingHook::default();
    let manager = manager(MemoryStore::new()).audit(recorded.hook());
    let missing = KeyId::new("key_missing").unwrap();
    manager.create(new_key().expires_at(START)).await.unwrap_err();
    manager.update(&missing, KeyUpdate::default()).await.unwrap_err();
    manager.rotate(&missing, RotateOptions::new(Grace::None)).await.unwrap_err();
    manager.revoke(&missing, "").await.unwrap_err();
    assert_eq!(recorded.take(), []);
}

#[tokio::test]
async fn a_change_by_a_caller_is_reported_with_the_id_of_its_key() {
    let (recorded, store) = (RecordingHook::default(), MemoryStore::new());
    let manager = manager(store.clone()).acting_as("service");
    let (text, own) = manager.create(new_key()).await.unwrap().into_parts();
    let mut headers = http::HeaderMap::new();
    headers.insert("x-api-key", text.as_str().parse().unwrap());
    let authenticator = build(Authenticator::builder(store));
    let caller: Principal = authenticator.authenticate(&headers).await.unwrap();

    let manager = manager.audit(recorded.hook());
    let delegate = manager.on_behalf_of(&caller);
    let (_, made) = delegate.create(new_key()).await.unwrap().into_parts();
    delegate.update(&made.id, KeyUpdate::default()).await.unwrap();
    let (_, new) = delegate.rotate(&made.id, RotateOptions::new(Grace::None)).await.unwrap().into_parts();
    delegate.revoke(&new.id, "").await.unwrap();
    let events = recorded.take();
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|event| event.by.as_deref() == Some(own.id.as_str())), "{events:?}");
    let by = async |id| manager.get(id).await.unwrap().revoked.unwrap().by;
    assert_eq!(by(&made.id).await.as_deref(), Some(own.id.as_str()));
    assert_eq!(by(&new.id).await.as_deref(), Some(own.id.as_str()));
}

#[tokio::test]
async fn every_rejection_is_reported_once_and_admissions_are_not() {
    let (recorded, store) = (RecordingHook::default(), MemoryStore::new());
    let good = Key::mint().scopes("notes.read").insert_into(&store).await;
    let powerless = Key::mint().insert_into(&store).await;
    let expired = Key::mint().with(|record| record.expires_at = Some(START)).insert_into(&store).await;
    let revoked = Key::mint().with(|record| record.revoked = Some(support::revocation()));
    let revoked = revoked.insert_into(&store).await;
    let authenticator = build(Authenticator::builder(store).audit(recorded.hook()));
    let twice = {
        let mut request = good.bearer();
        request.headers_mut().insert("x-api-key", good.text.parse().unwrap());
        request
    };
    let mut to_grpc = revoked.bearer();
    to_grpc.headers_mut().insert("content-type", "application/grpc-web".parse().unwrap());
    *to_grpc.method_mut() = http::Method::POST;
    for (request, action, key) in [
        (Request::new(Full::default()), rejected("missing"), None),
        (Key::mint().bearer(), rejected("unknown"), None),
        (support::request("x-api-key", "no key"), rejected("malformed"), None),
        (twice, rejected("ambiguous"), None),
        (powerless.bearer(), rejected("missing_scope"), Some(powerless.id())),
        (expired.bearer(), Action::Expired, Some(expired.id())),
        (revoked.bearer(), rejected("revoked"), Some(revoked.id())),
        (to_grpc, rejected("revoked"), Some(revoked.id())),
    ] {
        // The first answer comes from the store, the second one from the cache.
        for _ in 0..2 {
            let (parts, body) = request.clone().into_parts();
            answer(authenticator.clone(), Request::from_parts(parts, body)).await;
            assert_eq!(recorded.take(), [event(action.clone(), key, None)]);
        }
    }
    for _ in 0..3 {
        assert_eq!(answer(authenticator.clone(), good.bearer()).await, StatusCode::OK);
    }
    assert_eq!(recorded.take(), []);
}

#[tokio::test]
async fn a_rejection_that_becomes_a_tonic_status_is_reported() {
    let (recorded, store) = (RecordingHook::default(), MemoryStore::new());
    let key = Key::mint().insert_into(&store).await;
    let authenticator = build(Authenticator::builder(store).audit(recorded.hook()));
    let caller = authenticator.authenticate(key.bearer().headers()).await.unwrap();
    let status = tonic::Status::from(caller.reject(Forbidden::Project));
    assert_eq!(status.code(), tonic::Code::PermissionDenied);
    assert_eq!(recorded.take(), [event(rejected("forbidden"), Some(key.id()), None)]);
}

#[tokio::test]
async fn a_panicking_hook_affects_neither_a_request_nor_a_change() {
    let panics = |_: &AuditEvent| panic!("told to panic");
    let store = MemoryStore::new();
    let manager = manager(store.clone()).audit(panics);
    let (_, made) = manager.create(new_key()).await.unwrap().into_parts();
    manager.revoke(&made.id, "").await.unwrap();
    assert!(store.get(&made.id).await.unwrap().unwrap().revoked.is_some());
    let authenticator = build(Authenticator::builder(store).audit(panics));
    assert_eq!(answer(authenticator, Request::new(Full::default())).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_log_holds_actions_and_ids_but_no_free_text() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let recorded = RecordingHook::default();
    let store = MemoryStore::new();
    let both = {
        let remember = recorded.hook();
        move |event: &AuditEvent| {
            TracingAudit.record(event);
            remember.record(event);
        }
    };
    let manager = manager(store.clone()).audit(both).acting_as("job-1");
    let (text, made) = manager.create(new_key()).await.unwrap().into_parts();
    let (_, new) = manager.rotate(&made.id, RotateOptions::new(Grace::None)).await.unwrap().into_parts();
    manager.revoke(&new.id, CANARIES[2]).await.unwrap();
    manager.revoke_all(&KeyFilter::all(), CANARIES[2]).await.unwrap();
    let authenticator = build(Authenticator::builder(store).audit(TracingAudit));
    answer(authenticator.clone(), support::request("x-api-key", text.as_str())).await;
    answer(authenticator, support::request("x-api-key", "what-a-client-sent")).await;
    drop(guard);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let (made, new) = (&made.id, &new.id);
    for line in [
        format!("tower_api_key::audit: audit action=\"created\" key_id={made} by=\"job-1\""),
        format!("tower_api_key::audit: audit action=\"rotated\" key_id={made} by=\"job-1\" to={new}"),
        format!("tower_api_key::audit: audit action=\"revoked\" key_id={new} by=\"job-1\""),
        "tower_api_key::audit: audit action=\"revoked_all\" by=\"job-1\" keys=0".to_owned(),
        format!("tower_api_key::audit: audit action=\"rejected\" key_id={made} reason=\"revoked\""),
        "tower_api_key::audit: audit action=\"rejected\" reason=\"unknown\"".to_owned(),
    ] {
        assert!(log.contains(&line), "`{line}` in:\n{log}");
    }
    let output = format!("{log}{:?}", recorded.take());
    let secret = &text.as_str()[text.as_str().len() - 20..];
    for canary in CANARIES.into_iter().chain([secret, "what-a-client-sent"]) {
        assert!(!output.contains(canary), "`{canary}` in:\n{output}");
    }
}
